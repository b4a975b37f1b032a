"""Coming in, in a real browser: the first account, an authenticator app, a passkey, and the
identity provider of the school, which then goes away.

Set VESTIBULE_SCREENSHOTS to a folder to keep what the pages look like.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyotp
import pytest
import pytest_asyncio
from aiohttp import web
from chromium import launched
from identity_provider import a_provider
from playwright.async_api import Browser, ConsoleMessage, Error, Page, async_playwright, expect
from scripted_house import ScriptedHouse
from signing_in import PASSWORD, add

from hub.config import Config
from hub.identity import accounts, setup_links
from hub.web.server import create_app
from hub.web.stream import Streams

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

SIZES = {"desk": (1440, 900), "phone": (390, 844)}
WITHIN_S = 120.0
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    """The system's Chromium."""
    async with async_playwright() as play:
        opened = await launched(play)
        yield opened
        await opened.close()


@pytest_asyncio.fixture(loop_scope="module")
async def house(tmp_path: Path) -> AsyncIterator[ScriptedHouse]:
    """A house with nobody in it yet."""
    made = ScriptedHouse(tmp_path)
    await made.open()
    yield made
    await made.close()


@pytest_asyncio.fixture(loop_scope="module")
async def base(house: ScriptedHouse) -> AsyncIterator[str]:
    """Where it is served: by a name, since no address of numbers has passkeys."""
    runner = web.AppRunner(create_app(house, Streams(page_beat_s=1.0)), shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://localhost:{runner.addresses[0][1]}"
    await runner.cleanup()


@asynccontextmanager
async def tab_of(browser: Browser, size: str = "desk", theme: Any = "light") -> AsyncIterator[Page]:
    """A fresh browser with nothing in it; it may complain of nothing."""
    width, height = SIZES[size]
    context = await browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme
    )
    tab = await context.new_page()
    said: list[str] = []

    def note(message: ConsoleMessage) -> None:
        ours = message.location.get("url", "").startswith("http://localhost:")
        if ours and message.type in ("error", "warning"):
            said.append(message.text)

    tab.on("console", note)
    tab.on("pageerror", lambda error: said.append(str(error)))
    try:
        async with asyncio.timeout(WITHIN_S):
            yield tab
    finally:
        await context.close()
    expected = re.compile("status of (401|403|409|410|422|503)")  # what a test asks for
    assert [each for each in said if not expected.search(each)] == []


async def shoot(tab: Page, name: str) -> None:
    """Keep what the page looks like, when a folder is named."""
    if folder := os.environ.get("VESTIBULE_SCREENSHOTS"):
        await tab.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


async def enter(tab: Page, base: str, name: str, onward: str = "/") -> None:
    """Give name and password by the keyboard alone."""
    await tab.goto(f"{base}/signin?next={onward}")
    await expect(tab.get_by_label("Name")).to_be_focused()
    await tab.keyboard.type(name)
    await tab.keyboard.press("Tab")
    await tab.keyboard.type(PASSWORD)
    async with tab.expect_navigation():
        await tab.keyboard.press("Enter")


async def authenticator(tab: Page) -> Any:
    """A device with a fingerprint reader, as the browser sees one."""
    session = await tab.context.new_cdp_session(tab)
    await session.send("WebAuthn.enable")
    made = await session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    return session, made["authenticatorId"]


@pytest.mark.parametrize("size", SIZES)
async def test_the_first_account_an_app_and_the_next_sign_in(
    house: ScriptedHouse, base: str, browser: Browser, size: str
) -> None:
    """By keyboard alone: the set-up link, an authenticator app, out again, in with a code."""
    now = house.clock.now()
    link = await house.journal_write(
        lambda c: setup_links.create_setup_link(c, now, timedelta(hours=1))
    )
    async with tab_of(browser, size, "dark" if size == "phone" else "light") as tab:
        await tab.goto(f"{base}/setup/{link}")
        await shoot(tab, f"setup-{size}")
        await expect(tab.get_by_label("Name")).to_be_focused()
        for words in ("Officer", PASSWORD, PASSWORD):
            await tab.keyboard.type(words)
            await tab.keyboard.press("Tab")
        await tab.keyboard.press("Enter")
        await tab.wait_for_url(f"{base}/")
        await tab.goto(f"{base}/me/sign-in")
        await tab.get_by_label("Your password").first.fill(PASSWORD)
        await tab.keyboard.press("Enter")
        secret = (await tab.locator("#app-secret").inner_text()).replace(" ", "")
        await shoot(tab, f"app-{size}")
        app = pyotp.TOTP(secret)
        await tab.get_by_label("Code", exact=True).fill(app.at(house.clock.now()))
        await tab.keyboard.press("Enter")
        await expect(tab.locator("#codes code")).to_have_count(10)
        await shoot(tab, f"codes-{size}")
        recovery = await tab.locator("#codes code").first.inner_text()
        await tab.goto(f"{base}/me")
        await shoot(tab, f"me-{size}")
        await tab.get_by_role("button", name="Sign out", exact=True).press("Enter")
        await tab.wait_for_url(f"{base}/signin")
        await shoot(tab, f"signin-{size}")
        await enter(tab, base, "Officer", "/doors")
        await tab.wait_for_url(f"{base}/signin/code?*")
        await expect(tab.get_by_label("Code")).to_be_focused()
        await tab.keyboard.type("000000")
        await tab.keyboard.press("Enter")
        await expect(tab.get_by_role("alert").first).to_contain_text("not right")
        await shoot(tab, f"code-{size}")
        await expect(tab.get_by_label("Code")).to_be_focused()
        await tab.keyboard.type(recovery)
        await tab.keyboard.press("Enter")
        await tab.wait_for_url(f"{base}/doors")


