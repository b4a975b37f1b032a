"""What differs between two configurations, in words, and which instances that concerns."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.changes import Change, Steps, changes, edited_plugins, steps
from hub.check import Examined, examine
from hub.config import Config
from hub.plugins import load_registry
from hub.yamlfile import read_yaml

REGISTRY = load_registry()
BACK = "{name: B, controller: panel, place: hall}"
PANELS = "access_control/panel access_control/other"

SCHOOL = """\
hub: {name: Tiny, timezone: Europe/Berlin}
places:
  site: {name: School, kind: site}
  hall: {name: Hall, kind: room, in: site}
cameras:
  hall: {driver: simulated, scene: entrance, place: hall, fps: 5}
access_control:
  panel: {driver: simulated}
  other: {driver: simulated}
doors:
  front: {name: Front, controller: panel, place: hall, egress: free, device: {behaviour: prompt}}
notifiers:
  console: {driver: console}
  hook: {driver: webhook, url: "http://127.0.0.1:9/x", secret: !secret hook}
visitors:
  desk: {driver: desk, file: visitors.csv}
people:
  guard: {name: Guard, role: sro}
rules:
  forced:
    name: Forced
    when: door.forced
    alert: {severity: high, tell: [guard], through: [console]}
"""


def compared(folder: Path, before: str, after: str, secrets: str = "") -> list[Change]:
    """The changes from one text to another, both read beside the same secrets."""
    (folder / "visitors.csv").write_text("visitor,host,purpose,from,until\n")
    (folder / "secrets.yaml").write_text("hook: a-long-canary-of-old\n")
    (folder / "school.yaml").write_text(before)
    old = read_yaml(folder / "school.yaml")
    (folder / "secrets.yaml").write_text(secrets or "hook: a-long-canary-of-old\n")
    (folder / "school.yaml").write_text(after)
    return changes(old, read_yaml(folder / "school.yaml"))


def test_the_same_text_changes_nothing(tmp_path: Path) -> None:
    """Comments and order within the text's meaning are no change."""
    assert compared(tmp_path, SCHOOL, "# a comment\n" + SCHOOL) == []


@pytest.mark.parametrize(
    ("old", "new", "says", "grave"),
    [
        ("fps: 5", "fps: 10", "  cameras.hall.fps: 5 → 10", False),
        ("fps: 5", "fps: 5, important: true", "+ cameras.hall.important: true", False),
        (", fps: 5", "", "- cameras.hall.fps: 5", False),
        ("name: Tiny", "name: ''", "  hub.name: Tiny → an empty text", False),
        ("tell: [guard]", "tell: [sro]", "  rules.forced.alert.tell: [guard] → [sro]", False),
        ("name: Front,", "name: Main,", "  doors.front.name: Front → Main", True),
        ("prompt}", "jams}", "  doors.front.device.behaviour: prompt → jams", True),
        ("kind: room, in: site", "kind: room", "- places.hall.in: site", True),
        (
            "hub: {name: Tiny,",
            "hub: {mqtt: {host: broker}, name: Tiny,",
            "+ hub.mqtt: {host: broker}",
            True,
        ),
        (
            "    alert: {sev",
            "    verified: [{door: {verb: lock, doors: [front]}}]\n    alert: {sev",
            "+ rules.forced.verified: [{door: {verb: lock, doors: [front]}}]",
            True,
        ),
        (
            "people:",
            "protocols:\n  hold: {tell: [guard], through: [console]}\npeople:",
            "+ protocols.hold: {tell: [guard], through: [console]}",
            True,
        ),
    ],
)  # fmt: skip
def test_each_change_is_one_line(
    tmp_path: Path, old: str, new: str, says: str, grave: bool
) -> None:
    """The path, what was and what will be; grave where it can move a door."""
    assert SCHOOL.count(old) == 1
    (change,) = compared(tmp_path, SCHOOL, SCHOOL.replace(old, new))
    assert str(change) == says
    assert change.grave is grave


