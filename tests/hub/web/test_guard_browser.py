"""A guard whose role holds at one place and by night, in a real browser: what they see, how they
break the glass, and who reviews it.

Set VESTIBULE_SCREENSHOTS to a folder to keep what the pages look like.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from narrowed_school import AT_NIGHT, BEYOND, BY_DAY, narrowed
from playwright.async_api import Browser, Page, expect
from test_console import (
    SIZES,
    Console,
    browser,  # noqa: F401  # a fixture
    deliver,
    shoot,
)

from hub.identity import accounts

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
WHY = "A child is missing"


@pytest_asyncio.fixture(loop_scope="module")
async def console(browser: Browser, tmp_path: Path) -> AsyncIterator[Console]:  # noqa: F811
    """The narrowed school by night, with its guard signed in."""
    house = narrowed(tmp_path)
    await house.open()
    running = Console(house, browser, await signed_in(house, "Night guard", "guard"))
    await running.serve()
    tasks = [asyncio.create_task(work) for work in (deliver(house), house.glass.run())]
    yield running
    for each in tasks:
        each.cancel()
        with suppress(asyncio.CancelledError):
            await each
    await running.stop()
    await house.close()


async def signed_in(house: Any, name: str, role: str) -> str:
    """The secret of a new session of a new account."""

    def make(conn: Any) -> str:
        accounts.add_user_with_hash(conn, name, role, "none", roles=house.config.roles)
        return accounts.open_session(conn, name, house.clock.now()).secret

    secret: str = await house.journal_write(make)
    return secret


async def fits(tab: Page, size: str) -> None:
    """Nothing scrolls sideways, at any width."""
    for width in (320, 390, 768, 1440):
        await tab.set_viewport_size({"width": width, "height": 900})
        over = await tab.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert over <= 0, width
    width, height = SIZES[size]
    await tab.set_viewport_size({"width": width, "height": height})


@pytest.mark.parametrize(("size", "theme"), [("desk", "light"), ("phone", "dark")])
async def test_a_guard_sees_their_place_breaks_the_glass_and_is_reviewed(
    console: Console, size: str, theme: Any
) -> None:
    """By keyboard: the lobby alone; with a reason and a typed word every camera; and whoever reads
    the audit sees at once who did, and afterwards what.
    """
    house = console.house
    async with console.page(size, theme) as tab:
        for path in ("/", "/cameras", "/doors", "/incidents", "/incidents/i2"):
            await tab.goto(f"{console.base}{path}")
            await expect(tab.locator("#narrowed")).to_contain_text("You see Lobby.")
            assert BEYOND not in await tab.content(), path
            await fits(tab, size)
        await tab.goto(f"{console.base}/")
        await shoot(tab, f"guard-now-{size}")
        await tab.goto(f"{console.base}/cameras")
        await expect(tab.locator("#wall li")).to_have_count(1)
        principal = await signed_in(house, "Principal", "principal")
        console.secret, guard = principal, console.secret
        async with console.page("desk", theme) as office:
            await office.goto(f"{console.base}/")
            await expect(office.get_by_text("BROKEN GLASS", exact=True)).to_have_count(0)
            await tab.get_by_role("link", name="Break the glass").first.press("Enter")
            await expect(tab.get_by_role("heading", name="Break the glass")).to_be_visible()
            await fits(tab, size)
            await shoot(tab, f"glass-{size}")
            await tab.get_by_role("textbox", name="Why").fill(WHY)
            await tab.get_by_role("button", name="Break the glass").press("Enter")
            await tab.get_by_role("textbox").last.fill("BREAK")
            await tab.get_by_role("textbox").last.press("Enter")
            await expect(tab.get_by_role("region", name="Broken glass")).to_contain_text(WHY)
            house.publish("glass.broken")  # what the journal tells does not reach scripted streams
            await expect(office.get_by_text("Night guard may more until")).to_be_visible()
            await shoot(office, f"glass-told-{theme}")
            await tab.goto(f"{console.base}/cameras")
            await expect(tab.locator("#wall li")).to_have_count(len(house.camera_views))
            await fits(tab, size)
            await shoot(tab, f"glass-broken-{size}")
            await tab.goto(f"{console.base}/cameras/science")
            await tab.wait_for_function("document.querySelector('.pic img').naturalWidth > 0")
            await tab.get_by_role("button", name="End it").press("Enter")
            await expect(tab.get_by_text("BROKEN GLASS", exact=True)).to_have_count(0)
            await tab.goto(f"{console.base}/cameras")
            await expect(tab.locator("#wall li")).to_have_count(1)
        await house.audit.begin()
        async with console.page(size, theme) as office:
            await office.goto(f"{console.base}/audit?who=Night+guard")
            rows = office.locator("#lines li")
            await expect(rows.filter(has_text=WHY).first).to_be_visible()
            await expect(rows.filter(has_text="with broken glass").first).to_be_visible()
            assert "T22:30" not in await rows.first.inner_text()
            await fits(office, size)
            await shoot(office, f"glass-audit-{size}")
        console.secret = guard
    assert [each for each in console.complaints if "404" not in each] == []


async def test_hours_end_while_somebody_looks(console: Console) -> None:
    """Within seconds the picture is no longer live and the page says why; a protocol can still be
    started.
    """
    house = console.house
    async with console.page("phone") as tab:
        await tab.goto(f"{console.base}/cameras/lobby")
        await tab.wait_for_function("document.querySelector('.pic img').naturalWidth > 0")
        house.clock.set(BY_DAY)
        await expect(tab.locator(".pic.live:not(.old)")).to_have_count(0)
        await expect(tab.get_by_text("at this hour")).to_be_visible()
        await shoot(tab, "guard-hours-ended")
        await tab.goto(f"{console.base}/")
        await expect(tab.locator("#narrowed")).to_contain_text("Outside of your hours (nights).")
        await shoot(tab, "guard-off-duty")
        await tab.goto(f"{console.base}/cameras/lobby")
        await expect(tab.get_by_text("at this hour")).to_be_visible()
        house.clock.set(AT_NIGHT)
        await tab.goto(f"{console.base}/cameras/lobby")
        await expect(tab.locator(".pic")).to_have_count(1)
