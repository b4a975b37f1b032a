import asyncio

import pytest
from pydantic import ValidationError

from hub import Notifier, NotReady
from plugins.notifiers import apprise as driver_file
from plugins.notifiers.apprise import AppriseConfig, AppriseServices, vestibule_notifiers
from tests.plugins.notifiers.provider_servers import until


@pytest.fixture
async def services(server, context):
    """Builds and starts notifiers for paths on that server."""
    running = []

    async def made(*paths):
        near = server.url.replace("http://", "json://")
        one = AppriseServices(AppriseConfig(urls=[f"{near}/{path}" for path in paths]), context)
        await one.start()
        running.append(one)
        return one

    yield made
    for one in running:
        await one.close()


async def test_each_service_is_told_in_plain_text(services, server, notice):
    """Title, text and link as they are, with how grave it is in Apprise's words."""
    receipt = await (await services("one", "two")).send(notice(title="<b>*Tür*</b>"))
    assert receipt.state == "accepted"
    assert sorted(path for _, path in server.paths) == ["/one", "/two"]
    assert server.taken[0]["title"] == "<b>*Tür*</b>"
    assert server.taken[0]["type"] == "failure"
    assert server.taken[0]["message"].endswith("http://hub.example/alerts/alert-1")


async def test_law_7_a_drill_is_named_and_a_repeat_says_so(services, server, notice):
    """No service is known to merge what comes twice."""
    made = await services("one")
    await made.send(notice(drill=True, repeat=True))
    sent = server.taken[0]
    assert sent["title"] == "DRILL: Person in the closed science wing (may be a repeat)"
    assert (sent["type"], sent["message"][:16]) == ("info", "This is a drill.")
    assert not made.channel.deduplicates


async def test_a_refusal_is_told_from_trouble_and_neither_shows_the_address(
    services, server, notice
):
    """What a service refuses fails with its reason; a server error may be tried again."""
    made = await services("s3cr3t-t0ken")
    server.forced = [(404, "no such hook s3cr3t-t0ken", {})]
    receipt = await made.send(notice())
    assert receipt.state == "failed"
    assert "error=404" in receipt.detail
    assert "check its address in `urls`" in receipt.detail
    server.forced = [(503, "", {})]
    with pytest.raises(NotReady, match="error=503") as failed:
        await made.send(notice())
    assert "s3cr3t" not in f"{receipt} {failed.value}"


async def test_a_service_that_hangs_is_given_up_and_only_so_many_hang(
    context, notice, silent, monkeypatch
):
    """The library blocks a thread; the hub does not wait for it, nor start ever more of them."""
    monkeypatch.setattr(driver_file, "LIMIT_S", 0.2)
    config = AppriseConfig(urls=[f"json://127.0.0.1:{silent.port}/x?rto=20"])
    made = AppriseServices(config, context)
    await made.start()
    sends = [made.send(notice(key=f"key-{n}")) for n in range(6)]
    found = await asyncio.gather(*sends, return_exceptions=True)
    assert [str(each) for each in found] == ["no answer within 0.2 s"] * 6
    await until(lambda: len(silent.held) == driver_file.AT_ONCE)
    await made.close()


async def test_a_service_that_hangs_holds_up_no_other(context, notice, server, silent, monkeypatch):
    """However often the first has hung, the second is told at once."""
    monkeypatch.setattr(driver_file, "LIMIT_S", 0.5)
    near = server.url.replace("http", "json", 1)
    urls = [f"json://127.0.0.1:{silent.port}/x?rto=20", f"{near}/ok"]
    made = AppriseServices(AppriseConfig(urls=urls), context)
    await made.start()
    sends = (made.send(notice(key=f"key-{n}")) for n in range(driver_file.AT_ONCE))
    await asyncio.gather(*sends, return_exceptions=True)
    with pytest.raises(NotReady, match="no answer"):
        await made.send(notice(key="one more"))
    await until(lambda: len(server.paths) == driver_file.AT_ONCE + 1)
    await made.close()


async def test_a_probe_names_the_services_and_sends_nothing(services, server):
    """Apprise can only send; the probe says that it did not try."""
    said = await (await services("one")).probe()
    assert said.found == "Apprise knows JSON; nothing was sent, so none is tried"
    assert server.paths == []


async def test_without_a_start_it_is_not_ready(context, notice):
    """The library is loaded when it is started, and not before."""
    made = AppriseServices(AppriseConfig(urls=["json://127.0.0.1/x"]), context)
    with pytest.raises(NotReady, match="not started"):
        await made.send(notice())


def test_the_block_is_checked_by_the_library_and_hides_the_addresses(context):
    """An address of no known service, or without what that needs, is a mistake."""
    (driver,) = vestibule_notifiers()
    config = AppriseConfig(urls=["json://user:open-sesame@127.0.0.1/x"])
    assert isinstance(driver.factory(config, context), Notifier)
    assert "open-sesame" not in repr(config)
    for wrong in ([], ["nothing://x"], ["tgram://"], ["no address"]):
        with pytest.raises(ValidationError) as failed:
            AppriseConfig(urls=wrong)
        assert "tgram" not in str(failed.value)
