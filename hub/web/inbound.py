"""Messages of other systems, at `/inbound/NAME`: each proves by itself who sent it."""

from __future__ import annotations

import asyncio

from aiohttp import web

from hub.web.connections import CONNECTIONS
from hub.web.problems import denial
from hub.web.security import DOORKEEPER, HOUSE

READ_S = 20.0  # for a whole message, from whoever sends one: nobody has proven anything yet
READ_SLOWED_S = 5.0  # from an address that has sent much that proves nothing


async def receive(request: web.Request) -> web.Response:
    """Hand one message to the house. An address that sends much that proves nothing is told to
    wait; what is proven is taken whatever came before it: no stranger's flood keeps a report out.
    """
    guesses = request.app[DOORKEEPER].by_proof
    # Each name by itself: behind a proxy one sender with a wrong secret would silence all others.
    key = ("inbound", request.remote or "", request.match_info["name"][:100])
    wait = guesses.wait(key)
    try:
        async with asyncio.timeout(READ_SLOWED_S if wait else READ_S):
            body = await request.read()
    except TimeoutError:
        return denial(408, "The message did not come in time.", "Send it again, at once.")
    answer = await request.app[HOUSE].receive(request.match_info["name"], request.headers, body)
    if not answer.proven and wait:
        slow = denial(429, "Too many messages that prove nothing.", "Wait, then mend the proof.")
        slow.headers["Retry-After"] = str(max(1, round(wait)))
        return slow
    if answer.proven:
        request.app[CONNECTIONS].know(request)
    else:
        guesses.count(key)
    if answer.status >= 400:
        response = denial(answer.status, answer.body["error"], answer.body["hint"])
    else:
        response = web.json_response(dict(answer.body), status=answer.status)
    if answer.retry_after:
        response.headers["Retry-After"] = str(answer.retry_after)
    return response
