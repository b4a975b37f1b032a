"""Programs that somebody else wrote try the API as its document describes it, on a real hub."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.testing import RunningHub, running_hub

HERE = Path(__file__).parent
STREAMS = r"/(events|stream)$"
SCHOOL = """
hub: {name: Tried school, timezone: UTC}
places:
  site: {name: Tried school, kind: site, address: 1 Example Street}
  lobby: {name: Lobby, kind: room, in: site}
  gym: {name: Gym, kind: room, in: site}
people:
  sro: {name: School resource officer, role: sro}
access_control: {locks: {driver: simulated}}
doors:
  main: {name: Main, controller: locks, place: lobby, egress: free, device: {behaviour: prompt}}
  gym: {name: Gym, controller: locks, place: gym, egress: free, device: {behaviour: jams}}
  store: {name: Store room, controller: locks, place: gym}
notifiers: {logbook: {driver: logbook}}
visitors: {front_desk: {driver: desk, place: lobby, file: visitors.csv}}
rules:
  forced:
    name: A door was forced
    when: door.forced
    alert: {severity: high, tell: [sro], through: [logbook]}
protocols:
  hold: {tell: [sro], through: [logbook]}
  lockdown: {doors: [{verb: lock, doors: [main, gym]}], tell: [sro], through: [logbook]}
"""
VISITORS = "visitor,host,purpose,from,until\nPlumber,Office,Repair,00:00,23:59\n"
SETTINGS = """
hooks = "tried_hooks"
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 409, 413, 415, 422, 429]
{operations}
"""
OPERATIONS = """
[[operations]]
include-path-regex = "{path}"
parameters = {{ {values} }}
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """A school whose doors are simulated and whose everything else is real."""
    folder = tmp_path_factory.mktemp("tried")
    (folder / "school.yaml").write_text(SCHOOL)
    (folder / "visitors.csv").write_text(VISITORS)
    with running_hub(folder / "school.yaml", folder) as running:
        (folder / "settings.toml").write_text(_furnish(running))
        yield running


def _furnish(hub: RunningHub) -> str:
    """Something to find at every address; the settings that say where."""
    alert = hub.post("help", {"place": "lobby", "text": "tried"})["id"]
    incident = hub.post("incidents", {"title": "Tried"})["id"]
    task = hub.post(f"incidents/{incident}/tasks", {"text": "Look"})["tasks"][0]["id"]
    run = hub.post("protocols/hold/start", {"area": "site"})["id"]
    visit = hub.get("visits")[0]
    there = {
        "/doors/": {"id": "main"},
        "/alerts/": {"id": alert},
        "/help/": {"id": alert},
        "/incidents/.*/tasks/": {"id": incident, "task": task},
        "/incidents/{id}(/[a-z-]+)?$": {"id": incident},
        "/protocols/{run}": {"run": run},
        "/protocols/{name}": {"name": "lockdown"},
        "/rules/": {"id": "forced"},
        "/visits/": {"desk": visit["desk"], "id": visit["id"]},
    }
    return SETTINGS.format(
        operations="".join(
            OPERATIONS.format(
                path=path.replace("{", "\\\\{").replace("}", "\\\\}"),
                values=", ".join(f'"path.{name}" = "{value}"' for name, value in values.items()),
            )
            for path, values in there.items()
        )
    )


def _try(hub: RunningHub, folder: Path, role: str, *arguments: str) -> dict[str, set[int]]:
    """Try it as a role; which statuses each address answered with. Fails with what was found."""
    settings = hub.config.with_name("settings.toml")
    token = hub.vestibule("token", "create", f"{role} {os.urandom(4).hex()}", "--role", role)
    answers = folder / "answers.txt"
    done = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"), "--config-file", settings, "run",
            f"{hub.address}/api/v1/openapi.json", "-H", f"Authorization: Bearer {token}",
            "--exclude-path-regex", STREAMS, "--no-color",
            "--warnings", "off", "--max-response-time", "20", *arguments,
        ],
        cwd=folder, capture_output=True, text=True, check=False, timeout=400,
        env={**os.environ, "PYTHONPATH": str(HERE), "ANSWERS": str(answers)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5000:]
    assert re.search(r"\d+ generated", done.stdout)
    assert "a request failed" not in hub.errors()
    found: dict[str, set[int]] = defaultdict(set)
    for line in answers.read_text().splitlines():
        method, path, status = line.split()
        found[f"{method} {path}"].add(int(status))
    return found


NOT_FOUND = {  # nothing of the kind is in this school, or it needs a second one of the kind
    "POST /api/v1/incidents/{id}/merge",
    "GET /api/v1/media/{name}",
    "POST /api/v1/incidents/{id}/hand-off",
}


def _done(found: dict[str, set[int]]) -> set[str]:
    """Where something was done, or refused by the house for a reason of its own."""
    return {at for at, statuses in found.items() if statuses & {200, 201, 202, 204, 409}}


def test_the_api_answers_as_its_document_says(hub: RunningHub, tmp_path: Path) -> None:
    """Valid requests are taken, invalid ones refused, nothing fails, and every answer conforms: as
    somebody who may do nearly everything, and at nearly every address something is really done.
    """
    found = _try(hub, tmp_path, "principal", "-n", "3", "--seed", "20")
    of_doors = {at for at in found if re.search(r"/(doors|alerts|incidents|protocols)", at)}
    assert len(of_doors) > 25
    assert of_doors - _done(found) <= NOT_FOUND


@pytest.mark.parametrize("role", ["nurse", "it"])
def test_those_who_may_less_are_told_so(hub: RunningHub, tmp_path: Path, role: str) -> None:
    """For other roles too every answer is one that the document knows, most of them 403."""
    found = _try(
        hub, tmp_path, role, "-n", "1", "--seed", "20", "--mode", "positive", "--phases", "fuzzing"
    )
    refused = {at for at, statuses in found.items() if 403 in statuses}
    assert len(refused) > 10
    assert not any(
        statuses & {200, 201, 202, 204} for at, statuses in found.items() if at in refused
    )


@pytest.mark.slow
@pytest.mark.parametrize("role", ["principal", "admin", "sro", "front_office", "auditor"])
def test_the_api_bears_being_tried_for_long(hub: RunningHub, tmp_path: Path, role: str) -> None:
    """The same for minutes, in sequences of requests that follow from each other."""
    keep = ("--exclude-path-regex", r"/(tokens|sessions|people)/") if role == "admin" else ()
    found: Any = _try(hub, tmp_path, role, "-n", "200", *keep, "--max-time", "180")
    assert len(found) > 30
