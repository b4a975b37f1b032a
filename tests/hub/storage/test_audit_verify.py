"""Exports of the audit, whole and tampered with."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from hub.audit_port import Asked, whole_day
from hub.storage import audit, audit_export, audit_key
from hub.storage.audit_acts import Act
from hub.storage.audit_verify import Broken, Sound, verify
from hub.storage.journal import open_engine

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
ALL = Asked()


class Hub:
    """The chain of one hub, which acts minute by minute."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.engine = open_engine(folder / "journal.db")
        self.key = audit_key.load_or_make(folder)
        self.now = NOW

    @property
    def public(self) -> str:
        """What its signatures are checked with."""
        return audit_key.public_of(self.key)

    def act(self, *who: str) -> None:
        """One line by each of these people."""
        with self.engine.begin() as connection:
            for name in who:
                self.now += timedelta(minutes=1)
                audit.append(connection, Act("alert.verified", name, "a1"), self.now)

    def sign(self) -> None:
        """Sign the end as it is."""
        with self.engine.begin() as connection:
            audit_key.sign_end(connection, self.key, self.now)

    def export(self, asked: Asked = ALL) -> list[dict[str, Any]]:
        """The records of an export."""
        with self.engine.begin() as connection:
            piece = audit_export.take_away(connection, asked, "Aud", self.key, self.now)
            return [json.loads(line) for line in text(connection, piece, asked).splitlines()]


def text(connection: Connection, piece: audit_export.Piece, asked: Asked) -> str:
    """The whole file of a piece."""
    parts = (audit_export.part(connection, piece, asked, after) for after in piece.parts)
    return audit_export.opening(piece) + "".join(parts) + audit_export.closing(piece)


def check(records: list[dict[str, Any]], *keys: str, earlier: Any = None) -> Sound:
    """Verify records, written as hubs write them."""
    raw = [f"{audit.canonical(each)}\n".encode() for each in records]
    return verify(raw, keys, earlier)


def numbered(records: list[dict[str, Any]], number: int) -> dict[str, Any]:
    """The line of that number."""
    return next(each for each in records if each.get("number") == number)


def rewrite(records: list[dict[str, Any]], start: int, key: Any = None) -> None:
    """Close the chain anew from a line on, as somebody who knows how would; and sign it."""
    previous = numbered(records, start - 1)["hash"] if start > 1 else audit.NOTHING
    for each in records:
        if each.get("number", 0) >= start:
            each["previous"] = previous
            content = each.get("content") or audit.content_of(each)
            each["hash"] = previous = audit.hash_of(each["number"], previous, content)
    head = records[-1]["head"]
    head["hash"] = previous
    if key is not None:
        head["key"] = audit_key.public_of(key)
        head["signature"] = key.sign(audit_key._words(head)).hex()


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """A hub with some lines: 1 names the key, 2 to 5 are acts."""
    made = Hub(tmp_path / "one")
    with made.engine.begin() as connection:
        audit_key.announce(connection, made.public, NOW)
    made.act("Ana", "Ben", "Zo\u00eb", "Ana")
    return made


def test_an_export_is_sound_and_ends_with_its_own_line(hub: Hub) -> None:
    """Who took it away is in what was taken away, and signed with it."""
    records = hub.export()
    sound = check(records, hub.public)
    assert (sound.first, sound.last, sound.hidden, sound.notes) == (1, 6, 0, [])
    assert (records[-2]["act"], records[-2]["who"]) == ("audit.exported", "Aud")
    assert sound.head["key"] == hub.public


