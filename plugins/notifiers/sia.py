"""Handing an incident over to a monitoring station by SIA DC-09 over TCP.

Nothing goes there but what a person hands over, and later words on that. The station's receiver
acknowledges each message; one that is said again has the number and the words it had before, so
that the station can tell it from another.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

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
    hookimpl,
)
from plugins.notifiers._kept import Kept
from plugins.notifiers._provider import shaped
from plugins.notifiers._sia_event import (
    EXTENDED,
    RESTORALS,
    Extended,
    Format,
    HandedOver,
    Kind,
    Wanted,
    code,
    event,
    says,
)
from plugins.notifiers._sia_line import NotUnderstood, SiaLine
from plugins.notifiers._sia_message import FIRST, LAST, NULL, Message, Sender

SENT = "sent"  # under which name it is kept
NOTICES, INCIDENTS = 32, 64  # how many are remembered
_CODE = re.compile("[0-9]{3}")
NOT_FOR_IT = "a monitoring station is told only what a person hands over, and how that goes on"

Hexadecimal = Annotated[str, shaped(r"[0-9A-Fa-f]{1,6}", "1 to 6 hexadecimal digits, in quotes")]
Account = Annotated[str, shaped(r"[0-9A-Fa-f]{3,16}", "3 to 16 hexadecimal digits, in quotes")]
Key = Annotated[
    str,
    shaped(
        r"(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{48}|[0-9A-Fa-f]{64})",
        "32, 48 or 64 hexadecimal digits (AES-128, 192 or 256)",
    ),
]


class SiaConfig(Block):
    """The station's receiver, and as what it knows the school."""

    host: str = Field(min_length=1, description="The name or address of the station's receiver.")
    port: int = Field(ge=1, le=65535, description="Its TCP port; the station says which.")
    account: Account = Field(description="The account that the station has given the school.")
    receiver: Hexadecimal | None = Field(
        None, description="The receiver's number, where the station wants one."
    )
    line: Hexadecimal = Field("0", description="The account prefix, also called the line.")
    key: Key | None = Field(
        None,
        repr=False,
        description="The key that messages are encrypted with (AES), which the station gives; best "
        "as `!secret NAME`. Without it they can be read on the way, and answers forged.",
    )
    format: Format = Field(
        "sia-dcs", description="How events are written: SIA DC-03, or Contact ID as `adm-cid`."
    )
    area: int = Field(1, ge=0, le=99, description="The area that events are filed under there.")
    zone: int = Field(1, ge=0, le=999, description="The zone that events are filed under there.")
    codes: Mapping[Kind, str] = Field(
        {},
        description="Event codes other than ours by the kind of the incident, such as "
        '`weapon: PA`, or `weapon: "120"` with `adm-cid`.',
    )
    extended: tuple[Extended, ...] = Field(
        EXTENDED,
        description="What is said beside the code; leave out what the station's receiver does not "
        "take.",
    )
    supervision: Duration | None = Field(
        None,
        ge=10,
        le=86_400,
        description="How often the station is told that the hub is there, so that it notices when "
        "that falls silent; agree on it with the station.",
    )
    answers_within: Duration = Field(
        5.0, gt=0, le=60, description="How long the receiver has to answer."
    )
    path: Literal["lan", "wan", "cellular"] = Field("wan", description="What must work for it.")

    @model_validator(mode="after")
    def _codes_of_the_format(self) -> SiaConfig:
        for kind, given in self.codes.items():
            if self.format == "sia-dcs" and given not in RESTORALS:
                known = ", ".join(RESTORALS)
                raise ValueError(f"expected one of {known} as the code of `{kind}`")
            if self.format == "adm-cid" and not _CODE.fullmatch(given):
                raise ValueError(f"expected three digits in quotes as the code of `{kind}`")
        return self


