"""Incidents while the hub runs: what people do in them, what is near them, and their reports."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import structlog
from sqlalchemy import Connection

from hub.errors import Refused
from hub.incident_views import CallCardView, HandOffView, NearView, ReportView
from hub.ports import HouseFacade
from hub.safety.incidents import cases
from hub.safety.incidents.call_card import call_card
from hub.safety.incidents.desk import CaseDesk
from hub.safety.incidents.hand_off import hand_off_views
from hub.safety.incidents.near import near
from hub.safety.incidents.report import report
from hub.safety.intake import Intake
from hub.storage.media import PictureState, state_of
from hub.views import IncidentView
from hub.visitors_port import VisitView

PDF_WITHIN_S = 90.0
VISITS_WITHIN_S = 2.0

log = structlog.get_logger(__name__)

Allowed = Callable[[str], bool]


class Incidents(CaseDesk):
    """Satisfies `hub.ports.CasesFacade`. `house` answers what cameras, doors and visitors there
    are; kept pictures are in the folder `media`.
    """

    def __init__(self, intake: Intake, house: HouseFacade, media: Path) -> None:
        super().__init__(intake)
        self._house = house
        self._media = media
        self._one_pdf = asyncio.Lock()

    async def near(self, incident: IncidentView, allowed: Allowed) -> NearView:
        """What is around an incident, as far as the reader may see it."""
        house = self._house
        return near(
            house.config,
            house.campus,
            incident["place"],
            house.cameras() if allowed("see.cameras") else None,
            house.doors() if allowed("see.doors") else None,
            await self._visits() if allowed("see.visitors") else None,
            await house.alerts(open_only=True) if allowed("see.alerts") else None,
            but=[each["id"] for each in incident["alerts"]],
        )

    async def call_card(self, incident: str) -> CallCardView:
        """What to say to emergency services; for what was merged, the card of the one that goes on.
        Raises `KeyError`.
        """
        words = self._intake.words

        def look(connection: Connection) -> tuple[str, list[HandOffView]]:
            goes_on = cases.heir(connection, incident)
            return goes_on, hand_off_views(connection, words, goes_on)

        goes_on, hand_off = await self._intake.journal.read(look)
        view, house = await self._intake.incident(goes_on), self._house
        now = self._intake.clock.now()
        return call_card(house.config, house.campus, view, house.doors(), now, hand_off)

    async def hand_over(self, incident: str, by: str, *, key: str = "") -> CallCardView:
        """A person hands it over to emergency services; answers with the card as it is then."""
        card = await self.call_card(incident)
        await self._act(incident, lambda d: d.hand_over(incident, card, by, key))
        return await self.call_card(incident)

    async def _visits(self) -> list[VisitView] | None:
        """Who is on site; None where no visitor system answers in time. The page does not wait."""
        try:
            async with asyncio.timeout(VISITS_WITHIN_S):
                return await self._house.visits()
        except Exception as error:
            log.warning("who is on site is not known", reason=str(error) or type(error).__name__)
            return None

    async def report(self, incident: str, by: str) -> ReportView:
        """The after-action report. Raises `KeyError`."""
        view = await self._intake.incident(incident)
        now, words = self._intake.clock.now(), self._intake.words

        def work(connection: Connection) -> ReportView:
            return report(connection, words, view, self._picture, by, now)

        return await self._intake.journal.read(work)

    async def json(self, incident: str, by: str) -> bytes:
        """The report as a JSON file. Raises `KeyError`."""
        made = await self.report(incident, by)
        data = json.dumps(made, ensure_ascii=False, indent=1).encode()
        return await self._taken(incident, by, "json", data)

    async def pdf(self, incident: str, by: str) -> bytes:
        """The report as a PDF, made by a process of its own. Raises `KeyError`, and `Refused` where
        it could not be made.
        """
        made = await self.report(incident, by)
        asked = json.dumps({"report": made, "media": str(self._media)}).encode()
        try:
            async with asyncio.timeout(PDF_WITHIN_S):
                await self._one_pdf.acquire()
        except TimeoutError:
            raise Refused("other reports are being made; try again, or take the JSON") from None
        try:
            data = await _in_a_process(asked)
        finally:
            self._one_pdf.release()
        return await self._taken(incident, by, "pdf", data)

    async def _taken(self, incident: str, by: str, form: str, data: bytes) -> bytes:
        """What is taken away, once the journal holds who takes what: no file leaves without that,
        and there is no line of one that could not be made.
        """
        await self.exported(incident, by, form, hashlib.sha256(data).hexdigest(), len(data))
        return data

    def _picture(self, picture: str) -> PictureState:
        return state_of(self._house.media(picture))


async def _in_a_process(asked: bytes) -> bytes:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "hub.report_pdf",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(PDF_WITHIN_S):
            out, errors = await child.communicate(asked)
    except TimeoutError:
        raise Refused(
            "the PDF was not ready within %(pdf_within_s)s s; take the JSON",
            pdf_within_s=f"{PDF_WITHIN_S:g}",
        ) from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode != 0 or not out.startswith(b"%PDF"):
        lines = errors.decode(errors="replace").strip().splitlines()
        last = lines[-1][:200] if lines else f"status {child.returncode}"
        raise Refused("the PDF could not be made (%(last)s); take the JSON", last=last)
    return out
