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
LEAP = 0.3  # heights that head and feet are both higher, or lower: then no way back is needed
SOON = 0.5  # seconds in which nobody leaps so far
BESIDE = 0.3  # heights from the edge within which they may have met
NARROW = 0.6  # heights: more than this of somebody at the edge may be two
NEAR = 0.01  # of the picture's width: as near to the edge is cut off by it


def came_instead(finds: Iterable[tuple[float, Box]], found: Box, time: float, width: float) -> bool:
    """Whether `found` is rather somebody new than the one of `finds` (time in s, box in pixels).

    `width` is that of the picture. Finds are in order of time.
    """
    late = [(at, box) for at, box in finds if at >= time - WITHIN]
    if not late:
        return False
    (seen, last), high = late[-1], found[3] - found[1]
    head, feet = found[1] - last[1], found[3] - last[3]
    back = 0.0 if max(abs(head), abs(feet)) >= JUMP * high else BACK * high
    leaps = head * feet > 0 and min(abs(head), abs(feet)) >= LEAP * high and time - seen <= SOON
    sides = [(x1, x2) for x1, _, x2, _ in (*(box for _, box in late), found)]
    mirrored = [(width - x2, width - x1) for x1, x2 in sides]
    return any(
        _turned(each, high, back, NEAR * width) or (leaps and _met(each, high))
        for each in (sides, mirrored)
    )


def _met(sides: list[tuple[float, float]], high: float) -> bool:
    """Whether somebody was about to go out, and the newest is as close to the edge.

    `sides` are how far the outer and the inner side are from the edge; the newest is the last.
    """
    *before, (newest, _) = sides
    outer, inner = before[-1]
    out = max(inner for _, inner in before) - inner
    return max(newest, outer) <= BESIDE * high and out >= OUT * high


def _turned(sides: list[tuple[float, float]], high: float, back: float, near: float) -> bool:
    """Whether the inner side went out, cut off by the edge at last, and then came `back`.

    `sides` as for `_met`.
    """
    *before, (_, newest) = sides
    cut_off = [i for i, (outer, _) in enumerate(before) if outer <= near]
    if not cut_off:
        return False
    last = min(cut_off, key=lambda i: before[i][1])
    least = before[last][1]
    most = max(inner for _, inner in before[: last + 1])
    return least <= NARROW * high and most - least >= OUT * high and newest - least >= back
