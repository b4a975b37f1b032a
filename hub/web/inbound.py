"""Messages of other systems, at `/inbound/NAME`: each proves by itself who sent it."""

from __future__ import annotations

from aiohttp import web

from hub.web.security import DOORKEEPER, HOUSE, denial


async def receive(request: web.Request) -> web.Response:
    """Hand one message to the house; who guesses is slowed down, by address."""
    guesses = request.app[DOORKEEPER].by_proof
    key = ("inbound", request.remote or "")
    if wait := guesses.wait(key):
        slow = denial(429, "Too many messages that prove nothing.", "Wait, then mend the proof.")
        slow.headers["Retry-After"] = str(max(1, round(wait)))
        return slow
    body = await request.read()
    answer = await request.app[HOUSE].receive(request.match_info["name"], request.headers, body)
    if not answer.proven:
        guesses.count(key)
    response = web.json_response(dict(answer.body), status=answer.status)
    if answer.retry_after:
        response.headers["Retry-After"] = str(answer.retry_after)
    return response
