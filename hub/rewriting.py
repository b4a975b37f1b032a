"""A user's own file with some of its text replaced, and nothing else touched.

Comments, order, quoting and line ends stay byte for byte. Nothing is written without a backup
beside the file, all files of a change are written or none, and a change can be taken back.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from hub.check import Examined
from hub.document import Document, KeyPath, value_at
from hub.errors import Refused
from hub.secrets import HIDDEN
from hub.typewords import PRIVATE
from hub.yamlsyntax import BREAK, Loader
from hub.yamltags import SECRETS

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Edit:
    """Characters `start` to `end` of a text become `new`."""

    start: int
    end: int
    new: str


@dataclass(frozen=True, slots=True)
class Rewrite:
    """One file to change: its real path, its name in messages, the bytes before and after, and the
    change as a unified diff without what must not be shown.
    """

    file: Path
    shown: str
    before: bytes
    after: bytes
    diff: str


def rewrite(
    examined: Examined, shown: str, edits_of: Callable[[str, list[int]], list[Edit]]
) -> Rewrite:
    """A file that messages call `shown`, with the edits that its text needs; `edits_of` is also
    given where each line begins. Raises `Refused`.
    """
    file = _file_called(examined.document, shown)
    raw = examined.document.contents[file]
    bom = BOM if raw.startswith(BOM) else b""
    text = raw[len(bom) :].decode("utf-8")
    starts = [0, *(each.end() for each in BREAK.finditer(text))]
    edits = edits_of(text, starts)
    after = bom + applied(text, edits).encode("utf-8")
    hidden = _hidden(examined, shown, text, starts)
    shown_edits = [each for each in edits if not any(h.start <= each.start < h.end for h in hidden)]
    diff = _diff(shown, applied(text, hidden), applied(text, [*hidden, *shown_edits]))
    return Rewrite(file.resolve(), shown, raw, after, diff)


def _file_called(document: Document, shown: str) -> Path:
    for file in document.files:
        if shown == document.file or Path(shown).resolve() == file.resolve():
            return file
    raise Refused(f"{shown} has gone; nothing is changed")


def applied(text: str, edits: Iterable[Edit]) -> str:
    """The text with all of the edits made."""
    for edit in sorted(edits, key=lambda each: each.start, reverse=True):
        text = text[: edit.start] + edit.new + text[edit.end :]
    return text


def _hidden(examined: Examined, shown: str, text: str, starts: list[int]) -> list[Edit]:
    """Edits that put `(hidden)` in the place of every private value of a file."""
    document = examined.document
    wanted = set()
    for path, marks in document.marks.items():
        if marks.value.file == shown and _is_private(examined, path):
            wanted.add(starts[marks.value.line - 1] + marks.value.column - 1)
    return [Edit(start, end, HIDDEN) for start, end in _scalars(text, starts) if start in wanted]


def _is_private(examined: Examined, path: KeyPath) -> bool:
    value = value_at(examined.document.values, path)
    if isinstance(value, dict | list):
        return False
    named = any(isinstance(part, str) and PRIVATE.search(part) for part in path)
    return named or path in examined.document.hidden or str(value) in examined.hidden


def _scalars(text: str, starts: list[int]) -> Iterator[tuple[int, int]]:
    """Where each scalar of a text begins, its tag and anchor included, and ends."""
    first: tuple[int, int] | None = None
    tokens: Iterator[Any] = iter(())
    with contextlib.suppress(yaml.YAMLError):
        tokens = yaml.scan(text, Loader=Loader)
        for token in tokens:
            start, end = (offset(text, starts, at) for at in (token.start_mark, token.end_mark))
            if isinstance(token, yaml.TagToken | yaml.AnchorToken):
                first = (start if first is None else first[0]), end
            elif isinstance(token, yaml.ScalarToken):
                yield (start if first is None else first[0]), end
                first = None
            else:  # a tag without a text: a password that begins with `!` is read as one
                if first is not None:
                    yield first
                first = None


def offset(text: str, starts: list[int], mark: Any) -> int:
    """Where a mark of the parser lies, which ends a text that lacks its last line end below it."""
    line = int(mark.line)
    return min(starts[line] + int(mark.column), len(text)) if line < len(starts) else len(text)


def _diff(shown: str, before: str, after: str) -> str:
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), shown, shown, n=0, lineterm=""
    )
    return "\n".join(lines)


@dataclass
class _Written:
    """A file that is being replaced: its backup, and the new text that waits beside it."""

    rewrite: Rewrite
    backup: Path
    waiting: Path | None = None
    replaced: bool = False


def write(found: list[Rewrite], root: Path, now: datetime) -> list[Path]:
    """Replace the files, all or none; returns the backups. Raises `Refused` with what prevented it.

    Each new text is complete on disk before it takes its file's name, and keeps its mode and, where
    that may be, its owner.
    """
    for each in found:
        if not each.file.is_relative_to(root.resolve()) or each.file.name == SECRETS:
            raise Refused(
                f"{each.shown} leads out of the configuration's folder, to {each.file}; "
                "nothing is changed. Name that file itself, where it is yours to change"
            )
    written: list[_Written] = []
    try:
        for each in found:
            written.append(_Written(each, _backup(each, now)))
        for one in written:
            one.waiting = _waiting(one.rewrite.file, one.rewrite.after)
            if one.rewrite.file.read_bytes() != one.rewrite.before:
                words = "was changed by somebody else just now; nothing is changed. Try again"
                raise Refused(f"{one.rewrite.shown} {words}")
        for one in written:
            if one.waiting is not None:
                one.waiting.replace(one.rewrite.file)
            one.waiting, one.replaced = None, True
        for folder in {one.rewrite.file.parent for one in written}:
            _sync_folder(folder)
    except (OSError, Refused) as error:
        _undo(written)
        if isinstance(error, Refused):
            raise
        where = error.filename or "the configuration's folder"
        raise Refused(
            f"cannot write {where}: {error.strerror or error}; nothing is changed. Run this "
            "where the folder can be written, or change the keys by hand"
        ) from None
    return [one.backup for one in written]


def restore(found: list[Rewrite], backups: list[Path]) -> None:
    """Put back what stood there before `write`, byte for byte, and take the backups away."""
    pairs = zip(found, backups, strict=True)
    _undo([_Written(each, backup, replaced=True) for each, backup in pairs])


def _undo(written: list[_Written]) -> None:
    for one in written:
        if one.waiting is not None:
            one.waiting.unlink(missing_ok=True)
        if one.replaced:
            _waiting(one.rewrite.file, one.rewrite.before).replace(one.rewrite.file)
        one.backup.unlink(missing_ok=True)


def _backup(rewrite: Rewrite, now: datetime) -> Path:
    """A copy beside the file, for the eyes of those who may read the file."""
    stamp = now.strftime("%Y-%m-%dT%H-%M-%S")
    for count in range(1, 100):
        more = f"-{count}" if count > 1 else ""
        backup = rewrite.file.with_name(f"{rewrite.file.name}.{stamp}{more}.bak")
        with contextlib.suppress(FileExistsError):
            _create(backup, rewrite.before, rewrite.file)
            return backup
    raise Refused(f"{rewrite.shown} has a hundred backups of this second; nothing is changed")


def _waiting(file: Path, content: bytes) -> Path:
    """The content, complete on disk, under a name beside the file whose place it will take."""
    waiting = file.with_name(f".{file.name}.{os.getpid()}.new")
    waiting.unlink(missing_ok=True)
    _create(waiting, content, file)
    return waiting


def _create(path: Path, content: bytes, like: Path) -> None:
    """A new file with this content, on disk, with the mode and, where allowed, owner of `like`."""
    known = like.stat()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123  (it has a descriptor, not a path)
            file.write(content)
            file.flush()
            with contextlib.suppress(PermissionError):
                os.fchown(file.fileno(), known.st_uid, known.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(known.st_mode))
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
