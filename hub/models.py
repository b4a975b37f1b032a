"""Detector models: what is known of each, which are installed, and how to get one.

A model is known by the SHA-256 of its file. Installed ones lie in one folder, each beside a JSON
file that says its licence, labels and source. Nothing is fetched unless somebody asks.
"""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import json
import os
import re
import stat
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from hub.errors import ModelError
from hub.kinds.detectors import Detector, DetectorInfo

CATALOGUE = Path(__file__).with_name("models_catalogue.yaml")
CHUNK = 1 << 16
MAX_BYTES = 512 << 20
TIMEOUT_S = 30.0
NAMES_BESIDE = (".labels.txt", ".labels.json")
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A model that is known. `rank` orders them, best highest; `url` may be empty."""

    name: str
    title: str
    licence: str
    source: str
    url: str
    input: str
    labels: tuple[str, ...]
    sha256: str
    bytes: int
    rank: int


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model file that can be used. One that is not in the catalogue has the rank 0."""

    name: str
    path: Path
    title: str
    licence: str
    source: str
    input: str
    labels: tuple[str, ...]
    sha256: str
    bytes: int
    rank: int


class ModelStore:
    """The folder that models are installed into; it need not exist yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def catalogue(self) -> list[CatalogueEntry]:
        """What is known, best first."""
        return list(_catalogue())

    def installed(self) -> list[InstalledModel]:
        """What lies in the folder, best first."""
        files = (path for path in sorted(self.folder.glob("*.onnx")) if path.is_file())
        found = [self._read(path) for path in files]
        return sorted(found, key=lambda model: (-model.rank, model.name))

    def best(self) -> InstalledModel | None:
        """The installed model that `model: auto` takes."""
        return next(iter(self.installed()), None)

    def entry(self, name: str) -> CatalogueEntry:
        """A model of the catalogue, written with `-` or `_`. Raises `ModelError`."""
        wanted = _plain(name)
        for entry in _catalogue():
            if entry.name == wanted:
                return entry
        known = ", ".join(entry.name for entry in _catalogue())
        raise ModelError(f"no model is called {name!r}; known are {known}")

    def find(self, name: str) -> InstalledModel | None:
        """The installed model of this name, written with `-` or `_`."""
        wanted = _plain(name)
        return next((model for model in self.installed() if model.name == wanted), None)

    def resolve(self, name_or_path: str | Path) -> Path:
        """The file of an installed model, or of the path given. Raises `ModelError`."""
        name = str(name_or_path)
        found = None if "/" in name else self.find(name)
        if found is not None:
            return found.path
        path = Path(name).expanduser()
        if path.is_file():
            return path
        if "/" in name or name.endswith(".onnx"):
            raise ModelError(f"there is no model file {name}")
        names = ", ".join(model.name for model in self.installed()) or "none"
        if any(entry.name == _plain(name) for entry in _catalogue()):
            cure = f"`vestibule models fetch {_plain(name)}` or `vestibule models add FILE`"
            raise ModelError(f"the model {name} is not installed (installed: {names}); use {cure}")
        raise ModelError(f"no model is called {name!r} (installed: {names})")

    def add(self, file: Path) -> InstalledModel:
        """Copy a file in, whole or not at all, after a look at what it is.

        A list of class names beside it (see `NAMES_BESIDE`) comes along. Raises `ModelError` when
        it cannot be read, is of no family that the driver `onnx` reads, or when another model
        already has its name.
        """
        try:
            about = file.stat()
            if not stat.S_ISREG(about.st_mode):
                raise ModelError(f"{file}: is not a file; expected an ONNX model")
            if about.st_size > MAX_BYTES:
                raise ModelError(f"{file}: larger than any model ({about.st_size} bytes)")
            digest, size = _digest(file)
        except OSError as error:
            raise ModelError(f"{file}: cannot be read: {error.strerror or error}") from None
        entry = _known(digest)
        examined = _examined(file)
        name = entry.name if entry else _plain(file.stem)
        present = self.find(name)
        if present is not None:
            if present.sha256 == digest:
                return present
            raise ModelError(f"another model is called {name}; give {file.name} another name")
        model = _describe(self.folder / f"{name}.onnx", digest, size, entry, examined)
        self._keep(file, model)
        return model

    def fetch(
        self, name: str, progress: Progress | None = None, url: str | None = None
    ) -> InstalledModel:
        """Download a model of the catalogue, going on where an earlier try stopped.

        `progress(done, total)` counts bytes. What arrives is used only when its SHA-256 is the
        catalogue's; anything else is removed. Raises `ModelError`.
        """
        entry = self.entry(name)
        present = self.find(entry.name)
        if present is not None and present.sha256 == entry.sha256:
            return present
        source = url or entry.url
        if not source:
            raise ModelError(
                f"{entry.name} has no address; get it from {entry.source}, then add it"
            )
        part = self.folder / f"{entry.name}.part"
        with _alone(part) as file:
            _download(source, file, entry, progress or _silent)
            file.flush()
            digest, _ = _digest(part)
            if digest != entry.sha256:
                part.unlink()
                raise ModelError(
                    f"{source} is not {entry.name}: its SHA-256 is {digest}, expected "
                    f"{entry.sha256}; what was fetched has been removed"
                )
            model = self.add(part)
            part.unlink()
        return model

    def _keep(self, file: Path, model: InstalledModel) -> None:
        new = model.path.with_suffix(".new")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with file.open("rb") as source, new.open("wb") as target:
                while chunk := source.read(CHUNK):
                    target.write(chunk)
                target.flush()
                os.fsync(target.fileno())
            if _digest(new)[0] != model.sha256:
                raise ModelError(f"{file}: changed while it was copied; try again")
            for ending in NAMES_BESIDE:
                if (names := file.with_suffix(ending)).is_file():
                    model.path.with_suffix(ending).write_bytes(names.read_bytes())
            new.replace(model.path)
            about = asdict(model) | {"path": model.path.name}
            model.path.with_suffix(".json").write_text(json.dumps(about, indent=1), "utf-8")
        except OSError as error:
            raise ModelError(f"cannot install into {self.folder}: {error.strerror}") from None
        finally:
            new.unlink(missing_ok=True)

    def _read(self, path: Path) -> InstalledModel:
        """What stands beside a model; where that is missing or wrong, what its file says."""
        size = path.stat().st_size
        try:
            about: dict[str, Any] = json.loads(path.with_suffix(".json").read_text("utf-8"))
            about["labels"] = tuple(about["labels"])
            model = InstalledModel(**about | {"path": path})
            if model.bytes == size and model.name == path.stem:
                return model
        except (OSError, ValueError, TypeError, KeyError):
            pass
        digest, size = _digest(path)
        found = _describe(path, digest, size, _known(digest), None)
        return replace(found, name=path.stem)


@cache
def _catalogue() -> tuple[CatalogueEntry, ...]:
    text = CATALOGUE.read_text("utf-8")
    known = yaml.load(text, Loader=yaml.CSafeLoader)["models"]
    entries = [
        CatalogueEntry(name=name, **about | {"labels": tuple(about["labels"])})
        for name, about in known.items()
    ]
    return tuple(sorted(entries, key=lambda entry: -entry.rank))


def _known(digest: str) -> CatalogueEntry | None:
    return next((entry for entry in _catalogue() if entry.sha256 == digest), None)


def _describe(
    path: Path, digest: str, size: int, entry: CatalogueEntry | None, examined: DetectorInfo | None
) -> InstalledModel:
    if entry is None:
        title, licence, source, rank = "A model of your own", "unknown", "local", 0
        shape: str = examined.input if examined is not None else "unknown"
        labels: tuple[str, ...] = examined.labels if examined is not None else ()
        title += f" ({examined.family})" if examined is not None else ""
    else:
        title, licence, source, rank = entry.title, entry.licence, entry.source, entry.rank
        shape, labels = entry.input, entry.labels
    return InstalledModel(
        path.stem, path, title, licence, source, shape, labels, digest, size, rank
    )


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.") or "model"


def _digest(path: Path) -> tuple[str, int]:
    sha, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            sha.update(chunk)
            size += len(chunk)
    return sha.hexdigest(), size


def _examined(file: Path) -> DetectorInfo:
    """What the driver `onnx` makes of a model; raises `ModelError` where it cannot use it."""
    from hub.kinds import Context
    from hub.plugins import load_registry

    driver = load_registry().driver("detectors", "onnx")
    settings = {"model": str(file.absolute()), "labels": ["all"]}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        context = Context(name="model", state=place, cache=place, config_folder=place)
        detector: Detector = driver.factory(driver.config.model_validate(settings), context)
        info = detector.info
        detector.close()
    return info


@contextmanager
def _alone(part: Path) -> Iterator[BinaryIO]:
    """The half-fetched file, opened to go on with, held by one process at a time."""
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        file = part.open("ab")
    except OSError as error:
        raise ModelError(f"cannot write {part}: {error.strerror}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ModelError(f"{part.stem} is already being fetched") from None
        yield file


def _download(url: str, file: BinaryIO, entry: CatalogueEntry, progress: Progress) -> None:
    host = urllib.parse.urlsplit(url).hostname
    if urllib.parse.urlsplit(url).scheme not in ("http", "https") or not host:
        raise ModelError(f"{url}: expected an address that starts with https://")
    done = os.fstat(file.fileno()).st_size
    if done > entry.bytes:
        file.truncate(0)
        done = 0
    if done == entry.bytes:
        return
    headers = {"User-Agent": "vestibule", "Accept-Encoding": "identity"}
    if done:
        headers["Range"] = f"bytes={done}-"
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  (the scheme is checked)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            if answer.status != 206 or not _goes_on_at(answer.headers, done):
                file.truncate(0)
                done = 0
            while done < entry.bytes and (chunk := answer.read(CHUNK)):
                file.write(chunk)
                done += len(chunk)
                progress(done, entry.bytes)
    except urllib.error.HTTPError as error:
        raise ModelError(f"{host} answered {error.code} {error.reason} for {url}") from None
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(host, url, done, entry, error) from None
    if done < entry.bytes:
        raise _unreachable(host, url, done, entry, "the connection ended")


def _goes_on_at(headers: Any, start: int) -> bool:
    return str(headers.get("Content-Range", "")).startswith(f"bytes {start}-")


def _unreachable(host: str, url: str, done: int, entry: CatalogueEntry, why: object) -> ModelError:
    if done:
        kept = f"{done} of {entry.bytes} bytes are kept; the same command goes on from there"
        return ModelError(f"the download from {host} broke off ({why}); {kept}")
    return ModelError(
        f"{host} cannot be reached ({why}). If this machine is offline, download {url} elsewhere, "
        "bring the file, and run `vestibule models add FILE`"
    )


def _silent(done: int, total: int) -> None:
    """Progress that nobody watches."""
