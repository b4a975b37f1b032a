"""CAP 1.2: each document is checked against the standard's schema and its prose rules."""

import os
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from hub import SEVERITIES, Notifier, NotReady, iso
from plugins.notifiers.cap import Cap, CapConfig, vestibule_notifiers
from tests.plugins.notifiers.cap_rules import faults, read

LATER = timedelta(seconds=90)
HERE = {
    "name": "Example school",
    "polygon": [[41.1, -87.9], [41.2, -87.9], [41.2, -87.8]],
    "circle": {"centre": [41.15, -87.85], "radius_km": 0.4},
    "geocodes": {"SAME": "017031"},
}


@pytest.fixture
def notice(notice):
    """A notice on a school's wall clock."""

    def made(**changes):
        at = datetime(2026, 3, 2, 22, 15, 7, 654321, tzinfo=UTC)
        return notice(**{"time": at.astimezone(ZoneInfo("America/Chicago")), **changes})

    return made


@pytest.fixture
async def cap(context):
    """Builds and starts notifiers that write into a folder; closes them at the end."""
    every = []

    async def made(**block):
        where = {"sender": "school.example", "folder": "feed", "area": HERE}
        every.append(Cap(CapConfig(**{**where, **block}), context))
        await every[-1].start()
        return every[-1]

    yield made
    for each in every:
        await each.close()


@pytest.fixture
def laid(context):
    """The content of the file that a receipt tells of; it must be sound."""

    def content(receipt):
        found = (context.state / "feed" / f"{receipt.id}.xml").read_bytes()
        assert faults(found) == []
        return found

    return content


def after(first, notice, **changes):
    """A later notice about the same alert."""
    known = {"earlier": [{"key": first.key, "time": iso(first.time)}]}
    data = {**known, **changes.pop("data", {})}
    later = {"key": "notice-2", "about": "verdict", "time": first.time + LATER, "data": data}
    return notice(**{**later, **changes})


async def test_an_unverified_alert_is_possible_not_observed(cap, laid, notice):
    """A detector's word: an Alert, Actual, possible, to be assessed, with place and area."""
    text = read(laid(await (await cap()).send(notice())))
    assert text["msgType"] == ["Alert"]
    assert text["status"] == ["Actual"]
    assert text["sent"] == ["2026-03-02T16:15:07-06:00"]
    assert (text["scope"], text["sender"]) == (["Restricted"], ["school.example"])
    assert (text["urgency"], text["severity"], text["certainty"]) == (
        ["Immediate"], ["Extreme"], ["Possible"],
    )  # fmt: skip
    assert text["responseType"] == ["Assess"]
    assert text["areaDesc"] == ["Science wing, First floor, Example school"]
    assert len(text["polygon"][0].split()) == 4
    assert text["circle"] == ["41.150000,-87.850000 0.400"]
    assert text["incidents"] == ["incident-1"]
    assert ("SAME" in text["valueName"], "017031" in text["value"]) == (True, True)
    assert text["web"] == ["http://hub.example/alerts/alert-1"]
    assert "references" not in text


async def test_a_verdict_updates_or_cancels_exactly_what_was_sent(cap, laid, notice):
    """References name sender, identifier and time of the earlier message, to the letter."""
    feed = await cap()
    first = notice()
    sent = read(laid(await feed.send(first)))
    named = ",".join((sent["sender"][0], sent["identifier"][0], sent["sent"][0]))
    verified = after(first, notice, data={"verdict": "verified"})
    update = read(laid(await feed.send(verified)))
    assert (update["msgType"], update["certainty"]) == (["Update"], ["Observed"])
    assert update["references"] == [named]
    both = [{"key": each.key, "time": iso(each.time)} for each in (first, verified)]
    end = {"key": "notice-3", "time": first.time + 2 * LATER, "title": "False alarm: x"}
    cancel = read(
        laid(
            await feed.send(
                after(first, notice, **end, data={"verdict": "dismissed", "earlier": both})
            )
        )
    )
    assert (cancel["msgType"], cancel["urgency"]) == (["Cancel"], ["Past"])
    assert (cancel["certainty"], cancel["responseType"]) == (["Unlikely"], ["AllClear"])
    assert cancel["note"] == ["False alarm: x"]
    assert cancel["references"][0].split() == [
        named, f"school.example,{update['identifier'][0]},{update['sent'][0]}",
    ]  # fmt: skip


