"""A device that answers another question than was asked: nothing is said to be secured by it."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession

from hub import Context, NotReady
from hub.testing import FakeClock
from plugins.access_control._home_assistant_api import HomeAssistant
from plugins.access_control._modbus_board import Board
from plugins.access_control.shelly import ShellyConfig, ShellyDevice, ShellyDoors
from tests.plugins.access_control.brokers import Listener
from tests.plugins.access_control.home_assistant_server import HomeAssistantServer
from tests.plugins.access_control.shelly_device import ShellyDevice as Pretended

HEAD = ">HHHB"
COIL, INPUT, WRITE = 1, 2, 5
ON = bytes([1, 1])


class Gateway:
    """Takes Modbus TCP and answers each question with the next of `says`: the transaction is that
    of the question, as with a gateway whose serial line is one answer behind.
    """

    def __init__(self) -> None:
        self.says: list[bytes] = []
        self.lines = 0
        self.tasks: set[asyncio.Task[Any]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One line."""
        self.lines += 1
        if (task := asyncio.current_task()) is not None:
            self.tasks.add(task)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while self.says:
                number, _, length, unit = struct.unpack(HEAD, await reader.readexactly(7))
                await reader.readexactly(length - 1)
                said = self.says.pop(0)
                writer.write(struct.pack(HEAD, number, 0, len(said) + 1, unit) + said)
                await writer.drain()
            await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.fixture
async def gateway() -> AsyncIterator[tuple[Gateway, Board]]:
    """One that listens, and a board that is reached through it."""
    made = Gateway()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    board = Board("127.0.0.1", server.sockets[0].getsockname()[1], 1)
    board.shut = False
    yield made, board
    board.hang_up()
    await asyncio.wait(made.tasks)
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    "said",
    [
        bytes([INPUT]) + ON,
        struct.pack(">BHH", WRITE, 3, 0xFF00),
        bytes([3, 2, 0, 1]),
        bytes([COIL, 0]),
        bytes([COIL]),
    ],
)
async def test_modbus_believes_no_answer_to_another_question(
    gateway: tuple[Gateway, Board], said: bytes
) -> None:
    """An input that is on is no relay that is on, nor is a write that was taken; the line is begun
    afresh, so that no later answer is taken for another's.
    """
    peer, board = gateway
    peer.says = [said, bytes([COIL]) + ON]
    with pytest.raises(NotReady, match=r"did not answer what was asked|not as Modbus TCP"):
        await board.coil(3)
    assert await board.coil(3) is True
    assert peer.lines == 2


@pytest.mark.parametrize(
    "said",
    [struct.pack(">BHH", WRITE, 4, 0xFF00), struct.pack(">BHH", WRITE, 3, 0), bytes([COIL]) + ON],
)
async def test_modbus_takes_no_other_relay_for_the_one_that_was_set(
    gateway: tuple[Gateway, Board], said: bytes
) -> None:
    """A board that repeats another relay, or the other way, has not said that it took this."""
    peer, board = gateway
    peer.says = [said, struct.pack(">BHH", WRITE, 3, 0xFF00)]
    with pytest.raises(NotReady, match="did not answer what was asked"):
        await board.write(3, True)
    await board.write(3, True)


async def test_a_shelly_that_tells_of_another_relay_secures_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The relay beside is on: the door behind this one is not locked by that."""
    peer = Pretended(None)
    peer.outputs[1] = True
    own = peer._switch
    doors = ShellyDoors(
        ShellyConfig(),
        Context(
            "relays",
            devices={
                "main": ShellyDevice(
                    host=f"127.0.0.1:{await peer.start()}", switch=0, energised="locked"
                )
            },
        ),
    )
    try:
        await doors.start()
        listener = Listener(doors)
        await listener.hears(door="main", lock="unlocked")
        monkeypatch.setattr(peer, "_switch", lambda number: own(1))
        with pytest.raises(NotReady, match="did not answer what was asked"):
            await doors.refresh("main")
        assert not [each for each in listener.heard if each.lock == "locked"]
        await listener.stop()
    finally:
        await doors.close()
        await peer.stop()


async def test_a_home_assistant_that_tells_of_another_lock_is_not_believed() -> None:
    """Another lock that is locked says nothing of this one."""
    peer = HomeAssistantServer("t")
    peer.add_lock("lock.front", "unlocked")
    peer.add_lock("lock.back", "locked")
    port = await peer.start()

    async def nothing() -> None:
        """Nobody waits for the line."""

    home = HomeAssistant(
        f"http://127.0.0.1:{port}", "t", FakeClock(), joined=nothing, lost=print,
        changed=lambda *_: None,
    )  # fmt: skip
    states: Any = peer.states
    try:
        async with ClientSession() as session:
            assert (await home.state(session, "lock.front")).state == "unlocked"
            states["lock.front"] = states["lock.back"]
            with pytest.raises(NotReady, match="of another entity"):
                await home.state(session, "lock.front")
    finally:
        await peer.stop()
