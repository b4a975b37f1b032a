"""Detectors from outside in processes of their own: what they do wrong stays there and is named."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hub.clock import SystemClock
from hub.config import Config, DetectorBlock
from hub.errors import ModelError, NotReady, PluginError
from hub.kinds import Context
from hub.kinds.detectors import Crop, Detection
from hub.perception import apart as apart_module
from hub.perception.apart import DetectorApart
from hub.perception.crossing import SHARED, Build, batches
from hub.perception.detectors import Detectors
from hub.perception.spec import CameraSpec, DetectorSpec, WorkerSpec, detector_specs
from hub.plugins import load_registry

EYE = """
import os, time
from pathlib import Path
from hub import Block, Detection, DetectorInfo, Driver, ModelError, hookimpl

class Config(Block):
    shade: int = 0

class Eye:
    def __init__(self, config, context):
        self.shade = config.shade
        self.file = context.config_folder / "mood"
        MADE
    info = DetectorInfo("eye", ("person",), (192, 416), "MIT", "0")
    def infer(self, crops):
        mood = self.file.read_text() if self.file.exists() else ""
        scope = {}
        exec(mood, globals(), scope)
        if "found" in scope:
            return scope["found"]
        return [[Detection("person", 0.5, crop.box)] if crop.image.min() == self.shade else []
                for crop in crops]
    def close(self):
        (self.file.parent / "closed").write_text("yes")

@hookimpl
def vestibule_detectors():
    return [Driver("eye", Eye, Config, "Looks")]
"""


class Told(list[tuple[str, str, str]]):
    """What was said of the plugin."""

    def __call__(self, plugin: str, what: str, why: str) -> None:
        self.append((plugin, what, why))

    def whats(self) -> list[str]:
        return [what for _, what, _ in self]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def begin(
    tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., DetectorApart]]:
    """Make the detector in a process of its own; every one is closed at the end. On a busy machine
    it may take long until it is built, which is not what these tests are about."""
    monkeypatch.setattr(apart_module, "SLOW_AFTER_S", 25.0)
    made = []

    def new(made_with: str = "pass", **settings: Any) -> DetectorApart:
        plugin(tmp_path, made_with)
        provider = load_registry(tmp_path / "plugins").provider("detectors", "eye")
        assert provider is not None
        context = Context(
            name="hall", clock=SystemClock(), state=tmp_path, cache=tmp_path, config_folder=tmp_path
        )
        build = Build.of(provider, "eye", settings, context)
        made.append(DetectorApart(build, SystemClock(), told))
        return made[-1]

    yield new
    for each in made:
        each.close()


def plugin(folder: Path, made_with: str = "pass") -> None:
    (folder / "plugins").mkdir(exist_ok=True)
    (folder / "plugins" / "eye.py").write_text(EYE.replace("MADE", made_with))


def crop(shade: int = 0, size: tuple[int, int] = (40, 30)) -> Crop:
    width, height = size
    image = np.full((height, width, 3), shade, np.uint8)
    return Crop(image, (5, 6, 5 + width, 6 + height), (640, 360), np.zeros((0, 4), np.int32), 192)


def until(done: Callable[[], object], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def mood(folder: Path, code: str) -> None:
    (folder / "mood").write_text(code)


def test_it_sees_what_a_detector_in_the_worker_sees(begin: Callable[..., DetectorApart]) -> None:
    """Settings, description, pixels of views that lie apart in memory, boxes: all arrive."""
    eye = begin(shade=7)
    eye.wait()
    assert (eye.info.labels, eye.info.input_sizes) == (("person",), (192, 416))
    wide = np.zeros((60, 80, 3), np.uint8)
    wide[::2] = 7
    striped = Crop(wide[::2], (0, 0, 80, 30), (640, 360), np.ones((3, 4), np.int32))
    seen = eye.infer([crop(7), crop(8), striped])
    assert seen == [
        [Detection("person", 0.5, (5.0, 6.0, 45.0, 36.0))], [],
        [Detection("person", 0.5, (0.0, 0.0, 80.0, 30.0))],
    ]  # fmt: skip
    assert eye.infer([]) == []


def test_it_is_closed_and_its_process_ends(
    begin: Callable[..., DetectorApart], tmp_path: Path
) -> None:
    """`close` reaches the detector, and nothing is told of an end that was asked for."""
    eye = begin()
    eye.wait()
    process = eye._process
    assert process is not None
    eye.close()
    until(lambda: process.poll() is not None)
    assert (tmp_path / "closed").read_text() == "yes"
    with pytest.raises(NotReady):
        eye.infer([crop()])


def test_more_than_fits_goes_in_parts() -> None:
    """Crops that do not fit into the shared memory together are asked for one after the other."""
    half = np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (SHARED // 6 // 1024, 1024, 3))
    some = [Crop(half, (0, 0, 1, 1), (1, 1), np.zeros((0, 4), np.int32)) for _ in range(5)]
    assert [len(each) for each in batches(some)] == [2, 2, 1]
    whole = np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (SHARED // 1024, 1024, 3))
    with pytest.raises(ValueError, match="is larger than"):
        batches([Crop(whole, (0, 0, 1, 1), (1, 1), np.zeros((0, 4), np.int32))])


def test_what_its_factory_raises_is_told_as_it_is(begin: Callable[..., DetectorApart]) -> None:
    """A model that cannot be used is the user's to mend, so the words arrive."""
    with pytest.raises(ModelError, match=r"^no such model$"):
        begin("raise ModelError('no such model')").wait()
    with pytest.raises(PluginError, match=r"^RuntimeError: not today$"):
        begin("raise RuntimeError('not today')").wait()


