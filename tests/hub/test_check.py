"""The check: every fault is found, all at once, at the exact place, in plain words."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Annotated, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, field_validator

from hub import BadConfig, Block, Channel, Driver
from hub.check import CannotCheck, check, load_config
from hub.errors import Problem
from hub.kinds import KINDS
from hub.plugins import Registry, load_registry

ROOT = Path(__file__).resolve().parents[2]
FORM = re.compile(r"[^:]+:\d+:\d+: [^:]+: [^;]+; .+")
HERE = "¦"


class ClipConfig(Block):
    """A camera driver's block."""

    path: Path
    password: Annotated[str | None, Field(repr=False)] = None
    colour: Literal["red", "green"] = "red"

    @field_validator("password")
    @classmethod
    def long_enough(cls, password: str | None) -> str | None:
        """A careless validator: its message repeats what it was given."""
        if password is not None and len(password) < 4:
            raise ValueError(f"expected something longer than {password}")
        return password


class LockDevice(Block):
    topic: str
    slow: bool = False


class Anything:
    pass


class Lamp:
    channel = Channel(path="local")


class Bell:
    channel = Channel(path="local", public=True)


class Mail:
    channel = Channel(path="wan")


def _registry() -> Registry:
    def driver(name: str, **more: object) -> dict[str, Driver]:
        factory = more.pop("factory", Anything)
        config = more.pop("config", Block)
        return {name: Driver(name, factory, config, "for a test", **more)}  # type: ignore[arg-type]

    drivers = {
        "cameras": driver("clip", config=ClipConfig),
        "detectors": driver("finder"),
        "access_control": driver("panel", device=LockDevice) | driver("relay"),
        "notifiers": driver("lamp", factory=Lamp)
        | driver("bell", factory=Bell)
        | driver("mail", factory=Mail),
        "visitors": driver("desk"),
    }
    return Registry({kind: drivers[kind] for kind in KINDS}, ())


REGISTRY = _registry()
BUILT_IN = load_registry()

SOUND = """\
hub:
  name: Test school
  timezone: Europe/Berlin
places:
  site: {name: School, kind: site}
  hall: {name: Hall, kind: room, in: site}
  nurse: {name: Nurse, kind: room, in: site, private: true}
detectors:
  people: {driver: finder}
cameras:
  lobby:
    driver: clip
    path: lobby.mp4
    place: hall
    detector: people
    fps: 5
    zones:
      - place: hall
        polygon: [[0, 0], [1, 0], [1, 1]]
access_control:
  panel: {driver: panel}
  relay: {driver: relay}
doors:
  front:
    name: Front door
    controller: panel
    place: hall
    egress: free
    device: {topic: front}
    held_after: 30
  back:
    name: Back door
    controller: relay
    place: hall
notifiers:
  lamp: {driver: lamp}
  bell: {driver: bell}
  mail: {driver: mail}
  off: {driver: lamp, enabled: false}
visitors:
  desk: {driver: desk, place: hall}
people:
  guard: {name: Guard, role: sro, contact: {mail: guard@school.example}}
roles:
  sro: {name: School resource officer}
schedules:
  hours:
    weekly:
      - {days: [mon, tue], from: 08:00, to: 16:30}
    closed:
      - {from: 2026-12-21, to: 2027-01-01}
rules:
  entered:
    name: Somebody entered
    when: zone.entered
    if: {place: hall, label: person, outside: hours}
    alert:
      severity: high
      tell: [sro]
      through: [lamp, mail]
    verified:
      - door: {verb: lock, doors: [front]}
      - notify: {through: [bell]}
protocols:
  hold:
    tell: [guard]
    through: [lamp]
"""


@dataclass(frozen=True)
class Case:
    """`old` becomes `new` in the sound file; the mark in `new` is where the fault must be named."""

    old: str
    new: str
    path: str
    says: str


