"""The `ffmpeg` command as decoder: the same pictures at the same times, owned, and replaceable."""

from __future__ import annotations

import gc
import logging
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streams import CODINGS, RATE, Coding, encode
from test_sleeping import configured

from hub.clock import SystemClock
from hub.kinds.cameras import VideoSource
from hub.kinds.detectors import DetectorInfo
from hub.perception import by_command, ffmpeg
from hub.perception.by_command import ByCommand
from hub.perception.feed import Feed, Packet, Session, _Opened
from hub.perception.frames import Frame
from hub.perception.live import LiveCamera
from hub.perception.pictures import Pictures
from hub.perception.pipeline import CameraPipeline
from hub.perception.spec import CameraSpec
from hub.perception.stream import StreamDecoder

GUESS = DetectorInfo("guess", ("person",), (), "Apache-2.0", "", needs_pixels=False, guessing=True)
BY_NAME = {coding.name: coding for coding in CODINGS}
needs_ffmpeg = pytest.mark.ffmpeg


def packets(path: Path, number: int = 1, wrappers: int = 1) -> list[Packet]:
    """A file's packets as the feed hands them on, from a time far from zero."""
    with _Opened(VideoSource(str(path), "file"), (5.0, 5.0)) as opened:
        session = Session(number, opened.decoder(), opened.wrappers(wrappers))
        found = []
        for data in opened.packets():
            stamp = data.dts if data.dts is not None else data.pts
            own = float(stamp * data.time_base)
            found.append(
                Packet(session, data, 5000.0 + own, 5000.0, int(data.size), bool(data.is_keyframe))
            )
    return found


class Decoding:
    """A stream decoder with the command behind it, and what came out."""

    def __init__(self, hardware: ffmpeg.Hardware = "none") -> None:
        self.reopened: list[str] = []
        self.command = ByCommand("hall", hardware, SystemClock())
        self.stream = StreamDecoder(self.reopened.append, self.command)
        self.found: list[tuple[float, np.ndarray[Any, Any]]] = []

    def feed(self, given: list[Packet], pace_s: float = 0.02) -> None:
        """Packets, a little apart, as a camera sends them; farther once half of them are through
        and the command, on a busy machine, has given nothing yet.
        """
        for count, packet in enumerate(given):
            for picture, moment in self.stream.decode(packet):
                self.found.append((moment, Frame(picture, moment, 0).luma.copy()))
            late = not self.found and 2 * count > len(given)
            time.sleep(0.4 if late else pace_s)


@pytest.fixture
def decoding() -> Iterator[Any]:
    """Makes decoders and ends their commands."""
    made: list[Decoding] = []

    def make(hardware: ffmpeg.Hardware = "none") -> Decoding:
        made.append(Decoding(hardware))
        return made[-1]

    yield make
    for one in made:
        one.command.close()


def alive(pid: int) -> bool:
    """Whether a process runs that is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pid: int, within_s: float = 20.0) -> bool:
    """Whether it ends in time."""
    until = time.monotonic() + within_s
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not alive(pid)


@needs_ffmpeg
@pytest.mark.parametrize(
    "name",
    ["h264", "h264 with parameters out of band", "h264 b-frames", "h264 10 bit", "h265", "mpeg4"],
)
def test_the_command_gives_the_pictures_of_the_built_in_decoder_at_their_times(
    decoding: Any, tmp_path: Path, name: str
) -> None:
    """To within a grey level, each with the time it has otherwise."""
    path = encode(BY_NAME[name], tmp_path, 6)
    given = packets(path)
    one = decoding()
    one.feed(given)
    plain = StreamDecoder(one.reopened.append)
    expected = {
        round(moment, 3): Frame(picture, moment, 0).luma.astype(np.float32)
        for packet in packets(path)
        for picture, moment in plain.decode(packet)
    }
    assert len(one.found) >= len(given) - 8, (one.command.note, "a few may still be under way")
    assert [moment for moment, _ in one.found] == sorted(moment for moment, _ in one.found)
    for moment, luma in one.found:
        assert np.abs(luma - expected[round(moment, 3)]).mean() < 1.0
    assert (one.command.note, one.reopened, one.stream.damaged) == ("", [], 0)


@needs_ffmpeg
def test_the_command_line_holds_no_address(decoding: Any, tmp_path: Path) -> None:
    """It is given packets: whoever lists processes sees neither camera nor password."""
    one = decoding()
    one.feed(packets(encode(BY_NAME["h264"], tmp_path, 2)))
    line = Path(f"/proc/{one.command.pid}/cmdline").read_bytes()
    assert b"ffmpeg" in line
    assert b"pipe:0" in line
    assert b"://" not in line
    assert str(tmp_path).encode() not in line


@needs_ffmpeg
def test_one_that_dies_costs_no_more_than_a_group(
    decoding: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The built-in decoder goes on at the next key frame; the next opening tries the command."""
    path = encode(BY_NAME["h264"], tmp_path, 6)
    given = packets(path)
    one = decoding()
    one.feed(given[:20])
    before, pid = len(one.found), one.command.pid
    assert before > 5
    os.kill(pid, signal.SIGKILL)
    with caplog.at_level(logging.WARNING):
        one.feed(given[20:])
    assert len(one.found) - before >= 24 - 1, "from the key frame at 24 on"
    assert one.stream.damaged >= 1
    assert "ffmpeg has ended" in caplog.text
    assert one.command.pid is None
    one.feed(packets(path, number=2))
    assert one.command.pid not in (None, pid)


