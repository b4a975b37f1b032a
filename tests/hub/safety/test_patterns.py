"""Counts, sequences, what lasts, exceptions and cooldowns: what they mean, and at the edges."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_days import Day, at, badge, camera, door, person, protocol
from safety_school import SCHOOL

from hub.config import Config
from hub.events import Event
from hub.safety.rules.clauses import MOST_PRESENT
from hub.safety.rules.memory import MOST_KEYS
from hub.safety.rules.patterns import CompiledRule

NOTE = {"severity": "note"}
OPEN = {"weekly": [{"days": ["mon", "tue"], "from": "08:00", "to": "16:00"}]}


def day(**rules: dict[str, Any]) -> Day:
    """A day with these rules; each is a note unless it says otherwise."""
    whole = {name: {"name": name, "alert": NOTE} | rule for name, rule in rules.items()}
    schedules = SCHOOL["schedules"] | {"open": OPEN}
    return Day(Config.model_validate(SCHOOL | {"rules": whole, "schedules": schedules}))


# ------------------------------------------------------------------------ count


def counted(**count: Any) -> Day:
    """A rule that counts forced doors."""
    rule = {"when": "door.forced", "count": {"at_least": 3, "within": "5m"} | count}
    return day(r=rule | {"same": "anything"})


def test_a_count_fires_at_its_number_and_then_counts_afresh() -> None:
    """Three within five minutes fire once; the next three fire again, and each says which."""
    today = counted()
    for minute in range(7):
        today.see(door(at(f"10:0{minute}"), "forced", "store"))
    assert today.names() == ["r", "r"]
    first = today.fired[0]
    assert first.matched == ("door.forced", "3 times within 5m (in 2m)")
    assert len(set(first.events)) == 3
    assert first.event.id == first.events[-1]


def test_a_count_lets_go_of_what_is_too_old() -> None:
    """Exactly at the edge of the window an event still counts, past it no more."""
    today = counted()
    today.see(*(door(at(clock), "forced", "store") for clock in ("10:00", "10:04", "10:05")))
    assert today.names() == ["r"]
    today.see(*(door(at(clock), "forced", "store") for clock in ("11:00", "11:04", "11:05:01")))
    assert today.names() == ["r"]


def test_events_that_arrive_late_count_when_they_happened() -> None:
    """What a remote worker sends after an outage is no burst, and out of order is no matter."""
    today = counted()
    for clock in ("10:00", "10:10", "10:20", "10:30"):
        today.see(door(at(clock), "forced", "store"), late=1800)
    assert today.names() == []
    late = [door(at(clock), "forced", "store") for clock in ("12:02", "12:00", "12:04")]
    for event in late:
        today._take(today.book.judge(today.memory, event, at("12:05")), at("12:05"))
    assert today.names() == ["r"]


def test_a_count_of_different_ones() -> None:
    """The same door thrice is one door; three doors are three."""
    today = counted(different="door")
    today.see(*(door(at(f"10:0{n}"), "forced", "store") for n in range(4)))
    assert today.names() == []
    today.see(door(at("10:04"), "forced", "wing_east"), door(at("10:05"), "forced", "old_gate"))
    assert today.names() == ["r"]
    assert "3 different by door (store, wing_east, old_gate)" in today.fired[0].matched[-1]


def test_same_keeps_apart_what_has_nothing_in_common() -> None:
    """By default each door is counted by itself; what has no such thing does not count."""
    rule = {"when": "door.forced", "count": {"at_least": 2, "within": "5m"}}
    today = day(by_door=rule, by_label=rule | {"same": "label"})
    today.see(door(at("10:00"), "forced", "store"), door(at("10:01"), "forced", "old_gate"))
    assert today.names() == []
    today.see(door(at("10:02"), "forced", "store"))
    assert today.names() == ["by_door"]


# ------------------------------------------------------------------------ sequence


def test_a_sequence_fires_with_its_last_step_and_tells_all() -> None:
    """Each step follows soon enough after the one before; the explanation goes through them."""
    rule = {
        "when": "plugin.badges.granted",
        "followed_by": [
            {"when": "door.opened", "within": "10s"},
            {"when": "door.forced", "within": "20s"},
        ],
    }
    today = day(r=rule)
    today.see(
        badge(at("10:00"), "granted", "store"),
        door(at("10:00:08"), "opened", "store"),
        door(at("10:00:27"), "forced", "store"),
    )
    (match,) = today.fired
    assert match.matched == (
        "plugin.badges.granted",
        "then door.opened after 8s",
        "then door.forced after 19s",
    )
    assert len(match.events) == 3


@pytest.mark.parametrize(
    "events",
    [
        [badge(at("10:00"), "granted", "store"), door(at("10:00:11"), "opened", "store")],
        [door(at("10:00"), "opened", "store"), badge(at("10:00:05"), "granted", "store")],
        [badge(at("10:00"), "granted", "store"), door(at("10:00:05"), "opened", "old_gate")],
    ],
    ids=["too late", "the other way round", "another door"],
)
def test_what_is_no_sequence(events: list[Event]) -> None:
    """Too late, the wrong order or another door is none."""
    step = {"when": "door.opened", "within": "10s"}
    today = day(r={"when": "plugin.badges.granted", "followed_by": step})
    today.see(*events)
    assert today.names() == []


def test_one_event_is_not_two_steps() -> None:
    """A sequence of the same type twice takes two events."""
    rule = {"when": "door.forced", "followed_by": {"when": "door.forced", "within": "1m"}}
    today = day(r=rule)
    today.see(door(at("10:00"), "forced", "store"))
    assert today.names() == []
    today.see(door(at("10:00:30"), "forced", "store"))
    assert today.names() == ["r"]


# ------------------------------------------------------------------------- lasting


def test_what_lasts_fires_once_when_its_time_is_over() -> None:
    """Not before, not again, and from the first event although others follow."""
    today = day(r={"when": "door.opened", "lasting": "5m"})
    today.see(door(at("10:00"), "opened", "store"), door(at("10:03"), "opened", "store"))
    today.wait(at("10:04:59"))
    assert today.names() == []
    today.wait(at("10:05"))
    today.wait(at("12:00"))
    assert today.names() == ["r"]
    assert today.fired[0].matched[-1] == "lasted 5m (since 2026-03-02 10:00:00)"
    today.see(door(at("12:00"), "closed", "store"), door(at("12:01"), "opened", "store"))
    today.wait(at("12:07"))
    assert today.names() == ["r", "r"]


def test_what_ends_it_ends_only_its_own() -> None:
    """Another door's closing changes nothing; with `anything` it does."""
    rule = {"when": "door.opened", "lasting": "5m"}
    today = day(own=rule, any=rule | {"same": "anything"})
    today.see(door(at("10:00"), "opened", "store"), door(at("10:01"), "closed", "old_gate"))
    today.wait(at("10:10"))
    assert today.names() == ["own"]


