"""Small ONNX models with known answers, in the layouts that the families' own exporters write."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

CARD = """---
title: People, seen by a fixed camera
licence: Apache-2.0
source: drawn for a test
input: float32 1x1x256x256, luma, 0 to 255
labels: [person]
sha256: {sha256}
bytes: {bytes}
---
# People

It fails at night.
"""

Echo = Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
ELEMENT = {"float": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "uint8": TensorProto.UINT8}


def answering(
    outputs: Mapping[str, NDArray[Any]],
    picture: Sequence[int | str],
    *,
    kind: str = "float",
    name: str = "images",
    echo: Echo | None = None,
    metadata: Mapping[str, str] | None = None,
    more_inputs: Mapping[str, tuple[int, list[int]]] | None = None,
) -> onnx.ModelProto:
    """A model that always gives these outputs.

    `echo` has, by output, an index there and an index into the picture: the pixel's value as the
    model gets it is added at that place.
    """
    nodes, initial, results = [], [], []
    for output, values in outputs.items():
        where = (echo or {}).get(output)
        element = helper.np_dtype_to_tensor_dtype(values.dtype)
        results.append(helper.make_tensor_value_info(output, element, list(values.shape)))
        base = "base " + output
        initial.append(numpy_helper.from_array(values, base))
        if where is None:
            nodes.append(helper.make_node("Identity", [base], [output]))
            continue
        place, pixel = where
        mask = np.zeros(values.shape, values.dtype)
        mask[place] = 1
        given = {
            "mask": mask,
            "from": np.array(pixel),
            "to": np.array(pixel) + 1,
            "one": np.array([1]),
        }
        initial += [numpy_helper.from_array(each, f"{key} {output}") for key, each in given.items()]
        at, flat, cast, spread = (f"{each} {output}" for each in ("at", "flat", "cast", "spread"))
        nodes += [
            helper.make_node("Slice", [name, f"from {output}", f"to {output}"], [at]),
            helper.make_node("Reshape", [at, f"one {output}"], [flat]),
            helper.make_node("Cast", [flat], [cast], to=element),
            helper.make_node("Mul", [cast, f"mask {output}"], [spread]),
            helper.make_node("Add", [spread, base], [output]),
        ]
    inputs = [helper.make_tensor_value_info(name, ELEMENT[kind], list(picture))]
    for each, (element, shape) in (more_inputs or {}).items():
        inputs.append(helper.make_tensor_value_info(each, element, shape))
    return model(helper.make_graph(nodes, "answers", inputs, results, initial), metadata)


def convolving(
    strides: Sequence[int],
    columns: int,
    *,
    rows_last: bool = False,
    squashed_from: int = 0,
    channels: int = 3,
    free: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """A head of random weights over grids of these strides, whose layers take any picture size.

    Its input says 64x64, or nothing with `free`. The output is [1, N, columns], or [1, columns, N]
    with `rows_last`; columns from `squashed_from` on go through a sigmoid.
    """
    random = np.random.default_rng(7)
    nodes, initial, flat = [], [numpy_helper.from_array(np.array([1, columns, -1]), "row")], []
    for stride in strides:
        weights = random.normal(0, 1e-3 / stride, (columns, channels, stride, stride)).astype(
            np.float32
        )
        initial.append(numpy_helper.from_array(weights, f"w{stride}"))
        kept = {"strides": [stride, stride], "kernel_shape": [stride, stride]}
        nodes.append(helper.make_node("Conv", ["images", f"w{stride}"], [f"c{stride}"], **kept))
        nodes.append(helper.make_node("Reshape", [f"c{stride}", "row"], [f"f{stride}"]))
        flat.append(f"f{stride}")
    parts = np.array([squashed_from, columns - squashed_from])
    initial.append(numpy_helper.from_array(parts, "parts"))
    nodes += [
        helper.make_node("Concat", flat, ["all"], axis=2),
        helper.make_node("Split", ["all", "parts"], ["plain", "raw"], axis=1),
        helper.make_node("Sigmoid", ["raw"], ["squashed"]),
        helper.make_node("Concat", ["plain", "squashed"], ["joined"], axis=1),
    ]
    if rows_last:
        nodes.append(helper.make_node("Identity", ["joined"], ["output"]))
    else:
        nodes.append(helper.make_node("Transpose", ["joined"], ["output"], perm=[0, 2, 1]))
    count = sum((64 // stride) ** 2 for stride in strides)
    shape: list[int | str] = [1, columns, count] if rows_last else [1, count, columns]
    sides: list[int | str] = ["h", "w"] if free else [64, 64]
    if free:
        shape[shape.index(count)] = "n"
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, channels, *sides])]
    results = [helper.make_tensor_value_info("output", TensorProto.FLOAT, shape)]
    return model(helper.make_graph(nodes, "convolves", inputs, results, initial), metadata)


def as_luma(made: onnx.ModelProto) -> onnx.ModelProto:
    """The same model for one channel: what goes in goes in three times. Other sizes are free."""
    changed = onnx.ModelProto()
    changed.CopyFrom(made)
    (port,) = changed.graph.input
    inner = f"{port.name} in colour"
    for node in changed.graph.node:
        node.input[:] = [inner if each == port.name else each for each in node.input]
    tripled = helper.make_node("Concat", [port.name] * 3, [inner], axis=1)
    changed.graph.node.insert(0, tripled)
    free = helper.make_tensor_value_info(port.name, TensorProto.FLOAT, [1, 1, "h", "w"])
    port.CopyFrom(free)
    del changed.graph.value_info[:]
    for output in changed.graph.output:
        output.type.tensor_type.ClearField("shape")
    return changed


def model(graph: onnx.GraphProto, metadata: Mapping[str, str] | None = None) -> onnx.ModelProto:
    """A whole model around a graph."""
    opset = [helper.make_opsetid("", 17)]
    made = helper.make_model(graph, opset_imports=opset, ir_version=9)
    helper.set_model_props(made, dict(metadata or {}))
    return made


def saved(made: onnx.ModelProto, folder: Path, name: str = "own.onnx") -> Path:
    """The model in a file."""
    path = folder / name
    path.write_bytes(made.SerializeToString())
    return path


def ship(folder: Path, name: str = "people") -> Path:
    """A model of the shape that ships, whose weights mean nothing, with its card."""
    told = {"names": "person", "sizes": "192,256"}
    made = convolving((8, 16, 32), 6, squashed_from=4, channels=1, free=True, metadata=told)
    content = made.SerializeToString()
    model = folder / f"{name}.onnx"
    model.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    model.with_suffix(".md").write_text(CARD.format(sha256=digest, bytes=len(content)))
    return model
