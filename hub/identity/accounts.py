"""Accounts, tokens and sessions: functions of a database connection.

Only digests of secrets are stored. A secret here has at least 256 random bits, so a single SHA-256
is enough to keep it from being read back; passwords go through argon2id.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, delete, func, insert, or_, select, update

from hub.clock import SystemClock, iso
from hub.errors import Refused
from hub.events import new_id
from hub.identity.lifetimes import good_ones
from hub.identity.passwords import hash_password
from hub.identity.permissions import PERMISSIONS, ROLES, RoleSettings, known_role
from hub.phrases import phrase
from hub.storage import audit
from hub.storage.identity_tables import sessions, tokens, users

SESSION_LIFE = timedelta(hours=12)
TOKEN_PREFIX = "vst_"  # noqa: S105  # no secret: it only makes tokens easy to spot
_LONGEST_NAME = 64
_OF_RECORDS = ("(token)", "(guest)")  # what records put behind a name that is no person's
_LONGEST_SECRET = 200

Roles = Mapping[str, RoleSettings] | None


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody the hub knows: a person with a session, or a program with a token.

    `way` and `opened` are how and when a person signed in, `scopes` what a token is narrowed to;
    empty for all its role may.
    """

    name: str
    role: str
    kind: Literal["session", "token"]
    digest: str
    csrf: str = ""
    expires: str = ""
    way: str = ""
    scopes: frozenset[str] = frozenset()
    last_used: str = ""
    opened: str = ""

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
        raise Refused(
            phrase("A name needs 1 to %(most)s printable characters.", most=_LONGEST_NAME)
        )
    if clean.casefold().endswith(_OF_RECORDS):
        raise Refused(phrase("A name does not end like this: records would tell of another."))
    return clean


def same_name(conn: Connection, name: str) -> str | None:
    """The account that has this name, in capitals or not; None where nobody has."""
    names = (str(each) for each in conn.execute(select(users.c.name)).scalars())
    return next((each for each in names if each.casefold() == name.casefold()), None)


def _known(role: str, roles: Roles) -> None:
    if not known_role(role, roles):
        names = ", ".join(sorted({*ROLES, *(roles or {})}))
        raise Refused(
            phrase(
                "There is no role called %(role)s. Known roles: %(names)s.", role=role, names=names
            )
        )


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
        raise Refused(phrase("There is already an account called %(name)s.", name=clean))
    row = {
        "name": clean,
        "role": role,
        "password_hash": password_hash,
        "created": iso(_now(now)),
    }
    conn.execute(insert(users).values(**row))
    audit.note(conn, "account.added", clean, _now(now), role=role)
    return clean


def set_role(conn: Connection, name: str, role: str, now: datetime, *, roles: Roles = None) -> None:
    """Give somebody another role, and sign them out everywhere. Raises `Refused`."""
    _known(role, roles)
    conn.execute(update(users).where(users.c.name == name).values(role=role))
    audit.note(conn, "account.changed", name, now, role=role)
    end_other_sessions(conn, name, "", now)


def set_password(
    conn: Connection, name: str, password_hash: str, now: datetime, keep: str = ""
) -> None:
    """Set somebody's password; they stay signed in only in the session whose digest is `keep`."""
    conn.execute(update(users).where(users.c.name == name).values(password_hash=password_hash))
    audit.note(conn, "account.password_set", name, now)
    end_other_sessions(conn, name, keep, now)


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
    scopes: Collection[str] = (),
    life: timedelta | None = None,
    by: str = "",
) -> str:
    """Make an API token and return it; it is shown this once. Raises `Refused`.

    `scopes` narrow it to some of what its role may, `life` bounds how long it works.
    """
    clean, at = clean_name(name), _now(now)
    _known(role, roles)
    for scope in scopes:
        if scope not in PERMISSIONS:
            raise Refused(phrase("There is no permission called %(name)s.", name=scope))
    if conn.execute(select(tokens.c.name).where(tokens.c.name == clean)).first():
        raise Refused(phrase("There is already a token called %(name)s.", name=clean))
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    row: dict[str, Any] = {
        "id": new_id(),
        "name": clean,
        "role": role,
        "digest": digest(token),
        "created": iso(at),
        "scopes": " ".join(sorted(set(scopes))),
        "expires": iso(at + life) if life else "",
        "made_by": by,
    }
    conn.execute(insert(tokens).values(**row))
    said = {key: row[key] for key in ("scopes", "expires") if row[key]}
    audit.note(conn, "token.made", clean, at, role=role, **said)
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


