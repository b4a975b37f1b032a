"""Places, cameras and hours of a role: nothing beyond them leaves the hub, by whatever address."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from narrowed_school import BEYOND, BY_DAY, narrowed
from scripted_house import ScriptedHouse

from hub.events import Event, new_id
from hub.identity import accounts
from hub.identity.permissions import PERMISSIONS, ROLES, WHOLE_HOUSE, may
from hub.ports import HouseFacade
from hub.web.routes import ROUTES, Route
from hub.web.security import HOUSE, PUBLIC, SIGNED_IN
from hub.web.server import create_app
from hub.web.sight import SeenHouse
from hub.web.stream import Streams

PRIVATE = [route for route in ROUTES if route.permission not in (PUBLIC, "guest")]
READ = [route for route in PRIVATE if route.method == "GET"]
STREAMS = ("/live", "/api/v1/events", "/api/v1/stream", "/cameras/{id}/stream")
FOR_EVERYBODY = ("/protocols", "/api/v1/protocols", "/help", "/api/v1/help", "/me", "/api/v1/me")
"""What is in force, calls for help and one's own account: no place limits them."""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[ScriptedHouse]:
    made = narrowed(tmp_path)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def by_night(tmp_path: Path) -> AsyncIterator[ScriptedHouse]:
    """Every role holds by night only."""
    made = narrowed(tmp_path, hours=True)
    await made.open()
    yield made
    await made.close()


def addresses(route: Route, names: dict[str, list[str]]) -> list[str]:
    """The route's path with each of the names in its gaps."""
    kind = re.match(r"/(?:api/v1/|pictures/)?(\w+)", route.path)
    found = names.get(kind[1] if kind else "", ["a1"])
    filled = {"task": "t1", "desk": "back", "sha256": "ab" * 32, "run": "r1", "link": "x"}

    def fill(name: str) -> str:
        return re.sub(r"{(\w+)}", lambda gap: filled.get(gap[1], name), route.path)

    return [fill(name) for name in found] if "{" in route.path else [route.path]


def beyond(house: ScriptedHouse) -> dict[str, list[str]]:
    """The ids of what lies beyond, by the word at the head of an address."""
    pictures = [house.alert_views[each]["picture"] for each in ("a1", "b2")]
    return {
        "alerts": ["a1", "a2"],
        "cameras": ["science", "yard", "gym"],
        "doors": ["science_east", "stair_b"],
        "incidents": ["i1"],
        "visitors": ["v2", "v4"],
        "media": pictures,
    }


async def test_no_address_shows_a_guard_what_lies_beyond(
    client: TestClient, house: ScriptedHouse, token: Any
) -> None:
    """Every page, list, badge, picture and answer of the API, asked by a role that may everything
    in one place: none holds a word of what lies elsewhere, and what is elsewhere is not there.
    """
    headers = await token("guard")
    for route in READ:
        if route.path in STREAMS:
            continue
        for path in addresses(route, beyond(house)):
            answer = await client.get(path, headers=headers, allow_redirects=False)
            body = await answer.read()
            assert BEYOND.encode() not in body, path
            assert answer.status < 500, path
            gone = "{" in route.path and not path.startswith(FOR_EVERYBODY)
            if gone and "models" not in path:
                assert answer.status in (403, 404, 410), (path, answer.status)


async def test_no_address_lets_a_guard_act_on_what_lies_beyond(
    client: TestClient, house: ScriptedHouse, token: Any
) -> None:
    """No verdict, no command, no note, no report and no visitor of another place."""
    headers = await token("guard")
    before = json.dumps([house.alert_views, house.door_views, house.visit_views])
    for route in PRIVATE:
        if route.method == "GET" or "{" not in route.path or route.path.startswith(FOR_EVERYBODY):
            continue
        for path in addresses(route, beyond(house)):
            for body in ({"verdict": "verified"}, {"verb": "unlock"}, {"text": "x"}, {}):
                answer = await client.post(path, headers=headers, json=body, allow_redirects=False)
                form = await client.post(path, headers=headers, data=body, allow_redirects=False)
                for each in (answer, form):
                    assert each.status >= 400, (path, body)
                    assert BEYOND.encode() not in await each.read(), path
    assert json.dumps([house.alert_views, house.door_views, house.visit_views]) == before
    assert house.commands == house.looked == []


