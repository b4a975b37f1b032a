"""The files that a shared run begins with."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.run_order import LONGEST_FIRST, rank


def test_each_file_that_comes_first_is_there_once() -> None:
    """A name that fits no file, or two, would say nothing and be noticed by nobody."""
    found = Counter(path.name for path in Path(__file__).parent.rglob("test_*.py"))
    assert {name: found[name] for name in LONGEST_FIRST} == dict.fromkeys(LONGEST_FIRST, 1)


def test_the_others_come_after_them() -> None:
    """In the order in which they were found."""
    names = ["test_bus.py", LONGEST_FIRST[1], "test_api.py", LONGEST_FIRST[0]]
    assert sorted(names, key=rank) == [*LONGEST_FIRST[:2], "test_bus.py", "test_api.py"]
