"""What became of each notice for each person stands in the journal, and can be read in words."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from safety_school import EVENING, School, school, until

from hub.errors import CommandFailed, NotReady
from hub.house import House
from hub.kinds.notifiers import Ack, Notice, Receipt
from hub.safety.notices.hearing import Hearing
from hub.safety.notices.picture_links import picture_key
from hub.views import ReceiptView


async def raised(house: School) -> str:
    """The id of a fresh alert in the closed wing."""
    await house.intake.accept(house.seen())
    return (await house.intake.alerts())[0]["id"]


async def told(house: School, alert: str, channel: str = "post") -> dict[str, ReceiptView]:
    """What became of the notices through a channel, by person."""
    view = await house.intake.alert(alert)
    told = [one for one in view["told"] if one["about"] == "alert"]
    return {one["person"]: one for one in told if one["channel"] == channel}


async def words(house: School, alert: str, channel: str = "post") -> list[str]:
    """The same in words."""
    view = await house.intake.alert(alert)
    return [one["words"] for one in view["told"] if one["channel"] == channel]


def named(name: str) -> Any:
    """An answer that says what the provider calls the notice."""
    return lambda notice: Receipt("accepted", f"{name}-{notice.to[0].person}")


async def events(house: School, kind: str) -> list[dict[str, Any]]:
    """The data of every event of a type, in order."""
    past = await house.intake.past_events(0)
    return [dict(event.data) for _, event in past if event.type == kind]


async def test_each_person_has_a_receipt_that_tells_how_far_the_notice_came(
    tmp_path: Path,
) -> None:
    """Queued before anything is sent, accepted with the channel's word, each with its time; people
    who share a notice have one each.
    """
    async with school(tmp_path) as house:
        alert = await raised(house)
        waits = (await told(house, alert))["officer"]
        assert (waits["state"], waits["queued"]) == ("queued", "2026-03-02T20:15:00.000Z")
        assert waits["words"] == "School resource officer: waits since 20:15 (Post)"
        house.perform()
        await house.settled()
        got = (await told(house, alert))["officer"]
        assert (got["state"], got["accepted"]) == ("accepted", "2026-03-02T20:15:00.000Z")
        assert got["delivered"] is None
        assert set(await told(house, alert, "console")) == {"officer", "desk"}


async def test_a_channel_tells_delivered_seen_and_taken_on(tmp_path: Path) -> None:
    """By the notice's key or by the provider's own name for it; each is a time, an event and a line
    of the story, and taking it on acknowledges the alert in that person's name.
    """
    async with school(tmp_path) as house:
        house.channels["post"].answer = named("sms")
        hearing = Hearing(house.intake)
        house.perform()
        alert = await raised(house)
        await house.settled()
        key = house.channels["post"].sent[0].key
        await house.clock.advance(60)
        await hearing.take("post", Ack("delivered", id="sms-officer", time=EVENING))
        await hearing.take("post", Ack("seen", key=key))
        await hearing.take("post", Ack("acknowledged", key=key, person="officer"))
        got = (await told(house, alert))["officer"]
        assert got["state"] == "acknowledged"
        assert got["words"] == (
            "School resource officer: delivered 20:15, seen 20:16, taken on 20:16 (Post)"
        )
        view = await house.intake.alert(alert)
        assert view["acknowledged"] is not None
        assert view["acknowledged"]["by"] == "officer"
        story = await house.story()
        assert "School resource officer: delivered through Post" in story
        assert "School resource officer: taken on through Post" in story
        assert [one["key"] for one in await events(house, "notice.seen")] == [key]


async def test_the_same_word_twice_is_one_and_a_late_one_changes_nothing(tmp_path: Path) -> None:
    """A provider that repeats itself makes no second event; what has arrived has not failed."""
    async with school(tmp_path) as house:
        hearing = Hearing(house.intake)
        house.perform()
        alert = await raised(house)
        await house.settled()
        key = house.channels["post"].sent[0].key
        for _ in range(3):
            await hearing.take("post", Ack("delivered", key=key))
        await hearing.take("post", Ack("failed", key=key, detail="no such number"))
        assert len(await events(house, "notice.delivered")) == 1
        assert await events(house, "notice.failed") == []
        assert (await told(house, alert))["officer"]["state"] == "delivered"
        assert hearing.queue()["heard"] == 4


@pytest.mark.parametrize(
    ("ack", "counter"),
    [
        (Ack("seen", key="of-nobody"), "unknown"),
        (Ack("seen", id="of-nobody"), "unknown"),
        (Ack("seen"), "invalid"),
        (Ack("eaten", key="x"), "invalid"),  # type: ignore[arg-type]
        (Ack("seen", key="x" * 5000), "invalid"),
        (Ack("seen", key=7), "invalid"),  # type: ignore[arg-type]
        ("seen", "invalid"),
    ],
)
async def test_what_speaks_of_no_notice_is_counted_and_dropped(
    tmp_path: Path, ack: Any, counter: str
) -> None:
    """Unknown keys and nonsense change nothing in the journal, and can be seen in health."""
    async with school(tmp_path) as house:
        hearing = Hearing(house.intake)
        before = (await house.intake.counts())["events"]
        await hearing.take("post", ack)
        assert hearing.queue()[counter] == 1
        assert (await house.intake.counts())["events"] == before


async def test_a_channel_speaks_only_of_its_own_notices_and_people(tmp_path: Path) -> None:
    """Another channel's key is unknown to it, and so is a person whom the notice was not for; of a
    notice to several it cannot say that somebody saw it without saying who.
    """
    async with school(tmp_path) as house:
        hearing = Hearing(house.intake)
        house.perform()
        alert = await raised(house)
        await house.settled()
        (shared,) = house.channels["console"].sent
        own = house.channels["post"].sent[0].key
        await hearing.take("post", Ack("acknowledged", key=shared.key, person="officer"))
        await hearing.take("post", Ack("seen", key=own, person="head"))
        await hearing.take("console", Ack("acknowledged", key=shared.key))
        assert hearing.queue()["unknown"] == 3
        await hearing.take("console", Ack("delivered", key=shared.key))
        await hearing.take("console", Ack("seen", key=shared.key, person="desk"))
        states = {who: one["state"] for who, one in (await told(house, alert, "console")).items()}
        assert states == {"officer": "delivered", "desk": "seen"}
        assert (await house.intake.alert(alert))["acknowledged"] is None


async def test_a_word_that_comes_before_the_journal_knows_the_name_waits(tmp_path: Path) -> None:
    """A provider may tell of a message by its own name while `send` has not returned yet."""
    async with school(tmp_path) as house:
        hearing = Hearing(house.intake)
        house.performer.on_receipt = hearing.again
        house.channels["post"].answer = named("sms")
        await hearing.take("post", Ack("delivered", id="sms-officer"))
        assert hearing.queue()["unknown"] == 1
        house.perform()
        alert = await raised(house)
        await house.settled()
        await until(lambda: hearing.queue()["heard"] == 1)
        assert hearing.queue()["unknown"] == 0
        assert (await told(house, alert))["officer"]["delivered"] is not None


async def test_words_after_a_restart_are_matched(tmp_path: Path) -> None:
    """A text message is answered an hour later; the hub was restarted in between."""
    async with school(tmp_path) as house:
        house.channels["post"].answer = named("sms")
        house.perform()
        alert = await raised(house)
        await house.settled()
    await house.clock.advance(3600)
    async with school(tmp_path, house.clock) as house:
        await Hearing(house.intake).take("post", Ack("acknowledged", id="sms-officer"))
        view = await house.intake.alert(alert)
        assert view["acknowledged"] is not None
        assert view["acknowledged"]["time"] == "2026-03-02T21:15:00.000Z"


async def test_what_has_arrived_is_not_sent_again(tmp_path: Path) -> None:
    """Nobody saw how an attempt ended, but the channel says that it was delivered."""
    async with school(tmp_path) as house:
        post = house.channels["post"]
        post.answer = away
        house.perform()
        alert = await raised(house)
        await until(lambda: len(post.sent) == 2)
        await until(lambda: not house.performer.queue()["running"])
        for notice in list(post.sent):
            await Hearing(house.intake).take("post", Ack("delivered", key=notice.key))
        await house.pass_time(5)
        assert len(post.sent) == 2
        assert {one["state"] for one in (await told(house, alert)).values()} == {"delivered"}


def away(notice: Notice) -> Receipt:
    """A channel that cannot be reached."""
    raise NotReady("no network")


def refuses(notice: Notice) -> Receipt:
    """A channel that says no for good."""
    raise CommandFailed("no such mailbox")


async def test_a_refusal_stands_at_each_person(tmp_path: Path) -> None:
    """Who was not reached, when and why."""
    async with school(tmp_path) as house:
        house.channels["post"].answer = refuses
        house.perform()
        alert = await raised(house)
        await house.settled()
        assert (await words(house, alert))[0] == (
            "School resource officer: NOT reached 20:15: no such mailbox (Post)"
        )


async def test_what_was_called_off_says_so(tmp_path: Path) -> None:
    """A verdict before anything was sent: nobody was told, and the receipt says why."""
    async with school(tmp_path) as house:
        alert = await raised(house)
        await house.intake.verdict(alert, "dismissed", "desk")
        assert (await told(house, alert))["officer"]["state"] == "called_off"
        assert (await words(house, alert))[0].startswith("School resource officer: no longer told")


async def test_opening_the_alert_is_seeing_it(tmp_path: Path) -> None:
    """Who was told and looks at the page has seen it, once; who was not told leaves no trace."""
    async with school(tmp_path) as house:
        house.perform()
        alert = await raised(house)
        await house.settled()
        for _ in range(2):
            await house.intake.opened(alert, "officer")
        await house.intake.opened(alert, "head")
        assert (await told(house, alert))["officer"]["state"] == "seen"
        assert (await told(house, alert, "console"))["officer"]["state"] == "seen"
        assert (await told(house, alert, "console"))["desk"]["state"] == "accepted"
        (seen,) = await events(house, "notice.seen")
        assert (seen["people"], seen["detail"]) == (["officer"], "opened the alert's page")


async def test_who_opens_it_by_the_name_of_their_account_has_seen_it(tmp_path: Path) -> None:
    """An account is a person's whose id or name it has, as where browsers are told."""
    async with school(tmp_path) as house:
        house.perform()
        alert = await raised(house)
        await house.settled()
        page: Any = SimpleNamespace(
            config=house.config, _parts=SimpleNamespace(intake=house.intake)
        )
        await House.opened(page, alert, "somebody else")
        assert (await told(house, alert))["officer"]["state"] == "accepted"
        await House.opened(page, alert, "school resource officer")
        assert (await told(house, alert))["officer"]["state"] == "seen"


