"""What `check` asks of ladders and rotations, whatever else the file says."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.check import check
from hub.plugins import load_registry

BUILT_IN = load_registry()

SOUND = """\
notifiers:
  console: {driver: console}
  push: {driver: ntfy, server: "https://ntfy.school.example", topic: alerts}
  email: {driver: email, host: smtp.school.example, sender: hub@school.example}
  board: {driver: mqtt, host: mqtt.school.example}
  siren: {driver: simulated_siren}
people:
  guard: {name: Guard, role: sro}
  head: {name: Principal, role: principal, contact: {email: head@school.example}}
roles:
  sro: {}
rotations:
  on_call: {people: [guard, head], from: 2026-09-07}
ladders:
  severe:
    severity: [severe, high]
    steps:
      - {tell: [guard], through: [console, push], wait: 1m}
      - {tell: [on_call], through: [board, email], wait: 2m}
    repeat: 2
    next: calm
  calm:
    severity: note
    steps: [{through: [console, board]}]
"""


def refused(tmp_path: Path, *changes: tuple[str, str]) -> list[str]:
    """Path and words of every problem of the sound file with these changes."""
    text = SOUND
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (tmp_path / "school.yaml").write_text(text)
    problems = check(str(tmp_path / "school.yaml"), BUILT_IN)
    return [f"{each.path}: {each.message}" for each in problems]


def test_a_sound_ladder_is_accepted(tmp_path: Path) -> None:
    """Two paths at every step, people who can be reached, and nobody who does not exist."""
    assert refused(tmp_path) == []


CHAT = """\
  chat: {driver: slack, webhook: "https://hooks.slack.example/1", button: true}
people:
"""
HEARD = """\
inbound:
  chat_answers: {format: slack, answers: chat, signature: {secret: 0123456789abcdef}}
notifiers:
"""


@pytest.mark.parametrize("button", ["true", "'yes'"])
def test_a_button_that_nothing_hears_is_refused(tmp_path: Path, button: str) -> None:
    """Whoever presses it believes that they have taken the alert on."""
    chat = CHAT.replace("true", button)
    (said,) = refused(tmp_path, ("people:\n", chat))
    assert said.startswith("notifiers.chat.button: nothing hears its button")
    assert "`{format: slack, answers: chat, ...}` under `inbound:`" in said
    other = HEARD.replace("slack", "pagerduty")
    assert refused(tmp_path, ("people:\n", chat), ("notifiers:\n", other)) == [said]


def test_a_button_that_is_heard_or_switched_off_is_accepted(tmp_path: Path) -> None:
    """With the block that takes the answer; without a button; in a notifier that is off."""
    assert refused(tmp_path, ("people:\n", CHAT), ("notifiers:\n", HEARD)) == []
    assert refused(tmp_path, ("people:\n", CHAT.replace("true", "false"))) == []
    off = CHAT.replace("{driver", "{enabled: false, driver")
    assert refused(tmp_path, ("people:\n", off)) == []


def test_a_ladder_that_would_be_cut_short_is_refused(tmp_path: Path) -> None:
    """More steps than are ever taken, by repeats or by what follows, are said with how many."""
    calm = "steps: [{through: [console, board]}]"
    many = f"steps: [{', '.join(['{through: [console, board]}'] * 20)}]"
    assert refused(tmp_path, (calm, f"{many}\n    repeat: 3")) == []  # and six before it
    words = "steps with its repeats and what follows it; no more than 100 are ever taken"
    assert refused(tmp_path, (calm, f"{many}\n    repeat: 4")) == [
        f"ladders.severe: comes to 106 {words}"
    ]
    assert refused(tmp_path, (calm, f"{many}\n    repeat: 5")) == [
        f"ladders.severe: comes to 126 {words}",
        f"ladders.calm: comes to 120 {words}",
    ]
    circle = f"{many}\n    next: severe\n    repeat: 3"
    assert [each for each in refused(tmp_path, (calm, circle)) if "ever taken" in each] == []


def test_a_step_whose_second_path_is_off_is_refused(tmp_path: Path) -> None:
    """A channel that is switched off is no path."""
    (words,) = refused(tmp_path, ("topic: alerts}", "topic: alerts, enabled: false}"))
    assert words.startswith("ladders.severe.steps[0].through: the channels of this step share one")


def test_a_milder_ladder_may_go_one_way(tmp_path: Path) -> None:
    """Two paths are asked for where it is severe, and of what follows such a ladder."""
    changed = refused(tmp_path, ("severity: [severe, high]", "severity: high"),
                      ("through: [console, push]", "through: [console]"))  # fmt: skip
    assert changed == []
    one_way = ("steps: [{through: [console, board]}]", "steps: [{through: [console]}]")
    assert refused(tmp_path, one_way, ("    next: calm\n", "")) == []
    (words,) = refused(tmp_path, one_way)
    assert words.startswith("ladders.calm.steps[0].through: the channels of this step share one")


def test_who_cannot_be_reached_is_no_second_path(tmp_path: Path) -> None:
    """A rotation of people without an address on a channel that needs one is refused."""
    (words,) = refused(tmp_path, ("people: [guard, head]", "people: [guard]"))
    assert words.startswith("ladders.severe.steps[1].through[1]: email reaches nobody here")
    assert refused(tmp_path, ("people: [guard, head]", "people: [guard]"),
                   ("sender: hub@school.example", "sender: a@b.example, to: [c@d.example]"),
                   ) == []  # fmt: skip


@pytest.mark.parametrize("severity", ["severe", "high\n      graver: {severity: severe}"])
def test_a_severe_rule_has_to_reach_somebody_too(tmp_path: Path, severity: str) -> None:
    """What is known of ladders is asked of rules that are, or may become, severe."""
    rule = (
        "rules:\n  forced:\n    name: Forced\n    when: door.forced\n    alert:\n"
        f"      tell: [sro]\n      through: [console, email]\n      severity: {severity}\n"
    )
    rule = rule.replace("graver: {severity: severe}", "graver: {severity: severe, if: {}}")
    (words,) = refused(tmp_path, ("ladders:\n", f"{rule}ladders:\n"))
    assert words.startswith("rules.forced.alert.through[1]: email reaches nobody here")


def test_names_in_a_section_that_cannot_be_read_are_not_wrong(tmp_path: Path) -> None:
    """Where the people could not be read, nobody is called unknown."""
    words = refused(tmp_path, ("  guard: {name: Guard, role: sro}\n", "  guard: {name: Guard\n"))
    assert not any("names nothing" in each for each in words)
    assert words


def test_a_siren_is_never_part_of_a_ladder(tmp_path: Path) -> None:
    """Not even beside others, nor in a ladder that only follows."""
    (words,) = refused(
        tmp_path,
        ("steps: [{through: [console, board]}]", "steps: [{through: [board, console, siren]}]"),
    )
    assert words.startswith("ladders.calm.steps[0].through[2]: siren is heard by everyone")


@pytest.mark.parametrize(
    "change",
    [
        ("through: [console, push]", "through: [[console], push]"),
        ("role: principal", "role: [principal]"),
    ],
)
def test_a_list_where_a_name_belongs_is_a_finding(tmp_path: Path, change: tuple[str, str]) -> None:
    """It is told with its path, and is no error of the check itself."""
    assert refused(tmp_path, change)
