"""How the cameras are, as pages and the API see them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hub.camera_views import CameraView
from hub.campus import Campus
from hub.clock import Clock, iso
from hub.config import CameraBlock, Config
from hub.drivers import Drivers
from hub.perception.watched import CameraCounters
from hub.perception.workers import Perception

WATCH_S = 10.0


class CameraStatus:
    """What is configured beside what perception says of it."""

    def __init__(
        self,
        perception: Perception,
        drivers: Drivers,
        clock: Clock,
        now_in_force: Callable[[], tuple[Config, Campus]],
    ) -> None:
        self._perception = perception
        self._drivers = drivers
        self._clock = clock
        self._in_force = now_in_force

    def views(self) -> list[CameraView]:
        """Every configured camera, in file order."""
        config, campus = self._in_force()
        seen = self._perception.cameras()
        return [self._view(id_, each, campus, seen) for id_, each in config.cameras.items()]

    def snapshot(self, camera: str) -> Path | None:
        """The file of the newest picture; None when there is none."""
        found = self._perception.snapshot(camera)
        return found[0] if found else None

    def watch(self, camera: str) -> None:
        """Somebody looks at a camera: for ten seconds it shows all the pictures of its rate."""
        self._perception.watch(camera, WATCH_S)

    def _view(
        self, id_: str, block: CameraBlock, campus: Campus, counters: dict[str, CameraCounters]
    ) -> CameraView:
        view = CameraView(
            id=id_,
            name=block.name or campus.name(block.place),
            place=block.place,
            place_words=campus.words(block.place),
            state="starting" if block.enabled else "disabled",
            reason="" if block.enabled else "switched off in the configuration",
            since=None,
            picture_time=None,
            picture_age_s=None,
            gate="",
            fps=block.fps,
            rate=0.0,
            decoded=0,
            triggered=0,
            inferred=0,
            dropped=0,
            detector="",
            guessing=False,
            private=campus.private(block.place),
            masked=len(block.masks),
        )
        seen = counters.get(id_)
        if seen is None:
            if block.enabled:
                view["reason"] = self._drivers.get("cameras", id_).reason
            return view
        view["state"], view["reason"] = seen.state, seen.reason
        view["since"] = iso(seen.since) if seen.since else None
        view["picture_time"] = iso(seen.picture_time) if seen.picture_time else None
        if seen.picture_time is not None:
            age = (self._clock.now() - seen.picture_time).total_seconds()
            view["picture_age_s"] = round(max(0.0, age), 3)
        view["gate"], view["detector"], view["guessing"] = seen.gate, seen.detector, seen.guessing
        view["rate"] = round(seen.rate, 1)
        view["decoded"], view["triggered"] = seen.decoded, seen.triggered
        view["inferred"], view["dropped"] = seen.inferred, seen.dropped
        return view
