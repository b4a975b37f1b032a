"""Names lead somewhere, the drivers' own included; what follows from another fault is not said."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from hub import Block, Driver, ModelStore, Names
from hub.check import Examined, examine
from hub.plugins import Registry, load_registry

BUILT_IN = load_registry()


class Rack(Block):
    """A block within a vendor's block."""

    doors: tuple[Annotated[str, Names("door")], ...] = ()


class VendorConfig(Block):
    """A vendor's driver says which of its keys name something."""

    near: Annotated[str, Names("place")] | None = None
    watch: Mapping[str, Annotated[str, Names("camera")]] = Field(default_factory=dict)
    racks: tuple[Rack, ...] = ()
    drill: Annotated[str, Names("protocol")] = "hold"
    net: Annotated[str, Names("model")] = "auto"
    sound: Annotated[Path, Names("file")] | None = None


VENDOR = Registry(
    {
        "notifiers": {"vendor": Driver("vendor", object, VendorConfig, "")},
        "cameras": {"eye": Driver("eye", object, Block, "")},
        "access_control": {"panel": Driver("panel", object, Block, "")},
    },
    (),
)
CAMPUS = """\
places:
  hall: {name: Hall, kind: room}
cameras:
  lobby: {driver: eye, place: hall}
access_control:
  panel: {driver: panel}
doors:
  front: {name: Front, controller: panel, place: hall}
notifiers:
  one:
    driver: vendor
"""


def examined(folder: Path, text: str, registry: Registry = BUILT_IN) -> Examined:
    """What the check knows of a file with this text; models are installed below `folder`."""
    file = folder / "school.yaml"
    file.write_text(text, encoding="utf-8")
    return examine(str(file), registry, models=folder / "models")


def lines(found: Examined) -> list[str]:
    """The problems without their file."""
    return [str(each).removeprefix(f"{each.file}:") for each in found.problems]


@pytest.mark.parametrize(
    ("key", "column", "path", "says"),
    [
        ("near: hal", 11, "near", "'hal' names nothing; expected a place under `places:` (hall)"),
        ("watch: {a: loby}", 16, "watch.a", "'loby' names nothing; expected a camera"),
        ("racks: [{doors: [front, frnt]}]", 29, "racks[0].doors[1]", "expected a door under"),
        ("drill: lock_down", 12, "drill", "expected a protocol (hold, secure, lockdown"),
        ("net: yolox-nanno", 10, "net", "expected `auto`, a model or a file (auto, people, yolox"),
    ],
)
def test_a_vendors_keys_are_followed(
    tmp_path: Path, key: str, column: int, path: str, says: str
) -> None:
    """What a driver declares with `Names` is checked like the hub's own references."""
    (line,) = lines(examined(tmp_path, f"{CAMPUS}    {key}\n", VENDOR))
    assert line.startswith(f"12:{column}: notifiers.one.{path}: ")
    assert says in line
    assert "did you mean" in line


def test_sound_names_of_a_vendor_are_sound(tmp_path: Path) -> None:
    """Every kind of name that is there is accepted, and so is a value that is wrong otherwise."""
    (tmp_path / "gong.wav").write_text("")
    text = (
        f"{CAMPUS}    near: hall\n    watch: {{a: lobby}}\n    racks: [{{doors: [front]}}]\n"
        "    drill: lockdown\n    net: Light_Person\n    sound: gong.wav\n"
    )
    found = examined(tmp_path, text, VENDOR)
    assert found.problems == found.notes == []
    (line,) = lines(examined(tmp_path, f"{CAMPUS}    near: [hall]\n", VENDOR))
    assert "found a list; expected text" in line


def test_a_file_that_is_not_here_is_only_noted(tmp_path: Path) -> None:
    """It may be on the machine that the hub runs on; a block that is off needs none."""
    text = f"{CAMPUS}    sound: gong.wav\n"
    found = examined(tmp_path, text, VENDOR)
    assert found.problems == []
    (note,) = found.notes
    assert (note.line, note.column, note.path) == (12, 12, "notifiers.one.sound")
    assert note.message == "there is no file 'gong.wav' here; expected it where the hub runs"
    off = examined(tmp_path, f"{text}    enabled: no\n", VENDOR)
    assert off.problems == off.notes == []


