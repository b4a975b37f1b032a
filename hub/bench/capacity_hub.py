"""One capacity run: a whole hub on so many cameras that a source of its own plays, and its figures.

`vestibule run` starts as for a school, with the `rtsp` driver, the journal and the API; what a
person's coming leads to is followed from the instant the picture is sent to the committed event.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from hub.bench.capacity_scenes import SECONDS, TAKES
from hub.bench.capacity_source import film_of
from hub.clock import from_iso
from hub.errors import CannotCheck
from hub.models import ModelStore
from hub.procfs import memory_mb, threads, usage
from hub.storage.folder import StateFolder
from hub.testing.running_hub import RunningHub

ONLINE_WITHIN_S = 90.0
DRAWN_WITHIN_S = 300.0
LOOK_EVERY_S = 2.0
STALE_S = 2.0  # a camera whose newest picture is older starves
WORKER = "perception"
LOADS = {  # name: (scene, whether cameras sleep)
    "quiet, asleep": ("quiet", True),
    "quiet": ("quiet", False),
    "ordinary": ("ordinary", False),
    "busy": ("busy", False),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """What a run is made with: a scene, whether cameras may sleep, how often they are looked at,
    the detector's block, seconds before and while measuring, and seconds of each clip.
    """

    scene: str
    asleep: bool
    fps: float
    detector: dict[str, str]
    settle: float
    seconds: float
    clip: int
    models: Path | None = None

    def _film(self, camera: int) -> str:
        place, take = TAKES[film_of(camera)]
        return f"{self.scene}-{place}-{take}"

    def config(self, cameras: int, port: int) -> dict[str, Any]:
        """The school's file, as JSON, which YAML takes."""
        sleep = {"sleep_after": "10s"} if self.asleep else {}
        return {
            "hub": {"name": "Capacity"},
            "places": {"site": {"name": "School", "kind": "site"}},
            "detectors": {"people": self.detector},
            "cameras": {
                f"c{number}": {
                    "driver": "rtsp",
                    "url": f"rtsp://127.0.0.1:{port}/{self._film(number)}/{number}",
                    "place": "site",
                    "detector": "people",
                    "fps": self.fps,
                }
                | sleep
                for number in range(cameras)
            },
        }


def settings(
    loads: Sequence[str],
    fps: float,
    times: tuple[float, float],
    model: str = "auto",
    state: Path = Path(".vestibule"),
) -> dict[str, Setting]:
    """What is measured, by load (all of LOADS where none is named); `times` are the seconds before
    and while measuring. Raises `CannotCheck` for an unknown load, `ModelError` for such a model.
    """
    if unknown := [load for load in loads if load not in LOADS]:
        known = "; ".join(LOADS)
        raise CannotCheck(f"no load {unknown[0]!r}; there are: {known}")
    models = StateFolder(state).models.absolute()
    file = "auto" if model == "auto" else str(ModelStore(models).resolve(model).absolute())
    return {
        load: Setting(
            scene, asleep, fps, {"driver": "onnx", "model": file}, *times, SECONDS,
            models if models.is_dir() else None,
        )
        for load, (scene, asleep) in LOADS.items()
        if load in loads or not loads
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entered:
    """A `zone.entered`: which camera, when it reached a client and when it happened (both on the
    monotonic clock, s), and the middle of the box (pixels from the left).
    """

    camera: int
    received: float
    happened: float
    middle: float


@dataclass(slots=True)
class Measured:
    """What was measured from `begin` to `end` (s, monotonic). CPU is in seconds, memory in MB."""

    cameras: int
    begin: float = 0.0
    end: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)
    memory_mb: float = 0.0
    pictures_mb: float = 0.0
    inferred: int = 0
    decoded: int = 0
    starved: dict[str, str] = field(default_factory=dict)
    began: dict[int, float] = field(default_factory=dict)
    entered: list[Entered] = field(default_factory=list)
    source_cpu: float = 0.0
    source_late: float = 0.0
    source_left_out: int = 0
    detector: str = ""


class _Source:
    """The process that plays the cameras, and what it says."""

    def __init__(self, setting: Setting, folder: Path) -> None:
        self.began: dict[int, float] = {}
        self.late: list[tuple[float, float]] = []
        self.left_out = 0
        self._port: int | None = None
        self._ready = threading.Event()
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [
                sys.executable, "-P", "-m", "hub.bench.capacity_source", "--scene", setting.scene,
                "--seconds", str(setting.clip), "--folder", str(folder),
            ],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, name="source", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def port(self) -> int:
        """Where it listens, once its clips are drawn. Raises `CannotCheck`."""
        self._ready.wait(DRAWN_WITHIN_S)
        if self._port is None:
            raise CannotCheck("the cameras of this run could not be started; run it again")
        return self._port

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join(5)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            if "port" in said:
                self._port = int(said["port"])
                self._ready.set()
            elif "began" in said:
                self.began[int(said["camera"])] = float(said["began"])
            else:
                self.late.append((time.monotonic(), float(said["late"])))
                self.left_out = int(said["left_out"])
        self._ready.set()


