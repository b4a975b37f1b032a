"""Passwords that are guessed first, found without asking anybody outside.

How many guesses a password takes is estimated by zxcvbn, which knows the most used passwords,
names, words, dates and rows of keys, and is told the words that stand around this account. A school
may also keep the file of all passwords known from breaches, as Have I Been Pwned publishes it
(SHA-1 in hexadecimal, a colon, how often; sorted): it is searched where it lies.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

from hub.errors import Refused
from hub.phrases import phrase

ENOUGH = 9.0  # as a power of ten: a thousand million guesses
_LOOKED_AT = 72  # characters; what is longer is not guessed by its end
_LONGEST_LINE = 64
_LINE = re.compile(rb"([0-9A-Fa-f]{40})(:[0-9]+)?\s*")


def refuse_guessable(
    password: str, around: Collection[str] = (), breached: Path | None = None
) -> None:
    """Raises `Refused` for a password that is guessed first, or known from breaches. `around` are
    the names of the person, the school and its places. Blocks for up to 0.1 s.
    """
    from zxcvbn import zxcvbn

    known = sorted({*_words(around)})
    found = zxcvbn(password[:_LOOKED_AT], user_inputs=known, max_length=_LOOKED_AT)
    if float(found["guesses_log10"]) < ENOUGH:
        raise Refused(
            phrase(
                "That password is guessed early. Take several words that have nothing to do with "
                "you or the school."
            )
        )
    if breached is not None and is_breached(breached, password):
        raise Refused(
            phrase("That password is known from a breach elsewhere. Take one used nowhere else.")
        )


def _words(around: Collection[str]) -> Iterator[str]:
    for each in around:
        yield each.casefold()
        yield from (part for part in re.split(r"\W+", each.casefold()) if len(part) > 2)


def is_breached(file: Path, password: str) -> bool:
    """Whether the file has this password; false where it cannot be read, which health tells."""
    wanted = hashlib.sha1(password.encode("utf-8", "surrogatepass"), usedforsecurity=False)
    try:
        with file.open("rb") as lines:
            return _has(lines, wanted.hexdigest().upper().encode())
    except OSError:
        return False


def trouble_with(file: Path) -> str:
    """Why the file of breached passwords is of no use; empty where it is."""
    try:
        with file.open("rb") as lines:
            first = lines.readline(_LONGEST_LINE)
    except OSError as error:
        return f"{file} cannot be read: {error.strerror}"
    if _LINE.fullmatch(first) is None:
        return f"{file} has no SHA-1 and count in its first line"
    return ""


def _has(lines: BinaryIO, wanted: bytes) -> bool:
    """Whether a sorted file has a line that begins so; half of what is left goes each time."""
    low, high = 0, lines.seek(0, 2)
    while low < high:
        middle = (low + high) // 2
        lines.seek(max(low, middle - 1))
        if middle > low:
            lines.readline(_LONGEST_LINE)  # the rest of the line before
        start = lines.tell()
        line = lines.readline(_LONGEST_LINE)
        if not line or start >= high:
            high = middle
        elif (found := line[:40].upper()) == wanted:
            return True
        elif found < wanted:
            low = lines.tell()
        else:
            high = middle
    return False
