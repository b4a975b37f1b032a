"""The audit's chain: what gets a line, and that none can be changed where it lies."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from hub.clock import iso
from hub.errors import StateError
from hub.events import EVENT_TYPES, Event
from hub.identity import accounts
from hub.origin import THIS_MACHINE, account_here, origin, present_origin
from hub.storage import audit, audit_key, audit_looks, audit_owed, eventlog
from hub.storage.audit_acts import ACTS, TYPES, Act, act_of, plain
from hub.storage.audit_looks import Look
from hub.storage.journal import Journal, open_engine

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "audit.md"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """A connection to a new journal."""
    engine = open_engine(tmp_path / "journal.db")
    with engine.begin() as made:
        yield made
    engine.dispose()


def lines(connection: Connection) -> list[dict[str, object]]:
    """The chain as it lies in the journal."""
    rows = connection.exec_driver_sql("SELECT * FROM audit ORDER BY number")
    return [dict(row._mapping) for row in rows]


def happened(connection: Connection, name: str, subject: str = "a1", **data: object) -> None:
    """Journal an event."""
    event = Event(name, "person/x", NOW, subject, data)
    eventlog.append(connection, event, NOW, eventlog.encode(event.data))


def test_an_act_has_its_line_in_the_transaction_of_its_event(connection: Connection) -> None:
    """Who, on what and how it went stand beside the event; motion leaves no line."""
    happened(connection, "zone.entered", "lobby")
    happened(connection, "alert.verified", by="Ana", note="saw it")
    (line,) = lines(connection)
    assert (line["number"], line["who"], line["act"]) == (1, "Ana", "alert.verified")
    assert (line["subject"], line["outcome"], line["time"]) == ("a1", "done", iso(NOW))
    assert line["previous"] == audit.NOTHING
    assert "saw it" not in str(line)  # what people write stays in the incident


def test_lines_close_a_chain(connection: Connection) -> None:
    """Each line holds the hash of the one before, and numbers have no gap."""
    for _ in range(3):
        happened(connection, "alert.verified", by="Ana")
    found = lines(connection)
    assert [line["number"] for line in found] == [1, 2, 3]
    assert [line["previous"] for line in found[1:]] == [line["hash"] for line in found[:2]]


def test_an_event_that_comes_twice_has_one_line(connection: Connection) -> None:
    """What the journal takes once is audited once."""
    event = Event("alert.verified", "person/x", NOW, "a1", {"by": "Ana"})
    for _ in range(2):
        eventlog.append(connection, event, NOW, "{}")
    assert len(lines(connection)) == 1


def test_a_door_is_asked_and_answers(connection: Connection) -> None:
    """A command has a line, its outcome another; a repeat and a notice have none."""
    facts = {"kind": "door", "verb": "unlock", "by": "Ana", "reason": "delivery"}
    happened(connection, "action.requested", "main", **facts)
    happened(connection, "action.requested", "main", **facts, again=True)
    happened(connection, "action.timed_out", "main", **facts, seconds=10.0)
    happened(connection, "action.confirmed", "mail", kind="notice", by="Ana")
    found = lines(connection)
    assert [(each["act"], each["outcome"]) for each in found] == [
        ("door.asked", "asked"), ("door.answered", "no answer"),
    ]  # fmt: skip
    assert found[0]["details"] == '{"reason":"delivery","verb":"unlock"}'
    assert '"seconds":10' in str(found[1]["details"])


def test_what_the_hub_does_by_itself_is_named_so(connection: Connection) -> None:
    """A rule opens no incident by hand, and a device is named where nobody signed in."""
    happened(connection, "incident.opened", incident="i1")
    happened(connection, "incident.closed", by="")
    happened(connection, "panic.pressed", by="", device="Room 12")
    assert [(each["act"], each["who"]) for each in lines(connection)] == [
        ("incident.closed", "hub"), ("panic.pressed", "Room 12"),
    ]  # fmt: skip


def test_every_act_is_one_of_the_vocabulary() -> None:
    """Types of events that are acts exist, and each act has its sentence."""
    assert set(EVENT_TYPES) >= TYPES
    for kind in TYPES:
        found = act_of(Event(kind, "x", NOW, "s", {"by": "Ana", "kind": "door"}))
        assert found is not None
        assert found.act in ACTS


def test_duress_leaves_no_line_where_who_forces_them_could_read_it() -> None:
    """The audit's page is no place that gives away a PIN for duress."""
    assert "protocol.duress" not in TYPES


def test_every_act_is_documented() -> None:
    """docs/reference/audit.md has the vocabulary, sentence by sentence."""
    text = PAGE.read_text(encoding="utf-8")
    for act, meaning in ACTS.items():
        assert f"| `{act}` | {meaning} |" in text, act


