"""The same key, the same act: whatever a program asks twice is done once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from conformance import watch
from scripted_house import ScriptedHouse
from sqlalchemy import func, select

from hub.bus import Bus
from hub.campus import Campus
from hub.config import Config
from hub.errors import StateError
from hub.protocols import Protocols
from hub.safety.intake import Intake
from hub.storage import once
from hub.storage.schema import actions
from hub.testing import FakeClock
from hub.web.idempotency import HEADER, REPEATED
from hub.web.server import create_app

SCHOOL: dict[str, Any] = {
    "places": {"school": {"name": "Lincoln School", "kind": "site"}},
    "access_control": {"locks": {"driver": "x"}},
    "doors": {
        "main": {"name": "Main", "controller": "locks", "place": "school", "egress": "free"},
        "shut": {"name": "Shut", "controller": "locks", "place": "school"},
    },
    "notifiers": {"console": {"driver": "x"}},
    "protocols": {"lockdown": {"doors": [{"verb": "lock", "place": "school"}]}, "hold": {}},
}
COMMANDS = "/api/v1/doors/main/commands"
LOCK = {"verb": "lock", "reason": "rounds"}
Send = Callable[..., Any]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[ScriptedHouse]:
    """A house in which doors, protocols and the journal are real, and the clock is moved."""
    made = ScriptedHouse(tmp_path, FakeClock())
    await made.open()
    _furnish(made)
    yield made
    await made.close()


def _furnish(made: ScriptedHouse) -> None:
    made.config = Config.model_validate(SCHOOL)
    made.campus = Campus(made.config.places)
    intake = Intake(
        made.config, made.campus, made.journal, Bus(), made.clock, public=lambda name: False
    )
    made.command_door = intake.command_door  # type: ignore[method-assign]
    made.protocols = Protocols(intake, frozenset)  # type: ignore[assignment]


@pytest.fixture
def send(client: TestClient, token: Any) -> Send:
    """Send something under a key; the status, whether it was a repetition, and the answer."""
    made: dict[str, dict[str, str]] = {}

    async def post(
        key: str, body: dict[str, Any] = LOCK, path: str = COMMANDS, role: str = "sro"
    ) -> tuple[int, bool, Any]:
        if role not in made:
            made[role] = await token(role)
        answer = await client.post(path, json=body, headers={**made[role], HEADER: key})
        text = await answer.text()
        return answer.status, REPEATED in answer.headers, json.loads(text) if text else None

    return post


async def _commands(house: ScriptedHouse) -> int:
    count: int = await house.journal_read(
        lambda c: c.execute(select(func.count()).select_from(actions)).scalar_one()
    )
    return count


async def test_asked_twice_is_done_once(house: ScriptedHouse, send: Send) -> None:
    """The second answer is the first one, and says that it is."""
    first = await send("a-1")
    again = await send("a-1")
    assert first[:2] == (202, False)
    assert again == (202, True, first[2])
    assert await _commands(house) == 1
    other = await send("a-2")
    assert other[2] != first[2]
    assert await _commands(house) == 2


async def test_without_a_key_each_request_is_an_act(
    client: TestClient, house: ScriptedHouse, token: Any
) -> None:
    """Who sends no key asks anew."""
    headers = await token("sro")
    for _ in range(2):
        assert (await client.post(COMMANDS, json=LOCK, headers=headers)).status == 202
    assert await _commands(house) == 2


async def test_a_key_belongs_to_what_was_sent_and_to_who_sent_it(
    house: ScriptedHouse, send: Send
) -> None:
    """Another body or address under it is refused; another sender's key is their own."""
    first = await send("k")
    for body, path in (({"verb": "unlock"}, COMMANDS), (LOCK, "/api/v1/doors/shut/commands")):
        status, _, problem = await send("k", body, path)
        assert status == 422
        assert "Something else was sent" in problem["detail"]
    assert (await send("k"))[2] == first[2]
    status, repeated, theirs = await send("k", role="principal")
    assert (status, repeated) == (202, False)
    assert theirs != first[2]
    assert await _commands(house) == 2


async def test_at_the_same_time_is_once_too(house: ScriptedHouse, send: Send) -> None:
    """Of many that arrive together one acts; the others are told to wait, or get its answer."""
    await send("warm")
    before = await _commands(house)
    answers = await asyncio.gather(*(send("together") for _ in range(8)))
    assert {status for status, _, _ in answers} <= {202, 409}
    assert len({said["key"] for status, _, said in answers if status == 202}) == 1
    assert await _commands(house) == before + 1
    refused = [said for status, _, said in answers if status == 409]
    assert all("under way" in said["detail"] for said in refused)


