"""What waited too long: notices that come late are told as one, never as a storm.

While the hub or a channel was away notices pile up. Those younger than `hub.digest_after` go out
as they are; of older ones each person gets one digest through each channel. A channel that everyone
hears says nothing late.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from hub.clock import from_iso, iso
from hub.kinds.notifiers import SEVERITIES
from hub.safety.outbox import NOTICE_EXPIRES, ActionRow, Intention
from hub.safety.words import Words
from hub.storage.schema import actions

LINES = 20
TOO_LATE = "came too late for a channel that everyone hears"


@dataclass(frozen=True, slots=True)
class Late:
    """Notices of one lane, oldest first, and the one that is sent in their place; without one they
    are not sent at all.
    """

    rows: list[ActionRow]
    digest: Intention | None


def late(
    connection: Connection,
    words: Words,
    public: Callable[[str], bool],
    now: datetime,
    lane: str = "",
) -> Iterator[Late]:
    """What waits for longer than it may, in one lane or in all; a single one is no digest."""
    oldest = now - timedelta(seconds=words.config.hub.digest_after)
    waiting = (
        select(actions)
        .where(
            actions.c.kind == "notice",
            actions.c.state == "pending",
            actions.c.started.is_(None),
            actions.c.created < iso(oldest),
            actions.c.expires > iso(now),
        )
        .order_by(actions.c.id)
    )
    if lane:
        waiting = waiting.where(actions.c.lane == lane)
    lanes: dict[str, list[ActionRow]] = {}
    for row in connection.execute(waiting):
        lanes.setdefault(row.lane, []).append(row)
    for rows in lanes.values():
        if public(rows[0].target):
            yield Late(rows, None)
        elif len(rows) > 1:
            yield Late(rows, _digest(words, rows, now))


def _digest(words: Words, rows: list[ActionRow], now: datetime) -> Intention:
    payloads = [json.loads(row.payload) for row in rows]
    gravest = min((one["severity"] for one in payloads), key=SEVERITIES.index)
    lines = [line for one in payloads for line in _lines(words, one)]
    count = sum(one["data"].get("digest", 1) for one in payloads)
    if len(lines) > LINES:
        lines = [
            *lines[:LINES],
            f"and {len(lines) - LINES} more; the first page shows what is open.",
        ]
    payload = {
        "about": "alert",
        "severity": gravest,
        "title": f"{count} notices that could not be sent before",
        "text": "\n".join(lines),
        "time": iso(now),
        "place": "",
        "basis": "detector",
        "data": {"digest": count},
        "to": payloads[-1]["to"],
        "path": "/",
    }
    last = rows[-1]
    return Intention(
        kind="notice",
        target=last.target,
        what=f"{last.what}: {count} late notices as one",
        payload=payload,
        lane=last.lane,
        deadline_s=last.deadline_s,
        expires=NOTICE_EXPIRES,
    )


def _lines(words: Words, payload: dict[str, Any]) -> list[str]:
    """A notice as a line; those of an earlier digest that did not get out either as they were."""
    if payload["data"].get("digest"):
        return str(payload["text"]).splitlines()
    what = f"{payload['title']} ({payload['place']})" if payload["place"] else payload["title"]
    return [f"{words.moment(from_iso(payload['time']))}: {what}"]
