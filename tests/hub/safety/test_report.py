"""The after-action report: real times, their intervals, and what is not known."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import sys
import zlib
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from safety_school import EVENING, INTRUSIONS, School, school, until

from hub.clock import iso
from hub.errors import CommandFailed, Refused
from hub.events import Event
from hub.incidents import Incidents
from hub.kinds.notifiers import Ack, Notice, Receipt
from hub.perception.pictures import Pictures
from hub.ports import Outcome
from hub.safety.incidents.desk import CaseDesk
from hub.safety.notices.hearing import Hearing
from hub.testing import FakeClock
from hub.views import IncidentView

TASKS = {"intrusion": {"tasks": ["Look through the camera", "Meet them"]}}
SAW = f"{'a' * 32}.jpg"
KEPT = f"{'b' * 32}.jpg"


class House:
    """What incidents ask of the house here: which pictures are kept."""

    def __init__(self, media: Path) -> None:
        self._media = media

    def media(self, name: str) -> Path | None:
        path = self._media / name
        return path if path.is_file() else None


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[School]:
    """A school whose intrusions come with tasks, and where one bolt sticks."""
    async with school(tmp_path, FakeClock(EVENING), incidents=TASKS, rules=INTRUSIONS) as made:
        made.doors.answers["store"] = lambda: Outcome("failed", "the bolt is stuck")
        made.perform()
        yield made


@pytest.fixture
def desk(house: School, tmp_path: Path) -> Incidents:
    """Where its reports are made; one of two pictures is still kept."""
    (tmp_path / "media").mkdir()
    Image.new("RGB", (64, 36), "#46515d").save(tmp_path / "media" / KEPT)
    return Incidents(house.intake, House(tmp_path / "media"), tmp_path / "media")  # type: ignore[arg-type]


async def lived_through(house: School, desk: CaseDesk, drill: bool = False) -> IncidentView:
    """An intrusion from its detection to its end, each step at a time of its own."""
    seen = house.seen(data={"drill": True} if drill else {})
    at = seen.time - timedelta(seconds=1.5)
    await house.intake.accept(Event(seen.type, seen.source, at, seen.subject, seen.data))
    await house.settled()
    alert = (await house.intake.alerts())[0]
    case = alert["incident"]
    house.clock.set(EVENING + timedelta(seconds=20))
    await house.intake.acknowledge(alert["id"], "officer")
    await house.settled()
    house.clock.set(EVENING + timedelta(seconds=80))
    await house.intake.verdict(alert["id"], "verified", "officer", "seen through the window")
    await house.settled()
    await desk.role(case, "commander", "head", "head")
    house.clock.set(EVENING + timedelta(seconds=200))
    await desk.role(case, "on_scene", "officer", "officer")
    data = {"camera": "wing", "incident": case, "picture": KEPT, "offset_s": 4.0}
    await house.intake.accept(
        Event("picture.saved", "camera/wing", house.clock.now(), "wing", data)
    )
    view = await house.intake.incident(case)
    await desk.task(case, view["tasks"][0]["id"], "done", "officer", note="one person")
    await desk.update(case, "A cleaner <b>&</b> her key\n李", "head")
    await house.settled()
    house.clock.set(EVENING + timedelta(minutes=30))
    return await desk.close(case, "head", why="a cleaner")


async def test_the_moments_are_the_times_at_which_things_happened(
    house: School, desk: Incidents
) -> None:
    """Detected by the camera's clock, then told, taken on, on scene and over, with intervals."""
    case = await lived_through(house, desk)
    made = await desk.report(case["id"], "head")
    moments = {one["name"]: one for one in made["moments"]}
    assert list(moments) == ["detected", "notified", "acknowledged", "on_scene", "resolved"]
    assert [one["time"] for one in made["moments"]] == [
        iso(EVENING + timedelta(seconds=each)) for each in (-1.5, 0, 20, 200, 1800)
    ]
    assert [one["after_s"] for one in made["moments"]] == [None, 1.5, 21.5, 201.5, 1801.5]
    assert [one["since_last_s"] for one in made["moments"]] == [None, 1.5, 20.0, 180.0, 1600.0]
    assert moments["detected"]["by"] == "Wing camera"
    assert moments["on_scene"]["by"] == "School resource officer"
    assert moments["resolved"]["by"] == "Principal"
    assert all(one["why"] == "" for one in made["moments"])


