"""The driver `sample`: what every detector promises, and what this one does."""

from __future__ import annotations

import numpy as np

from hub import Crop
from hub.scaffold.detectors import vestibule_detectors
from hub.testing import DetectorContract, Trial


class TestSample(DetectorContract):
    """The promises of a detector."""

    driver = vestibule_detectors()[0]
    config = {"smallest": 0.2}

    def test_only_what_is_large_is_a_person(self) -> None:
        """Of two moving regions the one that is a fifth of the picture's height is named."""

        async def scenario(trial: Trial) -> None:
            regions = np.array([[10, 10, 40, 58], [50, 50, 60, 60]], np.int32)
            picture = np.zeros((240, 320, 3), np.uint8)
            crop = Crop(picture, (0, 0, 320, 240), (320, 240), regions)
            detector = trial.build()
            found = detector.infer([crop])
            detector.close()
            assert [(each.label, each.box) for each in found[0]] == [("person", (10, 10, 40, 58))]

        self.run(scenario)