def test_a_new_rule_is_grave_only_when_it_acts(tmp_path: Path) -> None:
    """A rule that only tells people is not; one that moves doors once verified is."""
    plain = "  held: {name: Held, when: door.held, alert: {severity: note}}\n"
    acting = plain[:-2] + ", verified: [{door: {verb: lock, doors: [front]}}]}\n"
    (quiet,) = compared(tmp_path, SCHOOL, SCHOOL + plain)
    (loud,) = compared(tmp_path, SCHOOL, SCHOOL + acting)
    assert (quiet.path, quiet.grave, loud.grave) == ("rules.held", False, True)


def test_items_of_lists_are_compared_one_by_one(tmp_path: Path) -> None:
    """A changed zone is named, not the whole list."""
    zones = ", zones: [{place: hall, polygon: [[0, 0], [1, 0], [1, 1]]}]"
    before = SCHOOL.replace(", fps: 5", zones)
    after = before.replace("place: hall, polygon", "place: site, polygon")
    (change,) = compared(tmp_path, before, after)
    assert str(change) == "  cameras.hall.zones[0].place: hall → site"


def test_a_new_section_is_told_block_by_block(tmp_path: Path) -> None:
    """Who confirms new doors reads each of them whole: its controller, its egress, its device."""
    start, end = SCHOOL.index("doors:\n"), SCHOOL.index("notifiers:")
    two = SCHOOL[start:end] + SCHOOL[start:end].replace("doors:\n", "").replace("front:", "back:")
    found = compared(tmp_path, SCHOOL[:start] + SCHOOL[end:], SCHOOL[:start] + two + SCHOOL[end:])
    assert [change.path for change in found] == ["doors.front", "doors.back"]
    assert found[0].after == (
        "{name: Front, controller: panel, place: hall, egress: free, device: {behaviour: prompt}}"
    )


def test_a_secret_changes_without_being_shown(tmp_path: Path) -> None:
    """Another value in secrets.yaml is a change; neither value is in it."""
    (change,) = compared(tmp_path, SCHOOL, SCHOOL, secrets="hook: a-long-canary-of-new\n")
    assert str(change) == "  notifiers.hook.secret: a hidden value → a hidden value"


def test_a_plain_password_is_not_shown_either(tmp_path: Path) -> None:
    """What stands under a private key is hidden, also inside of a block that is new."""
    block = "  more: {driver: email, host: h, sender: s@example.org, password: canary-in-plain}\n"
    (change,) = compared(tmp_path, SCHOOL, SCHOOL.replace("visitors:\n", block + "visitors:\n"))
    assert change.path == "notifiers.more"
    assert "canary" not in str(change.as_dict())
    assert "password: a hidden value" in change.after


def test_what_a_driver_declares_secret_is_not_shown(tmp_path: Path) -> None:
    """A webhook's headers carry credentials under names that nobody can foresee."""
    old = config_file(tmp_path, SCHOOL)
    headers = '"http://127.0.0.1:9/x", headers: {X-Anything: canary-in-a-header}'
    new = config_file(tmp_path, SCHOOL.replace('"http://127.0.0.1:9/x"', headers))
    (change,) = changes(old.document, new.document, old.hidden | new.hidden)
    assert str(change) == "+ notifiers.hook.headers: {X-Anything: a hidden value}"


def test_a_long_value_is_cut(tmp_path: Path) -> None:
    """One change stays one line."""
    (change,) = compared(tmp_path, SCHOOL, SCHOOL.replace("name: Tiny", f"name: {'long ' * 60}"))
    assert len(change.after) <= 80
    assert change.after.endswith("…")


def config_file(folder: Path, text: str) -> Examined:
    """The text as a file that was examined."""
    (folder / "visitors.csv").write_text("visitor,host,purpose,from,until\n")
    (folder / "secrets.yaml").write_text("hook: a-long-canary-of-old\n")
    (folder / "school.yaml").write_text(text)
    examined = examine(folder / "school.yaml", REGISTRY)
    assert examined.config is not None, examined.problems
    return examined


