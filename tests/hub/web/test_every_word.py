"""No page shows a word that no translation reaches.

The pages are read in a language that is none: every text of ours comes in brackets. What stands
outside of them is data (a name, a time, what people wrote) or a text that was forgotten.
"""

from __future__ import annotations

import gettext
import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from ruled_house import RuledHouse
from scripted_house import ScriptedHouse
from sqlalchemy import Connection
from test_catalogues import extracted, forms
from test_pages import PAGES

from hub.identity import accounts
from hub.identity.guests import LASTS, invite
from hub.identity.people import id_of
from hub.web import render
from hub.web.language import Language, _forms, language, languages, speak
from hub.web.security import SESSION_COOKIE
from hub.web.server import create_app
from hub.web.stream import Streams

NONE = "en-GB"
OPEN, SHUT = "⟦", "⟧"
MORE = (
    "/configuration",
    "/configuration?kept=bbbbbbbbbbbb",
    "/audit",
    "/audit?who=Nobody",
    "/incidents/i1/case",
    "/incidents/i1/call",
    "/alerts/no-such-alert",
    "/people",
    "/guests",
    "/more",
    "/me/sign-in",
    "/rules",
    "/glass",
)
STRANGERS = ("/signin", "/setup/none", "/panic", "/nothing-here")
# Of the views: what stands in for words of ours.
STATES = {"state", "kind", "conclusion", "verb", "severity", "lock", "position", "gate", "tone"}
STATES |= {"type", "owner_kind", "egress", "verdict", "role", "api"}
SILENT = ("code", "kbd", "pre", "script", "style", "textarea")
SPOKEN = {"aria-label", "alt", "title", "placeholder", "data-title", "data-starts"}
# Names that are the same in every language: the product, the five protocols, measures, keys.
ALIKE = (
    r"\b(Vestibule|Hold|Secure|Lockdown|Evacuate|Shelter|HOLD|SECURE|LOCKDOWN|EVACUATE|SHELTER)\b"
)
ALIKE += r"|\b(SHA-256|sha256|MB|GB|CPU|Esc|Enter|min|ms|pid|YAML|JSON|PDF|HTTPS?|API|kernel)\b"
ALIKE += r"|\b[0-9a-f]{8,}\b|\b\w{0,3}\d[\w:.+-]*|\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b"
ALIKE += r"|\b(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b|English|Español"


