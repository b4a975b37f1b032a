"""`vestibule bench inference`: looking where it matters against looking at every whole frame.

Both ways use one model, one tracker and the same frames, and both are held against truth: a person
of the truth is found where a confirmed track of a person overlaps it by half. The whole frame goes
in at 416 pixels, without needless padding, on every frame; or at the model's own size where it has
but one. A model that is given crops at less than that is also held against the whole frame at the
largest of its sizes: it costs less and shows less. Where somebody is new, cameras look at the
pictures between as well, and that counts. Time is the processor time of cutting crops and running
the model on one thread. Crops are told apart by what they were looked at for and by the side of the
input they went into.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from time import thread_time
from typing import Any

from hub.bench.clips import truth_file, truth_of, with_truth
from hub.errors import CannotCheck
from hub.kinds import Context
from hub.kinds.detectors import Crop, Detection, Detector
from hub.perception.boxes import Box, overlap, share_inside
from hub.perception.decode import Clip
from hub.perception.frames import Frame
from hub.perception.motion import NOWHERE
from hub.perception.perceive import paced
from hub.perception.pipeline import CameraPipeline, Look
from hub.perception.tracking import TrackState

FPS = 5.0  # how often a camera is looked at unless its block says otherwise
RECALL, TIME, TIME_IN_VIEW = 0.98, 0.25, 0.5
ALWAYS = 0.95  # share of a clip's frames with somebody from which people are always in view
WHOLE = 416  # side of the input that shows the whole frame
SCENES, SEEDS, SECONDS = ("corridor", "entrance", "yard", "car_park"), (3, 19), 60
MODELS = ("yolox_nano_416", "light_person_192")
Truth = dict[int, tuple[list[Box], list[Box]]]
Step = Callable[[], None]


@dataclass(slots=True)
class Way:
    """One way of looking: people found of the truth, tracks of nobody, crops, CPU seconds.

    `reasons` counts the crops by what they were looked at for (`several` where that is more than
    one thing), `sides` by the side of the model's input in pixels.
    """

    found: int = 0
    wrong: int = 0
    crops: int = 0
    seconds: float = 0.0
    reasons: Counter[str] = field(default_factory=Counter)
    sides: Counter[int] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **{name: getattr(self, name) for name in ("found", "wrong", "crops", "seconds")},
            "reasons": dict(self.reasons.most_common()),
            "sides": {str(side): self.sides[side] for side in sorted(self.sides)},
        }


@dataclass(slots=True)
class Compared:
    """What both ways came to on one clip, or on several together.

    `boxes` counts the people of the truth, `people` the frames of the truth that have somebody.
    `small` is the whole frame at the largest of the model's sizes, where that is below WHOLE.
    """

    frames: int
    told: int
    people: int
    boxes: int
    whole: Way
    chosen: Way
    small: Way = field(default_factory=Way)

    @property
    def always(self) -> bool:
        """Whether people are always in view."""
        return self.told > 0 and self.people >= ALWAYS * self.told

    @property
    def recall_ratio(self) -> float | None:
        """People found of those that the whole frame finds; None where it finds nobody."""
        return _share(self.chosen.found, self.whole.found)

    @property
    def time_ratio(self) -> float:
        """Time spent of what the whole frame takes."""
        return self.chosen.seconds / self.whole.seconds if self.whole.seconds else 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        against = self.against_small()
        return {
            **_rounded(self.recall_ratio, self.time_ratio),
            "always_in_view": self.always,
            **{name: getattr(self, name) for name in ("frames", "told", "people", "boxes")},
            "whole": self.whole.as_dict(),
            "chosen": self.chosen.as_dict(),
            **({"small": {**_rounded(*against), **self.small.as_dict()}} if against else {}),
        }

    def against_small(self) -> tuple[float | None, float] | None:
        """Recall and time by those of the whole frame at the model's own size; None without one."""
        if not self.small.seconds:
            return None
        found = _share(self.chosen.found, self.small.found)
        return found, self.chosen.seconds / self.small.seconds


def clips(
    named: Sequence[Path], scenes: bool, cache: Path, step: Step = lambda: None
) -> list[Path]:
    """The clips named, or those of VESTIBULE_MATERIAL; with `scenes` also drawn ones, in `cache`.

    Raises CannotCheck for a clip without truth, and where nothing is left to look at.
    """
    material = os.environ.get("VESTIBULE_MATERIAL")
    found = list(named) or (with_truth(Path(material)) if material else [])
    for path in found:
        if truth_file(path) is None:
            raise CannotCheck(f"{path}: no truth; expected {path.with_suffix('.jsonl')}")
    if scenes:
        found += [drawn(scene, seed, cache, step) for scene in SCENES for seed in SEEDS]
    if not found:
        raise CannotCheck("no clip to look at: name one, set VESTIBULE_MATERIAL or allow scenes")
    return found