CASES = {
    # keys
    "an unknown section": Case(
        "visitors:\n  desk:", "¦visitor:\n  desk:", "visitor", "did you mean visitors"
    ),
    "unknown key of the hub": Case(
        "  name: Test school\n", "  name: Test school\n  ¦nam: x\n", "hub.nam", "did you mean name"
    ),
    "unknown key of a place": Case(
        "kind: site}", "kind: site, ¦privat: true}", "places.site.privat", "did you mean private"
    ),
    "unknown key of a driver": Case(
        "    path: lobby.mp4\n",
        "    path: lobby.mp4\n    ¦color: red\n",
        "cameras.lobby.color",
        "did you mean colour",
    ),
    "unknown key of a list item": Case(
        "      - place: hall\n",
        "      - place: hall\n        ¦plce: hall\n",
        "cameras.lobby.zones[0].plce",
        "one of place, polygon, name",
    ),
    "unknown key in a flow mapping": Case(
        "from: 08:00, to: 16:30",
        "from: 08:00, ¦until: 16:30",
        "schedules.hours.weekly[0].until",
        "one of days, from, to",
    ),
    "unknown key of a rule": Case(
        "    when: zone", "    ¦whem: x\n    when: zone", "rules.entered.whem", "did you mean when"
    ),
    "unknown key of a condition": Case(
        "{place: hall, label: person",
        "{¦palce: hall, label: person",
        "rules.entered.if.palce",
        "did you mean place",
    ),
    "unknown key of a device": Case(
        "{topic: front}", "{topic: front, ¦fast: true}", "doors.front.device.fast", "topic, slow"
    ),
    "the hub's own name for settings": Case(
        "    fps: 5\n", "    fps: 5\n    ¦settings: {}\n", "cameras.lobby.settings", "not known"
    ),
    "a protocol that is none": Case(
        "  hold:\n", "  ¦lockdwon:\n", "protocols.lockdwon", "did you mean lockdown"
    ),
    "the same key twice": Case(
        "    fps: 5\n",
        "    fps: 5\n    ¦fps: 6\n",
        "cameras.lobby.fps",
        "the same key twice (first on line 16)",
    ),
    "the same camera twice": Case(
        "access_control:\n",
        "  ¦lobby: {}\naccess_control:\n",
        "cameras.lobby",
        "first on line 11",
    ),
    "the same section twice": Case(
        "protocols:\n", "¦hub: {name: again}\nprotocols:\n", "hub", "first on line 1"
    ),
    "a key that is a list": Case(
        "  hall: {name: Hall", "  ? ¦[a, b]\n  : {}\n  hall: {name: Hall", "places", "no text"
    ),
    "an unusable name": Case(
        "  lobby:\n", "  ¦Front-Lobby:\n", "cameras.Front-Lobby", "did you mean front_lobby"
    ),
    "a number as a name": Case(
        "  hours:\n", "  ¦2026:\n", "schedules.2026", "lower-case letters"
    ),
    # missing
    "missing place of a camera": Case(
        "  lobby:\n    driver: clip\n    path: lobby.mp4\n    place: hall\n",
        "  ¦lobby:\n    driver: clip\n    path: lobby.mp4\n",
        "cameras.lobby.place",
        "is missing; expected a name",
    ),
    "missing driver": Case(
        "  ¦desk: {driver: desk, place: hall}".replace(HERE, ""),
        "  ¦desk: {place: hall}",
        "visitors.desk.driver",
        "is missing; expected desk",
    ),
    "missing key of a driver": Case(
        "  lobby:\n    driver: clip\n    path: lobby.mp4\n",
        "  ¦lobby:\n    driver: clip\n",
        "cameras.lobby.path",
        "is missing; expected a path",
    ),
    "missing key of a list item": Case(
        "      - place: hall\n        polygon: [[0, 0], [1, 0], [1, 1]]\n",
        "      - ¦place: hall\n",
        "cameras.lobby.zones[0].polygon",
        "is missing; expected a list",
    ),
    "missing key of a place": Case(
        "  site: {name: School, kind: site}",
        "  ¦site: {name: School}",
        "places.site.kind",
        "one of site, building, floor, area, room, outdoor",
    ),
    "missing severity": Case(
        "    alert:\n      severity: high\n",
        "    ¦alert:\n",
        "rules.entered.alert.severity",
        "one of severe, high, check, note",
    ),
    "missing device": Case(
        "  front:\n    name: Front door\n    controller: panel\n    place: hall\n"
        "    egress: free\n    device: {topic: front}\n",
        "  ¦front:\n    name: Front door\n    controller: panel\n    place: hall\n"
        "    egress: free\n",
        "doors.front.device",
        "a mapping with topic",
    ),
    "missing key of a device": Case(
        "device: {topic: front}", "¦device: {slow: true}", "doors.front.device.topic", "is missing"
    ),
    "an empty value": Case(
        "    name: Somebody entered\n", "    ¦name:\n", "rules.entered.name", "found nothing"
    ),
    "an empty block": Case(
        "  site: {name: School, kind: site}\n", "  ¦site:\n", "places.site.name", "is missing"
    ),
    # wrong types
    "text for a number": Case(
        "fps: 5", "fps: ¦fast", "cameras.lobby.fps", "found 'fast'; expected a number"
    ),
    "a number too small": Case("fps: 5", "fps: ¦0", "cameras.lobby.fps", "expected more than 0"),
    "a number too large": Case("fps: 5", "fps: ¦61", "cameras.lobby.fps", "expected 60 or less"),
    "no number at all": Case("fps: 5", "fps: ¦.nan", "cameras.lobby.fps", "expected a number"),
    "an endless number": Case(
        "held_after: 30", "held_after: ¦inf", "doors.front.held_after", "found 'inf'; expected a"
    ),
    "true for a number": Case(
        "fps: 5", "fps: ¦true", "cameras.lobby.fps", "found true; expected a number"
    ),
    "a number for text": Case(
        "name: Hall", "name: ¦12", "places.hall.name", "found the number 12; expected text"
    ),
    "a list for text": Case(
        "name: Hall", "name: ¦[a]", "places.hall.name", "found a list; expected text"
    ),
    "a mapping for text": Case(
        "    name: Somebody entered\n",
        "    ¦name:\n      first: x\n",
        "rules.entered.name",
        "found a mapping; expected text",
    ),
    "text for a list": Case(
        "tell: [sro]", "tell: ¦sro", "rules.entered.alert.tell", "found 'sro'; expected a list"
    ),
    "a mapping for a list": Case(
        "    zones:\n      - place: hall\n        polygon: [[0, 0], [1, 0], [1, 1]]\n",
        "    ¦zones:\n      place: hall\n",
        "cameras.lobby.zones",
        "found a mapping; expected a list",
    ),
    "a list for a section": Case(
        "visitors:\n  desk: {driver: desk, place: hall}",
        "¦visitors:\n- desk",
        "visitors",
        "found a list; expected a mapping",
    ),
    "text for a block": Case(
        "lamp: {driver: lamp}\n", "lamp: ¦lamp\n", "notifiers.lamp", "expected a mapping"
    ),
    "a number for true or false": Case(
        "private: true", "private: ¦1", "places.nurse.private", "expected true or false"
    ),
    "text for true or false": Case(
        "private: true", "private: ¦maybe", "places.nurse.private", "expected true or false"
    ),
    "a point outside the picture": Case(
        "[1, 1]]", "[1, ¦1.5]]", "cameras.lobby.zones[0].polygon[2][1]", "expected 1 or less"
    ),
    "a polygon with two corners": Case(
        "[[0, 0], [1, 0], [1, 1]]",
        "¦[[0, 0], [1, 0]]",
        "cameras.lobby.zones[0].polygon",
        "at least 3",
    ),
    "a point with three numbers": Case(
        "[1, 1]]", "¦[1, 1, 1]]", "cameras.lobby.zones[0].polygon[2]", "expected at most 2"
    ),
    "a choice that is none": Case(
        "kind: room, in: site}\n",
        "kind: ¦romo, in: site}\n",
        "places.hall.kind",
        "did you mean room",
    ),
    "a driver's choice that is none": Case(
        "    path: lobby.mp4\n",
        "    path: lobby.mp4\n    colour: ¦gren\n",
        "cameras.lobby.colour",
        "did you mean green",
    ),
    "a day that is none": Case(
        "[mon, tue]", "[mon, ¦tues]", "schedules.hours.weekly[0].days[1]", "did you mean tue"
    ),
    "an hour that is none": Case(
        "from: 08:00", "from: ¦08:60", "schedules.hours.weekly[0].from", "a time such as 08:30"
    ),
    "a number for an hour": Case(
        "from: 08:00", "from: ¦8", "schedules.hours.weekly[0].from", "a time such as 08:30"
    ),
    "an end that is none": Case(
        "to: 16:30", "to: ¦25:00", "schedules.hours.weekly[0].to", "08:30 or 24:00"
    ),
    "a date that is none": Case(
        "{from: 2026-12-21", "{from: ¦2026-02-30", "schedules.hours.closed[0].from", "a date such"
    ),
    "a range that runs backwards": Case(
        "      - {from: 2026-12-21, to: 2027-01-01}",
        "      - ¦{from: 2026-12-21, to: 2026-01-01}",
        "schedules.hours.closed[0]",
        "on or after",
    ),
    "a time zone that is none": Case(
        "Europe/Berlin", "¦Mars/Olympus", "hub.timezone", "such as Europe/Berlin"
    ),
    "egress that is no word of ours": Case(
        "egress: free", "egress: ¦blocked", "doors.front.egress", "expected free"
    ),
    "an action that does two things": Case(
        "      - notify: {through: [bell]}",
        "      - ¦notify: {through: [bell]}\n        door: {verb: unlock, doors: [front]}",
        "rules.entered.verified[1]",
        "exactly one of `door` and `notify`",
    ),
    "a door action without doors": Case(
        "      - door: {verb: lock, doors: [front]}",
        "      - ¦door: {verb: lock}",
        "rules.entered.verified[0].door",
        "either `doors` or `place`",
    ),
    "a notice through nothing": Case(
        "notify: {through: [bell]}",
        "notify: {through: ¦[]}",
        "rules.entered.verified[1].notify.through",
        "at least 1",
    ),
    "a device where none belongs": Case(
        "    controller: relay\n",
        "    controller: relay\n    ¦device: {topic: x}\n",
        "doors.back.device",
        "has no `device:`",
    ),
    # references
    "an unknown driver": Case(
        "driver: clip", "driver: ¦clips", "cameras.lobby.driver", "did you mean clip"
    ),
    "an unknown outer place": Case(
        "kind: room, in: site}\n", "kind: room, in: ¦sit}\n", "places.hall.in", "did you mean site"
    ),
    "an unknown place of a camera": Case(
        "    place: hall\n    detector", "    place: ¦hal\n    detector", "cameras.lobby.place",
        "did you mean hall",
    ),
    "an unknown place of a zone": Case(
        "- place: hall", "- place: ¦attic", "cameras.lobby.zones[0].place", "names nothing"
    ),
    "an unknown detector": Case(
        "detector: people", "detector: ¦peple", "cameras.lobby.detector", "did you mean people"
    ),
    "an unknown controller": Case(
        "controller: panel", "controller: ¦pannel", "doors.front.controller", "did you mean panel"
    ),
    "an unknown role": Case(
        "role: sro,", "role: ¦srp,", "people.guard.role", "did you mean sro"
    ),
    "an unknown notifier of a contact": Case(
        "contact: {mail:", "contact: {¦male:", "people.guard.contact.male", "did you mean mail"
    ),
    "an unknown permission": Case(
        "  sro: {name: School resource officer}",
        "  sro: {may: [¦see.everything]}",
        "roles.sro.may[0]",
        "expected a permission",
    ),
    "an unknown event type": Case(
        "when: zone.entered", "when: ¦zone.enterd", "rules.entered.when", "mean zone.entered"
    ),
    "an unknown schedule": Case(
        "outside: hours", "outside: ¦houres", "rules.entered.if.outside", "did you mean hours"
    ),
    "an unknown place of a rule": Case(
        "{place: hall, label", "{place: ¦hell, label", "rules.entered.if.place", "did you mean hall"
    ),
    "an unknown camera of a rule": Case(
        "label: person", "camera: ¦loby, label: person", "rules.entered.if.camera", "mean lobby"
    ),
    "an unknown door of a rule": Case(
        "label: person", "door: ¦fornt, label: person", "rules.entered.if.door", "mean front"
    ),
    "somebody unknown to tell": Case(
        "tell: [sro]", "tell: [¦nurse]", "rules.entered.alert.tell[0]", "a person under `people:`"
    ),
    "an unknown channel": Case(
        "[lamp, mail]", "[lamp, ¦mial]", "rules.entered.alert.through[1]", "did you mean mail"
    ),
    "an unknown door of an action": Case(
        "doors: [front]", "doors: [front, ¦frnt]", "rules.entered.verified[0].door.doors[1]",
        "did you mean front",
    ),
    "an unknown person of a protocol": Case(
        "tell: [guard]", "tell: [¦gard]", "protocols.hold.tell[0]", "did you mean guard"
    ),
    "only channels that are switched off": Case(
        "      through: [lamp, mail]", "      ¦through: [off]", "rules.entered.alert.through",
        "every channel here is switched off",
    ),
    "a detector that is switched off": Case(
        "people: {driver: finder}\ncameras:\n  lobby:\n    driver: clip\n    path: lobby.mp4\n"
        "    place: hall\n    detector: people",
        "people: {driver: finder, enabled: false}\ncameras:\n  lobby:\n    driver: clip\n"
        "    path: lobby.mp4\n    place: hall\n    detector: ¦people",
        "cameras.lobby.detector",
        "switched off",
    ),
    # safety
    "a lock verb for a door that attests nothing": Case(
        "doors: [front]}", "doors: [¦back]}", "rules.entered.verified[0].door.doors[0]",
        "does not attest that people can always leave",
    ),
    "a lock verb for a place with such a door": Case(
        "{verb: lock, doors: [front]}", "{verb: lock, place: ¦hall}",
        "rules.entered.verified[0].door.place", "the door back",
    ),
    "a protocol that locks such a door": Case(
        "  hold:\n", "  lockdown:\n    doors: [{verb: lockdown, doors: [¦back]}]\n  hold:\n",
        "protocols.lockdown.doors[0].doors[0]", "`lockdown` may not be sent to the door back",
    ),
    "a public channel on a detector's word": Case(
        "through: [lamp, mail]", "through: [lamp, ¦bell]", "rules.entered.alert.through[1]",
        "may not speak before a person has verified",
    ),
    "a camera in a private place": Case(
        "    place: hall\n    detector", "    place: ¦nurse\n    detector", "cameras.lobby.place",
        "private places are never looked at",
    ),
    "a zone in a private place": Case(
        "- place: hall", "- place: ¦nurse", "cameras.lobby.zones[0].place", "is private"
    ),
    "a severe alert over one path": Case(
        "      severity: high\n      tell: [sro]\n      through: [lamp, mail]",
        "      severity: severe\n      tell: [sro]\n      ¦through: [lamp]",
        "rules.entered.alert.through",
        "share one path (local)",
    ),
    "a severe alert without a channel": Case(
        "    alert:\n      severity: high\n      tell: [sro]\n      through: [lamp, mail]",
        "    ¦alert:\n      severity: severe\n      tell: [sro]",
        "rules.entered.alert",
        "through no channel at all",
    ),
    "an action on a place without doors": Case(
        "{verb: lock, doors: [front]}", "{verb: unlock, place: ¦nurse}",
        "rules.entered.verified[0].door.place", "no door closes off nurse",
    ),
    # YAML itself
    "a tab": Case("    fps: 5\n", "¦\tfps: 5\n", "", "a tab in the indentation; expected spaces"),
    "a line indented too little": Case(
        "    fps: 5\n", "   ¦fps: 5\n", "cameras.lobby", "in line with its neighbours"
    ),
    "a line indented too far": Case(
        "    fps: 5\n", "      ¦fps: 5\n", "", "a line indented too far"
    ),
    "a key without a colon": Case(
        "  lobby:\n    driver: clip", "  ¦lobby\n    driver: clip", "", "without a colon"
    ),
    "a last key without a colon": Case(
        "protocols:\n", "¦protocols\nprotocols:\n", "(file)", "without a colon"
    ),
    "a quote that stays open": Case(
        "name: Hall,", 'name: ¦"Hall,', "places.hall.name", "a quote is never closed"
    ),
    "text after a quote": Case(
        "    name: Somebody entered", "    name: 'Somebody' ¦entered", "", "after a closing quote"
    ),
    "a value that starts with a sign": Case(
        "role: sro,", "role: ¦@sro,", "people.guard.role", "a value cannot start with @"
    ),
    "a list that stays open": Case(
        "tell: [sro]\n", "tell: ¦[sro\n", "rules.entered.alert.tell", "the list is not closed"
    ),
    "a mapping that stays open": Case(
        "{driver: mail}\n", "¦{driver: mail\n", "notifiers.mail", "the mapping is not closed"
    ),
    "an anchor inside itself": Case(
        "device: {topic: front}", "device: &d {topic: front, slow: ¦*d}", "doors.front.device.slow",
        "an alias to what encloses it",
    ),
    "an alias without an anchor": Case(
        "tell: [sro]", "tell: ¦*them", "", "no anchor of this name"
    ),
    "a second document": Case("doors:\n", "¦---\ndoors:\n", "", "one document"),
    "a control character": Case("name: Hall", "name: ¦\x07", "places", "a control character"),
    "an unknown tag": Case(
        "name: Hall", "name: ¦!secrt hall", "places.hall.name", "did you mean !secret"
    ),
    "a secret that is not there": Case(
        "name: Hall", "name: ¦!secret hall", "places.hall.name", "no secret is named 'hall'"
    ),
    "a variable that is not there": Case(
        "name: Hall", "name: ¦!env VESTIBULE_TEST_NOT_SET", "places.hall.name", "no variable"
    ),
    "a file outside the folder": Case(
        "in: site}\n  nurse", "in: site}\n  other: ¦!include /etc/hostname\n  nurse",
        "places.other", "outside the configuration's folder",
    ),
    "a file that is not there": Case(
        "in: site}\n  nurse", "in: site}\n  other: ¦!include other.yaml\n  nurse",
        "places.other", "cannot be read",
    ),
    "a file that includes itself": Case(
        "in: site}\n  nurse", "in: site}\n  other: ¦!include school.yaml\n  nurse",
        "places.other", "includes itself",
    ),
    "a fault behind an anchor": Case(
        "  site: {name: School, kind: site}\n",
        "  site: &base {name: School, kind: ¦sight}\n  annexe: {<<: *base, name: Annexe}\n",
        "places.site.kind",
        "did you mean site",
    ),
    "a merge of what is no mapping": Case(
        "  site: {name: School,", "  site: {<<: ¦3, name: School,", "places.site.<<", "no mapping"
    ),
}  # fmt: skip


