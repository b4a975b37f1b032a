"""Push messages through Pushover, with receipts: who acknowledged a severe alert, and when."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import Field, ValidationInfo, field_validator

from hub import (
    Ack,
    Block,
    Channel,
    Context,
    Driver,
    Duration,
    Notice,
    NotReady,
    Probed,
    Receipt,
    Severity,
    hookimpl,
)
from plugins.notifiers._provider import Answer, Provider, Told, addresses, over, shaped
from plugins.notifiers._receipts import Fate, Watch, Watched
from plugins.notifiers._wording import brief, clean, cut, headline

# Limits of the message and receipt APIs, in characters and seconds.
TITLE_LIMIT, TEXT_LIMIT, URL_LIMIT = 250, 1024, 512
POLL_S = 5.0
CONNECTIONS = 2  # more at once, and Pushover may shut the application out
RECEIPTS_LAST = timedelta(days=7)
EMERGENCY, LOUD = 2, 1
PRIORITIES: dict[Severity, int] = {"severe": EMERGENCY, "high": LOUD, "check": 0, "note": -1}
FEW_LEFT = 100
SILENCE_S = 2.0
NOT_SILENCED = "earlier messages of the alert may sound on until they expire"

Key = Annotated[str, shaped(r"[A-Za-z0-9]{30}", "the 30 letters and digits that Pushover gives")]


class PushoverConfig(Block):
    """The application's token, and who is told.

    A person's `contact` for this notifier is their user key.
    """

    token: Key = Field(repr=False, description="The application's token; best as `!secret NAME`.")
    user: Key | None = Field(
        None,
        repr=False,
        description="The user or group key that is told where people have none of their own "
        "under `contact:`.",
    )
    retry: Duration = Field(
        60.0, ge=30, le=10800, description="How often a severe alert sounds until somebody answers."
    )
    expire: Duration = Field(
        3600.0, ge=30, le=10800, description="After how long it stops sounding all the same."
    )
    server: str = Field(
        "https://api.pushover.net",
        pattern=r"^https?://[^\s]+$",
        description="Where the API is; another address for a gateway.",
    )

    @field_validator("expire")
    @classmethod
    def _sounds_at_least_once(cls, expire: float, block: ValidationInfo) -> float:
        if expire < block.data.get("retry", 0.0):
            raise ValueError("expected as long as `retry`, or longer")
        return expire


class Pushover:
    """A message for each user key. Severe alerts sound until somebody acknowledges them."""

    channel = Channel(path="wan", otherwise="user")

    def __init__(self, config: PushoverConfig, context: Context) -> None:
        self._config = config
        self._provider = Provider(
            context, config.server, secrets=(config.token, config.user), connections=CONNECTIONS
        )
        self._told = Told()
        self._watched = Watched(context, every_s=POLL_S, lasts=RECEIPTS_LAST)

    async def start(self) -> None:
        """Open the connection pool and read which receipts were open."""
        await self._watched.start()
        await self._provider.start()

    async def send(self, notice: Notice) -> Receipt:
        """Silence what this notice settles, then send a message for each user key."""
        people = addresses(notice, [self._config.user])
        if not people:
            detail = "nobody to tell: write `user`, or a user key under the people's `contact:`"
            return Receipt("failed", detail=detail)
        settles = bool(notice.alert) and _settles(notice)
        silent = not settles or await self._silence(notice.alert)
        receipt = await self._told.each(
            notice.key, people, lambda user: self._message(notice, user, people[user])
        )
        if not silent and not await self._silence(notice.alert):
            detail = "; ".join(filter(None, (receipt.detail, NOT_SILENCED)))
            receipt = replace(receipt, detail=detail)
        return self._watched.noted(receipt)

    def acks(self) -> AsyncIterator[Ack]:
        """Deliveries and acknowledgements of severe alerts, until it is closed."""
        return self._watched.acks(self._fate)

    async def probe(self) -> Probed:
        """Ask how many messages are left this month, and whether `user` exists; none is sent."""
        return await self._provider.probe(self._look)

    async def close(self) -> None:
        """Close the connection pool and end `acks`."""
        self._watched.close()
        await self._provider.close()

    async def _message(self, notice: Notice, user: str, person: str) -> str:
        fields = message(notice, self._config.retry, self._config.expire)
        sent = {"token": self._config.token, "user": user, **fields}
        answer = await self._provider.call("POST", "/1/messages.json", data=sent)
        if not answer.taken:
            raise answer.refusal(_remedy(answer))
        if answer.data.get("status") != 1:
            raise self._provider.unconfirmed()
        receipt = str(answer.data.get("receipt", ""))
        if receipt:
            await self._watched.add(receipt, notice.key, person, notice.alert)
        return receipt or str(answer.data.get("request", ""))

    async def _silence(self, alert: str) -> bool:
        """End the sounding of all earlier messages of an alert; harmless when none sounds. False
        where it had no answer: what the notice says must not wait for that.
        """
        path = f"/1/receipts/cancel_by_tag/{quote(tag(alert), safe='')}.json"
        try:
            async with asyncio.timeout(SILENCE_S):
                await self._provider.call("POST", path, data={"token": self._config.token})
        except (NotReady, TimeoutError):
            return False
        return True

    async def _fate(self, watch: Watch) -> Fate:
        path = f"/1/receipts/{quote(watch.id, safe='')}.json"
        answer = await self._provider.call("GET", path, params={"token": self._config.token})
        if answer.data.get("status") != 1:
            return Fate(over=answer.status == 404)
        return fate(watch, answer.data)

    async def _look(self) -> Probed:
        token = {"token": self._config.token}
        answer = await self._provider.call("GET", "/1/apps/limits.json", params=token)
        if answer.data.get("status") != 1:
            found = f"{self._provider.host} refused the token ({answer.said or answer.status})"
            return Probed(found, "correct `token`", works=False)
        if self._config.user:
            known = await self._provider.call(
                "POST", "/1/users/validate.json", data={**token, "user": self._config.user}
            )
            if known.data.get("status") != 1:
                found = f"{self._provider.host} does not know the user ({known.said})"
                return Probed(found, "correct `user`; it needs an active device", works=False)
        left = answer.data.get("remaining")
        found = f"{self._provider.host} knows the token; {left} messages are left this month"
        if isinstance(left, int) and left < FEW_LEFT:
            return Probed(found, "buy more messages there, or tell fewer people this way")
        return Probed(found)


def message(notice: Notice, retry: float, expire: float) -> dict[str, Any]:
    """The notice as the fields of Pushover's message API, but for token and user."""
    priority = _priority(notice)
    made: dict[str, Any] = {
        "title": cut(headline(notice, deduplicates=False), TITLE_LIMIT) or "Notice",
        "message": brief(notice, TEXT_LIMIT) or "(no words)",
        "priority": str(priority),
        "timestamp": str(int(notice.time.timestamp())),
    }
    if priority == EMERGENCY:
        made |= {"retry": str(int(retry)), "expire": str(int(expire))}
        made |= {"tags": tag(notice.alert)} if notice.alert else {}
    if notice.link and len(notice.link) <= URL_LIMIT:
        made |= {"url": notice.link, "url_title": "Open the alert"}
    return made


