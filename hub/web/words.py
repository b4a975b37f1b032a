"""How pages say things: times, ages, states. The filters and globals of the templates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from jinja2 import Environment
from markupsafe import Markup

from hub.clock import from_iso
from hub.events import EVENT_TYPES
from hub.kinds.access_control import LOCK_VERBS
from hub.origin import THIS_MACHINE, account_named
from hub.views import AlertView, DoorView
from hub.web.language import gettext as _
from hub.web.language import known, language, mark, spoken
from hub.web.language import sentence as sentence

MADE = 1024  # icons and tags that are kept as they were made

_LABEL = re.compile(r"label (\S.*?)(?: [01]\.\d\d)?")

# Lines of a story that are a person's own words, and those that may end in some.
_WRITTEN = ("incident.note", "incident.update")
_WITH_A_NOTE = tuple(f"alert.{said}" for said in ("verified", "dismissed", "unsure", "resolved"))
_DOERS = {
    "hub": mark("The hub"),
    "nobody signed in": mark("Nobody signed in"),
    THIS_MACHINE: mark("this machine"),
}
SEVERITY_WORDS = {
    "severe": mark("Severe"),
    "high": mark("High"),
    "check": mark("Check on"),
    "note": mark("Note"),
}
VERDICT_WORDS = {
    "verified": mark("Verified"),
    "dismissed": mark("Dismissed"),
    "unsure": mark("Not sure"),
}
VERDICT_BY = {
    "verified": mark("Verified %(time)s by %(by)s"),
    "dismissed": mark("Dismissed %(time)s by %(by)s"),
    "unsure": mark("Not sure %(time)s by %(by)s"),
}
VERB_WORDS = {
    "lock": mark("Lock"),
    "unlock": mark("Unlock"),
    "momentary": mark("Open once"),
    "hold_open": mark("Hold open"),
    "lockdown": mark("Lock down"),
    "lockdown_release": mark("Release lockdown"),
}
VERB_MEANS = {
    "lock": mark("A key or badge is needed to enter."),
    "unlock": mark("Anyone may enter until then."),
    "momentary": mark("One person may enter, then as before."),
    "hold_open": mark("Stays unlocked, whatever the timetable says."),
    "lockdown": mark("Ordinary badges no longer open it."),
    "lockdown_release": mark("Badges work again as before."),
}
VERB_ICONS = {
    "lock": "lock",
    "unlock": "lock-open",
    "momentary": "key-round",
    "hold_open": "door-open",
    "lockdown": "shield-alert",
    "lockdown_release": "lock-open",
}
LOCK_TAGS: Mapping[str, tuple[str, str, str]] = {
    "locked": ("", "lock", mark("Locked")),
    "unlocked": ("", "lock-open", mark("Unlocked")),
    "jammed": ("bad", "door-jam", mark("Jammed")),
    "moving": ("stale", "refresh-cw", mark("Moving")),
    "unknown": ("unknown", "unknown", mark("Unknown")),
}
POSITION_TAGS: Mapping[str, tuple[str, str, str]] = {
    "open": ("warn", "door-open", mark("Open")),
    "closed": ("", "door-closed", mark("Closed")),
    "unknown": ("unknown", "unknown", mark("Unknown")),
}
CONCLUSION_TAGS: Mapping[str, tuple[str, str, str]] = {
    "secured": ("ok", "shield-check", mark("Secured")),
    "not_secured": ("severe", "sev-severe", mark("Not secured")),
    "open": ("warn", "door-open", mark("Open")),
    "unlocked": ("", "lock-open", mark("Unlocked")),
    "unknown": ("unknown", "unknown", mark("Unknown")),
}
ACTION_TAGS: Mapping[str, tuple[str, str, str]] = {
    "pending": ("stale", "clock", mark("Waiting")),
    "confirmed": ("ok", "check", mark("Confirmed")),
    "failed": ("bad", "x", mark("Failed")),
    "timed_out": ("unknown", "clock", mark("No answer")),
    "cancelled": ("", "ban", mark("Cancelled")),
}


def needs_a_look(door: DoorView) -> bool:
    """Whether a door is not as somebody asked, or nobody can say how it is."""
    asked = door["requested"]
    wanted_locked = asked is not None and asked["verb"] in LOCK_VERBS
    return door["conclusion"] in ("not_secured", "unknown") or (
        wanted_locked and door["conclusion"] != "secured"
    )


def door_tag(door: DoorView) -> tuple[str, str, str]:
    """A door's conclusion as kind, icon and word; a lock asked for and not there shows."""
    kind, icon, concluded = CONCLUSION_TAGS[door["conclusion"]]
    word = _(concluded)
    asked = door["requested"]
    if not needs_a_look(door) or asked is None or door["conclusion"] in ("not_secured", "unknown"):
        return kind, icon, word
    if asked["state"] == "pending":
        return "stale", "clock", _("%(state)s, lock asked", state=word)
    return "high", "sev-high", _("Not secured")