def identify_token(conn: Connection, token: str, now: datetime | None = None) -> Identity | None:
    """Who holds this token; None when it is unknown, revoked or has run out."""
    if not token.startswith(TOKEN_PREFIX) or len(token) > _LONGEST_SECRET:
        return None
    wanted = digest(token)
    row = conn.execute(
        select(tokens).where(
            tokens.c.digest == wanted,
            tokens.c.revoked.is_(None),
            or_(tokens.c.expires == "", good_ones(tokens, _now(now))),
        )
    ).first()
    if row is None or not hmac.compare_digest(str(row.digest), wanted):
        return None
    return Identity(
        str(row.name),
        str(row.role),
        "token",
        wanted,
        expires=str(row.expires),
        scopes=frozenset(str(row.scopes).split()),
        last_used=str(row.last_used),
    )


def open_session(
    conn: Connection,
    name: str,
    now: datetime,
    life: timedelta = SESSION_LIFE,
    *,
    way: str = "password",
    device: str = "",
    address: str = "",
) -> OpenedSession:
    """Sign a person in. Clears away sessions that ended. Raises `KeyError` for an unknown name,
    `Refused` for an account that is locked out.
    """
    account = conn.execute(select(users.c.role, users.c.locked).where(users.c.name == name)).first()
    if account is None:
        raise KeyError(name)
    if account.locked:
        raise Refused(phrase("This account is locked out. Ask whoever manages accounts."))
    conn.execute(delete(sessions).where(sessions.c.expires <= iso(now)))
    secret, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
    row = {
        "digest": digest(secret),
        "user": name,
        "csrf": csrf,
        "created": iso(now),
        "expires": iso(now + life),
        "way": way,
        "device": device,
        "address": address,
        "last_used": iso(now),
    }
    conn.execute(insert(sessions).values(**row))
    role = str(account.role)
    audit.note(conn, "session.opened", name, now, name, role=role, way=way)
    return OpenedSession(secret, _of_session(name, role, row))


def identify_session(conn: Connection, secret: str, now: datetime) -> Identity | None:
    """Whose session this is, with the role they have today; None when over, revoked or locked."""
    if not secret or len(secret) > _LONGEST_SECRET:
        return None
    wanted = digest(secret)
    row = conn.execute(
        select(users.c.name, users.c.role, sessions)
        .join(users, users.c.name == sessions.c.user)
        .where(
            sessions.c.digest == wanted,
            sessions.c.revoked.is_(None),
            sessions.c.expires > iso(now),
            users.c.locked == "",
        )
    ).first()
    if row is None:
        return None
    return _of_session(str(row.name), str(row.role), row._mapping)


def _of_session(name: str, role: str, row: Mapping[Any, Any]) -> Identity:
    digest_, csrf, expires, way = (str(row[e]) for e in ("digest", "csrf", "expires", "way"))
    used, opened = str(row["last_used"]), str(row["created"])
    return Identity(
        name, role, "session", digest_, csrf, expires, way, last_used=used, opened=opened
    )


def used_now(conn: Connection, who: Identity, now: datetime) -> None:
    """Note that a session or token is in use."""
    table = sessions if who.kind == "session" else tokens
    conn.execute(update(table).where(table.c.digest == who.digest).values(last_used=iso(now)))


def end_session(conn: Connection, session_digest: str, now: datetime, by: str = "") -> None:
    """Sign one session out, for good; by whose it is, unless told otherwise."""
    open_ = (sessions.c.digest == session_digest, sessions.c.revoked.is_(None))
    if (whose := conn.scalar(select(sessions.c.user).where(*open_))) is not None:
        audit.note(conn, "session.closed", str(whose), now, by or str(whose))
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
    """A person's sessions that are in force, newest first: digest, created, expires, way, device,
    address, last_used.
    """
    shown = ("digest", "created", "expires", "way", "device", "address", "last_used")
    rows = conn.execute(
        select(*(sessions.c[each] for each in shown))
        .where(
            sessions.c.user == name,
            sessions.c.revoked.is_(None),
            sessions.c.expires > iso(now),
        )
        .order_by(sessions.c.created.desc())
    )
    return [{each: str(row._mapping[each]) for each in shown} for row in rows]
