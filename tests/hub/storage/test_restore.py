"""Going back to a backup: all of it or nothing, and nothing of the past acts."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from hub.errors import StateError
from hub.storage import backup_restore
from hub.storage.access_tables import guests
from hub.storage.backup import create
from hub.storage.backup_copy import sha256_of
from hub.storage.backup_manifest import JOURNAL
from hub.storage.backup_restore import Lost, lost, restore
from hub.storage.backup_shelf import Backup, Shelf
from hub.storage.backup_swap import ENTERING, LEAVING, STAGING
from hub.storage.folder import StateFolder
from hub.storage.identity_tables import (
    authenticators,
    passkeys,
    recovery_codes,
    sessions,
    setup_links,
    tokens,
    users,
)
from hub.storage.journal import open_engine
from hub.storage.schema import devices, events, meta, push_subscriptions
from hub.testing import FakeClock

CHILD = Path(__file__).with_name("killed_child.py")
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
STAMP = "2026-03-02T08:00:00.000Z"
MADE = {"created": STAMP}


def add_event(folder: StateFolder, name: str) -> None:
    """An event by its id."""
    engine = open_engine(folder.journal)
    with engine.begin() as connection:
        row = dict.fromkeys(("type", "source", "subject"), "t")
        row |= {"id": name, "time": STAMP, "received": STAMP, "data": "{}"}
        connection.execute(insert(events), row)
    engine.dispose()


def event_ids(journal: Path) -> list[str]:
    with closing(sqlite3.connect(journal)) as connection:
        return [name for (name,) in connection.execute("SELECT id FROM events ORDER BY seq")]


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    """A folder with an event, a person who is signed in, a token, and a desk's file."""
    folder = StateFolder(tmp_path / "state")
    folder.open()
    add_event(folder, "first")
    engine = open_engine(folder.journal)
    with engine.begin() as connection:
        person = {"name": "teacher", "role": "sro", "password_hash": "h1", "created": STAMP}
        connection.execute(insert(users), person)
        session = {"digest": "d", "user": "teacher", "csrf": "c", "created": STAMP}
        connection.execute(insert(sessions), session | {"expires": "2099"})
        token = {"id": "t1", "name": "script", "role": "it", "digest": "d", "created": STAMP}
        connection.execute(insert(tokens), token)
        device = {"id": "d1", "name": "Room 12", "place": "room", "digest": "d", "created": STAMP}
        connection.execute(insert(devices), device | {"enrolled_by": "it"})
        connection.execute(insert(setup_links), {"digest": "d", "created": "", "expires": "2099"})
        names = ("id", "digest", "name", "area", "incident", "cameras", "created", "created_by")
        connection.execute(insert(guests), dict.fromkeys(names, "g") | {"expires": "2099"})
    engine.dispose()
    desk = folder.path / "visitors" / "desk"
    desk.mkdir(parents=True)
    (desk / "visits.json").write_text("old")
    return folder


@pytest.fixture
def made(state: StateFolder, tmp_path: Path) -> Backup:
    """A backup of that, after which things go on."""
    made = create(state, Shelf(tmp_path / "backups"), FakeClock(), "tests")
    add_event(state, "second")
    add_event(state, "third")
    (state.path / "visitors" / "desk" / "visits.json").write_text("new")
    (state.path / "notifiers" / "siren").mkdir(parents=True)
    (state.path / "notifiers" / "siren" / "siren.json").write_text("came later")
    (state.media / "later.jpg").write_bytes(b"came later")
    return made


def bring_back(state: StateFolder, made: Backup) -> Path:
    """The whole way, as the command goes it."""
    assert made.manifest is not None
    with state.lock():
        losses = lost(state, made.path, made.manifest)
        return restore(state, made.path, made.manifest, losses, "tests", NOW)


