"""The pages of drills: a school year at one glance, a plan, how a drill went, what people saw."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from hub.clock import from_iso
from hub.drill_views import (
    LONGEST_NOTE,
    LONGEST_TEXT,
    DrillPlanView,
    DrillWanted,
    DrillYearView,
)
from hub.errors import Refused
from hub.events import new_id
from hub.web.contract import Line
from hub.web.language import gettext as _
from hub.web.language import mark
from hub.web.protocols import ICONS, Wanted, drill_words
from hub.web.render import page
from hub.web.run_times import measured
from hub.web.security import HOUSE, allowed, form_text, see_other, who_is
from hub.web.standing import protocols_seen
from hub.web.words import sentence

_LONGEST = 200
QUESTION_WORDS: Mapping[str, str] = {
    "heard": mark("Everybody heard that it began"),
    "locked": mark("Every room was locked"),
    "lights": mark("Lights were out"),
    "sight": mark("Everybody was out of sight"),
    "halls": mark("The halls were clear"),
    "outside_doors": mark("Every outside door was locked"),
    "ways": mark("Every way out was free"),
    "arrived": mark("Everybody was where they should be"),
    "accounted": mark("Everybody was accounted for"),
}
ANSWER_TAGS: Mapping[str, tuple[str, str, str]] = {
    "yes": ("ok", "check", mark("Yes")),
    "no": ("warn", "x", mark("No")),
    "unknown": ("unknown", "unknown", mark("Not known")),
}
STATE_TAGS: Mapping[str, tuple[str, str, str]] = {
    "planned": ("", "clock", mark("Planned")),
    "due": ("high", "sev-high", mark("Start it now")),
    "missed": ("warn", "triangle-alert", mark("Missed")),
    "called_off": ("stale", "ban", mark("Called off")),
    "held": ("ok", "check", mark("Held")),
}
_AHEAD = ("due", "planned")


async def show(request: web.Request) -> web.Response:
    """What a school year needs, what is planned, and what was held."""
    return await page(request, "drills.html", **await year_shown(request))


async def year_shown(request: web.Request) -> dict[str, Any]:
    """What the pages of a year are made of; the year stands in the address."""
    view = await year_of(request, request.query.get("year", ""))
    plans = view["plans"]
    return {
        "year": view,
        "ahead": [each for each in plans if each["state"] in _AHEAD],
        "over": [each for each in plans if each["state"] in ("missed", "called_off")],
        "icons": ICONS,
        "states": STATE_TAGS,
    }


async def year_of(request: web.Request, named: str) -> DrillYearView:
    """The school year of that name; this one for none. Raises `HTTPNotFound`."""
    if not allowed(request, "see.drills"):  # also of who may take away what concerns a part alone
        raise web.HTTPNotFound
    drills, digits = request.app[HOUSE].drills, named.isascii() and named.isdigit()
    if named and not (digits and len(named) == 4):
        raise web.HTTPNotFound
    try:
        return await drills.year(int(named) if named else None, who_is(request).digest)
    except KeyError:
        raise web.HTTPNotFound from None


# -------------------------------------------------------------------------------------- a plan


async def plan(request: web.Request) -> web.Response:
    """One planned drill: who leads it, and the way to start it."""
    return await _plan(request)


async def _plan(request: web.Request, status: int = 200, problem: str = "") -> web.Response:
    view = await _plan_of(request)
    return await page(
        request,
        "drill_plan.html",
        status=status,
        plan=view,
        start=start_link(view),
        drill_said=drill_words(view["doors_real"], view["announce"]),
        problem=problem,
        icons=ICONS,
        states=STATE_TAGS,
        longest=LONGEST_NOTE,
    )


def start_link(view: DrillPlanView) -> str:
    """The page on which a planned drill is started, with everything chosen as planned."""
    return Wanted(
        protocol=view["protocol"] if view["protocol"] in ("evacuate", "shelter") else "",
        area=view["area"],
        drill=True,
        doors_real=view["doors_real"],
        announce=view["announce"],
        plan=view["id"],
    ).link()


async def _plan_of(request: web.Request) -> DrillPlanView:
    try:
        return await request.app[HOUSE].drills.plan(request.match_info["id"])
    except KeyError:
        raise web.HTTPNotFound from None


async def new(request: web.Request) -> web.Response:
    """Which drill, where, when, who leads it."""
    return await _form(request, {"protocol": request.query.get("protocol", "")})


async def edit(request: web.Request) -> web.Response:
    """The same for a plan that there is."""
    view = await _plan_of(request)
    due = from_iso(view["due"]).astimezone(_zone(request))
    given = {
        "protocol": view["protocol"],
        "area": view["area"],
        "day": f"{due:%Y-%m-%d}",
        "time": f"{due:%H:%M}",
        "leader": view["leader"],
        "note": view["note"],
        "doors_real": "1" if view["doors_real"] else "",
        "announce": "1" if view["announce"] else "",
    }
    return await _form(request, given, plan=view)


async def _form(
    request: web.Request,
    given: Mapping[str, str],
    status: int = 200,
    problem: str = "",
    plan: DrillPlanView | None = None,
) -> web.Response:
    house = request.app[HOUSE]
    now = house.clock.now().astimezone(_zone(request))
    choices = (await protocols_seen(request))["choices"]
    areas = {area["id"]: area["words"] for choice in choices for area in choice["areas"]}
    return await page(
        request,
        "drill_form.html",
        status=status,
        problem=problem,
        given={"time": "10:00", "key": new_id(), **given},
        plan=plan,
        today=f"{now:%Y-%m-%d}",
        choices=sorted(choices, key=lambda each: list(ICONS).index(each["protocol"])),
        areas=areas,
        people={name: block.name for name, block in house.config.people.items()},
        longest=LONGEST_NOTE,
    )


async def make(request: web.Request) -> web.Response:
    """Plan a drill."""
    given, drills = await _given(request), request.app[HOUSE].drills
    try:
        view = await drills.make(_wanted(request, given), who_is(request).by, given["key"])
    except Refused as refusal:
        return await _form(request, given, 409, sentence(str(refusal)))
    return see_other(f"/drills/{view['id']}")


async def change(request: web.Request) -> web.Response:
    """Plan it otherwise."""
    given, view = await _given(request), await _plan_of(request)
    try:
        wanted = _wanted(request, given)
        await request.app[HOUSE].drills.change(view["id"], wanted, who_is(request).by)
    except Refused as refusal:
        return await _form(request, given, 409, sentence(str(refusal)), view)
    return see_other(f"/drills/{view['id']}")


async def call_off(request: web.Request) -> web.Response:
    """It is not held after all."""
    why = form_text((await request.post()).get("why"), LONGEST_NOTE)
    try:
        await request.app[HOUSE].drills.call_off(
            request.match_info["id"], who_is(request).by, why.strip()
        )
    except KeyError:
        raise web.HTTPNotFound from None
    except Refused as refusal:
        return await _plan(request, 409, sentence(str(refusal)))
    return see_other(f"/drills/{request.match_info['id']}")


async def _given(request: web.Request) -> dict[str, str]:
    sent = await request.post()
    names = ("protocol", "area", "day", "time", "leader", "doors_real", "announce", "key")
    given = {name: form_text(sent.get(name), _LONGEST)[:_LONGEST].strip() for name in names}
    return given | {"note": form_text(sent.get("note"), LONGEST_NOTE)[:LONGEST_NOTE].strip()}


def _wanted(request: web.Request, given: Mapping[str, str]) -> DrillWanted:
    """What a form asks for. Raises `Refused` for a moment that no clock of the school shows."""
    return DrillWanted(
        protocol=given["protocol"],
        area=given["area"],
        due=at_school(given["day"], given["time"], _zone(request)),
        leader=given["leader"],
        note=given["note"],
        doors_real=given["doors_real"] == "1",
        announce=given["announce"] == "1",
    )


def at_school(day: str, hour: str, zone: ZoneInfo) -> datetime:
    """The moment at which a clock at the school shows that; of two, in autumn, the first. Raises
    `Refused` for what is no moment, or is left out in spring.
    """
    try:
        local = datetime.combine(date.fromisoformat(day), time.fromisoformat(hour))
        moment = local.replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(_("Say the day and the time at which it is to begin")) from None
    if moment.astimezone(zone).replace(tzinfo=None) != local:
        raise Refused(_("The clocks go forward then: that time does not come on that day"))
    return moment


def _zone(request: web.Request) -> ZoneInfo:
    return ZoneInfo(request.app[HOUSE].config.hub.timezone)


# ------------------------------------------------------------------------------------ how it went


async def held(request: web.Request) -> web.Response:
    """A drill as it went: what was measured, what people saw, and the questions."""
    return await _held(request)


async def _held(
    request: web.Request,
    status: int = 200,
    problem: str = "",
    given: Mapping[str, str] | None = None,
) -> web.Response:
    run, who = request.match_info["run"], who_is(request)
    try:
        report = await request.app[HOUSE].drills.report(run, who.digest)
    except KeyError:
        raise web.HTTPNotFound from None
    mine = next((each for each in report["evaluations"] if each["account"] == who.by), None)
    if given is None:
        given = {**mine["answers"], "text": mine["text"]} if mine is not None else {}
        given |= {} if report["counts"] else {"not_counted": "1"}
    return await page(
        request,
        "drill_held.html",
        status=status,
        report=report,
        run=report["run"],
        times=measured(report["run"]),
        date=f"{from_iso(report['run']['started']).astimezone(_zone(request)):%Y-%m-%d}",
        problem=problem,
        given=given,
        mine=mine is not None,
        words=QUESTION_WORDS,
        answers=ANSWER_TAGS,
        icons=ICONS,
        longest=LONGEST_TEXT,
    )


async def saw(request: web.Request) -> web.Response:
    """Somebody writes what they saw."""
    if not allowed(request, "see.drills"):
        raise web.HTTPNotFound
    run, who, sent = request.match_info["run"], who_is(request), await request.post()
    answers = {name: form_text(sent.get(name), _LONGEST)[:_LONGEST] for name in QUESTION_WORDS}
    answers = {name: said for name, said in answers.items() if said}
    text = form_text(sent.get("text"), LONGEST_TEXT)[:LONGEST_TEXT]
    counts = str(sent.get("not_counted", "")) != "1"
    try:
        await request.app[HOUSE].drills.evaluate(run, who.by, answers, text, counts, who.digest)
    except KeyError:
        raise web.HTTPNotFound from None
    except Refused as refusal:
        given = {**answers, "text": text, "not_counted": "" if counts else "1"}
        return await _held(request, 409, sentence(str(refusal)), given)
    return see_other(f"/drills/held/{run}")


LINES: tuple[Line, ...] = (
    ("GET", "/drills", "see.drills", show),
    ("GET", "/drills/new", "plan.drills", new),
    ("POST", "/drills", "plan.drills", make),
    ("GET", "/drills/held/{run}", "see.drills", held),
    ("POST", "/drills/held/{run}/saw", "work.incidents", saw),
    ("GET", "/drills/{id}", "see.drills", plan),
    ("GET", "/drills/{id}/change", "plan.drills", edit),
    ("POST", "/drills/{id}/change", "plan.drills", change),
    ("POST", "/drills/{id}/call-off", "plan.drills", call_off),
)
