"""Every family of models: told by its shapes and metadata, boxes decoded to the last pixel."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

from hub import Context, Crop, Detection, ModelError
from plugins.detectors.onnx import OnnxConfig, OnnxDetector, build
from tests.plugins.detectors.graphs import answering, convolving, saved

SIDE = 64  # of the models' inputs: 64 + 16 + 4 cells of stride 8, 16 and 32, and 1 of 64
CELLS = 84
PERSON, CAR = 0, 2
COCO_NAMES = {"names": str({number: f"thing {number}" for number in range(3)})}
BLUE, GREEN, RED = 51, 102, 204


def opened(made: onnx.ModelProto, folder: Path, **settings: object) -> OnnxDetector:
    """The detector of a model."""
    config = OnnxConfig.model_validate({"model": str(saved(made, folder)), **settings})
    context = Context(name="own", state=folder, cache=folder / "cache", config_folder=folder)
    detector = build(config, context)
    assert isinstance(detector, OnnxDetector)
    return detector


def looked(detector: OnnxDetector, height: int = SIDE, width: int = SIDE) -> list[Detection]:
    """What is found in a picture of one colour at (100, 50) of a frame."""
    image = np.full((height, width, 3), (BLUE, GREEN, RED), np.uint8)
    box = (100, 50, 100 + width, 50 + height)
    crop = Crop(image, box, (640, 360), np.zeros((0, 4), np.int32))
    try:
        return detector.infer([crop])[0]
    finally:
        detector.close()


def one(made: onnx.ModelProto, folder: Path, **settings: object) -> tuple[str, str, float, Any]:
    """Family, label, score and box within the picture of the only find."""
    detector = opened(made, folder, **settings)
    (found,) = looked(detector)
    x1, y1, x2, y2 = found.box
    return detector.info.family, found.label, found.score, (x1 - 100, y1 - 50, x2 - 100, y2 - 50)


def zeros(*shape: int, dtype: Any = np.float32) -> NDArray[Any]:
    return np.zeros(shape, dtype)


# ------------------------------------------------------------------ known answers


def yolox() -> NDArray[np.float32]:
    """The stride 8 cell (5, 3): centre 44, 26 and 32 x 24 pixels, 0.9 times 0.8 a person."""
    output = zeros(1, CELLS, 85)
    row = output[0, 3 * 8 + 5]
    row[:6] = 0.5, 0.25, np.log(4), np.log(3), 0.9, 0.8
    return output


def test_yolox_by_grid_and_stride(tmp_path: Path) -> None:
    """[1, N, 85]: offsets and log sizes of a cell, objectness times class."""
    family, label, score, box = one(answering({"output": yolox()}, [1, 3, 64, 64]), tmp_path)
    assert (family, label, score) == ("YOLOX", "person", pytest.approx(0.72, abs=1e-4))
    assert box == pytest.approx((28, 14, 60, 38), abs=0.01)


def test_boxes_that_are_decoded_already_are_refused(tmp_path: Path) -> None:
    """YOLOv6, and YOLOX exported with its decoder, look the same and would see nobody."""
    output = yolox()
    output[0, :, 2:4] = 40.0
    with pytest.raises(ModelError, match="in pixels already"):
        opened(answering({"o": output}, [1, 3, 64, 64]), tmp_path)


@pytest.mark.parametrize(
    ("side", "rows", "metadata", "family"),
    [
        (64, CELLS, {}, "YOLOv8"),
        (64, CELLS, {"description": "Ultralytics YOLO11n model trained on coco.yaml"}, "YOLO11"),
        (128, 340, {}, "YOLOv8"),
    ],
)
def test_yolov8_by_columns(
    tmp_path: Path, side: int, rows: int, metadata: Mapping[str, str], family: str
) -> None:
    """[1, 84, N]: centre and size in pixels, class scores, no objectness; also with stride 64."""
    output = zeros(1, 84, rows)
    output[0, :4, 40] = 30, 20, 20, 30
    output[0, 4 + CAR, 40] = 0.7
    made = answering({"output0": output}, [1, 3, side, side], metadata=metadata)
    detector = opened(made, tmp_path)
    (found,) = looked(detector, side, side)
    assert (detector.info.family, found.label, found.score) == (family, "car", pytest.approx(0.7))
    assert found.box == pytest.approx((120, 55, 140, 85))


def test_yolov5_by_three_rows_a_cell(tmp_path: Path) -> None:
    """[1, 3 N, 85]: centre and size in pixels, objectness times class."""
    output = zeros(1, 3 * CELLS, 85)
    output[0, 100, :6] = 30, 20, 20, 30, 0.5, 0.8
    found = one(answering({"output0": output}, [1, 3, 64, 64]), tmp_path)
    assert found == ("YOLOv5", "person", pytest.approx(0.4), pytest.approx((20, 5, 40, 35)))


def test_yolov10_by_its_list(tmp_path: Path) -> None:
    """[1, 300, 6]: corners, score, class; two that overlap both stay."""
    output = zeros(1, 300, 6)
    output[0, 0] = 20, 5, 40, 35, 0.9, 1
    output[0, 1] = 21, 5, 41, 35, 0.8, 1
    detector = opened(answering({"o": output}, [1, 3, 64, 64], metadata=COCO_NAMES), tmp_path)
    assert detector.info.family == "YOLOv10"
    assert [(each.label, each.score) for each in looked(detector)] == [
        ("thing 1", pytest.approx(0.9)),
        ("thing 1", pytest.approx(0.8)),
    ]


def sides(*distances: int) -> NDArray[np.float32]:
    """32 numbers whose four softmaxes are these distances, to well below a pixel."""
    bins = zeros(4, 8)
    bins[np.arange(4), distances] = 30
    return bins.reshape(-1)


def test_nanodet_plus_by_its_distributions(tmp_path: Path) -> None:
    """[1, N, 112] over four strides: distances in strides from a cell's corner."""
    output = zeros(1, CELLS + 1, 112)
    output[0, 3 * 8 + 4, PERSON] = 0.6
    output[0, 3 * 8 + 4, 80:] = sides(2, 3, 1, 4)
    found = one(answering({"output": output}, [1, 3, 64, 64]), tmp_path)
    assert found == ("NanoDet-Plus", "person", pytest.approx(0.6), pytest.approx((16, 0, 40, 56)))