def test_a_schedule_has_to_last_too() -> None:
    """Open since before closing time counts from closing time; until morning, from the morning."""
    after = day(r={"when": "door.opened", "lasting": "10m", "if": {"outside": "open"}})
    after.see(door(at("15:50"), "opened", "store"))
    after.wait(at("16:09:59"))
    assert after.names() == []
    after.wait(at("16:10"))
    assert after.names() == ["r"]
    within = day(r={"when": "door.opened", "lasting": "10m", "if": {"during": "open"}})
    within.see(door(at("15:55"), "opened", "store"))
    within.wait(at("08:09:59", 1))
    assert within.names() == []
    within.wait(at("08:10", 1))
    assert within.names() == ["r"]


def test_a_camera_that_goes_dark_ends_what_it_saw_last() -> None:
    """Nobody knows whether somebody still stands there once the camera is offline."""
    today = day(r={"when": "zone.entered", "lasting": "5m", "same": "track"})
    today.see(person(at("10:00"), "wing"), camera(at("10:01"), "offline", "wing"))
    today.wait(at("10:10"))
    assert today.names() == []


def test_an_exception_about_time_is_waited_out() -> None:
    """What is excepted when its time is over fires as soon as it is no longer."""
    rule = {"when": "door.opened", "lasting": "5m", "unless": {"if": {"protocol": "evacuate"}}}
    today = day(r=rule)
    today.see(protocol(at("09:59"), "started", "evacuate"), door(at("10:00"), "opened", "store"))
    today.wait(at("10:20"))
    assert today.names() == []
    today.see(protocol(at("10:20:30"), "ended", "evacuate"))
    today.wait(at("10:22"))
    assert today.names() == ["r"]