def drawn(scene: str, seed: int, cache: Path, step: Step = lambda: None) -> Path:
    """A minute of a scene of the `simulated` cameras with its truth, drawn unless it is there."""
    import asyncio

    from hub.plugins import load_registry

    driver = load_registry().driver("cameras", "simulated")
    config = driver.config.model_validate({"scene": scene, "seed": seed, "length": SECONDS})

    async def draw() -> str:
        camera = driver.factory(config, Context(name=scene, state=cache, cache=cache))
        try:
            source = await camera.source("analysis")
            return str(source.url)
        finally:
            await camera.close()

    path = Path(asyncio.run(draw()))
    step()
    return path


def detector(model: str) -> Detector:
    """The `onnx` driver's detector for a file or the name of an installed model."""
    from hub.plugins import load_registry

    driver = load_registry().driver("detectors", "onnx")
    context = Context(name="bench", state=Path(".vestibule"))
    built: Detector = driver.factory(driver.config.model_validate({"model": model}), context)
    return built


def models() -> list[str]:
    """What is measured when none is named: those of VESTIBULE_MATERIAL, or the best installed."""
    folder = Path(os.environ.get("VESTIBULE_MATERIAL", "")) / "models"
    found = [file for name in MODELS if (file := folder / f"{name}.onnx").is_file()]
    return [str(file) for file in found] or ["auto"]


def drawings() -> int:
    """How many scenes are drawn."""
    return len(SCENES) * len(SEEDS)


def table(
    paths: Sequence[Path], with_: Detector, fps: float | None, step: Step = lambda: None
) -> dict[str, Compared]:
    """Every clip with one model, and the sums; `step` is called after each."""
    found: dict[str, Compared] = {}
    for path in paths:
        found[path.stem] = compare(path, with_, fps)
        step()
    return with_sums(found)


def compare(path: Path, with_: Detector, fps: float | None = FPS) -> Compared:
    """Both ways over one clip with truth; without `fps` every frame is looked at."""
    truth = _truth(path)
    total = Compared(0, 0, 0, 0, Way(), Way())
    sizes = with_.info.input_sizes
    largest = sizes[-1] if sizes else 0
    side = max(WHOLE, largest) if len(sizes) > 1 else largest
    ways = [(total.whole, side), (total.chosen, 0)]
    if side > largest:
        ways.insert(1, (total.small, largest))
    with Clip(path) as clip:
        rate = min(fps or clip.fps, clip.fps)
        pipelines = [CameraPipeline(path.stem, clip.size, rate, with_.info) for _ in ways]
        for frame, due in paced(clip, fps):
            if not due:
                _between(total.chosen, pipelines[-1], with_, frame)
                continue
            if not total.frames:
                _warm(with_, frame)
            for (way, side), pipeline in zip(ways, pipelines, strict=True):
                look = pipeline.look(frame)
                if way is not total.chosen:
                    look = replace(look, crops=((0, 0, *clip.size),), sides=(side,), reasons=())
                tracks = pipeline.settle(frame, look, _found(way, pipeline, with_, frame, look))
                if frame.index in truth:
                    _count(way, tracks, *truth[frame.index])
            total.frames += 1
            if frame.index in truth:
                boxes, _ = truth[frame.index]
                total.told += 1
                total.people += bool(boxes)
                total.boxes += len(boxes)
    return total


def _between(way: Way, pipeline: CameraPipeline, with_: Detector, frame: Frame) -> None:
    """A frame that is not due, looked at where somebody is new."""
    if pipeline.hurries(frame.time):
        look = pipeline.look_early(frame)
        pipeline.settle(frame, look, _found(way, pipeline, with_, frame, look))


def _warm(with_: Detector, frame: Frame) -> None:
    """Have everything compiled and loaded that the first look would wait for."""
    cut = frame.luma_crop if with_.info.luma else frame.crop
    with_.infer([Crop(cut((0, 0, 64, 64)), (0, 0, 64, 64), frame.size, NOWHERE)])


def _found(
    way: Way, pipeline: CameraPipeline, with_: Detector, frame: Frame, look: Look
) -> list[Detection] | None:
    if not look.crops:
        return None
    began = thread_time()
    found = [one for part in with_.infer(pipeline.cut(frame, look)) for one in part]
    way.seconds += thread_time() - began
    way.crops += len(look.crops)
    way.sides.update(look.sides)
    way.reasons.update(next(iter(why)) if len(why) == 1 else "several" for why in look.reasons)
    return found


