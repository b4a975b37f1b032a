"""How the house is, measured each minute and kept for a week: for pictures over time.

Counters become rates between two samples; the first after a start says only what is known at once.
"""

from __future__ import annotations

import asyncio
import platform
import shutil
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog

from hub.clock import Clock
from hub.errors import StateError
from hub.kernel_clock import kernel_clock
from hub.past_views import CAMERA_FIGURES, HUB_FIGURES, FigureView, MachineView, PastView
from hub.perception.watched import CameraCounters
from hub.perception.workers import Perception
from hub.procfs import memory_mb
from hub.storage import samples
from hub.storage.journal import Journal
from hub.supervisor import Supervisor

EVERY_S = 60.0
MEAN_OF = 10
POINTS = 360
LONGEST_H = 7 * 24
LITTLE_MB = 500
Body = dict[str, Any]
Queues = Mapping[str, Mapping[str, int]]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Counted:
    """What only ever grows, as it was at a moment (s, monotonic)."""

    at: float
    cpu_s: float
    dropped: int
    cameras: dict[str, CameraCounters]


@dataclass(slots=True)
class _Sum:
    """Figures added up, for their mean."""

    total: float = 0.0
    count: int = 0

    def add(self, value: float) -> None:
        self.total += value
        self.count += 1

    @property
    def mean(self) -> float | None:
        return round(self.total / self.count, 3) if self.count else None


@dataclass(slots=True)
class _Means:
    """The means of the samples since the last row of ten minutes."""

    bodies: list[Body] = field(default_factory=list)

    def of(self) -> Body:
        cameras = {name for body in self.bodies for name in body["cameras"]}
        return {
            "hub": _mean([body["hub"] for body in self.bodies]),
            "cameras": {
                name: _mean([body["cameras"].get(name, {}) for body in self.bodies])
                for name in sorted(cameras)
            },
        }


def _mean(figures: list[dict[str, float]]) -> dict[str, float]:
    sums: dict[str, _Sum] = {}
    for each in figures:
        for name, value in each.items():
            sums.setdefault(name, _Sum()).add(value)
    return {name: mean for name, each in sums.items() if (mean := each.mean) is not None}


