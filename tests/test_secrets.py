"""Canaries in every place a secret can come from, drivers that give them away, and a search through
everything that the hub writes, prints and serves."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from leaks.rejecting import Rejecting

from hub.secrets import HIDDEN
from hub.testing import RunningHub
from hub.web.routes import ROUTES
from tests.kept_port import kept_port

LEAKS = Path(__file__).with_name("leaks")
USER = "vestibule"
NAMES = (
    "broker", "locks", "mail", "push", "hook", "header", "camera", "address", "query",
    "leaky_camera", "leaky_source", "leaky_foreign", "leaky_detector", "leaky_asked",
    "leaky_locks", "leaky_factory", "leaky_receipt", "leaky_accept", "leaky_send", "leaky_desk",
    "changed",
)  # fmt: skip


@dataclass(frozen=True)
class Canary:
    """One secret; `core` is a part of it that no quoting or escaping changes."""

    name: str

    @property
    def core(self) -> str:
        return f"Canary{self.name.replace('_', 'X')}7q9Z"

    @property
    def value(self) -> str:
        return f"{self.core}\"&/+ '%<y"

    def shapes(self) -> list[bytes]:
        """Every shape to search for, made without the code under test."""
        raw = self.value.encode()
        encoded = [base64.b64encode(raw).rstrip(b"="), self.core.encode().hex().encode()]
        encoded.append(base64.b64encode(f"{USER}:{self.value}".encode()).rstrip(b"="))
        return [self.core.encode(), *encoded, *(each.swapcase() for each in encoded[1:2])]


CANARIES = {name: Canary(name) for name in NAMES}


def quoted(name: str) -> str:
    """A canary as YAML."""
    return json.dumps(CANARIES[name].value)


def leaks_in(data: bytes) -> list[str]:
    """The canaries found in what was written, each with what stands around it."""
    found = []
    for canary in CANARIES.values():
        for shape in canary.shapes():
            if (at := data.find(shape)) >= 0:
                found.append(f"{canary.name}: ...{data[max(0, at - 80) : at + 60]!r}")
    return found


CONFIG = """
hub:
  name: Canary school
  plugins_dir: drivers
  mqtt: {{host: 127.0.0.1, port: {closed}, username: {user}, password: !secret broker}}
places:
  site: {{name: Canary school, kind: site}}
  hall: {{name: Hall, kind: room, in: site}}
detectors:
  asked: {{driver: leaky, at: infer, phrase: !env LEAKY_ASKED}}
  unbuilt: {{driver: leaky, at: factory, password: !secret leaky_detector}}
cameras:
  drawn: {{driver: simulated, place: hall, scene: corridor, seed: 7, detector: asked}}
  rtsp:
    driver: rtsp
    place: hall
    url: rtsp://127.0.0.1:{rtsp}/stream
    username: {user}
    password: !secret camera
  address: {{driver: rtsp, place: hall, url: "rtsp://{user}:{address}@127.0.0.1:{rtsp}/a"}}
  query: {{driver: rtsp, place: hall, url: "rtsp://127.0.0.1:{closed}/a?user=x&password={query}"}}
  leaky_start: {{driver: leaky, place: hall, password: {leaky_camera}}}
  leaky_source: {{driver: leaky, place: hall, at: source, password: !secret leaky_source}}
  leaky_file: {{driver: leaky, place: hall, at: never, password: !secret leaky_source}}
  leaky_foreign: {{driver: leaky, place: hall, at: foreign, phrase: {leaky_foreign}}}
access_control:
  site_broker: {{driver: mqtt}}
  own_broker:
    {{driver: mqtt, host: 127.0.0.1, port: {mqtt}, username: {user}, password: !secret locks}}
  leaky: {{driver: leaky, at: never, phrase: !secret leaky_locks}}
  leaky_factory: {{driver: leaky, at: factory, phrase: !env LEAKY_FACTORY}}
doors:
  one: {{name: One, controller: leaky, place: hall, egress: free}}
  two:
    {{name: Two, controller: own_broker, place: hall, device: {{command_topic: a, state_topic: b}}}}
  three:
    {{name: Three, controller: site_broker, place: hall,
      device: {{command_topic: c, state_topic: d}}}}
