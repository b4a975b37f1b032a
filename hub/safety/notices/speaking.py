"""In which words a notice is said: its people's language, by the school's templates or the hub's.

This is done when it is sent, outside of every transaction. Where a template comes to nothing the
notice is sent in the words that were written with the decision; that is told once per template.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from hub.clock import from_iso
from hub.config import Config
from hub.safety.notices import templates
from hub.safety.notices.languages import ENGLISH, SPANISH, in_language, moment
from hub.safety.notices.reasons import in_spanish
from hub.safety.notices.templates import CannotSay, Texts
from hub.safety.outbox import writable
from hub.safety.words import Words

READ_WITHIN_S = 1.0

log = structlog.get_logger(__name__)


class Speaking:
    """Turns a notice's facts into title and text. `folder` is where relative paths start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.troubles: dict[Path, str] = {}
        self._texts = Texts()
        self._of: Config | None = None
        self._reading: asyncio.Task[None] | None = None
        self._untold: list[tuple[Path, str]] = []

    async def ready(self, config: Config) -> list[tuple[Path, str]]:
        """Read the templates of a new configuration; returns which are of no use and why, once.
        What takes long to read, such as a disk that hangs, is waited for shortly.
        """
        if config is not self._of:
            self._of = config
            self._texts, self.troubles, self._reading = Texts(), {}, None
            if config.hub.templates is not None:
                work = self._read(config, self.folder / config.hub.templates)
                self._reading = asyncio.create_task(work, name="read message templates")
        if self._reading is not None:
            await asyncio.wait({self._reading}, timeout=READ_WITHIN_S)
        untold, self._untold = self._untold, []
        return untold

    async def _read(self, config: Config, folder: Path) -> None:
        texts = await asyncio.to_thread(Texts.read, folder)
        if config is self._of:
            self._texts, self._reading = texts, None
            self.troubles = {each.file: writable(str(each)) for each in texts.faults}
            self._untold = [(each.file, each.message) for each in texts.faults]

    def say(self, payload: Mapping[str, Any], words: Words) -> tuple[str, str, str]:
        """Title and text of a notice; and, the first time, what is wrong with its template."""
        standard = str(payload["title"]), str(payload["text"])
        facts = payload.get("facts")
        if not facts:
            return *standard, ""
        language = language_of(words.config, payload)
        about = "digest" if payload["data"].get("digest") else str(payload["about"])
        known = _words(language, payload, facts, words)
        if language != ENGLISH and (template := templates.built_in(language, about)) is not None:
            try:
                standard = templates.say(template, known)
            except CannotSay as error:
                log.error("a built-in text cannot be said", about=about, reason=str(error))
        own = self._texts.of(language, about)
        if own is None:
            return *standard, ""
        file, template = own
        try:
            known |= {"standard_title": standard[0], "standard": standard[1]}
            return *templates.say(template, known), ""
        except CannotSay as error:
            fresh = file not in self.troubles
            self.troubles[file] = writable(f"{file}: {error}")
            return *standard, self.troubles[file] if fresh else ""


def language_of(config: Config, payload: Mapping[str, Any]) -> str:
    """The language of those a notice is for: theirs where they share one, else the school's."""
    spoken = {
        config.people[one["person"]].language or config.hub.language
        for one in payload["to"]
        if one["person"] in config.people
    }
    return spoken.pop() if len(spoken) == 1 else config.hub.language


def _words(
    language: str, payload: Mapping[str, Any], facts: Mapping[str, Any], words: Words
) -> dict[str, Any]:
    """What a template may name."""
    opened = from_iso(facts["opened"]) if facts.get("opened") else from_iso(payload["time"])
    lines = [
        f"{moment(language, from_iso(time), words)}: {what}"
        for time, what in facts.get("lines", ())
    ]
    by, why = str(payload["data"].get("by") or ""), facts.get("why", ())
    return {
        "title": in_language(facts.get("title") or payload["title"], language),
        "place": payload["place"],
        "when": moment(language, from_iso(payload["time"]), words),
        "first_seen": words.clock(opened),
        "school": words.config.hub.name,
        "severity": payload["severity"],
        "text": in_language(facts.get("text", ""), language),
        "again": bool(payload["data"].get("again")),
        "seen": in_language(facts.get("seen", ""), language),
        "score": facts.get("score", ""),
        "could_be": facts.get("could_be", ""),
        "verified": payload["basis"] == "person",
        "verdict": payload["data"].get("verdict", ""),
        "by": words.person(by),
        "note": in_language(facts.get("note", ""), language),
        "line": in_language(facts.get("line", ""), language),
        "closed": bool(payload["data"].get("closed")),
        "planned": bool(payload["data"].get("plan")),
        "count": payload["data"].get("digest", ""),
        "quiet": bool(facts.get("quiet")),
        "why": in_spanish(why) if language == SPANISH else why,
        "lines": lines,
    }
