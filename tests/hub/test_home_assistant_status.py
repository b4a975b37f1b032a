"""What Home Assistant is told by MQTT discovery, and what it may ask."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import aiomqtt
import pytest
import yaml
from pydantic import ValidationError

from hub.app import Hub
from hub.broker import EmbeddedBroker
from hub.bus import Bus
from hub.camera_views import CameraView
from hub.chosen import choose
from hub.config import Config
from hub.errors import NotReady, Refused
from hub.events import Event
from hub.home_assistant import HomeAssistantStatus
from hub.home_assistant_entities import (
    Names,
    alerts_state,
    camera_state,
    door_state,
    entities,
    protocol_state,
)
from hub.kept import KeptConfigs
from hub.kinds import BrokerAddress
from hub.ports import HouseFacade
from hub.secrets import Secrets
from hub.storage.folder import StateFolder
from hub.testing import FakeClock
from hub.views import AlertView, DoorView

NAMES = Names("vestibule", "Hill School")


def door(lock: str = "locked", position: str = "closed", **more: Any) -> DoorView:
    """A door as the house shows it."""
    stale = more.pop("stale", False)
    found = {
        "id": "main", "name": "Main entrance", "place_words": "Lobby", "online": True,
        "verbs": ["lock", "unlock"], "conclusion": "secured", "detail": "",
        "reported": {"lock": lock, "time": None, "age_s": 1.0, "stale": stale},
        "physical": {"position": position, "time": None, "age_s": 1.0, "stale": stale},
    } | more  # fmt: skip
    return cast(DoorView, found)


def camera(**more: Any) -> CameraView:
    """A camera as the house shows it."""
    found = {"id": "yard", "name": "Yard", "place_words": "Yard", "state": "online", "reason": ""}
    return cast(CameraView, found | more)


def alert(**more: Any) -> AlertView:
    """An open alert as the house shows it."""
    found = {"id": "a1", "title": "Person in the yard", "severity": "high", "place_words": "Yard",
             "incident": ""}  # fmt: skip
    return cast(AlertView, found | more)


class PretendedHouse:
    """The part of the house that is published, with what was asked of it."""

    def __init__(self, address: BrokerAddress | None, **settings: Any) -> None:
        self.clock = FakeClock(datetime(2026, 3, 2, 9, tzinfo=UTC))
        broker = {"host": "127.0.0.1", "port": 1} if address is None else {
            "host": address.host, "port": address.port,
            "username": address.username, "password": address.password,
        }  # fmt: skip
        hub = {"name": "Hill School", "mqtt": broker, "home_assistant": settings}
        self.config = Config.model_validate({"hub": hub})
        self.bus = Bus()
        self.seen_doors, self.seen_cameras = [door()], [camera()]
        self.open: list[AlertView] = []
        self.in_force: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str, str]] = []
        self.protocols = self

    def doors(self) -> list[DoorView]:
        return self.seen_doors

    def cameras(self) -> list[CameraView]:
        return self.seen_cameras

    async def alerts(self, open_only: bool = False) -> list[AlertView]:
        assert open_only
        return self.open

    async def incidents(self) -> list[dict[str, Any]]:
        return [{"id": "played", "drill": True}, {"id": "real", "drill": False}]

    async def view(self) -> dict[str, Any]:
        return {"in_force": self.in_force}

    def events(self) -> Any:
        return self.bus.subscribe()

    async def command_door(self, door: str, verb: str, by: str, reason: str) -> str:
        if door != "main":
            raise KeyError(door)
        if verb == "unlock":
            raise Refused("a protocol has locked it")
        self.asked.append((door, verb, by))
        return "key"


class Listening:
    """Everything on a broker, as Home Assistant would hear it."""

    def __init__(self, client: aiomqtt.Client, house: PretendedHouse) -> None:
        self.client, self.house = client, house
        self.heard: dict[str, Any] = {}
        self.task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for message in self.client.messages:
            payload = bytes(message.payload or b"").decode()  # type: ignore[arg-type]
            try:
                self.heard[message.topic.value] = json.loads(payload)
            except ValueError:
                self.heard[message.topic.value] = payload

    async def until(self, topic: str, wanted: Any) -> Any:
        """What stands under a topic once it is as wanted; time goes on meanwhile."""
        async with asyncio.timeout(30):
            while True:
                found = self.heard.get(topic)
                if topic in self.heard and wanted(found):
                    return found
                await self.house.clock.advance(1.0)
                await asyncio.sleep(0.01)


@asynccontextmanager
async def published(**settings: Any) -> AsyncIterator[tuple[Listening, HomeAssistantStatus]]:
    """A real broker, a house that is published there, and who listens."""
    broker = EmbeddedBroker()
    address = await broker.start()
    try:
        async with listened(address, PretendedHouse(address, **settings)) as made:
            yield made
    finally:
        await broker.stop()


@asynccontextmanager
async def listened(
    address: BrokerAddress, house: PretendedHouse
) -> AsyncIterator[tuple[Listening, HomeAssistantStatus]]:
    """A house that is published on a broker, and who listens there."""
    status = HomeAssistantStatus(cast(HouseFacade, house))
    async with aiomqtt.Client(
        address.host, address.port, username=address.username, password=address.password
    ) as client:
        await client.subscribe([("homeassistant/#", 1), ("vestibule/#", 1)])
        listening = Listening(client, house)
        run = asyncio.create_task(status.run())
        try:
            await listening.until("vestibule/status", lambda found: found == "online")
            yield listening, status
        finally:
            for task in (run, listening.task):
                task.cancel()
            await asyncio.gather(run, listening.task, return_exceptions=True)


@pytest.mark.parametrize(
    ("seen", "lock", "unlocked", "position"),
    [
        (door(), "LOCKED", "OFF", "OFF"),
        (door("unlocked", "open"), "UNLOCKED", "ON", "ON"),
        (door("jammed"), "JAMMED", "ON", "OFF"),
        (door("unknown", "unknown"), "None", "None", "None"),
        (door("moving"), "None", "None", "OFF"),
        (door(stale=True), "None", "None", "None"),
    ],
)
def test_law_5_fail_visible_what_is_stale_or_unknown_is_never_locked_there(
    seen: DoorView, lock: str, unlocked: str, position: str
) -> None:
    """Only a fresh word of the lock is told as locked; the rest is unknown or not locked."""
    state = door_state(seen)
    assert (state["lock"], state["unlocked"], state["open"]) == (lock, unlocked, position)


def test_status_offers_nothing_that_moves_a_door() -> None:
    """Unless asked, no entity has a topic for commands; with control only doors that take both."""
    doors = [door(), door(id="gate", verbs=["unlock"])]
    found = entities(NAMES, doors, [camera(), camera(id="off", state="disabled")])
    assert not [each for each in found if "command_topic" in each.config]
    assert len({each.config["unique_id"] for each in found}) == len(found) == 3 + 2 * 3 + 1
    asked = entities(Names("vestibule", "Hill School", control=True), doors, [])
    commands = [each.config["command_topic"] for each in asked if "command_topic" in each.config]
    assert commands == ["vestibule/door/main/set"]


def test_every_entity_goes_away_with_the_hub_and_expires() -> None:
    """Each has the hub's own status as its availability, and a state that runs out."""
    for each in entities(NAMES, [door()], [camera()]):
        assert {"topic": "vestibule/status"} in each.config["availability"]
        assert each.config["expire_after"] == 90
        assert each.config["state_topic"].startswith("vestibule/")
        assert each.config["origin"]["name"] == "Vestibule"


