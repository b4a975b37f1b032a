"""A YAML file as it was read: plain values, and where in which file each part of them stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub.errors import Problem
from hub.yamlsyntax import Mark

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Marks:
    """Where a key and its value begin; for a list item both are the item's place."""

    key: Mark
    value: Mark


@dataclass
class Document:
    """A YAML file as read: `values` is plain data, `marks` says where each part of it stands.

    `broken` holds the paths whose value could not be resolved (a problem says why), `partial` those
    of mappings that may lack keys for such a reason, and `hidden` the paths whose value came from a
    secret or the environment and must never be shown. `files` are all files that were read,
    `contents` their bytes as they were then.
    """

    file: str
    values: Any = None
    marks: dict[KeyPath, Marks] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    broken: set[KeyPath] = field(default_factory=set)
    partial: set[KeyPath] = field(default_factory=set)
    hidden: set[KeyPath] = field(default_factory=set)
    files: list[Path] = field(default_factory=list)
    contents: dict[Path, bytes] = field(default_factory=dict)

    def place(self, path: KeyPath, at: str = "value") -> Mark:
        """The place of the `key` or `value` at `path`, or of the nearest part around it."""
        for length in range(len(path), -1, -1):
            marks = self.marks.get(path[:length])
            if marks is not None:
                whole = length == len(path)
                return marks.value if whole and at == "value" else marks.key
        return Mark(self.file, 1, 1)

    def unknown(self, path: KeyPath) -> bool:
        """Whether what stands at `path` could not be resolved."""
        return any(path[:length] in self.broken for length in range(len(path) + 1))

    def whole(self, path: KeyPath) -> bool:
        """Whether every key of the mapping at `path` is known: what it lacks is really missing."""
        return path not in self.partial and not self.unknown(path)


def value_at(values: Any, path: KeyPath) -> Any:
    """What stands at a path; None where there is nothing."""
    for part in path:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return None
    return values
