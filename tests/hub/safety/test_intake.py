"""From event to alert, incident and verdict, each in one transaction."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safety_school import EVENING, school, until
from sqlalchemy import Connection, func, select, text

from hub.errors import Refused, StateError
from hub.events import Event
from hub.storage.schema import events


def types(connection: Connection) -> list[str]:
    """The types of all journaled events, in order."""
    return list(connection.scalars(select(events.c.type).order_by(events.c.seq)))


async def test_a_match_raises_one_alert_with_all_that_is_known(tmp_path: Path) -> None:
    """The alert shows what was seen, where, why, what it could be and what verifying will do."""
    async with school(tmp_path) as house:
        await house.intake.accept(house.seen("lab"))
        (alert,) = await house.intake.alerts()
        assert alert["title"] == "Person in the closed science wing"
        assert alert["place_words"] == "Laboratory, Science wing"
        assert (alert["severity"], alert["state"], alert["count"]) == ("high", "raised", 1)
        assert (alert["label"], alert["score"], alert["guessing"]) == ("person", 0.86, False)
        assert (alert["camera"], alert["picture"]) == ("wing", f"{'a' * 32}.jpg")
        assert (alert["box"], alert["frame_size"]) == ([1.0, 2.0, 30.0, 40.0], [640, 360])
        assert alert["matched"][1] == "label person 0.86"
        assert alert["could_be"] == "a cleaner"
        assert alert["will"] == ["Locks Science wing east, Chemistry store", "Sounds Siren"]
        assert alert["verdict"] is None
        one = await house.intake.alert(alert["id"])
        assert len(one["told"]) == 4
        assert {**one, "told": []} == alert
        with pytest.raises(KeyError):
            await house.intake.alert("unknown")


async def test_no_way_into_the_journal_takes_a_secret_along(tmp_path: Path) -> None:
    """Whoever hands an event over, and by which call: what it says is written without secrets."""
    async with school(tmp_path) as house:
        house.intake.secrets.add(["hunter2!-canary"])
        for hand_over in (house.intake.accept, house.intake.take):
            seen = house.seen()
            leaky = replace(seen, data={**seen.data, "detail": "it answers hunter2!-canary"})
            await hand_over(leaky)
        kept = await house.journal.read(lambda c: list(c.scalars(select(events.c.data))))
        assert sum("it answers" in data for data in kept) == 2
        assert not any("canary" in data for data in kept)


async def test_forty_matches_are_one_alert(tmp_path: Path) -> None:
    """While an alert is open a further match at the same place joins it, and is told sparingly."""
    async with school(tmp_path) as house:
        for _ in range(40):
            await house.intake.accept(house.seen())
            await house.clock.advance(1)
        (alert,) = await house.intake.alerts()
        assert alert["count"] == 40
        assert alert["age_s"] == 40.0
        seen = await house.journal.read(types)
        assert seen.count("zone.entered") == 40
        assert seen.count("alert.raised") == 1
        assert 1 <= seen.count("alert.joined") <= 4
        assert len(await house.actions()) == 3  # a notice to each, not to each forty times


async def test_a_new_place_always_makes_a_new_alert(tmp_path: Path) -> None:
    """Joining never hides that somebody is somewhere else now; the incident stays the same."""
    async with school(tmp_path) as house:
        await house.intake.accept(house.seen("wing"))
        await house.intake.accept(house.seen("lab"))
        alerts = await house.intake.alerts()
        assert {alert["place"] for alert in alerts} == {"wing", "lab"}
        assert len({alert["incident"] for alert in alerts}) == 1
        assert len(await house.intake.incidents()) == 1


async def test_two_doors_at_one_place_are_two_alerts(tmp_path: Path) -> None:
    """What joins alerts of doors is the door."""
    async with school(tmp_path) as house:
        for door in ("wing_east", "store", "store"):
            await house.intake.accept(house.door_event("door.forced", door))
        counts = {alert["door"]: alert["count"] for alert in await house.intake.alerts()}
        assert counts == {"wing_east": 1, "store": 2}


async def test_a_verified_alert_is_joined_while_it_goes_on_and_no_longer(tmp_path: Path) -> None:
    """Shortly after a verdict the same person is no news; much later somebody is."""
    async with school(tmp_path) as house:
        await house.intake.accept(house.seen())
        (alert,) = await house.intake.alerts()
        await house.intake.verdict(alert["id"], "verified", "officer")
        await house.clock.advance(300)
        await house.intake.accept(house.seen())
        assert len(await house.intake.alerts()) == 1
        await house.clock.advance(601)
        await house.intake.accept(house.seen())
        assert len(await house.intake.alerts()) == 2


async def test_after_a_dismissal_the_next_match_is_news(tmp_path: Path) -> None:
    """A false alarm never swallows the real one that follows."""
    async with school(tmp_path) as house:
        await house.intake.accept(house.seen())
        (alert,) = await house.intake.alerts()
        await house.intake.verdict(alert["id"], "dismissed", "officer")
        await house.intake.accept(house.seen())
        assert [one["state"] for one in await house.intake.alerts()] == ["raised", "dismissed"]
        assert len(await house.intake.alerts(open_only=True)) == 1


async def test_an_event_that_comes_twice_counts_once(tmp_path: Path) -> None:
    """A worker that sends again after a lost acknowledgement changes nothing."""
    async with school(tmp_path) as house:
        seen = house.seen()
        with house.bus.subscribe() as told:
            await house.intake.accept(seen)
            await house.intake.accept(seen, seen)
        assert [event.type async for _, event in told] == [
            "zone.entered", "incident.opened", "alert.raised", "rule.fired",
        ]  # fmt: skip
        assert (await house.intake.alerts())[0]["count"] == 1
        assert house.intake.repeated == 2


async def test_event_alert_incident_and_actions_are_one_transaction(tmp_path: Path) -> None:
    """When any part of a decision cannot be written, none is, and the bus hears nothing."""

    def forbid(connection: Connection) -> None:
        connection.execute(
            text("create trigger no before insert on actions begin select raise(abort, 'no'); end")
        )

    async with school(tmp_path) as house:
        await house.journal.write(forbid)
        with house.bus.subscribe() as told, pytest.raises(Exception, match="no"):
            await house.intake.accept(house.seen())
        assert [event async for event in told] == []
        counts = await house.intake.counts()
        assert (counts["events"], counts["alerts_open"]) == (0, 0)
        assert await house.intake.incidents() == []


async def test_accept_takes_all_events_of_a_call_or_none(tmp_path: Path) -> None:
    """Data that JSON cannot say is refused before anything is written."""
    async with school(tmp_path) as house:
        for bad in ({"x": float("nan")}, {"x": object()}, {"x": "y" * 1_100_000}):
            with pytest.raises(ValueError, match=r"JSON|JSON compliant|characters"):
                await house.intake.accept(house.seen(), house.seen(data=bad))
        assert (await house.intake.counts())["events"] == 0


@pytest.mark.parametrize("where", ["type", "source", "subject", "id", "data", "key"])
async def test_half_a_character_never_reaches_the_writer(tmp_path: Path, where: str) -> None:
    """No journal can hold one: it is refused by name, alone, and what others say is taken."""
    half = "a\ud83d"
    changes: dict[str, Any] = {where: half}
    if where in ("data", "key"):
        changes = {"data": {half: "x"} if where == "key" else {"text": [half]}}
    async with school(tmp_path) as house:
        turns = house.journal.queue()
        with pytest.raises(ValueError, match=r"half a character \(a lone surrogate\) at"):
            await house.intake.accept(replace(house.seen(), **changes))
        with pytest.raises(ValueError, match=r"half a character"):
            await house.intake.take(replace(house.seen(), **changes))
        assert house.journal.queue() == turns
        await house.intake.accept(house.seen())
        assert len(await house.intake.alerts()) == 1


async def test_events_are_published_and_read_in_the_order_of_the_journal(tmp_path: Path) -> None:
    """Past events continue where a listener's sequence number left off."""
    async with school(tmp_path) as house:
        with house.bus.subscribe() as told:
            await house.intake.accept(*(house.door_event("door.opened", "store") for _ in "abc"))
            await house.intake.accept(house.seen())
        heard = [item async for item in told]
        assert [seq for seq, _ in heard] == [1, 2, 3, 4, 5, 6, 7]
        past = await house.intake.past_events(after=3)
        assert [(seq, event.id) for seq, event in past] == [
            (seq, event.id) for seq, event in heard[3:]
        ]
        assert len(await house.intake.past_events(after=0, limit=2)) == 2