async def test_it_holds_everything_that_was_done_and_what_was_not(
    house: School, desk: Incidents
) -> None:
    """People, tasks, doors, notices with how they ended, failures, pictures, the whole story."""
    case = await lived_through(house, desk)
    made = await desk.report(case["id"], "head")
    assert (made["generated_by"], made["incident"]["kind"]) == ("Principal", "intrusion")
    assert [one["role"] for one in made["people"]] == ["commander", "on_scene"]
    assert [(one["state"], one["by"]) for one in made["tasks"]] == [
        ("done", "School resource officer"), ("open", ""),
    ]  # fmt: skip
    assert {one["state"] for one in made["doors"]} == {"confirmed", "failed"}
    assert [one["detail"] for one in made["failed"]] == ["the bolt is stuck"]
    assert {one["about"] for one in made["notices"]} >= {"alert", "verdict", "update", "outcome"}
    assert all(one["receipts"] for one in made["notices"] if one["to"])
    assert {one["name"]: one["kept"] for one in made["pictures"]} == {SAW: False, KEPT: True}
    kinds = [each["type"] for each in made["timeline"]]
    assert kinds[0] == "zone.entered"
    after = kinds[kinds.index("incident.closed") + 1 :]
    assert set(after) <= {"action.confirmed"}, "nothing but that its end was told"
    assert made["alerts"][0]["verdict"]["by"] == "School resource officer"
    assert json.loads(json.dumps(made)) == made


async def test_a_picture_that_was_exchanged_is_no_evidence(
    house: School, desk: Incidents, tmp_path: Path
) -> None:
    """Its name is the SHA-256 of what was taken: another file of that name is named, not shown."""
    media = tmp_path / "media"
    name = Pictures(tmp_path / "newest.jpg", media).store((media / KEPT).read_bytes())
    await house.intake.accept(house.seen(data={"picture": name}))
    await house.settled()
    case = (await house.intake.incidents())[0]["id"]

    async def shown() -> tuple[list[bool], bool]:
        made = await desk.report(case, "head")
        kept = [one["kept"] for one in made["pictures"] if one["name"] == name]
        return kept, any(name in line for line in made["missing"])

    assert await shown() == ([True], False)
    Image.new("RGB", (64, 36), "#46515e").save(media / name)
    assert await shown() == ([False], True)


async def test_what_is_not_known_is_said(house: School, desk: Incidents) -> None:
    """No time is made up: each that is missing stands there with the reason."""
    await house.intake.accept(house.seen())
    case = (await house.intake.incidents())[0]["id"]
    await house.settled()
    made = await desk.report(case, "head")
    unknown = {one["name"]: one["why"] for one in made["moments"] if one["time"] is None}
    assert unknown == {
        "acknowledged": "nobody has taken it on, and nobody has decided",
        "on_scene": "nobody said that they were on scene",
        "resolved": "the incident is still open",
    }
    assert "On scene: nobody said that they were on scene." in made["missing"]
    assert "Alerts without a verdict: 1." in made["missing"]
    assert "Pictures that are no longer kept: 1." in made["missing"]
    assert "Tasks that nobody has ended: 2." in made["missing"]
    assert any("whether they were read" in line for line in made["missing"])


