"""Server-sent events: order, resuming, silence, slow clients, the end."""

import asyncio
import json

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from scripted_house import ScriptedHouse

from hub.identity import accounts
from hub.web import stream
from hub.web.server import create_app
from hub.web.stream import STREAMS, Streams


async def frames(answer: ClientResponse, count: int) -> list[dict[str, str]]:
    """The next frames that carry data."""
    found: list[dict[str, str]] = []
    one: dict[str, str] = {}
    while len(found) < count:
        line = (await asyncio.wait_for(answer.content.readline(), 20)).decode()
        assert line, "the stream ended"
        name, _, value = line.rstrip("\n").partition(": ")
        if line == "\n":
            if "data" in one:
                found.append(one)
            one = {}
        else:
            one[name] = value
    return found


async def opened(client: TestClient, path: str, headers: dict[str, str]) -> ClientResponse:
    """A stream that has said its first words."""
    answer = await client.get(path, headers=headers)
    assert answer.status == 200
    assert answer.content_type == "text/event-stream"
    await asyncio.wait_for(answer.content.readline(), 20)
    return answer


async def test_events_come_in_order_as_cloudevents(
    client: TestClient, house: ScriptedHouse, token: object
) -> None:
    """Each event once it is committed, with its number and type."""
    headers = await token("it")  # type: ignore[operator]
    house.publish("hub.started")
    answer = await opened(client, "/api/v1/events", headers)
    house.publish("door.opened", "door/main", "main", why="test")
    house.publish("door.closed", "door/main", "main")
    first, second = await frames(answer, 2)
    assert (first["id"], first["event"]) == ("2", "door.opened")
    body = json.loads(first["data"])
    assert body["specversion"] == "1.0"
    assert body["data"] == {"why": "test"}
    assert second["id"] == "3"
    answer.close()


async def test_a_client_that_comes_back_misses_nothing_and_hears_nothing_twice(
    client: TestClient, house: ScriptedHouse, token: object
) -> None:
    """`Last-Event-ID` and `?after=` replay what was committed since, then go on live."""
    headers = await token("it")  # type: ignore[operator]
    for number in range(1200):
        house.publish("zone.entered", "camera/lobby", "lobby", number=number)
    answer = await opened(client, "/api/v1/events", {**headers, "Last-Event-ID": "10"})
    house.publish("zone.left", "camera/lobby", "lobby")
    got = await frames(answer, 1191)
    assert [int(each["id"]) for each in got] == list(range(11, 1202))
    answer.close()
    again = await opened(client, "/api/v1/events?after=1199", headers)
    assert [each["id"] for each in await frames(again, 2)] == ["1200", "1201"]
    again.close()
    for wrong in ("x", "-1", "9" * 30):
        bad = await client.get("/api/v1/events", headers={**headers, "Last-Event-ID": wrong})
        assert bad.status == 422


async def test_silence_is_filled(client: TestClient, token: object) -> None:
    """A comment comes when nothing else does, so that a lost link shows."""
    answer = await opened(client, "/api/v1/events", await token("it"))  # type: ignore[operator]
    for _ in range(2):
        line = await asyncio.wait_for(answer.content.readline(), 20)
    assert line == b": still here\n"
    answer.close()


async def test_a_house_that_is_never_still_keeps_no_stranger_in(
    client: TestClient, house: ScriptedHouse, token: object, sign_in: object
) -> None:
    """However fast events come, pages hear the beat that shows the link, and a stream ends soon
    after its token was revoked or its session ended.
    """
    headers = await token("it")  # type: ignore[operator]
    session = await sign_in("it")  # type: ignore[operator]
    told = await opened(client, "/live", {})
    fed = await opened(client, "/api/v1/events", headers)

    async def busy() -> None:
        while True:
            house.publish("zone.entered", "camera/lobby", "lobby")
            await asyncio.sleep(0.02)

    bustle = asyncio.create_task(busy())
    try:
        assert [each["event"] for each in await frames(told, 3)] == ["hello", "beat", "beat"]
        now = house.clock.now()
        await house.journal_write(lambda c: accounts.revoke_token(c, "it script", now))
        await house.journal_write(lambda c: accounts.end_session(c, session.identity.digest, now))
        for answer in (told, fed):
            await asyncio.wait_for(answer.content.read(), 20)
    finally:
        bustle.cancel()


