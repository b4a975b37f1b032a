"""What was handed over to emergency services, through what, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from hub.case_views import HandOffView
from hub.safety.lanes import NOTICE
from hub.safety.outbox import ActionRow
from hub.safety.words import Words
from hub.storage.schema import actions


def handed_over(connection: Connection, incident: str) -> dict[str, ActionRow]:
    """The newest notice by which a person handed an incident over, by its notifier."""
    if not incident:
        return {}
    rows = connection.execute(
        select(actions)
        .where(actions.c.incident == incident, actions.c.alert == "", NOTICE)
        .order_by(actions.c.id)
    )
    return {row.target: row for row in rows if _payload(row)["about"] == "hand_off"}


def reached(connection: Connection, incident: str, *, or_waiting: bool = True) -> list[ActionRow]:
    """Of those, the notices that may have arrived, and with `or_waiting` those that still wait to:
    who is behind them hears how it goes on.
    """
    return [
        row
        for row in handed_over(connection, incident).values()
        if row.attempts > 0 or (or_waiting and row.state == "pending")
    ]


def hand_off_views(connection: Connection, words: Words, incident: str) -> list[HandOffView]:
    """What came of handing it over, for each notifier that is there for it."""
    gone = handed_over(connection, incident)
    views = []
    for channel in words.config.hub.emergency.hand_off:
        row = gone.get(channel)
        views.append(
            HandOffView(
                channel=channel,
                name=words.channel(channel),
                state=row.state if row is not None else None,
                by=words.person(_payload(row)["data"]["by"]) if row is not None else "",
                time=row.created if row is not None else "",
                finished=row.finished if row is not None else None,
                detail=row.detail if row is not None else "",
            )
        )
    return views


def _payload(row: ActionRow) -> Mapping[str, Any]:
    payload: Mapping[str, Any] = json.loads(row.payload)
    return payload
