"""Accounts, tokens, sessions and set-up links: functions of a database connection.

Only digests of secrets are stored. A secret here has at least 256 random bits, so a single SHA-256
is enough to keep it from being read back; passwords go through argon2id.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, delete, func, insert, select, update

from hub.clock import SystemClock, iso
from hub.errors import Refused
from hub.events import new_id
from hub.identity.passwords import hash_password
from hub.identity.permissions import ROLES, RoleSettings, known_role
from hub.storage import audit
from hub.storage.schema import sessions, setup_links, tokens, users

SESSION_LIFE = timedelta(hours=12)
TOKEN_PREFIX = "vst_"  # noqa: S105  # no secret: it only makes tokens easy to spot
_LONGEST_NAME = 64
_LONGEST_SECRET = 200

Roles = Mapping[str, RoleSettings] | None


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody the hub knows: a person with a session, or a program with a token."""

    name: str
    role: str
    kind: Literal["session", "token"]
    digest: str
    csrf: str = ""
    expires: str = ""

    @property
    def by(self) -> str:
        """How records name them; a token is never mistaken for a person."""
        return self.name if self.kind == "session" else f"{self.name} (token)"


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A new session: the secret goes into the cookie and is kept nowhere else."""

    secret: str
    identity: Identity


def digest(secret: str) -> str:
    """What is stored in place of a secret: its SHA-256 as 64 hexadecimal digits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def plain_name(name: str) -> str:
    """The name as it would be stored, whatever a keyboard put around or into it."""
    return " ".join(unicodedata.normalize("NFC", name).split())


def clean_name(name: str) -> str:
    """A name fit to store and show. Raises `Refused` when nothing or too much is left of it."""
    clean = plain_name(name)
    if not clean or len(clean) > _LONGEST_NAME or not clean.isprintable():
        raise Refused(f"A name needs 1 to {_LONGEST_NAME} printable characters.")
    return clean


def _known(role: str, roles: Roles) -> None:
    if not known_role(role, roles):
        names = ", ".join(sorted({*ROLES, *(roles or {})}))
        raise Refused(f"There is no role called {role}. Known roles: {names}.")


def _now(now: datetime | None) -> datetime:
    return now if now is not None else SystemClock().now()


def add_user(
    conn: Connection,
    name: str,
    role: str,
    password: str,
    *,
    roles: Roles = None,
    now: datetime | None = None,
) -> None:
    """Add a person, or give a known one a new password and role and sign them out everywhere.

    Hashes the password, so it blocks for about 0.1 s. Raises `Refused`.
    """
    set_user(conn, name, role, hash_password(password), roles=roles, now=now)


def set_user(
    conn: Connection,
    name: str,
    role: str,
    password_hash: str,
    *,
    roles: Roles = None,
    now: datetime | None = None,
) -> None:
    """`add_user` with a password hashed beforehand, so that nobody waits for the journal."""
    clean = clean_name(name)
    _known(role, roles)
    changed = conn.execute(
        update(users).where(users.c.name == clean).values(role=role, password_hash=password_hash)
    )
    if changed.rowcount:
        audit.note(conn, "account.changed", clean, _now(now), role=role)
        end_other_sessions(conn, clean, "", _now(now))
    else:
        add_user_with_hash(conn, clean, role, password_hash, roles=roles, now=now)


def add_user_with_hash(
    conn: Connection,
    name: str,
    role: str,
    password_hash: str,
    *,
    roles: Roles = None,
    now: datetime | None = None,
) -> str:
    """Add a person whose password is hashed already; returns the name as stored.

    Raises `Refused`, also when there is such a person: nobody's password is changed unasked.
    """
    clean = clean_name(name)
    _known(role, roles)
    if conn.execute(select(users.c.name).where(users.c.name == clean)).first():
        raise Refused(f"There is already an account called {clean}.")
    row = {
        "name": clean,
        "role": role,
        "password_hash": password_hash,
        "created": iso(_now(now)),
    }
    conn.execute(insert(users).values(**row))
    audit.note(conn, "account.added", clean, _now(now), role=role)
    return clean


def count_users(conn: Connection) -> int:
    """How many accounts there are."""
    return int(conn.execute(select(func.count()).select_from(users)).scalar_one())


def password_hash_of(conn: Connection, name: str) -> str | None:
    """The stored hash of a person's password; None for a name nobody has."""
    found = conn.execute(select(users.c.password_hash).where(users.c.name == name)).scalar()
    return None if found is None else str(found)


def create_token(
    conn: Connection,
    name: str,
    role: str,
    *,
    roles: Roles = None,
    now: datetime | None = None,
) -> str:
    """Make an API token and return it; it is shown this once. Raises `Refused`."""
    clean = clean_name(name)
    _known(role, roles)
    if conn.execute(select(tokens.c.name).where(tokens.c.name == clean)).first():
        raise Refused(f"There is already a token called {clean}.")
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    row: dict[str, Any] = {
        "id": new_id(),
        "name": clean,
        "role": role,
        "digest": digest(token),
        "created": iso(_now(now)),
    }
    conn.execute(insert(tokens).values(**row))
    audit.note(conn, "token.made", clean, _now(now), role=role)
    return token


def revoke_token(conn: Connection, name: str, now: datetime | None = None) -> bool:
    """End a token; whether there was one to end."""
    changed = conn.execute(
        update(tokens)
        .where(tokens.c.name == name, tokens.c.revoked.is_(None))
        .values(revoked=iso(_now(now)))
    )
    if changed.rowcount:
        audit.note(conn, "token.revoked", name, _now(now))
    return bool(changed.rowcount)


