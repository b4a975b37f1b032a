"""Why a rule fired, or why not: each condition with the value that it met, from the journal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safety_school import SCHOOL, School, school
from sqlalchemy import Connection

from hub.campus import Campus
from hub.conditions import Condition
from hub.config import Config
from hub.events import EVENT_TYPES, Event
from hub.rules_port import Came
from hub.safety.rules.book import DERIVED
from hub.safety.rules.describe import KEYS, TYPES, Describer
from hub.safety.rules.explain import Explainer, Explanation
from hub.safety.rules.firings import FIRED, seen
from hub.safety.words import Words

NOTE = {"severity": "note", "through": ["console"]}


def rule(**keys: Any) -> dict[str, Any]:
    """The one rule of a school."""
    return {"r": {"name": "R", "when": "door.forced", "alert": NOTE} | keys}


@asynccontextmanager
async def ruled(folder: Path, **keys: Any) -> AsyncIterator[School]:
    """A school with one rule, `r`."""
    async with school(folder, rules=rule(**keys)) as house:
        yield house


async def explained(house: School, event: Event | None = None) -> Explanation:
    """What became of an event; of the newest that the rule begins with, where none is named."""
    campus = Campus(house.config.places)
    explainer = Explainer(Words(house.config, campus), campus, lambda name: False, "r")

    def work(connection: Connection) -> Explanation:
        found = seen(connection, house.config.rules["r"].when, None, 50)
        seq, one = next(e for e in found if event is None or e[1].id == event.id)
        return explainer.explain(connection, seq, one)

    return await house.journal.read(work)


def table(found: Explanation) -> list[tuple[str, str, bool | None]]:
    """The checks without what they ask."""
    return [(check.key, str(check.value), check.met) for check in found.checks]


async def test_each_condition_that_held_is_told_with_its_value(tmp_path: Path) -> None:
    """A firing of the journal, its place, label, score and hours."""
    asked = {"place": "wing", "label": "person", "min_score": 0.5, "outside": "wing_open"}
    async with ruled(tmp_path, **{"when": "zone.entered", "if": asked}) as house:
        await house.intake.accept(house.seen())
        found = await explained(house)
        assert (found.came, found.words) == ("fired", "It fired at 20:15:00.")
        assert table(found) == [
            ("when", "Person seen in Science wing", True),
            ("label", "person, 0.86 sure", True),
            ("place", "Science wing", True),
            ("outside", "it was 2026-03-02 20:15:00", True),
        ]
        assert found.firing is not None
        assert found.firing.type == FIRED


async def test_each_condition_is_told_that_did_not_hold(tmp_path: Path) -> None:
    """Not only the first: who mends a rule wants to see all of them."""
    asked = {"place": "yard", "label": "car", "camera": "yard", "during": "wing_open"}
    asked |= {"where": "score > 0.9", "protocol": "lockdown", "present": {"at_least": 2}}
    async with ruled(tmp_path, **{"when": "zone.entered", "if": asked}) as house:
        await house.intake.accept(house.seen(data={"track": 7}))
        found = await explained(house)
        assert found.came == "not"
        assert table(found)[1:] == [
            ("label", "person, 0.86 sure", False),
            ("place", "Science wing", False),
            ("camera", "Wing camera", False),
            ("present", "0 in view", False),
            ("where", "score 0.86", False),
            ("during", "it was 2026-03-02 20:15:00; not before 2026-03-09 08:00:00", False),
            ("protocol", "none is", False),
        ]


async def test_a_count_says_how_far_it_has_come(tmp_path: Path) -> None:
    """One of two is not enough; the second makes it, and both belong to the firing."""
    async with ruled(tmp_path, count={"at_least": 2, "within": "5m"}) as house:
        first = house.door_event("door.forced", "store")
        await house.intake.accept(first)
        found = await explained(house)
        assert (found.came, table(found)[-1]) == ("not", ("count", "1 so far", False))
        await house.clock.advance(60)
        await house.intake.accept(house.door_event("door.forced", "store"))
        found = await explained(house)
        assert (found.came, table(found)[-1]) == ("fired", ("count", "2 so far", True))


async def test_an_exception_that_came_is_told_with_its_time(tmp_path: Path) -> None:
    """A badge in the last ten seconds; without one, that none came."""
    unless = {"when": "access.granted", "within": "10s"}
    async with ruled(tmp_path, when="door.opened", unless=unless) as house:
        await house.intake.accept(house.door_event("access.granted", "store"))
        await house.clock.advance(4)
        await house.intake.accept(house.door_event("door.opened", "store"))
        found = await explained(house)
        assert (found.came, table(found)[-1]) == ("not", ("unless", "it came at 20:15:00", False))
        await house.clock.advance(60)
        await house.intake.accept(house.door_event("door.opened", "store"))
        found = await explained(house)
        assert (found.came, table(found)[-1]) == ("fired", ("unless", "none came", True))


async def test_an_exception_about_the_event_itself_is_told(tmp_path: Path) -> None:
    """What it asked, and what the event had."""
    asked = {"if": {"door": "store"}}
    async with ruled(tmp_path, unless=asked) as house:
        await house.intake.accept(house.door_event("door.forced", "store"))
        found = await explained(house)
        assert (found.came, table(found)[-1]) == ("not", ("unless", "Chemistry store", False))


async def test_a_cooldown_says_since_when_and_until_when(tmp_path: Path) -> None:
    """What it kept back held in everything else."""
    async with ruled(tmp_path, cooldown="5m") as house:
        await house.intake.accept(house.door_event("door.forced", "store"))
        found = await explained(house)
        assert (found.came, table(found)[-1]) == ("fired", ("cooldown", "it had not fired", True))
        await house.clock.advance(60)
        await house.intake.accept(house.door_event("door.forced", "store"))
        found = await explained(house)
        quiet = ("cooldown", "it fired at 20:15:00, quiet until 20:20:00", False)
        assert (found.came, table(found)[-1]) == ("kept_back", quiet)


async def test_what_has_to_follow_is_looked_for_in_what_came_after(tmp_path: Path) -> None:
    """Not yet, not in time, and in time: three different answers about the first event."""
    steps = [{"when": "door.opened", "within": "30s"}, {"when": "door.held", "within": "1m"}]
    async with ruled(tmp_path, followed_by=steps) as house:
        late = house.door_event("door.forced", "store")
        await house.intake.accept(late)
        waits = await explained(house)
        assert waits.came == "waits"
        assert table(waits)[1:] == [
            ("followed_by", "it has not come yet", None),
            ("followed_by", "", None),
        ]
        await house.clock.advance(120)
        await house.intake.accept(house.door_event("door.opened", "store"))
        found = await explained(house)
        assert (found.came, table(found)[1]) == ("not", ("followed_by", "it did not come", False))
        in_time = house.door_event("door.forced", "store")
        await house.intake.accept(in_time)
        for kind in ("door.opened", "door.held"):
            await house.clock.advance(20)
            await house.intake.accept(house.door_event(kind, "store"))
        found = await explained(house, in_time)
        assert found.came == "fired"
        assert [met for _, _, met in table(found)[1:]] == [True, True]
        assert table(found)[1][1] == "Chemistry store: opened, 20:17:20"


async def test_what_has_to_last_says_what_ended_it(tmp_path: Path) -> None:
    """Still lasting, ended early, begun earlier, and long enough."""
    async with ruled(tmp_path, when="door.opened", lasting="2m") as house:
        opened = house.door_event("door.opened", "store")
        await house.intake.accept(opened)
        found = await explained(house)
        assert (found.came, table(found)[-1]) == ("waits", ("lasting", "it still lasts", None))
        again = house.door_event("door.opened", "store")
        await house.intake.accept(again)
        found = await explained(house, again)
        assert table(found)[-1] == ("lasting", "it had begun at 2026-03-02 20:15:00", None)
        await house.clock.advance(50)
        await house.intake.accept(house.door_event("door.closed", "store"))
        found = await explained(house, opened)
        ended = ("lasting", "it ended after 50s: Chemistry store: closed", False)
        assert (found.came, table(found)[-1]) == ("not", ended)
        long = house.door_event("door.opened", "store")
        await house.intake.accept(long)
        await house.clock.advance(150)
        await house.intake.lapse()
        found = await explained(house, long)
        assert (found.came, table(found)[-1][2]) == ("fired", True)


async def test_what_the_journal_says_stands_beside_what_the_rule_is_now(tmp_path: Path) -> None:
    """Changed since: it fired and would not now, or would now and did not then."""
    async with ruled(tmp_path) as house:
        await house.intake.accept(house.door_event("door.forced", "store"))
        changed = rule(**{"if": {"door": "wing_east"}})
        house.config = Config.model_validate(SCHOOL | {"rules": changed})
        found = await explained(house)
        assert (found.came, found.words) == (
            "fired", "It fired at 20:15:00. As the rule is now, it would not.",
        )  # fmt: skip
    other = tmp_path / "other"
    other.mkdir()
    async with ruled(other, **{"if": {"door": "wing_east"}}) as house:
        await house.intake.accept(house.door_event("door.forced", "store"))
        house.config = Config.model_validate(SCHOOL | {"rules": rule()})
        assert (await explained(house)).came == "would"


async def test_explaining_writes_nothing(tmp_path: Path) -> None:
    """Neither an event nor an alert, nor anything in the outbox."""
    async with ruled(tmp_path, cooldown="5m") as house:
        await house.intake.accept(house.door_event("door.forced", "store"))
        before = await house.intake.counts()
        await explained(house)
        assert await house.intake.counts() == before


KINDS = st.sampled_from(["door.forced", "door.opened", "door.closed", "access.granted"])
HAPPENED = st.lists(st.tuples(KINDS, st.sampled_from(["store", "wing_east"]), st.integers(1, 90)))
RULES = [
    {},
    {"cooldown": "1m"},
    {"count": {"at_least": 2, "within": "1m"}},
    {"unless": {"when": "access.granted", "within": "30s"}},
    {"if": {"place": "wing"}, "cooldown": "2m"},
    {"when": "door.opened", "lasting": "1m"},
    {"followed_by": {"when": "door.opened", "within": "45s"}},
    {"same": "anything", "count": {"at_least": 3, "within": "3m", "different": "door"}},
]


@pytest.mark.parametrize("keys", RULES)
@settings(max_examples=8, deadline=None)
@given(happened=HAPPENED)
@example(happened=[("door.forced", "store", 1), ("door.forced", "store", 1)])
async def test_it_never_contradicts_what_the_rule_did(
    tmp_path_factory: pytest.TempPathFactory, keys: dict[str, Any], happened: list[Any]
) -> None:
    """Whatever happens: where the journal has a firing it says fired, where not it never does, and
    something that it shows as not held is the reason.
    """
    async with ruled(tmp_path_factory.mktemp("any"), **keys) as house:
        came: list[Event] = []
        for kind, door, wait in happened:
            came.append(house.door_event(kind, door))
            await house.intake.accept(came[-1])
            await house.clock.advance(wait)
            await house.intake.lapse()
        fired = {
            each
            for _, event in await house.intake.past_events(0)
            if event.type == FIRED
            for each in event.data["events"]
        }
        for event in came:
            if event.type in house.config.rules["r"].when:
                found = await explained(house, event)
                allowed: set[Came] = {"fired"} if event.id in fired else {"kept_back", "not"}
                waits = {"waits"} if event.id not in fired else set()
                assert found.came in allowed | waits
                assert "would not" not in found.words
                assert (found.came == "not") <= any(met is False for _, _, met in table(found))


def test_every_key_of_a_condition_is_put_in_words() -> None:
    """A key that is added later is not left out of what people read."""
    assert set(KEYS) == set(Condition.model_fields)


def test_every_type_that_rules_mostly_wait_for_is_known() -> None:
    """No words for types that are gone, or that no rule sees."""
    assert set(TYPES) <= {each for each in EVENT_TYPES if not each.startswith(DERIVED)}


def test_a_rule_reads_as_what_when_and_what_then() -> None:
    """Trigger, scope and action, each in words with the names that people know."""
    config = Config.model_validate(SCHOOL)
    words = Words(config, Campus(config.places))
    found = Describer(words, lambda name: name == "siren").rule(config.rules["closed_wing"])
    assert found.when == ["Somebody or something comes into view"]
    assert found.where == [
        "what is seen: person", "at least 0.50 sure", "in Science wing",
        "outside Science wing open",
    ]  # fmt: skip
    assert found.then[0] == "High alert to Sro, Front office through Console, Post"
    assert found.then[1:] == [
        "once verified: Locks Science wing east, Chemistry store", "once verified: Sounds Siren",
    ]  # fmt: skip


def test_all_forms_of_a_rule_are_put_in_words() -> None:
    """Count, steps, lasting, exceptions, cooldown, graver."""
    config = Config.model_validate(
        SCHOOL
        | {
            "rules": rule(
                when=["door.forced", "door.held", "plugin.x.y"],
                count={"at_least": 3, "within": "10m", "different": "door"},
                unless=[
                    {"when": "access.granted", "within": "10s", "if": {"door": "store"}},
                    {"if": {"where": 'door == "old_gate"'}},
                ],
                cooldown="5m",
                alert=NOTE | {"graver": {"severity": "high", "if": {"during": "wing_open"}}},
            )
        }
    )
    words = Words(config, Campus(config.places))
    found = Describer(words, lambda name: False).rule(config.rules["r"])
    assert found.when == [
        "A door is forced open, A door is held open, or: plugin.x.y",
        "3 different by door within 10m",
    ]
    assert found.where == [
        "unless in the 10s before: A credential lets somebody in (at the door Chemistry store)",
        'unless where door == "old_gate"',
        "then quiet about the same for 5m",
    ]
    assert found.then == ["Note through Console", "High alert if during Science wing open"]
