"""What people are told in their own language: moments, and what was seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeAlias
from zoneinfo import ZoneInfo

from hub.events import Event
from hub.safety.words import Words

ENGLISH, SPANISH = "en", "es"
BUILT_IN = (ENGLISH, SPANISH)

_DAYS = ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo")
_MONTHS = (
    "enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre",
    "octubre", "noviembre", "diciembre",
)  # fmt: skip
_SEEN: Mapping[str, str] = {
    "door.opened": "se abrió",
    "door.closed": "se cerró",
    "door.locked": "comunica que está bloqueada",
    "door.unlocked": "comunica que está desbloqueada",
    "door.forced": "forzada mientras estaba bloqueada",
    "door.held": "lleva demasiado tiempo abierta",
    "door.jammed": "comunica que el pestillo está atascado",
    "door.online": "su controlador responde de nuevo",
    "door.offline": "su controlador no responde",
    "camera.online": "vuelve a dar imagen",
    "camera.offline": "no da imagen",
    "camera.covered": "su objetivo está tapado",
    "camera.moved": "la han movido, o muestra otra vista",
    "camera.defocused": "su imagen está desenfocada",
    "camera.frozen": "su imagen está congelada",
    "camera.repeating": "vuelve a mostrar lo que ya mostró",
    "camera.blind": "no puede ver",
}
_VISITOR: Mapping[str, str] = {
    "visitor.checked_in": "ha entrado",
    "visitor.checked_out": "ha salido",
    "visitor.overstayed": "sigue aquí después de la hora acordada",
    "visitor.matched": "puede ser alguien a quien no se debe admitir",
    "visitor.admitted": "ha entrado después de una comprobación",
}
_LABELS: Mapping[str, str] = {
    "person": "Persona",
    "car": "Coche",
    "truck": "Camión",
    "bus": "Autobús",
    "bicycle": "Bicicleta",
    "dog": "Perro",
}

# The same words in each built-in language.
Said: TypeAlias = Mapping[str, str]


def moment(language: str, time: datetime, words: Words) -> str:
    """Hour and date on the school's wall clock; in figures where the language is not built in."""
    if language == ENGLISH:
        return words.moment(time)
    local = time.astimezone(ZoneInfo(words.config.hub.timezone))
    if language == SPANISH:
        day, month = _DAYS[local.weekday()], _MONTHS[local.month - 1]
        return f"{local:%H:%M} del {day} {local.day} de {month}"
    return f"{local:%H:%M}, {local:%Y-%m-%d}"


def in_language(said: str | Said, language: str) -> str:
    """What was said, in one language; in English where there is no other."""
    return said if isinstance(said, str) else said.get(language) or said.get(ENGLISH, "")


def of_step(number: int, last: int) -> Said:
    """Which step of a ladder calls for somebody."""
    return {
        ENGLISH: f"Nobody has taken this on yet: step {number} of {last}.",
        SPANISH: f"Nadie se ha hecho cargo todavía: paso {number} de {last}.",
    }


def of_unheard(channels: str) -> Said:
    """That an alert has reached nobody, and through what."""
    return {
        ENGLISH: f"Nobody has received this alert through {channels}.",
        SPANISH: f"Nadie ha recibido esta alerta por {channels}.",
    }


def of_going_on(count: int, since: str) -> Said:
    """That what an alert is about goes on, how often it was seen since when."""
    return {
        ENGLISH: f"Still going on: seen {count} times since {since}. Nobody has taken this on yet.",
        SPANISH: f"Sigue ocurriendo: visto {count} veces desde las {since}. "
        "Nadie se ha hecho cargo todavía.",
    }


def of_undone(by: str) -> Said:
    """Who has taken the dismissal of an alert back."""
    return {
        ENGLISH: f"Open again: {by} took the word back that this was a false alarm.",
        SPANISH: f"Abierta de nuevo: {by} retiró su aviso de que era una falsa alarma.",
    }


OF_DRILL_OVER: Said = {ENGLISH: "The drill is over.", SPANISH: "El simulacro ha terminado."}
OF_ALL_FALSE: Said = {
    ENGLISH: "Every alert of this incident was a false alarm",
    SPANISH: "Todas las alertas de este incidente fueron falsas alarmas",
}


def of_closed(by: str) -> Said:
    """Who has closed an incident."""
    return {
        ENGLISH: f"{by} has closed this incident",
        SPANISH: f"{by} ha cerrado este incidente",
    }


def of_merged(into: str) -> Said:
    """Where an incident that was merged away goes on."""
    return {
        ENGLISH: f"This incident goes on in another: {into}",
        SPANISH: f"Este incidente continúa en otro: {into}",
    }


def of_split(name: str) -> Said:
    """That a part of an incident is one of its own from now on."""
    return {
        ENGLISH: f"A part of this goes on as an incident of its own: {name}",
        SPANISH: f"Una parte de esto continúa como incidente aparte: {name}",
    }


def of_rest(name: str, why: str) -> Said:
    """That not all is over: what was split off goes on. After the reason, where there is one."""
    said = {
        ENGLISH: f"Not all of it is over. This goes on: {name}",
        SPANISH: f"No todo ha terminado. Esto continúa: {name}",
    }
    return {language: f"{why}\n{line}" if why else line for language, line in said.items()}


def seen(event: Event | None, words: Words) -> dict[str, str]:
    """What an event says, in each built-in language; empty where that has no words for it."""
    if event is None:
        return {}
    return {ENGLISH: words.sentence(event)[0], SPANISH: _spanish(event, words)}


def _spanish(event: Event, words: Words) -> str:
    area = event.type.partition(".")[0]
    name: Callable[[str], str] = {"door": words.door, "camera": words.camera}.get(area, str)
    if event.type in _SEEN:
        return f"{name(event.subject)}: {_SEEN[event.type]}"
    if event.type in _VISITOR:
        return f"{event.data.get('visitor') or event.subject} {_VISITOR[event.type]}"
    if event.type == "zone.entered":
        label = str(event.data.get("label") or "")
        who = _LABELS.get(label, label.capitalize() or "Algo")
        guess = " (deducido del movimiento)" if event.data.get("guessing") else ""
        return f"{who}{guess} en {words.campus.name(str(event.data.get('place')))}"
    return ""
