"""The audit's page and API: read lines, filter them, take them away. Nothing here changes one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, StringConstraints

from hub.audit_port import Asked, AuditLineView, LookView, whole_day
from hub.clock import from_iso, iso
from hub.errors import StateError
from hub.web.api import BadBody, read_body
from hub.web.render import error_page, page
from hub.web.security import HOUSE, allowed, denial, is_api, who_is
from hub.web.words import ACTION_TAGS, VERB_WORDS, listed, span

_LONGEST = 200
_Word = Annotated[str, StringConstraints(strip_whitespace=True, max_length=_LONGEST)]
_OUTCOMES: Mapping[str, tuple[str, str, str]] = {
    "refused": ("bad", "x", "Refused"),
    "failed": ACTION_TAGS["failed"],
    "no answer": ACTION_TAGS["timed_out"],
    "called off": ("", "ban", "Called off"),
    "asked": ("stale", "clock", "Asked"),
    "confirmed": ACTION_TAGS["confirmed"],
    "cut off by a stop": ("stale", "clock", "Cut off by a stop"),
}
_ICONS = {
    "view": "eye", "session": "user", "account": "users", "token": "key-round", "pins": "key-round",
    "device": "phone", "config": "settings", "rule": "settings", "door": "door-closed",
    "doors": "door-closed", "protocol": "shield-alert", "panic": "siren", "help": "hand",
    "fire": "flame", "alert": "bell", "incident": "clipboard-list", "audit": "download",
    "journal": "history", "clock": "clock", "hub": "house",
}  # fmt: skip
_NAMES = {"hub": "The hub", "nobody signed in": "Nobody signed in"}
_SAID_OTHERWISE = ("verb", "reason", "hash")
_OF_A_LOOK = ("pictures", "since", "until")


class ExportBody(BaseModel):
    """Which lines a program takes away; times are RFC 3339, empty for all."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    who: _Word = ""
    act: _Word = ""
    since: _Word = ""
    until: _Word = ""


async def show(request: web.Request) -> web.Response:
    """Lines, newest first: by whom, of what kind, of which day."""
    house, asked, problem = request.app[HOUSE], *_asked(request, request.query)
    view = await house.audit.view(asked, _before(request))
    acts = house.audit.acts
    chosen = {name: request.query.get(name, "")[:_LONGEST] for name in ("who", "act", "day")}
    return await page(
        request,
        "audit.html",
        status=422 if problem else 200,
        problem=problem,
        view=view,
        acts=acts,
        chosen=chosen,
        rows=[(line, _row(request, line, acts)) for line in view["lines"]],
        looking=[(look, _about(request, look)) for look in view["looking"]],
        older=bool(request.query.get("before")),
    )


async def take(request: web.Request) -> web.StreamResponse:
    """The lines as a file, by form."""
    asked, problem = _asked(request, await request.post())
    if problem:
        return await error_page(request, 422, "Nothing was taken away.", problem)
    return await _file(request, asked)


async def api_show(request: web.Request) -> web.Response:
    """Lines for programs; `before` goes on below a number."""
    names = {name: request.query.get(name, "")[:_LONGEST] for name in ExportBody.model_fields}
    try:
        asked = _between(ExportBody(**names))
    except ValueError as problem:
        return denial(422, "This time cannot be read.", str(problem))
    view = await request.app[HOUSE].audit.view(asked, _before(request))
    return web.json_response(view)


async def api_take(request: web.Request) -> web.StreamResponse:
    """The lines as a file, for programs."""
    try:
        asked = _between(await read_body(request, ExportBody))
    except BadBody as bad:
        return bad.answer
    except ValueError as problem:
        return denial(422, "This time cannot be read.", str(problem))
    return await _file(request, asked)


async def _file(request: web.Request, asked: Asked) -> web.StreamResponse:
    house = request.app[HOUSE]
    try:
        pieces = await house.audit.export(asked, who_is(request).by)
    except StateError:
        error = "It cannot be recorded that you take this away, so you get nothing."
        hint = "The page Health says what is wrong with the journal."
        if is_api(request):
            return denial(503, error, hint)
        return await error_page(request, 503, error, hint)
    name = f"audit-{iso(house.clock.now())[:19].replace(':', '')}Z.jsonl"
    answer = web.StreamResponse(
        headers={
            "Content-Type": "application/jsonl; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{name}"',
        }
    )
    await answer.prepare(request)
    async for piece in pieces:
        await answer.write(piece)
    return answer


