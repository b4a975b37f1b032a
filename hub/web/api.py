"""The API under /api/v1: what the pages know, for programs. Errors are `{error, hint}`."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from hub.errors import Refused
from hub.kinds.access_control import Verb
from hub.views import Verdict
from hub.web.recent import RECENT
from hub.web.security import HOUSE, allowed, denial, who_is
from hub.web.standing import doors_seen

_Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]
_Body = TypeVar("_Body", bound=BaseModel)


class VerdictBody(BaseModel):
    """What a verdict needs."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    verdict: Verdict
    note: _Text = ""


class NothingBody(BaseModel):
    """What taking an alert on needs: an empty object."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ResolveBody(BaseModel):
    """What resolving an alert needs."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    note: _Text = ""


class RestoreBody(BaseModel):
    """What restoring a rule needs; `camera` is empty for what no camera saw."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    camera: _Text


class CommandBody(BaseModel):
    """What a door command needs."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    verb: Verb
    reason: _Text = ""
    lasts_s: Annotated[float, Field(gt=0, le=604_800)] | None = None


class BadBody(Exception):
    """The request's body cannot be used; carries the answer to give."""

    def __init__(self, answer: web.Response) -> None:
        super().__init__()
        self.answer = answer


async def read_body(request: web.Request, model: type[_Body]) -> _Body:
    """The JSON body, checked. Raises `BadBody` with 400, 415 or 422."""
    expected = ", ".join(model.model_fields)
    if request.content_type != "application/json":
        raise BadBody(
            denial(415, "The body must be JSON.", "Send 'Content-Type: application/json'.")
        )
    try:
        return model.model_validate_json(await request.read())
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_context=False, include_input=False)
        if first[0]["type"] == "json_invalid":
            raise BadBody(
                denial(400, "The body is not valid JSON.", f"Send an object with: {expected}.")
            ) from None
        said = "; ".join(
            f"{'.'.join(str(part) for part in each['loc']) or 'body'}: {each['msg']}"
            for each in first
        )
        raise BadBody(denial(422, said, f"Send an object with: {expected}.")) from None


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


async def cameras(request: web.Request) -> web.Response:
    """Every camera, in the order of the file."""
    return web.json_response(request.app[HOUSE].cameras())


async def doors(request: web.Request) -> web.Response:
    """Every door with what was requested, is reported and physically so."""
    return web.json_response(await doors_seen(request))


async def alerts(request: web.Request) -> web.Response:
    """Alerts, most severe first; with `?open=1` only those that wait for a verdict."""
    open_only = request.query.get("open", "").lower() in ("1", "true", "yes")
    return web.json_response(await request.app[HOUSE].alerts(open_only))


async def alert(request: web.Request) -> web.Response:
    """One alert."""
    try:
        return web.json_response(await request.app[HOUSE].alert(request.match_info["id"]))
    except KeyError:
        return _no_such("alert", "GET /api/v1/alerts lists them.")


async def incidents(request: web.Request) -> web.Response:
    """Incidents, newest first, without their timelines."""
    return web.json_response(await request.app[HOUSE].incidents())


async def incident(request: web.Request) -> web.Response:
    """One incident with its timeline, alerts and actions."""
    try:
        return web.json_response(await request.app[HOUSE].incident(request.match_info["id"]))
    except KeyError:
        return _no_such("incident", "GET /api/v1/incidents lists them.")


async def visits(request: web.Request) -> web.Response:
    """Today's visits at every desk."""
    return web.json_response(await request.app[HOUSE].visits())


async def give_verdict(request: web.Request) -> web.Response:
    """Verify or dismiss an alert, or say not sure; answers with the alert as it is now."""
    house, alert_id = request.app[HOUSE], request.match_info["id"]
    try:
        body = await read_body(request, VerdictBody)
        view = await house.verdict(alert_id, body.verdict, who_is(request).by, body.note)
        request.app[RECENT].add(alert_id)
        return web.json_response(view)
    except BadBody as bad:
        return bad.answer
    except KeyError:
        return _no_such("alert", "GET /api/v1/alerts lists them.")
    except Refused as refusal:
        standing = (await house.alert(alert_id))["verdict"]
        answer: dict[str, Any] = {
            "error": str(refusal),
            "hint": "A verdict that stands is not replaced; add what you know to the incident.",
            "verdict": standing,
        }
        return web.json_response(answer, status=409)


async def acknowledge(request: web.Request) -> web.Response:
    """Take an alert on; answers with the alert as it is now."""
    return await _answer(request, NothingBody)


async def resolve(request: web.Request) -> web.Response:
    """Say that a verified alert is over; answers with the alert as it is now."""
    return await _answer(request, ResolveBody)


async def _answer(
    request: web.Request, model: type[NothingBody] | type[ResolveBody]
) -> web.Response:
    house, alert_id, by = request.app[HOUSE], request.match_info["id"], who_is(request).by
    try:
        body = await read_body(request, model)
        if isinstance(body, ResolveBody):
            view = await house.resolve(alert_id, by, body.note)
        else:
            view = await house.acknowledge(alert_id, by)
        return web.json_response(view)
    except BadBody as bad:
        return bad.answer
    except KeyError:
        return _no_such("alert", "GET /api/v1/alerts lists them.")
    except Refused as refusal:
        return denial(409, str(refusal), "GET /api/v1/alerts/ID shows how the alert stands.")


async def restore_rule(request: web.Request) -> web.Response:
    """Have a rule that gave too many false alarms raise alerts as before; 204."""
    try:
        body = await read_body(request, RestoreBody)
        rule, by = request.match_info["id"], who_is(request).by
        await request.app[HOUSE].restore_rule(rule, body.camera, by)
    except BadBody as bad:
        return bad.answer
    except KeyError:
        return _no_such("rule", "The rules stand in the configuration.")
    return web.Response(status=204)


async def command_door(request: web.Request) -> web.Response:
    """Ask a door for something; 202 with the key under which the outcome will be reported."""
    house = request.app[HOUSE]
    try:
        body = await read_body(request, CommandBody)
        key = await house.command_door(
            request.match_info["id"],
            body.verb,
            who_is(request).by,
            body.reason,
            lasts=body.lasts_s,
            may_enter=allowed(request, "enter.in_lockdown"),
        )
    except BadBody as bad:
        return bad.answer
    except KeyError:
        return _no_such("door", "GET /api/v1/doors lists them.")
    except Refused as refusal:
        return denial(409, str(refusal), "GET /api/v1/doors names the verbs each door takes.")
    return web.json_response({"key": key}, status=202)


def _no_such(what: str, hint: str) -> web.Response:
    return denial(404, f"There is no such {what}.", hint)
