"""What was handed over to emergency services, through what, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, select

from hub.incident_views import HandOffView
from hub.safety.incidents import cases
from hub.safety.lanes import HANDED_LANE, NOTICE, hand_off
from hub.safety.outbox import ActionRow
from hub.safety.words import Words
from hub.storage.schema import actions, incidents

# Asked with each verdict, so made once.
_HANDED = (
    select(actions)
    .where(actions.c.incident == bindparam("incident"), actions.c.alert == "", NOTICE)
    .where(actions.c.lane.startswith(HANDED_LANE))
    .order_by(actions.c.id)
)
_WHENCE = select(incidents.c.split_from, incidents.c.opened).where(
    incidents.c.id == bindparam("incident")
)


def hand_offs(connection: Connection, incident: str) -> list[ActionRow]:
    """Every notice by which a person handed an incident over, oldest first."""
    if not incident:
        return []
    return [row for row in connection.execute(_HANDED, {"incident": incident}) if hand_off(row)]


def handed_over(connection: Connection, incident: str) -> dict[str, ActionRow]:
    """Of those, the newest of each notifier."""
    return {row.target: row for row in hand_offs(connection, incident)}


def reached(connection: Connection, incident: str) -> list[ActionRow]:
    """The notices by which an incident, or what it was split off from before that, was handed over:
    for each notifier one that may have arrived, or still waits to. Who is behind them hears how it
    goes on.
    """
    rows = [*_before_the_split(connection, incident), *hand_offs(connection, incident)]
    return list(
        {row.target: row for row in rows if row.attempts or row.state == "pending"}.values()
    )


def goes_on_apart(connection: Connection, incident: str) -> str:
    """Another incident that is open, which those whom this one was handed to were told of as part
    of the same; empty where all of it is over.
    """
    mine = {row.id for row in reached(connection, incident)}
    if not mine:
        return ""
    kin = [incident]
    for each in kin:  # grows while it is walked
        family = cases.family(connection, each)
        ties = select(incidents.c.id, incidents.c.split_from).where(
            incidents.c.split_from.in_(family) | incidents.c.id.in_(family)
        )
        for row in connection.execute(ties):
            for one in (row.id, row.split_from):
                heir = cases.heir(connection, one) if one else incident
                if heir not in kin:
                    kin.append(heir)
    is_open = select(incidents.c.id).where(incidents.c.id.in_(kin[1:]), incidents.c.state == "open")
    for other in connection.scalars(is_open.order_by(incidents.c.opened)):
        if mine & {row.id for row in reached(connection, other)}:
            return str(other)
    return ""


def hand_off_views(connection: Connection, words: Words, incident: str) -> list[HandOffView]:
    """What came of handing it over, for each notifier that is there for it."""
    gone = handed_over(connection, incident)
    with_more = {row.target for row in _before_the_split(connection, incident) if row.attempts}
    views = []
    for channel in dict.fromkeys(words.config.hub.emergency.hand_off):
        row = gone.get(channel)
        detail = "handed over before it was split off, as a part" if channel in with_more else ""
        views.append(
            HandOffView(
                channel=channel,
                name=words.channel(channel),
                state=row.state if row is not None else None,
                by=words.person(_payload(row)["data"]["by"]) if row is not None else "",
                time=row.created if row is not None else "",
                finished=row.finished if row is not None else None,
                detail=row.detail if row is not None else detail,
            )
        )
    return views


def _before_the_split(connection: Connection, incident: str) -> Iterator[ActionRow]:
    """By which notices the incidents were handed over from which this one was split off later."""
    known, until = {incident}, ""
    found = connection.execute(_WHENCE, {"incident": incident}).first()
    while found is not None and found.split_from:
        until = min(until or found.opened, found.opened)
        parent = cases.heir(connection, found.split_from)
        if parent in known:
            return
        known.add(parent)
        for row in hand_offs(connection, parent):
            if row.created <= until:
                yield row
        found = connection.execute(_WHENCE, {"incident": found.split_from}).first()


def _payload(row: ActionRow) -> Mapping[str, Any]:
    payload: Mapping[str, Any] = json.loads(row.payload)
    return payload