async def test_what_lies_within_is_all_there(
    client: TestClient, house: ScriptedHouse, token: Any
) -> None:
    """The guard of the lobby works there as anybody else would."""
    headers = await token("guard")

    async def ids(path: str) -> list[str]:
        return [each["id"] for each in await (await client.get(path, headers=headers)).json()]

    assert await ids("/api/v1/cameras") == ["lobby"]
    assert await ids("/api/v1/doors") == ["main", "gym", "office"]
    assert sorted(await ids("/api/v1/alerts")) == ["b1", "b2"]
    assert await ids("/api/v1/incidents") == ["i2"]
    assert await ids("/api/v1/visits") == ["v1", "v3"]
    answer = await client.post(
        "/api/v1/alerts/b1/verdict", headers=headers, json={"verdict": "verified"}
    )
    assert answer.status == 200
    unlock = {"verb": "unlock", "reason": "delivery"}
    answer = await client.post("/api/v1/doors/main/commands", headers=headers, json=unlock)
    assert answer.status == 202
    picture = house.alert_views["b1"]["picture"]
    for path in ("/pictures/cameras/lobby.jpg", f"/media/{picture}", "/cameras/lobby"):
        assert (await client.get(path, headers=headers)).status == 200


async def test_a_door_that_closes_off_another_place_is_seen_and_not_moved(
    client: TestClient, house: ScriptedHouse, token: Any
) -> None:
    """From its other side it is a door to look at: it offers no verb, and takes none."""
    headers = await token("guard")
    doors = {e["id"]: e for e in await (await client.get("/api/v1/doors", headers=headers)).json()}
    assert doors["gym"]["verbs"] == []
    assert doors["main"]["verbs"] != []
    body = {"verb": "unlock", "reason": "x"}
    answer = await client.post("/api/v1/doors/gym/commands", headers=headers, json=body)
    assert answer.status == 409
    assert "not yours to command" in await answer.text()
    assert house.commands == []


async def test_an_alert_follows_its_place_and_its_picture_the_camera(
    client: TestClient, token: Any
) -> None:
    """An alert of the lobby that a camera elsewhere has seen is there, without that picture."""
    headers = await token("guard")
    view = await (await client.get("/api/v1/alerts/b2", headers=headers)).json()
    assert view["title"] == "Seen from elsewhere"
    assert (view["picture"], view["camera"], view["box"]) == (None, "", None)


async def test_of_an_incident_across_places_each_sees_their_part(
    client: TestClient, house: ScriptedHouse, token: Any
) -> None:
    """Own alerts, own doors, own pictures, and what people wrote; its report is for who sees all
    of it.
    """
    headers = await token("guard")
    view = await (await client.get("/api/v1/incidents/i2", headers=headers)).json()
    assert [each["text"] for each in view["entries"]] == [
        "Person seen in Lobby",
        "Seen in Lobby by another",
        "Written down by somebody",
    ]
    assert [bool(each["picture"]) for each in view["entries"]] == [True, False, False]
    assert [each["id"] for each in view["alerts"]] == ["b1"]
    assert view["actions"] == []
    for form in ("pdf", "json"):
        answer = await client.post(
            "/api/v1/incidents/i2/report", headers=headers, json={"form": form}
        )
        assert answer.status == 409
        assert "somebody who sees all of it" in await answer.text()


async def test_what_others_have_just_decided_elsewhere_is_not_shown(
    client: TestClient, house: ScriptedHouse, token: Any
) -> None:
    """For ten seconds a decided alert stays on the page of those who see it, and on no other."""
    decide = {"verdict": "dismissed"}
    for alert in ("a1", "b1"):
        path = f"/api/v1/alerts/{alert}/verdict"
        assert (await client.post(path, headers=await token_of(house), json=decide)).status == 200
    page = await client.get("/", headers=await token("guard"))
    text = await page.text()
    assert page.status == 200
    assert BEYOND not in text
    assert "/alerts/b1" in text


