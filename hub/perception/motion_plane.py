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
from numba import carray, njit, types
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
        array = context.make_array(words)(context, builder, args[0])
        line = builder.bitcast(builder.gep(array.data, [args[1]]), ir.IntType(8).as_pointer())
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
def _add_eight(words: Any, at: int, stride: int, count: int, sums: Any) -> None:
    """`_add_rows` for the common case: eight rows in one pass, the sums written once."""
    a = words[at : at + count]
    b = words[at + stride : at + stride + count]
    c = words[at + 2 * stride : at + 2 * stride + count]
    d = words[at + 3 * stride : at + 3 * stride + count]
    e = words[at + 4 * stride : at + 4 * stride + count]
    f = words[at + 5 * stride : at + 5 * stride + count]
    g = words[at + 6 * stride : at + 6 * stride + count]
    h = words[at + 7 * stride : at + 7 * stride + count]
    for j in range(count):
        upper = _pairs(a[j]) + _pairs(b[j]) + _pairs(c[j]) + _pairs(d[j])
        lower = _pairs(e[j]) + _pairs(f[j]) + _pairs(g[j]) + _pairs(h[j])
        sums[j] = upper + lower


@njit(**OPTIONS)
def _add_rows(words: Any, at: int, stride: int, count: int, rows: int, sums: Any) -> None:
    """Sum `rows` rows of eight pixels a word into four 16-bit lanes a word.

    Each lane holds two pixels of every row; up to 32 rows leave room for the final sum of the
    four lanes.
    """
    if rows == 8:
        _add_eight(words, at, stride, count, sums)
        return
    for j in range(count):
        sums[j] = np.uint64(0)
    for row in range(rows):
        line = words[at + row * stride : at + row * stride + count]
        for j in range(count):
            sums[j] += _pairs(line[j])


@njit(**OPTIONS)
def _fetch_rows(words: Any, at: int, stride: int, count: int, rows: int) -> None:
    """Have rows brought near while others are summed: a fifth off a pass over a cold plane."""
    for row in range(rows):
        for j in range(0, count, 8):
            _prefetch(words, at + row * stride + j)


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
    words = carray(_as_words(luma), ((height - 1) * max(word_stride, 1) + count,))
    for line in range(lines):
        top = line * cell_h
        rows = (min(cell_h, height - top) + step - 1) // step
        if aligned:
            below = (top + cell_h) * word_stride
            _fetch_rows(words, below, word_stride * step, count, rows)
            _add_rows(words, top * word_stride, word_stride * step, count, rows, sums)
        else:
            _add_bytes(luma, top, step, rows, count, sums)
        start = (line + 1) * pitch + 1
        out = field[G.MEAN, start : start + columns]
        _cell_row(sums, shape[G.CELL_WORDS], count, scale[line], out)
