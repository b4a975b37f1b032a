"""What people may do in incidents, for whoever sends the present request; see `hub.web.sight`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from hub.errors import Refused
from hub.identity.reach import Reach, within
from hub.incident_settings import IncidentKind
from hub.incident_views import CallCardView, NearView
from hub.kinds.notifiers import Severity
from hub.ports import CasesFacade, HouseFacade
from hub.views import IncidentView

PART = (
    "part of this incident lies outside of the places of your role; somebody who sees all of it "
    "can take its report away"
)


class SeenCases:
    """Satisfies `CasesFacade`: an incident beyond reach raises `KeyError`, as one that is not
    there. `seen` gives an incident as its reader sees it, `reach` how far they reach.
    """

    def __init__(
        self,
        house: HouseFacade,
        seen: Callable[[str], Awaitable[IncidentView]],
        reach: Callable[[], Reach],
    ) -> None:
        self._house, self._seen, self._reach = house, seen, reach

    @property
    def _cases(self) -> CasesFacade:
        return self._house.cases

    async def _check(self, *incidents: str) -> None:
        """Raises `KeyError` for one beyond reach."""
        if not self._reach().whole:
            for each in incidents:
                await self._seen(each)

    async def _told(self, done: Awaitable[IncidentView]) -> IncidentView:
        """The answer of an act, as far as it lies within reach."""
        view = await done
        return view if self._reach().whole else await self._seen(view["id"])

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
        """Open an incident at a place within reach."""
        if not within(self._reach().incidents, place):
            raise Refused("choose one of the places of your role")
        done = self._cases.open(title, kind, severity, place, by, drill=drill, key=key)
        return await self._told(done)

    async def note(
        self, incident: str, text: str, by: str, *, key: str = "", corrects: str = ""
    ) -> IncidentView:
        """Add a note, or the correction of an earlier entry."""
        await self._check(incident)
        return await self._told(self._cases.note(incident, text, by, key=key, corrects=corrects))

    async def role(
        self, incident: str, role: str, person: str, by: str, *, ends: bool = False
    ) -> IncidentView:
        """Give somebody a role, or end it."""
        await self._check(incident)
        return await self._told(self._cases.role(incident, role, person, by, ends=ends))

    async def add_task(
        self, incident: str, text: str, by: str, *, key: str = "", who: str = ""
    ) -> IncidentView:
        """Add a task."""
        await self._check(incident)
        return await self._told(self._cases.add_task(incident, text, by, key=key, who=who))

    async def task(
        self, incident: str, task: str, do: str, by: str, *, who: str = "", note: str = ""
    ) -> IncidentView:
        """Take a task, finish it, drop it, or open it again."""
        await self._check(incident)
        return await self._told(self._cases.task(incident, task, do, by, who=who, note=note))

    async def kind(self, incident: str, kind: IncidentKind, by: str) -> IncidentView:
        """Say what it is about."""
        await self._check(incident)
        return await self._told(self._cases.kind(incident, kind, by))

    async def update(self, incident: str, text: str, by: str, *, key: str = "") -> IncidentView:
        """Tell everyone who was told how it stands."""
        await self._check(incident)
        return await self._told(self._cases.update(incident, text, by, key=key))

    async def merge(self, incident: str, into: str, by: str, *, why: str = "") -> IncidentView:
        """Make it part of another; both lie within reach."""
        await self._check(incident, into)
        return await self._told(self._cases.merge(incident, into, by, why=why))

    async def split(
        self, incident: str, alerts: Sequence[str], title: str, by: str, *, why: str = ""
    ) -> IncidentView:
        """Make some of its alerts, which lie within reach, an incident of their own."""
        if not self._reach().whole:
            seen = {each["id"] for each in (await self._seen(incident))["alerts"]}
            if not seen.issuperset(alerts):
                raise KeyError(incident)
        return await self._told(self._cases.split(incident, alerts, title, by, why=why))

    async def close(self, incident: str, by: str, *, why: str = "") -> IncidentView:
        """End it."""
        await self._check(incident)
        return await self._told(self._cases.close(incident, by, why=why))

    async def reopen(self, incident: str, by: str, *, why: str = "") -> IncidentView:
        """Go on with it."""
        await self._check(incident)
        return await self._told(self._cases.reopen(incident, by, why=why))

    async def near(self, incident: IncidentView, allowed: Callable[[str], bool]) -> NearView:
        """What is around an incident, as far as the reader may see it and reaches."""
        view, reach = await self._cases.near(incident, allowed), self._reach()
        if reach.whole:
            return view
        lists = {
            "cameras": (reach.cameras, "id"),
            "doors": (reach.doors, "id"),
            "visitors": (reach.desks, "desk"),
            "alerts": (reach.alerts, "place"),
        }
        for name, (names, key) in lists.items():
            found = view[name]  # type: ignore[literal-required]
            if found is not None:
                view[name] = [e for e in found if within(names, e[key])]  # type: ignore[literal-required]
        kept = {e["id"] for n in ("cameras", "doors", "alerts") for e in view[n] or ()}
        view["steps"] = {name: step for name, step in view["steps"].items() if name in kept}
        view["alerts_elsewhere"] = 0
        return view

    async def call_card(self, incident: str) -> CallCardView:
        """What to say to emergency services: of an incident within reach, all of it."""
        await self._check(incident)
        return await self._cases.call_card(incident)

    async def hand_over(self, incident: str, by: str, *, key: str = "") -> CallCardView:
        """A person hands an incident within reach over to emergency services."""
        await self._check(incident)
        return await self._cases.hand_over(incident, by, key=key)

    async def _whole(self, incident: str) -> None:
        """Raises `KeyError` for an incident beyond reach, `Refused` for one that is partly so."""
        if self._reach().whole:
            return
        seen, all_of_it = await self._seen(incident), await self._house.incident(incident)
        if seen != all_of_it:
            raise Refused(PART)

    async def json(self, incident: str, by: str) -> bytes:
        """The after-action report as a file, for who sees all of it."""
        await self._whole(incident)
        return await self._cases.json(incident, by)

    async def pdf(self, incident: str, by: str) -> bytes:
        """The same as a PDF."""
        await self._whole(incident)
        return await self._cases.pdf(incident, by)
