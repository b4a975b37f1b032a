"""Whoever left a page alone is signed out, where the school wants that for their role."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from scripted_house import ScriptedHouse

from hub.audit_port import Asked
from hub.config import Config
from hub.identity import accounts
from hub.testing import FakeClock
from hub.web.security import DOORKEEPER, SESSION_COOKIE
from hub.web.server import create_app

PERSON = {"Sec-Fetch-Dest": "document"}
BY_ITSELF: tuple[tuple[str, dict[str, str]], ...] = (
    ("/doors", {"Sec-Fetch-Dest": "empty"}),
    ("/doors", {"Accept": "*/*"}),
    ("/pictures/cameras/lobby.jpg", {"Sec-Fetch-Dest": "image"}),
    ("/api/v1/doors", {"Sec-Fetch-Dest": "empty"}),
)
FIVE = 300.0


@pytest.fixture
async def clock(house: ScriptedHouse) -> FakeClock:
    """The time of a house whose officers are signed out after five minutes, others never."""
    made = house.clock = FakeClock(house.clock.now())
    plain = house.config.model_dump(exclude={"hub"}, exclude_unset=True, by_alias=True)
    hub = {"name": house.config.hub.name, "sign_in": {"idle": {"sro": "5m"}}}
    house.config = Config.model_validate({**plain, "hub": hub})
    return made


@pytest.fixture
async def served(house: ScriptedHouse, clock: FakeClock) -> AsyncIterator[TestClient]:
    """A browser."""
    async with TestClient(TestServer(create_app(house))) as browser:
        yield browser


async def came_in(client: TestClient, house: ScriptedHouse, role: str = "sro") -> Any:
    """Somebody with a session of now."""
    now = house.clock.now()

    def make(conn: Any) -> Any:
        name = accounts.add_user_with_hash(conn, f"The {role}", role, "no password")
        return accounts.open_session(conn, name, now)

    opened = await house.journal_write(make)
    jar = {SESSION_COOKIE: opened.secret}
    client.session.cookie_jar.update_cookies(jar, client.make_url("/"))
    return opened


async def go(client: TestClient, path: str, headers: dict[str, str]) -> Any:
    """Ask afresh: what is remembered for two seconds would hide the time."""
    client.app[DOORKEEPER].forget()
    return await client.get(path, headers=headers, allow_redirects=False)


@pytest.mark.parametrize(("path", "headers"), BY_ITSELF)
async def test_a_page_that_fetches_itself_keeps_nobody_signed_in(
    served: TestClient, house: ScriptedHouse, clock: FakeClock, path: str, headers: dict[str, str]
) -> None:
    """However often it does; then the next page says why, also the one after, and the audit has
    that the hub has done it.
    """
    await came_in(served, house)
    for _ in range(4):
        await clock.advance(FIVE / 5)
        assert (await go(served, path, headers)).status == 200
    await clock.advance(FIVE / 5)
    assert (await go(served, path, headers)).status in (303, 401)
    for _ in range(2):
        answer = await go(served, "/doors", PERSON)
        assert answer.headers["Location"] == "/signin?next=%2Fdoors&idle=1"
    page = await (await served.get(answer.headers["Location"])).text()
    assert "You were signed out: nobody did anything here for a while." in page
    (line,) = (await house.audit.view(Asked(act="session.closed")))["lines"]
    assert (line["who"], line["subject"]) == ("hub", "The sro")


async def test_what_a_person_does_keeps_them_signed_in(
    served: TestClient, house: ScriptedHouse, clock: FakeClock
) -> None:
    """Opening a page and sending a form count, in old browsers too; twelve hours stay the end."""
    opened = await came_in(served, house)
    csrf = {"csrf": opened.identity.csrf}
    for headers in (PERSON, {"Accept": "text/html,*/*"}) * 4:
        await clock.advance(FIVE - 30)
        assert (await go(served, "/doors", headers)).status == 200
    for _ in range(3):
        await clock.advance(FIVE - 30)
        served.app[DOORKEEPER].forget()
        sent = await served.post("/me/changes/seen", data=csrf, allow_redirects=False)
        assert sent.headers["Location"] == "/me#changed"
    await clock.advance(FIVE)
    assert (await go(served, "/doors", PERSON)).status == 303


async def test_a_role_without_it_and_a_program_are_left_alone(
    served: TestClient, house: ScriptedHouse, clock: FakeClock
) -> None:
    """A console on the wall does not go dark, and a token has no hands."""
    await came_in(served, house, "viewer")
    made: str = await house.journal_write(lambda c: accounts.create_token(c, "Board", "sro"))
    for _ in range(3):
        await clock.advance(3600)
        assert (await go(served, "/doors", BY_ITSELF[0][1])).status == 200
        headers = {"Authorization": f"Bearer {made}"}
        assert (await go(served, "/api/v1/doors", headers)).status == 200


async def test_it_holds_over_a_restart_and_a_reload(
    served: TestClient, house: ScriptedHouse, clock: FakeClock
) -> None:
    """What was left alone before a restart is over after it; a session that was ended does not
    come back when the school takes the setting out.
    """
    opened = await came_in(served, house)
    await clock.advance(FIVE)
    headers = {"Cookie": f"{SESSION_COOKIE}={opened.secret}", **PERSON}
    async with TestClient(TestServer(create_app(house))) as other:
        assert (await go(other, "/doors", headers)).status == 303
        house.config = Config.model_validate(
            house.config.model_dump(exclude={"hub"}, exclude_unset=True, by_alias=True)
        )
        assert (await go(other, "/doors", headers)).status == 303
