"""Probes side by side: deadlines, faults, order and secrets; and how findings read."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator
from functools import partial

import pytest

from hub.clock import SystemClock
from hub.doctor.apart import in_loop, in_process, in_thread
from hub.doctor.finding import Finding, Probe, bad, ok, warn
from hub.doctor.report import as_json, counts, lines
from hub.doctor.run import examine
from hub.errors import NotReady
from hub.secrets import Secrets


async def run(*probes: Probe, limit: float = 5.0, secrets: Secrets | None = None) -> list[Finding]:
    """The findings of these probes."""
    return await examine(probes, SystemClock(), limit, secrets or Secrets())


async def say(*findings: Finding) -> AsyncIterator[Finding]:
    for finding in findings:
        yield finding


async def hang() -> AsyncIterator[Finding]:
    yield ok("this much was seen")
    await asyncio.Event().wait()


async def raise_(error: Exception) -> AsyncIterator[Finding]:
    if error:
        raise error
    yield ok("never")


async def test_a_probe_that_hangs_keeps_its_deadline_and_delays_nobody() -> None:
    """What it had said stays, its lateness is a finding, and the others are done at once."""
    done: list[str] = []
    probes = [
        Probe("a", "hangs", hang),
        Probe("a", "quick", partial(say, ok("there"))),
    ]
    began = time.monotonic()
    findings = await examine(
        probes, SystemClock(), 0.3, Secrets(), lambda probe: done.append(probe.subject)
    )
    assert time.monotonic() - began < 10
    assert done == ["quick", "hangs"]
    assert [(each.subject, each.state) for each in findings] == [
        ("hangs", "ok"),
        ("hangs", "bad"),
        ("quick", "ok"),
    ]
    assert findings[1].found == "no answer within 300ms"
    assert findings[2].seconds < findings[1].seconds


async def test_a_thread_that_blocks_is_left_behind(released: threading.Event) -> None:
    """Neither a blocked thread nor a blocked event loop of a driver holds anything up."""

    async def blocks_its_loop() -> Finding:
        released.wait(30)
        return ok("late")

    async def in_it() -> AsyncIterator[Finding]:
        yield await in_loop(blocks_its_loop)

    began = time.monotonic()
    findings = await run(
        Probe("a", "blocks", in_it), Probe("a", "quick", partial(say, ok("x"))), limit=0.3
    )
    assert time.monotonic() - began < 10
    assert [each.state for each in findings] == ["bad", "ok"]


async def test_patience_is_the_least_deadline() -> None:
    """A probe that is known to be slow is not cut off by a short --timeout."""

    async def slow() -> AsyncIterator[Finding]:
        await asyncio.sleep(0.3)
        yield ok("done")

    (finding,) = await run(Probe("a", "slow", slow, patience=5.0), limit=0.05)
    assert finding.found == "done"


async def test_what_a_probe_raises_is_a_finding() -> None:
    """Our own words are kept; a foreign error is named by its class, without a traceback."""
    findings = await run(
        Probe("a", "ours", partial(raise_, NotReady("the siren has no power"))),
        Probe("a", "foreign", partial(raise_, ZeroDivisionError("division by zero"))),
    )
    assert (findings[0].state, findings[0].found) == ("bad", "the siren has no power")
    assert "ZeroDivisionError" in findings[1].found
    assert all(each.remedy for each in findings)


async def test_no_secret_and_no_line_break_leaves_a_probe() -> None:
    """Found, remedy and subject are cleaned; what a device says cannot forge a line or colours."""
    secrets = Secrets(["s3cret/pass"])
    said = bad("s3cret/pass and s3cret%2Fpass\nforged \x1b[31mline", "s3cret/pass", "s3cret/pass")
    (finding,) = await run(Probe("a", "", partial(say, said)), secrets=secrets)
    told = json.dumps(finding.as_dict())
    assert "s3cret" not in told
    assert "\x1b" not in finding.found
    assert "\n" not in finding.found


async def test_a_process_that_dies_or_hangs_is_no_answer(tmp_path: object) -> None:
    """The reason is its status; cancelling ends it."""
    with pytest.raises(RuntimeError, match="status 1"):
        await in_process("no.such.module", {})
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await in_process("http.server", {})


async def test_a_thread_hands_over_results_and_errors() -> None:
    """As if the work had been done here."""
    assert await in_thread(lambda: 6 * 7) == 42
    with pytest.raises(KeyError):
        await in_thread(lambda: {}["x"])


FINDINGS = [
    Finding("ok", "640x360 H.264", "", "lobby", "cameras", 0.2),
    Finding("warn", "2560x1440", "give the sub-stream", "a_long_name", "cameras", 0.1),
    Finding("bad", "nothing listens", "start it", "", "broker", 1.0),
]


def test_lines_are_grouped_aligned_and_counted() -> None:
    """A heading per group, a line per finding with word and symbol, remedies after an arrow."""
    said = [line.plain for line in lines(FINDINGS)]
    assert said == [
        "cameras",
        "  ✓ ok    lobby        640x360 H.264",
        "  ! warn  a_long_name  2560x1440  → give the sub-stream",
        "broker",
        "  ✗ bad                nothing listens  → start it",
        "1 ok, 1 warn, 1 bad",
    ]


def test_a_terminal_without_unicode_gets_plain_signs() -> None:
    """Where the output cannot write a tick, nothing breaks."""
    said = "\n".join(line.plain for line in lines(FINDINGS, "ascii"))
    assert said.isascii()
    assert "x bad" in said
    assert "-> start it" in said


def test_json_says_the_same() -> None:
    """One object with every finding and a count of each state."""
    told = json.loads(as_json(FINDINGS))
    assert {key: told[key] for key in ("ok", "warn", "bad")} == counts(FINDINGS)
    assert told["probes"][1] == {
        "name": "cameras", "subject": "a_long_name", "state": "warn", "found": "2560x1440",
        "remedy": "give the sub-stream", "seconds": 0.1,
    }  # fmt: skip


def test_only_what_is_ok_needs_no_remedy() -> None:
    """Warnings and bad findings always say what to do."""
    assert warn("a", "do b").remedy
    assert bad("a", "do b").remedy
    assert ok("a").remedy == ""
