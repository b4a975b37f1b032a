"""What people are told of a planned drill: that it is coming, has changed, or was not started."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from hub.clock import from_iso
from hub.safety.drills.plans import PlanRow
from hub.safety.notices.languages import ENGLISH, SPANISH, Said, moment
from hub.safety.notices.notice import Message
from hub.safety.protocols import plan as plans
from hub.safety.protocols.wording import wording
from hub.safety.words import Words

What = Literal["planned", "reminder", "changed", "called_off", "missed"]
Line = Callable[[str, str], str]

_TITLES: dict[What, tuple[str, str]] = {
    "planned": ("{name} is planned", "{name} está planificado"),
    "reminder": ("{name} is planned", "{name} está planificado"),
    "changed": ("{name} is planned otherwise", "{name} se ha planificado de otro modo"),
    "called_off": ("{name} is called off", "{name} se ha cancelado"),
    "missed": ("{name} was not started", "{name} no se ha iniciado"),
}
_NEXT: dict[What, tuple[str, str]] = {
    "planned": (
        "{by} has planned it. A person starts it on its page; nothing starts by itself.",
        "Lo ha planificado {by}. Lo inicia una persona en su página; nada se inicia solo.",
    ),
    "reminder": (
        "A person starts it on its page; nothing starts by itself.",
        "Lo inicia una persona en su página; nada se inicia solo.",
    ),
    "changed": ("{by} has changed the plan.", "{by} ha cambiado el plan."),
    "called_off": ("{by} has called it off.", "Lo ha cancelado {by}."),
    "missed": (
        "Nobody has started it. Start it now, or plan another.",
        "Nadie lo ha iniciado. Inícielo ahora, o planifique otro.",
    ),
}


def message(
    words: Words, plan: PlanRow, what: What, now: datetime, by: str = "", why: str = ""
) -> Message:
    """A notice about a planned drill; `why` is somebody's own words."""
    name = wording(plan.protocol, words.config.protocols.get(plan.protocol)).name
    where = plans.called(words.campus, plan.area)
    said: dict[str, str] = {}
    titles: dict[str, str] = {}
    for at, language in enumerate((ENGLISH, SPANISH)):
        when = moment(language, from_iso(plan.due), words)
        titles[language] = _TITLES[what][at].format(name=name)
        lines = [f"{where}, {when}.", _leads(words, plan, language)]
        lines += [_NEXT[what][at].format(by=words.person(by)), why or plan.note]
        said[language] = "\n".join(line for line in lines if line)
    text: Said = said
    return Message(
        about="update",
        severity="check",
        title=titles[ENGLISH],
        text=said[ENGLISH],
        time=now,
        place=where,
        alert="",
        incident="",
        basis="person",
        data={"plan": plan.id, "drill": True, "by": by},
        facts={"title": titles, "note": text},
    )


def _leads(words: Words, plan: PlanRow, language: str) -> str:
    """Who leads it, where somebody does."""
    if not plan.leader:
        return ""
    who = words.person(plan.leader)
    return f"{who} leads it." if language == ENGLISH else f"Lo dirige {who}."
