"""docs/reference/config.md is held to the models that read the file."""

from __future__ import annotations

import re
from datetime import time
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hub import KINDS, VERBS, config
from hub.config import Config
from hub.plugins import load_registry
from hub.typewords import type_words, whole_type

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "config.md"
MODELS: dict[str, tuple[str, type[BaseModel]]] = {
    "hub": ("hub", config.HubSettings),
    "hub.mqtt": ("hub: mqtt", config.Broker),
    "places": ("places", config.Place),
    "cameras": ("cameras", config.CameraBlock),
    "cameras.zones": ("cameras: zones", config.Zone),
    "detectors": ("detectors", config.DetectorBlock),
    "access_control": ("access_control", config.ControllerBlock),
    "doors": ("doors", config.DoorBlock),
    "notifiers": ("notifiers", config.NotifierBlock),
    "visitors": ("visitors", config.VisitorBlock),
    "people": ("people", config.Person),
    "roles": ("roles", config.RoleBlock),
    "schedules": ("schedules", config.Schedule),
    "schedules.weekly": ("schedules: weekly", config.Weekly),
    "schedules.closed": ("schedules: closed", config.DateRange),
    "rules": ("rules", config.Rule),
    "rules.if": ("rules: if", config.Condition),
    "rules.alert": ("rules: alert", config.AlertSpec),
    "rules.verified": ("rules: verified", config.Action),
    "rules.verified.door": ("rules: verified: door", config.DoorAction),
    "rules.verified.notify": ("rules: verified: notify", config.NoticeAction),
    "protocols": ("protocols", config.Protocol),
}


def default_words(field: FieldInfo) -> str:
    """A key's default as it would be written; a dash where there is none to write."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ("", (), {}) or isinstance(value, BaseModel):
        return "–"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "–" if isinstance(value[0], BaseModel) else f"[{', '.join(map(str, value))}]"
    if isinstance(value, time):
        return f"{value:%H:%M}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def cells(model: type[BaseModel]) -> list[tuple[str, str, str]]:
    """Key, what belongs there and default of every key, as the page's tables show them."""
    return [
        (f"`{field.alias or name}`", type_words(whole_type(field)), default_words(field))
        for name, field in model.model_fields.items()
        if name != "settings"
    ]


def section(title: str) -> str:
    """The page's text under a heading, up to the next heading."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"^##+ {re.escape(title)}\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"no heading {title}"
    return found[1]


def check_table(text: str, model: type[BaseModel]) -> None:
    """Every key has a row with its type, default and a meaning, and no row is left over."""
    rows = [
        tuple(cell.strip() for cell in line.strip().strip("|").split(" | "))
        for line in text.splitlines()
        if line.startswith("| `")
    ]
    assert [row[:3] for row in rows] == cells(model)
    assert all(len(row) == 4 and row[3] for row in rows)


@pytest.mark.parametrize("name", MODELS)
def test_every_key_of_the_hub_is_documented(name: str) -> None:
    """Each section's table has exactly the keys, types and defaults of its model."""
    title, model = MODELS[name]
    check_table(section(title), model)


def test_every_section_is_documented() -> None:
    """No section of the file, and no model inside one, is without its table."""
    assert set(Config.model_fields) == {name for name in MODELS if "." not in name}


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_of_every_built_in_driver_is_documented(kind: config.Kind) -> None:
    """Each driver's table has exactly the keys of its block, and those of its doors' device."""
    for name, driver in load_registry().drivers(kind).items():
        own, _, device = section(f"{kind}: {name}").partition("Under a door's `device:`")
        assert driver.summary in own
        check_table(own, driver.config)
        if driver.device is not None:
            check_table(device, driver.device)


def test_every_verb_is_documented() -> None:
    """Whoever wires a door finds what each verb means."""
    assert re.findall(r"^\| `(\w+)`", section("Verbs"), re.MULTILINE) == list(VERBS)
