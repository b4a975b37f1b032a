"""The picture link of a notice: signed, for one picture, short-lived, and only with sign-in."""

from __future__ import annotations

from datetime import timedelta

from aiohttp.test_utils import TestClient
from scripted_house import ScriptedHouse

PICTURE = "ab" * 16 + ".jpg"


def link(house: ScriptedHouse, ago: float = 0.0, alert: str = "wing") -> str:
    """A link as a notice of so many seconds ago holds it."""
    (house.folder / "media").mkdir(exist_ok=True)
    (house.folder / "media" / PICTURE).write_bytes(b"\xff\xd8\xff\xd9")
    return house.picture_links.path(alert, PICTURE, house.clock.now() - timedelta(seconds=ago))


async def test_who_is_signed_in_sees_the_picture(
    client: TestClient, sign_in: object, house: ScriptedHouse
) -> None:
    """For an hour; then it says that it has expired, and where the picture still is."""
    await sign_in("admin")  # type: ignore[operator]
    answer = await client.get(link(house, 3590))
    assert answer.status == 200
    assert await answer.read() == b"\xff\xd8\xff\xd9"
    assert answer.headers["Cache-Control"] == "no-store"
    late = await client.get(link(house, 3610))
    assert late.status == 410
    assert "This link has expired." in await late.text()


async def test_a_stranger_signs_in_first(client: TestClient, house: ScriptedHouse) -> None:
    """The link leads to the sign-in page, which leads back; it shows nothing by itself."""
    answer = await client.get(link(house), allow_redirects=False)
    assert answer.status == 303
    assert answer.headers["Location"].startswith("/signin?next=%2Falerts%2Fwing%2Fpicture%2F")


async def test_a_link_is_for_one_picture_of_one_alert(
    client: TestClient, sign_in: object, house: ScriptedHouse
) -> None:
    """Another alert, picture, time or signature is no link of ours."""
    await sign_in("admin")  # type: ignore[operator]
    good = link(house)
    for wrong in (
        good.replace("/wing/", "/other/"),
        good.replace("ab", "cd", 1),
        good.replace("until=", "until=1"),
        good[:-4] + "AAAA",
        good.partition("?")[0],
        good.replace("until=", "until=x"),
        good.partition("sign=")[0] + "sign=%C3%BC",
    ):
        assert (await client.get(wrong)).status == 404


async def test_opening_an_alert_is_told_to_the_house(
    client: TestClient, sign_in: object, house: ScriptedHouse
) -> None:
    """Whoever is signed in and opens the alert of a notice has seen it."""
    await sign_in("admin")  # type: ignore[operator]
    alert = next(iter(house.alert_views))
    assert (await client.get(f"/alerts/{alert}")).status == 200
    assert [each for each, _ in house.looked] == [alert]
