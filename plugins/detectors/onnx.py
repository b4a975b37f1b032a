"""Detector driver `onnx`: a detection model on ONNX Runtime, one thread, any crop size.

`model: auto` takes the best model installed, else the one that comes with the hub; where that is
missing or damaged it says so and guesses from motion.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

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
    Probed,
    hookimpl,
)
from plugins.detectors._boxes import suppress
from plugins.detectors._families import head_of
from plugins.detectors._guess import MotionGuess
from plugins.detectors._head import MOST_KEPT, Asked, Picture, Size
from plugins.detectors._names import COCO, by_number, told
from plugins.detectors._onnxfile import free_picture_size
from plugins.detectors._runtime import SIZES, Session, Watch, entrance, sides_told
from plugins.detectors._trial import tried

LABELS = (
    "person", "bicycle", "car", "motorcycle", "bus", "truck", "dog", "backpack", "suitcase",
)  # fmt: skip
EVERY = "all"
Label = Annotated[str, Field(examples=[EVERY, *COCO])]
MOST_BYTES = 512 << 20
LATE = 3  # looks in a row that were ended for their time, after which there is none
_STEP = 32
_HALVES = {
    "0..255": ((0.0,) * 3, (1.0,) * 3),
    "0..1": ((0.0,) * 3, (255.0,) * 3),
    "-1..1": ((127.5,) * 3, (127.5,) * 3),
}


class OnnxConfig(Block):
    """`model` is `auto`, the name of an installed model or the path of a file."""

    model: Annotated[str, Names("model")] = Field(
        "auto",
        description="`auto` takes the best installed model, else `people`, which comes with the "
        "hub; or a model's name, or a file.",
    )
    labels: tuple[Label, ...] = Field(
        LABELS,
        description="What to look for, by COCO name; `[all]` is all that the model knows, and so "
        "is the default where it knows none of it.",
    )
    classes: tuple[str, ...] = Field(
        (),
        description="What the model's classes are called, in its order, where neither its metadata "
        "nor a file beside it says so.",
    )
    pixels: Literal["auto", "0..255", "0..1", "-1..1", "imagenet"] = Field(
        "auto", description="How pixels go in, where the model wants another way than its family."
    )
    colour: Literal["auto", "rgb", "bgr"] = Field(
        "auto", description="The order of colours that the model wants, likewise."
    )
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
    """A model of a known family, at any input size where its layers allow it."""

    def __init__(self, file: _ModelFile, config: OnnxConfig, context: Context) -> None:
        """Raises `ModelError` when the file is missing, damaged or of no known family."""
        data = _read(file.path)
        digest = hashlib.sha256(data).hexdigest()
        self._config = config
        self._watch: Watch | None = None
        self._late = 0
        try:
            self._load(file, data, digest, context)
        except ValueError as error:
            raise ModelError(f"{file.path}: {error}") from None
        self._watch = Watch()
        weakref.finalize(self, self._watch.stop)
        self._info = DetectorInfo(
            name=file.name,
            labels=tuple(dict.fromkeys(self._names[i] for i in self._asked.classes)),
            input_sizes=self._sides,
            licence=file.licence,
            sha256=digest,
            family=self._head.family,
            input=self._input_in_words(),
            luma=self._entrance.channels == 1,
        )

    def _load(self, file: _ModelFile, data: bytes, digest: str, context: Context) -> None:
        names = told(self._config.classes, file.path, {})
        found = tried(data, len(names.names), context.cache / "models", digest)
        session = Session(data, context.threads)
        names = names if names.names else told((), file.path, session.metadata)
        graph = found.graph(session)
        self._head = head_of(graph, len(names.names))
        self._names, self._told_by = by_number(names, self._head)
        self._entrance, fixed = entrance(session.inputs)
        self._native, self._free = found.size, found.free
        told_sides = sides_told(session.metadata) or SIZES
        self._sides = told_sides if found.free else (max(found.size),)
        self._milliseconds = found.milliseconds
        if self._free and fixed is not None:
            freed = free_picture_size(data, self._entrance.name, self._entrance.channels)
            session = Session(freed, context.threads)
        self._session: Session | None = session
        self._picture = _picture(self._head.picture, self._config)
        self._asked = Asked(
            np.array(_wanted(self._config.labels, self._names), np.intp),
            self._config.min_score,
            len(self._names),
        )

    @property
    def info(self) -> DetectorInfo:
        return self._info

    def infer(self, crops: Sequence[Crop]) -> list[list[Detection]]:
        """Raises `ModelError` for what the model answers that cannot be read."""
        return [self._look(crop) for crop in crops]

    def close(self) -> None:
        self._session = None
        if self._watch is not None:
            self._watch.close()

    async def probe(self) -> Probed:
        """What the model is, by its file."""
        known = len({name for name in self._names if name})
        labels = "1 label" if known == 1 else f"{known} labels"
        whose = (
            f"told by {self._told_by}" if self._told_by else "as COCO has them, for nobody tells"
        )
        return Probed(f"{self._info.family}, {self._info.input}, {labels} ({whose})")

    def _look(self, crop: Crop) -> list[Detection]:
        rows, columns = crop.image.shape[:2]
        if not rows or not columns:
            return []
        size = self._input_size(rows, columns, crop.side)
        tensor, placed = self._entrance.fill(crop.image, size, self._picture)
        outputs = self._run({self._entrance.name: tensor, **self._head.feed(size)})
        try:
            found = self._head.read(outputs, size, self._asked)
        except ValueError as error:
            raise ModelError(f"{self._info.name} is not understood: {error}") from None
        kept = np.arange(min(len(found.boxes), MOST_KEPT))
        if not self._head.distinct:
            kept = suppress(found.boxes, found.classes, self._config.nms)
        boxes = _placed(placed.back(found.boxes[kept]), crop)
        return [
            Detection(self._names[found.classes[i]], round(float(found.scores[i]), 4), box)
            for i, box in zip(kept, boxes, strict=True)
            if box[2] > box[0] and box[3] > box[1]
        ]

    def _run(self, given: dict[str, NDArray[np.generic]]) -> Sequence[NDArray[np.generic]]:
        name = self._info.name
        if self._session is None or self._watch is None:
            raise ModelError(f"{name} is closed")
        if self._late >= LATE:
            raise ModelError(f"{name} is asked no more: {LATE} looks in a row took too long")
        try:
            outputs = self._session.run(given, self._watch)
        except TimeoutError:
            self._late += 1
            spent = f"{self._watch.within_s:g} s of processor time"
            raise ModelError(f"{name} was stopped: a look took more than {spent}") from None
        except ValueError as error:
            raise ModelError(f"{name}: {error}") from None
        self._late = 0
        return outputs

    def _input_size(self, rows: int, columns: int, side: int) -> Size:
        """Height and width to run at: the side asked for, without needless padding."""
        if not self._free:
            return self._native
        longest = max(rows, columns)
        if not side:
            side = next((size for size in self._sides if size >= longest), self._sides[-1])
        scale = side / longest
        height, width = (
            max(_STEP, -(-round(length * scale) // _STEP) * _STEP) for length in (rows, columns)
        )
        return height, width

    def _input_in_words(self) -> str:
        shape = "x".join(map(str, self._entrance.shape(self._native)))
        way = self._picture.words(self._entrance.channels)
        return f"{self._entrance.dtype} {shape}, {way}"


def _picture(usual: Picture, config: OnnxConfig) -> Picture:
    """The family's way for a picture to go in, but for what the block says."""
    rgb = usual.rgb if config.colour == "auto" else config.colour == "rgb"
    if config.pixels == "imagenet" or (config.pixels == "auto" and usual.is_imagenet()):
        return Picture.imagenet(rgb=rgb, fit=usual.fit)
    if config.pixels == "auto":
        return Picture(rgb, usual.mean, usual.spread, usual.fit, usual.padding)
    mean, spread = _HALVES[config.pixels]
    return Picture(rgb, mean, spread, usual.fit, usual.padding)


