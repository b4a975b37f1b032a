"""Reloading a configuration in a real browser, by keyboard alone, on a hub that runs.

Set VESTIBULE_SCREENSHOTS to a folder to keep what the pages look like.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect
from test_axe_browser import faults
from test_console import SIZES, browser, shoot  # noqa: F401
from test_rules_browser import press

from hub.app import Hub
from hub.chosen import choose
from hub.identity import accounts
from hub.kept import KeptConfigs
from hub.secrets import Secrets
from hub.start import listen
from hub.storage.folder import StateFolder
from hub.web.security import SESSION_COOKIE

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

SCHOOL = """\
hub: {name: Tiny, timezone: Europe/Berlin}
places:
  site: {name: School, kind: site}
  hall: {name: Hall, kind: room, in: site}
access_control:
  panel: {driver: simulated}
doors:
  front: {name: Front, controller: panel, place: hall, egress: free, device: {behaviour: prompt}}
notifiers:
  console: {driver: console}
  hook:
    driver: webhook
    url: http://127.0.0.1:9/x
    secret: ponderous-secret-4711
rules:
  forced:
    name: Forced
    when: door.forced
    alert: {severity: check, through: [console]}
"""


async def signed_in(hub: Hub) -> str:
    """A session of somebody who manages the configuration."""

    def make(connection: Any) -> str:
        accounts.add_user_with_hash(connection, "IT", "admin", "no password")
        return accounts.open_session(connection, "IT", hub.clock.now()).secret

    secret: str = await hub.journal.write(make)
    return secret


async def kept(hub: Hub, count: int) -> None:
    """Wait (in real time) until so many configurations are kept."""
    async with asyncio.timeout(60):
        while len((await hub.configuration.view())["kept"]) < count:
            await asyncio.sleep(0.05)


async def seen(tab: Page, size: str, name: str) -> None:
    """It fits, axe-core finds nothing, no secret stands there, and it is looked at."""
    over = await tab.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert over <= 0, name
    assert await faults(tab) == []
    assert "ponderous" not in await tab.content()
    await shoot(tab, f"{name}-{size}")


@pytest.mark.parametrize("size", SIZES)
async def test_a_changed_file_is_mended_read_and_taken_over_and_gone_back_from(
    browser: Browser,  # noqa: F811
    tmp_path: Path,
    size: str,
) -> None:
    """A mistake at its line; mended, what would change; a second press for a door; the way back."""
    file, state = tmp_path / "school.yaml", StateFolder(tmp_path / "state")
    file.write_text(SCHOOL)
    secrets = Secrets()
    chosen, said = choose(file, KeptConfigs(state.configs), secrets)
    assert chosen is not None, said
    width, height = SIZES[size]
    with state.lock():
        async with Hub(chosen, state, file, secrets=secrets) as hub:
            listener = listen("127.0.0.1", 0)
            await hub.open_pages(listener)
            await kept(hub, 1)
            base = f"http://127.0.0.1:{listener.getsockname()[1]}"
            context = await browser.new_context(viewport={"width": width, "height": height})
            secret = await signed_in(hub)
            await context.add_cookies([{"name": SESSION_COOKIE, "value": secret, "url": base}])
            tab = await context.new_page()

            file.write_text(SCHOOL.replace("name: Front,", "name: Front, held_after: soon,"))
            await tab.goto(f"{base}/configuration")
            await expect(tab.locator("#pill")).to_have_text("Live")
            await expect(tab.locator("#at-school-yaml-8 mark")).to_have_text("soon")
            await expect(tab.locator("#at-school-yaml-8")).to_contain_text("Column 36")
            await seen(tab, size, "configuration-mistake")
            await press(tab, "The file, line by line")
            await expect(tab.locator(".lines li")).to_have_count(SCHOOL.count("\n"))
            await seen(tab, size, "configuration-text")
            assert hub.config.doors["front"].name == "Front"

            file.write_text(SCHOOL.replace("name: Front,", "name: Front gate, held_after: 10s,"))
            await press(tab, "Configuration")
            await expect(tab.locator("#changes")).to_contain_text("Front → Front gate")
            await seen(tab, size, "configuration-changes")
            await press(tab, "Apply")
            await expect(tab.get_by_role("heading", name="Confirm once more")).to_be_visible()
            assert hub.config.doors["front"].name == "Front"
            await press(tab, "Confirm and apply")
            await expect(tab.get_by_text("The file says what runs")).to_be_visible()
            assert hub.config.doors["front"].name == "Front gate"

            await press(tab, "Look at going back")
            await expect(tab.locator("#changes")).to_contain_text("Front gate → Front")
            await press(tab, "Go back to")
            await expect(tab.get_by_role("heading", name="Confirm once more")).to_be_visible()
            await press(tab, "Confirm and apply")
            await expect(tab.locator("#degraded")).to_contain_text("not the file")
            assert hub.config.doors["front"].name == "Front"
            await context.close()
