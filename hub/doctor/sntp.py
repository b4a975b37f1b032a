"""One question to a time server: the client mode of SNTP (RFC 5905, section 14)."""

from __future__ import annotations

import asyncio
import os
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hub.clock import Clock
from hub.errors import NotReady

PORT = 123
SINCE_1900 = datetime(1900, 1, 1, tzinfo=UTC)
ERA = timedelta(seconds=1 << 32)  # the 32-bit seconds of NTP begin anew in 2036
CLIENT, SERVER = 3, 4
VERSION = 4
FORM = struct.Struct("!BBbb11I")
UNSYNCHRONISED = 3
RETRY_S = 1.5


@dataclass(frozen=True, slots=True)
class Answer:
    """By how many seconds this machine is behind (negative: ahead), and the way there and back."""

    offset: float
    delay: float
    stratum: int


async def ask(server: str, clock: Clock) -> Answer:
    """Ask `HOST` or `HOST:PORT`, again while no answer comes. Raises `NotReady`.

    It waits for ever for a silent server: whoever calls sets the deadline.
    """
    host, port = _place(server)
    answered: asyncio.Queue[tuple[bytes, float]] = asyncio.Queue(8)
    loop = asyncio.get_running_loop()
    try:
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Ears(answered, clock), remote_addr=(host, port)
        )
    except OSError as error:
        raise NotReady(f"no time server is found at {server}: {error.strerror}") from None
    try:
        while True:
            # What is sent is a random number, not our time: an answer must repeat it.
            mark = os.urandom(8)
            sent, sent_at = clock.now(), clock.monotonic()
            transport.sendto(_question(mark))
            try:
                async with asyncio.timeout(RETRY_S):
                    while True:
                        packet, came_at = await answered.get()
                        if not packet:
                            raise NotReady(f"nothing listens for time questions at {server}")
                        if packet[24:32] == mark:
                            return _read(packet, sent, came_at - sent_at, server)
            except TimeoutError:
                continue
    finally:
        transport.close()


def _place(server: str) -> tuple[str, int]:
    host, colon, port = server.rpartition(":")
    if colon and port.isdigit() and (":" not in host or host.startswith("[")):
        return host.strip("[]"), int(port)
    return server.strip("[]"), PORT


def _question(mark: bytes) -> bytes:
    packet = bytearray(48)
    packet[0] = VERSION << 3 | CLIENT
    packet[40:48] = mark
    return bytes(packet)


def _read(packet: bytes, sent: datetime, took: float, server: str) -> Answer:
    if len(packet) < 48:
        raise NotReady(f"{server} does not answer as a time server does")
    fields = FORM.unpack_from(packet)
    first, stratum = fields[0], fields[1]
    if first & 7 != SERVER:
        raise NotReady(f"{server} does not answer as a time server does")
    if stratum == 0:
        code = packet[12:16].decode("ascii", "replace").rstrip("\0")
        raise NotReady(f"{server} turns us away ({code}); ask another time server")
    if first >> 6 == UNSYNCHRONISED or stratum > 15:
        raise NotReady(f"{server} does not know the time itself; ask another time server")
    received, replied = (_time(fields[at], fields[at + 1], sent) for at in (11, 13))
    there = (received - sent).total_seconds()
    back = (replied - sent).total_seconds() - took
    return Answer(
        (there + back) / 2, max(0.0, took - (replied - received).total_seconds()), stratum
    )


def _time(seconds: int, fraction: int, near: datetime) -> datetime:
    """An NTP time stamp, in the era that puts it nearest to what our own clock says."""
    since = timedelta(seconds=seconds, microseconds=fraction * 1_000_000 >> 32)
    eras = (SINCE_1900 + since + number * ERA for number in range(3))
    return min(eras, key=lambda moment: abs(moment - near))


class _Ears(asyncio.DatagramProtocol):
    """Notes each packet and when it came; an empty one for a refusal."""

    def __init__(self, answered: asyncio.Queue[tuple[bytes, float]], clock: Clock) -> None:
        self._answered = answered
        self._clock = clock

    def datagram_received(self, data: bytes, address: object) -> None:
        self._note(data)

    def error_received(self, error: Exception) -> None:
        self._note(b"")

    def _note(self, data: bytes) -> None:
        if not self._answered.full():
            self._answered.put_nowait((data, self._clock.monotonic()))
