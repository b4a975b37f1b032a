"""What pages and the API show of drills of a school year, and what rooms may ask; see `hub.drills`.

Times are RFC 3339 text in UTC, durations seconds, as in `hub.views`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, get_args

from typing_extensions import TypedDict

from hub.conditions import ProtocolName
from hub.protocol_views import ProtocolRunView

PlanState = Literal["planned", "due", "held", "missed", "called_off"]
Question = Literal[
    "heard", "locked", "lights", "sight", "halls", "outside_doors", "ways", "arrived", "accounted"
]
Answer = Literal["yes", "no", "unknown"]
LONGEST_NOTE = 500
LONGEST_TEXT = 4000
ANSWERS: tuple[Answer, ...] = get_args(Answer)
QUESTIONS: Mapping[str, tuple[Question, ...]] = {
    "lockdown": ("heard", "locked", "lights", "sight", "accounted"),
    "secure": ("heard", "outside_doors", "accounted"),
    "hold": ("heard", "halls", "accounted"),
    "evacuate": ("heard", "ways", "arrived", "accounted"),
    "shelter": ("heard", "arrived", "accounted"),
}


class DrillPlanView(TypedDict):
    """A drill that is planned. `due` is when; `leader` is a person of the configuration, or empty.
    `state` is `due` from then until it counts as `missed`; `run` is the drill that somebody has
    started for it.
    """

    id: str
    protocol: ProtocolName
    name: str
    area: str
    area_words: str
    due: str
    leader: str
    leader_name: str
    note: str
    doors_real: bool
    announce: bool
    planned: str
    planned_by: str
    state: PlanState
    run: str | None
    called_off: str | None
    called_off_by: str
    why: str


class DrillHeldView(TypedDict):
    """A drill that was held. `plan` is the plan it was started for, `due` when that was. `counts`
    is what people say of it: a drill that was broken off need not count. `told` is how many have
    written what they saw.
    """

    run: str
    protocol: ProtocolName
    name: str
    area_words: str
    started: str
    started_by: str
    ended: str | None
    lasted_s: float | None
    plan: str | None
    due: str | None
    counts: bool
    told: int


class DrillNeedView(TypedDict):
    """What a school year needs of one protocol: how many drills are required, held and planned
    ahead; `missing` have not been held, and for `unplanned` of these there is no plan either.
    """

    protocol: ProtocolName
    name: str
    required: int
    held: int
    planned: int
    missing: int
    unplanned: int


class DrillYearView(TypedDict):
    """A school year, by the calendar year in which it begins; `years` are those that have drills,
    and this one and the next.
    """

    year: int
    name: str
    begins: str
    ends: str
    current: bool
    years: list[int]
    needs: list[DrillNeedView]
    plans: list[DrillPlanView]
    held: list[DrillHeldView]


class EvaluationView(TypedDict):
    """What somebody saw in a drill: their answers, their own words, and whether it counts."""

    account: str
    by: str
    time: str
    answers: dict[str, Answer]
    text: str
    counts: bool


class DrillTaskView(TypedDict):
    """A task of a drill, such as accounting for everyone; `after_s` is from start to its end."""

    text: str
    state: Literal["open", "done", "dropped"]
    by: str
    after_s: float | None


class DrillReachedView(TypedDict):
    """Whom the drill was told to, and after how many seconds it had reached them, been seen, and
    been taken on; None where nobody knows.
    """

    who: str
    channel: str
    state: str
    reached_s: float | None
    seen_s: float | None
    answered_s: float | None


class DrillReportView(TypedDict):
    """A drill as it went: what the hub measured by itself, and what people saw. `questions` are
    those of its protocol.
    """

    run: ProtocolRunView
    plan: DrillPlanView | None
    lasted_s: float | None
    doors_failed: list[str]
    reached: list[DrillReachedView]
    tasks: list[DrillTaskView]
    counts: bool
    questions: list[Question]
    evaluations: list[EvaluationView]


@dataclass(frozen=True, slots=True)
class DrillWanted:
    """A drill as somebody plans it; `leader` is a person of the configuration, or empty."""

    protocol: str
    area: str
    due: datetime
    leader: str = ""
    note: str = ""
    doors_real: bool = False
    announce: bool = False


class DrillsFacade(Protocol):
    """Drills of a school year. Each act raises `KeyError` for what is unknown and `Refused` where
    it may not be. `to` is the session that is shown the answer, as in `hub.protocol_port`.
    """

    async def year(self, year: int | None = None, to: str = "") -> DrillYearView:
        """What is planned, was held and is missing in a school year; in this one without."""
        ...

    async def plan(self, plan: str) -> DrillPlanView:
        """One planned drill."""
        ...

    async def coming(self) -> list[DrillPlanView]:
        """The drills that are to be started now or within a day."""
        ...

    async def make(self, wanted: DrillWanted, by: str, key: str = "") -> DrillPlanView:
        """Plan a drill; the same key twice is one plan."""
        ...

    async def change(self, plan: str, wanted: DrillWanted, by: str) -> DrillPlanView:
        """Plan it otherwise; who was told of it hears so."""
        ...

    async def call_off(self, plan: str, by: str, why: str = "") -> DrillPlanView:
        """It is not held after all; who was told of it hears so."""
        ...

    async def report(self, run: str, to: str = "") -> DrillReportView:
        """A drill as it went. Raises `KeyError` also for a run that is no drill."""
        ...

    async def evaluate(
        self, run: str, by: str, answers: Mapping[str, str], text: str, counts: bool, to: str = ""
    ) -> DrillReportView:
        """Somebody writes what they saw, once it is over; in place of what they wrote before."""
        ...

    async def exported(self, year: int, by: str) -> None:
        """Write down that the log of a year was taken away."""
        ...
