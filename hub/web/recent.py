"""Verdicts of the last seconds, so that a card does not vanish under the eyes of others."""

from __future__ import annotations

from datetime import datetime, timedelta

from aiohttp import web

from hub.clock import Clock, from_iso, iso
from hub.views import AlertView
from hub.web.remembered import Remembered

KEPT_S = 10.0
_MOST = 64


class RecentVerdicts:
    """The alerts that were decided here in the last ten seconds."""

    def __init__(self, clock: Clock) -> None:
        self._given = Remembered[str, None](clock, KEPT_S, _MOST)

    def add(self, alert: str) -> None:
        """A verdict was given just now."""
        self._given.keep(alert, None)

    def ids(self) -> list[str]:
        """The alerts to keep on the page."""
        return self._given.keys()


def undo_until(alert: AlertView, by: str, now: datetime) -> str:
    """Until when somebody may take back that an alert is a false alarm; empty where they may not:
    it was not their word, or time is up. A verified alert has moved doors and people.
    """
    verdict = alert["verdict"]
    if verdict is None or alert["state"] != "dismissed" or verdict["by"] != by:
        return ""
    until = from_iso(verdict["time"]) + timedelta(seconds=KEPT_S)
    return iso(until) if now < until else ""


RECENT: web.AppKey[RecentVerdicts] = web.AppKey("recent", RecentVerdicts)
