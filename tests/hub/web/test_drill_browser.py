"""A drill in a real browser on a telephone, by keyboard: planned, started, ended, written up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from drilled_house import drilled
from playwright.async_api import Browser, Page, expect
from test_axe_browser import faults
from test_console import Console, browser, shoot  # noqa: F401
from test_protocol_browser import sign_in

from hub.clock import SystemClock

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def console(
    browser: Browser,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Console]:
    """A school with real protocols and drills, with the principal signed in."""
    house = drilled(tmp_path_factory.mktemp("drills"), SystemClock())
    await house.open()
    running = Console(house, browser, await sign_in(house, "head", "principal"))
    await running.serve()
    yield running
    await running.stop()
    await house.close()


async def fits_and_reads(tab: Page) -> list[str]:
    """What axe-core finds, and whether the page lies beyond the edge."""
    found = await faults(tab)
    wide = await tab.evaluate("document.documentElement.scrollWidth > innerWidth")
    return [*found, *([f"{tab.url}: wider than the screen"] if wide else [])]


async def typed(tab: Page, button: str, word: str) -> None:
    """Press Enter on what is held, then type the word."""
    await expect(tab.locator("#pill")).to_have_text("Live")
    await tab.focus(button)
    await tab.keyboard.press("Enter")
    field = tab.locator("dialog[open] input")
    await expect(field).to_be_focused()
    await tab.keyboard.type(word)
    await tab.keyboard.press("Enter")


async def test_a_drill_from_its_plan_to_its_report(console: Console) -> None:
    """Every page on the way can be read and pressed, and says what comes next; nothing is lost
    between them; no script complains.
    """
    found: list[str] = []
    async with console.page("phone", "dark") as tab:
        await tab.emulate_media(reduced_motion="reduce")
        await tab.goto(f"{console.base}/drills")
        await expect(tab.locator("#sum")).to_contain_text("Still to plan: 2 of Lockdown")
        await tab.get_by_role("link", name="Plan one of Lockdown").click()
        due = console.house.clock.now().astimezone(ZoneInfo("Europe/Berlin")) + timedelta(hours=26)
        await tab.get_by_label("Day").fill(f"{due:%Y-%m-%d}")
        await tab.get_by_label("Time").fill(f"{due:%H:%M}")
        await tab.get_by_label("Who leads it").select_option("Ms Officer")
        await tab.get_by_label("Note").fill("Bring the list")
        found += await fits_and_reads(tab)
        await tab.keyboard.press("Enter")
        await expect(tab.get_by_role("heading", level=1)).to_have_text("Planned drill: Lockdown")
        await expect(tab.locator("#plan")).to_contain_text("Ms Officer")
        found += await fits_and_reads(tab)
        await shoot(tab, "drill-plan-phone-dark")
        await tab.locator("#start").press("Enter")
        await expect(tab.locator("#planned")).to_contain_text("Bring the list")
        await expect(tab.locator("#srp .holdbtn")).to_have_count(1)
        found += await fits_and_reads(tab)
        await typed(tab, "#srp .holdbtn", "DRILL")
        await tab.wait_for_url("**/protocols/*")
        await typed(tab, "#end .holdbtn", "END")
        await expect(tab.get_by_role("heading", level=1)).to_contain_text("has ended")
        await tab.goto(f"{console.base}/drills")
        await expect(tab.locator("#need-lockdown")).to_contain_text("1 of 2 held")
        await expect(tab.locator("#held")).to_contain_text("Not written up")
        found += await fits_and_reads(tab)
        await tab.locator("#held a").click()
        await tab.get_by_role("group", name="Lights were out").get_by_label("Yes").check()
        await tab.get_by_label("In your own words").fill("Quick and quiet")
        found += await fits_and_reads(tab)
        await tab.get_by_role("button", name="Keep it").click()
        await expect(tab.locator("#seen")).to_contain_text("Quick and quiet")
        await expect(tab.locator("#seen")).to_contain_text("Lights were out")
        found += await fits_and_reads(tab)
        await shoot(tab, "drill-held-phone-dark")
    assert found == []
    assert console.complaints == []


async def test_the_log_is_printed_without_what_only_a_screen_can_do(console: Console) -> None:
    """On paper stand the school, the year and each drill; no button and no form."""
    async with console.page("desk", "light") as tab:
        await tab.goto(f"{console.base}/drill-log")
        await expect(tab.get_by_role("button", name="Print")).to_be_visible()
        await tab.emulate_media(media="print")
        await expect(tab.locator("h1")).to_contain_text("Drill log")
        await expect(tab.locator("main .btn:visible")).to_have_count(0)
        await expect(tab.locator("#rail")).to_be_hidden()
        await tab.goto(f"{console.base}/drills")
        link = tab.locator("#held a")
        await tab.goto(f"{console.base}{await link.get_attribute('href')}")
        await tab.emulate_media(media="print")
        await expect(tab.locator("#saw")).to_be_hidden()
        await expect(tab.locator("#seen")).to_be_visible()
