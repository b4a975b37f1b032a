"""Worker processes, real ones: events, pictures, deaths, and what is never shown."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

import hub.perception.workers as workers
from hub.clock import SystemClock
from hub.config import CameraBlock, Config, DetectorBlock, HubSettings, Place
from hub.events import Event
from hub.kinds.cameras import VideoSource
from hub.perception.workers import Perception
from hub.supervisor import Supervisor
from tests.clips import encoded

FIRST = 60.0  # a worker takes three seconds of processor time to come up


def make_clip(path: Path, size: tuple[int, int] = (320, 240), seconds: float = 5) -> Path:
    """A wall, and soon a tall box that walks across it and away."""
    width, height = size
    rng = np.random.default_rng(5)
    wall = np.kron(rng.integers(60, 170, (height // 8, width // 8, 3)), np.ones((8, 8, 1)))
    pictures = []
    for number in range(int(seconds * 10)):
        picture = wall.astype(np.uint8)
        x = (number - 4) * 6
        if 0 <= x < width - 50:
            picture[height // 4 : height // 4 + 110, x : x + 44] = (235, 50, 50)
        pictures.append(picture)
    return encoded(path, pictures, 10, g="10", bf="0", preset="ultrafast")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Someone walks through."""
    return make_clip(tmp_path_factory.mktemp("clips") / "walk.mp4")


class House:
    """A supervisor, a perception and what they reported; its journal can be made to fail."""

    def __init__(self, folder: Path, cameras: list[str], **detector: object) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.events: list[Event] = []
        self.asked: list[str] = []
        self.journal_fails = 0
        self.config = Config(
            hub=HubSettings(plugins_dir=Path("my_plugins")),
            places={
                "hall": Place(name="Hall", kind="room"),
                "toilet": Place(name="Toilet", kind="room", private=True),
            },
            cameras={
                name: CameraBlock(
                    driver="file",
                    place="toilet" if name == "private" else "hall",
                    offline_after=1.5,
                )
                for name in cameras
            },
            detectors={"finder": DetectorBlock(driver="motion", **detector)},
        )
        clock = SystemClock()
        self.supervisor = Supervisor(clock, self.accept, first_delay=0.1)
        self.perception = Perception(
            self.config, None, self.state, clock, self.accept, self.supervisor, config_folder=folder
        )

    async def accept(self, *events: Event) -> None:
        """The journal: pictures must be on the disk before it hears of them."""
        for event in events:
            if picture := event.data.get("picture"):
                self.asked.append(event.id)
                assert (self.state / "media" / picture).stat().st_size > 500
        if self.journal_fails and events[0].type.startswith("zone"):
            self.journal_fails -= 1
            raise OSError("disk full")
        self.events.extend(events)

    def of(self, kind: str) -> list[Event]:
        """Events of a type."""
        return [event for event in self.events if event.type == kind]

    def pid(self, name: str = "perception") -> int:
        """The worker's process id."""
        return next(view["pid"] for view in self.supervisor.views() if view["name"] == name)

    async def until(self, condition: Callable[[], object], within_s: float = FIRST) -> None:
        """Wait for something, or fail showing how the cameras are."""
        try:
            async with asyncio.timeout(within_s):
                while not condition():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pytest.fail(f"{self.perception.cameras()} {[e.type for e in self.events]}")

    async def stop(self) -> None:
        """End it in the hub's order."""
        await self.perception.stop()
        await self.supervisor.stop()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Callable[..., House]]:
    """Makes houses and stops them."""
    made: list[House] = []

    def make(*cameras: str, **detector: object) -> House:
        made.append(House(tmp_path, list(cameras), **detector))
        return made[-1]

    yield make
    for one in made:
        await one.stop()


def playing(clip: Path, **more: str) -> VideoSource:
    """The clip as a camera."""
    return VideoSource(str(clip), "file", loop=True, **more)


