"""The API of protocols, the fire alarm and devices; and the one address that needs no account."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel, ConfigDict, StringConstraints

from hub.errors import Refused
from hub.identity.accounts import Identity
from hub.protocol_port import ProtocolsFacade
from hub.web.api import BadBody, NothingBody, read_body
from hub.web.security import DOORKEEPER, HOUSE, PUBLIC, SIGNED_IN, bearer, denial, who_is
from hub.web.standing import protocols_seen, run_seen

_Word = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
_Key = Annotated[str, StringConstraints(max_length=200)]
_RUNS = "GET /api/v1/protocols lists what is in force."

Line = tuple[str, str, str, Handler]


class StartBody(BaseModel):
    """What starting a protocol needs; a drill says what of it is real."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    area: _Word
    reason: _Word = ""
    hazard: _Word = ""
    location: _Word = ""
    drill: bool = False
    doors_real: bool = False
    announce: bool = False
    key: _Key = ""


class PinBody(BaseModel):
    """What ending with a PIN needs."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    pin: Annotated[str, StringConstraints(min_length=1, max_length=64)]


class DecisionBody(BaseModel):
    """What a decision in a fire alarm needs."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    decision: Literal["stay", "evacuate"]


class DeviceBody(BaseModel):
    """What enrolling a device needs."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: _Word
    place: _Word


class PanicBody(BaseModel):
    """What a device's press needs."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    does: Literal["lockdown", "secure", "hold", "evacuate", "shelter", "help"]
    text: _Word = ""
    key: _Key = ""


async def show(request: web.Request) -> web.Response:
    """What is in force, what can be started, what was lately, and the fire alarm."""
    return web.json_response(await protocols_seen(request))


async def run(request: web.Request) -> web.Response:
    """One run of a protocol, door by door and channel by channel."""
    return await _answered(run_seen(request, request.match_info["run"]), _RUNS)


async def start(request: web.Request) -> web.Response:
    """Start a protocol, once for each key; answers with the run that is in force."""
    try:
        body = await read_body(request, StartBody)
    except BadBody as bad:
        return bad.answer
    started = request.app[HOUSE].protocols.start(
        request.match_info["name"],
        body.area,
        who_is(request).by,
        drill=body.drill,
        doors_real=body.doors_real,
        announce=body.announce,
        reason=body.reason,
        hazard=body.hazard,
        location=body.location,
        key=body.key,
        to=who_is(request).digest,
    )
    return await _answered(started, _RUNS)


async def ask_end(request: web.Request) -> web.Response:
    """Ask for a run's end; of a drill that ends it."""
    facade, name, who = _named(request)
    return await _plain(request, lambda: facade.ask_end(name, who.by, who.digest))


async def withdraw_end(request: web.Request) -> web.Response:
    """It is to go on after all."""
    facade, name, who = _named(request)
    return await _plain(request, lambda: facade.withdraw_end(name, who.by, who.digest))


async def end(request: web.Request) -> web.Response:
    """Confirm the end that somebody else has asked for."""
    facade, name, who = _named(request)
    return await _plain(request, lambda: facade.end(name, who.by, who.digest))


async def end_by_pin(request: web.Request) -> web.Response:
    """The incident's commander ends it alone."""
    try:
        body = await read_body(request, PinBody)
    except BadBody as bad:
        return bad.answer
    facade, name, who = _named(request)
    return await _answered(facade.end_by_pin(name, who.by, body.pin, who.digest), _RUNS)


async def decide_fire(request: web.Request) -> web.Response:
    """Decide what people in a lockdown do in a fire alarm."""
    try:
        body = await read_body(request, DecisionBody)
    except BadBody as bad:
        return bad.answer
    facade, name, who = _named(request)
    return await _answered(facade.decide_fire(name, body.decision, who.by, who.digest), _RUNS)


async def rearm(request: web.Request) -> web.Response:
    """Let doors lock again after a fire alarm."""
    facade = request.app[HOUSE].protocols
    return await _plain(request, lambda: facade.rearm(who_is(request).by))


