"""What a camera costs by their number, as a picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from hub.bench.capacity import Capacity, Step

SIZE = (1120, 480)
LEFT, TOP, WIDE, TALL, APART = 70, 50, 440, 340, 550
COLOURS = ("#1b6ca8", "#2a9d5c", "#d08400", "#b3261e")
INK, PALE = "#222222", "#dddddd"
TICKS = 5


def draw(found: Sequence[Capacity], file: Path) -> None:
    """Processor time and memory of each camera, one line for each load; raises `OSError`."""
    image = Image.new("RGB", SIZE, "white")
    pen = ImageDraw.Draw(image)
    _chart(pen, LEFT, "CPU of a camera, % of one core", found, lambda s: s.cpu_percent / s.cameras)
    memory = "Memory of all processes, MB, by number of cameras"
    _chart(pen, LEFT + APART, memory, found, lambda step: step.memory_mb)
    for number, each in enumerate(found):
        x = LEFT + number * 180
        pen.line([(x, SIZE[1] - 26), (x + 24, SIZE[1] - 26)], COLOURS[number % 4], 3)
        pen.text((x + 30, SIZE[1] - 34), each.load, INK, _font(14))
    image.save(file, "PNG")


def _chart(
    pen: ImageDraw.ImageDraw,
    left: int,
    title: str,
    found: Sequence[Capacity],
    value: Callable[[Step], float],
) -> None:
    steps = [step for each in found for step in each.steps]
    most = rounded(max(step.cameras for step in steps) * 1.05)
    high = rounded(max(value(step) for step in steps) * 1.1 or 1.0)

    def at(step: Step) -> tuple[float, float]:
        return left + step.cameras / most * WIDE, TOP + TALL - value(step) / high * TALL

    pen.text((left, TOP - 30), title, INK, _font(15))
    for tick in range(TICKS + 1):
        share = tick / TICKS
        x, y = left + share * WIDE, TOP + TALL - share * TALL
        pen.line([(left, y), (left + WIDE, y)], PALE)
        label = f"{share * high:,.10g}"
        pen.text((left - 8, y), label, INK, _font(12), anchor="rm")
        pen.text((x, TOP + TALL + 8), f"{share * most:.0f}", INK, _font(12), anchor="ma")
    for number, each in enumerate(found):
        colour = COLOURS[number % 4]
        points = [at(step) for step in each.steps]
        if len(points) > 1:
            pen.line(points, colour, 2)
        for (x, y), step in zip(points, each.steps, strict=True):
            fill = colour if step.carried else "white"
            pen.ellipse([x - 4, y - 4, x + 4, y + 4], fill, colour, 2)


def rounded(most: float) -> float:
    """The least number of at least `most` that divides into TICKS short ones."""
    size = 10.0 ** math.floor(math.log10(most / TICKS))
    tick = next(
        each for each in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if each * size * TICKS >= most
    )
    return tick * size * TICKS


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
