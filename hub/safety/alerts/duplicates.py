"""Which alerts are the same thing told twice.

The matches of one rule about one door, camera or place join (`joinable`). Two rules may fire for
the same thing as well: the later one joins where it would tell nobody anything new. A new place is
never a duplicate, nor is what is graver, nor what would tell somebody else or act differently once
verified: swallowing those would cost what people rely on.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, exists, or_, select, true

from hub.clock import iso
from hub.config import Config, Rule
from hub.events import Event
from hub.kinds.notifiers import SEVERITIES
from hub.safety.alerts import together
from hub.safety.alerts.rows import OPEN, AlertRow
from hub.safety.rules.book import Match
from hub.storage.schema import alerts, demotions, events, incidents

SAME_WITHIN = timedelta(minutes=2)
STILL_SAME = timedelta(minutes=10)


def joinable(connection: Connection, match: Match, now: datetime) -> AlertRow | None:
    """The alert that a further match belongs to: same rule, same place, door or camera (or another
    of the same cause, see `together`), and open or verified a short while ago. A dismissed or
    resolved alert is over, and so is one whose incident was closed: the next match is news. So is
    one that is graver than the alert, for people have not been told that; one of what another
    system reports under another label; and one long after somebody took the alert on, for nobody
    would be called.
    """
    since = iso(now - STILL_SAME)
    taken_on = alerts.c.acknowledged_time
    going_on = or_(
        and_(
            alerts.c.state.in_(OPEN),
            or_(taken_on == "", taken_on >= since, alerts.c.updated >= since),
        ),
        and_(
            alerts.c.state == "verified",
            alerts.c.updated >= since,
            alerts.c.resolved_time == "",
            ~exists().where(incidents.c.id == alerts.c.incident, incidents.c.state == "closed"),
        ),
    )
    no_less_grave = SEVERITIES[: SEVERITIES.index(match.severity) + 1]
    found = (
        select(alerts)
        .where(alerts.c.rule == match.rule, going_on)
        .where(alerts.c.severity.in_(no_less_grave), same_report(match.event))
        .order_by(alerts.c.opened.desc())
    )
    of_same_cause = together.of_same_cause(connection, found, match, now)
    if of_same_cause is not None:
        return of_same_cause
    scope = match.about.scope
    known = alerts.c.scope == scope
    if match.spec.gathers() is not None:
        known = or_(known, together.holds(scope))
    own = connection.execute(found.where(known).limit(1)).first()
    return None if own is None or together.Parts.of(own).over(now) else own


def same_report(event: Event) -> ColumnElement[bool]:
    """That an alert is about what an event says: another system's report of a weapon is no more of
    the fight that it reported before. Of anything else the door, camera or place says it.
    """
    if event.type != "report.received":
        return true()
    return alerts.c.label == str(event.data.get("label") or "")


def duplicate(
    connection: Connection, config: Config, match: Match, now: datetime
) -> AlertRow | None:
    """The open alert of another rule that a match only repeats: raised for the same kind of event
    about the same door, camera or place within two minutes, no less grave, and told to all whom
    this one would tell.
    """
    if match.about.scope.startswith("subject/"):
        return None
    no_less_grave = SEVERITIES[: SEVERITIES.index(match.severity) + 1]
    found = connection.execute(
        select(alerts)
        .join(events, events.c.id == alerts.c.event)
        .where(
            or_(
                and_(alerts.c.scope == match.about.scope, alerts.c.place == match.about.place),
                together.holds(match.about.scope),
            ),
            alerts.c.rule != match.rule,
            same_report(match.event),
            alerts.c.state.in_(OPEN),
            alerts.c.severity.in_(no_less_grave),
            alerts.c.opened >= iso(now - SAME_WITHIN),
            events.c.type == match.event.type,
        )
        .order_by(alerts.c.opened.desc())
    )
    for row in found:
        rule = config.rules.get(row.rule)
        if rule is None or row.severity != rule.alert.severity or _reviewed(connection, row):
            continue
        if _says_all(rule, match.spec):
            return row
    return None


def _reviewed(connection: Connection, row: AlertRow) -> bool:
    """Whether only reviewers were told, for its rule had given too many false alarms."""
    found = select(demotions.c.rule).where(
        demotions.c.rule == row.rule,
        demotions.c.camera == row.camera,
        demotions.c.since != "",
        demotions.c.since <= row.opened,
    )
    return connection.execute(found).first() is not None


def _says_all(rule: Rule, other: Rule) -> bool:
    """Whether the alert of one rule tells and does all that the other's would."""
    if rule.verified != other.verified or rule.alert.incident != other.alert.incident:
        return False
    everyone = not rule.alert.tell
    told = everyone or (bool(other.alert.tell) and set(other.alert.tell) <= set(rule.alert.tell))
    return told and set(other.alert.through) <= set(rule.alert.through)
