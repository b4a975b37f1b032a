"""What is wanted of doors, and by whom.

Revision ID: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add what doors and protocols keep."""
    _make_door_intents()
    _make_protocols()
    _make_devices()


def _make_door_intents() -> None:
    """What somebody wants of a door, while they do."""
    op.create_table(
        "door_intents",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("door", sa.Text, nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("owner_kind", "owner", "asked_by", "verb", "reason", "since")
        ),
        *(
            sa.Column(name, sa.Text, nullable=False, server_default="")
            for name in ("expires", "ended", "ended_why", "differs", "given_up")
        ),
        *(
            sa.Column(name, sa.Text, nullable=False, server_default="")
            for name in ("alert", "incident")
        ),
        sa.Column("drill", sa.Boolean, nullable=False, server_default=sa.text("0")),
    )
    op.create_index(
        "ix_door_intents_held", "door_intents", ["door"], sqlite_where=sa.text("ended = ''")
    )
    op.create_index("ix_door_intents_owner", "door_intents", ["owner_kind", "owner"])


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False, server_default="") for name in names]


def _filled(*names: str, primary_key: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False, primary_key=primary_key) for name in names]


def _make_protocols() -> None:
    """Protocols that were started, and how far each of their doors is."""
    op.create_table(
        "protocol_runs",
        sa.Column("id", sa.Text, primary_key=True),
        *_filled("protocol", "area", "started"),
        *(sa.Column(name, sa.Boolean, nullable=False) for name in ("drill", "doors_real")),
        sa.Column("announce", sa.Boolean, nullable=False),
        *_filled("plan"),
        *_texts("started_by", "device", "key", "reason", "hazard", "over", "alert", "incident"),
        *_texts("asked_by", "asked", "ended", "ended_by", "decide_by", "decision", "told"),
    )
    op.create_index(
        "ix_protocol_runs_in_force",
        "protocol_runs",
        ["started"],
        sqlite_where=sa.text("ended = ''"),
    )
    op.create_index(
        "ix_protocol_runs_key", "protocol_runs", ["key"], sqlite_where=sa.text("key != ''")
    )
    op.create_table(
        "protocol_doors",
        *_filled("run", "phase", "door", primary_key=True),
        *_filled("verb", "state", "since"),
        sa.Column("tries", sa.Integer, nullable=False, server_default=sa.text("0")),
        *_texts("detail", "settled"),
    )
    op.create_index("ix_protocol_doors_door", "protocol_doors", ["door"])
    op.create_table(
        "protocol_duress",
        *_filled("run", "viewer", primary_key=True),
        *_filled("by", "time", "event"),
    )


def _make_devices() -> None:
    """Devices that may start protocols, and the PINs of those who may end them."""
    op.create_table(
        "devices",
        sa.Column("id", sa.Text, primary_key=True),
        *_filled("name", "place"),
        sa.Column("digest", sa.Text, nullable=False, unique=True),
        *_filled("created", "enrolled_by"),
        *(sa.Column(name, sa.Text) for name in ("last_used", "revoked")),
    )
    op.create_table(
        "pins",
        sa.Column(
            "user", sa.Text, sa.ForeignKey("users.name", ondelete="CASCADE"), primary_key=True
        ),
        *_filled("pin_hash", "duress_hash", "changed"),
    )
