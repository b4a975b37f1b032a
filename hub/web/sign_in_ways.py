"""How one signs in: the password, an authenticator app, passkeys and recovery codes.

Whoever adds or takes away one of these gives the password once more: an open page is not enough.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web
from markupsafe import Markup

from hub.errors import Refused
from hub.identity import factors, passkeys
from hub.identity.accounts import Identity
from hub.identity.passwords import MIN_LENGTH
from hub.web.language import gettext as _
from hub.web.me import new_password, password_trouble
from hub.web.render import page
from hub.web.security import DOORKEEPER, HOUSE, SIGNED_IN, WHO, form_text, see_other, who_is
from hub.web.sign_in_steps import SIGN_IN_STEPS, site_of, too_often
from hub.web.words import sentence

PAGE = "/me/sign-in"


async def show(request: web.Request) -> web.Response:
    """The page of how one signs in."""
    return await ways_page(request)


async def ways_page(
    request: web.Request, status: int = 200, problem: str = "", **fresh: Any
) -> web.Response:
    """The page, with what went wrong, or with what is shown this once."""
    house, who = request.app[HOUSE], who_is(request)
    found = await house.journal_read(lambda c: _ways(c, who))
    waiting = found.pop("waiting")
    shown = {"picture": "", "secret": ""}
    if waiting:
        address = factors.address_for(waiting, who.name, house.config.hub.name)
        shown = {"picture": picture(address), "secret": in_fours(waiting)}
    owes = request.app[DOORKEEPER].owes_factor(who)
    return await page(
        request,
        "sign_in_ways_owed.html" if owes else "sign_in_ways.html",
        status=status,
        problem=problem,
        least=MIN_LENGTH,
        host=site_of(request).host,
        codes=fresh.get("codes", []),
        done=fresh.get("done", ""),
        **shown,
        **found,
    )


def _ways(conn: Any, who: Identity) -> dict[str, Any]:
    return {
        "factors": factors.factors_of(conn, who.name),
        "waiting": factors.waiting_authenticator(conn, who.name),
        "passkeys": passkeys.passkeys_of(conn, who.name),
    }


def picture(address: str) -> Markup:
    """A QR code as SVG, dark on light whatever the page is, with nothing that a policy forbids."""
    import segno

    made = segno.make(address, error="m", micro=False)
    drawn = made.svg_inline(border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr")
    return Markup(drawn)  # noqa: S704  # a path of whole numbers, with nothing of the address in it


def in_fours(text: str) -> str:
    """A secret as people type it: in groups of four."""
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


async def change_password(request: web.Request) -> web.Response:
    """Set another password; every other session of theirs ends."""
    status, problem = await password_trouble(request)
    if not problem and (problem := await new_password(request)):
        status = 422
    if problem:
        return await ways_page(request, status, problem)
    return await ways_page(
        request, done=_("The password is changed. You are signed out elsewhere.")
    )


async def begin_authenticator(request: web.Request) -> web.Response:
    """Show what an authenticator app needs; it counts once it has shown a code."""
    house, who = request.app[HOUSE], who_is(request)
    status, problem = await password_trouble(request)
    if problem:
        return await ways_page(request, status, problem)
    now = house.clock.now()
    try:
        await house.journal_write(lambda c: factors.begin_authenticator(c, who.name, now))
    except Refused as refusal:
        return await ways_page(request, 409, sentence(str(refusal)))
    return see_other(f"{PAGE}#app")


async def confirm_authenticator(request: web.Request) -> web.Response:
    """Take the first code of the app; recovery codes come with the first factor, this once."""
    house, who, steps = request.app[HOUSE], who_is(request), request.app[SIGN_IN_STEPS]
    if (wait := steps.by_code.wait((who.name,))) > 0:
        return await ways_page(request, 429, too_often(wait))
    steps.by_code.count((who.name,))
    code, now = form_text((await request.post()).get("code"), 100), house.clock.now()
    codes: list[str] | None = await house.journal_write(
        lambda c: factors.confirm_authenticator(c, who.name, code, who.digest, now)
    )
    if codes is None:
        wrong = _("This code is not right. The clock of the phone has to be right to the minute.")
        return await ways_page(request, 401, wrong)
    steps.by_code.clear((who.name,))
    return await added(request, codes, _("The app is set up. Its codes are asked for from now on."))


async def added(request: web.Request, codes: list[str], done: str) -> web.Response:
    """The page after a new factor: the session may now go everywhere."""
    keeper = request.app[DOORKEEPER]
    keeper.forget()
    if (who := await keeper.recognise(request, afresh=True)) is not None:
        request[WHO] = who
    return await ways_page(request, codes=codes, done=done)


async def remove_authenticator(request: web.Request) -> web.Response:
    """Take the app away."""
    house, who = request.app[HOUSE], who_is(request)
    status, problem = await password_trouble(request)
    if problem:
        return await ways_page(request, status, problem)
    now = house.clock.now()
    await house.journal_write(lambda c: factors.remove_authenticator(c, who.name, who.digest, now))
    request.app[DOORKEEPER].forget()
    return see_other(PAGE)


async def remove_passkey(request: web.Request) -> web.Response:
    """Take a passkey away."""
    house, who, id_ = request.app[HOUSE], who_is(request), request.match_info["id"]
    status, problem = await password_trouble(request)
    if problem:
        return await ways_page(request, status, problem)
    now = house.clock.now()
    try:
        await house.journal_write(lambda c: passkeys.remove(c, who.name, id_, who.digest, now))
    except KeyError:
        raise web.HTTPNotFound from None
    request.app[DOORKEEPER].forget()
    return see_other(PAGE)


async def new_codes(request: web.Request) -> web.Response:
    """Ten new recovery codes in place of those there were, shown this once."""
    house, who = request.app[HOUSE], who_is(request)
    status, problem = await password_trouble(request)
    if problem:
        return await ways_page(request, status, problem)
    now = house.clock.now()

    def work(conn: Any) -> list[str]:
        has = factors.has_factor(conn, who.name)
        return factors.new_recovery_codes(conn, who.name, now) if has else []

    codes = await house.journal_write(work)
    return await ways_page(request, codes=codes)


LINES = (
    ("GET", PAGE, SIGNED_IN, show),
    ("POST", "/me/password", SIGNED_IN, change_password),
    ("POST", "/me/authenticator", SIGNED_IN, begin_authenticator),
    ("POST", "/me/authenticator/confirm", SIGNED_IN, confirm_authenticator),
    ("POST", "/me/authenticator/remove", SIGNED_IN, remove_authenticator),
    ("POST", "/me/passkeys/{id}/remove", SIGNED_IN, remove_passkey),
    ("POST", "/me/recovery-codes", SIGNED_IN, new_codes),
)