async def test_how_an_incident_stands_updates_what_was_sent_of_it(cap, laid, notice):
    """An Update with references, as sure as a person has made it; at its end it is past."""
    made = await cap()
    first = notice()
    await made.send(first)
    case = {"about": "update", "alert": "", "key": "n-2"}
    text = read(laid(await made.send(after(first, notice, **case, data={"verified": True}))))
    assert (text["msgType"], text["certainty"]) == (["Update"], ["Observed"])
    assert len(text["references"][0].split()) == 1
    assert text["urgency"] == ["Immediate"]
    unsure = read(laid(await made.send(after(first, notice, **{**case, "key": "n-3"}))))
    assert unsure["certainty"] == ["Unknown"]
    end = {**case, "key": "n-4", "data": {"closed": "incident-1"}}
    text = read(laid(await made.send(after(first, notice, **end))))
    assert (text["msgType"], text["urgency"], text["responseType"]) == (
        ["Update"], ["Past"], ["AllClear"],
    )  # fmt: skip


@pytest.mark.parametrize("data", [{"reminder": True}, {"closed": "i", "goes_on": "j"}])
async def test_what_concerns_those_who_lead_makes_no_document(cap, notice, data):
    """A reminder, and under which name a case goes on, are no news for the public."""
    first = notice()
    made = await cap()
    await made.send(first)
    said = after(first, notice, about="update", alert="", key="n-2", data=data)
    assert "no news" in (await made.send(said)).detail


async def test_references_agree_over_a_change_of_the_clocks(cap, laid, notice):
    """The hour that is there twice: each message keeps the offset that it was sent with."""
    zone = ZoneInfo("America/Chicago")
    first = notice(time=datetime(2026, 11, 1, 6, 50, tzinfo=UTC).astimezone(zone))
    second = notice(
        key="b", about="verdict", time=datetime(2026, 11, 1, 7, 10, tzinfo=UTC).astimezone(zone),
        data={"verdict": "verified", "earlier": [{"key": first.key, "time": iso(first.time)}]},
    )  # fmt: skip
    feed = await cap()
    sent = read(laid(await feed.send(first)))["sent"][0]
    text = read(laid(await feed.send(second)))
    assert (sent, text["sent"][0]) == ("2026-11-01T01:50:00-05:00", "2026-11-01T01:10:00-06:00")
    assert text["references"][0].endswith(sent)


async def test_a_resolved_alert_is_updated_as_past(cap, laid, notice):
    """It was real and is over: that is an update with the all-clear, no cancellation."""
    first = notice()
    over = after(first, notice, data={"verdict": "resolved"})
    text = read(laid(await (await cap()).send(over)))
    assert (text["msgType"], text["urgency"]) == (["Update"], ["Past"])
    assert (text["certainty"], text["responseType"]) == (["Observed"], ["AllClear"])


async def test_law_7_a_drill_is_an_exercise(cap, laid, notice):
    """Status, note, headline and text each say that it is a drill."""
    text = read(laid(await (await cap()).send(notice(drill=True))))
    assert text["status"] == ["Exercise"]
    assert text["note"] == ["A drill; nothing has happened."]
    assert text["headline"][0].startswith("DRILL: ")
    assert text["description"][0].startswith("This is a drill.")
    tests = read(laid(await (await cap(test=True)).send(notice(key="test"))))
    assert tests["status"] == ["Test"]


async def test_law_6_a_repeat_is_the_same_document(cap, laid, notice, context):
    """Byte by byte, also by another run; nobody can take it for a second alert."""
    first = await (await cap()).send(notice())
    before = laid(first)
    await context.clock.advance(600)
    again = await (await cap()).send(notice(repeat=True))
    assert again.id == first.id
    assert laid(again) == before
    assert len(list((context.state / "feed").iterdir())) == 1


