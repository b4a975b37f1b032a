"""What is in force, as the sender of a request is shown it.

Whoever was forced to end a protocol and gave their PIN for duress is shown that it is over, on each
page of that session; people who may end protocols are told so on theirs. The protocol room knows
whom; here is only said who asks.
"""

from __future__ import annotations

from aiohttp import web

from hub.protocol_views import ProtocolRunView, ProtocolsView, StandingView
from hub.views import DoorView
from hub.web.security import HOUSE, allowed, who_is


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
