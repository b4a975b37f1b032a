"""The YOLOX family, as published with it (Ge et al. 2021, arXiv 2107.08430).

Input `[1, 3, h, w]`, BGR, 0..255, the picture in the top left corner; output `[1, N, 5 + classes]`
with one row per cell of the stride 8, 16 and 32 grids: centre offset, log size, objectness and
class scores (both already squashed). As exported by its tools/export_onnx.py, without
`--decode_in_inference`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from plugins.detectors._head import (
    Asked,
    Floats,
    Graph,
    Head,
    Outputs,
    Picture,
    Rows,
    Size,
    best_of,
    cells,
    finite,
    sane,
    shaped,
)

STRIDES = (8, 16, 32)
WIDEST = 8.0  # half of the log sizes beyond it would be 3000 strides


def heads(graph: Graph) -> list[Head]:
    """How this family would read the graph; none where it would not."""
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        return []
    shape = graph.outputs[0].shape
    if len(shape) != 3 or shape[1] != cells(graph.size, STRIDES) or (shape[2] or 0) < 6:
        return []
    classes = (shape[2] or 0) - 5
    usual = ("person",) if classes == 1 else ()
    return [Head("YOLOX", classes, Picture(rgb=False), read, usual=usual)]


def read(outputs: Outputs, size: Size, asked: Asked) -> Rows:
    """Rows of one YOLOX output."""
    output = shaped(outputs[0], cells(size, STRIDES), None)
    sane(output[:, 4])
    with np.errstate(invalid="ignore"):
        huge = np.count_nonzero(output[:, 2:4] > WIDEST)
    if huge > len(output):  # of two numbers a row: most of them
        raise ValueError(
            "its boxes are in pixels already (YOLOv6, or YOLOX with --decode_in_inference); "
            "expected YOLOX as it is exported without that"
        )
    keep = np.flatnonzero(output[:, 4] >= asked.least)
    near = output[keep]
    rows, scores, classes = best_of(near[:, 5:] * near[:, 4:5], asked)
    keep = keep[rows]
    grid, stride = grids(size, STRIDES)
    with np.errstate(over="ignore", invalid="ignore"):
        centre = (output[keep, :2] + grid[keep]) * stride[keep]
        half = np.exp(output[keep, 2:4]) * stride[keep] / 2
        boxes = np.concatenate([centre - half, centre + half], axis=1)
    return finite(boxes, scores, classes)


@lru_cache(maxsize=64)
def grids(size: Size, strides: Sequence[int]) -> tuple[Floats, Floats]:
    """Column and row (n, 2) of every cell of the grids, and its stride (n, 1)."""
    places, steps = [], []
    for stride in strides:
        y, x = np.mgrid[0 : -(-size[0] // stride), 0 : -(-size[1] // stride)]
        places.append(np.stack([x, y], axis=2).reshape(-1, 2).astype(np.float32))
        steps.append(np.full((y.size, 1), stride, np.float32))
    return np.concatenate(places), np.concatenate(steps)
