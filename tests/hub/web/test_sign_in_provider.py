"""The way to the identity provider and back, with a real provider and without a browser's help."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from aiohttp.test_utils import TestClient
from identity_provider import a_provider
from scripted_house import ScriptedHouse

from hub.audit_port import Asked
from hub.config import Config
from hub.identity import accounts, people
from hub.identity.openid import Person, Provider
from hub.web.security import SESSION_COOKIE
from hub.web.sign_in_provider import PROVIDER_COOKIE


def configure(house: ScriptedHouse, issuer: str, **more: Any) -> None:
    """Have the configuration name the provider."""
    plain = house.config.model_dump(exclude={"hub"}, exclude_unset=True, by_alias=True)
    said = {"issuer": issuer, "client_id": "vestibule", "client_secret": "hush"}
    provider = {**said, "roles": {"security": "sro", "staff": "nurse"}, **more}
    house.config = Config.model_validate({**plain, "hub": {"sign_in": {"provider": provider}}})


@pytest.fixture
async def issuer(house: ScriptedHouse) -> AsyncIterator[str]:
    """A provider that runs, and that the hub knows."""
    async with a_provider() as (address, _process):
        configure(house, address)
        yield address


async def sent(client: TestClient, onward: str = "/doors") -> str:
    """Where the hub sends a browser that wants to sign in."""
    answer = await client.get("/signin/provider", params={"next": onward}, allow_redirects=False)
    assert answer.status == 303
    return answer.headers["Location"]


async def agreed(address: str, who: str) -> str:
    """Where the provider sends it back to, once somebody has signed in there."""
    async with (
        aiohttp.ClientSession() as there,
        there.post(address, data={"sub": who}, allow_redirects=False) as answer,
    ):
        assert answer.status == 302, await answer.text()
        back = urlsplit(answer.headers["Location"])
        return f"{back.path}?{back.query}"


async def test_from_the_hub_to_the_provider_and_back(
    client: TestClient, house: ScriptedHouse, issuer: str
) -> None:
    """An account is made with the role of the mapping, and is the same one the next time."""
    for _ in range(2):
        client.session.cookie_jar.clear()
        back = await agreed(await sent(client), "teacher")
        answer = await client.get(back, allow_redirects=False)
        assert (answer.status, answer.headers["Location"]) == (303, "/doors")
        assert "<h1>Teacher</h1>" in await (await client.get("/me")).text()
    now = house.clock.now()
    (made,) = await house.journal_read(lambda c: people.every(c, now))
    assert (made.name, made.role, made.outside) == ("Teacher", "sro", True)
    view = await house.audit.view(Asked(act="session.opened"))
    assert view["lines"][0]["details"]["way"] == "provider"


async def test_an_answer_counts_once_and_for_the_browser_that_began(
    client: TestClient, house: ScriptedHouse, issuer: str
) -> None:
    """A state that is replayed, made up, or brought by another browser signs nobody in."""
    back = await agreed(await sent(client), "teacher")
    browser = client.session.cookie_jar.filter_cookies(client.make_url("/signin"))
    kept = browser[PROVIDER_COOKIE].value
    client.session.cookie_jar.clear()
    assert (await client.get(back)).status == 410
    back = await agreed(await sent(client), "teacher")
    client.session.cookie_jar.clear()
    another = {"Cookie": f"{PROVIDER_COOKIE}={kept}"}
    assert (await client.get(back, headers=another)).status == 410
    client.session.cookie_jar.clear()
    back = await agreed(await sent(client), "teacher")
    assert (await client.get(back, allow_redirects=False)).status == 303
    client.session.cookie_jar.clear()
    again = await client.get(back, allow_redirects=False)
    assert again.status == 410
    assert SESSION_COOKIE not in again.cookies
    for state in ("", "made-up", "x" * 5000):
        answer = await client.get("/signin/provider/return", params={"state": state, "code": "c"})
        assert answer.status == 410
    assert await house.journal_read(accounts.count_users) == 1


async def test_who_comes_back_with_made_up_codes_has_to_wait(
    client: TestClient, issuer: str
) -> None:
    """Each is a question to the provider, and a stranger's; whoever signs in counts for nothing."""
    found = []
    for code in range(40):
        state = parse_qs(urlsplit(await sent(client)).query)["state"][0]
        back = {"state": state, "code": f"made-up-{code}"}
        answer = await client.get("/signin/provider/return", params=back)
        found.append(answer.status)
    assert found[0] == 403
    assert found[-1] == 429
    assert "Too many tries" in await answer.text()


