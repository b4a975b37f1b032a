"""Numba kernels that read the picture: the mean grey level of every cell of a luma plane.

The plane is read as 64-bit words where it lies: eight pixels a step, no copies.
"""

# Numba ships few type hints: its decorators and intrinsics are untyped.
# mypy: disable-error-code="untyped-decorator, no-untyped-call, call-arg"
# mypy: disable-error-code="attr-defined, import-untyped"

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from hub.perception import motion_grid as G
from hub.perception.motion_cache import OPTIONS

F = np.float32
EVEN = np.uint64(0x00FF00FF00FF00FF)
LANES = np.uint64(0x0001000100010001)
BYTE = np.uint64(8)
TOP = np.uint64(48)


@intrinsic
def _as_words(typing_context: Any, luma: Any) -> Any:
    """The plane's memory read as 64-bit words: no copy, no new array object."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        plane = context.make_array(luma)(context, builder, args[0])
        return builder.bitcast(plane.data, context.get_value_type(signature.return_type))

    return types.CPointer(types.uint64)(luma), build


@intrinsic
def _prefetch(typing_context: Any, words: Any, at: Any) -> Any:
    """Ask for the cache line that holds `words[at]`; past the end it asks in vain, unharmed."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        line = builder.bitcast(builder.gep(args[0], [args[1]]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [line.type, number, number, number])
        fetch = builder.module.declare_intrinsic("llvm.prefetch", [line.type], kind)
        builder.call(fetch, [line, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(words, at), build


@intrinsic
def _address(typing_context: Any, luma: Any) -> Any:
    """Where the plane's first pixel lies in memory."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        plane = context.make_array(luma)(context, builder, args[0])
        return builder.ptrtoint(plane.data, context.get_value_type(types.int64))

    return types.int64(luma), build


@njit(inline="always")
def _pairs(word: Any) -> Any:
    """Eight pixels as four 16-bit sums of two."""
    return (word & EVEN) + ((word >> BYTE) & EVEN)


@njit(**OPTIONS)
def _fetch_row(words: Any, at: int, count: int) -> None:
    """Have a row brought near while others are summed."""
    for j in range(0, count, 8):
        _prefetch(words, at + j)


@njit(**OPTIONS)
def _add_row(words: Any, at: int, count: int, sums: Any) -> None:
    for j in range(count):
        sums[j] += _pairs(words[at + j])


@njit(**OPTIONS)
def _add_two(words: Any, at: int, stride: int, count: int, first: bool, sums: Any) -> None:
    """Add a row and the one `stride` words on; `first` ones need no sums to add to."""
    other = at + stride
    if first:
        for j in range(count):
            sums[j] = _pairs(words[at + j]) + _pairs(words[other + j])
        return
    for j in range(count):
        sums[j] += _pairs(words[at + j]) + _pairs(words[other + j])


@njit(**OPTIONS)
def _add_rows(
    words: Any, at: int, below: int, stride: int, count: int, rows: int, sums: Any
) -> None:
    """Sum `rows` rows of eight pixels a word into four 16-bit lanes a word.

    Each lane holds two pixels of every row; up to 32 rows leave room for the final sum of the
    four lanes. Two rows are summed while the same two of the next line of cells, at `below`, are
    fetched: memory and arithmetic then wait for each other least.
    """
    if rows == 1:
        for j in range(count):
            sums[j] = np.uint64(0)
    for row in range(0, rows - 1, 2):
        _fetch_row(words, below + row * stride, count)
        _fetch_row(words, below + (row + 1) * stride, count)
        _add_two(words, at + row * stride, stride, count, row == 0, sums)
    if rows % 2 == 1:
        last = (rows - 1) * stride
        _fetch_row(words, below + last, count)
        _add_row(words, at + last, count, sums)


@njit(**OPTIONS)
def _add_bytes(luma: Any, y: int, step: int, rows: int, words: int, sums: Any) -> None:
    """As `_add_rows`, for planes whose rows do not start on word boundaries."""
    for j in range(words):
        sums[j] = np.uint64(0)
    for row in range(rows):
        line = luma[y + row * step]
        for j in range(words):
            at = 8 * j
            for lane in range(4):
                pair = np.uint64(line[at + 2 * lane]) + np.uint64(line[at + 2 * lane + 1])
                sums[j] += pair << np.uint64(16 * lane)


@njit(**OPTIONS)
def _cell_row(sums: Any, words_per_cell: int, words: int, scale: Any, out: Any) -> None:
    """Means of one line of cells from its word sums; `scale` is 1 / pixels of each cell."""
    cells = out.shape[0]
    if words_per_cell == 1:
        for g in range(cells):
            out[g] = F(np.int32((sums[g] * LANES) >> TOP)) * scale[g]
        return
    for g in range(cells):
        total = np.int32(0)
        for j in range(g * words_per_cell, min(words, (g + 1) * words_per_cell)):
            total += np.int32((sums[j] * LANES) >> TOP)
        out[g] = F(total) * scale[g]


@njit(**OPTIONS)
def measure(luma: Any, shape: Any, scale: Any, sums: Any, field: Any) -> None:
    """Fill `field[MEAN]` with the mean grey level of every cell of `luma` (uint8, rows strided)."""
    lines = shape[G.LINES]
    columns = shape[G.COLUMNS]
    pitch = shape[G.PITCH]
    cell_h = shape[G.CELL_H]
    step = shape[G.ROW_STEP]
    count = shape[G.WORDS]
    height = luma.shape[0]
    stride = luma.strides[0]
    aligned = luma.strides[1] == 1 and stride > 0 and stride % 8 == 0 and _address(luma) % 8 == 0
    word_stride = stride // 8
    words: Any = _as_words(luma)
    for line in range(lines):
        top = line * cell_h
        rows = (min(cell_h, height - top) + step - 1) // step
        if aligned:
            at = top * word_stride
            below = at + cell_h * word_stride
            _add_rows(words, at, below, word_stride * step, count, rows, sums)
        else:
            _add_bytes(luma, top, step, rows, count, sums)
        start = (line + 1) * pitch + 1
        out = field[G.MEAN, start : start + columns]
        _cell_row(sums, shape[G.CELL_WORDS], count, scale[line], out)