def faults(folder: Path, text: str) -> list[Problem]:
    """The problems of a file called school.yaml in `folder`."""
    path = folder / "school.yaml"
    path.write_text(text, encoding="utf-8")
    return check(path, REGISTRY)


def marked(text: str) -> tuple[str, int, int]:
    """The text without its mark, and the mark's line and column, counted from one."""
    before, found, after = text.partition(HERE)
    assert found
    return before + after, before.count("\n") + 1, len(before) - before.rfind("\n")


def test_the_sound_file_has_no_fault(tmp_path: Path) -> None:
    """What the cases below start from is valid."""
    assert faults(tmp_path, SOUND) == []


@pytest.mark.parametrize("name", CASES)
def test_a_fault_is_named_at_its_place(tmp_path: Path, name: str) -> None:
    """One fault gives one line: its file, line, column and path, what is wrong, what belongs."""
    case = CASES[name]
    assert SOUND.count(case.old) == 1, "the case does not say which text it changes"
    text, line, column = marked(SOUND.replace(case.old, case.new))
    found = faults(tmp_path, text)
    first = [each for each in found if (each.line, each.column) == (line, column)]
    assert first, "\n".join(map(str, found))
    assert case.says in str(first[0])
    assert FORM.fullmatch(str(first[0])), str(first[0])
    if case.path:
        assert first[0].path == case.path
    assert first[0].doc.startswith("docs/reference/")


