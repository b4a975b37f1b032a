"""Polygons of zones and masks: what the corners go around, and what is refused."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from hub.polygons import Corners, Polygon, area, sides_cross

SQUARE: Corners = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
READ: TypeAdapter[Corners] = TypeAdapter(Polygon)


@pytest.mark.parametrize(
    ("corners", "size"),
    [
        (SQUARE, 1.0),
        (SQUARE[::-1], 1.0),  # whichever way around
        (((0.0, 0.0), (0.5, 0.0), (0.5, 0.5)), 0.125),
        (((0.2, 0.1), (0.8, 0.1), (0.8, 0.9), (0.5, 0.2), (0.2, 0.9)), 0.27),  # with a notch
        ((*SQUARE, (0.0, 0.0)), 1.0),  # closed by its first corner
        ((*SQUARE[:2], (1.0, 0.0), *SQUARE[2:]), 1.0),  # a corner twice
    ],
)
def test_a_polygon_around_an_area_is_taken(corners: Corners, size: float) -> None:
    """Whatever goes around an area without crossing itself is a zone or mask."""
    assert READ.validate_python(corners) == corners
    assert area(corners) == pytest.approx(size)


@pytest.mark.parametrize(
    ("corners", "why"),
    [
        (((0.0, 0.3), (1.0, 1.0), (1.0, 0.3), (0.0, 1.0)), "two sides cross"),  # a bow tie
        (((0.5, 0.0), (0.8, 1.0), (0.0, 0.4), (1.0, 0.4), (0.2, 1.0)), "two sides cross"),  # a star
        (((0.0, 0.0), (0.5, 0.5), (1.0, 1.0)), "on one line"),
        (((0.1, 0.1), (0.1, 0.1), (0.1, 0.1)), "on one line"),
        (SQUARE[:2], "at least 3"),
        (SQUARE * 51, "at most 200"),
    ],
)
def test_a_polygon_that_would_be_blind_or_open_is_refused(corners: Corners, why: str) -> None:
    """Of a polygon that crosses itself a part counts as outside, and a line shows nothing."""
    with pytest.raises(ValidationError, match=why):
        READ.validate_python(corners)


def test_sides_that_touch_do_not_cross() -> None:
    """A corner on another side, as of a ring that is cut open, is no crossing."""
    ring: Corners = (
        *SQUARE, (0.0, 0.0),
        (0.4, 0.4), (0.4, 0.6), (0.6, 0.6), (0.6, 0.4), (0.4, 0.4),
    )  # fmt: skip
    assert not sides_cross(ring)
