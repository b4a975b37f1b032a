"""A link for responders in a real browser, at a desk and on a phone, and its end while it is open.

Set VESTIBULE_SCREENSHOTS to a folder to keep what the pages look like.
"""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect
from test_console import (
    SIZES,
    Console,
    browser,  # noqa: F401  # a fixture
    console,  # noqa: F401  # a fixture
    shoot,
)

from hub.audit_port import Asked

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def fits(tab: Page, size: str) -> None:
    """Nothing scrolls sideways, at any width."""
    for width in (320, 390, 768, 1440):
        await tab.set_viewport_size({"width": width, "height": 900})
        over = await tab.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert over <= 0, width
    await tab.set_viewport_size(dict(zip(("width", "height"), SIZES[size], strict=True)))  # type: ignore[arg-type]


@pytest.mark.parametrize(("size", "theme"), [("desk", "light"), ("phone", "dark")])
async def test_a_link_is_made_opened_on_a_phone_and_ended_while_it_is_open(
    console: Console,  # noqa: F811
    tmp_path: Path,
    size: str,
    theme: Any,
) -> None:
    """By keyboard at the school; the guest's page goes dark within seconds, by itself."""
    async with console.page(size, theme) as tab:
        await tab.goto(f"{console.base}/guests")
        await tab.get_by_label("Who it is for").fill("Fire department")
        await tab.get_by_label("Which area").select_option("upper")
        await tab.get_by_label("Which incident").select_option("i1")
        await tab.get_by_label("Science corridor").press("Space")
        await tab.get_by_role("button", name="Make the link").press("Enter")
        link = await tab.locator("#guest-link").inner_text()
        await expect(tab.locator("svg.qr")).to_be_visible()
        await fits(tab, size)
        await shoot(tab, f"guests-{size}")
        async with console.page("phone", theme, signed_in=False) as phone:
            await phone.goto(link)
            await expect(phone.get_by_text("3 h 59 min left")).to_be_visible()
            await fits(phone, "phone")
            await shoot(phone, f"guest-ask-{theme}")
            async with phone.expect_navigation():
                await phone.get_by_role("button", name="Open the view").press("Enter")
            assert phone.url == f"{console.base}/guest"
            await expect(phone.get_by_role("region", name="Guest")).to_be_visible()
            picture = phone.get_by_role("img", name="Newest picture: Science corridor")
            await expect(picture).to_be_visible()
            await phone.wait_for_function("document.querySelector('[data-picture]').naturalWidth")
            first = await picture.get_attribute("src")
            await expect(phone.get_by_text("Stair B").first).to_be_visible()
            await fits(phone, "phone")
            await shoot(phone, f"guest-{theme}")
            await expect(picture).not_to_have_attribute("src", first or "")
            await console.house.protocols.start("lockdown", "school", "SRO", key=f"{size}-{theme}")
            in_force = phone.get_by_role("region", name="In force: Lockdown")
            await expect(in_force).to_be_visible()
            await expect(phone.locator("#dark")).to_have_attribute(
                "media", "screen and (max-width: 48rem)"
            )
            await expect(phone.get_by_role("img", name="Map of First floor")).to_be_visible()
            await fits(phone, "phone")
            await phone.screenshot(path=tmp_path / "guest.png", full_page=True)
            await shoot(phone, f"guest-lockdown-{theme}")
            await tab.goto(f"{console.base}/guests")
            await expect(tab.get_by_text("Opened").first).to_be_visible()
            await tab.get_by_role("button", name="End the link for Fire department").press("Enter")
            await expect(tab.get_by_text("Over", exact=True).first).to_be_visible()
            await expect(phone.get_by_text("This link is over.")).to_be_visible()
            await expect(picture).to_have_count(0)
            await expect(phone.get_by_text("Stair B")).to_have_count(0)
            await shoot(phone, f"guest-over-{theme}")
        await tab.goto(f"{console.base}/guests")
        await shoot(tab, f"guests-after-{size}")
    lines = (await console.house.audit.view(Asked()))["lines"]
    assert [e["act"] for e in reversed(lines) if e["act"].startswith("guest.")] == [
        "guest.invited",
        "guest.opened",
        "guest.revoked",
    ]
    assert [e for e in console.complaints if "401" not in e] == []


async def test_a_guest_page_works_without_a_script(console: Console) -> None:  # noqa: F811
    """It then shows how things were when it was opened."""
    async with console.page("desk") as tab:
        await tab.goto(f"{console.base}/guests")
        await tab.get_by_label("Who it is for").fill("Police")
        await tab.get_by_label("Lobby").last.check()
        await tab.get_by_role("button", name="Make the link").click()
        link = await tab.locator("#guest-link").inner_text()
    async with console.page("desk", signed_in=False, script=False) as tab:
        await tab.goto(link)
        await tab.get_by_role("button", name="Open the view").click()
        await expect(tab.get_by_text("Main entrance").first).to_be_visible()
        await shoot(tab, "guest-desk")
