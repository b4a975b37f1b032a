"""A small house of scripted views over a real journal, for the tests of the pages and the API.

Verdicts, door commands and visits change the views and publish events as the hub would; pictures
are real JPEG files.
"""

import asyncio
import io
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from PIL import Image, ImageDraw
from scripted_cases import ScriptedCases, bare_case
from scripted_protocols import ScriptedProtocols

from hub.audit import Audit
from hub.break_glass import BreakGlass
from hub.campus import Campus
from hub.clock import Clock, SystemClock, iso
from hub.config import Config
from hub.document import Document
from hub.drawn_masks import DrawnMasks
from hub.drills import Drills
from hub.errors import Refused
from hub.events import Event, new_id
from hub.kinds.notifiers import SEVERITIES
from hub.kinds.visitors import WalkIn
from hub.past_views import CAMERA_FIGURES, HUB_FIGURES
from hub.ports import InboundAnswer
from hub.rule_answers import RuleAnswers
from hub.safety.notices.picture_links import PictureLinks
from hub.safety.rules.schedule import timetables
from hub.storage.folder import StateFolder
from hub.storage.journal import Journal
from hub.visitors_port import Matched
from hub.yamlfile import read_yaml

PLACES = {
    "school": {"name": "Lincoln School", "kind": "site"},
    "ground": {"name": "Ground floor", "kind": "floor", "in": "school"},
    "upper": {"name": "First floor", "kind": "floor", "in": "school"},
    "lobby": {"name": "Lobby", "kind": "area", "in": "ground"},
    "science": {"name": "Science wing", "kind": "area", "in": "upper"},
    "yard": {"name": "Yard", "kind": "outdoor", "in": "school"},
    "nurse": {"name": "Nurse's room", "kind": "room", "in": "ground", "private": True},
}


class _Stream:
    def __init__(self, size: int) -> None:
        self.dropped = 0
        self._size = size
        self._items: deque[tuple[int, Event]] = deque()
        self._wake = asyncio.Event()
        self.closed = False

    def put(self, item: tuple[int, Event]) -> None:
        if len(self._items) >= self._size:
            self.dropped += 1
        else:
            self._items.append(item)
        self._wake.set()

    def __aiter__(self) -> "_Stream":
        return self

    async def __anext__(self) -> tuple[int, Event]:
        while not self._items:
            if self.closed:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        return self._items.popleft()


