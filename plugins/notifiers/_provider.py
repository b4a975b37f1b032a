"""Talking to a provider's HTTP API: one session, a deadline, and what its answers mean."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import re
import ssl
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator

from hub import Context, Notice, NotReady, Probed, Receipt
from plugins.notifiers._reach import (
    certified,
    not_reached,
    reach,
    refused_certificate,
)
from plugins.notifiers._wording import one_line

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

LIMIT_S = 30.0
LONGEST_REST_S = 300.0
ANSWER_BYTES = 65_536
SHOWN = 200
REMEMBERED = 256
TRY_AGAIN = frozenset({408, 425, 429})


class RefusedByProvider(Exception):
    """The provider understood and said no; asking again would not help. Says what to do."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider answered: its body as an object where it is JSON, and in one short line.

    The names of `headers` may be asked for in any case.
    """

    status: int
    data: Mapping[str, Any] = field(default_factory=dict)
    said: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def taken(self) -> bool:
        """Whether it is a 2xx."""
        return 200 <= self.status < 300

    @property
    def words(self) -> str:
        """Its status and what it says."""
        return f"HTTP {self.status}{f': {self.said}' if self.said else ''}"

    def refusal(self, remedy: str = "") -> RefusedByProvider:
        """What was refused, in its words, and what to do about it."""
        return RefusedByProvider(f"{self.words}{f'; {remedy}' if remedy else ''}")


class Provider:
    """One provider at one address.

    `secrets` are taken out of whatever it says; a `hidden` address is one itself, as webhooks are.
    At most so many `connections` are open at once; who comes later waits for one.
    """

    def __init__(
        self,
        context: Context,
        server: str,
        *,
        headers: Mapping[str, str] | None = None,
        secrets: Iterable[str | None] = (),
        hidden: bool = False,
        connections: int = 10,
    ) -> None:
        self._server = server if hidden else server.rstrip("/")
        self.host = urlsplit(server).hostname or ""
        self._clock = context.clock
        self._headers = dict(headers or {})
        own = _pieces(server) if hidden else []
        self._secrets = [each for each in (*secrets, *own) if each]
        self._connections = connections
        self._session: ClientSession | None = None
        self._rests_until = 0.0

    async def start(self) -> None:
        """Open the connection pool; the provider is reached at the first call."""
        from aiohttp import ClientSession, ClientTimeout, TCPConnector

        await self.close()
        self._session = ClientSession(
            timeout=ClientTimeout(total=LIMIT_S),
            headers=self._headers,
            connector=TCPConnector(limit=self._connections),
        )

    async def close(self) -> None:
        """Close the connection pool."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def call(self, method: str, path: str, **request: Any) -> Answer:
        """Ask once; the answer is a 2xx, or a refusal that will not change.

        `request` is what aiohttp's `ClientSession.request` takes. Raises `NotReady` where another
        attempt may succeed: no answer, overload (for as long as the provider asks), its own errors.
        """
        from aiohttp import ClientError
        from yarl import URL

        if self._session is None:
            raise NotReady("it is not started")
        rest = self._rests_until - self._clock.monotonic()
        if rest > 0:
            raise NotReady(f"{self.host} asked to be left alone for {math.ceil(rest)} s more")
        try:
            address = self._server + path
            # As it was written: a signature may stand on every `%2F` in it.
            url = URL(address, encoded=address.isascii())
            async with self._session.request(
                method, url, allow_redirects=False, **request
            ) as answer:
                raw = await _body(answer)
                return self._understood(answer, raw)
        except TimeoutError:
            raise NotReady(f"no answer from {self.host} within {LIMIT_S:g} s") from None
        except (ClientError, OSError, ValueError) as error:
            # Without the error itself, whose text and chain may hold the whole address.
            raise NotReady(self._unreached(error)) from None

    def unconfirmed(self) -> NotReady:
        """What to raise where a 2xx does not say that it was taken: a portal may have answered."""
        return NotReady(f"{self.host} answered without saying that it took it")

    async def probe(self, ask: Callable[[], Awaitable[Probed]]) -> Probed:
        """Whether it is reached, then what `ask` finds by calls that send nothing."""
        try:
            certificate = await reach(self._server)
        except ssl.SSLError as error:
            wrong = refused_certificate(self.host, error)
            assert wrong is not None
            return wrong
        await self.start()
        said = await ask()
        if said.remedy or not said.works:
            return said
        return certified(said.found, certificate, self._clock.now())

    def _understood(self, answer: ClientResponse, raw: bytes) -> Answer:
        data = _object(raw)
        said = Answer(answer.status, data, self._clean(_short(data, raw)), answer.headers)
        if said.taken or (400 <= said.status < 500 and said.status not in TRY_AGAIN):
            return said
        words = f"{self.host}: {said.words}"
        if answer.status == 429 or "Retry-After" in answer.headers:
            seconds = self._asked_rest(answer.headers.get("Retry-After", ""), data)
            if seconds > 0:
                self._rests_until = self._clock.monotonic() + min(seconds, LONGEST_REST_S)
                words += f" (it asks to wait {math.ceil(seconds)} s)"
        raise NotReady(words)

    def _asked_rest(self, header: str, data: Mapping[str, Any]) -> float:
        """How long to wait, in seconds: a number or a date (RFC 9110, 10.2.3), or in the body."""
        for given in (header, data.get("retry_after")):
            with contextlib.suppress(ValueError, TypeError):
                seconds = float(given or "")
                return seconds if math.isfinite(seconds) else 0.0
        with contextlib.suppress(ValueError, TypeError):
            return (parsedate_to_datetime(header) - self._clock.now()).total_seconds()
        return 0.0

    def _unreached(self, error: BaseException) -> str:
        from aiohttp import ClientConnectionError, ClientConnectorError

        wrong = refused_certificate(self.host, error)
        if wrong is not None:
            return wrong.found
        if isinstance(error, ClientConnectorError):
            parts = urlsplit(self._server)
            port = parts.port or (443 if parts.scheme == "https" else 80)
            return self._clean(not_reached(self.host, port, error))
        if isinstance(error, ClientConnectionError | OSError):
            return f"the connection to {self.host} broke"
        return f"{self.host} answers what is no HTTP ({type(error).__name__})"

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "(hidden)")
        return text


