"""The other gesture: help. It calls people, locks nothing, and may be taken back for ten seconds.

A lockdown never takes itself back, and no detector starts one: only the methods of `Starts` do, and
only people, enrolled devices, inputs and signed messages come there.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from hub.clock import from_iso
from hub.errors import Refused
from hub.events import Event, new_id
from hub.rule_settings import AlertSpec, Rule
from hub.safety.alerts import rows as alerts
from hub.safety.alerts.rows import AlertRow
from hub.safety.protocols import plan
from hub.safety.protocols.configured import Configured
from hub.safety.protocols.starts import RECORDED
from hub.safety.rules.about import HELP_RULE, about_event
from hub.safety.rules.book import Match
from hub.storage import eventlog
from hub.storage.schema import alerts as alert_table

HELP = "help.pressed"
CORRECT_WITHIN = timedelta(seconds=10)


class ProtocolActs(Configured):
    """All that people may do with protocols, inside one transaction."""

    @abstractmethod
    def _alert(self, match: Match, event: Event) -> AlertRow:
        """Raise an alert, or join one that is open."""

    @abstractmethod
    def verdict(self, alert: str, verdict: Any, by: str, note: str) -> None:
        """Judge an alert."""

    def help(
        self, place: str, by: str, device: str, source: str, text: str, tell: tuple[str, ...],
        key: str = "",
    ) -> str:  # fmt: skip
        """Somebody calls for help; returns the alert. Rules say who hears of `help.pressed`; where
        none does, those in `tell` do, through every channel that reaches people alone. The same
        `key` from one source twice is one call while its alert stands, and of a signed message
        for ever.
        """
        charter = self._charter
        if place not in charter.config.places:
            raise Refused("there is no place %(place)r; expected one of `places:`", place=place)
        facts = {"place": place, "by": by, "device": device, "text": text}
        event = Event(HELP, source, self._now, place, facts)
        if key:
            whole = "\0".join((HELP, source, place, key)).encode("utf-8", "replace")
            event = replace(event, id=hashlib.sha256(whole).hexdigest()[:32])
        if (before := eventlog.get(self._connection, event.id)) is not None:
            known = self._raised_by(before)
            if known is not None and (_stands(known) or source.startswith(RECORDED)):
                self.decision.alert = known
                return str(known.id)
            event = replace(event, id=new_id())
        self.accept(event)
        row = self._raised_by(event)
        if row is None:
            spec = self._help_rule(place, tell)
            about = about_event(event, charter.config)
            who = charter.words.person(by or device)
            why = f"{who} asks for help in {plan.called(charter.campus, place)}"
            why += f": {text}" if text else ""
            match = Match(HELP_RULE, spec, about, (why,), "high", event, (event.id,))
            row = self._alert(match, event)
        self.decision.alert = row
        return str(row.id)

    def correct_help(self, alert: str, by: str) -> None:
        """Whoever pressed help takes it back, within ten seconds: everyone who was told hears that
        too. Raises `Refused` later, and of anything else.
        """
        row = alerts.get(self._connection, alert)
        cause = self._cause_of(row)
        if cause is None or cause.type != HELP:
            raise Refused("only a call for help can be taken back")
        if self._now > from_iso(row.opened) + CORRECT_WITHIN:
            raise Refused("it can be taken back for ten seconds; tell the people who come instead")
        if by not in (cause.data.get("by"), cause.data.get("device")):
            raise Refused("only whoever called for help takes it back")
        if row._mapping["count"] > 1:
            raise Refused("help was called for here more than once; tell the people who come")
        self.verdict(alert, "dismissed", by, "Pressed by mistake")

    def _cause_of(self, row: AlertRow) -> Event | None:
        return eventlog.get(self._connection, row.event)

    def _raised_by(self, event: Event) -> AlertRow | None:
        """The alert that rules have raised, or joined, for an event; the gravest is the first."""
        for _, each in self.decision.events:
            if each.type == "rule.fired" and each.data.get("cause") == event.id:
                return alerts.get(self._connection, str(each.data["alert"]))
        return self._connection.execute(
            select(alert_table).where(alert_table.c.event == event.id)
        ).first()

    def _help_rule(self, place: str, tell: tuple[str, ...]) -> Rule:
        charter = self._charter
        through = tuple(
            name
            for name, block in charter.config.notifiers.items()
            if block.enabled and charter.private(name)
        )
        title = f"Help: {charter.campus.name(place)}"
        spec = AlertSpec(severity="high", tell=tell, through=through, incident="medical")
        return Rule.model_validate({"name": title, "when": HELP, "alert": spec})


def _stands(alert: AlertRow) -> bool:
    return alert.state != "dismissed" and not alert.resolved_time