@pytest.mark.parametrize("about", ["outcome", "acknowledgement"])
async def test_who_works_on_it_takes_nothing_back(cap, notice, laid, context, about):
    """It makes no message, and none refers to it later; nor does a verdict on nothing."""
    feed = await cap()
    first = notice()
    await feed.send(first)
    silent = after(first, notice, key="silent", about=about)
    receipt = await feed.send(silent)
    assert (receipt.state, receipt.id) == ("accepted", "")
    known = [{"key": each.key, "time": iso(each.time)} for each in (first, silent)]
    later = await cap()
    text = read(laid(await later.send(after(first, notice, data={"earlier": known}))))
    assert len(text["references"][0].split()) == 1
    alone = notice(key="x", about="verdict", alert="other", data={"verdict": "dismissed"})
    assert (await feed.send(alone)).id == ""
    assert len(list((context.state / "feed").iterdir())) == 2


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("about", ["alert", "verdict", "update"])
@pytest.mark.parametrize("scope", ["restricted", "private"])
async def test_every_kind_of_notice_makes_a_sound_document(
    cap, laid, notice, severity, about, scope
):
    """Whatever is told: schema and prose hold, with and without an incident, place or link."""
    feed = await cap(scope=scope, addresses=["duty desk", "sheriff@county.example"])
    bare = {"incident": "", "place": "", "link": "", "text": "", "title": "", "alert": ""}
    for number, changes in enumerate(({}, bare, {"data": {"digest": 3}}, {"link": "/alerts/1"})):
        one = notice(severity=severity, about=about, key=f"n{number}", **changes)
        laid(await feed.send(one))


@pytest.mark.parametrize(
    "words",
    ["\x00\x1b\ud800\uffff", "]]> & < > \" '", "x" * 50_000, "Tür 🚪 前門", "a\r\nb\tc", " "],
    ids=["not of XML", "markup", "long", "scripts", "lines", "blank"],
)
async def test_odd_words_make_sound_documents(cap, laid, notice, words):
    """Whatever a name or text holds, the document is sound and says it as far as it can."""
    one = notice(title=words, text=words, place=words, incident=words, link=words)
    text = read(laid(await (await cap()).send(one)))
    if words == "Tür 🚪 前門":
        assert text["headline"] == [words]


async def test_a_broken_memory_of_earlier_messages_is_left_out(cap, laid, notice):
    """What cannot be named is not named, and the rest is."""
    odd = [{}, {"key": "a"}, {"key": "b", "time": "noon"}, 7, None,
           {"key": "c", "time": "2026-03-02T22:00:00.000Z"}]  # fmt: skip
    one = notice(about="verdict", data={"verdict": "verified", "earlier": odd})
    text = read(laid(await (await cap()).send(one)))
    assert len(text["references"][0].split()) == 1
    none = notice(key="n", about="alert", data={"earlier": "yes"})
    assert read(laid(await (await cap()).send(none)))["msgType"] == ["Alert"]


async def test_law_2_a_public_scope_never_speaks_on_a_detectors_word(cap, laid, notice):
    """It waits for a person, and counts as a public channel for the hub too."""
    feed = await cap(scope="public")
    assert feed.channel.public
    for word in ({}, {"about": "verdict", "data": {"verdict": "unsure"}}):
        assert (await feed.send(notice(**word))).state == "failed"
    text = read(laid(await feed.send(notice(key="v", data={"verdict": "verified"}))))
    assert text["scope"] == ["Public"]
    assert "restriction" not in text


async def test_it_is_posted_as_cap(context, receiver, notice):
    """An HTTP receiver gets the document with its type and the headers of the block."""
    block = {"url": f"{receiver.url}/cap", "headers": {"Authorization": "Bearer Canary-token"}}
    feed = Cap(CapConfig(sender="school.example", **block), context)
    await feed.start()
    receipt = await feed.send(notice())
    ((path, headers, body),) = receiver.requests
    assert (receipt.state, receipt.detail) == ("accepted", "Alert: HTTP 200: taken")
    assert path == "/cap"
    assert headers["Content-Type"] == "application/cap+xml; charset=utf-8"
    assert headers["Authorization"] == "Bearer Canary-token"
    assert faults(body) == []
    receiver.statuses, receiver.answer = [400, 503], "no Canary-token please"
    refused = await feed.send(notice())
    assert refused.state == "failed"
    assert "Canary" not in refused.detail
    with pytest.raises(NotReady, match="503"):
        await feed.send(notice())
    assert "nothing was posted" in (await feed.probe()).found
    await feed.close()


