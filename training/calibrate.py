"""Finished weights set to a scale that the hub expects: `python -m training.calibrate --help`.

The pipeline asks for certain scores before it tells of somebody, and each run ends on a scale of
its own. Here all scores are moved together (one offset of the logits, as in Platt 1999 with a slope
of 1), so that those from `WANTED` up are right 85 times of 100 on the validation crops. It changes
no order of scores, and so no average precision but what rounding does.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import nn

from training import pictures
from training.compose import Sample
from training.evaluate import evaluate, samples
from training.find import find
from training.network import Network

WANTED = 0.4  # the score from which finds on the validation crops are 85 % right
PERSON = 4  # the column of a row that is a person's score


def calibrated(network: Network, shown: list[Sample]) -> float:
    """Move the scores of a network; returns by how much, in logits.

    Raises `ValueError` where it is not right 85 times of 100 at any score.
    """
    before = evaluate(find(network, [sample.luma for sample in shown]), shown).score
    if not 0 < before < 1:
        raise ValueError("its finds are nowhere 85 % right, so there is no score to go by")
    offset = _logit(WANTED) - _logit(before)
    with torch.no_grad():
        for head in network.head:
            assert isinstance(head, nn.Conv2d)
            assert head.bias is not None
            head.bias[PERSON] += offset
    return offset


def _logit(score: float) -> float:
    return math.log(score / (1 - score))


def main(
    weights: Annotated[Path, typer.Argument(help="The weights that training left.")],
    labelled: Annotated[Path, typer.Argument(help="The folder with labels.jsonl and images/.")],
    out: Annotated[Path, typer.Option(help="Where they go, and a log with them.")] = Path(
        "training/out/calibrated.pt"
    ),
) -> None:
    """Write the same weights with their scores moved, and tell by how much."""
    network = Network().eval()
    network.load_state_dict(torch.load(weights, weights_only=True))
    shown = samples(pictures.labelled(labelled, "val", "AB"))
    try:
        offset = calibrated(network, shown)
    except ValueError as error:
        raise typer.BadParameter(f"{weights}: {error}; train for longer") from None
    found = evaluate(find(network, [sample.luma for sample in shown]), shown)
    row = {
        "moved": round(offset, 4),
        "average_precision": round(found.average, 4),
        "recall_at_85": round(found.recall, 4),
        "score_at_85": round(found.score, 3),
        "people": found.people,
    }
    torch.save(network.state_dict(), out)
    log = weights.with_suffix(".jsonl")
    known = log.read_text() if log.exists() else ""
    out.with_suffix(".jsonl").write_text(known + json.dumps(row) + "\n")
    typer.echo(json.dumps(row))


if __name__ == "__main__":
    typer.run(main)