async def test_a_grave_alert_opens_an_incident_and_a_light_one_does_not(tmp_path: Path) -> None:
    """A severe or high alert is a case from the start; a check becomes one when it is real."""
    async with school(tmp_path) as house:
        dark = Event("camera.offline", "hub/perception", house.clock.now(), "yard")
        await house.intake.accept(dark)
        assert await house.intake.incidents() == []
        (alert,) = await house.intake.alerts()
        assert alert["incident"] == ""
        alert = await house.intake.verdict(alert["id"], "verified", "desk")
        (incident,) = await house.intake.incidents()
        assert alert["incident"] == incident["id"]
        assert await house.story() == [
            "Yard camera: delivers no pictures",
            "Front office verified the alert",
        ]


async def test_an_incident_tells_its_story_in_the_order_of_the_source(tmp_path: Path) -> None:
    """Entries stand by when they happened; one that arrives late takes its place in between."""
    async with school(tmp_path) as house:
        await house.intake.accept(house.seen())
        incident = (await house.intake.incidents())[0]["id"]
        await house.clock.advance(10)
        late = {"camera": "wing", "incident": incident, "picture": f"{'b' * 32}.jpg"}
        shown = Event("picture.saved", "camera/wing", EVENING, "wing", late | {"offset_s": -2.0})
        (alert,) = await house.intake.alerts()
        await house.intake.verdict(alert["id"], "unsure", "officer", "too dark")
        await house.intake.accept(shown)
        view = await house.intake.incident(incident)
        assert [entry["text"] for entry in view["entries"]] == [
            "Person seen in Science wing",
            "Alert: Person in the closed science wing",
            "Picture from Wing camera, 2 s before",
            "School resource officer could not tell and asks for a second look: too dark",
        ]
        assert view["entries"][2]["picture"] == f"{'b' * 32}.jpg"
        assert view["entries"][2]["received"] > view["entries"][2]["time"]
        assert view["alerts"][0]["id"] == alert["id"]
        with pytest.raises(KeyError):
            await house.intake.incident("unknown")


