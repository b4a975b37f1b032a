"""The tables of who comes in: accounts, their second factors, sessions, tokens and set-up links.

Of passwords argon2id hashes are kept, of links, sessions and tokens SHA-256 digests, of recovery
codes such digests with a salt each. What makes the codes of an authenticator app has to be kept
as it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, text

from hub.storage.schema import metadata


def _texts(*names: str) -> Iterator[Column[str]]:
    return (Column(name, Text, nullable=False, server_default="") for name in names)


def _of_account() -> Column[str]:
    return Column("user", Text, ForeignKey("users.name", ondelete="CASCADE"), nullable=False)


# `password_hash` is empty where nobody has set a password yet, or a provider answers for them.
# `locked` is since when the account is locked out, `handle` what its passkeys know it by; `issuer`
# and `subject` say whose an account of the school's identity provider is.
users = Table(
    "users",
    metadata,
    Column("name", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("created", Text, nullable=False),
    *_texts("locked", "handle", "issuer", "subject"),
)
Index(
    "ix_users_subject",
    users.c.issuer,
    users.c.subject,
    unique=True,
    sqlite_where=users.c.issuer != "",
)

# `scopes` are the permissions it is narrowed to, apart by spaces; empty for all of the role.
tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("digest", Text, nullable=False, unique=True),
    Column("created", Text, nullable=False),
    Column("revoked", Text),
    *_texts("scopes", "expires", "made_by", "last_used"),
)

# `way` is how they signed in: setup, password, code, recovery, passkey or provider.
sessions = Table(
    "sessions",
    metadata,
    Column("digest", Text, primary_key=True),
    _of_account(),
    Column("csrf", Text, nullable=False),
    Column("created", Text, nullable=False),
    Column("expires", Text, nullable=False),
    Column("revoked", Text),
    *_texts("way", "device", "address", "last_used"),
)

# `user` is whose password the link sets; empty for the link that makes the first account.
setup_links = Table(
    "setup_links",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("created", Text, nullable=False),
    Column("expires", Text, nullable=False),
    Column("used", Text),
    *_texts("user", "made_by"),
)

# Authenticator apps. Until `confirmed` the app has not shown a code yet; `last_step` is the newest
# time step of which a code was taken, so that each works once.
authenticators = Table(
    "authenticators",
    metadata,
    Column("user", Text, ForeignKey("users.name", ondelete="CASCADE"), primary_key=True),
    Column("secret", Text, nullable=False),
    Column("created", Text, nullable=False),
    Column("confirmed", Text, nullable=False, server_default=""),
    Column("last_step", Integer, nullable=False, server_default=text("0")),
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("digest", Text, primary_key=True),
    _of_account(),
    Column("created", Text, nullable=False),
    Column("used", Text, nullable=False, server_default=""),
)
Index("ix_recovery_codes_user", recovery_codes.c.user)

passkeys = Table(
    "passkeys",
    metadata,
    Column("id", Text, primary_key=True),
    _of_account(),
    Column("name", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", Integer, nullable=False),
    Column("created", Text, nullable=False),
    Column("last_used", Text, nullable=False, server_default=""),
)
Index("ix_passkeys_user", passkeys.c.user)
