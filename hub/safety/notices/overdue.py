"""What waited too long: notices that come late are told as one, never as a storm.

While the hub or a channel was away notices pile up. Those younger than `hub.digest_after` go out
as they are; of older ones each person gets one digest. A person whose channels have an order
(`prefer`) gets it through the first of them alone, unless something in it is severe; others get one
through each channel. What quiet hours kept back comes the same way when they end. A channel that
everyone hears says nothing late. What was handed over to emergency services, and each later word on
it, is part of no digest: it goes out by itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, select

from hub.clock import from_iso, iso
from hub.kinds.notifiers import SEVERITIES
from hub.safety.lanes import HANDED_LANE, NOTICE
from hub.safety.notices.notice import DRILL
from hub.safety.outbox import NOTICE_EXPIRES, ActionRow, Intention, notice_lane
from hub.safety.words import Words
from hub.storage.schema import actions, receipts

LINES = 20
TOO_LATE = "came too late for a channel that everyone hears"
NOT_SENT = "that could not be sent before"
KEPT_BACK = "from your quiet hours"

Pile = tuple[str, ...]
_HELD = select(receipts.c.key).where(receipts.c.key == bindparam("key"), receipts.c.held != "")


@dataclass(frozen=True, slots=True)
class Late:
    """Notices, oldest first, and the one that is sent in their place; without one they are not
    sent at all.
    """

    rows: list[ActionRow]
    digest: Intention | None


def late(
    connection: Connection,
    words: Words,
    public: Callable[[str], bool],
    now: datetime,
    back: ActionRow | None = None,
) -> Iterator[Late]:
    """What waits for longer than it may; a single one is no digest. With `back`, a notice that a
    channel has just taken again, only what waits there for the same people.
    """
    oldest = iso(now - timedelta(seconds=words.config.hub.digest_after))
    kept_back = select(receipts.c.key).where(receipts.c.held > oldest)
    waiting = (
        select(actions)
        .where(
            NOTICE,
            ~actions.c.lane.startswith(HANDED_LANE),
            actions.c.state == "pending",
            actions.c.started.is_(None),
            actions.c.created < oldest,
            actions.c.expires > iso(now),
            actions.c.key.not_in(kept_back),
        )
        .order_by(actions.c.id)
    )
    people = None if back is None else _people(json.loads(back.payload))
    piles: dict[Pile, list[ActionRow]] = {}
    for row in connection.execute(waiting):
        if back is not None and row.target != back.target:  # of few: not asked of all there were
            continue
        payload = json.loads(row.payload)
        if people is None or _people(payload) == people:
            piles.setdefault(_pile(words, row, payload), []).append(row)
    for rows in piles.values():
        if public(rows[0].target):
            yield Late(rows, None)
        elif len(rows) > 1:
            yield Late(rows, _digest(words, rows, now, NOT_SENT))


def kept_back(
    connection: Connection, words: Words, action: ActionRow, now: datetime
) -> Late | None:
    """What quiet hours kept back for a person and may now be told, where that is more than this
    notice; None for one that was not kept back.
    """
    if connection.scalar(_HELD, {"key": action.key}) is None:
        return None
    held = (
        select(actions)
        .join(receipts, receipts.c.key == actions.c.key)
        .where(
            receipts.c.held != "",
            receipts.c.held <= iso(now),
            receipts.c.person.in_(_people(json.loads(action.payload))),
            actions.c.state == "pending",
            actions.c.attempts == 0,
        )
        .order_by(actions.c.id)
    )
    piles: dict[Pile, list[ActionRow]] = {}
    for row in connection.execute(held):
        piles.setdefault(_pile(words, row, json.loads(row.payload)), []).append(row)
    for rows in piles.values():
        if len(rows) > 1 and any(row.id == action.id for row in rows):
            return Late(rows, _digest(words, rows, now, KEPT_BACK))
    return None


def _people(payload: dict[str, Any]) -> list[str]:
    return [one["person"] for one in payload["to"]]


def _pile(words: Words, row: ActionRow, payload: dict[str, Any]) -> Pile:
    """What is told together: all for one person, or for the same people on one channel."""
    to = payload["to"]
    alone = len(to) == 1 and to[0]["contact"]
    person = words.config.people.get(to[0]["person"]) if alone else None
    if person is not None and row.target in person.prefer and payload["severity"] != "severe":
        return ("person", to[0]["person"])
    return ("channel", row.target, *_people(payload))


def _first_choice(words: Words, rows: list[ActionRow], payload: dict[str, Any]) -> ActionRow:
    """The notice whose channel the person likes best; the newest of that channel."""
    to = payload["to"]
    person = words.config.people.get(to[0]["person"]) if len(to) == 1 else None
    for channel in person.prefer if person is not None else ():
        for row in reversed(rows):
            if row.target == channel:
                return row
    return rows[-1]


def _digest(words: Words, rows: list[ActionRow], now: datetime, why: str) -> Intention:
    payloads = [json.loads(row.payload) for row in rows]
    gravest = min((one["severity"] for one in payloads), key=SEVERITIES.index)
    last = _first_choice(words, rows, payloads[-1])
    payloads = _each_once(rows, payloads)
    told = [line for one in payloads for line in _lines(one)]
    lines = [f"{words.moment(from_iso(time))}: {what}" for time, what in told]
    count = sum(one["data"].get("digest", 1) for one in payloads)
    if len(lines) > LINES:
        lines = [
            *lines[:LINES],
            f"and {len(lines) - LINES} more; the first page shows what is open.",
        ]
    to = json.loads(last.payload)["to"]
    drill = all(one["data"].get("drill") for one in payloads)
    payload = {
        "about": "alert",
        "severity": gravest,
        "title": f"{count} notices {why}",
        "text": "\n".join(lines),
        "time": iso(now),
        "place": "",
        "basis": "detector",
        "data": {"digest": count} | ({"drill": True} if drill else {}),
        "facts": {"lines": told, "quiet": why == KEPT_BACK},
        "to": to,
        "path": "/",
    }
    return Intention(
        kind="notice",
        target=last.target,
        what=f"{last.what}: {count} late notices as one",
        payload=payload,
        lane=notice_lane(gravest, last.target, [one["person"] for one in to]),
        deadline_s=last.deadline_s,
        expires=NOTICE_EXPIRES,
    )


def _each_once(rows: list[ActionRow], payloads: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was to be told over two channels is told once."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for row, payload in zip(rows, payloads, strict=True):
        same = row.alert and (row.alert, payload["about"], payload["title"], payload["time"])
        found.setdefault(same or (row.key,), payload)
    return list(found.values())


def _lines(payload: dict[str, Any]) -> list[tuple[str, str]]:
    """A notice as time and words; those of an earlier digest that did not get out either too."""
    if payload["data"].get("digest"):
        return [(time, what) for time, what in payload["facts"]["lines"]]
    what = f"{payload['title']} ({payload['place']})" if payload["place"] else payload["title"]
    drill = payload["data"].get("drill") and not what.startswith(DRILL)
    return [(payload["time"], f"{DRILL}{what}" if drill else what)]
