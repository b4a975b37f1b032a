"""The text of a configuration with its mistakes at their lines, and without what must not be shown.

What is secret is found by reading the text as text: a file may be too broken for anything else.
Rather too much is hidden than too little.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from pydantic import BaseModel

from hub.config import Config
from hub.config_text_views import FileTextView, MarkedView, TextLineView
from hub.errors import Problem
from hub.kinds import KINDS
from hub.plugins import Registry
from hub.secrets import HIDDEN
from hub.typewords import PRIVATE
from hub.yamlsyntax import BREAK

_KEY = re.compile(r"""(?P<quote>["']?)(?P<key>[A-Za-z_][\w.-]*)(?P=quote)\s*:(?=\s|$)[ \t]*""")
_TAG = re.compile(r"!(?:secret|env)\s+\S+")
_BLOCK = re.compile(r"[|>][+-]?\d?[+-]?[ \t]*(?:#.*)?$")
_PLAIN = re.compile(r"(?:[^\s#]|#(?<!\s#)|[ \t]+(?![#\s]))+")
_IN_BRACES = re.compile(r"(?:[^\s,}\]#]|#(?<!\s#)|[ \t]+(?![#\s]))+")
_IN_ADDRESS = re.compile(r"(://[^/\s:@\"']*:)[^/@\s\"']+(?=@)")
_ASKED = re.compile(r"([?&]([\w.-]+)=)[^&\s\"'#]+")
_SCHEME = re.compile(r"\b((?:bearer|basic|digest|apikey)\s+)[^\s\"',}]{4,}", re.I)
_TOKEN = re.compile(r"[^\s,\]}#]+")


def files_shown(
    texts: Mapping[str, bytes], problems: Sequence[Problem], root: Path, registry: Registry
) -> list[FileTextView]:
    """Every file, the main one first as it comes, with the mistakes that are about it."""
    hidden = hidden_names(registry)
    found = []
    for name, raw in texts.items():
        where = (root / name).resolve()
        mine = [each for each in problems if Path(each.file).resolve() == where]
        found.append(FileTextView(name=name, lines=list(_lines(raw, mine, hidden))))
    return found


def hidden_names(registry: Registry) -> frozenset[str]:
    """The keys that some model hides, whatever they are called."""
    models: list[type[BaseModel]] = [Config]
    for kind in KINDS:
        for driver in registry.drivers(kind).values():
            models += [each for each in (driver.config, driver.device) if each is not None]
    return frozenset(name for model in models for name in _hidden_in(model))


@cache
def _hidden_in(model: type[BaseModel]) -> frozenset[str]:
    found: set[str] = set()
    seen: set[type[BaseModel]] = set()
    waiting = [model]
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        for name, field in one.model_fields.items():
            if field.repr is False or "Secret" in str(field.annotation):
                found.add(field.alias or name)
            waiting += _models_in(field.annotation)
    return frozenset(found)


def _models_in(kind: object) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for each in getattr(kind, "__args__", ()):
        yield from _models_in(each)


def masked(text: str, hidden: frozenset[str] = frozenset()) -> list[str]:
    """The lines of a YAML text, with what stands under a private key hidden."""
    masking = _Masking(hidden)
    return [masking.line(each) for each in BREAK.split(text)]


class _Masking:
    """Goes through a text line by line. What belongs to a private key may go on for lines."""

    def __init__(self, hidden: frozenset[str]) -> None:
        self._hidden = hidden
        self._below: int | None = None  # all that is indented more belongs to a private key
        self._listed = False  # and so does a list at the same depth
        self._quote = ""  # a private text in quotes goes on until these

    def line(self, line: str) -> str:
        """The line as it may be shown."""
        if self._quote:
            return self._on(line)
        indent = len(line) - len(line.lstrip(" \t"))
        bare = line.strip()
        if self._below is not None and bare:
            item = self._listed and indent == self._below and bare.startswith("-")
            if indent > self._below or item:
                return line[:indent] + HIDDEN
            self._below = None
        return self._shown(self._keys(line))

    def _on(self, line: str) -> str:
        before, quote, after = line.partition(self._quote)
        if not quote:
            return HIDDEN
        del before
        self._quote = ""
        return HIDDEN + quote + self._shown(self._keys(after))

    def _keys(self, line: str) -> str:
        done, rest = "", line
        while (found := _KEY.search(rest)) is not None:
            done, rest = done + rest[: found.end()], rest[found.end() :]
            if self._is_private(found["key"]):
                indent = len(done) - len(done.lstrip(" \t-"))
                said, rest = self._value(rest, indent, flow="{" in done)
                done += said
        return done + rest

    def _is_private(self, key: str) -> bool:
        return key in self._hidden or PRIVATE.search(key) is not None

    def _value(self, rest: str, indent: int, *, flow: bool) -> tuple[str, str]:
        """What is shown of a private value that begins here, and what comes after it. Within braces
        that begin on the same line it ends with its part of them.
        """
        bare = rest.strip()
        self._listed = not bare or bare.startswith("#")
        if (tag := _TAG.match(rest)) is not None:
            return tag[0], rest[tag.end() :]
        if self._listed or _BLOCK.match(bare):
            self._below = indent
            return rest, ""
        if bare[0] in "\"'":
            return self._quoted(rest, bare[0])
        if bare[0] in "{[&*!":  # more than a plain value: all of it, and what is indented more
            self._below = indent
            return HIDDEN, ""
        plain = (_IN_BRACES if flow else _PLAIN).match(rest)
        end = plain.end() if plain is not None else len(rest)
        self._below = indent  # a plain text may go on below
        return HIDDEN, rest[end:]

    def _quoted(self, rest: str, quote: str) -> tuple[str, str]:
        begin = rest.index(quote) + 1
        at = begin
        while at < len(rest):
            if rest.startswith("\\" if quote == '"' else "''", at):
                at += 2
            elif rest[at] == quote:
                return f"{quote}{HIDDEN}{quote}", rest[at + 1 :]
            else:
                at += 1
        self._quote = quote
        return f"{quote}{HIDDEN}", ""

    @staticmethod
    def _shown(line: str) -> str:
        line = _IN_ADDRESS.sub(rf"\1{HIDDEN}", line)
        line = _SCHEME.sub(rf"\1{HIDDEN}", line)
        return _ASKED.sub(lambda m: f"{m[1]}{HIDDEN}" if PRIVATE.search(m[2]) else m[0], line)


def _lines(
    raw: bytes, problems: Sequence[Problem], hidden: frozenset[str]
) -> Iterator[TextLineView]:
    text = raw.decode("utf-8-sig", "replace")
    by_line: dict[int, list[Problem]] = {}
    plain, shown = BREAK.split(text), masked(text, hidden)
    for each in problems:
        by_line.setdefault(min(each.line, len(plain)), []).append(each)
    if plain and not plain[-1] and len(plain) not in by_line:
        plain, shown = plain[:-1], shown[:-1]
    for number, (said, line) in enumerate(zip(plain, shown, strict=True), 1):
        mine = by_line.get(number, [])
        start, end = _span(said, line, mine[0].column) if mine else (0, 0)
        yield TextLineView(
            number=number,
            text=line,
            start=start,
            end=end,
            mistakes=[
                MarkedView(column=each.column, path=each.path, message=each.message, hint=each.hint)
                for each in mine
            ],
        )


def _span(said: str, shown: str, column: int) -> tuple[int, int]:
    """Which characters of the line as it is shown a mistake is about."""
    start = column - 1
    if said[:start] == shown[:start] and (word := _TOKEN.match(shown, start)) is not None:
        return start, word.end()
    return len(shown) - len(shown.lstrip()), len(shown)
