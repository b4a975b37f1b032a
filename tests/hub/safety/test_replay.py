"""`vestibule replay`: what would have fired beside what did, on a journal that nobody writes to."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from safety_school import EVENING, School, school
from typer.testing import CliRunner

from hub.check import load_config
from hub.cli import app
from hub.events import Event
from hub.kept import KeptConfigs
from hub.protocols import Protocols
from hub.safety.rules.replay import Replay, Replayed, TooMany
from hub.storage.database import open_readers
from hub.storage.schema import SCHEMA_VERSION
from hub.testing import FakeClock

DOORS = {
    "store": {"name": "Store", "controller": "locks", "place": "site", "egress": "free"},
    "gate": {"name": "Gate", "controller": "locks", "place": "site", "egress": "free"},
}
SCHOOL: dict[str, Any] = {
    "places": {"site": {"name": "School", "kind": "site"}},
    "access_control": {"locks": {"driver": "simulated"}},
    "doors": DOORS,
    "notifiers": {"console": {"driver": "console"}},
    "protocols": {"hold": {}},
}
ALERT = {"severity": "note", "through": ["console"]}
FORCED = {"name": "Forced", "when": "door.forced", "alert": ALERT}
OPEN = {"name": "Open", "when": "door.opened", "lasting": "5m", "alert": ALERT}
TWICE = {"name": "Twice", "when": "door.forced", "count": {"at_least": 2, "within": "10m"}}
WHOLE_DAY = ("--since", "2026-03-02", "--until", "2026-03-03")


async def lived(folder: Path, rules: dict[str, Any], happen: Callable[[School], Any]) -> Path:
    """A state folder of a hub that has run with these rules, and the file it ran with."""
    file = folder / "school.yaml"
    file.write_text(yaml.safe_dump(SCHOOL | {"rules": rules}), encoding="utf-8")
    state = folder / ".vestibule"
    state.mkdir()
    async with school(state, FakeClock(EVENING), **SCHOOL, rules=rules) as house:
        await happen(house)
    return file


async def an_evening(house: School) -> None:
    """Two forced doors, and one that stands open."""
    await house.intake.accept(house.door_event("door.forced", "store"))
    await house.clock.advance(120)
    await house.intake.accept(house.door_event("door.forced", "store"))
    await house.intake.accept(house.door_event("door.opened", "gate"))
    await house.clock.advance(600)
    await house.intake.lapse()


def run(*arguments: str | Path) -> Any:
    """The command, in this process."""
    return CliRunner().invoke(app, ["replay", *map(str, arguments)])


def as_json(*arguments: str | Path) -> dict[str, Any]:
    """What it prints as JSON."""
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def test_the_same_rules_fire_the_same(tmp_path: Path) -> None:
    """What fired would have: events, waiting and counts alike."""
    rules = {"forced": FORCED, "open": OPEN, "twice": TWICE | {"alert": ALERT}}
    file = await lived(tmp_path, rules, an_evening)
    found = as_json(file, *WHOLE_DAY)
    assert found["rules"] == {
        "forced": {"did": 2, "would": 2, "both": 2, "kept_back": 0},
        "open": {"did": 1, "would": 1, "both": 1, "kept_back": 0},
        "twice": {"did": 1, "would": 1, "both": 1, "kept_back": 0},
    }
    assert found["events"] == 3
    assert "What fired is what would have." in run(file, *WHOLE_DAY).stdout


async def test_other_rules_show_what_they_would_have_done(tmp_path: Path) -> None:
    """A draft with its own rules stands in; what it adds and what it lacks is told with why."""
    file = await lived(tmp_path, {"forced": FORCED}, an_evening)
    draft = tmp_path / "draft.yaml"
    rules = {"forced": FORCED | {"cooldown": "1h"}, "open": OPEN}
    draft.write_text(yaml.safe_dump({"rules": rules}), encoding="utf-8")
    found = as_json(file, *WHOLE_DAY, "--rules", draft)
    assert found["rules"] == {
        "forced": {"did": 2, "would": 1, "both": 1, "kept_back": 1},
        "open": {"did": 0, "would": 1, "both": 0, "kept_back": 0},
    }
    text = run(file, *WHOLE_DAY, "--rules", draft).stdout
    assert "- 2026-03-02 20:17:00  forced, store: door.forced" in text
    assert "+ 2026-03-02 20:22:00  open, gate: door.opened; lasted 5m" in text
    open_one = next(each for each in found["firings"] if each["rule"] == "open")
    assert (open_one["did"], open_one["would"]) == (False, True)
    assert open_one["events"] == [open_one["cause"]]


async def test_a_replay_begins_early_enough_to_count(tmp_path: Path) -> None:
    """What happened before `--since` counts, and is not told."""
    file = await lived(tmp_path, {"twice": TWICE | {"alert": ALERT}}, an_evening)
    found = as_json(file, "--since", "2026-03-02T20:16", "--until", "2026-03-03")
    assert found["rules"]["twice"] == {"did": 1, "would": 1, "both": 1, "kept_back": 0}
    assert found["events"] == 2


async def test_without_a_file_it_takes_what_ran_last(tmp_path: Path) -> None:
    """The configuration that the hub kept, with what lies beside the user's own file."""
    file = await lived(tmp_path, {"forced": FORCED}, an_evening)
    state = tmp_path / ".vestibule"
    done = run(*WHOLE_DAY, "--state", state)
    assert (done.exit_code, "no hub has run" in done.output) == (2, True)
    KeptConfigs(state / "config").keep(file, {"school.yaml": file.read_bytes()}, "2026")
    file.unlink()
    assert as_json(*WHOLE_DAY, "--state", state)["rules"]["forced"]["both"] == 2


