"""Journals of earlier versions come forward whole, or stay as they were."""

from __future__ import annotations

import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine

from hub.errors import StateError
from hub.storage import database, migrations, schema
from hub.storage.journal import Journal, open_engine

RELEASED = sorted(Path(__file__).with_name("released").glob("journal-*.sql"))
NEXT = schema.SCHEMA_VERSION + 1

STEP = '''
"""A step that only this test knows."""
import os, signal
import sqlalchemy as sa
from alembic import op

revision = "{next:04}"
down_revision = "{last:04}"

def upgrade():
    op.add_column("events", sa.Column("lane", sa.Text, nullable=False, server_default="quiet"))
    with op.batch_alter_table("users") as users:
        users.alter_column("role", new_column_name="duty")
    {more}
'''


def released(file: Path, to: Path) -> Path:
    """A journal as that release left it."""
    with closing(sqlite3.connect(to)) as connection:
        connection.executescript(file.read_text(encoding="utf-8"))
    to.chmod(0o600)
    return to


def made(path: Path) -> set[tuple[str, ...]]:
    """Kind, name, table and SQL of all that was made in a database."""
    with closing(sqlite3.connect(path)) as connection:
        return set(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema"))


def rows(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    with closing(sqlite3.connect(path)) as connection:
        names = [
            name
            for (name,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            )
        ]
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def shape(path: Path) -> dict[str, str]:
    """How each table and index was made, without its spacing."""
    with closing(sqlite3.connect(path)) as connection:
        made = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"
        ).fetchall()
    return {name: re.sub(r"[\s\"]+", "", sql) for name, sql in made}


@pytest.fixture
def add_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes this Vestibule one version newer, by a step whose end may be told."""

    def add(more: str = "pass") -> None:
        versions = tmp_path / "versions"
        shutil.copytree(migrations.VERSIONS, versions, ignore=shutil.ignore_patterns("__*"))
        step = STEP.format(next=NEXT, last=NEXT - 1, more=more)
        (versions / "next.py").write_text(step, encoding="utf-8")
        monkeypatch.setattr(migrations, "VERSIONS", versions)
        for module in (schema, database):
            monkeypatch.setattr(module, "SCHEMA_VERSION", NEXT)

    return add


def migrated_from_nothing(path: Path) -> Engine:
    """An empty file brought forward through every step."""
    sqlite3.connect(path).close()
    engine = database._engine(path, readers=0)
    migrations.bring_forward(engine, path, 0, schema.SCHEMA_VERSION)
    return engine


def test_the_steps_lead_to_todays_tables(tmp_path: Path) -> None:
    """A journal that came all the way is made exactly like one that is new."""
    path = tmp_path / "old.db"
    engine = migrated_from_nothing(path)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    open_engine(tmp_path / "new.db").dispose()
    assert shape(path) == shape(tmp_path / "new.db")
    assert version(path) == schema.SCHEMA_VERSION


def test_a_new_journal_has_all_that_the_metadata_makes(tmp_path: Path) -> None:
    """Its tables, indexes and triggers, each in the same words, whichever of a process it is."""
    plain = create_engine(f"sqlite:///{tmp_path / 'plain.db'}")
    schema.metadata.create_all(plain)
    plain.dispose()
    for name in ("first.db", "second.db"):
        open_engine(tmp_path / name).dispose()
        assert made(tmp_path / name) == made(tmp_path / "plain.db")
    assert {"table", "index", "trigger"} == {kind for kind, *_ in made(tmp_path / "plain.db")}


def test_the_steps_are_numbered_as_the_tables_are() -> None:
    """Each step is one version, and the last one is today's."""
    folder = migrations.VERSIONS
    scripts = ScriptDirectory(str(folder.parent), version_locations=[str(folder)])
    numbers = [int(each.revision) for each in scripts.walk_revisions()]
    assert numbers == list(range(schema.SCHEMA_VERSION, 0, -1))


@pytest.mark.parametrize("file", RELEASED, ids=lambda file: file.stem)
async def test_a_released_journal_comes_forward_with_every_row(file: Path, tmp_path: Path) -> None:
    """What a school's hub of that release wrote is there afterwards, in today's tables."""
    path = released(file, tmp_path / "journal.db")
    before = {name: len(found) for name, found in rows(path).items()}
    journal = Journal(path)
    await journal.open()
    await journal.close()
    assert version(path) == schema.SCHEMA_VERSION
    after = {name: len(found) for name, found in rows(path).items()}
    assert before["events"] > 0
    assert before.items() <= after.items()
    open_engine(tmp_path / "new.db").dispose()
    assert shape(path) == shape(tmp_path / "new.db")


async def test_the_hub_brings_an_older_journal_forward_after_a_copy(
    tmp_path: Path, add_step: Callable[..., None]
) -> None:
    """Rows stay, rows that point at a table made anew stay too, and the copy is the old journal."""
    path = released(RELEASED[0], tmp_path / "journal.db")
    before, old = rows(path), version(path)
    add_step()
    journal = Journal(path)
    await journal.open()
    await journal.close()
    after = rows(path)
    assert version(path) == NEXT
    assert [row[:8] for row in after["events"]] == before["events"]
    assert {row[8] for row in after["events"]} == {"quiet"}
    assert [row[:4] for row in after["users"]] == before["users"]
    assert [row[:6] for row in after["sessions"]] == before["sessions"] != []
    copy = tmp_path / f"journal-version-{old}.db"
    assert rows(copy) == before
    assert version(copy) == old
    assert copy.stat().st_mode & 0o777 == 0o600


def test_other_commands_leave_an_older_journal_to_the_hub(
    tmp_path: Path, add_step: Callable[..., None]
) -> None:
    """`users add` beside an older hub that runs must not change its tables under it."""
    path = released(RELEASED[0], tmp_path / "journal.db")
    old = version(path)
    add_step()
    with pytest.raises(StateError, match=r"older Vestibule.*start the hub once"):
        open_engine(path)
    assert version(path) == old
    assert not list(tmp_path.glob("journal-version-*"))


def test_a_newer_journal_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """What, where and what to do, and the file is left alone."""
    path = released(RELEASED[0], tmp_path / "journal.db")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version={NEXT}")
    for forward in (False, True):
        with pytest.raises(StateError) as refusal:
            open_engine(path, forward=forward)
        words = str(refusal.value)
        assert str(path) in words
        assert f"newer Vestibule (version {NEXT}, this one knows {schema.SCHEMA_VERSION})" in words
        assert "start that one" in words
    assert version(path) == NEXT


def test_a_step_that_fails_leaves_the_journal_as_it_was(
    tmp_path: Path, add_step: Callable[..., None]
) -> None:
    """Half a step is no step, and the words say so."""
    path = released(RELEASED[0], tmp_path / "journal.db")
    before, old = rows(path), version(path)
    add_step('raise RuntimeError("the tenth row is odd")')
    with pytest.raises(StateError, match=r"the tenth row is odd.*Nothing in it was changed"):
        open_engine(path, forward=True)
    assert rows(path) == before
    assert version(path) == old


def test_rows_that_would_point_at_nothing_stop_a_step(
    tmp_path: Path, add_step: Callable[..., None]
) -> None:
    """A step that forgets what belongs together is not taken."""
    path = released(RELEASED[0], tmp_path / "journal.db")
    before = rows(path)
    add_step('op.execute("DELETE FROM incidents")')
    with pytest.raises(StateError, match="a row of incident_entries points at one of incidents"):
        open_engine(path, forward=True)
    assert rows(path) == before


def test_a_hub_killed_in_the_middle_goes_on_at_the_next_start(
    tmp_path: Path, add_step: Callable[..., None]
) -> None:
    """The process dies between two changes of a step; the next one finds the old and takes it."""
    path = released(RELEASED[0], tmp_path / "journal.db")
    before, old = rows(path), version(path)
    add_step("os.kill(os.getpid(), signal.SIGKILL) if os.environ.get('DIE') else None")
    code = (
        "import sys; from pathlib import Path\n"
        "from hub.storage import database, migrations, schema\n"
        f"migrations.VERSIONS = Path({str(migrations.VERSIONS)!r})\n"
        f"schema.SCHEMA_VERSION = database.SCHEMA_VERSION = {NEXT}\n"
        f"database.open_engine(Path({str(path)!r}), forward=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={"DIE": "1"}, capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert rows(path) == before
    assert version(path) == old
    open_engine(path, forward=True).dispose()
    assert version(path) == NEXT
    assert len(rows(path)["events"]) == len(before["events"])


def test_no_room_for_the_copy_is_said_before_anything_is_done(
    tmp_path: Path, add_step: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its copy a journal is not touched."""
    path = released(RELEASED[0], tmp_path / "journal.db")
    old = version(path)
    add_step()
    monkeypatch.setattr(migrations, "SPARE_BYTES", 1 << 60)
    with pytest.raises(StateError, match=r"no room for it.*Free \d+ MB"):
        open_engine(path, forward=True)
    assert version(path) == old


def test_alembic_is_only_imported_where_a_step_is_due(tmp_path: Path) -> None:
    """An ordinary start does not pay for it."""
    code = (
        "import sys; from pathlib import Path; import hub.app\n"
        "from hub.storage.journal import open_engine\n"
        f"open_engine(Path({str(tmp_path / 'journal.db')!r}), forward=True).dispose()\n"
        "print('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
