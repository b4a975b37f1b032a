"""The alert's and the incident's page say who was told, and what became of it."""

from __future__ import annotations

from aiohttp.test_utils import TestClient
from scripted_house import ScriptedHouse

LINE = "School IT: delivered 14:03, seen <b>14:04</b> (Phone push)"


async def test_both_pages_and_the_interface_say_who_was_told(
    client: TestClient, sign_in: object, house: ScriptedHouse
) -> None:
    """One line for each person and channel, its words as text; no card where nobody was."""
    await sign_in("admin")  # type: ignore[operator]
    alert, view = next((key, one) for key, one in house.alert_views.items() if one["incident"])
    incident = view["incident"]
    for path in (f"/alerts/{alert}", f"/incidents/{incident}"):
        assert "Who was told" not in await (await client.get(path)).text()
    times = ("held", "accepted", "delivered", "seen", "acknowledged", "failed")
    receipt = dict.fromkeys(("key", "name", "channel", "queued", "detail"), "x")
    receipt |= dict.fromkeys(times) | {"words": LINE, "person": "it", "state": "seen"}
    receipt |= {"about": "alert"}
    view["told"] = [receipt]
    for each in house.incident_views[incident]["alerts"]:
        each["told"] = [receipt]
    for path in (f"/alerts/{alert}", f"/incidents/{incident}"):
        page = await (await client.get(path)).text()
        assert "Who was told" in page, path
        assert "School IT: delivered 14:03, seen &lt;b&gt;14:04&lt;/b&gt; (Phone push)" in page
    told = (await (await client.get(f"/api/v1/alerts/{alert}")).json())["told"]
    assert told[0]["words"] == LINE
