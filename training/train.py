"""Training, from labelled pictures to weights: `python -m training.train --help`."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.progress import Progress
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from training import pictures
from training.compose import Composer, Sample
from training.evaluate import evaluate, samples
from training.find import find
from training.losses import forgotten, losses
from training.network import Network, cells
from training.norms import renew
from training.prepare import Material, prepare

SMALL, LARGE = (96, 128, 160), (160, 192, 224, 256)  # small samples first: more of them
AVERAGED = 0.998  # of the running average of the weights, a step
MOST = 16  # people in a sample
WARM_STEPS = 300
TELL_EVERY = 120.0  # seconds
Batch = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, int]


class _Samples(IterableDataset[Batch]):
    """Batches without an end, of one size each; smaller samples come in larger batches."""

    def __init__(self, composer: Composer, sizes: Sequence[int], batch: int, seed: int) -> None:
        self._composer, self._sizes, self._batch, self._seed = composer, sizes, batch, seed

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        number = 0 if worker is None else worker.id
        rng = np.random.default_rng((self._seed, self._sizes[0], number))
        while True:
            size = int(rng.choice(self._sizes))
            count = round(self._batch * min(2.0, (192 / size) ** 2))
            yield batch_of([self._composer.sample(rng, size) for _ in range(count)], size)


def batch_of(shown: list[Sample], size: int) -> Batch:
    """Luma (n, 1, h, w), people (n, g, 4), which are there, cells in doubt, animals, the size."""
    luma = torch.from_numpy(np.stack([s.luma for s in shown]))[:, None].float()
    most = max(1, min(MOST, max(len(s.people) for s in shown)))
    people = torch.zeros(len(shown), most, 4)
    there = torch.zeros(len(shown), most, dtype=torch.bool)
    places, steps = cells(size, size)
    points = ((places + 0.5) * steps).numpy()
    doubt = np.zeros((len(shown), len(points)), bool)
    for i, sample in enumerate(shown):
        known = sample.people[:most]
        people[i, : len(known)] = torch.from_numpy(known)
        there[i, : len(known)] = True
        for x1, y1, x2, y2 in np.concatenate([sample.doubt, sample.people[most:]]):
            x, y = points[:, 0], points[:, 1]
            doubt[i] |= (x > x1 - 4) & (x < x2 + 4) & (y > y1 - 4) & (y < y2 + 4)
    animals = torch.zeros(len(shown), max(1, *(len(s.animals) for s in shown), 0), 4)
    for i, sample in enumerate(shown):
        animals[i, : len(sample.animals)] = torch.from_numpy(sample.animals)
    return luma, people, there, torch.from_numpy(doubt), animals, size


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to train and how: `steps` at most, and `minutes` at most; without any step the
    norms are taken anew and nothing else changes.

    The share `small` of it sees small samples. `still` leaves the norms' statistics as they start.
    `hold` is the weight of what a teacher says, everywhere but on animals. The share `dark` is at
    night.
    """

    steps: int
    minutes: float
    batch: int
    rate: float
    seed: int
    workers: int
    small: float = 0.6
    still: bool = False
    hold: float = 1.0
    dark: float = 0.0


class Trainer:
    """Trains a network; `averaged` is the running average of its weights, the one to keep."""

    def __init__(self, network: Network, plan: Plan, teacher: Network | None = None) -> None:
        self.averaged = copy.deepcopy(network).eval()
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network, self._plan, self._teacher = network, plan, teacher
        self._optimiser = torch.optim.AdamW(_groups(network), lr=plan.rate)
        self._began = time.monotonic()
        self._step = 0

    def run(self, material: Material, shown: list[Sample], log: Path, progress: Progress) -> None:
        """To the end of the plan, telling the quality on `shown` now and then in the `log`."""
        bar = progress.add_task("Training", total=1.0)
        told, sums, counted = time.monotonic(), np.zeros(5), 0
        composer = Composer(material, self._plan.dark)
        for until, sizes in ((self._plan.small, SMALL), (1.0, LARGE)):
            made = _Samples(composer, sizes, self._plan.batch, self._plan.seed)
            if self.done() >= until or not self._plan.steps:
                continue
            for batch in DataLoader(made, batch_size=None, num_workers=self._plan.workers):
                if self.done() >= until:
                    break
                sums += self._learn(*batch)
                counted += 1
                progress.update(bar, completed=self.done())
                if time.monotonic() - told > TELL_EVERY:
                    self._tell(sums / counted, shown, log, progress)
                    told, sums, counted = time.monotonic(), np.zeros(5), 0
        if not self._plan.still:
            renew(self.averaged, material, progress, dark=self._plan.dark)
        self._tell(sums / max(1, counted), shown, log, progress)

    def done(self) -> float:
        """How much of the plan is behind us."""
        spent = (time.monotonic() - self._began) / 60
        return max(self._step / max(1, self._plan.steps), spent / self._plan.minutes)

    def _learn(
        self,
        luma: Tensor,
        people: Tensor,
        there: Tensor,
        doubt: Tensor,
        animals: Tensor,
        size: int,
    ) -> NDArray[np.float64]:
        """One step; the losses."""
        self._step += 1
        warm = min(1, self._step / WARM_STEPS)
        for group in self._optimiser.param_groups:
            group["lr"] = self._plan.rate * warm * _cosine(self.done())
        self._network.train(not self._plan.still)
        luma = luma.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            rows = self._network(luma).float()
        found, held = losses(rows, people, there, doubt, size), torch.zeros(())
        beasts = losses(rows[..., [0, 1, 2, 3, 5]], animals, animals[..., 2] > animals[..., 0],
                        torch.zeros_like(doubt), size)  # fmt: skip
        if self._teacher is not None:
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
                taught = self._teacher(luma).float()
            held = forgotten(rows, taught.clone(), people, there, doubt, animals, size)
        self._optimiser.zero_grad(set_to_none=True)
        few = beasts.count / (beasts.count + found.count)  # as if all were divided by both
        total = found.total + few * beasts.total + self._plan.hold * held
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), 10.0)
        self._optimiser.step()
        average(self.averaged, self._network, min(AVERAGED, self._step / (self._step + 10)))
        return np.array([float(part.detach()) for part in (*found[:3], held, beasts.total)])

    def _tell(
        self, sums: NDArray[np.float64], shown: list[Sample], log: Path, progress: Progress
    ) -> None:
        found = evaluate(find(self.averaged, [s.luma for s in shown]), shown)
        row = {
            "step": self._step,
            "seconds": round(time.monotonic() - self._began),
            "loss": [round(float(v), 4) for v in sums[:3]],
            "forgotten": round(float(sums[3]), 4),
            "animals": round(float(sums[4]), 4),
            "average_precision": round(found.average, 4),
            "recall_at_85": round(found.recall, 4),
            "score_at_85": round(found.score, 3),
            "people": found.people,
        }
        with log.open("a") as file:
            file.write(json.dumps(row) + "\n")
        progress.console.print(row)
        torch.save(self.averaged.state_dict(), log.with_suffix(".pt"))


