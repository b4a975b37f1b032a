"""A school to examine, and servers that misbehave."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.hub.doctor.examined_school import School
from tests.kept_port import kept_port


@pytest.fixture
def school(tmp_path: Path) -> School:
    """A configuration in a folder of its own."""
    return School(tmp_path)


@pytest.fixture
async def silent() -> AsyncIterator[int]:
    """The port of a server that takes connections and never says a word."""
    writers = []

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.read()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    for writer in writers:
        writer.close()
    server.close()
    await server.wait_closed()


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port on which nothing listens."""
    with kept_port() as kept:
        yield int(kept.getsockname()[1])


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """Set at the end of the test, for threads that hang on purpose."""
    event = threading.Event()
    yield event
    event.set()
