"""Breaking the glass: in an emergency somebody takes what their role keeps behind it, loudly.

A person does it, in a session; a token cannot. It ends by its time, or before by whoever broke it
and by whoever manages accounts.
"""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from hub.break_glass_views import GlassView
from hub.errors import Refused
from hub.identity.permissions import BREAKABLE, PERMISSIONS
from hub.web.confirm import once_more
from hub.web.contract import Contract, Line, Nothing, taken
from hub.web.language import gettext as _
from hub.web.language import mark
from hub.web.problems import turned_down
from hub.web.render import page
from hub.web.security import HOUSE, SIGNED_IN, allowed, see_other, who_is
from hub.web.standing import glass_seen
from hub.web.words import sentence, span

LONGEST_REASON = 300
PEOPLE_ONLY = mark("Only a person breaks the glass.")
_Why = Annotated[str, StringConstraints(max_length=LONGEST_REASON), AfterValidator(str.strip)]


class BreakBody(BaseModel):
    """Why somebody breaks the glass; they get all that their role keeps behind it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    reason: _Why


def _behind(request: web.Request) -> list[str]:
    """What the sender's role keeps behind glass."""
    block = request.app[HOUSE].config.roles.get(who_is(request).role)
    given = block.break_glass if block is not None else ()
    return [each for each in PERMISSIONS if each in given and each in BREAKABLE]


async def show(request: web.Request) -> web.Response:
    """What is behind the glass, who hears of it, and the gesture."""
    return await _glass_page(request)


async def _glass_page(
    request: web.Request, status: int = 200, problem: str = "", reason: str = ""
) -> web.Response:
    lasts = request.app[HOUSE].config.hub.break_glass.lasts
    return await page(
        request,
        "break_glass.html",
        status=status,
        behind=[(each, PERMISSIONS[each]) for each in _behind(request)],
        lasts=span(lasts),
        problem=problem,
        reason=reason,
        longest=LONGEST_REASON,
    )


async def break_it(request: web.Request) -> web.Response:
    """Break the glass, by a held gesture and with a reason."""
    fields, who = await request.post(), who_is(request)
    reason = str(fields.get("reason", "")).strip()[:LONGEST_REASON]
    if who.kind != "session":
        return await _glass_page(request, 403, _(PEOPLE_ONLY), reason)
    asks = await once_more(
        request, {"reason": reason}, _("Break the glass?"), _("Yes, break the glass"), "/glass"
    )
    if asks is not None:
        return asks
    try:
        await request.app[HOUSE].glass.break_it(
            who.digest, who.name, who.role, _behind(request), reason
        )
    except Refused as refusal:
        return await _glass_page(request, 409, sentence(str(refusal)), reason)
    return see_other("/")


async def mend(request: web.Request) -> web.Response:
    """End it before its time."""
    try:
        await _mend(request)
    except KeyError:
        raise web.HTTPNotFound from None
    return see_other("/")


async def _mend(request: web.Request) -> GlassView:
    """Raises `KeyError` for one that is not broken, or that is none of the sender's to end."""
    house, id_, who = request.app[HOUSE], request.match_info["id"], who_is(request)
    own = house.glass.of(who.digest) if who.kind == "session" else None
    if not (own is not None and own["id"] == id_) and not allowed(request, "manage.accounts"):
        raise KeyError(id_)
    return await house.glass.mend(id_, who.by)


_LISTS = "GET /api/v1/glass lists what is broken."


async def api_show(request: web.Request) -> web.Response:
    """What is broken now: the sender's own, and all of it for who may read the audit."""
    seen = glass_seen(request)
    own = [seen["own"]] if seen["own"] is not None else []
    return web.json_response([*own, *seen["others"]])


async def api_break(request: web.Request) -> web.Response:
    """Break the glass: a person does, in a session."""
    who = who_is(request)
    reason = taken(request, BreakBody).reason
    with turned_down("broken glass", _LISTS, "Send `reason`; docs/reference/roles.md says more."):
        broken = await request.app[HOUSE].glass.break_it(
            who.digest, who.name, who.role, _behind(request), reason
        )
    return web.json_response(broken, status=201)


async def api_mend(request: web.Request) -> web.Response:
    """End it before its time."""
    with turned_down("broken glass", _LISTS):
        return web.json_response(await _mend(request))


LINES: tuple[Line, ...] = (
    ("GET", "/glass", SIGNED_IN, show),
    ("POST", "/glass", SIGNED_IN, break_it),
    ("POST", "/glass/{id}/mend", SIGNED_IN, mend),
    ("GET", "/api/v1/glass", SIGNED_IN, api_show, Contract(list[GlassView])),
    (
        "POST", "/api/v1/glass", SIGNED_IN, api_break,
        Contract(GlassView, BreakBody, status=201, refuses=(409,), not_by_token=PEOPLE_ONLY),
    ),
    ("POST", "/api/v1/glass/{id}/mend", SIGNED_IN, api_mend, Contract(GlassView, Nothing)),
)  # fmt: skip
