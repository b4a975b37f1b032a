"""An incident is handed over to emergency services by a person's act, and by nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from safety_school import EVENING, INTRUSIONS, SCHOOL, School, ScriptedChannel, school, until
from sqlalchemy import insert

from hub.config import Config
from hub.errors import NotReady, Refused
from hub.incidents import Incidents
from hub.kinds.notifiers import Channel, Notice, Receipt
from hub.safety.alerts.escalator import Escalator
from hub.safety.incidents.handing_over import ONLY_BY_HAND
from hub.safety.lanes import HAND_OFF_EXPIRES
from hub.safety.restored import settle_restored
from hub.storage.backup_restore import NOTE
from hub.storage.schema import meta
from hub.testing import FakeClock

SETTINGS: dict[str, Any] = {
    "hub": SCHOOL.get("hub", {}) | {"emergency": {"hand_off": ["station"]}},
    "notifiers": SCHOOL["notifiers"] | {"station": {"driver": "x", "name": "Monitoring station"}},
}


class Around:
    """What a call card asks of a house."""

    def __init__(self, house: School) -> None:
        self.config, self.campus = house.config, house.intake.words.campus

    def doors(self) -> list[object]:
        return []

    def media(self, picture: str) -> None:
        """No picture is kept."""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[School]:
    """A school with a monitoring station that takes what is handed over."""
    async with school(tmp_path, FakeClock(EVENING), **SETTINGS, rules=INTRUSIONS) as made:
        made.channels["station"] = ScriptedChannel()
        yield made


@pytest.fixture
def desk(house: School, tmp_path: Path) -> Incidents:
    """Where people work on its cases."""
    return Incidents(house.intake, Around(house), tmp_path)  # type: ignore[arg-type]


def heard(house: School) -> list[Notice]:
    """What the station was given."""
    return house.channels["station"].sent


async def seen(house: School) -> tuple[str, str]:
    """An alert, and the incident that verifying it opened."""
    await house.intake.accept(house.seen())
    alert = (await house.intake.alerts())[0]
    await house.intake.verdict(alert["id"], "verified", "officer")
    return alert["id"], (await house.intake.alert(alert["id"]))["incident"]


async def test_law_2_nothing_is_handed_over_without_a_person(
    house: School, desk: Incidents
) -> None:
    """An alert, its verdict, a situation update and the end of it are none of the station's
    business, until somebody hands the incident over.
    """
    house.perform()
    _, case = await seen(house)
    await desk.update(case, "Two teachers are with them", "officer")
    await desk.close(case, "officer")
    await house.settled()
    assert house.channels["console"].sent
    assert heard(house) == []


@pytest.mark.parametrize("how", ["rule", "person"])
async def test_law_2_what_nobody_handed_over_ends_as_it_is_written(
    tmp_path: Path, how: str
) -> None:
    """Should a rule, or what verifying it does, name the station all the same, nothing goes out."""
    telling = {"severity": "high", "through": ["console", *(["station"] * (how == "rule"))]}
    rule = {"name": "R", "when": "zone.entered", "alert": telling}
    if how == "person":
        rule["verified"] = [{"notify": {"through": ["station"], "text": "Come"}}]
    async with school(tmp_path, FakeClock(EVENING), **SETTINGS, rules={"r": rule}) as house:
        house.channels["station"] = ScriptedChannel()
        house.perform()
        await seen(house)
        await house.settled()
        assert heard(house) == []
        held = [each for each in await house.actions() if each["detail"] == ONLY_BY_HAND]
        assert len(held) == 1
        assert held[0]["state"] == "cancelled"


async def test_the_card_goes_out_as_it_is_read(house: School, desk: Incidents) -> None:
    """What would be read to a dispatcher, in words and as facts; the story says who did it."""
    house.perform()
    _, case = await seen(house)
    card = await desk.hand_over(case, "officer", key="k")
    assert card["hand_off"][0]["state"] == "pending"
    await house.settled()
    (notice,) = heard(house)
    assert (notice.about, notice.severity, notice.drill) == ("hand_off", "severe", False)
    for line in card["lines"]:
        assert f"{line['ask']}: {line['say']}" in notice.text
    assert notice.data["call"] == card["facts"] | {"coordinates": None}
    assert notice.data["call"]["verified"] is True
    assert (notice.data["by"], notice.data["kind"]) == ("officer", "intrusion")
    assert notice.link.endswith(f"/incidents/{case}")
    (done,) = (await desk.call_card(case))["hand_off"]
    assert (done["state"], done["name"], done["by"]) == (
        "confirmed", "Monitoring station", "School resource officer",
    )  # fmt: skip
    story = " ".join(await house.story())
    assert "School resource officer hands it over to Monitoring station" in story
    assert "Monitoring station took what was handed over" in story


async def test_the_same_press_twice_is_one(house: School, desk: Incidents) -> None:
    """A page sent again changes nothing; another press of what was taken is refused in words."""
    house.perform()
    _, case = await seen(house)
    for _ in range(2):
        await desk.hand_over(case, "officer", key="k")
    await house.settled()
    with pytest.raises(Refused, match="handed over already; a situation update tells them"):
        await desk.hand_over(case, "desk", key="other")
    assert len(heard(house)) == 1


async def test_what_was_not_taken_can_be_handed_over_again(house: School, desk: Incidents) -> None:
    """The card says why, and the next press tries anew."""
    answers = [Receipt("failed", detail="account 1234 is not known"), Receipt("accepted", "7")]
    house.channels["station"].answer = lambda notice: answers.pop(0)
    house.perform()
    _, case = await seen(house)
    await desk.hand_over(case, "officer", key="k")
    await house.settled()
    (failed,) = (await desk.call_card(case))["hand_off"]
    assert (failed["state"], failed["detail"]) == ("failed", "account 1234 is not known")
    await desk.hand_over(case, "officer", key="again")
    await house.settled()
    assert (await desk.call_card(case))["hand_off"][0]["state"] == "confirmed"


async def test_nobody_is_called_to_what_has_long_changed(house: School, desk: Incidents) -> None:
    """A station that cannot be reached is tried for ten minutes; then the card says it failed."""

    def away(notice: Notice) -> Receipt:
        raise NotReady("no route to the station")

    house.channels["station"].answer = away
    house.perform()
    _, case = await seen(house)
    await desk.hand_over(case, "officer", key="k")
    await house.pass_time(int(HAND_OFF_EXPIRES.total_seconds()) + 1)
    await house.settled()
    (given_up,) = (await desk.call_card(case))["hand_off"]
    assert given_up["state"] == "timed_out"
    assert "no route to the station" in given_up["detail"]
    count = len(heard(house))
    house.clock.set(house.clock.now() + timedelta(hours=1))
    await house.pass_time(5)
    assert len(heard(house)) == count


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_false_alarm_is_taken_back_there_too(
    house: School, desk: Incidents, when: str
) -> None:
    """Whoever was handed an incident hears the verdict on its alerts, and that it was closed; one
    that had not gone out yet never does.
    """
    await house.intake.accept(house.seen())
    (alert,) = await house.intake.alerts()
    case = alert["incident"]
    if when == "after":
        house.perform()
    await desk.hand_over(case, "officer", key="k")
    if when == "after":
        await house.settled()
    await house.intake.verdict(alert["id"], "dismissed", "officer", "the cleaner")
    if when == "before":
        house.perform()
    await house.settled()
    if when == "after":
        assert heard(house)[-1].data["verdict"] == "dismissed"
    abouts = [(notice.about, notice.title.partition(":")[0]) for notice in heard(house)]
    assert abouts == (
        []
        if when == "before"
        else [
            ("hand_off", "Person in the closed science wing"),
            ("verdict", "False alarm"),
            ("update", "Closed"),
        ]
    )


async def test_a_situation_update_reaches_the_station(house: School, desk: Incidents) -> None:
    """Once, and as any other; a reminder to give one is not its business."""
    house.perform()
    _, case = await seen(house)
    await desk.hand_over(case, "officer", key="k")
    await desk.update(case, "They have left the building", "officer")
    house.clock.set(EVENING + timedelta(hours=1))
    await desk.remind()
    await house.settled()
    assert [notice.about for notice in heard(house)] == ["hand_off", "update"]


async def test_law_7_no_drill_is_handed_over(house: School, desk: Incidents) -> None:
    """The press is part of the story, and what it would have done ends in the outbox."""
    house.perform()
    case = (await desk.open("Fall", "medical", "high", "gym", "desk", drill=True))["id"]
    await desk.hand_over(case, "officer", key="k")
    await house.settled()
    assert heard(house) == []
    (held,) = (await desk.call_card(case))["hand_off"]
    assert (held["state"], held["detail"]) == ("cancelled", "a drill: nothing leaves the school")


async def test_refusals_say_what_to_do(house: School, desk: Incidents, tmp_path: Path) -> None:
    """No such incident, one that is closed, and a school that has no way at all."""
    with pytest.raises(KeyError):
        await desk.hand_over("nothing", "officer")
    case = (await desk.open("Fall", "medical", "high", "gym", "desk"))["id"]
    await desk.close(case, "desk")
    with pytest.raises(Refused, match="reopen it first"):
        await desk.hand_over(case, "officer")
    (tmp_path / "other").mkdir()
    async with school(tmp_path / "other", FakeClock(EVENING)) as bare:
        other = Incidents(bare.intake, Around(bare), tmp_path)  # type: ignore[arg-type]
        case = (await other.open("Fall", "medical", "high", "gym", "desk"))["id"]
        with pytest.raises(Refused, match="call instead"):
            await other.hand_over(case, "officer")


async def test_an_alert_that_nobody_received_stays_in_the_school(tmp_path: Path) -> None:
    """What is tried when no channel of an alert took it never reaches people beyond the school."""
    notifiers = SCHOOL["notifiers"] | {
        "post": SCHOOL["notifiers"]["post"] | {"outside": True},
        "station": {"driver": "x"},
    }
    telling = {"severity": "high", "through": ["console"]}
    rule = {"name": "R", "when": "zone.entered", "alert": telling}
    changes: dict[str, Any] = SETTINGS | {"notifiers": notifiers, "rules": {"r": rule}}
    async with school(tmp_path, FakeClock(EVENING), **changes) as house:
        house.channels["station"] = ScriptedChannel()
        house.channels["console"].answer = lambda notice: Receipt("failed", detail="gone")
        house.perform()
        await house.intake.accept(house.seen())
        await house.settled()
        await house.clock.advance(120)
        await Escalator(house.intake).look()
        await house.settled()
        assert (await house.intake.alerts())[0]["unheard"]
        assert (house.channels["post"].sent, heard(house)) == ([], [])


async def two_seen(house: School) -> tuple[str, str, str]:
    """Two alerts of one incident, and that."""
    await house.intake.accept(house.seen())
    await house.clock.advance(1)
    await house.intake.accept(house.door_event("door.forced", "store"))
    views = await house.intake.alerts()
    (case,) = {view["incident"] for view in views}
    first, second = (view["id"] for view in sorted(views, key=lambda one: one["opened"]))
    return first, second, case


async def unreachable(house: School, desk: Incidents) -> tuple[str, str, str]:
    """Two alerts of an incident that was handed over to a station that does not answer yet."""

    def away(notice: Notice) -> Receipt:
        raise NotReady("no route to the station")

    house.channels["station"].answer = away
    house.perform()
    first, second, case = await two_seen(house)
    await desk.hand_over(case, "officer", key="k")
    await until(lambda: len(heard(house)) == 1)
    await until(house._idle)
    heard(house).clear()
    return first, second, case


def said(house: School) -> list[str]:
    """What the station was told, in the order it was."""
    return [f"{notice.about} {notice.data.get('verdict', '')}".strip() for notice in heard(house)]


async def test_nothing_is_taken_back_before_it_is_there(house: School, desk: Incidents) -> None:
    """What is said after the press arrives after what was pressed for, in the order it was said:
    a station that has heard of nothing would throw the false alarm away, and then be called.
    """
    first, second, case = await unreachable(house, desk)
    await house.intake.verdict(first, "verified", "officer")
    await house.intake.verdict(second, "dismissed", "officer")
    await desk.update(case, "They have left", "officer")
    await house.intake.resolve(first, "officer")
    await desk.close(case, "officer")
    house.channels["station"].answer = lambda notice: Receipt("accepted")
    await house.pass_time(6)
    # Closing calls off what was tried and not taken; where it may have arrived, so do later words.
    assert said(house) == ["verdict dismissed", "update", "verdict resolved", "update"]


async def test_what_waits_for_the_station_goes_out_in_its_order(
    house: School, desk: Incidents
) -> None:
    """A hand-off that is tried again goes before each later word on it, whatever those are."""
    _, second, case = await unreachable(house, desk)
    await desk.update(case, "They have left", "officer")
    await house.intake.verdict(second, "dismissed", "officer")
    house.channels["station"].answer = lambda notice: Receipt("accepted")
    await house.pass_time(6)
    assert said(house) == ["hand_off", "update", "verdict dismissed"]


async def test_late_words_to_a_station_are_no_digest(house: School, desk: Incidents) -> None:
    """What a station that was away for long is to hear comes word by word: a digest of it would
    say nothing that its machines read, and be held back as nobody's press.
    """
    house.perform()
    first, second, case = await two_seen(house)
    await desk.hand_over(case, "officer", key="k")
    await house.settled()

    def away(notice: Notice) -> Receipt:
        raise NotReady("no route to the station")

    house.channels["station"].answer = away
    await house.intake.verdict(first, "verified", "officer")
    await until(lambda: len(heard(house)) == 2)
    await until(house._idle)
    await desk.update(case, "They have left", "officer")
    await house.intake.verdict(second, "dismissed", "officer")
    await until(house._idle)
    heard(house).clear()
    house.channels["station"].answer = lambda notice: Receipt("accepted")
    house.clock.set(house.clock.now() + timedelta(hours=1))
    await house.pass_time(6)
    assert said(house) == ["verdict verified", "update", "verdict dismissed"]


async def test_the_station_hears_each_thing_once(house: School, desk: Incidents) -> None:
    """Two verdicts, an update and the end: each once, and nothing that is meant for the school's
    own people, such as who has taken it on and that somebody is to give an update.
    """
    house.perform()
    first, second, case = await two_seen(house)
    await desk.hand_over(case, "officer", key="k")
    await house.intake.verdict(first, "unsure", "desk")
    await house.settled()
    await house.intake.acknowledge(first, "officer")
    await house.intake.verdict(first, "verified", "officer")
    await house.settled()
    await desk.update(case, "They have left", "officer")
    house.clock.set(house.clock.now() + timedelta(hours=1))
    await desk.remind()
    await house.intake.verdict(second, "dismissed", "officer")
    await house.intake.resolve(first, "officer")
    await desk.close(case, "officer")
    await house.settled()
    assert said(house) == [
        "hand_off", "verdict unsure", "verdict verified", "update", "verdict dismissed",
        "verdict resolved", "update",
    ]  # fmt: skip
    assert not any(notice.data.get("reminder") for notice in heard(house))
    held = [each["detail"] for each in await house.actions() if each["target"] == "station"]
    assert ONLY_BY_HAND not in held


async def test_what_was_split_off_is_the_stations_business_too(
    house: School, desk: Incidents
) -> None:
    """The station hears where a part goes on, and that the one is over only once both are."""
    house.perform()
    first, second, case = await two_seen(house)
    await desk.hand_over(case, "officer", key="k")
    other = (await desk.split(case, [second], "At the store", "officer"))["id"]
    (way,) = (await desk.call_card(other))["hand_off"]
    assert (way["state"], "before it was split off" in way["detail"]) == (None, True)
    await house.intake.verdict(second, "verified", "officer")
    await house.intake.verdict(first, "dismissed", "officer")
    await house.settled()
    told = heard(house)
    assert said(house)[1:] == [
        "update", "verdict verified", "verdict dismissed", "update dismissed",
    ]  # fmt: skip
    assert (told[1].data["goes_on"], "At the store" in told[1].text) == (other, True)
    assert "closed" not in told[1].data
    assert (told[-1].data["closed"], told[-1].data["goes_on"]) == (case, other)
    assert "Not all of it is over. This goes on: At the store" in told[-1].text
    await house.intake.resolve(second, "officer")
    await desk.close(other, "officer")
    await house.settled()
    assert said(house)[-2:] == ["verdict resolved", "update"]
    assert told[-1].data["closed"] == other
    assert "goes_on" not in told[-1].data


async def test_what_was_split_off_can_be_handed_over_itself(house: School, desk: Incidents) -> None:
    """It is another place, so that its own card may have to go out as well."""
    house.perform()
    _, second, case = await two_seen(house)
    await desk.hand_over(case, "officer", key="k")
    other = (await desk.split(case, [second], "At the store", "officer"))["id"]
    await desk.hand_over(other, "officer", key="k2")
    await house.settled()
    assert [(one.about, one.incident) for one in heard(house)] == [
        ("hand_off", case), ("update", case), ("hand_off", other),
    ]  # fmt: skip


async def test_a_case_that_is_split_before_it_is_handed_over_stays_apart(
    house: School, desk: Incidents
) -> None:
    """Nobody handed over what had left it by then."""
    house.perform()
    _, second, case = await two_seen(house)
    await desk.split(case, [second], "At the store", "officer")
    await house.clock.advance(1)
    await desk.hand_over(case, "officer", key="k")
    await house.intake.verdict(second, "verified", "officer")
    await house.settled()
    assert said(house) == ["hand_off"]


async def test_a_merged_case_goes_on_at_the_station(house: School, desk: Incidents) -> None:
    """It hears under which number it goes on, and its end; it is not handed over twice."""
    house.perform()
    _, case = await seen(house)
    await desk.hand_over(case, "officer", key="k")
    into = (await desk.open("Fight", "fight", "high", "gym", "desk"))["id"]
    await desk.merge(case, into, "officer")
    assert (await desk.call_card(case))["hand_off"][0]["state"] in ("pending", "confirmed")
    with pytest.raises(Refused, match="handed over already"):
        await desk.hand_over(into, "desk", key="other")
    await desk.update(into, "All are well", "desk")
    await house.settled()
    assert [(one.about, one.data.get("goes_on", "")) for one in heard(house)] == [
        ("hand_off", ""), ("update", into), ("update", ""),
    ]  # fmt: skip


async def test_what_was_called_off_can_be_handed_over_again(house: School, desk: Incidents) -> None:
    """Closed before it went out, and open again: a press sends it, and is not told that it had
    been.
    """
    case = (await desk.open("Fall", "medical", "high", "gym", "desk"))["id"]
    await desk.hand_over(case, "officer", key="k")
    await desk.close(case, "officer")
    house.perform()
    await desk.reopen(case, "officer")
    assert (await desk.call_card(case))["hand_off"][0]["state"] == "cancelled"
    await desk.hand_over(case, "officer", key="again")
    await house.settled()
    assert said(house) == ["hand_off"]


async def test_law_2_a_channel_that_becomes_the_station_by_reload(
    house: School, desk: Incidents
) -> None:
    """What waited for it as a channel of the school goes nowhere; so too where its driver alone
    says that it reaches emergency services.
    """
    await house.intake.accept(house.seen())
    (alert,) = await house.intake.alerts()
    await house.intake.verdict(alert["id"], "verified", "officer")
    house.channels["console"].channel = Channel(path="lan", emergency=True)
    emergency = {"emergency": {"hand_off": ["station", "post"]}}
    changed = Config.model_validate(
        SCHOOL | SETTINGS | {"rules": INTRUSIONS} | {"hub": SETTINGS["hub"] | emergency}
    )
    house.intake.reconfigure(changed, house.intake.words.campus)
    house.perform()
    await house.settled()
    assert [house.channels[each].sent for each in ("console", "post", "station")] == [[], [], []]
    ended = [each for each in await house.actions() if each["target"] in ("console", "post")]
    assert {each["detail"] for each in ended if each["state"] == "failed"} == {
        "emergency services wait until a person hands it over"
    }


async def test_a_station_that_is_taken_out_by_reload_hears_the_end(
    house: School, desk: Incidents
) -> None:
    """It was called, so that it is told of the false alarm, though nothing new is handed to it."""
    house.perform()
    first, _, case = await two_seen(house)
    await desk.hand_over(case, "officer", key="k")
    await house.settled()
    hub = {key: value for key, value in SETTINGS["hub"].items() if key != "emergency"}
    changed = Config.model_validate(SCHOOL | SETTINGS | {"rules": INTRUSIONS, "hub": hub})
    house.intake.reconfigure(changed, house.intake.words.campus)
    await house.intake.acknowledge(first, "officer")
    await house.intake.verdict(first, "dismissed", "officer")
    await house.settled()
    assert said(house) == ["hand_off", "verdict dismissed"]
    assert (await desk.call_card(case))["hand_off"] == []


async def test_another_way_is_as_short_lived(tmp_path: Path) -> None:
    """A hand-off that a station refuses goes to its fallback, and is given up at the same time; no
    notice ever falls back to where only a person hands something over.
    """
    station = {"driver": "x", "fallback": "dispatch"}
    notifiers = SETTINGS["notifiers"] | {"station": station, "dispatch": {"driver": "x"}}
    notifiers |= {"post": SCHOOL["notifiers"]["post"] | {"fallback": "station"}}
    changes = SETTINGS | {"notifiers": notifiers, "rules": INTRUSIONS}
    async with school(tmp_path, FakeClock(EVENING), **changes) as house:
        house.channels |= {"station": ScriptedChannel(), "dispatch": ScriptedChannel()}
        house.channels["station"].answer = lambda notice: Receipt("failed", detail="unknown")
        house.channels["post"].answer = lambda notice: Receipt("failed", detail="full")

        def away(notice: Notice) -> Receipt:
            raise NotReady("no route")

        house.channels["dispatch"].answer = away
        desk = Incidents(house.intake, Around(house), tmp_path)  # type: ignore[arg-type]
        house.perform()
        _, case = await seen(house)
        await until(house._idle)
        assert heard(house) == []
        await desk.hand_over(case, "officer", key="k")
        await until(lambda: len(house.channels["dispatch"].sent) == 1)
        await until(house._idle)
        assert house.channels["dispatch"].sent[0].data["instead_of"] == ["station"]
        house.channels["dispatch"].sent.clear()
        house.clock.set(EVENING + HAND_OFF_EXPIRES)
        house.channels["dispatch"].answer = lambda notice: Receipt("accepted")
        await house.pass_time(2)
        assert house.channels["dispatch"].sent == []


async def test_a_restart_sends_the_same_press_again(house: School, desk: Incidents) -> None:
    """An attempt whose end nobody saw is made again under the same key, and says so."""
    house.channels["station"].gate = asyncio.Event()
    house.perform()
    _, case = await seen(house)
    await desk.hand_over(case, "officer", key="k")
    await until(lambda: len(heard(house)) == 1)
    await house.stop()
    house.channels["station"].gate = None
    house.perform()
    await house.settled()
    first, again = heard(house)
    assert (first.key, first.repeat) == (again.key, False)
    assert (again.about, again.repeat) == ("hand_off", True)
    (way,) = (await desk.call_card(case))["hand_off"]
    assert way["state"] == "confirmed"


@pytest.mark.parametrize("by", [timedelta(hours=2), timedelta(hours=-2)])
async def test_a_clock_that_is_set_makes_no_hand_off_live_longer(
    house: School, desk: Incidents, by: timedelta
) -> None:
    """A machine that slept calls nobody to what was hours ago, nor does one whose clock goes back
    go on for hours.
    """
    _, case = await seen(house)
    await desk.hand_over(case, "officer", key="k")
    house.clock.set(house.clock.now() + by)
    await house.intake.see_to_the_clock()
    if by < timedelta(0):
        house.clock.set(house.clock.now() + HAND_OFF_EXPIRES)
    house.perform()
    await house.settled()
    assert heard(house) == []
    assert (await desk.call_card(case))["hand_off"][0]["state"] == "timed_out"


async def test_the_report_has_the_hand_off(house: School, desk: Incidents) -> None:
    """Who handed it over, when and what came of it."""
    house.channels["station"].answer = lambda notice: Receipt("failed", detail="not known here")
    house.perform()
    _, case = await seen(house)
    await desk.hand_over(case, "officer", key="k")
    await house.settled()
    report = await desk.report(case, "officer")
    (sent,) = [each for each in report["notices"] if each["about"] == "hand_off"]
    assert (sent["channel"], sent["state"]) == ("Monitoring station", "failed")
    assert sent["what"] == "Hand it over through Monitoring station"
    assert sent["what"] in [each["what"] for each in report["failed"]]
    line = "School resource officer hands it over to Monitoring station"
    assert any(line in each["text"] for each in report["timeline"])
    why = "NOT handed over to Monitoring station: not known here"
    assert why in [each["text"] for each in report["timeline"]]
    assert line.encode() in await desk.json(case, "officer")


async def test_the_words_of_a_hand_off_are_those_of_the_card(tmp_path: Path) -> None:
    """Whatever language the school's people read, what goes out is what stands on the card; what
    is said later comes in the school's language.
    """
    changes = SETTINGS | {"hub": SETTINGS["hub"] | {"language": "es"}, "rules": INTRUSIONS}
    async with school(tmp_path, FakeClock(EVENING), **changes) as house:
        house.channels["station"] = ScriptedChannel()
        desk = Incidents(house.intake, Around(house), tmp_path)  # type: ignore[arg-type]
        house.perform()
        first, second, case = await two_seen(house)
        card = await desk.hand_over(case, "officer", key="k")
        await desk.split(case, [second], "Almacén", "officer")
        await house.intake.verdict(first, "dismissed", "officer")
        await house.settled()
        told = heard(house)
        assert all(f"{line['ask']}: {line['say']}" in told[0].text for line in card["lines"])
        assert "Una parte de esto continúa como incidente aparte: Almacén" in told[1].text
        assert "No todo ha terminado. Esto continúa: Almacén" in told[-1].text


async def test_a_restore_hands_nothing_over(house: School, desk: Incidents) -> None:
    """Nobody knows what was decided after the backup: the card says so, and a press sends it."""
    _, case = await seen(house)
    await desk.hand_over(case, "officer", key="k")
    note = json.dumps({"id": "r", "by": "it", "as_of": "2026-03-02T20:00:00.000Z"})
    await house.journal.write(lambda c: c.execute(insert(meta).values(key=NOTE, value=note)))
    await settle_restored(house.intake)
    house.perform()
    await house.settled()
    assert heard(house) == []
    (way,) = (await desk.call_card(case))["hand_off"]
    assert (way["state"], "restored from a backup" in way["detail"]) == ("cancelled", True)
    await desk.hand_over(case, "officer", key="again")
    await house.settled()
    assert said(house) == ["hand_off"]
