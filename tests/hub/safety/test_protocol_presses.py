"""Help, devices, signed messages: what a hand can do without signing in."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from protocol_school import PROTOCOLS, protocol_school
from safety_school import School
from sqlalchemy import update

from hub.errors import Refused
from hub.events import Event
from hub.protocol_views import PressView
from hub.protocols import Protocols
from hub.storage.schema import devices

HELP_RULE: dict[str, Any] = {
    "nurse": {
        "name": "Somebody needs the nurse",
        "when": "help.pressed",
        "alert": {
            "severity": "high", "tell": ["head"], "through": ["post"], "incident": "medical",
        },
    },
}  # fmt: skip
FOB: dict[str, Any] = {
    "fob": {
        "name": "Key fobs",
        "signature": {"secret": "0123456789abcdef"},
        "fields": {"id": "id", "place": "room", "text": "words"},
        "does": "lockdown",
    },
    "panel": {
        "signature": {"secret": "0123456789abcdef"}, "fields": {"id": "id"}, "does": "fire",
    },
    "eye": {"signature": {"secret": "0123456789abcdef"}, "fields": {"id": "id"}},
}  # fmt: skip

HELP_FOB: dict[str, Any] = {"fob": FOB["fob"] | {"does": "help"}}


async def test_help_is_another_gesture_and_locks_nothing(tmp_path: Path) -> None:
    """A call for help is an alert with a place and an incident; no door moves, nothing sounds, no
    protocol is in force.
    """
    async with protocol_school(tmp_path) as (house, desk):
        alert = await desk.help("lab", "", "Button in the lab", "somebody fell")
        await house.settled()
        assert (alert["severity"], alert["place"]) == ("high", "lab")
        assert alert["title"] == "Help: Laboratory"
        incident = await house.intake.incident(alert["incident"])
        assert incident["kind"] == "medical"
        assert "Button in the lab calls for help in Laboratory: somebody fell" in [
            entry["text"] for entry in incident["entries"]
        ]
        assert house.doors.asked == house.channels["siren"].sent == []
        assert (await desk.view())["in_force"] == []
        told = {to.person for n in house.channels["post"].sent for to in n.to}
        assert {"officer", "head"} <= told


async def test_rules_say_who_hears_a_call_for_help(tmp_path: Path) -> None:
    """Where the school has a rule about it, that rule alone speaks."""
    async with protocol_school(tmp_path, rules=HELP_RULE) as (house, desk):
        alert = await desk.help("lab", "desk", "", "")
        await house.settled()
        assert (alert["rule"], alert["title"]) == ("nurse", "Somebody needs the nurse")
        assert len(await house.intake.alerts()) == 1
        assert {to.person for n in house.channels["post"].sent for to in n.to} == {"head"}


async def test_help_can_be_taken_back_for_ten_seconds_by_whoever_called(tmp_path: Path) -> None:
    """A slip is told as one; after that, or by somebody else, it is a matter for those who come."""
    async with protocol_school(tmp_path) as (house, desk):
        alert = (await desk.help("lab", "", "Button", ""))["id"]
        await house.settled()
        with pytest.raises(Refused, match="only whoever called"):
            await desk.correct_help(alert, "desk")
        taken = await desk.correct_help(alert, "Button")
        assert taken["state"] == "dismissed"
        await house.settled()
        assert house.channels["post"].sent[-1].data["verdict"] == "dismissed"
        later = (await desk.help("gym", "", "Button", ""))["id"]
        await house.clock.advance(11)
        with pytest.raises(Refused, match="for ten seconds"):
            await desk.correct_help(later, "Button")
        await house.intake.accept(house.seen(place="lab"))
        other = next(a for a in await house.intake.alerts() if a["rule"] == "closed_wing")
        with pytest.raises(Refused, match="only a call for help"):
            await desk.correct_help(other["id"], "Button")
        await house.settled()


async def test_a_key_of_one_device_hides_no_call_of_another(tmp_path: Path) -> None:
    """Two devices that count from 1 are two calls; so is the same one, once the first is over."""
    async with protocol_school(tmp_path, inbound=HELP_FOB) as (house, desk):

        async def call(device: str, place: str) -> str:
            pressed = await desk.press("help", place, device, source=f"device/{device}", key="1")
            return str(pressed["alert"])

        first = await call("a", "lab")
        assert await call("a", "lab") == first
        assert await call("b", "gym") != first
        await house.intake.verdict(first, "dismissed", "head")
        assert await call("a", "lab") != first
        message = report(house, "fob", place="yard")
        assert [await desk.take(message) for _ in range(2)] == [True, False]
        assert len(await _types(house, "help.")) == 4
        assert await _types(house, "report.") == ["report.received"]
        await house.settled()


async def test_nobody_takes_back_a_call_that_another_has_joined(tmp_path: Path) -> None:
    """A slip in a room in which somebody else calls for help as well costs them nothing."""
    async with protocol_school(tmp_path) as (house, desk):
        first = (await desk.help("lab", "", "Button", ""))["id"]
        assert (await desk.help("lab", "desk", "", "somebody fell"))["id"] == first
        with pytest.raises(Refused, match="more than once"):
            await desk.correct_help(first, "Button")
        await house.settled()


async def test_a_lockdown_never_takes_itself_back(tmp_path: Path) -> None:
    """Whoever pressed it by mistake needs a second person as anybody does: not its own device, not
    a day of silence ends it.
    """
    async with protocol_school(tmp_path) as (house, desk):
        run = str((await desk.press("lockdown", "lab", "Button", source="device/1"))["run"])
        await house.settled()
        alert = (await house.intake.alerts())[0]
        with pytest.raises(Refused, match="only a call for help"):
            await desk.correct_help(alert["id"], "Button")
        await house.clock.advance(86_400)
        await desk.look()
        assert (await desk.run(run))["state"] == "in_force"


async def test_law_3_an_enrolled_device_starts_and_does_nothing_else(tmp_path: Path) -> None:
    """Its token starts protocols at its place and calls for help; it is told that, and no more. A
    device that was revoked, or another's token, does nothing.
    """
    async with protocol_school(tmp_path) as (house, desk):
        view, token = await desk.enrol("Room 12", "lab", "it")
        assert (view["place_words"], view["last_used"]) == ("Laboratory, Science wing", None)
        known = await desk.device(token)
        assert known is not None
        pressed = await desk.press_device(known, "lockdown", key="k")
        again = await desk.press_device(known, "lockdown", key="k")
        assert pressed == again
        run = await desk.run(str(pressed["run"]))
        assert (run["device"], run["area"]) == ("Room 12", "site")
        for does in ("fire", "fire_clear"):
            with pytest.raises(Refused, match="it does no"):
                await desk.press_device(known, does)  # type: ignore[arg-type]
        helped = [await desk.press_device(known, "help") for _ in range(5)]
        assert {each["alert"] for each in helped} == {helped[0]["alert"]}
        assert len(await _types(house, "help.")) == 1
        (listed,) = await desk.devices()
        assert listed["last_used"] is not None
        await desk.revoke(view["id"], "it")
        await desk.revoke(view["id"], "it")
        assert await desk.device(token) is None
        assert await desk.device("vsd_made-up") is None
        with pytest.raises(KeyError):
            await desk.revoke("nothing", "it")
        with pytest.raises(Refused, match="no place"):
            await desk.enrol("Room 13", "moon", "it")
        assert (await _types(house, "device."))[0] == "device.enrolled"
        await house.settled()


async def _types(house: School, start: str) -> list[str]:
    return [
        event.type for _, event in await house.intake.past_events(0) if event.type.startswith(start)
    ]


def report(house: School, inbound: str, kind: str = "report.received", **data: str) -> Event:
    """What another system said, as the inbound desk hands it on."""
    facts = {"inbound": inbound, **data}
    return Event(kind, f"inbound/{inbound}", house.clock.now(), "x", facts, f"{inbound}-{kind}-1")


async def test_a_signed_message_of_a_key_fob_is_a_press(tmp_path: Path) -> None:
    """A message of a block that `does` something starts it, once however often it comes, and stands
    in the journal as what was said.
    """
    async with protocol_school(tmp_path, inbound=FOB) as (house, desk):
        event = report(house, "fob", place="gym", text="Fob 7")
        taken = [await desk.take(event) for _ in range(3)]
        assert taken == [True, False, False]
        (run,) = (await desk.view())["in_force"]
        assert (run["device"], run["area"], run["reason"]) == ("Key fobs", "site", "Fob 7")
        assert await _types(house, "report.") == ["report.received"]
        assert len(await _types(house, "panic.")) == 1
        await house.settled()


async def test_a_fob_whose_place_nobody_knows_starts_it_on_the_site(tmp_path: Path) -> None:
    """A place that is not in the configuration costs no lockdown."""
    async with protocol_school(tmp_path, inbound=FOB) as (house, desk):
        await desk.take(report(house, "fob", place="Room 999"))
        (run,) = (await desk.view())["in_force"]
        assert (run["protocol"], run["area"]) == ("lockdown", "site")
        await house.settled()


async def test_a_key_lasts_while_what_it_started_is_in_force(tmp_path: Path) -> None:
    """A device that always sends the same key starts a second lockdown after the first; a signed
    message that somebody has recorded starts none.
    """
    async with protocol_school(tmp_path, inbound=FOB) as (house, desk):
        for number in range(2):
            run = str((await _press(desk))["run"])
            assert run == str((await _press(desk))["run"])
            await desk.ask_end(run, "head")
            await desk.end(run, "officer")
            assert len((await desk.view())["lately"]) == number + 1
        event = report(house, "fob", place="gym")
        await desk.take(event)
        (fob,) = (await desk.view())["in_force"]
        await desk.ask_end(fob["id"], "head")
        await desk.end(fob["id"], "officer")
        await desk.take(event)
        assert (await desk.view())["in_force"] == []
        await house.settled()


async def _press(desk: Protocols) -> PressView:
    return await desk.press("lockdown", "lab", "Button", source="device/1", key="always")


async def test_a_signed_fire_message_is_an_alarm_and_its_end_ends_it(tmp_path: Path) -> None:
    """A panel that reports over HTTP is a fire input like any other."""
    async with protocol_school(tmp_path, inbound=FOB) as (house, desk):
        await desk.take(report(house, "panel"))
        assert (await desk.fire())["state"] == "alarm"
        await desk.take(report(house, "panel", "report.ended"))
        assert (await desk.fire())["state"] == "not_rearmed"


async def test_a_message_without_does_starts_nothing(tmp_path: Path) -> None:
    """What other systems report remains a report."""
    async with protocol_school(tmp_path, inbound=FOB) as (house, desk):
        assert await desk.take(report(house, "eye", place="gym"))
        await house.settled()
        assert (await desk.view())["in_force"] == []
        assert house.doors.asked == []


async def test_a_press_that_cannot_be_carried_out_calls_people(tmp_path: Path) -> None:
    """No press is lost silently: where it cannot start what it should, people are called and told
    why.
    """
    without = {name: each for name, each in PROTOCOLS.items() if name != "lockdown"}
    async with protocol_school(tmp_path, protocols=without) as (house, desk):
        await desk.press_or_call("lockdown", "lab", "Button", source="input/button")
        await house.settled()
        (alert,) = await house.intake.alerts()
        assert alert["title"] == "Help: Laboratory"
        assert "could NOT be started" in " ".join(alert["matched"])
        assert house.channels["post"].sent


async def test_a_devices_press_that_is_refused_calls_people(tmp_path: Path) -> None:
    """Whoever stands at a device that cannot start what it should is told so, and somebody comes;
    sent again it is the same call.
    """
    without = {name: each for name, each in PROTOCOLS.items() if name != "lockdown"}
    async with protocol_school(tmp_path, protocols=without) as (house, desk):
        known, _ = await desk.enrol("Room 12", "lab", "it")
        for _ in range(2):
            with pytest.raises(Refused, match="people were called instead"):
                await desk.press_device(known, "lockdown", key="k")
        await house.settled()
        (alert,) = await house.intake.alerts()
        assert alert["title"] == "Help: Laboratory"
        assert alert["count"] == 1
        assert "lockdown was pressed and could NOT be started" in " ".join(alert["matched"])


async def test_two_devices_that_count_alike_are_two_calls(tmp_path: Path) -> None:
    """The key of a press is its device's own: what two devices send as number 1 are two calls."""
    async with protocol_school(tmp_path) as (house, desk):
        calls = []
        for name, place in (("Room 12", "lab"), ("Gym desk", "gym")):
            known, _ = await desk.enrol(name, place, "it")
            calls.append(await desk.press_device(known, "help", key="1"))
        assert calls[0]["alert"] != calls[1]["alert"]
        assert {each["place"] for each in await house.intake.alerts()} == {"lab", "gym"}
        await house.settled()


