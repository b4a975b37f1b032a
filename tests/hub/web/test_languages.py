"""Pages in the reader's language: whose choice decides, and what stays English."""

from __future__ import annotations

import asyncio
import json
import re
import time

import pytest
from aiohttp.test_utils import TestClient
from jinja2 import Environment
from scripted_house import ScriptedHouse
from test_pages import text_of

from hub.errors import Refused
from hub.identity import readers
from hub.phrases import phrase, phrases
from hub.rule_settings import Person
from hub.secrets import Secrets
from hub.web.language import (
    asked_for,
    gettext,
    known,
    language,
    languages,
    ngettext,
    sentence,
    speak,
    spoken,
)
from hub.web.render import _templates
from hub.web.words import told

SPANISH = {"Accept-Language": "es-MX,es;q=0.9,en;q=0.5"}


@pytest.fixture(autouse=True)
def english() -> None:
    """What a test speaks is forgotten after it."""
    speak("en")


def shown(text: str, secrets: Secrets | None = None, **values: object) -> str:
    """A template's text as a page would show it."""
    environment: Environment = _templates("UTC", "v", secrets or Secrets())
    return environment.from_string(text).render(**values)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("es", "es"),
        ("es-MX,es;q=0.9,en;q=0.8", "es"),
        ("en-US,en;q=0.9,es;q=0.1", "en"),
        ("fr,es;q=0.4,en;q=0.6", "en"),
        ("fr-CA", ""),
        ("", ""),
        ("es;q=0", ""),
        ("es;q=nonsense,en;q=0.1", "en"),
        ("es;q=nan", ""),
        (",;=,*;q=1" * 200, ""),
    ],
)
def test_the_browser_is_answered_in_the_language_it_likes_best(header: str, code: str) -> None:
    """By weight, a region counts as its language, and what cannot be read is left out."""
    assert asked_for(header) == code


async def test_a_stranger_is_spoken_to_as_the_browser_asks_and_else_as_the_school(
    client: TestClient, house: ScriptedHouse
) -> None:
    """The sign-in page: the browser's language first, then `hub.language`."""
    page = await (await client.get("/signin", headers=SPANISH)).text()
    assert '<html lang="es">' in page
    assert gettext("Sign in") not in text_of(page)
    page = await (await client.get("/signin")).text()
    assert '<html lang="en">' in page
    hub = house.config.hub.model_copy(update={"language": "es"})
    house.config = house.config.model_copy(update={"hub": hub})
    page = await (await client.get("/signin")).text()
    assert '<html lang="es">' in page
    page = await (await client.get("/signin", headers={"Accept-Language": "en"})).text()
    assert '<html lang="en">' in page


