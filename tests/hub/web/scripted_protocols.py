"""Protocols of the scripted house: the shapes of `hub.protocol_views`, moved along by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hub.clock import from_iso, iso
from hub.errors import Refused
from hub.events import new_id

DIRECTIVES = {
    "hold": "In your room or area. Clear the halls.",
    "secure": "Get inside. Lock outside doors.",
    "lockdown": "Locks, lights, out of sight.",
    "evacuate": "To the far side of the yard.",
    "shelter": "Hazard and safety strategy.",
}
DOORS = {"main": "Main entrance", "science_east": "Science East", "gym": "Gym East"}
SECRET = "vsd_cG9uZGVyb3VzLXNlY3JldA"
PIN, DURESS = "4711", "4712"


class ScriptedProtocols:
    """Implements `hub.ports.ProtocolsFacade`; three doors, one channel, one device."""

    def __init__(self, house: Any) -> None:
        self.house = house
        self.runs: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, str] = {}
        self.starts: list[dict[str, Any]] = []
        self.refusal = self.refusal_of_help = ""
        self.feigned: dict[tuple[str, str], str] = {}
        self.helped: list[dict[str, Any]] = []
        self.pins: dict[str, tuple[str, str]] = {}
        self.decided: list[tuple[str, str, str]] = []
        self.fire: dict[str, Any] = {
            "state": "clear",
            "since": None,
            "source": "",
            "place_words": "",
            "decide_by": None,
            "doors": 0,
        }
        self.device_views = [self._device("d1", "Room 12", "science")]
        self.secrets = {SECRET: "d1"}

    def _device(self, device: str, name: str, place: str) -> dict[str, Any]:
        return {
            "id": device,
            "name": name,
            "place": place,
            "place_words": self.house.campus.words(place),
            "created": self.house.ago(90_000),
            "by": "IT",
            "last_used": None,
            "revoked": None,
            "trouble": "",
        }

    async def view(self, to: str = "", reader: str = "") -> Any:
        areas = [{"id": "school", "words": "Whole school"}, {"id": "upper", "words": "First floor"}]
        choices = [
            {
                "protocol": name,
                "name": name.capitalize(),
                "directive": directive,
                "areas": areas if name != "evacuate" else areas[:1],
                "will": [f"Lock {len(DOORS)} doors.", "Tell 64 staff through Phones."]
                if name == "lockdown"
                else ["Tell 64 staff through Phones."],
                "hazards": ["tornado", "chemical spill"] if name == "shelter" else [],
                "location": "The far side of the yard" if name == "evacuate" else "",
            }
            for name, directive in DIRECTIVES.items()
        ]
        runs = [await self.run(each, to) for each in self.runs]
        every = sorted(runs, key=lambda each: each["started"], reverse=True)
        return {
            "in_force": [each for each in every if each["state"] != "ended"],
            "duress": self._duress(to, reader),
            "choices": choices,
            "lately": [each for each in every if each["state"] == "ended"],
            "fire": self.fire,
            "wording": "Standard Response Protocol wording: The “I Love U Guys” Foundation.",
        }

    def _duress(self, to: str, reader: str) -> list[dict[str, str]]:
        return [
            {
                "run": run,
                "name": self.runs[run]["name"],
                "area_words": self.runs[run]["area_words"],
                "by": by,
                "time": self.house.ago(0),
            }
            for (run, session), by in self.feigned.items()
            if reader not in ("", by) and session != to and self.runs[run]["state"] != "ended"
        ]

    async def standing(self, to: str = "", reader: str = "") -> Any:
        view = await self.view(to, reader)
        return {name: view[name] for name in ("in_force", "duress", "fire")}

    async def run(self, run: str, to: str = "") -> Any:
        view = self.runs[run]
        waits = view["protocol"] == "lockdown" and view["state"] != "ended"
        view["decide_by"] = self.fire["decide_by"] if waits else None
        by = self.feigned.get((run, to))
        if by is None or view["state"] == "ended":
            return view
        over = {"state": "ended", "ended": self.house.ago(0), "ended_by": [by], "ending": None}
        over |= {"decide_by": None}
        return {**view, **over, "all_clear": self._clear(view)}

    async def start(
        self,
        protocol: str,
        area: str,
        by: str,
        *,
        device: str = "",
        drill: bool = False,
        doors_real: bool = False,
        announce: bool = False,
        reason: str = "",
        hazard: str = "",
        location: str = "",
        key: str = "",
        to: str = "",
        plan: str = "",
    ) -> Any:
        if self.refusal:
            raise Refused(self.refusal)
        if key and key in self.keys:
            return self.runs[self.keys[key]]
        if area not in ("school", "upper"):
            raise Refused(f"no place {area}")
        run = new_id()
        self.starts.append(
            {
                "protocol": protocol,
                "area": area,
                "by": by,
                "device": device,
                "drill": drill,
                "doors_real": doors_real,
                "announce": announce,
                "reason": reason,
                "hazard": hazard,
                "location": location,
                "key": key,
                "plan": plan,
            }
        )
        over = next(
            (e for e in self.runs.values() if e["state"] == "in_force" and e["area"] == area), None
        )
        if over is not None:
            over["state"] = "covered"
        fenced = drill and not doors_real
        self.runs[run] = {
            "id": run,
            "protocol": protocol,
            "name": protocol.capitalize(),
            "directive": f"{location}." if location else DIRECTIVES[protocol],
            "area": area,
            "area_words": "Whole school" if area == "school" else "First floor",
            "drill": drill,
            "doors_real": doors_real,
            "announced": announce,
            "reason": reason,
            "started": iso(self.house.clock.now()),
            "started_by": by,
            "device": device,
            "incident": "i1",
            "over": over["id"] if over else None,
            "state": "in_force",
            "sentence": f"0 of {len(DOORS)} secured",
            "doors": [self._door(door, "fenced" if fenced else "waiting") for door in DOORS],
            "channels": [
                {
                    "channel": "phones",
                    "name": "Phones",
                    "state": "confirmed",
                    "detail": "64 of 64 accepted",
                    "seconds": 0.4,
                },
                {
                    "channel": "parents",
                    "name": "Parents",
                    "state": "fenced" if drill else "pending",
                    "detail": "",
                    "seconds": None,
                },
            ],
            "secured": 0,
            "total": len(DOORS),
            "ending": None,
            "ended": None,
            "ended_by": [],
            "all_clear": None,
            "decide_by": None,
        }
        self.keys[key or run] = run
        self.house.publish("protocol.started", f"person/{by}", protocol, run=run)
        return self.runs[run]

    def _door(self, door: str, state: str, seconds: float | None = None) -> dict[str, Any]:
        return {
            "door": door,
            "name": DOORS[door],
            "place_words": "Lobby, Ground floor",
            "verb": "lock",
            "state": state,
            "detail": "",
            "tries": 1,
            "seconds": seconds,
        }

    def secure(self, run: str, but: str = "") -> None:
        """Every door has said that it is locked; the one named `but` jams and is asked again."""
        view = self.runs[run]
        for at, each in enumerate(view["doors"]):
            each |= {"state": "secured", "seconds": 0.6 + at / 2}
            if each["door"] == but:
                each |= {
                    "state": "retrying",
                    "seconds": None,
                    "tries": 6,
                    "detail": "the bolt is stuck, trying again in 5 s",
                }
        view["secured"] = sum(each["state"] == "secured" for each in view["doors"])
        named = f"; {DOORS[but]}: not confirmed, retrying" if but else ""
        view["sentence"] = f"{view['secured']} of {view['total']} secured in 1.1 s{named}"
        self.house.publish("protocol.progress", "hub", view["protocol"], run=run)

    async def ask_end(self, run: str, by: str, to: str = "") -> Any:
        view = self.runs[run]
        if view["drill"]:
            return self._over(run, [by])
        if view["ending"]:
            raise Refused(f"{view['ending']['by']} has already asked to end it")
        now = self.house.clock.now()
        view["ending"] = {"by": by, "time": iso(now), "until": iso(now + timedelta(minutes=5))}
        self.house.publish("protocol.progress", f"person/{by}", view["protocol"], run=run)
        return view

    async def withdraw_end(self, run: str, by: str, to: str = "") -> Any:
        self.runs[run]["ending"] = None
        return self.runs[run]

    async def end(self, run: str, by: str, to: str = "") -> Any:
        view = self.runs[run]
        if view["drill"]:
            return self._over(run, [by])
        if view["ending"] is None or from_iso(view["ending"]["until"]) < self.house.clock.now():
            raise Refused("nobody has asked to end it in the last five minutes")
        if view["ending"]["by"] == by:
            raise Refused("it takes a second person to end it; you have asked already")
        return self._over(run, [view["ending"]["by"], by])

    async def end_by_pin(self, run: str, by: str, pin: str, to: str = "") -> Any:
        view = self.runs[run]
        if view["state"] == "ended":
            raise Refused("it has been ended already")
        if pin == DURESS:
            self.feigned[(run, to)] = by
            return await self.run(run, to)
        if pin != PIN:
            raise Refused("that is not your PIN")
        return self._over(run, [by])

    def _clear(self, view: dict[str, Any]) -> dict[str, Any]:
        doors = [{**each, "verb": "unlock", "state": "waiting"} for each in view["doors"]]
        return {
            "sentence": f"0 of {len(doors)} back as before",
            "doors": doors,
            "channels": view["channels"][:1],
        }

    def _over(self, run: str, people: list[str]) -> Any:
        view = self.runs[run]
        view |= {"state": "ended", "ended": self.house.ago(0), "ended_by": people, "ending": None}
        view["all_clear"] = self._clear(view)
        if view["over"]:
            self.runs[view["over"]]["state"] = "in_force"
        self.house.publish("protocol.ended", "hub", view["protocol"], run=run)
        return view

    async def rearm(self, by: str) -> Any:
        if self.fire["state"] == "alarm":
            raise Refused("the fire alarm is still on")
        self.fire |= {"state": "clear", "since": None}
        self.house.publish("doors.rearmed", f"person/{by}")
        return self.fire

    async def decide_fire(self, run: str, choice: str, by: str, to: str = "") -> Any:
        self.decided.append((run, choice, by))
        self.fire["decide_by"] = None
        return self.runs[run]

    async def devices(self) -> Any:
        return self.device_views

    async def device(self, token: str) -> Any:
        wanted = self.secrets.get(token)
        found = (e for e in self.device_views if e["id"] == wanted and not e["revoked"])
        return next(found, None)

    async def press_device(self, device: Any, does: str, *, text: str = "", key: str = "") -> Any:
        name = device["name"]
        if does == "help":
            alert = await self.help(device["place"], "", name, text)
            return {"does": does, "run": None, "alert": alert["id"]}
        run = await self.start(does, "school", name, device=name, key=key)
        return {"does": does, "run": run["id"], "alert": None}

    async def correct_help(self, alert: str, by: str) -> Any:
        if self.refusal_of_help:
            raise Refused(self.refusal_of_help)
        return await self.house.verdict(alert, "dismissed", by, "Pressed by mistake")

    async def enrol(self, name: str, place: str, by: str) -> Any:
        if place not in self.house.config.places:
            raise Refused(f"no place {place}")
        view = {**self._device(new_id(), name, place), "by": by, "created": self.house.ago(0)}
        self.device_views.append(view)
        secret = f"vsd_{view['id']}"
        self.secrets[secret] = view["id"]
        return view, secret

    async def revoke(self, device: str, by: str) -> Any:
        view = next((each for each in self.device_views if each["id"] == device), None)
        if view is None:
            raise KeyError(device)
        view["revoked"] = self.house.ago(0)

    async def set_pins(self, user: str, pin: str, duress: str) -> None:
        if pin == duress:
            raise Refused("the two PINs must differ")
        self.pins[user] = (pin, duress)

    async def help(self, place: str, by: str, device: str, text: str) -> Any:
        self.helped.append({"place": place, "by": by, "device": device, "text": text})
        return self.house.raise_alert("a9", "high", "Help asked for", place=place)
