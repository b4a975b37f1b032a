"""The twenty rules of docs/guide/rules.md: each is valid, fires when it must, and only then."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from rule_days import Day, at, badge, camera, door, person, protocol

from hub.check import load_config
from hub.config import Config
from hub.events import Event
from hub.plugins import load_registry

PAGE = Path(__file__).parents[3] / "docs/guide/rules.md"
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
SCHOOL = next(block for block in BLOCKS if block.startswith("places:"))
RULES = {
    next(iter(yaml.safe_load(block)["rules"])): block
    for block in BLOCKS
    if block.startswith("rules:")
}
REGISTRY = load_registry()


@cache
def config_of(rule: str, folder: Path) -> Config:
    """The page's school with one of its rules, as `vestibule check` reads it."""
    file = folder / "school.yaml"
    (folder / "visitors.csv").write_text("visitor,host,purpose,from,to\n", encoding="utf-8")
    file.write_text(SCHOOL + RULES[rule], encoding="utf-8")
    return load_config(file, REGISTRY)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the school's file lies."""
    return tmp_path_factory.mktemp("school")


def vehicle(moment: datetime, label: str = "car") -> Event:
    """A vehicle in the bus lane."""
    return person(moment, "bus_lane", label=label)


def plate(moment: datetime, known: bool) -> Event:
    """A plate that was read."""
    data = {"place": "bus_lane", "known": known}
    return Event("plugin.plates.read", "plates", moment, "plate", data)


def visit(moment: datetime, kind: str) -> Event:
    """A visitor comes or goes."""
    return Event(f"visitor.{kind}", "visitors/desk", moment, "v1", {"desk": "desk"})


def lock(moment: datetime, verb: str, kind: str = "timed_out") -> Event:
    """How a command to the main entrance ended."""
    data = {"kind": "door", "verb": verb, "door": "main"}
    return Event(f"action.{kind}", "hub/actions", moment, "main", data)


def driver(moment: datetime, kind: str) -> Event:
    """A driver fails or works again."""
    return Event(f"plugin.{kind}", "hub", moment, "locks")


def many(count: int, clock: str) -> list[Event]:
    """So many people in the corridor, a second apart."""
    return [person(at(f"{clock}:{n:02d}"), "corridor", track=n) for n in range(count)]


EASTER = 36  # days from Monday 2 March to Tuesday of the spring break