def test_nanodet_from_the_middle_of_a_cell(tmp_path: Path) -> None:
    """[1, N, 112] over three strides: the same from the cell's middle."""
    output = zeros(1, CELLS, 112)
    output[0, 64 + 1 * 4 + 2, CAR] = 0.6
    output[0, 64 + 1 * 4 + 2, 80:] = sides(1, 1, 1, 2)
    family, label, _, box = one(answering({"output": output}, [1, 3, 64, 64]), tmp_path)
    assert (family, label) == ("NanoDet", "car")
    assert box == pytest.approx((24, 8, 56, 56), abs=0.01)


@pytest.mark.parametrize("mixed", [False, True])
def test_picodet_by_its_pairs(tmp_path: Path, mixed: bool) -> None:
    """Four [1, n, 80] and four [1, n, 32] in any order: distances from the cell's middle."""
    counts = {"8": 64, "16": 16, "32": 4, "64": 1}
    outputs = {f"cls_{stride}": zeros(1, count, 80) for stride, count in counts.items()}
    outputs |= {f"reg_{stride}": zeros(1, count, 32) for stride, count in counts.items()}
    outputs["cls_32"][0, 1, PERSON] = 0.9
    outputs["reg_32"][0, 1] = sides(1, 0, 0, 1)
    if mixed:
        outputs = dict(sorted(outputs.items(), reverse=True))
    family, label, score, box = one(answering(outputs, [1, 3, 64, 64], name="image"), tmp_path)
    assert (family, label, score) == ("PicoDet", "person", pytest.approx(0.9))
    assert box == pytest.approx((16, 16, 48, 48), abs=0.01)


