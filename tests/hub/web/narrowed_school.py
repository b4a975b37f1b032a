"""A scripted school, half of which lies beyond the reach of its guards.

Everything beyond carries the word BEYOND in what people call it and in what is told of it, so that
a test may look for that in whatever leaves the hub. Within are the lobby and what is part of it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripted_cases import ScriptedCases, bare_case
from scripted_house import PLACES, ScriptedHouse

from hub.break_glass import BreakGlass
from hub.campus import Campus
from hub.config import Config
from hub.identity.permissions import PERMISSIONS, ROLES
from hub.testing.clock import FakeClock

BEYOND = "BEYOND"
AT_NIGHT = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)
BY_DAY = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)


def narrowed(folder: Path, *, hours: bool = False) -> ScriptedHouse:
    """The school. Its role `guard` may everything at night, in and around the lobby; with `hours`
    every built-in role as well holds by night only.
    """
    house = ScriptedHouse(folder, FakeClock(AT_NIGHT))
    house.config = Config.model_validate(_config(hours))
    house.campus = Campus(house.config.places)
    house.cases = ScriptedCases(house)
    house.glass = BreakGlass(house.cases.intake)
    for view in (*house.camera_views, *house.door_views):
        if view["place"] != "lobby":
            view["name"] = f"{BEYOND} {view['name']}"
    for view in house.door_views:
        view["place"] = house.config.doors[view["id"]].place
    for view in house.visit_views:
        view["desk"] = "front" if view["id"] in ("v1", "v3") else "back"
        if view["desk"] == "back":
            view["visitor"] = f"{BEYOND} {view['visitor']}"
    _alerts(house)
    _incidents(house)
    house.health_view["problems"] = [
        f"camera {BEYOND} Science is offline: no answer",
        "door science_east does not answer",
        "the disk is nearly full",
    ]
    house.health_view["notes"] = [f"rule x is only reviewed by {BEYOND} Science"]
    house.health_view["drivers"][0]["id"] = "science"
    house.health_view["drivers"][0]["reason"] = f"{BEYOND} nobody answers"
    return house


def _config(hours: bool) -> dict[str, Any]:
    camera, door = {"driver": "simulated"}, {"controller": "main", "egress": "free"}
    roles: dict[str, Any] = {
        "guard": {"name": "Guard", "may": sorted(PERMISSIONS), "places": ["lobby"]},
        "watcher": {"may": ["see.cameras", "see.alerts", "see.health"], "cameras": ["lobby"]},
    }
    roles["guard"]["break_glass"] = ["see.cameras", "see.doors"]
    roles["day_guard"] = {"may": ["see.doors"], "hours": "nights", "break_glass": ["see.doors"]}
    for role in (*ROLES, "guard") if hours else ("guard",):
        roles.setdefault(role, {})["hours"] = "nights"
    return {
        "hub": {"name": "Lincoln School", "timezone": "UTC"},
        "places": {**PLACES, "desk": {"name": "Desk", "kind": "room", "in": "lobby"}},
        "cameras": {
            "lobby": {**camera, "place": "lobby"},
            "science": {**camera, "place": "science", "name": f"{BEYOND} Science"},
            "yard": {**camera, "place": "yard", "name": f"{BEYOND} Yard"},
        },
        "access_control": {"main": {"driver": "mqtt"}},
        "doors": {
            "main": {**door, "name": "Main entrance", "place": "lobby"},
            "gym": {**door, "name": "Gym East", "place": "ground", "leads_to": "lobby"},
            "science_east": {**door, "name": f"{BEYOND} East", "place": "science"},
            "stair_b": {**door, "name": f"{BEYOND} Stair", "place": "science"},
            "office": {**door, "name": "Office inner", "place": "desk"},
        },
        "visitors": {
            "front": {"driver": "desk", "place": "desk"},
            "back": {"driver": "desk", "place": "yard"},
        },
        "schedules": {"nights": {"weekly": [{"from": "18:00", "to": "06:00"}]}},
        "roles": roles,
        "people": {
            "principal": {"name": "Principal", "role": "principal"},
            "auditor": {"name": "Auditor", "role": "auditor"},
            "nurse": {"name": "Nurse", "role": "nurse"},
            "guard": {"name": "The guard", "role": "guard"},
        },
        "notifiers": {
            "console": {"driver": "console"},
            "off": {"driver": "console", "enabled": False},
            "parents": {"driver": "console", "outside": True},
        },
    }


def _alerts(house: ScriptedHouse) -> None:
    for view in house.alert_views.values():
        view["title"] = f"{BEYOND} {view['title']}"
        view["matched"] = [f"{BEYOND} corridor"]
    kept = house.keep_picture("lobby")
    own = {"place": "lobby", "matched": ["somebody came in"]}
    house.alert_views |= {
        "b1": house._alert("b1", "high", "Person", camera="lobby", picture=kept, **own),
        "b2": house._alert(
            "b2",
            "check",
            "Seen from elsewhere",
            camera="science",
            picture=house.keep_picture("science"),
            **own,
        ),
    }


def _incidents(house: ScriptedHouse) -> None:
    first = house.incident_views["i1"]
    first["title"] = f"{BEYOND} {first['title']}"
    for entry in first["entries"]:
        entry["text"] = f"{BEYOND} {entry['text']}"
        entry["data"] = {"camera": "science", "place": "science"}
    for action in first["actions"]:
        action["what"] = f"{BEYOND} {action['what']}"
    alerts = house.alert_views
    entries = [
        house._entry(60, "zone.entered", "Person seen in Lobby", source="camera/lobby",
                     picture=alerts["b1"]["picture"],
                     data={"camera": "lobby", "place": "lobby"}),
        house._entry(50, "zone.entered", f"{BEYOND} seen in Science", source="camera/science",
                     picture=alerts["a1"]["picture"],
                     data={"camera": "science", "place": "science"}),
        house._entry(40, "zone.entered", "Seen in Lobby by another", source="camera/science",
                     picture=alerts["b2"]["picture"],
                     data={"camera": "science", "place": "lobby", "picture": f"{BEYOND}.jpg"}),
        house._entry(30, "door.jammed", f"{BEYOND} jammed", source="door/stair_b"),
        house._entry(20, "incident.note", "Written down by somebody", source="person/Principal"),
    ]  # fmt: skip
    house.incident_views["i2"] = {
        **first,
        "id": "i2",
        "title": "Somebody in the lobby, and elsewhere",
        "place": "lobby",
        **bare_case(),
        "links": [
            {"how": "split_from", "incident": "i1", "title": f"{BEYOND} case", "state": "open"}
        ],
        "alerts": [alerts["b1"], alerts["a2"]],
        "actions": [dict(each) for each in first["actions"]],
        "entries": entries,
    }
