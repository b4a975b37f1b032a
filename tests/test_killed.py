"""`kill -9`, at moments nobody chose: what was accepted is there afterwards, and is done once."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hub.testing import RunningHub
from hub.testing.crash.disk import Keep, cut_power

CONFIG = """
hub: {{name: Test school}}
places:
  site: {{name: Test school, kind: site}}
  hall: {{name: Hall, kind: room, in: site}}
detectors:
  movers: {{driver: motion}}
cameras:
  hall: {{driver: simulated, place: hall, scene: corridor, seed: 7, detector: movers}}
access_control:
  locks: {{driver: simulated}}
doors:
  hall_door:
    name: Hall door
    controller: locks
    place: hall
    egress: free
    device: {{behaviour: prompt, forced_after: 1s}}
people:
  sro: {{name: School resource officer, role: sro}}
notifiers:
  receiver:
    driver: webhook
    url: http://127.0.0.1:{port}/notices
    secret: only-for-this-test
rules:
  forced:
    name: Door forced open
    when: door.forced
    alert: {{severity: high, tell: [sro], through: [receiver]}}
"""

RECORD = """
import sys
from pathlib import Path

if "run" in sys.orig_argv and "hub" in sys.orig_argv:
    from hub.testing.crash.disk import RecordedDisk

    RecordedDisk(Path({log!r})).install()
"""
KEEP: tuple[Keep, ...] = ("none", "some")


class Receiver:
    """An HTTP receiver that does each idempotency key's work once, as a good one does."""

    def __init__(self) -> None:
        self.work: dict[str, dict[str, Any]] = {}
        self.unmarked: list[str] = []
        self.attempts = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.attempts += 1
                key = self.headers["Idempotency-Key"]
                if key in receiver.work and not body["data"]["repeat"]:
                    receiver.unmarked.append(key)
                receiver.work.setdefault(key, body)
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def hub(tmp_path: Path, receiver: Receiver, drawn_cameras: Path) -> Iterator[RunningHub]:
    config = tmp_path / "school.yaml"
    config.write_text(CONFIG.format(port=receiver.port), encoding="utf-8")
    with RunningHub(config, tmp_path / "state", drawn_cameras) as running:
        yield running


class Disk:
    """The disk below the hub's journal: it keeps what was synced when the hub is killed, no more.

    The hub's process is given `hub.testing.crash.disk` by way of a `sitecustomize` module.
    """

    def __init__(self, hub: RunningHub, folder: Path, seed: int) -> None:
        self.noted = 0
        self._hub = hub
        self._chance = random.Random(seed)
        self._log, self._before = folder / "disk.log", folder / "before"
        site = folder / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text(RECORD.format(log=str(self._log)), encoding="utf-8")
        hub.get("alerts")  # its token is made by another process, which is not recorded
        hub.kill()
        hub._env["PYTHONPATH"] = f"{site}{os.pathsep}{os.pathsep.join(sys.path)}"
        self.start()

    def start(self) -> None:
        """Remember the files as they are, and start the hub on them."""
        shutil.rmtree(self._before, ignore_errors=True)
        self._before.mkdir()
        for file in self._hub.state.glob("journal.db*"):
            shutil.copy(file, self._before)
        self._log.unlink(missing_ok=True)
        self._hub.start()

    def cut(self) -> None:
        """Leave the journal's files as a power cut would."""
        self.noted += self._log.stat().st_size
        cut_power(self._before, self._log, self._hub.state, self._chance.choice(KEEP), self._chance)


def kill_hub(
    hub: RunningHub, receiver: Receiver, times: int, seed: int, disk: Disk | None = None
) -> None:
    """Kill and start the hub again and again; check what must survive each time."""
    chance = random.Random(seed)
    open_before: set[str] = set()
    for _ in range(times):
        time.sleep(chance.uniform(0.0, 2.5))
        open_before |= {alert["id"] for alert in hub.get("alerts?open=1")}
        time.sleep(chance.uniform(0.0, 1.0))
        hub.kill()
        if disk is None:
            hub.start()
        else:
            disk.cut()
            disk.start()
        open_now = {alert["id"]: alert for alert in hub.get("alerts?open=1")}
        assert open_before <= set(open_now), "an open alert is still there"
        for alert in open_now.values():
            story = hub.get(f"incidents/{alert['incident']}")
            assert any(entry["type"] == "alert.raised" for entry in story["entries"])
    assert open_before, "the door was forced at least once"
    hub.until("health", lambda health: health["actions"]["pending"] == 0, within_s=60)
    raised = {alert["id"] for alert in hub.get("alerts")}
    told = [work["data"]["alert"] for work in receiver.work.values()]
    assert set(told) >= open_before, "whoever had to be told was told"
    assert len(told) == len(set(told)), "each alert's notice is one piece of work, under one key"
    assert set(told) <= raised, "nothing was told that is not in the journal"
    assert not receiver.unmarked, "a repeat says that it may be one"


def kill_workers(hub: RunningHub, times: int, seed: int) -> None:
    """Kill the perception worker again and again; the camera comes back each time."""
    chance = random.Random(seed)
    hub.until("cameras", lambda cameras: cameras[0]["state"] == "online", within_s=60)
    hub.until("alerts?open=1", bool, within_s=60)
    open_before = {alert["id"] for alert in hub.get("alerts?open=1")}
    for killed in range(1, times + 1):
        time.sleep(chance.uniform(0.0, 1.0))
        (worker,) = [p for p in hub.get("health")["processes"] if p["name"] != "hub"]
        decoded = hub.get("cameras")[0]["decoded"]
        os.kill(worker["pid"], signal.SIGKILL)

        def back(health: dict[str, Any], old: int = worker["pid"], times: int = killed) -> bool:
            (now,) = [p for p in health["processes"] if p["name"] != "hub"]
            return now["pid"] not in (0, old) and now["restarts"] >= times

        hub.until("health", back, within_s=60)
        hub.until("cameras", lambda cameras, n=decoded: cameras[0]["decoded"] > n, within_s=60)
    assert {alert["id"] for alert in hub.get("alerts?open=1")} >= open_before


def test_a_killed_hub_comes_back_with_its_alerts_and_tells_each_once(
    hub: RunningHub, receiver: Receiver
) -> None:
    """Journal before act: five kills at random moments lose nothing and double nothing."""
    kill_hub(hub, receiver, times=5, seed=20)


def test_a_killed_worker_is_replaced(hub: RunningHub) -> None:
    """Five kills of the perception worker: pictures come again and alerts stay open."""
    kill_workers(hub, times=5, seed=21)


@pytest.mark.slow
def test_twenty_killed_hubs(hub: RunningHub, receiver: Receiver) -> None:
    """The same over twenty kills."""
    kill_hub(hub, receiver, times=20, seed=22)


@pytest.mark.slow
def test_ten_power_cuts_of_a_whole_hub(hub: RunningHub, receiver: Receiver, tmp_path: Path) -> None:
    """The same where each kill also takes from the journal what was not synced."""
    disk = Disk(hub, tmp_path, seed=24)
    kill_hub(hub, receiver, times=10, seed=24, disk=disk)
    assert disk.noted > 0, "the journal was on the disk that was cut"


@pytest.mark.slow
def test_twenty_killed_workers(hub: RunningHub) -> None:
    """The same over twenty kills of the worker."""
    kill_workers(hub, times=20, seed=23)
