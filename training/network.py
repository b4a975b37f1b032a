"""The network: a small fully convolutional detector of one class, on luma.

Rows come as YOLOX gives them (Ge et al. 2021, arXiv 2107.08430): strides 8, 16 and 32, each cell
its centre's offset, the logarithms of its size in strides, and a score. Features go up a pyramid by
addition (Lin et al. 2017, arXiv 1612.03144).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

STRIDES = (8, 16, 32)
PRIOR = 0.01  # share of cells that an untrained network takes for people
MIDDLE, SPREAD = 114.0, 64.0


def _conv(into: int, out: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(into, out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(),
    )


class _Residual(nn.Module):
    """Two convolutions around a narrow middle, added to what came in."""

    def __init__(self, channels: int, middle: int) -> None:
        super().__init__()
        self.squeeze = _conv(channels, middle)
        self.widen = nn.Sequential(
            nn.Conv2d(middle, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.widen(self.squeeze(x)))


class _Wide(nn.Module):
    """A 5x5 convolution channel by channel, then a 1x1 that mixes them: far to see, few weights."""

    def __init__(self, into: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.each = nn.Sequential(
            nn.Conv2d(into, into, 5, stride, 2, groups=into, bias=False), nn.BatchNorm2d(into)
        )
        self.mix = nn.Sequential(nn.Conv2d(into, out, 1, bias=False), nn.BatchNorm2d(out))
        self.same = stride == 1 and into == out

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):  # with 16 bits it learns up to 20 times slower
            each = self.each(x if x.dtype is torch.float32 else x.float())
        y = self.mix(each)
        return torch.relu(x + y if self.same else y)


class Network(nn.Module):
    """Luma (n, 1, h, w), 0..255, h and w multiples of 32, to rows (n, cells, 6).

    The last two columns are logits, of a person and of an animal; about 430,000 weights.
    """

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.eighth = nn.Sequential(
            _conv(1, 16, 2), _conv(16, 32, 2), _Residual(32, 24),
            _conv(32, 64, 2), _Residual(64, 32), _Residual(64, 32),
        )  # fmt: skip
        self.sixteenth = nn.Sequential(_conv(64, 96, 2), _Residual(96, 48), _Residual(96, 48))
        self.coarse = nn.Sequential(_Wide(96, 128, 2), _Wide(128, 128), _Wide(128, 128))
        self.across = nn.ModuleList(nn.Conv2d(c, width, 1) for c in (64, 96, 128))
        self.smooth = nn.ModuleList(
            nn.Sequential(_Wide(width, width), _Wide(width, width)) for _ in STRIDES
        )
        self.head = nn.ModuleList(nn.Conv2d(width, 6, 1) for _ in STRIDES)
        for head in self.head:
            assert isinstance(head, nn.Conv2d)
            assert head.bias is not None
            nn.init.normal_(head.weight, std=0.01)
            with torch.no_grad():
                head.bias[:] = torch.tensor([0.5, 0.5, 0.7, 1.4] + 2 * [_logit(PRIOR)])

    def forward(self, luma: Tensor) -> Tensor:
        x = (luma - MIDDLE) / SPREAD
        eighth = self.eighth(x)
        sixteenth = self.sixteenth(eighth)
        low = self.across[2](self.coarse(sixteenth))
        middle = self.across[1](sixteenth) + nn.functional.interpolate(low, scale_factor=2.0)
        high = self.across[0](eighth) + nn.functional.interpolate(middle, scale_factor=2.0)
        rows = [
            head(smooth(level)).flatten(2).transpose(1, 2)
            for head, smooth, level in zip(self.head, self.smooth, (high, middle, low), strict=True)
        ]
        return torch.cat(rows, 1)


def cells(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Column and row (cells, 2) of every cell in strides, and its stride in pixels (cells, 1)."""
    places, steps = [], []
    for stride in STRIDES:
        y, x = torch.meshgrid(
            torch.arange(height // stride), torch.arange(width // stride), indexing="ij"
        )
        places.append(torch.stack([x, y], 2).reshape(-1, 2).float())
        steps.append(torch.full((y.numel(), 1), float(stride)))
    return torch.cat(places), torch.cat(steps)


def boxes_of(rows: Tensor, height: int, width: int) -> Tensor:
    """Corners (n, cells, 4) in pixels of rows (n, cells, 6)."""
    places, steps = cells(height, width)
    centre = (rows[..., :2] + places) * steps
    half = rows[..., 2:4].clamp(-4, 4).exp() * steps / 2
    return torch.cat([centre - half, centre + half], -1)


def _logit(share: float) -> float:
    return float(torch.logit(torch.tensor(share)))
