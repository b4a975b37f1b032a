"""What a case is beside its story: people's roles, tasks, and the incidents it is tied to.

People and tasks are not kept anywhere: they are read from the story, which only grows. Every
function takes a connection and runs inside somebody's transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, func, select, update

from hub.incident_settings import CASE_ROLES, ONE_AT_A_TIME
from hub.incident_views import CaseLinkView, CasePersonView, TaskView
from hub.kinds.notifiers import Recipient
from hub.rule_settings import person_of
from hub.safety import outbox
from hub.safety.incidents import rows as stories
from hub.safety.incidents.rows import IncidentRow
from hub.safety.outbox import ActionRow
from hub.safety.words import Words
from hub.storage.identity_tables import users
from hub.storage.schema import actions, alerts, incident_entries, incidents, receipts
from hub.views import IncidentView

EntryRow: TypeAlias = Row[Any]

TASK_STATES = {"done": "done", "dropped": "dropped", "opened": "open"}


def family(connection: Connection, incident: str) -> list[str]:
    """The incident, and all that were merged into it, directly or by way of another."""
    found = [incident]
    for each in found:  # grows while it is walked: those merged into those merged
        inner = connection.scalars(
            select(incidents.c.id)
            .where(incidents.c.merged_into == each)
            .order_by(incidents.c.opened, incidents.c.id)
        )
        found += [one for one in inner if one not in found]
    return found


def heir(connection: Connection, incident: str) -> str:
    """The incident that goes on where this one was merged away; itself otherwise."""
    seen: set[str] = set()
    while incident not in seen:
        seen.add(incident)
        into = connection.scalar(select(incidents.c.merged_into).where(incidents.c.id == incident))
        if not into:
            break
        incident = str(into)
    return incident


def told(connection: Connection, incident: str) -> list[ActionRow]:
    """One notice for each channel and group of people that may know of any alert of an incident, or
    were still to be told.
    """
    first: dict[str, ActionRow] = {}
    for alert in connection.scalars(
        select(alerts.c.id).where(alerts.c.incident == incident).order_by(alerts.c.opened)
    ):
        for notice in outbox.told(connection, alert, or_waiting=True):
            first.setdefault(f"{notice.target}/{_people(notice)}", notice)
    return list(first.values())


def move_alerts(connection: Connection, chosen: Sequence[str], incident: str) -> None:
    """Make alerts, and what was done for them, part of another incident."""
    for column in (alerts.c.id, actions.c.alert, receipts.c.alert):
        connection.execute(update(column.table).where(column.in_(chosen)).values(incident=incident))


def move_all(connection: Connection, source: str, target: str) -> None:
    """Make every alert and action of one incident part of another."""
    for column in (alerts.c.incident, actions.c.incident, receipts.c.incident):
        connection.execute(update(column.table).where(column == source).values(incident=target))


def entries_about(
    connection: Connection, group: Sequence[str], chosen: Sequence[str]
) -> list[EntryRow]:
    """What the story of incidents that are one tells of some alerts: what led to them, and what was
    decided and done about them, in the order it was told.
    """
    wanted = set(chosen)
    causes = set(connection.scalars(select(alerts.c.event).where(alerts.c.id.in_(chosen))))
    pictures = set(connection.scalars(select(alerts.c.picture).where(alerts.c.id.in_(chosen))))
    rows = connection.execute(
        select(incident_entries)
        .where(incident_entries.c.incident.in_(group))
        .order_by(incident_entries.c.id)
    )
    return [
        row
        for row in rows
        if row.event in causes
        or _of(row) in wanted
        or (row.picture is not None and row.picture in pictures)
    ]


def complete(connection: Connection, words: Words, view: IncidentView) -> IncidentView:
    """Give an incident's view its people, tasks, links and story."""
    group = family(connection, view["id"])
    view["people"] = people(connection, group, words)
    view["tasks"] = tasks(connection, group)
    view["links"] = links(connection, stories.get(connection, view["id"]))
    view["entries"] = stories.entries(connection, *group)
    return view


def tasks(connection: Connection, group: Sequence[str]) -> list[TaskView]:
    """The tasks of incidents that are one, in the order they were added."""
    found: dict[str, TaskView] = {}
    for row, data in _told(connection, group, ("incident.task",)):
        if data["do"] == "added":
            for one in data["tasks"]:
                found[one["task"]] = TaskView(
                    id=one["task"],
                    text=one["text"],
                    state="open",
                    who=one.get("who", ""),
                    by="",
                    planned=bool(data.get("planned")),
                    added=row.time,
                    ended=None,
                    note="",
                )
        elif (task := found.get(data["task"])) is not None:
            _change(task, row, data)
    return list(found.values())