notifiers:
  mail:
    driver: email
    host: 127.0.0.1
    port: {smtp}
    security: plain
    sender: hub@school.example
    to: [office@school.example]
    username: {user}
    password: !secret mail
  push: {{driver: ntfy, server: "http://127.0.0.1:{http}", topic: doors, token: !env PUSH_TOKEN}}
  hook:
    driver: webhook
    url: http://127.0.0.1:{http}/hook
    secret: {hook}
    headers: {{Authorization: {header}}}
  receipt: {{driver: leaky, at: receipt, phrase: {leaky_receipt}}}
  accept: {{driver: leaky, at: accept, password: !secret leaky_accept}}
  send: {{driver: leaky, at: never, password: !secret leaky_send}}
  book: {{driver: logbook}}
  screen: {{driver: console}}
visitors:
  desk: {{driver: leaky, at: never, place: hall, phrase: {leaky_desk}}}
people:
  sro: {{name: School resource officer, role: sro}}
rules:
  forced:
    name: Forced
    when: door.forced
    alert:
      severity: high
      tell: [sro]
      through: [mail, push, hook, receipt, accept, send, book, screen]
    verified: [{{door: {{verb: lock, doors: [one]}}}}]
"""
IN_ENVIRONMENT = {
    "PUSH_TOKEN": "push",
    "LEAKY_ASKED": "leaky_asked",
    "LEAKY_FACTORY": "leaky_factory",
}
CREDENTIALS = ("locks", "leaky_locks")
IN_FILE = (
    "broker",
    "mail",
    "camera",
    "leaky_detector",
    "leaky_source",
    "leaky_accept",
    "leaky_send",
)
PLAIN = tuple(
    name for name in NAMES if name not in (*IN_ENVIRONMENT.values(), *CREDENTIALS, *IN_FILE)
)


@pytest.fixture(scope="module")
def servers() -> Iterator[Rejecting]:
    """Servers that refuse every password."""
    with Rejecting() as running:
        yield running


@pytest.fixture(scope="module")
def written(servers: Rejecting, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The configuration, with its secrets in a file, in the environment, among the service's
    credentials and in the open."""
    folder = tmp_path_factory.mktemp("canaries")
    (folder / "drivers").mkdir()
    shutil.copy(LEAKS / "leaky.py", folder / "drivers" / "leaky.py")
    plain = {name: quoted(name) for name in PLAIN}
    plain["header"] = json.dumps(f"Bearer {CANARIES['header'].value}")
    for name in ("address", "query"):
        plain[name] = urllib.request.quote(CANARIES[name].value, safe="")
    config = folder / "school.yaml"
    kept = kept_port()
    closed = kept.getsockname()[1]
    config.write_text(CONFIG.format(user=USER, closed=closed, **servers.ports, **plain))
    secrets = {name: CANARIES[name].value for name in IN_FILE}
    # What the service's credentials hold wins over this.
    secrets |= dict.fromkeys(CREDENTIALS, "not this one")
    (folder / "secrets.yaml").write_text(json.dumps(secrets))
    credentials = folder / "credentials"
    credentials.mkdir()
    for name in CREDENTIALS:
        (credentials / name).write_text(CANARIES[name].value + "\n")
    with kept, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
        for variable, name in IN_ENVIRONMENT.items():
            patch.setenv(variable, CANARIES[name].value)
        yield config


@dataclass
class Lived:
    """What a hub left behind: its state folder, and what was seen of it while it ran."""

    state: Path
    summary: Path
    pages: dict[str, bytes]
    processes: dict[str, bytes]
    environments: dict[int, bytes]
    printed: bytes
    errors: bytes
    reload: str


@pytest.fixture(scope="module")
def lived(written: Path, tmp_path_factory: pytest.TempPathFactory, drawn_cameras: Path) -> Lived:
    """A hub that ran with all of it until an alert was verified and everybody was told."""
    state = tmp_path_factory.mktemp("state")
    summary = state.parent / "summary.json"
    hub = RunningHub(written, state, drawn_cameras, ("--summary", str(summary)))
    with hub:
        (alert,) = hub.until("alerts?open=1", bool, within_s=30)
        hub.post(f"alerts/{alert['id']}/verdict", {"verdict": "verified", "note": ""})
        hub.until(f"incidents/{alert['incident']}", everybody_told, within_s=30)
        hub.until("cameras", all_looked_at, within_s=60)
        hub.until("health", lambda health: len(health["problems"]) > 8, within_s=30)
        before = written.read_text()
        written.write_text(changed(before))
        pages = {path: fetched(hub, path) for path in addresses(hub, alert)}
        pages["refusal"] = fetched(hub, "/visitors/desk/one/in", "POST")
        pids = [hub.pid, *children(hub.pid)]
        processes = {f"{pid}": Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids}
        environments = {pid: Path(f"/proc/{pid}/environ").read_bytes() for pid in pids[1:]}
        reload = reloaded(state)
        written.write_text(before)
        code, _ = hub.stop()
    assert code == 0
    printed = "\n".join(hub.printed).encode()
    errors = (state / "stderr.txt").read_bytes()
    return Lived(state, summary, pages, processes, environments, printed, errors, reload)


