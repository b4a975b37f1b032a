"""Alerts in PagerDuty by its Events API v2: one alert there for each alert here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field

from hub import (
    Block,
    Channel,
    Context,
    Driver,
    Notice,
    Probed,
    Receipt,
    Severity,
    hookimpl,
    iso,
)
from plugins.notifiers._provider import Provider, RefusedByProvider, Told, addresses, over, shaped
from plugins.notifiers._wording import brief, cut, headline, links, one_line

# Limits of the Events API v2, in characters.
SUMMARY_LIMIT, KEY_LIMIT = 1024, 255
TEXT_LIMIT, FIELD_LIMIT = 8000, 500  # our own, far below the 512 KB that an event may take
SEVERITIES: dict[Severity, str] = {
    "severe": "critical",
    "high": "error",
    "check": "warning",
    "note": "info",
}

RoutingKey = Annotated[
    str, shaped(r"[A-Za-z0-9]{32}", "the 32 letters and digits of an Events API v2 integration")
]


class PagerDutyConfig(Block):
    """The integration of a service there, whose own ladders and rotations then apply.

    A person's `contact` for this notifier is the key of an integration of their own.
    """

    routing_key: RoutingKey = Field(
        repr=False, description="The integration's key (Events API v2); best as `!secret NAME`."
    )
    source: str = Field(
        "Vestibule", min_length=1, max_length=255, description="What PagerDuty shows as the source."
    )
    server: str = Field(
        "https://events.pagerduty.com",
        pattern=r"^https?://[^\s]+$",
        description="Where the API is; https://events.eu.pagerduty.com for accounts in Europe.",
    )


class PagerDuty:
    """Triggers, acknowledges and resolves; PagerDuty merges what has one `dedup_key`."""

    channel = Channel(path="wan", deduplicates=True)

    def __init__(self, config: PagerDutyConfig, context: Context) -> None:
        self._config = config
        self._provider = Provider(context, config.server, secrets=(config.routing_key,))
        self._told = Told()

    async def start(self) -> None:
        """Open the connection pool; PagerDuty is reached at the first notice."""
        await self._provider.start()

    async def send(self, notice: Notice) -> Receipt:
        """Hand over one event for each integration."""
        keys = addresses(notice, [self._config.routing_key])
        return await self._told.each(notice.key, keys, lambda key: self._event(notice, key))

    async def probe(self) -> Probed:
        """Connect and leave: the API has no call that raises nothing."""
        return await self._provider.probe(self._look)

    async def close(self) -> None:
        """Close the connection pool."""
        await self._provider.close()

    async def _event(self, notice: Notice, routing_key: str) -> str:
        sent = {"routing_key": routing_key, **event(notice, self._config.source)}
        answer = await self._provider.call("POST", "/v2/enqueue", json=sent)
        if not answer.taken:
            said = str(answer.refusal("check `routing_key`: the key of an Events API v2"))
            raise RefusedByProvider(said.replace(routing_key, "(hidden)"))
        if answer.data.get("status") != "success":
            raise self._provider.unconfirmed()
        return str(answer.data.get("dedup_key", ""))

    async def _look(self) -> Probed:
        return Probed(f"{self._provider.host} reached; the routing key is not tried")


def event(notice: Notice, source: str) -> dict[str, Any]:
    """The notice as an event of the API, but for the routing key.

    What ends an alert resolves it there, what takes it on acknowledges it; the rest triggers.
    """
    action = _action(notice)
    made: dict[str, Any] = {"event_action": action, "dedup_key": dedup_key(notice)}
    if action != "trigger":
        return made
    title = headline(notice) or "Notice"
    made["payload"] = {
        "summary": cut(title, SUMMARY_LIMIT),
        "source": source,
        "severity": "info" if notice.drill else SEVERITIES[notice.severity],
        "timestamp": iso(notice.time),
        "custom_details": {
            "text": brief(notice, TEXT_LIMIT),
            "severity": notice.severity,
            "drill": notice.drill,
            "for": cut(", ".join(one_line(one.name) for one in notice.to), FIELD_LIMIT),
        },
    }
    if notice.place:
        made["payload"]["component"] = cut(one_line(notice.place), FIELD_LIMIT)
    made["links"] = [{"href": href, "text": text} for text, href in links(notice).items()]
    made["client"] = "Vestibule"
    return made


def dedup_key(notice: Notice) -> str:
    """By what PagerDuty merges: the alert, or the incident for how that stands.

    What went wrong after an alert is one of its own there, since the first may be resolved by then.
    """
    if notice.about == "outcome":
        return notice.key[:KEY_LIMIT]
    if notice.about in ("update", "hand_off") and notice.incident:
        return f"incident-{notice.data.get('closed') or notice.incident}"[:KEY_LIMIT]
    return (notice.alert or notice.key)[:KEY_LIMIT]


def _action(notice: Notice) -> str:
    if notice.data.get("closed"):
        return "resolve"
    if notice.alert and notice.about != "alert":
        if over(notice):
            return "resolve"
        if notice.about == "acknowledgement":
            return "acknowledge"
    return "trigger"


@hookimpl
def vestibule_notifiers() -> Iterable[Driver]:
    """Announce the driver."""
    summary = "Alerts in PagerDuty (Events API v2): triggered, acknowledged, resolved"
    return [Driver("pagerduty", PagerDuty, PagerDutyConfig, summary)]
