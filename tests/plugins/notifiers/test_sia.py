"""Monitoring stations by SIA DC-09: an independent receiver, and a strict and hostile one."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pysiaalarm import SIAAccount, SIAEvent
from pysiaalarm.aio import SIAClient
from pysiaalarm.utils import ADM_MAPPING, SIA_CODES

from hub import Context, Notice, Notifier, NotReady, SystemClock
from hub.incident_settings import INCIDENT_KINDS
from hub.testing import CabledDevice, FakeClock
from plugins.notifiers._sia_event import ALARMS, EXTENDED, RESTORALS, HandedOver, Wanted, event
from plugins.notifiers._sia_message import (
    Message,
    Sender,
    Unreadable,
    frame,
    framed,
    latitude,
    longitude,
    plain,
    read_answer,
)
from plugins.notifiers.sia import Sia, SiaConfig, vestibule_notifiers
from tests.plugins.notifiers.long_limits import LongLimits
from tests.plugins.notifiers.provider_servers import until
from tests.plugins.notifiers.sia_station import Station, unsealed

TEXT_KEY = "a key of 16 byte"  # as receivers that want a key of letters are given it
KEY = TEXT_KEY.encode().hex()
CALL = {
    "school": "Example school",
    "address": "1 Example Street, Springfield",
    "place": "Chemistry room, First floor",
    "coordinates": (41.87811, -87.6298),
    "verified": True,
    "call_back": "+15550100",
}


def handed(**changes: Any) -> Notice:
    """A weapon that a person hands over; `changes` are the notice's fields."""
    made = Notice(
        key="hand-off-1",
        about="hand_off",
        severity="severe",
        title="Weapon in the chemistry room",
        text="Where: Example school\nHow sure: Verified by Guard\nHanded over by: Guard",
        time=datetime(2026, 3, 2, 7, 59, 30, tzinfo=UTC),
        place="Chemistry room",
        incident="incident-1",
        link="https://hub.school.example/incidents/incident-1",
        data={"kind": "weapon", "by": "guard", "call": CALL},
    )
    return replace(made, **changes)


def later(key: str, about: str = "update", **data: Any) -> Notice:
    """A later word on the same incident."""
    return handed(key=key, about=about, title="How it stands", text="Two are out.", data=data)


@pytest.fixture
async def station(context):
    """A strict receiver whose clock is ours."""
    made = Station(context.clock)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def sia(context, station):
    """Builds notifiers for the station, and closes them at the end."""
    every = []

    def made(at: Context = context, **block):
        if "key" in block:
            station.key = bytes.fromhex(block["key"])
        where = {"host": "127.0.0.1", "port": station.port, "account": "1234"}
        every.append(Sia(SiaConfig(**{**where, "answers_within": 10.0, **block}), at))
        return every[-1]

    yield made
    for each in every:
        await each.close()


# ------------------------------------------------------------- a receiver that others have written


class Independent:
    """pysiaalarm, which Home Assistant takes alarms with."""

    def __init__(self):
        self.events = []

    async def take(self, event):
        """Keep what it understood."""
        self.events.append(event)

    async def start(self, **account):
        """Listen as the account of a station."""
        accounts = [SIAAccount("1234", **account)]
        self.client = SIAClient("127.0.0.1", 0, accounts, function=self.take)
        await self.client.async_start()
        return self.client.server.sockets[0].getsockname()[1]


@pytest.fixture
async def independent():
    """A receiver to start."""
    made = Independent()
    yield made
    await made.client.async_stop()


async def report(context, port, notice, **block):
    """Hand one notice to a receiver at the time that really is; returns what came of it."""
    real = replace(context, clock=SystemClock())
    made = Sia(SiaConfig(host="127.0.0.1", port=port, account="1234", **block), real)
    try:
        await made.start()
        return await made.send(notice)
    finally:
        await made.close()


