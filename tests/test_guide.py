"""The guide from the example to one's own school is held to the check, step by step."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hub.check import check, load_config
from hub.plugins import load_registry

ROOT = Path(__file__).resolve().parent.parent
GUIDE = (ROOT / "docs/guide/configure.md").read_text(encoding="utf-8")
STEPS = re.split(r"^## \d+\. ", GUIDE, flags=re.MULTILINE)[1:]
REGISTRY = load_registry()


def blocks(step: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", step.split("\n## ")[0], re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the reader works: with the secrets and the visitors that the guide gives."""
    whole = "".join(STEPS)
    (secrets,) = [each for each in blocks_of(whole) if each.startswith("# secrets.yaml")]
    (tmp_path / "secrets.yaml").write_text(secrets, encoding="utf-8")
    visitors, stop = re.findall(r"^```csv\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    (tmp_path / "visitors.csv").write_text(visitors, encoding="utf-8")
    (tmp_path / "stop.csv").write_text(stop, encoding="utf-8")
    return tmp_path


def blocks_of(text: str) -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def written() -> list[str]:
    """The file after each step."""
    text, after = "", []
    for step in STEPS:
        for block in blocks(step, "yaml"):
            note, _, lines = block.partition("\n")
            if note == "# below `timezone`, at the top":
                text = re.sub(r"(\n  timezone: .*\n)", rf"\g<1>{lines}", text, count=1)
            elif note != "# secrets.yaml":
                text += block
        after.append(text)
    return after


def test_the_file_is_valid_after_every_step(folder: Path) -> None:
    """A reader who does what the page says never meets an error that the page did not promise."""
    file = folder / "my-school.yaml"
    assert len(STEPS) == 9
    for number, text in enumerate(written(), 1):
        file.write_text(text, encoding="utf-8")
        assert [str(problem) for problem in check(file, REGISTRY)] == [], f"step {number}"
    config = load_config(file, REGISTRY)
    assert set(config.cameras) == {"lobby", "science_wing"}
    assert set(config.doors) == {"main_entrance", "science_wing_door"}
    assert len(config.rules) == 5
    assert config.doors["main_entrance"].held_after == 45


def test_the_mistakes_it_shows_are_told_as_it_shows_them(folder: Path) -> None:
    """The two lines of output are those of the check, to the column."""
    file = folder / "my-school.yaml"
    text = written()[-1]
    text = text.replace("    place: lobby\n", "    place: changing_rooms\n", 1)
    text = text.replace("tell: [sro, front_office, it]", "tell: [sro, front_ofice, it]", 1)
    file.write_text(text, encoding="utf-8")
    said = [str(problem).replace(str(file), "my-school.yaml") for problem in check(file, REGISTRY)]
    (shown,) = re.findall(r"^```\n(my-school.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    assert said == shown.splitlines()


def test_the_file_may_be_split_as_it_says(folder: Path) -> None:
    """Doors in a file of their own and a folder of cameras say the same."""
    text = written()[-1]
    doors = text[text.index("\ndoors:\n") + 8 : text.index("\nschedules:")]
    cameras = text[text.index("\ncameras:\n") + 10 : text.index("\npeople:")]
    dedent = re.compile(r"^  ", re.MULTILINE)
    (folder / "doors.yaml").write_text(dedent.sub("", doors), encoding="utf-8")
    (folder / "cameras").mkdir()
    (folder / "cameras" / "all.yaml").write_text(dedent.sub("", cameras), encoding="utf-8")
    split = text.replace(f"doors:\n{doors}", "doors: !include doors.yaml")
    split = split.replace(f"cameras:\n{cameras}", "cameras: !include cameras/")
    (folder / "whole.yaml").write_text(text, encoding="utf-8")
    (folder / "split.yaml").write_text(split, encoding="utf-8")
    assert "!include" in split
    assert load_config(folder / "split.yaml", REGISTRY) == load_config(
        folder / "whole.yaml", REGISTRY
    )
