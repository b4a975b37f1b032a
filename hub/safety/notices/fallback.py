"""Another way: a notice that a channel does not take goes to the person's next channel, once.

The ways of a person are what they `prefer`, in that order; after them, and where a channel has no
address of theirs, comes what the notifier names as its `fallback`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, func, select

from hub.clock import from_iso, iso
from hub.config import Config
from hub.safety.lanes import handed_lane, of_hand
from hub.safety.outbox import NOTICE_EXPIRES as EXPIRES
from hub.safety.outbox import ActionRow, Intention, notice_lane
from hub.safety.words import Words
from hub.storage.schema import actions, receipts


@dataclass(frozen=True, slots=True)
class Way:
    """A notice that goes another way, and for whom it stands in."""

    people: tuple[str, ...]
    intention: Intention


def possible(config: Config) -> bool:
    """Whether anybody has another way at all."""
    return any(block.prefer for block in config.people.values()) or any(
        block.fallback is not None for block in config.notifiers.values()
    )


def due(connection: Connection, config: Config, now: datetime) -> list[ActionRow]:
    """Pending notices that nobody took for so long that they are to go another way now."""
    since = iso(now - timedelta(seconds=config.hub.fall_back_after))
    waiting = _waiting().where(actions.c.created <= since, receipts.c.held <= since)
    return list(connection.execute(waiting.order_by(actions.c.id)))


def next_due(connection: Connection, config: Config, now: datetime) -> str | None:
    """When the next one will be, as text."""
    since = iso(now - timedelta(seconds=config.hub.fall_back_after))
    waiting = _waiting().subquery()
    began = func.max(waiting.c.created, waiting.c.until)
    found: str | None = connection.scalar(select(func.min(began)).where(began > since))
    if found is None:
        return None
    return iso(from_iso(found) + timedelta(seconds=config.hub.fall_back_after))


def _waiting() -> Any:
    """Notices that have not ended and of which no receipt says that they went another way. Only
    notices have receipts.
    """
    return (
        select(actions, func.max(receipts.c.held).label("until"))
        .join(receipts, receipts.c.key == actions.c.key)
        .where(
            actions.c.state == "pending",
            actions.c.stop == "",
            receipts.c.instead == "",
        )
        .group_by(actions.c.id)
    )


def ways(
    connection: Connection,
    words: Words,
    public: Callable[[str], bool],
    action: ActionRow,
    without: frozenset[str],
) -> Iterator[Way]:
    """Where a notice goes instead, for each of its people but those `without`."""
    payload = json.loads(action.payload)
    people = [one for one in payload["to"] if one["person"] not in without]
    tried = [*payload["data"].get("instead_of", ()), action.target]

    def way(person: str) -> str:
        for channel in _after(words.config, public, person, action.target, tried):
            there = _there(connection, action, payload, channel, person)
            if not there:
                return channel
            if there == "stands":
                break
        return ""

    by_channel: dict[str, list[dict[str, str]]] = {}
    for one in people:
        if channel := way(one["person"]):
            block = words.config.people.get(one["person"])
            contact = block.contact.get(channel, "") if block is not None else ""
            by_channel.setdefault(channel, []).append({**one, "contact": contact})
    if not payload["to"] and (channel := way("")):
        yield Way(("",), _intention(words, action, payload, channel, [], tried))
    for channel, to in by_channel.items():
        shared = [one for one in to if not one["contact"]]
        for group in [*([one] for one in to if one["contact"]), *([shared] if shared else [])]:
            names = tuple(one["person"] for one in group)
            yield Way(names, _intention(words, action, payload, channel, group, tried))


def _after(
    config: Config, public: Callable[[str], bool], person: str, target: str, tried: list[str]
) -> Iterator[str]:
    """The channels after this one, in order. Never one that everybody hears, nor one that reaches
    emergency services.
    """
    block = config.people.get(person)
    after = config.notifiers[target].fallback if target in config.notifiers else None
    for channel in (*(block.prefer if block is not None else ()), after):
        if channel is None or channel in tried or channel not in config.notifiers:
            continue
        if channel in config.hub.emergency.hand_off:
            continue
        if config.notifiers[channel].enabled and not public(channel):
            yield channel


def _there(
    connection: Connection, action: ActionRow, payload: dict[str, Any], channel: str, person: str
) -> Literal["", "stands", "lost"]:
    """Whether that channel has the same message for that person already; `lost` where it did not
    take that one either.
    """
    if not action.alert:
        return ""
    beside = connection.execute(
        select(actions, receipts.c.instead)
        .join(receipts, receipts.c.key == actions.c.key)
        .where(actions.c.alert == action.alert, receipts.c.person == person)
    )
    found = [
        row.state in ("failed", "timed_out") or row.instead != ""
        for row in beside
        if row.target == channel and row.created >= action.created
        if _same(json.loads(row.payload), payload)
    ]
    if not found:
        return ""
    return "lost" if all(found) else "stands"


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(one["title"] == other["title"] and one["about"] == other["about"])


def _intention(
    words: Words,
    action: ActionRow,
    payload: dict[str, Any],
    channel: str,
    to: list[dict[str, str]],
    tried: list[str],
) -> Intention:
    block = words.config.notifiers[channel]
    who = ", ".join(one["name"] for one in to) or "everyone"
    lane = notice_lane(payload["severity"], channel, [one["person"] for one in to])
    return Intention(
        kind="notice",
        target=channel,
        what=f"Tell {who} through {words.channel(channel)}, as {words.channel(action.target)} "
        "did not take it",
        payload={
            **payload,
            "to": to,
            "data": {**payload["data"], "instead_of": tried},
            "stands_for": payload.get("stands_for", action.key),
        },
        lane=handed_lane(channel) if of_hand(action.lane) else lane,
        deadline_s=block.timeout,
        expires=EXPIRES,
        alert=action.alert,
        incident=action.incident,
    )
