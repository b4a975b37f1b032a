"""What pages remember for a while is bounded, and forgotten by its age."""

from hub.testing import FakeClock
from hub.web.remembered import Remembered


def test_what_was_kept_longest_ago_makes_room() -> None:
    """Keeping something again makes it new; asking for it does not."""
    known = Remembered[str, int](FakeClock(), most=2)
    known.keep("a", 1)
    known.keep("b", 2)
    known.keep("a", 3)
    assert known.get("b") == 2
    known.keep("c", 4)
    assert (known.get("a"), known.get("b"), known.get("c")) == (3, None, 4)
    assert known.keys() == ["a", "c"]


async def test_each_lasts_for_its_own_time() -> None:
    """It is there until its life is over, by the clock that was given, and gone from then on."""
    clock = FakeClock()
    known = Remembered[str, int](clock, 10.0)
    known.keep("a", 1)
    await clock.advance(4)
    known.keep("b", 2)
    await clock.advance(5.5)
    assert known.keys() == ["a", "b"]
    await clock.advance(0.5)
    assert (known.get("a"), known.get("b")) == (None, 2)
    assert known.keys() == ["b"]
    known.keep("a", 3)
    assert known.keys() == ["b", "a"]


async def test_without_a_life_it_lasts_until_there_is_no_room() -> None:
    """A year makes nothing forgotten by itself."""
    clock = FakeClock()
    known = Remembered[str, int](clock)
    known.keep("a", 1)
    await clock.advance(365 * 24 * 3600)
    assert known.get("a") == 1


async def test_what_is_corrected_does_not_last_longer() -> None:
    """Only what is remembered is corrected, and it keeps its age."""
    clock = FakeClock()
    known = Remembered[str, int](clock, 2.0)
    known.keep("a", 1)
    await clock.advance(1)
    known.correct("a", 5)
    known.correct("b", 6)
    assert (known.get("a"), known.get("b")) == (5, None)
    await clock.advance(1)
    assert known.get("a") is None


def test_what_is_dropped_is_gone() -> None:
    """One alone, or everything."""
    known = Remembered[str, int](FakeClock())
    for key in "abc":
        known.keep(key, 1)
    known.drop("a")
    known.drop("never there")
    assert known.keys() == ["b", "c"]
    known.clear()
    assert known.keys() == []
