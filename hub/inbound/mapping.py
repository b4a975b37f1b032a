"""From a message to an event: the configuration says where things stand, this reads them there.

Texts from outside are cut to length and freed of control characters. Nothing here acts: what an
event leads to is for rules to say, and they may only alert.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hub.clock import iso
from hub.events import Event
from hub.inbound import cap
from hub.inbound.blocks import FieldName, InboundBlock, Values, Where
from hub.inbound.proof import digest, moment

LONGEST: Mapping[str, int] = {"text": 2000, "link": 1000, "label": 64}
LONGEST_WORD = 200
AHEAD = timedelta(minutes=2)
BEHIND = timedelta(days=1)
SCORE_NOTE = "score: note"  # no name that a block may have
ONE_FOR_S = 300  # how long equal bytes are one, where no id tells a second press from a repeat

_STEP = re.compile(r"[^.\[\]]+|\[\d+\]")
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


class Unreadable(Exception):
    """The message is not what the configuration expects; says what, where and what was expected."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a message says: an event, or why it is of no interest here."""

    event: Event | None
    why: str = ""
    notes: tuple[str, ...] = ()  # what of it was not taken as it was said


def read(block: InboundBlock, name: str, body: bytes, now: datetime) -> Reading:
    """Read one message of the inbound `name`; `now` is on the school's clock. Raises `Unreadable`.

    The event's id follows from the name and the message's own id, so that a message that comes
    again is the same event; without an id, for five minutes by the clock.
    """
    message = parse(block, body)
    for path, wanted in _only(block).items():
        found = _word(at(message, path))
        if not _among(found, wanted):
            said = f"{path} is {_shown(found)}" if found is not None else f"{path} is not there"
            return Reading(None, f"{said}, and only {_listed(wanted)} counts")
    over = any(_among(_word(at(message, path)), wanted) for path, wanted in _ends(block).items())
    values = dict(_values(block, message))
    notes: tuple[str, ...] = ()
    if (note := values.pop(SCORE_NOTE, "")) != "":
        notes = (str(note),)
    own = _own_id(block, message)
    if own is None:
        own = digest(body, str(int(now.timestamp() // ONE_FOR_S)))
    time = moment(values.pop("time", None), now)
    data: dict[str, Any] = {"inbound": name, **values}
    if time is not None:
        data["sent"] = iso(time)
        if not now - BEHIND <= time <= now + AHEAD:
            time = None  # its clock is wrong: what it says is kept, and not gone by
    about = clean(str(data.pop("about", "") or _first_id(block, message))) or own
    kind = "report.ended" if over else "report.received"
    return Reading(
        Event(
            type=kind,
            source=f"inbound/{name}",
            time=time or now,
            subject=about[:LONGEST_WORD],
            data=data,
            id=digest("inbound", name, kind, own),
        ),
        notes=notes,
    )


def parse(block: InboundBlock, body: bytes) -> Any:
    """The message as plain values. Raises `Unreadable`."""
    try:
        if block.format == "cap":
            return cap.parse(body)
        message = json.loads(body, parse_constant=_no_number)
    except RecursionError:
        raise Unreadable("the message is nested too deeply") from None
    except UnicodeDecodeError:
        raise Unreadable("the message is no UTF-8 text; expected JSON") from None
    except json.JSONDecodeError as error:
        raise Unreadable(
            f"the message is no JSON (line {error.lineno}, column {error.colno}: {error.msg})"
        ) from None
    except ValueError as error:
        raise Unreadable(str(error)) from None
    if not isinstance(message, dict | list):
        raise Unreadable("the message is a bare value; expected a JSON object")
    return message


def at(message: Any, path: str) -> Any:
    """What stands at a path such as `alert.areas[0].name`; None where nothing does."""
    for step in _STEP.findall(path):
        if step.startswith("["):
            index = int(step[1:-1])
            message = message[index] if isinstance(message, list) and index < len(message) else None
        else:
            message = message.get(step) if isinstance(message, dict) else None
        if message is None:
            return None
    return message


def _no_number(said: str) -> float:
    raise ValueError(f"the message has the number {said}; expected plain JSON")


def _fields(block: InboundBlock) -> Mapping[FieldName, Any]:
    return {**cap.FIELDS, **block.fields} if block.format == "cap" else block.fields


def _only(block: InboundBlock) -> Mapping[str, Values]:
    return {**cap.ONLY, **block.only} if block.format == "cap" else block.only


def _ends(block: InboundBlock) -> Mapping[str, Values]:
    return {**cap.ENDS, **block.ends} if block.format == "cap" else block.ends


def _values(block: InboundBlock, message: Any) -> Iterator[tuple[str, Any]]:
    for name, where in _fields(block).items():
        if name == "id":
            continue
        if name == "score":
            yield from _score(message, where)
            continue
        if name == "time":
            value = at(message, where) if isinstance(where, str) else _meant(message, where)
        else:
            value = _text(name, message, where)
        if value is not None and value != "":
            yield name, value
    further = {**cap.DATA, **block.data} if block.format == "cap" else block.data
    for key, path in further.items():
        value = at(message, path)
        if isinstance(value, bool | int | float) and _plain(value):
            yield key, value
        elif isinstance(value, str):
            yield key, clean(value)[:LONGEST_WORD]


def _own_id(block: InboundBlock, message: Any) -> str | None:
    where = _fields(block).get("id")
    if where is None:
        return None
    paths = where if isinstance(where, tuple) else (where,)
    parts = [_meant(message, one) if isinstance(one, Where) else at(message, one) for one in paths]
    words = [_word(part) for part in parts]
    for path, word in zip(paths, words, strict=True):
        if word is None or word == "":
            shown = path.at if isinstance(path, Where) else path
            raise Unreadable(f"{shown}: nothing there; expected what tells this message apart")
    return digest(*(word for word in words if word is not None))


def _first_id(block: InboundBlock, message: Any) -> str:
    where = _fields(block).get("id")
    first = where[0] if isinstance(where, tuple) else where
    return _word(at(message, first)) or "" if isinstance(first, str) else ""


def _meant(message: Any, where: Where) -> str | None:
    found = _word(at(message, where.at)) if where.at is not None else None
    if found is None or not where.meaning:
        return found if found not in (None, "") else where.otherwise
    by_word = {word.casefold(): meaning for word, meaning in where.meaning.items()}
    return by_word.get(found.strip().casefold(), where.otherwise)


def _text(name: str, message: Any, where: str | Where) -> str | None:
    found = _meant(message, where) if isinstance(where, Where) else _word(at(message, where))
    if found is None:
        return None
    words = clean(found)[: LONGEST.get(name, LONGEST_WORD)]
    return words.lower() if name == "label" else words


def _score(message: Any, where: str | Where) -> Iterator[tuple[str, Any]]:
    """How sure, from 0 to 1. No report is lost for its score: one that is too great counts as the
    most it can be, one that is no number is left out, and either is said.
    """
    most = where.out_of if isinstance(where, Where) and where.out_of is not None else 1.0
    path = where.at if isinstance(where, Where) else where
    found = _meant(message, where) if isinstance(where, Where) else _word(at(message, where))
    if found is None or found == "":
        return
    try:
        score = float(found) / most
    except (ValueError, OverflowError):
        score = math.nan
    if 0.0 <= score <= 1.0:
        yield "score", round(score, 4)
        return
    taken = None if math.isnan(score) else 1.0 if score > 1.0 else 0.0
    if taken is not None:
        yield "score", taken
    yield "score_said", clean(found)[:40]
    yield (
        SCORE_NOTE,
        f"{path}: expected a number from 0 to {most:g}, found {_shown(found)}, "
        f"{'taken without a score' if taken is None else f'taken as {taken:g}'} "
        "(`out_of` says what the most is)",
    )


def _word(value: Any) -> str | None:
    """A single value as text; None for nothing, lists and blocks."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value) if _plain(value) else None
    return value if isinstance(value, str) else None


def _plain(value: float) -> bool:
    return value.bit_length() <= 64 if isinstance(value, int) else math.isfinite(value)


def _among(found: str | None, wanted: Values) -> bool:
    several = (wanted,) if isinstance(wanted, str) else wanted
    return found is not None and found.strip().casefold() in {one.casefold() for one in several}


def _listed(wanted: Values) -> str:
    return wanted if isinstance(wanted, str) else " or ".join(wanted)


def _shown(value: str | None) -> str:
    words = clean(value or "")
    return repr(words if len(words) <= 40 else f"{words[:40]}…")


def clean(text: str) -> str:
    """Without control characters, line ends as they are, nothing that turns the direction, nor
    half a character (a lone surrogate), which no journal can hold.
    """
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()
