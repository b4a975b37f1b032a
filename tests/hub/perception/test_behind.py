"""What a camera does when its worker cannot keep up."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from hub.bench.capacity_scenes import FPS, GOP, clip
from hub.kinds.cameras import VideoSource
from hub.kinds.detectors import DetectorInfo
from hub.perception.feed import Feed, Packet, Session
from hub.perception.live import LiveCamera
from hub.perception.pictures import Pictures
from hub.perception.pipeline import CameraPipeline
from hub.perception.spec import CameraSpec
from hub.testing import FakeClock

LOOKS = 5.0
GUESS = DetectorInfo("guess", ("person",), (), "Apache-2.0", "", needs_pixels=False, guessing=True)


class Noted(CameraPipeline):
    """Keeps when it looked."""

    times: list[float]

    def look(self, frame):  # type: ignore[no-untyped-def]
        self.times.append(frame.time)
        return super().look(frame)


@pytest.fixture(scope="module")
def packets() -> list[av.Packet]:
    """Four seconds."""
    made = []
    for number, content in enumerate(clip("busy", "gym", 1, 4).pictures):
        packet = av.Packet(content)
        packet.pts = packet.dts = number
        packet.time_base = Fraction(1, FPS)
        made.append(packet)
    return made


async def _played(
    folder: Path, packets: list[av.Packet], every: int, burst_at: int | None = None
) -> tuple[LiveCamera, list[float]]:
    """A camera that works after each `every` packets; with a burst, none come for a while."""
    clock, times = FakeClock(), []
    source = VideoSource("rtsp://192.0.2.1/x")
    spec = CameraSpec(id="a", slot=0, place="a", fps=LOOKS, source=source)
    feed = Feed("a", source, clock)

    def pipeline(size: tuple[int, int]) -> Noted:
        made = Noted("a", size, LOOKS, GUESS)
        made.times = times
        return made

    pictures = Pictures(folder / "a.jpg", folder / "media")
    camera = LiveCamera(spec, feed, pictures, clock, pipeline)
    session = Session(1, av.CodecContext.create("h264", "r"))
    waiting: list[Packet] = []
    for number, data in enumerate(packets):
        time = number / FPS
        waiting.append(Packet(session, data, time, 0.0, data.size, number % GOP == 0))
        if burst_at is None or not burst_at <= number < burst_at + FPS:
            for packet in waiting:
                feed.queue.put(packet)
            waiting.clear()
        await clock.advance(1 / FPS)
        if number % every == every - 1:
            camera.work()
    return camera, times


async def test_in_time_every_look_is_made(tmp_path: Path, packets: list[av.Packet]) -> None:
    """Five looks a second, nothing dropped, although each call brings three pictures."""
    camera, times = await _played(tmp_path, packets, 3)
    assert len(times) == len(packets) // 3
    assert camera.dropped == 0


async def test_behind_only_the_newest_is_looked_at_and_the_rest_is_counted(
    tmp_path: Path, packets: list[av.Packet]
) -> None:
    """Called once a second: all is decoded, few are looked at, and those are new."""
    camera, times = await _played(tmp_path, packets, FPS)
    assert camera.counters.decoded == len(packets)
    late = [second for second in range(1, 4) if not any(second <= t < second + 0.75 for t in times)]
    assert late == [1, 2, 3]  # the first call does not know yet that it comes late
    assert all(any(second + 0.75 <= t < second + 1 for t in times) for second in range(1, 4))
    assert len(times) == 5 + 3
    superseded = 4  # of the five questions of the first call
    assert camera.dropped == len(packets) // 3 - len(times) + superseded


async def test_what_the_way_held_back_is_looked_at_in_full(
    tmp_path: Path, packets: list[av.Packet]
) -> None:
    """Pictures that come in a burst to a worker that has time lose no look."""
    _, times = await _played(tmp_path, packets, 3, burst_at=20)
    assert len(times) == len(packets) // 3
