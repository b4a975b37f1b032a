"""What the five actions of the Standard Response Protocol are called, and what people are to do.

The words are data, in `wording.yaml`, with whose they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from hub.conditions import ProtocolName
from hub.rule_settings import Protocol
from hub.safety.notices.languages import Said

FILE = Path(__file__).with_name("wording.yaml")
# Where the configuration says nothing of it.
UNSAID: Mapping[str, Said] = {
    "location": {"en": "where you are told to", "es": "donde se le indique"},
    "hazard": {"en": "a danger", "es": "un peligro"},
    "strategy": {"en": "what you are told to", "es": "lo que se le indique"},
}


@dataclass(frozen=True, slots=True)
class Wording:
    """One action: its name, its directive, and by language what it means and what its end does."""

    name: str
    directive: str
    does: Said
    over: Said


@cache
def wordings() -> Mapping[str, Wording]:
    """The five actions by what the configuration calls them."""
    return {
        name: Wording(each["name"], each["directive"], each["does"], each["over"])
        for name, each in _file()["actions"].items()
    }


@cache
def attribution() -> str:
    """Whose names and directives these are."""
    return str(_file()["attribution"])


def wording(
    name: ProtocolName | str, block: Protocol | None, hazard: str = "", location: str = ""
) -> Wording:
    """One action as it is at this school; `hazard` is the danger that it is started for, `location`
    where to people go this time, if not where the configuration says.
    """
    found = wordings()[name]
    said = {
        "location": location or (block.location if block is not None else ""),
        "hazard": hazard,
        "strategy": block.hazards.get(hazard, "") if block is not None else "",
    }
    said = {key: value.rstrip(".") for key, value in said.items()}
    return Wording(
        found.name,
        _sentence(found.directive.format(**{key: _capital(v) for key, v in _in("en", said)})),
        {
            language: text.format(**dict(_in(language, said)))
            for language, text in found.does.items()
        },
        found.over,
    )


def _in(language: str, said: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((key, value or UNSAID[key][language]) for key, value in said.items())


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!")) else f"{text}."


def _file() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load(FILE.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return loaded
