"""The audit while the hub runs: looks that begin and end, the signature, pages and exports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from hub.audit_port import Asked, AuditView
from hub.clock import Clock, iso
from hub.errors import StateError
from hub.events import new_id
from hub.origin import present_origin
from hub.storage import audit, audit_export, audit_key, audit_looks, audit_owed
from hub.storage.audit_acts import ACTS, Act
from hub.storage.audit_looks import Look
from hub.storage.journal import Journal

PAUSE_S = 60.0  # who sees no picture for so long looks no more
LONGEST_S = 12 * 3600.0  # a look is told at least so often
SWEEP_S = 15.0
SIGN_S = 60.0
WITHIN_S = 3.0
PAGE = 100
PICTURES_KNOWN = 4096

Key = tuple[str, str, str, str, str]
log = structlog.get_logger(__name__)


class Audit:
    """Satisfies `hub.audit_port.AuditFacade`. `run` has to run while the hub does."""

    def __init__(self, journal: Journal, folder: Path, clock: Clock) -> None:
        self.acts = dict(ACTS)
        self._journal, self._folder, self._clock = journal, folder, clock
        self._key: Ed25519PrivateKey | None = None
        self._looks: dict[Key, tuple[Look, asyncio.Task[None]]] = {}
        self._over: list[Look] = []
        self._pictures: dict[str, str] = {}
        self._trouble = ""

    def tasks(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What has to run while the hub does, by name."""
        return {"audit": self.run}

    def problems(self) -> list[str]:
        """What health has to say of the audit."""
        return [self._trouble] if self._trouble else []

    async def run(self) -> None:
        """Write what is owed from before, then end looks and sign, for ever."""
        await self.begin()
        signed = self._clock.monotonic()
        while True:
            await self._clock.sleep(SWEEP_S)
            await self.sweep()
            if self._clock.monotonic() - signed >= SIGN_S:
                await self.sign()
                signed = self._clock.monotonic()

    # ------------------------------------------------------------------- looks

    async def look(self, who: str, address: str, camera: str) -> None:
        """Somebody is about to be shown a live picture; see `AuditFacade`."""
        await self._look((who, address, "view.live", f"camera/{camera}", _glass(who)))

    async def look_at_kept(self, who: str, address: str, picture: str) -> None:
        """The same for a kept picture."""
        subject = self._pictures.get(picture)
        if subject is None:
            subject = await self._journal.read(lambda c: audit_looks.shown_in(c, picture))
            if subject:  # what no incident has yet may be in one soon
                while len(self._pictures) >= PICTURES_KNOWN:
                    del self._pictures[next(iter(self._pictures))]
                self._pictures[picture] = subject
        about = subject or f"picture/{picture}"
        await self._look((who, address, "view.recorded", about, _glass(who)))

    async def _look(self, key: Key) -> None:
        now = self._clock.monotonic()
        look, begun = self._looks.get(key, (None, None))
        if look is not None and begun is not None and self._ended(look, now):
            self._over.append(self._looks.pop(key)[0])
            look = None
        if look is None or begun is None:
            look = self._new(key, now)
            begun = asyncio.create_task(self._begin(key, look), name="audit-look")
            begun.add_done_callback(_heard)
            self._looks[key] = look, begun
        else:
            look.pictures += 1
        look.until, look.seen = iso(self._clock.now()), now
        if not begun.done():
            try:
                async with asyncio.timeout(WITHIN_S):
                    await asyncio.shield(begun)
            except TimeoutError:
                raise StateError("the journal does not answer, so no look is recorded") from None
        if (error := begun.exception()) is not None:
            raise error

    def _new(self, key: Key, now: float) -> Look:
        time = iso(self._clock.now())
        return Look(new_id(), *key, since=time, until=time, seen=now, began=now)

    async def _begin(self, key: Key, look: Look) -> None:
        try:
            await self._journal.write(lambda c: audit_looks.begin(c, look))
        except Exception as error:
            self._looks.pop(key, None)
            log.error("a look cannot be audited", reason=str(error))
            reason = error if isinstance(error, StateError) else "the journal refuses it"
            self._trouble = f"looks cannot be audited, so no picture is shown: {reason}"
            raise StateError(self._trouble) from error
        except BaseException:
            self._looks.pop(key, None)
            raise
        self._trouble = ""

    def _ended(self, look: Look, now: float) -> bool:
        return now - look.seen > PAUSE_S or now - look.began > LONGEST_S

    async def sweep(self) -> None:
        """Write the lines of those who look no more, and keep how far the others are."""
        now = self._clock.monotonic()
        begun = {key: look for key, (look, task) in self._looks.items() if task.done()}
        for key in [key for key, look in begun.items() if self._ended(look, now)]:
            self._over.append(self._looks.pop(key)[0])
            del begun[key]
        over = list(self._over)
        still = [look for look in begun.values() if look.pictures != look.kept]
        counts = [look.pictures for look in still]
        if not over and not still:
            return

        def work(connection: Connection) -> None:
            audit_looks.go_on(connection, still)
            audit_looks.finish(connection, over, self._clock.now())

        await self._journal.write(work)
        self._over = [look for look in self._over if look not in over]
        for look, count in zip(still, counts, strict=True):
            look.kept = count

    # --------------------------------------------------------------- the chain

    async def begin(self) -> None:
        """At the start: the key, the looks that a stop cut off, the lines that are owed."""
        public = audit_key.public_of(await self._private())
        mine = {look.id for look, _ in self._looks.values()} | {each.id for each in self._over}

        def work(connection: Connection) -> int:
            now = self._clock.now()
            audit_owed.begin(connection)
            audit_key.announce(connection, public, now)
            return audit_looks.finish_left_over(connection, now, mine)

        await self._journal.write(work)
        await self.sign()

    async def sign(self) -> None:
        """Write the lines that are owed, and sign the end of the chain where it has moved."""
        key = await self._private()
        if await self._journal.read(audit_owed.behind):
            late = await self._journal.write(lambda c: audit_owed.settle(c, self._clock.now()))
            if late:
                log.warning("lines of the audit were written late", lines=late)
        if await self._journal.read(_unsigned):
            await self._journal.write(lambda c: audit_key.sign_end(c, key, self._clock.now()))

    async def _private(self) -> Ed25519PrivateKey:
        if self._key is None:
            self._key = await asyncio.to_thread(audit_key.load_or_make, self._folder)
        return self._key

    async def refused(self, name: str) -> None:
        """Somebody was refused at sign-in; see `AuditFacade`."""
        act = Act("session.refused", audit.NOBODY, name, "refused")
        await self._journal.write(lambda c: audit.append(c, act, self._clock.now()))

    # ---------------------------------------------------------- pages, exports

    async def view(self, asked: Asked, before: int = 0) -> AuditView:
        """A page of lines; see `AuditFacade`."""

        def work(connection: Connection) -> AuditView:
            found: list[Any] = audit_export.newest(connection, asked, before, PAGE + 1)
            head = audit_export.newest_head(connection) or {}
            looking: list[Any] = audit_looks.open_looks(connection)
            return AuditView(
                lines=found[:PAGE],
                more=found[PAGE - 1]["number"] if len(found) > PAGE else 0,
                looking=looking,
                people=sorted(audit_export.people(connection), key=str.casefold),
                key=str(head.get("key", "")),
                signed=int(head.get("number", 0)),
                signed_time=str(head.get("time", "")),
            )

        return await self._journal.read(work)

    async def export(self, asked: Asked, by: str) -> AsyncIterator[bytes]:
        """The lines as a file; see `AuditFacade`."""
        key = await self._private()
        try:
            piece = await self._journal.write(
                lambda c: audit_export.take_away(c, asked, by, key, self._clock.now())
            )
        except DBAPIError as error:
            log.error("an export cannot be audited", reason=str(error))
            raise StateError("that the audit is taken away cannot be recorded") from error
        return self._written(piece, asked)

    async def _written(self, piece: audit_export.Piece, asked: Asked) -> AsyncIterator[bytes]:
        yield audit_export.opening(piece).encode()
        for after in piece.parts:
            text = await self._journal.read(
                partial(audit_export.part, piece=piece, asked=asked, after=after)
            )
            yield text.encode()
        yield audit_export.closing(piece).encode()


def _glass(who: str) -> str:
    """The glass that whoever looks has broken."""
    here = present_origin()
    return here.glass if here is not None and here.by == who else ""


def _heard(task: asyncio.Task[None]) -> None:
    """Who waited for it was told; where nobody waits any more, its failure is no fault."""
    if not task.cancelled():
        task.exception()


def _unsigned(connection: Connection) -> bool:
    """Whether the chain goes on after its newest signature."""
    ends = "SELECT max(number) FROM audit"
    signed = "SELECT max(number) FROM audit_heads"
    last, head = (connection.exec_driver_sql(each).scalar() for each in (ends, signed))
    return (last or 0) > (head or 0)
