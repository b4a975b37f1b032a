"""What runs out by itself, and a clock that is set."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from hub.errors import Refused
from hub.identity import accounts, guests, setup_links
from hub.storage.journal import open_engine

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=300)
WRONG = datetime(2020, 1, 1, tzinfo=UTC)  # after a power cut, without a battery
HOUR = timedelta(hours=1)


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[Connection]:
    """A journal's connection."""
    engine = open_engine(tmp_path / "journal.db")
    with engine.begin() as connection:
        yield connection
    engine.dispose()


@pytest.mark.parametrize("now", [NOW - timedelta(minutes=5), NOW + HOUR / 2])
def test_what_has_not_run_out_is_good_over_small_corrections(
    conn: Connection, now: datetime
) -> None:
    """A clock that is set back by minutes takes nothing away."""
    guest, secret = guests.invite(conn, "Fire", "site", (), "", HOUR, "head", NOW)
    token = accounts.create_token(conn, "board", "admin", now=NOW, life=HOUR)
    link = setup_links.create_setup_link(conn, NOW, HOUR)
    assert guests.look_at(conn, secret, now).id == guest.id
    assert accounts.identify_token(conn, token, now) is not None
    assert setup_links.whose_setup_link(conn, link, now) == ""


@pytest.mark.parametrize("now", [LATER, WRONG])
def test_what_ran_out_is_not_good_again_by_a_wrong_clock(conn: Connection, now: datetime) -> None:
    """Links and tokens of last year open nothing on a machine that believes it is an earlier one;
    what never runs out works on, panic devices' tokens too.
    """
    _, secret = guests.invite(conn, "Fire", "site", (), "", HOUR, "head", NOW)
    kept = guests.open_on(conn, secret, "a phone", "", NOW)
    token = accounts.create_token(conn, "board", "admin", now=NOW, life=HOUR)
    for_ever = accounts.create_token(conn, "script", "admin", now=NOW)
    link = setup_links.create_setup_link(conn, NOW, HOUR)
    with pytest.raises(Refused, match="This link is over"):
        guests.look_at(conn, secret, now)
    assert guests.identify(conn, kept, now) is None
    assert accounts.identify_token(conn, token, now) is None
    assert setup_links.whose_setup_link(conn, link, now) is None
    assert accounts.identify_token(conn, for_ever, now) is not None


def test_what_is_made_by_a_wrong_clock_works_meanwhile(conn: Connection) -> None:
    """Whoever invites responders before the clock is right lets them in."""
    _, secret = guests.invite(conn, "Fire", "site", (), "", HOUR, "head", WRONG)
    assert guests.look_at(conn, secret, WRONG + HOUR / 2).name == "Fire"
