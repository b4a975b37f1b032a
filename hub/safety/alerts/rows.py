"""Alerts as rows: joined while the same thing goes on, judged once, shown as views.

Every function takes a connection and runs inside somebody's transaction.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    bindparam,
    func,
    insert,
    select,
    update,
)

from hub.clock import from_iso, iso
from hub.errors import Refused
from hub.events import Event, new_id
from hub.kinds.notifiers import SEVERITIES
from hub.safety.alerts import together
from hub.safety.alerts.plan import Step, will
from hub.safety.rules.book import Match, number
from hub.safety.words import Words
from hub.storage.schema import alerts
from hub.views import AlertView, AnswerView, LadderStepView, LadderView, Verdict, VerdictView

AlertRow: TypeAlias = Row[Any]

OPEN = ("raised", "unsure")
ANNOUNCE_EVERY = timedelta(seconds=30)
DECIDED_SHOWN = 200
KEPT_BACK = "the cooldown of "
# Asked with each attempt at a notice, so made once.
_ALERT = select(alerts).where(alerts.c.id == bindparam("alert"))
_PICTURE = select(alerts.c.picture).where(alerts.c.id == bindparam("alert"))
_JUDGED = (
    update(alerts)
    .where(alerts.c.id == bindparam("alert"))
    .values(
        state=bindparam("verdict"),
        updated=bindparam("now"),
        verdict_by=bindparam("by"),
        verdict_time=bindparam("now"),
        verdict_note=bindparam("note"),
    )
)


def raise_alert(
    connection: Connection,
    match: Match,
    event: Event,
    steps: Sequence[Step],
    incident: str,
    camera: str,
    now: datetime,
) -> AlertRow:
    """Write a new alert and return it; `camera` is the one to look through."""
    stamp = iso(now)
    name = new_id()
    picture = event.data.get("picture")
    connection.execute(
        insert(alerts),
        {
            "id": name,
            "rule": match.rule,
            "scope": match.about.scope,
            "title": match.spec.name,
            "severity": match.severity,
            "state": "raised",
            "place": match.about.place,
            "camera": camera,
            "door": match.about.door,
            "event": event.id,
            "opened": stamp,
            "updated": stamp,
            "announced": stamp,
            "count": 1,
            "incident": incident,
            "picture": picture if isinstance(picture, str) else None,
            "box": _numbers(event.data.get("box")),
            "frame_size": _numbers(event.data.get("frame")),
            "matched": json.dumps(list(match.matched), ensure_ascii=False),
            "label": str(event.data.get("label") or ""),
            "score": number(event.data.get("score")),
            "guessing": bool(event.data.get("guessing")),
            "could_be": match.spec.alert.could_be,
            "plan": json.dumps(list(steps), ensure_ascii=False),
            "together": together.begun(match, now),
        },
    )
    return get(connection, name)


def join(connection: Connection, alert: AlertRow, event: Event, now: datetime) -> bool:
    """Count a further match; true when it is time to speak of the alert in an event again."""
    stamp = iso(now)
    lately = iso(now - ANNOUNCE_EVERY) < alert.announced <= stamp  # ahead: the clock was set back
    announce = not lately
    picture = event.data.get("picture")
    changes: dict[str, Any] = {"count": alerts.c.count + 1, "updated": stamp}
    if announce:
        changes["announced"] = stamp
    if alert.picture is None and isinstance(picture, str):
        changes["picture"] = picture
        changes["box"] = _numbers(event.data.get("box"))
        changes["frame_size"] = _numbers(event.data.get("frame"))
    connection.execute(update(alerts).where(alerts.c.id == alert.id).values(**changes))
    return announce


def judge(
    connection: Connection,
    alert: AlertRow,
    verdict: Verdict,
    by: str,
    note: str,
    now: datetime,
    words: Words,
) -> bool:
    """Write a verdict; false when the same one already stands.

    Raises `Refused` when another final verdict stands, naming who gave it and when.
    """
    if alert.state in ("verified", "dismissed"):
        if alert.state == verdict:
            return False
        when = words.moment(from_iso(alert.verdict_time))
        if verdict == "verified":
            raise Refused(
                "%(person)s already marked this alert as dismissed at %(when)s; that verdict "
                "stands. If it is real after all, open an incident or start a protocol",
                person=words.person(alert.verdict_by),
                when=when,
            )
        raise Refused(
            "%(person)s already marked this alert as %(state)s at %(when)s; that verdict stands",
            person=words.person(alert.verdict_by),
            state=alert.state,
            when=when,
        )
    stamp = iso(now)
    judged = {"alert": alert.id, "verdict": verdict, "now": stamp, "by": by, "note": note}
    connection.execute(_JUDGED, judged)
    return True


def open_again(connection: Connection, alert: str, now: datetime) -> None:
    """Write that an alert waits for a verdict, as if none had been given."""
    nobody = {"verdict_by": "", "verdict_time": "", "verdict_note": ""}
    again = update(alerts).where(alerts.c.id == alert)
    connection.execute(again.values(state="raised", updated=iso(now), **nobody))


def answered(row: AlertRow) -> bool:
    """Whether somebody has answered for an alert, so that nobody else need be called."""
    return bool(row.acknowledged_time or row.resolved_time or row.state == "dismissed")


def acknowledge(
    connection: Connection, alert: AlertRow, by: str, now: datetime, words: Words
) -> bool:
    """Write who has taken an alert on; false when they already have.

    Raises `Refused` when somebody else has, or when the alert is over.
    """
    if alert.resolved_time or alert.state == "dismissed":
        raise Refused("%(ending)s; there is nothing left to take on", ending=_ending(alert, words))
    if alert.acknowledged_time:
        if alert.acknowledged_by == by:
            return False
        when = words.moment(from_iso(alert.acknowledged_time))
        who = words.person(alert.acknowledged_by)
        raise Refused("%(who)s already took this alert on at %(when)s", who=who, when=when)
    connection.execute(
        update(alerts)
        .where(alerts.c.id == alert.id)
        .values(acknowledged_by=by, acknowledged_time=iso(now))
    )
    return True


def resolve(
    connection: Connection, alert: AlertRow, by: str, note: str, now: datetime, words: Words
) -> bool:
    """Write that a verified alert is over; false when the same person has said so.

    Raises `Refused` when it was never verified, was dismissed, or somebody else has resolved it.
    """
    if alert.resolved_time and alert.resolved_by == by:
        return False
    if alert.resolved_time or alert.state == "dismissed":
        raise Refused("%(ending)s; it is over", ending=_ending(alert, words))
    if alert.state != "verified":
        raise Refused("nobody has said yet whether this is real; verify or dismiss it first")
    stamp = iso(now)
    connection.execute(
        update(alerts)
        .where(alerts.c.id == alert.id)
        .values(resolved_by=by, resolved_time=stamp, resolved_note=note, updated=stamp)
    )
    return True


def _ending(alert: AlertRow, words: Words) -> str:
    if alert.resolved_time:
        who, moment, what = alert.resolved_by, alert.resolved_time, "resolved this alert"
    else:
        who, moment, what = alert.verdict_by, alert.verdict_time, "dismissed this alert"
    return f"{words.person(who)} {what} at {words.moment(from_iso(moment))}"


def get(connection: Connection, alert: str) -> AlertRow:
    """One alert. Raises `KeyError`."""
    found = connection.execute(_ALERT, {"alert": alert}).first()
    if found is None:
        raise KeyError(alert)
    return found


def set_incident(connection: Connection, alert: str, incident: str) -> None:
    """Make an alert part of an incident."""
    connection.execute(update(alerts).where(alerts.c.id == alert).values(incident=incident))


def picture(connection: Connection, alert: str) -> str:
    """The name of the picture that an alert shows; empty where there is none."""
    return str(connection.scalar(_PICTURE, {"alert": alert}) or "")


def give_picture(connection: Connection, incident: str, camera: str, picture: str) -> None:
    """Show a kept picture on the incident's alerts that have none and are not another camera's."""
    connection.execute(
        update(alerts)
        .where(
            alerts.c.incident == incident,
            alerts.c.picture.is_(None),
            alerts.c.camera.in_(("", camera)),
        )
        .values(picture=picture)
    )


def note_kept_back(connection: Connection, alert: str, words: str) -> str:
    """Say on an alert what its rule's cooldown keeps back; returns the alert's incident."""
    row = connection.execute(select(alerts).where(alerts.c.id == alert)).first()
    if row is None:
        return ""
    why = [line for line in json.loads(row.matched) if not line.startswith(KEPT_BACK)]
    text = json.dumps([*why, words], ensure_ascii=False)
    connection.execute(update(alerts).where(alerts.c.id == alert).values(matched=text))
    return str(row.incident)


def of_incidents(connection: Connection, incidents: Sequence[str]) -> list[AlertRow]:
    """The alerts of these incidents, oldest first."""
    return _select(connection, alerts.c.incident.in_(incidents))


def count_open(connection: Connection) -> int:
    """How many alerts wait for a verdict."""
    found = select(func.count()).select_from(alerts).where(alerts.c.state.in_(OPEN))
    return int(connection.scalar(found) or 0)


def shown(connection: Connection, *, open_only: bool) -> list[AlertRow]:
    """Open alerts, most severe and then oldest first; unless `open_only` the latest decided ones
    after them, newest first.
    """
    rank = {severity: place for place, severity in enumerate(SEVERITIES)}
    waiting = _select(connection, alerts.c.state.in_(OPEN))
    waiting.sort(key=lambda row: (rank[row.severity], row.opened))
    if open_only:
        return waiting
    decided = connection.execute(
        select(alerts)
        .where(alerts.c.state.not_in(OPEN))
        .order_by(alerts.c.opened.desc())
        .limit(DECIDED_SHOWN)
    )
    return [*waiting, *decided]


def view(
    row: AlertRow,
    steps: Sequence[Row[Any]],
    words: Words,
    public: Callable[[str], bool],
    now: datetime,
) -> AlertView:
    """An alert as pages and the API show it; `steps` are those of its ladder."""
    verdict: VerdictView | None = None
    if row.verdict_time:
        verdict = VerdictView(
            verdict=row.state, by=row.verdict_by, time=row.verdict_time, note=row.verdict_note
        )
    return AlertView(
        id=row.id,
        rule=row.rule,
        title=row.title,
        severity=row.severity,
        state=row.state,
        place=row.place,
        place_name=words.campus.name(row.place),
        place_words=words.campus.words(row.place),
        camera=row.camera,
        door=row.door,
        opened=row.opened,
        updated=row.updated,
        age_s=max(0.0, (now - from_iso(row.opened)).total_seconds()),
        count=row._mapping["count"],
        incident=row.incident,
        picture=row.picture,
        box=None if row.box is None else json.loads(row.box),
        frame_size=None if row.frame_size is None else json.loads(row.frame_size),
        matched=json.loads(row.matched),
        label=row.label,
        score=row.score,
        guessing=row.guessing,
        could_be=row.could_be,
        will=will(words, json.loads(row.plan), public),
        verdict=verdict,
        told=[],
        reviewed=False,
        acknowledged=_answer(row.acknowledged_by, row.acknowledged_time),
        resolved=_answer(row.resolved_by, row.resolved_time, row.resolved_note),
        ladder=_ladder(row, steps),
        unheard=None if answered(row) else row.unheard or None,
        together=together.views(row, words),
    )


def _answer(by: str, time: str, note: str = "") -> AnswerView | None:
    return AnswerView(by=by, time=time, note=note) if time else None


def _ladder(row: AlertRow, steps: Sequence[Row[Any]]) -> LadderView | None:
    if not row.ladder:
        return None
    ladder = json.loads(row.ladder)
    return LadderView(
        name=ladder["name"],
        steps=[
            LadderStepView(step=each.step, due=each.due, who=who, state=each.state)
            for each, who in zip(steps, ladder["who"], strict=True)
        ],
    )


def _select(connection: Connection, condition: ColumnElement[bool]) -> list[AlertRow]:
    return list(connection.execute(select(alerts).where(condition).order_by(alerts.c.opened)))


def _numbers(value: object) -> str | None:
    if not isinstance(value, list | tuple) or not all(number(item) is not None for item in value):
        return None
    return json.dumps(list(value))
