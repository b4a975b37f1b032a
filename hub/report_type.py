"""How a report is set: letters, styles, times, and tables that break across pages."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4, LETTER
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

from hub.report_tags import Node, Ruled, Said, rows_of

LONGEST_CELL = 400
INK, QUIET, LINE = HexColor("#12161c"), HexColor("#566070"), HexColor("#c9ced6")
MARGIN = 18 * mm


class Type:
    """The paper and the letters of one report; `strange` says whether one had to be replaced.

    Schools in America print on Letter, all others on A4. Times are those of the day on which it was
    `opened`, where nothing else is said with them.
    """

    def __init__(self, timezone: str, opened: str) -> None:
        self.strange = False
        self._zone = ZoneInfo(timezone)
        self._opened = datetime.fromisoformat(opened).astimezone(self._zone)
        self.size: tuple[float, float] = LETTER if timezone.startswith("America/") else A4
        self.width = self.size[0] - 2 * MARGIN
        self._fonts()

    def _fonts(self) -> None:
        for name, file in (("Text", "Vera.ttf"), ("Bold", "VeraBd.ttf")):
            pdfmetrics.registerFont(TTFont(name, file))
        pdfmetrics.registerFontFamily("Text", normal="Text", bold="Bold")
        self._known = pdfmetrics.getFont("Text").face.charToGlyph
        base = ParagraphStyle("text", fontName="Text", fontSize=9, leading=12.5, textColor=INK)
        self.text = base
        self.small = ParagraphStyle("small", base, fontSize=8, leading=11, textColor=QUIET)
        self.head = ParagraphStyle("head", base, fontName="Bold", fontSize=8.5, leading=11.5)
        self.title = ParagraphStyle("title", base, fontName="Bold", fontSize=18, leading=23)
        self.section = ParagraphStyle(
            "section", base, fontName="Bold", fontSize=12, leading=16, spaceBefore=14, spaceAfter=5,
        )  # fmt: skip
        self.line = ParagraphStyle(
            "line", base, leftIndent=62, spaceAfter=3, bulletFontName="Text", bulletFontSize=9
        )

    def plain(self, text: object, longest: int = 0) -> str:
        """A text as the font can draw it, escaped for markup."""
        said = str(text)
        if longest and len(said) > longest:
            said = f"{said[: longest - 1]}…"
        said = re.sub(r"\n{3,}", "\n\n", said)
        return escape("".join(map(self.drawn, said))).replace("\n", "<br/>")

    def drawn(self, letter: str) -> str:
        if letter == "\n" or ord(letter) in self._known:
            return letter
        bare = unicodedata.normalize("NFKD", letter)
        kept = "".join(one for one in bare if ord(one) in self._known and one.isascii())
        if not kept:
            self.strange = True
        return kept or "?"

    def moment(self, time: str | None, date: bool = False) -> str:
        """A time on the school's clock, to a tenth of a second; `unknown` without one. With its day
        where that is another than the incident's, or wanted, and with the difference to UTC where
        the clocks have changed since: some times come twice then.
        """
        if not time:
            return "unknown"
        local = datetime.fromisoformat(time).astimezone(self._zone)
        clock = self.clock(local)
        if date:
            return f"{local.day} {local:%B %Y}, {clock}"
        return clock if local.date() == self._opened.date() else f"{local.day} {local:%b}, {clock}"

    def clock(self, local: datetime) -> str:
        """The hour alone, of a time at the school."""
        changed = local.utcoffset() != self._opened.utcoffset()
        shift = f" (UTC{local:%z})" if changed else ""
        return f"{local:%H:%M:%S}.{local.microsecond // 100_000}{shift}"

    @staticmethod
    def span(seconds: float | None) -> str:
        """An interval in words; a dash without one."""
        if seconds is None:
            return "–"
        sign, seconds = ("−" if seconds < 0 else ""), abs(seconds)
        if seconds < 60:
            return f"{sign}{seconds:.1f} s"
        minutes, rest = divmod(int(seconds), 60)
        if minutes < 60:
            return f"{sign}{minutes} min {rest:02d} s"
        hours, minutes = divmod(minutes, 60)
        return f"{sign}{hours} h {minutes:02d} min"

    def heading(self, text: str, *, below: bool = False) -> Said:
        """The head of a section, or of a part `below` one, which gets a bookmark."""
        heading = Said(self.plain(text), self.head if below else self.section)
        heading.bookmark, heading.level = text, int(below)
        heading.node = Node("H3" if below else "H2")
        return heading

    def cell(self, text: object, style: ParagraphStyle | None = None) -> Said:
        """What stands in one cell of a table, cut where it is very long."""
        return Said(self.plain(text, LONGEST_CELL), style or self.text)

    def table(self, heads: list[str], rows: list[list[object]], widths: list[float]) -> Ruled:
        """Rows under their heads, which come again on each page; widths count as shares."""
        total = sum(widths)
        body = [[self.cell(head, self.head) for head in heads]]
        body += [[self.cell(value) for value in row] for row in rows]
        table = Ruled(
            body,
            colWidths=[self.width * each / total for each in widths],
            repeatRows=1,
            splitInRow=1,
        )
        table.setStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE),
                ("LEFTPADDING", (0, 0), (0, -1), 0),
                ("TOPPADDING", (0, 0), (-1, -1), 2.5),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 3.5),
            ]
        )
        table.node = rows_of(body)
        return table
