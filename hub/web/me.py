"""One's own account: what one may do, where one is signed in, and one's password."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from aiohttp import web

from hub.errors import Refused, StateError
from hub.identity import accounts, pins
from hub.identity.browsers import browsers_of
from hub.identity.passwords import check_strength
from hub.identity.permissions import PERMISSIONS
from hub.rule_settings import person_of
from hub.web import sign_in_changes
from hub.web.language import gettext as _
from hub.web.language import mark
from hub.web.readers import choices, chosen_by
from hub.web.render import page
from hub.web.security import DOORKEEPER, HOUSE, SIGNED_IN, form_text, see_other, who_is
from hub.web.sign_in_steps import around, breached_list, too_often
from hub.web.words import sentence

SHOWN = 16  # digits of a session's digest, which tell it from one's others
WAYS = {
    "setup": mark("by a set-up link"),
    "password": mark("with the password"),
    "code": mark("with the password and a code"),
    "recovery": mark("with the password and a recovery code"),
    "passkey": mark("with a passkey"),
    "provider": mark("with the school's own account"),
}


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
        changed=await sign_in_changes.every(request),
        ways=WAYS,
        permissions=PERMISSIONS,
        browsers=told,
        push=next(iter((await house.push_keys()).items()), None),
        addressed=bool(person_of(house.config.people, who.name)),
        languages=choices(),
        chosen_language=await chosen_by(request, who),
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


async def end_one(request: web.Request) -> web.Response:
    """End one of one's sessions."""
    house, who, id_ = request.app[HOUSE], who_is(request), request.match_info["id"]
    now = house.clock.now()

    def work(conn: Any) -> bool:
        found = [e["digest"] for e in accounts.sessions_of(conn, who.name, now)]
        mine = next((each for each in found if each[:SHOWN] == id_), None)
        if mine is not None:
            accounts.end_session(conn, mine, now)
        return mine is not None

    if who.kind != "session" or not await house.journal_write(work):
        raise web.HTTPNotFound
    request.app[DOORKEEPER].forget()
    return see_other("/me")


async def password_trouble(request: web.Request) -> tuple[int, str]:
    """What is wrong with the password that comes along, which proves that it is really they; 0
    where nothing is. An open page is not enough to change how somebody signs in.
    """
    house, who, keeper = request.app[HOUSE], who_is(request), request.app[DOORKEEPER]
    if who.kind != "session":
        return 409, _("Only a person does this, signed in as themselves.")
    pair = (who.name, request.remote or "")
    if (wait := keeper.by_name.wait(pair)) > 0:
        return 429, too_often(wait)
    keeper.by_name.count(pair)
    given = form_text((await request.post()).get("password"))
    stored = await house.journal_read(lambda c: accounts.password_hash_of(c, who.name))
    try:
        if not await keeper.passwords.matches(stored, given):
            with suppress(StateError):
                await house.audit.refused(who.name)
            return 401, _("The password is not right.")
    except Refused as refusal:
        return 503, sentence(str(refusal))
    keeper.by_name.clear(pair)
    return 0, ""


async def new_password(request: web.Request) -> str:
    """Take the new password of a form for whoever signed in, who is then signed out elsewhere.
    Returns what is wrong with it; empty when it is kept.
    """
    house, who, fields = request.app[HOUSE], who_is(request), await request.post()
    new = form_text(fields.get("new"))
    if new != form_text(fields.get("again")):
        return _("The two passwords are not the same.")
    try:
        check_strength(new)
        made = await request.app[DOORKEEPER].passwords.hash(
            new, around(request, who.name), await breached_list(request)
        )
    except Refused as refusal:
        return sentence(str(refusal))
    now = house.clock.now()
    await house.journal_write(
        lambda c: accounts.set_password(c, who.name, made, now, keep=who.digest)
    )
    request.app[DOORKEEPER].forget()
    return ""


LINES = (
    ("GET", "/me", SIGNED_IN, account),
    ("POST", "/me/signout-others", SIGNED_IN, sign_out_others),
    ("POST", "/me/sessions/{id}/end", SIGNED_IN, end_one),
)