async def test_health_and_badges_count_what_lies_within(client: TestClient, token: Any) -> None:
    """Two alerts wait in the lobby; troubles of the hub itself stay, those of others go."""
    view = await (await client.get("/api/v1/health", headers=await token("guard"))).json()
    assert view["alerts_open"] == 2
    assert view["problems"] == ["the disk is nearly full"]
    assert view["notes"] == []
    assert "science" not in [each["id"] for each in view["drivers"]]


async def test_a_list_of_cameras_narrows_pictures_alone(
    client: TestClient, house: ScriptedHouse, token: Any
) -> None:
    """Such a role sees every alert, and pictures of its cameras only."""
    headers = await token("watcher")
    alerts = await (await client.get("/api/v1/alerts", headers=headers)).json()
    assert {each["id"]: bool(each["picture"]) for each in alerts} == {
        "a1": False, "a2": False, "b1": True, "b2": False,
    }  # fmt: skip
    for camera, status in (("lobby", 200), ("science", 404), ("yard", 404)):
        answer = await client.get(f"/pictures/cameras/{camera}.jpg", headers=headers)
        assert answer.status == status
    for alert, status in (("b1", 200), ("b2", 404), ("a1", 404)):
        name = house.alert_views[alert]["picture"]
        assert (await client.get(f"/media/{name}", headers=headers)).status == status


async def token_of(house: ScriptedHouse, role: str = "sro") -> dict[str, str]:
    """The header of a new token."""
    name = new_id()
    made: str = await house.journal_write(
        lambda c: accounts.create_token(c, name, role, roles=house.config.roles)
    )
    return {"Authorization": f"Bearer {made}"}


async def frames(answer: ClientResponse, last: int) -> list[int]:
    """The numbers of the events that come, up to one."""
    found: list[int] = []
    while not found or found[-1] < last:
        line = (await asyncio.wait_for(answer.content.readline(), 20)).decode()
        assert line, "the stream ended"
        if line.startswith("id: "):
            found.append(int(line[4:]))
    return found


async def test_the_stream_of_events_holds_only_what_lies_within(
    client: TestClient, house: ScriptedHouse, token: Any
) -> None:
    """Past and present events alike; of one that names no place, camera or door nobody can tell,
    so it is left out, but for protocols and the hub itself.
    """
    headers = await token("guard")

    def happens() -> None:
        house.publish("zone.entered", "camera/lobby", "lobby", camera="lobby", place="lobby")  # 1
        house.publish("zone.entered", "camera/science", "science", camera="science", place="lobby")
        house.publish("door.opened", "door/main", "main")  # 3
        house.publish("door.opened", "door/stair_b", "stair_b")
        house.publish("door.refused", "person/A", "stair_b", door="stair_b")
        house.publish("alert.raised", "rule/x", "a1", place="science", camera="science")
        house.publish("alert.raised", "rule/x", "b1", place="lobby", camera="lobby")  # 7
        house.publish("incident.note", "person/A", "i1", text=BEYOND)
        house.publish("protocol.started", "person/A", "lockdown")  # 9

    happens()
    answer = await client.get("/api/v1/events?after=0", headers=headers)
    assert await frames(answer, 9) == [1, 3, 7, 9]
    happens()
    assert await frames(answer, 18) == [10, 12, 16, 18]
    answer.close()


async def test_hours_end_whatever_a_role_may(by_night: ScriptedHouse) -> None:
    """Routes x roles by day, of roles that hold by night: all is refused but what everybody signed
    in has, and starting a protocol, which no hour takes away.
    """
    by_night.clock.set(BY_DAY)
    async with TestClient(TestServer(create_app(by_night, Streams(beat_s=0.2)))) as client:
        for role in (*ROLES, "guard"):
            headers = await token_of(by_night, role)
            for route in PRIVATE:
                if route.path in STREAMS or not may(role, route.permission):
                    continue
                path = addresses(route, {})[0]
                answer = await client.request(
                    route.method, path, headers=headers, allow_redirects=False
                )
                kept = route.permission in ("start.protocols", SIGNED_IN)
                assert kept or answer.status == 403, (role, route.method, path)
                if route.permission == "start.protocols":
                    assert answer.status != 403, (role, path)
            refused = await (await client.get("/api/v1/doors", headers=headers)).text()
            if may(role, "see.doors"):
                assert "at this hour" in refused
                assert "nights" in refused
            text = await (await client.get("/", headers=headers)).text()
            assert BEYOND not in text, role


