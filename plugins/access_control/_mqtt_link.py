"""A link to a broker that comes back by itself."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

from hub import BrokerAddress, Clock, NotReady
from plugins.access_control._backoff import pause
from plugins.access_control._ending import end

if TYPE_CHECKING:
    from aiomqtt import Client, Message

KEEPALIVE_S = 10
ANSWER_S = 5.0
QUEUE = 1024
FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 30.0
AT_ONCE = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)  # else a command may wait 40 ms for an ack


class MqttLink:
    """One link. `joined` is awaited once the broker took us and our subscriptions, `heard` gets
    every message, `lost` why the link went, `ended` why it is not tried again ('' for a close).
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        topics: Callable[[], Iterable[str]],
        joined: Callable[[], Awaitable[None]],
        heard: Callable[[Message], None],
        lost: Callable[[str], None],
        ended: Callable[[str], None],
    ) -> None:
        self._name = name
        self._clock = clock
        self._topics, self._joined = topics, joined
        self._heard, self._lost, self._ended = heard, lost, ended
        self._client: Client | None = None
        self._task: asyncio.Task[None] | None = None
        self.where = "the broker"
        self.dropped = 0

    @property
    def up(self) -> bool:
        """Whether the broker is reached now."""
        return self._client is not None

    async def start(self, address: BrokerAddress, tls: ssl.SSLContext | None) -> None:
        """Connect and subscribe; raises `NotReady` when the broker does not take us."""
        self.where = f"the broker at {address.host}:{address.port}"
        up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._keep(address, tls, up), name=self._name)
        self._task.add_done_callback(self._task_ended)
        await up

    async def publish(self, topic: str, payload: str, qos: int) -> None:
        """Hand a message to the broker, never retained. Raises `NotReady`."""
        from aiomqtt import MqttError

        client = self._client
        if client is None:
            raise NotReady(f"no link to {self.where}")
        try:
            await client.publish(topic, payload, qos=qos, retain=False)
        except (MqttError, OSError, ValueError) as error:
            raise NotReady(f"{self.where} did not take it: {error}") from error

    async def change(self, new: Iterable[str], gone: Iterable[str]) -> None:
        """Subscribe to topics and leave others. Raises `NotReady`."""
        from aiomqtt import MqttError

        client = self._client
        if client is None:
            return  # the link that comes asks for what is wanted then
        try:
            if topics := [(topic, 1) for topic in new]:
                await client.subscribe(topics)
            for topic in gone:
                await client.unsubscribe(topic)
        except (MqttError, OSError) as error:
            raise NotReady(f"{self.where} did not take it: {error}") from error

    async def close(self) -> None:
        """Leave the broker."""
        task, self._task = self._task, None
        if task is not None:
            task.remove_done_callback(self._task_ended)
            await end({task})
            if not task.cancelled():
                task.exception()
        self._client = None

    async def _keep(
        self, address: BrokerAddress, tls: ssl.SSLContext | None, up: asyncio.Future[None]
    ) -> None:
        from aiomqtt import Client, MqttError

        attempt = 0
        while True:
            client = Client(
                address.host,
                address.port,
                username=address.username,
                password=address.password,
                tls_context=tls,
                timeout=ANSWER_S,
                keepalive=KEEPALIVE_S,
                max_queued_incoming_messages=QUEUE,
                socket_options=AT_ONCE,
                queue_type=_keeps_newest(self._count),
            )
            client.pending_calls_threshold = QUEUE
            try:
                async with client:
                    if topics := [(topic, 1) for topic in self._topics()]:
                        await client.subscribe(topics)
                    self._client = client
                    await self._joined()
                    attempt = 0
                    if not up.done():
                        up.set_result(None)
                    async for message in client.messages:
                        self._heard(message)
            except (MqttError, OSError, NotReady) as error:
                if not up.done():
                    up.set_exception(NotReady(f"{self.where} did not take us: {error}"))
                    return
                self._lost(str(error))
            finally:
                self._client = None
                if not up.done():
                    up.set_exception(NotReady(f"the link to {self.where} was closed"))
            await self._clock.sleep(pause(attempt, FIRST_RETRY_S, LONGEST_RETRY_S))
            attempt += 1

    def _count(self) -> None:
        self.dropped += 1

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        self._ended(f"the link to {self.where} broke: {error}" if error else "")


def _keeps_newest(dropped: Callable[[], None]) -> type[asyncio.Queue[Message]]:
    """A queue in which the oldest message gives way: the client's own would lose the newest, and
    with it how a door is now.
    """

    class Newest(asyncio.Queue):  # type: ignore[type-arg]
        def put_nowait(self, item: Message) -> None:
            if self.full():
                self.get_nowait()
                dropped()
            super().put_nowait(item)

    return Newest
