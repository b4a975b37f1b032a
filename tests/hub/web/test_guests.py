"""Links for responders: what they show, what they never show, and their end."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from narrowed_school import AT_NIGHT, BEYOND, narrowed
from scripted_house import ScriptedHouse

from hub.audit_port import Asked
from hub.identity import guests
from hub.web.guest_pages import GUEST_COOKIE
from hub.web.routes import ROUTES
from hub.web.security import GUEST, PUBLIC
from hub.web.server import create_app

AGENT = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Safari/604.1"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[ScriptedHouse]:
    made = narrowed(tmp_path)
    await made.open()
    yield made
    await made.close()


async def invited(
    house: ScriptedHouse, area: str = "lobby", incident: str = "i2", cameras: Any = ("lobby",)
) -> str:
    """A new link's path."""
    now = house.clock.now()
    _, secret = await house.journal_write(
        lambda c: guests.invite(
            c, "Fire department", area, tuple(cameras), incident, guests.LASTS, "Principal", now
        )
    )
    return f"/guest/{secret}"


async def acts(house: ScriptedHouse, prefix: str) -> list[dict[str, Any]]:
    """The lines of the audit of such acts, oldest first."""
    view = await house.audit.view(Asked())
    return [dict(e) for e in reversed(view["lines"]) if e["act"].startswith(prefix)]


async def test_a_link_is_exchanged_and_leaves_the_address(
    client: TestClient, house: ScriptedHouse
) -> None:
    """The secret is sent once; what the browser keeps is another, for these pages alone, out of
    reach of scripts; and no page tells anybody where it came from.
    """
    link = await invited(house)
    answer = await client.post(link, allow_redirects=False, headers={"User-Agent": AGENT})
    assert (answer.status, answer.headers["Location"]) == (303, "/guest")
    cookie = answer.cookies[GUEST_COOKIE]
    assert cookie["path"] == "/guest"
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie.value not in link
    assert answer.headers["Referrer-Policy"] == "same-origin"
    page = await (await client.get("/guest")).text()
    assert "GUEST" in page
    assert "Fire department, read-only." in page
    assert link.rpartition("/")[2] not in page
    assert "http" not in page.replace("http-equiv", "")
    opened = (await acts(house, "guest.opened"))[0]
    assert opened["who"] == "Fire department (guest)"
    assert opened["address"] == "127.0.0.1"
    assert opened["details"] == {"device": "Safari on iPhone"}


async def test_a_guest_sees_the_area_and_nothing_else(
    client: TestClient, house: ScriptedHouse
) -> None:
    """Its doors, the chosen camera, what happened there; no word of elsewhere, no name of anybody,
    no note.
    """
    house.incident_views["i2"]["title"] = "NAMED fell"
    entries = house.incident_views["i2"]["entries"]
    named = {"source": "person/Principal", "data": {}}
    entries += [
        house._entry(9, "incident.note", "The child is called NAMED", **named),
        house._entry(8, "alert.verified", "NAMED verified the alert", **named),
        house._entry(7, "action.requested", "Main: asked to lock by NAMED",
                     source="person/NAMED", data={"kind": "door", "target": "main"}),
        house._entry(6, "protocol.started", "Lockdown in force, started by NAMED",
                     source="person/NAMED", data={"name": "Lockdown"}),
        house._entry(5, "access.granted", "Main: let NAMED in", source="door/main"),
        house._entry(4, "door.forced", "Main entrance: forced open", source="door/main"),
    ]  # fmt: skip
    await client.post(await invited(house))
    page = await (await client.get("/guest")).text()
    assert BEYOND not in page
    assert "NAMED" not in page
    for shown in (
        "Main entrance", "Office inner", "Gym East", "/guest/pictures/lobby.jpg",
        "Person seen in Lobby", "Main entrance: forced open", "Lockdown is in force.",
        "Somebody of the school says that it is real.",
    ):  # fmt: skip
        assert shown in page, shown


async def test_a_guest_is_a_stranger_everywhere_else(
    client: TestClient, house: ScriptedHouse
) -> None:
    """Every other address of the hub denies them, every method but GET is denied on theirs."""
    await client.post(await invited(house))
    assert (await client.get("/guest")).status == 200
    for route in ROUTES:
        if route.permission in (PUBLIC, GUEST):
            assert route.permission == PUBLIC or route.method == "GET", route.path
            continue
        path = route.path.replace("{id}", "lobby").replace("{name}", "x.jpg")
        answer = await client.request(route.method, path, allow_redirects=False)
        assert answer.status in (401, 403) or answer.headers["Location"].startswith("/signin")
    for method in ("POST", "PUT", "DELETE"):
        for path in ("/guest", "/guest/pictures/lobby.jpg"):
            answer = await client.request(method, path, allow_redirects=False)
            assert answer.status in (401, 405) or answer.headers["Location"] == "/signin"


