"""Notices in the browsers of those who asked for it there, also when no page is open.

A message is encrypted for one browser; its maker's push service only carries it. A person asks on
the page of their account, browser by browser.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field

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
    Subscription,
    hookimpl,
    iso,
)
from plugins.notifiers._kept import Kept
from plugins.notifiers._provider import Provider, RefusedByProvider, Told, shaped
from plugins.notifiers._receipts import rest
from plugins.notifiers._webpush_message import LARGEST, SenderKey, encrypt, packed
from plugins.notifiers._wording import clean, cut, headline, largest, one_line, where

CONTACT = r"mailto:[^\s@]+@[^\s@]+|https://[^\s]+"
Host = Annotated[
    str, shaped(r"(\*\.)?[a-z0-9.-]+(:\d+)?", "the name of a machine, such as push.example")
]
# Of Chrome and Edge, Firefox, Windows, and Safari.
SERVICES = (
    "fcm.googleapis.com",
    "*.push.services.mozilla.com",
    "*.notify.windows.com",
    "*.push.apple.com",
)
URGENCY: dict[Severity, Literal["low", "normal", "high"]] = {
    "severe": "high",
    "high": "high",
    "check": "normal",
    "note": "low",
}
GONE = frozenset({404, 410})
TITLE, TEXT = 200, 1500  # characters
POOLS = 16  # push services that connections are kept to
AT_ONCE = 10
SETTLES_S = 0.5
MISSED = 500  # notices to people without a browser that were not told of yet


class WebPushConfig(Block):
    """Who sends, and how much a screen may show that everybody can see."""

    contact: Annotated[str, shaped(CONTACT, "mailto: and an address, or an https:// address")] = (
        Field(
            description="Whom push services may write to, such as `mailto:it@school.example`.",
        )
    )
    text: bool = Field(
        False,
        description="Show the notice's text as well, which may name people; otherwise title and "
        "place. A locked screen shows it to everyone.",
    )
    lasts: Duration = Field(
        3600.0, ge=0, le=2_419_200, description="How long a push service keeps it for a device."
    )
    services: tuple[Host, ...] = Field(
        SERVICES, description="Push services that may be sent to; `*.` stands for what is before."
    )


class WebPush:
    """One message for each browser of each person; a later one takes the earlier one's place."""

    channel = Channel(path="wan", deduplicates=True)

    def __init__(self, config: WebPushConfig, context: Context) -> None:
        self._config = config
        self._context = context
        self._key: SenderKey | None = None
        self._pools: OrderedDict[str, Provider] = OrderedDict()
        self._told = Told()
        self._missed = Kept(context.state / "missed.json", MISSED)
        self._news = asyncio.Event()  # also that it is closed
        self._closed = asyncio.Event()

    async def application_server_key(self) -> str:
        """What browsers subscribe with; empty until it has been started once."""
        return self._key.public if self._key is not None else ""

    async def start(self) -> None:
        """Read the sender's key, or make it; push services are reached at the first notice."""
        self._closed.clear()
        await self._missed.load()
        file = self._context.state / "vapid.pem"
        try:
            self._key = await asyncio.to_thread(SenderKey.kept, file)
        except OSError as error:
            raise NotReady(f"cannot use {file}: {error.strerror}") from error
        except ValueError as error:
            raise NotReady(
                f"{file} is no key ({one_line(str(error))}): put back the one that was there, or "
                "take it away, and each browser has to be told of again"
            ) from error

    async def send(self, notice: Notice) -> Receipt:
        """Hand it to the push service of each browser; that is acceptance, not delivery."""
        if self._key is None:
            raise NotReady("web push is not started")
        people = [each.person for each in notice.to]
        found = {each.id: each for each in await self._context.subscriptions(people)}
        if not found:
            names = ", ".join(each.name for each in notice.to) or "anybody"
            return Receipt("failed", detail=f"no browser is told for {names}")
        content = message(notice, whole=self._config.text)
        turn = asyncio.Semaphore(AT_ONCE)

        async def push(id_: str) -> str:
            async with turn:
                return await self._push(found[id_], notice, content)

        reached, refused = await self._told.tried(notice.key, found, push)
        receipt = _outcome(notice, len(reached), refused)
        if receipt.state == "accepted":
            told = {each.person.casefold() for id_, each in found.items() if id_ in reached}
            await self._tell_of_others(notice, told)
        return receipt

    async def acks(self) -> AsyncIterator[Ack]:
        """For whom of several people no browser was told, so that they are told another way; also
        what a restart came before.
        """
        await self._missed.load()
        while not self._closed.is_set():
            self._news.clear()
            while settled := self._missed.items():
                # The receipt of the others comes first.
                await rest(self._context.clock, SETTLES_S, self._closed)
                for key, people in settled:
                    for person, name in _pairs(people):
                        detail = f"no browser is told for {name}"
                        yield Ack("failed", key, person=person, detail=detail)
                    await self._missed.drop(key)
            await self._news.wait()

    async def probe(self) -> Probed:
        """Whether the sender's key can be used, and who is told; no push service is asked."""
        file = self._context.state / "vapid.pem"
        if not await asyncio.to_thread(file.exists):
            return Probed("its key is made at the first start; nobody is told yet")
        await self.start()
        try:
            found = await self._context.subscriptions(())
        except NotReady:
            return Probed("its key can be used; the running hub knows which browsers are told")
        people = len({each.person for each in found})
        told = f"its key can be used; {len(found)} browsers of {people} people are told"
        remedy = "" if found else "let people switch it on, each on the page of their account"
        return Probed(told, remedy)

    async def close(self) -> None:
        """Close the connection pools, and end what is told of notices."""
        self._closed.set()
        self._news.set()
        pools, self._pools = list(self._pools.values()), OrderedDict()
        for pool in pools:
            await pool.close()

    async def _push(self, browser: Subscription, notice: Notice, content: bytes) -> str:
        """Send to one browser. Raises `RefusedByProvider`, or `NotReady` to be tried again."""
        assert self._key is not None
        parts = urlsplit(browser.endpoint)
        origin = f"{parts.scheme}://{parts.netloc}"
        if not any(_matches(parts.netloc, each) for each in self._config.services):
            raise RefusedByProvider(f"{parts.hostname} is none of the push services of `services`")
        try:
            sealed = await asyncio.to_thread(encrypt, content, browser.p256dh, browser.auth)
            now = self._context.clock.now()
            sender = await asyncio.to_thread(
                self._key.authorization, origin, self._config.contact, now
            )
        except ValueError:
            await self._context.unsubscribe(browser.id)
            raise RefusedByProvider("a browser gave keys that cannot be used") from None
        headers = {
            "Authorization": sender,
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(int(self._config.lasts)),
            "Urgency": URGENCY[notice.severity],
            "Topic": topic(notice),
        }
        pool = await self._pool(origin)
        path = browser.endpoint.removeprefix(origin)
        answer = await pool.call("POST", path, data=sealed, headers=headers)
        if answer.status in GONE:
            await self._context.unsubscribe(browser.id)
            raise RefusedByProvider("a browser is gone, and was taken off the list")
        if not answer.taken:
            remedy = "let the browser be told of again" if answer.status in (401, 403) else ""
            raise answer.refusal(remedy)
        return browser.id

    async def _tell_of_others(self, notice: Notice, told: set[str]) -> None:
        """Note for whom nothing was sent, where a notice was for several people; before its receipt
        is given, so that a restart in between forgets nobody.
        """
        people = [
            [one.person, one.name]
            for one in notice.to
            if not told & {one.person.casefold(), one.name.casefold()}
        ]
        if people:
            await self._missed.put(notice.key, people)
            self._news.set()

    async def _pool(self, origin: str) -> Provider:
        if origin not in self._pools:
            pool = self._pools[origin] = Provider(self._context, origin)
            await pool.start()
            while len(self._pools) > POOLS:
                _, oldest = self._pools.popitem(last=False)
                await oldest.close()
        return self._pools[origin]


