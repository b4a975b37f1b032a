"""Pydantic's findings in words for the person who wrote the file.

`findings` validates one block and says what is wrong, where, and what was expected, without ever
showing a value that may be a secret.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from difflib import get_close_matches
from functools import reduce
from typing import Any, Literal

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hub.typewords import (
    DATE_WORDS,
    LENGTH_WORDS,
    SLUG_PATTERN,
    TIME_WORDS,
    KeyPath,
    expected_at,
    is_duration,
    is_private,
    keys_of,
    limit_words,
    model_at,
    one_of,
    plain_number,
    type_at,
)
from hub.units import DURATION_WORDS, SIZE_WORDS, nearest_duration

QUOTES = "put it in quotes"
LIST_WORDS = "a list (`- ` lines)"
SLUG_WORDS = "lower-case letters, digits and _, starting with a letter"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong in a block; `at` says which of key, value and parent is to blame."""

    path: KeyPath
    message: str
    at: Literal["key", "value", "parent"] = "value"
    hint: str = ""


def findings(
    model: type[BaseModel],
    raw: object,
    other_keys: Iterable[str] = (),
    hidden: Collection[KeyPath] = (),
) -> tuple[Any, list[Finding]]:
    """The block as its model, or None, and what is wrong with it.

    `other_keys` are keys that stand in the same block but are read by another model; they count
    among what was expected. What stands at a `hidden` path is never shown. A block that would be
    sound without its faulty keys is returned so, that later checks can go on.
    """
    if raw is None:
        raw = {}
    try:
        parsed = model.model_validate(raw)
    except ValidationError as error:
        errors = [each for each in error.errors(include_url=False) if not _is_echo(each)]
        others = tuple(other_keys)
        found = _merged(_finding(model, raw, each, others, hidden) for each in errors)
        paths = [finding.path for finding in found]
        parsed = _salvaged(model, raw, paths)
        unlike = (each for each in _unlike(raw, parsed, ()) if each.path not in paths)
        return parsed, [*found, *unlike]
    except Exception as error:  # a driver's own validator may raise anything
        words = f"the driver's check failed ({type(error).__name__}); expected a sound plugin"
        return None, [Finding((), words, "key")]
    return parsed, list(_unlike(raw, parsed, ()))


def _is_echo(error: ErrorDetails) -> bool:
    """A list that only counts as too short because of what is wrong with its items."""
    value, least = error.get("input"), error.get("ctx", {}).get("min_length", 0)
    return error["type"] == "too_short" and isinstance(value, list) and len(value) >= least


def _salvaged(model: type[BaseModel], raw: object, paths: list[KeyPath]) -> Any:
    kept = _copied(raw)
    for path in paths:
        holders = [kept]
        for part in path[:-1]:
            holders.append(_child(holders[-1], part))
        for holder, part in reversed(list(zip(holders, path, strict=False))):
            if isinstance(holder, dict):  # an item goes with its whole list: places must not shift
                holder.pop(part, None)
                break
    try:
        return model.model_validate(kept)
    except Exception:  # the block's own faults are known already
        return None


def _copied(raw: object) -> Any:
    if isinstance(raw, dict):
        return {key: _copied(value) for key, value in raw.items()}
    return [_copied(item) for item in raw] if isinstance(raw, list) else raw


def _child(holder: object, part: str | int) -> object:
    if isinstance(holder, dict):
        return holder.get(part)
    if isinstance(holder, list) and isinstance(part, int) and part < len(holder):
        return holder[part]
    return None


def _merged(found: Iterable[Finding]) -> list[Finding]:
    """One finding per path: the branches of a union complain one by one."""
    by_path: dict[KeyPath, Finding] = {}
    for finding in found:
        other = by_path.get(finding.path)
        if other is None:
            by_path[finding.path] = finding
            continue
        wrong, _, expected = finding.message.partition("; expected ")
        if other.message.startswith(wrong) and expected and expected not in other.message:
            words = f"{other.message} or {expected}"
            by_path[finding.path] = Finding(other.path, words, other.at, other.hint)
    return list(by_path.values())


