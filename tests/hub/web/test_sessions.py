"""Sessions that somebody tries to steal, plant or keep; TLS; and what a proxy may say."""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, CookieJar, web
from aiohttp.test_utils import TestClient
from scripted_house import ScriptedHouse
from signing_in import PASSWORD, add, csrf_of

from hub import certificate
from hub.config import Config
from hub.identity import accounts
from hub.web.routes import ROUTES
from hub.web.security import FORM_COOKIE, GUEST, PUBLIC, SESSION_COOKIE
from hub.web.server import create_app

HOST_COOKIE = f"__Host-{SESSION_COOKIE}"
SignIn = Callable[[str], Awaitable[Any]]


def with_web(house: ScriptedHouse, **said: Any) -> None:
    """Have the configuration say this of the pages."""
    plain = house.config.model_dump(exclude={"hub"}, exclude_unset=True, by_alias=True)
    hub = {"name": house.config.hub.name, "web": said}
    house.config = Config.model_validate({**plain, "hub": hub})


async def test_signing_in_never_goes_on_with_a_session_that_was_there(
    client: TestClient, house: ScriptedHouse
) -> None:
    """A session that somebody planted in the browser is neither taken up nor kept alive."""
    await add(house)
    await add(house, "attacker")
    now = house.clock.now()
    planted = await house.journal_write(lambda c: accounts.open_session(c, "attacker", now))
    csrf = await csrf_of(client, "/signin")
    client.session.cookie_jar.update_cookies({SESSION_COOKIE: planted.secret}, client.make_url("/"))
    body = {"name": "desk", "password": PASSWORD, "csrf": csrf}
    answer = await client.post("/signin", data=body, allow_redirects=False)
    fresh = answer.cookies[SESSION_COOKIE].value
    assert fresh != planted.secret
    assert "<h1>desk</h1>" in await (await client.get("/me")).text()
    client.session.cookie_jar.clear()
    old = {"Cookie": f"{SESSION_COOKIE}={planted.secret}"}
    assert (await client.get("/api/v1/doors", headers=old)).status == 401


async def test_a_made_up_session_is_never_taken_for_one(
    client: TestClient, house: ScriptedHouse
) -> None:
    """The hub alone names sessions: a value that a browser brings along opens nothing."""
    await add(house)
    chosen = "a-session-that-somebody-chose-beforehand-0"
    client.session.cookie_jar.update_cookies({SESSION_COOKIE: chosen}, client.make_url("/"))
    csrf = await csrf_of(client, "/signin")
    body = {"name": "desk", "password": PASSWORD, "csrf": csrf}
    answer = await client.post("/signin", data=body, allow_redirects=False)
    assert answer.cookies[SESSION_COOKIE].value != chosen
    client.session.cookie_jar.clear()
    old = {"Cookie": f"{SESSION_COOKIE}={chosen}"}
    assert (await client.get("/api/v1/doors", headers=old)).status == 401


async def test_a_session_ends_after_twelve_hours_whatever_it_does(house: ScriptedHouse) -> None:
    """Use does not make it longer."""
    await add(house)
    now = house.clock.now()
    opened = await house.journal_write(lambda c: accounts.open_session(c, "desk", now))
    for hours, there in ((11.9, True), (12, False)):
        later = now + timedelta(hours=hours)
        await house.journal_write(lambda c, t=later: accounts.used_now(c, opened.identity, t))
        who = await house.journal_read(
            lambda c, t=later: accounts.identify_session(c, opened.secret, t)
        )
        assert (who is not None) == there


