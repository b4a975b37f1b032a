"""A 2N device over a real socket: its HTTP API for switches, inputs and the log."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from aiohttp import web

from tests.plugins.access_control.digest_gate import HttpSimulator
from tests.plugins.access_control.door_machines import Faults

BATCH = 128
SAID = {1: "function is not supported", 10: "insufficient user privileges"} | {
    12: "invalid parameter value", 14: "action failed",
}  # fmt: skip


@dataclass
class SwitchOfDevice:
    """One switch: what it is set to, and whether its relay is active."""

    number: int
    mode: str = "monostable"
    enabled: bool = True
    on: bool = False
    locked: bool = False
    held: bool = False
    duration: float = 0.5

    @property
    def active(self):
        """Locked is at rest, held is active, and locked comes before held."""
        return not self.locked and (self.held or self.on)


class TwoNUnit(HttpSimulator):
    """The device. `missing` are functions that it does not have or allow: path to error code."""

    def __init__(self, *switches: SwitchOfDevice, **who):
        super().__init__(**who)
        found = switches or (SwitchOfDevice(1), SwitchOfDevice(2, enabled=False))
        self.switches = {each.number: each for each in found}
        self.ports = {"input1": 1}
        self.faults = Faults()
        self.missing = {}
        self.turned = []
        self._shown = {}
        self._channels = {}
        self._count = 0
        self._later = []
        for each in found:
            self._shown[each.number] = each.active

    @property
    def subscriptions(self):
        """How many channels of the log are open."""
        return len(self._channels)

    def forget(self):
        super().forget()
        self._channels.clear()
        for handle in self._later:
            handle.cancel()
        for switch in getattr(self, "switches", {}).values():
            switch.on = False

    def log(self, event, **params):
        """An entry of the log, for all who listen."""
        self._count += 1
        entry = {
            "id": self._count,
            "tzShift": 0,
            "utcTime": int(time.time()),
            "upTime": self._count,
            "event": event,
            "params": params,
        }
        for queue in self._channels.values():
            queue.put_nowait(entry)

    def swing(self, state):
        """The door opens (0) or falls shut (1)."""
        self.ports["input1"] = state
        self.log("InputChanged", port="input1", state=bool(state))
        self.log("DoorStateChanged", state="closed" if state else "opened")

    def use(self, card, valid=True, session=1, ap=0):
        """Somebody holds a card up."""
        self.log(
            "CardEntered", ap=ap, session=session, direction="in", reader="ext1", uid=card,
            uuid="u-1", valid=valid,
        )  # fmt: skip
        if valid:
            self.log("UserAuthenticated", ap=ap, session=session, name="Somebody", uuid="u-1")
        else:
            self.log("UserRejected", ap=ap, session=session, reason="invalidCredential")

    async def answer(self, request):
        """Whatever is asked by who was let in; errors come with status 200, as the maker has it."""
        if request.path in self.missing:
            return self._no(self.missing[request.path])
        said = dict(request.query)
        if request.method == "POST":
            said |= dict(await request.post())
        name = request.path.removeprefix("/api/").replace("/", "_")
        do = getattr(self, f"_{name}", None)
        if do is None:
            return self._no(1)
        try:
            return web.json_response({"success": True, "result": await do(said)})
        except (LookupError, ValueError):
            return self._no(12)
        except PermissionError:
            return self._no(14)

    def _no(self, code):
        return web.json_response(
            {"success": False, "error": {"code": code, "description": SAID.get(code, "error")}}
        )

    async def _switch_caps(self, said):
        return {
            "switches": [
                {
                    "switch": each.number,
                    "enabled": each.enabled,
                    **({"mode": each.mode, "switchOnDuration": 5} if each.enabled else {}),
                }
                for each in self.switches.values()
            ]
        }

    async def _switch_status(self, said):
        found = self.switches.values()
        if "switch" in said:
            found = [self.switches[int(said["switch"])]]
        return {
            "switches": [
                {
                    "switch": each.number,
                    "active": self._shown[each.number],
                    "locked": each.locked,
                    "held": each.held,
                }
                for each in found
            ]
        }

    async def _switch_ctrl(self, said):
        switch, action = self.switches[int(said["switch"])], said["action"]
        self.turned.append((switch.number, action))
        if not switch.enabled:
            raise PermissionError
        if self.faults.lie:
            self.log("SwitchStateChanged", switch=switch.number, state=False, originator="api")
            return {}
        if action in ("lock", "unlock"):
            switch.locked = action == "lock"
        elif action in ("hold", "release"):
            switch.held = action == "hold"
        elif switch.locked or switch.held:
            raise PermissionError
        elif action in ("on", "trigger"):
            switch.on = action == "on" or switch.mode == "monostable" or not switch.on
            if switch.mode == "monostable":
                self._after(switch.duration, lambda: self._fall(switch))
        elif action == "off":
            switch.on = False
        else:
            raise ValueError(action)
        self.log(
            "SwitchOperationChanged", switch=switch.number, locked=switch.locked, held=switch.held
        )
        if self.faults.lag:
            self._after(self.faults.lag, lambda: self._show(switch))
        else:
            self._show(switch)
        return {}

    async def _io_status(self, said):
        return {"ports": [{"port": said["port"], "state": self.ports[said["port"]]}]}

    async def _log_subscribe(self, said):
        mark = 100 + len(self._channels)
        self._channels[mark] = asyncio.Queue()
        return {"id": mark}

    async def _log_unsubscribe(self, said):
        del self._channels[int(said["id"])]
        return {}

    async def _log_pull(self, said):
        queue = self._channels[int(said["id"])]
        found = []
        try:
            async with asyncio.timeout(float(said.get("timeout", 0))):
                found.append(await queue.get())
        except TimeoutError:
            pass
        while not queue.empty() and len(found) < BATCH:
            found.append(queue.get_nowait())
        return {"events": found}

    def _fall(self, switch):
        switch.on = False
        self._show(switch)

    def _show(self, switch):
        """The relay follows, unless it sticks (a jam)."""
        jammed = str(switch.number) in self.faults.jam
        if self._shown[switch.number] == switch.active or (jammed and not switch.active):
            return
        self._shown[switch.number] = switch.active
        self.log("SwitchStateChanged", switch=switch.number, state=switch.active, originator="api")

    def _after(self, seconds, do):
        self._later.append(asyncio.get_running_loop().call_later(seconds, do))
