"""Where aliases such as `*base` stand in a text: the parser's nodes only tell of their anchors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from hub.yamlsyntax import Loader

AliasPlaces = dict[tuple[int, int, int | str], tuple[int, int]]


@dataclass(slots=True)
class _Open:
    """A mapping or list that is being read: its place, and the items or the key it has come to."""

    line: int
    column: int
    count: int = 0
    key: tuple[int, int] | None = None
    is_list: bool = False


def alias_places(text: str) -> AliasPlaces:
    """Line and column, from 1, of every alias that is a value.

    A value in a mapping is found by the line and column of its key, both from 1, and an empty text;
    a list item by the line and column of the list, both from 0, and its index. What stands below a
    fault in the form of the text is not found.
    """
    found: AliasPlaces = {}
    around: list[_Open] = []
    try:
        for event in _events(text):
            place = event.start_mark
            if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                around.pop()
                continue
            if not isinstance(event, yaml.NodeEvent):
                continue
            if isinstance(event, yaml.AliasEvent) and around:
                _note(found, around[-1], place)
            if around:
                _step(around[-1], place)
            if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                is_list = isinstance(event, yaml.SequenceStartEvent)
                around.append(_Open(place.line, place.column, is_list=is_list))
    except yaml.YAMLError:
        pass
    return found


def _events(text: str) -> Iterator[Any]:
    """The parser's events; the stubs cannot tell its marks from those of the slow parser."""
    return yaml.parse(text, Loader=Loader)


def _note(found: AliasPlaces, around: _Open, place: Any) -> None:
    here = (place.line + 1, place.column + 1)
    if around.is_list:
        found[around.line, around.column, around.count] = here
    elif around.key is not None:
        found[around.key[0] + 1, around.key[1] + 1, ""] = here


def _step(around: _Open, place: Any) -> None:
    """One key, value or item begins: move on."""
    if around.is_list:
        around.count += 1
    else:
        around.key = (place.line, place.column) if around.key is None else None
