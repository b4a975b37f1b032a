"""The example school through twenty reloads, good and bad, as IT would do them."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.procfs import usage
from hub.testing import RunningHub

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = (ROOT / "config.example.yaml").read_text(encoding="utf-8")
KEPT_DOORS = ("main_entrance", "science_wing_door")

GOOD = (
    ("name: Example school ", "name: Another school "),
    ("fps: 5 ", "fps: 4 "),
    ("held_after: 30s", "held_after: 20s"),
    ("severity: note", "severity: check"),
    ("    model: auto", "    model: auto\n    min_score: 0.2"),
    ("console: {driver: console}", "console: {driver: console, colour: false}"),
    ("name: Yard camera", "name: School yard camera"),
    ('to: "17:00"', 'to: "18:00"'),
    ("scene: car_park", "scene: yard"),
    ("name: Store room, kind", "name: Stores, kind"),
)
BAD = (
    ("place: laboratory_1\n", "place: laboratory_9\n"),
    ("cameras:\n", "camera:\n"),
    ("  lobby: {name", "\tlobby: {name"),
    ("fps: 5 ", "fps: fast "),
    ("egress: free ", "egress: never "),
    ("severity: high ", "severity: hihg "),
    ("controller: main_doors ", "controller: [main_doors "),
    ("driver: onnx ", "driver: onxx "),
    ("alert: {severity: check, tell: [front_office]", "alert: {severity: severe, tell: [nobody]"),
    ("private: true ", "private: perhaps "),
)


def example(folder: Path, drawn_cameras: Path) -> RunningHub:
    """The example school on a copy of its file."""
    shutil.copytree(ROOT / "examples", folder / "examples")
    file = folder / "school.yaml"
    file.write_text(EXAMPLE, encoding="utf-8")
    return RunningHub(file, folder / "state", cache=drawn_cameras)


@pytest.fixture
def school(tmp_path: Path, drawn_cameras: Path) -> Iterator[RunningHub]:
    """A school of the test's own, that has run nothing else."""
    with example(tmp_path, drawn_cameras) as hub:
        hub.until("cameras", all_online, within_s=60)
        yield hub


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory, drawn_cameras: Path) -> Iterator[RunningHub]:
    with example(tmp_path_factory.mktemp("lasting"), drawn_cameras) as hub:
        hub.until("cameras", all_online, within_s=60)
        yield hub


@pytest.fixture
def running(lasting: RunningHub) -> RunningHub:
    """The school that several tests share: it runs the example again, as its file says."""
    lasting.config.write_text(EXAMPLE, encoding="utf-8")
    plan = lasting.get("configuration/plan")
    if plan["changes"]:
        lasting.post("configuration/apply", {"plan": plan["id"], "confirmed": True})
    assert lasting.get("configuration")["trouble"] == ""
    return lasting


def all_online(cameras: list[dict[str, Any]]) -> bool:
    return all(camera["state"] == "online" for camera in cameras)


