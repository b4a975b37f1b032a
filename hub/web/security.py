"""Who is at the door of the web: sessions, tokens, forged requests and response headers.

Everything is denied unless the route table says otherwise. A stranger gets 401 from the API and is
sent to the sign-in page elsewhere, for paths that exist and for paths that do not.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from urllib.parse import quote, urlsplit

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from hub.clock import iso
from hub.errors import StateError
from hub.identity import accounts
from hub.identity.accounts import Identity
from hub.identity.passwords import PasswordThreads
from hub.identity.permissions import AT_ANY_HOUR, may
from hub.identity.reach import Reach, reach_of, within
from hub.identity.throttle import Throttle
from hub.phrases import phrase
from hub.ports import HouseFacade
from hub.secrets import Secrets
from hub.web.idle import Idle, done_by_a_person
from hub.web.problems import denial as denial
from hub.web.remembered import Remembered
from hub.web.sight import SeenHouse, present_reach

SECRETS: web.AppKey[Secrets] = web.AppKey("secrets", Secrets)
SESSION_COOKIE = "vestibule_session"
FORM_COOKIE = "vestibule_form"
PROTOCOL = "vestibule.v1"
BEARER = "bearer."
PUBLIC = "public"
SIGNED_IN = "signed_in"
GUEST = "guest"
CSRF_FIELD = "csrf"
CSRF_HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD"})
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; font-src 'self'; manifest-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), interest-cohort=()",
    "Server": "Vestibule",
}

HALF_A_YEAR_S = 180 * 24 * 3600
LONGEST_FIELD = 512
_REMEMBER_S = 2.0


class Doorkeeper:
    """Knows who sends a request. Good answers are remembered for two seconds.

    A page asks for several pictures a second; remembering spares the database. It also bounds how
    long a token or session that was revoked by another process still works.
    """

    def __init__(self, house: HouseFacade) -> None:
        self._house = house
        self._remembered = Remembered[str, Identity](house.clock, _REMEMBER_S)
        self._reaches: dict[tuple[str, frozenset[str], bool], Reach] = {}
        self._reached_in: object = None
        self.passwords = PasswordThreads()
        self.idle = Idle(house)
        self.by_name = Throttle(house.clock)
        self.by_address = Throttle(house.clock, free=30)
        self.by_proof = Throttle(house.clock, free=30)

    def forget(self) -> None:
        """Look everybody up afresh; called whenever a session ends."""
        self._remembered.clear()

    def may(self, who: Identity, permission: str) -> bool:
        """Whether this person or program may do it now, by the roles in force and their hours."""
        if permission in self.freed(who):
            return True
        roles = self._house.config.roles
        if not may(who.role, permission, roles) or (who.scopes and permission not in who.scopes):
            return False
        return permission in AT_ANY_HOUR or not self.off_duty(who)

    def freed(self, who: Identity) -> frozenset[str]:
        """What they may everywhere and at any hour, since they have broken the glass."""
        broken = self._house.glass.of(who.digest) if who.kind == "session" else None
        return frozenset(broken["permissions"]) if broken is not None else frozenset()

    def owes_factor(self, who: Identity) -> bool:
        """Whether their role needs a second factor, and they have signed in with a password alone:
        they are led to adding one, and come no further.
        """
        asked = self._house.config.hub.sign_in.second_factor
        return who.role in asked and who.way in ("password", "setup")

    def off_duty(self, who: Identity) -> str:
        """The schedule outside of whose hours this person's role does not hold now; else empty."""
        settings = self._house.config.roles.get(who.role)
        hours = settings.hours if settings is not None else None
        return hours if hours and not self._house.in_force(hours) else ""

    def refusal(self, who: Identity, permission: str) -> tuple[str, str]:
        """Why they may not, and what to do."""
        config = self._house.config
        if (hours := self.off_duty(who)) and may(who.role, permission, config.roles):
            name = config.schedules[hours].name if hours in config.schedules else ""
            said = phrase(
                "It holds during %(hours)s. A protocol can be started at any hour.",
                hours=name or hours.replace("_", " "),
            )
            return phrase("Your role may not do this at this hour."), said
        needs = phrase("It needs the permission %(permission)s.", permission=permission)
        return phrase("Your role may not do this."), needs

    def reach(self, who: Identity) -> Reach:
        """How far this person or program reaches."""
        config, freed = self._house.config, self.freed(who)
        if self._reached_in is not config:  # another configuration has taken over
            self._reaches.clear()
            self._reached_in = config
        key = who.role, freed, bool(self.off_duty(who))
        found = self._reaches.get(key)
        if found is None:
            campus, off_duty = self._house.campus, key[2]
            found = reach_of(who.role, config, campus, freed, off_duty=off_duty)
            self._reaches[key] = found
        return found

    async def recognise(self, request: web.Request, afresh: bool = False) -> Identity | None:
        """Who sends the request, by token or else by session cookie; None for a stranger."""
        token = bearer(request)
        kind, secret = ("session", session_secret(request)) if token is None else ("token", token)
        who = await self._look_up(kind, secret, afresh) if secret else None
        if who is None or (kind == "session" and not done_by_a_person(request)):
            return who
        return await self._noted(f"{kind}:{who.digest}", who)

    async def _noted(self, key: str, who: Identity) -> Identity:
        """The same, once it is written down that they do something."""
        moment = self._house.clock.now()
        if who.last_used >= iso(moment - self.idle.noted_every(who)):
            return who
        with suppress(StateError):  # nobody is shut out because the disk is full
            await self._house.journal_write(lambda c: accounts.used_now(c, who, moment))
        used = replace(who, last_used=iso(moment))
        self._remembered.correct(key, used)
        return used

    async def _look_up(self, kind: str, secret: str, afresh: bool) -> Identity | None:
        key = f"{kind}:{accounts.digest(secret)}"
        known = self._remembered.get(key)
        if known is not None and not afresh:
            return known
        self._remembered.drop(key)
        moment = self._house.clock.now()
        identify = accounts.identify_token if kind == "token" else accounts.identify_session
        who = await self._house.journal_read(lambda c: identify(c, secret, moment))
        if not isinstance(who, Identity):
            return None
        if self.idle.over(who, moment):
            self.idle.end(who)
            with suppress(StateError):
                ends = accounts.end_session
                await self._house.journal_write(lambda c: ends(c, who.digest, moment, "hub"))
            return None
        self._remembered.keep(key, who)
        return who