@pytest.mark.parametrize("receiver", [None, "1A"], ids=["no receiver", "receiver 1A"])
@pytest.mark.parametrize("length", [0, 16, 24, 32], ids=["plain", "aes-128", "aes-192", "aes-256"])
async def test_an_independent_receiver_understands_sia_dcs(context, independent, length, receiver):
    """It acknowledges, and has code, text, place and coordinates as we meant them."""
    text_key = (TEXT_KEY * 2)[:length]
    keys = {"key": text_key.encode().hex()} if length else {}
    port = await independent.start(key=text_key or None)
    receipt = await report(context, port, handed(), receiver=receiver, line="2B", **keys)
    assert (receipt.state, receipt.id) == ("accepted", "0001"), receipt
    assert "took HA (alarm)" in receipt.detail
    (event,) = independent.events
    assert (event.code, event.account, event.ri, event.sequence) == ("HA", "1234", "1", "0001")
    assert (event.line, event.receiver) == ("L2B", f"R{receiver}" if receiver else None)
    assert event.encrypted == bool(length)
    assert event.message.startswith(
        "001^Weapon in the chemistry room; Chemistry room, First floor;"
    )
    more = {each.identifier: each.value for each in event.extended_data}
    assert more["X"] == "087W37.78800"
    assert more["Y"] == "41N52.68660"
    assert more["H"] == "07:59:30,03-02-2026"
    assert more["L"] == CALL["place"]
    assert more["S"].startswith("Example school, 1 Example Street")
    assert more["V"] == handed().link


@pytest.mark.parametrize("keys", [{}, {"key": KEY}], ids=["plain", "encrypted"])
@pytest.mark.parametrize(
    ("kind", "code", "meant"), [("weapon", "122", "HA"), ("medical", "100", "MA")]
)
async def test_an_independent_receiver_understands_contact_id(
    context, independent, keys, kind, code, meant
):
    """It acknowledges, and knows qualifier, code, area, zone and the text."""
    port = await independent.start(key=TEXT_KEY if keys else None)
    notice = handed(data={"kind": kind, "by": "guard", "call": CALL})
    block = {"format": "adm-cid", "area": 7, "zone": 12, "extended": ["text"], **keys}
    receipt = await report(context, port, notice, **block)
    assert receipt.state == "accepted", receipt
    (event,) = independent.events
    assert (event.event_qualifier, event.event_type, event.code) == ("1", code, meant)
    assert (event.partition, event.ri) == ("07", "012")
    (text,) = event.extended_data
    assert text.identifier == "I"
    assert text.value.startswith("Weapon in the chemistry room; ")
    assert len(text.value) <= text.length


async def test_an_independent_receiver_takes_supervision(context, independent):
    """A NULL message is acknowledged too; it is no event but a test."""
    port = await independent.start(key=TEXT_KEY)
    receipt = await report(context, port, handed(), key=KEY, supervision=10)
    assert receipt.state == "accepted"
    assert [each.code for each in independent.events] == ["RP", "HA"]


async def test_an_independent_receiver_with_another_key_refuses(context, independent):
    """What it cannot read it refuses, and the error says what to look at, without the key."""
    port = await independent.start(key="quite another k.")
    with pytest.raises(NotReady, match=r"refuses the message \(NAK\); ask .* `key`") as error:
        await report(context, port, handed(), key=KEY)
    assert KEY not in str(error.value).lower()
    assert independent.events == []


async def test_a_clock_that_is_off_is_told_and_made_up_for(context, independent):
    """A receiver that refuses our time says its own; the message goes out once more with that."""
    port = await independent.start(key=TEXT_KEY)
    slow = replace(context, clock=FakeClock(datetime.now(UTC) - timedelta(hours=1, seconds=5)))
    block = {"host": "127.0.0.1", "port": port, "account": "1234", "key": KEY}
    receipt = await Sia(SiaConfig(**block), slow).send(handed())
    assert receipt.state == "accepted", receipt
    assert "its clock is 1h" in receipt.detail
    assert "ahead of this machine's: give both a time server" in receipt.detail
    (event,) = independent.events
    assert event.sequence == "0001"


