"""Broken files as users write them, each with the very lines that `vestibule check` says to it.

Every file and folder of tests/hub/broken is a case; a folder's file is school.yaml. What is said
to each stands in broken/expected.txt, as it is printed when the command is run in that folder. To
write it anew after a change of words, and then read the difference:

    python -m tests.hub.test_broken_files
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from hub.cli import Format, check
from tests.hub.test_documented import anchors

ROOT = Path(__file__).resolve().parents[2]
BROKEN = Path(__file__).parent / "broken"
EXPECTED = BROKEN / "expected.txt"
CASES = sorted(path.name for path in BROKEN.iterdir() if path != EXPECTED)
LINE = re.compile(r"(?P<file>[^:]+):(?P<line>\d+):(?P<column>\d+): (?P<path>\S[^:]*): [^;]+; .+")


def file_of(case: str) -> str:
    """The file to check of a case, from the folder of all."""
    return case if case.endswith(".yaml") else f"{case}/school.yaml"


def expected() -> dict[str, list[str]]:
    """The lines of each case."""
    found: dict[str, list[str]] = {case: [] for case in CASES}
    for line in EXPECTED.read_text(encoding="utf-8").splitlines():
        found[line.partition(":")[0].partition("/")[0]].append(line)
    return found


def said_by_check(file: str, form: Format) -> tuple[int, str]:
    """Exit status and standard output of the command, run in this process."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(io.StringIO()):
        try:
            check(Path(file), form)
            code = 0
        except typer.Exit as ending:
            code = ending.exit_code
    return code, output.getvalue()


@pytest.fixture(autouse=True)
def _there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BROKEN)
    for name in ("STATE_DIRECTORY", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)


def test_there_are_many_and_they_differ() -> None:
    """At least a hundred and fifty different things are said, and every file has its line."""
    told = [
        tuple(re.sub(r"^[^:]+:\d+:\d+: ", "", line) for line in lines)
        for lines in expected().values()
    ]
    assert all(told)
    assert len(set(told)) >= 150


@pytest.mark.parametrize("case", CASES)
def test_what_is_said_to_a_broken_file(case: str) -> None:
    """Every line of every broken file, to the column and the letter, and the exit status 1."""
    code, output = said_by_check(file_of(case), Format.text)
    assert output.splitlines() == expected()[case]
    assert code == 1
    for line in output.splitlines():
        assert LINE.fullmatch(line), line


@pytest.mark.parametrize("case", CASES)
def test_json_says_the_same(case: str) -> None:
    """The array carries what the lines do, piece by piece."""
    code, output = said_by_check(file_of(case), Format.json)
    lines = [
        f"{each['file']}:{each['line']}:{each['column']}: {each['path']}: {each['message']}"
        + (f" ({each['hint']})" if each["hint"] else "")
        for each in json.loads(output)
    ]
    assert lines == expected()[case]
    assert code == 1


@pytest.mark.parametrize("case", ["tab_in_indentation.yaml", "folder_of_people", "empty.yaml"])
def test_the_command_itself_says_it(case: str) -> None:
    """A process of its own prints the same lines and ends with the status 1."""
    done = subprocess.run(
        [sys.executable, "-m", "hub", "check", file_of(case)],
        cwd=BROKEN, capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stdout.splitlines() == expected()[case]
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("case", CASES)
def test_every_line_leads_to_a_part_of_a_page(case: str) -> None:
    """`doc` names a page that is there and, with one exception, a heading on it."""
    _, output = said_by_check(file_of(case), Format.json)
    for each in json.loads(output):
        page, _, anchor = each["doc"].partition("#")
        assert anchor in anchors(ROOT / page), each
        assert anchor or each["path"] == "(file)" or each["message"].startswith("is not known")


if __name__ == "__main__":
    os.chdir(BROKEN)
    EXPECTED.write_text(
        "".join(said_by_check(file_of(case), Format.text)[1] for case in CASES), encoding="utf-8"
    )
