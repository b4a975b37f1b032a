"""YAML text to plain values, with the line and column of every key and value.

`!secret NAME`, `!env NAME` and `!include FILE` are resolved here; what they cannot resolve, like
everything else that is wrong, becomes a `Problem` at its place and never stops the reading.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from hub.errors import CannotCheck, Problem
from hub.yamlsyntax import (
    DOC,
    PLAIN,
    WHOLE,
    YAML,
    Loader,
    Mark,
    path_text,
    scalar_value,
    syntax_problem,
)

KeyPath = tuple[str | int, ...]
SECRETS = "secrets.yaml"
TAGS_DOC = "docs/reference/config.md#tags"
MAX_VALUES = 200_000
MAX_DEPTH = 40


@dataclass(frozen=True, slots=True)
class Marks:
    """Where a key and its value begin; for a list item both are the item's place."""

    key: Mark
    value: Mark


@dataclass
class Document:
    """A YAML file as read: `values` is plain data, `marks` says where each part of it stands.

    `broken` holds the paths whose value could not be resolved (a problem says why), `hidden` the
    paths whose value came from a secret or the environment and must never be shown. `files` are all
    files that were read.
    """

    file: str
    values: Any = None
    marks: dict[KeyPath, Marks] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    broken: set[KeyPath] = field(default_factory=set)
    hidden: set[KeyPath] = field(default_factory=set)
    files: list[Path] = field(default_factory=list)

    def place(self, path: KeyPath, at: str = "value") -> Mark:
        """The place of the `key` or `value` at `path`, or of the nearest part around it."""
        for length in range(len(path), -1, -1):
            marks = self.marks.get(path[:length])
            if marks is not None:
                whole = length == len(path)
                return marks.value if whole and at == "value" else marks.key
        return Mark(self.file, 1, 1)


def read_yaml(file: str | Path) -> Document:
    """Read a file and all it includes; raises `CannotCheck` when it cannot be read at all."""
    shown, path = str(file), Path(file)
    reader = _Reader(Document(shown), path.parent)
    try:
        text = reader.text(path, shown)
    except OSError as error:
        raise CannotCheck(f"{shown}: cannot be read: {error.strerror or error}") from None
    reader.document.marks[()] = Marks(Mark(shown, 1, 1), Mark(shown, 1, 1))
    if text is not None:
        reader.document.values = reader.whole(text, shown, path)
    return reader.document


class _Reader:
    def __init__(self, document: Document, root: Path) -> None:
        self.document = document
        self.root = root
        self.count = 0
        self.open: list[Path] = []
        self._secrets: dict[str, str] | None = None

    def text(self, path: Path, shown: str) -> str | None:
        """The file's text, or None after a problem was noted; raises `OSError`."""
        raw = path.read_bytes()
        self.document.files.append(path)
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            before = raw[: error.start].decode(errors="replace")
            line = before.count("\n") + 1
            column = len(before) - before.rfind("\n")
            found = (
                "UTF-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else f"byte {raw[error.start]}"
            )
            words = f"is not UTF-8 text (found {found}); expected a file saved as UTF-8"
            self.document.problems.append(Problem(shown, line, column, WHOLE, words, "", DOC))
            return None

    def whole(self, text: str, shown: str, file: Path, path: KeyPath = ()) -> Any:
        """The values of a whole file, put at `path`."""
        try:
            node = Loader(text).get_single_node()
        except (yaml.YAMLError, RecursionError) as error:
            if isinstance(error, RecursionError):
                error = yaml.YAMLError("nested too deeply")
            self.document.problems.append(syntax_problem(text, shown, error))
            self.document.broken.add(path)
            return None
        if node is None:
            return None
        self.open.append(file.resolve())
        try:
            return _Files(self, shown, file).value(node, path, 0)
        finally:
            self.open.pop()

    def secrets(self) -> dict[str, str]:
        """The names and texts of secrets.yaml; empty when there is none."""
        if self._secrets is None:
            self._secrets = {}
            path = self.root / SECRETS
            shown = _beside(self.document.file, SECRETS)
            if path.is_file():
                self._secrets = self._read_secrets(path, shown)
        return self._secrets

    def _read_secrets(self, path: Path, shown: str) -> dict[str, str]:
        try:
            text = self.text(path, shown)
        except OSError as error:
            self._complain(Mark(shown, 1, 1), f"cannot be read ({error.strerror}); expected a file")
            return {}
        try:
            node = Loader(text or "").get_single_node()
        except yaml.YAMLError as error:
            self.document.problems.append(syntax_problem(text or "", shown, error))
            return {}
        if node is None:
            return {}
        found: dict[str, str] = {}
        pairs = node.value if isinstance(node, yaml.MappingNode) else [(node, node)]
        for key, value in pairs:
            if not (isinstance(key, yaml.ScalarNode) and isinstance(value, yaml.ScalarNode)):
                words = "is no secret; expected lines of `name: text`"
                self._complain(_mark(shown, key), words)
            elif key is not value:
                found[key.value] = value.value
            else:
                self._complain(_mark(shown, key), "has no names; expected lines of `name: text`")
        return found

    def _complain(self, mark: Mark, words: str) -> None:
        problem = Problem(mark.file, mark.line, mark.column, WHOLE, words, "", TAGS_DOC)
        self.document.problems.append(problem)