# ------------------------------------------------------------------------------- what is written


def test_the_worked_example_is_read_as_it_was_written():
    """Frames that are known from elsewhere have their CRC, their time and their account."""
    nak = read_answer(b'\n3C830025"NAK"0000R0L0A0[]_16:09:09,04-14-2015\r', None)
    assert (nak.id, nak.sequence) == ("NAK", 0)
    assert nak.time == datetime(2015, 4, 14, 16, 9, 9, tzinfo=UTC)
    ack = read_answer(
        b'\nE34C0062"*ACK"0001R5678L1234#080027E62A64'
        b"[14F088FF5DCB19D1908069507EAB97C7CDB20F1C6EFA550BB59864D54B2DFA1C\r",
        bytes.fromhex("ABCD" * 8),
    )
    assert (ack.id, ack.sequence, ack.account) == ("ACK", 1, "080027E62A64")
    assert ack.time == datetime(2015, 4, 14, 16, 8, 12, tzinfo=UTC)
    plain_one = frame(
        Message("NULL"), Sender("00653210"), 1, datetime(2016, 5, 18, 9, 17, 32, tzinfo=UTC)
    )
    assert plain_one == b'\n1D85002B"NULL"0001L0#00653210[]_09:17:32,05-18-2016\r'


def test_the_standards_encrypted_example_has_our_layout():
    """A pad up to the first `|`, then data, bracket and time: so is what we encrypt."""
    known = (
        "209c9d400b655df7a26aecb6a887e7ee6ed8103217079aae7cbd9dd7551e9682"
        "3263460f7ef0514864897ae9789534f1"
    )
    key = bytes.fromhex("0123456789ABCDEF0123456789ABCDEF")
    assert unsealed(bytes.fromhex(known), key) == b"p" * 13 + b"|12345A|NFA129]_13:14:15,02-15-2006"
    time = datetime(2006, 2, 15, 13, 14, 15, tzinfo=UTC)
    ours = frame(Message("SIA-DCS", "NFA129"), Sender("12345A", key=key), 9876, time)
    head, _, sealed = ours.rstrip(b"\r").partition(b"[")
    assert head[9:] == b'"*SIA-DCS"9876L0#12345A'
    pad, _, rest = unsealed(bytes.fromhex(sealed.decode()), key).partition(b"|")
    assert rest == b"#12345A|NFA129]_13:14:15,02-15-2006"
    assert 1 <= len(pad) <= 16
    again = frame(Message("SIA-DCS", "NFA129"), Sender("12345A", key=key), 9876, time)
    assert again != ours  # the pad is another each time


def test_every_kind_of_incident_has_codes_that_receivers_know():
    """No kind is forgotten, each code is an alarm there, and each alarm has its restoral."""
    assert set(ALARMS) == set(INCIDENT_KINDS)
    for sia, contact_id in ALARMS.values():
        assert SIA_CODES[sia].type.endswith("Alarm")
        assert ADM_MAPPING[contact_id]["1"] == sia
        assert sia in RESTORALS
    for alarm, restoral in RESTORALS.items():
        assert SIA_CODES[alarm].type.endswith("Alarm"), alarm
        assert SIA_CODES[restoral].type == SIA_CODES[alarm].type.replace("Alarm", "Restoral")
    assert SIA_CODES["OC"].type == "Cancel Report"
    assert ADM_MAPPING["406"]["1"] == "OC"


@pytest.mark.parametrize(
    ("degrees", "written"),
    [(0.0, "000E00.00000"), (-87.6298, "087W37.78800"), (179.99999999, "180E00.00000")],
)
def test_coordinates_are_degrees_and_minutes(degrees, written):
    """Rounding carries into the degrees: there is no sixtieth minute."""
    assert longitude(degrees) == written
    assert latitude(-33.5) == "33S30.00000"


