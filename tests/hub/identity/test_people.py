"""Accounts in the hands of whoever manages them: nobody gets more by it, and somebody is left."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

from hub.errors import Refused
from hub.identity import accounts, guests, people
from hub.identity.openid import Person
from hub.identity.people import Hand, id_of, permissions_of
from hub.identity.provider_accounts import come_in
from hub.identity.setup_links import use_setup_link, whose_setup_link
from hub.storage.database import open_engine
from hub.storage.identity_tables import users

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
BOSS = Hand("Boss", permissions_of("admin", None))
IT = Hand("Technician", permissions_of("it", None))


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[Connection]:
    """One transaction on a journal with an administrator and a technician."""
    engine = open_engine(tmp_path / "journal.db")
    with engine.begin() as connection:
        for name, role in (("Boss", "admin"), ("Technician", "it")):
            accounts.add_user_with_hash(connection, name, role, "hash", now=NOW)
        yield connection
    engine.dispose()


def test_a_link_does_not_outlive_the_role_it_was_made_for(conn: Connection) -> None:
    """Else whoever made it for somebody of theirs would come in as the administrator that they
    have become.
    """
    link = people.add(conn, IT, "Helper", "it", NOW, None)
    assert whose_setup_link(conn, link, NOW) == "Helper"
    people.give_role(conn, BOSS, id_of("Helper"), "admin", NOW, None)
    assert whose_setup_link(conn, link, NOW) is None
    with pytest.raises(Refused):
        use_setup_link(conn, link, "Helper", "known to IT", NOW)
    with pytest.raises(Refused, match="more than you"):
        people.link(conn, IT, id_of("Helper"), NOW, None)
    fresh = people.link(conn, BOSS, id_of("Helper"), NOW, None)
    assert whose_setup_link(conn, fresh, NOW) == "Helper"


def test_a_link_does_not_outlive_being_locked_out(conn: Connection) -> None:
    """Somebody who is let in again gets a new one."""
    link = people.add(conn, BOSS, "Helper", "it", NOW, None)
    people.lock(conn, BOSS, id_of("Helper"), NOW, None)
    people.unlock(conn, BOSS, id_of("Helper"), NOW, None)
    assert whose_setup_link(conn, link, NOW) is None


def test_links_that_somebody_made_do_not_outlive_being_locked_out(conn: Connection) -> None:
    """Neither those by which people choose a password nor those for guests: they may have kept one,
    and come in again by it. Tokens are named: programs live on them.
    """
    link = people.add(conn, IT, "Helper", "it", NOW, None)
    life = timedelta(hours=4)
    mine, _ = guests.invite(conn, "Crew", "school", (), "", life, "Technician", NOW)
    other, _ = guests.invite(conn, "Squad", "school", (), "", life, "Boss", NOW)
    accounts.create_token(conn, "screens", "it", now=NOW, by="Technician")
    people.lock(conn, BOSS, id_of("Technician"), NOW, None)
    assert whose_setup_link(conn, link, NOW) is None
    assert not guests.get(conn, mine.id).open(NOW)
    assert guests.get(conn, mine.id).revoked_by == "Boss"
    assert guests.get(conn, other.id).open(NOW)
    assert people.tokens_made_by(conn, "Technician") == ["screens"]


def test_links_that_somebody_made_do_not_outlive_their_role(conn: Connection) -> None:
    """Who may give less now has given nothing for later."""
    accounts.add_user_with_hash(conn, "Second", "admin", "hash", now=NOW)
    second = Hand("Second", permissions_of("admin", None))
    link = people.add(conn, second, "Helper", "admin", NOW, None)
    people.give_role(conn, BOSS, id_of("Second"), "viewer", NOW, None)
    assert whose_setup_link(conn, link, NOW) is None


def test_who_has_no_password_yet_does_not_count_as_left(conn: Connection) -> None:
    """Their link may run out unused, and then nobody could manage anything."""
    link = people.add(conn, BOSS, "Other", "admin", NOW, None)
    with pytest.raises(Refused, match="Make another administrator first"):
        people.give_role(conn, BOSS, id_of("Boss"), "it", NOW, None)
    other = Hand("Other", BOSS.may)
    with pytest.raises(Refused, match="Make another administrator first"):
        people.lock(conn, other, id_of("Boss"), NOW, None)
    assert use_setup_link(conn, link, "Other", "hash", NOW) is not None
    people.give_role(conn, BOSS, id_of("Boss"), "it", NOW, None)


def test_an_account_of_the_schools_sign_in_counts_as_left(conn: Connection) -> None:
    """It has no password here, and needs none."""
    conn.execute(
        update(users).where(users.c.name == "Technician").values(
            role="admin", password_hash="", issuer="https://login.example", subject="u-1"
        )
    )  # fmt: skip
    people.give_role(conn, BOSS, id_of("Boss"), "it", NOW, None)


@pytest.mark.parametrize("name", ["élise", "ÉLISE", " Élise ", "boss", "BO\u00a0SS", "Bo  ss"])
def test_a_name_is_one_persons_however_it_is_written(conn: Connection, name: str) -> None:
    """Notices go by names, capitals or not: nobody hears those of another by a name like it."""
    for known in ("Élise", "Bo ss"):
        accounts.add_user_with_hash(conn, known, "it", "hash", now=NOW)
    with pytest.raises(Refused, match="already an account"):
        people.add(conn, BOSS, name, "it", NOW, None)
    there = Person("https://login.example", "u-2", accounts.clean_name(name), "it")
    with pytest.raises(Refused, match="already an account"):
        come_in(conn, there, None, NOW)


@pytest.mark.parametrize("name", ["gate (token)", "Ada (Guest)", "x (token) "])
def test_no_person_is_called_as_records_call_a_program_or_a_guest(
    conn: Connection, name: str
) -> None:
    """The audit would tell of another, and a program's repeated request would be theirs."""
    with pytest.raises(Refused, match="does not end like this"):
        people.add(conn, BOSS, name, "it", NOW, None)
