"""YOLOv5 to YOLOv12 and what is exported like them.

All take `[1, 3, h, w]`, RGB, 0..1, the picture in the middle of a grey (114) frame, and answer in
input pixels. One output, by generation:

- YOLOv5 and v7: `[1, N, 5 + classes]`, three rows per cell of the stride 8, 16 and 32 grids:
  centre x, centre y, width, height, objectness, class scores. As export.py of
  github.com/ultralytics/yolov5 writes them.
- YOLOv8, 9, 11, 12: `[1, 4 + classes, N]`, one column per cell: centre x, centre y, width, height,
  class scores, no objectness. As `yolo export format=onnx` of the package ultralytics writes them,
  with `names`, `task`, `stride` and `imgsz` in the metadata.
- YOLOv10, and others with `nms=True`: `[1, K, 6]`, K finds: x1, y1, x2, y2, score, class number.
- RT-DETR exported by ultralytics: `[1, K, 4 + classes]`, the centre and size in parts of the input,
  the picture stretched.
"""

from __future__ import annotations

import numpy as np

from plugins.detectors._head import (
    Asked,
    Graph,
    Head,
    Outputs,
    Picture,
    Rows,
    Size,
    best_of,
    cells,
    corners,
    finite,
    listed,
    sane,
    scaled,
    shaped,
)

STRIDES = (8, 16, 32)
LARGE_STRIDES = (8, 16, 32, 64)  # of the P6 models
ANCHORS = 3
MOST_FINDS = 1000


def heads(graph: Graph) -> list[Head]:
    """How this family would read the graph; none where it would not."""
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        return []
    shape = [length or 0 for length in graph.outputs[0].shape]
    if len(shape) != 3 or graph.metadata.get("task", "detect") != "detect":
        return []
    _, rows, columns = shape
    if 0 < rows <= MOST_FINDS and _is_rtdetr(graph) and columns > 4:
        stretched = Picture.unit("stretch")
        return [Head("RT-DETR", columns - 4, stretched, read_queries, distinct=True,
                     resizable=False)]  # fmt: skip
    for strides in (STRIDES, LARGE_STRIDES):
        one = cells(graph.size, strides)
        if columns == one and rows > 4:
            return [Head(_generation(graph), rows - 4, Picture.unit(), read_columns)]
        if rows == one * ANCHORS and columns > 5:
            return [Head("YOLOv5", columns - 5, Picture.unit(), read_rows)]
        if rows == one:
            return []
    if 0 < rows <= MOST_FINDS and columns == 6:
        return [Head(_generation(graph, "YOLOv10"), None, Picture.unit(), read_finds,
                     distinct=True)]  # fmt: skip
    return []


def _generation(graph: Graph, unknown: str = "YOLOv8") -> str:
    """What the metadata calls it, such as YOLO11; many are exported alike."""
    for word in graph.metadata.get("description", "").split():
        if word.lower().startswith("yolo") and word[4:].lstrip("vV")[:1].isdigit():
            return f"YOLO{word[4:].rstrip('nsmlx')}"
    return unknown


def _is_rtdetr(graph: Graph) -> bool:
    return "rtdetr" in graph.metadata.get("description", "").lower().replace("-", "")


def read_columns(outputs: Outputs, size: Size, asked: Asked) -> Rows:
    """Rows of a YOLOv8 output."""
    count = cells(size, STRIDES)
    if outputs[0].shape[-1] != count:
        count = cells(size, LARGE_STRIDES)
    output = shaped(outputs[0], None, count)
    best = output[4:][asked.classes].max(axis=0)
    sane(best)
    near = np.flatnonzero(best >= asked.least)
    some = output[:, near].T
    rows, scores, classes = best_of(some[:, 4:], asked)
    return finite(corners(some[rows, :4]), scores, classes)


def read_rows(outputs: Outputs, size: Size, asked: Asked) -> Rows:
    """Rows of a YOLOv5 output."""
    count = ANCHORS * cells(size, STRIDES)
    if outputs[0].shape[1] != count:
        count = ANCHORS * cells(size, LARGE_STRIDES)
    output = shaped(outputs[0], count, None)
    sane(output[:, 4])
    near = output[output[:, 4] >= asked.least]
    rows, scores, classes = best_of(near[:, 5:] * near[:, 4:5], asked)
    return finite(corners(near[rows, :4]), scores, classes)


def read_finds(outputs: Outputs, size: Size, asked: Asked) -> Rows:
    """Rows of a YOLOv10 output."""
    output = shaped(outputs[0], None, 6)
    return listed(output[:, :4], output[:, 4], output[:, 5], asked)


def read_queries(outputs: Outputs, size: Size, asked: Asked) -> Rows:
    """Rows of an RT-DETR output as ultralytics exports it."""
    output = shaped(outputs[0], None, None)
    rows, scores, classes = best_of(output[:, 4:], asked)
    return finite(scaled(corners(output[rows, :4]), size), scores, classes)
