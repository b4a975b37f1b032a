"""What a test plays with, and what pytest gets where the hub is installed."""

from __future__ import annotations

import ast
import asyncio
import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import numpy as np
import pytest

import hub.testing
from hub import Camera, Notice, Notifier, NotReady, Receipt
from hub.perception.decode import clip_frames
from hub.testing import Cable, NotifierContract, RecordingNotifier, ScriptedCamera, running_hub

ROOT = Path(__file__).resolve().parents[3]
NOTICE = NotifierContract().notice()


async def test_a_scripted_camera_shows_the_pictures_it_was_given(tmp_path: Path) -> None:
    """Its clip decodes to what was drawn, and an absent camera is NotReady."""
    pictures = [np.full((48, 64, 3), shade, np.uint8) for shade in (20, 120, 220)]
    camera = ScriptedCamera(pictures, tmp_path / "clips" / "drawn.mp4")
    assert isinstance(camera, Camera)
    await camera.start()
    source = await camera.source("analysis")
    shades = [frame.crop((0, 0, 64, 48)).mean() for frame in clip_frames(Path(source.url))]
    assert shades == pytest.approx([20, 120, 220], abs=6)
    assert camera.asked == ["analysis"]
    camera.away = True
    with pytest.raises(NotReady, match="away"):
        await camera.source("live")


async def test_a_recording_notifier_keeps_what_it_took_and_answers_as_told() -> None:
    """A refused notice is not among those sent; waiting for more ends with its deadline."""
    notifier = RecordingNotifier([NotReady("busy"), Receipt("accepted", "7")])
    assert isinstance(notifier, Notifier)
    with pytest.raises(NotReady, match="busy"):
        await notifier.send(NOTICE)
    assert await notifier.send(NOTICE) == Receipt("accepted", "7")
    assert await notifier.told() == [NOTICE]
    waiting = asyncio.create_task(notifier.told(2, within=5))
    await asyncio.sleep(0)
    assert (await notifier.send(NOTICE)).state == "delivered"
    assert len(await waiting) == 2
    with pytest.raises(TimeoutError):
        await notifier.told(3, within=0.01)


async def test_a_cable_is_cut_hushed_disturbed_and_mended() -> None:
    """A cut line refuses, a hushed one swallows, a disturbed one lies, a mended one carries."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    async def ask(within: float = 2.0) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", cable.port)
        try:
            writer.write(b"here?\n")
            return await asyncio.wait_for(reader.readline(), within)
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    cable = Cable("127.0.0.1", server.sockets[0].getsockname()[1])
    port = await cable.start()
    assert await ask() == b"here?\n"
    cable.cut()
    with pytest.raises(ConnectionRefusedError):
        await ask()
    await cable.mend()
    assert cable.port == port
    assert await ask() == b"here?\n"
    cable.hush()
    with pytest.raises(TimeoutError):
        await ask(within=0.1)
    cable.disturb()
    assert b"here?" not in await ask()
    await cable.mend()
    assert await ask() == b"here?\n"
    await cable.stop()
    server.close()
    await server.wait_closed()


def test_a_hub_runs_on_the_text_of_a_configuration(tmp_path: Path) -> None:
    """`running_hub` starts a real hub on a few lines, and it has stopped afterwards."""
    text = """
        notifiers:
          lines: {driver: console}
    """
    with running_hub(text, tmp_path) as running:
        names = [each["id"] for each in running.get("health")["drivers"]]
        assert names == ["lines"]
        process = running._process
    assert process is not None
    assert process.returncode == 0


def test_the_package_offers_the_pytest_plugin() -> None:
    """The entry point leads to the module with the fixtures."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"vestibule": "hub.testing.pytest_plugin"}


def test_all_that_is_promised_is_there() -> None:
    """`__all__` of hub.testing, its docstring and its page name what can be imported."""
    page = (ROOT / "docs/reference/testing.md").read_text(encoding="utf-8")
    for name in hub.testing.__all__:
        assert hasattr(hub.testing, name), name
        assert f"`{name}`" in page, name


def _run(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--disable-plugin-autoload",
            "-p", "hub.testing.pytest_plugin", "-c", "/dev/null", "--rootdir", str(folder),
            str(folder), *arguments,
        ],
        cwd=folder, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


LAMP = '''
import asyncio
from pydantic import Field
from hub import Block, Channel, Driver, Notice, NotReady, Receipt, hookimpl

class LampConfig(Block):
    """Where the lamp is."""
    host: str = Field(description="The lamp's address.")
    port: int = Field(description="Its port.")
    colour: str = Field("white", description="In which colour it shines.")

class Lamp:
    channel = Channel(path="lan")
    def __init__(self, config, context):
        self.config = config
    async def start(self): ...
    async def send(self, notice: Notice) -> Receipt:
        writer = None
        try:
            where = (self.config.host, self.config.port)
            reader, writer = await asyncio.open_connection(*where)
            writer.write(self.config.colour.encode() + b"\\n")
            if await reader.readline() != b"lit\\n":
                raise NotReady("the lamp did not answer")
        except OSError as error:
            raise NotReady("the lamp is not reached") from error
        finally:
            if writer is not None:
                writer.transport.abort()
        return Receipt("delivered")
    async def close(self): ...

@hookimpl
def vestibule_notifiers():
    return [Driver("lamp", Lamp, LampConfig, "Lights a lamp")]
'''


def test_the_example_of_the_docstring_passes_as_it_stands(tmp_path: Path) -> None:
    """A vendor's file, copied from hub.testing, tests a lamp with nothing but pytest."""
    example = re.split(r"\n\n(?=\S)", (hub.testing.__doc__ or "").split("over TCP:\n\n")[1])[0]
    ast.parse(textwrap.dedent(example))
    (tmp_path / "lamp.py").write_text(LAMP)
    (tmp_path / "test_lamp.py").write_text(textwrap.dedent(example))
    told = _run(tmp_path, "-q")
    assert re.search(r"\b21 passed", told), told
    assert "not tested" not in told


def test_what_could_not_be_tested_is_said(tmp_path: Path) -> None:
    """Without a device the run passes, and says which tests are missing and what they need."""
    (tmp_path / "lamp.py").write_text(LAMP)
    (tmp_path / "test_lamp.py").write_text(
        "from hub.testing import NotifierContract\n"
        "from lamp import vestibule_notifiers\n"
        "class TestLamp(NotifierContract):\n"
        "    driver = vestibule_notifiers()[0]\n"
        "    config = {'host': '127.0.0.1', 'port': 1}\n"
        "def test_fixtures(fake_clock, start_hub):\n"
        "    assert fake_clock.monotonic() == 0\n"
        "    assert callable(start_hub)\n"
    )
    told = _run(tmp_path, "-q", "-k", "described or fixtures")
    assert "2 passed" in told, told
    wanted = "fall silent, speak nonsense, vanish (see hub.testing.Device)"
    assert f"not tested: TestLamp: 4 tests need a device that can {wanted}" in told
    failed = _run(tmp_path, "-q", "-k", "works_again")
    assert "expected send() to work" in failed or "the lamp is not reached" in failed
    assert "1 failed" in failed


def test_nothing_of_a_notice_is_lost_by_changing_it() -> None:
    """A contract's own notice is a whole Notice whose fields a vendor may exchange."""
    changed = NotifierContract().notice(title="Other")
    assert isinstance(changed, Notice)
    assert (changed.title, changed.text) == ("Other", NOTICE.text)
    assert changed.key != NOTICE.key
