"""The JSON Schema for editors: complete, explained, and of one mind with `check`."""

from __future__ import annotations

import copy
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_schema import faults
from pydantic import Field
from typer.testing import CliRunner

from hub import EVENT_TYPES, KINDS, Block, Driver, Duration
from hub.check import examine
from hub.cli import app
from hub.config import Config
from hub.identity.permissions import PERMISSIONS
from hub.plugins import Registry, load_registry
from hub.schema import DIALECT, schema
from hub.yamlfile import read_yaml

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE: dict[str, Any] = read_yaml(str(ROOT / "config.example.yaml")).values
REGISTRY = load_registry()
SCHEMA = schema(REGISTRY)
DRIVERS = [(kind, name) for kind in KINDS for name in REGISTRY.drivers(kind)]


def values(text: str, folder: Path) -> Any:
    """A file's plain values, as the hub reads them."""
    file = folder / "school.yaml"
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    return read_yaml(str(file)).values


def properties(node: Any) -> Iterator[tuple[str, Any]]:
    """Every property that the schema names, at any depth."""
    if isinstance(node, dict):
        for key, each in node.items():
            if key == "properties":
                yield from each.items()
            yield from properties(each)
    elif isinstance(node, list):
        for each in node:
            yield from properties(each)


def named(part: str) -> dict[str, Any]:
    """The properties of a part of the schema."""
    return SCHEMA["$defs"][part]["properties"]


def words_of(node: Any) -> list[Any]:
    """The words that an editor offers for a value."""
    return next((each["enum"] for each in node.get("anyOf", []) if "enum" in each), [])


def test_it_is_a_schema_of_the_whole_file() -> None:
    """Dialect, identity, title; each section of the models and no other."""
    assert SCHEMA["$schema"] == DIALECT
    assert SCHEMA["$id"]
    assert SCHEMA["title"] == "Vestibule"
    assert SCHEMA["additionalProperties"] is False
    assert list(SCHEMA["properties"]) == list(Config.model_fields)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


def test_the_example_school_is_accepted() -> None:
    """The file that newcomers copy has no mark in an editor."""
    assert faults(SCHEMA, EXAMPLE) == []


def test_every_property_is_explained() -> None:
    """No key is completed without a word about it, and no word is a link that leads nowhere."""
    told = [(name, each) for name, each in properties(SCHEMA) if "$ref" not in each]
    told = [(name, each) for name, each in told if "const" not in each]
    assert len(told) > 150
    for name, each in told:
        assert each.get("description"), name
        assert "](" not in each["description"], name


def test_every_driver_is_offered_with_its_summary() -> None:
    """`driver:` completes each driver of its kind, and says what it is."""
    for kind in KINDS:
        choices = named(kind)["driver"]["anyOf"][0]
        drivers = REGISTRY.drivers(kind)
        assert choices["enum"] == sorted(drivers)
        assert choices["enumDescriptions"] == [f"{drivers[n].summary}." for n in sorted(drivers)]


@pytest.mark.parametrize(("kind", "name"), DRIVERS)
def test_a_drivers_block_has_the_hubs_keys_and_its_own(kind: Any, name: str) -> None:
    """Once the driver is named, exactly its keys and the hub's are known."""
    driver = REGISTRY.driver(kind, name)
    own = {field.alias or key for key, field in driver.config.model_fields.items()}
    block = SCHEMA["$defs"][f"{kind}.{name}"]
    assert set(block["properties"]) == own | set(named(kind)) | set(driver.config.renamed)
    assert block["additionalProperties"] is False


def test_words_are_offered_with_their_meaning() -> None:
    """Event types, permissions, verbs, severities and labels complete."""
    when = named("rules")["when"]["anyOf"][0]["anyOf"][0]["anyOf"][0]
    assert when["enum"] == list(EVENT_TYPES)
    assert when["enumDescriptions"] == list(EVENT_TYPES.values())
    may = named("roles")["may"]["items"]["anyOf"][0]
    assert may["enum"] == list(PERMISSIONS)
    verb = named("rules.DoorAction")["verb"]["anyOf"][0]
    assert len(verb["enum"]) == len(verb["enumDescriptions"]) == 6
    assert words_of(named("rules.AlertSpec")["severity"]) == ["severe", "high", "check", "note"]
    assert "person" in words_of(named("rules.Condition")["label"]["anyOf"][0])
    assert "backpack" in words_of(named("detectors.onnx")["labels"]["items"])
    assert "America/Chicago" in words_of(SCHEMA["properties"]["hub"]["properties"]["timezone"])


