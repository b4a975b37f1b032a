"""People are told in their language and the school's words, and no template costs an alert."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Template
from safety_school import SCHOOL, School, school

from hub.config import Config
from hub.safety.notices import templates
from hub.safety.notices.reasons import in_spanish
from hub.safety.notices.templates import ABOUT, CannotSay, Fault, Texts, examine, say


def speaking(language: str = "es", **hub: Any) -> dict[str, Any]:
    """A school whose officer is told in a language."""
    officer = {**SCHOOL["people"]["officer"], "language": language}
    return {"people": {**SCHOOL["people"], "officer": officer}, "hub": hub}


async def raised(house: School) -> str:
    await house.intake.accept(house.seen())
    return (await house.intake.alerts())[0]["id"]


async def of_officer(house: School, number: int = 0) -> tuple[str, str]:
    """Title and text of what the officer was sent."""
    sent = [n for n in house.channels["post"].sent if [one.person for one in n.to] == ["officer"]]
    return sent[number].title, sent[number].text


async def test_who_is_called_next_is_told_so_in_their_language(tmp_path: Path) -> None:
    """A step of a ladder, and that something goes on, are said in Spanish too."""
    steps = [
        {"tell": ["sro"], "through": ["post"], "wait": "1m"},
        {"tell": ["sro"], "through": ["post"], "wait": "1m"},
    ]
    changes = speaking() | {"ladders": {"high": {"severity": "high", "steps": steps}}}
    async with school(tmp_path, **changes) as house:
        house.perform()
        await raised(house)
        await house.clock.advance(61)
        await house.intake.decide(lambda decider: decider.climb())
        await house.settled()
        _, text = await of_officer(house, -1)
        assert text.startswith("Nadie se ha hecho cargo todavía: paso 2 de 2.")
        await house.clock.advance(16 * 60)
        await raised(house)
        await house.settled()
        title, text = await of_officer(house, -1)
        assert title == "Sigue ocurriendo: Person in the closed science wing"
        assert text.startswith("Sigue ocurriendo: visto 2 veces desde las 20:15.")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("place Laboratory in Science wing", "lugar Laboratory, en Science wing"),
        ("3 times within 10m (in 4m2s)", "3 veces en 10m (en 4m2s)"),
        ("lasted 5m (since 2026-03-02 20:10:00)", "duró 5m (desde 2026-03-02 20:10:00)"),
        ("then door.opened after 4s", "después door.opened, a los 4s"),
        ("no door.unlocked or visitor.left in the 30s before",
         "ningún door.unlocked o visitor.left en los 30s anteriores"),
        ('severe because: place Yard, during "Nights" (it was Sat 23:10)',
         'gravedad grave porque: lugar Yard, durante "Nights" (eran las 23:10 del sáb)'),
        ("only reviewed, for this rule gave 4 false alarms by Wing within 7d, at most 3 are agreed",
         "solo se revisa: esta regla dio 4 falsas alarmas por Wing en 7d, y se acordaron 3 como "
         "máximo"),
        ("where {score} > 0.5", "se cumple {score} > 0.5"),
        ("something of a form of its own", "something of a form of its own"),
    ],
)  # fmt: skip
def test_why_is_said_in_spanish(line: str, said: str) -> None:
    """Each form of line that rules write has its Spanish; what has none stays as it is."""
    assert in_spanish([line]) == [said]


async def test_each_person_is_told_in_their_language(tmp_path: Path) -> None:
    """The officer in Spanish, those who share a channel in the school's language."""
    async with school(tmp_path, **speaking()) as house:
        house.perform()
        alert = await raised(house)
        await house.settled()
        title, text = await of_officer(house)
        assert title == "Person in the closed science wing"
        assert text.splitlines() == [
            "Science wing, a las 20:15 del lunes 2 de marzo.",
            "Persona en Science wing (valor 0.86).",
            "Motivo: zone.entered; etiqueta person 0.86; lugar Science wing; "
            'fuera de "Science wing open" (eran las 20:15 del lun).',
            "Podría ser: a cleaner.",
            "Nadie lo ha verificado todavía.",
        ]
        assert "Nobody has verified this yet." in house.channels["console"].sent[0].text
        await house.intake.verdict(alert, "dismissed", "officer")
        await house.settled()
        title, text = await of_officer(house, -1)
        assert title == "Falsa alarma: Person in the closed science wing"
        assert text.splitlines()[0] == (
            "School resource officer dice que fue una falsa alarma; no se enviará nada más "
            "(20:15 del lunes 2 de marzo)."
        )