async def test_an_incident_that_nobody_was_told_of_says_so(house: School, desk: Incidents) -> None:
    """Opened by hand: detected by whoever opened it, and nobody was to be told."""
    case = await desk.open("Fall in the gym", "medical", "high", "gym", "desk")
    made = await desk.report(case["id"], "desk")
    detected, notified = made["moments"][:2]
    assert (detected["by"], detected["time"]) == ("Front office", iso(EVENING))
    assert detected["why"] == "a person opened the incident; no alert led to it"
    assert notified["why"] == "nobody was to be told"


async def test_a_clock_that_is_off_is_named_and_not_believed(
    house: School, desk: Incidents
) -> None:
    """A camera ten minutes ahead has not seen it after the hub had heard of it."""
    seen = house.seen()
    ahead = seen.time + timedelta(minutes=10)
    await house.intake.accept(Event(seen.type, seen.source, ahead, seen.subject, seen.data))
    case = (await house.intake.incidents())[0]["id"]
    await house.settled()
    made = await desk.report(case, "head")
    assert made["moments"][0]["time"] == iso(EVENING)
    assert "Sources whose times may be wrong: camera/wing." in made["missing"]


async def test_what_arrived_after_all_is_drawn_as_arrived(
    house: School, desk: Incidents, tmp_path: Path
) -> None:
    """A channel that had given up and hears later that a telephone has it: the PDF and the page of
    the alert say the same.
    """
    from hub.report_pdf import Report

    def gives_up(notice: Notice) -> Receipt:
        raise CommandFailed("no answer")

    post = house.channels["post"]
    post.answer = gives_up
    await house.intake.accept(house.seen())
    await house.settled()
    await Hearing(house.intake).take("post", Ack("delivered", key=post.sent[0].key))
    case = (await house.intake.incidents())[0]["id"]
    made = await desk.report(case, "head")
    (receipt,) = next(one["receipts"] for one in made["notices"] if one["key"] == post.sent[0].key)
    drawn = Report(dict(made), tmp_path)._receipt(receipt)
    assert drawn.startswith("School resource officer: delivered")


async def test_a_report_that_is_taken_away_leaves_a_line(house: School, desk: Incidents) -> None:
    """Who took exactly what is told in the story, and is in the journal."""
    case = await desk.open("Fall", "medical", "high", "gym", "desk")
    await desk.report(case["id"], "head")
    assert await exports(house, case["id"]) == []
    taken = await desk.json(case["id"], "head"), await desk.pdf(case["id"], "desk")
    facts = [(len(data), hashlib.sha256(data).hexdigest()) for data in taken]
    assert await exports(house, case["id"]) == [
        f"Principal took the report away as JSON ({facts[0][0]} bytes, SHA-256 {facts[0][1]})",
        f"Front office took the report away as PDF ({facts[1][0]} bytes, SHA-256 {facts[1][1]})",
    ]
    assert json.loads(taken[0])["incident"]["id"] == case["id"]
    with pytest.raises(KeyError):
        await desk.json("nowhere", "head")


async def exports(house: School, case: str) -> list[str]:
    """What the story tells of reports that were taken away."""
    story = (await house.intake.incident(case))["entries"]
    return [each["text"] for each in story if each["type"] == "incident.exported"]


def streams(pdf: bytes) -> str:
    """What stands in the content streams of a PDF, without their compression."""
    found = []
    for body in re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        try:
            found.append(zlib.decompress(base64.a85decode(body.strip(), adobe=False)))
        except (ValueError, zlib.error):
            try:
                found.append(zlib.decompress(base64.a85decode(b"<~" + body.strip(), adobe=True)))
            except (ValueError, zlib.error):
                continue
    return "\n".join(each.decode("latin-1") for each in found)


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", pdf))


def structure(pdf: bytes) -> Counter[str]:
    """How often each kind of part is in the structure of a PDF."""
    return Counter(re.findall(r"/S /(\w+)", pdf.decode("latin-1")))