class ScriptedConfiguration:
    """Implements `hub.ports.ConfigurationFacade`: one harmless change, or what a test puts here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trouble = ""
        self.waiting = ""
        self.file = "/etc/vestibule/school.yaml"
        self.refusal = ""
        self.applied: list[tuple[str, str, bool]] = []
        self.files: list[dict[str, Any]] = []
        self.plan: dict[str, Any] = {
            "id": "a" * 64,
            "kept": "",
            "valid": True,
            "problems": [],
            "changes": [change("cameras.lobby.fps", "5", "10")],
            "steps": {"start": [], "stop": [], "restart": ["cameras/lobby"]},
            "grave": [],
        }

    async def view(self) -> dict[str, Any]:
        kept = [
            {"hash": "aaaaaaaaaaaa", "time": "2026-03-02T08:00:00.000Z", "running": True},
            {"hash": "bbbbbbbbbbbb", "time": "2026-03-01T08:00:00.000Z", "running": False},
        ]
        return {
            "file": self.file,
            "hash": "aaaaaaaaaaaa",
            "since": "2026-03-02T08:00:00.000Z",
            "kept_runs": False,
            "trouble": self.trouble,
            "waiting": self.waiting,
            "kept": kept,
        }

    def running(self) -> Document:
        """What the house is configured to be, as a file that was read."""
        file = self.folder / "school.yaml"
        if not file.exists():
            file.write_text(yaml.safe_dump(_config(), sort_keys=False), encoding="utf-8")
        return read_yaml(file)

    async def look(self, kept: str = "") -> dict[str, Any]:
        if self.refusal:
            raise Refused(self.refusal)
        return {**self.plan, "kept": kept}

    async def text(self, kept: str = "") -> list[dict[str, Any]]:
        if self.refusal:
            raise Refused(self.refusal)
        return self.files

    async def apply(self, plan: str, by: str, *, confirmed: bool = False) -> dict[str, Any]:
        if plan != self.plan["id"]:
            raise Refused("this is not what was looked at last; look again, then apply")
        if self.plan["grave"] and not confirmed:
            raise Refused("changes of doors or protocols need a second confirmation")
        self.applied.append((plan, by, confirmed))
        return self.plan


def change(path: str, before: str, after: str, grave: bool = False) -> dict[str, Any]:
    """One change as a look shows it."""
    return {"path": path, "kind": "changed", "before": before, "after": after, "grave": grave}


class ScriptedHouse:
    """Implements `hub.ports.HouseFacade`."""

    def __init__(self, folder: Path, clock: Clock | None = None, stream_size: int = 256) -> None:
        self.folder = folder
        self.clock: Clock = clock or SystemClock()
        self.config = Config.model_validate(_config())
        self.configuration = ScriptedConfiguration(folder)
        self.campus = Campus(self.config.places)
        self.journal = Journal(folder / "journal.db")
        self.audit = Audit(self.journal, folder, self.clock)
        self.cases = ScriptedCases(self)
        self.masks = DrawnMasks(self.configuration, self.journal, self.clock)
        self.glass = BreakGlass(self.cases.intake)
        know = (self.clock, lambda: (self.config, self.campus), lambda name: False)
        self.rules = RuleAnswers(self.journal, StateFolder(folder), *know, self.configuration)
        self._stream_size = stream_size
        self._streams: set[_Stream] = set()
        self._past: list[tuple[int, Event]] = []
        self.commands: list[tuple[str, str, str, str]] = []
        self.kept_for: list[float | None] = []
        self.restored: list[tuple[str, str, str]] = []
        self.health_view: dict[str, Any] = {}
        self.model_views: list[dict[str, Any]] = []
        self.camera_views: list[dict[str, Any]] = []
        self.door_views: list[dict[str, Any]] = []
        self.alert_views: dict[str, dict[str, Any]] = {}
        self.incident_views: dict[str, dict[str, Any]] = {}
        self.visit_views: list[dict[str, Any]] = []
        self.not_admitted: dict[str, str] = {}
        self.admitted: dict[str, str] = {}
        self.desks_silent: list[str] = []
        self.desks_open: list[str] = ["front"]
        self.rolls: list[tuple[str, int]] = []
        self.looked: list[tuple[str, str]] = []
        self.watched: list[str] = []
        self.picture_links = PictureLinks(b"secret of the tests")
        self.browser_keys: dict[str, str] = {}
        self.protocols = ScriptedProtocols(self)
        self.drills = Drills(self.cases.intake, self.protocols)
        self._furnish()

    async def push_keys(self) -> dict[str, str]:
        """What browsers subscribe with, by notifier."""
        return self.browser_keys

    async def open(self) -> None:
        """Open the journal."""
        await self.journal.open()

    async def close(self) -> None:
        """Close the journal."""
        await self.journal.close()

    def ago(self, seconds: float) -> str:
        """The time that many seconds before now."""
        return iso(self.clock.now() - timedelta(seconds=seconds))

    # the facade

    def cameras(self) -> list[Any]:
        views = []
        for each in self.camera_views:
            file = self.snapshot(each["id"])
            fresh = dict(each)
            if file is not None and each["state"] == "online":
                fresh["picture_time"] = self.ago(0.3)
                fresh["picture_age_s"] = 0.3
            views.append(fresh)
        return views

    def snapshot(self, camera: str) -> Path | None:
        file = self.folder / f"snapshot-{camera}.jpg"
        return file if file.exists() else None

    def watch(self, camera: str) -> None:
        self.watched.append(camera)

    def media(self, name: str) -> Path | None:
        file = self.folder / "media" / name
        return file if file.exists() else None

    async def camera_of(self, picture: str) -> str:
        by_alert = (e["camera"] for e in self.alert_views.values() if e["picture"] == picture)
        stories = (entry for each in self.incident_views.values() for entry in each["entries"])
        told = (e["data"].get("camera", "") for e in stories if e["picture"] == picture)
        return next(filter(None, (*by_alert, *told)), "")

    def in_force(self, schedule: str) -> bool:
        known = timetables(self.config.schedules, self.config.hub.timezone).get(schedule)
        return known is not None and known.in_force(self.clock.now())

    def doors(self) -> list[Any]:
        return [dict(each) for each in self.door_views]

    async def door_past(self, door: str) -> list[Any]:
        return [
            {
                "time": self.ago(600),
                "type": "action.confirmed",
                "text": f"{self.config.doors[door].name} locked, read back",
                "tone": "ok",
            }
        ]

    async def command_door(
        self,
        door: str,
        verb: str,
        by: str,
        reason: str,
        *,
        lasts: float | None = None,
        may_enter: bool = False,
    ) -> str:
        view = next((each for each in self.door_views if each["id"] == door), None)
        if view is None:
            raise KeyError(door)
        if verb not in view["verbs"]:
            raise Refused(f"{view['name']} does not take {verb}: no free egress is attested")
        wanted = view["intent"]
        if verb == "momentary" and wanted and wanted["owner_kind"] == "protocol" and not may_enter:
            raise Refused(f"{wanted['reason']} keeps {view['name']} locked")
        self.commands.append((door, verb, by, reason))
        self.kept_for.append(lasts)
        view["requested"] = {
            "verb": verb,
            "by": by,
            "reason": reason,
            "time": self.ago(0),
            "state": "pending",
            "detail": "",
        }
        self.publish("door.online", f"door/{door}", door)
        return new_id()

    async def opened(self, alert: str, by: str) -> None:
        self.looked.append((alert, by))

    async def alerts(self, open_only: bool = False) -> list[Any]:
        views = [each for each in self.alert_views.values() if _open(each) or not open_only]
        return sorted(
            (self._aged(each) for each in views),
            key=lambda each: (
                not _open(each),
                SEVERITIES.index(each["severity"]),
                each["opened"],
            ),
        )

    async def alert(self, alert: str) -> Any:
        return self._aged(self.alert_views[alert])

    def _aged(self, view: dict[str, Any]) -> dict[str, Any]:
        return {**view, "age_s": 1.0}

    async def verdict(self, alert: str, verdict: str, by: str, note: str = "") -> Any:
        view = self.alert_views[alert]
        standing = view["verdict"]
        if standing and standing["verdict"] != "unsure":
            raise Refused(f"already {standing['verdict']} by {standing['by']}")
        view["state"] = verdict
        view["verdict"] = {"verdict": verdict, "by": by, "time": self.ago(0), "note": note}
        self.publish(f"alert.{verdict}", f"person/{by}", alert)
        return self._aged(view)

    async def undo(self, alert: str, by: str) -> Any:
        view = self.alert_views[alert]
        if view["state"] != "dismissed":
            raise Refused("a verified alert is not taken back; resolve it when it is over")
        view["state"], view["verdict"] = "raised", None
        self.publish("alert.reopened", f"person/{by}", alert)
        return self._aged(view)

    async def acknowledge(self, alert: str, by: str) -> Any:
        view = self.alert_views[alert]
        if view["acknowledged"] and view["acknowledged"]["by"] != by:
            raise Refused(f"{view['acknowledged']['by']} already took this alert on")
        view["acknowledged"] = {"by": by, "time": self.ago(0), "note": ""}
        self.publish("alert.acknowledged", f"person/{by}", alert)
        return self._aged(view)

    async def resolve(self, alert: str, by: str, note: str = "") -> Any:
        view = self.alert_views[alert]
        if view["state"] != "verified":
            raise Refused("nobody has said yet whether this is real; verify or dismiss it first")
        view["resolved"] = {"by": by, "time": self.ago(0), "note": note}
        self.publish("alert.resolved", f"person/{by}", alert)
        return self._aged(view)

    async def restore_rule(self, rule: str, camera: str, by: str) -> None:
        if rule not in ("closed_wing",):
            raise KeyError(rule)
        self.restored.append((rule, camera, by))

    async def incidents(self) -> list[Any]:
        views = [{**each, "entries": []} for each in self.incident_views.values()]
        return sorted(views, key=lambda each: each["opened"], reverse=True)

    async def incident(self, incident: str) -> Any:
        return self.incident_views[incident]

    async def visits(self) -> list[Any]:
        return [dict(each) for each in self.visit_views]

    def silent_desks(self) -> list[str]:
        return self.desks_silent

    async def match(self, desk: str, visit: str) -> Any:
        view = self._visit(desk, visit)
        reason = self.not_admitted.get(view["visitor"])
        return None if reason is None else {"visit": view, "reason": reason}

    async def check_in(self, desk: str, visit: str, by: str, admit: str = "") -> Any:
        view = self._visit(desk, visit)
        if view["state"] != "expected":
            raise Refused(f"{view['visitor']} is not expected")
        if not admit and (reason := self.not_admitted.get(view["visitor"])):
            raise Matched(f"{view['visitor']} may be somebody not to admit: {reason}")
        self.admitted[visit] = admit
        view.update(state="here", arrived=self.ago(0), badge="9")
        return view

    def desks_for_walk_ins(self) -> list[str]:
        return self.desks_open

    async def register(self, desk: str, walk_in: WalkIn, by: str) -> Any:
        if desk not in self.desks_open:
            raise KeyError(desk)
        same = [each for each in self.visit_views if each["visitor"] == walk_in.visitor]
        if len(same) > walk_in.namesakes:
            raise Refused("%(visitor)s is already checked in", visitor=walk_in.visitor)
        view = self._visitor(f"w{len(self.visit_views)}", walk_in.visitor, "expected", 0)
        view.update(desk=desk, host=walk_in.host, purpose=walk_in.purpose, until=iso(walk_in.until))
        self.visit_views.append(view)
        return view

    async def badge(self, desk: str, visit: str, by: str) -> Any:
        view = self._visit(desk, visit)
        if view["state"] != "here":
            raise Refused("%(visitor)s is not here", visitor=view["visitor"])
        return view

    async def roll_opened(self, by: str, people: int) -> None:
        self.rolls.append((by, people))

    async def check_out(self, desk: str, visit: str, by: str) -> Any:
        view = self._visit(desk, visit)
        if view["state"] != "here":
            raise Refused(f"{view['visitor']} is not here")
        view["state"], view["left"] = "left", self.ago(0)
        return view

    def _visit(self, desk: str, visit: str) -> dict[str, Any]:
        for each in self.visit_views:
            if (each["desk"], each["id"]) == (desk, visit):
                return each
        raise KeyError(visit)

    async def health(self) -> Any:
        return {**self.health_view, "alerts_open": len(await self.alerts(open_only=True))}

    async def past(self, about: str, hours: int) -> Any:
        names = HUB_FIGURES if about == "hub" else CAMERA_FIGURES
        now = int(self.clock.now().timestamp()) // 60 * 60
        times = list(range(now - hours * 3600, now + 1, hours * 10))
        figures = []
        for key, name in names.items():
            values = [None if 20 < at < 70 else float(at % 7) for at in range(len(times))]
            figures.append({"key": key, "name": name, "values": values})
        return {
            "about": about,
            "hours": hours,
            "step_s": hours * 10,
            "times": times,
            "figures": figures,
        }

    async def models(self) -> Any:
        return self.model_views

    @contextmanager
    def events(self) -> Iterator[_Stream]:
        stream = _Stream(self._stream_size)
        self._streams.add(stream)
        try:
            yield stream
        finally:
            stream.closed = True
            self._streams.discard(stream)

    async def past_events(self, after: int, limit: int = 500) -> Sequence[tuple[int, Event]]:
        return [each for each in self._past if each[0] > after][:limit]

    async def receive(self, inbound: str, headers: Any, body: bytes) -> InboundAnswer:
        said = {"error": "There is no such inbound block.", "hint": "They stand in the file."}
        return InboundAnswer(404, said, proven=False)

    async def journal_write(self, work: Callable[[Any], Any]) -> Any:
        return await self.journal.write(work)

    async def journal_read(self, work: Callable[[Any], Any]) -> Any:
        return await self.journal.read(work)

    # the script

    def publish(self, kind: str, source: str = "hub", subject: str = "", **data: Any) -> int:
        """Commit an event and tell every stream; its sequence number."""
        event = Event(kind, source, self.clock.now(), subject, data)
        item = (len(self._past) + 1, event)
        self._past.append(item)
        for stream in self._streams:
            stream.put(item)
        return item[0]

    def raise_alert(self, alert: str, severity: str, title: str, **more: Any) -> dict[str, Any]:
        """Add an open alert and say so."""
        view = self._alert(alert, severity, title, **more)
        self.alert_views[alert] = view
        self.publish("alert.raised", "rule/test", alert)
        return view

    def _alert(self, alert: str, severity: str, title: str, **more: Any) -> dict[str, Any]:
        place = more.pop("place", "science")
        opened = self.ago(more.pop("since", 72.0))
        return {
            "id": alert,
            "rule": "closed_wing",
            "title": title,
            "severity": severity,
            "state": "raised",
            "place": place,
            "place_name": self.campus.name(place),
            "place_words": self.campus.words(place),
            "camera": "science",
            "door": "",
            "opened": opened,
            "updated": opened,
            "age_s": 0.0,
            "count": 1,
            "incident": "",
            "picture": None,
            "box": None,
            "frame_size": None,
            "matched": ["a person came into Laboratory corridor", "the science wing is closed"],
            "label": "person",
            "score": 0.86,
            "guessing": False,
            "could_be": "staff with a key, cleaning",
            "will": ["Locks Science East, Science West, Stair B", "Tells SRO through Console"],
            "verdict": None,
            "acknowledged": None,
            "resolved": None,
            "ladder": None,
            "unheard": None,
            "together": [],
            "told": [],
            "reviewed": False,
            **more,
        }

    def take_picture(self, camera: str, person: tuple[int, int] | None = None) -> None:
        """Write a camera's newest picture, renamed into place as a worker does."""
        part = self.folder / f"snapshot-{camera}.part"
        part.write_bytes(jpeg(camera, person))
        part.rename(self.folder / f"snapshot-{camera}.jpg")

    def keep_picture(self, camera: str, person: tuple[int, int] | None = None) -> str:
        """Keep a picture as media; its name."""
        name = f"{new_id()}.jpg"
        (self.folder / "media").mkdir(exist_ok=True)
        (self.folder / "media" / name).write_bytes(jpeg(camera, person))
        return name

    def _furnish(self) -> None:
        for camera in ("lobby", "science", "yard"):
            self.take_picture(camera, (410, 250) if camera == "science" else None)
        self.camera_views = [
            self._camera("lobby", "Lobby"),
            self._camera("science", "Science corridor"),
            self._camera("yard", "Yard"),
            self._camera("gym", "Gym North", state="offline", reason="No answer since 10:30"),
            self._camera("nurse", "Nurse", state="disabled", private=True),
        ]
        both = ["lock", "unlock", "momentary"]
        self.door_views = [
            self._door("main", "Main entrance", "lobby", "secured", both),
            self._door("science_east", "Science East", "science", "not_secured", both),
            self._door("gym", "Gym East", "lobby", "unknown", both),
            self._door("stair_b", "Stair B", "science", "unlocked", both),
            self._door("office", "Office inner", "lobby", "secured", []),
        ]
        self._furnish_story()
        self.visit_views = [
            self._visitor("v1", "Contractor, heating", "here", -1620),
            self._visitor("v2", "Parent, grade 4", "here", 1080),
            self._visitor("v3", "Delivery, kitchen", "expected", 3600),
            self._visitor("v4", "Speech therapist", "left", 600),
        ]
        self.health_view = self._health()
        self.model_views = [
            {
                "name": "people",
                "title": "People, seen by a fixed camera",
                "licence": "Apache-2.0",
                "sha256": "ab" * 32,
                "shipped": True,
                "detectors": ["people"],
                "card": "# People\n\nFails on <crowds> & at night.",
            }
        ]

    def _furnish_story(self) -> None:
        at = (410, 250)
        pictures = [self.keep_picture("science", p) for p in (None, (380, 240), at, (440, 262))]
        alert = self._alert(
            "a1",
            "severe",
            "Person in the closed science wing",
            incident="i1",
            picture=pictures[2],
            box=[372.0, 142.0, 448.0, 330.0],
            frame_size=[640, 360],
            count=3,
        )
        low = self._alert(
            "a2",
            "high",
            "Door forced",
            since=160.0,
            camera="",
            door="science_east",
            label="",
            score=None,
            matched=["Science East opened while it was locked"],
            could_be="a key",
        )
        self.alert_views = {"a1": alert, "a2": low}
        entries = [
            self._entry(80, "picture.saved", "Picture 8 s before the match", picture=pictures[0]),
            self._entry(72, "alert.raised", "Person in the closed science wing", tone="severe"),
            self._entry(72, "picture.saved", "Picture at the match", picture=pictures[2]),
            self._entry(40, "action.confirmed", "SRO told through the console", tone="ok"),
            self._entry(30, "alert.verified", "Verified by SRO: it is real"),
            self._entry(29, "action.confirmed", "Stair B locked, read back", tone="ok"),
            self._entry(22, "door.jammed", "Science East not secured: bolt stuck", tone="severe"),
        ]
        door = {"kind": "door", "attempts": 1, "created": self.ago(30), "detail": ""}
        self.incident_views = {
            "i1": {
                "id": "i1",
                "title": "Person in the closed science wing",
                "severity": "severe",
                "state": "open",
                "place": "science",
                "place_words": self.campus.words("science"),
                "opened": self.ago(72),
                "updated": self.ago(22),
                **bare_case(),
                "alerts": [alert],
                "actions": [
                    {
                        **door,
                        "key": "k1",
                        "target": "stair_b",
                        "what": "Lock Stair B",
                        "state": "confirmed",
                        "finished": self.ago(28.6),
                    },
                    {
                        **door,
                        "key": "k2",
                        "target": "science_east",
                        "what": "Lock Science East",
                        "state": "failed",
                        "attempts": 3,
                        "finished": self.ago(22),
                        "detail": "the bolt is stuck",
                    },
                ],
                "entries": entries,
            }
        }

    def _entry(self, ago: float, kind: str, text: str, **more: Any) -> dict[str, Any]:
        return {
            "event": new_id(),
            "incident": "i1",
            "time": self.ago(ago),
            "received": self.ago(ago - 0.3),
            "late_s": 0.3,
            "clock": "",
            "source": "camera/science",
            "type": kind,
            "text": text,
            "tone": "neutral",
            "picture": None,
            "data": {},
            **more,
        }

    def _camera(self, camera: str, name: str, **more: Any) -> dict[str, Any]:
        place = camera if camera in PLACES else "ground"
        return {
            "id": camera,
            "name": name,
            "place": place,
            "place_words": self.campus.words(place),
            "state": "online",
            "reason": "",
            "since": self.ago(3000),
            "picture_time": None,
            "picture_age_s": None,
            "gate": "watching",
            "fps": 5.0,
            "rate": 14.9,
            "decoded": 1204,
            "triggered": 130,
            "inferred": 122,
            "dropped": 0,
            "detector": "yolox-nano",
            "guessing": False,
            "private": False,
            "masked": 0,
            **more,
        }

    def _door(
        self, door: str, name: str, place: str, conclusion: str, verbs: list[str]
    ) -> dict[str, Any]:
        bad, gone = conclusion == "not_secured", conclusion == "unknown"
        lock = "jammed" if bad else "unlocked" if conclusion == "unlocked" else "locked"
        fact = {"time": self.ago(400 if gone else 2), "age_s": 400.0 if gone else 2.0}
        return {
            "id": door,
            "name": name,
            "place": place,
            "place_words": self.campus.words(place),
            "online": not gone,
            "egress": "free" if verbs else None,
            "verbs": verbs,
            "requested": None
            if conclusion == "unlocked"
            else {
                "verb": "lock",
                "by": "timetable",
                "reason": "school hours",
                "time": self.ago(600),
                "state": "failed" if bad else "confirmed",
                "detail": "",
            },
            "reported": {"lock": "unknown" if gone else lock, "stale": gone, **fact},
            "physical": {"position": "unknown" if gone else "closed", "stale": gone, **fact},
            "conclusion": conclusion,
            "detail": "the bolt is stuck, 6 tries, trying again every 5 s" if bad else "",
            "intent": None,
            "differs": "",
        }

    def want(self, door: str, verb: str, owner_kind: str, by: str, **more: Any) -> None:
        """Somebody wants something of a door."""
        view = next(each for each in self.door_views if each["id"] == door)
        view["intent"] = {
            "id": new_id(),
            "verb": verb,
            "by": by,
            "owner_kind": owner_kind,
            "owner": more.pop("owner", by),
            "reason": "",
            "since": self.ago(300),
            "expires": None,
            "differs": None,
            "given_up": None,
            "incident": "",
            "drill": False,
            **more,
        }

    def _visitor(self, visit: str, who: str, state: str, left_s: float) -> dict[str, Any]:
        return {
            "id": visit,
            "desk": "front",
            "visitor": who,
            "host": "Facilities",
            "purpose": "maintenance",
            "expected": self.ago(7200),
            "until": self.ago(-left_s),
            "arrived": None if state == "expected" else self.ago(7000),
            "left": self.ago(60) if state == "left" else None,
            "state": state,
            "overstayed": state == "here" and left_s < 0,
            "badge": "" if state == "expected" else visit.removeprefix("v"),
        }

    def _health(self) -> dict[str, Any]:
        process = {"pid": 4012, "state": "running", "restarts": 0, "cpu_s": 41.2}
        driver = {"driver": "simulated", "state": "running", "reason": "", "restarts": 0}
        return {
            "state": "degraded",
            "problems": ["camera Gym North is offline", "door Gym East does not answer"],
            "notes": [],
            "configuration": "",
            "version": "0.1.0",
            "started": self.ago(90_000),
            "uptime_s": 90_000.0,
            "detecting": "yolox-nano 416 (Apache-2.0)",
            "guessing": False,
            "processes": [
                {**process, "name": "hub", "rss_peak_mb": 96.0},
                {**process, "name": "perception", "rss_peak_mb": 240.0, "restarts": 1},
            ],
            "drivers": [
                {**driver, "kind": "cameras", "id": "lobby"},
                {
                    **driver,
                    "kind": "access_control",
                    "id": "gym_relay",
                    "driver": "mqtt",
                    "state": "retrying",
                    "reason": "no answer for 6 min, next try in 20 s",
                },
            ],
            "plugins": [
                {
                    "name": "pager",
                    "source": "file",
                    "version": "0.1.0",
                    "kinds": ["notifiers"],
                    "state": "quarantined",
                    "reason": "quarantined after 5 faults in 120 s; last: its plugin host died",
                    "faults": 6,
                    "last": "is quarantined: quarantined after 5 faults",
                    "last_at": self.ago(90),
                },
                {
                    "name": "vendor-board:board",
                    "source": "entry point",
                    "version": "2.1",
                    "kinds": ["access_control"],
                    "state": "ok",
                    "reason": "",
                    "faults": 2,
                    "last": "hangs: start() has taken 4 s so far",
                    "last_at": self.ago(60),
                },
            ],
            "queues": {
                "journal": {"waiting": 2, "limit": 2048, "dropped": 0},
                "inference": {"waiting": 30, "limit": 48, "dropped": 4},
            },
            "work": {"perception": {"decode_s": 9.1, "gate_s": 2.0, "pictures_mb": 12.5}},
            "events": 1520,
            "heartbeat": {
                "every": "5m",
                "last": self.ago(60),
                "age_s": 60.0,
                "took_s": 0.021,
                "trouble": "",
                "watcher": "",
            },
            "backup": {"every": "1h", "last": self.ago(1200), "trouble": ""},
            "pages": {
                "address": "http://127.0.0.1:8480",
                "tls": "off",
                "fingerprint": "",
                "certificate_until": "",
            },
            "machine": {
                "free_mb": 81920,
                "total_mb": 122880,
                "clock_kept": True,
                "clock_error_s": 0.012,
                "python": "3.11.7",
                "system": "Linux 6.1",
            },
            "alerts_open": 0,
            "actions": {"confirmed": 8, "failed": 1, "timed_out": 0, "pending": 1},
        }


