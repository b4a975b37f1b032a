"""Seeing why a rule fired, why not, and trying one, in a real browser by keyboard alone.

Set VESTIBULE_SCREENSHOTS to a folder to keep what the pages look like.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from ruled_house import RuledHouse
from test_axe_browser import faults
from test_console import SIZES, Console, browser, shoot  # noqa: F401
from test_protocol_browser import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

PAGES = {
    "rules": "/rules",
    "rule": "/rules/closed_wing",
    "rule-why": "/rules/closed_wing/why",
    "rule-try": "/rules/closed_wing/try",
}
WIDTHS = (320, 390, 768, 1440)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def console(
    browser: Browser,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Console]:
    """A house that has lived for a week, with an administrator signed in."""
    house = RuledHouse(tmp_path_factory.mktemp("rules"))
    await house.open()
    await house.live()
    task = asyncio.create_task(house.rules._trials.run(), name="rule trials")
    running = Console(house, browser, await sign_in(house, "Administrator", "admin"))
    await running.serve()
    yield running
    await running.stop()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await house.close()


async def press(tab: Page, name: str) -> None:
    """Go on with Tab until something of that name has the focus, then press Enter."""
    for _ in range(80):
        await tab.keyboard.press("Tab")
        said = await tab.evaluate("document.activeElement.innerText || ''")
        if " ".join(str(said).split()).startswith(name):
            await tab.keyboard.press("Enter")
            return
    raise AssertionError(f"no way by keyboard to {name}")


@pytest.mark.parametrize(("size", "theme"), [("desk", "light"), ("phone", "dark")])
async def test_the_pages_fit_and_axe_finds_nothing(console: Console, size: str, theme: str) -> None:
    """No sideways scrolling at any width, and no fault, with a week of firings on them."""
    found: list[str] = []
    async with console.page(size, theme) as tab:
        await tab.emulate_media(reduced_motion="reduce")
        for name, path in PAGES.items():
            await tab.goto(console.base + path)
            await expect(tab.locator("#pill")).to_have_text("Live")
            for width in WIDTHS:
                await tab.set_viewport_size({"width": width, "height": SIZES[size][1]})
                over = await tab.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert over <= 0, (name, width)
            width, height = SIZES[size]
            await tab.set_viewport_size({"width": width, "height": height})
            found += await faults(tab)
            await shoot(tab, f"{name}-{size}-{theme}")
    assert found == []
    assert console.complaints == []


@pytest.mark.parametrize("size", SIZES)
async def test_why_a_rule_fired_is_found_by_keyboard_alone(console: Console, size: str) -> None:
    """From the rules to the rule, to its last firing, condition by condition; and why it did not
    fire for what it last saw.
    """
    async with console.page(size) as tab:
        await tab.goto(f"{console.base}/rules")
        await expect(tab.locator("#pill")).to_have_text("Live")
        await press(tab, "Person in the closed science wing")
        await expect(tab.get_by_role("heading", name="Why it fired")).to_be_visible()
        await press(tab, "Condition by condition")
        await expect(tab.locator("#why")).to_contain_text("It fired at 20:00:00.")
        await expect(tab.locator("#why li")).to_have_count(5)
        await expect(tab.locator("#why li .tag.ok")).to_have_count(5)
        await press(tab, "Why, or why not")
        await expect(tab.locator("#why .tag.bad")).to_have_count(1)
        row = tab.locator("#why li").filter(has_text="Did not hold")
        await expect(row).to_contain_text("Outside Lessons.")
        await shoot(tab, f"rule-why-not-{size}")
    assert console.complaints == []


@pytest.mark.parametrize("size", SIZES)
async def test_another_text_is_tried_by_keyboard_alone(console: Console, size: str) -> None:
    """A mistake is told to its column; mended, the bar moves and the week stands there."""
    async with console.page(size) as tab:
        await tab.goto(f"{console.base}/rules/closed_wing/try")
        field = tab.get_by_label("Or try another text of it")
        text = await field.input_value()
        assert text.startswith("closed_wing:\n")
        await field.focus()
        await field.fill(text.replace("zone.entered", "zone.enterd"))
        await press(tab, "Try this text")
        await expect(tab.locator("#trial")).to_contain_text("Line 3, column 9", timeout=60_000)
        await expect(tab.locator("#trial")).to_contain_text("zone.entered")
        field = tab.get_by_label("Or try another text of it")
        await expect(field).to_have_value(text.replace("zone.entered", "zone.enterd"))
        await field.focus()
        await field.fill(text.replace("cooldown: 5m\n", "cooldown: 30s\n"))
        await press(tab, "Try this text")
        await expect(tab.locator("#trial")).to_contain_text(
            "It would have alerted 12 times. It did 6 times.", timeout=60_000
        )
        await expect(tab.locator(".days tbody tr")).to_have_count(8)
        await shoot(tab, f"rule-tried-{size}")
        over = await tab.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert over <= 0
        assert await faults(tab) == []
    assert console.complaints == []