def _pairs(kept: Any) -> list[tuple[str, str]]:
    """Ids and names of people as they were kept; nobody where a file holds something else."""
    rows = kept if isinstance(kept, list) else []
    whole = (row for row in rows if isinstance(row, list) and len(row) == 2)
    return [(str(person), str(name)) for person, name in whole]


def _outcome(notice: Notice, told: int, refused: Mapping[str, str]) -> Receipt:
    """What came of all browsers: one that is gone costs the others nothing."""
    said = [f"for {told} browsers" if told != 1 else "for one browser"] if told else []
    detail = "; ".join([*said, *dict.fromkeys(refused.values())])
    return Receipt("accepted" if told else "failed", id=notice.key, detail=detail)


def topic(notice: Notice) -> str:
    """What a later message of the same alert replaces: 32 characters (RFC 8030, 5.4)."""
    return packed(hashlib.sha256((notice.alert or notice.key).encode()).digest()[:24])


def message(notice: Notice, *, whole: bool) -> bytes:
    """What the browser is told, as JSON of at most `LARGEST` bytes; no picture, nobody's name
    unless the `whole` text is wanted.
    """
    text = clean(notice.text) if whole else ""
    drill = "This is a drill." if notice.drill else ""
    place = one_line(notice.place) if not whole else where(notice)
    said = "\n".join(part for part in (drill, place, text) if part)
    path = urlsplit(notice.link).path if notice.link else ""
    facts: dict[str, Any] = {
        "key": notice.key,
        "tag": topic(notice),
        "severity": notice.severity,
        "time": iso(notice.time),
        "path": path or (f"/alerts/{notice.alert}" if notice.alert else "/"),
    }

    def made(length: int) -> bytes:
        shown = {"title": cut(headline(notice), TITLE), "body": cut(said, length)}
        return json.dumps({**facts, **shown}, ensure_ascii=False).encode("utf-8", "replace")

    return made(largest(min(TEXT, len(said)), lambda length: len(made(length)) <= LARGEST))


def _matches(host: str, service: str) -> bool:
    if service.startswith("*."):
        return host.endswith(service[1:])
    return host == service


@hookimpl
def vestibule_notifiers() -> Iterable[Driver]:
    """Announce the driver."""
    return [Driver("webpush", WebPush, WebPushConfig, "In the browsers of those who asked for it")]
