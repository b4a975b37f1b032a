"""An open page on a telephone: what it says of its link to the hub, what it keeps while there is
none, and whether it can be read with large letters.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect
from test_console import Console, browser  # noqa: F401
from test_protocol_browser import principal_at

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


class Way:
    """What lies between a phone and the hub: it can forget connections without a word to either."""

    def __init__(self, hub: int) -> None:
        self._hub = hub
        self._server: asyncio.Server | None = None
        self._open: list[asyncio.Event] = []
        self.streams = 0

    async def start(self) -> int:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def stop(self) -> None:
        """Listen no longer."""
        if self._server is not None:
            self._server.close()

    def forget(self) -> None:
        """Carry nothing more on the streams that there are; both ends take them for open."""
        for each in self._open:
            each.set()
        self._open.clear()

    async def _carry(self, down: asyncio.StreamReader, up: asyncio.StreamWriter) -> None:
        forgotten = asyncio.Event()
        reader, writer = await asyncio.open_connection("127.0.0.1", self._hub)

        async def pump(a: asyncio.StreamReader, b: asyncio.StreamWriter) -> None:
            while data := await a.read(65536):
                if data.startswith(b"GET /live "):
                    self.streams += 1
                    self._open.append(forgotten)
                if forgotten.is_set():
                    continue
                b.write(data)
                await b.drain()

        ways = [asyncio.create_task(pump(down, writer)), asyncio.create_task(pump(reader, up))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in ways:
                each.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            up.close()
            writer.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def console(
    browser: Browser,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Console]:
    """A house that is served to every test here, with a principal signed in."""
    async with principal_at(browser, tmp_path_factory.mktemp("link")) as running:
        yield running


async def opened(tab: Page, address: str) -> None:
    """Open a page whose time a test may let run faster, and wait until it is live."""
    await tab.clock.install()
    await tab.goto(address)
    await expect(tab.locator("#pill")).to_have_text("Live")


async def until_lost(tab: Page) -> None:
    """Let time pass until the page says that it is not connected."""
    for _ in range(20):
        await tab.clock.fast_forward(5000)
        if await tab.locator("#lost").is_visible():
            break
    await expect(tab.locator("#pill")).to_have_text("Not connected")


async def test_a_stream_that_died_on_the_way_is_opened_anew(console: Console) -> None:
    """A network that has forgotten a connection tells neither end: silence is enough to open it
    again, and what happens then reaches the page.
    """
    way = Way(console.port)
    there, console.port = console.port, await way.start()
    try:
        async with console.page("phone", "dark") as tab:
            await opened(tab, console.base)
            way.forget()
            for _ in range(20):
                if way.streams > 1:
                    break
                await tab.clock.fast_forward(5000)
            assert way.streams > 1
            await expect(tab.locator("#pill")).to_have_text("Live")
            assert await tab.locator("[data-acts] button:disabled").count() == 0
            console.house.raise_alert("a7", "high", "Gate climbed", since=2.0)
            await expect(tab.locator("#alert-a7")).to_be_visible()
    finally:
        way.stop()
        console.port = there


async def test_a_page_that_cannot_be_read_again_is_not_called_live(console: Console) -> None:
    """The stream goes on, but the page fails: it says so, stays where it is, and mends itself."""

    async def fail(route: Route) -> None:
        await route.fulfill(status=500, body="no page")

    async with console.page("phone", "dark") as tab:
        await opened(tab, console.base)
        page = re.compile(re.escape(console.base) + r"/(doors)?$")
        await tab.route(page, fail)
        await until_lost(tab)
        assert await tab.locator("[data-acts] button:enabled").count() == 0
        await tab.clock.fast_forward(2000)
        said = await tab.locator("#lost").inner_text()
        assert re.match(r"Not connected since [\d:]+\. What you see is \d+ s old\.", said)
        await tab.click("#nav-d")
        await expect(tab.locator("#trouble")).to_contain_text("this one stays")
        assert tab.url == f"{console.base}/"
        await tab.unroute(page)
        await tab.clock.fast_forward(5000)
        await expect(tab.locator("#pill")).to_have_text("Live")
        await expect(tab.locator("#lost")).to_be_hidden()
        assert await tab.locator("[data-acts] button:disabled").count() == 0
        await tab.click("#nav-d")
        await expect(tab).to_have_url(f"{console.base}/doors")


async def test_a_page_of_another_version_fetches_its_script(console: Console) -> None:
    """A page that stayed open over an upgrade loads itself anew, but not while somebody writes."""

    async def upgraded(route: Route) -> None:
        answer = await route.fetch()
        body = (await answer.text()).replace("/static/console.js?v=", "/static/console.js?v=9")
        await route.fulfill(response=answer, body=body)

    page = f"{console.base}/incidents/i1"
    async with console.page() as tab:
        await opened(tab, page)
        await tab.fill("#note-text", "They left by the yard")
        await tab.route(page, upgraded)
        async with tab.expect_response(page):
            await tab.clock.fast_forward(11000)
        await expect(tab.locator("#note-text")).to_have_value("They left by the yard")
        await tab.fill("#note-text", "")
        await tab.locator("#note-text").blur()
        async with tab.expect_navigation():
            await tab.clock.fast_forward(11000)
        script = tab.locator('script[src^="/static/console.js"]')
        await expect(script).to_have_attribute("src", re.compile("v=9"))


async def test_the_end_of_a_protocol_is_said_where_eyes_are(console: Console) -> None:
    """Far from where the banner was somebody reads that nothing is in force any more."""
    protocols = console.house.protocols
    run = (await protocols.start("lockdown", "school", "Principal", key="said"))["id"]
    async with console.page("phone", "dark") as tab:
        await tab.goto(console.base)
        await expect(tab.locator("#pill")).to_have_text("Live")
        await expect(tab.locator("#force")).to_contain_text("LOCKDOWN")
        await expect(tab.locator("#news")).to_be_hidden()
        await protocols.ask_end(run, "Principal")
        await protocols.end(run, "SRO")
        await expect(tab.locator("#news")).to_have_text("No protocol is in force any more")
        await expect(tab.locator("#news")).to_be_visible()


async def test_at_twice_the_text_nothing_lies_beyond_the_edge(console: Console) -> None:
    """Whoever reads large letters on a telephone reaches every page and every answer, and the
    banner of a lockdown does not stay in front of them.
    """
    protocols = console.house.protocols
    run = (await protocols.start("lockdown", "school", "Principal", key="large"))["id"]
    try:
        async with console.page("phone", "dark") as tab:
            letters = await tab.context.new_cdp_session(tab)
            await letters.send("Page.setFontSizes", {"fontSizes": {"standard": 32}})
            for path in ("/", "/protocols", "/doors", "/incidents"):
                await tab.goto(console.base + path)
                await expect(tab.locator("#force")).to_contain_text("LOCKDOWN")
                assert await tab.evaluate("document.documentElement.scrollWidth") <= 390, path
                for each in await tab.locator("#rail a:visible, .verdict button").all():
                    box = await each.bounding_box()
                    assert box
                    assert box["x"] >= 0, path
                    assert box["x"] + box["width"] <= 390, path
                    assert box["height"] >= 44, path
            await expect(tab.locator("#force")).to_have_css("position", "static")
    finally:
        await protocols.ask_end(run, "Principal")
        await protocols.end(run, "SRO")
