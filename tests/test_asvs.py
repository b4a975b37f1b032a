"""docs/reference/asvs.md claims nothing that no test shows."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "reference" / "asvs.md").read_text(encoding="utf-8")


def test_every_test_that_it_names_is_there() -> None:
    """A test that is renamed or taken out is noticed here."""
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE)
    assert len(named) > 50
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not (ROOT / file).is_file()
        or not re.search(rf"def {name}\(", (ROOT / file).read_text(encoding="utf-8"))
    ]
    assert missing == []


def test_each_number_stands_once() -> None:
    """What is met does not stand under what does not hold as well."""
    rows = re.findall(r"^\| ((?:\d+\.\d+\.\d+(?: to |, )?)+) \|", PAGE, re.M)
    numbers = [number for row in rows for number in re.findall(r"\d+\.\d+\.\d+", row)]
    assert len(numbers) == len(set(numbers)), sorted(n for n in numbers if numbers.count(n) > 1)
