"""`vestibule backup`, as an administrator meets it: beside a real hub, and after a loss."""

from __future__ import annotations

import io
import json
import os
import pty
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from hub.__main__ import main
from hub.testing import RunningHub

CONFIG = """
hub: {name: Test school, backup: {folder: kept}}
places:
  site: {name: Test school, kind: site}
access_control:
  locks: {driver: simulated}
doors:
  hall: {name: Hall door, controller: locks, place: site, egress: free, device: {}}
"""


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def vestibule(*arguments: str) -> Done:
    """Run a command without a terminal, in this process: starting one takes longer than most."""
    out, err = io.StringIO(), io.StringIO()
    with (
        redirect_stdout(out),
        redirect_stderr(err),
        patch.object(sys, "argv", ["vestibule", *arguments]),
        patch.object(sys, "stdin", io.StringIO()),
        pytest.raises(SystemExit) as end,
    ):
        main()
    return Done(int(str(end.value.code)), out.getvalue(), err.getvalue())


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "school.yaml"
    file.write_text(CONFIG, encoding="utf-8")
    return file


@pytest.fixture
def hub(tmp_path: Path, config: Path) -> Iterator[RunningHub]:
    with RunningHub(config, tmp_path / "state") as running:
        yield running


def restored_events(hub: RunningHub) -> list[dict[str, Any]]:
    """The data of each `journal.restored` in the journal."""
    with closing(sqlite3.connect(hub.state / "journal.db")) as connection:
        found = connection.execute("SELECT data FROM events WHERE type = 'journal.restored'")
        return [json.loads(data) for (data,) in found]


def test_the_whole_way_from_a_backup_to_a_restored_hub(hub: RunningHub, tmp_path: Path) -> None:
    """Backed up beside a running hub; refused while it runs; restored after a loss; told in the
    journal; and everybody has to sign in again while tokens hold.
    """
    state = ["--state", str(hub.state)]
    hub.until("doors", lambda doors: doors[0]["online"], within_s=20)
    assert hub.get("health")["backup"]["every"] == "1h"
    made = vestibule("backup", "create", *state)
    assert made.returncode == 0, made.stderr
    assert "verified." in made.stdout
    folder = hub.state / "kept"
    (listed,) = json.loads(vestibule("backup", "list", "--json", *state).stdout)
    assert Path(listed["path"]).parent == folder, "where the configuration that runs says"
    assert listed["by"].endswith("on this machine")
    assert listed["trouble"] == ""
    verified = vestibule("backup", "verify", listed["name"], *state)
    assert (verified.returncode, verified.stderr) == (0, "")
    assert "sound" in verified.stdout

    hub.post("doors/hall/commands", {"verb": "unlock", "reason": "after the backup"})
    hub.until("doors", lambda doors: doors[0]["requested"] is not None, within_s=20)
    busy = vestibule("backup", "restore", "--yes", *state)
    assert busy.returncode == 1
    assert f"another Vestibule (process {hub.pid})" in busy.stderr
    hub.stop()

    asked = vestibule("backup", "restore", *state)
    assert asked.returncode == 1
    assert "Lost will be" in asked.stdout
    assert "nothing was changed; answer yes, or give --yes" in asked.stderr
    shown = vestibule("backup", "restore", "--dry-run", "--json", *state)
    assert shown.returncode == 0
    assert json.loads(shown.stdout)["lost"]["events"] > 0
    assert json.loads(shown.stdout)["kept_as"] is None
    (hub.state / "journal.db").write_bytes(b"this disk has seen better days")
    done = vestibule("backup", "restore", "--yes", *state)
    assert done.returncode == 0, done.stderr
    assert "How much cannot be told" in done.stdout
    (kept,) = hub.state.glob("before-restore-*")
    assert (kept / "journal.db").read_bytes() == b"this disk has seen better days"

    hub.start()
    (told,) = restored_events(hub)
    assert told["by"].endswith("on this machine")
    assert told["backup"] == listed["name"]
    assert told["lost"]["known"] is False
    (door,) = hub.get("doors")
    assert door["requested"] is None, "what was asked after the backup is not known any more"


@pytest.fixture
def made(tmp_path: Path, config: Path) -> Path:
    """A state folder with one backup, made without a hub."""
    state = tmp_path / "state"
    assert vestibule("token", "create", "t", "--role", "admin", "--state", str(state)).stdout
    assert vestibule("backup", "create", "--state", str(state)).returncode == 0
    return state


def test_without_a_backup_that_is_said(tmp_path: Path) -> None:
    """An empty list is no error; verifying or restoring nothing is."""
    state = ["--state", str(tmp_path / "state")]
    listed = vestibule("backup", "list", *state)
    assert listed.returncode == 0
    assert "No backups in" in listed.stdout
    assert json.loads(vestibule("backup", "list", "--json", *state).stdout) == []
    for verb in ("verify", "restore"):
        done = vestibule("backup", verb, *state)
        assert done.returncode == 1
        assert "there is no backup that can be used" in done.stderr
    created = vestibule("backup", "create", *state)
    assert created.returncode == 1
    assert "nothing to keep" in created.stderr


