"""What somebody needs in the worst minute stands where they look, and in words that they know."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp.test_utils import TestClient
from scripted_house import ScriptedHouse
from test_pages import see, text_of

from hub.events import Event
from hub.identity.accounts import OpenedSession
from hub.storage import eventlog

SignIn = Callable[[str], Awaitable[OpenedSession]]


async def test_what_another_system_reports_reads_as_what_it_said(
    client: TestClient, house: ScriptedHouse, sign_in: SignIn
) -> None:
    """Not how an event is made, but what was reported, and how often when it came again."""
    await sign_in("sro")
    for alert in ("a8", "a9"):  # the first is shown large, the second small
        house.raise_alert(
            alert, "severe", "Button pressed", since=300.0, label="panic button", score=None,
            camera="", count=7, matched=["report.received", "label panic button"],
        )  # fmt: skip
    page = await see(client, "/")
    assert page.count("Panic button, says another system.") == 2
    assert page.count("7 times, last") == 2
    assert "says what" not in page
    assert "`" not in page


async def test_who_leads_stands_above_the_story_and_the_story_has_a_way_to_its_end(
    client: TestClient, sign_in: SignIn
) -> None:
    """However long the timeline is, taking the lead and the newest entry are one press away."""
    await sign_in("sro")
    page = await (await client.get("/incidents/i1")).text()
    assert page.index("I am on scene") < page.index('<ol class="tl">')
    assert page.count('id="newest"') == 1
    story = page[page.index('<ol class="tl">') : page.index("</ol>")]
    assert 'id="newest"' in story[story.rindex("<li") :]
    assert 'href="#newest"' in page


async def test_a_dismissed_alert_says_what_is_left_to_do_if_it_is_real(
    client: TestClient, house: ScriptedHouse, sign_in: SignIn
) -> None:
    """A verdict stands; whoever knows better is led on, whoever may do nothing is not."""
    await sign_in("sro")
    assert "Real after all?" not in await see(client, "/alerts/a1")
    await house.verdict("a1", "dismissed", "Front office")
    page = await (await client.get("/alerts/a1")).text()
    assert "Real after all? Start a protocol or open an incident" in text_of(page)
    assert 'href="/protocols">Start' in page
    assert 'href="/incidents#open">open' in page
    await sign_in("auditor")
    assert "Real after all?" not in await see(client, "/alerts/a1")


async def test_who_was_signed_out_under_an_open_page_reads_why_they_are_here(
    client: TestClient,
) -> None:
    """The page that led here says so, and a telephone stays dark in a lockdown; a plain visit is
    not told that it was signed out.
    """
    dark = 'id="dark" media="screen and (max-width: 48rem)"'
    address = "/signin?next=%2Fdoors&left=1"
    assert dark in await (await client.get(f"{address}&dark=1")).text()
    assert dark not in await (await client.get(address)).text()
    left = await see(client, address)
    assert "You are signed out. Sign in, and you are back where you were." in left
    assert "You are signed out" not in await see(client, "/signin?next=%2Fdoors")


async def test_the_audit_names_things_as_people_do(
    client: TestClient, house: ScriptedHouse, sign_in: SignIn
) -> None:
    """Roles, ways in, places and protocols by their names, in the reader's language too."""
    await sign_in("admin")
    ended = {"by": "The admin", "area": "science", "drill": True, "reason": "the drill is over"}
    now = house.clock.now()
    event = Event("protocol.ended", "hub", now, "lockdown", ended)
    encoded = eventlog.encode(ended)
    await house.journal_write(lambda conn: eventlog.append(conn, event, now, encoded))
    said = await see(client, "/audit")
    assert "Ended a protocol: Lockdown" in said
    assert f"area: {house.campus.name('science')}, drill: yes" in said
    assert "Role: Administrator, way: with the password" in said
    spanish = {"Accept-Language": "es"}
    text = text_of(await (await client.get("/audit", headers=spanish)).text())
    assert "Función: Administración, manera: con la contraseña" in text
    assert "Motivo: el simulacro ha terminado" in text
