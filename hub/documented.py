"""Where each key of the configuration is documented."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel

from hub.config import Config, HubSettings
from hub.document import KeyPath
from hub.kinds import KINDS, Driver, Kind
from hub.plugins import Registry, hub_keys
from hub.typewords import model_at

CONFIG = "docs/reference/config.md"
SAFETY = "docs/reference/check.md#safety"
CHOICES: Mapping[str, str] = {
    "rules.*.when": f"{CONFIG}#events",
    "rules.*.verified.[].door.verb": f"{CONFIG}#verbs",
    "protocols.*.doors.[].verb": f"{CONFIG}#verbs",
    **{f"{kind}.*.driver": f"{CONFIG}#drivers" for kind in KINDS},
    **dict.fromkeys(
        ("roles.*.may.[]", "roles.*.break_glass.[]", "hub.reason_for.[]"),
        "docs/reference/roles.md#permissions",
    ),
}


def documented(path: KeyPath, registry: Registry, driver: Driver | None = None) -> str:
    """The page, and as far as there is one the part of it, that explains the key at `path`.

    `driver` is what the block names (for a door: what its controller names). Drivers of vendors
    are not in our pages; their keys lead to the section of the kind.
    """
    if not path or path[0] not in Config.model_fields:
        return CONFIG
    for pattern, page in CHOICES.items():
        if _fits(path, pattern):
            return page
    section = str(path[0])
    return f"{CONFIG}#{'-'.join(_theirs(section, path, registry, driver) or _ours(section, path))}"


def _theirs(
    section: str, path: KeyPath, registry: Registry, driver: Driver | None
) -> list[str] | None:
    """The headings down to a key of a built-in driver's own."""
    if driver is None or not _built_in(registry, driver):
        return None
    if section == "doors" and path[2:3] == ("device",) and driver.device is not None:
        return ["access_control", driver.name, "device", *_headings(driver.device, path[3:])]
    kind: Kind | None = next((each for each in KINDS if each == section), None)
    if kind is None or len(path) < 3 or path[2] in hub_keys(kind):
        return None
    return [kind, driver.name, *_headings(driver.config, path[2:])]


def _ours(section: str, path: KeyPath) -> list[str]:
    """The headings down to a key that the hub reads itself."""
    if section == "hub":
        return ["hub", *_headings(HubSettings, path[1:])]
    if section == "protocols" and path[2:3] == ("doors",):  # its model is explained with rules
        return ["rules", "verified", "door"] if len(path) > 3 else [section]
    if section == "rules" and "if" in path[3:]:  # every condition is explained once
        path = (*path[:2], *path[path.index("if") :])
    block = get_args(Config.model_fields[section].annotation)[1]
    return [section, *_headings(block, path[2:])]


def _headings(model: type[BaseModel], path: KeyPath) -> list[str]:
    """The headings down to the block that holds the key at `path`; a block that stands in several
    places is explained at the first of them.
    """
    holder = None
    for end in range(1, len(path) + 1):
        holder = model_at(model, path[:end]) or model_at(model, (*path[:end], 0)) or holder
    return [] if holder is None else _first(model, holder, set()) or []


def _first(
    model: type[BaseModel], wanted: type[BaseModel], told: set[type[BaseModel]]
) -> list[str] | None:
    for name, field in model.model_fields.items():
        for inner in _models_in(field.annotation):
            if inner in told:
                continue
            told.add(inner)
            if inner is wanted:
                return [field.alias or name]
            if below := _first(inner, wanted, told):
                return [field.alias or name, *below]
    return None


def _models_in(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for part in get_args(kind):
        yield from _models_in(part)


def _built_in(registry: Registry, driver: Driver) -> bool:
    return any(
        provider.source == "built-in" and driver.name in names
        for provider in registry.providers
        for kind, names in provider.drivers.items()
        if registry.drivers(kind).get(driver.name) is driver
    )


def _fits(path: KeyPath, pattern: str) -> bool:
    parts = pattern.split(".")
    return len(parts) == len(path) and all(
        part == "*" or part == here or (part == "[]" and isinstance(here, int))
        for part, here in zip(parts, path, strict=True)
    )
