"""Protocols while the hub runs: their PINs, enrolled devices, and whatever else is pressed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial

import structlog
from sqlalchemy import Connection

from hub.config import Config
from hub.drivers import Drivers
from hub.errors import Refused, StateError
from hub.events import Event
from hub.identity import devices, pins
from hub.identity.devices import DeviceRow
from hub.identity.permissions import may
from hub.phrases import mark, phrase
from hub.protocol_settings import PROTOCOL_NAMES, Does
from hub.protocol_views import DeviceView, PressView, ProtocolRunView
from hub.rule_settings import person_of
from hub.safety.decide import Decider
from hub.safety.intake import Intake
from hub.safety.protocols import plan, rows
from hub.safety.protocols.desk import ProtocolDesk
from hub.views import DoorView

log = structlog.get_logger("protocols")

HELPERS = "give.verdict"  # whoever may judge alerts can be called for help
TRUSTED = "end.protocols"
AGAIN_AFTER_S = 2.0  # within so long a device's press is one press


class Protocols(ProtocolDesk):
    """Satisfies `hub.ports.ProtocolsFacade`."""

    def __init__(
        self,
        intake: Intake,
        sirens: Callable[[], frozenset[str]],
        doors: Callable[[], Sequence[DoorView]] = tuple,
    ) -> None:
        helpers = partial(whose_role_may_now, intake)
        super().__init__(intake, sirens, helpers, doors)
        self._pad = pins.PinPad(intake.clock)
        self._pressed: dict[tuple[str, str], tuple[float, PressView]] = {}

    # ---------------------------------------------------------------------- PINs

    async def set_pins(self, user: str, pin: str, duress: str) -> None:
        """Give an account its PINs, in place of those it had. Raises `Refused`."""
        hashes = await self._pad.hashes(pin, duress)

        def work(connection: Connection, now: datetime) -> Event:
            pins.store(connection, user, hashes, now)
            return Event("pins.set", f"person/{user}", now, user, {"by": user})

        await self._intake.decide(lambda d: d.accept_with(work))

    async def end_by_pin(self, run: str, by: str, pin: str, to: str = "") -> ProtocolRunView:
        """The commander ends a run alone. A duress PIN only seems to: the answer says that it is
        over, and so does what `to` is shown from then on; it goes on, and trusted people elsewhere
        are told. Raises `KeyError`, and `Refused` with the same words for every PIN that is wrong.
        """
        journal = self._intake.journal
        row = await journal.read(lambda c: rows.get(c, run))
        if row.ended or run in await journal.read(lambda c: rows.shown_ended(c, to)):
            raise Refused("it has been ended already")
        hashes = await journal.read(lambda c: pins.hashes_of(c, by))
        which = await self._pad.which(by, hashes, pin)
        if which is None:
            raise Refused("that is not your PIN; set it on your own page, or let two people end it")
        if which == "pin":
            return await self._act(run, lambda d: d.end_as_commander(run, by), to)
        tell, through = self._trusted(row.protocol, by)
        to = to or f"person/{by}"
        await self._intake.decide(lambda d: d.under_duress(run, by, to, tell, through), urgent=True)
        return await self.run(run, to)

    def _trusted(self, protocol: str, by: str) -> tuple[Sequence[str], Sequence[str]]:
        """Whom a duress is told, and over which notifiers; whoever gave it is not told."""
        config = self._intake.config
        settings, giver = config.hub.duress, person_of(config.people, by)
        chosen = [
            name
            for name, one in config.people.items()
            if name != giver and (name in settings.tell or one.role in settings.tell)
        ]
        tell = chosen or [one for one in whose_role_may(config, TRUSTED) if one != giver]
        used = next((block for name, block in config.protocols.items() if name == protocol), None)
        own = used.through if used is not None else ()
        through = settings.through or [each for each in own if self._reaches_people(each)]
        every = [each for each in config.notifiers if self._reaches_people(each)]
        return tell, through or every

    def _reaches_people(self, notifier: str) -> bool:
        block = self._intake.config.notifiers.get(notifier)
        return block is not None and block.enabled and self._intake.private(notifier)

    # ------------------------------------------------------------------- devices

    async def devices(self) -> list[DeviceView]:
        """Every device that was ever enrolled; those in use first."""
        found = await self._intake.journal.read(devices.every)
        return [self._device(row) for row in found]

    async def device(self, token: str) -> DeviceView | None:
        """Whose token this is; None when it is unknown or revoked."""
        row = await self._intake.journal.read(lambda c: devices.identify(c, token))
        return None if row is None else self._device(row)

    async def enrol(self, name: str, place: str, by: str) -> tuple[DeviceView, str]:
        """Enrol a device; returns it with its token, which is shown this once. Raises `Refused`."""
        intake = self._intake
        if place not in intake.config.places:
            raise Refused("there is no place %(place)r; expected one of `places:`", place=place)
        made: list[tuple[DeviceRow, str]] = []

        def work(connection: Connection, now: datetime) -> Event:
            id_, token = devices.enrol(connection, name, place, by, now)
            made.append((devices.get(connection, id_), token))
            return _of_device("device.enrolled", made[0][0], by, now)

        await intake.decide(lambda d: d.accept_with(work))
        return self._device(made[0][0]), made[0][1]

    async def revoke(self, device: str, by: str) -> None:
        """End a device's token, for good. Raises `KeyError`."""

        def work(connection: Connection, now: datetime) -> Event:
            devices.revoke(connection, device, now)
            return _of_device("device.revoked", devices.get(connection, device), by, now)

        await self._intake.decide(lambda d: d.accept_with(work))

    def _device(self, row: DeviceRow) -> DeviceView:
        intake = self._intake
        known = row.place in intake.config.places
        return DeviceView(
            id=row.id,
            name=row.name,
            place=row.place,
            place_words=plan.called(intake.words.campus, row.place) if known else row.place,
            created=row.created,
            by=row.enrolled_by,
            last_used=row.last_used,
            revoked=row.revoked,
            trouble=self._trouble(row.place),
        )

    def _trouble(self, place: str) -> str:
        """Why a Lockdown that is started at a place would not be in force there, in words."""
        config, campus = self._intake.config, self._intake.words.campus
        if place not in config.places:
            return phrase(
                "its place %(place)r is no longer in the configuration: it starts nothing",
                place=place,
            )
        try:
            area = plan.area_for(config, "lockdown", place)
        except Refused:
            return mark("no lockdown is described in the configuration: it only calls for help")
        if campus.within(place, area):
            return ""
        where = plan.called(campus, area)
        return phrase(
            "it stands outside %(where)s, and only there its Lockdown is in force", where=where
        )

    # -------------------------------------------------------------------- presses

    async def press_device(
        self, device: DeviceView, does: Does, *, text: str = "", key: str = ""
    ) -> PressView:
        """What an enrolled device asks for, at its own place. Raises `Refused`."""
        if does not in (*PROTOCOL_NAMES, "help"):
            raise Refused(
                "a device starts a protocol or calls for help, it does no %(does)s", does=does
            )
        act, at = (device["id"], does), self._intake.clock.monotonic()
        before = self._pressed.get(act)
        if before is not None and at - before[0] < AGAIN_AFTER_S:
            return before[1]  # a device that floods writes nothing
        source = f"device/{device['id']}"
        place, name = device["place"], device["name"]
        key = f"{device['id']}-{key}" if key else ""  # what two devices count alike is two presses
        try:
            pressed = await self.press(does, place, name, source=source, text=text, key=key)
        except Refused as refusal:
            await self._call(does, place, name, refusal, source, key)
            raise Refused("%(refusal)s; people were called instead", refusal=refusal) from None
        self._pressed[act] = (at, pressed)
        now = self._intake.clock.now()
        with suppress(StateError):  # it is started, whatever becomes of this
            await self._intake.journal.write(
                lambda c: devices.used(c, device["id"], now), urgent=True
            )
        return pressed

    async def press(
        self,
        does: Does,
        place: str,
        device: str,
        *,
        source: str,
        text: str = "",
        key: str = "",
    ) -> PressView:
        """What a button, a contact or a signed message asks for. The same key twice is one. Raises
        `Refused`.
        """
        if does == "help":
            alert = await self.help(place, "", device, text, source=source, key=key)
            return PressView(does=does, run=None, alert=alert["id"])
        if does in ("fire", "fire_clear"):
            await self._fire(does, place, device, source, key)
            return PressView(does=does, run=None, alert=None)
        run = await self.start(
            does, "", "", device=device, place=place, source=source, reason=text, key=key
        )
        return PressView(does=does, run=run["id"], alert=None)

    async def press_or_call(
        self, does: Does, place: str, device: str, *, source: str, text: str = "", key: str = ""
    ) -> None:
        """A press that cannot do what it should calls people instead: none is lost."""
        try:
            await self.press(does, place, device, source=source, text=text, key=key)
        except Refused as refusal:
            await self._call(does, place, device, refusal, source, key)

    async def _call(
        self, does: Does, place: str, device: str, refusal: Refused, source: str, key: str
    ) -> None:
        """Call people for a press that was refused."""
        log.error("a press could not be carried out", source=source, reason=str(refusal))
        where = place if place in self._intake.config.places else self._site()
        said = f"{does} was pressed and could NOT be started: {refusal}"
        await self.help(where, "", device, said, source=source, key=f"{key}-help" if key else "")

    async def take(self, event: Event) -> bool:
        """Take a report of another system; where its block `does` something it is a press. Says
        whether it is new.
        """
        config = self._intake.config
        name = str(event.data.get("inbound"))
        block = config.inbound.get(name)
        over = event.type == "report.ended"
        if block is not None and block.does is not None and (block.does == "fire" or not over):
            said = str(event.data.get("place") or "")
            await self.press_or_call(
                "fire_clear" if over else block.does,
                said if said in config.places else self._site(),
                block.name or name,
                source=f"inbound/{name}",
                text=str(event.data.get("text") or ""),
                key=event.id,
            )
        return await self._intake.take(event)  # last: one that is sent again is pressed again

    def _site(self) -> str:
        """The first place that is part of no other."""
        places = self._intake.config.places
        return next((name for name, each in places.items() if each.parent is None), "")

    async def _fire(self, does: Does, place: str, device: str, source: str, key: str) -> None:
        """A fire panel says so, or that it is over: for an input that has one of its own for that,
        what the other has said.
        """
        now, intake = self._intake.clock.now(), self._intake
        kind = "fire.alarm" if does == "fire" else "fire.clear"
        found: list[Event] = []
        for each in self._panels(source, place) if does == "fire_clear" else [source]:
            data = {"place": place, "source": each, "device": device}
            event = Event(kind, source, now, place, data)
            found.append(Event(kind, source, now, place, data, f"{key}-{each}") if key else event)

        def work(decider: Decider) -> None:
            for event in found:
                decider.accept(event)

        await intake.decide(work, urgent=True)

    def _panels(self, source: str, place: str) -> list[str]:
        """The inputs whose alarm an input ends: those on its topic, else those at its place."""
        inputs = self._intake.config.inputs
        own = inputs.get(source.removeprefix("input/"))
        alarms = {name: block for name, block in inputs.items() if block.does == "fire"}
        alike = [name for name, block in alarms.items() if own and block.topic == own.topic]
        near = [name for name, block in alarms.items() if block.place == place]
        return [source, *(f"input/{name}" for name in alike or near)]


def whose_role_may_now(intake: Intake) -> tuple[str, ...]:
    """The people who can be called for help by the configuration that runs."""
    return whose_role_may(intake.config, HELPERS)


def whose_role_may(config: Config, permission: str) -> tuple[str, ...]:
    """The people of the configuration whose role may do something."""
    return tuple(
        name for name, one in config.people.items() if may(one.role, permission, config.roles)
    )


def _of_device(kind: str, row: DeviceRow, by: str, now: datetime) -> Event:
    data = {"device": row.name, "place": row.place, "by": by}
    return Event(kind, f"person/{by}", now, row.id, data)


def protocols_of(
    intake: Intake,
    drivers: Drivers,
    config: Callable[[], Config],
    doors: Callable[[], Sequence[DoorView]],
) -> Protocols:
    """The protocols of a running hub: which doors sound, its drivers say."""

    def sirens() -> frozenset[str]:
        loud = {
            id_
            for id_ in config().access_control
            if (instance := drivers.get("access_control", id_).instance) is not None
            and instance.capabilities.local_siren
        }
        return frozenset(door for door, block in config().doors.items() if block.controller in loud)

    return Protocols(intake, sirens, doors)
