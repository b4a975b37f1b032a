"""The map of a protocol: boxes in boxes, every door at its wall, and the same in words."""

from __future__ import annotations

import re
from html import unescape
from itertools import pairwise
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from scripted_house import ScriptedHouse

from hub.config import Config
from hub.web.schematic import APART, MARK, NARROW, WIDE, Drawing, schematic

PLACES: dict[str, Any] = {
    "site": {"name": "School", "kind": "site"},
    "east": {"name": "East", "kind": "building", "in": "site", "coordinates": [41.0, -87.1]},
    "west": {"name": "West", "kind": "building", "in": "site", "coordinates": [41.0, -87.9]},
    "ground": {"name": "Ground floor", "kind": "floor", "in": "east"},
    "upper": {"name": "First floor", "kind": "floor", "in": "east"},
    "lobby": {"name": "Lobby", "kind": "room", "in": "ground"},
    "nurse": {"name": "Nurse", "kind": "room", "in": "ground", "private": True},
    "lab": {"name": "Laboratory", "kind": "room", "in": "upper"},
    "gym": {"name": "Gym", "kind": "room", "in": "west"},
}
DOORS: dict[str, Any] = {
    "main": {"name": "Main entrance", "place": "lobby", "leads_to": "site", "number": "1"},
    "lab": {"name": "Laboratory", "place": "lab", "leads_to": "upper"},
    "gym": {"name": "Gym", "place": "gym", "leads_to": "lobby"},
}
Box = tuple[int, int, int, int]


def config(places: dict[str, Any], doors: dict[str, Any]) -> Config:
    """A school of these places and doors."""
    made = {name: {"controller": "locks", **door} for name, door in doors.items()}
    return Config.model_validate(
        {"places": places, "doors": made, "access_control": {"locks": {"driver": "x"}}}
    )


