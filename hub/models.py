"""Detector models: what is known of each, which are installed, and how to get one.

A model is known by the SHA-256 of its file. Installed ones lie in one folder, each beside a JSON
file that says its licence, labels and source. Nothing is fetched unless somebody asks. A few come
with the hub, each described by its card.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml

from hub.errors import ModelError
from hub.kinds.detectors import Detector, DetectorInfo
from hub.model_download import CHUNK, Progress, alone, download
from hub.modelcards import card_text, described

CATALOGUE = Path(__file__).with_name("models_catalogue.yaml")
SHIPPED = Path(__file__).resolve().parent.parent / "plugins" / "detectors" / "models"
BUILT_IN = "people"
ANEW = "install Vestibule anew"
MAX_BYTES = 512 << 20
BESIDE = (".labels.txt", ".labels.json", ".md")


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
    """A model file that can be used. One that is not in the catalogue has the rank 0.

    `shipped` ones came with the hub, and every installed one goes before them.
    """

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
    shipped: bool = False


class ModelStore:
    """The folder that models are installed into, which need not exist yet, and those that come with
    the hub.
    """

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

    def shipped(self) -> list[InstalledModel]:
        """The models that come with the hub and are whole."""
        found = []
        for name in self.shipped_names():
            with suppress(ModelError):
                found.append(_shipped(name))
        return found

    def shipped_names(self) -> list[str]:
        """What is to come with the hub, whole or not."""
        files = [*SHIPPED.glob("*.onnx"), *SHIPPED.glob("*.md")]
        return sorted({BUILT_IN, *(path.stem for path in files)})

    def fault(self, name: str = BUILT_IN) -> str:
        """Why a model that comes with the hub cannot be used; empty where it can."""
        try:
            _shipped(name)
        except ModelError as error:
            return str(error)
        return ""

    def available(self) -> list[InstalledModel]:
        """All that can be used, best first."""
        installed = self.installed()
        names = {model.name for model in installed}
        return installed + [model for model in self.shipped() if model.name not in names]

    def best(self) -> InstalledModel | None:
        """The model that `model: auto` takes: the best installed, else the built-in one."""
        best = next(iter(self.installed()), None)
        return best or next((model for model in self.shipped() if model.name == BUILT_IN), None)

    def of_hash(self, sha256: str) -> InstalledModel | None:
        """The model whose file has this SHA-256."""
        return next((model for model in self.available() if model.sha256 == sha256), None)

    def verify(self, model: InstalledModel) -> str:
        """What is wrong with the file of an installed model; empty where nothing is."""
        try:
            digest, _ = _digest(model.path)
        except OSError as error:
            return f"{model.path} cannot be read: {error.strerror}"
        entry = next((each for each in _catalogue() if each.name == model.name), None)
        if digest == (model.sha256 if entry is None else entry.sha256):
            return ""
        return f"{model.path} is not what was installed: its SHA-256 is {digest[:16]}…"

    def entry(self, name: str) -> CatalogueEntry:
        """A model of the catalogue, written with `-` or `_`. Raises `ModelError`."""
        wanted = _plain(name)
        for entry in _catalogue():
            if entry.name == wanted:
                return entry
        if wanted in self.shipped_names():
            fault = self.fault(wanted)
            told = f"{wanted} comes with the hub: there is nothing to fetch"
            raise ModelError(f"{fault}; {ANEW}" if fault else told)
        known = ", ".join(entry.name for entry in _catalogue())
        raise ModelError(f"no model is called {name!r}; known are {known}")

    def find(self, name: str) -> InstalledModel | None:
        """The model of this name that can be used, written with `-` or `_`."""
        wanted = _plain(name)
        return next((model for model in self.available() if model.name == wanted), None)

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
        if _plain(name) in self.shipped_names():
            raise ModelError(f"{self.fault(_plain(name))}; {ANEW}")
        names = ", ".join(model.name for model in self.installed()) or "none"
        if any(entry.name == _plain(name) for entry in _catalogue()):
            cure = f"`vestibule models fetch {_plain(name)}` or `vestibule models add FILE`"
            raise ModelError(f"the model {name} is not installed (installed: {names}); use {cure}")
        raise ModelError(f"no model is called {name!r} (installed: {names})")

    def add(self, file: Path) -> InstalledModel:
        """Copy a file in, whole or not at all, after a look at what it is.

        A list of class names or a card beside it (see `BESIDE`) comes along. What came with the hub
        already is not copied. Raises `ModelError` when it cannot be read, is of no family that the
        driver `onnx` reads, or when another model already has its name.
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
        for ours in self.shipped():
            if ours.sha256 == digest:
                return ours
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
        present = self.find(name)
        if present is not None and present.shipped:
            return present
        entry = self.entry(name)
        if present is not None and present.sha256 == entry.sha256:
            return present
        source = url or entry.url
        if not source:
            raise ModelError(
                f"{entry.name} has no address; get it from {entry.source}, then add it"
            )
        part = self.folder / f"{entry.name}.part"
        with alone(part) as file:
            download(source, file, entry.bytes, progress or _silent)
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
            for ending in BESIDE:
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
            model = InstalledModel(**about | {"path": path, "shipped": False})
            if model.bytes == size and model.name == path.stem:
                return model
        except (OSError, ValueError, TypeError, KeyError):
            pass
        digest, size = _digest(path)
        found = _describe(path, digest, size, _known(digest), None)
        return replace(found, name=path.stem)


def card(model: InstalledModel) -> str:
    """A model's card for people to read; empty where it has none."""
    return card_text(model.path)


def _shipped(name: str) -> InstalledModel:
    """A model that comes with the hub. Raises `ModelError` where it is missing or damaged."""
    path = SHIPPED / f"{name}.onnx"
    try:
        about = path.stat()
    except OSError:
        raise ModelError(f"the built-in model {name} is missing ({path})") from None
    said = described(path)
    try:
        digest = _digest_of(path, about.st_mtime_ns, about.st_size)
    except OSError as error:
        raise ModelError(
            f"the built-in model {name} cannot be read ({path}: {error.strerror})"
        ) from None
    if digest != said.sha256:
        found = f"its SHA-256 is {digest[:16]}…, its card says {said.sha256[:16]}…"
        raise ModelError(f"the built-in model {name} is damaged ({path}): {found}")
    return InstalledModel(name=name, path=path, **asdict(said), rank=-1, shipped=True)


@lru_cache(maxsize=16)
def _digest_of(path: Path, changed: int, size: int) -> str:
    """The SHA-256 of a file, read once for each time that it changed."""
    return _digest(path)[0]


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


def _silent(done: int, total: int) -> None:
    """Progress that nobody watches."""
