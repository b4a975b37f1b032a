"""Notices over MQTT, against the hub's own broker and mosquitto."""

import asyncio
import contextlib
import json
from contextlib import asynccontextmanager

import aiomqtt
import pytest
from pydantic import ValidationError

from hub import Notifier, NotReady, Recipient
from hub.broker import EmbeddedBroker
from plugins.notifiers import mqtt
from plugins.notifiers.mqtt import MqttNotices, MqttNoticesConfig, vestibule_notifiers
from tests.plugins.access_control.brokers import Cable, Mosquitto


@pytest.fixture(params=["embedded", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
async def broker(request, tmp_path):
    """Where a real broker listens: the hub's own, then mosquitto."""
    running = EmbeddedBroker() if request.param == "embedded" else Mosquitto(tmp_path)
    yield await running.start()
    await running.stop()


@pytest.fixture
def notice(notice):
    """A notice to somebody without a topic of their own."""

    def one(**changes):
        return notice(**{"to": (Recipient("sro", "School resource officer"),), **changes})

    return one


@pytest.fixture
async def made(context, broker):
    """Builds notifiers for that broker; closes them at the end."""
    every = []

    def one(**block):
        where = {"host": broker.host, "port": broker.port, "username": broker.username}
        config = MqttNoticesConfig(**{**where, "password": broker.password, **block})
        every.append(MqttNotices(config, context))
        return every[-1]

    yield one
    for each in every:
        await each.close()


@asynccontextmanager
async def listening(broker, topics="#"):
    """A subscriber; gives a function that waits for the next message."""
    async with aiomqtt.Client(
        broker.host, broker.port, username=broker.username, password=broker.password
    ) as client:
        await client.subscribe(topics, qos=1)
        messages = aiter(client.messages)

        async def following():
            async with asyncio.timeout(30):
                return await anext(messages)

        yield following


async def test_a_notice_is_published_as_json_and_not_retained(made, broker, notice):
    """A listener reads it all; one who comes later is told nothing."""
    notifier = made()
    await notifier.start()
    async with listening(broker, "vestibule/#") as following:
        receipt = await notifier.send(notice(drill=True))
        heard = await following()
    said = json.loads(heard.payload)
    assert (receipt.state, receipt.id) == ("accepted", "notice-1")
    assert heard.topic.value == "vestibule/notices"
    assert (heard.qos, bool(heard.retain)) == (1, False)
    assert (said["id"], said["type"]) == ("notice-1", "notice.alert")
    assert said["data"]["title"] == "DRILL: Person in the closed science wing"
    assert said["data"]["to"] == [{"person": "sro", "name": "School resource officer"}]
    async with listening(broker, "vestibule/#") as late:
        await notifier.send(notice(key="the next", to=()))
        assert json.loads((await late()).payload)["id"] == "the next"


async def test_topics_by_severity_and_by_person(made, broker, notice):
    """A person's own topic takes the place of the common one; the severity is appended."""
    notifier = made(topic="school/alerts", per_severity=True)
    await notifier.start()
    sro, other = Recipient("sro", "SRO", "desk/sro"), Recipient("it", "IT")
    async with listening(broker, [("school/#", 1), ("desk/#", 1)]) as following:
        await notifier.send(notice(to=(sro,), severity="check"))
        await notifier.send(notice(to=(other,)))
        topics = [(await following()).topic.value for _ in range(2)]
        await notifier.send(notice(to=(sro, other)))
        topics += sorted([(await following()).topic.value for _ in range(2)])
    assert topics == ["desk/sro/check", "school/alerts/severe", "desk/sro/severe",
                      "school/alerts/severe"]  # fmt: skip


@pytest.mark.parametrize("contact", ["all/#", "+/x", "$SYS/x", "a\nb", "", "x" * 300])
async def test_a_contact_that_is_no_topic_is_told(made, broker, notice, contact):
    """Nothing is published to a wildcard; the receipt says whose topic was wrong."""
    notifier = made()
    await notifier.start()
    receipt = await notifier.send(notice(to=(Recipient("sro", "SRO", contact),)))
    assert receipt.state == ("failed" if contact else "accepted")
    with pytest.raises(ValidationError):
        MqttNoticesConfig(host="h", topic=contact)


async def test_a_repeat_says_so_and_keeps_its_id(made, broker, notice):
    """At QoS 1 a message may come twice: the id is the same, and the title tells people."""
    notifier = made()
    await notifier.start()
    async with listening(broker, "vestibule/#") as following:
        await notifier.send(notice())
        await notifier.send(notice(repeat=True))
        first, second = [json.loads((await following()).payload) for _ in range(2)]
    assert first["id"] == second["id"]
    assert "may be a repeat" in second["data"]["title"]
    assert (first["data"]["repeat"], second["data"]["repeat"]) == (False, True)


async def test_a_notice_beyond_measure_is_shortened(made, broker, notice):
    """No broker's limit costs the notice: a huge text goes out cut."""
    notifier = made()
    await notifier.start()
    async with listening(broker, "vestibule/#") as following:
        receipt = await notifier.send(notice(text="x" * 500_000, data={"verdict": "verified"}))
        said = json.loads((await following()).payload)
    assert receipt.state == "accepted"
    assert len(said["data"]["text"]) == 1000
    assert said["data"]["more"] == {"verdict": "verified"}


async def test_a_broker_that_is_away_or_refuses_is_not_ready(made, broker, notice):
    """No broker, and a wrong password, are told in words without the password."""
    away = made(port=1)
    with pytest.raises(NotReady, match=r"nothing listens at 127\.0\.0\.1:1"):
        await away.start()
    with pytest.raises(NotReady, match="no link"):
        await away.send(notice())
    with pytest.raises(NotReady, match="nothing listens"):
        await away.probe()
    if broker.password:
        wrong = made(password="Guessed-Canary")
        with pytest.raises(NotReady) as refused:
            await wrong.start()
        assert "Canary" not in str(refused.value)
        said = await wrong.probe()
        assert (said.works, said.remedy) == (False, "correct `username` and `password`")


async def test_nothing_is_said_again_after_the_link_was_cut(
    made, broker, notice, context, monkeypatch
):
    """A notice that found no link fails; once it is back only what is sent then arrives."""
    line = Cable(broker)
    near = await line.start()
    notifier = made(port=near.port)
    await notifier.start()
    async with listening(broker, "vestibule/#") as following:
        monkeypatch.setattr(mqtt, "ANSWER_S", 0.5)
        line.cut()
        for key in ("lost", "lost too"):
            with pytest.raises(NotReady):
                await notifier.send(notice(key=key))
        line.mend()

        async def again():
            with contextlib.suppress(NotReady):
                return await notifier.send(notice(key="after", repeat=True))
            await context.clock.advance(31)

        async with asyncio.timeout(20):
            while not await again():
                await asyncio.sleep(0.01)
        assert json.loads((await following()).payload)["id"] == "after"
    await line.stop()


async def test_a_probe_joins_and_publishes_nothing(made, broker):
    """It says that the broker lets us in; a listener hears nothing of it."""
    notifier = made()
    async with listening(broker) as following:
        said = await notifier.probe()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(following(), 0.2)
    assert said.works
    assert "lets us in" in said.found


async def test_no_tls_is_no_way_around_tls(made, broker, notice, monkeypatch):
    """A broker without TLS is never spoken to in the clear when TLS was asked for."""
    monkeypatch.setattr(mqtt, "ANSWER_S", 0.5)
    notifier = made(tls=True)
    with pytest.raises(NotReady):
        await notifier.start()
    with pytest.raises(NotReady):
        await notifier.send(notice())
    missing = made(tls=True, ca_file="nowhere.pem")
    with pytest.raises(NotReady, match="ca_file"):
        await missing.start()


async def test_a_call_that_is_called_off_leaves_no_connection(made, broker, notice):
    """Cancelled at any moment, it ends, and the next notice goes out."""
    notifier = made()
    await notifier.start()
    for turns in (0, 1, 3, 8):
        call = asyncio.create_task(notifier.send(notice()))
        for _ in range(turns):
            await asyncio.sleep(0)
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call
    assert (await notifier.send(notice())).state == "accepted"


def test_the_block_hides_its_password(context):
    """What is printed shows no password; the driver is a notifier of the school's network."""
    (driver,) = vestibule_notifiers()
    block = MqttNoticesConfig(host="h", password="Canary")
    assert "Canary" not in repr(block)
    assert isinstance(driver.factory(block, context), Notifier)
    assert driver.factory(block, context).channel.path == "lan"