def _asked(request: web.Request, fields: Mapping[str, Any]) -> tuple[Asked, str]:
    """What the page is asked for, and what is wrong with it in words."""
    who, act, day = (str(fields.get(name, "")).strip()[:_LONGEST] for name in ("who", "act", "day"))
    try:
        since, until = whole_day(day, request.app[HOUSE].config.hub.timezone) if day else ("", "")
    except ValueError:
        return Asked(who, act), "That is no day; write one such as 2026-03-02."
    return Asked(who, act, since, until), ""


def _between(body: ExportBody) -> Asked:
    """Raises `ValueError`."""
    try:
        since, until = (iso(from_iso(each)) if each else "" for each in (body.since, body.until))
    except OverflowError:
        raise ValueError("it is beyond what the calendar holds") from None
    return Asked(body.who, body.act, since, until)


def _before(request: web.Request) -> int:
    given = request.query.get("before", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 16 else 0


def _row(request: web.Request, line: AuditLineView, acts: Mapping[str, str]) -> dict[str, Any]:
    """How a line is shown."""
    about, link = _about(request, line)
    return {
        "icon": _ICONS.get(line["act"].split(".")[0], "info"),
        "who": _NAMES.get(line["who"], line["who"]),
        "words": acts.get(line["act"], line["act"]).split(";")[0].rstrip("."),
        "about": "" if about in (line["who"], "hub", "configuration") else about,
        "link": link,
        "more": _more(line["details"]),
        "tag": _OUTCOMES.get(line["outcome"]),
    }


def _about(request: web.Request, line: AuditLineView | LookView) -> tuple[str, str]:
    """What a line is about, in words, and the page of that where the reader may see one."""
    act, subject, house = line["act"].split(".")[0], line["subject"], request.app[HOUSE]
    kind, _, name = subject.partition("/")
    if act == "incident" or kind == "incident":
        link = f"/incidents/{name or subject}" if allowed(request, "see.incidents") else ""
        return "Incident", link
    if act == "alert" or kind == "alert":
        return "Alert", f"/alerts/{name or subject}" if allowed(request, "see.alerts") else ""
    if kind == "camera" and name in house.config.cameras:
        block = house.config.cameras[name]
        link = f"/cameras/{name}" if allowed(request, "see.cameras") else ""
        return block.name or house.campus.name(block.place), link
    if act == "door" and subject in house.config.doors:
        link = f"/doors/{subject}" if allowed(request, "see.doors") else ""
        return house.config.doors[subject].name or subject, link
    return ("" if subject == "audit" else subject), ""


def _more(details: Mapping[str, Any]) -> str:
    """The details of a line, in words."""
    said: list[str] = []
    otherwise: tuple[str, ...] = _SAID_OTHERWISE
    if "pictures" in details:
        otherwise += _OF_A_LOOK
        seconds = (from_iso(details["until"]) - from_iso(details["since"])).total_seconds()
        count = details["pictures"]
        said.append(f"{count} picture{'s' if count != 1 else ''} in {span(seconds)}")
    if "verb" in details:
        said.append(VERB_WORDS.get(str(details["verb"]), str(details["verb"])))
    if details.get("reason"):
        said.append(f"reason: {details['reason']}")
    for name, value in details.items():
        if name in otherwise:
            continue
        words = listed([str(each) for each in value]) if isinstance(value, list) else value
        said.append(f"{name.replace('_', ' ')}: {'yes' if words is True else words}")
    return ", ".join(said)


Line = tuple[str, str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]]

LINES: tuple[Line, ...] = (
    ("GET", "/audit", "see.audit", show),
    ("POST", "/audit/export", "see.audit", take),
    ("GET", "/api/v1/audit", "see.audit", api_show),
    ("POST", "/api/v1/audit/export", "see.audit", api_take),
)
