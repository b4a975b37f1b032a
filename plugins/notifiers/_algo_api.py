"""The HTTP API of Algo's speakers and strobes, as far as sounding and clearing needs it.

Requests are signed with HMAC-SHA256 over method, address, body, time and a number used once. The
device refuses a time more than 30 s from its own, so a wrong clock there is a silent speaker.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import ssl
from collections.abc import Mapping
from datetime import UTC, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from hub import Context, NotReady, duration_words
from plugins.notifiers._provider import Answer, Provider, basic

ALLOWED = timedelta(seconds=30)
STATUS = "/api/info/status"


class ClockIsOff(NotReady):
    """The device and this machine disagree about the time, so that it refuses what we sign."""


class AlgoApi:
    """One device. `password` is that of its RESTful API."""

    def __init__(self, context: Context, url: str, password: str, *, signed: bool) -> None:
        self._provider = Provider(context, url, secrets=(password,))
        self.host = self._provider.host
        self._clock = context.clock
        self._password = password
        self._signed = signed
        self._trust: ssl.SSLContext | None = None

    async def open(self, trust: ssl.SSLContext | None) -> None:
        """Open the connection pool."""
        self._trust = trust
        await self._provider.start()

    async def close(self) -> None:
        """Close the connection pool."""
        await self._provider.close()

    async def post(self, path: str, fields: Mapping[str, Any]) -> Answer:
        """Ask for something. Raises `NotReady`, or `RefusedByProvider` with what to do."""
        body = json.dumps(dict(fields), separators=(",", ":")).encode() if fields else b""
        answer = await self._call("POST", path, body)
        if not answer.taken:
            raise answer.refusal(_REMEDIES.get(answer.status, ""))
        return answer

    async def status(self) -> Mapping[str, Any] | None:
        """What the device says of itself; None where its firmware has no such page (before 5.4).

        Raises `ClockIsOff` also where it would answer but refuse to be signed to in its own time.
        """
        answer = await self._call("GET", STATUS, b"")
        if answer.status == 404:
            return None
        if not answer.taken:
            raise answer.refusal(_REMEDIES.get(answer.status, ""))
        if self._signed:
            self._compare(answer)
        return answer.data

    async def _call(self, method: str, path: str, body: bytes) -> Answer:
        now = self._clock.now()
        headers = {"Date": format_datetime(now.astimezone(UTC), usegmt=True)}
        if body:
            headers["Content-Type"] = "application/json"
        if self._signed:
            nonce = str(secrets.randbelow(2**31))
            headers |= signature(self._password, method, path, body, int(now.timestamp()), nonce)
        else:
            headers["Authorization"] = basic("admin", self._password)
        more: dict[str, Any] = {"ssl": self._trust} if self._trust is not None else {}
        answer = await self._provider.call(method, path, data=body or None, headers=headers, **more)
        if answer.status in (401, 403) and self._signed:
            self._compare(answer)
        return answer

    def _compare(self, answer: Answer) -> None:
        try:
            theirs = parsedate_to_datetime(answer.headers.get("Date", ""))
            apart = theirs.astimezone(UTC) - self._clock.now()
        except (TypeError, ValueError):
            return  # it does not say its time
        if abs(apart) > ALLOWED:
            words = duration_words(float(round(abs(apart.total_seconds()))))
            way = "ahead of" if apart > timedelta(0) else "behind"
            raise ClockIsOff(
                f"the clock of {self.host} is {words} {way} this machine's, and it takes nothing "
                "signed more than 30s from its own time: give both a time server"
            )


def signature(
    password: str, method: str, path: str, body: bytes, seconds: int, nonce: str
) -> dict[str, str]:
    """The headers of a signed request, besides its Date (which must say the same second)."""
    parts = [method, path]
    headers: dict[str, str] = {}
    if body:
        digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
        headers["Content-MD5"] = digest
        parts += [digest, "application/json"]
    text = ":".join([*parts, str(seconds), nonce])
    signed = hmac.new(password.encode(), text.encode(), hashlib.sha256).hexdigest()
    return {**headers, "Authorization": f"hmac admin:{nonce}:{signed}"}


_REMEDIES = {
    400: "check the name of the tone and the strobe's settings",
    401: "check `password`, and which authentication is set on the device",
    403: "check `password`, and which authentication is set on the device",
    404: "check that its RESTful API is on, its firmware is 5.4 or later, and it has what is asked",
}
