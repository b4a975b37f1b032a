"""The console in Spanish, in a real browser: longer words fit, and the scripts speak it too.

Set VESTIBULE_SCREENSHOTS to a folder to keep what the pages look like.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from test_axe_browser import MORE
from test_cases_web import CaseHouse
from test_console import PATHS, Console, browser  # noqa: F401
from test_protocol_browser import sign_in

from hub.identity import readers
from hub.identity.people import id_of
from hub.web.language import gettext as say
from hub.web.language import speak

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

# What sticks out of the page or of its own box, by at least two pixels.
CUT = """() => {
  const found = [], root = document.documentElement, wide = root.clientWidth;
  if (root.scrollWidth > wide + 1) found.push("the page is wider than the screen");
  const drawn = ".vh, svg, select, .skip, .strip, .chips, pre";
  for (const each of document.querySelectorAll("main *, header *, nav *, dialog[open] *")) {
    const r = each.getBoundingClientRect(), style = getComputedStyle(each);
    if (!r.width || !r.height || each.closest(drawn)) continue;
    if (style.visibility === "hidden" || style.clipPath !== "none") continue;
    const words = [...each.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!words) continue;
    const said = each.textContent.trim().slice(0, 60);
    const home = each.matches(".tag") && each.parentElement.getBoundingClientRect();
    if (home && r.right > home.right + 2) found.push(`over its edge: ${said}`);
    if (r.right > wide + 1 || r.left < -1) found.push(`beside the screen: ${said}`);
    const cut = style.overflowX !== "visible" && each.scrollWidth > each.clientWidth + 2;
    if (cut) found.push(`cut: ${said}`);
  }
  return [...new Set(found)];
}"""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def console(
    browser: Browser,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Console]:
    """A house that is served, to somebody who may do everything and reads Spanish."""
    house = CaseHouse(tmp_path_factory.mktemp("spanish"))
    await house.open()
    running = Console(house, browser, await sign_in(house, "Administrator", "admin"))
    await house.journal_write(lambda c: readers.choose_language(c, "Administrator", "es"))
    await running.serve()
    yield running
    await running.stop()
    await house.close()


def spanish(text: str, **values: object) -> str:
    """What is said of it in Spanish."""
    speak("es")
    said = say(text, **values)
    speak("en")
    return said


async def keep(tab: Page, name: str) -> None:
    """Keep a screenshot, where somebody wants them."""
    if folder := os.environ.get("VESTIBULE_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        await tab.screenshot(path=Path(folder) / f"{name}.png", full_page=True, timeout=90_000)


@pytest.mark.parametrize(("size", "theme"), [("phone", "dark"), ("desk", "light")])
async def test_spanish_fits_everywhere(console: Console, size: str, theme: str) -> None:
    """No page is wider than its screen, and no words are cut, with a lockdown in force."""
    house = console.house
    run = (await house.protocols.start("lockdown", "school", "SRO", key=f"{size}-{theme}"))["id"]
    case = (await house.cases.open("Caída", "medical", "high", "lobby", "Dirección"))["id"]
    wanted = {**PATHS, **MORE}
    found: list[str] = []
    async with console.page(size, theme) as tab:
        await tab.set_extra_http_headers({"Accept-Language": "es"})  # for what strangers see
        for name, path in wanted.items():
            where = path.format(run=run, case=case, person=id_of("Administrator"), guest="/panic")
            await tab.goto(console.base + where)
            await expect(tab.locator("html")).to_have_attribute("lang", "es")
            if await tab.locator("#pill").count():
                await expect(tab.locator("#pill")).to_have_text(spanish("Live"))
            found += [f"{name}: {each}" for each in await tab.evaluate(CUT)]
            await keep(tab, f"es-{name}-{size}-{theme}")
    assert found == []


async def test_the_scripts_speak_spanish(console: Console) -> None:
    """What is typed to start a protocol, what is said when it is let go, and a lost connection."""
    async with console.page() as tab:
        await tab.goto(f"{console.base}/protocols?drill=1")
        await expect(tab.locator("#pill")).to_have_text(spanish("Live"))
        await tab.locator("form[data-hold] button[type=submit]").first.focus()
        await tab.keyboard.press("Enter")
        word = spanish("DRILL")
        asked = spanish("Type %(word)s, then Enter", word=word)
        await expect(tab.locator("#hold-ask label")).to_have_text(asked)
        await tab.locator("#hold-word").fill("otra cosa")
        await tab.keyboard.press("Enter")
        wrong = spanish("That is not %(word)s. Type %(word)s, then Enter", word=word)
        await expect(tab.locator("#hold-ask label")).to_have_text(wrong)
        await tab.keyboard.press("Escape")
        await expect(tab.locator("#hold-note")).to_have_text(spanish("Not started."))
        await tab.locator("form[data-hold] button[type=submit]").first.focus()
        await tab.keyboard.press("Enter")
        await tab.locator("#hold-word").fill(word.lower())
        await tab.keyboard.press("Enter")
        await expect(tab).to_have_url(re.compile(r"/protocols/\w+$"))
        await expect(tab.locator("h1")).to_contain_text(word)
        await expect(tab.locator("#pill")).to_have_text(spanish("Live"))
        await console.stop()
        try:
            lost = spanish("Not connected")
            await expect(tab.locator("#pill")).to_have_text(lost)
            await expect(tab.locator("#lost")).to_contain_text(lost)
        finally:
            await console.serve()


async def test_a_language_is_chosen_on_the_page_of_ones_account(console: Console) -> None:
    """By form; the page that follows is in it, and so is every other device of the account."""
    async with console.page() as tab:
        await tab.goto(f"{console.base}/me")
        await tab.locator("#lang").select_option("en")
        await tab.locator("#language button").click()
        await expect(tab.locator("html")).to_have_attribute("lang", "en")
        await expect(tab.locator("#ml")).to_have_text("Language")
        await tab.locator("#lang").select_option("es")
        await tab.locator("#language button").click()
        await expect(tab.locator("html")).to_have_attribute("lang", "es")