# For each rule: what makes it fire and what must not, each until some moment.
Scene = tuple[list[Event], datetime]
SCENES: dict[str, tuple[Scene, list[Scene]]] = {
    "after_hours": (
        ([person(at("21:00"), "office")], at("21:01")),
        [
            ([person(at("10:00"), "office")], at("10:01")),
            ([person(at("21:00"), "fence")], at("21:01")),
            ([person(at("21:00"), "office", score=0.4)], at("21:01")),
            ([person(at("21:00", EASTER), "office")], at("21:01", EASTER)),
        ],
    ),
    "holidays": (
        ([person(at("10:00", EASTER), "fence")], at("10:01", EASTER)),
        [([person(at("10:00"), "fence")], at("10:01"))],
    ),
    "out_of_class": (
        ([person(at("08:10"), "corridor")], at("08:14")),
        [
            (
                [person(at("08:10"), "corridor"), person(at("08:12"), "corridor", "left")],
                at("08:20"),
            ),
            ([person(at("08:48"), "corridor")], at("08:56")),  # the bell rang in between
        ],
    ),
    "crowded_passing": (
        (many(5, "08:52"), at("08:53")),
        [(many(4, "08:52"), at("08:53")), (many(9, "08:20"), at("08:21"))],
    ),
    "propped_door": (
        ([door(at("10:00"), "opened", "east")], at("10:03")),
        [
            (
                [door(at("10:00"), "opened", "east"), door(at("10:01"), "closed", "east")],
                at("10:20"),
            ),
            (
                [protocol(at("09:59"), "started", "evacuate"), door(at("10:00"), "opened", "east")],
                at("10:20"),
            ),
        ],
    ),
    "open_after_hours": (
        ([door(at("15:00"), "opened", "east")], at("16:41")),
        [
            ([door(at("15:00"), "opened", "east")], at("16:39")),
            (
                [door(at("16:35"), "opened", "east"), door(at("16:39"), "closed", "east")],
                at("18:00"),
            ),
        ],
    ),
    "store_without_badge": (
        ([door(at("10:00"), "opened", "store")], at("10:01")),
        [
            (
                [badge(at("09:59:55"), "granted", "store"), door(at("10:00"), "opened", "store")],
                at("10:01"),
            ),
            ([door(at("10:00"), "opened", "main")], at("10:01")),
        ],
    ),
    "badges_refused": (
        ([badge(at(f"10:00:{n}0"), "refused", "main") for n in range(3)], at("10:02")),
        [
            ([badge(at(f"10:0{n}"), "refused", "main") for n in (0, 2, 4)], at("10:05")),
            (
                [
                    badge(at(f"10:00:{n}0"), "refused", d)
                    for n, d in enumerate(["main", "east"] * 2)
                ],
                at("10:05"),
            ),
        ],
    ),
    "two_grants_one_body": (
        (
            [
                badge(at("10:00"), "granted", "main"),
                person(at("10:00:04"), "lobby"),
                badge(at("10:00:08"), "granted", "main"),
            ],
            at("10:01"),
        ),
        [
            (
                [
                    badge(at("10:00"), "granted", "main"),
                    person(at("10:00:02"), "lobby", track=1),
                    person(at("10:00:05"), "lobby", track=2),
                    badge(at("10:00:08"), "granted", "main"),
                ],
                at("10:01"),
            ),
        ],
    ),
    "one_grant_two_bodies": (
        (
            [
                badge(at("10:00"), "granted", "main"),
                person(at("10:00:03"), "lobby", track=1),
                person(at("10:00:06"), "lobby", track=2),
            ],
            at("10:01"),
        ),
        [
            (
                [badge(at("10:00"), "granted", "main"), person(at("10:00:03"), "lobby", track=1)],
                at("10:01"),
            ),
            (
                [
                    badge(at("10:00"), "granted", "main"),
                    person(at("10:00:03"), "lobby", track=1),
                    badge(at("10:00:05"), "granted", "main"),
                    person(at("10:00:07"), "lobby", track=2),
                ],
                at("10:01"),
            ),
        ],
    ),
    "unknown_vehicle": (
        ([plate(at("12:00"), False), vehicle(at("12:00:05"), "truck")], at("12:01")),
        [
            ([plate(at("12:00"), True), vehicle(at("12:00:05"))], at("12:01")),
            ([vehicle(at("07:00"))], at("07:01")),
            ([vehicle(at("12:00"), "bicycle")], at("12:01")),
        ],
    ),
    "nobody_at_the_desk": (
        ([person(at("09:00"), "office"), person(at("10:00"), "office", "left")], at("10:06")),
        [
            (
                [
                    person(at("09:00"), "office", track=1),
                    person(at("09:30"), "office", track=2),
                    person(at("10:00"), "office", "left", track=1),
                ],
                at("10:30"),
            ),
            (
                [
                    person(at("09:00"), "office"),
                    person(at("10:00"), "office", "left"),
                    person(at("10:04"), "office", track=3),
                ],
                at("10:30"),
            ),
            (
                [person(at("16:00"), "office"), person(at("16:28"), "office", "left")],
                at("23:00"),
            ),
        ],
    ),
    "at_the_fence": (
        ([person(at("22:00"), "fence")], at("22:02")),
        [
            ([person(at("19:00"), "fence")], at("19:05")),
            ([person(at("22:00"), "fence", score=0.5)], at("22:05")),
            (
                [person(at("22:00"), "fence"), person(at("22:01"), "fence", "left")],
                at("22:05"),
            ),
        ],
    ),
    "cameras_blinded": (
        (
            [camera(at("10:00"), "covered", "lobby"), camera(at("10:08"), "moved", "office")],
            at("10:09"),
        ),
        [
            (
                [camera(at("10:00"), "covered", "lobby"), camera(at("10:08"), "moved", "lobby")],
                at("10:09"),
            ),
            (
                [camera(at("10:00"), "covered", "lobby"), camera(at("10:11"), "moved", "office")],
                at("10:12"),
            ),
        ],
    ),
    "blinded_then_forced": (
        (
            [camera(at("10:00"), "covered", "corridor"), door(at("10:04"), "forced", "east")],
            at("10:05"),
        ),
        [
            (
                [camera(at("10:00"), "covered", "office"), door(at("10:04"), "forced", "east")],
                at("10:05"),
            ),
            (
                [door(at("10:00"), "forced", "east"), camera(at("10:01"), "covered", "corridor")],
                at("10:05"),
            ),
        ],
    ),
    "held_door": (
        ([door(at("10:00"), "held", "main")], at("10:01")),
        [
            (
                [protocol(at("09:50"), "started", "evacuate"), door(at("10:00"), "held", "main")],
                at("10:01"),
            ),
        ],
    ),
    "unlocked_in_lockdown": (
        (
            [protocol(at("09:50"), "started", "lockdown"), door(at("10:00"), "unlocked", "main")],
            at("10:01"),
        ),
        [
            (
                [
                    protocol(at("09:50"), "started", "lockdown"),
                    protocol(at("09:58"), "ended", "lockdown"),
                    door(at("10:00"), "unlocked", "main"),
                ],
                at("10:01"),
            ),
            (
                [protocol(at("09:50"), "started", "hold"), door(at("10:00"), "opened", "main")],
                at("10:01"),
            ),
        ],
    ),
    "not_locked": (
        ([lock(at("10:00"), "lock")], at("10:01")),
        [
            ([lock(at("10:00"), "unlock")], at("10:01")),
            ([lock(at("10:00"), "lock", "confirmed")], at("10:01")),
        ],
    ),
    "visitor_after_hours": (
        ([visit(at("14:00"), "checked_in")], at("16:46")),
        [
            ([visit(at("14:00"), "checked_in"), visit(at("16:40"), "checked_out")], at("20:00")),
            ([visit(at("14:00"), "checked_in")], at("16:30")),
        ],
    ),
    "driver_down": (
        ([driver(at("10:00"), "failed")], at("10:11")),
        [([driver(at("10:00"), "failed"), driver(at("10:05"), "recovered")], at("11:00"))],
    ),
}


