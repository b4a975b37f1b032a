"""The verb `vestibule config migrate`: show, keep a copy, write, look again."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from hub.check import Examined, examine
from hub.cli_exit import REFUSED, UNREADABLE
from hub.clock import Clock, SystemClock
from hub.errors import CannotCheck, Refused
from hub.migrate import rewrites
from hub.output import guard_output
from hub.rewriting import restore, write
from hub.secrets import Secrets
from hub.yamltags import beside


def migrate(config: str, dry_run: bool, clock: Clock | None = None) -> int:
    """Rewrite keys of earlier versions; returns the exit status."""
    secrets = Secrets()
    guard_output(secrets)
    try:
        before = examine(config, secrets=secrets)
    except CannotCheck as error:
        return _say(f"vestibule: {error}", UNREADABLE)
    try:
        return _migrated(config, before, dry_run, secrets, clock or SystemClock())
    except Refused as error:
        return _say(f"vestibule: {error}.", REFUSED)


def _migrated(config: str, before: Examined, dry_run: bool, secrets: Secrets, clock: Clock) -> int:
    found = rewrites(before)
    if not found and before.problems:
        for problem in before.problems:
            print(problem)
        sys.stdout.flush()
        words = "nothing is changed, for the file has the problems above; correct them and run this"
        return _say(f"{config}: {words} again", REFUSED)
    if not found:
        return _say(f"{config}: nothing to do, every key has today's name", 0)
    for each in found:
        print(each.diff)
    sys.stdout.flush()
    files = ", ".join(each.shown for each in found)
    if dry_run:
        return _say(f"{files}: not written, this was a dry run", 0)
    backups = write(found, Path(config).parent, clock.now())
    try:
        after: Examined | None = examine(config, secrets=secrets)
    except CannotCheck:
        after = None
    if after is None or after.renamed or _worse(before, after):
        restore(found, backups)
        raise Refused(
            f"with the new names {config} would not say the same; everything is as it was. "
            "Change the keys above by hand"
        )
    kept = ", ".join(
        beside(each.shown, backup.name) for each, backup in zip(found, backups, strict=True)
    )
    return _say(f"{files}: written; what was there before is kept as {kept}", 0)


def _worse(before: Examined, after: Examined) -> bool:
    """Whether a line has a problem that had none, or the configuration means something else."""
    new = Counter((each.file, each.line) for each in after.problems)
    new.subtract((each.file, each.line) for each in before.problems)
    return any(count > 0 for count in new.values()) or before.config != after.config


def _say(words: str, code: int) -> int:
    print(words, file=sys.stderr)
    return code
