"""axe-core finds nothing on any page, in light on a desk and in dark on a telephone.

What it cannot know (whether words help, whether a gesture can be done) other tests ask.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect
from test_cases_web import CaseHouse
from test_console import PATHS, Console, browser  # noqa: F401
from test_protocol_browser import sign_in
from test_together_pages import part

from hub.identity import guests
from hub.identity.people import id_of

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

RULES = {"resultTypes": ["violations"], "runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}
MORE = {
    "many": "/alerts/many",
    "protocols": "/protocols",
    "drills": "/protocols?drill=1",
    "drills of a year": "/drills",
    "planning a drill": "/drills/new",
    "drill log": "/drill-log",
    "run": "/protocols/{run}",
    "devices": "/devices",
    "configuration": "/configuration",
    "file": "/configuration/text",
    "rules": "/rules",
    "audit": "/audit",
    "masks": "/cameras/lobby/masks",
    "past": "/health/past",
    "case": "/incidents/{case}/case",
    "card": "/incidents/{case}/call",
    "ways": "/me/sign-in",
    "people": "/people",
    "person": "/people/{person}",
    "match": "/visitors/front/v3/match",
    "walk-in": "/visitors/new",
    "badge": "/visitors/front/v2/badge",
    "roll": "/visitors/roll",
    "guests": "/guests",
    "glass": "/glass",
    "guest": "{guest}",
    "error": "/nothing",
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def console(
    browser: Browser,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Console]:
    """A house that is served, with somebody signed in who may do everything."""
    house = CaseHouse(tmp_path_factory.mktemp("axe"))
    await house.open()
    house.not_admitted["Delivery, kitchen"] = "Court order"
    many = [part(f"Eye {n}", "lobby") for n in range(9)]
    house.raise_alert("many", "note", "Camera offline", together=many)
    running = Console(house, browser, await sign_in(house, "Administrator", "admin"))
    await running.serve()
    yield running
    await running.stop()
    await house.close()


async def faults(tab: Page) -> list[str]:
    """What axe-core finds: the rule, and the elements that break it."""
    found = (await Axe().run(tab, options=RULES)).response["violations"]
    return [
        f"{tab.url}: {rule['id']} ({rule['impact']}): {node['html'][:160]}"
        for rule in found
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize(("size", "theme"), [("desk", "light"), ("phone", "dark")])
async def test_axe_finds_nothing(console: Console, size: str, theme: str) -> None:
    """Every page that people are led to, with a lockdown in force."""
    house = console.house
    run = (await house.protocols.start("lockdown", "school", "SRO", key=f"{size}-{theme}"))["id"]
    case = (await house.cases.open("Fall", "medical", "high", "lobby", "Principal"))["id"]
    now, admin = house.clock.now(), "Administrator"
    made = guests.invite
    _guest, secret = await house.journal_write(
        lambda c: made(c, "Fire", "school", ("lobby",), "i1", guests.LASTS, admin, now)
    )
    wanted = {**PATHS, **MORE}
    found: list[str] = []
    async with console.page(size, theme) as tab:
        await tab.emulate_media(reduced_motion="reduce")
        await tab.set_content("<title>x</title><img src='x'>")
        assert any("image-alt" in fault for fault in await faults(tab)), "axe-core finds faults"
        for path in wanted.values():
            await tab.goto(
                console.base
                + path.format(run=run, case=case, person=id_of(admin), guest=f"/guest/{secret}")
            )
            await expect(tab.locator("main")).to_be_visible()
            if await tab.locator("#pill").count():  # until then what can be pressed is greyed out
                await expect(tab.locator("#pill")).to_have_text("Live")
            found += await faults(tab)
            if (opens := tab.get_by_role("button", name="Open the view")) and await opens.count():
                await opens.click()
                await expect(tab.get_by_role("region", name="Guest")).to_be_visible()
                found += await faults(tab)
    assert found == []