def test_defaults_are_written_as_people_write_them() -> None:
    """A completed key comes with a default that `check` takes."""
    camera = named("cameras.simulated")
    assert (camera["offline_after"]["default"], camera["length"]["default"]) == ("10s", "1m")
    assert (camera["size"]["default"], camera["fps"]["default"]) == ("640x360", 5)
    assert named("schedules.Weekly")["from"]["default"] == "00:00"
    assert "default" not in camera["zones"]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("cammeras: {}", "$.cammeras"),
        ("cameras: {A-1: {driver: file, place: a, path: b}}", "$.cameras.A-1"),
        ("cameras: {a: {driver: file, place: a}}", "$.cameras.a: lacks path"),
        ("cameras: {a: {place: a}}", "$.cameras.a: lacks driver"),
        ("cameras: {a: {driver: rtps, place: a}}", "$.cameras.a.driver"),
        ("cameras: {a: {driver: file, place: a, path: b, url: c}}", "$.cameras.a.url"),
        ("cameras: {a: {driver: file, place: a, path: b, fps: 90}}", "$.cameras.a.fps"),
        ("cameras: {a: {driver: file, place: a, path: b, enabled: perhaps}}", "$.cameras.a.enab"),
        (
            "cameras: {a: {driver: file, place: a, path: b, offline_after: 5 min}}",
            "$.cameras.a.offline_after",
        ),
        (
            "cameras: {a: {driver: simulated, place: a, scene: yard, size: big}}",
            "$.cameras.a.size",
        ),
        (
            "cameras: {a: {driver: file, place: a, path: b, zones: [{place: a, polygon: [[0]]}]}}",
            "$.cameras.a.zones[0].polygon",
        ),
        ("doors: {a: {name: a, controller: b, place: c, device: {x: 1}}}", "$.doors.a.device.x"),
        (
            "doors: {a: {name: a, controller: b, place: c, device: {command_topic: x}}}",
            "$.doors.a.device: lacks state_topic",
        ),
        (
            "doors: {a: {name: a, controller: b, place: c, device: {behaviour: fast}}}",
            "$.doors.a.device.behaviour",
        ),
        ("rules: {a: {name: a, when: zone.entred, alert: {severity: high}}}", "$.rules.a.when"),
        ("rules: {a: {name: a, when: plugin., alert: {severity: high}}}", "$.rules.a.when"),
        ("rules: {a: {name: a, when: hub.started, alert: {severity: bad}}}", "$.rules.a.alert.sev"),
        (
            "rules: {a: {name: a, when: hub.started, alert: {severity: high}, verified: [{}]}}",
            "$.rules.a.verified[0]",
        ),
        ("protocols: {evacuation: {}}", "$.protocols.evacuation"),
        ("roles: {a: {may: [fly]}}", "$.roles.a.may[0]"),
        ("schedules: {a: {weekly: [{from: 7.30}]}}", "$.schedules.a.weekly[0].from"),
        ("schedules: {a: {closed: [{from: 1.2.2026, to: 2026-03-01}]}}", "$.schedules.a.closed[0]"),
        ("people: {a: {name: 5, role: b}}", "$.people.a.name"),
        ("hub: {mqtt: {host: a, port: 70000}}", "$.hub.mqtt"),
        ("places: [a]", "$.places"),
    ],
)
def test_a_mistake_is_seen_where_check_sees_one(text: str, where: str, tmp_path: Path) -> None:
    """Unknown keys and names, missing keys, wrong values: refused by both, at the same key."""
    found = faults(SCHEMA, values(text, tmp_path))
    assert any(fault.startswith(where) for fault in found), found
    assert examine(tmp_path / "school.yaml", REGISTRY).problems


@pytest.mark.parametrize(
    "text",
    [
        "cameras: {a: {driver: rtsp, place: b, url: !env CAMERA, fps: !env FPS}}",
        "cameras: {a: {driver: rtsp, place: b, url: c, enabled: !env ON, offline_after: !env W}}",
        "cameras: {a: !include a.yaml}",
        "cameras: !include cameras/",
        "cameras: {a: {driver: file, place: b, path: c, zones: !include zones.yaml}}",
        "notifiers: {a: {driver: webhook, url: !secret hook, secret: !secret key}}",
        "notifiers: {a: {driver: email, host: a, sender: !secret sender, port: !env PORT}}",
        "rules: {a: {name: b, when: !env WHEN, alert: {severity: !env HOW_GRAVE}}}",
        "hub: {timezone: !env TZ, mqtt: !include broker.yaml}",
    ],
)
def test_a_value_from_elsewhere_is_not_flagged(text: str) -> None:
    """Behind `!secret`, `!env` and `!include` an editor sees only a name."""
    import yaml

    class Editor(yaml.SafeLoader):
        """Takes a tagged value for its text, as the language server does."""

    Editor.add_multi_constructor("!", lambda loader, tag, node: node.value)
    assert faults(SCHEMA, yaml.load(text, Editor)) == []