def test_a_narrow_export_hides_the_rest_and_still_verifies(hub: Hub) -> None:
    """Lines of others stand there as hashes: nothing of theirs is told, nothing can be left out."""
    records = hub.export(Asked(who="Ana"))
    sound = check(records)
    assert sound.hidden == 3
    assert "Ben" not in str(records)
    assert [each["who"] for each in records if "who" in each] == ["hub", "Ana", "Ana"]
    del records[3]
    with pytest.raises(Broken, match="line 3 is missing: after line 2 comes line 4"):
        check(records)
    records = hub.export(Asked(who="Zoe\u0308"))  # as some keyboards put it together
    assert [each["who"] for each in records if "who" in each] == ["hub", "Zo\u00eb"]


def test_a_day_begins_at_the_signature_before_it(hub: Hub) -> None:
    """A year's chain need not be handed on for one day."""
    hub.sign()
    hub.now += timedelta(days=1)
    hub.act("Cem", "Ana")
    hub.sign()
    hub.now += timedelta(days=1)
    hub.act("Dan")
    since, until = whole_day("2026-03-03")
    records = hub.export(Asked(since=since, until=until))
    sound = check(records, hub.public)
    assert (sound.first, sound.last) == (6, 7)
    assert [each["who"] for each in records if "who" in each] == ["Cem", "Ana"]
    del records[1]
    with pytest.raises(Broken, match="lines before 6 are not here"):
        check(records)


def test_an_export_ends_where_lines_have_gone_from_the_journal(hub: Hub) -> None:
    """Whoever takes the last lines of a day out by hand is told of, and holds nobody up."""
    hub.sign()
    hub.now += timedelta(days=1)
    hub.act("Cem")
    with hub.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_no_delete")
        connection.exec_driver_sql("DELETE FROM audit WHERE number = 5")
    since, until = whole_day("2026-03-02")
    with pytest.raises(Broken, match="signature over line 5 is not over what stands here"):
        check(hub.export(Asked(since=since, until=until)))


Tamper = Callable[[list[dict[str, Any]]], None]


def edited(records: list[dict[str, Any]]) -> None:
    numbered(records, 3)["who"] = "Eve"


def edited_detail(records: list[dict[str, Any]]) -> None:
    numbered(records, 4)["details"] = {"reason": "x"}


def rewritten(records: list[dict[str, Any]]) -> None:
    numbered(records, 3)["who"] = "Eve"
    rewrite(records, 3)


def odd_time(records: list[dict[str, Any]]) -> None:
    numbered(records, 3)["time"] = "noon"
    rewrite(records, 3)


def rehashed(records: list[dict[str, Any]]) -> None:
    line = numbered(records, 3)
    line["who"] = "Eve"
    line["hash"] = audit.hash_of(3, line["previous"], audit.content_of(line))


def removed(records: list[dict[str, Any]]) -> None:
    records.remove(numbered(records, 3))


def two_removed(records: list[dict[str, Any]]) -> None:
    del records[2:4]


def renumbered(records: list[dict[str, Any]]) -> None:
    records.remove(numbered(records, 3))
    for each in records:
        if each.get("number", 0) > 3:
            each["number"] -= 1


def swapped(records: list[dict[str, Any]]) -> None:
    records[3], records[4] = records[4], records[3]


def twice(records: list[dict[str, Any]]) -> None:
    records.insert(4, dict(numbered(records, 3)))


def cut(records: list[dict[str, Any]]) -> None:
    del records[-3:]


def cut_at_the_signature(records: list[dict[str, Any]]) -> None:
    del records[-1]


def beyond(records: list[dict[str, Any]]) -> None:
    records[0]["last"] = 4


def begins_later(records: list[dict[str, Any]]) -> None:
    del records[1:3]


def other_form(records: list[dict[str, Any]]) -> None:
    line = numbered(records, 4)
    line["who"] = unicodedata.normalize("NFD", line["who"])


def hidden_instead(records: list[dict[str, Any]]) -> None:
    line = numbered(records, 3)
    records[3] = {key: line[key] for key in ("number", "previous", "hash")} | {"content": "0" * 64}


def odd_types(records: list[dict[str, Any]]) -> None:
    numbered(records, 3)["time"] = 12


