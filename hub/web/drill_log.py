"""The drills of a school year for an authority: on paper, and as a table for other programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from aiohttp import web
from pydantic import Field

from hub.clock import from_iso
from hub.drill_views import DrillHeldView, DrillPlanView, DrillYearView
from hub.errors import StateError
from hub.web.api import Body
from hub.web.contract import WHOLE, Contract, Line, taken
from hub.web.drills import year_of, year_shown
from hub.web.language import gettext as _
from hub.web.problems import denial
from hub.web.render import error_page, page
from hub.web.security import HOUSE, is_api, who_is

COLUMNS = (
    "state", "drill", "place", "planned_for", "started", "ended", "minutes", "led_by",
    "started_by", "counts", "written_by", "note",
)  # fmt: skip
_AS_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class LogBody(Body):
    """Which school year, by the calendar year in which it begins."""

    year: Annotated[int, Field(ge=1970, le=9998), WHOLE]


async def paper(request: web.Request) -> web.Response:
    """The list of a year as it is printed."""
    return await page(request, "drill_log.html", **await year_shown(request))


async def take(request: web.Request) -> web.Response:
    """The table of a year as a file, by form."""
    return await _file(request, str((await request.post()).get("year", "")))


async def api_take(request: web.Request) -> web.Response:
    """The drills of a school year as a table (CSV, times of the school's clock); that it is taken
    away is a line of the audit.
    """
    return await _file(request, str(taken(request, LogBody).year))


async def _file(request: web.Request, named: str) -> web.Response:
    house, year = request.app[HOUSE], await year_of(request, named)
    try:
        await house.drills.exported(year["year"], who_is(request).by)
    except StateError:
        said = _("It cannot be recorded that you take this away, so you get nothing.")
        hint = _("The page Health says what is wrong with the journal.")
        if is_api(request):
            return denial(503, said, hint)
        return await error_page(request, 503, said, hint)
    table = io.StringIO()
    write = csv.writer(table, lineterminator="\r\n")
    write.writerow(COLUMNS)
    for row in rows(year, ZoneInfo(house.config.hub.timezone)):
        write.writerow([_plain(each) for each in row])
    name = f"drills-{year['name'].replace('/', '-')}.csv"
    return web.Response(
        body=table.getvalue().encode("utf-8-sig"),  # the mark by which Excel knows UTF-8
        content_type="text/csv",
        charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def rows(year: DrillYearView, zone: ZoneInfo) -> Iterator[tuple[str, ...]]:
    """A line for each drill that was held and each plan that was not, oldest first."""
    plans = {each["id"]: each for each in year["plans"]}
    found = [(each["started"], _held(each, plans.get(each["plan"] or ""), zone))
             for each in year["held"]]  # fmt: skip
    found += [(each["due"], _not_held(each, zone)) for each in year["plans"] if not each["run"]]
    for _moment, row in sorted(found):
        yield row


def _held(view: DrillHeldView, plan: DrillPlanView | None, zone: ZoneInfo) -> tuple[str, ...]:
    lasted = view["lasted_s"]
    return (
        "held", view["protocol"], view["area_words"], _local(view["due"], zone),
        _local(view["started"], zone), _local(view["ended"], zone),
        "" if lasted is None else f"{lasted / 60:.1f}",
        plan["leader_name"] if plan is not None else "", view["started_by"],
        "yes" if view["counts"] else "no", str(view["told"]),
        plan["note"] if plan is not None else "",
    )  # fmt: skip


def _not_held(view: DrillPlanView, zone: ZoneInfo) -> tuple[str, ...]:
    return (
        view["state"], view["protocol"], view["area_words"], _local(view["due"], zone), "", "", "",
        view["leader_name"], "", "", "", view["why"] or view["note"],
    )  # fmt: skip


def _local(moment: str | None, zone: ZoneInfo) -> str:
    if not moment:
        return ""
    local: datetime = from_iso(moment).astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M}"


def _plain(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_AS_FORMULA) else text


LINES: tuple[Line, ...] = (
    ("GET", "/drill-log", "see.drills", paper),
    ("POST", "/drill-log", "export.incidents", take),
    (
        "POST", "/api/v1/drill-log", "export.incidents", api_take,
        Contract(takes=LogBody, media=("text/csv",), refuses=(404, 503), once=False),
    ),
)  # fmt: skip
