"""A configuration's text as pages and API show it; see `hub.config_text`."""

from __future__ import annotations

from typing_extensions import TypedDict


class MarkedView(TypedDict):
    """A mistake at a line: the column where it begins, the key, what is wrong and what to do."""

    column: int
    path: str
    message: str
    hint: str


class TextLineView(TypedDict):
    """A line of a file. `start` and `end` say which characters of it a mistake is about; both are 0
    where it has none.
    """

    number: int
    text: str
    start: int
    end: int
    mistakes: list[MarkedView]


class FileTextView(TypedDict):
    """A file of a configuration, by its name from the configuration's folder."""

    name: str
    lines: list[TextLineView]
