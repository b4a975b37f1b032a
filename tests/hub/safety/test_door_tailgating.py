"""One grant, two people: told in sentences of what a door and a camera say."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from door_school import door_school
from safety_school import EVENING, SCHOOL

from hub.config import Config
from hub.events import Event
from hub.safety.doors.tailgate import Passages

CONFIG = Config.model_validate(SCHOOL)


def event(second: float, what: str) -> Event:
    """`granted`, `opened`, `closed`, or `person 1` seen beyond the store's door."""
    moment = EVENING + timedelta(seconds=second)
    word, _, which = what.partition(" ")
    if word in ("person", "car"):
        data: dict[str, Any] = {"camera": "lab", "place": "lab", "label": word, "track": which}
        return Event("zone.entered", "camera/lab", moment, "lab", data)
    if word == "passage":
        asked = {"verb": "momentary"}
        return Event("action.requested", "person/desk", moment, "store", asked)
    area = "access" if word in ("granted", "denied", "duress") else "door"
    return Event(f"{area}.{word}", "door/store", moment, which or "store", {})


def told(*story: tuple[float, str]) -> list[tuple[int, int]]:
    """For each time that it was told: how many people for how many grants."""
    passages = Passages(CONFIG)
    heard = [passages.hear(event(second, what)) for second, what in story]
    return [(each.data["people"], each.data["granted"]) for each in heard if each is not None]


TWO = ((0, "granted"), (1, "opened"), (2, "person 1"), (3, "person 2"))


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        (TWO, [(2, 1)]),
        ((*TWO, (4, "person 3"), (5, "person 4")), [(2, 1)]),
        ((*TWO[:3], (3, "person 1"), (6, "closed")), []),
        (((0, "granted"), (0.5, "granted"), *TWO[1:]), []),
        ((*TWO[:3], (2.5, "granted"), (3, "person 2")), []),
        ((TWO[0], (1, "opened"), (2, "person 1"), (4, "closed"), (6, "person 2")), [(2, 1)]),
        ((TWO[0], (1, "opened"), (2, "person 1"), (4, "closed"), (9, "person 2")), []),
        (((0, "opened"), (2, "person 1"), (3, "person 2")), []),
        (((0, "denied"), *TWO[1:]), []),
        (((0, "granted"), (16, "opened"), (17, "person 1"), (18, "person 2")), []),
        ((*TWO[:2], (2, "person 1"), (40, "person 2")), []),
        ((*TWO[:2], (2, "person 1"), (3, "car 2")), []),
        (((0, "passage"), *TWO[1:]), [(2, 1)]),
        (((0, "duress"), *TWO[1:]), [(2, 1)]),
        (((0, "granted wing_east"), (1, "opened wing_east"), *TWO[2:]), []),
        ((*TWO, (8, "closed"), (20, "granted"), (21, "opened"), (22, "person 5")), [(2, 1)]),
    ],
    ids=[
        "two people come on one grant",
        "it is told once a passage",
        "the same person is one",
        "two grants let two in",
        "a grant while the door is open counts",
        "who was through before it closed still counts in the zone",
        "who comes long after it closed does not",
        "a door that stands unlocked lets anyone in",
        "who was refused lets nobody in",
        "a grant is good for fifteen seconds",
        "a passage lasts no longer than half a minute",
        "a car is not a person",
        "a passage given at the desk is a grant",
        "who is forced may enter too",
        "what happens at another door is its own",
        "the next passage begins anew",
    ],
)
def test_tailgating(story: tuple[tuple[float, str], ...], expected: list[tuple[int, int]]) -> None:
    """As the sentence says."""
    assert told(*story) == expected


def test_whatever_the_data_nothing_breaks() -> None:
    """Events of plugins and vendors may say anything."""
    passages = Passages(CONFIG)
    for kind in ("zone.entered", "access.granted", "door.opened", "door.closed"):
        for data in ({}, {"place": 3, "label": []}, {"place": "lab", "label": "person"}):
            passages.hear(Event(kind, "x", EVENING, "store", data))


async def test_tailgating_becomes_an_event_with_a_picture(tmp_path: Path) -> None:
    """What door and camera report ends as one event, which a rule may alert on."""
    async with door_school(tmp_path) as house:
        house.lock.says("store", position="closed", lock="locked")
        house.lock.used("store", credential="r-17")
        await house.settle()
        house.lock.says("store", position="open")
        await house.settle()
        for track in (1, 2):
            data = {"camera": "wing", "place": "lab", "label": "person", "track": track}
            await house.happens("zone.entered", "wing", **data, picture="p.jpg")
        assert await house.types("access.", "door.opened", "door.forced", "door.tailgated") == [
            "access.granted", "door.opened", "door.tailgated",
        ]  # fmt: skip
        (found,) = await house.told("door.tailgated")
        assert (found.data["picture"], found.data["place"]) == ("p.jpg", "lab")
        assert house.intake.words.sentence(found)[0] == (
            "Chemistry store: more people came through than were let in (2 for 1)"
        )
        (granted,) = await house.told("access.granted")
        assert granted.data["credential"] == "r-17"
