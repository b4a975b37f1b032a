"""What people may do in cases: each act one transaction, answered with the case as it is then."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from hub.errors import StateError
from hub.incident_settings import IncidentKind
from hub.kinds.notifiers import Severity
from hub.safety.decide import Decider
from hub.safety.incidents import rows as incidents
from hub.safety.intake import Intake
from hub.views import IncidentView

REMIND_EACH_S = 15.0


class CaseDesk:
    """Satisfies `hub.ports.CasesFacade`. Every act raises `KeyError` for an unknown incident, and
    `Refused` with the reason where it makes no sense.
    """

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def open(
        self,
        title: str,
        kind: IncidentKind,
        severity: Severity,
        place: str,
        by: str,
        *,
        drill: bool = False,
        key: str = "",
    ) -> IncidentView:
        """Open an incident by hand."""
        opened: list[str] = []

        def work(decider: Decider) -> None:
            opened.append(
                decider.open_case(
                    self._clean(title), kind, severity, place, by, drill=drill, key=key
                )
            )

        await self._intake.decide(work, urgent=True)
        return await self._intake.incident(opened[-1])

    async def note(
        self, incident: str, text: str, by: str, *, key: str = "", corrects: str = ""
    ) -> IncidentView:
        """Add a note, or the correction of an earlier entry."""
        said = self._clean(text)
        return await self._act(incident, lambda d: d.note(incident, said, by, key, corrects))

    async def role(
        self, incident: str, role: str, person: str, by: str, *, ends: bool = False
    ) -> IncidentView:
        """Give somebody a role, or end it."""
        if ends:
            return await self._act(incident, lambda d: d.end_role(incident, role, person, by))
        return await self._act(incident, lambda d: d.give_role(incident, role, person, by))

    async def add_task(
        self, incident: str, text: str, by: str, *, key: str = "", who: str = ""
    ) -> IncidentView:
        """Add a task."""
        said = self._clean(text)

        def work(decider: Decider) -> None:
            decider.add_task(incident, said, by, key, who)

        return await self._act(incident, work)

    async def task(
        self, incident: str, task: str, do: str, by: str, *, who: str = "", note: str = ""
    ) -> IncidentView:
        """Take a task, finish it, drop it, or open it again."""
        said = self._clean(note)
        return await self._act(incident, lambda d: d.change_task(incident, task, do, by, who, said))

    async def kind(self, incident: str, kind: IncidentKind, by: str) -> IncidentView:
        """Say what it is about."""
        return await self._act(incident, lambda d: d.set_kind(incident, kind, by))

    async def update(self, incident: str, text: str, by: str, *, key: str = "") -> IncidentView:
        """Tell everyone who was told how it stands."""
        said = self._clean(text)
        return await self._act(incident, lambda d: d.give_update(incident, said, by, key))

    async def merge(self, incident: str, into: str, by: str, *, why: str = "") -> IncidentView:
        """Make it part of another; answers with that one."""
        said = self._clean(why)
        return await self._act(into, lambda d: d.merge(incident, into, by, said))

    async def split(
        self, incident: str, alerts: Sequence[str], title: str, by: str, *, why: str = ""
    ) -> IncidentView:
        """Make some of its alerts an incident of their own; answers with the new one."""
        new: list[str] = []
        name, said = self._clean(title), self._clean(why)

        def work(decider: Decider) -> None:
            new.append(decider.split(incident, alerts, name, by, said))

        await self._intake.decide(work, urgent=True)
        return await self._intake.incident(new[-1])

    async def close(self, incident: str, by: str, *, why: str = "") -> IncidentView:
        """End it."""
        said = self._clean(why)
        return await self._act(incident, lambda d: d.close_case(incident, by, said))

    async def reopen(self, incident: str, by: str, *, why: str = "") -> IncidentView:
        """Go on with it."""
        said = self._clean(why)
        return await self._act(incident, lambda d: d.reopen_case(incident, by, said))

    async def exported(
        self, incident: str, by: str, form: str, sha256: str, size: int
    ) -> IncidentView:
        """Write down that a report was taken away, with the SHA-256 and bytes of the file."""
        return await self._act(incident, lambda d: d.exported(incident, by, form, sha256, size))

    async def remind(self) -> None:
        """Remind the commanders of incidents whose people have not heard for too long."""
        await self._intake.see_to_the_clock()
        now = self._intake.clock.now()

        def due(connection: Connection) -> bool:
            return bool(incidents.due_updates(connection, now))

        if await self._intake.journal.read(due):
            await self._intake.decide(Decider.remind)

    async def run(self) -> None:
        """Look every so often whether somebody is to be reminded. Run it as one task."""
        while True:
            await self._intake.clock.sleep(REMIND_EACH_S)
            try:
                await self.remind()
            except StateError:
                continue  # the journal says so itself; the reminder waits for it

    def _clean(self, text: str) -> str:
        return self._intake.secrets.clean(text)

    async def _act(self, incident: str, work: Callable[[Decider], None]) -> IncidentView:
        await self._intake.decide(work, urgent=True)
        return await self._intake.incident(incident)
