"""Detector models: what is known of each, which are installed, and how to get one.

A model is known by the SHA-256 of its file. Installed ones lie in one folder, each beside a JSON
file that says its licence, labels and source. Nothing is fetched unless somebody asks. A few come
with the hub, each described by its card.
"""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml

from hub.errors import ModelError
from hub.kinds.detectors import DetectorInfo
from hub.modelcards import card_text, described

CATALOGUE = Path(__file__).with_name("models_catalogue.yaml")
SHIPPED = Path(__file__).resolve().parent.parent / "plugins" / "detectors" / "models"
BUILT_IN = "people"
ANEW = "install Vestibule anew"


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
            digest, _ = sha256_of(model.path)
        except OSError as error:
            return f"{model.path} cannot be read: {error.strerror}"
        entry = next((each for each in _catalogue() if each.name == model.name), None)
        if digest == (model.sha256 if entry is None else entry.sha256):
            return ""
        return f"{model.path} is not what was installed: its SHA-256 is {digest[:16]}…"

    def entry(self, name: str) -> CatalogueEntry:
        """A model of the catalogue, written with `-` or `_`. Raises `ModelError`."""
        wanted = plain_name(name)
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
        wanted = plain_name(name)
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
        if plain_name(name) in self.shipped_names():
            raise ModelError(f"{self.fault(plain_name(name))}; {ANEW}")
        names = ", ".join(model.name for model in self.installed()) or "none"
        if any(entry.name == plain_name(name) for entry in _catalogue()):
            cure = f"`vestibule models fetch {plain_name(name)}` or `vestibule models add FILE`"
            raise ModelError(f"the model {name} is not installed (installed: {names}); use {cure}")
        raise ModelError(f"no model is called {name!r} (installed: {names})")

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
        digest, size = sha256_of(path)
        found = describe(path, digest, size, known(digest), None)
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
    return sha256_of(path)[0]


@cache
def _catalogue() -> tuple[CatalogueEntry, ...]:
    text = CATALOGUE.read_text("utf-8")
    known = yaml.load(text, Loader=yaml.CSafeLoader)["models"]
    entries = [
        CatalogueEntry(name=name, **about | {"labels": tuple(about["labels"])})
        for name, about in known.items()
    ]
    return tuple(sorted(entries, key=lambda entry: -entry.rank))


def known(digest: str) -> CatalogueEntry | None:
    """The model of the catalogue whose file has this SHA-256."""
    return next((entry for entry in _catalogue() if entry.sha256 == digest), None)


def describe(
    path: Path, digest: str, size: int, entry: CatalogueEntry | None, examined: DetectorInfo | None
) -> InstalledModel:
    """A model of the catalogue, or one of your own as far as its driver could tell."""
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


def plain_name(name: str) -> str:
    """A name as models are called: lower-case, with dashes."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.") or "model"


def sha256_of(path: Path) -> tuple[str, int]:
    """What a file holds and how long it is. Raises `OSError`."""
    with path.open("rb") as file:
        sha = hashlib.file_digest(file, "sha256")
        return sha.hexdigest(), file.tell()