@pytest.mark.parametrize(
    "model",
    ["auto", "people", "yolox-nano", "yolox_nano", "light-person", "own_net", "nets/own.onnx"],
)
def test_models_that_lead_somewhere(tmp_path: Path, model: str) -> None:
    """`auto`, the catalogue (installed or not), what is installed, and a file beside the file."""
    for file in ("models/own-net.onnx", "nets/own.onnx"):
        (tmp_path / file).parent.mkdir()
        (tmp_path / file).write_bytes(b"")
    assert ModelStore(tmp_path / "models").find("own-net") is not None
    found = examined(tmp_path, f"detectors:\n  d: {{driver: onnx, model: {model}}}\n")
    assert found.problems == found.notes == []


def test_a_model_that_nobody_knows(tmp_path: Path) -> None:
    """It is a problem where the installed models are known, and a note where they are not."""
    text = "detectors:\n  d: {driver: onnx, model: school-v2}\n"
    (line,) = lines(examined(tmp_path, text))
    assert line == (
        "2:28: detectors.d.model: 'school-v2' names nothing; expected `auto`, a model or a file "
        "(auto, people, yolox-nano, light-person) (`vestibule models list` shows what there is)"
    )
    blind = examine(str(tmp_path / "school.yaml"), BUILT_IN)
    assert blind.problems == []
    assert [each.path for each in blind.notes] == ["detectors.d.model"]


def test_a_model_file_that_is_not_here_is_only_noted(tmp_path: Path) -> None:
    """A path says nothing about the text; the detector says so itself when it starts."""
    found = examined(tmp_path, "detectors:\n  d: {driver: onnx, model: nets/own.onnx}\n")
    assert found.problems == []
    assert [each.path for each in found.notes] == ["detectors.d.model"]


def test_names_in_an_unread_section_are_not_called_wrong(tmp_path: Path) -> None:
    """One syntax error is one line, not one for every name that stands behind it."""
    text = (
        "places:\n  hall: {name: Hall, kind: room\n"
        "visitors:\n  desk: {driver: desk, place: hall, file: a.csv}\n"
        "notifiers: !include notifiers.yaml\n"
        "people:\n  anna: {name: Anna, role: sro, contact: {push: x}}\n"
        "rules:\n  r: {name: R, when: door.held, alert: {severity: note, through: [push, pull]}}\n"
    )
    (tmp_path / "notifiers.yaml").write_text("push: [\n")
    assert lines(examined(tmp_path, text)) == [
        "2:9: places.hall: the mapping is not closed; expected `,` or `}`",
        "1:7: notifiers.push: a value is missing; expected text, a list or a mapping",
    ]


def test_a_missing_secret_is_said_once(tmp_path: Path) -> None:
    """What cannot be resolved is neither missing nor of the wrong kind besides."""
    text = (
        "hub: {mqtt: {host: !env VESTIBULE_TEST_NOT_SET, port: !secret port}}\n"
        "places: {hall: {name: Hall, kind: room}}\n"
        "protocols:\n  secure:\n    doors:\n      - {verb: lock, place: !secret where}\n"
    )
    found = lines(examined(tmp_path, text))
    assert [line.partition(": ")[2].partition(":")[0] for line in found] == [
        "hub.mqtt.host",
        "hub.mqtt.port",
        "protocols.secure.doors[0].place",
    ]


def test_an_unknown_key_is_told_although_its_value_is_missing(tmp_path: Path) -> None:
    """Key and value are two faults of their own."""
    found = lines(examined(tmp_path, "hub: {nam: !secret name}\n"))
    assert [line.split(": ")[0] for line in found] == ["1:7", "1:12"]


def test_a_misspelt_driver_hides_nothing(tmp_path: Path) -> None:
    """The keys of its block are held against the driver that was probably meant."""
    text = (
        "places: {hall: {name: Hall, kind: room}}\n"
        "cameras:\n  gate: {driver: rtps, ulr: 'rtsp://192.0.2.1/1', place: hall, fps: 99}\n"
    )
    found = lines(examined(tmp_path, text))
    assert [line.split(": ")[1] for line in found] == [
        "cameras.gate.driver", "cameras.gate.ulr", "cameras.gate.fps",
    ]  # fmt: skip
    assert "did you mean url?" in found[1]


def test_a_driver_that_is_nothing_like_another_is_not_guessed(tmp_path: Path) -> None:
    """Where nobody can tell what was meant, its keys are left in peace."""
    text = "notifiers:\n  one: {driver: telephone, number: 112}\n"
    (line,) = lines(examined(tmp_path, text))
    assert "no plugin offers a driver 'telephone'" in line


