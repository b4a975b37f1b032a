"""What a real mail server of the tests keeps and whom it lets in."""

import ssl
from email import message_from_bytes, policy
from pathlib import Path

from aiosmtpd.smtp import AuthResult

SOUND = Path(__file__).with_name("localhost.pem")


class Sink:
    """Keeps the mail it is handed; refuses the addresses and messages it is told to."""

    def __init__(self):
        self.mails = []
        self.recipients = []
        self.refuse = {}
        self.data_answer = "250 kept as 42"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        self.recipients.append(list(envelope.rcpt_tos))
        return self.data_answer


def let_in(server, session, envelope, mechanism, auth_data):
    """Only one name and password are known."""
    known = (auth_data.login, auth_data.password) == (b"vestibule", b"open sesame")
    return AuthResult(success=known, handled=False)


def tls(certificate):
    """The server's side of TLS, for the name localhost."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate)
    return made
