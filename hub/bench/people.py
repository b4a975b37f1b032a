"""How well models find people through the cameras' own pipeline: on clips and drawn scenes.

Counted are people of at least `LEAST` pixels in the source, by confirmed tracks of persons: recall
and precision at an overlap of 0.5, the share of frames on which "anybody is there" is right, and
the share of frames with a person where nobody is. Who is smaller, hidden or in doubt counts neither
way, and neither does a track on them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from time import thread_time
from typing import Any, Protocol
from zlib import crc32

import numpy as np

from hub.bench.clips import truth_of, with_truth
from hub.bench.inference import MODELS, detector, drawn, paired
from hub.bench.scenes import Scene
from hub.bench.scenes import drawn as drawn_scenes
from hub.bench.score import frames
from hub.errors import CannotCheck, ModelError
from hub.kinds.detectors import Crop, Detector
from hub.models import BUILT_IN, ModelStore
from hub.perception.boxes import Box, overlap, share_inside
from hub.perception.decode import Clip, frame_from_av
from hub.perception.frames import Frame
from hub.perception.motion import NOWHERE
from hub.perception.perceive import sampled
from hub.perception.pipeline import CameraPipeline

LEAST = 60.0  # pixels tall
STRESSES = ("clean", "rain", "brightness step", "H.264 low")
CARS = "cars alone"
SCENES = ("yard", "corridor", "gym", "night", CARS, "leaf shadows")
SCHOOL, SCHOOL_SEED = ("corridor", "entrance", "yard", "car_park"), 2027
ROUNDS = 15
Truth = tuple[list[Box], list[Box]]
Step = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Judged:
    """One frame: people of the truth, what counts neither way, and the boxes that were claimed."""

    place: str
    frame: Frame
    people: list[Box]
    ignore: list[Box]
    claims: list[Box]

    @property
    def right(self) -> set[int]:
        """Which claims sit on somebody."""
        return paired(self.people, self.claims)

    @property
    def wrong(self) -> list[Box]:
        """Claims on nobody."""
        right = self.right
        return [
            box
            for number, box in enumerate(self.claims)
            if number not in right and not on_any(box, self.ignore)
        ]


@dataclass(slots=True)
class Found:
    """What one model came to in one place.

    `people` of the truth, of whom `found`; `claims` that count, of which `right`. On `told` frames
    it is known whether anybody is there, on `present` of them it was said rightly. `empty` frames
    have nobody at all, on `false` of them somebody was claimed.
    """

    frames: int = 0
    people: int = 0
    found: int = 0
    claims: int = 0
    right: int = 0
    told: int = 0
    present: int = 0
    empty: int = 0
    false: int = 0
    crops: int = 0

    def add(self, judged: Judged) -> None:
        """Count one frame."""
        right, wrong = len(judged.right), len(judged.wrong)
        self.people += len(judged.people)
        self.found += right
        self.right += right
        self.claims += right + wrong
        if judged.people or not judged.ignore:
            self.told += 1
            self.present += bool(judged.people) == bool(right + wrong)
        if not judged.people and not judged.ignore:
            self.empty += 1
            self.false += bool(wrong)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the counts and their ratios, None where nothing could be counted."""
        return asdict(self) | {
            "recall": _ratio(self.found, self.people),
            "precision": _ratio(self.right, self.claims),
            "present_share": _ratio(self.present, self.told),
            "false_share": _ratio(self.false, self.empty),
        }


class Place(Protocol):
    """Somewhere with truth; `group` is what it is summed up with."""

    name: str
    group: str
    size: tuple[int, int]
    fps: float

    def frames(self) -> Iterator[tuple[Frame, Truth | None]]:
        """Every frame in order, with its truth where somebody looked."""
        ...


