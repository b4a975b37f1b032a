"""The tables of the audit. Lines can be added, and neither changed nor taken out."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Connection, Index, Integer, Table, Text, event, text

from hub.storage.schema import metadata

# One act each. `hash` covers the line and the hash before it (`hub.storage.audit`); `details` is
# canonical JSON; `event` is the event of the journal that the line tells of, empty without one.
lines = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True),
    *(
        Column(name, Text, nullable=False)
        for name in ("time", "who", "address", "act", "subject", "outcome", "details")
    ),
    *(Column(name, Text, nullable=False) for name in ("previous", "hash", "event")),
)
Index("ix_audit_event", lines.c.event, unique=True, sqlite_where=lines.c.event != "")
Index("ix_audit_time", lines.c.time)

# The lines that tell an account's owner what changed in how they sign in. A query has to say it in
# the same words for the index to be used.
OF_SIGNING_IN = (
    "act IN ('account.browser_added', 'account.changed', 'account.changes_seen', "
    "'account.link_made', 'account.locked', 'account.password_set', 'account.unlocked', "
    "'factor.added', 'factor.code_again', 'factor.code_used', 'factor.codes_made', "
    "'factor.removed')"
)
Index("ix_audit_signing_in", lines.c.subject, lines.c.number, sqlite_where=text(OF_SIGNING_IN))


@event.listens_for(lines, "after_create")
def _keep(table: Table, connection: Connection, **more: Any) -> None:
    """Nobody changes a line, nor takes one out, whatever asks."""
    for verb, words in (("UPDATE", "changed"), ("DELETE", "taken out")):
        connection.exec_driver_sql(
            f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit "
            f"BEGIN SELECT RAISE(ABORT, 'no line of the audit is {words}'); END"
        )


# The newest signature of each day over the end of the chain as it was then.
heads = Table(
    "audit_heads",
    metadata,
    Column("number", Integer, primary_key=True),
    *(Column(name, Text, nullable=False) for name in ("hash", "time", "key", "signature")),
)

# Who is looking at pictures now: one row from the first picture until the line is written. `glass`
# is set where they look because they have broken the glass.
looks = Table(
    "audit_looks",
    metadata,
    Column("id", Text, primary_key=True),
    *(Column(name, Text, nullable=False) for name in ("who", "address", "act", "subject")),
    *(Column(name, Text, nullable=False) for name in ("since", "until")),
    Column("pictures", Integer, nullable=False),
    Column("glass", Text, nullable=False, server_default=""),
)
