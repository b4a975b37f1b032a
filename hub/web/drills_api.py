"""The API of drills of a school year: plans, what is missing, and how each drill went."""

from __future__ import annotations

from typing import Annotated, Literal

from aiohttp import web
from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema

from hub.clock import from_iso
from hub.drill_views import (
    LONGEST_NOTE,
    LONGEST_TEXT,
    Answer,
    DrillPlanView,
    DrillReportView,
    DrillWanted,
    DrillYearView,
    Question,
)
from hub.web.api import Body
from hub.web.contract import Contract, Line, Moment, asked, key_of, taken
from hub.web.problems import turned_down
from hub.web.security import HOUSE, allowed, who_is

_Word = Annotated[str, StringConstraints(max_length=200), AfterValidator(str.strip)]
_Note = Annotated[str, StringConstraints(max_length=LONGEST_NOTE)]
_PLAN, _YEAR = "planned drill", "GET /api/v1/drills lists the plans of a school year."
_RUN, _HELD = "drill", "GET /api/v1/drills lists what was held."


def _said(moment: str) -> str:
    if not moment:
        raise ValueError("expected when it is to begin")
    return moment


_Due = Annotated[
    Moment, AfterValidator(_said), WithJsonSchema({"type": "string", "format": "date-time"})
]


class YearQuery(Body):
    """Which school year, by the calendar year in which it begins; this one without."""

    year: Literal[""] | Annotated[str, StringConstraints(pattern=r"^(19[7-9]\d|[2-9]\d{3})$")] = ""


class PlanBody(Body):
    """A drill that is planned: of what, where, when, and who of `people:` leads it."""

    protocol: _Word
    area: _Word
    due: _Due
    leader: _Word = ""
    note: _Note = ""
    doors_real: bool = False
    announce: bool = False
    key: Annotated[str, StringConstraints(max_length=200)] = ""

    def wanted(self) -> DrillWanted:
        """The same for the hub."""
        return DrillWanted(
            self.protocol, self.area, from_iso(self.due), self.leader, self.note,
            self.doors_real, self.announce,
        )  # fmt: skip


class OffBody(Body):
    """Why a planned drill is not held."""

    why: _Note = ""


class SawBody(Body):
    """What somebody saw in a drill: an answer for each question that they can answer, their own
    words, and whether the drill counts for the school year.
    """

    answers: dict[Question, Answer] = Field(default_factory=dict)
    text: Annotated[str, StringConstraints(max_length=LONGEST_TEXT)] = ""
    counts: bool = True


async def show(request: web.Request) -> web.Response:
    """A school year: what is required, planned, held and missing."""
    named = asked(request, YearQuery).year
    with turned_down("school year", _YEAR):
        year = await request.app[HOUSE].drills.year(
            int(named) if named else None, who_is(request).digest
        )
    return web.json_response(year)


async def plan(request: web.Request) -> web.Response:
    """One planned drill."""
    with turned_down(_PLAN, _YEAR):
        return web.json_response(await request.app[HOUSE].drills.plan(request.match_info["id"]))


async def make(request: web.Request) -> web.Response:
    """Plan a drill, once for each key. It starts nothing: people are reminded, and a person starts
    the drill.
    """
    body = taken(request, PlanBody)
    with turned_down(_PLAN, _YEAR, "docs/guide/drills.md says what a plan needs."):
        made = await request.app[HOUSE].drills.make(
            body.wanted(), who_is(request).by, body.key or key_of(request)
        )
    return web.json_response(made, status=201)


async def change(request: web.Request) -> web.Response:
    """Plan it otherwise; who was told of it hears so."""
    wanted = taken(request, PlanBody).wanted()
    with turned_down(_PLAN, _YEAR):
        changed = await request.app[HOUSE].drills.change(
            request.match_info["id"], wanted, who_is(request).by
        )
    return web.json_response(changed)


async def call_off(request: web.Request) -> web.Response:
    """It is not held after all; who was told of it hears so."""
    why = taken(request, OffBody).why
    with turned_down(_PLAN, _YEAR):
        off = await request.app[HOUSE].drills.call_off(
            request.match_info["id"], who_is(request).by, why
        )
    return web.json_response(off)


async def report(request: web.Request) -> web.Response:
    """A drill as it went: what was measured, and what people saw."""
    who = who_is(request)
    with turned_down(_RUN, _HELD):
        told = await request.app[HOUSE].drills.report(request.match_info["run"], who.digest)
    return web.json_response(told)


async def saw(request: web.Request) -> web.Response:
    """Write what one saw in a drill, in place of what one wrote before."""
    who, body = who_is(request), taken(request, SawBody)
    answers = {str(name): str(said) for name, said in body.answers.items()}
    with turned_down(_RUN, _HELD):
        if not allowed(request, "see.drills"):
            raise KeyError(request.match_info["run"])
        told = await request.app[HOUSE].drills.evaluate(
            request.match_info["run"], who.by, answers, body.text, body.counts,
            who.digest,
        )  # fmt: skip
    return web.json_response(told)


LINES: tuple[Line, ...] = (
    ("GET", "/api/v1/drills", "see.drills", show, Contract(DrillYearView, asks=YearQuery)),
    (
        "POST", "/api/v1/drills", "plan.drills", make,
        Contract(DrillPlanView, PlanBody, status=201, refuses=(404, 409)),
    ),
    ("GET", "/api/v1/drills/{id}", "see.drills", plan, Contract(DrillPlanView)),
    (
        "POST", "/api/v1/drills/{id}/change", "plan.drills", change,
        Contract(DrillPlanView, PlanBody, refuses=(409,)),
    ),
    (
        "POST", "/api/v1/drills/{id}/call-off", "plan.drills", call_off,
        Contract(DrillPlanView, OffBody, refuses=(409,)),
    ),
    ("GET", "/api/v1/drills/held/{run}", "see.drills", report, Contract(DrillReportView)),
    (
        "POST", "/api/v1/drills/held/{run}/saw", "work.incidents", saw,
        Contract(DrillReportView, SawBody, refuses=(409,)),
    ),
)  # fmt: skip
