"""Certificates, and the pages as they are served under them: with real files over real TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from hub import certificate
from hub.certificate import GOOD_FOR, RENEWED_BEFORE
from hub.config import HubSettings
from hub.errors import StateError
from hub.served import LOOKED_EVERY_S, Served
from hub.start import listen
from hub.testing import FakeClock

NOW = datetime.now(UTC).replace(microsecond=0)


def test_the_hubs_own_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    """The same one at the next start, with the names that it needs; nobody else reads its key."""
    made = certificate.own(tmp_path, ["hub.school.example", "10.0.0.7"], NOW)
    assert made.names >= {"hub.school.example", "10.0.0.7", "localhost", "127.0.0.1", "::1"}
    assert made.file.stat().st_mode & 0o777 == 0o600
    assert made.until - NOW <= GOOD_FOR
    assert certificate.own(tmp_path, ["hub.school.example"], NOW + timedelta(days=300)) == made
    assert len(made.fingerprint.split(":")) == 32
    found = x509.load_pem_x509_certificate(made.file.read_bytes())
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


@pytest.mark.parametrize(
    ("names", "later"),
    [(["another.example"], timedelta()), (["hub.example"], GOOD_FOR - RENEWED_BEFORE)],
)
def test_it_is_made_anew_for_another_name_and_before_its_end(
    tmp_path: Path, names: list[str], later: timedelta
) -> None:
    """A month before it ends, so that nobody meets one that has run out."""
    first = certificate.own(tmp_path, ["hub.example"], NOW)
    again = certificate.own(tmp_path, names, NOW + later)
    assert again.fingerprint != first.fingerprint
    assert again.names >= set(names)


def test_what_is_no_certificate_is_said(tmp_path: Path) -> None:
    """Missing, empty, or something else: which file, and what is wrong with it."""
    odd = tmp_path / "odd.pem"
    for text in ("", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        odd.write_text(text)
        with pytest.raises(StateError, match=r"odd\.pem holds no certificate"):
            certificate.read(odd, odd)
    with pytest.raises(StateError, match=r"none\.pem cannot be read"):
        certificate.read(tmp_path / "none.pem", odd)
    (tmp_path / certificate.FILE).write_text("broken")
    assert certificate.own(tmp_path, ["localhost"], NOW).fingerprint


class School:
    """A hub's pages that are served, and what the configuration says at the moment."""

    def __init__(self, folder: Path, **said: Any) -> None:
        self.state, self.beside = folder / "state", folder
        self.state.mkdir(exist_ok=True)
        self.clock = FakeClock(NOW)
        self.said, self.sign_in = said, dict[str, Any]()
        self.served = Served(self.state, self.beside, self.clock, self.settings)
        self.port = 0

    def settings(self) -> HubSettings:
        return HubSettings.model_validate({"web": self.said, "sign_in": self.sign_in})

    def pair(self, name: str = "school", days: int = 90) -> None:
        """Put a certificate and its key beside the configuration, as an authority does."""
        place = self.beside / f"made-{name}"
        place.mkdir()
        made = certificate.own(place, ["localhost"], NOW - GOOD_FOR + timedelta(days=days))
        text = made.file.read_bytes()
        at = text.index(b"-----BEGIN CERT")
        (self.beside / "key.pem").write_bytes(text[:at])
        (self.beside / "cert.pem").write_bytes(text[at:])

    async def shown(self) -> str:
        """The fingerprint of the certificate that somebody who connects is shown."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        _, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=context)
        raw = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.transport.abort()
        found = x509.load_der_x509_certificate(raw)
        pem = self.beside / "shown.pem"
        pem.write_bytes(found.public_bytes(serialization.Encoding.PEM))
        return certificate.read(pem, pem).fingerprint


@asynccontextmanager
async def serving(folder: Path, **said: Any) -> AsyncIterator[School]:
    """Pages that are served as the configuration says."""
    school = School(folder, **said)
    async with AsyncExitStack() as exits:
        listener = listen("127.0.0.1", 0)
        exits.callback(listener.close)
        school.port = listener.getsockname()[1]
        await school.served.open(web.Application(), listener, exits)
        yield school


OWN = {"tls": "own", "certificate": "cert.pem", "certificate_key": "key.pem"}


async def test_without_tls_they_are_plain(tmp_path: Path) -> None:
    """As ever on this machine alone: no certificate is made."""
    async with serving(tmp_path) as school:
        assert school.served.address == f"http://127.0.0.1:{school.port}"
        assert (school.served.fingerprint, school.served.only_here) == ("", True)
        assert not (school.state / certificate.FILE).exists()
        assert school.served.problems() == []


async def test_a_generated_certificate_is_shown_and_told(tmp_path: Path) -> None:
    """What is printed and stands on health is what browsers see; nothing older than TLS 1.2."""
    async with serving(tmp_path, tls="generated") as school:
        assert school.served.address.startswith("https://")
        assert await school.shown() == school.served.fingerprint
        view = school.served.view()
        assert (view["tls"], view["fingerprint"]) == ("generated", school.served.fingerprint)
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(ssl.SSLError):
            await asyncio.open_connection("127.0.0.1", school.port, ssl=old)


async def test_a_first_start_makes_one_certificate_however_many_look(tmp_path: Path) -> None:
    """Whoever looks while the first is still being made waits for it: what was printed stays."""
    school = School(tmp_path, tls="generated")
    async with AsyncExitStack() as exits:
        listener = listen("127.0.0.1", 0)
        exits.callback(listener.close)
        school.port = listener.getsockname()[1]
        opened = asyncio.create_task(school.served.open(web.Application(), listener, exits))
        await asyncio.sleep(0)  # the context is there, and so the others look as well
        await asyncio.gather(opened, *(school.served.look() for _ in range(20)))
        first = school.served.fingerprint
        await school.served.look()
        assert await school.shown() == school.served.fingerprint == first


async def test_a_generated_one_is_made_anew_while_it_is_shown(tmp_path: Path) -> None:
    """Months later the next connection has the new one; nobody restarts anything."""
    async with serving(tmp_path, tls="generated") as school:
        first = await school.shown()
        watching = asyncio.create_task(school.served.run())
        await school.clock.advance((GOOD_FOR - RENEWED_BEFORE).total_seconds() + 1)
        for _ in range(200):
            await school.clock.advance(LOOKED_EVERY_S)
            if (again := await school.shown()) != first:
                break
        watching.cancel()
        assert again != first
        assert again == school.served.fingerprint


async def test_the_schools_own_is_shown_and_taken_over_when_it_is_renewed(tmp_path: Path) -> None:
    """Its files are looked at again: what the authority's tool has written is shown."""
    before = School(tmp_path)
    before.pair("first")
    async with serving(tmp_path, **OWN) as school:
        first = await school.shown()
        assert (school.served.fingerprint, school.served.problems()) == ("", [])
        school.pair("second")
        await school.served.look()
        assert await school.shown() != first
        (tmp_path / "cert.pem").write_text("half written")
        second = await school.shown()
        await school.served.look()
        assert await school.shown() == second
        assert "the one before is still shown" in school.served.problems()[0]


