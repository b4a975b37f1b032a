"""What pages and the API show of how the house was; see `hub.views`."""

from __future__ import annotations

from collections.abc import Mapping

from typing_extensions import TypedDict

from hub.phrases import phrase

HUB_FIGURES: Mapping[str, str] = {
    "cpu": phrase("Processor time of all the hub's processes, %% of one core"),
    "memory": phrase("Memory of all the hub's processes, MB"),
    "free": phrase("Free space where the state folder lies, GB"),
    "waiting": phrase("Works, events, notices and pictures that wait in queues"),
    "dropped": phrase("Works, events and pictures that were dropped, in a minute"),
    "inference": phrase("Pictures looked at closely, a second"),
    "clock": phrase("Largest error of the clock as the kernel says, ms"),
}
CAMERA_FIGURES: Mapping[str, str] = {
    "rate": phrase("Pictures that came, a second"),
    "moved": phrase("Looks at which something moved, a second"),
    "inferred": phrase("Pictures looked at closely, a second"),
    "dropped": phrase("Pictures dropped, a second"),
    "online": phrase("Share of the time with pictures, %%"),
}


class FigureView(TypedDict):
    """One figure over time: a mean for each of the times, null where nothing was measured."""

    key: str
    name: str
    values: list[float | None]


class PastView(TypedDict):
    """How the hub (`hub`) or a camera (`camera/ID`) was, over the last `hours`. `times` are seconds
    since 1970, `step_s` what each stands for.
    """

    about: str
    hours: int
    step_s: int
    times: list[int]
    figures: list[FigureView]


class MachineView(TypedDict):
    """The machine: space where the state folder lies, and whether its clock is kept right.

    `clock_error_s` is the largest error as the kernel bounds it; null where it does not say.
    """

    free_mb: int
    total_mb: int
    clock_kept: bool | None
    clock_error_s: float | None
    python: str
    system: str
