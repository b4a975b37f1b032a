"""What people are told of a protocol: that it is in force, that it is over, that somebody decided.

Every message stands on a person's word, so that channels that everyone hears may speak it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from hub.kinds.notifiers import Severity
from hub.safety.notices.languages import ENGLISH, Said, in_language
from hub.safety.notices.notice import AboutWhat, Message
from hub.safety.outbox import ActionRow, Intention
from hub.safety.protocols import plan
from hub.safety.protocols.rows import RunRow
from hub.safety.protocols.wording import Wording
from hub.safety.words import Words

Phase = Literal["start", "clear", "fire", "duress", "doors"]

DOORS: Phase = "doors"
NAMED_IN_TITLE = 2

STARTED = {"en": "Started by {by}, {when}.", "es": "Iniciado por {by}, {when}."}
AGAIN = {
    "en": "In force: {name}, {place}. {directive}",
    "es": "En vigor: {name}, {place}. {directive}",
}


def in_force(
    words: Words, run: RunRow, wording: Wording, alert: ActionRow, where: str, now: datetime
) -> Message:
    """That a protocol is in force, and what people are to do."""
    by, when = words.person(run.started_by or run.device), words.clock(now)
    pressed = f"{by} ({where})" if where else by
    text = {
        language: "\n".join(
            [
                wording.directive,
                meaning,
                STARTED.get(language, STARTED["en"]).format(by=pressed, when=when),
                *([run.reason] if run.reason else []),
            ]
        )
        for language, meaning in wording.does.items()
    }
    facts = {"why": json.loads(alert.matched), "could_be": "", "score": ""}
    data = {"verdict": "verified", "by": run.started_by or run.device}
    return _message(words, run, "alert", alert.severity, alert.title, text, now, data, facts)


def over(
    words: Words,
    run: RunRow,
    wording: Wording,
    still: Sequence[tuple[RunRow, Wording]],
    people: Sequence[str],
    now: datetime,
) -> Message:
    """The all-clear: that a protocol is over; where others are `still` in force in its area, newest
    first, it is no all-clear and says which.
    """
    campus, where = words.campus, words.campus.name(run.area)
    names = " and ".join(words.person(each) for each in people)
    text: dict[str, str] = {}
    for language, meaning in wording.over.items():
        lines = [] if still else [meaning]
        lines += [_in_force(words, one, said, language) for one, said in still]
        text[language] = "\n".join([*lines, f"{names}, {words.clock(now)}."])
    title = f"All clear: {wording.name}, {where}"
    if still:
        one, said = still[0]
        title = f"{wording.name} is over, {said.name} is in force: {campus.name(one.area)}"
    data = {"verdict": "resolved", "resolved": True, "by": people[-1] if people else ""}
    facts = {"note": text, "title": f"{wording.name}: {where}"}
    return _message(words, run, "verdict", "severe", title, text, now, data, facts)


def fire(
    words: Words, run: RunRow, wording: Wording, title: str, text: Said, now: datetime
) -> Message:
    """What a fire alarm asks of those who lead, or what they decided."""
    data = {"verdict": "verified", "fire": True}
    full = f"{title}: {wording.name}, {words.campus.name(run.area)}"
    return _message(words, run, "alert", "severe", full, text, now, data, {"why": ()}, "fire")


def with_directive(words: Words, run: RunRow, wording: Wording, text: Said) -> Said:
    """A text, and after it what is in force and what people do in it."""
    return {
        language: f"{line}\n{_in_force(words, run, wording, language)}"
        for language, line in text.items()
    }


def failing(
    words: Words,
    run: RunRow,
    wording: Wording,
    severity: Severity,
    doors: Mapping[str, bool],
    why: Mapping[str, Sequence[str]],
    sentence: str,
    now: datetime,
) -> Message:
    """Which `doors` do not obey, each with whether it was to lock, and by reason `why`: one
    `sentence` says how far the others are.
    """
    count, locks = len(doors), all(doors.values())
    names = [words.door(each) for each in doors]
    several = count > NAMED_IN_TITLE
    title = {
        "en": f"{wording.name}: {f'{count} doors' if several else ' and '.join(names)} "
        f"not {'secured' if locks else 'confirmed'}",
        "es": f"{wording.name}: {f'{count} puertas' if several else ' y '.join(names)} "
        f"sin {'cerrar' if locks else 'confirmar'}",
    }
    each_why = [f"{', '.join(each)}: {reason}" for reason, each in why.items()]
    again = {
        "en": f"The hub keeps asking {'it' if count == 1 else 'them'}.",
        "es": "El sistema lo sigue intentando.",
    }
    text = {
        language: "\n".join([*(f"{each}." for each in each_why), line, f"{sentence}."])
        for language, line in again.items()
    }
    facts: dict[str, Any] = {"title": f"{wording.name}: {words.campus.name(run.area)}"}
    facts |= {"line": "; ".join(each_why), "note": title, "text": text}
    data: dict[str, Any] = {"doors": list(doors)}
    return _message(words, run, "outcome", severity, title["en"], text, now, data, facts, DOORS)


def duress(words: Words, run: RunRow, wording: Wording, by: str, now: datetime) -> Message:
    """That somebody is forced to end a protocol. It leads nowhere and is part of no incident, for
    no page may show it.
    """
    where = plan.called(words.campus, run.area)
    text = {
        "en": f"{words.person(by)} gave the duress PIN to end {wording.name} in {where}, "
        f"{words.moment(now)}. It is still in force; no door has moved. On the device in front of "
        "them it is shown as ended: do not call or write to them about it.",
        "es": f"{words.person(by)} ha dado el PIN de coacción para terminar {wording.name} en "
        f"{where}. Sigue en vigor; ninguna puerta se ha movido. En el dispositivo que tiene "
        "delante se muestra como terminado: no le llame ni le escriba por ello.",
    }
    title = f"DURESS: {wording.name}, {words.campus.name(run.area)}"
    made = _message(
        words, run, "alert", "severe", title, text, now, {"duress": True}, {"why": ()}, "duress"
    )
    return replace(made, alert="", incident="")


def leading_to_it(intention: Intention, run: RunRow) -> Intention:
    """The same, leading to the run's page."""
    payload = dict(intention.payload) | {"path": f"/protocols/{run.id}"}
    return replace(intention, payload=payload)


def _in_force(words: Words, run: RunRow, wording: Wording, language: str) -> str:
    form = AGAIN.get(language, AGAIN["en"])
    place = words.campus.name(run.area)
    return form.format(name=wording.name, place=place, directive=wording.directive)


def _message(
    words: Words,
    run: RunRow,
    about: AboutWhat,
    severity: Severity,
    title: str,
    text: Said,
    now: datetime,
    data: dict[str, Any],
    facts: dict[str, Any],
    phase: Phase | None = None,
) -> Message:
    """`data` says which protocol and run it is of, and in which phase of it."""
    found: Phase = phase or ("start" if about == "alert" else "clear")
    of_it = {"protocol": run.protocol, "run": run.id, "phase": found}
    return Message(
        about=about,
        severity=severity,
        title=title,
        text=in_language(text, ENGLISH),
        time=now,
        place=plan.called(words.campus, run.area),
        alert=run.alert,
        incident=run.incident,
        basis="person",
        data=data | of_it,
        facts={"title": title, "opened": run.started, "text": text, **facts},
    )
