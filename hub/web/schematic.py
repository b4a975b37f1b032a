"""A schematic of places and their doors: boxes in boxes, doors at the walls, nothing to scale.

It is drawn from what the configuration says: which place is part of which, which floor lies beside
which, and where buildings stand if that is known. Pure: no I/O, lengths in pixels of the drawing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hub.config import Config, DoorBlock, Place

WIDE, NARROW = 860, 344  # of a desk's column, and of a phone
PAD, GAP, TITLE = 10, 8, 26
MARK, LABEL, UNDER = 13, 20, 20  # half a mark, its name above it, the room below a wall with marks
LETTER, SMALL_LETTER = 8.4, 7.6
SMALLEST = 96
MANY_PLACES, MANY_DOORS = 60, 40
OWN_ROW = ("building", "floor")
APART = "apart"  # of a door that the protocol asks for nothing


@dataclass(frozen=True, slots=True)
class Mark:
    """A door: the middle of its mark, its state, and its name unless that would crowd the plan."""

    x: int
    y: int
    state: str
    label: str


@dataclass(frozen=True, slots=True)
class Name:
    """What a box is called, centred at `x`; `inner` unless it has boxes of its own."""

    x: int
    y: int
    text: str
    inner: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    """All boxes as SVG path data, by what they are, and what stands in and on them."""

    width: int
    height: int
    boxes: Mapping[str, str]
    names: Sequence[Name]
    marks: Sequence[Mark]


@dataclass(slots=True)
class _Box:
    place: Place
    title: str
    inner: list[_Box] = field(default_factory=list)
    doors: list[tuple[str, str]] = field(default_factory=list)  # label and state
    x: int = 0
    y: int = 0
    w: int = 0
    h: int = 0

    @property
    def kind(self) -> str:
        """How it is drawn."""
        if self.place.private:
            return "priv"
        return {"building": "shell", "floor": "hall", "outdoor": "yard"}.get(
            self.place.kind, "room"
        )


def schematic(config: Config, area: str, states: Mapping[str, str], width: int) -> Drawing:
    """Draw an area with every door that closes off a part of it or leads to one. `states` says how
    each door that counts is; the others are drawn without a state.
    """
    kids: dict[str | None, list[str]] = {}
    for name, place in config.places.items():
        kids.setdefault(place.parent, []).append(name)
    inside = set(_inside(area, kids))
    at_place: dict[str, list[tuple[str, str]]] = {}
    shown = {id_: where for id_, one in config.doors.items() if (where := _where(one, inside))}
    named = len(shown) <= MANY_DOORS
    for id_, where in shown.items():
        block, state = config.doors[id_], states.get(id_, APART)
        label = f"{block.number} {block.name}".strip()
        crowds = not named and state in ("secured", "done", APART)
        at_place.setdefault(where, []).append((block.number if crowds else label, state))
    few = len(inside) <= MANY_PLACES
    root = _tree(area, config.places, kids, at_place, few)
    height = _lay_out(root, 0, 0, width, border=False)
    boxes: dict[str, str] = {}
    names: list[Name] = []
    marks: list[Mark] = []
    for box in _walk(root):
        if box is not root:
            path = f"M{box.x} {box.y}h{box.w}v{box.h}h-{box.w}z"
            boxes[box.kind] = boxes.get(box.kind, "") + path
            text = _cut(box.title, box.w - PAD, LETTER)
            names.append(Name(box.x + box.w // 2, box.y + 18, text, not box.inner))
        marks += _marks(box)
    return Drawing(width, height + (MARK + 5 if root.doors else 0), boxes, names, marks)


def _inside(area: str, kids: Mapping[str | None, Sequence[str]]) -> Iterable[str]:
    yield area
    for kid in kids.get(area, ()):
        yield from _inside(kid, kids)


def _where(door: DoorBlock, inside: set[str]) -> str:
    """At the wall of which place a door is drawn; empty where it is at none of these."""
    return next((each for each in (door.place, door.leads_to) if each in inside), None) or ""


def _tree(
    name: str,
    places: Mapping[str, Place],
    kids: Mapping[str | None, Sequence[str]],
    doors: Mapping[str, list[tuple[str, str]]],
    few: bool,
) -> _Box:
    inner = [
        _tree(each, places, kids, doors, few) for each in _arranged(kids.get(name, ()), places)
    ]
    # Of many places only those with a door, or with one in them, are worth their room.
    inner = [each for each in inner if few or each.inner or each.doors]
    return _Box(places[name], places[name].name, inner, list(doors.get(name, ())))


def _arranged(names: Sequence[str], places: Mapping[str, Place]) -> list[str]:
    """As the file has them; where all say where on earth they are, from west to east."""
    known = {name: point for name in names if (point := places[name].coordinates) is not None}
    if len(known) < len(names):
        return list(names)
    return sorted(names, key=lambda name: (known[name][1], -known[name][0]))


def _needs(box: _Box, most: int) -> int:
    """The least width that a box can do with, up to the `most` there is."""
    title = round(len(box.title) * LETTER) + 2 * PAD
    doors = max((_slot(label) for label, _ in box.doors), default=0) + 2 * PAD
    if not box.inner and len(box.doors) <= 3:
        doors = sum(_slot(label) for label, _ in box.doors) + 2 * PAD
    inner = max((_needs(each, most) for each in box.inner), default=0) + 2 * PAD
    return min(most, max(SMALLEST, title, doors, inner))


def _slot(label: str) -> int:
    return max(2 * MARK + 8, round(len(label) * SMALL_LETTER) + 8)


def _lay_out(box: _Box, x: int, y: int, w: int, *, border: bool = True) -> int:
    """Give a box its place and width, and what is in it; returns its height."""
    box.x, box.y, box.w = x, y, w
    pad, below = (PAD, y + TITLE) if border else (3, y + 3)
    room = w - 2 * pad
    for row in _rows(box.inner, room):
        spare = (room - sum(need for _, need in row) - GAP * (len(row) - 1)) // len(row)
        left = x + pad
        for each, need in row:
            _lay_out(each, left, below, need + spare)
            left += need + spare + GAP
        tallest = max(each.h for each, _ in row)
        for each, _ in row:
            each.h = tallest
        below += tallest + (UNDER if any(each.doors for each, _ in row) else GAP)
    lines = len(_door_rows(box))
    box.h = below - y + (lines * (LABEL + 2 * MARK) - MARK + 2 if lines else 4)
    if not box.inner and not box.doors:
        box.h += GAP
    return box.h


def _rows(boxes: Sequence[_Box], room: int) -> list[list[tuple[_Box, int]]]:
    """Boxes beside each other as far as they fit, each with the width it needs."""
    rows: list[list[tuple[_Box, int]]] = []
    used = room
    alone = True
    for box in boxes:
        own_row = box.place.kind in OWN_ROW
        need = room if own_row else _needs(box, room)
        if own_row or alone or used + GAP + need > room:
            rows.append([])
            used = -GAP
        rows[-1].append((box, need))
        used, alone = used + GAP + need, own_row
    return rows


def _door_rows(box: _Box) -> list[list[tuple[str, str]]]:
    """The doors of a box as they fit beside each other; the last row is on its wall."""
    rows: list[list[tuple[str, str]]] = []
    used = box.w
    for label, state in box.doors:
        slot = min(_slot(label), box.w - 2 * PAD)
        if used + slot > box.w - 2 * PAD:
            rows.append([])
            used = 0
        rows[-1].append((label, state))
        used += slot
    return rows


def _marks(box: _Box) -> Iterable[Mark]:
    rows = _door_rows(box)
    for up, row in enumerate(reversed(rows)):
        y = box.y + box.h - up * (LABEL + 2 * MARK)
        slots = [_slot(label) for label, _ in row]
        spare = max(0, box.w - 2 * PAD - sum(slots)) // len(row)
        left = box.x + PAD
        for (label, state), slot in zip(row, slots, strict=True):
            wide = min(slot, box.w - 2 * PAD) + spare
            yield Mark(left + wide // 2, y, state, _cut(label, wide, SMALL_LETTER))
            left += wide


def _walk(box: _Box) -> Iterable[_Box]:
    yield box
    for each in box.inner:
        yield from _walk(each)


def _cut(text: str, width: int, letter: float) -> str:
    most = max(1, int(width / letter))
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
