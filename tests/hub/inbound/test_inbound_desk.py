"""Messages over HTTP, to a hub's real gate, desk, rules and journal."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from hub.bus import Bus
from hub.campus import Campus
from hub.config import Config
from hub.inbound.desk import InboundDesk
from hub.safety.intake import Intake
from hub.storage.journal import Journal
from hub.testing import FakeClock
from hub.web import inbound as inbound_page
from hub.web.server import create_app

NOW = datetime(2026, 3, 2, 16, 4, 5, tzinfo=UTC)
SECRET = "correct horse battery staple"
SCHOOL: dict[str, Any] = {
    "places": {"lobby": {"name": "Lobby", "kind": "room"}},
    "notifiers": {"console": {"driver": "x"}},
    "people": {"officer": {"name": "Officer", "role": "sro"}},
    "inbound": {
        "guard": {
            "name": "Weapon guard",
            "signature": {"secret": SECRET},
            "only": {"kind": "gun"},
            "ends": {"state": "over"},
            "fields": {
                "id": ["id", "state"],
                "about": "id",
                "label": "kind",
                "place": {"at": "room", "as": {"Hall": "lobby"}},
                "score": "sure",
                "text": "said",
            },
            "per_minute": 5,
        }
    },
    "rules": {
        "weapon": {
            "name": "Weapon reported",
            "when": "report.received",
            "if": {"label": "gun", "place": "lobby"},
            "alert": {"severity": "high", "tell": ["officer"], "through": ["console"]},
        }
    },
}


class House:
    """What the web needs of a house for messages: the desk over a real intake and journal."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock(NOW)
        self.config = Config.model_validate(SCHOOL)
        self.campus = Campus(self.config.places)
        self.journal = Journal(folder / "journal.db")
        self.intake = Intake(
            self.config, self.campus, self.journal, Bus(), self.clock, public=lambda channel: False
        )
        self.desk = InboundDesk(lambda: self.config, self.intake.take, self.clock)
        self.receive = self.desk.receive


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[tuple[House, TestClient]]:
    """A house and somebody on its network."""
    house = House(folder)
    await house.journal.open()
    try:
        async with TestClient(TestServer(create_app(house))) as client:
            yield house, client
    finally:
        await house.journal.close()


