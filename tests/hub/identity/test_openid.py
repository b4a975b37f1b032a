"""The school's identity provider: what it answers counts only when all of it is right.

A provider stands here that signs with real keys and can be told to lie in every way there is.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from hub.errors import NotReady, Refused
from hub.identity import openid
from hub.identity.openid import LONGEST, Begun, Person, Provider
from hub.sign_in_settings import ProviderSettings
from hub.testing import FakeClock

BACK = "https://safety.school.example/signin/provider/return"
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


class School:
    """An identity provider on this machine. Its fields say what it answers."""

    def __init__(self) -> None:
        self.keys = [RSAKey.generate_key(2048, {"kid": "one"}, auto_kid=False)]
        self.issuer = ""
        self.discovery: Callable[[dict[str, Any]], Any] = lambda told: told
        self.claims: dict[str, Any] = {}
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "one"}
        self.signs_with: Any = self.keys[0]
        self.token: str | None = None
        self.userinfo: dict[str, Any] | None = None
        self.asked: list[tuple[str, dict[str, str], str]] = []
        self.answers: dict[str, Callable[[], web.StreamResponse]] = {}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        form = {key: str(value) for key, value in (await request.post()).items()}
        self.asked.append((request.path, form, request.headers.get("Authorization", "")))
        if request.path in self.answers:
            return self.answers[request.path]()
        match request.path:
            case "/.well-known/openid-configuration":
                return web.json_response(self.discovery(self.about()))
            case "/keys":
                public = [each.as_dict(private=False) for each in self.keys]
                return web.json_response({"keys": public})
            case "/token":
                return web.json_response({"id_token": self.id_token(), "access_token": "pass"})
            case "/me":
                return web.json_response(self.userinfo or {})
        return web.Response(status=404)

    def about(self) -> dict[str, Any]:
        paths = {"authorization": "login", "token": "token", "userinfo": "me"}
        told = {f"{name}_endpoint": f"{self.issuer}/{path}" for name, path in paths.items()}
        return {**told, "issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"}

    def id_token(self) -> str:
        if self.token is not None:
            return self.token
        return str(jwt.encode(self.header, self.claims, self.signs_with))


@web.middleware
async def packed(request: web.Request, handler: Handler) -> web.StreamResponse:
    """It compresses its answers for whoever takes that, as large providers do."""
    answer = await handler(request)
    answer.enable_compression()
    return answer


@pytest.fixture
async def school() -> AsyncIterator[School]:
    """It listens, and knows a teacher."""
    made = School()
    app = web.Application(middlewares=[packed])
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def hub(school: School, clock: FakeClock) -> Provider:
    """What the hub knows of it."""
    return Provider(settings(school), clock)


def settings(school: School, **more: Any) -> ProviderSettings:
    """The block of the configuration."""
    said = {
        "issuer": school.issuer,
        "client_id": "vestibule",
        "client_secret": "hush & hush",
        "roles": {"security": "sro", "staff": "front_office"},
    }
    return ProviderSettings.model_validate({**said, **more})


def teacher(school: School, begun: Begun, **more: Any) -> None:
    """Have it tell of a teacher, with these claims as well or instead."""
    now = int(NOW.timestamp())
    school.claims = {
        "iss": school.issuer, "sub": "u-17", "aud": "vestibule", "iat": now, "exp": now + 300,
        "nonce": begun.nonce, "preferred_username": "Ms Example", "groups": ["staff", "choir"],
        **more,
    }  # fmt: skip
    school.claims = {key: value for key, value in school.claims.items() if value is not ...}


async def come(school: School, hub: Provider, **more: Any) -> Person:
    """From the beginning to who it is."""
    begun = await hub.begin(BACK)
    teacher(school, begun, **more)
    return await hub.finish("the code", begun.verifier, begun.nonce, BACK)


async def test_a_sign_in_from_its_beginning_to_a_role(school: School, hub: Provider) -> None:
    """The browser is sent with state, nonce and a challenge; the code is redeemed with what the
    challenge was made of, and the claim becomes a role.
    """
    begun = await hub.begin(BACK)
    asked = {key: each[0] for key, each in parse_qs(urlsplit(begun.address).query).items()}
    digest = hashlib.sha256(begun.verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert (asked["code_challenge"], asked["code_challenge_method"]) == (challenge, "S256")
    assert (asked["state"], asked["nonce"]) == (begun.state, begun.nonce)
    assert (asked["response_type"], asked["redirect_uri"]) == ("code", BACK)
    assert begun.verifier not in begun.address
    assert len({begun.state, begun.nonce, begun.verifier}) == 3
    teacher(school, begun)
    person = await hub.finish("the code", begun.verifier, begun.nonce, BACK)
    assert person == Person(school.issuer, "u-17", "Ms Example", "front_office")
    _, form, proof = next(each for each in school.asked if each[0] == "/token")
    assert (form["code"], form["code_verifier"]) == ("the code", begun.verifier)
    assert "client_secret" not in form
    assert base64.b64decode(proof.removeprefix("Basic ")) == b"vestibule:hush%20%26%20hush"


async def test_an_endpoint_may_have_a_query_of_its_own(school: School, hub: Provider) -> None:
    """Some providers tell policies apart by one; what the hub asks is put behind it."""
    login = f"{school.issuer}/login?policy=staff"
    school.discovery = lambda told: {**told, "authorization_endpoint": login}
    begun = await hub.begin(BACK)
    asked = parse_qs(urlsplit(begun.address).query)
    assert (asked["policy"], asked["client_id"]) == (["staff"], ["vestibule"])
    assert begun.address.count("?") == 1


async def test_two_beginnings_share_nothing(hub: Provider) -> None:
    """Each has a state, a nonce and a verifier of its own."""
    one, two = [await hub.begin(BACK) for _ in range(2)]
    assert not {one.state, one.nonce, one.verifier} & {two.state, two.nonce, two.verifier}


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://evil.example"}, {"iss": ...}, {"aud": "another"}, {"aud": ...},
        {"aud": ["vestibule", "another"]}, {"azp": "another"}, {"nonce": "another"},
        {"nonce": ...}, {"nonce": 7}, {"sub": ""}, {"sub": ...}, {"sub": 17}, {"sub": "x" * 256},
        {"exp": ...}, {"exp": "soon"}, {"exp": int(NOW.timestamp()) - 61}, {"iat": ...},
        {"iat": int(NOW.timestamp()) + 61}, {"iat": int(NOW.timestamp()) - 3600}, {"exp": True},
    ],
    ids=str,
)  # fmt: skip
async def test_claims_that_are_not_for_us_now_sign_nobody_in(
    school: School, hub: Provider, wrong: dict[str, Any]
) -> None:
    """Issuer, audience, nonce, subject and times: one that is wrong is enough."""
    with pytest.raises(Refused):
        await come(school, hub, **wrong)


@pytest.mark.parametrize(
    "more",
    [
        {"aud": ["vestibule"]},
        {"aud": ["another", "vestibule"], "azp": "vestibule"},
        {"iat": int(NOW.timestamp()) + 50},
        {"exp": int(NOW.timestamp()) - 50},
        {"iat": NOW.timestamp() + 0.5},
    ],
    ids=str,
)
async def test_what_the_standard_allows_is_taken(
    school: School, hub: Provider, more: dict[str, Any]
) -> None:
    """A list as audience, and clocks that differ by less than a minute."""
    assert (await come(school, hub, **more)).role == "front_office"


async def test_no_signature_and_foreign_signatures_sign_nobody_in(
    school: School, hub: Provider
) -> None:
    """`alg: none`, a key that is not the provider's, its public key used as a shared secret, and
    what is no token at all.
    """
    begun = await hub.begin(BACK)
    teacher(school, begun)
    plain = [json.dumps(part).encode() for part in ({"alg": "none"}, school.claims)]
    parts = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in plain]
    stranger = RSAKey.generate_key(2048, {"kid": "one"}, auto_kid=False)
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"one"}').rstrip(b"=").decode()
    public, said = school.keys[0].as_pem(private=False), f"{head}.{parts[1]}"
    shared = hmac.digest(public, said.encode(), "sha256")
    forged = [
        f"{parts[0]}.{parts[1]}.",
        str(jwt.encode({"alg": "RS256", "kid": "one"}, school.claims, stranger)),
        f"{said}.{base64.urlsafe_b64encode(shared).rstrip(b'=').decode()}",
        "", "no token", "a.b.c", "." * 10, f"{parts[0]}.{parts[0]}.{parts[0]}", "é" * 20,
    ]  # fmt: skip
    for token in forged:
        school.token = token
        with pytest.raises(Refused, match="not signed"):
            await hub.finish("the code", begun.verifier, begun.nonce, BACK)


async def test_a_key_set_of_shared_secrets_opens_nothing(school: School, clock: FakeClock) -> None:
    """A key that both sides would know is none of a provider's, even where it publishes one."""
    secret = OctKey.generate_key(256, {"kid": "shared"}, auto_kid=False)
    school.answers["/keys"] = lambda: web.json_response({"keys": [secret.as_dict(private=True)]})
    school.header, school.signs_with = {"alg": "HS256", "kid": "shared"}, secret
    with pytest.raises(NotReady, match="keys"):
        await come(school, Provider(settings(school), clock))