def finds(kind: Any = np.int64) -> dict[str, NDArray[Any]]:
    """Labels, boxes in pixels and scores of 300 queries, one of them a car."""
    labels, boxes, scores = zeros(1, 300, dtype=kind), zeros(1, 300, 4), zeros(1, 300)
    labels[0, 9], boxes[0, 9], scores[0, 9] = CAR, (20, 5, 40, 35), 0.8
    return {"labels": labels, "boxes": boxes, "scores": scores}


def test_rtdetr_with_the_original_size(tmp_path: Path) -> None:
    """labels, boxes, scores, and a second input that is given the size that boxes come in."""
    more = {"orig_target_sizes": (TensorProto.INT64, [1, 2])}
    made = answering(finds(), [1, 3, 64, 64], more_inputs=more)
    found = one(made, tmp_path)
    assert found == (
        "RT-DETR or D-FINE", "car", pytest.approx(0.8), pytest.approx((20, 5, 40, 35)),
    )  # fmt: skip


def test_rtdetr_by_logits(tmp_path: Path) -> None:
    """logits [1, K, 80] before their sigmoid, pred_boxes in parts of the input."""
    logits, boxes = zeros(1, 300, 80) - 9, zeros(1, 300, 4)
    logits[0, 7, PERSON], boxes[0, 7] = 2.0, (0.5, 0.25, 0.25, 0.5)
    made = answering({"logits": logits, "pred_boxes": boxes}, ["b", 3, 64, 64], name="pixel_values")
    family, label, score, box = one(made, tmp_path)
    assert (family, label) == ("RT-DETR or D-FINE", "person")
    assert score == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-4)
    assert box == pytest.approx((24, 0, 40, 32))


def test_rtdetr_as_ultralytics_exports_it(tmp_path: Path) -> None:
    """[1, 300, 84]: centre and size in parts, told by the metadata's description."""
    output = zeros(1, 300, 84)
    output[0, 7, :5] = 0.5, 0.25, 0.25, 0.5, 0.7
    told = {"description": "Ultralytics RT-DETR-l model trained on coco.yaml"}
    found = one(answering({"output0": output}, [1, 3, 64, 64], metadata=told), tmp_path)
    assert found == ("RT-DETR", "person", pytest.approx(0.7), pytest.approx((24, 0, 40, 32)))


def tensorflow(count: float = 1) -> dict[str, NDArray[Any]]:
    """A car in the upper left quarter, and a find beyond the count."""
    boxes, scores, classes = zeros(1, 100, 4), zeros(1, 100), zeros(1, 100)
    boxes[0, 0], scores[0, 0], classes[0, 0] = (0, 0, 0.5, 0.25), 0.9, 3
    boxes[0, 1], scores[0, 1], classes[0, 1] = (0, 0, 1, 1), 0.8, 1
    return {
        "detection_boxes:0": boxes,
        "detection_classes:0": classes,
        "detection_scores:0": scores,
        "num_detections:0": np.array([count], np.float32),
    }


@pytest.mark.parametrize("size", [["n", "h", "w", 3], [1, 64, 64, 3]])
def test_ssd_of_tensorflow(tmp_path: Path, size: list[int | str]) -> None:
    """Boxes y first, COCO's numbers from 1, bytes in, and only as many as it counts."""
    made = answering(tensorflow(), size, kind="uint8", name="image_tensor:0")
    found = one(made, tmp_path)
    assert found == ("SSD (TensorFlow)", "car", pytest.approx(0.9), pytest.approx((0, 0, 16, 32)))


def test_ssd_of_caffe(tmp_path: Path) -> None:
    """[1, 1, N, 7] up to the row that ends it, named from 1 with names from outside."""
    output = zeros(1, 1, 10, 7)
    output[0, 0, 0] = 0, 2, 0.9, 0.25, 0, 0.5, 1
    output[0, 0, 1, 0] = -1
    output[0, 0, 2] = 0, 1, 0.9, 0, 0, 1, 1
    made = answering({"detection_out": output}, [1, 3, 64, 64], name="data")
    with pytest.raises(ModelError, match=r"nobody says what its classes are called.*labels\.txt"):
        opened(made, tmp_path)
    found = one(made, tmp_path, classes=["aeroplane", "person"])
    assert found == ("SSD (Caffe)", "person", pytest.approx(0.9), pytest.approx((16, 0, 32, 64)))
    assert one(made, tmp_path, classes=["background", "aeroplane", "person"]) == found


