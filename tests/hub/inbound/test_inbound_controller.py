"""Messages for a controller: proven, heard once, read by its driver; at a real hub's gate."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from pydantic import ValidationError
from test_inbound_desk import NOW, SECRET, House

from hub.config import Config
from hub.errors import CommandFailed, NotReady
from hub.inbound.blocks import InboundBlock
from hub.inbound.desk import InboundDesk
from hub.web.server import create_app

HOOK: dict[str, Any] = {
    "controller": "console",
    "signature": {
        "header": "Signature",
        "form": "t={timestamp},v1={signature}",
        "signs": "{timestamp}.{body}",
        "secret": SECRET,
    },
}
SAID = json.dumps({"event": "access.device.dps_status", "data": {"note": "geöffnet"}}).encode()


def signature(body: bytes = SAID, at: float = NOW.timestamp(), secret: str = SECRET) -> str:
    """The header as UniFi Access writes it."""
    stamp = f"{at:.0f}"
    made = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={made}"


@asynccontextmanager
async def opened(
    folder: Path, hand: Callable[[str, str], Awaitable[str]]
) -> AsyncIterator[tuple[House, Callable[..., Awaitable[tuple[int, Any]]]]]:
    """A house with one controller behind `hand`, and a way to post to it."""
    house = House(folder)
    raw = house.config.model_dump(mode="json", by_alias=True, exclude_unset=True)
    raw["access_control"] = {"console": {"driver": "x"}}
    raw["inbound"] = {"console_hook": HOOK | {"per_minute": 6}}
    house.config = Config.model_validate(raw)
    house.desk = InboundDesk(lambda: house.config, house.intake.take, house.clock, hand=hand)
    house.receive = house.desk.receive
    async with TestClient(TestServer(create_app(house))) as client:

        async def post(body: bytes = SAID, **headers: str) -> tuple[int, Any]:
            given = headers or {"Signature": signature(body)}
            answer = await client.post("/inbound/console_hook", data=body, headers=given)
            return answer.status, await answer.json()

        yield house, post


async def test_what_is_proven_reaches_the_driver_once(tmp_path: Path) -> None:
    """A message is handed on as it came; one that is sent again, however its signature is written,
    is not; one that proves nothing, or is old, never is.
    """
    heard: list[tuple[str, str]] = []

    async def hand(controller: str, message: str) -> str:
        heard.append((controller, message))
        return ""

    async with opened(tmp_path, hand) as (house, post):
        assert await post() == (202, {"taken": True})
        assert heard == [("console", SAID.decode())]
        assert await post() == (200, {"taken": True, "repeated": True})
        shouted = signature().replace(signature().partition("v1=")[2], signature()[-64:].upper())
        assert await post(Signature=shouted) == (200, {"taken": True, "repeated": True})
        assert (await post(Signature=signature(secret="x" * 20)))[0] == 401
        assert (await post(Signature=signature(at=NOW.timestamp() - 400)))[0] == 401
        assert len(heard) == 1
        later = signature(at=NOW.timestamp() + 1)
        assert (await post(Signature=later))[0] == 202
        counts = house.desk.counts()["inbound console_hook"]
        assert (counts["accepted"], counts["repeated"], counts["unproven"]) == (2, 2, 2)


async def test_a_driver_may_have_no_use_for_it_or_not_be_there(tmp_path: Path) -> None:
    """What is of no interest is answered so that nobody sends it again; what cannot be read says
    so; what cannot be taken now is taken when it comes again, also from a driver that raises.
    """
    answers: list[Any] = [
        "a doorbell", CommandFailed("no webhook"), NotReady("no link"), KeyError("x"), ""
    ]  # fmt: skip

    async def hand(controller: str, message: str) -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    async with opened(tmp_path, hand) as (_, post):
        assert await post(b'{"a": 1}') == (200, {"taken": False, "why": "a doorbell"})
        status, said = await post(b'{"a": 2}')
        assert (status, "no webhook" in said["detail"]) == (422, True)
        assert (await post())[0] == 503
        assert (await post())[0] == 503
        assert (await post())[0] == 202
        assert (await post(b"\xff\xfe"))[0] == 422
        assert (await post(b'{"a": 3}'))[0] == 429


async def test_what_comes_twice_at_once_is_handed_on_once(tmp_path: Path) -> None:
    """Somebody who has overheard it is not faster than the driver."""
    heard: list[str] = []
    gate = asyncio.Event()

    async def hand(controller: str, message: str) -> str:
        heard.append(message)
        await gate.wait()
        return ""

    async with opened(tmp_path, hand) as (_, post):
        first = asyncio.create_task(post())
        while not heard:
            await asyncio.sleep(0)
        assert await post() == (200, {"taken": True, "repeated": True})
        gate.set()
        assert (await first)[0] == 202
        assert len(heard) == 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"fields": {"id": "a"}}, "expected no fields"),
        ({"does": "lockdown"}, "expected no does"),
        ({"format": "cap"}, "expected no format"),
        ({"signature": {"secret": SECRET}}, "has its time signed"),
    ],
)
def test_a_block_that_makes_no_sense_is_refused(wrong: dict[str, Any], words: str) -> None:
    """A driver reads its messages itself, and nobody may send them again."""
    with pytest.raises(ValidationError, match=words):
        InboundBlock.model_validate(HOOK | wrong)
    keyed = {name: said for name, said in HOOK.items() if name != "signature"}
    with pytest.raises(ValidationError, match="expected no key"):
        InboundBlock.model_validate(keyed | {"key": {"secret": SECRET}})
