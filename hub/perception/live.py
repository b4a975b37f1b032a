"""One live camera inside a worker: packets in, looks, crops and events out.

`work()` does everything that costs time, on whichever thread calls it, one at a time per camera:
decode what has come, look at pictures at the camera's own rate, keep the newest picture.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from time import thread_time
from typing import Any

from hub.clock import Clock
from hub.events import Event
from hub.kinds.detectors import Crop, Detection
from hub.perception.by_command import ByCommand
from hub.perception.decode import frame_from_av
from hub.perception.feed import Feed, Packet
from hub.perception.frames import Frame
from hub.perception.intra import KeyFramesOnly
from hub.perception.kept_scene import KeptScene
from hub.perception.live_events import picture_event, zone_event
from hub.perception.look_times import LookTimes
from hub.perception.masks import PaintedMask
from hub.perception.oversight import Oversight
from hub.perception.pictures import Picture, Pictures, Wanted
from hub.perception.pipeline import CameraPipeline, Look
from hub.perception.sleeping import Sleeping
from hub.perception.spec import CameraSpec
from hub.perception.stream import StreamDecoder
from hub.perception.tamper import Kind

log = logging.getLogger(__name__)

BEHIND_S = 0.6  # between two calls of `work`, beyond which only the newest is looked at
TOGETHER_S = 0.04  # cameras whose pictures come within this are worked on together
ARRIVES_S = 0.005  # after its time, and what such packets are late as a rule, a picture is there
HURRY_S = 0.02
FRESH_S = 0.5  # how late the next picture of somebody new is waited for in a hurry
NEVER = -1e18


@dataclass(slots=True)
class Counters:
    """What became of a camera's pictures so far."""

    decoded: int = 0
    triggered: int = 0
    inferred: int = 0
    dropped: int = 0
    damaged: int = 0
    faults: int = 0


@dataclass(slots=True)
class Spent:
    """Processor time (s) that a camera's pictures took so far, on the threads that look."""

    decode: float = 0.0
    gate: float = 0.0


@dataclass(frozen=True, slots=True)
class Question:
    """Crops of one frame for the detector; `frame` and `look` go back into `answer`."""

    frame: Frame
    look: Look
    crops: Sequence[Crop]
    asker: CameraPipeline


@dataclass(slots=True)
class Worked:
    """What one call of `work()` produced."""

    question: Question | None = None
    events: list[Event] = field(default_factory=list)


