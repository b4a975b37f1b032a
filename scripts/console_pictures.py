"""The pictures of the console's pages in docs/pictures/pages, from the example school.

    .venv/bin/python scripts/console_pictures.py [PAGE ...]

Runs the example school with its drawn cameras, waits until something has happened there, and keeps
each page as a desk in light beside a telephone in the dark. With names, those pages alone.
"""

from __future__ import annotations

import asyncio
import io
import shutil
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from PIL import Image
from playwright.async_api import Browser, Page, async_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from hub.identity import accounts  # noqa: E402
from hub.storage.database import open_engine  # noqa: E402
from hub.testing import RunningHub  # noqa: E402

FOLDER = ROOT / "docs" / "pictures" / "pages"
DESK, PHONE = (1440, 900), (390, 844)
HEIGHT, GAP, QUALITY = 640, 12, 62
COOKIE = "vestibule_session"
BEFORE = {
    "now": "/",
    "alert": "/alerts/{alert}",
    "cameras": "/cameras",
    "camera": "/cameras/yard",
    "masks": "/cameras/yard/masks",
    "visitors": "/visitors",
    "rules": "/rules",
    "rule": "/rules/closed_wing",
    "people": "/people",
    "devices": "/devices",
    "configuration": "/configuration",
    "me": "/me",
    "more": "/more",
    "signin": "/signin",
}
AFTER = {
    "incidents": "/incidents",
    "incident": "/incidents/{incident}",
    "case": "/incidents/{incident}/case",
    "call-card": "/incidents/{incident}/call",
    "doors": "/doors",
    "door": "/doors/{door}",
    "protocols": "/protocols",
    "guests": "/guests",
    "audit": "/audit",
    "health": "/health",
    "past": "/health/past?hours=1",
}
LAST = {"protocol": "/protocols/{run}", "drill": "/doors"}
DRILLED = {"drills": "/drills", "drill-held": "/drills/held/{run}"}


def session_of(state: Path) -> str:
    """The secret of a session of somebody who may do everything."""
    engine = open_engine(state / "journal.db")
    try:
        with engine.begin() as connection:
            accounts.add_user_with_hash(connection, "Principal", "admin", "no password")
            return accounts.open_session(connection, "Principal", datetime.now(UTC)).secret
    finally:
        engine.dispose()


async def shot(browser: Browser, address: str, secret: str, size: tuple[int, int]) -> Image.Image:
    """A page as it looks once it is live."""
    wide = size == DESK
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme="light" if wide else "dark"
    )
    try:
        if not address.endswith("/signin"):
            base = "/".join(address.split("/")[:3])
            await context.add_cookies([{"name": COOKIE, "value": secret, "url": base}])
        tab = await context.new_page()
        await tab.goto(address)
        await settled(tab)
        return Image.open(io.BytesIO(await tab.screenshot())).convert("RGB")
    finally:
        await context.close()


async def settled(tab: Page) -> None:
    """Wait until the page is connected and its pictures are there."""
    if await tab.locator("#pill").count():
        with suppress(Exception):
            await tab.wait_for_function("document.querySelector('#pill').innerText === 'Live'")
    await tab.wait_for_timeout(2500)


def beside(desk: Image.Image, phone: Image.Image) -> Image.Image:
    """Both, equally high."""
    both = [each.resize((each.width * HEIGHT // each.height, HEIGHT)) for each in (desk, phone)]
    picture = Image.new("RGB", (both[0].width + GAP + both[1].width, HEIGHT), "#808080")
    picture.paste(both[0], (0, 0))
    picture.paste(both[1], (both[0].width + GAP, 0))
    return picture


class Pictures:
    """Takes them of one running hub."""

    def __init__(self, browser: Browser, session: aiohttp.ClientSession, base: str, secret: str):
        self._browser, self._session, self._base, self._secret = browser, session, base, secret
        self.names: dict[str, str] = {}
        self.wanted = set(sys.argv[1:])

    async def take(self, pages: Mapping[str, str]) -> None:
        """Keep these pages."""
        for name, path in pages.items():
            if self.wanted and name not in self.wanted:
                continue
            address = self._base + path.format(**self.names)
            both = [
                await shot(self._browser, address, self._secret, each) for each in (DESK, PHONE)
            ]
            file = FOLDER / f"{name}.webp"
            beside(*both).save(file, "WEBP", quality=QUALITY, method=6)
            sys.stdout.write(f"{file.relative_to(ROOT)}: {file.stat().st_size >> 10} KB\n")

    async def get(self, path: str) -> Any:
        """What the API says."""
        async with self._session.get(path) as answer:
            return await answer.json()

    async def post(self, path: str, **body: Any) -> Any:
        """Ask for something."""
        async with self._session.post(path, json=body) as answer:
            return await answer.json()

    async def happened(self, within_s: float = 300) -> None:
        """Wait until a camera has raised an alert that has its pictures."""
        async with asyncio.timeout(within_s):
            while True:
                found = [each for each in await self.get("/api/v1/alerts") if each["picture"]]
                if found:
                    self.names |= {"alert": found[0]["id"], "incident": found[0]["incident"]}
                    await asyncio.sleep(8)
                    return
                await asyncio.sleep(1)


async def written_up(pictures: Pictures, run: str) -> None:
    """Two drills are planned ahead, and one that was held has a report."""
    coming = datetime.now(UTC).replace(hour=16, minute=0, second=0, microsecond=0)
    for protocol, days, leader in (("evacuate", 9, "principal"), ("lockdown", 40, "sro")):
        due = (coming + timedelta(days=days)).isoformat()
        plan = {"protocol": protocol, "area": "main_building", "due": due, "leader": leader}
        await pictures.post("/api/v1/drills", **plan)
    answers = {"heard": "yes", "locked": "no", "lights": "yes", "accounted": "yes"}
    text = "Room 12: the key was missing. All others were quick."
    await pictures.post(f"/api/v1/drills/held/{run}/saw", answers=answers, text=text)


async def main() -> None:
    """All of it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="vestibule-pictures-") as folder:
        config = Path(folder) / "config.example.yaml"
        shutil.copy(ROOT / config.name, config)
        shutil.copytree(ROOT / "examples", Path(folder) / "examples")
        with RunningHub(config, Path(folder) / "state") as hub:
            secret = await asyncio.to_thread(session_of, hub.state)
            token = await asyncio.to_thread(lambda: hub.token)
            headers = {"Authorization": f"Bearer {token}"}
            async with (
                async_playwright() as play,
                aiohttp.ClientSession(hub.address, headers=headers) as session,
            ):
                browser = await play.chromium.launch(
                    executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
                )
                pictures = Pictures(browser, session, hub.address, secret)
                await pictures.happened()
                await pictures.take(BEFORE)
                alert = pictures.names["alert"]
                await pictures.post(f"/api/v1/alerts/{alert}/verdict", verdict="verified")
                found = await pictures.get(f"/api/v1/alerts/{alert}")
                pictures.names["incident"] = found["incident"]
                pictures.names["door"] = (await pictures.get("/api/v1/doors"))[0]["id"]
                await asyncio.sleep(6)
                await pictures.take(AFTER)
                start = "/api/v1/protocols/lockdown/start"
                run = await pictures.post(start, area="main_building", drill=True)
                pictures.names["run"] = run["id"]
                await asyncio.sleep(6)
                await pictures.take(LAST)
                await pictures.post(f"/api/v1/protocols/{run['id']}/ask-end")
                await written_up(pictures, run["id"])
                await pictures.take(DRILLED)
                await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