def _wanted(labels: Sequence[str], names: Sequence[str]) -> list[int]:
    """The class numbers asked for. Raises `ValueError` where the model knows none of them."""
    every = [number for number, name in enumerate(names) if name]
    wanted = every if EVERY in labels else [i for i in every if names[i] in labels]
    if wanted or tuple(labels) == LABELS:
        return wanted or every
    known = ", ".join([names[number] for number in every][:20])
    asked = ", ".join(labels)
    raise ValueError(f"it knows none of the labels asked for ({asked}); it knows {known}")


def _placed(boxes: NDArray[np.float32], crop: Crop) -> list[tuple[float, float, float, float]]:
    """Boxes of a crop's pixels as boxes in the frame, clipped to the crop."""
    x1, y1, x2, y2 = crop.box
    scale = ((x2 - x1) / crop.image.shape[1], (y2 - y1) / crop.image.shape[0])
    moved = boxes.astype(np.float64) * (scale * 2) + (x1, y1, x1, y1)
    clipped = np.clip(moved, (x1, y1, x1, y1), (x2, y2, x2, y2))
    return [(float(a), float(b), float(c), float(d)) for a, b, c, d in np.round(clipped, 2)]


def _read(path: Path) -> bytes:
    """A model's bytes. Raises `ModelError` for what is no file, or none of a model's size."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode):
                what = os.strerror(errno.EISDIR) if stat.S_ISDIR(about.st_mode) else "not a file"
                raise ModelError(f"{path}: the model cannot be read ({what}); expected a file")
            if not 0 < about.st_size <= MOST_BYTES:
                most = f"expected at most {MOST_BYTES >> 20} MiB"
                raise ModelError(f"{path}: no model has {about.st_size} bytes; {most}")
            return file.read(MOST_BYTES)
    except OSError as error:
        raise ModelError(f"{path}: the model cannot be read ({error.strerror})") from None


def _named(model: str, context: Context) -> _ModelFile:
    path = Path(model)
    if path.suffix == ".onnx":
        path = path if path.is_absolute() or path.is_file() else context.config_folder / path
        if path.exists():
            return _ModelFile(path, path.stem, "unknown")
    from hub import ModelStore

    store = ModelStore(context.state / "models")
    found = store.resolve(model)
    licence = next((m.licence for m in store.available() if m.path == found), "unknown")
    return _ModelFile(found, found.stem, licence)


def build(config: OnnxConfig, context: Context) -> Detector:
    """The detector that a block asks for. Raises `ModelError`."""
    if config.model != "auto":
        return OnnxDetector(_named(config.model, context), config, context)
    from hub import ModelStore

    store = ModelStore(context.state / "models")
    best = store.best()
    if best is None:
        return MotionGuess(f"guessing from motion: no model is installed, and {store.fault()}")
    return OnnxDetector(_ModelFile(best.path, best.name, best.licence), config, context)


@hookimpl
def vestibule_detectors() -> list[Driver]:
    """Announce the driver."""
    return [
        Driver(
            name="onnx",
            factory=build,
            config=OnnxConfig,
            summary="Finds people and vehicles with a detection model on ONNX Runtime",
        )
    ]
