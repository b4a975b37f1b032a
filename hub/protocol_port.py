"""What rooms may ask of protocols, without importing them."""

from __future__ import annotations

from typing import Literal, Protocol

from hub.protocol_settings import Does
from hub.protocol_views import (
    DeviceView,
    FireView,
    PressView,
    ProtocolRunView,
    ProtocolsView,
    StandingView,
)
from hub.views import AlertView


class ProtocolsFacade(Protocol):
    """What people may do with protocols; see `hub.protocols`. Each act raises `KeyError` for an
    unknown run or device and `Refused` where it may not be. `to` is the session that is shown the
    answer: where a duress PIN was given it is over. `reader` is an account that may hear of that
    elsewhere.
    """

    async def view(self, to: str = "", reader: str = "") -> ProtocolsView:
        """What is in force, what can be started, what was lately."""
        ...

    async def standing(self, to: str = "", reader: str = "") -> StandingView:
        """What is in force, in short: asked with every page."""
        ...

    async def run(self, run: str, to: str = "") -> ProtocolRunView:
        """One run of a protocol."""
        ...

    async def start(
        self,
        protocol: str,
        area: str,
        by: str,
        *,
        device: str = "",
        drill: bool = False,
        doors_real: bool = False,
        announce: bool = False,
        reason: str = "",
        hazard: str = "",
        location: str = "",
        key: str = "",
        to: str = "",
        plan: str = "",
    ) -> ProtocolRunView:
        """Start a protocol, or join the one in force there; the same key twice is one start. `plan`
        is the planned drill that it is started for.
        """
        ...

    async def ask_end(self, run: str, by: str, to: str = "") -> ProtocolRunView:
        """Ask that it be ended; of a drill that ends it."""
        ...

    async def withdraw_end(self, run: str, by: str, to: str = "") -> ProtocolRunView:
        """It is to go on after all."""
        ...

    async def end(self, run: str, by: str, to: str = "") -> ProtocolRunView:
        """Confirm the end that somebody else has asked for, within five minutes."""
        ...

    async def end_by_pin(self, run: str, by: str, pin: str, to: str = "") -> ProtocolRunView:
        """The incident's commander ends it with their PIN; a duress PIN only seems to."""
        ...

    async def rearm(self, by: str) -> FireView:
        """Let doors lock again after a fire alarm."""
        ...

    async def decide_fire(
        self, run: str, choice: Literal["stay", "evacuate"], by: str, to: str = ""
    ) -> ProtocolRunView:
        """Decide what people in a lockdown do in a fire alarm."""
        ...

    async def help(self, place: str, by: str, device: str, text: str) -> AlertView:
        """Call for help; never a lockdown."""
        ...

    async def correct_help(self, alert: str, by: str) -> AlertView:
        """Take a call for help back, within ten seconds."""
        ...

    async def devices(self) -> list[DeviceView]:
        """Every device that was enrolled."""
        ...

    async def device(self, token: str) -> DeviceView | None:
        """Whose token this is."""
        ...

    async def press_device(
        self, device: DeviceView, does: Does, *, text: str = "", key: str = ""
    ) -> PressView:
        """What an enrolled device asks for, at its place."""
        ...

    async def enrol(self, name: str, place: str, by: str) -> tuple[DeviceView, str]:
        """Enrol a device; with its token, which is shown this once."""
        ...

    async def revoke(self, device: str, by: str) -> None:
        """End a device's token."""
        ...

    async def set_pins(self, user: str, pin: str, duress: str) -> None:
        """Give an account its PINs."""
        ...
