"""The driver `zigbee2mqtt`: what every access controller promises, and what this one does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import pytest

from hub import AccessReport, BrokerAddress, CommandFailed, NotReady
from hub.broker import EmbeddedBroker
from hub.testing import AccessControllerContract, CabledDevice, FakeClock
from plugins.access_control import zigbee2mqtt
from plugins.access_control._ending import end
from plugins.access_control.zigbee2mqtt import (
    Zigbee2MqttConfig,
    Zigbee2MqttDevice,
    Zigbee2MqttDoors,
)
from tests.plugins.access_control.brokers import context
from tests.plugins.access_control.controllers import Heard, listening
from tests.plugins.access_control.zigbee_bridge import BASE, ZigbeeBridge

FRONT = "Front door"


class BridgeOnBroker(CabledDevice):
    """A broker at the end of the line, and a Zigbee2MQTT that joined it directly."""

    async def serve(self) -> int:
        self._broker = EmbeddedBroker()
        self._address = await self._broker.start()
        self.bridge = ZigbeeBridge(FRONT, "hall/lock")
        self.bridge.air = 0.06
        ready = asyncio.Event()
        self._run = asyncio.create_task(self.bridge.run(self._address, ready), name="bridge")
        await asyncio.wait_for(ready.wait(), 10)
        return int(self._address.port)

    async def end(self) -> None:
        await end({self._run})
        await self._broker.stop()

    async def broker(self) -> BrokerAddress:
        near = self._address
        return BrokerAddress("127.0.0.1", self.port, near.username, near.password)

    async def fall_silent(self) -> None:
        """Once both locks were asked: a line that breaks while the broker hands over what it has
        kept stays open at the broker's end, which is none of the driver's.
        """
        async with asyncio.timeout(30):
            while len(self.bridge.heard) < 2:
                await asyncio.sleep(0.01)
        await super().fall_silent()

    async def lie(self, door: str) -> None:
        self.bridge.faults[FRONT].add("lie")

    async def flood(self, door: str, count: int) -> None:
        await self.bridge.flood(FRONT, count)


class TestZigbee2Mqtt(AccessControllerContract):
    driver = zigbee2mqtt.vestibule_access_control()[0]
    device = BridgeOnBroker
    doors: ClassVar[dict[str, dict[str, Any]]] = {
        "main": {"name": FRONT},
        "hall": {"name": "hall/lock"},
    }


class School:
    """A driver with its bridge, and what it reports."""

    def __init__(self, driver: Zigbee2MqttDoors, heard: Heard, bridge: ZigbeeBridge) -> None:
        self.driver, self.heard, self.bridge = driver, heard, bridge
        self.clock = FakeClock()

    async def until(self, **facts: Any) -> Any:
        """The first report from now on with these facts; older ones are forgotten."""

        def wanted(report: Any) -> bool:
            return all(getattr(report, name, None) == value for name, value in facts.items())

        found = await self.heard.until(wanted)
        del self.heard.heard[: self.heard.heard.index(found) + 1]
        return found


@asynccontextmanager
async def school(
    address: BrokerAddress, *, cache: bool = True, before: Any = None, **device: Any
) -> AsyncIterator[School]:
    """One lock behind a bridge, and its driver; `before` prepares the bridge."""
    bridge, ready, clock = ZigbeeBridge(FRONT, cache=cache), asyncio.Event(), FakeClock()
    run = asyncio.create_task(bridge.run(address, ready))
    await asyncio.wait_for(ready.wait(), 10)
    if before is not None:
        await before(bridge)
    door = Zigbee2MqttDevice(name=FRONT, **device)
    driver = Zigbee2MqttDoors(Zigbee2MqttConfig(), context(address, {"main": door}, clock=clock))
    await driver.start()
    async with listening(driver) as heard:
        made = School(driver, heard, bridge)
        made.clock = clock
        believed = device.get("state_is_read") or not bridge.only_state
        await made.until(lock=bridge.locks[FRONT] if believed else "unknown", remembered=False)
        yield made
    await driver.close()
    await end({run})


@pytest.fixture(autouse=True)
def at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The air takes no time on a clock that stands still; the contract's goes."""
    if request.cls is None:
        monkeypatch.setattr("plugins.access_control._zigbee_lock.SOONEST_S", 0.0)


@pytest.fixture
async def address() -> AsyncIterator[BrokerAddress]:
    """The hub's own broker: the contract and the driver `mqtt` have met mosquitto."""
    broker = EmbeddedBroker()
    yield await broker.start()
    await broker.stop()


async def test_the_lock_itself_confirms(address: BrokerAddress) -> None:
    """A command is published as Zigbee2MQTT wants it, and what the lock then says answers it."""
    async with school(address) as here:
        for verb, word, lock in (
            ("lock", "LOCK", "locked"),
            ("hold_open", "UNLOCK", "unlocked"),
        ):
            await here.driver.command("main", verb, "key")  # type: ignore[arg-type]
            assert (await here.until(lock=lock)).answers
            assert (f"{BASE}/{FRONT}/set", f'{{"state": "{word}"}}') in here.bridge.heard


