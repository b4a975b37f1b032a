"""However the example school is damaged, the command's status agrees with what it says.

The damage is of two kinds: to the text, as a slip of the hand makes it, and to the meaning: a key
that is dropped or misspelt, a value of another type, a name that leads nowhere, a block twice.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from hub.check_ladders import EVERY_NAME
from hub.cli import Format, check
from hub.config import Config
from hub.document import KeyPath
from hub.kinds import KINDS
from hub.plugins import load_registry
from hub.typewords import model_at
from hub.value_patterns import matches
from hub.yamlfile import read_yaml

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "config.example.yaml"
TEXT = EXAMPLE.read_text(encoding="utf-8")
VALUES: dict[str, Any] = read_yaml(EXAMPLE).values
REGISTRY = load_registry()
LINE = re.compile(r"[^:]+:[1-9]\d*:[1-9]\d*: \S[^\n]*; ?[^\n]+|[^\n]+ expected [^\n]+")
QUIETLY = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
THOROUGHLY = settings(QUIETLY, max_examples=2000)


def status(folder: Path, text: str) -> int:
    """The exit status of `vestibule check`, once it agrees with what was printed."""
    file = folder / "school.yaml"
    file.write_text(text, encoding="utf-8", newline="")
    codes = []
    for form in Format:
        said, told = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(told):
            try:
                check(file, form)
                codes.append(0)
            except typer.Exit as ending:
                codes.append(ending.exit_code)
        problems = (
            json.loads(said.getvalue()) if form is Format.json else said.getvalue().splitlines()
        )
        assert "Traceback" not in said.getvalue() + told.getvalue()
        assert codes[-1] == (1 if problems else 0)
        for line in problems if form is Format.text else ():
            assert LINE.fullmatch(line), line
    assert codes[0] == codes[1]
    return codes[0]


def paths(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Every path of plain values, the whole itself left out."""
    inner = (
        value.items() if isinstance(value, dict)
        else enumerate(value) if isinstance(value, list) else ()
    )  # fmt: skip
    for key, item in inner:
        yield (*path, key)
        yield from paths(item, (*path, key))


def at(values: Any, path: KeyPath) -> Any:
    """What stands at a path."""
    for part in path:
        values = values[part]
    return values


def model_of(path: KeyPath) -> tuple[type[BaseModel], ...]:
    """The models that read the mapping at `path`: the hub's, and its driver's."""
    found = [model_at(Config, path)] if path else [Config]
    if len(path) == 2 and path[0] in KINDS:
        found.append(REGISTRY.drivers(path[0])[at(VALUES, path)["driver"]].config)
    return tuple(each for each in found if each is not None)


def required() -> Iterator[KeyPath]:
    """Every key of the example that its block cannot do without."""
    for path in paths(VALUES):
        if isinstance(path[-1], str):
            for model in model_of(path[:-1]):
                for name, field in model.model_fields.items():
                    if (field.alias or name) == path[-1] and field.is_required():
                        yield path


def referring() -> Iterator[KeyPath]:
    """Every value of the example that names something."""
    for reference in EVERY_NAME:
        if not reference.pattern.endswith("@"):
            yield from (path for path, _ in matches(VALUES, reference.pattern))


def named() -> Iterator[KeyPath]:
    """Every block of the example whose name another block uses."""
    for reference in EVERY_NAME:
        for section in reference.target.sections:
            if section not in ("roles", "people"):  # some of those are there by themselves
                for _, name in matches(VALUES, reference.pattern):
                    if name in VALUES[section]:  # else it is somebody of another section
                        yield (section, name)


REQUIRED = sorted(set(required()), key=str)
REFERRING = sorted(set(referring()), key=str)
NAMED = sorted(set(named()), key=str)
ALL = sorted(paths(VALUES), key=str)


def changed(path: KeyPath, change: str, value: Any = None) -> str:
    """The example as YAML text after one change of meaning."""
    values = copy.deepcopy(VALUES)
    holder, key = at(values, path[:-1]), path[-1]
    if change == "drop":
        del holder[key]
    elif change == "rename" and isinstance(holder, dict):
        renamed = {(value if each == key else each): item for each, item in holder.items()}
        holder.clear()
        holder.update(renamed)
    elif change == "set":
        holder[key] = value
    elif change == "double" and isinstance(holder, dict):
        holder[f"{key}_2"] = copy.deepcopy(holder[key])
    elif change == "lift":
        item = holder.pop(key)
        if len(path) > 1 and isinstance(around := at(values, path[:-2]), dict):
            around[str(key)] = item
    return yaml.dump(values, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True)