async def test_a_kept_picture_shows_on_an_alert_without_one(tmp_path: Path) -> None:
    """A forced door has no picture of its own; the camera that looks there gives one."""
    async with school(tmp_path) as house:
        await house.intake.accept(house.door_event("door.forced", "old_gate"))
        await until(lambda: house.opened)
        (alert,) = house.opened
        assert (alert["camera"], alert["picture"]) == ("yard", None)
        data = {"camera": "yard", "incident": alert["incident"], "picture": f"{'c' * 32}.jpg"}
        await house.intake.accept(
            Event("picture.saved", "camera/yard", house.clock.now(), "yard", data)
        )
        assert (await house.intake.alert(alert["id"]))["picture"] == f"{'c' * 32}.jpg"


async def test_door_events_join_the_incident_that_concerns_the_door(tmp_path: Path) -> None:
    """What the alarmed door does next is part of the story; what another door does is not."""
    async with school(tmp_path) as house:
        await house.intake.accept(house.door_event("door.forced", "old_gate"))
        await house.intake.accept(
            house.door_event("door.closed", "old_gate"), house.door_event("door.opened", "store")
        )
        assert await house.story() == [
            "Old gate: forced open while locked", "Alert: Door forced open", "Old gate: closed",
        ]  # fmt: skip
        await house.clock.advance(31 * 60)
        await house.intake.accept(house.door_event("door.opened", "old_gate"))
        assert len(await house.story()) == 3


async def test_another_place_is_another_incident(tmp_path: Path) -> None:
    """An alert elsewhere does not join the open incident."""
    async with school(tmp_path) as house:
        await house.intake.accept(house.seen(), house.door_event("door.forced", "old_gate"))
        assert len(await house.intake.incidents()) == 2


async def test_an_incident_of_false_alarms_is_closed(tmp_path: Path) -> None:
    """Once every alert of it was dismissed an incident closes, and says so."""
    async with school(tmp_path) as house:
        await house.intake.accept(house.seen("wing"), house.seen("lab"))
        first, second = await house.intake.alerts()
        await house.intake.verdict(first["id"], "dismissed", "officer")
        assert (await house.intake.incidents())[0]["state"] == "open"
        await house.intake.verdict(second["id"], "dismissed", "officer")
        assert (await house.intake.incidents())[0]["state"] == "closed"
        assert (await house.story())[-1] == "Incident closed: every alert was dismissed"


