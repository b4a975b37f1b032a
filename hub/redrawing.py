"""A camera's masks written into the user's own file, where a person drew them.

Only the value of `masks` changes, or one line is added behind `place`. Where the block is written
in a way that only a person can change, they are shown the lines instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from hub.check import Examined
from hub.document import Document
from hub.errors import Refused
from hub.ports import Corners
from hub.rewriting import Edit, Rewrite, offset, rewrite
from hub.yamlsyntax import BREAK, Loader, Mark

DECIMALS = 3


def lines_of(masks: Sequence[Corners]) -> str:
    """The key `masks` as it stands in a camera's block."""
    if not masks:
        return "masks: []"
    return "\n".join(["masks:", *(f"  - {_corners(each)}" for each in masks)])


def redrawn(examined: Examined, camera: str, masks: Sequence[Corners]) -> Rewrite:
    """The file in which the camera stands, with these masks. Raises `Refused`."""
    document = examined.document
    if ("cameras", camera) not in document.marks:
        raise Refused(f"the file {document.file} has no camera {camera}; add its block first")
    shown = _stands(document, camera).file

    def edits(text: str, starts: list[int]) -> list[Edit]:
        block = _block(document, camera, text)
        edit = _replaced(block, text, starts, masks) or _added(block, text, starts, masks)
        if edit is None or not _only_masks_differ(document, camera, text, edit):
            raise Refused(
                f"the block of camera {camera} in {shown} is written in a way that only a person "
                "can change; put the lines there yourself"
            )
        return [edit]

    return rewrite(examined, shown, edits)


def _corners(polygon: Corners) -> str:
    return f"[{', '.join(f'[{_number(x)}, {_number(y)}]' for x, y in polygon)}]"


def _number(value: float) -> str:
    text = f"{value:.{DECIMALS}f}".rstrip("0")
    return f"{text}0" if text.endswith(".") else text


def _flow(masks: Sequence[Corners]) -> str:
    return f"[{', '.join(_corners(each) for each in masks)}]"


def _stands(document: Document, camera: str) -> Mark:
    """Where the block begins: in its own file, where another one includes that."""
    mark = document.marks["cameras", camera].value
    place = document.marks.get(("cameras", camera, "place"))
    return mark if place is None or place.key.file == mark.file else place.key


def _block(document: Document, camera: str, text: str) -> Any:
    """The node of the camera's block in the text of the file where it stands."""
    mark = _stands(document, camera)
    root: Any = yaml.compose(text, Loader=Loader)
    if mark.file != document.marks["cameras", camera].value.file:
        return root if _value(root, "place") is not None else None
    nodes, found = [root], []
    while nodes:
        node = nodes.pop()
        begins = (node.start_mark.line + 1, node.start_mark.column + 1)
        if isinstance(node, yaml.MappingNode):
            if begins == (mark.line, mark.column) and _value(node, "place") is not None:
                found.append(node)
            nodes += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value
    return found[0] if len(found) == 1 else None  # an alias of it is found as well


def _value(block: Any, key: str) -> Any:
    if not isinstance(block, yaml.MappingNode):
        return None
    for name, value in block.value:
        if isinstance(name, yaml.ScalarNode) and name.value == key:
            return value
    return None


def _end(node: Any) -> Any:
    """Where a node ends without the comments and empty lines that follow it."""
    if isinstance(node, yaml.ScalarNode) or node.flow_style or not node.value:
        return node.end_mark
    last = node.value[-1]
    return _end(last[1] if isinstance(last, tuple) else last)


def _replaced(block: Any, text: str, starts: list[int], masks: Sequence[Corners]) -> Edit | None:
    known = None if block is None else _value(block, "masks")
    if known is None or not isinstance(known, yaml.SequenceNode):
        return None
    start, end = offset(text, starts, known.start_mark), offset(text, starts, _end(known))
    if known.flow_style:
        return Edit(start, end, _flow(masks))
    if not masks:
        colon = text.rindex(":", 0, start)
        bare = text[colon + 1 : start].isspace()
        return Edit(colon + 1, end, " []") if bare else Edit(start, end, "  []")
    gap = _break(text) + " " * int(known.start_mark.column)
    return Edit(start, end, gap.join(f"- {_corners(each)}" for each in masks))


def _added(block: Any, text: str, starts: list[int], masks: Sequence[Corners]) -> Edit | None:
    place = None if block is None else _value(block, "place")
    if not isinstance(place, yaml.ScalarNode) or place.start_mark.line != place.end_mark.line:
        return None
    end = offset(text, starts, place.end_mark)
    if block.flow_style:
        return Edit(end, end, f", masks: {_flow(masks)}")
    line = int(place.end_mark.line) + 1
    at = starts[line] if line < len(starts) else len(text)
    indent = " " * int(block.value[0][0].start_mark.column)
    lines = [f"{indent}{each}" for each in lines_of(masks).split("\n")]
    new = _break(text).join(lines)
    ends = BREAK.search(text[end:at]) is not None
    return Edit(at, at, new + _break(text) if ends else _break(text) + new)


def _break(text: str) -> str:
    found = BREAK.search(text)
    return found[0] if found else "\n"


def _only_masks_differ(document: Document, camera: str, text: str, edit: Edit) -> bool:
    """Whether the text says the same as before but for the masks of this camera."""
    after = text[: edit.start] + edit.new + text[edit.end :]
    try:
        changed = yaml.compose(after, Loader=Loader)
    except yaml.YAMLError:
        return False
    before = yaml.compose(text, Loader=Loader)
    one, other = _block(document, camera, text), _block(document, camera, after)
    if one is None or other is None:
        return False
    for block in (one, other):
        keep = [pair for pair in block.value if pair[0].value != "masks"]
        if len(block.value) - len(keep) > 1:
            return False
    return bool(_said(before, one) == _said(changed, other))


def _said(root: Any, block: Any) -> Any:
    """What a text says, without where it stands, leaving the masks of one block out."""
    where = (block.start_mark.line, block.start_mark.column)

    def said(node: Any) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return node.tag, node.value
        if isinstance(node, yaml.SequenceNode):
            return node.tag, [said(each) for each in node.value]
        here = (node.start_mark.line, node.start_mark.column) == where
        pairs = [(said(key), said(value)) for key, value in node.value]
        return node.tag, [pair for pair in pairs if not (here and pair[0][1] == "masks")]

    return said(root)
