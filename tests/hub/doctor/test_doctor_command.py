"""`vestibule doctor` as people run it: what it prints, how it ends, and whom it leaves in peace."""

from __future__ import annotations

import json
import os
import pty
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from hub.testing import RunningHub
from tests.hub.doctor.examined_school import School, clip

ROOT = Path(__file__).parents[3]
SECRET = "canary/4+{}"


def doctor(
    *arguments: str, env: dict[str, str] | None = None, within_s: float = 60
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hub", "doctor", *arguments],
        capture_output=True, text=True, check=False, timeout=within_s, cwd=ROOT,
        env={**os.environ, **(env or {})},
    )  # fmt: skip


def as_json(*arguments: str, **more: Any) -> dict[str, Any]:
    """What `--json` says; nothing may stand beside it on standard output."""
    done = doctor(*arguments, "--json", **more)
    assert "Traceback" not in done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (1 if told["bad"] else 0)
    return told


def test_the_example_is_examined_within_its_deadline(school: School, free_port: int) -> None:
    """Nothing is bad, every group is there, and the counts add up."""
    began = time.monotonic()
    done = doctor("config.example.yaml", "--state", str(school.state), "--port", str(free_port))
    assert time.monotonic() - began < 45
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert {"machine", "state folder", "broker", "cameras", "detectors", "notifiers"} <= set(lines)
    findings = [line for line in lines if line.startswith("  ")]
    numbers = [int(part.split()[0]) for part in lines[-1].split(", ")]
    assert sum(numbers) == len(findings)
    assert numbers[2] == 0
    assert all(("→" in line) == ("✓" not in line) for line in findings)
    assert "\x1b" not in done.stdout
    assert done.stderr == ""
    assert not school.state.exists()


def test_json_is_one_object_with_every_finding(school: School, free_port: int) -> None:
    """Each finding has all six keys, and the counts are those of its states."""
    told = as_json(str(school.write()), "--state", str(school.state), "--port", str(free_port))
    keys = {"name", "subject", "state", "found", "remedy", "seconds"}
    assert all(set(probe) == keys for probe in told["probes"])
    for state in ("ok", "warn", "bad"):
        assert told[state] == sum(probe["state"] == state for probe in told["probes"])
    assert all(probe["remedy"] for probe in told["probes"] if probe["state"] != "ok")


def test_an_invalid_file_is_bad_and_the_machine_is_still_examined(school: School) -> None:
    """The problems as `check` words them, then what can be said without a configuration."""
    school.write(cameras={"hall": {"driver": "rtps", "place": "site"}})
    done = doctor(str(school.file), "--state", str(school.state))
    assert done.returncode == 1
    assert f"{school.file}:" in done.stdout
    assert "cameras.hall.driver" in done.stdout
    assert "processor" in done.stdout
    told = as_json(str(school.file), "--state", str(school.state))
    wrong = [probe for probe in told["probes"] if probe["name"] == "configuration"]
    assert "cameras.hall.driver" in [probe["subject"] for probe in wrong]
    assert "Traceback" not in done.stdout + done.stderr


