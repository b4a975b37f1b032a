"""Message texts as Jinja2 templates, in a language that cannot loop for ever.

A sandbox does not keep a template from running for hours or filling memory, so what a template may
be made of is decided by its tree, when it is read: texts, names of what is known, plain conditions,
a few filters, and loops over a known list, not one within another. Nothing in that language takes
longer than its length times the length of a list, so it needs no process of its own and no
deadline. What it says is cut off by counting while it is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from jinja2 import Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from hub.errors import VestibuleError
from hub.safety.notices.languages import BUILT_IN

About = Literal["alert", "verdict", "outcome", "acknowledgement", "update", "digest"]
ABOUT: tuple[About, ...] = get_args(About)
TEXTS = Path(__file__).parent / "texts"

WORDS = (
    "title", "place", "when", "first_seen", "school", "severity", "text", "seen", "score",
    "could_be", "again", "closed", "planned", "verified", "verdict", "by", "note", "line", "count",
    "quiet", "standard", "standard_title",
)  # fmt: skip
LISTS = ("why", "lines")
FILTERS = ("capitalize", "default", "join", "length", "lower", "trim", "upper")
LONGEST_FILE = 8_000
LONGEST_TEXT = 6_000
LONGEST_WORD = 2_000
LONGEST_LIST = 50
LONGEST_ITEM = 300
LONGEST_CONSTANT = 200
DEEPEST = 40

_PLAIN: tuple[type[nodes.Node], ...] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.CondExpr, nodes.Compare,
    nodes.Operand, nodes.And, nodes.Or, nodes.Not,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a template, and in which line and column of its file (from 1)."""

    file: Path
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class CannotSay(VestibuleError):
    """A template came to nothing of use; the text says why."""


@dataclass(frozen=True)
class Texts:
    """A school's own templates, by language and what they are about; and what could not be used."""

    own: Mapping[tuple[str, str], tuple[Path, Template]] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    @classmethod
    def read(cls, folder: Path | None) -> Texts:
        """Those in `LANGUAGE/ABOUT.txt` of a folder, each looked over before it is compiled."""
        own: dict[tuple[str, str], tuple[Path, Template]] = {}
        faults: list[Fault] = []
        for file in _files(folder) if folder is not None else ():
            found = examine(file)
            if isinstance(found, Template):
                own[file.parent.name, file.stem] = (file, found)
            else:
                faults.append(found)
        return cls(own, tuple(faults))

    def of(self, language: str, about: str) -> tuple[Path, Template] | None:
        """The school's own template, where it has one."""
        return self.own.get((language, about))


def languages(folder: Path | None) -> list[str]:
    """The languages that there are texts in."""
    own = {file.parent.name for file in _files(folder)} if folder is not None else set()
    return sorted({*BUILT_IN, *own})


@cache
def built_in(language: str, about: str) -> Template | None:
    """The template that comes with the hub; None where it has none in that language."""
    file = TEXTS / language / f"{about}.txt"
    if language not in BUILT_IN or about not in ABOUT:
        return None
    return _environment().from_string(file.read_text(encoding="utf-8"))


def say(template: Template, words: Mapping[str, Any]) -> tuple[str, str]:
    """Title and text: the first line, and the rest. Raises `CannotSay`."""
    said: list[str] = []
    length = 0
    try:
        for piece in template.generate(_bounded(words)):
            said.append(piece)
            length += len(piece)
            if length > LONGEST_TEXT:
                raise CannotSay(f"it says more than {LONGEST_TEXT} characters")
    except CannotSay:
        raise
    except Exception as error:
        raise CannotSay(f"{type(error).__name__}: {error}") from error
    title, _, text = "".join(said).strip().partition("\n")
    if not title.strip():
        raise CannotSay("it says nothing")
    return title.strip(), text.strip()