def test_letters_are_made_plain():
    """Accents fall off, signs become what they mean, what structures a message becomes harmless."""
    assert plain("Büro «Süd» – straße 5", 99) == "Buro Sud - strasse 5"
    assert plain('[a]|^b/c"#d\\\r\n\x1be😀 前門', 99) == "(a);'b-c' d- e ?"
    assert plain("［Ａ］", 99) == "(A)"
    assert plain("x" * 50, 10) == "xxxxxxx..."


WANTED = Wanted("sia-dcs", 1, 1, {}, frozenset(EXTENDED))
TEXTS = st.text(st.characters(codec="utf-16", exclude_categories=[]), max_size=300) | st.text(
    '[]|^/"#\\_\r\n\x00\ud800{}äß前😀 BAN1', max_size=900
)


@settings(max_examples=60, deadline=None)
@given(title=TEXTS, text=TEXTS, place=TEXTS, school=TEXTS, call_back=TEXTS, link=TEXTS)
@pytest.mark.parametrize("key", [None, TEXT_KEY])
@pytest.mark.parametrize("form", ["sia-dcs", "adm-cid"])
def test_no_text_breaks_a_message(form, key, title, text, place, school, call_back, link):
    """Whatever people and systems are called: one event, of this code, within the limit."""
    call = {**CALL, "place": place, "school": school, "call_back": call_back}
    notice = handed(title=title, text=text, link=link, data={"kind": "fire", "call": call})
    sender = Sender("1234", "1", "2", key.encode() if key else None)
    wanted = replace(WANTED, format=form)
    raw = frame(
        event(notice, HandedOver.of(notice), "alarm", wanted, sender), sender, 7, notice.time
    )
    assert len(raw) <= 1000
    assert (raw[:1], raw[-1:], raw.count(b"\n"), raw.count(b"\r")) == (b"\n", b"\r", 1, 1)
    line = raw.decode("ascii").strip()
    if form == "adm-cid":  # which takes one field of extended data there
        wanted = replace(wanted, extended=frozenset({"text"}))
        said = event(notice, HandedOver.of(notice), "alarm", wanted, sender)
        line = frame(said, sender, 7, notice.time).decode("ascii").strip()
    read = SIAEvent.from_line(line, {"1234": SIAAccount("1234", key=key, allowed_timeband=None)})
    assert read.valid_message
    assert (read.code, read.account, read.sequence) == ("FA", "1234", "0007")
    assert read.timestamp == notice.time
    if form == "sia-dcs":
        assert read.message[:4] in ("001", "001^")
        assert read.message.count("^") in (0, 2)
        assert "/" not in read.message
        assert {each.identifier for each in read.extended_data} >= {"X", "Y", "H"}


@settings(max_examples=100, deadline=None)
@given(raw=st.binary(max_size=80), body=st.from_regex(r'"\*?[A-Z]{3}"[0-9]{4}[ -~]{0,60}'))
@pytest.mark.parametrize("key", [None, bytes(16)], ids=["no key", "key"])
def test_no_answer_is_more_than_unreadable(key, raw, body):
    """Bytes of any kind, and any words in a sound frame, are an answer or are said to be none."""
    for answer in (raw, framed("".join(c for c in body if c.isascii()))):
        with contextlib.suppress(Unreadable):
            assert read_answer(answer, key).id.isascii()


# ----------------------------------------------------------------------------- what is told when


async def test_what_comes_after_the_hand_off_has_its_code(sia, station):
    """Updates and verdicts are the same event with new words; the end is its restoral."""
    told = sia()
    await told.start()
    for notice in (
        handed(),
        later("update"),
        later("verdict", "verdict", verdict="verified"),
        later("closed", closed="incident-1"),
    ):
        assert (await told.send(notice)).state == "accepted"
    assert [each.data[:10] for each in station.reports] == ["Nri1/HA001"] * 3 + ["Nri1/HR001"]
    assert [each.number for each in station.reports] == ["0001", "0002", "0003", "0004"]
    assert "^How it stands; Two are out.^" in station.reports[1].data
    assert station.reports[1].more["L"] == "Chemistry room, First floor"
    assert station.reports[1].more["Y"] == "41N52.68660"