def test_everything_wrong_is_said_at_once_in_order(tmp_path: Path) -> None:
    """Faults in different blocks do not hide each other, and come in the file's order."""
    text = SOUND
    for name in (
        "a time zone that is none", "a choice that is none", "text for a number",
        "an unknown driver", "an unknown controller", "an unknown role", "a day that is none",
        "an unknown event type", "somebody unknown to tell", "a protocol that is none",
    ):  # fmt: skip
        case = CASES[name]
        assert text.count(case.old) == 1
        text = text.replace(case.old, case.new.replace(HERE, ""))
    found = faults(tmp_path, text)
    assert [each.path for each in found] == [
        "hub.timezone", "places.hall.kind", "cameras.lobby.driver", "cameras.lobby.fps",
        "doors.front.controller", "people.guard.role", "schedules.hours.weekly[0].days[1]",
        "rules.entered.when", "rules.entered.alert.tell[0]", "protocols.lockdwon",
    ]  # fmt: skip


def test_one_rule_may_be_wrong_twice(tmp_path: Path) -> None:
    """Egress is never ours: a lock verb is refused even where its rule has another fault."""
    text = SOUND.replace("severity: high", "severity: hihg").replace("[front]", "[back]")
    assert [each.path for each in faults(tmp_path, text)] == [
        "rules.entered.alert.severity",
        "rules.entered.verified[0].door.doors[0]",
    ]


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing yet\n", "---\n", "{}\n", "~\n"])
def test_an_empty_file_is_invalid(tmp_path: Path, text: str) -> None:
    """An empty file is a mistake, not a school without doors."""
    (problem,) = faults(tmp_path, text)
    assert (problem.line, problem.column) == (1, 1)
    assert "is empty; expected sections" in problem.message


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words\n", "42\n"])
def test_a_file_that_is_no_mapping_is_invalid(tmp_path: Path, text: str) -> None:
    """A list or a word is no configuration."""
    (problem,) = faults(tmp_path, text)
    assert (problem.line, problem.column) == (1, 1)
    assert "is no configuration" in problem.message