class Brackets(gettext.NullTranslations):
    """Every text of ours, in brackets."""

    def __init__(self, ours: set[str]) -> None:
        super().__init__()
        self._ours = ours

    def _in(self, text: str) -> str:
        return f"{OPEN}{text}{SHUT}" if text in self._ours else text

    def gettext(self, message: str) -> str:
        return self._in(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self._in(msgid1 if n == 1 else msgid2)

    def pgettext(self, context: str, message: str) -> str:
        return self._in(message)


class Reader(HTMLParser):
    """Collects what a page says outside of brackets."""

    def __init__(self) -> None:
        super().__init__()
        self.depth = 0
        self.silent = 0
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.silent += tag in SILENT
        if tag in ("br", "p", "li", "div", "dd", "dt", "span", "b", "option", "button", "a", "h2"):
            self.said.append(" | ")
        for name, value in attrs:
            if name in SPOKEN and value:
                self.said.append(f" | {outside(value)} | ")

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in SILENT

    def handle_data(self, data: str) -> None:
        for mark in data:
            self.depth += (mark == OPEN) - (mark == SHUT)
            if self.depth == 0 and mark != SHUT and not self.silent:
                self.said.append(mark)


def outside(text: str) -> str:
    """What stands outside of brackets."""
    while text != (text := re.sub(f"{OPEN}[^{OPEN}{SHUT}]*{SHUT}", " ", text)):
        pass
    return text


def strings(view: Any, key: str = "") -> Iterator[str]:
    """Every text of a view, states left out."""
    if isinstance(view, str):
        if key not in STATES and len(view) > 1:
            yield view
    elif isinstance(view, Mapping):
        for name, each in view.items():
            yield from strings(each, str(name))
            if isinstance(name, str) and key in ("queues", "places", "cameras", "doors"):
                yield name
    elif isinstance(view, list | tuple | set):
        for each in view:
            yield from strings(each, key)
    elif hasattr(view, "model_dump"):
        yield from strings(view.model_dump(mode="json"), key)


async def data_of(house: ScriptedHouse) -> list[str]:
    """What a page may show in any language: names, and what was written; the longest first."""
    view = await house.protocols.view("", "")
    views = [vars(house.cases), vars(house.protocols), vars(house), house.config]
    views += [vars(house.configuration), view]
    found = {each for view in views for each in strings(view)}
    found |= {part for each in found for part in re.split(r"[:;,] |\. ", each)}
    found |= {each[:1].upper() + each[1:] for each in found} | {f"{each}." for each in found}
    found |= {each.replace("_", " ").capitalize() for each in found}
    found |= {"admin", "The admin", "Administrator"}
    return sorted(found, key=len, reverse=True)


def left(page: str, data: list[str]) -> list[str]:
    """The words of a page that are neither ours in brackets nor data."""
    reader = Reader()
    reader.feed(page)
    text = "".join(reader.said)
    for each in data:
        if len(each) > 2:
            text = text.replace(each, " ")
    text = re.sub(ALIKE, " ", text)
    return sorted({part.strip() for part in text.split("|") if re.search(r"[^\W\d_]{3,}", part)})


@pytest.fixture(autouse=True)
def _bracketed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The language that is none."""
    found = extracted()
    ours = {form for each in found if each.id for form in forms(each.id)}
    for each in found:
        if each.id:
            each.string = tuple(f"{OPEN}{form}{SHUT}" for form in forms(each.id))
            if not each.pluralizable:
                each.string = each.string[0]
    words = Brackets(ours)
    none = Language(NONE, "English", words, {"said": {}, "forms": [0] * 200}, tuple(_forms(found)))
    monkeypatch.setitem(languages(), NONE, none)  # type: ignore[arg-type]
    yield
    speak("en")


def test_the_reader_finds_a_forgotten_word() -> None:
    """Between marks, behind them, in an attribute; and nothing within them."""
    page = (
        f"<p>{OPEN}Door <b>Gym</b> is{SHUT} open</p><a title='{OPEN}x{SHUT} Look'>{OPEN}a{SHUT}</a>"
    )
    assert left(page, ["Gym"]) == ["Look", "open"]
    assert (
        left(f"<p>{OPEN}Door {OPEN}a{SHUT} is open{SHUT} Gym 10:41 <code>ls</code></p>", ["Gym"])
        == []
    )


@pytest.mark.parametrize("path", [*PAGES, *MORE])
async def test_no_word_of_a_page_is_forgotten(
    client: TestClient, house: ScriptedHouse, sign_in: object, path: str
) -> None:
    """Every page of somebody who may do everything."""
    await sign_in("admin")  # type: ignore[operator]
    answer = await client.get(path, headers={"Accept-Language": NONE})
    page = await answer.text()
    assert f'<html lang="{NONE}">' in page, (path, answer.status)
    assert language().code == "en", "another request's language is its own"
    assert left(page, await data_of(house)) == []


def test_no_part_of_a_page_keeps_the_words_of_an_earlier_reader() -> None:
    """What is taken in without its reader's context is made once, in the language of the first."""
    templates = Path(render.__file__).parent / "templates"
    taken = re.compile(r"{% (?:import|from) [^%]*%}")
    for each in templates.glob("*.html"):
        for line in taken.findall(each.read_text()):
            assert line.endswith(" with context %}"), (each.name, line)


@pytest.mark.parametrize("path", STRANGERS)
async def test_no_word_for_strangers_is_forgotten(
    client: TestClient, house: ScriptedHouse, path: str
) -> None:
    """Nor of what those see who have not signed in."""
    answer = await client.get(path, headers={"Accept-Language": NONE})
    assert left(await answer.text(), await data_of(house)) == []


@pytest.mark.parametrize(("protocol", "drill"), [("lockdown", False), ("secure", True)])
async def test_no_word_of_what_is_in_force_is_forgotten(
    client: TestClient, house: ScriptedHouse, sign_in: object, protocol: str, drill: bool
) -> None:
    """A run while it lasts and when it is over, its bar on every page, and asking once more."""
    opened = await sign_in("admin")  # type: ignore[operator]
    run = (await house.protocols.start(protocol, "school", "SRO", drill=drill, key="k"))["id"]
    headers = {"Accept-Language": NONE}
    for path in (f"/protocols/{run}", "/doors", "/protocols"):
        page = await (await client.get(path, headers=headers)).text()
        assert left(page, await data_of(house)) == [], path
    fields = {"csrf": opened.identity.csrf, "protocol": "hold", "area": "school", "key": "other"}
    page = await (await client.post("/protocols/start", data=fields, headers=headers)).text()
    assert left(page, await data_of(house)) == []


@pytest.mark.parametrize(
    "path",
    [
        "/people/{person}",
        "/cameras/lobby/masks",
        "/health/past",
        "/configuration/text",
        "/signin/out",
    ],
)
async def test_no_word_of_what_lies_behind_a_page_is_forgotten(
    client: TestClient, house: ScriptedHouse, sign_in: object, path: str
) -> None:
    """Those that a list or a button leads to."""
    opened = await sign_in("admin")  # type: ignore[operator]
    where = path.format(person=id_of(opened.identity.name))
    answer = await client.get(where, headers={"Accept-Language": NONE})
    assert answer.status == 200, where
    assert left(await answer.text(), await data_of(house)) == []


async def test_no_word_for_guests_is_forgotten(client: TestClient, house: ScriptedHouse) -> None:
    """What responders see by a link."""
    now = house.clock.now()
    _guest, secret = await house.journal_write(
        lambda c: invite(c, "Fire", "school", ("lobby",), "i1", LASTS, "The admin", now)
    )
    headers = {"Accept-Language": NONE}
    for asks in (client.get, client.post):
        page = await (await asks(f"/guest/{secret}", headers=headers)).text()
        assert left(page, await data_of(house)) == []


@pytest.mark.parametrize(
    "path", ["/rules", "/rules/{rule}", "/rules/{rule}/why", "/rules/{rule}/try"]
)
async def test_no_word_about_rules_is_forgotten(tmp_path: Path, path: str) -> None:
    """What each waits for, why it fired or not, and trying one, in a house that has lived."""
    house = RuledHouse(tmp_path)
    await house.open()
    await house.live()

    def make(conn: Connection) -> str:
        name = accounts.add_user_with_hash(conn, "The admin", "admin", "no password")
        return accounts.open_session(conn, name, house.clock.now()).secret

    secret = await house.journal_write(make)
    async with TestClient(TestServer(create_app(house, Streams()))) as browser:
        browser.session.cookie_jar.update_cookies({SESSION_COOKIE: secret}, browser.make_url("/"))
        for rule in house.config.rules if "{rule}" in path else [""]:
            where = path.format(rule=rule)
            answer = await browser.get(where, headers={"Accept-Language": NONE})
            assert answer.status == 200, where
            assert left(await answer.text(), await data_of(house)) == [], where
    await house.close()
