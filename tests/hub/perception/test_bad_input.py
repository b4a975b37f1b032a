"""Whatever a camera sends, a worker loses frames and never its life, and sight comes back."""

from __future__ import annotations

import contextlib
import os
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import av
import pytest

from hub.kinds.cameras import VideoSource
from hub.kinds.detectors import DetectorInfo
from hub.perception.decode import Clip, NotAVideo
from hub.perception.feed import Feed, Session, SourceLost
from hub.perception.live import LiveCamera
from hub.perception.pictures import Pictures
from hub.perception.pipeline import CameraPipeline
from hub.perception.spec import CameraSpec
from hub.testing import FakeClock
from tests.hub.perception.streams import (
    CODINGS,
    GOP,
    RATE,
    Coding,
    copied,
    damaged,
    demuxed,
    encode,
    groups,
)

GUESS = DetectorInfo("guess", ("person",), (), "Apache-2.0", "", needs_pixels=False, guessing=True)


class Ticking(FakeClock):
    """A clock that a test without a loop moves."""

    def tick(self, seconds: float) -> None:
        self._elapsed += seconds


@dataclass
class Rig:
    """A camera as a worker has it, fed by hand.

    `seen` are hashes of the luma that the gate was shown, `shapes` their shapes.
    """

    folder: Path
    seen: list[int] = field(default_factory=list)
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    longest: float = 0.0

    def __post_init__(self) -> None:
        self.clock = Ticking()
        source = VideoSource("rtsp://192.0.2.1/x", "tcp")
        self.feed = Feed("hall", source, self.clock)
        spec = CameraSpec(id="hall", slot=0, place="hall", fps=60.0, source=source)
        pictures = Pictures(self.folder / "hall.jpg", self.folder / "media")
        self.camera = LiveCamera(spec, self.feed, pictures, self.clock, self._pipeline)

    def _pipeline(self, size: tuple[int, int]) -> CameraPipeline:
        seen, shapes = self.seen, self.shapes

        class Noted(CameraPipeline):
            """The real one, noting what it was shown."""

            def look(self, frame):  # type: ignore[no-untyped-def]
                seen.append(hash(frame.luma.tobytes()))
                shapes.append(frame.luma.shape)
                return super().look(frame)

        return Noted("hall", size, 60.0, GUESS)

    def send(self, session: Session, packets: list[av.Packet]) -> None:
        """Packets arrive at the camera's rate, and the worker works after each few."""
        for number, packet in enumerate(packets):
            self.feed._pass_on(session, packet)
            self.clock.tick(1 / RATE)
            if number % 3 == 2:
                self.work()
        self.work()

    def work(self) -> None:
        began = time.thread_time()
        worked = self.camera.work()
        self.longest = max(self.longest, time.thread_time() - began)
        if worked.question is not None:
            self.camera.answer(worked.question, [])

    def watch(self, session: Session, packets: list[av.Packet]) -> list[int]:
        """Send, and return what was seen of it."""
        self.seen.clear()
        self.shapes.clear()
        self.send(session, packets)
        return list(self.seen)


