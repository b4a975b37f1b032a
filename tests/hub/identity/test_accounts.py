from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, select

from hub.config import RoleBlock
from hub.errors import Refused
from hub.identity import accounts
from hub.identity import setup_links as links
from hub.identity.passwords import password_matches
from hub.storage.database import open_engine
from hub.storage.identity_tables import sessions, setup_links, tokens, users

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A journal's file, as the command line opens it."""
    made = open_engine(tmp_path / "journal.db")
    yield made
    made.dispose()


@pytest.fixture
def conn(engine: Engine) -> Iterator[Connection]:
    """One transaction on it."""
    with engine.begin() as connection:
        yield connection


def test_a_person_added_has_a_hash_and_no_password(conn: Connection) -> None:
    """The table holds an argon2id hash that only the password fits."""
    accounts.add_user(conn, "  Front   desk ", "front_office", "correct horse", now=NOW)
    row = conn.execute(select(users)).one()
    assert (row.name, row.role) == ("Front desk", "front_office")
    assert row.password_hash.startswith("$argon2id$")
    assert password_matches(row.password_hash, "correct horse")
    assert not password_matches(row.password_hash, "correct horsf")


@pytest.mark.parametrize(
    ("name", "role", "password", "said"),
    [
        ("", "admin", "long enough too", "name needs"),
        ("x" * 65, "admin", "long enough too", "name needs"),
        ("a\x00b", "admin", "long enough too", "name needs"),
        ("desk", "emperor", "long enough too", "no role called emperor"),
        ("desk", "admin", "short", "at least 12"),
        ("desk", "admin", "x" * 513, "at most 512"),
    ],
)
def test_a_bad_account_is_refused_in_words(
    conn: Connection, name: str, role: str, password: str, said: str
) -> None:
    """What is wrong is said, and nothing is added."""
    with pytest.raises(Refused, match=said):
        accounts.add_user(conn, name, role, password)
    assert accounts.count_users(conn) == 0


def test_a_name_is_given_once(conn: Connection) -> None:
    """Nobody's password is changed by making an account of the same name."""
    accounts.add_user_with_hash(conn, "desk", "admin", "first")
    with pytest.raises(Refused, match="already an account"):
        accounts.add_user_with_hash(conn, "desk", "admin", "second")
    assert accounts.password_hash_of(conn, "desk") == "first"


def test_a_new_password_from_the_command_line_signs_out_everywhere(conn: Connection) -> None:
    """Adding a known name again resets the password and role, and ends the old sessions."""
    accounts.add_user_with_hash(conn, "desk", "admin", "forgotten")
    old = accounts.open_session(conn, "desk", NOW)
    accounts.add_user(conn, "desk", "viewer", "a new password", now=NOW)
    assert accounts.identify_session(conn, old.secret, NOW) is None
    row = conn.execute(select(users)).one()
    assert row.role == "viewer"
    assert password_matches(row.password_hash, "a new password")


def test_a_role_of_the_configuration_can_be_given(conn: Connection) -> None:
    """Roles from the file count as known."""
    roles = {"porter": RoleBlock(may=("see.doors",))}
    accounts.add_user_with_hash(conn, "desk", "porter", "hash", roles=roles)
    assert accounts.count_users(conn) == 1


def test_a_token_identifies_until_revoked_and_is_stored_as_a_digest(conn: Connection) -> None:
    """Only the SHA-256 of a token is kept; a revoked one identifies nobody."""
    token = accounts.create_token(conn, "door script", "it", now=NOW)
    stored = conn.execute(select(tokens)).one()
    assert token not in stored
    who = accounts.identify_token(conn, token)
    assert who is not None
    assert (who.name, who.role, who.by) == ("door script", "it", "door script (token)")
    assert accounts.identify_token(conn, token.swapcase()) is None
    assert accounts.identify_token(conn, token[:-1]) is None
    assert accounts.identify_token(conn, stored.digest) is None
    with pytest.raises(Refused, match="already a token"):
        accounts.create_token(conn, "door script", "admin")
    assert accounts.revoke_token(conn, "door script", NOW)
    assert accounts.identify_token(conn, token) is None
    assert not accounts.revoke_token(conn, "door script", NOW)