def test_ssd_of_torchvision(tmp_path: Path) -> None:
    """[K, 4] in pixels, scores [K], labels [K] from 1, whatever the outputs are called."""
    boxes, labels = np.array([[20, 5, 40, 35]], np.float32), np.array([3])
    outputs = {"876": boxes, "880": np.array([0.7], np.float32), "881": labels}
    found = one(answering(outputs, [1, 3, 64, 64]), tmp_path)
    assert found == (
        "SSD (torchvision)", "car", pytest.approx(0.7), pytest.approx((20, 5, 40, 35)),
    )  # fmt: skip


# ------------------------------------------------------------------ pictures go in as they should


def echoed(score: tuple[int, ...], pixel: tuple[int, ...], output: Any, kind: str) -> Any:
    """A model whose only score is a pixel as it arrives."""
    picture = [1, 3, 64, 64]
    return answering({"o": output}, picture, kind=kind, echo={"o": (score, pixel)})


@pytest.mark.parametrize("kind", ["float", "float16"])
@pytest.mark.parametrize(("channel", "value"), [(0, RED), (1, GREEN), (2, BLUE)])
def test_yolov8_sees_red_first_from_0_to_1(
    tmp_path: Path, kind: str, channel: int, value: int
) -> None:
    """The score that echoes a pixel is its colour by 255, in floats of 32 and 16 bits."""
    output = zeros(1, 84, CELLS)
    output[0, :4, 0] = 32, 32, 20, 20
    made = echoed((0, 4, 0), (0, channel, 30, 30), output, kind)
    assert one(made, tmp_path)[2] == pytest.approx(value / 255, abs=1e-3)


def test_a_wide_picture_lies_in_the_middle(tmp_path: Path) -> None:
    """64 x 32 pixels come between two bars of grey, and boxes come back without them."""
    output = zeros(1, 84, CELLS)
    output[0, :4, 0] = 32, 32, 20, 8
    made = echoed((0, 4, 0), (0, 0, 15, 0), output, "float")
    (found,) = looked(opened(made, tmp_path), 32, 64)
    assert found.score == pytest.approx(114 / 255, abs=1e-3)
    assert found.box == pytest.approx((122, 62, 142, 70))
    (inside,) = looked(opened(echoed((0, 4, 0), (0, 0, 16, 0), output, "float"), tmp_path), 32, 64)
    assert inside.score == pytest.approx(RED / 255, abs=1e-3)


def test_a_wide_picture_is_stretched_for_rtdetr(tmp_path: Path) -> None:
    """64 x 32 pixels fill the input, and boxes come back half as high."""
    made = answering(
        finds(), [1, 3, 64, 64], more_inputs={"orig_target_sizes": (TensorProto.INT64, [1, 2])}
    )
    (found,) = looked(opened(made, tmp_path), 32, 64)
    assert found.box == pytest.approx((120, 52.5, 140, 67.5))


@pytest.mark.parametrize(
    ("settings", "value"),
    [
        ({}, None),
        ({"pixels": "0..1"}, BLUE / 255),
        ({"pixels": "0..1", "colour": "rgb"}, RED / 255),
        ({"pixels": "-1..1", "colour": "rgb"}, (RED - 127.5) / 127.5),
    ],
)
def test_the_block_says_how_pixels_go_in(
    tmp_path: Path, settings: Mapping[str, str], value: float | None
) -> None:
    """A YOLOX gets 0 to 255 and blue first, unless `pixels` and `colour` say otherwise."""
    output = yolox()
    output[0, 29, 4:6] = 1, 0
    made = echoed((0, 29, 5), (0, 0, 30, 30), output, "float")
    if value is None:
        with pytest.raises(ModelError, match="a score is 114"):
            opened(made, tmp_path)
        return
    output[0, 29, 5] = -0.4 if value > 1 else 0
    detector = opened(answering({"o": yolox()}, [1, 3, 64, 64]), tmp_path, **settings)
    seen = detector._entrance.fill(
        np.full((64, 64, 3), (BLUE, GREEN, RED), np.uint8), (64, 64), detector._picture
    )[0]
    detector.close()
    assert seen[0, 0, 30, 30] == pytest.approx(value, abs=1e-5)


