"""The page and the API of the configuration: what runs, what the file would change, the way back.

Looking is part of reading the page; applying takes a press, and a second one where doors, protocols
or what a verified alert does would change.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from aiohttp import web
from pydantic import BaseModel, ConfigDict, StringConstraints

from hub.config_text_views import FileTextView
from hub.errors import Refused
from hub.views import ConfigurationView, PlanView
from hub.web.contract import Contract, Line, asked, taken
from hub.web.problems import turned_down
from hub.web.render import page
from hub.web.security import HOUSE, see_other, who_is
from hub.web.words import sentence

AROUND = 4
_Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{0,64}$")]


class ApplyBody(BaseModel):
    """What an apply needs: the id of the look, and the second confirmation where it is asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    plan: _Hash
    confirmed: bool = False


class PlanQuery(BaseModel):
    """Which kept configuration, by its hash; empty for the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    kept: _Hash = ""


async def show(request: web.Request) -> web.Response:
    """What runs, and what the file (or `?kept=HASH`) would change; `?confirm=ID` asks once more."""
    return await _page(request, kept=request.query.get("kept", ""))


async def text(request: web.Request) -> web.Response:
    """The file, or a kept one, line by line, with its mistakes where they are."""
    kept, problem, files = request.query.get("kept", ""), "", []
    try:
        files = await request.app[HOUSE].configuration.text(kept)
    except Refused as refusal:
        problem = sentence(str(refusal))
    return await page(
        request,
        "configuration_text.html",
        status=409 if problem else 200,
        files=files,
        kept=kept,
        problem=problem,
        mistakes=sum(len(line["mistakes"]) for each in files for line in each["lines"]),
    )


def near(files: list[FileTextView]) -> list[FileTextView]:
    """The lines around mistakes alone; files without any are left out."""
    found = []
    for each in files:
        wrong = [line["number"] for line in each["lines"] if line["mistakes"]]
        lines = [
            line
            for line in each["lines"]
            if any(abs(line["number"] - number) <= AROUND for number in wrong)
        ]
        if lines:
            found.append(FileTextView(name=each["name"], lines=lines))
    return found


async def apply(request: web.Request) -> web.Response:
    """Take over what was shown; grave changes come back once more to be confirmed."""
    fields = await request.post()
    plan, kept = str(fields.get("plan", "")), str(fields.get("kept", ""))
    confirmed = fields.get("confirmed") == "yes"
    try:
        found = await _look(request, kept)
        if found["id"] == plan and found["grave"] and not confirmed:
            return see_other(f"/configuration?{urlencode({'kept': kept, 'confirm': plan})}")
        await request.app[HOUSE].configuration.apply(plan, who_is(request).by, confirmed=confirmed)
    except Refused as refusal:
        return await _page(request, kept=kept, status=409, problem=sentence(str(refusal)))
    return see_other("/configuration")


async def _look(request: web.Request, kept: str) -> PlanView:
    return await request.app[HOUSE].configuration.look(kept)


async def _page(
    request: web.Request,
    *,
    kept: str = "",
    status: int = 200,
    problem: str = "",
) -> web.Response:
    plan: PlanView | None = None
    files: list[FileTextView] = []
    try:
        plan = await _look(request, kept)
        if not plan["valid"]:
            files = near(await request.app[HOUSE].configuration.text(kept))
    except Refused as refusal:
        problem = problem or sentence(str(refusal))
    return await page(
        request,
        "configuration.html",
        status=status,
        view=await request.app[HOUSE].configuration.view(),
        plan=plan,
        files=files,
        problem=problem,
        confirming=plan is not None and request.query.get("confirm") == plan["id"],
    )


async def api_view(request: web.Request) -> web.Response:
    """What runs, since when, and what was kept."""
    return web.json_response(await request.app[HOUSE].configuration.view())


async def api_plan(request: web.Request) -> web.Response:
    """What taking over the file, or with `?kept=HASH` a kept configuration, would change."""
    with turned_down("configuration", "GET /api/v1/configuration lists what was kept."):
        return web.json_response(await _look(request, asked(request, PlanQuery).kept))


async def api_apply(request: web.Request) -> web.Response:
    """Take over what was looked at last; answers with what changed."""
    configuration, by = request.app[HOUSE].configuration, who_is(request).by
    body = taken(request, ApplyBody)
    hint = "GET /api/v1/configuration/plan first; `confirmed: true` for what it calls grave."
    with turned_down("configuration", hint):
        plan = await configuration.apply(body.plan, by, confirmed=body.confirmed)
    return web.json_response(plan)


async def api_text(request: web.Request) -> web.Response:
    """The file, or with `?kept=HASH` a kept one, line by line, with its mistakes at their places.
    What is secret is hidden.
    """
    with turned_down("configuration", "GET /api/v1/configuration lists what was kept."):
        found = await request.app[HOUSE].configuration.text(asked(request, PlanQuery).kept)
    return web.json_response(found)


LINES: tuple[Line, ...] = (("GET", "/configuration/text", "manage.configuration", text),)
API_LINES: tuple[Line, ...] = (
    (
        "GET", "/api/v1/configuration", "manage.configuration", api_view,
        Contract(ConfigurationView),
    ),
    (
        "GET", "/api/v1/configuration/plan", "manage.configuration", api_plan,
        Contract(PlanView, asks=PlanQuery, refuses=(404, 409)),
    ),
    (
        "GET", "/api/v1/configuration/text", "manage.configuration", api_text,
        Contract(list[FileTextView], asks=PlanQuery, refuses=(404, 409)),
    ),
    (
        "POST", "/api/v1/configuration/apply", "manage.configuration", api_apply,
        Contract(PlanView, ApplyBody, refuses=(404, 409)),
    ),
)  # fmt: skip
