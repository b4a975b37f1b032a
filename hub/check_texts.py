"""Message templates and languages, as `check` looks at them.

A template that is of no use stops no hub: the built-in text is sent instead. So it is a note, and
so is a language of which only a folder could tell; a language that nothing can know is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hub.config import Config
from hub.document import KeyPath
from hub.plainwords import Finding, meant
from hub.typewords import one_of


def text_findings(config: Config, folder: Path) -> Iterator[tuple[Finding, bool]]:
    """What is wrong with templates and languages; true beside what is but a note."""
    if config.hub.templates is None and not _spoken(config):
        return
    from hub.safety.notices.templates import Texts, languages

    own = None if config.hub.templates is None else folder / config.hub.templates
    where: KeyPath = ("hub", "templates")
    if own is not None and not own.is_dir():
        words = f"the folder {own} is not there; the built-in texts are sent instead"
        yield Finding(where, words), True
    for fault in Texts.read(own).faults:
        yield Finding(where, f"{fault}; the built-in text is sent instead"), True
    known = languages(own)
    for path, language in _spoken(config):
        if language not in known:
            words = f"there are no texts in {language!r}; expected {one_of(known)}"
            hint = meant(language, known) or f"put {language}/alert.txt into `hub.templates`"
            yield Finding(path, words, hint=hint), own is not None


def _spoken(config: Config) -> list[tuple[KeyPath, str]]:
    found: list[tuple[KeyPath, str]] = []
    if config.hub.language != "en":
        found.append((("hub", "language"), config.hub.language))
    for person, block in config.people.items():
        if block.language is not None:
            found.append((("people", person, "language"), block.language))
    return found