async def test_a_changed_key_is_looked_for_once_a_minute(
    school: School, hub: Provider, clock: FakeClock
) -> None:
    """Providers change their keys; a stream of forged tokens is no stream of questions to them."""
    await come(school, hub)
    fresh = ECKey.generate_key("P-256", {"kid": "two"}, auto_kid=False)
    school.keys, school.signs_with = [fresh], fresh
    school.header = {"alg": "ES256", "kid": "two"}
    await clock.advance(61)
    more = {"iat": int(clock.now().timestamp()), "exp": int(clock.now().timestamp()) + 300}
    assert (await come(school, hub, **more)).subject == "u-17"
    school.signs_with = ECKey.generate_key("P-256", {"kid": "three"}, auto_kid=False)
    school.header = {"alg": "ES256", "kid": "three"}
    before = [path for path, _, _ in school.asked].count("/keys")
    for _ in range(5):
        with pytest.raises(Refused):
            await come(school, hub, **more)
    assert [path for path, _, _ in school.asked].count("/keys") == before
    await clock.advance(61)
    with pytest.raises(Refused):
        await come(school, hub)
    assert [path for path, _, _ in school.asked].count("/keys") == before + 1


async def test_without_a_role_nobody_comes_in(school: School, hub: Provider) -> None:
    """No claim, an empty one, another's value, or one of another kind gives no role."""
    school.userinfo = {"sub": "u-17"}
    for groups in (..., [], ["choir"], "choir", 7, {"staff": True}, [["staff"]], None):
        with pytest.raises(Refused, match="gives it a role"):
            await come(school, hub, groups=groups)


