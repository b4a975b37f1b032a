"""The hub's side of perception: worker processes, what they report, and when a camera is away.

Cameras share one worker. A camera that is at work each time its worker dies gets one of its own,
so that the others go on. Whether a camera is online is judged here, so that a dead worker counts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from hub.campus import Campus
from hub.child_process import Exit
from hub.clock import Clock, iso
from hub.config import Config
from hub.events import Event
from hub.kinds.cameras import VideoSource
from hub.link import Message
from hub.perception.activity import suspects
from hub.perception.crew import Crew
from hub.perception.reports import together
from hub.perception.spec import WorkerSpec, camera_spec, detector_specs
from hub.perception.watched import COUNTED, CameraCounters, State, Watched
from hub.plugins import looked_at
from hub.ports import Accept
from hub.supervisor import Supervisor

log = logging.getLogger(__name__)

SHARED = "perception"
WATCH_EVERY_S = 0.5
KILLS = 3
FORGIVEN_AFTER_S = 60.0
SILENT_AFTER_S = 20.0
STUCK_AFTER_S = 30.0
LATE_S = 1.0  # from then on it is seen whether a worker has a processor
PREPARED_WITHIN_S = 60.0


class Registered(Protocol):
    """The plugin registry; workers load their own."""


class Perception:
    """Starts workers and keeps them; hands their events to `accept`."""

    def __init__(
        self,
        config: Config,
        registry: Registered,
        state: Path,
        clock: Clock,
        accept: Accept,
        supervisor: Supervisor,
        *,
        config_folder: Path = Path(),
        threads: int = 2,
    ) -> None:
        self._config = config
        self._campus = Campus(config.places)
        self._state = state.resolve()
        self._clock = clock
        self._accept = accept
        self._supervisor = supervisor
        self._config_folder = config_folder.resolve()
        self._threads = threads
        self._cameras: dict[str, Watched] = {}
        self._slots = count()
        self._crews: dict[str, Crew] = {}
        self._watcher: asyncio.Task[None] | None = None
        self.first_picture: float | None = None

    # ------------------------------------------------------------ start and stop

    async def start(self, sources: Mapping[str, VideoSource]) -> None:
        """Watch these cameras; more may follow through `add`."""
        snapshots = self._state / "run" / "snapshots"
        await asyncio.to_thread(_forget_old_pictures, snapshots)
        for camera, source in sources.items():
            self._know(camera, source)
        self._watcher = asyncio.create_task(self._watch(), name="watch the cameras")
        if self._cameras:
            self._hire(SHARED, list(self._cameras))

    async def add(self, camera: str, source: VideoSource) -> None:
        """Watch one more camera, or one whose source has changed."""
        known = camera in self._cameras
        self._know(camera, source)
        if not self._crews:
            self._hire(SHARED, [camera])
            return
        crew = self._crew_of(camera) if known else self._crews[SHARED]
        if crew is None:
            return
        if not known:
            crew.cameras.append(camera)
        crew.tell({"t": "camera", "camera": self._cameras[camera].spec.model_dump(mode="json")})

    def reconfigure(self, config: Config, campus: Campus) -> None:
        """Look by another configuration. A camera that has gone is let go of; one that hangs, looks
        or counts differently starts afresh in its worker; workers change their detectors in place.
        """
        self._config, self._campus = config, campus
        for camera in [each for each in self._cameras if each not in config.cameras]:
            self.remove(camera)
        for camera, watched in self._cameras.items():
            before = watched.spec
            watched.spec = camera_spec(config, campus, camera, before.source, before.slot)
            crew = self._crew_of(camera)
            if watched.spec != before and crew is not None:
                crew.tell({"t": "camera", "camera": watched.spec.model_dump(mode="json")})
        for crew in self._crews.values():
            spec = self._worker_spec(crew.name, ()).model_dump(mode="json")
            keys = ("plugins_dir", "looked_at", "detectors")
            crew.tell({"t": "detectors"} | {key: spec[key] for key in keys})

    def remove(self, camera: str) -> None:
        """Watch a camera no longer; one that is not watched is no error."""
        crew = self._crew_of(camera)
        if self._cameras.pop(camera, None) is None:
            return
        if crew is not None:
            crew.cameras.remove(camera)
            crew.tell({"t": "forget", "camera": camera})
        (self._state / "run" / "snapshots" / f"{camera}.jpg").unlink(missing_ok=True)

    async def stop(self, within_s: float = 1.8) -> None:
        """End the workers; what they have seen is journaled first, as far as time allows."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        await asyncio.gather(*(self._supervisor.end(name, within_s) for name in self._crews))
        for crew in self._crews.values():
            await crew.close()

    # ------------------------------------------------------------------ asking

    def cameras(self) -> dict[str, CameraCounters]:
        """Every camera that was given to `start` or `add`."""
        return {name: self._counters(camera) for name, camera in self._cameras.items()}

    def snapshot(self, camera: str) -> tuple[Path, datetime] | None:
        """The newest picture and when it was written; None while there is none."""
        if camera not in self._cameras:
            return None
        path = self._state / "run" / "snapshots" / f"{camera}.jpg"
        try:
            return path, datetime.fromtimestamp(path.stat().st_mtime, UTC)
        except OSError:
            return None

    async def keep(
        self, camera: str, incident: str, at: datetime, offsets: Sequence[float]
    ) -> None:
        """Ask for pictures `offsets` seconds around `at`; they come back as `picture.saved`."""
        crew = self._crew_of(camera)
        message = {
            "t": "keep",
            "camera": camera,
            "incident": incident,
            "at": iso(at),
            "offsets": list(offsets),
        }
        if crew is None or not crew.tell(message):
            log.warning("no worker could be asked to keep pictures of camera %s", camera)

    def watch(self, camera: str, for_s: float) -> bool:
        """Somebody looks at a camera for so long: every picture of its rate is shown. False where
        no worker could be asked.
        """
        crew = self._crew_of(camera)
        return crew is not None and crew.tell({"t": "watch", "camera": camera, "for_s": for_s})

    def detectors(self) -> dict[str, dict[str, Any]]:
        """By id: `name`, `guessing`, `reason`, and its queue's counters, over all workers."""
        found: dict[str, dict[str, Any]] = {}
        for crew in self._crews.values():
            for name, report in crew.health.get("detectors", {}).items():
                found[name] = together(found[name], report) if name in found else report
        return found

    def queues(self) -> dict[str, dict[str, int]]:
        """By worker: events waiting for the journal, events lost, messages refused."""
        return {name: crew.queue() for name, crew in self._crews.items()}

    def work(self) -> dict[str, dict[str, float]]:
        """By worker: processor seconds for decoding and for the gate, MB of pictures remembered."""
        return {name: dict(crew.health.get("work", {})) for name, crew in self._crews.items()}

    # ----------------------------------------------------------------- workers

    def _know(self, camera: str, source: VideoSource) -> None:
        known = self._cameras.get(camera)
        slot = known.spec.slot if known else next(self._slots)
        spec = camera_spec(self._config, self._campus, camera, source, slot)
        if known:
            known.spec = spec
        else:
            self._cameras[camera] = Watched(spec, self._clock.monotonic())

    def _worker_spec(self, name: str, cameras: Iterable[str]) -> WorkerSpec:
        plugins_dir = self._config_folder / self._config.hub.plugins_dir
        return WorkerSpec(
            name=name,
            config_folder=self._config_folder,
            state=self._state,
            activity=self._activity(name),
            plugins_dir=plugins_dir,
            looked_at=looked_at(),
            detectors=detector_specs(self._config),
            cameras=tuple(self._cameras[camera].spec for camera in cameras),
            threads=self._threads,
        )

    def _activity(self, name: str) -> Path:
        return self._state / "run" / f"{name}.activity"

    def _hire(self, name: str, cameras: list[str]) -> None:
        crew = Crew(
            name, cameras, self._worker_spec, self._clock, self._take, self._heard, self._state
        )
        self._crews[name] = crew
        self._supervisor.process(name, crew.prepare, ended=self._ended)

    def _crew_of(self, camera: str) -> Crew | None:
        return next((crew for crew in self._crews.values() if camera in crew.cameras), None)

    async def _ended(self, end: Exit) -> None:
        """A worker is gone: remember its counts, and who was being worked on when it died."""
        crew = self._crews[end.name]
        await crew.gone()
        for camera in crew.cameras:
            self._cameras[camera].new_life()
        if end.asked:
            return
        marked = await asyncio.to_thread(suspects, self._activity(end.name))
        for camera in list(crew.cameras):
            watched = self._cameras.get(camera)
            if watched is None:
                continue
            await self._forget_wrong(camera, watched)
            if end.ran_s > FORGIVEN_AFTER_S or watched.spec.slot not in marked:
                watched.kills = 0
            if watched.spec.slot in marked:
                watched.kills += 1
            if watched.kills >= KILLS and len(crew.cameras) > 1:
                await self._set_apart(crew, camera)

    async def _take(self, *events: Event) -> None:
        """Journal what a worker sent, and remember what stands by it: its health comes later."""
        await self._accept(*events)
        for event in events:
            camera = self._cameras.get(event.subject)
            if camera is not None and event.type == "camera.clear":
                camera.told.discard(str(event.data["ended"]))
            elif camera is not None and event.type.startswith("camera."):
                camera.told.add(event.type.removeprefix("camera."))

    async def _forget_wrong(self, camera: str, watched: Watched) -> None:
        """What was wrong with its pictures was known to a worker that is gone."""
        reason = "its worker has ended, and looks afresh when it is back"
        for ended in sorted(watched.told):
            data = {"camera": camera, "place": watched.spec.place, "reason": reason, "ended": ended}
            source = f"camera/{camera}"
            if await self._publish(Event("camera.clear", source, self._clock.now(), camera, data)):
                watched.told.discard(ended)
        watched.wrong = {}

    async def _set_apart(self, crew: Crew, camera: str) -> None:
        crew.cameras.remove(camera)
        reason = f"its worker died {KILLS} times in a row while busy with it"
        log.error("camera %s gets a worker of its own: %s", camera, reason)
        self._hire(f"{SHARED}-{camera}", [camera])
        data = {"name": camera, "kind": "cameras", "reason": reason}
        await self._publish(Event("plugin.failed", "hub", self._clock.now(), camera, data))

    # ---------------------------------------------------------------- watching

    def _heard(self, crew: Crew, health: Message) -> None:
        """A worker's health message: what its cameras count and how old their pictures are."""
        now = self._clock.monotonic()
        for name, report in health["cameras"].items():
            camera = self._cameras.get(name)
            if camera is None or name not in crew.cameras:
                continue
            camera.now = {key: int(report[key]) for key in COUNTED}
            camera.count(now)
            camera.gate = str(report["gate"])
            camera.reason = str(report["reason"])
            camera.wrong = dict(report["wrong"])
            if report["age_s"] is not None:
                camera.picture_at = now - float(report["age_s"])
                if self.first_picture is None:
                    self.first_picture = camera.picture_at

    async def _watch(self) -> None:
        while True:
            for name, camera in list(self._cameras.items()):
                await self._judge(name, camera)
            for crew in self._crews.values():
                if crew.late(LATE_S):
                    crew.look()
                if why := crew.unwell(SILENT_AFTER_S, STUCK_AFTER_S):
                    log.error("worker %s is killed: %s", crew.name, why)
                    self._supervisor.kill(crew.name)
            await self._clock.sleep(WATCH_EVERY_S)

    async def _judge(self, name: str, camera: Watched) -> None:
        """Online while pictures come; the change counts once the journal has it."""
        if self._cameras.get(name) is not camera:
            return
        latest = camera.picture_at
        crew = self._crew_of(name)
        first = crew is not None and crew.lives < 2  # one that dies and dies is no beginning
        if latest is None and crew is not None and first and crew.preparing(PREPARED_WITHIN_S):
            camera.since = self._clock.monotonic()  # nobody has tried to reach it yet
        since = camera.since if latest is None else latest
        silent = self._clock.monotonic() - since
        patience, forgiven = self._config.cameras[name].offline_after, 0.0
        if crew is not None and silent > LATE_S and camera.state != "offline":
            crew.look()
            forgiven = crew.forgiven(since)
        state: State = "offline" if silent - forgiven > patience else "online"
        if state == "online" and latest is None:
            return
        if state == camera.state:
            return
        told = camera.state == "starting" and state == "online"
        if told or await self._publish(self._presence(name, camera, state, silent)):
            camera.state, camera.changed = state, self._clock.now()

    def _presence(self, name: str, camera: Watched, state: State, silent: float) -> Event:
        data: dict[str, Any] = {"camera": name, "place": camera.spec.place}
        if state == "offline":
            data |= {"silent_s": round(silent, 1), "reason": self._why(camera)}
        return Event(f"camera.{state}", f"camera/{name}", self._clock.now(), name, data)

    def _why(self, camera: Watched) -> str:
        crew = self._crew_of(camera.spec.id)
        if crew is None or not crew.connected:
            return "its worker is not running"
        since = camera.since if camera.picture_at is None else camera.picture_at
        if not camera.reason and crew.is_starved(since):
            return "this machine has too much to do to look at its pictures"
        return camera.reason or "no picture comes"

    def _what_is_wrong(self, camera: Watched) -> str:
        return "; ".join(camera.wrong.values()) if camera.state == "online" else self._why(camera)

    async def _publish(self, event: Event) -> bool:
        try:
            await self._accept(event)
        except Exception as error:
            log.error("%s could not be journaled: %s", event.type, error)
            return False
        return True

    def _counters(self, camera: Watched) -> CameraCounters:
        crew = self._crew_of(camera.spec.id)
        detectors = crew.health.get("detectors", {}) if crew else {}
        detector = detectors.get(camera.spec.detector, {})
        age = None
        if camera.picture_at is not None:
            age = max(0.0, self._clock.monotonic() - camera.picture_at)
        snapshot = self.snapshot(camera.spec.id)
        return CameraCounters(
            state=camera.state,
            reason=self._what_is_wrong(camera),
            since=camera.changed,
            rate=camera.rate(self._clock.monotonic()),
            gate=camera.gate,
            picture_time=snapshot[1] if snapshot else None,
            picture_age_s=age,
            detector="" if camera.spec.private else str(detector.get("name", "")),
            guessing=bool(detector.get("guessing", False)),
            worker=crew.name if crew else "",
            **{name: camera.total(name) for name in COUNTED},
        )


def _forget_old_pictures(folder: Path) -> None:
    """An earlier run's last picture must not pass for the present."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink(missing_ok=True)