async def test_times_that_cannot_be_are_ours(tmp_path: Path) -> None:
    """A provider whose clock is ahead, or that names no zone, does not date anything ahead."""
    async with school(tmp_path) as house:
        hearing = Hearing(house.intake)
        house.perform()
        alert = await raised(house)
        await house.settled()
        keys = [notice.key for notice in house.channels["post"].sent]
        await hearing.take("post", Ack("seen", key=keys[0], time=EVENING + timedelta(days=900)))
        await hearing.take("post", Ack("seen", key=keys[1], time=EVENING.replace(tzinfo=None)))
        times = {one["seen"] for one in (await told(house, alert)).values()}
        assert times == {"2026-03-02T20:15:00.000Z"}


async def test_a_provider_may_say_when_to_come_back(tmp_path: Path) -> None:
    """The next attempt is made when the other side wants it, not before."""
    async with school(tmp_path) as house:
        post = house.channels["post"]

        def busy(notice: Notice) -> Receipt:
            raise NotReady("too many requests", after=90)

        post.answer = busy
        house.perform()
        await raised(house)
        await until(lambda: len(post.sent) == 2)
        await house.pass_time(85)
        assert len(post.sent) == 2
        post.answer = lambda notice: Receipt("accepted")
        await house.pass_time(10)
        await house.settled()
        assert len(post.sent) == 4


