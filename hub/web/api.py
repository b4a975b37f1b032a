"""The API under /api/v1: what the pages know, for programs. What goes wrong is a problem.

Beside each address stands its contract: what it takes and gives.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from aiohttp import web
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints
from typing_extensions import TypedDict

from hub.camera_views import CameraView
from hub.errors import Refused
from hub.identity.permissions import PERMISSIONS, role_name
from hub.views import (
    AlertView,
    HealthView,
    IncidentView,
    ModelView,
    Verdict,
)
from hub.visitors_port import Matched, VisitView
from hub.web.contract import Contract, Line, Nothing, asked, taken
from hub.web.files import picture
from hub.web.kept_pictures import media
from hub.web.problems import Denied, denial, turned_down
from hub.web.recent import RECENT
from hub.web.security import HOUSE, PUBLIC, SIGNED_IN, allowed, who_is

Text = Annotated[str, StringConstraints(max_length=2000), AfterValidator(str.strip)]
Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64),
    AfterValidator(str.strip),
    StringConstraints(min_length=1),
]
_Yes = Literal["1", "true", "yes"]
_No = Literal["0", "false", "no"]

ALERTS = "GET /api/v1/alerts lists them."
INCIDENTS = "GET /api/v1/incidents lists them."
CAMERAS = "GET /api/v1/cameras lists them."
VISITS = "GET /api/v1/visits lists them."
MATCHED = "A person who is signed in looks, and says in `admit` how they know."


class Body(BaseModel):
    """What is sent, with nothing in it that is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class VerdictBody(Body):
    """What a verdict needs."""

    verdict: Verdict
    note: Text = ""


class ResolveBody(Body):
    """What resolving an alert needs."""

    note: Text = ""


class RestoreBody(Body):
    """What restoring a rule needs; `camera` is empty for what no camera saw."""

    camera: Text


class AdmitBody(Body):
    """What checking somebody in needs. `admit` is how a person knows that a visitor whose name is
    on a list of whom not to admit may come in; empty for anybody else.
    """

    admit: Text = ""


class AlertsQuery(Body):
    """Which alerts: `open` for those only that wait for a verdict."""

    open: _Yes | _No = "0"


class WatchdogView(TypedDict):
    """Whether the hub is well, and how old the heartbeat is; null until it first came through."""

    state: Literal["ok", "degraded"]
    heartbeat_age_s: float | None


class ReaderView(TypedDict):
    """Who asks: a person in a session or a program with a token, and what they may do."""

    name: str
    kind: Literal["session", "token"]
    role: str
    role_name: str
    may: list[str]


async def health(request: web.Request) -> web.Response:
    """How the house is: state, problems, processes, drivers, queues."""
    return web.json_response(await request.app[HOUSE].health())


async def models(request: web.Request) -> web.Response:
    """The models that look at pictures now, with their cards."""
    return web.json_response(await request.app[HOUSE].models())


async def healthz(request: web.Request) -> web.Response:
    """Whether the hub answers, for a watchdog: `ok` or `degraded`, and the heartbeat's age."""
    view = await request.app[HOUSE].health()
    age = view["heartbeat"]["age_s"]
    return web.json_response({"state": view["state"], "heartbeat_age_s": age})


async def reader(request: web.Request) -> web.Response:
    """Who asks, and what they may do."""
    who = who_is(request)
    return web.json_response(
        {
            "name": who.name,
            "kind": who.kind,
            "role": who.role,
            "role_name": role_name(who.role, request.app[HOUSE].config.roles),
            "may": [each for each in PERMISSIONS if allowed(request, each)],
        }
    )


async def cameras(request: web.Request) -> web.Response:
    """Every camera, in the order of the file."""
    return web.json_response(request.app[HOUSE].cameras())


async def camera(request: web.Request) -> web.Response:
    """One camera."""
    wanted = request.match_info["id"]
    for each in request.app[HOUSE].cameras():
        if each["id"] == wanted:
            return web.json_response(each)
    return denial(404, "There is no such camera.", CAMERAS)


async def alerts(request: web.Request) -> web.Response:
    """Alerts, most severe first; with `open` only those that wait for a verdict."""
    open_only = asked(request, AlertsQuery).open in get_args(_Yes)
    return web.json_response(await request.app[HOUSE].alerts(open_only))


async def alert(request: web.Request) -> web.Response:
    """One alert; `told` says what became of its notices for each person."""
    with turned_down("alert", ALERTS):
        return web.json_response(await request.app[HOUSE].alert(request.match_info["id"]))


async def incidents(request: web.Request) -> web.Response:
    """Incidents, newest first, without their timelines."""
    return web.json_response(await request.app[HOUSE].incidents())


async def incident(request: web.Request) -> web.Response:
    """One incident with its timeline, alerts and actions."""
    with turned_down("incident", INCIDENTS):
        return web.json_response(await request.app[HOUSE].incident(request.match_info["id"]))


async def visits(request: web.Request) -> web.Response:
    """Today's visits at every desk."""
    return web.json_response(await request.app[HOUSE].visits())


async def check_in(request: web.Request) -> web.Response:
    """A visitor has come; answers with the visit as it is now. A name that is on a list of whom not
    to admit is refused, until a person says in `admit` how they know that they may come in.
    """
    at = request.match_info
    admit, who = taken(request, AdmitBody).admit, who_is(request)
    if admit and who.kind != "session":
        raise Denied(403, "A program lets nobody in whose name matched.", MATCHED)
    with turned_down("visit", VISITS):
        try:
            view = await request.app[HOUSE].check_in(at["desk"], at["id"], who.by, admit)
        except Matched as matched:
            raise Denied(409, str(matched), MATCHED) from None
    return web.json_response(view)


