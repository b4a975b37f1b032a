"""Ten seconds to take a dismissal back: who is offered it, until when, by press and by key."""

from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from playwright.async_api import expect
from scripted_house import ScriptedHouse
from test_console import Console, browser, console, shoot  # noqa: F401
from test_pages import see

from hub.clock import from_iso
from hub.web.recent import KEPT_S, undo_until


async def press(client: TestClient, csrf: str, path: str, **fields: str) -> int:
    """Send a form as the page does."""
    answer = await client.post(path, data={"csrf": csrf, **fields}, allow_redirects=False)
    return answer.status


async def test_whoever_dismissed_it_may_take_that_back(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """The card stays with the button; after the press it is open again."""
    opened = await sign_in("sro")
    csrf = opened.identity.csrf
    assert await press(client, csrf, "/alerts/a1/verdict", verdict="dismissed", back="/") == 303
    assert "Undo" in await see(client, "/")
    assert "Undo" in await see(client, "/alerts/a1")
    assert await press(client, csrf, "/alerts/a1/undo", back="/") == 303
    assert house.alert_views["a1"]["state"] == "raised"
    assert "Undo" not in await see(client, "/")
    assert await press(client, csrf, "/alerts/nobody/undo") == 404


async def test_what_has_moved_people_is_not_taken_back(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """A verified alert offers no such button, and a form that comes all the same is refused."""
    opened = await sign_in("sro")
    csrf = opened.identity.csrf
    await press(client, csrf, "/alerts/a1/verdict", verdict="verified", back="/")
    assert "Undo" not in await see(client, "/")
    assert await press(client, csrf, "/alerts/a1/undo", back="/") == 409
    assert house.alert_views["a1"]["state"] == "verified"


async def test_others_and_later_are_not_offered_it(house: ScriptedHouse) -> None:
    """It is one's own word, for ten seconds."""
    view: Any = await house.verdict("a1", "dismissed", "Officer")
    given = from_iso(view["verdict"]["time"])
    assert undo_until(view, "Officer", given)
    assert undo_until(view, "Principal", given) == ""
    assert undo_until(view, "Officer", given + timedelta(seconds=KEPT_S)) == ""


async def test_programs_may_too(client: TestClient, house: ScriptedHouse, token: Any) -> None:
    """The same through the API, with the same refusal."""
    headers = await token("sro")
    path = "/api/v1/alerts/a1"
    body = {"verdict": "dismissed"}
    assert (await client.post(f"{path}/verdict", json=body, headers=headers)).status == 200
    answer = await client.post(f"{path}/undo", json={}, headers=headers)
    assert answer.status == 200
    assert (await answer.json())["verdict"] is None
    assert (await client.post(f"{path}/undo", json={}, headers=headers)).status == 409


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_z_takes_it_back_and_the_button_goes_when_time_is_up(
    console: Console,  # noqa: F811
) -> None:
    """Dismiss with the keyboard, think again, take it back; the next time let it be."""
    async with console.page() as tab:
        await tab.goto(console.base)
        await expect(tab.locator("#pill")).to_have_text("Live")
        await tab.keyboard.press("d")
        await tab.keyboard.press("Enter")
        undo = tab.locator("#alert-a1 [data-undo]")
        await expect(undo).to_be_visible()
        await shoot(tab, "undo-desk")
        await tab.keyboard.press("z")
        await expect(tab.locator("#alert-a1 .verdict")).to_be_visible()
        assert console.house.alert_views["a1"]["state"] == "raised"
        await tab.locator("#verdict-a1 [value=dismissed]").click()
        await expect(undo).to_be_visible()
        await expect(undo).to_have_count(0)
        assert console.house.alert_views["a1"]["state"] == "dismissed"
    assert console.complaints == []
