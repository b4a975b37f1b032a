"""Every key that `check` can speak of leads to a heading that is in the docs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from hub.config import Config, HubSettings
from hub.document import KeyPath
from hub.documented import documented
from hub.kinds import KINDS, Driver
from hub.plugins import Registry, load_registry
from hub.typewords import keys_of, model_at

ROOT = Path(__file__).resolve().parents[2]
BUILT_IN = load_registry()


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page, and none for the page itself."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {"", *(re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings)}


def keys_below(model: type[BaseModel], path: KeyPath) -> Iterator[KeyPath]:
    """Every key of a block of this model at `path`, and of the blocks within it."""
    for key in keys_of(model):
        yield (*path, key)
        for inner in ((key,), (key, 0), (key, "x")):
            block = model_at(model, inner)
            if block is not None:
                yield from keys_below(block, (*path, *inner))


def every_key() -> Iterator[tuple[KeyPath, Driver | None]]:
    """All there is to say in a file: the hub's keys, and those of each built-in driver."""
    yield (), None
    yield ("nonsense",), None
    for section, field in Config.model_fields.items():
        yield (section,), None
        model = HubSettings if section == "hub" else get_args(field.annotation)[1]
        for path in keys_below(model, (section,) if section == "hub" else (section, "x")):
            yield path, None
    for kind in KINDS:
        for driver in BUILT_IN.drivers(kind).values():
            for path in keys_below(driver.config, (kind, "x")):
                yield path, driver
            if driver.device is not None:
                yield ("doors", "x", "device"), driver
                for path in keys_below(driver.device, ("doors", "x", "device")):
                    yield path, driver
    yield ("rules", "x", "verified", 0, "door", "verb"), None
    yield ("roles", "x", "may", 0), None


def test_every_key_leads_to_a_heading() -> None:
    """The page is there, and so is the heading on it."""
    pages = {
        page: anchors(ROOT / page)
        for page in ("docs/reference/config.md", "docs/reference/roles.md")
    }
    count = 0
    for path, driver in every_key():
        page, _, anchor = documented(path, BUILT_IN, driver).partition("#")
        assert anchor in pages[page], (path, anchor)
        assert anchor or not path or path == ("nonsense",), path
        count += 1
    assert count > 150


@pytest.mark.parametrize(
    ("path", "driver", "where"),
    [
        (("cameras", "lobby", "zones", 2, "polygon"), None, "cameras-zones"),
        (("cameras", "lobby", "fps"), "rtsp", "cameras"),
        (("cameras", "lobby", "url"), "rtsp", "cameras-rtsp"),
        (("cameras", "lobby", "driver"), "rtsp", "drivers"),
        (("hub", "mqtt", "port"), None, "hub-mqtt"),
        (("rules", "r", "when"), None, "events"),
        (("rules", "r", "verified", 0, "door", "verb"), None, "verbs"),
        (("rules", "r", "verified", 1, "notify", "through", 0), None, "rules-verified-notify"),
        (("protocols", "hold", "doors", 0, "place"), None, "rules-verified-door"),
    ],
)  # fmt: skip
def test_the_heading_is_as_near_as_possible(path: KeyPath, driver: str | None, where: str) -> None:
    """Zones lead to zones and a driver's own keys to the driver."""
    of = BUILT_IN.drivers("cameras")[driver] if driver else None
    assert documented(path, BUILT_IN, of) == f"docs/reference/config.md#{where}"


def test_a_vendors_keys_lead_to_the_section() -> None:
    """What is not in our pages is not promised there."""
    driver = Driver("eye", object, BUILT_IN.drivers("cameras")["rtsp"].config, "")
    registry = Registry({"cameras": {"eye": driver}}, BUILT_IN.providers)
    found = documented(("cameras", "lobby", "url"), registry, driver)
    assert found == "docs/reference/config.md#cameras"
