"""What people do in incidents, by form and by API: one list of acts, each with what it needs.

A form leads back to the incident; a program gets the incident as it is then. A refusal says why, in
the same words for both.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from aiohttp import web
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from hub.errors import Refused
from hub.events import new_id
from hub.incident_settings import KIND_NAMES, CaseRole, IncidentKind
from hub.incident_views import NearView
from hub.kinds.notifiers import Severity
from hub.ports import CasesFacade
from hub.views import IncidentView
from hub.web.api import INCIDENTS
from hub.web.contract import Contract, Line, key_of, taken
from hub.web.language import gettext as _
from hub.web.pages import incident_page
from hub.web.problems import turned_down
from hub.web.render import error_page, page
from hub.web.security import HOUSE, allowed, see_other, who_is
from hub.web.validation import in_words
from hub.web.words import sentence

_Text = Annotated[str, StringConstraints(max_length=4000), AfterValidator(str.strip)]
_Message = Annotated[str, StringConstraints(max_length=2000), AfterValidator(str.strip)]
_Line = Annotated[str, StringConstraints(max_length=200), AfterValidator(str.strip)]
_Key = Annotated[str, StringConstraints(max_length=64)]

HINT = "GET /api/v1/incidents/ID shows how the incident stands."


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OpenBody(_Body):
    """An incident that a person opens."""

    title: _Line
    kind: IncidentKind = "other"
    severity: Severity = "high"
    place: _Line = ""
    drill: bool = False
    key: _Key = ""


class NoteBody(_Body):
    """A note; `corrects` is the event of the entry that it corrects."""

    text: _Text
    key: _Key = ""
    corrects: _Line = ""


class RoleBody(_Body):
    """Who has which role; without `person` it is the one who asks."""

    role: CaseRole
    person: _Line = ""
    ends: bool = False


class TaskBody(_Body):
    """A task that is added."""

    text: _Line
    who: _Line = ""
    key: _Key = ""


class TaskChangeBody(_Body):
    """What becomes of a task."""

    do: Literal["taken", "done", "dropped", "opened"]
    who: _Line = ""
    note: _Text = ""


class KindBody(_Body):
    """What the incident is about."""

    kind: IncidentKind


class UpdateBody(_Body):
    """How it stands, for everyone who was told."""

    text: _Message
    key: _Key = ""


class MergeBody(_Body):
    """The incident that this one becomes part of."""

    into: _Line
    why: _Line = ""


class SplitBody(_Body):
    """The alerts that become an incident of their own."""

    alerts: Annotated[list[_Line], Field(min_length=1, max_length=200)]
    title: _Line
    why: _Line = ""


class EndBody(_Body):
    """Why it is closed or reopened."""

    why: _Line = ""


class ReportBody(_Body):
    """The form in which the report is taken away."""

    form: Literal["pdf", "json"] = "pdf"


@dataclass(frozen=True, slots=True)
class Act:
    """One thing to do: the address behind the incident's, what it needs, who may, what it does, and
    in words what that is.
    """

    path: str
    permission: str
    body: type[_Body]
    run: Callable[[CasesFacade, dict[str, str], Any, str], Awaitable[IncidentView]]
    words: str


ACTS: tuple[Act, ...] = (
    Act(
        "", "work.incidents", OpenBody,
        lambda cases, at, b, by: cases.open(
            b.title, b.kind, b.severity, b.place, by, drill=b.drill, key=b.key
        ),
        "Open an incident by hand.",
    ),
    Act(
        "/{id}/notes", "work.incidents", NoteBody,
        lambda cases, at, b, by: cases.note(at["id"], b.text, by, key=b.key, corrects=b.corrects),
        "Add a note, or with `corrects` the correction of an entry.",
    ),
    Act(
        "/{id}/roles", "work.incidents", RoleBody,
        lambda cases, at, b, by: cases.role(at["id"], b.role, b.person or by, by, ends=b.ends),
        "Give somebody a role, or end it.",
    ),
    Act(
        "/{id}/tasks", "work.incidents", TaskBody,
        lambda cases, at, b, by: cases.add_task(at["id"], b.text, by, key=b.key, who=b.who),
        "Add a task.",
    ),
    Act(
        "/{id}/tasks/{task}", "work.incidents", TaskChangeBody,
        lambda cases, at, b, by: cases.task(
            at["id"], at["task"], b.do, by, who=b.who, note=b.note
        ),
        "A task is taken, done, dropped or opened again.",
    ),
    Act(
        "/{id}/updates", "work.incidents", UpdateBody,
        lambda cases, at, b, by: cases.update(at["id"], b.text, by, key=b.key),
        "Tell everyone who was told how it stands.",
    ),
    Act(
        "/{id}/kind", "lead.incidents", KindBody,
        lambda cases, at, b, by: cases.kind(at["id"], b.kind, by),
        "Say what it is about.",
    ),
    Act(
        "/{id}/merge", "lead.incidents", MergeBody,
        lambda cases, at, b, by: cases.merge(at["id"], b.into, by, why=b.why),
        "Make it part of another; answers with that one.",
    ),
    Act(
        "/{id}/split", "lead.incidents", SplitBody,
        lambda cases, at, b, by: cases.split(at["id"], b.alerts, b.title, by, why=b.why),
        "Make some of its alerts an incident of their own; answers with the new one.",
    ),
    Act(
        "/{id}/close", "lead.incidents", EndBody,
        lambda cases, at, b, by: cases.close(at["id"], by, why=b.why),
        "End it; refused while an alert waits for a verdict.",
    ),
    Act(
        "/{id}/reopen", "lead.incidents", EndBody,
        lambda cases, at, b, by: cases.reopen(at["id"], by, why=b.why),
        "Go on with it.",
    ),
)  # fmt: skip


async def _fields(request: web.Request, body: type[_Body]) -> _Body:
    """A form's fields as that body. Raises `ValidationError`."""
    fields = await request.post()
    given: dict[str, Any] = {}
    for name in body.model_fields:
        values = [str(each) for each in fields.getall(name, [])]
        if values:
            given[name] = values if name == "alerts" else values[-1]
    return body.model_validate(given)


