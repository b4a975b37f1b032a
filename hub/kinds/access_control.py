"""The contract of an access controller: doors, verbs with one meaning each, and reports.

No verb affects leaving: a door must let people out whatever it was told.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Literal, Protocol, runtime_checkable

Verb = Literal["lock", "unlock", "momentary", "hold_open", "lockdown", "lockdown_release"]
VERBS: tuple[Verb, ...] = (
    "lock", "unlock", "momentary", "hold_open", "lockdown", "lockdown_release",
)  # fmt: skip
VERB_MEANINGS: Mapping[Verb, str] = MappingProxyType(
    {
        "lock": "A credential or key is needed to enter.",
        "unlock": "Free entry until told otherwise.",
        "momentary": "One passage, then as before.",
        "hold_open": "Stays unlocked whatever the schedule.",
        "lockdown": "Credentials of ordinary holders no longer enter.",
        "lockdown_release": "Back to before the lockdown.",
    }
)
LOCK_VERBS: frozenset[Verb] = frozenset({"lock", "lockdown"})

Lock = Literal["locked", "unlocked", "jammed", "moving", "unknown"]
Position = Literal["open", "closed", "unknown"]
Access = Literal["granted", "denied", "duress"]


@dataclass(frozen=True, slots=True)
class DoorReport:
    """What a controller says about one door, with the time at the source.

    `lock` and `position` are None where this report says nothing about them. `online` is false when
    the controller or its device is known to be away. `answers` is true when the report was made
    after, and because of, the latest command or refresh (so it may confirm it): a retained or
    remembered value must say false. `remembered` marks a value kept from before (a retained
    message, a cache): it is shown, greyed, but is no news and never counts as fresh. `passage` says
    that somebody was just let through or pushes to leave, so the opening that follows is no
    break-in. `tampered` is whether the device says that it is being opened or torn off; None where
    this report says nothing about that. `lockdown` is whether the device is in its own lockdown,
    None where it cannot tell: one that is locked and no longer in it lets ordinary badges in.
    """

    door: str
    time: datetime
    lock: Lock | None = None
    position: Position | None = None
    online: bool = True
    answers: bool = False
    detail: str = ""
    remembered: bool = False
    passage: bool = False
    tampered: bool | None = None
    lockdown: bool | None = None


@dataclass(frozen=True, slots=True)
class AccessReport:
    """Somebody used a credential at a door, with the time at the source.

    `credential` refers to it, so that two uses of one can be told to be the same
    (`Context.reference` makes that of a card's number): never the number, the code or a name.
    `duress` means that the holder says, by their code or finger, that somebody forces them.
    """

    door: str
    time: datetime
    access: Access
    credential: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a controller can do: the verbs it takes, and what that means at the door.

    A report older than `stale_after_s` seconds no longer counts. `without_position` names doors
    that have no contact, so that the lock alone can conclude that they are secured.
    `lockdown_native` says that `lockdown` is the controller's own, not a lock command in its place;
    `badges_still_work` that ordinary holders still enter after it; `local_siren` that something at
    the door makes noise with it. `egress` is `free` where the maker promises that no verb affects
    leaving: that is shown, and takes the place of nobody's attestation.
    """

    verbs: frozenset[Verb]
    lockdown_native: bool = False
    badges_still_work: bool = True
    local_siren: bool = False
    has_position: bool = True
    stale_after_s: float = 30.0
    without_position: frozenset[str] = frozenset()
    egress: Literal["free"] | None = None


@runtime_checkable
class AccessController(Protocol):
    """One controller and the doors behind it; door ids are those of the YAML file.

    It may offer `async def probe(self) -> str | Probed` (see `hub.Probed`): whether the controller
    is reached, and its doors answer, without moving one.

    It may also offer `async def adopt(self, devices: Mapping[str, Any]) -> None`: the doors behind
    it, and what each says under `device:`, are these from now on, and one whose device is the same
    does not notice. Without it the controller is started afresh whenever a door comes or goes.

    And it may offer `async def lockdown_all(self, engaged: bool, key: str) -> None`: its own
    lockdown of all doors behind it, with one call, begun or ended. Returning means handed over, as
    with `command`, and it raises the same; what each door does is seen from its reports. One that
    has none may also say so with `lockdown_all = None`.

    And it may offer `async def hear(self, message: str) -> str`: what its device sends the hub over
    HTTP, to an `inbound:` block with `controller`. The hub has proven who sent it and that it comes
    for the first time. The driver reports what follows, as news and never as an answer, and returns
    why the message is of no interest, or nothing. Raises `CommandFailed` for what it cannot read
    and `NotReady` where it should be sent again. Returns within five seconds.
    """

    @property
    def capabilities(self) -> Capabilities:
        """The same answer every time, until it adopts other devices."""
        ...

    async def start(self) -> None:
        """Connect; raise `NotReady` to be tried again later."""
        ...

    async def command(self, door: str, verb: Verb, key: str) -> None:
        """Hand the command over. Returning means handed over, never done.

        `key` is stable over retries. Raises `CommandFailed` when the device says no and `NotReady`
        when it cannot be reached now.
        """
        ...

    async def refresh(self, door: str) -> None:
        """Ask the device to report its state afresh."""
        ...

    def reports(self) -> AsyncIterator[DoorReport | AccessReport]:
        """Every report, as it comes, until closed; raises `NotReady` when the link is lost."""
        ...

    async def close(self) -> None:
        """Let go of everything; called once, also after a failed start."""
        ...