def test_the_example_is_valid_in_other_clothes(tmp_path: Path) -> None:
    """Written anew by another hand the example is as valid as before."""
    assert status(tmp_path, TEXT) == 0
    assert status(tmp_path, yaml.safe_dump(VALUES, sort_keys=False)) == 0
    assert status(tmp_path, json.dumps(VALUES)) == 0
    assert len(REQUIRED) > 80
    assert len(REFERRING) > 80
    assert len(NAMED) > 20


@QUIETLY
@given(path=st.sampled_from(REQUIRED), how=st.sampled_from(["drop", "rename", "lift"]))
def test_a_required_key_is_never_done_without(tmp_path: Path, path: KeyPath, how: str) -> None:
    """Dropped, misspelt or on the wrong level: the file is invalid."""
    assert status(tmp_path, changed(path, how, f"{path[-1]}x")) == 1


@QUIETLY
@given(path=st.sampled_from(REFERRING), to=st.sampled_from(["nowhere", "Lobby ", "lobb", "x" * 99]))
def test_a_name_that_leads_nowhere_is_never_valid(tmp_path: Path, path: KeyPath, to: str) -> None:
    """Wherever one block names another, the other has to be there."""
    assert status(tmp_path, changed(path, "set", to)) == 1


@QUIETLY
@given(path=st.sampled_from(NAMED), how=st.sampled_from(["drop", "rename"]))
def test_what_is_named_elsewhere_cannot_go(tmp_path: Path, path: KeyPath, how: str) -> None:
    """A block that others name is missed when it is dropped or called otherwise."""
    assert status(tmp_path, changed(path, how, f"{path[-1]}_2")) == 1


OTHER = st.sampled_from(
    [None, True, False, 0, -1, 1e9, "", "maybe", [], ["x"], [[]], {}, {"x": 1}, "12", "2026-02-30"]
)
CHANGES = st.sampled_from(["drop", "rename", "set", "double", "lift"])


@QUIETLY
@given(path=st.sampled_from(ALL), how=CHANGES, value=OTHER)
def test_no_change_of_meaning_is_a_traceback(
    tmp_path: Path, path: KeyPath, how: str, value: Any
) -> None:
    """Whatever changes, the status is 0 or 1 and agrees with what is printed."""
    new = f"{path[-1]}x" if how == "rename" else value
    assert status(tmp_path, changed(path, how, new)) in (0, 1)


JUNK = st.sampled_from(
    [
        "", "\t", ":", ": ", "- ", "[", "]", "{", "}", "'", '"', "&a ", "*a", "!x ", "#", "|", ">",
        "0", "true", "~", "\n", "\r\n", "\r", "  ", "<<: ", "? ", "%", "@", "é", "\u2028", "\u00a0",
        "!include .", "!secret x", "!env HOME", "---\n", "//", "\x07", "\x85", "𝒳", "\ufeff",
    ]
)  # fmt: skip
SLIPS = st.lists(
    st.tuples(st.integers(0, len(TEXT)), st.integers(0, 12), JUNK), min_size=1, max_size=4
)


def slipped(slips: list[tuple[int, int, str]]) -> str:
    """The example with each (place, length, junk) put in place of what stood there."""
    text = TEXT
    for place, length, junk in slips:
        text = text[:place] + junk + text[place + length :]
    return text


@QUIETLY
@given(slips=SLIPS)
def test_no_slip_of_the_hand_is_a_traceback(
    tmp_path: Path, slips: list[tuple[int, int, str]]
) -> None:
    """Whatever the text looks like, the status is 0 or 1 and agrees with what is printed."""
    assert status(tmp_path, slipped(slips)) in (0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["drop", "rename", "lift"])
def test_no_required_key_at_all_is_done_without(tmp_path: Path, how: str) -> None:
    """Every required key of the example, one after the other."""
    for path in REQUIRED:
        assert status(tmp_path, changed(path, how, f"{path[-1]}x")) == 1, path


@pytest.mark.slow
def test_no_name_at_all_leads_nowhere(tmp_path: Path) -> None:
    """Every name in the example, and every block that is named."""
    for path in REFERRING:
        assert status(tmp_path, changed(path, "set", "nowhere")) == 1, path
    for path in NAMED:
        assert status(tmp_path, changed(path, "drop")) == 1, path


@pytest.mark.slow
@THOROUGHLY
@given(path=st.sampled_from(ALL), how=CHANGES, value=OTHER)
def test_two_thousand_changes_of_meaning(
    tmp_path: Path, path: KeyPath, how: str, value: Any
) -> None:
    """The same as above, longer."""
    new = f"{path[-1]}x" if how == "rename" else value
    assert status(tmp_path, changed(path, how, new)) in (0, 1)


@pytest.mark.slow
@THOROUGHLY
@given(slips=SLIPS)
def test_two_thousand_slips_of_the_hand(tmp_path: Path, slips: list[tuple[int, int, str]]) -> None:
    """The same as above, longer."""
    assert status(tmp_path, slipped(slips)) in (0, 1)
