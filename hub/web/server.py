"""The web application: the gate every request passes, and the pieces put together."""

from __future__ import annotations

import json
import logging
import traceback

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler

from hub.origin import origin, present_origin
from hub.ports import HouseFacade
from hub.secrets import Secrets
from hub.web import files, routes
from hub.web.recent import RECENT, RecentVerdicts
from hub.web.render import error_page
from hub.web.security import (
    DOORKEEPER,
    HOUSE,
    PUBLIC,
    SAFE_METHODS,
    SECRETS,
    SIGNED_IN,
    WHO,
    Doorkeeper,
    bearer,
    denial,
    form_is_ours,
    harden,
    is_api,
    readable,
    same_origin,
    stranger,
)
from hub.web.stream import STREAMS, Streams

MAX_BODY = 64 * 1024
NO_SECRETS = Secrets()

log = structlog.get_logger("web")


class _InOneLine(logging.Filter):
    """A request that is no HTTP gets one line, without what was sent: a token may stand in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            record.msg = f"{record.msg}: it cannot be read (%s)"
            record.args = (*(record.args or ()), type(error).__name__)
            record.exc_info = record.exc_text = None
        return True


_IN_ONE_LINE = _InOneLine()


def create_app(
    hub: HouseFacade, streams: Streams | None = None, secrets: Secrets | None = None
) -> web.Application:
    """The pages and the API over a house. Needs nothing but the facade; serves nothing by itself.

    Whoever runs it should give the runner a short `shutdown_timeout`: open streams end by
    themselves when the application shuts down. No page, answer or stream shows any of `secrets`.
    """
    app = web.Application(middlewares=[_clean, _errors, _placed, _gate], client_max_size=MAX_BODY)
    app[HOUSE] = hub
    app[SECRETS] = secrets or NO_SECRETS
    app[DOORKEEPER] = Doorkeeper(hub)
    app[STREAMS] = streams or Streams()
    app[RECENT] = RecentVerdicts(hub.clock)
    app[files.STATIC] = files.load_static()
    routes.install(app)
    app.on_response_prepare.append(harden)
    app.on_startup.append(routes.refuse_undeclared)
    app.on_shutdown.append(_end_streams)
    logging.getLogger("aiohttp.server").addFilter(_IN_ONE_LINE)
    return app


async def _end_streams(app: web.Application) -> None:
    app[STREAMS].stopping.set()


@web.middleware
async def _clean(request: web.Request, handler: Handler) -> web.StreamResponse:
    """No secret in what programs read; in pages each value is cleaned as it is put in."""
    answer = await handler(request)
    if isinstance(answer, web.Response) and answer.content_type == "application/json":
        secrets, text = request.app[SECRETS], answer.text or ""
        if secrets.clean(text) != text:
            answer.text = json.dumps(secrets.clean_data(json.loads(text)))
    return answer


@web.middleware
async def _placed(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What is done for a request is audited with the address it came from."""
    with origin("", request.remote or ""):
        return await handler(request)


@web.middleware
async def _gate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Deny by default: who is it, may they, and does the request come from our own pages?"""
    permission = request.app[routes.PERMISSION_OF].get(request.match_info.route)
    keeper = request.app[DOORKEEPER]
    acts = request.method not in SAFE_METHODS
    by_token = bearer(request) is not None
    if acts and not by_token and not same_origin(request):
        return await _denied(
            request, 403, "This request came from another site.", "Use the hub's own pages."
        )
    if permission == PUBLIC:
        return await (handler(request) if await readable(request) else _unreadable(request))
    who = await keeper.recognise(request)
    if who is None:
        return stranger(request)
    request[WHO] = who
    if (here := present_origin()) is not None:
        here.by = who.by
    if permission is None:
        return await handler(request)  # no such page, or not with this method
    if permission != SIGNED_IN and not keeper.may(who, permission):
        return await _denied(
            request, 403, "Your role may not do this.", f"It needs the permission {permission}."
        )
    if acts and not await readable(request):
        return await _unreadable(request)
    if acts and who.kind == "session" and not await form_is_ours(request, who.csrf):
        return await _denied(
            request,
            403,
            "The form was out of date.",
            "Load the page again and repeat what you did. Programs send a token instead.",
        )
    return await handler(request)


async def _unreadable(request: web.Request) -> web.StreamResponse:
    return await _denied(
        request, 400, "The form cannot be read.", "Send it as UTF-8, as the hub's own pages do."
    )


async def _denied(request: web.Request, status: int, error: str, hint: str) -> web.Response:
    if is_api(request):
        return denial(status, error, hint)
    return await error_page(request, status, error, hint)


_SAID: dict[int, tuple[str, str]] = {
    404: ("There is nothing here.", "The address may be old, or the record was removed."),
    405: ("This address does not take that.", "See docs/reference/api.md."),
    413: ("That was too much at once.", "Send less than 64 KiB."),
}


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every failure leaves in the shape its receiver reads, and none without a line in the log."""
    try:
        return await handler(request)
    except web.HTTPException as problem:
        if problem.status < 400:
            raise
        error, hint = _SAID.get(problem.status, (problem.reason, ""))
        answer = await _denied(request, problem.status, error, hint)
        if "Allow" in problem.headers:
            answer.headers["Allow"] = problem.headers["Allow"]
        return answer
    except ConnectionError:
        raise
    except Exception:
        # Plain text on purpose: a traceback with local variables could show a password.
        log.error(
            "a request failed",
            method=request.method,
            path=request.path,
            trace=traceback.format_exc(),
        )
        return await _denied(
            request,
            500,
            "The hub could not answer this.",
            "Doors, alerts and cameras work on. The log of the hub says more.",
        )
