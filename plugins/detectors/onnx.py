"""Detector driver `onnx`: any YOLOX-family model on ONNX Runtime, one thread, any crop size.

`model: auto` takes the best model installed; with none, it says so and guesses from motion.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hub import (
    Block,
    Context,
    Crop,
    Detection,
    Detector,
    DetectorInfo,
    Driver,
    ModelError,
    Names,
    hookimpl,
)
from plugins.detectors._guess import MotionGuess
from plugins.detectors._onnxfile import free_picture_size
from plugins.detectors._yolox import (
    COCO,
    boxes_of,
    cells,
    labels_of,
    letterbox,
    suppress,
    unreadable,
)

SIZES = (192, 256, 320, 416)
LABELS = (
    "person", "bicycle", "car", "motorcycle", "bus", "truck", "dog", "backpack", "suitcase",
)  # fmt: skip
Label = Annotated[str, Field(examples=list(COCO))]
_STEP = 32


class OnnxConfig(Block):
    """`model` is `auto`, the name of an installed model or the path of a file."""

    model: Annotated[str, Names("model")] = Field(
        "auto",
        description="`auto` takes the best installed model, and guesses from motion where there is "
        "none; or a model's name, or a file.",
    )
    labels: tuple[Label, ...] = Field(LABELS, description="What to look for, by COCO name.")
    min_score: float = Field(0.1, gt=0, lt=1, description="Weaker finds are thrown away at once.")
    nms: float = Field(
        0.45,
        gt=0,
        lt=1,
        description="How much two boxes may overlap before one of them is dropped.",
    )


@dataclass(frozen=True, slots=True)
class _ModelFile:
    path: Path
    name: str
    licence: str


class OnnxDetector:
    """A YOLOX graph whose picture size was freed where its layers allow it."""

    def __init__(self, file: _ModelFile, config: OnnxConfig) -> None:
        """Raises `ModelError` when the file is missing, damaged or of another family."""
        data = _read(file.path)
        original = _checked(file, data)
        source, result = original.get_inputs()[0], original.get_outputs()[0]
        freed = _freed(data, source.name)
        self._free = freed is not None
        self._session = freed or original
        self._input = source.name
        self._native = _native_size(file, source.shape, self._free)
        names = labels_of(result.shape[2]) or ()
        unknown = [label for label in config.labels if label not in names]
        self._wanted = np.array([i for i, n in enumerate(names) if n in config.labels], np.intp)
        self._names = names
        self._config = config
        if not len(self._wanted):
            raise ModelError(f"{file.name} knows none of the labels asked for: {unknown}")
        sizes = SIZES if self._free else (max(self._native),)
        self._info = DetectorInfo(
            name=file.name,
            labels=tuple(names[i] for i in self._wanted),
            input_sizes=sizes,
            licence=file.licence,
            sha256=hashlib.sha256(data).hexdigest(),
        )

    @property
    def info(self) -> DetectorInfo:
        return self._info

    def infer(self, crops: Sequence[Crop]) -> list[list[Detection]]:
        return [self._look(crop) for crop in crops]

    def close(self) -> None:
        self._session = None

    def _look(self, crop: Crop) -> list[Detection]:
        rows, columns = crop.image.shape[:2]
        if not rows or not columns:
            return []
        height, width = self._input_size(rows, columns, crop.side)
        tensor, scale = letterbox(crop.image, height, width)
        output: NDArray[np.float32] = self._session.run(None, {self._input: tensor})[0][0]
        if output.shape != (cells(height, width), 5 + len(self._names)):
            raise ModelError(f"{self._info.name} answered with the shape {output.shape}")
        boxes, scores, classes = boxes_of(
            output, height, width, self._wanted, self._config.min_score
        )
        kept = suppress(boxes, classes, self._config.nms)
        placed = _placed(boxes[kept] / scale, crop)
        return [
            Detection(self._names[classes[i]], round(float(scores[i]), 4), box)
            for i, box in zip(kept, placed, strict=True)
            if box[2] > box[0] and box[3] > box[1]
        ]

    def _input_size(self, rows: int, columns: int, side: int) -> tuple[int, int]:
        """Height and width to run at: the side asked for, without needless padding."""
        if not self._free:
            return self._native
        longest = max(rows, columns)
        if not side:
            side = next((size for size in SIZES if size >= longest), SIZES[-1])
        scale = side / longest
        height, width = (
            max(_STEP, -(-round(length * scale) // _STEP) * _STEP) for length in (rows, columns)
        )
        return height, width


def _placed(boxes: NDArray[np.float32], crop: Crop) -> list[tuple[float, float, float, float]]:
    """Boxes of a crop's pixels as boxes in the frame, clipped to the crop."""
    x1, y1, x2, y2 = crop.box
    scale = ((x2 - x1) / crop.image.shape[1], (y2 - y1) / crop.image.shape[0])
    moved = boxes.astype(np.float64) * (scale * 2) + (x1, y1, x1, y1)
    clipped = np.clip(moved, (x1, y1, x1, y1), (x2, y2, x2, y2))
    return [(float(a), float(b), float(c), float(d)) for a, b, c, d in np.round(clipped, 2)]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: the model cannot be read ({error.strerror})") from None


