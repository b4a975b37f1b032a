"""Looking into the plain values of a file: by patterns of paths, by sections and their blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hub.document import KeyPath

Values = Mapping[str, Any]


def names_in(values: Values, section: str) -> list[str]:
    """The names of a section's blocks."""
    block = values.get(section)
    return [str(key) for key in block] if isinstance(block, dict) else []


def block_of(values: Values, section: str, name: object) -> object:
    """A block of a section by its name; None where there is none."""
    blocks = values.get(section)
    return blocks.get(name) if isinstance(blocks, dict) and isinstance(name, str) else None


def matches(values: Any, pattern: str) -> Iterator[tuple[KeyPath, Any]]:
    """The paths and values that a pattern fits, in the file's order. In it `*` is any value of a
    mapping, `@` any key of one and `[]` any item of a list.
    """
    yield from _matches(values, pattern.split("."), ())


def _matches(value: Any, parts: list[str], path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    if not parts:
        yield path, value
        return
    part, rest = parts[0], parts[1:]
    if part == "[]":
        for index, item in enumerate(value if isinstance(value, list) else ()):
            yield from _matches(item, rest, (*path, index))
    elif isinstance(value, dict):
        if part == "@":
            for key in value:
                yield (*path, key), key
        else:
            for key in value if part == "*" else (part,):
                if key in value:
                    yield from _matches(value[key], rest, (*path, key))


def event_types(values: Values) -> Iterator[tuple[KeyPath, str]]:
    """Every event type that a rule names, and where."""
    for holder in ("rules.*", "rules.*.followed_by", "rules.*.unless"):
        for one in ("", ".[]") if holder != "rules.*" else ("",):
            for key in ("when", "when.[]", *(("until", "until.[]") if not one else ())):
                for path, value in matches(values, f"{holder}{one}.{key}"):
                    if isinstance(value, str):
                        yield path, value


def is_off(block: object) -> bool:
    """Whether a driver's block is switched off, however that is written."""
    said = block.get("enabled") if isinstance(block, dict) else None
    return said is False or str(said).lower() in ("no", "off", "false", "n", "f", "0")
