"""The command line: what it answers, and with which exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def vestibule(
    *arguments: str, stdin: str = "", cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hub", *arguments],
        input=stdin, capture_output=True, text=True, check=False, timeout=60, cwd=cwd,
    )  # fmt: skip


def test_the_example_is_valid() -> None:
    """The file that newcomers copy has no mistake in it."""
    done = vestibule("check", "config.example.yaml")
    assert (done.returncode, done.stdout) == (0, "")


def test_an_invalid_file_is_answered_on_stdout_with_status_one(tmp_path: Path) -> None:
    """One problem a line, with file as given, line and column."""
    file = tmp_path / "school.yaml"
    file.write_text("cameras:\n  lobby: {driver: rtps, place: hall}\n", encoding="utf-8")
    done = vestibule("check", str(file))
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert any(line.startswith(f"{file}:2:19: cameras.lobby.driver:") for line in lines)
    assert "rtsp" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_json_says_the_same(tmp_path: Path) -> None:
    """`--format json` prints one array of objects."""
    file = tmp_path / "school.yaml"
    file.write_text("hubb: {}\n", encoding="utf-8")
    done = vestibule("check", str(file), "--format", "json")
    (problem,) = json.loads(done.stdout)
    assert done.returncode == 1
    assert (problem["line"], problem["column"], problem["path"]) == (1, 1, "hubb")
    assert set(problem) == {"file", "line", "column", "path", "message", "hint", "doc"}


def test_an_empty_file_is_invalid(tmp_path: Path) -> None:
    """Nothing at all is a mistake, not a configuration."""
    file = tmp_path / "empty.yaml"
    file.touch()
    assert vestibule("check", str(file)).returncode == 1


def test_a_missing_file_could_not_be_checked(tmp_path: Path) -> None:
    """Status 2 means that nobody looked."""
    done = vestibule("check", str(tmp_path / "nowhere.yaml"))
    assert done.returncode == 2
    assert "nowhere.yaml" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [("frobnicate",), ("run",), ("run", "x.yaml", "--port", "99999"), ("check", "--nonsense")],
)
def test_a_wrong_command_line_is_status_64(arguments: tuple[str, ...]) -> None:
    """A usage error is told apart from a file that could not be read."""
    done = vestibule(*arguments)
    assert done.returncode == 64
    assert "Traceback" not in done.stderr


def test_accounts_and_tokens_are_made_without_a_hub(tmp_path: Path) -> None:
    """Scripts can prepare a state folder; a token is printed once and alone."""
    state = str(tmp_path / "state")
    made = vestibule(
        "users", "add", "desk", "--role", "front_office", "--password-stdin", "--state", state,
        stdin="a long enough password\n",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert "a long enough password" not in made.stdout + made.stderr
    token = vestibule("token", "create", "script", "--role", "admin", "--state", state)
    assert token.returncode == 0, token.stderr
    assert len(token.stdout.split()) == 1
    journal = (tmp_path / "state" / "journal.db").read_bytes()
    assert token.stdout.strip().encode() not in journal


def test_accounts_are_looked_after_without_a_hub(tmp_path: Path) -> None:
    """The way back in: who there is, a link for another password, in again, without the factor."""
    state = ("--state", str(tmp_path / "state"))
    add = ("users", "add", "desk", "--role", "admin", "--password-stdin", *state)
    weak = vestibule(*add, stdin="password1234\n")
    assert (weak.returncode, "guessed early" in weak.stderr) == (1, True)
    assert vestibule(*add, stdin="four quiet words here\n").returncode == 0
    assert vestibule("users", "list", *state).stdout == "desk: admin, a password alone\n"
    link = vestibule("users", "link", "desk", *state).stdout
    assert link.startswith("/setup/")
    for verb in ("unlock", "forget-factors"):
        assert vestibule("users", verb, "desk", *state).returncode == 0
        nobody = vestibule("users", verb, "nobody", *state)
        assert (nobody.returncode, "there is desk" in nobody.stderr) == (1, True)
    made = vestibule("token", "create", "board", "--role", "viewer", "--scope", "see.doors", *state)
    assert made.stdout.startswith("vst_")
    assert "board: viewer, only see.doors" in vestibule("token", "list", *state).stdout
    assert vestibule("token", "revoke", "board", *state).returncode == 0
    assert vestibule("token", "list", *state).stdout == ""


def test_an_unknown_role_is_refused_with_those_there_are(tmp_path: Path) -> None:
    """A typing mistake in a role makes no account."""
    done = vestibule(
        "token", "create", "script", "--role", "adminn", "--state", str(tmp_path / "state")
    )
    assert done.returncode == 1
    assert "admin" in done.stderr
    assert "Traceback" not in done.stderr


def test_models_are_listed_shown_and_added(tmp_path: Path) -> None:
    """The list says how to get another one; a file that is no model is refused."""
    state = ("--state", str(tmp_path / "state"))
    listed = vestibule("models", "list", *state)
    assert listed.returncode == 0
    assert "yolox-nano" in listed.stdout
    assert "vestibule models fetch yolox-nano" in listed.stdout
    shown = vestibule("models", "show", "yolox-nano", *state)
    assert "sha256: " in shown.stdout
    nonsense = tmp_path / "nonsense.onnx"
    nonsense.write_bytes(b"not a model")
    refused = vestibule("models", "add", str(nonsense), *state)
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr


@pytest.mark.material
def test_an_added_model_is_the_one_that_auto_takes(tmp_path: Path, material: Path) -> None:
    """From a USB stick to `perceive --model auto` in two commands."""
    state = ("--state", str(tmp_path / "state"))
    added = vestibule("models", "add", str(material / "models" / "yolox_nano_416.onnx"), *state)
    assert added.returncode == 0, added.stderr
    clip = material / "clips" / "store_aisle.mp4"
    done = vestibule("perceive", str(clip), "--fps", "3", "--json", "-", *state)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {track["label"] for line in lines for track in line["tracks"]} >= {"person"}
    assert set(lines[0]) == {
        "clip", "frame", "time", "gate", "inferences", "detections", "tracks",
    }  # fmt: skip


def test_it_runs_from_any_folder(tmp_path: Path) -> None:
    """`python -m hub` does not need to stand in the checkout."""
    assert vestibule("plugins", "--json", cwd=tmp_path).returncode == 0
