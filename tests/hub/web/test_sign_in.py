"""The first account, signing in and out, and guessing passwords."""

import asyncio
import re
from datetime import timedelta

from aiohttp.test_utils import TestClient, TestServer
from scripted_house import ScriptedHouse
from signing_in import PASSWORD, add, csrf_of

from hub.identity import accounts, setup_links
from hub.testing import FakeClock
from hub.web.security import DOORKEEPER, SESSION_COOKIE
from hub.web.server import create_app


async def enter(client: TestClient, password: str, name: str = "desk", **more: str) -> object:
    """Send the sign-in form."""
    csrf = await csrf_of(client, "/signin")
    body = {"name": name, "password": password, "csrf": csrf, **more}
    return await client.post("/signin", data=body, allow_redirects=False)


async def test_the_link_makes_the_first_account_and_is_then_used_up(
    client: TestClient, house: ScriptedHouse
) -> None:
    """From the console's link to the first page in one form; the link then answers 410."""
    now = house.clock.now()
    link = await house.journal_write(
        lambda c: setup_links.create_setup_link(c, now, timedelta(hours=1))
    )
    csrf = await csrf_of(client, f"/setup/{link}")
    form = {"name": "desk", "password": PASSWORD, "again": "different", "csrf": csrf}
    wrong = await client.post(f"/setup/{link}", data=form, allow_redirects=False)
    assert wrong.status == 422
    assert "not the same" in await wrong.text()
    short = {**form, "password": "short", "again": "short"}
    assert (await client.post(f"/setup/{link}", data=short)).status == 422
    form["again"] = PASSWORD
    done = await client.post(f"/setup/{link}", data=form, allow_redirects=False)
    assert (done.status, done.headers["Location"]) == (303, "/")
    cookie = done.cookies[SESSION_COOKIE]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert "Administrator" in await (await client.get("/me")).text()
    assert (await client.get(f"/setup/{link}")).status == 410
    again = await client.post(f"/setup/{link}", data={**form, "name": "stranger"})
    assert again.status in (403, 410)
    assert await house.journal_read(accounts.count_users) == 1


async def test_a_made_up_link_makes_nothing(client: TestClient) -> None:
    """Only a link the hub gave out opens the form."""
    assert (await client.get("/setup/made-up")).status == 410


async def test_the_right_password_opens_a_session_and_leads_on(
    client: TestClient, house: ScriptedHouse
) -> None:
    """Signing in leads to the page that was asked for, and only to a page of ours."""
    await add(house)
    answer = await enter(client, PASSWORD, next="/doors?x=1")
    assert (answer.status, answer.headers["Location"]) == (303, "/doors?x=1")
    assert (await client.get("/doors")).status == 200
    for foreign in ("//evil.example", "https://evil.example", "/\\evil.example", "/a\nb"):
        client.session.cookie_jar.clear()
        answer = await enter(client, PASSWORD, next=foreign)
        assert answer.headers["Location"] == "/"


async def test_wrong_names_and_wrong_passwords_get_the_same_answer(
    client: TestClient, house: ScriptedHouse
) -> None:
    """The answer does not say which names exist."""
    await add(house)
    answers = [await enter(client, "wrong password"), await enter(client, PASSWORD, name="nobody")]
    texts = []
    for answer in answers:
        assert answer.status == 401
        assert SESSION_COOKIE not in answer.cookies
        text = await answer.text()
        texts.append(re.sub(r'value="[^"]*"| autofocus', "", text))
    assert texts[0] == texts[1]


async def test_guessing_is_slowed_down_even_side_by_side(house: ScriptedHouse) -> None:
    """After five wrong tries the right password has to wait as well, and the answer says so."""
    clock = house.clock = FakeClock()
    await add(house)
    async with TestClient(TestServer(create_app(house))) as client:
        csrf = await csrf_of(client, "/signin")
        body = {"name": "desk", "password": "wrong password", "csrf": csrf}
        tries = [client.post("/signin", data=body, allow_redirects=False) for _ in range(8)]
        statuses = sorted([answer.status for answer in await asyncio.gather(*tries)])
        assert statuses == [401] * 5 + [429] * 3
        body["password"] = PASSWORD
        answer = await client.post("/signin", data=body, allow_redirects=False)
        assert answer.status == 429
        assert int(answer.headers["Retry-After"]) >= 1
        assert "Too many tries" in await answer.text()
        await clock.advance(2)
        answer = await client.post("/signin", data=body, allow_redirects=False)
        assert answer.status == 303


async def test_a_sign_in_form_without_its_secret_signs_nobody_in(
    client: TestClient, house: ScriptedHouse
) -> None:
    """Another site cannot sign a browser in as somebody else."""
    await add(house)
    body = {"name": "desk", "password": PASSWORD}
    assert (await client.post("/signin", data=body, allow_redirects=False)).status == 403
    body["csrf"] = "made-up-but-long-enough-secret"
    assert (await client.post("/signin", data=body, allow_redirects=False)).status == 403


async def test_signing_out_ends_the_session_for_good(
    client: TestClient, house: ScriptedHouse
) -> None:
    """A cookie kept from before signing out opens nothing."""
    await add(house)
    answer = await enter(client, PASSWORD)
    secret = answer.cookies[SESSION_COOKIE].value
    csrf = await csrf_of(client, "/me")
    out = await client.post("/signout", data={"csrf": csrf}, allow_redirects=False)
    assert out.headers["Location"] == "/signin"
    kept = {"Cookie": f"{SESSION_COOKIE}={secret}"}
    assert (await client.get("/api/v1/doors", headers=kept)).status == 401


async def test_one_can_end_ones_other_sessions(client: TestClient, house: ScriptedHouse) -> None:
    """A browser left signed in elsewhere is shut out at once."""
    await add(house)
    first = (await enter(client, PASSWORD)).cookies[SESSION_COOKIE].value
    client.session.cookie_jar.clear()
    await enter(client, PASSWORD)
    assert "Sign out everywhere else" in await (await client.get("/me")).text()
    csrf = await csrf_of(client, "/me")
    await client.post("/me/signout-others", data={"csrf": csrf})
    left = {"Cookie": f"{SESSION_COOKIE}={first}"}
    client.session.cookie_jar.clear()
    assert (await client.get("/api/v1/doors", headers=left)).status == 401


async def test_a_token_revoked_elsewhere_stops_working_within_seconds(
    client: TestClient, house: ScriptedHouse, token: object
) -> None:
    """What is remembered about a token is short-lived, so revoking needs no restart."""
    headers = await token("it")  # type: ignore[operator]
    assert (await client.get("/api/v1/doors", headers=headers)).status == 200
    await house.journal_write(lambda c: accounts.revoke_token(c, "it script"))
    client.server.app[DOORKEEPER].forget()
    assert (await client.get("/api/v1/doors", headers=headers)).status == 401


async def test_a_password_is_never_in_an_answer(client: TestClient, house: ScriptedHouse) -> None:
    """The form comes back with the name, never with the password."""
    await add(house)
    answer = await enter(client, "a wrong but secret password")
    text = await answer.text()
    assert "desk" in text
    assert "secret password" not in text
