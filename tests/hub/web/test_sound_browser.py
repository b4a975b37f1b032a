"""Sound and vibration in a real browser: by rhythm, until it is seen, silent in a lockdown."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest
from playwright.async_api import Page, expect
from test_console import Console, browser, console, shoot, until  # noqa: F401

from hub.config import Config

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

ON = "localStorage.setItem('sound', JSON.stringify({on: true}))"


async def played(tab: Page) -> list[tuple[str, bool]]:
    """What this page has played, and whether it could be heard."""
    log = await tab.evaluate("vestibuleSound.log")
    return [(each["kind"], bool(each["sounded"])) for each in log]


async def comes(tab: Page, wanted: tuple[str, bool], count: int = 1) -> None:
    """Wait until that has been played so often."""

    async def there() -> bool:
        return (await played(tab)).count(wanted) >= count

    await until(there, 15)


async def known(tab: Page, alert: str) -> None:
    """Wait until the page has heard of that alert; it asks, as when one comes back to it."""

    async def there() -> bool:
        await tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        return alert in (await tab.locator("#sounding").get_attribute("data-open") or "")

    await until(there)


def quiet(console: Console) -> None:  # noqa: F811
    """Only one open alert, which is high, so that what a test raises is what sounds."""
    views = console.house.alert_views
    for name in [name for name in views if name != "a2"]:
        del views[name]


async def test_it_is_turned_on_by_a_press_that_lets_you_hear_it(
    console: Console,  # noqa: F811
) -> None:
    """The button plays what a severe alert sounds like; without it nothing ever sounds."""
    async with console.page() as tab:
        await tab.goto(console.base)
        button = tab.locator("#sound-on")
        await expect(button).to_have_text("Turn sound on")
        await tab.wait_for_timeout(1200)
        assert await played(tab) == []
        await button.click()
        await expect(button).to_have_text("Sound on")
        await comes(tab, ("severe", True))
        await shoot(tab, "sound-desk")
        await button.click()
        await expect(button).to_have_text("Turn sound on")
    assert console.complaints == []


async def test_severe_sounds_again_until_the_device_is_touched(
    console: Console,  # noqa: F811
) -> None:
    """Every five seconds, on whatever page is open; the milder kinds sound once."""
    quiet(console)
    async with console.page() as tab:
        await tab.clock.install()
        await tab.goto(console.base)
        await tab.locator("#sound-on").click()
        await tab.goto(console.base + "/doors")
        await tab.mouse.click(400, 5)
        console.house.raise_alert("s1", "severe", "Fence climbed")
        await known(tab, "s1:severe")
        await tab.clock.run_for(1000)
        await comes(tab, ("severe", True))
        for count in (2, 3):
            await tab.clock.run_for(6000)
            await comes(tab, ("severe", True), count)
        times = [each["at"] for each in await tab.evaluate("vestibuleSound.log")][-3:]
        assert all(5000 <= next_ - one <= 6500 for one, next_ in pairwise(times)), times
        await tab.keyboard.press("Shift")
        seen = (await played(tab)).count(("severe", True))
        console.house.raise_alert("h1", "high", "Door held open")
        await known(tab, "h1:high")
        await tab.clock.run_for(1000)
        await comes(tab, ("high", True))
        await tab.clock.run_for(11_000)
        log = await played(tab)
        assert log.count(("severe", True)) == seen
        assert log.count(("high", True)) <= 2
        console.house.raise_alert("n1", "note", "A note")
        await known(tab, "n1:note")
        await tab.clock.run_for(2000)
        assert len(await played(tab)) == len(log)


async def test_what_somebody_has_taken_on_is_silent(console: Console) -> None:  # noqa: F811
    """Answered elsewhere, it stops here."""
    quiet(console)
    console.house.raise_alert("s1", "severe", "Fence climbed")
    async with console.page() as tab:
        await tab.goto(console.base)
        await tab.locator("#sound-on").click()
        await tab.goto(console.base + "/doors")
        await console.house.acknowledge("s1", "Officer")
        await tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await expect(tab.locator("#sounding")).to_have_attribute("data-open", "a2:high")


async def test_a_lockdown_is_silent_but_for_the_command_desk(
    console: Console,  # noqa: F811
) -> None:
    """A device that rings gives a room away: it only vibrates. The desk may say otherwise."""
    quiet(console)
    await console.house.protocols.start("lockdown", "school", "SRO", key="l1")
    async with console.page("phone") as tab:
        await tab.add_init_script(
            "window.shaken = []; navigator.vibrate = (p) => { window.shaken.push(p); return true; }"
        )
        await tab.goto(console.base)
        await tab.evaluate(ON)
        await tab.reload()
        await expect(tab.locator("#sound-on")).to_have_text("Silent in a lockdown")
        await expect(tab.locator("#blocked")).to_be_hidden()
        await tab.mouse.click(200, 5)
        console.house.raise_alert("s1", "severe", "Fence climbed")
        await comes(tab, ("severe", False))
        assert ("severe", True) not in await played(tab)
        assert [400, 150, 400, 150, 400] in await tab.evaluate("window.shaken")
        await tab.goto(console.base + "/me")
        await tab.locator("[name=desk]").check()
        await tab.locator("[data-try=check]").click()
        await comes(tab, ("check", True))
        console.house.raise_alert("s2", "severe", "Another")
        await comes(tab, ("severe", True))
        await shoot(tab, "sound-settings-phone")


async def test_quiet_hours_leave_out_all_but_what_wakes(console: Console) -> None:  # noqa: F811
    """The schedule of the configuration; never what is severe."""
    house = console.house
    plain: dict[str, Any] = house.config.model_dump(mode="json", by_alias=True)
    plain["schedules"] = {"night": {"weekly": [{"from": "00:00", "to": "24:00"}]}}
    plain["people"] = {"head": {"name": "Principal", "role": "principal", "quiet": "night"}}
    house.config = Config.model_validate(plain)
    house.in_force = lambda schedule: schedule == "night"  # type: ignore[method-assign]
    quiet(console)
    async with console.page() as tab:
        await tab.goto(console.base)
        await tab.locator("#sound-on").click()
        await expect(tab.locator("#sounding")).to_have_attribute("data-from", "severe")
        house.raise_alert("h1", "high", "Door held open")
        await expect(tab.locator("#sounding")).to_have_attribute("data-open", re.compile("h1:high"))
        await tab.wait_for_timeout(1200)
        assert all(kind == "severe" for kind, _ in await played(tab))
        before = len(await played(tab))
        house.raise_alert("s1", "severe", "Fence climbed")
        await comes(tab, ("severe", True), before + 1)


async def test_a_browser_that_blocks_sound_is_named(console: Console) -> None:  # noqa: F811
    """The bar says so, and a press ends it."""
    async with console.page() as tab:
        await tab.goto(console.base + "/doors")
        await tab.evaluate(ON)
        await tab.reload()
        await expect(tab.locator("#blocked")).to_contain_text("Sound blocked")
        await shoot(tab, "sound-blocked")
        await tab.get_by_role("button", name="Let it sound").click()
        await expect(tab.locator("#blocked")).to_be_hidden()
        assert ("severe", True) in await played(tab)
    assert console.complaints == [] or all("AudioContext" in each for each in console.complaints)
