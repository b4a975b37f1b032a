"""Live pictures as a stream, and the wall of cameras: who may, how fresh, audited, bounded."""

import asyncio
import os
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from scripted_house import ScriptedHouse
from test_audit_page import break_audit, lines
from test_pages import see

from hub.audit_port import Asked
from hub.identity import accounts
from hub.web import watching
from hub.web.server import create_app
from hub.web.stream import STREAMS, Streams
from hub.web.watching import VIEWERS, Shown

LOBBY = "/pictures/cameras/lobby.mjpeg"


async def part(answer: ClientResponse) -> tuple[float, bytes]:
    """The next picture of a stream, with its age."""
    head = (await asyncio.wait_for(answer.content.readuntil(b"\r\n\r\n"), 20)).decode()
    assert head.lstrip().startswith("--picture\r\n"), head
    length = int(re.search(r"Content-Length: (\d+)", head)[1])  # type: ignore[index]
    age = float(re.search(r"X-Picture-Age: ([\d.]+)", head)[1])  # type: ignore[index]
    jpeg = await asyncio.wait_for(answer.content.readexactly(length + 2), 20)
    return age, jpeg[:-2]


async def ended(answer: ClientResponse) -> bool:
    """Whether the stream ends."""
    async with asyncio.timeout(20):
        while await answer.content.readany():
            pass
    return True


