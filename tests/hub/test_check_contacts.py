"""Contacts are held to the form of what their channel takes, vendors' channels included."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.check import check

PAGER = """
from typing import Annotated
from pydantic import Field
from hub import Block, Channel, Driver, Notice, Receipt, hookimpl

class PagerConfig(Block):
    numbers: Annotated[{kind}, Field(description="Whom it calls.")]

class Pager:
    channel = Channel(path="cellular", otherwise="{key}")
    def __init__(self, config, context): ...
    async def start(self) -> None: ...
    async def send(self, notice: Notice) -> Receipt:
        return Receipt("delivered")
    async def close(self) -> None: ...

@hookimpl
def vestibule_notifiers():
    return [Driver("pager", Pager, PagerConfig, "Calls pagers")]
"""
SCHOOL = """
people:
  nurse: {{name: School nurse, role: nurse, contact: {{pager: "{contact}"}}}}
notifiers:
  pager: {{driver: pager, numbers: {numbers}}}
"""
NUMBER = "Annotated[str, Field(pattern='^[0-9]{4}$')]"


@pytest.mark.parametrize(
    ("kind", "numbers", "contact", "wrong"),
    [
        (f"tuple[{NUMBER}, ...]", "['0123']", "4567", ""),
        (f"tuple[{NUMBER}, ...]", "['0123']", "456", "found '456'; expected text of the form"),
        (NUMBER, "'0123'", "4567", ""),
        (f"{NUMBER} | None", "null", "ward 3", "found 'ward 3'; expected text of the form"),
        ("str", "x", "anything at all", ""),
    ],
)
def test_a_vendors_channel_has_its_contacts_checked(
    tmp_path: Path, kind: str, numbers: str, contact: str, wrong: str
) -> None:
    """A contact has the form of the key that the channel names as `otherwise`."""
    folder = tmp_path / "my_plugins"
    folder.mkdir()
    plugin = PAGER.replace("{kind}", kind).replace("{key}", "numbers")
    (folder / "pager.py").write_text(plugin, encoding="utf-8")
    file = tmp_path / "school.yaml"
    file.write_text(SCHOOL.format(contact=contact, numbers=numbers), encoding="utf-8")
    problems = check(file)
    assert [each.path for each in problems] == (["people.nurse.contact.pager"] if wrong else [])
    assert all(wrong in each.message for each in problems)


def test_a_channel_that_names_no_such_key_takes_any_contact(tmp_path: Path) -> None:
    """What a channel makes of a contact that it says nothing about is its own affair."""
    folder = tmp_path / "my_plugins"
    folder.mkdir()
    plugin = PAGER.replace("{kind}", NUMBER).replace("{key}", "")
    (folder / "pager.py").write_text(plugin, encoding="utf-8")
    file = tmp_path / "school.yaml"
    file.write_text(SCHOOL.format(contact="ward 3", numbers="'0123'"), encoding="utf-8")
    assert check(file) == []
