"""Commands beside the hub know the roles of the configuration that ran last."""

import subprocess
import sys
from pathlib import Path

import pytest

from hub.kept import KeptConfigs
from hub.kept_roles import roles_that_ran

TEXT = b"""places:
  gym: {name: Gym, kind: room}
roles:
  porter: {name: Porter, may: [see.doors]}
  wrong: {may: 7}
"""


def keep(folder: Path, text: bytes = TEXT, time: str = "2026-03-02T08:00:00.000Z") -> None:
    """Keep a configuration as one that ran."""
    KeptConfigs(folder / "config").keep(folder / "school.yaml", {"school.yaml": text}, time)


def test_the_roles_of_what_ran_last_are_known(tmp_path: Path) -> None:
    """Those that can be read; one that cannot be is none."""
    keep(tmp_path)
    keep(tmp_path, b"roles: {guard: {may: [see.cameras]}}\n", "2026-03-03T08:00:00.000Z")
    assert list(roles_that_ran(tmp_path / "config")) == ["guard"]


@pytest.mark.parametrize("text", [b"roles: [", b"roles: 3\n", b"", b"\xff\xfe"])
def test_what_cannot_be_read_has_no_roles(tmp_path: Path, text: bytes) -> None:
    """And nothing fails: the built-in roles are always there."""
    keep(tmp_path, text)
    assert roles_that_ran(tmp_path / "config") == {}


def test_nothing_has_run(tmp_path: Path) -> None:
    """A new state folder."""
    assert roles_that_ran(tmp_path / "config") == {}


def test_an_account_and_a_token_get_a_role_of_the_schools_own(tmp_path: Path) -> None:
    """On the command line, by the very commands that people type; a made-up role is refused."""
    keep(tmp_path)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hub", *words, "--state", str(tmp_path)]
        given = "four quiet words here\n"
        return subprocess.run(command, input=given, capture_output=True, text=True, check=False)

    added = run("users", "add", "Porter", "--role", "porter", "--password-stdin")
    assert added.returncode == 0, added.stderr
    assert "may now sign in as porter" in added.stdout
    made = run("token", "create", "Board", "--role", "porter")
    assert made.stdout.startswith("vst_")
    refused = run("token", "create", "Other", "--role", "emperor")
    assert refused.returncode != 0
    assert "porter" in refused.stderr
