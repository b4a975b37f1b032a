"""The hub's core is killed and its disk cut back; nothing is lost, and the proof can fail."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.testing.crash.compare import compare
from hub.testing.crash.disk import cut_power
from hub.testing.crash.harness import Account, Nursery, School, nursery, prove
from hub.testing.crash.life import JOURNAL

ROOT = Path(__file__).resolve().parents[3]
CHILD = Path(__file__).with_name("recorded_child.py")


@pytest.fixture(scope="module")
def lives() -> Iterator[Nursery]:
    with nursery() as made:
        yield made


def assert_nothing_lost(account: Account, runs: int) -> None:
    found = account.findings
    assert not found.lost
    assert not found.doubled
    assert not found.unmarked
    assert account.runs == runs
    assert account.left > 0, "the kills left actions due or under way"
    assert account.unsynced > 0, "the cuts had something to take"
    assert account.received > runs


def test_law_6_fifty_kills_lose_nothing(lives: Nursery) -> None:
    """No event, alert, verdict or command is lost, nothing is doubled, repeats say that they are,
    whether the disk keeps all, what was synced, or a random part of the rest. Longer than other
    tests because each kill has its restart.
    """
    assert_nothing_lost(prove(50, seed=6, lives=lives), 50)


@pytest.mark.slow
def test_law_6_two_thousand_kills_lose_nothing(lives: Nursery) -> None:
    """The same over two thousand."""
    assert_nothing_lost(prove(2000, seed=2000, lives=lives), 2000)


def test_a_journal_that_does_not_sync_is_found_out(lives: Nursery) -> None:
    """With SQLite told not to sync, the cuts take what was accepted, and the comparison says so."""
    account = prove(12, seed=1, lives=lives, settings=("PRAGMA synchronous=OFF",))
    assert any(words.startswith("event ") for words in account.findings.lost)
    assert any(words.startswith("command ") for words in account.findings.lost)
    assert any(words.startswith("the wish behind ") for words in account.findings.lost)


def test_a_journal_that_a_cut_damages_is_a_loss(
    lives: Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A life that refuses its journal is counted as one, and the next life still answers."""

    def damage(school: School, disk: str) -> None:
        del disk
        journal = school.folder / "state" / JOURNAL
        with sqlite3.connect(journal) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        with journal.open("r+b") as file:
            file.seek(4096 + 8)  # behind the first page
            file.write(b"\xff" * 8192)

    with monkeypatch.context() as cut:
        cut.setattr(School, "_after", damage)
        (tmp_path / "one").mkdir()
        school = School(tmp_path / "one", lives, seed=1)
        school.run(5)
    assert school.account.runs == 1
    assert [words[:12] for words in school.account.findings.lost] == ["the journal:"]
    assert "damaged" in school.account.findings.lost[0]
    after = prove(3, seed=1, lives=lives)
    assert (after.runs, after.findings.lost) == (3, [])


def recorded(folder: Path, *arguments: str) -> str:
    """Run a child that writes to `folder/state` on a recorded disk; returns what it prints."""
    for name in ("state", "before", "after"):
        (folder / name).mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, CHILD, folder, *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode in (0, -9), done.stderr
    return done.stdout


def rows(path: Path) -> int:
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    count: int = connection.execute("SELECT count(*) FROM meta").fetchone()[0]
    connection.close()
    return count


@pytest.mark.parametrize("keep", ["none", "some"])
def test_a_cut_takes_what_was_not_synced_and_no_more(tmp_path: Path, keep: str) -> None:
    """Commits that were synced are there after a cut, whatever else of the disk survives; later
    ones, written without a sync, are in the files and gone after a cut that keeps none of it.
    """
    recorded(tmp_path, "unsynced", "40")
    chance = random.Random(3)
    for _ in range(20 if keep == "some" else 1):
        cut = cut_power(
            tmp_path / "before", tmp_path / "log", tmp_path / "after",
            "some" if keep == "some" else "none", chance,
        )  # fmt: skip
        assert cut.unsynced > 0
        assert 0 < cut.kept < cut.unsynced if keep == "some" else cut.kept == 0
        survived = rows(tmp_path / "after" / JOURNAL)
        assert 20 <= survived <= 40 if keep == "some" else survived == 20
    assert rows(tmp_path / "state" / JOURNAL) == 40


def test_a_failed_sync_is_never_told_as_success(tmp_path: Path) -> None:
    """When the drive fails to sync, the write ends in words that name the disk; what was told as
    written before and after is there after a cut.
    """
    told = json.loads(recorded(tmp_path, "failing").splitlines()[-1])
    assert "failed" in told["error"]
    cut_power(tmp_path / "before", tmp_path / "log", tmp_path / "after", "none", random.Random(1))
    assert rows(tmp_path / "after" / JOURNAL) == told["written"]


def test_the_comparison_sees_what_is_missing(tmp_path: Path) -> None:
    """Each kind of loss, doubling and unmarked repeat, made by hand, is found by name."""
    recorded(tmp_path, "school")
    journal = tmp_path / "state" / JOURNAL
    offered, received = tmp_path / "offered.jsonl", tmp_path / "received.jsonl"
    whole = compare(journal, offered, received)
    assert (whole.lost, whole.doubled, whole.unmarked) == ([], [], [])
    spoilt = {
        "DELETE FROM events WHERE type = 'door.held'": "event",
        "DELETE FROM alerts": "that fulfil forced",
        "DELETE FROM actions WHERE kind = 'door'": "command",
        "DELETE FROM actions WHERE target = 'post'": "the notice of alert",
        "UPDATE alerts SET state = 'raised'": "the verdict",
        "UPDATE actions SET state = 'pending'": "at rest",
    }
    for number, (statement, words) in enumerate(spoilt.items()):
        other = tmp_path / f"{number}.db"
        copy(journal, other, statement)
        assert any(words in line for line in compare(other, offered, received).lost), statement
    other = tmp_path / "doubled.db"
    copy(journal, other, "UPDATE alerts SET count = count + 1")
    assert compare(other, offered, received).doubled
    other, again = tmp_path / "again.db", "json_set(payload, '$.data.again', json('true'))"
    copy(journal, other, f"UPDATE actions SET payload = {again} WHERE target = 'post'")
    assert any("goes on: " in line for line in compare(other, offered, received).doubled)
    lines = received.read_bytes().splitlines(keepends=True)
    received.write_bytes(b"".join(lines * 2))
    twice = compare(journal, offered, received)
    assert any("received more often" in line for line in twice.lost)
    assert any("momentary" in line for line in twice.doubled)
    assert twice.unmarked


def copy(journal: Path, other: Path, statement: str) -> None:
    """A copy of a journal with something done to it."""
    connection = sqlite3.connect(journal)
    connection.execute("VACUUM INTO ?", (str(other),))
    connection.close()
    connection = sqlite3.connect(other)
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_the_benchmark_prints_its_five_figures() -> None:
    """`benchmarks/crash.py --json` is one object with what the promise is judged by."""
    done = subprocess.run(
        [sys.executable, "benchmarks/crash.py", "--runs", "3", "--seed", "4", "--json"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    figures = json.loads(done.stdout)
    assert list(figures) == ["runs", "lost", "doubled", "unmarked_repeats", "resumed_p95_s"]
    assert (figures["runs"], figures["lost"], figures["doubled"]) == (3, 0, 0)
    assert figures["resumed_p95_s"] > 0