def average(averaged: torch.nn.Module, network: torch.nn.Module, share: float) -> None:
    """Move the averaged weights (and statistics) towards the network's."""
    with torch.no_grad():
        theirs = network.state_dict()
        for name, mine in averaged.state_dict().items():
            if mine.is_floating_point():
                mine.lerp_(theirs[name], 1 - share)
            else:
                mine.copy_(theirs[name])


def _groups(network: Network) -> list[dict[str, Any]]:
    """Weights decay, biases and norms do not."""
    many = [p for p in network.parameters() if p.ndim > 1]
    few = [p for p in network.parameters() if p.ndim <= 1]
    return [{"params": many, "weight_decay": 0.03}, {"params": few, "weight_decay": 0.0}]


def _cosine(done: float) -> float:
    return 0.02 + 0.98 * (1 + math.cos(math.pi * min(1.0, done))) / 2


def main(
    labelled: Annotated[Path, typer.Argument(help="The folder with labels.jsonl and images/.")],
    out: Annotated[Path, typer.Option(help="Where weights and the log go.")] = Path("training/out"),
    cache: Annotated[Path, typer.Option(help="What is drawn once.")] = Path("training/cache"),
    tiers: Annotated[str, typer.Option(help="Licence tiers to train on, A or AB.")] = "A",
    steps: int = 44000,
    minutes: Annotated[float, typer.Option(help="Stop after this long.")] = math.inf,
    batch: int = 24,
    rate: float = 2e-3,
    seed: int = 1,
    threads: int = 1,
    workers: int = 1,
    share: Annotated[float, typer.Option(help="Of the drawn material, for short tries.")] = 1.0,
    start: Annotated[Path | None, typer.Option(help="Weights to go on from.")] = None,
    small: Annotated[float, typer.Option(help="Share of the time with small samples.")] = 0.4,
    still: Annotated[bool, typer.Option(help="Leave what the norms remember.")] = False,
    teacher: Annotated[Path | None, typer.Option(help="Weights whose scores to hold to.")] = None,
    hold: Annotated[float, typer.Option(help="The weight of those scores.")] = 1.0,
    dark: Annotated[float, typer.Option(help="Share of samples at night.")] = 0.2,
    name: str = "people",
) -> None:
    """Train, telling the quality on the validation scenes every two minutes."""
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    out.mkdir(parents=True, exist_ok=True)
    with Progress() as progress:
        material = prepare(labelled, cache, tiers, seed, progress, share)
        shown = samples(pictures.labelled(labelled, "val", "AB"))
        network = Network() if start is None else _loaded(start)
        taught = None if teacher is None else _loaded(teacher)
        weights = sum(p.numel() for p in network.parameters())
        progress.console.print(f"{weights:,} weights; {len(material.photographs)} photographs")
        plan = Plan(steps, minutes, batch, rate, seed, workers, small, still, hold, dark)
        Trainer(network, plan, taught).run(material, shown, out / f"{name}.jsonl", progress)


def _loaded(weights: Path) -> Network:
    network = Network()
    network.load_state_dict(torch.load(weights, weights_only=True))
    return network.eval()


if __name__ == "__main__":
    typer.run(main)
