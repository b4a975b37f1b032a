"""The example school, run as a newcomer runs it: from pixels to doors to the story of it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hub.testing import RunningHub

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, drawn_cameras: Path) -> Iterator[RunningHub]:
    """The example school, running, with its cameras already drawn."""
    state = tmp_path_factory.mktemp("example")
    with RunningHub(ROOT / "config.example.yaml", state, cache=drawn_cameras) as hub:
        yield hub


def wing_alerts(alerts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [alert for alert in alerts if alert["rule"] == "closed_wing"]


def test_the_walk_from_a_pixel_to_a_locked_door(house: RunningHub) -> None:
    """A person in the closed wing is one alert with its picture; verifying it locks that wing's
    doors, names the one that jams, and the incident tells it in order."""
    alerts = house.until("alerts?open=1", lambda found: bool(wing_alerts(found)), within_s=60)
    (alert,) = wing_alerts(alerts)
    assert alert["severity"] == "high"
    assert alert["picture"], "an alert comes with its picture"
    assert alert["place_words"]
    assert alert["incident"]

    answer = house.post(f"alerts/{alert['id']}/verdict", {"verdict": "verified", "note": "seen"})
    assert answer["state"] == "verified"

    def told(doors: list[dict[str, Any]]) -> bool:
        asked = [door for door in doors if door["requested"]]
        return len(asked) >= 2 and all(d["requested"]["state"] != "pending" for d in asked)

    doors = house.until("doors", told, within_s=60)
    asked = {door["id"]: door for door in doors if door["requested"]}
    confirmed = [door for door in asked.values() if door["requested"]["state"] == "confirmed"]
    refused = [door for door in asked.values() if door["requested"]["state"] == "failed"]
    assert confirmed
    assert refused, "one lock of the wing jams and says so"
    assert all(door["reported"]["lock"] == "locked" for door in confirmed)
    assert all(door["conclusion"] == "secured" for door in confirmed)
    assert all(door["conclusion"] == "not_secured" for door in refused)

    incident = house.until(
        f"incidents/{alert['incident']}",
        lambda found: sum(1 for entry in found["entries"] if entry["picture"]) >= 3,
        within_s=60,
    )
    types = [entry["type"] for entry in incident["entries"]]
    assert types.index("alert.raised") < types.index("alert.verified")
    after = types[types.index("alert.verified") :]
    assert "action.confirmed" in after
    assert "action.failed" in after
    told_of = " ".join(entry["text"] for entry in incident["entries"])
    assert refused[0]["name"] in told_of
    times = [entry["time"] for entry in incident["entries"]]
    assert times == sorted(times)


def test_a_forced_door_is_an_alert_of_its_own(house: RunningHub) -> None:
    """A door that opens while locked, with nobody let through, raises another alert."""
    alerts = house.until(
        "alerts", lambda found: any(a["rule"] == "forced_door" for a in found), within_s=90
    )
    assert sum(1 for alert in alerts if alert["rule"] == "forced_door") == 1


def test_forty_sightings_are_one_alert(house: RunningHub) -> None:
    """Whoever stays in the wing, or comes again, joins the alert that is there."""
    assert len(wing_alerts(house.get("alerts"))) == 1


def test_every_camera_moves(house: RunningHub) -> None:
    """Each camera decodes, and shows a picture no older than a second or so."""
    cameras = house.until(
        "cameras", lambda all_: all(camera["state"] == "online" for camera in all_), within_s=60
    )
    assert len(cameras) >= 4
    assert all(camera["decoded"] > 0 for camera in cameras)
    house.until("cameras", lambda all_: max(c["picture_age_s"] for c in all_) < 2.0, within_s=60)


def test_its_alerts_are_about_people_whom_a_model_has_seen(house: RunningHub) -> None:
    """With nothing installed and nothing fetched a real model looks, and nothing is guessed."""
    health = house.get("health")
    assert (health["guessing"], health["detecting"]) == (False, "people")
    (model,) = house.get("models")
    assert (model["name"], model["shipped"]) == ("people", True)
    assert model["sha256"] in model["card"]
    (alert,) = wing_alerts(house.get("alerts"))
    assert (alert["guessing"], alert["label"]) == (False, "person")
    assert alert["score"] >= 0.45
    cameras = house.get("cameras")
    assert all(camera["detector"] == "people" and camera["inferred"] for camera in cameras)


def test_a_second_hub_is_refused(house: RunningHub) -> None:
    """The state folder belongs to one hub; the second is told which process holds it."""
    done = subprocess.run(
        [sys.executable, "-m", "hub", "run", str(house.config), "--state", str(house.state),
         "--port", "0"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert str(house.pid) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_busy_port_says_who_to_ask(house: RunningHub, tmp_path: Path) -> None:
    """A port in use ends in one line that says how to find its holder."""
    port = house.address.rsplit(":", 1)[1]
    done = subprocess.run(
        [sys.executable, "-m", "hub", "run", str(house.config), "--state", str(tmp_path),
         "--port", port],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert port in done.stderr
    assert "ss -ltnp" in done.stderr


def test_a_bad_config_never_replaces_what_runs(house: RunningHub, tmp_path: Path) -> None:
    """Starting on a broken file says what is wrong and leaves the running hub as it was."""
    broken = tmp_path / "broken.yaml"
    text = (ROOT / "config.example.yaml").read_text(encoding="utf-8")
    broken.write_text(text.replace("\nrules:", "\nruless:"), encoding="utf-8")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    done = subprocess.run(
        [sys.executable, "-m", "hub", "run", str(broken), "--state", str(house.state)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"{broken}:" in done.stdout
    assert "ruless" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert house.get("health")["uptime_s"] > 0


def test_strangers_are_refused(house: RunningHub) -> None:
    """Nothing of the API answers without a token or a session."""
    import urllib.request

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{house.address}/api/v1/cameras", timeout=30)
    refused.value.close()
    assert refused.value.code == 401


def test_ctrl_c_ends_within_three_seconds_with_everything_kept(
    tmp_path: Path, drawn_cameras: Path
) -> None:
    """Ctrl-C ends hub and workers quickly; nothing is left half written; the summary is true."""
    summary = tmp_path / "summary.json"
    hub = RunningHub(
        ROOT / "config.example.yaml", tmp_path / "state", drawn_cameras,
        ("--summary", str(summary)),
    )  # fmt: skip
    hub.start()
    hub.until("health", lambda health: health["events"] > 5, within_s=40)
    workers = [process["pid"] for process in hub.get("health")["processes"]][1:]
    code, took = hub.stop()
    assert code == 0
    assert took < 3.0 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)), "three when idle"
    assert workers
    for pid in workers:
        assert not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text()
    told = json.loads(summary.read_text(encoding="utf-8"))
    assert set(told) >= {
        "first_frame_s", "first_event_s", "first_alert_s", "cameras", "events", "alerts",
        "actions", "doors", "processes",
    }  # fmt: skip
    with closing(sqlite3.connect(hub.state / "journal.db")) as journal:
        assert journal.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        (kept,) = journal.execute("SELECT count(*) FROM events").fetchone()
    assert kept >= told["events"]


def test_for_seconds_ends_by_itself(tmp_path: Path, drawn_cameras: Path) -> None:
    """`--for` stops the hub, with exit status 0."""
    hub = RunningHub(
        ROOT / "config.example.yaml", tmp_path / "state", drawn_cameras, ("--for", "2")
    )
    hub.start()
    assert hub.wait(within_s=60) == 0