def gun(**changed: Any) -> bytes:
    """A message of the guard."""
    said = {"id": 1, "state": "open", "kind": "gun", "room": "Hall", "sure": 0.9, **changed}
    return json.dumps(said).encode()


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    """The header that proves it."""
    return {"X-Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


async def post(
    client: TestClient, body: bytes, headers: dict[str, str] | None = None, to: str = "guard"
) -> tuple[int, Any]:
    """Post it as its sender would; status and answer."""
    answer = await client.post(
        f"/inbound/{to}", data=body, headers=signed(body) if headers is None else headers
    )
    return answer.status, await answer.json()


async def test_a_report_raises_the_alert_of_its_rule(tmp_path: Path) -> None:
    """Signed, read, journaled, decided, answered; the alert says who reported what where."""
    async with opened(tmp_path) as (house, client):
        status, said = await post(client, gun(said="Long gun"))
        assert (status, said["taken"], said["repeated"]) == (202, True, False)
        (alert,) = await house.intake.alerts()
        assert (alert["rule"], alert["place"], alert["score"]) == ("weapon", "lobby", 0.9)
        incident = await house.intake.incident(alert["incident"])
        told = [entry["text"] for entry in incident["entries"]]
        assert "Weapon guard reports: gun: Long gun" in told


async def test_a_message_that_comes_again_is_one(tmp_path: Path) -> None:
    """A sender that had no answer sends again, and so does who overheard it: one event, one alert
    that counts once.
    """
    async with opened(tmp_path) as (house, client):
        first = await post(client, gun())
        again = await post(client, gun())
        assert (first[0], again[0]) == (202, 200)
        assert again[1] == {**first[1], "repeated": True}
        (alert,) = await house.intake.alerts()
        assert alert["count"] == 1


async def test_a_report_never_asks_anything_of_a_door(tmp_path: Path) -> None:
    """Whoever it comes from, it is a proposal: nothing but notices to reviewers follows."""
    async with opened(tmp_path) as (house, client):
        await post(client, gun())
        counts = await house.intake.counts()
        (alert,) = await house.intake.alerts()
        incident = await house.intake.incident(alert["incident"])
        assert counts["actions"]["pending"] == 1
        assert [action["kind"] for action in incident["actions"]] == ["notice"]


async def test_what_is_not_proven_changes_nothing(tmp_path: Path) -> None:
    """Wrong, missing, of another message; and a name that is not there answers alike."""
    async with opened(tmp_path) as (house, client):
        wrong = [{}, signed(gun(), "another secret of 16"), signed(b"other")]
        for headers in wrong:
            status, said = await post(client, gun(), headers)
            assert status == 401
            assert said["detail"] == "The message does not prove who sent it."
            assert SECRET not in json.dumps(said)
        status, said = await post(client, gun(), to="nobody")
        assert (status, said["detail"]) == (401, "The message does not prove who sent it.")
        assert await house.intake.alerts() == []
        assert (await house.intake.counts())["events"] == 0
        assert house.desk.counts()["inbound guard"]["unproven"] == 3


async def test_guessing_is_slowed_down(tmp_path: Path) -> None:
    """After thirty wrong ones an address is told to wait, no longer that it is wrong."""
    async with opened(tmp_path) as (house, client):
        for _ in range(31):
            await post(client, gun(), {})
        answer = await client.post("/inbound/guard", data=gun(), headers={})
        assert answer.status == 429
        assert int(answer.headers["Retry-After"]) >= 1
        await house.clock.advance(400)
        assert (await post(client, gun(), {}))[0] == 401


async def test_a_flood_keeps_no_report_out(tmp_path: Path) -> None:
    """What is proven is taken at once, whatever a stranger sent from the same address before."""
    async with opened(tmp_path) as (house, client):
        for _ in range(60):
            await post(client, gun(), {})
        assert (await post(client, gun(), {}))[0] == 429
        assert (await post(client, gun()))[0] == 202
        assert (await post(client, gun(), {}))[0] == 429
        assert len(await house.intake.alerts()) == 1


async def test_a_flood_writes_few_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The log says once a minute how many were not proven."""
    async with opened(tmp_path) as (house, client):
        for _ in range(20):
            await post(client, gun(), {})
        assert capsys.readouterr().out.count("messages were not proven") == 1
        assert house.desk.counts()["inbound guard"]["unproven"] == 20


async def test_replays_use_up_nothing(tmp_path: Path) -> None:
    """Who sends again what he has overheard neither writes nor keeps a new report out."""
    async with opened(tmp_path) as (house, client):
        await post(client, gun(id=1))
        assert {(await post(client, gun(id=1)))[0] for _ in range(20)} == {200}
        assert house.intake.repeated == 0
        assert (await post(client, gun(id=2)))[0] == 202
        assert house.desk.counts()["inbound guard"]["repeated"] == 20


async def test_a_score_of_another_scale_is_told(tmp_path: Path) -> None:
    """The report raises its alert; answer, story and health say what was made of the score."""
    async with opened(tmp_path) as (house, client):
        status, said = await post(client, gun(sure=87))
        assert status == 202
        assert said["notes"] == [
            "sure: expected a number from 0 to 1, found '87', taken as 1 "
            "(`out_of` says what the most is)"
        ]
        (alert,) = await house.intake.alerts()
        assert alert["score"] == 1.0
        incident = await house.intake.incident(alert["incident"])
        assert "Weapon guard reports: gun (score given as 87)" in [
            entry["text"] for entry in incident["entries"]
        ]
        assert house.desk.counts()["inbound guard"]["mended"] == 1


async def test_a_flood_of_proven_messages_is_bounded(tmp_path: Path) -> None:
    """What is beyond `per_minute` is refused with when to come again, and counted."""
    async with opened(tmp_path) as (house, client):
        found = [(await post(client, gun(id=number)))[0] for number in range(8)]
        assert found == [202] * 5 + [429] * 3
        assert house.desk.counts()["inbound guard"]["dropped"] == 3
        await house.clock.advance(61)
        assert (await post(client, gun(id=99)))[0] == 202


async def test_what_is_of_no_interest_is_forgotten(tmp_path: Path) -> None:
    """Answered with why, so that who sets it up sees it."""
    async with opened(tmp_path) as (house, client):
        status, said = await post(client, gun(kind="dog"))
        assert (status, said["taken"]) == (200, False)
        assert said["why"] == "kind is 'dog', and only gun counts"
        assert (await house.intake.counts())["events"] == 0


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 422), (b'{"kind": "gun"}', 422), (b"x" * 70_000, 413)]
)
async def test_bad_messages_are_answered_in_words(tmp_path: Path, body: bytes, status: int) -> None:
    """Proven but not to be read, or too long: what is wrong, and no traceback."""
    async with opened(tmp_path) as (_, client):
        found, said = await post(client, body)
        assert found == status
        assert set(said) == {"type", "title", "status", "detail", "hint"}
        assert "Traceback" not in said["detail"]


async def test_a_journal_that_fails_asks_for_it_again(tmp_path: Path) -> None:
    """Nothing is answered as taken that is not on the disk."""
    async with opened(tmp_path) as (house, client):
        await house.journal.close()
        status, said = await post(client, gun())
        assert status == 503
        assert "again" in said["hint"]
        await house.journal.open()
        assert (await post(client, gun()))[0] == 202


async def test_another_site_cannot_post_through_a_browser(tmp_path: Path) -> None:
    """A page elsewhere that makes a browser post is refused before anything is read."""
    async with opened(tmp_path) as (house, client):
        headers = {**signed(gun()), "Origin": "https://elsewhere.example"}
        assert (await post(client, gun(), headers))[0] == 403
        assert (await house.intake.counts())["events"] == 0


async def test_half_a_character_costs_no_report(tmp_path: Path) -> None:
    """A sender that cuts its text within an emoji still raises the alert, and may say it twice."""
    async with opened(tmp_path) as (house, client):
        body = gun(id="v-1 \ud83d", said="Long gun \ud83d", room="Hall")
        assert (await post(client, body))[0] == 202
        assert (await post(client, body))[0] == 200
        (alert,) = await house.intake.alerts()
        incident = await house.intake.incident(alert["incident"])
        assert "Weapon guard reports: gun: Long gun" in [
            each["text"] for each in incident["entries"]
        ]
        (event,) = [
            event
            for _, event in (await house.intake.past_events(0, 50))
            if event.type == "report.received"
        ]
        assert event.subject == "v-1"


async def test_one_sender_with_a_wrong_secret_silences_no_other(tmp_path: Path) -> None:
    """Both come from one address, as all do behind a proxy; only the wrong one has to wait."""
    async with opened(tmp_path) as (house, client):
        for _ in range(31):
            await post(client, gun(), {}, to="button")
        assert (await client.post("/inbound/button", data=gun())).status == 429
        assert (await post(client, gun()))[0] == 202
        assert len(await house.intake.alerts()) == 1


async def test_a_message_that_never_ends_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever announces a body and sends none is answered, and holds nothing."""
    monkeypatch.setattr(inbound_page, "READ_S", 0.1)
    async with opened(tmp_path) as (_, client):
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(b"POST /inbound/guard HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        async with asyncio.timeout(30):
            assert b" 408 " in await reader.readline()
        writer.close()
        await writer.wait_closed()
