"""The norms' means and spreads, taken anew for weights that are final.

What a norm remembers follows the samples of the last steps, through weights that were still
moving. Taken again over many samples of the sizes that the hub uses, with weights that stand
still, they fit (Izmailov et al. 2018, arXiv 1803.05407, section 3, for averaged weights).
"""

from __future__ import annotations

import numpy as np
import torch
from rich.progress import Progress

from training.compose import Composer
from training.network import Network
from training.prepare import Material

SIZES = (192, 224, 256)
BATCHES, BATCH, SEED = 60, 24, 11


def renew(
    network: Network,
    material: Material,
    progress: Progress,
    batches: int = BATCHES,
    dark: float = 0.0,
) -> None:
    """Set the statistics of every norm to those over `batches` batches, a share `dark` at night."""
    norms = [each for each in network.modules() if isinstance(each, torch.nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean
    rng, composer = np.random.default_rng(SEED), Composer(material, dark)
    network.train()
    with torch.no_grad():
        for _ in progress.track(range(batches), description="Taking the norms anew"):
            size = int(rng.choice(SIZES))
            luma = np.stack([composer.sample(rng, size).luma for _ in range(BATCH)])
            network(torch.from_numpy(luma)[:, None].float())
    network.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
