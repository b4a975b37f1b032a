"""The pages of protocols as plain documents: starting, how far, ending, drills, fire; no script."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from scripted_house import ScriptedHouse
from scripted_protocols import DURESS, PIN
from test_pages import see, text_of

from hub.clock import iso
from hub.identity import accounts
from hub.web.security import SESSION_COOKIE

PASSWORD = "four quiet words here"


async def press(
    client: TestClient, path: str, csrf: str, status: int = 303, **fields: str
) -> tuple[str, str]:
    """Post a form; where it leads, and what it answers with as text."""
    answer = await client.post(path, data={"csrf": csrf, **fields}, allow_redirects=False)
    page = await answer.text()
    assert answer.status == status, text_of(page)
    return answer.headers.get("Location", ""), text_of(page)


def hidden(page: str, name: str) -> list[str]:
    """The values of the hidden fields of a name."""
    return re.findall(rf'name="{name}" value="([^"]*)"', page)


@pytest.fixture
async def csrf(sign_in: Any) -> str:
    """A principal is signed in; what their forms carry."""
    return str((await sign_in("principal")).identity.csrf)


async def running(house: ScriptedHouse, protocol: str = "lockdown", **more: Any) -> str:
    """A protocol that the SRO has started."""
    return str((await house.protocols.start(protocol, "school", "SRO", **more))["id"])


async def test_each_protocol_can_be_started_and_says_what_it_will_do(
    client: TestClient, csrf: str
) -> None:
    """Five protocols with their directives; what Lockdown will do, and what nobody does for you."""
    page = await see(client, "/protocols")
    for name in ("Lockdown", "Secure", "Hold", "Evacuate", "Shelter"):
        assert name in page
    assert "Locks, lights, out of sight." in page
    assert "What Lockdown does Lock 3 doors." in page
    assert "Does not call emergency services" in page
    assert "I Love U Guys" in page
    keys = hidden(await (await client.get("/protocols")).text(), "key")
    assert len(keys) == len(set(keys)) == 3


async def test_a_press_without_the_script_is_asked_about_once_more(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """The form alone starts nothing; the page it leads to does, under the same key, within 60 s."""
    wanted = {"protocol": "lockdown", "area": "school", "key": "k1"}
    _, asked = await press(client, "/protocols/start", csrf, 200, **wanted)
    assert "Start Lockdown?" in asked
    assert "Nothing has happened yet." in asked
    assert house.protocols.starts == []
    old = iso(house.clock.now() - timedelta(seconds=61))
    _, late = await press(
        client, "/protocols/start", csrf, 409, **wanted, sure="confirmed", asked=old
    )
    assert "That took longer than 1 min 00 s. Nothing was done." in late
    assert house.protocols.starts == []
    fresh = iso(house.clock.now())
    path, _ = await press(client, "/protocols/start", csrf, **wanted, sure="confirmed", asked=fresh)
    assert [each["key"] for each in house.protocols.starts] == ["k1"]
    page = await see(client, path)
    assert "Lockdown Whole school, started" in page
    again, _ = await press(client, "/protocols/start", csrf, **wanted, sure="held")
    assert again == path
    assert len(house.protocols.runs) == 1
    await house.protocols.ask_end(path.rpartition("/")[2], "SRO")
    await house.protocols.end(path.rpartition("/")[2], "Head")
    _, old = await press(client, "/protocols/start", csrf, 409, **wanted, sure="held")
    assert "This page has started Lockdown before, and that has ended." in old
    assert "has ended. The page is fresh now: press again." in old


async def test_what_the_hub_refuses_is_said_and_nothing_is_shown_as_started(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """The reason stands on the page that the press came from."""
    house.protocols.refusal = "no protocol lockdown is configured"
    _, page = await press(
        client, "/protocols/start", csrf, 409, protocol="lockdown", area="school", sure="held"
    )
    assert "Nothing was started. No protocol lockdown is configured." in page
    _, page = await press(client, "/protocols/start", csrf, 422, protocol="panic", sure="held")
    assert "That is no protocol." in page


async def test_an_area_is_chosen_and_one_that_is_not_set_up_is_said(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """The area goes with the press; a protocol that has no plan there offers no button."""
    page = await (await client.get("/protocols?area=upper")).text()
    assert set(hidden(page, "area")) == {"upper"}
    assert "Evacuate is not set up for First floor." in text_of(page)
    await press(client, "/protocols/start", csrf, protocol="hold", area="upper", sure="typed")
    assert house.protocols.starts[0]["area"] == "upper"


async def test_many_areas_are_a_list(client: TestClient, house: ScriptedHouse, csrf: str) -> None:
    """A campus of many areas does not push the buttons apart; the choice keeps the drill."""
    view = house.protocols.view

    async def wide(*who: str) -> Any:
        found = await view(*who)
        for each in found["choices"]:
            each["areas"] = [{"id": f"p{n}", "words": f"Wing {n}"} for n in range(7)]
        return found

    house.protocols.view = wide
    page = await (await client.get("/protocols?area=p5&drill=1")).text()
    assert '<option value="p5" selected>Wing 5</option>' in page
    assert set(hidden(page, "drill")) == {"1"}


async def test_shelter_asks_the_hazard_and_evacuate_where_to(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """Both are asked before the press, and go with it."""
    shelter = await (await client.get("/protocols?protocol=shelter")).text()
    assert 'type="radio" name="hazard" value="tornado" required' in shelter
    assert "The far side of the yard" in await see(client, "/protocols?protocol=evacuate")
    at = {"area": "school", "sure": "held"}
    await press(client, "/protocols/start", csrf, protocol="shelter", hazard="tornado", **at)
    await press(client, "/protocols/start", csrf, protocol="evacuate", where="The gate", **at)
    assert house.protocols.starts[0]["hazard"] == "tornado"
    assert [house.protocols.starts[1][each] for each in ("location", "reason")] == ["The gate", ""]
    assert "The gate." in await see(client, "/")


async def test_a_drill_is_a_choice_that_cannot_be_mistaken(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """DRILL stands before the title, on each button and in the word to type; what is real is said;
    the press carries exactly what was chosen.
    """
    path = "/protocols?drill=1&announce=1"
    page = await (await client.get(path)).text()
    assert "<title>DRILL: Protocols" in page
    assert page.count('data-type="DRILL"') == 3
    assert 'data-type="LOCKDOWN"' not in page
    text = text_of(page)
    assert "DRILL: start a protocol" in text
    real = "Real: announcements and notices to staff inside the school, each marked as a drill."
    fenced = "every door, emergency services, parents, the public and whatever else leaves"
    assert f"{real} Fenced off, nothing gets out: {fenced} the school." in text
    wanted = {"protocol": "lockdown", "area": "school", "drill": "1", "announce": "1"}
    _, asked = await press(client, "/protocols/start", csrf, 200, **wanted)
    assert asked.count("DRILL: Start a drill of Lockdown?") == 1
    await press(client, "/protocols/start", csrf, **wanted, sure="held")
    started = house.protocols.starts[0]
    assert (started["drill"], started["doors_real"], started["announce"]) == (True, False, True)


async def test_a_drill_marks_every_page_and_one_person_ends_it(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """Stripes, DRILL before every title, what is real; afterwards the times."""
    run = await running(house, drill=True, doors_real=True)
    for path in ("/", "/doors", f"/protocols/{run}"):
        page = await (await client.get(path)).text()
        assert "drilling" in page.split("<body", 1)[1].split(">", 1)[0], path
        assert "<title>DRILL: " in page, path
        assert "DRILL: LOCKDOWN" in page, path
    page = await see(client, f"/protocols/{run}")
    assert "This is a drill. Real: the doors and notices to staff inside the school" in page
    assert "Fenced off, nothing gets out: announcements, emergency services" in page
    assert "A real press during this drill is real." in page
    assert "takes one person" in page
    house.protocols.secure(run)
    await press(client, f"/protocols/{run}/end", csrf, sure="held")
    page = await see(client, f"/protocols/{run}")
    for part in ("DRILL: Lockdown has ended", "First door +0.6 s", "Last door +1.6 s"):
        assert part in page
    assert "drilling" not in (await (await client.get("/")).text()).split("<body", 1)[1][:60]


async def test_law_7_pages_sound_in_a_drill_of_a_lockdown(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """Only a real one hushes them: what is real while one is played must be heard everywhere."""
    await running(house, drill=True)
    assert 'data-dark=""' in await (await client.get("/")).text()
    await running(house)
    assert 'data-dark="1"' in await (await client.get("/")).text()


async def test_a_real_protocol_over_a_drill_looks_real(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """Both stand in the banner, each under its own name, and no title says DRILL any more."""
    await running(house, "secure", drill=True)
    await running(house)
    page = await (await client.get("/")).text()
    assert "<title>DRILL" not in page
    assert "DRILL: SECURE" in page
    assert "<b>LOCKDOWN</b>" in page


async def test_progress_names_each_door_that_is_not_confirmed(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """The count, the sentence, the door that jams with its tries, and the channels."""
    run = await running(house)
    house.protocols.secure(run, but="gym")
    page = await see(client, f"/protocols/{run}")
    for part in (
        "2 of 3 doors secured",
        "2 of 3 secured in 1.1 s; Gym East: not confirmed, retrying.",
        "Gym East : not secured. The bolt is stuck, trying again in 5 s. 6 tries, goes on.",
        "Main entrance 0.6 s, Science East 1.1 s",
        "Phones 64 of 64 accepted. After 0.4 s. Confirmed",
        "Before you end it: 1 door is not confirmed.",
    ):
        assert part in page, part


@pytest.mark.parametrize("state", ["waiting", "retrying", "secured"])
async def test_a_hundred_doors_stay_one_readable_page(
    client: TestClient, house: ScriptedHouse, csrf: str, state: str
) -> None:
    """However they are, each door is named and the page stays under 40 KB."""
    run = await running(house)
    view = house.protocols.runs[run]
    one = {**view["doors"][0], "state": state, "seconds": 1.25 if state == "secured" else None}
    view["doors"] = [{**one, "door": f"d{n}", "name": f"Classroom {n}"} for n in range(100)]
    view["total"] = 100
    page = await (await client.get(f"/protocols/{run}")).text()
    assert len(page.encode()) < 40_000
    assert "Classroom 0" in page
    assert "Classroom 99" in page
    if state == "retrying":
        assert "100 doors are not confirmed." in text_of(page)


async def test_doors_that_nobody_asked_are_not_said_to_be_read_back(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """After the end, a door that is left as it is counts for nothing."""
    run = await running(house, drill=True, doors_real=True)
    await house.protocols.end(run, "SRO")
    for each in house.protocols.runs[run]["all_clear"]["doors"]:
        each |= {"state": "done", "detail": "left as it is", "seconds": 0.0}
    page = await see(client, f"/protocols/{run}")
    assert "All-clear No door is asked to go back" in page
    assert "3 not asked for anything" in page
    assert "read back" not in page


@pytest.mark.parametrize("how", ["fire", "drill", "asked", "ended"])
async def test_the_page_of_a_run_keeps_to_the_policy(
    client: TestClient, house: ScriptedHouse, csrf: str, how: str
) -> None:
    """However it stands: no inline script or style, one h1, one loud region, its own ids, and the
    page's secret in every form.
    """
    await running(house, "secure")
    run = await running(house, drill=how == "drill", doors_real=True)
    house.protocols.secure(run, but="gym")
    if how == "fire":
        house.protocols.fire |= {"state": "alarm", "decide_by": house.ago(-60), "doors": 3}
    if how in ("asked", "ended"):
        await house.protocols.ask_end(run, "SRO")
    if how == "ended":
        await house.protocols.end(run, "Head")
    page = await (await client.get(f"/protocols/{run}")).text()
    assert "style=" not in page
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"\bon\w+=", page)
    assert page.count("<h1") == 1
    assert page.count('role="alert"') == 1
    for form in re.findall(r'<form[^>]*method="post".*?</form>', page, re.S):
        assert 'name="csrf"' in form
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert len(page.encode()) < 40_000


async def test_what_lies_beneath_stands_on_the_page_and_comes_back(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """A lockdown over a hold covers it; when the lockdown ends the hold is in force again."""
    hold = await running(house, "hold")
    over = await running(house)
    assert "Beneath it in force again when this ends Hold" in await see(
        client, f"/protocols/{over}"
    )
    assert "Another protocol was started on top of this one." in await see(
        client, f"/protocols/{hold}"
    )
    await house.protocols.ask_end(over, "SRO")
    await press(client, f"/protocols/{over}/end", csrf, sure="held")
    page = await see(client, "/")
    assert "HOLD" in page
    assert "LOCKDOWN" not in page


async def test_ending_takes_two_people_and_shows_both_slots(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """Who asks sees that somebody else must hold, may withdraw, and cannot be the second."""
    run = await running(house)
    at = f"/protocols/{run}"
    assert "First person Nobody has asked to end it." in await see(client, at)
    await press(client, f"{at}/ask-end", csrf)
    page = await see(client, at)
    assert "First person The principal asked to end it" in page
    assert "Somebody else holds, signed in as themselves." in page
    assert "Hold to end" not in page
    _, page = await press(client, f"{at}/end", csrf, 409, sure="held")
    assert "It takes a second person to end it; you have asked already." in page
    await press(client, f"{at}/withdraw-end", csrf)
    assert "Nobody has asked to end it." in await see(client, at)
    await house.protocols.ask_end(run, "SRO")
    assert "You can be the second. Nothing changes until you hold." in await see(client, at)
    _, asked = await press(client, f"{at}/end", csrf, 200)
    assert "End Lockdown?" in asked
    await press(client, f"{at}/end", csrf, sure="held")
    page = await see(client, at)
    assert "Lockdown has ended" in page
    assert "by SRO and The principal" in page
    assert "All-clear 0 of 3 back as before." in page
    assert "No protocol" not in page
    assert "LOCKDOWN" not in page


async def test_a_pin_ends_it_and_a_wrong_one_does_not(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """A PIN is never sent back in a page or an address."""
    run = await running(house)
    _, page = await press(client, f"/protocols/{run}/end-by-pin", csrf, 409, pin="9183")
    assert "Nothing was done. That is not your PIN." in page
    assert "9183" not in page
    path, _ = await press(client, f"/protocols/{run}/end-by-pin", csrf, pin=PIN)
    assert path == f"/protocols/{run}"
    assert house.protocols.runs[run]["state"] == "ended"


async def test_under_duress_this_session_alone_sees_the_end(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """The answer and every later page look like an end by PIN; a colleague still sees Lockdown."""
    run = await running(house)
    other = (await house.protocols.start("lockdown", "upper", "SRO"))["id"]
    house.want("main", "lock", "protocol", "Lockdown", owner=run)
    real, _ = await press(client, f"/protocols/{other}/end-by-pin", csrf, pin=PIN)
    honest = await (await client.get(real)).text()
    feigned, _ = await press(client, f"/protocols/{run}/end-by-pin", csrf, pin=DURESS)
    page = await (await client.get(feigned)).text()
    assert house.protocols.runs[run]["state"] == "in_force"
    assert re.findall("<h2[^>]*>([^<]*)<", page) == re.findall("<h2[^>]*>([^<]*)<", honest)
    for path in ("/", "/doors", "/doors/main", "/protocols"):
        seen = await see(client, path)
        assert "LOCKDOWN" not in seen, path
        assert "until it ends" not in seen, path
    told = await (await client.get("/api/v1/doors")).json()
    assert told[0]["intent"] is None

    def colleague(conn: Any) -> str:
        accounts.add_user_with_hash(conn, "Colleague", "sro", "no password")
        return accounts.open_session(conn, "Colleague", house.clock.now()).secret

    assert "DURESS" not in await see(client, "/")
    session = await house.journal_write(colleague)
    client.session.cookie_jar.update_cookies({SESSION_COOKIE: session}, client.make_url("/"))
    assert "LOCKDOWN" in await see(client, "/")
    for path in ("/", "/protocols", f"/protocols/{run}"):
        assert "was forced to end Lockdown" in await see(client, path)
    assert "until it ends" in await see(client, "/doors/main")


async def test_who_may_not_end_is_told_who_may(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """A viewer sees that it is in force, and no button of it."""
    await sign_in("viewer")
    run = await running(house)
    page = await see(client, f"/protocols/{run}")
    assert "Principal or School resource officer ends it." in page
    assert "Ask to end it" not in page
    assert "Your role may look, not start one." in await see(client, "/protocols")


async def test_a_fire_alarm_in_a_lockdown_asks_for_a_decision_on_every_page(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """The deadline and who decides stand in the banner; the decision is held or confirmed."""
    run = await running(house)
    house.protocols.fire |= {
        "state": "alarm", "since": house.ago(20), "source": "Fire panel",
        "place_words": "Lobby, Ground floor", "decide_by": house.ago(-90),
    }  # fmt: skip
    page = await see(client, "/doors")
    assert "FIRE ALARM Stay or evacuate: decide by" in page
    assert "Principal or School resource officer decides." in page
    assert "The hub locks no door until a person re-arms." in page
    _, asked = await press(client, f"/protocols/{run}/stay", csrf, 200)
    assert "Fire alarm during Lockdown: stay?" in asked
    assert house.protocols.decided == []
    await press(client, f"/protocols/{run}/evacuate", csrf, sure="typed")
    assert house.protocols.decided == [(run, "evacuate", "The principal")]


async def test_each_lockdown_in_a_fire_alarm_is_decided_for_itself(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """Two areas are locked down: both stand there, and one that is decided no more."""
    near, far = (
        await running(house),
        (await house.protocols.start("lockdown", "upper", "SRO"))["id"],
    )
    house.protocols.fire |= {"state": "alarm", "decide_by": house.ago(-90)}
    page = await (await client.get("/protocols")).text()
    for run in (near, far):
        assert f'action="/protocols/{run}/stay"' in page
    await house.protocols.ask_end(far, "SRO")
    await house.protocols.end(far, "Head")
    page = await (await client.get("/protocols")).text()
    assert f'action="/protocols/{near}/stay"' in page
    assert f'action="/protocols/{far}/stay"' not in page


async def test_doors_are_rearmed_by_a_person_after_the_alarm(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """Not while the alarm is on; after it the page asks, and then it is over."""
    house.protocols.fire["state"] = "alarm"
    _, page = await press(client, "/protocols/rearm", csrf, 409, sure="held")
    assert "The fire alarm is still on." in page
    house.protocols.fire["state"] = "not_rearmed"
    assert "After the fire alarm" in await see(client, "/doors")
    await press(client, "/protocols/rearm", csrf, sure="held")
    assert "fire alarm" not in await see(client, "/doors")


async def test_after_a_restore_every_page_says_that_no_door_is_locked(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """It claims no alarm, says what is not known, and asks a person to re-arm."""
    house.protocols.fire |= {"state": "restored", "since": house.ago(20)}
    for path in ("/", "/doors", "/health"):
        page = await see(client, path)
        assert "After a restore" in page
        assert "The hub locks no door until a person re-arms." in page
        assert "After the fire alarm" not in page
        assert "FIRE ALARM" not in page
    page = await see(client, "/protocols")
    assert "Whether a fire alarm has sounded since that was made, it does not know" in page
    assert "Re-arm the doors" in page
    await press(client, "/protocols/rearm", csrf, sure="held")
    assert "After a restore" not in await see(client, "/")


async def test_help_is_another_gesture_and_can_be_taken_back(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """It raises an alert at the place that was said, starts nothing, and is corrected."""
    path, _ = await press(client, "/help", csrf, place="science", text="A fall")
    assert house.protocols.helped == [
        {"place": "science", "by": "The principal", "device": "", "text": "A fall"}
    ]
    assert house.protocols.starts == []
    page = await see(client, path)
    assert "Help is asked for." in page
    assert "Take it back, within 10 s" in page
    assert "Help is asked for" not in await see(client, "/protocols?help=../protocols/x/ask-end?")
    aged = house._aged
    house._aged = lambda view: {**aged(view), "age_s": 11.0}  # type: ignore[method-assign]
    page = await see(client, path)
    assert "Help is asked for." in page
    assert "Take it back" not in page
    await press(client, "/help/a9/correct", csrf)
    assert house.alert_views["a9"]["state"] == "dismissed"
    assert "Help is asked for." not in await see(client, path)
    house.protocols.refusal_of_help = "it can be taken back for ten seconds"
    _, late = await press(client, "/help/a9/correct", csrf, 409)
    assert "Help is still asked for. It can be taken back for ten seconds." in late


async def test_pins_are_set_with_the_password_alone(
    client: TestClient, house: ScriptedHouse
) -> None:
    """An open page is not enough to set a PIN; neither PIN is shown anywhere."""
    await house.journal_write(lambda c: accounts.add_user(c, "Head", "principal", PASSWORD))
    opened = await house.journal_write(
        lambda c: accounts.open_session(c, "Head", house.clock.now())
    )
    client.session.cookie_jar.update_cookies({SESSION_COOKIE: opened.secret}, client.make_url("/"))
    csrf = opened.identity.csrf
    pins = {"pin": "5283", "duress": "7061"}
    _, page = await press(client, "/me/pins", csrf, 401, **pins, password="not this one")
    assert "The password is not right." in page
    assert house.protocols.pins == {}
    await press(client, "/me/pins", csrf, **pins, password=PASSWORD)
    assert house.protocols.pins == {"Head": ("5283", "7061")}
    _, page = await press(client, "/me/pins", csrf, 409, pin="5283", duress="5283",
                          password=PASSWORD)  # fmt: skip
    assert "The two PINs must differ." in page
    assert "5283" not in page


async def test_a_door_says_what_is_wanted_of_it_and_how_it_is_otherwise(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """Whose wish, why, until when; that it is not so, and whether the hub still tries."""
    until = house.ago(-1800)
    house.want("main", "unlock", "person", "Front office", reason="parents' evening",
               expires=until)  # fmt: skip
    view = house.door_views[0]
    view["differs"] = "it is reported locked"
    page = await see(client, "/doors/main")
    assert "Unlock by Front office, until" in page
    assert "Parents' evening." in page
    assert "It is not so: It is reported locked. The hub asks again and again." in page
    assert "Main entrance locked, read back" in page
    assert "Unlock: Front office, until" in await see(client, "/doors")
    view["intent"]["given_up"] = house.ago(5)
    assert "somebody has to look" in await see(client, "/doors/main")


async def test_a_timed_command_lasts_until_that_hour(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """The hour is the school's; without one the hub's own time holds; nonsense is refused."""
    from hub.web.render import words_in

    then = words_in("Europe/Berlin").local(house.clock.now() + timedelta(minutes=30))
    await press(client, "/doors/main/commands", csrf, verb="unlock", until=f"{then:%H:%M}")
    assert house.kept_for[0] is not None
    assert 1700 < house.kept_for[0] <= 1800
    await press(client, "/doors/main/commands", csrf, verb="unlock")
    assert house.kept_for[1] is None
    _, page = await press(client, "/doors/main/commands", csrf, 422, verb="unlock", until="soon")
    assert "Write the time as hours and minutes" in page
    gone = f"{then - timedelta(minutes=45):%H:%M}"
    _, page = await press(client, "/doors/main/commands", csrf, 422, verb="unlock", until=gone)
    assert f"Main entrance was not asked. {gone} has just passed" in page
    assert len(house.kept_for) == 2


@pytest.mark.parametrize(("role", "may"), [("front_office", False), ("sro", True)])
async def test_only_responders_open_a_door_that_a_protocol_keeps_locked(
    client: TestClient, house: ScriptedHouse, sign_in: Any, role: str, may: bool
) -> None:
    """Others see why there is no button, and the hub refuses a form of theirs."""
    csrf = (await sign_in(role)).identity.csrf
    house.door_views[0]["verbs"] = ["lock", "unlock", "momentary"]
    run = await running(house)
    house.want("main", "lock", "protocol", "SRO", owner=run, reason="Lockdown")
    page = await (await client.get("/doors/main")).text()
    assert ('value="momentary"' in page) == may
    assert 'value="unlock"' not in page
    assert "A protocol keeps this door locked." in text_of(page)
    status = 303 if may else 409
    await press(client, "/doors/main/commands", csrf, status, verb="momentary")
    assert [verb for _, verb, _, _ in house.commands] == (["momentary"] if may else [])


async def test_a_door_that_has_left_the_configuration_is_named_without_a_link(
    client: TestClient, house: ScriptedHouse, csrf: str
) -> None:
    """A run names every door that it asked; only those that still have a page lead to it."""
    run = await running(house)
    house.protocols.secure(run, but="gym")
    left = {name: door for name, door in house.config.doors.items() if name == "science_east"}
    house.config = house.config.model_copy(update={"doors": left})
    page = await (await client.get(f"/protocols/{run}")).text()
    assert "Gym East" in page
    assert set(re.findall(r'href="/doors/(\w+)"', page)) == {"science_east"}
