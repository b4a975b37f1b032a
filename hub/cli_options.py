"""Options that several verbs of the command line have, and the state folder that they mean."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

State = Annotated[
    Path | None,
    typer.Option(help="The hub's state folder.", show_default=".vestibule", metavar="DIR"),
]
Beside = Annotated[
    Path | None, typer.Argument(help="The YAML file beside which the state folder lies.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Listen = Annotated[
    str | None,
    typer.Option(help="Address the pages listen on.", show_default="hub.web.listen"),
]
Port = Annotated[
    int | None,
    typer.Option(
        help="Port of the pages; 0 picks one.", min=0, max=65535, show_default="hub.web.port"
    ),
]


def state_folder(state: Path | None, beside: Path | None = None) -> Path:
    """The folder named, else the service's own, else `.vestibule` beside the configuration."""
    if state is not None:
        return state
    if service := os.environ.get("STATE_DIRECTORY"):
        return Path(service.split(":")[0])
    return (beside.parent if beside is not None else Path.cwd()) / ".vestibule"
