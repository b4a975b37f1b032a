"""Who can read the passwords: the files' modes, and passwords that stand in the YAML itself."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

from hub.doctor.finding import Finding, Probe, bad, ok, warn
from hub.doctor.given import Given
from hub.document import KeyPath, value_at
from hub.typewords import PRIVATE
from hub.yamlsyntax import path_text

SECRETS = "secrets.yaml"
OTHERS_READ, OTHERS_WRITE = stat.S_IROTH, stat.S_IWOTH


def probes(given: Given) -> list[Probe]:
    """One probe for all files of the configuration."""
    return [Probe("permissions", "", partial(_look, given))]


async def _look(given: Given) -> AsyncIterator[Finding]:
    plain = plain_passwords(given)
    for path in plain:
        where = path_text(path)
        line = given.document.place(path)
        remedy = f"write `!secret NAME` there and `NAME: …` into {SECRETS}"
        told = f"{line.file}:{line.line}: a password stands in the file itself"
        yield warn(told, remedy, where)
    secrets = given.config_folder / SECRETS
    files = dict.fromkeys(each.resolve() for each in (*given.document.files, secrets))
    for file in files:
        for finding in _file(file, holds_passwords=bool(plain) or file.name == SECRETS):
            yield finding


def plain_passwords(given: Given) -> list[KeyPath]:
    """Where in the file a password stands that came from no secret and no variable, in order."""
    document = given.document
    elsewhere = {str(value_at(document.values, path)) for path in document.hidden}
    return [
        path
        for path, text in _texts(document.values, ())
        if path not in document.hidden
        and text not in elsewhere
        and _is_password(path, text, given.hidden)
    ]


def _is_password(path: KeyPath, text: str, hidden: frozenset[str]) -> bool:
    if "://" in text:
        return password_within(text)
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    return text in hidden or bool(PRIVATE.search(key))


def password_within(address: str) -> bool:
    """Whether a password stands in `scheme://name:password@host`."""
    person, at, _ = address.partition("://")[2].partition("/")[0].rpartition("@")
    return bool(at) and ":" in person


def _texts(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts(inner, (*path, index))
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield path, str(value)


def _file(file: Path, holds_passwords: bool) -> Iterator[Finding]:
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
    except OSError:
        return
    if mode & OTHERS_WRITE:
        yield bad("every user of this machine may change it", f"chmod o-w {file}", file.name)
    if not (holds_passwords and mode & OTHERS_READ):
        yield ok(f"mode {mode:o}", file.name)
    elif file.name == SECRETS:
        told = f"every user of this machine may read the passwords (mode {mode:o})"
        yield bad(told, f"chmod 600 {file}", file.name)
    else:
        told = f"every user of this machine may read the passwords in it (mode {mode:o})"
        yield warn(told, f"chmod 600 {file}, or move them to {SECRETS}", file.name)
