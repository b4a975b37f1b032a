"""The driver `hi_vis`: what every detector promises, and what this one does."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from vestibule_hi_vis import vestibule_detectors

from hub import Crop, Detection
from hub.testing import DetectorContract, Trial

Picture = NDArray[np.uint8]
Box = tuple[int, int, int, int]
VEST = (40, 235, 205)  # blue, green, red of a fluorescent yellow vest in daylight
GRASS, ORANGE, SKY, SKIN, DARK = (45, 110, 70), (30, 110, 245), (235, 190, 140), (140, 170, 225), 40


def street(*vests: Box, colour: tuple[int, int, int] = VEST, noise: int = 12) -> Picture:
    """A car park of 640x360 with sky, grass, an orange cone and people whose trunks are `vests`."""
    picture = np.full((360, 640, 3), 105, np.uint8)
    picture[:90] = SKY
    picture[300:] = GRASS
    picture[250:290, 600:620] = ORANGE
    for x1, y1, x2, y2 in vests:
        height = y2 - y1
        head = picture[max(0, y1 - height // 2) : y1, (x1 * 3 + x2) // 4 : (x1 + x2 * 3) // 4]
        head[:] = SKIN
        picture[y2 : y2 + round(1.4 * height), x1:x2] = DARK
        picture[y1:y2, x1:x2] = colour
        picture[(y1 + y2) // 2 - 2 : (y1 + y2) // 2 + 2, x1:x2] = 200  # the band that reflects
    grain = np.random.default_rng(7).integers(-noise, noise + 1, picture.shape)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def crop_of(picture: Picture, box: Box | None = None) -> Crop:
    """A crop of a picture, the whole by default."""
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = box or (0, 0, width, height)
    nowhere = np.zeros((0, 4), np.int32)
    return Crop(picture[y1:y2, x1:x2], (x1, y1, x2, y2), (width, height), nowhere)


class TestHiVis(DetectorContract):
    """The promises of a detector."""

    driver = vestibule_detectors()[0]

    def seen(self, *crops: Crop, **settings: float) -> list[list[Detection]]:
        """What the detector finds in each crop."""
        found: list[list[Detection]] = []

        async def scenario(trial: Trial) -> None:
            detector = trial.build(**settings)
            found.extend(detector.infer(crops))
            detector.close()

        self.run(scenario)
        return found

    def test_each_vest_is_a_person(self) -> None:
        """Two vests are two people, whose boxes reach from above the head to below the knees."""
        ((one, other),) = self.seen(crop_of(street((100, 120, 140, 170), (400, 200, 424, 232))))
        for found, (x1, y1, x2, y2) in (
            (min(one, other, key=lambda each: each.box), (100, 120, 140, 170)),
            (max(one, other, key=lambda each: each.box), (400, 200, 424, 232)),
        ):
            height = y2 - y1
            assert found.label == "person"
            assert 0.45 < found.score <= 0.8
            assert found.box[0] <= x1 < x2 <= found.box[2]
            assert found.box[1] == pytest.approx(y1 - 0.6 * height, abs=8)
            assert found.box[3] == pytest.approx(y2 + 1.5 * height, abs=12)

    def test_a_street_without_a_vest_has_nobody(self) -> None:
        """Grass, an orange cone, sky and people in other clothes are not named."""
        plain = [street()]
        plain += [
            street((100, 120, 140, 170), colour=colour) for colour in (ORANGE, SKIN, (90, 90, 200))
        ]
        assert self.seen(*(crop_of(picture) for picture in plain)) == [[], [], [], []]

    def test_what_is_too_small_or_too_wide_is_nobody(self) -> None:
        """A vest of a few pixels and a long painted line are left out; a key moves the limit."""
        small, line = (200, 152, 208, 160), (50, 250, 250, 270)
        assert self.seen(crop_of(street(small)), crop_of(street(line))) == [[], []]
        assert len(self.seen(crop_of(street(small)), smallest=0.02)[0]) == 1

    def test_a_dim_vest_needs_a_lower_limit(self) -> None:
        """At dusk the colour is darker; `brightness` says how dark it may be."""
        dusk = crop_of(street((100, 120, 140, 170), colour=(20, 95, 80), noise=4))
        assert self.seen(dusk) == [[]]
        assert len(self.seen(dusk, brightness=70)[0]) == 1

    def test_a_crop_finds_the_same_person_as_the_whole(self) -> None:
        """Boxes are in pixels of the frame, and end where the crop ends."""
        picture = street((100, 120, 140, 170))
        whole, part = self.seen(crop_of(picture), crop_of(picture, (80, 100, 180, 200)))
        assert part[0].box[0] == pytest.approx(whole[0].box[0], abs=4)
        assert part[0].box[1:4:2] == (100, 200)

    def test_it_does_not_claim_to_guess_from_motion(self) -> None:
        """It looks at colours, needs the pixels, and names nothing but people."""
        info = self.driver.factory(self.driver.config(), None).info
        assert (info.needs_pixels, info.guessing, info.labels) == (True, False, ("person",))
