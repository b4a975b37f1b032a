"""What a relay, a bolt's own contact and a door's contact say together: pure, no I/O.

A relay is not a bolt. Where nothing tells where the bolt is, what is reported is how the relay is
set, and the report says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import Field

from hub import Block, Capabilities, CommandFailed, Lock, NotReady, Position, Verb

SETTLES_S = 2.0  # how long a bolt may take to follow its relay before it counts as stuck
RELAY_VERBS: frozenset[Verb] = frozenset({"lock", "unlock", "hold_open"})
LOCKDOWN_VERBS: frozenset[Verb] = frozenset({"lockdown", "lockdown_release"})
BY_RELAY = "as its relay is set; nothing tells where the bolt is"
NOT_TOLD = "the panel does not tell whether this door is locked"

OnOff = Literal["on", "off"]


class Wiring(Block):
    """How a door hangs on relays and inputs; a driver adds which ones."""

    energised: Literal["locked", "unlocked"] | None = Field(
        None,
        description="What the door is while its relay is on: `locked` for a magnet that needs "
        "current to hold (fail-safe), `unlocked` for a strike that needs current to release "
        "(fail-secure). Needed with a relay of its own.",
    )
    lockdown_when: OnOff = Field("on", description="The `lockdown` relay during a lockdown.")
    bolted_when: OnOff = Field("on", description="The `bolt` input while the door is locked.")
    closed_when: OnOff = Field("on", description="The `contact` input while the door is closed.")

    def for_locked(self, locked: bool) -> bool:
        """Whether the relay is on for a door that is to be locked, or unlocked."""
        return locked == (self.energised == "locked")

    def for_lockdown(self, engaged: bool) -> bool:
        """Whether the relay of the panel's lockdown is on while that is engaged, or not."""
        return engaged == (self.lockdown_when == "on")

    def in_lockdown(self, panel: bool | None) -> bool | None:
        """Whether the panel's lockdown is on, by the relay that starts it: not while that is at
        rest. While it is not, the panel was told, and whether it obeys is not known.
        """
        return False if panel is self.for_lockdown(False) else None


class Panel(Block):
    """What is known of the panel whose lockdown a relay starts; cautious where nothing is said."""

    badges_still_work: bool = Field(
        True,
        description="Whether ordinary badges still open doors in its lockdown; false once tried.",
    )
    local_siren: bool = Field(
        True,
        description="Whether its lockdown makes noise. A drill then moves its doors only where "
        "`hub: drills: local_siren` allows it.",
    )


class Wired(Protocol):
    """What of a door's wiring both kinds of relay have; see `Wiring` for what it means."""

    @property
    def relay(self) -> int | None:
        """Its own relay."""

    @property
    def lockdown(self) -> int | None:
        """The relay of its panel's lockdown."""

    @property
    def contact(self) -> int | None:
        """The input of its contact."""

    @property
    def pulses(self) -> bool:
        """Whether the device itself can let one person through."""

    @property
    def bolted_when(self) -> OnOff:
        """The bolt's input while the door is locked."""

    @property
    def closed_when(self) -> OnOff:
        """The contact's input while the door is closed."""

    def for_locked(self, locked: bool) -> bool:
        """Whether the relay is on for a door that is to be locked, or unlocked."""

    def for_lockdown(self, engaged: bool) -> bool:
        """Whether the panel's relay is on while its lockdown is engaged, or not."""


def complete(wiring: Wiring, relay: int | None, lockdown: int | None, bolt: int | None) -> None:
    """Raise `ValueError` where what a door says of its wiring cannot work."""
    if relay is None and lockdown is None and bolt is None:
        raise ValueError("expected a relay of its own, the relay of a panel's lockdown, or `bolt`")
    if relay is not None and wiring.energised is None:
        raise ValueError("expected `energised`: what the door is while its relay is on")
    if relay is not None and relay == lockdown:
        raise ValueError("expected `lockdown` to be another relay than the door's own")


def capabilities(doors: Mapping[str, Wired], panel: Panel, stale_after_s: float) -> Capabilities:
    """What a controller can do whose doors are wired so."""
    verbs: set[Verb] = set()
    for door in doors.values():
        verbs |= verbs_of(door)
    bare = frozenset(name for name, door in doors.items() if door.contact is None)
    native = bool(LOCKDOWN_VERBS & verbs)
    return Capabilities(
        verbs=frozenset(verbs),
        lockdown_native=native,
        badges_still_work=panel.badges_still_work if native else True,
        local_siren=native and panel.local_siren,
        has_position=len(bare) < len(doors),
        stale_after_s=stale_after_s,
        without_position=bare,
    )


def verbs_of(door: Wired) -> frozenset[Verb]:
    """What one door takes."""
    own = RELAY_VERBS if door.relay is not None else frozenset[Verb]()
    if door.relay is not None and door.pulses:
        own |= {"momentary"}
    return own | LOCKDOWN_VERBS if door.lockdown is not None else own


def unmixed(doors: Mapping[str, Wired]) -> None:
    """Raise `NotReady` where a panel's doors and others are under one controller: a lockdown would
    be asked of doors that have none.
    """
    panel = sorted(name for name, door in doors.items() if door.lockdown is not None)
    others = sorted(name for name, door in doors.items() if door.lockdown is None)
    if panel and others:
        raise NotReady(
            f"{', '.join(panel)} have a panel's `lockdown`, {', '.join(others)} have none; put "
            "the panel's doors under a controller block of their own"
        )


def refuse(door: Wired, verb: Verb) -> None:
    """Raise `CommandFailed` for a verb that a door does not take."""
    if verb not in verbs_of(door):
        raise CommandFailed(f"this door takes no {verb}; it takes {words(verbs_of(door))}")


def words(verbs: frozenset[Verb]) -> str:
    """Verbs in a sentence."""
    return ", ".join(sorted(verbs)) or "no verb at all"


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read at one moment; None where there is nothing to read."""

    relay: bool | None = None
    bolt: bool | None = None
    contact: bool | None = None
    panel: bool | None = None


class Bolt:
    """One door's bolt over time: on its way, stuck, or moved by hand."""

    def __init__(self, wiring: Wiring | Wired) -> None:
        self._wiring = wiring
        self._relay: bool | None = None
        self._since = 0.0
        self._followed = False

    def lock(self, seen: Seen, now: float) -> tuple[Lock, str]:
        """What may be said of the lock, and what is to be added in words. `now` is monotonic.

        A bolt that has not followed its relay is moving, then jammed. One that had followed and
        stands otherwise later was moved by hand, so it is as it stands.
        """
        wanted: Lock | None = None
        if seen.relay is not None:
            wanted = "locked" if seen.relay == self._wiring.for_locked(True) else "unlocked"
        if seen.bolt is None:
            return ("unknown", NOT_TOLD) if wanted is None else (wanted, BY_RELAY)
        stands: Lock = "locked" if seen.bolt == (self._wiring.bolted_when == "on") else "unlocked"
        if seen.relay != self._relay:
            self._relay, self._since, self._followed = seen.relay, now, False
        if wanted is None or stands == wanted:
            self._followed = True
            return stands, ""
        if self._followed:
            return stands, f"its relay is set to {wanted}, yet the bolt was moved"
        if now - self._since < SETTLES_S:
            return "moving", ""
        return "jammed", f"its relay is set to {wanted}, and the bolt has not followed"

    def position(self, seen: Seen) -> Position | None:
        """What the contact says; None where there is none."""
        if seen.contact is None:
            return None
        return "closed" if seen.contact == (self._wiring.closed_when == "on") else "open"
