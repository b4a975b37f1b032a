"""Passkeys (W3C Web Authentication): making one, and signing in with it.

A passkey belongs to one host name; browsers offer it there alone, over HTTPS or on localhost.
It stands for two factors at once: the device, and the finger, face or PIN that opens it. Therefore
user verification is always required. No attestation is asked for: which make it is matters to no
school, and would tell of the person.
"""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from hub.clock import iso
from hub.errors import Refused
from hub.identity.accounts import clean_name
from hub.identity.factors import factor_added, factor_removed
from hub.phrases import phrase
from hub.storage.identity_tables import passkeys, users

MOST = 10  # of one account


@dataclass(frozen=True, slots=True)
class Site:
    """Where the browser is: `https://safety.school.example`, and the host name of it."""

    origin: str
    host: str
    name: str


@dataclass(frozen=True, slots=True)
class Passkey:
    """What is kept of a passkey."""

    id: str
    user: str
    name: str
    host: str
    public_key: bytes
    sign_count: int
    created: str
    last_used: str


@dataclass(frozen=True, slots=True)
class Made:
    """A new passkey, proven to be of this site."""

    id: str
    public_key: bytes
    sign_count: int


def passkeys_of(conn: Connection, user: str) -> list[Passkey]:
    """The passkeys of an account, oldest first."""
    found = select(passkeys).where(passkeys.c.user == user).order_by(passkeys.c.created)
    return [_passkey(row) for row in conn.execute(found)]


def passkey(conn: Connection, id_: str) -> Passkey | None:
    """One passkey by its credential id."""
    row = conn.execute(select(passkeys).where(passkeys.c.id == id_)).first()
    return None if row is None else _passkey(row)


def _passkey(row: Any) -> Passkey:
    return Passkey(**{name: row._mapping[name] for name in Passkey.__slots__})


def handle_of(conn: Connection, user: str) -> bytes:
    """What an account's passkeys know it by: random, so that nothing can be read from it."""
    known = conn.scalar(select(users.c.handle).where(users.c.name == user))
    if known is None:
        raise Refused(phrase("Only an account has passkeys."))
    if known:
        return bytes.fromhex(str(known))
    made = secrets.token_bytes(32)
    conn.execute(update(users).where(users.c.name == user).values(handle=made.hex()))
    return made


def to_make_one(site: Site, user: str, handle: bytes, others: list[Passkey]) -> tuple[str, str]:
    """What the browser is given to make a passkey, as JSON, and the challenge within."""
    from webauthn import generate_registration_options, options_to_json
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        PublicKeyCredentialDescriptor,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    options = generate_registration_options(
        rp_id=site.host,
        rp_name=site.name,
        user_id=handle,
        user_name=user,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=_bytes(each.id)) for each in others],
    )
    return options_to_json(options), _text(options.challenge)


def to_sign_in(site: Site) -> tuple[str, str]:
    """What the browser is given to sign in with any passkey of this site, and the challenge."""
    from webauthn import generate_authentication_options, options_to_json
    from webauthn.helpers.structs import UserVerificationRequirement

    verified = UserVerificationRequirement.REQUIRED
    options = generate_authentication_options(rp_id=site.host, user_verification=verified)
    return options_to_json(options), _text(options.challenge)


def challenge_in(credential: dict[str, Any]) -> str:
    """The challenge that an answer says it answers; empty where it cannot be read."""
    try:
        told = json.loads(_bytes(credential["response"]["clientDataJSON"]))["challenge"]
    except Exception:  # what strangers send may break any parser
        return ""
    return told if isinstance(told, str) else ""


def made_here(site: Site, credential: dict[str, Any], challenge: str) -> Made:
    """Look whether a new passkey answers our challenge, for this site. Raises `Refused`."""
    from webauthn import verify_registration_response

    try:
        proven = verify_registration_response(
            credential=json.dumps(credential),
            expected_challenge=_bytes(challenge),
            expected_rp_id=site.host,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except Exception as error:  # what strangers send may break any parser
        raise Refused(phrase("That passkey could not be read, or is for another site.")) from error
    return Made(_text(proven.credential_id), proven.credential_public_key, proven.sign_count)


def signed_by(site: Site, key: Passkey, credential: dict[str, Any], challenge: str) -> int:
    """Look whether an answer is signed by this passkey; returns how often that says it was used.

    Raises `Refused`, also where it was used less often than before: then there is a copy of it.
    """
    from webauthn import verify_authentication_response

    if key.host != site.host:
        raise Refused(phrase("That passkey is for another site."))
    try:
        proven = verify_authentication_response(
            credential=json.dumps(credential),
            expected_challenge=_bytes(challenge),
            expected_rp_id=site.host,
            expected_origin=site.origin,
            credential_public_key=key.public_key,
            credential_current_sign_count=key.sign_count,
            require_user_verification=True,
        )
    except Exception as error:  # what strangers send may break any parser
        raise Refused(phrase("That passkey was not accepted.")) from error
    return int(proven.new_sign_count)


def keep(
    conn: Connection, user: str, made: Made, name: str, host: str, session: str, now: datetime
) -> list[str]:
    """Keep a new passkey; returns recovery codes where there were none. Raises `Refused`."""
    clean = clean_name(name)
    has = conn.scalar(select(func.count()).where(passkeys.c.user == user)) or 0
    if has >= MOST:
        raise Refused(phrase("You have %(most)s passkeys already. Take one away first.", most=MOST))
    if passkey(conn, made.id) is not None:
        raise Refused(phrase("This passkey is known already."))
    conn.execute(
        insert(passkeys).values(
            id=made.id,
            user=user,
            name=clean,
            host=host,
            public_key=made.public_key,
            sign_count=made.sign_count,
            created=iso(now),
        )
    )
    return factor_added(conn, user, "passkey", session, now)


def used(conn: Connection, key: Passkey, sign_count: int, now: datetime) -> bool:
    """Note that a passkey was used; false where another answer of it came in between."""
    own = passkeys.c.id == key.id, passkeys.c.sign_count == key.sign_count
    values = {"sign_count": sign_count, "last_used": iso(now)}
    return bool(conn.execute(update(passkeys).where(*own).values(**values)).rowcount)


def remove(conn: Connection, user: str, id_: str, session: str, now: datetime) -> None:
    """Take a passkey away. Raises `KeyError` where the account has none by this id."""
    gone = conn.execute(delete(passkeys).where(passkeys.c.id == id_, passkeys.c.user == user))
    if not gone.rowcount:
        raise KeyError(id_)
    factor_removed(conn, user, "passkey", session, now)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
