"""Push messages through an ntfy server, the school's own or a public one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from hub import Block, Channel, Context, Driver, Notice, Probed, Receipt, Severity, hookimpl
from plugins.notifiers._provider import Provider, RefusedByProvider, Told
from plugins.notifiers._wording import body, headline

TopicName = Annotated[str, StringConstraints(pattern=r"^[-_A-Za-z0-9]{1,64}$")]
PRIORITIES: dict[Severity, int] = {"severe": 5, "high": 4, "check": 3, "note": 2}
TAGS: dict[Severity, str] = {
    "severe": "rotating_light",
    "high": "warning",
    "check": "eyes",
    "note": "memo",
}
TEXT_LIMIT = 4000


class NtfyConfig(Block):
    """The server, the topic everyone reads, and a token where the server wants one.

    A person's `contact` for this notifier is a topic of their own.
    """

    server: str = Field(pattern=r"^https?://[^\s]+$", description="The ntfy server.")
    topic: TopicName | None = Field(
        None, description="The topic that everyone reads, besides those under `contact:`."
    )
    token: str | None = Field(
        None, repr=False, description="An access token, best as `!secret NAME`."
    )
    path: Literal["lan", "wan"] = Field(
        "wan", description="What must work for it: the school's network or the internet."
    )


class Ntfy:
    """Publishes to each topic; ntfy shows a repeat twice, so a repeat says that it may be one."""

    channel = Channel(path="wan", otherwise="topic")

    def __init__(self, config: NtfyConfig, context: Context) -> None:
        self.channel = Channel(path=config.path, otherwise="topic")
        self._config = config
        self._provider = Provider(context, config.server, secrets=(config.token,))
        self._signed = {"Authorization": f"Bearer {config.token}"} if config.token else {}
        self._told = Told()

    async def start(self) -> None:
        """Open the connection pool; the server is reached at the first notice."""
        await self._provider.start()

    async def send(self, notice: Notice) -> Receipt:
        """Publish to the common topic and to those of the recipients."""
        topics = {r.contact: None for r in notice.to if r.contact}
        if self._config.topic:
            topics[self._config.topic] = None
        if not topics:
            return Receipt("failed", detail="no topic: neither the block nor a recipient names one")
        return await self._told.each(notice.key, topics, lambda each: self._published(notice, each))

    async def probe(self) -> Probed:
        """Ask the server for its health; nothing is published."""
        return await self._provider.probe(self._look)

    async def close(self) -> None:
        """Close the connection pool."""
        await self._provider.close()

    async def _published(self, notice: Notice, topic: str) -> str:
        answer = await self._provider.call(
            "POST", "/", json=message(topic, notice), headers=self._signed
        )
        if not answer.taken:
            raise RefusedByProvider(f"{topic}: {answer.refusal()}")
        return str(answer.data.get("id", ""))

    async def _look(self) -> Probed:
        """Whether the server is in health (docs.ntfy.sh, "Health checks")."""
        host = self._provider.host
        answer = await self._provider.call("GET", "/v1/health")
        if not answer.taken or answer.data.get("healthy") is not True:
            said = "it says so itself" if "healthy" in answer.data else f"HTTP {answer.status}"
            found = f"{host} is reached, but is no ntfy server in health ({said})"
            return Probed(found, "check `server`, and the ntfy server's own log", works=False)
        return Probed(f"{host} is in health" + ("; the token is not tried" if self._signed else ""))


def message(topic: str, notice: Notice) -> dict[str, Any]:
    """The notice as ntfy's JSON publish message (docs.ntfy.sh, "Publish as JSON")."""
    made: dict[str, Any] = {
        "topic": topic,
        "title": headline(notice, deduplicates=False),
        "message": body(notice)[:TEXT_LIMIT],
        "priority": 3 if notice.drill else PRIORITIES[notice.severity],
        "tags": [TAGS[notice.severity]],
    }
    if notice.link:
        made["click"] = notice.link
    return made


@hookimpl
def vestibule_notifiers() -> Iterable[Driver]:
    """Announce the driver."""
    return [Driver("ntfy", Ntfy, NtfyConfig, "Push messages through an ntfy server")]
