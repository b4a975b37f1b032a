import base64
import html
import json
import os
from datetime import UTC, datetime
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hub import Event
from hub.secrets import HIDDEN, Secrets, worth_hiding

AWKWARD = 'p4ss "wörd"/+&<\'\\x'
PASSWORDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=8)


def event(**changes):
    """An event as a driver publishes it."""
    now = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    return Event(**{"type": "door.opened", "source": "door/hall", "time": now} | changes)


@pytest.mark.parametrize(
    "shown",
    [
        AWKWARD,
        quote(AWKWARD, safe=""),
        quote(AWKWARD),
        quote_plus(AWKWARD),
        json.dumps(AWKWARD),
        json.dumps(AWKWARD, ensure_ascii=False),
        json.dumps(json.dumps(AWKWARD, ensure_ascii=False)),
        repr(AWKWARD),
        repr([repr(f"'{AWKWARD}'")]),
        repr(AWKWARD.encode()),
        html.escape(AWKWARD),
        base64.b64encode(AWKWARD.encode()).decode(),
        base64.urlsafe_b64encode(AWKWARD.encode()).decode(),
        AWKWARD.encode().hex(),
        AWKWARD.encode().hex().upper(),
    ],
)
def test_a_secret_is_hidden_in_every_shape_it_travels_in(shown):
    """Quoted, escaped, once or twice, encoded: none of it is left."""
    said = Secrets([AWKWARD]).clean(f"refused <{shown}> by the server")
    assert HIDDEN in said
    assert "refused <" in said
    assert "> by the server" in said
    assert "p4ss" not in said
    assert shown not in said


@pytest.mark.parametrize("user", ["", "a", "ab", "abc", "viewer"])
def test_basic_authentication_is_hidden_for_every_user(user):
    """The whole word goes, whichever name stands before the password."""
    word = base64.b64encode(f"{user}:{AWKWARD}".encode()).decode()
    assert Secrets([AWKWARD]).clean(f"Basic {word}.") == f"Basic {HIDDEN}."


@given(PASSWORDS, st.text(), st.text())
@example("a'b'c'd'e", "", "")
@example("(hidden)", "", "")
def test_no_password_survives(password, before, after):
    """Whatever it is made of and whatever stands around it, it is not in what comes out."""
    secrets = Secrets([password])
    said = secrets.clean(f"{before}{password}{after}")
    if worth_hiding(password) and password not in HIDDEN:
        assert password not in said.replace(HIDDEN, "\0")


@given(st.text(), st.lists(PASSWORDS))
def test_what_holds_no_secret_is_untouched(text, passwords):
    """A text without a trace of a secret stays as it is, letter by letter."""
    begins = [password[:4] for password in passwords]
    low = text.lower()
    if not any(begin in text or begin.encode().hex() in low for begin in begins):
        assert Secrets(passwords).clean(text) == text


@pytest.mark.parametrize(
    ("value", "hidden"),
    [("abc", False), ("1234", False), ("true", False), ("admin", False), ("----------", False),
     ("kG7!", True), ("482913", True), ("hunter", True), ("correct horse", True)],
)  # fmt: skip
def test_what_is_hidden_at_all(value, hidden):
    """Values that stand in many texts where they are no secret are left alone."""
    assert worth_hiding(value) is hidden
    assert (HIDDEN in Secrets([value]).clean(f"it said {value} twice")) is hidden


def test_a_short_secret_is_hidden_only_as_a_word():
    """Six or seven characters may be part of something else; eight are not."""
    secrets = Secrets(["482913", "48291377"])
    assert secrets.clean("pin=482913, no. 14829130") == f"pin={HIDDEN}, no. 14829130"
    assert secrets.clean("a482913770") == f"a{HIDDEN}0"


def test_the_longest_goes_first():
    """A secret that holds another leaves nothing of itself."""
    assert (
        Secrets(["longpassword", "longpassword-and-more"]).clean("longpassword-and-more") == HIDDEN
    )