def test_a_restore_brings_back_everything_and_keeps_what_was_there(
    state: StateFolder, made: Backup
) -> None:
    """The old is whole under another name; what came later is only there."""
    kept = bring_back(state, made)
    assert event_ids(state.journal) == ["first"]
    assert (state.path / "visitors/desk/visits.json").read_text() == "old"
    assert not (state.path / "notifiers").exists()
    assert list(state.media.iterdir()) == []
    assert kept.name == "before-restore-20260302T093000Z"
    assert event_ids(kept / JOURNAL) == ["first", "second", "third"]
    assert (kept / "visitors/desk/visits.json").read_text() == "new"
    assert (kept / "notifiers/siren/siren.json").read_text() == "came later"
    assert (kept / "media/later.jpg").read_bytes() == b"came later"
    for name in (LEAVING, ENTERING, STAGING):
        assert not (state.path / name).exists()
    assert state.journal.stat().st_mode & 0o777 == 0o600


def test_the_backup_itself_stays_as_it_was(state: StateFolder, made: Backup) -> None:
    """One can be restored again and again: nothing writes to it."""
    before = {path: sha256_of(path) for path in made.path.rglob("*") if path.is_file()}
    bring_back(state, made)
    add_event(state, "after")
    assert {path: sha256_of(path) for path in made.path.rglob("*") if path.is_file()} == before
    bring_back(state, made)
    assert event_ids(state.journal) == ["first"]


def test_what_a_restore_loses_is_told_before(state: StateFolder, made: Backup) -> None:
    """How many events until when, and whose accounts and tokens differ."""
    engine = open_engine(state.journal)
    with engine.begin() as connection:
        connection.execute(users.update().values(password_hash="h2"))
        connection.execute(tokens.update().values(revoked=STAMP))
    engine.dispose()
    assert made.manifest is not None
    losses = lost(state, made.path, made.manifest)
    assert losses.known
    assert (losses.events, losses.until, losses.last_seq) == (2, STAMP, 3)
    assert losses.accounts == ("teacher",)
    assert losses.revoked == ("script",)


def test_nobody_stays_signed_in_and_revoked_tokens_stay_revoked(
    state: StateFolder, made: Backup
) -> None:
    """Who was signed out or shut out since must not be let in again by a restore."""
    engine = open_engine(state.journal)
    with engine.begin() as connection:
        connection.execute(sessions.delete())
        connection.execute(tokens.update().values(revoked=STAMP))
        connection.execute(devices.update().values(revoked=STAMP))
    engine.dispose()
    bring_back(state, made)
    engine = open_engine(state.journal)
    with engine.begin() as connection:
        assert connection.execute(select(sessions)).all() == []
        assert connection.execute(select(setup_links)).all() == []
        assert connection.scalar(select(tokens.c.revoked)) is not None
        assert connection.scalar(select(devices.c.revoked)) is not None
        assert connection.scalar(select(guests.c.revoked))
        assert connection.scalar(select(users.c.name)) == "teacher"
    engine.dispose()


def test_what_was_taken_away_from_people_stays_taken_away(
    state: StateFolder, tmp_path: Path
) -> None:
    """A restore lets nobody in who was locked out since, and gives back no lost phone or key."""
    engine = open_engine(state.journal)
    key = {"name": "k", "host": "h", "public_key": b"k", "sign_count": 0, "created": STAMP}
    browser = dict.fromkeys(("notifier", "device", "endpoint", "p256dh", "auth"), "b")
    with engine.begin() as connection:
        person = {"name": "gone", "role": "admin", "password_hash": "h", "created": STAMP}
        connection.execute(insert(users), person)
        for user in ("teacher", "gone"):
            connection.execute(insert(passkeys), key | {"id": user, "user": user})
            connection.execute(insert(recovery_codes), {"digest": user, "user": user} | MADE)
            app = {"user": user, "secret": "lost phone", "last_step": 1} | MADE
            connection.execute(insert(authenticators), app)
            connection.execute(
                insert(push_subscriptions), browser | {"id": user, "user": user} | MADE
            )
    made = create(state, Shelf(tmp_path / "backups"), FakeClock(), "tests")
    later = {"name": "later", "role": "sro", "password_hash": "h", "created": STAMP}
    with engine.begin() as connection:
        connection.execute(insert(users), later)
        connection.execute(users.update().where(users.c.name == "gone").values(locked=STAMP))
        connection.execute(passkeys.delete().where(passkeys.c.user == "teacher"))
        connection.execute(push_subscriptions.delete().where(push_subscriptions.c.id == "teacher"))
        connection.execute(recovery_codes.update().values(used=STAMP))
        connection.execute(authenticators.update().values(secret="new phone", last_step=9))
        connection.execute(insert(authenticators), {"user": "later", "secret": "s"} | MADE)
    assert made.manifest is not None
    assert lost(state, made.path, made.manifest).locked == ("gone",)
    bring_back(state, made)
    engine.dispose()
    engine = open_engine(state.journal)
    with engine.begin() as connection:
        rows = connection.execute(select(users.c.name, users.c.locked).order_by(users.c.name)).all()
        assert rows == [("gone", STAMP), ("teacher", "")]
        assert connection.scalars(select(passkeys.c.user)).all() == ["gone"]
        assert connection.scalars(select(push_subscriptions.c.user)).all() == ["gone"]
        assert set(connection.scalars(select(recovery_codes.c.used))) == {STAMP}
        apps = connection.execute(select(authenticators.c.secret, authenticators.c.last_step)).all()
        assert apps == [("new phone", 9)] * 2
    engine.dispose()


