"""How long nothing may move until the whole picture is looked at: from the file to the gate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_pipeline import INFO, SIZE, frame_at
from test_sleeping import configured

from hub.check import check
from hub.perception.pipeline import SCAN_SECONDS, CameraPipeline
from hub.plugins import load_registry

FILE = """
hub: {{name: A, timezone: UTC}}
places: {{hall: {{name: Hall, kind: room}}}}
cameras:
  cam: {{driver: rtsp, url: "rtsp://192.0.2.1/a", place: hall, look_every: {0}}}
"""


def scans(seconds: float, **given: float) -> list[float]:
    """When a still scene is looked at as a whole; pixels vary a little, as a sensor's do."""
    pipeline = CameraPipeline("hall", SIZE, 10, INFO, **given)  # type: ignore[arg-type]
    found = []
    for number in range(round(seconds * 5)):
        look = pipeline.look(frame_at(number / 5, None))
        if look.gate.reason == "scan":
            found.append(look.time)
            assert look.gate.regions.tolist() == [[0, 0, *SIZE]]
            assert look.crops, "a detector is asked"
        pipeline.settle(frame_at(number / 5, None), look, [] if look.crops else None)
    return found


def test_a_whole_look_that_nobody_answers_is_asked_for_again() -> None:
    """On a busy machine newer questions take its place: who stands still must be seen anyhow."""
    pipeline = CameraPipeline("hall", SIZE, 10, INFO, scan_seconds=20.0)
    asked = []
    for number in range(250):
        look = pipeline.look(frame_at(number / 5, None))
        answered = not 20.0 <= look.time < 25.0
        if look.crops and look.time >= 20.0:
            asked.append(look.time)
        pipeline.settle(frame_at(number / 5, None), look, [] if look.crops and answered else None)
    assert len(asked) >= 6
    assert np.all(np.diff(asked[:5]) <= 1.3)
    assert np.diff(asked)[-1] > 10.0, "once it is answered it rests"


@pytest.mark.parametrize("every", [3.0, 7.0])
def test_a_still_scene_is_looked_at_so_often(every: float) -> None:
    """Apart from the first look, all are as far apart as was asked for."""
    found = scans(30, scan_seconds=every)
    assert len(found) >= 30 // every
    assert np.allclose(np.diff(found), every, atol=0.21)


def test_without_a_word_it_is_ten_seconds_and_off_is_never() -> None:
    """The default of the file is that of the gate."""
    assert np.allclose(np.diff(scans(45)), SCAN_SECONDS, atol=0.21)
    assert scans(45, scan_seconds=0.0) == [0.0]


def test_the_file_says_it() -> None:
    """`off` is a word of the file; inside it is nought."""
    assert configured(place="hall").look_every == SCAN_SECONDS
    assert configured(place="hall", look_every="30s").look_every == 30.0
    assert configured(place="hall", look_every="off").look_every == 0.0


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("0s", "found '0s'; expected 1s or more or off"),
        ("2h", "found '2h'; expected 1h or less or off"),
        ("never", "found 'never'; expected a length of time such as 30s or 5m or off"),
        ("false", "found false; expected a length of time such as 30s or 5m or off"),
        ("off", ""),
        ("45s", ""),
    ],
)
def test_what_does_not_fit_is_told(tmp_path: Path, written: str, said: str) -> None:
    """In the words of the other lengths of time."""
    file = tmp_path / "school.yaml"
    file.write_text(FILE.format(written), encoding="utf-8")
    problems = [str(problem) for problem in check(file, load_registry())]
    assert problems == ([f"{file}:5:75: cameras.cam.look_every: {said}"] if said else [])