class _Events:
    """Follows the hub's events as a program would, over its API."""

    def __init__(self, hub: RunningHub) -> None:
        self.entered: list[Entered] = []
        self._ahead = time.time() - time.monotonic()
        request = urllib.request.Request(f"{hub.address}/api/v1/events")  # noqa: S310
        request.add_header("Authorization", f"Bearer {hub.token}")
        self._answer = urllib.request.urlopen(request, timeout=60)  # noqa: S310
        self._reader = threading.Thread(target=self._read, name="events", daemon=True)
        self._reader.start()

    def join(self) -> None:
        """Wait for the end of the stream, which the hub's own end brings."""
        self._reader.join(5)

    def _read(self) -> None:
        with suppress(OSError, ValueError), self._answer as answer:  # cut off with the hub
            for line in answer:
                received = time.monotonic()
                if not line.startswith(b"data:"):
                    continue
                event = json.loads(line[5:])
                if event["type"] == "zone.entered":
                    data = event["data"]
                    happened = from_iso(event["time"]).timestamp() - self._ahead
                    middle = (data["box"][0] + data["box"][2]) / 2
                    number = int(str(data["camera"])[1:])
                    self.entered.append(Entered(number, received, happened, middle))


def run(
    setting: Setting, cameras: int, folder: Path, step: Callable[[str], None] = lambda _: None
) -> Measured:
    """Start everything, let it settle, measure, stop. Raises `CannotCheck` where it cannot start.

    A camera that never shows a picture counts as starved. `step` is told what is being waited for.
    """
    measured = Measured(cameras)
    place = folder / f"{setting.scene}-{'asleep' if setting.asleep else 'awake'}-{cameras}"
    place.mkdir(parents=True, exist_ok=True)
    step("drawing")
    source = _Source(setting, folder)
    events: _Events | None = None
    try:
        config = place / "config.yaml"
        text = json.dumps(setting.config(cameras, source.port()), indent=1)
        config.write_text(text, encoding="utf-8")
        with _running(config, place / "state", setting.models) as hub:
            events = _Events(hub)
            _follow(hub, source, events, setting, measured, step)
    finally:
        if events is not None:
            events.join()
        source.stop()
    return measured


@contextmanager
def _running(config: Path, state: Path, models: Path | None) -> Iterator[RunningHub]:
    state.mkdir(parents=True, exist_ok=True)
    if models is not None and not (state / "models").exists():
        (state / "models").symlink_to(models)
    hub = RunningHub(config, state)
    try:
        try:
            hub.start()
        except RuntimeError:
            said = (hub.errors().strip().splitlines() or ["it said nothing"])[-1]
            raise CannotCheck(f"the hub of this run did not start: {said}") from None
        yield hub
    finally:
        try:
            with suppress(AssertionError):
                hub.__exit__()
        except subprocess.TimeoutExpired:
            hub.kill()  # the next number must not be measured beside it


def _follow(
    hub: RunningHub,
    source: _Source,
    events: _Events,
    setting: Setting,
    measured: Measured,
    step: Callable[[str], None],
) -> None:
    step("connecting")
    with suppress(TimeoutError):  # those that are not there in time are found starved below
        hub.until("cameras", _all_online, ONLINE_WITHIN_S, 1.0)
    step("settling")
    time.sleep(setting.settle)
    step("measuring")
    before = _spent(hub, source.pid)
    begin = {each["id"]: each for each in hub.get("cameras")}
    measured.begin = time.monotonic()
    while (left := measured.begin + setting.seconds - time.monotonic()) > 0:
        time.sleep(min(left, LOOK_EVERY_S))
        measured.starved |= starving(hub.get("cameras"))
    measured.end = time.monotonic()
    after = _spent(hub, source.pid)
    end = {each["id"]: each for each in hub.get("cameras")}
    health = hub.get("health")
    measured.cpu = {name: after[name] - before[name] for name in after}
    measured.source_cpu = measured.cpu.pop("source")
    measured.memory_mb = sum(memory_mb(each["pid"]) for each in health["processes"])
    measured.pictures_mb = sum(each.get("pictures_mb", 0.0) for each in health["work"].values())
    measured.detector = str(health["detecting"])
    for name in ("inferred", "decoded"):
        setattr(measured, name, sum(end[id_][name] - begin[id_][name] for id_ in end))
    measured.entered = list(events.entered)
    measured.began = dict(source.began)
    measured.source_late = max(
        (late for at, late in source.late if at >= measured.begin), default=0.0
    )
    measured.source_left_out = source.left_out


def _all_online(cameras: list[dict[str, Any]]) -> bool:
    return all(camera["state"] == "online" for camera in cameras)


def starving(cameras: list[dict[str, Any]]) -> dict[str, str]:
    """By camera: why no picture of it can be looked at now."""
    found = {}
    for camera in cameras:
        age = camera["picture_age_s"]
        if camera["state"] != "online":
            found[camera["id"]] = f"it is {camera['state']}"
        elif age is None or age > STALE_S:
            found[camera["id"]] = f"its newest picture is {age or 0:.1f} s old"
    return found


def _spent(hub: RunningHub, source: int) -> dict[str, float]:
    """CPU seconds so far: `decode`, `gate`, `inference`, `reading`, `rest` of the workers' time,
    `hub` for the hub's own process and any others, and `source`.
    """
    health = hub.get("health")
    spent = dict.fromkeys(("decode", "gate", "inference", "reading", "rest", "hub", "source"), 0.0)
    for process in health["processes"]:
        used = usage(process["pid"])
        if used is None:
            continue
        if not str(process["name"]).startswith(WORKER):
            spent["hub"] += used.cpu_s
            continue
        work = cast(dict[str, float], health["work"].get(process["name"], {}))
        parts = {"decode": work.get("decode_s", 0.0), "gate": work.get("gate_s", 0.0)}
        named = threads(process["pid"]).values()
        parts["inference"] = sum(cpu for name, cpu in named if name.startswith("inference"))
        parts["reading"] = sum(cpu for name, cpu in named if name.startswith("demux"))
        for name, seconds in parts.items():
            spent[name] += seconds
        spent["rest"] += used.cpu_s - sum(parts.values())
    used = usage(source)
    spent["source"] = used.cpu_s if used else 0.0
    return spent
