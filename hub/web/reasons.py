"""A reason, where the configuration asks for one: `hub.reason_for` names the permissions.

Whoever acts says why each time; whoever looks says so once in a quarter of an hour. A page asks, a
program sends the header `Reason`; either way it stands in the audit. Broken glass has its reason.
"""

from __future__ import annotations

import json
from urllib.parse import unquote

from aiohttp import web

from hub.clock import Clock
from hub.identity import reasons
from hub.identity.accounts import Identity
from hub.identity.permissions import NEVER_ASKED_WHY, PERMISSIONS
from hub.origin import present_origin
from hub.web.contract import Line
from hub.web.problems import denial
from hub.web.remembered import Remembered
from hub.web.render import page
from hub.web.security import (
    CSRF_FIELD,
    FORMS,
    HOUSE,
    SAFE_METHODS,
    SIGNED_IN,
    is_api,
    local_path,
    see_other,
    who_is,
)

HEADER = "Reason"
SHORTEST, LONGEST = 5, 300
HOLDS_S = 900.0
_FIELD = "reason"
_NOT_KEPT = frozenset({CSRF_FIELD, _FIELD})
_PARTS = ("/pictures/", "/media/", "/live")


class Reasons:
    """Who has said lately why they look."""

    def __init__(self, clock: Clock) -> None:
        self._given = Remembered[tuple[str, str], None](clock, HOLDS_S)

    def add(self, who: Identity, permission: str) -> None:
        """They have said it now."""
        self._given.keep((who.digest, permission), None)

    def holds(self, who: Identity, permission: str) -> bool:
        """Whether they have said it in the last quarter of an hour."""
        return (who.digest, permission) in self._given


REASONS: web.AppKey[Reasons] = web.AppKey("reasons", Reasons)


async def reason_asked(request: web.Request, permission: str) -> web.StreamResponse | None:
    """The answer that asks why; None where nobody asks, or it has been said."""
    house, who = request.app[HOUSE], who_is(request)
    wanted = house.config.hub.reason_for
    if permission not in wanted or permission in NEVER_ASKED_WHY:
        return None
    glass = house.glass.of(who.digest) if who.kind == "session" else None
    if glass is not None and permission in glass["permissions"]:
        return None
    looks = request.method in SAFE_METHODS
    if looks and request.app[REASONS].holds(who, permission):
        return None
    reason = await _said(request)
    if len(reason) < SHORTEST:
        return await _ask(request, permission)
    if looks:
        await _keep(request, permission, reason)
    elif (here := present_origin()) is not None:
        here.reason = reason
    return None


async def _keep(request: web.Request, permission: str, reason: str) -> None:
    """Written down first, then good for a quarter of an hour."""
    house, who = request.app[HOUSE], who_is(request)
    now = house.clock.now()
    await house.journal_write(lambda c: reasons.keep(c, who.by, permission, reason, now))
    request.app[REASONS].add(who, permission)


async def _said(request: web.Request) -> str:
    """The reason that comes along: in the header, in a form, or in a body that has one."""
    if HEADER in request.headers:
        return _plain(unquote(request.headers[HEADER], errors="replace"))
    if request.method in SAFE_METHODS:
        return ""
    if request.content_type in FORMS:
        return _plain(str((await request.post()).get(_FIELD, "")))
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError):
        return ""
    found = body.get(_FIELD) if isinstance(body, dict) else None
    return _plain(found) if isinstance(found, str) else ""


def _plain(text: str) -> str:
    return " ".join(text.encode("utf-8", "replace").decode().split())[:LONGEST]


async def _ask(request: web.Request, permission: str) -> web.StreamResponse:
    if is_api(request):
        hint = f"Send the header '{HEADER}' with {SHORTEST} to {LONGEST} characters, those beyond "
        hint += "ASCII in per cent form."
        return denial(403, "The configuration asks for a reason.", hint)
    if request.path.startswith(_PARTS):
        return web.Response(status=403, text="Say why you look: open the page of it first.")
    looks = request.method in SAFE_METHODS
    given = await request.post()
    fields = [
        (name, value)
        for name, value in given.items()
        if name not in _NOT_KEPT and isinstance(value, str)
    ]
    if looks:
        fields = [("for", permission), ("next", request.path_qs)]
    return await page(
        request,
        "reason.html",
        status=403 if looks else 422,
        action="/me/reason" if looks else request.path,
        fields=fields,
        what=PERMISSIONS[permission],
        shortest=SHORTEST,
        longest=LONGEST,
        looks=looks,
        problem=_FIELD in given,
    )


async def give(request: web.Request) -> web.Response:
    """Say why one looks, and go on to what one wanted to see."""
    fields = await request.post()
    permission, reason = str(fields.get("for", "")), _plain(str(fields.get(_FIELD, "")))
    onward = local_path(str(fields.get("next", "/")))
    if permission in request.app[HOUSE].config.hub.reason_for and len(reason) >= SHORTEST:
        await _keep(request, permission, reason)
    return see_other(onward)


LINES: tuple[Line, ...] = (("POST", "/me/reason", SIGNED_IN, give),)
