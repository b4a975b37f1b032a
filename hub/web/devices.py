"""Panic devices: enrolling and revoking them, and the page that such a device shows.

That page is for whoever stands at the device: it starts a lockdown or calls for help, and shows
nothing else. The device proves itself by its token, which a cookie keeps; nobody signs in.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from hub.errors import Refused
from hub.events import new_id
from hub.identity.accounts import digest
from hub.protocol_views import DeviceView, ProtocolRunView, StandingRunView
from hub.web.connections import CONNECTIONS
from hub.web.contract import Line
from hub.web.language import gettext as _
from hub.web.protocols import PRESS_AGAIN, started_before
from hub.web.render import html, page
from hub.web.security import CSRF_FIELD, DOORKEEPER, HOUSE, PUBLIC, see_other, who_is
from hub.web.words import sentence, span

DEVICE_COOKIE = "vestibule_device"
_KEPT_S = 400 * 24 * 3600  # the longest that browsers keep a cookie
_LONGEST = 200
_OVER = ("evacuate", "lockdown")  # what may take a lockdown's place
Fields = Mapping[str, Any]
Handler = Callable[[web.Request], Awaitable[web.Response]]


async def show(request: web.Request) -> web.Response:
    """The enrolled devices, and the form that enrols one."""
    return await _devices_page(request)


async def _devices_page(
    request: web.Request, status: int = 200, problem: str = "", **fresh: str
) -> web.Response:
    house = request.app[HOUSE]
    return await page(
        request,
        "devices.html",
        status=status,
        devices=await house.protocols.devices(),
        places=house.config.places,
        problem=problem,
        fresh=fresh,
    )


async def enrol(request: web.Request) -> web.Response:
    """Enrol a device. Its link is in this one answer and nowhere else."""
    fields, house = await request.post(), request.app[HOUSE]
    name = str(fields.get("name", "")).strip()[:_LONGEST]
    try:
        view, token = await house.protocols.enrol(
            name, str(fields.get("place", "")), who_is(request).by
        )
    except KeyError:
        return await _devices_page(request, 422, _("There is no such place."))
    except Refused as refusal:
        return await _devices_page(request, 409, sentence(str(refusal)))
    link = f"{request.scheme}://{request.host}/panic#{token}"
    return await _devices_page(
        request, link=link, token=token, name=view["name"], trouble=view["trouble"]
    )


async def revoke(request: web.Request) -> web.Response:
    """End a device's token, for good."""
    try:
        await request.app[HOUSE].protocols.revoke(request.match_info["id"], who_is(request).by)
    except KeyError:
        raise web.HTTPNotFound from None
    except Refused as refusal:
        return await _devices_page(request, 409, sentence(str(refusal)))
    return see_other("/devices")


# ------------------------------------------------------------------------- the page of a device


async def panic(request: web.Request) -> web.Response:
    """Lockdown and help, far apart; for a browser that is not enrolled a field for its code."""
    device = await _device(request)
    if device is None:
        return _stranger(request)
    run, alert = (_pressed(request, each) for each in ("run", "help"))
    return await _panic_page(request, device, run=run, alert=alert)


def _pressed(request: web.Request, kind: str) -> str:
    """The run or the call for help of the address, when a press of this device has led to it."""
    named, proof = request.query.get(kind, ""), request.query.get("proof", "")
    return named if named and _same(proof, _proof(request, named)) else ""


def _said(request: web.Request, kind: str, named: str | None) -> web.Response:
    """On to the page that says what a press has led to."""
    return see_other(f"/panic?{kind}={named}&proof={_proof(request, str(named))}")


async def _device(request: web.Request) -> DeviceView | None:
    token = request.cookies.get(DEVICE_COOKIE, "")
    device = await request.app[HOUSE].protocols.device(token) if token else None
    if device is not None:
        request.app[CONNECTIONS].know(request)
    return device


def _stranger(request: web.Request, status: int = 200, problem: str = "") -> web.Response:
    return html(request, "enrol.html", status=status, problem=problem)


async def _panic_page(
    request: web.Request,
    device: DeviceView,
    *,
    status: int = 200,
    problem: str = "",
    headline: str = "",
    run: str = "",
    alert: str = "",
    asks: bool = False,
) -> web.Response:
    in_force = (await request.app[HOUSE].protocols.standing())["in_force"]
    done = await _as_it_is(request, run, in_force)
    return html(
        request,
        "panic.html",
        status=status,
        device=device,
        csrf=_proof(request),
        key=new_id(),
        problem=problem,
        headline=headline or _("Nothing was started."),
        run=done,
        alert=alert,
        asks=asks,
        locked_down=any(each["protocol"] == "lockdown" for each in in_force),
    )