def test_a_drill_is_a_drill_there_too() -> None:
    """Law 7: the name of a protocol that is played begins with DRILL."""
    run = {"state": "in_force", "name": "Lockdown", "area_words": "School", "sentence": "1 of 1"}
    assert protocol_state([cast(Any, run | {"drill": True})])["name"] == "DRILL Lockdown"
    assert protocol_state([cast(Any, run | {"drill": False})])["name"] == "Lockdown"
    assert protocol_state([cast(Any, run | {"drill": False, "state": "covered"})])["name"] == "none"


def test_an_alert_of_a_drill_is_never_a_grave_one() -> None:
    """Law 7: what Home Assistant does for a grave alert it does for no drill, and a real one goes
    before it.
    """
    played = alert(incident="played", severity="severe", title="Weapon seen")
    told = alerts_state([played], {"played"})
    assert (told["open"], told["grave"], told["title"]) == (1, "OFF", "DRILL: Weapon seen")
    told = alerts_state([played, alert()], {"played"})
    assert (told["open"], told["grave"], told["title"]) == (2, "ON", "Person in the yard")


async def test_the_house_says_which_alerts_are_of_a_drill() -> None:
    """What is played in the house is played there."""
    async with published() as (there, _):
        there.house.open = [alert(incident="played")]
        topic = "vestibule/site/alerts"
        told = await there.until(topic, lambda found: found["open"] == 1)
        assert (told["grave"], told["title"]) == ("OFF", "DRILL: Person in the yard")


def test_alerts_and_cameras_are_told_without_pictures_or_people() -> None:
    """The gravest alert with its title and place; whether a camera's pictures arrive."""
    told = alerts_state([alert(picture="x.jpg", verdict={"by": "someone"}), alert(severity="note")])
    assert told == {
        "open": 2, "grave": "ON", "title": "Person in the yard", "severity": "high", "place": "Yard"
    }  # fmt: skip
    assert alerts_state([])["grave"] == "OFF"
    assert camera_state(camera(state="offline", reason="no route"))["online"] == "OFF"


def test_it_needs_a_broker_of_the_site() -> None:
    """Nobody else can join the hub's own broker: the file is refused, with what to write."""
    with pytest.raises(ValidationError, match="expected `mqtt`"):
        Config.model_validate({"hub": {"home_assistant": {}}})


