"""Cells that touch are one mover, whatever their shape, and vectors are read where it is fast."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hub.perception import motion_grid as G
from hub.perception import motion_numpy
from hub.perception.motion import MotionGate
from hub.perception.motion_grow import grow

LINES, PITCH = 9, 32  # of a padded grid: no cell of the border is ever labelled


def labelled(cells: set[int]) -> NDArray[np.uint8]:
    """A padded grid whose `cells` are labelled, with room behind it as the gate has."""
    labels = np.zeros(LINES * PITCH + 8, np.uint8)[: LINES * PITCH]
    for cell in cells:
        labels[cell] = 1 + cell % 2
    return labels


def joined(seed: int, cells: set[int]) -> set[int]:
    """The cells joined to `seed`, one neighbour at a time."""
    found, ahead = {seed}, [seed]
    for cell in ahead:
        near = {cell + dy * PITCH + dx for dy in (-1, 0, 1) for dx in (-1, 0, 1)}
        ahead += sorted((near & cells) - found)
        found |= near & cells
    return found


inside = st.sampled_from([y * PITCH + x for y in range(1, LINES - 1) for x in range(1, PITCH - 1)])


@settings(max_examples=60, deadline=None)
@given(st.sets(inside, min_size=1), st.integers(1, LINES - 2), st.integers(0, PITCH - 2))
def test_a_mover_is_all_cells_that_touch(scattered: set[int], line: int, length: int) -> None:
    """Kernel and twin collect the cells joined to a seed in one order, and clear no other."""
    cells = scattered | {line * PITCH + 1 + x for x in range(length)}
    seed = min(cells)
    ours, twin = labelled(cells), labelled(cells)
    taken = np.zeros(len(ours) + 8, np.int64)
    runs = np.zeros((len(ours) // 2 + 1, 2), np.int64)
    count, many = grow(seed, ours, PITCH, taken, runs)
    assert set(taken[:count].tolist()) == joined(seed, cells)
    assert taken[:count].tolist() == motion_numpy._grow(seed, twin, PITCH)
    assert [i for first, past in runs[:many] for i in range(first, past)] == taken[:count].tolist()
    left = labelled(cells - joined(seed, cells))
    np.testing.assert_array_equal(ours, left)
    np.testing.assert_array_equal(twin, left)


def test_no_grid_is_wider_than_a_row_of_sums() -> None:
    """Whatever the picture's width, sums of one row never run into the next."""
    pitches = [int(G.cut(width, 360).shape[G.PITCH]) for width in range(8, 8000)]
    assert max(pitches) <= G.ROW


@pytest.mark.parametrize("size", [(640, 360), (640, 361), (97, 61), (8, 8), (1920, 1080)])
def test_each_row_of_the_field_begins_where_vectors_are_read_fastest(size: tuple[int, int]) -> None:
    """Rows begin at multiples of 64 bytes, whatever the allocator gave."""
    gate = MotionGate(*size, kernel="numpy")
    assert {gate._field[row].ctypes.data % 64 for row in range(G.PLANES)} == {0}
