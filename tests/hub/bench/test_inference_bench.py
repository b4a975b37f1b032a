"""What `vestibule bench inference` measures: both ways, by truth, on the same frames."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from hub.bench.inference import (
    Compared,
    Way,
    as_json,
    clips,
    compare,
    drawn,
    lines,
    missed_goals,
    paired,
    together,
    with_sums,
)
from hub.bench_cli import bench
from hub.errors import CannotCheck
from hub.kinds.detectors import Crop, Detection, DetectorInfo
from hub.perception.boxes import Box
from tests.clips import encoded

SIZE, FPS, FRAMES = (640, 360), 10, 160


class BrightThings:
    """Finds what is far brighter than a grey wall, by the pixels it is given; counts calls."""

    info = DetectorInfo("bright", ("person",), (192, 256, 320, 416), "Apache-2.0", "")

    def __init__(self) -> None:
        self.pixels = 0

    def infer(self, crops: Sequence[Crop]) -> list[list[Detection]]:
        return [self._look(crop) for crop in crops]

    def _look(self, crop: Crop) -> list[Detection]:
        self.pixels += crop.image.shape[0] * crop.image.shape[1]
        for _ in range(8):  # a model's work, as far as this test goes
            rows, columns = np.nonzero(crop.image[:, :, 1] > 200)
        if len(rows) < 40:
            return []
        x, y = crop.box[:2]
        left, right = float(columns.min() + x), float(columns.max() + x + 1)
        box = (left, float(rows.min() + y), right, float(rows.max() + y + 1))
        return [Detection("person", 0.9, box)]

    def close(self) -> None:
        """Nothing is held."""


def walker(number: int) -> Box | None:
    """Somebody who crosses the picture in the middle of the clip."""
    x = 12.0 * (number - 40)
    return (x, 150.0, x + 40, 270.0) if 0 <= x <= 600 else None


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bright box crosses a wall; its truth lies beside it, with a line of doubt."""
    path = tmp_path_factory.mktemp("clip") / "crossing.mp4"
    wall = np.kron(np.random.default_rng(1).integers(70, 150, (45, 80)), np.ones((8, 8)))
    told = []
    pictures = []
    for number in range(FRAMES):
        picture = np.repeat(wall.astype(np.uint8)[:, :, None], 3, 2)
        box = walker(number)
        if box is not None:
            x1, y1, x2, y2 = (round(side) for side in box)
            picture[y1:y2, x1:x2] = 240
        told.append({"frame": number, "boxes": [] if box is None else [box]})
        pictures.append(picture)
    encoded(path, pictures, FPS, preset="ultrafast", crf="18")
    told[0] |= {"boxes": [], "ignore": [[0, 0, 50, 50]]}
    path.with_suffix(".jsonl").write_text("\n".join(map(json.dumps, told)))
    return path


def test_both_ways_are_held_against_truth_and_choosing_costs_less(clip: Path) -> None:
    """The walker is found both ways; choosing crops runs on far fewer frames and pixels."""
    found = compare(clip, BrightThings(), FPS)
    assert (found.frames, found.told) == (FRAMES, FRAMES - 1)
    assert found.boxes == found.people == 51
    assert found.whole.crops == FRAMES
    assert found.whole.found >= 48
    assert found.recall_ratio is not None
    assert found.recall_ratio >= 0.95
    assert found.chosen.crops < FRAMES / 2
    assert 0 < found.time_ratio < 0.5
    assert not found.always


def test_crops_are_told_apart_by_reason_and_by_input_side(clip: Path) -> None:
    """Every crop has one reason and one side; a walker is looked at since they move and walk."""
    found = compare(clip, BrightThings(), FPS)
    told = found.as_dict()["chosen"]
    assert sum(told["reasons"].values()) == sum(told["sides"].values()) == told["crops"]
    assert {"scan", "motion", "walks"} <= set(told["reasons"])
    assert set(told["sides"]) <= {"192", "256", "320", "416"}
    assert found.as_dict()["whole"]["sides"] == {"416": FRAMES}
    twice = together([found, found])
    assert twice.chosen.reasons["walks"] == 2 * found.chosen.reasons["walks"]
    printed = lines("m", {"all": twice})
    assert any("crops by reason" in line and "walks" in line for line in printed)


def test_fewer_looks_a_second_are_taken_from_the_clip(clip: Path) -> None:
    """At five looks a second every other frame is looked at, both ways."""
    found = compare(clip, BrightThings(), 5.0)
    assert found.frames == found.whole.crops == FRAMES // 2


class BrightThingsInSmall(BrightThings):
    """The same for crops of less than 416 pixels."""

    info = DetectorInfo("small", ("person",), (192, 256), "Apache-2.0", "")