async def test_it_only_reads_and_runs_beside_a_hub(tmp_path: Path) -> None:
    """While a hub writes, a replay sees what is committed and leaves every byte as it was."""
    told = []

    async def happen(house: School) -> None:
        await an_evening(house)
        before = hashlib.sha256((tmp_path / ".vestibule/journal.db").read_bytes()).digest()
        told.append(as_json(tmp_path / "school.yaml", *WHOLE_DAY))
        after = hashlib.sha256((tmp_path / ".vestibule/journal.db").read_bytes()).digest()
        assert before == after
        await house.intake.accept(house.door_event("door.forced", "gate"))
        told.append(as_json(tmp_path / "school.yaml", *WHOLE_DAY))

    await lived(tmp_path, {"forced": FORCED}, happen)
    assert [each["rules"]["forced"]["did"] for each in told] == [2, 3]


async def test_a_journal_of_before_firings_were_written_shows_its_alerts(tmp_path: Path) -> None:
    """An older journal has `alert.raised` alone, which says the same of the first firing."""
    file = await lived(tmp_path, {"forced": FORCED}, an_evening)
    journal = tmp_path / ".vestibule/journal.db"
    with closing(sqlite3.connect(journal)) as connection, connection:
        connection.execute("DELETE FROM events WHERE type LIKE 'rule.%'")
    found = as_json(file, *WHOLE_DAY)
    assert found["rules"]["forced"] == {"did": 1, "would": 2, "both": 1, "kept_back": 0}


async def test_what_people_press_is_no_rules_doing(tmp_path: Path) -> None:
    """The alerts of a call for help and of a protocol are not held against the rules."""

    async def presses(house: School) -> None:
        await an_evening(house)
        desk = Protocols(house.intake, frozenset)
        await desk.help("site", "", "Button", "")
        await desk.start("hold", "site", "", device="Button")

    file = await lived(tmp_path, {"forced": FORCED}, presses)
    found = as_json(file, *WHOLE_DAY)
    assert found["rules"] == {"forced": {"did": 2, "would": 2, "both": 2, "kept_back": 0}}
    assert {each["rule"] for each in found["firings"]} == {"forced"}


@pytest.mark.parametrize("closed", [True, False])
async def test_what_came_due_while_the_hub_was_down_is_looked_at_after_its_start(
    tmp_path: Path, closed: bool
) -> None:
    """As the hub does: what had ended by then does not fire, what had not does."""
    clock = FakeClock(EVENING)
    rules = {"open": OPEN}
    file, state = tmp_path / "school.yaml", tmp_path / ".vestibule"
    file.write_text(yaml.safe_dump(SCHOOL | {"rules": rules}), encoding="utf-8")
    state.mkdir()
    async with school(state, clock, **SCHOOL, rules=rules) as house:
        await house.intake.accept(house.door_event("door.opened", "gate"))
    await clock.advance(600)
    async with school(state, clock, **SCHOOL, rules=rules) as house:
        await house.intake.accept(Event("hub.started", "hub", clock.now()))
        if closed:
            await house.intake.accept(house.door_event("door.closed", "gate"))
        await clock.advance(60)
        await house.intake.lapse()
    fired = 0 if closed else 1
    found = as_json(file, *WHOLE_DAY)["rules"]["open"]
    assert found == {"did": fired, "would": fired, "both": fired, "kept_back": 0}