async def test_one_session_ends_and_only_ones_own(
    client: TestClient, house: ScriptedHouse, sign_in: SignIn
) -> None:
    """The list says where and how; a press ends one; nobody ends another's by guessing."""
    await add(house)
    now = house.clock.now()

    def open_two(conn: Any) -> Any:
        mine = accounts.open_session(
            conn, "The sro", now, way="passkey", device="Safari on iPhone", address="10.0.0.9"
        )
        return mine, accounts.open_session(conn, "desk", now)

    opened = await sign_in("sro")
    mine, theirs = await house.journal_write(open_two)
    page = await (await client.get("/me")).text()
    assert "Safari on iPhone" in page
    assert "From 10.0.0.9." in page
    assert "with a passkey" in page
    body = {"csrf": opened.identity.csrf}
    for digest, status in ((theirs.identity.digest, 404), (mine.identity.digest, 303)):
        path = f"/me/sessions/{digest[:16]}/end"
        assert (await client.post(path, data=body, allow_redirects=False)).status == status
    left = await house.journal_read(lambda c: accounts.sessions_of(c, "The sro", now))
    assert [each["digest"] for each in left] == [opened.identity.digest]
    assert await house.journal_read(lambda c: accounts.sessions_of(c, "desk", now))


ACTING = [
    route for route in ROUTES if route.method == "POST" and route.permission not in (PUBLIC, GUEST)
]


