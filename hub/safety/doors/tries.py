"""A door that keeps failing is asked again and again: how often, and what of it is news.

Each command of a wish carries how often the door was asked for it since it last worked, and how
that ended. Every try stays an event; what ends as one before it did is no line of the audit,
and one line of the door's past with the rest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from hub.safety.outbox import ActionRow
from hub.storage.schema import actions

REMEMBERED = 20


@dataclass(frozen=True, slots=True)
class Again:
    """One more try: which one it is, and the ends of earlier ones that were told."""

    tries: int
    told: tuple[str, ...] = ()

    def facts(self) -> dict[str, Any]:
        """As the command's payload keeps it."""
        return {"tries": self.tries, "told": list(self.told)}


def once_more(connection: Connection, door: str, intent: str) -> Again:
    """The next try for what is wanted of a door."""
    last = _last(connection, door, intent)
    if last is None or last.state == "confirmed":
        return Again(1)
    payload = json.loads(last.payload)
    tries = int(payload.get("tries", 1)) + 1
    ends = dict.fromkeys((*payload.get("told", ()), _end(last)))
    return Again(tries, tuple(ends)[-REMEMBERED:])


def made(connection: Connection, door: str, intent: str) -> int:
    """How often a door has been asked for what is wanted of it since that last worked."""
    last = _last(connection, door, intent)
    return 0 if last is None else int(json.loads(last.payload).get("tries", 1))


def _last(connection: Connection, door: str, intent: str) -> ActionRow | None:
    wish = func.json_extract(actions.c.payload, "$.intent") == intent
    of_it = select(actions).where(actions.c.kind == "door", actions.c.target == door, wish)
    return connection.execute(of_it.order_by(actions.c.id.desc()).limit(1)).first()


def ended(row: ActionRow, payload: Mapping[str, Any]) -> dict[str, Any]:
    """What the end of a command says of its tries: nothing where it was the first."""
    if "tries" not in payload:
        return {}
    again = row.state in ("failed", "timed_out") and _end(row) in payload["told"]
    return {"tries": payload["tries"], **({"same": True} if again else {})}


def _end(row: ActionRow) -> str:
    return f"{row.state}: {row.detail}"
