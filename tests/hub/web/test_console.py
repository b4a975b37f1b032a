"""The console in a real browser: keyboard, live pictures, a lost link, every width, both themes.

Set VESTIBULE_SCREENSHOTS to a folder to keep what the pages look like.
"""

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from chromium import launched
from playwright.async_api import Browser, Page, async_playwright, expect
from scripted_house import ScriptedHouse, change

from hub.identity import accounts
from hub.web.security import SESSION_COOKIE
from hub.web.server import create_app
from hub.web.stream import Streams

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

SIZES = {"desk": (1440, 900), "phone": (390, 844)}
PATHS = {
    "now": "/",
    "alert": "/alerts/a1",
    "doors": "/doors",
    "door": "/doors/science_east",
    "cameras": "/cameras",
    "camera": "/cameras/science",
    "incidents": "/incidents",
    "incident": "/incidents/i1",
    "visitors": "/visitors",
    "health": "/health",
    "more": "/more",
    "me": "/me",
    "signin": "/signin",
}
PASSWORD = "four quiet words here"
DEADLINE_S = 120.0


@dataclass
class Console:
    """A running console and a browser to open it with."""

    house: ScriptedHouse
    browser: Browser
    secret: str
    port: int = 0
    complaints: list[str] = field(default_factory=list)
    runner: web.AppRunner | None = None

    @property
    def base(self) -> str:
        """Where it is served."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self) -> None:
        """Start serving, on the same port as before."""
        self.runner = web.AppRunner(
            create_app(self.house, Streams(page_beat_s=1.0)), shutdown_timeout=0.5
        )
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self.runner.addresses[0][1]

    async def stop(self) -> None:
        """Go away, as a hub that was switched off."""
        if self.runner is not None:
            await self.runner.cleanup()
            self.runner = None

    @asynccontextmanager
    async def page(
        self, size: str = "desk", theme: Any = "light", signed_in: bool = True, script: bool = True
    ) -> AsyncIterator[Page]:
        """A fresh tab; what it complains about ends up in `complaints`."""
        width, height = SIZES[size]
        context = await self.browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,
            java_script_enabled=script,
        )
        if signed_in:
            await context.add_cookies(
                [{"name": SESSION_COOKIE, "value": self.secret, "url": self.base}]
            )
        tab = await context.new_page()
        tab.on("console", lambda said: self._note(said.type, said.text))
        tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        try:
            async with asyncio.timeout(DEADLINE_S):  # not every wait of a browser has one
                yield tab
        finally:
            await context.close()

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    """The system's Chromium."""
    async with async_playwright() as play:
        opened = await launched(play)
        yield opened
        await opened.close()


@pytest_asyncio.fixture(loop_scope="module")
async def console(browser: Browser, tmp_path: Path) -> AsyncIterator[Console]:
    """A house that is served, with an SRO signed in and cameras that deliver twice a second."""
    house = ScriptedHouse(tmp_path)
    await house.open()

    def make(conn: Any) -> str:
        accounts.add_user_with_hash(conn, "Principal", "principal", "no password")
        return accounts.open_session(conn, "Principal", house.clock.now()).secret

    running = Console(house, browser, await house.journal_write(make))
    await running.serve()
    delivering = asyncio.create_task(deliver(house))
    yield running
    delivering.cancel()
    with suppress(asyncio.CancelledError):
        await delivering
    await running.stop()
    await house.close()


async def deliver(house: ScriptedHouse) -> None:
    """Keep the pictures fresh."""
    while True:
        for camera in ("lobby", "science", "yard"):
            house.take_picture(camera, (410, 250) if camera == "science" else None)
        await asyncio.sleep(0.4)


async def until(what: Callable[[], Awaitable[bool]], within_s: float = 20.0) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + within_s
    while not await what():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.1)


async def shoot(tab: Page, name: str) -> None:
    """Keep what the page looks like, when a folder is named."""
    if folder := os.environ.get("VESTIBULE_SCREENSHOTS"):
        await tab.screenshot(path=Path(folder) / f"{name}.png")


