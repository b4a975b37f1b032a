"""The pages as plain documents: what they say, without a script."""

import re

import pytest
from aiohttp.test_utils import TestClient
from conformance import DIFFERS
from scripted_house import ScriptedHouse

from hub.errors import StateError
from hub.testing import FakeClock
from hub.web.recent import RecentVerdicts

PAGES = (
    "/",
    "/alerts/a1",
    "/alerts/a2",
    "/cameras",
    "/cameras?columns=3",
    "/cameras/lobby",
    "/cameras/gym",
    "/doors",
    "/doors/main",
    "/doors/office",
    "/incidents",
    "/incidents/i1",
    "/incidents/i1?show=doors",
    "/visitors",
    "/health",
    "/more",
    "/health/past",
    "/models/" + "ab" * 32,
    "/me",
    "/protocols",
    "/protocols?drill=1&doors_real=1",
    "/protocols?protocol=shelter",
    "/devices",
)


def text_of(page: str) -> str:
    """What a reader sees, in one line."""
    bare = re.sub(r"<(script|style|title)[^>]*>.*?</\1>|<[^>]+>", " ", page, flags=re.S)
    return " ".join(bare.replace("&#39;", "'").split())


async def see(client: TestClient, path: str) -> str:
    """The text of a page."""
    answer = await client.get(path)
    assert answer.status == 200, path
    return text_of(await answer.text())


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_keeps_to_the_policy_and_the_budget(
    client: TestClient, sign_in: object, path: str
) -> None:
    """No inline script or style, nothing from elsewhere, one h1, a skip link, under 40 KB."""
    await sign_in("admin")  # type: ignore[operator]
    page = await (await client.get(path)).text()
    assert "style=" not in page
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"\bon\w+=", page)
    assert not re.search(r'(?:src|href|action)="(?:https?:)?//', page)
    assert page.count("<h1") == 1
    assert page.count('role="alert"') == 1
    assert 'class="skip"' in page
    assert len(page.encode()) < 40_000
    for form in re.findall(r'<form[^>]*method="post".*?</form>', page, re.S):
        assert 'name="csrf"' in form
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


async def test_the_queue_shows_the_most_severe_first_with_what_a_verdict_needs(
    client: TestClient, sign_in: object
) -> None:
    """Title, place in words, running time, what matched, how sure, what else, what Verify does."""
    await sign_in("sro")  # type: ignore[operator]
    page = await see(client, "/")
    first = page.index("Person in the closed science wing")
    assert first < page.index("Door forced")
    for part in (
        "2 open, most severe first",
        "Science wing, First floor",
        "1 min 1",
        "person 0.86",
        "Staff with a key, cleaning.",
        "Locks Science East, Science West, Stair B.",
        "Tells SRO through Console.",
        "Not watching: Gym North (No answer since 10:30), Nurse (private)",
    ):
        assert part in page, part


