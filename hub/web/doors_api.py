"""The API of doors: how they are, what they did lately, and what may be asked of them."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import Field
from typing_extensions import TypedDict

from hub.door_views import DoorPastView
from hub.kinds.access_control import Verb
from hub.views import DoorView
from hub.web.api import Body, Text
from hub.web.contract import Contract, Line, taken
from hub.web.problems import denial, turned_down
from hub.web.security import HOUSE, allowed, who_is
from hub.web.standing import doors_seen

DOORS = "GET /api/v1/doors lists them."


class CommandBody(Body):
    """What a door command needs. What is wanted of the door is wanted for `lasts_s` seconds, else
    for `hub.doors_keep`.
    """

    verb: Verb
    reason: Text = ""
    lasts_s: Annotated[float, Field(gt=0, le=604_800, allow_inf_nan=False)] | None = None


class CommandView(TypedDict):
    """The key under which the outcome of a command is told, by an event."""

    key: str


async def doors(request: web.Request) -> web.Response:
    """Every door with what was requested, is reported and physically so."""
    return web.json_response(await doors_seen(request))


async def door(request: web.Request) -> web.Response:
    """One door."""
    wanted = request.match_info["id"]
    for each in await doors_seen(request):
        if each["id"] == wanted:
            return web.json_response(each)
    return denial(404, "There is no such door.", DOORS)


async def past(request: web.Request) -> web.Response:
    """What a door has done and been asked lately, newest first."""
    with turned_down("door", DOORS):
        return web.json_response(await request.app[HOUSE].door_past(request.match_info["id"]))


async def command(request: web.Request) -> web.Response:
    """Ask a door for something; answers with the key under which the outcome will be told. That
    the intention is written, not that the door has moved.
    """
    body = taken(request, CommandBody)
    with turned_down("door", DOORS, "GET /api/v1/doors names the verbs each door takes."):
        key = await request.app[HOUSE].command_door(
            request.match_info["id"],
            body.verb,
            who_is(request).by,
            body.reason,
            lasts=body.lasts_s,
            may_enter=allowed(request, "enter.in_lockdown"),
        )
    return web.json_response({"key": key}, status=202)


def _recalled(key: str) -> CommandView:
    """The answer to a command that was written, from its key."""
    return {"key": key}


LINES: tuple[Line, ...] = (
    ("GET", "/api/v1/doors", "see.doors", doors, Contract(list[DoorView])),
    ("GET", "/api/v1/doors/{id}", "see.doors", door, Contract(DoorView)),
    ("GET", "/api/v1/doors/{id}/history", "see.doors", past, Contract(list[DoorPastView])),
    (
        "POST", "/api/v1/doors/{id}/commands", "command.doors", command,
        Contract(CommandView, CommandBody, status=202, refuses=(409,), recalled=_recalled),
    ),
)  # fmt: skip
