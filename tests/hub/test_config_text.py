"""A configuration's text with its mistakes at their lines, and without what must not be shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.check import examine
from hub.config_text import files_shown, hidden_names, masked
from hub.config_text_views import FileTextView
from hub.kept import texts_of

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"
SECRET = "hunter2-9f"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password: {}", "password: (hidden)"),
        ("  - api_key: {}  # of the gate", "  - api_key: (hidden)  # of the gate"),
        ("m: {{host: h, password: {}, port: 1}}", "m: {host: h, password: (hidden), port: 1}"),
        ('"token" : "{}"', '"token" : "(hidden)"'),
        ("token: 'it''s {}' # x", "token: '(hidden)' # x"),
        ('token: "a \\" {}"', 'token: "(hidden)"'),
        ("# password: {}", "# password: (hidden)"),
        ("url: rtsp://me:{}@10.0.0.1/live", "url: rtsp://me:(hidden)@10.0.0.1/live"),
        ("url: https://x/hook?token={}&n=1", "url: https://x/hook?token=(hidden)&n=1"),
        ("headers: {{Authorization: Bearer {}}}", "headers: {Authorization: Bearer (hidden)}"),
        ("pin: {}", "pin: (hidden)"),
        ("password: [{}, other]", "password: (hidden)"),
        ("password: &one {}", "password: (hidden)"),
    ],
)  # fmt: skip
def test_what_stands_under_a_private_key_is_hidden(text: str, shown: str) -> None:
    """In every shape in which people write it, and no more than that."""
    assert masked(text.format(SECRET)) == [shown]


@pytest.mark.parametrize(
    "text",
    [
        "password: |\n  {0}\n  {0}\nnext: fine",
        "password: >-\n  {0}\nnext: fine",
        "password:\n  {0}\nnext: fine",
        "passwords:\n- {0}\n- {0}\nnext: fine",
        "passwords:\n  - one: {0}\n    two: {0}\n\n  - {0}\nnext: fine",
        'password: "begins\n  {0}\n  ends"\nnext: fine',
        "password: begins\n  {0}\nnext: fine",
        "  password: {{a: {0},\n    b: {0}}}\nnext: fine",
    ],
)
def test_what_goes_on_for_lines_is_hidden_to_its_end(text: str) -> None:
    """And what comes after it is shown, on as many lines as before."""
    lines = masked(text.format(SECRET))
    assert SECRET not in "\n".join(lines)
    assert lines[-1] == "next: fine"
    assert len(lines) == text.count("\n") + 1


def test_a_secret_by_name_is_no_secret() -> None:
    """What `!secret` and `!env` name stands there as it is, and so does what is not private."""
    for line in ("password: !secret camera_password", "token: !env TOKEN", "name: Main # keyed"):
        assert masked(line) == [line]


def test_the_example_is_shown_as_it_is() -> None:
    """It has no secret of its own: nothing a school reads in it is garbled."""
    text = EXAMPLE.read_text(encoding="utf-8")
    differs = [
        (said, shown)
        for said, shown in zip(text.split("\n"), masked(text), strict=True)
        if said != shown
    ]
    assert all("password" in said or "token" in said or "key" in said for said, _ in differs)
    assert len(differs) < 12, differs


KEYS = st.sampled_from(["password", "api_key", "token", "client_secret", "psk_password", "pin"])
WORDS = st.text("abcxyz 0189-_.!?'\"#:{}[]|>&*%@\\ü", min_size=1, max_size=20)


@settings(max_examples=150, deadline=None)
@given(key=KEYS, before=WORDS, after=WORDS, flow=st.booleans(), deep=st.integers(0, 3))
def test_whatever_yaml_writes_under_a_private_key_is_hidden(
    key: str, before: str, after: str, flow: bool, deep: int
) -> None:
    """As the YAML library itself writes any text, however deep, in either style."""
    inner: object = {key: f"{before}{SECRET}{after}", "name": "Shown"}
    for level in range(deep):
        inner = {f"level{level}": [inner]}
    text = yaml.safe_dump(inner, default_flow_style=flow, sort_keys=False, allow_unicode=True)
    shown = "\n".join(masked(text))
    assert SECRET not in shown
    assert len(masked(text)) == len(text.split("\n"))
    assert SECRET not in "\n".join(masked(json.dumps(inner)))


def looked_at(tmp_path: Path, text: str) -> list[FileTextView]:
    """A file, checked and shown."""
    file = tmp_path / "school.yaml"
    file.write_bytes(text.encode())
    found = examine(file)
    return files_shown(texts_of(found.document), found.problems, tmp_path, found.registry)


def test_a_mistake_stands_at_its_line_and_marks_what_it_is_about(tmp_path: Path) -> None:
    """Line, column, the word, what is wrong; other lines have none."""
    text = "hub: {name: X}\ncameras:\n  lobby:\n    driver: rtps\n    place: here\nplaces: {}\n"
    (file,) = looked_at(tmp_path, text)
    assert [line["text"] for line in file["lines"]] == text.splitlines()
    wrong = {line["number"]: line for line in file["lines"] if line["mistakes"]}
    assert set(wrong) >= {4, 5}
    line = wrong[4]
    assert line["text"][line["start"] : line["end"]] == "rtps"
    assert "no plugin offers a driver 'rtps'" in line["mistakes"][0]["message"]
    assert line["mistakes"][0]["column"] == 13


@pytest.mark.parametrize(
    "text",
    [
        "hub: {name: X\nplaces: {}\npassword: %s\n",
        "hub:\n\tname: X\npassword: %s\n",
        "hub: {name: X}\nhub: {name: Y}\ncameras: {a: {driver: rtsp, password: %s, x: 1}}\n",
        "password: '%s\n",
    ],
)
def test_a_broken_file_shows_its_mistakes_and_no_secret(tmp_path: Path, text: str) -> None:
    """Also where nothing of it could be read as YAML."""
    (file,) = looked_at(tmp_path, text % SECRET)
    assert any(line["mistakes"] for line in file["lines"])
    assert SECRET not in json.dumps(file["lines"])


def test_line_ends_of_other_systems_count_as_the_parser_counts_them(tmp_path: Path) -> None:
    """Windows and old Mac ends, and a mark of UTF-8 at the beginning."""
    (file,) = looked_at(tmp_path, "\ufeffhub: {name: X}\r\nplaces: {}\rcameras: 7\r\n")
    assert [line["text"] for line in file["lines"]] == [
        "hub: {name: X}", "places: {}", "cameras: 7",
    ]  # fmt: skip
    assert [line["number"] for line in file["lines"] if line["mistakes"]] == [3]


def test_keys_that_a_model_hides_are_hidden_whatever_they_are_called(tmp_path: Path) -> None:
    """Such as a heartbeat's address or a lock's code, which no rule of names knows."""
    found = examine(EXAMPLE, spare=True)
    names = hidden_names(found.registry)
    assert {"url", "headers", "password"} <= names
    assert masked(f"url: https://x/{SECRET}", names) == ["url: (hidden)"]