@pytest.mark.parametrize(
    ("raw", "line", "column", "says"),
    [
        (b"hub:\n  name: Gr\xfcn\n", 2, 11, "byte 252"),
        ("hub:\n  name: x\n".encode("utf-16"), 1, 1, "UTF-16"),
    ],
)
def test_a_file_that_is_not_utf_8_is_invalid(
    tmp_path: Path, raw: bytes, line: int, column: int, says: str
) -> None:
    """The first byte that does not fit is named."""
    path = tmp_path / "school.yaml"
    path.write_bytes(raw)
    (problem,) = check(path, REGISTRY)
    assert (problem.line, problem.column) == (line, column)
    assert says in problem.message
    assert FORM.fullmatch(str(problem))


def test_a_byte_order_mark_is_harmless(tmp_path: Path) -> None:
    """What some editors put first shifts no column."""
    path = tmp_path / "school.yaml"
    path.write_bytes(b"\xef\xbb\xbfhub: {nam: x}\n")
    (problem,) = check(path, REGISTRY)
    assert (problem.line, problem.column, problem.path) == (1, 7, "hub.nam")


def test_the_file_is_named_as_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative name stays relative, so that terminals and editors can open it."""
    monkeypatch.chdir(tmp_path)
    Path("school.yaml").write_text("hub: {nam: x}\n")
    assert str(check("school.yaml", REGISTRY)[0]).startswith("school.yaml:1:7: hub.nam: ")
    assert str(check("./school.yaml", REGISTRY)[0]).startswith("./school.yaml:1:7: ")


@pytest.mark.parametrize("name", ["nowhere.yaml", "."])
def test_what_cannot_be_read_cannot_be_checked(tmp_path: Path, name: str) -> None:
    """A missing file or a folder is neither valid nor invalid."""
    with pytest.raises(CannotCheck, match="cannot be read"):
        check(tmp_path / name, REGISTRY)


def test_a_sound_file_becomes_a_configuration(tmp_path: Path) -> None:
    """Each block carries its driver's own model, each door its device."""
    path = tmp_path / "school.yaml"
    path.write_text(SOUND)
    config = load_config(path, REGISTRY)
    assert config.cameras["lobby"].settings == ClipConfig(path=Path("lobby.mp4"))
    assert config.cameras["lobby"].detector == "people"
    assert config.doors["front"].device == LockDevice(topic="front")
    assert config.doors["back"].device is None
    assert config.schedules["hours"].weekly[0].start.hour == 8
    assert config.rules["entered"].condition.label == ("person",)
    assert list(config.drivers("notifiers")) == ["lamp", "bell", "mail", "off"]