class Sampling:
    """Measures; `run` has to run while the hub does."""

    def __init__(
        self,
        perception: Perception,
        supervisor: Supervisor,
        queues: Callable[[], Queues],
        journal: Journal,
        folder: Path,
        clock: Clock,
    ) -> None:
        self._perception = perception
        self._supervisor = supervisor
        self._queues = queues
        self._journal = journal
        self._folder = folder
        self._clock = clock
        self._before: _Counted | None = None
        self._means = _Means()
        self._machine: MachineView | None = None

    def tasks(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What has to run while the hub does, by name."""
        return {"samples": self.run}

    async def run(self) -> None:
        """Take a sample each minute, for ever. One that cannot be kept is lost, and said."""
        while True:
            try:
                await self.take()
            except StateError as error:
                log.warning("a sample was not kept", reason=str(error))
            await self._clock.sleep(EVERY_S)

    async def machine(self) -> MachineView:
        """The machine as it was at the last sample."""
        if self._machine is not None:
            return self._machine
        self._machine = found = await asyncio.to_thread(_machine, self._folder)
        return found

    def problems(self) -> list[str]:
        """What health has to say of the machine."""
        machine = self._machine
        if machine is None or machine["free_mb"] >= LITTLE_MB:
            return []
        left = f"{machine['free_mb']} MB are left where the state folder lies"
        return [f"the disk is nearly full: {left}; without space nothing can be journaled"]

    async def take(self) -> None:
        """Take a sample and keep it; with every tenth the mean of ten."""
        self._machine = await asyncio.to_thread(_machine, self._folder)
        body, now = await self._body(), self._clock.now()
        self._means.bodies.append(body)
        means = None
        if len(self._means.bodies) >= MEAN_OF:
            means, self._means = self._means.of(), _Means()

        def write(connection: Any) -> None:
            samples.keep(connection, 1, now, body)
            if means is not None:
                samples.keep(connection, MEAN_OF, now, means)

        await self._journal.write(write)

    async def past(self, about: str, hours: int) -> PastView:
        """How the hub, or `camera/ID`, was over the last hours, in at most 360 steps."""
        hours = max(1, min(LONGEST_H, hours))
        minutes = 1 if hours <= 24 else MEAN_OF
        names = HUB_FIGURES if about == "hub" else CAMERA_FIGURES
        step = max(60 * minutes, hours * 3600 // POINTS)
        now = self._clock.now()
        since = now - timedelta(hours=hours)
        rows = await self._journal.read(lambda c: samples.rows(c, minutes, since))
        start = int(since.timestamp()) // step * step
        times = list(range(start, int(now.timestamp()) + 1, step))
        sums = await asyncio.to_thread(_sums, rows, about, start, step)
        return PastView(
            about=about,
            hours=hours,
            step_s=step,
            times=times,
            figures=[
                FigureView(
                    key=key,
                    name=name,
                    values=[_at(sums, at, key) for at in range(len(times))],
                )
                for key, name in names.items()
            ],
        )

    async def _body(self) -> Body:
        views = self._supervisor.views()
        running = [each["pid"] for each in views if each["state"] == "running"]
        memory = await asyncio.to_thread(lambda: sum(memory_mb(pid) for pid in running))
        queues = self._queues()
        counted = _Counted(
            self._clock.monotonic(),
            sum(each["cpu_s"] for each in views),
            sum(each.get("dropped", 0) for each in queues.values()),
            self._perception.cameras(),
        )
        before, self._before = self._before, counted
        hub: dict[str, float] = {
            "memory": round(memory, 1),
            "waiting": sum(each.get("waiting", each.get("depth", 0)) for each in queues.values()),
        }
        if self._machine is not None:
            hub["free"] = round(self._machine["free_mb"] / 1024, 2)
            if self._machine["clock_error_s"] is not None:
                hub["clock"] = round(self._machine["clock_error_s"] * 1000, 1)
        cameras = {name: _online(each) for name, each in counted.cameras.items()}
        took = counted.at - before.at if before is not None else 0.0
        if before is not None and took > 0:
            hub["cpu"] = round(max(0.0, counted.cpu_s - before.cpu_s) / took * 100, 2)
            hub["dropped"] = max(0, counted.dropped - before.dropped) / took * 60
            for name, each in counted.cameras.items():
                if name in before.cameras:
                    cameras[name] |= _rates(before.cameras[name], each, took)
            hub["inference"] = round(sum(each.get("inferred", 0.0) for each in cameras.values()), 3)
        return {"hub": hub, "cameras": cameras}


def _online(camera: CameraCounters) -> dict[str, float]:
    return {"online": 100.0 if camera.state == "online" else 0.0}


def _rates(before: CameraCounters, after: CameraCounters, took: float) -> dict[str, float]:
    counted = (
        ("rate", before.decoded, after.decoded),
        ("moved", before.triggered, after.triggered),
        ("inferred", before.inferred, after.inferred),
        ("dropped", before.dropped, after.dropped),
    )
    return {name: round(max(0, now - then) / took, 3) for name, then, now in counted}


def _sums(
    rows: list[tuple[str, str]], about: str, start: int, step: int
) -> dict[tuple[int, str], _Sum]:
    sums: dict[tuple[int, str], _Sum] = {}
    for row in rows:
        at, figures = samples.figures(row, about)
        for name, value in figures.items():
            sums.setdefault((int(at - start) // step, name), _Sum()).add(value)
    return sums


def _at(sums: dict[tuple[int, str], _Sum], at: int, key: str) -> float | None:
    found = sums.get((at, key))
    return None if found is None else found.mean


def _machine(folder: Path) -> MachineView:
    disk, clock = shutil.disk_usage(folder), kernel_clock()
    return MachineView(
        free_mb=disk.free >> 20,
        total_mb=disk.total >> 20,
        clock_kept=None if clock is None else clock.synchronised,
        clock_error_s=None if clock is None else round(clock.error, 3),
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}",
    )