@pytest.fixture(scope="module", params=CODINGS, ids=lambda coding: coding.name)
def stream(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stream:
    """Sound packets of one coding and of another resolution, by group of pictures."""
    coding: Coding = request.param
    folder = tmp_path_factory.mktemp("streams")
    width, height = coding.size
    larger = replace(coding, size=(width + 32, height + 22))
    packets, decoder = demuxed(encode(coding, folder, gops=4))
    others, _ = demuxed(encode(larger, folder, gops=2, seed=2))
    return Stream(coding, groups(packets), groups(others), decoder)


@dataclass
class Stream:
    """`sound` and `other` (of another resolution) are groups of pictures."""

    coding: Coding
    sound: list[list[av.Packet]]
    other: list[list[av.Packet]]
    decoder: Callable[[], Any]


def survive(stream: Stream, folder: Path, seed: int, rounds: int) -> int:
    """Damaged groups between sound ones; returns how many damages were done.

    At the first key frame pictures come again, at the second they are the true ones.
    """
    rig = Rig(folder)
    sound, session = stream.sound, Session(1, stream.decoder())
    truth = {seen for group in sound for seen in rig.watch(session, group)}
    assert len(truth) > 2 * GOP
    rig.longest = 0.0  # the first pictures compiled the gate
    random, done, right = Random(f"{seed} {stream.coding.name}"), 0, (*stream.coding.size[::-1],)
    for number in range(rounds):
        group, kinds = damaged(random.choice(sound + stream.other), random)
        done += len(kinds)
        rig.send(session, group)
        seen = rig.watch(session, sound[number % 4])
        assert rig.shapes.count(right) >= GOP // 2, (number, kinds)
        seen = rig.watch(session, sound[(number + 1) % 4])
        assert sum(picture in truth for picture in seen) >= GOP // 2, (number, kinds)
        assert rig.feed._end < rig.clock.monotonic() + 5, (number, kinds)
    counters = rig.camera.counters
    assert counters.damaged > rounds // 10
    assert counters.faults == 0, rig.camera.fault
    assert rig.longest < 2.0
    return done


def test_sight_comes_back_after_any_damage(stream: Stream, tmp_path: Path) -> None:
    """A camera goes through hundreds of damaged groups of pictures and sees again after each."""
    assert survive(stream, tmp_path, seed=1, rounds=90) > 180


@pytest.mark.slow
def test_sight_comes_back_after_ten_times_more(stream: Stream, tmp_path: Path) -> None:
    """Thousands of damages a coding, other ones, and memory stays where it was."""
    survive(stream, tmp_path, seed=2, rounds=100)
    before = resident()
    assert survive(stream, tmp_path, seed=3, rounds=1500) > 3000
    assert resident() - before < 24 << 20


def test_a_worker_holds_out_in_a_storm(stream: Stream, tmp_path: Path) -> None:
    """Nothing but damage, seed after seed, on one decoder: no fault, and still sight at the end."""
    rig, random = Rig(tmp_path), Random(stream.coding.name)
    session = Session(1, stream.decoder())
    truth = {seen for group in stream.sound for seen in rig.watch(session, group)}
    for _ in range(60):
        group, _ = damaged(random.choice(stream.sound + stream.other), random, most=12)
        rig.send(session, group)
    for group in stream.sound[:3]:
        seen = rig.watch(session, group)
    assert sum(picture in truth for picture in seen) >= GOP // 2
    assert rig.camera.counters.faults == 0, rig.camera.fault


def test_lost_pictures_are_counted(stream: Stream, tmp_path: Path) -> None:
    """Packets cut to a stump give no sound picture, and each counts as damaged by the next key
    frame, so that a bad line shows.
    """
    rig, session = Rig(tmp_path), Session(1, stream.decoder())
    for group in (stream.sound[0], stream.sound[1]):
        rig.send(session, group)
    assert rig.camera.counters.damaged == 0
    stumps = [copied(packet, bytes(packet)[:5]) for packet in stream.sound[2][3:6]]
    rig.send(session, stream.sound[2][:3] + stumps)
    rig.send(session, stream.sound[3])
    assert rig.camera.counters.damaged >= 3


def test_an_empty_packet_does_not_end_the_stream(stream: Stream, tmp_path: Path) -> None:
    """A decoder takes one for the end of everything; it is left out and counted."""
    rig, session = Rig(tmp_path), Session(1, stream.decoder())
    empty = copied(stream.sound[0][3], b"")
    seen = rig.watch(session, [*stream.sound[0], empty, *stream.sound[1]])
    assert len(seen) >= 2 * GOP - 2
    assert rig.camera.counters.damaged == 1


def test_a_header_that_claims_gigabytes_is_refused(tmp_path: Path) -> None:
    """The decoder allocates nothing for a picture larger than any camera sends."""
    coding = Coding("mpeg4", "mpeg4", "yuv420p", (64, 64), ".avi", {})
    packets, _ = demuxed(encode(coding, tmp_path, gops=1))
    jpeg = av.CodecContext.create("mjpeg", "w")
    jpeg.width, jpeg.height, jpeg.pix_fmt, jpeg.time_base = 64, 64, "yuvj420p", Fraction(1, 25)
    content = bytearray(bytes(jpeg.encode(av.VideoFrame(64, 64, "yuvj420p"))[0]))
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", 65000, 65000)
    decoder = jpeg_decoder(tmp_path)
    rig, before = Rig(tmp_path), resident()
    rig.send(Session(1, decoder), [copied(packets[0], bytes(content))])
    assert rig.camera.counters.damaged == 1
    assert rig.camera.counters.decoded == 0
    assert resident() - before < 64 << 20


@pytest.mark.parametrize("coding", CODINGS, ids=lambda coding: coding.name)
def test_a_damaged_file_is_read_on_or_refused_in_words(coding: Coding, tmp_path: Path) -> None:
    """Whatever bytes of it are wrong, its index included: frames, or an error of its own kind."""
    sound = encode(coding, tmp_path, gops=2)
    content, random = sound.read_bytes(), Random(coding.name)
    path, frames = tmp_path / f"damaged{coding.suffix}", 0
    for number in range(40):
        altered = bytearray(content)
        for _ in range(random.choice((1, 10, 200))):
            altered[random.randrange(len(altered))] = random.randrange(256)
        path.write_bytes(altered[: random.randrange(len(altered))] if number % 3 else altered)
        with contextlib.suppress(NotAVideo), Clip(path) as clip:
            frames += sum(frame.luma.size > 0 for frame in clip)
        with contextlib.suppress(SourceLost):
            demuxed(path)
    assert frames > 40


def test_a_title_in_another_encoding_is_no_hindrance(tmp_path: Path) -> None:
    """Cameras name their streams in whatever encoding their maker knew."""
    path = tmp_path / "named.mkv"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "Haupteingang sued"
        stream: Any = container.add_stream("mjpeg", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuvj420p"
        container.mux(stream.encode(av.VideoFrame(64, 64, "yuvj420p")))
    content = path.read_bytes()
    assert b"sued" in content
    path.write_bytes(content.replace(b"sued", b"s\xfcd "))
    packets, _ = demuxed(path)
    assert len(packets) == 1
    with Clip(path) as clip:
        assert len(list(clip)) == 1


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def jpeg_decoder(folder: Path) -> Any:
    """As the reader makes it."""
    return demuxed(encode(Coding("j", "mjpeg", "yuvj420p", (64, 64), ".avi", {}), folder, 1))[1]()
