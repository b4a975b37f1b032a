"""The long tail: some 170 services, by the Apprise library and its addresses."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import threading
import warnings
from collections.abc import Callable, Iterable
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from hub import (
    Block,
    Channel,
    Context,
    Driver,
    Notice,
    NotReady,
    Probed,
    Receipt,
    Severity,
    hookimpl,
)
from plugins.notifiers._provider import TRY_AGAIN, RefusedByProvider, Told
from plugins.notifiers._wording import brief, cut, headline, one_line

if TYPE_CHECKING:
    from apprise import NotifyBase

LIMIT_S = 20.0
AT_ONCE = 4  # a thread that hangs cannot be ended: of each service only so many may hang
TITLE_LIMIT, TEXT_LIMIT = 250, 4000  # our own; each service then cuts to its limits
REASONS, REASON_LIMIT = 3, 200
KINDS: dict[Severity, Literal["failure", "warning", "info"]] = {
    "severe": "failure",
    "high": "failure",
    "check": "warning",
    "note": "info",
}


def _known(url: str) -> str:
    """Refuse what Apprise does not understand, in words that do not repeat it."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*://\S+", url):
        raise ValueError("expected an address of Apprise such as mailgun://...")
    if _service(url) is None:
        raise ValueError("expected an address as the Apprise library writes it for that service")
    return url


@cache
def _library() -> ModuleType:
    """Apprise with all the services it knows, loaded once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its own, on Python 3.11 and 3.12
        import apprise

        apprise.Apprise.instantiate("json://localhost")
    return apprise


def _service(url: str) -> NotifyBase | None:
    library = _library()
    asset = library.AppriseAsset(app_id="Vestibule", app_desc="Vestibule", storage_mode="memory")
    made: NotifyBase | None = library.Apprise.instantiate(
        url, asset=asset, suppress_exceptions=True
    )
    if made is not None:
        made.overflow_mode = library.OverflowMode.TRUNCATE
    return made


class AppriseConfig(Block):
    """The services, each by its address; a person's `contact` means nothing here."""

    urls: tuple[Annotated[str, AfterValidator(_known)], ...] = Field(
        min_length=1,
        repr=False,
        description="Addresses as Apprise writes them, with the credentials in them; each best as "
        "`!secret NAME`.",
    )
    path: Literal["lan", "wan", "cellular"] = Field(
        "wan", description="What must work for it: the network, the internet, the mobile network."
    )


class AppriseServices:
    """One message for each service, in a thread, since the library blocks."""

    channel = Channel(path="wan")

    def __init__(self, config: AppriseConfig, context: Context) -> None:
        self.channel = Channel(path=config.path)
        self._config = config
        self._services: dict[str, NotifyBase] = {}
        self._told = Told()
        self._free: dict[str, asyncio.Semaphore] = {}

    async def start(self) -> None:
        """Load the library and what it needs for these services; none is reached yet."""
        for name in ("apprise", "urllib3"):  # below that, both tell whole addresses
            logging.getLogger(name).setLevel(logging.WARNING)
        self._services = await asyncio.to_thread(self._load)
        self._free = {number: asyncio.Semaphore(AT_ONCE) for number in self._services}

    async def send(self, notice: Notice) -> Receipt:
        """Hand it to each service; that is acceptance, Apprise knows no more."""
        if not self._services:
            raise NotReady("it is not started")
        return await self._told.each(notice.key, self._services, lambda n: self._one(notice, n))

    async def probe(self) -> Probed:
        """Say which services the addresses name: Apprise can only send."""
        names = sorted(
            {str(one.service_name) for one in (await asyncio.to_thread(self._load)).values()}
        )
        return Probed(f"Apprise knows {', '.join(names)}; nothing was sent, so none is tried")

    async def close(self) -> None:
        """Forget the services; a message under way ends by itself."""
        self._services = {}

    def _load(self) -> dict[str, NotifyBase]:
        made = ((str(number), _service(url)) for number, url in enumerate(self._config.urls))
        return {number: one for number, one in made if one is not None}

    async def _one(self, notice: Notice, number: str) -> str:
        service, url = self._services[number], self._config.urls[int(number)]
        free = self._free[number]
        try:
            async with asyncio.timeout(LIMIT_S):
                await free.acquire()
                taken, reasons = await _begun(service, notice, free.release)
        except TimeoutError:
            raise NotReady(f"no answer within {LIMIT_S:g} s") from None
        if taken:
            return ""
        said = f"{service.service_name}: {hidden('; '.join(reasons), url) or 'not taken'}"
        status = re.search(r"error=(4\d\d)\b", said)
        if status is not None and int(status[1]) not in TRY_AGAIN:
            raise RefusedByProvider(f"{said}; check its address in `urls`")
        raise NotReady(said)


def _begun(
    service: NotifyBase, notice: Notice, ended: Callable[[], None]
) -> asyncio.Future[tuple[bool, list[str]]]:
    """Send in a thread that holds no hub up; `ended` is called once it has, awaited or not.

    What the event loop's own pool runs would be waited for, however long a service hangs.
    """
    loop = asyncio.get_running_loop()
    told: asyncio.Future[tuple[bool, list[str]]] = loop.create_future()

    def settle(result: tuple[bool, list[str]]) -> None:
        ended()
        if not told.done():
            told.set_result(result)

    def work() -> None:
        result = _sent(service, notice)
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
            loop.call_soon_threadsafe(settle, result)

    threading.Thread(target=work, name=f"apprise {service.service_name}", daemon=True).start()
    return told


def _sent(service: NotifyBase, notice: Notice) -> tuple[bool, list[str]]:
    """In a thread: whether a service took it, and what the library said of that."""
    heard = _Heard()
    logger = logging.getLogger("apprise")
    logger.addHandler(heard)
    try:
        taken = service.notify(
            title=cut(headline(notice, deduplicates=False), TITLE_LIMIT) or "Notice",
            body=f"{brief(notice, TEXT_LIMIT)}\n{notice.link}".strip(),
            notify_type="info" if notice.drill else KINDS[notice.severity],
            body_format="text",
        )
    except Exception as error:  # each service is code of its own, and may raise anything
        return False, [type(error).__name__]
    finally:
        logger.removeHandler(heard)
    return bool(taken), heard.said


class _Heard(logging.Handler):
    """What the library warns of in the thread that made this."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread and len(self.said) < REASONS:
            self.said.append(cut(one_line(record.getMessage()), REASON_LIMIT))


def hidden(text: str, url: str) -> str:
    """A text without any longer piece of an address, since each may be a secret."""
    for piece in sorted(re.findall(r"[^\s/:?&=@]{5,}", url), key=len, reverse=True):
        text = text.replace(piece, "(hidden)")
    return text


@hookimpl
def vestibule_notifiers() -> Iterable[Driver]:
    """Announce the driver."""
    summary = "Many further services, by the addresses of the Apprise library"
    return [Driver("apprise", AppriseServices, AppriseConfig, summary)]
