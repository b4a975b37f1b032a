"""Breaking the glass: a reason and a gesture give more for a while, and others know."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from narrowed_school import AT_NIGHT, BEYOND, BY_DAY, narrowed
from scripted_house import ScriptedHouse
from sqlalchemy import select

from hub.audit_port import Asked
from hub.break_glass import BreakGlass
from hub.errors import Refused
from hub.identity import accounts
from hub.identity.accounts import OpenedSession
from hub.storage.schema import actions, events
from hub.web.security import CSRF_HEADER, SESSION_COOKIE
from hub.web.server import create_app

WHY = "a child is missing"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[ScriptedHouse]:
    made = narrowed(tmp_path)
    await made.open()
    yield made
    await made.close()


async def broken(client: TestClient, opened: OpenedSession, **more: str) -> int:
    """The status of breaking the glass by the page's form."""
    form = {"csrf": opened.identity.csrf, "reason": WHY, "sure": "held", **more}
    return (await client.post("/glass", data=form, allow_redirects=False)).status


async def lines(house: ScriptedHouse, prefix: str) -> list[dict[str, Any]]:
    """The lines of the audit of such acts, oldest first."""
    view = await house.audit.view(Asked())
    return [dict(e) for e in reversed(view["lines"]) if e["act"].startswith(prefix)]


