"""One camera's packets through the `ffmpeg` command, or through the built-in decoder after all."""

from __future__ import annotations

import logging
from typing import Any

from hub.clock import Clock
from hub.perception.feed import Packet
from hub.perception.ffmpeg import Child, Hardware, NotDecoded, Timed, Wrapper, ways

log = logging.getLogger(__name__)

FIRST_WITHIN_S = 5.0
MOST_KEPT = 512  # packets without a picture, which are decoded again in another way
MOST_BYTES = 24 << 20
HELD_BACK = 32  # pictures that may be under way
REORDERED_S = 5.0  # between a packet and the pictures a decoder gives out with it


class ByCommand:
    """Tries what `hardware` asks for, one way after the other, anew at each opening of the source.

    Until the first picture has come, packets are kept, so that the next way, and in the end the
    built-in decoder, begins where the command should have. `note` says why the command is not
    used, or is empty.
    """

    def __init__(self, camera: str, hardware: Hardware, clock: Clock) -> None:
        self.note = ""
        self._camera, self._hardware, self._clock = camera, hardware, clock
        self._session = -1
        self._child: Child | None = None
        self._left: list[Hardware] = []
        self._way: Hardware = hardware
        self._wrappers: list[Wrapper] = []
        self._kept: list[Packet] = []
        self._kept_bytes = 0
        self._proven = False
        self._began = 0.0

    @property
    def starting(self) -> bool:
        """Whether no picture is to be expected yet."""
        return self._child is not None and not self._proven

    @property
    def held_back(self) -> int:
        """How many pictures may be under way."""
        return HELD_BACK if self._child is not None else 0

    @property
    def pid(self) -> int | None:
        """The process id of the command while it runs."""
        return None if self._child is None else self._child.pid

    def decode(self, packet: Packet) -> list[Timed]:
        """The pictures that have come. Raises `NotDecoded` when the command has ended after it had
        worked: what follows up to the next key frame cannot be decoded by itself.
        """
        if packet.session.number != self._session:
            self._session = packet.session.number
            self.close()
            self._left = list(ways(self._hardware))
            self._wrappers = list(packet.session.wrappers)
            self._start()
        if self._child is None:
            return built_in(packet)
        if not self._proven:
            self._kept.append(packet)
            self._kept_bytes += packet.size
        try:
            found = self._child.decode(packet)
        except NotDecoded as no:
            return self._fail(str(no))
        if found:
            self._proven, self._kept, self._kept_bytes = True, [], 0
            self.note = ""
        elif not self._proven and self._is_late():
            return self._fail(f"no picture came within {FIRST_WITHIN_S:g} s")
        return found

    def close(self) -> None:
        """End the command."""
        if self._child is not None:
            self._child.close()
        self._child, self._proven = None, False
        self._kept, self._kept_bytes = [], 0

    def _is_late(self) -> bool:
        waited = self._clock.monotonic() - self._began
        full = len(self._kept) > MOST_KEPT or self._kept_bytes > MOST_BYTES
        return waited > FIRST_WITHIN_S or full

    def _start(self) -> None:
        """The first of the ways left that can be started; none where all have failed."""
        while self._left and self._wrappers:
            self._way = self._left.pop(0)
            try:
                self._child = Child(self._wrappers.pop(), self._way, self._clock)
            except NotDecoded as no:
                self._tell(str(no))
                continue
            self._began = self._clock.monotonic()
            return
        if not self.note:
            self._tell("its stream is of a kind that cannot be given to it")

    def _fail(self, why: str) -> list[Timed]:
        kept, proven = self._kept, self._proven
        self.close()
        self._tell(why)
        if proven:
            raise NotDecoded(why)
        self._start()
        decode = built_in if self._child is None else self.decode
        return [found for packet in kept for found in decode(packet)]

    def _tell(self, why: str) -> None:
        way = "" if self._way == "none" else f"{self._way}: "
        log.warning("camera %s: decoder ffmpeg: %s%s", self._camera, way, why)
        if not self._left:
            self.note = why


def built_in(packet: Packet) -> list[Timed]:
    """The pictures that come out of the session's own decoder. Raises what FFmpeg raises."""
    return [(each, time_of(each, packet)) for each in packet.session.decoder.decode(packet.data)]


def time_of(picture: Any, packet: Packet) -> float:
    """When a picture was taken, on the camera's clock (s).

    A decoder gives pictures out late: after the stream's clock has jumped, one may still carry the
    old stamp, which the new packet's base does not fit.
    """
    if picture.pts is None or not picture.time_base:
        return packet.time
    time = float(picture.pts * picture.time_base) + packet.base
    return time if abs(time - packet.time) <= REORDERED_S else packet.time
