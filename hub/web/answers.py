"""Forms of an alert's page beside the verdict: take it on, say that it is over, trust its rule."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web

from hub.errors import Refused
from hub.views import AlertView
from hub.web.pages import alert_page
from hub.web.security import HOUSE, local_path, see_other, who_is
from hub.web.words import sentence

_LONGEST_NOTE = 2000


async def acknowledge(request: web.Request) -> web.Response:
    """Somebody takes an alert on; a late press is answered with who has it."""
    return await _answer(request, request.app[HOUSE].acknowledge)


async def undo(request: web.Request) -> web.Response:
    """Somebody takes back within seconds that an alert is a false alarm."""
    return await _answer(request, request.app[HOUSE].undo)


async def resolve(request: web.Request) -> web.Response:
    """Somebody says that a verified alert is over."""
    note = str((await request.post()).get("note", "")).strip()[:_LONGEST_NOTE]
    return await _answer(request, partial(request.app[HOUSE].resolve, note=note))


async def _answer(
    request: web.Request, act: Callable[[str, str], Awaitable[AlertView]]
) -> web.Response:
    """Do it, then lead back to where it was asked for, or say on the alert's page why not."""
    alert_id, fields = request.match_info["id"], await request.post()
    try:
        await act(alert_id, who_is(request).by)
    except KeyError:
        raise web.HTTPNotFound from None
    except Refused as refusal:
        return await alert_page(request, alert_id, status=409, problem=sentence(str(refusal)))
    return see_other(local_path(str(fields.get("back", f"/alerts/{alert_id}"))))


async def restore_rule(request: web.Request) -> web.Response:
    """Have the rule of an alert, which gave too many false alarms, raise alerts as before."""
    house, alert_id = request.app[HOUSE], request.match_info["id"]
    try:
        view = await house.alert(alert_id)
        await house.restore_rule(view["rule"], view["camera"], who_is(request).by)
    except KeyError:
        raise web.HTTPNotFound from None
    return see_other(f"/alerts/{alert_id}")
