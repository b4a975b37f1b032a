"""The map of a protocol: its area, its doors, and in words how many are as they should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub.config import Config
from hub.kinds.access_control import LOCK_VERBS
from hub.protocol_views import ProtocolDoorView, ProtocolRunView
from hub.web.language import gettext as _
from hub.web.language import mark
from hub.web.schematic import APART, MANY_DOORS, NARROW, WIDE, Drawing, schematic

NAMED = 12
GOOD = ("secured", "done")
SAYS = {
    "waiting": mark("waiting"),
    "retrying": mark("not confirmed"),
    "refused": mark("takes no such command"),
    "suspended": mark("suspended"),
    "fenced": mark("not moved in this drill"),
}
ORDER = ("retrying", "suspended", "waiting", "refused", "fenced", "secured", "done", APART)


@dataclass(frozen=True, slots=True)
class ProtocolMap:
    """The same plan for a desk and a phone, which of many doors would be screens long and gets
    none; the states on it, what it shows in words, and how many doors of the protocol have no place
    on it.
    """

    drawings: Sequence[tuple[str, Drawing]]
    states: Sequence[str]
    text: str
    left_out: int


def map_of(config: Config, run: ProtocolRunView) -> ProtocolMap | None:
    """The map of a run as somebody is shown it; None where the area has no doors, or is no longer
    configured. After the end it shows how far the all-clear is.
    """
    if run["area"] not in config.places:
        return None
    clear = run["all_clear"]
    doors = clear["doors"] if clear is not None else run["doors"]
    over = clear is not None
    states = {each["door"]: _state(each, over=over) for each in doors}
    drawings = [("far", schematic(config, run["area"], states, WIDE))]
    marks = drawings[0][1].marks
    if not marks:
        return None
    if len(marks) <= MANY_DOORS:
        drawings.append(("near", schematic(config, run["area"], states, NARROW)))
    found = {each.state for each in marks}
    counted = [each for each in doors if states[each["door"]] != APART]
    drawn = sum(each.state != APART for each in marks)
    return ProtocolMap(
        drawings,
        [each for each in ORDER if each in found],
        _text(run, counted, over=over),
        max(0, len(counted) - drawn),
    )


def _state(door: ProtocolDoorView, *, over: bool) -> str:
    """How a door is drawn; after the end one with words of its own is left as it is."""
    left = over and door["state"] in GOOD and door["detail"]
    return APART if left else door["state"]


def _text(run: ProtocolRunView, doors: Sequence[ProtocolDoorView], *, over: bool) -> str:
    """What the map shows, for those who do not see it."""
    place = run["area_words"]
    if not doors:
        return _("Map of %(place)s: no door is asked for anything.", place=place)
    bad = [each for each in doors if each["state"] not in GOOD]
    text = _good(place, len(doors) - len(bad), len(doors), _locks(doors), over=over)
    if not bad:
        return text
    named = [f"{each['name']}, {_(SAYS[each['state']])}" for each in bad[:NAMED]]
    if len(bad) > NAMED:
        named.append(_("and %(n)s more", n=len(bad) - NAMED))
    missing = "; ".join(named)
    if over:
        return " ".join([text, _("Not back as before: %(doors)s.", doors=missing)])
    if _locks(doors):
        return " ".join([text, _("Not secured: %(doors)s.", doors=missing)])
    return " ".join([text, _("Not done: %(doors)s.", doors=missing)])


def _locks(doors: Sequence[ProtocolDoorView]) -> bool:
    return all(each["verb"] in LOCK_VERBS for each in doors)


def _good(place: str, n: int, total: int, locks: bool, *, over: bool) -> str:
    """How many are as they should be."""
    if over:
        return _(
            "Map of %(place)s: %(n)s of %(total)s doors back as before.",
            place=place, n=n, total=total,
        )  # fmt: skip
    if locks:
        return _(
            "Map of %(place)s: %(n)s of %(total)s doors secured.", place=place, n=n, total=total
        )
    return _("Map of %(place)s: %(n)s of %(total)s doors done.", place=place, n=n, total=total)
