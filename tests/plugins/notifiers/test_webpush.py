"""Web push: the RFC's own example, and a push service whose browsers decrypt what comes."""

import asyncio
import json
import stat
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from pydantic import ValidationError

from hub import SEVERITIES, Context, Notifier, NotReady, Recipient
from plugins.notifiers._webpush_message import LARGEST, SenderKey, encrypt, packed, unpacked
from plugins.notifiers.webpush import WebPush, WebPushConfig, message, vestibule_notifiers
from tests.plugins.notifiers.push_service import Browser, PushService

# RFC 8291, appendix A, and section 5.
WORDS = b"When I grow up, I want to be a watermelon"
SENDER = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
RECEIVER = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
RECEIVER_PUBLIC = (
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
)
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
SALT = "DGv6ra1nlYgDCS1FRnbzlw"
SEALED = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS"
    "6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qu"
    "lcy4a-fN"
)


@pytest.fixture
async def service(context):
    """A push service."""
    made = PushService(context.clock)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def push(context, service):
    """A started notifier; `push.subscribed` is what the hub knows, by id."""
    subscribed = {}

    async def of(people):
        return [each for each in subscribed.values() if not people or each.person in people]

    async def forget(id_):
        subscribed.pop(id_, None)

    knows = replace(context, subscriptions=of, unsubscribe=forget)
    every = []

    async def made(**block):
        base = {"contact": "mailto:it@school.example", "services": [f"127.0.0.1:{service.port}"]}
        every.append(WebPush(WebPushConfig(**{**base, **block}), knows))
        await every[-1].start()
        return every[-1]

    made.subscribed = subscribed
    yield made
    for each in every:
        await each.close()


def subscribe(push, service, id_="one", person="sro"):
    """Let a browser of a person be told."""
    browser = service.browser()
    push.subscribed[id_] = browser.subscription(id_, person)
    return browser


def scalar(text):
    """A private key of the RFC."""
    return derive_private_key(int.from_bytes(unpacked(text), "big"), SECP256R1())


def test_the_example_of_the_rfc_comes_out_bit_by_bit():
    """RFC 8291, section 5: same keys, same salt, same message."""
    sealed = encrypt(WORDS, RECEIVER_PUBLIC, AUTH, salt=unpacked(SALT), ours=scalar(SENDER))
    assert packed(sealed) == SEALED
    browser = Browser(scalar(RECEIVER), unpacked(AUTH))
    assert browser.decrypt(unpacked(SEALED)) == WORDS


def test_a_message_has_its_own_key_and_its_limit():
    """Nothing is used twice, and what does not fit into one record is refused."""
    browser = Browser()
    keys = (packed(browser.public), packed(browser.auth))
    first, second = encrypt(b"x", *keys), encrypt(b"x", *keys)
    assert first[:16] != second[:16]
    assert first[21:86] != second[21:86]
    full = encrypt(b"y" * LARGEST, *keys)
    assert len(full) <= 4096
    assert browser.decrypt(full) == b"y" * LARGEST
    with pytest.raises(ValueError, match="holds"):
        encrypt(b"y" * (LARGEST + 1), *keys)


async def test_each_browser_of_a_person_is_told(push, service, notice):
    """Both are told the same, sealed for each; a colleague's is not."""
    notifier = await push()
    phone, desk = subscribe(push, service, "phone"), subscribe(push, service, "desk")
    other = subscribe(push, service, "other", "nurse")
    receipt = await notifier.send(notice())
    assert (receipt.state, receipt.detail) == ("accepted", "for 2 browsers")
    assert phone.told == desk.told
    assert other.told == []
    (told,) = phone.told
    assert told["title"] == "Person in the closed science wing"
    assert told["body"] == "Science wing, First floor"
    assert told["path"] == "/alerts/alert-1"
    assert service.senders == {await notifier.application_server_key()}


async def test_little_is_said_unless_the_block_wants_it_all(push, service, notice):
    """A locked screen shows no text that may name people; nothing ever shows a picture."""
    phone = subscribe(push, service)
    short, full = await push(), await push(text=True)
    one = notice(picture="https://hub/p", text="Jo was seen.", data={"x": "secret"})
    await short.send(one)
    await full.send(replace(one, key="b"))
    assert "Jo" not in str(phone.told[0])
    assert "Jo was seen." in phone.told[1]["body"]
    assert "picture" not in str(phone.told)
    assert "secret" not in str(phone.told)


async def test_a_verdict_takes_the_alerts_place(push, service, notice):
    """Same topic at the push service, same tag on the screen; another alert has its own."""
    phone = subscribe(push, service)
    notifier = await push()
    await notifier.send(notice())
    await notifier.send(notice(key="b", about="verdict", title="False alarm"))
    await notifier.send(notice(key="c", alert="alert-2"))
    topics = [headers["Topic"] for headers in phone.headers]
    assert topics[0] == topics[1] != topics[2]
    assert [told["tag"] for told in phone.told] == topics


