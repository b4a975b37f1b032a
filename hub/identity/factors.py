"""Second factors beside passkeys: authenticator apps (RFC 6238) and recovery codes.

Functions of a database connection. A code of an app is good for half a minute either side of its
own, and once; of recovery codes only salted digests are stored, and each works once.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import pyotp
from sqlalchemy import Connection, delete, func, insert, select, update

from hub.clock import iso
from hub.errors import Refused
from hub.identity.accounts import end_other_sessions
from hub.phrases import phrase
from hub.storage import audit
from hub.storage.identity_tables import authenticators, passkeys, recovery_codes, sessions

STEP_S = 30
EITHER_SIDE = 1
RECOVERY_CODES = 10
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # none that is read as another
_RECOVERY_LENGTH = 16

Kind = Literal["code", "recovery"]


@dataclass(frozen=True, slots=True)
class Factors:
    """What an account has beside its password."""

    authenticator: str
    passkeys: int
    recovery_codes: int

    @property
    def any(self) -> bool:
        """Whether a password alone signs nobody in."""
        return bool(self.authenticator or self.passkeys)


def factors_of(conn: Connection, user: str) -> Factors:
    """What an account has; `authenticator` is since when, empty without one."""
    since = conn.scalar(select(authenticators.c.confirmed).where(authenticators.c.user == user))
    keys = conn.scalar(select(func.count()).where(passkeys.c.user == user))
    left = conn.scalar(
        select(func.count()).where(recovery_codes.c.user == user, recovery_codes.c.used == "")
    )
    return Factors(str(since or ""), int(keys or 0), int(left or 0))


def has_factor(conn: Connection, user: str) -> bool:
    """Whether an account has a second factor."""
    return factors_of(conn, user).any


def begin_authenticator(conn: Connection, user: str, now: datetime) -> str:
    """The new secret for an app, in base32; nothing depends on it until a code confirms it.
    Raises `Refused` where there is an app already.
    """
    if factors_of(conn, user).authenticator:
        raise Refused(phrase("There is an authenticator app already. Take it away first."))
    secret = pyotp.random_base32()
    conn.execute(delete(authenticators).where(authenticators.c.user == user))
    conn.execute(insert(authenticators).values(user=user, secret=secret, created=iso(now)))
    return secret


def waiting_authenticator(conn: Connection, user: str) -> str | None:
    """The secret of an app that has not shown a code yet."""
    return conn.scalar(
        select(authenticators.c.secret).where(
            authenticators.c.user == user, authenticators.c.confirmed == ""
        )
    )


def address_for(secret: str, user: str, site: str) -> str:
    """What the app reads from the picture: an `otpauth:` address."""
    return pyotp.TOTP(secret, interval=STEP_S).provisioning_uri(name=user, issuer_name=site)


def confirm_authenticator(
    conn: Connection, user: str, code: str, session: str, now: datetime
) -> list[str] | None:
    """Take the first code of an app: from now on it is asked for. None for a wrong code.

    Returns new recovery codes where there were none, and signs the person out elsewhere.
    """
    if waiting_authenticator(conn, user) is None or not _code_fits(conn, user, code, now):
        return None
    own = authenticators.c.user == user
    conn.execute(update(authenticators).where(own).values(confirmed=iso(now)))
    return factor_added(conn, user, "authenticator", session, now)


def factor_added(conn: Connection, user: str, kind: str, session: str, now: datetime) -> list[str]:
    """What follows a new factor: a line in the audit, other sessions end, this one has shown it.
    Returns recovery codes where there were none.
    """
    audit.note(conn, "factor.added", user, now, kind=kind)
    end_other_sessions(conn, user, session, now)
    shown = "passkey" if kind == "passkey" else "code"
    alone = sessions.c.way.in_(("password", "setup"))
    conn.execute(update(sessions).where(sessions.c.digest == session, alone).values(way=shown))
    left = factors_of(conn, user).recovery_codes
    return [] if left else new_recovery_codes(conn, user, now)


def new_recovery_codes(conn: Connection, user: str, now: datetime) -> list[str]:
    """Ten new codes in place of those there were; they are shown this once."""
    conn.execute(delete(recovery_codes).where(recovery_codes.c.user == user))
    made = [_recovery_code() for _ in range(RECOVERY_CODES)]
    rows = [
        {"digest": _salted(user, code), "user": user, "created": iso(now), "used": ""}
        for code in made
    ]
    conn.execute(insert(recovery_codes), rows)
    audit.note(conn, "factor.codes_made", user, now)
    return made


def code_is_right(conn: Connection, user: str, given: str, now: datetime) -> Kind | None:
    """Which kind of code this is of theirs, used up by that; None for neither."""
    if app_code_is_right(conn, user, given, now):
        return "code"
    digest = _unused_code(conn, user, given)
    if digest is None:
        return None
    this = recovery_codes.c.digest == digest
    conn.execute(update(recovery_codes).where(this).values(used=iso(now)))
    audit.note(
        conn, "factor.code_used", user, now, user, left=factors_of(conn, user).recovery_codes
    )
    return "recovery"


def app_code_is_right(conn: Connection, user: str, given: str, now: datetime) -> bool:
    """Whether this is a code of their app, used up by that."""
    return _code_fits(conn, user, given, now, confirmed=True)


def remove_authenticator(conn: Connection, user: str, session: str, now: datetime) -> None:
    """Take the app away."""
    gone = conn.execute(delete(authenticators).where(authenticators.c.user == user))
    if gone.rowcount:
        factor_removed(conn, user, "authenticator", session, now)


def factor_removed(conn: Connection, user: str, kind: str, session: str, now: datetime) -> None:
    """What follows where a factor goes: recovery codes go with the last, other sessions end."""
    audit.note(conn, "factor.removed", user, now, kind=kind)
    if not has_factor(conn, user):
        conn.execute(delete(recovery_codes).where(recovery_codes.c.user == user))
    end_other_sessions(conn, user, session, now)


def forget_factors(conn: Connection, user: str, now: datetime) -> None:
    """Take every second factor of somebody away, who then signs in with the password alone."""
    for table in (authenticators, passkeys, recovery_codes):
        conn.execute(delete(table).where(table.c.user == user))
    audit.note(conn, "factor.removed", user, now, kind="all")
    end_other_sessions(conn, user, "", now)


def _code_fits(
    conn: Connection, user: str, given: str, now: datetime, confirmed: bool = False
) -> bool:
    """Whether the app shows this code about now, and it was not taken before: then it is taken."""
    code = "".join(given.split())
    row = conn.execute(select(authenticators).where(authenticators.c.user == user)).first()
    if row is None or (confirmed and not row.confirmed) or not re.fullmatch(r"[0-9]{6}", code):
        return False
    present = int(now.timestamp()) // STEP_S
    app = pyotp.TOTP(str(row.secret), interval=STEP_S)
    near = range(present - EITHER_SIDE, present + EITHER_SIDE + 1)
    shown = [step for step in near if hmac.compare_digest(app.generate_otp(step), code)]
    fresh = [step for step in shown if step > row.last_step]
    if not fresh:
        if shown:
            audit.note(conn, "factor.code_again", user, now)
        return False
    own = authenticators.c.user == user
    conn.execute(update(authenticators).where(own).values(last_step=fresh[0]))
    return True


def _recovery_code() -> str:
    letters = "".join(secrets.choice(_LETTERS) for _ in range(_RECOVERY_LENGTH))
    return "-".join(letters[at : at + 4] for at in range(0, _RECOVERY_LENGTH, 4))


def _unused_code(conn: Connection, user: str, given: str) -> str | None:
    """What is stored of a code of theirs that was not used yet; None where there is none such."""
    unused = recovery_codes.c.user == user, recovery_codes.c.used == ""
    for stored in conn.scalars(select(recovery_codes.c.digest).where(*unused)):
        salt = str(stored).partition("$")[0]
        if hmac.compare_digest(str(stored), _salted(user, given, salt)):
            return str(stored)
    return None


def _salted(user: str, code: str, salt: str = "") -> str:
    """What is stored of a code: a random salt of its own, and the hash under it. With 80 random
    bits it needs no slow hash; the name keeps one account's codes from another's.
    """
    salt = salt or secrets.token_hex(16)
    plain = "".join(each for each in code.upper() if each in _LETTERS)[:_RECOVERY_LENGTH]
    hashed = hashlib.sha256(f"{salt}\0{user}\0{plain}".encode("utf-8", "replace"))
    return f"{salt}${hashed.hexdigest()}"
