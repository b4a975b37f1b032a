"""Why somebody looks, written down: a function of a database connection."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from hub.storage import audit


def keep(conn: Connection, who: str, permission: str, reason: str, now: datetime) -> None:
    """Write down why they use a permission from now on."""
    audit.note(conn, "reason.given", permission, now, who, reason=reason)
