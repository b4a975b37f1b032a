"""`check` names a broken message template by file, line and column, and a useless language."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.check import examine
from hub.plugins import load_registry

BUILT_IN = load_registry()
SCHOOL = """\
hub:
  {hub}
notifiers:
  log: {{driver: logbook}}
people:
  officer: {{name: Officer, role: sro, contact: {{log: x}}, {person}}}
"""


def looked_at(folder: Path, hub: str = "name: S", person: str = "") -> tuple[list[str], list[str]]:
    """The problems and the notes of a school."""
    file = folder / "school.yaml"
    file.write_text(SCHOOL.format(hub=hub, person=person or "wake_for: high"), encoding="utf-8")
    found = examine(str(file), BUILT_IN)
    return [str(each) for each in found.problems], [str(each) for each in found.notes]


def test_a_broken_template_is_a_note_with_its_place(tmp_path: Path) -> None:
    """The hub would run and send the built-in text, so the file stays valid."""
    template = tmp_path / "texts" / "es" / "alert.txt"
    template.parent.mkdir(parents=True)
    template.write_text("{{ title }}\n{% for i in range(9) %}{% endfor %}\n")
    problems, notes = looked_at(tmp_path, "templates: texts", "language: es")
    assert problems == []
    (note,) = notes
    assert note.startswith(f"{tmp_path}/school.yaml:2:14: hub.templates: {template}:2:1: ")
    assert "expected a loop such as `for each in why`" in note
    template.write_text("{{ title }}\n{{ when }}\n")
    assert looked_at(tmp_path, "templates: texts", "language: es") == ([], [])


def test_a_folder_that_is_not_there_is_a_note(tmp_path: Path) -> None:
    """`check` may run on another machine than the hub."""
    problems, notes = looked_at(tmp_path, "templates: gone")
    assert problems == []
    assert "is not there; the built-in texts are sent instead" in notes[0]


@pytest.mark.parametrize(
    ("hub", "person", "path"),
    [("name: S", "language: fr", "people.officer.language"), ("language: eo", "", "hub.language")],
)
def test_a_language_that_nobody_has_texts_in_is_wrong(
    tmp_path: Path, hub: str, person: str, path: str
) -> None:
    """What is built in is named; with a folder of one's own it is but a note."""
    problems, _ = looked_at(tmp_path, hub, person)
    (problem,) = problems
    assert f"{path}: there are no texts in" in problem
    assert "expected one of en, es" in problem
    if not hub.startswith("language"):
        (tmp_path / "texts").mkdir()
        problems, notes = looked_at(tmp_path, "templates: texts", person)
        assert (problems, len(notes)) == ([], 1)


@pytest.mark.parametrize(
    ("person", "path"),
    [
        ("quiet: nights", "people.officer.quiet"),
        ("prefer: [log, push]", "people.officer"),
        ("prefer: [push], ", "people.officer"),
    ],
)
def test_names_of_quiet_hours_and_preferences_are_followed(
    tmp_path: Path, person: str, path: str
) -> None:
    """A schedule or notifier that is not there is named."""
    problems, _ = looked_at(tmp_path, person=person)
    assert any(path in each for each in problems), problems