async def test_it_holds_across_a_restart(house: ScriptedHouse, send: Send, token: Any) -> None:
    """A hub that has started anew gives the answer of the one before."""
    first = await send("k")
    await house.journal.close()
    await house.journal.open()
    app = create_app(house)
    differs = watch(app)
    async with TestClient(TestServer(app)) as later:
        headers = {**await token("nurse"), HEADER: "k"}
        assert (await later.post(COMMANDS, json=LOCK, headers=headers)).status == 403
    assert differs == []
    assert await send("k") == (202, True, first[2])
    assert await _commands(house) == 1


async def test_an_answer_that_was_lost_is_made_again(
    house: ScriptedHouse, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the hub dies between the act and its answer, the act is known to be done, for both are
    written in one transaction: asking again gives its key, and moves no door twice.
    """
    monkeypatch.setattr(once, "keep", _dies)
    assert (await send("k"))[0] == 202
    monkeypatch.undo()
    (written,) = await house.journal_read(
        lambda c: c.execute(select(actions.c.key)).scalars().all()
    )
    assert await send("k") == (202, True, {"key": written})
    assert await _commands(house) == 1


def _dies(*anything: object) -> None:
    raise StateError("the disk is gone")


async def test_an_act_that_fails_leaves_no_key(
    house: ScriptedHouse, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was refused or rolled back was not done, and may be asked again under the same key."""
    shut = "/api/v1/doors/shut/commands"
    assert (await send("k", LOCK, shut))[0] == 409
    assert await house.journal_read(_rows) == 0
    block = house.config.doors["shut"]
    house.config.doors["shut"] = block.model_copy(update={"egress": "free"})  # type: ignore[index]
    assert (await send("k", LOCK, shut))[:2] == (202, False)
    assert (await send("k", LOCK, shut))[:2] == (202, True)
    assert await _commands(house) == 1


def _rows(connection: Any) -> int:
    found: int = connection.execute(select(func.count()).select_from(once.once)).scalar_one()
    return found


async def test_keys_are_kept_for_a_day_and_in_bounded_number(
    house: ScriptedHouse, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After 24 hours a key is new again, and what is kept does not grow without end."""
    first = await send("k")
    await house.clock.advance(timedelta(hours=23, minutes=59).total_seconds())  # type: ignore[attr-defined]
    assert (await send("k"))[2] == first[2]
    await house.clock.advance(60.0)  # type: ignore[attr-defined]
    later = await send("k")
    assert (later[0], later[1]) == (202, False)
    assert later[2] != first[2]
    monkeypatch.setattr(once, "MOST", 5)
    for number in range(20):
        await send(f"n{number}")
    assert await house.journal_read(_rows) == 5
    monkeypatch.undo()
    assert (await send("n19"))[1] is True
    assert (await send("n0"))[1] is False


async def test_a_protocol_is_started_once(house: ScriptedHouse, send: Send) -> None:
    """The header is the key that a start knows by itself: also where its answer was lost."""
    path = "/api/v1/protocols/lockdown/start"
    first = await send("k", {"area": "school"}, path)
    assert (await send("k", {"area": "school"}, path))[2]["id"] == first[2]["id"]
    assert len((await house.protocols.view())["in_force"]) == 1


async def test_a_secret_is_told_once(house: ScriptedHouse, send: Send) -> None:
    """A device's token is in no journal: the second answer says that it was enrolled."""
    body = {"name": "Room 12", "place": "school"}
    status, _, device = await send("k", body, "/api/v1/devices", "it")
    assert status == 201
    status, _, problem = await send("k", body, "/api/v1/devices", "it")
    assert (status, problem["detail"]) == (409, "This was done before.")
    assert len(await house.protocols.devices()) == 1
    for file in house.folder.glob("journal.db*"):
        assert device["token"].encode() not in file.read_bytes()


async def test_a_pin_is_kept_nowhere(house: ScriptedHouse, send: Send) -> None:
    """Neither a PIN nor what it was answered is remembered under a key."""
    run = (await send("s", {"area": "school"}, "/api/v1/protocols/lockdown/start"))[2]["id"]
    before = await house.journal_read(_rows)
    for _ in range(2):
        await send("p", {"pin": "4711"}, f"/api/v1/protocols/{run}/end-by-pin")
    assert await house.journal_read(_rows) == before


@pytest.mark.parametrize("key", [" ", "a b", "x" * 201, "naïve"])
async def test_a_key_that_cannot_be_used_is_refused(
    client: TestClient, house: ScriptedHouse, token: Any, key: str
) -> None:
    """Nothing is done under a key that is none."""
    headers = {**await token("sro"), HEADER: key}
    answer = await client.post(COMMANDS, json=LOCK, headers=headers)
    assert answer.status == 422
    assert await _commands(house) == 0


async def test_two_keys_are_none(client: TestClient, house: ScriptedHouse, token: Any) -> None:
    """Which of two keys was meant is not guessed."""
    headers = [*(await token("sro")).items(), (HEADER, "a"), (HEADER, "b")]
    assert (await client.post(COMMANDS, json=LOCK, headers=headers)).status == 422
    assert await _commands(house) == 0
