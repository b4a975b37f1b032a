"""Probes of the notifiers, against real servers: what is reached is said, and nothing is sent."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from hub import NotReady, Probed
from hub.testing import FakeClock
from plugins.notifiers._reach import certified
from plugins.notifiers.console import ConsoleConfig, ConsoleLine
from plugins.notifiers.email import Email, EmailConfig
from plugins.notifiers.logbook import Logbook, LogbookConfig
from plugins.notifiers.ntfy import Ntfy, NtfyConfig
from plugins.notifiers.simulated_siren import SimulatedSiren, SirenConfig
from plugins.notifiers.webhook import Webhook, WebhookConfig
from tests.plugins.notifiers.mail_server import SOUND, let_in, tls

HERE = Path(__file__).parent
EXPIRED = HERE / "expired.pem"


def mailer(context, port, **block):
    """A notifier that was built and not started, as a probe finds it."""
    base = {"host": "localhost", "port": port, "sender": "hub@school.example", "security": "plain"}
    return Email(EmailConfig(**{**base, **block}), context)


async def test_email_signs_in_over_tls_and_sends_nothing(context, smtp, sink):
    """Greeting, encryption and password are tried as for a mail, of which there is none."""
    port = await smtp(
        tls_context=tls(SOUND), require_starttls=True, auth_required=True, authenticator=let_in
    )
    secure = {"security": "starttls", "ca_file": str(SOUND), "username": "vestibule"}
    said = await mailer(context, port, password="open sesame", **secure).probe()
    assert (said.works, said.remedy) == (True, "")
    assert f"localhost:{port} reached, encrypted, signed in" in said.found
    assert "2076" in said.found
    wrong = await mailer(context, port, password="guess", **secure).probe()
    assert not wrong.works
    assert "refused the user name or password (535)" in wrong.found
    assert "password" in wrong.remedy
    assert sink.mails == []


async def test_email_without_tls_or_password_is_reached(context, smtp, sink):
    """A plain server on this machine needs neither."""
    port = await smtp()
    assert (await mailer(context, port).probe()).found == f"localhost:{port} reached"
    assert sink.mails == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_an_expired_certificate_is_told_from_an_untrusted_one(context, smtp, security):
    """Each fault of a certificate has a remedy of its own."""

    async def probe(certificate, host="localhost", **block):
        encrypted = {"encrypted": tls(certificate)} if security == "tls" else {}
        options = encrypted or {"tls_context": tls(certificate)}
        port = await smtp(at="127.0.0.2" if host == "127.0.0.2" else "127.0.0.1", **options)
        return await mailer(context, port, security=security, host=host, **block).probe()

    expired = await probe(EXPIRED, ca_file=str(EXPIRED))
    assert not expired.works
    assert "has expired" in expired.found
    assert "renew" in expired.remedy
    unknown = await probe(SOUND)
    assert not unknown.works
    assert "not trusted here" in unknown.found
    named = await probe(SOUND, host="127.0.0.2", ca_file=str(SOUND))
    assert not named.works
    assert "another name" in named.found


async def test_a_certificate_about_to_end_is_a_warning(context, smtp):
    """Within three weeks of its end it still works, and somebody is asked to renew it."""
    port = await smtp(tls_context=tls(SOUND))
    late = replace(context, clock=FakeClock(datetime(2076, 11, 1, tzinfo=UTC)))
    said = await mailer(late, port, security="starttls", ca_file=str(SOUND)).probe()
    assert said.works
    assert "in 8 days" in said.found
    assert "renew" in said.remedy


def test_three_weeks_are_the_line():
    """One second more than 21 days is no warning, 21 days less a second is one."""
    certificate = {"notAfter": "Nov  9 16:07:39 2076 GMT"}
    before = datetime(2076, 10, 19, 16, 7, 38, tzinfo=UTC)
    assert certified("reached", certificate, before).remedy == ""
    assert certified("reached", certificate, before.replace(second=40)).remedy
    assert certified("reached", {}, before) == Probed("reached")


async def test_a_mail_server_without_starttls_is_named(context, smtp):
    """Asked to encrypt, the probe says that the server does not."""
    said = await mailer(context, await smtp(), security="starttls").probe()
    assert not said.works
    assert "STARTTLS" in said.found


async def test_closed_port_and_unknown_name_are_told_apart(context):
    """The reason says which of the two to correct."""
    with pytest.raises(NotReady, match="nothing listens at localhost:1"):
        await mailer(context, 1).probe()
    with pytest.raises(NotReady, match=r"no machine is called mail\.invalid"):
        await mailer(context, 25, host="mail.invalid").probe()


async def test_a_trust_file_that_is_missing_is_named(context):
    """The key to correct is in the reason."""
    with pytest.raises(NotReady, match="ca_file"):
        await mailer(context, 25, security="tls", ca_file="nowhere.pem").probe()


async def test_a_silent_mail_server_can_be_given_up(context, silent):
    """A probe may be cancelled at any time; whoever asks has a deadline."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await mailer(context, silent.port).probe()


