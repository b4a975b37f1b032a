import json

import pytest
from pydantic import ValidationError

from hub import Notifier, NotReady, Recipient
from plugins.notifiers.ntfy import Ntfy, NtfyConfig, vestibule_notifiers


@pytest.fixture
async def ntfy(receiver, context):
    """A started notifier whose server is the receiver."""
    receiver.answer = json.dumps({"id": "msg-1", "event": "message"})
    made = Ntfy(NtfyConfig(server=receiver.url, topic="school", token="tk_hidden"), context)
    await made.start()
    yield made
    await made.close()


def sent(receiver):
    """The JSON messages the server was sent."""
    return [json.loads(body) for _, _, body in receiver.requests]


async def test_a_notice_is_published_with_its_priority_and_link(ntfy, receiver, notice):
    """Severe is the highest of ntfy's five priorities; a tap opens the alert; UTF-8 is kept."""
    receipt = await ntfy.send(notice(title="Tür aufgebrochen", to=()))
    (message,) = sent(receiver)
    assert (receipt.state, receipt.id) == ("accepted", "msg-1")
    assert (message["topic"], message["priority"]) == ("school", 5)
    assert message["title"] == "Tür aufgebrochen"
    assert message["click"] == "http://hub.example/alerts/alert-1"
    assert receiver.requests[0][0] == "/"
    assert receiver.requests[0][1]["Authorization"] == "Bearer tk_hidden"


async def test_each_recipients_own_topic_is_told_once(ntfy, receiver, notice):
    """A person's contact is a topic; two people with one topic make one message."""
    people = [Recipient("a", "A", "sro"), Recipient("b", "B", "sro"), Recipient("c", "C")]
    await ntfy.send(notice(to=tuple(people)))
    assert sorted(message["topic"] for message in sent(receiver)) == ["school", "sro"]


async def test_law_7_a_drill_is_named_and_never_of_highest_priority(ntfy, receiver, notice):
    """DRILL leads the title, and the phone does not sound as for a real one."""
    await ntfy.send(notice(drill=True, to=()))
    (message,) = sent(receiver)
    assert message["title"].startswith("DRILL: ")
    assert message["priority"] == 3


async def test_ntfy_does_not_deduplicate_so_a_repeat_says_so(ntfy, receiver, notice):
    """People are told that it may be a repeat."""
    await ntfy.send(notice(repeat=True, to=()))
    assert sent(receiver)[0]["title"].endswith("(may be a repeat)")
    assert not ntfy.channel.deduplicates


async def test_refused_topics_are_named_and_the_others_still_told(ntfy, receiver, notice):
    """One forbidden topic does not cost the rest; all forbidden is a failure."""
    receiver.statuses, receiver.answer = [403], "no"
    receipt = await ntfy.send(notice(to=(Recipient("a", "A", "private"),)))
    assert receipt.state == "accepted"
    assert receipt.detail in ("private: HTTP 403: no", "school: HTTP 403: no")
    receiver.statuses = [403]
    assert (await ntfy.send(notice(to=()))).state == "failed"


async def test_a_topic_in_trouble_holds_up_no_other_and_nobody_is_told_twice(
    ntfy, receiver, notice
):
    """A further attempt goes to the topic that is left."""
    receiver.statuses = [503]
    people = (Recipient("a", "A", "own"),)
    with pytest.raises(NotReady, match="HTTP 503"):
        await ntfy.send(notice(to=people))
    assert (await ntfy.send(notice(to=people, repeat=True))).id == "msg-1,msg-1"
    topics = [message["topic"] for message in sent(receiver)]
    assert sorted(topics[:2]) == ["own", "school"]
    assert topics[2:] == [topics[0]]


async def test_a_server_that_sends_elsewhere_has_taken_nothing(context, notice, server):
    """A POST that is sent on, as from http to https, is a GET there: it would publish nothing."""
    server.forced = [(301, "", {"Location": "/"}), (200, "<html>ntfy</html>", {})]
    made = Ntfy(NtfyConfig(server=server.url, topic="school"), context)
    await made.start()
    with pytest.raises(NotReady, match="HTTP 301"):
        await made.send(notice(to=()))
    assert server.paths == [("POST", "/")]
    await made.close()


async def test_trouble_at_the_server_is_not_ready(ntfy, receiver, notice):
    """Too many requests and server errors may be tried again; so may a server that is away."""
    for status in (429, 500):
        receiver.statuses = [status]
        with pytest.raises(NotReady):
            await ntfy.send(notice(to=()))
    await receiver.stop()
    with pytest.raises(NotReady):
        await ntfy.send(notice(to=()))


async def test_an_answer_that_is_no_json_is_still_acceptance(ntfy, receiver, notice):
    """What was taken is not sent again because the answer is odd."""
    receiver.answer = "<html>ok</html>"
    assert (await ntfy.send(notice(to=()))).state == "accepted"


async def test_nobody_to_tell_fails(receiver, context, notice):
    """Without a topic anywhere there is nothing to publish to, and that is said."""
    made = Ntfy(NtfyConfig(server=receiver.url), context)
    await made.start()
    assert (await made.send(notice(to=()))).state == "failed"
    await made.close()


def test_the_block_is_checked_and_hides_its_token(context):
    """A topic with a slash would be another path; the token stays out of text."""
    (driver,) = vestibule_notifiers()
    config = NtfyConfig(server="https://n.example", token="tk_hidden")
    assert isinstance(driver.factory(config, context), Notifier)
    assert driver.factory.channel.path == "wan"
    assert "tk_hidden" not in repr(config)
    with pytest.raises(ValidationError):
        NtfyConfig(server="https://n.example", topic="a/b")
