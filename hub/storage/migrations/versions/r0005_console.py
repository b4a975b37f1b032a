"""The console: who comes in, who may, what was asked twice, what is drawn over time.

Revision ID: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the tables of the console."""
    _coming_in()
    _reading()
    _access()
    _once()
    _samples()
    _firings()
    _signing_in()
    _drills()
    _together()


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False, server_default="") for name in names]


def _of_account(primary: bool = False) -> sa.Column[str]:
    owner = sa.ForeignKey("users.name", ondelete="CASCADE")
    return sa.Column("user", sa.Text, owner, primary_key=primary, nullable=False)


def _coming_in() -> None:
    """Accounts that are locked or a provider's, second factors, sessions that say whence."""
    added = {
        "users": ("locked", "handle", "issuer", "subject"),
        "tokens": ("scopes", "expires", "made_by", "last_used"),
        "sessions": ("way", "device", "address", "last_used"),
        "setup_links": ("user", "made_by"),
    }
    for table, names in added.items():
        for column in _texts(*names):
            op.add_column(table, column)
    op.create_index(
        "ix_users_subject",
        "users",
        ["issuer", "subject"],
        unique=True,
        sqlite_where=sa.text("issuer != ''"),
    )
    op.create_table(
        "authenticators",
        _of_account(primary=True),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("created", sa.Text, nullable=False),
        *_texts("confirmed"),
        sa.Column("last_step", sa.Integer, nullable=False, server_default=sa.text("0")),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("digest", sa.Text, primary_key=True),
        _of_account(),
        sa.Column("created", sa.Text, nullable=False),
        *_texts("used"),
    )
    op.create_index("ix_recovery_codes_user", "recovery_codes", ["user"])
    op.create_table(
        "passkeys",
        sa.Column("id", sa.Text, primary_key=True),
        _of_account(),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("public_key", sa.LargeBinary, nullable=False),
        sa.Column("sign_count", sa.Integer, nullable=False),
        sa.Column("created", sa.Text, nullable=False),
        *_texts("last_used"),
    )
    op.create_index("ix_passkeys_user", "passkeys", ["user"])


def _signing_in() -> None:
    """An account's lines of the audit about how its owner signs in are found at once."""
    op.create_index(
        "ix_audit_signing_in",
        "audit",
        ["subject", "number"],
        sqlite_where=sa.text(
            "act IN ('account.browser_added', 'account.changed', 'account.changes_seen', "
            "'account.link_made', 'account.locked', 'account.password_set', 'account.unlocked', "
            "'factor.added', 'factor.code_again', 'factor.code_used', 'factor.codes_made', "
            "'factor.removed')"
        ),
    )


def _reading() -> None:
    """Which language an account reads the pages in."""
    op.create_table(
        "readers",
        _of_account(primary=True),
        sa.Column("language", sa.Text, nullable=False),
    )


def _once() -> None:
    """What programs asked for under a key of their own."""
    op.create_table(
        "once",
        sa.Column("id", sa.Integer, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("sender", "key", "content")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("time", "note")),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.UniqueConstraint("sender", "key"),
    )
    op.create_index("ix_once_time", "once", ["time"])


def _access() -> None:
    """Links for guests with the devices they were opened on, and glass that was broken."""
    filled = ("name", "area", "incident", "cameras", "created", "created_by", "expires")
    op.create_table(
        "guests",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False, unique=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in filled),
        *_texts("revoked", "revoked_by"),
    )
    op.create_index("ix_guests_expires", "guests", ["expires"])
    op.create_table(
        "guest_devices",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("guest", sa.Text, sa.ForeignKey("guests.id", ondelete="CASCADE"), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("device", "address", "opened")),
    )
    op.create_index("ix_guest_devices_guest", "guest_devices", ["guest"])
    filled = ("session", "user", "role", "permissions", "reason", "since", "until")
    op.create_table(
        "broken_glass",
        sa.Column("id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in filled),
        *_texts("ended", "ended_by"),
    )
    op.create_index(
        "ix_broken_glass_open", "broken_glass", ["until"], sqlite_where=sa.text("ended = ''")
    )
    for column in _texts("glass"):
        op.add_column("audit_looks", column)


def _samples() -> None:
    """What is measured each minute, for the pictures over time."""
    op.create_table(
        "samples",
        sa.Column("minutes", sa.Integer, primary_key=True),
        sa.Column("time", sa.Text, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )


def _firings() -> None:
    """When each rule fired, found without going through all events."""
    op.create_index(
        "ix_events_fired",
        "events",
        ["subject", "received"],
        sqlite_where=sa.text("type = 'rule.fired'"),
    )


def _drills() -> None:
    """Drills that are planned, and what people saw in drills."""
    filled = ("protocol", "area", "due", "planned", "planned_by")
    op.create_table(
        "drill_plans",
        sa.Column("id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in filled),
        *(sa.Column(name, sa.Boolean, nullable=False) for name in ("doors_real", "announce")),
        sa.Column("reminded", sa.Integer, nullable=False, server_default=sa.text("0")),
        *_texts("leader", "note", "run", "missed", "off", "off_by", "off_why", "key"),
    )
    op.create_index("ix_drill_plans_due", "drill_plans", ["due"])
    op.create_index("ix_drill_plans_run", "drill_plans", ["run"], sqlite_where=sa.text("run != ''"))
    op.create_table(
        "drill_evaluations",
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("run", "by")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("time", "answers")),
        sa.Column("counts", sa.Boolean, nullable=False),
        *_texts("text"),
    )


def _together() -> None:
    """What one alert tells of many cameras or doors, and when people are owed a word on it."""
    for column in _texts("together", "owed"):
        op.add_column("alerts", column)
    for name, by in (("together", "state"), ("owed", "owed")):
        op.create_index(f"ix_alerts_{name}", "alerts", [by], sqlite_where=sa.text(f"{name} != ''"))