async def test_what_a_person_chose_goes_before_their_browser(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """The choice is kept with the account and can be taken back; one that is none is refused."""
    opened = await sign_in("principal")  # type: ignore[operator]
    csrf = {"csrf": opened.identity.csrf}

    async def choose(code: str) -> int:
        answer = await client.post("/me/language", data={**csrf, "language": code})
        return answer.status

    async def lang() -> str:
        page = await (await client.get("/", headers={"Accept-Language": "en"})).text()
        return re.findall(r'<html lang="(\w+)">', page)[0]

    assert await lang() == "en"
    assert await choose("es") in (200, 303)
    assert await lang() == "es"
    name = opened.identity.name
    assert await house.journal_read(lambda c: readers.chosen_language(c, name)) == "es"
    assert await choose("tlh") == 400
    assert await lang() == "es"
    await choose("")
    assert await lang() == "en"


async def test_a_choice_goes_with_its_account(house: ScriptedHouse) -> None:
    """It is gone when the account is, as all that belongs to it."""
    from sqlalchemy import delete, func, select

    from hub.identity import accounts
    from hub.storage.identity_tables import users
    from hub.storage.reader_tables import readers as table

    def go(conn: object) -> int:
        name = accounts.add_user_with_hash(conn, "Somebody", "viewer", "no password")  # type: ignore[arg-type]
        readers.choose_language(conn, name, "es")  # type: ignore[arg-type]
        conn.execute(delete(users).where(users.c.name == name))  # type: ignore[attr-defined]
        return int(conn.execute(select(func.count()).select_from(table)).scalar_one())  # type: ignore[attr-defined]

    assert await house.journal_write(go) == 0


async def test_who_is_told_in_a_language_reads_the_pages_in_it(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """`people:` says it once, for notices and pages."""
    await sign_in("nurse")  # type: ignore[operator]
    nurse = Person(name="The nurse", role="nurse", language="es")
    people = {**house.config.people, "nurse_here": nurse}
    house.config = house.config.model_copy(update={"people": people})
    page = await (await client.get("/", headers={"Accept-Language": "en"})).text()
    assert '<html lang="es">' in page


async def test_one_hub_speaks_two_languages_at_once(client: TestClient) -> None:
    """Requests that run together do not mix their languages."""

    async def lang(code: str) -> str:
        answer = await client.get("/signin", headers={"Accept-Language": code})
        return re.findall(r'<html lang="(\w+)">', await answer.text())[0]

    asked = ["es", "en"] * 10
    assert await asyncio.gather(*(lang(code) for code in asked)) == asked


async def test_programs_are_answered_in_english(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """Whatever a program's header or account says, the API's words do not change."""
    answer = await client.get("/api/v1/alerts", headers=SPANISH)
    plain = await client.get("/api/v1/alerts")
    assert answer.status == plain.status == 401
    assert await answer.text() == await plain.text()
    opened = await sign_in("nurse")  # type: ignore[operator]
    await house.journal_write(lambda c: readers.choose_language(c, opened.identity.name, "es"))
    answer = await client.post("/api/v1/doors/none/commands", json={}, headers=SPANISH)
    assert "English" not in await answer.text()
    assert json.loads(await answer.text())["detail"].isascii()


async def test_a_refusal_is_said_in_the_readers_language_and_kept_in_english(
    client: TestClient, sign_in: object
) -> None:
    """What went wrong is as readable as the rest of the page."""
    opened = await sign_in("principal")  # type: ignore[operator]
    speak("es")
    said = sentence("no such door command")
    speak("en")
    refusal = Refused("%(name)s is in force here and no drill: end that first", name="Lockdown")
    assert str(refusal) == "Lockdown is in force here and no drill: end that first"
    speak("es")
    assert sentence(str(refusal)) != sentence(f"{refusal}." * 2)
    assert "Lockdown" in sentence(str(refusal))
    assert "in force" not in sentence(str(refusal))
    assert said == "No such door command."
    assert opened


def test_a_phrase_is_english_that_can_be_said_again() -> None:
    """It is stored and sent as English, and said in the language of whoever reads it."""
    line = phrase("%(door)s: NOT secured: %(detail)s", door="Gym", detail=phrase("bolt jammed"))
    assert line == "Gym: NOT secured: bolt jammed"
    assert json.dumps(line) == '"Gym: NOT secured: bolt jammed"'
    speak("es")
    assert spoken(line) != line
    assert spoken(line).startswith("Gym: ")
    assert known("Gym: NOT secured: bolt jammed") == spoken(line), "so is what was kept of it"
    two = phrases("%(n)s door left as it is", "%(n)s doors left as they are", 2, n=2)
    one = phrases("%(n)s door left as it is", "%(n)s doors left as they are", 1, n=1)
    assert two == "2 doors left as they are"
    assert one == "1 door left as it is"
    assert spoken(one) != spoken(two)


def test_a_line_that_was_kept_is_said_in_the_readers_language() -> None:
    """By its form, in parts where it was put together, whatever names and numbers stand in it."""
    speak("es")
    line = {"type": "action.requested", "text": "Gym: asked to lock by SRO"}
    assert told(line) == "Gym: SRO pidió bloquear"
    text = "2 of 3 secured in 1.8 s; Gym East: not confirmed, retrying"
    assert known(text) == "2 de 3 aseguradas en 1.8 s; Gym East: sin confirmar, reintentando"
    assert known("Gym: not reached within 8 s: bolt jammed").endswith("pestillo atascado")


def test_no_text_takes_long_to_be_known() -> None:
    """Whoever chooses a name or a title cannot hold up the page on which it stands."""
    speak("es")
    hostile = [
        "a ended by b (c) after d: e; " * 30,
        "in force in, started by from " * 30,
        ": " * 500,
    ]
    hostile += [f"{'; '.join(['x: y'] * 200)}", "(" * 1000, "of secured in s; " * 60]
    begun = time.process_time()
    for text in hostile:
        known(text)
    assert time.process_time() - begun < 2.0


def test_what_people_wrote_is_never_translated() -> None:
    """Not even where it is a word of ours."""
    speak("es")
    for kind in ("incident.note", "incident.update"):
        assert told({"type": kind, "text": "SRO: Done"}) == "SRO: Done"
    line = {"type": "alert.verified", "text": "SRO verified the alert: Done"}
    assert told(line) == "SRO verificó la alerta: Done"
    task = {"type": "incident.task", "text": "Done by Doors: Fire"}
    assert told(task) == "Hecho por Doors: Fire"
    assert known("Alert: Fire") == "Alerta: Fire"


def test_what_is_not_known_stays_as_it_is() -> None:
    """Names and what people wrote are nobody's to translate."""
    speak("es")
    for text in ("Gym East", "Lincoln School", "Mr Smith has a key", "100 % sure: %(x)s", ""):
        assert known(text) == text
    assert known(None) is None
    assert known(7) == 7


def test_values_in_a_translation_are_escaped_and_cleaned() -> None:
    """Our words are markup; a name or a secret that is put into them is not."""
    text = "{% trans name=name %}<b>{{ name }}</b> came{% endtrans %}"
    text += "|{{ _('%(a)s of %(a)s', a=name) }}"
    assert shown(text, name="<i>&") == "<b>&lt;i&gt;&amp;</b> came|&lt;i&gt;&amp; of &lt;i&gt;&amp;"
    hidden = Secrets(["hunter22hunter22"])
    assert "hunter22" not in shown(text, hidden, name="hunter22hunter22")


def test_a_number_decides_the_form() -> None:
    """In templates and in Python, by the rule of the language."""
    form = "{% trans n=n %}{{ n }} door{% pluralize %}{{ n }} doors{% endtrans %}"
    assert [shown(form, n=n) for n in (0, 1, 2)] == ["0 doors", "1 door", "2 doors"]
    assert ngettext("%(n)s door", "%(n)s doors", 1, n=1) == "1 door"
    speak("es")
    assert [shown(form, n=n) for n in (0, 1, 2)] == ["0 puertas", "1 puerta", "2 puertas"]
    assert ngettext("%(n)s door", "%(n)s doors", 5, n=5) == "5 puertas"


def test_a_language_that_is_not_there_is_english() -> None:
    """A language of notices alone leaves the pages readable."""
    speak("fr")
    assert language().code == "en"
    assert next(iter(languages())) == "en"


async def test_the_scripts_get_their_words(client: TestClient) -> None:
    """One file a language, kept for long by browsers, loaded before the scripts that speak."""
    page = await (await client.get("/signin", headers=SPANISH)).text()
    source = re.findall(r'src="(/static/said\.es\.js\?v=\w+)"', page)[0]
    answer = await client.get(source)
    assert answer.status == 200
    assert "immutable" in answer.headers["Cache-Control"]
    body = (await answer.text()).removeprefix("window.vestibuleSaid=").rstrip(";\n")
    told = json.loads(body)
    assert told["said"]["Not started."] == languages()["es"].words.gettext("Not started.")
    assert told["forms"][:3] == [1, 0, 1]
    page = await (await client.get("/signin")).text()
    assert "said." not in page
