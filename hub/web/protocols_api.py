"""The API of protocols, the fire alarm and devices; and the one address that needs no account."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from hub.identity.accounts import Identity
from hub.protocol_port import ProtocolsFacade
from hub.protocol_views import DeviceView, FireView, PressView, ProtocolRunView, ProtocolsView
from hub.views import AlertView
from hub.web.api import ALERTS
from hub.web.contract import Contract, Handler, Line, Nothing, key_of, taken
from hub.web.problems import denial, turned_down
from hub.web.security import DOORKEEPER, HOUSE, PUBLIC, SIGNED_IN, bearer, who_is
from hub.web.standing import protocols_seen, run_seen

_Word = Annotated[str, StringConstraints(max_length=200), AfterValidator(str.strip)]
_Key = Annotated[str, StringConstraints(max_length=200)]
_RUN, _RUNS = "run of a protocol", "GET /api/v1/protocols lists what is in force."
_DEVICES = "GET /api/v1/devices lists them."


class StartBody(BaseModel):
    """What starting a protocol needs; a drill says what of it is real, and may name the planned
    drill that it is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    area: _Word
    reason: _Word = ""
    hazard: _Word = ""
    location: _Word = ""
    drill: bool = False
    doors_real: bool = False
    announce: bool = False
    plan: _Word = ""
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


class HelpBody(BaseModel):
    """Where help is needed, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    place: _Word
    text: _Word = ""


class EnrolledView(DeviceView):
    """A device that was just enrolled: its token is in this answer and nowhere else."""

    token: str


class TakenView(PressView):
    """What a device is told of its press."""

    taken: Literal[True]


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
    with turned_down(_RUN, _RUNS):
        return web.json_response(await run_seen(request, request.match_info["run"]))


async def start(request: web.Request) -> web.Response:
    """Start a protocol, once for each key; answers with the run that is in force."""
    body = taken(request, StartBody)
    with turned_down(_RUN, _RUNS):
        started = await request.app[HOUSE].protocols.start(
            request.match_info["name"],
            body.area,
            who_is(request).by,
            drill=body.drill,
            doors_real=body.doors_real,
            announce=body.announce,
            reason=body.reason,
            hazard=body.hazard,
            location=body.location,
            key=body.key or key_of(request),
            to=who_is(request).digest,
            plan=body.plan,
        )
    return web.json_response(started)


async def ask_end(request: web.Request) -> web.Response:
    """Ask for a run's end; of a drill that ends it."""
    facade, name, who = _named(request)
    with turned_down(_RUN, _RUNS):
        return web.json_response(await facade.ask_end(name, who.by, who.digest))


async def withdraw_end(request: web.Request) -> web.Response:
    """It is to go on after all."""
    facade, name, who = _named(request)
    with turned_down(_RUN, _RUNS):
        return web.json_response(await facade.withdraw_end(name, who.by, who.digest))


async def end(request: web.Request) -> web.Response:
    """Confirm the end that somebody else has asked for."""
    facade, name, who = _named(request)
    with turned_down(_RUN, _RUNS):
        return web.json_response(await facade.end(name, who.by, who.digest))


async def end_by_pin(request: web.Request) -> web.Response:
    """The incident's commander ends it alone."""
    (facade, name, who), body = _named(request), taken(request, PinBody)
    with turned_down(_RUN, _RUNS):
        return web.json_response(await facade.end_by_pin(name, who.by, body.pin, who.digest))


async def decide_fire(request: web.Request) -> web.Response:
    """Decide what people in a lockdown do in a fire alarm."""
    (facade, name, who), body = _named(request), taken(request, DecisionBody)
    with turned_down(_RUN, _RUNS):
        return web.json_response(await facade.decide_fire(name, body.decision, who.by, who.digest))


async def rearm(request: web.Request) -> web.Response:
    """Let doors lock again after a fire alarm."""
    with turned_down("fire alarm", _RUNS):
        return web.json_response(await request.app[HOUSE].protocols.rearm(who_is(request).by))