@needs_ffmpeg
def test_one_that_hangs_is_given_up(
    decoding: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process takes nothing; after the deadline it is killed and done without."""
    large = Coding("h264 large", "libx264", "yuv420p", (640, 360), ".ts", {"crf": "2"})
    given = packets(encode(large, tmp_path, 6))
    one = decoding()
    one.feed(given[:16])
    pid = one.command.pid
    os.kill(pid, signal.SIGSTOP)
    monkeypatch.setattr(ffmpeg, "WRITE_WITHIN_S", 0.3)
    one.feed(given[16:])
    assert gone(pid)
    assert "took nothing" in one.command.note
    assert one.found[-1][0] > 5000.0 + 40 / RATE


@needs_ffmpeg
def test_it_ends_with_its_camera_and_with_its_stream(decoding: Any, tmp_path: Path) -> None:
    """Another opening has another command, and nobody needs to ask the last one to end."""
    path = encode(BY_NAME["h264"], tmp_path, 2)
    one = Decoding()
    one.feed(packets(path))
    first = one.command.pid
    one.feed(packets(path, number=2))
    second = one.command.pid
    assert gone(first)
    assert alive(second)
    del one
    gc.collect()
    assert gone(second)


@needs_ffmpeg
def test_it_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    """Also when that is killed, and also while the command is stopped and sees no closed pipe."""
    path = encode(BY_NAME["h264"], tmp_path, 2)
    told, tell = os.pipe()
    worker = os.fork()
    if worker == 0:
        one = Decoding()
        one.feed(packets(path))
        os.kill(one.command.pid, signal.SIGSTOP)
        os.write(tell, str(one.command.pid).encode())
        time.sleep(60)
        os._exit(1)
    os.close(tell)
    pid = int(os.read(told, 20))
    os.close(told)
    assert alive(pid)
    os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)
    assert gone(pid)


# ------------------------------------------------------------------------ without it


def everything_came(one: Decoding, path: Path) -> bool:
    """All pictures, from the first on, at most the last few still in the decoder."""
    plain = StreamDecoder(one.reopened.append)
    count = sum(1 for packet in packets(path) for _ in plain.decode(packet))
    return len(one.found) == count > 0


def test_without_the_command_the_built_in_decoder_does_it(
    decoding: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is lost, and the log says what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    path = encode(BY_NAME["h264"], tmp_path, 2)
    one = decoding()
    with caplog.at_level(logging.WARNING):
        one.feed(packets(path), 0)
    assert everything_came(one, path)
    assert "camera hall: decoder ffmpeg: there is no ffmpeg command" in caplog.text
    assert "apt-get install ffmpeg" in ffmpeg.why_not("none")


@needs_ffmpeg
@pytest.mark.parametrize("hardware", ["vaapi", "qsv", "auto"])
def test_without_a_graphics_device_the_built_in_decoder_does_it(
    decoding: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hardware: ffmpeg.Hardware
) -> None:
    """The reason names the folder in which a device would be."""
    monkeypatch.setattr(ffmpeg, "DEVICES", tmp_path / "dri")
    path = encode(BY_NAME["h264"], tmp_path, 2)
    one = decoding(hardware)
    one.feed(packets(path, wrappers=len(ffmpeg.ways(hardware))), 0)
    assert everything_came(one, path)
    assert "no graphics device" in one.command.note
    assert ffmpeg.why_not("vaapi") == one.command.note


@needs_ffmpeg
@pytest.mark.parametrize("hardware", ["vaapi", "qsv", "auto"])
def test_a_device_that_decodes_nothing_costs_no_picture(
    decoding: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hardware: ffmpeg.Hardware
) -> None:
    """The command itself refuses a file that is no device; what it says is told, and the packets it
    was given are decoded again.
    """
    folder = tmp_path / "dri"
    folder.mkdir()
    (folder / "renderD128").write_bytes(b"")
    monkeypatch.setattr(ffmpeg, "DEVICES", folder)
    path = encode(BY_NAME["h264"], tmp_path, 8)
    one = decoding(hardware)
    one.feed(packets(path, wrappers=len(ffmpeg.ways(hardware))), 0.02)
    assert everything_came(one, path)
    assert one.command.note.startswith("ffmpeg says: ")
    assert len(one.command.note) < 250
    assert ffmpeg.why_not("vaapi").startswith("ffmpeg says: ")


@needs_ffmpeg
def test_a_device_that_may_not_be_opened_names_the_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The usual fault of a service user."""
    (tmp_path / "renderD128").write_bytes(b"")
    monkeypatch.setattr(ffmpeg, "DEVICES", tmp_path)
    monkeypatch.setattr(ffmpeg, "command", lambda: "ffmpeg")
    monkeypatch.setattr(os, "access", lambda *_: False)
    told = ffmpeg.why_not("vaapi")
    assert "renderD128 may not be opened" in told
    assert (tmp_path / "renderD128").group() in told


def test_a_silent_command_is_given_up_and_nothing_is_lost(
    decoding: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It swallows packets and gives no picture."""
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "ffmpeg"
    fake.write_text("#!/bin/sh\necho 'tired of it' >&2\ncat >/dev/null\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(by_command, "FIRST_WITHIN_S", 0.2)
    path = encode(BY_NAME["h264"], tmp_path, 4)
    one = decoding()
    one.feed(packets(path), 0.02)
    assert everything_came(one, path)
    assert one.command.note == "no picture came within 0.2 s"


# ------------------------------------------------------------------------ a camera


def test_the_file_says_who_decodes(tmp_path: Path) -> None:
    """A camera whose pictures come late does not sleep; the source is opened anew on a change."""
    plain = configured(place="hall", sleep_after="30s")
    by_command = configured(place="hall", sleep_after="30s", decoder="ffmpeg", hardware="vaapi")
    assert (plain.by_command, plain.sleep_after) == (None, 30.0)
    assert (by_command.by_command, by_command.sleep_after) == ("vaapi", None)
    assert plain.opened != by_command.opened
    assert configured(place="hall", decoder="ffmpeg").by_command == "auto"


@needs_ffmpeg
def test_a_live_camera_sees_through_the_command(tmp_path: Path) -> None:
    """Looks come at the camera's rate with growing times, and the snapshot is written."""
    path = encode(BY_NAME["h264"], tmp_path, 6)
    source, clock = VideoSource(str(path), "file", loop=True), SystemClock()
    spec = CameraSpec(id="hall", slot=0, place="hall", fps=10.0, source=source, by_command="none")
    feed = Feed("hall", source, clock, wrappers=1)
    pictures = Pictures(tmp_path / "run" / "hall.jpg", tmp_path / "media")
    looks: list[float] = []

    class Noted(CameraPipeline):
        """The real one, noting what it looked at."""

        def look(self, frame):  # type: ignore[no-untyped-def]
            looks.append(frame.time)
            return super().look(frame)

    camera = LiveCamera(spec, feed, pictures, clock, lambda size: Noted("hall", size, 10.0, GUESS))
    feed.start()
    try:
        until = time.monotonic() + 20
        while len(looks) < 25 and time.monotonic() < until:
            worked = camera.work()
            if worked.question is not None:
                camera.answer(worked.question, [])
            time.sleep(0.05)
        assert len(looks) >= 25, (feed.trouble, camera.fault)
        assert looks == sorted(looks)
        assert np.allclose(np.median(np.diff(looks)), 0.1, atol=0.03)
        assert (tmp_path / "run" / "hall.jpg").stat().st_size > 500
        assert camera.counters.faults == 0, camera.fault
        assert camera._stream.command is not None
        assert camera._stream.command.pid is not None
        assert camera._stream.command.note == ""
    finally:
        feed.stop()
        assert feed.join(30)
