"""Behind a set-up link: the first account, or the password of one that somebody has made."""

from __future__ import annotations

from aiohttp import web

from hub.errors import Refused
from hub.identity import accounts
from hub.identity.accounts import OpenedSession
from hub.identity.passwords import MIN_LENGTH, check_strength
from hub.identity.setup_links import use_setup_link, whose_setup_link
from hub.web.language import gettext as _
from hub.web.render import html
from hub.web.security import (
    DOORKEEPER,
    FORM_COOKIE,
    HOUSE,
    PUBLIC,
    form_is_ours,
    form_text,
    see_other,
)
from hub.web.sign_in_steps import (
    around,
    breached_list,
    device_of,
    hand_over,
    old_form,
    stranger_form,
)
from hub.web.words import sentence


async def _whose(request: web.Request) -> str | None:
    house, link = request.app[HOUSE], request.match_info["link"]
    now = house.clock.now()
    whose: str | None = await house.journal_read(lambda c: whose_setup_link(c, link, now))
    return whose


def _form(
    request: web.Request, whose: str, status: int = 200, name: str = "", problem: str = ""
) -> web.Response:
    return stranger_form(
        request,
        "setup.html",
        status=status,
        link=request.match_info["link"],
        whose=whose,
        name=whose or name,
        problem=problem,
        least=MIN_LENGTH,
    )


async def setup_form(request: web.Request) -> web.Response:
    """The form behind a one-time link."""
    whose = await _whose(request)
    return _used_up(request) if whose is None else _form(request, whose)


async def setup(request: web.Request) -> web.Response:
    """Make the account or set its password, use the link up, and sign the person in."""
    house, link = request.app[HOUSE], request.match_info["link"]
    keeper, fields = request.app[DOORKEEPER], await request.post()
    name, password = form_text(fields.get("name"))[:200], form_text(fields.get("password"))
    whose = await _whose(request)
    if whose is None:
        return _used_up(request)

    def again(status: int, problem: str) -> web.Response:
        return _form(request, whose or "", status, name, problem)

    if not await form_is_ours(request, request.cookies.get(FORM_COOKIE, "")):
        return again(403, old_form())
    if password != form_text(fields.get("again")):
        return again(422, _("The two passwords are not the same."))
    now, device, address = house.clock.now(), device_of(request), request.remote or ""
    try:
        clean = whose or accounts.clean_name(name)
        check_strength(password)
        made = await keeper.passwords.hash(
            password, around(request, clean), await breached_list(request)
        )
        opened: OpenedSession | None = await house.journal_write(
            lambda c: use_setup_link(c, link, clean, made, now, device=device, address=address)
        )
    except Refused as refusal:
        return again(422, sentence(str(refusal)))
    keeper.forget()
    return see_other("/signin") if opened is None else hand_over(see_other("/"), request, opened)


def _used_up(request: web.Request) -> web.Response:
    return html(
        request,
        "error.html",
        status=410,
        error=_("This link no longer works."),
        hint=_(
            "It was used, it ran out, or an account exists already. Sign in, or ask whoever "
            "manages accounts for another link."
        ),
    )


LINES = (
    ("GET", "/setup/{link}", PUBLIC, setup_form),
    ("POST", "/setup/{link}", PUBLIC, setup),
)
