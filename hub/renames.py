"""Keys of earlier versions: where a file still uses them, and the same values under today's."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel

from hub.document import KeyPath
from hub.plainwords import Finding
from hub.typewords import is_duration, model_at, type_at, whole_type


@dataclass(frozen=True, slots=True)
class Renamed:
    """A key under its earlier name, at `path` as it stands in the file.

    `length` says that its value is a length of time, for which a plain number means seconds.
    """

    path: KeyPath
    new: str
    length: bool

    @property
    def old(self) -> str:
        """The key as it is written."""
        return str(self.path[-1])


@dataclass
class Renames:
    """What was renamed in one file, and the way back from today's paths to those in the file."""

    found: list[Renamed] = field(default_factory=list)
    clashes: list[Finding] = field(default_factory=list)
    _written: dict[KeyPath, str] = field(default_factory=dict)
    _today: dict[KeyPath, str] = field(default_factory=dict)

    def as_written(self, path: KeyPath) -> KeyPath:
        """The path as it stands in the file, for one in today's names."""
        return _translated(path, self._written)

    def as_of_today(self, path: KeyPath) -> KeyPath:
        """The path in today's names, for one as it stands in the file."""
        return _translated(path, self._today)

    def stands_for(self, path: KeyPath, today: str) -> None:
        """Note that the key at `path` (in today's names) is read as the key `today` beside it."""
        written = self.as_written(path)
        self._written[(*path[:-1], today)] = str(path[-1])
        self._today[written] = today

    def applied(self, model: type[BaseModel], raw: Any, path: KeyPath = ()) -> Any:
        """`raw`, which stands at `path` (in today's names), with every key under today's name."""
        return self._walk(model, raw, path, ()) if has_renames(model) else raw

    def _walk(self, root: type[BaseModel], value: Any, path: KeyPath, inner: KeyPath) -> Any:
        if isinstance(value, list):
            return [
                self._walk(root, item, (*path, index), (*inner, index))
                for index, item in enumerate(value)
            ]
        if not isinstance(value, dict):
            return value
        model = model_at(root, inner)
        renamed: Mapping[str, str] = getattr(model, "renamed", {})
        new: dict[str, Any] = {}
        for key, item in value.items():
            today = renamed.get(key, key)
            if key != today:
                if today in value:
                    words = f"`{key}` is called `{today}` now, and both are here"
                    words += f"; expected `{today}` alone"
                    self.clashes.append(Finding((*path, key), words, "key", "take this line out"))
                    continue
                self._rename(path, key, today, root, inner)
            new[today] = self._walk(root, item, (*path, today), (*inner, today))
        return new

    def _rename(
        self, path: KeyPath, key: str, today: str, root: type[BaseModel], inner: KeyPath
    ) -> None:
        self._written[(*path, today)] = key
        written = (*self.as_written(path), key)
        self._today[written] = today
        self.found.append(Renamed(written, today, is_duration(type_at(root, (*inner, today)))))


def _translated(path: KeyPath, names: dict[KeyPath, str]) -> KeyPath:
    if not names:
        return path
    return tuple(
        names.get(path[: index + 1], part) if isinstance(part, str) else part
        for index, part in enumerate(path)
    )


@cache
def has_renames(model: type[BaseModel]) -> bool:
    """Whether the model, or a block within it, has keys that were called otherwise."""
    return any(getattr(each, "renamed", None) for each in _blocks(model, set()))


def _blocks(kind: Any, seen: set[Any]) -> Iterator[type[BaseModel]]:
    origin = typing.get_origin(kind)
    if origin is Annotated:
        yield from _blocks(typing.get_args(kind)[0], seen)
    elif origin is not None:
        for each in typing.get_args(kind):
            yield from _blocks(each, seen)
    elif isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in seen:
        seen.add(kind)
        yield kind
        for each in kind.model_fields.values():
            yield from _blocks(whole_type(each), seen)


def rename_note(renamed: Renamed, file: str) -> Finding:
    """What a person who has an earlier name in the file is told."""
    words = f"`{renamed.old}` is called `{renamed.new}` now; expected the new name"
    return Finding(renamed.path, words, "key", f"`vestibule config migrate {file}` rewrites it")
