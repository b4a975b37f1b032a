"""The safety rules of a configuration have no gaps that a fault or a detour would open."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.check import check
from hub.check_safety import ACTING, SAFETY_RULES
from hub.errors import Problem
from hub.plugins import load_registry

ROOT = Path(__file__).resolve().parents[2]
BUILT_IN = load_registry()
SAFETY = "docs/reference/check.md#safety"

SOUND = """\
places:
  site: {name: School, kind: site}
  hall: {name: Hall, kind: room, in: site}
  care: {name: Care, kind: area, in: site, private: true}
  nurse: {name: Nurse, kind: room, in: care}
detectors:
  people: {driver: motion}
cameras:
  lobby: {driver: simulated, scene: yard, place: hall, detector: people, zones: []}
access_control:
  main: {driver: simulated}
doors:
  front: {name: Front, controller: main, place: hall, egress: free}
  back: {name: Back, controller: main, place: hall}
notifiers:
  log: {driver: logbook}
  push: {driver: ntfy, server: "https://ntfy.school.example", topic: alerts}
  siren: {driver: simulated_siren}
rules:
  seen:
    name: Seen
    when: zone.entered
    alert: {severity: severe, through: [log, push]}
    verified:
      - door: {verb: lock, doors: [front]}
      - notify: {through: [siren]}
"""


def refused(folder: Path, text: str) -> list[Problem]:
    """What the safety rules say to a file with this text."""
    file = folder / "school.yaml"
    file.write_text(text, encoding="utf-8")
    found = check(str(file), BUILT_IN)
    for problem in found:  # never twice: not once with the reason and once as an unknown key
        same = [
            each for each in found if (each.line, each.column) == (problem.line, problem.column)
        ]
        assert len(same) == 1, "\n".join(map(str, same))
    return [each for each in found if each.doc == SAFETY]


def changed(*changes: tuple[str, str]) -> str:
    """The sound file with each old text replaced by the new one."""
    text = SOUND
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def test_the_sound_file_is_sound(tmp_path: Path) -> None:
    """What the cases below start from breaks no rule."""
    assert refused(tmp_path, SOUND) == []


@pytest.mark.parametrize("key", sorted(ACTING))
@pytest.mark.parametrize("under_alert", [False, True])
def test_nothing_acts_on_a_detectors_word(tmp_path: Path, key: str, under_alert: bool) -> None:
    """What would act directly is refused at its key, once, with the reason and the way."""
    change = ("    verified:", f"    {key}: {{x: 1}}\n    verified:")
    if under_alert:
        change = ("severity: severe", f"severity: severe, {key}: x")
    (problem,) = refused(tmp_path, changed(change))
    where = f"rules.seen.alert.{key}" if under_alert else f"rules.seen.{key}"
    assert problem.path == where
    assert (problem.line, problem.column) == ((23, 31) if under_alert else (24, 5))
    assert "detectors propose, people decide; expected what acts under `verified:`" in str(problem)
    assert problem.hint == f"such as `{ACTING[key]}`"


def test_a_door_condition_is_no_act(tmp_path: Path) -> None:
    """Under `if:` the same word only asks which door an event is about."""
    text = changed(("when: zone.entered", "when: door.held\n    if: {door: front}"))
    assert refused(tmp_path, text) == []


DOORS = ("doors: [front]", "doors: [back]")
NURSE = ("scene: yard, place: hall", "scene: yard, place: nurse")
SIREN = ("through: [log, push]", "through: [log, push, siren]")
ONE_PATH = ("through: [log, push]", "through: [log]")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        # a door without `egress: free`
        ([DOORS], "rules.seen.verified[0].door.doors[0]"),
        ([("doors: [front]", "place: hall")], "rules.seen.verified[0].door.place"),
        ([("doors: [front]", "place: site")], "rules.seen.verified[0].door.place"),
        ([DOORS, ("name: Seen", "nam: Seen")], "rules.seen.verified[0].door.doors[0]"),
        ([DOORS, ("{name: Back, ", "{")], "rules.seen.verified[0].door.doors[0]"),
        ([DOORS, ("verb: lock", "verb: !env TEST_VERB")], "rules.seen.verified[0].door.doors[0]"),
        ([("doors: [front]", "doors: [back], place: care")],
         "rules.seen.verified[0].door.doors[0]"),
        ([DOORS, ("main: {driver: simulated}", "main: {driver: simulatd}")],
         "rules.seen.verified[0].door.doors[0]"),
        # a channel that everyone hears
        ([SIREN], "rules.seen.alert.through[2]"),
        ([SIREN, ("simulated_siren}", "simulated_siren, enabled: no}")],
         "rules.seen.alert.through[2]"),
        ([SIREN, ("simulated_siren}", "simulated_siren, sound_for: long, timeout: x}")],
         "rules.seen.alert.through[2]"),
        ([("through: [log, push]", "through: [log, push, !env TEST_SIREN]")],
         "rules.seen.alert.through[2]"),
        # private places
        ([NURSE], "cameras.lobby.place"),
        ([NURSE, ("scene: yard", "scene: moon")], "cameras.lobby.place"),
        ([NURSE, ("kind: area, in: site", "kind: ara, in: site")], "cameras.lobby.place"),
        ([NURSE, ("private: true", "private: 'Yes'")], "cameras.lobby.place"),
        ([NURSE, ("detector: people", "enabled: false")], "cameras.lobby.place"),
        ([("zones: []", "zones: [{place: care, polygon: [[0, 0], [1, 0]]}]")],
         "cameras.lobby.zones[0].place"),
        ([("zones: []", "zones: [{place: !env TEST_ROOM, polygon: [[0, 0], [1, 0], [1, 1]]}]")],
         "cameras.lobby.zones[0].place"),
        # severe alerts
        ([ONE_PATH], "rules.seen.alert.through"),
        ([ONE_PATH, ("severity: severe", "severity: !env TEST_SEVERITY")],
         "rules.seen.alert.through"),
        ([("topic: alerts", "topic: alerts, enabled: 'off'")], "rules.seen.alert.through"),
        ([("through: [log, push]", "through: [log, log]")], "rules.seen.alert.through"),
        ([(", through: [log, push]", "")], "rules.seen.alert"),
        # what nobody can verify
        ([("zone.entered", "alert.raised")], "rules.seen.when"),
        ([("zone.entered", "incident.opened")], "rules.seen.when"),
    ],
)  # fmt: skip
def test_there_is_no_way_around(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: list[tuple[str, str]],
    path: str,
) -> None:
    """Neither another fault, nor a switch, an alias or the environment opens a gap."""
    for name, value in {
        "TEST_VERB": "lock", "TEST_SIREN": "siren", "TEST_ROOM": "nurse", "TEST_SEVERITY": "severe",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    assert path in [each.path for each in refused(tmp_path, changed(*changes))]


def test_an_alias_is_no_way_around(tmp_path: Path) -> None:
    """An action that was written once and used twice is looked at where it stands."""
    text = changed(
        ("    verified:\n      - door: {verb: lock, doors: [front]}",
         "    verified:\n      - &act {door: {verb: lock, doors: [back]}}"),
    ) + "  held:\n    name: Held\n    when: door.held\n    alert: {severity: note}\n"  # fmt: skip
    found = refused(tmp_path, text + "    verified: [*act]\n")
    assert [(each.line, each.path) for each in found] == [
        (25, "rules.seen.verified[0].door.doors[0]")
    ]


def test_a_place_around_private_rooms_may_be_looked_at(tmp_path: Path) -> None:
    """A corridor camera hangs on a floor that has a nurse's room; only the room itself is shut."""
    text = changed(("scene: yard, place: hall", "scene: yard, place: site"))
    assert refused(tmp_path, text) == []


