"""PINs: what is kept of them, which are taken, and how guessing is slowed down."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.errors import Refused
from hub.identity import pins
from hub.identity.accounts import add_user_with_hash
from hub.identity.passwords import PasswordThreads
from hub.identity.pins import PinPad
from hub.storage.journal import open_engine
from hub.testing import FakeClock

NOW = datetime(2026, 3, 2, tzinfo=UTC)


async def test_a_pin_is_kept_as_an_argon2id_hash_and_told_from_the_one_for_duress() -> None:
    """Neither number stands anywhere; each is known for what it is, and nothing else is."""
    pad = PinPad(FakeClock(NOW))
    stored = await pad.hashes("4711", "9038")
    assert all(each.startswith("$argon2id$") for each in stored)
    assert not any(number in each for each in stored for number in ("4711", "9038"))
    assert await pad.which("sro", stored, "4711") == "pin"
    assert await pad.which("sro", stored, "9038") == "duress"


async def test_whoever_guesses_waits_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """After three wrong ones every further try waits; a right one ends that, for each account by
    itself.
    """

    async def never(self: PasswordThreads, stored: str | None, given: str) -> bool:
        return False

    monkeypatch.setattr(PasswordThreads, "matches", never)
    clock = FakeClock(NOW)
    pad = PinPad(clock)
    for _ in range(3):
        assert await pad.which("sro", None, "1111") is None
    with pytest.raises(Refused, match="Too many wrong PINs"):
        await pad.which("sro", None, "1111")
    assert await pad.which("head", None, "1111") is None
    await clock.advance(2)
    assert await pad.which("sro", None, "1111") is None
    with pytest.raises(Refused, match=r"Too many wrong PINs\. Try again in 2 s"):
        await pad.which("sro", None, "1111")


@pytest.mark.parametrize(
    ("pin", "duress", "words"),
    [
        ("471", "9038", "4 to 12 digits"),
        ("4711", "90a8", "4 to 12 digits"),
        ("4711", "٤٧١١", "4 to 12 digits"),
        ("4711", "", "4 to 12 digits"),
        ("1111", "9038", "guessed first"),
        ("1234", "9038", "guessed first"),
        ("4711", "9876", "guessed first"),
        ("4711", "4711", "has to be another"),
        ("4711", "4712", "two digits"),
    ],
)
def test_a_pin_that_is_guessed_first_or_mixed_up_is_not_taken(
    pin: str, duress: str, words: str
) -> None:
    """The refusal says what is wrong without repeating the number."""
    with pytest.raises(Refused, match=words) as refusal:
        pins.check(pin, duress)
    assert not pin or pin not in str(refusal.value)


def test_only_an_account_has_pins_and_new_ones_take_the_place_of_the_old(tmp_path: Path) -> None:
    """What is stored is what was set last; for nobody nothing is."""
    engine = open_engine(tmp_path / "journal.db")
    with engine.begin() as connection:
        with pytest.raises(Refused, match="Only an account"):
            pins.store(connection, "sro", ("a", "b"), NOW)
        add_user_with_hash(connection, "sro", "sro", "none", now=NOW)
        pins.store(connection, "sro", ("a", "b"), NOW)
        pins.store(connection, "sro", ("c", "d"), NOW)
        assert pins.hashes_of(connection, "sro") == ("c", "d")
        assert pins.hashes_of(connection, "head") is None
    engine.dispose()
