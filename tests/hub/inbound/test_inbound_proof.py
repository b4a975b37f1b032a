"""Who sent a message: signatures and keys that prove it, and everything that does not."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hub.inbound.blocks import InboundBlock
from hub.inbound.proof import Unproven, moment, prove

NOW = datetime(2026, 3, 2, 16, 4, 5, tzinfo=UTC)
SECRET = "correct horse battery staple"
BODY = b'{"id": "a-1", "what": "{body} {timestamp}"}'


def block(**signature: Any) -> InboundBlock:
    """An inbound that signs, with these keys of `signature`."""
    return InboundBlock.model_validate({"signature": {"secret": SECRET, **signature}})


def sign(said: bytes, hash_: str = "sha256", secret: str = SECRET) -> str:
    """The HMAC as hexadecimal digits."""
    return hmac.new(secret.encode(), said, getattr(hashlib, hash_)).hexdigest()


def test_a_signature_over_the_body_proves_it() -> None:
    """The plain case, and the header's name in any case of letters is the sender's business."""
    prove(block(), {"X-Signature": sign(BODY)}, BODY, NOW)


def test_a_known_answer_of_rfc_4231_is_right() -> None:
    """Test case 2 of RFC 4231, so that the HMAC is the one everybody else means."""
    known = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert sign(b"what do ya want for nothing?", secret="Jefe") == known


@pytest.mark.parametrize(
    ("signature", "headers"),
    [
        ({"form": "sha256={signature}"}, {"X-Signature": f"sha256={sign(BODY)}"}),
        ({"hash": "sha512"}, {"X-Signature": sign(BODY, "sha512")}),
        (
            {"encoding": "base64"},
            {"X-Signature": base64.b64encode(bytes.fromhex(sign(BODY))).decode()},
        ),
        ({"previous": "the one before this one"},
         {"X-Signature": sign(BODY, secret="the one before this one")}),
        ({"signs": "v0:{body}"}, {"X-Signature": sign(b"v0:" + BODY)}),
    ],
)  # fmt: skip
def test_each_way_of_signing_is_understood(
    signature: dict[str, Any], headers: dict[str, str]
) -> None:
    """Prefix, hash, encoding, the earlier secret, words around the body."""
    prove(block(**signature), headers, BODY, NOW)


@pytest.mark.parametrize("away", [-299, 0, 299])
def test_a_signed_time_near_the_clock_is_taken(away: int) -> None:
    """Five minutes either way are allowed, in a header of its own or in the signature's."""
    stamp = str(int(NOW.timestamp()) + away)
    signed = sign(stamp.encode() + b"." + BODY)
    own = block(timestamp="X-Timestamp", signs="{timestamp}.{body}")
    prove(own, {"X-Timestamp": stamp, "X-Signature": signed}, BODY, NOW)
    shared = block(form="t={timestamp},v1={signature}", signs="{timestamp}.{body}")
    prove(shared, {"X-Signature": f"t={stamp},v1={signed}"}, BODY, NOW)


@pytest.mark.parametrize("away", [-301, 301, 86400])
def test_a_message_that_was_overheard_is_of_no_use_later(away: int) -> None:
    """Rightly signed and old (or of tomorrow): refused, with how far the clocks are apart."""
    stamp = str(int(NOW.timestamp()) + away)
    own = block(timestamp="X-Timestamp", signs="{timestamp}.{body}")
    headers = {"X-Timestamp": stamp, "X-Signature": sign(stamp.encode() + b"." + BODY)}
    with pytest.raises(Unproven, match=f"{abs(away)} seconds from the hub's clock"):
        prove(own, headers, BODY, NOW)


def test_a_new_time_does_not_fit_an_old_signature() -> None:
    """Whoever changes the time has to sign anew, and cannot."""
    old = str(int(NOW.timestamp()) - 4000)
    headers = {
        "X-Timestamp": str(int(NOW.timestamp())),
        "X-Signature": sign(old.encode() + b"." + BODY),
    }
    with pytest.raises(Unproven, match="does not fit"):
        prove(block(timestamp="X-Timestamp", signs="{timestamp}.{body}"), headers, BODY, NOW)


@pytest.mark.parametrize(
    "header",
    ["", "nonsense", "0" * 64, "0" * 65, sign(BODY)[:-2], sign(BODY, secret="another secret of 16"),
     sign(BODY + b" "), "é" * 64, "A" * 100_000],
)  # fmt: skip
def test_a_wrong_signature_proves_nothing(header: str) -> None:
    """Missing, malformed, shortened, of another secret, of another body, endless."""
    with pytest.raises(Unproven) as problem:
        prove(block(), {"X-Signature": header} if header else {}, BODY, NOW)
    assert SECRET not in str(problem.value)
    assert sign(BODY) not in str(problem.value)


