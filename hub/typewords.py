"""Configuration models in words: which keys a block has and what belongs where."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel, StringConstraints
from pydantic.fields import FieldInfo

from hub.units import DURATION_WORDS, SIZE_WORDS, DurationRule, SizeRule, duration_words

KeyPath = tuple[str | int, ...]
PRIVATE = re.compile(r"passw|secret|token|passphrase|api_?key|credential|^pin$|^key$", re.I)
SLUG_PATTERN = r"^[a-z][a-z0-9_]{0,62}$"
TIME_WORDS = "a time such as 08:30"
DATE_WORDS = "a date such as 2026-03-02"
LENGTH_WORDS = "a length of time such as 30 (seconds)"


def plain_number(value: object) -> str:
    """A number without a needless `.0`."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def one_of(names: Iterable[str]) -> str:
    """`one of a, b, c`, or what stands for it when there are no names."""
    names = [name for name in names if name]
    if not names:
        return "nothing here"
    return names[0] if len(names) == 1 else f"one of {', '.join(names)}"


def is_private(model: type[BaseModel], path: KeyPath) -> bool:
    """Whether what stands at `path` must not be shown: by its name, or its model hides it."""
    return _is_private(model, tuple(0 if isinstance(part, int) else part for part in path))


@lru_cache(maxsize=4096)
def _is_private(model: type[BaseModel], path: KeyPath) -> bool:
    owner: type[BaseModel] | None = model
    for index, part in enumerate(path):
        if isinstance(part, str) and PRIVATE.search(part):
            return True
        owner = model_at(model, path[:index])
        field = _field(owner, part) if owner is not None else None
        if field is not None and (field.repr is False or "Secret" in str(field.annotation)):
            return True
    return False


def keys_of(model: type[BaseModel]) -> Iterator[str]:
    """The keys a block of this model may have, as they are written."""
    for name, field in model.model_fields.items():
        yield field.alias or name


def _field(model: type[BaseModel], key: str | int) -> FieldInfo | None:
    for name, field in model.model_fields.items():
        if key == (field.alias or name):
            return field
    return None


def model_at(model: type[BaseModel], path: KeyPath) -> type[BaseModel] | None:
    """The model of the block at `path`, if it is one."""
    kind = type_at(model, path)
    for each in _branches(kind):
        if isinstance(each, type) and issubclass(each, BaseModel):
            return each
    return None


def expected_at(model: type[BaseModel], path: KeyPath) -> str:
    """What belongs at `path`, in words."""
    return type_words(type_at(model, path))


def type_at(kind: Any, path: KeyPath) -> Any:
    """The type of what belongs at `path`, with its bounds; None where nothing does."""
    for part in path:
        inner: Any = None
        for each in _branches(kind):
            origin = typing.get_origin(each)
            if isinstance(each, type) and issubclass(each, BaseModel):
                field = _field(each, part)
                inner = whole_type(field) if field is not None else None
            elif origin in (tuple, list, set, frozenset) and isinstance(part, int):
                arguments = [one for one in typing.get_args(each) if one is not ...]
                inner = arguments[min(part, len(arguments) - 1)] if arguments else None
            elif isinstance(origin, type) and issubclass(origin, Mapping):
                inner = typing.get_args(each)[1]
            if inner is not None:
                break
        kind = inner
    return kind


def is_duration(kind: Any) -> bool:
    """Whether a type, or one of its branches, is a `Duration`."""
    return _has_rule(kind, DurationRule)


def is_size(kind: Any) -> bool:
    """Whether a type, or one of its branches, is a `PictureSize`."""
    return _has_rule(kind, SizeRule)


def _has_rule(kind: Any, rule: type) -> bool:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return any(isinstance(each, rule) for each in arguments[1:]) or _has_rule(
            arguments[0], rule
        )
    return origin in (Union, types.UnionType) and any(_has_rule(each, rule) for each in arguments)


def limit_words(kind: Any, limit: object) -> str:
    """A bound of a type as people write its values: `1m` for a length of time, else a number."""
    if is_duration(kind) and isinstance(limit, int | float):
        return duration_words(limit)
    return plain_number(limit)


def whole_type(field: FieldInfo) -> Any:
    """A field's type with the bounds that pydantic keeps beside it."""
    kind: Any = field.annotation
    for bound in field.metadata:
        kind = Annotated[kind, bound]
    return kind


def _branches(kind: Any) -> list[Any]:
    origin = typing.get_origin(kind)
    if origin is Annotated:
        return _branches(typing.get_args(kind)[0])
    if origin in (Union, types.UnionType):
        return [branch for each in typing.get_args(kind) for branch in _branches(each)]
    return [kind]


_SIMPLE: dict[Any, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    time: TIME_WORDS,
    date: DATE_WORDS,
    datetime: "a date and time",
    timedelta: LENGTH_WORDS,
    Path: "a path",
}


def type_words(kind: Any) -> str:
    """A type in words: `a number of 0 or more`, `a list of names`."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return _bounded_words(arguments[0], arguments[1:])
    if origin in (Union, types.UnionType):
        return " or ".join(type_words(each) for each in arguments if each is not type(None))
    if origin is Literal:
        return one_of([str(each) for each in arguments])
    if origin in (tuple, list, set, frozenset):
        if origin is tuple and ... not in arguments:
            return f"a list of {len(arguments)} values"
        return _list_words(type_words(arguments[0])) if arguments else "a list"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "a mapping"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "a mapping"
    return _SIMPLE.get(kind, "a value")


def _list_words(item: str) -> str:
    if item.startswith("one of "):
        return f"a list, each {item}"
    if item.startswith("a list"):
        return "a list of lists"
    return f"a list of {_MANY.get(item, item)}"


_MANY = {"a mapping": "mappings", "a name": "names", "a number": "numbers"}


def _bounded_words(kind: Any, bounds: tuple[Any, ...]) -> str:
    flat = [each for bound in bounds for each in getattr(bound, "metadata", None) or [bound]]
    whole = Annotated[kind, *flat]
    words = DURATION_WORDS if is_duration(whole) else type_words(kind)
    words = SIZE_WORDS if is_size(whole) else words
    if any(isinstance(each, StringConstraints) and each.pattern == SLUG_PATTERN for each in flat):
        return "a name"
    limits = []
    for each in flat:
        if isinstance(each, Ge):
            limits.append(f"{limit_words(whole, each.ge)} or more")
        if isinstance(each, Gt):
            limits.append(f"more than {limit_words(whole, each.gt)}")
        if isinstance(each, Le):
            limits.append(f"{limit_words(whole, each.le)} or less")
        if isinstance(each, Lt):
            limits.append(f"less than {limit_words(whole, each.lt)}")
        if isinstance(each, MinLen) and each.min_length > 0:
            limits.append(f"at least {each.min_length}")
    return f"{words} ({' and '.join(limits)})" if limits else words