def changed(text: str) -> str:
    """The configuration with another secret in several places, open and declared secret."""
    text = text.replace(quoted("leaky_receipt"), quoted("changed"))
    address = urllib.request.quote(CANARIES["address"].value, safe="")
    return text.replace(address, urllib.request.quote(CANARIES["changed"].value, safe=""))


def reloaded(state: Path) -> str:
    """What the command line says of the change, and of having it applied."""
    said = ""
    for words in (
        ("reload", "--dry-run"),
        ("reload", "--dry-run", "--json"),
        ("reload", "--yes", "--confirm"),
        ("config", "history"),
    ):
        done = vestibule(*words, "--state", str(state))
        assert done.returncode == 0, done.stdout + done.stderr
        said += done.stdout + done.stderr
    return said


def everybody_told(incident: dict) -> bool:
    """Whether every notice and command was tried and the door has answered."""
    actions = incident["actions"]
    tried = all(each["detail"] or each["state"] != "pending" for each in actions)
    return tried and any(each["kind"] == "door" and each["state"] == "failed" for each in actions)


def all_looked_at(cameras: list[dict]) -> bool:
    """Whether the worker has tried every camera, and has pictures of the one that works."""
    words = {each["id"]: each["reason"] for each in cameras}
    said = {
        "rtsp": "(401)",
        "address": "(401)",
        "query": "nothing listens",
        "leaky_file": "no file",
    }
    working = any(each["state"] == "online" for each in cameras)
    return working and all(part in words[name] for name, part in said.items())


