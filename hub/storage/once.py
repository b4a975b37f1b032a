"""What programs asked for under a key of their own, so that asking twice is one act.

Whoever handles such a request opens `acting` for as long as that lasts. The first thing that is
written for it notes, in the same transaction, that it was done: killed at any instruction, the hub
knows afterwards whether it was. The answer is kept beside it as soon as it is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert

from hub.clock import iso
from hub.storage.schema import metadata

KEPT_FOR = timedelta(hours=24)
MOST = 20_000
LONGEST_ANSWER = 16 * 1024

T = TypeVar("T")

# `content` is a digest of what was asked, `note` what an act wrote down of its own answer; `status`
# is 0 until the answer is kept.
once = Table(
    "once",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sender", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("time", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("answer", Text, nullable=False),
    UniqueConstraint("sender", "key"),
)
Index("ix_once_time", once.c.time)


@dataclass(frozen=True, slots=True)
class Done:
    """What was done under a key; `status` is 0 where the answer was not kept."""

    content: str
    note: str
    status: int
    answer: str


@dataclass(slots=True)
class Asking:
    """A request under a key, while it is handled."""

    sender: str
    key: str
    content: str
    now: datetime
    over: bool = False


_ASKING: ContextVar[Asking | None] = ContextVar("asking", default=None)


@contextmanager
def acting(asking: Asking) -> Iterator[None]:
    """What is written within is done under that key; a task that outlives it does nothing more
    under it.
    """
    token = _ASKING.set(asking)
    try:
        yield
    finally:
        asking.over = True
        _ASKING.reset(token)


def run(work: Callable[[Connection], T], connection: Connection) -> T:
    """Run a work of the journal; where it is done under a key, that is written with it."""
    result = work(connection)
    asking = _ASKING.get()
    if asking is not None and not asking.over:
        _remember(connection, asking)
    return result


def note(connection: Connection, text: str) -> None:
    """An act writes down what its answer will say, should the answer itself be lost."""
    asking = _ASKING.get()
    if asking is not None and not asking.over:
        _remember(connection, asking)
        connection.execute(update(once).where(*_of(asking.sender, asking.key)).values(note=text))


def look_up(connection: Connection, sender: str, key: str, now: datetime) -> Done | None:
    """What was done under a key in the last 24 hours; None where nothing was."""
    found = connection.execute(
        select(once.c.content, once.c.note, once.c.status, once.c.answer).where(
            *_of(sender, key), once.c.time > iso(now - KEPT_FOR)
        )
    ).first()
    return None if found is None else Done(*found)


def keep(connection: Connection, asking: Asking, status: int, answer: str) -> None:
    """Keep the answer to what was done; one that is too long is not kept."""
    if len(answer) <= LONGEST_ANSWER:
        connection.execute(
            update(once).where(*_of(asking.sender, asking.key)).values(status=status, answer=answer)
        )


def _remember(connection: Connection, asking: Asking) -> None:
    values = {
        "sender": asking.sender,
        "key": asking.key,
        "content": asking.content,
        "time": iso(asking.now),
        "note": "",
        "status": 0,
        "answer": "",
    }
    connection.execute(
        delete(once).where(*_of(asking.sender, asking.key), once.c.time <= _past(asking))
    )
    added = connection.execute(insert(once).values(values).on_conflict_do_nothing())
    if added.rowcount:
        newest = select(func.max(once.c.id)).scalar_subquery()
        connection.execute(
            delete(once).where((once.c.time <= _past(asking)) | (once.c.id <= newest - MOST))
        )


def _past(asking: Asking) -> str:
    return iso(asking.now - KEPT_FOR)


def _of(sender: str, key: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return once.c.sender == sender, once.c.key == key
