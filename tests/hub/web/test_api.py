"""The API: shapes, verdicts, door commands and errors."""

import pytest
from aiohttp.test_utils import TestClient
from scripted_house import ScriptedHouse


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        ("cameras", "id", "lobby"),
        ("doors", "id", "main"),
        ("alerts", "id", "a1"),
        ("incidents", "id", "i1"),
        ("visits", "id", "v1"),
    ],
)
async def test_lists_are_lists(
    client: TestClient, token: object, path: str, key: str, value: str
) -> None:
    """Every list is a JSON array of the house's views, in its order."""
    answer = await client.get(f"/api/v1/{path}", headers=await token("principal"))  # type: ignore[operator]
    assert answer.status == 200
    found = await answer.json()
    assert isinstance(found, list)
    assert found[0][key] == value


async def test_single_things_and_what_is_not_there(client: TestClient, token: object) -> None:
    """One alert, one incident with its story, health; 404 says what to ask instead."""
    headers = await token("principal")  # type: ignore[operator]
    get = client.get
    assert (await (await get("/api/v1/alerts/a1", headers=headers)).json())["severity"] == "severe"
    story = await (await get("/api/v1/incidents/i1", headers=headers)).json()
    assert story["entries"][0]["type"] == "picture.saved"
    health = await (await get("/api/v1/health", headers=headers)).json()
    assert (health["state"], health["alerts_open"]) == ("degraded", 2)
    (model,) = await (await get("/api/v1/models", headers=headers)).json()
    assert (model["name"], model["shipped"], model["detectors"]) == ("people", True, ["people"])
    for path in ("alerts/none", "incidents/none", "nothing"):
        answer = await get(f"/api/v1/{path}", headers=headers)
        assert answer.status == 404
        assert set(await answer.json()) == {"type", "title", "status", "detail", "hint"}
    assert (await client.delete("/api/v1/doors", headers=headers)).status == 405


async def test_a_verdict_is_given_once_and_a_late_one_is_told_whose_stands(
    client: TestClient, house: ScriptedHouse, token: object
) -> None:
    """One verdict: 200 with the alert, then 409 with who decided what and when."""
    headers = await token("sro")  # type: ignore[operator]
    path = "/api/v1/alerts/a1/verdict"
    body = {"verdict": "verified", "note": "seen through the window"}
    answer = await client.post(path, json=body, headers=headers)
    assert answer.status == 200
    view = await answer.json()
    assert view["state"] == "verified"
    assert view["verdict"]["by"] == "sro script (token)"
    late = await client.post(path, json={"verdict": "dismissed"}, headers=headers)
    assert late.status == 409
    said = await late.json()
    assert said["verdict"]["verdict"] == "verified"
    assert said["detail"]
    assert said["hint"]
    assert house.alert_views["a1"]["verdict"]["note"] == "seen through the window"
    open_ones = await (await client.get("/api/v1/alerts?open=1", headers=headers)).json()
    assert [each["id"] for each in open_ones] == ["a2"]
    every = await (await client.get("/api/v1/alerts", headers=headers)).json()
    assert [each["id"] for each in every] == ["a2", "a1"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("", 400, "not valid JSON"),
        ("{", 400, "not valid JSON"),
        ("[]", 422, "body"),
        ("{}", 422, "verdict: is missing"),
        ('{"verdict": "perhaps"}', 422, "verdict"),
        ('{"verdict": "verified", "extra": 1}', 422, "extra"),
        ('{"verdict": "verified", "note": 5}', 422, "note"),
        ('{"verdict": "verified", "note": "' + "x" * 2001 + '"}', 422, "note"),
        ('{"verdict": "verified", "note": "' + "x" * 70_000 + '"}', 413, "too much"),
        ('{"verdict": "verified"} \ud83d', 400, "not valid JSON"),
    ],
)
async def test_a_bad_body_is_answered_in_words(
    client: TestClient, house: ScriptedHouse, token: object, body: str, status: int, said: str
) -> None:
    """What is wrong and what to send, never a traceback, and no verdict."""
    headers = {**await token("sro"), "Content-Type": "application/json"}  # type: ignore[operator]
    data = body.encode("utf-8", "surrogatepass")
    answer = await client.post("/api/v1/alerts/a1/verdict", data=data, headers=headers)
    assert answer.status == status
    problem = await answer.json()
    assert said in problem["detail"]
    assert house.alert_views["a1"]["state"] == "raised"


