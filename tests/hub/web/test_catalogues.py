"""Every text of the console stands in every catalogue, translated, and fits where it is said."""

from __future__ import annotations

import re
import sys
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from hub.web import elsewhere
from hub.web.language import ENGLISH, languages, po_file

ROOT = Path(__file__).resolve().parents[3]
GAP = re.compile(r"%\((\w+)\)[sr]|%%")
TAG = re.compile(r"</?\w[^>]*>")
OTHERS = [code for code in languages() if code != ENGLISH]


@cache
def extracted() -> Catalog:
    """What the code says, as `make words` finds it."""
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import words
    finally:
        sys.path.remove(str(ROOT / "scripts"))
    found: Catalog = words.extracted()
    return found


def catalogue(code: str) -> Catalog:
    """The catalogue of a language."""
    with po_file(code).open("rb") as text:
        return read_po(text, abort_invalid=True)


def texts(found: Catalog) -> dict[tuple[str, str], Message]:
    """Its messages by their English and their context."""
    return {(str(each.id), each.context or ""): each for each in found if each.id}


def forms(said: object) -> list[str]:
    """The forms of a text: one, or one for each number."""
    return [str(each) for each in said] if isinstance(said, tuple | list) else [str(said or "")]


def test_the_code_says_something() -> None:
    """What follows is about a good many texts, of pages, scripts and sentences."""
    found = texts(extracted())
    files = {file for each in found.values() for file, _line in each.locations}
    assert len(found) > 1500
    assert {"hub/web/templates/now.html", "hub/web/static/hold.js", "hub/safety/words.py"} <= files


@pytest.mark.parametrize("code", OTHERS)
def test_a_catalogue_has_just_the_texts_of_the_code(code: str) -> None:
    """None is missing and none is left of what nobody says any more: `make words` was run."""
    said, kept = texts(extracted()), texts(catalogue(code))
    assert sorted(set(said) - set(kept)) == [], "run `make words`"
    assert sorted(set(kept) - set(said)) == [], "run `make words`"


@pytest.mark.parametrize("code", OTHERS)
def test_every_text_is_translated(code: str) -> None:
    """In each form that a number asks for, and none is but a guess."""
    found = catalogue(code)
    bare = [key for key, each in texts(found).items() if not all(forms(each.string))]
    assert bare == []
    assert [each.id for each in found if each.id and each.fuzzy] == []
    plural = [each for each in found if each.id and each.pluralizable]
    assert {len(forms(each.string)) for each in plural} == {found.num_plurals}


@pytest.mark.parametrize("code", OTHERS)
def test_a_translation_has_the_gaps_and_the_markup_of_its_text(code: str) -> None:
    """What is filled in is filled in, nothing else is asked for, and no tag is lost."""
    wrong: list[str] = []
    for each in catalogue(code):
        english = forms(each.id)
        for said in forms(each.string) if each.id else []:
            gaps = {match[0] for match in GAP.finditer(said)}
            most = {match[0] for match in GAP.finditer(english[-1])}
            least = most if len(english) == 1 else most - {"%(n)s"}
            fits = least <= gaps <= most
            tags = sorted(TAG.findall(said)) == sorted(TAG.findall(english[-1]))
            ends = said.strip() == said and english[0].strip() == english[0]
            if not (fits and tags and ends):
                wrong.append(f"{english[0]!r}: {said!r}")
    assert wrong == []


def test_what_other_rooms_say_stands_in_their_code() -> None:
    """A text that was changed there is not left behind among those of `elsewhere`."""
    written = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("hub/perception", "hub/safety", "plugins", "hub")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "elsewhere.py"
    )
    plain = re.sub(r"\{[^{}\n\"]*\}", "{}", written)
    missing = [
        text
        for group in (elsewhere.CAMERAS, elsewhere.CARD)
        for text in group
        if GAP.sub("{}", text) not in plain
    ]
    assert missing == []


def test_no_text_is_hidden_in_an_f_string() -> None:
    """There it would not be found, and stay English."""
    hidden = re.compile(r"""\{\s*(?:_|gettext|ngettext|phrase|mark)\(\s*["']""")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for folder in ("hub", "plugins")
        for path in (ROOT / folder).rglob("*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if hidden.search(line)
    ]
    assert found == []