async def test_the_first_of_the_configuration_counts(school: School, hub: Provider) -> None:
    """The order in the file decides, not that of the claim; one text is as good as a list."""
    assert (await come(school, hub, groups=["staff", "security"])).role == "sro"
    assert (await come(school, hub, groups="staff")).role == "front_office"


async def test_claims_that_only_userinfo_has_are_asked_for(school: School, hub: Provider) -> None:
    """Some providers keep groups out of the token; what they say has to be of the same person."""
    school.userinfo = {"sub": "u-17", "groups": ["staff"], "nonce": "ignored", "iss": "ignored"}
    assert (await come(school, hub, groups=...)).role == "front_office"
    assert next(each for each in school.asked if each[0] == "/me")[2] == "Bearer pass"
    school.userinfo = {"sub": "somebody else", "groups": ["staff"]}
    with pytest.raises(Refused, match="not for this hub"):
        await come(school, hub, groups=...)


HOSTILE = {
    "another issuer": lambda told: {**told, "issuer": "https://evil.example"},
    "no issuer": lambda told: {**told, "issuer": None},
    "a token endpoint in the open": lambda told: {**told, "token_endpoint": "http://evil.example/"},
    "keys from a file": lambda told: {**told, "jwks_uri": "file:///etc/passwd"},
    "an endpoint with a password": lambda told: {
        **told, "authorization_endpoint": "https://a:b@evil.example/"
    },
    "an endpoint that is none": lambda told: {**told, "authorization_endpoint": ["x"]},
    "nothing": lambda told: {},
    "a list": lambda told: [told],
    "a number": lambda told: 7,
}  # fmt: skip


