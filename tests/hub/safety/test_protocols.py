"""Starting protocols: one gesture, one transaction, told door by door and channel by channel."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from protocol_school import PROTOCOLS, commander, protocol_school
from safety_school import SCHOOL, ScriptedChannel, school
from sqlalchemy import Connection, func, select

from hub.errors import Refused
from hub.events import EVENT_TYPES, Event
from hub.ports import Outcome
from hub.protocols import Protocols
from hub.safety.protocols.wording import attribution, wording, wordings
from hub.storage.eventlog import after
from hub.storage.schema import actions, protocol_runs


async def test_a_start_locks_tells_and_opens_an_incident(tmp_path: Path) -> None:
    """A lockdown asks every door, speaks through every channel, also those that everyone hears,
    and opens an incident with its tasks.
    """
    async with protocol_school(tmp_path) as (house, desk):
        run = await desk.start("lockdown", "site", "head", reason="Shots heard")
        assert run["state"] == "in_force"
        assert run["directive"] == "Locks, lights, out of sight."
        await house.settled()
        run = await desk.run(run["id"])
        assert run["sentence"].startswith("3 of 3 secured in ")
        assert [each["state"] for each in run["doors"]] == ["secured"] * 3
        assert {each["channel"]: each["state"] for each in run["channels"]} == {
            "console": "confirmed", "post": "confirmed", "siren": "confirmed",
        }  # fmt: skip
        (said,) = house.channels["siren"].sent
        assert said.data["verdict"] == "verified"
        assert said.title == "Lockdown: School"
        assert said.link.endswith(f"/protocols/{run['id']}")
        assert "Shots heard" in said.text
        incident = await house.intake.incident(run["incident"])
        assert (incident["kind"], incident["severity"]) == ("threat", "severe")
        assert [task["text"] for task in incident["tasks"]] == ["Account for everyone"]
        story = [entry["text"] for entry in incident["entries"]]
        assert "Lockdown in force in School, started by Principal: Shots heard" in story


async def test_it_is_one_transaction(tmp_path: Path) -> None:
    """Event, run, door commands and notices are on the disk together, or none of them is."""
    async with protocol_school(tmp_path) as (house, desk):
        await house.stop()

        def boom(decider: object) -> None:
            decider.start_protocol(_start())  # type: ignore[attr-defined]
            raise RuntimeError("the process ends here")

        with pytest.raises(RuntimeError):
            await house.intake.decide(boom, urgent=True)

        def count(connection: Connection) -> tuple[int, int]:
            runs = select(func.count()).select_from(protocol_runs)
            return (
                int(connection.scalar(runs) or 0),
                int(connection.scalar(select(func.count()).select_from(actions)) or 0),
            )

        assert await house.journal.read(count) == (0, 0)
        await desk.start("lockdown", "site", "head")
        runs, asked = await house.journal.read(count)
        assert (runs, asked) == (1, 3 + 1 + 2 + 1)  # three doors; post for each of two


def _start() -> object:
    from hub.safety.protocols.starts import Start

    return Start("lockdown", "site", "head", source="person/head")


async def test_doors_go_before_notices(tmp_path: Path) -> None:
    """No message holds up a lock."""
    async with protocol_school(tmp_path) as (house, desk):
        await house.stop()
        order: list[str] = []
        for name, channel in house.channels.items():
            channel.answer = _noting(order, name, channel)
        house.doors.answers = {
            door: _ask(order, door) for door in ("wing_east", "store", "old_gate")
        }
        await desk.start("lockdown", "site", "head")
        house.perform()
        await house.settled()
        assert set(order[:3]) == {"wing_east", "store", "old_gate"}


def _noting(order: list[str], name: str, channel: ScriptedChannel):
    before = channel.answer

    def answer(notice: object):
        order.append(name)
        return before(notice)  # type: ignore[arg-type]

    return answer


def _ask(order: list[str], door: str):
    def answer() -> Outcome:
        order.append(door)
        return Outcome("confirmed", "reported locked")

    return answer


async def test_the_same_key_twice_is_one_start(tmp_path: Path) -> None:
    """A page that sends its press again, at once or later, starts nothing more."""
    async with protocol_school(tmp_path) as (house, desk):
        several = await asyncio.gather(
            *(desk.start("lockdown", "site", "head", key="page-1") for _ in range(5))
        )
        assert len({run["id"] for run in several}) == 1
        await house.settled()
        assert len(house.doors.asked) == 3
        assert len(house.channels["siren"].sent) == 1


async def test_a_key_of_a_drill_is_no_key_of_the_real_thing(tmp_path: Path) -> None:
    """Whoever has drilled on a page and then starts the real one from the same page starts it."""
    async with protocol_school(tmp_path) as (house, desk):
        drill = await desk.start("lockdown", "site", "head", drill=True, key="page-1")
        real = await desk.start("lockdown", "site", "head", key="page-1")
        assert real["id"] != drill["id"]
        assert not real["drill"]
        await house.settled()


async def test_a_second_press_joins_what_is_in_force(tmp_path: Path) -> None:
    """Who presses after another joins; the story tells who pressed where, and nothing sounds
    twice.
    """
    async with protocol_school(tmp_path) as (house, desk):
        first = await desk.start("lockdown", "site", "head")
        second = await desk.press(
            "lockdown", "lab", "Button in the lab", source="device/lab", text="Shots"
        )
        assert second["run"] == first["id"]
        await house.settled()
        assert len(house.channels["siren"].sent) == 1
        assert (
            "Button in the lab pressed lockdown in Laboratory, which is in force already: Shots"
            in await house.story()
        )


async def test_a_button_starts_it_on_the_whole_site(tmp_path: Path) -> None:
    """A press in one room is a lockdown of the school, and the message says where it was."""
    async with protocol_school(tmp_path) as (house, desk):
        pressed = await desk.press("lockdown", "lab", "Button in the lab", source="device/lab")
        run = await desk.run(str(pressed["run"]))
        assert run["area"] == "site"
        assert run["device"] == "Button in the lab"
        await house.settled()
        assert "Button in the lab (Laboratory" in house.channels["siren"].sent[0].text


async def test_the_configuration_may_say_where_a_button_starts_it(tmp_path: Path) -> None:
    """`area` narrows what a button does."""
    protocols = {"hold": PROTOCOLS["hold"] | {"area": "wing"}}
    async with protocol_school(tmp_path, protocols=protocols) as (_, desk):
        pressed = await desk.press("hold", "gym", "Button", source="device/gym")
        assert (await desk.run(str(pressed["run"])))["area"] == "wing"


async def test_only_doors_of_the_area_move(tmp_path: Path) -> None:
    """A lockdown of the gym leaves the science wing alone."""
    async with protocol_school(tmp_path) as (house, desk):
        run = await desk.start("lockdown", "wing", "head")
        await house.settled()
        assert {each["door"] for each in run["doors"]} == {"wing_east", "store"}
        assert {asked[0] for asked in house.doors.asked} == {"wing_east", "store"}
        assert (await desk.start("hold", "gym", "head"))["sentence"] == "No doors to move"


async def test_progress_names_each_door_that_is_not_secured(tmp_path: Path) -> None:
    """The sentence counts what was read back and names what was not, whatever a controller said
    before.
    """
    async with protocol_school(tmp_path) as (house, desk):
        house.doors.answers["store"] = lambda: Outcome("failed", "the bolt is stuck")
        run = await desk.start("lockdown", "site", "head")
        await house.settled()
        run = await desk.run(run["id"])
        assert run["sentence"].startswith("2 of 3 secured in ")
        assert run["sentence"].endswith("; Chemistry store: not confirmed, retrying")
        door = next(each for each in run["doors"] if each["door"] == "store")
        assert (door["state"], door["detail"]) == ("retrying", "the bolt is stuck")
        assert (run["secured"], run["total"]) == (2, 3)
        events = [event for _, event in await house.intake.past_events(0)]
        told = [event.data["sentence"] for event in events if event.type == "protocol.progress"]
        assert told[-1] == run["sentence"]


async def test_a_door_that_may_not_lock_is_named(tmp_path: Path) -> None:
    """Law 1 holds in a lockdown too: a door that does not attest egress is never asked to lock,
    and the page says so.
    """
    async with protocol_school(tmp_path, doors=SCHOOL["doors"]) as (house, desk):
        run = await desk.start("lockdown", "site", "head")
        await house.settled()
        run = await desk.run(run["id"])
        gate = next(each for each in run["doors"] if each["door"] == "old_gate")
        assert gate["state"] == "refused"
        assert "egress" in gate["detail"]
        assert "Old gate: NOT asked" in run["sentence"]
        assert "old_gate" not in {asked[0] for asked in house.doors.asked}


async def test_a_door_that_differs_is_no_longer_secured(tmp_path: Path) -> None:
    """A hand on the key after the lock was read back takes the door out of the count."""
    async with protocol_school(tmp_path) as (house, desk):
        run = await desk.start("lockdown", "site", "head")
        await house.settled()
        facts = {"door": "store", "verb": "lock", "reason": "reports unlocked"}
        now = house.clock.now()
        await house.intake.accept(Event("door.differs", "door/store", now, "store", facts))
        assert "Chemistry store: not confirmed, retrying" in (await desk.run(run["id"]))["sentence"]
        await house.intake.accept(Event("door.agrees", "door/store", now, "store", facts))
        assert (await desk.run(run["id"]))["secured"] == 3


async def test_one_is_in_force_and_the_other_beneath_it(tmp_path: Path) -> None:
    """A lockdown over a secure covers it."""
    async with protocol_school(tmp_path) as (house, desk):
        below = await desk.start("secure", "site", "head")
        above = await desk.start("lockdown", "site", "head")
        assert above["over"] == below["id"]
        view = await desk.view()
        assert [(run["protocol"], run["state"]) for run in view["in_force"]] == [
            ("lockdown", "in_force"), ("secure", "covered"),
        ]  # fmt: skip
        part = await desk.start("lockdown", "gym", "head", reason="joined")
        assert part["id"] == above["id"]
        await house.settled()


async def test_a_part_has_its_own_and_the_rest_another(tmp_path: Path) -> None:
    """A hold in the gym under a secure of the site: in force in the gym, the secure elsewhere."""
    async with protocol_school(tmp_path) as (house, desk):
        site = await desk.start("secure", "site", "head")
        gym = await desk.start("hold", "gym", "head")
        assert gym["over"] == site["id"]
        view = await desk.view()
        assert [run["state"] for run in view["in_force"]] == ["in_force", "in_force"]
        await house.settled()


async def test_law_3_nobody_lifts_a_lockdown_by_starting_something_over_it(tmp_path: Path) -> None:
    """Hold, Secure, Shelter and Evacuate are refused where a lockdown is in force, Evacuate also
    around it and to who leads its incident; the others do not cover it there.
    """
    async with protocol_school(tmp_path) as (house, desk):
        inner = await desk.start("lockdown", "wing", "head")
        for protocol in ("hold", "secure", "shelter", "evacuate"):
            with pytest.raises(Refused, match="Lockdown is in force here"):
                await desk.start(protocol, "wing", "officer")
            with pytest.raises(Refused, match="Lockdown is in force here"):
                await desk.start(protocol, "lab", "officer")
        with pytest.raises(Refused, match="Lockdown is in force here"):
            await desk.press("evacuate", "lab", "Button", source="device/1")
        around = await desk.start("secure", "site", "officer")
        assert (await desk.run(inner["id"]))["state"] == "in_force"
        with pytest.raises(Refused, match="Lockdown is in force here"):
            await desk.start("evacuate", "site", "officer")
        await desk.ask_end(around["id"], "head")
        await desk.end(around["id"], "officer")
        await house.settled()
        last = [n for n in house.channels["console"].sent if n.data.get("run") == around["id"]][-1]
        assert last.title == "Secure is over, Lockdown is in force: Science wing"
        await commander(house, inner, "officer")
        with pytest.raises(Refused, match="Lockdown is in force here"):
            await desk.start("evacuate", "site", "officer")


@pytest.mark.parametrize(
    ("protocol", "area", "more", "words"),
    [
        ("lockout", "site", {}, "there is no protocol 'lockout' here"),
        ("lockdown", "moon", {}, "there is no place 'moon'"),
        ("shelter", "site", {"hazard": "flood"}, "there is no hazard 'flood' here"),
    ],
)
async def test_what_is_not_described_is_refused(
    tmp_path: Path, protocol: str, area: str, more: dict[str, str], words: str
) -> None:
    """A start that makes no sense says why, and changes nothing."""
    async with protocol_school(tmp_path) as (_, desk):
        with pytest.raises(Refused, match=words):
            await desk.start(protocol, area, "head", **more)
        assert (await desk.view())["in_force"] == []


async def test_protocols_persist_over_a_restart(tmp_path: Path) -> None:
    """A hub that was killed in the middle of a lockdown is in it when it comes back, and finishes
    what was left, within five seconds by the clock.
    """
    async with protocol_school(tmp_path) as (house, desk):
        await house.stop()  # nothing was carried out yet
        run = await desk.start("lockdown", "site", "head")
        clock = house.clock
    await clock.advance(timedelta(hours=1).total_seconds())
    async with school(tmp_path, clock, protocols=PROTOCOLS, doors=house.config.model_dump(
        by_alias=True)["doors"]) as again:  # fmt: skip
        desk = Protocols(again.intake, frozenset)
        assert [each["id"] for each in (await desk.view())["in_force"]] == [run["id"]]


async def test_after_a_restore_a_protocol_is_shown_and_asks_for_nothing(tmp_path: Path) -> None:
    """A lockdown of a backup is in force until people end it; no door moves for it, and the page
    says that none was asked.
    """
    async with protocol_school(tmp_path) as (house, desk):
        run = await desk.start("lockdown", "site", "head")
        await house.settled()
        asked = len(house.doors.asked)
        event = Event("journal.restored", "hub", house.clock.now(), "journal", {"by": "it"})
        await house.intake.accept(event)
        run = await desk.run(run["id"])
        assert (run["state"], run["secured"]) == ("in_force", 0)
        assert {each["state"] for each in run["doors"]} == {"suspended"}
        assert "restored from a backup" in run["sentence"]
        await house.settled()
        assert len(house.doors.asked) == asked


def test_law_2_no_event_of_any_kind_starts_a_protocol() -> None:
    """Nothing in the transaction reacts to an event by starting a protocol: the code has no such
    path, whatever the event is called.
    """
    from hub.safety.protocols import ends, fires, presses, progress, starts

    for module in (ends, fires, presses, progress, starts):
        text = Path(module.__file__).read_text(encoding="utf-8")
        hooks = text.split("def follow_protocols")[1:]
        assert all("start_protocol" not in hook.split("\n    def ")[0] for hook in hooks)


async def test_law_2_a_detectors_event_never_starts_a_protocol(tmp_path: Path) -> None:
    """Detectors propose, people decide: every type of event there is, as a detector or a plugin
    may publish it, starts nothing and locks nothing.
    """
    async with protocol_school(tmp_path) as (house, desk):
        facts = {"place": "lab", "does": "lockdown", "area": "site", "door": "store"}
        facts |= {"by": "camera", "device": "gun detector", "label": "weapon", "score": 0.99}
        for kind in (*EVENT_TYPES, "plugin.guns.lockdown"):
            await house.intake.accept(
                Event(kind, "camera/wing", house.clock.now(), "lockdown", facts)
            )
        await house.settled()
        assert (await desk.view())["in_force"] == []
        assert house.doors.asked == []
        assert house.channels["siren"].sent == []


async def test_rules_hear_that_a_protocol_is_in_force_in_one_of_two_places(tmp_path: Path) -> None:
    """For rules a protocol is in force until its last run is ended."""
    async with protocol_school(tmp_path) as (house, desk):
        one = await desk.start("hold", "wing", "head")
        await desk.start("hold", "gym", "head")
        await desk.ask_end(one["id"], "head")
        await desk.end(one["id"], "officer")
        events = [event for _, event in await house.journal.read(lambda c: after(c, 0, 500))]
        assert sum(event.type == "protocol.ended" for event in events) == 1
        from hub.safety.rules.recall import protocols_in_force

        assert set(await house.journal.read(protocols_in_force)) == {"hold"}


def test_the_wording_is_data_with_whose_it_is() -> None:
    """The five actions have a name and a directive, each language says the same, and the trademark
    is named.
    """
    assert list(wordings()) == ["hold", "secure", "lockdown", "evacuate", "shelter"]
    for name in wordings():
        said = wording(name, None)
        assert set(said.does) == set(said.over) == {"en", "es"}
        assert not any("{" in text for text in (said.directive, *said.does.values()))
    assert "trademark" in attribution()
    assert wording("lockdown", None).directive == "Locks, lights, out of sight."


async def test_people_are_told_in_their_language(tmp_path: Path) -> None:
    """Who reads Spanish reads what to do in Spanish; the action keeps its name."""
    people = SCHOOL["people"] | {"officer": SCHOOL["people"]["officer"] | {"language": "es"}}
    async with protocol_school(tmp_path, people=people) as (house, desk):
        await desk.start("lockdown", "site", "head")
        await house.settled()
        said = [n for n in house.channels["post"].sent if n.to and n.to[0].person == "officer"]
        assert said[0].title == "Lockdown: School"
        assert "Se cierran las aulas" in said[0].text
        run = (await desk.view())["in_force"][0]["id"]
        await desk.ask_end(run, "head")
        await desk.end(run, "desk")
        await house.settled()
        said = [n for n in house.channels["post"].sent if n.to and n.to[0].person == "officer"]
        assert said[-1].title == "Terminado: Lockdown: School"
        assert "El confinamiento ha terminado" in said[-1].text


async def test_evacuate_to_another_place_names_that_place(tmp_path: Path) -> None:
    """The directive and the notices name it; the same place twice joins, yet another does not."""
    async with protocol_school(tmp_path) as (house, desk):
        run = await desk.start("evacuate", "site", "head", location="the church  hall")
        assert (run["directive"], run["reason"]) == ("The church hall.", "")
        assert (await desk.standing())["in_force"][0]["directive"] == "The church hall."
        await house.settled()
        (told,) = house.channels["siren"].sent
        assert "Everyone leaves the building and goes to: the church hall." in told.text
        assert "far side" not in told.text
        same = await desk.start("evacuate", "site", "officer", location="the church hall")
        joined = await desk.start("evacuate", "site", "officer")
        assert same["id"] == joined["id"] == run["id"]
        other = await desk.start("evacuate", "site", "officer", location="the north gate")
        assert (other["over"], other["directive"]) == (run["id"], "The north gate.")
        assert (await desk.run(run["id"]))["directive"] == "The church hall."
        lockdown = await desk.start("lockdown", "site", "head", location="the church hall")
        again = await desk.start("lockdown", "site", "officer")
        assert again["id"] == lockdown["id"]
        await house.settled()


async def test_shelter_and_evacuate_say_where_and_what(tmp_path: Path) -> None:
    """Evacuate names the place, shelter the danger and what to do."""
    async with protocol_school(tmp_path) as (house, desk):
        run = await desk.start("shelter", "site", "head", hazard="tornado")
        assert run["directive"] == "Tornado. Ground floor corridor."
        run = await desk.start("evacuate", "site", "head")
        assert run["directive"] == "The far side of the yard."
        await house.settled()
        choices = {each["protocol"]: each for each in (await desk.view())["choices"]}
        assert choices["shelter"]["hazards"] == ["tornado"]
        assert "Locks Science wing east, Chemistry store, Old gate" in choices["lockdown"]["will"]
        assert choices["lockdown"]["areas"][0] == {"id": "site", "words": "School"}
