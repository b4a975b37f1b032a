import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from argon2 import PasswordHasher
from conformance import watch
from scripted_house import ScriptedHouse
from signing_in import SignIn

from hub.identity import accounts, passwords
from hub.identity.accounts import OpenedSession
from hub.web.security import SESSION_COOKIE
from hub.web.server import create_app
from hub.web.stream import Streams
from tests.in_memory import tmp_path

__all__ = ["tmp_path"]


@pytest.fixture(autouse=True, scope="module")
def quick_passwords() -> Iterator[None]:
    """Passwords are hashed as the hub does, in less memory and one round: pages are looked at here.
    How the hub hashes is looked at where its passwords are.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(passwords, "_HASHER", PasswordHasher(1, 8, 1))
        passwords._decoy.cache_clear()
        yield
    passwords._decoy.cache_clear()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[ScriptedHouse]:
    """A furnished house whose journal is open."""
    made = ScriptedHouse(tmp_path)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def client(house: ScriptedHouse) -> AsyncIterator[TestClient]:
    """A browser without scripts that has not signed in; it does not follow redirects by itself."""
    app = create_app(house, Streams(beat_s=0.2, page_beat_s=0.2, write_deadline_s=0.5))
    differs = watch(app)
    server = TestServer(app)
    await server.start_server(auto_decompress=False)  # as the hub's own runner
    async with TestClient(server) as browser:
        yield browser
        await asyncio.sleep(0)
    assert differs == []


@pytest.fixture
def sign_in(house: ScriptedHouse, client: TestClient) -> SignIn:
    """Open a session for an account of that role, without the cost of a password."""

    async def enter(role: str) -> OpenedSession:
        def make(conn: object) -> OpenedSession:
            name = accounts.add_user_with_hash(
                conn, f"The {role}", role, "no password", roles=house.config.roles
            )
            return accounts.open_session(conn, name, house.clock.now())

        opened: OpenedSession = await house.journal_write(make)
        client.session.cookie_jar.update_cookies(
            {SESSION_COOKIE: opened.secret}, client.make_url("/")
        )
        return opened

    return enter


@pytest.fixture
def token(house: ScriptedHouse) -> Callable[[str], Awaitable[dict[str, str]]]:
    """Make a token of a role; the header that carries it."""

    async def make(role: str) -> dict[str, str]:
        made: str = await house.journal_write(
            lambda c: accounts.create_token(c, f"{role} script", role, roles=house.config.roles)
        )
        return {"Authorization": f"Bearer {made}"}

    return make
