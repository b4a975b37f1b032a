"""Signing in with name and password, the second step where there is one, and signing out."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from aiohttp import web

from hub.errors import Refused, StateError
from hub.identity import accounts
from hub.identity.factors import Factors, code_is_right, factors_of
from hub.identity.pending import of_account
from hub.identity.throttle import network_of
from hub.web.language import gettext as _
from hub.web.security import (
    DOORKEEPER,
    FORM_COOKIE,
    HOUSE,
    form_is_ours,
    form_text,
    local_path,
    see_other,
    session_cookie,
    who_is,
)
from hub.web.sign_in_steps import (
    SIGN_IN_STEPS,
    hand_over,
    old_form,
    open_session,
    stranger_form,
    too_often,
)
from hub.web.words import sentence

STEPS = 5  # wrong codes until somebody begins with the password again


async def form(request: web.Request) -> web.Response:
    """The sign-in form; somebody already signed in goes on."""
    onward = local_path(request.query.get("next", "/"))
    if await request.app[DOORKEEPER].recognise(request) is not None:
        return see_other(onward)
    idle = request.query.get("idle") == "1"
    said = ""
    if idle:
        said = _("You were signed out: nobody did anything here for a while.")
    elif request.query.get("left") == "1":
        said = _("You are signed out. Sign in, and you are back where you were.")
    dark = request.query.get("dark") == "1"  # it came from a page on which a lockdown is in force
    return signin_form(request, next=onward, problem=said, dark=dark)


def signin_form(
    request: web.Request,
    status: int = 200,
    *,
    next: str = "/",
    name: str = "",
    problem: str = "",
    wait: float = 0.0,
    dark: bool = False,
) -> web.Response:
    """The form, with the ways that there are; `dark` keeps a telephone dark."""
    provider = request.app[HOUSE].config.hub.sign_in.provider
    return stranger_form(
        request,
        "sign_in.html",
        status=status,
        wait=wait,
        next=next,
        name=name,
        problem=problem,
        locked_down=dark,
        provider=provider.name if provider else "",
    )


async def enter(request: web.Request) -> web.Response:
    """Check the name and password; the same answer and the same time for any wrong pair."""
    fields = await request.post()
    name = accounts.plain_name(form_text(fields.get("name"))[:200])
    onward = local_path(form_text(fields.get("next")) or "/")

    def again(status: int, problem: str, wait: float = 0.0) -> web.Response:
        return signin_form(request, status, next=onward, name=name, problem=problem, wait=wait)

    if not await form_is_ours(request, request.cookies.get(FORM_COOKIE, "")):
        return again(403, old_form())
    keeper, house = request.app[DOORKEEPER], request.app[HOUSE]
    address = network_of(request.remote or "")
    pair = (name, address)
    wait = max(keeper.by_name.wait(pair), keeper.by_address.wait((address,)))
    if wait > 0:
        return again(429, too_often(wait), wait)
    keeper.by_name.count(pair)
    keeper.by_address.count((address,))
    stored = await house.journal_read(lambda c: accounts.password_hash_of(c, name))
    try:
        right = await keeper.passwords.matches(stored, form_text(fields.get("password")))
    except Refused as refusal:
        return again(503, sentence(str(refusal)))
    if not right:
        # What was typed as a name may be a password: only a name that there is is kept.
        with suppress(StateError):
            await house.audit.refused(name if stored is not None else "")
        return again(401, _("The name or the password is not right."))
    keeper.by_name.clear(pair)
    keeper.by_address.forgive((address,))
    factors: Factors = await house.journal_read(lambda c: factors_of(c, name))
    if factors.any:
        browser = request.cookies.get(FORM_COOKIE, "")
        step = request.app[SIGN_IN_STEPS].pending.begin(
            "code", browser, of_account(name), name=name, next=onward, tries=0
        )
        return see_other(f"/signin/code?step={step}")
    return await signed_in(request, name, "password", onward)


async def signed_in(request: web.Request, name: str, way: str, onward: str) -> web.Response:
    """Open a session for somebody who has proven who they are, and lead them on."""
    try:
        opened = await open_session(request, name, way)
    except Refused as refusal:
        return signin_form(request, 403, next=onward, name=name, problem=sentence(str(refusal)))
    return hand_over(see_other(onward), request, opened)


# ------------------------------------------------------------------------- the second step


async def code_form(request: web.Request) -> web.Response:
    """The form for the code of an app, a recovery code, or a passkey."""
    return await _code_form(request, request.query.get("step", ""))


async def _code_form(
    request: web.Request, step: str, status: int = 200, problem: str = "", wait: float = 0.0
) -> web.Response:
    begun = _begun(request, step)
    if begun is None:
        late = _("That took too long. Please begin with your password again.")
        return signin_form(request, 410, problem=late)
    name = begun["name"]
    factors = await request.app[HOUSE].journal_read(lambda c: factors_of(c, name))
    return stranger_form(
        request,
        "sign_in_code.html",
        status=status,
        wait=wait,
        step=step,
        next=begun["next"],
        factors=factors,
        problem=problem,
    )


def _begun(request: web.Request, step: str) -> dict[str, Any] | None:
    browser = request.cookies.get(FORM_COOKIE, "")
    return request.app[SIGN_IN_STEPS].pending.look("code", browser, step)


async def enter_code(request: web.Request) -> web.Response:
    """Take a code, once; whoever guesses waits longer each time, then begins anew."""
    fields, steps, house = await request.post(), request.app[SIGN_IN_STEPS], request.app[HOUSE]
    step = form_text(fields.get("step"), 100)
    if not await form_is_ours(request, request.cookies.get(FORM_COOKIE, "")):
        return await _code_form(request, step, 403, old_form())
    begun = _begun(request, step)
    if begun is None:
        return await _code_form(request, step)
    name, now = begun["name"], house.clock.now()
    if (wait := steps.by_code.wait((name,))) > 0:
        return await _code_form(request, step, 429, too_often(wait), wait)
    steps.by_code.count((name,))
    given = form_text(fields.get("code"), 100)
    kind = await house.journal_write(lambda c: code_is_right(c, name, given, now))
    if kind is None:
        with suppress(StateError):
            await house.audit.refused(name)
        begun["tries"] += 1
        if begun["tries"] >= STEPS:
            steps.pending.drop(step)
        return await _code_form(
            request, step, 401, _("This code is not right, or it was used before.")
        )
    steps.by_code.clear((name,))
    steps.pending.drop(step)
    return await signed_in(request, name, kind, begun["next"])


# ------------------------------------------------------------------------------- out again


async def leave(request: web.Request) -> web.Response:
    """Sign this session out, for good."""
    house, who = request.app[HOUSE], who_is(request)
    now = house.clock.now()
    if who.kind == "session":
        await house.journal_write(lambda c: accounts.end_session(c, who.digest, now))
        request.app[DOORKEEPER].forget()
    answer = see_other("/signin/out" if who.way == "provider" else "/signin")
    answer.del_cookie(
        session_cookie(request), path="/", secure=request.secure, httponly=True, samesite="Lax"
    )
    return answer