async def test_with_a_reason_and_a_gesture_they_see_everywhere_for_a_while(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """What is behind the glass reaches beyond the places of the role, and nothing else does; after
    a quarter of an hour all is as before.
    """
    opened = await sign_in("guard")
    assert (await client.get("/pictures/cameras/science.jpg")).status == 404
    assert await broken(client, opened) == 303
    assert (await client.get("/pictures/cameras/science.jpg")).status == 200
    doors = await (await client.get("/api/v1/doors")).json()
    assert len(doors) == 5
    assert {each["id"]: bool(each["verbs"]) for each in doors}["stair_b"] is False
    assert [e["id"] for e in await (await client.get("/api/v1/incidents")).json()] == ["i2"]
    page = await (await client.get("/")).text()
    assert "BROKEN GLASS" in page
    assert f"{WHY[0].upper()}{WHY[1:]}" in page
    house.clock.set(AT_NIGHT + timedelta(seconds=901))
    assert (await client.get("/pictures/cameras/science.jpg")).status == 404
    text = await (await client.get("/")).text()
    assert "BROKEN GLASS" not in text
    assert BEYOND not in text


async def test_it_holds_outside_of_the_hours_too(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """A role that holds by night takes by day what is behind its glass, and only that."""
    house.clock.set(BY_DAY)
    opened = await sign_in("day_guard")
    assert (await client.get("/doors")).status == 403
    assert await broken(client, opened) == 303
    assert (await client.get("/doors")).status == 200
    assert (await client.get("/cameras/lobby")).status == 403


@pytest.mark.parametrize("reason", ["", "    ", "x"])
async def test_no_reason_no_glass(client: TestClient, sign_in: Any, reason: str) -> None:
    """Nothing is broken without words that others can read."""
    opened = await sign_in("guard")
    assert await broken(client, opened, reason=reason) == 409
    assert (await client.get("/pictures/cameras/science.jpg")).status == 404


async def test_without_the_gesture_it_is_asked_once_more(client: TestClient, sign_in: Any) -> None:
    """A stray press breaks nothing."""
    opened = await sign_in("guard")
    assert await broken(client, opened, sure="") == 200
    assert (await client.get("/pictures/cameras/science.jpg")).status == 404


async def test_who_has_no_glass_and_what_is_no_person_breaks_none(
    client: TestClient, house: ScriptedHouse, sign_in: Any, token: Any
) -> None:
    """A role without `break_glass`, and a token of a role with it."""
    headers = await token("guard")
    for path, body in (("/api/v1/glass", {"json": {"reason": WHY}}), ("/glass", {"data": {}})):
        answer = await client.post(path, headers=headers, **body)
        assert answer.status == 403
    opened = await sign_in("sro")
    assert await broken(client, opened) == 409
    assert house.glass.every() == []


async def test_it_is_for_one_session_alone(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """The same person on another device has what their role has."""
    opened = await sign_in("guard")
    assert await broken(client, opened) == 303
    now = house.clock.now()
    other = await house.journal_write(lambda c: accounts.open_session(c, "The guard", now))
    headers = {"Cookie": f"{SESSION_COOKIE}={other.secret}"}
    async with TestClient(TestServer(client.server.app)) as second:
        answer = await second.get("/pictures/cameras/science.jpg", headers=headers)
        assert answer.status == 404
        await asyncio.sleep(0)


async def test_all_concerned_are_told_at_once(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """In the transaction that gives it: a notice to everybody who may read the audit, but not to
    whoever did it, over channels of the school that are on; and on the pages of those.
    """
    opened = await sign_in("guard")
    assert await broken(client, opened) == 303
    rows = await house.journal_read(
        lambda c: c.execute(select(actions.c.target, actions.c.payload)).all()
    )
    assert {row.target for row in rows} == {"console"}
    told = {each["person"] for row in rows for each in json.loads(row.payload)["to"]}
    assert told == {"principal", "auditor"}
    said = json.loads(rows[0].payload)
    assert said["title"] == "Broken glass: The guard"
    assert WHY in said["text"]
    assert said["severity"] == "high"
    kinds = await house.journal_read(lambda c: c.execute(select(events.c.type)).scalars().all())
    assert "glass.broken" in kinds
    await sign_in("auditor")
    page = await (await client.get("/")).text()
    assert "The guard may more until" in page
    await sign_in("nurse")
    assert "BROKEN GLASS" not in await (await client.get("/")).text()
    assert await (await client.get("/api/v1/glass")).json() == []


async def test_every_act_meanwhile_is_marked(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """From the line of the breaking to that of the end: looks and acts carry its id."""
    opened = await sign_in("guard")
    await client.get("/pictures/cameras/lobby.jpg")
    assert await broken(client, opened) == 303
    id_ = house.glass.every()[0]["id"]
    await client.get("/pictures/cameras/science.jpg")
    looking = (await house.audit.view(Asked()))["looking"]
    assert {e["subject"]: e["glass"] for e in looking} == {
        "camera/lobby": "",
        "camera/science": id_,
    }
    headers = {CSRF_HEADER: opened.identity.csrf}
    made = await client.post(
        "/api/v1/guests", json={"name": "Police", "area": "lobby"}, headers=headers
    )
    assert made.status == 201
    assert (await lines(house, "guest.invited"))[0]["details"]["glass"] == id_
    path = f"/glass/{id_}/mend"
    form = {"csrf": opened.identity.csrf}
    assert (await client.post(path, data=form, allow_redirects=False)).status == 303
    assert (await client.get("/pictures/cameras/science.jpg")).status == 404
    first, last = await lines(house, "glass.")
    assert (first["act"], first["who"], first["details"]["reason"]) == (
        "glass.broken", "The guard", WHY,
    )  # fmt: skip
    assert first["details"]["permissions"] == ["see.cameras", "see.doors"]
    assert (last["act"], last["details"]["since"]) == ("glass.ended", looking[1]["since"])
    house.clock.set(AT_NIGHT + timedelta(minutes=5))
    again = await client.post(
        "/api/v1/guests", json={"name": "Others", "area": "lobby"}, headers=headers
    )
    assert again.status == 201
    assert "glass" not in (await lines(house, "guest.invited"))[1]["details"]


async def test_an_administrator_ends_it_and_others_do_not(
    client: TestClient, house: ScriptedHouse, sign_in: Any, token: Any
) -> None:
    """Who manages accounts; to everybody else it is as if it were not there."""
    opened = await sign_in("guard")
    assert await broken(client, opened) == 303
    path = f"/api/v1/glass/{house.glass.every()[0]['id']}/mend"
    for role in ("principal", "auditor", "nurse", "guard"):
        answer = await client.post(path, headers=await token(role), json={})
        assert answer.status == 404, role
    headers = await token("admin")
    assert (await client.post(path, headers=headers, json={})).status == 200
    assert (await client.post(path, headers=headers, json={})).status == 404
    assert (await lines(house, "glass.ended"))[0]["who"] == "admin script (token)"


async def test_its_end_is_written_down_by_itself(house: ScriptedHouse) -> None:
    """By its time, and with the session it was broken in; each once."""
    now = house.clock.now()
    first, second = await house.journal_write(lambda c: make_with_roles(c, house, now))
    glass = house.glass
    for opened in (first, second):
        who = opened.identity
        await glass.break_it(who.digest, who.name, "guard", ["see.cameras"], WHY)
    await house.journal_write(lambda c: accounts.end_session(c, second.identity.digest, now))
    await glass.sweep()
    assert [e["user"] for e in glass.every()] == ["A guard"]
    assert glass.of(second.identity.digest) is None
    house.clock.set(AT_NIGHT + timedelta(seconds=901))
    await glass.sweep()
    await glass.sweep()
    assert glass.every() == []
    ended = await lines(house, "glass.ended")
    assert [e["who"] for e in ended] == ["hub", "hub"]


def make_with_roles(conn: Any, house: ScriptedHouse, now: Any) -> list[OpenedSession]:
    """Two sessions of one guard."""
    accounts.add_user_with_hash(conn, "A guard", "guard", "none", roles=house.config.roles)
    return [accounts.open_session(conn, "A guard", now) for _ in range(2)]


async def test_it_is_broken_once_and_again_when_it_is_whole(house: ScriptedHouse) -> None:
    """Of many presses at once one breaks it; a further one may when its time is over, though
    nobody has written that down yet.
    """
    now = house.clock.now()
    opened, _ = await house.journal_write(lambda c: make_with_roles(c, house, now))
    digest, give = opened.identity.digest, ["see.cameras"]
    tries = (house.glass.break_it(digest, "A guard", "guard", give, WHY) for _ in range(5))
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sorted(isinstance(each, Refused) for each in done) == [False, True, True, True, True]
    await house.clock.advance(901)
    await house.glass.break_it(digest, "A guard", "guard", give, WHY)
    assert len(await lines(house, "glass.broken")) == 2
    assert len(await lines(house, "glass.ended")) == 1


async def test_a_clock_that_is_set_back_makes_it_no_longer(house: ScriptedHouse) -> None:
    """A quarter of an hour is one, whatever the wall clock says meanwhile."""
    now = house.clock.now()
    opened, _ = await house.journal_write(lambda c: make_with_roles(c, house, now))
    digest = opened.identity.digest
    await house.glass.break_it(digest, "A guard", "guard", ["see.cameras"], WHY)
    house.clock.set(now - timedelta(hours=3))
    await house.clock.advance(899)
    assert house.glass.of(digest) is not None
    await house.clock.advance(2)
    assert house.glass.of(digest) is None


async def test_it_outlives_a_stop_of_the_hub_and_no_more(house: ScriptedHouse) -> None:
    """After a restart what was broken is, for as long as is left; before it is read, nothing is."""
    now = house.clock.now()
    opened, _ = await house.journal_write(lambda c: make_with_roles(c, house, now))
    digest = opened.identity.digest
    await house.glass.break_it(digest, "A guard", "guard", ["see.cameras"], WHY)
    again = BreakGlass(house.cases.intake)
    assert again.of(digest) is None
    running = asyncio.create_task(again.run(), name="broken glass")
    async with asyncio.timeout(20):
        while again.of(digest) is None:
            await asyncio.sleep(0)
    house.clock.set(AT_NIGHT + timedelta(seconds=901))
    assert again.of(digest) is None
    running.cancel()


async def test_nothing_is_given_that_cannot_be_written_down(
    house: ScriptedHouse, client: TestClient, sign_in: Any
) -> None:
    """A journal that takes nothing gives nothing."""
    opened = await sign_in("guard")
    await house.journal.close()
    form = {"csrf": opened.identity.csrf, "reason": WHY, "sure": "held"}
    answer = await client.post("/glass", data=form, allow_redirects=False)
    assert answer.status >= 500
    assert house.glass.every() == []
    await house.journal.open()


async def test_the_app_knows_the_glass_of_its_house(house: ScriptedHouse) -> None:
    """Pages ask the room that the hub runs, not one of their own."""
    from hub.web.security import HOUSE

    assert create_app(house)[HOUSE].glass is house.glass
