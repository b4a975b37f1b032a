"""A kind's contract may grow: drivers of an earlier version work on for a while, and are named."""

from __future__ import annotations

import asyncio
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub import API_VERSIONS, Block, Context, Driver, PluginError
from hub.check import examine
from hub.plugins import Provider, load_registry
from hub.plugins_cli import lines
from hub.versions import ADAPTERS, Adapter, of_today

BELL = """
from hub import Block, Driver, hookimpl

class Config(Block):
    tone: str = "ding"

class Bell:
    def __init__(self, config, context):
        self.tone = config.tone
        self.place = context.name
    async def ring(self, text):
        return f"{self.tone} {text} at {self.place}"

@hookimpl
def vestibule_notifiers():
    return [Driver("bell", Bell, Config, "Rings", api=API)]
"""
NOTE = (
    "made for version 1 of notifiers, which works until Vestibule 0.9; since version 2 `ring` "
    "takes a list of texts and returns one of answers"
)


class RingsMany:
    """A driver of the made-up first version, as the made-up second one expects it."""

    def __init__(self, bell: Any) -> None:
        self.bell = bell

    async def ring(self, texts: list[str]) -> list[str]:
        return [await self.bell.ring(text) for text in texts]


def many(driver: Driver) -> Driver:
    """The adapter that a second version would come with."""
    return replace(
        driver, factory=lambda config, context: RingsMany(driver.factory(config, context))
    )


@pytest.fixture
def second_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the contract of notifiers had grown."""
    changes = "`ring` takes a list of texts and returns one of answers"
    monkeypatch.setitem(API_VERSIONS, "notifiers", 2)  # type: ignore[arg-type]
    monkeypatch.setitem(ADAPTERS, ("notifiers", 1), Adapter(many, changes, "0.9"))


def bell(folder: Path, api: int) -> Path:
    """A folder with a plugin made for a version."""
    folder.mkdir(exist_ok=True)
    (folder / "bell.py").write_text(textwrap.dedent(BELL).replace("API", str(api)))
    return folder


def provider(folder: Path) -> Provider:
    """The bell's plugin."""
    return next(each for each in load_registry(folder).providers if each.name == "bell")


@pytest.mark.usefixtures("second_version")
def test_a_driver_of_the_earlier_version_works_through_its_adapter(tmp_path: Path) -> None:
    """It is built with its own configuration, and does what the newest version expects."""
    driver = load_registry(bell(tmp_path, 1)).driver("notifiers", "bell")
    built = driver.factory(driver.config.model_validate({"tone": "dong"}), Context("hall"))
    assert asyncio.run(built.ring(["fire", "all clear"])) == [
        "dong fire at hall", "dong all clear at hall",
    ]  # fmt: skip
    assert (driver.name, driver.api) == ("bell", 2)


@pytest.mark.usefixtures("second_version")
def test_the_earlier_version_is_reported(tmp_path: Path) -> None:
    """The plugin is fine, with a note of what changes and when it ends; the list shows that."""
    found = provider(bell(tmp_path, 1))
    assert (found.state, found.notes) == ("ok", {"notifiers/bell": NOTE})
    told = " ".join(" ".join(lines([found])).split())
    assert f"note: notifiers/bell is {NOTE}" in told


@pytest.mark.usefixtures("second_version")
def test_check_notes_the_blocks_that_use_it(tmp_path: Path) -> None:
    """The configuration is valid, and each block with such a driver has its note at its place."""
    bell(tmp_path / "my_plugins", 1)
    path = tmp_path / "school.yaml"
    path.write_text("notifiers:\n  hall: {driver: bell}\n")
    examined = examine(path)
    assert examined.problems == []
    assert [(note.line, note.path, note.message) for note in examined.notes] == [
        (2, "notifiers.hall.driver", f"the driver bell is {NOTE}")
    ]


@pytest.mark.usefixtures("second_version")
def test_the_newest_version_is_left_as_it_is(tmp_path: Path) -> None:
    """A driver of today is neither wrapped nor noted."""
    folder = bell(tmp_path, 2)
    assert provider(folder).notes == {}
    driver = load_registry(folder).driver("notifiers", "bell")
    built = driver.factory(driver.config(), Context("hall"))
    assert type(built).__name__ == "Bell"


@pytest.mark.usefixtures("second_version")
def test_an_adapter_that_raises_takes_only_its_driver_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused by name like any other fault."""
    monkeypatch.setitem(ADAPTERS, ("notifiers", 1), Adapter(lambda _: 1 / 0, "", "0.9"))  # type: ignore[arg-type, return-value]
    found = provider(bell(tmp_path, 1))
    assert found.state == "invalid"
    assert "bell: cannot be brought to today's version: ZeroDivisionError" in found.reason


def test_versions_follow_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each adapter takes one step; where one of them is gone, the version is too old."""
    monkeypatch.setitem(API_VERSIONS, "cameras", 3)  # type: ignore[arg-type]
    for version in (1, 2):
        step = Adapter(
            lambda d: replace(d, summary=d.summary + "+"), f"step {version}", f"0.{version}"
        )
        monkeypatch.setitem(ADAPTERS, ("cameras", version), step)
    old = Driver("eye", dict, Block, "", api=1)
    new, note = of_today("cameras", old)
    assert (new.summary, new.api) == ("++", 3)
    assert note == (
        "made for version 1 of cameras, which works until Vestibule 0.1; since version 2 step 1; "
        "then step 2"
    )
    assert of_today("cameras", replace(old, api=2))[0].summary == "+"
    monkeypatch.delitem(ADAPTERS, ("cameras", 1))
    with pytest.raises(PluginError, match="version 1 of cameras; this hub speaks 3: update the pl"):
        of_today("cameras", old)
    assert of_today("cameras", replace(old, api=2))[0].api == 3


def test_no_adapter_is_left_over() -> None:
    """Every adapter leads from an earlier version than the newest, and says what and until when."""
    for (kind, version), adapter in ADAPTERS.items():
        assert 1 <= version < API_VERSIONS[kind]
        assert adapter.changes
        assert adapter.ends