async def test_a_channel_is_told_what_it_was_given_before(tmp_path: Path) -> None:
    """A verdict names the notices about the same alert that went through the same channel."""
    async with school(tmp_path) as house:
        house.perform()
        alert = await raised(house)
        await house.settled()
        first = list(house.channels["post"].sent)
        assert all("earlier" not in notice.data for notice in first[:1])
        await house.intake.verdict(alert, "dismissed", "desk")
        await house.settled()
        last = house.channels["post"].sent[-1]
        assert last.about == "verdict"
        keys = [one["key"] for one in last.data["earlier"]]
        assert keys[: len(first)] == [notice.key for notice in first]
        assert last.data["earlier"][0]["time"] == "2026-03-02T20:15:00.000Z"


async def test_a_notice_has_a_link_to_its_picture_and_no_picture(tmp_path: Path) -> None:
    """Signed, for that alert's picture, and good for an hour from when it was sent."""
    async with school(tmp_path) as house:
        house.perform()
        alert = await raised(house)
        await house.settled()
        address = house.channels["post"].sent[0].picture
        path, _, query = address.removeprefix("http://hub:8480").partition("?")
        assert path == f"/alerts/{alert}/picture/{'a' * 32}.jpg"
        said = dict(each.split("=", 1) for each in query.split("&"))
        links = house.performer.pictures
        for ago, answer in ((3599, "open"), (3601, "expired")):
            now = EVENING + timedelta(seconds=ago)
            assert links.check(alert, f"{'a' * 32}.jpg", said["until"], said["sign"], now) == answer


async def test_the_key_that_signs_links_outlives_the_process(tmp_path: Path) -> None:
    """A link of before a restart still opens after it."""
    async with school(tmp_path) as house:
        first = await house.journal.write(picture_key)
    async with school(tmp_path) as house:
        assert await house.journal.write(picture_key) == first
        assert len(first) == 32