HOUSE: web.AppKey[SeenHouse] = web.AppKey("house", SeenHouse)
DOORKEEPER: web.AppKey[Doorkeeper] = web.AppKey("doorkeeper", Doorkeeper)
WHO: web.RequestKey[Identity] = web.RequestKey("who", Identity)


@dataclass(frozen=True, slots=True)
class SightOf:
    """What the sender of a request sees; satisfies `hub.web.sight.Sight`."""

    request: web.Request

    def reach(self) -> Reach:
        """How far they reach now."""
        return self.request.app[DOORKEEPER].reach(who_is(self.request))

    def may(self, permission: str) -> bool:
        """Whether they may do something now."""
        return allowed(self.request, permission)


def bearer(request: web.Request) -> str | None:
    """The token a program sends; None when there is none. Other schemes are a proxy's business."""
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return _offered(request) if "Sec-WebSocket-Protocol" in request.headers else None


def _offered(request: web.Request) -> str | None:
    """The token among the subprotocols of a WebSocket: a browser sends no other header with one."""
    for each in request.headers["Sec-WebSocket-Protocol"].split(","):
        if each.strip().startswith(BEARER):
            return each.strip().removeprefix(BEARER)
    return None


def who_is(request: web.Request) -> Identity:
    """The person or program a handler works for; the gate has made sure there is one."""
    return request[WHO]


def allowed(request: web.Request, permission: str) -> bool:
    """Whether the sender of this request may also do something else."""
    return request.app[DOORKEEPER].may(who_is(request), permission)


def may_see(request: web.Request, camera: str) -> bool:
    """Whether the sender of this request may look at a camera now; asked before each picture."""
    return allowed(request, "see.cameras") and within(present_reach().cameras, camera)


async def still_welcome(request: web.Request) -> bool:
    """Whether the session or token still stands; streams ask again and again while they last."""
    who = await request.app[DOORKEEPER].recognise(request, afresh=True)
    if who is not None:
        request[WHO] = who  # their role may be another by now
    return who is not None


async def still_may(request: web.Request, permission: str) -> bool:
    """Whether it still stands, and may still do this."""
    return await still_welcome(request) and allowed(request, permission)


def is_api(request: web.Request) -> bool:
    """Whether the answer is for a program rather than a person."""
    return request.path.startswith(("/api/", "/inbound/"))


