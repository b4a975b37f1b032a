"""What `benchmarks/people.py` counts: people found, missed and made up, by truth and by place."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hub.bench.people import (
    Found,
    Judged,
    Model,
    ScenePlace,
    Truth,
    grey_frame,
    judged,
    lines,
    milliseconds,
    models,
    places,
    with_sums,
)
from hub.bench.people_worst import Worst
from hub.bench.scenes import drawn
from hub.errors import CannotCheck
from hub.kinds.detectors import Crop, Detection, DetectorInfo
from hub.perception.boxes import Box
from hub.perception.frames import Frame
from tests.clips import encoded
from tests.plugins.detectors.graphs import answering, saved, ship

ROOT = Path(__file__).parents[3]
PERSON: Box = (100.0, 50.0, 140.0, 150.0)


def one(
    people: Sequence[Box], claims: Sequence[Box], ignore: Sequence[Box] = (), index: int = 0
) -> Judged:
    frame = grey_frame(np.full((360, 640), 90, np.uint8), index / 5, index)
    return Judged("hall", frame, list(people), list(ignore), list(claims))


# ------------------------------------------------------------------ what is counted


def test_a_find_is_right_wrong_or_on_what_counts_neither_way() -> None:
    """Recall and precision at half an overlap; a claim on a doubtful box is left out."""
    found = Found()
    found.add(one([PERSON], [(102.0, 52.0, 141.0, 150.0)]))
    found.add(one([PERSON], [(400.0, 50.0, 440.0, 150.0)]))
    found.add(one([PERSON], [PERSON, (300.0, 50.0, 330.0, 90.0)], [(298.0, 48.0, 332.0, 92.0)]))
    told = found.as_dict()
    assert (told["recall"], told["precision"]) == (pytest.approx(2 / 3, abs=1e-4),) * 2
    assert (found.people, found.found, found.claims) == (3, 2, 3)


def test_whether_anybody_is_there_is_only_judged_where_it_is_known() -> None:
    """A frame with nothing but doubts tells nothing; a claim in an empty one is a false person."""
    found = Found()
    found.add(one([], []))
    found.add(one([], [PERSON]))
    found.add(one([PERSON], []))
    found.add(one([], [PERSON], [PERSON]))
    assert (found.told, found.present) == (3, 1)
    assert (found.empty, found.false) == (2, 1)
    assert found.as_dict()["recall"] == 0.0
    assert found.as_dict()["false_share"] == 0.5
    assert Found().as_dict()["recall"] is None


def test_sums_are_made_by_group_and_the_table_shows_all() -> None:
    """Places of a group are one row together; models stand beside one another."""
    a, b, c = Found(people=10, found=5), Found(people=10, found=10), Found(empty=4, false=1)
    rows = with_sums({"a": a, "b": b, "c": c}, {"a": "clips", "b": "clips", "c": "scenes"})
    assert list(rows) == ["a", "b", "c", "all clips"]
    assert rows["all clips"].as_dict()["recall"] == 0.75
    text = "\n".join(lines({"ours": rows, "theirs": rows}))
    assert text.count("75.0") == 2
    assert "25.0" in text


# ------------------------------------------------------------------ drawn scenes


class Blind:
    """Finds nobody."""

    info = DetectorInfo("blind", ("person",), (192, 256), "Apache-2.0", "", luma=True)

    def infer(self, crops: Sequence[Crop]) -> list[list[Detection]]:
        return [[] for _ in crops]

    def close(self) -> None:
        """Nothing is held."""


class Knowing(Blind):
    """Finds exactly who is there; it is told who before each frame."""

    def __init__(self) -> None:
        self.people: list[Box] = []

    def infer(self, crops: Sequence[Crop]) -> list[list[Detection]]:
        return [
            [Detection("person", 0.9, box) for box in self.people if _inside(box, crop.box)]
            for crop in crops
        ]


def _inside(box: Box, crop: tuple[int, int, int, int]) -> bool:
    middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return crop[0] <= middle[0] <= crop[2] and crop[1] <= middle[1] <= crop[3]


@pytest.fixture(scope="module")
def corridor() -> ScenePlace:
    scene = next(scene for scene in drawn() if scene.name == "corridor")
    return ScenePlace(scene, "clean", people=True)


def test_who_finds_everybody_is_told_so_and_who_finds_nobody_too(corridor: ScenePlace) -> None:
    """Through the whole pipeline: near 1 for a detector that knows, 0 for one that sees nothing."""
    knowing, found = Knowing(), Found()

    class Telling(ScenePlace):
        def __init__(self) -> None:
            self.name, self.group = corridor.name, corridor.group
            self.size, self.fps = corridor.size, corridor.fps

        def frames(self) -> Iterator[tuple[Frame, Truth | None]]:
            for frame, truth in islice(corridor.frames(), 90, 230):
                knowing.people = truth[0] if truth is not None else []
                yield frame, truth

    assert len(list(judged(Telling(), knowing, found))) == found.frames
    told = found.as_dict()
    assert found.people > 60
    assert told["recall"] > 0.85
    assert told["precision"] > 0.95
    nothing = Found()
    assert all(not frame.claims for frame in judged(Telling(), Blind(), nothing))
    assert (nothing.found, nothing.people) == (0, found.people)


def test_people_who_hardly_show_count_neither_way() -> None:
    """Whoever is hidden, cut off or too small is among the doubts, never in the truth as well."""
    scene = next(scene for scene in drawn() if scene.name == "gym")
    doubts = 0
    for i in range(0, scene.count, 10):
        people = {seen.box for seen in scene.truth(i) or ()}
        assert not people & set(scene.doubts(i))
        doubts += len(scene.doubts(i))
    assert doubts


def test_a_grey_frame_keeps_its_levels() -> None:
    """From 0 to 255, as luma and as colour."""
    ramp = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
    frame = grey_frame(ramp, 0.0, 0)
    assert np.array_equal(frame.luma_crop((0, 0, 256, 64)), ramp)
    assert np.array_equal(frame.crop((0, 0, 256, 64))[:, :, 1], ramp)


def test_what_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown scene, nothing to look at, no model."""
    monkeypatch.delenv("VESTIBULE_MATERIAL", raising=False)
    monkeypatch.setattr("hub.models.SHIPPED", tmp_path)
    with pytest.raises(CannotCheck, match="no scene 'moon'; there are yard, "):
        list(places([], ["moon"], ["clean"], None))
    with pytest.raises(CannotCheck, match="nothing to look at"):
        list(places([], [], ["clean"], None))
    with pytest.raises(CannotCheck, match="the built-in model people is missing"):
        models([])


