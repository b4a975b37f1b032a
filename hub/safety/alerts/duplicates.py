"""Which alerts are the same thing told twice.

The matches of one rule about one door, camera or place join (`hub.safety.alerts.rows.joinable`).
Two rules may fire for the same thing as well: the later one joins where it would tell nobody
anything new. A new place is never a duplicate, nor is what is graver, nor what would tell somebody
else or act differently once verified: swallowing those would cost what people rely on.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from hub.clock import iso
from hub.config import Config, Rule
from hub.kinds.notifiers import SEVERITIES
from hub.safety.alerts.rows import OPEN, AlertRow
from hub.safety.rules.book import Match
from hub.storage.schema import alerts, demotions, events

SAME_WITHIN = timedelta(minutes=2)


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
            alerts.c.scope == match.about.scope,
            alerts.c.place == match.about.place,
            alerts.c.rule != match.rule,
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
