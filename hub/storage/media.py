"""Which kept pictures the journal still needs, and whether they are as they were taken."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, select, union

from hub.storage.schema import alerts, incident_entries

PictureState = Literal["kept", "changed", "gone"]
DIGITS = 64  # of a SHA-256; names with fewer were given by older versions and say nothing


def state_of(file: Path | None) -> PictureState:
    """What became of a kept picture, whose name is the SHA-256 of what was taken; blocks."""
    try:
        said = "" if file is None else hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return "gone"
    if file is None:
        return "gone"
    return "kept" if len(file.stem) != DIGITS or file.stem == said else "changed"


def needed_pictures(connection: Connection) -> set[str]:
    """The media names that an alert or an incident's story shows."""
    shown = union(
        select(alerts.c.picture).where(alerts.c.picture.is_not(None)),
        select(incident_entries.c.picture).where(incident_entries.c.picture.is_not(None)),
    )
    return set(connection.scalars(shown))
