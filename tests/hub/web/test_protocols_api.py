"""Protocols, fire and devices through the API, over the real parts."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from scripted_house import ScriptedHouse

from hub.bus import Bus
from hub.campus import Campus
from hub.config import Config
from hub.identity.passwords import PasswordThreads
from hub.protocols import Protocols
from hub.safety.intake import Intake
from hub.web.security import CSRF_HEADER

SCHOOL: dict[str, Any] = {
    "places": {
        "school": {"name": "Lincoln School", "kind": "site"},
        "room": {"name": "Room 12", "kind": "room", "in": "school"},
    },
    "access_control": {"locks": {"driver": "x"}},
    "doors": {
        "main": {"name": "Main", "controller": "locks", "place": "school", "egress": "free"},
    },
    "notifiers": {"console": {"driver": "x"}},
    "protocols": {
        "lockdown": {"doors": [{"verb": "lock", "place": "school"}], "through": ["console"]},
        "hold": {},
        "evacuate": {"location": "The yard"},
    },
}  # fmt: skip
START = "/api/v1/protocols/lockdown/start"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[ScriptedHouse]:
    """A house whose protocols are real."""
    made = ScriptedHouse(tmp_path)
    await made.open()
    made.config = Config.model_validate(SCHOOL)
    made.campus = Campus(made.config.places)
    intake = Intake(
        made.config, made.campus, made.journal, Bus(), made.clock, public=lambda name: False
    )
    made.protocols = Protocols(intake, frozenset)  # type: ignore[assignment]
    yield made
    await made.close()


async def _signed_in(sign_in: Any, role: str) -> dict[str, str]:
    opened = await sign_in(role)
    return {CSRF_HEADER: opened.identity.csrf}


async def _run(client: TestClient, headers: dict[str, str], **body: Any) -> dict[str, Any]:
    answer = await client.post(START, json={"area": "school", **body}, headers=headers)
    assert answer.status == 200, await answer.text()
    found: dict[str, Any] = await answer.json()
    return found


async def test_starting_and_looking(client: TestClient, token: Any) -> None:
    """A start answers with the run; the same key again with the same one; everybody signed in sees
    it.
    """
    headers = await token("front_office")
    run = await _run(client, headers, key="k", reason="drill day")
    assert (await _run(client, headers, key="k"))["id"] == run["id"]
    viewer = await token("viewer")
    view = await (await client.get("/api/v1/protocols", headers=viewer)).json()
    assert [each["id"] for each in view["in_force"]] == [run["id"]]
    assert "trademark" in view["wording"]
    one = await client.get(f"/api/v1/protocols/{run['id']}", headers=viewer)
    assert (await one.json())["sentence"] == "0 of 1 secured; Main: not confirmed yet"
    assert (await client.post(START, json={"area": "school"}, headers=viewer)).status == 403


async def test_evacuate_goes_somewhere_else(client: TestClient, token: Any) -> None:
    """The place that was given is the directive; without one it is that of the configuration."""
    headers, path = await token("sro"), "/api/v1/protocols/evacuate/start"
    body = {"area": "school", "location": "The church hall"}
    run = await (await client.post(path, json=body, headers=headers)).json()
    assert run["directive"] == "The church hall."
    assert "The church hall." in await (await client.get("/", headers=headers)).text()
    body = {"area": "school", "drill": True}
    assert (await client.post(path, json=body, headers=headers)).status == 409
    assert run["decide_by"] is None


async def test_a_devices_page_says_that_its_press_was_taken(
    client: TestClient, house: ScriptedHouse, token: Any
) -> None:
    """Also where somebody else has started it before: the press joins what is in force."""
    await _run(client, await token("sro"))
    _, secret = await house.protocols.enrol("Room 12", "room", "it")
    await client.post("/panic/enrol", data={"code": secret})
    page = await (await client.get("/panic")).text()
    form = dict(re.findall(r'name="(csrf|key)" value="([^"]*)"', page.split("panic-help")[0]))
    for _ in range(2):
        answer = await client.post("/panic/lockdown", data={**form, "sure": "held"})
        page = await answer.text()
        assert "Lockdown is in force" in page
        assert "Lincoln School" in page
        assert "Main" not in page.split('id="main"')[1]
    assert len((await house.protocols.view())["in_force"]) == 1


async def test_two_people_end_it(client: TestClient, token: Any, sign_in: Any) -> None:
    """One asks, the other confirms, each signed in as themselves; a token does neither."""
    run = (await _run(client, await token("sro")))["id"]
    path = f"/api/v1/protocols/{run}"
    by_token = await client.post(f"{path}/ask-end", json={}, headers=await token("principal"))
    assert by_token.status == 409
    first = await _signed_in(sign_in, "sro")
    asked = await client.post(f"{path}/ask-end", json={}, headers=first)
    assert (await asked.json())["ending"]["by"] == "The sro"
    alone = await client.post(f"{path}/end", json={}, headers=first)
    assert (alone.status, (await alone.json())["detail"]) == (
        409, "it takes a second person: you have asked for its end yourself",
    )  # fmt: skip
    await client.post(f"{path}/withdraw-end", json={}, headers=first)
    await client.post(f"{path}/ask-end", json={}, headers=first)
    second = await _signed_in(sign_in, "principal")
    over = await client.post(f"{path}/end", json={}, headers=second)
    assert ((await over.json())["state"], over.status) == ("ended", 200)
    for act in ("ask-end", "withdraw-end", "end"):
        assert (await client.post(f"{path}/{act}", json={}, headers=second)).status == 409
        missing = await client.post(f"/api/v1/protocols/none/{act}", json={}, headers=second)
        assert missing.status == 404


async def test_a_duress_pin_is_shown_the_end_in_its_session_alone(
    client: TestClient, house: ScriptedHouse, token: Any, sign_in: Any
) -> None:
    """The answer, and what that session asks later, say that it is over; everyone else sees it go
    on. A wrong PIN is never repeated in the answer.
    """
    run = (await _run(client, await token("sro")))["id"]
    path = f"/api/v1/protocols/{run}"
    headers = await _signed_in(sign_in, "sro")
    await house.protocols.set_pins("The sro", "4711", "9038")
    wrong = await client.post(f"{path}/end-by-pin", json={"pin": "5555"}, headers=headers)
    assert wrong.status == 409
    assert "5555" not in await wrong.text()
    bad = await client.post(f"{path}/end-by-pin", json={"pin": ["9038"]}, headers=headers)
    assert bad.status == 422
    assert "9038" not in await bad.text()
    over = await client.post(f"{path}/end-by-pin", json={"pin": "9038"}, headers=headers)
    assert (await over.json())["state"] == "ended"
    assert (await (await client.get(path)).json())["state"] == "ended"
    assert (await (await client.get("/api/v1/protocols")).json())["in_force"] == []
    gone = await client.post(f"{path}/ask-end", json={}, headers=headers)
    assert (gone.status, (await gone.json())["detail"]) == (409, "Lockdown has been ended already")
    await _signed_in(sign_in, "principal")
    (told,) = (await (await client.get("/api/v1/protocols")).json())["duress"]
    assert (told["run"], told["by"]) == (run, "The sro")
    await _signed_in(sign_in, "viewer")
    assert (await (await client.get("/api/v1/protocols")).json())["duress"] == []
    client.session.cookie_jar.clear()
    elsewhere = await client.get(path, headers=await token("principal"))
    assert (await elsewhere.json())["state"] == "in_force"


async def test_the_fire_alarm(client: TestClient, house: ScriptedHouse, token: Any) -> None:
    """Decide and re-arm; where there is nothing to decide or re-arm the answer says so."""
    headers = await token("sro")
    run = (await _run(client, headers))["id"]
    decide, rearm = f"/api/v1/protocols/{run}/decide-fire", "/api/v1/fire/rearm"
    assert (await client.post(rearm, json={}, headers=headers)).status == 409
    body = {"decision": "stay"}
    assert (await client.post(decide, json=body, headers=headers)).status == 409
    await house.protocols.press("fire", "school", "Panel", source="input/panel")  # type: ignore[attr-defined]
    shown = await (await client.get("/api/v1/protocols", headers=headers)).json()
    assert shown["fire"]["state"] == "alarm"
    assert (await client.post(decide, json={"decision": "run"}, headers=headers)).status == 422
    assert (await client.post(decide, json=body, headers=headers)).status == 200
    assert (await (await client.post(rearm, json={}, headers=headers)).json())["state"] == "clear"


async def test_a_device_presses_with_its_own_token(
    client: TestClient, house: ScriptedHouse, token: Any
) -> None:
    """Enrolled once, shown its token once, pressed without anybody signed in; that token opens
    nothing else, and once revoked nothing at all.
    """
    headers = await token("it")
    answer = await client.post(
        "/api/v1/devices", json={"name": "Room 12", "place": "room"}, headers=headers
    )
    assert answer.status == 201
    device = await answer.json()
    mine = {"Authorization": f"Bearer {device['token']}"}
    listed = await (await client.get("/api/v1/devices", headers=headers)).json()
    assert "token" not in listed[0]
    pressed = await client.post(
        "/api/v1/panic", json={"does": "lockdown", "key": "1"}, headers=mine
    )
    assert pressed.status == 202
    said = await pressed.json()
    assert set(said) == {"taken", "does", "run", "alert"}
    again = await client.post("/api/v1/panic", json={"does": "lockdown", "key": "1"}, headers=mine)
    assert (await again.json()) == said
    assert (await client.post("/api/v1/panic", json={"does": "help"}, headers=mine)).status == 202
    for path in ("/api/v1/protocols", "/api/v1/doors", "/api/v1/cameras", "/api/v1/events"):
        assert (await client.get(path, headers=mine)).status == 401
    for body in ({"does": "fire"}, {"does": "end"}, {}, {"does": "lockdown", "area": "x"}):
        assert (await client.post("/api/v1/panic", json=body, headers=mine)).status == 422
    await client.post(f"/api/v1/devices/{device['id']}/revoke", json={}, headers=headers)
    gone = await client.post("/api/v1/panic", json={"does": "lockdown"}, headers=mine)
    assert gone.status == 401
    assert (
        device["token"] not in await (await client.get("/api/v1/devices", headers=headers)).text()
    )
    missing = await client.post("/api/v1/devices/none/revoke", json={}, headers=headers)
    assert missing.status == 404
    moon = await client.post(
        "/api/v1/devices", json={"name": "Room 13", "place": "moon"}, headers=headers
    )
    assert moon.status == 409


async def test_guessing_a_devices_token_is_slowed_down_and_keeps_no_device_out(
    client: TestClient, house: ScriptedHouse
) -> None:
    """A flood of guesses is answered with 429 in the end; a real press beside it is heard."""
    _, token = await house.protocols.enrol("Room 12", "room", "it")
    statuses = set()
    for number in range(35):
        guess = {"Authorization": f"Bearer vsd_{number}"}
        answer = await client.post("/api/v1/panic", json={"does": "lockdown"}, headers=guess)
        statuses.add(answer.status)
    assert statuses == {401, 429}
    good = {"Authorization": f"Bearer {token}"}
    answer = await client.post("/api/v1/panic", json={"does": "lockdown"}, headers=good)
    assert answer.status == 202


async def test_a_start_that_makes_no_sense_says_why(client: TestClient, token: Any) -> None:
    """Unknown protocols, places and keys of the body are answered with what was expected."""
    headers = await token("sro")
    for path, body, status in (
        ("lockout", {"area": "school"}, 409),
        ("lockdown", {"area": "moon"}, 409),
        ("lockdown", {}, 422),
        ("lockdown", {"area": "school", "drills": True}, 422),
        ("hold", {"area": "school", "hazard": "tornado"}, 409),
    ):
        answer = await client.post(f"/api/v1/protocols/{path}/start", json=body, headers=headers)
        assert answer.status == status
        assert set(await answer.json()) == {"type", "title", "status", "detail", "hint"}
    assert (await client.get("/api/v1/protocols/none", headers=headers)).status == 404


@pytest.fixture(autouse=True)
def _light_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash PINs lightly: that argon2id is used, tests/hub/identity/test_pins.py shows."""
    from hub.identity import pins

    monkeypatch.setattr(pins, "hash_secret", lambda pin: f"plain {pin}")

    async def matches(self: PasswordThreads, stored: str | None, given: str) -> bool:
        return stored == f"plain {given}"

    monkeypatch.setattr(PasswordThreads, "matches", matches)