async def check_out(request: web.Request) -> web.Response:
    """A visitor has gone; answers with the visit as it is now."""
    at = request.match_info
    with turned_down("visit", VISITS):
        view = await request.app[HOUSE].check_out(at["desk"], at["id"], who_is(request).by)
    return web.json_response(view)


async def give_verdict(request: web.Request) -> web.Response:
    """Verify or dismiss an alert, or say not sure; answers with the alert as it is now. Where
    another verdict stands the problem tells of it in `verdict`.
    """
    house, alert_id = request.app[HOUSE], request.match_info["id"]
    body = taken(request, VerdictBody)
    with turned_down("alert", ALERTS):
        try:
            view = await house.verdict(alert_id, body.verdict, who_is(request).by, body.note)
        except Refused as refusal:
            hint = "A verdict that stands is not replaced; add what you know to the incident."
            standing: Any = (await house.alert(alert_id))["verdict"]
            return denial(409, str(refusal), hint, verdict=standing)
    request.app[RECENT].add(alert_id)
    return web.json_response(view)


async def undo(request: web.Request) -> web.Response:
    """Take back, within ten seconds, that an alert is a false alarm; answers with the alert."""
    with turned_down("alert", ALERTS, "GET /api/v1/alerts/ID shows how the alert stands."):
        view = await request.app[HOUSE].undo(request.match_info["id"], who_is(request).by)
    return web.json_response(view)


async def acknowledge(request: web.Request) -> web.Response:
    """Take an alert on; answers with the alert as it is now."""
    with turned_down("alert", ALERTS, "GET /api/v1/alerts/ID shows how the alert stands."):
        view = await request.app[HOUSE].acknowledge(request.match_info["id"], who_is(request).by)
    return web.json_response(view)


async def resolve(request: web.Request) -> web.Response:
    """Say that a verified alert is over; answers with the alert as it is now."""
    body = taken(request, ResolveBody)
    with turned_down("alert", ALERTS, "GET /api/v1/alerts/ID shows how the alert stands."):
        view = await request.app[HOUSE].resolve(
            request.match_info["id"], who_is(request).by, body.note
        )
    return web.json_response(view)


async def restore_rule(request: web.Request) -> web.Response:
    """Have a rule that gave too many false alarms raise alerts as before."""
    body, rule = taken(request, RestoreBody), request.match_info["id"]
    with turned_down("rule", "The rules stand in the configuration."):
        await request.app[HOUSE].restore_rule(rule, body.camera, who_is(request).by)
    return web.Response(status=204)


_PICTURE = Contract(media=("image/jpeg",), also=(304,), refuses=(404, 503))
_KEPT = Contract(media=("image/jpeg",), refuses=(404, 410, 503))

LINES: tuple[Line, ...] = (
    ("GET", "/healthz", PUBLIC, healthz),
    ("GET", "/api/v1/me", SIGNED_IN, reader, Contract(ReaderView)),
    ("GET", "/api/v1/health", "see.health", health, Contract(HealthView)),
    ("GET", "/api/v1/models", "see.health", models, Contract(list[ModelView])),
    ("GET", "/api/v1/cameras", "see.cameras", cameras, Contract(list[CameraView])),
    ("GET", "/api/v1/cameras/{id}", "see.cameras", camera, Contract(CameraView)),
    ("GET", "/api/v1/cameras/{id}/picture", "see.cameras", picture, _PICTURE),
    ("GET", "/api/v1/media/{name}", "see.alerts", media, _KEPT),
    ("GET", "/api/v1/alerts", "see.alerts", alerts, Contract(list[AlertView], asks=AlertsQuery)),
    ("GET", "/api/v1/alerts/{id}", "see.alerts", alert, Contract(AlertView)),
    (
        "POST", "/api/v1/alerts/{id}/verdict", "give.verdict", give_verdict,
        Contract(AlertView, VerdictBody, refuses=(409,)),
    ),
    (
        "POST", "/api/v1/alerts/{id}/undo", "give.verdict", undo,
        Contract(AlertView, Nothing, refuses=(409,)),
    ),
    (
        "POST", "/api/v1/alerts/{id}/acknowledge", "give.verdict", acknowledge,
        Contract(AlertView, Nothing, refuses=(409,)),
    ),
    (
        "POST", "/api/v1/alerts/{id}/resolve", "give.verdict", resolve,
        Contract(AlertView, ResolveBody, refuses=(409,)),
    ),
    (
        "POST", "/api/v1/rules/{id}/restore", "give.verdict", restore_rule,
        Contract(takes=RestoreBody, status=204),
    ),
    ("GET", "/api/v1/incidents", "see.incidents", incidents, Contract(list[IncidentView])),
    ("GET", "/api/v1/incidents/{id}", "see.incidents", incident, Contract(IncidentView)),
    ("GET", "/api/v1/visits", "see.visitors", visits, Contract(list[VisitView])),
    (
        "POST", "/api/v1/visits/{desk}/{id}/in", "work.visitors", check_in,
        Contract(VisitView, AdmitBody, refuses=(409,)),
    ),
    (
        "POST", "/api/v1/visits/{desk}/{id}/out", "work.visitors", check_out,
        Contract(VisitView, Nothing, refuses=(409,)),
    ),
)  # fmt: skip
