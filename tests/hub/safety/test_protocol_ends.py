"""Ending protocols: two people, or the commander's PIN; and the PIN that only seems to."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from protocol_school import DURESS, PIN, PLAIN_PINS, PROTOCOLS, account, commander, protocol_school
from safety_school import INTRUSIONS, School
from sqlalchemy import Connection

from hub.errors import Refused
from hub.events import Event
from hub.identity import pins
from hub.identity.passwords import PasswordThreads
from hub.protocol_views import ProtocolRunView
from hub.protocols import Protocols


@pytest.fixture
def plain_pins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare PINs without argon2, which has tests of its own."""

    async def matches(self: PasswordThreads, stored: str | None, given: str) -> bool:
        return stored in PLAIN_PINS and stored == f"plain {given}"

    monkeypatch.setattr(PasswordThreads, "matches", matches)


async def lockdown(house: School, desk: Protocols) -> ProtocolRunView:
    """A lockdown of the site whose doors have all answered."""
    run = await desk.start("lockdown", "site", "head")
    await house.settled()
    return await desk.run(run["id"])


async def test_that_pins_were_set_stands_in_the_journal_and_no_pin_does(tmp_path: Path) -> None:
    """Who, and when; what is refused leaves no line, and nothing of a PIN stands anywhere."""
    async with protocol_school(tmp_path) as (house, desk):
        await account(house, "Pat")
        with pytest.raises(Refused, match="Only an account"):
            await desk.set_pins("nobody", PIN, DURESS)
        await desk.set_pins("Pat", PIN, DURESS)
        (said,) = [
            event for _, event in await house.intake.past_events(0) if event.type == "pins.set"
        ]
        assert (said.subject, said.source, said.data) == ("Pat", "person/Pat", {"by": "Pat"})
        assert said.time == house.clock.now()


async def test_what_is_written_together_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """Where the event cannot be journaled, what it tells of is not kept either."""

    def work(connection: Connection, now: datetime) -> Event:
        pins.store(connection, "Pat", ("other", "hashes"), now)
        return Event("pins.set", "person/Pat", now, "Pat", {"by": float("nan")})

    async with protocol_school(tmp_path) as (house, _):
        await account(house, "Pat")
        with pytest.raises(ValueError, match="not JSON compliant"):
            await house.intake.decide(lambda d: d.accept_with(work))
        assert await house.journal.read(lambda c: pins.hashes_of(c, "Pat")) == PLAIN_PINS


async def test_it_takes_two_people(tmp_path: Path) -> None:
    """Who asks cannot confirm; a second person can, and then the all-clear is confirmed door by
    door and channel by channel.
    """
    async with protocol_school(tmp_path) as (house, desk):
        run = (await lockdown(house, desk))["id"]
        with pytest.raises(Refused, match="nobody has asked for its end"):
            await desk.end(run, "officer")
        ending = (await desk.ask_end(run, "head"))["ending"]
        assert ending is not None
        assert ending["by"] == "head"
        for same in ("head", "HEAD", "Principal"):  # two accounts of one of the people are one
            with pytest.raises(Refused, match="a second person"):
                await desk.end(run, same)
        assert len(house.channels["siren"].sent) == 1
        view = await desk.end(run, "officer")
        assert (view["state"], view["ended_by"]) == (
            "ended", ["Principal", "School resource officer"],
        )  # fmt: skip
        await house.settled()
        clear = (await desk.run(run))["all_clear"]
        assert clear is not None
        assert clear["sentence"] == "No door is asked to go back"
        assert [each["state"] for each in clear["channels"]] == ["confirmed"] * 3
        over = house.channels["siren"].sent[-1]
        assert over.title == "All clear: Lockdown, School"
        assert over.data["verdict"] == "resolved"
        with pytest.raises(Refused, match="has been ended already"):
            await desk.end(run, "officer")


async def test_asking_lasts_five_minutes(tmp_path: Path) -> None:
    """What nobody confirmed in five minutes has to be asked for again; and it can be withdrawn."""
    async with protocol_school(tmp_path) as (house, desk):
        run = (await lockdown(house, desk))["id"]
        await desk.ask_end(run, "head")
        with pytest.raises(Refused, match="Principal has asked for it already"):
            await desk.ask_end(run, "officer")
        house.clock.set(house.clock.now() - timedelta(hours=1))
        with pytest.raises(Refused, match="nobody has asked for its end"):
            await desk.end(run, "officer")
        house.clock.set(house.clock.now() + timedelta(hours=1))
        await house.clock.advance(301)
        assert (await desk.run(run))["ending"] is None
        with pytest.raises(Refused, match="nobody has asked for its end"):
            await desk.end(run, "officer")
        await desk.ask_end(run, "officer")
        assert (await desk.withdraw_end(run, "head"))["ending"] is None
        with pytest.raises(Refused, match="nobody has asked for its end"):
            await desk.end(run, "head")