def fresh(snapshot: tuple[Path, datetime] | None) -> bool:
    """Whether there is a picture that was written just now."""
    return snapshot is not None and time.time() - snapshot[1].timestamp() < 5


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_somebody_walking_by_becomes_an_event_with_its_picture(
    house: Callable[..., House], clip: Path
) -> None:
    """And pictures from before and after are kept on request; nothing secret leaves the socket."""
    one = house("hall", "private")
    source = playing(clip, username="bob", password="hunter2secret")
    await one.perception.start({"hall": source, "private": source})
    await one.until(lambda: one.of("zone.entered"))
    event = one.of("zone.entered")[0]
    assert event.source == "camera/hall"
    assert set(event.data) == {
        "camera", "place", "zone", "track", "label", "score", "box", "frame", "picture", "guessing",
    }  # fmt: skip
    assert (event.data["frame"], event.data["guessing"]) == ([320, 240], True)
    for name in ("cmdline", "environ"):
        assert b"hunter2secret" not in Path(f"/proc/{one.pid()}/{name}").read_bytes()

    await one.perception.keep("hall", "i1", event.time, [-0.8, 1.0])
    await one.until(lambda: len(one.of("picture.saved")) == 2)
    saved = one.of("picture.saved")
    assert [e.data["offset_s"] for e in saved] == [-0.8, 1.0]
    assert {e.data["incident"] for e in saved} == {"i1"}
    for each, offset in zip(saved, (-0.8, 1.0), strict=True):
        assert abs((each.time - event.time).total_seconds() - offset) < 0.7

    counters = one.perception.cameras()
    assert counters["hall"].state == "online"
    assert counters["hall"].detector == "guessing from motion"
    assert counters["hall"].triggered > 0
    await one.until(lambda: fresh(one.perception.snapshot("hall")))
    assert one.perception.first_picture is not None

    private = counters["private"]
    assert private.decoded > 0, "private places stay private: shown, never analysed"
    assert (private.triggered, private.inferred, private.gate) == (0, 0, "private")
    assert {e.subject for e in one.events if e.type.startswith("zone.")} == {"hall"}


async def test_a_killed_worker_comes_back_and_its_events_flow_again(
    house: Callable[..., House], clip: Path
) -> None:
    """kill -9: process.died, a new process, counters that go on, and new zone events."""
    one = house("hall")
    await one.perception.start({"hall": playing(clip)})
    await one.until(lambda: one.of("zone.entered"))
    first, decoded = one.pid(), one.perception.cameras()["hall"].decoded
    os.kill(first, signal.SIGKILL)
    await one.until(lambda: one.of("process.died"))
    seen = len(one.of("zone.entered"))
    await one.until(lambda: len(one.of("zone.entered")) > seen)
    assert one.pid() != first
    assert one.perception.cameras()["hall"].decoded > decoded
    assert not alive(first)
    last, began = one.pid(), time.monotonic()
    await one.stop()
    assert time.monotonic() - began < 20
    assert not alive(last)


async def test_an_event_is_journaled_once_however_often_the_journal_fails(
    house: Callable[..., House], clip: Path
) -> None:
    """It is tried again until it is in, and never twice."""
    one = house("hall")
    one.journal_fails = 3
    await one.perception.start({"hall": playing(clip)})
    await one.until(lambda: one.of("zone.entered"))
    first = one.of("zone.entered")[0]
    assert one.asked.count(first.id) == 4
    assert one.perception.cameras()["hall"].inferred > 0
    ids = [event.id for event in one.events]
    assert len(ids) == len(set(ids))
    clear = {"depth": 0, "dropped": 0, "refused": 0}
    await one.until(lambda: one.perception.queues()["perception"] == clear, 3)


async def test_a_silent_worker_makes_its_cameras_offline_and_back(
    house: Callable[..., House], clip: Path
) -> None:
    """Fail visible: the judgement is the hub's, so a frozen worker counts as a dark camera."""
    one = house("hall")
    await one.perception.start({"hall": playing(clip)})
    await one.until(lambda: one.perception.cameras()["hall"].state == "online")
    os.kill(one.pid(), signal.SIGSTOP)
    await one.until(lambda: one.of("camera.offline"), 5)
    assert one.of("camera.offline")[0].data["silent_s"] >= 1.5
    assert one.perception.cameras()["hall"].state == "offline"
    os.kill(one.pid(), signal.SIGCONT)
    await one.until(lambda: one.of("camera.online"))


