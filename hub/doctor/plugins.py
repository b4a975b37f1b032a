"""Plugins that cannot be used, and what is wrong with the configuration itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

from hub.doctor.finding import Finding, Probe, bad, ok, warn
from hub.doctor.given import Given


def probes(given: Given) -> list[Probe]:
    """The file and the plugins were read already; these say what came of it."""
    return [
        Probe("configuration", str(given.asked.config), partial(_configuration, given)),
        Probe("plugins", "", partial(_plugins, given)),
    ]


async def _configuration(given: Given) -> AsyncIterator[Finding]:
    if given.config is not None:
        yield ok("valid")
    for problem in given.problems:
        remedy = problem.hint or (f"see {problem.doc}" if problem.doc else "correct it there")
        yield bad(str(replace(problem, hint="")), remedy, problem.path)


async def _plugins(given: Given) -> AsyncIterator[Finding]:
    if given.registry is None:
        yield bad(given.clash, "remove or rename one of the two")
        return
    sound = 0
    for provider in given.registry.providers:
        if provider.state in ("broken", "invalid"):
            remedy = f"correct or remove {provider.file}"
            yield warn(f"{provider.state}: {provider.reason}", remedy, provider.name)
        else:
            sound += 1
    yield ok(f"{sound} can be used", "all" if sound == len(given.registry.providers) else "others")
