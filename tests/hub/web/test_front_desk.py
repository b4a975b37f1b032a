"""The front office at eight o'clock: who is sought, who was not announced, what is printed."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiohttp.test_utils import TestClient
from scripted_house import ScriptedHouse
from test_pages import see, text_of

from hub import Context, Event, Refused, WalkIn
from hub.clock import from_iso
from hub.config import VisitorBlock
from hub.testing import FakeClock
from hub.web.language import known, speak
from plugins.visitors.desk import Desk, DeskConfig

NEW = {"desk": "front", "visitor": "Pat Doe", "host": "Class 2", "purpose": "", "until": ""}


async def raw(client: TestClient, path: str) -> str:
    """A page as it is sent."""
    return await (await client.get(path)).text()


def later(house: ScriptedHouse, **span: float) -> str:
    """What a clock at the school shows then."""
    there = house.clock.now().astimezone(ZoneInfo(house.config.hub.timezone))
    return f"{there + timedelta(**span):%H:%M}"


async def test_a_visitor_is_found_by_any_word(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """Name, host, reason and badge, without accents or capitals; the counts stay those of all."""
    await sign_in("front_office")
    house.visit_views[1].update(visitor="Zoë Müller", host="Class 4b", badge="27")
    for asked in ("zoe", "muller 4B", "27", "Class maintenance"):
        page = await see(client, f"/visitors?q={asked}")
        assert "Zoë Müller" in page
        assert "Contractor, heating" not in page
        assert "1 of 4 visits of today have this" in page
        assert "2 on site, 1 expected" in page
    page = await see(client, "/visitors?q=nobody+such")
    assert "Nobody on site has this" in page
    assert "Nobody expected has this" in page
    assert "Contractor, heating" in await see(client, "/visitors?q=%20")
    assert 'value="&lt;b&gt;&#34;"' in await raw(client, "/visitors?q=<b>%22")


async def test_who_was_not_announced_is_entered_and_gets_a_badge(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """One form: on the list, compared, in; then the badge with name, host, number and hours."""
    opened = await sign_in("front_office")
    csrf = {"csrf": opened.identity.csrf}
    page = await raw(client, "/visitors/new")
    assert f'value="{later(house, hours=1)[:4]}' in page
    form = {**csrf, **NEW, "visitor": " Pat\n Doe ", "until": later(house, hours=2)}
    done = await client.post("/visitors/new", data=form)
    badge = text_of(await done.text())
    assert str(done.url.relative()) == "/visitors/front/w4/badge"
    for said in ("Pat Doe", "Class 2", "9", later(house, hours=2), house.config.hub.name):
        assert said in badge
    view = house.visit_views[-1]
    stays = from_iso(view["until"]) - house.clock.now()
    assert timedelta(minutes=118) < stays <= timedelta(hours=2)
    again = await client.post("/visitors/new", data=form)
    assert again.status == 409
    words = text_of(await again.text())
    assert "Pat Doe is already checked in" in words
    assert 'value="Class 2"' in await (await client.post("/visitors/new", data=form)).text()


async def test_the_desk_may_say_that_it_is_another_person(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """A name that is on the list is refused with who that is and since when, and a box that says
    that this is somebody else; ticked, they are checked in too.
    """
    opened = await sign_in("front_office")
    form = {"csrf": opened.identity.csrf, **NEW, "until": later(house, hours=1)}
    await client.post("/visitors/new", data=form)
    assert "namesakes" not in await raw(client, "/visitors/new")
    asked = await client.post("/visitors/new", data=form)
    page = await asked.text()
    assert (asked.status, text_of(page).count("badge 9.")) == (409, 1)
    assert 'name="namesakes" value="1"' in page
    done = await client.post("/visitors/new", data={**form, "namesakes": "1"})
    assert str(done.url.relative()).endswith("/badge")
    assert (await client.post("/visitors/new", data={**form, "namesakes": "1"})).status == 409
    for silly in ("-1", "99", "all"):
        answer = await client.post("/visitors/new", data={**form, "namesakes": silly})
        assert (answer.status, 'value="2"' in await answer.text()) == (409, True)


async def test_what_cannot_be_is_said_and_nothing_is_lost(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """No name, a time that is none or over, too long: nobody is entered, what was typed stays."""
    opened = await sign_in("front_office")
    before = len(house.visit_views)
    for wrong, said in (
        ({"visitor": "  "}, "name and whom they visit are needed"),
        ({"until": "soon"}, "no time"),
        ({"until": later(house, minutes=-90)}, "That time is over"),
        ({"host": "x" * 121}, "too long"),
    ):
        form = {**NEW, "until": later(house, hours=1), **wrong, "csrf": opened.identity.csrf}
        answer = await client.post("/visitors/new", data=form)
        assert answer.status == 409
        page = await answer.text()
        assert said in text_of(page)
        assert "Pat Doe" in page or not form["visitor"].strip()
    assert len(house.visit_views) == before
    form = {**NEW, "desk": "gate", "until": later(house, hours=1), "csrf": opened.identity.csrf}
    assert (await client.post("/visitors/new", data=form)).status == 404


async def test_a_name_on_the_list_is_asked_about_at_once(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """Unannounced or not: the question first, and no badge before it is answered."""
    opened = await sign_in("front_office")
    house.not_admitted["Pat Doe"] = "Court order"
    form = {**NEW, "until": later(house, hours=1), "csrf": opened.identity.csrf}
    asked = await client.post("/visitors/new", data=form)
    assert str(asked.url.relative()) == "/visitors/front/w4/match"
    assert "Court order" in text_of(await asked.text())
    badge = await client.get("/visitors/front/w4/badge")
    assert str(badge.url.relative()) == "/visitors"
    assert (await client.get("/visitors/front/none/badge")).status == 404


async def test_where_no_desk_takes_them_there_is_no_form(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """No button that leads nowhere; and none for who may only look."""
    house.desks_open.clear()
    await sign_in("front_office")
    assert "/visitors/new" not in await raw(client, "/visitors")
    assert (await client.get("/visitors/new")).status == 404
    house.desks_open.append("front")
    await sign_in("nurse")
    page = await raw(client, "/visitors")
    assert "/visitors/new" not in page
    assert "/badge" not in page
    assert "/visitors/roll" in page
    assert (await client.get("/visitors/new")).status == 403


async def test_the_list_for_paper_has_everybody_and_says_what_is_missing(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """All who are here by name, with host, badge and since when; a silent desk is named; opening
    it is noted once, and its keeping current is not.
    """
    await sign_in("principal")
    house.desks_silent.append("gate_house")
    page = await see(client, "/visitors/roll")
    assert page.index("Contractor, heating") < page.index("Parent, grade 4")
    for said in (
        "2 visitors on site",
        "Badge 1",
        "Facilities",
        "As of",
        "does not know which pupils",
    ):
        assert said in page
    assert "Gate house does not say who is here" in page
    assert "Speech therapist" not in page, "who has gone"
    await client.get("/visitors/roll", headers={"Sec-Fetch-Dest": "empty"})
    assert house.rolls == [("The principal", 2)]


async def test_an_evacuation_leads_to_the_list(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """Whoever looks how far one is has the list a press away while it is in force, where there is a
    desk; a lockdown, in which nobody walks out, does not offer it.
    """
    await sign_in("principal")
    started = [await house.protocols.start(n, "school", "SRO") for n in ("evacuate", "lockdown")]
    pages = [f"/protocols/{each['id']}" for each in started]
    assert not any(["/visitors/roll" in await raw(client, each) for each in pages]), "no desk"
    desk = VisitorBlock(driver="desk", place="lobby")
    house.config = house.config.model_copy(update={"visitors": {"front": desk}})
    assert ["/visitors/roll" in await raw(client, each) for each in pages] == [True, False]


async def test_a_program_enters_somebody_too(
    client: TestClient, house: ScriptedHouse, token: Callable[[str], Awaitable[dict[str, str]]]
) -> None:
    """Expected by it, in by check-in; an hour is what is meant where it says no end."""
    headers = await token("front_office")
    body = {"desk": "front", "visitor": "Pat Doe", "host": "Class 2"}
    answer = await client.post("/api/v1/visits", json=body, headers=headers)
    view = await answer.json()
    assert (answer.status, view["state"], view["badge"]) == (200, "expected", "")
    stays = from_iso(view["until"]) - house.clock.now()
    assert timedelta(minutes=59) < stays <= timedelta(hours=1)
    assert (await client.post("/api/v1/visits", json=body, headers=headers)).status == 409
    another = {**body, "namesakes": 1}
    assert (await client.post("/api/v1/visits", json=another, headers=headers)).status == 200
    assert (await client.post("/api/v1/visits", json=another, headers=headers)).status == 409
    nowhere = {**body, "visitor": "Sam Doe", "desk": "nowhere"}
    assert (await client.post("/api/v1/visits", json=nowhere, headers=headers)).status == 404
    for wrong in ({"host": ""}, {"visitor": " \n "}, {"until": "soon"}):
        answer = await client.post("/api/v1/visits", json={**body, **wrong}, headers=headers)
        assert answer.status == 422, wrong


async def test_what_the_desk_says_itself_is_said_in_the_readers_language(tmp_path: Path) -> None:
    """Each refusal and each match of the built-in desk, also after it has crossed a process as
    plain English.
    """
    (tmp_path / "list.csv").write_text(
        "visitor,host,purpose,from,until\nPlumber,Office,,00:00,23:59\n"
    )
    stop = tmp_path / "stop.csv"
    stop.write_text("name,reason\nPlumber,\n")
    clock = FakeClock(datetime(2026, 3, 2, 8, 0, tzinfo=UTC))
    context = Context(
        "front", clock=clock, state=tmp_path, config_folder=tmp_path, timezone="UTC", publish=hear
    )
    desk = Desk(DeskConfig(file=Path("list.csv"), do_not_admit=Path("stop.csv")), context)
    await desk.start()
    (visit,) = await desk.visits()
    plumber = WalkIn("Plumber", "Office", "", clock.now() + timedelta(hours=1))
    said = [(await desk.screen("Plumber")).reason]
    said += [await refused(desk.check_out(visit.id)), await refused(desk.register(plumber))]
    said += [await refused(desk.register(replace(plumber, until=clock.now())))]
    await desk.check_in(visit.id)
    said += [await refused(desk.check_in(visit.id)), await refused(desk.check_in("none"))]
    await desk.check_out(visit.id)
    said += [await refused(desk.check_in(visit.id))]
    stop.write_text("nonsense\n")
    said += [(await desk.screen("Somebody")).reason]
    await desk.close()
    speak("es")
    try:
        for each in said:
            assert known(each) == known(str.__str__(each)) != str.__str__(each)
        assert known(said[0]).endswith("no se da ningún motivo")
    finally:
        speak("en")


async def refused(act: Awaitable[object]) -> str:
    """What is said where the desk does not do something."""
    with pytest.raises(Refused) as refusal:
        await act
    said: str = refusal.value.args[0]
    return said


async def hear(*events: Event) -> None:
    """What the desk tells is of no interest here."""