def test_a_bad_file_raises_all_its_problems(tmp_path: Path) -> None:
    """`load_config` carries the same problems that `check` lists."""
    path = tmp_path / "school.yaml"
    path.write_text(SOUND.replace("fps: 5", "fps: fast").replace("hall, label", "hell, label"))
    with pytest.raises(BadConfig) as caught:
        load_config(path, REGISTRY)
    assert caught.value.problems == tuple(check(path, REGISTRY))
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    fps: 5\n", "    password: [canary77]\n"),
        ("    fps: 5\n", "    password: c77\n"),
        ("    fps: 5\n", "    password: !secret short\n"),
        ("fps: 5", "fps: !secret camera"),
        ("name: Hall, kind: room", "name: Hall, kind: !secret camera"),
        ("    place: hall\n    detector", "    place: !secret camera\n    detector"),
        ("driver: clip", "driver: !secret camera"),
        ("when: zone.entered", "when: !secret camera"),
        ("[mon, tue]", "[mon, !secret camera]"),
        ("[mon, tue]", "[mon, !env VESTIBULE_TEST_CANARY]"),
        ("egress: free", "egress: !env VESTIBULE_TEST_CANARY"),
        ("      - place: hall", "      - place: !secret camera"),
    ],
)
def test_a_secret_is_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str
) -> None:
    """Whatever is wrong with a secret, or with where it stands, no message repeats it."""
    monkeypatch.setenv("VESTIBULE_TEST_CANARY", "canary77")
    (tmp_path / "secrets.yaml").write_text("camera: canary77\nshort: c77\n")
    assert SOUND.count(old) == 1
    found = faults(tmp_path, SOUND.replace(old, new))
    assert found
    said = "".join(f"{each}{each.as_dict()}" for each in found)
    assert "77" not in said.replace(str(tmp_path), "")  # a folder of pytest's may have that number


