"""Messages in Slack, by an incoming webhook or as a bot; a bot keeps an alert in one thread."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import Field, model_validator

from hub import Block, Channel, Context, Driver, Notice, NotReady, Probed, Receipt, hookimpl
from plugins.notifiers._kept import Kept
from plugins.notifiers._provider import (
    Answer,
    Provider,
    RefusedByProvider,
    Told,
    addresses,
    judged,
    shaped,
)
from plugins.notifiers._wording import brief, clean, cut, escaped, headline, links

# Limits of Block Kit, in characters.
HEADER_LIMIT, SECTION_LIMIT, URL_LIMIT = 150, 3000, 2000
TEXT_LIMIT = 3000
THREADS = 500
IN_URLS = "%/:?#[]@!$&'()*+,;=~"  # all that an address may hold, but for what Slack reads
PASSING = frozenset(
    {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable",
     "request_timeout", "team_added_to_org"}
)  # fmt: skip
REMEDIES = {
    "invalid_auth": "correct `token`",
    "not_authed": "correct `token`",
    "token_revoked": "make a new bot token",
    "token_expired": "make a new bot token",
    "account_inactive": "make a new bot token",
    "channel_not_found": "correct the channel, or invite the bot into it",
    "not_in_channel": "invite the bot into the channel",
    "is_archived": "name a channel that is not archived",
    "missing_scope": "give the bot the scope chat:write",
    "restricted_action": "let the bot post in that channel",
    "no_service": "make a new webhook: this one is gone",
    "no_team": "make a new webhook: its workspace is gone",
    "invalid_token": "make a new webhook: this one is gone",
    "channel_is_archived": "make a new webhook for a channel that is not archived",
    "action_prohibited": "ask the workspace's owner to allow it",
}

BotToken = Annotated[str, shaped(r"xox[a-z]-[A-Za-z0-9-]{10,}", "a bot token, xoxb-...")]
ChannelName = Annotated[
    str, shaped(r"#?[^\s#@<>]{1,80}", "a channel's ID such as C0123456789, or its name")
]


class SlackConfig(Block):
    """Either `webhook`, or `token` and `channel` of a bot.

    With a bot a person's `contact` for this notifier is a channel or their member ID.
    """

    webhook: str | None = Field(
        None,
        pattern=r"^https?://[^\s]+$",
        repr=False,
        description="The address of an incoming webhook; best as `!secret NAME`.",
    )
    token: BotToken | None = Field(
        None, repr=False, description="A bot's token, `xoxb-...`; best as `!secret NAME`."
    )
    channel: ChannelName | None = Field(
        None, description="Where the bot writes, where people have no `contact:` of their own."
    )
    button: bool = Field(
        False,
        description="Puts a button *Take it on* under each alert. Only beside an `inbound:` block "
        "of `format: slack`, which hears it.",
    )
    server: str = Field(
        "https://slack.com/api",
        pattern=r"^https?://[^\s]+$",
        description="Where the API for bots is; another address for a gateway.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> SlackConfig:
        if bool(self.webhook) == bool(self.token):
            raise ValueError("expected either `webhook`, or a bot's `token` and `channel`")
        if self.webhook and self.channel:
            raise ValueError("expected no `channel` beside `webhook`, which has its own")
        return self


class Slack:
    """One message for each channel.

    As a bot, what comes later about an alert goes into its thread and into the channel, and the
    first message says how it ended.
    """

    channel = Channel(path="wan")

    def __init__(self, config: SlackConfig, context: Context) -> None:
        self._config = config
        self._provider = Provider(
            context,
            config.webhook or config.server,
            headers={"Authorization": f"Bearer {config.token}"} if config.token else {},
            secrets=(config.token,),
            hidden=bool(config.webhook),
        )
        self._told = Told()
        self._threads = Kept(context.state / "threads.json", THREADS)

    async def start(self) -> None:
        """Open the connection pool and read where the threads of earlier alerts are."""
        await self._threads.load()
        await self._provider.start()

    async def send(self, notice: Notice) -> Receipt:
        """Post to the webhook, or to each channel."""
        if self._config.webhook:
            return await self._told.each(notice.key, [""], lambda _: self._posted(notice))
        channels = addresses(notice, [self._config.channel])
        if not channels:
            detail = "nobody to tell: write `channel`, or a channel under the people's `contact:`"
            return Receipt("failed", detail=detail)
        return await self._told.each(notice.key, channels, lambda each: self._said(notice, each))

    async def probe(self) -> Probed:
        """Ask who the bot is; for a webhook, connect and leave. Nothing is posted."""
        return await self._provider.probe(self._look)

    async def close(self) -> None:
        """Close the connection pool."""
        await self._provider.close()

    async def _posted(self, notice: Notice) -> str:
        answer = await self._provider.call("POST", "", json=self._message(notice))
        if not answer.taken:
            raise refusal(answer)
        return ""

    async def _said(self, notice: Notice, channel: str) -> str:
        """Post one message; returns its `ts`, by which Slack knows it."""
        known = self._threads.get(f"{notice.alert} {channel}") if notice.alert else None
        first = known if isinstance(known, dict) else None
        sent = {"channel": channel, **self._message(notice)}
        if first is not None:
            sent |= {"thread_ts": str(first.get("ts")), "reply_broadcast": True}
        try:
            answer = await self._method("chat.postMessage", sent)
        except RefusedByProvider:
            if first is None:
                raise
            # The thread may be gone or locked: that must cost nobody the verdict.
            first = None
            again = {"channel": channel, **self._message(notice)}
            answer = await self._method("chat.postMessage", again)
        stamp = str(answer.data.get("ts", ""))
        if first is None:
            await self._begin(notice, channel, str(answer.data.get("channel", channel)), stamp)
        elif judged(notice):
            await self._mark(notice, first)
        return stamp

    def _message(self, notice: Notice) -> dict[str, Any]:
        made = message(notice)
        if self._config.button and notice.alert and notice.about == "alert":
            made["blocks"].append(take_on(notice.key))
        return made

    async def _begin(self, notice: Notice, name: str, channel: str, stamp: str) -> None:
        if notice.alert and stamp:
            title = headline(notice, deduplicates=False)
            fact = {"channel": channel, "ts": stamp, "title": cut(title, HEADER_LIMIT)}
            await self._threads.put(f"{notice.alert} {name}", fact)

    async def _mark(self, notice: Notice, first: dict[str, Any]) -> None:
        """Put how it ended above the first message; nobody misses a notice when that fails."""
        title = f"{headline(notice)} (was: {first.get('title', '')})"
        changed = {"channel": str(first.get("channel")), "ts": str(first.get("ts"))}
        try:
            await self._method("chat.update", {**changed, **message(notice, title)})
        except (NotReady, RefusedByProvider):
            return  # the thread and the channel have the verdict already

    async def _method(self, name: str, sent: dict[str, Any]) -> Answer:
        answer = await self._provider.call("POST", f"/{name}", json=sent)
        if answer.data.get("ok") is True:
            return answer
        error = answer.data.get("error")
        if answer.taken and (not isinstance(error, str) or error in PASSING):
            raise NotReady(f"{self._provider.host}: {answer.said or 'no word that it took it'}")
        raise refusal(answer)

    async def _look(self) -> Probed:
        host = self._provider.host
        if self._config.webhook:
            return Probed(f"{host} reached; nothing was posted, so the webhook is not tried")
        try:
            answer = await self._method("auth.test", {})
        except RefusedByProvider as error:
            return Probed(f"{host} refused the bot ({error})", "correct `token`", works=False)
        bot, team = (clean(str(answer.data.get(each, ""))) for each in ("user", "team"))
        return Probed(f"{host} knows the bot {bot} of {team}; the channel is not tried")


def message(notice: Notice, title: str = "") -> dict[str, Any]:
    """The notice in Block Kit, all of it as plain text, so that no name in it formats or calls.

    `text` is what telephones show, and programs that read aloud.
    """
    title = title or headline(notice, deduplicates=False) or "Notice"
    words = brief(notice, SECTION_LIMIT) or title
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(title, HEADER_LIMIT)},
        {"type": "section", "text": _plain(words, SECTION_LIMIT)},
    ]
    elements = [
        {"type": "mrkdwn", "text": f"<{quote(link, safe=IN_URLS)}|{name}>"}
        for name, link in links(notice).items()
        if len(link) <= URL_LIMIT
    ]
    if elements:
        blocks.append({"type": "context", "elements": elements})
    return {
        "text": escaped(f"{title}\n{words}", TEXT_LIMIT, _escape),
        "blocks": blocks,
        "mrkdwn": False,
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def take_on(key: str) -> dict[str, Any]:
    """A button by which whoever reads a notice takes its alert on; `key` is the notice's."""
    words = {"type": "plain_text", "text": "Take it on", "emoji": False}
    button = {"type": "button", "action_id": "take_on", "value": key, "text": words}
    return {"type": "actions", "elements": [button]}


def refusal(answer: Answer) -> RefusedByProvider:
    """Why Slack did not take it, and what to do."""
    error = str(answer.data.get("error") or answer.said)
    return answer.refusal(REMEDIES.get(error, ""))


def _plain(text: str, longest: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": escaped(text, longest, _escape), "emoji": False}


def _escape(text: str) -> str:
    """The three characters that Slack reads."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@hookimpl
def vestibule_notifiers() -> Iterable[Driver]:
    """Announce the driver."""
    summary = "Messages in Slack, by webhook or as a bot with a thread for each alert"
    return [Driver("slack", Slack, SlackConfig, summary)]
