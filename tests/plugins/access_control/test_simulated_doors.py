import asyncio
import contextlib

import aiomqtt
import pytest

from hub import AccessController, BrokerAddress, CommandFailed, NotReady
from hub.campus import Campus
from hub.clock import SystemClock
from hub.config import Config
from hub.safety.doors.reconciler import Doors
from plugins.access_control import _simulated_lock
from plugins.access_control._ending import end
from plugins.access_control._simulated_lock import CARDS
from plugins.access_control.mqtt import MqttDoors
from plugins.access_control.simulated import (
    SimulatedConfig,
    SimulatedDevice,
    SimulatedDoors,
    vestibule_access_control,
)
from tests.plugins.access_control.brokers import context, until

SLOW_S = 1.0


@pytest.fixture(autouse=True)
def doors_swing_quickly(monkeypatch):
    """Somebody goes through a door in a moment, and bolts are quick."""
    monkeypatch.setattr(_simulated_lock, "SWING_S", 0.2)
    monkeypatch.setitem(_simulated_lock.BOLT_S, "slow", SLOW_S)
    monkeypatch.setitem(_simulated_lock.BOLT_S, "jams", 0.3)


class House:
    """Real `Doors` over simulated locks over a real broker, and all it told."""

    def __init__(self, address, devices):
        places = {"hall": {"name": "Hall", "kind": "room"}}
        doors = {
            id_: {"name": id_, "controller": "locks", "place": "hall", "egress": "free"}
            for id_ in devices
        }
        locks = {"locks": {"driver": "simulated"}}
        made = Config.model_validate({"places": places, "access_control": locks, "doors": doors})
        parsed = {id_: SimulatedDevice(**device) for id_, device in devices.items()}
        self.events = []
        self.locks = SimulatedDoors(SimulatedConfig(), context(address, parsed))
        self.doors = Doors(made, Campus(made.places), SystemClock(), self.publish)
        self.doors.attach("locks", self.locks)

    async def publish(self, *events):
        self.events.extend(events)

    def told(self, door):
        return [event.type for event in self.events if event.subject == door]

    def view(self, door):
        return next(view for view in self.doors.views() if view["id"] == door)


@contextlib.asynccontextmanager
async def running(address, **devices):
    """A house of simulated doors, in service until the block ends."""
    house = House(address, devices)
    await house.locks.start()
    loops = [
        asyncio.create_task(house.doors.watch("locks")),
        asyncio.create_task(house.doors.keep_fresh()),
    ]
    try:
        yield house
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        async with asyncio.timeout(10):
            await house.locks.close()


async def test_law_5_fail_visible_each_awkward_lock_ends_as_it_behaves(address):
    """Prompt and slow confirm, a jam fails, silence times out; none delays another."""
    clock = asyncio.get_running_loop()
    async with running(
        address,
        prompt={"start_locked": False},
        slow={"behaviour": "slow", "start_locked": False},
        jams={"behaviour": "jams", "start_locked": False},
        silent={"behaviour": "silent", "start_locked": False},
    ) as house:
        await until(lambda: house.view("prompt")["reported"]["lock"] == "unlocked")
        took = {}

        async def lock(door):
            began = clock.time()
            within = 1.5 if door == "silent" else 10.0
            outcome = await house.doors.perform(door, "lock", f"key-{door}", within)
            took[door] = clock.time() - began
            return outcome

        names = ("prompt", "slow", "jams", "silent")
        outcomes = dict(zip(names, await asyncio.gather(*map(lock, names)), strict=True))
        assert {door: o.state for door, o in outcomes.items()} == {
            "prompt": "confirmed",
            "slow": "confirmed",
            "jams": "failed",
            "silent": "timed_out",
        }
        assert outcomes["jams"].detail == "bolt jammed"
        assert took["prompt"] < took["slow"]
        assert took["slow"] > SLOW_S
        assert {door: house.view(door)["conclusion"] for door in names} == {
            "prompt": "secured",
            "slow": "secured",
            "jams": "not_secured",
            "silent": "unknown",
        }
        assert house.told("jams") == ["door.jammed"]


