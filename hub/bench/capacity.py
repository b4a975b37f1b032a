"""How many cameras this machine carries: more and more of them, until people are told of too late.

A number of cameras is carried while 95 of 100 people who come in are an event within a second of
showing, hardly more of them are missed than with few cameras, and no camera is without pictures.
The number is doubled until that ends, and then closed in on.

Where the fewest cameras are later than that already, load is not to blame: then a number is carried
until it adds a quarter of a second, and the answer says that it is not in time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from hub.bench.capacity_hub import Entered, Measured, Setting, run
from hub.bench.capacity_scenes import HEIGHT, WIDTH, Walk
from hub.bench.capacity_source import clips, film_of

IN_TIME = 1.0  # seconds from visible to event
ADDED = 0.25  # seconds that load may add where people are told of later than that without any
ANSWER_WITHIN = 5.0  # seconds after which a person counts as missed
EARLY = 1.0  # an event may come this much (s) before a person is visible enough for anybody
NEAR = 90.0  # pixels between the event's box and the person it is about
FEWEST = 4  # cameras that no machine is too small for
FEWER = 0.9  # of the people who are seen with few cameras must still be seen
STAGES = ("decode", "gate", "inference", "rest")


@dataclass(frozen=True, slots=True)
class Step:
    """One number of cameras. `cpu` is percent of one core by stage, `p50` and `p95` seconds from
    visible to event (None where nobody was seen), `seen` the share of `people` who were an event.
    """

    cameras: int
    carried: bool
    why_not: str
    p50: float | None
    p95: float | None
    people: int
    seen: float
    cpu: dict[str, float]
    cpu_percent: float
    memory_mb: float
    pictures_mb: float
    inferences_per_s: float
    pictures_per_s: float
    source_cpu_percent: float
    source_late_s: float
    detector: str


@dataclass(frozen=True, slots=True)
class Capacity:
    """What came of one load: the most `cameras` carried, whether more were not tried (`at_least`),
    all steps by number, and memory for each further camera without the pictures it remembers.
    """

    load: str
    cameras: int
    at_least: bool
    steps: tuple[Step, ...]

    @property
    def best(self) -> Step:
        """The step with the most cameras carried, else the first."""
        carried = [step for step in self.steps if step.carried]
        return carried[-1] if carried else self.steps[0]

    @property
    def in_time(self) -> bool:
        """Whether people are told of within a second at that number, and not only unslowed."""
        return bool(self.cameras) and self.best.p95 is not None and self.best.p95 <= IN_TIME

    @property
    def memory_per_camera_mb(self) -> float | None:
        """Slope over the steps (least squares), pictures remembered apart."""
        return self._slope([step.memory_mb - step.pictures_mb for step in self.steps])

    @property
    def pictures_per_camera_mb(self) -> float:
        """The newest pictures of a camera, kept for incidents."""
        return round(self.best.pictures_mb / self.best.cameras, 2)

    def _slope(self, values: Sequence[float]) -> float | None:
        numbers = [float(step.cameras) for step in self.steps]
        if len(set(numbers)) < 2:
            return None
        return round(float(np.polyfit(numbers, np.array(values), 1)[0]), 2)

    def as_dict(self) -> dict[str, object]:
        """The object of `vestibule bench capacity --json`."""
        best = self.best
        return {
            "cameras": self.cameras,
            "at_least": self.at_least,
            "in_time": self.in_time,
            "ended_by": next((s.why_not for s in self.steps if not s.carried), ""),
            "cpu": best.cpu,
            "cpu_per_camera_percent": round(best.cpu_percent / best.cameras, 3),
            "memory_mb": best.memory_mb,
            "memory_per_camera_mb": self.memory_per_camera_mb,
            "pictures_per_camera_mb": self.pictures_per_camera_mb,
            "inferences_per_s": best.inferences_per_s,
            "p95_s": best.p95,
            "source_cpu_percent": best.source_cpu_percent,
            "steps": [asdict(step) for step in self.steps],
        }


def capacity(
    load: str, setting: Setting, start: int, most: int, folder: Path, told: Callable[[str], None]
) -> Capacity:
    """Raise the number of cameras from `start` to at most `most`. Raises `CannotCheck`."""
    steps: dict[int, Step] = {}

    def carried(cameras: int) -> bool:
        fewer = [step for step in steps.values() if step.cameras < cameras]
        first = min(fewer, key=lambda step: step.cameras, default=None)
        steps[cameras] = measure(load, setting, cameras, folder, first, told)
        return steps[cameras].carried

    if start > FEWEST:  # how late people are told of without load, to judge the rest by
        carried(FEWEST)
    best = search(start, most, carried)
    return Capacity(load, best, best == most, tuple(steps[each] for each in sorted(steps)))


def search(start: int, most: int, carried: Callable[[int], bool]) -> int:
    """The largest number up to `most` that is carried: doubled from `start`, then closed in on."""
    best, number = 0, min(start, most)
    while carried(number):
        best = number
        if best == most:
            return best
        number = min(2 * number, most)
    return _closed_in(best, number, carried)


def _closed_in(carried_by: int, too_many: int, carried: Callable[[int], bool]) -> int:
    """Halve the span between what is carried and what is not, to a twelfth."""
    while too_many - carried_by > max(1, too_many // 12):
        middle = (carried_by + too_many) // 2
        if carried(middle):
            carried_by = middle
        else:
            too_many = middle
    return carried_by


def measured_at(
    load: str, setting: Setting, numbers: Sequence[int], folder: Path, told: Callable[[str], None]
) -> Capacity:
    """These numbers of cameras and no others."""
    steps: list[Step] = []
    for cameras in sorted(set(numbers)):
        first = steps[0] if steps else None
        steps.append(measure(load, setting, cameras, folder, first, told))
    best = max((step.cameras for step in steps if step.carried), default=0)
    return Capacity(load, best, all(step.carried for step in steps), tuple(steps))


def measure(
    load: str,
    setting: Setting,
    cameras: int,
    folder: Path,
    first: Step | None,
    told: Callable[[str], None],
) -> Step:
    """One number of cameras; `first` is the step with fewest, `told` hears how far it is."""
    found = run(setting, cameras, folder, lambda doing: told(f"{load}: {cameras} cameras, {doing}"))
    walks = [each.walks for each in clips(setting.scene, setting.clip, folder)]
    late = lateness(found, walks, setting.clip)
    return judged(found, late, first)


def judged(found: Measured, late: Sequence[float | None], first: Step | None) -> Step:
    """Figures and verdict; `late` has the seconds of each person, None for one who was missed."""
    took = max(1e-9, found.end - found.begin)
    seen = [max(0.0, seconds) for seconds in late if seconds is not None]
    share = len(seen) / len(late) if late else 0.0
    p50, p95 = (round(float(np.percentile(seen, q)), 2) if seen else None for q in (50, 95))
    parts = {name: round(100 * spent / took, 2) for name, spent in found.cpu.items()}
    cpu = {name: parts[name] for name in STAGES}
    cpu["rest"] = round(cpu["rest"] + parts["reading"] + parts["hub"], 2)
    cpu |= {"of_it_reading": parts["reading"], "of_it_hub": parts["hub"]}
    why_not = _why_not(found, p95, share, first)
    return Step(
        found.cameras, not why_not, why_not, p50, p95, len(late), round(share, 3), cpu,
        round(sum(cpu[name] for name in STAGES), 1), round(found.memory_mb, 1),
        round(found.pictures_mb, 1), round(found.inferred / took, 1),
        round(found.decoded / took, 1), round(100 * found.source_cpu / took, 1),
        round(found.source_late, 3), found.detector,
    )  # fmt: skip


def _why_not(found: Measured, p95: float | None, share: float, first: Step | None) -> str:
    if found.starved:
        camera, why = next(iter(found.starved.items()))
        return f"{len(found.starved)} cameras starved, such as {camera}: {why}"
    if p95 is None:
        return "nobody who came in was seen"
    if first is not None and p95 > _limit(first):
        return f"95 of 100 people took up to {p95:.2f} s"
    if first is not None and share < FEWER * first.seen:
        return f"{share:.0%} of the people were seen, {first.seen:.0%} with {first.cameras} cameras"
    return ""


def _limit(first: Step) -> float:
    """How late people may be told of, in seconds."""
    return IN_TIME if first.p95 is None or first.p95 <= IN_TIME else first.p95 + ADDED


def lateness(found: Measured, walks: Sequence[Sequence[Walk]], clip_s: float) -> list[float | None]:
    """For each person who came into view while it was measured: seconds from then to the event."""
    waiting: dict[int, list[Entered]] = {}
    for event in found.entered:
        waiting.setdefault(event.camera, []).append(event)
    late: list[float | None] = []
    for camera, began in found.began.items():
        events = sorted(waiting.get(camera, []), key=lambda event: event.received)
        comings = _comings(walks[film_of(camera)], began, clip_s, found.begin, found.end)
        late += _matched(sorted(comings, key=lambda coming: coming[0]), events)
    return late


def _comings(
    walks: Sequence[Walk], began: float, clip_s: float, begin: float, end: float
) -> Iterator[tuple[float, Walk, float]]:
    """When somebody became visible, who, and when that round of the clip began."""
    for walk in walks:
        rounds = max(0, int((begin - began) // clip_s) - 1)
        while (start := began + rounds * clip_s) + walk.visible < end - ANSWER_WITHIN:
            if start + walk.visible >= begin:
                yield start + walk.visible, walk, start
            rounds += 1


def _matched(
    comings: Sequence[tuple[float, Walk, float]], events: Sequence[Entered]
) -> Iterator[float | None]:
    """To each person the first event that shows them where they were, and to nobody else."""
    free = list(events)
    for visible, walk, start in comings:
        fitting = (
            event
            for event in free
            if -EARLY <= event.received - visible <= ANSWER_WITHIN
            and abs(walk.left(event.happened - start) + walk.wide / 2 - event.middle) <= NEAR
        )
        event = next(fitting, None)
        if event is None:
            yield None
        else:
            free.remove(event)
            yield event.received - visible


def lines(found: Sequence[Capacity]) -> Iterator[str]:
    """The table for a person: a line for each load at the most cameras it carries."""
    heads = ("cameras", "p95 s", "decode", "gate", "infer.", "rest", "CPU/cam", "MB", "MB/cam",
             "pict./cam", "infer./s", "source")  # fmt: skip
    yield f"{'load':<15}" + "".join(f"{head:>10}" for head in heads)
    for each in found:
        best = each.best
        number = f"{each.cameras}{'+' if each.at_least else ''}{'' if each.in_time else '*'}"
        slope = each.memory_per_camera_mb
        cells = (
            number, "-" if best.p95 is None else f"{best.p95:.2f}",
            *(f"{best.cpu[stage]:.1f}" for stage in STAGES),
            f"{best.cpu_percent / best.cameras:.2f}", f"{best.memory_mb:.0f}",
            "-" if slope is None else f"{slope:.1f}", f"{each.pictures_per_camera_mb:.1f}",
            f"{best.inferences_per_s:.1f}", f"{best.source_cpu_percent:.1f}",
        )  # fmt: skip
        yield f"{each.load:<15}" + "".join(f"{cell:>10}" for cell in cells)
    yield ""
    yield f"{WIDTH}x{HEIGHT}, 15 pictures a second. CPU in percent of one core, memory in MB of all"
    yield "processes of the hub; `source` is the CPU of the cameras' own process, not the hub's."
    if not all(each.in_time for each in found):
        yield "* later than a second with few cameras already: carried until load adds 0.25 s."
    for each in found:
        for step in each.steps:
            yield (
                f"  {each.load}, {step.cameras}: p50 {step.p50} p95 {step.p95} s, {step.people} "
                f"people, {step.seen:.0%} seen, CPU {step.cpu_percent} %, {step.memory_mb} MB"
                + (f": {step.why_not}" if step.why_not else "")
            )
