"""NanoDet, NanoDet-Plus and PicoDet: each side of a box is a distribution over eight distances.

A cell's four sides (left, top, right, bottom) have eight numbers each; their softmax weighs the
distances 0 to 7, in strides from the cell's point (generalized focal loss, Li et al. 2020, arXiv
2006.04388). Class scores are already squashed.

- NanoDet-Plus: one output `[1, N, classes + 32]`, strides 8, 16, 32 and 64, the point at the cell's
  corner; NanoDet: strides 8, 16 and 32, the point in its middle. BGR by ImageNet's mean and
  deviation. As tools/export_onnx.py of github.com/RangiLyu/nanodet writes them
  (`_forward_onnx` of nanodet/model/head/nanodet_plus_head.py).
- PicoDet without its post-processing: for each stride 8, 16, 32 and 64 an output `[1, n, classes]`
  and one `[1, n, 32]`, the point in the cell's middle, RGB by ImageNet's mean and deviation (Yu et
  al. 2021, arXiv 2111.00902; `export.benchmark=True` of github.com/PaddlePaddle/PaddleDetection).
  Early NanoDet exports have the same pairs for three strides, BGR.
"""

from __future__ import annotations

from functools import partial

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
    shaped,
)
from plugins.detectors._yolox import grids

BINS = 8
SIDES = 4 * BINS
STRIDES = (8, 16, 32)
LARGE_STRIDES = (8, 16, 32, 64)


def heads(graph: Graph) -> list[Head]:
    """How this family would read the graph; none where it would not."""
    if len(graph.inputs) != 1:
        return []
    return _in_one(graph) if len(graph.outputs) == 1 else _in_pairs(graph)


def _in_one(graph: Graph) -> list[Head]:
    shape = [length or 0 for length in graph.outputs[0].shape]
    if len(shape) != 3 or shape[2] <= SIDES:
        return []
    picture = Picture.imagenet(rgb=False, fit="stretch")
    for strides, family, middle in (
        (LARGE_STRIDES, "NanoDet-Plus", 0.0),
        (STRIDES, "NanoDet", 0.5),
    ):
        if shape[1] == cells(graph.size, strides):
            read = partial(read_one, strides=strides, middle=middle)
            return [Head(family, shape[2] - SIDES, picture, read)]
    return []


def _in_pairs(graph: Graph) -> list[Head]:
    shapes = [tuple(length or 0 for length in port.shape) for port in graph.outputs]
    for strides in (LARGE_STRIDES, STRIDES):
        pairs = _pairs(shapes, graph.size, strides)
        if pairs:
            plain = strides == LARGE_STRIDES
            family = "PicoDet" if plain else "NanoDet"
            picture = Picture.imagenet(rgb=plain, fit="stretch")
            classes = shapes[pairs[0][0]][2]
            return [Head(family, classes, picture, partial(read_pairs, strides=strides,
                                                           pairs=pairs))]  # fmt: skip
    return []


def _pairs(
    shapes: list[tuple[int, ...]], size: Size, strides: tuple[int, ...]
) -> tuple[tuple[int, int], ...]:
    """For each stride which output has the classes and which the sides; empty where none fit."""
    if len(shapes) != 2 * len(strides) or any(len(shape) != 3 for shape in shapes):
        return ()
    found = []
    for stride in strides:
        of_stride = [n for n, shape in enumerate(shapes) if shape[1] == cells(size, (stride,))]
        if len(of_stride) != 2:
            return ()
        first, second = of_stride
        if shapes[second][2] != SIDES:
            first, second = second, first
        if shapes[second][2] != SIDES:
            return ()
        found.append((first, second))
    return tuple(found) if len({shapes[first][2] for first, _ in found}) == 1 else ()


def read_one(
    outputs: Outputs, size: Size, asked: Asked, *, strides: tuple[int, ...], middle: float
) -> Rows:
    """Rows of a NanoDet output."""
    output = shaped(outputs[0], cells(size, strides), None)
    return _decoded(output[:, :-SIDES], output[:, -SIDES:], size, asked, strides, middle)


def read_pairs(
    outputs: Outputs,
    size: Size,
    asked: Asked,
    *,
    strides: tuple[int, ...],
    pairs: tuple[tuple[int, int], ...],
) -> Rows:
    """Rows of PicoDet outputs."""
    counts = [cells(size, (stride,)) for stride in strides]
    scores, sides = (
        np.concatenate(
            [
                shaped(outputs[pair[which]], count, SIDES if which else None)
                for pair, count in zip(pairs, counts, strict=True)
            ]
        )
        for which in (0, 1)
    )
    return _decoded(scores, sides, size, asked, strides, 0.5)


def _decoded(
    scores: Floats,
    sides: Floats,
    size: Size,
    asked: Asked,
    strides: tuple[int, ...],
    middle: float,
) -> Rows:
    rows, best, classes = best_of(scores, asked)
    grid, stride = grids(size, strides)
    bins = sides[rows].reshape(-1, 4, BINS)
    with np.errstate(invalid="ignore", over="ignore"):
        weights = np.exp(bins - bins.max(axis=2, keepdims=True, initial=-np.inf))
        distances = weights @ np.arange(BINS, dtype=np.float32) / weights.sum(axis=2)
        point = (grid[rows] + middle) * stride[rows]
        reach = distances * stride[rows]
    boxes = np.concatenate([point - reach[:, :2], point + reach[:, 2:]], axis=1)
    return finite(boxes, best, classes)
