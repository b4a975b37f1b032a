"""`vestibule audit`, as an auditor meets it: beside a real hub, and on a machine without one."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from test_backup_command import CONFIG, vestibule

from hub.storage.audit_key import FILE
from hub.testing import RunningHub


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two exports of a hub that ran, and its backup: `first`, `second`."""
    folder = tmp_path_factory.mktemp("audit")
    config, state = folder / "school.yaml", folder / "state"
    config.write_text(CONFIG, encoding="utf-8")
    with RunningHub(config, state) as hub:
        hub.post("doors/hall/commands", {"verb": "unlock", "reason": "delivery"})
        done = vestibule("audit", "export", str(folder / "first"), "--state", str(state))
        assert done.returncode == 0, done.stderr
    vestibule("token", "create", "later", "--role", "it", "--state", str(state))
    made = vestibule("backup", "create", "--state", str(state), "--folder", str(folder / "kept"))
    assert made.returncode == 0, made.stderr
    done = vestibule("audit", "export", str(folder / "second"), "--state", str(state))
    assert done.returncode == 0, done.stderr
    return folder


def records(file: Path) -> list[dict[str, Any]]:
    """What stands in an export."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_an_export_verifies_on_any_machine(exported: Path, tmp_path: Path) -> None:
    """With nothing of the hub there; whose key it is the file alone cannot say."""
    shutil.copy(exported / "first", tmp_path / "audit.jsonl")
    done = vestibule("audit", "verify", str(tmp_path / "audit.jsonl"))
    assert done.returncode == 0
    assert "sound, lines 1 to" in done.stdout
    assert "compare it with the one that the page Audit shows" in done.stdout
    (asked,) = [each for each in records(exported / "first") if each.get("act") == "door.asked"]
    assert (asked["who"], asked["address"]) == ("tests (token)", "127.0.0.1")
    assert asked["details"]["reason"] == "delivery"
    acts = [each.get("act") for each in records(exported / "first")]
    assert {"audit.key_made", "hub.started", "token.made", "audit.exported"} <= set(acts)


def test_a_trusted_key_and_an_earlier_export_are_held_against_it(exported: Path) -> None:
    """The same key and the same beginning; another key, or the exports swapped, is broken."""
    first, second = exported / "first", exported / "second"
    head = json.loads(first.read_text(encoding="utf-8").splitlines()[-1])["head"]
    (exported / "key").write_text(head["key"] + "\n", encoding="utf-8")
    both = ("--key", str(exported / "key"), "--earlier")
    done = vestibule("audit", "verify", str(second), *both, str(first), "--json")
    assert done.returncode == 0
    said = json.loads(done.stdout)
    assert (said["sound"], said["trusted"], said["key"]) == (True, True, head["key"])
    done = vestibule("audit", "verify", str(first), *both, str(second))
    assert done.returncode == 1
    assert "is the first that has gone since" in done.stdout
    done = vestibule("audit", "verify", str(first), "--key", "0" * 64)
    assert done.returncode == 1
    assert "not with one that you trust" in done.stdout
    done = vestibule("audit", "verify", str(first), "--key", "too long for a file's name" * 20)
    assert done.returncode == 2
    assert "expected 64 hexadecimal digits" in done.stderr


def test_the_first_broken_line_is_named(exported: Path, tmp_path: Path) -> None:
    """In one sentence, with the exit status of a no."""
    text = (exported / "first").read_text(encoding="utf-8")
    (tmp_path / "x").write_text(text.replace('"act":"hub.started"', '"act":"hub.stopped"'))
    done = vestibule("audit", "verify", str(tmp_path / "x"), "--json")
    said = json.loads(done.stdout)
    assert done.returncode == 1
    assert said["sound"] is False
    assert "was changed after it was written" in said["problem"]
    done = vestibule("audit", "verify", str(tmp_path / "nothing"))
    assert done.returncode == 2
    assert "cannot read" in done.stderr


def test_one_day_and_one_person_can_be_taken_away(exported: Path) -> None:
    """What is left out stands there as hashes; a day that is none is said."""
    state = ("--state", str(exported / "state"))
    done = vestibule("audit", "export", "--act", "token.made", *state)
    assert done.returncode == 0
    shown = [json.loads(line) for line in done.stdout.splitlines()]
    assert {each["act"] for each in shown if "act" in each} == {"token.made", "audit.key_made"}
    assert vestibule("audit", "export", "--day", "1999-01-01", *state).returncode == 0
    done = vestibule("audit", "export", "--day", "monday", *state)
    assert done.returncode == 2
    assert "expected a day such as" in done.stderr


def test_no_file_is_written_over_and_no_journal_is_made(exported: Path, tmp_path: Path) -> None:
    """An export that is there stays, and a wrong folder is said and leaves no empty one."""
    before = (exported / "first").read_bytes()
    done = vestibule("audit", "export", str(exported / "first"), "--state", str(exported / "state"))
    assert done.returncode == 2
    assert "is there already" in done.stderr
    assert (exported / "first").read_bytes() == before
    done = vestibule("audit", "export", str(tmp_path / "x"), "--state", str(tmp_path / "none"))
    assert done.returncode == 2
    assert "there is no journal" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_key_is_in_no_backup_and_a_restore_says_so(exported: Path, tmp_path: Path) -> None:
    """Restored on another machine the chain goes on with a key of its own, told by a line."""
    kept = exported / "kept"
    assert not list(kept.rglob(FILE))
    state = tmp_path / "elsewhere"
    state.mkdir(mode=0o700)
    done = vestibule("backup", "restore", "--yes", "--state", str(state), "--folder", str(kept))
    assert done.returncode == 0, done.stderr
    done = vestibule("audit", "export", str(tmp_path / "third"), "--state", str(state))
    assert done.returncode == 0, done.stderr
    lines = records(tmp_path / "third")
    keys = [line["subject"] for line in lines if line.get("act") == "audit.key_made"]
    assert len(set(keys)) == 2
    verify = ("audit", "verify", str(tmp_path / "third"), "--earlier", str(exported / "first"))
    assert vestibule(*verify).returncode == 0
    assert vestibule(*verify, "--key", keys[0]).returncode == 1
    assert vestibule(*verify, "--key", keys[1]).returncode == 1  # the first is signed by the other
    assert vestibule(*verify, "--key", keys[0], "--key", keys[1]).returncode == 0


def test_a_journal_changed_by_hand_is_found_in_its_next_export(
    exported: Path, tmp_path: Path
) -> None:
    """Whoever drops what guards the table and edits a line is found, and the line is named."""
    state = tmp_path / "state"
    shutil.copytree(exported / "state", state)
    with closing(sqlite3.connect(state / "journal.db")) as connection:
        connection.execute("DROP TRIGGER audit_no_update")
        connection.execute("UPDATE audit SET who = char(27) || 'nobody' WHERE number = 2")
        connection.commit()
    done = vestibule("audit", "export", str(tmp_path / "x"), "--state", str(state))
    assert done.returncode == 0
    done = vestibule("audit", "verify", str(tmp_path / "x"))
    assert done.returncode == 1
    assert "line 2 was changed after it was written" in done.stdout
    assert "\x1b" not in done.stdout  # what a file holds does not paint the terminal
