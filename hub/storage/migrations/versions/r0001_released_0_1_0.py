"""The tables as 0.1.0 makes them: every journal begins here.

Revision ID: 0001
"""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

TABLES = (
    """CREATE TABLE events (
        seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL,
        type TEXT NOT NULL,
        source TEXT NOT NULL,
        subject TEXT NOT NULL,
        time TEXT NOT NULL,
        received TEXT NOT NULL,
        data TEXT NOT NULL,
        UNIQUE (id)
    )""",
    """CREATE TABLE incidents (
        id TEXT NOT NULL,
        title TEXT NOT NULL,
        severity TEXT NOT NULL,
        state TEXT NOT NULL,
        place TEXT NOT NULL,
        opened TEXT NOT NULL,
        updated TEXT NOT NULL,
        PRIMARY KEY (id)
    )""",
    "CREATE INDEX ix_incidents_open ON incidents (updated) WHERE state = 'open'",
    """CREATE TABLE alerts (
        id TEXT NOT NULL,
        rule TEXT NOT NULL,
        scope TEXT NOT NULL,
        title TEXT NOT NULL,
        severity TEXT NOT NULL,
        state TEXT NOT NULL,
        place TEXT NOT NULL,
        camera TEXT NOT NULL,
        door TEXT NOT NULL,
        event TEXT NOT NULL,
        opened TEXT NOT NULL,
        updated TEXT NOT NULL,
        announced TEXT NOT NULL,
        count INTEGER NOT NULL,
        incident TEXT NOT NULL,
        picture TEXT,
        box TEXT,
        frame_size TEXT,
        matched TEXT NOT NULL,
        label TEXT NOT NULL,
        score FLOAT,
        guessing BOOLEAN NOT NULL,
        could_be TEXT NOT NULL,
        "plan" TEXT NOT NULL,
        verdict_by TEXT DEFAULT '' NOT NULL,
        verdict_time TEXT DEFAULT '' NOT NULL,
        verdict_note TEXT DEFAULT '' NOT NULL,
        PRIMARY KEY (id)
    )""",
    "CREATE INDEX ix_alerts_incident ON alerts (incident)",
    "CREATE INDEX ix_alerts_scope ON alerts (rule, scope, state)",
    "CREATE INDEX ix_alerts_state ON alerts (state, opened)",
    """CREATE TABLE actions (
        id INTEGER NOT NULL,
        "key" TEXT NOT NULL,
        lane TEXT NOT NULL,
        kind TEXT NOT NULL,
        target TEXT NOT NULL,
        what TEXT NOT NULL,
        payload TEXT NOT NULL,
        alert TEXT NOT NULL,
        incident TEXT NOT NULL,
        created TEXT NOT NULL,
        due TEXT NOT NULL,
        deadline_s FLOAT NOT NULL,
        expires TEXT NOT NULL,
        attempts INTEGER DEFAULT 0 NOT NULL,
        state TEXT NOT NULL,
        stop TEXT DEFAULT '' NOT NULL,
        detail TEXT DEFAULT '' NOT NULL,
        started TEXT,
        finished TEXT,
        PRIMARY KEY (id),
        UNIQUE ("key")
    )""",
    "CREATE INDEX ix_actions_incident ON actions (incident)",
    "CREATE INDEX ix_actions_alert ON actions (alert)",
    "CREATE INDEX ix_actions_pending ON actions (lane, due) WHERE state = 'pending'",
    "CREATE INDEX ix_actions_target ON actions (kind, target)",
    """CREATE TABLE users (
        name TEXT NOT NULL,
        role TEXT NOT NULL,
        password_hash TEXT NOT NULL,
        created TEXT NOT NULL,
        PRIMARY KEY (name)
    )""",
    """CREATE TABLE tokens (
        id TEXT NOT NULL,
        name TEXT NOT NULL,
        role TEXT NOT NULL,
        digest TEXT NOT NULL,
        created TEXT NOT NULL,
        revoked TEXT,
        PRIMARY KEY (id),
        UNIQUE (name),
        UNIQUE (digest)
    )""",
    """CREATE TABLE setup_links (
        digest TEXT NOT NULL,
        created TEXT NOT NULL,
        expires TEXT NOT NULL,
        used TEXT,
        PRIMARY KEY (digest)
    )""",
    """CREATE TABLE meta (
        "key" TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY ("key")
    )""",
    """CREATE TABLE incident_entries (
        id INTEGER NOT NULL,
        incident TEXT NOT NULL,
        event TEXT NOT NULL,
        time TEXT NOT NULL,
        received TEXT NOT NULL,
        source TEXT NOT NULL,
        type TEXT NOT NULL,
        text TEXT NOT NULL,
        tone TEXT NOT NULL,
        picture TEXT,
        data TEXT NOT NULL,
        PRIMARY KEY (id),
        FOREIGN KEY(incident) REFERENCES incidents (id)
    )""",
    "CREATE INDEX ix_entries_story ON incident_entries (incident, time)",
    """CREATE TABLE sessions (
        digest TEXT NOT NULL,
        user TEXT NOT NULL,
        csrf TEXT NOT NULL,
        created TEXT NOT NULL,
        expires TEXT NOT NULL,
        revoked TEXT,
        PRIMARY KEY (digest),
        FOREIGN KEY(user) REFERENCES users (name) ON DELETE CASCADE
    )""",
)


def upgrade() -> None:
    """Make the tables of 0.1.0."""
    for statement in TABLES:
        op.execute(statement)
