"""The lanes of the outbox: which action of each comes first, and the lanes of what a person hands
over to emergency services.

Nothing else is given such a lane, so that whatever else is meant for them is told from it. Every
function that takes a connection runs inside somebody's transaction.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
)

from hub.storage.schema import actions

SEVERE_LANE = "severe/"
# Where a person hands incidents over, and what is said there later on. No channel is called so.
HANDED_LANE = f"{SEVERE_LANE}/"
HAND_OFF_EXPIRES = timedelta(minutes=10)  # later it would call people to what has long changed
# Nearly all actions are notices, which SQLite has to be told: without, it may look for those of one
# alert among all notices there ever were, depending on the order in which indexes were made.
NOTICE = func.likely(actions.c.kind == "notice")


def first_of_each_lane() -> Select[Any]:
    """The first pending action of each lane whose time has come `now` (as text): doors, then severe
    notices, then all others.

    First in a lane is what is under way: a late alert must not arrive after the verdict on it. Then
    come answers, which wait behind no other alert's notices, and digests, which an answer must not
    overtake; then the oldest. Where incidents are handed over no answer goes before what it is
    about. A door command that a newer one replaced does not hold that one up.
    """
    replaced = and_(actions.c.kind == "door", actions.c.stop != "", actions.c.started.is_not(None))
    place = func.row_number().over(partition_by=actions.c.lane, order_by=(_rank(), actions.c.id))
    waiting = (
        select(actions.c.id, place.label("place"))
        .where(actions.c.state == "pending", actions.c.due <= bindparam("now"), ~replaced)
        .subquery()
    )
    return (
        select(actions)
        .where(actions.c.id.in_(select(waiting.c.id).where(waiting.c.place == 1)))
        .order_by(actions.c.kind, ~actions.c.lane.startswith(SEVERE_LANE), actions.c.id)
    )


def _rank() -> ColumnElement[int]:
    """What goes before what in a lane. Not sure is no answer yet."""

    def said(path: str) -> ColumnElement[Any]:
        return func.json_extract(actions.c.payload, path)

    answer = said("$.about").in_(("verdict", "acknowledgement"))
    final = and_(answer, func.coalesce(said("$.data.verdict"), "") != "unsure")
    first = actions.c.started.is_not(None)
    handed = actions.c.lane.startswith(HANDED_LANE)
    sooner = or_(final, said("$.data.digest").is_not(None))
    return case((first, 0), (handed, 2), (sooner, 1), else_=2)


def handed_lane(channel: str) -> str:
    """The lane of what a person hands over through a channel, and of each later word on it."""
    return f"{HANDED_LANE}{channel}"


def of_hand(lane: str) -> bool:
    """Whether what is in it goes to emergency services, because a person has handed it over."""
    return lane.startswith(HANDED_LANE)


def hand_off(action: Row[Any]) -> bool:
    """Whether it is what hands an incident over, and not a later word."""
    return of_hand(action.lane) and json.loads(action.payload)["about"] == "hand_off"


def behind(connection: Connection, action: Row[Any]) -> str | None:
    """When an earlier word on the same incident is due in the same lane; None without one."""
    waiting = select(actions.c.due).where(
        actions.c.lane == action.lane,
        actions.c.incident == action.incident,
        actions.c.state == "pending",
        actions.c.id < action.id,
    )
    found: str | None = connection.scalar(waiting.order_by(actions.c.id).limit(1))
    return found


def pending_in(connection: Connection, lane: str, incident: str) -> list[Row[Any]]:
    """What waits in a lane about an incident."""
    waiting = select(actions).where(actions.c.lane == lane, actions.c.state == "pending")
    return list(connection.execute(waiting.where(actions.c.incident == incident)))
