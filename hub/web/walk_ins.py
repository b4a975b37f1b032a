"""Somebody at the desk whom nobody announced: put on the list by hand, then checked in like anybody
else, so that the lists of whom not to admit are asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Annotated
from urllib.parse import quote
from zoneinfo import ZoneInfo

from aiohttp import web
from pydantic import AfterValidator, Field, StringConstraints

from hub.clock import from_iso
from hub.errors import Refused
from hub.kinds.visitors import WalkIn
from hub.visitors_port import Matched, VisitView
from hub.web.api import Body
from hub.web.contract import Contract, Line, Moment, taken
from hub.web.language import gettext as _
from hub.web.problems import turned_down
from hub.web.render import page
from hub.web.security import HOUSE, form_text, see_other, who_is
from hub.web.words import desk_name, sentence

LONGEST = 120
STAYS = timedelta(hours=1)
LONGEST_STAY = timedelta(hours=12)
MOST_NAMESAKES = 9
NAMESAKES = [str(n) for n in range(MOST_NAMESAKES + 1)]
DESKS = "GET /api/v1/visits lists today's visits, each with its desk."


def _on_one_line(text: str) -> str:
    """Without line breaks and what cannot be seen."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


_Said = Annotated[str, StringConstraints(max_length=LONGEST), AfterValidator(_on_one_line)]
_Needed = Annotated[_Said, StringConstraints(min_length=1)]


class WalkInBody(Body):
    """Somebody whom nobody announced, and whom they visit; `until` is when they should have left,
    an hour from now where it is empty. `namesakes` is how many of the name, for that host, are
    known to be other people: without it a name that is on the list is refused.
    """

    desk: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    visitor: _Needed
    host: _Needed
    purpose: _Said = ""
    until: Moment = ""
    namesakes: Annotated[int, Field(ge=0, le=MOST_NAMESAKES)] = 0


async def register(request: web.Request) -> web.Response:
    """Put somebody whom nobody announced on today's list, as expected now; checking in is the next
    step.
    """
    body, house = taken(request, WalkInBody), request.app[HOUSE]
    until = from_iso(body.until) if body.until else house.clock.now() + STAYS
    walk_in = WalkIn(body.visitor, body.host, body.purpose, until, body.namesakes)
    with turned_down("desk", DESKS):
        view = await house.register(body.desk, walk_in, who_is(request).by)
    return web.json_response(view)


async def form(request: web.Request) -> web.Response:
    """Who has come, whom they visit, why, and until when."""
    return await _form(request, {})


async def _form(
    request: web.Request, given: dict[str, str], status: int = 200, problem: str = ""
) -> web.Response:
    house = request.app[HOUSE]
    desks = house.desks_for_walk_ins()
    if not desks:
        raise web.HTTPNotFound
    until, visits = house.clock.now().astimezone(_zone(request)) + STAYS, await house.visits()
    return await page(
        request,
        "visitor_new.html",
        status=status,
        problem=problem,
        given={"until": f"{until - timedelta(minutes=until.minute % 5):%H:%M}", **given},
        desks=[(each, desk_name(each)) for each in desks],
        hosts=sorted({each["host"] for each in visits if each["host"]}),
        same=_same(visits, given) if problem else [],
        longest=LONGEST,
    )


async def take(request: web.Request) -> web.Response:
    """Put them on the list and check them in; where the name matched, the question is asked."""
    house, who, sent = request.app[HOUSE], who_is(request), await request.post()
    names = ("desk", "visitor", "host", "purpose", "until", "namesakes")
    given = {name: _on_one_line(form_text(sent.get(name), LONGEST)) for name in names}
    try:
        walk_in = _walk_in(request, given)
        view = await house.register(given["desk"], walk_in, who.by)
    except KeyError:
        raise web.HTTPNotFound from None
    except Refused as refusal:
        return await _form(request, given, 409, sentence(str(refusal)))
    return await _checked_in(request, view, given)


def _walk_in(request: web.Request, given: dict[str, str]) -> WalkIn:
    if not given["visitor"] or not given["host"]:
        raise Refused(_("The name and whom they visit are needed"))
    if any(len(each) > LONGEST for each in given.values()):
        raise Refused(_("That is too long; %(n)s letters are the most", n=LONGEST))
    until = _until(given["until"], request.app[HOUSE].clock.now(), _zone(request))
    others = given["namesakes"] if given["namesakes"] in NAMESAKES else "0"
    return WalkIn(given["visitor"], given["host"], given["purpose"], until, int(others))


def _same(visits: Sequence[VisitView], given: dict[str, str]) -> list[VisitView]:
    """Who is on that desk's list under the same name for the same host."""
    return [
        each
        for each in visits
        if each["state"] != "left" and each["desk"] == given.get("desk")
        if each["visitor"].casefold() == given.get("visitor", "").casefold()
        if each["host"].casefold() == given.get("host", "").casefold()
    ]


def _until(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    """The next time that a clock at the school shows that, within half a day."""
    try:
        shown = time.fromisoformat(text)
    except ValueError:
        raise Refused(_("That is no time; write one such as 11:30")) from None
    today = now.astimezone(zone).date()
    found = datetime.combine(today, shown.replace(tzinfo=None), zone)
    if found <= now:
        found = datetime.combine(today + timedelta(days=1), shown.replace(tzinfo=None), zone)
    if found - now > LONGEST_STAY:
        raise Refused(_("That time is over: until when do they stay?"))
    return found


async def _checked_in(request: web.Request, view: VisitView, given: dict[str, str]) -> web.Response:
    at = f"/visitors/{quote(view['desk'])}/{quote(view['id'], safe='')}"
    try:
        await request.app[HOUSE].check_in(view["desk"], view["id"], who_is(request).by)
    except Matched:
        return see_other(f"{at}/match")
    except Refused as refusal:
        return await _form(request, given, 409, sentence(str(refusal)))
    return see_other(f"{at}/badge")


def _zone(request: web.Request) -> ZoneInfo:
    return ZoneInfo(request.app[HOUSE].config.hub.timezone)


LINES: tuple[Line, ...] = (
    ("GET", "/visitors/new", "work.visitors", form),
    ("POST", "/visitors/new", "work.visitors", take),
    (
        "POST", "/api/v1/visits", "work.visitors", register,
        Contract(VisitView, WalkInBody, refuses=(404, 409)),
    ),
)  # fmt: skip
