"""Drills of a school year, and how each went, as pages and the API show them. All only reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from hub.clock import from_iso, iso
from hub.drill_views import (
    QUESTIONS,
    DrillHeldView,
    DrillNeedView,
    DrillPlanView,
    DrillReachedView,
    DrillReportView,
    DrillTaskView,
    DrillYearView,
    EvaluationView,
    PlanState,
)
from hub.protocol_views import AS_WANTED, ProtocolRunView
from hub.safety.drills import plans
from hub.safety.drills.plans import EvaluationRow, PlanRow
from hub.safety.drills.years import Year, Years
from hub.safety.incidents import cases
from hub.safety.notices import receipts
from hub.safety.protocols import plan as protocol_plan
from hub.safety.protocols import rows
from hub.safety.protocols.rows import RunRow
from hub.safety.protocols.wording import wording
from hub.safety.words import Words
from hub.views import ReceiptView

OPEN: tuple[PlanState, ...] = ("planned", "due")


def plan_view(words: Words, row: PlanRow, now: datetime) -> DrillPlanView:
    """One planned drill."""
    return DrillPlanView(
        id=row.id,
        protocol=row.protocol,
        name=_name(row.protocol),
        area=row.area,
        area_words=protocol_plan.called(words.campus, row.area),
        due=row.due,
        leader=row.leader,
        leader_name=words.person(row.leader),
        note=row.note,
        doors_real=bool(row.doors_real),
        announce=bool(row.announce),
        planned=row.planned,
        planned_by=words.person(row.planned_by),
        state=_state(words, row, now),
        run=row.run or None,
        called_off=row.off or None,
        called_off_by=words.person(row.off_by),
        why=row.off_why,
    )


def year_view(
    connection: Connection, words: Words, wanted: int | None, to: str, now: datetime
) -> DrillYearView:
    """One school year; this one without. Raises `ValueError` for one that no calendar has."""
    settings = words.config.hub.drills
    years = Years(settings.year_begins, words.config.hub.timezone)
    this = years.of(now)
    year = years.year(this if wanted is None else wanted)
    planned = [
        plan_view(words, row, now) for row in plans.between(connection, year.begins, year.ends)
    ]
    held = _held(connection, words, year, to)
    first = plans.first(connection) or now
    last = plans.last(connection) or now
    return DrillYearView(
        year=year.year,
        name=year.name,
        begins=iso(year.begins),
        ends=iso(year.ends),
        current=year.year == this,
        years=list(range(min(years.of(first), this), max(years.of(last), this + 1) + 1)),
        needs=[
            _need(protocol, required, planned, held)
            for protocol, required in settings.required.each().items()
        ],
        plans=planned,
        held=held,
    )


def _held(connection: Connection, words: Words, year: Year, to: str) -> list[DrillHeldView]:
    runs = plans.runs_between(connection, year.begins, year.ends)
    of_runs, feigned = plans.of_runs(connection), rows.shown_ended(connection, to)
    said = plans.evaluations(connection, [run.id for run in runs])
    found = []
    for run in runs:
        plan, mark = of_runs.get(run.id), feigned.get(run.id)
        over = run.ended or (mark.time if mark is not None else "")
        found.append(
            DrillHeldView(
                run=run.id,
                protocol=run.protocol,
                name=_name(run.protocol),
                area_words=protocol_plan.called(words.campus, run.area),
                started=run.started,
                started_by=words.person(run.started_by or run.device),
                ended=over or None,
                lasted_s=_after(from_iso(run.started), over),
                plan=plan.id if plan is not None else None,
                due=plan.due if plan is not None else None,
                counts=plans.counts(said[run.id]),
                told=len(said[run.id]),
            )
        )
    return found


def _need(
    protocol: str,
    required: int,
    planned: Sequence[DrillPlanView],
    held: Sequence[DrillHeldView],
) -> DrillNeedView:
    done = sum(each["protocol"] == protocol and each["counts"] for each in held)
    ahead = sum(each["protocol"] == protocol and each["state"] in OPEN for each in planned)
    missing = max(0, required - done)
    return DrillNeedView(
        protocol=protocol,  # type: ignore[typeddict-item]
        name=_name(protocol),
        required=required,
        held=done,
        planned=ahead,
        missing=missing,
        unplanned=max(0, missing - ahead),
    )


def report_view(
    connection: Connection, words: Words, run: RunRow, seen: ProtocolRunView, now: datetime
) -> DrillReportView:
    """A drill as it went; `seen` is the run as its reader is shown it."""
    begun, plan = from_iso(run.started), plans.of_run(connection, run.id)
    said = plans.evaluations(connection, [run.id])[run.id]
    told = receipts.views(connection, [run.alert], words)[run.alert] if run.alert else []
    return DrillReportView(
        run=seen,
        plan=plan_view(words, plan, now) if plan is not None else None,
        lasted_s=_after(begun, seen["ended"]),
        doors_failed=[each["name"] for each in seen["doors"] if each["state"] not in AS_WANTED],
        reached=[_reached(words, each, begun) for each in told if each["about"] == "alert"],
        tasks=_tasks(connection, words, run, begun),
        counts=plans.counts(said),
        questions=list(QUESTIONS[run.protocol]),
        evaluations=[_evaluation(words, each) for each in said],
    )


def _tasks(
    connection: Connection, words: Words, run: RunRow, begun: datetime
) -> list[DrillTaskView]:
    """The tasks that its incident has, such as accounting for everyone."""
    group = cases.family(connection, cases.heir(connection, run.incident)) if run.incident else []
    return [
        DrillTaskView(
            text=each["text"],
            state=each["state"],
            by=words.person(each["by"]),
            after_s=_after(begun, each["ended"]),
        )
        for each in cases.tasks(connection, group)
    ]


def _reached(words: Words, told: ReceiptView, begun: datetime) -> DrillReachedView:
    arrived = [told[each] for each in ("accepted", "delivered", "seen", "acknowledged")]
    return DrillReachedView(
        who=told["name"],
        channel=words.channel(told["channel"]),
        state=told["state"],
        reached_s=_after(begun, min((each for each in arrived if each), default=None)),
        seen_s=_after(begun, told["seen"]),
        answered_s=_after(begun, told["acknowledged"]),
    )


def _evaluation(words: Words, row: EvaluationRow) -> EvaluationView:
    return EvaluationView(
        account=row.by,
        by=words.person(row.by),
        time=row.time,
        answers=json.loads(row.answers),
        text=row.text,
        counts=bool(row.counts),
    )


def _after(begun: datetime, moment: str | None) -> float | None:
    if not moment:
        return None
    return round(max(0.0, (from_iso(moment) - begun).total_seconds()), 3)


def _name(protocol: str) -> str:
    return wording(protocol, None).name


def _state(words: Words, row: PlanRow, now: datetime) -> PlanState:
    due = from_iso(row.due)
    if row.run:
        return "held"
    if row.off:
        return "called_off"
    if now >= due + timedelta(seconds=words.config.hub.drills.missed_after):
        return "missed"
    return "due" if now >= due else "planned"
