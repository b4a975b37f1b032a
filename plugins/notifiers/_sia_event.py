"""What a notice tells a monitoring station: which event code, and what stands beside it.

The codes are those of SIA DC-03 (two letters) and of Contact ID, SIA DC-05 (three digits). Contact
ID has no restorals of their own: the qualifier before the code says it, 1 for an event and 3 for
its restoral.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from hub import Notice
from plugins.notifiers._sia_message import (
    Message,
    Sender,
    latitude,
    longitude,
    moment,
    plain,
)

Format = Literal["sia-dcs", "adm-cid"]
Extended = Literal["text", "time", "place", "coordinates", "link"]
EXTENDED: tuple[Extended, ...] = get_args(Extended)
Kind = Literal[
    "intrusion", "weapon", "threat", "fight", "medical", "fire", "hazard", "weather", "missing",
    "property", "technical", "other",
]  # fmt: skip
Says = Literal["alarm", "update", "restoral", "cancel"]
TOKENS: Mapping[Format, str] = {"sia-dcs": "SIA-DCS", "adm-cid": "ADM-CID"}

PANIC, HOLDUP = ("PA", "120"), ("HA", "122")
# What an incident of each kind becomes, by DC-03 and by DC-05. A hold-up alarm is a silent one: a
# station that calls back does not ring the school. All that has no code of its own is a panic
# alarm, which asks for help without saying for what; the text says it.
ALARMS: Mapping[Kind, tuple[str, str]] = {
    "weapon": HOLDUP,
    "threat": HOLDUP,
    "fight": PANIC,
    "intrusion": PANIC,
    "medical": ("MA", "100"),
    "fire": ("FA", "110"),
    "hazard": ("GA", "151"),
    "weather": PANIC,
    "missing": PANIC,
    "property": PANIC,
    "technical": PANIC,
    "other": PANIC,
}
# The alarms of DC-03 that a school can want, and the restoral of each.
RESTORALS: Mapping[str, str] = {
    "BA": "BR",  # burglary
    "FA": "FR",  # fire
    "GA": "GR",  # gas
    "HA": "HR",  # hold-up: silent
    "MA": "MR",  # medical
    "PA": "PR",  # panic
    "QA": "QR",  # emergency
    "TA": "TR",  # tamper
    "UA": "UR",  # untyped zone
    "WA": "WR",  # water
}
# A cancel is said by a user about what was reported before; user 0 stands for nobody in particular.
CANCEL: Mapping[Format, str] = {"sia-dcs": "OC", "adm-cid": "406"}
SITE_LIMIT, PLACE_LIMIT, TEXT_LIMIT, LINK_LIMIT = 100, 100, 400, 200  # DC-09: 256 at most
OWN_TEXT_LIMIT = 256  # of the text as extended data


@dataclass(frozen=True, slots=True)
class HandedOver:
    """What is kept of an incident that was handed over, for later words on it."""

    kind: str
    school: str = ""
    address: str = ""
    place: str = ""
    call_back: str = ""
    verified: bool = False
    coordinates: tuple[float, float] | None = None

    @classmethod
    def of(cls, notice: Notice) -> HandedOver:
        """What a hand-off says of its incident; what it does not say is not known."""
        call = notice.data.get("call")
        facts: Mapping[str, Any] = call if isinstance(call, Mapping) else {}
        return cls(
            kind=str(notice.data.get("kind") or "other"),
            **{key: str(facts.get(key) or "") for key in ("school", "address", "call_back")},
            place=str(facts.get("place") or notice.place),
            verified=facts.get("verified") is True,
            coordinates=_point(facts.get("coordinates")),
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a station wants its events: the format, where it files them, codes other than ours, and
    which extended data it takes.
    """

    format: Format
    area: int
    zone: int
    codes: Mapping[Kind, str]
    extended: frozenset[Extended]

    def alarm(self, kind: str) -> str:
        """The code of an incident's kind; an unknown kind is an `other`."""
        known: Kind = next((each for each in ALARMS if each == kind), "other")
        return self.codes.get(known, ALARMS[known][self.format == "adm-cid"])


def says(notice: Notice) -> Says | None:
    """What a notice is to a station; None for what is none of its business.

    Only the end of the incident ends it there: a verdict is about one alert of perhaps several, so
    that even a false alarm is a further word. An incident that is closed with the verdict that all
    of it was false is cancelled, as is nothing else.
    """
    if notice.about == "hand_off":
        return "alarm"
    if notice.about == "verdict":
        return "update"
    if notice.about != "update" or notice.data.get("reminder"):
        return None
    if not notice.data.get("closed") or notice.data.get("goes_on"):
        return "update"
    return "cancel" if notice.data.get("verdict") == "dismissed" else "restoral"


