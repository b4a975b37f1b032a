"""The table of what people chose for the pages that they read."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Table, Text

from hub.storage.schema import metadata

# `language` is the code of one that the console speaks. No row: as the browser asks.
readers = Table(
    "readers",
    metadata,
    Column("user", Text, ForeignKey("users.name", ondelete="CASCADE"), primary_key=True),
    Column("language", Text, nullable=False),
)
