"""The one-line language of a rule's `where`: small, and safe whatever is written in it.

It is parsed by Python's own parser and then rebuilt from a short list of allowed parts: numbers,
texts, the names of `NAMES`, `data["key"]`, comparisons, `and`, `or`, `not`, arithmetic and the
functions of `CALLS`. There are no loops, no attributes and no definitions, texts are cut at
`LONGEST_TEXT`, and numbers are floating point, so that the work is bounded by the length of the
expression. What does not fit together (a text compared with a number, a key that is not there) is
simply not so; nothing here raises once an expression is compiled.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.expression_values import (
    ARITHMETIC,
    CALLS,
    COMPARE,
    MOST_ITEMS,
    arithmetic,
    number,
    plain,
    shown,
)

LONGEST = 500
MOST_PARTS = 120
DEEPEST = 20
NO_EXPRESSION = "is no expression"
SUCH_AS = "expected one such as score > 0.8 and hour >= 20"

NAMES: Mapping[str, str] = {
    "type": "the event's type",
    "source": "who saw it, such as camera/lobby",
    "subject": "what it is about",
    "place": "the place it happened at",
    "camera": "the camera that saw it",
    "door": "the door it is about",
    "label": "what was seen",
    "score": "how sure the detector was, from 0 to 1",
    "hour": "the hour on the school's clock, from 0 to 23",
    "minute": "the minute of that hour",
    "weekday": "the day, mon to sun",
    "month": "the month, from 1 to 12",
}

# What is compared with these lies in their range, or just beyond it (`hour < 24`).
RANGES: Mapping[str, tuple[int, int]] = {
    "score": (0, 1), "hour": (0, 24), "minute": (0, 60), "month": (1, 12),
}  # fmt: skip
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Values = Mapping[str, Any]
Read = Callable[[Values], Any]


class BadExpression(ValueError):
    """What is wrong with an expression; `column` is the character it is about, from 1."""

    def __init__(self, message: str, column: int = 1) -> None:
        super().__init__(message)
        self.column = column


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression: whether it holds, and the values it looked at."""

    text: str
    uses: tuple[str, ...]
    _read: Read
    _used: tuple[Read, ...]

    def holds(self, values: Values) -> bool:
        """Whether it is so. `values` has the names of `NAMES` and `data`."""
        return bool(self._read(values))

    def seen(self, values: Values) -> str:
        """The values it looked at, in words: `score 0.86, data["speed"] 31`."""
        found = zip(self.uses, self._used, strict=True)
        return ", ".join(f"{name} {shown(read(values))}" for name, read in found)


def compile_expression(text: str) -> Expression:
    """Compile an expression. Raises `BadExpression`."""
    if len(text) > LONGEST:
        raise BadExpression(f"has {len(text)} characters; expected at most {LONGEST}")
    bare = text.strip()
    try:
        tree = ast.parse(bare, mode="eval")
    except SyntaxError as error:
        column = (error.offset or 1) + text.index(bare)
        raise BadExpression(f"{NO_EXPRESSION} ({error.msg}); {SUCH_AS}", column) from None
    except (ValueError, RecursionError, MemoryError):
        raise BadExpression(f"{NO_EXPRESSION}; {SUCH_AS}") from None
    builder = _Builder()
    read = builder.build(tree.body, 1)
    if not builder.used:
        raise BadExpression("asks nothing of the event; expected a name such as score or label")
    return Expression(text, tuple(builder.used), read, tuple(builder.used.values()))


