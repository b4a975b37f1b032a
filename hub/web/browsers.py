"""Being told in a browser: the worker that shows what is pushed, and who asked for it where."""

from __future__ import annotations

import json

from aiohttp import web

from hub.errors import Refused
from hub.identity import browsers
from hub.web.files import STATIC
from hub.web.security import HOUSE, denial, see_other, who_is
from hub.web.words import sentence


async def worker(request: web.Request) -> web.Response:
    """The service worker. It stands at the root, since it is for the pages below where it stands;
    browsers ask for it anew each time, so that all follow a change.
    """
    found = request.app[STATIC].files["sw.js"]
    headers = {"Content-Type": found.content_type, "Cache-Control": "no-cache"}
    return web.Response(body=found.body, headers=headers)


async def add(request: web.Request) -> web.Response:
    """Tell the person who asks in the browser that they ask from."""
    house, who = request.app[HOUSE], who_is(request)
    try:
        given = json.loads(await request.read())
        notifier, subscription = str(given["notifier"]), given["subscription"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return denial(422, "That cannot be read.", "Send notifier and subscription as JSON.")
    if who.kind != "session":
        return denial(403, "Only a person is told in a browser.", "Sign in, in that browser.")
    if notifier not in await house.push_keys():
        hint = "Load the page again: the configuration has changed."
        return denial(409, "Nobody is told in browsers through that notifier.", hint)
    device = browsers.device_words(request.headers.get("User-Agent", ""))
    now = house.clock.now()
    try:
        id_ = await house.journal_write(
            lambda c: browsers.subscribe(c, notifier, who.name, device, subscription, now)
        )
    except Refused as refusal:
        return denial(422, sentence(str(refusal)), "See the page of your account.")
    return web.json_response({"id": id_}, status=201)


async def forget(request: web.Request) -> web.Response:
    """Tell the person no more in one of their browsers; one that is not told is no error."""
    house, who, id_ = request.app[HOUSE], who_is(request), request.match_info["id"]
    now = house.clock.now()
    await house.journal_write(lambda c: browsers.unsubscribe(c, id_, now, who.name))
    if request.content_type == "application/json":
        return web.json_response({})
    return see_other("/me")