def test_a_secret_reaches_its_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret comes from secrets.yaml beside the file, or from the service's credentials first."""
    (tmp_path / "secrets.yaml").write_text("camera: canary77\n")
    path = tmp_path / "school.yaml"
    path.write_text(SOUND.replace("    fps: 5\n", "    password: !secret camera\n"))
    assert load_config(path, REGISTRY).cameras["lobby"].settings.password == "canary77"
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "camera").write_text("canary88\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    config = load_config(path, REGISTRY)
    assert config.cameras["lobby"].settings.password == "canary88"
    assert "canary" not in repr(config)


def test_faults_in_an_included_file_are_named_there(tmp_path: Path) -> None:
    """The place is that of the included file, the path that of the whole configuration."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "doors.yaml").write_text(
        textwrap.dedent(
            """\
            # doors
            front:
              name: Front door
              controler: panel
              place: hall
            """
        )
    )
    start, end = SOUND.index("doors:\n"), SOUND.index("notifiers:")
    text = SOUND[:start] + "doors: !include parts/doors.yaml\n" + SOUND[end:]
    found = faults(tmp_path, text)
    places = {(Path(each.file).name, each.line, each.column, each.path) for each in found}
    assert ("doors.yaml", 4, 3, "doors.front.controler") in places
    assert not any(path == "doors.front.controller" for *_, path in places)


def test_a_whole_folder_may_be_included(tmp_path: Path) -> None:
    """A folder's files are read by name as one mapping; the same key in two of them is a fault."""
    (tmp_path / "people").mkdir()
    (tmp_path / "people" / "a.yaml").write_text("guard: {name: Guard, role: sro}\n")
    (tmp_path / "people" / "b.yaml").write_text("clerk: {name: Clerk, role: sro}\n")
    start, end = SOUND.index("people:\n  guard"), SOUND.index("roles:")
    text = SOUND[:start] + "people: !include people\n" + SOUND[end:]
    assert faults(tmp_path, text) == []
    (tmp_path / "people" / "c.yaml").write_text("guard: {name: Other, role: sro}\n")
    (problem,) = faults(tmp_path, text)
    assert problem.path == "people.guard"
    assert "twice (first in" in problem.message


def test_an_anchors_fault_is_told_once(tmp_path: Path) -> None:
    """However many blocks share it, a fault in an anchor is one line at the anchor."""
    text = SOUND.replace(
        "  site: {name: School, kind: site}\n",
        "  site: {name: School, kind: site}\n  a: &a {name: A, kind: rom}\n  b: *a\n  c: *a\n",
    )
    assert [each.path for each in faults(tmp_path, text)] == ["places.a.kind"]


def test_a_file_that_unfolds_for_ever_is_refused(tmp_path: Path) -> None:
    """Aliases of aliases end at a bound instead of filling the memory."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    found = faults(tmp_path, "\n".join(lines) + "\n")
    assert any("unfolds into too much" in each.message for each in found)


@pytest.mark.parametrize(
    "text", ["[" * 5000, "hub: " + "[" * 900 + "]" * 900, "a: " + "{b: " * 500]
)
def test_deep_nesting_is_a_fault_not_a_crash(tmp_path: Path, text: str) -> None:
    """No depth of brackets brings the check down."""
    assert faults(tmp_path, text + "\n")


def test_plugins_beside_the_file_are_found(tmp_path: Path) -> None:
    """Without a registry the configuration's own plugins_dir is loaded, relative to the file."""
    (tmp_path / "drivers").mkdir()
    (tmp_path / "drivers" / "gong.py").write_text(
        "from hub import Block, Driver, hookimpl\n"
        "@hookimpl\ndef vestibule_notifiers():\n"
        "    return [Driver('gong', dict, Block, 'Sounds')]\n"
    )
    path = tmp_path / "school.yaml"
    path.write_text("hub: {plugins_dir: drivers}\nnotifiers: {gong: {driver: gong}}\n")
    assert check(path) == []
    path.write_text("notifiers: {gong: {driver: gong}}\n")
    assert [each.path for each in check(path)] == ["notifiers.gong.driver"]


def test_a_drivers_own_check_may_fail_without_harm(tmp_path: Path) -> None:
    """A validator that raises something else than ValueError is a fault of that block alone."""

    class Rash(Block):
        name_of_it: str = ""

        @field_validator("name_of_it")
        @classmethod
        def trip(cls, value: str) -> str:
            raise RuntimeError("tripped")

    registry = Registry({"notifiers": {"rash": Driver("rash", Anything, Rash, "")}}, ())
    path = tmp_path / "school.yaml"
    path.write_text("notifiers:\n  one: {driver: rash, name_of_it: x}\n")
    (problem,) = check(path, registry)
    assert problem.path == "notifiers.one"
    assert "check failed (RuntimeError)" in problem.message


JUNK = st.sampled_from(
    [
        "", "\t", ":", ": ", "- ", "[", "]", "{", "}", "'", '"', "&a ", "*a", "!x ", "#", "|", ">",
        "0", "-1", "true", "null", "~", "\n", "  ", "<<: ", "? ", "%", "@", "é", "\u2028", "nan",
    ]
)  # fmt: skip


def mutate(text: str, changes: list[tuple[int, int, str]]) -> str:
    """The text with each (place, length, junk) put in place of what stood there."""
    for place, length, junk in changes:
        place %= len(text)
        text = text[:place] + junk + text[place + length :]
    return text


CHANGES = st.lists(
    st.tuples(st.integers(0, 1 << 16), st.integers(0, 12), JUNK), min_size=1, max_size=4
)


def survives(path: Path, text: str, registry: Registry) -> None:
    """The check ends in a configuration or in problems of the right form."""
    path.write_text(text, encoding="utf-8")
    for problem in check(path, registry):
        assert problem.line >= 1
        assert problem.column >= 1
        assert "; expected " in problem.message or "expected" in problem.message, problem
        assert "\n" not in str(problem)


@settings(max_examples=60, deadline=None)
@given(CHANGES)
def test_no_damage_to_a_file_is_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int, str]]
) -> None:
    """However the sound file is damaged, the check answers with problems or with a valid file."""
    survives(tmp_path_factory.getbasetemp() / "damaged.yaml", mutate(SOUND, changes), REGISTRY)


