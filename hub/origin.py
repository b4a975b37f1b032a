"""Where what is being done comes from: who asked, from which address.

The gate of the pages, and each verb of the command line, opens an origin for as long as one request
or command lasts. What is journaled meanwhile on its behalf is audited with that address.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

THIS_MACHINE = "this machine"


@dataclass(slots=True)
class Origin:
    """Who asks (empty for somebody who has not signed in), and from which network address. `glass`
    is the id of the glass they have broken, where they may more than their role meanwhile, `reason`
    what they said where the configuration asks for one.
    """

    by: str
    address: str
    over: bool = False
    glass: str = ""
    reason: str = ""


_ORIGIN: ContextVar[Origin | None] = ContextVar("origin", default=None)


@contextmanager
def origin(by: str, address: str) -> Iterator[Origin]:
    """What happens within comes from there. A task that is begun within and outlives it does not:
    once this ends, nothing more is said to come from there.
    """
    made = Origin(by, address)
    token = _ORIGIN.set(made)
    try:
        yield made
    finally:
        made.over = True
        _ORIGIN.reset(token)


def account(uid: int) -> str:
    """An account of this machine, as records name it."""
    try:
        return f"{pwd.getpwuid(uid).pw_name} on {THIS_MACHINE}"
    except KeyError:
        return f"user {uid} on {THIS_MACHINE}"


def account_named(who: str) -> str:
    """The account of this machine that a record names; empty where it is somebody else."""
    name, here, rest = who.rpartition(f" on {THIS_MACHINE}")
    return name if here and not rest else ""


def account_here() -> str:
    """Who runs this process, as records name them."""
    return account(os.getuid())


def present_origin() -> Origin | None:
    """Where the present request or command comes from; None for what the hub does by itself."""
    found = _ORIGIN.get()
    return None if found is None or found.over else found
