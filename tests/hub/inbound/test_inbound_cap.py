"""The Common Alerting Protocol, coming in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from hub.inbound.blocks import InboundBlock
from hub.inbound.mapping import Reading, Unreadable, read

NOW = datetime(2026, 3, 2, 16, 4, 5, tzinfo=UTC)
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
INFO = """<info><category>Met</category><event>Tornado warning</event>
<urgency>Immediate</urgency><severity>Extreme</severity><certainty>Observed</certainty>
<headline>Tornado near the school</headline>
<parameter><valueName>track</valueName><value>north</value></parameter>
<area><areaDesc>County north</areaDesc></area><area><areaDesc>County south</areaDesc></area></info>
"""


def alert(version: str = "1.2", inside: str = INFO, **changed: str) -> bytes:
    """A CAP alert; `changed` replaces elements, an empty text leaves one out."""
    said = {
        "identifier": "n-7",
        "sender": "weather@county.example",
        "sent": "2026-03-02T16:03:00-00:00",
        "status": "Actual",
        "msgType": "Alert",
        "scope": "Public",
        **changed,
    }
    rows = "".join(f"<{name}>{text}</{name}>" for name, text in said.items() if text)
    space = f"urn:oasis:names:tc:emergency:cap:{version}"
    return f'{HEAD}<alert xmlns="{space}">{rows}{inside}</alert>'.encode()


def became(body: bytes, **keys: Any) -> Reading:
    """What a CAP message becomes."""
    keyed = {"key": {"secret": "0123456789abcdef"}, "format": "cap", **keys}
    return read(InboundBlock.model_validate(keyed), "weather", body, NOW)


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_an_alert_becomes_a_report(version: str) -> None:
    """Event, headline, certainty, urgency, severity and the first area, without configuration."""
    event = became(alert(version)).event
    assert event is not None
    assert event.type == "report.received"
    assert event.subject == "weather@county.example,n-7"
    assert dict(event.data) == {
        "inbound": "weather",
        "label": "tornado warning",
        "text": "Tornado near the school",
        "certainty": "Observed",
        "urgency": "Immediate",
        "severity": "Extreme",
        "area": "County north",
        "sent": "2026-03-02T16:03:00.000Z",
    }


def test_a_cancel_ends_what_it_refers_to() -> None:
    """The end has the same subject as the beginning, so that `lasting` finds them together."""
    refers = "weather@county.example,n-7,2026-03-02T16:03:00-00:00"
    event = became(alert(identifier="n-8", msgType="Cancel", references=refers)).event
    assert event is not None
    assert (event.type, event.subject) == ("report.ended", "weather@county.example,n-7")
    update = became(alert(identifier="n-9", msgType="Update", references=refers)).event
    assert update is not None
    assert (update.type, update.subject) == ("report.received", "weather@county.example,n-7")


@pytest.mark.parametrize("status", ["Exercise", "Test", "System", "Draft"])
def test_nobody_elses_drill_raises_anything(status: str) -> None:
    """Only what is actual counts, and an acknowledgement is no alert."""
    assert became(alert(status=status)).event is None
    assert became(alert(msgType="Ack", references="a,b,2026-03-02T16:03:00-00:00")).event is None


def test_keys_of_the_block_go_before_what_is_known() -> None:
    """A school may read the place from the area, or the label from elsewhere."""
    where = {"at": "info[0].area[1].areaDesc", "as": {"County south": "site"}}
    event = became(alert(), fields={"place": where, "label": "info[0].category[0]"}).event
    assert event is not None
    assert (event.data["place"], event.data["label"]) == ("site", "met")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<alert/>", "no CAP alert"),
        (b"no xml", "no XML"),
        (alert("2.0"), "version 1.1 or 1.2"),
        (alert(identifier=""), "no <identifier>"),
        (alert(scope=""), "no <scope>"),
        (alert(status="Real"), "<status> is none that CAP knows"),
        (alert(msgType="Warning"), "<msgType> is none that CAP knows"),
        (alert(msgType="Cancel"), "must say in <references>"),
        (alert(msgType="Update", references="n-7"), "must say in <references>"),
        (b'<!DOCTYPE a [<!ENTITY x "y">]><alert>&x;</alert>', "DTD"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><alert/>', "DTD"),
    ],
)
def test_what_is_no_cap_alert_is_told(body: bytes, said: str) -> None:
    """What is missing or wrong, by element; entities are never expanded, files never read."""
    with pytest.raises(Unreadable) as problem:
        became(body)
    assert said in str(problem.value)


def test_an_alert_without_info_is_still_one() -> None:
    """CAP allows it; there is only less to say."""
    event = became(alert(inside="")).event
    assert event is not None
    assert "label" not in event.data
