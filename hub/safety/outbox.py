"""The outbox: intentions as rows, written with the decision that wants them, settled once each.

Every function takes a connection and runs inside somebody's transaction. A row is `pending` until
it is confirmed, failed, timed out or called off; it never leaves one of those again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, Row, and_, bindparam, func, insert, or_, select, update

from hub.clock import from_iso, iso
from hub.events import new_id
from hub.safety.lanes import (
    HAND_OFF_EXPIRES,
    NOTICE,
    SEVERE_LANE,
    first_of_each_lane,
    hand_off,
    of_hand,
)
from hub.storage.schema import actions, receipts
from hub.views import ActionState, ActionView, Requested

ActionRow: TypeAlias = Row[Any]

IN_DIGEST = "digest "
MOST_EARLIER = 100
FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = {"door": 10.0, "notice": 300.0, "heartbeat": 10.0}
DOOR_EXPIRES = timedelta(seconds=60)
NOTICE_EXPIRES = timedelta(hours=24)
# What each attempt asks, made once.
_DUE = first_of_each_lane()
_ROW = select(actions).where(actions.c.id == bindparam("action"))
_BEGIN = (
    update(actions)
    .where(
        actions.c.id == bindparam("action"),
        actions.c.state == "pending",
        actions.c.started.is_(None),
        actions.c.due <= bindparam("now"),
    )
    .values(started=bindparam("now"), attempts=actions.c.attempts + 1)
)
_BEGIN_NEW = (
    update(actions)
    .where(actions.c.key == bindparam("by_key"), actions.c.state == "pending")
    .values(started=bindparam("now"), attempts=actions.c.attempts + 1)
    .returning(actions)
)
_SETTLE = (
    update(actions)
    .where(actions.c.id == bindparam("action"), actions.c.state == "pending")
    .values(state=bindparam("as"), detail=bindparam("said"), finished=bindparam("now"))
)
_BY_KEY = select(actions).where(actions.c.key == bindparam("key"))
_PENDING_COMMANDS = select(actions).where(
    actions.c.lane == bindparam("lane"), actions.c.state == "pending"
)
_OF_ALERT = select(actions).where(actions.c.alert == bindparam("alert"), NOTICE)
_PENDING_NOTICES = _OF_ALERT.where(actions.c.state == "pending")
_KNOWN = or_(actions.c.attempts > 0, actions.c.stop.startswith(IN_DIGEST))
_TOLD = _OF_ALERT.where(_KNOWN).order_by(actions.c.id)
_TOLD_OR_WAITING = _OF_ALERT.where(or_(_KNOWN, actions.c.state == "pending")).order_by(actions.c.id)
_EARLIER = select(
    *(actions.c[name] for name in ("id", "key", "kind", "target", "attempts", "state")),
    func.json_extract(actions.c.payload, "$.time").label("time"),
).order_by(actions.c.id)


@dataclass(frozen=True, slots=True)
class Intention:
    """Something to be done once the transaction is on the disk."""

    kind: Literal["door", "notice", "heartbeat"]
    target: str
    what: str
    payload: Mapping[str, Any]
    lane: str
    deadline_s: float
    expires: timedelta
    alert: str = ""
    incident: str = ""
    key: str = field(default_factory=new_id)


def writable(text: str) -> str:
    """A text as the journal can keep it: halves of characters, which foreign text may hold, are
    replaced.
    """
    return text.encode("utf-8", "replace").decode("utf-8")


def notice_lane(severity: str, channel: str, people: Sequence[str]) -> str:
    """The lane of notices to some people through a channel; what is severe has one of its own."""
    return f"{SEVERE_LANE if severity == 'severe' else 'notice/'}{channel}/{'+'.join(people)}"


def add(
    connection: Connection, intention: Intention, now: datetime, until: datetime | None = None
) -> str:
    """Write an intention, to be done now or kept back until then; returns its key, which every
    attempt at it will carry.
    """
    begin = until or now
    stamp = iso(now)
    connection.execute(
        insert(actions),
        {
            "key": intention.key,
            "lane": intention.lane,
            "kind": intention.kind,
            "target": intention.target,
            "what": intention.what,
            "payload": json.dumps(dict(intention.payload), ensure_ascii=False),
            "alert": intention.alert,
            "incident": intention.incident,
            "created": stamp,
            "due": iso(begin),
            "deadline_s": intention.deadline_s,
            "expires": iso(begin + intention.expires),
            "state": "pending",
        },
    )
    return intention.key


def due(connection: Connection, now: datetime) -> list[ActionRow]:
    """The first pending action of each lane whose time has come: see `hub.safety.lanes`."""
    return list(connection.execute(_DUE, {"now": iso(now)}))


def urgent(action: ActionRow) -> bool:
    """Whether an action goes before all that is not: a door's, or a severe notice."""
    return bool(action.kind == "door" or action.lane.startswith(SEVERE_LANE))


