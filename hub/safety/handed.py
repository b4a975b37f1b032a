"""What goes to emergency services because a person has handed something over: lanes of its own.

Nothing else is given such a lane, so that whatever else is meant for them is told from it. Every
function that takes a connection runs inside somebody's transaction.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, select

from hub.safety.lanes import HANDED_LANE
from hub.storage.schema import actions

if TYPE_CHECKING:
    from hub.safety.outbox import Intention

HAND_OFF_EXPIRES = timedelta(minutes=10)  # later it would call people to what has long changed


def handed_lane(channel: str) -> str:
    """The lane of what a person hands over through a channel, and of each later word on it."""
    return f"{HANDED_LANE}{channel}"


def of_hand(action: Row[Any] | Intention) -> bool:
    """Whether it goes to emergency services, because a person has handed something over."""
    return bool(action.lane.startswith(HANDED_LANE))


def hand_off(action: Row[Any]) -> bool:
    """Whether it is what hands an incident over, and not a later word."""
    return of_hand(action) and json.loads(action.payload)["about"] == "hand_off"


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
