"""The call card of an incident: what to say to emergency services, the number to tap, and the ways
in which a person can hand it over.

Nothing here calls anybody by itself. That somebody has called is a note in the incident's story.
"""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, ConfigDict, StringConstraints

from hub.errors import Refused
from hub.events import new_id
from hub.incident_views import NOT_TAKEN, CallCardView
from hub.web.api import INCIDENTS
from hub.web.confirm import once_more
from hub.web.contract import Contract, Line, key_of, taken
from hub.web.language import gettext as _
from hub.web.language import mark
from hub.web.problems import turned_down
from hub.web.render import error_page, page
from hub.web.security import HOUSE, see_other, who_is
from hub.web.words import sentence

NOT_YET = (None, *NOT_TAKEN)
BY_HAND = mark("A token is a program's, and only a person hands an incident over.")


class HandOffBody(BaseModel):
    """A hand-off; `key` makes two of them one."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    key: Annotated[str, StringConstraints(max_length=64)] = ""


async def show(request: web.Request) -> web.Response:
    """The card, large enough to be read aloud."""
    return await _card(request)


async def _card(request: web.Request, status: int = 200, problem: str = "") -> web.Response:
    house, incident = request.app[HOUSE], request.match_info["id"]
    try:
        view = await house.incident(incident)
        while view["merged_into"]:
            view = await house.incident(view["merged_into"])
        card = await house.cases.call_card(view["id"])
    except KeyError:
        raise web.HTTPNotFound from None
    waits = view["state"] == "open" and any(each["state"] in NOT_YET for each in card["hand_off"])
    under_way = any(each["state"] == "pending" for each in card["hand_off"])
    return await page(
        request,
        "call_card.html",
        status=status,
        incident=view,
        card=card,
        key=new_id(),
        waits=waits,
        under_way=under_way,
        problem=problem,
    )


async def hand_over(request: web.Request) -> web.Response:
    """Hand the incident over, once for each key; the card then says what came of it."""
    if who_is(request).kind == "token":
        return await error_page(request, 403, _(BY_HAND), _("Sign in to do so."))
    house, incident = request.app[HOUSE], request.match_info["id"]
    key = str((await request.post()).get("key", ""))[:64]
    here = f"/incidents/{incident}/call"
    try:
        drill = (await house.incident(incident))["drill"]
        question = (
            _("Practise handing it over?") if drill else _("Hand it over to emergency services?")
        )
        asks = await once_more(request, {"key": key}, question, _("Yes, hand it over"), here)
        if asks is not None:
            return asks
        await house.cases.hand_over(incident, who_is(request).by, key=key)
    except KeyError:
        raise web.HTTPNotFound from None
    except Refused as refusal:
        return await _card(request, 409, sentence(str(refusal)))
    return see_other(here)


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
        return await error_page(
            request, 409, sentence(str(refusal)), _("The incident says what it takes.")
        )
    return see_other(f"/incidents/{incident}")


async def api_hand_over(request: web.Request) -> web.Response:
    """Hand the incident over, for programs in which somebody is signed in: `key` makes two of them
    one. A token is refused, for nobody knows whether a person is behind it.
    """
    key = taken(request, HandOffBody).key or key_of(request)
    with turned_down("incident", INCIDENTS, "GET the call card to see what came of it."):
        card = await request.app[HOUSE].cases.hand_over(
            request.match_info["id"], who_is(request).by, key=key
        )
    return web.json_response(card)


async def api_card(request: web.Request) -> web.Response:
    """What to say to emergency services, and whom to call."""
    with turned_down("incident", INCIDENTS):
        card = await request.app[HOUSE].cases.call_card(request.match_info["id"])
    return web.json_response(card)


API_LINES: tuple[Line, ...] = (
    (
        "GET", "/api/v1/incidents/{id}/call-card", "see.incidents", api_card,
        Contract(CallCardView),
    ),
    (
        "POST", "/api/v1/incidents/{id}/hand-off", "call.emergency", api_hand_over,
        Contract(CallCardView, HandOffBody, refuses=(409,), not_by_token=BY_HAND),
    ),
)  # fmt: skip
