"""Who looked: what the pages and pictures leave in the audit, and the page that shows it."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from argon2 import PasswordHasher
from scripted_house import ScriptedHouse
from structlog.testing import capture_logs
from test_pages import see, text_of

from hub.audit import LONGEST_S, PAUSE_S, SIGN_S, SWEEP_S, Audit
from hub.audit_port import Asked
from hub.errors import StateError
from hub.events import Event
from hub.identity import accounts
from hub.storage import eventlog
from hub.storage.audit_verify import verify
from hub.storage.journal import Journal
from hub.testing import FakeClock
from hub.web.security import CSRF_FIELD

LIVE = "/pictures/cameras/lobby.jpg"
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


async def lines(house: Any, **asked: str) -> list[dict[str, Any]]:
    """The lines there are, oldest first."""
    view = await house.audit.view(Asked(**asked))
    return list(reversed(view["lines"]))


def break_audit(connection: Any) -> None:
    """Leave the audit where nothing can be written to it."""
    connection.exec_driver_sql("ALTER TABLE audit RENAME TO audit_away")
    connection.exec_driver_sql("ALTER TABLE audit_looks RENAME TO looks_away")


async def test_a_live_picture_is_a_look_of_who_asked(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """Many pictures are one look, on the disk before the first is shown."""
    await sign_in("sro")
    for _ in range(3):
        assert (await client.get(LIVE)).status == 200
    (look,) = (await house.audit.view(Asked()))["looking"]
    assert (look["who"], look["act"], look["subject"]) == (
        "The sro", "view.live", "camera/lobby",
    )  # fmt: skip
    assert look["address"] == "127.0.0.1"
    assert (await client.get("/pictures/cameras/gym.jpg")).status in (200, 404)
    assert (await client.get("/pictures/cameras/nobody.jpg")).status == 404
    assert "camera/nobody" not in str(await house.audit.view(Asked()))


async def test_what_cannot_be_recorded_is_not_shown(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """No picture and no export without its line; alerts are decided all the same."""
    opened = await sign_in("admin")
    picture = next(iter((house.folder / "media").glob("*.jpg"))).name
    await house.journal_write(break_audit)
    for path in (LIVE, f"/media/{picture}"):
        answer = await client.get(path)
        assert answer.status == 503
        assert "not shown" in await answer.text()
    form = {CSRF_FIELD: opened.identity.csrf}
    assert house.audit.problems()
    answer = await client.post("/audit/export", data=form)
    assert answer.status == 503
    assert "you get nothing" in await answer.text()
    answer = await client.post(
        "/alerts/a1/verdict", data=form | {"verdict": "verified"}, allow_redirects=False
    )
    assert answer.status == 303


async def test_signing_in_and_out_and_being_refused_are_lines(
    client: TestClient, house: ScriptedHouse
) -> None:
    """With the address; what was typed as a name is kept only where it is one."""
    made = PasswordHasher(1, 8, 1).hash("four quiet words here")  # as quick as it gets
    await house.journal_write(lambda c: accounts.add_user_with_hash(c, "Ana", "sro", made))

    async def enter(name: str, password: str) -> int:
        page = await (await client.get("/signin")).text()
        csrf = page.split('name="csrf" value="')[1].split('"')[0]
        fields = {CSRF_FIELD: csrf, "name": name, "password": password}
        return (await client.post("/signin", data=fields, allow_redirects=False)).status

    assert await enter("my password by mistake", "Ana") == 401
    assert await enter("Ana", "wrong") == 401
    assert await enter("Ana", "four quiet words here") == 303
    page = await (await client.get("/me")).text()
    csrf = page.split('name="csrf" value="')[1].split('"')[0]
    await client.post("/signout", data={CSRF_FIELD: csrf})
    found = (await lines(house))[1:]
    assert [(each["act"], each["who"], each["subject"]) for each in found] == [
        ("session.refused", "nobody signed in", ""),
        ("session.refused", "nobody signed in", "Ana"),
        ("session.opened", "Ana", "Ana"),
        ("session.closed", "Ana", "Ana"),
    ]
    assert {each["address"] for each in found} == {"127.0.0.1"}
    assert "mistake" not in json.dumps(await lines(house))


async def test_the_page_shows_lines_and_narrows_them(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """By person, by act, by day of the school; a day that is none is said."""
    await sign_in("auditor")
    shown = await see(client, "/audit")
    assert "The auditor Signed in " in shown
    assert "Not signed yet" in shown
    assert "No line is like that" in await see(client, "/audit?who=Nobody")
    assert "The auditor Signed in " in await see(client, "/audit?act=session.opened")
    day = house.clock.now().date()
    assert "No line is like that" in await see(client, f"/audit?day={day - timedelta(days=9)}")
    answer = await client.get("/audit?day=yesterday")
    assert answer.status == 422
    assert "That is no day" in text_of(await answer.text())
    assert await see(client, "/audit?before=1e9&who=%00&act='--")


@pytest.mark.parametrize("role", ["sro", "front_office", "nurse", "it", "responder", "viewer"])
async def test_only_who_may_reads_it(client: TestClient, sign_in: Any, role: str) -> None:
    """Whoever runs the machine or works with alerts does not see who looked."""
    await sign_in(role)
    assert (await client.get("/audit")).status == 403
    assert "/audit" not in await (await client.get("/me")).text()


async def test_older_lines_are_a_page_further(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """A hundred at a time, with the way back."""
    await sign_in("principal")
    for _ in range(105):
        await house.audit.refused("")
    view = await house.audit.view(Asked())
    assert len(view["lines"]) == 100
    page = await (await client.get("/audit")).text()
    assert f"before={view['more']}" in page
    assert len(page.encode()) < 90_000
    older = await (await client.get(f"/audit?before={view['more']}")).text()
    assert "Signed in" in older
    assert "Newest" in older


async def test_a_file_taken_from_the_page_verifies_anywhere(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """Signed with the key that the page shows; that it was taken is in it, and on the page."""
    opened = await sign_in("auditor")
    answer = await client.post("/audit/export", data={CSRF_FIELD: opened.identity.csrf})
    assert answer.status == 200
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="audit-')
    raw = await answer.read()
    key = (await house.audit.view(Asked()))["key"]
    sound = verify(raw.splitlines(keepends=True), [key])
    assert sound.last == len(await lines(house))
    assert (await lines(house))[-1]["act"] == "audit.exported"
    shown = await see(client, "/audit")
    assert key in shown
    assert "Took lines of the audit away " in shown
    day = {CSRF_FIELD: opened.identity.csrf, "day": "2026-03-02"}
    assert (await client.post("/audit/export", data=day)).status == 200
    shown = await see(client, "/audit")
    midnights = "Since: Mon 2 Mar, 00:00, until: Tue 3 Mar, 00:00"  # the school's
    assert midnights in shown
    bad = {CSRF_FIELD: opened.identity.csrf, "day": "x"}
    assert (await client.post("/audit/export", data=bad)).status == 422
    assert (await client.post("/audit/export", data={})).status == 403


async def test_programs_read_and_take_it_too(
    client: TestClient, house: ScriptedHouse, token: Any
) -> None:
    """The same over the API, and a token is named as one."""
    headers = await token("auditor")
    for _ in range(3):
        await house.audit.refused("")
    view = await (await client.get("/api/v1/audit?act=session.refused", headers=headers)).json()
    assert [each["act"] for each in view["lines"]] == ["session.refused"] * 3
    number = view["lines"][0]["number"]
    url = f"/api/v1/audit?act=session.refused&before={number}"
    assert len((await (await client.get(url, headers=headers)).json())["lines"]) == 2
    assert (await client.get("/api/v1/audit?since=x", headers=headers)).status == 422
    beyond = {"since": "0001-01-01T00:00:00+14:00"}
    for body, status in (({"since": "x"}, 422), (beyond, 422), ({"odd": 1}, 422), ({}, 200)):
        url = "/api/v1/audit/export"
        answer = await client.post(url, json=body, headers=headers)
        assert answer.status == status
    verify((await answer.read()).splitlines(keepends=True))
    assert (await lines(house))[-1]["who"] == "auditor script (token)"
    assert (await client.post("/api/v1/audit", json={}, headers=headers)).status == 405


# ----------------------------------------------------------------------- looks over time


class Trail:
    """An audit with a clock of its own."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock(START)
        self.journal = Journal(folder / "journal.db")
        self.audit = Audit(self.journal, folder, self.clock)