async def _as_it_is(
    request: web.Request, run: str, in_force: list[StandingRunView]
) -> ProtocolRunView | StandingRunView | None:
    """The run that a press has led to, or what was started on top of it: that is what holds."""
    if not run:
        return None
    try:
        view = await request.app[HOUSE].protocols.run(run)
    except KeyError:
        return None
    if view["state"] != "covered":
        return view
    over = (e for e in in_force if e["state"] == "in_force" and e["drill"] == view["drill"])
    return next((e for e in over if e["protocol"] in _OVER), view)


def _proof(request: web.Request, of: str = "form") -> str:
    """What only this device's own pages know; it lasts as long as the device is enrolled."""
    return digest(f"{of} of {request.cookies.get(DEVICE_COOKIE, '')}")[:32]


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


async def enter(request: web.Request) -> web.Response:
    """Make this browser the enrolled device whose code it gives."""
    fields, keeper = await request.post(), request.app[DOORKEEPER]
    address = ("device", request.remote or "")  # of its own: it forgives no sign-in
    if wait := keeper.by_address.wait(address):
        said = _("Too many tries. Wait %(wait)s, then try again.", wait=span(wait + 1))
        return _stranger(request, 429, said)
    keeper.by_address.count(address)
    token = str(fields.get("code", "")).strip().rpartition("#")[2][:_LONGEST]
    if await request.app[HOUSE].protocols.device(token) is None:
        return _stranger(request, 401, _("No device has this code. It may have been revoked."))
    keeper.by_address.forgive(address)
    answer = see_other("/panic")
    answer.set_cookie(
        DEVICE_COOKIE,
        token,
        max_age=_KEPT_S,
        path="/panic",
        httponly=True,
        samesite="Strict",
        secure=request.secure,
    )
    return answer


def _of_device(
    act: Callable[[web.Request, DeviceView, Fields], Awaitable[web.Response]],
) -> Handler:
    """The handler of a form that only a device's own page sends."""

    async def handle(request: web.Request) -> web.Response:
        device, fields = await _device(request), await request.post()
        if device is None:
            return _stranger(request, 401, _("This device is not enrolled any more."))
        if not _same(str(fields.get(CSRF_FIELD, "")), _proof(request)):
            said = " ".join([_("This page was out of date."), _(PRESS_AGAIN)])
            return await _panic_page(request, device, status=403, problem=said)
        return await act(request, device, fields)

    return handle


@_of_device
async def lockdown(request: web.Request, device: DeviceView, fields: Fields) -> web.Response:
    """Start a lockdown at the device's place, once for each key."""
    if not fields.get("sure"):
        return await _panic_page(request, device, asks=True)
    try:
        pressed = await request.app[HOUSE].protocols.press_device(
            device, "lockdown", key=str(fields.get("key", ""))[:_LONGEST]
        )
    except Refused as refusal:
        return await _panic_page(request, device, status=409, problem=sentence(str(refusal)))
    run = await request.app[HOUSE].protocols.run(str(pressed["run"]))
    if run["state"] == "ended":  # an old page, sent again
        said = started_before(run["name"])
        return await _panic_page(request, device, status=409, problem=said)
    return _said(request, "run", pressed["run"])


@_of_device
async def help_me(request: web.Request, device: DeviceView, fields: Fields) -> web.Response:
    """Call for help at the device's place: an alert, never a lockdown."""
    try:
        pressed = await request.app[HOUSE].protocols.press_device(
            device, "help", key=str(fields.get("key", ""))[:_LONGEST]
        )
    except Refused as refusal:
        said = sentence(str(refusal))
        return await _panic_page(
            request, device, status=409, problem=said, headline=_("Help was not asked for.")
        )
    return _said(request, "help", pressed["alert"])


@_of_device
async def correct_help(request: web.Request, device: DeviceView, _fields: Fields) -> web.Response:
    """Take the device's call for help back, within ten seconds."""
    try:
        await request.app[HOUSE].protocols.correct_help(request.match_info["id"], device["name"])
    except KeyError:
        raise web.HTTPNotFound from None
    except Refused as refusal:
        said = sentence(str(refusal))
        return await _panic_page(
            request, device, status=409, problem=said, headline=_("Help is still asked for.")
        )
    return see_other("/panic")


LINES: tuple[Line, ...] = (
    ("GET", "/devices", "manage.devices", show),
    ("POST", "/devices", "manage.devices", enrol),
    ("POST", "/devices/{id}/revoke", "manage.devices", revoke),
    ("GET", "/panic", PUBLIC, panic),
    ("POST", "/panic/enrol", PUBLIC, enter),
    ("POST", "/panic/lockdown", PUBLIC, lockdown),
    ("POST", "/panic/help", PUBLIC, help_me),
    ("POST", "/panic/help/{id}/correct", PUBLIC, correct_help),
)
