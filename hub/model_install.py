"""Putting a model into the store: from a file or from the catalogue, whole or not at all."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from dataclasses import asdict
from pathlib import Path

from hub.errors import ModelError
from hub.kinds import Context
from hub.kinds.detectors import Detector, DetectorInfo
from hub.model_download import CHUNK, Progress, alone, download
from hub.models import InstalledModel, ModelStore, describe, known, plain_name, sha256_of
from hub.plugins import load_registry

MAX_BYTES = 512 << 20
BESIDE = (".labels.txt", ".labels.json", ".md")


def add(store: ModelStore, file: Path) -> InstalledModel:
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
        digest, size = sha256_of(file)
    except OSError as error:
        raise ModelError(f"{file}: cannot be read: {error.strerror or error}") from None
    for ours in store.shipped():
        if ours.sha256 == digest:
            return ours
    entry = known(digest)
    examined = _examined(file)
    name = entry.name if entry else plain_name(file.stem)
    present = store.find(name)
    if present is not None:
        if present.sha256 == digest:
            return present
        raise ModelError(f"another model is called {name}; give {file.name} another name")
    model = describe(store.folder / f"{name}.onnx", digest, size, entry, examined)
    _keep(store.folder, file, model)
    return model


def fetch(
    store: ModelStore, name: str, progress: Progress | None = None, url: str | None = None
) -> InstalledModel:
    """Download a model of the catalogue, going on where an earlier try stopped.

    `progress(done, total)` counts bytes. What arrives is used only when its SHA-256 is the
    catalogue's; anything else is removed. Raises `ModelError`.
    """
    present = store.find(name)
    if present is not None and present.shipped:
        return present
    entry = store.entry(name)
    if present is not None and present.sha256 == entry.sha256:
        return present
    source = url or entry.url
    if not source:
        raise ModelError(f"{entry.name} has no address; get it from {entry.source}, then add it")
    part = store.folder / f"{entry.name}.part"
    with alone(part) as file:
        download(source, file, entry.bytes, progress or _silent)
        file.flush()
        digest, _ = sha256_of(part)
        if digest != entry.sha256:
            part.unlink()
            raise ModelError(
                f"{source} is not {entry.name}: its SHA-256 is {digest}, expected "
                f"{entry.sha256}; what was fetched has been removed"
            )
        model = add(store, part)
        part.unlink()
    return model


def _keep(folder: Path, file: Path, model: InstalledModel) -> None:
    new = model.path.with_suffix(".new")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with file.open("rb") as source, new.open("wb") as target:
            while chunk := source.read(CHUNK):
                target.write(chunk)
            target.flush()
            os.fsync(target.fileno())
        if sha256_of(new)[0] != model.sha256:
            raise ModelError(f"{file}: changed while it was copied; try again")
        for ending in BESIDE:
            if (names := file.with_suffix(ending)).is_file():
                model.path.with_suffix(ending).write_bytes(names.read_bytes())
        new.replace(model.path)
        about = asdict(model) | {"path": model.path.name}
        model.path.with_suffix(".json").write_text(json.dumps(about, indent=1), "utf-8")
    except OSError as error:
        raise ModelError(f"cannot install into {folder}: {error.strerror}") from None
    finally:
        new.unlink(missing_ok=True)


def _examined(file: Path) -> DetectorInfo:
    """What the driver `onnx` makes of a model; raises `ModelError` where it cannot use it."""
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
