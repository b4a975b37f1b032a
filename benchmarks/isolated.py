"""What a call to a driver in a process of its own costs, beside the same call without one.

    python benchmarks/isolated.py [--calls 2000] [--json]

One notifier that only answers; `send()` with a full notice, one call after the other. *floor* is a
bare round trip of the same bytes over a socket pair between two processes. Then one detector that
only answers, with a crop of 416x416 and one of 1280x720, and the copy of those pixels alone.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import os
import socket
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import Any

import numpy as np
from told import tell

from hub.clock import SystemClock
from hub.config import NotifierBlock
from hub.isolated import Hosts
from hub.kinds import Context
from hub.kinds.detectors import Crop
from hub.kinds.notifiers import Notice, Recipient
from hub.perception.apart import DetectorApart
from hub.perception.crossing import Build
from hub.plugins import load_registry
from hub.procfs import usage
from hub.supervisor import Supervisor

PLUGIN = """\
from hub import (
    Block, Channel, Detection, DetectorInfo, Driver, Receipt, hookimpl,
)

class Quiet:
    channel = Channel(path="lan")
    def __init__(self, config, context):
        pass
    async def start(self):
        pass
    async def send(self, notice):
        return Receipt("accepted", id=notice.key)
    async def close(self):
        pass

class Blind:
    info = DetectorInfo("blind", ("person",), (416,), "MIT", "")
    def __init__(self, config, context):
        pass
    def infer(self, crops):
        return [[Detection("person", 0.5, (1, 2, 30, 40))] for crop in crops]
    def close(self):
        pass

@hookimpl
def vestibule_notifiers():
    return [Driver("quiet", Quiet, Block, "Only answers")]

@hookimpl
def vestibule_detectors():
    return [Driver("blind", Blind, Block, "Only answers")]
"""
NOTICE = Notice(
    "a" * 32, "alert", "high", "Person in the closed science wing", "Look at the picture.",
    datetime(2026, 3, 2, tzinfo=UTC), (Recipient("sro", "Officer", "officer@school.example"),),
)  # fmt: skip


async def nothing(*given: Any) -> None:
    """Nobody wants to know."""


async def timed(call: Callable[[], Awaitable[object]], calls: int) -> dict[str, float]:
    """Percentiles in microseconds."""
    taken = []
    for _ in range(calls):
        began = time.perf_counter()
        await call()
        taken.append((time.perf_counter() - began) * 1e6)
    return percentiles(taken)


def timed_here(call: Callable[[], object], calls: int) -> dict[str, float]:
    """The same for a call that is not awaited."""
    taken = []
    for _ in range(calls):
        began = time.perf_counter()
        call()
        taken.append((time.perf_counter() - began) * 1e6)
    return percentiles(taken)


def percentiles(taken: list[float]) -> dict[str, float]:
    """Of times in microseconds."""
    cuts = quantiles(taken, n=100, method="inclusive")
    return {f"p{at}_us": round(cuts[at - 1], 1) for at in (50, 95, 99)}


def round_trips(calls: int, size: int = 600) -> dict[str, float]:
    """The floor: bytes to another process and back."""
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        while said := theirs.recv(size):
            theirs.sendall(said)
        os._exit(0)
    theirs.close()
    taken = []
    for _ in range(calls):
        began = time.perf_counter()
        ours.sendall(bytes(size))
        ours.recv(size, socket.MSG_WAITALL)
        taken.append((time.perf_counter() - began) * 1e6)
    ours.close()
    os.wait()
    return percentiles(taken)


async def measure(calls: int) -> dict[str, Any]:
    """Both ways, in one run."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "quiet.py").write_text(PLUGIN, encoding="utf-8")
        registry = load_registry(Path(folder))
        driver = registry.driver("notifiers", "quiet")
        provider = registry.provider("notifiers", "quiet")
        assert provider is not None
        clock = SystemClock()
        supervisor = Supervisor(clock, nothing)
        context = Context(name="quiet", state=Path(folder))
        inside = driver.factory(driver.config(), context)
        block = NotifierBlock(driver="quiet", settings=driver.config())
        hosts = Hosts(clock, supervisor, nothing)
        began = time.perf_counter()
        apart = hosts.make(provider, driver, "notifiers", "quiet", block, context)
        await apart.start()
        up = time.perf_counter() - began
        told = {
            "in_process": await timed(lambda: inside.send(NOTICE), calls),
            "isolated": await timed(lambda: apart.send(NOTICE), calls),
            "start_s": round(up, 2),
        }
        pid = next(view["pid"] for view in supervisor.views() if view["name"] != "hub")
        told["host_mb"] = round((usage(pid) or usage(os.getpid())).rss_peak_mb, 1)  # type: ignore[union-attr]
        await supervisor.stop()
    return told


def measure_detector(calls: int) -> dict[str, Any]:
    """One crop, answered in this process and in another, by its size."""
    told: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "quiet.py").write_text(PLUGIN, encoding="utf-8")
        registry = load_registry(Path(folder))
        driver = registry.driver("detectors", "blind")
        provider = registry.provider("detectors", "blind")
        assert provider is not None
        context = Context(name="blind", state=Path(folder))
        inside = driver.factory(driver.config(), context)
        build = Build.of(provider, "blind", {}, context)
        apart = DetectorApart(build, SystemClock(), lambda *_: None)
        apart.wait()
        for width, height in ((416, 416), (1280, 720)):
            image = np.zeros((height, width, 3), np.uint8)
            box, none = (0, 0, width, height), np.zeros((0, 4), np.int32)
            crops = [Crop(image, box, (width, height), none)]
            copy = np.empty_like(image)
            told[f"{width}x{height}"] = {
                "copy": timed_here(functools.partial(np.copyto, copy, image), calls),
                "in_process": timed_here(functools.partial(inside.infer, crops), calls),
                "isolated": timed_here(functools.partial(apart.infer, crops), calls),
            }
        apart.close()
    return told


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    told = {"floor": round_trips(given.calls), **asyncio.run(measure(given.calls))}
    told["detector"] = measure_detector(given.calls)
    tell(told, given.json)


if __name__ == "__main__":
    main()
