"""What happened in a run: the moments that matter and the counts at its end."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from hub.bus import Bus
from hub.clock import Clock
from hub.events import Event
from hub.house import House
from hub.perception.workers import Perception


class Milestones:
    """When things happened first, in seconds since the start; and long work shown as bars."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.monotonic()
        self._progress: Progress | None = None
        self._bars: dict[str, TaskID] = {}
        self.first_event_s: float | None = None
        self.first_alert_s: float | None = None
        self.events = 0
        self.alerts = 0

    def elapsed(self) -> float:
        """Seconds since the start."""
        return round(self._clock.monotonic() - self._began, 3)

    def since_start(self, monotonic: float | None) -> float | None:
        """A reading of the clock as seconds since the start."""
        return None if monotonic is None else round(monotonic - self._began, 3)

    def note(self, event: Event) -> None:
        """Take in a committed event; the hub's own start does not count as something seen."""
        self.events += 1
        if event.type == "alert.raised":
            self.alerts += 1
            if self.first_alert_s is None:
                self.first_alert_s = self.elapsed()
        if self.first_event_s is None and event.type.startswith(("zone.", "door.", "visitor.")):
            self.first_event_s = self.elapsed()

    async def follow(self, bus: Bus) -> None:
        """Note every event that is committed, until the bus closes."""
        with bus.subscribe(maxsize=4096) as committed:
            async for _, event in committed:
                self.note(event)

    def progress(self, label: str, done: int, total: int) -> None:
        """Show long work: a bar on a terminal, a line at its start and end elsewhere."""
        if not sys.stderr.isatty():
            if done in (0, total):
                print(f"{label}: {'done' if done else 'begun'}", file=sys.stderr)
            return
        if self._progress is None:
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._progress.start()
        if label not in self._bars:
            self._bars[label] = self._progress.add_task(label, total=total)
        self._progress.update(self._bars[label], completed=done)
        if self._progress.finished:
            self._progress.stop()
            self._progress = None
            self._bars.clear()


async def summarise(house: House, milestones: Milestones, perception: Perception) -> dict[str, Any]:
    """The summary that `vestibule run --summary FILE` writes (see docs/reference/cli.md)."""
    health = await house.health()
    return {
        "first_frame_s": milestones.since_start(perception.first_picture),
        "first_event_s": milestones.first_event_s,
        "first_alert_s": milestones.first_alert_s,
        "cameras": {
            camera["id"]: {
                key: camera[key] for key in ("decoded", "triggered", "inferred", "dropped")
            }
            for camera in house.cameras()
        },
        "events": milestones.events,
        "alerts": milestones.alerts,
        "actions": {
            state: health["actions"].get(state, 0)
            for state in ("confirmed", "failed", "timed_out", "pending")
        },
        "doors": {
            door["id"]: {
                "requested": door["requested"]["verb"] if door["requested"] else None,
                "reported": "unknown" if door["reported"]["stale"] else door["reported"]["lock"],
                "physical": "unknown"
                if door["physical"]["stale"]
                else door["physical"]["position"],
            }
            for door in house.doors()
        },
        "processes": [
            {key: process[key] for key in ("name", "cpu_s", "rss_peak_mb")}
            for process in health["processes"]
        ],
    }
