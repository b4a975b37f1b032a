"""The weights of a file that ships, to go on from: `python -m training.unfold --help`.

`export.py` folds norms into the convolutions before them. Here each gets a norm again, one that
changes nothing: its means and spreads are those of real samples, so that training may go on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnx
import torch
import typer
from onnx import numpy_helper
from rich.progress import Progress
from torch import Tensor, nn

from training.compose import Composer
from training.network import Network
from training.norms import BATCH, SEED, SIZES
from training.prepare import Material, prepare

BATCHES = 40
PREFIX, HALF = "network.", ".half"
ALONE = ("across.", "head.")  # convolutions without a norm behind them
Pair = tuple[str, nn.Conv2d, nn.BatchNorm2d]


def unfolded(data: bytes, material: Material, batches: int = BATCHES) -> Network:
    """The network of a model file that `export.py` wrote, with norms over so many batches.

    Raises `ValueError` for a file of another network.
    """
    told, network = _weights(data), Network().eval()
    pairs = list(_pairs(network))
    inside = {f"{name}.{part}" for name, _, _ in pairs for part in ("weight", "bias")}
    alone = {name for name, _ in network.named_parameters() if name.startswith(ALONE)}
    if odd := sorted(set(told) ^ (inside | alone)):
        raise ValueError(f"it holds another network: {', '.join(odd[:4])} are in one of both only")
    network.load_state_dict({name: told[name] for name in alone}, strict=False)
    with torch.no_grad():
        for name, conv, norm in pairs:
            conv.weight.copy_(told[f"{name}.weight"])
            norm.bias.copy_(told[f"{name}.bias"])
    _give_norms([norm for _, _, norm in pairs], network, material, batches)
    return network


def _weights(data: bytes) -> dict[str, Tensor]:
    found = {}
    for tensor in onnx.load_from_string(data).graph.initializer:
        name = tensor.name.removeprefix(PREFIX).removesuffix(HALF)
        found[name] = torch.from_numpy(numpy_helper.to_array(tensor).astype(np.float32))
    return found


def _pairs(network: Network) -> list[Pair]:
    """Each convolution before a norm, by name."""
    found: list[Pair] = []
    for name, part in network.named_modules():
        if isinstance(part, nn.Sequential):
            for i in range(len(part) - 1):
                before, norm = part[i], part[i + 1]
                if isinstance(before, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    found.append((f"{name}.{i}", before, norm))
    return found


def _give_norms(
    norms: list[nn.BatchNorm2d], network: Network, material: Material, batches: int
) -> None:
    """Set means and spreads to those over samples, and scale and offset to undo them."""
    sums = {norm: [torch.zeros(norm.num_features, dtype=torch.float64) for _ in range(2)]
            for norm in norms}  # fmt: skip
    counts = dict.fromkeys(norms, 0)

    def count(norm: Any, given: tuple[Tensor], _: Tensor) -> None:
        values = given[0].double()
        sums[norm][0] += values.sum((0, 2, 3))
        sums[norm][1] += (values**2).sum((0, 2, 3))
        counts[norm] += values.numel() // values.shape[1]

    hooks = [norm.register_forward_hook(count) for norm in norms]
    for norm in norms:
        norm.running_var = torch.ones_like(norm.weight) - norm.eps  # changes nothing
    rng, composer = np.random.default_rng(SEED), Composer(material)
    with torch.no_grad():
        for _ in range(batches):
            size = int(rng.choice(SIZES))
            luma = np.stack([composer.sample(rng, size).luma for _ in range(BATCH)])
            network(torch.from_numpy(luma)[:, None].float())
        for hook in hooks:
            hook.remove()
        for norm in norms:
            mean = sums[norm][0] / counts[norm]
            spread = (sums[norm][1] / counts[norm] - mean**2).clamp(min=1e-8)
            norm.running_mean, norm.running_var = mean.float(), spread.float()
            norm.weight.copy_((spread.float() + norm.eps).sqrt())
            norm.bias += mean.float()


def main(
    model: Annotated[Path, typer.Argument(help="The model file.")],
    labelled: Annotated[Path, typer.Argument(help="The folder with labels.jsonl and images/.")],
    out: Annotated[Path, typer.Option(help="Where the weights go.")] = Path("training/start.pt"),
    cache: Annotated[Path, typer.Option(help="What is drawn once.")] = Path("training/cache"),
    seed: int = 1,
    share: Annotated[float, typer.Option(help="Of the drawn material, for short tries.")] = 1.0,
) -> None:
    """Write weights that `train.py --start` goes on from."""
    with Progress() as progress:
        material = prepare(labelled, cache, "A", seed, progress, share)
        torch.save(unfolded(model.read_bytes(), material).state_dict(), out)


if __name__ == "__main__":
    typer.run(main)