class ClipPlace:
    """A clip with truth beside it; without `fps` every frame is looked at."""

    def __init__(self, path: Path, fps: float | None = None, group: str = "clips") -> None:
        self.name, self.group, self._path, self._fps = path.stem, group, path, fps
        with Clip(path) as clip:
            self.size, self.fps = clip.size, min(fps or clip.fps, clip.fps)
        self._truth = {told.frame: (told.people, told.ignore) for told in truth_of(path)}

    def frames(self) -> Iterator[tuple[Frame, Truth | None]]:
        """As `Place` has it."""
        with Clip(self._path) as clip:
            for frame in sampled(clip, self._fps):
                yield frame, self._truth.get(frame.index)


class ScenePlace:
    """A drawn scene under a stress, drawn once; without `people` nobody comes, cars do."""

    def __init__(self, scene: Scene, stress: str, people: bool) -> None:
        self.name = f"{scene.name}, {stress}" + ("" if people else ", nobody")
        self.group = "scenes" if people and scene.name != CARS else "scenes without people"
        self.size, self.fps = (scene.width, scene.height), scene.fps
        self._scene, self._people = scene, people
        self._lumas = list(frames(scene, stress, people))

    def frames(self) -> Iterator[tuple[Frame, Truth | None]]:
        """As `Place` has it."""
        for number, (i, luma) in enumerate(self._lumas):
            yield grey_frame(luma, number / self.fps, number), self._truth(i)

    def _truth(self, i: int) -> Truth | None:
        if i < 0 or not self._people:
            return [], []
        people = [seen.box for seen in self._scene.truth(i) or ()]
        return people, self._scene.doubts(i)


def places(
    clips: Sequence[Path], scenes: Sequence[str], stresses: Sequence[str], fps: float | None
) -> Iterator[Place]:
    """Clips (those of VESTIBULE_MATERIAL where none is named), then scenes under each stress.

    Raises CannotCheck where there is nothing to look at, or a scene is not known.
    """
    material = os.environ.get("VESTIBULE_MATERIAL")
    found = list(clips) or (with_truth(Path(material)) if material else [])
    known = {scene.name: scene for scene in drawn_scenes()}
    if unknown := [name for name in scenes if name not in known]:
        raise CannotCheck(f"no scene {unknown[0]!r}; there are {', '.join(known)}")
    if not found and not scenes:
        raise CannotCheck("nothing to look at: name a clip or a scene, or set VESTIBULE_MATERIAL")
    for path in found:
        yield ClipPlace(path, fps)
    for name in scenes:
        for stress in stresses:
            yield ScenePlace(known[name], stress, people=True)
            if name != CARS:
                yield ScenePlace(known[name], stress, people=False)


def school(cache: Path, fps: float) -> Iterator[Place]:
    """A minute of each place of the simulated school, by a seed that nobody trains on."""
    for scene in SCHOOL:
        yield ClipPlace(drawn(scene, SCHOOL_SEED, cache), fps, "simulated school")


def grey_frame(luma: np.ndarray, time: float, index: int) -> Frame:
    """A frame without colour of brightness from 0 to 255, uint8 (height, width), both even."""
    import av

    height, width = luma.shape
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    planes[:height] = luma
    picture = av.VideoFrame.from_ndarray(planes, format="yuvj420p")
    return frame_from_av(picture, time, index)


def judged(place: Place, with_: Detector, count: Found) -> Iterator[Judged]:
    """Each frame that has truth, by the cameras' pipeline; adds to `count`."""
    pipeline = CameraPipeline(place.name, place.size, place.fps, with_.info)
    for frame, truth in place.frames():
        look = pipeline.look(frame)
        found = None
        if look.crops:
            found = [one for part in with_.infer(pipeline.cut(frame, look)) for one in part]
        tracks = pipeline.settle(frame, look, found)
        count.frames += 1
        count.crops += len(look.crops)
        if truth is None:
            continue
        people = [box for box in truth[0] if box[3] - box[1] >= LEAST]
        small = [box for box in truth[0] if box[3] - box[1] < LEAST]
        claims = [t.box for t in tracks if t.label == "person" and t.state == "confirmed"]
        one = Judged(place.name, frame, people, [*truth[1], *small], claims)
        count.add(one)
        yield one


