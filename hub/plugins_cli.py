"""The verbs about drivers: which plugins there are, and a schema of what they understand."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli_exit import UNREADABLE, fail
from hub.cli_options import AsJson
from hub.errors import CannotCheck

if TYPE_CHECKING:
    from hub.kinds import Kind
    from hub.plugins import Provider

LINE = 80
LONGEST_NAME = 40


def plugins(
    config: Annotated[
        Path | None, typer.Option(help="Look at this file's plugins_dir and at what it uses.")
    ] = None,
    plugins_dir: Annotated[Path | None, typer.Option(help="A folder with plugin files.")] = None,
    json_: AsJson = False,
) -> None:
    """List every plugin, what it offers, and why it is broken if it is."""
    import json

    from hub.hidden import secret_values
    from hub.plugins import load_registry
    from hub.secrets import Secrets
    from hub.yamlfile import read_yaml

    try:
        document = read_yaml(str(config)) if config is not None else None
    except CannotCheck as error:
        raise fail(str(error), UNREADABLE) from None
    values = document.values if document is not None else None
    folder = plugins_dir or (_folder_in(config, values) if config is not None else None)
    registry = load_registry(folder)
    secrets = Secrets(secret_values(document, registry) if document is not None else ())
    used = drivers_named(values)
    providers = registry.used_by(used) if config is not None else registry.providers
    if json_:
        print(json.dumps(secrets.clean_data([each.as_dict() for each in providers]), indent=2))
    else:
        print(secrets.clean("\n".join(lines(providers))))
    missing = [
        f"{kind}: {registry.why_missing(kind, name)}"
        for kind, names in used.items()
        for name in names
        if name not in registry.drivers(kind)
    ]
    for why in missing:
        print(f"vestibule: {secrets.clean(why)}", file=sys.stderr)
    raise typer.Exit(1 if missing else 0)


def drivers_named(values: object) -> dict[Kind, list[str]]:
    """The drivers that a configuration's blocks name, as far as it can be read, each once."""
    from hub.kinds import KINDS

    named: dict[Kind, list[str]] = {}
    for kind in KINDS:
        section = values.get(kind) if isinstance(values, dict) else None
        blocks = section.values() if isinstance(section, dict) else ()
        drivers = (block.get("driver") for block in blocks if isinstance(block, dict))
        named[kind] = list(dict.fromkeys(each for each in drivers if isinstance(each, str)))
    return named


def lines(providers: Sequence[Provider]) -> Iterator[str]:
    """The list for people: a line for each plugin, and below it what it offers and what is wrong.

    Nothing is cut off: only text that is longer than the line goes on in the next.
    """
    width = max(len(each.name) for each in providers)
    width = min(width, LONGEST_NAME)
    yield f"{'plugin':{width}}  {'source':11}  {'version':10}  state"
    for each in providers:
        yield f"{each.name:{width}}  {each.source:11}  {each.version:10}  {each.state}"
        for kind, names in each.drivers.items():
            yield from _below(f"{kind}: {', '.join(names)}")
        if each.state in ("broken", "invalid"):
            yield from _below(each.file)
            yield from _below(each.reason)
        for name, note in each.notes.items():
            yield from _below(f"note: {name} is {note}")


def _below(text: str) -> list[str]:
    import textwrap

    return textwrap.wrap(
        text, LINE, initial_indent="    ", subsequent_indent="    ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def schema(
    output: Annotated[Path | None, typer.Option(help="Write it to this file.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="Include the drivers in this file's plugins_dir.")
    ] = None,
    plugins_dir: Annotated[
        Path | None, typer.Option(help="Include the drivers in this folder.")
    ] = None,
) -> None:
    """Write a JSON Schema of the configuration, for editors that complete and explain keys.

    Use it in any editor with the YAML language server; the first line of your file is:

    # yaml-language-server: $schema=vestibule.schema.json
    """
    import json

    from hub.plugins import load_registry
    from hub.schema import schema as made

    try:
        folder = plugins_dir or (_plugins_of(config) if config is not None else None)
    except CannotCheck as error:
        raise fail(str(error), UNREADABLE) from None
    registry = load_registry(folder)
    for provider in registry.providers:
        if provider.trouble:
            print(f"note: {provider.trouble}", file=sys.stderr)
    text = json.dumps(made(registry), indent=2, ensure_ascii=False) + "\n"
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise fail(f"cannot write {output}: {error.strerror}", UNREADABLE) from None


def _plugins_of(config: Path) -> Path:
    from hub.yamlfile import read_yaml

    return _folder_in(config, read_yaml(str(config)).values)


def _folder_in(config: Path, values: object) -> Path:
    from hub.check import plugins_folder

    return plugins_folder(config.parent, values)