def tag(alert: str) -> str:
    """By what the messages of an alert are found again, to silence them."""
    return f"alert-{alert}"


def fate(watch: Watch, said: Mapping[str, Any]) -> Fate:
    """What a receipt says of its message (pushover.net/api/receipts)."""
    acks = []
    if said.get("last_delivered_at"):
        acks.append(Ack("delivered", key=watch.key, id=watch.id, person=watch.person,
                        time=_moment(said["last_delivered_at"])))  # fmt: skip
    if said.get("acknowledged") == 1:
        device = clean(str(said.get("acknowledged_by_device") or ""))
        acks.append(Ack("acknowledged", key=watch.key, id=watch.id, person=watch.person,
                        time=_moment(said.get("acknowledged_at")),
                        detail=f"on the device {device}" if device else ""))  # fmt: skip
    expired = said.get("expired") == 1
    if expired and not acks:
        acks.append(Ack("failed", key=watch.key, id=watch.id, person=watch.person,
                        detail="it reached no device until it expired"))  # fmt: skip
    return Fate(tuple(acks), over=expired or said.get("acknowledged") == 1)


def _priority(notice: Notice) -> int:
    if notice.drill:
        return 0
    priority = PRIORITIES[notice.severity]
    if notice.about == "alert" or notice.data.get("verdict") == "verified":
        return priority
    return min(priority, LOUD)  # what ends an alert, or tells of one, needs no answer


def _settles(notice: Notice) -> bool:
    """Whether earlier messages of the alert need not sound any longer."""
    verified = notice.about == "verdict" and notice.data.get("verdict") == "verified"
    return verified or over(notice) or notice.about == "acknowledgement"


def _moment(seconds: object) -> datetime | None:
    if isinstance(seconds, int) and seconds > 0:
        with contextlib.suppress(ValueError, OverflowError, OSError):
            return datetime.fromtimestamp(seconds, UTC)
    return None


def _remedy(answer: Answer) -> str:
    for wrong in ("token", "user"):
        if answer.data.get(wrong) == "invalid" or f"{wrong} is invalid" in answer.said:
            where = " or the person's `contact:`" if wrong == "user" else ""
            return f"correct `{wrong}`{where}"
    return ""


@hookimpl
def vestibule_notifiers() -> Iterable[Driver]:
    """Announce the driver."""
    summary = "Push messages through Pushover, with receipts and acknowledgements"
    return [Driver("pushover", Pushover, PushoverConfig, summary)]
