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
from hub.perception.ffmpeg import Hardware
from hub.plain_settings import plain


class CameraSpec(Block):
    """One camera: where its video is, how often to look, at what, and what never to show.

    A `private` one is shown but neither analysed nor stored. `zones` and `masks` are polygons in
    fractions of the picture. `slot` is its place in the file of activities. Nothing must have moved
    for `sleep_after` (s) until packets stay undecoded; None means that all are decoded. After
    `look_every` (s) without motion the whole picture is looked at; 0 means never. `by_command` says
    on what hardware the `ffmpeg` command is to decode; None means that the worker does.
    """

    id: str
    slot: int
    place: str
    source: VideoSource
    fps: float
    detector: str = ""
    important: bool = False
    sleep_after: float | None = None
    look_every: float = 10.0
    by_command: Hardware | None = None
    private: bool = False
    zones: tuple[Zone, ...] = ()
    masks: tuple[Polygon, ...] = ()

    @property
    def opened(self) -> tuple[object, ...]:
        """What only another opening of the source can change."""
        return self.source, self.by_command


class DetectorSpec(Block):
    """One detector: its driver and the driver's own settings as plain values.

    An `isolate`d one has a process of its own, as those from outside have in any case. `budget` is
    how many seconds of each second it may work in one worker.
    """

    id: str
    driver: str
    isolate: bool = False
    budget: float | None = None
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
    by_command = block.decoder == "ffmpeg"  # whose pictures come late, which sleep cannot bear
    never_asleep = block.important or by_command or at_entrance(config, campus, camera)
    return CameraSpec(
        id=camera,
        slot=slot,
        place=block.place,
        source=source,
        fps=block.fps,
        detector=block.detector or first,
        important=block.important,
        sleep_after=None if never_asleep else block.sleep_after,
        look_every=0.0 if block.look_every == "off" else block.look_every,
        by_command=block.hardware if by_command else None,
        private=campus.private(block.place) or only_private_zones,
        zones=zones,
        masks=block.masks,
    )


def at_entrance(config: Config, campus: Campus, camera: str) -> bool:
    """Whether a camera shows a place on either side of a door to the outside."""
    block = config.cameras[camera]
    shown = {block.place, *(zone.place for zone in block.zones)}
    outer = [door for door in config.doors.values() if door.exterior]
    sides = [side for door in outer for side in (door.place, door.leads_to) if side]
    return any(
        campus.within(side, place) or campus.within(place, side)
        for side in sides
        for place in shown
    )


def detector_specs(config: Config) -> tuple[DetectorSpec, ...]:
    """The detectors that are switched on, in file order."""
    return tuple(
        DetectorSpec(
            id=name,
            driver=block.driver,
            isolate=block.isolate,
            budget=block.budget,
            settings=plain(block.settings),
        )
        for name, block in config.detectors.items()
        if block.enabled
    )
