"""The broker, drivers with and without a probe, plugins, and what looks at pictures."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hub import models
from hub.broker import EmbeddedBroker
from hub.doctor import broker, drivers, perception, plugins
from hub.doctor.finding import Finding
from tests.hub.doctor.examined_school import School, by_subject
from tests.plugins.access_control.brokers import Mosquitto
from tests.plugins.detectors.graphs import ship

PASSWORD = "mqtt-canary"


class GuardedMosquitto(Mosquitto):
    """A mosquitto that knows one user, who may read only what is named."""

    def __init__(self, folder: Path, may_read: str) -> None:
        super().__init__(folder)
        users, rights = folder / "users", folder / "rights"
        program = shutil.which("mosquitto_passwd") or "/usr/bin/mosquitto_passwd"
        subprocess.run([program, "-b", "-c", str(users), "hub", PASSWORD], check=True)
        users.chmod(0o644)
        rights.write_text(f"user hub\ntopic read {may_read}\n")
        folder.chmod(0o755)
        self._settings.write_text(
            f"listener {self.address.port} 127.0.0.1\nallow_anonymous false\nuser root\n"
            f"password_file {users}\nacl_file {rights}\n"
        )


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[int]:
    """The port of a broker that asks for a password."""
    running = GuardedMosquitto(tmp_path, "vestibule/#")
    yield (await running.start()).port
    await running.stop()


def site(port: int, **more: str) -> dict[str, Any]:
    return {"mqtt": {"host": "127.0.0.1", "port": port, **more}}


async def test_without_a_broker_the_hubs_own_is_tried(school: School) -> None:
    """It says that it is the hub's own, and really starts one."""
    finding = await school.one(broker.probes)
    assert finding.state == "ok"
    assert "starts its own" in finding.found


@pytest.mark.mosquitto
async def test_the_sites_broker_lets_in_or_does_not(school: School, guarded: int) -> None:
    """The right password is ok; a wrong one and none at all are bad, and named without it."""
    school.write(hub=site(guarded, username="hub", password=PASSWORD))
    finding = await school.one(broker.probes)
    assert (finding.state, "signed in as hub" in finding.found) == ("ok", True)
    for password in ({"username": "hub", "password": "wrong-canary"}, {}):
        school.write(hub=site(guarded, **password))
        finding = await school.one(broker.probes)
        assert finding.state == "bad"
        assert "refused the user name or password" in finding.found
        assert "hub.mqtt.password" in finding.remedy
        assert "canary" not in finding.found + finding.remedy


async def test_the_embedded_kind_of_broker_works_as_the_sites_too(school: School) -> None:
    """Another implementation of a broker, with a password."""
    running = EmbeddedBroker()
    there = await running.start()
    assert there.password is not None
    school.write(hub=site(there.port, username="vestibule", password=there.password))
    assert (await school.one(broker.probes)).state == "ok"
    school.write(hub=site(there.port, username="vestibule", password="wrong-canary"))
    assert "refused" in (await school.one(broker.probes)).found
    await running.stop()


async def test_closed_unknown_and_silent_brokers_are_told_apart(
    school: School, free_port: int, silent: int
) -> None:
    """Refused, no such name, and one that takes the connection and says nothing in time."""
    school.write(hub=site(free_port))
    assert "nothing listens" in (await school.one(broker.probes)).found
    school.write(hub={"mqtt": {"host": "broker.invalid"}})
    assert "no machine is called broker.invalid" in (await school.one(broker.probes)).found
    school.write(hub=site(silent))
    began = time.monotonic()
    finding = await school.one(broker.probes, limit=1.0)
    assert time.monotonic() - began < 10
    assert finding.state == "bad"


async def test_locks_without_a_broker_of_the_site_are_bad(school: School) -> None:
    """Real locks cannot join the hub's own broker; the remedy is in the reason."""
    school.write(
        access_control={"locks": {"driver": "mqtt"}},
        doors={
            "front": {
                "name": "Front", "controller": "locks", "place": "site",
                "device": {"command_topic": "a/set", "state_topic": "a/state"},
            }
        },
    )  # fmt: skip
    finding = by_subject(await school.look(drivers.probes))["locks"]
    assert finding.state == "bad"
    assert "under hub: mqtt:" in finding.found


SIREN = """
from hub import Block, Channel, Driver, NotReady, hookimpl

class Config(Block):
    pin: str = ""

class Quiet:
    channel = Channel(path="local")
    def __init__(self, config, context):
        self.pin = config.pin
    async def start(self):
        raise AssertionError("a probe does not start")
    async def send(self, notice):
        raise AssertionError("a probe does not send")
    async def close(self):
        pass

class Loud(Quiet):
    async def probe(self):
        print("printing", self.pin)
        raise NotReady(f"the siren says: bad pin {self.pin}")

@hookimpl
def vestibule_notifiers():
    return [Driver("quiet", Quiet, Config, "Q"), Driver("loud", Loud, Config, "L")]
"""


