"""Just enough of JSON Schema (draft 2020-12) to ask what a schema says of plain values.

An unknown keyword is an error, so that nothing in a schema goes unread.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

KINDS: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
}
FOR_PEOPLE = {
    "$schema", "$id", "$defs", "title", "description", "markdownDescription", "default",
    "deprecated", "deprecationMessage", "doNotSuggest", "enumDescriptions", "patternErrorMessage",
}  # fmt: skip
BOUNDS = {
    "minimum": lambda value, limit: value >= limit,
    "maximum": lambda value, limit: value <= limit,
    "exclusiveMinimum": lambda value, limit: value > limit,
    "exclusiveMaximum": lambda value, limit: value < limit,
}


def is_kind(value: Any, kind: str) -> bool:
    """Whether a value is of one of JSON Schema's types."""
    if kind in ("number", "integer"):
        sound = isinstance(value, int | float) and not isinstance(value, bool)
        return sound and (kind == "number" or float(value).is_integer())
    return isinstance(value, KINDS[kind])


def faults(whole: dict[str, Any], value: Any) -> list[str]:
    """What the schema finds wrong with a value, one line each; empty when it accepts it."""
    return list(_faults(whole, whole, value, "$"))


def _faults(whole: dict[str, Any], node: Any, value: Any, at: str) -> Iterator[str]:
    if isinstance(node, bool):
        if not node:
            yield f"{at}: nothing may stand here"
        return

    def fits(one: Any) -> bool:
        return not list(_faults(whole, one, value, at))

    for keyword, said in node.items():
        if keyword in FOR_PEOPLE or keyword in ("then", "prefixItems"):
            continue
        if keyword == "$ref":
            name = said.removeprefix("#/$defs/")
            yield from _faults(whole, whole["$defs"][name], value, at)
        elif keyword == "type":
            if not any(
                is_kind(value, kind) for kind in ([said] if isinstance(said, str) else said)
            ):
                yield f"{at}: not of type {said}"
        elif keyword == "enum":
            if value not in said or isinstance(value, bool):
                yield f"{at}: not one of {said}"
        elif keyword == "const":
            if value != said:
                yield f"{at}: not {said}"
        elif keyword == "not":
            if fits(said):
                yield f"{at}: what may not stand here"
        elif keyword == "allOf":
            for one in said:
                yield from _faults(whole, one, value, at)
        elif keyword == "anyOf":
            if not any(fits(one) for one in said):
                yield f"{at}: none of the choices"
        elif keyword == "if":
            if fits(said):
                yield from _faults(whole, node["then"], value, at)
        elif isinstance(value, str):
            yield from _text(keyword, said, value, at)
        elif isinstance(value, dict):
            yield from _mapping(whole, node, keyword, value, at)
        elif isinstance(value, list):
            yield from _items(whole, node, keyword, value, at)
        elif keyword in BOUNDS and is_kind(value, "number") and not BOUNDS[keyword](value, said):
            yield f"{at}: {keyword} {said}"


def _text(keyword: str, said: Any, value: str, at: str) -> Iterator[str]:
    if keyword == "pattern" and not re.search(said, value, re.ASCII):
        yield f"{at}: does not match {said}"
    if keyword == "minLength" and len(value) < said:
        yield f"{at}: too short"
    if keyword == "maxLength" and len(value) > said:
        yield f"{at}: too long"


def _mapping(
    whole: dict[str, Any], node: Any, keyword: str, value: dict[str, Any], at: str
) -> Iterator[str]:
    said = node[keyword]
    if keyword == "properties":
        for key in said.keys() & value.keys():
            yield from _faults(whole, said[key], value[key], f"{at}.{key}")
    elif keyword == "required":
        yield from (f"{at}: lacks {key}" for key in said if key not in value)
    elif keyword == "propertyNames":
        for key in value:
            yield from _faults(whole, said, key, f"{at}.{key}")
    elif keyword == "patternProperties":
        for pattern, inner in said.items():
            for key in value:
                if re.search(pattern, key):
                    yield from _faults(whole, inner, value[key], f"{at}.{key}")
    elif keyword == "additionalProperties":
        patterns = node.get("patternProperties", ())
        for key in value.keys() - node.get("properties", {}).keys():
            if not any(re.search(pattern, key) for pattern in patterns):
                yield from _faults(whole, said, value[key], f"{at}.{key}")
    else:
        assert keyword in {*BOUNDS, "pattern", "minLength", "maxLength", "items", "minItems",
                           "maxItems"}, keyword  # fmt: skip


def _items(
    whole: dict[str, Any], node: Any, keyword: str, value: list[Any], at: str
) -> Iterator[str]:
    first = node.get("prefixItems", [])
    for index, (inner, item) in enumerate(zip(first, value, strict=False)):
        if keyword == "type":
            break
        yield from _faults(whole, inner, item, f"{at}[{index}]")
    if keyword == "items":
        for index, item in enumerate(value[len(first) :], start=len(first)):
            yield from _faults(whole, node["items"], item, f"{at}[{index}]")
    if keyword == "minItems" and len(value) < node["minItems"]:
        yield f"{at}: too few"
    if keyword == "maxItems" and len(value) > node["maxItems"]:
        yield f"{at}: too many"