# -------------------------------------------------------------- unless, cooldown, graver


def test_what_came_before_keeps_a_rule_from_firing() -> None:
    """A badge at that door within ten seconds does; an older one or another door's does not."""
    rule = {"when": "door.opened", "unless": {"when": "plugin.badges.granted", "within": "10s"}}
    today = day(r=rule)
    today.see(badge(at("10:00"), "granted", "store"), door(at("10:00:10"), "opened", "store"))
    assert today.names() == []
    today.see(door(at("10:00:11"), "opened", "store"))
    assert today.fired[0].matched[-1] == "no plugin.badges.granted in the 10s before"
    today.see(badge(at("11:00"), "granted", "old_gate"), door(at("11:00:01"), "opened", "store"))
    assert len(today.fired) == 2


def test_a_cooldown_is_per_rule_and_subject_and_lists_what_it_keeps_back() -> None:
    """One door keeps quiet, another does not; each event that was kept back is named."""
    today = day(r={"when": "door.forced", "cooldown": "10m"}, other={"when": "door.forced"})
    today.see(door(at("10:00"), "forced", "store"))
    quiet = [door(at(f"10:0{n}"), "forced", "store") for n in (1, 9)]
    today.see(*quiet, door(at("10:09"), "forced", "old_gate"))
    assert [match.rule for match in today.fired].count("r") == 2
    assert [match.event.id for match in today.kept_back] == [event.id for event in quiet]
    today.wait(at("10:10"))
    (listed,) = today.listed
    assert (listed.rule, listed.scope, listed.cooldown.count) == ("r", "door/store", 2)
    assert listed.cooldown.untold == [event.id for event in quiet]
    today.see(door(at("10:10"), "forced", "store"))
    assert [match.rule for match in today.fired].count("r") == 3


def test_a_cooldown_never_keeps_back_what_is_graver() -> None:
    """What is to be checked by day is high at night, and is told although the rule is quiet."""
    alert = {"severity": "check", "graver": {"severity": "high", "if": {"outside": "open"}}}
    today = day(r={"when": "door.forced", "cooldown": "1h", "alert": alert})
    for clock in ("15:50", "15:55", "16:05", "16:10"):
        today.see(door(at(clock), "forced", "store"))
    assert [match.severity for match in today.fired] == ["check", "high"]
    assert [match.severity for match in today.kept_back] == ["check", "high"]


# ------------------------------------------------------------------ clocks and bounds


def test_a_clock_that_is_set_back_takes_what_is_under_way_with_it() -> None:
    """After two hours back a door that had been open for three minutes has been so for three."""
    rules = {
        "open": {"when": "door.opened", "lasting": "5m"},
        "twice": {"when": "door.forced", "count": {"at_least": 2, "within": "5m"}},
        "once": {"when": "door.held", "cooldown": "10m"},
    }
    today = day(**rules)
    today.see(
        door(at("12:00"), "opened", "store"),
        door(at("12:00"), "forced", "store"),
        door(at("12:00"), "held", "store"),
    )
    today.wait(at("12:03"))
    today.fired.clear()
    today.wait(at("10:03"))
    today.see(door(at("10:03:30"), "held", "store"))
    assert today.names() == []
    today.see(door(at("10:04"), "forced", "store"))
    assert today.names() == ["twice"]
    today.wait(at("10:05"))
    assert today.names() == ["twice", "open"]
    today.see(door(at("10:10:01"), "held", "store"))
    assert today.names() == ["twice", "open", "once"]


