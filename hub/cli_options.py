"""Options that several verbs of the command line have."""

from __future__ import annotations

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
