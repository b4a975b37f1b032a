import asyncio
import contextlib
from datetime import timedelta

import pytest

from hub import Capabilities, CommandFailed, DoorReport, Event, NotReady
from hub.campus import Campus
from hub.config import Config
from hub.safety.doors.reconciler import Doors
from hub.testing import FakeClock

ALL = frozenset({"lock", "unlock", "momentary", "hold_open"})


class ScriptedController:
    """A controller whose doors do what the test tells them, on the hub's own contract."""

    def __init__(self, clock, verbs=ALL, without_position=frozenset()):
        self.capabilities = Capabilities(verbs=verbs, without_position=without_position)
        self.clock = clock
        self.queue = asyncio.Queue()
        self.commands = []
        self.asked = []
        self.on_command = None
        self.on_refresh = None

    async def start(self):
        """Nothing to connect."""

    async def command(self, door, verb, key):
        self.commands.append((door, verb, key))
        if self.on_command is not None:
            await self.on_command(door, verb)

    async def refresh(self, door):
        self.asked.append(door)
        if self.on_refresh is not None:
            await self.on_refresh(door)

    async def reports(self):
        while (report := await self.queue.get()) is not None:
            if isinstance(report, Exception):
                raise report
            yield report

    async def close(self):
        self.queue.put_nowait(None)

    def says(self, door, *, age=0.0, **facts):
        """Report something, answered and live unless told otherwise."""
        time = self.clock.now() - timedelta(seconds=age)
        self.queue.put_nowait(DoorReport(door, time, **{"answers": True, **facts}))


def config(**doors):
    """A small site; each door as keyword with its extra keys."""
    return Config.model_validate(
        {
            "places": {"hall": {"name": "Hall", "kind": "room"}},
            "access_control": {"panel": {"driver": "scripted"}, "other": {"driver": "scripted"}},
            "doors": {
                id_: {"name": id_.title(), "controller": "panel", "place": "hall", **keys}
                for id_, keys in doors.items()
            },
        }
    )


class House:
    """Doors under test, with what they told."""

    def __init__(self, clock, **doors):
        self.clock = clock
        self.events: list[Event] = []
        made = config(**(doors or {"main": {"egress": "free"}}))
        self.doors = Doors(made, Campus(made.places), clock, self.publish)
        self.panel = ScriptedController(clock)
        self.doors.attach("panel", self.panel)
        self.tasks = []

    async def publish(self, *events):
        self.events.extend(events)

    def watch(self, controller="panel"):
        self.tasks.append(asyncio.create_task(self.doors.watch(controller)))

    async def hears(self, door="main", **facts):
        """A report has come and been told."""
        self.panel.says(door, **facts)
        await self.clock.advance(0)

    async def asks(self, door, verb, key, deadline_s):
        """A command that has begun."""
        ending = asyncio.create_task(self.doors.perform(door, verb, key, deadline_s))
        await self.clock.advance(0)
        return ending

    def view(self, door="main"):
        return next(view for view in self.doors.views() if view["id"] == door)

    def told(self):
        return [event.type for event in self.events]


@contextlib.asynccontextmanager
async def running(house):
    """A house whose loops run until the block ends."""
    house.watch()
    house.tasks.append(asyncio.create_task(house.doors.keep_fresh()))
    await house.clock.advance(0)
    yield house
    for task in house.tasks:
        task.cancel()
    await asyncio.gather(*house.tasks, return_exceptions=True)


@pytest.fixture
async def house():
    """A running house with one door, `main`, that has a free way out."""
    async with running(House(FakeClock())) as made:
        yield made


async def test_law_1_egress_a_door_without_attested_egress_takes_no_lock_verb():
    """Egress is never ours: lock verbs are refused, and nothing reaches the controller."""
    house = House(FakeClock(), main={})
    house.panel.capabilities = Capabilities(verbs=ALL | {"lockdown"})
    async with running(house):
        for verb in ("lock", "lockdown"):
            outcome = await house.doors.perform("main", verb, "k", 8)
            assert outcome.state == "failed"
            assert "egress: free" in outcome.detail
        assert house.panel.commands == []
        assert house.view()["verbs"] == ["unlock", "momentary", "hold_open"]


