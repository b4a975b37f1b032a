"""`vestibule backup`: make one, see what there is, verify one, and go back to one."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli_options import AsJson, Beside, State, state_folder

if TYPE_CHECKING:
    from hub.storage.backup_copy import Told
    from hub.storage.backup_manifest import Manifest
    from hub.storage.backup_restore import Lost
    from hub.storage.backup_shelf import Backup, Shelf
    from hub.storage.folder import StateFolder

backup = typer.Typer(
    help="Copies of all that the hub remembers, and the way back to one.", no_args_is_help=True
)

SHOWN_PROBLEMS = 10
Folder = Annotated[
    Path | None,
    typer.Option(help="Where backups are, if not where the configuration says.", metavar="DIR"),
]
Config = Annotated[
    Path | None, typer.Option(help="The YAML file beside which the state folder lies.")
]
Named = Annotated[
    str, typer.Argument(metavar="[BACKUP]", help="Its name or folder; without one, the newest.")
]


@backup.command("create")
def create(
    config: Beside = None, folder: Folder = None, state: State = None, json_: AsJson = False
) -> None:
    """Make a backup now, also while the hub runs."""
    from hub.clock import SystemClock
    from hub.origin import account_here
    from hub.storage.backup import create as make

    place, shelf = _places(state, config, folder)
    with _bar() as told:
        made = make(place, shelf, SystemClock(), account_here(), told=told, pause=0.0)
    assert made.manifest is not None
    if json_:
        print(json.dumps(made.as_dict(), indent=2))
        return
    print(f"{made.path}: {_size(made.manifest.bytes)}, {_events(made.manifest)}, verified.")
    for name, reason in made.manifest.left_out.items():
        print(f"left out: {name}: {reason}", file=sys.stderr)


@backup.command("list")
def list_(
    config: Beside = None, folder: Folder = None, state: State = None, json_: AsJson = False
) -> None:
    """List the backups, newest first."""
    _, shelf = _places(state, config, folder)
    every = shelf.every()
    if json_:
        print(json.dumps([each.as_dict() for each in every], indent=2))
        return
    for each in every:
        print(_line(each))
    if not every:
        print(f"No backups in {shelf.folder}. `vestibule backup create` makes one.")


@backup.command("verify")
def verify(
    named: Named = "",
    config: Config = None,
    folder: Folder = None,
    state: State = None,
    json_: AsJson = False,
) -> None:
    """Read every byte of a backup and say whether it is as it was made."""
    from hub.storage.backup_manifest import read_manifest
    from hub.storage.backup_verify import problems

    _, shelf = _places(state, config, folder)
    path = _chosen(shelf, named)
    manifest = read_manifest(path)
    with _bar() as told:
        found = _lines(problems(path, manifest, told))
    if json_:
        print(json.dumps({"name": path.name, "path": str(path), "problems": found}, indent=2))
    else:
        for each in found:
            print(f"{path.name}: {each}")
        if not found:
            print(f"{path}: sound, {len(manifest.files)} files, {_events(manifest)}.")
    raise typer.Exit(1 if found else 0)


@backup.command("restore")
def restore(
    named: Named = "",
    config: Config = None,
    folder: Folder = None,
    yes: Annotated[bool, typer.Option("--yes", help="Restore without asking.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only verify, and show what would be lost.")
    ] = False,
    leave_out_damaged: Annotated[
        bool, typer.Option("--leave-out-damaged", help="Restore what is sound of a damaged one.")
    ] = False,
    state: State = None,
    json_: AsJson = False,
) -> None:
    """Go back to a backup. What is there now is kept under another name."""
    from hub.clock import SystemClock, iso
    from hub.origin import account_here
    from hub.storage.backup_manifest import read_manifest
    from hub.storage.backup_restore import lost
    from hub.storage.backup_restore import restore as bring_back

    place, shelf = _places(state, config, folder)
    path = _chosen(shelf, named)
    manifest = read_manifest(path)
    with place.lock():
        with _bar() as told:
            manifest = _sound(path, manifest, leave_out_damaged, told)
        losses = lost(place, path, manifest)
        result: dict[str, Any] = {
            "backup": path.name,
            "as_of": iso(manifest.time),
            "lost": asdict(losses),
            "kept_as": None,
        }
        if not json_:
            print("\n".join(_told_losses(path, manifest, losses)))
        if dry_run or not (yes or _agreed(place)):
            if json_:
                print(json.dumps(result, indent=2))
            raise typer.Exit(0 if dry_run else 1)
        with _bar() as told:
            now, by = SystemClock().now(), account_here()
            kept = bring_back(place, path, manifest, losses, by, now, told)
    if json_:
        print(json.dumps(result | {"kept_as": str(kept)}, indent=2))
        return
    print(f"Restored. What was there before is in {kept}; delete it once all is well.")
    print("Start the hub now. Everybody has to sign in again.")


def _sound(path: Path, manifest: Manifest, leave_out_damaged: bool, told: Told) -> Manifest:
    """What of the backup can be restored: all, or what is sound if that is asked for."""
    from hub.storage.backup_manifest import JOURNAL, damaged
    from hub.storage.backup_verify import problems

    found = problems(path, manifest, told)
    if not found:
        return manifest
    if JOURNAL in found or not leave_out_damaged:
        lines = _lines(found)
        more = f"; and {len(lines) - SHOWN_PROBLEMS} more" if len(lines) > SHOWN_PROBLEMS else ""
        raise damaged(path, "; ".join(lines[:SHOWN_PROBLEMS]) + more, JOURNAL not in found)
    for line in _lines(found):
        print(f"left out: {line}", file=sys.stderr)
    kept = {name: stored for name, stored in manifest.files.items() if name not in found}
    return manifest.model_copy(update={"files": kept})


def _lines(found: dict[str, str]) -> list[str]:
    return [f"{name} {what}" for name, what in found.items()]


def _places(
    state: Path | None, config: Path | None, folder: Path | None
) -> tuple[StateFolder, Shelf]:
    """The state folder, and the backups: in `folder`, else where the configuration says."""
    from hub.storage.backup_shelf import Shelf
    from hub.storage.folder import StateFolder

    place = StateFolder(state_folder(state, beside=config))
    return place, Shelf(folder or place.path / _configured(place, config))


def _configured(place: StateFolder, config: Path | None) -> Path:
    """`hub.backup.folder` of the file, or of the configuration that ran last."""
    from hub.config import BackupSettings
    from hub.errors import CannotCheck
    from hub.kept import KeptConfigs
    from hub.yamlfile import read_yaml

    files = [config] if config else [kept.main for kept in KeptConfigs(place.configs).every()[:1]]
    values: Any = None
    for file in files:
        try:
            values = read_yaml(str(file)).values
        except CannotCheck:
            if config is not None:
                raise
    for key in ("hub", "backup", "folder"):
        values = values.get(key) if isinstance(values, dict) else None
    return Path(values) if isinstance(values, str) else BackupSettings().folder


def _chosen(shelf: Shelf, named: str) -> Path:
    from hub.errors import StateError

    if named:
        return shelf.find(named)
    for each in shelf.every():
        if each.manifest is not None:
            return each.path
        print(f"vestibule: passed over, though newer: {each.trouble}", file=sys.stderr)
    raise StateError(f"there is no backup that can be used in {shelf.folder}")


@contextmanager
def _bar() -> Iterator[Told]:
    """A bar on standard error, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    errors = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
        console=errors, transient=True, disable=not errors.is_terminal,
    ) as bar:  # fmt: skip
        task = bar.add_task("", total=None)

        def told(what: str, done: int, total: int) -> None:
            bar.update(task, description=what.capitalize(), completed=done, total=total or None)

        yield told


