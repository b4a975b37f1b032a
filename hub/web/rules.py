"""Rules: what each waits for, what it did, why it fired or not, and what it would have done.

The pages only look. A trial runs beside the hub over what is recorded; it sends nothing and changes
nothing, and another text is tried without being taken over.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from hub.clock import iso
from hub.errors import Refused, StateError
from hub.rules_port import (
    ExplanationView,
    RuleDetailView,
    RuleView,
    TrialView,
)
from hub.web.contract import WHOLE, Contract, Line, Moment, asked, taken
from hub.web.language import gettext as _
from hub.web.language import mark
from hub.web.problems import Denied, turned_down
from hub.web.render import page
from hub.web.security import HOUSE, see_other, who_is
from hub.web.words import sentence

LONGEST_TEXT = 20_000
DAYS = 7
MOST_DAYS = 31
CAME = {
    "fired": ("ok", "check", mark("It fired")),
    "would": ("warn", "triangle-alert", mark("It would fire now")),
    "kept_back": ("stale", "clock", mark("Kept back")),
    "waits": ("stale", "clock", mark("It still waits")),
    "not": ("", "x", mark("It did not fire")),
}
MET = {
    True: ("ok", "check", mark("Held")),
    False: ("bad", "x", mark("Did not hold")),
    None: ("unknown", "unknown", mark("Not asked")),
}
NOT_RECORDED = mark("It cannot be recorded that you try this, so nothing is tried.")
_Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{0,80}$")]


class WhyQuery(BaseModel):
    """Which event: by its id, that of an alert, or the last at or before a time (RFC 3339); the
    last there is without any of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    event: _Id = ""
    alert: _Id = ""
    at: Moment = ""


class TryBody(BaseModel):
    """On how many of the last days."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    days: Annotated[int, Field(ge=1, le=MOST_DAYS), WHOLE] = DAYS


class TryTextBody(TryBody):
    """The rule's text as it would stand in the file, from its own name on."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_TEXT)]


# ------------------------------------------------------------------------------------ pages


async def show(request: web.Request) -> web.Response:
    """Every rule in a line: what it waits for, where, what it does, when it last fired."""
    return await page(request, "rules.html", rules=await request.app[HOUSE].rules.rules())


async def rule(request: web.Request) -> web.Response:
    """One rule: its firings with the values that met it, and how far people trust it."""
    try:
        view = await request.app[HOUSE].rules.rule(request.match_info["id"])
    except KeyError:
        raise web.HTTPNotFound from None
    return await page(request, "rule.html", rule=view)


async def why(request: web.Request) -> web.Response:
    """Why it fired for an event, or why not: each condition with the value that it met."""
    house, name = request.app[HOUSE], request.match_info["id"]
    moment, problem = _local(request.query.get("at", ""), house.config.hub.timezone)
    event, alert = (request.query.get(key, "")[:80] for key in ("event", "alert"))
    try:
        view = await house.rules.rule(name)
        found = await house.rules.explain(name, event=event, at=moment, alert=alert)
    except KeyError:
        raise web.HTTPNotFound from None
    return await page(
        request,
        "rule_why.html",
        status=422 if problem else 200,
        rule=view,
        found=found,
        problem=problem,
        at=request.query.get("at", "")[:40],
        came=CAME,
        met=MET,
    )


async def trying(request: web.Request) -> web.Response:
    """Try the rule on the last days: as it is, or as it might be."""
    return await _trying(request)


async def try_out(request: web.Request) -> web.Response:
    """Try it as it is."""
    return await _begin(request, "")


async def try_text(request: web.Request) -> web.Response:
    """Try another text of it."""
    text = str((await request.post()).get("text", ""))
    if not text.strip() or len(text) > LONGEST_TEXT:
        problem = _("Expected the rule's text, at most %(n)s characters.", n=LONGEST_TEXT)
        return await _trying(request, status=422, problem=problem)
    return await _begin(request, text)


async def restore(request: web.Request) -> web.Response:
    """Have a rule that is only reviewed raise alerts by a camera as before."""
    name, fields = request.match_info["id"], await request.post()
    try:
        camera = str(fields.get("camera", ""))
        await request.app[HOUSE].restore_rule(name, camera, who_is(request).by)
    except KeyError:
        raise web.HTTPNotFound from None
    return see_other(f"/rules/{name}")


async def _begin(request: web.Request, text: str) -> web.Response:
    house, name = request.app[HOUSE], request.match_info["id"]
    try:
        view = await house.rules.try_out(name, who_is(request).by, days=DAYS, text=text)
    except KeyError:
        raise web.HTTPNotFound from None
    except Refused as refusal:
        return await _trying(request, status=409, problem=sentence(str(refusal)), text=text)
    except StateError:
        return await _trying(request, status=503, problem=_(NOT_RECORDED), text=text)
    return see_other(f"/rules/{name}/try?trial={view['id']}")


