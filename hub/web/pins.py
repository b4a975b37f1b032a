"""One's own PINs: the one that ends a protocol alone, and the one for duress."""

from __future__ import annotations

from aiohttp import web

from hub.errors import Refused
from hub.identity import accounts
from hub.web.language import gettext as _
from hub.web.me import account_page
from hub.web.security import DOORKEEPER, HOUSE, see_other, who_is
from hub.web.words import sentence, span


async def keep(request: web.Request) -> web.Response:
    """Set both PINs. Whoever does has to know the password: an open page is not enough."""
    house, who, keeper = request.app[HOUSE], who_is(request), request.app[DOORKEEPER]
    fields = await request.post()
    if who.kind != "session":
        return await account_page(
            request, 409, _("Only a person has PINs, signed in as themselves.")
        )
    pair = (who.name, request.remote or "")
    if (wait := keeper.by_name.wait(pair)) > 0:
        said = _("Too many tries. Wait %(wait)s, then try again.", wait=span(wait + 1))
        return await account_page(request, 429, said)
    keeper.by_name.count(pair)
    stored = await house.journal_read(lambda c: accounts.password_hash_of(c, who.name))
    try:
        if not await keeper.passwords.matches(stored, str(fields.get("password", ""))):
            return await account_page(request, 401, _("The password is not right."))
        keeper.by_name.clear(pair)
        await house.protocols.set_pins(
            who.name, str(fields.get("pin", ""))[:64], str(fields.get("duress", ""))[:64]
        )
    except Refused as refusal:
        return await account_page(request, 409, sentence(str(refusal)))
    return see_other("/me")
