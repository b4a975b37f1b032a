"""Masks are drawn over the picture and end in the user's own file, by pointer and by keyboard."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp.test_utils import TestClient
from playwright.async_api import Page, expect
from scripted_house import ScriptedHouse
from test_console import Console, browser, console, shoot  # noqa: F401
from test_pages import see, text_of

from hub.identity import accounts

FILE = """\
# Lincoln School
places:
  lobby: {name: Lobby, kind: area}
detectors:
  motion: {driver: motion}
cameras:
  lobby:
    driver: simulated
    place: lobby   # by the door
    scene: entrance
"""
MASKS = "/cameras/lobby/masks"
SQUARE = [[[0.1, 0.1], [0.3, 0.1], [0.3, 0.3]]]


def given(house: ScriptedHouse) -> Path:
    """The house's configuration as a real file."""
    file = house.folder / "school.yaml"
    file.write_text(FILE)
    house.configuration.file = str(file)
    return file


def masks_in(file: Path) -> Any:
    """The masks of the camera, as the file says."""
    return yaml.safe_load(file.read_text())["cameras"]["lobby"].get("masks")


async def post(client: TestClient, path: str, csrf: str, **fields: str) -> tuple[int, str, str]:
    """A form as a browser sends it: status, text, and where it leads."""
    answer = await client.post(path, data={"csrf": csrf, **fields}, allow_redirects=False)
    return answer.status, text_of(await answer.text()), answer.headers.get("Location", "")


