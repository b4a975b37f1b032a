"""Which camera took a kept picture."""

from __future__ import annotations

import json

from sqlalchemy import Connection, select

from hub.storage.schema import alerts, incident_entries


def taken_by(connection: Connection, picture: str) -> str:
    """The camera of a kept picture; empty where no alert and no story has it."""
    by_alert = select(alerts.c.camera).where(alerts.c.picture == picture, alerts.c.camera != "")
    if (camera := connection.scalar(by_alert.limit(1))) is not None:
        return str(camera)
    story = select(incident_entries.c.data).where(incident_entries.c.picture == picture)
    data = connection.scalar(story.limit(1))
    camera = json.loads(data).get("camera") if data else None
    return camera if isinstance(camera, str) else ""
