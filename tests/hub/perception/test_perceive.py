"""`vestibule perceive`: its lines, its repeatability, its errors, what it finds on real clips."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from hub import models
from hub.perception.perceive import perceive
from tests.clips import encoded

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds, 10 frames a second, of something upright that walks past a wall."""
    path = tmp_path_factory.mktemp("clips") / "walk.mp4"
    wall = np.kron(np.random.default_rng(1).integers(70, 170, (30, 40, 3)), np.ones((8, 8, 1)))
    pictures = []
    for number in range(30):
        picture = wall.astype(np.uint8)
        picture[80:200, 10 + 8 * number : 50 + 8 * number] = (240, 230, 60)
        pictures.append(picture)
    return encoded(path, pictures, 10)


@pytest.fixture(autouse=True)
def nothing_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not name a model guesses from motion, which calls anything upright a person."""
    monkeypatch.setattr(models, "SHIPPED", tmp_path / "shipped")


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The JSON lines of a file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def run(clips: list[Path], folder: Path, **options: Any) -> tuple[int, list[dict[str, Any]]]:
    """Exit code and lines of a run without any model installed, unless one is named."""
    out = folder / "out.jsonl"
    code = perceive(clips, json_out=str(out), models=folder / "models", **options)
    return code, lines_of(out) if out.exists() else []


def test_every_frame_is_one_line_of_the_agreed_shape(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Keys, types and order are what others build on; nothing but the closing lines on stderr."""
    code, lines = run([clip], tmp_path)
    assert code == 0
    assert [line["frame"] for line in lines] == list(range(30))
    assert [line["time"] for line in lines] == pytest.approx([i / 10 for i in range(30)])
    for line in lines:
        assert list(line) == ["clip", "frame", "time", "gate", "inferences", "detections", "tracks"]
        assert line["clip"] == "walk"
        assert list(line["gate"]) == ["triggered", "reason", "regions"]
        triggered = line["gate"]["reason"] in ("motion", "scene_change")
        assert line["gate"]["triggered"] is triggered
        assert line["detections"] == [] or line["inferences"] > 0
        for found in line["detections"]:
            assert list(found) == ["label", "score", "box"]
        for track in line["tracks"]:
            assert list(track) == ["id", "label", "score", "state", "age", "box"]
            assert track["state"] in ("confirmed", "coasting")
            assert all(isinstance(value, float) for value in track["box"])
    assert any(line["tracks"] for line in lines)
    shown = capsys.readouterr()
    assert shown.out == ""
    closing = shown.err.splitlines()[-1]
    assert closing.startswith("30 frames, ")
    for word in ("triggered", "inferences", "decode", "gate", "inference", "tracking"):
        assert word in closing
    assert "guessing from motion" in shown.err


def test_the_same_clip_gives_the_same_lines(clip: Path, tmp_path: Path) -> None:
    """Two runs are equal to the byte."""
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    for out in (first, second):
        assert perceive([clip], json_out=str(out), models=tmp_path / "models") == 0
    assert first.read_bytes() == second.read_bytes()


def test_fps_samples_the_clips_own_time(clip: Path, tmp_path: Path) -> None:
    """At 2.5 a second every fourth of 10 frames is analysed, under its own index."""
    _, lines = run([clip], tmp_path, fps=2.5)
    assert [line["frame"] for line in lines] == [0, 4, 8, 12, 16, 20, 24, 28]
    _, all_lines = run([clip], tmp_path, fps=60)
    assert len(all_lines) == 30


