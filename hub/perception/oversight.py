"""What is wrong with a camera's pictures themselves, told as it begins and ends.

Its usual scene is kept on disk, so that another view is told after a restart too.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from hub.clock import Clock
from hub.events import Event
from hub.perception.frames import Frame
from hub.perception.kept_scene import KeptScene, View, another_size
from hub.perception.live_events import tamper_event
from hub.perception.motion import GateResult
from hub.perception.pipeline import CameraPipeline
from hub.perception.spec import CameraSpec
from hub.perception.tamper import Change, Kind, TamperWatch

KEEP_EVERY_S = 300.0
NEVER = -1e18
OTHER = "its pictures have another size or other masks now"
NEW = "what it shows now is taken for its usual picture"


class Oversight:
    """Watches over one camera's pictures. `store` keeps one of them and gives its name."""

    def __init__(
        self, scene: KeptScene | None, store: Callable[[Frame], str], clock: Clock
    ) -> None:
        self.wrong: dict[Kind, str] = {}  # in words
        self._scene = scene
        self._store = store
        self._clock = clock
        self._watch: TamperWatch | None = None
        self._view: View | None = None
        self._kept_at = NEVER

    def look(
        self,
        spec: CameraSpec,
        frame: Frame,
        gate: GateResult,
        pipeline: CameraPipeline,
        keys: int,
        wall: datetime,
    ) -> list[Event]:
        """Look at a frame that was gated; `wall` is when the camera's clock was 0, `keys` how many
        key frames have come.
        """
        view = (frame.size, spec.masks)
        told: list[Event] = []
        if self._watch is None or self._view != view:
            told = self._begin(spec, frame, pipeline, view, wall)
        watch = self._watch
        assert watch is not None
        due, means = watch.note(frame.time, gate.state, gate.triggered), pipeline.means()
        watch.see(means)
        if due:
            changes = watch.look(frame.luma, means, keys)
            told += [self._event(spec, change, frame, wall) for change in changes]
            self._keep(watch, view, frame.time)
        self.wrong = watch.standing
        return told

    def end(self, spec: CameraSpec, why: str, wall: datetime) -> list[Event]:
        """What was wrong is no longer known: its end, for those who were told."""
        now, watch = self._clock.monotonic(), self._watch
        self._watch, self.wrong = None, {}
        ended = [] if watch is None else watch.give_up(why)
        return [tamper_event(spec, change, wall, now, {}) for change in ended]

    def forget(self) -> None:
        """Keep nothing of what was seen so far: some of it must not be looked at any more."""
        self._kept_at = NEVER
        if self._scene is not None:
            self._scene.forget()

    def _begin(
        self, spec: CameraSpec, frame: Frame, pipeline: CameraPipeline, view: View, wall: datetime
    ) -> list[Event]:
        """Watch pictures of this size from now on. Where the scene was known by pictures of another
        size, nobody can tell whether it is the same camera: that is told.
        """
        before, known = self._view, self._watch is not None and self._watch.knows
        told = self.end(spec, OTHER, wall)
        self._watch, self._view = TamperWatch(frame.size, pipeline.show), view
        other = ""
        if before is None and self._scene is not None:
            other = self._scene.recall(self._watch, view, self._clock.now())
        elif before is not None and known and before[0] != frame.size:
            other = another_size(before[0], frame.size)
        if other:
            for change in (
                Change("moved", True, frame.time, other),
                Change("moved", False, frame.time, NEW),
            ):
                told.append(self._event(spec, change, frame, wall))
        return told

    def _event(self, spec: CameraSpec, change: Change, frame: Frame, wall: datetime) -> Event:
        return tamper_event(spec, change, wall, frame.time, {"picture": self._store(frame)})

    def _keep(self, watch: TamperWatch, view: View, time: float) -> None:
        """Have the usual scene on disk, a few minutes old at most, while nothing is wrong."""
        if self._scene is None or not watch.knows or watch.standing:
            return
        if time - self._kept_at >= KEEP_EVERY_S:
            self._kept_at = time
            self._scene.keep(watch, view, self._clock.now())