async def test_law_1_egress_unlocking_needs_no_attestation():
    """A door without attested egress may always be asked to open."""
    house = House(FakeClock(), main={})
    async with running(house):
        ending = await house.asks("main", "unlock", "k", 8)
        await house.clock.advance(0.2)
        await house.hears(lock="unlocked")
        assert (await ending).state == "confirmed"


async def test_law_5_fail_visible_a_command_is_confirmed_by_the_doors_own_answer(house):
    """Handed over is not done: only an answer that the bolt is thrown confirms a lock."""
    ending = await house.asks("main", "lock", "key-1", 8)
    await house.clock.advance(0.5)
    assert not ending.done()
    await house.hears(lock="moving")
    await house.hears(lock="unlocked")
    assert not ending.done()
    await house.clock.advance(1)
    await house.hears(lock="locked", position="closed")
    outcome = await ending
    assert outcome.state == "confirmed"
    assert outcome.detail == "confirmed after 1.5 s"
    assert house.panel.commands == [("main", "lock", "key-1")]


async def test_law_5_fail_visible_a_remembered_state_never_confirms(house):
    """What the broker kept from before is no answer, and is never shown as fresh or secured."""
    ending = await house.asks("main", "lock", "k", 8)
    await house.clock.advance(0.1)
    await house.hears(lock="locked", position="closed", answers=False, remembered=True)
    await house.clock.advance(9)
    assert (await ending).state == "timed_out"
    view = house.view()
    assert view["reported"]["lock"] == "locked"
    assert view["reported"]["stale"]
    assert view["reported"]["age_s"] is None
    assert view["conclusion"] == "unknown"


async def test_law_5_fail_visible_an_unasked_report_does_not_confirm(house):
    """A live report that answers nobody is news, yet confirms no command."""
    ending = await house.asks("main", "lock", "k", 8)
    await house.clock.advance(0.1)
    await house.hears(lock="locked", answers=False)
    await house.clock.advance(9)
    assert (await ending).state == "timed_out"
    assert "no answer" in (await ending).detail


async def test_law_5_fail_visible_a_jam_fails_the_command_and_is_told(house):
    """A stuck bolt ends the command as failed, is an event, and the door is not secured."""
    await house.hears(lock="unlocked", position="closed")
    ending = await house.asks("main", "lock", "k", 8)
    await house.clock.advance(0.2)
    await house.hears(lock="moving")
    await house.hears(lock="jammed")
    outcome = await ending
    assert (outcome.state, outcome.detail) == ("failed", "bolt jammed")
    assert house.told() == ["door.jammed"]
    assert house.view()["conclusion"] == "not_secured"
    assert house.view()["detail"] == "bolt jammed"


async def test_an_old_jam_told_again_does_not_fail_a_new_try(house):
    """A door that was jammed before gets its chance: only a jam after the bolt tried counts."""
    await house.hears(lock="jammed", position="closed")
    ending = await house.asks("main", "lock", "k", 8)
    await house.clock.advance(0.2)
    await house.hears(lock="jammed")
    assert not ending.done()
    await house.hears(lock="moving")
    await house.hears(lock="locked")
    assert (await ending).state == "confirmed"


async def test_law_5_fail_visible_silence_times_out_at_the_deadline(house):
    """No answer ends the command as timed out, exactly at its deadline, after asking again."""
    ending = await house.asks("main", "lock", "k", 8)
    await house.clock.advance(7.9)
    assert not ending.done()
    assert house.panel.asked.count("main") >= 3
    await house.clock.advance(0.2)
    outcome = await ending
    assert (outcome.state, outcome.detail) == ("timed_out", "no answer within 8 s")
    assert len(house.panel.commands) == 1


async def test_an_unreachable_controller_is_tried_until_the_deadline(house):
    """Not handed over is tried again with the same key, and a late success still counts."""
    attempts = []

    async def away_at_first(door, verb):
        attempts.append(verb)
        if len(attempts) < 3:
            raise NotReady("cable out")

    house.panel.on_command = away_at_first
    ending = await house.asks("main", "lock", "same", 8)
    await house.clock.advance(2)
    await house.hears(lock="locked")
    assert (await ending).state == "confirmed"
    assert {key for _, _, key in house.panel.commands} == {"same"}
    house.panel.on_command = None
    attempts.clear()


