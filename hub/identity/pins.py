"""PINs that end a protocol, each with one for duress that only seems to: argon2id, throttled.

Neither is kept, shown or logged anywhere; both are always tried, so that no clock tells which of
them somebody has given.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from hub.clock import Clock, iso
from hub.errors import Refused
from hub.identity.passwords import PasswordThreads, hash_secret
from hub.identity.throttle import Throttle
from hub.storage.identity_tables import users
from hub.storage.schema import pins

SHORTEST, LONGEST = 4, 12
FREE_TRIES = 3

Hashes = tuple[str, str]


def check(pin: str, duress: str) -> None:
    """Raises `Refused` with a sentence for people when these cannot be taken."""
    for each in (pin, duress):
        if not (each.isascii() and each.isdigit() and SHORTEST <= len(each) <= LONGEST):
            raise Refused(
                "A PIN has %(shortest)s to %(longest)s digits.", shortest=SHORTEST, longest=LONGEST
            )
        if len(set(each)) == 1 or each in "0123456789012" or each in "9876543210987":
            raise Refused("A PIN of one digit, or of digits in a row, is guessed first.")
    if pin == duress:
        raise Refused("The duress PIN has to be another than the PIN.")
    if len(pin) == len(duress) and sum(a != b for a, b in zip(pin, duress, strict=True)) < 2:
        raise Refused("The duress PIN has to differ in two digits at least: a slip is no duress.")


def store(conn: Connection, user: str, hashes: Hashes, now: datetime) -> None:
    """Write a person's PINs, in place of those they had. Raises `Refused` for no account."""
    if conn.execute(select(users.c.name).where(users.c.name == user)).first() is None:
        raise Refused("Only an account has PINs.")
    values = {"pin_hash": hashes[0], "duress_hash": hashes[1], "changed": iso(now)}
    conn.execute(
        insert(pins)
        .values(user=user, **values)
        .on_conflict_do_update(index_elements=[pins.c.user], set_=values)
    )


def hashes_of(conn: Connection, user: str) -> Hashes | None:
    """What is stored of a person's PINs; None where they have none."""
    row = conn.execute(select(pins).where(pins.c.user == user)).first()
    return None if row is None else (str(row.pin_hash), str(row.duress_hash))


class PinPad:
    """Tries PINs away from the event loop; whoever guesses waits longer each time."""

    def __init__(self, clock: Clock) -> None:
        self._threads = PasswordThreads()
        self._throttle = Throttle(clock, free=FREE_TRIES)

    async def hashes(self, pin: str, duress: str) -> Hashes:
        """What is to be stored of new PINs. Raises `Refused`."""
        check(pin, duress)
        made = (asyncio.to_thread(hash_secret, each) for each in (pin, duress))
        own, other = await asyncio.gather(*made)
        return own, other

    async def which(
        self, user: str, hashes: Hashes | None, given: str
    ) -> Literal["pin", "duress"] | None:
        """Which of a person's PINs this is; None for neither. Raises `Refused` while they must
        wait.
        """
        if wait := self._throttle.wait((user,)):
            raise Refused("Too many wrong PINs. Try again in %(wait)s s.", wait=max(1, round(wait)))
        self._throttle.count((user,))
        own, duress = hashes or (None, None)
        is_own, is_duress = await asyncio.gather(
            self._threads.matches(own, given), self._threads.matches(duress, given)
        )
        if is_own or is_duress:
            self._throttle.clear((user,))
        return "pin" if is_own else "duress" if is_duress else None
