"""In which words people are told of many cameras or doors at once: how many, which, where."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from hub.clock import from_iso
from hub.safety.alerts.together import AlertRow, Parts, device, in_order, named
from hub.safety.notices.languages import ENGLISH, SPANISH, Said
from hub.safety.notices.notice import Message, facts_of
from hub.safety.words import Words

LISTED = 6
PLACES = 3


class _Words(NamedTuple):
    """The words of one language."""

    camera: tuple[str, str]
    door: tuple[str, str]
    both: str
    some: str
    more: str
    all_in: str
    some_in: str
    gone: str
    still: str
    back: str
    title_still: str
    title_back: str


_SAID = {
    ENGLISH: _Words(
        camera=("{n} camera", "{n} cameras"),
        door=("{n} door", "{n} doors"),
        both="{one} and {other}",
        some="{some} and {last}",
        more="{some} and {n} more",
        all_in=", all in {place}",
        some_in=", {n} in {place}",
        gone="{counted} since {since}{where}: {names}.",
        still="{n} of {counted} answer again. {gone} still gone{where}: {names}.",
        back="All answer again: {counted}, gone since {since}.",
        title_still="{title}: {gone} of {n} still gone",
        title_back="{title}: all {n} answer again",
    ),
    SPANISH: _Words(
        camera=("{n} cámara", "{n} cámaras"),
        door=("{n} puerta", "{n} puertas"),
        both="{one} y {other}",
        some="{some} y {last}",
        more="{some} y {n} más",
        all_in=", todas en {place}",
        some_in=", {n} en {place}",
        gone="{counted} desde las {since}{where}: {names}.",
        still="{n} de {counted} responden de nuevo. Siguen sin responder {gone}{where}: {names}.",
        back="Todas responden de nuevo: {counted}, sin respuesta desde las {since}.",
        title_still="{title}: {gone} de {n} siguen sin responder",
        title_back="{title}: las {n} responden de nuevo",
    ),
}


def many_message(words: Words, alert: AlertRow, parts: Parts, now: datetime) -> Message:
    """How many an alert tells of by now, which and where, or that all are back."""
    gone = parts.gone()
    title = {language: _title(said, alert, parts) for language, said in _SAID.items()}
    text = {language: _text(said, alert, parts, words) for language, said in _SAID.items()}
    place = _where_words(parts, gone or list(parts.by_scope), words)
    why = json.loads(alert.matched)
    lines = [text[ENGLISH], f"{place or alert.title}, at {words.moment(now)}."]
    lines += [f"Why: {'; '.join(why)}."]
    lines += [
        "A person verified this." if alert.state == "verified" else "Nobody has verified this yet."
    ]
    facts: dict[str, Said | object] = {**facts_of(alert), "title": title, "text": text, "why": why}
    return Message(
        about="alert",
        severity=alert.severity,
        title=title[ENGLISH],
        text="\n".join(lines),
        time=now,
        place=place,
        alert=alert.id,
        incident=alert.incident,
        basis="person" if alert.state == "verified" else "detector",
        data={"together": len(gone)},
        facts=facts,
    )


def _title(said: _Words, alert: AlertRow, parts: Parts) -> str:
    gone, every = parts.gone(), list(parts.by_scope)
    if not gone:
        return said.title_back.format(title=alert.title, n=len(every))
    if len(gone) < len(every):
        return said.title_still.format(title=alert.title, gone=len(gone), n=len(every))
    return f"{alert.title}: {_counted(said, every)}"


def _text(said: _Words, alert: AlertRow, parts: Parts, words: Words) -> str:
    gone, every = parts.gone(), list(parts.by_scope)
    counted = _counted(said, every)
    since = words.clock(from_iso(min(each.since for each in parts.by_scope.values())))
    if not gone:
        return said.back.format(counted=counted, since=since)
    where, names = _where(said, parts, gone, words), _names(said, gone, words)
    if len(gone) == len(every):
        return said.gone.format(counted=counted, since=since, where=where, names=names)
    back = len(every) - len(gone)
    return said.still.format(n=back, counted=counted, gone=len(gone), where=where, names=names)


def _counted(said: _Words, scopes: Sequence[str]) -> str:
    doors = sum(device(scope)[0] == "door" for scope in scopes)
    counts = ((said.camera, len(scopes) - doors), (said.door, doors))
    found = [(one if n == 1 else several).format(n=n) for (one, several), n in counts if n]
    return said.both.format(one=found[0], other=found[1]) if len(found) > 1 else found[0]


def _names(said: _Words, scopes: Sequence[str], words: Words) -> str:
    """What they are called; only some of very many."""
    names = [named(scope, words) for scope in in_order(scopes, words)]
    if len(names) > LISTED + 1:
        return said.more.format(some=", ".join(names[:LISTED]), n=len(names) - LISTED)
    if len(names) == 1:
        return names[0]
    return said.some.format(some=", ".join(names[:-1]), last=names[-1])


def _where(said: _Words, parts: Parts, scopes: Sequence[str], words: Words) -> str:
    shared = words.campus.shared([parts.by_scope[scope].place for scope in scopes])
    if len(shared) == 1:
        place = words.campus.name(shared[0][0])
        return said.all_in.format(place=place) if len(scopes) > 1 else f", {place}"
    return "".join(
        said.some_in.format(n=n, place=words.campus.name(place)) for place, n in shared[:PLACES]
    )


def _where_words(parts: Parts, scopes: Sequence[str], words: Words) -> str:
    shared = words.campus.shared([parts.by_scope[scope].place for scope in scopes])
    if len(shared) == 1:
        return words.campus.words(shared[0][0])
    return ", ".join(words.campus.name(place) for place, _ in shared[:PLACES])
