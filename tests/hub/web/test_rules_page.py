"""The pages and the API of rules: what each waits for, why it fired or not, and trying one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from ruled_house import NOW, RULES, RuledHouse
from signing_in import SignIn
from sqlalchemy import Connection, func, select

from hub.clock import iso
from hub.config import HubSettings
from hub.errors import StateError
from hub.storage import audit
from hub.storage.schema import actions, alerts, events

Token = Callable[[str], Awaitable[dict[str, str]]]
WITHIN_S = 60.0


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[RuledHouse]:
    """A house that has lived for a week, and tries rules when it is asked to."""
    made = RuledHouse(tmp_path)
    await made.open()
    await made.live()
    task = asyncio.create_task(made.rules._trials.run(), name="rule trials")
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await made.close()


async def text_of(client: TestClient, path: str, status: int = 200) -> str:
    """A page."""
    answer = await client.get(path)
    assert answer.status == status, await answer.text()
    return await answer.text()


async def tried(client: TestClient, auth: dict[str, str], path: str, **body: Any) -> dict[str, Any]:
    """Try a rule through the API and wait (in real time) for what comes of it."""
    begun = await client.post(path, json=body, headers=auth)
    assert begun.status == 202, await begun.text()
    view: dict[str, Any] = await begun.json()
    end = time.monotonic() + WITHIN_S
    while view["state"] in ("waits", "runs") and time.monotonic() < end:
        await asyncio.sleep(0.05)
        answer = await client.get(f"/api/v1/rule-trials/{view['id']}", headers=auth)
        view = await answer.json()
    return view


async def outbox(house: RuledHouse) -> tuple[int, ...]:
    """How many events, alerts and actions there are."""

    def work(connection: Connection) -> tuple[int, ...]:
        tables = (events, alerts, actions)
        return tuple(
            int(connection.scalar(select(func.count()).select_from(each)) or 0) for each in tables
        )

    return await house.journal.read(work)


# --------------------------------------------------------------------------------- reading


async def test_each_rule_is_one_line_with_when_it_last_fired(
    client: TestClient, sign_in: SignIn
) -> None:
    """Trigger, scope and action in words, how often it fired, and what people said of it."""
    await sign_in("principal")
    text = await text_of(client, "/rules")
    assert "Somebody or something comes into view" in text
    assert "in Science wing, outside Lessons, then quiet about the same for 5m" in text
    assert "High alert to Porter through Console" in text
    assert "once verified: Locks Science East, Stair B" in text
    assert "6 times in seven days." in text
    assert "Never fired, as far as the journal goes back." in text


async def test_a_rule_that_gave_too_many_false_alarms_says_so(
    client: TestClient, house: RuledHouse, sign_in: SignIn
) -> None:
    """By which camera, since when, and how many; whoever may judge alerts may end that."""
    who = await sign_in("principal")
    text = await text_of(client, "/rules/closed_wing")
    assert "Only reviewed</b> by Science wing since" in text
    assert "after 2 false alarms" in text
    assert "it may give 1 false alarm within 7 d" in text
    answer = await client.post(
        "/rules/closed_wing/restore",
        data={"csrf": who.identity.csrf, "camera": "science"},
        allow_redirects=False,
    )
    assert (answer.status, answer.headers["Location"]) == (303, "/rules/closed_wing")
    assert house.restored[-1][:2] == ("closed_wing", "science")
    await sign_in("it")
    assert "/restore" not in await text_of(client, "/rules/closed_wing")


async def test_why_it_fired_stands_with_each_firing(client: TestClient, sign_in: SignIn) -> None:
    """The clause and the value that met it, the event, its alert; and the text of the file."""
    await sign_in("principal")
    text = await text_of(client, "/rules/closed_wing")
    assert "label person 0.86 · place Science wing · outside" in text
    assert "Person seen in Science wing" in text
    assert 'href="/alerts/' in text
    assert "line " in text
    assert "closed_wing:\n  name: Person in the closed science wing" in text


async def test_why_shows_each_condition_of_what_it_last_saw(
    client: TestClient, sign_in: SignIn
) -> None:
    """The last event came during lessons: that alone did not hold."""
    await sign_in("principal")
    text = await text_of(client, "/rules/closed_wing/why")
    assert "It did not fire" in text
    assert "What is seen: person, at least 0.50 sure." in text
    assert "Person, 0.86 sure." in text
    assert "Outside Lessons." in text
    assert "It was 2026-03-09 13:00:00; not before 2026-03-09 16:00:00." in text
    assert text.count("Did not hold") == 1


async def test_why_at_another_time_and_for_another_event(
    client: TestClient, house: RuledHouse, sign_in: SignIn, token: Token
) -> None:
    """By the school's own clock on the page, by the event's id, and by RFC 3339 for programs."""
    await sign_in("principal")
    text = await text_of(client, "/rules/closed_wing/why?at=2026-03-03T20:00")
    assert "It fired at 20:00:00." in text
    text = await text_of(client, "/rules/closed_wing/why?at=2026-03-03T20:05:00")
    assert "Kept back" in text
    assert "It fired at 20:00:00, quiet until 20:05:00." in text
    assert "That is no time" in await text_of(client, "/rules/closed_wing/why?at=soon", 422)
    auth = await token("principal")
    why = "/api/v1/rules/closed_wing/why"
    at = {"at": "2026-03-03T19:00:00Z"}
    found = await (await client.get(why, params=at, headers=auth)).json()
    assert (found["came"], found["checks"][0]["met"]) == ("fired", True)
    again = await client.get(why, params={"event": found["event"]["id"]}, headers=auth)
    assert (await again.json())["event"] == found["event"]
    assert (await client.get(why, params={"at": "soon"}, headers=auth)).status == 422
    assert (await client.get(why, params={"event": "gone"}, headers=auth)).status == 404
    missing = await client.get("/api/v1/rules/nothing/why", headers=auth)
    assert missing.status == 404


async def test_an_alert_leads_to_why_its_rule_fired(
    client: TestClient, house: RuledHouse, sign_in: SignIn
) -> None:
    """To the event that the alert began with; an alert of another rule leads nowhere."""
    await sign_in("principal")
    alert = next(each for each in await house.intake.alerts() if each["rule"] == "forced")
    text = await text_of(client, f"/rules/forced/why?alert={alert['id']}")
    assert "It fired at 20:01:00." in text
    await text_of(client, f"/rules/closed_wing/why?alert={alert['id']}", 404)
    house.alert_views["a1"] |= {"rule": "forced"}
    assert "/rules/forced/why?alert=a1" in await text_of(client, "/alerts/a1")
    await sign_in("front_office")
    assert "/rules/" not in await text_of(client, "/alerts/a1")


async def test_a_rule_that_never_had_anything_to_look_at_says_that(
    client: TestClient, sign_in: SignIn
) -> None:
    """No event of its kind is an answer to why not, too."""
    await sign_in("auditor")
    text = await text_of(client, "/rules/silent/why")
    assert "Nothing has happened lately for which this rule could have fired." in text
    assert "The rule has had nothing to look at." in text


async def test_what_is_not_there_is_not_there(client: TestClient, sign_in: SignIn) -> None:
    """Unknown rules, events and trials."""
    await sign_in("principal")
    for path in ("/rules/x", "/rules/x/why", "/rules/x/try", "/rules/forced/try?trial=x"):
        assert (await client.get(path)).status == 404, path
    assert (await client.get("/rules/forced/why?event=nothing")).status == 404


@pytest.mark.parametrize("role", ["front_office", "nurse", "responder", "viewer"])
async def test_rules_are_for_those_who_answer_for_them(
    client: TestClient, sign_in: SignIn, role: str
) -> None:
    """They tell of the whole house."""
    await sign_in(role)
    for path in ("/rules", "/rules/forced", "/rules/forced/why", "/api/v1/rules"):
        assert (await client.get(path)).status == 403, path


# ---------------------------------------------------------------------------------- trying


async def test_a_rule_as_it_is_finds_again_what_it_did(
    client: TestClient, house: RuledHouse, token: Token
) -> None:
    """Every firing of the week, day by day, and what its cooldown kept back."""
    view = await tried(client, await token("principal"), "/api/v1/rules/closed_wing/try")
    assert view["state"] == "done", view
    found = view["found"]
    assert (found["did"], found["would"], found["both"], found["kept_back"]) == (6, 6, 6, 6)
    assert [day["did"] for day in found["days"]] == [0, 1, 1, 1, 1, 1, 1, 0]
    assert found["days"][0]["day"] == "2026-03-02"
    assert view["until"] == iso(NOW)
    assert view["done"] == view["of"] > 0


async def test_another_text_is_tried_beside_what_the_rule_did(
    client: TestClient, house: RuledHouse, token: Token
) -> None:
    """More sure: half as many are kept back; at all hours: one more. What runs stays."""
    text = RULES["closed_wing"]["name"]
    edited = (
        f"closed_wing:\n  name: {text}\n  when: zone.entered\n"
        "  if: {place: science, label: person, min_score: 0.7}\n"
        "  alert: {severity: high, through: [console]}\n"
    )
    path = "/api/v1/rules/closed_wing/try-text"
    view = await tried(client, await token("it"), path, text=edited)
    found = view["found"]
    assert (found["did"], found["would"], found["both"]) == (6, 7, 6)
    assert [each["did"] for each in found["firings"]] == [False] + 6 * [True]
    assert found["firings"][0]["matched"] == [
        "zone.entered", "label person 0.86", "place Science wing",
    ]  # fmt: skip
    assert house.config.rules["closed_wing"].condition.min_score == 0.5


async def test_trying_sends_nothing_and_writes_nothing_but_who_did_it(
    client: TestClient, house: RuledHouse, token: Token
) -> None:
    """No event, no alert, no action; one line of the audit with who tried what, since when."""
    before = await outbox(house)
    edited = "forced:\n  name: Any door\n  when: door.forced\n  alert: {severity: note}\n"
    view = await tried(client, await token("it"), "/api/v1/rules/forced/try-text", text=edited)
    assert view["state"] == "done", view
    assert await outbox(house) == before
    found = await house.audit.view(_everything())
    (line,) = [each for each in found["lines"] if each["act"] == "rule.tried"]
    assert (line["who"], line["subject"]) == ("it script (token)", "forced")
    assert line["details"] == {"since": view["since"], "edited": True}


def _everything() -> Any:
    from hub.audit_port import Asked

    return Asked()


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ("forced:\n  name: X\n  when: door.farced\n", 3, 9, "door.forced"),
        ("forced:\n  name: X\n  whan: door.forced\n", 3, 3, "whan"),
        ("forced: [1, 2\n", 1, 9, "not closed"),
        ("another:\n  name: X\n", 1, 1, "this rule alone"),
        ("forced: 7\n", 1, 9, "7"),
    ],
)
async def test_a_text_that_is_no_rule_is_told_to_the_column(
    client: TestClient, token: Token, text: str, line: int, column: int, says: str
) -> None:
    """Line and column count in the text that was written, and nothing is tried."""
    view = await tried(client, await token("it"), "/api/v1/rules/forced/try-text", text=text)
    assert view["state"] == "invalid", view
    places = [(each["line"], each["column"]) for each in view["mistakes"]]
    assert (line, column) in places, view["mistakes"]
    assert any(says in each["message"] + each["path"] for each in view["mistakes"])


async def test_one_rule_is_tried_at_a_time(
    client: TestClient, house: RuledHouse, token: Token
) -> None:
    """The second is refused in a sentence, and leaves no line in the audit."""
    auth, path = await token("principal"), "/api/v1/rules/closed_wing/try"
    first = await client.post(path, json={}, headers=auth)
    second = await client.post(path, json={}, headers=auth)
    assert (first.status, second.status) == (202, 409)
    assert "Another rule is being tried" in (await second.json())["detail"]
    lines = (await house.audit.view(_everything()))["lines"]
    assert sum(each["act"] == "rule.tried" for each in lines) == 1


async def test_who_sees_rules_tries_them_as_they_are_and_who_manages_edits(
    client: TestClient, token: Token
) -> None:
    """Another text takes the permission to manage the configuration."""
    body = {"text": "forced: {}"}
    path = "/api/v1/rules/forced/try"
    auth = await token("auditor")
    assert (await client.post(f"{path}-text", json=body, headers=auth)).status == 403
    assert (await client.post(path, json={}, headers=auth)).status == 202
    auth = await token("viewer")
    assert (await client.post(path, json={}, headers=auth)).status == 403


async def test_a_plugin_that_prints_disturbs_no_trial(
    client: TestClient, house: RuledHouse, token: Token
) -> None:
    """What it says when it is imported is none of the trial's words."""
    plugins = house.configuration.folder / HubSettings().plugins_dir
    plugins.mkdir()
    said = "import os\nprint('hello')\nos.system('echo hello')\n"
    (plugins / "loud.py").write_text(said)
    view = await tried(client, await token("principal"), "/api/v1/rules/closed_wing/try")
    assert view["state"] == "done", view["trouble"]


