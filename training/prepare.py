"""What training needs beside the labelled pictures, made once and kept in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress

from training import pictures, sprites
from training.pictures import Known
from training.sprites import Sprite

FRAMES, DRAWN = 1600, 3000


@dataclass(frozen=True, slots=True)
class Material:
    """All that samples are composed of."""

    photographs: list[Known]
    school: list[Known]
    cut: list[Sprite]
    drawn: list[Sprite]


def prepare(
    labelled: Path, cache: Path, tiers: str, seed: int, progress: Progress, share: float = 1.0
) -> Material:
    """Everything, from the cache where it is there. `share` makes less of what is drawn."""
    cache.mkdir(parents=True, exist_ok=True)
    photographs = pictures.labelled(labelled, "train", tiers)
    frames, count = round(FRAMES * share), round(DRAWN * share)
    school = cache / f"school-{seed}-{frames}.npz"
    if not school.exists():
        bar = progress.add_task("Drawing the school", total=frames)
        made = pictures.school(frames, seed, step=lambda: progress.advance(bar))
        pictures.keep(made, school)
    people = cache / f"drawn-{seed}-{count}.npz"
    if not people.exists():
        bar = progress.add_task("Drawing people", total=count)
        sprites.keep(list(sprites.drawn(count, seed, lambda: progress.advance(bar))), people)
    cut = cache / f"cut-{tiers}.npz"
    if not cut.exists():
        bar = progress.add_task("Cutting people out", total=len(photographs))
        sprites.keep(sprites.cut(photographs, labelled, lambda: progress.advance(bar)), cut)
    return Material(photographs, pictures.kept(school), sprites.kept(cut), sprites.kept(people))
