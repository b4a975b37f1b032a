"""Protocols in a real browser: holding, letting go, the keyboard, no answer, two people, phone."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Error, Locator, Page, Route, expect
from scripted_house import ScriptedHouse
from scripted_protocols import PIN, SECRET, ScriptedProtocols
from test_console import Console, browser, shoot  # noqa: F401

from hub.identity import accounts

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def served(
    browser: Browser,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Console]:
    """A house that is served to every test here, with a principal signed in."""
    async with principal_at(browser, tmp_path_factory.mktemp("protocols")) as running:
        yield running


@pytest.fixture
def console(served: Console) -> Console:
    """The same house, in which no protocol was ever started."""
    served.house.protocols = ScriptedProtocols(served.house)
    served.complaints.clear()
    return served


@asynccontextmanager
async def principal_at(browser: Browser, folder: Path) -> AsyncIterator[Console]:  # noqa: F811
    """A house with its data in a folder, served, with a principal signed in."""
    house = ScriptedHouse(folder)
    await house.open()
    running = Console(house, browser, await sign_in(house, "Principal", "principal"))
    await running.serve()
    yield running
    await running.stop()
    await house.close()


async def sign_in(house: ScriptedHouse, name: str, role: str) -> str:
    """The secret of a new account's session."""

    def make(conn: Any) -> str:
        accounts.add_user_with_hash(conn, name, role, "no password")
        return accounts.open_session(conn, name, house.clock.now()).secret

    made: str = await house.journal_write(make)
    return made


def button(tab: Page, name: str) -> Locator:
    """A button that is held."""
    return tab.locator(f'form[data-title="{name}"] .holdbtn')


async def typed(tab: Page, name: str) -> None:
    """Start a protocol by the keyboard alone."""
    await button(tab, name).press("Enter")
    await expect(tab.locator("#hold-word")).to_be_focused()
    await tab.keyboard.type(name.upper())
    await tab.keyboard.press("Enter")


async def stand_still(tab: Page) -> None:
    """From now on time passes on the page only where the test lets it, however long that takes.

    It stops a moment ahead, as little as the machine allows: to a page that leaps by seconds its
    connection seems lost.
    """
    for ahead in (1, 2, 3):
        now: float = await tab.evaluate("Date.now()")
        with contextlib.suppress(Error):  # on a busy machine that moment may be over
            await tab.clock.pause_at(now / 1000 + ahead)
            return
    raise AssertionError("the page's time could not be stopped")


async def centre(target: Locator) -> tuple[float, float]:
    """The middle of something on the page."""
    await target.scroll_into_view_if_needed()
    box = await target.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


async def test_holding_starts_it_once_and_every_page_says_so(console: Console) -> None:
    """The words count down while the finger is on it; the hub's own yes leads to the run."""
    async with console.page() as tab, console.page(theme="dark") as elsewhere:
        for each in (tab, elsewhere):
            await each.clock.install()
        await elsewhere.goto(f"{console.base}/doors")
        await tab.goto(f"{console.base}/protocols")
        await expect(tab.locator("#pill")).to_have_text("Live")
        await shoot(tab, "protocols-desk-light")
        await tab.locator("#help-text").focus()
        await tab.mouse.move(*await centre(button(tab, "Lockdown")))
        await stand_still(tab)
        await tab.mouse.down()
        await expect(button(tab, "Lockdown")).to_contain_text("Keep holding")
        await tab.clock.run_for(700)
        await expect(button(tab, "Lockdown")).to_contain_text(re.compile(r"starts in 0\.\d s"))
        await shoot(tab, "holding-desk-light")
        assert console.house.protocols.starts == []
        await elsewhere.clock.run_for(1000)  # a page asks for itself once a second at most
        await tab.clock.run_for(800)
        await tab.clock.resume()
        await tab.wait_for_url("**/protocols/*")
        await tab.mouse.up()
        await expect(tab.locator("h1")).to_have_text("Lockdown")
        await expect(tab.locator("#shout")).to_have_text("Lockdown: the hub has taken it.")
        ground = await tab.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == "rgb(243, 244, 246)", "the desk keeps its own light"
        await expect(elsewhere.locator("#force")).to_contain_text("LOCKDOWN")
        await expect(elsewhere.locator("#shout")).to_have_text("In force: LOCKDOWN")
    assert len(console.house.protocols.starts) == 1
    assert console.complaints == []


