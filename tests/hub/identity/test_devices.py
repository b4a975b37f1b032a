"""Enrolled devices: a token shown once, kept as a digest, good until revoked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from hub.errors import Refused
from hub.identity import devices
from hub.identity.accounts import identify_token
from hub.storage.journal import open_engine
from hub.storage.schema import devices as table

NOW = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """A journal to write to."""
    engine = open_engine(tmp_path / "journal.db")
    with engine.begin() as opened:
        yield opened
    engine.dispose()


def test_a_token_is_good_until_its_device_is_revoked(connection: Connection) -> None:
    """Its digest alone is kept; it is no API token, and a revoked name may be enrolled again."""
    id_, token = devices.enrol(connection, " Room  12 ", "room", "it", NOW)
    row = devices.identify(connection, token)
    assert row is not None
    assert (row.id, row.name, row.place) == (id_, "Room 12", "room")
    kept = connection.execute(select(table)).one()
    assert token not in str(kept)
    assert identify_token(connection, token) is None
    devices.used(connection, id_, NOW)
    assert devices.get(connection, id_).last_used == "2026-03-02T00:00:00.000Z"
    with pytest.raises(Refused, match="already a device called Room 12"):
        devices.enrol(connection, "Room 12", "room", "it", NOW)
    devices.revoke(connection, id_, NOW)
    devices.revoke(connection, id_, NOW)
    assert devices.identify(connection, token) is None
    other, _ = devices.enrol(connection, "Room 12", "room", "it", NOW)
    assert [each.id for each in devices.every(connection)] == [other, id_]


@pytest.mark.parametrize("token", ["", "vsd_", "vsd_made-up", "vst_x", "vsd_" + "x" * 500])
def test_what_is_no_token_is_nobodys(connection: Connection, token: str) -> None:
    """Whatever is sent, only a token that was handed out is known."""
    devices.enrol(connection, "Room 12", "room", "it", NOW)
    assert devices.identify(connection, token) is None


def test_what_is_not_there_cannot_be_revoked(connection: Connection) -> None:
    """An unknown device is an error, and a name without letters is none."""
    with pytest.raises(KeyError):
        devices.revoke(connection, "none", NOW)
    with pytest.raises(Refused, match="printable"):
        devices.enrol(connection, "  ", "room", "it", NOW)
