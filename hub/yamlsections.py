"""A broken YAML file, read section by section, so that one fault in its form hides no other.

A section reaches from one unindented key to the next, and so does, at most, a quote in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from hub.errors import Problem
from hub.yamlsyntax import BREAK, WHOLE, WORDS, YAML, Loader, syntax_problem

SECTION = re.compile(r"([A-Za-z_][\w-]*)[ \t]*:(?=\s|$)")
STRAY = re.compile(r"(?<=[\r\n])[^\s#\-\]}]")  # it may be a section of which the colon is missing
MAX_SECTIONS = 200


@dataclass(frozen=True, slots=True)
class Composed:
    """The node of a whole file, what is wrong with its form, and the sections that are broken.

    `()` among the broken: nothing is known. Where `all_named`, a section that is neither in the
    node nor among the broken is not in the file.
    """

    node: yaml.Node | None
    problems: list[Problem] = field(default_factory=list)
    broken: set[tuple[str | int, ...]] = field(default_factory=set)
    all_named: bool = True


def compose(text: str, file: str) -> Composed:
    """Read a file; where it is no YAML as a whole, each of its sections by itself."""
    node, error = _composed(text)
    if error is None:
        return Composed(node)
    first = syntax_problem(text, file, error)
    sections = _sections(text)
    if len(sections) < 2:
        return Composed(None, [first], {()}, all_named=False)
    problems, broken, pairs = list[Problem](), set[tuple[str | int, ...]](), []
    all_named = True
    for name, start, end, part in sections:
        node, error = _composed(part)
        if isinstance(node, yaml.MappingNode):
            pairs += node.value
        else:
            broken.add((name,))
            all_named = all_named and not STRAY.search(part.lstrip("\n"))
        problem = syntax_problem(part, file, error) if error is not None else None
        elsewhere = problem is not None and WORDS["found undefined alias"] in problem.message
        if start <= first.line <= end and (node is None or not problems):
            problem = first if not problems or elsewhere else problem
        elif elsewhere:  # the anchor may stand in another section
            problem = None
        if problem is not None:
            problems.append(_within(problem, name))
    whole = yaml.MappingNode(YAML + "map", pairs)
    whole.start_mark = whole.end_mark = pairs[0][0].start_mark if pairs else None
    return Composed(whole if pairs else None, problems or [first], broken, all_named)


def _within(problem: Problem, section: str) -> Problem:
    """The problem with its section as its path, where it has none and is indented."""
    named = problem.path == WHOLE and problem.column > 1
    return replace(problem, path=section) if named else problem


ODD_SPACE = r"^ *([\u00a0\u2000-\u200b\u202f\u3000])\s*[\w-]+:(?:\s|$)"
SLASHES = r"^[ \t]*(//)"


def _composed(text: str) -> tuple[yaml.Node | None, yaml.YAMLError | None]:
    for odd in _odd(text, "odd space", ODD_SPACE):
        return None, odd
    open_quote = _open_quote(text)
    try:
        node = Loader(text).get_single_node()
    except yaml.YAMLError as error:
        if open_quote is not None and _comes_first(open_quote, error):
            return None, open_quote
        return None, _commented(text, error) or _glued(text, error) or error
    except RecursionError:
        return None, yaml.YAMLError("nested too deeply")
    return (node, None) if open_quote is None else (None, open_quote)


def _open_quote(text: str) -> yaml.MarkedYAMLError | None:
    """A quoted text that swallows keys which are no further in than the line on which it begins."""
    lines = BREAK.split(text)
    if not any(line.count('"') % 2 or line.count("'") % 2 for line in lines):
        return None
    try:
        for token in _tokens(text):
            start, end = token.start_mark, token.end_mark
            quoted = isinstance(token, yaml.ScalarToken) and token.style in ("'", '"')
            if not quoted or start.line == end.line:
                continue
            indent = len(lines[start.line]) - len(lines[start.line].lstrip())
            for line in lines[start.line + 1 : end.line + 1]:
                key = re.match(r"( *)(?:- +)?[A-Za-z_][\w-]*[ \t]*:(?=\s|$)", line)
                if key and len(key[1]) <= indent:
                    return yaml.MarkedYAMLError(
                        problem="found unexpected end of stream", problem_mark=start
                    )
    except yaml.YAMLError:
        pass
    return None


def _tokens(text: str) -> Iterator[Any]:
    """The parser's tokens; the stubs cannot tell its marks from those of the slow parser."""
    return yaml.scan(text, Loader=Loader)


def _comes_first(one: yaml.MarkedYAMLError, other: yaml.YAMLError) -> bool:
    here, there = one.problem_mark, getattr(other, "problem_mark", None)
    return here is None or there is None or (here.line, here.column) <= (there.line, there.column)


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