async def test_what_is_repeated_from_memory_is_no_news(address: BrokerAddress) -> None:
    """A message about the battery that repeats an old state neither confirms nor freshens it."""
    async with school(address) as here:
        await here.driver.command("main", "lock", "key")
        await here.until(lock="locked", answers=True)
        here.bridge.faults[FRONT].add("drop")
        here.bridge.locks[FRONT] = "unlocked"  # by hand, and its report was lost
        await here.driver.command("main", "lock", "key")
        failed = await here.until(lock="unknown")
        assert failed.detail == "Zigbee2MQTT did not reach the lock (set failed)"
        await here.bridge.tell(FRONT, battery=97)
        await here.bridge.tell(FRONT, battery=96, tamper=True)
        await here.until(tampered=True)
        assert not [each for each in here.heard.heard if each.lock == "locked"]
        here.bridge.faults[FRONT].clear()
        await here.driver.refresh("main")
        assert (await here.until(lock="unlocked")).answers


async def test_without_memory_every_message_speaks_for_the_lock(address: BrokerAddress) -> None:
    """With `cache_state` off the same state said again after a command answers it at once."""
    async with school(address, cache=False) as here:
        await here.driver.command("main", "unlock", "key")
        assert (await here.until(lock="unlocked")).answers


async def test_an_optimistic_state_is_not_believed(address: BrokerAddress) -> None:
    """A lock that tells `state` alone is unknown, whatever it says and whenever it was asked."""

    async def only_state(bridge: ZigbeeBridge) -> None:
        bridge.only_state = True

    async with school(address, before=only_state) as here:
        here.bridge.faults[FRONT].add("lie")
        await here.driver.command("main", "lock", "key")
        await here.driver.refresh("main")
        await here.bridge.tell(FRONT, state="LOCK", tamper=False)
        odd = await here.until(lock="unknown", answers=True)
        assert odd.detail.startswith("it tells no `lock_state`")
        await here.until(tampered=False)
        assert {each.lock for each in here.heard.heard} <= {"unknown", None}


async def test_a_state_that_is_read_counts_where_somebody_says_so(address: BrokerAddress) -> None:
    """With `state_is_read` the device's `state` is its word, as `lock_state` is."""

    async def only_state(bridge: ZigbeeBridge) -> None:
        bridge.only_state = True

    async with school(address, before=only_state, state_is_read=True) as here:
        await here.driver.command("main", "lock", "key")
        assert (await here.until(lock="locked")).answers


async def test_a_bolt_half_way_is_moving_then_jammed(address: BrokerAddress) -> None:
    """`not_fully_locked` is on its way for five seconds, then stuck; unlocked after an unlock."""
    async with school(address) as here:
        here.bridge.faults[FRONT].add("jam")
        await here.driver.command("main", "lock", "key")
        await here.until(lock="moving")
        await here.clock.advance(5.1)
        await here.driver.refresh("main")
        stuck = await here.until(lock="jammed")
        assert (stuck.detail, stuck.answers) == ("the bolt is not fully out", True)
        await here.bridge.settle(FRONT)
        await here.until(lock="locked")
        await here.driver.command("main", "unlock", "key")
        await here.until(lock="moving")
        await here.clock.advance(5.1)
        await here.driver.refresh("main")
        await here.until(lock="unlocked", detail="the bolt is not fully in")


