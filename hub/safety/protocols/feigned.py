"""A run that goes on, as the one person is shown it who was forced to give an end.

It looks as its end would look: the same doors seem to be asked for the same, the same channels seem
to tell of it, and each seems to answer as soon as it did when the run began. Nothing is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row

from hub.clock import from_iso
from hub.kinds.access_control import LOCK_VERBS, Verb
from hub.protocol_views import (
    AllClearView,
    DuressView,
    ProtocolChannelView,
    ProtocolDoorView,
    ProtocolRunView,
)
from hub.rule_settings import same_person
from hub.safety import outbox
from hub.safety.alerts import plan as alert_plan
from hub.safety.doors import fire, intents
from hub.safety.protocols import plan, rows
from hub.safety.protocols.rows import RunRow
from hub.safety.protocols.wording import wording
from hub.safety.words import Words

SOONEST_S, LATEST_S = 0.4, 2.9  # within which what is not asked at all seems to be done

MarkRow: TypeAlias = Row[Any]


@dataclass(slots=True)
class _Door:
    door: str
    verb: str
    state: str
    detail: str
    seconds: float | None


def as_if_ended(
    connection: Connection,
    words: Words,
    run: RunRow,
    view: ProtocolRunView,
    mark: MarkRow,
    now: datetime,
) -> ProtocolRunView:
    """The view of a run in force as it would be, had it been ended when the `mark` was made."""
    since = (now - from_iso(mark.time)).total_seconds()
    doors = [
        _door(each, _asked(connection, words, run, each["door"]), since)
        for each in view["doors"]
        if each["state"] not in ("fenced", "refused")
    ]
    of_door = {each["door"]: each for each in view["doors"]}
    return {
        **view,
        "state": "ended",
        "ended": mark.time,
        "ended_by": [words.person(mark.by)],
        "ending": None,
        "decide_by": None,
        "all_clear": AllClearView(
            sentence=plan.clear_sentence(doors, words),
            doors=[_shown(of_door[each.door], each) for each in doors],
            channels=_channels(connection, run, view["channels"], since),
        ),
    }


def duress_elsewhere(
    connection: Connection, words: Words, standing: Sequence[RunRow], viewer: str, reader: str
) -> list[DuressView]:
    """Who was forced to give an end to what is in force, for the eyes of a `reader` who may end it:
    on no session on which that was given, and to nobody who gave it.
    """
    if not reader:
        return []
    found = [
        (run, mark)
        for run in standing
        for mark in rows.duress(connection, run.id)
        if mark.viewer != viewer and not same_person(words.config.people, mark.by, reader)
    ]
    return [
        DuressView(
            run=run.id,
            name=wording(run.protocol, None).name,
            area_words=plan.called(words.campus, run.area),
            by=words.person(mark.by),
            time=mark.time,
        )
        for run, mark in found
    ]


def _asked(connection: Connection, words: Words, run: RunRow, door: str) -> Verb | None:
    """What an end would ask a door for; None where it would be left as it is."""
    held = intents.held(connection, door)
    if not held or held[0].owner != run.id or door not in words.config.doors:
        return None
    before: Verb = held[0].verb
    after: Verb | None = next((each.verb for each in held if each.owner != run.id), None)
    if after == before:
        return None
    if before == "lockdown":
        return "lockdown_release"
    if after is not None or before in LOCK_VERBS:
        return after
    may_lock = alert_plan.may_take(words.config, door, "lock")
    return "lock" if may_lock and not fire.read(connection).suspended else None


def _door(was: ProtocolDoorView, verb: Verb | None, since: float) -> _Door:
    if verb is None:
        return _Door(was["door"], was["verb"], "done", plan.LEFT, 0.0)
    seconds = _time(was["seconds"])
    if since < seconds:
        return _Door(was["door"], verb, "waiting", "", None)
    if was["state"] == "retrying":
        return _Door(was["door"], verb, "retrying", was["detail"], None)
    return _Door(was["door"], verb, "secured" if verb in LOCK_VERBS else "done", "", seconds)


def _shown(was: ProtocolDoorView, now: _Door) -> ProtocolDoorView:
    changed = {"verb": now.verb, "state": now.state, "detail": now.detail}
    return {**was, **changed, "tries": 0, "seconds": now.seconds}  # type: ignore[typeddict-item]


def _channels(
    connection: Connection, run: RunRow, begun: Sequence[ProtocolChannelView], since: float
) -> list[ProtocolChannelView]:
    told: dict[str, int] = {}
    for each in outbox.told(connection, run.alert, or_waiting=True):
        told[each.target] = told.get(each.target, 0) + 1
    return [
        _channel(each, told[each["channel"]], since) for each in begun if each["channel"] in told
    ]


def _channel(was: ProtocolChannelView, notices: int, since: float) -> ProtocolChannelView:
    seconds = _time(was["seconds"])
    if since < seconds:
        detail = f"0 of {notices} accepted" if notices > 1 else ""
        return {**was, "state": "pending", "detail": detail, "seconds": None}
    return {**was, "seconds": seconds if was["state"] == "confirmed" else None}


def _time(before: float | None) -> float:
    return min(max(before or 1.0, SOONEST_S), LATEST_S)
