"""The `vestibule` command: thin verbs over the rooms that do the work."""

from __future__ import annotations

import gc
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.accounts_cli import tokens, users
from hub.audit_cli import audit
from hub.backup_cli import backup
from hub.bench_cli import bench
from hub.cli_exit import UNREADABLE, USAGE, fail
from hub.cli_options import AsJson, Beside, Listen, Port, State, state_folder
from hub.inbound_cli import inbound
from hub.plugins_cli import plugins, schema
from hub.replay_cli import replay
from hub.scaffold_cli import new_plugin

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.storage.folder import StateFolder

app = typer.Typer(
    name="vestibule",
    help="A safety hub for schools: cameras, doors, visitors and alerts from one YAML file.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
config_verbs = typer.Typer(
    help="The configuration over time: what ran, and the way back.", no_args_is_help=True
)
models = typer.Typer(help="Detector models: what is known, installed, and how to get one.")
app.add_typer(users, name="users")
app.add_typer(tokens, name="token")
app.add_typer(config_verbs, name="config")
app.add_typer(models, name="models")
app.add_typer(bench, name="bench")
app.add_typer(backup, name="backup")
app.add_typer(audit, name="audit")


class Format(StrEnum):
    """How `check` prints."""

    text = "text"
    json = "json"


@app.command()
def run(
    config: Annotated[Path, typer.Argument(help="The YAML file.")],
    state: State = None,
    listen: Listen = None,
    port: Port = None,
    for_: Annotated[
        float | None, typer.Option("--for", help="Stop by itself after so many seconds.", min=0.1)
    ] = None,
    summary: Annotated[
        Path | None, typer.Option(help="Write what happened to this JSON file at the end.")
    ] = None,
) -> None:
    """Run the hub until it is told to stop (Ctrl-C)."""
    gc.disable()  # until it is up (`hub.start.steady`): what is loaded now is there to stay
    from hub.start import Options, start

    options = Options(
        config=config,
        state=state_folder(state, beside=config),
        listen=listen,
        port=port,
        seconds=for_,
        summary=summary,
    )
    raise typer.Exit(start(options))


@app.command()
def check(
    config: Annotated[Path, typer.Argument(help="The YAML file.")],
    format_: Annotated[
        Format, typer.Option("--format", help="Lines, or one JSON array.")
    ] = Format.text,
    state: State = None,
) -> None:
    """Say everything that is wrong with a configuration, with line and column."""
    import json

    from hub.check import CannotCheck, examine
    from hub.output import guard_output
    from hub.secrets import Secrets

    secrets = Secrets()
    guard_output(secrets)
    try:
        installed = state_folder(state, beside=config) / "models"
        examined = examine(str(config), secrets=secrets, models=installed)
    except CannotCheck as error:
        raise fail(str(error), UNREADABLE) from None
    problems = examined.problems
    for note in examined.notes:
        print(f"note: {note}", file=sys.stderr)
    if format_ is Format.json:
        print(json.dumps([problem.as_dict() for problem in problems], indent=2, ensure_ascii=False))
    else:
        for problem in problems:
            print(problem)
        if not problems:
            print(f"{config}: valid", file=sys.stderr)
    raise typer.Exit(1 if problems else 0)


DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")]
Yes = Annotated[bool, typer.Option("--yes", help="Apply without asking.")]
Confirm = Annotated[
    bool, typer.Option("--confirm", help="Confirm changes of doors and protocols without asking.")
]


def with_hub(work: Callable[[StateFolder], int], state: Path | None, beside: Path | None) -> int:
    """Run `work` on the state folder of a running hub; says so where none runs."""
    from hub.errors import NotReady
    from hub.storage.folder import StateFolder

    try:
        return work(StateFolder(state_folder(state, beside=beside)))
    except NotReady as error:
        raise fail(
            f"{error}; start one with `vestibule run`, or name its --state", UNREADABLE
        ) from None


@app.command("reload")
def reload_(
    config: Beside = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    confirm: Confirm = False,
    json_: AsJson = False,
    state: State = None,
) -> None:
    """Have a running hub take over its changed YAML file, after a look at what that changes."""
    from hub.reload_cli import reload

    def work(folder: StateFolder) -> int:
        return reload(
            folder, config=config, dry_run=dry_run, yes=yes, confirm=confirm, as_json=json_
        )

    raise typer.Exit(with_hub(work, state, config))


@config_verbs.command("migrate")
def config_migrate(
    file: Annotated[Path, typer.Argument(help="The YAML file.")], dry_run: DryRun = False
) -> None:
    """Give keys of earlier versions today's names, in the file and in what it includes."""
    from hub.migrate_cli import migrate

    raise typer.Exit(migrate(str(file), dry_run))


@config_verbs.command("history")
def config_history(config: Beside = None, json_: AsJson = False, state: State = None) -> None:
    """List the configurations that ran, newest first."""
    from hub.reload_cli import history

    raise typer.Exit(with_hub(lambda folder: history(folder, json_), state, config))


@config_verbs.command("rollback")
def config_rollback(
    hash_: Annotated[
        str, typer.Argument(metavar="[HASH]", help="Which; without one, what ran before.")
    ] = "",
    config: Annotated[
        Path | None, typer.Option(help="The YAML file beside which the state folder lies.")
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    confirm: Confirm = False,
    json_: AsJson = False,
    state: State = None,
) -> None:
    """Go back to a configuration that ran; your file is not touched."""
    from hub.reload_cli import rollback

    def work(folder: StateFolder) -> int:
        return rollback(folder, hash_, dry_run=dry_run, yes=yes, confirm=confirm, as_json=json_)

    raise typer.Exit(with_hub(work, state, config))


@app.command()
def doctor(
    config: Annotated[Path, typer.Argument(help="The YAML file.")],
    state: State = None,
    listen: Listen = None,
    port: Port = None,
    timeout: Annotated[str, typer.Option(help="How long each probe may take.")] = "10s",
    ntp: Annotated[str, typer.Option(help="Ask this time server how far the clock is off.")] = "",
    json_: AsJson = False,
) -> None:
    """Try what the configuration names, and say of each thing how it is and what to do."""
    from hub.errors import CannotCheck
    from hub.units import parse_duration

    try:
        limit = parse_duration(timeout)
    except ValueError as error:
        raise fail(f"--timeout: {error}", USAGE) from None
    if limit <= 0:
        raise fail("--timeout: expected more than 0s", USAGE)
    from hub.doctor.command import doctor as examine
    from hub.doctor.given import Asked

    folder = state_folder(state, beside=config)
    try:
        examine(Asked(config, folder, listen, port, limit, ntp, json_))
    except CannotCheck as error:
        raise fail(str(error), UNREADABLE) from None


@app.command()
def perceive(
    clips: Annotated[list[Path], typer.Argument(help="Video files.")],
    model: Annotated[str, typer.Option(help="A model by name or file, or auto.")] = "auto",
    fps: Annotated[
        float | None, typer.Option(help="Look at so many frames a second.", min=0.01)
    ] = None,
    json_: Annotated[
        str | None, typer.Option("--json", help="Write a JSON line per frame here; - for stdout.")
    ] = None,
    annotate: Annotated[
        Path | None, typer.Option(help="Write the clip with what was seen drawn in.")
    ] = None,
    state: State = None,
) -> None:
    """Run the cameras' own pipeline over clips, every frame, repeatably."""
    from hub.perception.perceive import perceive as look

    raise typer.Exit(
        look(clips, model, fps, json_, annotate, models=state_folder(state) / "models")
    )


app.command()(plugins)
app.command()(replay)
app.command()(inbound)
app.command()(new_plugin)
app.command()(schema)


def models_folder(state: Path | None) -> Path:
    """Where models are installed, in a state folder that is made if it is not there yet."""
    from hub.storage.folder import StateFolder

    folder = StateFolder(state_folder(state))
    folder.open()
    return folder.models


@models.command("list")
def models_list(state: State = None) -> None:
    """Show the known models and which are installed."""
    from hub.models_cli import list_models

    list_models(state_folder(state) / "models")


@models.command("show")
def models_show(name: str, state: State = None) -> None:
    """Show licence, source, input, labels, SHA-256 and card of a model."""
    from hub.models_cli import show_model

    show_model(state_folder(state) / "models", name)


@models.command("verify")
def models_verify(
    name: Annotated[str | None, typer.Argument()] = None, state: State = None
) -> None:
    """Look whether the files of the models are what they were."""
    from hub.models_cli import verify_models

    if not verify_models(state_folder(state) / "models", name):
        raise typer.Exit(1)


@models.command("add")
def models_add(file: Path, state: State = None) -> None:
    """Install a model file, from a USB stick for instance."""
    from hub.models_cli import add_model

    add_model(models_folder(state), file)


@models.command("fetch")
def models_fetch(
    name: str,
    url: Annotated[str | None, typer.Option(help="Fetch it from here instead.")] = None,
    state: State = None,
) -> None:
    """Download a model of the catalogue, going on where an earlier try stopped."""
    from hub.models_cli import fetch_model

    fetch_model(models_folder(state), name, url)
