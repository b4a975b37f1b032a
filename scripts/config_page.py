"""Make docs/reference/config.md from the models that read the file: `make reference`.

The prose stands in config_page.template.md beside this script; every table, and what introduces a
section, comes from the models and their descriptions.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from datetime import time
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from hub.config import Config  # noqa: E402
from hub.events import EVENT_TYPES  # noqa: E402
from hub.kinds import KINDS, Driver, Kind  # noqa: E402
from hub.kinds.access_control import VERB_MEANINGS  # noqa: E402
from hub.plugins import load_registry  # noqa: E402
from hub.typewords import is_duration, is_size, type_words, whole_type  # noqa: E402
from hub.units import duration_words, size_words  # noqa: E402

PAGE = ROOT / "docs" / "reference" / "config.md"
TEMPLATE = Path(__file__).with_name("config_page.template.md")
NOT_IN_THE_FILE = {"settings"}

Told = set[type[BaseModel]]


def page() -> str:
    """The whole page."""
    parts = {
        "sections": "\n\n".join(sections()),
        "verbs": table(("verb", "meaning"), VERB_MEANINGS.items()),
        "events": table(("type", "meaning"), EVENT_TYPES.items()),
        "drivers": "\n\n".join(drivers()),
    }
    text = TEMPLATE.read_text(encoding="utf-8")
    for name, part in parts.items():
        text = text.replace(f"{{{{ {name} }}}}", part)
    return text


def sections() -> Iterator[str]:
    """Each section of the file, and below it each block inside that has keys of its own."""
    told: Told = set()
    for name, field in Config.model_fields.items():
        yield f"## {name}"
        yield field.description or ""
        for model in models_in(field.annotation):
            yield keys(model)
            yield from blocks_inside(model, name, "###", told)


def drivers() -> Iterator[str]:
    """Each built-in driver, by kind and name."""
    registry = load_registry()
    for kind in KINDS:
        for driver in sorted(registry.drivers(kind).values(), key=lambda each: each.name):
            yield from of_driver(kind, driver)


def of_driver(kind: Kind, driver: Driver) -> Iterator[str]:
    """A driver's own keys, and what a door says under `device:` for it."""
    told: Told = set()
    title = f"{kind}: {driver.name}"
    yield f"### {title}"
    yield f"{driver.summary}."
    yield keys(driver.config)
    yield from blocks_inside(driver.config, title, "####", told)
    if driver.device is not None:
        yield f"#### {title}: device"
        yield "Under a door's `device:`"
        yield keys(driver.device)
        yield from blocks_inside(driver.device, f"{title}: device", "####", told)


def blocks_inside(model: type[BaseModel], title: str, marks: str, told: Told) -> Iterator[str]:
    """The tables of blocks inside a block, at any depth, each model once."""
    for name, field in model.model_fields.items():
        for inner in models_in(field.annotation):
            if inner not in told and name not in NOT_IN_THE_FILE:
                told.add(inner)
                below = f"{title}: {field.alias or name}"
                yield f"{marks} {below}"
                yield keys(inner)
                yield from blocks_inside(inner, below, marks, told)


def models_in(kind: Any) -> Iterator[type[BaseModel]]:
    """The models that a type is made of."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for part in get_args(kind):
        yield from models_in(part)


def keys(model: type[BaseModel]) -> str:
    """The table of a block's keys: what belongs there, the default, the meaning."""
    rows = [
        (field.alias or name, type_words(whole_type(field)), default_words(field), meaning(field))
        for name, field in model.model_fields.items()
        if name not in NOT_IN_THE_FILE
    ]
    if not rows:
        return "No keys of its own."
    return table(("key", "what belongs there", "default", "meaning"), rows)


def meaning(field: FieldInfo) -> str:
    """A key's description."""
    return field.description or ""


def table(head: tuple[str, ...], rows: Any) -> str:
    """A Markdown table whose first column is code."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for first, *rest in rows:
        lines.append(f"| {' | '.join((f'`{first}`', *rest))} |")
    return "\n".join(lines)


def default_words(field: FieldInfo) -> str:
    """A key's default as it would be written; a dash where there is none to write."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ("", (), {}) or isinstance(value, BaseModel | Mapping):
        return "–"
    if is_duration(whole_type(field)) and not isinstance(value, str):
        return duration_words(value)
    if is_size(whole_type(field)):
        return size_words(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        if isinstance(value[0], BaseModel):
            return "–"
        lengths = any(map(is_duration, get_args(field.annotation)))
        return f"[{', '.join(map(duration_words if lengths else str, value))}]"
    if isinstance(value, time):
        return f"{value:%H:%M}"
    return f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
