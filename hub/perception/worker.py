"""A perception worker: `python -m hub.perception.worker --fd N`, started by the hub only.

It reads cameras, finds what moves, asks the detector and sends events. It runs at lower priority
than the hub, and ends at once when the hub is gone.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import faulthandler
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, NoReturn

from hub.clock import Clock, SystemClock, from_iso
from hub.events import Event
from hub.link import Link, Message
from hub.perception.activity import ASKING, WORKING, Activity
from hub.perception.detectors import Detectors
from hub.perception.feed import Feed
from hub.perception.ffmpeg import ways
from hub.perception.kept_scene import KeptScene
from hub.perception.link import Outbox
from hub.perception.live import LiveCamera, Question, Worked
from hub.perception.pictures import Pictures, Wanted
from hub.perception.pipeline import CameraPipeline
from hub.perception.spec import CameraSpec, WorkerSpec
from hub.perception.worker_log import LinkLog, log_through_logging, to_loop
from hub.perception.zones import WHOLE, ZoneArea
from hub.procfs import die_with_parent, give_way, name_threads

log = logging.getLogger(__name__)

NICE = 10
START_WITHIN_S = 15.0
HEALTH_EVERY_S = 0.5
FLUSH_WITHIN_S = 0.8
EASY = 0.3


class Worker:
    """The cameras of one process and what they share."""

    def __init__(self, link: Link, spec: WorkerSpec, clock: Clock) -> None:
        self._link = link
        self._spec = spec
        self._clock = clock
        self._outbox = Outbox(link, clock)
        self._activity = Activity(spec.activity)
        self._pool = ThreadPoolExecutor(spec.threads, thread_name_prefix="look")
        self._cameras: dict[str, LiveCamera] = {}
        self._due: dict[str, float] = {}
        self._replaced: list[LiveCamera] = []
        self._early = {camera.id: camera for camera in spec.cameras}
        self._detectors: Detectors | None = None
        self._wake = asyncio.Event()
        self._exchange = asyncio.Event()
        self._tick_began: float | None = None
        self._tick_took = 0.0
        self._named: set[int] = set()

    async def run(self) -> None:
        """Work until told to stop."""
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stopped.set)
        tasks = [
            asyncio.create_task(self._obey(stopped), name="obey the hub"),
            asyncio.create_task(self._work(), name="work"),
            asyncio.create_task(self._report(), name="report"),
            asyncio.create_task(self._exchange_detectors(), name="exchange detectors"),
        ]
        waiting = asyncio.create_task(stopped.wait(), name="wait for the end")
        done, _ = await asyncio.wait({*tasks, waiting}, return_when=asyncio.FIRST_COMPLETED)
        for task in done - {waiting}:
            if error := task.exception():
                raise error
        for camera in self._cameras.values():
            camera.feed.stop()
        tasks[1].cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_WITHIN_S):
                await self._outbox.empty()

    # ------------------------------------------------------------ from the hub

    async def _obey(self, stopped: asyncio.Event) -> None:
        while True:
            message = await self._link.receive()
            if message is None:
                leave(1)
            match message["t"]:
                case "ack":
                    self._outbox.acknowledged(int(message["seq"]))
                case "camera":
                    self._add(CameraSpec.model_validate(message["camera"]))
                case "forget":
                    self._forget(str(message["camera"]))
                case "detectors":
                    self._spec = WorkerSpec.model_validate(
                        self._spec.model_dump()
                        | {key: message[key] for key in ("plugins_dir", "looked_at", "detectors")}
                    )
                    self._exchange.set()
                case "keep":
                    self._keep(message)
                case "watch":
                    if known := self._cameras.get(str(message["camera"])):
                        known.watch(float(message["for_s"]))
                case "stop":
                    stopped.set()
                case other:
                    log.warning("the hub sent a message of unknown kind %r", other)

    def _add(self, spec: CameraSpec) -> None:
        """Start a camera, or look at it by a changed specification; only another source means that
        it is opened afresh.
        """
        if self._detectors is None:  # nothing could be made of its packets yet
            self._early[spec.id] = spec
            return
        known = self._cameras.get(spec.id)
        if known is not None and known.spec.opened == spec.opened:
            known.adopt(spec, lambda size: self._pipeline(spec, size))
            return
        if known is not None:
            known.feed.stop()
            self._replaced.append(known)
        pictures = Pictures(
            self._spec.state / "run" / "snapshots" / f"{spec.id}.jpg", self._spec.state / "media"
        )
        feed = Feed(spec.id, spec.source, self._clock, wrappers=len(ways(spec.by_command)))
        self._cameras[spec.id] = LiveCamera(
            spec, feed, pictures, self._clock, lambda size: self._pipeline(spec, size),
            KeptScene(self._spec.state / "scenes" / f"{spec.id}.npz", feed.source.url),
        )  # fmt: skip
        self._due[spec.id] = self._clock.monotonic()
        feed.start()
        self._wake.set()

    def _forget(self, camera: str) -> None:
        """Let go of a camera; what it has seen already goes on its way."""
        self._early.pop(camera, None)
        self._due.pop(camera, None)
        known = self._cameras.pop(camera, None)
        if known is not None:
            known.feed.stop()

    async def _exchange_detectors(self) -> None:
        """Build what has changed beside what works, then exchange it between two looks."""
        loop = asyncio.get_running_loop()
        while True:
            await self._exchange.wait()
            self._exchange.clear()
            detectors = self._detectors
            if detectors is None:
                continue  # they are built from the newest specification once they are
            built = await loop.run_in_executor(None, detectors.build, self._spec)
            before = {name: detectors.behind(c.spec.detector) for name, c in self._cameras.items()}
            for held in detectors.exchange(built):
                await loop.run_in_executor(None, held.inference.close)
            for name, camera in self._cameras.items():
                if detectors.behind(camera.spec.detector) is not before.get(name):
                    camera.begin_anew()

    def _pipeline(self, spec: CameraSpec, size: tuple[int, int]) -> CameraPipeline:
        assert self._detectors is not None
        zones = [ZoneArea(zone.place, zone.polygon, zone.name) for zone in spec.zones]
        return CameraPipeline(
            spec.id,
            size,
            spec.fps,
            self._detectors.info(spec.detector),
            zones or [ZoneArea(spec.place, WHOLE)],
            spec.masks,
            spec.look_every,
        )

    def _keep(self, message: Message) -> None:
        camera = self._cameras.get(str(message["camera"]))
        if camera is None or camera.spec.private:
            return
        at = from_iso(str(message["at"]))
        offsets = [float(offset) for offset in message["offsets"]]
        incident = str(message["incident"])
        camera.want([Wanted(incident, off, at + timedelta(seconds=off)) for off in offsets])

    # ------------------------------------------------------------------ working

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        spec = self._spec
        self._detectors = await loop.run_in_executor(
            self._pool,
            Detectors,
            spec,
            self._clock,
            lambda *said: to_loop(loop, self._tell, *said),
        )
        if self._spec is not spec:
            self._exchange.set()
        for camera in self._early.values():
            self._add(camera)
        while True:
            while self._replaced:  # here nobody works on them any more
                for event in self._replaced.pop().end("it is opened afresh"):
                    self._outbox.put(event)
            began = self._tick_began = self._clock.monotonic()
            due = [each for name, each in self._cameras.items() if self._due[name] <= began]
            for each in due:
                self._due[each.spec.id] = began + 1.0 / each.spec.fps
            for each, worked in await self._spread(due):
                self._pass_on(each, worked)
                if self._cameras.get(each.spec.id) is each:
                    self._due[each.spec.id] = each.next_turn()
            now = self._clock.monotonic()
            self._tick_began, self._tick_took = None, now - began
            self._wake.clear()
            next_due = min(self._due.values(), default=now + 1.0)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.001, next_due - now)):
                    await self._wake.wait()

    async def _spread(self, due: Sequence[LiveCamera]) -> list[tuple[LiveCamera, Worked]]:
        """Work on all that are due, on one thread while that is easy, else on all of them."""
        if not due:
            return []
        loop = asyncio.get_running_loop()
        period = min(1.0 / camera.spec.fps for camera in due)
        threads = 1 if self._tick_took < EASY * period else min(self._spec.threads, len(due))
        shares = [due[start::threads] for start in range(threads)]
        done = await asyncio.gather(
            *(loop.run_in_executor(self._pool, self._work_on, share) for share in shares)
        )
        return [each for share in done for each in share]

    def _work_on(self, cameras: Sequence[LiveCamera]) -> list[tuple[LiveCamera, Worked]]:
        worked = []
        for camera in cameras:
            with self._activity.marked(camera.spec.slot, WORKING):
                worked.append((camera, camera.work()))
        return worked

    def _pass_on(self, camera: LiveCamera, worked: Worked) -> None:
        for event in worked.events:
            self._outbox.put(event)
        if worked.question is not None:
            self._ask(camera, worked.question)

    def _ask(self, camera: LiveCamera, question: Question) -> None:
        assert self._detectors is not None
        loop = asyncio.get_running_loop()
        camera.asking += 1
        self._activity.mark(camera.spec.slot, ASKING)

        def answered(found: list[Any] | None) -> None:
            """On the loop, whatever came of it."""
            camera.answer(question, found)
            camera.asking -= 1
            if not camera.asking:
                self._activity.unmark(camera.spec.slot, ASKING)
            if self._cameras.get(camera.spec.id) is camera:
                self._due[camera.spec.id] = self._clock.monotonic()
                self._wake.set()

        self._detectors.ask(
            camera.spec,
            question.crops,
            lambda found: to_loop(loop, answered, found),
        )

    # --------------------------------------------------------------- to the hub

    def _tell(self, plugin: str, what: str, why: str) -> None:
        """A detector from outside does what it must not."""
        data = {"plugin": plugin, "what": what, "reason": why}
        source = f"perception/{self._spec.name}"
        self._outbox.put(Event("plugin.misbehaved", source, self._clock.now(), plugin, data))

    async def _report(self) -> None:
        while True:
            if self._detectors is not None and self._detectors.unfinished():
                self._exchange.set()
            self._outbox.resend_late()
            name_threads(self._named)
            self._link.offer(self._health())
            await self._clock.sleep(HEALTH_EVERY_S)

    def _health(self) -> Message:
        now = self._clock.monotonic()
        detectors = self._detectors
        return {
            "t": "health",
            "busy_s": 0.0 if self._tick_began is None else round(now - self._tick_began, 2),
            "asking_s": 0.0 if detectors is None else round(detectors.busy_s(), 2),
            "events_waiting": self._outbox.unacknowledged,
            "events_lost": self._outbox.lost,
            "refused": self._link.refused,
            "detectors": {} if detectors is None else detectors.report(),
            "work": self._work_done(),
            "cameras": {name: self._camera_health(c, now) for name, c in self._cameras.items()},
        }

    def _work_done(self) -> dict[str, float]:
        cameras = self._cameras.values()
        return {
            "decode_s": round(sum(camera.spent.decode for camera in cameras), 3),
            "gate_s": round(sum(camera.spent.gate for camera in cameras), 3),
            "pictures_mb": round(sum(c.pictures.held_bytes for c in cameras) / 1048576, 2),
        }

    @staticmethod
    def _camera_health(camera: LiveCamera, now: float) -> Message:
        counters = camera.counters
        return {
            "decoded": counters.decoded,
            "triggered": counters.triggered,
            "inferred": counters.inferred,
            "dropped": camera.dropped,
            "damaged": counters.damaged,
            "faults": counters.faults,
            "missed": camera.pictures.missed,
            "gate": camera.gate,
            "reason": camera.feed.trouble or camera.fault,
            "wrong": camera.wrong,
            "age_s": None if camera.picture_at is None else round(now - camera.picture_at, 3),
        }


async def serve(descriptor: int) -> None:
    """Take over the socket, wait for the start message, work."""
    link = await Link.over(socket.socket(fileno=descriptor))
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.addHandler(LinkLog(link, asyncio.get_running_loop()))
    log_through_logging()
    async with asyncio.timeout(START_WITHIN_S):
        message = await link.receive()
    if message is None or message["t"] != "start":
        leave(1)
    worker = Worker(link, WorkerSpec.model_validate(message["spec"]), SystemClock())
    await worker.run()
    await link.close()


def leave(code: int) -> NoReturn:
    """End at once: reading threads may sit in a read that nothing can interrupt."""
    sys.stderr.flush()
    os._exit(code)


def main(arguments: Sequence[str] | None = None) -> None:
    """The process."""
    parser = argparse.ArgumentParser(prog="hub.perception.worker")
    parser.add_argument("--fd", type=int, required=True, help="the socket to the hub")
    descriptor = parser.parse_args(arguments).fd
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1)
    give_way(NICE)
    try:
        asyncio.run(serve(descriptor))
    except BaseException:
        logging.getLogger().handlers.clear()
        log.exception("the worker ended by a fault")
        leave(1)
    leave(0)


if __name__ == "__main__":
    main()
