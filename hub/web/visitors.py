"""The page of visitors: who is here, who is expected, and the question where a name matched."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from urllib.parse import quote, urlencode

from aiohttp import web

from hub.errors import Refused
from hub.visitors_port import Matched, VisitView
from hub.web.contract import Line
from hub.web.language import gettext as _
from hub.web.render import page
from hub.web.security import HOUSE, form_text, see_other, who_is
from hub.web.words import desk_name, sentence

LONGEST = 300
_WORD = re.compile(r"\w+")


async def visitors(request: web.Request) -> web.Response:
    """Who is here, who is expected, who is overdue."""
    return await _page(request)


async def _page(request: web.Request, status: int = 200, problem: str = "") -> web.Response:
    house = request.app[HOUSE]
    visits, asked = await house.visits(), await _asked(request)
    found = [each for each in visits if _found(asked, each)]
    here = [each for each in found if each["state"] == "here"]
    here.sort(key=lambda each: (not each["overstayed"], each["until"]))
    return await page(
        request,
        "visitors.html",
        status=status,
        problem=problem,
        silent=[desk_name(each) for each in house.silent_desks()],
        asked=asked,
        found=len(found),
        every=len(visits),
        walk_ins=bool(house.desks_for_walk_ins()),
        here=here,
        expected=[each for each in found if each["state"] == "expected"],
        gone=[each for each in found if each["state"] == "left"],
        counts=Counter(each["state"] for each in visits),
        overdue=sum(each["overstayed"] for each in visits),
    )


async def _asked(request: web.Request) -> str:
    """What is sought, which a form on the page takes along."""
    sent = request.query if request.method != "POST" else await request.post()
    return " ".join(form_text(sent.get("q"), LONGEST)[:LONGEST].split())


async def _back(request: web.Request) -> web.Response:
    asked = await _asked(request)
    return see_other(f"/visitors?{urlencode({'q': asked})}" if asked else "/visitors")


def _found(asked: str, visit: VisitView) -> bool:
    """Whether each word that was asked for begins one of the visit's."""
    told = _words(f"{visit['visitor']} {visit['host']} {visit['purpose']} {visit['badge']}")
    return all(any(each.startswith(word) for each in told) for word in _words(asked))


def _words(text: str) -> list[str]:
    """Words without accents and capitals, as somebody types in a hurry."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return _WORD.findall("".join(c for c in apart if not unicodedata.combining(c)))


async def check_in(request: web.Request) -> web.Response:
    """A visitor has come. Where the name matched, the question is asked on a page of its own."""
    at, form = request.match_info, await request.post()
    asked = "admit" in form
    admit = form_text(form.get("admit"), LONGEST)[:LONGEST].strip()
    try:
        await request.app[HOUSE].check_in(at["desk"], at["id"], who_is(request).by, admit)
    except KeyError:
        raise web.HTTPNotFound from None
    except Matched:
        if asked:
            return await _question(request, 409, short=True)
        return see_other(f"/visitors/{quote(at['desk'])}/{quote(at['id'], safe='')}/match")
    except Refused as refusal:
        return await _page(request, status=409, problem=sentence(str(refusal)))
    return await _back(request)


async def check_out(request: web.Request) -> web.Response:
    """A visitor has gone."""
    at = request.match_info
    try:
        await request.app[HOUSE].check_out(at["desk"], at["id"], who_is(request).by)
    except KeyError:
        raise web.HTTPNotFound from None
    except Refused as refusal:
        return await _page(request, status=409, problem=sentence(str(refusal)))
    return await _back(request)


async def match(request: web.Request) -> web.Response:
    """The question whether a visitor whose name matched may come in."""
    return await _question(request)


async def _question(
    request: web.Request, status: int = 200, *, short: bool = False
) -> web.Response:
    at = request.match_info
    try:
        found = await request.app[HOUSE].match(at["desk"], at["id"])
    except KeyError:
        raise web.HTTPNotFound from None
    if found is None or found["visit"]["state"] != "expected":
        return see_other("/visitors")
    return await page(
        request,
        "visitor_match.html",
        status=status,
        visit=found["visit"],
        reason=sentence(found["reason"]) or _("The list gives no reason."),
        problem=short,
        longest=LONGEST,
    )


LINES: tuple[Line, ...] = (
    ("GET", "/visitors", "see.visitors", visitors),
    ("POST", "/visitors/{desk}/{id}/in", "work.visitors", check_in),
    ("POST", "/visitors/{desk}/{id}/out", "work.visitors", check_out),
    ("GET", "/visitors/{desk}/{id}/match", "work.visitors", match),
)
