"""Keys that are misspelt: told once, and read as what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.check import check
from hub.misspelt import as_meant, is_echo, misspelt, nearest_to
from hub.plainwords import Finding

SLIP = Finding(("people", "a", "rol"), "is not known here; expected x", "key", "did you mean role?")
VALUES = {"people": {"a": {"rol": "sro"}, "b": {"role": "sro", "rol": 1}}, "list": [{"rol": 1}]}


def test_a_slip_is_taken_for_what_is_not_there() -> None:
    """Only where the block lacks the key that was meant, and for one slip of a block."""
    other = Finding(("people", "b", "rol"), SLIP.message, "key", SLIP.hint)
    assert misspelt([SLIP, other, SLIP], VALUES) == {("people", "a", "rol"): "role"}


def test_a_key_that_would_act_is_no_slip() -> None:
    """`then` is near to `when`, but a safety rule has to see it."""
    found = Finding(("rules", "a", "then"), SLIP.message, "key", "did you mean when?")
    assert misspelt([found], {"rules": {"a": {"then": []}}}) == {}


def test_only_what_was_meant_is_an_echo() -> None:
    """Another key that is missing beside a slip is told."""
    slips = {SLIP.path: "role"}
    for key, path, echo in (("role", "a", True), ("name", "a", False), ("role", "b", False)):
        missing = Finding(("people", path, key), "is missing; expected a name", "parent")
        assert is_echo(missing, slips) is echo
    assert not is_echo(SLIP, slips)


def test_what_was_given_stays() -> None:
    """The values as they were meant are a copy, in the same order."""
    meant = as_meant(VALUES, {SLIP.path: "role", ("list", 0, "rol"): "role"})
    assert meant["people"]["a"] == {"role": "sro"}
    assert meant["list"] == [{"role": 1}]
    assert VALUES["people"] == {"a": {"rol": "sro"}, "b": {"role": "sro", "rol": 1}}


@pytest.mark.parametrize(
    ("name", "nearest"), [("drivr", "drivr"), ("Driver", "Driver"), ("nam", ""), ("file", "")]
)
def test_the_nearest_key_is_found(name: str, nearest: str) -> None:
    """A key that is nearer to another one is not taken for it."""
    assert nearest_to("driver", {name: 1}, {"driver", "name"}) == nearest


def test_a_secret_under_a_misspelt_key_stays_hidden(tmp_path: Path) -> None:
    """It is called a hidden value where it names nothing."""
    (tmp_path / "secrets.yaml").write_text("role: canary-0815\n")
    file = tmp_path / "school.yaml"
    file.write_text("people:\n  a: {name: A, rol: !secret role}\n")
    said = [str(each) for each in check(file)]
    assert len(said) == 2
    assert "a hidden value names nothing" in said[1]
    assert "canary" not in "".join(said)


def test_a_safety_rule_sees_what_was_meant(tmp_path: Path) -> None:
    """A place that was to be private is so to the rule about cameras."""
    file = tmp_path / "school.yaml"
    file.write_text(
        "places:\n  nurse: {name: Nurse, kind: room, privat: true}\n"
        "cameras:\n  a: {driver: simulated, scene: yard, place: nurse}\n"
    )
    assert [each.path for each in check(file)] == ["places.nurse.privat", "cameras.a.place"]


def test_a_misspelt_key_that_acts_is_still_refused(tmp_path: Path) -> None:
    """What `then` would do is named beside the `when` that is missing."""
    file = tmp_path / "school.yaml"
    file.write_text("rules:\n  a: {name: A, then: door.forced, alert: {severity: note}}\n")
    said = [each.message for each in check(file)]
    assert any("would act before a person has looked" in each for each in said)
    assert any(each.startswith("is missing") for each in said)
