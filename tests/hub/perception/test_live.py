"""A camera inside a worker: reading, pacing, reconnecting, masking, remembering pictures."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import numpy as np
import pytest
import simplejpeg
from numpy.typing import NDArray

from hub.clock import SystemClock
from hub.errors import ModelError
from hub.kinds.cameras import VideoSource
from hub.kinds.detectors import DetectorInfo
from hub.perception.decode import clip_frames
from hub.perception.feed import (
    Feed,
    Packet,
    PacketQueue,
    Session,
    address_with_credentials,
    in_words,
    redact,
    without_credentials,
)
from hub.perception.live import LiveCamera, Worked
from hub.perception.masks import PaintedMask
from hub.perception.motion import MotionGate
from hub.perception.pictures import Picture, Pictures, Wanted, tidy
from hub.perception.pipeline import CameraPipeline
from hub.perception.spec import CameraSpec
from tests.clips import encoded

SIZE = (320, 240)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
GUESS = DetectorInfo("guess", ("person",), (), "Apache-2.0", "", needs_pixels=False, guessing=True)
SESSION = Session(1, None)
clock = SystemClock()


def make_clip(
    path: Path, frames: int = 20, fps: int = 20, size: tuple[int, int] = SIZE, bframes: int = 0
) -> Path:
    """A textured wall with a bright box walking across it, as a camera would encode it."""
    width, height = size
    wall = np.random.default_rng(3).integers(60, 180, (height // 8, width // 8, 3))
    wall = np.kron(wall, np.ones((8, 8, 1))).astype(np.uint8)
    pictures = []
    for number in range(frames):
        picture = wall.copy()
        x = 10 + number * 200 // frames
        picture[height // 3 : height // 3 + 100, x : x + 40] = (230, 60, 60)
        pictures.append(picture)
    preset = "medium" if bframes else "ultrafast"
    return encoded(path, pictures, fps, g="10", bf=str(bframes), preset=preset)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second of video at 20 frames a second."""
    return make_clip(tmp_path_factory.mktemp("clips") / "walk.mp4")


@pytest.fixture(scope="module", autouse=True)
def warm() -> None:
    """Compile the motion kernels before anything is timed."""
    MotionGate(*SIZE, 5.0).update(np.zeros(SIZE[::-1], np.uint8), 0.0)


def spec(**changes: object) -> CameraSpec:
    """A camera in the hall."""
    given = {"id": "hall", "slot": 0, "place": "hall", "fps": 20.0, "source": VideoSource("")}
    return CameraSpec.model_validate({**given, **changes})


class Bench:
    """A live camera that is worked by the test."""

    def __init__(self, folder: Path, source: VideoSource, **changes: object) -> None:
        self.feed = Feed("hall", source, clock, first_delay_s=0.05)
        self.snapshot = folder / "snapshots" / "hall.jpg"
        self.media = folder / "media"
        self.looks: list[float] = []
        self.worked: list[Worked] = []
        self.camera = LiveCamera(
            spec(source=source, **changes),
            self.feed,
            Pictures(self.snapshot, self.media),
            clock,
            self._pipeline,
        )
        self.feed.start()

    def _pipeline(self, size: tuple[int, int]) -> CameraPipeline:
        bench = self

        class Noted(CameraPipeline):
            """The real one, noting when it looked."""

            def look(self, frame):  # type: ignore[no-untyped-def]
                bench.looks.append(frame.time)
                return super().look(frame)

        return Noted("hall", size, self.camera.spec.fps, GUESS)

    def work_until(self, condition, within_s: float = 20.0) -> None:  # type: ignore[no-untyped-def]
        """Work until the condition holds, or fail."""
        until = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < until, (self.feed.trouble, self.camera.counters)
            self.worked.append(self.camera.work())
            time.sleep(0.01)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[object]:
    """Makes benches and stops their threads."""
    made: list[Bench] = []

    def make(source: VideoSource, **changes: object) -> Bench:
        made.append(Bench(tmp_path, source, **changes))
        return made[-1]

    yield make
    for one in made:
        one.feed.stop()
    assert all(one.feed.join(20) for one in made)


