"""What is wanted of doors, as rows: who wants what, until when, and which of it wins.

Every function takes a connection and runs inside somebody's transaction. A row that has ended never
begins again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import Boolean, Connection, Row, bindparam, func, insert, or_, select, update

from hub.clock import from_iso, iso
from hub.door_views import DoorIntentView, OwnerKind
from hub.events import new_id
from hub.kinds.access_control import LOCK_VERBS, Verb
from hub.storage.schema import door_intents

IntentRow: TypeAlias = Row[Any]

RANKS: Mapping[OwnerKind, int] = {
    "schedule": 10,
    "rule": 20,
    "person": 30,
    "protocol": 40,
    "responder": 50,
    "life_safety": 60,
    "fire": 70,
}
LONGEST = timedelta(days=1)  # that anything which ends by itself can be asked for
DRILL = 5  # so much less than in earnest, and still before any person
# Asked with each command, so made once.
_HELD = (
    select(door_intents)
    .where(door_intents.c.ended == "")
    .order_by(door_intents.c.rank.desc(), door_intents.c.seq.desc())
)
_HELD_AT = _HELD.where(door_intents.c.door == bindparam("door"))
_WINNER = _HELD_AT.limit(1)
_OF_OWNER = _HELD_AT.where(
    door_intents.c.owner_kind == bindparam("kind"),
    or_(door_intents.c.owner == bindparam("owner"), bindparam("anyone", type_=Boolean)),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants of a door from now on."""

    door: str
    verb: Verb
    owner_kind: OwnerKind
    owner: str
    asked_by: str
    reason: str
    expires: datetime | None = None
    alert: str = ""
    incident: str = ""
    drill: bool = False
    evacuates: bool = False
    yields: bool = False


def rank(wanted: Wanted) -> int:
    """What goes before what. Among protocols, one that locks or evacuates is only undone by another
    such: hold, secure or shelter open no door that a lockdown has locked. A drill undoes
    nothing that is no drill.
    """
    if wanted.owner_kind != "protocol":
        return RANKS[wanted.owner_kind]
    firm = (wanted.evacuates or wanted.verb in LOCK_VERBS) and not wanted.yields
    return RANKS["protocol"] + firm - (DRILL if wanted.drill else 0)


def add(connection: Connection, wanted: Wanted, now: datetime) -> IntentRow:
    """Write what is wanted; returns its row."""
    return connection.execute(
        insert(door_intents).returning(door_intents),
        {
            "id": new_id(),
            "door": wanted.door,
            "rank": rank(wanted),
            "owner_kind": wanted.owner_kind,
            "owner": wanted.owner,
            "asked_by": wanted.asked_by,
            "verb": wanted.verb,
            "reason": wanted.reason,
            "since": iso(now),
            "expires": "" if wanted.expires is None else iso(wanted.expires),
            "alert": wanted.alert,
            "incident": wanted.incident,
            "drill": wanted.drill,
        },
    ).one()


def by_id(connection: Connection, intent: str) -> IntentRow:
    """One intent. Raises `KeyError`."""
    found = connection.execute(select(door_intents).where(door_intents.c.id == intent)).first()
    if found is None:
        raise KeyError(intent)
    return found


def held(connection: Connection, door: str = "") -> list[IntentRow]:
    """What has not ended, of one door or of all: first what wins at its door."""
    if door:
        return list(connection.execute(_HELD_AT, {"door": door}))
    return list(connection.execute(_HELD))


def winner(connection: Connection, door: str) -> IntentRow | None:
    """What wins at a door; None where nothing is wanted of it."""
    return connection.execute(_WINNER, {"door": door}).first()


def winners(connection: Connection) -> dict[str, IntentRow]:
    """What wins, by door."""
    found: dict[str, IntentRow] = {}
    for row in held(connection):
        found.setdefault(row.door, row)
    return found


def end(connection: Connection, rows: Iterable[IntentRow], why: str, now: datetime) -> None:
    """These are no longer wanted."""
    ids = [row.id for row in rows]
    if ids:
        changed = update(door_intents).where(door_intents.c.id.in_(ids))
        connection.execute(changed.values(ended=iso(now), ended_why=why))


def expired(connection: Connection, now: datetime) -> list[IntentRow]:
    """What has not ended although its time is over, oldest first."""
    over = select(door_intents).where(
        door_intents.c.ended == "", door_intents.c.expires != "", door_intents.c.expires <= iso(now)
    )
    return list(connection.execute(over.order_by(door_intents.c.seq)))


def next_expiry(connection: Connection) -> datetime | None:
    """When the next one ends by itself."""
    found: str | None = connection.scalar(
        select(func.min(door_intents.c.expires)).where(
            door_intents.c.ended == "", door_intents.c.expires != ""
        )
    )
    return None if found is None else from_iso(found)


def clock_set_forward(connection: Connection, by: timedelta, now: datetime) -> None:
    """The wall clock went forward by so much: a lock keeps the time that it had left, for nobody
    has waited that long. What opens a door ends by the new clock: the machine may have slept.
    """
    last = iso(now + LONGEST)
    for row in held(connection):
        if row.expires and row.verb in LOCK_VERBS:
            later = min(iso(from_iso(row.expires) + by), max(row.expires, last))
            changed = update(door_intents).where(door_intents.c.id == row.id)
            connection.execute(changed.values(expires=later))


def clock_set_back(connection: Connection, by: timedelta) -> None:
    """The wall clock went back by so much: what ends by itself lasts no longer for that."""
    for row in held(connection):
        if row.expires:
            earlier = iso(from_iso(row.expires) - by)
            changed = update(door_intents).where(door_intents.c.id == row.id)
            connection.execute(changed.values(expires=earlier))


def note(connection: Connection, intent: str, **columns: str) -> IntentRow:
    """Set `differs` or `given_up` of one; returns its row."""
    changed = update(door_intents).where(door_intents.c.id == intent)
    connection.execute(changed.values(**columns))
    return by_id(connection, intent)


def replaced_by(connection: Connection, wanted: Wanted) -> list[IntentRow]:
    """What a further wish takes the place of: those of the same owner, and among people of anyone,
    for what was asked last holds.
    """
    anyone = wanted.owner_kind == "person"
    asked = {"door": wanted.door, "kind": wanted.owner_kind, "owner": wanted.owner}
    return list(connection.execute(_OF_OWNER, asked | {"anyone": anyone}))


def view(row: IntentRow) -> DoorIntentView:
    """An intent as pages show it."""
    return DoorIntentView(
        id=row.id,
        verb=row.verb,
        by=row.asked_by,
        owner_kind=row.owner_kind,
        owner=row.owner,
        reason=row.reason,
        since=row.since,
        expires=row.expires or None,
        differs=row.differs or None,
        given_up=row.given_up or None,
        incident=row.incident,
        drill=bool(row.drill),
    )
