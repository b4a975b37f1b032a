"""From a YAML file to a `Config`, or to everything that is wrong with it at once.

Each block is validated by itself, first by the hub's model and then by its driver's, so that one
fault hides no other; references and safety rules are then followed through whatever could be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from hub.config import Config, DoorBlock, DriverBlock, HubSettings
from hub.errors import BadConfig, CannotCheck, PluginError, Problem
from hub.houserules import House, safety_findings
from hub.kinds import KINDS, Block, Driver, Kind
from hub.plainwords import SLUG_WORDS, Finding, describe, findings, meant, slug_hint
from hub.plugins import SLUG, Registry, hub_keys, load_registry
from hub.references import reference_findings
from hub.typewords import KeyPath, keys_of, one_of
from hub.yamlfile import Document, Marks, read_yaml
from hub.yamlsyntax import WHOLE, Mark, path_text

__all__ = ["CannotCheck", "Examined", "check", "examine", "load_config"]

DOC = "docs/reference/config.md"
SAFETY_DOC = "docs/reference/check.md#safety"
SECTIONS: Mapping[str, Any] = {
    name: get_args(each.annotation) for name, each in Config.model_fields.items() if name != "hub"
}


@dataclass
class Examined:
    """A file that was read: its configuration when it is sound, and its problems when not."""

    config: Config | None
    problems: list[Problem]
    files: list[Path]
    registry: Registry


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


def check(path: str | Path, registry: Registry | None = None) -> list[Problem]:
    """Every problem of the file, in the file's order; empty when it is valid."""
    return examine(path, registry).problems


def examine(path: str | Path, registry: Registry | None = None) -> Examined:
    """Read and check a file; see `load_config` for what it raises."""
    document = read_yaml(path)
    values = document.values
    if registry is None:
        registry = load_registry(plugins_folder(Path(path).parent, values))
    examination = _Examination(document, registry)
    config = examination.run()
    problems = _in_order(document, examination.problems())
    return Examined(None if problems else config, problems, document.files, registry)


def plugins_folder(folder: Path, values: object) -> Path:
    """Where the configuration's own plugins lie, as far as it can be read."""
    settings = values.get("hub") if isinstance(values, dict) else None
    named = settings.get("plugins_dir") if isinstance(settings, dict) else None
    chosen = Path(named) if isinstance(named, str) else HubSettings().plugins_dir
    return folder / chosen.expanduser()


