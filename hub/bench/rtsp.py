"""A small RTSP server: cameras that play coded clips in a circle, in real time, to who asks.

It speaks what RFC 2326 and RFC 6184 (packetization-mode 1) need for video over TCP: OPTIONS,
DESCRIBE, SETUP, PLAY, TEARDOWN and requests that keep a session alive. Pictures are coded once and
only sent, so that many viewers cost little. It is for measuring, on the loopback address alone.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

LARGEST = 1400  # bytes of a picture in one packet
CLOCK = 90_000
TYPE = 96
FIRST_STAMP = 123_456  # of any value but zero, which FFmpeg takes for no stamp
MOST_WAITING = 8 << 20  # bytes that a viewer may leave unread, beyond which pictures are left out
IDLE_S = 120.0
_START = re.compile(b"\x00\x00\x00?\x01")
_HEADER = struct.Struct("!BBHBBHII")  # `$`, channel, length; RTP's first 12 bytes


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture in packets for an interleaved connection, and where each begins."""

    packets: bytes
    begins: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Film:
    """Coded pictures at `fps`, the parameter sets that stand before them, and a session name."""

    pictures: tuple[Picture, ...]
    parameters: tuple[bytes, ...]
    fps: int

    def description(self) -> str:
        """The SDP that a camera answers to DESCRIBE."""
        sets = ",".join(base64.b64encode(each).decode() for each in self.parameters)
        profile = self.parameters[0][1:4].hex()
        return (
            "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nc=IN IP4 0.0.0.0\r\n"
            f"m=video 0 RTP/AVP {TYPE}\r\na=rtpmap:{TYPE} H264/{CLOCK}\r\n"
            f"a=framerate:{self.fps}\r\n"
            f"a=fmtp:{TYPE} packetization-mode=1;profile-level-id={profile};"
            f"sprop-parameter-sets={sets}\r\na=control:track\r\n"
        )


def film(pictures: Sequence[bytes], fps: int) -> Film:
    """Cut pictures in the form of Annex B (ITU-T H.264) into packets; the first is a key frame."""
    parameters: dict[int, bytes] = {}
    cut = []
    for picture in pictures:
        units = [unit for unit in _START.split(picture) if unit and unit[0] & 31 not in (6, 9)]
        parameters |= {unit[0] & 31: unit for unit in units if unit[0] & 31 in (7, 8)}
        cut.append(_packets([unit for unit in units if unit]))
    return Film(tuple(cut), (parameters[7], parameters[8]), fps)


def _packets(units: Sequence[bytes]) -> Picture:
    payloads = [part for unit in units for part in _fragments(unit)]
    whole, begins = bytearray(), []
    for number, payload in enumerate(payloads):
        marker = 0x80 if number == len(payloads) - 1 else 0
        begins.append(len(whole))
        length = 12 + len(payload)
        whole += _HEADER.pack(0x24, 0, length, 0x80, TYPE | marker, 0, 0, 1) + payload
    return Picture(bytes(whole), tuple(begins))


def _fragments(unit: bytes) -> Iterator[bytes]:
    """The unit itself where it is small, else FU-A fragments (RFC 6184, 5.8)."""
    if len(unit) <= LARGEST:
        yield unit
        return
    kind, body = unit[0] & 31, unit[1:]
    for at in range(0, len(body), LARGEST):
        first, last = at == 0, at + LARGEST >= len(body)
        head = kind | (0x80 if first else 0) | (0x40 if last else 0)
        yield bytes((unit[0] & 0xE0 | 28, head)) + body[at : at + LARGEST]


