"""The tables of planned drills, and of what people saw in drills."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Boolean, Column, Index, Integer, Table, Text, text

from hub.storage.schema import metadata


def _texts(*names: str) -> Iterator[Column[str]]:
    return (Column(name, Text, nullable=False, server_default="") for name in names)


# A drill that is planned for a moment (`due`); `run` is the one that somebody has started for it.
# `off` is since when it is called off, `missed` since when that was told, `reminded` how many
# seconds before it people were reminded last (0 while nobody was).
drill_plans = Table(
    "drill_plans",
    metadata,
    Column("id", Text, primary_key=True),
    *(Column(name, Text, nullable=False) for name in ("protocol", "area", "due")),
    *(Column(name, Text, nullable=False) for name in ("planned", "planned_by")),
    *(Column(name, Boolean, nullable=False) for name in ("doors_real", "announce")),
    Column("reminded", Integer, nullable=False, server_default=text("0")),
    *_texts("leader", "note", "run", "missed", "off", "off_by", "off_why", "key"),
)
Index("ix_drill_plans_due", drill_plans.c.due)
Index("ix_drill_plans_run", drill_plans.c.run, sqlite_where=drill_plans.c.run != "")

# What somebody saw in a drill: `answers` is a JSON object, one answer for each question.
drill_evaluations = Table(
    "drill_evaluations",
    metadata,
    *(Column(name, Text, primary_key=True) for name in ("run", "by")),
    *(Column(name, Text, nullable=False) for name in ("time", "answers")),
    Column("counts", Boolean, nullable=False),
    *_texts("text"),
)
