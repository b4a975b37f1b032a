"""What doctor says of backups: fresh, old, of no use, switched off."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from examined_school import School

from hub.clock import SystemClock
from hub.doctor import backups
from hub.storage.backup import create
from hub.storage.backup_shelf import Shelf
from hub.storage.folder import StateFolder
from hub.storage.journal import open_engine


class Earlier(SystemClock):
    """A clock that is some hours behind."""

    def now(self) -> datetime:
        return super().now() - timedelta(hours=5)


def back_up(school: School, clock: SystemClock) -> Shelf:
    folder = StateFolder(school.state)
    folder.open()
    open_engine(folder.journal).dispose()
    shelf = Shelf(school.state / "backups")
    create(folder, shelf, clock, "tests")
    return shelf


async def test_before_the_first_start_none_is_missing(school: School) -> None:
    """A new folder has no backup, and that is as it should be."""
    finding = await school.one(backups.probes)
    assert (finding.state, "none yet" in finding.found) == ("ok", True)


async def test_a_fresh_backup_is_told_with_its_age_and_size(school: School) -> None:
    """How many there are, how old the newest is, and how large."""
    back_up(school, SystemClock())
    finding = await school.one(backups.probes)
    assert finding.state == "ok"
    assert re.match(r"1, the newest 0s old, 0\.\d MB", finding.found)


async def test_an_old_backup_beside_a_running_hub_is_a_warning(school: School) -> None:
    """The hub should have made newer ones; without a hub age means nothing."""
    back_up(school, Earlier())
    assert (await school.one(backups.probes)).state == "ok"
    with StateFolder(school.state).lock():
        finding = await school.one(backups.probes)
    assert finding.state == "warn"
    assert "the newest 5h old" in finding.found
    assert "page Health" in finding.remedy


async def test_one_that_cannot_be_used_is_named(school: School) -> None:
    """With the reason, so that nobody counts on it."""
    shelf = back_up(school, SystemClock())
    (shelf.every()[0].path / "SHA256SUMS").unlink()
    newest, broken = await school.look(backups.probes)
    assert newest.state == "ok"
    assert broken.state == "warn"
    assert "is damaged" in broken.found


async def test_backups_that_are_off_are_a_warning(school: School) -> None:
    """Somebody may have done that for an afternoon, a year ago."""
    school.write(hub={"backup": {"every": "off"}})
    finding = await school.one(backups.probes)
    assert (finding.state, finding.found) == ("warn", "switched off")