def _change(task: TaskView, row: EntryRow, data: dict[str, Any]) -> None:
    if data["do"] == "taken":
        task["who"] = data["who"]
        return
    task["state"] = TASK_STATES[data["do"]]  # type: ignore[typeddict-item]
    over = task["state"] != "open"
    task["by"], task["note"] = (data["by"], data.get("note", "")) if over else ("", "")
    task["ended"] = row.time if over else None


def people(connection: Connection, group: Sequence[str], words: Words) -> list[CasePersonView]:
    """Who has which role now, in the order of the roles."""
    found: dict[tuple[str, str], CasePersonView] = {}
    for row, data in _told(connection, group, ("incident.role",)):
        role, person = data["role"], data["person"]
        if role in ONE_AT_A_TIME:
            found = {key: value for key, value in found.items() if key[0] != role}
        found.pop((role, person), None)
        if data["do"] == "given":
            found[role, person] = CasePersonView(
                role=role,
                role_name=CASE_ROLES.get(role, role),
                person=person,
                name=words.person(person),
                since=row.time,
                by=data["by"],
            )
    order = list(CASE_ROLES)
    return sorted(found.values(), key=lambda one: order.index(one["role"]))


def links(connection: Connection, row: IncidentRow) -> list[CaseLinkView]:
    """The incidents that one is tied to by merging and splitting."""
    found: list[CaseLinkView] = []
    for how, condition in (
        ("merged_into", incidents.c.id == row.merged_into),
        ("merged_from", incidents.c.merged_into == row.id),
        ("split_from", incidents.c.id == row.split_from),
        ("split_into", incidents.c.split_from == row.id),
    ):
        for other in connection.execute(
            select(incidents).where(condition).order_by(incidents.c.opened)
        ):
            found.append(
                CaseLinkView(
                    how=how,  # type: ignore[typeddict-item]
                    incident=other.id,
                    title=other.title,
                    state=other.state,
                )
            )
    return found


def is_known(connection: Connection, words: Words, person: str) -> bool:
    """Whether somebody of that name is in the configuration or has an account."""
    if person in words.config.people:
        return True
    return connection.scalar(select(users.c.name).where(users.c.name == person)) is not None


def reach(words: Words, person: str) -> Recipient | None:
    """A person of the configuration as a notice's recipient, without an address yet."""
    people = words.config.people
    known = person_of(people, person)
    return Recipient(known, people[known].name) if known else None


def last_of(connection: Connection, group: Sequence[str], kind: str) -> str:
    """When something of a kind was last told in incidents that are one; empty for never."""
    found = connection.scalar(
        select(incident_entries.c.time)
        .where(incident_entries.c.incident.in_(group), incident_entries.c.type == kind)
        .order_by(incident_entries.c.id.desc())
        .limit(1)
    )
    return str(found or "")


def closed_by_hand(connection: Connection, incident: str) -> bool:
    """Whether it was a person who closed an incident last, and not its last false alarm."""
    story = incident_entries.c
    closed = (story.incident == incident, story.type == "incident.closed")
    newest = select(story.source).where(*closed).order_by(story.id.desc()).limit(1)
    return str(connection.scalar(newest) or "").startswith("person/")


def reminded(connection: Connection, incident: str) -> int:
    """How often somebody was reminded since a person last did something in an incident."""
    story = incident_entries.c
    acted = select(func.max(story.id)).where(
        story.incident == incident, story.source.startswith("person/")
    )
    since = connection.scalar(acted) or 0
    found = select(func.count()).where(
        story.incident == incident, story.type == "incident.reminder", story.id > since
    )
    return int(connection.scalar(found) or 0)


def _told(
    connection: Connection, group: Sequence[str], kinds: Iterable[str]
) -> list[tuple[EntryRow, dict[str, Any]]]:
    rows = connection.execute(
        select(incident_entries)
        .where(incident_entries.c.incident.in_(group), incident_entries.c.type.in_(list(kinds)))
        .order_by(incident_entries.c.id)
    )
    return [(row, json.loads(row.data)) for row in rows]


def _of(entry: EntryRow) -> str:
    """The alert that an entry is about; empty where its source calls something else so."""
    alert = json.loads(entry.data).get("alert")
    return alert if isinstance(alert, str) else ""


def _people(notice: ActionRow) -> str:
    return "+".join(one["person"] for one in json.loads(notice.payload)["to"])
