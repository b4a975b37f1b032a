"""Glass that was broken: functions of a database connection."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, insert, select, update

from hub.break_glass_views import GlassView
from hub.clock import iso
from hub.errors import Refused
from hub.events import new_id
from hub.phrases import phrase
from hub.storage.access_tables import broken_glass
from hub.storage.identity_tables import sessions


def _view(row: Row[tuple[str, ...]]) -> GlassView:
    return GlassView(
        id=row.id,
        user=row.user,
        role=row.role,
        permissions=json.loads(row.permissions),
        reason=row.reason,
        since=row.since,
        until=row.until,
    )


def keep(
    conn: Connection,
    session: str,
    user: str,
    role: str,
    permissions: Sequence[str],
    reason: str,
    lasts: timedelta,
    now: datetime,
) -> GlassView:
    """Write down that somebody has broken the glass in a session. Raises `Refused` where it is
    broken there.
    """
    still = (broken_glass.c.session == session, broken_glass.c.ended == "")
    if conn.execute(select(broken_glass.c.id).where(*still)).first() is not None:
        raise Refused(phrase("You have broken the glass already."))
    id_ = new_id()[:12]
    conn.execute(
        insert(broken_glass).values(
            id=id_,
            session=session,
            user=user,
            role=role,
            permissions=json.dumps(list(permissions)),
            reason=reason,
            since=iso(now),
            until=iso(now + lasts),
        )
    )
    return _view(conn.execute(select(broken_glass).where(broken_glass.c.id == id_)).one())


def end(conn: Connection, id_: str, by: str, now: datetime) -> GlassView:
    """Write down that it is over. Raises `KeyError` for one that is not broken."""
    still = (broken_glass.c.id == id_, broken_glass.c.ended == "")
    row = conn.execute(select(broken_glass).where(*still)).first()
    if row is None:
        raise KeyError(id_)
    conn.execute(update(broken_glass).where(*still).values(ended=iso(now), ended_by=by))
    return _view(row)


def open_ones(conn: Connection) -> dict[str, GlassView]:
    """What nobody has written down as over, by session, in the order it was broken: one each."""
    rows = conn.execute(
        select(broken_glass).where(broken_glass.c.ended == "").order_by(broken_glass.c.since)
    )
    return {str(row.session): _view(row) for row in rows}


def signed_out(conn: Connection, digests: Sequence[str], now: datetime) -> set[str]:
    """Which of these sessions are over."""
    standing = conn.execute(
        select(sessions.c.digest).where(
            sessions.c.digest.in_(digests),
            sessions.c.revoked.is_(None),
            sessions.c.expires > iso(now),
        )
    )
    return set(digests) - {str(row.digest) for row in standing}