async def test_every_page_hears_of_a_protocol(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """Also one of somebody who may see nothing else that it changes."""
    await sign_in("porter")  # type: ignore[operator]
    answer = await opened(client, "/live", {})
    house.publish("alert.raised", "rule/x", "a1")
    house.publish("protocol.started", "person/x", "lockdown")
    told = [each for each in await frames(answer, 3) if each["event"] == "changed"]
    assert told[0]["data"] == "doors protocols"
    answer.close()


async def test_a_slow_client_is_cut_counted_and_can_catch_up(
    house: ScriptedHouse, token: object
) -> None:
    """A client that misses events is ended, not quietly served with a gap."""
    house._stream_size = 4
    headers = await token("it")  # type: ignore[operator]
    streams = Streams()
    async with TestClient(TestServer(create_app(house, streams))) as client:
        answer = await opened(client, "/api/v1/events", headers)
        for _ in range(50):
            house.publish("zone.entered", "camera/lobby", "lobby")
        rest = await asyncio.wait_for(answer.content.read(), 20)
        assert rest.count(b"data:") < 50
        assert streams.cut == 1
        assert streams.open == 0
        back = await opened(client, "/api/v1/events?after=0", headers)
        assert len(await frames(back, 50)) == 50
        back.close()


async def test_a_client_that_does_not_read_is_cut(house: ScriptedHouse, token: object) -> None:
    """A write that cannot be finished in time ends the stream; memory stays bounded."""
    headers = await token("it")  # type: ignore[operator]
    streams = Streams(write_deadline_s=0.3)
    for _ in range(400):
        house.publish("zone.entered", "camera/lobby", "lobby", padding="x" * 60_000)
    server = TestServer(create_app(house, streams))
    await server.start_server()
    _reader, writer = await asyncio.open_connection(server.host, server.port, limit=1024)
    writer.write(
        f"GET /api/v1/events?after=0 HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: {headers['Authorization']}\r\n\r\n".encode()
    )
    await writer.drain()
    async with asyncio.timeout(30):
        while streams.open or not streams.cut:
            await asyncio.sleep(0.05)
    assert streams.cut == 1
    writer.close()
    await server.close()


async def test_pages_learn_what_changed_but_not_more_than_they_may_see(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """The nurse's page hears of alerts, not of doors or cameras; no content is sent."""
    await sign_in("nurse")  # type: ignore[operator]
    answer = await opened(client, "/live", {})
    (hello,) = await frames(answer, 1)
    assert hello["event"] == "hello"
    house.publish("door.opened", "door/main", "main")
    house.publish("camera.offline", "camera/lobby", "lobby")
    house.raise_alert("a9", "high", "Something secret")
    changed = next(f for f in await frames(answer, 3) if f["event"] == "changed")
    assert changed["data"] == "alerts incidents"
    answer.close()


async def test_many_changes_ring_once(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """A burst of events is one word to the page, not a hundred fetches."""
    await sign_in("sro")  # type: ignore[operator]
    answer = await opened(client, "/live", {})
    for _ in range(100):
        house.publish("door.opened", "door/main", "main")
    got = [each["event"] for each in await frames(answer, 4)]
    assert got.count("changed") == 1
    answer.close()


async def test_a_stream_ends_with_its_session(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """Revoking a session also ends what it was listening to."""
    session = await sign_in("sro")  # type: ignore[operator]
    answer = await opened(client, "/live", {})
    now = house.clock.now()
    await house.journal_write(lambda c: accounts.end_session(c, session.identity.digest, now))
    await asyncio.wait_for(answer.content.read(), 20)
    assert client.server.app[STREAMS].open == 0


async def test_the_end_of_the_hub_ends_every_stream(house: ScriptedHouse, token: object) -> None:
    """Stopping does not wait for listeners."""
    headers = await token("it")  # type: ignore[operator]
    server = TestServer(create_app(house, Streams()))
    client = TestClient(server)
    await client.start_server()
    answer = await opened(client, "/api/v1/events", headers)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await server.close()
    assert loop.time() - began < 15
    answer.close()
    await client.close()


async def test_the_number_of_streams_is_bounded(house: ScriptedHouse, token: object) -> None:
    """One stream too many is refused in words."""
    headers = await token("it")  # type: ignore[operator]
    streams = Streams(open=256)
    async with TestClient(TestServer(create_app(house, streams))) as client:
        answer = await client.get("/api/v1/events", headers=headers)
        assert answer.status == 503
        assert streams.refused == 1


async def test_nobody_takes_all_streams(
    client: TestClient, token: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who opens more than one account needs is refused; everybody else is told as ever."""
    monkeypatch.setattr(stream, "MOST_OF_ONE", 2)
    greedy, other = await token("sro"), await token("it")  # type: ignore[operator]
    held = [await opened(client, "/live", greedy) for _ in range(2)]
    for path in ("/live", "/api/v1/events"):
        refused = await client.get(path, headers=greedy)
        assert refused.status == 503, path
    held.append(await opened(client, "/api/v1/events", other))
    for answer in held:
        answer.close()
