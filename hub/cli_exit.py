"""How the command line ends where it does not do what was asked.

Exit status: 0 done · 1 the answer is no (an invalid configuration, a refusal) · 2 it could not be
looked at (a file is missing or unreadable) · 3 the hub could not start · 64 the command line itself
is wrong · 70 a fault of Vestibule's own.
"""

from __future__ import annotations

import typer

REFUSED = 1
UNREADABLE = 2
USAGE = 64


def fail(message: str, code: int) -> typer.Exit:
    """Say what is wrong on stderr; raised, it ends with this status."""
    typer.echo(f"vestibule: {message}", err=True)
    return typer.Exit(code)
