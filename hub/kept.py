"""Configurations that ran: kept in the state folder, so that a bad file never stops what ran.

What is kept is the text of the files, as it was read, under the SHA-256 of all of it. secrets.yaml
is never copied: the names in the text are looked up again wherever the secrets are today.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from hub.errors import StateError
from hub.yamlfile import SECRETS, Document

MANIFEST = "kept.json"
STANDING = "standing.json"
KEPT = 20
SHOWN = 12  # hexadecimal digits of a hash that people see and type
Texts = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Kept:
    """A configuration that ran.

    `main` is its file in the state folder, `source` the user's own; `time` is when it last began to
    run, as RFC 3339 text.
    """

    hash: str
    time: str
    source: str
    main: Path

    @property
    def short(self) -> str:
        """The hash as people see it."""
        return self.hash[:SHOWN]


@dataclass(frozen=True, slots=True)
class Standing:
    """Somebody went back to `hash` while the user's file had the hash `instead_of`.

    That holds, over restarts too, until the file changes.
    """

    hash: str
    instead_of: str


def texts_of(document: Document) -> Texts:
    """The bytes of every file of a configuration, by its name from the configuration's folder."""
    main = document.files[0]
    root = main.parent.resolve()
    found: dict[str, bytes] = {}
    for file, raw in document.contents.items():
        if file.name != SECRETS:
            name = main.name if file == main else str(file.resolve().relative_to(root))
            found[name] = raw
    return found


def fingerprint(texts: Texts) -> str:
    """The SHA-256, in hexadecimal, of names, lengths and bytes."""
    digest = hashlib.sha256()
    for name in sorted(texts):
        digest.update(f"{name}\0{len(texts[name])}\0".encode())
        digest.update(texts[name])
    return digest.hexdigest()


class KeptConfigs:
    """The folder of kept configurations. Every method blocks; each file is written whole or not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, source: Path, texts: Texts, time: str) -> Kept:
        """Keep a configuration that runs. Raises `StateError`."""
        hash_ = fingerprint(texts)
        place = self.folder / hash_
        try:
            if not place.is_dir():
                self._write(place, source, texts)
            manifest = {"hash": hash_, "time": time, "source": str(source), "main": source.name}
            _replace(place / MANIFEST, json.dumps(manifest))
            self._forget_oldest()
        except OSError as error:
            raise StateError(
                f"the configuration could not be kept in {self.folder}: {error.strerror}"
            ) from error
        return Kept(hash_, time, str(source), place / source.name)

    def every(self) -> list[Kept]:
        """Everything that was kept, newest first."""
        return sorted(self._read(), key=lambda kept: kept.time, reverse=True)

    def of(self, source: Path) -> list[Kept]:
        """Everything kept of the user's file `source`, newest first."""
        return [kept for kept in self.every() if kept.source == str(source)]

    def find(self, source: Path, hash_: str) -> Kept:
        """The one whose hash begins so. Raises `StateError` for none, or for several."""
        every = self.of(source)
        found = [kept for kept in every if len(hash_) >= 4 and kept.hash.startswith(hash_)]
        if len(found) == 1:
            return found[0]
        wrong = "more than one kept configuration begins" if found else "no kept one begins"
        known = ", ".join(kept.short for kept in every) or "none"
        raise StateError(f"{wrong} with {hash_!r}; kept are: {known}")

    def stand(self, standing: Standing | None) -> None:
        """Remember that a kept configuration runs instead of the file; None: the file runs."""
        place = self.folder / STANDING
        if standing is None:
            place.unlink(missing_ok=True)
            return
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace(place, json.dumps(asdict(standing)))

    def standing(self) -> Standing | None:
        """What was remembered."""
        found = _json(self.folder / STANDING)
        try:
            return Standing(str(found["hash"]), str(found["instead_of"]))
        except KeyError:
            return None

    def _write(self, place: Path, source: Path, texts: Texts) -> None:
        part = place.with_name(f"{place.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(mode=0o700, parents=True)
        for name, raw in texts.items():
            inside = PurePosixPath(name)
            if inside.is_absolute() or ".." in inside.parts:
                raise StateError(f"{source}: {name} lies outside the configuration's folder")
            target = part / inside
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_through(target, raw)
        part.rename(place)
        _sync_folder(self.folder)

    def _read(self) -> Iterator[Kept]:
        for place in self.folder.iterdir() if self.folder.is_dir() else ():
            said = _json(place / MANIFEST)
            main = place / str(said.get("main"))
            if said.get("hash") == place.name and main.is_file():
                yield Kept(place.name, str(said["time"]), str(said["source"]), main)

    def _forget_oldest(self) -> None:
        standing = self.standing()
        for kept in self.every()[KEPT:]:
            if standing is None or kept.hash != standing.hash:
                shutil.rmtree(kept.main.parent, ignore_errors=True)


def _json(file: Path) -> dict[str, Any]:
    try:
        said = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _replace(file: Path, text: str) -> None:
    part = file.with_name(f"{file.name}.part")
    _write_through(part, text.encode())
    part.replace(file)
    _sync_folder(file.parent)


def _write_through(file: Path, raw: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(raw)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