async def test_a_camera_that_never_showed_a_picture_goes_offline_with_its_reason(
    house: Callable[..., House], tmp_path: Path, clip: Path
) -> None:
    """The reason names what is wrong; the other camera is not disturbed."""
    one = house("dark", "hall")
    gone = tmp_path / "gone.mp4"
    await one.perception.start({"dark": playing(gone), "hall": playing(clip)})
    await one.until(lambda: one.perception.cameras()["hall"].state == "online")
    await one.until(lambda: one.of("camera.offline"))
    await one.until(lambda: str(gone) in one.perception.cameras()["dark"].reason)
    assert one.perception.cameras()["hall"].state == "online"
    other = make_clip(tmp_path / "other.mp4", seconds=1)
    await one.perception.add("dark", playing(other))
    await one.until(lambda: one.perception.cameras()["dark"].state == "online")


HUB = """
import asyncio, json, sys
from pathlib import Path
from hub.clock import SystemClock
from hub.config import CameraBlock, Config, Place
from hub.kinds.cameras import VideoSource
from hub.perception.workers import Perception
from hub.supervisor import Supervisor

async def main():
    async def accept(*events):
        pass
    clock = SystemClock()
    config = Config(
        places={"hall": Place(name="Hall", kind="room")},
        cameras={"hall": CameraBlock(driver="file", place="hall")},
    )
    supervisor = Supervisor(clock, accept)
    house = Perception(config, None, Path(sys.argv[1]), clock, accept, supervisor)
    await house.start({"hall": VideoSource(sys.argv[2], "file", loop=True)})
    while house.cameras()["hall"].state != "online":
        await asyncio.sleep(0.05)
    print(supervisor.views()[1]["pid"], flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_no_worker_outlives_a_killed_hub(tmp_path: Path, clip: Path) -> None:
    """kill -9 of the hub ends its workers at once."""
    hub = subprocess.Popen(
        [sys.executable, "-c", HUB, str(tmp_path / "state"), str(clip)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert hub.stdout is not None
    worker = int(await asyncio.to_thread(hub.stdout.readline))
    assert alive(worker)
    hub.kill()
    hub.wait()
    hub.stdout.close()
    began = time.monotonic()
    while alive(worker):
        assert time.monotonic() - began < 20
        await asyncio.sleep(0.01)


PLUGIN = """
import os, time
from hub import Block, Detection, DetectorInfo, Driver, hookimpl

class Settings(Block):
    mood: str

class Moody:
    def __init__(self, settings, context):
        self.mood = settings.mood
        if self.mood == "broken":
            raise RuntimeError("its licence has run out")
    info = DetectorInfo("moody", ("person",), (), "Apache-2.0", "", needs_pixels=False)
    def infer(self, crops):
        if crops[0].frame_size == (160, 120):
            if self.mood == "deadly":
                os.abort()
            if self.mood == "stuck":
                time.sleep(3600)
        if self.mood == "raising":
            raise ValueError("not today")
        return [[Detection("person", 0.9, tuple(map(float, r))) for r in c.regions] for c in crops]
    def close(self):
        pass

@hookimpl
def vestibule_detectors():
    return [Driver("moody", Moody, Settings, "for tests")]
"""


def moody(folder: Path, mood: str) -> dict[str, object]:
    """The block of a detector from a file in the plugins folder."""
    (folder / "my_plugins").mkdir()
    (folder / "my_plugins" / "moody.py").write_text(PLUGIN)
    return {"driver": "moody", "settings": {"mood": mood}}


REACHING_IN = """
import os, time
from plugins.detectors._guess import MotionGuess

def infer(self, crops, before=MotionGuess.infer):
    if crops[0].frame_size == (160, 120):
        END
    return before(self, crops)

