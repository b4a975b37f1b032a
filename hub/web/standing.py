"""What is in force, as the sender of a request is shown it.

Whoever was forced to end a protocol and gave their PIN for duress is shown that it is over, on each
page of that session; people who may end protocols are told so on theirs. `hub.protocols` knows
whom; here is only said who asks.
"""

from __future__ import annotations

from aiohttp import web
from typing_extensions import TypedDict

from hub.break_glass_views import GlassView
from hub.protocol_views import ProtocolRunView, ProtocolsView, StandingView
from hub.views import DoorView
from hub.web.security import DOORKEEPER, HOUSE, allowed, who_is


async def protocols_seen(request: web.Request) -> ProtocolsView:
    """What is in force, what can be started, what was lately."""
    return await request.app[HOUSE].protocols.view(who_is(request).digest, _reader(request))


async def standing_seen(request: web.Request) -> StandingView:
    """What is in force, in short: what every page needs."""
    return await request.app[HOUSE].protocols.standing(who_is(request).digest, _reader(request))


async def run_seen(request: web.Request, run: str) -> ProtocolRunView:
    """One run. Raises `KeyError`."""
    return await request.app[HOUSE].protocols.run(run, who_is(request).digest)


def _reader(request: web.Request) -> str:
    """The account that may hear of duress elsewhere; no program, whose screen nobody knows."""
    who = who_is(request)
    return who.by if who.kind == "session" and allowed(request, "end.protocols") else ""


class GlassSeen(TypedDict):
    """What is broken now: by the reader in this session, and by others where they may know."""

    own: GlassView | None
    others: list[GlassView]


def glass_seen(request: web.Request) -> GlassSeen:
    """Glass that is broken, as far as its reader is to know: all of it for who reads the audit."""
    who, glass = who_is(request), request.app[HOUSE].glass
    own = glass.of(who.digest) if who.kind == "session" else None
    every = glass.every() if allowed(request, "see.audit") else ()
    mine = own["id"] if own is not None else ""
    return GlassSeen(own=own, others=[each for each in every if each["id"] != mine])


class NarrowSeen(TypedDict):
    """How far the reader's role reaches, where it does not reach everything: the names of its
    places and cameras, its hours, whether it holds now, and whether it keeps something behind
    glass.
    """

    places: list[str]
    cameras: list[str]
    hours: str
    holds: bool
    breakable: bool


def narrowed(request: web.Request) -> NarrowSeen | None:
    """How far the reader reaches; None for everything."""
    house, who = request.app[HOUSE], who_is(request)
    block = house.config.roles.get(who.role)
    if block is None or not (block.places or block.cameras or block.hours):
        return None
    cameras, schedules = house.config.cameras, house.config.schedules
    hours = schedules.get(block.hours or "")
    return NarrowSeen(
        places=[house.campus.name(each) for each in block.places],
        cameras=[
            cameras[each].name or house.campus.name(cameras[each].place)
            for each in block.cameras
            if each in cameras
        ],
        hours=(hours.name or str(block.hours).replace("_", " ")) if hours is not None else "",
        holds=not request.app[DOORKEEPER].off_duty(who),
        breakable=bool(block.break_glass),
    )


async def doors_seen(request: web.Request) -> list[DoorView]:
    """Every door; what a run wants of it that is shown as ended is not shown either."""
    doors = request.app[HOUSE].doors()
    if not any(_by_protocol(each) for each in doors):
        return doors
    known = {each["id"] for each in (await standing_seen(request))["in_force"]}
    return [each if _by_protocol(each) <= known else _unwanted(each) for each in doors]


def _by_protocol(door: DoorView) -> set[str]:
    wanted = door["intent"]
    return {wanted["owner"]} if wanted and wanted["owner_kind"] == "protocol" else set()


def _unwanted(door: DoorView) -> DoorView:
    return {**door, "intent": None, "differs": ""}