def unknown_key(records: list[dict[str, Any]]) -> None:
    numbered(records, 3)["more"] = "x"


def false_signature(records: list[dict[str, Any]]) -> None:
    records[-1]["head"]["signature"] = "00" * 64


def no_signature(records: list[dict[str, Any]]) -> None:
    records[-1]["head"]["signature"] = "not hex"


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (edited, r"line 3 was changed after it was written \(it says: .*Eve, alert.verified"),
        (edited_detail, "line 4 was changed"),
        (rewritten, "signature over line 6 is false"),
        (odd_time, "line 3 says a time that no hub writes: noon"),
        (rehashed, "line 4 does not follow line 3"),
        (removed, "line 3 is missing: after line 2 comes line 4"),
        (two_removed, "lines 2 to 3 are missing: after line 1 comes line 4"),
        (renumbered, "line 3 does not follow line 2"),
        (swapped, "line 3 is missing"),
        (twice, "line 3 comes after line 3: lines are out of order, or twice"),
        (cut, r"ends with line 4 and should go to line 6: line 5 is the first that is missing"),
        (cut_at_the_signature, "the signature over the last line, 6, is missing"),
        (beyond, "line 5 is beyond the end that the file names"),
        (begins_later, "lines 1 to 2 are missing"),
        (other_form, r"line 4 was changed .*another form of Unicode"),
        (hidden_instead, "line 3 was changed"),
        (odd_types, "line 4 of the file is no line of an audit"),
        (unknown_key, "line 4 of the file is no line of an audit"),
        (false_signature, "the signature over line 6 is false"),
        (no_signature, "the signature over line 6 is false"),
    ],
)
def test_the_first_broken_line_is_named(hub: Hub, tamper: Tamper, said: str) -> None:
    """Whatever was done to an export, its first consequence is told in words."""
    records = hub.export()
    tamper(records)
    with pytest.raises(Broken, match=said):
        check(records)


def test_an_export_signed_anew_is_not_of_the_trusted_key(hub: Hub, tmp_path: Path) -> None:
    """Whoever writes the whole chain anew needs a key of their own, and that shows."""
    forger = Hub(tmp_path / "forger").key
    records = hub.export()
    numbered(records, 3)["who"] = "Eve"
    rewrite(records, 3, forger)
    with pytest.raises(Broken, match="is of a key that no line names"):
        check(records)
    numbered(records, 1)["subject"] = audit_key.public_of(forger)
    rewrite(records, 1, forger)
    assert check(records).head["key"] == audit_key.public_of(forger)  # without a key to trust
    with pytest.raises(Broken, match="not with one that you trust"):
        check(records, hub.public)


def test_lines_of_two_hubs_do_not_mix(hub: Hub, tmp_path: Path) -> None:
    """A line, a tail or a signature of another hub is named as such."""
    other = Hub(tmp_path / "two")
    other.act("Eve", "Eve", "Eve", "Eve", "Eve")
    theirs = other.export()
    for at, said in ((3, "line 3 is of another hub"), (-1, "is of another hub")):
        records = hub.export()
        records[at] = theirs[at]
        with pytest.raises(Broken, match=said):
            check(records)


def test_a_clock_that_went_back_is_noted_and_breaks_nothing(hub: Hub) -> None:
    """The order is the chain's; times are what the clock said."""
    hub.now -= timedelta(hours=2)
    hub.act("Ana")
    sound = check(hub.export(), hub.public)
    assert len(sound.notes) == 1
    assert "line 6 says a time 7140 s before line 5" in sound.notes[0]


def test_a_new_key_is_told_by_a_line(hub: Hub, tmp_path: Path) -> None:
    """A backup restored on another machine goes on with a key of its own."""
    hub.sign()
    old = hub.public
    hub.key = audit_key.load_or_make(tmp_path)
    hub.now += timedelta(days=1)
    records = hub.export()
    sound = check(records, hub.public)
    assert (sound.last, sound.head["key"]) == (7, hub.public)
    with pytest.raises(Broken, match="not with one that you trust"):
        check(records, old)
    assert check(records, old, hub.public).last == 7


