"""Keys of earlier versions still work; `check` names each one where it stands."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Annotated, ClassVar

import pytest
from pydantic import Field

from hub import Block, Channel, Driver, Duration
from hub.check import Examined, examine
from hub.plugins import Registry
from hub.renames import Renames, has_renames


class Lens(Block):
    """A block within a driver's block."""

    renamed: ClassVar = MappingProxyType({"zoom_factor": "zoom"})
    zoom: Annotated[int, Field(ge=1, le=30)] = 1


class GongConfig(Block):
    """A driver's block with two keys that were called otherwise."""

    renamed: ClassVar = MappingProxyType({"ring_s": "ring", "lens": "lenses"})
    ring: Annotated[Duration, Field(gt=0, le=60)] = 3.0
    lenses: tuple[Lens, ...] = ()
    main: Lens | None = None


class LockDevice(Block):
    """What a door says about itself."""

    renamed: ClassVar = MappingProxyType({"passage_s": "passage"})
    passage: Duration = 5.0


class Gong:
    """Never built: the check builds nothing."""

    channel = Channel(path="local")


REGISTRY = Registry(
    {
        "notifiers": {"gong": Driver("gong", Gong, GongConfig, "for a test")},
        "access_control": {"panel": Driver("panel", Gong, Block, "", device=LockDevice)},
    },
    (),
)


def examined(folder: Path, text: str) -> Examined:
    """What the check knows of a file with this text."""
    file = folder / "school.yaml"
    file.write_text(text, encoding="utf-8")
    return examine(str(file), REGISTRY)


def test_an_old_key_works_and_is_noted(tmp_path: Path) -> None:
    """The value arrives under today's name; the note stands at the old key and stops nothing."""
    found = examined(tmp_path, "notifiers:\n  one: {driver: gong, ring_s: 7}\n")
    assert found.problems == []
    assert found.config is not None
    assert found.config.notifiers["one"].settings.ring == 7
    (note,) = found.notes
    assert (note.line, note.column, note.path) == (2, 23, "notifiers.one.ring_s")
    assert note.message == "`ring_s` is called `ring` now; expected the new name"
    assert note.hint == f"`vestibule config migrate {tmp_path / 'school.yaml'}` rewrites it"
    assert note.doc == "docs/reference/config.md#notifiers"


def test_a_fault_under_an_old_key_is_named_as_it_is_written(tmp_path: Path) -> None:
    """Line, column and path are those of the file, also below a key that was renamed."""
    text = (
        "notifiers:\n  one:\n    driver: gong\n    ring_s: 90\n    lens:\n"
        "      - zoom_factor: 50\n      - {zoom: 2, zom: 3}\n    main: {zoom_factor: wide}\n"
    )
    found = examined(tmp_path, text)
    assert [(each.line, each.column, each.path) for each in found.problems] == [
        (4, 13, "notifiers.one.ring_s"),
        (6, 22, "notifiers.one.lens[0].zoom_factor"),
        (7, 19, "notifiers.one.lens[1].zom"),
        (8, 25, "notifiers.one.main.zoom_factor"),
    ]
    assert [each.path for each in found.notes] == [
        "notifiers.one.ring_s",
        "notifiers.one.lens",
        "notifiers.one.lens[0].zoom_factor",
        "notifiers.one.main.zoom_factor",
    ]


def test_both_names_at_once_are_a_problem(tmp_path: Path) -> None:
    """Nobody can say which of the two was meant."""
    text = "notifiers:\n  one: {driver: gong, ring: 3s, ring_s: 4}\n"
    (problem,) = examined(tmp_path, text).problems
    assert (problem.line, problem.column, problem.path) == (2, 33, "notifiers.one.ring_s")
    assert "both are here; expected `ring` alone" in problem.message


def test_an_old_key_of_a_doors_device_works(tmp_path: Path) -> None:
    """What a controller's driver wants to know of a door may have been renamed too."""
    text = (
        "places: {hall: {name: Hall, kind: room}}\naccess_control: {main: {driver: panel}}\n"
        "doors:\n  a: {name: A, controller: main, place: hall, device: {passage_s: 9}}\n"
    )
    found = examined(tmp_path, text)
    assert found.problems == []
    assert found.config is not None
    assert found.config.doors["a"].device == LockDevice(passage=9)
    assert [each.path for each in found.notes] == ["doors.a.device.passage_s"]


def test_a_secret_under_an_old_key_stays_hidden(tmp_path: Path) -> None:
    """That a value moved to another name makes it no less secret."""
    (tmp_path / "secrets.yaml").write_text("ring: canary-77\n")
    text = "notifiers:\n  one: {driver: gong, ring_s: !secret ring}\n"
    (problem,) = examined(tmp_path, text).problems
    assert "hidden value" in problem.message
    assert "canary" not in str(problem)


def test_an_anchor_under_an_old_key_is_noted_once(tmp_path: Path) -> None:
    """One token in the text is one note, however many blocks use it."""
    text = (
        "notifiers:\n  one: &gong {driver: gong, ring_s: 7}\n  two: *gong\n"
        "  three:\n    <<: *gong\n    enabled: false\n"
    )
    found = examined(tmp_path, text)
    assert found.problems == []
    assert [(each.line, each.column) for each in found.notes] == [(2, 29)]


def test_the_way_back_from_todays_names() -> None:
    """Paths are translated piece by piece, both ways."""
    renames = Renames()
    raw = {"ring_s": 1, "lens": [{"zoom_factor": 2}]}
    path = ("notifiers", "one")
    assert renames.applied(GongConfig, raw, path) == {"ring": 1, "lenses": [{"zoom": 2}]}
    today = (*path, "lenses", 0, "zoom")
    written = (*path, "lens", 0, "zoom_factor")
    assert renames.as_written(today) == written
    assert renames.as_of_today(written) == today


@pytest.mark.parametrize(("model", "some"), [(GongConfig, True), (Lens, True), (Block, False)])
def test_most_models_are_passed_by(model: type[Block], some: bool) -> None:
    """Whether anything in a model was renamed is known beforehand."""
    assert has_renames(model) is some
