"""The person detector that ships: what it says of drawn places, and of shadows that lie on them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from hub.bench import grounds
from hub.bench.figures import person
from hub.bench.inference import detector
from hub.kinds.detectors import Crop, Detection, Detector
from hub.models import SHIPPED
from hub.perception.motion import NOWHERE

SIDE, SURE = 256, 0.3
PLACES = (grounds.yard, grounds.square, grounds.car_park)
Picture = NDArray[np.float32]


@pytest.fixture(scope="module")
def people() -> Iterator[Detector]:
    made = detector(str(SHIPPED / "people.onnx"))
    yield made
    made.close()


def found(people: Detector, picture: Picture) -> list[Detection]:
    luma = np.clip(picture, 0, 255).astype(np.uint8)
    (answer,) = people.infer([Crop(luma, (0, 0, SIDE, SIDE), (SIDE, SIDE), NOWHERE, SIDE)])
    return [one for one in answer if one.score >= SURE]


def under_leaves(ground: Picture, rng: np.random.Generator, wide: int) -> Picture:
    """Dark blotches of two sizes lie over the ground."""
    light = np.ones_like(ground)
    for size in (wide, wide // 2):
        light -= 0.3 * (grounds.blotches(rng, *ground.shape[::-1], size) > 0.1)
    return ground * light


def parts(shaded: bool) -> Iterator[Picture]:
    """Parts of each place as the gate would cut them out, from six seeds."""
    for seed in range(6):
        rng = np.random.default_rng(seed)
        for draw in PLACES:
            ground = draw(rng, 640, 360)
            for wide in (22, 40):
                picture = under_leaves(ground, rng, wide) if shaded else ground
                y, x = int(rng.integers(0, 360 - SIDE)), int(rng.integers(0, 640 - SIDE))
                yield picture[y : y + SIDE, x : x + SIDE]


def with_somebody(part: Picture, look: int) -> tuple[Picture, float]:
    """Somebody drawn into it, and where their middle is (x)."""
    figure = person(100 + look % 100, 3, look)
    tall, wide = figure.grey.shape
    picture = part.copy()
    under = picture[40 : 40 + tall, 80 : 80 + wide]
    under += figure.alpha * (figure.grey - under)
    return picture, 80 + wide / 2


def test_dark_shadows_of_leaves_are_nobody(people: Detector) -> None:
    """At most one in twenty pictures of blotched ground has a find, moving or not."""
    assert sum(bool(found(people, part)) for part in parts(shaded=True)) <= 1


def test_somebody_is_found_where_no_shadows_are(people: Detector) -> None:
    """On the same grounds in plain light, at their place; nobody is made up there either."""
    plain = list(parts(shaded=False))
    seen = 0
    for look, part in enumerate(plain):
        assert not found(people, part)
        picture, middle = with_somebody(part, look)
        seen += any(
            abs((one.box[0] + one.box[2]) / 2 - middle) < 25 for one in found(people, picture)
        )
    assert seen >= 0.8 * len(plain)


def test_somebody_under_leaves_is_found_in_every_other_look(people: Detector) -> None:
    """What shadows hide in one picture shows in the next: half of the looks are enough."""
    shown = [with_somebody(part, look) for look, part in enumerate(parts(shaded=True))]
    seen = [
        any(abs((one.box[0] + one.box[2]) / 2 - middle) < 25 for one in found(people, picture))
        for picture, middle in shown
    ]
    assert sum(seen) >= len(seen) / 2
