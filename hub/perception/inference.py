"""One detector shared by many cameras, live: bounded, fair, and the newest frame wins.

Each camera has one waiting place. A newer question takes the place of an older one, which is
answered with None and counted; so memory is bounded by the number of cameras and overload shows as
a lower rate, evenly. Who goes next is decided by how much time a camera has had (start-time fair
queueing, Goyal et al. 1996), important cameras having a larger share. A budget bounds what all of
them get together.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic, perf_counter
from typing import Any

from hub.kinds.detectors import Crop, Detection, Detector
from hub.perception.allowance import Allowance
from hub.units import duration_words

log = logging.getLogger(__name__)

Answer = Callable[[list[Detection] | None], None]

LATEST = 50  # questions, about, that `behind` speaks of
OVERLOADED = 0.3
FORGOTTEN_S = 30.0  # in which it is forgotten that questions were displaced
IMPORTANT = 4.0  # how many times the share of an ordinary camera an important one gets


@dataclass(slots=True)
class CameraShare:
    """What a camera asked for and got: `dropped` were displaced by newer ones, `failed` raised.

    `late` are those of the inferred ones that had to wait for the budget.
    """

    inferred: int = 0
    crops: int = 0
    dropped: int = 0
    late: int = 0
    failed: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class _Lane:
    """One camera's waiting place and its position in virtual time; `cost` is its latest call's.

    `flying` means that a call of this camera is under way: its answers come in order.
    """

    weight: float = 1.0
    start: float = 0.0
    cost: float = 0.0
    flying: bool = False
    waited: bool = False
    crops: Sequence[Crop] | None = None
    answer: Answer | None = None
    share: CameraShare = field(default_factory=CameraShare)


class Inference:
    """Runs detectors on threads of their own, one thread for each of `detectors`.

    Several instances of one model give throughput on several cores; each is only ever called from
    its own thread. Exceptions of a detector are counted, logged and answered with None, and so is
    an answer for another number of crops. `budget` is how many seconds of each second all threads
    together may work; without one there is no limit.
    """

    def __init__(
        self,
        detectors: Sequence[Detector],
        name: str = "inference",
        budget: float | None = None,
    ) -> None:
        self._detectors = tuple(detectors)
        self._budget = budget
        self._allowance = None if budget is None else Allowance(budget, monotonic())
        self._asked_at = monotonic()
        self._lanes: dict[str, _Lane] = {}
        self._virtual = 0.0
        self._behind = 0.0
        self._free = threading.Condition()
        self._open = True
        self._busy_since: list[float | None] = [None] * len(self._detectors)
        self.fault = ""
        self._threads = [
            threading.Thread(target=self._serve, args=(number,), name=f"{name}-{number}")
            for number in range(len(self._detectors))
        ]
        for thread in self._threads:
            thread.daemon = True  # a detector that hangs must not keep the process alive
            thread.start()

    def ask(
        self, camera: str, crops: Sequence[Crop], answer: Answer, important: bool = False
    ) -> None:
        """Queue crops of one frame; `answer` is called once, from any thread, and must not block.

        It gets the detections of all crops together, or None when a newer question of the same
        camera took this one's place, when the detector failed, or after `close`.
        """
        displaced: Answer | None = None
        with self._free:
            if self._open:
                lane = self._lanes.setdefault(camera, _Lane())
                lane.weight = IMPORTANT if important else 1.0
                displaced = lane.answer
                lane.share.dropped += displaced is not None
                faded = self.behind
                self._behind = faded + ((displaced is not None) - faded) / LATEST
                self._asked_at = monotonic()
                if displaced is None:
                    # A camera asks again only once it has its answer, when the next call is
                    # already under way: one call's worth of lateness costs it nothing.
                    lane.start = max(lane.start, self._virtual - lane.cost)
                lane.crops, lane.answer = crops, answer
                lane.waited = False
                self._free.notify()
            else:
                displaced = answer
        if displaced is not None:
            displaced(None)

    async def submit(
        self, camera: str, crops: Sequence[Crop], important: bool = False
    ) -> list[Detection] | None:
        """`ask`, awaited. A caller that is cancelled loses only its answer."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[list[Detection] | None] = loop.create_future()

        def settle(found: list[Detection] | None) -> None:
            if not done.done():
                done.set_result(found)

        def answer(found: list[Detection] | None) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, found)

        self.ask(camera, crops, answer, important)
        return await done

    def shares(self) -> dict[str, CameraShare]:
        """What each camera got so far."""
        with self._free:
            return {name: lane.share for name, lane in self._lanes.items()}

    @property
    def budget(self) -> float | None:
        """Seconds of each second that all threads together may work; None is no limit."""
        return self._budget

    @property
    def behind(self) -> float:
        """The share of the latest questions (0..1) that newer ones displaced: 0 keeps up."""
        faded = math.exp((self._asked_at - monotonic()) / FORGOTTEN_S)
        return self._behind * faded

    @property
    def instances(self) -> int:
        """How many detectors work side by side."""
        return len(self._detectors)

    def waiting(self) -> int:
        """How many cameras wait now."""
        with self._free:
            return sum(lane.answer is not None for lane in self._lanes.values())

    def busy_s(self) -> float:
        """For how long the slowest call under way has been running; 0 when none is."""
        began = [since for since in self._busy_since if since is not None]
        return monotonic() - min(began) if began else 0.0

    def close(self, within: float = 2.0) -> None:
        """Answer who waits with None, let running calls end for a while, close the detectors."""
        with self._free:
            self._open = False
            left = [lane.answer for lane in self._lanes.values() if lane.answer is not None]
            for lane in self._lanes.values():
                lane.crops = lane.answer = None
            self._free.notify_all()
        for answer in left:
            answer(None)
        deadline = monotonic() + within
        for thread, detector in zip(self._threads, self._detectors, strict=True):
            thread.join(max(0.0, deadline - monotonic()))
            if not thread.is_alive():
                detector.close()

    def _serve(self, number: int) -> None:
        detector = self._detectors[number]
        while True:
            with self._free:
                lane = self._next()
                if lane is None:
                    return
                crops, answer = lane.crops, lane.answer
                lane.crops = lane.answer = None
                lane.flying = True
                lane.share.late += lane.waited
                self._virtual = max(self._virtual, lane.start)
            assert crops is not None
            assert answer is not None
            self._busy_since[number] = monotonic()
            found, spent = self._infer(detector, crops)
            self._busy_since[number] = None
            with self._free:
                if self._allowance is not None:
                    self._allowance.spend(spent, monotonic())
                lane.start += spent / lane.weight
                lane.cost = spent
                lane.share.seconds += spent
                lane.share.crops += len(crops)
                lane.share.inferred += found is not None
                lane.share.failed += found is None
            try:
                answer(found)
            except Exception:
                log.exception("an answer could not be handed over")
            with self._free:
                lane.flying = False
                self._free.notify()  # what this camera asked meanwhile may be looked at now

    def _infer(
        self, detector: Detector, crops: Sequence[Crop]
    ) -> tuple[list[Detection] | None, float]:
        began = perf_counter()
        found: list[Detection] | None = None
        try:
            answers = detector.infer(crops)
            if len(answers) != len(crops):
                raise ValueError(f"{len(answers)} answers came for {len(crops)} crops")
            found = [one for part in answers for one in part]
        except Exception as error:
            if not self.fault:
                log.exception("the detector %s failed", detector.info.name)
            self.fault = f"{type(error).__name__}: {error}"
        return found, perf_counter() - began

    def _next(self) -> _Lane | None:
        """Wait, holding the lock, for the camera whose turn it is; None at the end."""
        while self._open:
            ready = [
                lane for lane in self._lanes.values() if lane.answer is not None and not lane.flying
            ]
            pause = self._allowance.wait(monotonic()) if self._allowance and ready else 0.0
            if ready and not pause:
                return min(ready, key=lambda lane: lane.start)
            for lane in ready:
                lane.waited = True
            self._free.wait(pause or None)
        return None


def overload(name: str, report: Mapping[str, Any]) -> str:
    """In words, from a detector's report, that it looks less often than asked; else empty."""
    behind, budget = float(report.get("behind", 0.0)), report.get("budget")
    if behind < OVERLOADED:
        return ""
    why = "there is more to look at than it has time for"
    if budget:
        why = f"its budget is {duration_words(float(budget))} in every second"
    return f"detector {name} leaves out {behind:.0%} of what it is asked to look at: {why}"
