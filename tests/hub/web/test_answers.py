"""Taking an alert on, resolving it and trusting its rule again: by form and by API."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from scripted_house import ScriptedHouse


async def press(client: TestClient, csrf: str, path: str, **fields: str) -> tuple[int, str, str]:
    """Status, body and where the answer leads."""
    answer = await client.post(path, data={"csrf": csrf, **fields}, allow_redirects=False)
    return answer.status, await answer.text(), answer.headers.get("Location", "")


async def test_the_page_offers_what_makes_sense(
    client: TestClient, sign_in: Any, house: ScriptedHouse
) -> None:
    """Take it on while nobody has it, Resolve once it is verified, and nothing once it is over."""
    session = await sign_in("sro")
    house.raise_alert("b1", "high", "Door forced open")
    page = await (await client.get("/alerts/b1")).text()
    assert "Take it on" in page
    assert "/alerts/b1/resolve" not in page
    status, _, to = await press(
        client, session.identity.csrf, "/alerts/b1/acknowledge", back="/alerts/b1"
    )
    assert (status, to) == (303, "/alerts/b1")
    page = await (await client.get("/alerts/b1")).text()
    assert "Taken on" in page
    assert "/alerts/b1/acknowledge" not in page
    status, page, _ = await press(client, session.identity.csrf, "/alerts/b1/resolve")
    assert status == 409
    assert "Nobody has said yet whether this is real" in page
    await house.verdict("b1", "verified", "sro")
    assert (await press(client, session.identity.csrf, "/alerts/b1/resolve", note="gone"))[0] == 303
    page = await (await client.get("/alerts/b1")).text()
    assert "Over since" in page
    assert "gone" in page
    assert "/alerts/b1/resolve" not in page


async def test_a_late_press_is_told_who_has_it(
    client: TestClient, sign_in: Any, house: ScriptedHouse
) -> None:
    """Whoever comes second reads who was first."""
    session = await sign_in("sro")
    house.raise_alert("b2", "high", "Door forced open")
    await house.acknowledge("b2", "The principal")
    status, page, _ = await press(client, session.identity.csrf, "/alerts/b2/acknowledge")
    assert status == 409
    assert "The principal already took this alert on" in page
    assert (await press(client, session.identity.csrf, "/alerts/none/acknowledge"))[0] == 404
    assert (await press(client, session.identity.csrf, "/alerts/none/resolve"))[0] == 404


async def test_the_ladder_and_what_is_unheard_are_shown(
    client: TestClient, sign_in: Any, house: ScriptedHouse
) -> None:
    """People read who will be called and when, and that nobody has received the alert."""
    await sign_in("sro")
    steps = [
        {"step": 1, "due": house.ago(60), "who": "Officer through Post", "state": "told"},
        {"step": 2, "due": house.ago(-60), "who": "Principal through Phone", "state": "waiting"},
    ]
    house.raise_alert(
        "b3", "severe", "Panic", ladder={"name": "Severe", "steps": steps}, unheard=house.ago(5)
    )
    page = await (await client.get("/alerts/b3")).text()
    assert "If nobody takes it on" in page
    assert "Principal through Phone." in page
    assert "Unless somebody takes it on before." in page
    for path in ("/alerts/b3", "/"):
        assert "Nobody has received this." in await (await client.get(path)).text()


async def test_a_demoted_rule_may_be_trusted_again(
    client: TestClient, sign_in: Any, house: ScriptedHouse
) -> None:
    """The alert's page says that its rule is only reviewed, and a press ends that."""
    session = await sign_in("front_office")
    house.raise_alert("b4", "check", "Person", matched=["only reviewed, for this rule gave 3"])
    assert "Trust this rule again" not in await (await client.get("/alerts/b4")).text()
    house.alert_views["b4"]["reviewed"] = True
    page = await (await client.get("/alerts/b4")).text()
    assert "Trust this rule again" in page
    assert (await press(client, session.identity.csrf, "/alerts/b4/restore-rule"))[0] == 303
    assert house.restored == [("closed_wing", "science", session.identity.by)]
    assert (await press(client, session.identity.csrf, "/alerts/none/restore-rule"))[0] == 404


async def test_who_may_only_look_may_not_answer(
    client: TestClient, sign_in: Any, house: ScriptedHouse
) -> None:
    """Answering needs the permission that a verdict needs."""
    session = await sign_in("viewer")
    house.raise_alert("b5", "high", "Door forced open")
    assert "Take it on" not in await (await client.get("/alerts/b5")).text()
    for path in ("acknowledge", "resolve", "restore-rule"):
        assert (await press(client, session.identity.csrf, f"/alerts/b5/{path}"))[0] == 403


async def test_programs_answer_too(client: TestClient, token: Any, house: ScriptedHouse) -> None:
    """The API takes an alert on, resolves it and restores a rule, and refuses in words."""
    head = await token("sro")
    house.raise_alert("b6", "high", "Door forced open")

    async def post(path: str, body: Any) -> tuple[int, Any]:
        answer = await client.post(f"/api/v1/{path}", json=body, headers=head)
        return answer.status, await answer.json() if answer.status != 204 else None

    status, refused = await post("alerts/b6/resolve", {"note": "x"})
    assert status == 409
    assert refused["detail"].startswith("nobody has said yet")
    status, view = await post("alerts/b6/acknowledge", {})
    assert status == 200
    assert view["acknowledged"]["by"]
    assert (await post("alerts/b6/acknowledge", {"note": "x"}))[0] == 422
    await house.verdict("b6", "verified", "sro")
    status, view = await post("alerts/b6/resolve", {})
    assert status == 200
    assert view["resolved"]["note"] == ""
    assert (await post("alerts/none/acknowledge", {}))[0] == 404
    assert (await post("rules/closed_wing/restore", {"camera": "science"}))[0] == 204
    assert (await post("rules/none/restore", {"camera": ""}))[0] == 404
    assert (await post("rules/closed_wing/restore", {}))[0] == 422


async def test_a_stuck_journal_does_not_keep_the_alert_from_its_reader(
    client: TestClient, sign_in: Any, house: ScriptedHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That somebody has seen it cannot be written then; the page comes all the same."""
    await sign_in("sro")
    house.raise_alert("b9", "severe", "Panic")
    monkeypatch.setattr("hub.web.pages.OPENED_WITHIN_S", 0.01, raising=False)

    async def stuck(alert: str, by: str) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(house, "opened", stuck)
    async with asyncio.timeout(20):
        assert "Panic" in await (await client.get("/alerts/b9")).text()


async def test_a_page_that_fetches_itself_again_was_opened_by_nobody(
    client: TestClient, sign_in: Any, house: ScriptedHouse
) -> None:
    """It may lie open on an empty desk: only who goes to it has seen the alert."""
    await sign_in("sro")
    house.raise_alert("b8", "severe", "Panic")
    for headers in ({}, {"Sec-Fetch-Dest": "document"}, {"Sec-Fetch-Dest": "empty"}):
        assert (await client.get("/alerts/b8", headers=headers)).status == 200
    assert [alert for alert, _ in house.looked] == ["b8", "b8"]