def same_origin(request: web.Request) -> bool:
    """Whether the browser says that the request comes from our own pages.

    Programs send neither header; for them the token in the request decides.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    try:
        there = urlsplit(origin)
        same = there.netloc.lower() == request.host.lower()
        return same and (there.scheme == "https" or not request.secure)
    except ValueError:  # nothing that a browser sends
        return False


async def readable(request: web.Request) -> bool:
    """Whether the form that comes along, if one does, can be read: handlers read it again without
    fear. Messages of other systems are left to those who know how they are signed.
    """
    if request.content_type not in FORMS or request.path.startswith("/inbound/"):
        return True
    try:
        await request.post()
    except (ValueError, LookupError, AssertionError, HttpProcessingError):
        return False  # no text in the charset that it names, no such charset, broken parts
    return True


def form_text(field: object, longest: int = LONGEST_FIELD) -> str:
    """What a form says; nothing where it sends a file."""
    return field[: longest + 1] if isinstance(field, str) else ""


async def form_is_ours(request: web.Request, expected: str) -> bool:
    """Whether a form or script carries the secret that only our pages know."""
    given = request.headers.get(CSRF_HEADER)
    if given is None and request.content_type in FORMS:
        field = (await request.post()).get(CSRF_FIELD)
        given = field if isinstance(field, str) else None
    if not given or not expected:
        return False
    return hmac.compare_digest(_as_bytes(given), _as_bytes(expected))


def _as_bytes(text: str) -> bytes:
    """A text of a header, form or cookie, in which bytes that are no text may stand."""
    return text.encode("utf-8", "surrogatepass")


def local_path(path: str) -> str:
    """The path if it leads to a page of ours, else the first page; nobody is sent elsewhere."""
    plain = path.isprintable() and "\\" not in path and len(path) <= 500
    return path if plain and path.startswith("/") and not path.startswith("//") else "/"


def stranger(request: web.Request) -> web.Response:
    """What somebody unknown gets: 401 for programs, the sign-in page for people."""
    if is_api(request):
        answer = denial(
            401,
            "Sign in or send a token.",
            "Send the header 'Authorization: Bearer TOKEN'; make one with "
            "'vestibule token create NAME --role ROLE'.",
        )
        answer.headers["WWW-Authenticate"] = 'Bearer realm="vestibule"'
        return answer
    if request.path.startswith(("/pictures/", "/media/", "/live")):
        return web.Response(status=401, text="Sign in to see this.")
    asked = []
    if request.method in SAFE_METHODS and request.path != "/":
        asked = [f"next={quote(request.path_qs, safe='')}"]
    if request.app[DOORKEEPER].idle.ended(accounts.digest(session_secret(request))):
        asked.append("idle=1")
    return see_other("/signin" + (f"?{'&'.join(asked)}" if asked else ""))


def see_other(path: str) -> web.Response:
    """Go on to another page of ours."""
    return web.Response(status=303, headers={"Location": path})


def session_cookie(request: web.Request) -> str:
    """The name of the session's cookie. Under TLS browsers take `__Host-` from this host alone, so
    that no page of another host, nor one without TLS, can put one there.
    """
    return f"__Host-{SESSION_COOKIE}" if request.secure else SESSION_COOKIE


def session_secret(request: web.Request) -> str:
    """The session that a browser sends; empty without one."""
    return request.cookies.get(session_cookie(request), "")


def set_session(response: web.StreamResponse, request: web.Request, secret: str) -> None:
    """Hand over the session; the cookie ends with the session."""
    response.set_cookie(
        session_cookie(request),
        secret,
        max_age=int(accounts.SESSION_LIFE.total_seconds()),
        path="/",
        httponly=True,
        samesite="Lax",
        secure=request.secure,
    )


def form_secret(request: web.Request) -> str:
    """The secret that ties a form shown to a stranger to their browser; new when there is none."""
    known = request.cookies.get(FORM_COOKIE, "")
    return known if 20 <= len(known) <= 100 and known.isascii() else secrets.token_urlsafe(24)


def set_form_secret(response: web.StreamResponse, request: web.Request, secret: str) -> None:
    """Leave the form's secret with the browser."""
    response.set_cookie(
        FORM_COOKIE,
        secret,
        max_age=3600,
        path="/",
        httponly=True,
        samesite="Strict",
        secure=request.secure,
    )


async def harden(request: web.Request, response: web.StreamResponse) -> None:
    """Put the security headers on every answer, streams and errors included."""
    for name, value in HEADERS.items():
        response.headers[name] = value
    response.headers.setdefault("Cache-Control", "no-store")
    # Not with a certificate of the hub's own: a browser that was told so could never be let past
    # a warning again.
    if request.secure and request.app[HOUSE].config.hub.web.tls == "own":
        response.headers["Strict-Transport-Security"] = f"max-age={HALF_A_YEAR_S}"
