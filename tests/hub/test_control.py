"""The socket that commands on the same machine talk through."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import pwd
import socket
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hub.clock import SystemClock
from hub.control import LONGEST, SOCKET, Control, ask
from hub.errors import NotReady, Refused


class Recorded:
    """A configuration that remembers what it was asked."""

    trouble = ""
    waiting = ""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def view(self) -> Any:
        return {"file": "school.yaml"}

    async def look(self, kept: str = "") -> Any:
        if kept == "fault":
            raise RuntimeError("canary")
        self.asked.append(("look", kept))
        return {"id": "abc"}

    async def apply(self, plan: str, by: str, *, confirmed: bool = False) -> Any:
        if plan != "abc":
            raise Refused("look again")
        self.asked.append(("apply", by, confirmed))
        return {"id": plan}


@asynccontextmanager
async def serving(folder: Path, recorded: Recorded) -> AsyncIterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    task = asyncio.create_task(Control(recorded, folder, SystemClock()).serve())
    while not (folder / SOCKET).exists():
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def question(folder: Path, **asked: Any) -> Any:
    return await asyncio.to_thread(ask, folder, asked, 30.0)


async def test_each_question_has_its_answer(tmp_path: Path) -> None:
    """View, look and apply come back as the configuration gave them; the kernel names who asks."""
    recorded = Recorded()
    async with serving(tmp_path / "run", recorded):
        folder = tmp_path / "run"
        assert await question(folder, do="view") == {"view": {"file": "school.yaml"}}
        assert await question(folder, do="look") == {"plan": {"id": "abc"}}
        assert await question(folder, do="look", kept="ff") == {"plan": {"id": "abc"}}
        await question(folder, do="apply", plan="abc")
        await question(folder, do="apply", plan="abc", confirmed=True)
    me = f"{pwd.getpwuid(os.getuid()).pw_name} on this machine"
    assert recorded.asked == [
        ("look", ""), ("look", "ff"), ("apply", me, False), ("apply", me, True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"do": "apply", "plan": "old"}, "look again"),
        ({"do": "apply"}, "no question"),
        ({"do": "explode"}, "does not know"),
        ({}, "no question"),
        ([], "no question"),
        ({"do": "look", "kept": "fault"}, "RuntimeError"),
    ],
)
async def test_what_cannot_be_done_is_refused_in_words(
    tmp_path: Path, asked: Any, says: str
) -> None:
    """A refusal, nonsense and a fault each end in one sentence, and the next question is heard."""
    folder = tmp_path / "run"
    async with serving(folder, Recorded()):
        with pytest.raises(Refused, match=says) as caught:
            await asyncio.to_thread(ask, folder, asked, 30.0)
        assert "canary" not in str(caught.value)
        assert await question(folder, do="view")


async def test_noise_does_no_harm(tmp_path: Path) -> None:
    """Whoever sends rubbish, too much, or goes away costs nobody else their answer."""
    folder = tmp_path / "run"

    def send(noise: bytes) -> None:
        with socket.socket(socket.AF_UNIX) as end:
            end.connect(str(folder / SOCKET))
            end.sendall(noise)

    async with serving(folder, Recorded()):
        for noise in (b"", b"\n", b"\xff\xfe\n", b"{" * 200 + b"\n", b"x" * (LONGEST + 10)):
            with contextlib.suppress(OSError):
                await asyncio.to_thread(send, noise)
        assert await question(folder, do="view")


async def test_the_socket_is_its_owners_alone_and_goes_with_the_hub(tmp_path: Path) -> None:
    """Nobody else may connect; one left behind by a killed hub is no obstacle."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / SOCKET).write_text("left behind")
    task = asyncio.create_task(Control(Recorded(), folder, SystemClock()).serve())
    while not stat.S_ISSOCK((folder / SOCKET).stat().st_mode):
        await asyncio.sleep(0.01)
    assert stat.S_IMODE((folder / SOCKET).stat().st_mode) == 0o600
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not (folder / SOCKET).exists()


async def test_a_hub_that_ends_as_it_begins_leaves_no_socket(tmp_path: Path) -> None:
    """Cancelled at any moment of opening, it closes what a thread still opens for it."""
    folder = tmp_path / "run"
    folder.mkdir()
    for turns in (1, 1, 2, 3, 5):
        task = asyncio.create_task(Control(Recorded(), folder, SystemClock()).serve())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gc.collect()  # an open socket would be a warning, which is an error here
        assert not (folder / SOCKET).exists()


async def test_whoever_finds_the_socket_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in its place only once the hub listens, however long that takes."""
    listen, file = socket.socket.listen, tmp_path / SOCKET

    def late(listener: socket.socket, *backlog: int) -> None:
        time.sleep(0.2)
        listen(listener, *backlog)

    def at_once() -> Any:
        while not file.exists():
            time.sleep(0.001)
        return ask(tmp_path, {"do": "view"}, 30.0)

    monkeypatch.setattr(socket.socket, "listen", late)
    asked = asyncio.create_task(asyncio.to_thread(at_once))
    async with serving(tmp_path, Recorded()):
        assert await asked


async def test_a_long_path_is_no_obstacle(tmp_path: Path) -> None:
    """A socket's address holds 107 bytes; a state folder may lie deeper."""
    folder = tmp_path / ("deep" * 20) / ("deeper" * 20)
    async with serving(folder, Recorded()):
        assert await question(folder, do="view")


def test_where_no_hub_runs_that_is_said(tmp_path: Path) -> None:
    """Neither a missing folder nor a dead socket is a traceback."""
    with pytest.raises(NotReady, match="no hub runs"):
        ask(tmp_path / "run", {"do": "view"})
    (tmp_path / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "run" / SOCKET))
    with pytest.raises(NotReady, match="no hub runs"):
        ask(tmp_path / "run", {"do": "view"})


def test_another_users_hub_is_told_apart_from_none(tmp_path: Path) -> None:
    """Who may not open the folder reads that, and not that no hub runs."""
    folder = tmp_path / "state" / "run"
    folder.mkdir(parents=True, mode=0o700)
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from hub.control import ask\n"
        "from hub.errors import Refused\n"
        "os.getuid() or os.setuid(65534)\n"
        "try:\n    ask(Path(sys.argv[1]), {'do': 'view'})\n"
        "except Refused as refusal:\n    print(refusal)\n"
    )
    if os.getuid():
        folder.chmod(0)
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False
    )
    folder.chmod(0o700)
    assert "belongs to another user" in done.stdout, done.stderr


def test_a_hub_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    """The question has a deadline."""
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(tmp_path / SOCKET))
        mute.listen()
        with pytest.raises(NotReady, match="did not answer within"):
            ask(tmp_path, {"do": "view"}, within_s=0.2)


def test_an_answer_cut_short_is_told(tmp_path: Path) -> None:
    """A hub that is killed in the middle of its answer leaves a sentence, not a traceback."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / SOCKET))
        listener.listen()

        async def both() -> None:
            asking = asyncio.create_task(asyncio.to_thread(ask, tmp_path, {"do": "view"}, 5.0))
            end, _ = await asyncio.to_thread(listener.accept)
            end.sendall(json.dumps({"view": 1})[:4].encode())
            end.close()
            with pytest.raises(NotReady, match="ended before"):
                await asking

        asyncio.run(both())
