"""A camera that shows again what it has shown before: told once it has been seen to see noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from tamper_scenes import Watcher

from hub.perception.motion import MotionGate
from hub.perception.repeats import RECENT_SECONDS, REMEMBERED, TRUSTED_SECONDS, Repeats

FPS = 5
SIZE = (320, 180)


class Camera:
    """Pictures of one camera, as bytes, and when it was first said that they repeat."""

    def __init__(self, seed: int = 1) -> None:
        self.rng = np.random.default_rng(seed)
        self.repeats = Repeats()
        self.now = 0.0

    def new(self) -> bytes:
        """A picture with noise of its own."""
        return self.rng.bytes(64)

    def shows(self, seconds: float, picture: Callable[[int], bytes], fps: float = FPS) -> float:
        """Show what `picture(number)` gives; after how many seconds it is found, or never."""
        begun, found = self.now, float("inf")
        for number in range(round(seconds * fps)):
            self.now += 1 / fps
            self.repeats.see(picture(number), self.now)
            if self.repeats.found:
                found = min(found, self.now - begun)
        return found

    def trusted(self) -> Camera:
        """After an hour of pictures that were all new."""
        assert self.shows(TRUSTED_SECONDS + 900, lambda _: self.new()) == float("inf")
        return self


@pytest.fixture
def camera() -> Camera:
    """A camera that has long been seen to see noise."""
    return Camera().trusted()


def minute(camera: Camera, seconds: int = 60) -> list[bytes]:
    """So much of it, as somebody would record it."""
    taken = [camera.new() for _ in range(FPS * seconds)]
    assert camera.shows(seconds, lambda number: taken[number]) == float("inf")
    return taken


def test_the_same_minute_again_is_found_within_half_a_minute(camera: Camera) -> None:
    """From the first picture that comes again on; over once its pictures have long been new."""
    taken = minute(camera)
    begun = camera.now
    assert camera.shows(600, lambda n: taken[n % len(taken)]) < 40
    assert begun <= camera.repeats.since < begun + 10
    assert camera.repeats.found
    camera.shows(RECENT_SECONDS + 30, lambda _: camera.new())
    assert not camera.repeats.found


def test_pictures_that_are_lost_on_the_way_hide_nothing(camera: Camera) -> None:
    """A third of the pictures is dropped, others each time: the rest is known again."""
    taken = minute(camera)

    def some(number: int) -> bytes:
        return taken[number % len(taken)] if camera.rng.random() > 1 / 3 else camera.new()

    assert camera.shows(300, some) < 60


def test_what_repeats_itself_from_the_start_is_a_drawing_or_a_file() -> None:
    """Nothing is said of it, however long it goes on."""
    camera = Camera()
    for seconds in (30, 600):
        film = [camera.new() for _ in range(FPS * seconds)]
        assert camera.shows(4 * TRUSTED_SECONDS, lambda n, f=film: f[n % len(f)]) == float("inf")


def test_a_picture_at_rest_repeats_nothing(camera: Camera) -> None:
    """One picture for an hour, two by turns, or a few of a fan in a still room: no recording."""
    for few in (1, 2, 40):
        still = [camera.new() for _ in range(few)]
        assert camera.shows(900, lambda n, s=still: s[n % len(s)]) == float("inf"), few


def test_what_is_remembered_is_bounded(camera: Camera) -> None:
    """A day leaves no more behind than a quarter of an hour."""
    camera.shows(8000, lambda _: camera.new())
    assert len(camera.repeats._seen) == REMEMBERED
    assert not camera.repeats._again


def gated(material: Path) -> Iterator[np.ndarray]:
    """The cell means of real pictures, as the gate makes them."""
    gate: MotionGate | None = None
    with av.open(str(material / "clips/entry_one_by_one.mp4")) as clip:
        for number, frame in enumerate(islice(clip.decode(video=0), 300)):
            luma = np.ascontiguousarray(frame.to_ndarray(format="gray"))
            gate = gate or MotionGate(luma.shape[1], luma.shape[0], 10)
            gate.update(luma, number / 10)
            yield gate.means()


def test_real_pictures_never_come_again_by_themselves(material: Path) -> None:
    """Of the pictures of an entrance none is like another, and nor are they in another light;
    played again as they were, they are found.
    """
    pictures = list(gated(material))
    camera = Camera()
    for light in range(20):
        others = camera.shows(150, lambda n, up=light: (pictures[n] + 0.01 * up).tobytes(), 2)
        assert others == float("inf")
    assert camera.shows(140, lambda n: (pictures[n] + 0.19).tobytes(), 2) < 90


def test_the_watch_tells_it_once_with_since_and_reason() -> None:
    """On the gate's own grid: `repeating` begins with when it began, and ends."""
    rng, watcher = np.random.default_rng(3), Watcher(size=SIZE)

    def noise(_: float) -> np.ndarray:
        return rng.integers(90, 160, SIZE[::-1], dtype=np.uint8)

    watcher.show(TRUSTED_SECONDS + 300, noise, 2)
    taken = [noise(0) for _ in range(240)]
    watcher.show(120, lambda at: taken[round(at * 2)], 2)
    begun = watcher.time
    watcher.show(240, lambda at: taken[round(at * 2) % 240], 2)
    watcher.show(RECENT_SECONDS + 60, noise, 2)
    told = [change for _, change in watcher.told if change.kind == "repeating"]
    assert [change.began for change in told] == [True, False]
    assert begun <= told[0].since < begun + 30
    assert "shown before" in told[0].words
    assert told[1].words == "its pictures are new again"
