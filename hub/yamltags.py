"""What stands behind `!secret NAME`, `!env NAME` and `!include FILE`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from hub.document import Document, KeyPath
from hub.errors import Problem
from hub.yamlsyntax import DOC, WHOLE, YAML, Loader, Mark, path_text, scalar_value, syntax_problem

SECRETS = "secrets.yaml"
TAGS_DOC = "docs/reference/config.md#tags"
TAGS = ("!secret", "!env", "!include")
AS_TEXT = re.compile(rf"(?:{'|'.join(TAGS)}) .")
AS_VARIABLE = re.compile(r"\$\{([A-Z_][A-Z0-9_]*)\}")
MOST_DIGITS = 300
QUOTE_IT = "put a text that begins with `!` in quotes"


class Includes:
    """Opens the files of one configuration, all below `root`, and notes what is wrong with them."""

    def __init__(self, document: Document, root: Path) -> None:
        self.document = document
        self.root = root
        self._open: list[Path] = []

    def text(self, path: Path, shown: str) -> str | None:
        """The file's text, or None after a problem was noted; raises `OSError`."""
        raw = path.read_bytes()
        self.document.files.append(path)
        self.document.contents[path] = raw
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            before = raw[: error.start].decode(errors="replace")
            line = before.count("\n") + 1
            column = len(before) - before.rfind("\n")
            wide = raw[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in raw[:4]
            found = "UTF-16" if wide else f"byte {raw[error.start]}"
            words = f"is not UTF-8 text (found {found}); expected a file saved as UTF-8"
            self.document.problems.append(Problem(shown, line, column, WHOLE, words, "", DOC))
            return None

    @contextmanager
    def opened(self, file: Path) -> Iterator[None]:
        """While a file's values are made, so that a file that includes itself is noticed."""
        self._open.append(file.resolve())
        try:
            yield
        finally:
            self._open.pop()

    def is_open(self, file: Path) -> bool:
        """Whether we are inside this file."""
        return file in self._open

    def shown(self, file: Path) -> str:
        """A file's name in messages, in the manner in which the user named the first file."""
        return beside(self.document.file, str(file.relative_to(self.root.resolve())))

    def target(self, name: str, start: Path) -> Path | None:
        """The file or folder that `!include name` in the folder `start` means; None outside."""
        try:
            real = (start / name).resolve()
            inside = real.is_relative_to(self.root.resolve()) and "\0" not in name
        except (OSError, ValueError, RuntimeError):
            return None
        return real if inside else None

    def nearest(self, name: str, start: Path) -> str:
        """`did you mean …?` for the nearest YAML file beside what is not there, or nothing."""
        folder = (start / name).parent
        try:
            there = [each.name for each in folder.iterdir() if each.suffix in (".yaml", ".yml")]
        except OSError:
            return ""
        close = get_close_matches(Path(name).name, [n for n in there if n != SECRETS], n=1)
        return f"did you mean {Path(name).parent / close[0]}?" if close else ""


@dataclass
class SecretsFile:
    """The names and texts of secrets.yaml, as far as it can be read. `faulty` names are there, but
    not as text; where `broken`, any name may be.
    """

    texts: dict[str, str]
    faulty: set[str]
    broken: bool = False


def read_secrets(includes: Includes, folder: Path) -> SecretsFile:
    """What `folder` holds as secrets.yaml; empty when there is none. Gives away no secret."""
    found = SecretsFile({}, set())
    path, document = folder / SECRETS, includes.document
    shown = beside(document.file, SECRETS)

    def complain(line: int, column: int, words: str, where: str = WHOLE, hint: str = "") -> None:
        document.problems.append(Problem(shown, line, column, where, words, hint, TAGS_DOC))

    try:
        if not path.is_file():
            return found
        text = includes.text(path, shown)
        node = Loader(text or "").get_single_node()
    except OSError as error:
        complain(1, 1, f"cannot be read ({error.strerror}); expected a file of `name: text` lines")
        return SecretsFile({}, set(), broken=True)
    except yaml.YAMLError as error:
        problem = syntax_problem(text or "", shown, error)
        complain(problem.line, problem.column, problem.message)
        return SecretsFile({}, set(), broken=True)
    except RecursionError:
        complain(1, 1, "is nested too deeply; expected lines of `name: text`")
        return SecretsFile({}, set(), broken=True)
    if text is None:
        return SecretsFile({}, set(), broken=True)
    if node is not None and not isinstance(node, yaml.MappingNode):
        complain(node.start_mark.line + 1, 1, "has no names; expected lines of `name: text`")
        return SecretsFile({}, set(), broken=True)
    for key, value in node.value if node is not None else ():
        line, column = key.start_mark.line + 1, key.start_mark.column + 1
        if not isinstance(key, yaml.ScalarNode):
            complain(line, column, "is no secret; expected lines of `name: text`")
            continue
        if key.value in found.texts or key.value in found.faulty:
            complain(line, column, "the same name twice; expected each name once", key.value)
        elif not isinstance(value, yaml.ScalarNode):
            found.faulty.add(key.value)
            complain(line, column, "is no text; expected lines of `name: text`", key.value)
        elif not value.tag.startswith(YAML):
            found.faulty.add(key.value)
            words = "is read as a tag, not as a text; expected lines of `name: text`"
            complain(line, column, words, key.value, QUOTE_IT)
        elif value.value == "" and not value.style:
            found.faulty.add(key.value)
            complain(line, column, "is empty; expected a text after `name:`", key.value)
        else:
            found.texts[key.value] = value.value
    return found


class Tags:
    """Resolves the tags of one file; `shown` is the file's name in messages."""

    def __init__(self, includes: Includes, secrets: Any, shown: str, file: Path) -> None:
        self.includes = includes
        self.secrets = secrets
        self.document = includes.document
        self.shown = shown
        self.file = file

    def scalar(self, node: yaml.Node, path: KeyPath) -> Any:
        """The value of a text or number; a tag that became a part of the text is noted."""
        text = str(node.value)
        if AS_TEXT.match(text):
            tag = text.partition(" ")[0]
            words = f"in quotes {tag} is a text like any other; expected {tag} NAME without quotes"
            return self.broken(node, path, words)
        if variable := AS_VARIABLE.fullmatch(text):
            words = f"no variable is put in here; expected !env {variable[1]}"
            return self.broken(node, path, words, f"a text that looks so can stand in {SECRETS}")
        if len(text) > MOST_DIGITS and node.tag.removeprefix(YAML) in ("int", "float"):
            words = f"a number of {len(text)} characters; expected a shorter one"
            return self.broken(node, path, words)
        try:
            return scalar_value(node.tag, text)
        except ValueError:
            expected = node.tag.removeprefix(YAML)
            return self.broken(node, path, f"is no {expected}; expected a value without the tag")

    def secret(self, node: yaml.ScalarNode, path: KeyPath) -> str | None:
        """The text of a secret: a credential of the service, else a line of secrets.yaml."""
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
        known: SecretsFile = self.secrets()
        if name not in known.texts:
            self.document.broken.add(path)
            if not known.broken and name not in known.faulty:
                words = f"no secret is named {name!r}; expected it in {SECRETS} beside this file"
                words += " or among the service's credentials"
                self.problem(node, path, words, _close(name, [*known.texts, *_in(folder)]))
        return known.texts.get(name)

    def environment(self, node: yaml.ScalarNode, path: KeyPath) -> str | None:
        """The text of an environment variable."""
        self.document.hidden.add(path)
        value = os.environ.get(str(node.value))
        if value is None:
            words = f"the environment has no variable {node.value!r}; expected it to be set"
            self.broken(node, path, words, _close(str(node.value), os.environ))
        return value

    def included(self, node: yaml.ScalarNode, path: KeyPath) -> list[tuple[Path, str, str]] | None:
        """The files that `!include` names, each with its name in messages and its text.

        None when there are none to be had; what is wrong has been noted. A folder whose files
        cannot all be read makes the mapping at `path` partial.
        """
        name = str(node.value)
        target = self.includes.target(name, self.file.parent)
        if target is None:
            words = "lies outside the configuration's folder; expected a file within it"
            self.broken(node, path, words)
            return None
        if target.is_dir():
            files = sorted([*target.glob("*.yaml"), *target.glob("*.yml")])
            texts = [self._opened(node, file.resolve(), path, file.name) for file in files]
            if None in texts:
                self.document.partial.add(path)
            return [each for each in texts if each is not None]
        single = self._opened(node, target, path, name)
        if single is None:
            self.document.broken.add(path)
            return None
        return [single]

    def _opened(
        self, node: yaml.ScalarNode, file: Path, path: KeyPath, name: str
    ) -> tuple[Path, str, str] | None:
        if file.name == SECRETS:
            self.problem(node, path, f"{SECRETS} is not included; expected !secret NAME")
            return None
        if not file.is_relative_to(self.includes.root.resolve()):
            words = f"{name} lies outside the configuration's folder; expected a file within it"
            self.problem(node, path, words)
            return None
        if self.includes.is_open(file):
            self.problem(node, path, "a file that includes itself; expected another file")
            return None
        try:
            shown = self.includes.shown(file)
            text = self.includes.text(file, shown)
        except OSError as error:
            words = f"{name} cannot be read ({error.strerror}); expected a YAML file"
            self.problem(node, path, words, self.includes.nearest(name, self.file.parent))
            return None
        return None if text is None else (file, shown, text)

    def broken(self, node: yaml.Node, path: KeyPath, words: str, hint: str = "") -> None:
        """Note a problem with a value that stays unknown."""
        self.document.broken.add(path)
        self.problem(node, path, words, hint)

    def problem(self, node: yaml.Node, path: KeyPath, words: str, hint: str = "") -> None:
        """Note a problem at a node."""
        self.problem_at(mark_of(self.shown, node), path, words, hint)

    def problem_at(self, mark: Mark, path: KeyPath, words: str, hint: str = "") -> None:
        """Note a problem at a place."""
        where = path_text(path) or WHOLE
        problem = Problem(mark.file, mark.line, mark.column, where, words, hint, TAGS_DOC)
        self.document.problems.append(problem)


def _in(folder: str | None) -> list[str]:
    """The names of a service's credentials, as far as they can be seen."""
    try:
        return sorted(each.name for each in Path(folder).iterdir()) if folder else []
    except OSError:
        return []


def _close(name: str, known: Any) -> str:
    close = get_close_matches(name, list(known), n=1, cutoff=0.7)
    return f"did you mean {close[0]}?" if close else ""


def mark_of(shown: str, node: yaml.Node) -> Mark:
    """Where a node begins."""
    return Mark(shown, node.start_mark.line + 1, node.start_mark.column + 1)


def beside(file: str, name: str) -> str:
    """`name` in the folder of `file`, with `./` and `..` kept as the user wrote them."""
    folder = os.path.dirname(file)  # noqa: PTH120
    return f"{folder}/{name}" if folder else name
