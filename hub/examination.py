"""What is wrong with a configuration's values: one block after the other, then across them.

Each block is validated by itself, first by the hub's model and then by its driver's, so that one
fault hides no other; references and safety rules are then followed through whatever could be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import chain
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from hub.check_contacts import contact_findings
from hub.check_entry import entry_findings
from hub.check_ladders import EVERY_NAME
from hub.check_safety import safety_findings
from hub.check_site import Site
from hub.check_texts import text_findings
from hub.config import Config, DoorBlock, DriverBlock, HubSettings
from hub.contradictions import contradictions
from hub.document import Document, KeyPath
from hub.documented import CONFIG, SAFETY, documented
from hub.kinds import KINDS, Block, Driver, Kind
from hub.misplaced import belongs
from hub.misspelt import UNKNOWN, as_meant, is_echo, misspelt, nearest_to
from hub.plainwords import SLUG_WORDS, Finding, describe, findings, meant, slug_hint
from hub.plugins import SLUG, Registry, hub_keys
from hub.references import (
    EVENTS_HINT,
    Surroundings,
    declared_findings,
    label_notes,
    reference_findings,
)
from hub.renames import Renames, rename_note
from hub.typewords import keys_of, one_of
from hub.value_patterns import is_off

SECTIONS: Mapping[str, Any] = {
    name: get_args(each.annotation) for name, each in Config.model_fields.items() if name != "hub"
}


def _once_per_list(found: list[Finding], raw: object) -> Iterator[Finding]:
    """A list of which every item is wrong in one and the same way is wrong as a whole."""
    alike: dict[tuple[KeyPath, str], list[Finding]] = {}
    for finding in found:
        if finding.at == "value" and finding.path and isinstance(finding.path[-1], int):
            expected = finding.message.partition("; expected ")[2]
            alike.setdefault((finding.path[:-1], expected), []).append(finding)
    whole: dict[KeyPath, Finding | None] = {}
    for (path, _), some in alike.items():
        items = reduce(_item, path, raw)
        if isinstance(items, list) and len(items) == len(some) > 2:
            whole |= {each.path: None for each in some}
            words = f"each of the {len(some)} items is wrong, the first: {some[0].message}"
            whole[some[0].path] = replace(some[0], path=path, message=words)
    for finding in found:
        told = whole.get(finding.path, finding)
        if told is not None:
            yield told


def _item(values: Any, part: str | int) -> Any:
    return values[part]


@dataclass
class Examination:
    """Looks at a document's values. `found` and `notes` are findings with the page for each; with
    `spare` a driver that cannot be used is but a note.
    """

    document: Document
    registry: Registry
    folder: Path
    models_folder: Path | None
    spare: bool = False
    found: list[tuple[Finding, str]] = field(default_factory=list)
    notes: list[tuple[Finding, str]] = field(default_factory=list)
    renames: Renames = field(default_factory=Renames)
    values: dict[str, Any] = field(default_factory=dict)
    hidden: set[KeyPath] = field(default_factory=set)

    def run(self) -> Config | None:
        """The configuration as far as it could be read; None when there is nothing to read."""
        values = self.document.values
        if not isinstance(values, dict) or not values:
            self._not_a_configuration(values)
            return None
        self.values = self._under_names_of_today(values)
        self.hidden = {self.renames.as_of_today(path) for path in self.document.hidden}
        self._unknown_sections()
        settings = self._validated(HubSettings, self.values.get("hub"), ("hub",))
        read: dict[str, Any] = {
            section: {
                key: model
                for key, model in self._section(section, self.values.get(section))
                if model is not None
            }
            for section in SECTIONS
        }
        config = Config.model_construct(None, hub=settings or HubSettings(), **read)
        self._across()
        unlike = contact_findings(config, self.registry, self.hidden)
        for finding in chain(contradictions(config), unlike):
            self._add(finding)
        found = (text_findings(config, self.folder), entry_findings(config, self.folder))
        for finding, noted in chain.from_iterable(found):
            if noted:
                self.notes.append((finding, self._page(finding.path)))
            else:
                self._add(finding)
        return config

    def _across(self) -> None:
        """What no block can tell by itself: names, safety rules, keys of earlier versions."""
        self._read_as_meant()
        for finding in reference_findings(self._surroundings(), EVERY_NAME):
            self._add(finding)
        for finding in safety_findings(Site.of(self.values, self.registry, self._complete)):
            self.found.append((finding, SAFETY))
        for finding in self.renames.clashes:
            self._add(finding)
        for note in label_notes(self.values):
            self.notes.append((note, self._page(note.path)))
        for renamed in self.renames.found:
            note = rename_note(renamed, self.document.file)
            self.notes.append((note, self._page(self.renames.as_of_today(note.path))))

    def _read_as_meant(self) -> None:
        """From here on a key that is misspelt counts as the one that is nearest to it."""
        slips = misspelt([finding for finding, _ in self.found], self.values)
        self.found = [each for each in self.found if not is_echo(each[0], slips)]
        for path, key in slips.items():
            self.renames.stands_for(path, key)
        self.values = as_meant(self.values, slips)
        self.hidden = {self.renames.as_of_today(path) for path in self.document.hidden}

    def _complete(self, section: str) -> bool:
        """Whether all of a section could be read, so that a name which is not there is wrong."""
        path = self.renames.as_written((section,))
        there = section in self.values or () not in self.document.partial
        of_its_kind = isinstance(self.values.get(section), dict | None)
        return there and of_its_kind and self.document.whole(path)

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            self.values, self.folder, self.models_folder, self.hidden, self._complete
        )

    def _under_names_of_today(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values as today's models call their keys, the drivers' own included."""
        new: dict[str, Any] = dict(self.renames.applied(Config, values))
        for kind in KINDS:
            new[kind] = self._renamed_by(new, kind, lambda b, k=kind: self._config_model(k, b))
        new["doors"] = self._renamed_by(
            new, "doors", lambda b: self._device_driver(b, new)[0], "device"
        )
        return {section: new[section] for section in new if section in values or new[section]}

    def _renamed_by(
        self, values: Mapping[str, Any], section: str, model_of: Any, inner: str = ""
    ) -> Any:
        blocks = values.get(section)
        if not isinstance(blocks, dict):
            return blocks
        new = dict(blocks)
        for name, block in blocks.items():
            model = model_of(block) if isinstance(block, dict) else None
            if model is None:
                continue
            if not inner:
                new[name] = self.renames.applied(model, block, (section, name))
            elif inner in block:
                path = (section, name, inner)
                new[name] = {**block, inner: self.renames.applied(model, block[inner], path)}
        return new

    def _config_model(self, kind: Kind, block: Mapping[str, Any]) -> type[Block] | None:
        driver = self.registry.drivers(kind).get(str(block.get("driver")))
        return driver.config if driver is not None else None

    def _page(self, path: KeyPath) -> str:
        section, block = str(path[0]) if path else "", self._block_at(path)
        kind: Kind | None = next((each for each in KINDS if each == section), None)
        driver = self.registry.drivers(kind).get(str(block.get("driver"))) if kind else None
        if section == "doors":
            driver = self._device_driver(block, self.values)[1]
        return documented(path, self.registry, driver)

    def _block_at(self, path: KeyPath) -> Mapping[str, Any]:
        section = self.values.get(str(path[0])) if len(path) > 1 else None
        block = section.get(path[1]) if isinstance(section, dict) else None
        return block if isinstance(block, dict) else {}

    def _add(self, finding: Finding) -> None:
        self.found.append((finding, self._page(finding.path)))

    def _not_a_configuration(self, values: object) -> None:
        if self.document.problems:
            return
        wrong = "is empty" if values is None or values in ({}, [], "") else "is no configuration"
        words = f"{wrong}; expected sections such as `places:` and `cameras:`"
        finding = Finding((), words, "value", "start from config.example.yaml")
        self.found.append((finding, CONFIG))

    def _unknown_sections(self) -> None:
        known = list(Config.model_fields)
        for name in self.values:
            if name not in known:
                words = f"{UNKNOWN}; expected {one_of(known)}"
                self._add(Finding((name,), words, "key", meant(name, known)))

    def _validated(
        self,
        model: type[BaseModel],
        raw: object,
        path: KeyPath,
        other_keys: Iterable[str] = (),
    ) -> Any:
        length = len(path)
        hidden = {each[length:] for each in self.hidden if each[:length] == path}
        parsed, found = findings(model, raw, other_keys, hidden)
        for finding in _once_per_list(found, raw):
            whole = self._told_better(replace(finding, path=(*path, *finding.path)))
            if finding.message.startswith(UNKNOWN):
                where = belongs(Config, whole.path) or belongs(model, finding.path)
                whole = replace(whole, hint=where or finding.hint)
            self._add(whole)
        return parsed

    def _told_better(self, finding: Finding) -> Finding:
        """What belongs where a driver or an event type is missing."""
        if finding.at != "parent" or len(finding.path) != 3:
            return finding
        section, _, key = finding.path
        kind: Kind | None = next((each for each in KINDS if each == section), None)
        if key == "driver" and kind is not None:
            known = one_of(sorted(self.registry.drivers(kind)))
            return replace(finding, message=f"is missing; expected {known}")
        if section == "rules" and key == "when":
            words = "is missing; expected the type of event, such as door.forced"
            return replace(finding, message=words, hint=EVENTS_HINT)
        return finding

    def _section(self, section: str, raw: object) -> Iterator[tuple[str, Any]]:
        if raw is None:
            return
        if not isinstance(raw, dict):
            words = f"found {describe(raw)}; expected a mapping (`name:` lines)"
            self._add(Finding((section,), words))
            return
        names = get_args(SECTIONS[section][0])
        fixed = [str(name) for name in names] if section in ("protocols", "incidents") else []
        for key, block in raw.items():
            path = (section, key)
            if fixed and key not in fixed:
                words = f"{UNKNOWN}; expected {one_of(fixed)}"
                self._add(Finding(path, words, "key", meant(key, fixed)))
                continue
            if not fixed and not SLUG.fullmatch(key):
                words = f"is no usable name; expected {SLUG_WORDS}"
                self._add(Finding(path, words, "key", slug_hint(key)))
            if block is not None and not isinstance(block, dict):
                words = f"found {describe(block)}; expected a mapping (`key: value` lines)"
                self._add(Finding(path, words))
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
        if "driver" not in block and (slip := nearest_to("driver", theirs, kept)):
            words = f"{UNKNOWN}; expected {one_of(sorted(kept))}"
            self._add(Finding((*path, slip), words, "key", meant(slip, ["driver"])))
            block = {**block, "driver": theirs.pop(slip)}
        driver = self._driver(kind, block.get("driver"), path)
        if driver is None:
            return parsed
        note = self.registry.note(kind, driver.name)
        if note and driver.name == block["driver"]:
            self.notes.append((Finding((*path, "driver"), note), self._page(path)))
        settings = self._validated(driver.config, theirs, path, sorted(kept))
        for finding, noted in declared_findings(self._surroundings(), driver.config, theirs, path):
            if not noted:
                self._add(finding)
            elif not is_off(block):
                self.notes.append((finding, self._page(finding.path)))
        return parsed.model_copy(update={"settings": settings}) if parsed is not None else None

    def _driver(self, kind: Kind, name: object, path: KeyPath) -> Driver | None:
        """The driver that is named; the nearest one, after a finding, where none is called so."""
        if not isinstance(name, str):
            return None
        known = self.registry.drivers(kind)
        if name in known:
            return known[name]
        if self.spare:
            words = f"{self.registry.why_missing(kind, name)}; its block is out of service"
            self.notes.append((Finding((*path, "driver"), words), self._page(path)))
            return None
        words, hint = self.registry.why_missing(kind, name), ""
        if words.startswith("no plugin offers"):  # else somebody does, and cannot
            words, hint = f"{words}; expected {one_of(sorted(known))}", meant(name, known)
        self._add(Finding((*path, "driver"), words, "value", hint))
        shown = (*path, "driver") not in self.hidden and "no plugin offers" in words
        return known.get(hint.removeprefix("did you mean ").rstrip("?")) if shown else None

    def _door(self, block: dict[str, Any], path: KeyPath) -> Any:
        ours = {key: value for key, value in block.items() if key != "device"}
        parsed = self._validated(DoorBlock, ours, path)
        model, driver = self._device_driver(block, self.values)
        inner = (*path, "device")
        device = None
        if driver is None:
            return parsed
        if model is None:
            if "device" in block:
                words = f"the driver {driver.name} has no `device:`; expected none"
                self._add(Finding(inner, words, "key"))
        elif "device" not in block:
            device, found = findings(model, {})
            if found:
                needed = [str(each.path[0]) for each in found] or list(keys_of(model))
                words = f"is missing; expected a mapping with {' and '.join(needed)}"
                self._add(Finding(inner, words, "parent"))
        elif block["device"] is not None and not isinstance(block["device"], dict):
            words = f"found {describe(block['device'])}; expected a mapping (`key: value` lines)"
            self._add(Finding(inner, words))
        else:
            device = self._validated(model, block["device"], inner)
        return parsed.model_copy(update={"device": device}) if parsed is not None else None

    def _device_driver(
        self, door: Mapping[str, Any], values: Mapping[str, Any]
    ) -> tuple[type[Block] | None, Driver | None]:
        """The model of a door's `device:` and the driver it belongs to, where they are known."""
        blocks = values.get("access_control")
        named = door.get("controller")
        block = blocks.get(named) if isinstance(blocks, dict) and isinstance(named, str) else None
        name = block.get("driver") if isinstance(block, dict) else None
        driver = self.registry.drivers("access_control").get(str(name))
        return (driver.device, driver) if driver is not None else (None, None)
