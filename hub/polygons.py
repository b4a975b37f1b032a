"""Polygons in a camera's picture, corners as fractions of its width and height.

One whose corners lie on a line shows nothing, and of one whose sides cross a part counts as
outside: a zone would be blind there and a mask open, and nobody would be told.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from hub.conditions import Fraction

__all__ = ["Point", "Polygon", "area", "sides_cross"]

Point = tuple[Fraction, Fraction]
Corners = tuple[Point, ...]
LEAST_AREA = 1e-6  # of the picture's: a pixel of 1280x720


def area(corners: Corners) -> float:
    """The area that the corners go around, of the whole picture's."""
    return abs(sum(ax * by - bx * ay for (ax, ay), (bx, by) in _sides(corners))) / 2


def sides_cross(corners: Corners) -> bool:
    """Whether two sides cross between their ends; sides that touch do not."""
    sides = _sides(corners)
    return any(
        _apart(*one, *other) and _apart(*other, *one)
        for index, one in enumerate(sides)
        for other in sides[:index]
    )


def _sides(corners: Corners) -> list[tuple[Point, Point]]:
    return list(zip(corners, (*corners[1:], *corners[:1]), strict=True))


def _apart(start: Point, end: Point, one: Point, other: Point) -> bool:
    """Whether two points lie on different sides of a line, neither of them on it."""
    return _turn(start, end, one) * _turn(start, end, other) < 0


def _turn(start: Point, end: Point, point: Point) -> float:
    return (end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0])


def _sound(corners: Corners) -> Corners:
    if sides_cross(corners):
        raise ValueError(
            "two sides cross, so that a part of it would count as outside; "
            "expected the corners in the order in which the edge meets them"
        )
    if area(corners) < LEAST_AREA:
        raise ValueError(
            "the corners lie on one line, so that it would show nothing; "
            "expected corners around an area"
        )
    return corners


Polygon = Annotated[Corners, Field(min_length=3, max_length=200), AfterValidator(_sound)]