async def test_a_device_says_where_its_lockdown_would_not_be_in_force(tmp_path: Path) -> None:
    """Outside the area of the configuration, at a place that is gone, or with no lockdown at all;
    where all is well it says nothing.
    """
    wing = {**PROTOCOLS, "lockdown": {**PROTOCOLS["lockdown"], "area": "wing"}}
    async with protocol_school(tmp_path, protocols=wing) as (_, desk):
        inside, _ = await desk.enrol("Room 12", "lab", "it")
        outside, token = await desk.enrol("Gym desk", "gym", "it")
        assert inside["trouble"] == ""
        assert outside["trouble"] == (
            "it stands outside Science wing, and only there its Lockdown is in force"
        )
        assert await desk.device(token) == outside
    (tmp_path / "none").mkdir()
    without = {name: each for name, each in PROTOCOLS.items() if name != "lockdown"}
    async with protocol_school(tmp_path / "none", protocols=without) as (house, desk):
        view, _ = await desk.enrol("Room 12", "lab", "it")
        assert "no lockdown is described" in view["trouble"]
        await house.journal.write(lambda c: c.execute(update(devices).values(place="gone")))
        (listed,) = await desk.devices()
        assert "its place 'gone' is no longer in the configuration" in listed["trouble"]


async def test_a_press_goes_before_a_thousand_events(tmp_path: Path) -> None:
    """A flood of motion that waits for the journal does not delay a press: of a thousand events
    that were handed over before, most are written after it.
    """
    async with protocol_school(tmp_path) as (house, desk):
        flood = [
            asyncio.create_task(house.intake.accept(house.seen(place="yard"))) for _ in range(1000)
        ]
        await asyncio.sleep(0)
        await desk.press("lockdown", "lab", "Button", source="device/1")
        events = [event.type for _, event in await house.intake.past_events(0, 5000)]
        before = events.index("protocol.started")
        await asyncio.gather(*flood)
        assert before < 900
        await house.settled()