@pytest.mark.parametrize("size", SIZES)
async def test_the_configuration_is_read_and_confirmed(console: Console, size: str) -> None:
    """IT sees what would change on a phone too; a press on what is grave leads to a second one, and
    it still asks after the page has refreshed itself.
    """

    def make(conn: Any) -> str:
        accounts.add_user_with_hash(conn, "IT", "it", "no password")
        return accounts.open_session(conn, "IT", console.house.clock.now()).secret

    console.secret = await console.house.journal_write(make)
    grave = change("doors.main_entrance_with_a_long_name.held_after", "30s", "10s", grave=True)
    configuration = console.house.configuration
    configuration.plan |= {"changes": [grave], "grave": [grave["path"]]}
    async with console.page(size) as tab:
        await tab.goto(f"{console.base}/configuration")
        await expect(tab.get_by_text("30s → 10s")).to_be_visible()
        for width in (320, 390, 768, 1440):
            await tab.set_viewport_size({"width": width, "height": 800})
            over = await tab.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert over <= 0, width
        await shoot(tab, f"configuration-{size}")
        await tab.get_by_role("button", name="Apply").click()
        await expect(tab.get_by_role("heading", name="Confirm once more")).to_be_visible()
        assert configuration.applied == []
        await tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await tab.wait_for_timeout(1500)
        await shoot(tab, f"confirm-{size}")
        await tab.get_by_role("button", name="Confirm and apply").click()
        await expect(tab.get_by_role("heading", name="Configuration", exact=True)).to_be_visible()
    assert [confirmed for _, _, confirmed in configuration.applied] == [True]
    assert console.complaints == []


@pytest.mark.parametrize("size", SIZES)
async def test_every_page_renders_without_complaint_and_fits(console: Console, size: str) -> None:
    """No error, no policy violation, no sideways scrolling at four widths, large enough targets."""
    for theme in ("light", "dark"):
        async with console.page(size, theme) as tab:
            for name, path in PATHS.items():
                if name == "signin":
                    await tab.context.clear_cookies()
                await tab.goto(console.base + path)
                await expect(tab.locator("h1")).to_be_visible()
                if name == "camera":
                    await expect(tab.locator("canvas").first).to_be_visible()
                await shoot(tab, f"{name}-{size}-{theme}")
                for width in (320, 390, 768, 1440) if theme == "light" else ():
                    await tab.set_viewport_size({"width": width, "height": 800})
                    over = await tab.evaluate("document.documentElement.scrollWidth - innerWidth")
                    assert over <= 0, (name, width)
                await tab.set_viewport_size({"width": SIZES[size][0], "height": SIZES[size][1]})
                small = await tab.evaluate(
                    """[...document.querySelectorAll('main button, main .btn, .input, .rail a')]
                    .filter(e => e.offsetParent)
                    .map(e => [e.textContent.trim(), e.getBoundingClientRect().height])
                    .filter(([text, height]) => height < 48)"""
                )
                assert small == [], name
                acts = await tab.evaluate(
                    """[...document.querySelectorAll('.verdict button, .btn.named')]
                    .filter(e => e.offsetParent).map(e => e.getBoundingClientRect().height)"""
                )
                assert all(height >= 56 for height in acts), (name, acts)
    assert console.complaints == []


async def test_on_a_phone_the_verdict_is_in_the_first_screen(console: Console) -> None:
    """What, where, picture and all three answers lie within the first 844 pixels."""
    async with console.page("phone") as tab:
        await tab.goto(console.base)
        for button in await tab.locator("#verdict-a1 button").all():
            box = await button.bounding_box()
            assert box
            assert box["y"] + box["height"] < 844 - 68


async def test_an_alert_is_verified_with_the_keyboard_alone(console: Console) -> None:
    """Sign in, arm Verify with V, give it with Enter; Escape lets go; J and K walk the queue."""
    await console.house.journal_write(lambda c: accounts.add_user(c, "Officer", "sro", PASSWORD))
    async with console.page(signed_in=False) as tab:
        await tab.goto(console.base)
        await expect(tab.locator("#u")).to_be_focused()
        await tab.keyboard.type("Officer")
        await tab.keyboard.press("Tab")
        await tab.keyboard.type(PASSWORD)
        await tab.keyboard.press("Enter")
        await expect(tab.locator("h1")).to_have_text("Now")
        await expect(tab.locator("#pill")).to_have_text("Live")
        await tab.keyboard.press("d")
        focused = "document.activeElement.value || document.activeElement.tagName"
        assert await tab.evaluate(focused) == "dismissed"
        await tab.keyboard.press("Escape")
        assert await tab.evaluate(focused) == "BODY"
        await tab.keyboard.press("j")
        await tab.keyboard.press("j")
        assert "Door forced" in await tab.evaluate("document.activeElement.textContent")
        await tab.keyboard.press("k")
        await tab.keyboard.press("v")
        assert await tab.evaluate(focused) == "verified"
        assert console.house.alert_views["a1"]["state"] == "raised"
        await tab.keyboard.press("Enter")
        await expect(tab.locator("#alert-a1 .note")).to_contain_text("by Officer")
        assert console.house.alert_views["a1"]["verdict"]["by"] == "Officer"
        assert console.house.alert_views["a2"]["state"] == "raised"
        await expect(tab.locator("#nav-n .n")).to_contain_text("1")
        await tab.keyboard.press("g")
        await tab.keyboard.press("d")
        await expect(tab.locator("h1")).to_have_text("Doors")
    assert console.complaints == []