class _Builder:
    """Rebuilds a parsed expression from allowed parts."""

    def __init__(self) -> None:
        self.used: dict[str, Read] = {}
        self._parts = 0

    def build(self, node: ast.expr, depth: int) -> Read:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise BadExpression(f"is too long; expected at most {MOST_PARTS} parts", _column(node))
        if depth > DEEPEST:
            raise BadExpression(f"is too deep; expected at most {DEEPEST} levels", _column(node))
        for kind, build in _BUILDERS.items():
            if isinstance(node, kind):
                return build(self, node, depth + 1)
        raise BadExpression(
            f"{_called(node)} is not known here; expected {_ALLOWED}", _column(node)
        )

    def constant(self, node: ast.Constant, depth: int) -> Read:
        value = node.value
        if isinstance(value, bool) or value is None:
            return lambda values: value
        if isinstance(value, int | float):
            found = number(value)
            if found is None:
                raise BadExpression(
                    "the number is too large; expected a smaller one", _column(node)
                )
            return lambda values: found
        if isinstance(value, str):
            return lambda values: value
        raise BadExpression("is neither a number nor a text; expected one of them", _column(node))

    def name(self, node: ast.Name, depth: int) -> Read:
        name = node.id
        lower = {"true": True, "false": False, "null": None}
        if name in lower:
            constant = lower[name]
            return lambda values: constant
        if name not in NAMES:
            known = ", ".join(NAMES)
            words = f'{name} is not known; expected one of {known}, or data["{name}"]'
            raise BadExpression(words, _column(node))
        self.used[name] = read = lambda values: plain(values.get(name))
        return read

    def subscript(self, node: ast.Subscript, depth: int) -> Read:
        path: list[str] = []
        inner: ast.expr = node
        while isinstance(inner, ast.Subscript):
            key = inner.slice
            if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
                raise BadExpression('is no key in quotes; expected data["key"]', _column(inner))
            path.insert(0, key.value)
            inner = inner.value
        if not isinstance(inner, ast.Name) or inner.id != "data" or len(path) > DEEPEST:
            raise BadExpression('only data has keys; expected data["key"]', _column(node))

        def read(values: Values) -> Any:
            found: Any = values.get("data")
            for key in path:
                found = found.get(key) if isinstance(found, Mapping) else None
            return plain(found)

        self.used["data" + "".join(f'["{key}"]' for key in path)] = read
        return read

    def boolean(self, node: ast.BoolOp, depth: int) -> Read:
        parts = [self.build(part, depth) for part in node.values]
        if isinstance(node.op, ast.And):
            return lambda values: all(bool(part(values)) for part in parts)
        return lambda values: any(bool(part(values)) for part in parts)

    def unary(self, node: ast.UnaryOp, depth: int) -> Read:
        part = self.build(node.operand, depth)
        if isinstance(node.op, ast.Not):
            return lambda values: not bool(part(values))
        if isinstance(node.op, ast.USub):
            return lambda values: arithmetic(operator.sub, 0.0, part(values))
        raise BadExpression("is not known here; expected `not` or `-`", _column(node))

    def binary(self, node: ast.BinOp, depth: int) -> Read:
        work = ARITHMETIC.get(type(node.op))
        if work is None:
            raise BadExpression("is not known here; expected one of + - * / %", _column(node))
        left, right = self.build(node.left, depth), self.build(node.right, depth)
        return lambda values: arithmetic(work, left(values), right(values))

    def compare(self, node: ast.Compare, depth: int) -> Read:
        parts = [self.build(part, depth) for part in (node.left, *node.comparators)]
        works = [COMPARE.get(type(op)) for op in node.ops]
        known = [work for work in works if work is not None]
        if len(known) < len(works):
            raise BadExpression(
                "is not known here; expected one of == != < <= > >= in", _column(node)
            )

        _refuse_never(node)

        def read(values: Values) -> bool:
            found = [part(values) for part in parts]
            return all(
                work(one, other) for work, one, other in zip(known, found, found[1:], strict=False)
            )

        return read

    def items(self, node: ast.List | ast.Tuple, depth: int) -> Read:
        if len(node.elts) > MOST_ITEMS:
            raise BadExpression(f"is too long; expected at most {MOST_ITEMS} items", _column(node))
        parts = [self.build(part, depth) for part in node.elts]
        return lambda values: [part(values) for part in parts]

    def call(self, node: ast.Call, depth: int) -> Read:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in CALLS or node.keywords:
            words = f"is not known; expected one of the functions {', '.join(CALLS)}"
            raise BadExpression(words, _column(node))
        work, least, most = CALLS[name]
        if not least <= len(node.args) <= most:
            wanted = f"{least}" if least == most else f"{least} to {most}"
            raise BadExpression(
                f"{name} has {len(node.args)} values; expected {wanted}", _column(node)
            )
        parts = [self.build(part, depth) for part in node.args]
        return lambda values: work(*[part(values) for part in parts])


def _refuse_never(node: ast.Compare) -> None:
    """Raises `BadExpression` where a name is compared with what it never is."""
    sides = [node.left, *node.comparators]
    for left, op, right in zip(sides, node.ops, sides[1:], strict=False):
        listed = right.elts if isinstance(right, ast.List | ast.Tuple) else [right]
        for name, each in ((left, other) for other in listed):
            if isinstance(right, ast.Constant) and isinstance(op, ast.In | ast.NotIn):
                continue  # part of a text
            _refuse_unlike(name, each)
            _refuse_unlike(each, name)


def _refuse_unlike(named: ast.expr, other: ast.expr) -> None:
    name = named.id if isinstance(named, ast.Name) else ""
    value = other.value if isinstance(other, ast.Constant) else None
    if value is None or name not in (*RANGES, "weekday"):
        return
    written = f'"{value[:40]}"' if isinstance(value, str) else shown(value)
    if name == "weekday" and value not in WEEKDAYS:
        words = f"weekday is never {written}; expected one of {', '.join(WEEKDAYS)}"
        raise BadExpression(words, _column(other))
    if name in RANGES:
        (least, most), given = RANGES[name], number(value)
        if given is None or not least <= given <= most:
            words = f"{name} is never {written}; expected a number from {least} to {most}"
            raise BadExpression(words, _column(other))


def _column(node: ast.expr) -> int:
    return node.col_offset + 1


def _called(node: ast.expr) -> str:
    return {
        "Attribute": "a dot",
        "Lambda": "lambda",
        "IfExp": "if",
        "Dict": "a mapping",
        "JoinedStr": "an f-text",
    }.get(type(node).__name__, type(node).__name__.lower())


_ALLOWED = "names, numbers, texts, comparisons, and, or, not, + - * / %"
_BUILDERS: Mapping[type[ast.expr], Callable[[_Builder, Any, int], Read]] = {
    ast.Constant: _Builder.constant,
    ast.Name: _Builder.name,
    ast.Subscript: _Builder.subscript,
    ast.BoolOp: _Builder.boolean,
    ast.UnaryOp: _Builder.unary,
    ast.BinOp: _Builder.binary,
    ast.Compare: _Builder.compare,
    ast.List: _Builder.items,
    ast.Tuple: _Builder.items,
    ast.Call: _Builder.call,
}
