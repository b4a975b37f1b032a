"""A plugin host: `python -m hub.host --fd N`, started by the hub only, holds one plugin's drivers.

The hub calls their methods over the inherited socket and hears their answers and reports. Whatever
the plugin does to this process (block it, fill it, end it) happens here and not in the hub.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Collection, Coroutine, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from hub.calls import CALLS, Raised, broker_in, offers, subscriptions_in, trait
from hub.clock import SystemClock
from hub.errors import NotReady, PluginError
from hub.events import Event
from hub.kinds import BrokerAddress, Context, Kind, Subscription
from hub.link import Link, Message
from hub.plugin_process import folder_of, log_plainly
from hub.plugins import load_only
from hub.procfs import die_with_parent, give_way

NICE = 2
AT_ONCE = 256
PUBLISHING = 64
FULL_AGAIN_S = 0.01
CLOSE_WITHIN_S = 1.0

log = logging.getLogger(__name__)


class Host:
    """Builds drivers when told, calls them when told, and answers."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._clock = SystemClock()
        self._instances: dict[str, tuple[Kind, Any]] = {}
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._numbers = count(1)
        self._publishing = asyncio.Semaphore(PUBLISHING)

    async def run(self) -> None:
        """Obey until the hub is gone."""
        while (message := await self._link.receive()) is not None:
            match message["t"]:
                case "build":
                    self._begin(message, self._build(message))
                case "call":
                    self._begin(message, self._call(message))
                case "cancel":
                    if (task := self._calls.get(int(message["id"]))) is not None:
                        task.cancel()
                case "drop":
                    self._instances.pop(str(message["instance"]), None)
                case "answer" | "raised":
                    self._settle(message)
                case "ping":
                    tasks = len(asyncio.all_tasks()) - len(self._calls)
                    self._link.offer({"t": "pong", "tasks": tasks})
                case other:
                    log.warning("the hub sent a message of unknown kind %r", other)

    async def close(self) -> None:
        """Close every instance, as far as time allows."""
        closing = [
            asyncio.create_task(instance.close(), name=f"close {name}")
            for name, (_, instance) in self._instances.items()
        ]
        if closing:
            await asyncio.wait(closing, timeout=CLOSE_WITHIN_S)

    # ------------------------------------------------------------ from the hub

    def _begin(self, message: Message, work: Coroutine[Any, Any, Any]) -> None:
        number = int(message["id"])
        if len(self._calls) >= AT_ONCE:
            work.close()
            self._raise(number, NotReady("too many calls wait for this plugin"))
            return
        task = asyncio.create_task(self._answer(number, work), name=f"call {number}")
        self._calls[number] = task
        task.add_done_callback(lambda _: self._calls.pop(number, None))

    async def _answer(self, number: int, work: Coroutine[Any, Any, Any]) -> None:
        try:
            value = await work
        except asyncio.CancelledError as error:
            self._raise(number, error)
            raise
        except BaseException as error:
            self._raise(number, error)
            if not isinstance(error, Exception | SystemExit):  # `sys.exit` of a vendor's library
                raise
        else:
            self._link.offer({"t": "answer", "id": number, "value": value})

    def _raise(self, number: int, error: BaseException) -> None:
        raised = Raised.of(error)
        message = {"name": raised.name, "text": raised.text, "problems": raised.problems}
        self._link.offer({"t": "raised", "id": number, "after": raised.after, **message})

    async def _build(self, message: Message) -> Any:
        kind: Kind = message["kind"]
        plugin, name = message["plugin"], str(message["driver"])
        folder = folder_of(Path(plugin["file"])) if plugin["source"] == "file" else None
        registry = load_only(plugin["name"], plugin["source"], folder)
        driver = registry.driver(kind, name)
        instance = driver.factory(
            driver.config.model_validate(message["settings"]),
            self._context(message["instance"], kind, message["context"], driver.device),
        )
        self._instances[str(message["instance"])] = (kind, instance)
        return trait(kind, instance)

    def _context(self, instance: str, kind: Kind, said: Message, device: Any) -> Context:
        devices = said["devices"].items()
        return Context(
            name=said["name"],
            clock=self._clock,
            state=Path(said["state"]),
            cache=Path(said["cache"]),
            config_folder=Path(said["config_folder"]),
            timezone=said["timezone"],
            devices={
                door: device.model_validate(each) if device and each is not None else each
                for door, each in devices
            },
            credential_key=bytes.fromhex(said["credential_key"]),
            publish=lambda event: self._publish(instance, event),
            broker=lambda: self._broker(instance),
            subscriptions=lambda people: self._subscriptions(instance, people),
            unsubscribe=lambda one: self._ask(instance, "unsubscribe", subscription=one),
            progress=lambda label, done, total: self._progress(instance, label, done, total),
        )

    async def _call(self, message: Message) -> Any:
        name = str(message["instance"])
        if name not in self._instances:
            raise NotReady("it has not been built here")
        kind, instance = self._instances[name]
        method = str(message["method"])
        call = CALLS[kind].get(method)
        work: Callable[..., Any] | None = getattr(instance, method, None)
        if call is None or work is None:
            raise PluginError(f"a driver of {kind} has no {method}()")
        if call.stream:
            return await self._stream(int(message["id"]), call, work)
        value = call.result(await work(*call.received(message["args"])))
        if method == "start":
            return [value, trait(kind, instance), offers(kind, instance)]
        return value

    async def _stream(self, number: int, call: Any, work: Callable[..., Any]) -> None:
        async for item in work():
            message = {"t": "item", "id": number, "value": call.result(item)}
            while not self._link.offer(message):
                await self._clock.sleep(FULL_AGAIN_S)

    # --------------------------------------------------------------- to the hub

    async def _publish(self, instance: str, event: Event) -> None:
        async with self._publishing:
            await self._ask(instance, "publish", event=event.to_cloudevent())

    async def _broker(self, instance: str) -> BrokerAddress:
        return broker_in(await self._ask(instance, "broker"))

    async def _subscriptions(self, instance: str, people: Collection[str]) -> list[Subscription]:
        return subscriptions_in(await self._ask(instance, "subscriptions", people=list(people)))

    def _progress(self, instance: str, label: str, done: int, total: int) -> None:
        said = {"label": label, "done": done, "total": total}
        self._link.offer({"t": "progress", "instance": instance, **said})

    async def _ask(self, instance: str, what: str, **more: Any) -> Any:
        number = next(self._numbers)
        waiting: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked[number] = waiting
        try:
            message = {"t": "ask", "id": number, "instance": instance, "what": what, **more}
            while not self._link.offer(message):
                await self._clock.sleep(FULL_AGAIN_S)
            return await waiting
        finally:
            self._asked.pop(number, None)

    def _settle(self, message: Message) -> None:
        waiting = self._asked.get(int(message["id"]))
        if waiting is None or waiting.done():
            return
        if message["t"] == "answer":
            waiting.set_result(message["value"])
        else:
            waiting.set_exception(Raised(str(message["name"]), str(message["text"])).error())


async def serve(descriptor: int) -> None:
    """Take over the socket and obey, until the hub is gone or asks for the end."""
    link = await Link.over(socket.socket(fileno=descriptor))
    host = Host(link)
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    obeying = asyncio.create_task(host.run(), name="obey the hub")
    waiting = asyncio.create_task(asked.wait(), name="wait for the end")
    await asyncio.wait({obeying, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if obeying.done():
        obeying.result()
    await host.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """The process."""
    parser = argparse.ArgumentParser(prog="hub.host")
    parser.add_argument("--fd", type=int, required=True, help="the socket to the hub")
    descriptor = parser.parse_args(arguments).fd
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    faulthandler.enable()
    give_way(NICE)
    log_plainly()
    code = 0
    try:
        asyncio.run(serve(descriptor))
    except BaseException:
        log.exception("the plugin host ended by a fault")
        code = 1
    sys.stderr.flush()
    os._exit(code)  # a plugin's threads must not keep the process


if __name__ == "__main__":
    main()
