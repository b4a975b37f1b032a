"""The scripted day with its kills: the promise holds, and two faults put in by hand are found."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
BENCHMARK = ROOT / "benchmarks" / "escalation.py"

# Each is run before the benchmark, in its process, from which every life is forked.
CALLS_ON = """
from hub.safety.alerts.escalate import Escalation
Escalation._end_telling = lambda self, row, reason: None
"""
FORGETS = """
from datetime import timedelta
from hub.safety.alerts import steps
known = steps.due
def due(connection, now):
    return [row for row in known(connection, now) if row.step < 3]
steps.due = due
"""
OVERSLEEPS = """
from hub.safety.actions import Performer
from hub.testing.alarms import life
Performer.wake = lambda self: None
life.REST_WITHIN_S = 0.5
"""
SAYS_NOTHING = """
import time
from hub.testing.alarms import life, prove
life.Life.run = lambda self: time.sleep(300)
prove.SILENT_S = 0.5
"""


def run(alerts: int, restarts: int, before: str = "") -> tuple[dict[str, Any], str]:
    """The figures of a day, with a fault put in before, and what was wrong in words."""
    done = day(alerts, restarts, before)
    assert done.stdout, done.stderr
    assert done.returncode == (1 if done.stderr.strip() else 0)
    return json.loads(done.stdout), done.stderr


def day(alerts: int, restarts: int, before: str = "") -> subprocess.CompletedProcess[str]:
    """A day in a process of its own, with a fault put in before."""
    code = f"import runpy, sys\n{before}\nsys.argv = sys.argv[1:]\n"
    code += "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    arguments = [str(BENCHMARK), "--alerts", str(alerts), "--restarts", str(restarts), "--json"]
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def test_no_alert_goes_unheard_through_failures_and_kills() -> None:
    """Every severe alert that nobody answers reaches its last step; none goes out once answered."""
    figures, wrong = run(200, 8)
    assert wrong == ""
    assert figures["alerts"] == 200
    assert figures["restarts"] >= 4
    for name in ("severe_unreached", "sent_after_ack", "repeats_unmarked", "answers_untold"):
        assert figures[name] == 0, name
    assert figures["verdict_p95_s"] > 0


@pytest.mark.parametrize(
    ("fault", "figure"),
    [(CALLS_ON, "sent_after_ack"), (FORGETS, "severe_unreached")],
    ids=["goes on after an acknowledgement", "forgets its last step"],
)
def test_a_fault_put_in_by_hand_is_found(fault: str, figure: str) -> None:
    """A hub that calls on after an acknowledgement, or loses a step, does not pass."""
    figures, wrong = run(20, 1, fault)
    assert figures[figure] > 0
    assert wrong


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (OVERSLEEPS, ["did not come to rest", "due: ['Tell Officer through"]),
        (SAYS_NOTHING, ["was silent for 0.5 s", "most recent call first", "in _live"]),
    ],
    ids=["oversleeps", "says nothing"],
)
def test_a_life_that_hangs_ends_and_says_where(fault: str, words: list[str]) -> None:
    """What never comes to rest, or falls silent, fails in time and shows what it waited for."""
    done = day(5, 1, fault)
    assert done.returncode == 1
    assert "Broken: the life from" in done.stderr
    for each in words:
        assert each in done.stderr
