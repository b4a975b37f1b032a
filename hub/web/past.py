"""How the hub and its cameras were over time: a page of pictures and tables, and the API."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

from aiohttp import web
from pydantic import Field, StringConstraints

from hub.past_views import FigureView, PastView
from hub.web.api import Body
from hub.web.contract import Contract, Line, asked
from hub.web.language import mark
from hub.web.problems import denial
from hub.web.render import page
from hub.web.security import HOUSE

HOURS: dict[int, str] = {1: mark("An hour"), 24: mark("A day"), 168: mark("A week")}
ROWS = 24


class PastQuery(Body):
    """Of what, `hub` or `camera/ID`, and over how many hours."""

    about: Annotated[str, StringConstraints(max_length=100)] = "hub"
    hours: Annotated[int, Field(ge=1, le=168)] = 24


async def show(request: web.Request) -> web.Response:
    """The pictures; with a table of each, for those who do not see them."""
    house = request.app[HOUSE]
    about, hours = request.query.get("about", "hub"), request.query.get("hours", "24")
    chosen = int(hours) if hours in map(str, HOURS) else 24
    try:
        view = await house.past(_known(about), chosen)
    except KeyError:
        raise web.HTTPNotFound from None
    return await page(
        request,
        "past.html",
        view=view,
        cameras=house.cameras(),
        hours=HOURS,
        tables={each["key"]: list(_rows(view, each)) for each in view["figures"]},
    )


async def api_past(request: web.Request) -> web.Response:
    """How the hub or a camera was, over the last hours."""
    query = asked(request, PastQuery)
    try:
        return web.json_response(await request.app[HOUSE].past(_known(query.about), query.hours))
    except KeyError:
        return denial(404, "There is no such camera.", "`about` is `hub` or `camera/ID`.")


def _known(about: str) -> str:
    """Raises `KeyError` for what is neither the hub nor a camera."""
    kind, _of, name = about.partition("/")
    if about != "hub" and not (kind == "camera" and name):
        raise KeyError(about)
    return about


Row = tuple[datetime, float | None, float | None, float | None]


def _rows(view: PastView, figure: FigureView) -> Iterator[Row]:
    """From when on, and the mean, the least and the most of that time; newest first."""
    size = max(1, -(-len(view["times"]) // ROWS))
    for start in reversed(range(0, len(view["times"]), size)):
        known = [each for each in figure["values"][start : start + size] if each is not None]
        at = datetime.fromtimestamp(view["times"][start], UTC)
        if known:
            yield at, sum(known) / len(known), min(known), max(known)
        else:
            yield at, None, None, None


LINES: tuple[Line, ...] = (
    ("GET", "/health/past", "see.health", show),
    (
        "GET",
        "/api/v1/health/past",
        "see.health",
        api_past,
        Contract(gives=PastView, asks=PastQuery, refuses=(404,)),
    ),
)
