"""Messages in a Discord channel, by its webhook."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import Field

from hub import (
    Block,
    Channel,
    Context,
    Driver,
    Notice,
    NotReady,
    Probed,
    Receipt,
    Severity,
    hookimpl,
    iso,
)
from plugins.notifiers._kept import Kept
from plugins.notifiers._provider import (
    Answer,
    Provider,
    RefusedByProvider,
    Told,
    judged,
    over,
    shaped,
)
from plugins.notifiers._wording import brief, cut, escaped, headline, one_line

# Limits of a message and its embed, in characters.
CONTENT_LIMIT, TITLE_LIMIT, TEXT_LIMIT, FIELD_LIMIT, URL_LIMIT = 2000, 256, 4096, 1024, 2048
COLOURS: dict[Severity, int] = {
    "severe": 0xC62828,
    "high": 0xEF6C00,
    "check": 0xF9A825,
    "note": 0x607D8B,
}
OVER = 0x2E7D32
MESSAGES = 500
NO_MENTIONS: dict[str, list[str]] = {"parse": []}  # whatever a text names, nobody is called by it
MARKUP = re.compile(r"([\\*_~`|>#\[\]()<:@-])")
REMEDIES = {
    10015: "make a new webhook: this one is gone",
    50027: "make a new webhook: this one's token is wrong",
    10003: "correct `thread`: the channel knows none of that ID",
    50001: "make a new webhook in a channel it may write to",
}


class DiscordConfig(Block):
    """The webhook of a channel, which is told all of this notifier."""

    webhook: str = Field(
        pattern=r"^https?://[^\s?#]+$",
        repr=False,
        description="The webhook's address, without `?...`; best as `!secret NAME`.",
    )
    thread: Annotated[str, shaped(r"\d{15,22}", "a thread's ID, 15 to 22 digits")] | None = Field(
        None, description="The ID of a thread of that channel to write into, in quotes."
    )


class Discord:
    """One message a notice; the first of an alert later says how it ended."""

    channel = Channel(path="wan")

    def __init__(self, config: DiscordConfig, context: Context) -> None:
        self._provider = Provider(context, config.webhook.rstrip("/"), hidden=True)
        self._thread = {"thread_id": config.thread} if config.thread else {}
        self._told = Told()
        self._first = Kept(context.state / "messages.json", MESSAGES)

    async def start(self) -> None:
        """Open the connection pool and read which messages told of which alerts."""
        await self._first.load()
        await self._provider.start()

    async def send(self, notice: Notice) -> Receipt:
        """Post one message; Discord's answer says that the channel shows it."""
        return await self._told.each(notice.key, [""], lambda _: self._posted(notice))

    async def probe(self) -> Probed:
        """Ask for the webhook's name; nothing is posted."""
        return await self._provider.probe(self._look)

    async def close(self) -> None:
        """Close the connection pool."""
        await self._provider.close()

    async def _posted(self, notice: Notice) -> str:
        params = {"wait": "true", **self._thread}
        answer = await self._provider.call("POST", "", params=params, json=message(notice))
        if not answer.taken:
            raise refusal(answer)
        number = answer.data.get("id")
        if not isinstance(number, str):
            raise self._provider.unconfirmed()
        first = self._first.get(notice.alert) if notice.alert else None
        if notice.alert and not isinstance(first, dict):
            title = cut(headline(notice, deduplicates=False), TITLE_LIMIT)
            await self._first.put(notice.alert, {"id": number, "title": title})
        elif isinstance(first, dict) and judged(notice):
            await self._mark(notice, first)
        return number

    async def _mark(self, notice: Notice, first: dict[str, Any]) -> None:
        """Put how it ended into the first message; nobody misses a notice when that fails."""
        title = f"{headline(notice)} (was: {first.get('title', '')})"
        path = f"/messages/{quote(str(first.get('id')), safe='')}"
        try:
            await self._provider.call(
                "PATCH", path, params=self._thread, json=message(notice, title)
            )
        except NotReady:
            return  # the channel has the verdict as a message of its own already

    async def _look(self) -> Probed:
        host = self._provider.host
        answer = await self._provider.call("GET", "")
        if not answer.taken:
            found = f"{host} refused the webhook ({answer.said or answer.status})"
            return Probed(found, REMEDIES[10015], works=False)
        name = one_line(str(answer.data.get("name") or "without a name"))
        return Probed(f"{host} knows the webhook {name}")


def message(notice: Notice, title: str = "") -> dict[str, Any]:
    """The notice as a message with one embed, whose markup is escaped.

    `content` is what telephones show.
    """
    title = title or headline(notice, deduplicates=False) or "Notice"
    embed: dict[str, Any] = {
        "title": escaped(title, TITLE_LIMIT, _escape),
        "description": escaped(brief(notice, TEXT_LIMIT), TEXT_LIMIT, _escape),
        "color": OVER if over(notice) else COLOURS[notice.severity],
        "timestamp": iso(notice.time),
    }
    if notice.place:
        place = escaped(one_line(notice.place), FIELD_LIMIT, _escape)
        embed["fields"] = [{"name": "Where", "value": place or "-", "inline": True}]
    if notice.link and len(notice.link) <= URL_LIMIT:
        embed["url"] = notice.link
    return {
        "content": escaped(title, CONTENT_LIMIT, _escape),
        "embeds": [embed],
        "allowed_mentions": NO_MENTIONS,
    }


def refusal(answer: Answer) -> RefusedByProvider:
    """Why Discord did not take it, and what to do."""
    code = answer.data.get("code")
    return answer.refusal(REMEDIES.get(code, "") if isinstance(code, int) else "")


def _escape(text: str) -> str:
    """A backslash before each mark that Discord would read."""
    return MARKUP.sub(r"\\\1", text)


@hookimpl
def vestibule_notifiers() -> Iterable[Driver]:
    """Announce the driver."""
    return [Driver("discord", Discord, DiscordConfig, "Messages in a Discord channel, by webhook")]
