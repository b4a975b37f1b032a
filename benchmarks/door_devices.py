"""A hundred simulated doors in a process of their own, for `benchmarks/doors.py`.

    python -m benchmarks.door_devices FOLDER

Sixty locks on MQTT, fifteen on Shelly relays, ten behind an ONVIF controller, ten on a Modbus board
and five on OSDP lines, each by the simulator that the driver's own tests use. Prints where they
are, then answers each line on standard input with one of JSON: `log` gives when each door was first
told to lock since the last `mark` (seconds of the monotonic clock), `truth` which bolts are out.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from hub import BrokerAddress
from hub.broker import EmbeddedBroker
from tests.plugins.access_control.brokers import Mosquitto
from tests.plugins.access_control.door_machines import Door
from tests.plugins.access_control.modbus_board import WRITE_COIL, ModbusBoard
from tests.plugins.access_control.onvif_device import OnvifController
from tests.plugins.access_control.osdp_reader import Reader
from tests.plugins.access_control.shelly_device import ShellyDevice

MQTT, SOAP, MODBUS, OSDP = 60, 10, 10, 5
SHELLIES = (4, 4, 4, 2, 1)
BOLT_S = 0.2
FAULTS = {"mqtt_57": "jam", "mqtt_58": "silent", "mqtt_59": "lie"}
SHELLY_JAMS, SOAP_JAMS, OSDP_MUTE = len(SHELLIES) - 1, SOAP - 1, OSDP - 1
KEY = bytes(range(0xA0, 0xB0))
T = TypeVar("T")


class Noted(list[T]):
    """A simulator's own list of what it was told; each entry is shown to somebody at once."""

    def __init__(self, note: Callable[[T], None]) -> None:
        super().__init__()
        self._note = note

    def append(self, told: T) -> None:
        """Keep it, and show it."""
        super().append(told)
        self._note(told)


class Broker(Mosquitto):
    """A mosquitto that sends each message at once."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        with self._settings.open("a", encoding="utf-8") as file:
            file.write("set_tcp_nodelay true\n")


class Devices:
    """All of them, and when they were told what."""

    def __init__(self, folder: Path) -> None:
        self.told: dict[str, float] = {}
        self.bolts: dict[str, str] = {f"mqtt_{n}": "UNLOCKED" for n in range(MQTT)}
        self.shellies = [ShellyDevice("pa55") for _ in SHELLIES]
        self.soap = OnvifController(*(_door(n) for n in range(SOAP)), page=SOAP)
        self.board = ModbusBoard()
        self.readers = [Reader(_made(folder / f"osdp_{n}"), KEY) for n in range(OSDP)]
        self.broker: Any = EmbeddedBroker()
        if shutil.which("mosquitto") or Path("/usr/sbin/mosquitto").is_file():
            self.broker = Broker(folder)
        self._work: set[asyncio.Task[None]] = set()

    def note(self, door: str) -> None:
        """A door is told to lock."""
        self.told.setdefault(door, time.monotonic())

    async def start(self) -> dict[str, Any]:
        """Bring all up, each with its fault; returns where they are."""
        address = await self.broker.start()
        self._begin(self._be_locks(address))
        ports = []
        for number, (shelly, count) in enumerate(zip(self.shellies, SHELLIES, strict=True)):
            shelly.bolts = {relay: relay for relay in range(count)}
            shelly.calls = Noted(self._shelly(number))
            ports.append(await shelly.start())
        self.shellies[SHELLY_JAMS].faults.add("jam")
        self.soap.doors.done = Noted(self._soap)
        self.soap.faults.jam.add(f"d{SOAP_JAMS}")
        self.board.bolts = {relay: relay for relay in range(MODBUS)}
        self.board.asked = Noted(self._board)
        for number, reader in enumerate(self.readers):
            reader.obeyed = Noted(self._reader(number))
            reader.plug_in()
        self.readers[OSDP_MUTE].faults.add("mute")
        return {
            "broker": [address.host, address.port, address.username, address.password],
            "shellies": ports,
            "soap": await self.soap.start(),
            "board": await self.board.start(),
            "lines": [str(reader.line) for reader in self.readers],
        }

    def truth(self) -> dict[str, bool]:
        """Which bolts are out."""
        found = {door: state == "LOCKED" for door, state in self.bolts.items()}
        for number, (shelly, count) in enumerate(zip(self.shellies, SHELLIES, strict=True)):
            for relay in range(count):
                found[f"shelly_{number}_{relay}"] = bool(shelly.states[relay])
        for door in self.soap.doors.doors.values():
            found[f"soap_{door.token[1:]}"] = door.bolt == "Locked"
        for relay in range(MODBUS):
            found[f"modbus_{relay}"] = self.board.inputs[relay]
        for number, reader in enumerate(self.readers):
            found[f"osdp_{number}"] = bool(reader.outputs[0])
        return found

    def _shelly(self, number: int) -> Callable[[tuple[str, dict[str, Any]]], None]:
        def note(call: tuple[str, dict[str, Any]]) -> None:
            if call[0] == "Switch.Set" and call[1]["on"]:
                self.note(f"shelly_{number}_{call[1]['id']}")

        return note

    def _soap(self, done: tuple[str, str]) -> None:
        if done[0] in ("LockDoor", "LockDownDoor"):
            self.note(f"soap_{done[1][1:]}")

    def _board(self, asked: tuple[int, int]) -> None:
        if asked[0] == WRITE_COIL:
            self.note(f"modbus_{asked[1]}")

    def _reader(self, number: int) -> Callable[[Any], None]:
        return lambda _: self.note(f"osdp_{number}")

    async def _be_locks(self, address: BrokerAddress) -> None:
        """Sixty locks that share one client, as behind a gateway."""
        from aiomqtt import Client

        async with Client(
            address.host, address.port, username=address.username, password=address.password
        ) as client:
            await client.subscribe([("locks/+/set", 1), ("locks/+/get", 1)])
            for door in self.bolts:
                await client.publish(f"locks/{door}/state", self.bolts[door], qos=1, retain=True)
            async for message in client.messages:
                _, door, what = message.topic.value.split("/")
                said = bytes(message.payload or b"").decode()  # type: ignore[arg-type]
                if what == "set" and said == "LOCK":
                    self.note(door)
                if FAULTS.get(door) != "silent":
                    self._begin(self._obey(client, door, said if what == "set" else ""))

    async def _obey(self, client: Any, door: str, said: str) -> None:
        fault = FAULTS.get(door)
        if said:
            await client.publish(f"locks/{door}/state", f"{said}ING", qos=0)
            await asyncio.sleep(BOLT_S)
            if said == "UNLOCK":
                self.bolts[door] = "UNLOCKED"
            elif fault != "lie":
                self.bolts[door] = "JAMMED" if fault == "jam" else "LOCKED"
        await client.publish(f"locks/{door}/state", self.bolts[door], qos=1, retain=True)

    def _begin(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def stop(self) -> None:
        """Take all down."""
        for task in self._work:
            task.cancel()
        for reader in self.readers:
            reader.pull_out()
        await self.broker.stop()


def _door(number: int) -> Door:
    return Door(f"d{number}", f"Door {number}", mode="Unlocked", bolt="Unlocked")


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


async def main(folder: Path) -> None:
    """Be there until standard input ends."""
    devices = Devices(folder)
    print(json.dumps(await devices.start()), flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        answer: Any = None
        if line.strip() == "mark":
            devices.told.clear()
        elif line.strip() == "log":
            answer = devices.told
        elif line.strip() == "truth":
            answer = devices.truth()
        print(json.dumps(answer), flush=True)
    await devices.stop()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
