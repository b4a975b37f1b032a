"""What training needs beside the labelled pictures, made once and kept in a folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress

from training import animals, pictures, sprites
from training.pictures import Known
from training.sprites import Sprite

FRAMES, DRAWN, CARS, ANIMALS = 1600, 3000, 400, 1500


@dataclass(frozen=True, slots=True)
class Material:
    """All that samples are composed of."""

    photographs: list[Known]
    school: list[Known]
    cut: list[Sprite]
    drawn: list[Sprite]
    cars: list[Sprite]
    animals: list[Sprite]
    photographed: list[Sprite]


def prepare(
    labelled: Path, cache: Path, tiers: str, seed: int, progress: Progress, share: float = 1.0
) -> Material:
    """Everything, from the cache where it is there. `share` makes less of what is drawn.

    Raises `ValueError` for a scene that is both trained on and validated with.
    """
    cache.mkdir(parents=True, exist_ok=True)
    labels = (labelled / "labels.jsonl").read_bytes()
    apart(labels.decode().splitlines())
    photographs = pictures.labelled(labelled, "train", tiers)
    frames, count, cars, beasts = (round(n * share) for n in (FRAMES, DRAWN, CARS, ANIMALS))
    school = cache / f"school-{seed}-{frames}.npz"
    if not school.exists():
        bar = progress.add_task("Drawing the school", total=frames)
        made = pictures.school(frames, seed, step=lambda: progress.advance(bar))
        pictures.keep(made, school)
    people = cache / f"drawn-{seed}-{count}.npz"
    if not people.exists():
        bar = progress.add_task("Drawing people", total=count)
        sprites.keep(list(sprites.drawn(count, seed, lambda: progress.advance(bar))), people)
    vehicles = cache / f"cars-{seed}-{cars}.npz"
    if not vehicles.exists():
        sprites.keep(list(sprites.cars(cars, seed)), vehicles)
    four_legged = cache / f"animals-{seed}-{beasts}.npz"
    if not four_legged.exists():
        sprites.keep(list(animals.animals(beasts, seed)), four_legged)
    cut = cut_file(cache, labels, tiers)
    if not cut.exists():
        bar = progress.add_task("Cutting people out", total=len(photographs))
        sprites.keep(sprites.cut(photographs, labelled, lambda: progress.advance(bar)), cut)
    return Material(
        photographs,
        pictures.kept(school),
        *(sprites.kept(file) for file in (cut, people, vehicles, four_legged)),
        animals.photographed(labelled),
    )


def cut_file(cache: Path, labels: bytes, tiers: str) -> Path:
    """Where people cut out by these labels are kept: other labels or tiers are cut anew."""
    return cache / f"cut-{tiers}-{hashlib.sha256(labels).hexdigest()[:12]}.npz"


def apart(lines: Iterable[str]) -> None:
    """Raises `ValueError` where two splits share a scene: what is validated would be known."""
    splits: dict[str, str] = {}
    for line in lines:
        row = json.loads(line)
        scene = f"{row['source']}/{row['scene']}"
        split = splits.setdefault(scene, row["split"])
        if split != row["split"]:
            raise ValueError(
                f"labels.jsonl: the scene {scene} stands in {split} and in {row['split']};"
                " give every picture of it the same split"
            )