async def test_a_folder_that_cannot_be_written_is_not_ready(cap, context, notice):
    """Nothing half-written is left, and it is tried again."""
    feed = await cap()
    (context.state / "feed").rmdir()
    (context.state / "feed").write_text("in the way")
    with pytest.raises(NotReady, match="cannot write"):
        await feed.send(notice())
    with pytest.raises(NotReady, match="cannot"):
        await feed.probe()
    (context.state / "feed").unlink()
    assert (await feed.send(notice())).state == "accepted"
    assert (await feed.probe()).works


async def test_a_folder_in_trouble_holds_up_no_post(context, receiver, notice):
    """A full disk keeps the document from the folder, not from the address; the detail says so."""
    block = {"sender": "school.example", "url": receiver.url, "folder": "feed"}
    feed = Cap(CapConfig(**block), context)
    await feed.start()
    (context.state / "feed").rmdir()
    (context.state / "feed").write_text("in the way")
    receipt = await feed.send(notice())
    assert receipt.state == "accepted"
    assert "cannot write to" in receipt.detail
    assert len(receiver.requests) == 1
    await feed.close()


async def test_a_file_that_is_collected_while_old_ones_leave_costs_nothing(cap, context, notice):
    """One that is gone between being listed and being looked at, as a link to nothing is."""
    feed = await cap()
    (context.state / "feed" / "vestibule-gone.xml").symlink_to("nowhere")
    assert (await feed.send(notice())).state == "accepted"


async def test_old_files_leave_the_folder_and_no_others(cap, context, notice):
    """After `keep` a document is removed; what somebody else laid there stays."""
    feed = await cap(keep=3600)
    first = context.state / "feed" / f"{(await feed.send(notice())).id}.xml"
    other = context.state / "feed" / "theirs.xml"
    other.write_text("x")
    long_ago = context.clock.now().timestamp() - 3700
    os.utime(first, (long_ago, long_ago))
    os.utime(other, (long_ago, long_ago))
    now = context.clock.now().timestamp()
    second = context.state / "feed" / f"{(await feed.send(notice(key='b'))).id}.xml"
    os.utime(second, (now, now))
    assert not first.exists()
    assert second.exists()
    assert other.exists()


def test_the_rules_find_what_is_wrong():
    """The checks of this file are no rubber stamp: each broken document is caught."""
    sound = (
        '<?xml version="1.0"?><alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">'
        "<identifier>a</identifier><sender>b</sender><sent>2026-03-02T16:15:07-06:00</sent>"
        "<status>Actual</status><msgType>Alert</msgType><scope>Public</scope></alert>"
    )
    assert faults(sound.encode()) == []
    for before, instead in (
        ("<identifier>a", "<identifier>a,b"),
        ("-06:00", "Z"),
        ("Actual", "Real"),
        ("Actual", "Exercise"),
        ("Public", "Restricted"),
        ("Public", "Private"),
        (">Alert<", ">Cancel<"),
        ("<scope>", "<note></note><scope>"),
        ("</scope>", "</scope><references>b,a,2026-03-02T16:15:07-06:00</references>"),
    ):
        assert faults(sound.replace(before, instead).encode()), instead


def test_the_block_is_checked(context):
    """It goes somewhere, its sender and area are what the standard allows, its address hides."""
    (driver,) = vestibule_notifiers()
    good = {"sender": "school.example", "url": "https://cap.example/in?key=Canary"}
    block = CapConfig(**good)
    assert "Canary" not in repr(block)
    assert isinstance(driver.factory(block, context), Notifier)
    for bad in (
        {"url": None},
        {"sender": "our school"},
        {"sender": "a,b"},
        {"scope": "private"},
        {"area": {"polygon": [[1, 2], [3, 4]]}},
        {"area": {"polygon": [[91, 2], [3, 4], [5, 6]]}},
        {"area": {"geocodes": {"S AME": "1"}}},
        {"language": "english please"},
    ):
        with pytest.raises(ValidationError):
            CapConfig(**{**good, **bad})