async def test_pictures_come_as_they_are_made_each_with_its_age(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """The newest at once, then every new one; the camera is asked to show all that it has."""
    await sign_in("sro")
    house.take_picture("lobby")
    answer = await client.get(LOBBY)
    assert answer.content_type == "multipart/x-mixed-replace"
    age, first = await part(answer)
    assert age < 5
    assert first == (house.folder / "snapshot-lobby.jpg").read_bytes()
    assert house.watched == ["lobby"]
    house.take_picture("lobby", (300, 250))
    _, second = await part(answer)
    assert second == (house.folder / "snapshot-lobby.jpg").read_bytes() != first
    answer.close()


async def test_a_look_from_start_to_stop_is_one_line(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """It stands on the disk before the first picture leaves; many pictures are one look."""
    await sign_in("sro")
    house.take_picture("lobby")
    answer = await client.get(LOBBY)
    for x in (300, 310, 320):
        await part(answer)
        house.take_picture("lobby", (x, 250))
    await part(answer)
    (look,) = (await house.audit.view(Asked()))["looking"]
    assert (look["who"], look["act"], look["subject"]) == ("The sro", "view.live", "camera/lobby")
    answer.close()
    assert await lines(house, act="view.live") == []


async def test_what_cannot_be_audited_is_not_shown(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """No picture leaves where the journal refuses the line."""
    await sign_in("sro")
    house.take_picture("lobby")
    await house.journal_write(break_audit)
    assert (await client.get(LOBBY)).status == 503


@pytest.mark.parametrize("camera", ["nurse", "nobody"])
async def test_private_places_have_no_stream(
    client: TestClient, house: ScriptedHouse, sign_in: Any, camera: str
) -> None:
    """A camera in a private place is as unknown as one that is not there."""
    await sign_in("admin")
    house.take_picture(camera)
    assert (await client.get(f"/pictures/cameras/{camera}.mjpeg")).status == 404


async def test_a_stream_ends_when_its_viewer_may_watch_no_longer(
    client: TestClient, house: ScriptedHouse, sign_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that is ended takes the live picture with it."""
    monkeypatch.setattr(watching, "CHECK_EVERY_S", 0.2)
    opened = await sign_in("sro")
    house.take_picture("lobby")
    answer = await client.get(LOBBY)
    await part(answer)
    await house.journal_write(
        lambda c: accounts.end_session(c, opened.identity.digest, house.clock.now())
    )
    assert await ended(answer)


async def test_a_private_place_ends_its_streams(
    client: TestClient, house: ScriptedHouse, sign_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A place that becomes private is shown no longer to those who watch."""
    monkeypatch.setattr(watching, "CHECK_EVERY_S", 0.2)
    await sign_in("sro")
    house.take_picture("lobby")
    answer = await client.get(LOBBY)
    await part(answer)
    monkeypatch.setattr(house.campus, "private", lambda place: True)
    assert await ended(answer)


async def test_a_slow_viewer_misses_pictures_and_holds_up_nobody(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """Each viewer holds one picture, the newest; what it missed is counted."""
    viewers = client.app[VIEWERS]  # type: ignore[union-attr]
    async with viewers.watching("lobby", "a") as slow, viewers.watching("lobby", "b") as quick:
        for x in (300, 310, 320):
            house.take_picture("lobby", (x, 250))
            assert await quick.take(20) is not None
        newest = await slow.take(20)
        assert newest is not None
        assert newest.jpeg == (house.folder / "snapshot-lobby.jpg").read_bytes()
        assert await slow.take(0.01) is None
        assert viewers.open == 2
    assert viewers.open == 0
    assert viewers.skipped == 2


def test_a_picture_that_is_replaced_while_it_is_read_keeps_its_own_age(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not shown as young as the one that came in between, and that one is not missed."""
    file, later = tmp_path / "first.jpg", tmp_path / "later.jpg"
    for each, written in ((file, 100), (later, 200)):
        each.write_bytes(each.name.encode())
        os.utime(each, (written, written))
    opens = Path.open

    def replaced(self: Path, mode: str) -> Any:
        opened = opens(self, mode)
        later.replace(file)
        return opened

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", replaced)
        assert watching._newer(file, 0.0) == Shown(b"first.jpg", 100.0)
    assert watching._newer(file, 100.0) == Shown(b"later.jpg", 200.0)


async def test_there_is_room_for_so_many_and_no_more(
    client: TestClient, house: ScriptedHouse, sign_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One too many is told so, and counted."""
    monkeypatch.setattr(watching, "MOST_VIEWERS", 1)
    await sign_in("sro")
    house.take_picture("lobby")
    first = await client.get(LOBBY)
    await part(first)
    second = await client.get(LOBBY)
    assert second.status == 503
    assert client.app[VIEWERS].refused == 1  # type: ignore[union-attr]
    first.close()


async def test_nobody_takes_all_of_them(
    client: TestClient, house: ScriptedHouse, token: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who watches as much as one account may is refused; another person still sees."""
    monkeypatch.setattr(watching, "MOST_OF_ONE", 1)
    greedy, other = await token("sro"), await token("principal")
    house.take_picture("lobby")
    first = await client.get(LOBBY, headers=greedy)
    await part(first)
    assert (await client.get(LOBBY, headers=greedy)).status == 503
    second = await client.get(LOBBY, headers=other)
    assert second.status == 200
    first.close()
    second.close()


async def test_streams_end_with_the_hub(house: ScriptedHouse, sign_in: Any) -> None:
    """A hub that stops leaves nobody waiting for pictures."""
    app = create_app(house, Streams())
    async with TestClient(TestServer(app)) as browser:
        secret = await house.journal_write(
            lambda c: accounts.create_token(c, "screen", "sro", roles=house.config.roles)
        )
        house.take_picture("lobby")
        answer = await browser.get(LOBBY, headers={"Authorization": f"Bearer {secret}"})
        await part(answer)
        app[STREAMS].stopping.set()
        assert await ended(answer)


async def test_the_wall_names_who_does_not_watch(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """All cameras, in as many columns as asked for; the blind ones by name and reason."""
    await sign_in("sro")
    page = await see(client, "/cameras?columns=3")
    assert "3 of 5 are watching" in page
    assert "Not watched: Gym North (No answer since 10:30), Nurse (" in page
    source = await (await client.get("/cameras?columns=3")).text()
    assert 'class="strip wall cols-3"' in source
    assert 'class="strip wall"' in await (await client.get("/cameras?columns=99")).text()
