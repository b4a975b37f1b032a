"""The pages of protocols: what is in force, starting one, how far it is, and its end.

A grave act is held for 1.5 s, typed, or confirmed on a page of its own where no script runs: the
field `sure` says which, and a form without it leads to that page. Each form carries a key that was
made with its page, so that an act sent twice is one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeGuard, get_args
from urllib.parse import urlencode

from aiohttp import web

from hub.conditions import ProtocolName
from hub.drill_views import DrillPlanView
from hub.errors import Refused
from hub.events import new_id
from hub.identity.accounts import Identity
from hub.protocol_port import ProtocolsFacade
from hub.protocol_views import AreaView, ProtocolRunView
from hub.views import AlertView
from hub.web.confirm import once_more
from hub.web.contract import Line
from hub.web.language import gettext as _
from hub.web.language import mark
from hub.web.protocol_map import map_of
from hub.web.render import error_page, page
from hub.web.run_times import measured
from hub.web.security import HOUSE, SIGNED_IN, allowed, see_other, who_is
from hub.web.standing import protocols_seen, run_seen
from hub.web.words import listed, sentence

CORRECT_WITHIN_S = 10.0
PRESS_AGAIN = mark("The page is fresh now: press again.")
ICONS: Mapping[str, str] = {
    "lockdown": "shield-alert",
    "secure": "house",
    "hold": "hand",
    "evacuate": "log-out",
    "shelter": "tornado",
}
_LONGEST = 200
_BENEATH = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody has chosen on the page of protocols before they hold."""

    protocol: str = ""
    area: str = ""
    drill: bool = False
    doors_real: bool = False
    announce: bool = False
    plan: str = ""  # the planned drill that it is started for

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Wanted:
        """From an address or a form; what is not understood is left out."""
        text = {name: str(given.get(name, ""))[:_LONGEST] for name in ("protocol", "area")}
        drill = str(given.get("drill", "")) == "1"
        return cls(
            protocol=text["protocol"] if _is_protocol(text["protocol"]) else "",
            area=text["area"],
            drill=drill,
            doors_real=drill and str(given.get("doors_real", "")) == "1",
            announce=drill and str(given.get("announce", "")) == "1",
            plan=str(given.get("plan", ""))[:_LONGEST] if drill else "",
        )

    def fields(self) -> dict[str, str]:
        """As hidden fields of a form; what is not chosen has none."""
        flags = {"drill": self.drill, "doors_real": self.doors_real, "announce": self.announce}
        chosen = {"protocol": self.protocol, "area": self.area, "plan": self.plan}
        chosen |= {name: "1" if on else "" for name, on in flags.items()}
        return {name: value for name, value in chosen.items() if value}

    def link(self, **changes: Any) -> str:
        """The address of the page with something chosen otherwise."""
        query = urlencode(replace(self, **changes).fields())
        return f"/protocols?{query}" if query else "/protocols"


def _is_protocol(word: str) -> TypeGuard[ProtocolName]:
    return word in get_args(ProtocolName)


async def show(request: web.Request) -> web.Response:
    """What is in force, what can be started, and what was lately."""
    return await _choices(request, Wanted.of(request.query))


async def _choices(
    request: web.Request,
    wanted: Wanted,
    status: int = 200,
    problem: str = "",
    headline: str = "",
) -> web.Response:
    house, view = request.app[HOUSE], await protocols_seen(request)
    areas: dict[str, AreaView] = {}
    for choice in view["choices"]:
        for each in choice["areas"]:
            areas.setdefault(each["id"], each)
    area = areas.get(wanted.area) or next(iter(areas.values()), None)
    wanted = replace(wanted, area=area["id"] if area else "")
    order = list(ICONS)
    return await page(
        request,
        "protocols.html",
        status=status,
        protocols=view,
        problem=problem,
        headline=headline or _("Nothing was started."),
        helped=await _helped(request),
        planned=await _planned(request, wanted.plan),
        coming=await house.drills.coming() if allowed(request, "see.drills") else [],
        wanted=wanted,
        area=area,
        areas=list(areas.values()),
        choices=sorted(view["choices"], key=lambda each: order.index(each["protocol"])),
        chosen=next((e for e in view["choices"] if e["protocol"] == wanted.protocol), None),
        undecided=[each for each in view["in_force"] if each["decide_by"]],
        icons=ICONS,
        correct_within=CORRECT_WITHIN_S,
        drill_said=drill_words(wanted.doors_real, wanted.announce),
        places=house.config.places,
        new_key=new_id,
    )


