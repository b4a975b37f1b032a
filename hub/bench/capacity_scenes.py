"""What the cameras of a capacity run show: people who walk through drawn places, and when.

Each clip is coded as a camera's sub-stream is (H.264 main profile, no B frames, a key frame every
two seconds) and can be played in a circle. Everything is seeded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.bench import grounds
from hub.bench.figures import STEPS, person

WIDTH, HEIGHT, FPS, GOP = 640, 360, 15, 30
SECONDS = 60
NOISE = 1.5
VISIBLE = 1.0  # of a person's width: from then on the person counts as visible
PLACES = ("corridor", "yard", "gym")
TAKES = [(place, take) for take in (1, 2) for place in PLACES]  # what cameras show, in turn
TALL = {"corridor": (95, 125), "yard": (75, 105), "gym": (80, 110)}
LOOKS = {  # clothes that stand out there: this is about load, not about what a detector misses
    "corridor": (102, 103, 105, 106, 109, 111, 113, 118),
    "yard": (101, 103, 108, 114, 126),
    "gym": (102, 103, 105, 109, 114, 125, 126),
}
SCENES = {"quiet": 1, "ordinary": 4, "busy": 30}  # people who walk through in a minute
CODING = {"crf": "26", "maxrate": "900k", "bufsize": "1800k", "profile": "main"}
ENCODER = {"preset": "veryfast", "bf": "0", "sc_threshold": "0", "g": str(GOP), "threads": "1"}


@dataclass(frozen=True, slots=True)
class Walk:
    """Somebody crosses the picture: from when (s), how tall (pixels), at what pace (pixels a
    second, negative to the left), feet how low (pixels), and in which clothes.
    """

    start: float
    tall: int
    pace: float
    foot: int
    look: int

    @property
    def wide(self) -> int:
        """How wide the figure is drawn."""
        return max(3, round(self.tall * 0.46))

    @property
    def visible(self) -> float:
        """When (s) all of the person is inside the picture."""
        return self.start + VISIBLE * self.wide / abs(self.pace)

    def left(self, at: float) -> float:
        """The left edge of the figure (pixels) at `at` (s)."""
        way = self.pace * (at - self.start)
        return way - self.wide if self.pace > 0 else WIDTH + way

    def shows(self, at: float) -> bool:
        """Whether any of it is inside the picture."""
        return at >= self.start and -self.wide < self.left(at) < WIDTH


@dataclass(frozen=True, slots=True)
class Clip:
    """A minute of a place: its pictures as H.264 (each in the form of Annex B), and who walks."""

    name: str
    pictures: tuple[bytes, ...]
    walks: tuple[Walk, ...]


def clip(
    scene: str,
    place: str,
    take: int = 1,
    seconds: int = SECONDS,
    step: Callable[[], None] = lambda: None,
) -> Clip:
    """Draw and code a clip of one of SCENES at one of PLACES; other takes show other people.

    `step` is called once a second of the clip.
    """
    rng = np.random.default_rng([len(scene), PLACES.index(place), take])
    walks = tuple(_walks(rng, scene, place, seconds))
    pictures = tuple(_coded(_drawn(rng, place, walks, seconds * FPS, step)))
    return Clip(f"{scene}-{place}-{take}", pictures, walks)


def _walks(rng: np.random.Generator, scene: str, place: str, seconds: int) -> Iterator[Walk]:
    """Spread evenly, and done before the clip begins again."""
    many = max(1, round(SCENES[scene] * seconds / 60))
    low, high = TALL[place]
    for number in range(many):
        tall = int(rng.integers(low, high))
        pace = tall * rng.uniform(0.75, 1.05)
        lasts = (WIDTH + tall * 0.46) / pace
        share = (number + rng.uniform(0.2, 0.8)) / many
        start = 1.0 + share * max(0.5, seconds - 2.0 - lasts)
        foot = int(rng.uniform(0.72, 0.98) * HEIGHT)
        side = 1 if rng.random() < 0.5 else -1
        yield Walk(start, tall, side * pace, max(tall + 2, foot), int(rng.choice(LOOKS[place])))


def _drawn(
    rng: np.random.Generator,
    place: str,
    walks: tuple[Walk, ...],
    count: int,
    step: Callable[[], None],
) -> Iterator[NDArray[np.uint8]]:
    """Luma planes with a sensor's noise."""
    draw: Callable[..., NDArray[np.float32]] = getattr(grounds, place)
    ground = draw(rng, WIDTH, HEIGHT).astype(np.float32)
    grain = rng.normal(0, NOISE, (HEIGHT + 97, WIDTH + 89)).astype(np.float32)
    for number in range(count):
        at = number / FPS
        picture = ground.copy()
        for walk in sorted(walks, key=lambda each: each.foot):
            if walk.shows(at):
                _put(picture, walk, at)
        dy, dx = int(rng.integers(97)), int(rng.integers(89))
        picture += grain[dy : dy + HEIGHT, dx : dx + WIDTH]
        if number % FPS == 0:
            step()
        yield np.clip(picture, 0, 255).astype(np.uint8)


def _put(picture: NDArray[np.float32], walk: Walk, at: float) -> None:
    stride = int((at - walk.start) * abs(walk.pace) / walk.tall * 2 * STEPS) % STEPS
    figure = person(walk.tall, stride, walk.look)
    grey, alpha = figure
    if walk.pace < 0:
        grey, alpha = grey[:, ::-1], alpha[:, ::-1]
    x, y = round(walk.left(at)), walk.foot - walk.tall
    left, right = max(0, x), min(WIDTH, x + grey.shape[1])
    if left < right:
        under = picture[y : walk.foot, left:right]
        inside = slice(left - x, right - x)
        under += alpha[:, inside] * (grey[:, inside] - under)


def _coded(planes: Iterator[NDArray[np.uint8]]) -> Iterator[bytes]:
    """One access unit for each plane."""
    import av

    camera: Any = av.CodecContext.create("libx264", "w")
    camera.width, camera.height, camera.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    camera.time_base, camera.framerate = Fraction(1, FPS), FPS
    camera.options = CODING | ENCODER | {"rc-lookahead": "0", "tune": "zerolatency"}
    whole = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    for number, luma in enumerate(planes):
        whole[:HEIGHT] = luma
        frame = av.VideoFrame.from_ndarray(whole, format="yuv420p")
        frame.pts = number
        yield from (bytes(packet) for packet in camera.encode(frame))
    yield from (bytes(packet) for packet in camera.encode(None))
