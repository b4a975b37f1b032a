"""The verbs about drivers: which plugins there are, and a schema of what they understand."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hub.errors import CannotCheck


def plugins(
    plugins_dir: Annotated[Path | None, typer.Option(help="A folder with plugin files.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List every plugin, what it offers, and why it is broken if it is."""
    import json

    from rich.console import Console
    from rich.table import Table

    from hub.plugins import load_registry

    providers = load_registry(plugins_dir).providers
    if json_:
        print(json.dumps([provider.as_dict() for provider in providers], indent=2))
        return
    table = Table("plugin", "source", "version", "kinds", "drivers", "state", "reason")
    for provider in providers:
        table.add_row(
            provider.name,
            provider.source,
            provider.version,
            ", ".join(provider.kinds),
            ", ".join(name for names in provider.drivers.values() for name in names),
            provider.state,
            provider.reason,
        )
    Console().print(table)


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
        raise _failed(str(error)) from None
    registry = load_registry(folder)
    for provider in registry.providers:
        if provider.state in ("broken", "invalid"):
            words = f"note: {provider.name} is {provider.state}: {provider.reason}"
            print(words, file=sys.stderr)
    text = json.dumps(made(registry), indent=2, ensure_ascii=False) + "\n"
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _failed(f"cannot write {output}: {error.strerror}") from None


def _plugins_of(config: Path) -> Path:
    from hub.check import plugins_folder
    from hub.yamlfile import read_yaml

    return plugins_folder(config.parent, read_yaml(str(config)).values)


def _failed(message: str) -> typer.Exit:
    print(f"vestibule: {message}", file=sys.stderr)
    return typer.Exit(2)