async def test_only_chosen_cameras_are_shown_and_each_look_is_written_down(
    client: TestClient, house: ScriptedHouse
) -> None:
    """A picture of another camera is not there; who looks stands in the audit as a guest."""
    await client.post(await invited(house))
    assert (await client.get("/guest/pictures/lobby.jpg")).content_type == "image/jpeg"
    for camera in ("science", "yard", "gym", "nurse", "made_up"):
        assert (await client.get(f"/guest/pictures/{camera}.jpg")).status == 404
    looking = (await house.audit.view(Asked()))["looking"]
    assert [(e["who"], e["subject"], e["act"]) for e in looking] == [
        ("Fire department (guest)", "camera/lobby", "view.live")
    ]


@pytest.mark.parametrize("ends", ["revoked", "time"])
async def test_a_link_that_is_over_shows_nothing_at_once(
    client: TestClient, house: ScriptedHouse, ends: str
) -> None:
    """Ended by somebody or by its time: the very next picture and page are refused, on devices
    that had it open and for whoever opens it then; that somebody tried is written down.
    """
    link = await invited(house)
    await client.post(link)
    assert (await client.get("/guest/pictures/lobby.jpg")).status == 200
    if ends == "time":
        house.clock.set(AT_NIGHT + guests.LASTS)
    else:
        now = house.clock.now()
        id_ = (await house.journal_read(lambda c: guests.every(c, now)))[0][0].id
        await house.journal_write(lambda c: guests.revoke(c, id_, "Principal", now))
        assert [e["who"] for e in await acts(house, "guest.revoked")] == ["Principal"]
    for path in ("/guest", "/guest/pictures/lobby.jpg"):
        answer = await client.get(path)
        assert answer.status == 401
        assert "This link is over" in await answer.text()
    client.session.cookie_jar.clear()
    answer = await client.get(link, allow_redirects=False)
    assert answer.status == 410
    assert GUEST_COOKIE not in answer.cookies
    assert [e["outcome"] for e in await acts(house, "guest.refused")] == ["refused"]


async def test_a_link_opens_on_five_devices_and_no_more(
    client: TestClient, house: ScriptedHouse
) -> None:
    """Whoever passes it on runs out; a device that had it opens it again without counting."""
    link = await invited(house)
    for _ in range(guests.MOST_DEVICES):
        client.session.cookie_jar.clear()
        for _again in range(3):
            assert (await client.post(link, allow_redirects=False)).status == 303
        assert (await client.get(link, allow_redirects=False)).headers["Location"] == "/guest"
    client.session.cookie_jar.clear()
    for open_it in (client.get, client.post):
        answer = await open_it(link, allow_redirects=False)
        assert answer.status == 410
        assert "5 devices" in await answer.text()


async def test_fetching_a_link_uses_nothing_up(client: TestClient, house: ScriptedHouse) -> None:
    """A messenger that looks at what is written in it, however often, leaves no device, no line in
    the audit and no cookie, and reads when the link ends; the responder opens it after that.
    """
    link = await invited(house)
    for method in ("GET", "HEAD", "OPTIONS") * (guests.MOST_DEVICES + 1):
        answer = await client.request(method, link, allow_redirects=False)
        assert method != "GET" or answer.status == 200
        assert not answer.cookies
        assert (await client.get("/guest")).status == 401
    asks = await client.get(link)
    assert asks.headers["X-Robots-Tag"].startswith("noindex")
    page = await asks.text()
    assert "Open the view" in page
    assert "Fire department" in page
    assert re.search(r"\d\d:\d\d, .*left</dd>", page), page
    assert "Main entrance" not in page  # nothing of the view itself
    assert await acts(house, "guest.opened") == []
    now = house.clock.now()
    assert [e for _, e in await house.journal_read(lambda c: guests.every(c, now))] == [[]]
    assert (await client.post(link, allow_redirects=False)).status == 303
    assert (await client.get("/guest")).status == 200


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
async def test_another_site_opens_no_link(
    client: TestClient, house: ScriptedHouse, headers: dict[str, str]
) -> None:
    """Whoever knows a link cannot have other people's browsers use it up, or look by it."""
    link = await invited(house)
    answer = await client.post(link, headers=headers, allow_redirects=False)
    assert answer.status == 403
    assert GUEST_COOKIE not in answer.cookies
    assert await acts(house, "guest.opened") == []


