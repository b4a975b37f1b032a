"""The YOLOX family: what its graphs look like, how a picture goes in and boxes come out.

Input `[1, 3, h, w]` float32, BGR, 0..255; output `[1, N, 5 + classes]` with one row per cell of the
stride 8, 16 and 32 grids: centre offset, log size, objectness and class scores (already squashed).
As published with YOLOX (Ge et al. 2021, arXiv 2107.08430).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

STRIDES = (8, 16, 32)
PADDING = 114
COCO = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog",
    "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella",
    "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite",
    "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange",
    "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant",
    "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone",
    "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip

Shape = Sequence[int | str | None]


def cells(height: int, width: int) -> int:
    """How many rows a YOLOX head gives for an input of this size."""
    return sum((height // stride) * (width // stride) for stride in STRIDES)


def labels_of(columns: int) -> tuple[str, ...] | None:
    """The names of a head's classes: 80 are COCO's, a single one is a person; else None."""
    return {5 + len(COCO): COCO, 6: ("person",)}.get(columns)


def unreadable(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> str:
    """Why these shapes are not of a YOLOX graph this driver reads; "" when they are."""
    found = f"inputs {_shapes(inputs)}, outputs {_shapes(outputs)}"
    wanted = (
        "expected one input [1, 3, h, w] and one output [1, N, 85] (COCO) or [1, N, 6] (person)"
    )
    if len(inputs) != 1 or len(outputs) != 1:
        return f"{found}; {wanted}"
    source, result = inputs[0], outputs[0]
    if len(source) != 4 or source[1] != 3:
        return f"{found}; {wanted}"
    if len(result) != 3:
        return f"{found}; {wanted}"
    columns = result[2]
    height, width = source[2], source[3]
    if not isinstance(columns, int) or labels_of(columns) is None:
        likely = " (this looks like YOLOv8 or later)" if result[1] == 84 else ""
        return f"{found}{likely}; {wanted}"
    if isinstance(height, int) and isinstance(width, int) and isinstance(result[1], int):
        rows = cells(height, width)
        if result[1] != rows:
            return f"{found}; a YOLOX head on {height}x{width} gives {rows} rows"
    return ""


def letterbox(
    image: NDArray[np.uint8], height: int, width: int
) -> tuple[NDArray[np.float32], float]:
    """The picture scaled into the top left of an input, and by how much it was scaled.

    `image` is uint8 (h, w, 3) BGR; the tensor is float32 (1, 3, height, width), padded with 114.
    """
    rows, columns = image.shape[:2]
    scale = min(width / columns, height / rows)
    across = max(1, min(width, round(columns * scale)))
    down = max(1, min(height, round(rows * scale)))
    if (down, across) != (rows, columns):
        image = _resized(image, across, down)
    tensor = np.full((1, 3, height, width), PADDING, np.float32)
    tensor[0, :, :down, :across] = image.transpose(2, 0, 1)
    return tensor, scale


def _resized(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    from PIL import Image

    step = min(image.shape[1] // width, image.shape[0] // height) // 2
    if step >= 2:  # far larger than needed: reading every pixel would only cost time
        image = np.ascontiguousarray(image[::step, ::step])
    return np.asarray(
        Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR), np.uint8
    )


def boxes_of(
    output: NDArray[np.float32],
    height: int,
    width: int,
    wanted: NDArray[np.intp],
    least: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.intp]]:
    """Boxes (n, 4) x1 y1 x2 y2 in input pixels, scores (n,) and classes (n,), best first.

    `output` is (rows, columns) of one picture, `wanted` the class numbers asked for, `least` the
    lowest score to keep. Rows that are not finite are left out.
    """
    keep = np.flatnonzero(output[:, 4] >= least)
    classes = output[keep][:, 5 + wanted] * output[keep, 4:5]
    best = classes.argmax(axis=1)
    scores = classes[np.arange(len(best)), best]
    sure = scores >= least
    keep, best, scores = keep[sure], best[sure], scores[sure]
    grid, stride = _grid(height, width)
    with np.errstate(over="ignore"):
        centre = (output[keep, :2] + grid[keep]) * stride[keep]
        half = np.exp(output[keep, 2:4]) * stride[keep] / 2
    boxes = np.concatenate([centre - half, centre + half], axis=1)
    finite = np.isfinite(boxes).all(axis=1)
    order = np.flatnonzero(finite)[np.argsort(-scores[finite], kind="stable")]
    return boxes[order].astype(np.float32), scores[order].astype(np.float32), wanted[best[order]]


@lru_cache(maxsize=64)
def _grid(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    corners, sizes = [], []
    for stride in STRIDES:
        y, x = np.mgrid[0 : height // stride, 0 : width // stride]
        corners.append(np.stack([x, y], axis=2).reshape(-1, 2).astype(np.float32))
        sizes.append(np.full((y.size, 1), stride, np.float32))
    return np.concatenate(corners), np.concatenate(sizes)


def suppress(
    boxes: NDArray[np.float32], classes: NDArray[np.intp], overlap: float
) -> NDArray[np.intp]:
    """Which boxes stay (indices), greedily, best first, each class by itself."""
    order = np.arange(len(boxes))
    kept: list[int] = []
    areas = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    while order.size:
        first, rest = order[0], order[1:]
        kept.append(int(first))
        low = np.maximum(boxes[first, :2], boxes[rest, :2])
        high = np.minimum(boxes[first, 2:], boxes[rest, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        union = np.maximum(areas[first] + areas[rest] - shared, 1e-6)
        order = rest[(shared / union <= overlap) | (classes[rest] != classes[first])]
    return np.array(kept, np.intp)


def _shapes(shapes: Sequence[Shape]) -> str:
    return ", ".join(
        "[" + ", ".join(str(part if part is not None else "?") for part in shape) + "]"
        for shape in shapes
    )