def run(config: Config, scene: Scene) -> Day:
    """What happens, and what fires until the scene's end."""
    day = Day(config)
    events, until = scene
    day.see(*events)
    day.wait(until)
    return day


def test_there_are_twenty_and_each_has_its_scenes() -> None:
    """Twenty rules, each with what makes it fire and at least one thing that must not."""
    assert len(RULES) == 20
    assert set(SCENES) == set(RULES)
    assert all(scenes[1] for scenes in SCENES.values())


@pytest.mark.parametrize("rule", RULES)
def test_it_fires(rule: str, folder: Path) -> None:
    """The rule fires once for what it is there for, and says why."""
    day = run(config_of(rule, folder), SCENES[rule][0])
    assert day.names() == [rule]
    assert day.fired[0].matched[0] == day.fired[0].spec.when[0] or len(day.fired[0].spec.when) > 1
    assert all(day.fired[0].matched)


QUIET = [(rule, scene) for rule, scenes in SCENES.items() for scene in scenes[1]]


@pytest.mark.parametrize(("rule", "scene"), QUIET, ids=[rule for rule, _ in QUIET])
def test_it_does_not_fire(rule: str, scene: Scene, folder: Path) -> None:
    """The rule keeps quiet about what only resembles it."""
    assert run(config_of(rule, folder), scene).names() == []


@pytest.mark.parametrize(
    ("rule", "changed"),
    [
        ("propped_door", lambda: [door(at("22:00"), "opened", "east")]),
    ],
)
def test_it_is_graver_at_night(rule: str, changed: Callable[[], list[Event]], folder: Path) -> None:
    """A propped door is to be checked by day and grave at night."""
    config = config_of(rule, folder)
    assert run(config, SCENES[rule][0]).fired[0].severity == "check"
    (match,) = run(config, (changed(), at("22:05"))).fired
    assert match.severity == "high"
    assert any(line.startswith("high because: outside") for line in match.matched)


def test_all_twenty_live_together(tmp_path: Path) -> None:
    """The page's rules are valid together, and their scenes fire them beside each other."""
    rules: dict[str, Any] = {}
    for block in RULES.values():
        rules |= yaml.safe_load(block)["rules"]
    (tmp_path / "visitors.csv").write_text("visitor,host,purpose,from,to\n", encoding="utf-8")
    file = tmp_path / "school.yaml"
    file.write_text(SCHOOL + yaml.safe_dump({"rules": rules}), encoding="utf-8")
    config = load_config(file, REGISTRY)
    for rule, (scene, _) in SCENES.items():
        assert rule in run(config, scene).names()


def test_moments_are_in_utc() -> None:
    """The page's school keeps its clock in UTC, so that the scenes mean what they say."""
    assert at("08:00").tzinfo is UTC
