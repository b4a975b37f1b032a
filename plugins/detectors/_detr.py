"""RT-DETR, D-FINE and DEIM: a fixed number of queries, no grid and no suppression.

RGB, 0..1, the picture stretched to the input (Zhao et al. 2023, arXiv 2304.08069; Peng et al. 2024,
arXiv 2410.13842).

- As their own tools/export_onnx.py write them: inputs `images` `[1, 3, h, w]` and
  `orig_target_sizes` `[1, 2]` (width, height); outputs `labels` `[1, K]`, `boxes` `[1, K, 4]`
  (x1, y1, x2, y2 in pixels of that size) and `scores` `[1, K]`.
- As the package transformers exports them: input `pixel_values`; outputs `logits`
  `[1, K, classes]` before their sigmoid, and `pred_boxes` `[1, K, 4]`, centre and size in parts
  of the input.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from plugins.detectors._head import (
    Asked,
    Floats,
    Graph,
    Head,
    Output,
    Outputs,
    Picture,
    Rows,
    Size,
    best_of,
    corners,
    finite,
    listed,
    scaled,
    shaped,
)
from plugins.detectors._names import COCO

SIZES = "orig_target_sizes"
TYPES = {"int64": np.int64, "int32": np.int32, "float": np.float32}
SOFTMAX = 92  # columns of the first DETR: COCO's 91 and one for nothing, under a softmax


def heads(graph: Graph) -> list[Head]:
    """How this family would read the graph; none where it would not."""
    picture = Picture.unit("stretch")
    sizes = next((port for port in graph.inputs if port.name == SIZES), None)
    if sizes is not None and len(graph.inputs) == 2 and sizes.kind in TYPES:
        order = _labels_boxes_scores(graph)
        if order is not None:
            feed = partial(_original_size, kind=sizes.kind)
            read = partial(read_finds, order=order)
            return [Head("RT-DETR or D-FINE", None, picture, read, feed, distinct=True,
                         resizable=False, usual=COCO)]  # fmt: skip
    logits, boxes = graph.output("logits"), graph.output("pred_boxes")
    if len(graph.inputs) != 1 or logits is None or boxes is None:
        return []
    of_logits, of_boxes = graph.outputs[logits].shape, graph.outputs[boxes].shape
    if len(of_logits) != 3 or of_boxes != (1, of_logits[1], 4) or of_logits[2] == SOFTMAX:
        return []
    read = partial(read_queries, logits=logits, boxes=boxes)
    return [Head("RT-DETR or D-FINE", of_logits[2], picture, read, distinct=True,
                 resizable=False)]  # fmt: skip


def _labels_boxes_scores(graph: Graph) -> tuple[int, int, int] | None:
    labels, boxes, scores = (graph.output(name) for name in ("labels", "boxes", "scores"))
    if labels is None or boxes is None or scores is None:
        return None
    shape = graph.outputs[scores].shape
    fits = graph.outputs[labels].shape == shape and graph.outputs[boxes].shape == (*shape, 4)
    return (labels, boxes, scores) if fits and len(shape) == 2 else None


def _original_size(size: Size, *, kind: str) -> dict[str, Output]:
    """The input's own size, so that boxes come in its pixels."""
    return {SIZES: np.array([size[::-1]], TYPES[kind])}


def read_finds(outputs: Outputs, size: Size, asked: Asked, *, order: tuple[int, int, int]) -> Rows:
    """Rows of labels, boxes and scores."""
    labels, boxes, scores = (outputs[number] for number in order)
    count = scores.shape[-1]
    found = shaped(boxes, count, 4)
    return listed(found, shaped(scores, count), shaped(labels, count), asked)


def read_queries(outputs: Outputs, size: Size, asked: Asked, *, logits: int, boxes: int) -> Rows:
    """Rows of logits and boxes."""
    raw = shaped(outputs[logits], None, None)
    places = shaped(outputs[boxes], len(raw), 4)
    rows, scores, classes = best_of(_sigmoid(raw), asked)
    return finite(scaled(corners(places[rows]), size), scores, classes)


def _sigmoid(values: Floats) -> Floats:
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-values)), np.float32)
