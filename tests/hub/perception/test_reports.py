"""One detector in several workers is one report, and none hides the trouble of another."""

from __future__ import annotations

from typing import Any

from hub.perception.inference import overload
from hub.perception.reports import together

CALM: dict[str, Any] = {
    "name": "YOLOX", "guessing": False, "reason": "", "quarantine": "", "waiting": 0,
    "inferred": 10, "dropped": 0, "failed": 0, "late": 0, "behind": 0.0, "budget": None,
    "instances": 1, "busy_s": 0.5,
}  # fmt: skip


def test_an_idle_worker_does_not_hide_that_another_is_overloaded() -> None:
    """Whichever comes first, what is left out is that of the worse, and counts are sums."""
    busy = {**CALM, "behind": 0.6, "dropped": 70, "inferred": 100, "waiting": 3, "busy_s": 9.25}
    for one, other in ((CALM, busy), (busy, CALM)):
        report = together(one, other)
        assert "60%" in overload("people", report)
        assert (report["inferred"], report["dropped"], report["waiting"]) == (110, 70, 3)
        assert (report["instances"], report["busy_s"]) == (2, 9.75)


def test_who_guesses_or_is_left_alone_shows() -> None:
    """A stand-in in one worker, with its reason, is not covered by a sound one in another."""
    guess = {**CALM, "name": "motion", "guessing": True, "reason": "no file people.onnx"}
    alone = {**guess, "reason": "quarantined after 3 faults", "quarantine": "it hangs"}
    for sound in (CALM, guess):
        for report in (together(sound, alone), together(alone, sound)):
            assert (report["guessing"], report["quarantine"]) == (True, "it hangs")
    for report in (together(CALM, guess), together(guess, CALM)):
        assert (report["name"], report["reason"]) == ("motion", "no file people.onnx")


def test_a_fault_shows_whoever_had_it() -> None:
    """What a detector raised in one worker is read beside a silent other."""
    faulty = {**CALM, "reason": "ValueError: no"}
    assert together(CALM, faulty)["reason"] == together(faulty, CALM)["reason"] == "ValueError: no"
