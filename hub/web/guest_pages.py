"""What a guest sees: one area, read-only, until the link is over.

A link that is fetched only asks: messengers fetch what is written in them before anybody reads it.
Pressing the button opens it, and nothing else here takes more than GET. Guests are shown doors,
chosen cameras, and what happened in lines that name no person; whatever else there is lies beyond
their reach (`hub.web.sight`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from hub.errors import Refused
from hub.identity import guests
from hub.identity.browsers import device_words
from hub.identity.guests import Guest
from hub.identity.reach import Reach, reach_of_area
from hub.identity.throttle import network_of
from hub.origin import present_origin
from hub.phrases import phrase
from hub.protocol_views import ProtocolRunView
from hub.views import EntryView, IncidentView
from hub.web.connections import CONNECTIONS
from hub.web.contract import Line
from hub.web.files import newest_picture
from hub.web.language import gettext as _
from hub.web.protocol_map import ProtocolMap, map_of
from hub.web.render import html
from hub.web.security import DOORKEEPER, GUEST, HOUSE, PUBLIC, see_other
from hub.web.sight import looking
from hub.web.words import sentence, span

GUEST_COOKIE = "vestibule_guest"
TOLD = 60
WHO_GUEST: web.RequestKey[Guest] = web.RequestKey("guest", Guest)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

AS_IT_STANDS = ("zone.", "camera.", "fire.alarm", "fire.clear", "alert.raised", "protocol.progress")
"""What is told in the words of the incident: they name places, cameras and doors alone."""
DOORS = frozenset(
    f"door.{said}"
    for said in ("opened", "closed", "locked", "unlocked", "forced", "held", "jammed", "offline",
                 "online", "tampered", "intact", "tailgated")
)  # fmt: skip
IN_OTHER_WORDS: Mapping[str, str] = {
    "protocol.started": "%(name)s is in force.",
    "protocol.ended": "%(name)s has ended.",
    "alert.verified": "Somebody of the school says that it is real.",
    "alert.dismissed": "Somebody of the school says that it is a false alarm.",
}


@dataclass(frozen=True, slots=True)
class _GuestSight:
    """What a guest may; satisfies `hub.web.sight.Sight`."""

    request: web.Request

    def reach(self) -> Reach:
        house, guest = self.request.app[HOUSE], self.request[WHO_GUEST]
        stories = bool(guest.incident)
        return reach_of_area(guest.area, guest.cameras, house.config, house.campus, stories=stories)

    def may(self, permission: str) -> bool:
        return permission in ("see.cameras", "see.doors")


async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The gate of guests: a link that is not over, and nothing beyond its area."""
    house, kept = request.app[HOUSE], request.cookies.get(GUEST_COOKIE, "")
    now = house.clock.now()
    guest: Guest | None = None
    if kept:
        guest = await house.journal_read(lambda c: guests.identify(c, kept, now))
    if guest is None:
        return _over(request, 401, _("This link is over. Ask whoever gave it to you."))
    request.app[CONNECTIONS].know(request)
    request[WHO_GUEST] = guest
    if (here := present_origin()) is not None:
        here.by = guest.by
    with looking(_GuestSight(request)):
        return await handler(request)


def _over(request: web.Request, status: int, said: str) -> web.Response:
    return html(request, "guest_over.html", status=status, said=said)


async def ask(request: web.Request) -> web.Response:
    """What the link is for and until when, and the button that opens it; nothing is used up."""
    if (wait := _too_soon(request)) is not None:
        return wait
    if await _opened_here(request):
        return see_other("/guest")
    house, link = request.app[HOUSE], request.match_info["link"]
    now = house.clock.now()
    try:
        guest = await house.journal_read(lambda c: guests.look_at(c, link, now))
    except (KeyError, Refused) as error:
        return await _no_good(request, error)
    area = house.campus.words(guest.area) or house.campus.name(guest.area)
    answer = html(request, "guest_ask.html", guest=guest, area=area, link=link)
    answer.headers["X-Robots-Tag"] = "noindex, nofollow"
    return answer


async def enter(request: web.Request) -> web.Response:
    """Exchange the secret of a link for one of this device, and go on to an address without it."""
    if (wait := _too_soon(request)) is not None:
        return wait
    if await _opened_here(request):
        return see_other("/guest")
    house, link, address = request.app[HOUSE], request.match_info["link"], request.remote or ""
    device, now = device_words(request.headers.get("User-Agent", "")), house.clock.now()
    try:
        kept = await house.journal_write(lambda c: guests.open_on(c, link, device, address, now))
    except (KeyError, Refused) as error:
        return await _no_good(request, error)
    answer = see_other("/guest")
    answer.set_cookie(
        GUEST_COOKIE,
        kept,
        max_age=int(guests.LONGEST.total_seconds()),
        path="/guest",
        httponly=True,
        samesite="Lax",  # who follows the link in a message again comes from elsewhere
        secure=request.secure,
    )
    return answer