async def test_streams_end_with_the_hours_of_their_reader(by_night: ScriptedHouse) -> None:
    """Somebody who looks when their hours end sees no further event; a page is told to look anew,
    and the next picture is refused.
    """
    app = create_app(by_night, Streams(beat_s=0.2, page_beat_s=0.2, write_deadline_s=0.5))
    async with TestClient(TestServer(app)) as client:
        headers = await token_of(by_night, "sro")
        events = await client.get("/api/v1/events", headers=headers)
        page = await client.get("/live", headers=headers)
        picture = "/pictures/cameras/lobby.jpg"
        assert (await client.get(picture, headers=headers)).status == 200
        by_night.clock.set(BY_DAY)
        assert (await client.get(picture, headers=headers)).status == 403
        assert await asyncio.wait_for(events.content.read(), 20) is not None
        said = ""
        while "event: changed" not in said:
            said = (await asyncio.wait_for(page.content.readline(), 20)).decode()
        page.close()


async def test_a_role_that_changes_is_felt_by_open_streams(
    client: TestClient, house: ScriptedHouse, token: Any
) -> None:
    """A changed configuration narrows what an open stream gives from then on."""
    headers = await token("guard")
    events = await client.get("/api/v1/events", headers=headers)
    house.publish("door.opened", "door/main", "main")
    assert await frames(events, 1) == [1]
    roles = {"guard": {"may": sorted(PERMISSIONS), "places": ["yard"]}}
    house.config = house.config.model_validate(
        {**house.config.model_dump(by_alias=True), "roles": roles}
    )
    house.publish("door.opened", "door/main", "main")
    house.publish("protocol.started", "person/A", "lockdown")
    assert await frames(events, 3) == [3]
    events.close()


def test_every_question_to_the_house_is_answered_by_what_is_seen() -> None:
    """A question that is added to the facade has to be thought of here: nothing passes unasked."""
    asked = {name for name in vars(HouseFacade) if not name.startswith("_")}
    asked |= set(HouseFacade.__annotations__)
    answered = {name for name in vars(SeenHouse) if not name.startswith("_")}
    assert asked <= answered


async def test_pages_know_the_house_only_as_it_is_seen(house: ScriptedHouse) -> None:
    """No handler can reach the whole house by mistake."""
    assert isinstance(create_app(house)[HOUSE], SeenHouse)


async def test_seeing_a_hundred_cameras_costs_little(tmp_path: Path) -> None:
    """What is asked with every page takes microseconds: names are looked up, not worked out."""
    from time import process_time

    from hub.identity.reach import reach_of
    from hub.web.within import seen_event

    house = narrowed(tmp_path)
    config = house.config.model_dump(by_alias=True)
    camera = {"driver": "simulated", "place": "lobby"}
    config["cameras"] = {f"c{number}": camera for number in range(100)}
    house.config = house.config.model_validate(config)
    reach = reach_of("guard", house.config, house.campus)
    happened = Event("zone.entered", "camera/c7", house.clock.now(), "c7", {"camera": "c7"})
    best = 1.0
    for _ in range(5):
        start = process_time()
        for _ in range(1000):
            seen_event(happened, reach)
        best = min(best, process_time() - start)
    assert best / 1000 < 100e-6


def test_what_is_of_the_whole_house_is_named() -> None:
    """The audit, rules, drills and all that manages: no role with places or cameras holds it."""
    managing = {each for each in PERMISSIONS if each.startswith("manage.")}
    assert managing | {"see.audit", "see.rules", "see.drills", "plan.drills"} == WHOLE_HOUSE