# ------------------------------------------------------------------------ files


def test_a_file_is_played_in_real_time_and_again_from_its_start(bench, clip: Path) -> None:  # type: ignore[no-untyped-def]
    """Forty frames of a one-second clip take about two seconds, and time never goes back."""
    one = bench(VideoSource(str(clip), "file", loop=True))
    began = time.monotonic()
    one.work_until(lambda: one.camera.counters.decoded >= 40)
    assert 1.6 < time.monotonic() - began < 12
    assert one.feed.connects >= 2
    assert one.looks == sorted(one.looks)
    assert one.camera.counters.damaged == one.feed.queue.dropped == 0


def test_a_file_that_does_not_loop_ends_and_says_so(bench, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """All of it is seen once."""
    short = make_clip(tmp_path / "short.mp4", frames=6)
    one = bench(VideoSource(str(short), "file", loop=False))
    one.work_until(lambda: one.feed.end_of_clip)
    one.camera.work()
    assert one.camera.counters.decoded == 6
    assert one.feed.trouble == "the clip has been played"


def test_a_clip_of_one_frame_does_not_spin(bench, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Each round lasts as long as its frame, however short the clip."""
    still = make_clip(tmp_path / "still.mp4", frames=1, fps=10)
    one = bench(VideoSource(str(still), "file", loop=True))
    one.work_until(lambda: one.camera.counters.decoded > 0)
    before, began = one.feed.connects, time.monotonic()
    one.work_until(lambda: one.feed.connects >= before + 10)
    assert time.monotonic() - began > 0.8


def test_every_frame_is_decoded_but_only_those_due_are_looked_at(bench, clip: Path) -> None:  # type: ignore[no-untyped-def]
    """At 5 a second, of 20 a second, one in four is looked at, evenly."""
    one = bench(VideoSource(str(clip), "file", loop=True), fps=5.0)
    one.work_until(lambda: one.camera.counters.decoded >= 40)
    assert abs(len(one.looks) - one.camera.counters.decoded / 4) <= 1
    gaps = np.diff(one.looks[:5])
    assert np.allclose(gaps, 0.2, atol=0.06), gaps


def two_rounds(path: Path, before_s: float) -> Iterator[Packet]:
    """The packets of a clip whose decoder gives pictures out late, twice: as if a stream that had
    run for a while began again from its start, as a server does that seeks for another client.
    """
    now, session = clock.monotonic(), None
    for position in (before_s, 0.0):
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            session = session or Session(1, av.CodecContext.create("h264", "r"))
            session.decoder.extradata = stream.codec_context.extradata
            for data in container.demux(stream):
                if data.dts is None:
                    continue
                data.pts += int(position / data.time_base)
                data.dts += int(position / data.time_base)
                time = now + float(data.dts * data.time_base) - position
                base = now - position
                yield Packet(session, data, time, base, int(data.size), bool(data.is_keyframe))
        now += 2.0


def test_a_stream_whose_clock_goes_back_is_looked_at_on(bench, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """A picture that comes out after the jump with a stamp from before it does not make the camera
    wait until that time has come again.
    """
    late = make_clip(tmp_path / "late.mp4", frames=40, bframes=3)
    one = bench(VideoSource(str(tmp_path / "nothing.mp4"), "file"), fps=10.0)
    looked = []
    for packet in two_rounds(late, before_s=300.0):
        one.feed.queue.put(packet)
        one.worked.append(one.camera.work())
        looked.append(len(one.looks))
    assert one.camera.counters.decoded > 60
    assert looked[-1] - looked[45] > 10, "the second round is looked at like the first"
    assert max(one.looks) < clock.monotonic() + 10


def test_a_single_stamp_from_the_future_costs_nothing(bench, clip: Path) -> None:  # type: ignore[no-untyped-def]
    """Whatever time one picture claims, the next is looked at when it is due."""
    one = bench(VideoSource(str(clip), "file"), fps=10.0)
    due = one.camera._looks.due
    assert [due(time) for time in (0.0, 0.05, 0.1, 500.0, 0.2, 0.25, 0.3)] == [
        True, False, True, True, True, False, True,
    ]  # fmt: skip


def test_a_missing_file_is_named_and_found_once_it_is_there(bench, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Reading goes on for ever, with growing delays."""
    path = tmp_path / "late.mp4"
    one = bench(VideoSource(str(path), "file", loop=True))
    one.work_until(lambda: one.feed.trouble)
    assert one.feed.trouble == f"there is no file {path}"
    make_clip(tmp_path / "made.mp4").rename(path)
    one.work_until(lambda: one.camera.counters.decoded > 0)
    assert one.feed.trouble == ""


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "video"), (b"no video at all" * 100, "video")],
)
def test_a_file_that_is_no_video_is_reported(  # type: ignore[no-untyped-def]
    bench, tmp_path: Path, content: bytes, words: str
) -> None:
    """In words, without a spin."""
    path = tmp_path / "odd.mp4"
    path.write_bytes(content)
    one = bench(VideoSource(str(path), "file", loop=True))
    one.work_until(lambda: one.feed.trouble)
    assert words in one.feed.trouble
    assert one.feed.connects == 0