async def test_a_forced_door_is_told_as_forced_and_closes_again(address):
    """The contact of a locked door opens by itself once, and the hub calls it a break-in."""
    async with running(address, lab={"forced_after": 0.3}) as house:
        await until(lambda: "door.forced" in house.told("lab"))
        assert house.view("lab")["conclusion"] == "open"
        assert house.view("lab")["reported"]["lock"] == "locked"


async def test_nobody_comes_before_the_hub_listens(address, monkeypatch):
    """However late it joins its broker, it is told that the door was shut, and then forced."""
    start = MqttDoors.start

    async def late(self):
        await asyncio.sleep(0.3)
        await start(self)

    monkeypatch.setattr(MqttDoors, "start", late)
    async with running(address, lab={"forced_after": 0.1}) as house:
        await until(lambda: "door.forced" in house.told("lab"))


async def test_law_1_egress_a_person_inside_can_always_leave(address):
    """Locked, jammed or silent: the lever opens the door, and leaving is no break-in."""
    async with running(
        address, locked={}, jams={"behaviour": "jams"}, silent={"behaviour": "silent"}
    ) as house:
        await until(lambda: house.view("locked")["conclusion"] == "secured")
        await house.doors.perform("jams", "lock", "k", 3)
        await asyncio.gather(*(house.locks.leave(door) for door in ("locked", "jams", "silent")))
        for door in ("locked", "jams", "silent"):
            await until(lambda door=door: "door.closed" in house.told(door))
            assert "door.opened" in house.told(door)
            assert "door.forced" not in house.told(door)
        with pytest.raises(CommandFailed):
            await house.locks.leave("attic")


async def test_momentary_lets_one_through_and_locks_again(address):
    """One passage: unlocked, opened, closed, locked as before, and not called forced."""
    async with running(address, main={"passage": 0.8}) as house:
        await until(lambda: house.view("main")["conclusion"] == "secured")
        outcome = await house.doors.perform("main", "momentary", "k", 4)
        assert outcome.state == "confirmed"
        await until(lambda: house.told("main")[-1:] == ["door.locked"], 12)
        assert house.told("main") == ["door.unlocked", "door.opened", "door.closed", "door.locked"]


async def test_the_locks_are_clients_of_their_own_with_a_will(address):
    """Anyone on the broker sees them come and go as real devices do; the hub's side is `mqtt`."""
    watcher = aiomqtt.Client(
        address.host, address.port, username=address.username, password=address.password
    )
    async with watcher:
        await watcher.subscribe("vestibule/simulated/#", qos=1)
        async with running(address, main={}) as house:
            seen = {}

            async def watch():
                async for message in watcher.messages:
                    seen[message.topic.value.rpartition("/")[2]] = message.payload

            watching = asyncio.create_task(watch())
            await until(lambda: {"availability", "state", "contact"} <= seen.keys())
            assert seen["availability"] == b"online"
            assert (seen["state"], seen["contact"]) == (b"LOCKED", b"CLOSED")
            assert house.told("main") == []
        await until(lambda: seen["availability"] == b"offline")
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def test_faults_never_show_a_door_locked_that_is_not(address):
    """A lock that lies, one that loses a command and one that restarts: each ends as it is, and
    telling it again secures those that can be.
    """
    doors = {name: {"behaviour": name, "start_locked": False} for name in ("lies", "drops")}
    doors["reboots"] = {"behaviour": "reboots", "start_locked": False}
    async with running(address, **doors) as house:
        for door in doors:
            await until(lambda door=door: house.view(door)["reported"]["lock"] == "unlocked")

        async def lock(door, seconds):
            return (await house.doors.perform(door, "lock", f"key-{door}", seconds)).state

        # not before a lock was asked again, or the word `moving` stands until the next question
        first = await asyncio.gather(*(lock(door, 1.4) for door in doors))
        assert first == ["timed_out"] * 3
        for door in doors:
            assert house.view(door)["conclusion"] != "secured"
        await until(lambda: "door.offline" in house.told("reboots"))
        await until(lambda: house.view("reboots")["online"])
        again = await asyncio.gather(lock("lies", 1.4), lock("drops", 10), lock("reboots", 10))
        assert again == ["timed_out", "confirmed", "confirmed"]
        await house.locks.refresh("lies")
        await until(lambda: house.view("lies")["conclusion"] == "unlocked")
        assert house.told("lies") == []


