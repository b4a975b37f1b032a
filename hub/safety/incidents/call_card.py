"""What to say to emergency services: a card to read from, made of what is known.

The hub never calls anybody by itself. The card leads to the telephone of whoever holds it, and a
person speaks. What a dispatcher asks first stands first: where exactly, then what, then who calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from hub.campus import Campus
from hub.clock import from_iso
from hub.config import Config
from hub.incident_settings import CASE_ROLES
from hub.incident_views import CallCardView, CallFacts, CallLine, HandOffView
from hub.safety.incidents.near import around
from hub.views import AlertView, DoorView, IncidentView

WAYS_IN = 3
NOWHERE = "where it is was not said, and the school has no single `address`"
DOOR_IS: dict[str, str] = {
    "secured": "locked",
    "unlocked": "unlocked",
    "open": "open",
}


def call_card(
    config: Config,
    campus: Campus,
    incident: IncidentView,
    doors: Sequence[DoorView],
    now: datetime,
    hand_off: Sequence[HandOffView] = (),
) -> CallCardView:
    """The card of a complete incident view, with what came of handing it over. `missing` names, in
    words, what the configuration ought to say and does not.
    """
    place = _at(campus, incident)
    address = next(
        (one for step in campus.ancestry(place) if (one := _address(config, step))), ""
    ) or _only_address(config, campus, place)
    points = (config.places[step].coordinates for step in campus.ancestry(place))
    point = next((each for each in points if each is not None), None)
    emergency = config.hub.emergency
    facts = CallFacts(
        school=config.hub.name,
        address=address,
        place=campus.words(place),
        coordinates=point,
        verified=any(_is_real(one) for one in incident["alerts"]),
        call_back=emergency.call_back,
    )
    lines = [
        CallLine(ask="Where", say=", ".join(part for part in (config.hub.name, address) if part)),
        CallLine(ask="Exactly", say=_exactly(campus, incident, place)),
        *([CallLine(ask="Coordinates", say=f"{point[0]:.5f}, {point[1]:.5f}")] if point else []),
        CallLine(ask="Way in", say=_ways_in(config, campus, place, doors)),
        CallLine(ask="What", say=_what(incident)),
        CallLine(ask="How sure", say=_how_sure(incident["alerts"])),
        CallLine(ask="Since", say=_since(config, incident, now)),
        CallLine(ask="At the scene", say=_people(incident)),
        CallLine(ask="Call back", say=emergency.call_back or "Say your own number"),
    ]
    missing = []
    if not address:
        missing.append("no place here has an `address`" if any(campus.ancestry(place)) else NOWHERE)
    if not emergency.call_back:
        missing.append("`hub.emergency.call_back` has no number")
    return CallCardView(
        number=emergency.number,
        drill=incident["drill"],
        lines=lines,
        facts=facts,
        missing=missing,
        hand_off=list(hand_off),
    )


def _standing(alerts: Sequence[AlertView]) -> list[AlertView]:
    """The alerts that nobody has called false, those that are verified first."""
    return sorted(
        (one for one in alerts if one["state"] != "dismissed"), key=lambda a: not _is_real(a)
    )


def _at(campus: Campus, incident: IncidentView) -> str:
    """The place that the card is about: where the one verified place within the incident is, which
    may have begun elsewhere in it, or as something else.
    """
    real = {one.get("place", "") for one in incident["alerts"] if _is_real(one)}
    only = real.pop() if len(real) == 1 else ""
    return only if only and campus.within(only, incident["place"]) else incident["place"]


def _exactly(campus: Campus, incident: IncidentView, place: str) -> str:
    """The place in words, and where else something stands that belongs to the incident."""
    others: dict[str, str] = {}
    for alert in _standing(incident["alerts"]):
        elsewhere = alert.get("place", "")
        if elsewhere and elsewhere != place and elsewhere not in others:
            others[elsewhere] = f"{alert['title']}: {campus.words(elsewhere)}"
    here = campus.words(place) or ("" if others else "Not known yet")
    return ". ".join(part for part in (here, *others.values()) if part)


def _address(config: Config, place: str) -> str:
    return config.places[place].address


def _only_address(config: Config, campus: Campus, place: str) -> str:
    """Where nobody has said in which place it is: the school's address, if it has a single one."""
    known = {one.address for one in config.places.values() if one.address}
    return known.pop() if len(known) == 1 and not any(campus.ancestry(place)) else ""


def _is_real(alert: AlertView) -> bool:
    return alert["verdict"] is not None and alert["verdict"]["verdict"] == "verified"


def _ways_in(config: Config, campus: Campus, place: str, doors: Sequence[DoorView]) -> str:
    """Doors to the outside of the same building, the fewest steps away first."""
    steps = around(config, campus, place, steps=len(config.places))
    views = {door["id"]: door for door in doors}
    building = next(
        (one for one in campus.ancestry(place) if config.places[one].kind == "building"), ""
    )
    found: list[tuple[int, int, str]] = []
    for order, (name, block) in enumerate(config.doors.items()):
        sides = [side for side in (block.place, block.leads_to) if side]
        inside = not building or any(campus.within(side, building) for side in sides)
        away = [steps[side] for side in sides if side in steps]
        if block.exterior and inside:
            found.append((min(away, default=len(steps)), order, _door(name, config, views)))
    return "; ".join(said for _, _, said in sorted(found)[:WAYS_IN]) or "Not known"


def _door(name: str, config: Config, views: dict[str, DoorView]) -> str:
    block, view = config.doors[name], views.get(name)
    number = f" (door {block.number})" if block.number else ""
    state = DOOR_IS.get(view["conclusion"], "") if view is not None else ""
    return f"{block.name}{number}, {state or 'not known whether it is locked'}"


def _what(incident: IncidentView) -> str:
    kind = "" if incident["kind"] == "other" else incident["kind_name"]
    titles = dict.fromkeys(each["title"] for each in _standing(incident["alerts"]))
    said = [part for part in (kind, incident["title"], *titles) if part]
    return "; ".join(dict.fromkeys(said))


def _how_sure(alerts: Sequence[AlertView]) -> str:
    verdicts = [each["verdict"] for each in alerts if each["verdict"] is not None]
    real = next((one for one in verdicts if one["verdict"] == "verified"), None)
    if real is not None:
        sure = {one["title"] for one in alerts if _is_real(one)}
        said = dict.fromkeys(one["title"] for one in _standing(alerts))
        unsure = [title for title in said if title not in sure]
        if not unsure:
            return f"Verified by {real['by']}"
        known = ", ".join(title for title in said if title in sure)
        return f"Verified by {real['by']}: {known}. Not verified: {', '.join(unsure)}"
    if alerts and all(one["state"] == "dismissed" for one in alerts):
        return "Every alert was marked as a false alarm"
    return "Nobody has verified it yet: say so" if alerts else "Opened by a person"


def _since(config: Config, incident: IncidentView, now: datetime) -> str:
    opened = from_iso(incident["opened"])
    minutes = int((now - opened).total_seconds() // 60)
    ago = "just now" if minutes < 1 else f"{minutes} minute{'s' if minutes > 1 else ''} ago"
    return f"{opened.astimezone(ZoneInfo(config.hub.timezone)):%H:%M} ({ago})"


def _people(incident: IncidentView) -> str:
    said = [
        f"{CASE_ROLES[one['role']]}: {one['name']}"
        for one in incident["people"]
        if one["role"] in ("on_scene", "commander", "liaison")
    ]
    return "; ".join(said) or "Nobody that the hub knows of"
