"""Urgent works go first, and do not starve the others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection

from hub.storage.journal import URGENT_ROOM, Journal


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    """An open journal in a file of its own."""
    journal = Journal(tmp_path / "journal.db")
    await journal.open()
    yield journal
    await journal.close()


class Order:
    """Works that note when they run; some wait until they are let go."""

    def __init__(self, journal: Journal) -> None:
        self.ran: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []
        self._journal = journal

    async def put(self, name: str, gate: threading.Event | None = None) -> None:
        """Hand over a work; one whose name begins with `u` is urgent."""
        self.tasks.append(asyncio.create_task(self._write(name, gate)))
        await asyncio.sleep(0)

    async def _write(self, name: str, gate: threading.Event | None) -> None:
        await self._journal.write(self._work(name, gate), urgent=name.startswith("u"))

    def _work(self, name: str, gate: threading.Event | None) -> Callable[[Connection], None]:
        def work(connection: Connection) -> None:
            self.ran.append(name)
            if gate is not None:
                gate.wait(20)

        return work

    async def running(self, name: str) -> None:
        """Wait until a work runs."""
        async with asyncio.timeout(20):
            while name not in self.ran:
                await asyncio.sleep(0.002)


async def test_urgent_works_run_first_and_share_a_commit(journal: Journal) -> None:
    """Whatever came before, what is urgent comes next, together."""
    order, gate = Order(journal), threading.Event()
    await order.put("a", gate)
    await order.running("a")
    for name in ("b", "c", "u1", "d", "u2"):
        await order.put(name)
    gate.set()
    await asyncio.gather(*order.tasks)
    assert order.ran == ["a", "u1", "u2", "b", "c", "d"]
    assert (journal.counters.commits, journal.counters.urgent) == (3, 2)


async def test_a_commit_under_way_ends_early_for_what_is_urgent(journal: Journal) -> None:
    """Of a group that has begun, what has not run yet waits for the urgent work."""
    order, first, second = Order(journal), threading.Event(), threading.Event()
    await order.put("a", first)
    await order.running("a")
    await order.put("b", second)
    for name in ("c", "d"):
        await order.put(name)
    first.set()
    await order.running("b")
    await order.put("u")
    second.set()
    await asyncio.gather(*order.tasks)
    assert order.ran == ["a", "b", "u", "c", "d"]


async def test_others_have_their_turn_between_urgent_works(journal: Journal) -> None:
    """One urgent commit after another lets a commit of the others in between."""
    order, first, second = Order(journal), threading.Event(), threading.Event()
    await order.put("a", first)
    await order.running("a")
    await order.put("u1", second)
    first.set()
    await order.running("u1")
    await order.put("b")
    await order.put("u2")
    second.set()
    await asyncio.gather(*order.tasks)
    assert order.ran == ["a", "u1", "b", "u2"]


async def test_a_full_queue_does_not_hold_up_what_is_urgent(tmp_path: Path) -> None:
    """Urgent works have room of their own, which is bounded too."""
    journal = Journal(tmp_path / "journal.db", queue_size=2)
    await journal.open()
    order, gate = Order(journal), threading.Event()
    await order.put("a", gate)
    await order.running("a")
    for number in range(10):
        await order.put(f"b{number}")
    for number in range(URGENT_ROOM + 10):
        await order.put(f"u{number}")
    assert journal.queue()["waiting"] == 1 + URGENT_ROOM
    gate.set()
    await asyncio.gather(*order.tasks)
    assert order.ran[1] == "u0"
    assert len(order.ran) == 1 + 10 + URGENT_ROOM + 10
    await journal.close()
