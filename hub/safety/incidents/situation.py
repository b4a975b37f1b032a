"""How an incident stands, in words to those who were told of it; and who is reminded to say so."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select

from hub.clock import from_iso
from hub.kinds.notifiers import Recipient
from hub.safety.alerts import rows as alerts
from hub.safety.incidents import cases
from hub.safety.incidents.hand_off import reached
from hub.safety.incidents.rows import IncidentRow
from hub.safety.lanes import NOTICE, of_hand
from hub.safety.notices import notice as notices
from hub.safety.notices.languages import ENGLISH, Said, in_language
from hub.safety.notices.notice import Message
from hub.safety.outbox import ActionRow, Intention
from hub.safety.transaction import Charter
from hub.storage.schema import actions

ASKED = "Whoever leads: tell those who were told how it stands. If nobody leads, take the role."


def update_notices(
    connection: Connection,
    charter: Charter,
    row: IncidentRow,
    text: str | Said,
    by: str,
    now: datetime,
    known: Sequence[ActionRow] | None = None,
) -> Iterator[Intention]:
    """An update to everyone who was told of the incident, each through the channels they were told
    through, and to those it was handed over to; or only to whom these `known` notices went.
    Channels that everyone hears keep silent: a siren has no way to say that all is well.
    """
    words = charter.words
    message = Message(
        title=f"How it stands: {row.title}",
        text=f"{in_language(text, ENGLISH)}\n{words.person(by)}, {words.moment(now)}.",
        data={"by": by, "verified": _real(connection, row.id)},
        facts={"title": row.title, "opened": row.opened, "note": text},
        **_about(row, now, charter),
    )
    if known is None:
        known = [*_quiet(connection, charter, row.id), *reached(connection, row.id)]
    for notice in known:
        yield leading_to(notices.again(charter.config, words, message, notice), row)


def reminder_notices(
    connection: Connection, charter: Charter, row: IncidentRow, since: str, now: datetime
) -> Iterator[Intention]:
    """A reminder to the commander through each channel of their own that the incident was told
    through, else through all of their own, else through those that the incident was told through;
    where nobody leads, or it is nobody of the configuration, to everyone who was told.
    """
    words = charter.words
    begun = words.clock(from_iso(since or row.opened))
    message = Message(
        title=f"Give a situation update: {row.title}",
        text=f"No situation update since {begun}. {ASKED}",
        data={"reminder": True},
        facts={"title": row.title, "opened": row.opened, "line": begun},
        **_about(row, now, charter),
    )
    told = _quiet(connection, charter, row.id)
    leader = _commander(connection, charter, row)
    if leader is None:
        for notice in told:
            yield leading_to(notices.again(charter.config, words, message, notice), row)
        return
    contact = charter.config.people[leader.person].contact
    own = [channel for channel in contact if not charter.public(channel)]
    heard = [notice.target for notice in told]
    # Their own addresses first: what others share would ask everyone there.
    channels = [each for each in heard if each in own] or own or heard
    for intention in notices.intentions(
        charter.config, words, message, [leader.person], list(dict.fromkeys(channels))
    ):
        yield leading_to(intention, row)


def closing_notices(
    charter: Charter,
    row: IncidentRow,
    how: Said,
    why: str | Said,
    known: Sequence[ActionRow],
    now: datetime,
) -> Iterator[Intention]:
    """That an incident is closed, and how, to each whom one of these notices went to."""
    text = f"{in_language(how, ENGLISH)} ({charter.words.moment(now)})."
    message = Message(
        title=f"Closed: {row.title}",
        text=f"{text}\n{in_language(why, ENGLISH)}" if why else text,
        data={"closed": row.id},
        facts={"title": row.title, "opened": row.opened, "line": how, "note": why},
        **_about(row, now, charter),
    )
    for notice in known:
        yield leading_to(notices.again(charter.config, charter.words, message, notice), row)


def told_of_it(connection: Connection, charter: Charter, incident: str) -> list[ActionRow]:
    """One notice for each channel and group of people that may have been told how an incident
    stands, or whom it was handed over to; or still are to be.
    """
    rows = connection.execute(
        select(actions)
        .where(actions.c.incident == incident, func.likely(actions.c.alert == ""), NOTICE)
        .where(or_(actions.c.attempts > 0, actions.c.state == "pending"))
        .order_by(actions.c.id)
    )
    first: dict[tuple[str, ...], ActionRow] = {
        (row.target,): row for row in reached(connection, incident)
    }
    for notice in rows:
        payload = json.loads(notice.payload)
        people = tuple(one["person"] for one in payload["to"])
        if of_hand(notice.lane):
            continue
        if payload["about"] == "update" and not charter.public(notice.target):
            first.setdefault((notice.target, *people), notice)
    return list(first.values())


def _real(connection: Connection, incident: str) -> bool:
    """Whether a person has verified an alert of the incident."""
    return any(one.state == "verified" for one in alerts.of_incidents(connection, [incident]))


def _commander(connection: Connection, charter: Charter, row: IncidentRow) -> Recipient | None:
    people = cases.people(connection, cases.family(connection, row.id), charter.words)
    for one in people:
        if one["role"] == "commander":
            return cases.reach(charter.words, one["person"])
    return None


def _quiet(connection: Connection, charter: Charter, incident: str) -> Sequence[ActionRow]:
    return [one for one in cases.told(connection, incident) if not charter.public(one.target)]


def leading_to(intention: Intention, row: IncidentRow) -> Intention:
    """A notice, leading to the incident's page: it is about no single alert."""
    payload = dict(intention.payload) | {"path": f"/incidents/{row.id}"}
    return replace(intention, payload=payload)


def _about(row: IncidentRow, now: datetime, charter: Charter) -> dict[str, Any]:
    """What every message about an incident has in common."""
    return {
        "about": "update",
        "severity": row.severity,
        "time": now,
        "place": charter.words.campus.words(row.place),
        "alert": "",
        "incident": row.id,
        "basis": "person",
    }
