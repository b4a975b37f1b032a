"""The tables of the journal, and the version their shape carries.

Times are RFC 3339 text in UTC with milliseconds (`hub.clock.iso`), so that they sort as text.
Columns named `data`, `payload`, `matched`, `box`, `frame_size` and `plan` hold JSON text.

The version is SQLite's `user_version`. Whoever changes a table adds one to `SCHEMA_VERSION` and a
step to `hub.storage.migrations` that makes the same change in journals that exist.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)

from hub.errors import StateError

SCHEMA_VERSION = 5

metadata = MetaData()

events = Table(
    "events",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("time", Text, nullable=False),
    Column("received", Text, nullable=False),
    Column("data", Text, nullable=False),
    sqlite_autoincrement=True,
)
Index(
    "ix_events_fired",
    events.c.subject,
    events.c.received,
    sqlite_where=events.c.type == "rule.fired",
)

# `update_due` is when people expect the next situation update; empty where nobody does.
incidents = Table(
    "incidents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("opened", Text, nullable=False),
    Column("updated", Text, nullable=False),
    Column("kind", Text, nullable=False, server_default="other"),
    Column("drill", Boolean, nullable=False, server_default=text("0")),
    Column("merged_into", Text, nullable=False, server_default=""),
    Column("split_from", Text, nullable=False, server_default=""),
    Column("update_due", Text, nullable=False, server_default=""),
)
Index("ix_incidents_open", incidents.c.updated, sqlite_where=incidents.c.state == "open")
Index("ix_incidents_merged", incidents.c.merged_into)
Index("ix_incidents_due", incidents.c.update_due, sqlite_where=incidents.c.update_due != "")

incident_entries = Table(
    "incident_entries",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("incident", Text, ForeignKey("incidents.id"), nullable=False),
    Column("event", Text, nullable=False),
    Column("time", Text, nullable=False),
    Column("received", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("tone", Text, nullable=False),
    Column("picture", Text),
    Column("data", Text, nullable=False),
)
Index("ix_entries_story", incident_entries.c.incident, incident_entries.c.time)

# `scope` is what a further match must share to join the alert: a place, a door or a camera.
# `announced` is when the alert was last spoken of in an event, so that joining does not flood.
# `plan` is what verifying will do, fixed when the alert was raised: what people read is what runs.
# `ladder` is the escalation that was fixed then, as JSON: its name, and whom each of `ladder_steps`
# tells. `unheard` is since when it stands in the journal that nobody has received the alert.
alerts = Table(
    "alerts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("camera", Text, nullable=False),
    Column("door", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("opened", Text, nullable=False),
    Column("updated", Text, nullable=False),
    Column("announced", Text, nullable=False),
    Column("count", Integer, nullable=False),
    Column("incident", Text, nullable=False),
    Column("picture", Text),
    Column("box", Text),
    Column("frame_size", Text),
    Column("matched", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("score", Float),
    Column("guessing", Boolean, nullable=False),
    Column("could_be", Text, nullable=False),
    Column("plan", Text, nullable=False),
    Column("verdict_by", Text, nullable=False, server_default=""),
    Column("verdict_time", Text, nullable=False, server_default=""),
    Column("verdict_note", Text, nullable=False, server_default=""),
    Column("acknowledged_by", Text, nullable=False, server_default=""),
    Column("acknowledged_time", Text, nullable=False, server_default=""),
    Column("resolved_by", Text, nullable=False, server_default=""),
    Column("resolved_time", Text, nullable=False, server_default=""),
    Column("resolved_note", Text, nullable=False, server_default=""),
    Column("ladder", Text, nullable=False, server_default=""),
    Column("unheard", Text, nullable=False, server_default=""),
    Column("together", Text, nullable=False, server_default=""),
    Column("owed", Text, nullable=False, server_default=""),
)
Index("ix_alerts_together", alerts.c.state, sqlite_where=alerts.c.together != "")
Index("ix_alerts_owed", alerts.c.owed, sqlite_where=alerts.c.owed != "")
Index("ix_alerts_scope", alerts.c.rule, alerts.c.scope, alerts.c.state)
Index("ix_alerts_state", alerts.c.state, alerts.c.opened)
Index("ix_alerts_incident", alerts.c.incident)

# The outbox. `started` is set while an attempt runs and empty otherwise, so that a pending action
# with `started` after a restart is one whose outcome nobody knows. `stop` asks that no further
# attempt be made once the present one ends.
actions = Table(
    "actions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("key", Text, nullable=False, unique=True),
    Column("lane", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("alert", Text, nullable=False),
    Column("incident", Text, nullable=False),
    Column("created", Text, nullable=False),
    Column("due", Text, nullable=False),
    Column("deadline_s", Float, nullable=False),
    Column("expires", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("state", Text, nullable=False),
    Column("stop", Text, nullable=False, server_default=""),
    Column("detail", Text, nullable=False, server_default=""),
    Column("started", Text),
    Column("finished", Text),
)
Index(
    "ix_actions_pending",
    actions.c.lane,
    actions.c.due,
    sqlite_where=actions.c.state == "pending",
)
Index("ix_actions_alert", actions.c.alert)
Index("ix_actions_incident", actions.c.incident)
Index("ix_actions_target", actions.c.kind, actions.c.target)

meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# What became of a notice for each person it was written for; `person` is empty where a channel
# spreads it to whomever it reaches. `held` says until when it is kept back, `sent_as` is the notice
# that told it in the end, `instead` the notice that went another way, `reference` what the provider
# calls it.
receipts = Table(
    "receipts",
    metadata,
    Column("key", Text, primary_key=True),
    Column("person", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("alert", Text, nullable=False),
    Column("incident", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("reference", Text, nullable=False, server_default=""),
    Column("sent_as", Text, nullable=False, server_default=""),
    Column("instead", Text, nullable=False, server_default=""),
    Column("held", Text, nullable=False, server_default=""),
    Column("queued", Text, nullable=False),
    Column("accepted", Text),
    Column("delivered", Text),
    Column("seen", Text),
    Column("acknowledged", Text),
    Column("failed", Text),
    Column("detail", Text, nullable=False, server_default=""),
)
Index("ix_receipts_alert", receipts.c.alert, receipts.c.person)
Index("ix_receipts_sent_as", receipts.c.sent_as, sqlite_where=receipts.c.sent_as != "")
Index(
    "ix_receipts_reference",
    receipts.c.channel,
    receipts.c.reference,
    sqlite_where=receipts.c.reference != "",
)

# The steps of ladders, written when the alert is raised. `payload` says who is told through what;
# `state` is waiting, told or called_off.
ladder_steps = Table(
    "ladder_steps",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("alert", Text, nullable=False),
    Column("step", Integer, nullable=False),
    Column("due", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("finished", Text),
    Column("detail", Text, nullable=False, server_default=""),
)
Index("ix_ladder_steps_due", ladder_steps.c.due, sqlite_where=ladder_steps.c.state == "waiting")
Index("ix_ladder_steps_alert", ladder_steps.c.alert)

# Rules that gave too many false alarms by one camera, while what they raise from it is only
# reviewed. `since` is empty where that is over: dismissals up to `forgiven` count no more.
demotions = Table(
    "demotions",
    metadata,
    Column("rule", Text, primary_key=True),
    Column("camera", Text, primary_key=True),
    Column("since", Text, nullable=False),
    Column("count", Integer, nullable=False),
    Column("forgiven", Text, nullable=False, server_default=""),
)

# Browsers in which people asked to be told, each with what it gave for that.
push_subscriptions = Table(
    "push_subscriptions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("notifier", Text, nullable=False),
    Column("user", Text, ForeignKey("users.name", ondelete="CASCADE"), nullable=False),
    Column("device", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("p256dh", Text, nullable=False),
    Column("auth", Text, nullable=False),
    Column("created", Text, nullable=False),
)
Index("ix_push_subscriptions_user", push_subscriptions.c.user)


# What somebody wants of a door, while they do: `ended` is empty. The highest `rank` wins, then the
# newest (`seq`). `owner` is a run, an account, an alert or a schedule, `asked_by` the person behind
# it. `expires` is empty where only its owner ends it. `differs` is since when the journal says that
# the door is otherwise, `given_up` since when the hub tries no more.
door_intents = Table(
    "door_intents",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("door", Text, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("owner_kind", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("verb", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", Text, nullable=False),
    Column("expires", Text, nullable=False, server_default=""),
    Column("ended", Text, nullable=False, server_default=""),
    Column("ended_why", Text, nullable=False, server_default=""),
    Column("differs", Text, nullable=False, server_default=""),
    Column("given_up", Text, nullable=False, server_default=""),
    Column("alert", Text, nullable=False, server_default=""),
    Column("incident", Text, nullable=False, server_default=""),
    Column("drill", Boolean, nullable=False, server_default=text("0")),
)
Index("ix_door_intents_held", door_intents.c.door, sqlite_where=door_intents.c.ended == "")
Index("ix_door_intents_owner", door_intents.c.owner_kind, door_intents.c.owner)


def _texts(*names: str) -> Iterator[Column[str]]:
    return (Column(name, Text, nullable=False, server_default="") for name in names)


# A protocol that was started, in force while `ended` is empty, and its plan as it was then. `asked`
# is since when somebody asks for its end, `decide_by` until when a fire alarm wants a decision.
protocol_runs = Table(
    "protocol_runs",
    metadata,
    Column("id", Text, primary_key=True),
    *(Column(name, Text, nullable=False) for name in ("protocol", "area", "started")),
    *(Column(name, Boolean, nullable=False) for name in ("drill", "doors_real", "announce")),
    Column("plan", Text, nullable=False),
    *_texts("started_by", "device", "key", "reason", "hazard", "over", "alert", "incident"),
    *_texts("asked_by", "asked", "ended", "ended_by", "decide_by", "decision", "told"),
)
Index(
    "ix_protocol_runs_in_force", protocol_runs.c.started, sqlite_where=protocol_runs.c.ended == ""
)
Index("ix_protocol_runs_key", protocol_runs.c.key, sqlite_where=protocol_runs.c.key != "")

# How far each door of a run is; `phase` is `start`, or `clear` once it is ended.
protocol_doors = Table(
    "protocol_doors",
    metadata,
    *(Column(name, Text, primary_key=True) for name in ("run", "phase", "door")),
    *(Column(name, Text, nullable=False) for name in ("verb", "state", "since")),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    *_texts("detail", "settled"),
)
Index("ix_protocol_doors_door", protocol_doors.c.door)

# Where a run was "ended" with a duress PIN: the one session that is shown that it is over.
protocol_duress = Table(
    "protocol_duress",
    metadata,
    *(Column(name, Text, primary_key=True) for name in ("run", "viewer")),
    *(Column(name, Text, nullable=False) for name in ("by", "time", "event")),
)

# Devices that may start protocols without anybody signing in, each by the digest of its token.
devices = Table(
    "devices",
    metadata,
    Column("id", Text, primary_key=True),
    *(Column(name, Text, nullable=False) for name in ("name", "place")),
    Column("digest", Text, nullable=False, unique=True),
    *(Column(name, Text, nullable=False) for name in ("created", "enrolled_by")),
    *(Column(name, Text) for name in ("last_used", "revoked")),
)

pins = Table(
    "pins",
    metadata,
    Column("user", Text, ForeignKey("users.name", ondelete="CASCADE"), primary_key=True),
    *(Column(name, Text, nullable=False) for name in ("pin_hash", "duress_hash", "changed")),
)


def refuse_newer(path: Path, version: int) -> None:
    """Raises `StateError` when tables of this version are beyond this Vestibule."""
    if version > SCHEMA_VERSION:
        raise StateError(
            f"the journal {path} was written by a newer Vestibule (version {version}, this one "
            f"knows {SCHEMA_VERSION}); start that one, or use another state folder"
        )


def refuse_older(path: Path, version: int, forward: bool = False) -> None:
    """Raises `StateError` when the hub has to bring the tables forward before anybody else."""
    if not forward and 0 < version < SCHEMA_VERSION:
        raise StateError(
            f"the journal {path} was written by an older Vestibule (version {version}, this one "
            f"writes {SCHEMA_VERSION}); start the hub once, which brings it forward"
        )
