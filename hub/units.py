"""Lengths of time and picture sizes, written the way people write them.

A model says `wait: Annotated[Duration, Field(gt=0, le=60)] = 10.0` and gets seconds, whether the
file says `10s`, `1m` or the plain number 10.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

SECONDS_IN: dict[str, float] = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
DURATION_WORDS = "a length of time such as 30s or 5m"
SIZE_WORDS = "a picture size such as 720p or 640x360"

NUMBER = r"\d{1,9}(?:\.\d{1,6})?"
DURATION_PATTERN = rf"^(?=.)(?:{NUMBER}|{''.join(f'(?:{NUMBER}{unit})?' for unit in SECONDS_IN)})$"
SIZE_PATTERN = r"^(?:[1-9]\d{1,3}p|[1-9]\d{1,4}x[1-9]\d{1,4})$"

_DURATION = re.compile(DURATION_PATTERN, re.ASCII)
_SIZE = re.compile(SIZE_PATTERN, re.ASCII)
_SPELT = re.compile(
    r"(ms|milliseconds?|msecs?)|(d|days?)|(h|hrs?|hours?)|(m|min|mins|minutes?)|(s|secs?|seconds?)"
)
_SHORT = ("ms", "d", "h", "m", "s")


def parse_duration(text: str) -> float:
    """The seconds that `1h30m`, `500ms` or `30` stand for. `ValueError` says what was expected."""
    if not _DURATION.fullmatch(text):
        raise ValueError(f"expected {DURATION_WORDS}")
    parts = re.findall(rf"({NUMBER})(ms|[dhms])", text)
    if not parts:
        return float(text)
    return round(sum(float(number) * SECONDS_IN[unit] for number, unit in parts), 9)


def duration_words(seconds: float) -> str:
    """The one way in which a length of time is printed: `90.0` is `1m30s`, `0.5` is `500ms`."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:g}ms"
    words, left = "", round(seconds, 6)
    for unit in ("d", "h", "m"):
        count, left = divmod(left, SECONDS_IN[unit])
        words += f"{int(count)}{unit}" if count else ""
    left = round(left, 6)
    return f"{words}{left:g}s" if left or not words else words


def nearest_duration(text: str) -> str:
    """What somebody who wrote `30 seconds` or `5 Min` meant, or an empty text."""
    joined = re.sub(r"\s+|\band\b|,", "", text.lower())

    def short(spelt: re.Match[str]) -> str:
        return _SHORT[(spelt.lastindex or 1) - 1]

    guess = re.sub(
        r"[a-z]+", lambda word: short(m) if (m := _SPELT.fullmatch(word[0])) else word[0], joined
    )
    return guess if guess and guess != text and _DURATION.fullmatch(guess) else ""


def parse_size(text: str) -> tuple[int, int]:
    """Width and height in pixels of `640x360`, or of `720p`, which is 16 by 9.

    `ValueError` says what was expected.
    """
    if not _SIZE.fullmatch(text):
        raise ValueError(f"expected {SIZE_WORDS}")
    if text.endswith("p"):
        height = int(text[:-1])
        return 2 * round(height * 8 / 9), height
    width, _, height_text = text.partition("x")
    return int(width), int(height_text)


def size_words(size: tuple[int, int]) -> str:
    """The one way in which a picture size is printed: `640x360`."""
    return f"{size[0]}x{size[1]}"


@dataclass(frozen=True, slots=True)
class DurationRule:
    """What makes a number a `Duration`; it stands in the metadata of the type."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_seconds, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        inner: CoreSchema = schema.get("schema", schema)
        return {**handler(inner), "type": ["string", "number"], "pattern": DURATION_PATTERN}


@dataclass(frozen=True, slots=True)
class SizeRule:
    """What makes two numbers a `PictureSize`; it stands in the metadata of the type."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(
            _width_and_height,
            handler(source),
            serialization=core_schema.plain_serializer_function_ser_schema(
                size_words, when_used="json"
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "pattern": SIZE_PATTERN}


def _seconds(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise PydanticCustomError("duration", f"expected {DURATION_WORDS}")
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError as error:
            raise PydanticCustomError("duration", str(error)) from None
    if not math.isfinite(value):
        raise PydanticCustomError("duration", f"expected {DURATION_WORDS}")
    return value


def _width_and_height(value: object) -> object:
    sound = isinstance(value, tuple) and len(value) == 2  # Python's own; in a file it is text
    if sound and all(type(each) is int and each > 0 for each in value):  # type: ignore[attr-defined]
        return value
    try:
        return parse_size(value if isinstance(value, str) else "")
    except ValueError as error:
        raise PydanticCustomError("picture_size", str(error)) from None


Duration = Annotated[float, DurationRule()]
PictureSize = Annotated[tuple[int, int], SizeRule()]