def identify_token(conn: Connection, token: str) -> Identity | None:
    """Who holds this token; None when it is unknown or revoked."""
    if not token.startswith(TOKEN_PREFIX) or len(token) > _LONGEST_SECRET:
        return None
    wanted = digest(token)
    row = conn.execute(
        select(tokens.c.name, tokens.c.role, tokens.c.digest).where(
            tokens.c.digest == wanted, tokens.c.revoked.is_(None)
        )
    ).first()
    if row is None or not hmac.compare_digest(str(row.digest), wanted):
        return None
    return Identity(str(row.name), str(row.role), "token", wanted)


def open_session(
    conn: Connection, name: str, now: datetime, life: timedelta = SESSION_LIFE
) -> OpenedSession:
    """Sign a person in. Clears away sessions that ended. Raises `KeyError` for an unknown name."""
    role = conn.execute(select(users.c.role).where(users.c.name == name)).scalar()
    if role is None:
        raise KeyError(name)
    conn.execute(delete(sessions).where(sessions.c.expires <= iso(now)))
    secret, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
    expires = iso(now + life)
    row = {
        "digest": digest(secret),
        "user": name,
        "csrf": csrf,
        "created": iso(now),
        "expires": expires,
    }
    conn.execute(insert(sessions).values(**row))
    audit.note(conn, "session.opened", name, now, name, role=str(role))
    return OpenedSession(secret, Identity(name, str(role), "session", row["digest"], csrf, expires))


def identify_session(conn: Connection, secret: str, now: datetime) -> Identity | None:
    """Whose session this is, with the role they have today; None when over or revoked."""
    if not secret or len(secret) > _LONGEST_SECRET:
        return None
    wanted = digest(secret)
    row = conn.execute(
        select(users.c.name, users.c.role, sessions.c.csrf, sessions.c.expires)
        .join(users, users.c.name == sessions.c.user)
        .where(
            sessions.c.digest == wanted,
            sessions.c.revoked.is_(None),
            sessions.c.expires > iso(now),
        )
    ).first()
    if row is None:
        return None
    return Identity(
        str(row.name), str(row.role), "session", wanted, str(row.csrf), str(row.expires)
    )


def end_session(conn: Connection, session_digest: str, now: datetime) -> None:
    """Sign one session out, for good."""
    open_ = (sessions.c.digest == session_digest, sessions.c.revoked.is_(None))
    if (whose := conn.scalar(select(sessions.c.user).where(*open_))) is not None:
        audit.note(conn, "session.closed", str(whose), now, str(whose))
    conn.execute(
        update(sessions).where(sessions.c.digest == session_digest).values(revoked=iso(now))
    )


def end_other_sessions(conn: Connection, name: str, keep: str, now: datetime) -> int:
    """Sign a person out everywhere but in the session whose digest is `keep`; how many ended."""
    changed = conn.execute(
        update(sessions)
        .where(
            sessions.c.user == name,
            sessions.c.digest != keep,
            sessions.c.revoked.is_(None),
            sessions.c.expires > iso(now),
        )
        .values(revoked=iso(now))
    )
    if changed.rowcount:
        audit.note(conn, "session.others_closed", name, now, count=int(changed.rowcount))
    return int(changed.rowcount)


def sessions_of(conn: Connection, name: str, now: datetime) -> list[dict[str, str]]:
    """A person's sessions that are in force, newest first: digest, created, expires."""
    rows = conn.execute(
        select(sessions.c.digest, sessions.c.created, sessions.c.expires)
        .where(
            sessions.c.user == name,
            sessions.c.revoked.is_(None),
            sessions.c.expires > iso(now),
        )
        .order_by(sessions.c.created.desc())
    )
    return [
        {"digest": str(row.digest), "created": str(row.created), "expires": str(row.expires)}
        for row in rows
    ]


def create_setup_link(conn: Connection, now: datetime, ttl: timedelta) -> str:
    """The secret of a new one-time link, `/setup/SECRET`, which makes the first account."""
    secret = secrets.token_urlsafe(32)
    row = {"digest": digest(secret), "created": iso(now), "expires": iso(now + ttl)}
    conn.execute(insert(setup_links).values(**row))
    return secret


def setup_link_open(conn: Connection, secret: str, now: datetime) -> bool:
    """Whether the link still works: known, unused, in time, and nobody has an account yet."""
    if len(secret) > _LONGEST_SECRET or count_users(conn):
        return False
    return (
        conn.execute(
            select(setup_links.c.digest).where(
                setup_links.c.digest == digest(secret),
                setup_links.c.used.is_(None),
                setup_links.c.expires > iso(now),
            )
        ).first()
        is not None
    )


def use_setup_link(
    conn: Connection, secret: str, name: str, password_hash: str, now: datetime
) -> OpenedSession:
    """Make the first account, use the link up and sign the person in, all or nothing.

    Raises `Refused`.
    """
    if not setup_link_open(conn, secret, now):
        raise Refused("This link has been used, has run out, or an account exists already.")
    conn.execute(
        update(setup_links).where(setup_links.c.digest == digest(secret)).values(used=iso(now))
    )
    stored = add_user_with_hash(conn, name, "admin", password_hash, now=now)
    return open_session(conn, stored, now)
