"""The backups: whether there is a fresh one, and whether all of them can be used."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

from hub.config import BackupSettings
from hub.doctor.finding import Finding, Probe, bad, ok, warn
from hub.doctor.given import Given
from hub.doctor.holder import running
from hub.errors import StateError
from hub.storage.backup_shelf import Backup, Shelf
from hub.threads import in_thread
from hub.units import duration_words

SOON = 2.0
MINUTE_S = 60


def probes(given: Given) -> list[Probe]:
    """The newest backup and the folder they are in."""
    return [Probe("backups", "newest", partial(_newest, given))]


async def _newest(given: Given) -> AsyncIterator[Finding]:
    settings = given.config.hub.backup if given.config else BackupSettings()
    if settings.every == "off":
        yield warn("switched off", "set `hub.backup.every`, so that a broken disk loses little")
        return
    shelf = Shelf(given.folder.path / settings.folder)
    try:
        every = await in_thread(shelf.every)
    except StateError as error:
        yield bad(str(error), "correct its owner, or name another folder: `hub.backup.folder`")
        return
    usable = [each for each in every if each.manifest is not None]
    yield _age(given, usable, settings.every)
    for each in every:
        if each.manifest is None:
            told = f"{each.name} is of no use: {each.trouble}"
            yield warn(told, "delete it once you know why", each.name)


def _age(given: Given, usable: list[Backup], every: float) -> Finding:
    beside = running(given.folder) is not None
    newest = usable[0].manifest if usable else None
    if newest is None:
        if beside:
            return warn("there is none yet", "see the page Health; the first comes after a minute")
        return ok("none yet; the hub makes them while it runs")
    age = max(0.0, (given.clock.now() - newest.time).total_seconds())
    words = duration_words(age // MINUTE_S * MINUTE_S)
    told = f"{len(usable)}, the newest {words} old, {newest.bytes / (1 << 20):.1f} MB"
    if beside and age > SOON * every:
        return warn(told, "see the page Health: it says why there is no newer one")
    return ok(told)
