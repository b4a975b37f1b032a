"""`vestibule new-plugin`: what it writes works as it is, and it takes nothing away."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from hub import KINDS, Kind
from hub.scaffold import block, sections
from hub.testing import RunningHub
from tests.clips import encoded

ROOT = Path(__file__).resolve().parents[2]
NAMES: dict[Kind, str] = {
    "cameras": "clip_shelf",
    "detectors": "large_mover",
    "access_control": "relay_box",
    "notifiers": "hall_board",
    "visitors": "day_list",
}
# What a vendor has: pytest, and of plugins for it the one that comes with the hub.
PYTEST = ("pytest", "-q", "-p", "no:cacheprovider", "--disable-plugin-autoload", "-p", "vestibule")


def python(
    folder: Path, *words: str, program: Path | str = sys.executable
) -> subprocess.CompletedProcess[str]:
    """Run a module in a folder."""
    return subprocess.run(
        [program, "-m", *words],
        cwd=folder, capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip


def new_plugin(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return python(folder, "hub", "new-plugin", *words)


def made(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the verb where it must work."""
    done = new_plugin(folder, *words)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done


def pasted(text: str, block: str) -> str:
    """A configuration with each section of a block put below its key, as somebody is told to."""
    for key, lines in sections(block).items():
        assert text.count(f"\n{key}:\n") == 1, key
        text = text.replace(f"\n{key}:\n", f"\n{key}:\n{lines}")
    return text


@pytest.fixture
def school(tmp_path: Path) -> Path:
    """The example school in a folder of its own."""
    shutil.copy(ROOT / "config.example.yaml", tmp_path / "school.yaml")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    return tmp_path


def clip(file: Path) -> None:
    """A short clip in which something moves."""
    pictures = np.full((30, 240, 320, 3), 90, np.uint8)
    for number, picture in enumerate(pictures):
        picture[60:180, number * 8 : number * 8 + 44] = 220
    encoded(file, pictures, 10)


def test_new_plugins_are_listed_valid_and_pass_their_tests(school: Path) -> None:
    """Right after they were written: each shows up as ok, its block is valid in the example school,
    and pytest in their folder passes the tests of each without any packaging."""
    file = school / "school.yaml"
    for kind, name in NAMES.items():
        done = made(school, kind, name, "--config", "school.yaml")
        text = block(kind, name, place="lobby", detector="people")
        for key, lines in sections(text).items():
            assert f"In school.yaml, below `{key}:`\n\n{lines}" in done.stdout
        file.write_text(pasted(file.read_text(encoding="utf-8"), text), encoding="utf-8")
    listed = python(school, "hub", "plugins", "--plugins-dir", "my_plugins", "--json")
    found = {each["name"]: each for each in json.loads(listed.stdout)}
    for kind, name in NAMES.items():
        assert (found[name]["state"], found[name]["drivers"]) == ("ok", {kind: [name]})
    checked = python(school, "hub", "check", "school.yaml")
    assert checked.returncode == 0, checked.stdout
    tested = python(school, *PYTEST, "-rp", "my_plugins")
    assert tested.returncode == 0, tested.stdout
    for name in NAMES.values():
        assert f"PASSED my_plugins/test_{name}.py::" in tested.stdout