def test_a_model_for_small_crops_is_held_against_the_same_whole_frame_as_others(clip: Path) -> None:
    """The whole frame goes in at 416 pixels as for any model; at its own size it is told beside."""
    found = compare(clip, BrightThingsInSmall(), 5.0)
    told = found.as_dict()
    assert set(told["whole"]["sides"]) == {"416"}
    assert set(told["small"]["sides"]) == {"256"}
    assert set(told["chosen"]["sides"]) <= {"192", "256"}
    assert told["small"]["crops"] == told["whole"]["crops"] == FRAMES // 2
    assert told["small"]["recall_ratio"] == pytest.approx(
        found.chosen.found / found.small.found, abs=1e-4
    )
    assert 0 < told["small"]["time_ratio"] < 0.6
    said = lines("small", with_sums({"crossing": found}))
    assert any("against the whole frame at 256 pixels: recall" in line for line in said)
    assert "small" not in compare(clip, BrightThings(), 2.0).as_dict()


def compared(found: int, of: int, seconds: float, always: bool) -> Compared:
    """A clip of which the whole frame finds all, in one second."""
    return Compared(10, 10, 10 if always else 2, of, Way(of, 0, 10, 1.0), Way(found, 0, 5, seconds))


def test_sums_are_over_people_and_seconds_not_over_clips() -> None:
    """A small clip weighs little; those with people always in view have a sum of their own."""
    rows = with_sums({"small": compared(1, 2, 0.1, False), "large": compared(98, 98, 0.5, True)})
    assert rows["all"].recall_ratio == pytest.approx(0.99)
    assert rows["all"].time_ratio == pytest.approx(0.3)
    assert rows["always in view"].time_ratio == pytest.approx(0.5)
    assert missed_goals("all", rows["all"]) == ["time"]
    assert missed_goals("always in view", rows["always in view"]) == []
    assert missed_goals("small", rows["small"]) == []
    assert missed_goals("all", together([compared(0, 50, 0.1, False)])) == ["recall"]


def test_nothing_to_find_has_no_ratio() -> None:
    """A clip without people has no recall, and still a time."""
    empty = Compared(10, 10, 0, 0, Way(0, 0, 10, 1.0), Way(0, 0, 1, 0.1))
    assert empty.recall_ratio is None
    assert empty.as_dict()["recall_ratio"] is None
    assert missed_goals("all", empty) == []
    assert "-" in lines("m", {"all": empty})[2]


def test_json_has_the_first_model_at_the_top_and_the_others_beside() -> None:
    """By clip and `all`, with the model's name."""
    rows = with_sums({"one": compared(9, 10, 0.2, False)})
    told = as_json({"large": rows, "small": rows})
    assert set(told) == {"one", "all"}
    assert told["all"]["recall_ratio"] == 0.9
    assert told["all"]["time_ratio"] == 0.2
    assert told["all"]["model"] == "large"
    assert told["all"]["other_models"]["small"]["recall_ratio"] == 0.9


def test_a_claim_counts_once_and_only_where_it_overlaps_by_half() -> None:
    """Two claims on one person are one find; one that is half beside is none."""
    truth: list[Box] = [(0.0, 0.0, 10.0, 20.0)]
    claims: list[Box] = [(1.0, 0.0, 10.0, 20.0), (0.0, 0.0, 10.0, 20.0), (6.0, 0.0, 16.0, 20.0)]
    assert paired(truth, claims) == {1}
    assert paired(truth, claims[2:]) == set()


def test_a_clip_without_truth_and_nothing_at_all_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason names the clip and where its truth should be."""
    monkeypatch.delenv("VESTIBULE_MATERIAL", raising=False)
    with pytest.raises(CannotCheck, match=r"lone\.mp4: no truth; expected .*lone\.jsonl"):
        clips([tmp_path / "lone.mp4"], False, tmp_path)
    with pytest.raises(CannotCheck, match="no clip to look at"):
        clips([], False, tmp_path)


def test_drawn_scenes_come_with_truth(tmp_path: Path) -> None:
    """A scene is drawn once, with people in its truth, and found again the second time."""
    path = drawn("corridor", 3, tmp_path)
    truth = [json.loads(line) for line in path.with_suffix(".jsonl").read_text().splitlines()]
    assert any(line["boxes"] for line in truth)
    before = path.stat().st_mtime_ns
    assert drawn("corridor", 3, tmp_path) == path
    assert path.stat().st_mtime_ns == before


def test_the_command_says_what_it_cannot_read(tmp_path: Path) -> None:
    """A wrong model is one line on standard error and exit code 2."""
    clip = tmp_path / "a.mp4"
    clip.with_suffix(".jsonl").write_text("")
    said = CliRunner().invoke(
        bench, ["inference", str(clip), "--no-scenes", "--model", str(tmp_path / "no.onnx")]
    )
    assert said.exit_code == 2
    assert said.stderr.startswith("vestibule: ")
    assert "no.onnx" in said.stderr
