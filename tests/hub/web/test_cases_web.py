"""Cases on the pages and in the API: forms without a script, refusals in words, roles checked."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from scripted_house import ScriptedHouse

from hub.config import Config


class CaseHouse(ScriptedHouse):
    """A scripted house whose further incidents are those of its journal."""

    async def incident(self, incident: str) -> Any:
        if incident in self.incident_views:
            return self.incident_views[incident]
        return await self.cases.intake.incident(incident)

    async def incidents(self) -> list[Any]:
        return [*await super().incidents(), *await self.cases.intake.incidents()]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[CaseHouse]:
    """Its journal is open."""
    made = CaseHouse(tmp_path)
    await made.open()
    yield made
    await made.close()


class Reader:
    """Somebody signed in, who reads pages and sends their forms."""

    def __init__(self, client: TestClient, csrf: str) -> None:
        self.client = client
        self.csrf = csrf

    async def page(self, path: str, status: int = 200) -> str:
        answer = await self.client.get(path)
        assert answer.status == status, await answer.text()
        return html.unescape(await answer.text())

    async def send(self, path: str, fields: dict[str, Any], status: int = 303) -> str:
        """The address that the form leads to, or the page that refuses it."""
        data = [(name, value) for name, value in fields.items() if not isinstance(value, list)]
        data += [
            (n, each) for n, value in fields.items() if isinstance(value, list) for each in value
        ]
        answer = await self.client.post(
            path, data=[("csrf", self.csrf), *data], allow_redirects=False
        )
        assert answer.status == status, await answer.text()
        return answer.headers["Location"] if status == 303 else html.unescape(await answer.text())

    async def opened(self, **more: Any) -> str:
        fields = {"title": "Fall in the lobby", "kind": "medical", "severity": "high"}
        return await self.send("/incidents", fields | {"place": "lobby"} | more)


@pytest.fixture
def enter(client: TestClient, sign_in: Any) -> Any:
    """Sign somebody in."""

    async def of(role: str) -> Reader:
        return Reader(client, (await sign_in(role)).identity.csrf)

    return of


async def test_a_case_is_worked_on_by_forms_alone(enter: Any, house: CaseHouse) -> None:
    """Open, note, correct, lead, task, update, close, reopen: each a form that leads back."""
    sro = await enter("sro")
    case = await sro.opened()
    await sro.send(f"{case}/notes", {"text": "He can <b>move</b> his arm"})
    page = await sro.page(case)
    assert "The sro: He can <b>move</b> his arm" in page
    wrong = re.search(r'case\?corrects=(\w+)"', page)
    assert wrong is not None
    assert "He can <b>move</b> his arm" in await sro.page(f"{case}/case?corrects={wrong[1]}")
    await sro.send(f"{case}/notes", {"text": "The left one", "corrects": wrong[1]})
    assert "The sro corrects “" in await sro.page(case)
    assert "Written down 3" in await sro.page(f"{case}?show=case")
    await sro.send(f"{case}/roles", {"role": "commander"})
    page = await sro.page(case)
    assert "The sro is commander" in page
    assert "next update due" in page
    await sro.send(f"{case}/tasks", {"text": "Call the parents"})
    task = re.search(r'id="task-(\w+)"', await sro.page(case))
    assert task is not None
    await sro.send(f"{case}/tasks/{task[1]}", {"do": "taken"})
    await sro.send(f"{case}/tasks/{task[1]}", {"do": "done"})
    assert "Done by The sro: Call the parents" in await sro.page(case)
    await sro.send(f"{case}/updates", {"text": "He is fine"})
    await sro.send(f"{case}/kind", {"kind": "other"})
    await sro.send(f"{case}/close", {"why": "all is well"})
    page = await sro.page(case)
    assert "The sro closed the incident: all is well" in page
    assert f'action="{case}/tasks"' not in page
    assert f'action="{case}/notes"' in page
    await sro.send(f"{case}/reopen", {"why": ""})
    assert "The sro reopened the incident" in await sro.page(case)
    assert "Fall in the lobby" in await sro.page("/incidents")


async def test_a_form_that_is_sent_twice_is_one(enter: Any, house: CaseHouse) -> None:
    """The page's own key goes along with each form, and the second press changes nothing."""
    sro = await enter("sro")
    case = await sro.opened(key="0" * 32)
    assert await sro.opened(key="0" * 32) == case
    page = await sro.page(case)
    key = re.search(r'name="key" value="(\w+)"', page)
    assert key is not None
    for _ in range(2):
        await sro.send(f"{case}/notes", {"text": "Once", "key": key[1]})
        await sro.send(f"{case}/updates", {"text": "Once", "key": key[1]})
    page = await sro.page(case)
    assert page.count("<p>The sro: Once</p>") == page.count("tells how it stands: Once</p>") == 1
    assert re.search(r'name="key" value="(\w+)"', page)[1] != key[1]  # type: ignore[index]


