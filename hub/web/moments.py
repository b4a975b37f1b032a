"""The kept pictures around an alert, in order: what a card plays once when it is asked to."""

from __future__ import annotations

from aiohttp import web

from hub.views import AlertView, EntryView
from hub.web.security import HOUSE, allowed

MOST = 8


async def moments(request: web.Request, alert: AlertView) -> list[EntryView]:
    """Those of its incident by the camera that it is seen through, oldest first; none where the
    reader may not read incidents.
    """
    if not alert["incident"] or not allowed(request, "see.incidents"):
        return []
    try:
        story = await request.app[HOUSE].incident(alert["incident"])
    except KeyError:
        return []
    shown = [each for each in story["entries"] if each["picture"] and each["type"] != "zone.left"]
    camera = alert["camera"]
    mine = [each for each in shown if each["data"].get("camera", camera) == camera]
    return sorted(mine or shown, key=lambda each: each["time"])[:MOST]
