"""A hub's core on a disk of its own that fills up, or that nobody may write; prints what it met.

Runs in a mount namespace of its own, so that the disk is gone with the process.
"""

import asyncio
import json
import os
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from safety_school import School, school, until
from sqlalchemy import Connection, func, insert, select

from hub.errors import StateError
from hub.storage import reserve
from hub.storage.journal import Journal
from hub.storage.schema import meta

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


async def reserved() -> dict[str, Any]:
    """Filled beneath a journal that keeps room for that, ended without a close, started again."""
    reserve.BYTES, reserve.FOR_URGENT, reserve.KEPT_FROM = 1 << 20, 1 << 19, 5 << 18
    path = FOLDER / "journal.db"
    journal = Journal(path, reserve=reserve.Reserve(path))
    await journal.open()
    kept = (FOLDER / reserve.NAME).stat().st_size
    fill()
    common, words = await written(journal, "common", urgent=False)
    before = await count(journal)
    urgent, _ = await written(journal, "urgent", urgent=True, most=20)
    again = Journal(path, reserve=reserve.Reserve(path))
    await again.open()
    _, refused = await written(again, "refused", urgent=False, most=1)
    more, _ = await written(again, "more", urgent=True, most=20)
    FILLER.unlink()
    later, _ = await written(again, "later", urgent=False, most=20)
    return {
        "kept": kept, "common": common, "before": before, "words": words, "refused": refused,
        "urgent": urgent, "more": more, "later": later, "rows": await count(again),
        "kept_again": (FOLDER / reserve.NAME).stat().st_size,
    }  # fmt: skip


async def written(
    journal: Journal, name: str, *, urgent: bool, most: int = 2000
) -> tuple[int, str]:
    """How many rows could be written, and why no more."""
    for n in range(most):
        row = {"key": f"{name} {n}", "value": "x" * 2000}
        try:
            await journal.write(partial(put, row), urgent=urgent)
        except StateError as error:
            return n, str(error)
    return most, ""


def put(row: dict[str, str], connection: Connection) -> None:
    """Write a row."""
    connection.execute(insert(meta), row)


async def count(journal: Journal) -> int:
    """How many rows there are."""
    return await journal.read(lambda c: int(c.scalar(select(func.count()).select_from(meta)) or 0))


MODES = {"filled": filled, "reserved": reserved}
sys.stdout.write(json.dumps(asyncio.run(MODES.get(MODE, started)())) + "\n")