def _whence(request: web.Request) -> tuple[str, str]:
    """Whose tries count: of their own, so that a link forgives no sign-in."""
    return ("guest", network_of(request.remote or ""))


def _too_soon(request: web.Request) -> web.Response | None:
    wait = request.app[DOORKEEPER].by_address.wait(_whence(request))
    if not wait:
        return None
    return _over(request, 429, _("Too many tries. Wait %(wait)s.", wait=span(wait + 1)))


async def _opened_here(request: web.Request) -> bool:
    """Whether this device has opened this very link before, and goes on with it."""
    kept, link = request.cookies.get(GUEST_COOKIE, ""), request.match_info["link"]
    house, now = request.app[HOUSE], request.app[HOUSE].clock.now()
    if not kept:
        return False
    return bool(await house.journal_read(lambda c: guests.same_link(c, kept, link, now)))


async def _no_good(request: web.Request, error: KeyError | Refused) -> web.Response:
    """A link that is made up, over or used up: whoever tries on and on has to wait."""
    request.app[DOORKEEPER].by_address.count(_whence(request))
    if isinstance(error, KeyError):
        return _over(request, 404, _("There is no such link."))
    house, link = request.app[HOUSE], request.match_info["link"]
    device, now = device_words(request.headers.get("User-Agent", "")), house.clock.now()
    await house.journal_write(lambda c: guests.note_refusal(c, link, device, now))
    return _over(request, 410, sentence(str(error)))


async def show(request: web.Request) -> web.Response:
    """The guest's one page: what is in force, the doors, the cameras, what happened."""
    house, guest = request.app[HOUSE], request[WHO_GUEST]
    standing = await house.protocols.standing()
    runs = [await house.protocols.run(each["id"]) for each in standing["in_force"]]
    incident = await _incident(request)
    config, campus = house.config, house.campus
    doors = house.doors()
    return html(
        request,
        "guest.html",
        guest=guest,
        area=campus.words(guest.area) or campus.name(guest.area),
        protocols=standing,
        locked_down=any(each["protocol"] == "lockdown" for each in standing["in_force"]),
        maps_drawn=[(run, drawn) for run in runs if (drawn := _map(request, run)) is not None],
        doors=doors,
        numbers={each["id"]: config.doors[each["id"]].number for each in doors},
        cameras=house.cameras(),
        incident=incident,
        lines=_told(incident["entries"]) if incident is not None else [],
    )


async def _incident(request: web.Request) -> IncidentView | None:
    wanted = request[WHO_GUEST].incident
    try:
        return await request.app[HOUSE].incident(wanted) if wanted else None
    except KeyError:  # it was merged with another, elsewhere
        return None


def _map(request: web.Request, run: ProtocolRunView) -> ProtocolMap | None:
    """The plan of the guest's area with the doors that a protocol moves there."""
    house, guest = request.app[HOUSE], request[WHO_GUEST]
    if run["state"] == "ended" or not _touch(request, run["area"], guest.area):
        return None
    seen = {each["id"] for each in house.doors()}
    doors = [each for each in run["doors"] if each["door"] in seen]
    name = house.campus.words(guest.area) or house.campus.name(guest.area)
    return map_of(house.config, {**run, "area": guest.area, "area_words": name, "doors": doors})


def _touch(request: web.Request, one: str, other: str) -> bool:
    campus = request.app[HOUSE].campus
    return campus.within(one, other) or campus.within(other, one)


def _told(entries: list[EntryView]) -> list[dict[str, Any]]:
    """The newest lines of a story that name no person, the newest first."""
    found = []
    for each in reversed(entries):
        if each["type"] in IN_OTHER_WORDS:
            text: str = phrase(
                IN_OTHER_WORDS[each["type"]], name=each["data"].get("name") or _("A protocol")
            )
        elif each["type"].startswith(AS_IT_STANDS) or each["type"] in DOORS:
            text = each["text"]
        else:
            continue
        found.append({"event": each["event"], "time": each["time"], "text": text})
    return found[:TOLD]


async def picture(request: web.Request) -> web.StreamResponse:
    """The newest picture of a camera that was chosen for this guest."""
    request.app[HOUSE].watch(request.match_info["id"])
    return await newest_picture(request, request[WHO_GUEST].by)


LINES: tuple[Line, ...] = (
    ("GET", "/guest/{link}", PUBLIC, ask),
    ("POST", "/guest/{link}", PUBLIC, enter),
    ("GET", "/guest", GUEST, show),
    ("GET", "/guest/pictures/{id}.jpg", GUEST, picture),
)