class Told:
    """Whom a notice has reached so far, so that a further attempt goes to the others alone."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, dict[str, str]] = OrderedDict()

    async def each(
        self, key: str, addresses: Iterable[str], send: Callable[[str], Awaitable[str]]
    ) -> Receipt:
        """Send to all addresses by `send`, which returns the provider's id of it.

        One refused address does not cost the others; all refused is a failed receipt. Raises
        `NotReady` as `tried` does.
        """
        wanted = list(addresses)
        reached, refused = await self.tried(key, wanted, send)
        detail = _joined(refused, wanted)
        if not reached:
            return Receipt("failed", detail=detail)
        ids = (reached.get(address, "") for address in wanted)
        return Receipt("accepted", id=",".join(filter(None, ids)), detail=detail)

    async def tried(
        self, key: str, addresses: Iterable[str], send: Callable[[str], Awaitable[str]]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """What `send` returned for each address that was reached, now or before, and why the
        others were refused. Raises `NotReady` when some may still be reached, once all have been
        tried.
        """
        reached = self._ids.setdefault(key, {})
        while len(self._ids) > REMEMBERED:
            self._ids.popitem(last=False)
        refused: dict[str, str] = {}
        waits: dict[str, str] = {}

        async def one(address: str) -> None:
            try:
                reached[address] = await send(address)
            except RefusedByProvider as error:
                refused[address] = str(error)
            except NotReady as error:
                waits[address] = str(error)

        wanted = list(addresses)
        async with asyncio.TaskGroup() as tries:
            for address in wanted:
                if address not in reached:
                    tries.create_task(one(address))
        if waits:
            raise NotReady(_joined(waits, wanted))
        self._ids.pop(key, None)
        return reached, refused


def addresses(notice: Notice, common: Iterable[str | None]) -> dict[str, str]:
    """Whom to tell: each address with the id of the person it belongs to.

    People with an address of their own are told there; for all others, and where nobody is named,
    it is the `common` addresses, which belong to nobody.
    """
    found = {one.contact: one.person for one in notice.to if one.contact}
    if not notice.to or any(not one.contact for one in notice.to):
        found |= {each: "" for each in common if each and each not in found}
    return found


def over(notice: Notice) -> bool:
    """Whether the notice says that its alert is over: a false alarm, or resolved."""
    verdict = notice.data.get("verdict")
    return verdict in ("dismissed", "resolved") or bool(notice.data.get("resolved"))


def judged(notice: Notice) -> bool:
    """Whether the notice says what became of an alert that was told of before."""
    return notice.about != "alert" and (over(notice) or notice.data.get("verdict") == "verified")


def _joined(said: Mapping[str, str], order: Iterable[str]) -> str:
    """What was said to each address, in their order, the same words once."""
    return "; ".join(dict.fromkeys(said[address] for address in order if address in said))


def basic(name: str, password: str) -> str:
    """The value of an Authorization header (RFC 7617)."""
    return f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}"


def secrets_in(headers: Mapping[str, str]) -> list[str]:
    """What of further headers may be a secret: each value of some length, and its longer words."""
    values = [each for each in headers.values() if len(each) >= 4]  # `1` is a part of any number
    return [*values, *(word for each in values for word in each.split() if len(word) >= 8)]


def shaped(pattern: str, expected: str) -> AfterValidator:
    """A check of a key's text, which says in words what belongs there."""
    form = re.compile(pattern)

    def check(text: str) -> str:
        if form.fullmatch(text) is None:
            raise ValueError(f"expected {expected}")
        return text

    return AfterValidator(check)


def _pieces(address: str) -> list[str]:
    """What of an address may be a secret: all of it, and each longer part of path and query."""
    parts = urlsplit(address)
    values = [value for _, value in parse_qsl(parts.query)]
    longer = (each for each in (*parts.path.split("/"), *values) if len(each) >= 8)
    # A short path as it stands there, with its slash: `in` is a part of many a word.
    return [address, parts.path.rstrip("/"), parts.query, *longer]


async def _body(answer: ClientResponse) -> bytes:
    read = bytearray()
    async for piece in answer.content.iter_chunked(ANSWER_BYTES):
        read += piece
        if len(read) >= ANSWER_BYTES:
            break
    return bytes(read)


def _object(raw: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(raw)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _short(data: Mapping[str, Any], raw: bytes) -> str:
    """What an answer says, in one line: the usual keys of an error, or how the body begins."""
    errors = data.get("errors")
    parts = [data.get("message"), data.get("error")]
    parts += errors if isinstance(errors, list) else []
    said = ", ".join(str(each) for each in parts if isinstance(each, str) and each)
    if not said:
        said = "" if data else raw[:SHOWN].decode("utf-8", "replace")
    return one_line(said)[:SHOWN]
