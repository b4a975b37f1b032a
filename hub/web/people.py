"""People and programs: accounts and tokens, for whoever manages them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from hub.errors import Refused
from hub.identity import people
from hub.identity.people import Account, Hand, can_give, hand_of
from hub.identity.permissions import PERMISSIONS, ROLES, role_name
from hub.web.contract import Line
from hub.web.language import gettext as _
from hub.web.people_api import (
    LONGEST_LIFE_DAYS,
    MANAGE,
    Act,
    TokenBody,
    act,
    link_to,
    make_token,
    token_view,
)
from hub.web.proof import proven
from hub.web.render import page
from hub.web.security import HOUSE, form_text, see_other, who_is
from hub.web.words import sentence


async def show(request: web.Request) -> web.Response:
    """Everybody with an account, and every token."""
    return await _people_page(request)


async def _people_page(
    request: web.Request, status: int = 200, problem: str = "", **fresh: str
) -> web.Response:
    house = request.app[HOUSE]
    roles, now = house.config.roles, house.clock.now()
    hand = hand_of(who_is(request), roles)
    return await page(
        request,
        "people.html",
        status=status,
        problem=problem,
        fresh={"name": "", "link": "", "token": "", **fresh},
        people=await house.journal_read(lambda c: people.every(c, now)),
        tokens=[token_view(each) for each in await house.journal_read(people.every_token)],
        roles=_given_by(hand, roles),
        role_name=lambda role: role_name(role, roles),
        scopes={each: words for each, words in PERMISSIONS.items() if each in hand.may},
    )


def _given_by(hand: Hand, roles: Any) -> dict[str, str]:
    """The roles that the hand may give, each as people call it."""
    known = [*ROLES, *(each for each in roles if each not in ROLES)]
    return {each: role_name(each, roles) for each in known if can_give(hand, each, roles)}


async def person(request: web.Request) -> web.Response:
    """One account, and what may be done with it."""
    return await _person_page(request)


async def _person_page(
    request: web.Request, status: int = 200, problem: str = "", link: str = ""
) -> web.Response:
    house = request.app[HOUSE]
    roles, now, id_ = house.config.roles, house.clock.now(), request.match_info["id"]
    hand = hand_of(who_is(request), roles)
    everybody: list[Account] = await house.journal_read(lambda c: people.every(c, now))
    found = next((each for each in everybody if each.id == id_), None)
    if found is None:
        raise web.HTTPNotFound
    return await page(
        request,
        "person.html",
        status=status,
        problem=problem,
        link=link,
        person=found,
        mine=found.name == hand.name,
        made=await house.journal_read(lambda c: people.tokens_made_by(c, found.name)),
        within=can_give(hand, found.role, roles),
        roles=_given_by(hand, roles),
        role_name=lambda role: role_name(role, roles),
    )


async def add(request: web.Request) -> web.Response:
    """Add somebody; their link is in this one answer and nowhere else."""
    fields = await request.post()
    name, role = form_text(fields.get("name"), 200), form_text(fields.get("role"), 100)
    try:
        secret = await act(request, people.add, name, role)
    except Refused as refusal:
        return await _people_page(request, 409, sentence(str(refusal)))
    return await _people_page(request, name=name, link=link_to(request, secret))


async def new_link(request: web.Request) -> web.Response:
    """A link that sets another password; it is in this one answer and nowhere else."""
    try:
        secret = await act(request, people.link, request.match_info["id"])
    except KeyError:
        raise web.HTTPNotFound from None
    except Refused as refusal:
        return await _person_page(request, 409, sentence(str(refusal)))
    return await _person_page(request, link=link_to(request, secret))


def _form(does: Act, *fields: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The handler of a form on somebody's page, which leads back there."""

    async def handle(request: web.Request) -> web.Response:
        given = [form_text((await request.post()).get(each), 100) for each in fields]
        id_ = request.match_info["id"]
        try:
            await act(request, does, id_, *given)
        except KeyError:
            raise web.HTTPNotFound from None
        except Refused as refusal:
            return await _person_page(request, 409, sentence(str(refusal)))
        return see_other(f"/people/{id_}")

    return handle


async def add_token(request: web.Request) -> web.Response:
    """Make a token; it is in this one answer and nowhere else."""
    fields = await request.post()
    days = form_text(fields.get("days"), 10)
    try:
        body = TokenBody(
            name=form_text(fields.get("name"), 200),
            role=form_text(fields.get("role"), 100),
            scopes=tuple(form_text(each, 100) for each in fields.getall("scope", [])),
            days=int(days) if days else 0,
        )
    except ValueError:
        most = _("It needs a name of 1 to 64 characters, and at most %(days)s days.",
                 days=LONGEST_LIFE_DAYS)  # fmt: skip
        return await _people_page(request, 422, most)
    try:
        made = await make_token(request, body)
    except Refused as refusal:
        return await _people_page(request, 409, sentence(str(refusal)))
    return await _people_page(request, name=body.name, token=made)


async def end_token(request: web.Request) -> web.Response:
    """End a token, for good."""
    try:
        await act(request, people.revoke_token, request.match_info["id"])
    except KeyError:
        raise web.HTTPNotFound from None
    except Refused as refusal:
        return await _people_page(request, 409, sentence(str(refusal)))
    return see_other("/people#tokens")


LINES: tuple[Line, ...] = (
    ("GET", "/people", MANAGE, show),
    ("POST", "/people", MANAGE, proven(add)),
    ("GET", "/people/{id}", MANAGE, person),
    ("POST", "/people/{id}/link", MANAGE, proven(new_link)),
    ("POST", "/people/{id}/role", MANAGE, proven(_form(people.give_role, "role"))),
    ("POST", "/people/{id}/lock", MANAGE, _form(people.lock)),
    ("POST", "/people/{id}/unlock", MANAGE, _form(people.unlock)),
    ("POST", "/people/{id}/forget-factors", MANAGE, proven(_form(people.forget))),
    ("POST", "/people/{id}/end-sessions", MANAGE, _form(people.end_sessions)),
    ("POST", "/tokens", MANAGE, proven(add_token)),
    ("POST", "/tokens/{id}/revoke", MANAGE, end_token),
)
