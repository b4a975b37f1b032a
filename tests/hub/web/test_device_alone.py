"""An enrolled device starts a protocol or calls for help, and nothing else, whatever it sends."""

import pytest
from aiohttp.test_utils import TestClient
from scripted_house import ScriptedHouse

from hub.identity import devices
from hub.web.devices import DEVICE_COOKIE
from hub.web.routes import ROUTES
from hub.web.security import PUBLIC, SESSION_COOKIE

OWN = ("/panic", "/api/v1/panic")


async def enrolled(house: ScriptedHouse) -> str:
    """The token of a device that is enrolled in the journal."""
    now = house.clock.now()
    _, token = await house.journal_write(
        lambda c: devices.enrol(c, "Room 12", "lobby", "Principal", now)
    )
    return str(token)


@pytest.mark.parametrize("way", ["bearer", "session", "device", "all"])
async def test_its_token_opens_no_other_address(
    client: TestClient, house: ScriptedHouse, way: str
) -> None:
    """As a program's token, as a session, as its own cookie: a stranger at every address but those
    of panic, for each method there is.
    """
    token = await enrolled(house)
    cookies = {
        "session": f"{SESSION_COOKIE}={token}",
        "device": f"{DEVICE_COOKIE}={token}",
        "all": f"{SESSION_COOKIE}={token}; {DEVICE_COOKIE}={token}",
    }
    headers = {"Cookie": cookies[way]} if way in cookies else {}
    if way in ("bearer", "all"):
        headers["Authorization"] = f"Bearer {token}"
    for route in ROUTES:
        if route.permission == PUBLIC:
            continue
        path = route.path.replace("{id}", "a1").replace("{name}", "x.jpg")
        answer = await client.request(route.method, path, headers=headers, allow_redirects=False)
        body = await answer.read()
        assert answer.status == 401 or answer.headers["Location"].startswith("/signin"), path
        assert b"Science" not in body
    assert house.commands == []


def test_what_it_may_stands_under_panic() -> None:
    """Every public address that acts is its own, somebody's signing in, a guest's link, or signed
    by its sender.
    """
    acting = [r.path for r in ROUTES if r.permission == PUBLIC and r.method != "GET"]
    others = ("/signin", "/setup/", "/guest/{link}", "/inbound/")
    assert all(path.startswith((*OWN, *others)) for path in acting), acting


async def test_a_revoked_device_is_no_device(client: TestClient, house: ScriptedHouse) -> None:
    """Its own page then asks for a code, and a press gets nowhere."""
    token = await enrolled(house)
    now = house.clock.now()
    id_ = (await house.journal_read(devices.every))[0].id
    await house.journal_write(lambda c: devices.revoke(c, id_, now))
    assert await house.journal_read(lambda c: devices.identify(c, token)) is None
    headers = {"Authorization": f"Bearer {token}"}
    answer = await client.post("/api/v1/panic", headers=headers, json={"does": "lockdown"})
    assert answer.status == 401
