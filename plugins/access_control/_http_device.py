"""A controller on the network that speaks HTTP: one session, deadlines, bounded answers.

Nothing of it is taken on trust: its certificate is checked, its answers are cut short at a limit,
and a redirection is not followed, for it could lead a password astray.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from hub import Block, Context, Duration, Names, NotReady, Probed
from plugins.notifiers._reach import trusted

if TYPE_CHECKING:
    from aiohttp import ClientSession, ClientWebSocketResponse
    from yarl import URL

ANSWER_S = 4.0
ANSWER_BYTES = 1_048_576
FRAME_BYTES = 262_144
HEARTBEAT_S = 8.0
KEPT_S = 4.0  # a controller drops idle lines early, and a command on a dropped one would be lost
CONNECTIONS = 16
ONCE_MORE = 3
SHOWN = 120


def _sha256(text: str) -> str:
    digits = text.replace(":", "").replace(" ", "").lower()
    if re.fullmatch(r"[0-9a-f]{64}", digits) is None:
        raise ValueError("expected the SHA-256 of a certificate: 64 hexadecimal digits")
    return digits


Sha256 = Annotated[str, AfterValidator(_sha256)]


class HttpConfig(Block):
    """Where a controller is, who signs in there, and how its certificate is checked."""

    host: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:_-]{1,253}$")] = Field(
        description="Its address: a name or a number, without `https://`."
    )
    port: int | None = Field(
        None, ge=1, le=65535, description="Its port; 443 where it is left out, 80 without `tls`."
    )
    tls: bool = Field(True, description="Speak TLS to it (`https`).")
    username: str | None = Field(None, description="Who signs in there.")
    password: str | None = Field(None, repr=False, description="Best as `!secret NAME`.")
    ca_file: Annotated[Path, Names("file")] | None = Field(
        None, description="Whom to trust, where its certificate is not publicly signed."
    )
    fingerprint: Sha256 | None = Field(
        None,
        description="The SHA-256 of its certificate, where it signed that itself: "
        "then this one alone is trusted.",
    )
    stale_after: Duration = Field(
        30.0, gt=0, description="How old a report may be before it is shown as stale."
    )

    @model_validator(mode="after")
    def is_whole(self) -> HttpConfig:
        """A password needs a name, and what is said of certificates needs TLS."""
        if (self.username is None) != (self.password is None):
            raise ValueError("expected `username` and `password` together")
        if self.ca_file is not None and self.fingerprint is not None:
            raise ValueError("expected `ca_file` or `fingerprint`, not both")
        if not self.tls and (self.ca_file or self.fingerprint):
            raise ValueError("expected `tls: true` beside `ca_file` or `fingerprint`")
        return self


class RefusedUs(NotReady):
    """The controller does not take who we are, or what we may: another try would not help soon."""


class Untrusted(NotReady):
    """Nobody whom we trust vouches for its certificate."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body of at most `ANSWER_BYTES`."""

    status: int
    body: bytes

    @property
    def refused_us(self) -> bool:
        """Whether it does not take who we are, or what we may."""
        return self.status in (401, 403)


