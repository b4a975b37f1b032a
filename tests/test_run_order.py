"""The files that a shared run begins with."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.run_order import LONGEST_FIRST, rank, turned


def test_each_file_that_comes_first_is_there_once() -> None:
    """A name that fits no file, or two, would say nothing and be noticed by nobody."""
    found = Counter(path.name for path in Path(__file__).parent.rglob("test_*.py"))
    assert {name: found[name] for name in LONGEST_FIRST} == dict.fromkeys(LONGEST_FIRST, 1)


def test_the_others_come_after_them() -> None:
    """In the order in which they were found."""
    names = ["test_bus.py", LONGEST_FIRST[1], "test_api.py", LONGEST_FIRST[0]]
    assert sorted(names, key=rank) == [*LONGEST_FIRST[:2], "test_bus.py", "test_api.py"]


def test_each_process_reads_all_files_and_begins_elsewhere() -> None:
    """As far as there are files enough."""
    files = [f"test_{number}.py" for number in range(11)]
    readings = [turned(files, process, 4) for process in range(4)]
    assert [sorted(reading) for reading in readings] == [sorted(files)] * 4
    assert [files.index(reading[0]) for reading in readings] == [0, 2, 5, 8]
    assert turned(files, 0, 1) == files