async def test_made_up_links_are_throttled(client: TestClient) -> None:
    """Nobody finds a link by trying: after thirty tries each further one has to wait."""
    answers = [(await client.get(f"/guest/made-up-{n}")).status for n in range(40)]
    assert answers[0] == 404
    assert answers[-1] == 429
    for odd in ("x" * 5000, "%00", "%ed%a0%80"):
        assert (await client.get(f"/guest/{odd}")).status in (404, 429)


async def test_a_link_that_is_over_fills_no_audit(client: TestClient, house: ScriptedHouse) -> None:
    """Whoever still has it and asks on and on is told to wait; not each time is a line."""
    link = await invited(house)
    house.clock.set(AT_NIGHT + guests.LASTS)
    answers = [(await client.get(link, allow_redirects=False)).status for _ in range(40)]
    assert answers[0] == 410
    assert answers[-1] == 429
    assert len(await acts(house, "guest.refused")) == answers.count(410) <= 30


async def test_a_link_outlives_the_hub(house: ScriptedHouse) -> None:
    """What was opened before a restart is open after it."""
    link = await invited(house)
    async with TestClient(TestServer(create_app(house))) as first:
        await first.post(link)
        kept = next(e.value for e in first.session.cookie_jar if e.key == GUEST_COOKIE)
        await asyncio.sleep(0)
    async with TestClient(TestServer(create_app(house))) as second:
        answer = await second.get("/guest", headers={"Cookie": f"{GUEST_COOKIE}={kept}"})
        assert answer.status == 200
        await asyncio.sleep(0)


async def test_nobody_gives_more_than_they_see(
    client: TestClient, house: ScriptedHouse, token: Any
) -> None:
    """A guard of the lobby makes links to the lobby, its cameras and its incidents; nothing else
    is there to give, and links to other areas are none of theirs.
    """
    headers = await token("guard")
    good = {"name": "Police", "area": "lobby", "cameras": ["lobby"], "incident": "i2"}
    beyond = await invited(house, area="science", incident="", cameras=())
    assert beyond
    for wrong in (
        {"area": "school"}, {"area": "science"}, {"area": "made_up"}, {"cameras": ["science"]},
        {"cameras": ["nurse"]}, {"cameras": ["made_up"]}, {"incident": "i1"}, {"incident": "nope"},
        {"area": "desk"},
    ):  # fmt: skip
        answer = await client.post("/api/v1/guests", headers=headers, json={**good, **wrong})
        assert answer.status == 409, wrong
    for wrong in ({"hours": 25}, {"hours": 0}, {"name": " "}, {"more": 1}):
        answer = await client.post("/api/v1/guests", headers=headers, json={**good, **wrong})
        assert answer.status == 422, wrong
    made = await client.post("/api/v1/guests", headers=headers, json=good)
    assert made.status == 201
    view = await made.json()
    assert view["link"].startswith(f"http://{client.host}:{client.port}/guest/")
    listed = await (await client.get("/api/v1/guests", headers=headers)).json()
    assert [each["name"] for each in listed] == ["Police"]
    assert view["link"].rpartition("/")[2] not in json.dumps(listed)
    now = house.clock.now()
    other = next(
        each.id
        for each, _ in await house.journal_read(lambda c: guests.every(c, now))
        if each.area == "science"
    )
    answer = await client.post(f"/api/v1/guests/{other}/revoke", headers=headers, json={})
    assert answer.status == 404
    answer = await client.post(f"/api/v1/guests/{view['id']}/revoke", headers=headers, json={})
    assert (await answer.json())["open"] is False


async def test_the_page_makes_a_link_shows_it_once_and_ends_it(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """With a code to scan; nowhere else does its address stand."""
    opened = await sign_in("principal")
    form = {"csrf": opened.identity.csrf, "name": "Police", "area": "school", "hours": "2"}
    page = await (await client.post("/guests", data=form)).text()
    assert "/guest/" in page
    assert "<svg" in page
    assert 'class="qr"' in page
    assert "style=" not in page
    again = await (await client.get("/guests")).text()
    assert "/guest/" not in again
    assert "Not opened yet." in again
    now = house.clock.now()
    found, _ = (await house.journal_read(lambda c: guests.every(c, now)))[0]
    assert found.expires > found.created
    await client.post(f"/guests/{found.id}/revoke", data={"csrf": opened.identity.csrf})
    assert "Over" in await (await client.get("/guests")).text()
    form["hours"] = "99"
    assert (await client.post("/guests", data=form)).status == 422


async def test_there_are_not_endlessly_many(house: ScriptedHouse) -> None:
    """Fifty open links are the most; those that are over do not count."""
    from hub.errors import Refused

    for _ in range(guests.MOST):
        await invited(house)
    with pytest.raises(Refused, match="50 open links"):
        await invited(house)
    house.clock.set(AT_NIGHT + guests.LASTS + timedelta(seconds=1))
    await invited(house)
