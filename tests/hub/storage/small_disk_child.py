"""A hub's core on a disk of its own that fills up, or that nobody may write; prints what it met.

Runs in a mount namespace of its own, so that the disk is gone with the process.
"""

import asyncio
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from safety_school import School, school, until

from hub.errors import StateError

FOLDER, MODE = Path(sys.argv[1]), sys.argv[2]
FILLER = FOLDER / "filler"


def fill() -> None:
    """Take all the room there is."""
    with FILLER.open("ab") as file, suppress(OSError):
        while True:
            os.write(file.fileno(), bytes(65536))
    with FILLER.open("ab") as file, suppress(OSError):
        while True:
            os.write(file.fileno(), bytes(512))


async def refused(house: School) -> str:
    """Accept events until one cannot be journaled; in what words."""
    for _ in range(500):
        try:
            await house.intake.accept(house.door_event("door.opened", "store"))
        except StateError as error:
            return str(error)
    return "nothing was refused"


async def filled() -> dict[str, Any]:
    """Full while a lock is asked and a notice is on its way; then there is room again."""
    async with school(FOLDER) as house:
        house.perform()
        gate = house.doors.gates["store"] = asyncio.Event()
        await house.intake.accept(house.door_event("door.forced", "wing_east"))
        await house.intake.command_door("store", "lock", "desk", "")
        await until(lambda: house.doors.asked and house.channels["console"].sent)
        before = (await house.intake.counts())["events"]
        fill()
        words = await refused(house)
        gate.set()
        command = ""
        try:
            await house.intake.command_door("wing_east", "lock", "desk", "")
        except StateError as error:
            command = str(error)
        alerts = len(await house.intake.alerts(open_only=True))
        FILLER.unlink()

        async def ended() -> bool:
            await house.clock.advance(1)  # an outcome may only now begin to wait for the journal
            await asyncio.sleep(0.05)
            return (await house.intake.counts())["actions"]["pending"] == 0

        await until(ended)
        await house.intake.accept(house.door_event("door.closed", "store"))
        return {
            "words": words, "command": command, "alerts": alerts,
            "asked": len(house.doors.asked), "sent": len(house.channels["console"].sent),
            "kept": (await house.intake.counts())["events"] - before,
            "state": (await house.intake.requests())["store"]["state"],
        }  # fmt: skip


async def started() -> dict[str, Any]:
    """Started where there is no room, or where nobody may write."""
    if MODE == "full from the start":
        fill()
    try:
        async with school(FOLDER):
            return {"words": "it started"}
    except StateError as error:
        return {"words": str(error)}


sys.stdout.write(json.dumps(asyncio.run(filled() if MODE == "filled" else started())) + "\n")
