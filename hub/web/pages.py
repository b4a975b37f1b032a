"""The pages: now, an alert, incidents and health.

They work without a script: forms post and the answer leads back. With the script the same pages are
fetched again when something changed, and only what differs is replaced.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, TypeGuard, cast, get_args

from aiohttp import web

from hub.camera_views import CameraView
from hub.errors import Refused, StateError
from hub.events import new_id
from hub.incident_settings import CASE_ROLES, KIND_NAMES
from hub.kinds.notifiers import SEVERITIES
from hub.views import AlertView, IncidentView, Verdict
from hub.web.cameras import watches
from hub.web.language import gettext as _
from hub.web.language import mark
from hub.web.moments import moments
from hub.web.recent import RECENT
from hub.web.render import error_page, page, words_in
from hub.web.security import HOUSE, allowed, local_path, see_other, who_is
from hub.web.stream import STREAMS
from hub.web.watching import VIEWERS
from hub.web.words import offset, sentence

OPENED_WITHIN_S = 1.0

_LONGEST_NOTE = 2000
_CALM = {"running": 1, "disabled": 2}


async def now(request: web.Request) -> web.Response:
    """What needs somebody, what is live beside it, and what is watching."""
    house = request.app[HOUSE]
    health = await house.health()
    queue = await _queue(request) if allowed(request, "see.alerts") else []
    cameras = house.cameras() if allowed(request, "see.cameras") else []
    doors = house.doors() if allowed(request, "see.doors") else []
    waiting = [each for each in queue if each["verdict"] is None or each["state"] == "unsure"]
    beside = _camera(cameras, next((each["camera"] for each in waiting if each["camera"]), ""))
    return await page(
        request,
        "now.html",
        health=health,
        queue=queue,
        waiting=waiting,
        cameras=cameras,
        doors=doors,
        beside=beside,
        frames=await moments(request, queue[0]) if queue else [],
        view_of=lambda camera: _camera(cameras, camera),
        watching=[each for each in cameras if watches(each)],
        blind=[each for each in cameras if not watches(each)],
        open_alerts=len(waiting) if allowed(request, "see.alerts") else 0,
    )


async def _queue(request: web.Request) -> list[AlertView]:
    """Open alerts, and for ten seconds those just decided, most severe and then oldest first."""
    house = request.app[HOUSE]
    found = {each["id"]: each for each in await house.alerts(open_only=True)}
    for alert_id in request.app[RECENT].ids():
        if alert_id not in found:
            with suppress(KeyError):  # it lies beyond what the reader sees
                found[alert_id] = await house.alert(alert_id)
    return sorted(
        found.values(), key=lambda each: (SEVERITIES.index(each["severity"]), each["opened"])
    )


def _camera(cameras: list[CameraView], camera: str) -> CameraView | None:
    return next((each for each in cameras if each["id"] == camera), None)


async def alert(request: web.Request) -> web.Response:
    """One alert with its verdict under the thumb. Who was told of it and opens it has seen it."""
    alert_id = request.match_info["id"]
    # A page that lies open and fetches itself again has been opened by nobody.
    if request.headers.get("Sec-Fetch-Dest", "document") == "document":
        # The page is more important than that it was opened: it waits for no stuck journal.
        with suppress(KeyError, StateError, TimeoutError):
            async with asyncio.timeout(OPENED_WITHIN_S):
                await request.app[HOUSE].opened(alert_id, who_is(request).by)
    return await alert_page(request, alert_id)


async def alert_page(
    request: web.Request, alert_id: str, status: int = 200, problem: str = ""
) -> web.Response:
    """The page of one alert, with what went wrong when somebody pressed a button there."""
    house = request.app[HOUSE]
    try:
        view = await house.alert(alert_id)
    except KeyError:
        raise web.HTTPNotFound from None
    cameras = house.cameras() if allowed(request, "see.cameras") else []
    return await page(
        request,
        "alert.html",
        status=status,
        alert=view,
        pictures=await moments(request, view),
        beside=_camera(cameras, view["camera"]),
        ruled=view["rule"] in house.config.rules,
        problem=problem,
    )


async def give_verdict(request: web.Request) -> web.Response:
    """A verdict by form; a late one is answered with who decided, not applied."""
    house, alert_id = request.app[HOUSE], request.match_info["id"]
    fields = await request.post()
    verdict, note = str(fields.get("verdict", "")), str(fields.get("note", "")).strip()
    if not _is_verdict(verdict):
        return await error_page(
            request, 422, _("That is not a verdict."), _("Choose Verify, Dismiss or Not sure.")
        )
    try:
        await house.verdict(alert_id, verdict, who_is(request).by, note[:_LONGEST_NOTE])
    except KeyError:
        raise web.HTTPNotFound from None
    except Refused as refusal:
        return await alert_page(request, alert_id, status=409, problem=sentence(str(refusal)))
    request.app[RECENT].add(alert_id)
    return see_other(local_path(str(fields.get("back", "/"))))


def _is_verdict(word: str) -> TypeGuard[Verdict]:
    return word in get_args(Verdict)


async def incidents(request: web.Request) -> web.Response:
    """Every incident, newest first."""
    house = request.app[HOUSE]
    return await page(
        request,
        "incidents.html",
        incidents=await house.incidents(),
        kinds=KIND_NAMES,
        places=house.config.places,
        key=new_id(),
    )


_ANSWERS = ("verified", "dismissed", "unsure", "acknowledged", "resolved")
_SHOWS: dict[str, tuple[str, tuple[str, ...]]] = {
    "doors": (mark("Doors"), ("door.", "action.")),
    "people": (mark("Decisions"), (*(f"alert.{said}" for said in _ANSWERS), "visitor.")),
    "case": (mark("Written down"), ("incident.",)),
    "pictures": (mark("Pictures"), ()),
}


async def incident(request: web.Request) -> web.Response:
    """The story of an incident, in order."""
    return await incident_page(request, request.match_info["id"])


async def incident_page(
    request: web.Request, incident_id: str, status: int = 200, problem: str = ""
) -> web.Response:
    """The page of one incident, with what went wrong when somebody pressed a button there."""
    house = request.app[HOUSE]
    try:
        view = await house.incident(incident_id)
        around = await house.cases.near(view, lambda what: allowed(request, what))
    except KeyError:
        raise web.HTTPNotFound from None
    show = request.query.get("show", "")
    every = view["entries"]
    chosen = {key: [e for e in every if _shown(key, cast(dict[str, Any], e))] for key in _SHOWS}
    return await page(
        request,
        "incident.html",
        status=status,
        problem=problem,
        near=around,
        roles=CASE_ROLES,
        people=house.config.people,
        key=new_id(),
        incident=view,
        show=show if show in _SHOWS else "",
        entries=chosen.get(show, every),
        chips=[(key, name, len(chosen[key])) for key, (name, _) in _SHOWS.items()],
        total=len(every),
        times=_times(view, request),
    )


def _shown(key: str, entry: dict[str, Any]) -> bool:
    if key == "pictures":
        return bool(entry["picture"])
    return str(entry["type"]).startswith(_SHOWS[key][1])


def _times(view: IncidentView, request: web.Request) -> list[tuple[str, str, str]]:
    """When it began, and how long after that the turning points came: name, time, detail."""
    start = min([view["opened"], *(each["opened"] for each in view["alerts"])])
    rows = [(_("Began"), words_in(request.app[HOUSE].config.hub.timezone).clock(start), "")]
    decided = [each["verdict"] for each in view["alerts"] if each["verdict"]]
    if decided:
        first = min(decided, key=lambda each: each["time"])
        rows.append((_("Decided"), offset(first["time"], start), _("by %(who)s", who=first["by"])))
    done = [each for each in view["actions"] if each["state"] == "confirmed"]
    told = [each["finished"] for each in done if each["kind"] == "notice" and each["finished"]]
    moved = [each["finished"] for each in done if each["kind"] == "door" and each["finished"]]
    if told:
        rows.insert(1, (_("First told"), offset(min(told), start), ""))
    if moved:
        rows.append((_("First door done"), offset(min(moved), start), ""))
        rows.append((_("Last door done"), offset(max(moved), start), ""))
    not_done = sum(each["state"] in ("failed", "timed_out") for each in view["actions"])
    if not_done:
        rows.append((_("Not done"), str(not_done), _("see what was done")))
    if view["entries"]:
        rows.append((_("Last entry"), offset(view["entries"][-1]["time"], start), ""))
    return rows


async def health(request: web.Request) -> web.Response:
    """Every camera's reason, every driver, process and queue."""
    house = request.app[HOUSE]
    view = await house.health()
    cameras = house.cameras()
    cameras.sort(key=lambda each: each["private"] * 1 + watches(each) * 2)
    return await page(
        request,
        "health.html",
        health=view,
        models=await house.models(),
        cameras=cameras,
        watching=sum(watches(each) for each in cameras),
        able=sum(not each["private"] for each in cameras),
        doors=house.doors(),
        drivers=sorted(view["drivers"], key=lambda each: _CALM.get(each["state"], 0)),
        streams=request.app[STREAMS],
        viewers=request.app[VIEWERS],
    )


async def more(request: web.Request) -> web.Response:
    """Where a phone leads to besides the five places at its edge."""
    return await page(request, "more.html")


async def model(request: web.Request) -> web.Response:
    """One model in use, with its card."""
    wanted = request.match_info["sha256"]
    for each in await request.app[HOUSE].models():
        if each["sha256"] == wanted:
            return await page(request, "model.html", model=each)
    raise web.HTTPNotFound
