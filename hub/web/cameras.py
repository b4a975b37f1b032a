"""The pages of the cameras: all of them side by side, and one enlarged with how it is doing."""

from __future__ import annotations

from aiohttp import web

from hub.camera_views import CameraView
from hub.web import watching
from hub.web.contract import Contract, Line
from hub.web.render import page
from hub.web.security import HOUSE
from hub.web.watching import may_watch

COLUMNS = ("1", "2", "3", "4", "6")
_SEES = ("warming", "watching")


def watches(camera: CameraView) -> bool:
    """Whether somebody who walks past it now would be seen."""
    return camera["state"] == "online" and not camera["private"] and camera["gate"] in _SEES


async def wall(request: web.Request) -> web.Response:
    """Every camera in as many columns as somebody wants; `?columns=` of a bookmark decides."""
    cameras = request.app[HOUSE].cameras()
    columns = request.query.get("columns", "")
    return await page(
        request,
        "cameras.html",
        cameras=cameras,
        watching=[each for each in cameras if watches(each)],
        blind=[each for each in cameras if not watches(each)],
        columns=columns if columns in COLUMNS else "",
        choices=COLUMNS,
    )


async def camera(request: web.Request) -> web.Response:
    """One camera, large and live, with how it is doing."""
    wanted = request.match_info["id"]
    every = request.app[HOUSE].cameras()
    at = next((place for place, each in enumerate(every) if each["id"] == wanted), None)
    if at is None:
        raise web.HTTPNotFound
    return await page(
        request,
        "camera.html",
        camera=every[at],
        sees=watches(every[at]),
        streams=may_watch(request, wanted),
        before=every[at - 1] if at else None,
        after=every[at + 1] if at + 1 < len(every) else None,
    )


LINES: tuple[Line, ...] = (
    ("GET", "/cameras", "see.cameras", wall),
    ("GET", "/cameras/{id}", "see.cameras", camera),
    ("GET", "/pictures/cameras/{id}.mjpeg", "see.cameras", watching.stream),
    (
        "GET",
        "/api/v1/cameras/{id}/live",
        "see.cameras",
        watching.stream,
        Contract(media=("multipart/x-mixed-replace",), refuses=(404, 503)),
    ),
)
