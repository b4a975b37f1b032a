"""Which kept pictures the journal still needs."""

from __future__ import annotations

from sqlalchemy import Connection, select, union

from hub.storage.schema import alerts, incident_entries


def needed_pictures(connection: Connection) -> set[str]:
    """The media names that an alert or an incident's story shows."""
    shown = union(
        select(alerts.c.picture).where(alerts.c.picture.is_not(None)),
        select(incident_entries.c.picture).where(incident_entries.c.picture.is_not(None)),
    )
    return set(connection.scalars(shown))