def test_json_goes_to_stdout_when_asked(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`-` prints the lines and nothing else."""
    assert perceive([clip], json_out="-", models=tmp_path / "models") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 30
    assert all(json.loads(line)["clip"] == "walk" for line in lines)


def test_several_clips_start_afresh_each(clip: Path, tmp_path: Path) -> None:
    """Ids and time begin anew with every clip; clips are told apart by their stem."""
    other = tmp_path / "again.mp4"
    other.write_bytes(clip.read_bytes())
    _, lines = run([clip, other], tmp_path)
    first, second = ([line for line in lines if line["clip"] == c] for c in ("walk", "again"))
    for line in (*first, *second):
        del line["clip"]
    assert first == second


def test_an_annotated_clip_shows_every_frame(clip: Path, tmp_path: Path) -> None:
    """H.264 of the clip's size and length, with more colours in it than the clip had."""
    out = tmp_path / "drawn.mp4"
    assert perceive([clip], annotate_out=out, models=tmp_path / "models") == 0
    with av.open(str(out)) as file:
        stream = file.streams.video[0]
        assert stream.codec_context.name == "h264"
        pictures = [frame.to_ndarray(format="rgb24") for frame in file.decode(stream)]
    assert len(pictures) == 30
    assert pictures[0].shape == (240, 320, 3)
    green = [(p[:, :, 1].astype(int) - p[:, :, 0] > 80).sum() for p in pictures]
    assert max(green[10:]) > 100


@pytest.mark.parametrize(
    ("name", "content", "model", "reason"),
    [
        ("none.mp4", None, "auto", "there is no such file"),
        ("text.mp4", b"hello " * 100, "auto", "not a video"),
        (None, None, "no_such_model", "no_such_model"),
        (None, None, "./nowhere.onnx", "nowhere.onnx"),
    ],
)
def test_mistakes_are_told_in_a_line_and_end_with_2(
    clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str | None,
    content: bytes | None,
    model: str,
    reason: str,
) -> None:
    """A missing clip, one that is no video, an unknown model: exit 2, no traceback."""
    path = tmp_path / name if name else clip
    if content is not None:
        path.write_bytes(content)
    code, lines = run([clip, path], tmp_path, model=model)
    shown = capsys.readouterr()
    assert code == 2
    assert lines == []
    assert reason in shown.err
    assert "Traceback" not in shown.err


def test_a_place_that_cannot_be_written_is_told(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Output into a folder that does not exist ends with 2 and names it."""
    for options in (
        {"json_out": str(tmp_path / "no" / "out.jsonl")},
        {"annotate_out": tmp_path / "no" / "out.mp4"},
    ):
        assert perceive([clip], models=tmp_path / "models", **options) == 2  # type: ignore[arg-type]
        assert str(tmp_path / "no") in capsys.readouterr().err


# ------------------------------------------------------------------ real clips


def scored(material: Path, name: str, folder: Path) -> dict[str, Any]:
    """What benchmarks/perceive_truth.py makes of a clip with yolox-nano."""
    spec = importlib.util.spec_from_file_location(
        "perceive_truth", ROOT / "benchmarks" / "perceive_truth.py"
    )
    assert spec is not None
    assert spec.loader is not None
    truth = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["perceive_truth"] = truth
    spec.loader.exec_module(truth)
    model = str(material / "models" / "yolox_nano_416.onnx")
    code, lines = run([material / "clips" / f"{name}.mp4"], folder, model=model)
    assert code == 0
    expected = {line["frame"]: line for line in lines_of(material / "truth" / f"{name}.jsonl")}
    summary: dict[str, Any] = truth.score(name, lines, expected).summary()
    return summary


@pytest.mark.material
def test_people_who_come_one_by_one_are_found_at_half_the_cost(
    material: Path, tmp_path: Path
) -> None:
    """Entrance: presence 97 %, recall 0.90, precision 0.85, at most half of the frames inferred."""
    result = scored(material, "entry_one_by_one", tmp_path)
    assert result["present"] >= 0.97
    assert result["recall"] >= 0.90
    assert result["precision"] >= 0.85
    assert result["inferred"] <= 0.50


@pytest.mark.material
def test_nobody_is_confirmed_in_an_empty_street(material: Path, tmp_path: Path) -> None:
    """Changing light and moving trees are nobody."""
    result = scored(material, "street_brightness_empty", tmp_path)
    assert result["frames"] == 59
    assert result["frames_with_person"] == 0


@pytest.mark.material
@pytest.mark.parametrize("name", ["store_aisle", "porch_person"])
def test_people_who_hide_each_other_or_stand_close_are_found(
    material: Path, tmp_path: Path, name: str
) -> None:
    """Recall 0.85 in a crowded aisle and at a porch."""
    assert scored(material, name, tmp_path)["recall"] >= 0.85
