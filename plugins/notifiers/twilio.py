"""Text messages and calls through Twilio, with receipts: what reached a phone, and what did not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import Field, ValidationInfo, field_validator, model_validator

from hub import (
    Ack,
    Block,
    Channel,
    Context,
    Driver,
    Notice,
    NotReady,
    Probed,
    Receipt,
    hookimpl,
)
from plugins.notifiers._provider import (
    Answer,
    Provider,
    RefusedByProvider,
    Told,
    addresses,
    basic,
    over,
    shaped,
)
from plugins.notifiers._receipts import Fate, Watch, Watched
from plugins.notifiers._spoken import text_message, twiml

POLL_S = 5.0
RECEIPTS_LAST = timedelta(hours=4)
CALL_OFF_S = 2.0
NUMBER = r"\+[1-9]\d{6,14}"
NUMBER_WORDS = "a telephone number with its country, such as +15550100123"

Number = Annotated[str, shaped(NUMBER, NUMBER_WORDS)]
Sender = Annotated[
    str,
    shaped(
        rf"{NUMBER}|MG[0-9a-f]{{32}}|(?=.*[A-Za-z])[A-Za-z0-9 ]{{1,11}}",
        f"{NUMBER_WORDS}, the SID of a messaging service (MG...) or up to 11 letters and digits",
    ),
]
Account = Annotated[str, shaped(r"AC[0-9a-f]{32}", "the account's SID: AC and 32 digits of 0-9a-f")]
ApiKey = Annotated[str, shaped(r"SK[0-9a-f]{32}", "the API key's SID: SK and 32 digits of 0-9a-f")]

# What has to be done about some of Twilio's error codes (twilio.com/docs/api/errors).
REMEDIES = {
    20003: "correct `account` and `auth_token`, or `api_key` and `api_secret`",
    20404: "correct `account`",
    21211: "correct the person's number",
    21214: "correct the person's number",
    21217: "correct the person's number",
    21212: "correct `sender`: it must be a number of the account",
    21606: "correct `sender`: it must be a number of the account that can do this",
    21659: "correct `sender`: it must be a number of the account",
    21408: "allow messages to that country in the account's settings",
    21215: "allow calls to that country in the account's settings",
    21608: "a trial account reaches verified numbers alone: verify it, or upgrade the account",
    21219: "a trial account reaches verified numbers alone: verify it, or upgrade the account",
    21610: "that person sent STOP: they have to send START to the sender's number",
    21614: "that number takes no text messages: give a mobile number",
    30003: "the phone is off or out of reach",
    30004: "the phone or its carrier blocks the sender",
    30005: "there is no such number",
    30006: "that number takes no text messages: give a mobile number",
    30007: "the carrier took it for unwanted: register the sender (A2P 10DLC)",
    30034: "register the sender (A2P 10DLC)",
}
CALL_WENT_WRONG = {
    "busy": "the line was busy",
    "no-answer": "nobody answered",
    "failed": "the call could not be made",
}


class TwilioConfig(Block):
    """The account, the sender's number, and whether to write or to call.

    A person's `contact` for this notifier is their telephone number. For both text messages and
    calls, write two notifiers.
    """

    account: Account = Field(description="The account's SID, `AC...`.")
    auth_token: str | None = Field(
        None, min_length=16, repr=False, description="The account's token; best as `!secret NAME`."
    )
    api_key: ApiKey | None = Field(
        None, repr=False, description="The SID of an API key, `SK...`, in place of `auth_token`."
    )
    api_secret: str | None = Field(
        None, min_length=16, repr=False, description="The API key's secret."
    )
    by: Literal["sms", "voice"] = Field(
        "sms", description="`sms` writes a text message, `voice` calls and speaks."
    )
    sender: Sender = Field(
        description="The account's number it comes from; for text messages also a messaging "
        "service or a name."
    )
    to: tuple[Number, ...] = Field(
        (), description="Numbers told where people have none of their own under `contact:`."
    )
    parts: int = Field(
        3, ge=1, le=10, description="Into how many parts a long text message may be split."
    )
    language: Annotated[str, shaped(r"[a-z]{2,3}-[A-Z]{2}", "a language such as en-US")] = Field(
        "en-US", description="In which language a call speaks."
    )
    server: str = Field(
        "https://api.twilio.com",
        pattern=r"^https?://[^\s]+$",
        description="Where the API is; another address for a region or a gateway.",
    )

    @field_validator("sender")
    @classmethod
    def _can_call(cls, sender: str, block: ValidationInfo) -> str:
        if block.data.get("by") == "voice" and not sender.startswith("+"):
            raise ValueError(f"expected {NUMBER_WORDS}, to call from")
        return sender

    @model_validator(mode="after")
    def _signs_in(self) -> TwilioConfig:
        if bool(self.api_key) != bool(self.api_secret):
            raise ValueError("expected `api_key` and `api_secret` together")
        if bool(self.auth_token) == bool(self.api_key):
            raise ValueError("expected either `auth_token`, or `api_key` and `api_secret`")
        return self


class Twilio:
    """A text message or a call for each number."""

    channel = Channel(path="cellular", otherwise="to")

    def __init__(self, config: TwilioConfig, context: Context) -> None:
        self._config = config
        name = config.api_key or config.account
        password = config.api_secret or config.auth_token or ""
        self._provider = Provider(
            context,
            config.server,
            headers={"Authorization": basic(name, password)},
            secrets=(password,),
        )
        self._told = Told()
        self._watched = Watched(context, every_s=POLL_S, lasts=RECEIPTS_LAST)
        self._root = f"/2010-04-01/Accounts/{config.account}"
        self._kind = "Messages" if config.by == "sms" else "Calls"

    async def start(self) -> None:
        """Open the connection pool and read what was on its way when the hub last stopped."""
        await self._watched.start()
        await self._provider.start()

    async def send(self, notice: Notice) -> Receipt:
        """Write or call; a call about an alert that is over is called off first."""
        people = addresses(notice, self._config.to)
        if not people:
            detail = "nobody to tell: write `to`, or a number under the people's `contact:`"
            return Receipt("failed", detail=detail)
        if self._config.by == "voice" and over(notice):
            await self._call_off(notice.alert)
        receipt = await self._told.each(
            notice.key, people, lambda number: self._one(notice, number, people[number])
        )
        return self._watched.noted(receipt)

    def acks(self) -> AsyncIterator[Ack]:
        """Which messages reached a phone and which calls were answered, until it is closed."""
        return self._watched.acks(self._fate)

    async def probe(self) -> Probed:
        """Ask whether the account knows the sender; nothing is sent and nobody called."""
        return await self._provider.probe(self._look)

    async def close(self) -> None:
        """Close the connection pool and end `acks`."""
        self._watched.close()
        await self._provider.close()

    async def _one(self, notice: Notice, number: str, person: str) -> str:
        answer = await self._provider.call(
            "POST", f"{self._root}/{self._kind}.json", data=self._fields(notice, number)
        )
        if not answer.taken:
            raise refusal(answer, number)
        sid = answer.data.get("sid")
        if not isinstance(sid, str):
            raise self._provider.unconfirmed()
        await self._watched.add(sid, notice.key, person, notice.alert)
        return sid

    def _fields(self, notice: Notice, number: str) -> dict[str, str]:
        sender = self._config.sender
        if self._config.by == "voice":
            return {"To": number, "From": sender, "Twiml": twiml(notice, self._config.language)}
        by = "MessagingServiceSid" if sender.startswith("MG") and len(sender) == 34 else "From"
        return {"To": number, by: sender, "Body": text_message(notice, self._config.parts)}

    async def _call_off(self, alert: str) -> None:
        """End the calls that have not been answered yet; those that were are let finish."""

        async def one(sid: str) -> None:
            path = f"{self._root}/Calls/{quote(sid, safe='')}.json"
            with contextlib.suppress(NotReady):  # what follows must not wait for that
                await self._provider.call("POST", path, data={"Status": "canceled"})

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CALL_OFF_S):
                await asyncio.gather(*(one(each.id) for each in self._watched.of_alert(alert)))

    async def _fate(self, watch: Watch) -> Fate:
        path = f"{self._root}/{self._kind}/{quote(watch.id, safe='')}.json"
        answer = await self._provider.call("GET", path)
        if not answer.taken:
            return Fate(over=answer.status == 404)
        return message_fate(watch, answer) if self._config.by == "sms" else call_fate(watch, answer)

    async def _look(self) -> Probed:
        host, sender = self._provider.host, self._config.sender
        number = sender.startswith("+")
        path = "IncomingPhoneNumbers" if number else "Messages"
        params = {"PageSize": "1", **({"PhoneNumber": sender} if number else {})}
        answer = await self._provider.call("GET", f"{self._root}/{path}.json", params=params)
        if not answer.taken:
            found = f"{host} refused the account ({answer.said or answer.status})"
            remedy = REMEDIES.get(_code(answer), REMEDIES[20003])
            return Probed(found, remedy, works=False)
        if not number:
            return Probed(f"{host} knows the account; the sender is not tried")
        if not answer.data.get("incoming_phone_numbers"):
            found = f"{host} knows the account, which has no number {sender}"
            return Probed(found, "correct `sender`, unless it is a verified caller's number")
        return Probed(f"{host} knows the account and its number {sender}")


def message_fate(watch: Watch, answer: Answer) -> Fate:
    """What became of a text message, by its status (twilio.com/docs/messaging)."""
    status = answer.data.get("status")
    if status == "delivered":
        return Fate((_ack("delivered", watch),), over=True)
    if status == "read":
        return Fate((_ack("delivered", watch), _ack("seen", watch)), over=True)
    if status in ("failed", "undelivered", "canceled"):
        code = answer.data.get("error_code")
        remedy = REMEDIES.get(code, "") if isinstance(code, int) else ""
        told = [f"the message is {status}", f"Twilio's error {code}" if code else "", remedy]
        return Fate((_ack("failed", watch, "; ".join(filter(None, told))),), over=True)
    return Fate()


def call_fate(watch: Watch, answer: Answer) -> Fate:
    """What became of a call. An answering machine answers too, and looks the same."""
    status = answer.data.get("status")
    if status == "completed":
        seconds = str(answer.data.get("duration") or "")
        heard = f"the call was answered and lasted {seconds} s" if seconds.isdigit() else ""
        return Fate((_ack("delivered", watch, heard),), over=True)
    if isinstance(status, str) and status in CALL_WENT_WRONG:
        return Fate((_ack("failed", watch, CALL_WENT_WRONG[status]),), over=True)
    # Called off since the alert is over: nobody is to be told of it another way now.
    return Fate(over=status == "canceled")


def refusal(answer: Answer, number: str) -> RefusedByProvider:
    """Why a number was not written to or called, and what to do."""
    found = answer.refusal(REMEDIES.get(_code(answer), ""))
    return RefusedByProvider(f"{number}: {found}")


def _ack(state: Literal["delivered", "seen", "failed"], watch: Watch, detail: str = "") -> Ack:
    return Ack(state, key=watch.key, id=watch.id, person=watch.person, detail=detail)


def _code(answer: Answer) -> int:
    code = answer.data.get("code")
    return code if isinstance(code, int) else 0


@hookimpl
def vestibule_notifiers() -> Iterable[Driver]:
    """Announce the driver."""
    summary = "Text messages and calls through Twilio, with receipts"
    return [Driver("twilio", Twilio, TwilioConfig, summary)]