async def _trying(
    request: web.Request, *, status: int = 200, problem: str = "", text: str = ""
) -> web.Response:
    house, name = request.app[HOUSE], request.match_info["id"]
    trial: TrialView | None = None
    try:
        view = await house.rules.rule(name)
        if wanted := request.query.get("trial"):
            trial = house.rules.trial(wanted)
    except KeyError:
        raise web.HTTPNotFound from None
    most = max((max(d["did"], d["would"]) for d in _days(trial)), default=0)
    return await page(
        request,
        "rule_try.html",
        status=status,
        rule=view,
        trial=trial,
        problem=problem,
        text=text or (trial["text"] if trial else "") or view["text"],
        most=max(1, most),
    )


def _days(trial: TrialView | None) -> list[Any]:
    return [] if trial is None or trial["found"] is None else list(trial["found"]["days"])


def _local(text: str, zone: str) -> tuple[str, str]:
    """A moment of the school's clock as a browser sends it, in RFC 3339; and what is wrong."""
    if not text:
        return "", ""
    try:
        moment = datetime.fromisoformat(text[:40])
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=ZoneInfo(zone))
        return iso(aware), ""
    except (ValueError, OverflowError):
        return "", _("That is no time; write one such as 2026-03-02T08:15.")


# -------------------------------------------------------------------------------------- API


async def api_show(request: web.Request) -> web.Response:
    """Every rule, in file order: what it waits for, when it last fired, how far it is trusted."""
    return web.json_response(await request.app[HOUSE].rules.rules())


async def api_rule(request: web.Request) -> web.Response:
    """One rule with its text, its last firings and what it has looked at."""
    with turned_down("rule", "GET /api/v1/rules lists them."):
        return web.json_response(await request.app[HOUSE].rules.rule(request.match_info["id"]))


async def api_why(request: web.Request) -> web.Response:
    """Why a rule fired for an event, or why not: each condition with the value that it met."""
    query = asked(request, WhyQuery)
    with turned_down("rule or event", "GET /api/v1/rules/{id} lists what it has looked at."):
        found = await request.app[HOUSE].rules.explain(
            request.match_info["id"], event=query.event, at=query.at, alert=query.alert
        )
    return web.json_response(found)


async def api_try(request: web.Request) -> web.Response:
    """Try a rule on the recorded events of the last days. Nothing is sent, nothing changes."""
    return await _api_begin(request, taken(request, TryBody).days, "")


async def api_try_text(request: web.Request) -> web.Response:
    """Try another text of a rule on the recorded events of the last days. Nothing is taken over."""
    body = taken(request, TryTextBody)
    return await _api_begin(request, body.days, body.text)


async def api_trial(request: web.Request) -> web.Response:
    """How a trial is getting on, and what it found. The last few are known."""
    with turned_down("trial", "POST /api/v1/rules/{id}/try begins one."):
        return web.json_response(request.app[HOUSE].rules.trial(request.match_info["id"]))


async def _api_begin(request: web.Request, days: int, text: str) -> web.Response:
    rules, by = request.app[HOUSE].rules, who_is(request).by
    try:
        with turned_down("rule", "GET /api/v1/rules lists them."):
            view = await rules.try_out(request.match_info["id"], by, days=days, text=text)
    except StateError:
        hint = "GET /api/v1/health says what is wrong with the journal."
        raise Denied(503, NOT_RECORDED, hint) from None
    return web.json_response(view, status=202)


_TRIAL = "/api/v1/rules/{id}/try"
LINES: tuple[Line, ...] = (
    ("GET", "/rules", "see.rules", show),
    ("GET", "/rules/{id}", "see.rules", rule),
    ("GET", "/rules/{id}/why", "see.rules", why),
    ("GET", "/rules/{id}/try", "see.rules", trying),
    ("POST", "/rules/{id}/try", "see.rules", try_out),
    ("POST", "/rules/{id}/try-text", "manage.configuration", try_text),
    ("POST", "/rules/{id}/restore", "give.verdict", restore),
    ("GET", "/api/v1/rules", "see.rules", api_show, Contract(list[RuleView])),
    ("GET", "/api/v1/rules/{id}", "see.rules", api_rule, Contract(RuleDetailView)),
    (
        "GET", "/api/v1/rules/{id}/why", "see.rules", api_why,
        Contract(ExplanationView, asks=WhyQuery),
    ),
    (
        "POST", _TRIAL, "see.rules", api_try,
        Contract(TrialView, TryBody, status=202, refuses=(503,)),
    ),
    (
        "POST", f"{_TRIAL}-text", "manage.configuration", api_try_text,
        Contract(TrialView, TryTextBody, status=202, refuses=(503,)),
    ),
    ("GET", "/api/v1/rule-trials/{id}", "see.rules", api_trial, Contract(TrialView)),
)  # fmt: skip