def children(pid: int) -> list[int]:
    """The processes that this one has started."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(each) for each in found.split()]


def addresses(hub: RunningHub, alert: dict) -> list[str]:
    """Every address that answers GET, with ids that exist."""
    ids = {
        "alerts": [alert["id"]],
        "incidents": [alert["incident"]],
        "cameras": [each["id"] for each in hub.get("cameras")],
        "doors": [each["id"] for each in hub.get("doors")],
    }
    found = []
    for route in ROUTES:
        if route.method != "GET":
            continue
        kind = next((each for each in ids if f"/{each}/" in route.path), "")
        for id_ in ids.get(kind, ["x"]):
            found.append(route.path.replace("{id}", id_).replace("{name}", "x"))
    return [path.replace("{link}", "x") for path in found] + ["/api/v1/events?after=0"]


STREAMS = ("/live", "/stream", ".mjpeg", "/events", "/events?after=0")


def fetched(hub: RunningHub, path: str, method: str = "GET") -> bytes:
    """The headers and the body at an address; of a stream what comes within half a second."""
    request = urllib.request.Request(hub.address + path, method=method)
    request.add_header("Authorization", f"Bearer {hub.token}")
    body, stream = b"", path.endswith(STREAMS)
    try:
        with urllib.request.urlopen(request, timeout=1 if stream else 20) as answer:
            body = str(answer.headers).encode()
            assert stream or "Content-Length" in answer.headers, f"{path} is a stream"
            until = time.monotonic() + (0.5 if stream else 20)
            while time.monotonic() < until and (piece := answer.read1(65_536)):
                body += piece
    except urllib.error.HTTPError as error:
        body = str(error.headers).encode() + error.read()
    except TimeoutError:
        pass
    return body


def test_the_secrets_reached_the_devices(lived: Lived, servers: Rejecting) -> None:
    """Hidden is not lost: every server was given its own secret, the credential before the file."""
    assert CANARIES["mail"].value in servers.heard["smtp"]
    assert any(CANARIES["locks"].value in each for each in servers.heard["mqtt"])
    for name in ("camera", "address"):
        assert f"{USER}:{CANARIES[name].value}" in servers.heard["rtsp"]
    for name in ("push", "header"):
        assert any(f"Bearer {CANARIES[name].value}" in each for each in servers.heard["http"])


def test_nothing_in_the_state_folder_holds_a_secret(lived: Lived) -> None:
    """Journal, its log, pictures, log book and all else are free of secrets; a kept copy of the
    configuration says what the configuration itself says in the open, and no more."""
    seen = b""
    for file in sorted(lived.state.rglob("*")):
        if file.is_file():
            data = file.read_bytes()
            leaks = leaks_in(data)
            if file.is_relative_to(lived.state / "config"):
                leaks = [leak for leak in leaks if leak.partition(":")[0] not in PLAIN]
            assert not leaks, f"{file}: {leaks}"
            seen += data if file.name.startswith("journal") else b""
    assert seen.count(HIDDEN.encode()) > 20, "the drivers did try"


def test_nothing_printed_holds_a_secret(lived: Lived) -> None:
    """Standard output, standard error and the summary are free of secrets, those of workers and
    what they start included."""
    assert not leaks_in(lived.printed)
    assert not leaks_in(lived.errors)
    assert not leaks_in(lived.summary.read_bytes())
    for words in (
        "printed", "printed as an error", "logged", "told in a traceback",
        "written to a descriptor", "said by a grandchild", "no model behind",
    ):  # fmt: skip
        assert f"{words}" in (lived.printed + lived.errors).decode(), words
    assert lived.errors.count(HIDDEN.encode()) > 50
    assert HIDDEN.encode() in lived.printed


def test_no_page_and_no_answer_holds_a_secret(lived: Lived) -> None:
    """An administrator who looks everywhere sees no secret."""
    for path, body in lived.pages.items():
        assert not leaks_in(body), path
    for path in ("/", "/health", "/doors", "/visitors", "/api/v1/health", "/api/v1/cameras",
                 "/api/v1/visits", "/api/v1/events?after=0", "refusal"):  # fmt: skip
        assert HIDDEN.encode() in lived.pages[path], path


def test_no_reload_shows_a_secret(lived: Lived) -> None:
    """What a change does is told, on the command line and in the journal, without what it was."""
    assert "notifiers.receipt.phrase" in lived.reload
    assert "cameras.address.url" in lived.reload
    assert "Applied" in lived.reload
    assert not leaks_in(lived.reload.encode())


def test_no_process_shows_a_secret(lived: Lived) -> None:
    """Nobody sees one in a list of processes, and no worker inherits one with its environment."""
    assert len(lived.processes) > 1
    for pid, title in lived.processes.items():
        assert not leaks_in(title), pid
    for pid, environment in lived.environments.items():
        assert not leaks_in(environment), pid
        assert b"PATH=" in environment


@pytest.mark.parametrize("break_it", ["", "sound"], ids=["valid", "refused"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_check_shows_no_secret(written: Path, break_it: str, form: str) -> None:
    """`check` says what is wrong without a secret, whatever a driver's model says or prints."""
    file = written.with_name("checked.yaml")
    file.write_text(broken(written) if break_it else written.read_text())
    done = vestibule("check", str(file), "--format", form)
    assert done.returncode == (1 if break_it else 0), done.stdout + done.stderr
    assert not leaks_in((done.stdout + done.stderr).encode())
    assert f"checked {HIDDEN}" in done.stdout + done.stderr
    if break_it:
        assert "is too short" in done.stdout
        assert "wrong_key" in done.stdout


def test_run_of_an_invalid_file_shows_no_secret(written: Path, tmp_path: Path) -> None:
    """`run` refuses it in the same words."""
    file = written.with_name("refused.yaml")
    file.write_text(broken(written))
    done = vestibule("run", str(file), "--state", str(tmp_path), "--port", "0")
    assert done.returncode == 1
    assert "is too short" in done.stdout
    assert not leaks_in((done.stdout + done.stderr).encode())


def test_plugins_shows_no_secret(written: Path) -> None:
    """`plugins` has read no configuration and knows no secret to show."""
    done = vestibule("plugins", "--json", "--plugins-dir", str(written.parent / "drivers"))
    assert "leaky" in done.stdout
    assert not leaks_in((done.stdout + done.stderr).encode())


def broken(written: Path) -> str:
    """The configuration with faults beside and in its secrets."""
    text = written.read_text().replace("phrase:", "sound: false, phrase:")
    text = text.replace("at: receipt", "at: receipt, wrong_key: !secret mail")
    text = text.replace("port: 0", "port: !secret broker")
    return text.replace("kind: room, in: site", "kind: !secret camera, in: !secret mail")


def vestibule(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line, as a user types it."""
    return subprocess.run(
        [sys.executable, "-m", "hub", *arguments],
        capture_output=True, text=True, check=False, timeout=60, env=dict(os.environ),
    )  # fmt: skip
