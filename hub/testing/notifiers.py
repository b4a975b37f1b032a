"""The contract of a notifier."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import itertools
import tracemalloc
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, get_args, get_type_hints

from hub.errors import VestibuleError
from hub.kinds.notifiers import SEVERITIES, Ack, Channel, Notice, Notifier, Receipt, Recipient
from hub.testing.contract import ContractBroken, Trial, collapse, promise
from hub.testing.driven import SETTLES, DrivenContract
from hub.testing.watch import Before

FLOOD = 100
AT_ONCE = 10
LONG = 20_000  # characters of each notice of the flood
KEPT = 1_000_000  # bytes that may still be held after it, of 2 million
ACK_STATES = get_args(get_type_hints(Ack)["state"])
ODD = (
    "",
    "Tür aufgebrochen 🚪 前門",
    "one\r\nBcc: all@school.example\r\n\r\ntwo",
    "\x00\x1b[31m\u202e\ud7ff\u2028",
    "<b>&amp;</b> {{ title }} %s {0} $HOME `id`",
    "x" * 20_000,
)


class NotifierContract(DrivenContract):
    """What the hub relies on in a notifier. `contact` is a recipient's address, if it needs one."""

    kind = "notifiers"
    protocol = Notifier
    reaches = frozenset({"send"})
    contact: ClassVar[str] = ""
    _numbers = itertools.count(1)

    def notice(self, **changes: Any) -> Notice:
        """A verified alert with a key of its own; `changes` are its fields."""
        made = Notice(
            key=f"notice-{next(self._numbers)}",
            about="alert",
            severity="severe",
            title="Person in the closed science wing",
            text="Seen by the corridor camera.",
            time=datetime(2026, 3, 2, 22, 15, tzinfo=UTC),
            to=(Recipient("guard", "Guard", self.contact),),
            place="Science wing",
            alert="alert-1",
            incident="incident-1",
            link="http://hub.example/alerts/alert-1",
            data={"verdict": "verified"},
        )
        return dataclasses.replace(made, **changes)

    def calls(self, instance: Any) -> Mapping[str, Callable[[], Awaitable[Any]]]:
        return {"send": lambda: instance.send(self.notice())}

    async def works(self, trial: Trial, instance: Any) -> None:
        """A notice is taken."""
        __tracebackhide__ = True
        receipt = await instance.send(self.notice())
        self.is_receipt(receipt)
        promise(
            receipt.state != "failed",
            f"expected a notice to be taken, found {receipt}",
            "see the receipt's detail; does the contract's `config` lead to its device?",
        )

    def denies(self, result: Any) -> bool:
        return super().denies(result) or getattr(result, "state", "") == "failed"

    def is_receipt(self, result: Any) -> None:
        """Raise unless it is a whole receipt."""
        __tracebackhide__ = True
        promise(
            isinstance(result, Receipt) and result.state in ("accepted", "delivered", "failed"),
            f"expected send() to return a hub.Receipt with a state of its own, found {result!r}",
            'return Receipt("accepted"), "delivered" or "failed"',
        )
        promise(
            isinstance(result.id, str) and isinstance(result.detail, str),
            f"expected id and detail of the receipt to be text, found {result!r}",
            "turn them into str",
        )

    def test_the_channel_is_a_constant(self) -> None:
        """What kind of channel it is never changes, started or not."""

        async def scenario(trial: Trial) -> None:
            before = trial.build().channel
            async with self.started(trial) as instance:
                found = (before, instance.channel, instance.channel)
                promise(
                    isinstance(before, Channel) and len(set(found)) == 1,
                    f"expected one hub.Channel, always the same, found {found}",
                    "make it in __init__ or in the class",
                )

        self.run(scenario)

    def test_every_kind_of_notice_is_answered(self) -> None:
        """Every severity, drills, repeats, verdicts, nobody to tell: each has its receipt."""

        async def scenario(trial: Trial) -> None:
            kinds = [self.notice(severity=severity) for severity in SEVERITIES]
            kinds += [self.notice(drill=True), self.notice(repeat=True), self.notice(to=())]
            kinds += [self.notice(about="verdict"), self.notice(about="outcome", data={})]
            kinds += [self.notice(about="acknowledgement", data={"by": "nurse"})]
            kinds += [self.notice(about="update", alert="", data={"reminder": True})]
            kinds += [self.notice(alert="", incident="", place="", data={"digest": 3})]
            async with self.started(trial) as instance:
                for notice in kinds:
                    self.is_receipt(await self._sent(instance, notice))

        self.run(scenario)

    def test_odd_words_do_no_harm(self) -> None:
        """Line breaks, control characters, other scripts, markup and length are only text."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                for words in ODD:
                    notice = self.notice(title=words, text=words, place=words)
                    self.is_receipt(await self._sent(instance, notice))

        self.run(scenario)

    def test_a_flood_of_notices_is_not_kept(self) -> None:
        """A hundred long notices, ten at once, each have their receipt, and then are let go."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                await self._flood(instance, 2 * AT_ONCE)
                tracemalloc.start()
                try:
                    await self._flood(instance, FLOOD)
                    gc.collect()
                    held, _ = tracemalloc.get_traced_memory()
                finally:
                    tracemalloc.stop()
                promise(
                    held < KEPT,
                    f"expected {FLOOD} notices to be let go once they are answered, found "
                    f"{held / 1e6:.1f} MB held",
                    "keep no notice, or at most its key and only so many; hand it over in send()",
                )

        self.run(scenario)

    def test_acks_are_whole_and_end_with_it(self) -> None:
        """What it tells of notices, if it does, is whole, goes on until it is closed or called off,
        and is let go by close. It can be asked for again.
        """

        async def scenario(trial: Trial) -> None:
            before = await Before.now()
            instance = trial.build()
            await self.in_time("start", instance.start())
            if not callable(getattr(instance, "acks", None)):
                await self._closes(instance)
                return
            for _ in range(2):
                heard = asyncio.create_task(self._hear(instance))
                await self._sent(instance, self.notice())
                await asyncio.wait({heard}, timeout=self.grace)
                promise(
                    not heard.done() or not self._ended_by_itself(heard),
                    "expected acks() to go on until it is closed, found it ended",
                    "wait for what comes; raise NotReady where nothing can come any more",
                )
                await self.ends("acks", _called_off(heard), self.grace)
            heard = asyncio.create_task(self._hear(instance))
            await asyncio.sleep(0)
            await self._closes(instance)
            await asyncio.wait({heard}, timeout=self.grace)
            promise(
                heard.done(),
                f"expected acks() to end within {self.grace:g} s of close(), found it open",
                "let close() end it, or raise NotReady from it",
            )
            await self.ends("acks", heard, self.grace)
            await self.sound(before, SETTLES, "after acks() and close()")

        self.run(scenario)

    async def _hear(self, instance: Any) -> None:
        __tracebackhide__ = True
        async for ack in instance.acks():
            promise(
                isinstance(ack, Ack) and ack.state in ACK_STATES and bool(ack.key or ack.id),
                f"expected acks() to give hub.Ack with a state of its own and a key or an id, "
                f"found {ack!r}",
                'yield Ack("delivered", key=notice.key), "seen", "acknowledged" or "failed"',
            )
            promise(
                ack.time is None or ack.time.tzinfo is not None,
                f"expected the time of an ack to be aware, found {ack.time}",
                "take the provider's time with its zone, or leave it out",
            )

    def _ended_by_itself(self, heard: asyncio.Task[None]) -> bool:
        __tracebackhide__ = True
        error = heard.exception()
        if isinstance(error, ContractBroken):
            raise error
        return not isinstance(error, VestibuleError)

    async def _flood(self, instance: Any, count: int) -> None:
        __tracebackhide__ = True
        for first in range(0, count, AT_ONCE):
            texts = [f"{number:05} " * (LONG // 6) for number in range(first, first + AT_ONCE)]
            calls = (self._sent(instance, self.notice(text=text)) for text in texts)
            for receipt in await asyncio.gather(*calls):
                self.is_receipt(receipt)

    async def _sent(self, instance: Any, notice: Notice) -> Any:
        __tracebackhide__ = True
        try:
            async with asyncio.timeout(self.recovers):
                return await instance.send(notice)
        except Exception as error:
            promise(
                False,
                f"expected a receipt for {collapse(repr(notice.title), 60)}, found "
                f"{type(error).__name__}: {collapse(str(error))}",
                "clean the words for your channel, or return a failed receipt",
            )


async def _called_off(heard: asyncio.Task[None]) -> None:
    """Cancel what follows acks, and wait for it."""
    heard.cancel()
    await asyncio.wait({heard})
    if not heard.cancelled() and (error := heard.exception()) is not None:
        raise error
