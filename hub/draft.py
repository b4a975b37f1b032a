"""Rules that are only tried: a file whose rules stand in for those of the configuration, all of
them or one.
"""

from __future__ import annotations

from collections.abc import Iterable
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
    _take_places(document, other, [(section,) for section in found])


def stand_in_rule(document: Document, draft: Path, rule: str) -> None:
    """Put the one rule of a draft in the place of the document's. Raises `CannotCheck` when the
    file cannot be read.
    """
    other = read_yaml(draft)
    document.problems += other.problems
    rules = other.values.get("rules") if isinstance(other.values, dict) else None
    if not isinstance(rules, dict) or list(rules) != [rule]:
        if not other.problems:
            words = f"expected this rule alone: `{rule}:` and what belongs to it"
            document.problems.append(Problem(str(draft), 2, 3, f"rules.{rule}", words))
        return
    own = document.values.get("rules") if isinstance(document.values, dict) else None
    if isinstance(own, dict):
        own[rule] = rules[rule]
        _take_places(document, other, [("rules", rule)])


def _take_places(mine: Document, other: Document, paths: Iterable[KeyPath]) -> None:
    """Take over where the other document's parts stand, and which of them cannot be read."""
    for within in paths:
        kept = {path: mark for path, mark in mine.marks.items() if not _in(within, path)}
        new = {path: mark for path, mark in other.marks.items() if _in(within, path)}
        mine.marks = kept | new
        _replace(mine.hidden, other.hidden, within)
        _replace(mine.broken, other.broken, within)
        _replace(mine.partial, other.partial, within)


def _replace(mine: set[KeyPath], theirs: set[KeyPath], within: KeyPath) -> None:
    mine -= {path for path in mine if _in(within, path)}
    mine |= {path for path in theirs if _in(within, path)}


def _in(within: KeyPath, path: KeyPath) -> bool:
    return path[: len(within)] == within