async def devices(request: web.Request) -> web.Response:
    """Every device that was enrolled."""
    return web.json_response(await request.app[HOUSE].protocols.devices())


async def enrol(request: web.Request) -> web.Response:
    """Enrol a device; its token is in this answer and nowhere else."""
    try:
        body = await read_body(request, DeviceBody)
        facade, by = request.app[HOUSE].protocols, who_is(request).by
        view, token = await facade.enrol(body.name, body.place, by)
    except BadBody as bad:
        return bad.answer
    except Refused as refusal:
        return denial(409, str(refusal), "GET /api/v1/devices lists those there are.")
    return web.json_response({**view, "token": token}, status=201)


async def revoke(request: web.Request) -> web.Response:
    """End a device's token; 204."""
    try:
        await read_body(request, NothingBody)
        await request.app[HOUSE].protocols.revoke(request.match_info["id"], who_is(request).by)
    except BadBody as bad:
        return bad.answer
    except KeyError:
        return denial(404, "There is no such device.", "GET /api/v1/devices lists them.")
    return web.Response(status=204)


async def panic(request: web.Request) -> web.Response:
    """What an enrolled device asks for, by its own token: a protocol at its place, or help. It is
    told that it was taken, and nothing else.
    """
    keeper, facade = request.app[DOORKEEPER], request.app[HOUSE].protocols
    address = ("device", request.remote or "")
    device = await facade.device(bearer(request) or "")
    if device is None:  # a device that is known is never kept out by those who guess beside it
        if wait := keeper.by_address.wait(address):
            answer = denial(429, "Too many tries.", f"Again in {max(1, round(wait))} s.")
            answer.headers["Retry-After"] = str(max(1, round(wait)))
            return answer
        keeper.by_address.count(address)
        hint = "Send the header 'Authorization: Bearer TOKEN' with the token of the device."
        return denial(401, "No device has this token.", hint)
    try:
        body = await read_body(request, PanicBody)
        done = await facade.press_device(device, body.does, text=body.text, key=body.key)
    except BadBody as bad:
        return bad.answer
    except Refused as refusal:
        return denial(409, str(refusal), "Call somebody: this was not started.")
    return web.json_response({"taken": True, **done}, status=202)


def _named(request: web.Request) -> tuple[ProtocolsFacade, str, Identity]:
    """The room, the run that the address names, and who asks."""
    return request.app[HOUSE].protocols, request.match_info["run"], who_is(request)


async def _plain(request: web.Request, act: Callable[[], Awaitable[Any]]) -> web.Response:
    """An act that needs an empty object."""
    try:
        await read_body(request, NothingBody)
    except BadBody as bad:
        return bad.answer
    return await _answered(act(), _RUNS)


async def _answered(act: Awaitable[Any], hint: str) -> web.Response:
    try:
        return web.json_response(await act)
    except KeyError:
        return denial(404, "There is no such run of a protocol.", hint)
    except Refused as refusal:
        return denial(409, str(refusal), hint)


LINES: tuple[Line, ...] = (
    ("GET", "/api/v1/protocols", SIGNED_IN, show),
    ("GET", "/api/v1/protocols/{run}", SIGNED_IN, run),
    ("POST", "/api/v1/protocols/{name}/start", "start.protocols", start),
    ("POST", "/api/v1/protocols/{run}/ask-end", "end.protocols", ask_end),
    ("POST", "/api/v1/protocols/{run}/withdraw-end", "end.protocols", withdraw_end),
    ("POST", "/api/v1/protocols/{run}/end", "end.protocols", end),
    ("POST", "/api/v1/protocols/{run}/end-by-pin", "end.protocols", end_by_pin),
    ("POST", "/api/v1/protocols/{run}/decide-fire", "end.protocols", decide_fire),
    ("POST", "/api/v1/fire/rearm", "rearm.doors", rearm),
    ("GET", "/api/v1/devices", "manage.devices", devices),
    ("POST", "/api/v1/devices", "manage.devices", enrol),
    ("POST", "/api/v1/devices/{id}/revoke", "manage.devices", revoke),
    ("POST", "/api/v1/panic", PUBLIC, panic),
)