async def test_the_english_templates_say_what_is_said_without_them(tmp_path: Path) -> None:
    """The files that people begin their own from are the built-in words, to the letter."""
    own = tmp_path / "texts"
    (own / "en").mkdir(parents=True)
    for about in ABOUT:
        (own / "en" / f"{about}.txt").write_text(
            (templates.TEXTS / "en" / f"{about}.txt").read_text(encoding="utf-8"), encoding="utf-8"
        )
    said = []
    for folder in (None, own):
        state = tmp_path / str(folder is None)
        state.mkdir()
        async with school(state, **speaking("en", templates=folder)) as house:
            house.doors.answers["store"] = lambda: _failed()
            house.perform()
            alert = await raised(house)
            await house.settled()
            await house.intake.acknowledge(alert, "desk")
            await house.settled()
            await house.intake.verdict(alert, "verified", "officer", "I am there")
            await house.settled()
            post = house.channels["post"].sent
            said.append(sorted((n.about, n.title, n.text) for n in post))
            assert house.performer.speaking.troubles == {}
    assert said[0] == said[1]
    assert {about for about, _, _ in said[0]} == {"alert", "acknowledgement", "verdict", "outcome"}


def _failed() -> Any:
    from hub.ports import Outcome

    return Outcome("failed", "bolt jammed")


def test_every_built_in_text_is_there_in_every_language() -> None:
    """Each is of the language that schools' own have to keep to."""
    for language in templates.BUILT_IN:
        for about in ABOUT:
            assert isinstance(examine(templates.TEXTS / language / f"{about}.txt"), Template)
            assert templates.built_in(language, about) is not None


def write(folder: Path, name: str, source: str) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source, encoding="utf-8")
    return file


async def test_a_schools_own_template_is_used(tmp_path: Path) -> None:
    """A new language too; what is not overridden stays as it is."""
    source = "ALERTE {{ title|upper }}\n{{ when }}\n{{ standard }}"
    write(tmp_path / "texts", "fr/alert.txt", source)
    async with school(tmp_path, **speaking("fr", templates=tmp_path / "texts")) as house:
        house.perform()
        alert = await raised(house)
        await house.settled()
        title, text = await of_officer(house)
        assert title == "ALERTE PERSON IN THE CLOSED SCIENCE WING"
        assert text.startswith("20:15, 2026-03-02\nScience wing, at 20:15 on Monday")
        await house.intake.verdict(alert, "dismissed", "desk")
        await house.settled()
        assert (await of_officer(house, -1))[0].startswith("False alarm:")


