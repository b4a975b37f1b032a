"""The after-action report as a PDF: `python -m hub.report_pdf`, a process of its own.

It reads `{"report": ..., "media": FOLDER}` from its input and writes the PDF to its output, so that
the hub neither waits for it nor loads what it needs. The text is real text, in reading order, with
bookmarks, a title and a language, and says what is a heading, a table, a picture: see
`hub.report_tags`.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image as Picture
from reportlab.lib.colors import HexColor
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    CondPageBreak,
    Flowable,
    Frame,
    KeepTogether,
    PageTemplate,
    Spacer,
    Table,
)

from hub.report_tags import Node, Said, Shown, Structure, artifact, attach
from hub.report_type import LINE, MARGIN, QUIET, Type

NICENESS = 10
HEADING_NEEDS = 38 * mm
MOST_ENTRIES = 5000
EACH_HOUR_FROM = 100  # entries; a long timeline has a bookmark for each hour, else for each day
MOST_PICTURES = 24
VIOLET, WHITE = HexColor("#62278a"), HexColor("#ffffff")
ROW = [("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0)]
STATES = {
    "confirmed": "done", "failed": "NOT done", "timed_out": "NO answer",
    "cancelled": "called off", "pending": "waiting",
    "open": "open", "done": "done", "dropped": "dropped",
}  # fmt: skip
RECEIPTS = ("acknowledged", "seen", "delivered", "failed", "accepted", "queued")


class Report:
    """Draws one report; its pictures are in the folder `media`."""

    def __init__(self, report: dict[str, Any], media: Path) -> None:
        self.report = report
        self._media = media
        self._drill = bool(report["incident"]["drill"])
        self.type = Type(report["timezone"], report["incident"]["opened"])

    def _part(self, title: str, table: Flowable | None, none: str) -> list[Flowable]:
        if table is None:
            return [
                self.type.heading(title),
                Said(self.type.plain(none), self.type.small),
            ]
        return [self.type.heading(title), table]

    def story(self) -> list[Flowable]:
        """Everything, in reading order."""
        report, case = self.report, self.report["incident"]
        shown = f"DRILL: {case['title']}" if self._drill else case["title"]
        where = f"{case['place_words']}. " if case["place_words"] else ""
        facts = f"{where}{case['kind_name']}, {case['severity']}. Incident {case['id']}. "
        facts += f"Opened {self.type.moment(case['opened'], date=True)} ({report['timezone']})."
        heading = Said(self.type.plain(shown), self.type.title)
        heading.node = Node("H1")
        parts: list[Flowable] = [
            heading,
            Spacer(1, 3),
            Said(self.type.plain(facts), self.type.text),
        ]
        if self._drill:
            parts.append(Said("<b>This was a drill.</b>", self.type.text))
        for link in case["links"]:
            how = str(link["how"]).replace("_", " ")
            said = f"This incident was {how}: {link['title']} ({link['incident']})."
            parts.append(Said(self.type.plain(said), self.type.text))
        parts += self._moments() + self._unknown() + self._failed()
        parts += self._people() + self._tasks() + self._alerts()
        parts += self._doors() + self._notices() + self._pictures() + self._timeline()
        if self.type.strange:
            said = "Some letters could not be drawn and are shown as ?; the JSON report has them."
            parts.append(Said(said, self.type.small))
        return parts

    def _moments(self) -> list[Flowable]:
        rows: list[list[object]] = [
            [
                one["title"],
                self.type.moment(one["time"], date=True) if one["time"] else "unknown",
                self.type.span(one["after_s"]),
                self.type.span(one["since_last_s"]),
                one["by"] if one["time"] else one["why"],
            ]
            for one in self.report["moments"]
        ]
        heads = ["", "When", "After detection", "After the last", "Who or what"]
        return self._part("Times", self.type.table(heads, rows, [26, 44, 20, 20, 42]), "")

    def _unknown(self) -> list[Flowable]:
        lines = self.report["missing"]
        if not lines:
            return [*self._part("What is not known", None, "Nothing that this report asks for.")]
        said = [Said(self.type.plain(f"– {line}"), self.type.text) for line in lines]
        return [self.type.heading("What is not known"), *said]

    def _failed(self) -> list[Flowable]:
        rows: list[list[object]] = [
            [one["what"], STATES[one["state"]], self.type.moment(one["finished"]), one["detail"]]
            for one in self.report["failed"]
        ]
        table = (
            self.type.table(["What", "", "Ended", "Why"], rows, [50, 18, 20, 60]) if rows else None
        )
        return self._part("What was not done", table, "Everything that was asked for was done.")

    def _people(self) -> list[Flowable]:
        rows: list[list[object]] = [
            [one["role_name"], one["name"], self.type.moment(one["since"])]
            for one in self.report["people"]
        ]
        table = self.type.table(["Role", "Who", "Since"], rows, [50, 60, 38]) if rows else None
        return self._part("People's roles at the end", table, "Nobody had a role.")

    def _tasks(self) -> list[Flowable]:
        rows: list[list[object]] = [
            [
                one["text"],
                STATES[one["state"]],
                one["who"] or "nobody",
                f"{self.type.moment(one['ended'])}, {one['by']}" if one["ended"] else "–",
                one["note"],
            ]
            for one in self.report["tasks"]
        ]
        heads = ["Task", "", "Taken by", "Ended, by", "Note"]
        table = self.type.table(heads, rows, [50, 16, 26, 30, 30]) if rows else None
        return self._part("Tasks", table, "There were none.")

    def _alerts(self) -> list[Flowable]:
        rows: list[list[object]] = []
        for one in self.report["alerts"]:
            verdict = one["verdict"]
            said = "no verdict"
            if verdict:
                when = self.type.moment(verdict["time"])
                said = f"{verdict['verdict']} at {when} by {verdict['by']}"
                said += f": {verdict['note']}" if verdict["note"] else ""
            place = one["place_words"]
            rows.append(
                [one["title"], one["severity"], self.type.moment(one["opened"]), place, said]
            )
        heads = ["Alert", "Severity", "Raised", "Where", "Verdict"]
        table = self.type.table(heads, rows, [40, 18, 20, 34, 40]) if rows else None
        return self._part("Alerts", table, "There were none.")

    def _doors(self) -> list[Flowable]:
        rows: list[list[object]] = [
            [
                one["what"], STATES[one["state"]], self.type.moment(one["created"]),
                self.type.span(one["took_s"]), one["detail"],
            ]
            for one in self.report["doors"]
        ]  # fmt: skip
        heads = ["Asked", "", "When", "Took", "Detail"]
        table = self.type.table(heads, rows, [50, 20, 20, 20, 42]) if rows else None
        return self._part("Doors", table, "No door was asked for anything.")

    def _notices(self) -> list[Flowable]:
        rows: list[list[object]] = []
        for one in self.report["notices"]:
            ended = STATES[one["state"]] if one["state"] != "confirmed" else "accepted"
            read = "; ".join(map(self._receipt, one["receipts"])) or one["detail"]
            what = f"{one['what']} ({one['about']})"
            rows.append(
                [
                    what,
                    ended,
                    self.type.moment(one["created"]),
                    self.type.span(one["took_s"]),
                    read,
                ]
            )
        heads = ["Notice", "", "Sent", "Took", "What became of it"]
        table = self.type.table(heads, rows, [50, 20, 20, 20, 42]) if rows else None
        return self._part("Notices", table, "Nobody was told anything.")

    def _receipt(self, one: dict[str, Any]) -> str:
        last = next((each for each in RECEIPTS if one.get(each)), "queued")
        return f"{one['name'] or 'everyone'}: {last} {self.type.moment(one.get(last))}"

    def _pictures(self) -> list[Flowable]:
        known = self.report["pictures"]
        pictures = {one["name"]: one for one in known if one["kept"]}
        drawn = [
            (image, one)
            for one in list(pictures.values())[:MOST_PICTURES]
            if (image := self._image(self._media / one["name"], one)) is not None
        ]
        if not drawn:
            none = "None was kept." if not known else "None of them is kept any more."
            return self._part("Pictures", None, none)
        parts: list[Flowable] = []
        for start in range(0, len(drawn), 2):
            pair = drawn[start : start + 2]
            cells = [
                [
                    image,
                    self.type.cell(
                        f"{self.type.moment(one['time'])} {one['text']}", self.type.small
                    ),
                ]
                for image, one in pair
            ]
            row = Table([cells + [""] * (2 - len(cells))], colWidths=[self.type.width / 2] * 2)
            row.setStyle(ROW)
            parts.append(row if parts else KeepTogether([self.type.heading("Pictures"), row]))
        if len(pictures) > MOST_PICTURES:
            said = f"The first {MOST_PICTURES} of {len(pictures)}; the JSON report names them all."
            parts.append(Said(said, self.type.small))
        return parts

    def _image(self, file: Path, one: dict[str, Any]) -> Shown | None:
        try:
            with Picture.open(file) as picture:
                width, height = picture.size
                picture.load()
        except (OSError, ValueError, Picture.DecompressionBombError):
            return None
        scale = min((self.type.width / 2 - 8) / width, 60 * mm / height)
        shown = Shown(str(file), width * scale, height * scale)
        said = f"Picture of {self.type.moment(one['time'], date=True)}: {one['text']}"
        shown.node = Node("Figure", alt=said)
        return shown

    def _timeline(self) -> list[Flowable]:
        entries = self.report["timeline"]
        parts: list[Flowable] = [self.type.heading("Timeline")]
        said = "Times are the source's own, on the school's clock, and the hub's where it differs."
        parts.append(Said(said, self.type.small))
        begun, hourly = "", len(entries) > EACH_HOUR_FROM
        for one in entries[:MOST_ENTRIES]:
            time = self.type.moment(one["time"], date=True)
            date, _, clock = time.rpartition(", ")
            if (head := f"{date}, {clock[:2]}:00" if hourly else date) != begun:
                begun = head
                parts.append(self.type.heading(head, below=True))
            colour = ' color="#ac1117"' if one["tone"] == "severe" else ""
            text = f"<font{colour}>{self.type.plain(one['text'])}</font>"
            hub = self.type.moment(one["received"], date=True)
            said = hub.removeprefix(f"{date}, ")
            heard = [f"hub {said}"] if hub != time else []
            heard += [one["clock"]] if one["clock"] else []
            if heard:
                said = self.type.plain("; ".join(heard))
                text += f' <font size="7.5" color="#566070">({said})</font>'
            parts.append(Said(text, self.type.line, bulletText=clock))
        if len(entries) > MOST_ENTRIES:
            said = f"The first {MOST_ENTRIES} of {len(entries)} entries; the JSON has them all."
            parts.append(Said(said, self.type.small))
        return parts

    # -------------------------------------------------------------------- pages

    def pdf(self) -> bytes:
        """The file."""
        out, report = BytesIO(), self.report
        case = report["incident"]
        document = _Document(
            out,
            pagesize=self.type.size,
            title=f"{'DRILL: ' if self._drill else ''}After-action report: {case['title']}",
            author=report["school"],
            subject=f"Incident {case['id']}",
            creator="Vestibule",
            lang="en-GB",
        )
        frame = Frame(
            MARGIN,
            MARGIN + 6 * mm,
            self.type.width,
            self.type.size[1] - 2 * MARGIN - 16 * mm,
            0,
            0,
            0,
            0,
        )
        document.addPageTemplates(PageTemplate("page", [frame]))
        story: list[Flowable] = []
        structure = Said.structure = Shown.structure = Structure()
        for part in self.story():
            attach(part, structure.root)
            if getattr(part, "bookmark", ""):
                story.append(CondPageBreak(HEADING_NEEDS))
            story.append(part)
        document.build(story, canvasmaker=lambda *a, **k: _Pages(self, structure, *a, **k))
        return out.getvalue()

    def furniture(self, canvas: Canvas, page: int, pages: int) -> None:
        """What stands on every page."""
        width, height = self.type.size
        if self._drill:
            canvas.setFillColor(VIOLET)
            canvas.rect(0, height - 9 * mm, width, 9 * mm, stroke=0, fill=1)
            canvas.setFillColor(WHITE)
            canvas.setFont("Bold", 11)
            canvas.drawCentredString(width / 2, height - 6.3 * mm, "DRILL  ·  DRILL  ·  DRILL")
        canvas.setFont("Text", 8)
        canvas.setFillColor(QUIET)
        top = height - MARGIN + 2 * mm
        canvas.drawString(MARGIN, top, _bare(self, self.report["school"]))
        canvas.drawRightString(width - MARGIN, top, "After-action report")
        made = f"Generated {self.type.moment(self.report['generated'], date=True)} by "
        made += f"{self.report['generated_by']}. Only for those who need it."
        canvas.drawString(MARGIN, MARGIN - 5 * mm, _bare(self, made))
        canvas.drawRightString(width - MARGIN, MARGIN - 5 * mm, f"Page {page} of {pages}")
        canvas.setStrokeColor(LINE)
        canvas.line(MARGIN, MARGIN, width - MARGIN, MARGIN)


def _bare(report: Report, text: str) -> str:
    return "".join(map(report.type.drawn, text.replace("\n", " ")))[:110]


class _Document(BaseDocTemplate):  # type: ignore[misc]
    """Adds a bookmark for each heading."""

    def afterFlowable(self, flowable: Flowable) -> None:
        """Note where a heading came to stand."""
        name = getattr(flowable, "bookmark", "")
        if name:
            self.canv.bookmarkPage(name)
            self.canv.addOutlineEntry(name, name, flowable.level, closed=flowable.level == 0)


class _Pages(Canvas):  # type: ignore[misc]
    """Draws what stands on every page once it is known how many there are."""

    def __init__(self, report: Report, structure: Structure, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._report = report
        self._structure = structure
        self.setViewerPreference("DisplayDocTitle", "true")
        self._kept: list[dict[str, Any]] = []

    def showPage(self) -> None:
        """Keep the page for later."""
        self._kept.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        """Finish every page, then write the file."""
        pages = len(self._kept)
        for number, kept in enumerate(self._kept, start=1):
            self.__dict__.update(kept)
            with artifact(self):
                self._report.furniture(self, number, pages)
            super().showPage()
        self._structure.write(self._doc)
        super().save()


def main() -> None:
    """Read the report, write the PDF."""
    with suppress(OSError):
        os.nice(NICENESS)
    asked = json.loads(sys.stdin.buffer.read())
    sys.stdout.buffer.write(Report(asked["report"], Path(asked["media"])).pdf())


if __name__ == "__main__":
    main()
