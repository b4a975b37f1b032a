"""Which family a graph is of: each says how it would read it; names settle what shapes leave open.

There is no standard for what a detector's graph gives. Where two families fit, the one whose number
of classes is that of the names goes first, then the one with a number that is well known.
"""

from __future__ import annotations

from collections.abc import Callable

from plugins.detectors import _detr, _distribution, _ssd, _yolo, _yolox
from plugins.detectors._head import Graph, Head
from plugins.detectors._names import KNOWN, in_metadata

FAMILIES: tuple[Callable[[Graph], list[Head]], ...] = (
    _yolox.heads, _yolo.heads, _distribution.heads, _detr.heads, _ssd.heads,
)  # fmt: skip
EXPECTED = (
    "YOLOX [1, N, 5 + classes], YOLOv5 [1, 3 N, 5 + classes], YOLOv8 to YOLO12 [1, 4 + classes, N],"
    " YOLOv10 [1, K, 6], NanoDet [1, N, classes + 32], PicoDet (a [1, n, classes] and a [1, n, 32]"
    " for each stride), SSD (boxes, scores, classes, or [1, 1, K, 7]), RT-DETR and D-FINE (labels,"
    " boxes, scores, or logits and pred_boxes), N being the cells of its input size"
)
TASKS = {"segment", "pose", "classify", "obb"}


def head_of(graph: Graph, names: int) -> Head:
    """How to read the graph, `names` being how many class names are told beside it.

    Raises `ValueError` with the reason and the shapes.
    """
    found: list[Head] = [head for heads in FAMILIES for head in heads(graph)]
    names = names or len(in_metadata(graph.metadata).names)
    if len(found) > 1 and names:
        found = [head for head in found if head.classes == names] or found
    if len(found) > 1:
        found = [head for head in found if head.classes in KNOWN] or found
    if len(found) == 1:
        return found[0]
    height, width = graph.size
    shapes = f"{graph}, for a picture of {height}x{width}"
    if found:
        could = " or ".join(f"{head.family} with {head.classes} classes" for head in found)
        raise ValueError(
            f"it could be {could} ({shapes}); tell its classes, in its metadata, in a file beside "
            "it or as `classes:`"
        )
    task = graph.metadata.get("task", "")
    if task in TASKS:
        raise ValueError(f"it was exported for the task {task}, not detect ({shapes})")
    raise ValueError(f"it is of no family that is known ({shapes}); expected {EXPECTED}")