HOSTILE = {
    "range": "{% for i in range(10**9) %}{{ i }}{% endfor %}",
    "power": "{{ 9**9**9 }}",
    "product": "{{ 'x' * 10**9 }}",
    "nested": "{% for each in why %}{% for each in why %}x{% endfor %}{% endfor %}",
    "recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "recursive loop": "{% for each in why recursive %}{{ loop(why) }}{% endfor %}",
    "attribute": "{{ title.__class__.__mro__ }}",
    "subclass": "{{ ''['__class__'] }}",
    "call": "{{ title.format(1) }}",
    "include": "{% include '/etc/passwd' %}",
    "import": "{% import 'x' as x %}",
    "extends": "{% extends 'x' %}",
    "set": "{% set x = title %}{{ x }}",
    "concat": "{{ title ~ title }}",
    "filter": "{{ title|center(1000000000) }}",
    "join of joined": "{{ why|join('xxxxxxxx')|join('yyyyyyyy') }}",
    "replace": "{{ title|replace('a', 'aaaa') }}",
    "long text": "{{ '" + "x" * 5000 + "' }}",
    "depth": "{{ " + "(" * 500 + "title" + ")" * 500 + " }}" + "{% if " + "not " * 900 + "a %}",
    "unknown name": "{{ pasword }}",
    "block": "{% call title() %}x{% endcall %}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_template_is_refused_before_it_runs(tmp_path: Path, name: str) -> None:
    """Whatever could loop, grow, reach out or read an attribute is no message text."""
    file = write(tmp_path, "en/alert.txt", f"{{{{ title }}}}\n{HOSTILE[name]}\n")
    began = time.monotonic()
    fault = examine(file)
    assert isinstance(fault, Fault)
    assert fault.message
    assert time.monotonic() - began < 5.0


@pytest.mark.parametrize(
    ("source", "line", "column", "said"),
    [
        ("{{ title }}\n  {% if %}", 2, 3, "Expected an expression"),
        ("{{ title }}\n\n{{ titel }}", 3, 1, "`titel` is not known"),
        ("{{ title }}\n{% for a in why %}{% endfor %}", 2, 1, "expected a loop such as"),
        ("", 1, 1, "is empty"),
        ("x" * 9000, 1, 1, "is too long"),
    ],
)
def test_a_fault_has_its_place(
    tmp_path: Path, source: str, line: int, column: int, said: str
) -> None:
    """File, line and column, and what was expected."""
    fault = examine(write(tmp_path, "en/alert.txt", source))
    assert isinstance(fault, Fault)
    assert (fault.line, fault.column) == (line, column)
    assert said in fault.message


def test_other_files_and_encodings_are_faults(tmp_path: Path) -> None:
    """A name that is none of the texts, and bytes that are no UTF-8."""
    write(tmp_path, "en/alarm.txt", "{{ title }}")
    (tmp_path / "en" / "verdict.txt").write_bytes(b"ok\n\xff\xfe")
    found = {each.file.name: each for each in Texts.read(tmp_path).faults}
    assert "expected one of alert.txt" in found["alarm.txt"].message
    assert (found["verdict.txt"].line, found["verdict.txt"].message) == (
        2, "is not UTF-8 text; save it as UTF-8",
    )  # fmt: skip


def test_the_most_that_a_template_may_cost_is_little(tmp_path: Path) -> None:
    """The longest file of nothing but loops over the longest list, and one that says too much."""
    loop = "{% for each in why %}{% if title == seen and text == note %}{% endif %}{% endfor %}"
    words = {"title": "x", "why": ["y" * 300] * 1000, "text": "z" * 100_000, "note": "z" * 100_000}
    endless = examine(write(tmp_path, "en/alert.txt", "{{ title }}" + loop * 95))
    huge = examine(write(tmp_path, "en/verdict.txt", "{{ text }}" * 700))
    assert isinstance(endless, Template)
    assert isinstance(huge, Template)
    began = time.process_time()
    assert say(endless, words) == ("x", "")
    with pytest.raises(CannotSay, match="more than 6000 characters"):
        say(huge, words)
    assert time.process_time() - began < 1.0


async def test_a_template_of_no_use_costs_no_alert(tmp_path: Path) -> None:
    """It says too much, or nothing, or cannot be used: the built-in text goes out at once, and an
    event says so, once.
    """
    folder = tmp_path / "texts"
    write(folder, "en/alert.txt", "{{ text }}{% if verified %}x{% endif %}")  # says nothing
    write(folder, "en/verdict.txt", "{{ title.pop() }}")
    async with school(tmp_path, **speaking("en", templates=folder)) as house:
        house.perform()
        alert = await raised(house)
        await house.settled()
        await house.intake.verdict(alert, "dismissed", "desk")
        await house.settled()
        assert (await of_officer(house))[0] == "Person in the closed science wing"
        assert (await of_officer(house, -1))[0].startswith("False alarm:")
        told = [
            event.data["reason"]
            for _, event in await house.intake.past_events(0)
            if event.type == "template.failed"
        ]
        assert len(told) == 2
        assert any("it says nothing" in each for each in told)
        assert set(house.performer.speaking.troubles) == {
            folder / "en" / "alert.txt", folder / "en" / "verdict.txt",
        }  # fmt: skip


async def test_a_folder_that_is_not_there_costs_nothing(tmp_path: Path) -> None:
    """The built-in texts are used."""
    async with school(tmp_path, **speaking("es", templates=tmp_path / "gone")) as house:
        house.perform()
        await raised(house)
        await house.settled()
        assert "a las 20:15" in (await of_officer(house))[1]


def test_a_language_has_a_plain_name() -> None:
    """`es`, `pt-BR`; no path."""
    for good in ("es", "pt-BR"):
        Config.model_validate(SCHOOL | {"hub": {"language": good}})
    for bad in ("../es", "español", "ES"):
        with pytest.raises(ValueError, match="pattern"):
            Config.model_validate(SCHOOL | {"hub": {"language": bad}})


async def test_facts_that_make_no_sense_cost_no_notice(tmp_path: Path) -> None:
    """A row of the outbox with damaged facts is sent in the words that were written."""
    async with school(tmp_path, **speaking("es")) as house:
        await raised(house)

        def damage(connection: Any) -> None:
            connection.exec_driver_sql(
                "UPDATE actions SET payload = json_set(payload, '$.facts.opened', 'noon')"
            )

        await house.journal.write(damage)
        house.perform()
        await house.settled()
        assert "Nobody has verified this yet." in (await of_officer(house))[1]


async def test_a_template_that_changes_is_read_with_the_next_configuration(tmp_path: Path) -> None:
    """A reload brings the mended file into use."""
    file = write(tmp_path / "texts", "en/alert.txt", "{{ range(9) }}")
    changes = speaking("en", templates=tmp_path / "texts")
    async with school(tmp_path, **changes) as house:
        house.perform()
        await raised(house)
        await house.settled()
        assert house.performer.speaking.troubles
        file.write_text("NOW: {{ title }}\n{{ when }}", encoding="utf-8")
        house.intake.reconfigure(Config.model_validate(SCHOOL | changes), house.intake.words.campus)
        await house.intake.accept(house.seen("lab"))
        await house.settled()
        assert (await of_officer(house, -1))[0] == "NOW: Person in the closed science wing"
        assert house.performer.speaking.troubles == {}


def test_a_number_without_end_costs_no_other_template(tmp_path: Path) -> None:
    """It is told as a fault of its own file, in figures that are read or made."""
    write(tmp_path, "en/alert.txt", "{{ " + "9" * 5000 + " }}")
    write(tmp_path, "en/update.txt", "{{ 0x" + "f" * 7000 + " }}")
    write(tmp_path, "en/verdict.txt", "{{ title }}")
    texts = Texts.read(tmp_path)
    assert list(texts.own) == [("en", "verdict")]
    assert {each.message for each in texts.faults} == {"holds a number that is too long"}


async def test_a_name_that_is_not_text_is_told_as_far_as_it_goes(tmp_path: Path) -> None:
    """A template of no use in a folder with an odd name: health can say it, and so can an event."""
    folder = Path(os.fsdecode(bytes(tmp_path) + b"/texts"))
    write(folder, os.fsdecode(b"\xff/alert.txt"), "{{ nothing }}")
    async with school(tmp_path, **speaking("en", templates=folder)) as house:
        house.perform()
        await raised(house)
        await house.settled()
        (trouble,) = house.performer.speaking.troubles.values()
        assert "`nothing` is not known" in trouble
        assert trouble.encode()
        past = [event.type for _, event in await house.intake.past_events(0)]
        assert past.count("template.failed") == 1