def test_each_runs_in_the_example_school(school: Path, drawn_cameras: Path) -> None:
    """One hub with a new plugin of every kind: the board gets a notice, the shelf's clip is seen
    through the new detector, the relay tells of its door, the list is expected."""
    file = school / "school.yaml"
    text = file.read_text(encoding="utf-8")
    for kind in KINDS:
        made(school, kind, NAMES[kind], "--config", "school.yaml")
        text = pasted(text, block(kind, NAMES[kind], place="lobby", detector="large_mover"))
    assert text.count("through: [console, logbook]\n") >= 3
    text = text.replace(
        "through: [console, logbook]\n", "through: [console, logbook, hall_board]\n"
    )
    assert text.count("forced_after: 25s") == 1
    file.write_text(text.replace("forced_after: 25s", "forced_after: 3s"), encoding="utf-8")
    (school / "clips").mkdir()
    clip(school / "clips" / "walk.mp4")
    with RunningHub(file, school / "state", cache=drawn_cameras) as hub:
        hub.until(
            "doors",
            lambda doors: any(
                door["id"] == "relay_box_door" and door["reported"]["lock"] == "locked"
                for door in doors
            ),
            within_s=30,
        )
        hub.until(
            "visits",
            lambda visits: {"Photographer", "Piano tuner"} <= {each["visitor"] for each in visits},
            within_s=30,
        )
        hub.until(
            "cameras",
            lambda cameras: any(
                camera["id"] == "clip_shelf" and camera["state"] == "online" for camera in cameras
            ),
            within_s=60,
        )
        hub.until("alerts", lambda _: (school / "hall_board.txt").exists(), within_s=60)
    assert "Person in the closed science wing" in (school / "hall_board.txt").read_text() or (
        "Door forced open" in (school / "hall_board.txt").read_text()
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_passes_its_tests_in_place(tmp_path: Path, kind: Kind) -> None:
    """A package is tested where it was written, before it is installed anywhere."""
    name = NAMES[kind]
    made(tmp_path, kind, name, "--package")
    folder = tmp_path / f"vestibule-{name.replace('_', '-')}"
    tested = python(folder, *PYTEST)
    assert tested.returncode == 0, tested.stdout
    assert "sample" not in "".join(
        f"{path.relative_to(folder)}{path.read_text(encoding='utf-8')}"
        for path in folder.rglob("*")
        if path.is_file()
    )


def test_a_package_installs_and_is_listed(tmp_path: Path) -> None:
    """pip installs it into a fresh environment, where it is found by its entry point."""
    made(tmp_path, "notifiers", "hall_board", "--package")
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    fresh = environment / "bin" / "python"
    (places,) = environment.glob("lib/python*/site-packages")
    # Vestibule itself and what it needs come from the environment of this run, not from the net.
    ours = sysconfig.get_paths()["purelib"]
    (places / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    installed = python(
        tmp_path, "pip", "--python", str(fresh), "--disable-pip-version-check", "install",
        "--no-deps", "--no-build-isolation", "--no-index", "-e", "vestibule-hall-board",
    )  # fmt: skip
    assert installed.returncode == 0, installed.stderr
    listed = python(tmp_path, "hub", "plugins", "--json", program=fresh)
    (found,) = [each for each in json.loads(listed.stdout) if each["source"] == "entry point"]
    assert found["name"] == "vestibule-hall-board:hall_board"
    assert (found["state"], found["version"]) == ("ok", "0.1.0")
    assert found["drivers"] == {"notifiers": ["hall_board"]}


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """Where one of the files is there, it is named and none is written."""
    (tmp_path / "my_plugins").mkdir()
    mine = tmp_path / "my_plugins" / "test_hall_board.py"
    mine.write_text("# mine\n")
    done = new_plugin(tmp_path, "notifiers", "hall_board")
    assert done.returncode == 1
    assert "my_plugins/test_hall_board.py is there already; nothing was written" in done.stderr
    assert [each.name for each in (tmp_path / "my_plugins").iterdir()] == ["test_hall_board.py"]
    assert mine.read_text() == "# mine\n"


def test_a_driver_that_is_there_is_not_made_twice(tmp_path: Path) -> None:
    """A name that a built-in or an own driver of the kind has would stop both: it says whose."""
    done = new_plugin(tmp_path, "visitors", "desk")
    assert done.returncode == 1
    assert "visitors has a driver desk already, of plugins.visitors.desk" in done.stderr
    made(tmp_path, "visitors", "day_list")
    done = new_plugin(tmp_path, "visitors", "day_list", "--package")
    assert done.returncode == 1
    assert "my_plugins/day_list.py" in done.stderr


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("camera", "hall", "KIND: expected one of cameras, detectors, access_control, notifiers,"),
        ("camera", "hall", "(did you mean cameras?)"),
        ("cameras", "Hall", "NAME: expected lower-case letters, digits and _"),
        ("cameras", "hall-board", "found 'hall-board'"),
        ("cameras", "../hall", "found '../hall'"),
        ("cameras", "json", "Python knows something else as json"),
        ("cameras", "class", "Python knows something else as class"),
        ("cameras", "test_hall", "test_hall is a name for tests"),
    ],
)
def test_a_wrong_kind_or_name_says_what_was_expected(
    tmp_path: Path, kind: str, name: str, said: str
) -> None:
    """The command line is wrong (64), the message says how, and nothing is written."""
    done = new_plugin(tmp_path, kind, name)
    assert done.returncode == 64
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_block_suits_the_configuration(tmp_path: Path) -> None:
    """With --config it goes into that file's plugins_dir, names a place and detector of it that
    are not private, and brings the heading of a section that is missing."""
    (tmp_path / "mine.yaml").write_text(
        "hub: {name: Mine, plugins_dir: drivers}\n"
        "places:\n"
        "  campus: {name: Campus, kind: site}\n"
        "  washroom: {name: Washroom, kind: room, in: campus, private: true}\n"
        "  hall: {name: Hall, kind: room, in: campus}\n"
        "detectors:\n"
        "  guess: {driver: motion}\n"
    )
    done = made(tmp_path, "cameras", "clip_shelf", "--config", "mine.yaml")
    assert (tmp_path / "drivers" / "clip_shelf.py").is_file()
    assert "In mine.yaml, at the end\n\ncameras:\n  clip_shelf:\n" in done.stdout
    assert "    place: hall\n    detector: guess\n" in done.stdout
    assert "plugins_dir" not in done.stdout
    done = made(tmp_path, "visitors", "day_list", "--config", "mine.yaml", "--dir", "own")
    assert "below `hub:`\n\n  plugins_dir: own\n" in done.stdout


def test_a_configuration_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    """A missing file ends with 2 and its name, and nothing is written."""
    done = new_plugin(tmp_path, "notifiers", "hall_board", "--config", "none.yaml")
    assert done.returncode == 2
    assert "none.yaml" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_its_tests_notice_a_driver_that_does_not_do_its_work(tmp_path: Path) -> None:
    """A board that writes nothing fails the tests that were written with it."""
    made(tmp_path, "notifiers", "hall_board")
    file = tmp_path / "my_plugins" / "hall_board.py"
    file.write_text(file.read_text().replace("out.write(line)", "pass"))
    tested = python(tmp_path, *PYTEST, "my_plugins")
    assert tested.returncode == 1
    assert "test_a_notice_is_one_line" in tested.stdout