def door_row(door: DoorView) -> str:
    """How loud a door's row is on the board."""
    if door["conclusion"] == "not_secured":
        return "attn"
    if door["conclusion"] == "unknown":
        return "gone"
    return "attn soft" if door_tag(door)[0] == "high" else ""


def span(seconds: float) -> str:
    """A duration in words: `0.4 s`, `42 s`, `4 min 05 s`, `12 min`, `2 h 05 min`, `3 d 4 h`."""
    seconds = max(0.0, seconds)
    if seconds < 1:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 10:
        return f"{minutes} min {rest:02d} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes:02d} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


class Words:
    """The filters that need the school's time zone and the present moment."""

    def __init__(self, timezone: str) -> None:
        self._zone = ZoneInfo(timezone)

    def local(self, moment: str | datetime) -> datetime:
        """The school's own time."""
        known = from_iso(moment) if isinstance(moment, str) else moment
        return known.astimezone(self._zone)

    def clock(self, moment: str | datetime) -> str:
        """`10:41:14` at the school."""
        return self.local(moment).strftime("%H:%M:%S")

    def tenth(self, moment: str | datetime) -> str:
        """`10:41:14.3` at the school."""
        local = self.local(moment)
        return f"{local:%H:%M:%S}.{local.microsecond // 100_000}"

    def minute(self, moment: str | datetime) -> str:
        """`10:41` at the school."""
        return self.local(moment).strftime("%H:%M")

    def day(self, moment: str | datetime) -> str:
        """`Mon 2 Mar`."""
        return str(
            format_datetime(
                self.local(moment), "EEE d MMM", locale=language().code.replace("-", "_")
            )
        )

    def when(self, moment: str | datetime, now: datetime) -> str:
        """The time, with the day before it unless that is today."""
        same = self.local(moment).date() == self.local(now).date()
        return self.clock(moment) if same else f"{self.day(moment)}, {self.minute(moment)}"

    def turn(self, moment: str | datetime, before: str | datetime) -> str:
        """What a reader of times must know between two of them: another day, or a clock that was
        put forward or back; empty where it is neither.
        """
        then, local = self.local(before), self.local(moment)
        said = [self.day(moment)] if local.date() != then.date() else []
        ahead = (local.utcoffset() or timedelta()) - (then.utcoffset() or timedelta())
        if ahead:
            gap = span(abs(ahead).total_seconds())
            said.append(
                _("the clocks went back by %(gap)s: some times come twice", gap=gap)
                if ahead < timedelta()
                else _("the clocks went forward by %(gap)s", gap=gap)
            )
        return sentence("; ".join(said)) if said else ""

    def since(self, moment: str | datetime, now: datetime) -> float:
        """Seconds from that moment until now."""
        known = from_iso(moment) if isinstance(moment, str) else moment
        return max(0.0, (now - known).total_seconds())

    def until(self, moment: str | datetime, now: datetime) -> float:
        """Seconds from now until that moment; none once it has passed."""
        known = from_iso(moment) if isinstance(moment, str) else moment
        return max(0.0, (known - now).total_seconds())


def delay(received: str, source: str) -> str:
    """How much later the hub had it: `+0.3 s`; empty below a tenth of a second."""
    late = (from_iso(received) - from_iso(source)).total_seconds()
    return f"+{span(late) if late >= 10 else f'{late:.1f} s'}" if late >= 0.1 else ""


def offset(moment: str, start: str) -> str:
    """How long after the start: `+8.8 s`, `+1 min 25 s`."""
    gap = max(0.0, (from_iso(moment) - from_iso(start)).total_seconds())
    return f"+{gap:.1f} s" if gap < 60 else f"+{span(gap)}"


