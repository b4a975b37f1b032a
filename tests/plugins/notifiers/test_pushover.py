import asyncio

import pytest
from pydantic import ValidationError

from hub import Notifier, NotReady, Recipient
from plugins.notifiers import pushover as driver_file
from plugins.notifiers.pushover import Pushover, PushoverConfig, vestibule_notifiers
from tests.plugins.notifiers.provider_servers import (
    PUSHOVER_TOKEN,
    PUSHOVER_USER,
    PushoverServer,
    take,
    until,
)

OTHER = "v" * 30


@pytest.fixture
async def server():
    """Pushover, as its documentation describes it."""
    made = PushoverServer()
    made.users.add(OTHER)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def pushover(server, context):
    """A started notifier."""
    config = PushoverConfig(server=server.url, token=PUSHOVER_TOKEN, user=PUSHOVER_USER)
    made = Pushover(config, context)
    await made.start()
    yield made
    await made.close()


def told(notice, **changes):
    """A notice to somebody with a user key of their own."""
    return notice(to=(Recipient("sro", "School resource officer", OTHER),), **changes)


async def test_a_severe_alert_sounds_until_somebody_answers(pushover, server, notice):
    """Priority 2 with retry and expire, the link, the real time, and whose alert it is."""
    receipt = await pushover.send(told(notice, title="Tür aufgebrochen"))
    (sent,) = server.taken
    assert (receipt.state, receipt.id) == ("accepted", next(iter(server.receipts)))
    assert (sent["priority"], sent["retry"], sent["expire"]) == ("2", "60", "3600")
    assert (sent["user"], sent["title"]) == (OTHER, "Tür aufgebrochen")
    assert (sent["url"], sent["tags"]) == ("http://hub.example/alerts/alert-1", "alert-alert-1")
    assert sent["timestamp"] == "1772489700"
    assert "html" not in sent


async def test_who_has_a_key_is_told_there_and_the_others_in_common(pushover, server, notice):
    """A person's own key comes first; for those without one it is the block's."""
    people = (Recipient("a", "A", OTHER), Recipient("b", "B"))
    await pushover.send(notice(to=people))
    assert {each["user"] for each in server.taken} == {OTHER, PUSHOVER_USER}


async def test_law_7_a_drill_is_named_and_sounds_for_nobody(pushover, server, notice):
    """DRILL leads title and text; it is no emergency, and asks for no receipt."""
    await pushover.send(told(notice, drill=True))
    (sent,) = server.taken
    assert sent["title"].startswith("DRILL: ")
    assert sent["message"].startswith("This is a drill.")
    assert sent["priority"] == "0"
    assert server.receipts == {}


async def test_a_repeat_says_so(pushover, server, notice):
    """Pushover shows each message; people are told that it may be one they have."""
    await pushover.send(told(notice, repeat=True))
    assert server.taken[0]["title"].endswith("(may be a repeat)")
    assert not pushover.channel.deduplicates


async def test_delivery_and_acknowledgement_come_back_with_who(pushover, server, notice, context):
    """The receipt is polled: first that a telephone has it, then that somebody answered."""
    await pushover.send(told(notice, key="key-1"))
    (receipt,) = server.receipts.values()
    receipt["last_delivered_at"] = 1772489705
    (first,) = await take(pushover.acks(), 1, context.clock)
    assert (first.state, first.key, first.person) == ("delivered", "key-1", "sro")
    receipt |= {"acknowledged": 1, "acknowledged_at": 1772489760, "acknowledged_by": OTHER,
                "acknowledged_by_device": "phone"}  # fmt: skip
    acks = await take(pushover.acks(), 2, context.clock)
    second = acks[-1]
    assert (second.state, second.person, second.detail) == (
        "acknowledged", "sro", "on the device phone",
    )  # fmt: skip
    assert second.time.isoformat() == "2026-03-02T22:16:00+00:00"


async def test_a_time_that_cannot_be_ends_no_acknowledgements(pushover, server, notice, context):
    """A gateway that writes milliseconds, or worse, costs the time and not the word."""
    await pushover.send(told(notice, key="key-1"))
    (receipt,) = server.receipts.values()
    receipt |= {"last_delivered_at": 10**18, "acknowledged": 1, "acknowledged_at": 10**30}
    acks = await take(pushover.acks(), 2, context.clock)
    assert [(ack.state, ack.time) for ack in acks] == [("delivered", None), ("acknowledged", None)]


async def test_receipts_are_asked_for_no_faster_than_allowed(pushover, server, notice, context):
    """Five seconds between two questions about one receipt, as Pushover demands."""
    await pushover.send(told(notice))
    server.paths.clear()
    waits = asyncio.ensure_future(anext(pushover.acks()))
    await until(lambda: len(server.paths) == 1)
    await context.clock.advance(4.9)
    assert len(server.paths) == 1
    await context.clock.advance(0.2)
    await until(lambda: len(server.paths) == 2)
    waits.cancel()
    await asyncio.gather(waits, return_exceptions=True)


async def test_one_that_reached_no_telephone_comes_back_as_failed(
    pushover, server, notice, context
):
    """What expired undelivered is said, so that another way can be tried."""
    await pushover.send(told(notice))
    next(iter(server.receipts.values()))["expired"] = 1
    (ack,) = await take(pushover.acks(), 1, context.clock)
    assert (ack.state, ack.person) == ("failed", "sro")


