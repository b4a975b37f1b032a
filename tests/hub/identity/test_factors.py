"""Authenticator apps and recovery codes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyotp
import pytest
from sqlalchemy import Connection, select

from hub.errors import Refused
from hub.identity import accounts, factors
from hub.storage.audit_tables import lines
from hub.storage.database import open_engine
from hub.storage.identity_tables import authenticators, recovery_codes

NOW = datetime(2026, 3, 2, 8, 0, 15, tzinfo=UTC)
STEP = timedelta(seconds=30)


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[Connection]:
    """One transaction on a journal with one account."""
    engine = open_engine(tmp_path / "journal.db")
    with engine.begin() as connection:
        accounts.add_user_with_hash(connection, "desk", "sro", "hash", now=NOW)
        yield connection
    engine.dispose()


def shown(secret: str, moment: datetime) -> str:
    """What the app shows at a moment."""
    return pyotp.TOTP(secret).at(moment)


def set_up(conn: Connection) -> tuple[str, list[str]]:
    """An app that has shown its first code at NOW; its secret and the recovery codes."""
    secret = factors.begin_authenticator(conn, "desk", NOW)
    codes = factors.confirm_authenticator(conn, "desk", shown(secret, NOW), "", NOW)
    assert codes is not None
    return secret, codes


def test_an_app_counts_once_it_has_shown_a_code(conn: Connection) -> None:
    """A secret that was never confirmed asks nobody for a code and takes none at sign-in."""
    secret = factors.begin_authenticator(conn, "desk", NOW)
    assert not factors.has_factor(conn, "desk")
    assert factors.code_is_right(conn, "desk", shown(secret, NOW), NOW) is None
    assert factors.confirm_authenticator(conn, "desk", "000000", "", NOW) is None
    codes = factors.confirm_authenticator(conn, "desk", shown(secret, NOW), "", NOW)
    assert len(set(codes or [])) == 10
    assert factors.has_factor(conn, "desk")
    with pytest.raises(Refused, match="already"):
        factors.begin_authenticator(conn, "desk", NOW)


def test_a_code_works_once_and_for_a_step_either_side(conn: Connection) -> None:
    """A code that was seen over a shoulder opens nothing; a slow clock of half a minute does."""
    secret, _ = set_up(conn)
    assert factors.code_is_right(conn, "desk", shown(secret, NOW), NOW) is None
    later = NOW + 4 * STEP
    slow = shown(secret, later - STEP)
    assert factors.code_is_right(conn, "desk", f" {slow[:3]} {slow[3:]}", later) == "code"
    assert factors.code_is_right(conn, "desk", slow, later) is None
    assert factors.code_is_right(conn, "desk", shown(secret, later + STEP), later) == "code"
    assert factors.code_is_right(conn, "desk", shown(secret, later), later) is None
    far = later + 10 * STEP
    assert factors.code_is_right(conn, "desk", shown(secret, far - 2 * STEP), far) is None
    assert factors.code_is_right(conn, "desk", shown(secret, far + 2 * STEP), far) is None


@pytest.mark.parametrize("given", ["", "12345", "1234567", "١٢٣٤٥٦", "12345a", "-12345", "\0" * 6])
def test_what_is_no_code_is_none(conn: Connection, given: str) -> None:
    """Only six plain digits, or a whole recovery code, are looked at."""
    set_up(conn)
    assert factors.code_is_right(conn, "desk", given, NOW + 3 * STEP) is None


def test_a_recovery_code_works_once_however_it_is_typed(conn: Connection) -> None:
    """Small letters and spaces do no harm; the second time it is used up, and the audit has it."""
    _, codes = set_up(conn)
    kept = conn.execute(select(recovery_codes.c.digest)).scalars().all()
    assert len(kept) == 10
    assert not any(code in digest for code in codes for digest in kept)
    salts = {each.partition("$")[0] for each in kept}
    assert len(salts) == 10
    assert all(len(bytes.fromhex(salt)) == 16 for salt in salts)
    typed = f" {codes[3].lower().replace('-', ' ')} "
    assert factors.code_is_right(conn, "desk", typed, NOW) == "recovery"
    assert factors.code_is_right(conn, "desk", codes[3], NOW) is None
    assert factors.factors_of(conn, "desk").recovery_codes == 9
    acts = conn.execute(select(lines.c.act)).scalars().all()
    assert acts.count("factor.code_used") == 1


def test_the_same_code_is_stored_otherwise_each_time(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has a random salt of its own: no table made beforehand finds a code of 80 bits."""
    monkeypatch.setattr(factors, "_recovery_code", lambda: "ABCD-EFGH-JKLM-NPQR")
    _, codes = set_up(conn)
    kept = conn.execute(select(recovery_codes.c.digest)).scalars().all()
    assert len(set(codes)) == 1
    assert len({each.partition("$")[2] for each in kept}) == len(kept) == 10
    assert factors.code_is_right(conn, "desk", codes[0], NOW) == "recovery"
    assert factors.factors_of(conn, "desk").recovery_codes == 9