def _open(view: dict[str, Any]) -> bool:
    return view["state"] in ("raised", "unsure")


def _config() -> dict[str, Any]:
    camera = {"driver": "simulated"}
    door = {"controller": "main", "egress": "free"}
    return {
        "hub": {"name": "Lincoln School", "timezone": "Europe/Berlin"},
        "places": PLACES,
        "cameras": {
            "lobby": {**camera, "place": "lobby"},
            "science": {**camera, "place": "science"},
            "yard": {**camera, "place": "yard"},
            "gym": {**camera, "place": "ground"},
            "nurse": {**camera, "place": "nurse"},
        },
        "access_control": {"main": {"driver": "mqtt"}},
        "doors": {
            "main": {**door, "name": "Main entrance", "place": "lobby"},
            "science_east": {**door, "name": "Science East", "place": "science"},
            "gym": {**door, "name": "Gym East", "place": "lobby"},
            "stair_b": {**door, "name": "Stair B", "place": "science"},
            "office": {**door, "name": "Office inner", "place": "lobby", "egress": None},
        },
        "roles": {"porter": {"name": "Porter", "may": ["see.doors", "command.doors"]}},
    }


@cache
def jpeg(camera: str, person: tuple[int, int] | None) -> bytes:
    """The scene as a JPEG file."""
    buffer = io.BytesIO()
    draw_scene(camera, person).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def draw_scene(camera: str, person: tuple[int, int] | None) -> Image.Image:
    """A corridor, lobby or yard of 640 x 360 pixels, and somebody standing in it."""
    indoors = camera != "yard"
    image = Image.new("RGB", (640, 360), "#46515d" if indoors else "#a8c8e4")
    pen = ImageDraw.Draw(image)
    pen.polygon([(0, 360), (240, 230), (400, 230), (640, 360)], "#39434f" if indoors else "#6f8f58")
    if indoors:
        pen.rectangle((240, 120, 400, 230), "#55616e")
        pen.rectangle((286, 150, 354, 230), "#2f3843")
        pen.polygon([(300, 66), (340, 66), (362, 100), (278, 100)], "#e7eef5")
    else:
        pen.rectangle((60, 120, 200, 240), "#9b5a3c")
        pen.ellipse((470, 90, 570, 210), "#3f6b3c")
    if person is not None:
        x, y = person
        pen.ellipse((x - 13, y - 104, x + 13, y - 76), "#12161b")
        pen.rounded_rectangle((x - 24, y - 72, x + 24, y + 8), 12, "#12161b")
        pen.rectangle((x - 20, y, x - 4, y + 76), "#12161b")
        pen.rectangle((x + 4, y, x + 20, y + 76), "#12161b")
    return image