def test_a_model_is_timed_at_each_of_its_sizes(tmp_path: Path) -> None:
    """Milliseconds by side, and the bytes of the file."""
    path = ship(tmp_path)
    (model,) = models([str(path)])
    assert (model.name, model.bytes) == ("people", path.stat().st_size)
    times = milliseconds([model, Model("same", model.detector, 0)], rounds=2)
    model.detector.close()
    assert list(times) == ["people", "same"]
    assert list(times["people"]) == [192, 256]
    assert all(spent > 0 for spent in times["people"].values())


# ------------------------------------------------------------------ pictures


def test_the_worst_frames_are_kept_one_of_each_moment(tmp_path: Path) -> None:
    """Worst first, the boxes drawn; neighbours of a moment and faultless frames are left out."""
    worst = Worst(shown=3)
    far = [(300.0 + 50 * n, 50.0, 330.0 + 50 * n, 150.0) for n in range(4)]
    worst.add(one([PERSON], [PERSON], index=1))
    worst.add(one([PERSON], [], index=10))
    worst.add(one([PERSON], far[:2], index=12))
    worst.add(one([PERSON], far[:1], index=14))
    assert worst.save(tmp_path / "first") == 1
    assert [path.name for path in (tmp_path / "first").iterdir()] == ["01_hall_12.png"]
    for n in range(4):
        worst.add(one([PERSON], far[: n + 1], index=100 * (n + 1)))
    assert worst.save(tmp_path / "worst") == 3
    names = sorted(path.name for path in (tmp_path / "worst").iterdir())
    assert names == ["01_hall_400.png", "02_hall_300.png", "03_hall_200.png"]
    with Image.open(tmp_path / "worst" / names[0]) as picture:
        assert picture.size == (640, 360)
        assert (255, 60, 60) in {picture.getpixel((300, y)) for y in range(50, 150)}


def test_the_command_prints_a_table_and_json(tmp_path: Path) -> None:
    """One small run of the whole: a clip with one person, a model that finds nobody."""
    clip = encoded(tmp_path / "hall.mp4", [np.full((180, 320, 3), 90, np.uint8)] * 8, 5)
    line = {"frame": 4, "w": 320, "h": 180, "boxes": [[100, 50, 140, 150], [10, 10, 20, 40]]}
    clip.with_suffix(".jsonl").write_text(json.dumps(line))
    nothing = answering({"o": np.zeros((1, 84, 6), np.float32)}, [1, 1, 64, 64])
    path = saved(nothing, tmp_path, "people.onnx")
    folder = tmp_path / "worst"
    command = [sys.executable, "benchmarks/people.py", str(clip), "--no-scenes", "--model"]
    done = subprocess.run(
        [*command, str(path), "--json", "--annotate", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["people"]
    assert told["bytes"] == path.stat().st_size
    assert list(told["milliseconds"]) == ["64"]
    hall = told["places"]["hall"]
    assert (hall["frames"], hall["people"], hall["recall"]) == (8, 1, 0.0), "the small one is left"
    assert [each.name for each in folder.iterdir()] == ["01_hall_4.png"]
    wrong = subprocess.run(
        [*command, "nowhere.onnx"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 2
    assert "nowhere.onnx" in wrong.stderr
    assert "Traceback" not in wrong.stderr
