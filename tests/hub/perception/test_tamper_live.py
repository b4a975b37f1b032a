"""From a covered lens to the event, the health report and their end; what is private stays so."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from tamper_scenes import HEIGHT, WIDTH, Place, Plane

import hub.perception.crew as crew
from hub.clock import SystemClock, from_iso
from hub.config import CameraBlock, Config, DetectorBlock, HubSettings
from hub.config import Place as PlaceBlock
from hub.events import EVENT_TYPES, Event
from hub.kinds.cameras import VideoSource
from hub.kinds.detectors import DetectorInfo
from hub.perception.feed import Feed, Packet, Session
from hub.perception.live import LiveCamera
from hub.perception.pictures import Pictures
from hub.perception.pipeline import CameraPipeline
from hub.perception.spec import CameraSpec
from hub.perception.workers import Perception
from hub.supervisor import Supervisor
from hub.testing import FakeClock
from tests.clips import encoded

GUESS = DetectorInfo("guess", ("person",), (), "Apache-2.0", "", needs_pixels=False, guessing=True)
HURRIED = Path(__file__).with_name("hurried_worker.py")


def planes(place: Place, count: int, covered: bool) -> Iterator[Plane]:
    """The usual view, or a hand before it."""
    hand = np.full((HEIGHT, WIDTH), 120, np.float32)
    for _ in range(count):
        yield place.plane(hand if covered else place.view())


def packets(pictures: Iterator[Plane]) -> Iterator[tuple[Any, Any]]:
    """Encoded pictures, each a key frame, with a decoder for them."""
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
    encoder.time_base = Fraction(1, 10)
    decoder = av.CodecContext.create("mjpeg", "r")
    for plane in pictures:
        picture = av.VideoFrame.from_ndarray(plane, format="gray").reformat(format="yuvj420p")
        for packet in encoder.encode(picture):
            yield av.Packet(bytes(packet)), decoder


class Camera:
    """A live camera on a clock of the test's, given packets by hand."""

    def __init__(self, folder: Path, **changes: object) -> None:
        self.clock = FakeClock()
        self.place = Place(1)
        given = {"id": "hall", "slot": 0, "place": "hall", "fps": 2.0, "source": VideoSource("")}
        self.spec = CameraSpec.model_validate({**given, **changes})
        self.feed = Feed("hall", self.spec.source, self.clock)
        pictures = Pictures(folder / "run" / "hall.jpg", folder / "media")
        self.media = folder / "media"
        self.camera = LiveCamera(self.spec, self.feed, pictures, self.clock, self.pipeline)
        self.sessions = 0
        self.told: list[Event] = []

    def pipeline(self, size: tuple[int, int]) -> CameraPipeline:
        """The real one."""
        return CameraPipeline("hall", size, 2.0, GUESS, masks=self.camera.spec.masks)

    async def show(self, seconds: float, covered: bool = False) -> list[Event]:
        """Two pictures a second; what was told of them, zones aside."""
        self.sessions += 1
        events: list[Event] = []
        for data, decoder in packets(planes(self.place, round(2 * seconds), covered)):
            await self.clock.advance(0.5)
            now = self.clock.monotonic()
            session = Session(self.sessions, decoder)
            self.feed.queue.put(Packet(session, data, now, 0.0, data.size, True))
            events += self.camera.work().events
        self.told += [event for event in events if event.type.startswith("camera.")]
        assert self.camera.counters.faults == 0, self.camera.fault
        return [event for event in events if event.type.startswith("camera.")]


