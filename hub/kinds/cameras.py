"""The contract of a camera: say where the video is; the hub decodes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

Purpose = Literal["analysis", "record", "live"]


@dataclass(frozen=True)
class VideoSource:
    """An address that the hub's decoder opens.

    `url` is a file path or an `rtsp://` address without credentials; `username` and `password` go
    beside it so that no log shows them. `transport` is how RTSP packets travel. A file is played in
    real time and again from its start when `loop` is true. `options` are demuxer options.
    """

    url: str
    transport: Literal["file", "tcp", "udp"] = "tcp"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    loop: bool = False
    options: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class Camera(Protocol):
    """One camera. Every method may be cancelled and must return or raise within its deadline.

    It may offer `async def probe(self) -> str | Probed` (see `hub.Probed`): what of the device was
    reached beside its video, which `vestibule doctor` opens itself.
    """

    async def start(self) -> None:
        """Get ready; raise `NotReady` to be tried again later."""
        ...

    async def source(self, purpose: Purpose) -> VideoSource:
        """Where the video for this purpose is; a small sub-stream is best for analysis."""
        ...

    async def close(self) -> None:
        """Let go of everything; called once, also after a failed start."""
        ...