def boxes(drawing: Drawing) -> dict[str, Box]:
    """Every box by the name that is written in it."""
    found: list[Box] = []
    for path in drawing.boxes.values():
        for x, y, w, h in re.findall(r"M(\d+) (\d+)h(\d+)v(\d+)h-\d+z", path):
            found.append((int(x), int(y), int(w), int(h)))
    of: dict[str, Box] = {}
    for name in drawing.names:
        mine = [b for b in found if b[0] + b[2] // 2 == name.x and b[1] + 18 == name.y]
        (of[name.text],) = mine
    return of


def within(inner: Box, outer: Box) -> bool:
    """Whether one box is drawn inside another."""
    return (
        outer[0] < inner[0]
        and outer[1] < inner[1]
        and inner[0] + inner[2] < outer[0] + outer[2]
        and inner[1] + inner[3] < outer[1] + outer[3]
    )


def apart(one: Box, other: Box) -> bool:
    """Whether two boxes have no point in common."""
    return (
        one[0] + one[2] < other[0]
        or other[0] + other[2] < one[0]
        or one[1] + one[3] < other[1]
        or other[1] + other[3] < one[1]
    )


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_places_are_boxes_in_boxes_and_doors_are_at_their_walls(width: int) -> None:
    """What is part of something is drawn in it, what is not beside it; buildings from west to east;
    each door is on the lower wall of the place that it closes off, with its number.
    """
    made = config(PLACES, DOORS)
    drawing = schematic(made, "site", {"main": "secured", "lab": "retrying"}, width)
    found = boxes(drawing)
    names = {name: place.name for name, place in made.places.items() if name != "site"}
    assert set(found) == set(names.values())
    for name, place in made.places.items():
        if place.parent in names:
            assert within(found[names[name]], found[names[place.parent]])
        for other, beside in made.places.items():
            if name != other and place.parent == beside.parent and name != "site":
                assert apart(found[names[name]], found[names[other]])
    assert found["West"][1] < found["East"][1]
    assert drawing.boxes["priv"].count("M") == 1
    marks = {mark.label: mark for mark in drawing.marks}
    assert {label: mark.state for label, mark in marks.items()} == {
        "1 Main entrance": "secured", "Laboratory": "retrying", "Gym": APART,
    }  # fmt: skip
    for label, place in (("1 Main entrance", "Lobby"), ("Laboratory", "Laboratory")):
        x, y, w, h = found[place]
        assert marks[label].y == y + h
        assert x + MARK < marks[label].x < x + w - MARK
    assert all(x >= 0 and x + w <= width for x, _, w, _ in found.values())


def test_a_part_of_the_school_is_drawn_with_what_leads_into_it() -> None:
    """Of a floor its own rooms and doors, and a door from elsewhere at the wall it leads to."""
    drawing = schematic(config(PLACES, DOORS), "ground", {}, WIDE)
    assert set(boxes(drawing)) == {"Lobby", "Nurse"}
    assert {mark.label for mark in drawing.marks} == {"1 Main entrance", "Gym"}


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_a_large_school_stays_readable_and_small(width: int) -> None:
    """Of a hundred doors only those that need somebody are named, all of them are drawn and stay
    apart, and long names stay in their boxes.
    """
    rooms = {
        f"room_{n}": {"name": f"Classroom {n} of the natural sciences", "kind": "room",
                      "in": "ground" if n % 2 else "upper"}
        for n in range(90)
    }  # fmt: skip
    doors = {f"door_{n}": {"name": f"Door {n}", "place": f"room_{n}"} for n in range(90)}
    doors |= {f"hall_{n}": {"name": f"Hall {n}", "place": "ground"} for n in range(10)}
    states = dict.fromkeys(doors, "secured") | {"door_7": "retrying"}
    drawing = schematic(config(PLACES | rooms, doors), "site", states, width)
    assert len(drawing.marks) == 100
    assert [mark.label for mark in drawing.marks if mark.label] == ["Door 7"]
    spots = sorted((mark.y, mark.x) for mark in drawing.marks)
    for (y, x), (below, right) in pairwise(spots):
        assert y != below or right - x >= 2 * MARK
    assert all(MARK <= mark.x <= width - MARK for mark in drawing.marks)
    assert all(len(name.text) * 8 < width for name in drawing.names)
    assert sum(map(len, drawing.boxes.values())) < 4000


async def running(house: ScriptedHouse, **more: Any) -> str:
    """A lockdown in which one door jams."""
    run = str((await house.protocols.start("lockdown", "school", "SRO", **more))["id"])
    house.protocols.secure(run, but="gym")
    return run


def said(page: str) -> list[str]:
    """What each drawing of the map says to those who do not see it."""
    of_map = page[page.index('id="map"') :]
    return [unescape(each) for each in re.findall(r'role="img" aria-label="([^"]*)"', of_map)]


async def test_the_page_says_in_words_what_the_map_shows(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """How many are secured, which are not and why; its key has the words of the list; the doors
    that no protocol moves are shown as such; whoever may not see doors sees no map.
    """
    await sign_in("principal")
    run = await running(house)
    page = await (await client.get(f"/protocols/{run}")).text()
    words = "Map of Whole school: 2 of 3 doors secured. Not secured: Gym East, not confirmed."
    assert said(page)[:2] == [words, words]
    for part in ('href="#m-secured"', 'href="#m-retrying"', "Not confirmed, retrying</span>"):
        assert part in page
    assert "Not part of it" in page
    assert "Stair B" in page
    assert page.index('id="map"') < page.index("read back from the doors themselves")
    house.config = house.config.model_copy(
        update={"doors": {k: d for k, d in house.config.doors.items() if k != "gym"}}
    )
    page = await (await client.get(f"/protocols/{run}")).text()
    assert "1 door is not on it." in page
    assert "Gym East, not confirmed." in said(page)[0]
    await sign_in("nurse")
    assert 'id="map"' not in await (await client.get(f"/protocols/{run}")).text()


async def test_a_hundred_doors_on_the_map_stay_one_page(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """The page stays under 40 KB, with one drawing that only wide screens show."""
    await sign_in("principal")
    run = await running(house)
    rooms = {f"r{n}": {"name": f"Room {n}", "kind": "room", "in": "upper"} for n in range(100)}
    doors = {f"d{n}": {"name": f"Room {n}", "place": f"r{n}"} for n in range(100)}
    whole = {name: one.model_dump(by_alias=True) for name, one in house.config.places.items()}
    made = config(whole | rooms, doors)
    house.config = house.config.model_copy(update={"places": made.places, "doors": made.doors})
    view = house.protocols.runs[run]
    one = {**view["doors"][0], "state": "secured", "seconds": 1.25}
    view["doors"] = [{**one, "door": f"d{n}", "name": f"Room {n}"} for n in range(100)]
    view["secured"] = view["total"] = 100
    page = await (await client.get(f"/protocols/{run}")).text()
    assert page.count('<use href="#m-secured" x=') == 100
    assert 'class="plan only-wide" id="map"' in page
    assert said(page) == ["Map of Whole school: 100 of 100 doors secured."]
    assert len(page.encode()) < 40_000


async def test_the_map_follows_the_all_clear(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """After the end it shows which doors are back; one that nobody wants otherwise waits for
    nothing.
    """
    await sign_in("principal")
    run = await running(house, drill=True, doors_real=True)
    await house.protocols.ask_end(run, "SRO")
    main, science, _ = house.protocols.runs[run]["all_clear"]["doors"]
    main |= {"state": "done"}
    science |= {"state": "done", "detail": "left as it is"}
    page = await (await client.get(f"/protocols/{run}")).text()
    assert said(page)[0] == (
        "Map of Whole school: 1 of 2 doors back as before. Not back as before: Gym East, waiting."
    )
