"""What came back while the hub was away is told once the hub runs."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "safety"))

from safety_school import School, school

from hub.events import Event
from hub.returned import Returned, gone


class House:
    """How cameras and doors are, as the test says, of a real school."""

    def __init__(self, house: School) -> None:
        self.config = house.config
        self.states = {"wing": "starting", "yard": "starting"}
        self.online: set[str] = set()

    def cameras(self) -> list[dict[str, Any]]:
        return [{"id": name, "place": name, "state": state} for name, state in self.states.items()]

    def doors(self) -> list[dict[str, Any]]:
        return [
            {"id": name, "place": "wing", "online": name in self.online}
            for name in self.config.doors
        ]


def said(house: School, kind: str, name: str) -> Event:
    """A camera or door says something."""
    area = kind.partition(".")[0]
    return Event(kind, f"{area}/{name}", house.clock.now(), name, {area: name})


async def told(house: School) -> list[tuple[str, str]]:
    """What was journaled of returns."""
    past = await house.intake.past_events(0, 500)
    return [(event.type, event.subject) for _, event in past if event.type.endswith(".online")]


async def test_what_is_there_again_is_told_and_its_alert_knows(tmp_path: Path) -> None:
    """A camera and a door that were gone when the hub ended and answer after its start are told;
    what is still gone, what never was and what is no longer configured is not. Then it rests.
    """
    async with school(tmp_path) as house:
        for name in ("yard", "wing", "scrapped"):
            await house.intake.accept(said(house, "camera.offline", name))
        await house.intake.accept(said(house, "door.offline", "store"))
        now = House(house)
        watching = asyncio.create_task(Returned(now, house.intake).watch())  # type: ignore[arg-type]
        for states, online in (
            ({"yard": "online", "wing": "starting"}, set()),
            ({"yard": "online", "wing": "offline"}, {"store", "old_gate"}),
        ):
            now.states, now.online = states, online
            for _ in range(40):
                await asyncio.sleep(0.005)
            await house.clock.advance(5)
        await asyncio.wait_for(watching, 20)
        assert await told(house) == [("camera.online", "yard"), ("door.online", "store")]
        assert await house.journal.read(gone) == {"camera/wing", "camera/scrapped"}
        (alert,) = [each for each in await house.intake.alerts() if each["camera"] == "yard"]
        assert {each["name"]: each["back"] is None for each in alert["together"]} == {
            "Wing camera": True, "Yard camera": False, "scrapped": True,
        }  # fmt: skip


async def test_who_tells_of_its_return_itself_is_not_told_of_twice(tmp_path: Path) -> None:
    """The journal is asked once more before anything is written."""
    async with school(tmp_path) as house:
        await house.intake.accept(said(house, "camera.offline", "yard"))
        now = House(house)
        now.states["yard"] = "online"
        returned = Returned(now, house.intake)  # type: ignore[arg-type]
        read = house.journal.read

        async def late(work: Any) -> Any:
            found = await read(work)
            if work is gone and await told(house) == []:
                await house.intake.accept(said(house, "camera.online", "yard"))
            return found

        house.journal.read = late  # type: ignore[method-assign]
        await asyncio.wait_for(returned.watch(), 20)
        assert await told(house) == [("camera.online", "yard")]


async def test_a_school_where_all_answer_costs_nothing(tmp_path: Path) -> None:
    """Nothing was gone: the task ends at once."""
    async with school(tmp_path) as house:
        await asyncio.wait_for(Returned(House(house), house.intake).watch(), 20)  # type: ignore[arg-type]
        assert await told(house) == []


async def test_what_lasted_until_it_came_back_does_not_fire_after_a_start(tmp_path: Path) -> None:
    """A camera that was dark when the hub ended and is well again when it starts is not told as one
    that has been dark all the time.
    """
    lasting: dict[str, Any] = {
        "name": "Dark for long", "when": "camera.offline", "lasting": "2m",
        "alert": {"severity": "check", "through": ["console"]},
    }  # fmt: skip
    async with school(tmp_path, rules={"lasting": lasting}) as house:
        for name in ("yard", "wing"):
            await house.intake.accept(said(house, "camera.offline", name))
    async with school(tmp_path, rules={"lasting": lasting}) as house:
        await house.clock.advance(600)
        await house.intake.accept(Event("hub.started", "hub", house.clock.now()))
        now = House(house)
        now.states = {"yard": "online", "wing": "offline"}
        await asyncio.wait_for(Returned(now, house.intake).watch(), 20)  # type: ignore[arg-type]
        await house.clock.advance(40)
        await house.intake.lapse()
        assert [alert["camera"] for alert in await house.intake.alerts()] == ["wing"]