def test_a_stream_that_cannot_be_decoded_is_reported_and_retried(  # type: ignore[no-untyped-def]
    bench, tmp_path: Path
) -> None:
    """Packets come, pictures do not: the camera says so instead of staying silent."""
    path = make_clip(tmp_path / "damaged.mp4", frames=120, fps=60)
    damage(path)
    one = bench(VideoSource(str(path), "file", loop=True))
    one.work_until(lambda: one.feed.trouble)
    assert one.feed.trouble == "its pictures cannot be decoded"
    assert one.camera.counters.decoded == 0


def damage(path: Path) -> None:
    """Zero the payload of every NAL unit, leaving the file's index and the units' kinds."""
    with av.open(str(path)) as container:
        places = [(p.pos, p.pos + p.size) for p in container.demux(video=0) if p.size]
    content = bytearray(path.read_bytes())
    for start, end in places:
        while start < end:
            length = int.from_bytes(content[start : start + 4], "big")
            content[start + 6 : start + 4 + length] = bytes(max(0, length - 2))
            start += 4 + length
    path.write_bytes(content)


def test_a_fault_in_the_analysis_costs_one_picture_not_the_camera(bench, clip: Path) -> None:  # type: ignore[no-untyped-def]
    """It is counted, and the camera still shows pictures afterwards."""
    one = bench(VideoSource(str(clip), "file", loop=True))
    sound = one.camera._pipeline_for

    def faulty(size: tuple[int, int]) -> CameraPipeline:
        one.camera._pipeline_for = sound
        raise ModelError("a fault")

    one.camera._pipeline_for = faulty
    one.work_until(lambda: len(one.looks) >= 3)
    assert one.camera.counters.faults == 1
    assert one.camera.fault == "ModelError: a fault"
    assert one.snapshot.is_file()


# -------------------------------------------------------------------- the queue


def packet(at: float, key: bool = False, size: int = 10) -> Packet:
    """A packet of nothing, for the queue alone."""
    return Packet(SESSION, None, at, 0.0, size, key)


def test_packets_come_out_in_order_and_once() -> None:
    """As long as nobody is late."""
    queue = PacketQueue()
    for number in range(5):
        queue.put(packet(number * 0.1, key=number == 0))
    assert [each.time for each in queue.take()] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert queue.take() == []
    assert queue.dropped == 0


def test_a_decoder_that_falls_behind_goes_on_at_the_newest_key_frame() -> None:
    """Everything before it is dropped and counted."""
    queue = PacketQueue(late_after_s=3.0)
    for number in range(40):
        queue.put(packet(number * 0.1, key=number % 20 == 0))
    left = queue.take()
    assert left[0].key
    assert left[0].time == pytest.approx(2.0)
    assert queue.dropped == 20
    assert len(left) + queue.dropped == 40


