import json

import pytest
from pydantic import Field, model_validator

from hub import Block, Driver
from hub.check import examine
from hub.hidden import secret_values
from hub.plugins import Registry
from hub.yamlfile import read_yaml


class Settings(Block):
    """What a driver of somebody else reads."""

    address: str = ""
    mark: str = Field("", repr=False)
    marks: dict[str, str] = Field(default_factory=dict, repr=False)
    api_key: str = ""
    pin: int | None = None


REGISTRY = Registry(
    {
        "notifiers": {"theirs": Driver("theirs", object, Settings, "")},
        "access_control": {"theirs": Driver("theirs", object, Settings, "", device=Settings)},
    },
    (),
)
FILE = """
hub: {mqtt: {host: broker.example, username: vestibule, password: broker-password-1}}
places: {cafeteria: {name: Cafeteria, kind: room}}
access_control: {locks: {driver: theirs, mark: controller-mark-1}}
doors: {front: {name: Front, controller: locks, place: cafeteria, device: {mark: device-mark-1}}}
notifiers:
  secret_siren: {driver: theirs, address: not-a-secret-1}
  theirs:
    driver: theirs
    mark: field-mark-1
    marks: {Authorization: Bearer header-token-1}
    api_key: an-api-key-1
    pin: 482913
  unknown: {driver: nobody, password: unknown-password-1, address: open-address-1}
"""


def values(tmp_path, text, secrets=""):
    """What is secret in a configuration of this text."""
    (tmp_path / "school.yaml").write_text(text)
    (tmp_path / "secrets.yaml").write_text(secrets)
    return secret_values(read_yaml(tmp_path / "school.yaml"), REGISTRY)


def test_what_stands_under_a_private_key_or_field_is_secret(tmp_path):
    """By the key's name, by the model's word, in the hub's blocks, drivers' and devices'; what a
    person calls a block makes nothing secret."""
    assert values(tmp_path, FILE) == {
        "broker-password-1",
        "controller-mark-1",
        "device-mark-1",
        "field-mark-1",
        "Bearer header-token-1",
        "header-token-1",
        "an-api-key-1",
        "482913",
        "unknown-password-1",
    }


def test_what_a_tag_brings_in_is_secret_wherever_it_stands(tmp_path, monkeypatch):
    """`!secret`, `!env` and a credential, the credential first; what nobody names is not read."""
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "both").write_text("from-the-service-1\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    monkeypatch.setenv("A_TOPIC", "from-environment-1")
    text = "notifiers: {a: {driver: theirs, address: !secret both}, b: {address: !env A_TOPIC},"
    text += " c: {address: !secret file}}"
    kept = json.dumps({"both": "from-the-file-1", "file": "from-file-1", "unused": "unused-1"})
    found = values(tmp_path, text, kept)
    assert found == {"from-the-service-1", "from-environment-1", "from-file-1"}


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("rtsp://viewer:a%2Fb-c-d-1@camera/1", {"a%2Fb-c-d-1", "a/b-c-d-1"}),
        ("http://host/hook?token=in-query-1&size=small-size-1", {"in-query-1"}),
        ("http://host/hook", set()),
        ("http://viewer@host/", set()),
        ("http://[broken/", set()),
    ],
)
def test_a_password_within_an_address_is_secret(tmp_path, address, found):
    """Also where the address itself is open, as it stands and unquoted."""
    text = f"notifiers: {{a: {{driver: theirs, address: {json.dumps(address)}}}}}"
    assert values(tmp_path, text) == found


@pytest.mark.parametrize(
    "password",
    [
        "cafeteria",
        "lockdown",
        "door.forced",
        "severe",
        "front",
        "vestibule",
        "offline",
        "127.0.0.1",
    ],
)
def test_a_word_that_the_hub_needs_is_never_hidden(tmp_path, password):
    """A school whose password is the name of a place still sees its doors and alerts."""
    text = FILE.replace("field-mark-1", password)
    assert password not in values(tmp_path, text)


def test_the_name_of_a_header_is_no_secret(tmp_path):
    """Whoever sends no key is told where it is expected; the key itself is never shown."""
    text = "inbound: {panic: {key: {header: X-Panic-Key, secret: inbound-key-12345}}}"
    assert values(tmp_path, text) == {"inbound-key-12345"}


@pytest.mark.parametrize(
    "text", ["", "[]", "hub: 3", "doors: [1]", "notifiers: {a: 3}", "doors: {a: {device: 3}}"]
)
def test_a_file_that_says_nothing_sound_is_no_obstacle(tmp_path, text):
    """What cannot be read has no secrets, and stops nothing."""
    assert values(tmp_path, text) == set()


class Repeats(Block):
    """A model whose own check repeats what it was given, as a careless one does."""

    name: str = ""
    password: str = ""

    @model_validator(mode="after")
    def complains(self):
        raise ValueError(f"expected something better than {self.password} for {self.name}")


def test_a_driver_that_repeats_its_secret_gives_nothing_away(tmp_path):
    """What is wrong is told, in a problem that page, log and command line can show."""
    registry = Registry({"notifiers": {"theirs": Driver("theirs", object, Repeats, "")}}, ())
    file = tmp_path / "school.yaml"
    file.write_text(
        "notifiers: {a: {driver: theirs, password: plain-password-1}, b: {driver: theirs,"
        " password: !secret kept}}"
    )
    (tmp_path / "secrets.yaml").write_text("kept: kept-password-1")
    problems = str(examine(file, registry).problems)
    assert "something better than (hidden)" in problems
    assert "password-1" not in problems


def test_examining_tells_the_secrets(tmp_path):
    """Whoever starts or reloads a hub gets them with the configuration."""
    file = tmp_path / "school.yaml"
    file.write_text("hub: {mqtt: {host: a, password: broker-password-1}}")
    assert examine(file).hidden == {"broker-password-1"}
