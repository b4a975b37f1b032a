"""The call card of an incident: what to say to emergency services, and the number to tap.

Nothing here calls anybody. That somebody has called is a note in the incident's story.
"""

from __future__ import annotations

from aiohttp import web

from hub.errors import Refused
from hub.events import new_id
from hub.web.render import error_page, page
from hub.web.security import HOUSE, denial, see_other, who_is


async def show(request: web.Request) -> web.Response:
    """The card, large enough to be read aloud."""
    house, incident = request.app[HOUSE], request.match_info["id"]
    try:
        view = await house.incident(incident)
        card = await house.cases.call_card(incident)
    except KeyError:
        raise web.HTTPNotFound from None
    return await page(request, "call_card.html", incident=view, card=card, key=new_id())


async def called(request: web.Request) -> web.Response:
    """Note that the person who is signed in has called, where the card's incident goes on."""
    house, incident = request.app[HOUSE], request.match_info["id"]
    form = await request.post()
    key = form.get("key")
    try:
        while into := (await house.incident(incident))["merged_into"]:
            incident = into
        card = await house.cases.call_card(incident)
        what = (
            "Practised the call (drill: nobody was called)"
            if card["drill"]
            else f"Called {card['number']}"
        )
        await house.cases.note(
            incident, what, who_is(request).by, key=key[:64] if isinstance(key, str) else ""
        )
    except KeyError:
        raise web.HTTPNotFound from None
    except Refused as refusal:
        return await error_page(request, 409, str(refusal), "The incident says what it takes.")
    return see_other(f"/incidents/{incident}")


async def api_card(request: web.Request) -> web.Response:
    """The card, for programs."""
    try:
        card = await request.app[HOUSE].cases.call_card(request.match_info["id"])
    except KeyError:
        return denial(404, "There is no such incident.", "GET /api/v1/incidents lists them.")
    return web.json_response(card)
