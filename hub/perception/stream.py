"""A live stream's packets to pictures, whatever comes: damage is counted, never passed on.

A decoder is fed in the order of the packets and gives pictures out late, so what was lost between
two key frames is only known at the second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hub.perception.by_command import ByCommand, built_in
from hub.perception.feed import Packet
from hub.perception.ffmpeg import NotDecoded, Timed

UNDECODABLE_AFTER = 50  # packets without a picture
NO_KEY_AFTER = 900  # packets without a key frame: cameras may send one only every half minute


class StreamDecoder:
    """Decodes the packets of one camera, one opening of its source after the other.

    `damaged` counts pictures that were lost: packets refused, pictures marked corrupt, pictures
    that never came; those that come through `command` are not marked. `reopen` is called with the
    reason when nothing can be made of what comes.
    """

    def __init__(self, reopen: Callable[[str], None], command: ByCommand | None = None) -> None:
        self.damaged = 0
        self.command = command
        self._reopen = reopen
        self._session = 0
        self._synced = False
        self._barren = 0
        self._owed = 0

    @property
    def seeing(self) -> bool:
        """Whether the packet decoded last gave a sound picture."""
        return self._synced and self._barren == 0

    def decode(self, packet: Packet) -> Iterator[tuple[Any, float]]:
        """The sound pictures that come out with this packet, each with its time on the camera's
        clock (s). Never raises.
        """
        if packet.session.number != self._session:
            self._session, self._synced = packet.session.number, False
        if not packet.size:  # it would tell the decoder that the stream has ended
            self.damaged += 1
            return
        if packet.key:
            self._settle(packet.session.decoder)
        if self.command is None or not self.command.starting:
            self._barren += 1  # a damaged stream may give neither pictures nor errors
        for picture, time in self._pictures(packet):
            self._owed = max(0, self._owed - 1)
            if picture.is_corrupt:
                self.damaged += 1
                continue
            self._barren = 0
            yield picture, time
        if self._barren >= (UNDECODABLE_AFTER if self._synced else NO_KEY_AFTER):
            self._barren = 0
            self._reopen("its pictures cannot be decoded")

    def _pictures(self, packet: Packet) -> list[Timed]:
        if not self._synced:
            return []
        try:
            decode = built_in if self.command is None else self.command.decode
            pictures = decode(packet)
        except NotDecoded:  # the command has ended: it goes on at the next key frame
            self.damaged += 1
            self._synced = False
            return []
        except Exception:  # FFmpeg's errors have many types; each costs one packet
            self.damaged += 1
            return []
        self._owed += 1
        return pictures

    def _settle(self, decoder: Any) -> None:
        """At a key frame: what is owed beyond what the decoder holds back will not come."""
        if not self._synced:
            self._synced, self._owed = True, 0
            return
        held_back = int(decoder.reorder_depth) + (self.command.held_back if self.command else 0)
        if self._owed > held_back:
            self.damaged += self._owed - held_back
            self._owed = held_back
