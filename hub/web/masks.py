"""Masks drawn over a camera's picture: what they change in the file, and writing it there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

from aiohttp import web
from pydantic import Field, StringConstraints, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from hub.camera_views import CameraView, MasksView
from hub.config import Polygon
from hub.errors import Refused, StateError
from hub.ports import Corners
from hub.web.api import CAMERAS, Body
from hub.web.contract import Contract, Line, taken
from hub.web.language import gettext as _
from hub.web.problems import denial
from hub.web.render import page
from hub.web.security import HOUSE, see_other, who_is
from hub.web.watching import may_watch
from hub.web.words import sentence

_MOST = 32
_Drawn = Annotated[tuple[Annotated[Polygon, Field(max_length=64)], ...], Field(max_length=_MOST)]
_DRAWN: TypeAdapter[tuple[Polygon, ...]] = TypeAdapter(_Drawn)
_NEEDS = "manage.configuration"


async def show(request: web.Request) -> web.Response:
    """The picture with the masks that are in force, to be drawn anew."""
    camera = _camera(request)
    block = request.app[HOUSE].config.cameras[camera["id"]]
    return await _page(request, camera, block.masks)


async def plan(request: web.Request) -> web.Response:
    """What the drawn masks would change in the file; nothing is written."""
    camera, fields = _camera(request), await request.post()
    try:
        drawn = _read(str(fields.get("masks", "")))
        view = await request.app[HOUSE].masks.plan(camera["id"], drawn)
    except ValueError:
        problem = _(
            "These are no masks: a mask has at least three corners, and its sides do not cross."
        )
        return await _page(request, camera, (), problem, text=str(fields.get("masks", "")))
    except Refused as refusal:
        return await _page(request, camera, drawn, sentence(str(refusal)))
    return await page(request, "masks_plan.html", camera=camera, plan=view, masks=_text(drawn))


async def write(request: web.Request) -> web.Response:
    """Write them into the file; from there the page of the configuration leads on."""
    camera, fields = _camera(request), await request.post()
    masks, before = str(fields.get("masks", "")), str(fields.get("before", ""))
    try:
        drawn = _read(masks)
    except ValueError:
        raise web.HTTPUnprocessableEntity from None
    try:
        await request.app[HOUSE].masks.write(camera["id"], drawn, before, who_is(request).by)
    except (Refused, StateError) as error:
        return await _page(request, camera, drawn, sentence(str(error)))
    return see_other("/configuration")


def _camera(request: web.Request) -> CameraView:
    """The camera, where its picture may be seen: who cannot see it cannot say what to hide."""
    wanted = request.match_info["id"]
    if not may_watch(request, wanted):
        raise web.HTTPNotFound
    found = next((each for each in request.app[HOUSE].cameras() if each["id"] == wanted), None)
    if found is None:
        raise web.HTTPNotFound
    return found


def _read(text: str) -> Sequence[Corners]:
    """What was drawn, or written as text. Raises `ValueError`."""
    try:
        return _DRAWN.validate_json(text)
    except ValidationError:
        raise ValueError(text) from None


def _text(masks: Sequence[Corners]) -> str:
    return json.dumps([[[round(x, 3), round(y, 3)] for x, y in each] for each in masks])


async def _page(
    request: web.Request,
    camera: CameraView,
    masks: Sequence[Corners],
    problem: str = "",
    text: str = "",
) -> web.Response:
    return await page(
        request,
        "masks.html",
        status=409 if problem else 200,
        camera=camera,
        masks=text or _text(masks),
        problem=problem,
    )


class MasksBody(Body):
    """The masks that a camera shall have: polygons as in the configuration."""

    masks: _Drawn


class WriteMasksBody(MasksBody):
    """The same, with what the plan called the file before."""

    before: Annotated[str, StringConstraints(max_length=64)]


class WrittenView(TypedDict):
    """The copy of what stood in the file."""

    backup: str


async def api_plan(request: web.Request) -> web.Response:
    """What these masks would change in the configuration file; nothing is written."""
    camera, body = request.match_info["id"], taken(request, MasksBody)
    if not may_watch(request, camera):
        return denial(404, "There is no such camera.", CAMERAS)
    try:
        return web.json_response(await request.app[HOUSE].masks.plan(camera, body.masks))
    except Refused as refusal:
        return denial(409, str(refusal), "Nothing was changed.")


async def api_write(request: web.Request) -> web.Response:
    """Write masks into the configuration file; it is taken over as any other change of it."""
    camera, body = request.match_info["id"], taken(request, WriteMasksBody)
    if not may_watch(request, camera):
        return denial(404, "There is no such camera.", CAMERAS)
    house, by = request.app[HOUSE], who_is(request).by
    try:
        backup = await house.masks.write(camera, body.masks, body.before, by)
    except (Refused, StateError) as error:
        return denial(409, str(error), "POST /api/v1/cameras/{id}/masks/plan first.")
    return web.json_response({"backup": backup})


LINES: tuple[Line, ...] = (
    ("GET", "/cameras/{id}/masks", _NEEDS, show),
    ("POST", "/cameras/{id}/masks", _NEEDS, plan),
    ("POST", "/cameras/{id}/masks/write", _NEEDS, write),
    (
        "POST",
        "/api/v1/cameras/{id}/masks/plan",
        _NEEDS,
        api_plan,
        Contract(gives=MasksView, takes=MasksBody, refuses=(404, 409), once=False),
    ),
    (
        "POST",
        "/api/v1/cameras/{id}/masks",
        _NEEDS,
        api_write,
        Contract(gives=WrittenView, takes=WriteMasksBody, refuses=(404, 409)),
    ),
)
