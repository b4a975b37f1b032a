"""What crosses between the hub and a plugin host, method by method, as plain JSON values.

Both ends use this table, so that a contract's plain data arrives as it was sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from hub import errors
from hub.announcements import words
from hub.errors import BadConfig, NotReady, Problem, VestibuleError
from hub.kinds import BrokerAddress, Context, Kind, Probed, Subscription
from hub.kinds.access_control import AccessReport, Capabilities, DoorReport, Verb
from hub.kinds.cameras import Purpose, VideoSource
from hub.kinds.notifiers import Ack, Channel, Notice, Receipt
from hub.kinds.visitors import Screening, Visit, WalkIn

NONE = type(None)
# Only a use of a credential has `access`, so that the first that fits is the right one.
REPORT = Annotated[AccessReport | DoorReport, Field(union_mode="left_to_right")]
START_S = 25.0
CLOSE_S = 1.5


@dataclass(frozen=True, slots=True)
class Call:
    """A method of a contract: the types of its arguments and result, and its deadline (s)."""

    takes: tuple[Any, ...] = ()
    gives: Any = NONE
    within_s: float = 10.0
    stream: bool = False

    def arguments(self, given: Sequence[Any]) -> list[Any]:
        """Arguments as they travel."""
        return [_out(kind, each) for kind, each in zip(self.takes, given, strict=True)]

    def received(self, sent: Sequence[Any]) -> list[Any]:
        """Arguments as they arrive. Raises `ValueError`."""
        return [_in(kind, each) for kind, each in zip(self.takes, sent, strict=True)]

    def result(self, value: Any) -> Any:
        """The result as it travels."""
        return _out(self.gives, value)

    def answer(self, sent: Any) -> Any:
        """The result as it arrives. Raises `ValueError`."""
        return _in(self.gives, sent)


_EVERY: Mapping[str, Call] = {
    "start": Call(within_s=START_S),
    "close": Call(within_s=CLOSE_S),
    "probe": Call(gives=str | Probed),
}
CALLS: Mapping[Kind, Mapping[str, Call]] = {
    "cameras": {**_EVERY, "source": Call((Purpose,), VideoSource)},
    "access_control": {
        **_EVERY,
        "command": Call((str, Verb, str), within_s=8.0),
        "refresh": Call((str,), within_s=5.0),
        "lockdown_all": Call((bool, str), within_s=8.0),
        "hear": Call((str,), str, within_s=5.0),
        "reports": Call(gives=REPORT, stream=True),
    },
    "notifiers": {
        **_EVERY,
        "send": Call((Notice,), Receipt, within_s=60.0),
        "acks": Call(gives=Ack, stream=True),
        "application_server_key": Call(gives=str),
    },
    "visitors": {
        **_EVERY,
        "visits": Call(gives=list[Visit]),
        "screen": Call((str,), Screening),
        "check_in": Call((str,), Visit),
        "check_out": Call((str,), Visit),
        "register": Call((WalkIn,), Visit),
    },
}

# What an instance may leave out; it says with its start which it has.
OPTIONAL: Mapping[Kind, tuple[str, ...]] = {
    "access_control": ("lockdown_all", "hear"),
    "notifiers": ("acks", "application_server_key"),
    "visitors": ("register",),
}
# What an instance says of itself once, when it has been built and again when it has started.
TRAITS: Mapping[Kind, tuple[str, Any]] = {
    "access_control": ("capabilities", Capabilities),
    "notifiers": ("channel", Channel),
}
# What a driver of a kind may publish: nobody tells of doors who does not move them.
MAY_PUBLISH: Mapping[Kind, tuple[str, ...]] = {
    "cameras": ("plugin.",),
    "access_control": ("door.", "plugin."),
    "notifiers": ("plugin.",),
    "visitors": ("visitor.", "plugin."),
}


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _out(kind: Any, value: Any) -> Any:
    return _adapter(kind).dump_python(value, mode="json")


def _in(kind: Any, value: Any) -> Any:
    return _adapter(kind).validate_python(value)


def trait(kind: Kind, instance: Any) -> Any:
    """What the instance says of itself, as it travels; None for a kind that says nothing."""
    if kind not in TRAITS:
        return None
    name, type_ = TRAITS[kind]
    return _out(type_, getattr(instance, name))


def trait_of(kind: Kind, sent: Any) -> Any:
    """The same as it arrives."""
    return None if sent is None else _in(TRAITS[kind][1], sent)


def offers(kind: Kind, instance: Any) -> list[str]:
    """Which of the optional methods it has."""
    return [name for name in OPTIONAL.get(kind, ()) if callable(getattr(instance, name, None))]


async def granted(context: Context, message: Mapping[str, Any]) -> Any:
    """What a driver asks of its context, events aside, as it travels. Raises `Refused`."""
    match message["what"]:
        case "broker":
            return _out(BrokerAddress, await context.broker())
        case "subscriptions":
            people = _in(list[str], message["people"])
            return _out(list[Subscription], await context.subscriptions(people))
        case "unsubscribe":
            return await context.unsubscribe(_in(str, message["subscription"]))
    raise errors.Refused(f"nobody grants {message['what']}")


def subscriptions_in(sent: Any) -> list[Subscription]:
    """Browsers to tell, as they arrive."""
    found: list[Subscription] = _in(list[Subscription], sent)
    return found


def broker_in(sent: Any) -> BrokerAddress:
    """A broker's address as it arrives."""
    address: BrokerAddress = _in(BrokerAddress, sent)
    return address


class DriverFault(VestibuleError):
    """A driver in a host raised what no contract allows; the text names class and message."""


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception on its way: one of the hub's own by name, anything else as a fault."""

    name: str
    text: str
    problems: list[dict[str, Any]] = field(default_factory=list)
    after: float | None = None
    t: Literal["raised"] = "raised"

    @classmethod
    def of(cls, error: BaseException) -> Raised:
        """What the host tells of an exception."""
        if isinstance(error, BadConfig):
            return cls("BadConfig", str(error), [each.as_dict() for each in error.problems])
        if isinstance(error, asyncio.CancelledError):
            return cls("NotReady", "the call was called off")
        if isinstance(error, NotReady):
            return cls("NotReady", str(error), after=error.after)
        known = isinstance(error, VestibuleError) and hasattr(errors, type(error).__name__)
        return cls(type(error).__name__, str(error)) if known else cls("DriverFault", words(error))

    def error(self) -> Exception:
        """The exception as the hub raises it."""
        if self.name == "BadConfig":
            return BadConfig([Problem(**each) for each in self.problems])
        if self.name == "NotReady":
            return NotReady(self.text, after=self.after)
        known = getattr(errors, self.name, None)
        if isinstance(known, type) and issubclass(known, VestibuleError):
            return known(self.text)
        return DriverFault(self.text)
