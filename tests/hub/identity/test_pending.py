"""What has begun and waits for its second half."""

import pytest

from hub.identity.pending import EACH, Pending, of_account, of_address
from hub.testing import FakeClock


def test_only_the_browser_that_began_goes_on_and_once() -> None:
    """Another browser gets nothing, and what was taken is gone."""
    pending = Pending(FakeClock())
    key = pending.begin("code", "mine", "of desk", name="desk")
    assert pending.look("code", "another", key) is None
    assert pending.look("passkey", "mine", key) is None
    assert pending.look("code", "", key) is None
    assert pending.take("code", "mine", key) == {"name": "desk"}
    assert pending.take("code", "mine", key) is None


def test_a_try_of_another_browser_uses_it_up() -> None:
    """Whoever has caught a key cannot try it until it fits."""
    pending = Pending(FakeClock())
    key = pending.begin("provider", "mine", "from 10.0.0.1")
    assert pending.take("provider", "another", key) is None
    assert pending.take("provider", "mine", key) is None


def test_nothing_begun_without_a_browser_can_go_on() -> None:
    """An empty cookie is nobody's."""
    pending = Pending(FakeClock())
    key = pending.begin("code", "", "from 10.0.0.1")
    assert pending.look("code", "", key) is None


async def test_what_is_too_old_is_over() -> None:
    """Five minutes, then one begins anew."""
    clock = FakeClock()
    pending = Pending(clock, life_s=300)
    key = pending.begin("code", "mine", "of desk")
    await clock.advance(299)
    assert pending.look("code", "mine", key) == {}
    await clock.advance(1)
    assert pending.look("code", "mine", key) is None


@pytest.mark.parametrize("begun", [10, 1000])
def test_strangers_fill_no_memory(begun: int) -> None:
    """However much is begun, the oldest is forgotten first."""
    pending = Pending(FakeClock(), entries=10)
    keys = [
        pending.begin("code", "mine", of_address(f"10.0.{n // 250}.{n % 250}"))
        for n in range(begun)
    ]
    assert len(pending) == 10
    assert pending.look("code", "mine", keys[-1]) == {}
    assert (pending.look("code", "mine", keys[0]) is None) == (begun > 10)


def test_a_flood_pushes_out_its_own() -> None:
    """Ten thousand from one address leave what others have begun, and hold a bound of their own."""
    pending = Pending(FakeClock())
    others = [pending.begin("passkey", "mine", of_address(f"10.0.0.{n}")) for n in range(200)]
    step = pending.begin("code", "mine", of_account("desk"))
    flood = [pending.begin("passkey", "theirs", of_address("10.9.9.9")) for _ in range(10_000)]
    assert len(pending) == 201 + EACH
    assert all(pending.look("passkey", "mine", key) == {} for key in others)
    assert pending.look("code", "mine", step) == {}
    assert [pending.look("passkey", "theirs", key) for key in flood[-EACH - 1 :]] == [
        None, *[{}] * EACH
    ]  # fmt: skip


def test_a_flood_from_many_addresses_pushes_out_its_own_first() -> None:
    """Where all of it is too much, whoever has most loses; a person who began once stays."""
    pending = Pending(FakeClock(), entries=1000)
    mine = pending.begin("code", "mine", of_account("desk"))
    for n in range(10_000):
        pending.begin("passkey", "theirs", of_address(f"10.9.{n % 100}.1"))
    assert len(pending) == 1000
    assert pending.look("code", "mine", mine) == {}


def test_the_addresses_of_one_ipv6_network_are_one() -> None:
    """A machine chooses among 2^64 of them: they share one bound."""
    pending = Pending(FakeClock())
    for n in range(1000):
        pending.begin("passkey", "theirs", of_address(f"2001:db8:1:2::{n:x}"))
    assert len(pending) == EACH
    assert of_address("2001:db8:1:3::1") != of_address("2001:db8:1:2::1")
    assert of_address("::ffff:10.0.0.1") == of_address("10.0.0.1")
