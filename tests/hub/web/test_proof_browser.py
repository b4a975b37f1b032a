"""In a real browser: a page that was left open asks who it is before it gives away what others
may, and the owner of a factor that was taken away reads of it.

Set VESTIBULE_SCREENSHOTS to a folder to keep what the pages look like.
"""

from datetime import timedelta

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect
from scripted_house import ScriptedHouse
from signing_in import PASSWORD, add
from test_sign_in_browser import (
    authenticator,
    base,  # noqa: F401  # a fixture
    browser,  # noqa: F401  # a fixture
    house,  # noqa: F401  # a fixture
    shoot,
    tab_of,
)

from hub.identity import accounts
from hub.identity.factors import begin_authenticator, confirm_authenticator
from hub.identity.people import id_of
from hub.web.security import SESSION_COOKIE

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

RULES = {"resultTypes": ["violations"], "runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}


async def faults(tab: Page) -> list[str]:
    """What axe-core finds."""
    found = (await Axe().run(tab, options=RULES)).response["violations"]
    return [f"{rule['id']}: {node['html'][:160]}" for rule in found for node in rule["nodes"]]


async def left_open(tab: Page, house: ScriptedHouse, base: str, name: str) -> None:  # noqa: F811
    """Have the browser hold a session that began an hour ago."""
    then = house.clock.now() - timedelta(hours=1)
    opened = await house.journal_write(lambda c: accounts.open_session(c, name, then))
    await tab.context.clear_cookies()
    cookie = {"name": SESSION_COOKIE, "value": opened.secret, "url": base}
    await tab.context.add_cookies([cookie])  # type: ignore[list-item]


async def with_app(house: ScriptedHouse, name: str) -> None:  # noqa: F811
    """Give somebody an authenticator app."""
    import pyotp

    now = house.clock.now()
    secret = await house.journal_write(lambda c: begin_authenticator(c, name, now))
    code = pyotp.TOTP(secret).at(now)
    await house.journal_write(lambda c: confirm_authenticator(c, name, code, "", now))


async def test_a_page_left_open_asks_and_the_owner_reads_what_was_done(
    house: ScriptedHouse,  # noqa: F811
    base: str,  # noqa: F811
    browser: Browser,  # noqa: F811
) -> None:
    """By password at a desk, by passkey as well, each time on to what was asked; then, on the
    owner's phone in the dark, a notice until they have seen it.
    """
    await add(house, "Office", "admin")
    await add(house, "Officer", "sro")
    await with_app(house, "Officer")
    async with tab_of(browser) as tab:
        await authenticator(tab)
        await left_open(tab, house, base, "Office")
        await tab.goto(f"{base}/me/sign-in")
        form = tab.locator("[data-passkey-form]")
        await form.get_by_label("Your password").fill(PASSWORD)
        await form.get_by_role("button").click()
        await expect(tab.locator("#codes code")).to_have_count(10)
        await left_open(tab, house, base, "Office")
        await tab.goto(f"{base}/people/{id_of('Officer')}")
        await tab.get_by_role("button", name="Forget their second factor").press("Enter")
        await expect(tab.get_by_role("heading", level=1)).to_have_text("Is it you?")
        assert await faults(tab) == []
        await shoot(tab, "proof-desk")
        await tab.get_by_role("button", name="Use a passkey").click()
        await expect(tab.get_by_role("heading", level=1)).to_have_text("Officer")
        await expect(tab.get_by_role("button", name="Forget their second factor")).to_have_count(0)
        await left_open(tab, house, base, "Office")
        await tab.goto(f"{base}/people")
        await tab.get_by_label("What it is for").fill("Board")
        await tab.locator("#token-role").select_option("viewer")
        await tab.get_by_role("button", name="Make the token").press("Enter")
        await expect(tab.get_by_label("Your password")).to_be_focused()
        await tab.keyboard.type("not my password")
        await tab.keyboard.press("Enter")
        await expect(tab.get_by_role("alert").filter(has_text="not right")).to_be_visible()
        await tab.get_by_label("Your password").fill(PASSWORD)
        await tab.keyboard.press("Enter")
        await expect(tab.locator("#token")).to_contain_text("vst_")
    async with tab_of(browser, "phone", "dark") as tab:
        await left_open(tab, house, base, "Officer")
        await tab.goto(f"{base}/doors")
        notice = tab.locator("#changes")
        shown = await notice.bounding_box()
        assert shown is not None
        assert shown["height"] < 3 * 24 + 24  # two lines, and the space around them
        over = await tab.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert over <= 0
        assert await faults(tab) == []
        await shoot(tab, "changes-phone")
        await notice.get_by_role("link", name="was it you?").press("Enter")
        await tab.wait_for_url(f"{base}/me#changed")
        told = tab.locator("#changed li", has_text="Every second factor was taken away.")
        await expect(told).to_be_in_viewport()
        await expect(told).to_contain_text("By Office")
        await expect(told).to_contain_text("New")
        assert await faults(tab) == []
        await tab.get_by_role("button", name="I have seen this").press("Enter")
        await expect(notice).to_have_count(0)
        await expect(told).to_contain_text("By Office")
        await expect(told).not_to_contain_text("New")
        await shoot(tab, "me-changed-phone")
