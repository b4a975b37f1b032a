"""Notifier `syslog`: each notice as a message to a syslog server, over TCP.

The message is that of RFC 5424 with its length before it (RFC 6587, octet counting). A syslog
server never answers, so each notice has a connection of its own: once it is sent our side ends, and
the server has read it when it ends the connection too.
"""

from __future__ import annotations

import asyncio
import re
import socket
import unicodedata
from typing import Literal

from pydantic import Field

from hub import Block, Channel, Context, Driver, Notice, NotReady, Receipt, Severity, hookimpl, iso

__version__ = "0.1.0"

LIMIT = 10.0  # seconds for one notice
LONGEST = 2048  # octets of a message; RFC 5424, 6.1: what every receiver should take
# RFC 5424, table 2: 1 action must be taken immediately, 2 critical, 4 warning, 5 normal but
# significant.
CODES: dict[Severity, int] = {"severe": 1, "high": 2, "check": 4, "note": 5}


class SyslogConfig(Block):
    """Where the syslog server listens, and how its messages are marked."""

    host: str = Field(min_length=1, description="The name or address of the syslog server.")
    port: int = Field(514, ge=1, le=65535, description="Its TCP port for plain syslog.")
    facility: int = Field(16, ge=16, le=23, description="16 to 23 are local0 to local7.")
    enterprise: int = Field(
        32473,
        ge=1,
        description="The private enterprise number that marks our data; 32473 is for examples.",
    )
    path: Literal["local", "lan", "wan"] = Field("lan", description="What must work for it.")


class Syslog:
    """One syslog server."""

    def __init__(self, config: SyslogConfig, context: Context) -> None:
        self.channel = Channel(path=config.path)
        self._config = config
        self._where = f"the syslog server at {config.host}:{config.port}"

    async def start(self) -> None:
        """Nothing is kept open: each notice has a connection of its own."""

    async def send(self, notice: Notice) -> Receipt:
        """Accepted once the server has taken the whole message and ended the connection."""
        content = message(notice, self._config, socket.gethostname())
        await self._deliver(b"%d %b" % (len(content), content))
        return Receipt("accepted", id=notice.key, detail=f"{self._where} has taken it")

    async def probe(self) -> str:
        """Whether something listens there; no message is sent."""
        await self._deliver(b"")
        return f"{self._where} takes connections"

    async def close(self) -> None:
        """Nothing is held open."""

    async def _deliver(self, content: bytes) -> None:
        try:
            async with asyncio.timeout(LIMIT):
                answer = await self._exchange(content)
        except TimeoutError:
            raise NotReady(f"{self._where} did not take it within {LIMIT:g} s") from None
        except ConnectionRefusedError:
            raise NotReady(f"{self._where} is not reached: nothing listens there") from None
        except OSError as error:
            raise NotReady(f"{self._where} is not reached: {error.strerror or error}") from error
        if answer:
            raise NotReady(f"{self._where} answers, which a syslog server never does")

    async def _exchange(self, content: bytes) -> bytes:
        """What the other side says before it ends the connection: nothing, from syslog."""
        reader, writer = await asyncio.open_connection(self._config.host, self._config.port)
        try:
            writer.write(content)
            await writer.drain()
            writer.write_eof()
            return await reader.read(1)
        finally:
            writer.transport.abort()


def message(notice: Notice, config: SyslogConfig, machine: str) -> bytes:
    """The notice as a message of RFC 5424, of at most 2048 octets; `machine` sends it."""
    priority = config.facility * 8 + CODES[notice.severity]
    known = {
        "key": notice.key,
        "severity": notice.severity,
        "place": notice.place,
        "alert": notice.alert,
        "incident": notice.incident,
        "drill": "yes" if notice.drill else "no",
    }
    data = "".join(f' {name}="{_quoted(value)}"' for name, value in known.items())
    sender = re.sub(r"[^!-~]", "", machine)[:255] or "-"
    head = f"<{priority}>1 {iso(notice.time)} {sender} vestibule - {notice.about} "
    parts = ("DRILL" if notice.drill else "", notice.title, notice.place, notice.text, notice.link)
    words = ": ".join(line for part in parts if (line := _one_line(part)))
    whole = f"{head}[vestibule@{config.enterprise}{data}] \ufeff{words}"
    return whole.encode()[:LONGEST].decode(errors="ignore").encode()


def _one_line(text: str) -> str:
    """Without line breaks and control characters, so that no name can forge a message."""
    plain = "".join(c if unicodedata.category(c)[0] not in "CZ" else " " for c in text)
    return " ".join(plain.split())


def _quoted(value: str) -> str:
    """RFC 5424, 6.3.3: a backslash before a quotation mark, a backslash and a bracket."""
    return re.sub(r'(["\\\]])', r"\\\1", _one_line(value)[:100])


@hookimpl
def vestibule_notifiers() -> list[Driver]:
    """Announce the driver."""
    return [Driver("syslog", Syslog, SyslogConfig, "Notices to a syslog server over TCP")]