def test_nanodet_and_picodet_go_by_imagenet(tmp_path: Path) -> None:
    """NanoDet has blue first, each colour by its own mean and deviation."""
    detector = opened(answering({"o": zeros(1, CELLS, 112)}, [1, 3, 64, 64]), tmp_path)
    image = np.full((64, 64, 3), (BLUE, GREEN, RED), np.uint8)
    seen = detector._entrance.fill(image, (64, 64), detector._picture)[0][0, :, 9, 9]
    detector.close()
    wanted = [(BLUE - 103.53) / 57.375, (GREEN - 116.28) / 57.12, (RED - 123.675) / 58.395]
    assert seen == pytest.approx(wanted, abs=1e-4)


# ------------------------------------------------------------------ sizes


@pytest.mark.parametrize(
    ("made", "family"),
    [
        (convolving((8, 16, 32), 85, squashed_from=4), "YOLOX"),
        (convolving((8, 16, 32), 84, rows_last=True, squashed_from=4), "YOLOv8"),
    ],
    ids=["YOLOX", "YOLOv8"],
)
def test_a_head_of_layers_alone_takes_every_size(
    tmp_path: Path, made: onnx.ModelProto, family: str
) -> None:
    """A graph that says 64x64 is run at 192 to 416 where its layers allow it."""
    detector = opened(made, tmp_path)
    assert (detector.info.family, detector.info.input_sizes) == (family, (192, 256, 320, 416))
    detector.close()


def test_a_head_with_its_grid_inside_keeps_its_size(tmp_path: Path) -> None:
    """Where other sizes fail, the model's own is the only one."""
    detector = opened(answering({"o": yolox()}, [1, 3, 64, 64]), tmp_path)
    assert detector.info.input_sizes == (64,)
    assert detector.info.input == "float32 1x3x64x64, BGR, 0 to 255"
    detector.close()


def test_probe_tells_what_the_model_is(tmp_path: Path) -> None:
    """Family, input, labels and who told them, for `vestibule doctor`."""
    detector = opened(answering({"o": yolox()}, [1, 3, 64, 64]), tmp_path)
    said = asyncio.run(detector.probe()).found
    detector.close()
    assert said.startswith("YOLOX, float32 1x3x64x64, BGR, 0 to 255, 80 labels (as COCO")


# ------------------------------------------------------------------ names


def three_classes(metadata: Mapping[str, str] | None = None) -> onnx.ModelProto:
    """A YOLOv8 of three classes that finds one of the last."""
    output = zeros(1, 7, CELLS)
    output[0, :, 40] = 30, 20, 20, 30, 0, 0, 0.7
    return answering({"output0": output}, [1, 3, 64, 64], metadata=metadata)


def test_names_come_from_metadata_a_file_or_the_block(tmp_path: Path) -> None:
    """The block goes first, then the file beside the model, then the metadata."""
    made = three_classes(COCO_NAMES)
    assert one(made, tmp_path)[1] == "thing 2"
    (tmp_path / "own.labels.json").write_text('{"id2label": {"0": "a", "1": "b", "2": "c"}}')
    assert one(made, tmp_path)[1] == "c"
    (tmp_path / "own.labels.txt").write_text("cap\nvest\nhelmet\n")
    assert one(made, tmp_path)[1] == "helmet"
    assert one(made, tmp_path, classes=["x", "y", "person"])[1] == "person"


