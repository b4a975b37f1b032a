"""Turning what the house knows into pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from hub.clock import iso
from hub.identity.accounts import Identity
from hub.identity.permissions import ROLES, RoleSettings, may, role_name
from hub.secrets import Secrets
from hub.web import sign_in_changes
from hub.web.files import STATIC
from hub.web.language import language, mark, spoken
from hub.web.many import names_of_many, where_of_many
from hub.web.recent import undo_until
from hub.web.security import DOORKEEPER, HOUSE, SAFE_METHODS, SECRETS, WHO
from hub.web.sounding import sounding
from hub.web.standing import glass_seen, narrowed, standing_seen
from hub.web.turns import TURNS
from hub.web.words import Words, install


@cache
def words_in(timezone: str) -> Words:
    """The words for moments, in the school's time zone of the day."""
    return Words(timezone)


def _shown(secrets: Secrets, value: Any) -> Any:
    """A value as a page shows it; markup is our own, made of values that came through here."""
    if not isinstance(value, str) or type(value) is Markup:
        return value
    return secrets.clean(spoken(value))


@lru_cache(maxsize=4096)  # our own words, of which there are so many in two languages
def _plain(text: str) -> Markup:
    return Markup(text) % {}  # noqa: S704  # of our own catalogue


def _translations(environment: Environment, secrets: Secrets) -> None:
    """`_` and its kin, and `{% trans %}`: our words are markup, what is put in them is not."""

    def said(text: str, values: Mapping[str, Any]) -> Markup:
        if not values:
            return _plain(text)
        cleaned = {name: _shown(secrets, value) for name, value in values.items()}
        return Markup(text) % cleaned  # noqa: S704  # of our own catalogue

    def one(text: str, /, **values: Any) -> Markup:
        return said(language().words.gettext(text), values)

    def many(one: str, many: str, num: int, /, **values: Any) -> Markup:
        return said(language().words.ngettext(one, many, num), {"num": num, **values})

    def apart(context: str, text: str, /, **values: Any) -> Markup:
        return said(language().words.pgettext(context, text), values)

    environment.globals.update(_=one, gettext=one, ngettext=many, pgettext=apart)
    setattr(environment, "newstyle_gettext", True)  # noqa: B010  # an attribute of the extension
    environment.policies["ext.i18n.trimmed"] = True


@cache
def _templates(timezone: str, version: str, secrets: Secrets) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        finalize=partial(_shown, secrets),
        extensions=["jinja2.ext.i18n"],
    )
    _translations(environment, secrets)
    install(environment, words_in(timezone), version)
    environment.globals["undo_until"] = undo_until
    return environment


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of the main navigation; one that is `second` stands behind More on a phone."""

    path: str
    icon: str
    name: str
    permission: str
    key: str
    second: bool = False


NAVIGATION = (
    Place("/", "bell", mark("Now"), "", "n"),
    Place("/doors", "door-closed", mark("Doors"), "see.doors", "d"),
    Place("/cameras", "cctv", mark("Cameras"), "see.cameras", "c"),
    Place("/incidents", "clipboard-list", mark("Incidents"), "see.incidents", "i"),
    Place("/visitors", "id-card", mark("Visitors"), "see.visitors", "v", second=True),
    Place("/health", "heart-pulse", mark("Health"), "see.health", "h", second=True),
    Place("/rules", "list-checks", mark("Rules"), "see.rules", "r", second=True),
    Place("/protocols", "shield-alert", mark("Protocols"), "", "p"),
)


def who_may(roles: Mapping[str, RoleSettings], permission: str) -> list[str]:
    """The names of the roles that may do something, those of administrators left out."""
    known = [*ROLES, *(each for each in roles if each not in ROLES)]
    return [role_name(e, roles) for e in known if e != "admin" and may(e, permission, roles)]


def may_of(request: web.Request, who: Identity | None) -> Any:
    """A template's way to ask what the reader may do."""
    keeper = request.app[DOORKEEPER]
    return lambda permission: who is not None and keeper.may(who, permission)


async def page(
    request: web.Request, template: str, *, status: int = 200, **values: Any
) -> web.Response:
    """A page for somebody signed in, with the navigation and the state of the house around it."""
    house, who = request.app[HOUSE], request[WHO]
    reader_may = may_of(request, who)
    doors = house.config.doors
    health = values.pop("health", None) or await house.health()
    seen = health["alerts_open"] if reader_may("see.alerts") else 0
    values.setdefault("open_alerts", seen)
    values["sounding"] = await sounding(request, seen)
    protocols = values.pop("protocols", None) or await standing_seen(request)
    drills = [each["drill"] for each in protocols["in_force"]]
    said = dict(
        who=who,
        role=role_name(who.role, house.config.roles),
        may=reader_may,
        door_name=lambda door: doors[door].name if door in doors else door,
        door_there=lambda door: door in doors,
        where_of_many=lambda alert: where_of_many(alert, house.campus),
        names_of_many=names_of_many,
        health=health,
        protocols=protocols,
        drilling=bool(drills) and all(drills),
        locked_down=any(each["protocol"] == "lockdown" for each in protocols["in_force"]),
        hushed=any(e["protocol"] == "lockdown" and not e["drill"] for e in protocols["in_force"]),
        glass=glass_seen(request),
        sign_in_changes=await sign_in_changes.unseen(request),
        narrowed=narrowed(request),
        deciding=who_may(house.config.roles, "end.protocols"),
        navigation=[
            each for each in NAVIGATION if not each.permission or reader_may(each.permission)
        ],
        **values,
    )
    if request.method not in SAFE_METHODS:  # who has asked for something is answered at once
        return html(request, template, status=status, **said)
    opened = request.headers.get("Sec-Fetch-Dest") == "document"
    async with request.app[TURNS].turn(opened) as turn:
        pieces = []
        for piece in _made(request, template, said):
            pieces.append(piece)
            await turn.pause()
        return _answer("".join(pieces), status)


def html(request: web.Request, template: str, *, status: int = 200, **values: Any) -> web.Response:
    """Any page, also for strangers."""
    return _answer("".join(_made(request, template, values)), status)


def _made(request: web.Request, template: str, values: Mapping[str, Any]) -> Iterator[str]:
    """A page, piece by piece, made as they are taken."""
    house = request.app[HOUSE]
    now = house.clock.now()
    return (
        _templates(house.config.hub.timezone, request.app[STATIC].version, request.app[SECRETS])
        .get_template(template)
        .generate(
            site=house.config.hub.name,
            lang=language().code,
            zone=house.config.hub.timezone,
            now=now,
            now_iso=iso(now),
            path=request.path,
            **values,
        )
    )


def _answer(text: str, status: int) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/html")


async def error_page(request: web.Request, status: int, error: str, hint: str) -> web.Response:
    """What went wrong, what to do; works for strangers and when the house is in trouble."""
    return html(request, "error.html", status=status, error=error, hint=hint)
