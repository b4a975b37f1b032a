"""What the YAML parser says about broken text, in plain words and at the right place.

The parser speaks of tokens and contexts; the table here speaks of keys, quotes and indentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
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

# what the parser says -> what it means; {found} is the character it stopped at
_WORDS = {
    "mapping values are not allowed": (
        "a second `key: value` on one line, or a line indented too far; "
        "expected one key per line, in line with its neighbours, and quotes around text with `: `"
    ),
    "did not find expected key": (
        "the line does not continue what is above it; expected a key in line with its neighbours"
    ),
    "could not find expected ':'": "a key without a colon; expected `key: value`",
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
    "found undefined alias": "no anchor of this name stands above; expected one such as `&name`",
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


SECTION = re.compile(r"([A-Za-z_][\w-]*)[ \t]*:(?=\s|$)")
MAX_SECTIONS = 200


def compose(
    text: str, file: str
) -> tuple[yaml.Node | None, list[Problem], set[tuple[str | int, ...]]]:
    """The node of a whole file, what is wrong with its form, and the sections that are broken.

    Where the file as a whole is no YAML, each section (from one unindented key to the next) is
    looked at by itself, so that one fault hides no other. `()` among the broken: nothing is known.
    """
    node, error = _composed(text)
    if error is None:
        return node, [], set()
    first = syntax_problem(text, file, error)
    sections = _sections(text)
    if len(sections) < 2:
        return None, [first], {()}
    problems, broken, pairs = [first], set[tuple[str | int, ...]](), []
    for name, start, end, part in sections:
        if start < first.line <= end:
            problems[0] = first = _within(first, name)
        node, error = _composed(part)
        if isinstance(node, yaml.MappingNode):
            pairs += node.value
            continue
        broken.add((name,))
        if error is None or start <= first.line <= end:
            continue
        problem = syntax_problem(part, file, error)
        if _WORDS["found undefined alias"] not in problem.message:  # it may stand in another one
            problems.append(_within(problem, name))
    whole = yaml.MappingNode(YAML + "map", pairs)
    whole.start_mark = whole.end_mark = pairs[0][0].start_mark if pairs else None
    return whole if pairs else None, problems, broken


def _within(problem: Problem, section: str) -> Problem:
    """The problem with its section as its path, where it has none and is indented."""
    named = problem.path == WHOLE and problem.column > 1
    return replace(problem, path=section) if named else problem


ODD_SPACE = r"^ *([\u00a0\u2000-\u200b\u202f\u3000])\s*[\w-]+:(?:\s|$)"
SLASHES = r"^[ \t]*(//)"


def _composed(text: str) -> tuple[yaml.Node | None, yaml.YAMLError | None]:
    for odd in _odd(text, "odd space", ODD_SPACE):
        return None, odd
    try:
        return Loader(text).get_single_node(), None
    except yaml.YAMLError as error:
        return None, _commented(text, error) or _glued(text, error) or error
    except RecursionError:
        return None, yaml.YAMLError("nested too deeply")


def _odd(text: str, problem: str, pattern: str) -> Iterator[yaml.MarkedYAMLError]:
    """Places that the parser would not name, or not in their own right."""
    for found in re.finditer(pattern, text, re.MULTILINE):
        before = BREAK.split(text[: found.start(1)])
        mark = yaml.Mark("", found.start(1), len(before) - 1, len(before[-1]), None, 0)
        yield yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def _commented(text: str, error: yaml.YAMLError) -> yaml.MarkedYAMLError | None:
    """A `//` comment on the line at which the parser gives up, or the one above."""
    mark: Any = getattr(error, "problem_mark", None)
    for odd in _odd(text, "odd comment", SLASHES) if mark is not None else ():
        if odd.problem_mark is not None and 0 <= mark.line - odd.problem_mark.line <= 1:
            return odd
    return None


def _glued(text: str, error: yaml.YAMLError) -> yaml.MarkedYAMLError | None:
    """`name:Hall`, which is one word, above the line at which the parser gives up."""
    mark = getattr(error, "problem_mark", None)
    if mark is None or "mapping values are not allowed" not in str(error):
        return None
    lines = BREAK.split(text)[: mark.line]
    above = lines[-1] if lines else ""
    if not (found := re.fullmatch(r"[ -]*([A-Za-z_]\w*:)[^\s:/].*", above)):
        return None
    place = yaml.Mark("", 0, mark.line - 1, found.start(1), None, 0)
    return yaml.MarkedYAMLError(problem="odd colon", problem_mark=place)


def _sections(text: str) -> list[tuple[str, int, int, str]]:
    """Each section's name, first and last line (from 1) and text, which keeps its line numbers."""
    lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)", text)
    found = [(i, m[1]) for i, line in enumerate(lines) if (m := SECTION.match(line))]
    if not found or len(found) > MAX_SECTIONS:
        return []
    starts = [0, *(index for index, _ in found[1:]), len(lines)]
    return [
        (name, start + 1, end, "\n" * start + "".join(lines[start:end]))
        for (_, name), start, end in zip(found, starts, starts[1:], strict=False)
    ]


def syntax_problem(text: str, file: str, error: yaml.YAMLError) -> Problem:
    """The parser's complaint about `text` as a problem with a place and an expectation."""
    if isinstance(error, yaml.MarkedYAMLError):
        said = f"{error.problem or ''}"
        line, column = _place(text, error)
        found = _character(text, line, column)
        words = next((words for start, words in _WORDS.items() if start in said), "")
        if "cannot start any token" in said:
            words = _bad_start(found)
        elif "mapping values" in said and error.problem_mark and line <= error.problem_mark.line:
            words = _WORDS["could not find expected ':'"]
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
    return Problem(file, line, column, _path_before(text, column), words, "", DOC)


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
        return _missing_colon(text, mark.line) or (mark.line + 1, mark.column + 1)
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


def _missing_colon(text: str, line: int) -> tuple[int, int] | None:
    """Where the line above is a lone word: `lobby` instead of `lobby:` before an indented key."""
    lines = BREAK.split(text)
    above = lines[line - 1] if line else ""
    indent = len(above) - len(above.lstrip())
    here = len(lines[line]) - len(lines[line].lstrip())
    if re.fullmatch(r"[A-Za-z_][\w-]*", above.strip()) and here > indent:
        return line, indent + 1
    return None


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


def _path_before(text: str, column: int) -> str:
    """The keys that enclose the place where parsing stopped, which is at `column`."""
    frames: list[_Frame] = []
    try:
        for event in _events(text):
            if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                frames.pop()
            start: Any = event.start_mark
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
