"""Why a rule fired, in Spanish: the lines that rules write are English, and of few forms.

A line of no known form, such as one in the school's own words, stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_DAYS = {
    "Mon": "lun", "Tue": "mar", "Wed": "mié", "Thu": "jue", "Fri": "vie", "Sat": "sáb",
    "Sun": "dom",
}  # fmt: skip
_GRAVE = {"severe": "grave", "high": "alta", "check": "por revisar", "note": "aviso"}
_BY = r"(?: by (?P<camera>.+))?"
_FORMS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(form, re.DOTALL), said)
    for form, said in (
        (r"label (?P<rest>.+)", "etiqueta {rest}"),
        (r"score (?P<rest>[\d.]+)", "valor {rest}"),
        (r"place (?P<inner>.+) in (?P<outer>.+)", "lugar {inner}, en {outer}"),
        (r"place (?P<rest>.+)", "lugar {rest}"),
        (r"camera (?P<rest>\S+)", "cámara {rest}"),
        (r"door (?P<rest>\S+)", "puerta {rest}"),
        (r"(?P<count>\d+) in view at (?P<rest>.+)", "{count} a la vista en {rest}"),
        (r"where (?P<rest>.+)", "se cumple {rest}"),
        (r'during (?P<name>".+") \(it was (?P<day>\w+) (?P<at>[\d:]+)\)',
         "durante {name} (eran las {at} del {day})"),
        (r'outside (?P<name>".+") \(it was (?P<day>\w+) (?P<at>[\d:]+)\)',
         "fuera de {name} (eran las {at} del {day})"),
        (r"protocol (?P<name>\S+) in force since (?P<at>[\d:]+)",
         "protocolo {name} en vigor desde las {at}"),
        (r"(?P<count>\d+) times within (?P<within>\S+) \(in (?P<took>\S+)\)",
         "{count} veces en {within} (en {took})"),
        (r"(?P<count>\d+) different by (?P<what>\S+) \((?P<named>.+)\) in (?P<took>\S+)",
         "{count} distintos por {what} ({named}) en {took}"),
        (r"then (?P<what>\S+) after (?P<took>\S+)", "después {what}, a los {took}"),
        (r"lasted (?P<took>\S+) \(since (?P<at>.+)\)", "duró {took} (desde {at})"),
        (r"no (?P<what>\S+(?: or \S+)*) in the (?P<span>\S+) before",
         "ningún {what} en los {span} anteriores"),
        (r"the cooldown of (?P<span>\S+) kept back (?P<count>\d+) more, the last at (?P<at>\S+)",
         "la pausa de {span} retuvo {count} más, el último a las {at}"),
        (r"only reviewed, for this rule gave (?P<count>\d+) false alarms?" + _BY +
         r" within (?P<span>\S+), at most (?P<most>\d+) are agreed",
         "solo se revisa: esta regla dio {count} falsas alarmas{camera} en {span}, y se acordaron "
         "{most} como máximo"),
        (r"NOT demoted, for it is severe, although this rule gave (?P<count>\d+) false alarms?" +
         _BY + r" within (?P<span>\S+), at most (?P<most>\d+) are agreed",
         "NO se rebaja, porque es grave, aunque esta regla dio {count} falsas alarmas{camera} en "
         "{span}, y se acordaron {most} como máximo"),
    )
)  # fmt: skip


def in_spanish(lines: Sequence[str]) -> list[str]:
    """The lines in Spanish, each that is of a known form."""
    return [_line(each) for each in lines]


def _line(line: str) -> str:
    grave = re.fullmatch(r"(severe|high|check|note) because: (.+)", line, re.DOTALL)
    if grave is not None:
        why = ", ".join(_line(each) for each in grave[2].split(", "))
        return f"gravedad {_GRAVE[grave[1]]} porque: {why}"
    for form, said in _FORMS:
        found = form.fullmatch(line)
        if found is not None:
            parts = {name: value or "" for name, value in found.groupdict().items()}
            parts["day"] = _DAYS.get(parts.get("day", ""), parts.get("day", ""))
            camera = parts.get("camera", "")
            parts["camera"] = f" por {camera}" if camera else ""
            parts["what"] = parts.get("what", "").replace(" or ", " o ")
            return said.format(**parts)
    return line
