"""The web application: the gate every request passes, and the pieces put together."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import traceback
from collections.abc import AsyncIterator

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler

from hub.errors import StateError
from hub.origin import origin, present_origin
from hub.phrases import phrase
from hub.ports import HouseFacade
from hub.secrets import Secrets
from hub.web import files, passkeys, routes, sign_in_ways
from hub.web.connections import CONNECTIONS, Connections
from hub.web.guest_pages import admit
from hub.web.language import known, mark
from hub.web.packing import packed
from hub.web.problems import MEDIA_TYPE, Denied, denial
from hub.web.proxy import proxied
from hub.web.readers import CHOSEN, speak_to, speak_to_a_stranger
from hub.web.reasons import REASONS, Reasons, reason_asked
from hub.web.recent import RECENT, RecentVerdicts
from hub.web.render import error_page
from hub.web.security import (
    DOORKEEPER,
    GUEST,
    HOUSE,
    PUBLIC,
    SAFE_METHODS,
    SECRETS,
    SIGNED_IN,
    WHO,
    Doorkeeper,
    SightOf,
    bearer,
    form_is_ours,
    harden,
    is_api,
    readable,
    same_origin,
    see_other,
    stranger,
)
from hub.web.sight import SeenHouse, looking
from hub.web.sign_in_steps import SIGN_IN_STEPS, SignInSteps
from hub.web.stream import STREAMS, Streams
from hub.web.turns import TURNS, Turns
from hub.web.watching import VIEWERS, Viewers

MAX_BODY = 64 * 1024
UNREADABLE_EVERY_S = 60.0
FORM_S = 20.0
_JSON = ("application/json", MEDIA_TYPE)
NO_SECRETS = Secrets()
OWED = sign_in_ways.PAGE
OPEN_TO_OWING = frozenset(
    {line[1] for line in sign_in_ways.LINES if "{" not in line[1]}
    | {line[1] for line in passkeys.LINES}
    | {"/signout", "/me/language"}
)
"""Where somebody may go who owes a second factor."""

log = structlog.get_logger("web")


_UNREADABLE = (HttpProcessingError, web.RequestPayloadError)


class _InOneLine(logging.Filter):
    """A request that is no HTTP gets one line, without what was sent: a token may stand in it. A
    flood of them gets one a minute, and who goes before they have said all gets none.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said = -math.inf

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, ConnectionError):
            return False
        if isinstance(error, _UNREADABLE):
            if record.created - self._said < UNREADABLE_EVERY_S:
                return False
            self._said = record.created
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            record.msg = f"{record.msg}: it cannot be read (%s)"
            record.args = (*(record.args or ()), type(error).__name__)
            record.exc_info = record.exc_text = None
        return True


def create_app(
    hub: HouseFacade,
    streams: Streams | None = None,
    secrets: Secrets | None = None,
    connections: Connections | None = None,
) -> web.Application:
    """The pages and the API over a house. Needs nothing but the facade; serves nothing by itself.

    Whoever runs it should give the runner a short `shutdown_timeout`: open streams end by
    themselves when the application shuts down. No page, answer or stream shows any of `secrets`.
    """
    around = [proxied, packed, _spoken, _clean, _errors, _placed, _gate]
    app = web.Application(middlewares=around, client_max_size=MAX_BODY)
    app[HOUSE] = SeenHouse(hub)
    app[SECRETS] = secrets or NO_SECRETS
    app[DOORKEEPER] = Doorkeeper(hub)
    app[SIGN_IN_STEPS] = SignInSteps(hub)
    app[CHOSEN] = {}
    app[STREAMS] = streams or Streams()
    app[CONNECTIONS] = connections or Connections()
    app[TURNS] = Turns()
    app[files.NEWEST] = files.Newest()
    app[VIEWERS] = Viewers(hub)
    app[REASONS] = Reasons(hub.clock)
    app[RECENT] = RecentVerdicts(hub.clock)
    app[files.STATIC] = files.load_static()
    routes.install(app)
    app.on_response_prepare.append(harden)
    app.on_startup.append(routes.refuse_undeclared)
    app.on_shutdown.append(_end_streams)
    app.cleanup_ctx.append(_few_lines)
    return app


async def _few_lines(_: web.Application) -> AsyncIterator[None]:
    """While pages are served, what is no request costs little of the log."""
    of_server, in_one_line = logging.getLogger("aiohttp.server"), _InOneLine()
    of_server.addFilter(in_one_line)
    yield
    of_server.removeFilter(in_one_line)


