"""Notices by e-mail, over SMTP."""

from __future__ import annotations

import contextlib
import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, StringConstraints

from hub import Block, Channel, Context, Driver, Notice, NotReady, Probed, Receipt, hookimpl
from plugins.notifiers._reach import certified, not_reached, refused_certificate, trusted
from plugins.notifiers._wording import body, headline, one_line

if TYPE_CHECKING:
    import ssl

Address = Annotated[str, StringConstraints(pattern=r"^[^@\s<>,;]+@[^@\s<>,;]+$", max_length=254)]
LIMIT_S = 30.0
REMEMBERED = 256
TAKEN = 250
PORTS = {"starttls": 587, "tls": 465, "plain": 25}


class EmailConfig(Block):
    """The mail server, the sender, and who is always told.

    `security`: `starttls` (upgrade or fail), `tls` from the first byte, or `plain` for a server on
    this machine. A person's `contact` for this notifier is their address.
    """

    host: str = Field(description="The mail server.")
    sender: Address = Field(description="The address it comes from.")
    port: int | None = Field(
        None, ge=1, le=65535, description="587, 465 or 25 by `security` where it is left out."
    )
    security: Literal["starttls", "tls", "plain"] = Field(
        "starttls",
        description="`starttls` upgrades or fails, `tls` from the first byte, `plain` for a server "
        "on this machine.",
    )
    username: str | None = Field(None, description="Who signs in there.")
    password: str | None = Field(None, repr=False, description="Best as `!secret NAME`.")
    to: tuple[Address, ...] = Field(
        (), description="Who is always told, besides people with an address under `contact:`."
    )
    path: Literal["local", "lan", "wan"] = Field(
        "wan", description="What must work for it: the school's network or the internet."
    )
    ca_file: str | None = Field(
        None, description="Whom to trust, where the server's certificate is not publicly signed."
    )


class Email:
    """One message a notice, to everyone at once.

    Its Message-ID comes from the notice's key, but mail programs do not reliably merge by it.
    """

    channel = Channel(path="wan", otherwise="to")

    def __init__(self, config: EmailConfig, context: Context) -> None:
        self.channel = Channel(path=config.path, otherwise="to")
        self._config = config
        self._context = context
        self._tls: ssl.SSLContext | None = None
        self._answers: OrderedDict[str, dict[str, int]] = OrderedDict()

    async def start(self) -> None:
        """Read the certificates to trust; the server is reached at the first notice."""
        if self._config.security != "plain":
            self._tls = await trusted(self._context, self._config.ca_file)

    async def send(self, notice: Notice) -> Receipt:
        """Hand it to the server; that is acceptance, not delivery."""
        import aiosmtplib

        wanted = {r.contact: None for r in notice.to if r.contact}
        recipients = list({**wanted, **dict.fromkeys(self._config.to)})
        if not recipients:
            return Receipt("failed", detail="no address: neither `to` nor a recipient names one")
        made = message(notice, self._config.sender, recipients)
        known = self._answers.pop(notice.key, {})
        try:
            refused, said = await aiosmtplib.send(
                made,
                sender=self._config.sender,
                recipients=[each for each in recipients if each not in known],
                **self._how(),
            )
            known |= dict.fromkeys(recipients, TAKEN) | known
            known |= {address: int(answer.code) for address, answer in refused.items()}
        except aiosmtplib.SMTPRecipientsRefused as error:
            said = ""
            known |= {each.recipient: each.code for each in error.recipients}
        except aiosmtplib.SMTPResponseException as error:
            self._remember(notice.key, known)
            return _answered(error.code, error.message)
        except aiosmtplib.SMTPNotSupported as error:
            return Receipt("failed", detail=one_line(str(error)))
        except (aiosmtplib.SMTPException, OSError) as error:
            self._remember(notice.key, known)
            raise NotReady(f"not sent: {one_line(str(error))}") from error
        return self._concluded(notice.key, known, made["Message-ID"], one_line(said))

    async def probe(self) -> Probed:
        """Connect, greet, encrypt and sign in as for a mail; none is sent."""
        import aiosmtplib

        await self.start()
        how = self._how()
        host, port = str(how["hostname"]), int(how["port"])
        client = aiosmtplib.SMTP(**how)
        try:
            await client.connect()
            certificate = client.get_transport_info("peercert") or {}
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await client.quit()
        except aiosmtplib.SMTPAuthenticationError as error:
            found = f"{host}:{port} refused the user name or password ({error.code})"
            return Probed(found, "correct `username` and `password`", works=False)
        except (aiosmtplib.SMTPException, OSError) as error:
            if (wrong := refused_certificate(f"{host}:{port}", error)) is not None:
                return wrong
            if isinstance(error, OSError):
                raise NotReady(not_reached(host, port, error)) from error
            remedy = "check `port`, and whether `security` says what the server offers"
            return Probed(f"{host}:{port}: {one_line(str(error))}", remedy, works=False)
        finally:
            client.close()
        said = [f"{host}:{port} reached"]
        said += ["encrypted"] if self._tls else []
        said += ["signed in"] if how["username"] else []
        return certified(", ".join(said), certificate, self._context.clock.now())

    async def close(self) -> None:
        """Nothing is held open between messages."""

    def _concluded(self, key: str, known: dict[str, int], id_: str, said: str) -> Receipt:
        """What came of it for all addresses. Raises `NotReady` where one was only refused for now,
        as by a server that has whoever is new come again: the next attempt goes to those alone.
        """
        later = [address for address, code in known.items() if 400 <= code < 500]
        if later:
            self._remember(key, {each: code for each, code in known.items() if each not in later})
            raise NotReady(f"refused for now (SMTP {known[later[0]]}): {', '.join(later)}")
        refused = [address for address, code in known.items() if code != TAKEN]
        if len(refused) == len(known):
            return Receipt("failed", detail=f"every address was refused: SMTP {known[refused[0]]}")
        left_out = f"refused: {', '.join(refused)}; " if refused else ""
        return Receipt("accepted", id=id_, detail=left_out + said)

    def _remember(self, key: str, known: dict[str, int]) -> None:
        """Keep for the next attempt what was said of addresses for good."""
        if known:
            self._answers[key] = known
            while len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)

    def _how(self) -> dict[str, Any]:
        config = self._config
        return {
            "hostname": config.host,
            "port": config.port or PORTS[config.security],
            "username": config.username,
            "password": config.password,
            "use_tls": config.security == "tls",
            "start_tls": config.security == "starttls",
            "tls_context": self._tls,
            "timeout": LIMIT_S,
        }


def message(notice: Notice, sender: str, recipients: list[str]) -> EmailMessage:
    """The notice as a plain-text message; the same key gives the same Message-ID."""
    made = EmailMessage()
    made["Subject"] = headline(notice, deduplicates=False)
    made["From"] = sender
    made["To"] = ", ".join(recipients)
    made["Date"] = format_datetime(notice.time)
    digest = hashlib.sha256(notice.key.encode()).hexdigest()[:32]
    made["Message-ID"] = f"<{digest}@{sender.rpartition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"
    if notice.severity == "severe" and not notice.drill:
        made["Importance"] = "high"
    made.set_content(body(notice) + "\n")
    return made


def _answered(code: int, said: str) -> Receipt:
    detail = f"SMTP {code}: {one_line(said)}"
    if 400 <= code < 500:
        raise NotReady(detail)
    return Receipt("failed", detail=detail)


@hookimpl
def vestibule_notifiers() -> Iterable[Driver]:
    """Announce the driver."""
    return [Driver("email", Email, EmailConfig, "E-mail over SMTP, with STARTTLS or TLS")]
