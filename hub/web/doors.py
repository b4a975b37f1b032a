"""The pages of doors: the board, one door with what is wanted of it, and what may be asked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeGuard

from aiohttp import web

from hub.door_views import DoorPastView
from hub.errors import Refused
from hub.kinds.access_control import LOCK_VERBS, VERBS, Verb
from hub.views import DoorView
from hub.web.language import gettext as _
from hub.web.render import error_page, page, words_in
from hub.web.security import HOUSE, allowed, local_path, see_other, who_is
from hub.web.standing import doors_seen, standing_seen
from hub.web.words import Words, needs_a_look, sentence

_LONGEST_NOTE = 2000
_LONGEST_S = 23 * 3600  # who gives an hour that has just passed does not mean tomorrow
KEPT: tuple[Verb, ...] = ("lock", "unlock", "hold_open", "lockdown")


async def board(request: web.Request) -> web.Response:
    """Every door's three facts, one conclusion, and what is wanted of it."""
    every = await doors_seen(request)
    return await page(
        request,
        "doors.html",
        look=sorted(
            (each for each in every if needs_a_look(each)),
            key=lambda each: each["conclusion"] == "unknown",
        ),
        fine=[each for each in every if not needs_a_look(each)],
        total=len(every),
        secured=sum(each["conclusion"] == "secured" for each in every),
    )


async def door(request: web.Request) -> web.Response:
    """One door, the cameras beside it, what was lately, and what may be asked of it."""
    return await _door_page(request, request.match_info["id"])


async def _door_page(
    request: web.Request, door_id: str, status: int = 200, problem: str = ""
) -> web.Response:
    house = request.app[HOUSE]
    view = next((each for each in await doors_seen(request) if each["id"] == door_id), None)
    if view is None:
        raise web.HTTPNotFound
    block = house.config.doors.get(door_id)
    near = {view["place"], block.leads_to if block else None}
    cameras = house.cameras() if allowed(request, "see.cameras") else []
    past: list[DoorPastView] = await house.door_past(door_id) if block else []
    standing = await standing_seen(request)
    fire = standing["fire"]["state"] != "clear"
    return await page(
        request,
        "door.html",
        status=status,
        door=view,
        cameras=[each for each in cameras if each["place"] in near][:3],
        problem=problem,
        past=past,
        protocols=standing,
        verbs=[e for e in VERBS if e in view["verbs"] and _open_to(request, view, e, fire)],
        kept=KEPT,
        keeps=house.config.hub.doors_keep,
        shut=_shut(view),
    )


def _shut(view: DoorView) -> bool:
    """Whether a protocol keeps the door locked, so that only responders pass."""
    wanted = view["intent"]
    return bool(wanted and wanted["owner_kind"] == "protocol" and wanted["verb"] in LOCK_VERBS)


def _open_to(request: web.Request, view: DoorView, verb: Verb, fire: bool) -> bool:
    """Whether the button makes sense for this person: one that is always refused is not shown."""
    if fire and verb in LOCK_VERBS:
        return False
    if not _shut(view):
        return True
    return verb in LOCK_VERBS or (verb == "momentary" and allowed(request, "enter.in_lockdown"))


def _is_verb(word: str) -> TypeGuard[Verb]:
    return word in VERBS


async def command(request: web.Request) -> web.Response:
    """Ask a door for something by form; the board then says what became of it."""
    house, door_id = request.app[HOUSE], request.match_info["id"]
    fields = await request.post()
    verb, until = str(fields.get("verb", "")), str(fields.get("until", "")).strip()
    reason = str(fields.get("reason", "")).strip()[:_LONGEST_NOTE]
    if not _is_verb(verb):
        said = _("Doors do not know that word.")
        return await error_page(request, 422, said, _("Choose a button."))
    lasts = None
    if until and verb in KEPT:
        lasts = seconds_until(until, words_in(house.config.hub.timezone), house.clock.now())
        said = "" if lasts else _("Write the time as hours and minutes, for example 15:30.")
        if lasts and lasts > _LONGEST_S:
            said = _(
                "%(time)s has just passed: choose an hour that is still to come.", time=until[:5]
            )
        if said:
            return await _door_page(request, door_id, status=422, problem=said)
    try:
        await house.command_door(
            door_id,
            verb,
            who_is(request).by,
            reason,
            lasts=lasts,
            may_enter=allowed(request, "enter.in_lockdown"),
        )
    except KeyError:
        raise web.HTTPNotFound from None
    except Refused as refusal:
        return await _door_page(request, door_id, status=409, problem=sentence(str(refusal)))
    return see_other(local_path(str(fields.get("back", "/doors"))))


def seconds_until(text: str, words: Words, now: datetime) -> float | None:
    """From now until it is that hour at the school for the next time; None for what is no hour."""
    try:
        hour = datetime.strptime(text[:5], "%H:%M").time()
    except ValueError:
        return None
    local = words.local(now)
    then = local.replace(hour=hour.hour, minute=hour.minute, second=0, microsecond=0)
    if then <= local:
        then += timedelta(days=1)
    return then.timestamp() - now.timestamp()
