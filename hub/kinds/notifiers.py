"""The contract of a notifier: hand one notice to one channel and say what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable

Severity = Literal["severe", "high", "check", "note"]
SEVERITIES: tuple[Severity, ...] = ("severe", "high", "check", "note")


@dataclass(frozen=True, slots=True)
class Recipient:
    """A person to be told; `contact` is what their YAML block says for this notifier, or ""."""

    person: str
    name: str
    contact: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """What people are told.

    `key` is stable over attempts, so that a channel that deduplicates shows exactly one.
    `about` says why it is sent: a new alert, a verdict on one, the outcome of actions, that
    somebody has taken an alert on (`acknowledgement`), or how an incident stands (`update`, which
    has no `alert`; `data["reminder"]` where it asks its reader for one), or that a person hands an
    incident over to emergency services (`hand_off`). `repeat` is true when an earlier attempt may
    already have arrived. `picture` is a link to the alert's picture: it needs
    sign-in and works for a short while only.

    In `data`: `verdict` and `by` of a verdict; `earlier`, the notices that this channel was given
    before about the same alert (of an update: the same incident), oldest first, each
    `{"key": ..., "time": RFC 3339}`; `step`, the number of the escalation step, from 1; `again`
    where an alert goes on; `verified` of an update, whether it is known to be real; `closed`, the
    incident that an update says is over, with `goes_on` where another goes on (that alone where a
    part was split off and goes on) and with `verdict`
    `dismissed` where all of it was a false alarm; `instead_of`, the
    notifiers that did not take it before this one; `digest`, how many notices a digest stands for,
    which has no `alert`; `protocol`, `run` and `phase` (`start`, `clear`, `fire`) of a notice about
    a protocol that is in force; `kind`, `by` and `call` of a hand-off: what the incident is about,
    who hands it over, and what a dispatcher asks (see `hub.incident_views.CallFacts`).
    """

    key: str
    about: Literal["alert", "verdict", "outcome", "acknowledgement", "update", "hand_off"]
    severity: Severity
    title: str
    text: str
    time: datetime
    to: tuple[Recipient, ...] = ()
    place: str = ""
    alert: str = ""
    incident: str = ""
    link: str = ""
    picture: str = ""
    drill: bool = False
    repeat: bool = False
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """`accepted` = the provider has it; `delivered` = it reached a device; `failed` = not."""

    state: Literal["accepted", "delivered", "failed"]
    id: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Ack:
    """What became of a notice after `send`: it reached a device, somebody opened it, somebody
    answered for it, or it never arrived after all.

    `key` is the notice's, or `id` what its receipt gave; one of them is enough. `person` is the
    recipient's id where the channel can tell one from another.
    """

    state: Literal["delivered", "seen", "acknowledged", "failed"]
    key: str = ""
    id: str = ""
    person: str = ""
    time: datetime | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Channel:
    """What kind of channel a notifier is.

    `path` is what must work for it: nothing beyond this machine, the school's network, the
    internet, or the mobile network. `public` channels are heard by everyone (sirens, public
    address) and never speak on a detector's word alone. `emergency` ones reach emergency services,
    and take nothing but what a person hands over. `otherwise` is the key of its block that
    says whom it reaches where people have no `contact:` of their own; empty where it needs neither.
    """

    path: Literal["local", "lan", "wan", "cellular"]
    deduplicates: bool = False
    public: bool = False
    otherwise: str = ""
    emergency: bool = False


@runtime_checkable
class Notifier(Protocol):
    """One channel.

    It may offer `async def probe(self) -> str | Probed` (see `hub.Probed`): whether the channel is
    reached and lets us in, without a notice being sent; and `def acks(self) -> AsyncIterator[Ack]`,
    which tells what becomes of notices until it is closed.
    """

    @property
    def channel(self) -> Channel:
        """The same answer every time."""
        ...

    async def start(self) -> None:
        """Get ready; raise `NotReady` to be tried again later."""
        ...

    async def send(self, notice: Notice) -> Receipt:
        """Hand it over once; raise `NotReady` where another attempt may succeed."""
        ...

    async def close(self) -> None:
        """Let go of everything; called once, also after a failed start."""
        ...
