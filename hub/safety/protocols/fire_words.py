"""What is said of a fire alarm during a lockdown: to those who decide, and aloud to everyone.

What everyone hears names nobody and says nothing of doors: it is heard by whoever is the danger
too.
"""

from __future__ import annotations

from dataclasses import dataclass

from hub.safety.notices.languages import Said
from hub.units import duration_words


@dataclass(frozen=True, slots=True)
class FireWords:
    """A title and a text for those who were told by name, and the same for what everyone hears.
    `goes_on` unless people are to leave.
    """

    title: str
    text: Said
    aloud_title: str
    aloud: Said
    goes_on: bool = True


def decide(within: float) -> FireWords:
    """That people have so many seconds to decide."""
    span, hear, oiga = duration_words(within), *_aloud(within)
    return FireWords(
        "Fire alarm: decide",
        {
            "en": f"A fire alarm goes off during the lockdown. Decide within {span}: stay or "
            "evacuate. Doors are no longer locked by the hub.",
            "es": f"Suena la alarma de incendios durante el confinamiento. Decida en {span}: "
            "quedarse o evacuar. El sistema ya no cierra puertas.",
        },
        "Fire alarm: a decision follows",
        {
            "en": f"A fire alarm goes off during the lockdown. Within {hear} it is to be decided "
            "whether people stay or leave. What is decided is announced.",
            "es": f"Suena la alarma de incendios durante el confinamiento. En {oiga} se debe "
            "decidir si la gente se queda o sale. Lo que se decida se anunciará.",
        },
    )


def undecided() -> FireWords:
    """That the time is over."""
    return FireWords(
        "Fire alarm: no decision",
        {
            "en": "Nobody has decided yet whether people stay or leave. Decide now.",
            "es": "Nadie ha decidido todavía si la gente se queda o sale. Decídalo ahora.",
        },
        "Fire alarm: no decision",
        {
            "en": "Nobody has decided yet whether people stay or leave. What is decided is "
            "announced.",
            "es": "Nadie ha decidido todavía si la gente se queda o sale. Lo que se decida se "
            "anunciará.",
        },
    )


def decided(stay: bool, who: str) -> FireWords:
    """What a person has decided."""
    title = "Fire alarm: stay" if stay else "Fire alarm: leave the building"
    english = "stay where you are" if stay else "leave the building"
    spanish = "quédese donde está" if stay else "salga del edificio"
    return FireWords(
        title,
        {"en": f"{who} has decided: {english}.", "es": f"{who} ha decidido: {spanish}."},
        title,
        {"en": f"It is decided: {english}.", "es": f"Está decidido: {spanish}."},
        goes_on=stay,
    )


def silent() -> FireWords:
    """That nothing is to be decided any more, for no fire alarm sounds."""
    title = "Fire alarm: it no longer sounds"
    text = {
        "en": "The fire alarm no longer sounds. The lockdown is still in force.",
        "es": "La alarma de incendios ya no suena. El confinamiento sigue en vigor.",
    }
    return FireWords(title, text, title, text)


def _aloud(seconds: float) -> tuple[str, str]:
    """A span of time as it is read out, in English and Spanish."""
    minutes, rest = divmod(round(seconds), 60)
    if rest:
        return f"{round(seconds)} seconds", f"{round(seconds)} segundos"
    one = minutes == 1
    return f"{minutes} minute{'' if one else 's'}", f"{minutes} minuto{'' if one else 's'}"
