"""Numba kernels that collect the cells of a mover, run by run along the lines.

Eight labels are read as one word: a mover is mostly a few cells wide, and a branch for each cell
costs more than all else that is done with it.
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

from hub.perception.motion_cache import OPTIONS

ONES = np.uint64(0x0101010101010101)
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
WORD = ir.IntType(64)


def _place(context: Any, builder: Any, labels: Any, args: Any) -> Any:
    data = context.make_array(labels)(context, builder, args[0]).data
    return builder.bitcast(builder.gep(data, [args[1]]), WORD.as_pointer())


@intrinsic
def _eight(typing_context: Any, labels: Any, at: Any) -> Any:
    """The eight labels from `at` on as one word, wherever that begins."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(_place(context, builder, labels, args), align=1)

    return types.uint64(labels, at), build


@intrinsic
def _put_eight(typing_context: Any, labels: Any, at: Any, word: Any) -> Any:
    """Put a word in place of the eight labels from `at` on."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[2], _place(context, builder, labels, args), align=1)
        return context.get_dummy_value()

    return types.void(labels, at, word), build


@intrinsic
def _low_zeros(typing_context: Any, word: Any) -> Any:
    """How many of the lowest bits are 0, in a word that is not."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.IntType(1)(1))

    return types.int64(word), build


@njit(**OPTIONS)
def _next(labels: Any, at: int, past: int) -> Any:
    """The first labelled cell from `at` on; when there is none before `past`, one from there on."""
    while at < past:
        word: Any = _eight(labels, at)
        if word != 0:
            return at + (_low_zeros(word) >> 3)
        at += 8
    return at


@njit(**OPTIONS)
def _end(labels: Any, at: int) -> Any:
    """The first cell from `at` on that is not labelled (labels are 0, 1 and 2)."""
    while True:
        word: Any = _eight(labels, at)
        calm = ~(word | (word >> np.uint64(1))) & ONES
        if calm != 0:
            return at + (_low_zeros(calm) >> 3)
        at += 8


@njit(**OPTIONS)
def _take(labels: Any, at: int, runs: Any, many: int) -> Any:
    """Put the run of labelled cells around `at` behind the `many` there are, and clear it.

    Returns the cell past its last.
    """
    first = at
    while labels[first - 1] != 0:
        first -= 1
    past = _end(labels, at)
    runs[many, 0] = first
    runs[many, 1] = past
    for _ in range((past - first) >> 3):
        _put_eight(labels, first, np.uint64(0))
        first += 8
    rest = _eight(labels, first) & (ALL << np.uint64(8 * (past - first)))
    _put_eight(labels, first, rest)
    return past


@njit(**OPTIONS)
def grow(seed: int, labels: Any, pitch: int, cells: Any, runs: Any) -> Any:
    """Collect the labelled cells joined to `seed` (eight neighbours), clearing their labels.

    Each run of cells is followed by those that touch it above, then below. Returns how many cells
    there are, in how many runs; up to seven behind the cells are overwritten.
    """
    many = np.int64(0)  # a literal would have `_take` compiled once more
    _take(labels, seed, runs, many)
    many += 1
    head = 0
    count = 0
    while head < many:
        first = runs[head, 0]
        past = runs[head, 1]
        head += 1
        for k in range(0, past - first, 8):
            for j in range(8):
                cells[count + k + j] = first + k + j
        count += past - first
        for shift in (-pitch, pitch):
            stop = past + shift + 1
            at = _next(labels, first + shift - 1, stop)
            while at < stop:
                at = _next(labels, _take(labels, at, runs, many) + 1, stop)
                many += 1
    return count, many
