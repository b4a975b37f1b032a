"""From a YAML file to a `Config`, or to everything that is wrong with it at once.

`hub.yamlfile` reads, `hub.examination` looks; here every finding gets its line and column.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from hub.config import Config, HubSettings
from hub.document import Document, KeyPath, Marks, value_at
from hub.documented import SAFETY
from hub.draft import stand_in, stand_in_rule
from hub.errors import BadConfig, CannotCheck, Problem
from hub.examination import Examination
from hub.hidden import secret_values
from hub.misspelt import UNKNOWN
from hub.plainwords import Finding
from hub.plugins import Registry, load_registry
from hub.renames import Renamed, Renames
from hub.secrets import Secrets
from hub.yamlfile import read_yaml
from hub.yamlsyntax import WHOLE, Mark, path_text

__all__ = ["CannotCheck", "Examined", "check", "examine", "load_config"]


@dataclass
class Examined:
    """A file that was read: its configuration when it is sound, and its problems when not.

    `notes` are what somebody should know although it stops nothing; `renamed` are the keys that
    stand under earlier names.
    """

    config: Config | None
    problems: list[Problem]
    files: list[Path]
    registry: Registry
    document: Document
    hidden: frozenset[str] = frozenset()
    notes: list[Problem] = field(default_factory=list)
    renamed: list[Renamed] = field(default_factory=list)


def load_config(path: str | Path, registry: Registry | None = None) -> Config:
    """The checked configuration.

    Raises `BadConfig` with every problem, `CannotCheck` when the file cannot be read, and
    `PluginError` when two plugins clash. Without a `registry`, plugins are loaded first, those in
    the configuration's `plugins_dir` included.
    """
    examined = examine(path, registry)
    if examined.config is None:
        raise BadConfig(examined.problems)
    return examined.config


def check(
    path: str | Path, registry: Registry | None = None, *, secrets: Secrets | None = None
) -> list[Problem]:
    """Every problem of the file, in the file's order; empty when it is valid."""
    return examine(path, registry, secrets=secrets).problems


def examine(
    path: str | Path,
    registry: Registry | None = None,
    *,
    folder: Path | None = None,
    secrets: Secrets | None = None,
    models: Path | None = None,
    spare: bool = False,
    draft: Path | None = None,
    draft_rule: str = "",
) -> Examined:
    """Read and check a file; see `load_config` for what it raises.

    Secrets and plugins are looked for in `folder`, else beside the file: the copy of a
    configuration that was kept elsewhere means what lies where it came from. The file's secret
    values are added to `secrets` before any driver's model sees them. `models` is the folder of
    installed models; without it, a model that is not in the catalogue is only noted. With
    `spare` a driver that cannot be used is noted too, and stops its own block only, so that a hub
    starts. The rules of a `draft` stand in for the file's; with `draft_rule` only that one does.
    """
    document = read_yaml(path, folder)
    if draft is not None and draft_rule:
        stand_in_rule(document, draft, draft_rule)
    elif draft is not None:
        stand_in(document, draft)
    values = document.values
    beside = folder or Path(path).parent
    if registry is None:
        registry = load_registry(plugins_folder(beside, values), spare=spare)
    hidden = secret_values(document, registry)
    secrets = Secrets() if secrets is None else secrets
    secrets.add(hidden)
    examination = Examination(document, registry, beside, models, spare)
    config = examination.run()
    placed = _Placed(document, secrets, examination.renames)
    problems = placed.problems(examination.found)
    notes = placed.notes(examination.notes)
    sound = None if problems else config
    renamed = examination.renames.found
    return Examined(sound, problems, document.files, registry, document, hidden, notes, renamed)


def plugins_folder(folder: Path, values: object) -> Path:
    """Where the configuration's own plugins lie, as far as it can be read."""
    settings = values.get("hub") if isinstance(values, dict) else None
    named = settings.get("plugins_dir") if isinstance(settings, dict) else None
    chosen = Path(named) if isinstance(named, str) else HubSettings().plugins_dir
    return folder / chosen.expanduser()


Found = Iterable[tuple[Finding, str]]


@dataclass
class _Placed:
    """Findings as problems: where in which file, and without what must not be shown."""

    document: Document
    secrets: Secrets
    renames: Renames

    def problems(self, found: Found) -> list[Problem]:
        """What was found and what reading noted, in order; nothing that follows from the latter."""
        found = [(finding, doc) for finding, doc in found if self._stands(finding)]
        refused = {finding.path for finding, doc in found if doc == SAFETY}
        placed = [
            (self._problem(finding, doc), self._origin(finding))
            for finding, doc in found
            if not (finding.path in refused and finding.message.startswith(UNKNOWN))
        ]
        read = [(each, Mark(each.file, each.line, each.column)) for each in self.document.problems]
        return self._in_order([*read, *placed])

    def notes(self, found: Found) -> list[Problem]:
        """Notes in order."""
        placed = ((self._problem(finding, doc), self._origin(finding)) for finding, doc in found)
        return self._in_order(placed)

    def _stands(self, finding: Finding) -> bool:
        """Whether a finding is more than an echo of a value that could not be resolved."""
        path = self.renames.as_written(finding.path)
        if self.document.unknown(path[:-1]) or () in self.document.broken:
            return False
        if finding.at == "parent":
            return self.document.whole(path[:-1])
        if finding.at == "value":
            return path not in self.document.broken
        about_the_key = finding.message.startswith((UNKNOWN, "is no usable name"))
        within = (each for each in self.document.broken if each[: len(path)] == path)
        return about_the_key or not any(within)

    def _problem(self, finding: Finding, doc: str) -> Problem:
        written = self.renames.as_written(finding.path)
        mark = self._mark(finding, written)
        path = path_text(written) or WHOLE
        words = self._redacted(finding.message), self._redacted(finding.hint)
        return Problem(mark.file, mark.line, mark.column, path, *words, doc)

    def _redacted(self, words: str) -> str:
        """Secrets cut out, should one stand where a name was expected."""
        for path in self.document.hidden:
            secret = value_at(self.document.values, path)
            if isinstance(secret, str) and secret:
                words = words.replace(repr(secret), "a hidden value")
        return self.secrets.clean(words)

    def _mark(self, finding: Finding, path: KeyPath) -> Mark:
        if finding.at == "parent":
            return self.document.place(path[:-1], "key")
        if finding.at == "key":
            return self.document.place(path, "key")
        marks = self.document.marks.get(path)
        if marks is None:
            return self.document.place(path)
        return marks.key if self._starts_below(path, marks) else marks.value

    def _starts_below(self, path: KeyPath, marks: Marks) -> bool:
        """A mapping or list that begins on a later line is blamed at its key."""
        value = value_at(self.document.values, path)
        return isinstance(value, dict | list) and marks.key.line != marks.value.line

    def _origin(self, finding: Finding) -> Mark:
        """Where the text stands that is at fault: one and the same for all aliases of an anchor."""
        path = self.renames.as_written(finding.path)
        if finding.at == "parent":
            return self.document.place(path[:-1])
        return self._mark(finding, path)

    def _in_order(self, placed: Iterable[tuple[Problem, Mark]]) -> list[Problem]:
        """In the file's order, each once."""
        once: dict[tuple[Mark, str], Problem] = {}
        for problem, origin in placed:
            once.setdefault((origin, problem.message), problem)
        first = self.document.file
        return sorted(
            once.values(), key=lambda each: (each.file != first, each.file, each.line, each.column)
        )
