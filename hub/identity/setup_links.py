"""Set-up links: functions of a database connection.

Behind a link somebody chooses a password: for the first account, or for one that somebody who
manages accounts has made. A link works once and runs out; only its digest is stored.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select, update

from hub.clock import iso
from hub.errors import Refused
from hub.identity.accounts import (
    OpenedSession,
    add_user_with_hash,
    count_users,
    digest,
    open_session,
    set_password,
)
from hub.identity.factors import has_factor
from hub.identity.lifetimes import good_ones
from hub.phrases import phrase
from hub.storage import audit
from hub.storage.identity_tables import setup_links, users

_LONGEST_SECRET = 200
FOR_PEOPLE = timedelta(days=2)
"""How long a link for a named account works."""


def create_setup_link(
    conn: Connection, now: datetime, ttl: timedelta, *, user: str = "", by: str = ""
) -> str:
    """The secret of a new one-time link, `/setup/SECRET`; for the first account, or for `user`,
    whose earlier links then work no more.
    """
    secret = secrets.token_urlsafe(32)
    if user:
        end_links(conn, user, now)
        audit.note(conn, "account.link_made", user, now)
    row = {
        "digest": digest(secret),
        "created": iso(now),
        "expires": iso(now + ttl),
        "user": user,
        "made_by": by,
    }
    conn.execute(insert(setup_links).values(**row))
    return secret


def end_links(conn: Connection, user: str, now: datetime) -> None:
    """The links that somebody has not used work no more."""
    unused = (setup_links.c.user == user, setup_links.c.used.is_(None))
    conn.execute(update(setup_links).where(*unused).values(used=iso(now)))


def end_links_made_by(conn: Connection, maker: str, now: datetime) -> None:
    """Links that somebody made for others and nobody has used work no more: they may have kept
    one, and come in by it.
    """
    unused = (setup_links.c.made_by == maker, setup_links.c.used.is_(None))
    conn.execute(update(setup_links).where(*unused).values(used=iso(now)))


def first_setup_link(conn: Connection, now: datetime, ttl: timedelta) -> str | None:
    """A link that makes the first account; None once there is one."""
    return None if count_users(conn) else create_setup_link(conn, now, ttl)


def whose_setup_link(conn: Connection, secret: str, now: datetime) -> str | None:
    """Whose password the link sets, empty for the first account; None when it does not work.

    It works when it is known, unused and in time; the first account's only while there is none.
    """
    if len(secret) > _LONGEST_SECRET:
        return None
    row = conn.execute(
        select(setup_links.c.user).where(
            setup_links.c.digest == digest(secret),
            setup_links.c.used.is_(None),
            good_ones(setup_links, now),
        )
    ).first()
    if row is None:
        return None
    user = str(row.user)
    if not user:
        return None if count_users(conn) else ""
    still = conn.scalar(
        select(users.c.name).where(users.c.name == user, users.c.locked == "", users.c.issuer == "")
    )
    return None if still is None else user


def setup_link_open(conn: Connection, secret: str, now: datetime) -> bool:
    """Whether the link still works."""
    return whose_setup_link(conn, secret, now) is not None


def use_setup_link(
    conn: Connection,
    secret: str,
    name: str,
    password_hash: str,
    now: datetime,
    *,
    device: str = "",
    address: str = "",
) -> OpenedSession | None:
    """Use the link up, all or nothing: make the first account, or set the password of the one that
    the link is for, whatever `name` says. Signs the person in; None where their second factor is
    to be shown first. Raises `Refused`.
    """
    user = whose_setup_link(conn, secret, now)
    if user is None:
        raise Refused(phrase("This link has been used, has run out, or an account exists already."))
    conn.execute(
        update(setup_links).where(setup_links.c.digest == digest(secret)).values(used=iso(now))
    )
    if user:
        set_password(conn, user, password_hash, now)
        if has_factor(conn, user):
            return None
        stored = user
    else:
        stored = add_user_with_hash(conn, name, "admin", password_hash, now=now)
    return open_session(conn, stored, now, way="setup", device=device, address=address)
