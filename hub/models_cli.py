"""`vestibule models`: what is known and installed, in a table; progress on standard error."""

from __future__ import annotations

from pathlib import Path

from hub.models import CatalogueEntry, InstalledModel, ModelStore


def list_models(folder: Path) -> None:
    """Print every known and every installed model, best first."""
    from rich.console import Console
    from rich.table import Table

    store = ModelStore(folder)
    installed = {model.name: model for model in store.installed()}
    best = store.best()
    table = Table("model", "installed", "licence", "input", "what it is")
    known: list[CatalogueEntry | InstalledModel] = [
        entry for entry in store.catalogue() if entry.name not in installed
    ]
    for model in sorted([*installed.values(), *known], key=lambda each: -each.rank):
        state = "yes" if model.name in installed else "no"
        if best is not None and model.name == best.name:
            state = "yes (auto)"
        table.add_row(model.name, state, model.licence, model.input, model.title)
    Console().print(table)
    if best is None:
        print("No model is installed: `model: auto` only guesses from motion.")
        print("`vestibule models fetch yolox-nano`, or `vestibule models add FILE` when offline.")


def show_model(folder: Path, name: str) -> None:
    """Print all that is known of one model. Raises `ModelError`."""
    store = ModelStore(folder)
    found = store.find(name)
    model: CatalogueEntry | InstalledModel = found or store.entry(name)
    print(f"name: {model.name}")
    print(f"title: {model.title}")
    print(f"installed: {found.path if found else 'no'}")
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
    _tell(ModelStore(folder).add(file))


def fetch_model(folder: Path, name: str, url: str | None = None) -> None:
    """Download a model with a progress bar. Raises `ModelError`."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    store = ModelStore(folder)
    entry = store.entry(name)
    columns = TextColumn(entry.name), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(entry.name, total=entry.bytes)
        model = store.fetch(name, lambda done, total: bar.update(task, completed=done), url)
    _tell(model)


def _tell(model: InstalledModel) -> None:
    print(f"{model.name} is installed ({model.licence}, SHA-256 {model.sha256}).")
    if model.licence == "unknown":
        print("It is not in the catalogue: whether you may use it is for you to find out.")