async def test_a_second_verdict_is_refused_and_names_the_first(tmp_path: Path) -> None:
    """A final verdict stands; who differs is told who decided and when, and what is left to
    do if it is real. The same one is no news.
    """
    async with school(tmp_path) as house:
        await house.intake.accept(house.seen())
        (alert,) = await house.intake.alerts()
        await house.intake.verdict(alert["id"], "unsure", "desk")
        await house.intake.verdict(alert["id"], "dismissed", "officer", "a cleaner")
        await house.clock.advance(60)
        again = await house.intake.verdict(alert["id"], "dismissed", "desk")
        assert again["verdict"] == {
            "verdict": "dismissed", "by": "officer", "time": "2026-03-02T20:15:00.000Z",
            "note": "a cleaner",
        }  # fmt: skip
        for other, told in (("verified", "If it is real after all"), ("unsure", "verdict stands$")):
            with pytest.raises(
                Refused, match=rf"School resource officer .* dismissed at 20:15 on .*{told}"
            ):
                await house.intake.verdict(alert["id"], other, "desk")
        with pytest.raises(KeyError):
            await house.intake.verdict("unknown", "verified", "desk")


async def test_alerts_stand_by_severity_then_age(tmp_path: Path) -> None:
    """The gravest comes first, then the oldest, then what was decided."""
    async with school(tmp_path) as house:
        dark = Event("camera.offline", "hub/perception", house.clock.now(), "yard")
        await house.intake.accept(dark)
        await house.clock.advance(1)
        await house.intake.accept(house.seen("wing"))
        await house.clock.advance(1)
        await house.intake.accept(house.seen("lab"))
        await house.intake.accept(house.door_event("door.forced", "store"))
        done = next(one for one in await house.intake.alerts() if one["door"] == "store")
        await house.intake.verdict(done["id"], "dismissed", "officer")
        assert [(one["severity"], one["place"]) for one in await house.intake.alerts()] == [
            ("high", "wing"), ("high", "lab"), ("check", "yard"), ("high", "lab"),
        ]  # fmt: skip


async def test_a_failed_wish_for_pictures_costs_nothing(tmp_path: Path) -> None:
    """When nobody can keep pictures the alert stands all the same."""
    async with school(tmp_path) as house:

        async def broken(alert: object) -> None:
            raise RuntimeError("no worker")

        house.intake._on_incident = broken
        await house.intake.accept(house.seen())
        assert len(await house.intake.alerts()) == 1


async def test_what_verifying_does_is_fixed_when_the_alert_is_raised(tmp_path: Path) -> None:
    """People act on what they read, also when the rule has changed since; a door that is gone is
    a command that failed, not one that was forgotten.
    """
    async with school(tmp_path) as house:
        await house.intake.accept(house.seen())
    smaller = {"doors": {}, "rules": {}}
    async with school(tmp_path, house.clock, **smaller) as house:
        (alert,) = await house.intake.alerts()
        assert alert["will"] == ["Locks wing_east, store", "Sounds Siren"]
        await house.intake.verdict(alert["id"], "verified", "officer")
        doors = [one for one in await house.actions() if one["kind"] == "door"]
        assert [(one["state"], one["detail"]) for one in doors] == [
            ("failed", "it is no longer configured")
        ] * 2


async def test_a_closed_journal_is_an_error_in_words(tmp_path: Path) -> None:
    """After the end nothing is taken silently."""
    async with school(tmp_path) as house:
        pass
    with pytest.raises(StateError, match="closed"):
        await house.intake.accept(house.seen())


async def test_accepting_an_event_that_matches_nothing_is_cheap(tmp_path: Path) -> None:
    """Ordinary events cost far less than a millisecond of processor time each."""
    async with school(tmp_path) as house:
        batch = [replace(house.seen(data={"label": "car"}), id=f"{n:032x}") for n in range(500)]
        before = time.process_time()
        await house.intake.accept(*batch)
        spent = (time.process_time() - before) / len(batch)
        assert await house.journal.read(
            lambda c: c.scalar(select(func.count()).select_from(events))
        ) == len(batch)
        assert spent < 0.001
