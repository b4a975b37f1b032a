"""Enrolled devices: functions of a database connection.

A device has a token of its own, which may start protocols at its place and call for help, and
nothing else. Only the token's digest is stored.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, func, insert, select, update

from hub.clock import iso
from hub.errors import Refused
from hub.events import new_id
from hub.identity.accounts import clean_name, digest
from hub.storage.schema import devices

DeviceRow: TypeAlias = Row[Any]

TOKEN_PREFIX = "vsd_"  # noqa: S105  # no secret: it only makes tokens easy to spot
MOST = 2000
_LONGEST_TOKEN = 200


def enrol(conn: Connection, name: str, place: str, by: str, now: datetime) -> tuple[str, str]:
    """Enrol a device; returns its id and its token, which is shown this once. Raises `Refused`."""
    clean = clean_name(name)
    good = devices.c.revoked.is_(None)
    if conn.execute(select(devices.c.id).where(devices.c.name == clean, good)).first():
        raise Refused("There is already a device called %(clean)s; revoke it first.", clean=clean)
    if conn.execute(select(func.count()).select_from(devices).where(good)).scalar_one() >= MOST:
        raise Refused(
            "There are %(most)s devices already. Revoke some that are not used.", most=MOST
        )
    token, id_ = TOKEN_PREFIX + secrets.token_urlsafe(32), new_id()[:12]
    conn.execute(
        insert(devices).values(
            id=id_,
            name=clean,
            place=place,
            digest=digest(token),
            created=iso(now),
            enrolled_by=by,
        )
    )
    return id_, token


def revoke(conn: Connection, id_: str, now: datetime) -> None:
    """End a device's token, for good; twice is once. Raises `KeyError` for an unknown one."""
    get(conn, id_)
    standing = update(devices).where(devices.c.id == id_, devices.c.revoked.is_(None))
    conn.execute(standing.values(revoked=iso(now)))


def identify(conn: Connection, token: str) -> DeviceRow | None:
    """Whose token this is; None when it is unknown or revoked."""
    if not token.startswith(TOKEN_PREFIX) or len(token) > _LONGEST_TOKEN:
        return None
    wanted = digest(token)
    row = conn.execute(
        select(devices).where(devices.c.digest == wanted, devices.c.revoked.is_(None))
    ).first()
    if row is None or not hmac.compare_digest(str(row.digest), wanted):
        return None
    return row


def get(conn: Connection, id_: str) -> DeviceRow:
    """One device. Raises `KeyError`."""
    row = conn.execute(select(devices).where(devices.c.id == id_)).first()
    if row is None:
        raise KeyError(id_)
    return row


def used(conn: Connection, id_: str, now: datetime) -> None:
    """Note that a device was pressed."""
    conn.execute(update(devices).where(devices.c.id == id_).values(last_used=iso(now)))


def every(conn: Connection) -> list[DeviceRow]:
    """Every device: those in use by name, then those that were revoked."""
    return list(
        conn.execute(select(devices).order_by(devices.c.revoked.is_not(None), devices.c.name))
    )
