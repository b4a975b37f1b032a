"""The driver `zwave` against the real server of Z-Wave JS, whose stick and locks are pretended."""

import asyncio
import contextlib
from pathlib import Path

import pytest
from pydantic import ValidationError

from hub import AccessReport, CommandFailed, Context, NotReady
from hub.testing import AccessControllerContract, CabledDevice, FakeClock
from plugins.access_control._zwave_lock import ZwaveLock
from plugins.access_control._zwave_server import ZwaveServer
from plugins.access_control.zwave import (
    ZwaveConfig,
    ZwaveDevice,
    ZwaveDoors,
    vestibule_access_control,
)
from tests.plugins.access_control.brokers import Listener, until
from tests.plugins.access_control.zwave_network import SECURED, UNSECURED, Network

DOORS = {"main": ZwaveDevice(node=2, contact=True, timed=True), "side": ZwaveDevice(node=3)}
NETWORK = Network()


@pytest.fixture(scope="module")
def running():
    """The network, started once for this file."""
    NETWORK.start()
    yield NETWORK
    NETWORK.stop()


@pytest.fixture
def network(running):
    """The network with both locks locked and in order."""
    running.calm()
    return running


def built(port, devices=DOORS, **config):
    """The driver as the hub builds it, on a clock that stands still."""
    settings = ZwaveConfig(url=f"ws://127.0.0.1:{port}", **config)
    return ZwaveDoors(settings, Context("zwave", clock=FakeClock(), devices=devices))


@contextlib.asynccontextmanager
async def joined(network, devices=DOORS, **config):
    """A started driver whose locks have answered once, and its listener."""
    doors = built(network.port, devices, **config)
    await doors.start()
    listener = Listener(doors)
    try:
        for door in devices:
            await listener.hears(door=door, answers=True)
        yield doors, listener
    finally:
        await listener.stop()
        await doors.close()


def locks(listener, door="main", **facts):
    """What was said of a lock, in order."""
    return [
        each.lock
        for each in listener.heard
        if each.door == door
        and not isinstance(each, AccessReport)
        and all(getattr(each, name) == value for name, value in facts.items())
    ]


