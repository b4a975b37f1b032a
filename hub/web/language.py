"""In which language a page speaks: whose choice decides, and the words of each language.

The words stand in `locale/LANGUAGE/LC_MESSAGES/console.po`, which `make words` keeps to the code.
Each request has a language of its own, so that one hub serves readers of several at once. What is
written down or sent to programs is English always.
"""

from __future__ import annotations

import gettext as catalogues
import re
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache, lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.core import Locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from hub.phrases import Phrase
from hub.phrases import mark as mark

LOCALE = Path(__file__).parent / "locale"
DOMAIN = "console"
ELSEWHERE = "hub/web/elsewhere.py"
ENGLISH = "en"
_LONGEST_HEADER = 200
_MANY_COUNTED = 200
_MOST_KNOWN = 4096
_DEEPEST = 4
_LONGEST_KNOWN = 1000
# Gaps that hold names, or what people wrote: nobody's to translate.
WRITTEN = frozenset({"by", "camera", "channel", "channels", "corrected", "device", "door", "doors"})
WRITTEN |= {"instead", "into_title", "name", "names", "note", "people", "person", "place", "places"}
WRITTEN |= {"sender", "subject", "taker", "text", "texts", "title", "where", "who"}
_LEAST_TOLD = 5  # letters: a form of fewer would fit what it is not
_GAP = re.compile(r"%\((\w+)\)[sr]")
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Form:
    """An English sentence with gaps, by which a kept text is known again, and its translation."""

    english: re.Pattern[str]
    said: str


@dataclass(frozen=True, slots=True)
class Language:
    """One language of the console: its code, what it calls itself, and its words."""

    code: str
    name: str
    words: catalogues.NullTranslations = field(repr=False)
    scripts: Mapping[str, Any] = field(default_factory=dict, repr=False)
    forms: tuple[Form, ...] = field(default=(), repr=False)


def po_file(code: str, folder: Path = LOCALE) -> Path:
    """Where the words of a language stand."""
    return folder / code / "LC_MESSAGES" / f"{DOMAIN}.po"


@cache
def languages(folder: Path = LOCALE) -> Mapping[str, Language]:
    """Every language that the console speaks, English first; read once a process."""
    found = {ENGLISH: Language(ENGLISH, "English", catalogues.NullTranslations())}
    for each in sorted(folder.iterdir()):
        if po_file(each.name, folder).is_file():
            found[each.name] = _read(each.name, po_file(each.name, folder))
    return found


def _read(code: str, file: Path) -> Language:
    with file.open("rb") as text:
        catalogue = read_po(text)
    packed = BytesIO()
    write_mo(packed, catalogue)
    packed.seek(0)
    words = catalogues.GNUTranslations(packed)
    name = Locale.parse(code, sep="-").get_language_name(code) or code
    said = _for_scripts(catalogue, words)
    return Language(code, name[0].upper() + name[1:], words, said, tuple(_forms(catalogue)))


def _for_scripts(catalogue: Catalog, words: catalogues.GNUTranslations) -> Mapping[str, Any]:
    """What the scripts say, and which form goes with each number."""
    said: dict[str, Any] = {}
    for each in catalogue:
        if each.id and any(file.endswith(".js") for file, _line in each.locations):
            said[each.id if isinstance(each.id, str) else each.id[0]] = each.string
    which: Callable[[int], int] = words.plural  # type: ignore[attr-defined]
    return {"said": said, "forms": [which(n) for n in range(_MANY_COUNTED)]}


def _forms(catalogue: Catalog) -> Iterator[Form]:
    """The sentences with gaps that the hub keeps or hands on, the most telling first."""
    found: list[tuple[int, Form]] = []
    for each in catalogue:
        files = {file for file, _line in each.locations}
        if all(file.startswith("hub/web/") and file != ELSEWHERE for file in files):
            continue
        for text, said in zip(_every(each.id), _every(each.string), strict=False):
            pieces = _GAP.split(text)
            told = sum(len(word) for piece in pieces[::2] for word in _WORD.findall(piece))
            if said and len(pieces) > 1 and told >= _LEAST_TOLD:
                found.append((told, Form(_pattern(pieces), _GAP.sub(r"%(\1)s", said))))
    return (form for _told, form in sorted(found, key=lambda one: -one[0]))


