"""The pictures around an alert are played once when somebody asks, never by themselves."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from playwright.async_api import expect
from scripted_house import ScriptedHouse, jpeg
from test_console import Console, browser, console, shoot  # noqa: F401

from hub.events import new_id


def give_moments(house: ScriptedHouse, count: int = 4) -> list[str]:
    """So many kept pictures around the first alert, and one of another camera."""
    names = []
    for number in range(count + 1):
        name = f"{new_id()}.jpg"
        (house.folder / "media" / name).write_bytes(jpeg("science", (330 + 20 * number, 250)))
        other = number == count
        house.incident_views["i1"]["entries"].append(
            house._entry(
                70.0 - number, "picture.saved", "Picture", picture=name,
                data={"camera": "lobby" if other else "science"},
            )
        )  # fmt: skip
        names += [] if other else [name]
    return names


async def test_they_are_those_of_the_alerts_own_camera_in_order(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """On the first card and on the alert's page."""
    for entry in house.incident_views["i1"]["entries"]:
        entry["picture"] = None
    names = give_moments(house)
    await sign_in("sro")
    for path in ("/", "/alerts/a1"):
        page = await (await client.get(path)).text()
        assert f'data-play="{" ".join(names)}"' in page, path


async def test_who_may_not_read_incidents_is_shown_none_of_them(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """Who sees alerts alone gets the alert, and nothing of its incident's pictures."""
    names = give_moments(house)
    await sign_in("viewer")
    for path in ("/", "/alerts/a1"):
        page = await (await client.get(path)).text()
        assert 'id="alert-a1"' in page, path
        assert "data-play" not in page
        assert not any(name in page for name in names), path


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_they_play_once_and_end(console: Console) -> None:  # noqa: F811
    """Step by step with their times, then the picture of the match is back."""
    give_moments(console.house)
    async with console.page("phone") as tab:
        await tab.goto(console.base)
        button = tab.locator("#alert-a1 [data-play]")
        await expect(button).to_be_visible()
        await tab.wait_for_timeout(1500)
        assert await tab.locator(".moment").count() == 0
        await button.click()
        await expect(tab.locator(".moment-time")).to_contain_text("2/")
        await shoot(tab, "moments-phone")
        await expect(tab.locator(".moment")).to_have_count(0)
        await button.click()
        await expect(tab.locator(".moment")).to_have_count(1)
        await button.click()
        await expect(tab.locator(".moment")).to_have_count(0)
    assert console.complaints == []


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_where_motion_is_not_wanted_each_press_shows_one(
    console: Console,  # noqa: F811
) -> None:
    """Reduced motion: nothing moves by itself."""
    give_moments(console.house)
    async with console.page() as tab:
        await tab.emulate_media(reduced_motion="reduce")
        await tab.goto(console.base + "/alerts/a1")
        button = tab.locator("#alert-a1 [data-play]")
        await button.click()
        await expect(tab.locator(".moment-time")).to_contain_text("1/")
        await tab.wait_for_timeout(1500)
        await expect(tab.locator(".moment-time")).to_contain_text("1/")
        await button.click()
        await expect(tab.locator(".moment-time")).to_contain_text("2/")
