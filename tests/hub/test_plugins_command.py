"""`vestibule plugins`: every plugin, what it offers, and what is wrong with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCHOOL = """\
hub: {plugins_dir: drivers}
notifiers:
  desk: {driver: console}
  hall: {driver: DRIVER}
"""
LAMP = """\
from hub import Block, Driver, hookimpl

@hookimpl
def vestibule_notifiers():
    return [Driver("lamp", dict, Block, "Shines")]

@hookimpl
def vestibule_cameras():
    return [Driver("lens", dict, Block, "Looks")]
"""
KEYS = {"name", "source", "version", "file", "kinds", "drivers", "state", "reason", "notes"}


def vestibule(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "hub", *words],
        cwd=folder, capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@pytest.fixture
def school(tmp_path: Path) -> Path:
    """A configuration, a sound plugin beside it and one that ends its process."""
    (tmp_path / "drivers").mkdir()
    (tmp_path / "drivers" / "lamp.py").write_text(LAMP)
    (tmp_path / "drivers" / "gong.py").write_text("import os\nos.abort()\n")
    (tmp_path / "school.yaml").write_text(SCHOOL.replace("DRIVER", "lamp"))
    return tmp_path


def states(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """The state of every plugin in the JSON."""
    return {each["name"]: each["state"] for each in json.loads(done.stdout)}


def test_a_configuration_says_what_is_used(school: Path) -> None:
    """With a file, its plugins_dir is looked into and what no block names is unused; a broken
    plugin that nothing uses changes no exit status.
    """
    done = vestibule(school, "plugins", "--config", "school.yaml", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    said = states(done)
    assert (said["lamp"], said["gong"]) == ("ok", "broken")
    assert said["plugins.notifiers.console"] == "ok"
    assert said["plugins.notifiers.webhook"] == "unused"
    assert all(set(each) >= KEYS for each in json.loads(done.stdout))


def test_what_is_used_and_broken_is_told(school: Path) -> None:
    """A block with a driver that cannot be used is exit status 1, with the reason."""
    (school / "school.yaml").write_text(SCHOOL.replace("DRIVER", "gong"))
    done = vestibule(school, "plugins", "--config", "school.yaml")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "vestibule: notifiers: driver 'gong' cannot be used: gong (drivers/gong.py) is broken: "
        "ended the process (SIGABRT) while importing"
    )


def test_a_configuration_that_cannot_be_read(school: Path) -> None:
    """Then there is nothing to look at: exit status 2 and one line."""
    done = vestibule(school, "plugins", "--config", "elsewhere.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "vestibule: elsewhere.yaml: cannot be read: No such file or directory\n"


def test_a_folder_alone_uses_nothing(school: Path) -> None:
    """Without a configuration nothing is unused, and a broken plugin is only shown."""
    done = vestibule(school, "plugins", "--plugins-dir", "drivers", "--json")
    assert done.returncode == 0
    assert set(states(done).values()) == {"ok", "broken"}


def test_the_list_fits_a_terminal(school: Path) -> None:
    """No line is longer than 80 characters, no word is cut, and the reason has lines of its own."""
    done = vestibule(school, "plugins", "--config", "school.yaml")
    shown = done.stdout.splitlines()
    assert max(len(line) for line in shown) <= 80
    at = next(number for number, line in enumerate(shown) if line.startswith("gong "))
    assert shown[at].split() == ["gong", "file", "broken"]
    assert shown[at + 1] == "    drivers/gong.py"
    assert shown[at + 2].startswith("    ended the process (SIGABRT) while importing; ")
    at = next(number for number, line in enumerate(shown) if line.startswith("lamp "))
    assert shown[at + 1 : at + 3] == ["    cameras: lens", "    notifiers: lamp"]


def test_a_clash_ends_in_one_line(school: Path) -> None:
    """Two plugins with one driver are named with both files, and nothing else is said."""
    (school / "drivers" / "lamp2.py").write_text(LAMP)
    done = vestibule(school, "plugins", "--config", "school.yaml")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "lamp (drivers/lamp.py) and lamp2 (drivers/lamp2.py)" in line


def test_a_secret_of_the_file_is_not_shown(school: Path) -> None:
    """Not even where a plugin writes it into its error, or a block names it as its driver."""
    (school / "secrets.yaml").write_text("gate: tulip-9-harbour\n")
    (school / "secrets.yaml").chmod(0o600)
    (school / "drivers" / "gong.py").write_text(
        "from pathlib import Path\nraise OSError(Path('secrets.yaml').read_text())\n"
    )
    (school / "school.yaml").write_text(SCHOOL.replace("DRIVER", "!secret gate"))
    for more in ((), ("--json",)):
        done = vestibule(school, "plugins", "--config", "school.yaml", *more)
        assert done.returncode == 1
        assert "OSError" in done.stdout
        assert "tulip" not in done.stdout + done.stderr


@pytest.mark.parametrize("verb", [("check", "school.yaml"), ("schema", "--config", "school.yaml")])
def test_no_verb_imports_what_dies(school: Path, verb: tuple[str, ...]) -> None:
    """Whoever only looks is not ended by a plugin that ends its process."""
    assert vestibule(school, *verb).returncode == 0