@pytest.mark.parametrize(
    ("text", "path", "hint"),
    [
        ("hub: {host: x}", "hub.host", "it belongs under `mqtt:`"),
        ("hub: {mqtt: {host: x, timezone: UTC}}", "hub.mqtt.timezone", "beside `mqtt:`"),
        ("hub: {doors: {}}", "hub.doors", "one level further out, beside `hub:`"),
        (
            "rules: {r: {name: R, when: door.held, alert: {severity: note, label: a}}}",
            "rules.r.alert.label", "",
        ),
        (
            "rules: {r: {name: R, when: door.held, alert: {severity: note}, label: a}}",
            "rules.r.label", "it belongs under `if:`",
        ),
    ],
)  # fmt: skip
def test_a_key_on_the_wrong_level_is_sent_home(
    tmp_path: Path, text: str, path: str, hint: str
) -> None:
    """The commonest slip of indentation has its own cure."""
    problems = [each for each in examined(tmp_path, text + "\n").problems if each.path == path]
    (problem,) = problems
    assert problem.message.startswith("is not known here")
    assert hint in problem.hint


def test_the_same_lack_behind_an_anchor_is_told_once(tmp_path: Path) -> None:
    """A key that is missing in a shared mapping is missing there, but not in what merges it."""
    text = "places:\n  a: &a {name: A}\n  b: *a\n  c:\n    <<: *a\n    name: C\n"
    found = lines(examined(tmp_path, text))
    assert [line.split(": ")[:2] for line in found] == [
        ["2:3", "places.a.kind"],
        ["4:3", "places.c.kind"],
    ]


def test_doors_whose_controller_is_off(tmp_path: Path) -> None:
    """An action that nothing can carry out is a fault; a door that merely rests is none."""
    text = (
        "places: {hall: {name: Hall, kind: room}}\n"
        "access_control: {main: {driver: simulated, enabled: 'Off'}}\n"
        "doors: {a: {name: A, controller: main, place: hall, egress: free}}\n"
    )
    assert lines(examined(tmp_path, text)) == []
    text += "protocols: {secure: {doors: [{verb: lock, doors: [a]}]}}\n"
    (line,) = lines(examined(tmp_path, text))
    assert "its controller main is switched off" in line


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("rules: {r: {name: R, when: zone.entered, if: {label: persn}, alert: {severity: note}}}",
         "rules.r.if.label"),
        ("rules: {r: {name: R, when: zone.entered, if: {label: [car, Person]}, "
         "alert: {severity: note}}}", "rules.r.if.label[1]"),
        ("detectors: {d: {driver: onnx, labels: [person, bycicle]}}", "detectors.d.labels[1]"),
    ],
)  # fmt: skip
def test_a_misspelt_label_is_noted(tmp_path: Path, text: str, path: str) -> None:
    """A rule that waits for what nothing finds would be silent for ever; a note says so."""
    found = examined(tmp_path, text + "\n")
    assert found.problems == []
    (note,) = found.notes
    assert note.path == path
    assert "did you mean" in note.hint


def test_labels_of_ones_own_model_are_not_noted(tmp_path: Path) -> None:
    """What is unlike everything that is known was meant."""
    rule = "{name: R, when: zone.entered, if: {label: umbrella_stand_x}, alert: {severity: note}}"
    found = examined(tmp_path, f"rules: {{r: {rule}}}\n")
    assert found.problems == found.notes == []


def test_a_misspelt_role_is_one_mistake(tmp_path: Path) -> None:
    """Whoever tells that role meant the right one: only the person who has it wrong is named."""
    text = CAMPUS.replace("    driver: vendor\n", "    driver: console\n").replace(
        "  lobby: {driver: eye, place: hall}", "  lobby: {driver: file, path: a.mp4, place: hall}"
    )
    text = text.replace("driver: panel", "driver: simulated") + (
        "people:\n  desk: {name: Desk, role: front_ofice}\n"
        "rules:\n  forced:\n    name: Forced\n    when: door.forced\n"
        "    alert: {severity: high, tell: [front_office], through: [one]}\n"
    )
    (problem,) = examined(tmp_path, text).problems
    assert problem.path == "people.desk.role"
    assert "did you mean front_office?" in problem.hint