def next_due(connection: Connection, now: datetime) -> str | None:
    """When the next pending action will be due that is not due yet, as text."""
    later = select(func.min(actions.c.due)).where(
        actions.c.state == "pending", actions.c.due > iso(now)
    )
    found: str | None = connection.scalar(later)
    return found


def left_running(connection: Connection) -> list[ActionRow]:
    """Pending actions whose attempt was under way when the hub last stopped, oldest first."""
    return list(
        connection.execute(
            select(actions)
            .where(actions.c.state == "pending", actions.c.started.is_not(None))
            .order_by(actions.c.id)
        )
    )


def begin(connection: Connection, action: int, now: datetime) -> ActionRow | None:
    """Mark an attempt as started, before anything acts; None when it is no longer due."""
    changed = connection.execute(_BEGIN, {"action": action, "now": iso(now)})
    return row(connection, action) if changed.rowcount else None


def begin_new(connection: Connection, key: str, now: datetime) -> ActionRow | None:
    """The same for an action that this transaction has written; None when it has ended already."""
    return connection.execute(_BEGIN_NEW, {"by_key": key, "now": iso(now)}).first()


def postpone(connection: Connection, action: int, until: datetime, detail: str) -> bool:
    """End an attempt and plan another; False when no other is wanted any more (see `stop`)."""
    changed = connection.execute(
        update(actions)
        .where(actions.c.id == action, actions.c.state == "pending", actions.c.stop == "")
        .values(started=None, due=iso(until), detail=detail)
    )
    return bool(changed.rowcount)


def settle(
    connection: Connection, action: int, state: ActionState, detail: str, now: datetime
) -> ActionRow | None:
    """End an action for good; None when it had already ended."""
    ended = {"action": action, "as": state, "said": detail, "now": iso(now)}
    changed = connection.execute(_SETTLE, ended)
    return row(connection, action) if changed.rowcount else None


def merge(connection: Connection, waiting: ActionRow, digest: str, now: datetime) -> ActionRow:
    """End a notice that the notice with the key `digest` tells in its place."""
    connection.execute(
        update(actions)
        .where(actions.c.id == waiting.id)
        .values(
            state="cancelled",
            stop=f"{IN_DIGEST}{digest}",
            detail="told together with others that came late",
            finished=iso(now),
        )
    )
    return row(connection, waiting.id)


def waiting_doors(connection: Connection) -> list[ActionRow]:
    """Commands to doors that have not ended, oldest first."""
    waiting = select(actions).where(actions.c.kind == "door", actions.c.state == "pending")
    return list(connection.execute(waiting.order_by(actions.c.id)))


def verb(command: ActionRow) -> str:
    """What a command asks of its door."""
    return str(json.loads(command.payload)["verb"])


def move(connection: Connection, action: int, due: datetime, expires: datetime) -> None:
    """Set when a pending action is due, and when it expires."""
    changed = update(actions).where(actions.c.id == action, actions.c.state == "pending")
    connection.execute(changed.values(due=iso(due), expires=iso(expires)))


def clock_set_back(connection: Connection, now: datetime) -> None:
    """Let nothing wait, or live, longer from now than it may: its times may be of a clock that was
    ahead. Harmless where it was not. Not so what quiet hours keep back, which has hours of its own
    until it is tried.
    """
    kept_back = and_(
        actions.c.attempts == 0,
        actions.c.key.in_(select(receipts.c.key).where(receipts.c.held != "")),
    )
    pending = select(actions).where(actions.c.state == "pending", ~kept_back)
    for waiting in list(connection.execute(pending)):
        due = min(waiting.due, iso(now + delay(waiting)))
        lives = DOOR_EXPIRES if waiting.kind == "door" else NOTICE_EXPIRES
        lives = HAND_OFF_EXPIRES if hand_off(waiting) else lives
        expires = min(waiting.expires, iso(now + lives))
        if (due, expires) != (waiting.due, waiting.expires):
            changed = update(actions).where(actions.c.id == waiting.id)
            connection.execute(changed.values(due=due, expires=expires))


def clock_set_forward(connection: Connection, now: datetime, by: timedelta) -> None:
    """Give notices that were written before the clock was set the time that they had left.

    Not so door commands, and what hands an incident over: it may as well have been a machine that
    slept, and nothing acts on a stale command.
    """
    before = and_(actions.c.state == "pending", NOTICE, actions.c.created <= iso(now - by))
    for waiting in list(connection.execute(select(actions).where(before))):
        if hand_off(waiting):
            continue
        expires = iso(from_iso(waiting.expires) + by)
        connection.execute(
            update(actions).where(actions.c.id == waiting.id).values(expires=expires)
        )


