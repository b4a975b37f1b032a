"""What all drivers for providers share: what an answer means, who is left to tell, what is kept."""

import asyncio
import itertools
import json
import ssl
from datetime import timedelta
from pathlib import Path

import pytest

from hub import Ack, NotReady, Recipient
from plugins.notifiers._kept import Kept
from plugins.notifiers._provider import Provider, RefusedByProvider, Told, addresses
from plugins.notifiers._receipts import Fate, Watched
from plugins.notifiers._wording import brief, cut, one_line
from tests.plugins.notifiers.provider_servers import take, until


@pytest.fixture
async def provider(server, context):
    """A started connection to it, at an address that is a secret."""
    made = Provider(context, f"{server.url}/hooks/s3cr3t-path?sig=s1gn4tur3", hidden=True)
    await made.start()
    yield made
    await made.close()


@pytest.mark.parametrize("status", [301, 408, 425, 429, 500, 503])
async def test_what_may_pass_is_not_ready(provider, server, status):
    """Overload, trouble there, and a gate that sends elsewhere are worth another attempt."""
    server.forced = [(status, "later", {})]
    with pytest.raises(NotReady, match=f"127.0.0.1: HTTP {status}: later"):
        await provider.call("POST", "", json={})


async def test_what_cannot_succeed_comes_back_as_an_answer(provider, server):
    """The words of a refusal are found under the usual keys, or at the beginning of its text."""
    server.forced = [
        (400, json.dumps({"errors": ["user is invalid", "no\nway"]}), {}),
        (404, "<b>gone</b>\x1b[31m", {}),
        (403, json.dumps({"ok": False, "error": "not_allowed"}), {}),
    ]
    said = [(await provider.call("POST", "", json={})).said for _ in range(3)]
    assert said == ["user is invalid, no way", "<b>gone</b>[31m", "not_allowed"]


@pytest.mark.parametrize(
    "header", ["30", "Mon, 02 Mar 2026 08:00:30 GMT"], ids=["seconds", "a date"]
)
async def test_a_provider_that_asks_for_rest_is_left_alone(provider, server, context, header):
    """Until the time it named nothing more is sent; then it is tried again."""
    server.forced = [(429, "slow down", {"Retry-After": header})]
    with pytest.raises(NotReady, match="asks to wait 30 s"):
        await provider.call("POST", "", json={})
    await context.clock.advance(20)
    with pytest.raises(NotReady, match="for 10 s more"):
        await provider.call("POST", "", json={})
    assert len(server.paths) == 1
    await context.clock.advance(11)
    assert (await provider.call("POST", "", json={})).taken


async def test_the_rest_may_stand_in_the_body_and_is_never_absurd(provider, server, context):
    """Discord writes seconds into the body; days, or nonsense, silence nobody for so long."""
    server.forced = [
        (429, json.dumps({"message": "You are being rate limited.", "retry_after": 0.5}), {}),
        (429, "", {"Retry-After": "1e9"}),
        (429, "", {"Retry-After": "soon"}),
    ]
    for wait in (1, 301):
        with pytest.raises(NotReady):
            await provider.call("POST", "", json={})
        await context.clock.advance(wait)
    with pytest.raises(NotReady):
        await provider.call("POST", "", json={})
    assert (await provider.call("POST", "", json={})).taken


async def test_a_secret_address_is_in_no_words(provider, server):
    """Neither an answer that repeats it nor an unreachable server shows it."""
    echo = "no hook at /hooks/s3cr3t-path with s1gn4tur3"
    server.forced = [(404, echo, {}), (500, echo, {})]
    answer = await provider.call("POST", "", json={})
    told = [answer.said, str(answer.refusal("mend it"))]
    with pytest.raises(NotReady) as failed:
        await provider.call("POST", "", json={})
    await server.stop()
    with pytest.raises(NotReady, match=r"127\.0\.0\.1") as away:
        await provider.call("POST", "", json={})
    told += [str(failed.value), str(away.value)]
    assert not [words for words in told if "s3cr3t" in words or "s1gn4tur3" in words]


async def test_a_short_path_is_hidden_without_spoiling_words(context):
    """`/in` is taken out where it stands as a path, not out of every word that holds it."""
    provider = Provider(context, "http://127.0.0.1:1/in", hidden=True)
    await provider.start()
    with pytest.raises(NotReady, match=r"^nothing listens at 127\.0\.0\.1:1$"):
        await provider.call("POST", "", json={})
    await provider.close()


