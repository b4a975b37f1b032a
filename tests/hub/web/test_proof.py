"""Acts of great weight ask once more who it is, where the session is older than ten minutes."""

import re
from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from scripted_house import ScriptedHouse
from signing_in import PASSWORD, add
from test_sign_in_ways import with_app

from hub.identity import accounts
from hub.identity.people import id_of
from hub.web.people_api import LINES as API_LINES
from hub.web.proof import LASTS
from hub.web.security import SESSION_COOKIE

ASKS = "Is it you?"
NURSE = id_of("nurse")
GRAVE: tuple[tuple[str, dict[str, str]], ...] = (
    ("/people", {"name": "New", "role": "nurse"}),
    (f"/people/{NURSE}/role", {"role": "viewer"}),
    (f"/people/{NURSE}/link", {}),
    (f"/people/{NURSE}/forget-factors", {}),
    ("/tokens", {"name": "Board", "role": "viewer", "days": "3"}),
)


async def came_in(client: TestClient, house: ScriptedHouse, ago: timedelta = LASTS) -> str:
    """The administrator, signed in a while ago; the secret of their forms."""
    then = house.clock.now() - ago
    opened = await house.journal_write(lambda c: accounts.open_session(c, "boss", then))
    client.session.cookie_jar.clear()
    jar = {SESSION_COOKIE: opened.secret}
    client.session.cookie_jar.update_cookies(jar, client.make_url("/"))
    return str(opened.identity.csrf)


@pytest.fixture
async def csrf(client: TestClient, house: ScriptedHouse) -> str:
    """An open page of ten minutes ago."""
    await add(house, "boss", "admin")
    await add(house, "nurse", "nurse")
    return await came_in(client, house)


async def lines(house: ScriptedHouse) -> int:
    """How much stands in the audit."""
    return int(
        await house.journal_read(
            lambda c: c.exec_driver_sql("SELECT count(*) FROM audit").scalar_one()
        )
    )


@pytest.mark.parametrize(("path", "fields"), GRAVE)
async def test_an_open_page_is_not_enough_for_what_weighs(
    client: TestClient, house: ScriptedHouse, csrf: str, path: str, fields: dict[str, str]
) -> None:
    """Nothing happens without the password, nor with a wrong one; with it what was asked is done,
    and the next is not asked again.
    """
    before = await lines(house)
    body = {**fields, "csrf": csrf}
    asks = await client.post(path, data=body, allow_redirects=False)
    page = await asks.text()
    assert (asks.status, ASKS in page) == (403, True)
    for name, value in fields.items():
        assert f'name="{name}" value="{value}"' in page
    assert await lines(house) == before
    wrong = {**body, "password": "not the right one"}
    refused = await client.post(path, data=wrong, allow_redirects=False)
    page = await refused.text()
    assert (refused.status, ASKS in page) == (401, True)
    assert "not the right one" not in page
    done = await client.post(path, data={**body, "password": PASSWORD}, allow_redirects=False)
    assert done.status in (200, 303)
    assert await lines(house) > before + 1  # the refusal and what was done
    again = await client.post("/people", data={"csrf": csrf, "name": "Other", "role": "nurse"})
    assert again.status == 200


async def test_a_fresh_session_is_not_asked_and_an_old_one_is(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """Ten minutes after signing in, to the second; what one session has proven is no other's."""
    body = {"name": "New", "role": "nurse"}
    fresh = await came_in(client, house, LASTS - timedelta(seconds=30))
    assert (await client.post("/people", data={**body, "csrf": fresh})).status == 200
    first = await came_in(client, house)
    sent = {**body, "name": "Newer", "csrf": first, "password": PASSWORD}
    assert (await client.post("/people", data=sent)).status == 200
    other = await came_in(client, house)
    assert (await client.post("/people", data={**body, "csrf": other})).status == 403


async def test_a_code_of_the_app_is_proof_and_counts_once(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """In place of the password; not a second time, and no recovery code is used up."""
    app, codes = await with_app(house, "boss")
    first = await came_in(client, house)
    body = {"name": "Board", "role": "viewer", "scope": ["see.doors", "see.health"]}
    page = await (await client.post("/tokens", data={**body, "csrf": first})).text()
    assert re.findall(r'name="scope" value="([a-z.]+)"', page) == body["scope"]
    for code in ("000000", codes[0]):
        sent = {**body, "csrf": first, "proof-code": code}
        assert (await client.post("/tokens", data=sent)).status == 401
    code = app.at(house.clock.now())
    made = await client.post("/tokens", data={**body, "csrf": first, "proof-code": code})
    assert 'id="token">vst_' in await made.text()
    second = await came_in(client, house)
    sent = {**body, "name": "Other", "csrf": second, "proof-code": code}
    assert (await client.post("/tokens", data=sent)).status == 401


async def test_guessing_there_is_slowed_down(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """The page that asks is no way around the throttle of signing in."""
    sent = {"name": "New", "role": "nurse", "csrf": csrf, "password": "wrong"}
    answers = [(await client.post("/people", data=sent)).status for _ in range(8)]
    assert answers[0] == 401
    assert answers[-1] == 429


async def test_over_the_api_a_session_is_refused_and_a_token_is_not_asked(
    client: TestClient, house: ScriptedHouse, csrf: str, token: Any
) -> None:
    """A script in an open page comes no further; programs have their token alone."""
    grave = {line[1] for line in API_LINES if line[0] == "POST"} & {
        f"/api/v1{path.replace(NURSE, '{id}')}" for path, _ in GRAVE
    }
    assert len(grave) == len(GRAVE)
    for path in grave:
        address = path.replace("{id}", NURSE)
        answer = await client.post(address, json={}, headers={"X-CSRF-Token": csrf})
        assert answer.status in (403, 422), path
    body = {"name": "Board", "role": "viewer"}
    answer = await client.post("/api/v1/tokens", json=body, headers={"X-CSRF-Token": csrf})
    assert answer.status == 403
    assert "once more" in (await answer.json())["detail"]
    client.session.cookie_jar.clear()
    headers = await token("admin")
    assert (await client.post("/api/v1/tokens", json=body, headers=headers)).status == 201


async def test_a_made_up_passkey_is_no_proof(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """Nor one whose question was never asked, or by another's session."""
    headers = {"X-CSRF-Token": csrf}
    assert (await client.post("/me/proof/ask", json={}, headers=headers)).status == 200
    for credential in ({}, {"id": "x"}, "x", None):
        answer = await client.post("/me/proof", json={"credential": credential}, headers=headers)
        assert answer.status == 410
    assert (await client.post("/me/proof/ask", json={})).status == 403
    body = {"name": "New", "role": "nurse", "csrf": csrf}
    assert (await client.post("/people", data=body)).status == 403
