"""The set-up script: what it refuses, what it says, and that it never does work twice."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

WITHOUT_ENSUREPIP = f"""#!/bin/sh
case "$*" in
*"import ensurepip"*) echo "No module named ensurepip" >&2; exit 1 ;;
esac
exec {sys.executable} "$@"
"""
TOO_OLD = """#!/bin/sh
case "$*" in
*version_info*) exit 1 ;;
*) echo "Python 3.10.12" ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the script needs of a checkout."""
    (tmp_path / "scripts").mkdir()
    for name in (
        "scripts/setup.sh",
        "requirements.lock",
        "requirements-test.lock",
        "pyproject.toml",
    ):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def interpreter(folder: Path, text: str) -> Path:
    file = folder / "python-for-this-test"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o755)
    return file


def setup(
    checkout: Path, python: Path | str, what: str = "run"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "scripts/setup.sh", what],
        cwd=checkout, env={"PATH": "/usr/bin:/bin", "PYTHON": str(python)},
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip


def test_a_missing_ensurepip_names_the_package_to_install(checkout: Path) -> None:
    """On a fresh Debian the one thing to do is said, with the right version in it."""
    done = setup(checkout, interpreter(checkout, WITHOUT_ENSUREPIP))
    assert done.returncode != 0
    wanted = f"apt-get install python{sys.version_info.major}.{sys.version_info.minor}-venv"
    assert wanted in done.stderr
    assert not (checkout / ".venv").exists()


def test_an_unsupported_python_is_refused_with_those_that_are(checkout: Path) -> None:
    """Nothing is made with a Python that the libraries do not support."""
    done = setup(checkout, interpreter(checkout, TOO_OLD))
    assert done.returncode != 0
    assert "3.11" in done.stderr
    assert not (checkout / ".venv").exists()


def test_a_wrong_argument_is_a_usage_error(checkout: Path) -> None:
    """The script knows two words."""
    assert setup(checkout, sys.executable, "everything").returncode == 64


def test_it_says_how_much_it_will_fetch() -> None:
    """Each lock carries the measured size that set-up prints before it starts."""
    for lock in ("requirements.lock", "requirements-test.lock"):
        first = (ROOT / lock).read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith("# download: ")
        assert " MB " in first


def test_the_locks_agree_with_each_other() -> None:
    """Tests run on the very versions that users get."""

    def pins(lock: str) -> set[str]:
        text = (ROOT / lock).read_text(encoding="utf-8")
        return {line.split(" \\")[0] for line in text.splitlines() if "==" in line}

    assert pins("requirements.lock") <= pins("requirements-test.lock")
