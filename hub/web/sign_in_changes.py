"""What changed in how one signs in: said on each page one opens, until one has seen it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from hub.identity import sign_in_changes
from hub.identity.sign_in_changes import Change
from hub.phrases import phrase
from hub.web.language import known, mark
from hub.web.security import HOUSE, SIGNED_IN, WHO, form_text, see_other, who_is

_WORDS: Mapping[str, str] = {
    "account.browser_added": mark("You are told in another browser: %(device)s."),
    "account.changed": mark("You were given a role."),
    "account.link_made": mark("A link was made behind which another password can be chosen."),
    "account.locked": mark("The account was locked out."),
    "account.password_set": mark("The password was changed."),
    "account.unlocked": mark("The account was let in again."),
    "factor.code_again": mark("A code of your app came a second time, and was refused."),
    "factor.code_used": mark("Somebody signed in with a recovery code."),
    "factor.codes_made": mark("New recovery codes were made."),
    "factor.added authenticator": mark("An authenticator app was added."),
    "factor.added passkey": mark("A passkey was added."),
    "factor.removed authenticator": mark("The authenticator app was taken away."),
    "factor.removed passkey": mark("A passkey was taken away."),
    "factor.removed all": mark("Every second factor was taken away."),
}


def told(change: Change, name: str) -> dict[str, Any]:
    """A change as pages show it. `by` is empty for oneself, None where nobody was signed in."""
    kind = str(change.details.get("kind", ""))
    words = _WORDS.get(f"{change.act} {kind}".strip(), _WORDS.get(change.act, change.act))
    if device := str(change.details.get("device", "")):
        words = phrase(words, device=device)
    by = None if change.by_nobody else "" if change.who == name else change.who
    return {"number": change.number, "time": change.time, "by": by, "words": known(words)}


async def unseen(request: web.Request) -> list[dict[str, Any]]:
    """What somebody who opens a page has not seen yet; nothing for a page that fetches itself."""
    house, who = request.app[HOUSE], request[WHO]
    if who.kind != "session" or request.headers.get("Sec-Fetch-Dest", "document") != "document":
        return []
    found = await house.journal_read(lambda c: sign_in_changes.unseen(c, who))
    return [told(each, who.name) for each in found]


async def every(request: web.Request) -> list[dict[str, Any]]:
    """The last changes of how somebody signs in."""
    house, who = request.app[HOUSE], who_is(request)
    if who.kind != "session":
        return []
    found = await house.journal_read(lambda c: sign_in_changes.changes_of(c, who.name))
    return [told(each, who.name) for each in found]


async def see(request: web.Request) -> web.Response:
    """Say that one has seen what changed, up to the newest that was shown."""
    house, who, now = request.app[HOUSE], who_is(request), request.app[HOUSE].clock.now()
    given = form_text((await request.post()).get("upto"), 15)
    if who.kind == "session" and given.isascii() and given.isdigit():
        await house.journal_write(lambda c: sign_in_changes.see(c, who.name, int(given), now))
    return see_other("/me#changed")


LINES = (("POST", "/me/changes/seen", SIGNED_IN, see),)
