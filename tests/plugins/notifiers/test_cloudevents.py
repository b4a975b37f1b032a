"""What leaves the hub as a CloudEvent is one: the rules of the specification, version 1.0.2."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from hub import Event, Notice
from plugins.notifiers.mqtt import message
from plugins.notifiers.webhook import event

AT = datetime(2026, 3, 2, 16, 4, 5, 120000, tzinfo=UTC)
URI_REFERENCE = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+")
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def broken_rules(sent: Mapping[str, Any]) -> list[str]:
    """Every rule of the specification, and of its JSON format, that a message breaks."""
    attributes = {key: value for key, value in sent.items() if key != "data"}
    found = [f"{key}: empty, or no text" for key, value in attributes.items()
             if not isinstance(value, str) or not value]  # fmt: skip
    found += [f"{key}: no name" for key in sent if not re.fullmatch(r"[a-z0-9]{1,20}", key)]
    found += [f"{key}: missing" for key in ("id", "source", "specversion", "type")
              if key not in sent]  # fmt: skip
    found += ["specversion"] if sent.get("specversion") != "1.0" else []
    found += ["source"] if not URI_REFERENCE.fullmatch(str(sent.get("source"))) else []
    found += ["time"] if not RFC_3339.fullmatch(str(sent.get("time", AT.isoformat()))) else []
    return found


def as_sent(made: Mapping[str, Any]) -> dict[str, Any]:
    """As a receiver reads it, which takes strict JSON."""
    read: dict[str, Any] = json.loads(json.dumps(made, allow_nan=False))
    return read


@pytest.mark.parametrize("subject", ["main", ""])
def test_an_event_is_a_cloudevent(subject: str) -> None:
    """With a subject and without one, which is then left out; and it is read as it was."""
    one = Event("door.forced", "door/main", AT, subject, {"door": "main"})
    sent = as_sent(one.to_cloudevent())
    assert broken_rules(sent) == []
    assert ("subject" in sent) == bool(subject)
    assert Event.from_cloudevent(sent) == one


@pytest.mark.parametrize("made", [event, message])
@pytest.mark.parametrize("alert", ["", "d8bebdea99804755ba1ac18e9782a7ad"])
def test_a_notice_is_a_cloudevent(
    notice: Callable[..., Notice], made: Callable[[Notice, str], dict[str, Any]], alert: str
) -> None:
    """Also one that is about no alert: a protocol's, or a test."""
    sent = as_sent(made(notice(alert=alert), "notifier/displays"))
    assert broken_rules(sent) == []
    assert sent.get("subject", "") == alert


def test_what_breaks_a_rule_is_noticed() -> None:
    """The rules above see an empty subject, a space in the source and a local time."""
    wrong = {"specversion": "1.0", "id": "1", "type": "a", "source": "our school", "subject": "",
             "time": "2026-03-02T16:04:05"}  # fmt: skip
    assert broken_rules(wrong) == ["subject: empty, or no text", "source", "time"]