async def test_law_4_a_verdict_silences_what_sounds_and_is_no_emergency(pushover, server, notice):
    """A false alarm ends the sounding on every telephone first, then says so, loudly, once."""
    await pushover.send(told(notice))
    await pushover.send(told(notice, key="v", about="verdict", data={"verdict": "dismissed"}))
    assert server.cancelled == ["alert-alert-1"]
    assert server.paths[-2][1].startswith("/1/receipts/cancel_by_tag/")
    assert server.taken[-1]["priority"] == "1"
    await pushover.send(told(notice, key="a", about="acknowledgement", data={"by": "sro"}))
    assert server.cancelled == ["alert-alert-1"] * 2
    await pushover.send(told(notice, key="u", about="verdict", data={"verdict": "unsure"}))
    assert len(server.cancelled) == 2


async def test_law_4_a_verdict_waits_for_no_silencing(pushover, server, notice, monkeypatch):
    """Where that call alone fails or hangs the verdict is still told, and says what may sound on;
    it is tried once more after that.
    """
    await pushover.send(told(notice))
    verdict = {"about": "verdict", "data": {"verdict": "dismissed"}}
    server.forced = [(503, "", {})]
    receipt = await pushover.send(told(notice, key="v", **verdict))
    assert (receipt.state, receipt.detail) == ("accepted", "")
    assert server.cancelled == ["alert-alert-1"]
    call = pushover._provider.call

    async def held(method, path, **request):
        if "cancel" in path:
            await asyncio.Event().wait()
        return await call(method, path, **request)

    monkeypatch.setattr(pushover._provider, "call", held)
    monkeypatch.setattr(driver_file, "SILENCE_S", 0.2)
    receipt = await pushover.send(told(notice, key="w", **verdict))
    assert receipt.state == "accepted"
    assert "may sound on" in receipt.detail
    assert len(server.taken) == 3


async def test_refusals_say_what_to_do(pushover, server, notice, context):
    """An unknown user and an unknown token are failures that name the key to correct."""
    stranger = notice(to=(Recipient("x", "X", "z" * 30),))
    receipt = await pushover.send(stranger)
    assert receipt.state == "failed"
    assert "correct `user` or the person's `contact:`" in receipt.detail
    config = PushoverConfig(server=server.url, token="x" * 30, user=PUSHOVER_USER)
    wrong = Pushover(config, context)
    await wrong.start()
    receipt = await wrong.send(notice(to=()))
    assert receipt.state == "failed"
    assert "correct `token`" in receipt.detail
    assert "x" * 30 not in receipt.detail
    await wrong.close()


async def test_nobody_to_tell_fails(server, context, notice):
    """Without a key anywhere there is nobody, and that is said."""
    made = Pushover(PushoverConfig(server=server.url, token=PUSHOVER_TOKEN), context)
    await made.start()
    receipt = await made.send(notice(to=()))
    assert (receipt.state, "contact" in receipt.detail) == ("failed", True)
    await made.close()


async def test_trouble_there_is_not_ready(pushover, server, notice):
    """A server error, an overload, and a 200 that does not say that it was taken."""
    for answer in ((500, "", {}), (429, "", {}), (200, "<html>Sign in to the Wi-Fi</html>", {})):
        server.forced = [answer]
        with pytest.raises(NotReady):
            await pushover.send(notice(to=()))
    assert (await pushover.send(notice(to=()))).state == "accepted"


async def test_length_and_markup_are_kept_within_the_limits(pushover, server, notice):
    """1024 characters, 250 of title; angle brackets are text, since HTML is never asked for."""
    await pushover.send(told(notice, title="<b>x</b>" * 100, text="y" * 5000))
    (sent,) = server.taken
    assert (len(sent["title"]), len(sent["message"])) == (250, 1024)
    assert sent["title"].startswith("<b>x</b>")
    assert sent["message"].endswith("2026-03-02 22:15:00 UTC")


async def test_a_probe_asks_and_sends_nothing(pushover, server, context):
    """Token and user are tried by calls that notify nobody."""
    said = await pushover.probe()
    assert said.works
    assert "9876 messages are left" in said.found
    assert server.taken == []
    wrong = Pushover(PushoverConfig(server=server.url, token="x" * 30), context)
    said = await wrong.probe()
    assert (said.works, said.remedy) == (False, "correct `token`")
    await wrong.close()
    config = PushoverConfig(server=server.url, token=PUSHOVER_TOKEN, user="z" * 30)
    stranger = Pushover(config, context)
    assert "correct `user`" in (await stranger.probe()).remedy
    await stranger.close()


def test_the_block_is_checked_and_hides_its_keys(context):
    """A key of another length is a mistake; so is expiring before the first repetition."""
    (driver,) = vestibule_notifiers()
    config = PushoverConfig(token=PUSHOVER_TOKEN)
    assert isinstance(driver.factory(config, context), Notifier)
    assert driver.factory.channel.path == "wan"
    assert PUSHOVER_TOKEN not in repr(config)
    for wrong in (
        {"token": "short"},
        {"retry": 5},
        {"expire": "4h"},
        {"retry": "1h", "expire": 60},
    ):
        with pytest.raises(ValidationError):
            PushoverConfig(**{"token": PUSHOVER_TOKEN, **wrong})
