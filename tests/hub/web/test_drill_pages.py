"""The pages and the API of drills: a plan, its start, how it went, the log; no script runs here."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiohttp.test_utils import TestClient
from drilled_house import MORNING, drilled
from scripted_house import ScriptedHouse
from test_pages import see
from test_protocol_pages import press

from hub.audit_port import Asked
from hub.drill_views import DrillWanted
from hub.errors import Refused
from hub.web.drill_log import rows
from hub.web.drills import at_school

PLAN = {
    "protocol": "lockdown", "area": "school", "day": "2026-03-09", "time": "10:30",
    "leader": "officer", "note": "Bring the list", "doors_real": "1", "key": "k",
}  # fmt: skip
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[ScriptedHouse]:
    """A school with real protocols and drills."""
    made = drilled(tmp_path)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def csrf(sign_in: Any) -> str:
    """A principal is signed in; what their forms carry."""
    return str((await sign_in("principal")).identity.csrf)


async def planned(house: ScriptedHouse, **changes: Any) -> str:
    """A drill that the principal has planned in a week; its id."""
    fields = {"protocol": "lockdown", "area": "school", "due": MORNING + timedelta(days=7)}
    return str((await house.drills.make(DrillWanted(**(fields | changes)), "head"))["id"])


async def drill(house: ScriptedHouse, **more: Any) -> str:
    """A drill of Lockdown that was held; its id."""
    run = await house.protocols.start("lockdown", "school", "head", drill=True, **more)
    house.clock.set(house.clock.now() + timedelta(minutes=4))
    await house.protocols.ask_end(run["id"], "head")
    return str(run["id"])


async def test_the_year_says_at_one_glance_what_is_missing(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """Nothing held: all is to plan; planned ones are told from those that nobody has planned."""
    page = await see(client, "/drills")
    assert "Drills 2025/26 Still to plan: 2 of Lockdown and 1 of Evacuate." in page
    await planned(house)
    await drill(house)
    page = await see(client, "/drills")
    assert "Still to plan: 1 of Evacuate." in page
    assert "Lockdown 1 of 2 held 1 to hold, planned" in page
    await planned(house, protocol="evacuate")
    assert "All that is missing is planned." in await see(client, "/drills")
    assert "No drill was held in this school year yet." in await see(client, "/drills?year=2026")
    for strange in ("abc", "99999", "0000", "²⁰²⁶"):
        assert (await client.get("/drills", params={"year": strange})).status == 404


async def test_a_drill_is_planned_by_form_and_starts_from_its_plan(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """The plan leads to the start page with all of it chosen; a press there starts the drill, which
    belongs to the plan; the plan is then over.
    """
    where, _ = await press(client, "/drills", csrf, **PLAN)
    again, _ = await press(client, "/drills", csrf, **PLAN)
    assert again == where, "a form that is sent twice is one plan"
    assert "Planned: Lockdown" not in await see(client, "/protocols")
    house.clock.set(MORNING + timedelta(days=7))
    assert "Planned: Lockdown, 10:30:00" in await see(client, "/protocols")
    page = await (await client.get(where)).text()
    assert "Mon 9 Mar, 10:30" in page
    start = re.search(r'id="start" href="([^"]+)"', page)
    assert start is not None
    link = start[1].replace("&amp;", "&")
    opened = await (await client.get(link)).text()
    assert "Planned drill: Lockdown, Mon 9 Mar, 10:30" in opened
    assert 'id="ask-evacuate"' not in opened
    form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', opened))
    assert (form["drill"], form["doors_real"]) == ("1", "1")
    assert "announce" not in form
    fields = {name: form[name] for name in ("protocol", "area", "drill", "doors_real", "plan")}
    run, _ = await press(client, "/protocols/start", csrf, **fields, key="x", sure="held")
    view = await house.drills.plan(where.rpartition("/")[2])
    assert (view["state"], view["run"]) == ("held", run.rpartition("/")[2])
    assert "How it went" in await see(client, where)
    _, refused = await press(client, "/protocols/start", csrf, 409, **fields, key="y", sure="held")
    assert "This drill has been started before." in refused


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"day": "2026-03-01"}, "That time is over: when is it to be?"),
        ({"day": ""}, "Say the day and the time at which it is to begin."),
        ({"time": "25:00"}, "Say the day and the time at which it is to begin."),
        ({"day": "2026-03-29", "time": "02:30"}, "The clocks go forward then"),
        ({"leader": "nobody"}, "Nobody of `people:` is called 'nobody'"),
        ({"protocol": "panic"}, "There is no protocol 'panic' here"),
    ],
)
async def test_a_form_that_cannot_be_planned_says_why_and_keeps_what_was_written(
    client: TestClient, house: ScriptedHouse, csrf: str, changes: dict[str, str], words: str
) -> None:
    """Nothing is planned, and nothing has to be written again."""
    answer = await client.post("/drills", data={"csrf": csrf, **PLAN, **changes})
    page = await answer.text()
    assert answer.status == 409
    assert "Nothing was planned." in page
    assert words in page.replace("&#39;", "'")
    assert 'value="Bring the list"' in page
    assert (await house.drills.year())["plans"] == []


async def test_a_plan_is_changed_and_called_off(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """The form has what was planned; a drill that was called off stays on record with the reason,
    and offers nothing more.
    """
    plan = await planned(house)
    form = await (await client.get(f"/drills/{plan}/change")).text()
    assert 'value="2026-03-09"' in form
    assert 'value="09:00"' in form
    await press(client, f"/drills/{plan}/change", csrf, **PLAN)
    assert "Mon 9 Mar, 10:30" in await see(client, f"/drills/{plan}")
    await press(client, f"/drills/{plan}/call-off", csrf, why="Snow")
    page = await see(client, f"/drills/{plan}")
    assert "Called off by The principal" in page
    assert "To the start" not in page
    assert "Snow." in await see(client, "/drills")
    _, refused = await press(client, f"/drills/{plan}/call-off", csrf, 409)
    assert "This drill has been called off." in refused
    for path in ("/drills/none", "/drills/none/change", "/drills/held/none"):
        assert (await client.get(path)).status == 404


async def test_what_people_saw_is_written_once_it_is_over_and_stands_beside_what_was_measured(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """Answers, own words, whether it counts; a second report of the same person takes the place of
    their first.
    """
    run = (await house.protocols.start("lockdown", "school", "head", drill=True))["id"]
    assert "The drill goes on." in await see(client, f"/drills/held/{run}")
    _, early = await press(client, f"/drills/held/{run}/saw", csrf, 409, text="Too early")
    assert "Write what you saw once it is over." in early
    house.clock.set(MORNING + timedelta(minutes=4))
    await house.protocols.ask_end(run, "head")
    said = {"lights": "yes", "sight": "no", "text": "Row one stood\n<b>at the window</b>"}
    await press(client, f"/drills/held/{run}/saw", csrf, **said)
    page = await (await client.get(f"/drills/held/{run}")).text()
    assert "<b>at the window</b>" not in page
    assert "&lt;b&gt;at the window" in page
    text = await see(client, f"/drills/held/{run}")
    assert "Yes Lights were out No Everybody was out of sight Row one stood" in text
    assert "In force for 4 min 00 s" in text
    assert "Account for everyone" in text
    assert "2026-03-02" in text
    await press(client, f"/drills/held/{run}/saw", csrf, not_counted="1")
    text = await see(client, f"/drills/held/{run}")
    assert "This drill does not count" in text
    assert "Row one stood" not in text
    real = (await house.protocols.start("lockdown", "school", "head"))["id"]
    assert (await client.get(f"/drills/held/{real}")).status == 404


async def test_the_log_of_a_year_is_a_page_and_a_table_and_taking_it_is_audited(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """A line for each drill, by the school's clock; no cell is a formula; the audit says who took
    it.
    """
    plan = await planned(house, note="=1+1")
    await house.drills.call_off(await planned(house, protocol="evacuate"), "head", "-Snow")
    await drill(house, plan=plan)
    page = await see(client, "/drill-log?year=2025")
    assert "Lockdown, Mon 2 Mar, 09:00 School. Started by Mr Head. Lasted 4 min 00 s." in (
        page.replace("Lincoln School", "School")
    )
    answer = await client.post("/drill-log", data={"csrf": csrf, "year": "2025"})
    assert answer.status == 200
    assert 'filename="drills-2025-26.csv"' in answer.headers["Content-Disposition"]
    table = list(csv.DictReader(io.StringIO((await answer.read()).decode("utf-8-sig"))))
    assert [row["state"] for row in table] == ["held", "called_off"]
    assert table[0]["started"] == "2026-03-02 09:00"
    assert (table[0]["planned_for"], table[0]["minutes"]) == ("2026-03-09 09:00", "4.0")
    assert [row["note"] for row in table] == ["'=1+1", "'-Snow"]
    lines = (await house.audit.view(Asked()))["lines"]
    assert [each["act"] for each in lines if each["act"] == "drill.exported"]
    assert list(rows(await house.drills.year(2026), BERLIN)) == []


@pytest.mark.parametrize(
    ("role", "sees", "plans", "writes", "takes"),
    [
        ("principal", 200, 200, 303, 200),
        ("nurse", 200, 403, 303, 403),
        ("auditor", 200, 403, 403, 200),
        ("it", 403, 403, 403, 403),
        ("responder", 403, 403, 403, 403),
    ],
)
async def test_each_role_sees_plans_and_writes_what_it_may(
    client: TestClient, house: ScriptedHouse, sign_in: Any, role: str, sees: int, plans: int,
    writes: int, takes: int,
) -> None:  # fmt: skip
    """`see.drills` to see, `plan.drills` to plan, `work.incidents` to write, `export.incidents`
    to take the table away; whoever may not plan is offered nothing of it.
    """
    run, plan = await drill(house), await planned(house)
    csrf = (await sign_in(role)).identity.csrf
    for path in ("/drills", "/drill-log", f"/drills/{plan}", f"/drills/held/{run}"):
        answer = await client.get(path)
        assert answer.status == sees, path
        assert ("Change the plan" in await answer.text()) == (
            path == f"/drills/{plan}" and plans == 200
        )
    assert (await client.get("/drills/new")).status == plans
    for path, status in ((f"/drills/held/{run}/saw", writes), ("/drill-log", takes)):
        form = {"csrf": csrf, "year": "2025"}
        answer = await client.post(path, data=form, allow_redirects=False)
        assert answer.status == status, path


async def test_the_api_plans_tells_and_writes(
    client: TestClient, house: ScriptedHouse, token: Any
) -> None:
    """The whole way of a program: plan, change, start with the plan, report, table; the same key
    twice is one plan.
    """
    head = await token("principal")
    base = "/api/v1/drills"

    async def ask(path: str, status: int = 200, **body: Any) -> Any:
        answer = await client.post(path, json=body, headers=head)
        assert answer.status == status, await answer.text()
        return await answer.json() if "json" in answer.content_type else await answer.text()

    wanted = {"protocol": "lockdown", "area": "school", "due": "2026-03-09T10:30:00+01:00"}
    plan = await ask(base, 201, **wanted, key="a")
    assert plan["due"] == "2026-03-09T09:30:00.000Z"
    assert (await ask(base, 201, **wanted, key="a"))["id"] == plan["id"]
    problem = await ask(base, 409, **wanted, leader="nobody")
    assert "nobody of `people:` is called 'nobody'" in problem["detail"]
    await ask(base, 422, protocol="lockdown", area="school", due="")
    await ask(base, 422, protocol="lockdown", area="school", due="tomorrow")
    plan = await ask(f"{base}/{plan['id']}/change", **wanted, leader="officer")
    assert plan["leader_name"] == "Ms Officer"
    other = await ask(base, 201, **wanted)
    assert (await ask(f"{base}/{other['id']}/call-off", why="Snow"))["state"] == "called_off"
    run = await ask("/api/v1/protocols/lockdown/start", area="school", drill=True, plan=plan["id"])
    await house.protocols.ask_end(run["id"], "head")
    report = await ask(f"{base}/held/{run['id']}/saw", answers={"lights": "yes"}, text="Good")
    assert report["evaluations"][0]["by"] == "principal script (token)"
    assert report["plan"]["run"] == run["id"]
    await ask(f"{base}/held/{run['id']}/saw", 422, answers={"weather": "yes"})
    year = await (await client.get(f"{base}?year=2025", headers=head)).json()
    assert [(e["held"], e["missing"]) for e in year["needs"]] == [(1, 1), (0, 1)]
    assert (await client.get(f"{base}/{plan['id']}", headers=head)).status == 200
    assert (await ask("/api/v1/drill-log", year=2025)).startswith("\ufeffstate,drill,place")
    for strange in (f"{base}/none", f"{base}/held/none"):
        assert (await client.get(strange, headers=head)).status == 404
    assert (await client.get(f"{base}?year=x", headers=head)).status == 422


@pytest.mark.parametrize(
    ("day", "hour", "moment"),
    [
        ("2026-03-09", "10:30", "2026-03-09T09:30"),
        ("2026-07-01", "10:30", "2026-07-01T08:30"),
        ("2026-10-25", "02:30", "2026-10-25T00:30"),
        ("2026-03-29", "03:00", "2026-03-29T01:00"),
    ],
)
def test_a_time_is_that_of_the_schools_clock(day: str, hour: str, moment: str) -> None:
    """In summer as in winter; of an hour that comes twice the first."""
    assert at_school(day, hour, BERLIN) == datetime.fromisoformat(moment).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "hour"), [("2026-03-29", "02:00"), ("2026-02-30", "10:00"), ("0001-01-01", "00:00")]
)
def test_a_time_that_never_comes_is_refused(day: str, hour: str) -> None:
    """One that the clocks leave out, one that no calendar has."""
    with pytest.raises(Refused):
        at_school(day, hour, BERLIN)


async def test_a_narrowed_role_learns_nothing_of_drills_by_what_it_may_write(
    client: TestClient, house: ScriptedHouse, sign_in: Any, token: Any
) -> None:
    """Who sees a part of the house sees no drills of the whole, neither by page nor by program."""
    may = ["work.incidents", "export.incidents", "see.drills", "see.incidents"]
    guard = {"name": "Guard", "may": may, "places": ["lobby"]}
    roles = house.config.model_dump(by_alias=True)["roles"] | {"guard": guard}
    house.config = type(house.config).model_validate(
        house.config.model_dump(by_alias=True, exclude_unset=True) | {"roles": roles}
    )
    run = await drill(house)
    csrf = (await sign_in("guard")).identity.csrf
    assert (await client.get("/drills")).status == 403
    for path in (f"/drills/held/{run}/saw", "/drill-log"):
        answer = await client.post(path, data={"csrf": csrf, "year": "2025"})
        assert answer.status == 404, path
    head = await token("guard")
    answer = await client.post(f"/api/v1/drills/held/{run}/saw", json={}, headers=head)
    assert answer.status == 404
