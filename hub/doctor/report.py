"""Findings as lines for people, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.text import Text

from hub.doctor.finding import STATES, Finding, State

SYMBOLS: dict[State, str] = {"ok": "✓", "warn": "!", "bad": "✗"}
PLAIN: dict[State, str] = {"ok": "+", "warn": "!", "bad": "x"}
STYLES: dict[State, str] = {"ok": "green", "warn": "yellow", "bad": "bold red"}
WIDEST_SUBJECT = 28


def counts(findings: Sequence[Finding]) -> dict[State, int]:
    """How many findings there are of each state."""
    counted: dict[State, int] = dict.fromkeys(STATES, 0)
    for finding in findings:
        counted[finding.state] += 1
    return counted


def as_json(findings: Sequence[Finding]) -> str:
    """One object: `probes` and a count for each state."""
    told: dict[str, object] = {"probes": [finding.as_dict() for finding in findings]}
    told |= {str(state): count for state, count in counts(findings).items()}
    return json.dumps(told, indent=2, ensure_ascii=False)


def lines(findings: Sequence[Finding], encoding: str = "utf-8") -> list[Text]:
    """Grouped and aligned, a line each, and the counts as the last; coloured where it can be."""
    symbols, arrow = (SYMBOLS, "→") if _can_write("✓→✗", encoding) else (PLAIN, "->")
    width = min(WIDEST_SUBJECT, max((len(finding.subject) for finding in findings), default=0))
    told: list[Text] = []
    for name, group in groupby(findings, key=lambda finding: finding.name):
        told.append(Text(name, style="bold"))
        for finding in group:
            line = Text(f"  {symbols[finding.state]} {finding.state:<4}", STYLES[finding.state])
            line.append(f"  {finding.subject:<{width}}  {finding.found}", style="default")
            if finding.remedy:
                line.append(f"  {arrow} {finding.remedy}", style="default bold")
            told.append(line)
    told.append(Text(", ".join(f"{count} {state}" for state, count in counts(findings).items())))
    return told


def print_lines(findings: Sequence[Finding], console: Console) -> None:
    """Print them, each on one line however narrow the terminal."""
    for line in lines(findings, console.encoding):
        console.print(line, soft_wrap=True)


def _can_write(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