async def test_a_faulty_draft_is_told_with_line_and_column(tmp_path: Path) -> None:
    """Its own file, line and column; what is not there is said as well."""
    file = await lived(tmp_path, {}, an_evening)
    draft = tmp_path / "draft.yaml"
    draft.write_text(
        "rules:\n  r:\n    name: R\n    when: door.forced\n"
        "    if: {door: stor, where: speed > 3}\n    alert: {severity: note}\n",
        encoding="utf-8",
    )
    done = run(file, "--rules", draft)
    assert done.exit_code == 1
    where, door = done.stdout.splitlines()
    assert where.startswith(f"{draft}:5:16: rules.r.if.door: 'stor' names nothing")
    assert door.startswith(f"{draft}:5:29: rules.r.if.where: at character 1: speed is not known")
    draft.write_text("places: {}\n", encoding="utf-8")
    assert "holds no rules; expected a section `rules:`" in run(file, "--rules", draft).stdout
    missing = run(file, "--rules", tmp_path / "none.yaml")
    assert (missing.exit_code, "cannot be read" in missing.output) == (2, True)


def newer(journal: Path) -> None:
    """As a later Vestibule would leave it."""
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")


def damaged(journal: Path) -> None:
    """A page in the middle is not what it was."""
    with journal.open("r+b") as file:
        file.seek(0)
        file.write(b"no database at all")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (newer, "was written by a newer Vestibule"),
        (damaged, "is damaged"),
        (Path.unlink, "there is no journal"),
        (lambda journal: journal.write_bytes(b""), "is no journal"),
    ],
)
async def test_a_journal_that_cannot_be_read_is_told_in_a_sentence(
    tmp_path: Path, harm: Callable[[Path], None], words: str
) -> None:
    """A newer one, a damaged one, none, or another file: status 2 and no traceback."""
    file = await lived(tmp_path, {}, an_evening)
    harm(tmp_path / ".vestibule/journal.db")
    done = run(file, *WHOLE_DAY)
    assert done.exit_code == 2
    assert words in done.output
    assert "Traceback" not in done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)


@pytest.mark.parametrize("since", ["yesterday", "2026-13-01", "2099-01-01"])
def test_a_moment_that_is_none_is_a_wrong_command_line(tmp_path: Path, since: str) -> None:
    """Words, a month 13 and the future."""
    file = tmp_path / "school.yaml"
    shutil.copy(Path(__file__).parents[3] / "config.example.yaml", file)
    shutil.copytree(Path(__file__).parents[3] / "examples", tmp_path / "examples")
    done = run(file, "--since", since)
    assert done.exit_code == 64, done.output


async def test_one_rule_alone_is_read_for_what_it_looks_at(tmp_path: Path) -> None:
    """The same firings as among others, from fewer events; more than were asked for stop it."""
    rules = {"forced": FORCED, "open": OPEN, "twice": TWICE | {"alert": ALERT}}
    file = await lived(tmp_path, rules, an_evening)
    config = load_config(file)
    since = EVENING - timedelta(hours=1)
    engine = open_readers(tmp_path / ".vestibule" / "journal.db", 1)
    steps: list[tuple[int, int]] = []

    def replayed(**more: Any) -> Replayed:
        replay = Replay(config, since, EVENING + timedelta(hours=1), **more)
        with engine.begin() as connection:
            return replay.run(connection, lambda done, of: steps.append((done, of)))

    whole, alone = replayed(), replayed(only="twice")
    assert alone.counts(["twice"]) == {"twice": whole.counts(rules)["twice"]}
    assert alone.events == 2 < whole.events
    assert {firing.rule for firing in alone.firings} == {"twice"}
    assert steps[-1][0] == steps[-1][1] > 0
    with pytest.raises(TooMany) as many:
        replayed(only="forced", most=1)
    assert many.value.moment == EVENING + timedelta(minutes=2)
    engine.dispose()