@pytest.mark.parametrize(
    ("form", "first", "cancel", "restoral"),
    [
        ("sia-dcs", "Nri1/FA001", "Nri1/OC000", "Nri1/FR001"),
        ("adm-cid", "1110 01 001", "1406 01 000", "3110 01 001"),
    ],
)
async def test_a_false_alarm_is_cancelled(sia, station, form, first, cancel, restoral):
    """An incident that was all false is cancelled at its end, any other is restored."""
    told = sia(format=form)
    await told.send(handed(data={"kind": "fire", "call": CALL}))
    await told.send(later("all false", closed="incident-1", verdict="dismissed"))
    await told.send(later("over", closed="incident-1"))
    assert [each.data.partition("^")[0] for each in station.reports] == [first, cancel, restoral]


@pytest.mark.parametrize("verdict", ["dismissed", "resolved", "unsure", "verified"])
async def test_law_4_a_verdict_on_one_alert_ends_nothing(sia, station, verdict):
    """Another alert of the incident may be real: the words go out, the alarm stands."""
    told = sia()
    await told.send(handed())
    await told.send(replace(later("verdict", "verdict", verdict=verdict), alert="alert-2"))
    first, then = station.reports
    assert (first.data[:10], then.data) == ("Nri1/HA001", "Nri1/HA001^How it stands; Two are out.^")


async def test_an_incident_that_goes_on_in_another_is_not_over(sia, station):
    """Merged into another, it stays an alarm, and words on that other have its code."""
    told = sia()
    await told.send(handed())
    await told.send(later("merged", closed="incident-1", goes_on="incident-2"))
    await told.send(replace(later("closed", closed="incident-2"), incident="incident-2"))
    assert [each.data[5:7] for each in station.reports] == ["HA", "HA", "HR"]


async def test_a_part_that_was_split_off_is_restored_when_all_is_over(sia, station):
    """The station hears of the part, keeps the alarm while either goes on, and knows a part that
    was handed over itself by its own place.
    """
    told = sia()
    await told.send(handed())
    await told.send(later("split", goes_on="incident-2"))
    await told.send(later("closed", closed="incident-1", goes_on="incident-2"))
    own = {"kind": "fire", "call": {**CALL, "place": "Gym"}}
    await told.send(replace(handed(key="own", data=own), incident="incident-2"))
    await told.send(later("again", goes_on="incident-2"))
    await told.send(replace(later("over", closed="incident-2"), incident="incident-2"))
    assert [each.data[5:7] for each in station.reports] == ["HA", "HA", "HA", "FA", "HA", "FR"]


@pytest.mark.parametrize(
    ("block", "kind", "data"),
    [
        ({"codes": {"weapon": "PA"}}, "weapon", "Nri1/PA001"),
        ({"codes": {"weapon": "PA"}}, "hazard", "Nri1/GA001"),
        ({"format": "adm-cid", "codes": {"weapon": "120"}}, "weapon", "1120 01 001"),
        ({"area": 3, "zone": 45}, "missing", "Nri3/PA045"),
        ({}, "something new", "Nri1/PA001"),
    ],
)
async def test_codes_can_be_chosen(sia, station, block, kind, data):
    """A station's own wishes go before our table; what is not in it is a panic alarm."""
    await sia(**block).send(handed(data={"kind": kind, "call": CALL}))
    (only,) = station.reports
    assert only.data.startswith(data)


async def test_what_the_station_does_not_take_is_left_out(sia, station):
    """Without extended data a message is its code and its time; unknown facts are not written."""
    await sia(extended=[]).send(handed())
    await sia().send(handed(key="bare", data={"kind": "weapon"}, link="", place=""))
    bare, unknown = station.reports
    assert (bare.data, bare.more) == ("Nri1/HA001", {})
    assert set(unknown.more) == {"H"}
    assert "not verified" in unknown.data


