"""What a page may sound for: open alerts that nobody has taken on, and from which severity on.

The browser does the rest (`sound.js`): whether it sounds at all is set on each device.
"""

from __future__ import annotations

from aiohttp import web
from typing_extensions import TypedDict

from hub.kinds.notifiers import SEVERITIES
from hub.rule_settings import person_of
from hub.web.security import HOUSE, who_is

USUAL = "check"  # a note has no sound


class SoundingView(TypedDict):
    """`open` names alerts as `ID:severity`, `from_` the mildest severity that sounds now."""

    open: str
    from_: str


async def sounding(request: web.Request, alerts_open: int) -> SoundingView:
    """What may sound on the page that is asked for."""
    house = request.app[HOUSE]
    found = await house.alerts(open_only=True) if alerts_open else []
    waiting = [each for each in found if not each["acknowledged"]]
    names = " ".join(f"{each['id']}:{each['severity']}" for each in waiting)
    return SoundingView(open=names, from_=_from(request))


def _from(request: web.Request) -> str:
    """In quiet hours only what somebody is to be woken for; what is severe always sounds."""
    house = request.app[HOUSE]
    person = house.config.people.get(person_of(house.config.people, who_is(request).name))
    if person is None or person.quiet is None or not house.in_force(person.quiet):
        return USUAL
    return min(person.wake_for, USUAL, key=SEVERITIES.index)
