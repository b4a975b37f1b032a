"""Signing in as tests do: what the fixture `sign_in` gives, and forms and passwords by hand."""

import re
from collections.abc import Awaitable, Callable

from aiohttp.test_utils import TestClient
from scripted_house import ScriptedHouse

from hub.identity import accounts
from hub.identity.accounts import OpenedSession

PASSWORD = "four quiet words here"
SignIn = Callable[[str], Awaitable[OpenedSession]]


async def csrf_of(client: TestClient, path: str) -> str:
    """The secret in the form of a page."""
    page = await (await client.get(path)).text()
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found, page
    return found[1]


async def add(house: ScriptedHouse, name: str = "desk", role: str = "sro") -> None:
    """An account with a real password."""
    await house.journal_write(lambda c: accounts.add_user(c, name, role, PASSWORD))
