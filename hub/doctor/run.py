"""Letting all probes run side by side, each with a deadline of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from hub.clock import Clock
from hub.doctor.finding import Finding, Probe, bad, warn
from hub.drivers import words
from hub.errors import VestibuleError
from hub.secrets import Secrets
from hub.units import duration_words

END_WITHIN_S = 0.5


async def examine(
    probes: Sequence[Probe],
    clock: Clock,
    limit: float,
    secrets: Secrets,
    done: Callable[[Probe], None] = lambda probe: None,
) -> list[Finding]:
    """Every probe's findings, in the probes' order, without a secret in them.

    `limit` is each probe's deadline in seconds, unless it has more patience. `done` is told of each
    probe as it ends.
    """

    async def one(probe: Probe) -> list[Finding]:
        findings = await _observe(probe, clock, max(limit, probe.patience))
        done(probe)
        return [_clean(finding, secrets) for finding in findings]

    return [each for some in await asyncio.gather(*map(one, probes)) for each in some]


async def _observe(probe: Probe, clock: Clock, limit: float) -> list[Finding]:
    began = clock.monotonic()
    findings: list[Finding] = []

    def note(finding: Finding) -> None:
        subject = finding.subject or probe.subject
        seconds = finding.seconds or clock.monotonic() - began
        findings.append(replace(finding, name=probe.name, subject=subject, seconds=seconds))

    async def look() -> None:
        async for finding in probe.look():
            note(finding)

    task = asyncio.create_task(look(), name=f"probe {probe.name} {probe.subject}")
    await asyncio.wait({task}, timeout=limit)
    if not task.done():
        note(bad(f"no answer within {duration_words(limit)}", "see why it hangs, then try again"))
        await _end(task)
    elif task.cancelled():
        note(failed(RuntimeError("it was called off")))
    elif (error := task.exception()) is not None:
        note(failed(error))
    return findings


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel it; what does not end even then is left behind."""
    task.cancel()
    await asyncio.wait({task}, timeout=END_WITHIN_S)
    if task.done() and not task.cancelled():
        task.exception()


def failed(error: BaseException) -> Finding:
    """A finding for a probe that broke: our own words, or the class and text of a foreign error."""
    if isinstance(error, VestibuleError):
        return bad(words(error), "do what the reason says")
    return warn(f"could not be tried: {words(error)}", "report this as a fault of Vestibule")


def _clean(finding: Finding, secrets: Secrets) -> Finding:
    return replace(
        finding,
        found=_line(secrets.clean(finding.found)),
        remedy=_line(secrets.clean(finding.remedy)),
        subject=_line(secrets.clean(finding.subject)),
    )


def _line(text: str) -> str:
    """In one line, without control characters: a device must not paint the terminal."""
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
