"""The heartbeat: how often the whole path is tried, and what is told of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from hub.kinds import Block
from hub.units import Duration


class HeartbeatSettings(Block):
    """The hub's own test event, which walks the whole path to a notice that nobody gets."""

    every: Annotated[Duration, Field(ge=30, le=3600)] | Literal["off"] = Field(
        300.0, description="How often it walks; `off` means never, and then nobody watches."
    )
    within: Annotated[Duration, Field(ge=1, le=60)] = Field(
        10.0, description="How long it may take; what takes longer counts as not come through."
    )
    url: str | None = Field(
        None,
        pattern=r"^https?://",
        repr=False,
        description="Asked (GET) each time the event came through: an outside watcher that alarms "
        "when it hears nothing. Best as `!secret NAME`, for who knows it can feign the heartbeat.",
    )


class HeartbeatView(TypedDict):
    """When the hub's test event last came through, and how long it took. `trouble` says why it does
    not, `watcher` why the outside watcher does not hear of it; both are empty where all is well.
    """

    every: str
    last: str | None
    age_s: float | None
    took_s: float | None
    trouble: str
    watcher: str