async def test_a_controller_that_stays_away_times_out_with_its_reason(house):
    """Never reached: timed out, and the reason is the controller's own."""

    async def away(door, verb):
        raise NotReady("cable out")

    house.panel.on_command = away
    ending = await house.asks("main", "lock", "k", 3)
    await house.clock.advance(3.1)
    outcome = await ending
    assert (outcome.state, outcome.detail) == ("timed_out", "not reached within 3 s: cable out")


async def test_law_6_momentary_is_at_most_once(house):
    """One passage is never asked for twice, not even when it may not have arrived."""

    async def away(door, verb):
        raise NotReady("cable out")

    house.panel.on_command = away
    outcome = await house.doors.perform("main", "momentary", "k", 8)
    assert outcome.state == "failed"
    assert "not tried again" in outcome.detail
    assert len(house.panel.commands) == 1


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (CommandFailed("tamper switch open"), "tamper switch open"),
        (ValueError("bug"), "driver raised ValueError: bug"),
    ],
)
async def test_a_device_that_says_no_and_a_driver_that_raises_both_fail(house, error, words):
    """Whatever a driver does, the command ends, and says why."""

    async def refuse(door, verb):
        raise error

    house.panel.on_command = refuse
    outcome = await house.doors.perform("main", "lock", "k", 8)
    assert (outcome.state, outcome.detail) == ("failed", words)


async def test_a_dead_controller_never_delays_another():
    """A driver that hangs costs its own door its deadline and the others nothing."""
    house = House(
        FakeClock(),
        main={"egress": "free"},
        gym={"egress": "free", "controller": "other"},
    )

    async def hang(*_):
        await asyncio.Event().wait()

    dead = ScriptedController(house.clock)
    dead.on_command = dead.on_refresh = hang
    house.doors.attach("other", dead)
    async with running(house):
        stuck = await house.asks("gym", "lock", "g", 8)
        quick = await house.asks("main", "lock", "m", 8)
        await house.clock.advance(0.1)
        await house.hears(lock="locked")
        assert quick.done()
        assert not stuck.done()
        await house.clock.advance(30)
        assert (await stuck).state == "timed_out"
        assert house.panel.asked.count("main") >= 3


async def test_a_later_command_overtakes_an_earlier_one(house):
    """A lock does not wait for the deadline of an unlock that gets no answer."""
    earlier = await house.asks("main", "unlock", "a", 8)
    await house.clock.advance(0.1)
    later = await house.asks("main", "lock", "b", 8)
    await house.clock.advance(0.1)
    assert (await earlier).state == "failed"
    assert "overtaken" in (await earlier).detail
    await house.hears(lock="locked")
    assert (await later).state == "confirmed"


async def test_a_cancelled_command_leaves_nothing_behind(house):
    """Cancelling the wait stops asking and forgets the command."""
    ending = await house.asks("main", "lock", "k", 8)
    await house.clock.advance(0.1)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    await house.clock.advance(0)
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert not any(name.startswith("door main lock") for name in names)


async def test_unknown_doors_and_verbs_fail_with_words(house):
    """A door that is not there, or a verb it lacks, is a failure that names what can be asked."""
    assert "no door named attic" in (await house.doors.perform("attic", "lock", "k", 8)).detail
    house.panel.capabilities = Capabilities(verbs=frozenset({"unlock", "momentary"}))
    outcome = await house.doors.perform("main", "lockdown", "k", 8)
    assert outcome.state == "failed"
    assert "it can: unlock, momentary" in outcome.detail


async def test_law_5_fail_visible_unknown_is_never_shown_as_locked(house):
    """Before anything is heard, nothing is concluded."""
    view = house.view()
    assert view["conclusion"] == "unknown"
    assert view["reported"] == {"lock": "unknown", "time": None, "age_s": None, "stale": True}
    assert not view["online"]


async def test_secured_needs_every_fact_fresh_and_agreeing(house):
    """Locked with an open or unheard contact is not secured; locked and closed is."""
    await house.hears(lock="locked")
    assert house.view()["conclusion"] == "unknown"
    await house.hears(position="open")
    assert house.view()["conclusion"] == "open"
    await house.hears(position="closed")
    assert house.view()["conclusion"] == "secured"
    await house.hears(lock="unlocked")
    assert house.view()["conclusion"] == "unlocked"
    await house.hears(lock="unknown", detail="cannot read the state")
    assert house.view()["conclusion"] == "unknown"
    assert house.view()["detail"] == "cannot read the state"