async def test_one_that_is_only_half_renewed_leaves_the_one_before(tmp_path: Path) -> None:
    """The authority's tool writes one file after the other: nobody is turned away in between."""
    School(tmp_path).pair("first")
    async with serving(tmp_path, **OWN) as school:
        first, key = await school.shown(), (tmp_path / "key.pem").read_bytes()
        school.pair("second")
        fresh = (tmp_path / "key.pem").read_bytes()
        (tmp_path / "key.pem").write_bytes(key)
        await school.served.look()
        assert await school.shown() == first
        assert "the one before is still shown" in school.served.problems()[0]
        (tmp_path / "key.pem").write_bytes(fresh)
        await school.served.look()
        assert await school.shown() != first
        assert school.served.problems() == []


@pytest.mark.parametrize("what", ["missing", "no pair", "a password"])
async def test_one_that_cannot_be_used_is_told_and_the_hub_starts(
    tmp_path: Path, what: str
) -> None:
    """A mistake in a file must not keep doors and alerts from working: the hub's own stands in."""
    before = School(tmp_path)
    before.pair()
    if what == "missing":
        (tmp_path / "cert.pem").unlink()
    elif what == "no pair":
        key = (tmp_path / "key.pem").read_bytes()
        before.pair("other")
        (tmp_path / "key.pem").write_bytes(key)
    else:
        key = serialization.load_pem_private_key((tmp_path / "key.pem").read_bytes(), None)
        (tmp_path / "key.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"x"),
            )
        )
    async with serving(tmp_path, **OWN) as school:
        assert await school.shown() == school.served.fingerprint
        (problem,) = school.served.problems()
        assert "stands in" in problem


async def test_a_certificate_that_ends_soon_is_a_problem(tmp_path: Path) -> None:
    """Two weeks before, since the school's own is renewed by somebody else."""
    School(tmp_path).pair(days=13)
    async with serving(tmp_path, **OWN) as school:
        assert "renew it" in school.served.problems()[0]


async def test_what_only_the_next_start_takes_is_said(tmp_path: Path) -> None:
    """Another port in a file that was reloaded is no port that is listened on."""
    async with serving(tmp_path) as school:
        school.said = {"port": 9443, "tls": "generated"}
        assert "next start" in school.served.problems()[0]


async def test_the_address_that_people_type_goes_before(tmp_path: Path) -> None:
    """Links in notices begin with it."""
    said = {"tls": "generated", "address": "https://safety.school.example"}
    async with serving(tmp_path, **said) as school:
        assert school.served.address == "https://safety.school.example"
        made = certificate.read(*[school.state / certificate.FILE] * 2)
        assert "safety.school.example" in made.names


async def test_a_list_of_breached_passwords_that_cannot_be_read_is_a_problem(
    tmp_path: Path,
) -> None:
    """Nobody takes a check for granted that is not made; once the file is there all is well."""
    async with serving(tmp_path) as school:
        school.sign_in = {"breached": "list.txt"}
        await school.served.look()
        assert "list.txt cannot be read" in school.served.problems()[0]
        (tmp_path / "list.txt").write_text(f"{'A' * 40}:3\n")
        await school.served.look()
        assert school.served.problems() == []