def _finding(
    model: type[BaseModel],
    raw: object,
    error: ErrorDetails,
    other_keys: tuple[str, ...],
    hidden_paths: Collection[KeyPath],
) -> Finding:
    path = _path(raw, error)
    kind = error["type"]
    if kind == "missing":
        return Finding(path, f"is missing; expected {expected_at(model, path)}", "parent")
    if kind == "extra_forbidden":
        owner = model_at(model, path[:-1])
        known = list(keys_of(owner)) if owner is not None else []
        known += other_keys if len(path) == 1 else ()
        words = f"is not known here; expected {one_of(known)}"
        return Finding(path, words, "key", meant(str(path[-1]), known))
    if "[key]" in error["loc"]:
        return Finding(
            path, f"is no usable name; expected {SLUG_WORDS}", "key", slug_hint(path[-1])
        )
    hidden = path in hidden_paths or is_private(model, path)
    value = error.get("input")
    if is_duration(type_at(model, path)):  # not its seconds, but what was written
        value = reduce(_child, path, raw)
    found = f"found {describe(value, hidden)}"
    if kind in ("too_short", "too_long") and isinstance(value, list):
        found = f"found {len(value)} of them"
    if kind in ("value_error", "assertion_error"):
        return _own_words(path, error, found, hidden)
    expected, hint = _expected(model, path, error, value)
    if isinstance(value, str) and value[:1] in "“”„‘’«»" and value and not hidden:
        hint = hint or "use straight quotes"
    return Finding(
        path, f"{found}; expected {expected}", "value", hint if hint == QUOTES or not hidden else ""
    )


def _own_words(path: KeyPath, error: ErrorDetails, found: str, hidden: bool) -> Finding:
    """A validator's own sentence, where it cannot give a secret away."""
    said = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    collection = isinstance(error.get("input"), dict | list)
    if hidden and _repeats(said, error.get("input")):
        said = "expected another value"
    if ";" in said:
        words = said
    elif said.startswith("expected"):
        words = f"{'does not fit together' if collection else found}; {said}"
    else:
        words = f"{said}; expected another value"
    return Finding(path, words, "key" if collection else "value")


def _repeats(said: str, value: object) -> bool:
    """Whether a message gives away part of a hidden value."""
    pieces = re.findall(r"\w{5,}", str(value))
    return str(value) in said or any(piece in said for piece in pieces)


def _path(raw: object, error: ErrorDetails) -> KeyPath:
    """The error's place in the raw data: pydantic's own marks for unions and keys left out."""
    path: list[str | int] = []
    holder = raw
    for part in error["loc"]:
        known = isinstance(holder, dict) and part in holder
        if known or (isinstance(holder, list) and isinstance(part, int) and part < len(holder)):
            path.append(part)
            holder = _child(holder, part)
        elif error["type"] == "missing" and part == error["loc"][-1]:
            path.append(part)
    return tuple(path)


def _expected(
    model: type[BaseModel], path: KeyPath, error: ErrorDetails, value: object
) -> tuple[str, str]:
    kind, context = error["type"], error.get("ctx", {})
    if kind in ("literal_error", "enum"):
        expected = str(context.get("expected", ""))
        choices = re.findall(r"'([^']*)'", expected) or re.split(r", | or ", expected)
        return one_of(choices), meant(str(value), choices) if isinstance(value, str) else ""
    if kind == "string_pattern_mismatch":
        if context.get("pattern") == SLUG_PATTERN:
            return f"a name of {SLUG_WORDS}", slug_hint(value)
        form = str(context.get("pattern"))
        known = (each for start, each in _BY_PATTERN.items() if form.startswith(start))
        return next(known, f"text of the form {form}"), ""
    bounds = {
        "greater_than": ("more than {}", "gt"),
        "greater_than_equal": ("{} or more", "ge"),
        "less_than": ("less than {}", "lt"),
        "less_than_equal": ("{} or less", "le"),
        "too_short": ("at least {}", "min_length"),
        "too_long": ("at most {}", "max_length"),
        "string_too_short": ("at least {} characters", "min_length"),
        "string_too_long": ("at most {} characters", "max_length"),
    }
    if kind in bounds:
        words, name = bounds[kind]
        return words.format(limit_words(type_at(model, path), context.get(name))), ""
    if kind == "duration":
        near = nearest_duration(value) if isinstance(value, str) else ""
        return DURATION_WORDS, f"did you mean {near}?" if near else ""
    hint = ""
    if kind == "string_type" and isinstance(value, int | float):
        hint = QUOTES
    for start, words in _BY_TYPE.items():
        if kind.startswith(start):
            if words == LIST_WORDS and (whole := expected_at(model, path)).startswith("a list"):
                return f"{whole} (`- ` lines)", hint
            return words, hint
    return expected_at(model, path), hint


