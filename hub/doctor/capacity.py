"""Whether this machine carries the configured cameras, from what one costs here, measured now."""

from __future__ import annotations

import math
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial

from hub.doctor.finding import Finding, Probe, bad, ok, warn
from hub.doctor.given import Given

TRIAL = "hub.doctor.capacity_trial"
PATIENCE_S = 150.0  # the motion gate may have to be compiled first
READING = 1.8  # what receiving, JPEGs, the link and the hub add to what is measured here
FULL = 0.8  # of the cores may be busy with cameras: doors and pages must never wait
BASE_MB, CAMERA_MB = 350.0, 8.0
SLOWER = 2.0  # looks a second that are enough where people are only to be noticed


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor seconds for a second of one camera at 640x360 and 15 pictures a second: decoding
    them all, and for each look a second what looking and inference take.
    """

    decode: float
    look: float
    inference: float

    def of(self, fps: float) -> float:
        """Cores that one camera takes at so many looks a second, people walking through."""
        return READING * (self.decode + fps * (self.look + self.inference))


@dataclass(frozen=True, slots=True)
class Machine:
    """How many cores may be used, and all its memory in MB."""

    cores: int
    memory_mb: float


def probes(given: Given) -> list[Probe]:
    """One, where there are cameras."""
    if given.config is None or not any(each.enabled for each in given.config.cameras.values()):
        return []
    return [Probe("cameras", "all of them", partial(_look, given), PATIENCE_S)]


async def _look(given: Given) -> AsyncIterator[Finding]:
    assert given.config is not None
    detectors = {key: each for key, each in given.config.detectors.items() if each.enabled}
    first = next(iter(detectors), "")
    cameras = [
        (block.fps, block.detector or first)
        for block in given.config.cameras.values()
        if block.enabled
    ]
    costs: dict[str, Cost] = {}
    for key in dict.fromkeys(detector for _, detector in cameras):
        said = await given.tried(TRIAL, given.detector(key))
        if "error" in said:
            yield warn(
                f"what a camera costs here could not be measured: {said['error']}",
                "do what the other lines say, then try again",
            )
            return
        costs[key] = Cost(said["decode"], said["look"], said["inference"])
    yield finding([(fps, costs[key]) for fps, key in cameras], _machine())


def _machine() -> Machine:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
    return Machine(len(os.sched_getaffinity(0)), memory)


def finding(cameras: Sequence[tuple[float, Cost]], machine: Machine) -> Finding:
    """What so many cameras, each with its looks a second and its cost, mean for this machine."""
    many = len(cameras)
    need = sum(cost.of(fps) for fps, cost in cameras)
    memory = BASE_MB + CAMERA_MB * many
    carried = min(
        carries(cameras, machine),
        max(0, math.floor((machine.memory_mb * FULL - BASE_MB) / CAMERA_MB)),
    )
    told = (
        f"{'1 camera takes' if many == 1 else f'{many} cameras take'} about {need:.2f} of "
        f"{machine.cores} cores and {memory / 1024:.1f} GB while people walk through "
        "(sub-streams of 640x360, 15 pictures a second)"
    )
    if carried >= many:
        return ok(f"{told}; how late people are told of: `vestibule bench capacity`")
    told += f": this machine carries about {carried} of them"
    remedy = _remedy(cameras, machine, carried)
    return bad(told, remedy) if need > machine.cores else warn(told, remedy)


def carries(cameras: Sequence[tuple[float, Cost]], machine: Machine) -> int:
    """How many cameras, such as these on the average, keep this machine as busy as it may be."""
    mean = sum(cost.of(fps) for fps, cost in cameras) / len(cameras)
    return math.floor(machine.cores * FULL / mean)


def _remedy(cameras: Sequence[tuple[float, Cost]], machine: Machine, carried: int) -> str:
    """What to change, and what each change would bring, the largest part of the cost first."""
    many = len(cameras)
    ways = [f"watch {carried} cameras at most with this machine"] if carried else []
    slower = [(min(fps, SLOWER), cost) for fps, cost in cameras]
    if carries(slower, machine) > carries(cameras, machine):
        ways.append(f"look less often (`fps: {SLOWER:g}` carries {carries(slower, machine)})")
    decode = sum(cost.decode for _, cost in cameras)
    inference = sum(fps * cost.inference for fps, cost in cameras)
    whole = sum(cost.of(fps) for fps, cost in cameras) / READING
    parts = [
        (decode, "have the cameras send smaller sub-streams or fewer pictures a second (decoding"),
        (inference, "use a lighter model (inference"),
    ]
    for part, words in sorted(parts, key=lambda each: -each[0]):
        if part > 0.05 * whole:
            ways.append(f"{words} is {part / whole:.0%} of it)")
    if carried:
        ways.append(f"or share them among {math.ceil(many / carried)} such machines")
    return ", ".join(ways)