def examine(file: Path) -> Template | Fault:
    """A template that may be used, or the first thing that is wrong with it."""
    if file.stem not in ABOUT:
        return Fault(file, 1, 1, f"expected one of {', '.join(f'{each}.txt' for each in ABOUT)}")
    try:
        with file.open("rb") as opened:
            raw = opened.read(LONGEST_FILE + 1)
    except OSError as error:
        return Fault(file, 1, 1, f"cannot be read: {error.strerror}")
    if len(raw) > LONGEST_FILE:
        return Fault(file, 1, 1, f"is too long; expected at most {LONGEST_FILE} bytes")
    try:
        source = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return Fault(file, line, 1, "is not UTF-8 text; save it as UTF-8")
    if not source.strip():
        return Fault(file, 1, 1, "is empty; expected a title, and a text below it")
    try:
        tree = _environment().parse(source)
        refused = next(_refused(tree, 0, loop=False), None)
        if refused is None:
            return _environment().from_string(tree)
    except TemplateSyntaxError as error:
        return Fault(file, error.lineno, _column(source, error.lineno), f"{error.message}")
    except TemplateError as error:
        return Fault(file, 1, 1, f"{error.message}")
    except RecursionError:
        return Fault(file, 1, 1, "is nested too deeply")
    except ValueError:  # a number of thousands of digits
        return Fault(file, 1, 1, "holds a number that is too long")
    line, message = refused
    return Fault(file, line, _column(source, line), message)


def _refused(node: nodes.Node, depth: int, *, loop: bool) -> Iterator[tuple[int, str]]:
    """What is not of the language of message texts, with its line."""
    if depth > DEEPEST:
        yield node.lineno, "is nested too deeply"
        return
    if message := _fault(node, loop=loop):
        yield node.lineno, message
        return
    inside = loop or isinstance(node, nodes.For)
    for child in node.iter_child_nodes():
        yield from _refused(child, depth + 1, loop=inside)


def _fault(node: nodes.Node, *, loop: bool) -> str:
    if isinstance(node, _PLAIN):
        return ""
    if isinstance(node, nodes.Const):
        short = isinstance(node.value, bool | int | float | None) or (
            isinstance(node.value, str) and len(node.value) <= LONGEST_CONSTANT
        )
        return "" if short else f"a text of more than {LONGEST_CONSTANT} characters"
    if isinstance(node, nodes.Name):
        known = node.ctx == "store" or node.name in (*WORDS, *LISTS, "each")
        return "" if known else f"`{node.name}` is not known; expected one of {', '.join(WORDS)}"
    if isinstance(node, nodes.For):
        return _loop_fault(node, loop=loop)
    if isinstance(node, nodes.Filter):
        return _filter_fault(node)
    kind = type(node).__name__.lower()
    return f"`{kind}` has no place in a message text; expected names, `if`, and `for each in lines`"


def _loop_fault(node: nodes.For, *, loop: bool) -> str:
    if loop:
        return "a loop within a loop has no place in a message text"
    plain = isinstance(node.iter, nodes.Name) and node.iter.name in LISTS
    named = isinstance(node.target, nodes.Name) and node.target.name == "each"
    if not plain or not named or node.recursive or node.test is not None:
        return f"expected a loop such as `for each in why`, over one of {', '.join(LISTS)}"
    return ""


def _filter_fault(node: nodes.Filter) -> str:
    if node.name not in FILTERS:
        return f"the filter `{node.name}` is not known; expected one of {', '.join(FILTERS)}"
    arguments = [*node.args, *(each.value for each in node.kwargs)]
    if node.dyn_args or node.dyn_kwargs or len(arguments) > 1:
        return f"the filter `{node.name}` takes one argument at most"
    if any(not isinstance(each, nodes.Const) for each in arguments):
        return f"the filter `{node.name}` takes a plain value"
    if node.name == "join" and not (isinstance(node.node, nodes.Name) and node.node.name in LISTS):
        return f"`join` is for lists: one of {', '.join(LISTS)}"
    return ""


def _bounded(words: Mapping[str, Any]) -> dict[str, Any]:
    bounded: dict[str, Any] = dict.fromkeys(WORDS, "") | dict.fromkeys(LISTS, ())
    for name, value in words.items():
        if isinstance(value, list | tuple):
            bounded[name] = [str(each)[:LONGEST_ITEM] for each in value[:LONGEST_LIST]]
        else:
            bounded[name] = value if isinstance(value, bool) else str(value)[:LONGEST_WORD]
    return bounded


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, autoescape=False, auto_reload=False
    )
    environment.filters = {name: environment.filters[name] for name in FILTERS}
    environment.globals = {}
    return environment


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(file for file in folder.glob("*/*.txt") if not file.name.startswith("."))
    except OSError:
        return []


def _column(source: str, line: int) -> int:
    """Where the first mark of Jinja stands in a line: the parser keeps no columns."""
    lines = source.splitlines()
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    found = [at for mark in ("{{", "{%", "{#") if (at := text.find(mark)) >= 0]
    return min(found, default=0) + 1