@pytest.mark.parametrize("shift", [timedelta(days=-2), timedelta(hours=3)])
def test_a_source_with_a_wrong_clock_counts_when_it_is_received(shift: timedelta) -> None:
    """Two days old or from the future cannot be right."""
    today = counted(at_least=2)
    for clock in ("10:00", "10:01"):
        odd = Event("door.forced", "door/store", at(clock) + shift, "store", {"door": "store"})
        today._take(today.book.judge(today.memory, odd, at(clock)), at(clock))
    assert today.names() == ["r"]


def test_memory_is_bounded_whatever_comes() -> None:
    """A flood of ever new subjects is forgotten oldest first, and counted."""
    today = day(
        r={"when": "plugin.x.y", "count": {"at_least": 2, "within": "1d"}},
        s={"when": "plugin.x.y", "lasting": "1d", "until": "plugin.x.z"},
    )
    for number in range(MOST_KEYS + 50):
        event = Event("plugin.x.y", "x", at("10:00"), f"subject {number}")
        today.book.judge(today.memory, event, at("10:00"))
    kept = len(today.memory.marks)
    assert MOST_KEYS * 0.98 <= kept == len(today.memory.waiting) <= MOST_KEYS
    assert today.memory.forgotten == 2 * (MOST_KEYS + 50 - kept)
    today.see(Event("plugin.x.y", "x", at("10:01"), f"subject {MOST_KEYS}"))
    assert today.names() == ["r"]


def test_a_flood_of_one_rule_costs_no_other_what_it_knows() -> None:
    """Whatever comes in between of what concerns another rule, a count goes on where it was."""
    today = day(
        flooded={"when": "plugin.x.y", "count": {"at_least": 2, "within": "1d"}},
        forced={"when": "door.forced", "count": {"at_least": 2, "within": "1d"}},
    )
    today.see(door(at("10:00"), "forced", "store"))
    for number in range(MOST_KEYS + 200):
        event = Event("plugin.x.y", "x", at("10:01"), f"subject {number}")
        today.book.judge(today.memory, event, at("10:01"))
    assert today.memory.forgotten >= 200
    today.see(door(at("10:02"), "forced", "store"))
    assert today.names() == ["forced"]


def test_a_flood_before_one_camera_hides_nobody_before_another() -> None:
    """Whoever is in view elsewhere still counts, however many tracks a broken camera makes up."""
    today = day(
        two={"when": "zone.entered", "if": {"place": "wing", "present": {"at_least": 2}}},
    )
    today.see(person(at("10:00"), "wing", track=1))
    for track in range(MOST_PRESENT + 50):
        flood = person(at("10:01"), "yard", track=track)
        today.book.judge(today.memory, flood, at("10:01"))
    assert len(today.memory.facts.present) <= MOST_PRESENT
    today.see(person(at("10:02"), "wing", track=2))
    assert today.names() == ["two"]


@pytest.mark.parametrize("data", [{"track": [1]}, {"track": 10**400}, {"track": "x" * 10**6}, {}])
def test_absurd_data_neither_fires_nor_raises(data: dict[str, Any]) -> None:
    """Whatever stands where a track should, other rules have their turn."""
    today = day(
        lingers={"when": "zone.entered", "lasting": "1m", "same": "track"},
        many={"when": "zone.entered", "if": {"present": {"at_least": 9}}},
        where={"when": "zone.entered", "if": {"where": 'data["track"] > 3 and data["score"] > 2'}},
        plain={"when": "zone.entered"},
    )
    facts = {"camera": "wing", "place": "wing", "label": "person", "score": 10**400}
    today.see(Event("zone.entered", "camera/wing", at("10:00"), "wing", facts | data))
    assert today.names() == ["plain"]


def test_an_enormous_event_is_judged_and_not_kept() -> None:
    """A megabyte of data fires as anything else does, and what waits holds none of it."""
    today = day(r={"when": "door.opened", "lasting": "1m"}, w={"when": "door.opened"})
    data = {"door": "store", "text": "x" * 1_000_000, "list": [1] * 1000, "box": [1, 2, 3, 4]}
    today.see(Event("door.opened", "door/store", at("10:00"), "store", data))
    (waiting,) = today.memory.waiting.values()
    assert waiting.event.data == {"door": "store", "box": [1, 2, 3, 4]}
    today.wait(at("10:02"))
    assert today.names() == ["w", "r"]
    assert today.fired[0].event.id == today.fired[1].event.id


