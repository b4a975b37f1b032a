"""Passwords that are guessed first, and the file of those known from breaches."""

import hashlib
import random
from pathlib import Path

import pytest

from hub.errors import Refused
from hub.identity.guessable import is_breached, refuse_guessable, trouble_with

AROUND = ("Front desk", "Lincoln School", "Science wing")


@pytest.mark.parametrize(
    "password",
    [
        "password1234", "qwertyuiop12", "123456789012", "aaaaaaaaaaaa", "abcabcabcabc",
        "iloveyou1234", "lincoln12345", "Lincoln2026!", "sciencewing1", "frontdesk123",
        "march 2 2026",
    ],
)  # fmt: skip
def test_what_is_guessed_first_is_refused(password: str) -> None:
    """Common passwords, rows of keys, repeats, dates, and the names around the account."""
    with pytest.raises(Refused, match="guessed early"):
        refuse_guessable(password, AROUND)


@pytest.mark.parametrize(
    "password",
    ["four quiet words here", "correct horse battery", "xk2p9qnv7w3m", "contraseña segura uno"],
)
def test_what_takes_long_to_guess_is_taken(password: str) -> None:
    """A few words in a row need no capital, digit or sign."""
    refuse_guessable(password, AROUND)


@pytest.mark.parametrize("length", [512, 72])
def test_a_long_password_takes_no_long_time(length: int) -> None:
    """The estimate is bounded, whatever is typed."""
    refuse_guessable("".join(random.Random(7).choices("abcdef 123XYZ", k=length)))


def breach_file(file: Path, passwords: list[str], end: str = "\r\n") -> Path:
    """A file as Have I Been Pwned publishes it, of these passwords."""
    hashes = sorted(hashlib.sha1(each.encode()).hexdigest().upper() for each in passwords)
    file.write_bytes("".join(f"{each}:{n}{end}" for n, each in enumerate(hashes, 1)).encode())
    return file


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("size", [1, 2, 3, 50, 1000])
def test_every_password_of_the_file_is_found_and_no_other(
    tmp_path: Path, size: int, end: str
) -> None:
    """First, last and between, whatever the lengths of the counts."""
    known = [f"password number {n}" for n in range(size)]
    file = breach_file(tmp_path / "list.txt", known, end)
    assert all(is_breached(file, each) for each in known)
    assert not any(is_breached(file, f"another {n}") for n in range(200))


def test_a_breached_password_is_refused(tmp_path: Path) -> None:
    """However hard to guess it is: whoever has the list tries it first."""
    file = breach_file(tmp_path / "list.txt", ["four quiet words here"])
    with pytest.raises(Refused, match="breach"):
        refuse_guessable("four quiet words here", breached=file)
    refuse_guessable("five other words here", breached=file)


def test_a_file_that_is_none_is_told_and_stops_nobody(tmp_path: Path) -> None:
    """Missing, empty or of another kind: it is said, and passwords are still taken."""
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("hunter2\nletmein\n" * 100)
    empty = tmp_path / "empty.txt"
    empty.write_text("")
    for file in (tmp_path / "none.txt", wrong, empty, tmp_path):
        assert trouble_with(file), file
        refuse_guessable("four quiet words here", breached=file)
    assert trouble_with(breach_file(tmp_path / "good.txt", ["a"])) == ""


def test_only_a_few_places_of_the_file_are_read(tmp_path: Path) -> None:
    """A list of forty gigabytes takes some forty steps: it is halved, never gone through."""
    file = breach_file(tmp_path / "list.txt", [str(n) for n in range(50_000)])
    reads = 0

    class Counted:
        def __init__(self) -> None:
            self.inner = file.open("rb")

        def __getattr__(self, name: str) -> object:
            nonlocal reads
            reads += name == "seek"
            return getattr(self.inner, name)

    from hub.identity.guessable import _has

    lines = Counted()
    wanted = hashlib.sha1(b"49999").hexdigest().upper().encode()
    assert _has(lines, wanted)  # type: ignore[arg-type]
    lines.inner.close()
    assert reads < 30
