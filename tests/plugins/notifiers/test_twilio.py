from xml.etree import ElementTree

import pytest
from pydantic import ValidationError

from hub import Notifier, NotReady, Recipient
from plugins.notifiers._spoken import TWIML_LIMIT, parts, spoken, text_message, twiml
from plugins.notifiers.twilio import Twilio, TwilioConfig, vestibule_notifiers
from tests.plugins.notifiers.provider_servers import (
    ACCOUNT,
    AUTH_TOKEN,
    SENDER,
    TwilioServer,
    take,
)

PHONE = "+15550100123"
BLOCK = {"account": ACCOUNT, "auth_token": AUTH_TOKEN, "sender": SENDER, "to": (PHONE,)}


@pytest.fixture
async def server():
    """Twilio, as its documentation describes it."""
    made = TwilioServer()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def twilio(server, context):
    """Builds and starts notifiers; closes them at the end."""
    running = []

    async def made(**changes):
        one = Twilio(TwilioConfig(**{**BLOCK, "server": server.url, **changes}), context)
        await one.start()
        running.append(one)
        return one

    yield made
    for one in running:
        await one.close()


async def test_a_text_message_says_what_where_and_when(twilio, server, notice):
    """From the account's number to the person's, in as few parts as asked for, with the link."""
    sms = await twilio()
    people = (Recipient("sro", "SRO", "+4915550100123"), Recipient("b", "B"))
    receipt = await sms.send(notice(to=people))
    assert receipt.state == "accepted"
    assert {each["To"] for each in server.taken} == {"+4915550100123", PHONE}
    body = server.taken[0]["Body"]
    assert body.startswith("Person in the closed science wing\nSeen by the corridor camera.")
    assert body.endswith("First floor\n22:15\nhttp://hub.example/alerts/alert-1")
    assert set(receipt.id.split(",")) == set(server.sent)
    assert sms.channel.path == "cellular"


async def test_an_api_key_signs_in_like_the_account(twilio, server, notice):
    """Either the account's token or an API key and its secret; a wrong one is a failure."""
    server.name, server.password = "SK" + "1b" * 16, "the secret of the key"
    key = {"auth_token": None, "api_key": server.name, "api_secret": server.password}
    assert (await (await twilio(**key)).send(notice(to=()))).state == "accepted"
    receipt = await (await twilio()).send(notice(to=()))
    assert receipt.state == "failed"
    assert "correct `account` and `auth_token`" in receipt.detail
    assert AUTH_TOKEN not in receipt.detail


async def test_a_messaging_service_sends_in_place_of_a_number(twilio, server, notice):
    """Its SID goes under a name of its own."""
    service = "MG" + "2c" * 16
    await (await twilio(sender=service)).send(notice(to=()))
    assert server.taken[0]["MessagingServiceSid"] == service
    assert "From" not in server.taken[0]


@pytest.mark.parametrize(
    ("status", "state", "words"),
    [
        ({"status": "delivered"}, "delivered", ""),
        ({"status": "undelivered", "error_code": 30003}, "failed", "off or out of reach"),
        ({"status": "failed", "error_code": 30007}, "failed", "register the sender"),
        ({"status": "undelivered", "error_code": None}, "failed", "the message is undelivered"),
    ],
)
async def test_what_became_of_a_text_message_comes_back(
    twilio, server, notice, context, status, state, words
):
    """The network's word is polled, and what can be done about a failure is said."""
    sms = await twilio()
    await sms.send(notice(key="key-1", to=(Recipient("sro", "SRO", PHONE),)))
    server.sent = dict.fromkeys(server.sent, status)
    (ack,) = await take(sms.acks(), 1, context.clock)
    assert (ack.state, ack.key, ack.person) == (state, "key-1", "sro")
    assert words in ack.detail


async def test_a_call_speaks_the_words_twice(twilio, server, notice):
    """TwiML with the call itself, so that nobody has to reach the hub; no address is read out."""
    call = await twilio(by="voice", language="en-GB")
    await call.send(notice(to=(), drill=True, title='Tür <Say> & "Hof"'))
    root = ElementTree.fromstring(server.taken[0]["Twiml"])
    assert [each.tag for each in root] == ["Pause", "Say", "Pause", "Say"]
    first, second = root.findall("Say")
    assert first.text == second.text
    assert first.attrib == {"language": "en-GB"}
    assert first.text.startswith('DRILL: Tür <Say> & "Hof". This is a drill. Seen by')
    assert "http" not in first.text


@pytest.mark.parametrize(
    ("status", "state"),
    [("completed", "delivered"), ("no-answer", "failed"), ("busy", "failed")],
)
async def test_what_became_of_a_call_comes_back(twilio, server, notice, context, status, state):
    """An answered call has reached somebody; one that was not is to be followed by another way."""
    call = await twilio(by="voice")
    await call.send(notice(to=()))
    server.sent = {sid: {"status": status, "duration": "23"} for sid in server.sent}
    (ack,) = await take(call.acks(), 1, context.clock)
    assert ack.state == state
    assert ("23 s" in ack.detail) == (state == "delivered")


async def test_law_4_a_false_alarm_calls_off_the_calls_that_still_ring(twilio, server, notice):
    """Nobody answers the telephone to an alert that is over; a text message cannot be stopped."""
    call, sms = await twilio(by="voice"), await twilio()
    await call.send(notice(to=()))
    verdict = notice(key="v", about="verdict", data={"verdict": "dismissed"}, to=())
    await call.send(verdict)
    assert server.called_off == list(server.sent)[:1]
    await sms.send(verdict)
    assert len(server.called_off) == 1


