"""What of the media folder is still needed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import insert

from hub.clock import iso
from hub.storage.journal import Journal
from hub.storage.media import needed_pictures
from hub.storage.schema import incident_entries, incidents


async def test_pictures_of_an_incident_are_needed_and_others_are_not(tmp_path: Path) -> None:
    """A picture that a story shows must never be tidied away."""
    journal = Journal(tmp_path / "journal.db")
    await journal.open()
    now = iso(datetime(2026, 3, 2, tzinfo=UTC))
    incident = {
        "id": "i", "title": "t", "severity": "high", "state": "open", "place": "p",
        "opened": now, "updated": now,
    }  # fmt: skip
    entry = {
        "incident": "i", "event": "e", "time": now, "received": now, "source": "s",
        "type": "picture.saved", "text": "t", "tone": "neutral", "picture": "a.jpg", "data": "{}",
    }  # fmt: skip
    await journal.write(lambda c: c.execute(insert(incidents), incident) and None)
    await journal.write(
        lambda c: c.execute(insert(incident_entries), [entry, entry | {"picture": None}]) and None
    )
    assert await journal.read(needed_pictures) == {"a.jpg"}
    await journal.close()
