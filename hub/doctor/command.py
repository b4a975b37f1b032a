"""The verb itself: read what is given, probe, print, and say by the exit status how it is."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from hub.clock import SystemClock
from hub.doctor import (
    backups,
    broker,
    cameras,
    capacity,
    drivers,
    machine,
    pages,
    perception,
    permissions,
    plugins,
    sign_in,
    state,
    timekeeping,
)
from hub.doctor.finding import Finding, Probe
from hub.doctor.given import Asked, Given, read
from hub.doctor.report import as_json, counts, print_lines
from hub.doctor.run import examine

SECTIONS = (
    plugins.probes,
    permissions.probes,
    state.probes,
    backups.probes,
    pages.probes,
    sign_in.probes,
    timekeeping.probes,
    broker.probes,
    cameras.probes,
    capacity.probes,
    perception.probes,
    drivers.probes,
)


def doctor(asked: Asked) -> NoReturn:
    """Probe, print and exit: 0 nothing is bad, 1 something is. Raises `CannotCheck`."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    output, errors = Console(file=sys.stdout), Console(file=sys.stderr)
    with _silence():
        given = read(asked, SystemClock())
        findings = asyncio.run(probe(given, errors))
    if asked.json:
        sys.stdout.write(as_json(findings) + "\n")
    else:
        print_lines(findings, output)
    sys.stdout.flush()
    # A driver or a name server that hangs left a thread behind, which must not hold up the end.
    os._exit(1 if counts(findings)["bad"] else 0)


def all_probes(given: Given) -> list[Probe]:
    """Every probe that this configuration and machine give reason for, in the order of printing."""
    return [*machine.probes(), *(probe for section in SECTIONS for probe in section(given))]


async def probe(given: Given, errors: Console) -> list[Finding]:
    """Run them all; a bar shows how far it is where somebody looks at standard error."""
    probes = all_probes(given)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        console=errors, transient=True, disable=not errors.is_terminal,
        redirect_stdout=False, redirect_stderr=False,
    )  # fmt: skip
    with bar:
        task = bar.add_task("Examining", total=len(probes))
        return await examine(
            probes,
            given.clock,
            given.asked.limit,
            given.secrets,
            lambda probe: bar.update(task, advance=1, description=probe.name),
        )


@contextmanager
def _silence() -> Iterator[None]:
    """What drivers and libraries print or log while they are probed is not part of the answer."""
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)
