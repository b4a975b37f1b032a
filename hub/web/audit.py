"""The audit's page and API: read lines, filter them, take them away. Nothing here changes one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from aiohttp import web
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from hub.audit_port import Asked, AuditLineView, AuditView, LookView, whole_day
from hub.clock import from_iso, iso
from hub.errors import StateError
from hub.identity.permissions import role_name
from hub.protocol_settings import PROTOCOL_NAMES
from hub.web.contract import Contract, Line, Moment, asked, taken
from hub.web.language import gettext as _
from hub.web.language import known, mark, ngettext
from hub.web.me import WAYS
from hub.web.problems import denial
from hub.web.render import error_page, page, words_in
from hub.web.security import HOUSE, allowed, is_api, who_is
from hub.web.words import ACTION_TAGS, VERB_WORDS, doer, listed, span

_LONGEST = 200
_Word = Annotated[str, StringConstraints(max_length=_LONGEST), AfterValidator(str.strip)]
_OUTCOMES: Mapping[str, tuple[str, str, str]] = {
    "refused": ("bad", "x", mark("Refused")),
    "failed": ACTION_TAGS["failed"],
    "no answer": ACTION_TAGS["timed_out"],
    "called off": ("", "ban", mark("Called off")),
    "asked": ("stale", "clock", mark("Asked")),
    "confirmed": ACTION_TAGS["confirmed"],
    "cut off by a stop": ("stale", "clock", mark("Cut off by a stop")),
}
_ICONS = {
    "view": "eye", "session": "user", "account": "users", "token": "key-round", "pins": "key-round",
    "guest": "eye", "drill": "flag", "glass": "key-round", "reason": "message-square",
    "device": "phone", "config": "settings", "rule": "settings", "door": "door-closed",
    "doors": "door-closed", "protocol": "shield-alert", "panic": "siren", "help": "hand",
    "fire": "flame", "alert": "bell", "incident": "clipboard-list", "audit": "download",
    "journal": "history", "clock": "clock", "hub": "house", "visit": "id-card",
    "visitor": "id-card",
}  # fmt: skip
_SAID_OTHERWISE = ("verb", "reason", "hash", "glass")
_OF_A_LOOK = ("pictures", "since", "until")


class ExportBody(BaseModel):
    """Which lines a program takes away; times are RFC 3339, empty for all."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    who: _Word = ""
    act: _Word = ""
    since: Moment = ""
    until: Moment = ""


class AuditQuery(ExportBody):
    """Which lines a program reads; `before` goes on below a number."""

    before: Annotated[str, StringConstraints(pattern=r"^[0-9]{0,15}$")] = ""


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
        return await error_page(request, 422, _("Nothing was taken away."), problem)
    return await _file(request, asked)


async def api_show(request: web.Request) -> web.Response:
    """Lines of the audit, newest first; `more` is the `before` to go on with, or 0."""
    narrowed = _between(asked(request, AuditQuery))
    return web.json_response(await request.app[HOUSE].audit.view(narrowed, _before(request)))


async def api_take(request: web.Request) -> web.StreamResponse:
    """The lines of the audit as a file that anybody can verify; that it is taken away is a line."""
    return await _file(request, _between(taken(request, ExportBody)))


async def _file(request: web.Request, asked: Asked) -> web.StreamResponse:
    house = request.app[HOUSE]
    try:
        pieces = await house.audit.export(asked, who_is(request).by)
    except StateError:
        error = mark("It cannot be recorded that you take this away, so you get nothing.")
        hint = mark("The page Health says what is wrong with the journal.")
        if is_api(request):
            return denial(503, error, hint)
        return await error_page(request, 503, _(error), _(hint))
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
        return Asked(who, act), _("That is no day; write one such as 2026-03-02.")
    return Asked(who, act, since, until), ""


def _between(body: ExportBody) -> Asked:
    return Asked(body.who, body.act, body.since, body.until)


