"""Model cards: the Markdown file beside a model that says what it is for and where it fails.

The card of `NAME.onnx` is `NAME.md`. Front matter in YAML, between two lines of three dashes at its
beginning, tells the hub what the model is; the card of a model that comes with the hub has one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from hub.errors import ModelError

MOST_BYTES = 256 << 10
_FRONT = re.compile(r"\A---\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Described:
    """What the front matter of a card says. `sha256` and `bytes` are those of the model's file."""

    title: str
    licence: str
    source: str
    input: str
    labels: tuple[str, ...]
    sha256: str
    bytes: int


def card_of(model: Path) -> Path:
    """Where the card of a model lies, whether or not there is one."""
    return model.with_suffix(".md")


def card_text(model: Path) -> str:
    """The card of a model for people to read, without front matter; empty where there is none."""
    try:
        return _FRONT.sub("", _read(card_of(model))).strip()
    except ModelError:
        return ""


def described(model: Path) -> Described:
    """What the card of a model tells the hub. Raises `ModelError` where it does not."""
    card = card_of(model)
    front = _FRONT.match(_read(card))
    if front is None:
        raise ModelError(f"{card}: expected front matter between two lines of --- at its beginning")
    try:
        said: Any = yaml.load(front[1], Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        raise ModelError(f"{card}: its front matter is not YAML") from None
    wanted = [field.name for field in fields(Described)]
    if not isinstance(said, dict) or any(said.get(key) in (None, "", []) for key in wanted):
        raise ModelError(f"{card}: expected {', '.join(wanted)} in its front matter")
    labels, size = said["labels"], said["bytes"]
    if not isinstance(labels, list) or not isinstance(size, int):
        raise ModelError(f"{card}: expected a list of labels and a number of bytes")
    words = {key: str(said[key]) for key in wanted if key not in ("labels", "bytes")}
    return Described(**words, labels=tuple(map(str, labels)), bytes=size)


def _read(card: Path) -> str:
    try:
        with card.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ModelError(f"{card}: larger than any card ({MOST_BYTES >> 10} KiB)")
        return data.decode("utf-8")
    except OSError as error:
        raise ModelError(f"{card}: the model's card cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ModelError(f"{card}: the model's card is not UTF-8") from None
