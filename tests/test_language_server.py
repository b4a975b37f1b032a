"""The schema in a real editor's engine: the YAML language server completes, explains and marks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from yaml_editor import Editor

from hub import EVENT_TYPES, SEVERITIES, VERBS
from hub.config import Config
from hub.plugins import load_registry
from hub.schema import schema

pytestmark = pytest.mark.language_server

ROOT = Path(__file__).resolve().parent.parent
FIRST = "# yaml-language-server: $schema=vestibule.schema.json\n"
CAMERA = FIRST + "cameras:\n  a:\n    driver: rtsp\n    "
RULE = FIRST + "rules:\n  a:\n    "


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    """One server in a folder with the schema, as `vestibule schema --output` writes it."""
    folder = tmp_path_factory.mktemp("school")
    text = json.dumps(schema(load_registry()))
    (folder / "vestibule.schema.json").write_text(text, encoding="utf-8")
    with Editor(folder) as editor:
        yield editor


def marks(editor: Editor, text: str) -> list[tuple[int, int, str]]:
    """Line and column of each mark below the first line, and what it says."""
    found = [(each["range"]["start"], each["message"]) for each in editor.diagnose(FIRST + text)]
    return sorted((start["line"], start["character"] + 1, said) for start, said in found)


def offered(editor: Editor, text: str) -> list[str]:
    """What is offered at `¦`, without the tags, which fit everywhere."""
    return [label for label in editor.complete(text) if not label.startswith("!")]


def test_the_example_school_has_no_mark(editor: Editor) -> None:
    """The file that newcomers copy is clean."""
    example = (ROOT / "config.example.yaml").read_text(encoding="utf-8")
    assert marks(editor, example) == []


def test_sections_are_completed(editor: Editor) -> None:
    """At the start of a line every section is offered, with what it is for."""
    found = editor.complete(FIRST + "¦\n")
    assert set(Config.model_fields) <= set(found)
    assert "Front desks" in str(found["visitors"]["documentation"])


def test_keys_are_completed_with_those_of_the_driver(editor: Editor) -> None:
    """After `driver: rtsp` its keys are offered beside the hub's, and no other driver's."""
    found = editor.complete(CAMERA + "¦\n")
    assert {"place", "zones", "offline_after", "url", "transport"} <= set(found)
    assert not {"path", "scene", "driver"} & set(found)
    assert found["offline_after"]["insertText"] == "offline_after: ${1:10s}"
    assert "The address of the stream" in str(found["url"]["documentation"])


def test_drivers_are_completed(editor: Editor) -> None:
    """`driver:` offers those of the kind, each with its summary."""
    found = editor.complete(FIRST + "cameras:\n  a:\n    driver: ¦\n")
    assert {"file", "rtsp", "simulated"} <= set(found)
    assert "over TCP or UDP" in str(found["rtsp"]["documentation"])


def test_the_device_of_a_door_is_completed(editor: Editor) -> None:
    """Keys of every access controller's devices are offered, with their explanation."""
    found = editor.complete(FIRST + "doors:\n  a:\n    device:\n      ¦\n")
    assert {"behaviour", "command_topic"} <= set(found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (RULE + "alert:\n      severity: ¦\n", SEVERITIES),
        (RULE + "verified:\n      - door:\n          verb: ¦\n", VERBS),
        (RULE + "when: ¦\n", tuple(EVENT_TYPES)),
        (RULE + "if:\n      label: ¦\n", ("person", "dog")),
        (FIRST + "roles:\n  a:\n    may:\n      - ¦\n", ("see.doors", "give.verdict")),
        (FIRST + "protocols:\n  ¦\n", ("hold", "secure", "lockdown", "evacuate", "shelter")),
        (CAMERA + "enabled: ¦\n", ("true", "false")),
        (CAMERA + "transport: ¦\n", ("tcp", "udp")),
        (FIRST + "hub:\n  timezone: ¦\n", ("Europe/Berlin",)),
    ],
    ids=["severity", "verb", "event", "label", "permission", "protocol", "flag", "own", "zone"],
)
def test_values_are_completed(editor: Editor, text: str, words: tuple[str, ...]) -> None:
    """Where only some words fit, they are offered."""
    assert set(words) <= set(offered(editor, text))


def test_a_word_is_offered_with_its_meaning(editor: Editor) -> None:
    """Event types and verbs say what they stand for."""
    verbs = editor.complete(RULE + "verified:\n      - door:\n          verb: ¦\n")
    assert "One passage, then as before." in str(verbs["momentary"]["documentation"])
    events = editor.complete(RULE + "when: ¦\n")
    assert EVENT_TYPES["door.held"] in str(events["door.held"]["documentation"])