def _before(request: web.Request) -> int:
    given = request.query.get("before", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 16 else 0


def _row(request: web.Request, line: AuditLineView, acts: Mapping[str, str]) -> dict[str, Any]:
    """How a line is shown."""
    about, link = _about(request, line)
    return {
        "icon": _ICONS.get(line["act"].split(".")[0], "info"),
        "who": doer(line["who"]),
        "words": str(known(acts.get(line["act"], line["act"]))).split(";")[0].rstrip("."),
        "about": "" if about in (line["who"], "hub", "configuration") else about,
        "link": link,
        "more": _more(request, line["details"]),
        "tag": _OUTCOMES.get(line["outcome"]),
    }


def _about(request: web.Request, line: AuditLineView | LookView) -> tuple[str, str]:
    """What a line is about, in words, and the page of that where the reader may see one."""
    act, subject, house = line["act"].split(".")[0], line["subject"], request.app[HOUSE]
    kind, _slash, name = subject.partition("/")
    if act == "incident" or kind == "incident":
        link = f"/incidents/{name or subject}" if allowed(request, "see.incidents") else ""
        return _("Incident"), link
    if act == "alert" or kind == "alert":
        return _("Alert"), f"/alerts/{name or subject}" if allowed(request, "see.alerts") else ""
    if kind == "camera" and name in house.config.cameras:
        block = house.config.cameras[name]
        link = f"/cameras/{name}" if allowed(request, "see.cameras") else ""
        return block.name or house.campus.name(block.place), link
    if act == "door" and subject in house.config.doors:
        link = f"/doors/{subject}" if allowed(request, "see.doors") else ""
        return house.config.doors[subject].name or subject, link
    if act == "drill" and line["act"] != "drill.exported":
        page = (
            f"/drills/held/{subject}" if line["act"] == "drill.evaluated" else f"/drills/{subject}"
        )
        return _("Drill"), page if allowed(request, "see.drills") else ""
    if act == "protocol" and subject in PROTOCOL_NAMES:
        return subject.capitalize(), ""
    return ("" if subject == "audit" else subject), ""


def _more(request: web.Request, details: Mapping[str, Any]) -> str:
    """The details of a line, in words."""
    said: list[str] = []
    house = request.app[HOUSE]
    otherwise: tuple[str, ...] = _SAID_OTHERWISE
    if "pictures" in details:
        otherwise += _OF_A_LOOK
        seconds = (from_iso(details["until"]) - from_iso(details["since"])).total_seconds()
        count = details["pictures"]
        lasted = span(seconds)
        said.append(
            ngettext(
                "%(n)s picture in %(span)s",
                "%(n)s pictures in %(span)s",
                count,
                n=count,
                span=lasted,
            )
        )
    if "verb" in details:
        said.append(str(known(VERB_WORDS.get(str(details["verb"]), str(details["verb"])))))
    if details.get("glass"):
        said.append(_("with broken glass"))
    if details.get("reason"):
        said.append(_("reason: %(reason)s", reason=known(details["reason"])))
    for name, value in details.items():
        if name in otherwise:
            continue
        values = value if isinstance(value, list) else [value]
        words = listed([_in_words(request, name, each) for each in values])
        if name in _OF_A_LOOK:
            words = words_in(house.config.hub.timezone).when(str(value), house.clock.now())
        said.append(f"{known(name.replace('_', ' '))}: {words}")
    return ", ".join(said)


def _in_words(request: web.Request, name: str, value: Any) -> str:
    """A detail as people know it: what has a name in the configuration goes by that."""
    house = request.app[HOUSE]
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if name in ("place", "places", "area"):
        return house.campus.name(str(value))
    if name in ("role", "was"):
        return str(known(role_name(str(value), house.config.roles)))
    if name == "leader":
        people = house.config.people
        return people[str(value)].name if value in people else str(value)
    if name == "due":
        return words_in(house.config.hub.timezone).when(str(value), house.clock.now())
    if name == "way":
        return _(WAYS.get(str(value), str(value)))
    if name in ("protocol", "does") and value in PROTOCOL_NAMES:
        return str(value).capitalize()
    return str(known(str(value)))


LINES: tuple[Line, ...] = (
    ("GET", "/audit", "see.audit", show),
    ("POST", "/audit/export", "see.audit", take),
    ("GET", "/api/v1/audit", "see.audit", api_show, Contract(AuditView, asks=AuditQuery)),
    (
        "POST", "/api/v1/audit/export", "see.audit", api_take,
        Contract(takes=ExportBody, media=("application/jsonl",), refuses=(503,), once=False),
    ),
)  # fmt: skip