async def test_who_answers_for_a_digest_has_seen_what_is_in_it(tmp_path: Path) -> None:
    """A list of many alerts, answered with one tap, takes none of them on."""
    async with school(tmp_path) as house:
        await house.intake.accept(house.seen("wing"))
        await house.intake.accept(house.seen("lab"))
    await house.clock.advance(3600)
    async with school(tmp_path, house.clock) as house:
        house.perform()
        await house.settled()
        (digest,) = [n for n in house.channels["post"].sent if n.to[0].person == "officer"]
        assert digest.data["digest"] == 2
        await Hearing(house.intake).take("post", Ack("acknowledged", key=digest.key))
        for alert in await house.intake.alerts():
            assert alert["acknowledged"] is None
            row = (await told(house, alert["id"]))["officer"]
            assert (row["state"], row["acknowledged"]) == ("seen", None)


async def test_what_a_provider_repeats_takes_no_turn_of_the_writer(tmp_path: Path) -> None:
    """A flood of known words changes nothing and writes nothing."""
    async with school(tmp_path) as house:
        hearing = Hearing(house.intake)
        house.perform()
        await raised(house)
        await house.settled()
        ack = Ack("acknowledged", key=house.channels["post"].sent[0].key)
        await hearing.take("post", ack)
        await house.settled()
        before = house.journal.counters.works
        for _ in range(200):
            await hearing.take("post", ack)
        assert house.journal.counters.works == before
        assert hearing.queue()["heard"] == 201


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("accepted", 7), "expected id and detail of a Receipt to be text"),
        (("sent", "7"), "expected the state of a Receipt to be one of accepted, delivered, failed"),
    ],
)
async def test_a_receipt_that_is_none_is_a_failure_in_words(
    tmp_path: Path, given: Any, says: str
) -> None:
    """A driver that answers nonsense is tried a few times, then its people count as not reached."""
    async with school(tmp_path) as house:
        house.channels["post"].answer = lambda notice: Receipt(*given)
        house.perform()
        alert = await raised(house)
        await house.pass_time(12)
        await house.settled()
        got = (await told(house, alert))["officer"]
        assert got["state"] == "failed"
        assert says in got["detail"]


async def test_a_secret_in_what_a_provider_calls_a_notice_is_hidden(tmp_path: Path) -> None:
    """It stands in no row, and the provider's word by that name is still matched."""
    secret = "Canary0815secret"
    async with school(tmp_path) as house:
        house.intake.secrets.add([secret])
        house.channels["post"].answer = lambda notice: Receipt("accepted", f"id-{secret}")
        house.perform()
        alert = await raised(house)
        await house.settled()
        await Hearing(house.intake).take("post", Ack("seen", id=f"id-{secret}", detail=secret))
        states = [one["state"] for one in (await told(house, alert)).values()]
        assert "seen" in states
    for file in tmp_path.iterdir():
        assert secret.encode() not in file.read_bytes()


@pytest.mark.parametrize(
    "odd",
    [
        {"detail": "half \ud800"},
        {"time": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))},
        {"time": "2026-03-02"},
        {"time": datetime(2026, 3, 2)},
    ],
)
async def test_odd_words_about_a_notice_are_taken_as_far_as_they_go(
    tmp_path: Path, odd: dict[str, Any]
) -> None:
    """Half characters are replaced, and a time that cannot be is the present one."""
    async with school(tmp_path) as house:
        house.perform()
        alert = await raised(house)
        await house.settled()
        key = house.channels["post"].sent[0].key
        await Hearing(house.intake).take("post", Ack("delivered", key=key, **odd))
        assert (await told(house, alert))["officer"]["delivered"] == "2026-03-02T20:15:00.000Z"


async def test_half_a_character_names_no_notice(tmp_path: Path) -> None:
    """What cannot even be looked up is of no known notice; following the channel goes on."""
    async with school(tmp_path) as house:
        hearing = Hearing(house.intake)
        for ack in (Ack("seen", key="\ud800"), Ack("seen", id="\ud800")):
            await hearing.take("post", ack)
        assert hearing.queue()["unknown"] == 2


async def test_early_words_are_taken_once(tmp_path: Path) -> None:
    """Also where the same reference comes to the journal twice at the same moment."""
    async with school(tmp_path) as house:
        hearing = Hearing(house.intake)
        for state in ("delivered", "seen"):
            await hearing.take("post", Ack(state, id="sms"))  # type: ignore[arg-type]
        await asyncio.gather(hearing.again("post", "sms"), hearing.again("post", "sms"))
        assert hearing.queue()["waiting"] == 0
