"""Send one notice; in mode `die` the process is killed while the channel has it in hand."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from safety_school import School, ScriptedChannel, school

from hub.kinds.notifiers import Notice, Receipt


class Printing(ScriptedChannel):
    """Prints what it is given, and may not survive it."""

    async def send(self, notice: Notice) -> Receipt:
        sys.stdout.write(f"{notice.key} {notice.repeat}\n")
        sys.stdout.flush()
        if sys.argv[2] == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        return Receipt("accepted")


async def one_run(house: School) -> None:
    """Raise the alert in the first run; deliver whatever is pending in any."""
    house.channels["console"] = Printing()
    if sys.argv[2] == "die":
        await house.intake.accept(house.door_event("door.forced", "store"))
    house.perform()
    await house.settled()


async def main() -> None:
    """One hub's life."""
    async with school(Path(sys.argv[1])) as house:
        await one_run(house)


asyncio.run(main())