class LiveCamera:
    """A camera, its decoder, its pipeline and its pictures.

    `pipeline(size)` builds the pipeline once the size of the pictures is known, and again when it
    changes; None means look at nothing.
    """

    def __init__(
        self,
        spec: CameraSpec,
        feed: Feed,
        pictures: Pictures,
        clock: Clock,
        pipeline: Callable[[tuple[int, int]], CameraPipeline] | None,
        scene: KeptScene | None = None,
    ) -> None:
        self.spec = spec
        self.feed = feed
        self.pictures = pictures
        self.counters = Counters()
        self.spent = Spent()
        self.picture_at: float | None = None
        self.fault = ""
        self.gate = "private" if spec.private else "warming"
        self.asking = 0
        self._clock = clock
        self._pipeline_for = None if spec.private else pipeline
        self._pipeline: CameraPipeline | None = None
        self._size = (0, 0)
        self._mask: PaintedMask | None = None
        self._oversight = Oversight(scene, self._stored, clock)
        if spec.private:
            self._oversight.forget()
        self._keys = 0
        command = ByCommand(spec.id, spec.by_command, clock) if spec.by_command else None
        self._stream = StreamDecoder(feed.reopen, command)
        self._sleeping = Sleeping(None if spec.private else spec.sleep_after)
        self._intra = KeyFramesOnly()
        self._looks = LookTimes(spec.fps)
        self._worked_at = self._look_from = self._shown_at = self._looked_at_until = NEVER
        self._wall = clock.now()
        self._answers: deque[tuple[Question, list[Detection] | None]] = deque()
        self._wanted: list[Wanted] = []
        self._anew = False
        self._next: tuple[CameraSpec, Callable[[tuple[int, int]], CameraPipeline]] | None = None
        self._lock = threading.Lock()

    def answer(self, question: Question, detections: list[Detection] | None) -> None:
        """What the detector found on a question's crops; None when it did not look at them."""
        self.counters.dropped += detections is None
        with self._lock:
            self._answers.append((question, detections))

    def want(self, wanted: Sequence[Wanted]) -> None:
        """Ask for pictures around a moment, for an incident."""
        with self._lock:
            self._wanted.extend(wanted)

    def watch(self, for_s: float) -> None:
        """Somebody looks at it for so long: no picture of its rate is left out, and it is awake."""
        self._looked_at_until = self._clock.monotonic() + for_s

    def begin_anew(self) -> None:
        """Look with a fresh pipeline from the next picture on: the detector was exchanged."""
        with self._lock:
            self._anew = True

    def adopt(
        self, spec: CameraSpec, pipeline: Callable[[tuple[int, int]], CameraPipeline]
    ) -> None:
        """Look by another specification from the next picture on; its source is the same."""
        with self._lock:
            self._next = (spec, pipeline)

    def end(self, why: str) -> list[Event]:
        """What was wrong with its pictures is over for those who were told; not during `work`."""
        return self._oversight.end(self.spec, why, self._wall)

    @property
    def wrong(self) -> dict[Kind, str]:
        """What is wrong with the pictures themselves, in words."""
        return self._oversight.wrong

    def work(self) -> Worked:
        """Do all that is due. Never raises: a fault is counted, logged and costs one picture."""
        worked = Worked()
        self._wall = self._clock.now() - timedelta(seconds=self._clock.monotonic())
        with self._lock:
            answers = list(self._answers)
            self._answers.clear()
            self.pictures.want(self._wanted)
            self._wanted.clear()
            if self._next is not None:
                before, (self.spec, pipeline) = self.spec, self._next
                if (before.masks, before.private) != (self.spec.masks, self.spec.private):
                    self.pictures.forget()  # what is masked now was still in them
                    self._oversight.forget()
                self._looks.rate = self.spec.fps
                self._sleeping.after = None if self.spec.private else self.spec.sleep_after
                self._pipeline_for = None if self.spec.private else pipeline
                self.gate = "private" if self.spec.private else "warming"
                self._next, self._anew, self._size = None, True, (0, 0)
                if self.spec.private:
                    worked.events += self.end("it is not looked at any more")
            if self._anew:
                self._anew, self._pipeline = False, None
        for question, detections in answers:
            if question.asker is self._pipeline:
                self._guarded(self._settle, question.frame, question.look, detections, worked)
        for packet in self._packets():
            began = thread_time()
            pictures = self._decode(packet)
            self.spent.decode += thread_time() - began
            for picture, time in pictures:
                self.counters.decoded += 1
                self.picture_at = self._clock.monotonic()
                self._shown_at = time
                if not self._looks.due(time):
                    if time >= self._look_from and not worked.question and self._hurries(time):
                        self._guarded(self._see_early, picture, time, worked)
                elif time < self._look_from:
                    self.counters.dropped += 1
                else:
                    self._guarded(self._see, picture, time, worked)
        self.counters.damaged = self._stream.damaged
        self._guarded(self._collect, worked)
        return worked

    def next_turn(self) -> float:
        """When to call `work` again (s, monotonic): once there is an answer to settle, or the next
        picture that is wanted should have come.
        """
        now, period = self._clock.monotonic(), self._looks.period
        if self._answers:
            return now
        fresh = now - self._shown_at - self.feed.lag < FRESH_S  # else the stream has stopped
        if fresh and self._hurries(self._shown_at):
            return now + min(HURRY_S, period)
        expected = self._looks.expected + self.feed.lag + ARRIVES_S
        if expected < now - period:  # none comes, or none is decoded while it sleeps
            return now + period
        together = math.ceil(max(now + ARRIVES_S, expected) / TOGETHER_S) * TOGETHER_S
        return min(together, now + period)

    def _hurries(self, time: float) -> bool:
        """Whether a picture of `time` that is not due is worth a look, and could get one."""
        if self._pipeline is None or self.asking or self._answers:
            return False
        return self._pipeline.hurries(time)

    def _guarded(self, step: Callable[..., None], *given: Any) -> None:
        try:
            step(*given)
        except Exception as error:
            self.counters.faults += 1
            self.fault = f"{type(error).__name__}: {error}"
            self._pipeline = None
            if self.counters.faults.bit_count() == 1:
                log.exception("camera %s: fault %d", self.spec.id, self.counters.faults)

    # --------------------------------------------------------------- pictures

    def _packets(self) -> Iterator[Packet]:
        """What has come and is to be decoded now; the rest is kept while nothing moves."""
        if self.pictures.wanting or self._looked_at:
            yield from self._sleeping.wake(self._clock.monotonic())
        taken = self.feed.queue.take()
        self._look_from = self._oldest_wanted(taken)
        for packet in taken:
            self._keys += packet.key
            yield from self._sleeping.admit(packet)
            if self._sleeping.held and self._stream.seeing:
                self.picture_at = self._clock.monotonic()

    @property
    def _looked_at(self) -> bool:
        return self._clock.monotonic() < self._looked_at_until

    def _oldest_wanted(self, taken: Sequence[Packet]) -> float:
        """From when on pictures are looked at: where this process falls behind, late looks at all
        of them would only make it later, so the rate gives way.
        """
        period, now = self._looks.period, self._clock.monotonic()
        since, self._worked_at = now - self._worked_at, now
        behind = max(BEHIND_S, 2.0 * period) < since < -NEVER / 2
        return taken[-1].time - period if behind and taken else NEVER

    def _decode(self, packet: Packet) -> list[tuple[Any, float]]:
        """The pictures that come out, but for those that nobody looks at and no other needs."""
        time = packet.time
        wanted = self._intra.admit(packet, not self._looks.early(time) or self._hurries(time))
        if not wanted:
            self.picture_at = self._clock.monotonic()
        return [picture for each in wanted for picture in self._stream.decode(each)]

    def _see(self, picture: Any, time: float, worked: Worked) -> None:
        size = (int(picture.width), int(picture.height))
        if size != self._size:
            self._adopt(size)
        if self._mask is not None:
            picture = self._mask.paint(picture)
        frame = frame_from_av(picture, time, self.counters.decoded - 1)
        if self._pipeline is None and self._pipeline_for is not None:
            self._pipeline = self._pipeline_for(size)
        if self._pipeline is not None:
            self._look(frame, worked)
        moment = self._wall + timedelta(seconds=time)
        if self._looked_at or self.pictures.due(moment):
            self.pictures.show(Picture(moment, frame.jpeg()))

    def _see_early(self, picture: Any, time: float, worked: Worked) -> None:
        """Somebody is new, or half seen: what this picture shows of them need not wait."""
        assert self._pipeline is not None
        if (int(picture.width), int(picture.height)) != self._size:
            return
        if self._mask is not None:
            picture = self._mask.paint(picture)
        frame = frame_from_av(picture, time, self.counters.decoded - 1)
        began = thread_time()
        look = self._pipeline.look_early(frame)
        self.spent.gate += thread_time() - began
        self._ask_or_settle(frame, look, worked)

    def _adopt(self, size: tuple[int, int]) -> None:
        self._size = size
        self._pipeline = None
        self._mask = PaintedMask(self.spec.masks, size) if self.spec.masks else None

    # --------------------------------------------------------------- analysis

    def _look(self, frame: Frame, worked: Worked) -> None:
        assert self._pipeline is not None
        began = thread_time()
        look = self._pipeline.look(frame)
        self.spent.gate += thread_time() - began
        self.counters.triggered += bool(look.gate.triggered)
        routine = look.gate.reason == "scan" or not look.crops
        self._sleeping.looked(frame.time, bool(look.gate.triggered) or not routine)
        worked.events += self._oversight.look(
            self.spec, frame, look.gate, self._pipeline, self._keys, self._wall
        )
        self.gate = next(iter(self.wrong), look.gate.state)
        self._ask_or_settle(frame, look, worked)

    def _ask_or_settle(self, frame: Frame, look: Look, worked: Worked) -> None:
        assert self._pipeline is not None
        if not look.crops:
            self._settle(frame, look, None, worked)
            return
        if worked.question is not None:
            self.counters.dropped += 1
            self._settle(worked.question.frame, worked.question.look, None, worked)
        crops = self._pipeline.cut(frame, look)
        worked.question = Question(frame, look, crops, self._pipeline)

    def _settle(
        self, frame: Frame, look: Look, detections: list[Detection] | None, worked: Worked
    ) -> None:
        assert self._pipeline is not None
        self.counters.inferred += detections is not None
        self._pipeline.settle(frame, look, detections)
        happened = self._pipeline.occurrences()
        if happened:
            name = self._stored(frame)
            worked.events += [
                zone_event(self.spec, one, self._wall, frame.size, name) for one in happened
            ]

    def _stored(self, frame: Frame) -> str:
        """The name of the picture of an event; empty where none could be written: the event must
        not be lost for want of its picture.
        """
        try:
            return self.pictures.store(frame.jpeg())
        except OSError as error:
            self.counters.faults += 1
            self.fault = f"its picture could not be kept: {error.strerror}"
            log.warning("camera %s: %s", self.spec.id, self.fault)
            return ""

    def _collect(self, worked: Worked) -> None:
        kept = self.pictures.collect(self._clock.now())
        worked.events += [picture_event(self.spec, one) for one in kept]

    @property
    def dropped(self) -> int:
        """Pictures nobody looked at for want of time: packets shed and questions superseded."""
        return self.counters.dropped + self.feed.queue.dropped
