"""A hub that is killed in the middle of a command knows afterwards whether it was given."""

from __future__ import annotations

import contextlib
import http.client
import json
import sqlite3
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from hub.testing import RunningHub

SCHOOL = """
hub: {name: Killed school, timezone: UTC}
places: {site: {name: Killed school, kind: site}}
access_control: {locks: {driver: simulated}}
doors:
  main: {name: Main, controller: locks, place: site, egress: free, device: {behaviour: prompt}}
"""


def _ask(hub: RunningHub, key: str, verb: str) -> tuple[int, dict[str, str], str | None]:
    """Send a command under a key, named by it."""
    at = urlsplit(hub.address)
    link = http.client.HTTPConnection(at.hostname or "", at.port, timeout=30)
    headers = {"Authorization": f"Bearer {hub.token}", "Content-Type": "application/json"}
    body = json.dumps({"verb": verb, "reason": key})
    link.request("POST", "/api/v1/doors/main/commands", body, {**headers, "Idempotency-Key": key})
    answer = link.getresponse()
    said = json.loads(answer.read())
    link.close()
    return answer.status, said, answer.getheader("Idempotency-Repeated")


LONG = tuple(number * 0.002 for number in range(16))


@pytest.mark.parametrize(
    "delays", [(0.0, 0.006, 0.02), pytest.param(LONG, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_a_command_is_given_once_however_often_the_hub_is_killed(
    tmp_path: Path, delays: tuple[float, ...]
) -> None:
    """Killed at whatever moment after the request, then asked again: each command is in the journal
    exactly once, also the one that may never be given twice, and its answer names it.
    """
    (tmp_path / "school.yaml").write_text(SCHOOL)
    hub = RunningHub(tmp_path / "school.yaml", tmp_path / "state")
    hub.start()
    told: dict[str, str] = {}
    for number, delay in enumerate(delays):
        key, verb = f"key-{number}", ("momentary", "unlock")[number % 2]
        assert hub.token
        killer = threading.Timer(delay, hub.kill)
        killer.start()
        with contextlib.suppress(OSError, http.client.HTTPException):  # nobody knows what was done
            told[key] = _ask(hub, key, verb)[1]["key"]
        killer.join()
        hub.start()
        status, said, _ = _ask(hub, key, verb)
        assert status == 202
        assert told.get(key, said["key"]) == said["key"]
        again = _ask(hub, key, verb)
        assert again == (202, said, "true")
        told[key] = said["key"]
    hub.stop()
    with sqlite3.connect(tmp_path / "state" / "journal.db") as journal:
        given = journal.execute(
            "SELECT key, COUNT(*) FROM actions WHERE kind = 'door' AND payload LIKE '%key-%' "
            "GROUP BY key"
        ).fetchall()
    journal.close()
    assert sorted(key for key, _ in given) == sorted(told.values())
    assert {count for _, count in given} == {1}
