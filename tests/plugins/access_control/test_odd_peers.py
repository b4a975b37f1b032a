"""What no device should send, and one may: it costs a line at most, never the word on a door."""

import asyncio
import contextlib
import json
from datetime import timedelta

import pytest
from aiohttp import web

from hub import Context, NotReady
from hub.testing import FakeClock
from plugins.access_control._home_assistant_api import HomeAssistant
from plugins.access_control._json_object import json_object
from plugins.access_control._onvif_soap import Soap
from plugins.access_control._reports import Reports
from plugins.access_control._socket_line import SocketLine
from plugins.access_control._zigbee_words import read_object
from plugins.access_control.zwave import ZwaveConfig, ZwaveDevice, ZwaveDoors
from tests.plugins.access_control.brokers import Listener

DEEP = "[" * 200_000
NODE = {
    "nodeId": 2,
    "status": 4,
    "ready": True,
    "values": [{"commandClass": 98, "endpoint": 0, "property": "currentMode", "value": 255}],
}


class Sayer:
    """Takes WebSockets, says `first` to each, and passes on what it is given to say."""

    def __init__(self, *first):
        self._first = first
        self.lines = []
        self.joined = asyncio.Event()

    async def start(self):
        """Listen; returns the port."""
        app = web.Application()
        app.router.add_get("/{path:.*}", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self._runner.addresses[0][1]

    async def stop(self):
        """Listen no more."""
        for line in self.lines:
            await line.close()
        await self._runner.cleanup()

    async def say(self, text):
        """To whoever joined last."""
        await self.lines[-1].send_str(text if isinstance(text, str) else json.dumps(text))

    async def _take(self, request):
        line = web.WebSocketResponse()
        await line.prepare(request)
        self.lines.append(line)
        for each in self._first:
            await line.send_json(each)
        self.joined.set()
        async for message in line:
            asked = json.loads(message.data)
            result = {"state": {"nodes": [NODE]}} if "start" in asked["command"] else {"value": 255}
            number = asked["messageId"]
            said = {"type": "result", "messageId": number, "success": True, "result": result}
            await line.send_json(said)
        return line


@contextlib.asynccontextmanager
async def sayer(*first):
    """One that listens, and its port."""
    made = Sayer(*first)
    port = await made.start()
    try:
        yield made, port
    finally:
        await made.stop()


@pytest.mark.parametrize("raw", [DEEP, DEEP.encode(), "{", "[1]", "7", "", b"\xff\xfe\xfd"])
def test_what_is_no_object_is_none(raw):
    """However deep, broken or of another kind it is: nothing is raised."""
    assert json_object(raw) is None
    assert not read_object(raw.encode() if isinstance(raw, str) else raw, 1_000_000)


@pytest.mark.parametrize("text", [DEEP, '{"odd": true}'])
async def test_a_line_that_talks_nonsense_is_lost_and_tried_again(text):
    """Also where only whoever hears it stumbles; the reason is told, and the next try serves."""
    lost, met, clock = [], [], FakeClock()

    async def joined():
        met.append(True)

    def heard(frame):
        raise TypeError(frame)

    from aiohttp import ClientSession

    async with sayer() as (peer, port), ClientSession() as session:
        line = SocketLine("it", f"ws://127.0.0.1:{port}/", clock, joined=joined, lost=lost.append,
                          heard=heard)  # fmt: skip
        task = line.keep(session, "a line")
        await line.up()
        await peer.say(text)
        async with asyncio.timeout(30):
            while not lost:
                await asyncio.sleep(0.005)
            while len(met) < 2:
                await clock.advance(1)
                await asyncio.sleep(0.005)
        assert not task.done()
        assert "answers" in lost[0]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


ODD_EVENTS = [
    DEEP,
    {"type": "event", "event": {"nodeId": 2, "event": "notification",
                                "args": {"type": 7, "event": {"x": 1}}}},
    {"type": "event", "event": {"nodeId": 2, "event": "notification",
                                "args": {"type": 6, "event": [11]}}},
    {"type": "event", "event": {"nodeId": [2], "event": {"x": 1}, "args": 7}},
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD_EVENTS)
async def test_a_zwave_server_that_talks_nonsense_ends_no_watch(odd):
    """The line goes on, or is lost and said to be; a door is never left as it was last seen."""
    clock = FakeClock()
    hello = {"type": "version", "maxSchemaVersion": 35}
    async with sayer(hello) as (peer, port):
        doors = ZwaveDoors(
            ZwaveConfig(url=f"ws://127.0.0.1:{port}"),
            Context("zwave", clock=clock, devices={"main": ZwaveDevice(node=2)}),
        )
        await doors.start()
        listener = Listener(doors)
        try:
            await listener.hears(door="main", lock="locked", answers=True)
            await peer.say(odd)
            await peer.say({"type": "event", "event": {"nodeId": 2, "event": "dead"}})
            await listener.hears(door="main", online=False)
        finally:
            await listener.stop()
            await doors.close()


@pytest.mark.parametrize("status", [{"x": 1}, [3], "three"])
async def test_a_node_of_another_make_is_no_lock(status):
    """What a node says of itself may be anything."""
    from plugins.access_control._zwave_lock import ZwaveLock

    lock = ZwaveLock()
    mode = {"commandClass": 98, "endpoint": 0, "property": "currentMode", "value": [255]}
    lock.meet({"status": status, "values": [mode]})
    assert lock.lock()[0] == "unknown"


async def test_a_watch_that_breaks_ends_the_reports():
    """Nobody waits for reports that never come: the reason is told, and the hub starts anew."""
    reports = Reports()
    reports.begin()

    async def breaks():
        raise ZeroDivisionError

    task = asyncio.create_task(breaks())
    reports.end_with(task, "the link to the board")
    with pytest.raises(NotReady, match=r"the link to the board broke \(ZeroDivisionError\)"):
        await anext(reports.read())


async def test_a_watch_that_is_called_off_is_no_news():
    """Closing ends the reports by itself, in peace."""
    reports = Reports()
    reports.begin()
    task = asyncio.create_task(asyncio.Event().wait())
    reports.end_with(task, "the link")
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    reports.tell(1)
    reports.end()
    assert [each async for each in reports.read()] == [1]


def test_a_time_before_all_times_is_now():
    """Home Assistant may say any time; one that cannot be reckoned with is of this moment."""

    async def nothing():
        pass

    clock = FakeClock()
    home = HomeAssistant(
        "http://127.0.0.1", "t", clock, joined=nothing, lost=print, changed=lambda *_: None
    )
    late = "Fri, 31 Dec 9999 23:59:59 GMT"
    assert home._since("0001-01-01T00:00:00+00:00", late) == clock.now()


async def test_an_event_of_another_age_is_of_this_moment():
    """A device may stamp an event with any time; none is later than now, and none is too early."""
    clock = FakeClock()
    soap = Soap(None, clock, None, None, "/")
    soap.ahead = timedelta(days=30)
    for odd in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "never", ""):
        assert soap.our_time(odd) == clock.now()
