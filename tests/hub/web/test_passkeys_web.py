"""Passkeys at the web, where what comes is made up: a refusal each time, never a fault."""

import json
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from scripted_house import ScriptedHouse
from signing_in import PASSWORD, add, csrf_of
from sqlalchemy import insert

from hub.identity.passkeys import Passkey, Site, challenge_in, made_here, signed_by
from hub.storage.identity_tables import passkeys
from hub.web.security import SESSION_COOKIE

DEEP = "[" * 5000 + "]" * 5000


def client_data(challenge: str, **more: str) -> str:
    """What a browser says it was asked, in base64."""
    import base64

    told = {"type": "webauthn.get", "challenge": challenge, "origin": "http://127.0.0.1", **more}
    return base64.urlsafe_b64encode(json.dumps(told).encode()).rstrip(b"=").decode()


async def secret_of(client: TestClient, path: str) -> dict[str, str]:
    """The header with the secret of a page's form."""
    return {"X-CSRF-Token": await csrf_of(client, path), "Content-Type": "application/json"}


def answers(challenge: str) -> list[Any]:
    """Credentials that no browser makes."""
    good = client_data(challenge)
    whole = {
        "id": "AAAA", "rawId": "AAAA", "type": "public-key", "clientExtensionResults": {},
        "response": {"clientDataJSON": good, "authenticatorData": "AAAA", "signature": "AAAA",
                     "attestationObject": "AAAA"},
    }  # fmt: skip
    return [
        None, 7, "text", [], {}, {"id": 7}, {"response": None}, {"response": {"clientDataJSON": 7}},
        {"response": {"clientDataJSON": "%%%"}}, {"response": {"clientDataJSON": good}},
        {**whole, "id": "\ud800"}, {**whole, "id": "A" * 5000}, {**whole, "id": {"a": "b"}},
        {**whole, "type": "password"}, {**whole, "rawId": "BBBB"}, whole,
        {**whole, "response": {**whole["response"], "signature": "A" * 20_000}},
        {**whole, "response": {**whole["response"], "authenticatorData": "o2Nm" * 2000}},
        {**whole, "response": {**whole["response"], "attestationObject": "o2Nm" * 2000}},
    ]  # fmt: skip


@pytest.mark.parametrize("which", range(19))
async def test_made_up_answers_sign_nobody_in(
    client: TestClient, house: ScriptedHouse, which: int
) -> None:
    """Whatever stands in place of a credential, with a question that really was asked."""
    headers = await secret_of(client, "/signin")
    asked = await (await client.post("/signin/passkey/ask", data="{}", headers=headers)).json()
    assert asked["userVerification"] == "required"
    body = json.dumps({"credential": answers(asked["challenge"])[which], "next": "/"})
    answer = await client.post("/signin/passkey", data=body, headers=headers)
    assert answer.status in (401, 410)
    assert (await answer.json())["problem"]
    assert SESSION_COOKIE not in answer.cookies


@pytest.mark.parametrize("body", ["", "null", "[]", "{", DEEP, '{"credential": ' + DEEP + "}"])
async def test_what_is_no_object_is_refused(client: TestClient, body: str) -> None:
    """Neither an empty body nor one without an end is a fault of the hub."""
    headers = await secret_of(client, "/signin")
    assert (await client.post("/signin/passkey", data=body, headers=headers)).status == 410


async def test_made_up_passkeys_are_not_kept(client: TestClient, house: ScriptedHouse) -> None:
    """The same for making one, on one's own page, with the password given."""
    await add(house)
    headers = await secret_of(client, "/signin")
    fields = {"name": "desk", "password": PASSWORD, "csrf": headers["X-CSRF-Token"]}
    await client.post("/signin", data=fields)
    mine = await secret_of(client, "/me/sign-in")
    form = {"X-CSRF-Token": mine["X-CSRF-Token"]}
    wrong = await client.post("/me/passkeys/ask", data={"password": "wrong"}, headers=form)
    assert wrong.status == 401
    for which in range(len(answers(""))):
        asked = await (
            await client.post("/me/passkeys/ask", data={"password": PASSWORD}, headers=form)
        ).json()
        chosen = asked["authenticatorSelection"]
        assert (chosen["userVerification"], chosen["residentKey"]) == ("required", "required")
        body = json.dumps({"credential": answers(asked["challenge"])[which], "name": "x"})
        answer = await client.post("/me/passkeys", data=body, headers=mine)
        assert answer.status in (409, 410), which


async def test_a_passkey_of_another_host_is_not_asked(house: ScriptedHouse) -> None:
    """One that was made for another name of the hub signs nobody in at this one."""
    key = Passkey("AAAA", "desk", "phone", "other.example", b"key", 0, "", "")
    site = Site("https://hub.example", "hub.example", "School")
    from hub.errors import Refused

    with pytest.raises(Refused, match="another site"):
        signed_by(site, key, {}, "AAAA")
    with pytest.raises(Refused):
        made_here(site, {"id": "AAAA"}, "AAAA")
    assert challenge_in({"response": {"clientDataJSON": client_data("abc")}}) == "abc"


async def test_who_has_only_a_passkey_is_asked_for_it_after_the_password(
    client: TestClient, house: ScriptedHouse
) -> None:
    """A password that was stolen opens nothing there either."""
    await add(house)
    row = {
        "id": "AAAA", "user": "desk", "name": "phone", "host": "localhost", "public_key": b"key",
        "sign_count": 0, "created": house.ago(60),
    }  # fmt: skip
    await house.journal_write(lambda c: c.execute(insert(passkeys).values(**row)))
    headers = await secret_of(client, "/signin")
    body = {"name": "desk", "password": PASSWORD, "csrf": headers["X-CSRF-Token"]}
    answer = await client.post("/signin", data=body)
    assert answer.url.path == "/signin/code"
    page = await answer.text()
    assert "Use a passkey" in page
    assert "One of your recovery codes." in page
    assert (await client.get("/doors", allow_redirects=False)).status == 303
