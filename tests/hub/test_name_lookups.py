"""Names are looked up apart: a silent name server holds up nothing but those who ask for a name."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from hub.name_lookups import MOST_AT_ONCE, NamesApart


class SilentServer:
    """A name server that says nothing before the gate is opened, as with the internet down."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.asked: list[str] = []

    def look_up(self, host: str, *_: Any) -> list[Any]:
        self.asked.append(host)
        self.gate.wait(30)
        if host.startswith("no"):
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80))]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SilentServer]:
    """The server that every look-up asks."""
    made = SilentServer()
    monkeypatch.setattr(socket, "getaddrinfo", made.look_up)
    yield made
    made.gate.set()


def on_the_loop(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run it as the hub runs."""
    with asyncio.Runner(loop_factory=NamesApart) as runner:
        runner.run(work())


def test_a_silent_name_server_holds_up_no_other_work(server: SilentServer) -> None:
    """While more names than there are threads wait, files are written and the hub ends."""

    async def work() -> None:
        loop = asyncio.get_running_loop()
        asks = [loop.create_task(loop.getaddrinfo(f"m{n}.example", 25)) for n in range(40)]
        async with asyncio.timeout(20):
            assert await asyncio.to_thread(lambda: "written") == "written"
            while len(server.asked) < len(asks):
                await asyncio.sleep(0)
        assert not any(ask.done() for ask in asks)

    on_the_loop(work)
    assert not server.gate.is_set()


def test_who_asks_for_the_same_name_shares_the_answer(server: SilentServer) -> None:
    """One look-up for all, also where one of them no longer waits; the next time it is a new one,
    and what is not known is said to each.
    """

    async def work() -> None:
        loop = asyncio.get_running_loop()
        asks = [loop.create_task(loop.getaddrinfo("m.example", 25)) for _ in range(9)]
        unknown = [loop.create_task(loop.getaddrinfo("no.example", 25)) for _ in range(2)]
        await asyncio.sleep(0)
        asks.pop().cancel()
        server.gate.set()
        assert {found[0][4] for found in await asyncio.gather(*asks)} == {("192.0.2.1", 80)}
        for each in unknown:
            with pytest.raises(socket.gaierror):
                await each
        await loop.getaddrinfo("m.example", 25)
        assert sorted(server.asked) == ["m.example", "m.example", "no.example"]

    on_the_loop(work)


def test_more_names_than_are_ever_needed_at_once_are_refused(server: SilentServer) -> None:
    """No flood of names makes threads without end; whoever asks tries again later."""

    async def work() -> None:
        loop = asyncio.get_running_loop()
        names = [f"m{n}.example" for n in range(MOST_AT_ONCE)]
        asks = [loop.create_task(loop.getaddrinfo(name, 25)) for name in names]
        await asyncio.sleep(0)
        with pytest.raises(socket.gaierror, match="too many names"):
            await loop.getaddrinfo("one.example", 25)
        assert not any(ask.done() for ask in asks)

    on_the_loop(work)


def test_real_names_are_found() -> None:
    """As asyncio finds them: a connection to this machine by its name."""

    async def work() -> None:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "localhost", 0)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("localhost", port)
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        server.close()

    on_the_loop(work)
