"""What a hub starts with: the user's file, or in its place the kept configuration that ran last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from hub.check import Examined, examine
from hub.errors import CannotCheck, PluginError, Problem
from hub.kept import Kept, KeptConfigs, Texts, fingerprint, texts_of
from hub.secrets import Secrets

log = structlog.get_logger("configuration")


@dataclass(frozen=True)
class Chosen:
    """What the hub starts with. `trouble` says why it is not what the file says; empty where it
    is. `kept` is the copy that was taken instead.
    """

    examined: Examined
    texts: Texts
    trouble: str = ""
    kept: Kept | None = None


def choose(
    file: Path, kept: KeptConfigs, secrets: Secrets
) -> tuple[Chosen | None, Examined | CannotCheck]:
    """What to start with, and what the file itself is.

    The file, where it is valid and nobody went back from it; else the kept configuration that ran
    last; None where there is none that can be used.
    """
    said: Examined | CannotCheck
    source = file.absolute()
    try:
        said = _examined_to_start(file, kept, secrets)
    except CannotCheck as error:
        said = error
    if isinstance(said, Examined) and said.config is not None:
        texts = texts_of(said.document)
        standing = kept.standing()
        if standing is not None and standing.instead_of == fingerprint(texts):
            for one in kept.of(source):
                if one.hash == standing.hash:
                    why = f"somebody went back from the file {file.name} to the kept {one.short}"
                    return _take(one, file, why, secrets) or Chosen(said, texts), said
        return Chosen(said, texts), said
    wrong = "cannot be read" if isinstance(said, CannotCheck) else invalid_words(said.problems)
    for one in kept.of(source):
        why = f"the file {file.name} {wrong}; the kept configuration {one.short} runs instead"
        if chosen := _take(one, file, why, secrets):
            return chosen, said
    return None, said


def _examined_to_start(file: Path, kept: KeptConfigs, secrets: Secrets) -> Examined:
    """The file, and where nothing but plugins is at fault, without the blocks that need those: a
    vendor's mistake must not keep the doors from being served. Raises `CannotCheck`.
    """
    try:
        said = examine(file, secrets=secrets)
    except PluginError as error:
        log.error("two plugins clash", reason=str(error))
        return examine(file, secrets=secrets, spare=True)
    if said.config is not None:
        return said
    troubled = any(provider.trouble for provider in said.registry.providers)
    ran = fingerprint(texts_of(said.document)) in {one.hash for one in kept.of(file.absolute())}
    if troubled or ran:
        spared = examine(file, said.registry, secrets=secrets, spare=True)
        return spared if spared.config is not None else said
    return said


def _take(kept: Kept, file: Path, trouble: str, secrets: Secrets) -> Chosen | None:
    try:
        examined = examine(kept.main, folder=file.parent, secrets=secrets, spare=True)
    except CannotCheck as error:
        log.warning("a kept configuration cannot be used", kept=kept.short, reason=str(error))
        return None
    if examined.config is None:
        reason = str(examined.problems[0])
        log.warning("a kept configuration is no longer valid", kept=kept.short, reason=reason)
        return None
    return Chosen(examined, texts_of(examined.document), trouble, kept)


def invalid_words(problems: Sequence[Problem]) -> str:
    """How many problems make a file invalid, in words."""
    number = len(problems)
    return f"is not valid ({number} {'problem' if number == 1 else 'problems'})"
