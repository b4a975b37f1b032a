"""What a message becomes: found where the configuration says, cut, cleaned, once."""

from __future__ import annotations

import contextlib
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hub.inbound.blocks import InboundBlock
from hub.inbound.mapping import Reading, Unreadable, at, clean, read

NOW = datetime(2026, 3, 2, 16, 4, 5, tzinfo=UTC)
PAGE = (Path(__file__).parents[3] / "docs/guide/inbound.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(
    r"### (.+?)\n\n```yaml\n(.*?)```\n\n```(?:json|xml)\n(.*?)```", PAGE, re.DOTALL
)


def block(**keys: Any) -> InboundBlock:
    """An inbound with a key and these keys."""
    return InboundBlock.model_validate({"key": {"secret": "0123456789abcdef"}, **keys})


def became(message: Any, **keys: Any) -> Reading:
    """What a JSON message becomes."""
    return read(block(**keys), "sensor", json.dumps(message).encode(), NOW)


def data(message: Any, **keys: Any) -> dict[str, Any]:
    """The data of the event that a message becomes."""
    event = became(message, **keys).event
    assert event is not None
    return dict(event.data)


def test_fields_are_found_where_they_stand() -> None:
    """Blocks within blocks and items of lists, by path."""
    message = {"a": {"b": [{"c": "x"}, {"c": "Gun"}]}, "n": 3}
    found = data(message, fields={"label": "a.b[1].c", "text": "n"})
    assert found == {"inbound": "sensor", "label": "gun", "text": "3"}
    assert at(message, "a.b[7].c") is at(message, "a.b.c") is at(message, "n.x") is None


def test_words_get_their_meaning_here() -> None:
    """A room of the sender's is a place of the school's, in any letters; else `otherwise`."""
    where = {"at": "room", "as": {"Room 101": "laboratory_1"}, "otherwise": "site"}
    for said, meant in (("room 101", "laboratory_1"), ("Cellar", "site"), (None, "site")):
        assert data({"room": said}, fields={"place": where})["place"] == meant
    bare = {"at": "room", "as": {"Room 101": "laboratory_1"}}
    assert "place" not in data({"room": "Cellar"}, fields={"place": bare})


def test_the_same_message_is_the_same_event() -> None:
    """By its id, whatever else changed; without one by its bytes; and never across senders."""
    first = became({"id": "a", "n": 1}, fields={"id": "id"}).event
    again = became({"id": "a", "n": 2}, fields={"id": "id"}).event
    other = became({"id": "b", "n": 1}, fields={"id": "id"}).event
    assert first is not None
    assert again is not None
    assert other is not None
    assert first.id == again.id != other.id
    elsewhere = read(block(fields={"id": "id"}), "other", b'{"id": "a"}', NOW).event
    assert elsewhere is not None
    assert elsewhere.id != first.id
    assert became({"n": 1}).event.id == became({"n": 1}).event.id  # type: ignore[union-attr]
    assert became({"n": 1}).event.id != became({"n": 2}).event.id  # type: ignore[union-attr]


def test_a_button_without_ids_may_be_pressed_again() -> None:
    """Its messages are alike: sent again at once it is the same press, an hour later another."""
    first, again, later = (
        read(block(), "button", b'{"pressed": true}', NOW + timedelta(seconds=after)).event
        for after in (0, 20, 3600)
    )
    assert first is not None
    assert again is not None
    assert later is not None
    assert first.id == again.id != later.id
    known = block(fields={"id": "n"})
    first, later = (
        read(known, "button", b'{"n": 1}', NOW + timedelta(seconds=after)).event
        for after in (0, 3600)
    )
    assert first is not None
    assert later is not None
    assert first.id == later.id


def test_ids_of_several_parts_do_not_run_into_each_other() -> None:
    """`ab` + `c` is another message than `a` + `bc`."""
    keys = {"fields": {"id": ["x", "y"]}}
    one = became({"x": "ab", "y": "c"}, **keys).event
    two = became({"x": "a", "y": "bc"}, **keys).event
    assert one is not None
    assert two is not None
    assert one.id != two.id


def test_only_and_ends_choose() -> None:
    """What does not count is told why; what ends something is `report.ended` about the same."""
    keys: dict[str, Any] = {
        "only": {"kind": ["gun", "knife"]},
        "ends": {"state": "cleared"},
        "fields": {"id": ["nr", "state"], "about": "nr"},
    }
    skipped = became({"kind": "dog", "nr": 4, "state": "open"}, **keys)
    assert skipped.event is None
    assert skipped.why == "kind is 'dog', and only gun or knife counts"
    assert became({"nr": 4, "state": "open"}, **keys).why.startswith("kind is not there")
    begun = became({"kind": "Gun", "nr": 4, "state": "open"}, **keys).event
    over = became({"kind": "gun", "nr": 4, "state": "cleared"}, **keys).event
    assert begun is not None
    assert over is not None
    assert (begun.type, over.type) == ("report.received", "report.ended")
    assert begun.subject == over.subject == "4"
    assert begun.id != over.id


@pytest.mark.parametrize(
    ("value", "out_of", "score"),
    [(0.87, None, 0.87), (87, 100, 0.87), ("87", 100, 0.87), (0, 100, 0.0), (1, None, 1.0)],
)
def test_scores_are_from_0_to_1(value: object, out_of: float | None, score: float) -> None:
    """Percent become parts of one."""
    where = {"at": "s", **({"out_of": out_of} if out_of else {})}
    assert data({"s": value}, fields={"score": where})["score"] == score


