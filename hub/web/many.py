"""How pages say what one alert tells of many cameras or doors: how many, where and which."""

from __future__ import annotations

from collections.abc import Sequence

from hub.campus import Campus
from hub.views import AlertView, PartView
from hub.web.language import gettext as _
from hub.web.language import ngettext
from hub.web.words import listed

NAMED = 6
PLACES = 3


def where_of_many(alert: AlertView, campus: Campus) -> str:
    """`64 cameras, all in Building B`, or how many of them are still gone and where."""
    parts = alert["together"]
    gone = [each for each in parts if each["back"] is None]
    counted = _counted(parts)
    if not gone:
        return _("%(counted)s, all answer again", counted=counted)
    shared = campus.shared([each["place"] for each in gone])
    place = campus.name(shared[0][0]) if len(shared) == 1 else ""
    where = listed([_in(place, n, campus) for place, n in shared[:PLACES]])
    some = len(gone) < len(parts)
    if some and place:
        n = len(gone)
        return _("%(n)s of %(counted)s still gone, %(place)s", n=n, counted=counted, place=place)
    if some:
        return _(
            "%(n)s of %(counted)s still gone: %(where)s", n=len(gone), counted=counted, where=where
        )
    if place:
        return _("%(counted)s, all in %(place)s", counted=counted, place=place)
    return _("%(counted)s: %(where)s", counted=counted, where=where) if where else counted


def _in(place: str, n: int, campus: Campus) -> str:
    return _("%(n)s in %(place)s", n=n, place=campus.name(place))


def names_of_many(alert: AlertView) -> str:
    """What those are called that are gone, only some of very many; all where none is."""
    parts = alert["together"]
    names = [each["name"] for each in parts if each["back"] is None]
    names = names or [each["name"] for each in parts]
    if len(names) > NAMED + 1:
        return _("%(some)s and %(n)s more", some=", ".join(names[:NAMED]), n=len(names) - NAMED)
    return listed(names)


def _counted(parts: Sequence[PartView]) -> str:
    doors = sum(1 for each in parts if each["door"])
    cameras = len(parts) - doors
    counts = [ngettext("%(n)s camera", "%(n)s cameras", cameras, n=cameras)] if cameras else []
    counts += [ngettext("%(n)s door", "%(n)s doors", doors, n=doors)] if doors else []
    return listed(counts)