def test_an_event_of_an_unknown_type_is_nothing_to_rules() -> None:
    """Types that no rule names pass by, whatever they are called."""
    today = day(r={"when": "plugin.vendor.seen"})
    for type_ in ("", "nonsense", "door.", "plugin.vendor", "rule.fired", "alert.raised"):
        today.see(Event(type_, "x", at("10:00"), "y", {"rule": "r"}))
    assert today.names() == []
    today.see(Event("plugin.vendor.seen", "x", at("10:00"), "y"))
    assert today.names() == ["r"]


def test_a_rule_that_breaks_loses_no_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is wrong with one rule, those after it have their turn."""
    today = day(broken={"when": "door.opened", "lasting": "1m"}, sound={"when": "door.opened"})

    def fail(*given: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(today.memory, "wait", fail)
    today.see(door(at("10:00"), "opened", "store"))
    assert today.names() == ["sound"]


RULES = {
    "count": {"when": "door.forced", "count": {"at_least": 2, "within": "4m"}, "cooldown": "7m"},
    "lasting": {"when": "door.opened", "lasting": "3m", "if": {"outside": "open"}},
    "steps": {"when": "door.opened", "followed_by": {"when": "door.forced", "within": "2m"}},
    "alone": {"when": "door.opened", "unless": {"when": "door.held", "within": "5m"}},
}
minutes = st.integers(0, 3)
happenings = st.lists(
    st.tuples(
        minutes,
        st.sampled_from(["opened", "closed", "forced", "held"]),
        st.sampled_from(["store", "old_gate"]),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(happenings=happenings)
def test_the_same_events_at_the_same_times_fire_the_same(
    happenings: list[tuple[int, str, str]],
) -> None:
    """Deciding is a function of state, event and time: how often somebody looks in between changes
    nothing.
    """
    moment, events = at("15:50"), []
    for wait, kind, name in happenings:
        moment += timedelta(minutes=wait)
        events.append(door(moment, kind, name))
    once, often = day(**RULES), day(**RULES)
    for event in events:
        once.see(event)
        while often.memory.now < event.time - timedelta(seconds=20):
            step = max(often.memory.now, at("15:50")) + timedelta(seconds=20)
            often.wait(step)
        often.see(event)
    once.wait(moment + timedelta(hours=1))
    often.wait(moment + timedelta(hours=1))
    told = [[(m.rule, m.event.id, m.matched) for m in each.fired] for each in (once, often)]
    assert told[0] == told[1]


def test_an_event_of_the_rules_own_type_keeps_the_next_one_back() -> None:
    """`unless` may name what the rule waits for: the first fires, a second soon after not."""
    one = day(r={"when": "door.opened", "unless": {"when": "door.opened", "within": "30s"}})
    opened = [door(at(time), "opened", "store") for time in ("08:00", "08:00:05", "08:01:00")]
    one.see(*opened[:1])
    assert one.names() == ["r"]
    one.see(*opened[1:])
    assert one.names() == ["r", "r"]


def test_a_lasting_rule_in_trouble_costs_no_other_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again a minute later, not at each event."""
    one = day(r={"when": "door.opened", "lasting": "5m"}, other={"when": "door.forced"})
    one.see(door(at("08:00"), "opened", "store"))
    real = CompiledRule.lasted
    tried = []

    def broken(*given: Any) -> None:
        tried.append(given)
        raise ZeroDivisionError

    monkeypatch.setattr(CompiledRule, "lasted", broken)
    one.see(door(at("08:05:30"), "forced", "store"), door(at("08:05:40"), "forced", "store"))
    assert one.names() == ["other", "other"]
    assert len(tried) == 1
    monkeypatch.setattr(CompiledRule, "lasted", real)
    one.see(door(at("08:07"), "forced", "store"))
    assert one.names().count("r") == 1