@pytest.mark.parametrize("severity", SEVERITIES)
async def test_urgency_follows_severity(push, service, notice, severity):
    """What is grave wakes a sleeping phone; a note waits for it to wake by itself."""
    phone = subscribe(push, service)
    await (await push(lasts=600)).send(notice(severity=severity))
    (headers,) = phone.headers
    expected = {"severe": "high", "high": "high", "check": "normal", "note": "low"}
    assert (headers["Urgency"], headers["TTL"]) == (expected[severity], "600")


async def test_law_7_a_drill_says_so_first(push, service, notice):
    """In the title and in the first line."""
    phone = subscribe(push, service)
    await (await push()).send(notice(drill=True))
    assert phone.told[0]["title"].startswith("DRILL: ")
    assert phone.told[0]["body"].startswith("This is a drill.")


@pytest.mark.parametrize("status", [404, 410])
async def test_a_browser_that_is_gone_is_forgotten(push, service, notice, status):
    """It costs the others nothing, and is not tried again."""
    notifier = await push()
    subscribe(push, service, "gone")
    service.statuses = [status]
    receipt = await notifier.send(notice())
    assert receipt.state == "failed"
    assert "taken off the list" in receipt.detail
    assert push.subscribed == {}
    receipt = await notifier.send(notice(key="b"))
    assert receipt.detail == "no browser is told for School resource officer"
    here = subscribe(push, service, "here")
    lost = subscribe(push, service, "lost")
    service.browsers = {k: v for k, v in service.browsers.items() if v is not lost}
    receipt = await notifier.send(notice(key="c"))
    assert receipt.state == "accepted"
    assert len(here.told) == 1
    assert list(push.subscribed) == ["here"]


async def test_a_further_attempt_goes_only_to_those_not_reached(push, service, notice):
    """A push service in trouble is tried again; who was told is not told twice."""
    notifier = await push()
    first, second = subscribe(push, service, "a"), subscribe(push, service, "b")
    service.statuses = [201, 503]  # in whichever order they come
    with pytest.raises(NotReady, match="503"):
        await notifier.send(notice())
    assert len(first.told) + len(second.told) == 1
    receipt = await notifier.send(notice(repeat=True))
    assert receipt.detail == "for 2 browsers"
    assert (len(first.told), len(second.told)) == (1, 1)


@pytest.mark.parametrize(("status", "remedy"), [(403, "told of again"), (413, ""), (400, "")])
async def test_a_refusal_is_a_failure_and_forgets_nobody(push, service, notice, status, remedy):
    """What the push service does not take is told; the subscription stays."""
    notifier = await push()
    subscribe(push, service)
    service.statuses = [status]
    receipt = await notifier.send(notice())
    assert receipt.state == "failed"
    assert f"HTTP {status}" in receipt.detail
    assert remedy in receipt.detail
    assert list(push.subscribed) == ["one"]


async def test_only_known_push_services_are_sent_to(push, service, notice, context):
    """An address inside the school, given as a browser's, is never posted to."""
    notifier = await push(services=["*.push.example", "push.example"])
    browser = subscribe(push, service)
    receipt = await notifier.send(notice())
    assert receipt.state == "failed"
    assert "none of the push services" in receipt.detail
    assert browser.told == []
    assert list(push.subscribed) == ["one"]


async def test_keys_that_are_none_forget_the_browser(push, service, notice):
    """A point that is not on the curve is no key: nothing can ever be sent there."""
    notifier = await push()
    browser = service.browser()
    bad = replace(browser.subscription("bad"), p256dh=packed(b"\x04" + b"\x01" * 64))
    push.subscribed["bad"] = bad
    receipt = await notifier.send(notice())
    assert "cannot be used" in receipt.detail
    assert push.subscribed == {}


@pytest.mark.parametrize(
    "words",
    ["x" * 50_000, "🚪" * 5000, '"\\\n' * 3000, "\x00\ud800", ""],
    ids=["long", "wide", "escapes", "odd", "empty"],
)
async def test_every_message_fits(push, service, notice, words):
    """Whatever is to be said, what is sent fits into a message and can be read."""
    phone = subscribe(push, service)
    notifier = await push(text=True)
    one = notice(title=words, text=words, place=words)
    assert len(message(one, whole=True)) <= LARGEST
    assert (await notifier.send(one)).state == "accepted"
    assert len(phone.told) == 1


async def test_the_key_is_made_once_and_nobody_else_may_read_it(push, context):
    """Another key would cost every browser; a damaged one is told and not replaced."""
    first = await push()
    file = context.state / "vapid.pem"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = await push()
    key = await first.application_server_key()
    assert await again.application_server_key() == key
    assert len(unpacked(key)) == 65
    file.write_text("damaged")
    with pytest.raises(NotReady, match="is no key"):
        await push()
    assert file.read_text() == "damaged"


