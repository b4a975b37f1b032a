"""Rules that are only tried: a file whose sections stand in for those of the configuration."""

from __future__ import annotations

from pathlib import Path

from hub.document import Document, KeyPath
from hub.errors import Problem
from hub.yamlfile import read_yaml

SECTIONS = ("rules", "schedules")


def stand_in(document: Document, draft: Path) -> None:
    """Put the draft's `rules` and `schedules` in the place of the document's, their positions with
    them; a whole configuration counts by these two alone. Raises `CannotCheck` when the file cannot
    be read.
    """
    other = read_yaml(draft)
    document.problems += other.problems
    values = other.values if isinstance(other.values, dict) else {}
    found = [section for section in SECTIONS if section in values]
    if not found and not other.problems:
        words = "holds no rules; expected a section `rules:`"
        document.problems.append(
            Problem(str(draft), 1, 1, "(file)", words, "", "docs/guide/rules.md")
        )
    if not isinstance(document.values, dict):
        return
    for section in found:
        document.values[section] = values[section]
        kept = {path: mark for path, mark in document.marks.items() if not _in(section, path)}
        new = {path: mark for path, mark in other.marks.items() if _in(section, path)}
        document.marks = kept | new
        _replace(document.hidden, other.hidden, section)
        _replace(document.broken, other.broken, section)
        _replace(document.partial, other.partial, section)


def _replace(mine: set[KeyPath], theirs: set[KeyPath], section: str) -> None:
    mine -= {path for path in mine if _in(section, path)}
    mine |= {path for path in theirs if _in(section, path)}


def _in(section: str, path: KeyPath) -> bool:
    return path[:1] == (section,)
