"""Push messages through an ntfy server, the school's own or a public one."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints

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
)
from plugins.notifiers._reach import certified, reach, refused_certificate
from plugins.notifiers._wording import body, headline, one_line

if TYPE_CHECKING:
    from aiohttp import ClientSession

TopicName = Annotated[str, StringConstraints(pattern=r"^[-_A-Za-z0-9]{1,64}$")]
PRIORITIES: dict[Severity, int] = {"severe": 5, "high": 4, "check": 3, "note": 2}
TAGS: dict[Severity, str] = {
    "severe": "rotating_light",
    "high": "warning",
    "check": "eyes",
    "note": "memo",
}
TRY_AGAIN = frozenset({408, 425, 429})
TEXT_LIMIT = 4000
LIMIT_S = 30.0
MESSAGE_LIMIT = 65_536


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
        self._clock = context.clock
        self._session: ClientSession | None = None

    async def start(self) -> None:
        """Open the connection pool; the server is reached at the first notice."""
        from aiohttp import ClientSession, ClientTimeout

        await self.close()
        token = self._config.token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        timeout = ClientTimeout(total=LIMIT_S)
        self._session = ClientSession(timeout=timeout, headers=headers)

    async def send(self, notice: Notice) -> Receipt:
        """Publish to the common topic and to those of the recipients."""
        if self._session is None:
            raise NotReady("ntfy is not started")
        topics = {r.contact: None for r in notice.to if r.contact}
        if self._config.topic:
            topics[self._config.topic] = None
        if not topics:
            return Receipt("failed", detail="no topic: neither the block nor a recipient names one")
        sent: list[str] = []
        refused: list[str] = []
        for topic in topics:
            try:
                sent.append(await self._publish(self._session, topic, notice))
            except _RefusedByServer as error:
                refused.append(f"{topic}: {error}")
        if not sent:
            return Receipt("failed", detail="; ".join(refused))
        return Receipt("accepted", id=",".join(sent), detail="; ".join(refused))

    async def probe(self) -> Probed:
        """Ask the server for its health; nothing is published."""
        server = self._config.server.rstrip("/")
        where = urlsplit(server).hostname or ""
        try:
            certificate = await reach(server)
        except ssl.SSLError as error:
            wrong = refused_certificate(where, error)
            assert wrong is not None
            return wrong
        said = await _health(f"{server}/v1/health")
        if said != "":
            found = f"{where} is reached, but is no ntfy server in health ({said})"
            return Probed(found, "check `server`, and the ntfy server's own log", works=False)
        told = f"{where} is in health" + ("; the token is not tried" if self._config.token else "")
        return certified(told, certificate, self._clock.now())

    async def close(self) -> None:
        """Close the connection pool."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _publish(self, session: ClientSession, topic: str, notice: Notice) -> str:
        from aiohttp import ClientError

        try:
            async with session.post(
                self._config.server.rstrip("/") + "/", json=message(topic, notice)
            ) as answer:
                if 200 <= answer.status < 300:
                    return _message_id(await answer.content.read(MESSAGE_LIMIT))
                said = one_line((await answer.content.read(200)).decode("utf-8", "replace"))
                if 400 <= answer.status < 500 and answer.status not in TRY_AGAIN:
                    raise _RefusedByServer(f"HTTP {answer.status} {said}")
                raise NotReady(f"HTTP {answer.status} {said}")
        except TimeoutError:
            raise NotReady(f"no answer within {LIMIT_S:g} s") from None
        except (ClientError, OSError) as error:
            raise NotReady(f"not reached: {error}") from error


class _RefusedByServer(Exception):
    """The server understood and said no; asking again would not help."""


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


async def _health(address: str) -> str:
    """What speaks against the server (docs.ntfy.sh, "Health checks"); empty when nothing does."""
    from aiohttp import ClientError, ClientSession, ClientTimeout

    try:
        async with (
            ClientSession(timeout=ClientTimeout(total=LIMIT_S)) as session,
            session.get(address, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                return f"HTTP {answer.status}"
            said = json.loads(await answer.content.read(MESSAGE_LIMIT))
    except ValueError:
        return "its answer is not JSON"
    except (ClientError, OSError) as error:
        return type(error).__name__
    return "" if isinstance(said, dict) and said.get("healthy") is True else "it says so itself"


def _message_id(answer: bytes) -> str:
    try:
        said = json.loads(answer)
    except ValueError:
        return ""
    return str(said.get("id", "")) if isinstance(said, dict) else ""


@hookimpl
def vestibule_notifiers() -> Iterable[Driver]:
    """Announce the driver."""
    return [Driver("ntfy", Ntfy, NtfyConfig, "Push messages through an ntfy server")]