@pytest.mark.parametrize(
    "statement", ["UPDATE audit SET who = 'Eve'", "DELETE FROM audit WHERE number = 1"]
)
def test_no_line_is_changed_or_taken_out(connection: Connection, statement: str) -> None:
    """The journal itself refuses, whatever asks."""
    happened(connection, "alert.verified", by="Ana")
    with pytest.raises(DBAPIError, match="no line of the audit is"):
        connection.exec_driver_sql(statement)


def test_text_is_kept_in_one_form_and_bounded(connection: Connection) -> None:
    """Letters put together otherwise are the same name; half a character and fractions go."""
    happened(connection, "alert.verified", by="Zoe\u0308")
    audit.append(connection, Act("token.made", "x\ud800", "t", details={"a": 1.5}), NOW)
    found = lines(connection)
    assert found[0]["who"] == "Zo\u00eb"
    assert found[1]["who"] == "x?"
    assert found[1]["details"] == '{"a":"1.500"}'
    assert len(plain("x" * 999)) == 300
    assert plain([2.0, True, None, {"k": {1}}]) == [2, True, None, {"k": [1]}]


def test_safety_does_not_wait_for_the_audit(connection: Connection) -> None:
    """Where a line cannot be written the event stands, and the line follows later, marked."""
    connection.exec_driver_sql("ALTER TABLE audit RENAME TO elsewhere")
    happened(connection, "alert.verified", by="Ana")
    assert eventlog.last_seq(connection) == 1
    connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO audit")
    assert audit_owed.owed(connection) == [1]
    assert audit_owed.settle(connection, NOW + timedelta(hours=1)) == 1
    assert audit_owed.owed(connection) == []
    (line,) = lines(connection)
    assert line["time"] == iso(NOW + timedelta(hours=1))
    assert f'"was":"{iso(NOW)}"' in str(line["details"])


