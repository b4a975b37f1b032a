"""Reaching a controller over HTTP: whom we trust, and what goes wrong, in words."""

import datetime
import hashlib
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from hub import Context, NotReady
from plugins.access_control._http_device import HttpConfig, HttpDevice, short
from plugins.access_control.twon import TwoNConfig, TwoNDevice, TwoNDoors
from tests.plugins.access_control.twon_device import TwoNUnit


@pytest.fixture(scope="module")
def own_certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that signed itself: its files, and its SHA-256."""
    folder = tmp_path_factory.mktemp("certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "2n.example")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    (folder / "cert.pem").write_bytes(pem)
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    raw = made.public_bytes(serialization.Encoding.DER)
    return folder, hashlib.sha256(raw).hexdigest()


@pytest.fixture
async def unit(own_certificate):
    """A device that speaks TLS with it."""
    made = TwoNUnit()
    made.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    folder, _ = own_certificate
    made.tls.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    await made.start()
    yield made
    await made.stop()


def doors(unit, **more):
    """A driver for it."""
    config = TwoNConfig(host="127.0.0.1", port=unit.port, username="hub", password="s3cret", **more)
    return TwoNDoors(config, Context("here", devices={"front": TwoNDevice()}))


async def test_a_certificate_that_nobody_vouches_for_is_refused(unit, own_certificate):
    """Start says so; a probe shows its fingerprint, to be compared and written down."""
    made = doors(unit)
    with pytest.raises(NotReady, match=r"certificate .* is not trusted"):
        await made.start()
    said = await made.probe()
    await made.close()
    assert not said.works
    assert f"fingerprint: {own_certificate[1]}" in said.remedy
    assert unit.gate.challenged == 0


@pytest.mark.parametrize("form", ["plain", "colons"])
async def test_a_fingerprint_lets_in_this_one_alone(unit, own_certificate, form):
    """The right one works in either form; another is refused before a password is sent."""
    digits = own_certificate[1]
    written = digits if form == "plain" else ":".join(digits[i : i + 2] for i in range(0, 64, 2))
    made = doors(unit, fingerprint=written.upper())
    await made.start()
    await made.refresh("front")
    await made.close()
    before = unit.gate.challenged
    other = doors(unit, fingerprint="0" * 64)
    with pytest.raises(NotReady, match=f"another certificate: SHA-256 {digits}"):
        await other.start()
    await other.close()
    assert unit.gate.challenged == before


async def test_an_issuers_file_is_enough(unit, own_certificate):
    """A school's own authority vouches for its devices."""
    folder, _ = own_certificate
    made = doors(unit, ca_file=folder / "cert.pem")
    await made.start()
    await made.refresh("front")
    await made.close()
    missing = doors(unit, ca_file=folder / "nowhere.pem")
    with pytest.raises(NotReady, match="ca_file"):
        await missing.start()
    await missing.close()


async def test_a_device_without_tls_is_told_from_one_that_is_away():
    """Each has words of its own."""
    plain = TwoNUnit()
    await plain.start()
    made = doors(plain)
    with pytest.raises(NotReady, match=r"does not speak TLS|broke"):
        await made.start()
    await made.close()
    await plain.stop()
    away = doors(plain)
    with pytest.raises(NotReady, match="nothing listens"):
        await away.start()
    await away.close()


async def test_a_redirection_is_not_followed(monkeypatch):
    """It could lead a password elsewhere; the words say what to check."""
    from aiohttp import web

    unit = TwoNUnit()

    async def elsewhere(request):
        return web.Response(status=302, headers={"Location": "http://192.0.2.1/"})

    monkeypatch.setattr(unit, "_take", elsewhere)
    await unit.start()
    device = HttpDevice(HttpConfig(host="127.0.0.1", port=unit.port, tls=False), Context("here"))
    await device.open()
    with pytest.raises(NotReady, match="sends us elsewhere"):
        await device.ask("GET", "/")
    await device.close()
    with pytest.raises(NotReady, match="no link"):
        await device.ask("GET", "/")
    await unit.stop()


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ({"host": "a/b"}, "pattern"),
        ({"host": "user:pw@host"}, "pattern"),
        ({"host": "h", "username": "u"}, "together"),
        ({"host": "h", "fingerprint": "12"}, "64 hexadecimal digits"),
        ({"host": "h", "fingerprint": "0" * 64, "ca_file": "x"}, "not both"),
        ({"host": "h", "fingerprint": "0" * 64, "tls": False}, "tls: true"),
        ({"host": "h", "port": 0}, "greater than"),
    ],
)
def test_a_block_that_contradicts_itself_is_refused(block, told):
    """The reason says what belongs there."""
    with pytest.raises(ValidationError, match=told):
        HttpConfig.model_validate(block)


def test_what_a_controller_says_is_bounded_and_printable():
    """No line breaks, no control characters, no novels."""
    assert short("a\r\nb\x00\x1bc") == "a b c"
    assert len(short("x" * 10_000)) == 120
