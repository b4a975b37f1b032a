"""The text of one rule as it stands in its file, and a draft that a text of it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import yaml

from hub.document import Document

INDENT = "  "
HEAD = "rules:\n"
FIRST_LINE, FIRST_COLUMN = HEAD.count("\n"), len(INDENT)
"""How far a place in a draft is from the same place in the text."""


@dataclass(frozen=True, slots=True)
class RuleText:
    """A rule as it is written, from its own name on, and where that stands."""

    text: str
    file: str = ""
    line: int = 0


def rule_text(document: Document, rule: str, values: Mapping[str, Any]) -> RuleText:
    """The text of a rule as it was read; made from its values where it has none of its own, as
    where an anchor or another file stands for it.
    """
    path = ("rules", rule)
    marks = document.marks.get(path)
    if marks is None:
        return RuleText(_made(rule, values))
    mark = marks.key
    name = Path(mark.file).name
    raw = next((raw for file, raw in document.contents.items() if str(file) == mark.file), None)
    if raw is not None:
        ends = [
            each.key.line
            for other, each in document.marks.items()
            if len(other) <= len(path) and each.key.file == mark.file and each.key.line > mark.line
        ]
        text = _cut(raw, mark.line, min(ends, default=0), mark.column)
        if _says(text) == {rule: document.values["rules"][rule]}:
            return RuleText(text, name, mark.line)
    return RuleText(_made(rule, values), name, mark.line)


def draft(text: str) -> str:
    """A file with that rule alone."""
    return HEAD + indent(dedent(text.replace("\r\n", "\n").expandtabs(2)), INDENT).rstrip() + "\n"


def _cut(raw: bytes, first: int, after: int, column: int) -> str:
    """The lines from one to the one before the next part, without comments that belong to that."""
    lines = raw.decode("utf-8", "replace").splitlines()[first - 1 : after - 1 if after else None]
    while lines and (not lines[-1].strip() or lines[-1].strip().startswith("#")):
        lines.pop()
    margin = " " * (column - 1)
    return "\n".join(line.removeprefix(margin) for line in lines) + "\n"


def _says(text: str) -> object:
    try:
        return yaml.load(text, Loader=yaml.CSafeLoader)  # a safe loader
    except (yaml.YAMLError, ValueError):
        return None


def _made(rule: str, values: Mapping[str, Any]) -> str:
    return yaml.safe_dump({rule: dict(values)}, sort_keys=False, allow_unicode=True)
