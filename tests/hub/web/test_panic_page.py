"""The page of an enrolled device, and enrolling one: start-only, nobody signs in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient
from scripted_house import ScriptedHouse
from scripted_protocols import SECRET
from test_pages import text_of
from test_protocol_pages import hidden

import hub.web
from hub.web.devices import DEVICE_COOKIE

STATIC = Path(hub.web.__file__).with_name("static")


async def enrolled(client: TestClient) -> str:
    """Make the client the device of Room 12; the proof that its forms carry."""
    answer = await client.post("/panic/enrol", data={"code": SECRET}, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, "/panic")
    page = await (await client.get("/panic")).text()
    return hidden(page, "csrf")[0]


async def test_a_device_is_enrolled_and_its_link_is_shown_once(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """The answer has the link as text, with the code where no server sees it; no later page has."""
    csrf = (await sign_in("principal")).identity.csrf
    form = {"csrf": csrf, "name": "Gym desk", "place": "lobby"}
    page = text_of(await (await client.post("/devices", data=form)).text())
    device = house.protocols.device_views[-1]["id"]
    assert f"/panic#vsd_{device}" in page
    assert "Gym desk is enrolled" in page
    again = text_of(await (await client.get("/devices")).text())
    assert "Gym desk" in again
    assert f"vsd_{device}" not in again
    await client.post(f"/devices/{device}/revoke", data={"csrf": csrf})
    assert "Revoked" in text_of(await (await client.get("/devices")).text())
    bad = await client.post("/devices", data={**form, "place": "nowhere"})
    assert "Nothing was changed. No place nowhere." in text_of(await bad.text())


async def test_a_browser_that_is_not_enrolled_sees_nothing_of_the_school(
    client: TestClient, house: ScriptedHouse
) -> None:
    """It is asked for a code; a wrong one leads nowhere, and guesses are slowed down."""
    page = text_of(await (await client.get("/panic")).text())
    assert "Enrol this device" in page
    assert "Lockdown" not in page
    answers = [await client.post("/panic/enrol", data={"code": f"vsd_{n}"}) for n in range(31)]
    assert answers[0].status == 401
    assert answers[-1].status == 429
    refused = await client.post("/panic/lockdown", data={"sure": "held"})
    assert refused.status == 401
    assert house.protocols.starts == []


async def test_the_page_of_a_device_shows_two_gestures_and_no_data(
    client: TestClient, house: ScriptedHouse
) -> None:
    """Lockdown and help; no camera, no alert, no door, no way into the console."""
    await enrolled(client)
    page = await (await client.get("/panic")).text()
    text = text_of(page)
    for part in ("Room 12", "Lockdown", "Hold 1.5 s", "Ask for help"):
        assert part in text
    for part in ("/pictures/", "/alerts", "/doors", 'href="/"', "Science East", "console.js"):
        assert part not in page, part
    assert (await client.get("/", allow_redirects=False)).status == 303
    assert (await client.get("/api/v1/doors")).status == 401


async def test_a_press_starts_lockdown_at_the_place_once(
    client: TestClient, house: ScriptedHouse
) -> None:
    """Without a script a second page asks; the hub's yes is shown, and nothing more."""
    csrf = await enrolled(client)
    form = {"csrf": csrf, "key": "p1"}
    asked = await (await client.post("/panic/lockdown", data=form)).text()
    assert "Start Lockdown?" in text_of(asked)
    assert house.protocols.starts == []
    for _ in range(2):
        answer = await client.post("/panic/lockdown", data={**form, "sure": "held"})
        page = text_of(await answer.text())
        assert "Lockdown is in force Locks, lights, out of sight." in page
        assert "of 3" not in page
    assert len(house.protocols.runs) == 1
    assert house.protocols.starts[0]["device"] == "Room 12"
    other = (await house.protocols.start("secure", "upper", "SRO"))["id"]
    for proof in ("", "made up", csrf):
        page = text_of(await (await client.get(f"/panic?run={other}&proof={proof}")).text())
        assert "Secure" not in page
        assert "Ask for help" in page


async def test_a_press_that_joins_what_others_have_started_is_answered_too(
    client: TestClient, house: ScriptedHouse
) -> None:
    """Lockdown is in force already, by somebody else: the device says that it was taken. What is
    started on top of it is what the device then says.
    """
    csrf = await enrolled(client)
    run = (await house.protocols.start("lockdown", "school", "SRO", key="theirs"))["id"]
    house.protocols.keys["mine"] = run
    form = {"csrf": csrf, "sure": "held", "key": "mine"}
    answer = await client.post("/panic/lockdown", data=form)
    assert "Lockdown is in force Locks, lights, out of sight." in text_of(await answer.text())
    await house.protocols.start("evacuate", "school", "SRO", location="The church hall")
    page = text_of(await (await client.get(answer.url.relative())).text())
    assert "Evacuate is in force The church hall." in page
    assert "Locks, lights" not in page