class Sia:
    """Reports what a person hands over, says when it is over, and, if asked, that it is there."""

    channel = Channel(path="wan", deduplicates=True, emergency=True)

    def __init__(self, config: SiaConfig, context: Context) -> None:
        self.channel = Channel(path=config.path, deduplicates=True, emergency=True)
        self._config = config
        self._context = context
        self._clock = context.clock
        self._sender = Sender(
            config.account.upper(),
            config.receiver.upper() if config.receiver else None,
            config.line.upper(),
            bytes.fromhex(config.key) if config.key else None,
        )
        self._wanted = Wanted(
            config.format, config.area, config.zone, config.codes, frozenset(config.extended)
        )
        self._line = SiaLine(
            self._sender, config.host, config.port, config.answers_within, context.clock
        )
        self._kept = Kept(context.state / "sia.json", 1)
        self._turn = asyncio.Lock()
        self._supervision: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()
        self._silence = ""

    async def start(self) -> None:
        """Read what was said before; with `supervision`, say that the hub is there, and go on so.

        Raises `NotReady`.
        """
        await self.close()
        self._ended, self._silence = asyncio.Event(), ""
        await self._kept.load()
        if self._config.supervision is not None:
            await self._supervise_once()
            name = f"{self._context.name} supervision"
            self._supervision = asyncio.create_task(
                self._supervise(self._config.supervision), name=name
            )

    async def send(self, notice: Notice) -> Receipt:
        """Say it to the station, once; the receiver's acknowledgement is acceptance."""
        if notice.drill:
            return Receipt("failed", detail="a drill never goes to a monitoring station")
        what = says(notice)
        if what is None:
            return Receipt("failed", detail=NOT_FOR_IT)
        await self._kept.load()  # the first notice after a restart may come before the start
        async with self._turn:  # one message after the other, each acknowledged, as DC-09 wants it
            incident = str(notice.data.get("closed") or notice.incident)
            handed = HandedOver.of(notice) if what == "alarm" else self._handed_over(incident)
            if handed is None:
                return Receipt("failed", detail="nobody has handed this incident over here")
            message = event(notice, handed, what, self._wanted, self._sender)
            number, message = await self._numbered(notice, message, incident, handed)
            try:
                told = await self._line.say(message, number)
            except NotUnderstood as error:
                return Receipt("failed", id=f"{number:04}", detail=str(error))
        told = f"{self._line.where} took {code(self._wanted, handed.kind, what)} ({what}){told}"
        told += f"; {self._kept.trouble}" if self._kept.trouble else ""
        return Receipt("accepted", id=f"{number:04}", detail=told)

    async def acks(self) -> AsyncIterator[Ack]:
        """Tells nothing of notices; ends when it is closed. Raises `NotReady` when the station no
        longer answers to supervision.
        """
        await self._ended.wait()
        if self._silence:
            raise NotReady(self._silence)
        nothing: tuple[Ack, ...] = ()
        for ack in nothing:
            yield ack

    async def probe(self) -> Probed:
        """Send the NULL message, which says that we are there and reports nothing."""
        try:
            told = await self._line.say(NULL, 0)
        except NotUnderstood:
            found = f"{self._line.where} answers, but takes no supervision messages"
            remedy = "ask the station whether it should" if self._config.supervision else ""
            return Probed(found, remedy)
        sealed = "encrypted" if self._sender.key else "not encrypted"
        return Probed(f"{self._line.where} knows the account, {sealed}{told}; nothing was reported")

    async def close(self) -> None:
        """End supervision. What was reported stays reported."""
        task, self._supervision = self._supervision, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._ended.set()

    # ------------------------------------------------------------- supervision

    async def _supervise(self, every: float) -> None:
        while True:
            await self._clock.sleep(every)
            try:
                await self._supervise_once()
            except NotReady as error:
                self._silence = str(error)
                self._ended.set()

    async def _supervise_once(self) -> None:
        try:
            await self._line.say(NULL, 0)
        except NotUnderstood as error:
            raise NotReady(f"{error}; leave `supervision` out if it should not be told") from error

    # ------------------------------------------------------------ what is kept

    def _sent(self) -> dict[str, Any]:
        """The last number, the last messages by notice, and what was handed over by incident."""
        found = self._kept.get(SENT)
        if isinstance(found, dict) and isinstance(found.get("number"), int):
            by_name = (found.get("notices"), found.get("incidents"))
            if all(isinstance(each, dict) for each in by_name):
                return found
        return {"number": 0, "notices": {}, "incidents": {}}

    def _handed_over(self, incident: str) -> HandedOver | None:
        with contextlib.suppress(KeyError, TypeError, AttributeError):
            facts = self._sent()["incidents"][incident]
            point = facts["coordinates"]
            return HandedOver(**{**facts, "coordinates": tuple(point) if point else None})
        return None

    async def _numbered(
        self, notice: Notice, message: Message, incident: str, handed: HandedOver
    ) -> tuple[int, Message]:
        """The message with its number, written down before it is sent: a notice that was tried
        before has the number and the words it had then.
        """
        sent = self._sent()
        with contextlib.suppress(KeyError, TypeError, ValueError):
            number, token, data, extended = sent["notices"][notice.key]
            if token == message.token:
                return int(number), Message(token, data, tuple(extended))
        number = sent["number"] % LAST + FIRST
        said = [number, message.token, message.data, list(message.extended)]
        heirs = {incident: asdict(handed)}
        if (goes_on := str(notice.data.get("goes_on") or "")) and goes_on not in sent["incidents"]:
            heirs[goes_on] = asdict(handed)
        await self._kept.put(
            SENT,
            {
                "number": number,
                "notices": _newest({**sent["notices"], notice.key: said}, NOTICES),
                "incidents": _newest(sent["incidents"] | heirs, INCIDENTS),
            },
        )
        return number, message


def _newest(facts: dict[str, Any], most: int) -> dict[str, Any]:
    return dict(list(facts.items())[-most:])


@hookimpl
def vestibule_notifiers() -> Iterable[Driver]:
    """Announce the driver."""
    summary = "Monitoring stations by SIA DC-09: what a person hands over, and when it is over"
    return [Driver("sia", Sia, SiaConfig, summary)]
