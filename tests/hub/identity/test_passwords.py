import asyncio

import pytest

from hub.errors import Refused
from hub.identity.passwords import PasswordThreads, hash_password, password_matches


def test_a_hash_says_how_it_was_made_and_is_salted() -> None:
    """argon2id, 64 MiB, one lane; the same password hashes differently each time."""
    first, second = hash_password("a good password"), hash_password("a good password")
    assert first.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert first != second


def test_a_broken_hash_fits_no_password() -> None:
    """A damaged row denies instead of raising."""
    assert not password_matches("not a hash", "anything")


async def test_hashing_leaves_the_event_loop_free() -> None:
    """While a password is checked the loop goes on turning."""
    threads = PasswordThreads()
    checking = asyncio.create_task(threads.matches(None, "a password"))
    turns = 0
    while not checking.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert checking.result() is False
    assert turns > 5


async def test_too_many_at_once_are_refused_in_words() -> None:
    """The number of people waiting for a hash is bounded and counted."""
    threads = PasswordThreads(waiting=1)
    first = asyncio.create_task(threads.matches(None, "a password"))
    await asyncio.sleep(0)
    with pytest.raises(Refused, match="Too many"):
        await threads.hash("another password")
    assert threads.refused == 1
    assert await first is False
