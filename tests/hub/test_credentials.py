"""References to credentials: the same card is told to be the same, and its number is nowhere."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from test_configuration import House, house, until

from hub.kinds import Context
from hub.storage.journal import Journal
from hub.storage.keys import credential_key

__all__ = ["house"]

CARD = "0012345678"


async def key_of(folder: Path) -> bytes:
    """The key that a hub in this folder uses."""
    journal = Journal(folder / "journal.db")
    await journal.open()
    try:
        return await journal.write(credential_key)
    finally:
        await journal.close()


async def test_a_card_is_the_same_after_a_restart_and_another_elsewhere(tmp_path: Path) -> None:
    """One installation keeps its key; no other has it."""
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    first, again = await key_of(tmp_path / "here"), await key_of(tmp_path / "here")
    elsewhere = await key_of(tmp_path / "there")
    told = [Context("locks", credential_key=key).reference(CARD) for key in (first, again)]
    assert told[0] == told[1] != Context("locks", credential_key=elsewhere).reference(CARD)
    assert told[0] != Context("locks", credential_key=first).reference(CARD + "9")
    assert re.fullmatch("[0-9a-f]{16}", told[0])


def test_neither_number_nor_key_can_be_read_from_a_context() -> None:
    """A context that ends up in a log shows no key; built outside a hub each has one of its own."""
    one, other = Context("locks"), Context("locks")
    assert one.reference(CARD) != other.reference(CARD)
    assert one.reference(CARD) == dataclasses.replace(one, name="doors").reference(CARD)
    assert one.credential_key.hex() not in repr(one)
    assert repr(one.credential_key) not in repr(one)


async def test_controllers_of_a_hub_refer_alike_and_others_cannot(house: House) -> None:
    """Every controller has the key of the journal, over restarts; a camera or notifier has not."""
    told: list[str] = []
    for _ in range(2):
        async with house.hub() as hub:
            await until(lambda: hub.drivers.get("access_control", "panel").state == "running")
            panels = [hub.context(hub.config, "access_control", one) for one in ("panel", "other")]
            told += [context.reference(CARD) for context in panels]
            assert hub.context(hub.config, "notifiers", "lamp").reference(CARD) not in told
    assert len(set(told)) == 1
