"""What the hub tells a worker to do, in a form that crosses the link as JSON.

It goes over the inherited socket only, since it holds the cameras' credentials.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from hub.campus import Campus
from hub.config import Config, Polygon, Zone
from hub.kinds import Block
from hub.kinds.cameras import VideoSource
from hub.plain import plain


class CameraSpec(Block):
    """One camera: where its video is, how often to look, at what, and what never to show.

    A `private` one is shown but neither analysed nor stored. `zones` and `masks` are polygons in
    fractions of the picture. `slot` is its place in the file of activities. Nothing must have moved
    for `sleep_after` (s) until packets stay undecoded; None means that all are decoded.
    """

    id: str
    slot: int
    place: str
    source: VideoSource
    fps: float
    detector: str = ""
    important: bool = False
    sleep_after: float | None = None
    private: bool = False
    zones: tuple[Zone, ...] = ()
    masks: tuple[Polygon, ...] = ()


class DetectorSpec(Block):
    """One detector: its driver and the driver's own settings as plain values.

    An `isolate`d one has a process of its own, as those from outside have in any case.
    """

    id: str
    driver: str
    isolate: bool = False
    settings: dict[str, Any] = Field(default_factory=dict)


class WorkerSpec(Block):
    """All that one worker needs. `activity` is the file in which it notes what it is working on.

    `looked_at` is what the hub found when it looked at plugins from outside (`hub.preflight`).
    """

    name: str
    config_folder: Path
    state: Path
    activity: Path
    plugins_dir: Path | None = None
    looked_at: dict[str, str] = Field(default_factory=dict)
    detectors: tuple[DetectorSpec, ...] = ()
    cameras: tuple[CameraSpec, ...] = ()
    threads: int = 2


def camera_spec(
    config: Config, campus: Campus, camera: str, source: VideoSource, slot: int
) -> CameraSpec:
    """A configured camera. Private places are not analysed: neither its own nor any zone's."""
    block = config.cameras[camera]
    zones = tuple(zone for zone in block.zones if not campus.private(zone.place))
    only_private_zones = bool(block.zones) and not zones
    first = next((name for name, each in config.detectors.items() if each.enabled), "")
    return CameraSpec(
        id=camera,
        slot=slot,
        place=block.place,
        source=source,
        fps=block.fps,
        detector=block.detector or first,
        important=block.important,
        sleep_after=None if block.important or at_entrance(config, camera) else block.sleep_after,
        private=campus.private(block.place) or only_private_zones,
        zones=zones,
        masks=block.masks,
    )


def at_entrance(config: Config, camera: str) -> bool:
    """Whether a camera shows a place on either side of a door to the outside."""
    block = config.cameras[camera]
    shown = {block.place, *(zone.place for zone in block.zones)}
    return any(
        door.exterior and not shown.isdisjoint({door.place, door.leads_to})
        for door in config.doors.values()
    )


def detector_specs(config: Config) -> tuple[DetectorSpec, ...]:
    """The detectors that are switched on, in file order."""
    return tuple(
        DetectorSpec(
            id=name, driver=block.driver, isolate=block.isolate, settings=plain(block.settings)
        )
        for name, block in config.detectors.items()
        if block.enabled
    )