async def test_a_certificate_that_nobody_trusts_is_said(context):
    """What is wrong with it stands in the reason, and nothing was sent."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(Path(__file__).with_name("localhost.pem"))
    server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    provider = Provider(context, f"https://localhost:{port}")
    await provider.start()
    with pytest.raises(NotReady, match="not trusted here"):
        await provider.call("POST", "/", json={})
    assert not (await provider.probe(None)).works
    await provider.close()
    server.close()
    await server.wait_closed()


async def test_a_server_without_tls_where_it_was_asked_for_is_said(context, server):
    """Not the library's words, which nobody can act on."""
    provider = Provider(context, server.url.replace("http://", "https://"))
    await provider.start()
    with pytest.raises(NotReady, match="does not speak TLS as expected"):
        await provider.call("POST", "/", json={})
    await provider.close()


async def test_no_more_connections_than_a_provider_allows(context, server):
    """Those that come at once wait for one another."""
    held, most = [], []

    async def hold(reader, writer):
        held.append(writer)
        most.append(len(held))
        await reader.readuntil(b"{}")
        await asyncio.sleep(0)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        held.remove(writer)
        writer.close()

    narrow = await asyncio.start_server(hold, "127.0.0.1", 0)
    port = narrow.sockets[0].getsockname()[1]
    provider = Provider(context, f"http://127.0.0.1:{port}", connections=2)
    await provider.start()
    await asyncio.gather(*(provider.call("POST", "/", json={}) for _ in range(8)))
    assert (len(most), max(most)) == (8, 2)
    await provider.close()
    narrow.close()
    await narrow.wait_closed()


async def test_without_a_start_it_is_not_ready(context):
    """Nothing is connected by itself."""
    with pytest.raises(NotReady, match="not started"):
        await Provider(context, "http://127.0.0.1:1").call("GET", "/")


async def test_another_attempt_goes_to_those_who_are_left(notice):
    """Who was reached is not told twice when another has to be tried again; refusals are named."""
    told, tries = Told(), []

    async def send(address):
        tries.append(address)
        if address == "away" and tries.count("away") == 1:
            raise NotReady("no answer")
        if address == "bad":
            raise RefusedByProvider("bad: unknown")
        return f"id-{address}"

    with pytest.raises(NotReady, match="no answer"):
        await told.each("key", ["one", "away", "bad", "two"], send)
    receipt = await told.each("key", ["one", "away", "bad", "two"], send)
    assert (receipt.state, receipt.id) == ("accepted", "id-one,id-away,id-two")
    assert receipt.detail == "bad: unknown"
    assert (tries.count("one"), tries.count("two"), tries.count("away")) == (1, 1, 2)
    assert (await told.each("other", ["bad"], send)).state == "failed"


def test_people_are_told_where_they_are_and_the_rest_in_common(notice):
    """The common address is for whoever has none of their own, or when nobody is named."""
    two = (Recipient("a", "A", "own"), Recipient("b", "B"))
    assert addresses(notice(to=two), ["all"]) == {"own": "a", "all": ""}
    assert addresses(notice(to=two[:1]), ["all"]) == {"own": "a"}
    assert addresses(notice(to=()), ["all"]) == {"all": ""}
    assert addresses(notice(to=()), []) == {}


async def test_open_receipts_outlive_a_restart_and_are_told_once(context, notice):
    """A state told before the restart is not told again; what is over is asked no more."""
    asked = []

    async def ask(watch):
        asked.append(watch.id)
        acks = (Ack("delivered", key=watch.key),)
        return Fate(acks if len(asked) == 1 else (*acks, Ack("acknowledged", key=watch.key)),
                    over=len(asked) > 2)  # fmt: skip

    def watched():
        return Watched(context, every_s=5, lasts=timedelta(days=7))

    before = watched()
    await before.start()
    await before.add("r1", "key-1", "sro", "alert-1")
    stream = before.acks(ask)
    assert (await anext(stream)).state == "delivered"
    ack = await take(stream, 1, context.clock)
    assert [each.state for each in ack] == ["acknowledged"]
    after = watched()
    await after.start()
    assert [watch.person for watch in after.of_alert("alert-1")] == ["sro"]
    stream = after.acks(ask)
    assert (await anext(stream)).state == "acknowledged"
    rest = asyncio.ensure_future(anext(stream))
    await until(lambda: json.loads((context.state / "receipts.json").read_text()) == {})
    rest.cancel()
    await asyncio.gather(rest, return_exceptions=True)
    last = watched()
    await last.start()
    assert last.of_alert("alert-1") == []


async def test_acks_end_when_the_driver_is_closed(context):
    """Whoever listens is let go at once, not at the next look."""
    watched = Watched(context, every_s=3600, lasts=timedelta(days=7))
    await watched.start()

    async def listen():
        return [ack async for ack in watched.acks(None)]

    task = asyncio.ensure_future(listen())
    await asyncio.sleep(0)
    watched.close()
    async with asyncio.timeout(30):
        assert await task == []