async def test_the_box_of_the_match_lies_over_the_picture(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """The overlay is in frame pixels, beside the picture's own file."""
    await sign_in("sro")  # type: ignore[operator]
    page = await (await client.get("/")).text()
    assert f'src="/media/{house.alert_views["a1"]["picture"]}"' in page
    assert 'viewBox="0 0 640 360"' in page
    assert re.search(r'<rect x="372.0" y="142.0" width="76.0" height="188.0"', page)


async def test_guessing_is_said_plainly(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """Without a model every page says so, and no score makes a guess look like a detection."""
    house.health_view.update(guessing=True, detecting="motion")
    house.alert_views["a1"]["guessing"] = True
    await sign_in("sro")  # type: ignore[operator]
    for path in ("/", "/doors", "/health", "/alerts/a1"):
        assert "Guessing from motion" in await see(client, path)
    page = await see(client, "/")
    assert "Guessing: something moved, the size of a person." in page
    assert "0.86" not in page


async def test_an_empty_queue_says_who_watches_and_who_does_not(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """Never just a tick: how many cameras watch, and which places nobody would see."""
    house.alert_views.clear()
    await sign_in("sro")  # type: ignore[operator]
    page = await see(client, "/")
    assert "Nothing needs you" in page
    assert "3 of 5 cameras are watching" in page
    assert "Not watched: Gym North (No answer since 10:30)" in page


async def test_a_verdict_by_form_leads_back_and_stays_in_sight(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """After Dismiss the card stays ten seconds with who and when, and no buttons."""
    opened = await sign_in("sro")  # type: ignore[operator]
    body = {"verdict": "dismissed", "note": "a cleaner", "csrf": opened.identity.csrf, "back": "/"}
    answer = await client.post("/alerts/a1/verdict", data=body, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    page = await (await client.get("/")).text()
    assert "by The sro" in text_of(page)
    assert "a cleaner" in text_of(page)
    assert 'id="verdict-a1"' not in page
    assert 'id="verdict-a2"' in page


async def test_a_late_verdict_is_answered_not_applied(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """Somebody who presses too late reads whose verdict stands."""
    opened = await sign_in("sro")  # type: ignore[operator]
    await house.verdict("a1", "verified", "The principal")
    body = {"verdict": "dismissed", "csrf": opened.identity.csrf}
    answer = await client.post("/alerts/a1/verdict", data=body, allow_redirects=False)
    assert answer.status == 409
    assert "Already verified by The principal" in text_of(await answer.text())
    assert house.alert_views["a1"]["state"] == "verified"


async def test_not_sure_leaves_the_alert_open_for_another(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """The card says who could not tell, and still has its buttons."""
    opened = await sign_in("sro")  # type: ignore[operator]
    body = {"verdict": "unsure", "csrf": opened.identity.csrf, "back": "//evil.example"}
    answer = await client.post("/alerts/a1/verdict", data=body, allow_redirects=False)
    assert answer.headers["Location"] == "/"
    page = await (await client.get("/")).text()
    assert "Somebody else has to decide" in text_of(page)
    assert 'id="verdict-a1"' in page
    wrong = {"verdict": "perhaps", "csrf": opened.identity.csrf}
    assert (await client.post("/alerts/a1/verdict", data=wrong)).status == 422


async def test_what_others_write_is_text_and_never_markup(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """A note, a name or a camera's reason cannot bring a script along."""
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    house.alert_views["a1"].update(title=evil, could_be=evil, matched=[evil], will=[evil])
    house.camera_views[3]["reason"] = evil
    house.door_views[1]["detail"] = evil
    house.visit_views[0].update(visitor=evil, host=evil)
    house.incident_views["i1"]["entries"][0]["text"] = evil
    house.health_view.update(problems=[evil], notes=[evil])
    await sign_in("admin")  # type: ignore[operator]
    for path in PAGES:
        page = await (await client.get(path)).text()
        assert "<script>alert" not in page, path
        assert "<img src=x" not in page, path


async def test_doors_that_need_a_look_come_first_and_say_why(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """Not secured and unknown before the rest; a door open though asked to lock is not fine."""
    await sign_in("sro")  # type: ignore[operator]
    page = await see(client, "/doors")
    assert page.index("Science East") < page.index("Gym East") < page.index("Main entrance")
    assert "Not secured" in page
    assert "The bolt is stuck, 6 tries, trying again every 5 s." in page
    assert "The controller does not answer." in page
    assert "2 need a look" in page
    house.door_views[0]["conclusion"] = "open"
    page = await see(client, "/doors")
    assert "3 need a look" in page
    assert page.index("Main entrance") < page.index("Stair B")


async def test_a_door_that_takes_no_lock_offers_none(client: TestClient, sign_in: object) -> None:
    """Egress is never ours: a door without attested free egress has no button to lock it."""
    opened = await sign_in("sro")  # type: ignore[operator]
    page = await (await client.get("/doors/office")).text()
    assert 'value="lock"' not in page
    assert "does not attest that people can always leave" in text_of(page)
    body = {"verb": "lock", "csrf": opened.identity.csrf}
    answer = await client.post("/doors/office/commands", data=body)
    assert answer.status == 409
    assert "was not asked" in text_of(await answer.text())


async def test_a_waiting_door_says_asked_and_never_locked(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """Asking is not having: after the button the board says what is awaited, and no more."""
    opened = await sign_in("sro")  # type: ignore[operator]
    body = {"verb": "lock", "csrf": opened.identity.csrf, "back": "/doors"}
    await client.post("/doors/stair_b/commands", data=body)
    page = await (await client.get("/doors")).text()
    row = re.search(r'<li id="door-stair_b".*?</li>', page, re.S)
    assert row
    said = text_of(row[0])
    assert "Unlocked, lock asked" in said
    assert "waiting for the door's own report" in said
    assert "Secured" not in said


async def test_an_incident_tells_its_story_with_both_times(
    client: TestClient, sign_in: object
) -> None:
    """In order, with the source's time, how late the hub had it, pictures and what was done."""
    await sign_in("sro")  # type: ignore[operator]
    page = await see(client, "/incidents/i1")
    steps = ["Picture 8 s before", "Verified by SRO", "Stair B locked", "Science East not secured"]
    places = [page.index(step) for step in steps]
    assert places == sorted(places)
    assert "+0.3 s to hub" in page
    assert "1 of 2 confirmed" in page
    assert "The bolt is stuck." in page
    only = await see(client, "/incidents/i1?show=doors")
    assert "Verified by SRO" not in only
    assert (await client.get("/incidents/none")).status == 404


async def test_visitors_come_and_go(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """Check in and out by form; who is overdue stands first; what cannot be is said."""
    opened = await sign_in("front_office")  # type: ignore[operator]
    page = await see(client, "/visitors")
    assert "2 on site, 1 expected, 1 overdue" in page
    assert "27 min over" in page
    csrf = {"csrf": opened.identity.csrf}
    await client.post("/visitors/front/v3/in", data=csrf)
    await client.post("/visitors/front/v1/out", data=csrf)
    assert "2 on site, 0 expected" in await see(client, "/visitors")
    late = await client.post("/visitors/front/v1/out", data=csrf)
    assert late.status == 409
    assert "is not here" in text_of(await late.text())
    assert (await client.post("/visitors/front/none/in", data=csrf)).status == 404


async def test_a_visitor_whose_name_matched_waits_for_a_person(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """Nobody on a list comes in by one press: a page asks, and takes no empty answer."""
    opened = await sign_in("front_office")  # type: ignore[operator]
    csrf = {"csrf": opened.identity.csrf}
    house.not_admitted["Delivery, kitchen"] = "Court order"
    asked = await client.post("/visitors/front/v3/in", data=csrf)
    assert str(asked.url.relative()) == "/visitors/front/v3/match"
    words = text_of(await asked.text())
    assert "Nobody was checked in" in words
    assert "Court order" in words
    empty = await client.post("/visitors/front/v3/in", data={**csrf, "admit": "  "})
    assert empty.status == 409
    assert "1 expected" in await see(client, "/visitors")
    await client.post("/visitors/front/v3/in", data={**csrf, "admit": "Another name on the card"})
    assert house.admitted["v3"] == "Another name on the card"
    assert "0 expected" in await see(client, "/visitors")
    assert str((await client.get("/visitors/front/v3/match")).url.relative()) == "/visitors"
    assert (await client.get("/visitors/front/none/match")).status == 404


async def test_a_desk_that_does_not_answer_is_named(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """Nobody reads that the building is empty where a desk does not say who is here."""
    await sign_in("front_office")  # type: ignore[operator]
    house.visit_views.clear()
    house.desks_silent.append("gate_house")
    assert "Gate house does not say who is here" in text_of(await see(client, "/visitors"))


async def test_what_is_only_to_be_known_makes_the_hub_no_less_well(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """A rule that is only reviewed is told on the health page and is nothing to fix."""
    house.health_view.update(problems=[], state="ok", notes=["the rule Loitering is only reviewed"])
    await sign_in("it")  # type: ignore[operator]
    page = await see(client, "/health")
    assert "Working, nothing to fix." in page
    assert "To know" in page
    assert "The rule Loitering is only reviewed." in page


async def test_health_names_every_camera_driver_process_and_queue(
    client: TestClient, sign_in: object
) -> None:
    """Faults first, each with its reason."""
    await sign_in("it")  # type: ignore[operator]
    page = await see(client, "/health")
    for part in (
        "2 things to fix",
        "Camera Gym North is offline.",
        "No answer since 10:30.",
        "Private place: no analytics, no pictures.",
        "gym_relay",
        "No answer for 6 min, next try in 20 s.",
        "perception",
        "restarted once",
        "2 of 2048 waiting",
        "4 dropped",
        "Quarantined after 5 faults in 120 s; last: its plugin host died.",
        "until its file or its block changes or the hub starts again.",
        "2 faults since the hub started",
        "vendor-board:board entry point, 2.1, access control",
    ):
        assert part in page, part


async def test_a_failure_inside_is_an_honest_page(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """No traceback for readers; programs get JSON."""
    await sign_in("admin")  # type: ignore[operator]
    house.alert_views["a1"]["severity"] = "no such severity"
    answer = await client.get("/")
    assert answer.status == 500
    page = await answer.text()
    assert "The hub could not answer this." in text_of(page)
    assert "Traceback" not in page
    problem = await client.get("/api/v1/alerts")
    assert problem.status == 500
    assert set(await problem.json()) == {"type", "title", "status", "detail", "hint"}
    client.app[DIFFERS].clear()  # type: ignore[index]  # no contract promises a failure


async def test_what_cannot_be_written_down_says_that_it_was_not_done(
    client: TestClient,
    house: ScriptedHouse,
    sign_in: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a full disk nobody is told that all works on; no path of the machine is shown."""

    async def full(*_: object, **__: object) -> None:
        raise StateError("the disk that holds /var/lib/hub is full")

    await sign_in("admin")  # type: ignore[operator]
    monkeypatch.setattr(house, "alerts", full)
    page = await client.get("/")
    problem = await client.get("/api/v1/alerts")
    assert (page.status, problem.status) == (503, 503)
    for said in (text_of(await page.text()), await problem.text()):
        assert "The hub cannot write this down, so it was not done." in said
        assert "use the telephone, the radio and keys" in said
        assert "/var/lib" not in said
    client.app[DIFFERS].clear()  # type: ignore[index]  # no contract promises a failure


async def test_a_decided_card_is_kept_ten_seconds() -> None:
    """Recent verdicts are forgotten in time and never grow past their bound."""
    clock = FakeClock()
    recent = RecentVerdicts(clock)
    recent.add("a")
    await clock.advance(6)
    recent.add("b")
    assert recent.ids() == ["a", "b"]
    await clock.advance(6)
    assert recent.ids() == ["b"]
    for number in range(1000):
        recent.add(str(number))
    assert len(recent.ids()) == 64


async def test_pages_read_the_same_in_every_time_zone_of_the_server(
    client: TestClient, sign_in: object
) -> None:
    """Times are the school's, taken from the configuration."""
    await sign_in("admin")  # type: ignore[operator]
    assert 'data-zone="Europe/Berlin"' in await (await client.get("/")).text()


async def test_why_an_alert_was_raised_reads_as_a_sentence(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """The rule's own words for a match become one plain sentence, without types or labels."""
    house.alert_views["a1"]["matched"] = [
        "zone.entered",
        "label person 0.91",
        "place Science wing",
        'outside "Science wing open" (it was Sun 10:36)',
    ]
    house.alert_views["a2"]["matched"] = ["door.forced"]
    await sign_in("sro")  # type: ignore[operator]
    page = (await see(client, "/")).replace("&#34;", '"')
    sentence = 'Person seen, in Science wing, outside "Science wing open" (it was Sun 10:36).'
    assert sentence in page
    assert "A door opened while it was reported locked and nobody was let through." in page


async def test_health_names_the_models_and_leads_to_their_cards(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """Title, licence and hash stand on the page; the card is one link away, as plain text."""
    await sign_in("it")  # type: ignore[operator]
    health = await see(client, "/health")
    assert "people People, seen by a fixed camera, for people" in health
    assert f"Comes with Vestibule. Licence Apache-2.0. SHA-256 {'ab' * 32}" in health
    page = await (await client.get("/models/" + "ab" * 32)).text()
    assert "Fails on &lt;crowds&gt; &amp; at night." in page
    assert (await client.get("/models/" + "cd" * 32)).status == 404
    house.model_views[0].update(card="", licence="unknown", shipped=False)
    assert "Nobody says under which licence." in await see(client, "/health")
    assert "has no card" in await see(client, "/models/" + "ab" * 32)


async def test_health_says_how_old_the_last_backup_is(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """Its time and how often one is made; and that there is none, or that they are off."""
    await sign_in("it")  # type: ignore[operator]
    assert re.search(r"Last backup\s+.*every 1h", await see(client, "/health"))
    house.health_view["backup"] = {"every": "off", "last": None, "trouble": ""}
    assert "Last backup none yet switched off" in await see(client, "/health")