@pytest.mark.parametrize(
    "notice",
    [
        handed(drill=True),
        handed(about="alert", alert="alert-1", data={"verdict": "verified"}),
        handed(about="outcome", data={}),
        handed(about="acknowledgement", data={"by": "guard"}),
        later("reminder", reminder=True),
        later("an update on what was never handed over"),
        later("a verdict on it", "verdict", verdict="verified"),
    ],
    ids=lambda each: each.key if each.key != "hand-off-1" else f"{each.about} {each.drill}",
)
async def test_law_2_nothing_goes_out_but_what_was_handed_over(sia, station, notice):
    """Drills, alerts and words on what nobody handed over are refused, and no byte is sent."""
    told = sia()
    await told.start()
    receipt = await told.send(notice)
    assert receipt.state == "failed"
    assert receipt.detail
    assert station.reports == []


# -------------------------------------------------------------------------- numbers and repeats


async def test_a_notice_that_is_said_again_has_its_number_and_its_words(sia, station, context):
    """As DC-09 has retransmission, also after a restart; only the time is that of now."""
    station.answers = ["hang up"]
    told = sia()
    with pytest.raises(NotReady):
        await told.send(handed())
    await context.clock.advance(30)
    other_words = handed(repeat=True, text="written anew")
    assert (await sia().send(other_words)).id == "0001"
    assert (await told.send(handed(key="another"))).id == "0002"
    first, again, another = station.reports
    assert (first.number, first.rest) == (again.number, again.rest)
    assert again.time - first.time == timedelta(seconds=30)
    assert another.number == "0002"


async def test_numbers_go_on_after_a_restart_and_begin_again_at_the_end(sia, station, context):
    """9999 is followed by 0001; 0000 belongs to NULL messages."""
    await sia().send(handed())
    kept = context.state / "sia.json"
    facts = json.loads(kept.read_text())
    facts["sent"]["number"] = 9998
    kept.write_text(json.dumps(facts))
    again = sia()
    for number in range(2):
        await again.send(handed(key=f"at the end {number}"))
    assert [each.number for each in station.reports] == ["0001", "9999", "0001"]


@pytest.mark.parametrize("text", ["", "rubbish", '{"sent": 5}', '{"sent": {"number": "x"}}'])
async def test_a_damaged_memory_costs_no_hand_off(sia, station, context, text):
    """What cannot be read is as if nothing had been said."""
    context.state.mkdir()
    (context.state / "sia.json").write_text(text)
    assert (await sia().send(handed())).id == "0001"


async def test_a_full_disk_costs_no_hand_off(sia, station, context):
    """It goes out all the same, and the receipt says what is missing."""
    context.state.write_text("in the way")
    receipt = await sia().send(handed())
    assert receipt.state == "accepted"
    assert "cannot write" in receipt.detail


# ------------------------------------------------------------------------------ hostile answers


@pytest.mark.parametrize(
    ("answer", "keys", "words"),
    [
        ("nak", {}, r"refuses the message \(NAK\); ask the station about `account`"),
        ("nak without a time", {}, r"refuses the message \(NAK\)"),
        ("rsp", {}, "answers RSP, which says neither yes nor no"),
        ("silence", {"answers_within": 0.2}, "no answer from the station at .* within 200ms"),
        ("half", {"answers_within": 0.2}, "only the beginning of an answer"),
        ("cut", {}, "hung up in the middle of its answer"),
        ("hang up", {}, "hung up without an answer"),
        ("rubbish", {}, "that is no answer of SIA DC-09"),
        ("binary", {}, "that is no answer of SIA DC-09"),
        ("wrong crc", {}, "its answer is damaged: the CRC is wrong"),
        ("other number", {}, "answers to 4711, not to 0001"),
        ("other account", {}, "answers for another account"),
        ("plain ack", {"key": KEY}, "acknowledges without the `key`"),
        ("old ack", {"key": KEY}, "acknowledges with a time that is not now"),
        ("ack of another key", {"key": KEY}, "it has another key than `key`"),
        ("ack of another key", {}, "it answers encrypted, and there is no `key` here"),
    ],
)
async def test_only_a_whole_answer_to_this_message_counts(sia, station, answer, keys, words):
    """Everything else is tried again, and says what was wrong; then it is taken."""
    told = sia(**keys)
    station.answers = [answer]
    with pytest.raises(NotReady, match=words):
        await told.send(handed())
    assert (await told.send(handed(repeat=True))).state == "accepted"
    assert [each.number for each in station.reports] == ["0001", "0001"]


