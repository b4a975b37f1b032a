"""Answers given in PagerDuty and Slack take an alert on here, as the providers document them."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from aiohttp.test_utils import TestClient, TestServer
from pydantic import ValidationError
from test_inbound_desk import NOW, SCHOOL, SECRET, House

from hub.config import Config
from hub.inbound.answers import NoAnswer, read_answer
from hub.inbound.blocks import InboundBlock
from hub.inbound.desk import InboundDesk
from hub.safety.notices.hearing import Hearing
from hub.safety.outbox import by_key
from hub.storage.schema import receipts
from hub.web.server import create_app

ANSWERS: dict[str, Any] = {
    **SCHOOL,
    "notifiers": {"console": {"driver": "x"}, "chat": {"driver": "x", "name": "Slack"}},
    "inbound": {
        **SCHOOL["inbound"],
        "pd": {"format": "pagerduty", "answers": "console", "signature": {"secret": SECRET}},
        "chat": {"format": "slack", "answers": "chat", "signature": {"secret": SECRET}},
    },
    "rules": {
        "weapon": {
            **SCHOOL["rules"]["weapon"],
            "alert": {"severity": "high", "tell": ["officer"], "through": ["console", "chat"]},
        }
    },
}


@pytest.fixture
async def there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[House, TestClient]]:
    """A hub that hears answers, with one open alert."""
    monkeypatch.setattr("test_inbound_desk.SCHOOL", ANSWERS)
    house = House(tmp_path)
    hearing = Hearing(house.intake)
    house.desk = InboundDesk(lambda: house.config, house.intake.take, house.clock, hearing.answered)
    house.receive = house.desk.receive
    await house.journal.open()
    async with TestClient(TestServer(create_app(house))) as client:
        body = json.dumps({"id": 1, "state": "open", "kind": "gun", "room": "Hall"}).encode()
        assert (await send(client, "guard", body, {"X-Signature": sign(body)}))[0] == 202
        yield house, client
    await house.journal.close()


async def send(
    client: TestClient, name: str, body: bytes, headers: dict[str, str]
) -> tuple[int, Any]:
    """Post a message; status and answer."""
    answer = await client.post(f"/inbound/{name}", data=body, headers=headers)
    return answer.status, await answer.json()


def sign(body: bytes, secret: str = SECRET) -> str:
    """The HMAC of bytes, as hexadecimal digits."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def pagerduty(alert: str, kind: str = "incident.acknowledged", who: str = "Pat Field") -> bytes:
    """A webhook of version 3, as its documentation shows one."""
    event = {
        "id": "01BVMDBWFD", "event_type": kind, "resource_type": "incident",
        "occurred_at": "2026-03-02T16:04:30.000Z",
        "agent": {"id": "PLH1HKV", "type": "user_reference", "summary": who},
        "client": None,
        "data": {"id": "PGR0VU2", "type": "incident", "number": 2, "incident_key": alert},
    }  # fmt: skip
    return json.dumps({"event": event}).encode()


def slack(key: str, action: str = "take_on", kind: str = "block_actions") -> bytes:
    """The press of a button, as Slack posts it."""
    said = {
        "type": kind, "user": {"id": "U0123456789", "username": "pat", "name": "pat"},
        "actions": [{"type": "button", "action_id": action, "value": key}],
    }  # fmt: skip
    return urlencode({"payload": json.dumps(said)}).encode()


def of_slack(body: bytes, at: int | None = None, secret: str = SECRET) -> dict[str, str]:
    """The headers of a request that Slack has signed."""
    stamp = str(int(NOW.timestamp()) if at is None else at)
    signature = sign(f"v0:{stamp}:".encode() + body, secret)
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={signature}"}


async def key_of(house: House, channel: str) -> str:
    """The key of the notice that a channel is given."""
    found = await house.journal.read(
        lambda c: c.scalar(receipts.select().with_only_columns(receipts.c.key).where(
            receipts.c.channel == channel
        ))
    )  # fmt: skip
    assert (await house.journal.read(lambda c: by_key(c, found))).target == channel
    return str(found)


async def test_an_acknowledgement_in_pagerduty_takes_the_alert_on(
    there: tuple[House, TestClient],
) -> None:
    """In the name that it gives, once; whatever else happens there is left alone."""
    house, client = there
    (alert,) = await house.intake.alerts()
    other = pagerduty(alert["id"], "incident.annotated")
    status, said = await send(client, "pd", other, {"X-PagerDuty-Signature": f"v1={sign(other)}"})
    assert (status, said["taken"]) == (200, False)
    body = pagerduty(alert["id"])
    signed = {"X-PagerDuty-Signature": f"v1={sign(body, 'an older secret of it')},v1={sign(body)}"}
    for _ in range(2):
        assert await send(client, "pd", body, signed) == (200, {"taken": True})
    (alert,) = await house.intake.alerts()
    assert alert["acknowledged"] is not None
    assert alert["acknowledged"]["by"] == "Pat Field (Console)"
    story = (await house.intake.incident(alert["incident"]))["entries"]
    said = [entry["text"] for entry in story if entry["type"] == "alert.acknowledged"]
    assert said == ["Pat Field (Console) has taken the alert on"]


