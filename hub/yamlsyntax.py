"""What the YAML parser says about broken text, in plain words and at the right place.

The parser speaks of tokens and contexts; the table here speaks of keys, quotes and indentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from hub.errors import Problem

DOC = "docs/reference/check.md#yaml"
WHOLE = "(file)"


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file; line and column are 1-based, columns count characters."""

    file: str
    line: int
    column: int


# Unicode's own line ends: the parser takes them for line breaks, editors do not
NO_BREAKS = dict.fromkeys((0x85, 0x2028, 0x2029), "\u00a0")
BREAK = re.compile(r"\r\n|\r|\n")
FIRST_KEY = re.compile(r"([ -]*)(?:\"[^\"]*\"|'[^']*'|[^\s:'\"\[{][^:]*)\s*")
BEFORE_BRACKET = re.compile(r"([ -]*)[A-Za-z_][\w-]*[ \t]+[\[{]")


class Loader(yaml.CSafeLoader):
    """PyYAML's C parser with fewer surprises: `on`, `yes`, `08:00` and `2026-03-02` stay text."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  (PyYAML's own name; filled below)

    def __init__(self, text: str) -> None:
        super().__init__(text.translate(NO_BREAKS))


YAML = "tag:yaml.org,2002:"
PLAIN = frozenset({"null", "bool", "int", "float", "str", "seq", "map", "merge"})
for _kind, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+|0o[0-7]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?",
        list("-+0123456789."),
    ),
    ("merge", "<<", ["<"]),
):
    Loader.add_implicit_resolver(YAML + _kind, re.compile(f"(?:{_pattern})\\Z"), _first)

COLON = "a key without a colon; expected `key: value`"

# what the parser says -> what it means; {found} is the character it stopped at
WORDS = {
    "mapping values are not allowed": (
        "a second `key: value` on one line, or a line indented too far; "
        "expected one key per line, in line with its neighbours, and quotes around text with `: `"
    ),
    "key without colon": COLON,
    "did not find expected key": (
        "the line does not continue what is above it; expected a key in line with its neighbours"
    ),
    "could not find expected ':'": COLON,
    "found a tab character": "a tab in the indentation; expected spaces",
    "did not find expected '-' indicator": (
        "the line is no item of the list above it; expected `- ` in line with the other items"
    ),
    "did not find expected ',' or ']'": "the list is not closed; expected `,` or `]`",
    "did not find expected ',' or '}'": "the mapping is not closed; expected `,` or `}`",
    "did not find expected node content": "a value is missing; expected text, a list or a mapping",
    "found unexpected end of stream": "a quote is never closed; expected it before the line ends",
    "found unknown escape character": (
        "an escape that YAML does not know; expected \\\\ for a backslash, or single quotes"
    ),
    "found undefined alias": (
        "no anchor of this name stands above; "
        "expected one such as `&name`, or quotes around the text"
    ),
    "second occurrence": "the anchor is used a second time; expected another name",
    "found another document": "a second document starts here; expected one document and no `---`",
    "did not find expected <document start>": (
        "the line is indented less than what is above it; expected the indentation of the first key"
    ),
    "found undefined tag handle": "a tag that is not known; expected !secret, !env or !include",
    "odd space": "a space that is none (copied from a page?) in the indentation; expected spaces",
    "odd comment": "`//` starts no comment; expected `#`",
    "odd colon": "no space after the colon; expected `key: value`",
    "did not find expected alphabetic or numeric character": (
        "a lone `&` or `*`; expected the name of an anchor, or quotes around the text"
    ),
}


def syntax_problem(text: str, file: str, error: yaml.YAMLError) -> Problem:
    """The parser's complaint about `text` as a problem with a place and an expectation."""
    if isinstance(error, yaml.MarkedYAMLError):
        error = _lone_key(text, error) or error
        said = f"{error.problem or ''}"
        line, column = _place(text, error)
        found = _character(text, line, column)
        words = next((words for start, words in WORDS.items() if start in said), "")
        if "cannot start any token" in said:
            words = _bad_start(found)
        elif "expected key" in said and BREAK.split(text)[line - 1][: column - 1].strip():
            words = "text after a closing quote or bracket; expected the end of the line"
        words = words or f"is not valid YAML ({said}); expected `key: value` lines"
    elif not isinstance(error, yaml.reader.ReaderError):
        line, column = 1, 1
        words = "brackets nested too deeply; expected a flatter file"
    else:
        position = getattr(error, "position", 0)
        before = text.encode()[:position].decode(errors="ignore")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        words = "a control character; expected printable text"
    return Problem(file, line, column, _path_before(text, line, column), words, "", DOC)


def _place(text: str, error: yaml.MarkedYAMLError) -> tuple[int, int]:
    mark, context = error.problem_mark, error.context_mark
    said = f"{error.problem or ''}"
    opened = "unexpected end of stream", "expected ':'", "',' or '", "node content"
    beyond = mark is not None and context is not None and mark.line > context.line
    if context is not None and (mark is None or (beyond and any(part in said for part in opened))):
        mark = context
    if "node content" in said and (mark is None or _is_blank_after(text, mark)):
        mark = _open_bracket(text) or mark
    if mark is None:
        return 1, 1
    if "mapping values are not allowed" in said:
        before = BREAK.split(text)[mark.line][: mark.column]
        alone = FIRST_KEY.fullmatch(before)  # where the line is at fault, and not its second colon
        return mark.line + 1, (alone.end(1) if alone else mark.column) + 1
    return mark.line + 1, mark.column + 1