async def test_what_the_station_does_not_understand_has_failed(sia, station):
    """DUH is final: the receipt says what to ask the station about."""
    station.answers = ["duh"]
    receipt = await sia().send(handed())
    assert (receipt.state, receipt.id) == ("failed", "0001")
    assert "DUH" in receipt.detail
    assert "ask the station about `format`, `codes` and `extended`" in receipt.detail


async def test_empty_lines_before_an_answer_are_skipped(sia, station):
    """Some receivers begin with a line end of their own."""
    station.answers = ["empty lines first"]
    assert (await sia().send(handed())).state == "accepted"


async def test_clocks_that_differ_are_told_also_when_it_does_not_help(sia, station):
    """A receiver that goes on refusing: the offset stands in the error."""
    station.ahead = timedelta(minutes=-5)
    told = sia(key=KEY)
    assert "its clock is 5m behind this machine's" in (await told.send(handed())).detail
    station.answers = ["nak", "nak"]
    with pytest.raises(NotReady, match="its clock is 5m behind this machine's"):
        await told.send(handed(key="second"))
    assert [each.number for each in station.reports] == ["0001", "0001", "0002", "0002"]


async def test_a_station_that_is_gone_is_named(sia, station):
    """Nothing listens, or no such machine: the words say which."""
    await station.stop()
    told = sia()
    with pytest.raises(NotReady, match=rf"nothing listens at 127.0.0.1:{station.port}"):
        await told.send(handed())
    await station.start()
    assert (await told.send(handed(repeat=True))).state == "accepted"


async def test_hand_offs_go_out_one_after_the_other(sia, station):
    """Each is acknowledged before the next goes out, and none shares a number."""
    told = sia()
    receipts = await asyncio.gather(*(told.send(handed(key=f"n{n}")) for n in range(8)))
    assert sorted(each.id for each in receipts) == [f"{n:04}" for n in range(1, 9)]
    assert [each.number for each in station.reports] == [f"{n:04}" for n in range(1, 9)]


# ---------------------------------------------------------------------------------- supervision


@pytest.mark.parametrize("keys", [{}, {"key": KEY}], ids=["plain", "encrypted"])
async def test_supervision_says_that_the_hub_is_there(sia, station, context, keys):
    """A NULL message at the start and then at each turn, of number 0000, until it is closed."""
    told = sia(supervision="1m", **keys)
    await told.start()
    for turn in (2, 3):
        await context.clock.advance(60)
        await until(lambda turn=turn: len(station.reports) == turn)
    assert {(each.token, each.number, each.rest) for each in station.reports} == {
        ("NULL", "0000", "]")
    }
    await told.close()
    await context.clock.advance(600)
    assert len(station.reports) == 3
    assert not any("supervision" in each.get_name() for each in asyncio.all_tasks())


async def test_without_supervision_nothing_is_sent_unasked(sia, station, context):
    """A start alone says nothing to the station, and its acks wait until it is closed."""
    told = sia()
    await told.start()
    heard = asyncio.create_task(anext(told.acks(), None))
    await context.clock.advance(3600)
    assert not heard.done()
    await told.close()
    assert await heard is None
    assert station.reports == []


async def test_a_station_that_falls_silent_is_a_fault_of_the_driver(sia, station, context):
    """So health tells it: what the hub hears of the driver ends, and a start says why."""
    told = sia(supervision="30s", answers_within=0.2)
    await told.start()
    heard = asyncio.create_task(anext(told.acks(), None))
    station.answers = ["silence", "silence"]
    await context.clock.advance(30)
    with pytest.raises(NotReady, match="no answer from the station"):
        await heard
    with pytest.raises(NotReady, match="no answer from the station"):
        await told.start()
    await told.start()
    assert (await told.send(handed())).state == "accepted"