async def test_ntfy_is_asked_for_its_health_only(context):
    """A healthy server is one; anything else that answers is not, and nothing is published."""
    asked = []
    answers = {"healthy": True}

    async def health(request):
        asked.append((request.method, request.path))
        return web.json_response(answers)

    app = web.Application()
    app.router.add_get("/v1/health", health)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server = f"http://127.0.0.1:{runner.addresses[0][1]}"
    ntfy = Ntfy(NtfyConfig(server=server, topic="school", token="tk_secret"), context)
    assert (await ntfy.probe()).found == "127.0.0.1 is in health; the token is not tried"
    answers["healthy"] = False
    assert not (await ntfy.probe()).works
    elsewhere = Ntfy(NtfyConfig(server=f"{server}/elsewhere", topic="school"), context)
    assert "HTTP 404" in (await elsewhere.probe()).found
    assert set(asked) == {("GET", "/v1/health")}
    await runner.cleanup()
    with pytest.raises(NotReady, match="nothing listens"):
        await ntfy.probe()
    await ntfy.close()
    await elsewhere.close()


async def test_a_webhook_is_reached_and_not_posted_to(context, receiver):
    """The receiver sees a connection and no request."""
    hook = Webhook(WebhookConfig(url=f"{receiver.url}/hook", secret="0123456789abcdef"), context)
    said = await hook.probe()
    assert said.works
    assert "127.0.0.1 reached; nothing was posted" in said.found
    assert receiver.requests == []
    await receiver.stop()
    with pytest.raises(NotReady, match="nothing listens"):
        await hook.probe()
    await hook.close()


async def test_a_webhook_checks_the_certificate(context):
    """A receiver whose certificate nobody trusts is bad before the first notice, not after."""
    server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0, ssl=tls(SOUND))
    port = server.sockets[0].getsockname()[1]
    hook = Webhook(
        WebhookConfig(url=f"https://localhost:{port}/x", secret="0123456789abcdef"), context
    )
    said = await hook.probe()
    assert not said.works
    assert "not trusted here" in said.found
    server.close()
    await server.wait_closed()


async def test_https_to_a_port_that_speaks_none_is_said(context, receiver):
    """TLS was asked for and the server answers in the clear."""
    url = receiver.url.replace("http://", "https://")
    hook = Webhook(WebhookConfig(url=url, secret="0123456789abcdef"), context)
    said = await hook.probe()
    assert not said.works
    assert "does not speak TLS" in said.found


async def test_the_logbook_is_not_changed_by_looking(context):
    """It says whether the file can be written or made, and leaves every byte as it is."""
    book = Logbook(LogbookConfig(), context)
    assert "can be made" in await book.probe()
    assert not context.state.exists()
    await book.start()
    book.file.write_text("torn line")
    assert "can be written" in await book.probe()
    assert book.file.read_text() == "torn line"


async def test_a_logbook_that_cannot_be_written_says_so(context):
    """A file where the folder should be."""
    context.state.write_text("in the way")
    with pytest.raises(NotReady, match="cannot write"):
        await Logbook(LogbookConfig(), context).probe()


async def test_local_channels_have_nothing_to_reach(context):
    """The console and the simulated siren say what they are, make no sound and write nothing."""
    assert "own output" in await ConsoleLine(ConsoleConfig(), context).probe()
    assert "makes no sound" in await SimulatedSiren(SirenConfig(), context).probe()
    assert not context.state.exists()