@pytest.fixture
async def trail(tmp_path: Path) -> AsyncIterator[Trail]:
    """The audit of a hub that has started."""
    made = Trail(tmp_path)
    await made.journal.open()
    await made.audit.begin()
    yield made
    await made.journal.close()


async def test_a_look_ends_a_minute_after_the_last_picture(trail: Trail) -> None:
    """A pause of less is the same look; after it the next picture begins another."""
    await trail.audit.look("Ana", "10.0.0.7", "lobby")
    for _ in range(4):
        await trail.clock.advance(PAUSE_S - 1)
        await trail.audit.look("Ana", "10.0.0.7", "lobby")
        await trail.audit.sweep()
    assert await lines(trail, act="view.live") == []
    await trail.clock.advance(PAUSE_S + 1)
    await trail.audit.look("Ana", "10.0.0.7", "lobby")
    await trail.audit.sweep()
    (line,) = await lines(trail, act="view.live")
    assert line["details"] == {
        "pictures": 5,
        "since": "2026-03-02T08:00:00.000Z",
        "until": "2026-03-02T08:03:56.000Z",
    }
    assert line["address"] == "10.0.0.7"
    assert len((await trail.audit.view(Asked()))["looking"]) == 1


async def test_each_person_and_camera_is_a_look_of_its_own(trail: Trail) -> None:
    """Two people, or two cameras, are told apart; fifty at once begin together."""
    await asyncio.gather(
        *(trail.audit.look(f"P{i % 5}", "", f"c{i % 10}") for i in range(50)),
        *(trail.audit.look("P0", "", "c0") for _ in range(50)),
    )
    assert len((await trail.audit.view(Asked()))["looking"]) == 10
    await trail.clock.advance(PAUSE_S + 1)
    await trail.audit.sweep()
    found = await lines(trail, act="view.live")
    assert len(found) == 10
    assert sum(each["details"]["pictures"] for each in found) == 100