def listed(words: list[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`; with `or` where that is asked for."""
    said = [str(spoken(each)) for each in words]
    if len(said) < 2:
        return "".join(said)
    some = ", ".join(said[:-1])
    if last == "or":
        return _("%(some)s or %(last)s", some=some, last=said[-1])
    return _("%(some)s and %(last)s", some=some, last=said[-1])


def desk_name(desk: str) -> str:
    """A desk as people read it; in the configuration it has an id alone."""
    return desk.replace("_", " ").capitalize()


def matched(alert: AlertView) -> str:
    """Why the alert was raised, in one sentence, from what the rule says that it matched."""
    parts: list[str] = []
    reported = "report.received" in alert["matched"]
    for line in alert["matched"]:
        label = _LABEL.fullmatch(line)
        if label is not None and reported:
            parts.append(_("%(label)s, says another system", label=known(label[1])))
        elif label is not None and alert["guessing"]:
            parts.append(_("%(label)s-sized mover seen", label=known(label[1])))
        elif label is not None:
            parts.append(_("%(label)s seen", label=known(label[1])))
        elif line.startswith("place "):
            parts.append(_("in %(place)s", place=line.removeprefix("place ")))
        elif line in EVENT_TYPES:
            if not line.startswith(("zone.", "report.")) or len(alert["matched"]) == 1:
                parts.append(str(known(EVENT_TYPES[line])).rstrip("."))
        else:
            parts.append(str(known(line)))
    return sentence(", ".join(parts) or alert["title"])


def told(entry: Mapping[str, Any]) -> str:
    """A line of a story in the reader's language; what a person wrote in it stays as they did."""
    text, kind = str(entry["text"]), str(entry["type"])
    if kind in _WRITTEN:
        return text
    if kind not in _WITH_A_NOTE:
        return str(known(text))
    line, colon, note = text.partition(": ")
    return f"{known(line)}{colon}{note}"


def doer(who: str) -> str:
    """Who did something, or from where, as a record says it: people by name, others in words."""
    if who in _DOERS:
        return _(_DOERS[who])
    account = account_named(who)
    return _("%(account)s on this machine", account=account) if account else who


def queue_words(queue: Mapping[str, int]) -> str:
    """A queue's counters in words: `2 of 10000 waiting, 0 dropped`."""
    waiting, limit = queue.get("waiting", 0), queue.get("limit", 0)
    said = [
        _("%(n)s of %(limit)s waiting", n=waiting, limit=limit)
        if limit
        else _("%(n)s waiting", n=waiting)
    ]
    said += [
        f"{count} {known(name.replace('_', ' '))}"
        for name, count in queue.items()
        if name not in ("waiting", "limit") and (count or name == "dropped")
    ]
    return ", ".join(said)


def install(environment: Environment, words: Words, static_version: str) -> None:
    """Give the templates their vocabulary."""

    @lru_cache(maxsize=MADE)
    def icon(name: str) -> Markup:
        return Markup(
            '<svg class="i" aria-hidden="true"><use href="/static/icons.svg?v={v}#i-{name}"/></svg>'
        ).format(v=static_version, name=name)

    def tag(entry: tuple[str, str, str]) -> Markup:
        kind, name, word = entry
        return made(kind, name, known(word))

    @lru_cache(maxsize=MADE, typed=True)
    def made(kind: str, name: str, word: str) -> Markup:
        return Markup('<span class="tag {kind}">{icon}{word}</span>').format(
            kind=kind, icon=icon(name), word=word
        )

    filters: dict[str, Any] = {
        "known": known,
        "span": span,
        "clock": words.clock,
        "tenth": words.tenth,
        "minute": words.minute,
        "day": words.day,
        "when": words.when,
        "turn": words.turn,
        "since": words.since,
        "until": words.until,
        "delay": delay,
        "offset": offset,
        "listed": listed,
        "sentence": sentence,
        "matched": matched,
        "door_tag": door_tag,
        "door_row": door_row,
        "told": told,
        "doer": doer,
    }
    environment.tests["needs_a_look"] = needs_a_look
    environment.filters.update(filters)
    environment.globals.update(
        icon=icon,
        tag=tag,
        v=static_version,
        queue_words=queue_words,
        SEVERITY=SEVERITY_WORDS,
        VERDICT=VERDICT_WORDS,
        VERDICT_BY=VERDICT_BY,
        VERB=VERB_WORDS,
        VERB_MEANS=VERB_MEANS,
        VERB_ICON=VERB_ICONS,
        LOCK=LOCK_TAGS,
        POSITION=POSITION_TAGS,
        CONCLUSION=CONCLUSION_TAGS,
        ACTION=ACTION_TAGS,
    )
