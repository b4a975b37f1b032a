"""The table of what was measured, minute by minute, for the pictures over time."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table, Text

from hub.storage.schema import metadata

# `minutes` is how long a row stands for: each minute for a day, and the mean of ten for a week.
# `body` is JSON: `hub` and, by camera, `cameras`, each with numbers by name.
samples = Table(
    "samples",
    metadata,
    Column("minutes", Integer, primary_key=True),
    Column("time", Text, primary_key=True),
    Column("body", Text, nullable=False),
)
