"""The front office by keyboard, with thirty parents, and its list when the hub is gone."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from test_console import Console, browser  # noqa: F401
from test_link_browser import opened, until_lost
from test_protocol_browser import principal_at

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def console(
    browser: Browser,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Console]:
    """A school whose desk expects thirty parents, with the principal at it."""
    async with principal_at(browser, tmp_path_factory.mktemp("desk")) as running:
        house = running.house
        for number in range(30):
            view = house._visitor(f"p{number}", f"Parent {number:02}", "expected", 3600)
            view["host"] = f"Class {1 + number % 6}"
            house.visit_views.append(view)
        yield running


async def test_a_visitor_is_found_checked_in_and_stays_found(console: Console) -> None:
    """`/` leads to the field, the list narrows while one writes, grows within what is sought, and
    a press checks in without losing it.
    """
    house = console.house
    async with console.page("phone", "dark") as tab:
        await tab.goto(f"{console.base}/visitors")
        await expect(tab.locator("#pill")).to_have_text("Live")
        rows = tab.locator("#expected li[data-row]")
        await expect(rows).to_have_count(31)
        await tab.keyboard.press("/")
        await expect(tab.locator("#seek")).to_be_focused()
        await tab.keyboard.type("class 3")
        await expect(rows).to_have_count(5)
        await expect(tab.locator("#found")).to_contain_text("5 of 34")
        await expect(tab.locator("#seek")).to_be_focused()
        late = house._visitor("late", "Parent who came late", "expected", 3600)
        house.visit_views.append({**late, "host": "Class 3"})
        house.publish("visitor.checked_in", "visitors/front", "late")
        await expect(rows).to_have_count(6)
        await rows.filter(has_text="Parent 08").get_by_role("button").click()
        await expect(tab.locator("#here")).to_contain_text("Parent 08")
        await expect(rows).to_have_count(5)
        await expect(tab.locator("#seek")).to_have_value("class 3")
        assert tab.url.endswith("/visitors?q=class+3")
        assert await tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_the_roll_outlives_the_hub_and_is_printed_with_its_age(console: Console) -> None:
    """With the hub gone the open page has everybody, says how old it is, and prints both, with a
    box for each; a press on a link leaves it where it is.
    """
    async with console.page("desk", "light") as tab:
        await opened(tab, f"{console.base}/visitors/roll")
        rows = tab.locator("#roll li")
        everybody = await rows.all_inner_texts()
        assert len(everybody) >= 2
        await console.stop()
        await until_lost(tab)
        await tab.get_by_role("link", name="Visitors").first.click()
        await expect(tab.locator("#trouble")).to_contain_text("this one stays")
        await tab.emulate_media(media="print")
        assert await rows.all_inner_texts() == everybody
        await expect(rows.first.locator(".box")).to_be_visible()
        await expect(tab.locator("#lost")).to_contain_text("Not connected since")
        await expect(tab.get_by_role("button", name="Print")).to_be_hidden()
    await console.serve()