class Viewer:
    """One connection: sends a film from a picture on, and notes how late it is at most."""

    def __init__(
        self, writer: asyncio.StreamWriter, film: Film, first: int, begun: Callable[[float], None]
    ) -> None:
        self._writer, self._film, self._first, self._begun = writer, film, first, begun
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._sent, self._number, self._start = 0, 0, 0.0
        self.late = 0.0
        self.left_out = 0

    def play(self) -> None:
        """Begin; `begun` is told when the first picture of the film would have been shown (s)."""
        if self._timer is None:
            self._start = self._loop.time()
            self._begun(self._start - self._first / self._film.fps)
            self._send()

    def end(self) -> None:
        """Send no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _send(self) -> None:
        due = self._start + self._sent / self._film.fps
        self.late = max(self.late, self._loop.time() - due)
        picture = self._film.pictures[(self._first + self._sent) % len(self._film.pictures)]
        stamp = (FIRST_STAMP + self._sent * CLOCK // self._film.fps) & 0xFFFFFFFF
        if self._writer.transport.get_write_buffer_size() > MOST_WAITING:
            self.left_out += 1
        else:
            packets = bytearray(picture.packets)
            for begin in picture.begins:
                struct.pack_into("!HI", packets, begin + 6, self._number & 0xFFFF, stamp)
                self._number += 1
            self._writer.write(packets)
        self._sent += 1
        due = self._start + self._sent / self._film.fps
        self._timer = self._loop.call_at(due, self._send)


class Server:
    """Serves `films` by name: `rtsp://127.0.0.1:PORT/NAME/CAMERA`.

    `first(camera)` says with which picture a camera begins (a key frame), `begun(camera, at)` is
    told when the film's first picture would have been shown, in the monotonic clock's seconds.
    """

    def __init__(
        self,
        films: dict[str, Film],
        first: Callable[[str], int],
        begun: Callable[[str, float], None],
    ) -> None:
        self._films, self._first, self._told = films, first, begun
        self._viewers: set[Viewer] = set()
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> int:
        """Listen on the loopback address; returns the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, backlog=512)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Let go of the port and of all viewers."""
        if self._server is not None:
            self._server.close()
        for viewer in self._viewers:
            viewer.end()

    def late(self) -> float:
        """By how many seconds a picture was late at most since the last call."""
        latest = max((viewer.late for viewer in self._viewers), default=0.0)
        for viewer in self._viewers:
            viewer.late = 0.0
        return latest

    def left_out(self) -> int:
        """Pictures that were not sent since their viewer did not read."""
        return sum(viewer.left_out for viewer in self._viewers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        viewer: Viewer | None = None
        try:
            while (request := await _request(reader)) is not None:
                method, path, headers = request
                name, _, camera = path.strip("/").partition("/")
                camera = camera.partition("/")[0]
                shown = self._films.get(name)
                if shown is None and method != "OPTIONS":
                    _answer(writer, headers, "404 Not Found")
                    continue
                match method:
                    case "DESCRIBE" if shown is not None:
                        more = {"Content-Type": "application/sdp"}
                        _answer(writer, headers, "200 OK", more, shown.description())
                    case "SETUP" if shown is not None:
                        if "interleaved" not in headers.get("transport", ""):
                            _answer(writer, headers, "461 Unsupported Transport")
                            continue
                        begun = self._teller(camera)
                        viewer = Viewer(writer, shown, self._first(camera), begun)
                        self._viewers.add(viewer)
                        way = "RTP/AVP/TCP;unicast;interleaved=0-1"
                        _answer(writer, headers, "200 OK", {"Transport": way})
                    case "PLAY" if viewer is not None:
                        _answer(writer, headers, "200 OK")
                        viewer.play()
                    case "TEARDOWN":
                        _answer(writer, headers, "200 OK")
                        return
                    case _:
                        public = {"Public": "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"}
                        _answer(writer, headers, "200 OK", public)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
            pass  # the viewer has gone, or says nothing that can be understood
        finally:
            if viewer is not None:
                viewer.end()
                self._viewers.discard(viewer)
            with contextlib.suppress(OSError):
                writer.close()

    def _teller(self, camera: str) -> Callable[[float], None]:
        return lambda at: self._told(camera, at)


async def _request(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str]] | None:
    """Method, path and headers of the next request; what comes between them (RTCP) is dropped."""
    async with asyncio.timeout(IDLE_S):
        while (first := await reader.read(1)) == b"$":
            _, length = struct.unpack("!BH", await reader.readexactly(3))
            await reader.readexactly(length)
        if not first:
            return None
        text = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    begin, *lines = text.split("\r\n")
    method, address, _ = begin.split(" ", 2)
    named = (line.partition(":") for line in lines if ":" in line)
    headers = {name.strip().lower(): value.strip() for name, _, value in named}
    if length := int(headers.get("content-length", 0)):
        await reader.readexactly(length)
    return method, re.sub(r"^rtsp://[^/]*", "", address), headers


def _answer(
    writer: asyncio.StreamWriter,
    asked: dict[str, str],
    status: str,
    more: dict[str, str] | None = None,
    body: str = "",
) -> None:
    headers = {"CSeq": asked.get("cseq", "0"), "Session": f"measured;timeout={IDLE_S / 2:.0f}"}
    headers |= more or {}
    if body:
        headers["Content-Length"] = str(len(body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"RTSP/1.0 {status}\r\n{lines}\r\n{body}".encode())