async def test_letting_go_sliding_off_scrolling_and_a_second_finger_cancel(
    console: Console,
) -> None:
    """Each says Not started, and nothing reaches the hub, however long one waits."""
    async with console.page() as tab:
        await tab.clock.install()
        await tab.goto(f"{console.base}/protocols")
        at = await centre(button(tab, "Lockdown"))
        said = tab.locator("#hold-note")
        await stand_still(tab)

        async def hold() -> None:
            await tab.evaluate("document.querySelector('#hold-note span').textContent = ''")
            await tab.mouse.move(*at)
            await tab.mouse.down()
            await expect(button(tab, "Lockdown")).to_contain_text("Keep holding")

        await hold()
        await tab.mouse.up()
        await expect(said).to_have_text("Not started.")
        await hold()
        await tab.mouse.move(at[0], at[1] + 300)
        await expect(said).to_have_text("Not started.")
        await tab.mouse.up()
        await hold()
        await tab.mouse.wheel(0, 60)
        await expect(said).to_have_text("Not started.")
        await tab.mouse.up()
        await hold()
        second = "new PointerEvent('pointerdown', {pointerId: 9, isPrimary: false, bubbles: true})"
        await tab.evaluate(f"document.body.dispatchEvent({second})")
        await expect(said).to_have_text("Not started.")
        await tab.clock.run_for(1600)
        await tab.mouse.up()
    assert console.house.protocols.starts == []
    assert console.complaints == []


async def test_a_finger_on_a_phone_holds_and_lets_go(console: Console) -> None:
    """By real touches: an early end starts nothing, a long hold does; then the phone is dark."""
    async with console.page("phone") as tab:
        await tab.goto(f"{console.base}/protocols")
        x, y = await centre(button(tab, "Lockdown"))
        line = await tab.context.new_cdp_session(tab)

        async def touch(kind: str, *points: tuple[float, float]) -> None:
            where = [{"x": each[0], "y": each[1]} for each in points]
            await line.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": where})

        await touch("touchStart", (x, y))
        await expect(button(tab, "Lockdown")).to_contain_text("Keep holding")
        await touch("touchEnd")
        await expect(tab.locator("#hold-note")).to_have_text("Not started.")
        light = await tab.evaluate("getComputedStyle(document.body).backgroundColor")
        await touch("touchStart", (x, y))
        await tab.wait_for_url("**/protocols/*")
        await touch("touchEnd")
        assert len(console.house.protocols.starts) == 1
        await shoot(tab, "lockdown-phone-light")
        dark = await tab.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (light, dark) == ("rgb(243, 244, 246)", "rgb(12, 15, 20)")
    assert console.complaints == []


async def test_by_keyboard_alone_the_word_is_typed(console: Console) -> None:
    """Enter asks for the word; another word and Escape start nothing; END ends as the second."""
    house = console.house
    async with console.page() as tab:
        await tab.clock.install()
        await tab.goto(f"{console.base}/protocols")
        await button(tab, "Lockdown").focus()
        await tab.keyboard.press("Enter")
        await expect(tab.locator("#hold-word")).to_be_focused()
        await tab.keyboard.type("lock")
        await tab.keyboard.press("Enter")
        await expect(tab.locator("#hold-ask")).to_contain_text("That is not LOCKDOWN.")
        await tab.keyboard.press("Escape")
        await expect(tab.locator("#hold-note")).to_have_text("Not started.")
        await expect(button(tab, "Lockdown")).to_be_focused()
        assert house.protocols.starts == []
        await tab.keyboard.press("Enter")
        await tab.keyboard.type("lockdown")
        await tab.keyboard.press("Enter")
        await tab.wait_for_url("**/protocols/*")
        run = tab.url.rpartition("/")[2]
        await expect(tab.locator("#pill")).to_have_text("Live")
        await tab.clock.run_for(1000)
        await house.protocols.ask_end(run, "SRO")
        await expect(button(tab, "Hold to end Lockdown")).to_be_visible()
        await button(tab, "Hold to end Lockdown").focus()
        await tab.keyboard.press("Enter")
        await tab.keyboard.type("END")
        await tab.keyboard.press("Enter")
        await expect(tab.locator("h1")).to_have_text("Lockdown has ended")
        await expect(tab.locator("#force")).not_to_contain_text("LOCKDOWN")
    assert house.protocols.runs[run]["ended_by"] == ["SRO", "Principal"]
    assert console.complaints == []