def test_nothing_is_offered_that_nobody_wants(editor: Editor) -> None:
    """Neither `null` nor other spellings of true and false are put forward."""
    assert offered(editor, CAMERA + "detector: ¦\n") == []
    assert set(offered(editor, CAMERA + "important: ¦\n")) == {"true", "false"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (CAMERA + "ur¦l: rtsp://192.0.2.7/\n", "The address of the stream, best the camera's"),
        (CAMERA + "offline_¦after: 10s\n", "How long there may be no picture"),
        (FIRST + "came¦ras:\n  a: {driver: rtsp}\n", "What the hub looks at."),
        (FIRST + "hub:\n  m¦qtt: {host: a}\n", "Your own MQTT broker."),
        (FIRST + "hub:\n  mqtt:\n    po¦rt: 1\n", "Its port."),
        (RULE + "when: door.h¦eld\n", EVENT_TYPES["door.held"]),
        (FIRST + "doors:\n  a:\n    device:\n      beha¦viour: slow\n", "How it takes commands"),
    ],
)
def test_a_key_is_explained(editor: Editor, text: str, words: str) -> None:
    """Resting on a key shows what it means."""
    assert words in editor.hover(text)


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("cammeras: {}\n", (1, 1, "Property cammeras is not allowed.")),
        (
            "cameras:\n  a: {driver: rtsp, place: b, url: c, path: d}\n",
            (2, 39, "Property path is not allowed."),
        ),
        ("cameras:\n  a: {driver: rtsp, place: b}\n", (2, 3, 'Missing property "url".')),
        ("cameras:\n  a: {place: b}\n", (2, 3, 'Missing property "driver".')),
        (
            "cameras:\n  a: {driver: rtps, place: b}\n",
            (2, 15, 'Value is not accepted. Valid values: "file", "rtsp", "simulated".'),
        ),
        (
            "cameras:\n  a: {driver: file, place: b, path: c, offline_after: soon}\n",
            (2, 55, "expected a length of time such as 30s or 5m"),
        ),
        (
            "cameras:\n  a: {driver: file, place: b, path: c, fps: 90}\n",
            (2, 45, "Value is above the maximum of 60."),
        ),
        (
            "rules:\n  a: {name: b, when: hub.started, alert: {severity: bad}}\n",
            (2, 53, 'Value is not accepted. Valid values: "severe", "high", "check", "note".'),
        ),
        (
            "doors:\n  a: {name: b, controller: c, place: d, device: {behavior: slow}}\n",
            (2, 50, "Property behavior is not allowed."),
        ),
        (
            "places:\n  A-1: {name: b, kind: room}\n",
            (2, 3, "expected a name of lower-case letters, digits and _, starting with a letter"),
        ),
        (
            "notifiers:\n  a: {driver: simulated_siren, sound_for_s: 3}\n",
            (2, 32, "`sound_for_s` is called `sound_for` now."),
        ),
    ],
)
def test_a_mistake_is_marked(editor: Editor, text: str, mark: tuple[int, int, str]) -> None:
    """A wrong key, a wrong value, what is missing or out of date: once, at its place."""
    assert marks(editor, text) == [mark]


def test_tags_are_not_marked(editor: Editor) -> None:
    """With the setting that the documentation names, values from elsewhere are left in peace."""
    text = """\
cameras:
  a: {driver: rtsp, place: b, url: !secret url, fps: !env FPS, enabled: !env ON}
  b: !include stairs.yaml
  c: {driver: file, place: b, path: c, offline_after: !env WAIT, zones: !include zones.yaml}
  <<: !include more/cameras.yaml
  d:
    <<: !include base.yaml
    driver: file
    place: b
    path: c
doors: !include doors/
notifiers:
  d: {driver: webhook, url: !secret hook, secret: !secret key}
"""
    assert marks(editor, text) == []


def test_anchors_and_merges_are_understood(editor: Editor) -> None:
    """A block that takes its keys from another is complete."""
    text = """\
cameras:
  a: &same {driver: file, place: b, path: c}
  d: {<<: *same, path: e}
  f: *same
"""
    assert marks(editor, text) == []


def test_without_the_setting_tags_are_unresolved(tmp_path: Path) -> None:
    """The setting is needed: this is what the documentation spares people."""
    (tmp_path / "vestibule.schema.json").write_text("{}", encoding="utf-8")
    with Editor(tmp_path, tags=[]) as editor:
        assert any("Unresolved tag" in said for *_, said in marks(editor, "a: !secret b\n"))


def test_the_documentation_names_the_settings_that_were_tried() -> None:
    """The page says the tags and the first line with which all of this was seen to work."""
    from yaml_editor import TAGS

    page = (ROOT / "docs" / "reference" / "config.md").read_text(encoding="utf-8")
    assert json.dumps({"yaml.customTags": TAGS}) in page
    assert FIRST in page
