"""The server of a capacity run, read as the hub reads a camera."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

import av
import pytest

from hub.bench.capacity_scenes import Clip, clip
from hub.bench.rtsp import LARGEST, Server, film
from hub.kinds.cameras import VideoSource
from hub.perception.feed import SourceLost, _Opened

FAST = 150  # pictures a second, so that nobody waits


@pytest.fixture(scope="module")
def made() -> Clip:
    """Four seconds of video."""
    return clip("busy", "yard", 1, 4)


@pytest.fixture
async def served(made: Clip) -> AsyncIterator[tuple[Server, int, list[tuple[str, float]]]]:
    """The server, its port and what it was told of."""
    begun: list[tuple[str, float]] = []
    server = Server(
        {"yard": film(made.pictures, FAST)},
        lambda camera: 30 if camera == "later" else 0,
        lambda camera, at: begun.append((camera, at)),
    )
    port = await server.start()
    yield server, port, begun
    await server.stop()


def _read(address: str, count: int) -> list[tuple[float, bool, int]]:
    """Time (s), whether it is a key frame, and the sum of grey levels of so many pictures."""
    found: list[tuple[float, bool, int]] = []
    with _Opened(VideoSource(address, "tcp"), (5.0, 5.0)) as opened:
        decoder = opened.decoder()
        for packet in opened.packets():
            for picture in decoder.decode(packet):
                assert not picture.is_corrupt
                luma = picture.to_ndarray(format="gray")
                found.append(
                    (
                        float((picture.pts or 0) * packet.time_base),
                        bool(picture.key_frame),
                        int(luma.sum()),
                    )
                )
            if len(found) >= count:
                return found
    return found


def _straight(made: Clip) -> list[int]:
    """What the same pictures look like without a server."""
    decoder = av.CodecContext.create("h264", "r")
    return [
        int(picture.to_ndarray(format="gray").sum())
        for content in made.pictures
        for picture in decoder.decode(av.Packet(content))
    ]


async def test_every_picture_arrives_whole_in_order_and_round_after_round(
    made: Clip, served: tuple[Server, int, list[tuple[str, float]]]
) -> None:
    """More than one round of the film decodes to what was coded, with stamps that go on."""
    _, port, begun = served
    count = len(made.pictures) + 20
    found = await asyncio.to_thread(_read, f"rtsp://127.0.0.1:{port}/yard/7", count)
    straight = _straight(made)
    assert any(len(content) > LARGEST for content in made.pictures)  # some came in fragments
    assert [grey for _, _, grey in found[: len(straight)]] == straight
    assert [grey for _, _, grey in found[len(straight) : count]] == straight[:20]
    steps = {round((b[0] - a[0]) * FAST) for a, b in pairwise(found)}
    assert steps == {1}
    assert [camera for camera, _ in begun] == ["7"]


async def test_a_camera_may_begin_in_the_middle(
    made: Clip, served: tuple[Server, int, list[tuple[str, float]]]
) -> None:
    """It begins at the key frame it was given, and the film's beginning lies before that."""
    _, port, begun = served
    now = asyncio.get_running_loop().time()
    found = await asyncio.to_thread(_read, f"rtsp://127.0.0.1:{port}/yard/later", 5)
    assert found[0][1]
    assert [grey for _, _, grey in found[:5]] == _straight(made)[30:35]
    ((_, at),) = begun
    assert now - 30 / FAST <= at <= asyncio.get_running_loop().time() - 30 / FAST


async def test_an_unknown_stream_and_udp_are_refused(
    served: tuple[Server, int, list[tuple[str, float]]],
) -> None:
    """As a camera does: there is no such stream, or it cannot be sent that way."""
    _, port, begun = served
    with pytest.raises(SourceLost, match="404"):
        await asyncio.to_thread(_read, f"rtsp://127.0.0.1:{port}/attic/1", 1)
    source = VideoSource(f"rtsp://127.0.0.1:{port}/yard/1", "udp")

    def udp() -> None:
        with _Opened(source, (5.0, 5.0)):
            pass

    with pytest.raises(SourceLost):
        await asyncio.to_thread(udp)
    assert begun == []


async def test_nonsense_ends_its_connection_alone(
    served: tuple[Server, int, list[tuple[str, float]]],
) -> None:
    """Whoever says what is no RTSP is cut off; the next one is served."""
    _, port, _ = served
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\x00\xff nonsense\r\n\r\n")
    async with asyncio.timeout(20):
        assert await reader.read() == b""
    writer.close()
    assert await asyncio.to_thread(_read, f"rtsp://127.0.0.1:{port}/yard/1", 1)


async def test_a_viewer_who_does_not_read_is_sent_no_more_than_it_may_leave(
    made: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures are left out and counted, so memory stays bounded; lateness is told once."""
    monkeypatch.setattr("hub.bench.rtsp.MOST_WAITING", 20_000)
    server = Server({"yard": film(made.pictures, 2000)}, lambda _: 0, lambda *_: None)
    port = await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    for method, more in (("SETUP", "Transport: RTP/AVP/TCP;interleaved=0-1\r\n"), ("PLAY", "")):
        writer.write(f"{method} rtsp://x/yard/1 RTSP/1.0\r\nCSeq: 1\r\n{more}\r\n".encode())
        async with asyncio.timeout(20):
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
    async with asyncio.timeout(20):
        while not server.left_out():
            await asyncio.sleep(0)
    assert server.late() >= 0.0
    assert server.late() < 1.0
    writer.close()
    await server.stop()