async def test_a_button_in_slack_takes_the_alert_on(there: tuple[House, TestClient]) -> None:
    """By the key of the notice that its channel was given."""
    house, client = there
    body = slack(await key_of(house, "chat"))
    assert await send(client, "chat", body, of_slack(body)) == (200, {"taken": True})
    (alert,) = await house.intake.alerts()
    assert alert["acknowledged"] is not None
    assert alert["acknowledged"]["by"] == "pat (Slack)"


async def test_who_comes_too_late_has_done_nothing_wrong(there: tuple[House, TestClient]) -> None:
    """The alert stays with who has it."""
    house, client = there
    (alert,) = await house.intake.alerts()
    await house.intake.acknowledge(alert["id"], "officer")
    body = slack(await key_of(house, "chat"))
    assert (await send(client, "chat", body, of_slack(body)))[0] == 200
    (alert,) = await house.intake.alerts()
    assert alert["acknowledged"] is not None
    assert alert["acknowledged"]["by"] == "officer"


async def test_what_is_forged_or_stale_takes_nothing_on(there: tuple[House, TestClient]) -> None:
    """Another secret, an old time, a signature of another message, none at all."""
    house, client = there
    (alert,) = await house.intake.alerts()
    press, told = slack(await key_of(house, "chat")), pagerduty(alert["id"])
    forged = [
        ("chat", press, of_slack(press, secret="another secret of 16")),
        ("chat", press, of_slack(press, at=int(NOW.timestamp()) - 400)),
        ("chat", press, {}),
        ("pd", told, {"X-PagerDuty-Signature": f"v1={sign(b'other')}"}),
        ("pd", told, {"X-PagerDuty-Signature": ",".join(["v1=00"] * 50)}),
        ("pd", told, {"X-Signature": sign(told)}),
    ]
    for name, body, headers in forged:
        assert (await send(client, name, body, headers))[0] == 401
    (alert,) = await house.intake.alerts()
    assert alert["acknowledged"] is None


async def test_a_channel_answers_only_for_what_it_was_given(
    there: tuple[House, TestClient],
) -> None:
    """Another channel's notice, or none: answered, so that it does not come again, and dropped."""
    house, client = there
    for key in (await key_of(house, "console"), "nothing", ""):
        body = slack(key)
        status, said = await send(client, "chat", body, of_slack(body))
        assert (status, said["taken"]) == (200, False)
    (alert,) = await house.intake.alerts()
    assert alert["acknowledged"] is None


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("chat", b"payload=%7B", 422), ("chat", b"\xff", 422), ("chat", b"", 422),
        ("chat", slack("k", action="other"), 200), ("chat", slack("k", kind="view_closed"), 200),
        ("pd", b"[]", 422), ("pd", b'{"event": {"event_type": "pagey.ping"}}', 200),
        ("pd", b'{"event": {"event_type": "incident.acknowledged", "data": {}}}', 200),
        ("pd", b"[" * 60_000, 422),
    ],
)  # fmt: skip
async def test_whatever_is_signed_is_answered_in_words(
    there: tuple[House, TestClient], name: str, body: bytes, status: int
) -> None:
    """No form of message brings the hub into trouble."""
    _, client = there
    headers = of_slack(body)
    headers["X-PagerDuty-Signature"] = f"v1={sign(body)}"
    found, said = await send(client, name, body, headers)
    assert found == status
    assert "Traceback" not in json.dumps(said)


@pytest.mark.parametrize("who", ["", "x" * 500, "Pat\u202e\nField", None])
def test_a_name_is_one_short_line(who: Any) -> None:
    """Whatever somebody calls themselves there."""
    name = read_answer("pagerduty", pagerduty("a", who=who)).by
    assert 0 < len(name) <= 80
    assert name.isprintable()


def test_what_takes_nothing_on_says_what_it_is() -> None:
    """Who sets it up sees why nothing happened."""
    with pytest.raises(NoAnswer, match=r"incident.resolved: only incident.acknowledged counts"):
        read_answer("pagerduty", pagerduty("a", "incident.resolved"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"answers": None}, "expected `answers: NOTIFIER` beside `format: pagerduty`"),
        ({"format": "json"}, "expected no `answers`"),
        ({"fields": {"id": "a"}}, "alone; expected no data, ends, fields, key, only"),
        ({"signature": None, "key": {"secret": SECRET}}, "needs `signature:"),
    ],
)
def test_the_block_says_whose_alerts_are_answered_and_nothing_else(
    changes: dict[str, Any], words: str
) -> None:
    """A provider's messages have a form and a signature of their own."""
    block = {"format": "pagerduty", "answers": "chat", "signature": {"secret": SECRET}}
    with pytest.raises(ValidationError, match=words):
        InboundBlock.model_validate({**block, **changes})


def test_the_notifier_that_is_answered_is_named() -> None:
    """As it stands in the file."""
    assert Config.model_validate(ANSWERS).inbound["chat"].answers == "chat"
