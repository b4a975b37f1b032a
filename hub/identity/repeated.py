"""What somebody asks under a key of their own, and what was done when they asked it before."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from hub.identity.accounts import Identity
from hub.storage import once
from hub.storage.once import Asking as Asking
from hub.storage.once import Done as Done
from hub.storage.once import acting as acting


def asking(who: Identity, key: str, content: str, now: datetime) -> Asking:
    """A request under a key, which belongs to who sends it; `content` is a digest of all of it."""
    return Asking(who.by, key, content, now)


def before(connection: Connection, asked: Asking) -> Done | None:
    """What was done under this key before; None where nothing was."""
    return once.look_up(connection, asked.sender, asked.key, asked.now)


def keep(connection: Connection, asked: Asking, status: int, answer: str) -> None:
    """Keep the answer to what was done."""
    once.keep(connection, asked, status, answer)
