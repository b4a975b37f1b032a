"""The wall of cameras and the enlarged one in a real browser: columns, the live stream, its age."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect
from test_console import Console, browser, console, shoot, until  # noqa: F401

from hub.web.watching import VIEWERS

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


def viewers(console: Console) -> Any:  # noqa: F811
    """Who watches the house that is served."""
    assert console.runner is not None
    return console.runner.app[VIEWERS]  # type: ignore[attr-defined]


async def test_the_enlarged_picture_is_a_stream_and_ends_with_its_page(
    console: Console,  # noqa: F811
) -> None:
    """One viewer while the page is open; pictures are drawn as they come, with their age."""
    async with console.page() as tab:
        await tab.goto(console.base + "/cameras/lobby")
        await expect(tab.locator(".pic[data-streaming]")).to_have_count(1)
        assert viewers(console).open == 1
        await expect(tab.locator(".pic .age")).to_contain_text("behind")
        console.house.take_picture = lambda *_: None  # type: ignore[method-assign,assignment]
        await expect(tab.locator(".pic.old .age")).to_contain_text("ago")
        await tab.goto(console.base + "/doors")

        async def nobody() -> bool:
            return viewers(console).open == 0

        await until(nobody)
    assert console.complaints == []


async def test_the_stream_comes_back_with_the_hub(console: Console) -> None:  # noqa: F811
    """What is on screen grows old while the hub is away, and is live again once it is back."""
    async with console.page() as tab:
        await tab.goto(console.base + "/cameras/lobby")
        await expect(tab.locator(".pic[data-streaming]")).to_have_count(1)
        await console.stop()
        await expect(tab.locator(".pic.old")).to_have_count(1)
        await expect(tab.locator("#lost")).to_contain_text("Not connected since")
        await console.serve()
        await expect(tab.locator(".pic[data-streaming]:not(.old)")).to_have_count(1)
        await expect(tab.locator("#lost")).to_be_hidden()


async def test_columns_are_chosen_and_kept_on_this_device(console: Console) -> None:  # noqa: F811
    """By keyboard too; a bookmark's own choice goes before what was kept."""
    async with console.page() as tab:
        await tab.goto(console.base + "/cameras")
        await tab.locator('[data-columns="2"]').focus()
        await tab.keyboard.press("Enter")
        wall = tab.locator("#wall")
        await expect(wall).to_have_class("strip wall cols-2")
        tops = await tab.evaluate(
            "[...document.querySelectorAll('#wall li')].map(e => e.getBoundingClientRect().top)"
        )
        assert tops[0] == tops[1] < tops[2]
        await tab.goto(console.base + "/doors")
        await tab.keyboard.press("g")
        await tab.keyboard.press("c")
        await expect(tab.locator("h1")).to_have_text("Cameras")
        await expect(wall).to_have_class("strip wall cols-2")
        await tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await asyncio.sleep(1.5)
        await expect(wall).to_have_class("strip wall cols-2")
        await tab.goto(console.base + "/cameras?columns=4")
        await expect(wall).to_have_class("strip wall cols-4")
    assert console.complaints == []


async def test_l_leads_from_an_alert_to_its_live_picture(
    console: Console,  # noqa: F811
) -> None:
    """From the queue and from the alert's own page, large; Escape leads back."""
    async with console.page() as tab:
        for path in ("/", "/alerts/a1"):
            await tab.goto(console.base + path)
            await expect(tab.locator("#pill")).to_have_text("Live")
            await tab.keyboard.press("l")
            await expect(tab.locator("h1")).to_have_text("Science corridor")
            await tab.keyboard.press("Escape")
            await expect(tab.locator("h1")).to_have_text("Cameras")


async def test_only_cameras_on_screen_are_asked_for(console: Console) -> None:  # noqa: F811
    """What is scrolled away costs the hub and the network nothing."""
    async with console.page("phone") as tab:
        asked: list[str] = []
        await tab.goto(console.base + "/cameras?columns=1")
        await expect(tab.locator("#wall canvas").first).to_be_visible()
        await tab.evaluate("document.querySelector('#cam-yard').style.marginTop = '3000px'")
        tab.on("request", lambda request: asked.append(request.url))

        async def only_the_lobby() -> bool:
            asked.clear()
            await asyncio.sleep(2)
            cameras = {Path(each).stem for each in asked if ".jpg" in each}
            return "lobby" in cameras and "yard" not in cameras

        async def the_yard_too() -> bool:
            return any("/yard.jpg" in each for each in asked)

        await until(only_the_lobby)
        await tab.locator("#cam-yard").scroll_into_view_if_needed()
        await until(the_yard_too)


async def test_a_phone_reaches_every_page_through_more(console: Console) -> None:  # noqa: F811
    """Five places at the edge of the screen, and one that leads to all others."""
    async with console.page("phone", "dark") as tab:
        await tab.goto(console.base + "/cameras")
        seen = await tab.locator("#rail a:visible").all_text_contents()
        assert len(seen) == 6
        await tab.locator("#nav-more").click()
        await expect(tab.locator("h1")).to_have_text("More")
        await shoot(tab, "more-phone")
        await tab.get_by_role("link", name="Visitors", exact=True).click()
        await expect(tab.locator("h1")).to_have_text("Visitors")