def _session(data: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _freed(data: bytes, name: str) -> Any | None:
    """A session that takes any picture size; None where the graph does not allow it."""
    height, width = 128, 192
    try:
        session = _session(free_picture_size(data, name))
        output = session.run(None, {name: np.zeros((1, 3, height, width), np.float32)})[0]
    except Exception:  # the runtime raises kinds of its own; such a graph runs at its own size
        return None
    return session if output.shape[1] == cells(height, width) else None


def _native_size(file: _ModelFile, shape: Sequence[Any], free: bool) -> tuple[int, int]:
    height, width = shape[2], shape[3]
    if isinstance(height, int) and isinstance(width, int):
        return height, width
    if free:
        return SIZES[-1], SIZES[-1]
    raise ModelError(f"{file.path}: the model says no input size and refuses the usual ones")


def _checked(file: _ModelFile, data: bytes) -> Any:
    try:
        session = _session(data)
    except Exception as error:  # onnxruntime raises kinds of its own for every sort of damage
        reason = str(error).splitlines()[0][:200]
        raise ModelError(f"{file.path}: not an ONNX model that can be run ({reason})") from None
    why = unreadable(
        [source.shape for source in session.get_inputs()],
        [result.shape for result in session.get_outputs()],
    )
    if why:
        raise ModelError(f"{file.path}: not a YOLOX-family model: {why}")
    return session


def _auto(context: Context) -> _ModelFile | None:
    from hub import ModelStore

    best = ModelStore(context.state / "models").best()
    return None if best is None else _ModelFile(best.path, best.name, best.licence)


def _named(model: str, context: Context) -> _ModelFile:
    path = Path(model)
    if path.suffix == ".onnx":
        path = path if path.is_absolute() or path.is_file() else context.config_folder / path
        if path.is_file():
            return _ModelFile(path, path.stem, "unknown")
    from hub import ModelStore

    store = ModelStore(context.state / "models")
    found = store.resolve(model)
    licence = next((m.licence for m in store.installed() if m.path == found), "unknown")
    return _ModelFile(found, found.stem, licence)


def build(config: OnnxConfig, context: Context) -> Detector:
    """The detector that a block asks for. Raises `ModelError`."""
    file = _auto(context) if config.model == "auto" else _named(config.model, context)
    if file is None:
        return MotionGuess("guessing from motion: no model is installed")
    return OnnxDetector(file, config)


@hookimpl
def vestibule_detectors() -> list[Driver]:
    """Announce the driver."""
    return [
        Driver(
            name="onnx",
            factory=build,
            config=OnnxConfig,
            summary="Finds people and vehicles with a YOLOX-family model on ONNX Runtime",
        )
    ]
