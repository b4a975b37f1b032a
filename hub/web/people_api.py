"""People and programs over the API: accounts and tokens, and the acts that pages share with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field
from typing_extensions import TypedDict

from hub.errors import Refused
from hub.identity import accounts, people
from hub.identity.people import can_give, hand_of
from hub.identity.permissions import PERMISSIONS
from hub.phrases import phrase
from hub.web.api import Body, Name
from hub.web.contract import WHOLE, Contract, Line, Nothing, taken
from hub.web.problems import turned_down
from hub.web.proof import proven
from hub.web.security import DOORKEEPER, HOUSE, who_is
from hub.web.sign_in_steps import origin_of

MANAGE = "manage.accounts"
LONGEST_LIFE_DAYS = 3660
_PEOPLE = "GET /api/v1/people lists them."
_TOKENS = "GET /api/v1/tokens lists them."


class PersonView(TypedDict):
    """An account. `outside` is true where the school's identity provider answers for it, `ready`
    false until a password is chosen, `locked` since when it is locked out.
    """

    id: str
    name: str
    role: str
    created: str
    locked: str
    outside: bool
    ready: bool
    authenticator: bool
    passkeys: int
    recovery_codes: int
    sessions: int
    last_used: str


class TokenView(TypedDict):
    """A token. `scopes` narrow what its role may; without any it may all of it."""

    id: str
    name: str
    role: str
    scopes: list[str]
    created: str
    made_by: str
    expires: str
    last_used: str


class LinkView(TypedDict):
    """Where somebody chooses their password; the address is told this once."""

    person: str
    link: str


class MadeTokenView(TypedDict):
    """A new token; it is told this once."""

    name: str
    token: str


class PersonBody(Body):
    """Whom to add, and with which role."""

    name: Name
    role: Name


class PersonRoleBody(Body):
    """Which role to give."""

    role: Name


class TokenBody(Body):
    """What the token is for, its role, what it is narrowed to, and for how many days it works; 0
    for ever.
    """

    name: Name
    role: Name
    scopes: Annotated[tuple[Name, ...], Field(max_length=len(PERMISSIONS))] = ()
    days: Annotated[int, Field(ge=0, le=LONGEST_LIFE_DAYS), WHOLE] = 0


def token_view(row: Any) -> TokenView:
    """A token as programs read it."""
    return TokenView(
        id=str(row.id),
        name=str(row.name),
        role=str(row.role),
        scopes=str(row.scopes).split(),
        created=str(row.created),
        made_by=str(row.made_by),
        expires=str(row.expires),
        last_used=str(row.last_used),
    )


# ------------------------------------------------------------------------------------- acts

Act = Callable[..., Any]


async def act(request: web.Request, does: Act, *given: Any) -> Any:
    """Do something with an account by a function of `hub.identity.people`. Raises `KeyError`,
    `Refused`.
    """
    house = request.app[HOUSE]
    roles, now = house.config.roles, house.clock.now()
    hand = hand_of(who_is(request), roles)
    done = await house.journal_write(lambda c: does(c, hand, *given, now, roles))
    request.app[DOORKEEPER].forget()
    return done


def link_to(request: web.Request, secret: str) -> str:
    """Where somebody chooses their password."""
    return f"{origin_of(request)}/setup/{secret}"


async def make_token(request: web.Request, body: TokenBody) -> str:
    """Make a token. Raises `Refused`."""
    house, who = request.app[HOUSE], who_is(request)
    roles, now = house.config.roles, house.clock.now()
    hand, scopes = hand_of(who, roles), frozenset(body.scopes)
    if not can_give(hand, body.role, roles, scopes):
        raise Refused(phrase("That would give more than you have. Narrow it by scopes."))
    life = timedelta(days=body.days) if body.days else None
    made: str = await house.journal_write(
        lambda c: accounts.create_token(
            c, body.name, body.role, roles=roles, now=now, scopes=scopes, life=life, by=who.by
        )
    )
    return made


# -------------------------------------------------------------------------------------- API


async def api_people(request: web.Request) -> web.Response:
    """Everybody with an account, by name."""
    now = request.app[HOUSE].clock.now()
    found = await request.app[HOUSE].journal_read(lambda c: people.every(c, now))
    return web.json_response([people.told(each) for each in found])


async def api_add(request: web.Request) -> web.Response:
    """Add somebody; the answer has the link behind which they choose a password, this once."""
    body = taken(request, PersonBody)
    with turned_down("role", _PEOPLE):
        secret = await act(request, people.add, body.name, body.role)
    view = LinkView(person=people.id_of(accounts.clean_name(body.name)),
                    link=link_to(request, secret))  # fmt: skip
    return web.json_response(view, status=201)


async def api_link(request: web.Request) -> web.Response:
    """A link that sets another password of somebody; earlier ones work no more."""
    id_ = request.match_info["id"]
    with turned_down("person", _PEOPLE):
        secret = await act(request, people.link, id_)
    return web.json_response(LinkView(person=id_, link=link_to(request, secret)), status=201)


async def api_role(request: web.Request) -> web.Response:
    """Give somebody another role; they sign in anew."""
    with turned_down("person", _PEOPLE):
        role = taken(request, PersonRoleBody).role
        await act(request, people.give_role, request.match_info["id"], role)
    return web.Response(status=204)


def _api(does: Act, words: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        with turned_down("person", _PEOPLE):
            await act(request, does, request.match_info["id"])
        return web.Response(status=204)

    handle.__doc__ = words
    return handle


async def api_tokens(request: web.Request) -> web.Response:
    """Every token that works, by name; never the tokens themselves."""
    found = await request.app[HOUSE].journal_read(people.every_token)
    return web.json_response([token_view(each) for each in found])


async def api_add_token(request: web.Request) -> web.Response:
    """Make a token; it is told this once."""
    body = taken(request, TokenBody)
    with turned_down("role", _TOKENS):
        made = await make_token(request, body)
    return web.json_response(MadeTokenView(name=body.name, token=made), status=201)


async def api_end_token(request: web.Request) -> web.Response:
    """End a token, for good."""
    with turned_down("token", _TOKENS):
        await act(request, people.revoke_token, request.match_info["id"])
    return web.Response(status=204)


_LINK = Contract(LinkView, Nothing, status=201, secret=True)
_DONE = Contract(takes=Nothing, status=204)
LINES: tuple[Line, ...] = (
    ("GET", "/api/v1/people", MANAGE, api_people, Contract(list[PersonView])),
    ("POST", "/api/v1/people", MANAGE, proven(api_add),
     Contract(LinkView, PersonBody, status=201, secret=True)),
    ("POST", "/api/v1/people/{id}/link", MANAGE, proven(api_link), _LINK),
    ("POST", "/api/v1/people/{id}/role", MANAGE, proven(api_role),
     Contract(takes=PersonRoleBody, status=204)),
    ("POST", "/api/v1/people/{id}/lock", MANAGE,
     _api(people.lock, "Lock somebody out, at once; nothing of theirs is lost."), _DONE),
    ("POST", "/api/v1/people/{id}/unlock", MANAGE,
     _api(people.unlock, "Let somebody in again."), _DONE),
    ("POST", "/api/v1/people/{id}/forget-factors", MANAGE,
     proven(_api(people.forget, "Forget somebody's second factors, after a lost phone.")), _DONE),
    ("POST", "/api/v1/people/{id}/end-sessions", MANAGE,
     _api(people.end_sessions, "Sign somebody out everywhere."), _DONE),
    ("GET", "/api/v1/tokens", MANAGE, api_tokens, Contract(list[TokenView])),
    ("POST", "/api/v1/tokens", MANAGE, proven(api_add_token),
     Contract(MadeTokenView, TokenBody, status=201, secret=True)),
    ("POST", "/api/v1/tokens/{id}/revoke", MANAGE, api_end_token, _DONE),
)  # fmt: skip