async def test_a_driver_without_a_probe_is_said_to_have_none(school: School) -> None:
    """Honest about what was not tried; and what a driver's error quotes is cleaned."""
    (school.folder / "my_plugins").mkdir()
    (school.folder / "my_plugins" / "siren.py").write_text(SIREN)
    (school.folder / "secrets.yaml").write_text("siren: canary-77\n")
    school.write(raw="notifiers: {q: {driver: quiet}, l: {driver: loud, pin: !secret siren}}\n")
    findings = by_subject(await school.look(drivers.probes))
    assert findings["q"].found == "not probed: the driver quiet has no probe"
    assert findings["l"].state == "bad"
    assert "bad pin" in findings["l"].found
    assert "canary" not in str(findings)


async def test_a_visitor_list_is_read_and_its_mistakes_counted(school: School) -> None:
    """How many lines, or which line is wrong."""
    good = "visitor,host,purpose,from,until\nA Guest,Office,Talk,09:00,10:00\n"
    (school.folder / "guests.csv").write_text(good)
    school.write(visitors={"desk": {"driver": "desk", "file": "guests.csv"}})
    assert "1 line in" in (await school.one(drivers.probes)).found
    (school.folder / "guests.csv").write_text(good + "B,C,D,late,10:00\nE,F,G,late,10:00\n")
    finding = await school.one(drivers.probes)
    assert finding.state == "bad"
    assert "guests.csv:3" in finding.found
    assert "1 more" in finding.found


async def test_a_broken_plugin_is_a_warning_with_its_reason(school: School) -> None:
    """The rest of the school goes on; the file to correct is named."""
    (school.folder / "my_plugins").mkdir()
    (school.folder / "my_plugins" / "lamp.py").write_text("import no_such_thing\n")
    findings = by_subject(await school.look(plugins.probes))
    assert findings["lamp"].state == "warn"
    assert "no_such_thing" in findings["lamp"].found
    assert "lamp.py" in findings["lamp"].remedy
    assert findings[str(school.file)].state == "ok"


async def test_two_plugins_with_one_driver_are_bad(school: School) -> None:
    """Neither can be used until one is renamed; the machine is still examined."""
    (school.folder / "my_plugins").mkdir()
    for name in ("one", "two"):
        (school.folder / "my_plugins" / f"{name}.py").write_text(SIREN)
    findings = await school.look(plugins.probes)
    assert any(each.state == "bad" and "quiet" in each.found for each in findings)


async def test_an_invalid_configuration_is_told_line_by_line(school: School) -> None:
    """As `check` says it, with a remedy each."""
    school.write(cameras={"hall": {"driver": "rtps", "place": "site"}})
    findings = [each for each in await school.look(plugins.probes) if each.name == "configuration"]
    assert findings
    assert all(each.state == "bad" and each.remedy for each in findings)
    assert any(f"{school.file}:" in each.found and "rtps" in each.found for each in findings)


async def test_a_guess_from_motion_is_a_warning_with_the_command(school: School) -> None:
    """A detector that only guesses, and no detector at all."""
    school.write(detectors={"people": {"driver": "motion"}})
    finding = await school.one(perception.probes, only="people")
    assert finding.state == "warn"
    assert "guessing from motion" in finding.found
    assert f"vestibule models fetch yolox-nano --state {school.state}" in finding.remedy
    school.write(cameras={"hall": {"driver": "simulated", "scene": "corridor", "place": "site"}})
    assert (await school.one(perception.probes, only="none")).state == "warn"


async def test_what_comes_with_the_hub_is_looked_at(
    school: School, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The built-in model is whole, or what is wrong with it is told with the remedy."""

    async def shipped() -> Finding:
        return by_subject(await school.look(perception.probes, only="models"))["model people"]

    folder = tmp_path / "shipped"
    folder.mkdir()
    monkeypatch.setattr(models, "SHIPPED", folder)
    missing = await shipped()
    assert (missing.state, missing.remedy) == ("warn", "install Vestibule anew")
    assert "is missing" in missing.found
    model = ship(folder)
    assert (await shipped()).state == "ok"
    model.write_bytes(b"x")
    assert "is damaged" in (await shipped()).found


@pytest.mark.material
async def test_an_installed_model_is_hashed_and_timed(school: School, material: Path) -> None:
    """Its SHA-256 is the catalogue's, and one look takes a measured number of milliseconds."""
    from hub.model_install import add
    from hub.models import ModelStore

    store = ModelStore(school.state / "models")
    model = add(store, material / "models" / "yolox_nano_416.onnx")
    school.write(detectors={"people": {"driver": "onnx"}})
    findings = by_subject(await school.look(perception.probes))
    assert findings["people"].state == "ok"
    assert re.search(r"one look takes \d+ ms at 192, .* at 416;", findings["people"].found)
    assert "YOLOX, float32 1x3x416x416, BGR, 0 to 255, 80 labels" in findings["people"].found
    assert "catalogue" in findings[f"model {model.name}"].found
    with model.path.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"x")
    findings = by_subject(await school.look(perception.probes, only="models"))
    damaged = findings[f"model {model.name}"]
    assert damaged.state == "bad"
    assert "fetch" in damaged.remedy