@pytest.mark.parametrize("lie", HOSTILE)
async def test_a_provider_that_is_not_what_it_was_is_not_followed(
    school: School, hub: Provider, lie: str
) -> None:
    """Whatever stands in its description, the browser is sent nowhere, and it is said why."""
    school.discovery = HOSTILE[lie]
    with pytest.raises(NotReady):
        await hub.begin(BACK)


ODD: dict[str, Callable[[], web.StreamResponse]] = {
    "a redirect": lambda: web.Response(status=302, headers={"Location": "http://evil.example/"}),
    "an error": lambda: web.Response(status=500, text="{}"),
    "a page": lambda: web.Response(text="<html>", content_type="text/html"),
    "no text": lambda: web.Response(body=b"\xff\xfe\x00", content_type="application/json"),
    "deep": lambda: web.Response(text="[" * 100_000, content_type="application/json"),
    "too much": lambda: web.Response(body=b" " * (LONGEST + 1) + b"{}"),
    "compressed": lambda: web.Response(body=b"\x1f\x8b junk", headers={"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/keys", "/token"])
@pytest.mark.parametrize("odd", ODD)
async def test_no_answer_breaks_the_hub(school: School, hub: Provider, odd: str, path: str) -> None:
    """Each ends as "does not answer" or "refused", bounded, and no redirect is followed."""
    school.answers[path] = ODD[odd]
    with pytest.raises((NotReady, Refused)):
        await come(school, hub)
    assert all(asked[0] != "/" for asked in school.asked)


async def test_a_code_that_the_provider_turns_down_is_refused(
    school: School, hub: Provider
) -> None:
    """Used twice, or of another client: that is no fault of the network."""
    school.answers["/token"] = lambda: web.json_response({"error": "invalid_grant"}, status=400)
    with pytest.raises(Refused, match="did not take back"):
        await come(school, hub)


async def test_a_provider_that_never_answers_is_given_up(
    school: School, hub: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for it longer than the deadline."""
    monkeypatch.setattr(openid, "WITHIN_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and says nothing
        issuer = f"http://127.0.0.1:{silent.getsockname()[1]}"
        elsewhere = Provider(settings(school, issuer=issuer), FakeClock(NOW))
        async with asyncio.timeout(5):
            with pytest.raises(NotReady):
                await elsewhere.begin(BACK)


async def test_a_provider_that_is_off_is_not_ready(school: School) -> None:
    """Nothing listens there: the local sign-in is what is left."""
    off = Provider(settings(school, issuer="http://127.0.0.1:1"), FakeClock(NOW))
    with pytest.raises(NotReady):
        await off.begin(BACK)


async def test_a_client_without_a_secret_and_one_by_post(school: School, clock: FakeClock) -> None:
    """A public client proves itself by PKCE alone; where Basic is not taken the form has it."""
    await come(school, Provider(settings(school, client_secret=None), clock))
    _, form, proof = next(each for each in school.asked if each[0] == "/token")
    assert (proof, "client_secret" in form) == ("", False)
    school.asked.clear()
    post = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    school.discovery = lambda told: {**told, **post}
    await come(school, Provider(settings(school), clock))
    _, form, proof = next(each for each in school.asked if each[0] == "/token")
    assert (proof, form["client_secret"]) == ("", "hush & hush")


def test_the_key_set_that_is_made_here_is_real() -> None:
    """The tests sign as a provider would: what they sign is verified by the public key alone."""
    key = RSAKey.generate_key(2048, {"kid": "one"}, auto_kid=False)
    public = KeySet.import_key_set({"keys": [key.as_dict(private=False)]})
    token = jwt.encode({"alg": "RS256", "kid": "one"}, {"sub": "x"}, key)
    assert jwt.decode(token, public, algorithms=["RS256"]).claims == {"sub": "x"}


@pytest.mark.parametrize(
    "issuer",
    ["http://login.school.example", "https://a:b@login.example", "https://x/?a", "login", "ftp://x",
     "https://x#y", "https://[::1", "//x"],
)  # fmt: skip
def test_an_issuer_in_the_open_is_refused(issuer: str) -> None:
    """Where passwords are typed, nobody listens in; http is for this machine alone."""
    with pytest.raises(ValueError, match="expected an address"):
        ProviderSettings.model_validate({"issuer": issuer, "client_id": "v", "roles": {"a": "sro"}})
