"""Links for responders: who makes one, which there are, and their end.

Nobody gives more than they have: the area, the cameras and the incident of a link lie within the
reach of whoever makes it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from aiohttp import web
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from typing_extensions import TypedDict

from hub.errors import Refused
from hub.identity import guests
from hub.identity.guests import MOST_DEVICES, Guest, OpenedOn
from hub.identity.reach import within
from hub.phrases import phrase
from hub.web.api import Name
from hub.web.contract import Contract, Line, Nothing, taken
from hub.web.language import gettext as _
from hub.web.problems import turned_down
from hub.web.render import page
from hub.web.security import HOUSE, may_see, see_other, who_is
from hub.web.sight import present_reach
from hub.web.sign_in_steps import origin_of
from hub.web.sign_in_ways import picture
from hub.web.words import sentence

HOURS = 4
MOST_HOURS = 24
_Id = Annotated[str, StringConstraints(max_length=200), AfterValidator(str.strip)]


class InviteBody(BaseModel):
    """What a link for guests shows, and for how many hours. `incident` is empty for none."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: Name
    area: _Id
    cameras: Annotated[list[_Id], Field(max_length=64)] = []
    incident: _Id = ""
    hours: Annotated[float, Field(gt=0, le=MOST_HOURS, allow_inf_nan=False)] = HOURS


class GuestDeviceView(TypedDict):
    """A device that a link was opened on."""

    device: str
    address: str
    opened: str


class GuestView(TypedDict):
    """A link for guests. `open` says whether it shows anything now."""

    id: str
    name: str
    area: str
    area_words: str
    cameras: list[str]
    incident: str
    created: str
    by: str
    expires: str
    revoked: str
    revoked_by: str
    open: bool
    devices: list[GuestDeviceView]


class InvitedView(GuestView):
    """A new link; its address is told this once."""

    link: str


def _view(request: web.Request, guest: Guest, devices: list[OpenedOn]) -> GuestView:
    house = request.app[HOUSE]
    return GuestView(
        id=guest.id,
        name=guest.name,
        area=guest.area,
        area_words=house.campus.words(guest.area) or house.campus.name(guest.area),
        cameras=list(guest.cameras),
        incident=guest.incident,
        created=guest.created,
        by=guest.created_by,
        expires=guest.expires,
        revoked=guest.revoked,
        revoked_by=guest.revoked_by,
        open=guest.open(house.clock.now()),
        devices=[
            GuestDeviceView(device=e.device, address=e.address, opened=e.opened) for e in devices
        ],
    )


async def _every(request: web.Request) -> list[GuestView]:
    """Every link to an area within reach."""
    house, places = request.app[HOUSE], present_reach().alerts
    now = house.clock.now()
    found = await house.journal_read(lambda c: guests.every(c, now))
    return [_view(request, *each) for each in found if within(places, each[0].area)]


async def _invite(request: web.Request, body: InviteBody) -> tuple[Guest, str]:
    """Make a link; it and its address. Raises `Refused`."""
    house, reach = request.app[HOUSE], present_reach()
    config = house.config
    if body.area not in config.places or not within(reach.alerts, body.area):
        raise Refused(phrase("Choose an area that you see yourself."))
    for camera in body.cameras:
        block = config.cameras.get(camera)
        if block is None or house.campus.private(block.place) or not may_see(request, camera):
            raise Refused(phrase("Choose cameras that you see yourself."))
    if body.incident:
        await _may_show(request, body.incident, body.area)
    now, by, life = house.clock.now(), who_is(request).by, timedelta(hours=body.hours)
    cameras = tuple(dict.fromkeys(body.cameras))
    guest, secret = await house.journal_write(
        lambda c: guests.invite(c, body.name, body.area, cameras, body.incident, life, by, now)
    )
    return guest, f"{origin_of(request)}/guest/{secret}"


async def _may_show(request: web.Request, incident: str, area: str) -> None:
    """Raises `Refused` for an incident that the sender does not see, or that is elsewhere."""
    house = request.app[HOUSE]
    try:
        view = await house.incident(incident)
    except KeyError:
        raise Refused(phrase("Choose an incident that you see yourself.")) from None
    places = (view["place"], *(each["place"] for each in view["alerts"]))
    if not any(house.campus.within(each, area) for each in places if each):
        raise Refused(phrase("This incident lies outside of the area: choose a larger one."))