async def test_a_provider_that_is_silent_is_asked_once_for_all(
    client: TestClient, house: ScriptedHouse
) -> None:
    """However many begin at once, the hub holds one connection open, and nobody waits for long."""
    taken: list[asyncio.StreamWriter] = []

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(writer)

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        configure(house, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("hub.identity.openid.WITHIN_S", 0.3)
            answers = await asyncio.gather(*(client.get("/signin/provider") for _ in range(20)))
        for each in taken:
            each.close()
    assert {answer.status for answer in answers} == {503}
    assert len(taken) == 1


async def test_the_provider_is_to_ask_anew_where_the_hub_does(
    client: TestClient, house: ScriptedHouse, issuer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For an act of great weight nobody is believed because they are signed in over there: it is
    asked to ask, and where it says itself that it has not, the sign-in counts for nothing.
    """
    assert "prompt=" not in await sent(client)
    async with client.get("/signin/provider?again=1", allow_redirects=False) as answer:
        there = answer.headers["Location"]
    assert parse_qs(urlsplit(there).query)["prompt"] == ["login"]
    assert parse_qs(urlsplit(there).query)["max_age"] == ["0"]
    finish = Provider.finish
    for ago, status in ((3600, 403), (5, 303)):
        moment = house.clock.now().timestamp() - ago

        async def asked_then(self: Provider, *given: str, at: float = moment) -> Person:
            return replace(await finish(self, *given), asked=at)

        monkeypatch.setattr(Provider, "finish", asked_then)
        async with client.get("/signin/provider?again=1", allow_redirects=False) as answer:
            back = await agreed(answer.headers["Location"], "teacher")
        assert (await client.get(back, allow_redirects=False)).status == status


async def test_a_code_of_another_sign_in_is_not_taken(
    client: TestClient, house: ScriptedHouse, issuer: str
) -> None:
    """Somebody who slips their own code into another's return signs nobody in as themselves: the
    token has the nonce of the sign-in that it was made for.
    """
    mine = parse_qs(urlsplit(await agreed(await sent(client), "teacher")).query)["code"][0]
    victim = parse_qs(urlsplit(await agreed(await sent(client), "teacher")).query)["state"][0]
    answer = await client.get(
        "/signin/provider/return", params={"state": victim, "code": mine}, allow_redirects=False
    )
    assert answer.status == 403
    assert SESSION_COOKIE not in answer.cookies


async def test_what_the_provider_turns_down_is_said(
    client: TestClient, house: ScriptedHouse, issuer: str
) -> None:
    """Called off there, an answer of another issuer, and a code that it does not know."""
    for more, status in (
        ({"error": "access_denied"}, 403),
        ({"code": "c", "iss": "https://evil.example"}, 403),
        ({"code": "made up"}, 403),
    ):
        state = parse_qs(urlsplit(await sent(client)).query)["state"][0]
        answer = await client.get("/signin/provider/return", params={"state": state, **more})
        assert answer.status == status, more
        assert 'role="alert"' in await answer.text()


async def test_nobody_is_led_to_another_site(client: TestClient, issuer: str) -> None:
    """Neither by the address that the sign-in begins with nor by what the provider adds."""
    for foreign in ("//evil.example", "https://evil.example", "/\\evil.example"):
        client.session.cookie_jar.clear()
        back = await agreed(await sent(client, foreign), "teacher")
        answer = await client.get(f"{back}&next=//evil.example", allow_redirects=False)
        assert answer.headers["Location"] == "/"


async def test_a_local_account_is_not_taken_over_by_its_name(
    client: TestClient, house: ScriptedHouse, issuer: str
) -> None:
    """Whoever the provider calls Teacher is not the Teacher of this hub."""
    await house.journal_write(lambda c: accounts.add_user_with_hash(c, "TEACHER", "admin", "hash"))
    back = await agreed(await sent(client), "teacher")
    answer = await client.get(back, allow_redirects=False)
    assert answer.status == 403
    assert "already an account called TEACHER" in await answer.text()


async def test_another_role_there_is_another_role_here_at_the_next_sign_in(
    client: TestClient, house: ScriptedHouse, issuer: str
) -> None:
    """The mapping of today counts, and whoever was signed in with more is signed out."""
    await client.get(await agreed(await sent(client), "teacher"))
    before = client.session.cookie_jar.filter_cookies(client.make_url("/"))
    old = {"Cookie": f"{SESSION_COOKIE}={before[SESSION_COOKIE].value}"}
    configure(house, issuer, roles={"staff": "viewer"})
    client.session.cookie_jar.clear()
    await client.get(await agreed(await sent(client), "teacher"))
    assert (await client.get("/api/v1/doors")).status == 200
    assert "Viewer" in await (await client.get("/me")).text()
    client.session.cookie_jar.clear()
    assert (await client.get("/api/v1/doors", headers=old)).status == 401


async def test_a_locked_account_does_not_come_in_by_the_provider(
    client: TestClient, house: ScriptedHouse, issuer: str
) -> None:
    """Locked out is locked out, whichever way."""
    await client.get(await agreed(await sent(client), "teacher"))
    hand = people.Hand("Boss", people.permissions_of("admin", None))
    now, id_ = house.clock.now(), people.id_of("Teacher")
    await house.journal_write(lambda c: accounts.add_user_with_hash(c, "Boss", "admin", "hash"))
    await house.journal_write(lambda c: people.lock(c, hand, id_, now, None))
    client.session.cookie_jar.clear()
    answer = await client.get(await agreed(await sent(client), "teacher"), allow_redirects=False)
    assert answer.status == 403
    assert "locked out" in await answer.text()


async def test_without_a_provider_there_is_no_such_address(client: TestClient) -> None:
    """Nothing of it is there where the configuration names none."""
    for path in ("/signin/provider", "/signin/provider/return"):
        assert (await client.get(path)).status == 404
    assert "Sign in with" not in await (await client.get("/signin")).text()


async def test_a_provider_that_is_down_leaves_the_local_sign_in(
    client: TestClient, house: ScriptedHouse
) -> None:
    """In seconds, with a true sentence, and with the page that was asked for kept."""
    configure(house, "http://127.0.0.1:1")
    async with asyncio.timeout(15):
        answer = await client.get("/signin/provider", params={"next": "/doors"})
    assert answer.status == 503
    page = await answer.text()
    assert "does not answer" in page
    assert re.search(r'name="next" value="/doors"', page)
