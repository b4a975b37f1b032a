"""The detector drivers: real models read right, foreign ones refused with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hub import Context, Crop, Detection, Detector, ModelError, models
from hub.perception.decode import clip_frames
from plugins.detectors import _onnxfile as onnxfile
from plugins.detectors import _yolo as yolo
from plugins.detectors import _yolox as yolox
from plugins.detectors._boxes import suppress
from plugins.detectors._guess import MotionGuess, guess
from plugins.detectors._head import Asked, Picture, Rows, cells
from plugins.detectors._names import COCO
from plugins.detectors._picture import Entrance
from plugins.detectors.motion import MotionConfig
from plugins.detectors.motion import build as build_motion
from plugins.detectors.onnx import OnnxConfig, OnnxDetector, build

NO_REGIONS = np.zeros((0, 4), np.int32)


def context(folder: Path) -> Context:
    """A context whose state folder is a temporary one."""
    return Context(name="people", state=folder, config_folder=folder)


def opened(model: Path, folder: Path, **settings: object) -> OnnxDetector:
    """The detector of a model file."""
    config = OnnxConfig.model_validate({"model": str(model), **settings})
    detector = build(config, context(folder))
    assert isinstance(detector, OnnxDetector)
    return detector


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over union."""
    across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0.0, across) * max(0.0, down)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return shared / (sum(areas) - shared)


# ------------------------------------------------------------------ real models


@pytest.fixture(scope="module")
def picture(material: Path) -> Crop:
    """One whole frame with one person standing in it."""
    frames = clip_frames(material / "clips" / "porch_person.mp4")
    frame = next(frame for frame in frames if frame.index == 5)
    return Crop(frame.crop((0, 0, *frame.size)), (0, 0, *frame.size), frame.size, NO_REGIONS, 416)


def best(detector: Detector, crop: Crop) -> Detection:
    """The surest detection in a crop."""
    return max(detector.infer([crop])[0], key=lambda found: found.score)


@pytest.mark.material
def test_yolox_nano_finds_the_person_at_every_input_size(
    material: Path, tmp_path: Path, picture: Crop
) -> None:
    """The freed graph gives the same box at 192, 256, 320 and 416, whole or in a part."""
    detector = opened(material / "models" / "yolox_nano_416.onnx", tmp_path)
    assert detector.info.input_sizes == (192, 256, 320, 416)
    assert len(detector.info.sha256) == 64
    whole = best(detector, picture)
    assert (whole.label, whole.score > 0.8) == ("person", True)
    part = picture.image[20:720, 300:1000]
    for side in detector.info.input_sizes:
        crop = Crop(part, (300, 20, 1000, 720), picture.frame_size, NO_REGIONS, side)
        found = best(detector, crop)
        assert found.label == "person"
        assert overlap(found.box, whole.box) > 0.8, side


@pytest.mark.material
def test_freeing_the_size_changes_no_answer(material: Path) -> None:
    """At its own size the rewritten graph gives the original's numbers, bit for bit."""
    import onnxruntime

    data = (material / "models" / "yolox_nano_416.onnx").read_bytes()
    freed = onnxfile.free_picture_size(data, "images")
    tensor = np.random.default_rng(4).uniform(0, 255, (1, 3, 416, 416)).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    first, second = (
        onnxruntime.InferenceSession(each, options).run(None, {"images": tensor})[0]
        for each in (data, freed)
    )
    assert np.array_equal(first, second)


@pytest.mark.material
def test_a_person_only_model_is_told_by_its_six_columns(
    material: Path, tmp_path: Path, picture: Crop
) -> None:
    """[1, N, 6] is read as a YOLOX head with one class, a person."""
    detector = opened(material / "models" / "light_person_192.onnx", tmp_path)
    assert detector.info.labels == ("person",)
    found = best(detector, picture)
    reference = best(opened(material / "models" / "yolox_nano_416.onnx", tmp_path), picture)
    assert overlap(found.box, reference.box) > 0.7


