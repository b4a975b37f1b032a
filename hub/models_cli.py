"""`vestibule models`: what is known and installed, in a table; progress on standard error."""

from __future__ import annotations

from pathlib import Path

from hub.errors import ModelError
from hub.model_install import add, fetch
from hub.models import ANEW, CatalogueEntry, InstalledModel, ModelStore, card


def list_models(folder: Path) -> None:
    """Print every known model and every one that can be used, best first."""
    from rich.console import Console
    from rich.table import Table

    store = ModelStore(folder)
    there = {model.name: model for model in store.available()}
    best = store.best()
    table = Table("model", "installed", "licence", "input", "what it is")
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    known: list[CatalogueEntry | InstalledModel] = [
        entry for entry in store.catalogue() if entry.name not in there
    ]
    for model in sorted([*there.values(), *known], key=lambda each: -each.rank):
        state = "no"
        if isinstance(model, InstalledModel):
            state = "built in" if model.shipped else "yes"
        if best is not None and model.name == best.name:
            state += " (auto)"
        table.add_row(model.name, state, model.licence, model.input, model.title)
    Console().print(table)
    for name in store.shipped_names():
        if fault := store.fault(name):
            print(f"{fault}; {ANEW}.")
    if best is None:
        print("No model is installed: `model: auto` only guesses from motion.")
    if best is None or best.shipped:
        print("`vestibule models fetch yolox-nano`, or `vestibule models add FILE` when offline,")
        print("gets a larger model, which then goes first and knows more than people.")


def show_model(folder: Path, name: str) -> None:
    """Print all that is known of one model. Raises `ModelError`."""
    store = ModelStore(folder)
    found = store.find(name)
    model: CatalogueEntry | InstalledModel = found or store.entry(name)
    print(f"name: {model.name}")
    print(f"title: {model.title}")
    there = "no" if found is None else f"built in, {found.path}" if found.shipped else found.path
    print(f"installed: {there}")
    print(f"licence: {model.licence}")
    print(f"source: {model.source}")
    if isinstance(model, CatalogueEntry):
        print(f"url: {model.url or 'none'}")
    print(f"input: {model.input}")
    print(f"labels: {', '.join(model.labels) or 'unknown'}")
    print(f"sha256: {model.sha256}")
    print(f"bytes: {model.bytes}")
    if found is not None:
        _tell_speed(found, folder)
        if text := card(found):
            print(f"\n{text}")


def verify_models(folder: Path, name: str | None) -> bool:
    """Read the files of all models, or of one, and say whether each is what it was.

    Returns whether all are. Raises `ModelError` for a name of which there is no file.
    """
    store = ModelStore(folder)
    looked = {each: (store.fault(each), ANEW) for each in store.shipped_names()}
    again = "remove it and install it anew"
    looked |= {model.name: (store.verify(model), again) for model in store.installed()}
    if name is not None:
        found = store.find(name)
        name = found.name if found is not None else name
        if name not in looked:
            raise ModelError(f"{store.entry(name).name} is not installed")
        looked = {name: looked[name]}
    for each, (fault, cure) in looked.items():
        print(f"{each}: {fault}; {cure}" if fault else f"{each}: sound")
    if not looked:
        print("No model is installed.")
    return not any(fault for fault, _ in looked.values())


def _tell_speed(model: InstalledModel, folder: Path) -> None:
    """Family and milliseconds of a look on this machine, by input side, or why there is none."""
    from hub.doctor.perception import look_words
    from hub.doctor.trial import detector

    said = detector(
        {
            "id": model.name,
            "driver": "onnx",
            "settings": {"model": str(model.path.absolute()), "labels": ["all"]},
            "state": str(folder.parent.absolute()),
            "config_folder": str(folder.absolute()),
            "plugins_dir": "",
        }
    )
    if "error" in said:
        print(f"cannot be used: {said['error']}")
        return
    print(f"family: {said['family']}")
    print(f"one look: {look_words(said['milliseconds'])}")


def add_model(folder: Path, file: Path) -> None:
    """Install a file and say what it turned out to be. Raises `ModelError`."""
    _tell(add(ModelStore(folder), file))


def fetch_model(folder: Path, name: str, url: str | None = None) -> None:
    """Download a model with a progress bar. Raises `ModelError`."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    store = ModelStore(folder)
    present = store.find(name)
    if present is not None and present.shipped:
        print(f"{present.name} comes with Vestibule: there is nothing to fetch.")
        return
    entry = store.entry(name)
    columns = TextColumn(entry.name), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(entry.name, total=entry.bytes)
        model = fetch(store, name, lambda done, total: bar.update(task, completed=done), url)
    _tell(model)


def _tell(model: InstalledModel) -> None:
    if model.shipped:
        print(f"{model.name} comes with Vestibule ({model.licence}, SHA-256 {model.sha256}).")
        return
    print(f"{model.name} is installed ({model.licence}, SHA-256 {model.sha256}).")
    if model.licence == "unknown":
        print("It is not in the catalogue: whether you may use it is for you to find out.")