class _Files:
    """Turns the nodes of one file into values; `shown` is the file's name in messages."""

    def __init__(self, reader: _Reader, shown: str, file: Path) -> None:
        self.reader = reader
        self.document = reader.document
        self.shown = shown
        self.file = file
        self.inside: list[yaml.Node] = []

    def value(self, node: yaml.Node, path: KeyPath, depth: int) -> Any:
        """The plain value of a node; its problems and positions go to the document."""
        self.reader.count += 1
        if self.reader.count > MAX_VALUES or depth > MAX_DEPTH:
            if path not in self.document.broken and not self._too_much():
                words = "the file unfolds into too much; expected fewer or flatter values"
                self.problem(node, path[:MAX_DEPTH], words)
            self.document.broken.add(path)
            return None
        if any(node is outer for outer in self.inside):
            return self.broken(node, path, "an alias to what encloses it; expected one from above")
        self.inside.append(node)
        try:
            return self._value(node, path, depth)
        finally:
            self.inside.pop()

    def _too_much(self) -> bool:
        return any("unfolds into too much" in each.message for each in self.document.problems)

    def _value(self, node: yaml.Node, path: KeyPath, depth: int) -> Any:
        if node.tag.removeprefix(YAML) not in PLAIN:
            return self._tagged(node, path)
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode):
            items = []
            for index, item in enumerate(node.value):
                mark = _mark(self.shown, item)
                self.document.marks[(*path, index)] = Marks(mark, mark)
                items.append(self.value(item, (*path, index), depth + 1))
            return items
        try:
            return scalar_value(node.tag, str(node.value))
        except ValueError:
            expected = node.tag.removeprefix(YAML)
            return self.broken(node, path, f"is no {expected}; expected a value without the tag")

    def mapping(self, node: yaml.MappingNode, path: KeyPath, depth: int) -> dict[str, Any]:
        """A mapping; its own keys win over those that `<<` brings in."""
        own: dict[str, Any] = {}
        first: dict[str, int] = {}
        merges = []
        for key, value in node.value:
            if key.tag == YAML + "merge":
                merges.append(value)
                continue
            if not isinstance(key, yaml.ScalarNode):
                self.problem(key, path, "a key that is no text; expected `key: value`")
                continue
            name = str(key.value)
            inner = (*path, name)
            if name in first:
                words = "the same key twice"
                words += f" (first on line {first[name]}); expected each key once"
                self.problem(key, inner, words)
                continue
            first[name] = key.start_mark.line + 1
            self._note(key, value, inner)
            own[name] = self.value(value, inner, depth + 1)
        for merge in merges:
            for name, value in self._merged(merge, path, depth, own).items():
                own.setdefault(name, value)
        return own

    def _note(self, key: yaml.Node, value: yaml.Node, path: KeyPath) -> None:
        key_mark, value_mark = _mark(self.shown, key), _mark(self.shown, value)
        empty = isinstance(value, yaml.ScalarNode) and value.value == "" and not value.style
        self.document.marks[path] = Marks(key_mark, key_mark if empty else value_mark)

    def _merged(
        self, node: yaml.Node, path: KeyPath, depth: int, own: Mapping[str, Any]
    ) -> dict[str, Any]:
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, Any] = {}
        for source in sources:
            if not isinstance(source, yaml.MappingNode) or not source.tag.startswith(YAML):
                self.problem(
                    source, (*path, "<<"), "is no mapping; expected an alias such as *base"
                )
                continue
            if any(source is outer for outer in self.inside) or depth > MAX_DEPTH:
                self.problem(
                    source, (*path, "<<"), "merges what encloses it; expected one from above"
                )
                continue
            kept = [
                pair
                for pair in source.value
                if pair[0].value not in own and pair[0].value not in merged
            ]
            part = yaml.MappingNode(source.tag, kept, source.start_mark, source.end_mark)
            self.inside.append(source)
            merged.update(self.mapping(part, path, depth + 1))
            self.inside.pop()
        return merged

    def _tagged(self, node: yaml.Node, path: KeyPath) -> Any:
        known = {"!secret": self._secret, "!env": self._environment, "!include": self._include}
        resolve = known.get(node.tag)
        if resolve is None:
            close = get_close_matches(node.tag, list(known), n=1)
            hint = f"did you mean {close[0]}?" if close else ""
            words = f"a tag that is not known ({node.tag}); expected !secret, !env or !include"
            return self.broken(node, path, words, hint)
        if not isinstance(node, yaml.ScalarNode) or not node.value:
            return self.broken(node, path, f"{node.tag} without a name; expected {node.tag} NAME")
        return resolve(node, path)

    def _secret(self, node: yaml.ScalarNode, path: KeyPath) -> str | None:
        self.document.hidden.add(path)
        name = str(node.value)
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        plain = name not in (".", "..") and "/" not in name and "\0" not in name
        if folder and plain and (Path(folder) / name).is_file():
            try:
                return (Path(folder) / name).read_text("utf-8").rstrip("\r\n")
            except (OSError, ValueError):
                words = f"the credential {name!r} cannot be read; expected UTF-8 text"
                self.broken(node, path, words)
                return None
        secrets = self.reader.secrets()
        if name not in secrets:
            close = get_close_matches(name, list(secrets), n=1)
            hint = f"did you mean {close[0]}?" if close else ""
            words = f"no secret is named {name!r}; expected it in {SECRETS} beside this file"
            self.broken(node, path, f"{words} or among the service's credentials", hint)
        return secrets.get(name)

    def _environment(self, node: yaml.ScalarNode, path: KeyPath) -> str | None:
        self.document.hidden.add(path)
        value = os.environ.get(str(node.value))
        if value is None:
            words = f"the environment has no variable {node.value!r}; expected it to be set"
            self.broken(node, path, words)
        return value

    def _include(self, node: yaml.ScalarNode, path: KeyPath) -> Any:
        target = self.file.parent / str(node.value)
        root = self.reader.root.resolve()
        try:
            real = target.resolve()
            inside = real.is_relative_to(root) and "\0" not in str(node.value)
        except (OSError, ValueError, RuntimeError):
            inside = False
        if not inside:
            words = "lies outside the configuration's folder; expected a file within it"
            return self.broken(node, path, words)
        if real.is_dir():
            return self._include_folder(node, real, path)
        return self._include_file(node, real, path)

    def _include_folder(self, node: yaml.ScalarNode, folder: Path, path: KeyPath) -> Any:
        whole: dict[str, Any] = {}
        for file in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
            seen = {name: self.document.marks.get((*path, name)) for name in whole}
            part = self._include_file(node, file.resolve(), path)
            if not isinstance(part, dict):
                if part is not None:
                    self.problem(node, path, f"{file.name} is no mapping; expected keys and values")
                continue
            for name in part.keys() & whole.keys():
                first = seen[name]
                where = f" (first in {first.key.file}:{first.key.line})" if first else ""
                mark = self.document.place((*path, name), "key")
                words = f"the same key twice{where}; expected each key once"
                self._add(mark, (*path, name), words)
            whole.update(part)
        return whole

    def _include_file(self, node: yaml.ScalarNode, file: Path, path: KeyPath) -> Any:
        if file.name == SECRETS:
            return self.broken(node, path, f"{SECRETS} is not included; expected !secret NAME")
        if file in self.reader.open:
            return self.broken(node, path, "a file that includes itself; expected another file")
        root = self.reader.root.resolve()
        shown = _beside(self.document.file, str(file.relative_to(root)))
        try:
            text = self.reader.text(file, shown)
        except OSError as error:
            words = f"{node.value} cannot be read ({error.strerror}); expected a YAML file"
            return self.broken(node, path, words)
        if text is None:
            self.document.broken.add(path)
            return None
        return self.reader.whole(text, shown, file, path)

    def broken(self, node: yaml.Node, path: KeyPath, words: str, hint: str = "") -> None:
        """Note a problem with a value that stays unknown."""
        self.document.broken.add(path)
        self.problem(node, path, words, hint)

    def problem(self, node: yaml.Node, path: KeyPath, words: str, hint: str = "") -> None:
        """Note a problem at a node."""
        self._add(_mark(self.shown, node), path, words, hint)

    def _add(self, mark: Mark, path: KeyPath, words: str, hint: str = "") -> None:
        where = path_text(path) or WHOLE
        problem = Problem(mark.file, mark.line, mark.column, where, words, hint, TAGS_DOC)
        self.document.problems.append(problem)


def _mark(shown: str, node: yaml.Node) -> Mark:
    return Mark(shown, node.start_mark.line + 1, node.start_mark.column + 1)


def _beside(file: str, name: str) -> str:
    folder = os.path.dirname(file)  # noqa: PTH120  (keeps `./` and `..` as the user wrote them)
    return f"{folder}/{name}" if folder else name