class HttpDevice:
    """The session with one controller. `where` names it for people."""

    def __init__(self, config: HttpConfig, context: Context) -> None:
        self._config = config
        self._context = context
        self._session: ClientSession | None = None
        self._welcome = False
        self._narrow = False
        self._turn = asyncio.Lock()
        self.port = config.port or (443 if config.tls else 80)
        self.where = f"the controller at {config.host}:{self.port}"

    @property
    def is_open(self) -> bool:
        """Whether it may be asked."""
        return self._session is not None

    @property
    def refused(self) -> RefusedUs:
        """What to raise where it does not take our name or password."""
        signs = "the user name or password" if self._config.username else "us without a user name"
        return RefusedUs(f"{self.where} refused {signs}")

    async def open(self) -> None:
        """Make the session; nothing is reached yet. Raises `NotReady` for a bad `ca_file`."""
        from aiohttp import (
            ClientSession,
            ClientTimeout,
            DigestAuthMiddleware,
            DummyCookieJar,
            TCPConnector,
        )

        await self.close()
        name, password = self._config.username, self._config.password
        known = name is not None and password is not None
        self._session = ClientSession(
            connector=TCPConnector(
                limit=CONNECTIONS, keepalive_timeout=KEPT_S, ssl=await self._trust()
            ),
            timeout=ClientTimeout(total=None),
            middlewares=(DigestAuthMiddleware(name or "", password or ""),) if known else (),
            cookie_jar=DummyCookieJar(),
            headers={"Accept-Encoding": "identity"},
            auto_decompress=False,
        )

    async def close(self) -> None:
        """Drop the session and its lines."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def ask(
        self, method: str, path: str, *, within: float = ANSWER_S, **request: Any
    ) -> Answer:
        """Ask; whatever status it answers with is returned. Raises `NotReady` without one.

        `path` may have a query; `request` is what aiohttp's `request` takes; `within` is seconds.
        Devices drop a digest's nonce when requests cross: who was let in before and is refused asks
        again, from then on one question at a time (but for those that wait for news).
        """
        waits = within > ANSWER_S
        async with self._words(within), asyncio.timeout(within):
            if waits or not self._narrow:
                answer = await self._once(method, path, request)
                if answer.status != 401 or not self._welcome:
                    self._welcome = self._welcome or answer.status != 401
                    return answer
                self._narrow = True
            async with contextlib.nullcontext() if waits else self._turn:
                for _ in range(ONCE_MORE):
                    answer = await self._once(method, path, request)
                    if answer.status != 401:
                        break
            return answer

    async def _once(self, method: str, path: str, request: Mapping[str, Any]) -> Answer:
        async with self._open_session().request(
            method, self.address(path), allow_redirects=False, **request
        ) as answer:
            if 300 <= answer.status < 400:
                raise NotReady(f"{self.where} sends us elsewhere; is `tls` right?")
            body = bytearray()
            async for piece in answer.content.iter_chunked(65_536):
                body += piece
                if len(body) > ANSWER_BYTES:
                    raise NotReady(f"{self.where} answers more than {ANSWER_BYTES} bytes")
            return Answer(answer.status, bytes(body))

    @asynccontextmanager
    async def socket(self, path: str) -> AsyncIterator[ClientWebSocketResponse]:
        """A WebSocket, closed at the end; its loss, or silence, comes out as `NotReady`.

        Raises `LookupError` where the controller has none at that path.
        """
        from aiohttp import ClientWSTimeout, WSServerHandshakeError

        async with self._words(ANSWER_S):
            try:
                async with asyncio.timeout(ANSWER_S):
                    line = await self._open_session().ws_connect(
                        self.address(path),
                        heartbeat=HEARTBEAT_S,
                        max_msg_size=FRAME_BYTES,
                        timeout=ClientWSTimeout(ws_close=0.2),
                    )
            except WSServerHandshakeError as error:
                if error.status in (401, 403):
                    raise self.refused from None
                raise LookupError(f"{self.where} has no stream of events") from None
            async with line:
                yield line

    async def introduced(self, why: str) -> Probed:
        """What to do about a certificate that nobody vouches for: its fingerprint, to compare."""
        anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
        async with self._words(ANSWER_S), asyncio.timeout(ANSWER_S):
            _, writer = await asyncio.open_connection(self._config.host, self.port, ssl=anyone)
            shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            writer.transport.abort()
        digits = hashlib.sha256(shown or b"").hexdigest()
        return Probed(
            why,
            "give its issuer's file as `ca_file`; or, where it signed that itself and shows the "
            f"same SHA-256 on its own page, write `fingerprint: {digits}`",
            works=False,
        )

    def _open_session(self) -> ClientSession:
        if self._session is None:
            raise NotReady(f"no link to {self.where}")
        return self._session

    def address(self, path: str) -> URL:
        """The whole address of a path, which may have a query."""
        from yarl import URL

        config = self._config
        base = URL.build(scheme="https" if config.tls else "http", host=config.host, port=self.port)
        return base.join(URL(path if path.startswith("/") else f"/{path}", encoded=True))

    async def _trust(self) -> Any:
        from aiohttp import Fingerprint

        config = self._config
        if config.fingerprint:
            return Fingerprint(bytes.fromhex(config.fingerprint))
        return await trusted(self._context, config.ca_file) if config.tls else True

    @asynccontextmanager
    async def _words(self, within: float) -> AsyncIterator[None]:
        """What goes wrong below comes out as `NotReady`, in words, without what was sent."""
        from aiohttp import ClientError

        try:
            yield
        except TimeoutError:
            raise NotReady(f"no answer from {self.where} within {within:g} s") from None
        except (ClientError, OSError, ValueError) as error:
            # Without the error itself: its text and chain may hold what was sent.
            raise self._said(error) from None

    def _said(self, error: BaseException) -> NotReady:
        from aiohttp import (
            ClientConnectorCertificateError,
            ClientConnectorDNSError,
            ClientConnectorError,
            ClientConnectorSSLError,
            ServerDisconnectedError,
            ServerFingerprintMismatch,
        )

        if isinstance(error, ServerFingerprintMismatch):
            return Untrusted(f"{self.where} has another certificate: SHA-256 {error.got.hex()}")
        if isinstance(error, ClientConnectorCertificateError):
            return Untrusted(f"the certificate of {self.where} is not trusted here")
        if isinstance(error, ClientConnectorSSLError):
            said = f"{self.where} does not speak TLS as expected; are `port` and `tls` right?"
        elif isinstance(error, ClientConnectorDNSError):
            said = f"no machine is called {self._config.host}"
        elif isinstance(error, ConnectionRefusedError) or (
            isinstance(error, ClientConnectorError)
            and isinstance(error.os_error, ConnectionRefusedError)
        ):
            said = f"nothing listens at {self._config.host}:{self.port}"
        elif isinstance(error, ServerDisconnectedError | OSError):
            said = f"the connection to {self.where} broke"
        else:
            said = f"{self.where} answers what is no HTTP ({type(error).__name__})"
        return NotReady(said)


def short(text: str) -> str:
    """What a controller says, in one bounded line of printable text."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: SHOWN * 4]).split())
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…"


def shown(data: Mapping[str, Any], *keys: str) -> str:
    """The first text under these keys that says something, made `short`."""
    texts = (data.get(key) for key in keys)
    return next((short(text) for text in texts if isinstance(text, str) and text.strip()), "")
