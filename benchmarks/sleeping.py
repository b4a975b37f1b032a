"""What undecoded sleep saves on still scenes, and what it costs when somebody comes.

    python benchmarks/sleeping.py [--json] [--arrivals N] [--only NAME,...]

A still place is drawn, and again and again somebody comes in from the side. It is encoded as a
camera's sub-stream would be (H.264, 640x360, 15 frames a second, a key frame every 2 s, no
B-frames) and goes through the hub's own camera at 5 looks a second, once without sleep and once
with. `p95` and `worst` are seconds from the first frame in which the mover shows until a look that
triggers on it is done, by the clock: what comes late because packets were kept counts as late.
`seen` is the share of movers that any look triggered on, `first` the share of those whose looks of
the first second were all made, with their own times. `still_us` is CPU time a second of video
before the first arrival.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from hub.bench import grounds
from hub.bench.figures import STEPS, person
from hub.kinds.cameras import VideoSource
from hub.kinds.detectors import DetectorInfo
from hub.perception.feed import Packet, Session
from hub.perception.live import LiveCamera
from hub.perception.pictures import Pictures
from hub.perception.pipeline import CameraPipeline
from hub.perception.spec import CameraSpec
from hub.testing import FakeClock

WIDTH, HEIGHT, FPS, GOP, LOOKS = 640, 360, 15, 30, 5.0
SETTLE, EVERY, STAYS = 60.0, 22.0, 5.0  # seconds: still at first, between arrivals, in view
SLEEP_AFTER = 10.0
GUESS = DetectorInfo("guess", ("person",), (), "Apache-2.0", "", needs_pixels=False, guessing=True)


@dataclass(frozen=True)
class Place:
    """A ground, who comes, how noisy the sensor is, and how the encoder holds its rate."""

    ground: str = "corridor"
    height: int = 110
    contrast: float | None = None
    noise: float = 1.5
    coding: str = "capped"  # capped: constant quality below a ceiling; rate: a constant rate
    box: bool = False  # a plain box of 4x10 pixels, 70 grey levels off
    flicker: float = 0.0
    clock: bool = False  # a time display that changes every second
    seed: int = 1


PLACES = {
    "corridor": Place(),
    "yard": Place("yard", 60, seed=2),
    "gym": Place("gym", 80, seed=3),
    "car park": Place("car_park", 45, seed=4),
    "constant rate": Place("yard", 60, coding="rate", seed=5),
    "noise 5": Place("corridor", 90, noise=5.0, seed=6),
    "noise 5 at constant rate": Place("corridor", 90, noise=5.0, coding="rate", seed=7),
    "low contrast": Place("yard", 60, contrast=8.0, seed=8),
    "low contrast at constant rate": Place("yard", 60, contrast=8.0, coding="rate", seed=9),
    "small": Place("car_park", 24, seed=10),
    "small at constant rate": Place("car_park", 24, coding="rate", seed=11),
    "4x10 pixels": Place("yard", box=True, seed=12),
    "flicker": Place("corridor", 90, flicker=3.0, seed=13),
    "clock display": Place("corridor", 90, clock=True, seed=14),
}
CODING = {
    "capped": {"crf": "26", "maxrate": "900k", "bufsize": "1800k"},
    "rate": {"b": "600k", "maxrate": "600k", "minrate": "600k", "bufsize": "600k"},
}


@dataclass
class Mover:
    """Boxes x1, y1, x2, y2 by frame number."""

    first: int
    boxes: dict[int, tuple[int, int, int, int]]


def drawn(place: Place, arrivals: int) -> Iterator[tuple[NDArray[np.uint8], list[Mover]]]:
    """Every picture, and the movers so far."""
    rng = np.random.default_rng(place.seed)
    ground = getattr(grounds, place.ground)(rng, WIDTH, HEIGHT).astype(np.float32)
    grain = rng.normal(0, place.noise, (HEIGHT + 97, WIDTH + 89)).astype(np.float32)
    movers: list[Mover] = []
    walks = []
    for number in range(arrivals):
        start = round((SETTLE + number * EVERY + rng.uniform(0, 4)) * FPS)
        height = round(place.height * rng.uniform(0.85, 1.15))
        rightwards = rng.random() < 0.5
        foot = rng.uniform(0.55, 0.95) * HEIGHT
        walks.append((start, height, rightwards, foot, rng.uniform(0.7, 1.3) * height, number))
    for frame in range(round((SETTLE + arrivals * EVERY) * FPS)):
        dy, dx = int(rng.integers(97)), int(rng.integers(89))
        clean = ground.copy()
        if place.flicker:
            clean += place.flicker * np.sin(2 * np.pi * frame * 3.3 / FPS)
        if place.clock:
            digits = np.random.default_rng(frame // FPS).integers(0, 2, (10, 8)) * 200
            clean[10:30, 10:26] = np.kron(digits, np.ones((2, 2)))
        for start, height, rightwards, foot, pace, look in walks:
            passed = (frame - start) / FPS
            if not 0 <= passed < STAYS:
                continue
            if not movers or movers[-1].first < start:
                movers.append(Mover(start, {}))
            box = _put(clean, place, (height, rightwards, foot, pace * passed, look), ground)
            if box is not None:
                movers[-1].boxes[frame] = box
        noisy = clean + grain[dy : dy + HEIGHT, dx : dx + WIDTH]
        yield np.clip(noisy, 0, 255).astype(np.uint8), movers


def _put(
    clean: NDArray[np.float32],
    place: Place,
    walk: tuple[int, bool, float, float, int],
    ground: NDArray[np.float32],
) -> tuple[int, int, int, int] | None:
    height, rightwards, foot, way, look = walk
    if place.box:
        grey, alpha = np.zeros((10, 4), np.float32), np.ones((10, 4), np.float32)
        way *= 0.5
    else:
        sprite = person(height, int(way / height * 2 * STEPS) % STEPS, look)
        grey, alpha = sprite
    tall, wide = grey.shape
    x = round(way - wide) if rightwards else round(WIDTH - way)
    y = round(foot - tall)
    left, right = max(0, x), min(WIDTH, x + wide)
    if right - left < wide / 2 or y < 0:
        return None
    under = clean[y : y + tall, left:right]
    base = ground[y : y + tall, left:right]
    inside = slice(left - x, right - x)
    shown = grey[:, inside]
    if place.box:
        shown = np.where(base.mean() > 128, base - 70, base + 70)
    if place.contrast is not None:
        shown = base + np.clip(shown - base, -place.contrast, place.contrast)
    under += alpha[:, inside] * (shown - base)
    return left, y, right, y + tall


def encoded(place: Place, arrivals: int) -> tuple[list[Any], bytes, list[Mover]]:
    """Packets, the decoder's parameters, and who moved."""
    file = io.BytesIO()
    movers: list[Mover] = []
    with av.open(file, "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = CODING[place.coding] | {
            **{"profile": "main", "preset": "veryfast", "bf": "0", "sc_threshold": "0"},
            **{"g": str(GOP), "threads": "1", "rc-lookahead": "0", "tune": "zerolatency"},
        }
        planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
        for luma, so_far in drawn(place, arrivals):
            planes[:HEIGHT], movers = luma, so_far
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        container.mux(stream.encode())
    file.seek(0)
    reading: Any = av.open(file)
    with reading as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        return packets, bytes(container.streams.video[0].codec_context.extradata), movers


