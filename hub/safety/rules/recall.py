"""The memory of rules, made again from the journal: after a start, a change of rules, a rollback.

The events of the rules' types are judged once more, at the times they were received, and nothing
acts. What fired then stands in the journal (`rule.fired`), so that what has fired does not fire
again, and what was missed while the hub was down does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, and_, bindparam, false, func, or_, select, true
from sqlalchemy.dialects.sqlite import insert

from hub.clock import from_iso, iso
from hub.events import Event
from hub.safety.rules.book import PROTOCOLS, RuleBook
from hub.safety.rules.memory import SETTLING, Cooldown, Memory
from hub.storage.eventlog import CLOCK_MOVED
from hub.storage.schema import events, meta

MOST_EVENTS = 1_000_000
MOST_IN_VIEW = 50_000  # of what cameras see, which comes in floods
BATCH = 2000
MOST_AHEAD = timedelta(days=7)
IN_FORCE = "protocols in force"
RECORDS = ("rule.fired", "rule.suppressed")

log = structlog.get_logger(__name__)


def recall(connection: Connection, rules: RuleBook, memory: Memory, now: datetime) -> None:
    """Fill the memory from the journal as it is. Reaches back as far as the rules do, and over at
    most the last `MOST_EVENTS` events, `MOST_IN_VIEW` for what cameras see.
    """
    fresh = memory.seq < 0
    memory.clear()
    last = int(connection.scalar(select(func.max(events.c.seq))) or 0)
    reach = rules.reach
    longest = max(reach.values(), default=timedelta())
    after: dict[str, int] = {}
    begin = now - set_ahead_within(connection, now, longest)
    for type_, span in {**reach, **dict.fromkeys(RECORDS, longest)}.items():
        most = MOST_IN_VIEW if type_.startswith("zone.") else MOST_EVENTS
        after[type_] = max(first_since(connection, begin - span), last - most)
    memory.facts.protocols.update(protocols_in_force(connection))
    for _, event, received in read(connection, after, last):
        if event.type in RECORDS:
            recorded(memory, rules, event, received)
        else:
            rules.judge(memory, event, received)
    memory.facts.protocols = protocols_in_force(connection)
    memory.seq = last
    if fresh:
        memory.settled = max(memory.settled, now + SETTLING)


def read(
    connection: Connection, after: Mapping[str, int], until: int
) -> Iterator[tuple[int, Event, datetime]]:
    """Events up to a sequence number in order, with when each was received: of each type those
    above the number that `after` has for it. The type `""` stands for all.
    """
    by_first: dict[int, list[str]] = {}
    for type_, first in after.items():
        by_first.setdefault(first, []).append(type_)
    wanted = [
        and_(events.c.seq > first, true() if "" in types else events.c.type.in_(types))
        for first, types in by_first.items()
    ]
    query = select(events).where(events.c.seq > bindparam("after"), events.c.seq <= until)
    query = query.where(or_(false(), *wanted)).order_by(events.c.seq).limit(BATCH)
    last = min(after.values(), default=until)
    while rows := connection.execute(query, {"after": last}).all():
        for row in rows:
            event = Event(
                row.type, row.source, from_iso(row.time), row.subject, json.loads(row.data), row.id
            )
            yield row.seq, event, from_iso(row.received)
        last = rows[-1].seq


def first_since(connection: Connection, moment: datetime) -> int:
    """The sequence number before the first event received since a moment. Events are in the order
    in which they were received; where the clock was set back, this is as near as can be.
    """
    wanted = iso(moment)
    low = 0
    high = int(connection.scalar(select(func.max(events.c.seq))) or 0) + 1
    while low + 1 < high:
        middle = (low + high) // 2
        found = connection.execute(
            select(events.c.seq, events.c.received)
            .where(events.c.seq >= middle)
            .order_by(events.c.seq)
            .limit(1)
        ).first()
        if found is None or found.received >= wanted:
            high = middle
        else:
            low = max(middle, found.seq)
    return low


def set_ahead_within(connection: Connection, now: datetime, span: timedelta) -> timedelta:
    """By how much the clock was set ahead in a span of time that has passed: that did not pass. At
    most `MOST_AHEAD`, since a clock that was years behind knows no moment of before.
    """
    ahead = timedelta()
    while True:
        of_it = select(events.c.data).where(
            events.c.seq > first_since(connection, now - span - ahead),
            events.c.type == CLOCK_MOVED,
        )
        moved = (float(json.loads(data)["seconds"]) for data in connection.scalars(of_it))
        found = min(timedelta(seconds=sum(each for each in moved if each > 0)), MOST_AHEAD)
        if found <= ahead:
            return ahead
        ahead = found


def protocols_in_force(connection: Connection) -> dict[str, datetime]:
    """The protocols in force as the journal has it, each with since when."""
    kept = connection.scalar(select(meta.c.value).where(meta.c.key == IN_FORCE))
    return {} if kept is None else {name: from_iso(at) for name, at in json.loads(kept).items()}


def note_protocol(connection: Connection, event: Event) -> None:
    """Keep in the journal that a protocol began or ended, for as long as it takes."""
    in_force = protocols_in_force(connection)
    if event.type == PROTOCOLS[0]:
        in_force.setdefault(event.subject, event.time)
    else:
        in_force.pop(event.subject, None)
    text = json.dumps({name: iso(at) for name, at in in_force.items()})
    connection.execute(
        insert(meta)
        .values(key=IN_FORCE, value=text)
        .on_conflict_do_update(index_elements=[meta.c.key], set_={"value": text})
    )


def recorded(memory: Memory, rules: RuleBook, event: Event, received: datetime) -> None:
    """Take in what a rule did."""
    name, data = str(event.data.get("rule")), event.data
    rule, key = rules.rules.get(name), (name, str(data.get("scope")))
    if rule is None:
        return
    causes = data.get("events") if event.type == "rule.suppressed" else [data.get("cause")]
    memory.counted(name, {str(each) for each in causes or ()})
    if event.type == "rule.suppressed":
        cooldown = memory.cooldowns.get(key)
        if cooldown is not None:
            told = set(data.get("events") or ())
            cooldown.untold = [each for each in cooldown.untold if each not in told]
            cooldown.told = received
    for (other, _), waiting in memory.waiting.items():
        if other == name and waiting.event.id in (causes or ()):
            waiting.fired = True  # kept back or not: it has had its turn
    if event.type == "rule.suppressed":
        return
    if rule.spec.cooldown is not None:
        until = received + timedelta(seconds=rule.spec.cooldown)
        cooldown = Cooldown(received, until, data["severity"], str(data.get("alert")))
        memory.cool(key, cooldown)
