"""A camera that is covered, turned or blind is nowhere shown as watching."""

import pytest
from aiohttp.test_utils import TestClient
from scripted_house import ScriptedHouse
from test_pages import see


@pytest.mark.parametrize("kind", ["covered", "moved", "defocused", "frozen", "repeating", "blind"])
async def test_a_camera_with_a_wrong_picture_is_not_shown_as_watching(
    client: TestClient, house: ScriptedHouse, sign_in: object, kind: str
) -> None:
    """The first page counts it out, health tags it and says why, so does its own page."""
    house.alert_views.clear()
    await sign_in("it")  # type: ignore[operator]
    before = await see(client, "/health")
    lobby = next(each for each in house.camera_views if each["id"] == "lobby")
    lobby |= {"gate": kind, "reason": "something covers the lens"}
    page = await see(client, "/health")
    assert page.count("Watching") == before.count("Watching") - 1
    assert kind.capitalize() in page
    assert "Something covers the lens." in page
    assert "Something covers the lens." in await see(client, "/cameras/lobby")
    first = await see(client, "/")
    assert "2 of 5 cameras" in first
    assert "(something covers the lens)" in first.lower()
