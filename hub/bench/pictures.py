"""Pictures of what the gate sees: frame, cells and regions, for each scene and stress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from hub.bench.scenes import Footage, Seen
from hub.bench.score import frames, moving
from hub.bench.stresses import Luma
from hub.perception.motion import LOW, GateResult, MotionGate

SHOWN = 4  # moments of a run, one below the other
HOT, MAYBE, REGION, PERSON = (255, 70, 40), (255, 200, 0), (0, 220, 255), (90, 255, 90)


def draw(
    places: Sequence[Footage],
    under: Sequence[str],
    folder: Path,
    step: Callable[[], None] = lambda: None,
) -> int:
    """One PNG for each scene and stress in `folder`, made if need be; returns how many."""
    folder.mkdir(parents=True, exist_ok=True)
    for place in places:
        for stress in under:
            name = f"{place.name} {stress}".replace(" ", "-").replace(".", "")
            _sheet(place, stress).save(folder / f"{name}.png")
            step()
    return len(places) * len(under)


def _sheet(place: Footage, stress: str) -> Image.Image:
    gate = MotionGate(place.width, place.height, place.fps)
    at = {round(place.count * (k + 0.5) / SHOWN) for k in range(SHOWN)}
    wanted = moving(place)
    rows = []
    for i, luma in frames(place, stress, people=True):
        result = gate.update(luma, i / place.fps)
        if i in at:
            rows.append(_moment(gate, luma, result, wanted.get(i, [])))
    return Image.fromarray(np.vstack(rows))


def _moment(gate: MotionGate, luma: Luma, result: GateResult, people: list[Seen]) -> Luma:
    """Left the frame with regions and moving people, right the cells by their ratio."""
    frame = Image.fromarray(np.repeat(luma[:, :, None], 3, 2))
    cells = frame.point(lambda value: value // 2)
    ratio = gate.ratios()
    width, height = gate.cell
    pen = ImageDraw.Draw(cells)
    for y, x in zip(*np.nonzero(ratio > LOW), strict=True):
        place = [
            int(x) * width,
            int(y) * height,
            (int(x) + 1) * width - 2,
            (int(y) + 1) * height - 2,
        ]
        pen.rectangle(place, fill=HOT if ratio[y, x] > 1 else MAYBE)
    pen = ImageDraw.Draw(frame)
    for seen in people:
        pen.rectangle([round(side) for side in seen.box], outline=PERSON)
    for x1, y1, x2, y2 in result.regions.tolist():
        pen.rectangle([x1, y1, x2 - 1, y2 - 1], outline=REGION, width=2)
    pen.text((6, 4), f"{result.reason} {result.state}", fill=REGION)
    return np.hstack([np.asarray(frame), np.asarray(cells)])
