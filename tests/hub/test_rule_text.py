"""The text of one rule: cut out of its file as it stands, and made a draft of."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from hub.check import examine
from hub.rule_text import draft, rule_text
from hub.yamlfile import read_yaml

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"
TEXT = """\
rules:
  # what comes before
  one:
    name: One   # why it is called so
    when: door.forced

  # of the next
  two: {name: Two, when: door.held, lasting: 2m}
  three: &three
    name: Three
    when: door.held
  four: *three
places: {}
"""


def read(tmp_path: Path, text: str = TEXT) -> Path:
    """A file with that text."""
    file = tmp_path / "school.yaml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("rule", "line", "text"),
    [
        ("one", 3, "one:\n  name: One   # why it is called so\n  when: door.forced\n"),
        ("two", 8, "two: {name: Two, when: door.held, lasting: 2m}\n"),
        ("three", 9, "three: &three\n  name: Three\n  when: door.held\n"),
    ],
)
def test_a_rule_is_cut_out_as_it_stands(tmp_path: Path, rule: str, line: int, text: str) -> None:
    """With the comments in it, without those of its neighbours, and where that is."""
    document = read_yaml(read(tmp_path))
    found = rule_text(document, rule, document.values["rules"][rule])
    assert (found.text, found.file, found.line) == (text, "school.yaml", line)


def test_what_has_no_text_of_its_own_is_made_from_its_values(tmp_path: Path) -> None:
    """An alias stands for another's text; a rule that the file does not know has its values."""
    document = read_yaml(read(tmp_path))
    values = {"name": "Three", "when": "door.held"}
    assert rule_text(document, "four", values).text == "four:\n  name: Three\n  when: door.held\n"
    assert rule_text(document, "none", values).file == ""


def test_every_rule_of_the_example_is_cut_out_whole() -> None:
    """What is cut out says what the file says."""
    document = read_yaml(EXAMPLE)
    for rule, values in document.values["rules"].items():
        found = rule_text(document, rule, values)
        assert yaml.safe_load(found.text) == {rule: values}
        assert found.line > 0


@pytest.mark.parametrize("text", ["one:\n  name: X\n", "\r\n  one:\r\n    name: X\r\n\r\n"])
def test_a_draft_holds_that_rule_alone(text: str) -> None:
    """However it is indented, and whatever ends its lines."""
    assert yaml.safe_load(draft(text)) == {"rules": {"one": {"name": "X"}}}


def test_one_rule_of_a_draft_stands_in_and_the_others_stay(tmp_path: Path) -> None:
    """Its mistakes are told where they stand in the draft, those of others where they stand."""
    file = tmp_path / "draft.yaml"
    text = "forced_door:\n  name: Mine\n  when: door.forced\n  alert: {severity: note}\n"
    file.write_text(draft(text), encoding="utf-8")
    found = examine(EXAMPLE, spare=True, draft=file, draft_rule="forced_door")
    assert found.config is not None, found.problems
    assert found.config.rules["forced_door"].name == "Mine"
    assert found.config.rules["door_held"].name == "Door held open"
    assert list(found.config.rules) == list(read_yaml(EXAMPLE).values["rules"])
    file.write_text(draft(text.replace("door.forced", "door.farced")), encoding="utf-8")
    found = examine(EXAMPLE, spare=True, draft=file, draft_rule="forced_door")
    assert [(each.file, each.line, each.column) for each in found.problems] == [(str(file), 4, 11)]