def test_no_event_gets_a_number_that_was_given_before(state: StateFolder, made: Backup) -> None:
    """Who read up to the third event before the restore misses none after it."""
    bring_back(state, made)
    add_event(state, "after")
    with closing(sqlite3.connect(state.journal)) as connection:
        (seq,) = connection.execute("SELECT seq FROM events WHERE id = 'after'").fetchone()
    assert seq == 4


def test_a_journal_that_cannot_be_read_is_replaced_all_the_same(
    state: StateFolder, made: Backup
) -> None:
    """That is what backups are for: what is lost is then unknown, and numbers leap."""
    state.journal.write_bytes(b"SQLite format 3\0" + b"rubbish" * 1000)
    assert made.manifest is not None
    assert lost(state, made.path, made.manifest) == Lost(known=False)
    kept = bring_back(state, made)
    assert event_ids(state.journal) == ["first"]
    assert (kept / JOURNAL).read_bytes().startswith(b"SQLite format 3\0rubbish")
    add_event(state, "after")
    with closing(sqlite3.connect(state.journal)) as connection:
        (seq,) = connection.execute("SELECT max(seq) FROM events").fetchone()
    assert seq > 1_000_000


def test_a_folder_that_is_gone_is_made_again(
    tmp_path: Path, state: StateFolder, made: Backup
) -> None:
    """A new machine: the backup is all there is."""
    shutil.rmtree(state.path)
    assert made.manifest is not None
    assert lost(state, made.path, made.manifest) == Lost(known=False)
    bring_back(state, made)
    assert event_ids(state.journal) == ["first"]
    assert (state.path / "visitors/desk/visits.json").read_text() == "old"


def test_a_restore_refuses_while_a_hub_runs(state: StateFolder, made: Backup) -> None:
    """The process that holds the folder is named, and nothing changes."""
    with state.lock(), pytest.raises(StateError, match=r"another Vestibule \(process \d+\)"):
        bring_back(StateFolder(state.path), made)
    assert event_ids(state.journal) == ["first", "second", "third"]


def test_the_journal_carries_the_note_of_its_restore(state: StateFolder, made: Backup) -> None:
    """By whom, when, from which backup and as of when."""
    bring_back(state, made)
    engine = open_engine(state.journal)
    with engine.begin() as connection:
        note = json.loads(connection.scalar(select(meta.c.value).where(meta.c.key == "restored")))
    engine.dispose()
    assert note["by"] == "tests"
    assert note["time"] == "2026-03-02T09:30:00.000Z"
    assert note["backup"] == made.name
    assert note["as_of"] == "2026-03-02T08:00:00.000Z"
    assert note["lost"]["events"] == 2