def on_any(box: Box, others: Iterable[Box]) -> bool:
    """Whether a box lies on one of others: as an object of its own, or mostly inside it."""
    return any(overlap(box, o) >= 0.5 or share_inside(box, [o]) >= 0.7 for o in others)


# ------------------------------------------------------------------ models


@dataclass(frozen=True, slots=True)
class Model:
    """A model to be measured: its detector and how large its file is."""

    name: str
    detector: Detector
    bytes: int


def models(named: Sequence[str]) -> list[Model]:
    """Those named, or the built-in one and those of VESTIBULE_MATERIAL.

    Raises `ModelError` for one that cannot be used, CannotCheck where there is none.
    """
    store, wanted = ModelStore(Path(".vestibule/models")), list(named)
    if not wanted:
        folder = Path(os.environ.get("VESTIBULE_MATERIAL", "")) / "models"
        wanted = [] if store.fault() else [BUILT_IN]
        wanted += [str(file) for name in MODELS if (file := folder / f"{name}.onnx").is_file()]
    if not wanted:
        raise CannotCheck(f"no model to measure: {store.fault()}, and no other is named")
    found: list[Model] = []
    for name in wanted:
        path = store.resolve(name)
        made = detector(str(path.absolute()))
        if any(model.name == made.info.name for model in found):
            raise ModelError(f"two models are called {made.info.name}")
        found.append(Model(made.info.name, made, path.stat().st_size))
    return found


def milliseconds(tried: Sequence[Model], rounds: int = ROUNDS) -> dict[str, dict[int, float]]:
    """CPU time of a look at one full square crop, by model and input side: medians, in turns."""
    spent: dict[tuple[str, int], list[float]] = {}
    for number in range(rounds + 1):
        for model in tried:
            for side in model.detector.info.input_sizes:
                took = _look(model.detector, side)
                if number:  # the first makes the runtime plan its memory
                    spent.setdefault((model.name, side), []).append(took)
    found: dict[str, dict[int, float]] = {model.name: {} for model in tried}
    for (name, side), times in spent.items():
        found[name][side] = round(float(np.median(times)), 2)
    return found


def _look(with_: Detector, side: int) -> float:
    noise = np.random.default_rng(crc32(str(side).encode()))
    image = noise.integers(0, 256, with_.info.shape(side, side), np.uint8)
    crop = Crop(image, (0, 0, side, side), (side, side), NOWHERE, side)
    began = thread_time()
    with_.infer([crop])
    return 1000 * (thread_time() - began)


# ------------------------------------------------------------------ sums and words


def with_sums(rows: dict[str, Found], groups: dict[str, str]) -> dict[str, Found]:
    """The places, and each group of more than one together; `groups` has them by place."""
    told = dict(rows)
    for group in dict.fromkeys(groups.values()):
        members = [rows[name] for name, of in groups.items() if of == group]
        if len(members) > 1:
            total = Found()
            for part in members:
                for one in fields(Found):
                    setattr(total, one.name, getattr(total, one.name) + getattr(part, one.name))
            told[f"all {group}"] = total
    return told


def lines(measured: dict[str, dict[str, Found]]) -> Iterator[str]:
    """The table, models beside one another; shares in percent, `-` where nothing counts."""
    heads = "recall  prec  pres false"
    yield " " * 36 + "".join(f"  {name:<{len(heads)}}" for name in measured)
    yield f"{'':<29}{'people':>7}" + "".join(f"  {heads}" for _ in measured)
    for place in next(iter(measured.values()), {}):
        first = next(iter(measured.values()))[place]
        cells = "".join(f"  {_cells(rows[place])}" for rows in measured.values())
        yield f"{place[:28]:<29}{first.people:>7}{cells}"


def _cells(found: Found) -> str:
    told = found.as_dict()
    shares = (told[key] for key in ("recall", "precision", "present_share", "false_share"))
    return "".join(f"{_percent(share):>6}" for share in shares)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