def test_damage_is_named_file_by_file(made: Path) -> None:
    """Each broken file on a line of its own, status 1; a restore refuses, and list says so."""
    (backup,) = (made / "backups").glob("backup-*")
    journal = backup / "journal.db"
    journal.write_bytes(journal.read_bytes()[:-100])
    verified = vestibule("backup", "verify", "--state", str(made))
    assert verified.returncode == 1
    assert f"{backup.name}: journal.db has" in verified.stdout
    as_json = vestibule("backup", "verify", "--json", "--state", str(made))
    assert "journal.db has" in json.loads(as_json.stdout)["problems"][0]
    restored = vestibule("backup", "restore", "--yes", "--state", str(made))
    assert restored.returncode == 1
    assert "is damaged: journal.db has" in restored.stderr
    assert not list(made.glob("before-restore-*"))
    (backup / "manifest.json").write_text("{}")
    listed = vestibule("backup", "list", "--state", str(made))
    assert listed.returncode == 0
    assert "of no use" in listed.stdout


def test_what_is_passed_over_for_an_older_one_is_said(made: Path) -> None:
    """Whoever asks for the newest is told of those that are newer and of no use."""
    (older,) = (made / "backups").glob("backup-*")
    damaged = older.with_name("backup-29990101T000000Z")
    shutil.copytree(older, damaged)
    (damaged / "manifest.json").write_text("{}")
    verified = vestibule("backup", "verify", "--state", str(made))
    assert f"{older.name}: sound" in verified.stdout
    assert "passed over, though newer: " in verified.stderr
    assert damaged.name in verified.stderr


def test_a_damaged_picture_does_not_keep_the_journal_away(made: Path) -> None:
    """Refused with the way out named; with it, everything but the damaged file comes back."""
    desk = made / "visitors" / "desk"
    desk.mkdir(parents=True)
    (desk / "visits.json").write_text("[]")
    (desk / "more.json").write_text("[]")
    second = vestibule("backup", "create", "--json", "--state", str(made))
    path = Path(json.loads(second.stdout)["path"])
    (path / "visitors/desk/visits.json").write_text("{}")
    refused = vestibule("backup", "restore", path.name, "--yes", "--state", str(made))
    assert refused.returncode == 1
    assert "visits.json is not as it was written" in refused.stderr
    assert "--leave-out-damaged" in refused.stderr
    arguments = ["backup", "restore", path.name, "--yes", "--leave-out-damaged"]
    done = vestibule(*arguments, "--state", str(made))
    assert done.returncode == 0, done.stderr
    assert "left out: visitors/desk/visits.json is not as it was written" in done.stderr
    assert [each.name for each in desk.iterdir()] == ["more.json"]
    (path / "journal.db").write_bytes(b"")
    hopeless = vestibule(*arguments, "--state", str(made))
    assert hopeless.returncode == 1
    assert "journal.db has 0 bytes" in hopeless.stderr
    assert "--leave-out-damaged" not in hopeless.stderr


def test_another_folder_can_be_named(made: Path, tmp_path: Path) -> None:
    """A disk that was brought along: created there, listed there, restored by its path."""
    stick = tmp_path / "stick"
    done = vestibule("backup", "create", "--folder", str(stick), "--json", "--state", str(made))
    path = json.loads(done.stdout)["path"]
    assert Path(path).parent == stick
    shutil.rmtree(made)
    restored = vestibule("backup", "restore", path, "--yes", "--state", str(made))
    assert restored.returncode == 0, restored.stderr
    assert (made / "journal.db").is_file()


def test_the_file_says_where_they_are(made: Path, config: Path) -> None:
    """With CONFIG named, its `hub.backup.folder` counts, even where the rest of it is wrong."""
    config.write_text("hub: {backup: {folder: elsewhere}}\nnonsense: 1\n", encoding="utf-8")
    done = vestibule("backup", "create", str(config), "--json", "--state", str(made))
    assert Path(json.loads(done.stdout)["path"]).parent == made / "elsewhere"


def test_a_person_at_a_terminal_is_asked(made: Path) -> None:
    """`y` restores, anything else does not."""
    command = [sys.executable, "-m", "hub", "backup", "restore", "--state", str(made)]
    for answer, restored in ((b"n\n", 0), (b"y\n", 1)):
        ours, theirs = pty.openpty()
        child = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        os.write(ours, answer)
        said = b""
        while True:
            try:
                said += os.read(ours, 4096)
            except OSError:
                break
        assert child.wait(30) == 1 - restored
        os.close(ours)
        assert b"Restore " in said
        assert len(list(made.glob("before-restore-*"))) == restored
