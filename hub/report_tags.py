"""The structure of a report for those who have it read to them: what is a heading, a paragraph, a
table with its rows and heads, a picture and what it shows (ISO 32000-1, 14.7 and 14.8).

ReportLab writes none of it. So each flowable here says what it is while it is drawn, by marked
content, and the tree of all that is added to the file at its end. What only decorates a page, and
what comes again on each, is marked as an artifact, which nobody is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from reportlab.pdfbase.pdfdoc import PDFArray, PDFDictionary, PDFName, PDFObjectReference, PDFString
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Image, KeepTogether, Paragraph, Table


@dataclass(slots=True, eq=False)
class Node:
    """A part of the structure: its kind in the standard's words, and what it holds. `marks` are the
    places where its content is drawn, as page (from 1) and number on that page.
    """

    kind: str
    kids: list[Node] = field(default_factory=list)
    marks: list[tuple[int, int]] = field(default_factory=list)
    alt: str = ""


class Structure:
    """The structure of one document, filled while its pages are drawn."""

    def __init__(self) -> None:
        self.root = Node("Document")
        self._on_page: dict[int, list[Node]] = defaultdict(list)

    @contextmanager
    def drawn(self, canvas: Canvas, node: Node) -> Iterator[None]:
        """What is drawn meanwhile belongs to this part. A table's heads come again on each of its
        pages: only the first are content.
        """
        page = canvas.getPageNumber()
        if node.kind == "TH" and node.marks and node.marks[0][0] != page:
            with artifact(canvas):
                yield
            return
        number = len(self._on_page[page])
        self._on_page[page].append(node)
        node.marks.append((page, number))
        canvas._code.append(f"/{node.kind} <</MCID {number}>> BDC")
        yield
        canvas._code.append("EMC")

    def write(self, document: Any) -> None:
        """Add the tree to a document of which every page is there."""
        pages = document.Pages.pages
        parents: list[Any] = []
        self._names: dict[int, str] = {}
        tree = PDFDictionary({"Type": PDFName("StructTreeRoot")})
        document.Reference(tree, "StructTreeRoot")
        root = self._element(document, self.root, "StructTreeRoot")
        for index, page in enumerate(pages):
            marked = self._on_page.get(index + 1, [])
            parents += [index, PDFArray([self._named(each) for each in marked])]
            page.StructParents, page.Tabs = index, PDFName("S")
            page.__NoDefault__ = [*page.__NoDefault__, "StructParents", "Tabs"]
        tree["K"] = root
        tree["ParentTree"] = PDFDictionary({"Nums": PDFArray(parents)})
        tree["ParentTreeNextKey"] = len(pages)
        document.Catalog.StructTreeRoot = PDFObjectReference("StructTreeRoot")
        document.Catalog.MarkInfo = PDFDictionary({"Marked": "true"})

    def _element(self, document: Any, node: Node, parent: str) -> PDFObjectReference:
        name = self._names[id(node)] = f"Structure{len(self._names)}"
        made = PDFDictionary({"Type": PDFName("StructElem"), "S": PDFName(node.kind)})
        made["P"] = PDFObjectReference(parent)
        if node.alt:
            made["Alt"] = PDFString(node.alt)
        if node.kind == "TH":
            made["A"] = PDFDictionary({"O": PDFName("Table"), "Scope": PDFName("Column")})
        document.Reference(made, name)
        kids: list[Any] = [self._element(document, each, name) for each in node.kids]
        for page, number in node.marks:
            mark = {"Type": PDFName("MCR"), "MCID": number}
            mark["Pg"] = document.Reference(document.Pages.pages[page - 1])
            kids.append(PDFDictionary(mark))
        made["K"] = PDFArray(kids)
        return PDFObjectReference(name)

    def _named(self, node: Node) -> PDFObjectReference:
        return PDFObjectReference(self._names[id(node)])


@contextmanager
def artifact(canvas: Canvas) -> Iterator[None]:
    """What is drawn meanwhile decorates the page, and is read to nobody."""
    canvas._code.append("/Artifact BMC")
    yield
    canvas._code.append("EMC")


class Said(Paragraph):  # type: ignore[misc]
    """A paragraph that is part of the structure, however many pages it comes to stand on. A heading
    has a bookmark, on its level.
    """

    node: Node | None = None
    bookmark = ""
    level = 0
    structure: ClassVar[Structure]

    def draw(self) -> None:
        """Draw it as what it is."""
        if self.node is None:
            super().draw()
            return
        with self.structure.drawn(self.canv, self.node):
            super().draw()

    def split(self, width: float, height: float) -> list[Paragraph]:
        """The parts are one paragraph."""
        parts: list[Paragraph] = super().split(width, height)
        for part in parts:
            part.node = self.node
        return parts


class Shown(Image):  # type: ignore[misc]
    """A picture, and in words what it shows."""

    node: Node | None = None
    structure: ClassVar[Structure]

    def draw(self) -> None:
        """Draw it as what it is."""
        assert self.node is not None
        with self.structure.drawn(self.canv, self.node):
            super().draw()


class Ruled(Table):  # type: ignore[misc]
    """A table whose lines are no content."""

    node: Node | None = None

    def _drawLines(self) -> None:
        with artifact(self.canv):
            super()._drawLines()


def rows_of(cells: Iterable[Iterable[Said]]) -> Node:
    """The structure of a table: its heads, then its rows, each cell with its own content."""
    table = Node("Table")
    for number, row in enumerate(cells):
        made = Node("TR")
        for cell in row:
            cell.node = Node("TD" if number else "TH")
            made.kids.append(cell.node)
        table.kids.append(made)
    return table


def attach(part: Flowable, parent: Node) -> None:
    """Make a part of the story, and what it holds, part of the structure in this order."""
    if isinstance(part, KeepTogether):
        for each in part._content:
            attach(each, parent)
    elif isinstance(part, Ruled) and part.node is not None:
        parent.kids.append(part.node)
    elif isinstance(part, Table):
        for row in part._cellvalues:
            for cell in row:
                for each in cell if isinstance(cell, list) else [cell]:
                    if isinstance(each, Flowable):
                        attach(each, parent)
    elif isinstance(part, Said | Shown):
        part.node = part.node or Node("P")
        parent.kids.append(part.node)