class _Clock(FakeClock):
    def to(self, moment: float) -> None:
        self._elapsed = moment


def played(packets: list[Any], extradata: bytes, sleep: float | None) -> tuple[Any, float, float]:
    """Looks as (frame, done at, triggered, regions), CPU seconds while still, share decoded."""
    clock, looks = _Clock(), []
    folder = Path(tempfile.mkdtemp())
    source = VideoSource("rtsp://192.0.2.1/x", "tcp")
    spec = CameraSpec(
        id="a", slot=0, place="a", fps=LOOKS, source=source, sleep_after=sleep, important=False
    )

    class Noted(CameraPipeline):
        def look(self, frame):  # type: ignore[no-untyped-def]
            look = super().look(frame)
            gate = look.gate
            looks.append((round(frame.time * FPS), clock.monotonic(), gate.triggered, gate.regions))
            return look

    from hub.perception.feed import Feed

    feed = Feed("a", source, clock)
    camera = LiveCamera(
        spec,
        feed,
        Pictures(folder / "a.jpg", folder / "media"),
        clock,
        lambda size: Noted("a", size, LOOKS, GUESS),
    )
    decoder = av.CodecContext.create("h264", "r")
    decoder.extradata, decoder.thread_count = extradata, 1
    session, still = Session(1, decoder), 0.0
    for number, data in enumerate(packets):
        at = number / FPS
        clock.to(at)
        feed.queue.put(
            Packet(
                session,
                data,
                at,
                at - float(data.pts * data.time_base),
                data.size,
                data.is_keyframe,
            )
        )
        if number % 3 == 2:
            began = time.thread_time()
            worked = camera.work()
            if worked.question is not None:
                camera.answer(worked.question, [])
            if 25 <= at < SETTLE:
                still += time.thread_time() - began
    return looks, still / (SETTLE - 25), camera.counters.decoded / len(packets)


def judged(looks: Any, movers: list[Mover]) -> dict[str, float]:
    """Seconds to the first look that triggers on each mover, and how many it misses."""
    late, complete = [], 0
    for mover in movers:
        shown = min(mover.boxes)
        for frame, done, triggered, regions in looks:
            box = mover.boxes.get(frame)
            if triggered and box is not None and _touches(box, regions):
                late.append(done - shown / FPS)
                break
        first = [frame for frame, *_ in looks if shown <= frame < shown + FPS]
        complete += len(first) >= LOOKS - 1
    seen = len(late)
    return {
        "seen": round(seen / len(movers), 3),
        "first": round(complete / len(movers), 3),
        "p50": round(float(np.percentile(late, 50)), 2) if late else -1,
        "p95": round(float(np.percentile(late, 95)), 2) if late else -1,
        "worst": round(max(late), 2) if late else -1,
    }


def _touches(box: tuple[int, int, int, int], regions: NDArray[np.int32]) -> bool:
    x1, y1, x2, y2 = box
    return any(r[0] < x2 and r[2] > x1 and r[1] < y2 and r[3] > y1 for r in regions)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="one object on stdout")
    parser.add_argument("--arrivals", type=int, default=20)
    parser.add_argument("--only", default=",".join(PLACES))
    options = parser.parse_args()
    found: dict[str, Any] = {}
    for name in options.only.split(","):
        place = replace(PLACES[name])
        packets, extradata, movers = encoded(place, options.arrivals)
        figures = found[name] = {}
        for way, sleep in (("awake", None), ("asleep", SLEEP_AFTER)):
            looks, still, decoded = played(packets, extradata, sleep)
            figures[way] = judged(looks, movers)
            figures[way] |= {"still_us": round(still * 1e6), "decoded": round(decoded, 3)}
            if not options.json:
                print(
                    f"{name:<28}{way:<8}" + "".join(f"{k} {v:<8}" for k, v in figures[way].items()),
                    flush=True,
                )
    if options.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
