"""An alert that tells of many cameras or doors says how many, where and which, to each as far as
they reach.
"""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from narrowed_school import narrowed
from scripted_house import ScriptedHouse
from test_pages import see

from hub.errors import Refused
from hub.identity.reach import Reach
from hub.web.sight import SeenHouse, looking
from hub.web.within import alert_within, seen_alert, whole_within


def part(name: str, place: str, back: str | None = None, door: str = "") -> dict[str, Any]:
    """A camera or a door of an alert."""
    return {
        "camera": "" if door else name.lower().replace(" ", "_"), "door": door, "name": name,
        "place": place, "place_words": place.capitalize(), "since": "2026-03-02T10:41:14.000Z",
        "back": back,
    }  # fmt: skip


def many(house: ScriptedHouse, *parts: dict[str, Any]) -> None:
    """One alert, of all these."""
    house.alert_views.clear()
    house.raise_alert("m1", "check", "Camera offline", together=list(parts), count=len(parts))


async def test_the_pages_say_how_many_where_and_which(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """The first page has a number, a place and some names; the alert's own page has each."""
    place = next(iter(house.config.places))
    many(house, *(part(f"Eye {n}", place) for n in range(64)))
    await sign_in("admin")
    first = await see(client, "/")
    assert "64 cameras" in first
    assert "Eye 0, Eye 1, Eye 2, Eye 3, Eye 4, Eye 5 and 58 more" in first
    assert "64 times" not in first
    page = await (await client.get("/alerts/m1")).text()
    assert "64 of 64 gone" in page
    assert page.count("/cameras/eye_") == 64
    assert page.index("56 more</summary>") > page.index("/cameras/eye_7")


async def test_what_is_back_stands_behind_what_is_gone(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """Those still gone are named and stand first, with since when the others answer again."""
    place = next(iter(house.config.places))
    answered = "2026-03-02T10:44:14.000Z"
    many(house, part("Eye 1", place, answered), part("Eye 2", place), part("East", place, door="e"))
    await sign_in("admin")
    assert "2 of 2 cameras and 1 door still gone" in await see(client, "/")
    page = await (await client.get("/alerts/m1")).text()
    assert page.index("/cameras/eye_2") < page.index("/cameras/eye_1")
    assert "Answers again since" in page
    many(house, part("Eye 1", place, answered), part("Eye 2", place, answered))
    assert "2 cameras, all answer again" in await see(client, "/")


async def test_it_is_said_in_spanish(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """A reader of Spanish reads it in Spanish."""
    place = next(iter(house.config.places))
    many(house, *(part(f"Eye {n}", place) for n in range(64)))
    await sign_in("admin")
    headers = {"Accept-Language": "es"}
    page = await (await client.get("/alerts/m1", headers=headers)).text()
    assert "64 cámaras" in page
    assert "Eye 5 y 58 más" in page


def test_nobody_sees_a_part_beyond_their_places() -> None:
    """A group that began elsewhere is told as if it had begun within, without names, places or
    pictures from beyond; deciding about it takes who reaches all of it.
    """
    view: Any = {"place": "a", "place_name": "A", "place_words": "A", "camera": "eye_1", "door": ""}
    view |= {"picture": "x.jpg", "box": None, "frame_size": None}
    view |= {"together": [part("Eye 1", "a"), part("Eye 2", "b"), part("Eye 3", "a")]}
    reach = Reach(cameras=frozenset({"eye_2"}), alerts=frozenset({"b"}))
    assert alert_within(view, reach.alerts)
    assert not whole_within(view, reach.alerts)
    seen = seen_alert(view, reach)
    assert (seen["camera"], seen["place"], seen["picture"]) == ("eye_2", "b", None)
    assert seen["together"] == []
    assert "Eye 1" not in str(seen)
    assert not alert_within(view, frozenset({"c"}))
    assert whole_within(view, None)


async def test_who_reaches_a_part_only_does_not_decide_for_all(tmp_path: Any) -> None:
    """They read it, and are told why they may not judge it."""
    house = narrowed(tmp_path)
    await house.open()
    try:
        inside, outside = list(house.config.places)[:2]
        many(house, part("Eye 1", outside), part("Eye 2", inside))
        house.alert_views["m1"]["place"] = outside

        class Narrow:
            """Whoever reaches one of the places."""

            def reach(self) -> Reach:
                return Reach(alerts=frozenset({inside}))

            def may(self, permission: str) -> bool:
                return True

        seen = SeenHouse(house)  # type: ignore[arg-type]
        with looking(Narrow()):
            assert [each["id"] for each in await seen.alerts()] == ["m1"]
            for act in (seen.acknowledge, seen.undo, seen.resolve):
                with pytest.raises(Refused, match="outside of the places of your role"):
                    await act("m1", "they")
            with pytest.raises(Refused, match="outside of the places of your role"):
                await seen.verdict("m1", "dismissed", "they")
    finally:
        await house.close()