async def test_many_browsers_are_told_side_by_side(push, service, notice):
    """Sixty browsers, a flood of notices: each once."""
    notifier = await push()
    every = [subscribe(push, service, f"n{number}") for number in range(60)]
    await asyncio.gather(notifier.send(notice()), notifier.send(notice(key="b")))
    assert [len(each.told) for each in every] == [2] * 60


async def test_who_of_several_has_no_browser_is_told_of(push, service, notice, context):
    """One notice for three people: those without a browser are named, so that others reach them."""
    notifier = await push()
    subscribe(push, service, "nurse", "nurse")  # an account is a person's by id or name, any case
    here = dict(service.browsers)
    subscribe(push, service, "sro", "SRO")
    service.browsers = here  # the other browser is gone
    people = (Recipient("sro", "Officer"), Recipient("n", "Nurse"), Recipient("it", "IT"))
    every = notifier._context.subscriptions

    async def all_of_them(people):
        return await every(())

    notifier._context = replace(notifier._context, subscriptions=all_of_them)
    receipt = await notifier.send(notice(to=people))
    assert receipt.state == "accepted"
    heard = []

    async def listen():
        async for ack in notifier.acks():
            heard.append((ack.state, ack.key, ack.person))

    listening = asyncio.create_task(listen())
    async with asyncio.timeout(30):
        while len(heard) < 2:
            await context.clock.advance(1)
    await notifier.close()
    await asyncio.wait_for(listening, 10)
    assert heard == [("failed", "notice-1", "sro"), ("failed", "notice-1", "it")]


async def test_whom_no_browser_reached_survives_a_restart(push, service, notice, context):
    """What was not told of yet is told of by the next start, once; a damaged file costs nothing."""
    first = await push()
    subscribe(push, service, "nurse", "nurse")
    people = (Recipient("nurse", "Nurse"), Recipient("it", "IT"))
    assert (await first.send(notice(to=people))).state == "accepted"
    await first.close()
    kept = context.state / "missed.json"
    facts = json.loads(kept.read_text())
    kept.write_text(json.dumps({"odd": 3, "worse": [["x"]], **facts}))
    again = await push()
    heard = []

    async def listen():
        async for ack in again.acks():
            heard.append((ack.state, ack.key, ack.person))

    listening = asyncio.create_task(listen())
    async with asyncio.timeout(30):
        while json.loads(kept.read_text()):
            await context.clock.advance(1)
    await again.close()
    await asyncio.wait_for(listening, 10)
    assert heard == [("failed", "notice-1", "it")]


async def test_a_whole_school_without_browsers_is_told_of_at_once(push, service, notice, context):
    """Three hundred people of one notice have none: all are named after one moment, not one by one,
    and none is forgotten.
    """
    notifier = await push()
    subscribe(push, service, "sro", "sro")
    people = tuple(Recipient(f"p{number}", "P") for number in range(300))
    await notifier.send(notice(to=(Recipient("sro", "Officer"), *people)))
    heard = []

    async def listen():
        async for ack in notifier.acks():
            heard.append(ack.person)

    listening, began = asyncio.create_task(listen()), context.clock.monotonic()
    async with asyncio.timeout(30):
        while len(heard) < 300:
            await context.clock.advance(0.5)
    assert context.clock.monotonic() - began <= 5
    assert heard == [each.person for each in people]
    await notifier.close()
    await asyncio.wait_for(listening, 10)


async def test_nobody_and_no_hub_are_told_in_words(context, notice, push):
    """No browser yet, and a driver outside the hub's process."""
    notifier = await push()
    said = await notifier.probe()
    assert "0 browsers of 0 people" in said.found
    assert "let people switch it on" in said.remedy
    receipt = await notifier.send(notice(to=(Recipient("it", "IT"),)))
    assert (receipt.state, receipt.detail) == ("failed", "no browser is told for IT")
    elsewhere = replace(context, state=context.state / "elsewhere")
    apart = WebPush(WebPushConfig(contact="https://school.example"), elsewhere)
    assert "made at the first start" in (await apart.probe()).found
    assert not elsewhere.state.exists()
    await apart.start()
    assert "the running hub knows" in (await apart.probe()).found
    with pytest.raises(NotReady, match="only to notifiers of a hub"):
        await apart.send(notice())


async def test_the_block_is_checked(tmp_path):
    """A contact is an address, a service is a host; a new instance has no key before its start."""
    (driver,) = vestibule_notifiers()
    made = driver.factory(WebPushConfig(contact="mailto:a@b"), Context("push", state=tmp_path))
    assert isinstance(made, Notifier)
    assert await made.application_server_key() == ""
    assert SenderKey.kept(tmp_path / "new" / "vapid.pem").public
    for bad in ({"contact": "a@b"}, {"services": ["https://x"]}, {"services": ["*"]}):
        with pytest.raises(ValidationError):
            WebPushConfig(**{"contact": "mailto:a@b", **bad})