async def test_merging_and_splitting_lead_both_ways(enter: Any, house: CaseHouse) -> None:
    """Each of two merged incidents has a link to the other; the one that ended takes no forms."""
    sro = await enter("sro")
    first, second = await sro.opened(), await sro.opened(title="The same fall")
    assert "The same fall" in await sro.page(f"{first}/case")
    assert await sro.send(f"{second}/merge", {"into": first.rpartition("/")[2]}) == first
    assert "Holds all of" in await sro.page(first)
    page = await sro.page(second)
    assert f'Goes on in <a href="{first}"' in page
    assert f'action="{second}/notes"' not in page
    refused = await sro.send(f"{first}/merge", {"into": first.rpartition("/")[2]}, status=409)
    assert "An incident cannot be merged into itself." in refused
    ring = await sro.send(f"{first}/merge", {"into": second.rpartition("/")[2]}, status=409)
    assert "was merged into" in ring


@pytest.mark.parametrize(
    ("path", "fields", "status", "says"),
    [
        ("notes", {"text": "x" * 4001}, 422, "at most 4000"),
        ("notes", {"text": "\u202e"}, 409, "A note needs a text."),
        ("notes", {}, 422, "is missing"),
        ("roles", {"role": "emperor"}, 422, "expected one of"),
        ("roles", {"role": "commander", "person": "ghost"}, 409, "Nobody is called 'ghost'"),
        ("tasks", {"text": "Look", "who": "ghost"}, 409, "Nobody is called 'ghost'"),
        ("tasks/none", {"do": "done"}, 409, "There is no such task"),
        ("split", {"title": "Another"}, 422, "Alerts: is missing."),
        ("split", {"title": "Another", "alerts": ["a", "b"]}, 409, "Choose alerts of this"),
        ("merge", {"into": "nowhere"}, 404, ""),
        ("report", {"form": "docx"}, 422, "expected one of"),
    ],
)
async def test_a_bad_form_is_refused_in_words(
    enter: Any, path: str, fields: dict[str, Any], status: int, says: str
) -> None:
    """The page comes again with what is wrong; nothing is written."""
    sro = await enter("sro")
    case = await sro.opened()
    refused = await sro.send(f"{case}/{path}", fields, status=status)
    if status != 404:
        problem = re.search(r"data-problem>(.*?)</p>", refused, re.DOTALL)
        assert problem is not None
        assert says in problem[1]
    assert (await sro.page(case)).count('<li><time datetime="') == 1


async def test_a_case_that_does_not_exist_is_not_found(enter: Any) -> None:
    """For pages, forms and programs alike."""
    sro = await enter("sro")
    await sro.page("/incidents/nowhere", status=404)
    await sro.page("/incidents/nowhere/case", status=404)
    await sro.send("/incidents/nowhere/notes", {"text": "Hello"}, status=404)
    await sro.send("/incidents/nowhere/report", {"form": "json"}, status=404)
    refused = await sro.send("/incidents", {"title": "x", "place": "moon"}, status=409)
    assert "There is no place 'moon'" in refused


async def test_who_may_only_read_sees_no_forms(enter: Any, house: CaseHouse) -> None:
    """A responder reads the story; forms and the case page are for those who may."""
    responder = await enter("responder")
    page = await responder.page("/incidents/i1")
    assert 'method="post"' not in page.partition('<div id="page"')[2]
    assert "/case" not in page
    assert 'action="/incidents"' not in await responder.page("/incidents")
    await responder.page("/incidents/i1/case", status=403)
    nurse = await enter("nurse")
    page = await nurse.page("/incidents/i1/case")
    assert "After-action report" not in page
    assert "Merge" not in page


async def test_the_page_says_what_else_is_near(enter: Any) -> None:
    """Doors with their three facts, cameras, visitors, and alerts farther away."""
    sro = await enter("sro")
    page = await sro.page("/incidents/i1")
    near = page.partition('id="near"')[2].partition("</section>")[0]
    for said in ("Science East", "Lock: jammed", "Science corridor", "2 visitors on site"):
        assert said in near, said
    assert "Where they are nobody knows" in near