def test_without_a_newer_key_frame_everything_goes_until_the_next() -> None:
    """A decoder is never handed the middle of a group of pictures."""
    queue = PacketQueue(most=8)
    for number in range(12):
        queue.put(packet(number * 0.1, key=number == 0))
    queue.put(packet(1.2, key=True))
    queue.put(packet(1.3))
    assert [each.time for each in queue.take()] == pytest.approx([1.2, 1.3])
    assert queue.dropped == 12


def test_the_queue_is_bounded_in_bytes() -> None:
    """Huge packets are dropped before memory goes."""
    queue = PacketQueue(most_bytes=1000)
    for number in range(50):
        queue.put(packet(number * 0.01, key=number % 5 == 0, size=100))
    assert sum(each.size for each in queue.take()) <= 1000
    assert queue.dropped > 0


# ------------------------------------------------------------------ credentials

SECRET = VideoSource("rtsp://192.0.2.7:554/s?x=1", "tcp", username="bob", password="p@ss/w:rd")


def test_credentials_are_put_into_the_address_quoted() -> None:
    """Whatever characters they hold."""
    assert address_with_credentials(SECRET) == "rtsp://bob:p%40ss%2Fw%3Ard@192.0.2.7:554/s?x=1"
    assert address_with_credentials(without_credentials(SECRET)) == address_with_credentials(SECRET)


def test_credentials_in_an_address_are_moved_beside_it() -> None:
    """And come out the same."""
    given = VideoSource(address_with_credentials(SECRET), "tcp")
    assert without_credentials(given) == SECRET


def test_no_text_shows_a_password() -> None:
    """Neither the source's own, nor an error's that carries the whole address, nor a log line."""
    secrets = ("p@ss/w:rd", "p%40ss%2Fw%3Ard")
    error = av.error.ProtocolNotFoundError(1, "cannot", address_with_credentials(SECRET))
    for text in (
        repr(SECRET),
        in_words(error, SECRET, 5),
        redact(repr(error), SECRET),
        repr(spec(source=SECRET)),
    ):
        assert not any(secret in text for secret in secrets), text


# ------------------------------------------------------------- masks and privacy


def test_masks_are_applied_before_anything_is_stored_or_shown(bench, clip: Path) -> None:  # type: ignore[no-untyped-def]
    """In the snapshot the masked half is black, the rest is the picture."""
    left_half = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
    one = bench(VideoSource(str(clip), "file", loop=True), masks=(left_half,))
    one.work_until(one.snapshot.is_file)
    shown = simplejpeg.decode_jpeg(one.snapshot.read_bytes())
    assert shown[:, :150].max() < 12
    assert shown[:, 175:].mean() > 60