@given(st.binary(max_size=200), st.integers(0, 199), st.integers(1, 255))
def test_any_changed_byte_is_noticed(body: bytes, place: int, change: int) -> None:
    """A signature is for these bytes and no others."""
    if not body:
        return
    place %= len(body)
    other = body[:place] + bytes([body[place] ^ change]) + body[place + 1 :]
    with pytest.raises(Unproven):
        prove(block(), {"X-Signature": sign(body)}, other, NOW)


def test_a_key_is_the_whole_header() -> None:
    """Neither a part of it nor more than it will do; the earlier one is good as well."""
    keyed = InboundBlock.model_validate(
        {"key": {"header": "X-API-Key", "secret": SECRET, "previous": "the one before this one"}}
    )
    prove(keyed, {"X-API-Key": SECRET}, BODY, NOW)
    prove(keyed, {"X-API-Key": "the one before this one"}, BODY, NOW)
    for wrong in ("", SECRET[:-1], SECRET + " ", "Bearer " + SECRET):
        with pytest.raises(Unproven, match="X-API-Key"):
            prove(keyed, {"X-API-Key": wrong}, BODY, NOW)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "expected `signature`, or `key`"),
        ({"signature": {"secret": SECRET}, "key": {"secret": SECRET}}, "expected `signature`, or"),
        ({"signature": {"secret": "short"}}, "at least 16 characters"),
        ({"signature": {"secret": SECRET, "signs": "{timestamp}"}}, "expected {body} once"),
        ({"signature": {"secret": SECRET, "signs": "{body}{body}"}}, "nothing twice"),
        ({"signature": {"secret": SECRET, "form": "{signature"}}, "expected each {"),
        ({"signature": {"secret": SECRET, "timestamp": "X-T"}}, "not signed"),
        ({"signature": {"secret": SECRET, "signs": "{timestamp}{body}"}}, "needs the time"),
        ({"signature": {"secret": SECRET, "header": "X Y"}}, "HTTP header"),
    ],
)
def test_a_proof_that_proves_nothing_is_refused_in_the_configuration(
    wrong: dict[str, Any], said: str
) -> None:
    """What would let anybody in, or nobody, is told before the hub runs."""
    with pytest.raises(ValidationError) as problem:
        InboundBlock.model_validate(wrong)
    assert said in str(problem.value)
    assert SECRET not in str(problem.value)


@pytest.mark.parametrize(
    "value",
    [NOW.timestamp(), int(NOW.timestamp()), str(int(NOW.timestamp())),
     int(NOW.timestamp()) * 1000, "2026-03-02T16:04:05Z", "2026-03-02T10:04:05-06:00"],
)  # fmt: skip
def test_times_are_read_as_senders_write_them(value: object) -> None:
    """Seconds, milliseconds, text; a text without an offset is on the school's clock."""
    assert moment(value) == NOW
    local = NOW.astimezone(datetime.now().astimezone().tzinfo)
    assert moment("2026-03-02T16:04:05", local.replace(tzinfo=UTC)) == NOW


@pytest.mark.parametrize(
    "value", [None, True, "", "yesterday", 1e300, -1e300, "9" * 13, "1" * 100, [], {}, float("nan")]
)
def test_what_is_no_time_is_none(value: object) -> None:
    """Nothing that a sender writes there raises."""
    found = moment(value)
    assert found is None or found - NOW > timedelta(days=365)


@pytest.mark.parametrize("odd", ["\udcff\udcfe", "a" * 64 + "\udcff", "\u20ac"])
def test_a_header_of_any_bytes_proves_nothing_and_breaks_nothing(odd: str) -> None:
    """Bytes that are no UTF-8 come as text with surrogates; they are wrong like any other word."""
    keyed = InboundBlock.model_validate({"key": {"secret": SECRET}})
    timed = block(timestamp="X-Timestamp", signs="{timestamp}.{body}")
    for one, headers in (
        (keyed, {"Authorization": odd}),
        (timed, {"X-Timestamp": odd, "X-Signature": sign(BODY)}),
        (block(), {"X-Signature": odd}),
    ):
        with pytest.raises(Unproven):
            prove(one, headers, BODY, NOW)
