"""The console: who comes in, who may, what was asked twice, what is drawn over time.

Revision ID: 0005
"""

from __future__ import annotations

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the tables of the console."""