async def test_a_visitor_system_that_fails_does_not_cost_the_page(
    enter: Any, house: CaseHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is on site is then left out; everything else is there."""

    async def gone() -> Any:
        raise ConnectionError("the visitor system is away")

    monkeypatch.setattr(house, "visits", gone)
    sro = await enter("sro")
    page = await sro.page(await sro.opened())
    assert "on site" not in page.partition('id="near"')[2].partition("</section>")[0]


async def test_near_in_the_api_is_null_where_the_role_may_not_see(
    client: TestClient, token: Any
) -> None:
    """A nurse sees visitors and alerts; cameras and doors are null, which is not none."""
    near = "/api/v1/incidents/i1/near"
    nurse = await (await client.get(near, headers=await token("nurse"))).json()
    assert nurse["cameras"] is nurse["doors"] is None
    assert len(nurse["visitors"]) == 2
    sro = await (await client.get(near, headers=await token("sro"))).json()
    assert [each["id"] for each in sro["cameras"]] == ["science"]
    assert {"requested", "reported", "physical"} <= sro["doors"][0].keys()
    missing = await client.get("/api/v1/incidents/none/near", headers=await token("admin"))
    assert missing.status == 404


async def test_programs_work_on_cases_too(client: TestClient, token: Any) -> None:
    """Each act answers with the incident as it is then; refusals are the words of the pages."""
    headers = await token("admin")

    async def post(path: str, body: dict[str, Any], status: int = 200) -> Any:
        answer = await client.post(f"/api/v1/incidents{path}", json=body, headers=headers)
        assert answer.status == status, await answer.text()
        return await answer.json()

    fields = {"title": "Smoke", "kind": "fire", "place": "lobby", "drill": True, "key": "k"}
    case = await post("", fields)
    at = f"/{case['id']}"
    assert case["drill"] is True
    assert (await post("", fields))["id"] == case["id"]
    view = await post(f"{at}/notes", {"text": "Seen", "key": "n"})
    assert await post(f"{at}/notes", {"text": "Seen", "key": "n"}) == view
    view = await post(f"{at}/tasks", {"text": "Count heads"})
    done = await post(f"{at}/tasks/{view['tasks'][0]['id']}", {"do": "done", "note": "all here"})
    assert done["tasks"][0]["note"] == "all here"
    assert (
        "expected one of `people:`"
        in (await post(f"{at}/roles", {"role": "liaison"}, 409))["detail"]
    )
    assert "at most 4000" in (await post(f"{at}/notes", {"text": "x" * 5000}, 422))["detail"]
    assert (await post("/none/notes", {"text": "x"}, 404))["hint"]
    await post(f"{at}/notes", {"text": "x", "colour": "red"}, 422)
    made = await post(f"{at}/report", {"form": "json"})
    assert made["incident"]["drill"] is True
    assert made["generated_by"] == "admin script (token)"
    assert (await post(f"{at}/close", {"why": "done"}))["state"] == "closed"
    assert "reopen it first" in (await post(f"{at}/tasks", {"text": "x"}, 409))["detail"]


async def test_the_report_is_a_file_to_keep(enter: Any, client: TestClient) -> None:
    """PDF and JSON come as attachments with plain names; the story says who took them."""
    auditor = await enter("admin")
    case = await auditor.opened()
    for form, kind, start in (
        ("pdf", "application/pdf", b"%PDF"),
        ("json", "application/json", b"{"),
    ):
        answer = await client.post(f"{case}/report", data={"csrf": auditor.csrf, "form": form})
        assert answer.content_type == kind
        named = answer.headers["Content-Disposition"]
        assert re.fullmatch(rf'attachment; filename="incident-\w{{12}}\.{form}"', named)
        assert (await answer.read()).startswith(start)
    assert "The admin took the report away as PDF" in await auditor.page(case)


async def test_a_drill_and_a_wrong_clock_are_said_on_the_page(enter: Any, house: CaseHouse) -> None:
    """Whoever reads sees at once that it is a drill, and which source's time is off."""
    sro = await enter("sro")
    page = await sro.page(await sro.opened(drill="yes"))
    assert "<h1>DRILL: Fall in the lobby</h1>" in page
    assert "This incident is a drill" in page
    story = house.incident_views["i1"]["entries"]
    story[0]["clock"] = "its clock is 1h ahead of the hub's"
    assert "Its clock is 1h ahead of the hub's." in await sro.page("/incidents/i1")


async def test_the_case_page_keeps_to_the_policy(enter: Any) -> None:
    """No inline style or script, one h1, a label for each field, and the budget."""
    sro = await enter("sro")
    for path in ("/incidents/i1/case", "/incidents/i1", "/incidents"):
        answer = await sro.client.get(path)
        page = await answer.text()
        assert "style=" not in page
        assert page.count("<h1") == 1
        assert len(page.encode()) < 40_000
        shown = page.partition('<div id="page"')[2]
        for field in re.findall(r'<(?:input|select|textarea) class="input" id="([\w-]+)"', shown):
            assert f'for="{field}"' in shown, field
        ids = re.findall(r' id="([^"]+)"', page)
        assert len(ids) == len(set(ids)), path


async def test_a_watchdog_hears_how_old_the_heartbeat_is(
    client: TestClient, house: CaseHouse, token: Any
) -> None:
    """Anybody may ask; the answer is the state and an age, or null before the first beat. The
    health page says when it came through.
    """
    answer = await (await client.get("/healthz")).json()
    assert answer == {"state": "degraded", "heartbeat_age_s": 60.0}
    headers = await token("viewer")
    page = await (await client.get("/health", headers=headers)).text()
    assert re.search(r"<dt>Heartbeat</dt><dd>\S+ <small>took 0.0 s, every 5m</small>", page)
    house.health_view["heartbeat"] |= {"age_s": None, "last": None, "trouble": "it is stuck"}
    page = await (await client.get("/health", headers=headers)).text()
    assert "<dt>Heartbeat</dt><dd>does not come through" in page
    assert (await (await client.get("/healthz")).json())["heartbeat_age_s"] is None


async def test_the_call_card_is_read_and_the_call_is_noted(enter: Any) -> None:
    """Whom to call stands there to be tapped; that somebody did is a line of the story, once."""
    sro = await enter("sro")
    case = await sro.opened()
    assert f'href="{case}/call"' in await sro.page(case)
    page = await sro.page(f"{case}/call")
    assert 'href="tel:911"' in page
    assert "Lobby, Ground floor" in page
    key = re.search(r'name="key" value="(\w+)"', page)
    assert key is not None
    assert await sro.send(f"{case}/called", {"key": key[1]}) == case
    once = (await sro.page(case)).count("The sro: Called 911")
    assert once
    await sro.send(f"{case}/called", {"key": key[1]})
    assert (await sro.page(case)).count("The sro: Called 911") == once
    assert 'href="tel:' not in await sro.page(f"{await sro.opened(drill='yes')}/call")
    await sro.page("/incidents/nothing/call", 404)


async def test_a_call_is_noted_where_the_case_goes_on(enter: Any) -> None:
    """A telephone that still shows the card of what was merged: what is pressed there counts."""
    sro = await enter("sro")
    first, second = await sro.opened(), await sro.opened(title="The same fall")
    await sro.send(f"{first}/merge", {"into": second.rpartition("/")[2]})
    assert await sro.send(f"{first}/called", {"key": "k"}) == second
    assert "The sro: Called 911" in await sro.page(second)


async def test_the_call_card_for_programs(enter: Any, client: TestClient) -> None:
    """The same lines as JSON, and 404 in words."""
    sro = await enter("sro")
    case = await sro.opened()
    card = await (await client.get(f"/api/v1{case}/call-card")).json()
    assert card["number"] == "911"
    assert card["lines"][1] == {"ask": "Exactly", "say": "Lobby, Ground floor"}
    assert (await client.get("/api/v1/incidents/nothing/call-card")).status == 404


async def test_who_may_only_take_reports_away_finds_them(enter: Any, house: CaseHouse) -> None:
    """An auditor, who may not work on the case, has the report on the incident's own page."""
    sro = await enter("sro")
    case = await sro.opened()
    auditor = await enter("auditor")
    page = await auditor.page(case)
    assert f'href="{case}/case' not in page
    assert re.findall(rf'action="{case}/(\w+)"', page) == ["report", "report"]
    answer = await auditor.client.post(
        f"{case}/report", data={"csrf": auditor.csrf, "form": "json"}
    )
    assert (answer.status, (await answer.json())["generated_by"]) == (200, "The auditor")
    principal = await enter("principal")
    assert "After-action report" not in await principal.page(case)
    assert "After-action report" in await principal.page(f"{case}/case")


async def test_where_nobody_was_told_the_page_says_so(enter: Any) -> None:
    """An update in a case that was opened by hand reaches nobody."""
    sro = await enter("sro")
    assert "so nobody hears this" in await sro.page(await sro.opened())


def with_station(house: CaseHouse) -> None:
    """A monitoring station joins by reload."""
    raw = house.config.model_dump(by_alias=True)
    raw["hub"]["emergency"]["hand_off"] = ["station"]
    raw["notifiers"] = {"station": {"driver": "x", "name": "Monitoring station"}}
    changed = Config.model_validate(raw)
    house.config = changed
    house.cases.intake.reconfigure(changed, house.campus)


async def test_a_case_is_handed_over_from_its_call_card(
    enter: Any, house: CaseHouse, client: TestClient
) -> None:
    """Asked once more without a script, then done once; card and API say what came of it."""
    sro = await enter("sro")
    case = await sro.opened()
    assert "Hand over" not in await sro.page(f"{case}/call")
    with_station(house)
    page = await sro.page(f"{case}/call")
    assert "Nothing has been sent there" in page
    key = re.search(r'name="key" value="(\w+)"', page)
    assert key is not None
    asked = await sro.send(f"{case}/hand-off", {"key": key[1]}, 200)
    assert "Hand it over to emergency services?" in asked
    assert "Nothing has happened yet" in asked
    sure = {"key": key[1], "sure": "held"}
    for _ in range(2):
        assert await sro.send(f"{case}/hand-off", sure) == f"{case}/call"
    page = await sro.page(f"{case}/call")
    assert "Under way" in page
    assert "Call 911" in page
    card = await (await client.get(f"/api/v1{case}/call-card")).json()
    assert [(way["channel"], way["state"]) for way in card["hand_off"]] == [("station", "pending")]
    refused = await sro.send(f"{case}/hand-off", {"key": "other", "sure": "held"}, 409)
    assert "It was handed over already" in refused
    await sro.page("/incidents/nothing/call", 404)


async def test_programs_hand_a_case_over(enter: Any, house: CaseHouse, client: TestClient) -> None:
    """Refusals in words, a body that is checked, and only who may."""
    sro = await enter("sro")
    case = await sro.opened()
    path, csrf = f"/api/v1{case}/hand-off", {"X-CSRF-Token": sro.csrf}
    answer = await client.post(path, json={"key": "k"}, headers=csrf)
    assert answer.status == 409
    assert "no way to hand it over" in (await answer.json())["detail"]
    assert (await client.post(path, json={"by": "me"}, headers=csrf)).status == 422
    nowhere = "/api/v1/incidents/nothing/hand-off"
    assert (await client.post(nowhere, json={}, headers=csrf)).status == 404
    viewer = await enter("auditor")
    assert "Hand over" not in await viewer.page(f"{case}/call")
    answer = await client.post(path, json={}, headers={"X-CSRF-Token": viewer.csrf})
    assert answer.status == 403


async def test_law_2_no_token_hands_a_case_over(
    enter: Any, token: Any, house: CaseHouse, client: TestClient
) -> None:
    """A program with a role that may is refused all the same, by the API and by the page: it may
    read the card, and a person presses.
    """
    sro = await enter("sro")
    case = await sro.opened()
    head = await token("sro")
    for path in (f"/api/v1{case}/hand-off", f"{case}/hand-off"):
        body = {"json": {}} if "api" in path else {"data": {"sure": "held"}}
        answer = await client.post(path, headers=head, **body)
        assert answer.status == 403
        assert "only a person hands an incident over" in await answer.text()
    assert (await client.get(f"/api/v1{case}/call-card", headers=head)).status == 200


async def test_the_card_of_a_merged_case_hands_over_the_one_that_goes_on(
    enter: Any, house: CaseHouse
) -> None:
    """Whoever stands on the old page can press there, and what was called off asks for it again."""
    sro = await enter("sro")
    case, into = await sro.opened(), await sro.opened()
    with_station(house)
    await house.cases.merge(case.rpartition("/")[2], into.rpartition("/")[2], "sro")
    page = await sro.page(f"{case}/call")
    assert f'action="{into}/hand-off"' in page
    assert await sro.send(f"{into}/hand-off", {"key": "k", "sure": "held"}) == f"{into}/call"
    await house.cases.close(into.rpartition("/")[2], "sro")
    await house.cases.reopen(into.rpartition("/")[2], "sro")
    page = await sro.page(f"{into}/call")
    assert "Called off" in page
    assert f'action="{into}/hand-off"' in page