async def test_a_switch_or_screen_reader_activates_and_confirms(console: Console) -> None:
    """A click without a pointer asks, for ten seconds; then nothing is started."""
    async with console.page() as tab:
        await tab.clock.install()
        await tab.goto(f"{console.base}/protocols")
        await button(tab, "Secure").evaluate("each => each.click()")
        await expect(tab.locator("#hold-ask")).to_contain_text("Confirm within 10 s.")
        await tab.clock.run_for(10_500)
        await expect(tab.locator("#hold-ask")).to_be_hidden()
        await expect(tab.locator("#hold-note")).to_contain_text("ten seconds have passed")
        assert console.house.protocols.starts == []
        await button(tab, "Secure").evaluate("each => each.click()")
        await tab.get_by_role("button", name="Yes: Secure").click()
        await tab.wait_for_url("**/protocols/*")
    assert [each["protocol"] for each in console.house.protocols.starts] == ["secure"]
    assert console.complaints == []


async def test_without_an_answer_it_is_not_confirmed_and_repeated_under_one_key(
    console: Console,
) -> None:
    """After two seconds the page says what nobody knows and offers the same act; it stays one."""
    protocols, gate, keys = console.house.protocols, asyncio.Event(), []
    start = protocols.start

    async def slow(*given: Any, **more: Any) -> Any:
        keys.append(more["key"])
        await gate.wait()
        return await start(*given, **more)

    protocols.start = slow  # type: ignore[method-assign]
    async with console.page() as tab:
        await tab.clock.install()
        await tab.goto(f"{console.base}/protocols")
        await typed(tab, "Hold")
        note = tab.locator("#hold-note")
        await tab.clock.run_for(2000)
        await expect(note).to_contain_text("Hold: not confirmed by the hub.")
        await shoot(tab, "unconfirmed-desk-light")
        await note.get_by_role("button", name="Again: Hold").click()
        async with asyncio.timeout(30):
            while len(keys) < 2:
                await asyncio.sleep(0.02)
        gate.set()
        await tab.wait_for_url("**/protocols/*")
    assert keys[0] == keys[1] != ""
    assert len(protocols.runs) == 1


async def test_a_session_that_has_ended_starts_nothing_and_says_so(console: Console) -> None:
    """Being led to the sign-in page is no yes: it is said, and no page says later that it began."""
    async with console.page() as tab:
        await tab.clock.install()
        await tab.goto(f"{console.base}/protocols")
        await expect(tab.locator("#pill")).to_have_text("Live")
        await stand_still(tab)  # the page asks for nothing by itself any more
        await tab.evaluate("fetch('/healthz').then((answer) => answer.text())")
        await tab.context.clear_cookies()
        await typed(tab, "Secure")
        await expect(tab.locator("#hold-note")).to_contain_text("nothing was done. You are signed")
        assert await tab.evaluate("sessionStorage.getItem('held')") is None
    assert console.house.protocols.starts == []


async def test_the_count_goes_up_in_place(console: Console) -> None:
    """Doors come in without a reload; the one that jams is named; the all-clear counts as well."""
    protocols = console.house.protocols
    run = (await protocols.start("lockdown", "school", "SRO"))["id"]
    async with console.page() as tab:
        await tab.clock.install()
        await tab.goto(f"{console.base}/protocols/{run}")
        await expect(tab.locator("#pill")).to_have_text("Live")
        await tab.evaluate("window.same = true")
        await expect(tab.locator("#doors .count")).to_contain_text("0 of 3")
        await tab.clock.run_for(1000)
        await tab.mouse.move(5, 5)
        await tab.mouse.down(button="right")  # its menu swallows the end of the press
        protocols.secure(run, but="gym")
        await expect(tab.locator("#doors .count")).to_contain_text("2 of 3")
        await expect(tab.locator("#bad-gym")).to_contain_text("The bolt is stuck")
        shown = tab.locator('#map svg[role="img"]:visible')
        await expect(shown).to_have_attribute("aria-label", re.compile("2 of 3 doors secured"))
        await expect(shown.locator('use[href="#m-retrying"]')).to_have_count(1)
        await tab.clock.run_for(1000)
        protocols.secure(run)
        await expect(tab.locator("#doors .count")).to_contain_text("3 of 3")
        await expect(shown.locator('use[href="#m-secured"]')).to_have_count(3)
        assert await tab.evaluate("window.same")
    assert console.complaints == []