async def test_nothing_is_written_before_it_was_seen(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """First the difference, then the file, then the page of the configuration."""
    file = given(house)
    opened = await sign_in("it")
    house.take_picture("lobby")
    csrf = opened.identity.csrf
    assert "black in every picture" in await see(client, MASKS)
    status, text, _ = await post(client, MASKS, csrf, masks=json.dumps(SQUARE))
    assert status == 200
    assert "+ - [[0.1, 0.1], [0.3, 0.1], [0.3, 0.3]]" in text.replace("+      -", "+ -")
    assert masks_in(file) is None
    source = await (
        await client.post(MASKS, data={"csrf": csrf, "masks": json.dumps(SQUARE)})
    ).text()
    before = source.split('name="before" value="')[1].split('"')[0]
    write = {"masks": json.dumps(SQUARE), "before": before}
    status, _, where = await post(client, f"{MASKS}/write", csrf, **write)
    assert (status, where) == (303, "/configuration")
    assert masks_in(file) == SQUARE
    status, text, _ = await post(client, f"{MASKS}/write", csrf, **write)
    assert status == 409
    assert "The file has changed since it was read" in text


@pytest.mark.parametrize(
    "masks",
    [
        "", "x", "{}", "[[[0,0],[1,1]]]", "[[[0,0],[1,1],[2,0]]]", "[[[0,0],[1,1],[-1,0]]]",
        "[[[0,0],[1,1],[NaN,0]]]", "[" * 5000, json.dumps(SQUARE * 33),
        json.dumps([[[0.5, 0.5]] * 65]), '[[["a","b"],["c","d"],["e","f"]]]',
    ],
)  # fmt: skip
async def test_what_is_no_mask_is_said_and_changes_nothing(
    client: TestClient, house: ScriptedHouse, sign_in: Any, masks: str
) -> None:
    """Too few corners, corners outside the picture, and no text at all."""
    file = given(house)
    opened = await sign_in("it")
    status, text, _ = await post(client, MASKS, opened.identity.csrf, masks=masks)
    assert status == 409
    assert "at least three corners" in text
    status, _, _ = await post(client, f"{MASKS}/write", opened.identity.csrf, masks=masks)
    assert status == 422
    assert file.read_text() == FILE


async def test_where_the_hub_may_not_write_it_shows_the_lines(
    client: TestClient, house: ScriptedHouse, sign_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hardened service says what to put where, and offers no button that cannot work."""
    given(house)
    opened = await sign_in("it")
    monkeypatch.setattr("os.access", lambda *_: False)  # tests may run as root
    status, text, _ = await post(client, MASKS, opened.identity.csrf, masks=json.dumps(SQUARE))
    assert status == 200
    assert "masks: - [[0.1, 0.1], [0.3, 0.1], [0.3, 0.3]]" in text
    assert "Write it into the file" not in text


@pytest.mark.parametrize(("role", "path"), [("sro", MASKS), ("admin", "/cameras/nurse/masks")])
async def test_who_may_not_change_the_configuration_or_see_the_camera_draws_nothing(
    client: TestClient, house: ScriptedHouse, sign_in: Any, role: str, path: str
) -> None:
    """It takes the permission for the configuration, and a camera that may be looked at."""
    given(house)
    await sign_in(role)
    assert (await client.get(path)).status == (403 if role == "sro" else 404)


async def enter(console: Console) -> Path:  # noqa: F811
    """Somebody of IT is signed in before a house with a file."""

    def make(conn: Any) -> str:
        accounts.add_user_with_hash(conn, "IT", "it", "no password")
        return accounts.open_session(conn, "IT", console.house.clock.now()).secret

    console.secret = await console.house.journal_write(make)
    return given(console.house)


async def tap(tab: Page, x: float, y: float) -> None:
    """Press on the picture there, as a fraction of its width and height."""
    box = await tab.locator("#drawn").bounding_box()
    assert box
    await tab.mouse.click(box["x"] + box["width"] * x, box["y"] + box["height"] * y)


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("size", ["desk", "phone"])
async def test_a_mask_is_drawn_with_the_pointer(console: Console, size: str) -> None:  # noqa: F811
    """Corner by corner, closed on the first; a corner is dragged; then it is seen and written."""
    file = await enter(console)
    async with console.page(size) as tab:
        await tab.goto(console.base + MASKS)
        await expect(tab.locator("canvas")).to_be_visible()
        await tab.locator("#draw").click()
        await tab.locator("#drawn").scroll_into_view_if_needed()
        for x, y in ((0.2, 0.2), (0.6, 0.2), (0.6, 0.7), (0.2, 0.2)):
            await tap(tab, x, y)
        await expect(tab.locator("#list")).to_contain_text("Mask 1: 3 corners")
        box = await tab.locator("#drawn").bounding_box()
        assert box
        await tab.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.7)
        await tab.mouse.down()
        await tab.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.9)
        await tab.mouse.up()
        await shoot(tab, f"masks-{size}")
        for width in (320, 390, 768, 1440):
            await tab.set_viewport_size({"width": width, "height": 800})
            assert await tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        await tab.get_by_role("button", name="Show what changes").click()
        await expect(tab.locator(".diff .new").first).to_contain_text("    masks:")
        await shoot(tab, f"masks-plan-{size}")
        await tab.get_by_role("button", name="Write it into the file").click()
        await expect(tab.locator("h1")).to_have_text("Configuration")
    (mask,) = masks_in(file)
    expected = ((0.2, 0.2), (0.6, 0.2), (0.5, 0.9))
    for (x, y), (wanted_x, wanted_y) in zip(mask, expected, strict=True):
        assert abs(x - wanted_x) < 0.01
        assert abs(y - wanted_y) < 0.01
    assert "# by the door" in file.read_text()
    assert console.complaints == []


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_a_mask_is_drawn_with_the_keyboard_alone(console: Console) -> None:  # noqa: F811
    """A box in the middle, its corners moved with the arrow keys, one taken away, one added."""
    file = await enter(console)
    async with console.page() as tab:
        await tab.goto(console.base + MASKS)
        await tab.locator("#box").focus()
        await tab.keyboard.press("Enter")
        focused = "document.activeElement.getAttribute('aria-label')"
        assert (await tab.evaluate(focused)).startswith("Corner 1: 40 % from the left")
        await tab.keyboard.press("ArrowLeft")
        await tab.keyboard.press("Shift+ArrowUp")
        assert await tab.evaluate(focused) == "Corner 1: 39 % from the left, 35 % from the top"
        await tab.keyboard.press("Delete")
        await tab.keyboard.press("Delete")
        await expect(tab.locator("#list")).to_contain_text("Mask 1: 3 corners")
        await tab.get_by_role("button", name="Add a corner").focus()
        await tab.keyboard.press("Enter")
        assert await tab.evaluate(focused) == "Corner 4: 50 % from the left, 50 % from the top"
        await tab.get_by_role("button", name="Show what changes").focus()
        await tab.keyboard.press("Enter")
        await tab.get_by_role("button", name="Write it into the file").focus()
        await tab.keyboard.press("Enter")
        await expect(tab.locator("h1")).to_have_text("Configuration")
    assert masks_in(file) == [[[0.6, 0.4], [0.6, 0.6], [0.4, 0.6], [0.5, 0.5]]]
    assert console.complaints == []


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_without_a_script_masks_are_text(console: Console) -> None:  # noqa: F811
    """The corners stand in a field, and the rest of the way is the same."""
    await enter(console)
    async with console.page(script=False) as tab:
        await tab.goto(console.base + MASKS)
        await tab.locator("summary").click()
        await tab.locator("#text").fill(json.dumps(SQUARE))
        await tab.get_by_role("button", name="Show what changes").click()
        await expect(tab.locator(".diff")).to_contain_text("[[0.1, 0.1], [0.3, 0.1], [0.3, 0.3]]")
