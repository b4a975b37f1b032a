"""What operators and functions of the one-line language make of values; none of them ever raises.

`hub.expression` compiles expressions out of these.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

LONGEST_TEXT = 4096
MOST_ITEMS = 64


def number(value: object) -> float | None:
    """A number of the language; None for anything else, truth and infinity included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def plain(value: object) -> object:
    """A value of an event as the language knows it: bounded, and numbers of one kind."""
    if isinstance(value, str):
        return value[:LONGEST_TEXT]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, list | tuple):
        return [plain(each) for each in value[:MOST_ITEMS] if not isinstance(each, list | tuple)]
    return number(value)


def arithmetic(work: Callable[[float, float], float], left: object, right: object) -> object:
    """What comes out of two numbers; None where there are no two, or no number comes out."""
    one, other = number(left), number(right)
    if one is None or other is None:
        return None
    try:
        return number(work(one, other))
    except (ZeroDivisionError, OverflowError):
        return None


def _ordered(work: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(left: Any, right: Any) -> bool:
        numbers = number(left) is not None and number(right) is not None
        texts = isinstance(left, str) and isinstance(right, str)
        return (numbers or texts) and work(left, right)

    return compare


def _within(left: Any, right: Any) -> bool:
    if isinstance(right, str):
        return isinstance(left, str) and left in right
    return isinstance(right, list) and left in right


def shown(value: object) -> str:
    """A value in words, cut where it is long."""
    if isinstance(value, float):
        return f"{value:g}"
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _length(value: Any) -> float | None:
    return float(len(value)) if isinstance(value, str | list) else None


def _lower(value: Any) -> str | None:
    return value.lower() if isinstance(value, str) else None


def _starts(value: Any, start: Any) -> bool:
    return isinstance(value, str) and isinstance(start, str) and value.startswith(start)


def _ends(value: Any, end: Any) -> bool:
    return isinstance(value, str) and isinstance(end, str) and value.endswith(end)


def _least(*given: Any) -> float | None:
    return min(found) if (found := _all_numbers(given)) else None


def _most(*given: Any) -> float | None:
    return max(found) if (found := _all_numbers(given)) else None


def _all_numbers(given: tuple[Any, ...]) -> list[float]:
    found = [one for each in given if (one := number(each)) is not None]
    return found if len(found) == len(given) else []


def _size(value: Any) -> float | None:
    found = number(value)
    return None if found is None else abs(found)


CALLS: Mapping[str, tuple[Callable[..., Any], int, int]] = {
    "abs": (_size, 1, 1),
    "min": (_least, 2, 8),
    "max": (_most, 2, 8),
    "length": (_length, 1, 1),
    "lower": (_lower, 1, 1),
    "starts_with": (_starts, 2, 2),
    "ends_with": (_ends, 2, 2),
}
ARITHMETIC: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}
COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: _ordered(operator.lt),
    ast.LtE: _ordered(operator.le),
    ast.Gt: _ordered(operator.gt),
    ast.GtE: _ordered(operator.ge),
    ast.In: _within,
    ast.NotIn: lambda left, right: not _within(left, right),
}
