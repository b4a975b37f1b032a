"""What the hub tells a worker to do, in a form that crosses the link as JSON.

It goes over the inherited socket only, since it holds the cameras' credentials.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from hub.config import Polygon, Zone
from hub.kinds import Block
from hub.kinds.cameras import VideoSource


class CameraSpec(Block):
    """One camera: where its video is, how often to look, at what, and what never to show.

    A `private` one is shown but neither analysed nor stored. `zones` and `masks` are polygons in
    fractions of the picture. `slot` is its place in the file of activities.
    """

    id: str
    slot: int
    place: str
    source: VideoSource
    fps: float
    detector: str = ""
    important: bool = False
    private: bool = False
    zones: tuple[Zone, ...] = ()
    masks: tuple[Polygon, ...] = ()


class DetectorSpec(Block):
    """One detector: its driver and the driver's own settings as plain values."""

    id: str
    driver: str
    settings: dict[str, Any] = Field(default_factory=dict)


class WorkerSpec(Block):
    """All that one worker needs. `activity` is the file in which it notes what it is working on."""

    name: str
    config_folder: Path
    state: Path
    activity: Path
    plugins_dir: Path | None = None
    detectors: tuple[DetectorSpec, ...] = ()
    cameras: tuple[CameraSpec, ...] = ()
    threads: int = 2