async def call_help(request: web.Request) -> web.Response:
    """Call for help at a place, which is never a lockdown; answers with its alert."""
    body = taken(request, HelpBody)
    with turned_down("place", "GET /api/v1/protocols names places."):
        view = await request.app[HOUSE].protocols.help(
            body.place, who_is(request).by, "", body.text
        )
    return web.json_response(view)


async def correct_help(request: web.Request) -> web.Response:
    """Take one's own call for help back, within ten seconds; answers with its alert."""
    with turned_down("call for help", ALERTS):
        view = await request.app[HOUSE].protocols.correct_help(
            request.match_info["id"], who_is(request).by
        )
    return web.json_response(view)


async def devices(request: web.Request) -> web.Response:
    """Every device that was enrolled."""
    return web.json_response(await request.app[HOUSE].protocols.devices())


async def enrol(request: web.Request) -> web.Response:
    """Enrol a device; its token is in this answer and nowhere else."""
    body, facade = taken(request, DeviceBody), request.app[HOUSE].protocols
    with turned_down("place", _DEVICES):
        view, token = await facade.enrol(body.name, body.place, who_is(request).by)
    return web.json_response({**view, "token": token}, status=201)


async def revoke(request: web.Request) -> web.Response:
    """End a device's token."""
    with turned_down("device", _DEVICES):
        await request.app[HOUSE].protocols.revoke(request.match_info["id"], who_is(request).by)
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
    body = taken(request, PanicBody)
    with turned_down("place", "Call somebody: this was not started."):
        done = await facade.press_device(
            device, body.does, text=body.text, key=body.key or key_of(request)
        )
    return web.json_response({"taken": True, **done}, status=202)


def _named(request: web.Request) -> tuple[ProtocolsFacade, str, Identity]:
    """The protocols, the run that the address names, and who asks."""
    return request.app[HOUSE].protocols, request.match_info["run"], who_is(request)


def _of_run(path: str, takes: type[BaseModel], act: Handler, **more: Any) -> Line:
    """What people who may end protocols do with a run."""
    contract = Contract(ProtocolRunView, takes, refuses=(409,), **more)
    return ("POST", f"/api/v1/protocols/{{run}}/{path}", "end.protocols", act, contract)


LINES: tuple[Line, ...] = (
    ("GET", "/api/v1/protocols", SIGNED_IN, show, Contract(ProtocolsView)),
    ("GET", "/api/v1/protocols/{run}", SIGNED_IN, run, Contract(ProtocolRunView)),
    (
        "POST", "/api/v1/protocols/{name}/start", "start.protocols", start,
        Contract(ProtocolRunView, StartBody, refuses=(409,)),
    ),
    _of_run("ask-end", Nothing, ask_end),
    _of_run("withdraw-end", Nothing, withdraw_end),
    _of_run("end", Nothing, end),
    _of_run("end-by-pin", PinBody, end_by_pin, once=False),  # neither PIN nor answer is kept
    _of_run("decide-fire", DecisionBody, decide_fire),
    (
        "POST", "/api/v1/fire/rearm", "rearm.doors", rearm,
        Contract(FireView, Nothing, refuses=(404, 409)),
    ),
    (
        "POST", "/api/v1/help", "start.protocols", call_help,
        Contract(AlertView, HelpBody, refuses=(404, 409)),
    ),
    (
        "POST", "/api/v1/help/{id}/correct", "start.protocols", correct_help,
        Contract(AlertView, Nothing, refuses=(409,)),
    ),
    ("GET", "/api/v1/devices", "manage.devices", devices, Contract(list[DeviceView])),
    (
        "POST", "/api/v1/devices", "manage.devices", enrol,
        Contract(EnrolledView, DeviceBody, status=201, refuses=(404, 409), secret=True),
    ),
    (
        "POST", "/api/v1/devices/{id}/revoke", "manage.devices", revoke,
        Contract(takes=Nothing, status=204),
    ),
    (
        "POST", "/api/v1/panic", PUBLIC, panic,
        Contract(TakenView, PanicBody, status=202, refuses=(401, 404, 409, 429), once=False),
    ),
)  # fmt: skip