async def test_nothing_moves_under_an_armed_verdict(console: Console) -> None:
    """A new severe alert shows as a bar; the card stays until the person lets go."""
    async with console.page() as tab:
        await tab.goto(console.base)
        await expect(tab.locator("#pill")).to_have_text("Live")
        await tab.keyboard.press("v")
        before = await tab.locator("#alert-a1").bounding_box()
        console.house.raise_alert("a0", "severe", "Fence climbed", since=200.0)
        await expect(tab.locator("#fresh")).to_contain_text("1 new, severe")
        assert await tab.locator("#alert-a1").bounding_box() == before
        assert await tab.evaluate("document.activeElement.value") == "verified"
        assert await tab.locator("#alert-a0").count() == 0
        await expect(tab.locator("#shout")).to_contain_text("Severe alert. Fence climbed")
        await tab.locator("#fresh button").click()
        await expect(tab.locator("#queue article").first).to_contain_text("Fence climbed")
        await expect(tab.locator("#fresh")).to_be_hidden()


async def test_what_another_person_decides_shows_by_itself(console: Console) -> None:
    """A verdict given elsewhere reaches the open page within seconds, without a reload."""
    async with console.page() as tab:
        await tab.goto(console.base + "/alerts/a1")
        await expect(tab.locator("#pill")).to_have_text("Live")
        await tab.evaluate("window.same = true")
        await console.house.verdict("a1", "dismissed", "Front office", "a cleaner")
        await expect(tab.locator("#alert-a1 .note")).to_contain_text("by Front office: a cleaner")
        await expect(tab.locator("#verdict-a1")).to_have_count(0)
        assert await tab.evaluate("window.same")


async def test_pictures_are_live_and_grey_out_when_they_stop(console: Console) -> None:
    """A live picture is about a second old at most and says so; past two seconds it is old."""
    async with console.page() as tab:
        await tab.goto(console.base + "/cameras/lobby")
        stamp = tab.locator(".pic .age")
        ages: list[float] = []

        async def about_a_second() -> bool:
            live = re.search(r"Live, ([\d.]+) s behind", await stamp.text_content() or "")
            ages.append(float(live[1]) if live else 9.0)
            return len(ages) >= 24 and sorted(ages[-24:])[12] <= 1.5

        await until(about_a_second)
        console.house.take_picture = lambda *_: None  # type: ignore[method-assign,assignment]
        await expect(tab.locator(".pic.old")).to_have_count(1)
        await expect(stamp).to_contain_text("ago")


async def test_a_lost_hub_shows_at_once_and_mends_itself(console: Console) -> None:
    """Verdicts are switched off while nobody would hear them; nothing is kept to act later."""
    async with console.page() as tab:
        await tab.goto(console.base)
        await expect(tab.locator("#pill")).to_have_text("Live")
        await console.stop()
        await expect(tab.locator("#lost")).to_contain_text("Not connected since")
        await expect(tab.locator("#verdict-a1 button").first).to_be_disabled()
        await shoot(tab, "lost-desk-light")
        await console.serve()
        await expect(tab.locator("#lost")).to_be_hidden()
        await expect(tab.locator("#verdict-a1 button").first).to_be_enabled()


async def test_a_door_is_asked_in_place_and_the_board_waits_for_its_report(
    console: Console,
) -> None:
    """The button sends once; the row says asked, without a reload; a refusal is said."""
    async with console.page() as tab:
        await tab.goto(console.base + "/doors")
        await expect(tab.locator("#pill")).to_have_text("Live")
        await tab.evaluate("window.same = true")
        await tab.locator("#door-stair_b button").dblclick()
        await expect(tab.locator("#door-stair_b")).to_contain_text("waiting for the door")
        assert len(console.house.commands) == 1
        assert await tab.evaluate("window.same")
        console.house.door_views[1]["verbs"] = []
        await tab.locator("#door-science_east button").click()
        await expect(tab.locator("#trouble")).to_contain_text("no free egress is attested")


async def test_everything_works_without_the_script(console: Console) -> None:
    """A verdict and a door command by plain forms, pictures by plain images."""
    async with console.page("phone", script=False) as tab:
        await tab.goto(console.base)
        await expect(tab.locator("#strip img").first).to_be_visible()
        await tab.locator("#verdict-a1 button[value=verified]").click()
        await expect(tab.locator("#alert-a1 .note")).to_contain_text("by Principal")
        await tab.goto(console.base + "/doors")
        await tab.locator("#door-stair_b button").click()
        await expect(tab.locator("#door-stair_b")).to_contain_text("waiting for the door")
    assert console.complaints == []
