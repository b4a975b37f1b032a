"""What a live camera says: events of zones, of the pictures themselves, and of pictures kept."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hub.clock import iso
from hub.events import Event
from hub.perception.pictures import Kept
from hub.perception.spec import CameraSpec
from hub.perception.tamper import Change
from hub.perception.zones import Occurrence


def zone_event(
    spec: CameraSpec, happened: Occurrence, wall: datetime, frame: tuple[int, int], picture: str
) -> Event:
    """Somebody entered or left. `wall` is when the camera's clock was 0, `frame` the size of its
    pictures, `picture` the name of one that is kept, or "".
    """
    return Event(
        "zone.entered" if happened.kind == "entered" else "zone.left",
        f"camera/{spec.id}",
        wall + timedelta(seconds=happened.time),
        spec.id,
        {
            "camera": spec.id,
            "place": happened.place,
            "zone": happened.zone,
            "track": happened.track,
            "label": happened.label,
            "score": round(float(happened.score), 4),
            "box": [round(float(edge), 1) for edge in happened.box],
            "frame": list(frame),
            "picture": picture,
            "guessing": bool(happened.guessing),
        },
    )


def tamper_event(
    spec: CameraSpec, change: Change, wall: datetime, time: float, more: dict[str, Any]
) -> Event:
    """Something began or ended to be wrong with the pictures, at `time` on the camera's clock."""
    data = {
        "camera": spec.id,
        "place": spec.place,
        "since": iso(wall + timedelta(seconds=change.since)),
        "reason": change.words,
    }
    if not change.began:
        data["ended"] = change.kind
    return Event(
        f"camera.{change.kind}" if change.began else "camera.clear",
        f"camera/{spec.id}",
        wall + timedelta(seconds=time),
        spec.id,
        data | more,
    )


def picture_event(spec: CameraSpec, kept: Kept) -> Event:
    """A picture was kept for an incident."""
    data = {
        "camera": spec.id,
        "incident": kept.incident,
        "picture": kept.name,
        "offset_s": kept.offset_s,
    }
    return Event("picture.saved", f"camera/{spec.id}", kept.time, spec.id, data)