async def test_a_house_is_discovered_and_followed() -> None:
    """Entities and states are retained, follow what changes, and are taken back when they go."""
    async with published() as (there, status):
        config = "homeassistant/binary_sensor/vestibule/door_main_lock/config"
        found = await there.until(config, bool)
        assert found["device_class"] == "lock"
        await there.until("vestibule/door/main", lambda state: state["unlocked"] == "OFF")
        await there.until("vestibule/site/alerts", lambda state: state["open"] == 0)
        there.house.seen_doors = [door("unlocked", conclusion="unlocked")]
        await there.until("vestibule/door/main", lambda state: state["unlocked"] == "ON")
        there.house.open = [alert()]
        there.house.bus.publish(Event("alert.raised", "rule/x", there.house.clock.now()), 1)
        await there.until("vestibule/site/alerts", lambda state: state["grave"] == "ON")
        there.house.seen_doors = []
        await there.until(config, lambda payload: payload == "")
        await there.client.publish("vestibule/door/main/set", "LOCK", qos=1)
        await there.until("vestibule/door/main/set", lambda said: said == "LOCK")
        await there.house.clock.advance(2.0)
        assert (there.house.asked, status.counts["commands"]) == ([], 0)


async def test_what_an_earlier_run_left_behind_is_taken_back() -> None:
    """A retained entity of this hub that is no more goes; another's stays."""
    async with published() as (there, _):
        mine = "homeassistant/sensor/vestibule/door_old_state/config"
        other = "homeassistant/sensor/other/door_old_state/config"
        for topic in (other, mine):  # when mine has gone, the other was looked at as well
            await there.client.publish(topic, "{}", qos=1, retain=True)
        await there.until(mine, lambda payload: payload == "")
        assert there.heard[other] == {}


async def test_control_is_a_persons_command_and_never_a_retained_one() -> None:
    """Where it was asked for, LOCK becomes a command of a person; the rest ends here."""
    async with published(publish="control") as (there, status):
        await there.until("homeassistant/lock/vestibule/door_main_lock/config", bool)
        topic = "vestibule/door/main/set"
        for payload in ("LOCK", "UNLOCK", "OPEN SESAME"):
            await there.client.publish(topic, payload, qos=1)
        await there.client.publish("vestibule/door/nowhere/set", "LOCK", qos=1)
        async with asyncio.timeout(30):
            while status.counts["commands"] < 4:
                await asyncio.sleep(0.01)
        assert there.house.asked == [("main", "lock", "Home Assistant")]
        assert status.counts["refused"] == 3


async def test_a_retained_command_is_dropped() -> None:
    """What a broker kept is no command, whenever it was given."""
    house = PretendedHouse(None, publish="control")
    status = HomeAssistantStatus(cast(HouseFacade, house))
    kept = aiomqtt.Message("vestibule/door/main/set", b"LOCK", 1, True, 1, None)
    await status._asked(Names("vestibule", "x", control=True), kept)
    assert (house.asked, status.counts["retained"]) == ([], 1)


async def test_a_real_hub_is_published(tmp_path: Path) -> None:
    """A hub with the block says which doors it has, and that it is there, until it stops."""
    broker = EmbeddedBroker()
    address = await broker.start()
    file = tmp_path / "school.yaml"
    site = {"host": address.host, "port": address.port}
    site |= {"username": address.username, "password": address.password}
    door = {"name": "Gate", "controller": "locks", "place": "site", "device": {}}
    school = {
        "hub": {"mqtt": site, "home_assistant": {}},
        "places": {"site": {"name": "School", "kind": "site"}},
        "access_control": {"locks": {"driver": "simulated"}},
        "doors": {"gate": door},
    }
    file.write_text(yaml.safe_dump(school))
    folder, secrets = StateFolder(tmp_path / "state"), Secrets()
    chosen = choose(file, KeptConfigs(folder.configs), secrets)[0]
    assert chosen is not None
    heard: dict[str, str] = {}

    async def until(topic: str, wanted: str) -> None:
        async with asyncio.timeout(20):
            async for message in client.messages:
                heard[message.topic.value] = bytes(message.payload or b"").decode()  # type: ignore[arg-type]
                if wanted in heard.get(topic, ""):
                    return

    try:
        async with aiomqtt.Client(
            address.host, address.port, username=address.username, password=address.password
        ) as client:
            await client.subscribe([("homeassistant/#", 1), ("vestibule/#", 1)])
            with folder.lock():
                async with Hub(chosen, folder, file, secrets=secrets):
                    await until("vestibule/door/gate", '"unlocked":"OFF"')
                    assert "homeassistant/binary_sensor/vestibule/door_gate_lock/config" in heard
                await until("vestibule/status", "offline")
    finally:
        await broker.stop()


async def test_without_its_broker_it_is_not_ready() -> None:
    """A broker that is away is told to the supervisor, which tries again; no password is told."""
    house = PretendedHouse(None)
    with pytest.raises(NotReady, match=r"the broker at 127\.0\.0\.1:1 does not take"):
        await HomeAssistantStatus(cast(HouseFacade, house)).run()
