"""What a case is about, whether it is a drill, where it was merged to or split from.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add to the tables of 0.1.0 what cases know."""
    with op.batch_alter_table("incidents", recreate="always") as incidents:
        incidents.add_column(sa.Column("kind", sa.Text, nullable=False, server_default="other"))
        incidents.add_column(
            sa.Column("drill", sa.Boolean, nullable=False, server_default=sa.text("0"))
        )
        incidents.add_column(sa.Column("merged_into", sa.Text, nullable=False, server_default=""))
        incidents.add_column(sa.Column("split_from", sa.Text, nullable=False, server_default=""))
        incidents.add_column(sa.Column("update_due", sa.Text, nullable=False, server_default=""))
    op.create_index("ix_incidents_merged", "incidents", ["merged_into"])
    op.create_index(
        "ix_incidents_due", "incidents", ["update_due"], sqlite_where=sa.text("update_due != ''")
    )
    _make_receipts()
    _grow_alerts()
    _make_push_subscriptions()


def _make_receipts() -> None:
    """What became of each notice for each person."""
    op.create_table(
        "receipts",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, primary_key=True),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("name", "channel", "alert", "incident", "about")
        ),
        *(
            sa.Column(name, sa.Text, nullable=False, server_default="")
            for name in ("reference", "sent_as", "instead", "held")
        ),
        sa.Column("queued", sa.Text, nullable=False),
        *(
            sa.Column(name, sa.Text)
            for name in ("accepted", "delivered", "seen", "acknowledged", "failed")
        ),
        sa.Column("detail", sa.Text, nullable=False, server_default=""),
    )
    op.create_index("ix_receipts_alert", "receipts", ["alert", "person"])
    op.create_index(
        "ix_receipts_sent_as", "receipts", ["sent_as"], sqlite_where=sa.text("sent_as != ''")
    )
    op.create_index(
        "ix_receipts_reference",
        "receipts",
        ["channel", "reference"],
        sqlite_where=sa.text("reference != ''"),
    )


def _grow_alerts() -> None:
    """Who took an alert on and ended it, its ladder, and rules with too many false alarms."""
    with op.batch_alter_table("alerts", recreate="always") as alerts:
        for name in ("verdict_by", "verdict_time", "verdict_note"):
            alerts.alter_column(name, server_default="")  # else it comes back in brackets
        for name in ("acknowledged_by", "acknowledged_time", "resolved_by", "resolved_time"):
            alerts.add_column(sa.Column(name, sa.Text, nullable=False, server_default=""))
        for name in ("resolved_note", "ladder"):
            alerts.add_column(sa.Column(name, sa.Text, nullable=False, server_default=""))
        alerts.add_column(sa.Column("unheard", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "ladder_steps",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("alert", sa.Text, nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("due", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("finished", sa.Text),
        sa.Column("detail", sa.Text, nullable=False, server_default=""),
    )
    op.create_index(
        "ix_ladder_steps_due", "ladder_steps", ["due"], sqlite_where=sa.text("state = 'waiting'")
    )
    op.create_index("ix_ladder_steps_alert", "ladder_steps", ["alert"])
    op.create_table(
        "demotions",
        sa.Column("rule", sa.Text, primary_key=True),
        sa.Column("camera", sa.Text, primary_key=True),
        sa.Column("since", sa.Text, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("forgiven", sa.Text, nullable=False, server_default=""),
    )


def _make_push_subscriptions() -> None:
    """Browsers in which people asked to be told."""
    op.create_table(
        "push_subscriptions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("notifier", sa.Text, nullable=False),
        sa.Column("user", sa.Text, sa.ForeignKey("users.name", ondelete="CASCADE"), nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("device", "endpoint", "p256dh", "auth", "created")
        ),
    )
    op.create_index("ix_push_subscriptions_user", "push_subscriptions", ["user"])