async def test_what_is_shown_once_stays_and_a_pin_does_not(console: Console) -> None:
    """The link of a new device outlives the page's own refresh; a wrong PIN leaves no trace."""
    run = (await console.house.protocols.start("lockdown", "school", "SRO"))["id"]
    async with console.page() as tab:
        await tab.goto(f"{console.base}/devices")
        await tab.fill("#device-name", "Gym desk")
        await tab.get_by_role("button", name="Enrol").click()
        await expect(tab.locator("#enrol-link")).to_contain_text("/panic#vsd_")
        await expect(tab.locator("#list")).to_contain_text("Gym desk")
        await tab.evaluate("document.title = 'until the page has refreshed itself'")
        await tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await expect(tab).to_have_title(re.compile("Panic devices"))
        await expect(tab.locator("#enrol-link")).to_contain_text("/panic#vsd_")
        await tab.goto(f"{console.base}/protocols/{run}")
        await tab.fill("#pin", "9183")
        await tab.get_by_role("button", name="End Lockdown", exact=True).click()
        await expect(tab.locator("#trouble")).to_contain_text("That is not your PIN.")
        await expect(tab.locator("#pin")).to_have_value("")
        await tab.fill("#pin", PIN)
        await tab.get_by_role("button", name="End Lockdown", exact=True).click()
        await expect(tab.locator("h1")).to_have_text("Lockdown has ended")


async def test_the_pages_fit_every_width_and_targets_are_large(console: Console) -> None:
    """No sideways scrolling with two protocols and a fire alarm in force; buttons of 48 px."""
    protocols = console.house.protocols
    run = (await protocols.start("secure", "school", "SRO", drill=True))["id"]
    await protocols.start("lockdown", "school", "SRO", device="Room 12")
    protocols.fire |= {"state": "alarm", "since": console.house.ago(9), "source": "Panel",
                       "place_words": "Lobby", "decide_by": console.house.ago(-60)}  # fmt: skip
    async with console.page("phone") as tab:
        for path in ("/", "/protocols", "/protocols?drill=1", f"/protocols/{run}", "/devices",
                     "/doors/main", "/me"):  # fmt: skip
            await tab.goto(console.base + path)
            for width in (320, 390, 768, 1440):
                await tab.set_viewport_size({"width": width, "height": 800})
                over = await tab.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert over <= 0, (path, width)
            small = await tab.evaluate(
                """[...document.querySelectorAll('main button, main .btn, .input, .holdbtn')]
                .filter(e => e.offsetParent)
                .map(e => [e.textContent.trim(), e.getBoundingClientRect().height])
                .filter(([text, height]) => height < (text.includes('Hold 1.5') ? 56 : 48))"""
            )
            assert small == [], path
    assert console.complaints == []


