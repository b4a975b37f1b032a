"""What is wrong with a query or body is said in plain words, and without what was sent."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hub.web.validation import MOST_TOLD, in_words


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    verdict: Literal["verified", "dismissed"]
    open: Literal["1", "yes"] | Literal["0", "no"] = "0"
    after: Annotated[str, Field(pattern=r"^[0-9]*$")] = ""
    note: Annotated[str, Field(min_length=2, max_length=5)] = "none"
    at: Annotated[int, Field(ge=3, lt=9)] = 3
    doors: Annotated[tuple[str, ...], Field(min_length=1)] = ("main",)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({}, "verdict: is missing"),
        ({"verdict": "maybe"}, "verdict: expected one of verified, dismissed"),
        ({"verdict": "verified", "open": "perhaps"}, "open: expected one of 1, yes, 0, no"),
        ({"verdict": "verified", "extra": "x"}, "extra: is not known here"),
        ({"verdict": "verified", "note": 7}, "note: expected text"),
        ({"verdict": "verified", "note": "x"}, "note: expected at least 2 characters"),
        ({"verdict": "verified", "note": "x" * 9}, "note: expected at most 5 characters"),
        ({"verdict": "verified", "at": "4"}, "at: expected a whole number"),
        ({"verdict": "verified", "at": 2}, "at: expected 3 or more"),
        ({"verdict": "verified", "at": 9}, "at: expected less than 9"),
        ({"verdict": "verified", "doors": ()}, "doors: expected at least 1 items"),
        ({"verdict": "verified", "doors": ("a", 2)}, "doors.1: expected text"),
        ({"verdict": "verified", "after": "ten"}, "after: expected text of the form ^[0-9]*$"),
        ("all of it", "body: expected an object"),
    ],
)
def test_a_fault_is_named_with_what_was_expected(sent: Any, said: str) -> None:
    """Which member, and what belongs there; nothing of the library that checks."""
    with pytest.raises(ValidationError) as caught:
        Body.model_validate(sent)
    assert in_words(caught.value) == said


def test_what_was_sent_is_not_repeated_and_a_flood_is_cut() -> None:
    """Neither a value, which may be a secret, nor more than a reader can use."""
    sent = {f"member_{number}": "hunter2!" for number in range(50)} | {"x" * 500: 1}
    with pytest.raises(ValidationError) as caught:
        Body.model_validate({**sent, "verdict": "hunter2!"})
    words = in_words(caught.value)
    assert "hunter2!" not in words
    assert words.count(":") == MOST_TOLD
    assert len(words) < 1200
