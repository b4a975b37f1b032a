"""One door as the reconciler holds it: its block, its facts, its controller, its command."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from hub.config import DoorBlock
from hub.door_views import DoorIntentView
from hub.errors import NotReady
from hub.kinds.access_control import AccessController
from hub.ports import Outcome
from hub.safety.doors.facts import DoorFacts, Judge
from hub.safety.doors.flood import Flood


@dataclass
class Command:
    """A command under way. `sent` is set once its answers may count, `handed_over` once the device
    may have it; `reason` says what keeps it from that.
    """

    key: str
    judge: Judge
    done: asyncio.Future[Outcome]
    sent: bool = False
    handed_over: bool = False
    reason: str = ""

    def end(self, outcome: Outcome) -> None:
        """It ended so, if it had not ended yet."""
        if not self.done.done():
            self.done.set_result(outcome)

    def call_off(self) -> None:
        """Let go of it, unless the device may have it already."""
        if not self.handed_over and not self.done.done():
            self.done.set_exception(NotReady("it was called off before it was handed over"))


@dataclass
class Door:
    """A door, and what is wanted of it; `differs` says how it is otherwise."""

    id: str
    block: DoorBlock
    facts: DoorFacts
    controller: AccessController | None = None
    command: Command | None = None
    refresh: asyncio.Task[None] | None = None
    refresh_due: float = 0.0
    data: dict[str, Any] = field(default_factory=dict)
    flood: Flood = field(default_factory=Flood)
    intent: DoorIntentView | None = None
    differs: str = ""

    @classmethod
    def of(cls, id_: str, block: DoorBlock, before: Door | None = None) -> Door:
        """A door that has reported nothing yet; what is wanted of it holds `before` and after."""
        door = cls(id_, block, DoorFacts(block.held_after), data=_data(id_, block))
        if before is not None:
            door.intent, door.facts.requested = before.intent, before.facts.requested
        return door

    def adopt(self, block: DoorBlock) -> None:
        """Be described by this block from now on."""
        self.block = block
        self.facts.held_after = block.held_after
        self.data = _data(self.id, block)

    def join(self, controller: AccessController) -> None:
        """Be moved by this controller."""
        capabilities = controller.capabilities
        self.controller = controller
        self.facts.stale_after = capabilities.stale_after_s
        self.facts.has_contact = (
            capabilities.has_position and self.id not in capabilities.without_position
        )

    def now_behind(self) -> AccessController:
        """Its controller at this moment: one may be replaced while a command is under way."""
        if self.controller is None:
            raise NotReady(f"its controller {self.block.controller} is not running")
        return self.controller


def _data(id_: str, block: DoorBlock) -> dict[str, Any]:
    return {
        "door": id_,
        "name": block.name,
        "place": block.place,
        "leads_to": block.leads_to or "",
        "controller": block.controller,
    }