def test_a_key_of_an_earlier_version_is_marked_and_not_refused(tmp_path: Path) -> None:
    """Old keys still work, so an editor strikes them out and says the new name."""
    old = named("notifiers.simulated_siren")["sound_for_s"]
    assert old["deprecated"] is True
    assert old["deprecationMessage"] == "`sound_for_s` is called `sound_for` now."
    text = "notifiers: {a: {driver: simulated_siren, sound_for_s: 3}}"
    assert faults(SCHEMA, values(text, tmp_path)) == []
    assert not examine(tmp_path / "school.yaml", REGISTRY).problems


def paths(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in plain values."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    for key, each in pairs:
        yield (*path, key)
        if isinstance(each, dict | list):
            yield from paths(each, (*path, key))


PATHS = list(paths(EXAMPLE))
OTHERS = st.sampled_from(
    [
        [], {}, 7, 0.5, -1, True, False, None, "Some text!", "30s", "x.yaml", "abc", "720p",
        "07:30", "07:30:15", "5", "0.5", "true", "no", "1", "2026-03-02",
    ]
)  # fmt: skip


def changed(path: tuple[Any, ...], how: str, other: Any) -> dict[str, Any]:
    """The example with one place dropped, renamed or given another value."""
    values = copy.deepcopy(EXAMPLE)
    holder: Any = values
    for key in path[:-1]:
        holder = holder[key]
    if how == "drop":
        del holder[path[-1]]
    elif how == "rename" and isinstance(holder, dict):
        holder[f"zz_{path[-1]}"] = holder.pop(path[-1])
    else:
        holder[path[-1]] = other
    return values


def agree(folder: Path, path: tuple[Any, ...], how: str, other: Any) -> None:
    """Whatever `check` finds valid the schema accepts."""
    mutant = changed(path, how, other)
    file = folder / "school.yaml"
    file.write_text(json.dumps(mutant), encoding="utf-8")
    if not examine(file, REGISTRY).problems:
        assert faults(SCHEMA, mutant) == []


CHANGES = (st.sampled_from(PATHS), st.sampled_from(["drop", "rename", "swap", "swap"]), OTHERS)
ONE_FOLDER = [HealthCheck.function_scoped_fixture]


@settings(max_examples=150, deadline=None, suppress_health_check=ONE_FOLDER)
@given(*CHANGES)
def test_the_schema_never_refuses_what_check_accepts(
    tmp_path: Path, path: tuple[Any, ...], how: str, other: Any
) -> None:
    """A change of the example that is still valid has no mark in an editor."""
    agree(tmp_path, path, how, other)


@pytest.mark.slow
@settings(max_examples=5000, deadline=None, suppress_health_check=ONE_FOLDER)
@given(*CHANGES)
def test_the_schema_never_refuses_what_check_accepts_at_length(
    tmp_path: Path, path: tuple[Any, ...], how: str, other: Any
) -> None:
    """The same, thousands of times."""
    agree(tmp_path, path, how, other)


def test_an_unknown_key_is_refused_in_every_block() -> None:
    """Wherever the keys are ours, another one is seen by the schema too."""
    blocks = []
    for path in [(), *PATHS]:
        values = copy.deepcopy(EXAMPLE)
        block: Any = values
        for key in path:
            block = block[key]
        ours = len(path) != 1 or path == ("hub",)  # below a section the names are the school's
        if isinstance(block, dict) and ours and path[-1:] not in (("hazards",), ("contact",)):
            block["zz"] = 1
            assert faults(SCHEMA, values), path
            blocks.append(path)
    assert len(blocks) > 80


class OddConfig(Block):
    """What a vendor may write: no descriptions, names that JSON Schema uses itself, an old key."""

    renamed = {"old": "type"}  # noqa: RUF012

    type: Literal["a", "b"]
    properties: int = 3
    wait: Annotated[Duration, Field(gt=0)] = 60.0
    pattern: Annotated[str, Field(examples=["x", "y"])] = ""


class Opaque:
    """A type that JSON Schema cannot describe."""


class OpaqueConfig(Block):
    model_config = {"arbitrary_types_allowed": True}  # noqa: RUF012

    thing: Opaque | None = None


VENDORS = Registry(
    {
        "cameras": {
            "odd": Driver("odd", Opaque, OddConfig, "Odd"),
            "opaque": Driver("opaque", Opaque, OpaqueConfig, "Opaque"),
        },
        "detectors": {}, "access_control": {}, "notifiers": {}, "visitors": {},
    },
    (),
)  # fmt: skip


def test_vendors_drivers_are_in_it() -> None:
    """A model without descriptions works, even with keys that are called like schema words."""
    made = schema(VENDORS)

    def said(**keys: Any) -> list[str]:
        return faults(made, {"cameras": {"a": {"driver": "odd", "place": "p", **keys}}})

    assert said(type="a", properties=4, pattern="z", wait="2m") == []
    assert said(old="b") == []
    assert said(type="c") == ["$.cameras.a.type: none of the choices"]
    assert said(type="a", other=1) == ["$.cameras.a.other: nothing may stand here"]
    assert said(properties=1) == ["$.cameras.a: none of the choices"]
    assert "description" not in made["$defs"]["cameras.odd"]["properties"]["wait"]


def test_what_cannot_be_described_is_left_open() -> None:
    """A vendor's type that has no schema hides no other driver."""
    made = schema(VENDORS)
    assert "cameras.odd" in made["$defs"]
    block = {"driver": "opaque", "place": "p", "thing": 5}
    assert faults(made, {"cameras": {"a": block}}) == []


def test_a_hub_without_drivers_has_a_schema() -> None:
    """No driver at all still leaves the hub's own keys."""
    made = schema(Registry({kind: {} for kind in KINDS}, ()))
    assert faults(made, {"places": {"a": {"name": "A", "kind": "room"}}}) == []
    assert faults(made, {"places": {"a": {"name": "A"}}}) == ["$.places.a: lacks kind"]


PLUGIN = """\
from hub import Block, Channel, Driver, hookimpl

class LampConfig(Block):
    colour: str = "amber"

class Lamp:
    channel = Channel(path="local")
    def __init__(self, config, context): ...

@hookimpl
def vestibule_notifiers():
    return [Driver("lamp", Lamp, LampConfig, "Shines")]
"""


def lamps(folder: Path) -> None:
    folder.mkdir()
    (folder / "lamp.py").write_text(PLUGIN, encoding="utf-8")


def test_the_verb_prints_the_schema() -> None:
    """Standard output holds the schema and nothing else; `--help` says how to use it."""
    done = CliRunner().invoke(app, ["schema"])
    assert (done.exit_code, json.loads(done.stdout)) == (0, SCHEMA)
    told = CliRunner().invoke(app, ["schema", "--help"])
    assert "# yaml-language-server: $schema=vestibule.schema.json" in told.stdout


@pytest.mark.parametrize("way", ["config", "folder"])
def test_the_verb_takes_drivers_of_ones_own(tmp_path: Path, way: str) -> None:
    """`--config` looks into that file's plugins_dir, `--plugins-dir` into the folder."""
    lamps(tmp_path / "ours")
    config, output = tmp_path / "school.yaml", tmp_path / "vestibule.schema.json"
    config.write_text("hub: {plugins_dir: ours}\ncameras: 5\n", encoding="utf-8")
    options = {
        "config": ["--config", str(config)],
        "folder": ["--plugins-dir", str(tmp_path / "ours")],
    }[way]
    done = CliRunner().invoke(app, ["schema", *options, "--output", str(output)])
    assert (done.exit_code, done.stdout) == (0, "")
    made = json.loads(output.read_text(encoding="utf-8"))
    assert "colour" in made["$defs"]["notifiers.lamp"]["properties"]


def test_a_broken_plugin_is_named_and_left_out(tmp_path: Path) -> None:
    """The schema is written all the same, and standard error says what is not in it."""
    lamps(tmp_path / "ours")
    (tmp_path / "ours" / "broken.py").write_text("import nothing_like_it\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["schema", "--plugins-dir", str(tmp_path / "ours")])
    assert done.exit_code == 0
    assert "/broken.py) is broken: ModuleNotFoundError" in done.stderr
    assert "notifiers.lamp" in json.loads(done.stdout)["$defs"]


def test_what_cannot_be_read_or_written_is_said(tmp_path: Path) -> None:
    """A missing file or folder ends with status 2 and one line."""
    missing = CliRunner().invoke(app, ["schema", "--config", str(tmp_path / "no.yaml")])
    assert missing.exit_code == 2
    assert "no.yaml" in missing.stderr
    nowhere = CliRunner().invoke(app, ["schema", "--output", str(tmp_path / "no" / "file.json")])
    assert nowhere.exit_code == 2
    assert "cannot write" in nowhere.stderr
