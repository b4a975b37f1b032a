"""What open pages cost the hub, and whether a door waits for them.

    python benchmarks/console.py [--clients 50] [--commands 40] [--rounds 3] [--seconds 15] [--json]

A whole hub with a hundred doors (`benchmarks/door_devices.py`) and four simulated cameras, in
processes of their own. In another one are clients that do what an open page does: fetch the page,
hold its stream, fetch it again every ten seconds and within a second of any change that concerns
it, and ask for each live picture it shows twice a second. They give way to the hub: in a school
they are other machines. *idle* is what one such client costs while nothing happens, in percent of
one core of the hub's process; *busy* the same while a door is commanded twice a second. *command*
is the time from a person's request to the lock's side of the broker, *without* and *with* the
clients, in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
import tempfile
import time
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from told import status, tell

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.doors import PROBED, Devices, devices, p, school  # noqa: E402
from hub.testing import RunningHub  # noqa: E402

PAGES = ("/", "/", "/", "/doors", "/protocols")
EVERY_S, PICTURE_S, LEAST_S, SOON_S = 10.0, 0.5, 1.0, 0.15
EACH_S = 0.5
SCENES = ("corridor", "entrance", "yard", "car_park")
OPENING_S, SETTLE_S = 4.0, 3.0
MOST_IDLE_PERCENT, MOST_MORE_MS = 1.0, 5.0
ALWAYS = {"alerts", "protocols", "glass"}


class Page:
    """What one open page asks of the hub."""

    def __init__(self, session: aiohttp.ClientSession, path: str) -> None:
        self._session, self._path = session, path
        self._fetched = 0.0
        self.topics: set[str] = set()
        self.pictures: dict[str, str] = {}

    async def live(self) -> None:
        """Until it is cancelled."""
        await self._fetch()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen())
            group.create_task(self._look())
            group.create_task(self._again())

    async def _fetch(self) -> None:
        async with self._session.get(self._path) as answer:
            text = await answer.text()
        assert answer.status == 200, answer.status
        self._fetched = time.monotonic()
        found = re.search(r'data-topics="([^"]*)"', text)
        self.topics = {*(found[1].split() if found else ()), *ALWAYS}
        shown = set(re.findall(r'data-camera="([^"]+)"', text))
        self.pictures = {each: self.pictures.get(each, "") for each in shown}

    async def _again(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            await self._fetch()

    async def _listen(self) -> None:
        async with self._session.get("/live") as stream:
            async for line in stream.content:
                if not line.startswith(b"data: ") or line == b"data: .\n":
                    continue
                if self.topics & set(line[6:].decode().split()):
                    wait = max(SOON_S, self._fetched + LEAST_S - time.monotonic())
                    await asyncio.sleep(wait)
                    await self._fetch()

    async def _look(self) -> None:
        while True:
            for camera, tag in list(self.pictures.items()):
                headers = {"If-None-Match": tag} if tag else {}
                address = f"/pictures/cameras/{camera}.jpg"
                async with self._session.get(address, headers=headers) as answer:
                    await answer.read()
                    self.pictures[camera] = answer.headers.get("ETag", tag)
            await asyncio.sleep(PICTURE_S)


async def be_clients(address: str, token: str, count: int) -> None:
    """Be so many open pages until the standard input ends; says when they stand."""
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(
        address, headers=headers, connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=None),
    ) as session:  # fmt: skip
        pages = [Page(session, PAGES[number % len(PAGES)]) for number in range(count)]
        tasks = []
        for number, page in enumerate(pages):
            await asyncio.sleep(OPENING_S / count if number else 0)  # nobody opens all at once
            tasks.append(asyncio.create_task(page.live(), name=f"page-{number}"))
        print(json.dumps({"pictures": sum(len(page.pictures) for page in pages)}), flush=True)
        await asyncio.to_thread(sys.stdin.read)
        for task in tasks:
            if task.done():
                task.result()  # a page that failed is a failed measurement
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def clients(hub: RunningHub, count: int) -> Any:
    """So many open pages, in another process; what they show."""
    process = await asyncio.create_subprocess_exec(
        "nice", "-n", "19", sys.executable, __file__,
        "--be-clients", hub.address, hub.token, "--clients", str(count),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        shown = json.loads(await asyncio.wait_for(process.stdout.readline(), 60))
        await asyncio.sleep(SETTLE_S)
        yield shown
    finally:
        process.stdin.close()
        if await asyncio.wait_for(process.wait(), 20):
            raise RuntimeError("a client failed")


def cpu_s(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def percent(hub: RunningHub, seconds: float) -> float:
    """What share of a core the hub's own process takes, in percent."""
    spent, began = cpu_s(hub.pid), time.monotonic()
    await asyncio.sleep(seconds)
    return 100 * (cpu_s(hub.pid) - spent) / (time.monotonic() - began)