def test_a_wrong_number_of_names_is_told(tmp_path: Path) -> None:
    """Two names for three classes are refused, with both numbers and who told them."""
    with pytest.raises(ModelError, match=r"`classes` has 2 names, and the model 3 classes"):
        opened(three_classes(COCO_NAMES), tmp_path, classes=["a", "b"])
    (tmp_path / "own.labels.txt").write_text("a\nb\nc\nd")
    with pytest.raises(ModelError, match=r"own\.labels\.txt has 4 names"):
        opened(three_classes(), tmp_path)


def test_classes_that_nobody_names_are_refused(tmp_path: Path) -> None:
    """Three classes without names say what is missing and where it may stand."""
    with pytest.raises(ModelError, match=r"nobody says .* 3 classes.*`classes:`"):
        opened(three_classes(), tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("own.labels.txt", b"\xff\xfe\x00", "not UTF-8"),
        ("own.labels.txt", b"x" * 2_000_000, "is no list of names"),
        ("own.labels.txt", b"x" * 200, "at most 100 letters"),
        ("own.labels.json", b"{" * 100_000, "nobody says"),
        ("own.labels.json", b'{"labels": 5}', "nobody says"),
    ],
)
def test_a_file_that_is_no_list_of_names_is_told(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    """Bytes, a flood, and JSON of another shape are no names."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=says):
        opened(three_classes(), tmp_path)


def test_a_class_beyond_the_names_is_told(tmp_path: Path) -> None:
    """A list of finds with class 9 where three have names is refused when it is tried."""
    output = zeros(1, 300, 6)
    output[0, 0] = 20, 5, 40, 35, 0.9, 9
    made = answering({"o": output}, [1, 3, 64, 64], metadata=COCO_NAMES)
    detector = opened(made, tmp_path)
    with pytest.raises(ModelError, match="answers with class 9, and 3 classes have names"):
        looked(detector)


def test_labels_asked_for_are_told_apart_from_all(tmp_path: Path) -> None:
    """A model that knows none of the usual labels gives all; one that is asked amiss is refused."""
    made = three_classes(COCO_NAMES)
    detector = opened(made, tmp_path)
    detector.close()
    assert detector.info.labels == ("thing 0", "thing 1", "thing 2")
    some = opened(made, tmp_path, labels=["thing 1"])
    assert some.info.labels == ("thing 1",)
    assert looked(some) == []
    with pytest.raises(ModelError, match=r"none of the labels .*unicorn.*it knows thing 0"):
        opened(made, tmp_path, labels=["unicorn"])


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (answering({"o": zeros(1, 12)}, [1, 3, 64, 64]), r"no family .*o float \[1, 12\]"),
        (answering({"o": zeros(2, 84, CELLS)}, [2, 3, 64, 64]), "takes 2 pictures at once"),
        (answering({"o": yolox()}, [1, 2, 64, 64]), "its input is no picture"),
        (answering({"o": yolox()}, [1, 3, 1 << 20, 1 << 20]), "1048576x1048576 pixels"),
        (
            answering({"o": zeros(1, 116, CELLS)}, [1, 3, 64, 64], metadata={"task": "segment"}),
            "exported for the task segment",
        ),
        (
            answering({"o": zeros(1, CELLS, 60)}, [1, 3, 64, 64]),
            "could be YOLOX with 55 classes or NanoDet with 28 classes",
        ),
        (
            answering(
                {"o": yolox()}, [1, 3, 64, 64], more_inputs={"mask": (TensorProto.FLOAT, [1, 2])}
            ),
            r"wants more than a picture \(mask float",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(
    tmp_path: Path, made: onnx.ModelProto, says: str
) -> None:
    """The file, the shapes as they were found, and what was expected."""
    with pytest.raises(ModelError, match=rf"own\.onnx: .*{says}"):
        opened(made, tmp_path)


def test_names_settle_what_shapes_leave_open(tmp_path: Path) -> None:
    """Sixty columns are a NanoDet where 28 classes have names, a YOLOX where 55 have."""
    made = answering({"o": zeros(1, CELLS, 60)}, [1, 3, 64, 64])
    for count, family in ((28, "NanoDet"), (55, "YOLOX")):
        detector = opened(made, tmp_path, classes=[f"thing {n}" for n in range(count)])
        detector.close()
        assert detector.info.family == family
