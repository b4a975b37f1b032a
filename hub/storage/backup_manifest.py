"""What a backup says of itself: its manifest, and the check sums that any machine can verify.

A backup is a folder: `journal.db`, the pictures that alerts and incidents show, the configurations
that ran, and what drivers keep. `manifest.json` names each file; `SHA256SUMS` covers all of them,
the manifest too, in the format of `sha256sum -c`.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hub.errors import StateError
from hub.kinds import KINDS
from hub.storage.backup_copy import sha256_of, write_file
from hub.storage.schema import SCHEMA_VERSION

FORMAT = 1
MANIFEST, SUMS, JOURNAL = "manifest.json", "SHA256SUMS", "journal.db"
CONTENTS = (JOURNAL, "media", "config", *KINDS)
LARGEST = 64 << 20
_SUM = re.compile(r"([0-9a-f]{64})  (.+)")
Count = Annotated[int, Field(ge=0)]


class Stored(BaseModel):
    """One file of a backup."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes: Count
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Manifest(BaseModel):
    """What a backup holds.

    Times are RFC 3339 text in UTC; everything in it is as it was at `time`. `schema_version` is the
    journal's, `rows` counts the rows of each table, `last_seq` and `last_event` (empty where there
    is none) are of its newest event. `left_out` names what could not be kept, with the reason.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = Field(FORMAT, ge=1, le=FORMAT)
    version: str
    schema_version: Count
    time: datetime
    seconds: float = Field(ge=0)
    by: str
    rows: dict[str, Count]
    last_seq: Count
    last_event: str
    files: dict[str, Stored]
    left_out: dict[str, str] = {}

    @property
    def bytes(self) -> int:
        """How large all files are together."""
        return sum(stored.bytes for stored in self.files.values())


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest and the check sums of everything. Raises `OSError`."""
    write_file(folder / MANIFEST, manifest.model_dump_json(indent=2) + "\n")
    sums = {name: stored.sha256 for name, stored in manifest.files.items()}
    sums[MANIFEST] = sha256_of(folder / MANIFEST)
    write_file(folder / SUMS, "".join(f"{sum_}  {name}\n" for name, sum_ in sums.items()))


def read_manifest(folder: Path) -> Manifest:
    """Read a backup's manifest.

    Raises `StateError` where the folder is no backup, its manifest is damaged, or a newer Vestibule
    made it.
    """
    raw = _raw(folder)
    try:
        said = json.loads(raw)
    except ValueError:
        said = None
    if isinstance(said, dict):
        _refuse_newer(folder, said)
    if _sums(folder).get(MANIFEST) != sha256_of(folder / MANIFEST):
        raise damaged(folder, f"{MANIFEST} is not as it was written")
    try:
        manifest = Manifest.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or MANIFEST
        raise damaged(folder, f"{MANIFEST} says of {where}: {first['msg']}") from None
    for name in manifest.files:
        if not _belongs(name):
            raise damaged(folder, f"{MANIFEST} names a file that belongs to no backup, {name!r}")
    return manifest


def damaged(folder: Path, what: str, journal_is_sound: bool = False) -> StateError:
    """What to say of a backup that cannot be used, or not all of it."""
    otherwise = ", or restore the rest with --leave-out-damaged" if journal_is_sound else ""
    return StateError(
        f"the backup {folder} is damaged: {what}. Take another one (`vestibule backup list`)"
        f"{otherwise}"
    )


def _raw(folder: Path) -> bytes:
    file = folder / MANIFEST
    try:
        if file.stat().st_size > LARGEST:
            raise damaged(folder, f"{MANIFEST} has {file.stat().st_size} bytes")
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise StateError(
            f"{folder} is no backup: it has no {MANIFEST}. Name a folder that "
            "`vestibule backup create` made"
        ) from None
    except OSError as error:
        raise StateError(f"the backup {folder} cannot be read: {error.strerror}") from error


def _refuse_newer(folder: Path, said: dict[str, object]) -> None:
    form, tables = said.get("format"), said.get("schema_version")
    newer = isinstance(form, int) and form > FORMAT
    if newer or (isinstance(tables, int) and tables > SCHEMA_VERSION):
        raise StateError(
            f"the backup {folder} was made by a newer Vestibule ({said.get('version')}, journal "
            f"version {tables}; this one knows {SCHEMA_VERSION}). Restore it with that one"
        )


def _sums(folder: Path) -> dict[str, str]:
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise damaged(folder, f"{SUMS} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise damaged(folder, f"{SUMS} is not as it was written") from None
    found = (_SUM.fullmatch(line) for line in lines)
    return {match[2]: match[1] for match in found if match}


def _belongs(name: str) -> bool:
    """Whether this is a plain name inside what a backup holds: nothing else is ever written."""
    parts = PurePosixPath(name).parts
    inside = bool(parts) and parts[0] in CONTENTS and ".." not in parts and "\\" not in name
    return inside and str(PurePosixPath(*parts)) == name and "\0" not in name