async def _end_streams(app: web.Application) -> None:
    app[STREAMS].stopping.set()


@web.middleware
async def _spoken(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every answer is in the language of the browser, until it is known who reads it."""
    speak_to_a_stranger(request)
    return await handler(request)


@web.middleware
async def _clean(request: web.Request, handler: Handler) -> web.StreamResponse:
    """No secret in what programs read; in pages each value is cleaned as it is put in."""
    answer = await handler(request)
    small = "Content-Encoding" in answer.headers  # says nothing of the house
    if isinstance(answer, web.Response) and answer.content_type in _JSON and not small:
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
            request,
            403,
            mark("This request came from another site."),
            mark("Use the hub's own pages."),
        )
    if permission == PUBLIC:
        return await (handler(request) if await _whole(request) else _unreadable(request))
    if permission == GUEST:
        return await admit(request, handler)
    who = await keeper.recognise(request)
    if who is None:
        return stranger(request)
    request.app[CONNECTIONS].know(request)
    request[WHO] = who
    await speak_to(request, who)
    if (here := present_origin()) is not None:
        here.by = who.by
        broken = request.app[HOUSE].glass.of(who.digest) if who.kind == "session" else None
        here.glass = broken["id"] if broken is not None else ""
    if permission is None:
        return await handler(request)  # no such page, or not with this method
    if keeper.owes_factor(who) and request.path not in OPEN_TO_OWING:
        return await _owing(request)
    if permission != SIGNED_IN and not keeper.may(who, permission):
        return await _denied(request, 403, *keeper.refusal(who, permission))
    if acts and not await _whole(request):
        return await _unreadable(request)
    if acts and who.kind == "session" and not await form_is_ours(request, who.csrf):
        return await _denied(
            request,
            403,
            mark("The form was out of date."),
            mark("Load the page again and repeat what you did. Programs send a token instead."),
        )
    with looking(SightOf(request)):
        if (asks := await reason_asked(request, permission)) is not None:
            return asks
        if not acts:
            await request.app[TURNS].calm()
            return await handler(request)
        with request.app[TURNS].act():
            return await handler(request)


async def _whole(request: web.Request) -> bool:
    """Whether the form that comes along, if one does, is there in time and can be read."""
    try:
        async with asyncio.timeout(FORM_S):
            return await readable(request)
    except TimeoutError:
        raise Denied(
            408, mark("The form did not come in time."), mark("Load the page again and repeat it.")
        ) from None


async def _owing(request: web.Request) -> web.StreamResponse:
    """Whoever owes a second factor is led to adding one."""
    if request.method in SAFE_METHODS and not is_api(request):
        return see_other(OWED)
    return await _denied(
        request,
        403,
        mark("Your role needs a second factor."),
        phrase("Add one at %(path)s, then go on.", path=OWED),
    )


async def _unreadable(request: web.Request) -> web.StreamResponse:
    return await _denied(
        request,
        400,
        mark("The form cannot be read."),
        mark("Send it as UTF-8, as the hub's own pages do."),
    )


async def _denied(request: web.Request, status: int, error: str, hint: str) -> web.Response:
    if is_api(request):
        return denial(status, error, hint)
    return await error_page(request, status, known(error), known(hint))


_SAID: dict[int, tuple[str, str]] = {
    404: (
        mark("There is nothing here."),
        mark("The address may be old, or the record was removed."),
    ),
    405: (mark("This address does not take that."), mark("See docs/reference/api.md.")),
    413: (mark("That was too much at once."), mark("Send less than 64 KiB.")),
}


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every failure leaves in the shape its receiver reads, and none without a line in the log."""
    try:
        if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise Denied(415, "The body is packed.", "Send it without a Content-Encoding.")
        return await handler(request)
    except Denied as denied:
        return await _denied(request, denied.status, denied.detail, denied.hint)
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
    except _UNREADABLE:
        error, hint = mark("The body cannot be read."), mark("Send it whole, as HTTP says.")
        return await _denied(request, 400, error, hint)
    except StateError as error:
        log.error("a request could not be journaled", path=request.path, error=str(error))
        return await _denied(
            request,
            503,
            mark("The hub cannot write this down, so it was not done."),
            mark(
                "Its disk is full or failing: tell whoever runs it. Where it is urgent, use the "
                "telephone, the radio and keys."
            ),
        )
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
            mark("The hub could not answer this."),
            mark("Doors, alerts and cameras work on. The log of the hub says more."),
        )