async def test_one_message_locks_all_down_and_brings_back_what_was(address):
    """The controller's own lockdown: every lock hears it, cards are refused until it is over."""
    async with running(address, front={"start_locked": False}, back={}) as house:
        await until(lambda: house.view("front")["reported"]["lock"] == "unlocked")
        assert house.locks.capabilities.lockdown_native
        await house.locks.lockdown_all(True, "k")
        await until(lambda: house.view("front")["conclusion"] == "secured")
        await house.locks.locks["back"].use(CARDS[0])
        await until(lambda: "access.denied" in house.told("back"))
        await house.locks.lockdown_all(False, "k")
        await until(lambda: house.view("front")["reported"]["lock"] == "unlocked")
        await house.locks.locks["back"].use(CARDS[0])
        await until(lambda: "door.closed" in house.told("back"))
        assert "door.forced" not in house.told("back")
        used = [event for event in house.events if event.type.startswith("access.")]
        assert [event.type for event in used] == ["access.denied", "access.granted"]
        assert len({event.data["credential"] for event in used}) == 1
        assert CARDS[0] not in repr(used)
        assert house.view("back")["reported"]["lock"] == "locked"


async def test_a_controller_that_dies_takes_its_doors_along_and_says_why(address):
    """Nothing behind it counts as locked any more, and no command is believed to be sent."""
    parsed = {"front": SimulatedDevice()}
    locks = SimulatedDoors(SimulatedConfig(dies_after=0.2), context(address, parsed))
    await locks.start()
    with pytest.raises(NotReady, match="died, as `dies_after` says"):
        async for _ in locks.reports():
            pass
    for call in (locks.start(), locks.command("front", "lock", "k"), locks.lockdown_all(True, "k")):
        with pytest.raises(NotReady, match="died"):
            await call
    await locks.close()


async def test_cards_are_used_by_themselves_where_it_says_so(address):
    """Three cards are known and the fourth is a stranger's; each is told apart from the others."""
    async with running(address, main={"cards_every": 0.02}) as house:
        await until(lambda: "access.denied" in house.told("main"), 20)
        used = [event for event in house.events if event.type.startswith("access.")]
        assert [event.type for event in used[:4]] == ["access.granted"] * 3 + ["access.denied"]
        assert len({event.data["credential"] for event in used[:4]}) == 4


async def test_without_a_broker_it_is_not_ready_and_leaves_nothing(monkeypatch):
    """No broker: `NotReady` within its deadline, and nothing left running."""
    monkeypatch.setattr("plugins.access_control.simulated.READY_S", 0.3)
    locks = SimulatedDoors(
        SimulatedConfig(), context(BrokerAddress("127.0.0.1", 1), {"main": SimulatedDevice()})
    )
    assert isinstance(locks, AccessController)
    with pytest.raises(NotReady, match="could not join"):
        await locks.start()
    await locks.close()
    assert not [t for t in asyncio.all_tasks() if t.get_name().startswith("simulated lock")]


def test_the_driver_says_that_it_is_simulated():
    """Nobody may take it for hardware: name and summary say so."""
    (driver,) = vestibule_access_control()
    assert driver.name == "simulated"
    assert "no hardware" in driver.summary


async def test_a_cancellation_that_got_lost_is_asked_for_again(monkeypatch):
    """A task that swallows one cancellation ends all the same, and soon."""
    monkeypatch.setattr("plugins.access_control._ending.AGAIN_S", 0.01)
    asked = 0

    async def deaf_once():
        nonlocal asked
        while asked < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                asked += 1

    task = asyncio.create_task(deaf_once())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await end({task})
    assert asked == 2
    await end(())