def _count(way: Way, tracks: Sequence[TrackState], boxes: list[Box], ignore: list[Box]) -> None:
    claims = [t.box for t in tracks if t.label == "person" and t.state == "confirmed"]
    right = paired(boxes, claims)
    way.found += len(right)
    way.wrong += sum(
        not any(overlap(box, other) >= 0.5 or share_inside(box, [other]) >= 0.7 for other in ignore)
        for number, box in enumerate(claims)
        if number not in right
    )


def paired(truth: Sequence[Box], claims: Sequence[Box]) -> set[int]:
    """Which claims sit on a box of the truth by half, each used once, best pairs first."""
    pairs = sorted(
        ((overlap(t, c), i, j) for i, t in enumerate(truth) for j, c in enumerate(claims)),
        reverse=True,
    )
    used: set[int] = set()
    right: set[int] = set()
    for share, i, j in pairs:
        if share >= 0.5 and i not in used and j not in right:
            used.add(i)
            right.add(j)
    return right


def together(parts: Iterable[Compared]) -> Compared:
    """Several clips as one."""
    total = Compared(0, 0, 0, 0, Way(), Way())
    for part in parts:
        for name in ("frames", "told", "people", "boxes"):
            setattr(total, name, getattr(total, name) + getattr(part, name))
        both = (total.whole, part.whole), (total.chosen, part.chosen), (total.small, part.small)
        for sums, way in both:
            for one in fields(Way):
                setattr(sums, one.name, getattr(sums, one.name) + getattr(way, one.name))
    return total


def with_sums(found: dict[str, Compared]) -> dict[str, Compared]:
    """The clips, those together in which people are always in view, and `all`."""
    rows = dict(found)
    crowded = [one for one in found.values() if one.always]
    if crowded:
        rows["always in view"] = together(crowded)
    rows["all"] = together(found.values())
    return rows


def missed_goals(name: str, found: Compared) -> list[str]:
    """Which goals a sum misses, in words; a single clip has none."""
    bound = {"all": TIME, "always in view": TIME_IN_VIEW}.get(name)
    if bound is None:
        return []
    recall = found.recall_ratio
    missed = [] if recall is None or recall >= RECALL else ["recall"]
    return missed if found.time_ratio <= bound else [*missed, "time"]


def as_json(measured: dict[str, dict[str, Compared]]) -> dict[str, Any]:
    """By clip, and `all`: the first model's figures, those of the others in `other_models`."""
    (first, rows), *others = measured.items()
    return {
        clip: {
            **one.as_dict(),
            "model": first,
            "other_models": {name: more[clip].as_dict() for name, more in others},
        }
        for clip, one in rows.items()
    }


def lines(model: str, rows: dict[str, Compared]) -> list[str]:
    """The table of one model as plain lines."""
    told = [
        f"{model}",
        f"  {'clip':<30}{'people':>8}{'recall':>9}{'of whole':>9}{'time':>8}{'crops':>7}"
        f"{'of':>6}{'wrong':>7}{'of':>6}  misses",
    ]
    for name, one in rows.items():
        recall = one.chosen.found / one.boxes if one.boxes else None
        told.append(
            f"  {name:<30}{one.boxes:>8}{_percent(recall):>9}{_percent(one.recall_ratio):>9}"
            f"{_percent(one.time_ratio):>8}{one.chosen.crops:>7}{one.whole.crops:>6}"
            f"{one.chosen.wrong:>7}{one.whole.wrong:>6}  {', '.join(missed_goals(name, one))}"
        )
    if (total := rows.get("all")) is not None:
        sides = sorted(total.chosen.sides.items())
        told.append(f"  crops by reason: {_counts(total.chosen.reasons.most_common())}")
        told.append(f"  crops by input side: {_counts(sides)}")
        if (against := total.against_small()) is not None:
            kept, spent = map(_percent, against)
            size = max(total.small.sides)
            told.append(f"  against the whole frame at {size} pixels: recall {kept}, time {spent}")
    return [line.rstrip() for line in told]


def _counts(counted: Sequence[tuple[str | int, int]]) -> str:
    return ", ".join(f"{what} {count}" for what, count in counted) or "-"


def _share(found: int, of: int) -> float | None:
    return found / of if of else None


def _rounded(recall: float | None, time: float) -> dict[str, float | None]:
    return {
        "recall_ratio": None if recall is None else round(recall, 4),
        "time_ratio": round(time, 4),
    }


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def _truth(path: Path) -> Truth:
    """By frame number the people and what counts neither way. Raises CannotCheck."""
    # Where only doubts are noted, nothing can be counted.
    return {t.frame: (t.people, t.ignore) for t in truth_of(path) if t.people or not t.ignore}