async def test_a_passkey_is_made_and_signs_in_alone(
    house: ScriptedHouse, base: str, browser: Browser
) -> None:
    """Made on one's own page with the password, it signs in without one; another device's answer,
    or the same answer twice, signs nobody in.
    """
    await add(house, "Officer", "sro")
    async with tab_of(browser) as tab:
        session, device = await authenticator(tab)
        await enter(tab, base, "Officer")
        await tab.goto(f"{base}/me/sign-in")
        await shoot(tab, "ways-desk")
        form = tab.locator("[data-passkey-form]")
        await form.get_by_label("What you call it").fill("Front desk")
        await form.get_by_label("Your password").fill("not my password")
        await form.get_by_role("button").click()
        await expect(form.get_by_role("alert")).to_contain_text("not right")
        await form.get_by_label("Your password").fill(PASSWORD)
        await form.get_by_role("button").click()
        await expect(tab.locator("#codes code")).to_have_count(10)
        await expect(tab.locator("#passkeys")).to_contain_text("Front desk")
        await shoot(tab, "passkey-made-desk")
        await tab.goto(f"{base}/me")
        await tab.get_by_role("button", name="Sign out", exact=True).click()
        await tab.wait_for_url(f"{base}/signin")
        sent: list[str] = []
        tab.on(
            "request",
            lambda r: sent.append(r.post_data) if r.url.endswith("/signin/passkey") else None,
        )
        await tab.get_by_role("button", name="Use a passkey").click()
        await tab.wait_for_url(f"{base}/")
        assert "with a passkey" in await (await tab.request.get(f"{base}/me")).text()
        again = await tab.context.request.post(
            f"{base}/signin/passkey", data=sent[0], headers={"Content-Type": "application/json"}
        )
        assert again.status == 403  # the form's secret went with the session's beginning
        await session.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": device})
    async with tab_of(browser) as tab:
        await authenticator(tab)
        await tab.goto(f"{base}/signin")
        await tab.get_by_role("button", name="Use a passkey").click()
        await expect(tab.locator("[data-passkey-said]")).to_contain_text("no passkey")
        await shoot(tab, "no-passkey-desk")


async def test_an_answer_of_a_passkey_counts_once_for_its_site_and_with_the_finger(
    house: ScriptedHouse, base: str, browser: Browser
) -> None:
    """The answer sent twice, sent to another browser's question, or given without the finger, signs
    nobody in.
    """
    await add(house, "Officer", "sro")
    async with tab_of(browser) as tab:
        session, device = await authenticator(tab)
        await enter(tab, base, "Officer")
        await tab.goto(f"{base}/me/sign-in")
        form = tab.locator("[data-passkey-form]")
        await form.get_by_label("Your password").fill(PASSWORD)
        await form.get_by_role("button").click()
        await expect(tab.locator("#codes code")).to_have_count(10)
        await tab.context.clear_cookies()
        await tab.goto(f"{base}/signin")
        signed = await tab.evaluate(ANSWER_TWICE, "required")
        assert signed == [200, 410], signed
        await tab.context.clear_cookies()
        await tab.goto(f"{base}/signin")
        await session.send(
            "WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False}
        )
        without = await tab.evaluate(ANSWER_TWICE, "discouraged")
        assert without[0] == 401, without


