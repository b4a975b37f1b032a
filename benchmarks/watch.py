"""How soon a page shows a picture, and what those who watch live cost the hub.

    python benchmarks/watch.py [--loads 10] [--viewers 40] [--seconds 15] [--json]

A whole hub with four simulated cameras (640x360, 5 pictures a second looked at). *first picture* is
the time in Chromium from the navigation until a camera's picture has been decoded for the screen,
with nothing kept from before (*cold*) and with the console's own files kept (*warm*), over the
loopback. *viewer* is what one more viewer of a camera's stream costs the hub's process, in percent
of one core; the viewers are in a process of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from playwright.async_api import Browser, async_playwright
from told import status, tell

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from hub.identity import accounts  # noqa: E402
from hub.storage.database import open_engine  # noqa: E402
from hub.testing import RunningHub  # noqa: E402

PAGES = {"now": "/", "cameras": "/cameras", "one camera": "/cameras/camera_0"}
SCENES = ("corridor", "entrance", "yard", "car_park")
SHOWN = """new Promise(done => {
  const look = () => {
    const shown = [...document.querySelectorAll('.pic img')]
      .some(e => e.complete && e.naturalWidth);
    if (shown) requestAnimationFrame(() => done(performance.now())); else setTimeout(look, 4);
  };
  look();
})"""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
GOAL_MS = 1000.0


def school() -> dict[str, Any]:
    """One place and four cameras."""
    camera = {"driver": "simulated", "place": "hall", "fps": 5}
    return {
        "hub": {"name": "Measured"},
        "places": {"hall": {"name": "Hall", "kind": "room"}},
        "detectors": {"motion": {"driver": "motion"}},
        "cameras": {
            f"camera_{n}": {**camera, "scene": SCENES[n], "seed": n} for n in range(len(SCENES))
        },
    }


def session_of(state: Path) -> str:
    """The secret of a session, as a browser that has signed in has it."""
    engine = open_engine(state / "journal.db")
    try:
        with engine.begin() as connection:
            accounts.add_user_with_hash(connection, "Viewer", "admin", "no password")
            return accounts.open_session(connection, "Viewer", datetime.now(UTC)).secret
    finally:
        engine.dispose()


async def first_picture(browser: Browser, base: str, secret: str, path: str, warm: bool) -> float:
    """Milliseconds from the navigation until a picture is there."""
    context = await browser.new_context(viewport={"width": 1440, "height": 900})
    try:
        await context.add_cookies([{"name": "vestibule_session", "value": secret, "url": base}])
        tab = await context.new_page()
        if warm:
            await tab.goto(f"{base}/more")
        await tab.goto(f"{base}{path}", wait_until="commit")
        async with asyncio.timeout(30):
            return float(await tab.evaluate(SHOWN))
    finally:
        await context.close()


async def loads(base: str, secret: str, count: int) -> dict[str, float]:
    """The middle and the slowest of so many loads of each page."""
    found: dict[str, float] = {}
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for name, path in PAGES.items():
            for warm in (False, True):
                taken = [
                    await first_picture(browser, base, secret, path, warm) for _ in range(count)
                ]
                key = f"{name} {'warm' if warm else 'cold'}"
                found[f"{key} p50 ms"] = round(statistics.median(taken))
                found[f"{key} max ms"] = round(max(taken))
        await browser.close()
    return found


def cpu_s(pid: int) -> float:
    """Seconds that a process has worked."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


async def be_viewers(base: str, secret: str, count: int, seconds: float) -> None:
    """Watch one camera so many times, for so long; prints how many pictures came."""
    cookies = {"vestibule_session": secret}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(base, cookies=cookies, connector=connector) as session:

        async def watch() -> int:
            pictures = 0
            with suppress(TimeoutError):
                async with (
                    asyncio.timeout(seconds),
                    session.get("/pictures/cameras/camera_0.mjpeg") as answer,
                ):
                    assert answer.status == 200
                    async for piece in answer.content.iter_any():
                        pictures += piece.count(b"--picture\r\n")
            return pictures

        print(sum(await asyncio.gather(*(watch() for _ in range(count)))))


async def viewing(hub: RunningHub, secret: str, count: int, seconds: float) -> tuple[float, float]:
    """Percent of a core that the hub used with so many viewers, and pictures a second of each."""
    watching = None
    if count:
        given = [hub.address, secret, str(count), str(seconds)]
        watching = await asyncio.create_subprocess_exec(
            sys.executable, __file__, "--be-viewers", *given, stdout=asyncio.subprocess.PIPE
        )
    before, began = cpu_s(hub.pid), time.monotonic()
    pictures = 0
    if watching is None:
        await asyncio.sleep(seconds)
    else:
        said, _ = await watching.communicate()
        pictures = int(said)
    took = time.monotonic() - began
    return 100 * (cpu_s(hub.pid) - before) / took, pictures / took / max(1, count)


async def measure(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All figures."""
    file = folder / "school.yaml"
    file.write_text(yaml.safe_dump(school(), sort_keys=False), encoding="utf-8")
    with RunningHub(file, folder / "state") as hub:
        secret = await asyncio.to_thread(session_of, folder / "state")
        await _online(hub, secret)
        found: dict[str, Any] = await loads(hub.address, secret, given.loads)
        spent: dict[bool, list[float]] = {False: [], True: []}
        rates = []
        for _ in range(2):
            spent[False].append((await viewing(hub, secret, 0, given.seconds))[0])
            used, rate = await viewing(hub, secret, given.viewers, given.seconds)
            spent[True].append(used)
            rates.append(rate)
        more = statistics.mean(spent[True]) - statistics.mean(spent[False])
        return found | {
            "viewers": given.viewers,
            "pictures_per_s": round(statistics.mean(rates), 1),
            "viewer_percent": round(more / given.viewers, 3),
        }


async def _online(hub: RunningHub, secret: str) -> None:
    """Wait until every camera delivers."""
    async with aiohttp.ClientSession(hub.address, cookies={"vestibule_session": secret}) as session:
        async with asyncio.timeout(120):
            while True:
                async with session.get("/api/v1/cameras") as answer:
                    if {each["state"] for each in await answer.json()} == {"online"}:
                        return
                await asyncio.sleep(0.3)


def main() -> int:
    """Measure, print, and say by the exit status whether a picture is there within a second."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loads", type=int, default=10)
    parser.add_argument("--viewers", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--be-viewers", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.be_viewers:
        base, secret, count, seconds = given.be_viewers
        asyncio.run(be_viewers(base, secret, int(count), float(seconds)))
        return 0
    with tempfile.TemporaryDirectory(prefix="vestibule-watch-") as folder:
        found = asyncio.run(measure(given, Path(folder)))
    tell(found, given.json)
    late = [name for name in found if name.endswith("p50 ms") and found[name] > GOAL_MS]
    return status(f"{each}: later than {GOAL_MS:g}" for each in late)


if __name__ == "__main__":
    sys.exit(main())
