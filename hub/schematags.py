"""Room in a JSON Schema for values from elsewhere.

Behind `!env NAME`, `!secret name` and `!include file.yaml` an editor sees only the name, so the
schema takes a name where a number, a mapping or a certain word belongs: a mark on what is right is
worse than none on what is wrong, which `check` finds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub.plainwords import SLUG_WORDS
from hub.typewords import DATE_WORDS, SLUG_PATTERN, TIME_WORDS
from hub.units import DURATION_PATTERN, DURATION_WORDS, SIZE_PATTERN, SIZE_WORDS

Schema = dict[str, Any]

TIME_PATTERN = r"^\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[-+]\d{2}:?\d{2})?$"
DATE_PATTERN = r"^\d{4}-\d{2}-\d{2}$"
WORDS = {
    DURATION_PATTERN: DURATION_WORDS,
    SIZE_PATTERN: SIZE_WORDS,
    TIME_PATTERN: TIME_WORDS,
    DATE_PATTERN: DATE_WORDS,
    SLUG_PATTERN: f"a name of {SLUG_WORDS}",
}
ENVIRONMENT = {"type": "string", "pattern": "^[A-Z][A-Z0-9_]*$", "doNotSuggest": True}
SPELT = {
    "type": "string",
    "pattern": "^([Tt]rue|[Ff]alse|yes|no|on|off|[yntf10])$",
    "doNotSuggest": True,
}
ANY_NAME = {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "doNotSuggest": True}
BOUNDS = {  # how pydantic says the bounds of a type whose form it does not know
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
}
NUMBER_OR_NAME = r"^([A-Z][A-Z0-9_]*|\s*[-+]?[0-9.][0-9._eE+-]*\s*)$"
FILE_PATTERN = r"^\S*[./]\S*$"


def expected(pattern: str) -> str:
    """What an editor says where a text does not fit one of our patterns."""
    return f"expected {WORDS[pattern]}"


def with_room_for_tags(node: Schema) -> Schema:
    """The schema, with each value also taken where only a tag's name is seen of it."""
    made = dict(node)
    for key in ("properties", "patternProperties", "$defs"):
        if key in made:
            made[key] = {name: with_room_for_tags(each) for name, each in made[key].items()}
    for key in ("allOf", "anyOf", "oneOf", "prefixItems"):
        if key in made:
            made[key] = [with_room_for_tags(each) for each in made[key]]
    for key in ("items", "additionalProperties"):
        if isinstance(made.get(key), dict):
            made[key] = with_room_for_tags(made[key])
    return _with_room(made)


def _with_room(node: Schema) -> Schema:
    for bound, keyword in BOUNDS.items():
        if bound in node:
            node[keyword] = node.pop(bound)
    kind, pattern = node.get("type"), node.get("pattern")
    kinds = [kind] if isinstance(kind, str) else list(kind or ())
    if node.get("doNotSuggest") or not (kinds or "enum" in node):
        return node
    if pattern in WORDS:
        node["patternErrorMessage"] = expected(pattern)
    if "enum" in node:
        return _either(node, ("enum", "enumDescriptions"), [ENVIRONMENT])
    if kinds == ["boolean"]:
        return _either(node, ("type",), [SPELT, ENVIRONMENT])
    if {"object", "array"} & set(kinds):
        what = "a list (`- ` lines)" if "array" in kinds else "a mapping (`key: value` lines)"
        node |= {"type": [*kinds, "string"], "pattern": FILE_PATTERN}
        return {**node, "patternErrorMessage": f"expected {what}"}
    if kinds in (["integer"], ["number"]):
        what = "a whole number" if kinds == ["integer"] else "a number"
        node |= {"type": [*kinds, "string"], "pattern": NUMBER_OR_NAME}
        return {**node, "patternErrorMessage": f"expected {what}"}
    node.pop("format", None)
    if node.get("examples"):
        told, words = _told(node), {"enum": node.pop("examples")}
        return {**told, "anyOf": [words, {**node, "doNotSuggest": True}]}
    bounded = ("pattern", "minLength", "maxLength")
    if pattern != SLUG_PATTERN and any(key in node for key in bounded):
        other = ENVIRONMENT if pattern in WORDS else ANY_NAME
        return _either(node, ("type", "patternErrorMessage", *BOUNDS.values(), *bounded), [other])
    return node


def _told(node: Schema) -> Schema:
    """What a node says of itself to people; it stays outside when the node becomes a choice."""
    names = ("description", "markdownDescription", "default")
    return {name: node.pop(name) for name in names if name in node}


def _either(node: Schema, keys: Iterable[str], others: list[Schema]) -> Schema:
    """The node with `keys` moved into the first of several choices."""
    first = {key: node.pop(key) for key in keys if key in node}
    return {**node, "anyOf": [first, *others]}
