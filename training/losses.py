"""Which cells answer for whom, and how wrong they are.

Cells are chosen by how well they already do, score and overlap together (task-aligned assignment,
Feng et al. 2021, arXiv 2108.07755), among those of a stride that suits the size. Boxes are judged
by complete overlap (CIoU, Zheng et al. 2020, arXiv 1911.08287).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from training.network import boxes_of, cells

CHOSEN = 9  # cells that answer for one person
SCORE_POWER, OVERLAP_POWER = 0.5, 4.0
FITS = (1.0, 13.0)  # heights, in strides, of whom a level answers for
BOX_WEIGHT = 2.5
NEAR = 8.0  # pixels about an animal in which a teacher is not held to
CLAIMED = 0.1  # score from which a teacher claims somebody


class Losses(NamedTuple):
    """The sum, its parts, scores and boxes, and by how much all of them are divided."""

    total: Tensor
    scores: Tensor
    boxes: Tensor
    count: Tensor


def losses(rows: Tensor, people: Tensor, there: Tensor, doubt: Tensor, size: int) -> Losses:
    """How wrong `rows` (n, cells, 5) are.

    `people` (n, g, 4) are corners in pixels, `there` (n, g) says which of them are real, `doubt`
    (n, cells) which cells are not to be judged unless they answer for somebody.
    """
    found = boxes_of(rows, size, size)
    logits = rows[..., 4]
    with torch.no_grad():
        whose, target = _assigned(logits.sigmoid(), found, people, there, size)
    weight = torch.where(doubt & (target == 0), 0.0, 1.0)
    total = target.sum().clamp(min=1.0)
    judged = nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    scores = (judged * weight).sum() / total
    mine = target > 0
    wanted = people[torch.arange(len(people))[:, None], whose][mine]
    boxes = ((1 - complete_overlap(found[mine], wanted)) * target[mine]).sum() / total
    return Losses(scores + BOX_WEIGHT * boxes, scores.detach(), boxes.detach(), total)


def forgotten(
    rows: Tensor,
    taught: Tensor,
    people: Tensor,
    there: Tensor,
    doubt: Tensor,
    animals: Tensor,
    size: int,
) -> Tensor:
    """How far the scores of `rows` (n, cells, 5) are from those of a teacher's rows, `taught`.

    Learning without forgetting (Li and Hoiem 2016, arXiv 1606.09282): what is new is told by the
    labels, and everywhere else the teacher's soft scores are held to. Cells in which it claims
    somebody where nobody is are left out, for those are its mistakes, and so are those on and
    about `animals` (n, g, 4).
    """
    with torch.no_grad():
        target = taught[..., 4].sigmoid()
        places, steps = cells(size, size)
        somebody = (_inside((places + 0.5) * steps, people) & there[..., None]).any(1)
        about = animals + torch.tensor([-NEAR, -NEAR, NEAR, NEAR])
        real = (animals[..., 2] > animals[..., 0])[..., None]
        beast = (_inside((places + 0.5) * steps, about) & real).any(1)
        believed = ((target < CLAIMED) | somebody | doubt) & ~beast
        total = (target * believed).sum().clamp(min=1.0)
    apart = nn.functional.binary_cross_entropy_with_logits(rows[..., 4], target, reduction="none")
    least = nn.functional.binary_cross_entropy(target, target, reduction="none")
    return ((apart - least) * believed).sum() / total


def _assigned(
    scores: Tensor, found: Tensor, people: Tensor, there: Tensor, size: int
) -> tuple[Tensor, Tensor]:
    """For whom each cell answers (n, cells), and the score it should have, 0 for nobody."""
    places, steps = cells(size, size)
    points = (places + 0.5) * steps
    inside = _inside(points, people)
    x, y, step = points[:, 0], points[:, 1], steps[:, 0]
    x1, y1, x2, y2 = people[..., None].unbind(2)
    tall = torch.maximum(y2 - y1, x2 - x1)
    near = ((x1 + x2) / 2 - x).abs().maximum(((y1 + y2) / 2 - y).abs()) < step
    fits = (tall >= FITS[0] * step) & (tall <= FITS[1] * step)
    may = (inside | near) & fits & there[..., None]
    overlaps = _overlap(people[:, :, None], found[:, None]).clamp(0)
    agreed = scores[:, None] ** SCORE_POWER * overlaps**OVERLAP_POWER + 1e-9
    agreed = agreed * may
    least = agreed.topk(CHOSEN, dim=2).values[..., -1:].clamp(min=1e-12)
    chosen = may & (agreed >= least)
    best = torch.where(chosen, overlaps, -1.0)
    whose = best.argmax(1)
    answered = best.max(1).values >= 0
    alone = nn.functional.one_hot(whose, people.shape[1]).transpose(1, 2).bool() & chosen
    agreed = agreed * alone
    top = agreed.amax(2, keepdim=True).clamp(min=1e-9)
    reach = (overlaps * alone).amax(2, keepdim=True)
    target = (agreed / top * reach.clamp(min=0.05)).amax(1)
    return whose, torch.where(answered, target, 0.0)


def _inside(points: Tensor, people: Tensor) -> Tensor:
    """Which points (cells, 2) lie in whose box, (n, g, cells)."""
    x, y = points[:, 0], points[:, 1]
    x1, y1, x2, y2 = people[..., None].unbind(2)
    return (x > x1) & (x < x2) & (y > y1) & (y < y2)


def _overlap(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of corners (..., 4)."""
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    both = (high - low).clamp(0).prod(-1)
    sizes = [(box[..., 2:] - box[..., :2]).prod(-1) for box in (a, b)]
    return both / (sizes[0] + sizes[1] - both + 1e-6)


def _slant(size: Tensor) -> Tensor:
    return torch.atan(size[:, 0] / (size[:, 1] + 1e-6))


def complete_overlap(found: Tensor, wanted: Tensor) -> Tensor:
    """CIoU of corners (n, 4): overlap, less distance of centres and strangeness of shape."""
    overlap = _overlap(found, wanted)
    low = torch.minimum(found[:, :2], wanted[:, :2])
    high = torch.maximum(found[:, 2:], wanted[:, 2:])
    across = ((high - low) ** 2).sum(1) + 1e-6
    away = (((found[:, :2] + found[:, 2:]) - (wanted[:, :2] + wanted[:, 2:])) ** 2).sum(1) / 4
    size, right = found[:, 2:] - found[:, :2], wanted[:, 2:] - wanted[:, :2]
    turn = _slant(right) - _slant(size)
    strange = 4 / math.pi**2 * turn**2
    with torch.no_grad():
        share = strange / (1 - overlap + strange + 1e-6)
    return overlap - away / across - share * strange
