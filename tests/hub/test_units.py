"""Lengths of time and picture sizes: as people write them, both ways."""

from __future__ import annotations

import re
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from hub import Block, Duration, PictureSize, duration_words, size_words
from hub.plainwords import findings
from hub.typewords import type_words, whole_type
from hub.units import DURATION_PATTERN, SIZE_PATTERN, nearest_duration, parse_duration, parse_size


class Lamp(Block):
    """A block as a vendor writes one."""

    wait: Annotated[Duration, Field(gt=0, le=60)] = 10.0
    pause: Duration = Field(1.5, ge=0.5)
    until: Annotated[Duration, Field(gt=0)] | None = None
    size: PictureSize = (640, 360)
    password: Duration = 1.0


def said(**keys: Any) -> list[str]:
    """What the check says of a block, with the key in front."""
    _, found = findings(Lamp, keys)
    return [f"{each.path[0]}: {each.message}{each.hint and f' ({each.hint})'}" for each in found]


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("30s", 30.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("500ms", 0.5),
        ("2d", 172800.0),
        ("1.5s", 1.5),
        ("1m0.25s", 60.25),
        ("0.5h", 1800.0),
        ("0s", 0.0),
        ("30", 30.0),
        ("0.5", 0.5),
    ],
)
def test_a_length_of_time_is_read(written: str, seconds: float) -> None:
    """Each unit alone or together, and a plain number, which means seconds."""
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written",
    ["", "s", "30 s", "30S", "30m1h", "1h1h", "-5s", "1,5s", "soon", "1w", "1e3", "inf", "30s\n"],
)
def test_what_is_no_length_of_time_is_refused(written: str) -> None:
    """Nothing is guessed, and the message says what was expected."""
    with pytest.raises(ValueError, match="expected a length of time such as 30s or 5m"):
        parse_duration(written)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0s"),
        (0.5, "500ms"),
        (0.0015, "1.5ms"),
        (1.5, "1.5s"),
        (10.0, "10s"),
        (60, "1m"),
        (90.0, "1m30s"),
        (3600, "1h"),
        (5400, "1h30m"),
        (86400 * 2 + 61.5, "2d1m1.5s"),
        (119.9999999, "2m"),
    ],
)
def test_a_length_of_time_is_printed_one_way(seconds: float, words: str) -> None:
    """The largest units first, and none that count nothing."""
    assert duration_words(seconds) == words


@given(st.integers(0, 10**11))
def test_what_is_printed_reads_back(milliseconds: int) -> None:
    """The printed form of any length of time, to the millisecond, means the same again."""
    words = duration_words(milliseconds / 1000)
    assert parse_duration(words) == pytest.approx(milliseconds / 1000, abs=5e-4)
    assert re.search(DURATION_PATTERN, words)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("30 seconds", "30s"),
        ("5 Min", "5m"),
        ("1 hour and 30 minutes", "1h30m"),
        ("30 s", "30s"),
        ("10S", "10s"),
        ("2 weeks", ""),
        ("soon", ""),
        ("30s", ""),
    ],
)
def test_a_length_of_time_in_other_words_is_understood(written: str, meant: str) -> None:
    """Whoever spells the unit out is told how to write it; nonsense gets no advice."""
    assert nearest_duration(written) == meant


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("720p", (1280, 720)),
        ("1080p", (1920, 1080)),
        ("360p", (640, 360)),
        ("480p", (854, 480)),
        ("640x360", (640, 360)),
    ],
)
def test_a_picture_size_is_read(written: str, size: tuple[int, int]) -> None:
    """A height alone is 16 by 9 with an even width."""
    assert parse_size(written) == size
    assert parse_size(size_words(size)) == size
    assert re.search(SIZE_PATTERN, written)


@pytest.mark.parametrize("written", ["", "720", "p", "640X360", "640 x 360", "0x10", "wide"])
def test_what_is_no_picture_size_is_refused(written: str) -> None:
    """The message says what was expected."""
    with pytest.raises(ValueError, match="expected a picture size such as 720p or 640x360"):
        parse_size(written)


def test_a_block_gets_seconds_and_pixels() -> None:
    """Drivers work with plain numbers, whatever the file says."""
    lamp = Lamp.model_validate({"wait": "1m", "pause": 2, "until": "2d", "size": "720p"})
    assert (lamp.wait, lamp.pause, lamp.until, lamp.size) == (60.0, 2.0, 172800.0, (1280, 720))
    assert Lamp(wait=3, size=(320, 180)).wait == 3.0


def test_a_block_survives_the_way_to_a_worker() -> None:
    """Settings cross to another process as JSON and mean the same there."""
    lamp = Lamp.model_validate({"wait": "1m", "size": "720p"})
    plain = lamp.model_dump(mode="json", by_alias=True)
    assert (plain["wait"], plain["size"], plain["until"]) == (60.0, "1280x720", None)
    assert Lamp.model_validate(plain) == lamp
    assert Lamp.model_validate(lamp.model_dump()) == lamp


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("wait", "2m", "found '2m'; expected 1m or less"),
        ("wait", 0, "found the number 0; expected more than 0s"),
        ("pause", "100ms", "found '100ms'; expected 500ms or more"),
        ("until", "0s", "found '0s'; expected more than 0s"),
        ("wait", "soon", "found 'soon'; expected a length of time such as 30s or 5m"),
        (
            "wait",
            "30 seconds",
            "found '30 seconds'; expected a length of time such as 30s or 5m (did you mean 30s?)",
        ),
        ("wait", True, "found true; expected a length of time such as 30s or 5m"),
        ("wait", None, "found nothing; expected a length of time such as 30s or 5m"),
        ("wait", [3], "found a list; expected a length of time such as 30s or 5m"),
        (
            "wait",
            float("nan"),
            "found the number nan; expected a length of time such as 30s or 5m",
        ),
        ("size", "big", "found 'big'; expected a picture size such as 720p or 640x360"),
        ("size", 720, "found the number 720; expected a picture size such as 720p or 640x360"),
        ("size", [640, 360], "found a list; expected a picture size such as 720p or 640x360"),
        (
            "password",
            "22 seconds",
            "found a hidden value; expected a length of time such as 30s or 5m",
        ),
    ],
)
def test_faults_are_told_in_the_same_words(key: str, value: Any, words: str) -> None:
    """One fault, once, with what was written and a bound in units; a secret is never shown."""
    assert said(**{key: value}) == [f"{key}: {words}"]


def test_the_words_for_a_key_name_its_bounds() -> None:
    """The reference page and `is missing` say what belongs there."""
    words = {name: type_words(whole_type(field)) for name, field in Lamp.model_fields.items()}
    time = "a length of time such as 30s or 5m"
    assert words["wait"] == f"{time} (more than 0s and 1m or less)"
    assert words["pause"] == f"{time} (500ms or more)"
    assert words["until"] == f"{time} (more than 0s)"
    assert words["size"] == "a picture size such as 720p or 640x360"


def test_a_key_of_an_earlier_version_still_works() -> None:
    """A renamed key is read under its new name; both at once is an error that names both."""

    class Siren(Block):
        renamed = {"sound_for_s": "sound_for"}  # noqa: RUF012

        sound_for: Duration = 1.0

    assert Siren.model_validate({"sound_for_s": 3}).sound_for == 3.0
    with pytest.raises(ValidationError, match="expected `sound_for` alone; `sound_for_s` is its"):
        Siren.model_validate({"sound_for_s": 3, "sound_for": "3s"})
    with pytest.raises(ValidationError, match="Extra inputs"):
        Siren.model_validate({"sound_for_ms": 3})
