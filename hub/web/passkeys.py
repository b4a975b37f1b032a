"""Passkeys at the web: what the script of a page asks for and sends back, as JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from aiohttp import web

from hub.errors import Refused, StateError
from hub.identity import passkeys
from hub.identity.passkeys import Passkey
from hub.identity.pending import of_account, of_address
from hub.identity.throttle import network_of
from hub.phrases import phrase
from hub.web.language import gettext as _
from hub.web.me import password_trouble
from hub.web.security import (
    DOORKEEPER,
    FORM_COOKIE,
    HOUSE,
    PUBLIC,
    SIGNED_IN,
    form_is_ours,
    form_text,
    local_path,
    who_is,
)
from hub.web.sign_in_steps import (
    SIGN_IN_STEPS,
    hand_over,
    old_form,
    open_session,
    site_of,
    too_often,
)
from hub.web.sign_in_ways import added
from hub.web.words import sentence


def _problem(status: int, problem: str) -> web.Response:
    return web.json_response({"problem": problem}, status=status)


async def _body(request: web.Request) -> Mapping[str, Any]:
    """The JSON object that a script sends; empty where it is none."""
    try:
        found = json.loads(await request.text())
    except (ValueError, LookupError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


# ------------------------------------------------------------------------------- signing in


async def ask_to_sign_in(request: web.Request) -> web.Response:
    """What the browser needs to offer the passkeys of this site."""
    browser = request.cookies.get(FORM_COOKIE, "")
    if not await form_is_ours(request, browser):
        return _problem(403, old_form())
    options, challenge = await asyncio.to_thread(passkeys.to_sign_in, site_of(request))
    request.app[SIGN_IN_STEPS].pending.begin(
        "passkey", browser, of_address(request.remote), challenge
    )
    return web.json_response(text=options)


async def sign_in(request: web.Request) -> web.Response:
    """Sign somebody in by the answer of their passkey, which works once."""
    browser, keeper = request.cookies.get(FORM_COOKIE, ""), request.app[DOORKEEPER]
    address = (network_of(request.remote or ""),)
    if not await form_is_ours(request, browser):
        return _problem(403, old_form())
    if (wait := keeper.by_address.wait(address)) > 0:
        return _problem(429, too_often(wait))
    keeper.by_address.count(address)
    body = await _body(request)
    given = body.get("credential")
    credential = given if isinstance(given, dict) else {}
    challenge = passkeys.challenge_in(credential)
    if request.app[SIGN_IN_STEPS].pending.take("passkey", browser, challenge) is None:
        return _problem(410, _("That took too long. Please try once more."))
    try:
        name = await _proven(request, credential, challenge)
        opened = await open_session(request, name, "passkey")
    except Refused as refusal:
        with suppress(StateError):
            await request.app[HOUSE].audit.refused("")
        return _problem(401, sentence(str(refusal)))
    keeper.by_address.forgive(address)
    onward = local_path(form_text(body.get("next")) or "/")
    return hand_over(web.json_response({"next": onward}), request, opened)


async def _proven(request: web.Request, credential: dict[str, Any], challenge: str) -> str:
    """Whose passkey has answered. Raises `Refused`."""
    house, now = request.app[HOUSE], request.app[HOUSE].clock.now()
    id_, site = form_text(credential.get("id")), site_of(request)
    key: Passkey | None = None
    if id_.isascii():
        key = await house.journal_read(lambda c: passkeys.passkey(c, id_))
    if key is None:
        raise Refused(phrase("This passkey is not known here. It may have been taken away."))
    count = await asyncio.to_thread(passkeys.signed_by, site, key, credential, challenge)
    if not await house.journal_write(lambda c: passkeys.used(c, key, count, now)):
        raise Refused(phrase("This passkey was used twice at once. Please try once more."))
    return key.user


# ------------------------------------------------------------------- proving it once more


async def ask_for_proof(request: web.Request) -> web.Response:
    """What the browser needs to ask somebody who is signed in for their passkey."""
    who = who_is(request)
    if who.kind != "session":
        return _problem(409, _("Only a person does this, signed in as themselves."))
    options, challenge = await asyncio.to_thread(passkeys.to_sign_in, site_of(request))
    request.app[SIGN_IN_STEPS].pending.begin("proof", who.digest, of_account(who.name), challenge)
    return web.json_response(text=options)


async def prove(request: web.Request) -> web.Response:
    """Take the answer of one's own passkey, once: it is really they."""
    who, steps = who_is(request), request.app[SIGN_IN_STEPS]
    given = (await _body(request)).get("credential")
    credential = given if isinstance(given, dict) else {}
    challenge = passkeys.challenge_in(credential)
    if steps.pending.take("proof", who.digest, challenge) is None:
        return _problem(410, _("That took too long. Please try once more."))
    try:
        name = await _proven(request, credential, challenge)
    except Refused as refusal:
        return _problem(401, sentence(str(refusal)))
    if name != who.name:
        return _problem(401, _("This passkey is another person's."))
    steps.has_proven(who)
    return web.json_response({})


# ------------------------------------------------------------------------------- making one


async def ask_to_make(request: web.Request) -> web.Response:
    """What the browser needs to make a passkey, for whoever gives their password once more."""
    house, who = request.app[HOUSE], who_is(request)
    status, problem = await password_trouble(request)
    if problem:
        return _problem(status, problem)

    def work(conn: Any) -> tuple[bytes, list[Passkey]]:
        return passkeys.handle_of(conn, who.name), passkeys.passkeys_of(conn, who.name)

    try:
        handle, others = await house.journal_write(work)
    except Refused as refusal:
        return _problem(409, sentence(str(refusal)))
    site = site_of(request)
    options, challenge = await asyncio.to_thread(
        passkeys.to_make_one, site, who.name, handle, others
    )
    request.app[SIGN_IN_STEPS].pending.begin(
        "new passkey", who.digest, of_account(who.name), challenge
    )
    return web.json_response(text=options)


async def make(request: web.Request) -> web.Response:
    """Keep the passkey that the browser has made; the answer is the page, with recovery codes."""
    house, who, site = request.app[HOUSE], who_is(request), site_of(request)
    body, now = await _body(request), house.clock.now()
    given = body.get("credential")
    credential = given if isinstance(given, dict) else {}
    challenge = passkeys.challenge_in(credential)
    if request.app[SIGN_IN_STEPS].pending.take("new passkey", who.digest, challenge) is None:
        return _problem(410, _("That took too long. Please try once more."))
    name = form_text(body.get("name"), 64) or "Passkey"
    try:
        made = await asyncio.to_thread(passkeys.made_here, site, credential, challenge)
        codes = await house.journal_write(
            lambda c: passkeys.keep(c, who.name, made, name, site.host, who.digest, now)
        )
    except Refused as refusal:
        return _problem(409, sentence(str(refusal)))
    return await added(request, codes, _("The passkey is made. You can sign in with it alone."))


LINES = (
    ("POST", "/signin/passkey/ask", PUBLIC, ask_to_sign_in),
    ("POST", "/signin/passkey", PUBLIC, sign_in),
    ("POST", "/me/proof/ask", SIGNED_IN, ask_for_proof),
    ("POST", "/me/proof", SIGNED_IN, prove),
    ("POST", "/me/passkeys/ask", SIGNED_IN, ask_to_make),
    ("POST", "/me/passkeys", SIGNED_IN, make),
)