def test_a_code_of_one_account_opens_no_other(conn: Connection) -> None:
    """Neither an app's code nor a recovery code works for somebody else."""
    secret, codes = set_up(conn)
    accounts.add_user_with_hash(conn, "nurse", "nurse", "hash", now=NOW)
    factors.begin_authenticator(conn, "nurse", NOW)
    later = NOW + 3 * STEP
    for given in (shown(secret, later), codes[0]):
        assert factors.code_is_right(conn, "nurse", given, later) is None


def test_new_recovery_codes_take_the_place_of_the_old(conn: Connection) -> None:
    """A list that was lost opens nothing any more."""
    _, old = set_up(conn)
    new = factors.new_recovery_codes(conn, "desk", NOW)
    assert not set(old) & set(new)
    assert factors.code_is_right(conn, "desk", old[0], NOW) is None
    assert factors.code_is_right(conn, "desk", new[0], NOW) == "recovery"


def test_adding_or_removing_a_factor_ends_the_other_sessions(conn: Connection) -> None:
    """Whoever was signed in with less is signed out; the one who did it stays."""
    here, there = (accounts.open_session(conn, "desk", NOW) for _ in range(2))
    secret = factors.begin_authenticator(conn, "desk", NOW)
    factors.confirm_authenticator(conn, "desk", shown(secret, NOW), here.identity.digest, NOW)
    assert accounts.identify_session(conn, there.secret, NOW) is None
    mine = accounts.identify_session(conn, here.secret, NOW)
    assert mine is not None
    assert mine.way == "code"
    again = accounts.open_session(conn, "desk", NOW)
    factors.remove_authenticator(conn, "desk", here.identity.digest, NOW)
    assert accounts.identify_session(conn, again.secret, NOW) is None
    assert not factors.has_factor(conn, "desk")
    assert conn.execute(select(recovery_codes)).first() is None


def test_forgetting_takes_every_factor_and_session(conn: Connection) -> None:
    """After a lost phone the password alone signs in, and nothing of before is left."""
    set_up(conn)
    opened = accounts.open_session(conn, "desk", NOW)
    factors.forget_factors(conn, "desk", NOW)
    assert conn.execute(select(authenticators)).first() is None
    assert accounts.identify_session(conn, opened.secret, NOW) is None
    assert factors.factors_of(conn, "desk") == factors.Factors("", 0, 0)


def test_no_secret_and_no_code_stands_in_the_audit(conn: Connection) -> None:
    """Lines say that a factor came or went, never what it is made of."""
    secret, codes = set_up(conn)
    factors.code_is_right(conn, "desk", codes[0], NOW)
    told = " ".join(str(row) for row in conn.execute(select(lines)))
    assert "factor.added" in told
    assert secret not in told
    assert not any(code in told for code in codes)