class ServerOnCable(CabledDevice):
    """The server behind a line that can be cut."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._started = False

    async def serve(self) -> int:
        NETWORK.calm()
        return NETWORK.port

    async def start(self) -> None:
        await super().start()
        self.settings = {"url": f"ws://127.0.0.1:{self.port}"}

    async def lie(self, door: str) -> None:
        NETWORK.do("turn", mode=UNSECURED)
        NETWORK.faults("jam", "quiet")

    async def come_back(self) -> None:
        await super().come_back()
        NETWORK.faults()


@pytest.mark.zwave
@pytest.mark.usefixtures("running")
class TestZwave(AccessControllerContract):
    driver = vestibule_access_control()[0]
    doors = {"main": {"node": 2}}  # noqa: RUF012
    device = ServerOnCable


@pytest.mark.zwave
@pytest.mark.parametrize(
    ("verb", "mode", "lock"),
    [("lock", 255, "locked"), ("unlock", 0, "unlocked"), ("hold_open", 0, "unlocked"),
     ("momentary", 1, "unlocked")],
)  # fmt: skip
async def test_a_verb_is_a_target_mode_and_the_lock_confirms(network, verb, mode, lock):
    """The lock is sent one mode, and its own answer to a question afterwards confirms."""
    network.do("turn", mode=UNSECURED if lock == "locked" else SECURED)
    async with joined(network) as (doors, listener):
        listener.heard.clear()
        await doors.command("main", verb, "k")
        await listener.hears(door="main", lock=lock, answers=True)
    assert network.do("asked") == [mode]


@pytest.mark.zwave
async def test_what_the_server_assumes_confirms_nothing(network):
    """The radio took the command and the bolt stays: the lock says so when it is asked."""
    network.do("turn", mode=UNSECURED)
    network.faults("jam", "quiet")
    async with joined(network) as (doors, listener):
        listener.heard.clear()
        await doors.command("main", "lock", "k")
        await doors.refresh("main")
        await listener.hears(door="main", answers=True)
        assert set(locks(listener, answers=True)) == {"unlocked"}


@pytest.mark.zwave
async def test_a_jam_is_told_and_ends_the_command(network):
    """The lock notifies that its bolt is stuck: that stands until it has moved."""
    network.do("turn", mode=UNSECURED)
    network.faults("jam")
    async with joined(network) as (doors, listener):
        listener.heard.clear()
        await doors.command("main", "lock", "k")
        stuck = await listener.hears(door="main", lock="jammed", answers=True)
        assert "stuck" in stuck.detail
        await doors.refresh("main")
        assert "locked" not in locks(listener, answers=True)
        network.faults()
        await doors.command("main", "lock", "k")
        await listener.hears(door="main", lock="locked", answers=True)


@pytest.mark.zwave
async def test_a_slow_bolt_is_confirmed_when_it_is_there(network):
    """Asked too early the lock says that it is open still; later it says that it is locked."""
    network.do("turn", mode=UNSECURED)
    network.faults("lag")
    async with joined(network) as (doors, listener):
        listener.heard.clear()
        await doors.command("main", "lock", "k")
        await listener.hears(door="main", answers=True)
        assert "locked" not in locks(listener, answers=True)
        network.do("catch_up")
        await listener.hears(door="main", lock="locked", answers=True)


@pytest.mark.zwave
async def test_a_hand_on_the_lock_is_seen_at_once(network):
    """Turned by hand, it tells by itself; a door contact, a tamper switch and a code likewise."""
    async with joined(network) as (doors, listener):
        listener.heard.clear()
        network.do("turn", mode=UNSECURED)
        await listener.hears(door="main", lock="unlocked")
        network.do("turn", mode=UNSECURED, door="open")
        await listener.hears(door="main", position="open")
        network.do("notify", event=23)
        await listener.hears(door="main", position="closed")
        network.do("notify", event=256 + 3)
        await listener.hears(door="main", tampered=True)
        network.do("notify", event=6)
        used = await until(
            lambda: [each for each in listener.heard if isinstance(each, AccessReport)]
        )
        assert (used[0].door, used[0].access) == ("main", "granted")
        assert doors.capabilities.without_position == {"side"}


async def test_a_hand_that_turns_while_the_lock_is_asked_is_not_overheard(monkeypatch):
    """What the server tells during a question is its answer, unless it tells another mode."""
    said = {"nodeId": 2, "commandClass": 98, "endpoint": 0, "property": "currentMode"}
    nodes = [{"nodeId": 2, "status": 4, "ready": True, "values": [{**said, "value": SECURED}]}]
    answers, told = [SECURED, UNSECURED, SECURED], asyncio.Queue()
    tells = {1: UNSECURED, 2: UNSECURED}

    async def join(server):
        return nodes

    async def call(server, command, **about):
        if (mode := tells.get(len(answers) - 1)) is not None:
            args = {**said, "newValue": mode}
            told.put_nowait({"nodeId": 2, "event": "value updated", "args": args})
            while not told.empty():
                await asyncio.sleep(0)
        return {"value": answers.pop(0)}

    async def events(server):
        while True:
            yield await told.get()

    for name, made in (("join", join), ("call", call), ("events", events)):
        monkeypatch.setattr(ZwaveServer, name, made)
    async with joined(NETWORK, {"main": DOORS["main"]}) as (_, listener):
        await listener.hears(door="main", lock="unlocked", answers=True)
        for _ in range(20):
            await asyncio.sleep(0)
        assert answers == [SECURED], "it is asked once more, and no longer"


@pytest.mark.zwave
async def test_a_lock_that_contradicts_itself_is_not_locked(network):
    """Secured by its mode and open by its bolt: jammed, with the reason."""
    network.do("bolt", bolt="unlocked")
    async with joined(network) as (_, listener):
        said = await listener.hears(door="main", lock="jammed", answers=True)
        assert "its bolt is not out" in said.detail


@pytest.mark.zwave
async def test_what_another_client_told_the_lock_is_asked_for(network):
    """The server shows at once what others told it; here the lock's own word counts."""
    network.do("turn", mode=UNSECURED)
    network.faults("jam", "quiet")
    async with joined(network) as (_, listener):
        listener.heard.clear()
        await ZwaveCaller(network.port).set_mode(2, SECURED)
        await listener.hears(door="main", answers=True)
        assert set(locks(listener)) == {"unlocked"}


@pytest.mark.zwave
async def test_a_lock_at_rest_is_left_alone(network):
    """Each question costs its battery: it is asked again after the time that the block says."""
    async with joined(network, ask_every="10m") as (doors, listener):
        listener.heard.clear()
        await doors.refresh("side")
        assert locks(listener, "side", answers=True) == []
        await doors._clock.advance(601)
        await doors.refresh("side")
        await listener.hears(door="side", answers=True)
        assert doors.capabilities.stale_after_s == 1800


@pytest.mark.zwave
async def test_a_dead_lock_is_offline_and_the_other_goes_on(network):
    """It acknowledges nothing: the command was sent once, failed, and is not sent again later."""
    async with joined(network) as (doors, listener):
        network.faults("dead", node=3)
        with pytest.raises(NotReady):
            await doors.command("side", "lock", "k")
        away = await listener.hears(door="side", online=False)
        assert "dead" in away.detail
        assert network.do("asked", 3) == [SECURED]
        with pytest.raises(NotReady, match="dead"):
            await doors.command("side", "lock", "k")
        await doors.command("main", "unlock", "k")
        await listener.hears(door="main", lock="unlocked", answers=True)
        network.faults(node=3)
        listener.heard.clear()
        await ZwaveCaller(network.port).ping(3)
        await listener.hears(door="side", online=True, answers=True)
    assert network.do("asked", 3) == []


