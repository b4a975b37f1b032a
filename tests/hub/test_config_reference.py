"""docs/reference/config.md is made from the models that read the file, which explain every key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from hub import EVENT_TYPES, KINDS, VERBS, Block, Driver
from hub.config import Config
from hub.documented import documented
from hub.kinds.access_control import VERB_MEANINGS
from hub.plugins import BLOCKS, load_registry
from scripts import config_page

REGISTRY = load_registry()
PAGE = config_page.PAGE.read_text(encoding="utf-8")


def anchors(text: str) -> list[str]:
    """Where links into a page may point, as code hosts make anchors from headings."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]


def built_in() -> Iterator[tuple[str, Driver]]:
    for kind in KINDS:
        yield from ((kind, driver) for driver in REGISTRY.drivers(kind).values())


def every_model() -> dict[str, type[BaseModel]]:
    """All models of the file, by a name for people: the hub's, the drivers', those inside."""
    found: dict[str, type[BaseModel]] = {"the file": Config}
    for section, field in Config.model_fields.items():
        found[section] = next(config_page.models_in(field.annotation))
    found |= {f"{kind} (every driver)": model for kind, model in BLOCKS.items()}
    for kind, driver in built_in():
        found[f"{kind}: {driver.name}"] = driver.config
        if driver.device is not None:
            found[f"{kind}: {driver.name}: device"] = driver.device
    waiting = list(found.items())
    while waiting:
        name, model = waiting.pop()
        for key, field in model.model_fields.items():
            for inner in config_page.models_in(field.annotation):
                if inner not in found.values():
                    found[f"{name}: {key}"] = inner
                    waiting.append((f"{name}: {key}", inner))
    return found


MODELS = every_model()


def test_the_page_is_what_the_models_say() -> None:
    """The file is made by `make reference`; nobody edits it, and nobody forgets to make it."""
    assert config_page.page() == PAGE, "run `make reference`"


@pytest.mark.parametrize("name", MODELS)
def test_every_key_is_explained_where_it_is_defined(name: str) -> None:
    """No field of any model lacks a description, and each is made of whole sentences."""
    for key, field in MODELS[name].model_fields.items():
        assert field.description, f"{name}: {key}"
        assert re.match(r"[A-Z`0-9]", field.description), f"{name}: {key}"
        assert field.description.endswith("."), f"{name}: {key}"


@pytest.mark.parametrize("name", MODELS)
def test_no_length_of_time_is_a_bare_number(name: str) -> None:
    """A key does not end in a unit: its value says the unit."""
    for key in MODELS[name].model_fields:
        assert not re.search(r"(_s|_ms|_seconds|_minutes|^seconds)$", key), f"{name}: {key}"


def test_every_section_and_block_has_its_own_anchor() -> None:
    """Each section, block inside and driver has a heading, and no two the same anchor."""
    found = anchors(PAGE)
    assert len(set(found)) == len(found)
    assert set(Config.model_fields) <= set(found)
    for kind, driver in built_in():
        assert f"{kind}-{driver.name}" in found
    assert {"tags", "events", "verbs", "drivers", "cameras-zones", "rules-verified-door"} <= {
        *found
    }


def test_links_within_the_page_lead_somewhere() -> None:
    """No `#anchor` of a description or of the template is missing."""
    links = re.findall(r"\]\(#([^)]+)\)", PAGE)
    assert links
    assert set(links) <= set(anchors(PAGE))


@pytest.mark.parametrize(
    ("path", "driver"),
    [
        (("cameras", "a", "zones", 0, "place"), None),
        (("rules", "a", "verified", 0, "door", "doors"), None),
        (("cameras", "a", "url"), ("cameras", "rtsp")),
        (("doors", "a", "device", "states", "locked"), ("access_control", "mqtt")),
        (("hub", "mqtt", "port"), None),
    ],
)
def test_the_check_points_into_the_page(
    path: tuple[str | int, ...], driver: tuple[str, str] | None
) -> None:
    """What `check` gives as `doc` is an anchor of this page."""
    named = REGISTRY.drivers(driver[0])[driver[1]] if driver else None  # type: ignore[index]
    page, _, anchor = documented(path, REGISTRY, named).partition("#")
    assert Path(page).name == "config.md"
    assert anchor in anchors(PAGE)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "the file"])
def test_every_key_stands_in_a_table(name: str) -> None:
    """Key, what belongs there, default and meaning of every key are in the page."""
    for key, field in MODELS[name].model_fields.items():
        if key not in config_page.NOT_IN_THE_FILE:
            words = re.escape(field.description or "")
            row = rf"^\| `{field.alias or key}` \| .+ \| .+ \| {words} \|$"
            assert re.search(row, PAGE, re.MULTILINE), f"{name}: {key}"


def test_defaults_are_written_as_people_write_them() -> None:
    """Lengths of time carry their unit, sizes their x, and lists their brackets."""
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|", PAGE, re.MULTILINE))
    assert (rows["offline_after"], rows["sound_for"]) == ("10s", "2m")
    assert (rows["size"], rows["moving"]) == ("640x360", "[LOCKING, UNLOCKING]")
    assert (rows["scene"], rows["loop"], rows["contact_topic"]) == ("required", "true", "–")


def test_verbs_and_events_are_explained() -> None:
    """Whoever wires a door or writes a rule finds what each word means."""
    assert tuple(VERB_MEANINGS) == VERBS
    for name, meaning in {**VERB_MEANINGS, **EVENT_TYPES}.items():
        assert f"| `{name}` | {meaning} |" in PAGE


def test_a_vendors_model_without_descriptions_has_a_table() -> None:
    """Descriptions are asked of our own models only; a vendor's may have none."""

    class Lamp(Block):
        colour: str = "amber"

    assert "| `colour` | text | amber |  |" in config_page.keys(Lamp)