def _every(form: object) -> list[str]:
    """The forms of a text: one, or one for each number."""
    return [str(each) for each in form] if isinstance(form, tuple | list) else [str(form or "")]


def _pattern(pieces: list[str]) -> re.Pattern[str]:
    """What stands between the gaps as it is, and anything in a gap up to what follows it. That is
    never sought again farther on, so that no text takes long; a name twice is the same.
    """
    made, seen = re.escape(pieces[0].replace("%%", "%")), set[str]()
    for name, after in zip(pieces[1::2], pieces[2::2], strict=True):
        follows = re.escape(after.replace("%%", "%"))
        if name in seen:
            made += f"(?P={name}){follows}"
        elif follows:
            made += f"(?>(?P<{name}>.+?){follows})"
        else:
            made += f"(?P<{name}>.+)"
        seen.add(name)
    return re.compile(made, re.DOTALL)


_spoken: ContextVar[Language | None] = ContextVar("language", default=None)


def language() -> Language:
    """The language of the request that runs; English outside of any."""
    return _spoken.get() or languages()[ENGLISH]


def speak(code: str) -> None:
    """From now on this request is answered in that language; in English where there is none."""
    _spoken.set(languages().get(code))


def gettext(text: str, /, **values: Any) -> str:
    """The text in the reader's language, with each `%(name)s` filled in."""
    return language().words.gettext(text) % _said(values)


def ngettext(one: str, many: str, count: int, /, **values: Any) -> str:
    """The text that goes with a number, in the reader's language."""
    return language().words.ngettext(one, many, count) % _said(values)


def pgettext(context: str, text: str, /, **values: Any) -> str:
    """The text in the reader's language, where the same English has more than one meaning."""
    return language().words.pgettext(context, text) % _said(values)


def spoken(value: Any) -> Any:
    """A phrase in the reader's language; anything else as it is."""
    if not isinstance(value, Phrase):
        return value
    words = language().words
    form = (
        words.ngettext(value.form, value.many, value.number)
        if value.many
        else words.gettext(value.form)
    )
    return form % _said(value.values)


def known(text: Any) -> Any:
    """What the hub has said in English, in the reader's language; what is not known stays as it is.

    For words that are kept or come from another process: states, reasons, lines of a story. A
    phrase is said anew. Of a text that is among our words as it stands, or with names and numbers
    in its gaps, the same is found; so it is behind the name of a door or camera and a colon.
    """
    if isinstance(text, Phrase):
        return spoken(text)
    if not isinstance(text, str) or not text or language().code == ENGLISH:
        return text
    return _known_as(language().code, text)


@lru_cache(maxsize=_MOST_KNOWN)
def _known_as(code: str, text: str, depth: int = 0) -> str:
    here = languages()[code]
    if (said := here.words.gettext(text)) != text or depth > _DEEPEST:
        return said
    for form in here.forms if len(text) <= _LONGEST_KNOWN else ():
        if (found := form.english.fullmatch(text)) is not None:
            return form.said % {
                name: value if name in WRITTEN else _known_as(code, value, depth + 1)
                for name, value in found.groupdict().items()
            }
    if "; " in text:
        return "; ".join(_known_as(code, part, depth + 1) for part in text.split("; "))
    name, colon, rest = text.partition(": ")
    return f"{name}{colon}{_known_as(code, rest, depth + 1)}" if colon else text


def sentence(text: str) -> str:
    """The text in the reader's language, with a capital first letter and a full stop."""
    clean = str(known(text)).strip()
    if not clean:
        return ""
    return clean[0].upper() + clean[1:] + ("" if clean[-1] in ".!?" else ".")


def _said(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: known(str(value)) if isinstance(value, Exception) else spoken(value)
        for name, value in values.items()
    }


def asked_for(header: str) -> str:
    """The language of ours that a browser likes best, of its `Accept-Language`; empty for none."""
    liked: list[tuple[float, str]] = []
    for part in header[:_LONGEST_HEADER].split(","):
        code, _, weight = part.strip().partition(";")
        try:
            how_much = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        known = _known(code.strip().lower())
        if known and 0 < how_much <= 1:
            liked.append((-how_much, known))
    return min(liked, key=lambda each: each[0])[1] if liked else ""


def _known(asked: str) -> str:
    """The language of ours that is asked for: `es-MX` is told in Spanish."""
    ours = {code.lower(): code for code in languages()}
    return ours.get(asked) or ours.get(asked.partition("-")[0], "")