async def test_what_was_on_its_way_before_a_command_is_no_answer(
    address: BrokerAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes sooner than a lock can act was said before; what comes later answers."""
    monkeypatch.setattr("plugins.access_control._zigbee_lock.SOONEST_S", 0.05)
    async with school(address) as here:
        await here.driver.command("main", "lock", "key")
        assert not (await here.until(lock="locked")).answers
        await here.clock.advance(0.06)
        await here.driver.refresh("main")
        assert (await here.until(lock="locked")).answers


async def test_a_hand_on_the_key_is_told(address: BrokerAddress) -> None:
    """What the lock reports by itself is news at once, and no answer to nothing."""
    async with school(address) as here:
        await here.bridge.turn(FRONT, "locked")
        assert not (await here.until(lock="locked")).answers


async def test_a_retained_state_is_remembered_only(address: BrokerAddress) -> None:
    """What the broker kept from before is shown as that, and confirms nothing."""

    async def kept(bridge: ZigbeeBridge) -> None:
        bridge.retain = True
        await bridge.turn(FRONT, "locked")

    async with school(address, before=kept) as here:
        driver = here.driver
        await driver.close()
        here.bridge.faults[FRONT].add("drop")
        await driver.start()
        async with listening(driver) as heard:
            old = await heard.until(lambda each: each.lock == "locked")
            assert (old.remembered, old.answers) == (True, False)


async def test_who_is_away_takes_no_command(address: BrokerAddress) -> None:
    """A lock or a Zigbee2MQTT that is offline is told, and a command is NotReady."""
    async with school(address) as here:
        await here.bridge.available(FRONT, False)
        assert (await here.until(online=False)).detail == "the lock is offline"
        with pytest.raises(NotReady, match="the lock is offline"):
            await here.driver.command("main", "lock", "key")
        await here.bridge.available(FRONT, True)
        await here.until(online=True)
        await here.bridge.say("bridge/state", {"state": "offline"}, retain=True)
        assert (await here.until(online=False)).detail == "Zigbee2MQTT is offline"
        with pytest.raises(NotReady, match="Zigbee2MQTT is offline"):
            await here.driver.command("main", "lock", "key")
        await here.bridge.reboot()
        await here.until(online=True)
        with pytest.raises(CommandFailed, match="takes no momentary"):
            await here.driver.command("main", "momentary", "key")


async def test_a_door_is_as_its_contact_says(address: BrokerAddress) -> None:
    """A contact beside the lock, and one within it; what neither says is not made up."""
    async with school(address, contact="Front contact") as here:
        assert here.driver.capabilities.without_position == frozenset()
        await here.bridge.tell("Front contact", contact=True)
        await here.until(position="closed", lock=None)
        await here.bridge.tell("Front contact", contact=False)
        await here.until(position="open")
    async with school(address, door_sensor=True) as here:
        await here.bridge.tell(FRONT, door_state="closed")
        await here.until(position="closed")
        await here.bridge.tell(FRONT, door_state="error_jammed")
        odd = await here.until(position="unknown")
        assert odd.detail == "its door sensor says 'error_jammed'"


async def test_a_credential_is_a_reference(address: BrokerAddress) -> None:
    """A code at the keypad is granted with a reference to its place, a wrong one is denied."""
    async with school(address) as here:
        await here.bridge.tell(FRONT, action="unlock", action_source_name="keypad", action_user=3)
        granted = await here.until(access="granted")
        assert isinstance(granted, AccessReport)
        assert len(granted.credential) == 16
        await here.bridge.tell(
            FRONT, action="unlock_failure_invalid_pin_or_id", action_source_name="keypad"
        )
        assert (await here.until(access="denied")).credential == ""
        await here.bridge.tell(FRONT, action="manual_unlock", action_source_name="manual")
        await here.bridge.tell(FRONT, tamper=True)
        await here.until(tampered=True)
        assert not [each for each in here.heard.heard if isinstance(each, AccessReport)]


async def test_a_door_comes_and_goes_without_the_others_noticing(address: BrokerAddress) -> None:
    """The link is kept; a new lock is asked, and one that went is unknown."""
    async with school(address) as here:
        here.heard.heard.clear()
        await here.driver.adopt({"new": Zigbee2MqttDevice(name=FRONT, contact="Contact")})
        assert (await here.until(door="new", lock="unlocked")).answers
        await here.bridge.tell("Contact", contact=True)
        await here.until(door="new", position="closed")
        with pytest.raises(CommandFailed, match="named main"):
            await here.driver.command("main", "lock", "key")
        assert not [each for each in here.heard.heard if not each.online]


async def test_nonsense_says_nothing(address: BrokerAddress) -> None:
    """What is no object, too long, or of unknown words is not believed."""
    async with school(address) as here:
        assert here.bridge._client is not None
        for payload in ("[1]", "not json", '{"lock_state":"locked"' + " " * 5000 + "}"):
            await here.bridge._client.publish(f"{BASE}/{FRONT}", payload, qos=1)
        await here.bridge.say(FRONT, {"lock_state": "ajar"})
        odd = await here.until(lock="unknown")
        assert odd.detail == "its state cannot be read"


async def test_a_probe_asks_and_says_what_to_mend(address: BrokerAddress) -> None:
    """It joins beside the running driver, moves nothing, and names what is silent or repeated."""
    async with school(address) as here:
        found = await here.driver.probe()
        assert found.found.endswith("main unlocked; it repeats what it remembers")
        assert "cache_state: false" in found.remedy
        assert not [topic for topic, _ in here.bridge.heard if topic.endswith("/set")]
        await here.driver.command("main", "lock", "key")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("plugins.access_control.zigbee2mqtt.PROBE_S", 0.3)
        door = {"main": Zigbee2MqttDevice(name="Nobody")}
        alone = Zigbee2MqttDoors(Zigbee2MqttConfig(), context(address, door))
        gone = await alone.probe()
    assert not gone.works
    assert gone.remedy == "start Zigbee2MQTT, or correct `base_topic`"