async def test_a_form_is_not_json(client: TestClient, token: object) -> None:
    """The API takes JSON by name, so that no plain form of another site ever fits."""
    headers = await token("sro")  # type: ignore[operator]
    answer = await client.post(
        "/api/v1/alerts/a1/verdict", data={"verdict": "verified"}, headers=headers
    )
    assert answer.status == 415


async def test_a_door_command_is_accepted_refused_or_unknown(
    client: TestClient, house: ScriptedHouse, token: object
) -> None:
    """202 with the key; 409 for a door that takes no lock; 404 and 422 in words."""
    headers = await token("sro")  # type: ignore[operator]

    async def ask(door: str, verb: str) -> tuple[int, dict[str, str]]:
        answer = await client.post(
            f"/api/v1/doors/{door}/commands",
            json={"verb": verb, "reason": "rounds"},
            headers=headers,
        )
        return answer.status, await answer.json()

    status, body = await ask("main", "lock")
    assert status == 202
    assert len(body["key"]) == 32
    assert house.commands == [("main", "lock", "sro script (token)", "rounds")]
    status, body = await ask("office", "lock")
    assert status == 409
    assert "egress" in body["detail"]
    assert (await ask("nowhere", "lock"))[0] == 404
    assert (await ask("main", "explode"))[0] == 422
    assert len(house.commands) == 1


async def test_what_is_wanted_of_a_door_can_be_given_an_end(
    client: TestClient, house: ScriptedHouse, token: object
) -> None:
    """`lasts_s` goes with the command; nothing and more than a week are refused."""
    headers = await token("sro")  # type: ignore[operator]
    for lasts, status in ((600, 202), (0, 422), (700_000, 422)):
        body = {"verb": "unlock", "lasts_s": lasts}
        answer = await client.post("/api/v1/doors/main/commands", json=body, headers=headers)
        assert answer.status == status
    assert house.kept_for == [600]


async def test_the_watchdog_learns_one_word_and_one_age(client: TestClient) -> None:
    """Without signing in: ok or degraded and how old the heartbeat is, no details."""
    answer = await client.get("/healthz")
    told = {"state": "degraded", "heartbeat_age_s": 60.0}
    assert (answer.status, await answer.json()) == (200, told)


async def test_a_picture_carries_its_age_and_costs_little_when_unchanged(
    client: TestClient, house: ScriptedHouse, token: object
) -> None:
    """The age comes from the file itself; asking again with the tag is answered 304."""
    headers = await token("sro")  # type: ignore[operator]
    house.take_picture("lobby")
    answer = await client.get("/pictures/cameras/lobby.jpg", headers=headers)
    assert answer.content_type == "image/jpeg"
    assert 0 <= float(answer.headers["X-Picture-Age"]) < 2
    assert answer.headers["Cache-Control"] == "no-store"
    assert (await answer.read())[:2] == b"\xff\xd8"
    again = {**headers, "If-None-Match": answer.headers["ETag"]}
    unchanged = await client.get("/pictures/cameras/lobby.jpg", headers=again)
    assert unchanged.status == 304
    assert unchanged.headers["X-Picture-Age"]
    house.take_picture("lobby", (300, 200))
    assert (await client.get("/pictures/cameras/lobby.jpg", headers=again)).status == 200
    kept = house.alert_views["a1"]["picture"]
    assert (await client.get(f"/media/{kept}", headers=headers)).status == 200
    assert (await client.get("/pictures/cameras/gym.jpg", headers=headers)).status == 404
