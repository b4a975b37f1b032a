"""Whatever the house says, what leaves for a browser or a program holds no secret."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestClient, TestServer
from scripted_house import ScriptedHouse

from hub.secrets import HIDDEN, Secrets
from hub.web.server import create_app
from hub.web.stream import Streams


@pytest.fixture
async def careful(house: ScriptedHouse) -> AsyncIterator[TestClient]:
    """A browser at a house that knows two secrets, one of them a word of HTML."""
    secrets = Secrets(["hunter<2>!", "password"])
    app = create_app(house, Streams(beat_s=0.2), secrets=secrets)
    async with TestClient(TestServer(app)) as browser:
        yield browser
        await asyncio.sleep(0)


async def test_pages_and_answers_are_cleaned(
    careful: TestClient, house: ScriptedHouse, token: object
) -> None:
    """A page, a list, a single thing: the secret is gone and the rest is there."""
    house.raise_alert("a9", "high", "Door hunter<2>! forced")
    headers = await token("admin")  # type: ignore[operator]
    for path in ("/", "/alerts/a9", "/api/v1/alerts", "/api/v1/alerts/a9"):
        answer = await careful.get(path, headers=headers)
        text = await answer.text()
        assert answer.status == 200
        assert f"Door {HIDDEN} forced" in text, path
        assert "hunter" not in text, path
    assert (await answer.json())["id"] == "a9"


async def test_streams_are_cleaned(
    careful: TestClient, house: ScriptedHouse, token: object
) -> None:
    """Also what was committed before anybody knew that it is a secret."""
    headers = await token("admin")  # type: ignore[operator]
    house.publish("door.opened", "door/main", "main", why="hunter<2>!")
    answer = await careful.get("/api/v1/events?after=0", headers=headers)
    text = ""
    while "door.opened" not in text or not text.endswith("}\n"):
        text = (await asyncio.wait_for(answer.content.readline(), 20)).decode()
    assert f'"why":"{HIDDEN}"' in text
    answer.close()


async def test_a_page_keeps_its_own_words(careful: TestClient) -> None:
    """A school whose password is `password` can still sign in, its letters unseen."""
    text = await (await careful.get("/signin")).text()
    assert 'type="password"' in text
    assert HIDDEN not in text