def test_a_door_with_a_typo_in_egress_is_told_of_that_alone(tmp_path: Path) -> None:
    """Whoever wrote `egress: fre` has attested; the word is what has to be mended."""
    text = changed(("egress: free", "egress: fre"))
    (tmp_path / "school.yaml").write_text(text)
    (problem,) = check(str(tmp_path / "school.yaml"), BUILT_IN)
    assert problem.path == "doors.front.egress"


def test_every_rule_is_in_the_table_of_the_page() -> None:
    """docs/reference/check.md explains as many rules as there are."""
    page = (ROOT / "docs/reference/check.md").read_text(encoding="utf-8")
    table = page.partition("## Safety")[2].partition("\n## ")[0]
    assert table.count("\n|") - 2 == len(SAFETY_RULES)


GUARD = "{name: Guard, role: sro, contact: {siren: x}, prefer: [siren]}"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("logbook}", "logbook, fallback: siren}", "everyone hears siren"),
        ("logbook}", "logbook, fallback: log}", "stand in for itself"),
        ("rules:\n", f"people:\n  guard: {GUARD}\nrules:\n", "everyone hears siren"),
    ],
)
def test_no_notice_goes_to_everyone_instead(tmp_path: Path, old: str, new: str, said: str) -> None:
    """A siren is nobody's other way, nor is a channel its own."""
    (problem,) = refused(tmp_path, SOUND.replace(old, new, 1))
    assert said in problem.message
