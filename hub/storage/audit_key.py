"""The key that the end of the audit's chain is signed with: Ed25519, made once for a state folder.

It lies beside the journal and in no backup. A state folder that a backup was restored to on another
machine gets a key of its own, and a line of the chain says so.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from sqlalchemy import Connection

from hub.clock import iso
from hub.errors import StateError
from hub.storage import audit
from hub.storage.audit_acts import Act
from hub.storage.backup_copy import own_like, sync_folder

FILE = "audit.key"
_SIGNED = "vestibule audit head 1\n"


def load_or_make(folder: Path) -> Ed25519PrivateKey:
    """The key of a state folder, for its owner alone. Raises `StateError`: a key that is there and
    cannot be read is not replaced.
    """
    file = folder / FILE
    try:
        if not file.exists():
            _make(file)
        found = load_pem_private_key(file.read_bytes(), None)
    except OSError as error:
        raise StateError(
            f"the audit's key {file} cannot be used: {error.strerror}; check its owner"
        ) from error
    except ValueError as error:
        raise StateError(
            f"the audit's key {file} is damaged. Put it back from where you keep it, or move it "
            "away: the hub then makes another, and a line of the audit says so"
        ) from error
    if not isinstance(found, Ed25519PrivateKey):
        raise StateError(f"{file} holds a key of another kind; expected Ed25519")
    return found


def _make(file: Path) -> None:
    part = file.with_name(f"{FILE}.part")
    with suppress(FileNotFoundError):
        part.unlink()
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(pem)
        out.flush()
        os.fsync(out.fileno())
    own_like(part, file.parent)
    part.rename(file)
    sync_folder(file.parent)


def public_of(key: Ed25519PrivateKey) -> str:
    """The public half: 64 hexadecimal digits, which anybody may know."""
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def announce(connection: Connection, public: str, now: datetime) -> bool:
    """Have a line say which key signs from now on; whether that was news."""
    newest = connection.exec_driver_sql(
        "SELECT subject FROM audit WHERE act = 'audit.key_made' ORDER BY number DESC LIMIT 1"
    ).scalar()
    if newest == public:
        return False
    audit.append(connection, Act("audit.key_made", "hub", public), now)
    return True


def sign_end(
    connection: Connection, key: Ed25519PrivateKey, now: datetime
) -> dict[str, Any] | None:
    """Sign the end of the chain as it is, keep that as the signature of the day, and return it;
    None while there is no line.
    """
    last = connection.exec_driver_sql(
        "SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1"
    ).first()
    if last is None:
        return None
    head: dict[str, Any] = {
        "chain": audit.chain_of(connection),
        "number": int(last[0]),
        "hash": str(last[1]),
        "time": iso(now),
        "key": public_of(key),
    }
    head["signature"] = key.sign(_words(head)).hex()
    connection.exec_driver_sql(
        "DELETE FROM audit_heads WHERE number = ? OR substr(time, 1, 10) = ?",
        (head["number"], head["time"][:10]),
    )
    connection.exec_driver_sql(
        "INSERT INTO audit_heads (number, hash, time, key, signature) VALUES (?, ?, ?, ?, ?)",
        tuple(head[name] for name in ("number", "hash", "time", "key", "signature")),
    )
    return head


def is_signed(head: dict[str, Any]) -> bool:
    """Whether the key that a head names has signed it."""
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(head["key"]))
        public.verify(bytes.fromhex(head["signature"]), _words(head))
    except (InvalidSignature, ValueError):
        return False
    return True


def _words(head: dict[str, Any]) -> bytes:
    said = {name: head[name] for name in ("chain", "number", "hash", "time", "key")}
    return (_SIGNED + audit.canonical(said)).encode()