def test_one_that_dies_is_named_and_comes_back(
    begin: Callable[..., DetectorApart], tmp_path: Path, told: Told
) -> None:
    """A fault in native code ends its process: named at once, and soon it looks again."""
    eye = begin()
    eye.wait()
    mood(tmp_path, "os.abort()")
    with pytest.raises(NotReady, match="its process has ended"):
        eye.infer([crop()])
    until(lambda: told)
    assert told[0] == ("eye", "dies", "hall: its process ended (SIGABRT)")
    mood(tmp_path, "")
    until(lambda: eye._connection is not None)
    assert len(eye.infer([crop()])[0]) == 1


def test_one_that_dies_unasked_is_named(begin: Callable[..., DetectorApart], told: Told) -> None:
    """Nobody has to ask it anything for its death to be noticed."""
    eye = begin("import threading; threading.Timer(0.3, lambda: os._exit(4)).start()")
    eye.wait()
    until(lambda: told)
    assert told[0] == ("eye", "dies", "hall: its process ended (exit status 4)")


def test_one_that_hangs_is_named_and_ended(
    begin: Callable[..., DetectorApart], tmp_path: Path, told: Told,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """It is named while it hangs, killed at the deadline, and looks again afterwards."""
    monkeypatch.setattr(apart_module, "SLOW_AFTER_S", 0.3)
    eye = begin()
    eye.wait()
    told.clear()
    monkeypatch.setattr(apart_module, "ANSWERS_WITHIN_S", 0.6)
    mood(tmp_path, "while True: pass")
    with pytest.raises(NotReady, match=r"a look at pictures did not end within 0\.6 s"):
        eye.infer([crop()])
    assert told[0] == ("eye", "hangs", "hall: a look at pictures has taken 0.3 s so far")
    mood(tmp_path, "")
    until(lambda: len(told) > 1)
    assert told[1] == ("eye", "hangs", "hall: a look at pictures did not end within 0.6 s")
    monkeypatch.setattr(apart_module, "ANSWERS_WITHIN_S", 20.0)
    until(lambda: eye._connection is not None)
    assert len(eye.infer([crop()])[0]) == 1


def test_one_that_had_no_processor_is_given_that_time(
    begin: Callable[..., DetectorApart], tmp_path: Path, told: Told,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Where Linux says that it waited for a processor, its answer is waited for, and is good."""
    eye = begin()
    eye.wait()
    told.clear()
    monkeypatch.setattr(apart_module, "SLOW_AFTER_S", 0.1)
    monkeypatch.setattr(apart_module, "ANSWERS_WITHIN_S", 0.2)
    waited = iter((5.0, 25.0))
    monkeypatch.setattr(apart_module, "waited_s", lambda pid: next(waited))
    mood(tmp_path, "import time; time.sleep(0.5)")
    assert len(eye.infer([crop()])[0]) == 1
    assert [what for _, what, _ in told] == ["hangs"]


@pytest.mark.parametrize(
    ("does", "what", "why"),
    [
        ("found = []", "is not understood", "expected a list for each of 1 crops, found 0"),
        ("found = [[Detection('person', 0.5, (1, 2))]]", "is not understood", "expected 4"),
        ("found = [[Detection('x' * 5_000_000, 1, (1, 2, 3, 4))]]", "floods", "more than 1 MiB"),
        ("found = [[Detection('a', 1, (1, 2, 3, 4))] * 1001]", "is not understood", "1000"),
    ],
)
def test_nonsense_is_no_detection(
    begin: Callable[..., DetectorApart], tmp_path: Path, told: Told, does: str, what: str, why: str
) -> None:
    """What is no list of detections is not used; its process begins again."""
    eye = begin()
    eye.wait()
    mood(tmp_path, does)
    with pytest.raises((PluginError, NotReady)):
        eye.infer([crop()])
    until(lambda: told)
    assert told[0][1] == what
    assert why in told[0][2]


def test_five_deaths_are_enough(begin: Callable[..., DetectorApart], told: Told) -> None:
    """One that cannot live is left alone, and whoever waits for it is told why."""
    eye = begin("os.abort()")
    with pytest.raises(PluginError, match=r"quarantined after 5 faults in 120 s; last: .*SIGABRT"):
        eye.wait()
    assert told.whats() == ["dies"] * 5 + ["is quarantined"]
    until(lambda: not eye._keeper.is_alive())


def test_five_errors_in_a_row_are_enough(
    begin: Callable[..., DetectorApart], tmp_path: Path, told: Told
) -> None:
    """An error is named once; it is left alone only when nothing goes well in between."""
    eye = begin()
    eye.wait()
    for code in ["1 / 0"] * 4 + [""] + ["1 / 0"] * 5:
        mood(tmp_path, code)
        if code:
            with pytest.raises(PluginError, match="ZeroDivisionError"):
                eye.infer([crop()])
        else:
            eye.infer([crop()])
    assert told.whats() == ["raises", "raises", "is quarantined"]
    assert "quarantined after 5 errors in a row; last: ZeroDivisionError" in eye.quarantine
    with pytest.raises(NotReady, match="quarantined"):
        eye.infer([crop()])


# ------------------------------------------------------------------- in a worker


def spec(folder: Path, *detectors: DetectorSpec) -> WorkerSpec:
    return WorkerSpec(
        name="perception", config_folder=folder, state=folder, activity=folder / "activity",
        plugins_dir=folder / "plugins", detectors=detectors,
    )  # fmt: skip


CAMERA = CameraSpec.model_validate({
    "id": "hall", "slot": 0, "place": "hall", "fps": 5, "detector": "eye",
    "source": {"url": "x.mp4", "transport": "file"},
})  # fmt: skip


def ask(detectors: Detectors) -> Any:
    """Have the camera's detector look at a crop; None where it could not."""
    answered = threading.Event()
    got: list[Any] = []

    def answer(found: Any) -> None:
        got.append(found)
        answered.set()

    detectors.ask(CAMERA, [crop()], answer)
    assert answered.wait(20)
    return got[0]


def exchange(detectors: Detectors, spec: WorkerSpec) -> None:
    for held in detectors.exchange(detectors.build(spec)):
        held.inference.close()


def test_a_guess_stands_in_until_it_has_started(tmp_path: Path) -> None:
    """A worker begins at once, whatever a detector from outside does meanwhile."""
    plugin(tmp_path, "while not self.file.exists(): time.sleep(0.02)")
    both = spec(
        tmp_path, DetectorSpec(id="eye", driver="eye"), DetectorSpec(id="guess", driver="motion")
    )
    detectors = Detectors(both, SystemClock())
    assert detectors.unfinished()
    assert detectors.report()["eye"]["reason"] == "it is being started"
    assert detectors.report()["eye"]["guessing"]
    guess = detectors.behind("guess")
    mood(tmp_path, "")
    exchange(detectors, both)
    assert not detectors.unfinished()
    assert detectors.report()["eye"]["reason"] == ""
    assert detectors.report()["eye"]["plugin"] == "eye"
    assert detectors.behind("guess") is guess
    assert len(ask(detectors)) == 1
    exchange(detectors, spec(tmp_path, DetectorSpec(id="guess", driver="motion")))


def test_a_guess_stands_in_for_what_is_quarantined_until_it_changes(tmp_path: Path) -> None:
    """Its cameras are not blind: the report says why it guesses; a changed file is tried anew."""
    plugin(tmp_path)
    told = Told()
    only = spec(tmp_path, DetectorSpec(id="eye", driver="eye"))
    detectors = Detectors(only, SystemClock(), told)
    exchange(detectors, only)
    mood(tmp_path, "raise OSError('no lens')")
    for _ in range(5):
        assert ask(detectors) is None
    assert told.whats() == ["raises", "is quarantined"]
    assert detectors.unfinished()
    exchange(detectors, only)
    assert not detectors.unfinished()
    report = detectors.report()["eye"]
    assert report["guessing"]
    assert report["quarantine"] == report["reason"]
    assert "last: OSError: no lens" in report["reason"]
    assert ask(detectors) == []
    exchange(detectors, only)
    assert detectors.report()["eye"]["quarantine"]
    mood(tmp_path, "")
    plugin(tmp_path, "self.mended = True")
    exchange(detectors, only)
    assert detectors.report()["eye"]["quarantine"] == ""
    assert len(ask(detectors)) == 1
    exchange(detectors, spec(tmp_path, DetectorSpec(id="guess", driver="motion")))


def test_a_clash_of_plugins_blinds_no_camera(tmp_path: Path) -> None:
    """What two plugins both offer is the hub's to tell; a worker looks on with the rest."""
    plugin(tmp_path)
    clashing = EYE.replace("MADE", "pass").replace('Driver("eye"', 'Driver("motion"')
    (tmp_path / "plugins" / "grabbing.py").write_text(clashing)
    only = spec(tmp_path, DetectorSpec(id="eye", driver="motion"))
    detectors = Detectors(only, SystemClock())
    assert detectors.report()["eye"]["reason"] == ""
    assert detectors.report()["eye"]["guessing"], "the built-in one"
    exchange(detectors, only)
    assert ask(detectors) == []


def test_a_built_in_one_may_be_moved_apart(tmp_path: Path) -> None:
    """`isolate: true` gives a built-in detector a process of its own."""
    only = spec(tmp_path, DetectorSpec(id="eye", driver="motion", isolate=True))
    detectors = Detectors(only, SystemClock())
    exchange(detectors, only)
    report = detectors.report()["eye"]
    assert (report["reason"], report["plugin"]) == ("", "plugins.detectors.motion")
    assert ask(detectors) == []
    exchange(detectors, spec(tmp_path, DetectorSpec(id="guess", driver="motion")))


def test_a_configured_budget_reaches_the_detector_and_its_report(tmp_path: Path) -> None:
    """`budget: 200ms` of a block bounds that detector in the worker, and health says so."""
    config = Config(detectors={"eye": DetectorBlock(driver="motion", budget="200ms")})
    detectors = Detectors(spec(tmp_path, *detector_specs(config)), SystemClock())
    report = detectors.report()["eye"]
    assert (report["budget"], report["behind"], report["instances"]) == (0.2, 0.0, 1)
    assert ask(detectors) == []
