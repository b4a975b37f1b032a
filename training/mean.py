"""The mean of two sets of weights of one network: `python -m training.mean --help`.

Where one goes on from the other, their mean often keeps what the first knew and takes in what the
second learned (Wortsman et al. 2022, arXiv 2109.01903). Its norms fit neither: take them anew, with
`python -m training.train PICTURES --start MEAN --steps 0`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor


def mean(first: dict[str, Tensor], second: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Both together, `share` of it the second. Raises `ValueError` for two different networks."""
    if {k: v.shape for k, v in first.items()} != {k: v.shape for k, v in second.items()}:
        raise ValueError("these are weights of two different networks; expected two of one")
    return {
        name: value.lerp(second[name], share) if value.is_floating_point() else second[name]
        for name, value in first.items()
    }


def main(
    first: Annotated[Path, typer.Argument(help="Weights.")],
    second: Annotated[Path, typer.Argument(help="Weights that went on from them.")],
    out: Annotated[Path, typer.Option(help="Where the mean goes.")] = Path("training/mean.pt"),
    share: Annotated[float, typer.Option(help="Of the second.", min=0, max=1)] = 0.5,
) -> None:
    """Write the mean of two sets of weights."""
    both = (torch.load(file, weights_only=True) for file in (first, second))
    torch.save(mean(*both, share), out)


if __name__ == "__main__":
    typer.run(main)