class ZwaveCaller:
    """Another client of the server, as a person with its pages open."""

    def __init__(self, port):
        self._server = ZwaveServer(f"ws://127.0.0.1:{port}")

    async def ping(self, node):
        """Have a dead node tried again."""
        await self._do("node.ping", nodeId=node)

    async def set_mode(self, node, mode):
        """Tell a lock what to do."""
        value = {"commandClass": 98, "endpoint": 0, "property": "targetMode"}
        await self._do("node.set_value", nodeId=node, valueId=value, value=mode)

    async def _do(self, command, **about):
        await self._server.join()
        try:
            await self._server._direct(command, **about)
        finally:
            await self._server.leave()


@pytest.mark.zwave
async def test_a_node_that_is_not_there_is_said(network):
    """A wrong number is offline with the reason, and the probe names it."""
    devices = {"ghost": ZwaveDevice(node=77)}
    doors = built(network.port, devices)
    await doors.start()
    listener = Listener(doors)
    away = await listener.hears(door="ghost", online=False)
    assert "no such node" in away.detail
    with pytest.raises(NotReady, match="no such node"):
        await doors.command("ghost", "lock", "k")
    with pytest.raises(CommandFailed, match="attic"):
        await doors.command("attic", "lock", "k")
    await listener.stop()
    await doors.close()
    said = await built(network.port, devices).probe()
    assert "ghost: the Z-Wave network has no such node" in said.found
    assert "`node`" in said.remedy


@pytest.mark.zwave
async def test_a_probe_moves_and_asks_nothing(network):
    """It joins, sees the locks and leaves."""
    said = await built(network.port).probe()
    assert (said.works, said.remedy) == (True, "")
    assert "2 of 2 locks" in said.found
    assert network.do("asked") == []


@pytest.mark.parametrize(
    ("url", "others"),
    [("ws://127.0.0.1:3000", False), ("ws://[::1]:3000", False), ("ws://localhost:3000", False),
     ("ws://10.0.0.7:3000", True), ("wss://zwave.school.example", True)],
)  # fmt: skip
def test_a_server_that_others_reach_is_told_apart(url, others):
    """It asks for no password, so the probe warns unless it listens on this machine alone."""
    assert ZwaveServer(url).open_to_others is others


async def test_a_server_over_the_network_is_a_warning(monkeypatch):
    """The probe says that whoever reaches it can open the doors, and what to do."""
    nodes = [{"nodeId": 2, "status": 4, "ready": True, "values": [
        {"commandClass": 98, "endpoint": 0, "property": "currentMode", "value": 255}]}]  # fmt: skip

    async def join(server):
        return nodes

    monkeypatch.setattr(ZwaveServer, "join", join)
    config = ZwaveConfig(url="ws://10.0.0.7:3000")
    doors = ZwaveDoors(config, Context("zwave", devices={"main": DOORS["main"]}))
    said = await doors.probe()
    assert said.works
    assert "asks nobody for a password" in said.remedy


async def test_another_server_is_told_from_none(unused_tcp_port):
    """Nothing listening, and something that is no Z-Wave server, have words of their own."""
    with pytest.raises(NotReady, match="nothing listens"):
        await built(unused_tcp_port).start()
    said = [b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"]

    async def greet(reader, writer):
        writer.write(said.pop(0))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", unused_tcp_port)
    for words in ("is not reached", "not as a Z-Wave JS server"):
        with pytest.raises(NotReady, match=words):
            await built(unused_tcp_port).start()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    ("mode", "lock"),
    [(255, "locked"), (0, "unlocked"), (1, "unlocked"), (16, "unlocked"), (32, "unlocked"),
     (254, "jammed"), (None, "unknown"), (99, "unknown"), ("255", "unknown"), (True, "unlocked")],
)  # fmt: skip
def test_every_mode_has_its_meaning_and_others_are_unknown(mode, lock):
    """Only 255 is locked; what is not a mode is unknown."""
    known = ZwaveLock()
    known.answer(mode)
    assert known.lock()[0] == lock


def test_a_sleeping_lock_is_not_told_what_it_would_do_when_it_wakes():
    """A command that waits for a lock to wake would be done late: it counts as away."""
    lock = ZwaveLock()
    lock.meet({"status": 1, "ready": True, "values": []})
    assert "sleeps" in lock.why


@pytest.mark.parametrize(
    "wrong", [{"url": "http://x"}, {"url": "ws://user@x"}, {"ask_every": "2h"}, {"colour": 1}]
)
def test_nonsense_in_the_block_is_refused(wrong):
    """An address of another kind, a password in it, and a lock that would never be asked."""
    with pytest.raises(ValidationError):
        ZwaveConfig(**wrong)
