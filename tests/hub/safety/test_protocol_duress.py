"""A duress PIN: what its session is shown is what an end looks like, and what others are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from door_school import DoorSchool, door_school
from protocol_school import DURESS, PIN, PLAIN_PINS, PROTOCOLS, account, protocol_school
from safety_school import SCHOOL, School
from test_protocol_doors import SCHOOL as REAL
from test_protocol_doors import desk_of

from hub.errors import Refused
from hub.events import Event
from hub.identity.passwords import PasswordThreads
from hub.protocols import Protocols

HERE = "this session"
MIXED: dict[str, Any] = PROTOCOLS | {
    "lockdown": PROTOCOLS["lockdown"] | {
        "doors": [
            {"verb": "lock", "place": "site"}, {"verb": "lockdown", "doors": ["wing_east"]},
        ],
        "through": ["console", "post"],
    },
}  # fmt: skip

ALONE: dict[str, Any] = {"lockdown": {"through": ["console"]}}


@pytest.fixture(autouse=True)
def _plain_pins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare PINs without argon2, which has tests of its own."""

    async def matches(self: PasswordThreads, stored: str | None, given: str) -> bool:
        return stored in PLAIN_PINS and stored == f"plain {given}"

    monkeypatch.setattr(PasswordThreads, "matches", matches)


async def _given(house: DoorSchool, pin: str) -> dict[str, Any]:
    """How the end by a PIN looks after some seconds to the session that gave it."""
    desk = desk_of(house)
    await house.decide(lambda d: d.command("store", "unlock", "desk", "delivery"))
    run = await desk.start("lockdown", "site", "head")
    await house.pass_time(2)
    await account(house, "officer")  # type: ignore[arg-type]
    incident = run["incident"]
    await house.decide(lambda d: d.give_role(incident, "commander", "officer", "officer"))
    await desk.end_by_pin(run["id"], "officer", pin, HERE)
    await house.pass_time(5)
    view: dict[str, Any] = dict(await desk.run(run["id"], HERE))
    doors = [{**each, "seconds": None} for each in view["all_clear"]["doors"]]
    doors.sort(key=lambda each: str(each["door"]))
    channels = [each["channel"] for each in view["all_clear"]["channels"]]
    told = {"sentence": view["all_clear"]["sentence"], "doors": doors, "channels": channels}
    return {name: view[name] for name in ("state", "ended_by", "ending", "secured")} | told


async def test_under_duress_its_session_is_shown_what_an_end_shows(tmp_path: Path) -> None:
    """Door by door: one that somebody wants otherwise, one that was locked down, one that nobody
    wants otherwise. And no door has moved.
    """
    found = []
    for pin in (PIN, DURESS):
        path = tmp_path / pin
        path.mkdir()
        async with door_school(path, **REAL | {"protocols": MIXED}) as house:
            found.append(await _given(house, pin))
            locks = house.lock.locks
    assert found[0] == found[1]
    assert found[1]["sentence"] == "2 of 2 back as before; 1 door left as it is"
    assert set(locks.values()) == {"locked"}


async def _forced(house: School, desk: Protocols, protocol: str = "lockdown") -> str:
    run = await desk.start(protocol, "site", "head")
    await house.settled()
    await account(house, "officer")
    await desk.end_by_pin(run["id"], "officer", DURESS, HERE)
    await house.settled()
    return run["id"]


async def test_trusted_people_elsewhere_see_it_and_nobody_else_does(tmp_path: Path) -> None:
    """Whoever may end protocols sees DURESS on their own sessions while it is in force; not the one
    who gave it, under whatever account, nor anybody on that session.
    """
    async with protocol_school(tmp_path) as (house, desk):
        run = await _forced(house, desk)
        (seen,) = (await desk.standing("elsewhere", "head"))["duress"]
        assert (seen["run"], seen["by"]) == (run, "School resource officer")
        assert (await desk.view("elsewhere", "head"))["duress"] == [seen]
        for to, reader in (
            (HERE, "head"), ("elsewhere", ""), ("elsewhere", "officer"),
            ("elsewhere", "School resource officer"),
        ):  # fmt: skip
            assert (await desk.standing(to, reader))["duress"] == []
        await desk.ask_end(run, "head")
        await desk.end(run, "desk")
        assert (await desk.standing("elsewhere", "head"))["duress"] == []
        await house.settled()


async def test_nothing_beside_it_shows_that_it_goes_on(tmp_path: Path) -> None:
    """What lies beneath seems in force, no fire alarm asks for a decision, and acts are answered as
    those on what has ended.
    """
    async with protocol_school(tmp_path) as (house, desk):
        below = (await desk.start("secure", "site", "head"))["id"]
        run = await _forced(house, desk)
        (shown,) = (await desk.standing(HERE))["in_force"]
        assert (shown["id"], shown["state"]) == (below, "in_force")
        assert (await desk.run(below, HERE))["state"] == "in_force"
        assert (await desk.run(below))["state"] == "covered"
        data = {"place": "site", "source": "input/panel"}
        await house.intake.accept(
            Event("fire.alarm", "input/panel", house.clock.now(), "site", data)
        )
        assert (await desk.standing())["fire"]["decide_by"] is not None
        assert (await desk.standing(HERE))["fire"]["decide_by"] is None
        for act in (desk.ask_end, desk.withdraw_end, desk.end):
            with pytest.raises(Refused, match="Lockdown has been ended already"):
                await act(run, "officer", HERE)
        with pytest.raises(Refused, match="has been ended already"):
            await desk.decide_fire(run, "evacuate", "officer", HERE)
        assert (await desk.run(run))["ending"] is None
        await house.settled()


async def test_who_starts_it_again_there_sees_it_in_force(tmp_path: Path) -> None:
    """A real press is never answered with an end; the story still tells of the duress later."""
    async with protocol_school(tmp_path) as (house, desk):
        run = await _forced(house, desk)
        again = await desk.start("lockdown", "site", "officer", to=HERE)
        assert (again["id"], again["state"]) == (run, "in_force")
        assert len((await desk.standing(HERE))["in_force"]) == 1
        assert (await desk.standing(HERE, "head"))["duress"] != []
        await desk.ask_end(run, "head")
        await desk.end(run, "desk")
        await house.settled()
        await house.intake.decide(lambda d: d.close_case(again["incident"], "head"))
        assert any(line.startswith("DURESS") for line in await house.story())


async def test_whom_nobody_else_is_trusted_beside_is_told_to_no_crowd(tmp_path: Path) -> None:
    """Where only the one who is forced would be told others who may end it are; where there is
    none at all the channel spreads it to nobody.
    """
    only_them = {"duress": {"tell": ["officer"], "through": ["console"]}}
    alone = {"people": {"officer": SCHOOL["people"]["officer"]}, "protocols": ALONE}
    for number, changes in enumerate(({"hub": only_them}, {"hub": only_them} | alone)):
        path = tmp_path / str(number)
        path.mkdir()
        async with protocol_school(path, **changes) as (house, desk):
            await _forced(house, desk)
            said = [n for n in house.channels["console"].sent if n.data.get("duress")]
            assert [to.person for n in said for to in n.to] == ["head"][number:]
            assert all(n.to for n in said)
