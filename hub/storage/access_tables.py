"""The tables of links for guests, and of glass that was broken."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Table, Text

from hub.storage.schema import metadata

# A link for responders, by the digest of its secret: what its guests see, until when.
# `cameras` is a JSON list. `revoked` is empty while nobody has ended it.
guests = Table(
    "guests",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
    *(Column(name, Text, nullable=False) for name in ("name", "area", "incident", "cameras")),
    *(Column(name, Text, nullable=False) for name in ("created", "created_by", "expires")),
    *(Column(name, Text, nullable=False, server_default="") for name in ("revoked", "revoked_by")),
)
Index("ix_guests_expires", guests.c.expires)

# The devices on which a link was opened, each by the digest of what its browser keeps.
guest_devices = Table(
    "guest_devices",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("guest", Text, ForeignKey("guests.id", ondelete="CASCADE"), nullable=False),
    *(Column(name, Text, nullable=False) for name in ("device", "address", "opened")),
)
Index("ix_guest_devices_guest", guest_devices.c.guest)

# Who broke the glass in which session: what they may meanwhile (a JSON list), why, until when.
# `ended` is empty while it lasts, and until somebody has written down that its time is over.
broken_glass = Table(
    "broken_glass",
    metadata,
    Column("id", Text, primary_key=True),
    *(Column(name, Text, nullable=False) for name in ("session", "user", "role", "permissions")),
    *(Column(name, Text, nullable=False) for name in ("reason", "since", "until")),
    *(Column(name, Text, nullable=False, server_default="") for name in ("ended", "ended_by")),
)
Index("ix_broken_glass_open", broken_glass.c.until, sqlite_where=broken_glass.c.ended == "")