async def test_a_door_without_a_contact_is_secured_by_its_lock_alone():
    """Where there is no contact, a fresh lock is enough."""
    house = House(FakeClock())
    panel = ScriptedController(house.clock, without_position=frozenset({"main"}))
    house.panel = panel
    house.doors.attach("panel", panel)
    async with running(house):
        await house.hears(lock="locked")
        assert house.view()["conclusion"] == "secured"


async def test_law_5_fail_visible_stale_state_greys_out_and_silence_is_an_event(house):
    """After 30 s without a word the door is stale, unknown and told to be offline, once."""
    await house.hears(lock="locked", position="closed")
    await house.clock.advance(29)
    assert house.view()["conclusion"] == "secured"
    await house.clock.advance(3)
    view = house.view()
    assert view["conclusion"] == "unknown"
    assert view["reported"]["stale"]
    assert view["detail"] == "no answer for 30 s"
    await house.clock.advance(60)
    assert house.told() == ["door.offline"]
    await house.hears(lock="locked", position="closed")
    assert house.told() == ["door.offline", "door.online"]
    assert house.view()["conclusion"] == "secured"


async def test_a_healthy_door_stays_fresh_by_being_asked(house):
    """A door that answers each question is never stale."""

    async def answer(door):
        house.panel.says(door, lock="locked", position="closed")

    house.panel.on_refresh = answer
    await house.clock.advance(300)
    assert house.view()["conclusion"] == "secured"
    assert house.told() == []
    assert 28 <= len(house.panel.asked) <= 32


async def test_a_report_delayed_on_its_way_is_as_old_as_its_source(house):
    """A report that took 29 s to arrive is stale two seconds later."""
    await house.hears(lock="locked", position="closed", age=29)
    assert house.view()["conclusion"] == "secured"
    await house.clock.advance(2)
    assert house.view()["conclusion"] == "unknown"


async def test_events_are_told_only_when_something_changed(house):
    """Answers that repeat what is known tell nothing."""
    for _ in range(3):
        await house.hears(lock="unlocked", position="closed")
    for _ in range(3):
        await house.hears(lock="locked", position="open")
    await house.hears(lock="locked", position="closed")
    assert house.told() == ["door.locked", "door.opened", "door.closed"]
    event = house.events[0]
    assert (event.source, event.subject) == ("door/main", "main")
    assert event.data["place"] == "hall"
    assert event.data["was"] == "unlocked"


async def test_a_door_opened_while_locked_is_forced(house):
    """Opening against a locked lock with nobody let through is a break-in."""
    await house.hears(lock="locked", position="closed")
    await house.clock.advance(6)
    await house.hears(position="open")
    assert house.told() == ["door.opened", "door.forced"]
    assert house.events[0].data["forced"] is True


async def test_a_door_is_not_forced_by_someone_let_through_or_leaving(house):
    """A passage, an exit push or a lock just unlocked explains the opening."""
    await house.hears(lock="locked", position="closed")
    await house.hears(passage=True, answers=False)
    await house.hears(position="open")
    await house.hears(position="closed")
    await house.clock.advance(20)
    ending = await house.asks("main", "momentary", "k", 8)
    await house.clock.advance(0.1)
    await house.hears(position="open")
    await house.hears(lock="unlocked")
    await house.hears(lock="locked")
    await house.hears(position="closed")
    assert (await ending).state == "confirmed"
    await house.hears(position="open")
    assert "door.forced" not in house.told()


async def test_nothing_remembered_is_news(house):
    """Retained values tell no event, and an opening nobody saw happen is not called forced."""
    await house.hears(lock="locked", position="closed", answers=False, remembered=True)
    assert house.told() == []
    await house.hears(lock="locked")
    await house.hears(position="open")
    assert house.told() == ["door.opened"]


async def test_a_door_held_open_is_told_once_per_opening(house):
    """Open past its time is one event; the next opening counts afresh."""
    for _ in range(2):
        await house.hears(lock="unlocked", position="closed")
        await house.hears(position="open")
        for _ in range(6):
            await house.clock.advance(10)
            await house.hears(lock="unlocked", position="open")
        await house.hears(position="closed")
    assert house.told() == ["door.opened", "door.held", "door.closed"] * 2


