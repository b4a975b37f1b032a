"""What pages and the API show of cameras; see `hub.views`."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict


class CameraView(TypedDict):
    """A camera as it is now. `state` is `online` only while pictures arrive.

    `since` is since when it is in that state, `rate` how many pictures a second have come of late,
    `masked` how many parts of its picture nobody may see.
    """

    id: str
    name: str
    place: str
    place_words: str
    state: Literal["starting", "online", "offline", "disabled"]
    reason: str
    since: str | None
    picture_time: str | None
    picture_age_s: float | None
    gate: str
    fps: float
    rate: float
    decoded: int
    triggered: int
    inferred: int
    dropped: int
    detector: str
    guessing: bool
    private: bool
    masked: int


class MasksView(TypedDict):
    """What drawing a camera's masks anew would change in the user's own file.

    `lines` are the key as it would stand there, `diff` what differs, `file` where; `why` says why
    the hub cannot write it, and is empty where it can. `before` names the file as it was read.
    """

    camera: str
    file: str
    lines: str
    diff: str
    why: str
    before: str
