"""Acts of great weight ask once more who it is: giving roles, taking factors away, making tokens.

Whoever has signed in within the last minutes goes on; anybody else gives the password, a code of
their app or their passkey, on a page that then does what was asked. Programs are not asked: their
token is all that they have.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import wraps
from urllib.parse import quote, urlsplit

from aiohttp import web

from hub.identity import accounts
from hub.identity.factors import Factors, app_code_is_right, factors_of
from hub.web.language import gettext as _
from hub.web.me import password_trouble
from hub.web.problems import denial
from hub.web.render import page
from hub.web.security import CSRF_FIELD, HOUSE, form_text, is_api, local_path, who_is
from hub.web.sign_in_steps import SIGN_IN_STEPS, too_often
from hub.web.words import span

LASTS = timedelta(minutes=10)
PASSWORD, CODE = "password", "proof-code"
_NOT_KEPT = frozenset({CSRF_FIELD, PASSWORD, CODE})
Handler = Callable[[web.Request], Awaitable[web.Response]]


def proven(handler: Handler) -> Handler:
    """The same, for whoever has shown within the last minutes who they are."""

    @wraps(handler)
    async def first(request: web.Request) -> web.Response:
        asks = await _ask(request)
        return await handler(request) if asks is None else asks

    return first


def shown_lately(request: web.Request) -> bool:
    """Whether this session began, or its owner has proven themselves in it, within minutes."""
    who, now = who_is(request), request.app[HOUSE].clock.now()
    if who.kind == "token":
        return True
    return timedelta(0) <= now - request.app[SIGN_IN_STEPS].proven_since(who) < LASTS


async def _ask(request: web.Request) -> web.Response | None:
    """The page that asks who it is; None where that is known."""
    if shown_lately(request):
        return None
    if is_api(request):
        hint = "Open the page 'People' and do it there, or sign in anew. Programs send a token."
        return denial(403, "This asks once more who you are.", hint)
    given = await request.post()
    status, problem = 403, ""
    if given.get(CODE):
        status, problem = await _code_trouble(request)
    elif given.get(PASSWORD):
        status, problem = await password_trouble(request)
    if not problem and (given.get(CODE) or given.get(PASSWORD)):
        request.app[SIGN_IN_STEPS].has_proven(who_is(request))
        return None
    return await _page(request, status, problem)


async def _page(request: web.Request, status: int, problem: str) -> web.Response:
    house, who = request.app[HOUSE], who_is(request)
    fields = [
        (name, value)
        for name, value in (await request.post()).items()
        if name not in _NOT_KEPT and isinstance(value, str)
    ]
    has: Factors = await house.journal_read(lambda c: factors_of(c, who.name))
    stored = await house.journal_read(lambda c: accounts.password_hash_of(c, who.name))
    provider = house.config.hub.sign_in.provider
    back = local_path(urlsplit(request.headers.get("Referer", "")).path or "/")
    return await page(
        request,
        "proof.html",
        status=status,
        problem=problem,
        action=request.path,
        fields=fields,
        factors=has,
        has_password=bool(stored),
        provider=provider.name if provider and not stored else "",
        again=f"/signin/provider?again=1&next={quote(back, safe='')}",
        back=back,
        lasts=span(LASTS.total_seconds()),
    )


async def _code_trouble(request: web.Request) -> tuple[int, str]:
    """What is wrong with the code of an app that comes along; nothing where it is right."""
    house, who, steps = request.app[HOUSE], who_is(request), request.app[SIGN_IN_STEPS]
    if (wait := steps.by_code.wait((who.name,))) > 0:
        return 429, too_often(wait)
    steps.by_code.count((who.name,))
    code, now = form_text((await request.post()).get(CODE), 100), house.clock.now()
    if not await house.journal_write(lambda c: app_code_is_right(c, who.name, code, now)):
        return 401, _("This code is not right, or it was used before.")
    steps.by_code.clear((who.name,))
    return 0, ""