@pytest.mark.parametrize("faulty", [False, True])
def test_a_long_file_is_checked_at_once(tmp_path: Path, faulty: bool) -> None:
    """Two thousand lines take less than a second of this process's time, sound or full of faults.

    Measured on two cores that were busy otherwise: 0.12 s and 0.17 s.
    """
    cameras = "".join(
        f"  camera_{number}:\n    driver: clip\n    path: {number}.mp4\n    place: hall\n"
        f"    zones:\n      - place: hall\n        polygon: [[0, 0], [1, 0], [1, 1]]\n"
        for number in range(300)
    )
    text = SOUND.replace("access_control:\n", cameras + "access_control:\n")
    assert text.count("\n") > 2000
    if faulty:
        text = text.replace("mp4\n    place: hall", "mp4\n    palce: hal").replace(
            "[1, 1]", "[1, 2]"
        )
    before = process_time()
    found = faults(tmp_path, text)
    spent = process_time() - before
    assert len(found) == (0 if not faulty else 3 * 301)
    assert spent < 1, f"{len(found)} problems in {spent:.2f} s"


def test_the_example_school_is_sound() -> None:
    """config.example.yaml passes the check with the built-in drivers, as it is."""
    assert [str(each) for each in check(ROOT / "config.example.yaml", BUILT_IN)] == []


def test_the_example_school_is_the_school_that_is_promised() -> None:
    """Two floors, eight places or more, four cameras, six doors, two offline channels and more."""
    config = load_config(ROOT / "config.example.yaml", BUILT_IN)
    floors = [place for place in config.places.values() if place.kind == "floor"]
    assert len(floors) == 2
    assert len(config.places) >= 8
    assert len(config.cameras) == 4
    assert len(config.doors) == 6
    assert len(config.rules) == 8
    assert set(config.protocols) == {"hold", "secure", "lockdown", "evacuate", "shelter"}
    enabled = {name for name, block in config.notifiers.items() if block.enabled}
    assert {"console", "logbook"} <= enabled
    assert not {"email", "ntfy"} & enabled
    assert set(config.people) == {"sro", "principal", "front_office", "nurse", "it"}
    behaviours = {door.device.behaviour for door in config.doors.values()}
    assert behaviours == {"prompt", "slow", "jams", "silent"}


def test_every_key_is_explained_in_the_example() -> None:
    """Each key that the hub reads stands at least once in config.example.yaml."""
    from hub.config import Config
    from hub.typewords import keys_of, model_at

    text = (ROOT / "config.example.yaml").read_text(encoding="utf-8")
    missing = []
    todo: list[tuple[str, type]] = [("", Config)]
    while todo:
        path, model = todo.pop()
        for key in keys_of(model):
            if not re.search(rf"\b{key}\b:?", text) and key != "settings":
                missing.append(f"{path}{key}")
            inner = (
                model_at(model, (key, "x")) or model_at(model, (key, 0)) or model_at(model, (key,))
            )
            if inner is not None and issubclass(inner, Block):
                todo.append((f"{path}{key}.", inner))
    assert missing == []
