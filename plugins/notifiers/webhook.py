"""Notices as signed JSON to any HTTP receiver.

The body is a CloudEvents 1.0 object. `X-Vestibule-Signature: t=SECONDS,v1=HEX` carries the Unix
time and the HMAC-SHA256, under the shared secret, of that time, a full stop and the body. The
receiver checks it, refuses an old time, and does the work of an `Idempotency-Key` once.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field

from hub import Block, Channel, Context, Driver, Notice, Probed, Receipt, hookimpl, iso
from plugins.notifiers._provider import Provider, secrets_in
from plugins.notifiers._wording import headline


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
        self._provider = Provider(
            context,
            config.url,
            secrets=(config.secret, *secrets_in(config.headers)),
            hidden=True,
        )

    async def start(self) -> None:
        """Open the connection pool; the receiver is reached at the first notice."""
        await self._provider.start()

    async def send(self, notice: Notice) -> Receipt:
        """Post it once. A 2xx is acceptance, another 4xx a refusal, the rest may be tried again."""
        content = json.dumps(event(notice, self._source), separators=(",", ":")).encode()
        headers = {
            **self._config.headers,
            "Content-Type": "application/cloudevents+json",
            "Idempotency-Key": notice.key,
            "X-Vestibule-Signature": self._signature(content),
        }
        answer = await self._provider.call("POST", "", data=content, headers=headers)
        if not answer.taken:
            return Receipt("failed", detail=answer.words)
        return Receipt("accepted", answer.headers.get("X-Request-Id", ""), answer.words)

    async def probe(self) -> Probed:
        """Connect, with TLS where the address says so, and leave: nothing is posted."""
        return await self._provider.probe(self._look)

    async def close(self) -> None:
        """Close the connection pool."""
        await self._provider.close()

    async def _look(self) -> Probed:
        found = f"{self._provider.host} reached; nothing was posted, so the signature is not tried"
        return Probed(found)

    def _signature(self, content: bytes) -> str:
        seconds = int(self._clock.now().timestamp())
        return f"t={seconds},v1={sign(self._config.secret, seconds, content)}"


def sign(secret: str, seconds: int, content: bytes) -> str:
    """HMAC-SHA256 (RFC 2104) of `seconds`, a full stop and the body, as lower-case hexadecimal."""
    signed = str(seconds).encode() + b"." + content
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def event(notice: Notice, source: str) -> dict[str, Any]:
    """The notice as a CloudEvents 1.0 object; its id is the notice's key, its subject the alert."""
    return {
        "specversion": "1.0",
        "id": notice.key,
        "source": source,
        "type": f"notice.{notice.about}",
        "time": iso(notice.time),
        **({"subject": notice.alert} if notice.alert else {}),
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


@hookimpl
def vestibule_notifiers() -> Iterable[Driver]:
    """Announce the driver."""
    return [Driver("webhook", Webhook, WebhookConfig, "Signed JSON to an HTTP receiver")]
