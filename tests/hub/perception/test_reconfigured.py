"""A worker under another configuration: the same process, the same stream, a new way of looking."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import simplejpeg
from test_worker import House, clip, house, playing

from hub.campus import Campus
from hub.config import CameraBlock, Config, DetectorBlock

__all__ = ["clip", "house"]

TWO_MINDS = """
from hub import Block, Detection, DetectorInfo, Driver, hookimpl

class Settings(Block):
    says: str = "person"

class Finder:
    def __init__(self, settings, context):
        self.info = DetectorInfo(
            "says " + settings.says, (settings.says,), (), "Apache-2.0", "", needs_pixels=False
        )
    def infer(self, crops):
        label = self.info.labels[0]
        return [[Detection(label, 0.9, tuple(map(float, r))) for r in c.regions] for c in crops]
    def close(self):
        pass

@hookimpl
def vestibule_detectors():
    return [Driver("finder", Finder, Settings, "Sees what it is told to")]
"""


def reconfigure(one: House, **changes: object) -> None:
    """Its configuration changes in these sections."""
    one.config = one.config.model_copy(update=changes)
    one.perception._config = one.config
    one.perception.reconfigure(one.config, Campus(one.config.places))


def cameras(config: Config, **changes: object) -> dict[str, CameraBlock]:
    """Every camera with these keys changed."""
    return {id_: each.model_copy(update=changes) for id_, each in config.cameras.items()}


def patient(one: House) -> None:
    """A machine that is busy elsewhere makes none of its cameras offline."""
    reconfigure(one, cameras=cameras(one.config, offline_after=60.0))


async def test_a_camera_looks_by_new_masks_without_being_opened_again(
    house: Callable[..., House], clip: Path
) -> None:
    """The counter of decoded pictures goes on, and what is masked now is black."""
    one = house("hall")
    patient(one)
    await one.perception.start({"hall": playing(clip)})
    await one.until(lambda: one.perception.cameras()["hall"].decoded > 5)
    worker, before = one.pid(), one.perception.cameras()["hall"].decoded
    whole = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    reconfigure(one, cameras=cameras(one.config, masks=(whole,)))

    def dark() -> bool:
        found = one.perception.snapshot("hall")
        return found is not None and bool(
            simplejpeg.decode_jpeg(found[0].read_bytes(), "GRAY").mean() < 25
        )

    await one.until(dark)
    assert one.pid() == worker
    assert one.perception.cameras()["hall"].decoded >= before
    await one.until(lambda: one.perception.cameras()["hall"].state == "online")
    assert one.of("camera.offline") == []


async def test_a_place_that_becomes_private_is_not_analysed_any_more(
    house: Callable[..., House], clip: Path
) -> None:
    """From the next picture on the gate is off, and nothing that was seen before is stored."""
    one = house("hall")
    await one.perception.start({"hall": playing(clip)})
    await one.until(lambda: bool(one.of("zone.entered")))
    hall = one.config.places["hall"].model_copy(update={"private": True})
    reconfigure(one, places={**one.config.places, "hall": hall})
    await one.until(lambda: one.perception.cameras()["hall"].gate == "private")
    seen = one.perception.cameras()["hall"].triggered
    decoded = one.perception.cameras()["hall"].decoded
    await one.until(lambda: one.perception.cameras()["hall"].decoded > decoded + 20)
    assert one.perception.cameras()["hall"].triggered == seen


async def test_a_camera_that_goes_is_let_go_and_may_come_back(
    house: Callable[..., House], clip: Path
) -> None:
    """The others do not notice; its picture is gone; the worker is the same."""
    one = house("hall", "yard")
    patient(one)
    await one.perception.start({"hall": playing(clip), "yard": playing(clip)})
    await one.until(lambda: all(c.state == "online" for c in one.perception.cameras().values()))
    worker, every = one.pid(), one.config.cameras
    reconfigure(one, cameras={"hall": every["hall"]})
    assert set(one.perception.cameras()) == {"hall"}
    assert one.perception.snapshot("yard") is None
    decoded = one.perception.cameras()["hall"].decoded
    await one.until(lambda: one.perception.cameras()["hall"].decoded > decoded + 5)
    reconfigure(one, cameras=every)
    await one.perception.add("yard", playing(clip))
    await one.until(lambda: one.perception.cameras()["yard"].state == "online")
    assert one.pid() == worker
    assert one.of("camera.offline") == []


async def test_detectors_are_exchanged_in_place(
    house: Callable[..., House], clip: Path, tmp_path: Path
) -> None:
    """What is seen next is seen by the new one; one whose settings are the same is kept; the stream
    and the process are the same.
    """
    (tmp_path / "my_plugins").mkdir()
    (tmp_path / "my_plugins" / "finder.py").write_text(TWO_MINDS)
    one = house("hall")
    await one.perception.start({"hall": playing(clip)})
    await one.until(lambda: "finder" in one.perception.detectors())
    worker = one.pid()
    for label in ("person", "car"):
        block = DetectorBlock(driver="finder", settings={"says": label})
        reconfigure(one, detectors={"finder": block})
        await one.until(
            lambda label=label: one.perception.detectors()["finder"]["name"] == f"says {label}"
        )
        await one.until(
            lambda label=label: any(e.data["label"] == label for e in one.of("zone.entered"))
        )
    counted = one.perception.detectors()["finder"]["inferred"]
    reconfigure(one, cameras=cameras(one.config, fps=4.0))
    await one.until(lambda: one.perception.detectors()["finder"]["inferred"] > counted)
    assert one.pid() == worker
    await one.until(lambda: one.perception.cameras()["hall"].state == "online")


async def test_a_detector_that_cannot_be_built_leaves_a_guess_and_says_so(
    house: Callable[..., House], clip: Path
) -> None:
    """A reload is no way to lose the eyes."""
    one = house("hall")
    await one.perception.start({"hall": playing(clip)})
    await one.until(lambda: bool(one.perception.detectors()))
    reconfigure(one, detectors={"finder": DetectorBlock(driver="nobody")})
    await one.until(lambda: "nobody" in str(one.perception.detectors()["finder"]["reason"]))
    assert one.perception.detectors()["finder"]["guessing"]
    await one.until(lambda: bool(one.of("zone.entered")))


async def test_a_worker_that_dies_in_between_starts_by_the_new_configuration(
    house: Callable[..., House], clip: Path
) -> None:
    """What it could not be told it is given at its next start."""
    one = house("hall", "yard")
    await one.perception.start({"hall": playing(clip), "yard": playing(clip)})
    await one.until(lambda: all(c.state == "online" for c in one.perception.cameras().values()))
    one.supervisor.kill("perception")
    reconfigure(one, cameras={"hall": one.config.cameras["hall"]})
    await one.until(lambda: bool(one.of("process.died")))
    await one.until(lambda: one.perception.cameras()["hall"].decoded > 0)
    await one.until(lambda: one.perception.cameras()["hall"].state == "online")
    assert set(one.perception.cameras()) == {"hall"}