def _told_losses(path: Path, manifest: Manifest, losses: Lost) -> list[str]:
    from hub.clock import iso

    said = [f"{path.name} holds everything as of {iso(manifest.time)}, {_events(manifest)}."]
    if not losses.known:
        said.append("What happened after that is lost. How much cannot be told: no journal is here")
        said.append(
            "that can be read. Who was locked out since may come in again, and a lost phone"
        )
        said.append("that was forgotten since is known again: look through *People* afterwards.")
        said.append("If this is another machine, the hub that the backup came from must not run")
        said.append("any more: two hubs on the same doors undo each other's commands.")
    elif losses.events:
        said.append(
            f"Lost will be {_counted(losses.events, 'event')} until {losses.until}, among them "
            f"{_counted(losses.alerts, 'alert')} and {_counted(losses.incidents, 'incident')}."
        )
    else:
        said.append("No event is lost.")
    if losses.accounts:
        said.append(f"Accounts that go back to how they were: {', '.join(losses.accounts)}.")
    if losses.locked:
        said.append(f"Accounts that stay locked out: {', '.join(losses.locked)}.")
    if losses.revoked:
        said.append(f"Tokens that stay revoked: {', '.join(losses.revoked)}.")
    return said


def _agreed(place: StateFolder) -> bool:
    if not sys.stdin.isatty():
        print("vestibule: nothing was changed; answer yes, or give --yes", file=sys.stderr)
        return False
    return typer.confirm(f"Restore {place.path}?", err=True)


def _line(each: Backup) -> str:
    from hub.clock import iso

    known = each.manifest
    if known is None:
        return f"{each.name}  of no use: {each.trouble}"
    return f"{each.name}  {iso(known.time)}  {_size(known.bytes)}  {_events(known)}  by {known.by}"


def _events(manifest: Manifest) -> str:
    return _counted(manifest.rows.get("events", 0), "event")


def _counted(number: int, of_what: str) -> str:
    return f"{number} {of_what}" if number == 1 else f"{number} {of_what}s"


def _size(bytes_: int) -> str:
    return f"{bytes_ / (1 << 20):.1f} MB"
