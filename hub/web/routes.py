"""The one table of everything the web answers, each line with the permission it needs.

`public` is for strangers, `signed_in` for everybody with a session or token. The pages show each
person only what their role may see.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from hub.identity.permissions import PERMISSIONS
from hub.web import (
    answers,
    api,
    audit,
    break_glass,
    browsers,
    call_card,
    cameras,
    cases,
    configuration,
    devices,
    doors,
    doors_api,
    drill_log,
    drills,
    drills_api,
    files,
    guest_pages,
    guests,
    inbound,
    kept_pictures,
    masks,
    me,
    on_paper,
    openapi,
    pages,
    passkeys,
    past,
    people,
    people_api,
    picture_link,
    pins,
    protocols,
    protocols_api,
    readers,
    reasons,
    rules,
    setup,
    sign_in,
    sign_in_changes,
    sign_in_provider,
    sign_in_ways,
    socket,
    stream,
    visitors,
    walk_ins,
)
from hub.web.contract import Contract, Handler
from hub.web.idempotency import UNDER_WAY, speaking
from hub.web.security import GUEST, PUBLIC, SIGNED_IN


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the table."""

    method: str
    path: str
    permission: str
    handler: Handler
    contract: Contract | None = None


ROUTES: tuple[Route, ...] = (
    Route("GET", "/", SIGNED_IN, pages.now),
    Route("GET", "/alerts/{id}", "see.alerts", pages.alert),
    Route("GET", "/alerts/{id}/picture/{name}", "see.alerts", picture_link.show),
    Route("POST", "/alerts/{id}/verdict", "give.verdict", pages.give_verdict),
    Route("POST", "/alerts/{id}/undo", "give.verdict", answers.undo),
    Route("POST", "/alerts/{id}/acknowledge", "give.verdict", answers.acknowledge),
    Route("POST", "/alerts/{id}/resolve", "give.verdict", answers.resolve),
    Route("POST", "/alerts/{id}/restore-rule", "give.verdict", answers.restore_rule),
    Route("GET", "/doors", "see.doors", doors.board),
    Route("GET", "/doors/{id}", "see.doors", doors.door),
    Route("POST", "/doors/{id}/commands", "command.doors", doors.command),
    Route("GET", "/incidents", "see.incidents", pages.incidents),
    Route("GET", "/incidents/{id}", "see.incidents", pages.incident),
    *(Route(*line) for line in (*visitors.LINES, *walk_ins.LINES, *on_paper.LINES)),
    Route("GET", "/health", "see.health", pages.health),
    Route("GET", "/more", SIGNED_IN, pages.more),
    Route("GET", "/models/{sha256}", "see.health", pages.model),
    Route("GET", "/configuration", "manage.configuration", configuration.show),
    Route("GET", "/configuration/apply", "manage.configuration", configuration.show),
    Route("POST", "/configuration/apply", "manage.configuration", configuration.apply),
    Route("GET", "/live", SIGNED_IN, stream.live),
    Route("GET", "/pictures/cameras/{id}.jpg", "see.cameras", files.picture),
    Route("GET", "/media/{name}", "see.alerts", kept_pictures.media),
    Route("GET", "/static/{name}", PUBLIC, files.static),
    Route("GET", "/signin", PUBLIC, sign_in.form),
    Route("POST", "/signin", PUBLIC, sign_in.enter),
    Route("GET", "/signin/code", PUBLIC, sign_in.code_form),
    Route("POST", "/signin/code", PUBLIC, sign_in.enter_code),
    *(Route(*line) for line in (*setup.LINES, *me.LINES, *sign_in_ways.LINES)),
    *(Route(*line) for line in (*passkeys.LINES, *sign_in_provider.LINES, *sign_in_changes.LINES)),
    *(Route(*line) for line in (*people.LINES, *people_api.LINES)),
    Route("POST", "/me/browsers", SIGNED_IN, browsers.add),
    Route("POST", "/me/browsers/{id}/forget", SIGNED_IN, browsers.forget),
    Route("GET", "/sw.js", PUBLIC, browsers.worker),
    Route("POST", "/signout", SIGNED_IN, sign_in.leave),
    Route("POST", "/inbound/{name}", PUBLIC, inbound.receive),
    *(Route(*line) for line in (*api.LINES, *doors_api.LINES, *stream.API_LINES)),
    *(Route(*line) for line in (*openapi.LINES, *socket.LINES)),
    *(
        Route(*line)
        for line in (*configuration.LINES, *configuration.API_LINES, *call_card.API_LINES)
    ),
    *(Route(*line) for line in (*cases.LINES, *audit.LINES, *rules.LINES)),
    *(Route(*line) for line in (*protocols.LINES, *devices.LINES, *protocols_api.LINES)),
    *(Route(*line) for line in break_glass.LINES),
    *(Route(*line) for line in (*drill_log.LINES, *drills.LINES, *drills_api.LINES)),
    *(Route(*line) for line in (*guests.LINES, *guest_pages.LINES, *reasons.LINES)),
    *(Route(*line) for line in (*readers.LINES, *cameras.LINES, *masks.LINES, *past.LINES)),
    Route("POST", "/me/pins", "end.protocols", pins.keep),
    Route("GET", "/incidents/{id}/call", "see.incidents", call_card.show),
    Route("POST", "/incidents/{id}/called", "work.incidents", call_card.called),
    Route("POST", "/incidents/{id}/hand-off", "call.emergency", call_card.hand_over),
)

PERMISSION_OF: web.AppKey[dict[web.AbstractRoute, str]] = web.AppKey("permission_of", dict)


def install(app: web.Application) -> None:
    """Put the table into the application. Raises `ValueError` for an unknown permission."""
    declared: dict[web.AbstractRoute, str] = {}
    for line in ROUTES:
        if line.permission not in PERMISSIONS and line.permission not in (PUBLIC, SIGNED_IN, GUEST):
            raise ValueError(f"{line.method} {line.path}: no permission {line.permission!r}")
        handler = speaking(line.contract, line.handler) if line.contract else line.handler
        declared[app.router.add_route(line.method, line.path, handler)] = line.permission
    app[PERMISSION_OF] = declared
    app[UNDER_WAY] = set()
    app[openapi.ROUTES_TOLD] = ROUTES


async def refuse_undeclared(app: web.Application) -> None:
    """At start: a route that did not come from the table stops the web from starting."""
    for route in app.router.routes():
        if route not in app[PERMISSION_OF]:
            raise RuntimeError(f"{route.method} {route}: this route declares no permission")
