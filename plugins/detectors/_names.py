"""What a model's classes are called: told by the configuration, a file beside it, or the model."""

from __future__ import annotations

import ast
import json
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plugins.detectors._head import Head

COCO = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog",
    "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella",
    "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite",
    "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange",
    "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant",
    "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone",
    "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip
_GAPS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}  # numbers that COCO's papers gave and nobody uses
_numbered = iter(COCO)
COCO_IDS = ("", *("" if number in _GAPS else next(_numbered) for number in range(1, 91)))
KNOWN = {80: COCO, 91: COCO_IDS}

BACKGROUND = {"background", "__background__", "???", "n/a", "none"}
MOST_BYTES = 1 << 20
MOST_NAMES = 20_000
MOST_LETTERS = 100
METADATA = ("names", "labels", "classes", "class_names")
BESIDE = (".labels.txt", ".labels.json")


@dataclass(frozen=True, slots=True)
class Names:
    """Names in the model's order, and who told them ("" for nobody)."""

    names: tuple[str, ...] = ()
    told_by: str = ""


def told(configured: Sequence[str], model: Path, metadata: Mapping[str, str]) -> Names:
    """The names that somebody tells: the configuration, else a file beside the model, else itself.

    Raises `ValueError` where they cannot be read.
    """
    if configured:
        return Names(tuple(configured), "`classes`")
    for ending in BESIDE:
        beside = model.with_suffix(ending)
        if names := _beside(beside):
            return Names(_sound(names, beside.name), beside.name)
    return in_metadata(metadata)


def in_metadata(metadata: Mapping[str, str]) -> Names:
    """The names in a model's own metadata. Raises `ValueError` where they cannot be read."""
    for key in METADATA:
        if names := _written(metadata.get(key, "")):
            return Names(_sound(names, f"its metadata {key}"), f"its metadata {key}")
    return Names()


def by_number(names: Names, head: Head) -> tuple[tuple[str, ...], str]:
    """The name of every class number, "" for one without, and who told them.

    Raises `ValueError` where their number is not the head's, or nobody tells them.
    """
    count = head.classes
    if names.names:
        found = names.names
        if head.first and found[0].lower() not in BACKGROUND:
            found = ("",) * head.first + found
        if count is not None and len(found) != count:
            if len(found) == count + 1 and found[0].lower() in BACKGROUND:
                return found[1:], names.told_by
            raise ValueError(
                f"{names.told_by} has {len(found)} names, and the model {count} classes; "
                f"expected {count} names, one for each class in the model's order"
            )
        return tuple("" if name.lower() in BACKGROUND else name for name in found), names.told_by
    usual = head.usual or (KNOWN.get(count, ()) if count is not None else ())
    if not usual:
        what = f"the model has {count} classes" if count else "the model does not say how many"
        raise ValueError(
            f"nobody says what its classes are called ({what}); expected `names` in its metadata, "
            "a file beside it, NAME.labels.txt for NAME.onnx, with one name a line, "
            "or `classes:` in the block"
        )
    return usual, ""


def _beside(path: Path) -> list[str]:
    """The names in a file: one a line, or JSON with `labels`; empty where there is none."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            return []
        if about.st_size > MOST_BYTES:
            raise ValueError(f"{path.name} is no list of names: it has {about.st_size} bytes")
        text = path.read_text("utf-8-sig")
    except OSError:
        return []
    except UnicodeError:
        raise ValueError(f"{path.name} is not UTF-8; expected one name a line") from None
    if path.suffix == ".json":
        return _in_json(text)
    return [line.strip() for line in text.splitlines() if line.strip()]


def _in_json(text: str) -> list[str]:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return []
    if isinstance(said, dict):
        said = next((said[key] for key in ("labels", "names", "id2label") if key in said), [])
    return _listed(said)


def _written(text: str) -> list[str]:
    """Names as metadata has them: a list or mapping as Python or JSON writes it, or by commas."""
    if not text or len(text) > MOST_BYTES:
        return []
    try:
        return _listed(ast.literal_eval(text) if text.lstrip()[:1] in "[{(" else text.split(","))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return _in_json(text)


def _listed(said: Any) -> list[str]:
    if isinstance(said, Mapping):
        try:
            numbered = sorted((int(number), str(name)) for number, name in said.items())
        except (TypeError, ValueError, OverflowError):
            return []
        if [number for number, _ in numbered] != list(range(len(numbered))):
            return []
        return [name.strip() for _, name in numbered]
    return [str(name).strip() for name in said] if isinstance(said, list | tuple) else []


def _sound(names: Sequence[str], where: str) -> tuple[str, ...]:
    if len(names) > MOST_NAMES or any(len(name) > MOST_LETTERS for name in names):
        raise ValueError(
            f"{where} is no list of names: expected at most {MOST_NAMES} of at most "
            f"{MOST_LETTERS} letters"
        )
    if strange := next((name for name in names if not name.isprintable()), None):
        raise ValueError(f"{where} has the name {strange!r}; expected letters that can be shown")
    return tuple(names)
