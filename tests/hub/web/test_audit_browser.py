"""Reviewing who looked, in a real browser: find, open, take away, by keyboard too.

Set VESTIBULE_SCREENSHOTS to a folder to keep what the page looks like.
"""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect
from test_console import (
    Console,
    browser,  # noqa: F401  # a fixture
    console,  # noqa: F401  # a fixture
    shoot,
)

from hub.audit_port import Asked
from hub.events import Event
from hub.identity import accounts
from hub.storage import eventlog
from hub.storage.audit_verify import verify

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def lived_in(console: Console) -> None:  # noqa: F811
    """A morning's acts: a door, a verdict, a role, somebody who looks and somebody refused."""
    house = console.house
    now = house.clock.now()
    asked = {"kind": "door", "by": "Principal", "verb": "unlock", "reason": "delivery at the gate"}
    happened = [
        ("action.requested", "main", asked),
        ("action.confirmed", "main", asked),
        ("alert.dismissed", "a1", {"by": "School officer"}),
        ("protocol.started", "lockdown", {"by": "School officer", "area": "school", "drill": True}),
        ("config.changed", "configuration", {"by": "IT", "changes": ["cameras.lobby.fps"]}),
        ("incident.exported", "i1", {"by": "Principal", "format": "pdf"}),
    ]

    def work(connection: Any) -> None:
        accounts.add_user_with_hash(connection, "School officer", "sro", "no password")
        for kind, subject, data in happened:
            event = Event(kind, "person/x", now, subject, data)
            eventlog.append(connection, event, now, eventlog.encode(data))

    await house.journal_write(work)
    await house.audit.begin()
    await house.audit.refused("Principal")
    await house.audit.look("School officer", "10.20.0.31", "lobby")


@pytest.mark.parametrize("size", ["desk", "phone"])
async def test_who_looked_is_found_and_taken_away(
    console: Console,  # noqa: F811
    tmp_path: Path,
    size: str,
) -> None:
    """From the account to the audit, narrowed to one person, and a file that verifies."""
    await lived_in(console)
    async with console.page(size) as tab:
        await tab.goto(f"{console.base}/me")
        await tab.get_by_role("link", name="Audit").click()
        await expect(tab.get_by_role("heading", name="Looking now")).to_be_visible()
        for width in (320, 390, 768, 1440):
            await tab.set_viewport_size({"width": width, "height": 900})
            over = await tab.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert over <= 0, width
        await tab.set_viewport_size({"width": {"desk": 1440, "phone": 390}[size], "height": 900})
        await shoot(tab, f"audit-{size}")
        await tab.get_by_label("Who").select_option("School officer")
        await tab.get_by_role("button", name="Find").press("Enter")
        await expect(tab.get_by_role("heading", name="Lines found")).to_be_visible()
        rows = tab.locator("#lines li")
        await expect(rows).to_have_count(2)
        await expect(rows.first).to_contain_text("Started a protocol, or a drill of one: Lockdown")
        async with tab.expect_download() as taking:
            await tab.get_by_role("button", name="Take away as a file").press("Enter")
        await (await taking.value).save_as(tmp_path / "audit.jsonl")
    key = (await console.house.audit.view(Asked()))["key"]
    raw = (tmp_path / "audit.jsonl").read_bytes()
    assert verify(raw.splitlines(keepends=True), [key]).hidden > 3
    assert b"delivery at the gate" not in raw
    assert console.complaints == []
