from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from hub import DoorReport
from hub.safety.doors.facts import DoorFacts, Judge

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
LOCKS = ("locked", "unlocked", "jammed", "moving", "unknown")
POSITIONS = ("open", "closed", "unknown")

reports = st.fixed_dictionaries(
    {
        "lock": st.sampled_from((None, *LOCKS)),
        "position": st.sampled_from((None, *POSITIONS)),
        "online": st.sampled_from((True, True, True, False)),
        "answers": st.booleans(),
        "remembered": st.booleans(),
        "passage": st.booleans(),
        "age": st.sampled_from((0.0, 0.0, 5.0, 40.0, -60.0)),
    }
)
steps = st.lists(st.one_of(reports, st.sampled_from((0.5, 7.0, 29.0, 31.0))), max_size=40)


class Truth:
    """What an observer who believes only live words, the newest at the source, would know."""

    def __init__(self):
        self.now = 0.0
        self.lock = self.position = None

    def wall(self):
        return START + timedelta(seconds=self.now)

    def hear(self, report, age):
        heard = self.now - max(0.0, age)
        if not report.online:
            self.lock = self.position = None
        elif not report.remembered:
            if report.lock is not None and (self.lock is None or heard >= self.lock[1]):
                self.lock = (report.lock, heard)
            if report.position is not None and (self.position is None or heard >= self.position[1]):
                self.position = (report.position, heard)

    def surely(self, fact, value):
        return fact is not None and fact[0] == value and self.now - fact[1] <= 30


def walk(script, facts, judge=None):
    """Play the steps, yielding the truth and the judge's outcome after each."""
    truth = Truth()
    for step in script:
        outcome = None
        if isinstance(step, float):
            truth.now += step
            facts.tick(truth.now, truth.wall())
            report = None
        else:
            age = step["age"]
            said = {key: value for key, value in step.items() if key != "age"}
            report = DoorReport("main", truth.wall() - timedelta(seconds=age), **said)
            facts.hear(report, truth.now, truth.wall())
            truth.hear(report, age)
            outcome = judge.hear(report, truth.now) if judge is not None else None
        yield truth, report, outcome


@settings(max_examples=400, deadline=None)
@given(steps)
def test_law_5_fail_visible_no_door_is_ever_falsely_secured(script):
    """Whatever is reported in whatever order: secured means locked and closed, live and recent."""
    facts = DoorFacts(held_after=30)
    for truth, _, _ in walk(script, facts):
        if facts.conclusion(truth.now) == "secured":
            assert facts.online
            assert truth.surely(truth.lock, "locked")
            assert truth.surely(truth.position, "closed")
            assert not facts.reported(truth.now)["stale"]


@settings(max_examples=400, deadline=None)
@given(steps, st.sampled_from(("lock", "unlock", "momentary", "lockdown")))
def test_law_5_fail_visible_only_a_live_answer_confirms(script, verb):
    """No order of reports confirms a command but a live answer that says it is done."""
    facts = DoorFacts(held_after=30)
    wanted = "locked" if verb in ("lock", "lockdown") else "unlocked"
    for _, report, outcome in walk(script, facts, Judge(verb, facts, 0.0)):
        if outcome is not None and outcome.state == "confirmed":
            assert report.answers
            assert not report.remembered
            assert report.online
            assert report.lock == wanted


def test_good_news_that_was_overtaken_on_its_way_is_not_believed():
    """A `locked` from five seconds ago, arriving after `unlocked`, does not secure the door."""
    facts = DoorFacts(held_after=30)
    wall = START + timedelta(seconds=10)
    facts.hear(DoorReport("main", wall, lock="unlocked", position="open"), 10.0, wall)
    old = DoorReport("main", wall - timedelta(seconds=5), lock="locked", position="closed")
    facts.hear(old, 10.0, wall)
    assert facts.conclusion(10.0) == "open"
    older = DoorReport("main", wall - timedelta(seconds=7), lock="jammed")
    facts.hear(older, 10.0, wall)
    assert facts.lock.value == "jammed"


@settings(max_examples=200, deadline=None)
@given(steps)
def test_nothing_remembered_or_repeated_is_told(script):
    """Events alternate: nothing is opened twice, closed twice or offline twice in a row."""
    facts = DoorFacts(held_after=30)
    told = []
    truth = Truth()
    for step in script:
        if isinstance(step, float):
            truth.now += step
            told += facts.tick(truth.now, truth.wall())
            continue
        said = {key: value for key, value in step.items() if key != "age"}
        news = facts.hear(DoorReport("main", truth.wall(), **said), truth.now, truth.wall())
        if said["remembered"]:
            assert not [item for item in news if not item.type.endswith("line")]
        told += news
    for pair in (("door.online", "door.offline"), ("door.locked", "door.unlocked", "door.jammed")):
        types = [item.type for item in told if item.type in pair]
        assert all(one != other for one, other in pairwise(types))
    forced = [item for item in told if item.type == "door.forced"]
    assert all(item.data["lock"] == "locked" for item in forced)