async def _helped(request: web.Request) -> AlertView | None:
    """The call for help that the address names, while nobody has judged it."""
    named = request.query.get("help", "")
    try:
        found = await request.app[HOUSE].alert(named) if named else None
    except KeyError:
        return None
    return found if found is not None and found["verdict"] is None else None


async def _planned(request: web.Request, plan: str) -> DrillPlanView | None:
    """The planned drill that the address names, for who may see it, until it is started."""
    if not plan or not allowed(request, "see.drills"):
        return None
    try:
        found = await request.app[HOUSE].drills.plan(plan)
    except KeyError:
        return None
    return found if found["state"] in ("planned", "due", "missed") else None


def drill_words(doors_real: bool, announce: bool) -> tuple[str, str]:
    """What is real in a drill and what is not, each as the rest of a sentence."""
    announcements = _("announcements")
    real = [*([_("the doors")] if doors_real else []), *([announcements] if announce else [])]
    real.append(_("notices to staff inside the school, each marked as a drill"))
    fenced = [*([] if doors_real else [_("every door")]), *([] if announce else [announcements])]
    always = [_("emergency services"), _("parents"), _("the public")]
    always.append(_("whatever else leaves the school"))
    return listed(real), listed([*fenced, *always])


async def start(request: web.Request) -> web.Response:
    """Start a protocol, once for each key; what is in force is then on every page."""
    fields = await request.post()
    wanted = Wanted.of(fields)
    if not _is_protocol(wanted.protocol):
        return await error_page(
            request, 422, _("That is no protocol."), _("Choose one of the five.")
        )
    hazard, where = _text(fields, "hazard"), _text(fields, "where")
    name = wanted.protocol.capitalize()
    question = _("Start %(name)s?", name=name)
    if wanted.drill:
        question = _("Start a drill of %(name)s?", name=name)
    asks = await once_more(
        request,
        {**wanted.fields(), "key": _text(fields, "key"), "hazard": hazard, "where": where},
        question,
        _("Yes, start the drill") if wanted.drill else _("Yes, start %(name)s", name=name),
        wanted.link(),
    )
    if asks is not None:
        return asks
    try:
        run = await request.app[HOUSE].protocols.start(
            wanted.protocol,
            wanted.area,
            who_is(request).by,
            drill=wanted.drill,
            doors_real=wanted.doors_real,
            announce=wanted.announce,
            reason="" if wanted.protocol == "evacuate" else where,
            hazard=hazard,
            location=where if wanted.protocol == "evacuate" else "",
            key=_text(fields, "key"),
            to=who_is(request).digest,
            plan=wanted.plan,
        )
    except Refused as refusal:
        return await _choices(request, wanted, 409, sentence(str(refusal)))
    if run["state"] == "ended":  # an old page, sent again
        return await _choices(request, wanted, 409, started_before(run["name"]))
    return see_other(f"/protocols/{run['id']}")


def started_before(name: str) -> str:
    """What is said where an old page is sent again."""
    said = _("This page has started %(name)s before, and that has ended.", name=name)
    return f"{said} {_(PRESS_AGAIN)}"


def _text(fields: Mapping[str, Any], name: str) -> str:
    return str(fields.get(name, "")).strip()[:_LONGEST]


async def run(request: web.Request) -> web.Response:
    """How far a protocol is: each door, each channel, its end."""
    return await _run_page(request, request.match_info["id"])


async def _run_page(
    request: web.Request, run_id: str, status: int = 200, problem: str = ""
) -> web.Response:
    try:
        view = await run_seen(request, run_id)
    except KeyError:
        raise web.HTTPNotFound from None
    beneath: list[ProtocolRunView] = []
    seen = {run_id}
    under = view["over"]
    while under and under not in seen and len(beneath) < _BENEATH:
        seen.add(under)
        try:
            beneath.append(await run_seen(request, under))
        except KeyError:
            break
        under = beneath[-1]["over"]
    return await page(
        request,
        "protocol.html",
        status=status,
        run=view,
        beneath=beneath,
        problem=problem,
        mine=view["ending"] is not None and view["ending"]["by"] == who_is(request).by,
        drill_said=drill_words(view["doors_real"], view["announced"]),
        undecided=[view] if view["decide_by"] else [],
        times=measured(view),
        map=map_of(request.app[HOUSE].config, view) if allowed(request, "see.doors") else None,
        icons=ICONS,
        new_key=new_id,
        visitors=bool(request.app[HOUSE].config.visitors) and allowed(request, "see.visitors"),
    )


Act = Callable[[ProtocolsFacade, str, Identity], Awaitable[ProtocolRunView]]


