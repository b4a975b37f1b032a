"""What every way of signing in shares: forms for strangers, second steps, opening a session."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from hub.clock import from_iso
from hub.identity import accounts
from hub.identity.accounts import Identity, OpenedSession
from hub.identity.browsers import device_words
from hub.identity.openid import Provider
from hub.identity.passkeys import Site
from hub.identity.pending import Pending
from hub.identity.throttle import Throttle
from hub.ports import HouseFacade
from hub.sign_in_settings import ProviderSettings
from hub.web.language import gettext as _
from hub.web.remembered import Remembered
from hub.web.render import html
from hub.web.security import (
    DOORKEEPER,
    FORM_COOKIE,
    HOUSE,
    form_secret,
    session_secret,
    set_form_secret,
    set_session,
)
from hub.web.words import span


class SignInSteps:
    """What the ways of signing in remember between two steps, for minutes."""

    def __init__(self, house: HouseFacade) -> None:
        self._clock = house.clock
        self._provider: Provider | None = None
        self.pending = Pending(house.clock)
        self.by_code = Throttle(house.clock)
        self._proven = Remembered[str, datetime](house.clock)

    def has_proven(self, who: Identity) -> None:
        """They have just shown in their session that it is really they."""
        self._proven.keep(who.digest, self._clock.now())

    def proven_since(self, who: Identity) -> datetime:
        """When a session's owner has shown last that it is they: at the latest when they came."""
        return self._proven.get(who.digest) or from_iso(who.opened)

    def provider(self, settings: ProviderSettings) -> Provider:
        """The provider that these settings describe; what is known of it stays while they do."""
        if self._provider is None or self._provider.settings != settings:
            self._provider = Provider(settings, self._clock)
        return self._provider


SIGN_IN_STEPS: web.AppKey[SignInSteps] = web.AppKey("sign_in_steps", SignInSteps)


def old_form() -> str:
    """What a form without its secret is answered with."""
    return _("This form was out of date. Please try once more.")


def too_often(wait: float) -> str:
    """What somebody who has to wait is told."""
    return _("Too many tries. Wait %(wait)s, then try again.", wait=span(wait + 1))


def stranger_form(
    request: web.Request, template: str, *, status: int = 200, wait: float = 0.0, **values: Any
) -> web.Response:
    """A form for somebody who has not signed in, tied to their browser."""
    secret = form_secret(request)
    answer = html(request, template, status=status, csrf=secret, **values)
    set_form_secret(answer, request, secret)
    if wait:
        answer.headers["Retry-After"] = str(int(wait) + 1)
    return answer


def origin_of(request: web.Request) -> str:
    """How people reach the pages: as the configuration says, else as this request has."""
    said = request.app[HOUSE].config.hub.web.address
    return said or f"{request.scheme}://{request.host}".lower()


def site_of(request: web.Request) -> Site:
    """What passkeys belong to."""
    origin = origin_of(request)
    try:
        host = urlsplit(origin).hostname or ""
    except ValueError:
        host = ""
    return Site(origin, host, request.app[HOUSE].config.hub.name)


def device_of(request: web.Request) -> str:
    """What people call the browser that sent a request."""
    return device_words(request.headers.get("User-Agent", ""))


async def open_session(request: web.Request, name: str, way: str) -> OpenedSession:
    """Sign somebody in who has proven who they are, and end the session that this browser had.
    Raises `KeyError` or `Refused`.
    """
    house, before = request.app[HOUSE], session_secret(request)
    now, device, address = house.clock.now(), device_of(request), request.remote or ""

    def work(conn: Any) -> OpenedSession:
        if before:
            accounts.end_session(conn, accounts.digest(before), now)
        return accounts.open_session(conn, name, now, way=way, device=device, address=address)

    opened: OpenedSession = await house.journal_write(work)
    request.app[DOORKEEPER].forget()
    return opened


def hand_over(answer: web.Response, request: web.Request, opened: OpenedSession) -> web.Response:
    """Give the browser its session."""
    set_session(answer, request, opened.secret)
    answer.del_cookie(FORM_COOKIE, path="/")
    return answer


def around(request: web.Request, *names: str) -> list[str]:
    """The words that a password should have nothing to do with."""
    config = request.app[HOUSE].config
    return [*names, config.hub.name, *(place.name for place in config.places.values())]


async def breached_list(request: web.Request) -> Path | None:
    """The file of breached passwords, where the school has one."""
    house = request.app[HOUSE]
    named = house.config.hub.sign_in.breached
    if named is None:
        return None
    return Path((await house.configuration.view())["file"]).parent / named
