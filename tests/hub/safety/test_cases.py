"""Cases: what people do in an incident is told in its story, once, and never edited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from safety_school import EVENING, INTRUSIONS, School, school

from hub.clock import iso
from hub.errors import Refused
from hub.events import Event
from hub.incident_settings import CASE_ROLES, INCIDENT_KINDS, KIND_NAMES
from hub.safety.incidents.desk import CaseDesk
from hub.safety.incidents.rows import clock_words
from hub.testing import FakeClock
from hub.views import IncidentView

TASKS = {"intrusion": {"tasks": ["Look through the camera", "Meet them", "Meet them"]}}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[School]:
    """A school whose intrusions come with tasks."""
    async with school(tmp_path, FakeClock(EVENING), incidents=TASKS, rules=INTRUSIONS) as made:
        yield made


@pytest.fixture
def desk(house: School) -> CaseDesk:
    """Where people work on its cases."""
    return CaseDesk(house.intake)


async def opened(house: School, place: str = "wing") -> IncidentView:
    """The incident that somebody in the closed wing opens."""
    await house.intake.accept(house.seen(place))
    found = next(one for one in await house.intake.incidents() if one["alerts"])
    return await house.intake.incident(found["id"])


def lines(view: IncidentView) -> list[str]:
    return [entry["text"] for entry in view["entries"]]


async def test_an_incident_has_the_kind_of_its_rule_and_that_kinds_tasks(house: School) -> None:
    """Who opens the page sees what it is about and what has to be done, each thing once."""
    case = await opened(house)
    assert (case["kind"], case["kind_name"]) == ("intrusion", KIND_NAMES["intrusion"])
    assert [one["text"] for one in case["tasks"]] == TASKS["intrusion"]["tasks"][:2]
    assert all(one["planned"] and one["state"] == "open" for one in case["tasks"])
    assert not case["drill"]
    assert set(KIND_NAMES) == set(INCIDENT_KINDS)


@pytest.mark.parametrize(
    ("of_rule", "expected"), [("other", "threat"), ("weapon", "weapon")], ids=["protocol", "rule"]
)
async def test_a_protocol_that_starts_says_what_it_is(
    tmp_path: Path, of_rule: str, expected: str
) -> None:
    """A rule that opens an incident for it may say otherwise."""
    rule = {
        "name": "Lockdown", "when": "protocol.started",
        "alert": {"severity": "high", "through": ["console"], "incident": of_rule},
    }  # fmt: skip
    protocols = {"lockdown": {"incident": "threat"}}
    async with school(
        tmp_path, FakeClock(EVENING), rules={"started": rule}, protocols=protocols
    ) as house:
        data = {"place": "site"}
        await house.intake.accept(
            Event("protocol.started", "person/head", EVENING, "lockdown", data)
        )
        assert [one["kind"] for one in await house.intake.incidents()] == [expected]


async def test_a_note_is_told_with_its_author_and_corrected_by_a_further_one(
    house: School, desk: CaseDesk
) -> None:
    """Nothing is edited: both the note and its correction stay, and the second names the first."""
    case = await opened(house)
    case = await desk.note(case["id"], "Two people in the lab", "officer")
    first = case["entries"][-1]
    assert first["text"] == "School resource officer: Two people in the lab"
    await house.later(EVENING + timedelta(minutes=1))
    case = await desk.note(case["id"], "It is one person", "officer", corrects=first["event"])
    assert case["entries"][-2] == first
    assert case["entries"][-1]["data"]["corrects"] == first["event"]
    assert case["entries"][-1]["text"] == (
        "School resource officer corrects “School resource officer: Two people in the lab”: "
        "It is one person"
    )
    with pytest.raises(Refused, match="not in this incident's story"):
        await desk.note(case["id"], "What?", "officer", corrects="0" * 32)


async def test_what_is_sent_twice_is_done_once(house: School, desk: CaseDesk) -> None:
    """A key makes a note, a task, an update and an opening one, however often it is sent."""
    case = await opened(house)
    for _ in range(2):
        await desk.note(case["id"], "Seen", "officer", key="k1")
        await desk.add_task(case["id"], "Call the caretaker", "officer", key="k2")
        await desk.update(case["id"], "Looking into it", "officer", key="k3")
        new = await desk.open("Fall", "medical", "high", "gym", "desk", key="k4")
    case = await house.intake.incident(case["id"])
    kinds = [entry["type"] for entry in case["entries"]]
    assert kinds.count("incident.note") == kinds.count("incident.update") == 1
    assert [one["text"] for one in case["tasks"]].count("Call the caretaker") == 1
    assert len(await house.intake.incidents()) == 2
    assert [entry["type"] for entry in new["entries"]] == ["incident.opened"]
    await desk.note(case["id"], "Seen", "head", key="k1")
    again = (await house.intake.incident(case["id"]))["entries"]
    assert [entry["type"] for entry in again].count("incident.note") == 2


async def test_two_who_press_at_once_make_one_note(house: School, desk: CaseDesk) -> None:
    """The same note from two requests side by side is one line."""
    case = await opened(house)
    await asyncio.gather(*(desk.note(case["id"], "Seen", "officer", key="k") for _ in range(8)))
    story = (await house.intake.incident(case["id"]))["entries"]
    assert [entry["type"] for entry in story].count("incident.note") == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "needs a text"), (" \n\t\x00\u202e", "needs a text"), ("x" * 4001, "at most 4000")],
    ids=["empty", "unseen", "enormous"],
)
async def test_a_note_is_some_text_and_not_too_much(
    house: School, desk: CaseDesk, text: str, says: str
) -> None:
    """What cannot be read is refused in words, and leaves no line."""
    case = await opened(house)
    with pytest.raises(Refused, match=says):
        await desk.note(case["id"], text, "officer")
    assert lines(await house.intake.incident(case["id"])) == lines(case)


async def test_a_note_keeps_letters_and_loses_control_characters(
    house: School, desk: CaseDesk
) -> None:
    """Names in any script and line breaks stay; what turns a line around or hides it goes."""
    case = await opened(house)
    case = await desk.note(case["id"], " Åsa Øst\r\n李\u202e\x00\x1b[31m ", "officer")
    assert case["entries"][-1]["data"]["text"] == "Åsa Øst\n李[31m"


async def test_people_have_roles_and_there_is_one_commander(house: School, desk: CaseDesk) -> None:
    """The command passes on; other roles are shared; each change is in the story."""
    case = await opened(house)
    await desk.role(case["id"], "commander", "officer", "officer")
    await desk.role(case["id"], "on_scene", "officer", "officer")
    await desk.role(case["id"], "on_scene", "desk", "head")
    case = await desk.role(case["id"], "commander", "head", "officer")
    roles = [(one["role"], one["person"], one["by"]) for one in case["people"]]
    assert roles == [
        ("commander", "head", "officer"),
        ("on_scene", "officer", "officer"),
        ("on_scene", "desk", "head"),
    ]
    before = len(case["entries"])
    case = await desk.role(case["id"], "commander", "head", "officer")
    assert len(case["entries"]) == before
    case = await desk.role(case["id"], "on_scene", "desk", "head", ends=True)
    assert [one["person"] for one in case["people"]] == ["head", "officer"]
    assert lines(case)[-1] == "Front office is no longer on scene"


async def test_nobody_unknown_gets_a_role_or_a_task(house: School, desk: CaseDesk) -> None:
    """Only people of the configuration and accounts can be named, and the refusal says so."""
    case = await opened(house)
    with pytest.raises(Refused, match="nobody is called 'ghost'"):
        await desk.role(case["id"], "commander", "ghost", "officer")
    with pytest.raises(Refused, match="nobody is called"):
        await desk.add_task(case["id"], "Look", "officer", who="gh\x00ost" * 1000)
    with pytest.raises(Refused, match=f"expected {', '.join(CASE_ROLES)}"):
        await desk.role(case["id"], "emperor", "officer", "officer")
    with pytest.raises(KeyError):
        await desk.role("nowhere", "commander", "officer", "officer")


async def test_a_task_is_taken_done_dropped_and_opened_again(house: School, desk: CaseDesk) -> None:
    """Who does what, done when and by whom, and what was done before stays in the story."""
    case = await opened(house)
    task = case["tasks"][0]["id"]
    case = await desk.task(case["id"], task, "taken", "officer")
    assert case["tasks"][0]["who"] == "officer"
    await house.later(EVENING + timedelta(minutes=2))
    case = await desk.task(case["id"], task, "done", "head", note="nobody there")
    found = case["tasks"][0]
    assert (found["state"], found["by"], found["note"]) == ("done", "head", "nobody there")
    assert found["ended"] == iso(EVENING + timedelta(minutes=2))
    again = await desk.task(case["id"], task, "done", "officer")
    assert again["tasks"][0]["by"] == "head"
    with pytest.raises(Refused, match="is done already"):
        await desk.task(case["id"], task, "taken", "desk")
    case = await desk.task(case["id"], task, "opened", "officer")
    assert case["tasks"][0]["state"] == "open"
    assert case["tasks"][0]["ended"] is None
    case = await desk.task(case["id"], task, "dropped", "officer", note="not needed")
    assert lines(case)[-1] == (
        "Dropped by School resource officer: Look through the camera: not needed"
    )
    with pytest.raises(Refused, match="no such task"):
        await desk.task(case["id"], "none", "done", "officer")


async def test_another_kind_brings_its_tasks_along(house: School, desk: CaseDesk) -> None:
    """Tasks of the new kind join; those that are there already do not come twice."""
    case = await desk.open("Noise", "other", "high", "gym", "desk")
    case = await desk.kind(case["id"], "intrusion", "officer")
    assert (case["kind"], len(case["tasks"])) == ("intrusion", 2)
    await desk.kind(case["id"], "fire", "officer")
    case = await desk.kind(case["id"], "intrusion", "officer")
    assert len(case["tasks"]) == 2


async def test_an_alert_of_another_kind_brings_its_tasks_along(
    house: School, desk: CaseDesk
) -> None:
    """Somebody breaks in while the school looks after a fall: that has to be done as well."""
    fall = await desk.open("Fall", "medical", "high", "site", "head")
    await house.intake.accept(house.seen())
    (case,) = await house.intake.incidents()
    view = await house.intake.incident(case["id"])
    assert (view["id"], view["kind"]) == (fall["id"], "medical")
    assert [one["text"] for one in view["tasks"]] == TASKS["intrusion"]["tasks"][:2]


async def test_merged_incidents_are_one_story_and_both_stay_readable(
    house: School, desk: CaseDesk
) -> None:
    """What was open goes on in the one; each leads to the other; nothing of either is lost."""
    first = await opened(house)
    await desk.note(first["id"], "First", "officer")
    second = await desk.open("Noise in the gym", "fight", "severe", "gym", "desk")
    await desk.note(second["id"], "Second", "desk")
    await desk.add_task(second["id"], "Separate them", "desk")
    case = await desk.merge(second["id"], first["id"], "head", why="the same two")
    assert case["id"] == first["id"]
    assert case["severity"] == "severe"
    assert {"officer", "desk"} <= {e["data"].get("by") for e in case["entries"]}
    assert "Separate them" in [one["text"] for one in case["tasks"]]
    assert [(one["how"], one["incident"]) for one in case["links"]] == [
        ("merged_from", second["id"])
    ]
    old = await house.intake.incident(second["id"])
    assert (old["state"], old["merged_into"]) == ("closed", first["id"])
    assert old["links"][0]["how"] == "merged_into"
    assert lines(old)[-1] == (
        "Principal merged Noise in the gym into Person in the closed science wing: the same two"
    )
    before = len(case["entries"])
    assert len((await desk.merge(second["id"], first["id"], "head"))["entries"]) == before


async def test_who_leads_the_one_that_goes_on_leads_both(house: School, desk: CaseDesk) -> None:
    """A commander of the other, though named later, does not take over by the merging."""
    first = await desk.open("A", "other", "high", "gym", "desk")
    second = await desk.open("B", "other", "high", "gym", "desk")
    await desk.role(first["id"], "commander", "head", "head")
    await desk.role(second["id"], "commander", "officer", "officer")
    case = await desk.merge(second["id"], first["id"], "head")
    assert [(one["role"], one["person"]) for one in case["people"]] == [("commander", "head")]
    third = await desk.open("C", "other", "high", "gym", "desk")
    case = await desk.merge(first["id"], third["id"], "head")
    assert [one["person"] for one in case["people"]] == ["head"]


async def test_nobody_feigns_what_people_did(house: School, desk: CaseDesk) -> None:
    """An event from outside that looks like a note, a role or an acknowledgement is journaled and
    tells nothing: only the act itself does.
    """
    case = await opened(house)
    for kind in ("incident.note", "incident.role", "incident.task", "alert.acknowledged"):
        data = {"incident": case["id"], "by": "head", "text": "All is well", "do": "given"}
        await house.intake.accept(Event(kind, "person/head", house.clock.now(), "x", data))
    assert await house.intake.incident(case["id"]) == case


async def test_what_was_merged_can_be_split_off_again(house: School, desk: CaseDesk) -> None:
    """Alerts that came by merging take along what the other story tells of them."""
    case = await opened(house)
    other = await desk.open("Break-in", "intrusion", "high", "site", "desk")
    await desk.merge(case["id"], other["id"], "officer")
    await house.intake.accept(house.door_event("door.forced", "old_gate"))
    both = await house.intake.incident(other["id"])
    assert len(both["alerts"]) == 2
    moved = case["alerts"][0]["id"]
    new = await desk.split(other["id"], [moved], "The wing after all", "officer")
    assert [entry["type"] for entry in new["entries"]][:2] == ["zone.entered", "alert.raised"]


async def test_alerts_of_a_merged_incident_go_on_in_the_other(
    house: School, desk: CaseDesk
) -> None:
    """A verdict given after the merging is told where the case goes on."""
    first = await opened(house)
    alert = first["alerts"][0]["id"]
    other = await desk.open("Break-in", "intrusion", "high", "site", "desk")
    await desk.merge(first["id"], other["id"], "officer")
    await house.intake.verdict(alert, "verified", "officer")
    case = await house.intake.incident(other["id"])
    assert [one["id"] for one in case["alerts"]] == [alert]
    assert "alert.verified" in [entry["type"] for entry in case["entries"]]
    assert case["actions"]
    assert not (await house.intake.incident(first["id"]))["alerts"]


async def test_an_event_that_names_a_merged_incident_belongs_to_its_heir(
    house: School, desk: CaseDesk
) -> None:
    """A source that only knows the old name raises its alert where the case goes on."""
    first = await opened(house)
    other = await desk.open("Break-in", "intrusion", "high", "yard", "desk")
    await desk.merge(first["id"], other["id"], "officer")
    forced = Event(
        "door.forced", "door/store", house.clock.now(), "store",
        {"door": "store", "incident": first["id"]},
    )  # fmt: skip
    await house.intake.accept(forced)
    case = await house.intake.incident(other["id"])
    assert "Door forced open" in [one["title"] for one in case["alerts"]]


async def test_incidents_merge_neither_into_themselves_nor_in_a_ring(
    house: School, desk: CaseDesk
) -> None:
    """Each merging that would go round is refused, and changes nothing."""
    a, b, c = [
        (await desk.open(name, "other", "high", "gym", "desk"))["id"] for name in ("A", "B", "C")
    ]
    with pytest.raises(Refused, match="into itself"):
        await desk.merge(a, a, "head")
    await desk.merge(a, b, "head")
    await desk.merge(b, c, "head")
    for source, target in ((b, a), (c, a), (c, b)):
        with pytest.raises(Refused, match="was merged into 'C'"):
            await desk.merge(source, target, "head")
    with pytest.raises(Refused, match="go on there"):
        await desk.note(a, "Where am I?", "head")
    with pytest.raises(KeyError):
        await desk.merge(a, "nowhere", "head")
    assert {one["how"] for one in (await house.intake.incident(c))["links"]} == {"merged_from"}
    assert len((await house.intake.incident(c))["entries"]) == 5


async def test_a_drill_and_what_is_real_never_become_one(house: School, desk: CaseDesk) -> None:
    """A real alert during a drill opens an incident of its own, and the two do not merge."""
    drill = await desk.open("Fire drill", "fire", "high", "wing", "head", drill=True)
    real = await opened(house)
    assert drill["drill"]
    assert real["id"] != drill["id"]
    assert not real["drill"]
    assert lines(drill)[0].startswith("DRILL: ")
    with pytest.raises(Refused, match="is a drill"):
        await desk.merge(real["id"], drill["id"], "head")
    played = house.seen(data={"drill": True, "incident": real["id"], "place": "wing"})
    await house.intake.verdict(real["alerts"][0]["id"], "dismissed", "officer")
    await house.intake.accept(played)
    joined = await house.intake.incident(drill["id"])
    assert [one["title"] for one in joined["alerts"]] == [real["title"]]


async def test_every_notice_of_a_drill_says_so_and_none_of_what_is_real(
    house: School, desk: CaseDesk
) -> None:
    """From the first notice on; the same thing for real beside it is an alert of its own."""
    house.perform()
    await house.intake.accept(house.seen(data={"drill": True}))
    await house.settled()
    played = (await house.intake.alerts())[0]
    assert {notice.drill for notice in house.channels["post"].sent} == {True}
    assert all(one.title.startswith("DRILL: ") for one in house.channels["post"].sent)
    await house.intake.verdict(played["id"], "verified", "officer")
    await house.settled()
    for name, channel in house.channels.items():
        assert bool(channel.sent) == (name != "siren")
        assert all(notice.drill for notice in channel.sent)
        channel.sent.clear()
    await house.intake.accept(house.seen())
    await house.settled()
    real = next(one for one in await house.intake.alerts() if one["id"] != played["id"])
    offline = Event("camera.offline", "camera/yard", house.clock.now(), "yard", {"drill": True})
    await house.intake.accept(offline)
    await house.settled()
    assert house.channels["console"].sent[-1].title == "DRILL: Camera offline"
    assert real["incident"] != played["incident"]
    assert not any(notice.drill for notice in house.channels["post"].sent)
    assert len({one["drill"] for one in await house.intake.incidents()}) == 2


async def test_some_alerts_become_an_incident_of_their_own(house: School, desk: CaseDesk) -> None:
    """The new incident has their alerts, what led to them and what was done; the old one keeps all
    that was told.
    """
    case = await opened(house)
    await house.intake.accept(house.door_event("door.forced", "store"))
    case = await house.intake.incident(case["id"])
    forced = next(one["id"] for one in case["alerts"] if one["title"] == "Door forced open")
    new = await desk.split(case["id"], [forced], "Store room", "officer", why="another thing")
    assert (new["title"], new["kind"]) == ("Store room", "intrusion")
    assert [one["id"] for one in new["alerts"]] == [forced]
    kinds = [entry["type"] for entry in new["entries"]]
    assert kinds == ["door.forced", "alert.raised", "incident.split"]
    assert new["links"][0]["how"] == "split_from"
    old = await house.intake.incident(case["id"])
    assert len(old["entries"]) == len(case["entries"]) + 1
    assert [one["how"] for one in old["links"]] == ["split_into"]
    assert forced not in [one["id"] for one in old["alerts"]]
    assert new["actions"]
    for chosen in ([], ["none"], [one["id"] for one in old["alerts"]]):
        with pytest.raises(Refused):
            await desk.split(case["id"], chosen, "Again", "officer")


async def test_closing_waits_for_every_verdict_and_can_be_taken_back(
    house: School, desk: CaseDesk
) -> None:
    """Who closed and why is told; a closed case takes notes and nothing else until reopened."""
    case = await opened(house)
    with pytest.raises(Refused, match="without a verdict"):
        await desk.close(case["id"], "officer")
    await house.intake.verdict(case["alerts"][0]["id"], "verified", "officer")
    case = await desk.close(case["id"], "officer", why="they have left")
    assert case["state"] == "closed"
    assert lines(case)[-1] == "School resource officer closed the incident: they have left"
    before = len((await desk.close(case["id"], "head"))["entries"])
    assert before == len(case["entries"])
    for act in (
        desk.add_task(case["id"], "Late", "head"),
        desk.role(case["id"], "commander", "head", "head"),
        desk.update(case["id"], "Late", "head"),
        desk.kind(case["id"], "fire", "head"),
        desk.task(case["id"], case["tasks"][0]["id"], "done", "head"),
    ):
        with pytest.raises(Refused, match="closed; reopen it first"):
            await act
    case = await desk.note(case["id"], "They came back for a jacket", "head")
    assert case["state"] == "closed"
    case = await desk.reopen(case["id"], "head", why="there is more")
    assert case["state"] == "open"
    assert lines(case)[-1] == "Principal reopened the incident: there is more"


async def test_a_case_tells_only_what_it_was_told(house: School, desk: CaseDesk) -> None:
    """A refused act leaves neither an event nor a line."""
    case = await opened(house)
    before = await house.intake.counts()
    with pytest.raises(Refused):
        await desk.close(case["id"], "officer")
    with pytest.raises(Refused):
        await desk.split(case["id"], [case["alerts"][0]["id"]], "All", "officer")
    assert await house.intake.counts() == before


async def test_a_source_whose_clock_is_off_is_told_so(house: School) -> None:
    """The story keeps both times, says in words what is off, and does not sort by a future."""
    case = await opened(house)
    now = house.clock.now()
    for kind, time in (
        ("door.opened", now + timedelta(hours=1)),
        ("door.closed", now - timedelta(minutes=5)),
    ):
        data: dict[str, Any] = {"door": "store", "incident": case["id"]}
        await house.intake.accept(Event(kind, "door/store", time, "store", data))
    await house.later(EVENING + timedelta(minutes=1))
    await CaseDesk(house.intake).note(case["id"], "Later", "officer")
    story = (await house.intake.incident(case["id"]))["entries"]
    assert story[0]["type"] == "door.closed"
    assert story[-1]["type"] == "incident.note"
    said = {entry["type"]: (entry["late_s"], entry["clock"]) for entry in story}
    assert said["door.opened"] == (-3600.0, "its clock is 1h ahead of the hub's")
    assert said["door.closed"] == (300.0, "came 5m late, or its clock is behind by as much")
    assert said["incident.note"] == (0.0, "")
    assert clock_words(-2.0) == clock_words(60.0) == ""


async def test_what_is_told_late_keeps_the_time_at_which_it_came(house: School) -> None:
    """An alert that gets its incident minutes later is not taken for one with a wrong clock."""
    await house.intake.accept(Event("camera.offline", "camera/wing", EVENING, "wing"))
    alert = (await house.intake.alerts())[0]
    await house.later(EVENING + timedelta(minutes=20))
    alert = await house.intake.verdict(alert["id"], "verified", "officer")
    story = (await house.intake.incident(alert["incident"]))["entries"]
    cause = next(entry for entry in story if entry["type"] == "camera.offline")
    assert (cause["received"], cause["clock"]) == (iso(EVENING), "")