async def test_a_trial_that_cannot_be_recorded_does_not_begin(
    client: TestClient, house: RuledHouse, token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line, no trial; and the next one is not refused for it."""
    auth = await token("principal")
    append = audit.append

    def broken(*given: Any, **named: Any) -> Any:
        if given[1].act == "rule.tried":
            raise StateError("the disk is full")
        return append(*given, **named)

    monkeypatch.setattr(audit, "append", broken)
    path = "/api/v1/rules/forced/try"
    refused = await client.post(path, json={}, headers=auth)
    assert refused.status == 503
    assert "cannot be recorded" in (await refused.json())["detail"]
    monkeypatch.undo()
    assert (await client.post(path, json={}, headers=auth)).status == 202


async def test_the_page_tries_shows_progress_and_then_what_was_found(
    client: TestClient, house: RuledHouse, sign_in: SignIn
) -> None:
    """Without a script, too: press, look again, read."""
    who = await sign_in("principal")
    assert "Try this text" not in await text_of(client, "/rules/forced/try")
    form = {"csrf": who.identity.csrf}
    answer = await client.post("/rules/forced/try", data=form, allow_redirects=False)
    assert answer.status == 303
    where = answer.headers["Location"]
    text = await text_of(client, where)
    end = time.monotonic() + WITHIN_S
    while "<progress" in text and time.monotonic() < end:
        await asyncio.sleep(0.05)
        text = await text_of(client, where)
    assert "<b>It would have alerted 1 time.</b> It did 1 time. 1 time both agree." in text
    assert "Only looked: nothing was sent." in text


async def test_the_page_shows_the_mistakes_of_a_text_and_keeps_it(
    client: TestClient, house: RuledHouse, sign_in: SignIn
) -> None:
    """What was written stands there still, to be mended."""
    who = await sign_in("it")
    form = {"csrf": who.identity.csrf, "text": "forced:\n  name: Mine\n  when: door.farced\n"}
    answer = await client.post("/rules/forced/try-text", data=form, allow_redirects=False)
    assert answer.status == 303, await answer.text()
    where, text, end = answer.headers["Location"], "", time.monotonic() + WITHIN_S
    while "<b>Line " not in text and time.monotonic() < end:
        await asyncio.sleep(0.05)
        text = await text_of(client, where)
    assert "This text is no rule yet. Nothing was tried." in text
    assert "<b>Line 3, column 9</b>" in text
    assert "name: Mine" in text
    empty = await client.post("/rules/forced/try-text", data={**form, "text": " "})
    assert empty.status == 422
