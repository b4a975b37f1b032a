"""What a detector would find in a simulated scene: seeded defects on boxes that are known.

Misses, scores that sink where somebody is hidden, jitter, boxes of only what shows, suppression of
what overlaps a surer find, doubles, and finds where nobody is.
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.random import Generator

from hub.bench.tracks import HEIGHT, WIDTH, Box, Person, Walk
from hub.kinds.detectors import Detection
from hub.perception.boxes import overlap

_LEAST = 0.1  # a detector keeps no weaker find


@dataclass(frozen=True)
class Defects:
    """How bad a detector is. `missed` is the share of looks at a whole person that find nothing;
    `jitter` the error of a box's edge in heights; `doubles` and `false` are per person and look,
    and per look; `suppress` is the overlap from which only the surest find is left."""

    missed: float
    jitter: float
    doubles: float
    false: float
    score: float
    suppress: float = 0.5


GOOD = Defects(missed=0.1, jitter=0.02, doubles=0.02, false=0.03, score=0.82)
POOR = Defects(missed=0.3, jitter=0.04, doubles=0.05, false=0.1, score=0.66)


def found(walk: Walk, defects: Defects, seed: int) -> list[list[Detection]]:
    """The detections of every look."""
    rng = np.random.default_rng([seed, crc32(f"{walk.name} {defects.missed}".encode())])
    moods: dict[int, float] = {}  # what makes somebody hard to see lasts for some looks
    ghost = _somewhere(rng)
    looks = []
    for people in walk.people:
        finds: list[Detection] = []
        for person in people:
            mood = 0.7 * moods.get(person.who, 0.0) + rng.normal(0, 0.07)
            moods[person.who] = mood
            finds += _finds(rng, person, defects, defects.score + mood)
        finds = _suppressed(finds, defects.suppress)
        finds += [double for one in finds if (double := _double(rng, one, defects)) is not None]
        if rng.random() < defects.false:
            finds.append(Detection("person", float(rng.uniform(0.2, 0.65)), _somewhere(rng)))
        if rng.random() < defects.false:  # a coat on a stand, now and then taken for somebody
            score = float(rng.uniform(0.2, 0.5))
            finds.append(Detection("person", score, _shaken(rng, ghost, defects.jitter)))
        looks.append([finds[i] for i in rng.permutation(len(finds))])
    return looks


def _finds(rng: Generator, person: Person, defects: Defects, score: float) -> list[Detection]:
    hidden = 1 - person.shown
    score = score + float(rng.normal(0, 0.06)) - 0.55 * hidden**1.5
    seen = float(np.clip((person.shown - 0.12) / 0.4, 0, 1))
    if rng.random() > (1 - defects.missed) * seen or score < _LEAST:
        return []
    box = person.seen if hidden > 0.15 and rng.random() < 0.5 else person.box
    shaken = _shaken(rng, box, defects.jitter * (1 + 1.5 * hidden))
    return [Detection("person", round(min(score, 0.97), 3), shaken)]


def _shaken(rng: Generator, box: Box, jitter: float) -> Box:
    x1, y1, x2, y2 = box
    left, up, right, down = rng.normal(0, jitter * (y2 - y1), 4)
    x1, x2 = max(0.0, x1 + left), min(float(WIDTH), x2 + right)
    y1, y2 = max(0.0, y1 + up), min(float(HEIGHT), y2 + down)
    return x1, y1, max(x2, x1 + 3), max(y2, y1 + 3)


def _suppressed(finds: list[Detection], most: float) -> list[Detection]:
    kept: list[Detection] = []
    for one in sorted(finds, key=lambda find: -find.score):
        if not any(overlap(one.box, other.box) > most for other in kept):
            kept.append(one)
    return kept


def _double(rng: Generator, one: Detection, defects: Defects) -> Detection | None:
    """A second find of the same person: the upper body, or a shifted box."""
    if rng.random() >= defects.doubles:
        return None
    x1, y1, x2, y2 = one.box
    if rng.random() < 0.5:
        box = (x1, y1, x2, y1 + float(rng.uniform(0.4, 0.6)) * (y2 - y1))
    else:
        shift = float(rng.choice([-1, 1])) * 0.2 * (x2 - x1)
        box = (x1 + shift, y1 + 0.1 * (y2 - y1), x2 + shift, y2)
    score = one.score * float(rng.uniform(0.5, 0.9))
    return Detection(one.label, round(max(_LEAST, score), 3), box)


def _somewhere(rng: Generator) -> Box:
    tall = float(rng.uniform(50, 140))
    x, y = float(rng.uniform(40, WIDTH - 40)), float(rng.uniform(tall, HEIGHT))
    return x - 0.2 * tall, y - tall, x + 0.2 * tall, y
