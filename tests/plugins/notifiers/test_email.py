import pytest
from pydantic import ValidationError

from hub import Notifier, NotReady, Recipient
from plugins.notifiers.email import Email, EmailConfig, vestibule_notifiers
from tests.plugins.notifiers.mail_server import SOUND, let_in, tls


@pytest.fixture
async def mailer(context):
    """Builds and starts notifiers."""

    async def made(port, **block):
        base = {"host": "localhost", "port": port, "sender": "hub@school.example"}
        one = Email(EmailConfig(**{**base, "security": "plain", **block}), context)
        await one.start()
        return one

    return made


async def test_a_notice_becomes_a_plain_text_mail(mailer, smtp, sink, notice):
    """Subject, text, link and sender arrive; the server's word is kept; it is acceptance only."""
    email = await mailer(await smtp())
    receipt = await email.send(notice(title="Tür aufgebrochen"))
    (mail,) = sink.mails
    assert receipt.state == "accepted"
    assert "42" in receipt.detail
    assert mail["Subject"] == "Tür aufgebrochen"
    assert mail["To"] == "sro@school.example"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "http://hub.example/alerts/alert-1" in mail.get_content()
    assert receipt.id == mail["Message-ID"]


async def test_law_6_the_message_id_comes_from_the_key(mailer, smtp, sink, notice):
    """The same notice sent twice has one Message-ID, and its repeat says that it may be one."""
    email = await mailer(await smtp())
    await email.send(notice())
    await email.send(notice(repeat=True))
    await email.send(notice(key="another"))
    ids = [mail["Message-ID"] for mail in sink.mails]
    assert ids[0] == ids[1] != ids[2]
    assert ids[0].endswith("@school.example>")
    assert sink.mails[1]["Subject"].endswith("(may be a repeat)")


async def test_starttls_signs_in_and_encrypts(mailer, smtp, sink, notice):
    """The password goes over TLS only, checked against the trusted certificate."""
    port = await smtp(
        tls_context=tls(SOUND), require_starttls=True, auth_required=True, authenticator=let_in
    )
    email = await mailer(
        port,
        security="starttls",
        ca_file=str(SOUND),
        username="vestibule",
        password="open sesame",
    )
    assert (await email.send(notice())).state == "accepted"
    wrong = await mailer(
        port, security="starttls", ca_file=str(SOUND), username="vestibule", password="guess"
    )
    assert (await wrong.send(notice())).state == "failed"
    assert len(sink.mails) == 1


async def test_a_file_to_trust_that_is_not_there_is_not_ready(mailer):
    """The start says which key is wrong, as with every other reason that it cannot begin."""
    with pytest.raises(NotReady, match="cannot use `ca_file`: No such file"):
        await mailer(1, security="starttls", ca_file="nowhere.pem")


async def test_no_mail_goes_in_the_clear_when_tls_was_asked_for(mailer, smtp, sink, notice):
    """A server without STARTTLS, or with a certificate nobody trusts, gets no mail."""
    plain = await mailer(await smtp(), security="starttls")
    with pytest.raises(NotReady, match="STARTTLS"):
        await plain.send(notice())
    untrusted = await mailer(await smtp(tls_context=tls(SOUND)), security="starttls")
    with pytest.raises(NotReady):
        await untrusted.send(notice())
    assert sink.mails == []


async def test_refused_addresses_are_named_and_the_others_served(mailer, smtp, sink, notice):
    """One bad address does not cost the rest; all bad is a failure, or a wait when it may pass."""
    email = await mailer(await smtp(), to=("it@school.example",))
    sink.refuse = {"sro@school.example": "550 no such box"}
    receipt = await email.send(notice())
    assert receipt.state == "accepted"
    assert "sro@school.example" in receipt.detail
    assert sink.recipients == [["it@school.example"]]
    sink.refuse["it@school.example"] = "550 no such box"
    assert (await email.send(notice())).state == "failed"
    sink.refuse = dict.fromkeys(sink.refuse, "451 greylisted")
    with pytest.raises(NotReady):
        await email.send(notice())


async def test_who_is_refused_for_now_is_told_later(mailer, smtp, sink, notice):
    """A server that has some come again, as greylisting does, costs nobody the notice: the next
    attempt goes to those alone, and one that is refused for good does not hide one that is not.
    """
    email = await mailer(await smtp(), to=("it@school.example", "old@school.example"))
    sink.refuse = {"sro@school.example": "451 come again", "old@school.example": "550 no such box"}
    with pytest.raises(NotReady, match=r"refused for now \(SMTP 451\): sro@school.example"):
        await email.send(notice())
    sink.refuse["it@school.example"] = "451 come again"
    with pytest.raises(NotReady, match="sro@school"):
        await email.send(notice(repeat=True))
    sink.refuse = {}
    receipt = await email.send(notice(repeat=True))
    assert (receipt.state, sink.recipients) == (
        "accepted", [["it@school.example"], ["sro@school.example"]],
    )  # fmt: skip
    assert "refused: old@school.example" in receipt.detail
    await email.send(notice(key="another"))
    assert len(sink.recipients[-1]) == 3


@pytest.mark.parametrize(("answer", "again"), [("554 spam", False), ("452 disk full", True)])
async def test_what_the_server_says_decides_whether_to_try_again(
    mailer, smtp, sink, notice, answer, again
):
    """A 5xx is final, a 4xx passes."""
    email = await mailer(await smtp())
    sink.data_answer = answer
    if again:
        with pytest.raises(NotReady, match="452"):
            await email.send(notice())
    else:
        assert (await email.send(notice())).state == "failed"


async def test_a_server_that_is_away_is_not_ready(mailer, notice):
    """A refused connection may be tried again."""
    email = await mailer(1)
    with pytest.raises(NotReady):
        await email.send(notice())
    await email.close()


async def test_a_title_cannot_add_headers_or_recipients(mailer, smtp, sink, notice):
    """Line breaks in text that came from outside stay text."""
    email = await mailer(await smtp())
    await email.send(notice(title="Alert\r\nBcc: everyone@example.com\r\n\r\nforged body"))
    (mail,) = sink.mails
    assert mail["Bcc"] is None
    assert sink.recipients == [["sro@school.example"]]


async def test_nobody_to_tell_fails(mailer, notice):
    """No address anywhere is said at once, without a connection."""
    email = await mailer(1)
    assert (await email.send(notice(to=(Recipient("x", "X"),)))).state == "failed"


def test_the_block_is_checked_and_hides_its_password(context):
    """Addresses must be addresses; the password stays out of text."""
    (driver,) = vestibule_notifiers()
    config = EmailConfig(host="h", sender="a@b", password="hidden")
    assert isinstance(driver.factory(config, context), Notifier)
    assert driver.factory.channel.path == "wan"
    assert "hidden" not in repr(config)
    for sender in ("no address", "a@b\r\nBcc: c@d", "a@b,c@d"):
        with pytest.raises(ValidationError):
            EmailConfig(host="h", sender=sender)
