"""`Idempotency-Key`: who asks again, having heard no answer, gets the same answer, and nothing is
done twice, also across a restart of the hub.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from typing import Any

from aiohttp import web

from hub.errors import StateError
from hub.identity import repeated
from hub.identity.repeated import Asking, Done
from hub.web.contract import KEY, Contract, Handler, read
from hub.web.problems import Denied
from hub.web.security import HOUSE, who_is

HEADER = "Idempotency-Key"
REPEATED = "Idempotency-Repeated"
LONGEST = 200

UNDER_WAY: web.AppKey[set[tuple[str, str]]] = web.AppKey("under_way", set)


def speaking(contract: Contract, handler: Handler) -> Handler:
    """The handler behind what its contract says: query and body are checked, an act is done once
    under its key.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        if contract.not_by_token and who_is(request).kind == "token":
            raise Denied(403, contract.not_by_token, "Sign in: a program cannot do this.")
        key = _key(request) if contract.takes is not None else ""
        await read(request, contract)
        if not key:
            return await handler(request)
        if not contract.acts_once:
            request[KEY] = key
            return await handler(request)
        return await _once(request, contract, handler, key)

    handle.__doc__ = handler.__doc__
    return handle


def _key(request: web.Request) -> str:
    """The key that was sent, if any. Raises `Denied`."""
    if HEADER not in request.headers:
        return ""
    key = request.headers[HEADER]
    if len(request.headers.getall(HEADER)) > 1 or not _fit(key):
        hint = f"Send once 1 to {LONGEST} letters, digits or signs without spaces, such as a UUID."
        raise Denied(422, f"The {HEADER} cannot be used.", hint)
    return key


def _fit(key: str) -> bool:
    return 1 <= len(key) <= LONGEST and all("!" <= each <= "~" for each in key)


async def _once(
    request: web.Request, contract: Contract, handler: Handler, key: str
) -> web.StreamResponse:
    house, under_way = request.app[HOUSE], request.app[UNDER_WAY]
    content, now = await _content(request), house.clock.now()
    asking = repeated.asking(who_is(request), key, content, now)
    mine = (asking.sender, key)
    if mine in under_way:
        raise Denied(409, "The same request is still under way.", "Wait, then send it once more.")
    under_way.add(mine)
    try:
        done: Done | None = await house.journal_read(lambda c: repeated.before(c, asking))
        if done is not None and done.content != asking.content:
            raise Denied(
                422, f"Something else was sent under this {HEADER}.", "Each act has its own key."
            )
        if done is not None and (answer := _repeated(contract, done)) is not None:
            return answer
        request[KEY] = hashlib.sha256("\0".join(mine).encode()).hexdigest()[:32]
        with repeated.acting(asking):
            said = await handler(request)
        await _keep(request, contract, asking, said)
        return said
    finally:
        under_way.discard(mine)


def _repeated(contract: Contract, done: Done) -> web.Response | None:
    """The answer to what was done before; None where it is to be done again, since the act itself
    sees to it that it is one.
    """
    if done.status:
        return _answer(done.status, done.answer)
    if contract.recalled is not None and done.note:
        return _answer(contract.status, json.dumps(contract.recalled(done.note)))
    if contract.secret:
        hint = "What it told is told only once. To do it again, send another key."
        raise Denied(409, "This was done before.", hint)
    return None


def _answer(status: int, text: str) -> web.Response:
    if not text:
        return web.Response(status=status, headers={REPEATED: "true"})
    return web.json_response(text=text, status=status, headers={REPEATED: "true"})


async def _keep(
    request: web.Request, contract: Contract, asking: Asking, said: web.StreamResponse
) -> None:
    """Keep what was answered; what was refused is asked afresh next time."""
    text: Any = said.text if isinstance(said, web.Response) and said.body else ""
    if said.status >= 400 or contract.secret:
        return
    with suppress(StateError):  # it is done, and that it is was written with it
        await request.app[HOUSE].journal_write(
            lambda c: repeated.keep(c, asking, said.status, text)
        )


async def _content(request: web.Request) -> str:
    """A digest of what is asked: whatever differs is another act."""
    whole = hashlib.sha256(f"{request.method} {request.path_qs}\0".encode("utf-8", "replace"))
    whole.update(await request.read())
    return whole.hexdigest()