def test_an_export_continues_an_earlier_one_or_says_so(hub: Hub, tmp_path: Path) -> None:
    """A chain that was cut and written anew verifies by itself, and not against what was kept."""
    before = check(hub.export()).head
    hub.act("Ana")
    assert check(hub.export(), earlier=before).last == 8
    records = hub.export()
    numbered(records, 3)["who"] = "Eve"
    rewrite(records, 3, hub.key)  # by whoever has the hub itself
    assert check(records, hub.public).last == 9
    with pytest.raises(Broken, match="line 6 is another one than in the earlier export"):
        check(records, earlier=before)
    end = {**before, "number": 2, "hash": numbered(records, 2)["hash"]}
    end["signature"] = hub.key.sign(audit_key._words(end)).hex()
    short = [{**records[0], "last": 2}, *records[1:3], {"head": end}]
    assert check(short, hub.public).last == 2  # the end is gone, and signed as if it were so
    with pytest.raises(Broken, match="goes to line 6: line 3 is the first that has gone"):
        check(short, earlier=before)
    other = Hub(tmp_path / "two")
    other.act("Eve")
    with pytest.raises(Broken, match="another hub"):
        check(other.export(), earlier=before)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "the file is empty"),
        (b"hello\n", "line 1 of the file cannot be read"),
        (b"[]\n", "line 1 of the file is no line"),
        (b"{}\n", "no export of an audit"),
        (b'{"audit":2}\n', "written by a newer Vestibule"),
        (b'{"audit":true,"chain":"c","first":1,"last":1}\n', "no export of an audit"),
        (b'{"audit":1,"chain":"c","first":-3,"last":1}\n', "does not say which lines"),
        (b'{"audit":1,"chain":"c","first":1,"last":0}\n', "does not say which lines"),
        (b'{"audit":1,"audit":1}\n', "says the same thing twice"),
        (b'{"audit":1.5}\n', "the number 1.5"),
        (b'{"audit":NaN}\n', "the number NaN"),
        (b'{ "audit":1}\n', "was written anew"),
        (b'{"a":"\xff"}\n', "cannot be read"),
        (b"[" * 100_000 + b"\n", "cannot be read"),
        (b'{"audit":1}', "cut off there"),
        (b"x" * (1 << 20) + b"\n", "longer than any"),
    ],
)
def test_what_is_no_export_is_refused_in_words(raw: bytes, said: str) -> None:
    """No file makes the command fail otherwise than with a sentence."""
    with pytest.raises(Broken, match=said):
        verify(raw.splitlines(keepends=True))


@pytest.mark.parametrize("every", range(0, 2600, 97))
def test_no_single_byte_goes_unnoticed(hub: Hub, every: int) -> None:
    """Any bit of an export that changes breaks it."""
    records = hub.export()
    raw = bytearray("".join(f"{audit.canonical(each)}\n" for each in records).encode())
    raw[every % len(raw)] ^= 1
    with pytest.raises(Broken):
        verify(bytes(raw).splitlines(keepends=True), [hub.public])


def test_a_day_lasts_as_long_as_it_does_there() -> None:
    """A day of the school's time zone, also the one with 23 hours."""
    assert whole_day("2026-03-02") == ("2026-03-02T00:00:00.000Z", "2026-03-03T00:00:00.000Z")
    since, until = whole_day("2026-03-08", "America/Chicago")
    assert (since, until) == ("2026-03-08T06:00:00.000Z", "2026-03-09T05:00:00.000Z")
    for odd in ("2026-13-01", "yesterday", "9999-12-31"):
        with pytest.raises(ValueError, match=r"month|Invalid|calendar"):
            whole_day(odd, "America/Chicago")