async def test_a_screen_that_never_rests_is_told_twice_a_day(trail: Trail) -> None:
    """A look on a wall has a line before it ends."""
    for _ in range(3):
        for _ in range(int(LONGEST_S / 50 / 3) + 1):
            await trail.audit.look("Wall (token)", "", "lobby")
            await trail.clock.advance(50.0)
    await trail.audit.sweep()
    assert len(await lines(trail, act="view.live")) == 1


async def test_a_look_outlives_the_process(trail: Trail, tmp_path: Path) -> None:
    """Whoever looked when the hub was killed has a line at the next start."""
    await trail.audit.look("Ana", "", "lobby")
    await trail.clock.advance(20)
    await trail.audit.look("Ana", "", "lobby")
    await trail.audit.sweep()
    after = Audit(trail.journal, tmp_path, trail.clock)
    await after.look("Ben", "", "lobby")
    await after.begin()
    (line,) = await lines(trail, act="view.live")
    assert (line["who"], line["outcome"]) == ("Ana", "cut off by a stop")
    assert line["details"]["pictures"] == 2
    assert [each["who"] for each in (await after.view(Asked()))["looking"]] == ["Ben"]


async def test_a_failed_line_of_a_look_is_written_later(trail: Trail) -> None:
    """A look that has ended is not forgotten where the journal fails for a while."""
    await trail.audit.look("Ana", "", "lobby")
    await trail.clock.advance(PAUSE_S + 1)
    away = "ALTER TABLE audit RENAME TO away"
    await trail.journal.write(lambda c: c.exec_driver_sql(away))
    with pytest.raises(Exception, match="no such table"):
        await trail.audit.sweep()
    back = "ALTER TABLE away RENAME TO audit"
    await trail.journal.write(lambda c: c.exec_driver_sql(back))
    await trail.audit.sweep()
    assert len(await lines(trail, act="view.live")) == 1


async def test_a_stuck_journal_shows_no_picture_and_hangs_nobody(
    trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for a picture is told after a moment."""
    monkeypatch.setattr("hub.audit.WITHIN_S", 0.01)

    async def never(work: Any) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(trail.journal, "write", never)
    with pytest.raises(StateError, match="does not answer"):
        await trail.audit.look("Ana", "", "lobby")
    for task in asyncio.all_tasks():
        if task.get_name() == "audit-look":
            task.cancel()


async def test_the_end_is_signed_while_the_chain_moves(trail: Trail) -> None:
    """Within a minute of a line, and not again where nothing was added."""
    running = asyncio.create_task(trail.audit.run())
    view = await trail.audit.view(Asked())
    assert view["signed"] == 1  # the line that names the key
    await trail.audit.refused("")
    for _ in range(int(SIGN_S / SWEEP_S) + 1):
        await trail.clock.advance(SWEEP_S)
    async with asyncio.timeout(30):
        while (view := await trail.audit.view(Asked()))["signed"] != 2:
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await trail.audit.sign()
    assert (await trail.audit.view(Asked()))["signed_time"] == view["signed_time"]


async def test_nothing_is_called_late_that_was_not(trail: Trail) -> None:
    """A notice that arrived is no act: its line is not missed."""
    event = Event("action.confirmed", "hub", START, "mail", {"kind": "notice"})
    data = eventlog.encode(event.data)
    await trail.journal.write(lambda c: eventlog.append(c, event, START, data))
    with capture_logs() as said:
        await trail.audit.sign()
    assert said == []


async def test_a_kept_picture_is_a_look_at_its_incident(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """Pictures of one incident are one look; one that nothing has is named by itself."""
    await sign_in("sro")
    picture = next(iter((house.folder / "media").glob("*.jpg"))).name
    assert (await client.get(f"/media/{picture}")).status == 200
    (look,) = (await house.audit.view(Asked()))["looking"]
    assert (look["act"], look["subject"]) == ("view.recorded", f"picture/{picture}")
