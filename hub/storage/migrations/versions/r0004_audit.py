"""The audit: who looked, took away, opened and changed.

Revision ID: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def _filled(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def upgrade() -> None:
    """Add the chain, the signatures over its end, and who is looking now."""
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer, primary_key=True),
        *_filled("time", "who", "address", "act", "subject", "outcome", "details"),
        *_filled("previous", "hash", "event"),
    )
    op.create_index(
        "ix_audit_event", "audit", ["event"], unique=True, sqlite_where=sa.text("event != ''")
    )
    op.create_index("ix_audit_time", "audit", ["time"])
    op.execute(
        "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit "
        "BEGIN SELECT RAISE(ABORT, 'no line of the audit is changed'); END"
    )
    op.execute(
        "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit "
        "BEGIN SELECT RAISE(ABORT, 'no line of the audit is taken out'); END"
    )
    op.create_table(
        "audit_heads",
        sa.Column("number", sa.Integer, primary_key=True),
        *_filled("hash", "time", "key", "signature"),
    )
    op.create_table(
        "audit_looks",
        sa.Column("id", sa.Text, primary_key=True),
        *_filled("who", "address", "act", "subject", "since", "until"),
        sa.Column("pictures", sa.Integer, nullable=False),
    )
