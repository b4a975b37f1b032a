"""Passwords: argon2id, always computed on a thread and at most two at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from hub.errors import Refused
from hub.identity.guessable import refuse_guessable
from hub.phrases import phrase

MIN_LENGTH = 12
MAX_LENGTH = 512

# RFC 9106, second recommended setting, but one lane: the hub's machine has two cores and a door
# must not wait for a sign-in. 64 MiB a hash, so the number of hashes at once is bounded as well.
_HASHER = PasswordHasher(time_cost=3, memory_cost=65536, parallelism=1, type=Type.ID)
_AT_ONCE = 2


def check_strength(password: str) -> None:
    """Raises `Refused` with a sentence for people when the password cannot be taken."""
    if len(password) < MIN_LENGTH:
        raise Refused(phrase("A password needs at least %(least)s characters.", least=MIN_LENGTH))
    if len(password) > MAX_LENGTH:
        raise Refused(phrase("A password may have at most %(most)s characters.", most=MAX_LENGTH))


def hash_password(password: str) -> str:
    """The argon2id hash to store, with its own salt and settings. Blocks for about 0.1 s."""
    check_strength(password)
    return hash_secret(password)


def hash_secret(secret: str) -> str:
    """The argon2id hash of a secret that has rules of its own, such as a PIN. Blocks as above."""
    return _HASHER.hash(secret)


def password_matches(password_hash: str, password: str) -> bool:
    """Whether the password made this hash. Blocks for about 0.1 s."""
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _decoy() -> str:
    """A hash nobody knows the password of, so that an unknown name takes as long as a known one."""
    import secrets

    return _HASHER.hash(secrets.token_urlsafe(32))


def _matches_or_decoy(password_hash: str | None, password: str) -> bool:
    if not password_hash:
        password_matches(_decoy(), password)
        return False
    return password_matches(password_hash, password)


class PasswordThreads:
    """Hashing away from the event loop, `waiting` callers at most."""

    def __init__(self, waiting: int = 32) -> None:
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._waiting = waiting
        self._inside = 0
        self.refused = 0

    async def hash(
        self, password: str, around: Collection[str] = (), breached: Path | None = None
    ) -> str:
        """`hash_password` on a thread, of what is not guessed first (`refuse_guessable`). Raises
        `Refused`, also when too many wait already.
        """
        check_strength(password)
        async with self._place(), self._slots:
            await asyncio.to_thread(refuse_guessable, password, around, breached)
            return await asyncio.to_thread(hash_password, password)

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Whether the password fits; None, for a name nobody has, takes as long and is false."""
        async with self._place(), self._slots:
            return await asyncio.to_thread(_matches_or_decoy, password_hash, password[:MAX_LENGTH])

    def _place(self) -> _Place:
        if self._inside >= self._waiting:
            self.refused += 1
            raise Refused(
                phrase("Too many people are signing in at this moment. Try again shortly.")
            )
        return _Place(self)


class _Place:
    def __init__(self, threads: PasswordThreads) -> None:
        self._threads = threads

    async def __aenter__(self) -> None:
        self._threads._inside += 1

    async def __aexit__(self, *_: object) -> None:
        self._threads._inside -= 1
