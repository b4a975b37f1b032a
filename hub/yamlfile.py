"""YAML text to plain values, with the line and column of every key and value.

`!secret NAME`, `!env NAME` and `!include FILE` are resolved here; what they cannot resolve, like
everything else that is wrong, becomes a `Problem` at its place and never stops the reading.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from hub.document import Document, KeyPath, Marks
from hub.errors import CannotCheck
from hub.typewords import PRIVATE
from hub.yamlaliases import AliasPlaces, alias_places
from hub.yamlsections import Composed, compose
from hub.yamlsyntax import PLAIN, WHOLE, YAML, Mark, path_text
from hub.yamltags import QUOTE_IT, SECRETS, TAGS, Includes, SecretsFile, Tags, mark_of, read_secrets

__all__ = ["SECRETS", "Document", "KeyPath", "Marks", "read_yaml"]

MAX_VALUES = 200_000
MAX_DEPTH = 40


def read_yaml(file: str | Path, folder: Path | None = None) -> Document:
    """Read a file and all it includes; raises `CannotCheck` when it cannot be read at all.

    secrets.yaml is looked for in `folder`, else beside the file.
    """
    shown, path = str(file), Path(file)
    reader = _Reader(Document(shown), path.parent, folder or path.parent)
    document = reader.document
    try:
        text = reader.includes.text(path, shown)
    except OSError as error:
        raise CannotCheck(f"{shown}: cannot be read: {error.strerror or error}") from None
    document.marks[()] = Marks(Mark(shown, 1, 1), Mark(shown, 1, 1))
    if text is None:
        document.broken.add(())
    else:
        document.values = reader.whole(path, shown, text, ())
    return document


class _Reader:
    """What the files of one configuration share."""

    def __init__(self, document: Document, root: Path, folder: Path) -> None:
        self.document = document
        self.includes = Includes(document, root)
        self.folder = folder
        self.count = 0

    @cached_property
    def _secrets(self) -> SecretsFile:
        return read_secrets(self.includes, self.folder)

    def secrets(self) -> SecretsFile:
        """The secrets, read when the first of them is asked for."""
        return self._secrets

    def sections(self, shown: str, text: str, path: KeyPath) -> Composed:
        """What the text of a whole file holds, its problems noted."""
        composed = compose(text, shown)
        problems = composed.problems
        if path:
            problems = [replace(each, path=_below(path, each.path)) for each in problems]
        self.document.problems += problems
        return composed

    def whole(self, file: Path, shown: str, text: str, path: KeyPath, alone: bool = True) -> Any:
        """The values of a whole file, put at `path`, where other files may stand beside it."""
        read = self.sections(shown, text, path)
        self.document.broken |= {(*path, *section) for section in read.broken if alone or section}
        if read.broken and (path or not read.all_named):
            self.document.partial.add(path)
        if read.node is None:
            return None
        with self.includes.opened(file):
            return _Values(self, shown, file).value(read.node, path, 0)


def _below(path: KeyPath, inner: str) -> str:
    """The path of a problem in a file that stands at `path`."""
    return path_text(path) if inner == WHOLE else f"{path_text(path)}.{inner}"


class _Values(Tags):
    """Turns the nodes of one file into values."""

    def __init__(self, reader: _Reader, shown: str, file: Path) -> None:
        super().__init__(reader.includes, reader.secrets, shown, file)
        self.reader = reader
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
            self.document.broken.add(path)
            words = "an alias to what encloses it; expected one from above"
            self.problem_at(self._alias_at(node, path), path, words)
            return None
        self.inside.append(node)
        try:
            return self._value(node, path, depth)
        finally:
            self.inside.pop()

    def _alias_at(self, node: yaml.Node, path: KeyPath) -> Mark:
        """Where the alias stands that the last part of a path is: its node is the anchor's."""
        parent, last = self.inside[-1].start_mark, path[-1] if path else ""
        key = self.document.place(path, "key")
        within = (parent.line, parent.column, last)
        place = self._aliases.get(within if isinstance(last, int) else (key.line, key.column, ""))
        return Mark(self.shown, *place) if place is not None else mark_of(self.shown, node)

    @cached_property
    def _aliases(self) -> AliasPlaces:
        raw = self.document.contents[self.file]
        return alias_places(raw.decode("utf-8-sig"))

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
                mark = mark_of(self.shown, item)
                self.document.marks[(*path, index)] = Marks(mark, mark)
                items.append(self.value(item, (*path, index), depth + 1))
            return items
        return self.scalar(node, path)

    def mapping(
        self, node: yaml.MappingNode, path: KeyPath, depth: int, taken: Collection[str] = ()
    ) -> dict[str, Any]:
        """A mapping without the keys that are `taken`; its own win over those `<<` brings in."""
        own: dict[str, Any] = {}
        first: dict[str, int] = {}
        merges = []
        for key, value in node.value:
            if key.tag == YAML + "merge":
                merges.append(value)
                continue
            if not isinstance(key, yaml.ScalarNode) or not (key.value or key.style):
                wrong = "a key that is no text" if key.value else "a colon without a key"
                self.problem(key, path, f"{wrong}; expected `key: value`")
                continue
            name = str(key.value)
            inner = (*path, name)
            if name in first:
                words = "the same key twice"
                words += f" (first on line {first[name]}); expected each key once"
                self.problem(key, inner, words)
                continue
            first[name] = key.start_mark.line + 1
            if name not in taken:
                self._note(key, value, inner)
                own[name] = self.value(value, inner, depth + 1)
        for merge in merges:
            self._merge(merge, path, depth, own, taken)
        return own

    def _note(self, key: yaml.Node, value: yaml.Node, path: KeyPath) -> None:
        key_mark, value_mark = mark_of(self.shown, key), mark_of(self.shown, value)
        start, end = value.start_mark, value.end_mark  # a lone tag or anchor lies between them
        nothing = (start.line, start.column) == (end.line, end.column)
        empty = nothing and isinstance(value, yaml.ScalarNode) and not value.style
        self.document.marks[path] = Marks(key_mark, key_mark if empty else value_mark)

    def _merge(
        self,
        node: yaml.Node,
        path: KeyPath,
        depth: int,
        own: dict[str, Any],
        taken: Collection[str],
    ) -> None:
        """Add to `own` what a `<<` brings in: mappings, included files, or a list of them."""
        for source in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if source.tag == "!include" and isinstance(source, yaml.ScalarNode) and source.value:
                self._merge_files(source, path, depth, own, taken)
            elif not isinstance(source, yaml.MappingNode) or not source.tag.startswith(YAML):
                words = "is no mapping; expected an alias such as *base, or !include FILE"
                self.problem(source, (*path, "<<"), words)
            elif any(source is outer for outer in self.inside) or depth > MAX_DEPTH:
                words = "merges what encloses it; expected one from above"
                self.problem(source, (*path, "<<"), words)
            else:
                self.inside.append(source)
                own |= self.mapping(source, path, depth + 1, {*taken, *own})
                self.inside.pop()

    def _merge_files(
        self,
        node: yaml.ScalarNode,
        path: KeyPath,
        depth: int,
        own: dict[str, Any],
        taken: Collection[str],
    ) -> None:
        merge = (*path, "<<")
        files = self.included(node, merge)
        if files is None or merge in self.document.partial:
            self.document.partial.add(path)
        for file, shown, text in files or ():
            read = self.reader.sections(shown, text, path)
            part, broken = read.node, read.broken
            if broken:
                self.document.partial.add(path)
                self.document.broken |= {
                    (*path, *name) for name in broken if name and name[0] not in {*taken, *own}
                }
            if isinstance(part, yaml.MappingNode) and part.tag == YAML + "map":
                with self.includes.opened(file):
                    values = _Values(self.reader, shown, file)
                    own |= values.mapping(part, path, depth + 1, {*taken, *own})
            elif not broken and part is not None:
                self.problem(node, merge, f"{file.name} is no mapping; expected keys and values")

    def _tagged(self, node: yaml.Node, path: KeyPath) -> Any:
        resolve = {"!secret": self.secret, "!env": self.environment, "!include": self._include}
        if node.tag not in resolve:
            private = any(PRIVATE.search(part) for part in path if isinstance(part, str))
            close = get_close_matches(node.tag, TAGS, n=1) if node.value or not private else []
            hint = f"did you mean {close[0]}?" if close else QUOTE_IT if private else ""
            tag = "" if private else f" ({node.tag.replace(YAML, '!!')})"
            words = f"a tag that is not known{tag}; expected !secret, !env or !include"
            return self.broken(node, path, words, hint)
        if not isinstance(node, yaml.ScalarNode) or not node.value:
            return self.broken(node, path, f"{node.tag} without a name; expected {node.tag} NAME")
        return resolve[node.tag](node, path)

    def _include(self, node: yaml.ScalarNode, path: KeyPath) -> Any:
        files = self.included(node, path)
        if files is None:
            return None
        target = self.includes.target(str(node.value), self.file.parent)
        if target is None or not target.is_dir():
            return self.reader.whole(*files[0], path)
        whole: dict[str, Any] = {}
        for file, shown, text in files:
            first = {name: self.document.marks.get((*path, name)) for name in whole}
            part = self.reader.whole(file, shown, text, path, alone=False)
            if not isinstance(part, dict):
                if part is not None:
                    self.problem(node, path, f"{file.name} is no mapping; expected keys and values")
                continue
            for name in part.keys() & whole.keys():
                before = first[name]
                where = f" (first in {before.key.file}:{before.key.line})" if before else ""
                mark = self.document.place((*path, name), "key")
                words = f"the same key twice{where}; expected each key once"
                self.problem_at(mark, (*path, name), words)
            whole.update(part)
        return whole
