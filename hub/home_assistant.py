"""Tells Home Assistant how the house is, by MQTT discovery on the site's broker.

Status only, unless the configuration asks for control: then Home Assistant is one more person who
asks for `lock` and `unlock`, with everything that may be refused to a person. A retained command is
never one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any

import structlog

from hub.camera_views import CameraView
from hub.config import Config
from hub.errors import NotReady, Refused, StateError
from hub.home_assistant_entities import (
    CONTROLS,
    Entity,
    Names,
    State,
    alerts_state,
    camera_state,
    door_state,
    entities,
    protocol_state,
)
from hub.ports import HouseFacade
from hub.views import DoorView

if TYPE_CHECKING:
    from aiomqtt import Client, Message

LOOK_EVERY_S = 1.0
SAY_AGAIN_S = 30.0  # well before Home Assistant takes a state for expired
OFF_LOOK_S = 5.0  # how soon a configuration that switches it on is seen
ANSWER_S = 5.0
KEEPALIVE_S = 10
BY = "Home Assistant"

log = structlog.get_logger("home assistant")


class HomeAssistantStatus:
    """Publishes the house of `house` while the configuration says so. Run `tasks` supervised."""

    def __init__(self, house: HouseFacade) -> None:
        self._house = house
        self._said: dict[str, str] = {}
        self._served: dict[str, str] = {}
        self._strays: set[str] = set()
        self.counts = dict.fromkeys(("published", "commands", "refused", "retained"), 0)

    def tasks(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What is to run for ever, by name."""
        return {"home assistant": self.run}

    async def run(self) -> None:
        """Publish until cancelled. Raises `NotReady` when the broker is away."""
        while True:
            config = self._house.config
            if config.hub.home_assistant is None or config.hub.mqtt is None:
                await self._house.clock.sleep(OFF_LOOK_S)
                continue
            await self._serve(config)

    async def _serve(self, config: Config) -> None:
        """Join the broker, and publish until the configuration is another."""
        from aiomqtt import Client, MqttError, Will

        site, settings = config.hub.mqtt, config.hub.home_assistant
        assert site is not None
        assert settings is not None
        names = Names(settings.topic, config.hub.name, settings.publish == "control")
        client = Client(
            site.host,
            site.port,
            username=site.username,
            password=site.password,
            timeout=ANSWER_S,
            keepalive=KEEPALIVE_S,
            will=Will(names.status, "offline", qos=1, retain=True),
            max_queued_incoming_messages=1000,
        )
        self._said, self._served, self._strays = {}, {}, set()
        try:
            async with client:
                await self._greet(client, names, settings.prefix)
                listening = asyncio.create_task(
                    self._listen(client, names, settings.prefix), name="home assistant messages"
                )
                try:
                    await self._publish(client, names, settings.prefix, config, listening)
                finally:
                    listening.cancel()
                    await asyncio.gather(listening, return_exceptions=True)
                    with contextlib.suppress(MqttError, OSError):
                        await client.publish(names.status, "offline", qos=1, retain=True, timeout=1)
        except (MqttError, OSError) as error:
            where = f"the broker at {site.host}:{site.port}"
            raise NotReady(f"{where} does not take what Home Assistant is told: {error}") from error

    async def _greet(self, client: Client, names: Names, prefix: str) -> None:
        topics = [f"{prefix}/+/{names.node}/+/config"]
        if names.control:
            topics.append(f"{names.topic}/door/+/set")
        await client.subscribe([(topic, 1) for topic in topics])

    async def _publish(
        self,
        client: Client,
        names: Names,
        prefix: str,
        config: Config,
        listening: asyncio.Task[None],
    ) -> None:
        clock, again, alerts = self._house.clock, -SAY_AGAIN_S, State()
        with self._house.events() as events:
            while self._house.config is config and not listening.done():
                news = await _drained(events)
                due = clock.monotonic() - again >= SAY_AGAIN_S
                if news or due:
                    alerts = await self._site_states(names)
                if due:
                    again, self._said = clock.monotonic(), {}
                doors, cameras = self._house.doors(), self._house.cameras()
                await self._announce(client, prefix, entities(names, doors, cameras))
                await self._say(client, _states(names, doors, cameras) | alerts)
                if due:
                    await client.publish(names.status, "online", qos=1, retain=True)
                await clock.sleep(LOOK_EVERY_S)
        if listening.done():
            listening.result()

    async def _site_states(self, names: Names) -> dict[str, State]:
        runs = (await self._house.protocols.view())["in_force"]
        alerts, drills = await self._house.alerts(open_only=True), set[str]()
        if alerts:
            drills = {each["id"] for each in await self._house.incidents() if each["drill"]}
        return {
            names.of("site", "alerts"): alerts_state(alerts, drills),
            names.of("site", "protocol"): protocol_state(runs),
        }

    async def _announce(self, client: Client, prefix: str, found: list[Entity]) -> None:
        """Say which entities there are, and take back those that are no more."""
        wanted = {f"{prefix}/{each.path}": _json(each) for each in found}
        for topic, payload in wanted.items():
            if self._served.get(topic) != payload:
                await client.publish(topic, payload, qos=1, retain=True)
        for topic in sorted((self._served.keys() | self._strays) - wanted.keys()):
            await client.publish(topic, b"", qos=1, retain=True)
        self._served, self._strays = wanted, set()

    async def _say(self, client: Client, states: dict[str, State]) -> None:
        for topic, state in states.items():
            payload = json.dumps(state, separators=(",", ":"))
            if self._said.get(topic) != payload:
                await client.publish(topic, payload, qos=1, retain=True)
                self._said[topic] = payload
                self.counts["published"] += 1

    async def _listen(self, client: Client, names: Names, prefix: str) -> None:
        async for message in client.messages:
            topic = message.topic.value
            if topic.startswith(f"{prefix}/") and message.payload:
                self._strays.add(topic)
            elif names.control and topic.startswith(f"{names.topic}/door/"):
                await self._asked(names, message)

    async def _asked(self, names: Names, message: Message) -> None:
        """A command of Home Assistant: as that of any person, or nothing."""
        if message.retain:
            self.counts["retained"] += 1
            return
        door = message.topic.value.removeprefix(f"{names.topic}/door/").removesuffix("/set")
        payload = message.payload if isinstance(message.payload, bytes) else b""
        verb = CONTROLS.get(payload[:16].decode("utf-8", "replace").strip())
        self.counts["commands"] += 1
        try:
            if verb is None:
                raise Refused("expected LOCK or UNLOCK")
            await self._house.command_door(door, verb, BY, "asked for in Home Assistant")
        except KeyError:
            self._refused(door[:64], "there is no such door")
        except (Refused, StateError) as error:
            self._refused(door, str(error))

    def _refused(self, door: str, reason: str) -> None:
        self.counts["refused"] += 1
        log.warning("a command of Home Assistant was not taken", door=door, reason=reason)


def _states(
    names: Names, doors: Iterable[DoorView], cameras: Iterable[CameraView]
) -> dict[str, State]:
    found = {names.of("door", each["id"]): door_state(each) for each in doors}
    return found | {names.of("camera", each["id"]): camera_state(each) for each in cameras}


def _json(entity: Entity) -> str:
    return json.dumps(entity.config, separators=(",", ":"))


async def _drained(events: Any) -> bool:
    """Whether something happened to alerts or protocols since the last look."""
    news = False
    while len(events):
        _, event = await anext(events)
        news = news or event.type.startswith(("alert.", "incident.", "protocol."))
    return news
