"""Notices as signed JSON to any HTTP receiver.

The body is a CloudEvents 1.0 object. `X-Vestibule-Signature: t=SECONDS,v1=HEX` carries the Unix
time and the HMAC-SHA256, under the shared secret, of that time, a full stop and the body. The
receiver checks it, refuses an old time, and does the work of an `Idempotency-Key` once.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field

from hub import Block, Channel, Context, Driver, Notice, NotReady, Probed, Receipt, hookimpl, iso
from plugins.notifiers._reach import certified, reach, refused_certificate
from plugins.notifiers._wording import headline, one_line

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

TRY_AGAIN = frozenset({408, 425, 429})
SHOWN = 200
LIMIT_S = 30.0


class WebhookConfig(Block):
    """Where to post, and the secret shared with the receiver."""

    url: str = Field(
        pattern=r"^https?://[^\s]+$",
        repr=False,  # many a receiver knows its senders by a secret in the address
        description="Where to post.",
    )
    secret: str = Field(
        min_length=16, repr=False, description="Signs each message; best as `!secret NAME`."
    )
    path: Literal["local", "lan", "wan"] = Field("lan", description="What must work for it.")
    headers: dict[str, str] = Field(
        default_factory=dict, repr=False, description="Further headers."
    )


class Webhook:
    """Posts each notice; the receiver deduplicates by its key."""

    channel = Channel(path="lan", deduplicates=True)

    def __init__(self, config: WebhookConfig, context: Context) -> None:
        self.channel = Channel(path=config.path, deduplicates=True)
        self._config = config
        self._clock = context.clock
        self._source = f"notifier/{context.name}"
        self._session: ClientSession | None = None

    async def start(self) -> None:
        """Open the connection pool; the receiver is reached at the first notice."""
        from aiohttp import ClientSession, ClientTimeout

        await self.close()
        timeout = ClientTimeout(total=LIMIT_S)
        self._session = ClientSession(timeout=timeout)

    async def send(self, notice: Notice) -> Receipt:
        """Post it once. A 2xx is acceptance, another 4xx a refusal, the rest may be tried again."""
        from aiohttp import ClientError

        if self._session is None:
            raise NotReady("the webhook is not started")
        content = json.dumps(event(notice, self._source), separators=(",", ":")).encode()
        headers = {
            **self._config.headers,
            "Content-Type": "application/cloudevents+json",
            "Idempotency-Key": notice.key,
            "X-Vestibule-Signature": self._signature(content),
        }
        try:
            async with self._session.post(
                self._config.url, data=content, headers=headers, allow_redirects=False
            ) as answer:
                return await _receipt(answer)
        except TimeoutError:
            raise NotReady(f"no answer within {LIMIT_S:g} s") from None
        except (ClientError, OSError) as error:
            raise NotReady(f"not reached: {error}") from error

    async def probe(self) -> Probed:
        """Connect, with TLS where the address says so, and leave: nothing is posted."""
        where = urlsplit(self._config.url).hostname or ""
        try:
            certificate = await reach(self._config.url)
        except ssl.SSLError as error:
            wrong = refused_certificate(where, error)
            assert wrong is not None
            return wrong
        found = f"{where} reached; nothing was posted, so the signature is not tried"
        return certified(found, certificate, self._clock.now())

    async def close(self) -> None:
        """Close the connection pool."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _signature(self, content: bytes) -> str:
        seconds = int(self._clock.now().timestamp())
        return f"t={seconds},v1={sign(self._config.secret, seconds, content)}"


def sign(secret: str, seconds: int, content: bytes) -> str:
    """HMAC-SHA256 (RFC 2104) of `seconds`, a full stop and the body, as lower-case hexadecimal."""
    signed = str(seconds).encode() + b"." + content
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def event(notice: Notice, source: str) -> dict[str, Any]:
    """The notice as a CloudEvents 1.0 object; its id is the notice's key."""
    return {
        "specversion": "1.0",
        "id": notice.key,
        "source": source,
        "type": f"notice.{notice.about}",
        "time": iso(notice.time),
        "subject": notice.alert,
        "datacontenttype": "application/json",
        "data": {
            "about": notice.about,
            "severity": notice.severity,
            "title": headline(notice),
            "text": notice.text,
            "place": notice.place,
            "alert": notice.alert,
            "incident": notice.incident,
            "link": notice.link,
            "drill": notice.drill,
            "repeat": notice.repeat,
            "to": [{"person": r.person, "name": r.name, "contact": r.contact} for r in notice.to],
            "more": dict(notice.data),
        },
    }


async def _receipt(answer: ClientResponse) -> Receipt:
    said = one_line((await answer.content.read(SHOWN)).decode("utf-8", "replace"))
    detail = f"HTTP {answer.status}{f': {said}' if said else ''}"
    if 200 <= answer.status < 300:
        return Receipt("accepted", id=answer.headers.get("X-Request-Id", ""), detail=detail)
    if 400 <= answer.status < 500 and answer.status not in TRY_AGAIN:
        return Receipt("failed", detail=detail)
    raise NotReady(detail)


@hookimpl
def vestibule_notifiers() -> Iterable[Driver]:
    """Announce the driver."""
    return [Driver("webhook", Webhook, WebhookConfig, "Signed JSON to an HTTP receiver")]