def test_what_is_no_act_owes_no_line(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was looked at once is not looked at again, also where no act comes for long."""
    audit_owed.begin(connection)
    happened(connection, "action.confirmed", "mail", kind="notice", by="Ana")
    assert audit_owed.behind(connection)
    assert audit_owed.settle(connection, NOW) == 0
    assert not audit_owed.behind(connection)
    monkeypatch.setattr(audit_owed, "FAR", 2)
    for passed in (False, False, True):
        happened(connection, "zone.entered", "lobby")
        assert audit_owed.behind(connection) is passed
    assert audit_owed.settle(connection, NOW) == 0
    assert not audit_owed.behind(connection)
    assert lines(connection) == []


def test_an_act_that_needs_its_line_is_not_done_without(connection: Connection) -> None:
    """A session is not opened where nothing can say so."""
    accounts.add_user_with_hash(connection, "Ana", "sro", "no password", now=NOW)
    connection.exec_driver_sql("ALTER TABLE audit RENAME TO elsewhere")
    with pytest.raises(DBAPIError):
        accounts.open_session(connection, "Ana", NOW)


def test_acts_from_before_the_audit_are_not_owed(connection: Connection) -> None:
    """A journal that comes forward begins its chain then, and not with acts of years ago."""
    event = Event("alert.verified", "person/x", NOW, "a1", {"by": "Ana"})
    connection.exec_driver_sql("ALTER TABLE audit RENAME TO elsewhere")
    eventlog.append(connection, event, NOW, "{}")
    connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO audit")
    audit_owed.begin(connection)
    assert audit_owed.owed(connection) == []


def test_accounts_leave_lines_and_no_secret(connection: Connection) -> None:
    """Accounts, tokens and sessions: who, which role, from where; never what opens them."""
    with origin("root on this machine", THIS_MACHINE):
        accounts.set_user(connection, "Ana", "sro", "hash-1", now=NOW)
        accounts.set_user(connection, "Ana", "admin", "hash-2", now=NOW)
        token = accounts.create_token(connection, "script", "it", now=NOW)
        accounts.revoke_token(connection, "script", NOW)
        accounts.revoke_token(connection, "script", NOW)
    with origin("", "10.0.0.7"):
        first = accounts.open_session(connection, "Ana", NOW)
        accounts.open_session(connection, "Ana", NOW)
        accounts.end_other_sessions(connection, "Ana", first.identity.digest, NOW)
        accounts.end_session(connection, first.identity.digest, NOW)
        accounts.end_session(connection, first.identity.digest, NOW)
    found = lines(connection)
    assert [each["act"] for each in found] == [
        "account.added", "account.changed", "token.made", "token.revoked",
        "session.opened", "session.opened", "session.others_closed", "session.closed",
    ]  # fmt: skip
    assert {each["who"] for each in found[:4]} == {"root on this machine"}
    assert {each["address"] for each in found[:4]} == {THIS_MACHINE}
    assert {each["address"] for each in found[4:]} == {"10.0.0.7"}
    assert found[1]["details"] == '{"role":"admin"}'
    for secret in (token, "hash-1", "hash-2", first.secret, first.identity.digest):
        assert secret not in str(found)


async def test_a_line_knows_where_its_request_came_from(tmp_path: Path) -> None:
    """The writer's thread is told, and once a request is over nothing comes from it."""
    journal = Journal(tmp_path / "journal.db")
    await journal.open()
    act = Act("alert.verified", "Ana")
    with origin("Ana", "10.0.0.7") as here:
        await journal.write(lambda c: audit.append(c, act, NOW))
        await journal.write(lambda c: audit.append(c, Act("alert.verified", "Ben"), NOW))
        here.over = True
        assert present_origin() is None
        await journal.write(lambda c: audit.append(c, act, NOW))
    found = await journal.read(lines)
    assert [each["address"] for each in found] == ["10.0.0.7", "", ""]
    await journal.close()


def test_whoever_runs_a_command_is_named() -> None:
    """A command line has no network address, but a machine and an account on it."""
    assert account_here().endswith(f" on {THIS_MACHINE}")


def look(id_: str = "l1") -> Look:
    """Somebody looks at the lobby."""
    about = ("Ana", "10.0.0.7", "view.live", "camera/lobby", "")
    return Look(id_, *about, iso(NOW), iso(NOW), 0.0, 0.0)


def test_a_look_is_one_line_from_start_to_stop(connection: Connection) -> None:
    """However many pictures it was."""
    seen = look()
    audit_looks.begin(connection, seen)
    assert [each["who"] for each in audit_looks.open_looks(connection)] == ["Ana"]
    assert lines(connection) == []
    seen.until, seen.pictures = iso(NOW + timedelta(minutes=5)), 600
    audit_looks.finish(connection, [seen], NOW + timedelta(minutes=6))
    (line,) = lines(connection)
    assert (line["act"], line["subject"]) == ("view.live", "camera/lobby")
    assert line["details"] == (
        f'{{"pictures":600,"since":"{iso(NOW)}","until":"{iso(NOW + timedelta(minutes=5))}"}}'
    )
    assert audit_looks.open_looks(connection) == []


def test_a_look_that_a_stop_cut_off_has_its_line_at_the_next_start(connection: Connection) -> None:
    """It is on the disk from its first picture on."""
    audit_looks.begin(connection, look("l1"))
    audit_looks.begin(connection, look("l2"))
    assert audit_looks.finish_left_over(connection, NOW, {"l2"}) == 1
    (line,) = lines(connection)
    assert line["outcome"] == "cut off by a stop"
    assert len(audit_looks.open_looks(connection)) == 1


def test_the_key_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    """The same key ever after, readable by nobody else."""
    first = audit_key.load_or_make(tmp_path)
    assert (tmp_path / audit_key.FILE).stat().st_mode & 0o777 == 0o600
    assert audit_key.public_of(audit_key.load_or_make(tmp_path)) == audit_key.public_of(first)
    assert [each.name for each in tmp_path.iterdir()] == [audit_key.FILE]


def test_a_damaged_key_is_not_replaced(tmp_path: Path) -> None:
    """Which key signs changes only when somebody wants it, and a line says so."""
    (tmp_path / audit_key.FILE).write_text("no key")
    with pytest.raises(StateError, match=r"is damaged\. Put it back"):
        audit_key.load_or_make(tmp_path)
    assert (tmp_path / audit_key.FILE).read_text() == "no key"


def test_a_day_keeps_its_newest_signature(connection: Connection, tmp_path: Path) -> None:
    """Signing each minute does not fill the journal."""
    key = audit_key.load_or_make(tmp_path)
    assert audit_key.sign_end(connection, key, NOW) is None
    assert audit_key.announce(connection, audit_key.public_of(key), NOW)
    assert not audit_key.announce(connection, audit_key.public_of(key), NOW)
    for minutes in (1, 2, 1500, 1501):
        happened(connection, "alert.verified", by="Ana")
        audit_key.sign_end(connection, key, NOW + timedelta(minutes=minutes))
    kept = connection.exec_driver_sql("SELECT number FROM audit_heads").scalars().all()
    assert kept == [3, 5]


def test_the_lines_stay_when_the_journal_is_copied(connection: Connection, tmp_path: Path) -> None:
    """A copy of the file refuses changes as the file does."""
    happened(connection, "alert.verified", by="Ana")
    connection.commit()
    with sqlite3.connect(tmp_path / "copy.db") as copy:
        sqlite3.connect(tmp_path / "journal.db").backup(copy)
        with pytest.raises(sqlite3.IntegrityError, match="no line of the audit"):
            copy.execute("DELETE FROM audit")
    copy.close()
