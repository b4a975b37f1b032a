"""Runs of protocols as pages and the API show them. Everything here only reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from hub.campus import Campus
from hub.clock import from_iso, iso
from hub.conditions import ProtocolName
from hub.config import Protocol
from hub.protocol_views import (
    AllClearView,
    AreaView,
    EndingView,
    FireView,
    ProtocolChannelView,
    ProtocolChoiceView,
    ProtocolDoorView,
    ProtocolRunView,
    StandingRunView,
)
from hub.safety.doors import fire
from hub.safety.protocols import plan, rows
from hub.safety.protocols.ends import CONFIRM_WITHIN
from hub.safety.protocols.fires import decide_by
from hub.safety.protocols.progress import took
from hub.safety.protocols.rows import RunDoorRow, RunRow
from hub.safety.protocols.wording import wording
from hub.safety.words import Words

FENCED = "a drill: "


def run_view(
    connection: Connection, words: Words, run: RunRow, standing: Sequence[RunRow], now: datetime
) -> ProtocolRunView:
    """One run as it is; `standing` are those in force."""
    campus = words.campus
    block = words.config.protocols.get(run.protocol)
    said = wording(run.protocol, block, run.hazard, rows.location(run))
    doors = rows.doors(connection, run.id, "start")
    moving = [each for each in doors if each.state != "fenced"]
    begun = from_iso(run.started)
    covered = not run.ended and rows.covered(campus, run, standing)
    view = ProtocolRunView(
        id=run.id,
        protocol=run.protocol,
        name=said.name,
        directive=said.directive,
        area=run.area,
        area_words=plan.called(words.campus, run.area),
        drill=bool(run.drill),
        doors_real=bool(run.doors_real) or not run.drill,
        announced=bool(run.announce) or not run.drill,
        reason=run.reason,
        started=run.started,
        started_by=words.person(run.started_by or run.device),
        device=run.device,
        incident=run.incident,
        over=run.over or None,
        state="ended" if run.ended else "covered" if covered else "in_force",
        sentence=plan.sentence(doors, {each.door: took(run, each) for each in doors}, words),
        doors=[_door(words, run, each) for each in doors],
        channels=_channels(connection, words, run, "start", begun),
        secured=sum(each.state in ("secured", "done") for each in moving),
        total=len(moving),
        ending=_ending(words, run, now),
        ended=run.ended or None,
        ended_by=[words.person(each) for each in json.loads(run.ended_by or "[]")],
        all_clear=None,
        decide_by=decide_by(run),
    )
    if run.ended:
        clear = rows.doors(connection, run.id, "clear")
        view["all_clear"] = AllClearView(
            sentence=plan.clear_sentence(clear, words),
            doors=[_door(words, run, each) for each in clear],
            channels=_channels(connection, words, run, "clear", from_iso(run.ended)),
        )
    return view


def standing_run(words: Words, run: RunRow, standing: Sequence[RunRow]) -> StandingRunView:
    """One run in force, in short."""
    block = words.config.protocols.get(run.protocol)
    said = wording(run.protocol, block, run.hazard, rows.location(run))
    covered = rows.covered(words.campus, run, standing)
    return StandingRunView(
        id=run.id,
        protocol=run.protocol,
        name=said.name,
        directive=said.directive,
        area_words=plan.called(words.campus, run.area),
        drill=bool(run.drill),
        started=run.started,
        state="covered" if covered else "in_force",
    )


def choices(
    words: Words, campus: Campus, public: Callable[[str], bool]
) -> list[ProtocolChoiceView]:
    """The protocols of the configuration, and what each would do where it is usually started."""
    return [_choice(words, campus, name, block, public)
            for name, block in words.config.protocols.items()]  # fmt: skip


def _choice(
    words: Words,
    campus: Campus,
    name: ProtocolName,
    block: Protocol,
    public: Callable[[str], bool],
) -> ProtocolChoiceView:
    areas = _areas(words, block)
    said = wording(name, block)
    directive = said.directive
    if name == "shelter" and block.hazards:
        directive = "Hazard and safety strategy."
    return ProtocolChoiceView(
        protocol=name,
        name=said.name,
        directive=directive,
        areas=areas,
        will=plan.will(words, campus, block, areas[0]["id"] if areas else "", public),
        hazards=list(block.hazards),
        location=block.location,
    )


def _areas(words: Words, block: Protocol) -> list[AreaView]:
    """Where it can be started: what the configuration says first, then the campus from outside in;
    single rooms are no areas.
    """
    places = words.config.places
    order = {kind: at for at, kind in enumerate(plan.AREA_KINDS)}
    wide = [name for name, each in places.items() if each.kind != "room"]
    wide.sort(key=lambda name: (name != block.area, order[places[name].kind]))
    return [AreaView(id=name, words=plan.called(words.campus, name)) for name in wide]


def fire_view(connection: Connection, words: Words, standing: Sequence[RunRow]) -> FireView:
    """The fire alarm, and until when people have to decide in it."""
    state = fire.read(connection)
    waiting = [run.decide_by for run in standing if run.decide_by]
    return FireView(
        state=state.state,
        since=state.since or None,
        source=plan.source_words(words, state.source),
        place_words=plan.called(words.campus, state.place),
        decide_by=min(waiting, default=None),
        doors=len(words.config.doors) if state.suspended else 0,
    )


def _door(words: Words, run: RunRow, row: RunDoorRow) -> ProtocolDoorView:
    block = words.config.doors.get(row.door)
    seconds = took(run, row)
    return ProtocolDoorView(
        door=row.door,
        name=words.door(row.door),
        place_words=words.campus.words(block.place) if block is not None else "",
        verb=row.verb,
        state=row.state,
        detail=row.detail,
        tries=row.tries,
        seconds=None if seconds is None else round(seconds, 3),
    )


def _channels(
    connection: Connection, words: Words, run: RunRow, phase: rows.Phase, begun: datetime
) -> list[ProtocolChannelView]:
    by_channel: dict[str, list[Any]] = {}
    for each in rows.notices(connection, run.alert):
        if json.loads(each.payload)["data"].get("phase") == phase:
            by_channel.setdefault(each.target, []).append(each)
    return [_channel(words, name, each, begun) for name, each in by_channel.items()]


def _channel(
    words: Words, name: str, notices: Sequence[Any], begun: datetime
) -> ProtocolChannelView:
    states = [each.state for each in notices]
    worst = next(
        (one for one in ("pending", "failed", "timed_out", "confirmed") if one in states),
        "cancelled",
    )
    fenced = all(each.state == "cancelled" and each.detail.startswith(FENCED) for each in notices)
    details = [each.detail for each in notices if each.state == worst and each.detail]
    good = states.count("confirmed")
    counted = f"{good} of {len(states)} accepted" if len(states) > 1 and not fenced else ""
    finished = [from_iso(each.finished) for each in notices if each.finished]
    seconds = None
    if worst == "confirmed" and finished:
        seconds = round(max(0.0, (max(finished) - begun).total_seconds()), 3)
    said = "; ".join(each for each in (counted, details[0] if details else "") if each)
    return ProtocolChannelView(
        channel=name,
        name=words.channel(name),
        state="fenced" if fenced else worst,  # type: ignore[typeddict-item]
        detail=said,
        seconds=seconds,
    )


def _ending(words: Words, run: RunRow, now: datetime) -> EndingView | None:
    if run.ended or not run.asked:
        return None
    until = from_iso(run.asked) + CONFIRM_WITHIN
    if now > until:
        return None
    return EndingView(by=run.asked_by, time=run.asked, until=iso(until))
