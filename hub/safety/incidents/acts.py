"""What people do in a case: notes, roles, tasks, situation updates, merging, splitting, closing.

Each act is an event in the journal and a line of the incident's story, in one transaction. Nothing
is ever edited: what was wrong is corrected by a further line that names the first. An act that has
been done already changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from hub.clock import iso
from hub.errors import Refused
from hub.events import Event, new_id
from hub.incident_settings import CASE_ROLES, UPDATES_EVERY, IncidentKind
from hub.incident_views import CasePersonView
from hub.kinds.notifiers import Severity
from hub.safety.alerts import rows as alerts
from hub.safety.alerts import steps
from hub.safety.incidents import cases
from hub.safety.incidents import rows as incidents
from hub.safety.incidents.drills import Drills
from hub.safety.incidents.rows import IncidentRow
from hub.safety.incidents.situation import reminder_notices, update_notices
from hub.storage import eventlog

LONGEST_TEXT = 4000
LONGEST_UPDATE = 2000  # what messages to telephones and templates can carry
LONGEST_TASK = 200
MOST_TASKS = 200
MOST_REMINDERS = 3
CORRECTED_SHOWN = 200
KEPT = "\n\u200c\u200d"


class CaseActs(Drills):
    """Acts of people in incidents. Each raises `KeyError` for an unknown incident, and `Refused`
    with the reason where it makes no sense. `key` makes an act that is sent twice one.
    """

    # ------------------------------------------------------------- what is said

    def open_case(
        self,
        title: str,
        kind: IncidentKind,
        severity: Severity,
        place: str,
        by: str,
        *,
        drill: bool = False,
        key: str = "",
    ) -> str:
        """Open an incident by hand; returns its id."""
        known = self._charter.config.places
        if place and place not in known:
            raise Refused(f"there is no place {place!r}; expected one of {', '.join(known)}")
        name = _plain(title, LONGEST_TASK, "a title")
        event = act_id(by, key, "opened", "", name, kind, place, str(drill))
        earlier = eventlog.get(self._connection, event)
        if earlier is not None:
            return earlier.subject
        incident = incidents.open_incident(
            self._connection, name, severity, place, self._now, kind=kind, drill=drill
        )
        facts = {"title": name, "severity": severity, "place": place, "kind": kind}
        self._write("opened", incident, by, facts | {"drill": drill}, event)
        self.plan_tasks(incident, kind)
        return incident

    def note(self, incident: str, text: str, by: str, key: str = "", corrects: str = "") -> None:
        """Add a note, or the correction of an entry of the story. A closed case takes notes too."""
        row = self._standing(incident)
        said = _plain(text, LONGEST_TEXT, "a note")
        facts: dict[str, Any] = {"text": said}
        if corrects:
            group = cases.family(self._connection, incident)
            entry = incidents.entry(self._connection, group, corrects)
            if entry is None:
                raise Refused("the entry that this corrects is not in this incident's story")
            facts |= {"corrects": corrects, "corrected": entry.text[:CORRECTED_SHOWN]}
        event = act_id(by, key, "note", incident, said, corrects)
        self._write("note", row.id, by, facts, event)

    def give_role(self, incident: str, role: str, person: str, by: str) -> None:
        """Give somebody a role; the commander's passes on from whoever had it."""
        row = self._open_case(incident)
        self._check_role(role, person)
        if self._has_role(row, role, person):
            return
        self._write("role", row.id, by, {"do": "given", "role": role, "person": person})

    def end_role(self, incident: str, role: str, person: str, by: str) -> None:
        """Somebody no longer has a role."""
        row = self._open_case(incident)
        if self._has_role(row, role, person):
            self._write("role", row.id, by, {"do": "ended", "role": role, "person": person})

    def add_task(self, incident: str, text: str, by: str, key: str = "", who: str = "") -> str:
        """Add a task; returns its id. Raises `Refused` past 200 tasks that nobody has ended."""
        row = self._open_case(incident)
        said = _plain(text, LONGEST_TASK, "a task")
        if who:
            self._check_person(who)
        if sum(one["state"] == "open" for one in self._tasks(row)) >= MOST_TASKS:
            raise Refused(
                "this incident has %(n)s open tasks already; finish some first", n=MOST_TASKS
            )
        event = act_id(by, key, "task", incident, said, who)
        task = event[:12]
        facts = {"do": "added", "tasks": [{"task": task, "text": said, "who": who}]}
        self._write("task", row.id, by, facts, event)
        return task

    def change_task(
        self, incident: str, task: str, do: str, by: str, who: str = "", note: str = ""
    ) -> None:
        """Somebody takes a task, has done it, drops it with a reason, or opens it again."""
        row = self._open_case(incident)
        found = next((one for one in self._tasks(row) if one["id"] == task), None)
        if found is None:
            raise Refused("there is no such task in this incident")
        facts: dict[str, Any] = {"do": do, "task": task, "text": found["text"]}
        if do == "taken":
            taker = who or by
            if who:
                self._check_person(who)
            if found["state"] != "open":
                raise Refused(f"the task {found['text']!r} is {found['state']} already")
            if found["who"] == taker:
                return
            facts["who"] = taker
        elif found["state"] == cases.TASK_STATES[do]:
            return
        if note:
            facts["note"] = _plain(note, LONGEST_TEXT, "a note")
        self._write("task", row.id, by, facts)

    def set_kind(self, incident: str, kind: IncidentKind, by: str) -> None:
        """Say what the incident is about; the tasks of that kind join those it has."""
        row = self._open_case(incident)
        if row.kind == kind:
            return
        incidents.change(self._connection, row.id, self._now, kind=kind)
        self._write("kind", row.id, by, {"kind": kind, "before": row.kind})
        self.plan_tasks(row.id, kind)

    def give_update(self, incident: str, text: str, by: str, key: str = "") -> None:
        """Tell everyone who was told how the incident stands."""
        row = self._open_case(incident)
        said = _plain(text, LONGEST_UPDATE, "a situation update")
        facts = {"text": said}
        event = act_id(by, key, "update", incident, said)
        if not self._write("update", row.id, by, facts, event):
            return
        self.expect_update(row.id)
        for intention in update_notices(self._connection, self._charter, row, said, by, self._now):
            self._intend(intention)

    # ------------------------------------------------------- one case or several

    def merge(self, incident: str, into: str, by: str, why: str = "") -> None:
        """Make an incident part of another, where all that is open in it goes on."""
        row, target = incidents.get(self._connection, incident), self._standing(into)
        if row.merged_into == into:
            return
        if incident == into:
            raise Refused("an incident cannot be merged into itself")
        self._standing(incident)
        if target.state != "open":
            raise Refused("that incident is closed; reopen it first, then merge into it")
        if row.drill != target.drill:
            raise Refused("one of the two is a drill: what is real never becomes part of a drill")
        leaders = self._leaders(into)
        cases.move_all(self._connection, incident, into)
        closed = {"state": "closed", "merged_into": into, "update_due": ""}
        incidents.change(self._connection, incident, self._now, **closed)
        incidents.touch(self._connection, into, row.severity, self._now)
        facts = {"into": into, "into_title": target.title, "title": row.title, "why": _short(why)}
        event = self._derived(
            "incident.merged", f"person/{by}", incident, {"incident": incident, "by": by} | facts
        )
        # Told in the one that ends; the other's story holds it too, for it has all of that one's.
        self._tell(incident, event)
        for person in leaders - self._leaders(into):  # who leads the one that goes on leads both
            self._write("role", into, by, {"do": "given", "role": "commander", "person": person})
        if row.update_due and not target.update_due:
            self.expect_update(into)

    def split(
        self, incident: str, chosen: Sequence[str], title: str, by: str, why: str = ""
    ) -> str:
        """Make some of an incident's alerts an incident of their own; returns its id. What the
        story tells of them is told in both.
        """
        row = self._open_case(incident)
        name = _plain(title, LONGEST_TASK, "a title")
        of_it = {one.id: one for one in alerts.of_incidents(self._connection, [incident])}
        if not chosen or any(one not in of_it for one in chosen):
            raise Refused("choose alerts of this incident")
        if len(set(chosen)) == len(of_it):
            raise Refused("at least one alert has to stay; this would move all of them")
        first = of_it[chosen[0]]
        new = incidents.open_incident(
            self._connection,
            name,
            first.severity,
            first.place,
            self._now,
            kind=row.kind,
            drill=row.drill,
            split_from=incident,
        )
        for one in chosen:
            incidents.touch(self._connection, new, of_it[one].severity, self._now)
        group = cases.family(self._connection, incident)
        for entry in cases.entries_about(self._connection, group, chosen):
            incidents.copy_entry(self._connection, entry, new)
        cases.move_alerts(self._connection, chosen, new)
        facts: dict[str, Any] = {"incident": incident, "by": by}
        facts |= {"into": new, "into_title": name}
        facts |= {"alerts": list(chosen), "why": _short(why)}
        event = self._derived("incident.split", f"person/{by}", incident, facts)
        self._tell(incident, event)
        self._tell(new, event)
        if row.update_due:
            self.expect_update(new)
        return new

    # ------------------------------------------------------------ its end, its copy

    def close_case(self, incident: str, by: str, why: str = "") -> None:
        """End an incident. Raises `Refused` while an alert in it waits for a verdict."""
        row = self._standing(incident)
        if row.state == "closed":
            return
        found = alerts.of_incidents(self._connection, [incident])
        waiting = sum(one.state in alerts.OPEN for one in found)
        if waiting:
            count = "an alert" if waiting == 1 else f"{waiting} alerts"
            raise Refused("%(n)s in it still without a verdict; decide first, then close", n=count)
        for one in found:  # nobody is called any more for what somebody has closed
            steps.call_off(self._connection, one.id, "its incident was closed", self._now)
        incidents.change(self._connection, incident, self._now, state="closed", update_due="")
        self._write("closed", incident, by, {"why": _short(why)})

    def reopen_case(self, incident: str, by: str, why: str = "") -> None:
        """Go on with an incident that was closed."""
        row = self._standing(incident)
        if row.state == "closed":
            incidents.change(self._connection, incident, self._now, state="open")
            self._write("reopened", incident, by, {"why": _short(why)})

    def exported(self, incident: str, by: str, form: str, sha256: str, size: int) -> None:
        """Somebody takes a report of the incident away: the story says who, and exactly what."""
        row = incidents.get(self._connection, incident)
        self._write("exported", row.id, by, {"form": form, "sha256": sha256, "bytes": size})

    # ------------------------------------------------------------- what is expected

    def expect_update(self, incident: str) -> None:
        """From now on people expect a situation update within the time of the incident's kind."""
        row = incidents.get(self._connection, incident)
        block = self._charter.config.incidents.get(row.kind)
        every = block.update_every if block is not None else UPDATES_EVERY
        due = "" if every == "off" else iso(self._now + timedelta(seconds=every))
        incidents.expect_update(self._connection, incident, due)

    def remind(self) -> None:
        """Remind the commander of each incident whose people have not heard for too long; three
        times in a row, then not until somebody does something in it.
        """
        for row in incidents.due_updates(self._connection, self._now):
            group = cases.family(self._connection, row.id)
            since = cases.last_of(self._connection, group, "incident.update")
            data = {"incident": row.id, "since": since or row.opened}
            event = self._derived("incident.reminder", "hub/incidents", row.id, data)
            self._tell(row.id, event)
            if cases.reminded(self._connection, row.id) < MOST_REMINDERS:
                self.expect_update(row.id)
            else:  # whoever has let three go by is not reached by a fourth
                incidents.expect_update(self._connection, row.id, "")
            for intention in reminder_notices(
                self._connection, self._charter, row, since, self._now
            ):
                self._intend(intention)

    def plan_tasks(self, incident: str, kind: IncidentKind) -> None:
        """Add the tasks that the configuration has for incidents of a kind."""
        block = self._charter.config.incidents.get(kind)
        if block is None:
            return
        row = incidents.get(self._connection, incident)
        known = {one["text"] for one in self._tasks(row)}
        wanted = [text for text in dict.fromkeys(block.tasks) if text not in known]
        if wanted:
            tasks = [{"task": new_id()[:12], "text": text} for text in wanted]
            facts = {"incident": incident, "by": "", "do": "added", "planned": True}
            event = self._derived(
                "incident.task", "hub/incidents", incident, facts | {"kind": kind, "tasks": tasks}
            )
            self._tell(incident, event)

    # ----------------------------------------------------------------------- inside

    def _standing(self, incident: str) -> IncidentRow:
        row = incidents.get(self._connection, incident)
        if row.merged_into:
            into = incidents.get(self._connection, cases.heir(self._connection, incident))
            raise Refused(f"this incident was merged into {into.title!r} ({into.id}); go on there")
        return row

    def _open_case(self, incident: str) -> IncidentRow:
        row = self._standing(incident)
        if row.state != "open":
            raise Refused("this incident is closed; reopen it first (notes can still be added)")
        return row

    def _check_person(self, person: str) -> None:
        if not cases.is_known(self._connection, self._charter.words, person):
            raise Refused(
                f"nobody is called {_short(person)!r}; expected one of `people:` or the name of an "
                "account"
            )

    def _check_role(self, role: str, person: str) -> None:
        if role not in CASE_ROLES:
            raise Refused(f"there is no role {_short(role)!r}; expected {', '.join(CASE_ROLES)}")
        self._check_person(person)

    def _has_role(self, row: IncidentRow, role: str, person: str) -> bool:
        return any((one["role"], one["person"]) == (role, person) for one in self._people(row.id))

    def _leaders(self, incident: str) -> set[str]:
        return {one["person"] for one in self._people(incident) if one["role"] == "commander"}

    def _people(self, incident: str) -> list[CasePersonView]:
        group = cases.family(self._connection, incident)
        return cases.people(self._connection, group, self._charter.words)

    def _tasks(self, row: IncidentRow) -> list[Any]:
        return list(cases.tasks(self._connection, cases.family(self._connection, row.id)))

    def _write(
        self, what: str, incident: str, by: str, facts: Mapping[str, Any], event: str = ""
    ) -> bool:
        """Journal an act and tell it in the story; false when the same act is there already."""
        written = Event(
            type=f"incident.{what}",
            source=f"person/{by}",
            time=self._now,
            subject=incident,
            data={"incident": incident, "by": by, **facts},
            id=event or new_id(),
        )
        if not self._append(written):
            return False
        self._tell(incident, written)
        if what != "exported":  # taking a report away is nothing new in it
            incidents.change(self._connection, incident, self._now)
            self._wait_again(incident)
        return True

    def _wait_again(self, incident: str) -> None:
        """Whoever acts in an incident that is real or that somebody leads is waited for again."""
        row = incidents.get(self._connection, incident)
        if row.state != "open" or row.update_due:
            return
        found = alerts.of_incidents(self._connection, [incident])
        real = any(one.state == "verified" and not one.resolved_time for one in found)
        if real or self._leaders(incident):
            self.expect_update(incident)


def act_id(by: str, key: str, what: str, incident: str, *said: str) -> str:
    """The id of an act's event: always the same for what one person sends under one key. Another
    text is another act: a page that somebody went back to has its old key.
    """
    if not key:
        return new_id()
    whole = "\0".join((what, incident, by, key, *said))
    return hashlib.sha256(whole.encode()).hexdigest()[:32]


def _plain(text: str, longest: int, what: str) -> str:
    """A text as it may be kept: no control characters, not empty, not too long."""
    clean = "".join(one for one in text.replace("\r\n", "\n") if one.isprintable() or one in KEPT)
    clean = clean.strip()
    if not clean:
        raise Refused(f"{what} needs a text")
    if len(clean) > longest:
        raise Refused(f"{what} has at most {longest} characters; this one has {len(clean)}")
    return clean


def _short(text: str) -> str:
    return "".join(one for one in text if one.isprintable()).strip()[:LONGEST_TASK]