def test_a_file_that_cannot_be_read_is_status_two(tmp_path: Path) -> None:
    """Nobody looked; nothing is printed on standard output."""
    done = doctor(str(tmp_path / "nowhere.yaml"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "nowhere.yaml" in done.stderr


@pytest.mark.parametrize("limit", ["soon", "0s", "-3"])
def test_a_deadline_that_is_none_is_a_wrong_command_line(school: School, limit: str) -> None:
    """`10s` and `1m` are lengths of time, these are not."""
    done = doctor(str(school.write()), f"--timeout={limit}")
    assert done.returncode == 64
    assert "--timeout" in done.stderr


def test_what_hangs_does_not_hold_up_the_end(school: School, free_port: int) -> None:
    """A driver that blocks its thread for a minute costs its deadline, not the minute."""
    (school.folder / "my_plugins").mkdir()
    (school.folder / "my_plugins" / "slow.py").write_text(
        "import time\nfrom hub import Block, Channel, Driver, hookimpl\n"
        "class Config(Block):\n    pass\n"
        "class Slow:\n"
        "    def __init__(self, config, context):\n        self.channel = Channel('local')\n"
        "    async def probe(self):\n        time.sleep(60)\n"
        "@hookimpl\ndef vestibule_notifiers():\n"
        "    return [Driver('slow', Slow, Config, 'S')]\n"
    )
    school.write(notifiers={"slow": {"driver": "slow"}})
    told = as_json(
        str(school.file), "--state", str(school.state), "--port", str(free_port),
        "--timeout", "1s", within_s=40,
    )  # fmt: skip
    (slow,) = [probe for probe in told["probes"] if probe["subject"] == "slow"]
    assert slow["state"] == "bad"
    assert slow["seconds"] < 30


TELLTALE = """
import logging, sys, warnings
from typing import Annotated
from pydantic import Field
from hub import Block, Channel, Driver, NotReady, hookimpl

class Config(Block):
    word: Annotated[str, Field(repr=False)]
    token: str

class Telltale:
    channel = Channel("local")
    def __init__(self, config, context):
        self.config = config
    async def probe(self):
        said = f"{self.config.word} {self.config.token}"
        print(said)
        print(said, file=sys.stderr)
        logging.getLogger("telltale").error(said)
        raise RuntimeError(f"401 for {said} at https://u:{self.config.token}@push.example/")
    async def close(self):
        raise RuntimeError(self.config.token)

@hookimpl
def vestibule_notifiers():
    return [Driver("telltale", Telltale, Config, "T")]
"""


def test_no_secret_is_ever_printed(school: School, free_port: int) -> None:
    """From a tag, the environment, a key, an address or a hidden field: in no text and no JSON."""
    secrets = [SECRET.format(number) for number in range(8)]
    quoted = quote(secrets[2], safe="")
    (school.folder / "my_plugins").mkdir()
    (school.folder / "my_plugins" / "telltale.py").write_text(TELLTALE)
    (school.folder / "secrets.yaml").write_text(f"mqtt: {secrets[0]}\nword: {secrets[1]}\n")
    (school.folder / "secrets.yaml").chmod(0o644)
    school.write(
        raw=f"""
hub: {{mqtt: {{host: 127.0.0.1, port: {free_port}, username: hub, password: !secret mqtt}}}}
cameras:
  a: {{driver: rtsp, place: site, url: "rtsp://u:{quoted}@127.0.0.1:{free_port}/a"}}
  b: {{driver: rtsp, place: site, url: "rtsp://127.0.0.1:{free_port}/b", password: "{secrets[3]}"}}
notifiers:
  c: {{driver: telltale, word: !secret word, token: "{secrets[4]}"}}
  d: {{driver: telltale, word: !env DOCTOR_WORD, token: "{secrets[4]}"}}
  e: {{driver: webhook, url: "http://127.0.0.1:{free_port}/x?token={secrets[5]}",
       secret: "{secrets[6]}-0123456789"}}
"""
    )
    env = {"DOCTOR_WORD": secrets[7]}
    base = (str(school.file), "--state", str(school.state), "--port", str(free_port))
    for arguments in (base, (*base, "--json")):
        done = doctor(*arguments, env=env)
        assert done.returncode == 1
        assert "401 for" in done.stdout
        said = done.stdout + done.stderr
        assert "canary" not in said
        assert "Traceback" not in said


def test_a_bar_is_drawn_on_a_terminal_only(school: School, free_port: int) -> None:
    """Where somebody looks at standard error it moves there; standard output stays clean."""
    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-m", "hub", "doctor", str(school.write()), "--json",
         "--state", str(school.state), "--port", str(free_port)],
        stdout=subprocess.PIPE, stderr=theirs, text=True, cwd=ROOT,
        env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    drawn = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:
            break
        if not part:
            break
        drawn += part
    said, _ = done.communicate(timeout=60)
    os.close(ours)
    assert "━".encode() in drawn
    assert json.loads(said)["bad"] == 0


def test_beside_a_running_hub_nothing_is_disturbed(school: School) -> None:
    """Its port is no alarm; its lock, doors, driver links, siren and outbox stay as they were."""
    clip(school.folder / "clip.mp4")
    door = {"name": "Front", "controller": "locks", "place": "site", "egress": "free"}
    school.write(
        cameras={"hall": {"driver": "file", "place": "site", "path": "clip.mp4"}},
        access_control={"locks": {"driver": "simulated"}},
        doors={"front": {**door, "device": {"behaviour": "prompt"}}},
        notifiers={"siren": {"driver": "simulated_siren"}, "book": {"driver": "logbook"}},
    )
    with RunningHub(school.file, school.state) as hub:
        doors = hub.until("doors", lambda doors: bool(doors[0]["reported"]), within_s=40)
        before = hub.get("health")
        port = hub.address.rpartition(":")[2]
        told = as_json(str(school.file), "--state", str(school.state), "--port", port)
        after = hub.get("health")
        assert (school.state / "hub.lock").read_text() == f"{hub.pid}\n"
        assert hub.get("doors")[0]["reported"]["lock"] == doors[0]["reported"]["lock"]
        siren = json.loads((school.state / "notifiers/siren/siren.json").read_text())
        with closing(sqlite3.connect(f"file:{school.state}/journal.db?mode=ro", uri=True)) as book:
            types = {row[0] for row in book.execute("SELECT type FROM events")}
            intentions = book.execute("SELECT count(*) FROM actions").fetchone()[0]
        assert hub.stop()[0] == 0
    assert told["bad"] == 0, [probe for probe in told["probes"] if probe["state"] == "bad"]
    probes = {(probe["name"], probe["subject"]): probe["found"] for probe in told["probes"]}
    assert "held by the hub of this state folder" in probes["pages", f"127.0.0.1:{port}"]
    assert "in use by the running hub" in probes["state folder", "journal"]
    assert "320x240 H.264" in probes["cameras", "hall"]
    assert [each["restarts"] for each in before["drivers"]] == [
        each["restarts"] for each in after["drivers"]
    ]
    assert "plugin.failed" not in types
    assert (siren["on"], intentions) == (False, 0)
    assert (school.state / "notifiers/book/logbook.txt").read_text() == ""