def _events(text: str) -> Iterator[Any]:
    """The parser's events; the stubs cannot tell its marks from those of the slow parser."""
    return yaml.parse(text, Loader=Loader)


def _is_blank_after(text: str, mark: Any) -> bool:
    lines = BREAK.split(text)[mark.line :]
    return not lines or not "\n".join([lines[0][mark.column :], *lines[1:]]).strip()


def _open_bracket(text: str) -> Any:
    """The innermost `[` or `{` that is still open where parsing stops."""
    opened: list[Any] = []
    try:
        for event in _events(text):
            if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                opened.append(event.start_mark if event.flow_style else None)
            if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                opened.pop()
    except yaml.YAMLError:
        pass
    return opened[-1] if opened else None


def _lone_key(text: str, error: yaml.MarkedYAMLError) -> yaml.MarkedYAMLError | None:
    """A key without its colon, which the parser takes for text that goes on to the next colon."""
    if "mapping values are not allowed" not in f"{error.problem or ''}":
        return None
    mark: Any = error.problem_mark
    lines = BREAK.split(text)
    if bracket := BEFORE_BRACKET.match(lines[mark.line][: mark.column]):
        return _without_colon(mark.line, bracket.end(1))
    above = _first_of_text(lines, mark.line)
    return _without_colon(above, _indent(lines[above])) if above < mark.line else None


def _without_colon(line: int, column: int) -> yaml.MarkedYAMLError:
    place = yaml.Mark("", 0, line, column, None, 0)
    return yaml.MarkedYAMLError(problem="key without colon", problem_mark=place)


def _first_of_text(lines: list[str], line: int) -> int:
    """The line on which the text that goes on to `line` begins, where that should be a key."""
    first, here = line, _indent(lines[line])
    while first and _is_text(lines[first - 1]) and _indent(lines[first - 1]) == here:
        first -= 1
    if first == line:
        lone = line and re.fullmatch(r"[ -]*[A-Za-z_][\w-]*\s*", lines[line - 1])
        return line - 1 if lone and _indent(lines[line - 1]) < here else line
    if lines[first].lstrip().startswith("- "):
        return first
    around = next((each for each in reversed(lines[:first]) if not _is_blank(each)), "")
    opens = not around or re.search(r":\s*(?:[&!]\S+\s*)?(?:#.*)?$", around)
    return first if opens else line


def _indent(line: str) -> int:
    """Characters before the first word of a line, the dashes of list items included."""
    return len(line) - len(re.sub(r"^ *(?:- +)*", "", line))


def _is_blank(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _is_text(line: str) -> bool:
    """Whether a line has no key of its own."""
    return not _is_blank(line) and not re.search(r":(?:\s|$)|\s#", line)


def _character(text: str, line: int, column: int) -> str:
    lines = BREAK.split(text)
    return lines[line - 1][column - 1 : column] if line <= len(lines) else ""


def _bad_start(found: str) -> str:
    if found == "\t":
        return "a tab in the indentation; expected spaces"
    return f"a value cannot start with {found or 'this'}; expected quotes around the text"


@dataclass(slots=True)
class _Frame:
    """An open list or mapping: its column, and the index or key it has come to."""

    column: int
    at: str | int | None


def _path_before(text: str, line: int, column: int) -> str:
    """The keys that enclose the place where parsing stopped, or what is at fault begins."""
    frames: list[_Frame] = []
    try:
        for event in _events(text):
            if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                frames.pop()
            start: Any = event.start_mark
            if (start.line + 1, start.column + 1) >= (line, column):
                break
            if isinstance(event, yaml.MappingStartEvent):
                frames.append(_Frame(start.column + 1, None))
            elif isinstance(event, yaml.SequenceStartEvent):
                frames.append(_Frame(start.column + 1, 0))
            else:
                _step(frames, event)
    except yaml.YAMLError:
        pass
    around = [frame.at for frame in frames[:9] if frame.column < column and frame.at is not None]
    return path_text(tuple(around)) or WHOLE


def _step(frames: list[_Frame], event: object) -> None:
    """One value (or key) is complete: move on to what comes next in the enclosing collection."""
    if not frames:
        return
    frame = frames[-1]
    if isinstance(frame.at, int):
        frame.at += 1
    elif frame.at is None and isinstance(event, yaml.ScalarEvent):
        frame.at = event.value
    else:
        frame.at = None


def path_text(path: tuple[str | int, ...]) -> str:
    """`("cameras", "lobby", "zones", 2)` as `cameras.lobby.zones[2]`."""
    words = ""
    for part in path:
        words += f"[{part}]" if isinstance(part, int) else f".{part}" if words else part
    return words


def scalar_value(tag: str, text: str) -> str | int | float | bool | None:
    """The plain value of a scalar; raises `ValueError` where an explicit tag does not fit."""
    match tag.removeprefix(YAML):
        case "null":
            return None
        case "bool":
            return {"true": True, "false": False}.get(text.lower(), text)
        case "int":
            return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
        case "float":
            return float(text)
        case _:
            return text
