"""Notices as JSON on an MQTT broker, for displays, flows and whatever else listens there.

Each notice is a CloudEvents 1.0 object, published at QoS 1 and never retained. Nothing outlives a
connection: what the broker has not acknowledged fails, and is not said again by the next one.
Receivers show an `id` once, since at QoS 1 a broker may hand a message over twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from hub import (
    Block,
    Channel,
    Context,
    Driver,
    Names,
    Notice,
    NotReady,
    Probed,
    Receipt,
    hookimpl,
)
from plugins.access_control._ending import end
from plugins.notifiers._provider import addresses, shaped
from plugins.notifiers._reach import causes, not_reached, refused_certificate, trusted
from plugins.notifiers._wording import headline, one_line
from plugins.notifiers.webhook import event

if TYPE_CHECKING:
    from aiomqtt import Client

# MQTT 3.1.1, 4.7: a name to publish to has no wildcard; `$` begins the broker's own topics.
TOPIC = r"[^+#$/\x00-\x1f\x7f-\x9f\s][^+#\x00-\x1f\x7f-\x9f]{0,199}"
Topic = Annotated[str, shaped(TOPIC, "a topic without + and #, such as school/alerts")]
ANSWER_S = 5.0
KEEPALIVE_S = 10
FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 30.0
LARGEST = 128_000  # bytes of one message; many a broker takes no more than 256 KiB
REFUSED = frozenset({4, 5, 134, 135})  # CONNACK codes of MQTT 3.1.1 and 5: who we are, not what


class MqttNoticesConfig(Block):
    """Which broker, and the topic.

    A person's `contact` for this notifier is a topic of their own, used in place of `topic`.
    """

    host: str = Field(
        min_length=1,
        description="The broker; best one where no locks listen, with an account that may only "
        "publish here.",
    )
    port: int | None = Field(
        None, ge=1, le=65535, description="1883, or 8883 with `tls`, where it is left out."
    )
    topic: Topic = Field("vestibule/notices", description="The topic that everyone reads.")
    per_severity: bool = Field(
        False, description="Append the severity: `vestibule/notices/severe`, and so on."
    )
    username: str | None = Field(None, description="Who signs in there.")
    password: str | None = Field(None, repr=False, description="Best as `!secret NAME`.")
    tls: bool = Field(False, description="Speak TLS to it.")
    ca_file: Annotated[Path, Names("file")] | None = Field(
        None, description="Whom to trust, where the broker's certificate is not publicly signed."
    )
    path: Literal["local", "lan", "wan"] = Field("lan", description="What must work for it.")


class MqttNotices:
    """Publishes, and waits for the broker to say that it has the message."""

    channel = Channel(path="lan")

    def __init__(self, config: MqttNoticesConfig, context: Context) -> None:
        self.channel = Channel(path=config.path)
        self._config = config
        self._context = context
        self._source = f"notifier/{context.name}"
        self._client: Client | None = None
        self._link: asyncio.Task[None] | None = None
        port = config.port or (8883 if config.tls else 1883)
        self._at = (config.host, port)
        self._where = f"the broker at {config.host}:{port}"

    async def start(self) -> None:
        """Join the broker; raises `NotReady` when it does not take us."""
        await self.close()
        tls = await self._trust()
        up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        name = f"{self._context.name} mqtt link"
        self._link = asyncio.create_task(self._keep_link(tls, up), name=name)
        await up

    async def send(self, notice: Notice) -> Receipt:
        """Publish it to its topics. The broker's acknowledgement is acceptance: whether anybody
        listens there it does not say.
        """
        content = json.dumps(message(notice, self._source), separators=(",", ":")).encode()
        if len(content) > LARGEST:
            content = json.dumps(
                message(notice, self._source, most=1000), separators=(",", ":")
            ).encode()
        topics, unfit = self._topics(notice)
        if not topics:
            return Receipt("failed", detail=f"no topic that may be published to: {unfit}")
        await self._publish(topics, content)
        told = f"taken on {', '.join(topics)}"
        return Receipt("accepted", notice.key, f"{told}; left out: {unfit}" if unfit else told)

    async def probe(self) -> Probed:
        """Join the broker as a client without a name and leave; nothing is published."""
        from aiomqtt import MqttError

        host, port = self._at
        tls = await self._trust()
        try:
            await self._reach(tls)
            async with self._made(tls):
                pass  # being let in is all there is to know
        except MqttError as error:
            rc = getattr(error, "rc", None)
            if getattr(rc, "value", rc) in REFUSED:
                remedy = "correct `username` and `password`"
                found = f"{self._where} refused the user name or password"
                return Probed(found, remedy, works=False)
            raise NotReady(f"{self._where} did not take us: {one_line(str(error))}") from error
        except OSError as error:
            if (wrong := refused_certificate(f"{host}:{port}", error)) is not None:
                return wrong
            raise NotReady(not_reached(host, port, error)) from error
        encrypted = ", encrypted" if self._config.tls else ""
        return Probed(f"{self._where} lets us in{encrypted}; nothing was published")

    async def close(self) -> None:
        """Leave the broker."""
        link, self._link = self._link, None
        if link is not None:
            await end({link})
            if not link.cancelled():
                link.exception()
        self._client = None

    def _topics(self, notice: Notice) -> tuple[list[str], str]:
        """Where it goes, and which contacts are no topic to publish to."""
        from pydantic import TypeAdapter, ValidationError

        fits = TypeAdapter(Topic)
        good: list[str] = []
        bad: list[str] = []
        for topic in addresses(notice, [self._config.topic]):
            try:
                good.append(fits.validate_python(topic))
            except ValidationError:
                bad.append(one_line(topic)[:60])
        ending = f"/{notice.severity}" if self._config.per_severity else ""
        return [f"{topic}{ending}" for topic in good], ", ".join(bad)

    async def _trust(self) -> ssl.SSLContext | None:
        return await trusted(self._context, self._config.ca_file) if self._config.tls else None

    def _made(self, tls: ssl.SSLContext | None) -> Client:
        from aiomqtt import Client

        host, port = self._at
        client = Client(
            host,
            port,
            username=self._config.username,
            password=self._config.password,
            tls_context=tls,
            timeout=ANSWER_S,
            keepalive=KEEPALIVE_S,
        )
        client.pending_calls_threshold = 1024  # below it the client says nothing of many at once
        return client

    async def _publish(self, topics: list[str], content: bytes) -> None:
        from aiomqtt import MqttError

        client = self._client
        if client is None:
            raise NotReady(f"no link to {self._where}")
        try:
            for topic in topics:
                await client.publish(topic, content, qos=1, retain=False)
        except (MqttError, OSError, ValueError) as error:
            raise NotReady(f"{self._where} did not take it: {one_line(str(error))}") from error

    async def _reach(self, tls: ssl.SSLContext | None) -> None:
        """Connect and leave, with TLS where it was asked for: of a connection that ends in the
        handshake the MQTT client would leave its socket behind.
        """
        host, port = self._at
        async with asyncio.timeout(ANSWER_S):
            _, writer = await asyncio.open_connection(host, port, ssl=tls)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    def _unreached(self, error: BaseException) -> str:
        if (wrong := refused_certificate(self._where, error)) is not None:
            return wrong.found
        if any(isinstance(each, OSError) for each in causes(error)):
            return not_reached(*self._at, error)
        return f"{self._where} did not take us: {one_line(str(error)) or 'no answer'}"

    async def _keep_link(self, tls: ssl.SSLContext | None, up: asyncio.Future[None]) -> None:
        """Stay joined; the first failure ends it, so that `start` can say why."""
        from aiomqtt import MqttError

        attempt = 0
        while True:
            try:
                if tls is not None:
                    await self._reach(tls)
                async with self._made(tls) as client:
                    self._client = client
                    attempt = 0
                    if not up.done():
                        up.set_result(None)
                    async for _ in client.messages:
                        pass  # nothing is subscribed to: this ends when the link does
            except (MqttError, OSError) as error:
                if not up.done():
                    up.set_exception(NotReady(self._unreached(error)))
                    return
            finally:
                self._client = None
                if not up.done():
                    up.set_exception(NotReady(f"the link to {self._where} was closed"))
            longest = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(attempt, 10))
            await self._context.clock.sleep(longest * random.uniform(0.5, 1.0))
            attempt += 1


def message(notice: Notice, source: str, most: int | None = None) -> dict[str, Any]:
    """The notice as a CloudEvents 1.0 object without anybody's address.

    `most` is the longest that a text may be, in characters; data beyond the verdict is left out
    then.
    """
    made = event(notice, source)
    data = made["data"]
    data["to"] = [{"person": each.person, "name": each.name} for each in notice.to]
    data["title"] = headline(notice, deduplicates=False)
    if most is not None:
        data["more"] = {
            key: notice.data[key] for key in ("verdict", "digest") if key in notice.data
        }
        data |= {key: str(data[key])[:most] for key in ("title", "text", "place")}
        data["to"] = data["to"][:100]
    return made


@hookimpl
def vestibule_notifiers() -> Iterable[Driver]:
    """Announce the driver."""
    return [
        Driver("mqtt", MqttNotices, MqttNoticesConfig, "JSON on an MQTT broker, never retained")
    ]