def test_no_room_is_said_before_anything_is_done(
    state: StateFolder, made: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is staged on a disk that cannot hold it."""
    monkeypatch.setattr(backup_restore, "SPARE_BYTES", 1 << 60)
    with pytest.raises(StateError, match=r"the disk has less; make room.*Nothing was changed"):
        bring_back(state, made)
    assert event_ids(state.journal) == ["first", "second", "third"]
    assert not (state.path / STAGING).exists()


def test_a_backup_that_changes_under_the_restore_is_refused(
    state: StateFolder, made: Backup
) -> None:
    """What is put in place is what was verified, byte for byte."""
    with (made.path / JOURNAL).open("r+b") as file:
        file.seek(5000)
        file.write(b"!")
    with pytest.raises(StateError, match=r"is damaged: journal\.db is not as it was written"):
        bring_back(state, made)
    assert event_ids(state.journal) == ["first", "second", "third"]
    with state.lock():
        assert not (state.path / STAGING).exists()


def whole(state: Path) -> str:
    """Which of the two a folder is, by everything in it; fails where it is a mixture."""
    with StateFolder(state).lock():
        pass
    seen = {
        "events": event_ids(state / JOURNAL),
        "visits": (state / "visitors/desk/visits.json").read_text(),
        "siren": (state / "notifiers").exists(),
        "picture": (state / "media/later.jpg").exists(),
    }
    old = {"events": ["first", "second", "third"], "visits": "new", "siren": True, "picture": True}
    new = {"events": ["first"], "visits": "old", "siren": False, "picture": False}
    assert seen in (old, new), seen
    assert not (state / STAGING).exists()
    if seen == new:
        (kept,) = state.glob("before-restore-*")
        assert event_ids(kept / JOURNAL) == old["events"]
        assert (kept / "visitors/desk/visits.json").read_text() == "new"
        assert (kept / "notifiers/siren/siren.json").exists()
    return "new" if seen == new else "old"


def test_killed_before_any_change_of_the_disk_it_is_the_old_or_the_new(
    state: StateFolder, made: Backup, tmp_path: Path
) -> None:
    """A restore that dies before each of its changes in turn: the next start finds one of both."""
    copies = tmp_path / "copies"
    copies.mkdir()
    folders = [str(state.path), str(made.path.parent), str(copies)]
    subprocess.run([sys.executable, str(CHILD), "restore", *folders], check=True, timeout=120)
    found = [whole(copies / str(number + 1)) for number in range(len(list(copies.iterdir())))]
    turn = found.index("new")
    assert set(found[:turn]) == {"old"}
    assert set(found[turn:]) == {"new"}
    assert turn > 10
    assert len(found) - turn > 5, "it dies in the middle of the renames too"


def test_other_commands_wait_for_a_restore_that_was_cut_off(
    state: StateFolder, made: Backup
) -> None:
    """An account must not go into a journal that is about to be replaced."""
    (state.path / LEAVING).write_text('{"kept": "before-restore-x", "old": [], "new": []}')
    with pytest.raises(StateError, match="was cut off; start the hub"):
        StateFolder(state.path).open()
    with state.lock():
        pass
    StateFolder(state.path).open()


def test_a_damaged_note_of_a_restore_is_said(state: StateFolder) -> None:
    """Nobody guesses what was to be renamed: where both halves lie is told."""
    (state.path / LEAVING).write_text("{")
    with (
        pytest.raises(StateError, match=r"restore\.json.*is damaged.*before-restore-"),
        state.lock(),
    ):
        pass


def test_what_root_restores_belongs_to_the_hub(state: StateFolder, made: Backup) -> None:
    """An administrator restores as root, the hub runs as a user of its own and must read it all."""
    if os.geteuid():
        pytest.skip("needs root: run the tests as root")
    for path in (state.path, *state.path.rglob("*")):
        os.chown(path, 1234, 1234)
    kept = bring_back(state, made)
    for path in (state.path, kept, *state.path.rglob("*")):
        assert path.stat().st_uid == 1234, path
    state.backups.mkdir(exist_ok=True)
    foreign = state.backups / "others.txt"
    foreign.write_text("not the hub's")
    create(state, Shelf(state.backups), FakeClock(), "root")
    assert foreign.stat().st_uid == 0, "what else lies there keeps its owner"
    foreign.unlink()
    again = create(state, Shelf(state.backups), FakeClock(), "root")
    for path in (state.backups, *state.backups.rglob("*")):
        assert path.stat().st_uid == 1234, path
    assert again.manifest is not None
