"""An incident that outlasts a day, or the change of the clocks: every time in it can be placed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from scripted_house import ScriptedHouse

from hub.clock import from_iso, iso
from hub.report_type import Type
from hub.web.words import Words

BERLIN, CHICAGO = Words("Europe/Berlin"), Words("America/Chicago")


@pytest.mark.parametrize(
    ("words", "before", "moment", "said"),
    [
        (BERLIN, "2026-10-24T21:59:00Z", "2026-10-24T22:01:00Z", "Sun 25 Oct."),
        (
            BERLIN, "2026-10-25T00:59:00Z", "2026-10-25T01:00:00Z",
            "The clocks went back by 1 h 00 min: some times come twice.",
        ),
        (
            CHICAGO, "2026-03-08T07:59:00Z", "2026-03-08T08:00:00Z",
            "The clocks went forward by 1 h 00 min.",
        ),
        (
            CHICAGO, "2026-10-31T20:00:00Z", "2026-11-01T20:00:00Z",
            "Sun 1 Nov; the clocks went back by 1 h 00 min: some times come twice.",
        ),
        (BERLIN, "2028-02-28T20:00:00Z", "2028-02-29T20:00:00Z", "Tue 29 Feb."),
        (BERLIN, "2026-10-25T03:00:00Z", "2026-10-25T20:00:00Z", ""),
    ],
)  # fmt: skip
def test_between_two_times_what_turned_is_said(
    words: Words, before: str, moment: str, said: str
) -> None:
    """Another day, a clock put forward or back: who reads on knows which 02:30 is meant."""
    assert words.turn(moment, before) == said


async def test_a_timeline_over_midnight_names_the_day(
    client: TestClient, house: ScriptedHouse, sign_in: Callable[..., Any]
) -> None:
    """Where the next day begins its name stands, once; what was done then has it too."""
    await sign_in("sro")
    view = house.incident_views["i1"]
    tomorrow = from_iso(view["opened"]) + timedelta(days=1)
    day = Words(house.config.hub.timezone).day(tomorrow)
    answer = await client.get("/incidents/i1")
    assert day not in (await answer.text()).partition('class="tl"')[2]
    view["entries"] += [
        house._entry(0, "incident.note", "Went on", time=iso(tomorrow)),
        house._entry(0, "incident.note", "And on", time=iso(tomorrow + timedelta(minutes=1))),
    ]
    view["actions"][0]["created"] = iso(tomorrow)
    text = await (await client.get("/incidents/i1")).text()
    timeline, _, rest = text.partition('class="tl"')[2].partition("</ol>")
    assert timeline.count(day) == 1
    assert timeline.index(day) < timeline.index("Went on")
    assert f"{day}, {Words(house.config.hub.timezone).minute(tomorrow)}" in rest


def test_a_printed_time_says_its_day_where_that_is_another() -> None:
    """A report of what went on the next day cannot be read as one of a single day."""
    type_ = Type("Europe/Berlin", "2026-10-24T20:00:00Z")
    assert type_.moment("2026-10-24T21:30:00.250Z") == "23:30:00.2"
    assert type_.moment("2026-10-24T22:30:00Z") == "25 Oct, 00:30:00.0"
    assert type_.moment("2026-10-25T00:30:00Z") == "25 Oct, 02:30:00.0"
    assert type_.moment("2026-10-25T01:30:00Z") == "25 Oct, 02:30:00.0 (UTC+0100)"
    assert type_.moment(None) == "unknown"


def test_a_printed_timeline_tells_both_hours_of_the_night_apart(tmp_path: Path) -> None:
    """In the night in which the clocks go back, and where the hub heard of it on another day."""
    from hub.report_pdf import Report

    def line(time: str, received: str) -> dict[str, Any]:
        said = {"text": f"at {time}", "tone": "", "clock": "", "picture": None}
        return {"time": time, "received": received, **said}

    report = {
        "incident": {"drill": False, "opened": "2026-10-24T21:00:00Z"},
        "timezone": "Europe/Berlin",
        "timeline": [
            line("2026-10-25T00:30:00Z", "2026-10-25T00:30:00Z"),
            line("2026-10-25T01:30:00Z", "2026-10-25T01:30:00Z"),
            line("2026-10-25T22:59:00Z", "2026-10-25T23:01:00Z"),
        ],
    }
    parts = Report(report, tmp_path)._timeline()
    lines = [each.bulletText for each in parts if getattr(each, "bulletText", None)]
    assert lines == ["02:30:00.0", "02:30:00.0 (UTC+0100)", "23:59:00.0 (UTC+0100)"]
    assert "hub 26 October 2026, 00:01:00.0 (UTC+0100)" in parts[-1].text
    assert not any("(hub" in each.text for each in parts[:-1] if hasattr(each, "bulletText"))
