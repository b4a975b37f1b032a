"""Whether an export of the audit is as the hub wrote it; needs the file alone, and no network.

What is found first is told in words, with the number of the line.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from hub.clock import from_iso, iso
from hub.storage import audit
from hub.storage.audit_export import ALWAYS, FORMAT
from hub.storage.audit_key import is_signed

LONGEST = 1 << 20
MOST_NOTES = 20
_LINE = {*audit.SAYS, "number", "previous", "hash"}
_HIDDEN = {"number", "previous", "hash", "content"}
_HEAD = {"chain", "number", "hash", "time", "key", "signature"}


class Broken(Exception):
    """The export is not as a hub wrote it; says where and what."""


@dataclass(slots=True)
class Sound:
    """What an export that is as it was written holds."""

    chain: str = ""
    first: int = 0
    last: int = 0
    hidden: int = 0
    head: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def verify(
    file: Iterable[bytes],
    keys: Collection[str] = (),
    earlier: Mapping[str, Any] | None = None,
) -> Sound:
    """Look at every line of an export. `keys` are public keys that are trusted, as hexadecimal
    digits; without any, whatever key the chain names. `earlier` is the last signature of an export
    from before, which this one has to continue. Raises `Broken`.
    """
    checker = _Checker(keys, earlier)
    for at, raw in enumerate(file, 1):
        checker.take(_read(raw, at), at)
    return checker.end()


class _Checker:
    """Goes from line to line."""

    def __init__(self, keys: Collection[str], earlier: Mapping[str, Any] | None) -> None:
        self._sound = Sound()
        self._trusted = {key.lower() for key in keys}
        self._earlier = earlier
        self._known: set[str] = set()
        self._number = -1
        self._hash = ""
        self._time = ""
        self._ended: dict[str, Any] | None = None

    def take(self, line: dict[str, Any], at: int) -> None:
        """The next line of the file."""
        if at == 1:
            self._begin(line)
        elif set(line) == {"head"} and isinstance(line["head"], dict):
            self._head(line["head"], at)
        elif set(line) in (_LINE, _HIDDEN) and _typed(line):
            self._line(line)
        else:
            raise Broken(f"line {at} of the file is no line of an audit: {_keys(line)}")

    def _begin(self, line: dict[str, Any]) -> None:
        form = line.get("audit")
        if not _whole(form) or form != FORMAT or set(line) != {"audit", "chain", "first", "last"}:
            newer = _whole(form) and form > FORMAT
            raise Broken(
                "this export was written by a newer Vestibule; verify it with that one"
                if newer
                else "this is no export of an audit: its first line does not say so"
            )
        first, last = line["first"], line["last"]
        if not (_whole(first) and _whole(last) and 1 <= first <= last):
            raise Broken("the first line of the file does not say which lines follow")
        self._sound.chain, self._sound.first, self._sound.last = str(line["chain"]), first, last
        self._number, self._hash = first - 1, audit.NOTHING if first == 1 else ""

    def _line(self, line: dict[str, Any]) -> None:
        number = line["number"]
        if not self._hash:
            raise Broken(
                f"the lines before {self._sound.first} are not here, nor the signature over them "
                "that this export should begin with"
            )
        self._in_order(number)
        if line.get("chain", self._sound.chain) != self._sound.chain:
            raise Broken(f"line {number} is of another hub: it names another chain")
        if line["previous"] != self._hash:
            raise Broken(
                f"line {number} does not follow line {number - 1}: it was written after another "
                f"line. One of the two was put in the place of what the hub wrote{_said(line)}"
            )
        hidden = "content" in line
        content = line["content"] if hidden else audit.content_of(line)
        if audit.hash_of(number, str(line["previous"]), str(content)) != line["hash"]:
            raise Broken(f"line {number} was changed after it was written{_how(line)}{_said(line)}")
        self._number, self._hash = number, str(line["hash"])
        self._sound.hidden += hidden
        self._continues()
        if not hidden:
            self._note(line)

    def _in_order(self, number: int) -> None:
        expected = self._number + 1
        if number > expected:
            gap = f"line {expected} is missing"
            if number > expected + 1:
                gap = f"lines {expected} to {number - 1} are missing"
            raise Broken(f"{gap}: after line {self._number} comes line {number}")
        if number < expected:
            raise Broken(
                f"line {number} comes after line {self._number}: lines are out of order, or twice"
            )

    def _continues(self) -> None:
        before = self._earlier
        if before is None or before["number"] != self._number:
            return
        if before["hash"] != self._hash:
            raise Broken(
                f"line {self._number} is another one than in the earlier export: from there or "
                "before, the chain was written anew, or goes back to a backup"
            )

    def _note(self, line: dict[str, Any]) -> None:
        time, number = line["time"], line["number"]
        if not _is_time(time):
            raise Broken(f"line {number} says a time that no hub writes: {time[:40]}")
        if line["act"] == ALWAYS:
            self._known.add(line["subject"])
        if self._time and time < self._time and len(self._sound.notes) < MOST_NOTES:
            back = (from_iso(self._time) - from_iso(time)).total_seconds()
            self._sound.notes.append(
                f"line {number} says a time {back:.0f} s before line {number - 1} or one before: "
                "the hub's clock was set back"
            )
        self._time = time

    def _head(self, head: dict[str, Any], at: int) -> None:
        if set(head) != _HEAD or not _typed(head):
            raise Broken(f"line {at} of the file is no signature: {_keys(head)}")
        number = head["number"]
        begins = not self._hash and at == 2
        if begins:
            self._hash = str(head["hash"])
            self._known.add(str(head["key"]))
        if head["chain"] != self._sound.chain:
            raise Broken(f"the signature over line {number} is of another hub")
        if number != self._number or head["hash"] != self._hash:
            raise Broken(
                f"the signature over line {number} is not over what stands here, which ends with "
                f"line {self._number}: lines were taken out, put in or changed"
            )
        if not is_signed(head):
            raise Broken(f"the signature over line {number} is false")
        if head["key"] not in self._known:
            raise Broken(f"the signature over line {number} is of a key that no line names")
        if begins:
            self._continues()
        else:
            self._ended = head

    def end(self) -> Sound:
        """There are no more lines."""
        sound, head = self._sound, self._ended
        if self._number < 0:
            raise Broken("the file is empty")
        if self._number < sound.last:
            raise Broken(
                f"the export ends with line {self._number} and should go to line {sound.last}: "
                f"line {self._number + 1} is the first that is missing"
            )
        if self._number > sound.last:
            raise Broken(f"line {sound.last + 1} is beyond the end that the file names")
        if head is None or head["number"] != sound.last:
            raise Broken(f"the signature over the last line, {sound.last}, is missing")
        if self._trusted and head["key"] not in self._trusted:
            raise Broken(
                f"line {sound.last} and all before are signed with the key {head['key']}, and not "
                "with one that you trust: somebody else may have written them"
            )
        before = self._earlier
        if before is not None:
            if before["chain"] != sound.chain:
                raise Broken("the earlier export is of another hub")
            if before["number"] > sound.last:
                raise Broken(
                    f"the earlier export goes to line {before['number']}: line {sound.last + 1} "
                    "is the first that has gone since"
                )
            if before["number"] < sound.first - 1:
                raise Broken(
                    f"the earlier export ends with line {before['number']}, and this one begins "
                    f"with line {sound.first}: nothing joins them"
                )
        sound.head = head
        return sound


def _read(raw: bytes, at: int) -> dict[str, Any]:
    """One line of the file, which has to be written exactly as hubs write it."""
    if len(raw) > LONGEST:
        raise Broken(f"line {at} of the file is longer than any that a hub writes")
    if not raw.endswith(b"\n"):
        raise Broken(f"line {at} of the file is not whole: the file was cut off there")
    try:
        text = raw.decode().rstrip("\r\n")
        value = json.loads(text, object_pairs_hook=_once, parse_float=_none, parse_constant=_none)
        same = isinstance(value, dict) and audit.canonical(value) == text
    except (ValueError, RecursionError) as error:
        raise Broken(f"line {at} of the file cannot be read: {error}") from None
    if not isinstance(value, dict):
        raise Broken(f"line {at} of the file is no line of an audit")
    if not same:
        number = value.get("number")
        which = f"line {number}" if _whole(number) else f"line {at} of the file"
        raise Broken(f"{which} is not written as a hub writes it: it was written anew")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("it says the same thing twice")
    return found


def _none(text: str) -> Any:
    raise ValueError(f"the number {text[:40]}, which no hub writes")


def _whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_time(text: str) -> bool:
    try:
        return iso(from_iso(text)) == text
    except (ValueError, OverflowError):
        return False


def _typed(line: dict[str, Any]) -> bool:
    """Whether each value is of the kind that a hub writes there."""
    kinds = {"number": int, "details": dict}
    return all(type(value) is kinds.get(name, str) for name, value in line.items())


def _how(line: dict[str, Any]) -> str:
    """Whether only the form of letters differs, as some programs write them."""
    if "content" in line:
        return ""
    composed = json.loads(unicodedata.normalize("NFC", json.dumps(line, ensure_ascii=False)))
    if (
        composed != line
        and audit.hash_of(composed["number"], str(composed["previous"]), audit.content_of(composed))
        == line["hash"]
    ):
        return ", if only in how its letters are put together (another form of Unicode)"
    return ""


def _said(line: dict[str, Any]) -> str:
    if "content" in line:
        return ""
    said = f"{line['time']}, {line['who']}, {line['act']}"
    return f" (it says: {said[:200]})"


def _keys(line: dict[str, Any]) -> str:
    return ("it has " + ", ".join(sorted(line)))[:200]
