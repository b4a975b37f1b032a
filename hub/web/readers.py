"""Whom a page speaks to, and so in which language; and the choice of it on the page of an account.

What a person chose for their account comes first, then what the configuration says of them under
`people:`, then what the browser asks for, then `hub.language`.
"""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from hub.identity import readers
from hub.identity.accounts import Identity
from hub.rule_settings import person_of
from hub.web.language import asked_for, languages, speak
from hub.web.security import HOUSE, SIGNED_IN, is_api, see_other, who_is

_MOST_REMEMBERED = 1024

CHOSEN: web.AppKey[dict[str, str]] = web.AppKey("chosen_languages", dict)


async def speak_to(request: web.Request, who: Identity) -> None:
    """Answer this person in their language. Programs are always answered in English."""
    if is_api(request):
        return
    config = request.app[HOUSE].config
    chosen = await chosen_by(request, who)
    if not chosen and (person := person_of(config.people, who.name)):
        chosen = config.people[person].language or ""
    if chosen:
        speak(chosen)


async def chosen_by(request: web.Request, who: Identity) -> str:
    """The language that this person chose for the pages; empty where they chose none."""
    if who.kind != "session":
        return ""
    known = request.app[CHOSEN]
    if who.name not in known:
        found = await request.app[HOUSE].journal_read(
            lambda c: readers.chosen_language(c, who.name)
        )
        while len(known) >= _MOST_REMEMBERED:
            del known[next(iter(known))]
        known[who.name] = str(found)
    return known[who.name]


def speak_to_a_stranger(request: web.Request) -> None:
    """Answer in the language of the browser, else of the school."""
    if is_api(request):
        speak("en")
        return
    asked = asked_for(request.headers.get("Accept-Language", ""))
    speak(asked or request.app[HOUSE].config.hub.language)


async def choose(request: web.Request) -> web.StreamResponse:
    """Keep the language that a person wants to read the pages in."""
    house, who = request.app[HOUSE], who_is(request)
    code = str((await request.post()).get("language", ""))
    if code and code not in languages():
        raise web.HTTPBadRequest
    if who.kind == "session":
        await house.journal_write(lambda c: readers.choose_language(c, who.name, code))
        request.app[CHOSEN].pop(who.name, None)
    return see_other("/me")


def choices() -> Mapping[str, str]:
    """The languages to choose from, each as it calls itself."""
    return {code: each.name for code, each in languages().items()}


LINES = (("POST", "/me/language", SIGNED_IN, choose),)
