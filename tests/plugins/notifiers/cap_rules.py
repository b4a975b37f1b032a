"""Whether a document is sound CAP 1.2: by the standard's schema, and by its prose (section 3.2)."""

import re
from datetime import datetime
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from defusedxml.ElementTree import fromstring

SCHEMA = Path(__file__).with_name("cap") / "CAP-v1.2.xsd"
SPACE = "{urn:oasis:names:tc:emergency:cap:1.2}"
PAIR = re.compile(r"-?\d{1,2}(\.\d+)?,-?\d{1,3}(\.\d+)?")


@cache
def _schema():
    import xmlschema

    return xmlschema.XMLSchema(str(SCHEMA))


def read(content):
    """A document as a flat map from element names to lists of texts."""
    found = {}
    for each in fromstring(content).iter():
        name = each.tag.removeprefix(SPACE)
        found.setdefault(name, []).append((each.text or "").strip())
    return found


def faults(content):
    """What is wrong with a document, in words; nothing when it is sound."""
    wrong = [f"schema: {error.reason}" for error in _schema().iter_errors(content.decode())]
    text = read(content)

    def one(name):
        return text.get(name, [""])[0]

    for name in ("identifier", "sender"):
        if not one(name) or re.search(r"[\s,<&]", one(name)):
            wrong.append(f"3.2.1 {name}: no spaces, commas or restricted characters")
    if (one("scope") == "Restricted") != bool(one("restriction")):
        wrong.append("3.2.1 restriction: with the scope Restricted, and only with it")
    if one("scope") == "Private" and not one("addresses"):
        wrong.append("3.2.1 addresses: required when the scope is Private")
    if one("status") == "Exercise" and not one("note"):
        wrong.append("3.2.1 status: an exercise is explained in note")
    if one("msgType") in ("Update", "Cancel", "Ack", "Error") and not one("references"):
        wrong.append("3.2.1 msgType: it names in references what it is about")
    if one("msgType") == "Alert" and "references" in text:
        wrong.append("3.2.1 msgType: initial information amends nothing")
    wrong += _wrong_references(one("references"), one("identifier"), one("sent"))
    if one("msgType") == "Cancel" and not one("note"):
        wrong.append("3.2.1 note: says why it is cancelled")
    if len(one("headline")) > 160:
        wrong.append("3.2.2 headline: at most 160 characters where displays are short")
    if "expires" in text and datetime.fromisoformat(one("expires")) <= datetime.fromisoformat(
        one("sent")
    ):
        wrong.append("3.2.2 expires: after it was sent")
    if "web" in text and not urlsplit(one("web")).netloc:
        wrong.append("3.2.2 web: a full, absolute URI")
    for ring in text.get("polygon", []):
        pairs = ring.split(" ")
        if len(pairs) < 4 or pairs[0] != pairs[-1] or not all(map(PAIR.fullmatch, pairs)):
            wrong.append("3.2.4 polygon: four pairs or more, the first and last the same")
    for circle in text.get("circle", []):
        if not re.fullmatch(rf"{PAIR.pattern} \d+(\.\d+)?", circle):
            wrong.append("3.2.4 circle: a pair, a space and a radius")
    leaves = [each for each in fromstring(content).iter() if not len(each)]
    wrong += [f"{each.tag}: an empty element" for each in leaves if not (each.text or "").strip()]
    if re.search(rb"<!DOCTYPE|<!ENTITY", content):
        wrong.append("3.3.1: no entities of its own")
    return wrong


def _wrong_references(references, own, sent):
    wrong = []
    for each in references.split():
        parts = each.split(",")
        if len(parts) != 3 or not re.fullmatch(r"\S+T\d\d:\d\d:\d\d[-+]\d\d:\d\d", parts[2]):
            wrong.append("3.2.1 references: sender,identifier,sent")
        elif parts[1] == own:
            wrong.append("3.2.1 references: not to itself")
        elif datetime.fromisoformat(parts[2]) > datetime.fromisoformat(sent):
            wrong.append("3.2.1 references: to earlier messages")
    return wrong
