"""Messages in Microsoft Teams, as Adaptive Cards through the webhook of a workflow."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pydantic import Field

from hub import Block, Channel, Context, Driver, Notice, Probed, Receipt, Severity, hookimpl
from plugins.notifiers._provider import Provider, Told, over
from plugins.notifiers._wording import brief, cut, headline, largest, links

# Teams takes cards of 28 KB; of a title people see only the beginning.
CARD_BYTES, TITLE_LIMIT, TEXT_LIMIT, LINES = 28_000, 300, 8000, 60
COLOURS: dict[Severity, str] = {
    "severe": "Attention",
    "high": "Warning",
    "check": "Accent",
    "note": "Default",
}
ORPHANED = (
    "make the workflow anew, or switch it on: it belongs to a person, and ends with their account"
)


class TeamsConfig(Block):
    """The webhook of a workflow (`When a Teams webhook request is received`).

    The channel it posts into is told all of this notifier.
    """

    webhook: str = Field(
        pattern=r"^https?://[^\s]+$",
        repr=False,
        description="The workflow's address; best as `!secret NAME`.",
    )


class Teams:
    """One card a notice. Nothing comes back but that the workflow has begun."""

    channel = Channel(path="wan")

    def __init__(self, config: TeamsConfig, context: Context) -> None:
        self._provider = Provider(context, config.webhook, hidden=True)
        self._told = Told()

    async def start(self) -> None:
        """Open the connection pool; the workflow is reached at the first notice."""
        await self._provider.start()

    async def send(self, notice: Notice) -> Receipt:
        """Post one card."""
        return await self._told.each(notice.key, [""], lambda _: self._posted(notice))

    async def probe(self) -> Probed:
        """Connect and leave: every call of a workflow posts something."""
        return await self._provider.probe(self._look)

    async def close(self) -> None:
        """Close the connection pool."""
        await self._provider.close()

    async def _posted(self, notice: Notice) -> str:
        answer = await self._provider.call("POST", "", json=message(notice))
        if not answer.taken:
            raise answer.refusal(ORPHANED if answer.status != 413 else "")
        return ""

    async def _look(self) -> Probed:
        found = f"{self._provider.host} reached; nothing was posted, so the workflow is not tried"
        return Probed(found)


def message(notice: Notice) -> dict[str, Any]:
    """The notice as a message with one Adaptive Card 1.4, as large as Teams takes it."""
    words = brief(notice, TEXT_LIMIT)

    def made(length: int) -> dict[str, Any]:
        return _message(notice, cut(words, length))

    if _size(whole := made(len(words))) <= CARD_BYTES:
        return whole
    return made(largest(len(words), lambda length: _size(made(length)) <= CARD_BYTES))


def _message(notice: Notice, words: str) -> dict[str, Any]:
    title = cut(headline(notice, deduplicates=False), TITLE_LIMIT) or "Notice"
    colour = "Accent" if notice.drill else COLOURS[notice.severity]
    colour = "Good" if over(notice) else colour
    runs = [_line(title, size="Large", weight="Bolder", color=colour)]
    runs += [_line(line) for line in words.split("\n")[:LINES] if line]
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": title,
        "speak": title,
        "body": runs,
        "msteams": {"width": "Full"},
    }
    card["actions"] = [
        {"type": "Action.OpenUrl", "title": title, "url": url}
        for title, url in links(notice).items()
    ]
    kind = "application/vnd.microsoft.card.adaptive"
    attachment = {"contentType": kind, "contentUrl": None, "content": card}
    return {"type": "message", "summary": title, "attachments": [attachment]}


def _line(text: str, **looks: str) -> dict[str, Any]:
    """A line whose markup stays as it is: a TextBlock would read `**` and `{{DATE()}}` in it."""
    run = {"type": "TextRun", "text": text, **looks}
    return {"type": "RichTextBlock", "inlines": [run]}


def _size(made: dict[str, Any]) -> int:
    return len(json.dumps(made))


@hookimpl
def vestibule_notifiers() -> Iterable[Driver]:
    """Announce the driver."""
    summary = "Messages in Microsoft Teams, as Adaptive Cards through a workflow"
    return [Driver("teams", Teams, TeamsConfig, summary)]
