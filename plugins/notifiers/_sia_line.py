"""One message to a receiver of SIA DC-09 over TCP, and its answer."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime, timedelta

from hub import Clock, NotReady, duration_words
from plugins.notifiers._reach import LEAVE_WITHIN_S, not_reached
from plugins.notifiers._sia_message import (
    NULL,
    Answer,
    Message,
    Sender,
    Unreadable,
    frame,
    read_answer,
)

LONGEST_ANSWER = 4096 + 10
CLOCKS_DIFFER_S = 20.0  # what a receiver bears of a time that lies ahead, by DC-09
ANSWER_IS_FRESH_S = 60.0


class NotUnderstood(Exception):
    """The receiver answers DUH: it took the message whole and does not know what it is."""


class SiaLine:
    """A connection for each message; `answers_within` is how long the receiver has, in seconds."""

    def __init__(
        self, sender: Sender, host: str, port: int, answers_within: float, clock: Clock
    ) -> None:
        self.where = f"the station at {host}:{port}"
        self._sender = sender
        self._at = (host, port)
        self._within = answers_within
        self._clock = clock

    async def say(self, message: Message, number: int) -> str:
        """Have a message acknowledged; returns what else there is to say of it.

        A receiver that refuses our time says which it has: the message goes out once more with
        that, as DC-09 means it. Raises `NotReady`, and `NotUnderstood` where it answers DUH.
        """
        answer = await self._exchange(message, number, timedelta())
        told = ""
        if answer.id == "NAK" and answer.time is not None:
            off = answer.time - self._clock.now()
            if abs(off.total_seconds()) > CLOCKS_DIFFER_S:
                told = f"; {_clocks(off)}"
                answer = await self._exchange(message, number, off)
        if answer.id == "ACK":
            return told
        if answer.id == "DUH":
            about = (
                "whether it takes supervision messages"
                if message is NULL
                else "`format`, `codes` and `extended`"
            )
            raise NotUnderstood(
                f"{self.where} does not understand the message (DUH): ask the station about {about}"
            )
        told = told or "; ask the station about `account`, `receiver`, `line` and `key`"
        raise NotReady(f"{self.where} refuses the message (NAK){told}")

    async def _exchange(self, message: Message, number: int, off: timedelta) -> Answer:
        """Say it at the time of a clock that is so far from ours. Raises `NotReady`."""
        raw = b""
        try:
            async with asyncio.timeout(self._within):
                reader, writer = await self._connected()
                try:
                    writer.write(frame(message, self._sender, number, self._clock.now() + off))
                    await writer.drain()
                    while b"\r" not in raw and len(raw) < LONGEST_ANSWER:
                        piece = await reader.read(LONGEST_ANSWER - len(raw))
                        if not piece:
                            break
                        raw = (raw + piece).lstrip(b"\r\n")
                finally:
                    writer.close()
        except TimeoutError:
            how = "only the beginning of an answer" if raw else "no answer"
            within = duration_words(self._within)
            raise NotReady(f"{how} from {self.where} within {within}") from None
        except OSError as error:
            raise NotReady(f"the connection to {self.where} broke") from error
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(LEAVE_WITHIN_S):
                await writer.wait_closed()
        if b"\r" not in raw:
            how = "in the middle of its answer" if raw else "without an answer"
            raise NotReady(f"{self.where} hung up {how}")
        return self._checked(raw.partition(b"\r")[0], number, self._clock.now() + off)

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            return await asyncio.open_connection(*self._at)
        except OSError as error:
            raise NotReady(not_reached(*self._at, error)) from error

    def _checked(self, raw: bytes, number: int, now: datetime) -> Answer:
        """The answer, if it is one to this message. Raises `NotReady`."""
        try:
            answer = read_answer(raw, self._sender.key)
        except Unreadable as error:
            raise NotReady(f"{self.where}: {error}") from error
        if answer.id == "NAK":  # it has neither our number nor our account
            return answer
        if answer.id not in ("ACK", "DUH"):
            raise NotReady(f"{self.where} answers {answer.id}, which says neither yes nor no")
        if answer.sequence != number:
            raise NotReady(f"{self.where} answers to {answer.sequence:04}, not to {number:04}")
        if answer.account.upper() not in ("", self._sender.account):
            raise NotReady(f"{self.where} answers for another account")
        if answer.id == "ACK" and self._sender.key is not None:
            self._check_sealed(answer, now)
        return answer

    def _check_sealed(self, answer: Answer, now: datetime) -> None:
        """With a key an acknowledgement counts only if it is encrypted and of now: anybody on the
        way can say ACK, or say an old one again.
        """
        if not answer.encrypted:
            raise NotReady(
                f"{self.where} acknowledges without the `key`: anybody could have said that"
            )
        if answer.time is None or abs((answer.time - now).total_seconds()) > ANSWER_IS_FRESH_S:
            raise NotReady(
                f"{self.where} acknowledges with a time that is not now: an old answer, or clocks "
                "that differ; give both a time server"
            )


def _clocks(off: timedelta) -> str:
    seconds = round(off.total_seconds())
    way = "ahead of" if seconds > 0 else "behind"
    apart = duration_words(float(abs(seconds)))
    return f"its clock is {apart} {way} this machine's: give both a time server"
