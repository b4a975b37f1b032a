"""Web push: encrypting for one browser (RFC 8291) and saying who sends (VAPID, RFC 8292)."""

from __future__ import annotations

import base64
import os
import struct
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

RECORD = 4096  # bytes of the one record; push services take no more (RFC 8030, 7.2)
LARGEST = RECORD - 103  # of what is said, beside header, tag and padding
TOKEN_LIVES_S = 12 * 3600


def encrypt(
    content: bytes,
    p256dh: str,
    auth: str,
    *,
    salt: bytes | None = None,
    ours: EllipticCurvePrivateKey | None = None,
) -> bytes:
    """Encrypt for the browser that gave these keys, as `aes128gcm` (RFC 8188) in one record.

    `salt` and `ours`, the key of this message, are made afresh unless given, which only the RFC's
    example does. Raises `ValueError` for keys that are none, or more than `LARGEST` bytes.
    """
    from cryptography.hazmat.primitives.asymmetric.ec import (
        ECDH,
        SECP256R1,
        EllipticCurvePublicKey,
        generate_private_key,
    )
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if len(content) > LARGEST:
        raise ValueError(f"a push message holds {LARGEST} bytes, not {len(content)}")
    theirs_raw = unpacked(p256dh)
    theirs = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), theirs_raw)
    ours = ours or generate_private_key(SECP256R1())
    salt = salt or os.urandom(16)
    ours_raw = raw_public(ours)
    shared = ours.exchange(ECDH(), theirs)
    info = b"WebPush: info\0" + theirs_raw + ours_raw
    secret = _derived(shared, unpacked(auth), info, 32)
    key = _derived(secret, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derived(secret, salt, b"Content-Encoding: nonce\0", 12)
    sealed = AESGCM(key).encrypt(nonce, content + b"\x02", None)  # 2 ends the last record
    return salt + struct.pack("!IB", RECORD, len(ours_raw)) + ours_raw + sealed


def _derived(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), length, salt, info).derive(secret)


class SenderKey:
    """The key pair by which push services and browsers know this hub, kept in a file of ours."""

    def __init__(self, pem: bytes) -> None:
        from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        loaded = load_pem_private_key(pem, None)
        if not isinstance(loaded, EllipticCurvePrivateKey) or loaded.curve.name != "secp256r1":
            raise ValueError("it is no key of the curve P-256")
        self._pem = pem
        self.public = packed(raw_public(loaded))

    @classmethod
    def kept(cls, file: Path) -> SenderKey:
        """Read the key, or make it on first use, readable by nobody else.

        Raises `OSError`, or `ValueError` when what is there is no such key: a new one in its place
        would cost every browser that asked to be told.
        """
        if not file.exists():
            _make(file)
        return cls(file.read_bytes())

    def authorization(self, audience: str, subject: str, now: datetime) -> str:
        """The Authorization header for one push service (its origin), good for twelve hours."""
        from joserfc import jwt
        from joserfc.jwk import ECKey

        expires = int(now.timestamp()) + TOKEN_LIVES_S
        claims = {"aud": audience, "exp": expires, "sub": subject}
        token = jwt.encode({"typ": "JWT", "alg": "ES256"}, claims, ECKey.import_key(self._pem))
        return f"vapid t={token}, k={self.public}"


def _make(file: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    made = generate_private_key(SECP256R1())
    pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as written:
        written.write(pem)
        written.flush()
        os.fsync(written.fileno())
    part.replace(file)


def raw_public(key: EllipticCurvePrivateKey) -> bytes:
    """The public half as the 65 bytes of an uncompressed point."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def packed(raw: bytes) -> str:
    """Bytes as base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unpacked(text: str) -> bytes:
    """What `packed` made of bytes. Raises `ValueError`."""
    plain = text.rstrip("=")
    return base64.urlsafe_b64decode(plain + "=" * (-len(plain) % 4))
