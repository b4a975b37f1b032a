"""A running hub says notices in the school's own texts, and shows which of them is of no use."""

from __future__ import annotations

import asyncio

from test_configuration import House, events, forced, house, until

__all__ = ["house"]


async def test_the_schools_texts_are_found_beside_the_configuration(house: House) -> None:
    """A relative folder; the log book has the school's words, and health names the broken file."""
    texts = house.file.parent / "texts" / "es"
    texts.mkdir(parents=True)
    (texts / "alert.txt").write_text("AVISO {{ title }}\n{{ seen }}, {{ when }}", encoding="utf-8")
    (texts / "verdict.txt").write_text("{{ title }}\n{{ 9**9 }}", encoding="utf-8")
    house.edit("{name: Tiny,", "{name: Tiny, language: es, templates: texts,")
    house.edit("through: [lamp]", "through: [logbook]")
    book = house.folder.path / "notifiers" / "logbook" / "logbook.txt"
    async with house.hub() as hub:
        await until(lambda: hub.drivers.get("notifiers", "logbook").state == "running")
        await hub.accept(forced(hub))
        await until(lambda: book.exists() and "AVISO Forced" in book.read_text(encoding="utf-8"))
        assert "Front: forzada mientras estaba bloqueada, " in book.read_text(encoding="utf-8")
        async with asyncio.timeout(30):
            while not (failed := await events(hub, "template.failed")):
                await asyncio.sleep(0.02)
        assert failed[0].data["file"] == str(texts / "verdict.txt")
        problems = (await hub.house.health())["problems"]
        assert any(f"{texts}/verdict.txt:2:1: `pow` has no place" in each for each in problems)
