"""Signing in with the school's own account: to the identity provider and back.

Where the provider does not answer, the page says so and takes names and passwords as ever.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress

import structlog
from aiohttp import web

from hub.errors import NotReady, Refused, StateError
from hub.identity.openid import OLDEST_S, Person, Provider
from hub.identity.pending import of_address
from hub.identity.provider_accounts import come_in
from hub.identity.throttle import network_of
from hub.web.language import gettext as _
from hub.web.render import html
from hub.web.security import DOORKEEPER, HOUSE, PUBLIC, local_path, see_other
from hub.web.sign_in import signed_in, signin_form
from hub.web.sign_in_steps import SIGN_IN_STEPS, origin_of, too_often
from hub.web.words import sentence

PROVIDER_COOKIE = "vestibule_provider"
BACK = "/signin/provider/return"
WITHIN_S = 10.0
_LONGEST_CODE = 4096

log = structlog.get_logger(__name__)


def _provider(request: web.Request) -> Provider:
    """The provider of the configuration that runs. Raises `web.HTTPNotFound` without one."""
    settings = request.app[HOUSE].config.hub.sign_in.provider
    if settings is None:
        raise web.HTTPNotFound
    return request.app[SIGN_IN_STEPS].provider(settings)


def _down(request: web.Request, error: Exception, onward: str) -> web.Response:
    log.warning("the identity provider is of no use now", reason=str(error) or "it took too long")
    said = _(
        "Your school's sign-in does not answer. If you have a password of this hub, sign in with "
        "that."
    )
    return signin_form(request, 503, next=onward, problem=said)


async def begin(request: web.Request) -> web.Response:
    """Send the browser to the provider, with a state that only this browser can come back with."""
    provider, onward = _provider(request), local_path(request.query.get("next", "/"))
    anew = request.query.get("again") == "1"
    try:
        async with asyncio.timeout(WITHIN_S):
            begun = await provider.begin(origin_of(request) + BACK, anew)
    except (NotReady, TimeoutError) as error:
        return _down(request, error, onward)
    browser = secrets.token_urlsafe(24)
    request.app[SIGN_IN_STEPS].pending.begin(
        "provider",
        browser,
        of_address(request.remote),
        begun.state,
        nonce=begun.nonce,
        verifier=begun.verifier,
        next=onward,
        anew=anew,
    )
    answer = see_other(begun.address)
    answer.set_cookie(  # not Strict: the way back comes from another site
        PROVIDER_COOKIE, browser, max_age=300, path="/signin", httponly=True, samesite="Lax",
        secure=request.secure,
    )  # fmt: skip
    return answer


async def come_back(request: web.Request) -> web.Response:
    """Take the provider's answer, once, from the browser that was sent there."""
    provider, asked = _provider(request), request.query
    browser = request.cookies.get(PROVIDER_COOKIE, "")
    begun = request.app[SIGN_IN_STEPS].pending.take("provider", browser, asked.get("state", ""))
    if begun is None:
        late = _("That sign-in was begun elsewhere, or too long ago. Please begin anew.")
        return signin_form(request, 410, problem=late)
    onward, keeper = begun["next"], request.app[DOORKEEPER]
    address = (network_of(request.remote or ""),)
    if (wait := keeper.by_address.wait(address)) > 0:
        return signin_form(request, 429, next=onward, problem=too_often(wait), wait=wait)
    keeper.by_address.count(address)
    code, issuer = asked.get("code", ""), asked.get("iss", provider.settings.issuer)
    if issuer != provider.settings.issuer or not 0 < len(code) <= _LONGEST_CODE:
        off = _("Your school's sign-in was called off. Nobody was signed in.")
        return await _turned_down(request, onward, off)
    try:
        async with asyncio.timeout(WITHIN_S):
            person = await provider.finish(
                code, begun["verifier"], begun["nonce"], origin_of(request) + BACK
            )
        keeper.by_address.forgive(address)
        if begun["anew"] and _asked_before(request, person):
            return await _turned_down(request, onward, _not_asked())
        return await _enter(request, person, onward)
    except (NotReady, TimeoutError) as error:
        return _down(request, error, onward)
    except Refused as refusal:
        return await _turned_down(request, onward, sentence(str(refusal)))


def _asked_before(request: web.Request, person: Person) -> bool:
    """Whether the provider says itself that it has asked nobody now."""
    now = request.app[HOUSE].clock.now().timestamp()
    return person.asked is not None and now - person.asked > OLDEST_S


def _not_asked() -> str:
    return _("Your school's sign-in has not asked once more who you are.")


async def _enter(request: web.Request, person: Person, onward: str) -> web.Response:
    house = request.app[HOUSE]
    roles, now = house.config.roles, house.clock.now()
    name: str = await house.journal_write(lambda c: come_in(c, person, roles, now))
    answer = await signed_in(request, name, "provider", onward)
    answer.del_cookie(PROVIDER_COOKIE, path="/signin")
    return answer


async def _turned_down(request: web.Request, onward: str, problem: str) -> web.Response:
    with suppress(StateError):
        await request.app[HOUSE].audit.refused("")
    return signin_form(request, 403, next=onward, problem=problem)


async def out(request: web.Request) -> web.Response:
    """After signing out here: whoever came by the provider may still be signed in there."""
    settings = request.app[HOUSE].config.hub.sign_in.provider
    there = request.app[SIGN_IN_STEPS].provider(settings).sign_out_address() if settings else ""
    return html(
        request, "signed_out.html", address=there, provider=settings.name if settings else ""
    )


LINES = (
    ("GET", "/signin/provider", PUBLIC, begin),
    ("GET", BACK, PUBLIC, come_back),
    ("GET", "/signin/out", PUBLIC, out),
)
