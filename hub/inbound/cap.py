"""Messages of the Common Alerting Protocol, as plain values.

Source: OASIS CAP 1.2 (CAP-v1.2-os), sections 3.2.1 to 3.2.4. Elements that may come more than once
are lists; all others are text, or a block of such.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.inbound.blocks import FieldName

NAMESPACES = ("urn:oasis:names:tc:emergency:cap:1.2", "urn:oasis:names:tc:emergency:cap:1.1")
SEVERAL = frozenset(
    ("info", "area", "parameter", "eventCode", "resource", "category", "responseType", "code",
     "polygon", "circle", "geocode")
)  # fmt: skip
STATUSES = ("Actual", "Exercise", "System", "Test", "Draft")
KINDS = ("Alert", "Update", "Cancel", "Ack", "Error")
NEEDED = ("identifier", "sender", "sent", "status", "msgType", "scope")

# How a CAP message reads where the configuration does not say otherwise.
FIELDS: Mapping[FieldName, Any] = {
    "id": ("sender", "identifier", "sent"),
    "about": "first",
    "time": "sent",
    "label": "info[0].event",
    "text": "info[0].headline",
    "link": "info[0].web",
}
DATA: Mapping[str, str] = {
    "certainty": "info[0].certainty",
    "urgency": "info[0].urgency",
    "severity": "info[0].severity",
    "area": "info[0].area[0].areaDesc",
}
ONLY: Mapping[str, tuple[str, ...]] = {
    "status": ("Actual",),
    "msgType": ("Alert", "Update", "Cancel"),
}
ENDS: Mapping[str, tuple[str, ...]] = {"msgType": ("Cancel",)}


def parse(body: bytes) -> dict[str, Any]:
    """A CAP message, as text by element name, and beside it `first`: the identifier of the message
    that the whole exchange began with, as far as this one says. Raises `ValueError` with what is
    wrong.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root = fromstring(body, forbid_dtd=True)
    except ParseError as error:
        raise ValueError(f"the message is no XML ({error}); expected a CAP alert") from None
    except DefusedXmlException:
        raise ValueError(
            "the message defines entities; expected a CAP alert without a DTD"
        ) from None
    except (ValueError, LookupError, RecursionError):
        raise ValueError("the message cannot be read; expected a CAP alert in UTF-8") from None
    space, _, name = str(root.tag).rpartition("}")
    if name != "alert" or space.removeprefix("{") not in NAMESPACES:
        raise ValueError("the message is no CAP alert; expected one of version 1.1 or 1.2")
    found = _plain(root)
    message = found if isinstance(found, dict) else {}
    for needed in NEEDED:
        if not isinstance(message.get(needed), str) or not message[needed]:
            raise ValueError(f"the CAP alert has no <{needed}>; it is required")
    for element, allowed in (("status", STATUSES), ("msgType", KINDS)):
        if message[element] not in allowed:
            raise ValueError(f"<{element}> is none that CAP knows; expected {', '.join(allowed)}")
    if message["msgType"] in ("Update", "Cancel") and not _first(message):
        raise ValueError(f"a CAP {message['msgType']} must say in <references> what it is about")
    message["first"] = _first(message) or f"{message['sender']},{message['identifier']}"
    return message


def _first(message: Mapping[str, Any]) -> str:
    """The first of `references`, each `sender,identifier,sent`, without its time."""
    said = message.get("references")
    whole = said.split() if isinstance(said, str) else []
    parts = whole[0].split(",") if whole else []
    return f"{parts[0]},{parts[1]}" if len(parts) == 3 else ""


def _plain(element: Any) -> dict[str, Any] | str:
    if not len(element):
        return (element.text or "").strip()
    values: dict[str, Any] = {}
    for child in element:
        name = str(child.tag).rpartition("}")[2]
        value = _plain(child)
        if name in SEVERAL:
            values.setdefault(name, []).append(value)
        else:
            values.setdefault(name, value)
    return values
