"""Streams of key frames only: what nobody looks at stays undecoded, and nothing else does."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import av
import numpy as np
import pytest
from streams import CODINGS, demuxed, encode
from test_sleeping import SESSION, Camera, Stamped, packet

from hub.perception.feed import Packet, Session
from hub.perception.intra import SURE_AFTER, KeyFramesOnly

MJPEG = next(coding for coding in CODINGS if coding.name == "mjpeg")


def key(number: int, **changes: Any) -> Packet:
    """Packet `number` of a stream of key frames."""
    return packet(number, group=1, **changes)


def sure(until: int = SURE_AFTER) -> KeyFramesOnly:
    """What has seen so many key frames."""
    stream = KeyFramesOnly()
    for number in range(until):
        assert stream.admit(key(number), due=False), "not sure yet"
    return stream


def test_what_is_not_due_is_left_out_once_it_is_sure() -> None:
    """Of three pictures one is due: the others cost nothing."""
    stream = sure()
    came = [len(stream.admit(key(n), due=n % 3 == 0)) for n in range(60, 90)]
    assert came == [1, 0, 0] * 10
    assert stream.skipped == 19, "the last one might still be needed"


def test_a_stream_with_groups_is_decoded_whole() -> None:
    """Whatever is due: each picture needs the one before."""
    stream = KeyFramesOnly()
    assert all(len(stream.admit(packet(n), due=False)) == 1 for n in range(200))
    assert stream.skipped == 0


def test_one_that_needs_the_last_one_brings_it_back() -> None:
    """A camera that begins to send groups loses nothing: key frame first, then what follows."""
    stream = sure()
    assert stream.admit(key(50), due=False) == ()
    follows = packet(51, key=False)
    assert [each.time for each in stream.admit(follows, due=False)] == [5.0, 5.1]
    assert stream.admit(key(52), due=False), "it is not sure any more"


def test_reordered_pictures_and_a_new_opening_are_decoded() -> None:
    """Where times do not tell which picture comes out, or nothing is known yet."""
    stream = sure()
    assert stream.admit(key(50, data=Stamped(pts=2)), due=False)
    stream = sure()
    assert stream.admit(key(50, session=Session(2, None)), due=False)
    assert stream.admit(key(51, session=SESSION), due=False)


def test_whatever_comes_every_group_is_whole_and_in_order() -> None:
    """At random: what is decoded never goes back, and nothing between two key frames is missing."""
    random, stream = Random(5), KeyFramesOnly()
    last, calm = -1, 0
    decoded: set[int] = set()
    for number in range(20_000):
        calm = calm - 1 if calm else (random.choice((0, 0, 80)) if random.random() < 0.1 else 0)
        one = key(number, key=bool(calm) or random.random() < 0.4, base=float(number))
        came = stream.admit(one, due=random.random() < 0.3)
        for each in came:
            assert each.base > last
            last = int(each.base)
            decoded.add(last)
        if not one.key:
            assert {number, max(0, number - 1)} <= decoded
    assert stream.skipped > 500


# ------------------------------------------------------------------------ a camera


def play(camera: Camera, pictures: list[Any], decoder: Any, fps: int = 25) -> None:
    """Packets through a live camera, one after the other."""
    session = Session(1, decoder)
    for number, data in enumerate(pictures):
        camera.clock.to(number / fps)
        base = number / fps - float(data.pts * data.time_base)
        key = bool(data.is_keyframe)
        camera.feed.queue.put(Packet(session, data, number / fps, base, int(data.size), key))
        camera.step()


class Eager(Camera):
    """A camera that decodes everything."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        super().__init__(folder, **changes)
        self.live._intra.admit = lambda packet, due: (packet,)  # type: ignore[method-assign]


def test_looks_and_snapshots_are_the_same_for_a_fifth_of_the_decoding(tmp_path: Path) -> None:
    """Motion JPEG at 25 a second, looked at 5 times: every look at its own time, and no damage."""
    pictures, decoder = demuxed(encode(MJPEG, tmp_path, 25))
    lazy, eager = Camera(tmp_path / "a"), Eager(tmp_path / "b")
    play(lazy, pictures, decoder())
    play(eager, pictures, decoder())
    assert eager.live.counters.decoded == len(pictures) == 200
    expected = SURE_AFTER + (200 - SURE_AFTER) / 5
    assert lazy.live.counters.decoded == pytest.approx(expected, abs=2)
    assert [look[0] for look in lazy.looks] == [look[0] for look in eager.looks]
    assert [each.time for each in lazy.live.pictures._recent] == [
        each.time for each in eager.live.pictures._recent
    ]
    assert (lazy.live.counters.damaged, lazy.live.counters.faults) == (0, 0)
    assert lazy.told == eager.told
    assert (tmp_path / "a" / "hall.jpg").read_bytes() == (tmp_path / "b" / "hall.jpg").read_bytes()


def test_a_camera_whose_pictures_are_left_out_is_not_away(tmp_path: Path) -> None:
    """Looked at once in ten seconds, it sends all the same."""
    pictures, decoder = demuxed(encode(MJPEG, tmp_path, 20))
    camera = Camera(tmp_path, fps=0.1)
    play(camera, pictures, decoder())
    assert camera.live.counters.decoded < 40
    assert camera.live.picture_at == camera.clock.monotonic()


def test_intra_only_h264_that_begins_to_send_groups_shows_no_broken_picture(
    tmp_path: Path,
) -> None:
    """The first picture that needs another finds it decoded."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 160, 96, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "g": "250"}
    rng = np.random.default_rng(1)
    ground = np.kron(rng.integers(40, 200, (12, 20)), np.ones((8, 8))).astype(np.uint8)
    pictures = []
    for number in range(100):
        plane = ground.copy()
        plane[30:60, number : number + 20] = 230
        frame = av.VideoFrame.from_ndarray(plane, format="gray").reformat(format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, 25)
        frame.pict_type = av.video.frame.PictureType.I if number < 61 else 0
        pictures += encoder.encode(frame)
    assert [each.is_keyframe for each in pictures] == [number < 61 for number in range(100)]
    decoder = av.CodecContext.create("h264", "r")
    camera = Camera(tmp_path)
    play(camera, pictures, decoder)
    assert 61 - 40 < camera.live.counters.decoded < 100
    assert (camera.live.counters.damaged, camera.live.counters.faults) == (0, 0)
    assert camera.looks[-1][0] > 3.7
