"""Certificates of the pages: the school's own, read; or one that the hub makes for itself.

The hub's own is self-signed: browsers ask once whether to trust it, and the fingerprint says
whether it is the right one. It lies in the state folder, readable by its owner alone, and is made
anew a month before its end or when it has to be good for another name.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hub.errors import StateError

GOOD_FOR = timedelta(days=397)  # the longest that browsers take
RENEWED_BEFORE = timedelta(days=30)
FILE = "tls.pem"
_NOBODY = ("192.0.2.1", 9)  # an address of documentation (RFC 5737), to which nothing is sent


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its key, and what people compare and watch."""

    file: Path
    key: Path
    fingerprint: str
    until: datetime
    names: frozenset[str]

    def good_for(self, names: Collection[str], now: datetime) -> bool:
        """Whether it covers these names for a while longer."""
        return self.names >= set(names) and self.until - now > RENEWED_BEFORE


def read(file: Path, key: Path) -> Certificate:
    """A certificate that lies in files. Raises `StateError` in words."""
    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())[0]
    except OSError as error:
        raise StateError(f"the certificate {file} cannot be read: {error.strerror}") from error
    except (ValueError, IndexError) as error:
        raise StateError(f"{file} holds no certificate in PEM") from error
    digest = found.fingerprint(hashes.SHA256()).hex(":").upper()
    return Certificate(file, key, digest, found.not_valid_after_utc, _names_in(found))


def pair(file: Path, key: Path) -> Certificate:
    """A certificate that fits its key. Raises `StateError` in words."""
    found = read(file, key)
    load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), found)
    return found


def load(context: ssl.SSLContext, found: Certificate) -> None:
    """Have a context show it from now on. Raises `StateError` in words."""
    try:  # elsewhere first: half of a pair that does not fit would take the place of what is shown
        for each in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), context):
            each.load_cert_chain(found.file, found.key, password=_no_password)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise StateError(
            f"the certificate {found.file} cannot be used with the key {found.key}: "
            "they have to be one pair, in PEM, without a password"
        ) from error


def _no_password() -> str:
    """A key with a password is refused: without this OpenSSL would ask on the terminal."""
    raise ValueError("no password")


def _names_in(certificate: x509.Certificate) -> frozenset[str]:
    try:
        said = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    addresses = (str(each) for each in said.get_values_for_type(x509.IPAddress))
    return frozenset({*said.get_values_for_type(x509.DNSName), *addresses})


def own(folder: Path, names: Collection[str], now: datetime) -> Certificate:
    """The hub's own certificate for at least these names, made where none is good enough. Raises
    `StateError`.
    """
    file = folder / FILE
    try:
        known = read(file, file)
    except StateError:
        known = None
    if known is not None and known.good_for(names, now):
        return known
    try:
        _make(file, sorted({*names, *_of_this_machine()}), now)
    except OSError as error:
        raise StateError(f"the certificate {file} cannot be written: {error.strerror}") from error
    return read(file, file)


def _make(file: Path, names: Collection[str], now: datetime) -> None:
    """Write key and certificate, as one file, whole or not at all."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Vestibule")])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + GOOD_FOR)
        .add_extension(x509.SubjectAlternativeName([_general(each) for each in names]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(private + made.public_bytes(serialization.Encoding.PEM))
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(file)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _of_this_machine() -> set[str]:
    """The names and addresses under which it is likely reached."""
    host = socket.gethostname().lower()
    found = {"localhost", "127.0.0.1", "::1"}
    plain = host.replace(".", "").replace("-", "").isalnum() and host.isascii()
    found |= {host, f"{host.split('.')[0]}.local"} if plain else set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        try:
            out.connect(_NOBODY)
            found.add(str(out.getsockname()[0]))
        except OSError:
            pass  # no way out of this machine, and so no address to be reached at
    return found