def delay(action: ActionRow) -> timedelta:
    """How long to wait after its latest attempt: 1, 2, 4 ... seconds, shortened by up to a quarter
    so that many that failed together do not come back together; nothing before the first.
    """
    if not action.attempts:
        return timedelta(0)
    seconds = min(LONGEST_DELAY_S[action.kind], FIRST_DELAY_S * 2.0 ** min(action.attempts - 1, 20))
    spread = int(action.key[:4], 16) / 0xFFFF
    return timedelta(seconds=seconds * (1.0 - 0.25 * spread))


def stop(
    connection: Connection, rows: Sequence[ActionRow], reason: str, now: datetime
) -> list[ActionRow]:
    """Call actions off. One whose attempt runs now ends with that attempt. Returns the rows of
    those that ended here.
    """
    ended = []
    for waiting in rows:
        if waiting.started is not None:
            connection.execute(
                update(actions).where(actions.c.id == waiting.id).values(stop=reason)
            )
        elif settled := settle(connection, waiting.id, "cancelled", reason, now):
            ended.append(settled)
    return ended


def pending_notices(connection: Connection, alert: str) -> list[ActionRow]:
    """Notices of an alert that have not ended."""
    return list(connection.execute(_PENDING_NOTICES, {"alert": alert}))


def pending_commands(connection: Connection, door: str) -> list[ActionRow]:
    """Commands to a door that have not ended."""
    return list(connection.execute(_PENDING_COMMANDS, {"lane": f"door/{door}"}))


def told(connection: Connection, alert: str, *, or_waiting: bool = False) -> list[ActionRow]:
    """One notice for each channel and group of people that may know of the alert: it was accepted,
    an attempt was made and may have arrived, or it went into a digest; `or_waiting` adds those who
    were still to be told. Not whom a person has handed its incident to: what they hear is asked
    for apart (`hub.safety.incidents.hand_off`).
    """
    first: dict[str, ActionRow] = {}
    for notice in connection.execute(_TOLD_OR_WAITING if or_waiting else _TOLD, {"alert": alert}):
        if not of_hand(notice.lane):
            first.setdefault(notice.lane, notice)
    return list(first.values())


def called_off(connection: Connection, alert: str, reason: str) -> list[ActionRow]:
    """The notices of an alert that were stopped for this reason."""
    why = or_(actions.c.stop == reason, actions.c.detail == reason)
    return list(connection.execute(_OF_ALERT.where(why).order_by(actions.c.id), {"alert": alert}))


def row(connection: Connection, action: int) -> ActionRow:
    """One action by its number."""
    return connection.execute(_ROW, {"action": action}).one()


def by_key(connection: Connection, key: str) -> ActionRow:
    """One action by its key."""
    return connection.execute(_BY_KEY, {"key": key}).one()


def earlier(connection: Connection, action: ActionRow) -> list[dict[str, str]]:
    """The notices about the same alert, or where it is about none the same incident, that the
    channel was given before this one, oldest first: key and time of each, the newest of many.
    """
    if not action.alert and not action.incident:
        return []
    # By that alone: there are few of one alert, and many of a channel.
    same = actions.c.alert if action.alert else actions.c.incident
    given = [
        {"key": row.key, "time": row.time}
        for row in connection.execute(_EARLIER.where(same == (action.alert or action.incident)))
        if (row.kind, row.target) == ("notice", action.target) and row.id < action.id
        if row.attempts and row.state != "failed"
    ]
    return given[-MOST_EARLIER:]


def of_incidents(connection: Connection, incidents: Sequence[str]) -> list[ActionRow]:
    """Every action of these incidents, in the order they were written."""
    return list(
        connection.execute(
            select(actions).where(actions.c.incident.in_(incidents)).order_by(actions.c.id)
        )
    )


def newest_commands(connection: Connection, door: str = "") -> list[ActionRow]:
    """The latest command to each door, or to one."""
    wanted = actions.c.kind == "door"
    if door:
        wanted = and_(wanted, actions.c.target == door)
    newest = select(func.max(actions.c.id)).where(wanted).group_by(actions.c.target)
    return list(connection.execute(select(actions).where(actions.c.id.in_(newest))))


def states(connection: Connection) -> dict[str, int]:
    """How many actions are in each state, every state named."""
    counts = {"confirmed": 0, "failed": 0, "timed_out": 0, "pending": 0, "cancelled": 0}
    found = select(actions.c.state, func.count()).group_by(actions.c.state)
    for state, count in connection.execute(found):
        counts[state] = count
    return counts


def requested(action: ActionRow) -> Requested:
    """A door command as the door's page shows it."""
    payload = json.loads(action.payload)
    return Requested(
        verb=payload["verb"],
        by=payload["by"],
        reason=payload["reason"],
        time=action.created,
        state=action.state,
        detail=action.detail,
    )


def view(action: ActionRow) -> ActionView:
    """An action as an incident shows it."""
    return ActionView(
        key=action.key,
        kind=action.kind,
        target=action.target,
        what=action.what,
        state=action.state,
        attempts=action.attempts,
        created=action.created,
        finished=action.finished,
        detail=action.detail,
    )