def by_form(act: Act) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The act as the handler of a form."""

    async def handle(request: web.Request) -> web.Response:
        at, cases = dict(request.match_info), request.app[HOUSE].cases
        try:
            body = await _fields(request, act.body)
            view = await act.run(cases, at, body, who_is(request).by)
        except KeyError:
            raise web.HTTPNotFound from None
        except ValidationError as problem:
            return await _refused(request, at.get("id", ""), 422, in_words(problem))
        except Refused as refusal:
            return await _refused(request, at.get("id", ""), 409, str(refusal))
        return see_other(f"/incidents/{view['id']}")

    return handle


async def _refused(request: web.Request, incident: str, status: int, why: str) -> web.Response:
    if incident:
        return await incident_page(request, incident, status, sentence(why))
    return await error_page(request, status, _("Nothing was opened."), sentence(why))


def by_api(act: Act) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The act as the handler of an API address."""

    async def handle(request: web.Request) -> web.Response:
        cases, by, body = request.app[HOUSE].cases, who_is(request).by, taken(request, act.body)
        if "key" in act.body.model_fields and not getattr(body, "key", ""):
            body = body.model_copy(update={"key": key_of(request)})
        with turned_down("incident", INCIDENTS, HINT):
            view = await act.run(cases, dict(request.match_info), body, by)
        return web.json_response(view)

    handle.__doc__ = act.words
    return handle


async def near(request: web.Request) -> web.Response:
    """What is around an incident, as far as the reader may see it."""
    house, incident = request.app[HOUSE], request.match_info["id"]
    with turned_down("incident", INCIDENTS):
        view = await house.incident(incident)
        around = await house.cases.near(view, lambda permission: allowed(request, permission))
    return web.json_response(around)


async def show_case(request: web.Request) -> web.Response:
    """What is seldom done in an incident: its kind, merging, splitting, its end, a correction."""
    house, incident = request.app[HOUSE], request.match_info["id"]
    try:
        view = await house.incident(incident)
    except KeyError:
        raise web.HTTPNotFound from None
    wrong = request.query.get("corrects", "")
    others = [
        each
        for each in await house.incidents()
        if each["id"] != incident and each["state"] == "open" and each["drill"] == view["drill"]
    ]
    return await page(
        request,
        "case.html",
        incident=view,
        kinds=[(kind, KIND_NAMES[kind]) for kind in get_args(IncidentKind)],
        others=others,
        wrong=next((each for each in view["entries"] if each["event"] == wrong), None),
        key=new_id(),
    )


async def take_report(request: web.Request) -> web.Response:
    """The after-action report as a file, by form."""
    try:
        body = await _fields(request, ReportBody)
        return await _report(request, body)
    except KeyError:
        raise web.HTTPNotFound from None
    except ValidationError as problem:
        return await _refused(request, request.match_info["id"], 422, in_words(problem))
    except Refused as refusal:
        return await _refused(request, request.match_info["id"], 409, str(refusal))


async def api_report(request: web.Request) -> web.Response:
    """The after-action report as a file; that it is taken away is told in the story."""
    with turned_down("incident", INCIDENTS, HINT):
        return await _report(request, taken(request, ReportBody))


async def _report(request: web.Request, body: _Body) -> web.Response:
    assert isinstance(body, ReportBody)
    incident, by = request.match_info["id"], who_is(request).by
    cases = request.app[HOUSE].cases
    name = f"incident-{incident[:12]}.{body.form}"
    if body.form == "pdf":
        data, kind = await cases.pdf(incident, by), "application/pdf"
    else:
        data, kind = await cases.json(incident, by), "application/json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return web.Response(body=data, content_type=kind, headers=headers)


LINES: tuple[Line, ...] = (
    *(("POST", f"/incidents{act.path}", act.permission, by_form(act)) for act in ACTS),
    *(
        (
            "POST", f"/api/v1/incidents{act.path}", act.permission, by_api(act),
            Contract(IncidentView, act.body, refuses=(409,)),
        )
        for act in ACTS
    ),
    ("GET", "/incidents/{id}/case", "work.incidents", show_case),
    ("POST", "/incidents/{id}/report", "export.incidents", take_report),
    (
        "POST", "/api/v1/incidents/{id}/report", "export.incidents", api_report,
        Contract(
            takes=ReportBody, media=("application/pdf", "application/json"), refuses=(409,),
            once=False,
        ),
    ),
    ("GET", "/api/v1/incidents/{id}/near", "see.incidents", near, Contract(NearView)),
)  # fmt: skip
