"""Words on screens, by the emergency alert API of Airtame, or of what speaks as it does."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Literal

from pydantic import Field

from hub import (
    Block,
    Channel,
    Context,
    Driver,
    Duration,
    Notice,
    Probed,
    Receipt,
    Severity,
    hookimpl,
    iso,
)
from plugins.notifiers._provider import Provider, over
from plugins.notifiers._wording import clean, cut, headline, where

Template = Literal["high", "medium", "low", "blank", "hold", "secure", "lockdown", "evacuate",
                   "shelter"]  # fmt: skip
TEMPLATES: dict[Severity, Template] = {
    "severe": "high",
    "high": "medium",
    "check": "low",
    "note": "low",
}
PROTOCOLS = ("hold", "secure", "lockdown", "evacuate", "shelter")
TITLE_LIMIT, TEXT_LIMIT = 120, 600  # our own: what can be read from across a room


class SignageConfig(Block):
    """The integration's address and key, and how long words stay.

    The screens that the integration names are told all of this notifier.
    """

    url: str = Field(
        pattern=r"^https?://[^\s]+$", repr=False, description="The integration's address."
    )
    api_key: str = Field(
        min_length=8, repr=False, description="The integration's key; best as `!secret NAME`."
    )
    template: Template | None = Field(
        None,
        description="How it looks. Where it is left out a protocol looks like itself (`lockdown`), "
        "anything else by severity (`high`, `medium`, `low`).",
    )
    show_for: Duration = Field(
        1800.0, ge=60, le=86400, description="After how long the screens clear by themselves."
    )


class Signage:
    """Shows what a person has verified; clears it when it is over.

    Everyone reads the screens: they never show a detector's word alone.
    """

    channel = Channel(path="wan", public=True)

    def __init__(self, config: SignageConfig, context: Context) -> None:
        self._config = config
        self._clock = context.clock
        self._provider = Provider(
            context,
            config.url,
            headers={"Authorization": f"Bearer {config.api_key}"},
            secrets=(config.api_key,),
            hidden=True,
        )

    async def start(self) -> None:
        """Open the connection pool; screens are reached at the first notice."""
        await self._provider.start()

    async def send(self, notice: Notice) -> Receipt:
        """Show, clear, or leave the screens as they are."""
        verified = notice.data.get("verdict") == "verified"
        if notice.about == "alert" and not verified:
            return Receipt("failed", detail="nobody has verified this alert: not for the screens")
        clears = notice.about != "alert" and over(notice)
        if not verified and not clears:
            return Receipt("accepted", id=notice.key, detail="the screens are left as they are")
        answer = await self._provider.call("POST", "", json=self._message(notice, clears))
        if clears and answer.status == 404:
            return Receipt("accepted", id=notice.alert, detail="the screens showed no such alert")
        if not answer.taken:
            remedy = "check `url` and `api_key`" if answer.status in (401, 403, 404) else ""
            return Receipt("failed", detail=str(answer.refusal(remedy)))
        return Receipt("accepted", id=notice.alert, detail="cleared" if clears else "shown")

    async def probe(self) -> Probed:
        """Connect and leave: every call of the API shows something."""
        return await self._provider.probe(self._look)

    async def close(self) -> None:
        """Close the connection pool; what is shown stays until it is over."""
        await self._provider.close()

    def _message(self, notice: Notice, clears: bool) -> dict[str, Any]:
        until = self._clock.now() + timedelta(seconds=self._config.show_for)
        return message(notice, self._config.template, "" if clears else iso(until))

    async def _look(self) -> Probed:
        return Probed(f"{self._provider.host} reached; nothing was shown, so the key is not tried")


def message(notice: Notice, template: Template | None, until: str) -> dict[str, Any]:
    """The notice as Airtame's JSON payload: shown `until` then, or cleared when that is empty."""
    made: dict[str, Any] = {
        "id": notice.alert or notice.key,
        "status": "Initiated" if until else "Resolved",
        "template": _looks(notice, template) if until else "all-clear",
        "headline": cut(headline(notice, deduplicates=False), TITLE_LIMIT) or "Notice",
        "description": cut(_words(notice), TEXT_LIMIT),
        "isDrill": notice.drill,
    }
    return made | {"expiresAt": until} if until else made


def _looks(notice: Notice, template: Template | None) -> str:
    protocol = notice.data.get("protocol")
    return template or (protocol if protocol in PROTOCOLS else TEMPLATES[notice.severity])


def _words(notice: Notice) -> str:
    parts = ("This is a drill." if notice.drill else "", clean(notice.text), where(notice))
    return "\n".join(part for part in parts if part)


@hookimpl
def vestibule_notifiers() -> Iterable[Driver]:
    """Announce the driver."""
    summary = "Words on screens (Airtame's emergency alerts), shown and cleared"
    return [Driver("signage", Signage, SignageConfig, summary)]