def config(folder: Path, text: str) -> Config:
    """The configuration that the text says."""
    found = config_file(folder, text).config
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("old", "new", "start", "stop", "restart"),
    [
        ("fps: 5", "fps: 10", "", "", ""),
        ("name: Front,", "name: Main,", "", "", ""),
        ("scene: entrance", "scene: yard", "", "", "cameras/hall"),
        ("driver: console}", "driver: console, colour: false}", "", "", "notifiers/console"),
        ("driver: console}", "driver: console, timeout: 3s}", "", "", ""),
        ("hook: {", "hook: {enabled: false, ", "", "notifiers/hook", ""),
        ("visitors:\n", "  log: {driver: logbook}\nvisitors:\n", "notifiers/log", "", ""),
        (
            "hub: {name: Tiny,", "hub: {mqtt: {host: broker}, name: Tiny,",
            "", "", PANELS,
        ),
        (
            "Europe/Berlin", "Europe/Paris",
            "", "", f"{PANELS} notifiers/console notifiers/hook visitors/desk",
        ),
    ],
)  # fmt: skip
def test_only_the_instances_that_differ_are_touched(
    tmp_path: Path, old: str, new: str, start: str, stop: str, restart: str
) -> None:
    """An instance starts afresh when what it was built from differs, and not otherwise."""
    assert SCHOOL.count(old) == 1
    found = steps(
        config(tmp_path, SCHOOL), config(tmp_path, SCHOOL.replace(old, new)), REGISTRY, REGISTRY
    )
    told = found.as_dict()
    assert told.pop("adjust") == []
    assert told == {
        "start": start.split(), "stop": stop.split(), "restart": restart.split(),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "adjust"),
    [
        ("prompt}", "slow}", "access_control/panel"),
        ("controller: panel", "controller: other", PANELS),
        ("notifiers:\n", f"  back: {BACK}\nnotifiers:\n", "access_control/panel"),
    ],
)  # fmt: skip
def test_doors_come_and_go_while_their_controller_runs_on(
    tmp_path: Path, old: str, new: str, adjust: str
) -> None:
    """A controller that can adopt other doors is not started afresh for them; one that runs in a
    host of its own is.
    """

    def compare(school: str) -> Steps:
        changed = config(tmp_path, school.replace(old, new))
        return steps(config(tmp_path, school), changed, REGISTRY, REGISTRY)

    assert SCHOOL.count(old) == 1
    found = compare(SCHOOL)
    assert (" ".join(found.as_dict()["adjust"]), found.restart) == (adjust, ())
    apart = SCHOOL.replace("{driver: simulated}", "{driver: simulated, isolate: true}")
    found = compare(apart)
    assert (found.adjust, " ".join(found.as_dict()["restart"])) == ((), adjust)


def test_an_edited_plugin_file_restarts_what_uses_it(tmp_path: Path) -> None:
    """The same block with another driver behind it is built anew; an untouched file is not run
    again, so that its classes stay those of the objects it made.
    """
    plugin = tmp_path / "my_plugins" / "gong.py"
    plugin.parent.mkdir()
    code = (
        "from hub import Block, Driver, hookimpl\n"
        "class Config(Block):\n    loud: bool = False\n"
        "@hookimpl\ndef vestibule_notifiers():\n"
        "    return [Driver('gong', dict, Config, 'Sounds')]\n"
    )
    plugin.write_text(code)
    (tmp_path / "school.yaml").write_text("notifiers: {gong: {driver: gong}}\n")
    first = examine(tmp_path / "school.yaml")
    again = examine(tmp_path / "school.yaml")
    assert first.config is not None
    assert again.config is not None
    same = steps(first.config, again.config, first.registry, again.registry)
    assert same.restart == ()
    plugin.write_text(code + "# edited\n")
    edited = examine(tmp_path / "school.yaml")
    assert edited.config is not None
    other = steps(first.config, edited.config, first.registry, edited.registry)
    assert other.restart == (("notifiers", "gong"),)
    registries = (first.registry, edited.registry)
    (change,) = edited_plugins(first.config, edited.config, *registries, [])
    assert str(change) == "  notifiers.gong: its plugin as it was → its plugin edited"
    assert edited_plugins(first.config, edited.config, *registries, ["notifiers.gong.loud"]) == []