def test_every_line_of_a_key_file_is_secret():
    """An error quotes a line, not the file; the line that only says what it is stays."""
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n"
    secrets = Secrets([key])
    assert secrets.clean("bad line: hkiG9w0BAQEFAASC") == f"bad line: {HIDDEN}"
    assert secrets.clean("expected -----BEGIN") == "expected -----BEGIN"


@pytest.mark.parametrize("tail", ["", "...", "…", "')", '"}'])
def test_a_secret_cut_off_at_the_end_is_hidden(tail):
    """Texts are cut to a length; the beginning of a password is not left over."""
    secrets = Secrets(["hunter2-and-more-of-it"])
    assert secrets.clean(f"HTTP 401: hunter2-and{tail}") == f"HTTP 401: {HIDDEN}{tail}"
    assert secrets.clean(f"sent by hunter{tail}") == f"sent by hunter{tail}"


def test_data_is_cleaned_all_through_and_keeps_its_form():
    """Texts, keys and numbers; what was clean stays equal, and names of fields stay names."""
    secrets = Secrets(["hunter2!", "482913", "password"])
    data = {"pin": 482913, "deep": [{"hunter2!": ["x", "a hunter2! b"]}], "password": 1, "n": 1.5}
    assert secrets.clean_data(data) == {
        "pin": HIDDEN,
        "deep": [{HIDDEN: ["x", f"a {HIDDEN} b"]}],
        "password": 1,
        "n": 1.5,
    }
    json.dumps(secrets.clean_data(data))


def test_an_event_is_cleaned_in_every_part():
    """Type, source, subject, data and id; a clean one comes back as it was."""
    secrets = Secrets(["hunter2!"])
    clean = event(data={"door": "hall", "list": ["a"]})
    assert secrets.clean_event(clean) is clean
    leaky = event(
        type="plugin.hunter2!", source="hunter2!", subject="hunter2!", data={"a": "hunter2!"}
    )
    assert "hunter2!" not in str(secrets.clean_event(leaky).to_cloudevent())


def test_an_id_that_holds_a_secret_still_counts_once():
    """The same event sent again is the same; another one is another."""
    secrets = Secrets(["hunter2!"])
    first, again, other = (
        secrets.clean_event(event(id=id_)).id for id_ in ("hunter2!-1", "hunter2!-1", "hunter2!-2")
    )
    assert first == again
    assert first != other
    assert "hunter2!" not in first


def test_what_was_secret_stays_hidden_after_a_reload():
    """Another configuration adds to the secrets and takes none away."""
    secrets = Secrets(["the-old-one"])
    secrets.add(["the-new-one"])
    assert secrets.clean("the-old-one the-new-one") == f"{HIDDEN} {HIDDEN}"


def test_without_secrets_nothing_is_touched():
    """The same object comes back, whatever it is."""
    secrets = Secrets()
    data, text = {"a": [1]}, "a text"
    assert secrets.clean(text) is text
    assert secrets.clean_data(data) is data


def test_a_child_gets_no_variable_that_is_a_secret():
    """Only variables that are a secret as a whole are withheld."""
    secrets = Secrets(["hunter2!"])
    given_ = {"TOKEN": "hunter2!", "PATH": "/opt/hunter2!/bin", "ONE": "1"}
    assert secrets.environment(given_) == {"PATH": "/opt/hunter2!/bin", "ONE": "1"}


def test_cleaning_an_event_takes_well_under_a_millisecond():
    """Twenty secrets and an event of some 500 bytes: no sensor is held up by this."""
    import time

    secrets = Secrets(os.urandom(12).hex() for _ in range(20))
    words = "the broker at 127.0.0.1:1883 did not take us: not authorised " * 4
    full = event(data={"door": "hall", "reason": words, "names": ["a", "b"], "n": 3})
    best = 1.0
    for _ in range(20):
        began = time.perf_counter()
        for _ in range(50):
            secrets.clean_event(full)
        best = min(best, (time.perf_counter() - began) / 50)
    assert best < 0.001, best
