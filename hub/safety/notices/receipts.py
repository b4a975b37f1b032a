"""Receipts: what became of each notice for each person it was written for.

A row is made with the notice and never deleted; each of its times is written once. Every function
takes a connection and runs inside somebody's transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeAlias

from sqlalchemy import ColumnElement, Connection, Row, and_, insert, or_, select, update

from hub.clock import from_iso, iso
from hub.kinds.notifiers import Ack
from hub.safety.outbox import ActionRow, Intention
from hub.safety.words import Words
from hub.storage.schema import actions, receipts
from hub.views import ReceiptState, ReceiptView

ReceiptRow: TypeAlias = Row[Any]
Reached = Literal["accepted", "delivered", "seen", "acknowledged", "failed"]

NOWHERE = "-"  # `instead` of a notice that has no other way to go
ARRIVED: tuple[Reached, ...] = ("delivered", "seen", "acknowledged")
_IN_ORDER: tuple[Reached, ...] = ("acknowledged", "seen", "delivered", "accepted")


def queue(connection: Connection, intention: Intention, now: datetime, held: str = "") -> None:
    """Begin the receipts of a notice: one for each person, or one for whomever it reaches."""
    payload = intention.payload
    to = payload["to"] or [{"person": "", "name": ""}]
    common = {
        "key": intention.key,
        "channel": intention.target,
        "alert": intention.alert,
        "incident": intention.incident,
        "about": payload["about"],
        "held": held,
        "queued": iso(now),
    }
    people = {one["person"]: one["name"] for one in to}
    connection.execute(
        insert(receipts),
        [{**common, "person": person, "name": name} for person, name in people.items()],
    )


def mark(
    connection: Connection,
    key: str,
    reached: Reached,
    time: str,
    *,
    people: Sequence[str] | None = None,
    detail: str = "",
    of_digest: bool = False,
) -> list[ReceiptRow]:
    """Note how far a notice, and those that it told as their digest, has come; for some people or
    for all. Returns the rows of which that is news. What has arrived does not fail any more. Who
    answers for a digest has not taken on all that is in it: with `of_digest` only that is marked.
    """
    column, merged = receipts.c[reached], _told_by(key)
    alone = receipts.c.key == key
    wanted: list[ColumnElement[bool]] = [column.is_(None)]
    if of_digest or reached == "acknowledged":
        wanted.append(merged if of_digest else alone)
    else:
        wanted.append(or_(alone, merged))
    if people is not None:
        wanted.append(receipts.c.person.in_(people))
    if reached == "failed":
        wanted += [receipts.c[each].is_(None) for each in ARRIVED]
    rows = list(connection.execute(select(receipts).where(*wanted)))
    for row in rows:
        changes: dict[str, str | None] = {reached: max(time, row.queued)}
        if of_digest:  # which failed on its first way, and then went another
            changes["failed"] = None
        if detail:
            changes["detail"] = detail
        connection.execute(update(receipts).where(*_is(row)).values(**changes))
    return rows


def refer(connection: Connection, key: str, reference: str) -> None:
    """Note what the provider calls a notice."""
    connection.execute(
        update(receipts).where(receipts.c.key == key).values(reference=reference[:200])
    )


def sent_as(connection: Connection, key: str, digest: str) -> None:
    """Note that a digest tells a notice, and what that told in its turn."""
    told = or_(receipts.c.key == key, _told_by(key))
    connection.execute(update(receipts).where(told).values(sent_as=digest))


def went(connection: Connection, key: str, person: str, instead: str) -> None:
    """Note that another notice goes another way, or that there is none (`NOWHERE`)."""
    connection.execute(
        update(receipts)
        .where(receipts.c.key == key, receipts.c.person == person)
        .values(instead=instead)
    )


def hold(connection: Connection, key: str, until: datetime) -> None:
    """Note until when a notice is kept back."""
    connection.execute(update(receipts).where(receipts.c.key == key).values(held=iso(until)))


def of(connection: Connection, key: str) -> list[ReceiptRow]:
    """The receipts of one notice."""
    return _select(connection, receipts.c.key == key)


def find(connection: Connection, channel: str, key: str, reference: str) -> list[ReceiptRow]:
    """The receipts that a channel speaks of, by the notice's key or by its own reference. A channel
    can only speak of what was given to it.
    """
    if key:
        return _select(connection, receipts.c.channel == channel, receipts.c.key == key)
    if reference:
        wanted = and_(receipts.c.reference != "", receipts.c.reference == reference[:200])
        rows = _select(connection, receipts.c.channel == channel, wanted)
        newest = max(rows, key=lambda row: row.queued, default=None)  # ids may come again one day
        return [row for row in rows if newest is not None and row.key == newest.key]
    return []


def meant(rows: Sequence[ReceiptRow], ack: Ack) -> list[str]:
    """Of whom a channel speaks. That somebody saw a notice for several, it must say who."""
    people = [str(row.person) for row in rows]
    if ack.person:
        return [ack.person] if ack.person in people else []
    return people if len(people) == 1 or ack.state in ("delivered", "failed") else []


def unseen(connection: Connection, alert: str, person: str) -> list[ReceiptRow]:
    """What a person was given about an alert and has not seen yet, so far as is known."""
    return _select(
        connection,
        receipts.c.alert == alert,
        receipts.c.person == person,
        receipts.c.seen.is_(None),
        or_(receipts.c.accepted.is_not(None), receipts.c.delivered.is_not(None)),
    )


def was_told(connection: Connection, intention: Intention, person: str) -> bool:
    """Whether an earlier notice about the same alert, or else the same incident, may have come to
    a person through the same channel.
    """
    about = receipts.c.incident == intention.incident
    if intention.alert:
        about = receipts.c.alert == intention.alert
    found = connection.execute(
        select(receipts.c.key)
        .join(actions, actions.c.key == receipts.c.key)
        .where(about, receipts.c.person == person, receipts.c.channel == intention.target)
        .where(or_(actions.c.attempts > 0, receipts.c.accepted.is_not(None)))
        .limit(1)
    )
    return found.first() is not None


def held(connection: Connection) -> list[tuple[ActionRow, ReceiptRow]]:
    """Notices that were kept back and not tried yet, oldest first, each with the receipt that says
    until when.
    """
    found = connection.execute(
        select(receipts)
        .join(actions, actions.c.key == receipts.c.key)
        .where(receipts.c.held != "", actions.c.state == "pending", actions.c.attempts == 0)
        .order_by(actions.c.id)
    ).all()
    rows = {
        row.key: row
        for row in connection.execute(
            select(actions).where(actions.c.key.in_([each.key for each in found]))
        )
    }
    return [(rows[each.key], each) for each in found]


def views(
    connection: Connection, alerts: Sequence[str], words: Words
) -> dict[str, list[ReceiptView]]:
    """By alert: who was told what, through which channel, and what came of it."""
    found: dict[str, list[ReceiptView]] = {alert: [] for alert in alerts}
    rows = connection.execute(
        select(receipts, actions.c.state, actions.c.detail.label("ended"))
        .join(actions, actions.c.key == receipts.c.key)
        .where(receipts.c.alert.in_(alerts))
        .order_by(actions.c.id, receipts.c.person)
    )
    for row in rows:
        found[row.alert].append(_view(row, words))
    return found


def _view(row: ReceiptRow, words: Words) -> ReceiptView:
    state = _state(row)
    return ReceiptView(
        key=row.key,
        person=row.person,
        name=row.name,
        channel=row.channel,
        about=row.about,
        state=state,
        queued=row.queued,
        held=row.held or None,
        accepted=row.accepted,
        delivered=row.delivered,
        seen=row.seen,
        acknowledged=row.acknowledged,
        failed=row.failed,
        detail=row.detail or row.ended,
        words=_in_words(row, state, words),
    )


def _state(row: ReceiptRow) -> ReceiptState:
    for reached in _IN_ORDER:
        if row._mapping[reached]:
            # What failed after it was accepted (a text message that no phone took) did not arrive.
            return "failed" if reached == "accepted" and row.failed else reached
    if row.failed:
        return "failed"
    if row.sent_as:
        return "in_digest"
    if row.state == "cancelled":
        return "called_off"
    return "held" if row.held else "queued"


def _in_words(row: ReceiptRow, state: ReceiptState, words: Words) -> str:
    """`School IT: delivered 14:03, seen 14:04 (Phone push)`."""

    def at(time: str) -> str:
        return words.clock(from_iso(time))

    times = [
        f"{said} {at(row._mapping[reached])}"
        for reached, said in _SAID.items()
        if row._mapping[reached] and not (reached == "accepted" and row.delivered)
    ]
    what = ", ".join(times)
    if state == "failed":
        what = f"NOT reached {at(row.failed)}: {row.detail or row.ended}"
    elif not times:
        what = {
            "in_digest": "told together with others",
            "called_off": f"no longer told: {row.ended}",
            "held": f"kept back until {at(row.held) if row.held else ''} (quiet hours)",
        }.get(state, f"waits since {at(row.queued)}")
    if row.instead not in ("", NOWHERE):
        what += "; told another way as well"
    who = row.name or words.everyone
    kind = _OF.get(row.about, "")
    return f"{who}: {what} ({words.channel(row.channel)}{kind})"


_SAID: Mapping[Reached, str] = {
    "accepted": "sent",
    "delivered": "delivered",
    "seen": "seen",
    "acknowledged": "taken on",
}
_OF: Mapping[str, str] = {
    "verdict": ", the verdict",
    "outcome": ", what was not done",
    "acknowledgement": ", who took it on",
}


def _told_by(digest: str) -> ColumnElement[bool]:
    # Said in full, or SQLite does not see that its index of digests covers this.
    return and_(receipts.c.sent_as != "", receipts.c.sent_as == digest)


def _is(row: ReceiptRow) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return receipts.c.key == row.key, receipts.c.person == row.person


def _select(connection: Connection, *conditions: ColumnElement[bool]) -> list[ReceiptRow]:
    return list(connection.execute(select(receipts).where(*conditions)))