async def test_law_3_no_program_ends_a_protocol(tmp_path: Path) -> None:
    """A token is not a person: it neither asks for an end nor confirms one."""
    async with protocol_school(tmp_path) as (house, desk):
        run = (await lockdown(house, desk))["id"]
        with pytest.raises(Refused, match="takes people"):
            await desk.ask_end(run, "script (token)")
        await desk.ask_end(run, "head")
        with pytest.raises(Refused, match="takes people"):
            await desk.end(run, "script (token)")


async def test_law_3_starting_is_one_gesture_and_ending_is_not(tmp_path: Path) -> None:
    """A device starts a lockdown alone; nothing that one person does alone without a PIN ends it:
    not ending, not closing the incident, not resolving or dismissing its alert, no fire decision.
    """
    async with protocol_school(tmp_path) as (house, desk):
        pressed = await desk.press("lockdown", "lab", "Button", source="device/lab")
        run = await desk.run(str(pressed["run"]))
        await house.settled()
        (alert,) = (await house.intake.incident(run["incident"]))["alerts"]
        attempts: list[Any] = [
            lambda: desk.end(run["id"], "head"),
            lambda: house.intake.decide(lambda d: d.close_case(run["incident"], "head")),
            lambda: house.intake.resolve(alert["id"], "head"),
            lambda: house.intake.verdict(alert["id"], "dismissed", "head"),
            lambda: desk.decide_fire(run["id"], "evacuate", "head"),
            lambda: house.intake.command_door("store", "unlock", "head", ""),
        ]
        for attempt in attempts:
            with pytest.raises(Refused):
                await attempt()
        assert (await desk.run(run["id"]))["state"] == "in_force"
        assert (await desk.run(run["id"]))["secured"] == 3


async def test_the_commander_ends_it_with_a_pin(tmp_path: Path, plain_pins: None) -> None:
    """Only who leads the incident, and only with their own PIN; whoever guesses has to wait."""
    async with protocol_school(tmp_path) as (house, desk):
        run = await lockdown(house, desk)
        await account(house, "officer")
        with pytest.raises(Refused, match="only the incident's commander"):
            await desk.end_by_pin(run["id"], "officer", PIN)
        await commander(house, run, "officer")
        for _ in range(3):
            with pytest.raises(Refused, match="that is not your PIN"):
                await desk.end_by_pin(run["id"], "officer", "0000")
        with pytest.raises(Refused, match="Too many wrong PINs"):
            await desk.end_by_pin(run["id"], "officer", PIN)
        await house.clock.advance(10)
        assert (await desk.end_by_pin(run["id"], "officer", PIN))["state"] == "ended"
        await house.settled()


async def test_duress_seems_to_end_it_and_does_not(tmp_path: Path, plain_pins: None) -> None:
    """With a duress PIN one device is shown the end. No door moves, no all-clear goes out, trusted
    people elsewhere hear of it, and nobody whom the forcing person may read over the shoulder of.
    """
    async with protocol_school(tmp_path) as (house, desk):
        run = await lockdown(house, desk)
        await account(house, "officer")
        await commander(house, run, "officer")
        asked, sirens = len(house.doors.asked), len(house.channels["siren"].sent)
        view = await desk.end_by_pin(run["id"], "officer", DURESS, "this device")
        assert (view["state"], view["ended_by"]) == ("ended", ["School resource officer"])
        assert view["all_clear"] is not None
        await house.settled()
        assert len(house.doors.asked) == asked
        assert len(house.channels["siren"].sent) == sirens
        told = [n for name in ("console", "post") for n in house.channels[name].sent]
        duress = [n for n in told if n.data.get("duress")]
        assert {to.person for n in duress for to in n.to} == {"head"}
        assert all(n.severity == "severe" and n.title.startswith("DURESS") for n in duress)
        assert all(n.data.get("verdict") != "resolved" for n in told)
        # elsewhere it is in force, on that device it stays over
        assert (await desk.run(run["id"]))["state"] == "in_force"
        assert (await desk.run(run["id"], "another device"))["state"] == "in_force"
        assert (await desk.run(run["id"], "this device"))["state"] == "ended"
        assert (await desk.view("this device"))["in_force"] == []
        assert len((await desk.view())["in_force"]) == 1


async def test_duress_is_echoed_nowhere_until_the_incident_is_closed(
    tmp_path: Path, plain_pins: None
) -> None:
    """No alert, no line of the story, no action of the incident says so while it is open; the story
    does once it is closed.
    """
    async with protocol_school(tmp_path) as (house, desk):
        run = await lockdown(house, desk)
        await account(house, "officer")
        await desk.end_by_pin(run["id"], "officer", DURESS, "this device")
        await house.settled()
        shown = [
            {**await desk.view(), "duress": ""},
            await house.intake.alerts(),
            await house.intake.incidents(),
            await house.intake.incident(run["incident"]),
        ]
        assert json.dumps(shown).lower().count("duress") == 1  # the empty list of the API
        await desk.ask_end(run["id"], "head")
        await desk.end(run["id"], "desk")
        await house.settled()
        await house.intake.decide(lambda d: d.close_case(run["incident"], "head"))
        story = [e["text"] for e in (await house.intake.incident(run["incident"]))["entries"]]
        assert any(line.startswith("DURESS: School resource officer") for line in story)


