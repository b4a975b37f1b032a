"""How long what runs out by itself is good, by a clock that may have been set.

A machine that comes back from a power cut in another year would make every link and token good
again that ran out since. What was made later than now was made by another clock: it is not good
until that is right again.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Table, and_

from hub.clock import iso

CLOCK_SLACK = timedelta(minutes=10)


def good(created: str, expires: str, now: datetime) -> bool:
    """Whether something that was made then, and runs out then, is good now."""
    return created <= iso(now + CLOCK_SLACK) and iso(now) < expires


def good_ones(table: Table, now: datetime) -> ColumnElement[bool]:
    """The same of the rows of a table."""
    return and_(table.c.created <= iso(now + CLOCK_SLACK), table.c.expires > iso(now))
