"""Signing in and out, the first account, and one's own sessions."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from aiohttp import web

from hub.errors import Refused, StateError
from hub.identity import accounts, pins
from hub.identity.accounts import OpenedSession
from hub.identity.browsers import browsers_of
from hub.identity.passwords import MIN_LENGTH, check_strength
from hub.identity.permissions import PERMISSIONS
from hub.rulebook import person_of
from hub.web.render import html, page
from hub.web.security import (
    DOORKEEPER,
    FORM_COOKIE,
    HOUSE,
    SESSION_COOKIE,
    form_is_ours,
    form_secret,
    local_path,
    see_other,
    set_form_secret,
    set_session,
    who_is,
)
from hub.web.words import span

_WRONG = "The name or the password is not right."
_OLD_FORM = "This form was out of date. Please try once more."


async def form(request: web.Request) -> web.Response:
    """The sign-in form; somebody already signed in goes on."""
    onward = local_path(request.query.get("next", "/"))
    if await request.app[DOORKEEPER].recognise(request) is not None:
        return see_other(onward)
    return _stranger_form(request, "signin.html", next=onward, name="", problem="")


async def enter(request: web.Request) -> web.Response:
    """Check the name and password; the same answer and the same time for any wrong pair."""
    fields = await request.post()
    name = accounts.plain_name(_text(fields.get("name"))[:200])
    onward = local_path(_text(fields.get("next")) or "/")

    def again(status: int, problem: str) -> web.Response:
        return _stranger_form(
            request, "signin.html", status=status, next=onward, name=name, problem=problem
        )

    if not await form_is_ours(request, request.cookies.get(FORM_COOKIE, "")):
        return again(403, _OLD_FORM)
    keeper, house = request.app[DOORKEEPER], request.app[HOUSE]
    address = request.remote or ""
    pair = (name, address)
    wait = max(keeper.by_name.wait(pair), keeper.by_address.wait((address,)))
    if wait > 0:
        answer = again(429, f"Too many tries. Wait {span(wait + 1)}, then try again.")
        answer.headers["Retry-After"] = str(int(wait) + 1)
        return answer
    keeper.by_name.count(pair)
    keeper.by_address.count((address,))
    stored = await house.journal_read(lambda c: accounts.password_hash_of(c, name))
    try:
        right = await keeper.passwords.matches(stored, _text(fields.get("password")))
    except Refused as refusal:
        return again(503, str(refusal))
    if not right:
        # What was typed as a name may be a password: only a name that there is is kept.
        with suppress(StateError):
            await house.audit.refused(name if stored is not None else "")
        return again(401, _WRONG)
    keeper.by_name.clear(pair)
    keeper.by_address.forgive((address,))
    return await _signed_in(request, name, onward)


async def _signed_in(request: web.Request, name: str, onward: str) -> web.Response:
    house, before = request.app[HOUSE], request.cookies.get(SESSION_COOKIE, "")
    now = house.clock.now()

    def open_one(conn: Any) -> OpenedSession:
        if before:
            accounts.end_session(conn, accounts.digest(before), now)
        return accounts.open_session(conn, name, now)

    opened: OpenedSession = await house.journal_write(open_one)
    request.app[DOORKEEPER].forget()
    answer = see_other(onward)
    set_session(answer, request, opened.secret)
    answer.del_cookie(FORM_COOKIE, path="/")
    return answer


async def leave(request: web.Request) -> web.Response:
    """Sign this session out, for good."""
    house, who = request.app[HOUSE], who_is(request)
    now = house.clock.now()
    if who.kind == "session":
        await house.journal_write(lambda c: accounts.end_session(c, who.digest, now))
        request.app[DOORKEEPER].forget()
    answer = see_other("/signin")
    answer.del_cookie(SESSION_COOKIE, path="/")
    return answer


async def account(request: web.Request) -> web.Response:
    """Who one is here, what one may do, and where one is signed in."""
    return await account_page(request)


async def account_page(request: web.Request, status: int = 200, problem: str = "") -> web.Response:
    """The page of one's account, with what went wrong when somebody pressed a button there."""
    house, who = request.app[HOUSE], who_is(request)
    now = house.clock.now()
    known = await house.journal_read(lambda c: accounts.sessions_of(c, who.name, now))
    told = await house.journal_read(lambda c: browsers_of(c, who.name))
    return await page(
        request,
        "me.html",
        status=status,
        problem=problem,
        pins_set=await house.journal_read(lambda c: pins.hashes_of(c, who.name)) is not None,
        sessions=known,
        permissions=PERMISSIONS,
        browsers=told,
        push=next(iter((await house.push_keys()).items()), None),
        addressed=bool(person_of(house.config.people, who.name)),
    )


async def sign_out_others(request: web.Request) -> web.Response:
    """End every session of this person but the present one."""
    house, who = request.app[HOUSE], who_is(request)
    now = house.clock.now()
    if who.kind == "session":
        await house.journal_write(
            lambda c: accounts.end_other_sessions(c, who.name, who.digest, now)
        )
        request.app[DOORKEEPER].forget()
    return see_other("/me")


async def setup_form(request: web.Request) -> web.Response:
    """The form behind a one-time link, which makes the first account."""
    house, link = request.app[HOUSE], request.match_info["link"]
    now = house.clock.now()
    works = await house.journal_read(lambda c: accounts.setup_link_open(c, link, now))
    if not works:
        return _used_up(request)
    return _stranger_form(request, "setup.html", link=link, name="", problem="", least=MIN_LENGTH)


async def setup(request: web.Request) -> web.Response:
    """Make the first account, use the link up, and sign the person in."""
    house, link = request.app[HOUSE], request.match_info["link"]
    keeper, fields = request.app[DOORKEEPER], await request.post()
    name, password = _text(fields.get("name"))[:200], _text(fields.get("password"))

    def again(status: int, problem: str) -> web.Response:
        return _stranger_form(
            request,
            "setup.html",
            status=status,
            link=link,
            name=name,
            problem=problem,
            least=MIN_LENGTH,
        )

    if not await form_is_ours(request, request.cookies.get(FORM_COOKIE, "")):
        return again(403, _OLD_FORM)
    now = house.clock.now()
    if not await house.journal_read(lambda c: accounts.setup_link_open(c, link, now)):
        return _used_up(request)
    if password != _text(fields.get("again")):
        return again(422, "The two passwords are not the same.")
    try:
        accounts.clean_name(name)
        check_strength(password)
        made = await keeper.passwords.hash(password)
        opened: OpenedSession = await house.journal_write(
            lambda c: accounts.use_setup_link(c, link, name, made, now)
        )
    except Refused as refusal:
        return again(422, str(refusal))
    keeper.forget()
    answer = see_other("/")
    set_session(answer, request, opened.secret)
    answer.del_cookie(FORM_COOKIE, path="/")
    return answer


def _text(field: object) -> str:
    return field if isinstance(field, str) else ""


def _used_up(request: web.Request) -> web.Response:
    return html(
        request,
        "error.html",
        status=410,
        error="This link no longer works.",
        hint="It was used, it ran out, or an account exists already. Sign in, or ask whoever runs "
        "the hub for 'vestibule users add'.",
    )


def _stranger_form(
    request: web.Request, template: str, *, status: int = 200, **values: Any
) -> web.Response:
    secret = form_secret(request)
    answer = html(request, template, status=status, csrf=secret, **values)
    set_form_secret(answer, request, secret)
    return answer