async def test_a_full_disk_costs_the_picture_and_not_the_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wrong with a camera is told without a picture where none can be kept."""
    one = Camera(tmp_path)
    await one.show(90)

    def full(jpeg: bytes) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(one.camera.pictures, "store", full)
    with pytest.raises(AssertionError, match="No space left"):
        await one.show(40, covered=True)
    assert one.told[-1].type == "camera.covered"
    assert one.told[-1].data["picture"] == ""


async def test_a_covered_camera_tells_where_and_since_when_with_a_picture(tmp_path: Path) -> None:
    """The event names camera and place, and says in words what is seen; so does its end."""
    one = Camera(tmp_path)
    assert await one.show(90) == []
    began = one.clock.now()
    (covered,) = await one.show(40, covered=True)
    assert (covered.type, covered.source, covered.subject) == (
        "camera.covered", "camera/hall", "hall",
    )  # fmt: skip
    assert set(covered.data) == {"camera", "place", "since", "reason", "picture"}
    assert abs(from_iso(covered.data["since"]) - began) < timedelta(seconds=6)
    assert timedelta(seconds=10) < covered.time - began < timedelta(seconds=25)
    assert "lens" in covered.data["reason"]
    assert (one.media / covered.data["picture"]).stat().st_size > 500
    assert (one.camera.gate, list(one.camera.wrong)) == ("covered", ["covered"])

    (clear,) = await one.show(40)
    assert (clear.type, clear.data["ended"]) == ("camera.clear", "covered")
    assert clear.data["since"] == covered.data["since"]
    assert (one.camera.gate, one.camera.wrong) == ("watching", {})


async def test_an_exchanged_detector_does_not_forget_the_scene(tmp_path: Path) -> None:
    """A fresh pipeline begins to look, and the cover is still a cover."""
    one = Camera(tmp_path)
    await one.show(90)
    await one.show(30, covered=True)
    one.camera.begin_anew()
    assert await one.show(30, covered=True) == []
    assert [event.data["ended"] for event in await one.show(30)] == ["covered"]


@pytest.mark.parametrize(
    "changes", [{"private": True}, {"masks": (((0.0, 0.0), (0.3, 0.0), (0.3, 0.3)),)}]
)
async def test_other_masks_or_privacy_end_what_stands(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    """What is no longer looked at, or looks different by decree, is not called wrong."""
    one = Camera(tmp_path)
    await one.show(90)
    await one.show(30, covered=True)
    one.camera.adopt(one.spec.model_copy(update=changes), one.pipeline)
    (clear,) = await one.show(10, covered=True)
    assert (clear.type, clear.data["ended"]) == ("camera.clear", "covered")
    assert "picture" not in clear.data
    assert one.camera.wrong == {}


async def test_a_camera_that_is_opened_afresh_ends_what_stands(tmp_path: Path) -> None:
    """Whoever was told of a cover is told that it is over, once, and with no picture."""
    one = Camera(tmp_path)
    await one.show(90)
    assert one.camera.end("it is opened afresh") == []
    await one.show(90)
    await one.show(30, covered=True)
    (clear,) = one.camera.end("it is opened afresh")
    assert (clear.type, clear.data["ended"]) == ("camera.clear", "covered")
    assert "afresh" in clear.data["reason"]
    assert one.camera.end("it is opened afresh") == []


async def test_a_private_place_is_not_watched_for_tampering(tmp_path: Path) -> None:
    """Private places stay private: pictures are shown there, never compared."""
    one = Camera(tmp_path, private=True)
    assert await one.show(90) == []
    assert await one.show(60, covered=True) == []
    assert one.camera.gate == "private"


def make_clip(path: Path) -> VideoSource:
    """Six seconds of the usual view, then two with a hand before the lens, over and over."""
    place = Place(1)
    shown = [*planes(place, 60, False), *planes(place, 20, True)]
    encoded(path, shown, 10, "mjpeg", "yuvj420p", drawn="gray")
    return VideoSource(str(path), "file", loop=True)


class House:
    """A perception with one camera, whose worker is in a hurry."""

    def __init__(self, folder: Path) -> None:
        self.events: list[Event] = []
        self.config = Config(
            hub=HubSettings(plugins_dir=Path("my_plugins")),
            places={"hall": PlaceBlock(name="Hall", kind="room")},
            cameras={"hall": CameraBlock(driver="file", place="hall", fps=10, offline_after=60)},
            detectors={"finder": DetectorBlock(driver="motion")},
        )
        clock = SystemClock()
        self.supervisor = Supervisor(clock, self.accept, first_delay=0.1)
        self.perception = Perception(
            self.config, None, folder / "state", clock, self.accept, self.supervisor,
            config_folder=folder,
        )  # fmt: skip

    async def accept(self, *events: Event) -> None:
        """The journal."""
        self.events.extend(events)

    def of(self, kind: str) -> list[Event]:
        """Events of a type."""
        return [event for event in self.events if event.type == kind]

    def stands(self) -> bool:
        """Whether it was told that the camera is covered, and not yet that it no longer is."""
        return len(self.of("camera.covered")) > len(self.of("camera.clear"))

    def worker(self) -> int:
        """The worker's process id."""
        return next(v["pid"] for v in self.supervisor.views() if v["name"] == "perception")

    async def until(self, condition: Any, within: float = 90.0) -> None:
        """Wait for something, or fail showing how the camera is."""
        try:
            async with asyncio.timeout(within):
                while not condition():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pytest.fail(f"{self.perception.cameras()} {[e.type for e in self.events]}")


async def test_a_covered_camera_is_told_through_a_worker_and_its_death(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Event, health in words, end; a worker that dies meanwhile, even before its health tells,
    leaves nothing standing and says nothing twice."""
    prepare = crew.Crew.prepare

    def hurried(self: crew.Crew) -> Any:
        launch = prepare(self)
        python, _, _, _, *rest = launch.argv
        return dataclasses.replace(
            launch, argv=(python, str(HURRIED), *rest),
            env={**launch.env, "PYTHONPATH": str(HURRIED.parents[3])},
        )  # fmt: skip

    monkeypatch.setattr(crew.Crew, "prepare", hurried)
    source = make_clip(tmp_path / "hall.mkv")
    house = House(tmp_path)
    try:
        await house.perception.start({"hall": source})
        await house.until(lambda: house.of("camera.covered"))
        first = house.of("camera.covered")[0]
        assert (first.data["camera"], first.data["place"]) == ("hall", "hall")
        await house.until(lambda: house.perception.cameras()["hall"].gate == "covered")
        assert "lens" in house.perception.cameras()["hall"].reason
        await house.until(lambda: house.of("camera.clear"))
        await house.until(lambda: house.perception.cameras()["hall"].reason == "")

        for _ in range(3):  # on a busy machine the hand may be gone again before the worker is
            await house.until(house.stands)
            os.kill(house.worker(), signal.SIGKILL)
            await house.until(lambda: not house.stands())
            if "worker" in house.of("camera.clear")[-1].data["reason"]:
                break
        assert "worker" in house.of("camera.clear")[-1].data["reason"]
        assert len(house.of("camera.clear")) == len(house.of("camera.covered"))
        assert {event.type for event in house.events} <= set(EVENT_TYPES)
    finally:
        await house.perception.stop()
        await house.supervisor.stop()