@pytest.mark.parametrize(
    ("value", "score"), [(87, 1.0), (-1, 0.0), ("high", None), ("nan", None), ("1e999", 1.0)]
)
def test_no_report_is_lost_for_its_score(value: object, score: float | None) -> None:
    """A wrong scale counts as the most it can be, what is no number as none; either is said."""
    reading = became({"s": value}, fields={"score": "s"})
    assert reading.event is not None
    assert reading.event.data.get("score") == score
    assert reading.event.data["score_said"] == str(value)
    (note,) = reading.notes
    assert note.startswith(f"s: expected a number from 0 to 1, found '{value}', taken ")


def test_the_sender_time_counts_where_its_clock_is_right() -> None:
    """Else it counts when it came, and what the sender said stands beside it."""
    right = became({"t": "2026-03-02T16:01:00Z"}, fields={"time": "t"}).event
    assert right is not None
    assert right.time == NOW - timedelta(minutes=3, seconds=5)
    for wrong in ("2026-03-02T17:00:00Z", "2020-01-01T00:00:00Z"):
        event = became({"t": wrong}, fields={"time": "t"}).event
        assert event is not None
        assert event.time == NOW
        assert str(event.data["sent"]).startswith(wrong[:10])


def test_texts_from_outside_are_cut_and_cleaned() -> None:
    """No control characters, no turned direction, no endless texts."""
    nasty = "a\x00b\x1b[31m\u202ec\r\nd" + "x" * 5000
    found = data({"t": nasty, "l": "W" * 500}, fields={"text": "t", "label": "l"})
    assert found["text"].startswith("ab[31mc\nd")
    assert len(found["text"]) == 2000
    assert len(found["label"]) == 64


def test_further_values_keep_their_kind() -> None:
    """Numbers and truth stay so for `where`; blocks and endless numbers are left out."""
    message = {"n": 3.5, "yes": True, "big": 10**400, "b": {}, "t": "x"}
    found = data(message, data={"n": "n", "yes": "yes", "big": "big", "b": "b", "t": "t"})
    assert found == {"inbound": "sensor", "n": 3.5, "yes": True, "t": "x"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "is no JSON"),
        (b"{", "line 1, column 2"),
        (b'"\xff"', "UTF-8"),
        (b'"word"', "bare value"),
        (b"12", "bare value"),
        (b'{"a": NaN}', "number NaN"),
        (b'{"a": -Infinity}', "number -Infinity"),
        (b"[" * 60000, "nested too deeply"),
        (b'{"other": 1}', "id: nothing there"),
        (b'{"id": ""}', "id: nothing there"),
        (b'{"id": {}}', "id: nothing there"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(body: bytes, said: str) -> None:
    """What, where, what was expected; and nothing of it raises anything else."""
    with pytest.raises(Unreadable) as problem:
        read(block(fields={"id": "id"}), "sensor", body, NOW)
    assert said in str(problem.value)
    assert "\n" not in str(problem.value)


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reading(body: bytes) -> None:
    """Anything at all is either read or refused."""
    for form in ("json", "cap"):
        with contextlib.suppress(Unreadable):
            assert read(block(format=form), "sensor", body, NOW)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
        max_leaves=12,
    )
)
def test_no_shape_of_message_breaks_the_reading(message: Any) -> None:
    """Values of another kind than expected are read as far as they go, and stay plain JSON."""
    fields = {
        "id": "a",
        "label": "a.b",
        "time": "a.c",
        "place": "b[0].a",
        "score": "c",
        "text": "b",
    }
    try:
        reading = became({"a": message, "b": [message], "c": message}, fields=fields)
    except Unreadable:
        return
    if reading.event is not None:
        json.dumps(dict(reading.event.data), allow_nan=False)


@given(st.text())
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    """What was cleaned has nothing left to clean."""
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"fields": {"lable": "a"}}, "lable"),
        ({"fields": {"label": "a..b"}}, "alert.camera.name"),
        ({"fields": {"label": "a[x]"}}, "alert.camera.name"),
        ({"fields": {"label": ["a", "b"]}}, "expected one place"),
        ({"fields": {"label": {"as": {"a": "b"}, "otherwise": "c"}}}, "expected `at`"),
        ({"fields": {"label": {"at": "a", "out_of": 100}}}, "only a score"),
        ({"data": {"label": "a"}}, "belongs to `fields`"),
        ({"only": {"a b": "c"}}, "alert.camera.name"),
    ],
)
def test_a_mapping_that_leads_nowhere_is_refused(keys: dict[str, Any], said: str) -> None:
    """Before the first message comes."""
    with pytest.raises(ValidationError) as problem:
        block(**keys)
    assert said in str(problem.value)


@pytest.mark.parametrize(
    ("vendor", "text", "message"), EXAMPLES, ids=[each[0] for each in EXAMPLES]
)
def test_each_example_of_the_guide_works(vendor: str, text: str, message: str) -> None:
    """The blocks to copy are valid, and the message beside each becomes a report with a place."""

    class Loader(yaml.SafeLoader):
        """Reads `!secret` as a secret that is long enough."""

    Loader.add_constructor("!secret", lambda loader, node: "0123456789abcdef")
    blocks = yaml.load(text, Loader)["inbound"]
    (name,) = blocks
    made = InboundBlock.model_validate(blocks[name])
    assert made.name == vendor
    reading = read(made, name, message.encode(), NOW)
    assert reading.event is not None, reading.why
    assert reading.event.type == "report.received"
    assert reading.event.data["label"]
    assert re.fullmatch(r"[a-z_0-9]+", str(reading.event.data["place"]))
    assert reading.event.subject


def test_the_guide_has_every_vendor() -> None:
    """Eight systems, each with a block and a message."""
    assert len(EXAMPLES) == 8
