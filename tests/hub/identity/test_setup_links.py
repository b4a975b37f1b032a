"""Links behind which somebody chooses a password."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyotp
import pytest
from sqlalchemy import Connection, select

from hub.errors import Refused
from hub.identity import accounts, factors
from hub.identity.setup_links import (
    FOR_PEOPLE,
    create_setup_link,
    first_setup_link,
    use_setup_link,
    whose_setup_link,
)
from hub.storage.database import open_engine
from hub.storage.identity_tables import setup_links, users

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[Connection]:
    """One transaction on a journal with two accounts."""
    engine = open_engine(tmp_path / "journal.db")
    with engine.begin() as connection:
        for name in ("boss", "desk"):
            accounts.add_user_with_hash(connection, name, "admin", "old hash", now=NOW)
        yield connection
    engine.dispose()


def link_for(conn: Connection, user: str = "desk") -> str:
    """A new link for somebody."""
    return create_setup_link(conn, NOW, FOR_PEOPLE, user=user, by="boss")


def test_a_link_sets_the_password_of_its_account_and_of_no_other(conn: Connection) -> None:
    """Whatever name comes along; the role stays, open sessions end, and it works once."""
    before = accounts.open_session(conn, "desk", NOW)
    link = link_for(conn)
    opened = use_setup_link(conn, link, "boss", "new hash", NOW)
    assert opened is not None
    assert opened.identity.name == "desk"
    kept = dict(conn.execute(select(users.c.name, users.c.password_hash)).all())
    assert kept == {"boss": "old hash", "desk": "new hash"}
    assert accounts.identify_session(conn, before.secret, NOW) is None
    with pytest.raises(Refused):
        use_setup_link(conn, link, "desk", "another hash", NOW)


def test_a_link_does_not_stand_in_for_the_second_factor(conn: Connection) -> None:
    """Whoever gets hold of it has a password, and still no session."""
    secret = factors.begin_authenticator(conn, "desk", NOW)
    factors.confirm_authenticator(conn, "desk", pyotp.TOTP(secret).at(NOW), "", NOW)
    assert use_setup_link(conn, link_for(conn), "desk", "new hash", NOW) is None
    assert accounts.sessions_of(conn, "desk", NOW) == []


def test_a_newer_link_ends_the_older_ones_of_the_same_account(conn: Connection) -> None:
    """One that went astray works no more once another is made."""
    first, other = link_for(conn), link_for(conn, "boss")
    second = link_for(conn)
    found = [whose_setup_link(conn, each, NOW) for each in (first, second, other)]
    assert found == [None, "desk", "boss"]


def test_a_link_runs_out_and_is_of_no_use_to_who_is_locked_out(conn: Connection) -> None:
    """Two days; and nobody comes in by an old link who was locked out since."""
    link = link_for(conn)
    assert whose_setup_link(conn, link, NOW + FOR_PEOPLE - timedelta(seconds=1)) == "desk"
    assert whose_setup_link(conn, link, NOW + FOR_PEOPLE) is None
    conn.execute(users.update().where(users.c.name == "desk").values(locked="since"))
    assert whose_setup_link(conn, link, NOW) is None


def test_only_digests_are_kept_and_the_first_link_is_for_an_empty_hub(conn: Connection) -> None:
    """Nobody reads a link from the journal; with an account there is no first one any more."""
    link = link_for(conn)
    assert link not in str(conn.execute(select(setup_links)).all())
    assert first_setup_link(conn, NOW, timedelta(hours=1)) is None
