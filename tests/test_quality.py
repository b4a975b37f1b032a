"""Style and types are tested like everything else."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    "command",
    [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]],
    ids=["style", "format", "types"],
)
def test_the_code_is_clean(command: list[str]) -> None:
    """No style, format or type complaint anywhere."""
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_outgrows_a_reader() -> None:
    """A file past 400 lines holds a second thing."""
    long = {
        str(file.relative_to(ROOT)): lines
        for folder in ("hub", "plugins")
        for file in (ROOT / folder).rglob("*.py")
        if (lines := len(file.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not long


def test_no_package_registry_is_named_in_the_locks() -> None:
    """The locks hold names, versions and hashes; where they come from is the user's affair."""
    for lock in ROOT.glob("requirements*.lock"):
        assert not re.search(r"https?://|--(extra-)?index-url", lock.read_text(encoding="utf-8"))
