"""Somebody who comes in where another goes out: at the left or right edge, one track would do.

While a box is cut off by the edge only its inner side tells where somebody goes. Who walks out and
the next one who walks in a moment later look like one person who turned around there. Walking out
and in again is told as two people: who really turns back at the edge has left and come.
"""

from __future__ import annotations

from collections.abc import Iterable

from hub.perception.boxes import Box

WITHIN = 1.5  # seconds that are looked back
OUT = 0.4  # heights that the inner side went towards the edge
BACK = 0.2  # heights that it has come back since
JUMP = 0.2  # heights that head or feet are elsewhere: then any way back will do
NARROW = 0.6  # heights: more than this of somebody at the edge may be two
NEAR = 0.01  # of the picture's width: as near to the edge is cut off by it


def came_instead(finds: Iterable[tuple[float, Box]], found: Box, time: float, width: float) -> bool:
    """Whether `found` is rather somebody new than the one of `finds` (time in s, box in pixels).

    `width` is that of the picture. Finds are in order of time.
    """
    late = [box for at, box in finds if at >= time - WITHIN]
    if not late:
        return False
    high = found[3] - found[1]
    jump = max(abs(found[1] - late[-1][1]), abs(found[3] - late[-1][3]))
    back = 0.0 if jump >= JUMP * high else BACK * high
    sides = [(x1, x2) for x1, _, x2, _ in (*late, found)]
    mirrored = [(width - x2, width - x1) for x1, x2 in sides]
    return any(_turned(each, high, back, NEAR * width) for each in (sides, mirrored))


def _turned(sides: list[tuple[float, float]], high: float, back: float, near: float) -> bool:
    """Whether the inner side went out, cut off by the edge at last, and then came `back`.

    `sides` are how far the outer and the inner side are from the edge; the newest is the last.
    """
    *before, (_, newest) = sides
    cut_off = [i for i, (outer, _) in enumerate(before) if outer <= near]
    if not cut_off:
        return False
    last = min(cut_off, key=lambda i: before[i][1])
    least = before[last][1]
    most = max(inner for _, inner in before[: last + 1])
    return least <= NARROW * high and most - least >= OUT * high and newest - least >= back