async def test_the_pdf_says_what_is_what(house: School, desk: Incidents) -> None:
    """Whoever has it read to them hears headings, tables with their heads, and what pictures show;
    nothing that is drawn is outside of that, but for what decorates each page.
    """
    case = await lived_through(house, desk)
    pdf = await desk.pdf(case["id"], "head")
    found = structure(pdf)
    assert (found["Document"], found["H1"], found["H2"]) == (1, 1, 10)
    assert (found["Table"], found["TH"]) == (7, 32)
    assert found["TD"] > found["TR"] > found["Table"]
    assert found["Figure"] == 1
    assert b"/Alt (Picture of 2 March 2026" in pdf
    assert b"/MarkInfo" in pdf
    assert b"/DisplayDocTitle true" in pdf
    depth, texts = 0, 0
    for line in streams(pdf).splitlines():
        depth += line.endswith((" BDC", " BMC")) - line.count("EMC")
        assert depth in (0, 1)
        assert depth == 1 or " Tj" not in line, f"not part of anything: {line}"
        texts += " Tj" in line
    assert texts > 50
    marks = sum(len(each.split()) // 3 for each in re.findall(r"\[([\d R\n]*)\]", nums(pdf)))
    assert marks == streams(pdf).count("BDC")


def nums(pdf: bytes) -> str:
    """By page, the parts of the structure whose content stands there."""
    text = pdf.decode("latin-1")
    start = text.index("/Nums [") + len("/Nums [")
    return text[start : text.index(">>", start)]


def test_a_long_timeline_has_a_bookmark_for_each_hour(tmp_path: Path) -> None:
    """Two thousand entries stay a report in which one finds what one looks for."""
    from hub.report_pdf import Report

    def at(number: int) -> str:
        return iso(EVENING + timedelta(seconds=10 * number))

    entries = [
        {"time": at(n), "received": at(n), "text": f"Entry {n}", "tone": "neutral", "clock": "",
         "picture": None}
        for n in range(2000)
    ]  # fmt: skip
    incident = {"id": "i", "title": "A long night", "drill": False, "place_words": "Site",
                "kind_name": "Fight", "severity": "high", "opened": at(0), "links": []}  # fmt: skip
    empty = ("moments", "people", "tasks", "alerts", "doors", "notices", "failed", "pictures")
    made: dict[str, Any] = {key: [] for key in empty}
    made |= {"missing": [], "timeline": entries, "incident": incident, "school": "Hill School",
             "timezone": "UTC", "generated": at(2000), "generated_by": "Head"}  # fmt: skip
    moment = {"title": "Detected", "time": at(0), "after_s": None, "since_last_s": None, "by": "x"}
    made["moments"] = [moment]
    pdf = Report(made, tmp_path).pdf()
    assert pages(pdf) < 80
    assert structure(pdf)["H3"] == 6
    assert structure(pdf)["P"] > 2000
    titles = re.findall(r"/Title \((2 March 2026|3 March 2026), (\d\d:00)\)", pdf.decode("latin-1"))
    assert titles[:2] == [("2 March 2026", "20:00"), ("2 March 2026", "21:00")]


async def test_the_pdf_has_pages_bookmarks_a_title_and_real_text(
    house: School, desk: Incidents
) -> None:
    """It can be read aloud and searched; each page has its number and the school's name."""
    case = await lived_through(house, desk)
    pdf = await desk.pdf(case["id"], "head")
    assert pages(pdf) >= 2
    assert b"/Lang (en-GB)" in pdf
    assert b"/Outlines" in pdf
    assert b"/Title (After-action report: Person in the closed science wing)" in pdf
    text = streams(pdf)
    assert f"(Page 1 of {pages(pdf)})" in text
    assert text.count("(Vestibule)") == pages(pdf)
    assert "DRILL" not in text
    for said in ("Wing camera", "20:14:58.5", "the bolt is stuck", "Times", "What is not known"):
        assert said in text or said.replace(" ", ") (") in text, said
    assert b"/Subtype /Image" in pdf


async def test_a_drill_is_marked_on_every_page(house: School, desk: Incidents) -> None:
    """No page of a drill's report can be taken for real."""
    case = await lived_through(house, desk, drill=True)
    for number in range(60):
        await desk.note(case["id"], f"Radio {number}: " + "all quiet " * 20, "desk")
    pdf = await desk.pdf(case["id"], "head")
    assert pages(pdf) >= 3
    assert streams(pdf).count("(DRILL  ") == pages(pdf)
    assert b"/Title (DRILL: After-action report" in pdf


async def test_no_note_stops_the_pdf(house: School, desk: Incidents) -> None:
    """Enormous words, hundreds of lines, what looks like markup, other scripts: all are drawn."""
    case = await desk.open("Fall", "medical", "high", "gym", "desk")
    for text in ("x" * 4000, "\n".join(["line"] * 799), "<para>&amp;</b>" * 200, "李" * 4000):
        await desk.note(case["id"], text, "desk")
    pdf = await desk.pdf(case["id"], "head")
    assert pages(pdf) > 10
    assert "Some letters could not be drawn" in streams(pdf)


async def test_a_picture_that_is_broken_is_left_out(
    house: School, desk: Incidents, tmp_path: Path
) -> None:
    """A file that is no picture costs the picture, not the report."""
    case = await lived_through(house, desk)
    (tmp_path / "media" / KEPT).write_bytes(b"not a picture")
    pdf = await desk.pdf(case["id"], "head")
    assert b"/Subtype /Image" not in pdf
    assert "None of them" in streams(pdf)


async def test_a_pdf_that_cannot_be_made_is_refused_in_words(
    house: School, desk: Incidents, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The process that makes it dies, or takes too long: the hub says so and points at the JSON."""
    case = await desk.open("Fall", "medical", "high", "gym", "desk")
    broken = tmp_path / "broken.sh"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(Refused, match="could not be made"):
        await desk.pdf(case["id"], "head")
    broken.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr("hub.incidents.PDF_WITHIN_S", 0.2)
    with pytest.raises(Refused, match="not ready within"):
        await desk.pdf(case["id"], "head")
    assert await exports(house, case["id"]) == [], "nothing was taken away"


async def test_whoever_waits_for_other_reports_is_told_so(
    house: School, desk: Incidents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are made one after the other, and nobody waits for ever for their turn."""
    case = await desk.open("Fall", "medical", "high", "gym", "desk")
    monkeypatch.setattr("hub.incidents.PDF_WITHIN_S", 0.05)
    await desk._one_pdf.acquire()
    async with asyncio.timeout(20):
        with pytest.raises(Refused, match="other reports are being made"):
            await desk.pdf(case["id"], "head")
    assert desk._one_pdf.locked()


async def test_the_hub_goes_on_while_a_pdf_is_made(
    house: School, desk: Incidents, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The process is another one: a note is taken before the PDF is ready."""
    case = await lived_through(house, desk)
    held = tmp_path / "held.sh"
    held.write_text(
        f"#!/bin/sh\ntouch {tmp_path}/begun\n"
        f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done\nexec {sys.executable} $@\n"
    )
    held.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(held))
    making = asyncio.create_task(desk.pdf(case["id"], "head"))

    await until((tmp_path / "begun").exists)
    await desk.note(case["id"], "Meanwhile", "desk")
    assert not making.done()
    (tmp_path / "go").touch()
    assert (await making).startswith(b"%PDF")


def test_what_draws_the_pdf_is_not_loaded_by_the_hub() -> None:
    """ReportLab is loaded by the process that draws, and by nothing else."""
    drawing = re.compile(r"^\s*(?:from|import) (?:reportlab|hub\.report_\w+)", re.MULTILINE)
    hub = Path(__file__).parents[3] / "hub"
    found = {
        file.name for file in hub.rglob("*.py") if drawing.search(file.read_text(encoding="utf-8"))
    }
    assert found == {"report_pdf.py", "report_tags.py", "report_type.py"}
