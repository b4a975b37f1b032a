"""SSD and its relatives whose graphs end in a list of finds.

- TensorFlow's detection zoo by way of tf2onnx: input `[1, h, w, 3]` uint8, RGB, which the graph
  scales itself; outputs `detection_boxes` `[1, K, 4]` (y1, x1, y2, x2 in parts of the picture),
  `detection_scores` `[1, K]`, `detection_classes` `[1, K]` (from 1) and `num_detections` `[1]`
  (research/object_detection/g3doc/exporting_models.md of github.com/tensorflow/models).
- torchvision: input `[1, 3, h, w]` RGB, 0..1; outputs `[K, 4]` (x1, y1, x2, y2 in input pixels),
  scores `[K]` and labels `[K]` int64 (from 1).
- Caffe's DetectionOutput layer: one output `[1, 1, K, 7]`: picture, class (from 1), score, x1, y1,
  x2, y2 in parts of the input; a row whose picture is -1 ends the list. Input `[1, 3, h, w]` BGR,
  -1..1 as MobileNet-SSD has it (Liu et al. 2015, arXiv 1512.02325).
"""

from __future__ import annotations

from functools import partial

import numpy as np

from plugins.detectors._head import (
    Asked,
    Graph,
    Head,
    Outputs,
    Picture,
    Rows,
    Size,
    listed,
    scaled,
    shaped,
)
from plugins.detectors._names import COCO_IDS

MOST_FINDS = 5000


def heads(graph: Graph) -> list[Head]:
    """How this family would read the graph; none where it would not."""
    if len(graph.inputs) != 1:
        return []
    if len(graph.outputs) == 1:
        return _caffe(graph)
    if graph.inputs[0].shape[-1:] == (3,):
        return _tensorflow(graph)
    return _torchvision(graph) if len(graph.outputs) == 3 else []


def _caffe(graph: Graph) -> list[Head]:
    shape = graph.outputs[0].shape
    if len(shape) != 4 or shape[:2] != (1, 1) or shape[3] != 7:
        return []
    middle = (127.5, 127.5, 127.5)
    picture = Picture(rgb=False, mean=middle, spread=middle, fit="stretch")
    return [Head("SSD (Caffe)", None, picture, read_caffe, first=1, resizable=False)]


def _tensorflow(graph: Graph) -> list[Head]:
    boxes, scores = graph.output("boxes"), graph.output("scores")
    classes, count = graph.output("classes", "labels"), graph.output("num")
    if boxes is None or scores is None or classes is None:
        return []
    found = graph.outputs[scores].shape
    if len(found) != 2 or graph.outputs[boxes].shape != (*found, 4):
        return []
    if graph.outputs[classes].shape != found or (graph.inputs[0].kind != "uint8"):
        return []
    read = partial(read_tensorflow, boxes=boxes, scores=scores, classes=classes, count=count)
    picture = Picture(rgb=True, fit="stretch")
    return [Head("SSD (TensorFlow)", None, picture, read, first=1, resizable=False,
                 usual=COCO_IDS)]  # fmt: skip


def _torchvision(graph: Graph) -> list[Head]:
    ports = list(enumerate(graph.outputs))
    boxes = [n for n, port in ports if len(port.shape) == 2 and port.shape[1] == 4]
    labels = [n for n, port in ports if len(port.shape) == 1 and port.kind == "int64"]
    scores = [n for n, port in ports if len(port.shape) == 1 and port.kind.startswith("float")]
    if not len(boxes) == len(labels) == len(scores) == 1:
        return []
    read = partial(read_torchvision, boxes=boxes[0], scores=scores[0], labels=labels[0])
    return [Head("SSD (torchvision)", None, Picture.unit("stretch"), read, first=1,
                 resizable=False, usual=COCO_IDS)]  # fmt: skip


def read_caffe(outputs: Outputs, size: Size, asked: Asked) -> Rows:
    """Rows of a DetectionOutput layer."""
    output = outputs[0]
    if output.ndim != 4 or output.shape[:2] != (1, 1) or output.shape[3] != 7:
        found = list(output.shape)
        raise ValueError(f"an output has the shape {found}; expected [1, 1, N, 7]")
    found = output[0, 0].astype(np.float32, copy=False)
    ends = np.flatnonzero(found[:, 0] < 0)
    found = found[: ends[0] if len(ends) else MOST_FINDS]
    return listed(scaled(found[:, 3:], size), found[:, 2], found[:, 1], asked)


def read_tensorflow(
    outputs: Outputs,
    size: Size,
    asked: Asked,
    *,
    boxes: int,
    scores: int,
    classes: int,
    count: int | None,
) -> Rows:
    """Rows of TensorFlow's outputs."""
    places = shaped(outputs[boxes], None, 4)
    sure, numbers = (shaped(outputs[number], len(places)) for number in (scores, classes))
    if count is not None:
        said = float(np.asarray(outputs[count]).reshape(-1)[:1].sum())
        if not 0 <= said <= len(places):
            raise ValueError(f"it counts {said:g} finds in a list of {len(places)}")
        places, sure, numbers = places[: int(said)], sure[: int(said)], numbers[: int(said)]
    return listed(scaled(places[:, [1, 0, 3, 2]], size), sure, numbers, asked)


def read_torchvision(
    outputs: Outputs, size: Size, asked: Asked, *, boxes: int, scores: int, labels: int
) -> Rows:
    """Rows of torchvision's outputs."""
    places = outputs[boxes]
    if places.ndim != 2 or places.shape[1] != 4:
        raise ValueError(f"an output has the shape {list(places.shape)}; expected [N, 4]")
    rest = [shaped(outputs[number][None], len(places)) for number in (scores, labels)]
    return listed(places.astype(np.float32, copy=False), rest[0], rest[1], asked)
