"""A pretended receiver of a monitoring station: SIA DC-09 over TCP, strict, and hostile if told so.

It takes a message only if it is whole, and answers as the standard has it: nothing to a wrong CRC,
NAK with its time to an encrypted message whose time is not now, else ACK. `answers` are ways to
answer instead, one for each message that comes.
"""

import asyncio
import re
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

BODY = re.compile(
    r'"(\*?)(SIA-DCS|ADM-CID|NULL)"(\d{4})(R[0-9A-F]{1,6})?(L[0-9A-F]{1,6})#([0-9A-F]{3,16})\[(.*)'
)
CONTENT = re.compile(
    r"(?:#(?P<account>[0-9A-F]+)\|(?P<data>[^\[\]|]+))?\](?P<more>(?:\[[A-Z][^\[\]]+\])*)"
    r"_(?P<time>\d\d:\d\d:\d\d,\d\d-\d\d-\d{4})"
)


class Report:
    """A message as it was understood."""

    def __init__(self, body, key):
        found = BODY.fullmatch(body)
        assert found, body
        star, self.token, self.number, self.receiver, self.line, self.account, rest = found.groups()
        self.encrypted = bool(star)
        if star:
            text = unsealed(bytes.fromhex(rest), key).decode("ascii")
            pad, _, rest = text.partition("|")
            assert 1 <= len(pad) <= 16, text
        said = CONTENT.fullmatch(rest)
        assert said, rest
        assert said["account"] in (None, self.account)
        self.data = said["data"] or ""
        fields = re.findall(r"\[(.)([^\]]*)\]", said["more"])
        self.more = dict(fields)
        assert len(self.more) == len(fields), said["more"]
        self.time = datetime.strptime(said["time"], "%H:%M:%S,%m-%d-%Y").replace(tzinfo=UTC)
        self.rest = f"{self.data}]{said['more']}"


class Station:
    """One receiver on the loopback address."""

    def __init__(self, clock, key=None):
        self.clock = clock
        self.key = key
        self.ahead = timedelta()  # of its clock
        self.reports = []
        self.answers = []
        self.damaged = 0
        self.port = 0

    async def start(self):
        """Listen; returns the port."""
        self._writers, self._calls = set(), set()
        self._server = await asyncio.start_server(self._take, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self.port

    async def stop(self):
        """Be gone."""
        self._server.close()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*self._calls, return_exceptions=True)
        await self._server.wait_closed()

    async def _take(self, reader, writer):
        self._writers.add(writer)
        self._calls.add(asyncio.current_task())
        try:
            while raw := await reader.readuntil(b"\r"):
                self._hear(raw, writer)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()
            self._writers.discard(writer)
            self._calls.discard(asyncio.current_task())

    def _hear(self, raw, writer):
        assert raw[:1] == b"\n", raw
        body = raw[9:-1]
        if int(raw[1:5], 16) != checksum(body) or int(raw[5:9], 16) != len(body):
            self.damaged += 1
            return
        report = Report(body.decode("ascii"), self.key)
        self.reports.append(report)
        how = self.answers.pop(0) if self.answers else self._by_the_standard(report)
        ANSWERS[how](self, report, writer)

    def _by_the_standard(self, report):
        off = (report.time - self.now()).total_seconds()
        return "nak" if report.encrypted and not -40 <= off <= 20 else "ack"

    def now(self):
        """The time it believes in."""
        return self.clock.now() + self.ahead

    def stamp(self, back=0):
        """A time as the standard writes it, so many seconds ago."""
        return (self.now() - timedelta(seconds=back)).strftime("_%H:%M:%S,%m-%d-%Y")

    def body(self, word, report, number=None, account=None, back=0, key=None):
        """An answer to a report, encrypted where there is a key."""
        who = f"{report.receiver or ''}{report.line}#{account or report.account}"
        number = number or report.number
        if key is None:
            return f'"{word}"{number}{who}[]'
        text = f"|]{self.stamp(back)}"
        text = "p" * (16 - len(text) % 16) + text
        return f'"*{word}"{number}{who}[{sealed(text.encode(), key).hex().upper()}'


def put(body, writer, wrong=0, cut=0):
    """Write a body in its frame, with a CRC that is off by so much, without its last bytes."""
    raw = body.encode("ascii")
    whole = b"\n%04X%04X%b\r" % (checksum(raw) ^ wrong, len(raw), raw)
    writer.write(whole[: len(whole) - cut])


def _ack(station, report, writer, wrong=0, cut=0, **changes):
    key = station.key if report.encrypted else None
    put(station.body("ACK", report, **{"key": key, **changes}), writer, wrong, cut)


def _cut(station, report, writer):
    _ack(station, report, writer, cut=12)
    writer.write_eof()


ANSWERS = {
    "ack": _ack,
    "nak": lambda s, r, w: put(f'"NAK"0000R0L0A0[]{s.stamp()}', w),
    "nak without a time": lambda s, r, w: put('"NAK"0000R0L0A0[]', w),
    "duh": lambda s, r, w: put(s.body("DUH", r), w),
    "rsp": lambda s, r, w: put(s.body("RSP", r), w),
    "silence": lambda s, r, w: None,
    "half": lambda s, r, w: _ack(s, r, w, cut=12),
    "cut": _cut,
    "hang up": lambda s, r, w: w.close(),
    "rubbish": lambda s, r, w: w.write(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "binary": lambda s, r, w: w.write(bytes(range(256)) * 40),
    "wrong crc": lambda s, r, w: _ack(s, r, w, wrong=1),
    "other number": lambda s, r, w: _ack(s, r, w, number="4711"),
    "other account": lambda s, r, w: _ack(s, r, w, account="ABCDEF"),
    "plain ack": lambda s, r, w: _ack(s, r, w, key=None),
    "old ack": lambda s, r, w: _ack(s, r, w, back=3600),
    "ack of another key": lambda s, r, w: _ack(s, r, w, key=bytes(16)),
    "empty lines first": lambda s, r, w: (w.write(b"\r\n\n"), _ack(s, r, w)),
}


def checksum(raw):
    """CRC-16/ARC, bit by bit from the most significant end of the reversed polynomial's twin."""
    rest = 0
    for byte in raw:
        for bit in range(8):
            top = rest >> 15
            rest = (rest << 1) & 0xFFFF
            if top ^ (byte >> bit & 1):
                rest ^= 0x8005
    return int(f"{rest:016b}"[::-1], 2)


def sealed(text, key):
    """AES-CBC from zeros."""
    coder = Cipher(AES(key), CBC(bytes(16))).encryptor()
    return coder.update(text) + coder.finalize()


def unsealed(raw, key):
    """What was sealed."""
    coder = Cipher(AES(key), CBC(bytes(16))).decryptor()
    return coder.update(raw) + coder.finalize()
