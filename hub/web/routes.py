"""The one table of everything the web answers, each line with the permission it needs.

`public` is for strangers, `signed_in` for everybody with a session or token. The pages show each
person only what their role may see.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler

from hub.identity.permissions import PERMISSIONS
from hub.web import (
    answers,
    api,
    audit,
    browsers,
    call_card,
    cases,
    configuration,
    devices,
    doors,
    files,
    inbound,
    pages,
    picture_link,
    pins,
    protocols,
    protocols_api,
    signin,
    stream,
)
from hub.web.security import PUBLIC, SIGNED_IN


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the table."""

    method: str
    path: str
    permission: str
    handler: Handler


ROUTES: tuple[Route, ...] = (
    Route("GET", "/", SIGNED_IN, pages.now),
    Route("GET", "/alerts/{id}", "see.alerts", pages.alert),
    Route("GET", "/alerts/{id}/picture/{name}", "see.alerts", picture_link.show),
    Route("POST", "/alerts/{id}/verdict", "give.verdict", pages.give_verdict),
    Route("POST", "/alerts/{id}/acknowledge", "give.verdict", answers.acknowledge),
    Route("POST", "/alerts/{id}/resolve", "give.verdict", answers.resolve),
    Route("POST", "/alerts/{id}/restore-rule", "give.verdict", answers.restore_rule),
    Route("GET", "/cameras/{id}", "see.cameras", pages.camera),
    Route("GET", "/doors", "see.doors", doors.board),
    Route("GET", "/doors/{id}", "see.doors", doors.door),
    Route("POST", "/doors/{id}/commands", "command.doors", doors.command),
    Route("GET", "/incidents", "see.incidents", pages.incidents),
    Route("GET", "/incidents/{id}", "see.incidents", pages.incident),
    Route("GET", "/visitors", "see.visitors", pages.visitors),
    Route("POST", "/visitors/{desk}/{id}/in", "work.visitors", pages.check_in),
    Route("POST", "/visitors/{desk}/{id}/out", "work.visitors", pages.check_out),
    Route("GET", "/health", "see.health", pages.health),
    Route("GET", "/models/{sha256}", "see.health", pages.model),
    Route("GET", "/configuration", "manage.configuration", configuration.show),
    Route("GET", "/configuration/apply", "manage.configuration", configuration.show),
    Route("POST", "/configuration/apply", "manage.configuration", configuration.apply),
    Route("GET", "/live", SIGNED_IN, stream.live),
    Route("GET", "/pictures/cameras/{id}.jpg", "see.cameras", files.picture),
    Route("GET", "/media/{name}", "see.alerts", files.media),
    Route("GET", "/static/{name}", PUBLIC, files.static),
    Route("GET", "/signin", PUBLIC, signin.form),
    Route("POST", "/signin", PUBLIC, signin.enter),
    Route("GET", "/setup/{link}", PUBLIC, signin.setup_form),
    Route("POST", "/setup/{link}", PUBLIC, signin.setup),
    Route("GET", "/me", SIGNED_IN, signin.account),
    Route("POST", "/me/signout-others", SIGNED_IN, signin.sign_out_others),
    Route("POST", "/me/browsers", SIGNED_IN, browsers.add),
    Route("POST", "/me/browsers/{id}/forget", SIGNED_IN, browsers.forget),
    Route("GET", "/sw.js", PUBLIC, browsers.worker),
    Route("POST", "/signout", SIGNED_IN, signin.leave),
    Route("POST", "/inbound/{name}", PUBLIC, inbound.receive),
    Route("GET", "/healthz", PUBLIC, api.healthz),
    Route("GET", "/api/v1/health", "see.health", api.health),
    Route("GET", "/api/v1/models", "see.health", api.models),
    Route("GET", "/api/v1/cameras", "see.cameras", api.cameras),
    Route("GET", "/api/v1/doors", "see.doors", api.doors),
    Route("POST", "/api/v1/doors/{id}/commands", "command.doors", api.command_door),
    Route("GET", "/api/v1/alerts", "see.alerts", api.alerts),
    Route("GET", "/api/v1/alerts/{id}", "see.alerts", api.alert),
    Route("POST", "/api/v1/alerts/{id}/verdict", "give.verdict", api.give_verdict),
    Route("POST", "/api/v1/alerts/{id}/acknowledge", "give.verdict", api.acknowledge),
    Route("POST", "/api/v1/alerts/{id}/resolve", "give.verdict", api.resolve),
    Route("POST", "/api/v1/rules/{id}/restore", "give.verdict", api.restore_rule),
    Route("GET", "/api/v1/incidents", "see.incidents", api.incidents),
    Route("GET", "/api/v1/incidents/{id}", "see.incidents", api.incident),
    Route("GET", "/api/v1/visits", "see.visitors", api.visits),
    Route("GET", "/api/v1/configuration", "manage.configuration", configuration.api_view),
    Route("GET", "/api/v1/configuration/plan", "manage.configuration", configuration.api_plan),
    Route("POST", "/api/v1/configuration/apply", "manage.configuration", configuration.api_apply),
    Route("GET", "/api/v1/events", "see.events", stream.events),
    *(Route(*line) for line in (*cases.LINES, *audit.LINES)),
    *(Route(*line) for line in (*protocols.LINES, *devices.LINES, *protocols_api.LINES)),
    Route("POST", "/me/pins", "end.protocols", pins.keep),
    Route("GET", "/incidents/{id}/call", "see.incidents", call_card.show),
    Route("POST", "/incidents/{id}/called", "work.incidents", call_card.called),
    Route("POST", "/incidents/{id}/hand-off", "call.emergency", call_card.hand_over),
    Route("GET", "/api/v1/incidents/{id}/call-card", "see.incidents", call_card.api_card),
    Route("POST", "/api/v1/incidents/{id}/hand-off", "call.emergency", call_card.api_hand_over),
)

PERMISSION_OF: web.AppKey[dict[web.AbstractRoute, str]] = web.AppKey("permission_of", dict)


def install(app: web.Application) -> None:
    """Put the table into the application. Raises `ValueError` for an unknown permission."""
    declared: dict[web.AbstractRoute, str] = {}
    for line in ROUTES:
        if line.permission not in PERMISSIONS and line.permission not in (PUBLIC, SIGNED_IN):
            raise ValueError(f"{line.method} {line.path}: no permission {line.permission!r}")
        declared[app.router.add_route(line.method, line.path, line.handler)] = line.permission
    app[PERMISSION_OF] = declared


async def refuse_undeclared(app: web.Application) -> None:
    """At start: a route that did not come from the table stops the web from starting."""
    for route in app.router.routes():
        if route not in app[PERMISSION_OF]:
            raise RuntimeError(f"{route.method} {route}: this route declares no permission")