def test_a_session_ends_by_time_and_by_hand(conn: Connection) -> None:
    """A session lives twelve hours unless it is revoked; its secret is not stored."""
    accounts.add_user_with_hash(conn, "desk", "sro", "hash")
    opened = accounts.open_session(conn, "desk", NOW)
    assert opened.secret not in conn.execute(select(sessions)).one()
    assert accounts.identify_session(conn, opened.secret, NOW) == opened.identity
    just_before = NOW + accounts.SESSION_LIFE - timedelta(seconds=1)
    assert accounts.identify_session(conn, opened.secret, just_before)
    assert accounts.identify_session(conn, opened.secret, NOW + accounts.SESSION_LIFE) is None
    accounts.end_session(conn, opened.identity.digest, NOW)
    assert accounts.identify_session(conn, opened.secret, NOW) is None


def test_a_session_follows_the_role_of_today(conn: Connection) -> None:
    """Taking a role away works on sessions that are already open; so does removing the person."""
    accounts.add_user_with_hash(conn, "desk", "admin", "hash")
    opened = accounts.open_session(conn, "desk", NOW)
    conn.execute(users.update().values(role="viewer"))
    who = accounts.identify_session(conn, opened.secret, NOW)
    assert who is not None
    assert who.role == "viewer"
    conn.execute(users.delete())
    assert accounts.identify_session(conn, opened.secret, NOW) is None


def test_signing_out_elsewhere_spares_this_session_and_other_people(conn: Connection) -> None:
    """Only the other sessions of the same person end."""
    for name in ("desk", "nurse"):
        accounts.add_user_with_hash(conn, name, "sro", "hash")
    mine, old = (accounts.open_session(conn, "desk", NOW) for _ in range(2))
    nurses = accounts.open_session(conn, "nurse", NOW)
    assert len(accounts.sessions_of(conn, "desk", NOW)) == 2
    assert accounts.end_other_sessions(conn, "desk", mine.identity.digest, NOW) == 1
    assert accounts.identify_session(conn, old.secret, NOW) is None
    assert accounts.identify_session(conn, mine.secret, NOW)
    assert accounts.identify_session(conn, nurses.secret, NOW)


def test_sessions_that_ran_out_are_cleared_away(conn: Connection) -> None:
    """The table does not grow with every sign-in for ever."""
    accounts.add_user_with_hash(conn, "desk", "sro", "hash")
    accounts.open_session(conn, "desk", NOW)
    accounts.open_session(conn, "desk", NOW + timedelta(days=2))
    assert len(conn.execute(select(sessions)).all()) == 1


def test_a_setup_link_makes_one_account_once(conn: Connection) -> None:
    """The first account is an administrator; the link, and every other link, is then used up."""
    link = links.create_setup_link(conn, NOW, timedelta(hours=1))
    other = links.create_setup_link(conn, NOW, timedelta(hours=1))
    assert link not in conn.execute(select(setup_links.c.digest)).scalars().all()
    assert links.setup_link_open(conn, link, NOW)
    opened = links.use_setup_link(conn, link, "desk", "hash", NOW)
    assert opened.identity.role == "admin"
    for used in (link, other):
        assert not links.setup_link_open(conn, used, NOW)
        with pytest.raises(Refused):
            links.use_setup_link(conn, used, "stranger", "hash", NOW)
    assert accounts.count_users(conn) == 1


def test_a_setup_link_runs_out(conn: Connection) -> None:
    """A link works until its time, and a made-up one never."""
    link = links.create_setup_link(conn, NOW, timedelta(minutes=30))
    assert links.setup_link_open(conn, link, NOW + timedelta(minutes=29))
    assert not links.setup_link_open(conn, link, NOW + timedelta(minutes=30))
    assert not links.setup_link_open(conn, "made-up", NOW)
