"""The page that asks once more, for a grave act where no script lets it be held."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from hub.clock import from_iso, iso
from hub.web.render import page
from hub.web.security import HOUSE
from hub.web.words import span

CONFIRM_WITHIN_S = 60.0
SURE = ("held", "typed", "confirmed-here", "confirmed")


async def once_more(
    request: web.Request, fields: Mapping[str, str], question: str, yes: str, back: str
) -> web.Response | None:
    """The page that asks once more; None where it has been said clearly enough."""
    given, now = await request.post(), request.app[HOUSE].clock.now()
    sure, asked = str(given.get("sure", "")), str(given.get("asked", ""))
    if sure in SURE and sure != "confirmed":
        return None
    late = False
    if sure == "confirmed":
        try:
            late = not 0 <= (now - from_iso(asked)).total_seconds() <= CONFIRM_WITHIN_S
        except (ValueError, TypeError):
            late = True
        if not late:
            return None
    return await page(
        request,
        "confirm.html",
        status=409 if late else 200,
        action=request.path,
        fields={name: value for name, value in fields.items() if value},
        question=question,
        yes=yes,
        back=back,
        asked=iso(now),
        within=span(CONFIRM_WITHIN_S),
        late=late,
    )
