"""The packages under docs/plugins: sound by themselves, and all together in the example school."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import re
import shutil
import socketserver
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hub
from hub import KINDS
from hub.scaffold import sections
from hub.testing import RunningHub
from tests.clips import encoded
from tests.hub.test_new_plugin import PYTEST, pasted
from tests.test_layers import modules_imported

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = sorted(path.parent for path in (ROOT / "docs/plugins").glob("*/pyproject.toml"))
BY_NAME = [path.name for path in PACKAGES]
WITHIN_S = 60.0


def module_of(package: Path) -> str:
    return package.name.replace("-", "_")


def readme_block(package: Path) -> str:
    """The block of configuration that its README shows."""
    text = (package / "README.md").read_text(encoding="utf-8")
    return re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0]


def outcomes_side_by_side(
    python: Path | str, folder: Path, *options: str
) -> dict[str, tuple[int, str]]:
    """Every package's own tests, side by side: exit status and output by package."""
    running = {
        package.name: subprocess.Popen(
            [python, "-m", *PYTEST, str(package), *options],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        for package in PACKAGES
    }  # fmt: skip
    try:
        said = {name: each.communicate(timeout=WITHIN_S)[0] for name, each in running.items()}
        return {name: (each.returncode, said[name]) for name, each in running.items()}
    finally:
        for process in running.values():
            process.kill()


def test_there_is_one_for_each_kind() -> None:
    """Each kind of driver has its sample, and the page about them has a line for each."""
    page = (ROOT / "docs/plugins/README.md").read_text(encoding="utf-8")
    assert len(PACKAGES) == len(KINDS)
    lines = re.findall(r"^\| \[(\S+)\]\(\1/README\.md\) \| (\w+) \|", page, re.MULTILINE)
    assert sorted(name for name, _ in lines) == BY_NAME
    assert sorted(kind for _, kind in lines) == sorted(KINDS)


def test_each_passes_its_tests_in_place() -> None:
    """pytest on a package's folder passes without the package being installed anywhere."""
    for name, (status, said) in outcomes_side_by_side(sys.executable, ROOT).items():
        assert status == 0, f"{name}: {said}"
        assert re.search(r"^\d\d+ passed", said, re.MULTILINE), f"{name}: {said}"


def test_their_types_are_sound() -> None:
    """mypy is content with each package, as strictly as with the hub."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *(str(path / "src" / module_of(path)) for path in PACKAGES)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("package", PACKAGES, ids=BY_NAME)
def test_each_imports_only_what_a_vendor_may(package: Path) -> None:
    """The public names of hub, Python's own library, and what the package declares or hub needs."""
    beside = {module_of(package), "pydantic", "numpy", "aiohttp"}
    for file in sorted((package / "src").rglob("*.py")):
        for name in modules_imported(file):
            first, _, rest = name.partition(".")
            if first == "hub":
                assert not rest or rest in hub.__all__, f"{file.name}: {name}"
            else:
                assert first in sys.stdlib_module_names | beside, f"{file.name}: {name}"


@pytest.mark.parametrize("package", PACKAGES, ids=BY_NAME)
def test_each_readme_has_every_key(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys in the tables of a README are those of its driver, no more and no fewer."""
    monkeypatch.syspath_prepend(str(package / "src"))
    module = importlib.import_module(module_of(package))
    (hook,) = [
        name for name in vars(module) if name.startswith("vestibule_") and name[10:] in KINDS
    ]
    (driver,) = getattr(module, hook)()
    models = [driver.config, *([driver.device] if driver.device else [])]
    text = (package / "README.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| key \| default \| meaning \|\n\|---.*\n((?:\|.*\n)+)", text, re.MULTILINE
    )
    told = [re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) for table in rows]
    assert told == [list(model.model_fields) for model in models]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed all of them, without anything they need."""
    target = tmp_path_factory.mktemp("installed")
    done = subprocess.run(
        [
            sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet",
            "--no-deps", "--no-build-isolation", "--no-index", "--target", str(target),
            *map(str, PACKAGES),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def school(tmp_path: Path) -> Path:
    """The example school with the block of every README, in a folder of its own."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    text = (ROOT / "config.example.yaml").read_text(encoding="utf-8")
    for package in PACKAGES:
        text = pasted(text, readme_block(package))
    (tmp_path / "school.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "secrets.yaml").write_text("stairs_camera: not the real one\n", encoding="utf-8")
    (tmp_path / "secrets.yaml").chmod(0o600)
    return tmp_path


def test_the_blocks_of_the_readmes_are_valid(
    school: Path, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`check` has nothing against the example school with all five; without them it names each."""
    check = [sys.executable, "-m", "hub", "check", str(school / "school.yaml")]
    without = subprocess.run(check, capture_output=True, text=True, check=False, cwd=ROOT)
    assert without.returncode == 1
    monkeypatch.setenv("PYTHONPATH", str(installed))
    done = subprocess.run(check, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout
    for package in PACKAGES:
        driver = module_of(package).removeprefix("vestibule_")
        assert driver in without.stdout
        assert any(
            f"driver: {driver}\n" in lines for lines in sections(readme_block(package)).values()
        )


class SyslogServer(socketserver.ThreadingTCPServer):
    """A server of RFC 6587 that keeps its messages."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taker)
        self.messages: list[str] = []


class Taker(socketserver.StreamRequestHandler):
    """One connection: a length, a space and a message, until it ends."""

    def handle(self) -> None:
        assert isinstance(self.server, SyslogServer)
        length = b""
        while (byte := self.rfile.read(1)) and byte != b" ":
            length += byte
        if length:
            self.server.messages.append(self.rfile.read(int(length)).decode())


@contextmanager
def syslog_server() -> Iterator[SyslogServer]:
    """A syslog server while the block lasts."""
    with SyslogServer() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def relay_board() -> Iterator[tuple[Any, int]]:
    """The pretended board of the package's own tests and its port, while the block lasts."""
    sys.path.insert(0, str(ROOT / "docs/plugins/vestibule-modbus-relay/tests"))
    try:
        board = importlib.import_module("pretended_board").PretendedBoard()
    finally:
        sys.path.pop(0)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield board, asyncio.run_coroutine_threadsafe(board.start(), loop).result(60)
        asyncio.run_coroutine_threadsafe(board.stop(), loop).result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def walk_in_a_vest(file: Path) -> None:
    """A clip of 640x360 in which somebody in a yellow vest walks along a corridor."""
    pictures = np.full((100, 360, 640, 3), 105, np.uint8)
    for number, picture in enumerate(pictures):
        left = 40 + 5 * number
        picture[100:130, left + 12 : left + 32] = (225, 170, 140)
        picture[130:190, left : left + 44] = (205, 235, 40)
        picture[190:280, left : left + 44] = 40
    encoded(file, pictures, 10)


def put_to_use(school: Path, syslog: int, board: int) -> Path:
    """The school with real places to reach, the vest in a clip, and a visitor who is expected."""
    file = school / "school.yaml"
    text = file.read_text(encoding="utf-8")
    for old, new in (
        ("    host: syslog.school.example\n", f"    host: 127.0.0.1\n    port: {syslog}\n"),
        ("    host: 192.0.2.20\n", f"    host: 127.0.0.1\n    port: {board}\n"),
        ("    host: 192.0.2.7\n", "    host: 127.0.0.1\n    port: 9\n"),
        ("through: [console, logbook]\n", "through: [console, logbook, syslog]\n"),
    ):
        assert old in text, old
        text = text.replace(old, new)
    watched = (
        "  vest_camera:\n    driver: file\n    path: walk.mp4\n    place: science_wing\n"
        "    detector: hi_vis\n    fps: 10\n    zones:\n      - name: Corridor\n"
        "        place: science_wing\n        polygon: [[0, 0.2], [1, 0.2], [1, 1], [0, 1]]\n"
    )
    file.write_text(text.replace("\ncameras:\n", f"\ncameras:\n{watched}"), encoding="utf-8")
    walk_in_a_vest(school / "walk.mp4")
    days = (datetime.now(UTC) + timedelta(days=day) for day in (-1, 0, 1))
    lines = [f"Piano tuner,Music,Tuning,{day:%Y-%m-%d} 00:00,{day:%Y-%m-%d} 23:59" for day in days]
    (school / "export").mkdir()
    exported = "\n".join(["visitor,host,purpose,from,until", "broken line", *lines])
    (school / "export/visitors.csv").write_text(f"{exported}\n", encoding="utf-8")
    return file


def one(rows: list[dict[str, Any]], id_: str) -> dict[str, Any]:
    """The row with an id."""
    return next((row for row in rows if row["id"] == id_), {})


def all_at_work(school: Path, drawn_cameras: Path, python: Path | str = sys.executable) -> None:
    """One hub with all five, each seen doing its work."""
    with syslog_server() as syslog, relay_board() as (board, port):
        file = put_to_use(school, syslog.server_address[1], port)
        with RunningHub(file, school / "state", drawn_cameras, python=python) as hub:

            def until(path: str, holds: Callable[[Any], object]) -> Any:
                return hub.until(path, holds, within_s=WITHIN_S)

            until("doors", lambda doors: reported(doors) == ("unlocked", "closed"))
            assert board.coils[0] is False
            hub.post("doors/side_door/commands", {"verb": "lock", "reason": "tried out"})
            doors = until("doors", lambda doors: reported(doors) == ("locked", "closed"))
            assert board.coils[0] is True
            assert one(doors, "side_door")["conclusion"] == "secured"
            board.inputs[0] = False
            until("doors", lambda doors: reported(doors) == ("locked", "open"))

            visits = until("visits", lambda visits: any(who(visit) for visit in visits))
            assert [visit["state"] for visit in visits if who(visit)] == ["expected"]

            cameras = until(
                "cameras", lambda rows: "nothing listens" in one(rows, "stairs")["reason"]
            )
            assert one(cameras, "stairs")["state"] != "online"

            alerts = until("alerts", lambda rows: [row for row in rows if vested(row)])
            assert len([row for row in alerts if vested(row)]) == 1
            looked = one(
                until("cameras", lambda rows: not one(rows, "vest_camera")["guessing"]),
                "vest_camera",
            )
            assert looked["detector"] == "high-visibility clothing by colour"
            until("health", lambda _: any("Person in the closed" in m for m in syslog.messages))
            until("health", lambda _: any("<130>1 " in m for m in syslog.messages))
        assert all('alert [vestibule@32473 key="' in message for message in syslog.messages)


def reported(doors: list[dict[str, Any]]) -> tuple[str, str]:
    """Lock and position of the door on the board, as its controller says."""
    door = one(doors, "side_door")
    return door["reported"]["lock"], door["physical"]["position"]


def who(visit: dict[str, Any]) -> bool:
    return bool(visit["visitor"] == "Piano tuner" and visit["host"] == "Music")


def vested(alert: dict[str, Any]) -> bool:
    return bool(alert["camera"] == "vest_camera" and alert["label"] == "person")


def test_all_run_in_the_example_school(
    school: Path, installed: Path, drawn_cameras: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One hub with all five: a door is locked over Modbus, a vest is seen, syslog is told, a
    visitor is expected, and a camera that is not there is named with the reason."""
    monkeypatch.setenv("PYTHONPATH", str(installed))
    all_at_work(school, drawn_cameras)


@pytest.mark.slow
def test_all_install_into_a_fresh_environment(
    tmp_path: Path, school: Path, drawn_cameras: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pip brings Vestibule and all five into a new environment; there they are listed, pass their
    tests and run in the example school. Needs a way to fetch Python packages."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.chdir(tmp_path)  # away from the checkout, whose code must not be imported
    subprocess.run([sys.executable, "-m", "venv", "fresh"], check=True)
    fresh = tmp_path / "fresh/bin/python"
    lock = (ROOT / "requirements-test.lock").read_text(encoding="utf-8")
    tools = re.findall(r"^(?:pytest|hatchling)==\S+", lock, re.MULTILINE)
    for words in (
        ["--only-binary", ":all:", "--require-hashes", "-r", str(ROOT / "requirements.lock")],
        tools,
        ["--no-deps", str(ROOT)],
        list(map(str, PACKAGES)),
    ):
        command = [str(fresh), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    where = "import hub, vestibule_syslog; print(hub.__file__, vestibule_syslog.__file__)"
    theirs = subprocess.run([fresh, "-c", where], capture_output=True, text=True, check=True)
    assert theirs.stdout.count(str(tmp_path / "fresh/lib")) == 2, theirs.stdout
    listed = subprocess.run(
        [tmp_path / "fresh/bin/vestibule", "plugins", "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = {each["name"]: each for each in json.loads(listed.stdout)}
    for package in PACKAGES:
        project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        (entry,) = project["entry-points"]["vestibule.plugins"]
        each = found[f"{package.name}:{entry}"]
        assert (each["state"], each["source"]) == ("ok", "entry point")
        assert each["version"] == project["version"]
        assert list(each["drivers"].values()) == [[entry]]
    for name, (status, said) in outcomes_side_by_side(fresh, tmp_path, "-o", "pythonpath=").items():
        assert status == 0, f"{name}: {said}"
    all_at_work(school, drawn_cameras, fresh)