async def commands_ms(session: aiohttp.ClientSession, there: Devices, count: int) -> list[float]:
    """From the request to the lock's side of the broker, one after another."""
    taken = []
    for _ in range(count):
        await there.ask("mark")
        began = time.monotonic()
        async with session.post(
            f"/api/v1/doors/{PROBED}/commands", json={"verb": "lock", "reason": "measured"}
        ) as answer:
            assert answer.status == 202, await answer.text()
        taken.append(1000 * (await there.first(PROBED) - began))
        await asyncio.sleep(EACH_S)
    return taken


async def _answered(session: aiohttp.ClientSession) -> None:
    """Wait until the door that is measured, and every camera, has answered."""
    async with asyncio.timeout(60):
        while True:
            async with session.get("/api/v1/doors") as doors:
                known = {each["id"] for each in await doors.json() if not each["reported"]["stale"]}
            async with session.get("/api/v1/cameras") as cameras:
                states = {each["state"] for each in await cameras.json()}
            if PROBED in known and states == {"online"}:
                return
            await asyncio.sleep(0.2)


def _school(where: dict[str, Any]) -> dict[str, Any]:
    made = school(where, cameras=False)
    made["cameras"] = {
        f"camera_{n}": {
            "driver": "simulated",
            "place": "hall",
            "seed": n,
            "fps": 5,
            "scene": SCENES[n],
        }
        for n in range(4)
    }
    return made


async def measure(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All figures."""
    idle: dict[bool, list[float]] = {False: [], True: []}
    busy: dict[bool, list[float]] = {False: [], True: []}
    commands: dict[bool, list[float]] = {False: [], True: []}
    (folder / "devices").mkdir()
    async with devices(folder / "devices") as there:
        file = folder / "school.yaml"
        file.write_text(yaml.safe_dump(_school(there.where), sort_keys=False), encoding="utf-8")
        hub = RunningHub(file, folder / "state")
        await asyncio.to_thread(hub.start)
        headers = {"Authorization": f"Bearer {await asyncio.to_thread(lambda: hub.token)}"}
        try:
            async with aiohttp.ClientSession(hub.address, headers=headers) as session:
                await _answered(session)
                await commands_ms(session, there, 5)

                async def look(open_pages: bool) -> None:
                    idle[open_pages].append(await percent(hub, given.seconds))
                    spent, began = cpu_s(hub.pid), time.monotonic()
                    commands[open_pages] += await commands_ms(session, there, given.commands)
                    took = time.monotonic() - began
                    busy[open_pages].append(100 * (cpu_s(hub.pid) - spent) / took)

                for _ in range(given.rounds):
                    await look(False)
                    async with clients(hub, given.clients) as shown:
                        await look(True)
                async with session.get("/api/v1/health") as answer:
                    peak = max(each["rss_peak_mb"] for each in (await answer.json())["processes"])
        finally:
            with suppress(TimeoutError):
                await asyncio.to_thread(hub.stop)
    return {
        "clients": given.clients,
        "pictures_shown": shown["pictures"],
        "idle_percent_per_client": _each(idle, given.clients),
        "busy_percent_per_client": _each(busy, given.clients),
        "hub_idle_percent": round(sum(idle[True]) / given.rounds, 1),
        "hub_busy_percent": round(sum(busy[True]) / given.rounds, 1),
        "command_p50_ms_without": round(p(0.5, commands[False]), 1),
        "command_p50_ms_with": round(p(0.5, commands[True]), 1),
        "command_p95_ms_without": round(p(0.95, commands[False]), 1),
        "command_p95_ms_with": round(p(0.95, commands[True]), 1),
        "rss_peak_mb": peak,
    }


def _each(spent: dict[bool, list[float]], count: int) -> float:
    with_, without = (sum(spent[each]) / len(spent[each]) for each in (True, False))
    return round((with_ - without) / count, 3)


def fails(found: dict[str, Any]) -> list[str]:
    """Which goals are missed, in words."""
    said = []
    if found["idle_percent_per_client"] > MOST_IDLE_PERCENT:
        said.append(f"a page costs {found['idle_percent_per_client']} % of a core")
    more = found["command_p50_ms_with"] - found["command_p50_ms_without"]
    if more > MOST_MORE_MS:
        said.append(f"a door's command takes {more:.1f} ms longer beside open pages")
    return said


def main() -> int:
    """Measure, print, and say by the exit status whether every goal is met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--commands", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--be-clients", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.be_clients:
        asyncio.run(be_clients(*given.be_clients, given.clients))
        return 0
    with tempfile.TemporaryDirectory(prefix="vestibule-console-") as folder:
        found = asyncio.run(measure(given, Path(folder)))
    tell(found, given.json)
    return status(fails(found))


if __name__ == "__main__":
    sys.exit(main())
