"""Messages of ANSI/SIA DC-09 (Internet Protocol Event Reporting, 2013 and 2021), made and read.

    LF crc 0LLL "id" seq [Rrcvr] Lpref #acct [data] [Xextended]… _HH:MM:SS,MM-DD-YYYY CR

CRC (that of DC-07, CRC-16/ARC) and length are of all between them and CR, as hexadecimal digits;
times are GMT. A `*` before the id marks a message whose data, extended data and time are encrypted:
AES in CBC mode from an initialisation vector of zeros, as hexadecimal digits. Before them stands a
pad of 1 to 16 characters, which ends at the first `|`.
"""

from __future__ import annotations

import re
import secrets
import string
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from plugins.notifiers._wording import one_line

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.modes import CBC

LARGEST = 960  # characters between length and CR; receivers are seen that read 1000 bytes at most
BLOCK = 16
FIRST, LAST = 1, 9999  # of sequence numbers; 0000 is that of a NULL message and of a NAK
MOMENT = "%H:%M:%S,%m-%d-%Y"
PAD = string.ascii_letters + string.digits  # anything but the characters that structure a message

_FRAME = re.compile(
    rb'\n*(?P<crc>[0-9A-Fa-f]{4})(?P<length>[0-9A-Fa-f]{4})(?P<body>"(?P<id>\*?[A-Z-]{2,10})"'
    rb"(?P<sequence>[0-9]{4})[^#\[]*(?:#(?P<account>[^\[]*))?\[(?P<rest>.*))",
    re.DOTALL,
)
_TIME = re.compile(r"_(\d{2}:\d{2}:\d{2},\d{2}-\d{2}-\d{4})")


class Unreadable(Exception):
    """What was answered is no whole answer of DC-09; says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Sender:
    """As whom we report: the account, and what a receiver may want before it."""

    account: str
    receiver: str | None = None
    line: str = "0"
    key: bytes | None = field(default=None, repr=False)

    def header(self, token: str, sequence: int) -> str:
        """All before the data; the id has its `*` where there is a key."""
        receiver = f"R{self.receiver}" if self.receiver else ""
        mark = "*" if self.key else ""
        return f'"{mark}{token}"{sequence:04}{receiver}L{self.line}#{self.account}['

    def room(self, token: str) -> int:
        """How many characters data, extended data and time may have together, brackets included."""
        left = LARGEST - len(self.header(token, LAST))
        return left if self.key is None else left // 2 // BLOCK * BLOCK - len("x|")


@dataclass(frozen=True, slots=True)
class Message:
    """What is said, whenever and however often: `token` is the id (`SIA-DCS`, `ADM-CID`, `NULL`),
    `data` stands behind `#acct|`, each of `extended` in brackets of its own.
    """

    token: str
    data: str = ""
    extended: tuple[str, ...] = ()

    def content(self, account: str, time: datetime) -> str:
        """Data, extended data and time, from behind the first bracket."""
        data = f"#{account}|{self.data}" if self.data else ""
        more = "".join(f"[{each}]" for each in self.extended)
        return f"{data}]{more}_{moment(time)}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answered: ACK, NAK, DUH or another id, without the `*`."""

    id: str
    sequence: int
    account: str
    encrypted: bool
    time: datetime | None


NULL = Message("NULL")  # says that we are there, and reports nothing


def frame(message: Message, sender: Sender, sequence: int, time: datetime) -> bytes:
    """The message as it is sent. A text in it must have come through `plain`."""
    content = message.content(sender.account, time)
    if sender.key is not None:
        content = _encrypted(f"|{content}", sender.key)
    return framed(f"{sender.header(message.token, sequence)}{content}")


def framed(body: str) -> bytes:
    """A body between LF, CRC and length, and CR."""
    raw = body.encode("ascii")
    return b"\n%04X%04X%b\r" % (crc(raw), len(raw), raw)


def crc(raw: bytes) -> int:
    """The CRC of DC-07 that DC-09 takes over (CRC-16/ARC)."""
    rest = 0
    for byte in raw:
        rest = (rest >> 8) ^ _OF_BYTE[(rest ^ byte) & 0xFF]
    return rest


