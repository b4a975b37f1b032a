"""Signing in at the school's identity provider: OpenID Connect Core 1.0, code flow with PKCE.

The provider may be slow, down, or not what it was: every question has a deadline and a bound, no
redirect is followed, and nothing it says counts before its signature, issuer, audience, age and
nonce are right. Only signatures that take the provider's own key are accepted.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from hub.clock import Clock
from hub.errors import NotReady, Refused
from hub.identity.accounts import clean_name
from hub.phrases import phrase
from hub.sign_in_settings import ProviderSettings, plain_address

WITHIN_S = 5.0
LONGEST = 512 * 1024
KEPT_S = 3600.0
FRESH_S = 1.0
REFETCH_S = 60.0  # between two looks for a key that is not known
LEEWAY_S = 60
OLDEST_S = 600
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
              "Ed25519")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Known:
    """What the provider says of itself."""

    authorize: str
    token: str
    keys: str
    userinfo: str
    end_session: str
    by_post: bool


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that has begun: where to send the browser, and what has to come back."""

    address: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class Person:
    """Who the provider says has signed in, and which role that gives on this hub."""

    issuer: str
    subject: str
    name: str
    role: str
    asked: float | None = None
    """When they were asked last who they are, where the provider tells that."""


class Provider:
    """One provider, as the configuration describes it. `NotReady` is raised where it does not
    answer in time or not in its own words, `Refused` where it has, and the answer is no.
    """

    def __init__(self, settings: ProviderSettings, clock: Clock) -> None:
        self.settings = settings
        self._clock = clock
        self._known: tuple[float, Known] | None = None
        self._keys: tuple[float, KeySet] | None = None
        self._silent: tuple[float, str] | None = None
        self._asking = asyncio.Lock()

    async def begin(self, back: str, anew: bool = False) -> Begun:
        """Begin a sign-in whose answer comes to the address `back`. With `anew` the provider is
        to ask who it is, whoever is signed in there. Raises `NotReady`.
        """
        known = await self._discover(FRESH_S)  # nobody is sent to where nobody answers
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": back,
            "scope": " ".join(self.settings.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge.rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            **({"prompt": "login", "max_age": "0"} if anew else {}),
        }
        joined = "&" if "?" in known.authorize else "?"
        return Begun(f"{known.authorize}{joined}{urlencode(asked)}", state, nonce, verifier)

    async def finish(self, code: str, verifier: str, nonce: str, back: str) -> Person:
        """Who has signed in, by the code that came back. Raises `NotReady` or `Refused`."""
        known = await self._discover()
        told = await self._redeem(known, code, verifier, back)
        claims = await self._claims(known, str(told.get("id_token", "")), nonce)
        if self.settings.role_claim not in claims and known.userinfo:
            claims = await self._with_userinfo(known, claims, str(told.get("access_token", "")))
        return self._person(claims)

    async def look(self) -> int:
        """Ask what it says of itself, and for its keys; how many are of use. Raises `NotReady`."""
        return len((await self._key_set(await self._discover(), True)).keys)

    def sign_out_address(self) -> str:
        """Where to sign out at the provider itself; empty where it says none. Asks nobody."""
        if self._known is None or not self._known[1].end_session:
            return ""
        there, asked = self._known[1].end_session, urlencode({"client_id": self.settings.client_id})
        return f"{there}{'&' if '?' in there else '?'}{asked}"

    # --------------------------------------------------------------- what it says of itself

    async def _discover(self, kept_s: float = KEPT_S) -> Known:
        """Asked once for all who wait, and again no sooner than in a moment: strangers may begin as
        often as they like.
        """
        if (known := self._kept(kept_s)) is not None:
            return known
        async with self._asking:
            if (known := self._kept(kept_s)) is not None:
                return known
            if self._silent is not None and self._age(self._silent[0]) < FRESH_S:
                raise NotReady(self._silent[1])
            try:
                return await self._describe()
            except NotReady as error:
                self._silent = (self._clock.monotonic(), str(error))
                raise

    def _kept(self, kept_s: float) -> Known | None:
        """What it has said of itself within so long."""
        known = self._known
        return known[1] if known is not None and self._age(known[0]) < kept_s else None

    def _age(self, moment: float) -> float:
        return self._clock.monotonic() - moment

    async def _describe(self) -> Known:
        issuer = self.settings.issuer
        told = await self._get(issuer.rstrip("/") + "/.well-known/openid-configuration")
        if told.get("issuer") != issuer:
            raise NotReady(f"it calls itself {_short(told.get('issuer'))}, not {issuer}")
        methods = told.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        known = Known(
            authorize=_endpoint(told, "authorization_endpoint"),
            token=_endpoint(told, "token_endpoint"),
            keys=_endpoint(told, "jwks_uri"),
            userinfo=_endpoint(told, "userinfo_endpoint", needed=False),
            end_session=_endpoint(told, "end_session_endpoint", needed=False),
            by_post="client_secret_basic" not in methods,
        )
        self._known = (self._clock.monotonic(), known)
        return known

    async def _key_set(self, known: Known, afresh: bool) -> KeySet:
        now = self._clock.monotonic()
        if self._keys is not None:
            age = now - self._keys[0]
            if age < REFETCH_S or (not afresh and age < KEPT_S):
                return self._keys[1]
        told = await self._get(known.keys)
        found = [each for each in _list(told.get("keys")) if _usable(each)]
        try:
            keys = KeySet.import_key_set({"keys": found})
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise NotReady("its keys cannot be read") from error
        self._keys = (now, keys)
        return keys

    # ------------------------------------------------------------------------ what it answers

    async def _redeem(self, known: Known, code: str, verifier: str, back: str) -> dict[str, Any]:
        settings = self.settings
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "client_id": settings.client_id,
            "code_verifier": verifier,
        }
        headers = {"Accept": "application/json"}
        if settings.client_secret is not None and known.by_post:
            form["client_secret"] = settings.client_secret
        elif settings.client_secret is not None:
            pair = f"{quote(settings.client_id, safe='')}:{quote(settings.client_secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return await self._ask("POST", known.token, headers, form)

    async def _claims(self, known: Known, token: str, nonce: str) -> dict[str, Any]:
        claims: dict[str, Any] | None = None
        for afresh in (False, True):
            keys = await self._key_set(known, afresh)
            try:
                claims = jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims
                break
            except (JoseError, ValueError, TypeError, KeyError) as error:
                if afresh:
                    raise Refused(
                        phrase("The answer of your school's sign-in is not signed as it should be.")
                    ) from error
        self._hold_to(claims or {}, nonce)
        return claims or {}

    def _hold_to(self, claims: Mapping[str, Any], nonce: str) -> None:
        now = int(self._clock.now().timestamp())
        settings, audience = self.settings, claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        begins, ends = _moment(claims.get("iat")), _moment(claims.get("exp"))
        sound = (
            claims.get("iss") == settings.issuer
            and settings.client_id in audiences
            and (len(audiences) == 1 or claims.get("azp") == settings.client_id)
            and claims.get("azp", settings.client_id) == settings.client_id
            and isinstance(claims.get("sub"), str)
            and 0 < len(claims["sub"]) <= 255
            and isinstance(claims.get("nonce"), str)
            and secrets.compare_digest(str(claims["nonce"]).encode(), nonce.encode())
        )
        if not sound or begins is None or ends is None:
            raise Refused(phrase("The answer of your school's sign-in is not for this hub."))
        if not (begins - LEEWAY_S <= now < ends + LEEWAY_S and now - begins < OLDEST_S + LEEWAY_S):
            raise Refused(
                phrase(
                    "The answer of your school's sign-in is too old or not good yet. The clock of "
                    "one of the two machines may be wrong."
                )
            )

    async def _with_userinfo(
        self, known: Known, claims: dict[str, Any], access: str
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {access}", "Accept": "application/json"}
        told = await self._ask("GET", known.userinfo, headers)
        if told.get("sub") != claims["sub"]:
            raise Refused(phrase("The answer of your school's sign-in is not for this hub."))
        return {**told, **claims}

    def _person(self, claims: Mapping[str, Any]) -> Person:
        settings, said = self.settings, claims.get(self.settings.role_claim)
        values = {each for each in (said if isinstance(said, list) else [said]) if _is_text(each)}
        role = next((role for value, role in settings.roles.items() if value in values), None)
        if role is None:
            raise Refused(
                phrase(
                    "Your school account is good, but nothing gives it a role on this hub. Ask "
                    "whoever manages accounts."
                )
            )
        names = (claims.get(settings.name_claim), claims.get("email"), claims["sub"])
        name = clean_name(next(str(each) for each in names if _is_text(each)))
        asked = _moment(claims.get("auth_time"))
        return Person(settings.issuer, str(claims["sub"]), name, role, asked)

    # -------------------------------------------------------------------------- over the wire

    async def _get(self, address: str) -> dict[str, Any]:
        return await self._ask("GET", address, {"Accept": "application/json"})

    async def _ask(
        self,
        method: str,
        address: str,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """A JSON object, in time and of a size that fits. Raises `NotReady`, or `Refused` where the
        provider turns a code down.
        """
        timeout = aiohttp.ClientTimeout(total=WITHIN_S)
        headers = {**headers, "Accept-Encoding": "identity"}  # nothing is unpacked here
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session,
                session.request(
                    method, address, headers=headers, data=form, allow_redirects=False
                ) as answer,
            ):
                raw = await _bounded(answer)
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise NotReady(str(error) or type(error).__name__) from error
        try:
            told = json.loads(raw)
        except (ValueError, RecursionError):
            told = None
        if form is not None and status in (400, 401):
            raise Refused(phrase("Your school's sign-in did not take back what it had given."))
        if status != 200 or not isinstance(told, dict):
            raise NotReady(f"{address} answers {status} and no JSON object")
        return told


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    raw = b""
    async for part in answer.content.iter_chunked(64 * 1024):
        raw += part
        if len(raw) > LONGEST:
            raise ValueError(f"it answers with more than {LONGEST} bytes")
    return raw


def _endpoint(told: Mapping[str, Any], name: str, needed: bool = True) -> str:
    address = told.get(name)
    if address is None and not needed:
        return ""
    try:
        return plain_address(str(address), "an https address", query=True)
    except ValueError:
        if not needed:
            return ""
        raise NotReady(f"its {name} is {_short(address)}, no https address") from None


def _usable(key: Any) -> bool:
    """Whether it is a key for signatures of another: what both know would sign for anybody."""
    return (
        isinstance(key, dict)
        and key.get("kty") in ("RSA", "EC", "OKP")
        and key.get("use", "sig") == "sig"
    )


def _list(value: Any) -> list[Any]:
    return value[:100] if isinstance(value, list) else []


def _moment(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 100 else f"{text[:100]}…"