@pytest.mark.material
def test_another_family_is_refused_with_what_was_found_and_expected(
    material: Path, tmp_path: Path
) -> None:
    """A pose model raises an error that names its shapes and the expected ones."""
    with pytest.raises(ModelError, match=r"1, 1, 17, 3.*expected YOLOX \[1, N, 5"):
        opened(material / "models" / "movenet_singlepose_lightning_192.onnx", tmp_path)


@pytest.mark.material
def test_a_truncated_model_is_refused(material: Path, tmp_path: Path) -> None:
    """Half a file is an error with its name, never a crash."""
    data = (material / "models" / "yolox_nano_416.onnx").read_bytes()
    half = tmp_path / "half.onnx"
    half.write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelError, match=r"half\.onnx"):
        opened(half, tmp_path)


@pytest.mark.material
def test_labels_and_scores_asked_for_are_all_that_comes(
    material: Path, tmp_path: Path, picture: Crop
) -> None:
    """Nothing below min_score and no label outside the list is handed on."""
    model = material / "models" / "yolox_nano_416.onnx"
    cars = opened(model, tmp_path, labels=["car"])
    assert {found.label for found in cars.infer([picture])[0]} <= {"car"}
    sure = opened(model, tmp_path, min_score=0.5)
    assert all(found.score >= 0.5 for found in sure.infer([picture])[0])
    with pytest.raises(ModelError, match="unicorn"):
        opened(model, tmp_path, labels=["unicorn"])


@pytest.mark.material
def test_an_empty_crop_finds_nothing(material: Path, tmp_path: Path) -> None:
    """A crop without pixels is answered, in its place, with an empty list."""
    detector = opened(material / "models" / "yolox_nano_416.onnx", tmp_path)
    nothing = Crop(np.zeros((0, 0, 3), np.uint8), (0, 0, 0, 0), (640, 360), NO_REGIONS)
    assert detector.infer([nothing]) == [[]]


# ------------------------------------------------------------------ no model


def test_a_missing_model_is_an_error_that_names_it(tmp_path: Path) -> None:
    """Neither a path nor a name that is unknown is passed over."""
    for model in (str(tmp_path / "none.onnx"), "no_such_model"):
        with pytest.raises(ModelError, match=r"none|no_such_model"):
            build(OnnxConfig(model=model), context(tmp_path))


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    """Any bytes under the name of a model raise an error with the file's name."""
    path = tmp_path / "noise.onnx"
    path.write_bytes(np.random.default_rng(2).bytes(5000))
    with pytest.raises(ModelError, match=r"noise\.onnx"):
        opened(path, tmp_path)