ANSWER_TWICE = """
async (verification) => {
  const bytes = (t) => Uint8Array.from(
    atob(t.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (b) => btoa(String.fromCharCode(...new Uint8Array(b)))
    .replace(/\\+/g, "-").replace(/\\//g, "_").replace(/=+$/, "");
  const csrf = document.querySelector("input[name=csrf]").value;
  const headers = { "X-CSRF-Token": csrf, "Content-Type": "application/json" };
  const send = (path, body) => fetch(path, { method: "POST", headers, body });
  const asked = await (await send("/signin/passkey/ask", "{}")).json();
  const publicKey = { ...asked, challenge: bytes(asked.challenge), userVerification: verification };
  const made = await navigator.credentials.get({ publicKey });
  const response = {};
  for (const name of ["clientDataJSON", "authenticatorData", "signature", "userHandle"]) {
    response[name] = text(made.response[name]);
  }
  const credential = {
    id: made.id, rawId: text(made.rawId), type: made.type, response, clientExtensionResults: {} };
  const found = [];
  for (let n = 0; n < 2; n += 1) {
    found.push((await send("/signin/passkey", JSON.stringify({ credential }))).status);
    const page = await (await fetch("/signin/code")).text();
    headers["X-CSRF-Token"] = page.match(/name="csrf" value="([^"]+)"/)[1];
  }
  return found;
}
"""


async def test_a_role_that_owes_a_second_factor_is_led_to_it_and_then_on(
    house: ScriptedHouse, base: str, browser: Browser
) -> None:
    """On a phone: every page is the one that adds it, until it is there."""
    _settings(house, {"second_factor": ["sro"]})
    await add(house, "Officer", "sro")
    async with tab_of(browser, "phone", "dark") as tab:
        await authenticator(tab)
        await enter(tab, base, "Officer", "/doors")
        await tab.wait_for_url(f"{base}/me/sign-in")
        await shoot(tab, "owed-phone")
        form = tab.locator("[data-passkey-form]")
        await form.get_by_label("Your password").fill(PASSWORD)
        await form.get_by_role("button").click()
        await expect(tab.locator("#codes code")).to_have_count(10)
        await shoot(tab, "owed-done-phone")
        await tab.goto(f"{base}/doors")
        await expect(tab.get_by_role("heading", level=1)).to_have_text("Doors")


def _settings(house: ScriptedHouse, sign_in: dict[str, Any]) -> None:
    plain = house.config.model_dump(exclude={"hub"}, exclude_unset=True, by_alias=True)
    hub = {"name": house.config.hub.name, "sign_in": sign_in}
    house.config = Config.model_validate({**plain, "hub": hub})


# ------------------------------------------------------------------ the identity provider


async def test_the_school_account_signs_in_and_when_it_is_down_the_local_one_does(
    house: ScriptedHouse, base: str, browser: Browser
) -> None:
    """To the provider and back with the role of the mapping; nobody without one; the provider
    killed, the page says so within seconds and takes the local password.
    """
    await add(house, "Officer", "sro")
    async with a_provider() as (issuer, process):
        roles = {"security": "viewer", "staff": "nurse"}
        provider = {
            "issuer": issuer,
            "client_id": "vestibule",
            "client_secret": "hush",
            "roles": roles,
        }
        _settings(house, {"provider": provider})
        async with tab_of(browser) as tab:
            await tab.goto(f"{base}/signin?next=/doors")
            await shoot(tab, "signin-provider-desk")
            await at_the_provider(tab, "pupil")
            await expect(tab.get_by_role("alert").first).to_contain_text("gives it a role")
            await shoot(tab, "provider-no-role-desk")
            await at_the_provider(tab, "teacher")
            await tab.wait_for_url(f"{base}/doors")
            me = await (await tab.request.get(f"{base}/me")).text()
            assert "<h1>Teacher</h1>" in me
            assert "school&#39;s own account" in me or "school's own account" in me
            await tab.goto(f"{base}/me")
            await tab.get_by_role("button", name="Sign out", exact=True).click()
            await tab.wait_for_url(f"{base}/signin/out")
            await shoot(tab, "signed-out-desk")
            assert await house.journal_read(accounts.count_users) == 2
            process.kill()
            await process.wait()
            while not await arrives(tab, f"{base}/signin/provider?next=/doors"):
                pass  # what it said of itself a second ago may still be believed
            await expect(tab.get_by_role("alert").first).to_contain_text("does not answer")
            await shoot(tab, "provider-down-desk")
            await tab.get_by_label("Name").fill("Officer")
            await tab.get_by_label("Password").fill(PASSWORD)
            await tab.keyboard.press("Enter")
            await tab.wait_for_url(f"{base}/doors")


async def arrives(tab: Page, address: str) -> bool:
    """Whether an address leads to a page at all."""
    try:
        await tab.goto(address)
    except Error:
        return False
    return True


async def at_the_provider(tab: Page, who: str) -> None:
    """Sign in there as somebody."""
    await tab.get_by_role("link", name="Sign in with").click()
    await tab.locator("input[name=sub]").fill(who)
    await tab.get_by_role("button", name=re.compile("authorize", re.I)).click()
