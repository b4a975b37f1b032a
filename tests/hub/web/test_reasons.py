"""A reason, where the configuration asks for one: nobody passes without, and it is kept."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from narrowed_school import narrowed
from scripted_house import ScriptedHouse

from hub.audit_port import Asked
from hub.config import Config
from hub.identity.permissions import NEVER_ASKED_WHY, PERMISSIONS
from hub.web.security import CSRF_HEADER

WHY = "the parents asked for it"
ASKED = ["see.cameras", "command.doors", "export.incidents", "invite.guests"]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[ScriptedHouse]:
    made = narrowed(tmp_path)
    config = made.config.model_dump(by_alias=True)
    config["hub"]["reason_for"] = ASKED
    made.config = Config.model_validate(config)
    await made.open()
    yield made
    await made.close()


async def lines(house: ScriptedHouse, act: str) -> list[dict[str, Any]]:
    """The lines of the audit of an act, oldest first."""
    view = await house.audit.view(Asked())
    return [dict(e) for e in reversed(view["lines"]) if e["act"] == act]


async def test_a_form_without_a_reason_leads_to_a_page_that_asks(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """Nothing is done yet; what was filled in goes along, and the reason ends up in the audit."""
    opened = await sign_in("sro")
    form = {"csrf": opened.identity.csrf, "name": "Police", "area": "lobby", "hours": "2"}
    answer = await client.post("/guests", data=form)
    text = await answer.text()
    assert answer.status == 422
    assert "Say why" in text
    assert 'name="area" value="lobby"' in text
    assert text.count(opened.identity.csrf) >= 1
    assert await lines(house, "guest.invited") == []
    short = await client.post("/guests", data={**form, "reason": "x"})
    assert short.status == 422
    assert "That is too short" in await short.text()
    done = await client.post("/guests", data={**form, "reason": f"  {WHY} "})
    assert done.status == 200
    (line,) = await lines(house, "guest.invited")
    assert line["details"]["reason"] == WHY


async def test_programs_send_it_as_a_header_or_in_a_body_that_has_one(
    client: TestClient, house: ScriptedHouse, token: Any
) -> None:
    """Without it 403 and what to send; beyond ASCII in per cent form."""
    headers = await token("sro")
    body = {"name": "Police", "area": "lobby"}
    answer = await client.post("/api/v1/guests", headers=headers, json=body)
    assert answer.status == 403
    problem = await answer.json()
    assert problem["detail"] == "The configuration asks for a reason."
    assert "header 'Reason'" in problem["hint"]
    said = {**headers, "Reason": "f%C3%BCr die Polizei"}
    assert (await client.post("/api/v1/guests", headers=said, json=body)).status == 201
    (line,) = await lines(house, "guest.invited")
    assert line["details"]["reason"] == "für die Polizei"
    unlock: dict[str, Any] = {"verb": "unlock"}
    path = "/api/v1/doors/main/commands"
    assert (await client.post(path, headers=headers, json=unlock)).status == 403
    unlock["reason"] = "delivery"
    assert (await client.post(path, headers=headers, json=unlock)).status == 202
    assert [each[3] for each in house.commands] == ["delivery"]


async def test_who_looks_says_why_once_in_a_quarter_of_an_hour(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """A page asks and leads on to what was wanted; pictures wait for it; then it is asked anew."""
    opened = await sign_in("sro")
    asked = await client.get("/cameras/lobby")
    assert asked.status == 403
    assert "Nothing is shown yet" in await asked.text()
    assert (await client.get("/pictures/cameras/lobby.jpg")).status == 403
    form = {"csrf": opened.identity.csrf, "for": "see.cameras", "next": "/cameras/lobby"}
    page = await client.post("/me/reason", data={**form, "reason": WHY}, allow_redirects=False)
    assert page.headers["Location"] == "/cameras/lobby"
    for path in ("/cameras/lobby", "/pictures/cameras/lobby.jpg"):
        assert (await client.get(path)).status == 200
    (line,) = await lines(house, "reason.given")
    assert (line["who"], line["subject"]) == ("The sro", "see.cameras")
    assert line["details"] == {"reason": WHY}
    await house.clock.advance(899)
    assert (await client.get("/cameras/lobby")).status == 200
    await house.clock.advance(2)
    assert (await client.get("/cameras/lobby")).status == 403


@pytest.mark.parametrize("onward", ["//evil.example", "https://evil.example", "/\\evil"])
async def test_it_leads_nowhere_else(client: TestClient, sign_in: Any, onward: str) -> None:
    """The address to go on to is one of ours."""
    opened = await sign_in("sro")
    form = {"csrf": opened.identity.csrf, "for": "see.cameras", "next": onward, "reason": WHY}
    answer = await client.post("/me/reason", data=form, allow_redirects=False)
    assert answer.headers["Location"] == "/"


async def test_one_reason_is_for_one_permission_and_one_session(
    client: TestClient, house: ScriptedHouse, sign_in: Any, token: Any
) -> None:
    """Saying why one looks at cameras lets nobody else look, nor act."""
    opened = await sign_in("sro")
    form = {"csrf": opened.identity.csrf, "for": "see.cameras", "next": "/", "reason": WHY}
    await client.post("/me/reason", data=form)
    answer = await client.get("/api/v1/cameras", headers=await token("principal"))
    assert answer.status == 403
    command = {"csrf": opened.identity.csrf, "verb": "unlock"}
    assert (await client.post("/doors/main/commands", data=command)).status == 422
    assert house.commands == []


async def test_broken_glass_has_its_reason(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """Whoever has said why they break it is not asked again for what it gives."""
    opened = await sign_in("guard")
    assert (await client.get("/cameras/science")).status == 403
    headers = {CSRF_HEADER: opened.identity.csrf}
    answer = await client.post("/api/v1/glass", headers=headers, json={"reason": WHY})
    assert answer.status == 201
    assert (await client.get("/cameras/science")).status == 200


async def test_what_nobody_named_asks_nothing(client: TestClient, sign_in: Any) -> None:
    """Other addresses go on as before."""
    opened = await sign_in("sro")
    assert (await client.get("/doors")).status == 200
    form = {"csrf": opened.identity.csrf, "verdict": "dismissed"}
    answer = await client.post("/alerts/b1/verdict", data=form, allow_redirects=False)
    assert answer.status == 303


async def test_help_never_waits_for_a_reason(
    client: TestClient, house: ScriptedHouse, token: Any
) -> None:
    """Also where the configuration, which check refuses, says so."""
    config = house.config.model_dump(by_alias=True)
    config["hub"]["reason_for"] = sorted(NEVER_ASKED_WHY)
    house.config = Config.model_validate(config)
    answer = await client.post(
        "/api/v1/protocols/lockdown/start", headers=await token("sro"), json={}
    )
    assert "asks for a reason" not in await answer.text()
    assert set(PERMISSIONS) > NEVER_ASKED_WHY