async def test_a_station_that_takes_no_supervision_is_told_so(sia, station):
    """DUH to the NULL message: the words say which key to leave out."""
    station.answers = ["duh"]
    with pytest.raises(NotReady, match="leave `supervision` out"):
        await sia(supervision="1m").start()


async def test_a_probe_reports_nothing(sia, station):
    """The NULL message alone, and no number is used up."""
    found = await sia(key=KEY).probe()
    assert found.works
    assert found.found.endswith("knows the account, encrypted; nothing was reported")
    station.answers = ["duh", "nak"]
    assert "takes no supervision messages" in (await sia(key=KEY).probe()).found
    with pytest.raises(NotReady, match="refuses"):
        await sia(key=KEY).probe()
    assert {each.token for each in station.reports} == {"NULL"}
    assert (await sia(key=KEY).send(handed())).id == "0001"


# -------------------------------------------------------------------------------- configuration


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"account": "12"}, "3 to 16 hexadecimal digits"),
        ({"account": "school"}, "3 to 16 hexadecimal digits"),
        ({"line": "1234567"}, "1 to 6 hexadecimal digits"),
        ({"key": "0123456789abcdef"}, "32, 48 or 64 hexadecimal digits"),
        ({"codes": {"weapon": "ZZ"}}, "expected one of BA, .* as the code of `weapon`"),
        ({"codes": {"weapon": "120"}}, "expected one of BA, .* as the code of `weapon`"),
        ({"format": "adm-cid", "codes": {"fire": "FA"}}, "expected three digits .* `fire`"),
        ({"format": "adm-cid", "codes": {"fire": "١١٠"}}, "expected three digits .* `fire`"),
        ({"codes": {"murder": "PA"}}, "codes.murder"),
        ({"supervision": "1s"}, "supervision"),
        ({"extended": ["smell"]}, "extended"),
    ],
)
def test_a_wrong_block_is_refused_in_words(block, words):
    """Each key says what belongs there; a wrong key of encryption is not repeated."""
    where = {"host": "station.example", "port": 10500, "account": "1234"}
    with pytest.raises(ValidationError, match=words) as error:
        SiaConfig(**{**where, **block})
    assert "0123456789abcdef" not in str(error.value)


def test_the_key_is_shown_nowhere():
    """Neither the block nor the driver nor what it is made of has it in its words."""
    block = SiaConfig(host="station.example", port=10500, account="1234", key=KEY)
    told = Sia(block, Context("station"))
    assert isinstance(told, Notifier)
    assert told.channel.emergency
    assert Sia.channel.emergency
    shown = repr([block, told, vars(told), Sender("1234", key=bytes.fromhex(KEY))])
    assert KEY not in shown
    assert TEXT_KEY not in shown


class StationBehind(CabledDevice):
    """The strict receiver behind a line that can be cut, hushed and disturbed."""

    async def serve(self) -> int:
        self._station = Station(SystemClock(), bytes.fromhex(KEY))
        self._station.reports = deque(maxlen=1)
        return int(await self._station.start())

    async def start(self) -> None:
        await super().start()
        self.settings = {"host": "127.0.0.1", "port": self.port, "account": "1234", "key": KEY}

    async def end(self) -> None:
        await self._station.stop()


class TestSiaContract(LongLimits):
    """The contract with a hand-off, which is all that goes there."""

    driver = next(iter(vestibule_notifiers()))
    device = StationBehind
    secrets = ()  # a key is of hexadecimal digits alone; that it is shown nowhere is tried above

    def notice(self, **changes: Any) -> Notice:
        base = {"about": "hand_off", "alert": "", "data": {"kind": "weapon", "call": CALL}}
        return super().notice(**{**base, **changes})
