"""The WebSocket: who may open it, what each role hears, resuming, slow readers, the end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType, WSServerHandshakeError
from aiohttp.test_utils import TestClient, TestServer
from narrowed_school import AT_NIGHT, BY_DAY, narrowed
from scripted_house import ScriptedHouse

from hub.identity import accounts
from hub.web.server import create_app
from hub.web.socket import LEAVES, OVER, PATH, SLOW, TAKES_NOTHING
from hub.web.stream import STREAMS, Streams


async def heard(socket: ClientWebSocketResponse, count: int, kind: str = "") -> list[Any]:
    """The next messages, of one kind or of all."""
    found: list[Any] = []
    while len(found) < count:
        said = await socket.receive_json(timeout=20)
        if kind in ("", said["kind"]):
            found.append(said)
    return found


async def ended(socket: ClientWebSocketResponse) -> int | None:
    """Read until it is closed; with which code."""
    async with asyncio.timeout(20):
        while (await socket.receive()).type not in (WSMsgType.CLOSED, WSMsgType.CLOSE):
            pass
    return socket.close_code


async def _all_gone(streams: Streams) -> None:
    """Wait until no stream is open."""
    async with asyncio.timeout(20):
        while streams.open:
            await asyncio.sleep(0)


async def refused(client: TestClient, path: str = PATH, **more: Any) -> int:
    """The status with which a socket is not opened."""
    with pytest.raises(WSServerHandshakeError) as refusal:
        await client.ws_connect(path, **more)
    return refusal.value.status


async def test_events_and_what_changed(
    client: TestClient, house: ScriptedHouse, token: Any
) -> None:
    """First what will be told, then each event with its number, and what looks different now."""
    async with client.ws_connect(PATH, headers=await token("principal")) as socket:
        (hello,) = await heard(socket, 1)
        assert hello["events"] is True
        assert {"alerts", "doors", "protocols"} <= set(hello["topics"])
        house.publish("door.opened", "door/main", "main", why="test")
        told, changed = await heard(socket, 2)
        assert (told["kind"], told["id"], told["event"]["type"]) == ("event", 1, "door.opened")
        assert told["event"]["data"] == {"why": "test"}
        assert (changed["kind"], changed["topics"]) == ("changed", ["doors", "incidents"])


async def test_each_role_hears_what_it_may_see(
    client: TestClient, house: ScriptedHouse, token: Any
) -> None:
    """Who does not follow events hears only what changed of what they see, and cannot resume."""
    headers = await token("nurse")
    async with client.ws_connect(PATH, headers=headers) as socket:
        (hello,) = await heard(socket, 1)
        assert hello["events"] is False
        assert {"alerts", "incidents", "protocols", "visitors"} <= set(hello["topics"])
        assert not {"doors", "cameras", "health"} & set(hello["topics"])
        house.publish("door.opened", "door/main", "main")
        house.publish("camera.offline", "camera/lobby", "lobby")
        house.publish("alert.raised", "rule/test", "a1")
        (said,) = await heard(socket, 1)
        assert said == {"kind": "changed", "topics": ["alerts", "incidents"]}
    assert await refused(client, f"{PATH}?after=1", headers=headers) == 403


async def test_who_may_open_it(client: TestClient, sign_in: Any, token: Any) -> None:
    """A token in a header or among the subprotocols, or a session on a page of ours; nobody else,
    and no page of another site with our cookie.
    """
    assert await refused(client) == 401
    assert await refused(client, protocols=["vestibule.v1", "bearer.vst_wrong"]) == 401
    secret = (await token("sro"))["Authorization"].removeprefix("Bearer ")
    offered = ["vestibule.v1", f"bearer.{secret}"]
    async with client.ws_connect(PATH, protocols=offered) as socket:
        assert socket.protocol == "vestibule.v1"
        assert (await heard(socket, 1))[0]["events"] is True
    await sign_in("sro")
    assert await refused(client) == 403
    assert await refused(client, headers={"Origin": "http://evil.example"}) == 403
    assert await refused(client, headers={"Origin": "null"}) == 403
    ours = str(client.make_url("/")).rstrip("/")
    async with client.ws_connect(PATH, headers={"Origin": ours}) as socket:
        assert (await heard(socket, 1))[0]["kind"] == "hello"


async def test_the_token_among_subprotocols_opens_nothing_to_forms(
    client: TestClient, house: ScriptedHouse, token: Any
) -> None:
    """It stands for the header and for nothing else: a request that is no WebSocket is told so."""
    secret = (await token("sro"))["Authorization"].removeprefix("Bearer ")
    answer = await client.get(PATH, headers={"Sec-WebSocket-Protocol": f"bearer.{secret}"})
    assert answer.status == 426
    assert "WebSocket" in (await answer.json())["detail"]


async def test_who_comes_back_misses_nothing(
    client: TestClient, house: ScriptedHouse, token: Any
) -> None:
    """`after` tells what was committed since, each once, then goes on."""
    for number in range(700):
        house.publish("zone.entered", "camera/lobby", "lobby", number=number)
    async with client.ws_connect(f"{PATH}?after=5", headers=await token("it")) as socket:
        house.publish("zone.left", "camera/lobby", "lobby")
        got = await heard(socket, 696, "event")
        assert [each["id"] for each in got] == list(range(6, 702))
    headers = await token("auditor")
    for wrong in ("x", "-1", "9" * 30):
        assert await refused(client, f"{PATH}?after={wrong}", headers=headers) == 422


async def test_nothing_is_taken(client: TestClient, token: Any) -> None:
    """Who sends something is told that this is not the place."""
    async with client.ws_connect(PATH, headers=await token("sro")) as socket:
        await heard(socket, 1)
        await socket.send_str('{"verb": "unlock"}')
        assert await ended(socket) == TAKES_NOTHING
    async with client.ws_connect(PATH, headers=await token("it")) as socket:
        await heard(socket, 1)
        await socket.send_bytes(b"x" * 100_000)
        assert await ended(socket) in (TAKES_NOTHING, 1009)


async def test_it_ends_with_the_token(client: TestClient, house: ScriptedHouse, token: Any) -> None:
    """A token that was revoked hears nothing more, within a beat."""
    async with client.ws_connect(PATH, headers=await token("sro")) as socket:
        await heard(socket, 1)
        await house.journal_write(lambda c: accounts.revoke_token(c, "sro script"))
        assert await ended(socket) == OVER


async def test_it_says_anew_what_it_tells_when_hours_begin_and_end(tmp_path: Path) -> None:
    """Nothing of doors and no event reaches a role outside of its hours, and within them again."""
    house = narrowed(tmp_path, hours=True)
    await house.open()
    try:
        secret = await house.journal_write(
            lambda c: accounts.create_token(c, "a script", "sro", roles=house.config.roles)
        )
        app = create_app(house, Streams(beat_s=0.05))
        async with (
            TestClient(TestServer(app)) as client,
            client.ws_connect(PATH, headers={"Authorization": f"Bearer {secret}"}) as socket,
        ):
            (at_night,) = await heard(socket, 1)
            house.clock.set(BY_DAY)
            (by_day,) = await heard(socket, 1, "hello")
            assert at_night["events"] is True
            assert "doors" in at_night["topics"]
            assert by_day["events"] is False
            assert "doors" not in by_day["topics"]
            house.publish("door.opened", "door/main", "main")
            house.clock.set(AT_NIGHT)
            assert await heard(socket, 1) == [at_night]
            house.publish("door.opened", "door/main", "main")
            assert [each["id"] for each in await heard(socket, 1)] == [2]
    finally:
        await house.close()


async def test_who_cannot_keep_up_is_cut_and_told_so(house: ScriptedHouse, token: Any) -> None:
    """More than the queue holds while nothing is read: closed as too slow, and counted."""
    house._stream_size = 4
    app = create_app(house, Streams(beat_s=5.0, write_deadline_s=2.0))
    async with TestClient(TestServer(app)) as client:
        async with client.ws_connect(PATH, headers=await token("sro")) as socket:
            await heard(socket, 1)
            for _ in range(50):
                house.publish("zone.entered", "camera/lobby", "lobby")
            assert await ended(socket) == SLOW
        await _all_gone(app[STREAMS])
        assert app[STREAMS].cut == 1


async def test_who_does_not_read_at_all_costs_no_memory(house: ScriptedHouse, token: Any) -> None:
    """A socket that takes nothing is given up when the write does not end in time."""
    house._stream_size = 100_000
    app = create_app(house, Streams(beat_s=60.0, write_deadline_s=0.3))
    async with TestClient(TestServer(app)) as client:
        socket = await client.ws_connect(PATH, headers=await token("sro"), receive_timeout=None)
        await heard(socket, 1)
        transport = socket._response.connection.transport  # type: ignore[union-attr]
        transport.pause_reading()
        for _ in range(1500):
            house.publish("zone.entered", "camera/lobby", "lobby", filler="x" * 8000)
        await _all_gone(app[STREAMS])
        assert app[STREAMS].cut == 1
        transport.resume_reading()
        await socket.close()


async def test_it_is_bounded_and_ends_with_the_hub(house: ScriptedHouse, token: Any) -> None:
    """One too many is told so; all end when the hub stops, and fifty are no trouble."""
    streams = Streams(beat_s=5.0)
    app = create_app(house, streams)
    headers = await token("sro")
    async with TestClient(TestServer(app)) as client:
        fifty = [await client.ws_connect(PATH, headers=headers) for _ in range(50)]
        house.publish("door.opened", "door/main", "main")
        for socket in fifty:
            assert (await heard(socket, 1, "event"))[0]["id"] == 1
        streams.open += 1000
        assert await refused(client, headers=headers) == 503
        streams.open -= 1000
        streams.stopping.set()
        assert {await ended(socket) for socket in fifty} == {LEAVES}
        await _all_gone(streams)


async def test_duress_is_told_to_no_stream(
    client: TestClient, house: ScriptedHouse, token: Any
) -> None:
    """Nobody knows who looks over the shoulder of whoever reads a stream."""
    headers = await token("principal")
    async with client.ws_connect(f"{PATH}?after=0", headers=headers) as socket:
        await heard(socket, 1)
        house.publish("protocol.duress", "person/x", "lockdown")
        house.publish("protocol.started", "person/x", "lockdown")
        (said,) = await heard(socket, 1, "event")
        assert said["event"]["type"] == "protocol.started"