@dataclass
class _Examination:
    document: Document
    registry: Registry
    found: list[tuple[Finding, str]] = field(default_factory=list)
    models: dict[str, dict[str, Any]] = field(default_factory=dict)

    def run(self) -> Config | None:
        """The configuration as far as it could be read; None when there is nothing to read."""
        values = self.document.values
        if not isinstance(values, dict) or not values:
            self._not_a_configuration(values)
            return None
        self._unknown_sections(values)
        settings = self._validated(HubSettings, values.get("hub"), ("hub",))
        for section in SECTIONS:
            self.models[section] = dict(self._section(section, values.get(section)))
        for finding in reference_findings(values, self.document.hidden):
            self._note(finding)
        read: dict[str, Any] = {
            section: {key: model for key, model in models.items() if model is not None}
            for section, models in self.models.items()
        }
        config = Config.model_construct(None, hub=settings or HubSettings(), **read)
        for finding in safety_findings(House.of(values, config, self.registry)):
            self._note(finding, SAFETY_DOC)
        return config

    def problems(self) -> list[Problem]:
        """What was found, at its place in the file."""
        problems = list(self.document.problems)
        for finding, doc in self.found:
            if not self._within_broken(finding.path):
                problems.append(self._problem(finding, doc))
        return problems

    def _within_broken(self, path: KeyPath) -> bool:
        return any(path[: len(broken)] == broken for broken in self.document.broken)

    def _problem(self, finding: Finding, doc: str) -> Problem:
        mark = self._mark(finding)
        path = path_text(finding.path) or WHOLE
        words = self._redacted(finding.message), self._redacted(finding.hint)
        return Problem(mark.file, mark.line, mark.column, path, *words, doc)

    def _redacted(self, words: str) -> str:
        """Secrets cut out, should one stand where a name was expected."""
        for path in self.document.hidden:
            secret = value_at(self.document.values, path)
            if isinstance(secret, str) and secret:
                words = words.replace(repr(secret), "a hidden value")
        return words

    def _mark(self, finding: Finding) -> Mark:
        if finding.at == "parent":
            return self.document.place(finding.path[:-1], "key")
        if finding.at == "key":
            return self.document.place(finding.path, "key")
        marks = self.document.marks.get(finding.path)
        if marks is None:
            return self.document.place(finding.path)
        return marks.key if self._starts_below(finding.path, marks) else marks.value

    def _starts_below(self, path: KeyPath, marks: Marks) -> bool:
        """A mapping or list that begins on a later line is blamed at its key."""
        value = value_at(self.document.values, path)
        return isinstance(value, dict | list) and marks.key.line != marks.value.line

    def _note(self, finding: Finding, doc: str = "") -> None:
        section = str(finding.path[0]) if finding.path else ""
        anchor = f"#{section}" if section in Config.model_fields else ""
        self.found.append((finding, doc or DOC + anchor))

    def _not_a_configuration(self, values: object) -> None:
        if self.document.problems:
            return
        wrong = "is empty" if values is None or values in ({}, [], "") else "is no configuration"
        words = f"{wrong}; expected sections such as `places:` and `cameras:`"
        self._note(Finding((), words, "value", "start from config.example.yaml"))

    def _unknown_sections(self, values: Mapping[str, Any]) -> None:
        known = list(Config.model_fields)
        for name in values:
            if name not in known:
                words = f"is not known here; expected {one_of(known)}"
                self._note(Finding((name,), words, "key", meant(name, known)))

    def _validated(
        self,
        model: type[BaseModel],
        raw: object,
        path: KeyPath,
        other_keys: Iterable[str] = (),
    ) -> Any:
        length = len(path)
        hidden = {each[length:] for each in self.document.hidden if each[:length] == path}
        parsed, found = findings(model, raw, other_keys, hidden)
        for finding in found:
            self._note(replace(finding, path=(*path, *finding.path)))
        return parsed

    def _section(self, section: str, raw: object) -> Iterator[tuple[str, Any]]:
        if raw is None:
            return
        if not isinstance(raw, dict):
            words = f"found {describe(raw)}; expected a mapping (`name:` lines)"
            self._note(Finding((section,), words))
            return
        names = get_args(SECTIONS[section][0])
        fixed = [str(name) for name in names] if section == "protocols" else []
        for key, block in raw.items():
            path = (section, key)
            if fixed and key not in fixed:
                words = f"is not known here; expected {one_of(fixed)}"
                self._note(Finding(path, words, "key", meant(key, fixed)))
                continue
            if not fixed and not SLUG.fullmatch(key):
                words = f"is no usable name; expected {SLUG_WORDS}"
                self._note(Finding(path, words, "key", slug_hint(key)))
            if block is not None and not isinstance(block, dict):
                words = f"found {describe(block)}; expected a mapping (`key: value` lines)"
                self._note(Finding(path, words))
                continue
            yield key, self._block(section, block or {}, path)

    def _block(self, section: str, block: dict[str, Any], path: KeyPath) -> Any:
        if section in KINDS:
            return self._driver_block(section, block, path)
        if section == "doors":
            return self._door(block, path)
        return self._validated(SECTIONS[section][1], block, path)

    def _driver_block(self, kind: Kind, block: dict[str, Any], path: KeyPath) -> Any:
        kept = hub_keys(kind)
        ours = {key: value for key, value in block.items() if key in kept}
        theirs = {key: value for key, value in block.items() if key not in kept}
        parsed: DriverBlock | None = self._validated(SECTIONS[kind][1], ours, path)
        driver = self._driver(kind, block.get("driver"), path)
        if driver is None:
            return parsed
        settings = self._validated(driver.config, theirs, path, sorted(kept))
        return parsed.model_copy(update={"settings": settings}) if parsed is not None else None

    def _driver(self, kind: Kind, name: object, path: KeyPath) -> Driver | None:
        if not isinstance(name, str):
            return None
        found = self.registry.drivers(kind).get(name)
        if found is None and not self._within_broken((*path, "driver")):
            words = f"{self.registry.why_missing(kind, name)}"
            words += f"; expected {one_of(sorted(self.registry.drivers(kind)))}"
            self._note(
                Finding((*path, "driver"), words, "value", meant(name, self.registry.drivers(kind)))
            )
        return found

    def _door(self, block: dict[str, Any], path: KeyPath) -> Any:
        ours = {key: value for key, value in block.items() if key != "device"}
        parsed = self._validated(DoorBlock, ours, path, ["device"])
        model = self._device_model(block.get("controller"))
        inner = (*path, "device")
        if model is None or isinstance(model, str):
            if "device" in block and model is not None:
                words = f"the driver {model} has no `device:`; expected none"
                self._note(Finding(inner, words, "key"))
            return parsed
        if "device" not in block:
            device, found = findings(model, {})
            if found:
                words = f"is missing; expected a mapping with {', '.join(keys_of(model))}"
                self._note(Finding(inner, words, "parent"))
        elif block["device"] is not None and not isinstance(block["device"], dict):
            words = f"found {describe(block['device'])}; expected a mapping (`key: value` lines)"
            self._note(Finding(inner, words))
            return parsed
        else:
            device = self._validated(model, block["device"], inner)
        return parsed.model_copy(update={"device": device}) if parsed is not None else None

    def _device_model(self, controller: object) -> type[Block] | str | None:
        """The model of `device:`, the name of a driver that has none, or None when unknown."""
        blocks = self.document.values.get("access_control")
        block = blocks.get(controller) if isinstance(blocks, dict) else None
        name = block.get("driver") if isinstance(block, dict) else None
        try:
            driver = self.registry.driver("access_control", str(name))
        except PluginError:
            return None
        return driver.device or driver.name


def value_at(values: Any, path: KeyPath) -> Any:
    """What stands at a path; None where there is nothing."""
    for part in path:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return None
    return values


def _in_order(document: Document, problems: list[Problem]) -> list[Problem]:
    """In the file's order, each once: an anchor's fault would be told for every alias."""
    once: dict[tuple[str, int, int, str], Problem] = {}
    for each in problems:
        once.setdefault((each.file, each.line, each.column, each.message), each)
    first = document.file
    return sorted(
        once.values(), key=lambda each: (each.file != first, each.file, each.line, each.column)
    )