def vestibule(hub: RunningHub, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command beside the hub, on its state."""
    return subprocess.run(
        [sys.executable, "-m", "hub", *arguments, "--state", str(hub.state)],
        capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def memory_mb(hub: RunningHub) -> float:
    """The most that the hub's own process has held."""
    seen = usage(hub.pid)
    assert seen is not None
    return seen.rss_peak_mb


def changed(old: str, new: str) -> str:
    assert EXAMPLE.count(old) >= 1, old
    return EXAMPLE.replace(old, new, 1)


def test_twenty_reloads_keep_the_doors_and_the_memory(school: RunningHub) -> None:
    """Ten good and ten bad files in turn: doors that did not change keep what is known of them,
    workers live on, every bad file is refused, and the hub does not grow.
    """
    known = {door["id"]: door["reported"]["lock"] for door in school.get("doors")}
    assert all(known[door] != "unknown" for door in KEPT_DOORS)
    workers = {each["name"]: each["pid"] for each in school.get("health")["processes"]}
    before = 0.0
    for turn, (good, bad) in enumerate(zip(GOOD, BAD, strict=True)):
        school.config.write_text(changed(*bad), encoding="utf-8")
        refused = school.get("configuration/plan")
        assert not refused["valid"], bad
        assert school.get("health")["state"] == "degraded"
        assert "is not valid" in school.get("configuration")["trouble"]
        school.config.write_text(changed(*good), encoding="utf-8")
        plan = school.get("configuration/plan")
        assert plan["valid"], plan["problems"]
        assert plan["changes"], good
        school.post("configuration/apply", {"plan": plan["id"], "confirmed": bool(plan["grave"])})
        assert school.get("configuration")["trouble"] == ""
        doors = {door["id"]: door for door in school.get("doors")}
        for door in KEPT_DOORS:
            assert doors[door]["online"], (turn, door)
            assert doors[door]["reported"]["lock"] == known[door], (turn, door)
        if turn == 2:
            before = memory_mb(school)
    grown = memory_mb(school) - before
    assert grown < 12, f"the hub has grown by {grown:.1f} MB over eight reloads"
    school.until("cameras", all_online, within_s=60)
    now = {each["name"]: each["pid"] for each in school.get("health")["processes"]}
    assert now == workers
    kept = school.get("configuration")["kept"]
    assert len(kept) == 11
    assert school.stop()[0] == 0
    assert "Traceback" not in school.errors()


def test_it_is_done_from_the_command_line(school: RunningHub) -> None:
    """Look, refuse without an answer, apply, go back: each with its words and exit status."""
    same = vestibule(school, "reload")
    assert (same.returncode, same.stdout) == (0, "Nothing to change: the file says what runs.\n")
    school.config.write_text(changed("held_after: 30s", "held_after: 20s"), encoding="utf-8")
    line = "!~ doors.main_entrance.held_after: 30s → 20s"
    dry = vestibule(school, "reload", "--dry-run")
    assert dry.returncode == 0
    assert line in dry.stdout.splitlines()
    unasked = vestibule(school, "reload")
    assert (unasked.returncode, line in unasked.stdout) == (1, True)
    assert "--yes" in unasked.stderr
    half = vestibule(school, "reload", "--yes")
    assert half.returncode == 1
    assert "--confirm" in half.stderr
    assert school.get("configuration")["waiting"] == "1 change waits to be confirmed"
    done = vestibule(school, "reload", "--yes", "--confirm")
    assert done.returncode == 0
    assert "Applied" in done.stderr
    history = vestibule(school, "config", "history")
    assert len(history.stdout.splitlines()) == 2
    first = history.stdout.splitlines()[0]
    assert first.endswith("  runs now  doors.main_entrance.held_after")
    back = vestibule(school, "config", "rollback", "--yes", "--confirm")
    assert back.returncode == 0, back.stderr
    assert "doors.main_entrance.held_after: 20s → 30s" in back.stdout
    assert "held_after: 20s" in school.config.read_text(encoding="utf-8")
    degraded = vestibule(school, "config", "history")
    assert degraded.stdout.startswith("Degraded: the kept configuration ")
    school.config.write_text("hub: [", encoding="utf-8")
    broken = vestibule(school, "reload", "--yes", "--confirm")
    assert broken.returncode == 1
    assert "school.yaml:1:6: " in broken.stdout
    assert "Traceback" not in broken.stdout + broken.stderr
    unknown = vestibule(school, "config", "rollback", "ffff")
    assert unknown.returncode == 1
    assert "no kept one begins with 'ffff'" in unknown.stderr
    plan = json.loads(vestibule(school, "reload", "--json").stdout)
    assert plan["problems"][0]["line"] == 1


def test_another_file_is_not_taken_for_the_hubs(running: RunningHub, tmp_path: Path) -> None:
    """What is named has to be what the hub runs; nobody reloads the wrong school by a typo."""
    right = vestibule(running, "reload", str(running.config))
    assert right.returncode == 0
    for name in ("other.yaml", "nowhere.yaml"):
        (tmp_path / "other.yaml").write_text(EXAMPLE, encoding="utf-8")
        wrong = vestibule(running, "reload", str(tmp_path / name), "--yes", "--confirm")
        assert wrong.returncode == 1
        assert f"not {tmp_path / name}" in wrong.stderr


def test_a_person_answers_twice(running: RunningHub) -> None:
    """At a terminal the second question wants a word, and nothing happens for another."""
    running.config.write_text(changed("held_after: 30s", "held_after: 20s"), encoding="utf-8")
    for answers, status in ((b"n\n", 1), (b"y\nyes\n", 1), (b"y\nDOORS\n", 0)):
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "hub", "reload", "--state", str(running.state)],
            stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        os.close(theirs)
        os.write(ours, answers)
        said = process.communicate(timeout=60)
        os.close(ours)
        assert process.returncode == status, said
    assert running.get("configuration")["trouble"] == ""
    assert running.get("configuration/plan")["changes"] == []


def test_a_signal_reloads(running: RunningHub) -> None:
    """`systemctl reload` takes over what is harmless, and a file with a mistake only degrades."""
    running.config.write_text(changed("name: Yard camera", "name: Playground"), encoding="utf-8")
    os.kill(running.pid, signal.SIGHUP)
    running.until("cameras", lambda found: any(c["name"] == "Playground" for c in found), 30)
    running.config.write_text("places: {", encoding="utf-8")
    os.kill(running.pid, signal.SIGHUP)
    running.until("health", lambda view: "is not valid" in view["configuration"], 30)
    assert any(c["name"] == "Playground" for c in running.get("cameras"))


def test_a_restart_with_a_broken_file_runs_what_ran(school: RunningHub) -> None:
    """The typo is told on every line it deserves, the school is watched all the same."""
    school.stop()
    school.config.write_text(changed("cameras:\n", "camera:\n"), encoding="utf-8")
    school.start()
    assert any("camera: is not known here" in line for line in school.printed)
    assert "Nothing is cleaned up until that is mended" in school.errors()
    assert len(school.get("cameras")) == 4
    assert school.get("health")["state"] == "degraded"
    school.stop()
    back = vestibule(school, "config", "rollback")
    assert back.returncode == 1
    assert "nothing to go back to" in back.stderr


def test_without_a_hub_that_is_said(tmp_path: Path) -> None:
    """No hub, no reload: status 2 and what to do."""
    done = subprocess.run(
        [sys.executable, "-m", "hub", "reload", "--state", str(tmp_path / "none")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "no hub runs on the state folder" in done.stderr
    assert "vestibule run" in done.stderr
