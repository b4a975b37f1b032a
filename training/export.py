"""From weights to the file that ships: `python -m training.export --help`.

Norms are folded into the convolutions before them, weights are stored with 16 bits and widened by
the graph itself, so that it runs with 32 on any machine.
"""

from __future__ import annotations

import copy
import hashlib
import io
import warnings
from pathlib import Path
from typing import Annotated

import numpy as np
import onnx
import torch
import typer
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from training.network import Network

OPSET = 17
STORED_FROM = 64  # values from which a constant is stored with 16 bits
SIZES = "192,256"
TITLE = "People, as a fixed camera sees them, in grey"


class _Told(nn.Module):
    """The network with its rows as YOLOX gives them: six columns, scores squashed."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, luma: Tensor) -> Tensor:
        rows = self.network(luma)
        score = rows[..., 4:5].sigmoid()
        return torch.cat([rows[..., :4], score, torch.ones_like(score)], -1)


def exported(network: Network, metadata: dict[str, str]) -> bytes:
    """The ONNX file of a network."""
    told = _Told(folded(network)).eval()
    file = io.BytesIO()
    axes = {"luma": {2: "height", 3: "width"}, "people": {1: "cells"}}
    with warnings.catch_warnings():
        # the newer exporter needs another library and names tensors anew at every release
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        torch.onnx.export(
            told, (torch.zeros(1, 1, 192, 192),), file, input_names=["luma"],
            output_names=["people"], dynamic_axes=axes, opset_version=OPSET, dynamo=False,
        )  # fmt: skip
    model = halved(onnx.load_from_string(file.getvalue()))
    helper.set_model_props(model, metadata)
    model.producer_name, model.producer_version = "vestibule training", ""
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def folded(network: Network) -> Network:
    """A copy in which every norm is part of the convolution before it."""
    copied = copy.deepcopy(network).eval()
    for part in copied.modules():
        if not isinstance(part, nn.Sequential):
            continue
        for i in range(len(part) - 1):
            before, norm = part[i], part[i + 1]
            if isinstance(before, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                part[i] = nn.utils.fusion.fuse_conv_bn_eval(before, norm)
                part[i + 1] = nn.Identity()
    return copied


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph, its weights stored as float16 and cast when it is loaded."""
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < STORED_FROM:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])
    return model


def main(
    weights: Annotated[Path, typer.Argument(help="The weights that training left.")],
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path(
        "plugins/detectors/models/people.onnx"
    ),
) -> None:
    """Write the model and print its SHA-256."""
    network = Network()
    network.load_state_dict(torch.load(weights, weights_only=True))
    log = weights.with_suffix(".jsonl")
    metadata = {
        "names": "person",
        "title": TITLE,
        "licence": "Apache-2.0",
        "sizes": SIZES,
        "training": hashlib.sha256(log.read_bytes()).hexdigest(),
    }
    data = exported(network, metadata)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(data)
    typer.echo(f"{hashlib.sha256(data).hexdigest()}  {out}  {len(data):,} bytes")


if __name__ == "__main__":
    typer.run(main)