def code(wanted: Wanted, kind: str, what: Says) -> str:
    """The event code, as it stands in the message: `PA`, `PR`, `OC`; `1120`, `3120`, `1406`."""
    alarm = wanted.alarm(kind)
    if wanted.format == "adm-cid":
        return f"1{CANCEL['adm-cid']}" if what == "cancel" else f"{_QUALIFIER[what]}{alarm}"
    if what == "cancel":
        return CANCEL["sia-dcs"]
    return RESTORALS[alarm] if what == "restoral" else alarm


def event(
    notice: Notice, handed: HandedOver, what: Says, wanted: Wanted, sender: Sender
) -> Message:
    """The notice as a message that keeps the limit of its length: what it is and where stays, the
    link and the end of the text give way.
    """
    token = TOKENS[wanted.format]
    spent = Message(token, _data(wanted, handed.kind, what, "x"))
    room = sender.room(token) - len(spent.content(sender.account, datetime.now(UTC)))
    fields: list[str] = []
    for each in _fields(notice, handed, wanted):
        if len(each) + 2 <= room - _LEAST_TEXT:
            fields.append(each)
            room -= len(each) + 2
    text = ""
    if "text" in wanted.extended:
        longest = TEXT_LIMIT if wanted.format == "sia-dcs" else OWN_TEXT_LIMIT
        text = plain(_text(notice, handed, what), max(0, min(room - 3, longest)))
    if text and wanted.format == "adm-cid":
        fields.insert(0, f"I{text}")
    return Message(token, _data(wanted, handed.kind, what, text), tuple(fields))


_QUALIFIER: Mapping[Says, str] = {"alarm": "1", "update": "1", "restoral": "3"}
_LEAST_TEXT = 120  # characters that the text has in any case


def _data(wanted: Wanted, kind: str, what: Says, text: str) -> str:
    number = 0 if what == "cancel" else wanted.zone
    found = code(wanted, kind, what)
    if wanted.format == "adm-cid":
        return f"{found} {wanted.area:02} {number:03}"
    return f"Nri{wanted.area}/{found}{number:03}{f'^{text}^' if text else ''}"


def _fields(notice: Notice, handed: HandedOver, wanted: Wanted) -> Iterator[str]:
    """Extended data by its letter in DC-09, what matters most first: X and Y longitude and
    latitude, L the place on the site, H when it happened, S the site, V where to verify it.
    """
    if "coordinates" in wanted.extended and handed.coordinates is not None:
        north, east = handed.coordinates
        yield f"X{longitude(east)}"
        yield f"Y{latitude(north)}"
    if "place" in wanted.extended and (place := plain(handed.place, PLACE_LIMIT)):
        yield f"L{place}"
    if "time" in wanted.extended:
        yield f"H{moment(notice.time)}"
    if "place" in wanted.extended:
        site = ", ".join(each for each in (handed.school, handed.address) if each)
        if site := plain(site, SITE_LIMIT):
            yield f"S{site}"
    link = notice.link
    if "link" in wanted.extended and link and len(link) <= LINK_LIMIT and _is_plain(link):
        yield f"V{link}"


def _text(notice: Notice, handed: HandedOver, what: Says) -> str:
    """What an operator reads, what matters most first: they may see only how it begins."""
    parts = [notice.title]
    if notice.about == "hand_off":
        sure = "a person says that it is real" if handed.verified else "not verified"
        parts += [handed.place, sure]
        parts += [f"call back {handed.call_back}"] if handed.call_back else []
    said = [line.strip() for line in notice.text.splitlines()]
    return "; ".join(each for each in (*parts, *said) if each)


def _is_plain(link: str) -> bool:
    return link.isascii() and link.isprintable() and not set(link) & set(' []|^"')


def _point(found: object) -> tuple[float, float] | None:
    """Latitude and longitude, where they are two numbers on the globe."""
    if not isinstance(found, list | tuple) or len(found) != 2:
        return None
    north, east = found
    if not isinstance(north, int | float) or not isinstance(east, int | float):
        return None
    return (north, east) if abs(north) <= 90 and abs(east) <= 180 else None