def read_answer(raw: bytes, key: bytes | None) -> Answer:
    """The answer in a frame up to its CR. Raises `Unreadable`."""
    found = _FRAME.fullmatch(raw.removesuffix(b"\r"))
    if found is None:
        raise Unreadable("that is no answer of SIA DC-09")
    if crc(found["body"]) != int(found["crc"], 16):
        raise Unreadable("its answer is damaged: the CRC is wrong")
    token = found["id"].decode("ascii")
    rest = found["rest"].decode("ascii", "replace")
    encrypted = token.startswith("*")
    if encrypted:
        rest = _readable(rest, key)
    return Answer(
        id=token.removeprefix("*"),
        sequence=int(found["sequence"]),
        account=(found["account"] or b"").decode("ascii", "replace"),
        encrypted=encrypted,
        time=_time(rest),
    )


def moment(time: datetime) -> str:
    """A time as the standard writes it, in GMT."""
    return time.astimezone(UTC).strftime(MOMENT)


def longitude(degrees: float) -> str:
    """As extended data X has it: `087W37.78800`, degrees and minutes."""
    return _angle(degrees, 3, "EW")


def latitude(degrees: float) -> str:
    """As extended data Y has it: `41N52.68660`."""
    return _angle(degrees, 2, "NS")


def plain(text: str, longest: int) -> str:
    """A text of ASCII letters in one line, without the characters that structure a message; at most
    so long.
    """
    some = one_line(text[: 8 * longest])  # what comes later is cut off anyway
    parts = unicodedata.normalize("NFKD", some.translate(_LETTERS))
    kept = "".join(c if c.isascii() else _instead(c) for c in parts)
    kept = re.sub(r"\?{2,}", "?", kept.translate(_STRUCTURE))
    kept = " ".join("".join(c for c in kept if c.isprintable()).split())
    return kept if len(kept) <= longest else f"{kept[: max(0, longest - 3)].rstrip()}..."[:longest]


# Letters and signs that do not fall apart into an ASCII letter and its marks.
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D",
     "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ł": "l", "Ł": "L", "ı": "i", "ħ": "h", "Ħ": "H",
     "–": "-", "—": "-", "‘": "'", "’": "'", "‚": "'", "“": "'", "”": "'", "„": "'", "´": "'",
     "…": "...", "·": "-", "•": "-", "\u2212": "-", "°": " deg ", "€": "EUR", "£": "GBP"}
)  # fmt: skip
# Brackets end a field, `|` and `/` an event, `^` a text, `"` the id; `#` and `\` are read as more
# than themselves by some receivers.
_STRUCTURE = str.maketrans(
    {"[": "(", "]": ")", "|": ";", "/": "-", "\\": "-", "^": "'", '"': "'", "#": " "}
)


def _instead(c: str) -> str:
    """A mark for a letter that has no plain one; nothing for accents and pictures."""
    return "?" if unicodedata.category(c)[0] in "LN" else ""


def _of_byte(rest: int) -> int:
    for _ in range(8):
        rest = (rest >> 1) ^ 0xA001 if rest & 1 else rest >> 1
    return rest


_OF_BYTE = tuple(_of_byte(byte) for byte in range(256))


def _angle(degrees: float, width: int, ends: str) -> str:
    whole, rest = divmod(round(abs(degrees) * 6_000_000), 6_000_000)
    return f"{whole:0{width}}{ends[degrees < 0]}{rest / 100_000:08.5f}"


def _encrypted(content: str, key: bytes) -> str:
    pad = "".join(secrets.choice(PAD) for _ in range(BLOCK - len(content) % BLOCK))
    coder = _cipher(key).encryptor()
    return (coder.update(f"{pad}{content}".encode("ascii")) + coder.finalize()).hex().upper()


def _readable(rest: str, key: bytes | None) -> str:
    if key is None:
        raise Unreadable("it answers encrypted, and there is no `key` here")
    try:
        raw = bytes.fromhex(rest)
    except ValueError:
        raw = b""
    if not raw or len(raw) % BLOCK:
        raise Unreadable("its encrypted answer is damaged")
    decoder = _cipher(key).decryptor()
    text = (decoder.update(raw) + decoder.finalize()).decode("ascii", "replace")
    if _time(text) is None:
        raise Unreadable("its encrypted answer cannot be read: it has another key than `key`")
    return text


def _cipher(key: bytes) -> Cipher[CBC]:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES
    from cryptography.hazmat.primitives.ciphers.modes import CBC

    return Cipher(AES(key), CBC(bytes(BLOCK)))


def _time(text: str) -> datetime | None:
    found = _TIME.search(text)
    if found is None:
        return None
    try:
        return datetime.strptime(found[1], MOMENT).replace(tzinfo=UTC)
    except ValueError:
        return None
