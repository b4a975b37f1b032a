"""The configuration's page and API: look before anything changes, confirm twice what is grave."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from scripted_house import ScriptedHouse, change
from signing_in import SignIn

GRAVE = change("doors.main.held_after", "30s", "10s", grave=True)


async def press(client: TestClient, csrf: str, **fields: str) -> tuple[int, str, str]:
    answer = await client.post(
        "/configuration/apply", data={"csrf": csrf, **fields}, allow_redirects=False
    )
    return answer.status, answer.headers.get("Location", ""), await answer.text()


async def test_what_would_change_is_shown_before_anything_does(
    client: TestClient, house: ScriptedHouse, sign_in: SignIn
) -> None:
    """Each change with what was and what will be, what starts afresh, and nothing applied."""
    await sign_in("it")
    text = await (await client.get("/configuration")).text()
    assert "cameras.lobby.fps" in text.replace("<wbr>", "")
    assert "5 → 10" in text
    assert "<b>Starts afresh:</b> cameras/lobby." in text
    assert "/configuration?kept=bbbbbbbbbbbb" in text
    assert house.configuration.applied == []


async def test_a_press_applies_what_was_shown(
    client: TestClient, house: ScriptedHouse, sign_in: SignIn
) -> None:
    """The plan's own id goes along, and who pressed."""
    who = await sign_in("it")
    status, where, _ = await press(client, who.identity.csrf, plan="a" * 64, kept="")
    assert (status, where) == (303, "/configuration")
    ((plan, by, confirmed),) = house.configuration.applied
    assert (plan, confirmed) == ("a" * 64, False)
    assert by


async def test_grave_changes_are_confirmed_a_second_time(
    client: TestClient, house: ScriptedHouse, sign_in: SignIn
) -> None:
    """The first press leads to a page with only those changes; the second applies."""
    who = await sign_in("it")
    house.configuration.plan |= {"changes": [GRAVE], "grave": ["doors.main.held_after"]}
    status, where, _ = await press(client, who.identity.csrf, plan="a" * 64, kept="")
    assert status == 303
    assert house.configuration.applied == []
    text = await (await client.get(where)).text()
    assert "Confirm once more" in text
    assert "Real doors will follow" in text
    assert 'name="confirmed" value="yes"' in text
    status, where, _ = await press(
        client, who.identity.csrf, plan="a" * 64, kept="", confirmed="yes"
    )
    assert (status, where) == (303, "/configuration")
    assert [each[2] for each in house.configuration.applied] == [True]


async def test_the_confirmation_is_for_what_was_seen(
    client: TestClient, house: ScriptedHouse, sign_in: SignIn
) -> None:
    """When the file changes again in between, the page asks from the start."""
    await sign_in("it")
    house.configuration.plan |= {"changes": [GRAVE], "grave": ["doors.main.held_after"]}
    text = await (await client.get(f"/configuration?confirm={'b' * 64}")).text()
    assert "Confirm once more" not in text


async def test_an_old_plan_is_answered_not_applied(
    client: TestClient, house: ScriptedHouse, sign_in: SignIn
) -> None:
    """Nobody applies what they have not seen."""
    who = await sign_in("it")
    status, _, text = await press(client, who.identity.csrf, plan="c" * 64, kept="")
    assert status == 409
    assert "look again" in text
    assert house.configuration.applied == []


async def test_a_broken_file_shows_its_problems(
    client: TestClient, house: ScriptedHouse, sign_in: SignIn
) -> None:
    """Line, column, key and cure stand on the page, and there is nothing to press."""
    await sign_in("it")
    house.configuration.trouble = "school.yaml is not valid (1 problem); what ran runs on"
    problem = {
        "file": "school.yaml", "line": 12, "column": 9, "path": "cameras.lobby.fps",
        "message": "found 'fast'; expected a number", "hint": "", "doc": "",
    }  # fmt: skip
    house.configuration.plan |= {"valid": False, "problems": [problem], "changes": []}
    text = await (await client.get("/configuration")).text()
    assert "school.yaml, line 12, column 9:</a> " in text
    assert "cameras.lobby.fps" in text.replace("<wbr>", "")
    assert "Degraded." in text
    assert "/configuration/apply" not in text


async def test_a_refusal_to_look_is_told(
    client: TestClient, house: ScriptedHouse, sign_in: SignIn
) -> None:
    """A file that is gone is a sentence on the page, not a fault."""
    await sign_in("it")
    house.configuration.refusal = "school.yaml: cannot be read; what ran runs on"
    answer = await client.get("/configuration")
    assert answer.status == 200
    assert "cannot be read" in await answer.text()