def _act(does: Act, question: str = "", yes: str = "") -> Callable[..., Awaitable[web.Response]]:
    """The handler of a form on the page of a run; `question` and `yes` name the run."""

    async def handle(request: web.Request) -> web.Response:
        run_id, protocols = request.match_info["id"], request.app[HOUSE].protocols
        try:
            view = await run_seen(request, run_id)
            if question and view["state"] != "ended":
                name = view["name"]
                if view["drill"]:
                    name = _("the drill of %(name)s", name=name)
                back = f"/protocols/{run_id}"
                said = _(question, name=name), _(yes, name=name)
                asks = await once_more(request, {}, *said, back)
                if asks is not None:
                    return asks
            done = await does(protocols, run_id, who_is(request))
        except KeyError:
            raise web.HTTPNotFound from None
        except Refused as refusal:
            return await _run_page(request, run_id, 409, sentence(str(refusal)))
        return see_other(f"/protocols/{done['id']}")

    return handle


ask_end = _act(lambda protocols, run, who: protocols.ask_end(run, who.by, who.digest))
withdraw_end = _act(lambda protocols, run, who: protocols.withdraw_end(run, who.by, who.digest))
end = _act(
    lambda protocols, run, who: protocols.end(run, who.by, who.digest),
    mark("End %(name)s?"),
    mark("Yes, end %(name)s"),
)


async def end_by_pin(request: web.Request) -> web.Response:
    """End a protocol alone, with one's PIN. Every PIN leads to the same answer here."""
    run_id, fields = request.match_info["id"], await request.post()
    try:
        who, pin = who_is(request), str(fields.get("pin", ""))[:_LONGEST]
        await request.app[HOUSE].protocols.end_by_pin(run_id, who.by, pin, who.digest)
    except KeyError:
        raise web.HTTPNotFound from None
    except Refused as refusal:
        return await _run_page(request, run_id, 409, sentence(str(refusal)))
    return see_other(f"/protocols/{run_id}")


stay = _act(
    lambda protocols, run, who: protocols.decide_fire(run, "stay", who.by, who.digest),
    mark("Fire alarm during %(name)s: stay?"),
    mark("Yes, stay"),
)
evacuate = _act(
    lambda protocols, run, who: protocols.decide_fire(run, "evacuate", who.by, who.digest),
    mark("Fire alarm during %(name)s: evacuate?"),
    mark("Yes, evacuate"),
)


async def rearm(request: web.Request) -> web.Response:
    """After a fire alarm: the hub may lock doors again."""
    asks = await once_more(
        request, {}, _("Re-arm the doors?"), _("Yes, the hub may lock doors again"), "/protocols"
    )
    if asks is not None:
        return asks
    try:
        await request.app[HOUSE].protocols.rearm(who_is(request).by)
    except Refused as refusal:
        said = sentence(str(refusal))
        return await _choices(request, Wanted(), 409, said, _("Nothing was re-armed."))
    return see_other("/protocols")


async def ask_help(request: web.Request) -> web.Response:
    """The other gesture: somebody needs help, and no lockdown."""
    fields, house = await request.post(), request.app[HOUSE]
    try:
        alert = await house.protocols.help(
            _text(fields, "place"), who_is(request).by, "", _text(fields, "text")
        )
    except Refused as refusal:
        said = sentence(str(refusal))
        return await _choices(request, Wanted(), 409, said, _("Help was not asked for."))
    return see_other(f"/protocols?help={alert['id']}")


async def correct_help(request: web.Request) -> web.Response:
    """Take one's call for help back, within ten seconds."""
    try:
        await request.app[HOUSE].protocols.correct_help(
            request.match_info["id"], who_is(request).by
        )
    except KeyError:
        raise web.HTTPNotFound from None
    except Refused as refusal:
        said = sentence(str(refusal))
        return await _choices(request, Wanted(), 409, said, _("Help is still asked for."))
    return see_other("/protocols")


LINES: tuple[Line, ...] = (
    ("GET", "/protocols", SIGNED_IN, show),
    ("POST", "/protocols/start", "start.protocols", start),
    ("POST", "/protocols/rearm", "rearm.doors", rearm),
    ("GET", "/protocols/{id}", SIGNED_IN, run),
    ("POST", "/protocols/{id}/ask-end", "end.protocols", ask_end),
    ("POST", "/protocols/{id}/withdraw-end", "end.protocols", withdraw_end),
    ("POST", "/protocols/{id}/end", "end.protocols", end),
    ("POST", "/protocols/{id}/end-by-pin", "end.protocols", end_by_pin),
    ("POST", "/protocols/{id}/stay", "end.protocols", stay),
    ("POST", "/protocols/{id}/evacuate", "end.protocols", evacuate),
    ("POST", "/help", "start.protocols", ask_help),
    ("POST", "/help/{id}/correct", "start.protocols", correct_help),
)
