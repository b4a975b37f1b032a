"""Keys of earlier versions rewritten in the user's own files, and nothing else touched.

What changes are single tokens: comments, order, quoting and line ends stay byte for byte. How it is
written, and taken back, is `hub.rewriting`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from hub.check import Examined
from hub.errors import Refused
from hub.renames import Renamed
from hub.rewriting import Edit, Rewrite, rewrite
from hub.yamlsyntax import Mark

NUMBER = re.compile(r"[ \t]*:[ \t]+(\d+(?:\.\d+)?)(?=[ \t]*(?:[\r\n,}\]]|\s#|\Z))")


def rewrites(examined: Examined) -> list[Rewrite]:
    """What would change, file by file. Raises `Refused` where a key cannot be rewritten safely."""
    document = examined.document
    by_file: dict[str, dict[Mark, Renamed]] = {}
    for each in examined.renamed:
        mark = document.place(each.path, "key")
        by_file.setdefault(mark.file, {})[mark] = each
    return [_rewrite(examined, shown, marks) for shown, marks in sorted(by_file.items())]


def _rewrite(examined: Examined, shown: str, marks: Mapping[Mark, Renamed]) -> Rewrite:
    def edits(text: str, starts: list[int]) -> list[Edit]:
        found: list[Edit] = []
        for mark, renamed in marks.items():
            found += _edits(text, starts[mark.line - 1] + mark.column - 1, renamed, mark)
        return found

    return rewrite(examined, shown, edits)


def _edits(text: str, start: int, renamed: Renamed, mark: Mark) -> Iterator[Edit]:
    """The key's token and, where a plain number stands for a length of time, its unit."""
    quote = text[start : start + 1] if text[start : start + 1] in ("'", '"') else ""
    inside = start + len(quote)
    end = inside + len(renamed.old)
    if text[inside:end] != renamed.old or (quote and text[end : end + 1] != quote):
        raise Refused(
            f"{mark.file}:{mark.line}:{mark.column}: `{renamed.old}` is written in a way that only "
            f"a person can change; call it `{renamed.new}` there. Nothing is changed"
        )
    yield Edit(inside, end, renamed.new)
    if renamed.length and (number := NUMBER.match(text, end + len(quote))):
        yield Edit(number.end(1), number.end(1), "s")
