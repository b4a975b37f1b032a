"""Whether a message comes from who it says: HMAC signatures (RFC 2104) and keys in headers."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from hub.inbound.answers import signature_of
from hub.inbound.blocks import InboundBlock, Key, Signature, holes

LONGEST_HEADER = 1000
MOST_SIGNATURES = 4
MILLISECONDS_FROM = 1e11


class Unproven(Exception):
    """The message does not prove who sent it. The words say nothing that helps to forge one."""


def prove(block: InboundBlock, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
    """The time of sending as it was signed, empty where none was. Raises `Unproven`. `headers` are
    looked up in any case.
    """
    if block.signature is not None and block.answers is not None:
        return _one_of(signature_of(block.format, block.signature), headers, body, now)
    if block.signature is not None:
        return _signed(block.signature, headers, body, now)
    if block.key is not None:
        _known(block.key, headers)
    return ""


def _one_of(signature: Signature, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
    """Any of several signatures, as a provider sends them while its secret changes over."""
    given = headers.get(signature.header, "")[:LONGEST_HEADER].split(",")[:MOST_SIGNATURES]
    stamp = (
        {signature.timestamp: headers.get(signature.timestamp, "")} if signature.timestamp else {}
    )
    for number, one in enumerate(given, start=1):
        try:
            return _signed(signature, {**stamp, signature.header: one.strip()}, body, now)
        except Unproven:
            if number == len(given):
                raise
    return ""


def _known(key: Key, headers: Mapping[str, str]) -> None:
    given = _raw(headers.get(key.header, "")[:LONGEST_HEADER])
    found = [hmac.compare_digest(given, one.encode()) for one in (key.secret, key.previous) if one]
    if not any(found):
        raise Unproven(f"expected the right key in the header {key.header}")


def _signed(signature: Signature, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
    shape = _pattern(signature.form).fullmatch(headers.get(signature.header, "")[:LONGEST_HEADER])
    if shape is None:
        raise Unproven(f"expected the header {signature.header} as {signature.form}")
    parts = shape.groupdict()
    stamp = parts.get("timestamp", "")
    if signature.timestamp is not None:
        stamp = headers.get(signature.timestamp, "")[:100]
    try:
        given = _decoded(parts["signature"], signature.encoding)
    except ValueError:
        raise Unproven(f"expected a signature in {signature.encoding}") from None
    # The body is bytes and may hold braces of its own, so the parts are joined, not formatted.
    before, after = signature.signs.split("{body}")
    said = _filled(before, stamp) + body + _filled(after, stamp)
    secrets = [one for one in (signature.secret, signature.previous) if one]
    right = [hmac.digest(one.encode(), said, signature.hash) for one in secrets]
    found = [hmac.compare_digest(given, one) for one in right]
    if not any(found):
        raise Unproven("the signature does not fit; expected one made with the shared secret")
    if "timestamp" not in holes(signature.signs):
        return ""
    _fresh(signature, stamp, now)
    return stamp


def _filled(form: str, stamp: str) -> bytes:
    return _raw(form.replace("{timestamp}", stamp).replace("{{", "{").replace("}}", "}"))


def _raw(text: str) -> bytes:
    """The bytes as they came: a header that is no UTF-8 is text with surrogates for its bytes."""
    return text.encode("utf-8", "surrogateescape")


def _fresh(signature: Signature, stamp: str, now: datetime) -> None:
    sent = moment(stamp)
    if sent is None:
        raise Unproven("expected the time of sending as seconds since 1970, or as RFC 3339 text")
    away = abs((now - sent).total_seconds())
    if away > signature.within:
        raise Unproven(
            f"the time of sending is {away:.0f} seconds from the hub's clock; expected at most "
            f"{signature.within:.0f}: see that both clocks are right"
        )


def moment(value: object, zone: datetime | None = None) -> datetime | None:
    """A time as senders write it: seconds or milliseconds since 1970, or RFC 3339; else None.

    A text without an offset is on the clock of `zone`, and in UTC where there is none.
    """
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return None
        if isinstance(value, str) and not re.fullmatch(r"\d{1,13}(\.\d{1,9})?", value):
            if len(value) > 64:
                return None
            found = datetime.fromisoformat(value)
            if found.tzinfo is None:
                found = found.replace(tzinfo=zone.tzinfo if zone is not None else UTC)
            return found.astimezone(UTC)
        seconds = float(value)
        return datetime.fromtimestamp(
            seconds / 1000 if abs(seconds) >= MILLISECONDS_FROM else seconds, UTC
        )
    except (ValueError, OverflowError, OSError):
        return None


def _decoded(text: str, encoding: str) -> bytes:
    if encoding == "hex":
        return bytes.fromhex(text)
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None


@lru_cache(maxsize=64)
def _pattern(form: str) -> re.Pattern[str]:
    parts = {
        "{signature}": r"(?P<signature>[0-9A-Za-z+/=_-]+)",
        "{timestamp}": r"(?P<timestamp>[^,;|\s]+)",
    }
    pieces = re.split(r"(\{signature\}|\{timestamp\})", form)
    return re.compile("".join(parts.get(piece, re.escape(piece)) for piece in pieces))


def digest(*parts: str | bytes) -> str:
    """32 hexadecimal digits that stand for these parts."""
    whole = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "replace") if isinstance(part, str) else part
        whole.update(len(data).to_bytes(8, "big") + data)
    return whole.hexdigest()[:32]