def test_painting_a_mask_does_not_leak_into_later_pictures(clip: Path) -> None:
    """The decoder predicts from its own buffers, which stay as they were."""
    middle = ((0.3, 0.3), (0.7, 0.3), (0.7, 0.7), (0.3, 0.7))
    mask = PaintedMask([middle], SIZE)
    plain = [frame.luma.copy() for frame in clip_frames(clip)]
    outside = np.ones(SIZE[::-1], bool)
    outside[int(0.3 * 240) - 1 : int(0.7 * 240) + 2, int(0.3 * 320) - 1 : int(0.7 * 320) + 2] = (
        False
    )
    with av.open(str(clip)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for number, picture in enumerate(container.decode(video=0)):
            painted = mask.paint(picture)
            luma = plane(painted, 0)
            assert np.array_equal(luma[outside], plain[number][outside]), number
            assert (luma[80:160, 100:220] == 16).all()
            assert (plane(painted, 1)[40:80, 50:110] == 128).all()


def plane(picture: av.VideoFrame, number: int) -> NDArray[np.uint8]:
    """One plane without its padding."""
    of = picture.planes[number]
    return np.frombuffer(of, np.uint8).reshape(-1, of.line_size)[: of.height, : of.width]


def test_a_private_camera_is_never_analysed(bench, clip: Path) -> None:  # type: ignore[no-untyped-def]
    """Private places stay private: no look, no question, no event; only the live picture."""
    one = bench(VideoSource(str(clip), "file", loop=True), private=True)
    one.work_until(lambda: one.camera.counters.decoded >= 20)
    assert one.looks == []
    assert not any(worked.events or worked.question for worked in one.worked)
    assert one.camera.gate == "private"
    assert not one.media.exists()


# --------------------------------------------------------------------- pictures


def at(seconds: float) -> datetime:
    """A moment, counted from noon."""
    return NOON + timedelta(seconds=seconds)


def test_pictures_from_before_and_after_a_moment_are_kept(tmp_path: Path) -> None:
    """Those in memory at once, later ones as they come, each the nearest to what was asked."""
    pictures = Pictures(tmp_path / "s.jpg", tmp_path / "media")
    for number in range(11):
        pictures.show(Picture(at(number * 0.5), b"%d" % number))
    pictures.want([Wanted("i", offset, at(5 + offset)) for offset in (-4.0, -2.0, 2.0)])
    kept = pictures.collect(at(5))
    assert [(k.offset_s, (tmp_path / "media" / k.name).read_bytes()) for k in kept] == [
        (-4.0, b"2"),
        (-2.0, b"6"),
    ]
    pictures.show(Picture(at(6.5), b"too early"))
    assert pictures.collect(at(6.5)) == []
    pictures.show(Picture(at(7.1), b"after"))
    (after,) = pictures.collect(at(7.1))
    assert (after.offset_s, after.time) == (2.0, at(7.1))
    assert pictures.missed == 0


def test_a_picture_that_never_comes_is_given_up_and_counted(tmp_path: Path) -> None:
    """A camera that went dark does not collect wishes for ever."""
    pictures = Pictures(tmp_path / "s.jpg", tmp_path / "media")
    pictures.show(Picture(at(0), b"x"))
    pictures.want([Wanted("i", 2.0, at(2)), Wanted("i", -4.0, at(-4))])
    assert pictures.collect(at(1)) == []
    assert pictures.missed == 1
    assert pictures.collect(at(13)) == []
    assert pictures.missed == 2


def test_the_memory_of_pictures_is_bounded_in_time_and_bytes(tmp_path: Path) -> None:
    """Twelve seconds, or six MiB, whichever is less."""
    pictures = Pictures(tmp_path / "s.jpg", tmp_path / "media")
    for number in range(100):
        pictures.show(Picture(at(number), bytes(1 << 20)))
    assert len(pictures._recent) == 6
    assert pictures.newest == Picture(at(99), bytes(1 << 20))


def test_a_snapshot_is_replaced_whole(tmp_path: Path) -> None:
    """No reader ever sees half a picture, nor a left-over part file as a picture."""
    pictures = Pictures(tmp_path / "s.jpg", tmp_path / "media")
    pictures.show(Picture(at(0), b"a" * 100_000))
    with (tmp_path / "s.jpg").open("rb") as reader:
        pictures.show(Picture(at(1), b"b" * 100_000))
        assert reader.read() == b"a" * 100_000
    assert [path.name for path in tmp_path.glob("*")] == ["s.jpg"]


def test_tidying_deletes_the_oldest_pictures_nobody_needs(tmp_path: Path) -> None:
    """What an alert or incident refers to stays, however old."""
    pictures = Pictures(tmp_path / "s.jpg", tmp_path / "media")
    names = [pictures.store(b"%d" % number) for number in range(6)]
    needed = {names[0], names[3]}
    assert tidy(tmp_path / "media", 2, lambda asked: needed & set(asked)) == 2
    assert {path.name for path in (tmp_path / "media").glob("*.jpg")} == {
        names[0], names[3], names[4], names[5],
    }  # fmt: skip
    assert tidy(tmp_path / "media", 10, lambda asked: needed) == 0
