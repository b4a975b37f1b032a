"""The WebSocket in a real browser: a page of ours may open it, and no other page gets anything."""

import asyncio
from typing import Any

import pytest
from aiohttp import web
from test_console import (
    Console,
    browser,  # noqa: F401  # a fixture
    console,  # noqa: F401  # a fixture
)

from hub.web.socket import PATH

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

LISTEN = """([address, protocols]) => new Promise((done) => {
    const said = [], socket = new WebSocket(address, protocols);
    socket.onmessage = (e) => { said.push(JSON.parse(e.data)); if (said.length === 3) end(); };
    socket.onclose = (e) => done({ said, code: e.code, protocol: socket.protocol });
    const end = () => done({ said, protocol: socket.protocol });
})"""


async def test_a_page_of_ours_hears_what_happens(console: Console) -> None:  # noqa: F811
    """By its session, under the policy of our pages; events come as they are committed."""
    async with console.page("desk") as tab:
        await tab.goto(f"{console.base}/me")
        address = console.base.replace("http", "ws", 1) + PATH
        heard: asyncio.Task[Any] = asyncio.create_task(
            tab.evaluate(LISTEN, [address, ["vestibule.v1"]])
        )
        while not heard.done():
            console.house.publish("door.opened", "door/main", "main")
            await asyncio.wait({heard}, timeout=0.2)
        found = heard.result()
    assert [each["kind"] for each in found["said"]][:2] == ["hello", "event"]
    assert found["protocol"] == "vestibule.v1"
    assert console.complaints == []


async def test_a_page_of_another_site_hears_nothing(console: Console) -> None:  # noqa: F811
    """Though the browser would send our cookie along with what that page opens."""

    async def foreign(request: web.Request) -> web.Response:
        return web.Response(
            text="<!doctype html><title>elsewhere</title>", content_type="text/html"
        )

    app = web.Application()
    app.router.add_get("/", foreign)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        async with console.page("desk") as tab:
            await tab.goto(f"{console.base}/me")
            await tab.goto(f"http://127.0.0.1:{port}/")
            address = console.base.replace("http", "ws", 1) + PATH
            found = await tab.evaluate(LISTEN, [address, []])
    finally:
        await runner.cleanup()
    assert found["said"] == []
    assert found["code"] == 1006
