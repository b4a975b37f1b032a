"""How the house was over time: pictures for those who see them, tables for all."""

from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from narrowed_school import narrowed
from playwright.async_api import expect
from scripted_house import ScriptedHouse
from test_console import Console, browser, console, shoot  # noqa: F401
from test_pages import see

from hub.identity import accounts
from hub.web.server import create_app


async def test_each_figure_has_its_table(client: TestClient, sign_in: Any) -> None:
    """The same numbers without a picture: mean, least and most of each stretch of time."""
    await sign_in("it")
    text = await see(client, "/health/past?about=camera/lobby&hours=1")
    assert "Pictures that came, a second" in text
    assert "From Mean Least Most" in text
    assert "not measured" in text
    assert "Processor time of all the hub's processes, % of one core" in await see(
        client, "/health/past"
    )


@pytest.mark.parametrize("about", ["camera/nobody", "camera/", "door/main", "%00"])
async def test_what_is_not_there_has_no_past(
    client: TestClient, sign_in: Any, token: Any, about: str
) -> None:
    """Neither on the page nor in the API."""
    await sign_in("it")
    assert (await client.get(f"/health/past?about={about}")).status == 404
    headers = await token("it")
    answer = await client.get(f"/api/v1/health/past?about={about}", headers=headers)
    assert answer.status == 404


@pytest.mark.parametrize("hours", ["0", "169", "x", "-1", "1e9"])
async def test_the_api_takes_hours_of_a_week(client: TestClient, token: Any, hours: str) -> None:
    """And says so otherwise."""
    answer = await client.get(f"/api/v1/health/past?hours={hours}", headers=await token("it"))
    assert answer.status == 422


async def test_who_may_not_see_health_does_not_see_its_past(
    client: TestClient, sign_in: Any
) -> None:
    """The same permission as for the page Health."""
    await sign_in("nurse")
    assert (await client.get("/health/past")).status == 403


async def test_a_camera_beyond_the_reach_of_a_role_has_no_past_and_no_stream(
    tmp_path: Path,
) -> None:
    """A guard of the lobby sees how its camera was, and of others nothing."""
    house = narrowed(tmp_path)
    await house.open()
    try:
        async with TestClient(TestServer(create_app(house))) as client:
            made: str = await house.journal_write(
                lambda c: accounts.create_token(c, "guard", "guard", roles=house.config.roles)
            )
            headers = {"Authorization": f"Bearer {made}"}
            for camera, expected in (("lobby", 200), ("science", 404)):
                house.take_picture(camera)
                past = f"/api/v1/health/past?about=camera/{camera}"
                assert (await client.get(past, headers=headers)).status == expected
                live = await client.get(f"/api/v1/cameras/{camera}/live", headers=headers)
                assert live.status == expected
                live.close()
    finally:
        await house.close()


async def test_health_says_disk_clock_and_versions(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """What a call for help asks first."""
    await sign_in("it")
    text = await see(client, "/health")
    assert "80.0 of 120 GB free" in text
    assert "kept right, to within 0.012 s as the kernel says" in text
    assert "Python 3.11.7, Linux 6.1" in text
    assert "Live pictures watched" in text
    house.health_view["machine"] |= {"clock_kept": False}
    assert "the kernel says that nobody keeps it right" in await see(client, "/health")


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("size", "theme"), [("desk", "light"), ("phone", "dark")])
async def test_figures_are_drawn_within_the_policy(
    console: Console,  # noqa: F811
    size: str,
    theme: str,
) -> None:
    """A picture for each, none wider than the page, and no violation of the policy."""
    async with console.page(size, theme) as tab:
        await tab.goto(console.base + "/health")
        await tab.get_by_role("link", name="Over time").click()
        await expect(tab.locator(".chart canvas")).to_have_count(7)
        await shoot(tab, f"past-{size}")
        await tab.locator("#about").select_option("camera/lobby")
        await expect(tab.locator(".chart canvas")).to_have_count(5)
        assert "about=camera%2Flobby" in tab.url
        await tab.wait_for_function(
            """(() => { const c = document.querySelector('.chart canvas');
            return c.getContext('2d').getImageData(0, 0, c.width, c.height).data
            .filter((v, i) => i % 4 === 3 && v > 0).length > 500 })()"""
        )
        for width in (320, 390, 768, 1440):
            await tab.set_viewport_size({"width": width, "height": 800})
            await tab.wait_for_function("document.documentElement.scrollWidth <= innerWidth")
        await tab.locator("summary").first.click()
        await expect(tab.locator("table").first).to_be_visible()
        await shoot(tab, f"past-camera-{size}")
    assert console.complaints == []