async def test_what_is_asked_in_vain_does_not_hold_up_the_others(context):
    """A receipt whose question fails goes behind the rest."""
    watched = Watched(context, every_s=5, lasts=timedelta(days=7))
    await watched.start()
    await watched.add("broken", "key-1", "", "")
    await watched.add("sound", "key-2", "", "")

    async def ask(watch):
        if watch.id == "broken":
            raise NotReady("no answer")
        return Fate((Ack("delivered", key=watch.key),))

    assert [ack.key for ack in await take(watched.acks(ask), 1, context.clock)] == ["key-2"]


async def test_one_that_stays_open_too_long_is_given_up(context):
    """What a provider has said nothing final of by then is not asked about any more."""
    watched = Watched(context, every_s=5, lasts=timedelta(minutes=1))
    await watched.start()
    await watched.add("r1", "key-1", "", "alert-1")

    async def ask(watch):
        return Fate()

    waits = asyncio.ensure_future(anext(watched.acks(ask)))
    await context.clock.advance(55)
    assert watched.of_alert("alert-1")
    await context.clock.advance(10)
    await until(lambda: watched.of_alert("alert-1") == [])
    waits.cancel()
    await asyncio.gather(waits, return_exceptions=True)


async def test_an_old_notice_is_asked_about_less_often(context):
    """Every five seconds at first, every thirty after ten minutes: hundreds are no flood."""
    watched = Watched(context, every_s=5, lasts=timedelta(days=7))
    await watched.start()
    await watched.add("r1", "key-1", "", "")
    times = []

    async def ask(watch):
        times.append(context.clock.monotonic())
        return Fate()

    waits = asyncio.ensure_future(anext(watched.acks(ask)))
    for _ in range(180):
        await context.clock.advance(5)
    waits.cancel()
    await asyncio.gather(waits, return_exceptions=True)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps[:3] == [5, 5, 5]
    assert gaps[-3:] == [30, 30, 30]
    assert gaps == sorted(gaps)


async def test_only_so_many_are_kept_and_a_full_disk_costs_no_notice(tmp_path):
    """The oldest give way; where nothing can be written it goes on in memory and says so."""
    kept = Kept(tmp_path / "facts.json", limit=3)
    await asyncio.gather(*(kept.put(f"k{n}", n) for n in range(5)))
    again = Kept(tmp_path / "facts.json", limit=3)
    await again.load()
    assert again.items() == [("k2", 2), ("k3", 3), ("k4", 4)] == kept.items()
    assert [each.name for each in tmp_path.iterdir()] == ["facts.json"]
    (tmp_path / "in the way").write_text("")
    stuck = Kept(tmp_path / "in the way" / "facts.json", limit=3)
    await stuck.load()
    await stuck.put("k", 1)
    assert stuck.get("k") == 1
    assert "cannot write" in stuck.trouble


async def test_what_is_kept_before_it_was_read_replaces_nothing(tmp_path):
    """The first notice after a restart may come before the driver is started."""
    file = tmp_path / "facts.json"
    await Kept(file, 10).put("a", 1)
    after = Kept(file, 10)
    await after.put("b", 2)
    await after.load()
    assert after.items() == [("a", 1), ("b", 2)]
    third = Kept(file, 10)
    await third.drop("a")
    again = Kept(file, 10)
    await again.load()
    assert again.items() == [("b", 2)]


@pytest.mark.parametrize("torn", ["", "{", "[1]", '{"r1": {"id": "r1"}}'])
async def test_a_file_that_makes_no_sense_is_as_if_there_were_none(context, torn):
    """A driver starts whatever stands there."""
    context.state.mkdir(parents=True)
    (context.state / "receipts.json").write_text(torn)
    watched = Watched(context, every_s=5, lasts=timedelta(days=7))
    await watched.start()
    assert watched.of_alert("alert-1") == []


def test_a_long_text_gives_way_to_place_and_time(notice):
    """What is cut is the middle of what is said, never where and when."""
    said = brief(notice(text="word " * 5000, title="Person", drill=True), 300)
    assert len(said) <= 300
    assert said.startswith("This is a drill.\nword word")
    assert said.endswith("…\nScience wing, First floor\n2026-03-02 22:15:00 UTC")
    assert brief(notice(text=""), 10) == cut(brief(notice(text=""), 400), 10)


def test_no_name_forges_a_line_or_turns_the_text_around():
    """Control, direction and half characters go, whatever the script."""
    assert one_line("one\r\nBcc: all\x1b[31m\u202e\ud800 前門 🚪") == "one Bcc: all[31m 前門 🚪"
