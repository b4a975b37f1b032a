"""A camera's scene over a restart: another view is told, and the same one is not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import test_tamper_live
from tamper_scenes import HEIGHT, WIDTH, Place
from test_tamper_live import Camera

from hub.events import Event
from hub.perception.kept_scene import GOOD_FOR_S, KeptScene
from hub.perception.live import LiveCamera


class Restarted(Camera):
    """A camera whose scene is kept, in one life of its worker after another."""

    def __init__(self, folder: Path, seed: int = 1) -> None:
        super().__init__(folder)
        self.file = folder / "scenes" / "hall.npz"
        self.begin(seed)

    def begin(self, seed: int, address: str = "rtsp://camera") -> None:
        """Its worker starts anew; `seed` draws what it looks at now."""
        self.place = Place(seed)
        self.camera = LiveCamera(
            self.spec, self.feed, self.camera.pictures, self.clock, self.pipeline,
            KeptScene(self.file, address),
        )  # fmt: skip


@pytest.fixture
async def known(tmp_path: Path) -> Restarted:
    """A camera that has known its scene for a while, before its worker starts again."""
    one = Restarted(tmp_path)
    assert await one.show(90) == []
    assert one.file.is_file()
    return one


def kinds(events: list[Event]) -> list[str]:
    """What was told, without `camera.`."""
    return [event.type.removeprefix("camera.") for event in events]


async def test_a_camera_that_shows_another_place_after_a_restart_is_told(known: Restarted) -> None:
    """Two addresses were swapped, or the camera was turned, while nobody watched."""
    known.begin(seed=2)
    (moved,) = await known.show(130)
    assert moved.type == "camera.moved"
    assert "another scene" in moved.data["reason"]
    known.begin(seed=2)
    assert kinds(await known.show(130)) == ["moved"], "nothing of it was learned meanwhile"


async def test_the_same_view_after_a_restart_is_no_news(known: Restarted) -> None:
    """Neither a restart nor a clock that is behind afterwards makes a camera strange."""
    known.begin(seed=1)
    assert await known.show(120) == []
    known.clock.set(known.clock.now() - timedelta(days=900))
    known.begin(seed=1)
    assert await known.show(40) == []
    assert kinds(await known.show(40, covered=True)) == ["covered"], "it is known at once"


async def test_another_address_in_the_configuration_may_show_another_place(
    known: Restarted,
) -> None:
    """Who writes another address into the file means another view."""
    known.begin(seed=2, address="rtsp://other")
    assert await known.show(130) == []


async def test_a_scene_of_long_ago_is_not_held_against_a_camera(known: Restarted) -> None:
    """After a day without the hub a view is learned anew."""
    await known.clock.advance(GOOD_FOR_S + 60)
    known.begin(seed=2)
    assert await known.show(130) == []


async def test_pictures_of_another_size_are_told(
    known: Restarted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can tell by them whether it is the same camera: a person looks, once."""
    for name in ("WIDTH", "HEIGHT"):
        monkeypatch.setattr(test_tamper_live, name, 200)
    monkeypatch.setattr(Place, "plane", lambda place, grey: grey[:200, :200].astype(np.uint8))
    moved, clear = await known.show(5)
    assert (moved.type, clear.type) == ("camera.moved", "camera.clear")
    assert f"200x200 pixels and had {WIDTH}x{HEIGHT}" in moved.data["reason"]
    assert known.camera.wrong == {}
    known.begin(seed=1)
    assert kinds(await known.show(90)) == ["moved", "clear"], "as after a restart"
    known.begin(seed=1)
    assert await known.show(90) == []


async def test_nothing_is_kept_of_what_nobody_may_look_at(known: Restarted) -> None:
    """Neither while it runs nor at a start does the scene outlive a mask or a private place."""
    corner = (((0.0, 0.0), (0.3, 0.0), (0.3, 0.3)),)
    for number, changes in enumerate(({"masks": corner}, {"private": True}) * 2):
        kept = known.file.read_bytes()
        spec = known.spec.model_copy(update=changes)
        if number < 2:
            known.camera.adopt(spec, known.pipeline)
            known.camera.work()
        else:
            known.spec, before = spec, known.spec
            known.begin(seed=1)
            await known.show(2)
            known.spec = before
        assert not known.file.exists()
        known.file.write_bytes(kept)


async def test_a_damaged_file_costs_nothing(known: Restarted) -> None:
    """It is learned anew, as if nothing had been kept."""
    for damaged in (b"", b"PK nonsense", known.file.read_bytes()[:-200]):
        known.file.write_bytes(damaged)
        known.begin(seed=2)
        assert await known.show(20) == []
    assert await known.show(70) == []
    known.begin(seed=2)
    assert await known.show(20) == []