async def test_every_page_says_that_the_hub_is_degraded(
    client: TestClient, house: ScriptedHouse, sign_in: SignIn
) -> None:
    """Whoever may see health reads it on any page; IT gets the way to mend it."""
    house.health_view["configuration"] = "school.yaml is not valid (1 problem); what ran runs on"
    await sign_in("it")
    text = await (await client.get("/doors")).text()
    assert "is not valid" in text
    assert 'href="/configuration"' in text
    await sign_in("sro")
    text = await (await client.get("/doors")).text()
    assert "is not valid" in text
    assert 'href="/configuration"' not in text


@pytest.mark.parametrize("role", ["sro", "principal", "front_office", "viewer"])
async def test_only_who_manages_it_sees_it(client: TestClient, sign_in: SignIn, role: str) -> None:
    """The configuration names cameras and people: it is not for everybody."""
    await sign_in(role)
    assert (await client.get("/configuration")).status == 403
    assert (await client.get("/api/v1/configuration")).status == 403


async def test_programs_look_and_apply_too(
    client: TestClient, house: ScriptedHouse, token: object
) -> None:
    """The API carries the same two steps, and says what is missing."""
    auth = await token("it")  # type: ignore[operator]
    view = await (await client.get("/api/v1/configuration", headers=auth)).json()
    assert view["kept"][1]["hash"] == "bbbbbbbbbbbb"
    house.configuration.plan |= {"changes": [GRAVE], "grave": ["doors.main.held_after"]}
    plan = await (await client.get("/api/v1/configuration/plan", headers=auth)).json()
    where = "/api/v1/configuration/apply"
    body: dict[str, object] = {"plan": plan["id"]}
    refused = await client.post(where, json=body, headers=auth)
    assert refused.status == 409
    assert "confirmed" in (await refused.json())["hint"]
    done = await client.post(where, json={**body, "confirmed": True}, headers=auth)
    assert done.status == 200
    assert (await client.post(where, json={"plan": "../x"}, headers=auth)).status == 422
    house.configuration.refusal = "no kept one begins with 'dead'"
    gone = await client.get("/api/v1/configuration/plan?kept=dead", headers=auth)
    assert gone.status == 409


def line(number: int, text: str, column: int = 0, message: str = "") -> dict[str, Any]:
    """A line of a file as it is shown."""
    wrong = {"column": column, "path": "x", "message": message, "hint": "did you mean rtsp?"}
    marked = {"start": column - 1, "end": column + 3} if message else {"start": 0, "end": 0}
    return {"number": number, "text": text, "mistakes": [wrong] if message else [], **marked}


FILE = {
    "name": "school.yaml",
    "lines": [
        *(line(number, f"# line {number}") for number in range(1, 20)),
        line(20, "    driver: rtps", 13, "no plugin offers a driver 'rtps'"),
        *(line(number, f"# line {number}") for number in range(21, 40)),
    ],
}


async def test_mistakes_stand_at_their_lines(
    client: TestClient, house: ScriptedHouse, sign_in: SignIn
) -> None:
    """A few lines around each, what it is about marked, and the way there from the list."""
    await sign_in("it")
    house.configuration.files = [FILE]
    problem = {
        "file": "/etc/school.yaml", "line": 20, "column": 13, "path": "cameras.lobby.driver",
        "message": "no plugin offers a driver 'rtps'", "hint": "", "doc": "",
    }  # fmt: skip
    house.configuration.plan |= {"valid": False, "problems": [problem], "changes": []}
    text = await (await client.get("/configuration")).text()
    assert '<a href="#at-school-yaml-20">' in text
    assert '<li id="at-school-yaml-20" class="bad">' in text
    assert "    driver: <mark>rtps</mark>" in text
    assert "<b>Column 13</b> No plugin offers a driver &#39;rtps&#39;. Did you mean rtsp?" in text
    assert 'id="at-school-yaml-16"' in text
    assert 'id="at-school-yaml-15"' not in text


async def test_the_whole_file_is_shown_line_by_line(
    client: TestClient, house: ScriptedHouse, sign_in: SignIn, token: object
) -> None:
    """With its mistakes; programs get the same; a file that is gone is a sentence."""
    await sign_in("it")
    house.configuration.files = [FILE]
    text = await (await client.get("/configuration/text")).text()
    assert text.count("<li id=") == 39
    assert "1 mistake" in text
    auth = await token("it")  # type: ignore[operator]
    found = await (await client.get("/api/v1/configuration/text", headers=auth)).json()
    assert found == [FILE]
    house.configuration.refusal = "school.yaml: cannot be read; what ran runs on"
    answer = await client.get("/configuration/text")
    assert answer.status == 409
    assert "cannot be read" in await answer.text()
    assert (await client.get("/api/v1/configuration/text", headers=auth)).status == 409
    await sign_in("principal")
    assert (await client.get("/configuration/text")).status == 403
