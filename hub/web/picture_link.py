"""Pictures by the link of a notice."""

from __future__ import annotations

from aiohttp import web

from hub.web.kept_pictures import media
from hub.web.language import gettext as _
from hub.web.render import error_page
from hub.web.security import HOUSE


async def show(request: web.Request) -> web.StreamResponse:
    """A picture for who is signed in, for an hour from the notice on."""
    house, at = request.app[HOUSE], request.match_info
    until, sign = request.query.get("until", ""), request.query.get("sign", "")
    found = house.picture_links.check(at["id"], at["name"], until, sign, house.clock.now())
    if found == "forged":
        raise web.HTTPNotFound
    if found == "expired":
        hint = _("Links in notices show a picture for an hour. The alert's own page still has it.")
        return await error_page(request, 410, _("This link has expired."), hint)
    return await media(request)
