"""RTSP cameras against GStreamer's server: both transports, passwords, and servers that freeze."""

from __future__ import annotations

import asyncio
import itertools
import logging
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from hub.clock import SystemClock
from hub.config import CameraBlock, Config, Place
from hub.events import Event
from hub.kinds import Context
from hub.kinds.cameras import VideoSource
from hub.perception.feed import Feed, Packet
from hub.perception.workers import Perception
from hub.supervisor import Supervisor
from plugins.cameras.rtsp import RtspCamera, RtspConfig

PEER = Path(__file__).with_name("rtsp_peer.py")
USER, PASSWORD = "bob", "p@ss/w:rd"


class Server:
    """The server's process."""

    def __init__(self, *credentials: str) -> None:
        self.process = subprocess.Popen(
            ["/usr/bin/python3", str(PEER), *credentials], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.url = f"rtsp://127.0.0.1:{self.port}/ball"

    def stop(self) -> None:
        """End it, frozen or not."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    """A server that asks for a password."""
    server = Server(USER, PASSWORD)
    yield server
    server.stop()


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of the test's own, without a password."""
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def reading() -> Iterator[Callable[..., Feed]]:
    """Starts feeds and ends their threads."""
    feeds: list[Feed] = []

    def read(source: VideoSource, **timing: float) -> Feed:
        feeds.append(Feed("gate", source, SystemClock(), **timing))
        feeds[-1].start()
        return feeds[-1]

    yield read
    for feed in feeds:
        feed.stop()
    assert all(feed.join(30) for feed in feeds)


def until(condition: Callable[[], object], within_s: float = 20) -> None:
    """Wait for something, or fail."""
    limit = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


async def source(**block: str) -> VideoSource:
    """What the driver says for this block."""
    camera = RtspCamera(RtspConfig.model_validate(block), Context("gate"))
    await camera.start()
    given = await camera.source("analysis")
    await camera.close()
    return given


def pictures(packets: list[Packet]) -> int:
    """How many pictures the packets decode to."""
    return sum(len(packet.session.decoder.decode(packet.data)) for packet in packets)


@pytest.mark.rtsp
@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_a_camera_with_a_password_is_read(
    guarded: Server, reading: Callable[..., Feed], transport: str
) -> None:
    """H.264 with digest authentication, over both transports, decodes to pictures."""
    feed = reading(
        await source(url=guarded.url, username=USER, password=PASSWORD, transport=transport)
    )
    packets: list[Packet] = []
    until(lambda: packets.extend(feed.queue.take()) or len(packets) >= 15)
    assert pictures(packets) >= 12
    assert feed.trouble == ""
    gaps = [b.time - a.time for a, b in itertools.pairwise(packets[5:])]
    assert sum(gaps) / len(gaps) == pytest.approx(0.1, abs=0.03)


@pytest.mark.rtsp
async def test_a_wrong_password_is_reported_without_the_password(
    guarded: Server, reading: Callable[..., Feed], caplog: pytest.LogCaptureFixture
) -> None:
    """The reason says what to correct; no text or log line shows any part of the secret."""
    caplog.set_level(logging.DEBUG)
    wrong = reading(await source(url=guarded.url, username=USER, password="n0t/the:one"))
    none = reading(await source(url=guarded.url))
    lost = reading(await source(url=guarded.url + "x", username=USER, password=PASSWORD))
    until(lambda: wrong.trouble and none.trouble and lost.trouble)
    assert wrong.trouble == "it refused the user name or password (401)"
    assert none.trouble == "it asks for a user name and a password (401)"
    assert lost.trouble == "it has no stream of this name (404)"
    for secret in ("n0t", "the:one", PASSWORD):
        assert secret not in caplog.text + wrong.trouble + repr(wrong.source)


@pytest.mark.rtsp
async def test_nothing_listening_is_named_and_found_when_it_comes(
    server: Server, reading: Callable[..., Feed]
) -> None:
    """A refused connection is told from a silent one."""
    server.stop()
    feed = reading(await source(url=server.url), first_delay_s=0.2)
    until(lambda: feed.trouble)
    assert feed.trouble == f"nothing listens at 127.0.0.1:{server.port}"


@pytest.mark.rtsp
@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_a_frozen_server_is_noticed_and_read_again(
    server: Server, reading: Callable[..., Feed], transport: str
) -> None:
    """A connection that stays open and sends nothing ends after the read timeout."""
    feed = reading(
        await source(url=server.url, transport=transport), read_within_s=1.0, first_delay_s=0.1
    )
    until(lambda: feed.queue.take())
    server.process.send_signal(signal.SIGSTOP)
    until(lambda: feed.trouble)
    assert feed.trouble == "no answer within 1 s"
    server.process.send_signal(signal.SIGCONT)
    feed.queue.take()
    until(lambda: feed.queue.take(), 20)
    assert feed.connects >= 2


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[tuple[Perception, list[Event]]]:
    """Perception with one camera, and what it reports."""
    events: list[Event] = []

    async def accept(*accepted: Event) -> None:
        events.extend(accepted)

    clock = SystemClock()
    config = Config(
        places={"gate": Place(name="Gate", kind="outdoor")},
        cameras={"gate": CameraBlock(driver="rtsp", place="gate", offline_after=2.0)},
    )
    supervisor = Supervisor(clock, accept)
    perception = Perception(config, None, tmp_path / "state", clock, accept, supervisor)
    yield perception, events
    await perception.stop()
    await supervisor.stop()


@pytest.mark.rtsp
async def test_a_frozen_camera_is_an_event_and_so_is_its_return(
    server: Server, house: tuple[Perception, list[Event]]
) -> None:
    """Fail visible: offline after its patience, online once pictures come again."""
    perception, events = house
    await perception.start({"gate": await source(url=server.url)})

    async def happens(kind: str, within_s: float) -> Event:
        async with asyncio.timeout(within_s):
            while not (found := [event for event in events if event.type == kind]):
                await asyncio.sleep(0.05)
        return found[-1]

    async with asyncio.timeout(30):
        while perception.cameras()["gate"].state != "online":
            await asyncio.sleep(0.05)
    events.clear()
    server.process.send_signal(signal.SIGSTOP)
    offline = await happens("camera.offline", 6)
    assert offline.data["silent_s"] >= 2
    assert perception.cameras()["gate"].state == "offline"
    server.process.send_signal(signal.SIGCONT)
    await happens("camera.online", 20)


async def test_credentials_in_the_address_are_split_out_and_never_shown() -> None:
    """The keys beside the address win over those in it."""
    url = "rtsp://bob:p%40ss%2Fw%3Ard@192.0.2.7:554/a/b?c=1"
    given = await source(url=url)
    assert (given.url, given.username, given.password) == (
        "rtsp://192.0.2.7:554/a/b?c=1",
        USER,
        PASSWORD,
    )
    assert (await source(url=url, username="eve", password="x")).username == "eve"
    plain = await source(url="rtsp://192.0.2.7/a")
    assert (plain.username, plain.password, plain.transport) == (None, None, "tcp")
    config = RtspConfig.model_validate({"url": url, "password": PASSWORD})
    for text in (repr(config), str(config), repr(given)):
        assert PASSWORD not in text
        assert "p%40ss" not in text


@pytest.mark.parametrize("url", ["http://example/a", "rtsp:///a", "rtsp://h:99999/a", "example"])
def test_an_address_that_is_none_is_refused_without_repeating_it(url: str) -> None:
    """The message shows the form that was expected."""
    with pytest.raises(ValidationError) as caught:
        RtspConfig.model_validate({"url": url})
    assert "rtsp" in str(caught.value)
    assert url not in str(caught.value)
