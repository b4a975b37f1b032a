"""What is printed of visitors: a badge, and the list of all who are here for when a building is
left.
"""

from __future__ import annotations

from aiohttp import web

from hub.errors import Refused
from hub.web.contract import Line
from hub.web.render import page
from hub.web.security import HOUSE, see_other, who_is
from hub.web.words import desk_name


async def badge(request: web.Request) -> web.Response:
    """A visitor's badge, for the printer."""
    at = request.match_info
    try:
        visit = await request.app[HOUSE].badge(at["desk"], at["id"], who_is(request).by)
    except KeyError:
        raise web.HTTPNotFound from None
    except Refused:
        return see_other("/visitors")
    return await page(request, "visitor_badge.html", visit=visit)


async def roll(request: web.Request) -> web.Response:
    """Everybody who is here as a visitor, by name, for when the building is left."""
    house = request.app[HOUSE]
    here = [each for each in await house.visits() if each["state"] == "here"]
    here.sort(key=lambda each: (each["visitor"].casefold(), each["arrived"] or "", each["id"]))
    if request.headers.get("Sec-Fetch-Dest", "document") == "document":
        await house.roll_opened(who_is(request).by, len(here))
    silent = [desk_name(each) for each in house.silent_desks()]
    return await page(request, "visitor_roll.html", here=here, silent=silent)


LINES: tuple[Line, ...] = (
    ("GET", "/visitors/roll", "see.visitors", roll),
    ("GET", "/visitors/{desk}/{id}/badge", "work.visitors", badge),
)