async def test_a_door_asked_to_stay_open_is_not_held(house):
    """While `hold_open` is in force, standing open is as asked."""
    request = {"verb": "hold_open", "by": "office", "reason": "", "time": "", "detail": ""}
    house.doors.requested("main", {**request, "state": "confirmed"})
    await house.hears(lock="unlocked", position="closed")
    await house.hears(position="open")
    await house.clock.advance(60)
    assert "door.held" not in house.told()
    assert house.view()["requested"]["verb"] == "hold_open"


async def test_a_lost_link_makes_every_door_of_it_unknown(house):
    """A controller that breaks takes its word with it, and the failure reaches the supervisor."""
    await house.hears(lock="locked", position="closed")
    house.panel.queue.put_nowait(NotReady("link lost"))
    await house.clock.advance(0)
    view = house.view()
    assert (view["online"], view["conclusion"], view["detail"]) == (False, "unknown", "link lost")
    assert house.told() == ["door.offline"]
    with pytest.raises(NotReady):
        await house.tasks[0]
    house.watch()
    await house.hears(online=True, answers=False)
    assert house.told() == ["door.offline", "door.online"]
    assert house.view()["conclusion"] == "unknown"


async def test_stopping_the_watch_tells_nothing_of_the_doors(house):
    """A hub that is stopped does not write that its doors went away."""
    await house.hears(lock="locked", position="closed")
    house.tasks[0].cancel()
    await house.clock.advance(1)
    assert house.told() == []


async def test_a_controller_that_stops_reporting_is_a_failure(house):
    """Reports that just end leave no door believed, and the supervisor is told."""
    await house.hears(lock="locked", position="closed")
    await house.panel.close()
    await house.clock.advance(0)
    assert house.view()["conclusion"] == "unknown"
    with pytest.raises(NotReady, match="stopped reporting"):
        await house.tasks[0]


async def test_reports_of_doors_that_are_not_its_own_are_counted_and_ignored(house):
    """A controller cannot speak for another's door."""
    await house.hears("attic", lock="locked")
    assert house.doors.counts()["strange_reports"] == 1
    assert house.told() == []


async def test_law_6_no_event_is_lost_while_the_journal_fails(house):
    """Events wait for the journal, in order and with the same ids, until it takes them."""
    taken = house.doors._tidings._publish

    async def broken(*events):
        raise OSError("disk full")

    house.doors._tidings._publish = broken
    await house.hears(lock="unlocked", position="closed")
    await house.hears(lock="locked")
    await house.hears(position="open")
    assert house.doors.counts()["events_waiting"] == 2
    house.doors._tidings._publish = taken
    await house.clock.advance(2)
    assert house.told() == ["door.locked", "door.opened"]
    assert house.doors.counts()["events_waiting"] == 0


async def test_a_lock_confirmed_on_an_open_door_says_so(house):
    """The bolt is out but the door stands open: confirmed, with the warning in its words."""
    await house.hears(lock="unlocked", position="open")
    ending = await house.asks("main", "lock", "k", 8)
    await house.clock.advance(0.1)
    await house.hears(lock="locked")
    outcome = await ending
    assert "the door stands open" in outcome.detail
    assert house.view()["conclusion"] == "open"


async def test_a_door_without_a_lockdown_is_locked_in_its_place():
    """Nobody's door stays open because its lock knows no lockdown; it says what that leaves open,
    and has nothing to be released from.
    """
    house = House(FakeClock())
    async with running(house):
        ending = await house.asks("main", "lockdown", "k", 8)
        assert house.panel.commands == [("main", "lock", "k")]
        await house.hears(lock="locked")
        outcome = await ending
        assert outcome.state == "confirmed"
        assert outcome.detail.endswith("it has no lockdown of its own, so badges still enter")
        released = await house.doors.perform("main", "lockdown_release", "l", 8)
        assert (released.state, house.panel.commands[1:]) == ("confirmed", [])


async def test_law_1_no_lockdown_in_its_place_without_a_free_way_out():
    """What nobody has attested is neither locked down nor locked instead."""
    house = House(FakeClock(), main={})
    async with running(house):
        outcome = await house.doors.perform("main", "lockdown", "k", 8)
        assert outcome.state == "failed"
        assert "egress" in outcome.detail
        assert house.panel.commands == []