MotionGuess.infer = infer
"""


def break_the_built_in_detector(folder: Path, end: str) -> None:
    """Have a module of the plugins folder reach into a detector that runs in the worker."""
    (folder / "my_plugins").mkdir()
    (folder / "my_plugins" / "reaching_in.py").write_text(REACHING_IN.replace("END", end))


async def test_a_camera_that_keeps_killing_its_worker_gets_one_of_its_own(
    house: Callable[..., House], tmp_path: Path, clip: Path
) -> None:
    """After three deaths it is set apart and reported, and the other camera goes on."""
    small = make_clip(tmp_path / "small.mp4", (160, 120))
    one = house("bad", "hall")
    break_the_built_in_detector(tmp_path, "os.abort()")
    await one.perception.start({"bad": playing(small), "hall": playing(clip)})
    await one.until(lambda: one.of("plugin.failed"))
    assert one.of("plugin.failed")[0].subject == "bad"
    assert len(one.of("process.died")) <= 4
    assert all(e.data["reason"] == "killed by SIGABRT" for e in one.of("process.died"))
    seen = len(one.of("zone.entered"))
    await one.until(lambda: one.of("zone.entered")[seen:])
    assert one.of("zone.entered")[-1].subject == "hall"
    cameras = one.perception.cameras()
    assert (cameras["bad"].worker, cameras["hall"].worker) == ("perception-bad", "perception")
    await one.stop()


async def test_a_detector_that_hangs_is_killed_with_its_worker(
    house: Callable[..., House], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub notices, says so and starts afresh."""
    monkeypatch.setattr(workers, "STUCK_AFTER_S", 1.0)
    small = make_clip(tmp_path / "small.mp4", (160, 120))
    one = house("bad")
    break_the_built_in_detector(tmp_path, "time.sleep(3600)")
    await one.perception.start({"bad": playing(small)})
    await one.until(lambda: one.of("process.died"))
    assert one.of("process.died")[0].data["reason"] == "killed by SIGKILL"
    await one.stop()


@pytest.mark.parametrize(
    ("mood", "reason"),
    [
        ("raising", "quarantined after 5 errors in a row; last: ValueError: not today"),
        ("broken", "RuntimeError: its licence has run out"),
    ],
)
async def test_a_detector_that_raises_is_survived_counted_and_shown(
    house: Callable[..., House], tmp_path: Path, clip: Path, mood: str, reason: str
) -> None:
    """What raises on every picture is named; a guess takes its place, as where one cannot start."""
    one = house("hall")
    one.config.detectors["finder"] = DetectorBlock.model_validate(moody(tmp_path, mood))
    await one.perception.start({"hall": playing(clip)})
    await one.until(
        lambda: (
            reason in one.perception.detectors().get("finder", {}).get("reason", "")
            and one.perception.detectors()["finder"]["guessing"]
        )
    )
    assert one.perception.detectors()["finder"]["name"] == "guessing from motion"
    if mood == "raising":
        told = [event.data["what"] for event in one.of("plugin.misbehaved")]
        slow = {"hangs"}  # building it takes that long on a busy machine
        assert [what for what in told if what not in slow] == ["raises", "is quarantined"]
    decoded = one.perception.cameras()["hall"].decoded
    await one.until(lambda: one.perception.cameras()["hall"].decoded > decoded)
    assert json.dumps(one.perception.detectors())
    assert not one.of("process.died")
    await one.stop()


def misbehaved(house: House) -> list[Event]:
    """What detectors did wrong once they were there: building one takes long on a busy machine."""
    told = house.of("plugin.misbehaved")
    return [each for each in told if not each.data["reason"].startswith("building it")]


@pytest.mark.parametrize(("mood", "what"), [("deadly", "dies"), ("stuck", "hangs")])
async def test_a_detector_from_outside_takes_no_camera_along(
    house: Callable[..., House], tmp_path: Path, clip: Path, mood: str, what: str
) -> None:
    """One that dies or hangs is named within five seconds, with its plugin; the worker and the
    camera beside it do not notice."""
    small = make_clip(tmp_path / "small.mp4", (160, 120))
    one = house("bad", "hall")
    one.config.detectors["moody"] = DetectorBlock.model_validate(moody(tmp_path, mood))
    one.config.cameras["bad"] = one.config.cameras["bad"].model_copy(update={"detector": "moody"})
    await one.perception.start({"bad": playing(small), "hall": playing(clip)})
    await one.until(lambda: one.perception.detectors().get("moody", {}).get("name") == "moody")
    await one.until(lambda: misbehaved(one))
    (first, *_) = misbehaved(one)
    assert (first.subject, first.data["plugin"], first.data["what"]) == ("moody", "moody", what)
    seen = len(one.of("zone.entered"))
    await one.until(lambda: one.of("zone.entered")[seen:])
    assert not one.of("process.died")
    if mood == "deadly":
        # five lives, each of which begins with building it
        await one.until(lambda: one.perception.detectors()["moody"]["quarantine"], 150)
        assert one.perception.detectors()["moody"]["guessing"]
        assert not one.of("process.died")
    await one.stop()