async def test_a_phone_is_enrolled_by_its_link_and_holds(console: Console) -> None:
    """The code leaves the address; help is far below Lockdown; a hold starts it; it is dark, and
    the page says by itself when it is over, then shows the two gestures again.
    """
    async with console.page("phone", signed_in=False) as tab:
        await tab.clock.install()
        await tab.goto(f"{console.base}/panic#{SECRET}")
        await expect(tab.locator("#code")).to_have_value(SECRET)
        assert tab.url == f"{console.base}/panic"
        await tab.get_by_role("button", name="Enrol this device").click()
        await expect(tab.locator("h1")).to_have_text("Room 12")
        await shoot(tab, "panic-phone-light")
        lockdown, ask = [
            await each.bounding_box() for each in await tab.locator("form button").all()
        ]
        assert lockdown
        assert ask
        assert ask["y"] - (lockdown["y"] + lockdown["height"]) > 200
        assert ask["y"] + ask["height"] <= 844
        over = await tab.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert over <= 0
        await tab.mouse.move(*await centre(tab.locator(".holdbtn")))
        await tab.mouse.down()
        await expect(tab.locator(".holdbtn")).to_contain_text("Keep holding")
        await tab.clock.run_for(1500)
        await tab.wait_for_url("**/panic?run=*")
        await tab.mouse.up()
        await expect(tab.locator("h1")).to_have_text("Lockdown is in force")
        background = await tab.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background == "rgb(12, 15, 20)"
        await shoot(tab, "panic-said-phone")
        (run,) = console.house.protocols.runs
        await console.house.protocols.ask_end(run, "SRO")
        await console.house.protocols.end(run, "Head")
        await tab.clock.run_for(10_000)
        await expect(tab.locator("h1")).to_have_text("Lockdown has ended")
        await tab.clock.run_for(60_000)
        await expect(tab.locator("h1")).to_have_text("Room 12")
    assert len(console.house.protocols.starts) == 1
    assert console.complaints == []


async def test_a_device_that_is_cut_off_or_revoked_says_so_unasked(console: Console) -> None:
    """Two questions without an answer are said, an answer takes it back; a revoked device asks for
    a code; a page that is old by its proof presses again with a fresh one.
    """
    protocols = console.house.protocols
    async with console.page("phone", signed_in=False) as tab:
        await tab.clock.install()
        await tab.goto(f"{console.base}/panic#{SECRET}")
        await tab.get_by_role("button", name="Enrol this device").click()
        await expect(tab.locator("h1")).to_have_text("Room 12")
        away = tab.locator("#away")
        await tab.route("**/panic", lambda route: route.abort())
        async with tab.expect_event("requestfailed"):
            await tab.clock.run_for(10_000)
        await expect(away).to_be_hidden()
        async with asyncio.timeout(30):
            while not await away.is_visible():
                await tab.clock.run_for(10_000)
        await expect(away).to_contain_text("does not reach the hub")
        await tab.unroute("**/panic")
        await tab.clock.run_for(10_000)
        await expect(away).to_be_hidden()
        await tab.evaluate("document.querySelector('[data-hold] [name=csrf]').value = 'old'")
        await typed(tab, "Lockdown")
        await expect(tab.locator("#hold-note")).to_contain_text("out of date")
        assert protocols.starts == []
        await typed(tab, "Lockdown")
        await tab.wait_for_url("**/panic?run=*")
        assert len(protocols.starts) == 1
        await protocols.revoke("d1", "IT")
        await tab.clock.run_for(10_000)
        await expect(tab.locator("h1")).to_have_text("Enrol this device")
    refused = "Failed to load resource"  # what was cut off, and the one press
    assert [each for each in console.complaints if refused not in each] == []


async def test_a_page_that_stayed_open_starts_anew_what_has_ended(console: Console) -> None:
    """The answer to the first press was lost, and the protocol has ended since: the next press on
    the same page is a new one, and not the old one sent again.
    """
    protocols = console.house.protocols
    async with console.page() as tab:
        await tab.goto(f"{console.base}/protocols")
        await tab.route("**/protocols/start", lambda route: lose(route))
        await typed(tab, "Lockdown")
        await expect(tab.locator("#hold-note")).to_contain_text("It cannot be reached from here")
        (first,) = protocols.runs
        await expect(tab.locator(f"#force-{first}")).to_be_visible()
        await protocols.ask_end(first, "SRO")
        await protocols.end(first, "Head")
        await expect(tab.locator(f"#force-{first}")).to_have_count(0)  # nothing moves any more
        await tab.unroute("**/protocols/start")
        await typed(tab, "Lockdown")
        await tab.wait_for_url("**/protocols/*")
        await expect(tab.locator("h1")).to_have_text("Lockdown")
    assert len(protocols.runs) == 2


async def lose(route: Route) -> None:
    """The hub hears it, its answer is lost."""
    await route.fetch(max_redirects=0)
    await route.abort()