async def test_an_old_page_that_is_sent_again_never_looks_like_a_start(
    client: TestClient, house: ScriptedHouse
) -> None:
    """What it has started once has ended since: it says so, and the page it answers with starts."""
    csrf = await enrolled(client)
    form = {"csrf": csrf, "sure": "held", "key": "p1"}
    await client.post("/panic/lockdown", data=form)
    (run,) = house.protocols.runs
    await house.protocols.ask_end(run, "SRO")
    await house.protocols.end(run, "Head")
    answer = await client.post("/panic/lockdown", data=form)
    page = await answer.text()
    assert answer.status == 409
    assert "This page has started Lockdown before, and that has ended." in text_of(page)
    form["key"] = next(key for key in hidden(page, "key") if not key.endswith("h"))
    answer = await client.post("/panic/lockdown", data=form)
    assert "Lockdown is in force" in text_of(await answer.text())
    assert len(house.protocols.runs) == 2


async def test_a_device_that_cannot_lock_down_where_it_stands_says_so(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """On its own page and in the list, before somebody presses."""
    house.protocols.device_views[0]["trouble"] = "it stands outside Upper school"
    await enrolled(client)
    page = text_of(await (await client.get("/panic")).text())
    assert "Do not rely on this device: it stands outside Upper school." in page
    await sign_in("principal")
    assert "It stands outside Upper school." in text_of(await (await client.get("/devices")).text())


async def test_a_form_from_elsewhere_starts_nothing(
    client: TestClient, house: ScriptedHouse
) -> None:
    """Another site, or a page without this device's proof, is refused; the page is fresh then."""
    csrf = await enrolled(client)
    foreign = {"Origin": "https://elsewhere.example"}
    sure = {"sure": "held", "csrf": csrf}
    answer = await client.post("/panic/lockdown", data=sure, headers=foreign)
    assert answer.status == 403
    answer = await client.post("/panic/lockdown", data={"sure": "held", "csrf": "made up"})
    assert "The page is fresh now: press again." in text_of(await answer.text())
    answer = await client.post("/panic/lockdown", data={"sure": "held", "csrf": "máde up"})
    assert answer.status == 403
    assert house.protocols.starts == []


async def test_help_is_asked_for_and_taken_back(client: TestClient, house: ScriptedHouse) -> None:
    """It raises an alert at the device's place and starts nothing; ten seconds to take it back."""
    csrf = await enrolled(client)
    page = text_of(await (await client.post("/panic/help", data={"csrf": csrf})).text())
    assert "Help is asked for" in page
    assert "Take it back, within 10 s" in page
    assert house.protocols.helped[0]["place"] == "science"
    assert house.protocols.starts == []
    await client.post("/panic/help/a9/correct", data={"csrf": csrf})
    assert house.alert_views["a9"]["state"] == "dismissed"
    house.protocols.refusal_of_help = "it can be taken back for ten seconds"
    late = await client.post("/panic/help/a9/correct", data={"csrf": csrf})
    said = "Help is still asked for. It can be taken back for ten seconds."
    assert said in text_of(await late.text())


async def test_a_revoked_device_can_do_nothing_any_more(
    client: TestClient, house: ScriptedHouse
) -> None:
    """Its page asks for a code again, and a press that comes late starts nothing."""
    csrf = await enrolled(client)
    await house.protocols.revoke("d1", "IT")
    answer = await client.post("/panic/lockdown", data={"csrf": csrf, "sure": "held"})
    assert answer.status == 401
    assert house.protocols.starts == []
    assert "Enrol this device" in text_of(await (await client.get("/panic")).text())


async def test_the_cookie_of_a_device_goes_nowhere_else(client: TestClient) -> None:
    """No script reads it, no other site sends it, no other page of the hub is sent it."""
    answer = await client.post("/panic/enrol", data={"code": SECRET}, allow_redirects=False)
    cookie = answer.headers["Set-Cookie"]
    for part in (DEVICE_COOKIE, "HttpOnly", "SameSite=Strict", "Path=/panic"):
        assert part in cookie


def test_the_dark_of_a_lockdown_is_the_dark_that_people_choose() -> None:
    """Both stand in a file of their own, and say the same."""
    files = {name: (STATIC / f"{name}.css").read_text("utf-8") for name in ("tokens", "dark")}
    chosen = files["tokens"].split(':root[data-theme="dark"] {')[1].split("}")[0]
    assert files["dark"].split(":root:root:root {")[1].split("}")[0] == chosen