# ------------------------------------------------------------------------------------------ pages


async def show(request: web.Request) -> web.Response:
    """The links there are, and the form that makes one."""
    return await _guests_page(request)


async def _guests_page(
    request: web.Request, status: int = 200, problem: str = "", **fresh: Any
) -> web.Response:
    house, reach = request.app[HOUSE], present_reach()
    places = {n: p for n, p in house.config.places.items() if within(reach.alerts, n)}
    return await page(
        request,
        "guests.html",
        status=status,
        guests=await _every(request),
        places=places,
        cameras=[e for e in house.cameras() if not e["private"] and may_see(request, e["id"])],
        incidents=[e for e in await house.incidents() if e["state"] == "open"],
        chosen=request.query.get("incident", ""),
        problem=problem,
        fresh=fresh,
        hours=HOURS,
        most_hours=MOST_HOURS,
        most_devices=MOST_DEVICES,
    )


async def invite(request: web.Request) -> web.Response:
    """Make a link. Its address is in this one answer and nowhere else."""
    fields = await request.post()
    given: dict[str, Any] = {
        name: str(fields[name]) for name in ("name", "area", "incident", "hours") if name in fields
    }
    try:
        body = InviteBody(cameras=[str(each) for each in fields.getall("cameras", [])], **given)
        guest, link = await _invite(request, body)
    except ValidationError:
        said = _("Give it a name and at most %(n)s hours.", n=MOST_HOURS)
        return await _guests_page(request, 422, said)
    except Refused as refusal:
        return await _guests_page(request, 409, sentence(str(refusal)))
    return await _guests_page(request, link=link, name=guest.name, code=picture(link))


async def revoke(request: web.Request) -> web.Response:
    """End a link, for good."""
    try:
        await _revoke(request)
    except KeyError:
        raise web.HTTPNotFound from None
    return see_other("/guests")


async def _revoke(request: web.Request) -> GuestView:
    """Raises `KeyError`, also for a link to an area beyond reach."""
    house, id_, by = request.app[HOUSE], request.match_info["id"], who_is(request).by
    now, places = house.clock.now(), present_reach().alerts
    guest: Guest = await house.journal_read(lambda c: guests.get(c, id_))
    if not within(places, guest.area):
        raise KeyError(id_)
    ended: Guest = await house.journal_write(lambda c: guests.revoke(c, id_, by, now))
    return _view(request, ended, [])


# -------------------------------------------------------------------------------------------- API

_HINT = "GET /api/v1/guests lists them."


async def api_show(request: web.Request) -> web.Response:
    """The links for guests, those of the last day included, the newest first."""
    return web.json_response(await _every(request))


async def api_invite(request: web.Request) -> web.Response:
    """Make a link for guests; its address is in this answer alone."""
    with turned_down("guest link", _HINT, "Choose what you see yourself."):
        guest, link = await _invite(request, taken(request, InviteBody))
    return web.json_response({**_view(request, guest, []), "link": link}, status=201)


async def api_revoke(request: web.Request) -> web.Response:
    """End a link for guests, for good; what is open on it ends with its next picture."""
    with turned_down("guest link", _HINT):
        return web.json_response(await _revoke(request))


LINES: tuple[Line, ...] = (
    ("GET", "/guests", "invite.guests", show),
    ("POST", "/guests", "invite.guests", invite),
    ("POST", "/guests/{id}/revoke", "invite.guests", revoke),
    ("GET", "/api/v1/guests", "invite.guests", api_show, Contract(list[GuestView])),
    (
        "POST", "/api/v1/guests", "invite.guests", api_invite,
        Contract(InvitedView, InviteBody, status=201, refuses=(409,), secret=True),
    ),
    (
        "POST", "/api/v1/guests/{id}/revoke", "invite.guests", api_revoke,
        Contract(GuestView, Nothing),
    ),
)  # fmt: skip
