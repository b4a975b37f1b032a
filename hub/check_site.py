"""The site as its file writes it: what the safety rules of `check` look at.

What a driver does is asked of its factory alone (`channel` on the class); nothing is built to find
out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from hub.campus import Campus
from hub.config import Place
from hub.kinds.notifiers import Channel
from hub.plugins import Registry

PATHS = get_args(get_type_hints(Channel)["path"])


@dataclass(frozen=True)
class Site:
    """The file's plain `values` in today's names, and the places and channels that they describe.

    `channels` is what can be known of each notifier without building it; `known` says whether all
    of a section could be read.
    """

    values: Mapping[str, Any]
    campus: Campus
    channels: Mapping[str, Channel]
    known: Callable[[str], bool] = lambda section: True

    @classmethod
    def of(
        cls,
        values: Mapping[str, Any],
        registry: Registry,
        known: Callable[[str], bool] = lambda section: True,
    ) -> Site:
        """The site that the values describe, as far as they can be understood."""
        places = {
            name: Place.model_construct(
                None,
                name=name,
                kind="area",
                parent=outer if isinstance(outer := block.get("in"), str) else None,
                private=_is_true(block.get("private")),
            )
            for name, block in _blocks(values, "places").items()
        }
        channels = {
            name: channel
            for name, block in _blocks(values, "notifiers").items()
            if (channel := _channel(registry, block)) is not None
        }
        return cls(values, Campus(places), channels, known)

    def blocks(self, section: str) -> dict[str, dict[str, Any]]:
        """The blocks of a section, by name, as far as they are blocks."""
        return _blocks(self.values, section)


def _blocks(values: Mapping[str, Any], section: str) -> dict[str, dict[str, Any]]:
    blocks = values.get(section)
    items = blocks.items() if isinstance(blocks, dict) else ()
    return {str(name): block for name, block in items if isinstance(block, dict)}


def _is_true(value: object) -> bool:
    try:
        return TypeAdapter(bool).validate_python(value)
    except ValidationError:
        return False


def _channel(registry: Registry, block: Mapping[str, Any]) -> Channel | None:
    """What kind of channel a notifier is; some let the file say over which path it goes."""
    driver = registry.drivers("notifiers").get(str(block.get("driver")))
    channel = getattr(driver.factory, "channel", None) if driver is not None else None
    if driver is None or not isinstance(channel, Channel):
        return None
    field = driver.config.model_fields.get("path")
    chosen = block.get("path", field.default if field is not None else None)
    return replace(channel, path=chosen) if chosen in PATHS else channel