def test_auto_without_a_model_guesses_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With none installed and none built in the detector guesses from motion, and is marked so."""
    monkeypatch.setattr(models, "SHIPPED", tmp_path / "shipped")
    detector = build(OnnxConfig(), context(tmp_path))
    assert isinstance(detector, MotionGuess)
    assert detector.info.guessing
    assert not detector.info.needs_pixels
    assert "no model is installed, and the built-in model people is missing" in detector.info.name


def test_the_motion_driver_guesses_too(tmp_path: Path) -> None:
    """Driver `motion` names movers in the regions of its crops."""
    detector = build_motion(MotionConfig(), context(tmp_path))
    assert detector.info.guessing
    regions = np.array([[100, 100, 150, 240]], np.int32)
    crop = Crop(np.zeros((0, 0, 3), np.uint8), (0, 0, 640, 360), (640, 360), regions)
    ((found,),) = detector.infer([crop])
    assert (found.label, found.box) == ("person", (100.0, 100.0, 150.0, 240.0))
    assert found.score <= 0.5


@pytest.mark.parametrize(
    ("region", "label"),
    [
        ((100, 100, 150, 240), "person"),
        ((100, 100, 320, 210), "car"),
        ((100, 100, 104, 108), None),
        ((0, 0, 640, 350), None),
        ((100, 100, 100, 200), None),
    ],
)
def test_a_guess_goes_by_size_and_shape(
    region: tuple[int, int, int, int], label: str | None
) -> None:
    """Upright is a person, long and large a car; specks and whole pictures stay unnamed."""
    found = guess(region, (640, 360))
    assert (found.label if found else None) == label


# ------------------------------------------------------------------ reading the head


def read(rows: list[tuple[int, NDArray[np.float32]]], height: int, width: int) -> Rows:
    """What a YOLOX output says that is zero but for some rows."""
    output = np.zeros((1, cells((height, width), yolox.STRIDES), 85), np.float32)
    for index, row in rows:
        output[0, index, : len(row)] = row
    return yolox.read([output], (height, width), Asked(np.arange(80), 0.1, 80))


def test_a_row_of_the_head_is_a_box_by_grid_and_stride() -> None:
    """Row 53 of a 64x128 input is the stride 8 cell (5, 3); sizes are exponents."""
    row = np.zeros(85, np.float32)
    row[:5] = (0.5, 0.25, np.log(4), np.log(6), 0.9)
    row[5] = 0.8
    found = read([(3 * 16 + 5, row)], 64, 128)
    assert found.boxes[0] == pytest.approx([44 - 16, 26 - 24, 44 + 16, 26 + 24])
    assert found.scores[0] == pytest.approx(0.72)
    assert COCO[found.classes[0]] == "person"


def test_rows_that_are_not_finite_are_left_out() -> None:
    """NaN and overflow in a head never become boxes."""
    bad = [np.full(85, 0.9, np.float32) for _ in range(3)]
    bad[0][0], bad[1][2], bad[2][3] = np.nan, np.inf, 1e6
    assert len(read(list(enumerate(bad)), 64, 64).boxes) == 0


def test_a_head_of_nothing_but_nan_is_an_error() -> None:
    """A model that has gone blind is not taken for an empty place."""
    rows = [(n, np.full(85, np.nan, np.float32)) for n in range(84)]
    with pytest.raises(ValueError, match="not one of its scores is a finite number"):
        read(rows, 64, 64)


def test_suppression_keeps_the_best_of_each_class() -> None:
    """Overlapping boxes of one class become one; of two classes both stay."""
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10], [30, 0, 40, 10]], np.float32)
    assert list(suppress(boxes, np.array([0, 0, 2, 0]), 0.45)) == [0, 2, 3]


def test_a_flood_of_boxes_is_bounded() -> None:
    """However many boxes a model claims to be sure of, 300 stay."""
    output = np.zeros((1, 84, cells((640, 640), yolox.STRIDES)), np.float32)
    output[0, :4] = np.random.default_rng(1).uniform(1, 600, output[0, :4].shape)
    output[0, 4] = 1
    found = yolo.read_columns([output], (640, 640), Asked(np.arange(80), 0.1, 80))
    assert len(found.boxes) == 1000
    assert len(suppress(found.boxes, found.classes, 0.99)) == 300


def test_a_picture_is_letterboxed_top_left_and_padded() -> None:
    """A wide picture is scaled by its width, the rest is the padding grey."""
    way = Entrance("images", np.dtype(np.float32), False)
    image = np.full((90, 160, 3), 200, np.uint8)
    tensor, placed = way.fill(image, (320, 320), Picture(rgb=False))
    assert placed.scale == (2.0, 2.0)
    assert tensor.shape == (1, 3, 320, 320)
    assert (tensor[0, :, :180] == 200).all()
    assert (tensor[0, :, 180:] == 114).all()


def test_bytes_that_are_no_protobuf_are_told() -> None:
    """Cut short or of an unknown wire type raises ValueError and never reads past the end."""
    for data in (b"\x0a", b"\x0a\xff\xff", b"\x0f\x00", b"\x80" * 20):
        with pytest.raises(ValueError, match="ONNX"):
            onnxfile.free_picture_size(data, "images")
        with pytest.raises(ValueError, match="ONNX"):
            onnxfile.weights_elsewhere(data)