async def test_a_duress_is_told_where_its_protocol_only_sounds(
    tmp_path: Path, plain_pins: None
) -> None:
    """A protocol that speaks through sirens alone still has its duress told to people, through
    every channel that reaches them; `hub.duress` narrows that.
    """
    loud = {"lockdown": {"through": ["siren"]}}
    async with protocol_school(tmp_path, protocols=loud) as (house, desk):
        run = await lockdown(house, desk)
        await account(house, "officer")
        await desk.end_by_pin(run["id"], "officer", DURESS, "here")
        await house.settled()
        assert [n.title for n in house.channels["post"].sent] == ["DURESS: Lockdown, School"]
        assert len(house.channels["siren"].sent) == 1
    only = tmp_path / "only"
    only.mkdir()
    hub = {"duress": {"tell": ["desk"], "through": ["console"]}}
    async with protocol_school(only, protocols=loud, hub=hub) as (house, desk):
        run = await lockdown(house, desk)
        await account(house, "officer")
        await desk.end_by_pin(run["id"], "officer", DURESS, "here")
        await house.settled()
        assert house.channels["post"].sent == []
        assert [to.person for n in house.channels["console"].sent for to in n.to] == ["desk"]


async def test_a_wrong_pin_and_no_pin_sound_alike(tmp_path: Path, plain_pins: None) -> None:
    """Nobody learns who has a PIN."""
    async with protocol_school(tmp_path) as (house, desk):
        run = (await lockdown(house, desk))["id"]
        await account(house, "officer")
        said = set()
        for by in ("officer", "nobody"):
            with pytest.raises(Refused) as refusal:
                await desk.end_by_pin(run, by, "1234567")
            said.add(str(refusal.value))
        assert len(said) == 1


async def test_what_is_beneath_is_in_force_again(tmp_path: Path) -> None:
    """Ending a lockdown over a secure keeps the outside doors locked, and says what holds now."""
    async with protocol_school(tmp_path) as (house, desk):
        below = await desk.start("secure", "site", "head")
        above = await lockdown(house, desk)
        await desk.ask_end(above["id"], "head")
        await desk.end(above["id"], "officer")
        await house.settled()
        view = await desk.view()
        assert [(run["id"], run["state"]) for run in view["in_force"]] == [
            (below["id"], "in_force"),
        ]  # fmt: skip
        last = house.channels["post"].sent[-1]
        assert last.title == "Lockdown is over, Secure is in force: School"
        assert "In force: Secure, School. Get inside. Lock outside doors." in last.text
        wanted = [asked for asked in house.doors.asked if asked[0] == "wing_east"]
        assert wanted[-1][1] == "lock"
        assert [each["state"] for each in (await desk.run(below["id"]))["doors"]] == ["secured"]


async def test_notices_that_wait_are_called_off_by_the_end(tmp_path: Path) -> None:
    """No siren starts for a lockdown after its all-clear was given."""
    async with protocol_school(tmp_path) as (house, desk):
        await house.stop()
        run = await desk.start("lockdown", "site", "head")
        await desk.ask_end(run["id"], "head")
        await desk.end(run["id"], "officer")
        house.perform()
        await house.settled()
        assert [n.data["verdict"] for n in house.channels["siren"].sent] == ["resolved"]
        doors = (await desk.run(run["id"]))["doors"]
        assert all(each["state"] != "secured" for each in doors)


async def test_real_alerts_are_told_beside_it(tmp_path: Path) -> None:
    """A lockdown joins the incident that is open at its place, with its own alert in it."""
    async with protocol_school(tmp_path, rules=INTRUSIONS) as (house, desk):
        await house.intake.accept(house.seen(place="lab"))
        (incident,) = await house.intake.incidents()
        run = await desk.start("lockdown", "wing", "head")
        assert run["incident"] == incident["id"]
        await house.settled()
        titles = {a["title"] for a in (await house.intake.incident(incident["id"]))["alerts"]}
        assert titles == {"Person in the closed science wing", "Lockdown: Science wing"}


async def test_protocols_without_channels_end_as_well(tmp_path: Path) -> None:
    """A protocol that tells nobody has an all-clear without channels."""
    async with protocol_school(tmp_path, protocols={"hold": {}, **PROTOCOLS}) as (house, desk):
        run = await desk.start("hold", "gym", "head")
        await desk.ask_end(run["id"], "head")
        over = await desk.end(run["id"], "officer")
        assert over["all_clear"] is not None
        assert over["all_clear"]["sentence"] == "No doors to move back"
        await house.settled()
