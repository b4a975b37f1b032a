"""What has begun and waits for its second half."""

import pytest

from hub.identity.pending import Pending
from hub.testing import FakeClock


def test_only_the_browser_that_began_goes_on_and_once() -> None:
    """Another browser gets nothing, and what was taken is gone."""
    pending = Pending(FakeClock())
    key = pending.begin("code", "mine", name="desk")
    assert pending.look("code", "another", key) is None
    assert pending.look("passkey", "mine", key) is None
    assert pending.look("code", "", key) is None
    assert pending.take("code", "mine", key) == {"name": "desk"}
    assert pending.take("code", "mine", key) is None


def test_a_try_of_another_browser_uses_it_up() -> None:
    """Whoever has caught a key cannot try it until it fits."""
    pending = Pending(FakeClock())
    key = pending.begin("provider", "mine")
    assert pending.take("provider", "another", key) is None
    assert pending.take("provider", "mine", key) is None


def test_nothing_begun_without_a_browser_can_go_on() -> None:
    """An empty cookie is nobody's."""
    pending = Pending(FakeClock())
    key = pending.begin("code", "")
    assert pending.look("code", "", key) is None


async def test_what_is_too_old_is_over() -> None:
    """Five minutes, then one begins anew."""
    clock = FakeClock()
    pending = Pending(clock, life_s=300)
    key = pending.begin("code", "mine")
    await clock.advance(299)
    assert pending.look("code", "mine", key) == {}
    await clock.advance(1)
    assert pending.look("code", "mine", key) is None


@pytest.mark.parametrize("begun", [10, 1000])
def test_strangers_fill_no_memory(begun: int) -> None:
    """However much is begun, the oldest is forgotten first."""
    pending = Pending(FakeClock(), entries=10)
    keys = [pending.begin("code", "mine") for _ in range(begun)]
    assert len(pending) == 10
    assert pending.look("code", "mine", keys[-1]) == {}
    assert (pending.look("code", "mine", keys[0]) is None) == (begun > 10)