@pytest.mark.parametrize("route", ACTING, ids=lambda each: each.path)
async def test_no_post_acts_on_a_session_alone(
    client: TestClient, sign_in: SignIn, route: Any
) -> None:
    """Each address that acts: a page of another site that sends a form with the browser's cookie,
    and no secret of ours, is refused, whatever it says of where it comes from.
    """
    await sign_in("admin")
    address = re.sub(r"{\w+}", "a1", route.path)
    for headers in ({}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = await client.post(
            address, data={"sure": "1"}, headers=headers, allow_redirects=False
        )
        assert answer.status == 403, (route.path, headers)


STRANGERS = ["/signin", "/signin/code", "/signin/passkey/ask", "/signin/passkey", "/setup/x"]


@pytest.mark.parametrize("path", STRANGERS)
async def test_forms_of_strangers_need_the_secret_of_their_browser(
    client: TestClient, path: str
) -> None:
    """Nobody is signed in by another site, as somebody whom it chose."""
    for csrf in ("", "made-up-but-long-enough-secret"):
        answer = await client.post(path, data={"csrf": csrf, "name": "a", "password": "b"})
        assert answer.status in (403, 410), path
        assert SESSION_COOKIE not in answer.cookies


# ------------------------------------------------------------------------------------- TLS


@asynccontextmanager
async def over_tls(house: ScriptedHouse, folder: Path) -> AsyncIterator[tuple[ClientSession, str]]:
    """The pages over TLS with a certificate of the hub's own, and a browser that trusts it."""
    made = certificate.own(folder, ["localhost"], house.clock.now())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.file)
    trusting = ssl.create_default_context(cafile=made.file)
    runner = web.AppRunner(create_app(house), shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    base = f"https://localhost:{runner.addresses[0][1]}"
    from aiohttp import TCPConnector

    connector = TCPConnector(ssl=trusting)
    async with ClientSession(base, connector=connector, cookie_jar=CookieJar()) as browser:
        yield browser, base
    await runner.cleanup()


async def test_under_tls_the_session_is_of_this_host_alone(
    house: ScriptedHouse, tmp_path: Path
) -> None:
    """The cookie is `__Host-`, secure and hidden from scripts; one by the plain name, which a page
    without TLS could have planted, is not looked at.
    """
    await add(house)
    async with over_tls(house, tmp_path) as (browser, base):
        csrf = await csrf_of(browser, "/signin")
        body = {"name": "desk", "password": PASSWORD, "csrf": csrf}
        answer = await browser.post("/signin", data=body, allow_redirects=False)
        cookie = answer.cookies[HOST_COOKIE]
        assert (cookie["secure"], cookie["httponly"], cookie["path"]) == (True, True, "/")
        assert cookie["domain"] == ""
        assert cookie["samesite"] == "Lax"
        assert SESSION_COOKIE not in answer.cookies
        assert (await browser.get("/me", allow_redirects=False)).status == 200
        browser.cookie_jar.clear()
        plain = {"Cookie": f"{SESSION_COOKIE}={cookie.value}"}
        assert (await browser.get("/api/v1/doors", headers=plain)).status == 401
        hosted = {"Cookie": f"{HOST_COOKIE}={cookie.value}"}
        assert (await browser.get("/api/v1/doors", headers=hosted)).status == 200
        crossing = {**hosted, "Origin": base.replace("https:", "http:")}
        assert (await browser.post("/signout", headers=crossing, data={})).status == 403


@pytest.mark.parametrize(("tls", "strict"), [("own", True), ("generated", False)])
async def test_browsers_are_bound_to_tls_only_by_a_certificate_they_trust(
    house: ScriptedHouse, tmp_path: Path, tls: str, strict: bool
) -> None:
    """With the hub's own certificate strict transport would lock people out behind a warning."""
    files = {"certificate": "a", "certificate_key": "b"} if tls == "own" else {}
    with_web(house, tls=tls, **files)
    async with over_tls(house, tmp_path) as (browser, _base):
        answer = await browser.get("/signin")
        assert ("Strict-Transport-Security" in answer.headers) == strict


# ------------------------------------------------------------------------------- the proxy


async def who_came(house: ScriptedHouse) -> str:
    """The address of whoever was refused last."""
    from hub.audit_port import Asked

    return (await house.audit.view(Asked(act="session.refused")))["lines"][0]["address"]


async def try_once(client: TestClient, **headers: str) -> Any:
    """Sign in wrongly, with these headers."""
    csrf = await csrf_of(client, "/signin")
    body = {"name": "nobody", "password": "wrong", "csrf": csrf}
    return await client.post("/signin", data=body, headers=headers, allow_redirects=False)


async def test_nobody_but_a_proxy_says_where_a_request_comes_from(
    client: TestClient, house: ScriptedHouse
) -> None:
    """Else each guess came from another address, and the audit would hold what was made up."""
    await try_once(client, **{"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"})
    assert await who_came(house) == "127.0.0.1"


@pytest.mark.parametrize(
    ("told", "sender"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("made up, 203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, made up", "127.0.0.1"),
        ("", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1"),
        ("2001:db8::1", "2001:db8::1"),
    ],
)
async def test_a_proxy_says_where_a_request_comes_from(
    client: TestClient, house: ScriptedHouse, told: str, sender: str
) -> None:
    """The nearest address that is none of our proxies': what lies before it anybody may have put
    there.
    """
    with_web(house, proxies=["127.0.0.1", "10.0.0.2"])
    await try_once(client, **({"X-Forwarded-For": told} if told else {}))
    assert await who_came(house) == sender


async def test_behind_a_proxy_with_tls_cookies_are_of_tls(
    client: TestClient, house: ScriptedHouse
) -> None:
    """What the proxy says of the scheme decides on the cookie, as TLS of the hub's own does."""
    with_web(house, proxies=["127.0.0.1"])
    await add(house)
    csrf = await csrf_of(client, "/signin")
    body = {"name": "desk", "password": PASSWORD, "csrf": csrf}
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
    answer = await client.post("/signin", data=body, headers=headers, allow_redirects=False)
    assert answer.cookies[HOST_COOKIE]["secure"]
    assert FORM_COOKIE in answer.cookies


async def test_where_a_proxy_speaks_tls_nobody_passes_it_by(house: ScriptedHouse) -> None:
    """On the hub's own port plain HTTP is for the proxy and for this machine."""
    from aiohttp.test_utils import make_mocked_request

    from hub.web.proxy import proxied

    with_web(house, proxies=["10.0.0.2"], listen="0.0.0.0")
    app = create_app(house)

    async def inside(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.scheme} {request.remote}")

    for peer, status in (("10.0.0.2", 200), ("127.0.0.1", 200), ("10.0.0.77", 403)):
        request = make_mocked_request("GET", "/", app=app)
        request = request.clone(remote=peer)
        assert (await proxied(request, inside)).status == status, peer
