"""How long after the start of a protocol things were done, in words."""

from __future__ import annotations

from hub.clock import from_iso
from hub.protocol_views import AS_WANTED, ProtocolRunView
from hub.web.language import mark, ngettext
from hub.web.words import span


def measured(view: ProtocolRunView) -> list[tuple[str, str]]:
    """How long after the start things were done: the report of a run that has ended."""
    moved = sorted(each["seconds"] for each in view["doors"] if each["seconds"] is not None)
    rows = []
    if moved:
        rows = [
            (mark("First door"), _after(moved[0])),
            (mark("Half of the doors"), _after(moved[(len(moved) - 1) // 2])),
            (mark("Last door"), _after(moved[-1])),
        ]
    failed = len([e for e in view["doors"] if e["state"] not in AS_WANTED])
    missing = mark("Never confirmed") if view["ended"] else mark("Not confirmed yet")
    if failed:
        rows.append((missing, ngettext("%(n)s door", "%(n)s doors", failed, n=failed)))
    rows += [
        (e["name"], _after(e["seconds"])) for e in view["channels"] if e["seconds"] is not None
    ]
    if view["ended"]:
        lasted = (from_iso(view["ended"]) - from_iso(view["started"])).total_seconds()
        rows.append((mark("In force for"), span(lasted)))
    return rows


def _after(seconds: float) -> str:
    return f"+{seconds:.1f} s" if seconds < 60 else f"+{span(seconds)}"
