import asyncio
import hashlib
import hmac
import json

import pytest
from pydantic import ValidationError

from hub import Channel, Notifier, NotReady
from plugins.notifiers.webhook import Webhook, WebhookConfig, vestibule_notifiers

SECRET = "a secret of decent length"


@pytest.fixture
async def hook(receiver, context):
    """A started webhook that posts to the receiver."""
    made = Webhook(WebhookConfig(url=f"{receiver.url}/alerts", secret=SECRET), context)
    await made.start()
    yield made
    await made.close()


async def test_a_receiver_can_verify_who_sent_it_and_when(hook, receiver, notice, context):
    """The signature covers the time and the very bytes of the body."""
    receipt = await hook.send(notice())
    assert receipt.state == "accepted"
    path, headers, body = receiver.requests[0]
    assert path == "/alerts"
    fields = dict(part.split("=") for part in headers["X-Vestibule-Signature"].split(","))
    signed = fields["t"].encode() + b"." + body
    expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(fields["v1"], expected)
    assert int(fields["t"]) == int(context.clock.now().timestamp())
    assert not hmac.compare_digest(
        fields["v1"], hmac.new(SECRET.encode(), signed + b" ", hashlib.sha256).hexdigest()
    )


async def test_the_body_is_a_cloudevent_with_all_that_a_receiver_needs(hook, receiver, notice):
    """Structured-mode CloudEvents 1.0: what, where, how grave, for whom, drill or not."""
    await hook.send(notice(drill=True, repeat=True))
    _, headers, body = receiver.requests[0]
    event = json.loads(body)
    assert headers["Content-Type"] == "application/cloudevents+json"
    assert (event["specversion"], event["type"]) == ("1.0", "notice.alert")
    assert event["id"] == "notice-1"
    data = event["data"]
    assert data["title"] == "DRILL: Person in the closed science wing"
    assert (data["severity"], data["drill"], data["repeat"]) == ("severe", True, True)
    assert data["to"][0]["contact"] == "sro@school.example"


async def test_law_6_every_attempt_carries_the_same_key(hook, receiver, notice):
    """A receiver that does each key's work once sees one, however often it was sent."""
    receiver.statuses = [503, 200, 200]
    with pytest.raises(NotReady, match="HTTP 503"):
        await hook.send(notice())
    await hook.send(notice(repeat=True))
    await hook.send(notice(repeat=True))
    keys = [headers["Idempotency-Key"] for _, headers, _ in receiver.requests]
    assert len(keys) == 3
    assert set(keys) == {"notice-1"}
    assert hook.channel.deduplicates


@pytest.mark.parametrize("status", [400, 401, 404, 410])
async def test_a_refusal_fails(hook, receiver, notice, status):
    """A receiver that will never take it is not asked again; what it said is kept."""
    receiver.statuses, receiver.answer = [status], "no such\nhook\x1b[31m"
    receipt = await hook.send(notice())
    assert receipt.state == "failed"
    assert receipt.detail == f"HTTP {status}: no such hook[31m"


async def test_no_secret_of_the_block_comes_back(context, receiver, notice):
    """Neither what the receiver repeats nor an address that is none shows it."""
    headers = {"X-Key": "Canary-of-the-header"}
    url = f"{receiver.url}/Canary-of-the-path"
    hook = Webhook(WebhookConfig(url=url, secret=SECRET, headers=headers), context)
    await hook.start()
    receiver.answer = f"Canary-of-the-path, Canary-of-the-header, {SECRET}"
    assert (await hook.send(notice())).detail == "HTTP 200: (hidden), (hidden), (hidden)"
    await hook.close()
    hook = Webhook(WebhookConfig(url="http:///Canary-of-the-path", secret=SECRET), context)
    await hook.start()
    with pytest.raises(NotReady) as failed:
        await hook.send(notice())
    assert "Canary" not in str(failed.value)
    await hook.close()


async def test_the_receiver_s_number_is_kept(hook, receiver, notice):
    """What it calls the request by stands in the receipt, whatever the case of the header."""
    receiver.headers = {"x-request-id": "42"}
    assert (await hook.send(notice())).id == "42"


@pytest.mark.parametrize("status", [302, 408, 429, 500, 502])
async def test_a_passing_trouble_may_be_tried_again(hook, receiver, notice, status):
    """Overload, a server error or a redirect is not acceptance."""
    receiver.statuses = [status]
    with pytest.raises(NotReady):
        await hook.send(notice())
    assert len(receiver.requests) == 1


async def test_nobody_listening_is_not_ready(context, notice):
    """A refused connection, and a notifier that was never started, may be tried again."""
    hook = Webhook(WebhookConfig(url="http://127.0.0.1:1/x", secret=SECRET), context)
    with pytest.raises(NotReady):
        await hook.send(notice())
    await hook.start()
    with pytest.raises(NotReady, match=r"nothing listens at 127\.0\.0\.1:1"):
        await hook.send(notice())
    await hook.close()
    await hook.close()


async def test_a_receiver_that_never_answers_can_be_given_up(context, notice, silent):
    """The hub's deadline ends a send that gets no answer, and the connection goes with it."""
    url = f"http://127.0.0.1:{silent.port}/"
    hook = Webhook(WebhookConfig(url=url, secret=SECRET), context)
    await hook.start()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await hook.send(notice())
    await hook.close()


def test_the_block_hides_its_secret_and_refuses_weak_ones():
    """Secrets never appear in text; a short one or another scheme is an error."""
    config = WebhookConfig(url="https://x.example/", secret=SECRET)
    assert SECRET not in repr(config)
    for wrong in ({"secret": "short"}, {"url": "ftp://x"}, {"path": "cellular"}):
        with pytest.raises(ValidationError):
            WebhookConfig(**{"url": "https://x.example/", "secret": SECRET, **wrong})


def test_the_channel_is_known_before_anything_is_built(context):
    """`check` reads the class; an instance says what its own block says."""
    (driver,) = vestibule_notifiers()
    assert driver.factory.channel == Channel("lan", deduplicates=True)
    config = WebhookConfig(url="https://x.example/", secret=SECRET, path="wan")
    made = driver.factory(config, context)
    assert isinstance(made, Notifier)
    assert made.channel.path == "wan"