async def test_a_model_that_cannot_be_used_is_bad(school: School) -> None:
    """The reason of the detector itself, and what the hub does instead."""
    school.write(detectors={"people": {"driver": "onnx", "model": "nowhere.onnx"}})
    finding = await school.one(perception.probes, only="people")
    assert finding.state == "bad"
    assert "guessed from motion instead" in finding.found


async def test_kernels_are_loaded_or_compiled(school: School) -> None:
    """They judge a picture, and how long it took to have them is told."""
    finding = await school.one(perception.probes, only="compiled kernels")
    assert finding.state == "ok"
    assert "loaded in" in finding.found or "compiled in" in finding.found


@pytest.mark.slow
async def test_kernels_that_cannot_be_kept_are_compiled_and_a_place_is_named(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file in the place of the cache is a warning that names what to set."""
    in_the_way = school.folder / "in_the_way"
    in_the_way.touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(in_the_way))
    finding = await school.one(perception.probes, only="compiled kernels")
    assert finding.state == "warn"
    assert str(in_the_way) in finding.found
    assert "NUMBA_CACHE_DIR" in finding.remedy


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"kernels": "numpy", "folder": "", "kept": False, "seconds": 1.0, "chosen": ""}, "warn"),
        ({"kernels": "numba", "folder": "/x", "kept": True, "seconds": 1.0, "chosen": ""}, "ok"),
        ({"kernels": "numba", "folder": "", "kept": False, "seconds": 1.0, "chosen": "/x"}, "warn"),
        ({"error": "ImportError: no numba"}, "bad"),
    ],
)
def test_what_the_trial_of_the_kernels_means(said: dict[str, Any], expected: str) -> None:
    """NumPy standing in is a warning, and so is a cache that cannot be kept; a gate that does not
    start at all is bad."""
    assert perception.kernels_finding(said).state == expected


async def test_a_detector_that_hangs_or_dies_takes_only_its_process(school: School) -> None:
    """Code from outside is tried in a process of its own."""
    (school.folder / "my_plugins").mkdir()
    (school.folder / "my_plugins" / "eyes.py").write_text(
        "import os\nfrom hub import Block, Driver, hookimpl\n"
        "class Config(Block):\n    pass\n"
        "def build(config, context):\n    os._exit(7)\n"
        "@hookimpl\ndef vestibule_detectors():\n"
        "    return [Driver('eyes', build, Config, 'E')]\n"
    )
    school.write(detectors={"people": {"driver": "eyes"}})
    finding = await school.one(perception.probes, only="people")
    assert finding.state == "bad"
    assert "status 7" in finding.found


EYES = """
from hub import Block, DetectorInfo, Driver, NotReady, Probed, hookimpl

class Config(Block):
    says: str

class Eyes:
    def __init__(self, config, context):
        self.says = config.says
        refused = config.says == "b"
        self.info = DetectorInfo("eyes", ("person",), (64,), "own", "", biometric=refused)
    async def probe(self):
        if self.says == "away":
            raise NotReady("the inference server is away")
        return Probed("server reached", "" if self.says == "fine" else "update the server")
    def infer(self, crops):
        assert all(crop.image.shape == (64, 64, 3) for crop in crops)
        return [[] for crop in crops]
    def close(self):
        pass

@hookimpl
def vestibule_detectors():
    return [Driver("eyes", Eyes, Config, "E")]
"""


@pytest.mark.parametrize(
    ("says", "expected", "found"),
    [
        ("fine", "ok", "one look takes"),
        ("old", "warn", "server reached"),
        ("away", "bad", "the inference server is away"),
        ("b", "bad", "recognises persons"),
    ],
)
async def test_a_vendors_detector_is_asked_and_looks(
    school: School, says: str, expected: str, found: str
) -> None:
    """Its probe and one look at an empty picture; one that recognises persons is refused."""
    (school.folder / "my_plugins").mkdir()
    (school.folder / "my_plugins" / "eyes.py").write_text(EYES)
    school.write(detectors={"people": {"driver": "eyes", "says": says}})
    finding = await school.one(perception.probes, only="people")
    assert (finding.state, found in finding.found) == (expected, True), finding