async def test_law_4_a_verdict_waits_for_no_calling_off(twilio, server, notice):
    """Where that fails people are called with the verdict all the same; it calls off each call."""
    call = await twilio(by="voice")
    for key in ("one", "two"):
        await call.send(notice(key=key, to=()))
    server.forced = [(503, "", {})]
    verdict = notice(key="v", about="verdict", data={"verdict": "dismissed"}, to=())
    assert (await call.send(verdict)).state == "accepted"
    assert len(server.called_off) == 1
    assert len(server.taken) == 3


async def test_a_call_that_was_called_off_is_followed_by_no_other_way(
    twilio, server, notice, context
):
    """It is over, and its people hear that: what is called off comes back as no failure."""
    call = await twilio(by="voice")
    await call.send(notice(key="rings", to=(Recipient("sro", "SRO", PHONE),)))
    await call.send(notice(key="other", to=(Recipient("it", "IT", PHONE),)))
    called_off, busy = server.sent
    server.sent = {called_off: {"status": "canceled"}, busy: {"status": "busy"}}
    (ack,) = await take(call.acks(), 1, context.clock)
    assert (ack.key, ack.person) == ("other", "it")


async def test_refusals_name_the_number_and_say_what_to_do(twilio, server, notice):
    """One bad number does not cost the others; a person who sent STOP is told apart."""
    sms = await twilio()
    people = (Recipient("a", "A", "12345"), Recipient("b", "B", PHONE))
    receipt = await sms.send(notice(to=people))
    assert receipt.state == "accepted"
    assert "12345: HTTP 400" in receipt.detail
    assert "correct the person's number" in receipt.detail
    stop = '{"code": 21610, "message": "Attempt to send to unsubscribed recipient", "status": 400}'
    server.forced = [(400, stop, {})]
    assert "START" in (await sms.send(notice(key="k", to=()))).detail


async def test_trouble_there_is_not_ready(twilio, server, notice):
    """Too many requests, a server error, and a 200 without a SID may all be tried again."""
    sms = await twilio()
    for answer in ((429, '{"code": 20429}', {}), (503, "", {}), (200, "{}", {})):
        server.forced = [answer]
        with pytest.raises(NotReady):
            await sms.send(notice(to=()))


async def test_a_probe_looks_for_the_number_and_calls_nobody(twilio, server):
    """The account is asked whether the sender is one of its numbers."""
    assert "its number +15550100100" in (await (await twilio()).probe()).found
    assert "correct `sender`" in (await (await twilio(sender="+15550100199")).probe()).remedy
    assert "not tried" in (await (await twilio(sender="School")).probe()).found
    wrong = await (await twilio(auth_token="x" * 32)).probe()
    assert (wrong.works, "auth_token" in wrong.remedy) == (False, True)
    assert server.taken == []


def test_parts_are_counted_as_the_network_counts_them():
    """160 or 153 characters of the GSM alphabet, some of which count twice; else 70 or 67."""
    assert [parts("a" * n) for n in (160, 161, 306, 307)] == [1, 2, 2, 3]
    assert [parts("€" * n) for n in (80, 81)] == [1, 2]
    assert [parts("é" + "字" * n) for n in (69, 70, 133, 134)] == [1, 2, 2, 3]
    assert parts("🚪" * 35) == 1


@pytest.mark.parametrize("most", [1, 2, 3])
@pytest.mark.parametrize("letter", ["x ", "字", "€", "🚪 "])
def test_a_long_notice_fits_the_parts_it_may_take(notice, most, letter):
    """Title and link stay whole, the words in between give way."""
    said = text_message(notice(title="Person in the yard", text=letter * 3000), most)
    assert parts(said) <= most
    assert said.startswith("Person in the yard")
    assert said.endswith("http://hub.example/alerts/alert-1")
    assert parts(text_message(notice(title=letter * 3000), most)) <= most


def test_typographic_characters_do_not_double_a_message(notice):
    """A dash or a quotation mark alone would halve what fits; plain ones say the same."""
    said = text_message(notice(title="Door “B” – open…", text="It’s open", place="", link=""), 1)
    assert said.split("\n")[:2] == ['Door "B" - open...', "It's open"]


def test_what_is_spoken_is_short_enough_and_sound_xml(notice):
    """Whatever the words, the TwiML keeps to Twilio's limit and is well-formed."""
    for words in ("<&>" * 9000, "\x00\x1b\u202e\ufffe x", "", "前門 🚪 " * 900):
        made = twiml(notice(title=words, text=words, place=words), "en-US")
        assert len(made) <= TWIML_LIMIT
        ElementTree.fromstring(made)
    assert spoken(notice(text="Is it?\nYes")).count("Is it? Yes.") == 1


def test_the_block_is_checked_and_hides_its_secrets(context):
    """Shapes of SID and numbers, one way to sign in, and a number to call from."""
    (driver,) = vestibule_notifiers()
    config = TwilioConfig(**BLOCK)
    assert isinstance(driver.factory(config, context), Notifier)
    assert AUTH_TOKEN not in repr(config)
    key = {"api_key": "SK" + "1b" * 16}
    for wrong in (
        {"account": "AC1"},
        {"sender": "0555"},
        {"to": ("0555 0100",)},
        {"auth_token": None},
        key,
        {**key, "api_secret": "x" * 20},
        {"by": "voice", "sender": "School"},
        {"language": "English"},
    ):
        with pytest.raises(ValidationError):
            TwilioConfig(**{**BLOCK, **wrong})