_BY_PATTERN = {
    "^https?://": "an address such as https://example.org/path",
    "^rtsps?://": "an address such as rtsp://192.0.2.7:554/stream2, without user and password",
    r"^[^@\s": "an address such as office@school.example",
    "^[^#+": "a topic without `#` and `+`",
    "^[-_A-Za-z0-9]": "letters, digits, - and _",
    r"\S": "text that people can read",
}
_BY_TYPE = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "finite": "a number",
    "bool": "true or false",
    "time_delta": LENGTH_WORDS,
    "picture_size": SIZE_WORDS,
    "datetime": "a date and time such as 2026-03-02T08:30:00+01:00",
    "date": DATE_WORDS,
    "time": TIME_WORDS,
    "path": "a path",
    "dict": "a mapping (`key: value` lines)",
    "model": "a mapping (`key: value` lines)",
    "list": LIST_WORDS,
    "tuple": LIST_WORDS,
    "set": LIST_WORDS,
    "url": "an address such as https://example.org/path",
}


def _unlike(raw: object, parsed: object, path: KeyPath) -> Iterator[Finding]:
    """Values that pydantic turned into something their writer did not mean: true into 1."""
    if isinstance(parsed, BaseModel) and isinstance(raw, dict):
        for name, field in type(parsed).model_fields.items():
            key = field.alias or name
            if key in raw:
                yield from _unlike(raw[key], getattr(parsed, name), (*path, key))
    elif isinstance(parsed, Mapping) and isinstance(raw, dict):
        for key in raw.keys() & parsed.keys():
            yield from _unlike(raw[key], parsed[key], (*path, key))
    elif isinstance(parsed, list | tuple) and isinstance(raw, list):
        for index, (old, new) in enumerate(zip(raw, parsed, strict=False)):
            yield from _unlike(old, new, (*path, index))
    elif isinstance(parsed, int | float) and not isinstance(parsed, bool):
        if isinstance(raw, bool) or not math.isfinite(parsed):
            yield Finding(path, f"found {describe(raw)}; expected a number")
    elif isinstance(parsed, bool) and not isinstance(raw, bool | str):
        yield Finding(path, f"found {describe(raw)}; expected true or false")
    elif isinstance(parsed, time | date) and isinstance(raw, int | float):
        words = TIME_WORDS if isinstance(parsed, time) else DATE_WORDS
        yield Finding(path, f"found {describe(raw)}; expected {words}")


def describe(value: object, hidden: bool = False) -> str:
    """A value in words; only its kind when it may be a secret."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if hidden:
        return "a hidden value"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {plain_number(value)}"
    text = str(value)
    return repr(text if len(text) <= 40 else text[:37] + "...")


def meant(name: str, known: Iterable[str]) -> str:
    """`did you mean …?` for the nearest known name, or an empty text."""
    close = get_close_matches(name.lower(), list(known), n=1, cutoff=0.55)
    return f"did you mean {close[0]}?" if close else ""


def slug_hint(value: object) -> str:
    """A usable name close to what was written."""
    plain = unicodedata.normalize("NFKD", str(value).lower())
    plain = "".join(each for each in plain if not unicodedata.combining(each))
    slug = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:63]
    return f"did you mean {slug}?" if re.match(r"[a-z]", slug) else ""
